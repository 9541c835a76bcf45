/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fake_ext2.h: a stand-in for the library and for the inode code, enough for
 * tests of fs-ext2's attribute files without a device: a small memory
 * "volume" whose blocks and inodes change at once.
 */
#ifndef FAKE_EXT2_H
#define FAKE_EXT2_H

#include "../../fs-ext2/ext2.h"

#define FAKE_BLOCKS	512
#define FAKE_INODES	64

struct fake_inode {
	bool used;
	struct fuseblk_node *node;
	uint8_t body[1024];
	uint64_t map[64];
	unsigned nblocks;
};

struct fake_ext2 {
	struct e2_super sb;
	uint8_t *blocks[FAKE_BLOCKS];	/* malloc'ed, so that ASan sees their ends */
	bool used[FAKE_BLOCKS];
	struct fake_inode inodes[FAKE_INODES];
	uint64_t epoch;
	unsigned refs;			/* buffers and nodes held */
	unsigned corruptions, blocks_left;
	unsigned phases;		/* bit mask: phases of body, block and file_acl writes (127 as bit 31) */
};

extern struct fake_ext2 fake;

void fake_start(uint32_t block_size, uint32_t inode_size);
void fake_stop(void);
struct fuseblk_node *fake_inode_new(uint32_t ino, uint16_t mode);
unsigned fake_blocks_used(void);

#endif
