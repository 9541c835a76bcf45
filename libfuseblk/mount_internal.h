/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * mount_internal.h: what the parts of the mount share: the one error report,
 * the parsed options, the source, the loop device, the guard, the driver
 * process and the kernel's side.  Everything here runs in the privileged,
 * single-threaded parent and may block.
 *
 * Descriptors are close-on-exec and above 2.  A structure with descriptors
 * has -1 in those it does not hold; its close function takes half-built ones.
 */
#ifndef FB_MOUNT_INTERNAL_H
#define FB_MOUNT_INTERNAL_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <sys/types.h>

#include "mount.h"
#include "start.h"

/* Flags of mount(2) that are not in every C library's header. */
#ifndef MS_NOSYMFOLLOW
#define MS_NOSYMFOLLOW 256
#endif
#ifndef MS_LAZYTIME
#define MS_LAZYTIME (1 << 25)
#endif

/* What went wrong: one line, and the exit status that goes with it. */
struct fb_report {
	int status;		/* FB_EXIT_*, 0 while nothing failed */
	char text[1536];
};

/* Fills @report (a second call is ignored: the first cause counts). Returns @err, a negative errno. */
int fb_fail(struct fb_report *report, int status, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));
/* As fb_fail, with the text of @err put behind ": ". */
int fb_fail_errno(struct fb_report *report, int status, int err, const char *format, ...)
	__attribute__((format(printf, 4, 5)));

/* mount_options.c */

enum fb_option_class {
	FB_OPTION_FLAG,		/* sets and clears MS_* flags */
	FB_OPTION_DROP,		/* for mount(8), systemd and the like: no effect here */
	FB_OPTION_SECURITY,	/* for the kernel's security module */
	FB_OPTION_OWN,		/* kept in a field of struct fb_mount_options */
	FB_OPTION_REFUSE,	/* cannot be done by a mount of this kind */
};
enum fb_option_form { FB_FORM_WORD, FB_FORM_VALUE, FB_FORM_EITHER, FB_FORM_PREFIX };
enum fb_option_parse { FB_PARSE_NONE, FB_PARSE_SIZE, FB_PARSE_NUMBER, FB_PARSE_PATH, FB_PARSE_YES, FB_PARSE_NO };

struct fb_mount_option {
	const char *name;
	enum fb_option_form form;
	enum fb_option_class class;
	unsigned long set, clear;	/* FLAG */
	enum fb_option_parse parse;	/* OWN */
	size_t offset;			/* OWN: in struct fb_mount_options */
};
extern const struct fb_mount_option fb_mount_option_table[];	/* ends with a NULL name */

struct fb_mount_options {
	unsigned long flags;		/* MS_*, without MS_REMOUNT */
	unsigned long named;		/* MS_* that the text set or cleared */
	bool remount, loop;
	bool nofail;			/* a source that is not there is no failure */
	uint64_t offset, sizelimit;	/* bytes; 0: none */
	uint64_t partition;		/* 0: none */
	char index[PATH_MAX], log[PATH_MAX];
	char security[2048];		/* comma-separated, as written */
	char driver[4096];		/* the rest, for the driver; as written */
};

/*
 * Adds the comma-separated @text (NULL: nothing) to @o.  Commas inside double
 * quotes or behind a backslash do not separate.  Returns 0, or -EINVAL with
 * the option named in @report.
 */
int fb_mount_options_add(struct fb_mount_options *o, const char *text, struct fb_report *report);
/* What the driver is to be told: o->driver and the flags it has to know. Returns 0 or -E2BIG. */
int fb_mount_options_driver(const struct fb_mount_options *o, char *out, size_t size);
/*
 * The next option of the list *@text: its start, and its length in @len, or
 * NULL at the end; *@text moves on.  Empty options are skipped.
 */
const char *fb_option_next(const char **text, size_t *len);

/* mountinfo.c */

struct fb_mountinfo {
	unsigned id;
	dev_t dev;
	char target[PATH_MAX], type[64], source[PATH_MAX];
	char options[512];		/* of the mount */
	char super_options[1024];
	bool super_read_only;
};
/* The last (topmost) mount of @dev in our namespace. Returns 0, -ENOENT, or an errno of reading it. */
int fb_mountinfo_by_dev(dev_t dev, struct fb_mountinfo *out);
/* The mount with this id, as statx() gives it. */
int fb_mountinfo_by_id(unsigned id, struct fb_mountinfo *out);
/* The last mount that names @source, as a mount of type fuse names its image. */
int fb_mountinfo_by_source(const char *source, struct fb_mountinfo *out);
/* The device number and mount id behind an open descriptor, without asking the filesystem anything. */
int fb_fd_mount(int fd, dev_t *dev, unsigned *mount_id, bool *is_root);

/* mount_source.c */

struct fb_source {
	char path[PATH_MAX];		/* canonical */
	const char *name;		/* as the user named it; the image, where mount(8) made a loop device of it */
	char image[PATH_MAX];		/* that image, else "" */
	uint64_t image_offset;		/* and the offset= that mount(8) took for itself */
	int fd;				/* for the driver */
	enum fb_device_kind kind;
	bool is_block;			/* else a regular file */
	bool read_only;			/* asked for, or all that is possible */
	char why_read_only[256];	/* "" where the user asked for it */
	dev_t dev, rdev;		/* of the file; of the block device */
	ino_t ino;
	uint64_t device_size;		/* bytes of the whole; gzip: 0, not known */
	uint32_t sector;		/* logical, bytes */
	uint64_t offset, size;		/* the range to mount; size 0: to the end */
};

int fb_source_open(struct fb_source *src, const char *name, const struct fb_mount_options *o,
		   struct fb_report *report);
