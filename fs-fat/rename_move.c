// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename_move.c: an entry moves.  The new one is made, the old one taken; what
 * of this can fail does so before it changed anything, and what came before
 * is taken back, which then cannot.  After that nothing fails.
 */
#include <errno.h>
#include <string.h>
#include "rename.h"

/* ---- the new entry ------------------------------------------------------------------ */

static void fill_entry(const struct fat_rename *r, struct fat_dirent *de)
{
	*de = r->from.de;
	memcpy(de->name, r->to.de.name, sizeof(de->name));
	de->lcase = r->to.de.lcase;
	fat_entry_put_start(&r->fat->geo, de, r->start);
}

/*
 * A name that comes in SWITCH to where the directory ended: until then the
 * end mark would hide what others add behind it in ADD.
 */
static void move_end(struct fat_rename *r)
{
	static const uint8_t deleted = FAT_NAME_DELETED;
	uint32_t per_block = fat_block_slots(r->fat), first = r->to.slot / per_block * per_block;
	bool ends = false;

	if (r->phase != FAT_PHASE_SWITCH || r->target)
		return;
	if (first < r->slot)
		first = r->slot;
	for (uint32_t slot = first; slot <= r->to.slot; slot++) {
		uint8_t early;

		fuseblk_buf_read_early(r->old, slot % per_block * FAT_SLOT_SIZE, &early, 1);
		ends |= early == FAT_NAME_END;
	}
	pthread_rwlock_wrlock(&r->fat->entry_lock);
	for (uint32_t slot = first; ends && slot <= r->to.slot; slot++) {
		size_t off = slot % per_block * FAT_SLOT_SIZE;
		uint8_t byte = r->old->data[off];

		fuseblk_buf_write(r->old, FAT_PHASE_ADD, off, &deleted, 1);
		fuseblk_buf_write(r->old, FAT_PHASE_SWITCH, off, &byte, 1);
	}
	pthread_rwlock_unlock(&r->fat->entry_lock);
}

static int put_new(struct fat_rename *r, const struct fat_dirent *de)
{
	int err;

	if (r->target)
		return fat_dir_replace(r->vol, r->newdir, &r->to, de, r->phase);
	err = fat_dir_put(r->vol, r->newdir, r->slot, &r->name, de, r->phase, &r->to.pos);
	if (err)
		return err;
	r->to.de = *de;
	move_end(r);
	return 0;
}

static void undo_new(struct fat_rename *r, const struct fat_dirent *de)
{
	struct fat_found now = r->to;

	now.de = *de;
	if (r->target)
		fat_dir_replace(r->vol, r->newdir, &now, &r->to.de, r->phase);
	else
		fat_dir_take(r->vol, r->newdir, &now);
}

/* ".." of a directory that changes its parent. */
static int point_up(struct fat_rename *r, struct fuseblk_node *parent)
{
	bool is_fresh = r->n->fresh_epoch == r->epoch;

	if (!r->n->is_dir || r->dir == r->newdir)
		return 0;
	return fat_dir_set_parent(r->vol, r->node, parent, is_fresh ? FAT_PHASE_FRESH : r->phase);
}

static int change_entries(struct fat_rename *r, const struct fat_dirent *de)
{
	int err = put_new(r, de);

	if (err)
		return err;
	err = point_up(r, r->newdir);
	if (err)
		goto undo;
	err = fat_dir_take_in(r->vol, r->dir, &r->from, r->gone);
	if (!err)
		return 0;
	point_up(r, r->dir);
undo:
	undo_new(r, de);
	return err;
}

/* ---- what cannot fail ------------------------------------------------------------------- */

/* The device knows nothing of a chain made in this epoch: until the old entry goes it stays as the device has it. */
static void withhold(struct fat_rename *r)
{
	size_t off = r->from.pos % fat_block_slots(r->fat) * FAT_SLOT_SIZE;
	static const struct fat_dirent zero;

	if (r->n->floor_epoch == r->epoch && r->n->floor_phase > FAT_PHASE_ADD)
		return;
	pthread_rwlock_wrlock(&r->fat->entry_lock);
	if (r->fat->geo.bits == 32)
		fuseblk_buf_write(r->old, FAT_PHASE_ADD, off + offsetof(struct fat_dirent, start_high),
				  &zero.start_high, sizeof(zero.start_high));
	fuseblk_buf_write(r->old, FAT_PHASE_ADD, off + offsetof(struct fat_dirent, start), &zero.start,
			  sizeof(zero.start) + sizeof(zero.size));
	pthread_rwlock_unlock(&r->fat->entry_lock);
}

void fat_rename_settle(struct fat_rename *r, struct fat_node *n, const struct fat_dirent *de, uint64_t pos,
		       uint32_t start, enum fat_phase floor)
{
	n->pos = pos;
	fat_node_named(n, de);
	n->floor_epoch = r->epoch;
	n->floor_phase = (uint8_t)floor;
	if (start == n->chain.start)
		return;
	fat_chain_fini(&n->chain);
	fat_chain_init(&n->chain, start);
	n->fresh_epoch = r->epoch;
}

static void change_chains(struct fat_rename *r, uint32_t old_start)
{
	if (r->way == FAT_WAY_COPY)
		fat_alloc_free_later(r->fat, old_start, UINT32_MAX);
	if (r->way != FAT_WAY_SPLIT)
		return;
	fat_split_apply(r->fat, &r->split);
	fat_alloc_free_later(r->fat, old_start, r->split.count);
	r->n->fresh_epoch = 0;
	r->n->split_epoch = r->epoch;
}

int fat_rename_move(struct fat_rename *r)
{
	uint32_t old_start = r->n->chain.start;
	struct fat_dirent de;
	int err;

	fill_entry(r, &de);
	err = change_entries(r, &de);
	if (err)
		return err;
	if (r->way == FAT_WAY_FRESH)
		withhold(r);
	if (r->target)
		fat_node_unlinked(r->fat, r->target);
	fat_rename_settle(r, r->n, &de, r->to.pos, r->start, r->phase);
	change_chains(r, old_start);
	fat_ino_move(r->fat, fuseblk_ino(r->node), r->to.pos);
	fuseblk_buf_put(r->old);
	return 0;
}
