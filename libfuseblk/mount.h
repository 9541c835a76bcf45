/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount.h: the privileged side of a mount: claims the source, starts the
 * driver, mounts, waits until the mount works.  Used by mount.fuseblk and by
 * a driver run by hand.
 */
#ifndef FB_MOUNT_H
#define FB_MOUNT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Exit status bits of mount(8). */
#define FB_EXIT_OK	0
#define FB_EXIT_USAGE	1
#define FB_EXIT_SYSTEM	2
#define FB_EXIT_INTERNAL 4
#define FB_EXIT_USER	8
#define FB_EXIT_MTAB	16
#define FB_EXIT_FAIL	32

struct fb_mount_args {
	const char *source;		/* device, image, or TAG=value */
	const char *target;
	const char *type;		/* driver forced with -t fuseblk.TYPE, or NULL */
	const char *options;		/* everything after -o, joined */
	bool sloppy, fake, verbose, foreground;
	const char *driver_path;	/* program to start, no probe; NULL: LIBEXECDIR/fuseblk/TYPE */
	const char *mount_ns;		/* -N: a mount namespace (file or process id) to mount in, or NULL */
};

/*
 * Mount, or remount where the options say so.  Prints one line on stderr on
 * failure.  Returns an exit status of mount(8).
 */
int fb_mount(const struct fb_mount_args *args);

/*
 * The status text of the mount at @where (a directory in it, its device, or
 * its image), asked of its driver.  Returns 0, or a negative errno with a
 * one-line reason in @text.
 */
int fb_mount_status(const char *where, char *text, size_t size);

/* A number of bytes as offset= takes it, with or without a suffix (K, MiB, GB...). Returns 0 or -EINVAL. */
int fb_parse_size(const char *text, uint64_t *out);

#endif