/* The path behind @name: a tag looked up, links followed. Returns 0, or an errno reported. */
int fb_source_path(const char *name, char *path, struct fb_report *report);
/* Narrow to partition @number; opens the kernel's own device of it where there is one. */
int fb_source_partition(struct fb_source *src, uint64_t number, struct fb_report *report);
/* Is it a part of a block device, or a file: does the mount need a loop device? */
bool fb_source_needs_loop(const struct fb_source *src);
/* The same file opened once more. Returns a descriptor or a negative errno. */
int fb_reopen(int fd, int flags);
void fb_source_close(struct fb_source *src);

/* loop.c */

struct fb_loop {
	int fd;			/* keeps it alive; closing the last one clears it */
	dev_t rdev;
	char path[64];
};

struct fb_loop_info {
	dev_t dev;		/* of the backing file's filesystem */
	ino_t ino;
	dev_t rdev;		/* a block device as backing file: its number, else 0 */
	uint64_t offset, sizelimit;
	bool autoclear;		/* goes away with its last user */
	char backing[PATH_MAX];	/* may be out of date: compare dev and ino */
};

/*
 * A loop device over [offset, offset+size) of @file (size 0: to the end) that
 * goes away with its last user.  @file need not stay open.
 */
int fb_loop_attach(struct fb_loop *loop, int file, const char *file_name, uint64_t offset,
		   uint64_t size, uint32_t sector, bool read_only, struct fb_report *report);
void fb_loop_close(struct fb_loop *loop);
/* What /dev/loop@number stands for. Returns 0, -ENXIO if it stands for nothing. */
int fb_loop_info(int fd, struct fb_loop_info *out);
/* The first loop device after *@number (-1: the first) that stands for something; opened, or -ENOENT. */
int fb_loop_next(int *number, struct fb_loop *loop);
/* /dev/block name of a device number, in @path; opened with @flags. */
int fb_open_device(dev_t rdev, int flags, char *path, size_t size);

/* mount_guard.c */

struct fb_guard {
	int lock_fd;		/* the global lock, or -1 */
	int excl_fd;		/* the block device, held exclusively, or -1 */
};

/* Claim the source's bytes; both descriptors of @guard are -1 before. Returns 0, -EBUSY with the present user named. */
int fb_guard_take(struct fb_guard *guard, const struct fb_source *src, struct fb_report *report);
/*
 * Let go of the block device right before the kernel claims it; the global
 * lock is held from here on.  @mount_dev: the device about to be mounted.
 */
int fb_guard_hand_over(struct fb_guard *guard, const struct fb_source *src, dev_t mount_dev,
		       struct fb_report *report);
void fb_guard_close(struct fb_guard *guard);
/* Who uses the block device @dev: a clause for a message ("mounted on /mnt"). */
void fb_guard_user(dev_t dev, char *text, size_t size);
/* Lock the bytes of an image for the life of @fd's open file. Returns 0 or -EBUSY. */
int fb_guard_lock_bytes(int fd, uint64_t offset, uint64_t size, bool read_only);

/* driver_process.c */

struct fb_driver_process {
	char path[PATH_MAX];
	pid_t pid;
	int sock;		/* start protocol */
	int channel;		/* /dev/fuse */
	int signal_fd;		/* SIGINT, SIGTERM, SIGHUP, SIGQUIT, blocked from fb_mount() on; the caller's */
	char control[PATH_MAX];	/* the control socket's present name, "" if there is none */
};

int fb_driver_find(struct fb_driver_process *drv, const char *type, const char *source,
		   struct fb_report *report);
/* Start the driver and send it @start, filled but for what depends on the descriptors made here. */
int fb_driver_start(struct fb_driver_process *drv, struct fb_start *start,
		    const struct fb_source *src, const struct fb_mount_options *o,
		    struct fb_report *report);
int fb_driver_wait_started(struct fb_driver_process *drv, struct fb_started *out,
			   struct fb_report *report);
/*
 * Tell the driver its device number, give the socket its final name, wait
 * until INIT was answered.  The global lock is held: sockets of drivers that
 * are dead are removed.
 */
int fb_driver_wait_serving(struct fb_driver_process *drv, dev_t dev, struct fb_report *report);
/* The mount stands: let go of the driver, which goes on. */
void fb_driver_release(struct fb_driver_process *drv);
/* End and reap the driver, remove its socket. */
void fb_driver_kill(struct fb_driver_process *drv);

/* kmount.c */

struct fb_kmount {
	const char *type, *source, *subtype, *security;
	int channel;
	unsigned long flags;	/* MS_* */
	uint32_t root_mode, block_size;	/* block_size 0: not for this type */
	bool default_permissions;
	int target_fd;		/* O_PATH */
	/* out */
	int mount_fd;		/* a mount not attached yet, or -1: the old interface attached it already */
	dev_t dev;
};

/* Make the superblock. -EBUSY where the kernel says the device has a user; reported. */
int fb_kmount_create(struct fb_kmount *k, struct fb_report *report);
int fb_kmount_attach(struct fb_kmount *k, const char *target, struct fb_report *report);
/* Undo either. */
void fb_kmount_undo(struct fb_kmount *k, const char *target);
/* Per-filesystem limits of the page cache, which FUSE sets low; best effort. */
void fb_kmount_tune(dev_t dev);

/* remount.c */
int fb_remount(const struct fb_mount_args *args, const struct fb_mount_options *o,
	       struct fb_report *report);
/* One request to the driver of @dev; @fd -1: none. Returns the answer's error, reported. */
int fb_control_call(dev_t dev, const struct fb_control_request *request, int fd,
		    struct fb_control_answer *answer, struct fb_report *report);

#endif
