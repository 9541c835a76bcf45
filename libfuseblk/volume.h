/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * volume.h: struct fuseblk_volume, the centre that the parts of the library
 * hang on, and the helpers every request handler uses.
 *
 * Lock order: node locks (in order of inode number where there are several)
 * -> change gate (fb_change_begin) -> the driver's own locks -> buffer locks
 * -> cache internals.  The node table's lock is a leaf.
 */
#ifndef FB_VOLUME_H
#define FB_VOLUME_H

#include <pthread.h>
#include <stdatomic.h>
#include "fuseblk.h"
#include "cache.h"

#define FB_DAMAGE_MESSAGES	20u	/* lines of the log about damage */

struct fb_device;
struct fb_session;
struct fb_node_table;

enum fb_atime { FB_ATIME_RELATIME, FB_ATIME_NONE, FB_ATIME_STRICT };

/* The library's own mount options, parsed by options.c. */
struct fb_options {
	int read_only;
	int writeback;			/* writeback cache, default on */
	int sync, dirsync;		/* every change, every change of a directory, is committed before its reply */
	int atime;			/* enum fb_atime */
	int nodiratime;
	uint64_t commit_seconds;	/* 0: default 5 */
	uint64_t threads;		/* most workers, 0: suits the machine */
	int debug;
	int sloppy;
	char *driver_options;		/* what is left for the driver */
};

struct fuseblk_volume {
	const struct fuseblk_driver *driver;
	const struct fuseblk_operations *ops;	/* &filled */
	struct fuseblk_operations filled;	/* the driver's, what it leaves out replaced: operations.c */
	void *priv;			/* the driver's */
	void *driver_options;		/* parsed, options_size bytes */
	struct fb_options options;
	struct fuseblk_volume_info info;
	struct fb_device *device;
	struct fb_cache *cache;		/* from fuseblk_set_block_size() on */
	struct fb_node_table *nodes;
	struct fb_session *session;	/* NULL outside a mount (unit tests) */
	char source[256];		/* for messages: the device or image as the user named it */
	_Atomic bool read_only;		/* present state */
	_Atomic bool shut_down;		/* a commit failed or the device vanished: every change fails */
	_Atomic int error;		/* first fatal error, negative errno, 0 if none */
	_Atomic bool corrupted;		/* fuseblk_corrupt() was called in this mount */
	_Atomic bool error_marked;	/* ->mark_error was called */
	_Atomic bool panicked;		/* errors=panic: the daemon ends after this request */
	bool opened;			/* ->close owed */
	unsigned commit_ms;		/* the committer's period; as for a kernel with SYNCFS until INIT calls fb_volume_set_interval() */
	enum fuseblk_errors errors;
	bool discard;
	bool kernel_times;		/* the writeback cache is in force: the kernel keeps the times of files it writes; set by INIT */
	bool started;			/* read-write: ->start done or due, ->stop owed */
	_Atomic bool start_due;		/* lazy_start: nothing has been changed yet */
	_Atomic unsigned corruption_logged;	/* messages so far, and one more */
	_Atomic uint64_t corruption_said[FB_DAMAGE_MESSAGES];	/* their hashes */
	pthread_mutex_t state_lock;	/* start, stop, remount: one at a time */
	char refusal[256];		/* from fuseblk_refuse() */
};

/*
 * volume.c.  prepare: parses options (library's, then driver's) and calls
 * ->prepare, which may open files.  @device is owned from now on, also on
 * failure.  open: calls ->open, makes the cache; reads the volume for the
 * first time; frees @vol on failure.  new: both.  @error gets one line.
 * -FB_BAD_OPTIONS (start.h) for options that are refused.
 */
int fb_volume_prepare(const struct fuseblk_driver *driver, struct fb_device *device,
		      const char *source, const char *options,
		      struct fuseblk_volume **out, char *error, size_t error_size);
int fb_volume_open(struct fuseblk_volume *vol, char *error, size_t error_size);
int fb_volume_new(const struct fuseblk_driver *driver, struct fb_device *device,
		  const char *source, const char *options,
		  struct fuseblk_volume **out, char *error, size_t error_size);
/* operations.c: operations that every caller may call; the optional ones of fuseblk.h stay NULL. */
void fb_operations_fill(const struct fuseblk_operations *from, struct fuseblk_operations *to);
/* Runs ->start in a change and commits; for rw mounts, before the first request. */
int fb_volume_start(struct fuseblk_volume *vol);
/* Commits, runs ->stop, commits again: the volume is clean and read-only. Idempotent. Returns the first error. */
int fb_volume_stop(struct fuseblk_volume *vol);
/*
 * Forgets nodes, stops, closes the driver, cache and device: every descriptor
 * is closed when it returns, only @vol itself is left.  Idempotent.  Returns
 * the first error of fb_volume_stop().
 */
int fb_volume_close(struct fuseblk_volume *vol);
/* fb_volume_close() and the memory; NULL: nothing. */
void fb_volume_free(struct fuseblk_volume *vol);

/*
 * Remount.  ro: changes end, everything is committed, the volume marked
 * clean.  rw: @fd (owned) is a writable descriptor of the device; the volume
 * is marked in use.  Return 0 or -errno; the reason goes to @error.
 */
int fb_volume_remount_ro(struct fuseblk_volume *vol, char *error, size_t error_size);
int fb_volume_remount_rw(struct fuseblk_volume *vol, int fd, char *error, size_t error_size);
/* True if ->mark_error is owed: call fb_volume_mark_error(), with no lock held and outside changes. May block. */
bool fb_volume_owes_mark(struct fuseblk_volume *vol);
void fb_volume_mark_error(struct fuseblk_volume *vol);
/* The committer's period: @syncfs says that the kernel sends SYNCFS. */
void fb_volume_set_interval(struct fuseblk_volume *vol, bool syncfs);

/* A change that the volume's state allows: -EROFS, -EIO after shut-down, else as fb_change_begin. */
int fb_volume_change_begin(struct fuseblk_volume *vol);
void fb_volume_change_end(struct fuseblk_volume *vol);

#endif
