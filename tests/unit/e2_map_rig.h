/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e2_map_rig.h: a volume small enough to check by hand, for tests of the
 * file map: the library's real cache over memory, a bitmap allocator with
 * deferred frees, and raw inodes in one block.
 */
#ifndef E2_MAP_RIG_H
#define E2_MAP_RIG_H

#include "../../fs-ext2/map.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "volume_standins.h"

#define RIG_BS		1024u
#define RIG_BLOCKS	8192u
#define RIG_DATA	16u	/* first block that can hold data */
#define RIG_ITABLE	1u
#define RIG_FILES	4u

/* The raw inode of the rig: file @i lies at i * 128 of block RIG_ITABLE. */
struct rig_inode {
	uint64_t size, blocks;
	uint32_t flags;
	uint8_t i_block[60];
};

struct rig {
	struct fuseblk_volume vol;
	struct e2_super sb;
	struct fb_device *mem, *dev;
	struct fb_write_log *log;
	struct fuseblk_node *node[RIG_FILES];
	uint8_t used[RIG_BLOCKS];	/* 1 in use, 2 freed in this epoch, 3 freed in the one being committed */
	uint32_t seed;
	unsigned longest;		/* greatest run the allocator gives, 0: any */
	unsigned fail_in;		/* allocations until one fails, 0: none */
	uint8_t inline_data[100];	/* system.data of the one inline file */
	ssize_t inline_size;		/* -ENODATA: none */
};

extern struct rig *rig;			/* the one in use */

void rig_open(struct rig *r, uint32_t seed, bool csum);
void rig_close(struct rig *r);
uint32_t rig_random(uint32_t below);
struct e2_inode *rig_file(unsigned i, uint32_t mode, bool extents, bool is_new);
void rig_begin(void);		/* a change */
void rig_end(void);
void rig_commit(void);
unsigned rig_used(void);		/* blocks not free */
uint32_t rig_le32(const uint8_t *p);

#endif
