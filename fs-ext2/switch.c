// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * switch.c: several blocks of a directory change places at one instant.
 *
 * Every map block on the way to them is copied (those made by this very call
 * are changed in place), so that nothing on the device leads to the new
 * state until the inode is stored.  Until then all of it can be taken back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "map.h"

struct before {
	uint8_t i_block[60];
	uint64_t blocks, alloc_goal;
	uint32_t flags;
};

static struct before remember(const struct e2_inode *ei)
{
	struct before b = { .blocks = ei->blocks, .alloc_goal = ei->alloc_goal, .flags = ei->flags };

	memcpy(b.i_block, ei->i_block, sizeof(b.i_block));
	return b;
}

static void restore(struct e2_inode *ei, const struct before *b)
{
	memcpy(ei->i_block, b->i_block, sizeof(b->i_block));
	ei->blocks = b->blocks;
	ei->alloc_goal = b->alloc_goal;
	ei->flags = b->flags;
	e2_map_uncache(ei);
}

static void free_list(struct e2_super *sb, const uint64_t *block, unsigned count)
{
	for (unsigned i = 0; i < count; i++) {
		if (!block[i])
			continue;
		e2_blocks_free(sb, block[i], 1);
		fuseblk_buf_forget(sb->vol, block[i]);
	}
}

static int set_one(struct e2_tx *tx, const struct e2_remap *map, uint64_t *old)
{
	struct e2_inode *ei = tx->ei;
	int r;

	if (map->lblk >= e2_map_limit(ei) || (!e2_is_extents(ei) && map->pblk > UINT32_MAX))
		return -EFBIG;
	tx->goal = map->pblk + 1;
	r = e2_is_extents(ei) ? e2_ext_set(tx, map->lblk, map->pblk, old)
			      : e2_ind_set(tx, map->lblk, map->pblk, old);
	if (!r && !*old)
		ei->blocks += e2_sectors(ei->sb);
	return r;
}

int e2_map_switch(struct e2_inode *ei, const struct e2_remap *map, unsigned count, uint64_t size)
{
	struct before before = remember(ei);
	struct e2_tx tx;
	uint64_t *old = calloc(count + 1, sizeof(*old));
	int r = old ? e2_tx_begin(&tx, ei, E2_ADD) : -ENOMEM;

	if (r)
		goto out;
	tx.copy = true;
	if (ei->flags & E2_FL_INLINE_DATA)
		e2_map_init(ei);
	for (unsigned i = 0; i < count && !r; i++)
		r = set_one(&tx, &map[i], &old[i]);
	if (r) {
		free_list(ei->sb, tx.own.block, tx.own.count);
		restore(ei, &before);
		fuseblk_buf_put(tx.pin);
	} else {
		if (size > ei->size)
			ei->size = size;
		if (count)
			ei->alloc_goal = map[count - 1].pblk + 1;
		free_list(ei->sb, tx.gone.block, tx.gone.count);
		free_list(ei->sb, old, count);
		r = e2_tx_end(&tx);
	}
	free(tx.own.block);
	free(tx.gone.block);
out:
	free(old);
	return r;
}
