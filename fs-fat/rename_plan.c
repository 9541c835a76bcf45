// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename_plan.c: in which way and in which phases an entry moves.
 *
 *   old entry                        new entry   old one gone   chain
 *   made in this epoch               ADD         never seen     the same
 *   same sector                      SWITCH      SWITCH         the same
 *   no chain                         ADD         REMOVE         none
 *   chain made in this epoch         ADD         REMOVE         the same: the old one never gets it
 *   a file of up to 1 MiB            ADD         REMOVE         a copy
 *   a longer one to a new name       ADD         REMOVE         split
 *   directories, and what is left    ADD         REMOVE         the same: two names for a while
 *
 * Over something, ADD becomes SWITCH, unless what is there was made in this
 * epoch.  What changed in this epoch in a way that these phases do not fit is
 * committed first.
 */
#include <errno.h>
#include "rename.h"

bool fat_rename_near(const struct fat_rename *r, uint32_t slot, uint32_t other)
{
	uint32_t per_block = fat_block_slots(r->fat);

	return r->dir == r->newdir && slot / per_block == other / per_block;
}

static enum fat_phase floor_of(const struct fat_rename *r, const struct fat_node *n)
{
	return n->floor_epoch == r->epoch ? (enum fat_phase)n->floor_phase : FAT_PHASE_FRESH;
}

static bool is_fresh(const struct fat_rename *r)
{
	return r->n->fresh_epoch == r->epoch;
}

/* Does what this epoch did to the chain or the entry fit under a move? @is_new: the entry is of this epoch; @near: it stays in its sector. */
static bool fits(const struct fat_rename *r, bool is_new, bool near)
{
	if (r->n->lost_epoch == r->epoch && !is_fresh(r))
		return false;
	if (r->n->split_epoch == r->epoch && (!is_new || r->target))
		return false;
	if (r->target && r->t->split_epoch == r->epoch)
		return false;
	if (r->n->swap_epoch == r->epoch || (r->target && r->t->swap_epoch == r->epoch))
		return false;		/* another file needs that entry for longer */
	return near || floor_of(r, r->n) != FAT_PHASE_SWITCH;
}

/* The phase in which the target's entry can lead elsewhere. */
static int phase_over(const struct fat_rename *r, enum fat_phase *phase)
{
	bool is_new;
	int err = fat_entry_is_new(r->fat, r->to.pos, &is_new);

	if (err)
		return err;
	*phase = is_new && floor_of(r, r->t) < FAT_PHASE_SWITCH ? FAT_PHASE_ADD : FAT_PHASE_SWITCH;
	return 0;
}

static enum fat_way way_of(const struct fat_rename *r)
{
	if (!r->n->chain.start)
		return FAT_WAY_SHARE;
	if (is_fresh(r))
		return FAT_WAY_FRESH;
	if (r->n->is_dir)
		return FAT_WAY_SHARE;
	if (fat_clusters_worth_copying(r->fat, r->n) != UINT32_MAX)
		return FAT_WAY_COPY;
	return r->target ? FAT_WAY_SHARE : FAT_WAY_SPLIT;
}

static int choose(struct fat_rename *r)
{
	bool near = fat_rename_near(r, r->from.slot, r->to.slot), is_new;
	enum fat_phase over = FAT_PHASE_ADD;
	int err = fat_entry_is_new(r->fat, r->from.pos, &is_new);

	if (!err && r->target)
		err = phase_over(r, &over);
	if (err)
		return err;
	if (!fits(r, is_new, near))
		return -FUSEBLK_EAGAIN_COMMIT;
	r->phase = FAT_PHASE_ADD;
	r->gone = FAT_PHASE_REMOVE;
	r->way = FAT_WAY_SHARE;
	if (near && (!is_new || floor_of(r, r->n) == FAT_PHASE_SWITCH))
		r->phase = r->gone = FAT_PHASE_SWITCH;
	else if (!near && !is_new)
		r->way = way_of(r);
	if (r->phase < over)
		r->phase = over;
	return 0;
}

/*
 * Whatever is in the way of a copy (a full volume, clusters that cannot be
 * read, a chain too short), the name can still move with its chain.
 */
static int allocate(struct fat_rename *r)
{
	int err = 0;

	r->start = r->n->chain.start;
	if (r->way == FAT_WAY_COPY)
		err = fat_clusters_copy(r->vol, r->node, fat_clusters_worth_copying(r->fat, r->n), &r->start);
	else if (r->way == FAT_WAY_SPLIT)
		err = fat_clusters_split(r->vol, r->node, &r->split);
	if (err == -FUSEBLK_EAGAIN_COMMIT)
		return err;
	if (err) {
		r->way = FAT_WAY_SHARE;
		r->start = r->n->chain.start;
	} else if (r->way == FAT_WAY_SPLIT) {
		r->start = r->split.start;
	}
	return 0;
}

int fat_rename_plan(struct fat_rename *r)
{
	int err = choose(r);

	if (!err)
		err = fuseblk_buf_get(r->vol, r->from.pos / fat_block_slots(r->fat), &r->old);
	if (err)
		return err;
	err = allocate(r);
	if (err) {
		fuseblk_buf_put(r->old);
		r->old = NULL;
	}
	return err;
}

void fat_rename_unplan(struct fat_rename *r)
{
	if (r->way == FAT_WAY_COPY && r->start)
		fat_alloc_free_later(r->fat, r->start, UINT32_MAX);
	if (r->way == FAT_WAY_SPLIT)
		fat_split_drop(r->fat, &r->split);
	fuseblk_buf_put(r->old);
	r->old = NULL;
}
