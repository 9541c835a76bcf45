/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ext2.h: what the ext2 workload promises, and how that is checked. */
#ifndef CRASH_EXT2_H
#define CRASH_EXT2_H

#include "crash.h"

/* What must be found in images cut within [from, until] entries of the log. */
struct promise {
	char path[160];
	bool is_dir;
	uint64_t size, digest;
	uint64_t other_size, other_digest;	/* the name may also lead to this */
	bool has_other;
	size_t from, until;
	int inode, other_inode;			/* the model's; -1: none, or gone */
};

struct promises {
	struct promise *list;
	size_t count, cap;
};

/* model_ext2.c: run the workload; fills the promises. */
void ext2_workload(struct crash *c);
const struct promises *ext2_promises(void);

/* check_ext2.c: compare the image with the promises in force at the cut. Returns NULL or what is wrong. */
const char *ext2_promises_check(const char *image, const struct promises *p, size_t cut);

#endif
