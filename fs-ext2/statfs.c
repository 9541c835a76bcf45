// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * statfs.c: how much there is and how much is left, and for whom.  Blocks
 * freed but not yet durable count as free: they are when someone waits.
 */
#include "super.h"

static uint64_t positive(int64_t n)
{
	return n > 0 ? (uint64_t)n : 0;
}

static uint64_t blocks_left(struct e2_super *sb)
{
	return positive(atomic_load(&sb->free_blocks) + atomic_load(&sb->pending_blocks));
}

static uint64_t without_reserve(const struct e2_super *sb, uint64_t blocks)
{
	return blocks > sb->reserved_blocks ? blocks - sb->reserved_blocks : 0;
}

int e2_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out)
{
	struct e2_super *sb = e2_sb(vol);
	uint64_t left = blocks_left(sb), inodes;

	inodes = positive(atomic_load(&sb->free_inodes) + atomic_load(&sb->pending_inodes));
	*out = (struct fuseblk_statfs){
		.blocks = sb->blocks_count - (sb->options.minixdf ? 0 : sb->overhead),
		.bfree = left,
		.bavail = without_reserve(sb, left),
		.files = sb->inodes_count,
		.ffree = inodes,
		.bsize = sb->block_size,
		.frsize = sb->block_size,
		.namelen = 255,
	};
	return 0;
}

bool e2_may_use_reserved(struct fuseblk_volume *vol, uint32_t uid, uint32_t gid)
{
	const struct e2_options *o = &e2_sb(vol)->options;

	return uid == 0 || uid == o->resuid || (o->resgid && gid == o->resgid);
}

uint64_t e2_available(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	return without_reserve(sb, blocks_left(sb)) << sb->block_bits;
}
