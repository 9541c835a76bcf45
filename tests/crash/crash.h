/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash.h: the power-cut sweep.
 *
 * A random workload runs on a volume in memory whose every write and flush
 * is logged.  Then the log is cut at every entry, and of the writes since
 * the last flush before the cut arbitrary blocks are dropped; each image that
 * a cut of power could have left is judged by the format: it must be sound as
 * far as the format's driver promises, be repaired unattended by the format's
 * checker, and hold every file and name that had been synced and not been
 * touched since.
 */
#ifndef CRASH_H
#define CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fk;
struct fb_write_log;
struct fuseblk_driver;
struct format;

#define FOREVER ((size_t)-1)

struct crash {
	const struct format *format;
	unsigned long seed, steps, every, drops;
	unsigned long repair;		/* one in so many images is given to the format's checker, where that is slow */
	bool verbose;			/* say what the workload does, and at which entry of the log */
	bool move_dirs;			/* ext2: directories change their parents too */
	const char *keep;		/* directory for images that failed, or NULL */
	char image[64];			/* file for the format's checker */
	size_t size;			/* bytes of the volume */
	uint32_t unit;			/* what a cut may tear a longer write into, bytes */
	struct fk *fk;
	struct fb_write_log *log;
	size_t promises;		/* made by the workload */
	unsigned long cuts, images, repairs, failures;
};

/* A format: one per file format_*.c. */
struct format {
	const char *name;
	const struct fuseblk_driver *driver;
	const char *options;		/* of the mount */
	size_t size;			/* bytes of the volume unless -b says otherwise */
	const char *mkfs;		/* the command, before the options and the image's name */
	/* The volume as mkfs made it; may still be changed.  Sets unit. */
	void (*prepare)(struct crash *c, uint8_t *bytes);
	void (*workload)(struct crash *c);
	/* NULL, or what is wrong with the image that a cut before entry @cut of the log left. */
	const char *(*judge)(struct crash *c, const uint8_t *bytes, size_t cut);
	/* What else is to be said at the end; may be NULL. */
	void (*summary)(const struct crash *c, char *text, size_t size);
};
extern const struct format format_ext2, format_fat;

/* random.c */
uint32_t roll(void);
void roll_seed(uint64_t seed);
uint64_t digest(const void *bytes, size_t len);

/* powercut.c */
/* Write the image to its file; fails the program if it cannot. */
void crash_store(const struct crash *c, const uint8_t *bytes);
void crash_load(const struct crash *c, uint8_t *bytes);
/* A command in a shell; its exit status, 255 if it was killed. */
int crash_run(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
