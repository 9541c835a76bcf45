// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * truncate.c: taking blocks away: truncation, holes, and all of a dead inode.
 *
 * All go from the end in steps of one leaf of the map.  After each step the
 * map, i_blocks and the inode agree and a commit may come.  A truncation
 * lowers the size in its last step: cut short by a crash, it leaves the old
 * size with zeros at the end, never blocks past the size (which e2fsck -p
 * would take for a size too low).
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "map.h"

/* Remove blocks [first, end). @stop: end early when the request is interrupted. */
static int remove_blocks(struct e2_tx *tx, uint64_t first, uint64_t end, bool stop)
{
	uint64_t freed;
	int r = 0;

	while (!r && first < end) {
		freed = tx->freed;
		r = e2_map_remove_step(tx, first, &end);
		if (!r && tx->freed != freed && first < end) {
			r = e2_tx_pause(tx);
			if (r == -EINTR && !stop)
				r = 0;
		}
	}
	return r;
}

/* As e2_tx_end, but nothing is stored where nothing was removed. */
static int end_removal(struct e2_tx *tx, int r)
{
	int stored = 0;

	if (tx->freed)
		stored = e2_tx_end(tx);
	else
		fuseblk_buf_put(tx->pin);
	return r ? r : stored;
}

static int set_size(struct e2_inode *ei, uint64_t size, uint64_t first_gone)
{
	bool shrink = size < ei->size;
	struct e2_tx tx;
	int r, stored;

	r = e2_tx_begin(&tx, ei, shrink ? E2_REMOVE : E2_ADD);
	if (r)
		return r;
	if (shrink && e2_has_map(ei))
		r = remove_blocks(&tx, first_gone, e2_map_limit(ei), false);
	if (!r)
		ei->size = size;
	if (!r && !size)
		ei->alloc_goal = 0;
	stored = e2_tx_end(&tx);
	return r ? r : stored;
}

int e2_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct e2_inode *ei = e2_i(node);
	struct e2_super *sb = ei->sb;
	int r;

	(void)vol;
	ei->fresh_count = 0;
	if (size > ei->size && size > e2_max_file_size(sb, e2_is_extents(ei) ||
						       (ei->flags & E2_FL_INLINE_DATA)))
		return -EFBIG;
	if (ei->flags & E2_FL_INLINE_DATA) {
		r = e2_inline_truncate(ei, size);
		if (r)
			return r < 0 ? r : 0;
	}
	return set_size(ei, size, (size + sb->block_size - 1) >> sb->block_bits);
}

int e2_punch(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len)
{
	struct e2_inode *ei = e2_i(node);
	unsigned bits = ei->sb->block_bits;
	uint64_t end = (off + len) >> bits;
	struct e2_tx tx;
	int r = 0;

	(void)vol;
	ei->fresh_count = 0;
	if (ei->flags & E2_FL_INLINE_DATA)
		r = e2_inline_convert(ei, false);
	if (r || !e2_has_map(ei))
		return r;
	if (end > e2_map_limit(ei))
		end = e2_map_limit(ei);
	r = e2_tx_begin(&tx, ei, E2_REMOVE);
	if (r)
		return r;
	return end_removal(&tx, remove_blocks(&tx, off >> bits, end, true));
}

int e2_map_free_all(struct e2_inode *ei)
{
	struct e2_tx tx;
	int r, stored;

	if (!e2_has_map(ei))
		return 0;
	r = e2_tx_begin(&tx, ei, E2_REMOVE);
	if (r)
		return r;
	r = remove_blocks(&tx, 0, e2_map_limit(ei), false);
	if (!r)
		ei->size = 0;
	stored = e2_tx_end(&tx);
	return r ? r : stored;
}
