// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map_tx.c: one change of an inode's map: the inode pinned, map blocks made
 * and given up, i_blocks kept, the phase of each edit chosen.
 *
 * A map block may be changed in phase FRESH only while nothing on the device
 * will lead to it before the edit is complete: it was made in this epoch,
 * and the edit is no removal unless what points to the block is itself
 * written in REMOVE (E2_MARK_MAP_AFTER).  So the images of a file's map in
 * ADD never lack what only REMOVE may take away.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "map.h"

int e2_tx_begin(struct e2_tx *tx, struct e2_inode *ei, unsigned phase)
{
	*tx = (struct e2_tx){ .ei = ei, .phase = phase };
	return e2_inode_pin(ei, &tx->pin);
}

int e2_tx_end(struct e2_tx *tx)
{
	int r = e2_store_map(tx->ei, tx->phase);

	e2_map_uncache(tx->ei);
	fuseblk_buf_put(tx->pin);
	tx->pin = NULL;
	return r;
}

int e2_tx_pause(struct e2_tx *tx)
{
	int r = e2_store_map(tx->ei, tx->phase);

	e2_map_uncache(tx->ei);
	return r ? r : fuseblk_change_pause(tx->ei->sb->vol);
}

bool e2_list_has(const struct e2_block_list *list, uint64_t block)
{
	for (unsigned i = 0; i < list->count; i++)
		if (list->block[i] == block)
			return true;
	return false;
}

int e2_list_room(struct e2_block_list *list, unsigned more)
{
	unsigned room = list->count + more;
	uint64_t *grown;

	if (room <= list->room)
		return 0;
	grown = realloc(list->block, room * sizeof(*grown));
	if (!grown)
		return -ENOMEM;
	list->block = grown;
	list->room = room;
	return 0;
}

/* The phase of @tx's edits of durable map blocks. */
static unsigned tx_phase(const struct e2_tx *tx)
{
	return e2_map_phase(tx->ei, tx->phase);
}

unsigned e2_node_phase(const struct e2_tx *tx, struct fuseblk_buf *buf)
{
	unsigned phase = tx_phase(tx);

	if (tx->copy)
		return e2_list_has(&tx->own, buf->block) ? E2_FRESH : E2_ADD;
	if (phase == E2_FRESH || !fuseblk_buf_is_fresh(buf))
		return phase;
	if (phase == E2_REMOVE && !(atomic_load(&buf->marks) & E2_MARK_MAP_AFTER))
		return phase;
	return E2_FRESH;
}

static bool fits_pointer(const struct e2_inode *ei, uint64_t block)
{
	return e2_is_extents(ei) || block <= UINT32_MAX;
}

/* May @blocks more be counted in i_blocks? */
static bool has_count_room(const struct e2_inode *ei, uint64_t blocks)
{
	uint64_t most = e2_has_ro(ei->sb, E2_RO_HUGE_FILE) ? (1ull << 48) - 1 : UINT32_MAX;

	return ei->blocks + blocks * e2_sectors(ei->sb) <= most;
}

int e2_node_new(struct e2_tx *tx, struct fuseblk_buf **out)
{
	struct e2_inode *ei = tx->ei;
	struct fuseblk_buf *buf;
	uint32_t count = 1;
	uint64_t block;
	int r;

	if (!has_count_room(ei, 1))
		return -EFBIG;
	if (tx->copy) {
		r = e2_list_room(&tx->own, 1);
		if (r)
			return r;
	}
	r = e2_blocks_alloc(ei->sb, tx->goal, &count, tx->reserve, &block);
	if (r)
		return r;
	r = fits_pointer(ei, block) ? fuseblk_buf_new(ei->sb->vol, block, &buf) : -ENOSPC;
	if (r) {
		e2_blocks_unalloc(ei->sb, block, 1);
		return r;
	}
	atomic_store(&buf->marks, E2_MARK_MAP_CHECKED |
		     (tx_phase(tx) == E2_REMOVE ? E2_MARK_MAP_AFTER : 0));
	if (e2_is_extents(ei) && ei->sb->metadata_csum)
		fuseblk_buf_set_fixup(buf, e2_extent_fixup, e2_tag(ei));
	ei->blocks += e2_sectors(ei->sb);
	tx->goal = block + 1;
	if (tx->copy)
		tx->own.block[tx->own.count++] = block;
	*out = buf;
	return 0;
}

static void uncount(struct e2_inode *ei, uint64_t blocks)
{
	uint64_t sectors = blocks * e2_sectors(ei->sb);

	ei->blocks -= sectors < ei->blocks ? sectors : ei->blocks;
}

void e2_node_undo(struct e2_tx *tx, struct fuseblk_buf *buf)
{
	struct e2_inode *ei = tx->ei;
	uint64_t block = buf->block;

	fuseblk_buf_put(buf);
	if (tx->copy)
		return;		/* e2_map_switch gives back all of tx->own */
	uncount(ei, 1);
	/* not unalloc: the block is dirty in the cache and must not become file data in this epoch */
	e2_blocks_free(ei->sb, block, 1);
	fuseblk_buf_forget(ei->sb->vol, block);
}

void e2_node_gone(struct e2_tx *tx, struct fuseblk_buf *buf)
{
	struct e2_inode *ei = tx->ei;
	bool unseen = e2_node_phase(tx, buf) == E2_FRESH;

	uncount(ei, 1);
	tx->freed++;
	if (tx->copy) {
		tx->gone.block[tx->gone.count++] = buf->block;
		return;
	}
	e2_blocks_free(ei->sb, buf->block, 1);
	if (unseen)	/* else images of earlier phases lead to it: it must be written */
		fuseblk_buf_forget(ei->sb->vol, buf->block);
}

int e2_data_gone(struct e2_tx *tx, uint64_t pblk, uint64_t len)
{
	struct e2_inode *ei = tx->ei;

	uncount(ei, len);
	if (tx->undo) {
		e2_blocks_unalloc(ei->sb, pblk, len);
		return 0;
	}
	e2_blocks_free(ei->sb, pblk, len);
	for (uint64_t i = 0; i < len && !S_ISREG(ei->mode) && tx_phase(tx) == E2_FRESH; i++)
		fuseblk_buf_forget(ei->sb->vol, pblk + i);
	tx->freed += len;
	if (tx->freed > ei->sb->blocks_count)
		return e2_corrupt(ei->sb, ei->ino, "more blocks than the volume has are mapped");
	return 0;
}
