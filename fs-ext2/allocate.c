// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * allocate.c: space given before data comes: fallocate(2)'s unwritten
 * extents, and the blocks of files that the driver itself fills (long
 * symlinks, ea_inodes).
 */
#include <errno.h>
#include "map.h"

/* Fill the holes of [lblk, end); the size follows, up to @size. */
static int fill(struct e2_tx *tx, uint64_t lblk, uint64_t end, uint64_t size)
{
	struct e2_inode *ei = tx->ei;
	struct e2_run run;
	uint64_t reached;
	bool hole;
	int r;

	while (lblk < end) {
		r = e2_map_find(ei, lblk, &run);
		hole = !r && !run.pblk;
		if (hole)
			r = e2_map_fill(tx, lblk, (run.lblk + run.len < end ? run.lblk + run.len : end) - lblk,
					true, &run);
		if (r)
			return r;
		lblk = run.lblk + run.len;
		reached = lblk << ei->sb->block_bits;
		if (reached > size)
			reached = size;
		if (reached > ei->size)
			ei->size = reached;
		if (hole && lblk < end)
			r = e2_tx_pause(tx);
		else if (lblk < end && fuseblk_interrupted())
			r = -EINTR;
		if (r)
			return r;
	}
	return 0;
}

int e2_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
		uint64_t size, const struct fuseblk_caller *who)
{
	struct e2_inode *ei = e2_i(node);
	unsigned bits = ei->sb->block_bits;
	bool reserve = who && who->may_use_reserved;
	struct e2_tx tx;
	int r = 0, stored;

	(void)vol;
	ei->fresh_count = 0;
	if (ei->flags & E2_FL_INLINE_DATA)
		r = e2_inline_convert(ei, reserve);
	if (r)
		return r;
	if (!e2_is_extents(ei))
		return -EOPNOTSUPP;
	if (off + len > e2_max_file_size(ei->sb, true))
		return -EFBIG;
	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		return r;
	tx.reserve = reserve;
	r = fill(&tx, off >> bits, (off + len + ei->sb->block_size - 1) >> bits, size);
	if (!r && size > ei->size)
		ei->size = size;
	stored = e2_tx_end(&tx);
	return r ? r : stored;
}

/* Take back blocks [0, end), given in this change. */
static void give_back(struct e2_tx *tx, uint64_t end)
{
	tx->undo = true;
	while (end && !e2_map_remove_step(tx, 0, &end))
		;
}

int e2_map_grow(struct e2_inode *ei, uint32_t nblocks, uint64_t size, bool reserve)
{
	uint64_t lblk = 0;
	struct e2_run run;
	struct e2_tx tx;
	int r, stored;

	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		return r;
	tx.reserve = reserve;
	while (!r && lblk < nblocks) {
		r = e2_map_fill(&tx, lblk, nblocks - lblk, false, &run);
		if (!r)
			lblk += run.len;
	}
	if (r)
		give_back(&tx, lblk);
	else
		ei->size = size;
	stored = e2_tx_end(&tx);
	return r ? r : stored;
}
