/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * crash.h: the power-cut sweep of the ext2 driver.
 *
 * A random workload runs on a volume in memory whose every write and flush
 * is logged.  Then the log is cut at every entry, and of the writes since
 * the last flush before the cut arbitrary ones are dropped; each image that
 * a cut of power could have left must be repaired by "e2fsck -p", and hold
 * every file and name that had been synced and not been touched since.
 */
#ifndef CRASH_H
#define CRASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fk;
struct fb_write_log;

/* What must be found in images cut within [from, until] entries of the log. */
struct promise {
	char path[160];
	bool is_dir;
	uint64_t size, digest;
	uint64_t other_size, other_digest;	/* the name may also lead to this */
	bool has_other;
	size_t from, until;
	int inode;				/* the model's */
};

struct promises {
	struct promise *list;
	size_t count, cap;
};

#define FOREVER ((size_t)-1)

struct workload {
	struct fk *fk;
	struct fb_write_log *log;
	struct promises promises;
	unsigned steps;
	bool move_dirs;			/* directories change their parents too */
};

uint32_t roll(void);
void roll_seed(uint64_t seed);
uint64_t digest(const void *bytes, size_t len);

/* model.c: run the workload; fills the promises. */
void workload_run(struct workload *w);

/* check.c: compare the image with the promises in force at the cut. Returns NULL or what is wrong. */
const char *promises_check(const char *image, const struct promises *p, size_t cut);

#endif
