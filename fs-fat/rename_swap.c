// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename_swap.c: two entries change places: each keeps its name and comes to
 * lead to what the other led to.
 *
 * In one sector that is one write.  Else, while power may be cut, the second
 * chain has a temporary entry, so that it is never without a name:
 *
 *   phase    new name       old name       temporary entry
 *            second         first          -
 *   ADD      second         first          second (or its copy)
 *   SWITCH   first (copy)   first          second
 *   REMOVE   first          second         second
 *   CUT      first          second         -
 *
 * Files of up to 1 MiB are copied, so that no two entries have one chain;
 * others share it for as long.  In memory there is no temporary entry.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "rename.h"

struct swap {
	struct fat_rename *r;
	enum fat_phase first, second;		/* phases of the entries at r->to and at r->from */
	uint32_t copy;				/* what the new name leads to, if not the chain itself */
	uint32_t temp_copy;
	bool copied, temp_copied;
	bool has_temp;
	struct fat_found temp;
	struct fuseblk_buf *temp_buf;
	size_t temp_off;
	struct fat_index *idx;			/* of the directory of the temporary entry */
};

/* ---- what can fail, and is not seen ------------------------------------------------------------ */

static bool is_quiet(const struct fat_rename *r, const struct fat_node *n)
{
	return n->floor_epoch != r->epoch && n->lost_epoch != r->epoch && n->fresh_epoch != r->epoch &&
	       n->split_epoch != r->epoch;
}

/* Changes of this epoch that came before are not thought through with these: they become durable first. */
static int check_quiet(const struct fat_rename *r)
{
	bool new_from, new_to;
	int err = fat_entry_is_new(r->fat, r->from.pos, &new_from);

	if (!err)
		err = fat_entry_is_new(r->fat, r->to.pos, &new_to);
	if (err)
		return err;
	return new_from || new_to || !is_quiet(r, r->n) || !is_quiet(r, r->t) ? -FUSEBLK_EAGAIN_COMMIT : 0;
}

/* A copy of a file that is worth it; if that fails the chain is shared. */
static bool copy(const struct fat_rename *r, struct fuseblk_node *node, uint32_t *start)
{
	const struct fat_node *n = fat_node(node);
	uint32_t count = fat_clusters_worth_copying(r->fat, n);

	*start = n->chain.start;
	if (n->is_dir || !*start || count == UINT32_MAX)
		return false;
	if (!fat_clusters_copy(r->vol, node, count, start))
		return true;
	*start = n->chain.start;
	return false;
}

static void drop_copy(struct fat_rename *r, bool copied, uint32_t start)
{
	if (copied && start)
		fat_alloc_free_later(r->fat, start, UINT32_MAX);
}

static int temp_name(struct fat_rename *r, struct fat_dirent *de)
{
	char text[16];
	int taken = 1;

	for (unsigned i = 0; taken == 1 && i < 16; i++) {
		snprintf(text, sizeof(text), "FUSE%04XTMP", (unsigned)(r->from.pos + i) & 0xffff);
		memcpy(de->name, text, sizeof(de->name));
		taken = fat_dir_has_short(r->vol, r->newdir, de->name);
	}
	return taken > 0 ? -EEXIST : taken;
}

/* What can fail of the entry's going, before it comes. */
static int pin_temp(struct swap *s, uint32_t slot)
{
	struct fat_rename *r = s->r;
	int err = fat_removed_reserve(&fat_node(r->newdir)->removed, r->epoch);

	if (!err)
		err = fat_index_get(r->vol, r->newdir, &s->idx);
	if (!err)
		err = s->idx->error;
	if (!err)
		err = fat_dir_block(r->vol, r->newdir, slot, &s->temp_buf, &s->temp_off);
	return err;
}

static int put_temp(struct swap *s)
{
	struct fat_rename *r = s->r;
	struct fat_name name = { .is_short = true };
	struct fat_found *temp = &s->temp;
	int err = temp_name(r, &temp->de);

	if (!err)
		err = fat_dir_place(r->vol, r->newdir, 1, UINT32_MAX, &temp->slot);
	if (!err)
		err = pin_temp(s, temp->slot);
	if (err)
		return err;
	s->temp_copied = copy(r, r->target, &s->temp_copy);
	fat_entry_put_start(&r->fat->geo, &temp->de, s->temp_copy);
	temp->len = fat_short_units(r->fat->names, temp->de.name, 0, temp->units);
	return fat_dir_put(r->vol, r->newdir, temp->slot, &name, &temp->de, FAT_PHASE_ADD, &temp->pos);
}

/* As good as it can be: without room there is no temporary entry. */
static void prepare_temp(struct swap *s)
{
	struct fat_rename *r = s->r;

	s->temp = (struct fat_found){ .slots = 1, .de = r->to.de };
	s->temp.de.lcase = 0;
	s->has_temp = !put_temp(s);
	if (s->has_temp || !s->temp_copied)
		return;
	drop_copy(r, true, s->temp_copy);
	s->temp_copied = false;
}

/* It was added, and goes in CUT; its slot and its name stay taken until the epoch is over. */
static void end_temp(struct swap *s)
{
	static const uint8_t deleted = FAT_NAME_DELETED;
	struct fat_rename *r = s->r;
	struct fat_keys keys;

	if (!s->has_temp)
		return;
	pthread_rwlock_wrlock(&r->fat->entry_lock);
	fuseblk_buf_write(s->temp_buf, FAT_PHASE_CUT, s->temp_off, &deleted, 1);
	pthread_rwlock_unlock(&r->fat->entry_lock);
	fat_keys_of(r->fat, &s->temp, &keys);
	fat_removed_add(fat_node(r->newdir)->removed, &keys);
	fat_index_del_name(r->fat, s->idx, &s->temp, r->epoch);
	fat_parent_forget(r->fat, &s->temp.de, s->temp.pos);
}

/* It never appears. */
static void undo_temp(struct swap *s)
{
	if (s->has_temp)
		fat_dir_take(s->r->vol, s->r->newdir, &s->temp);
	drop_copy(s->r, s->temp_copied, s->temp_copy);
}

/* ---- entries --------------------------------------------------------------------------------------- */

/* The entry at @at with what is at @from but the name, leading to @start. */
static void mix(const struct fat_rename *r, const struct fat_found *at, const struct fat_found *from, uint32_t start,
		struct fat_dirent *de)
{
	*de = from->de;
	memcpy(de->name, at->de.name, sizeof(de->name));
	de->lcase = at->de.lcase;
	fat_entry_put_start(&r->fat->geo, de, start);
}

static int point_up(const struct fat_rename *r, struct fuseblk_node *child, struct fuseblk_node *parent, enum fat_phase phase)
{
	if (!fat_node(child)->is_dir || r->dir == r->newdir)
		return 0;
	return fat_dir_set_parent(r->vol, child, parent, phase);
}

/* Undone in the phases in which it was done: then the device never sees it. */
static void undo(struct swap *s, const struct fat_dirent *to)
{
	struct fat_rename *r = s->r;
	struct fat_found now = r->to;

	now.de = *to;
	fat_dir_replace(r->vol, r->newdir, &now, &r->to.de, s->first);
	point_up(r, r->node, r->dir, s->first);
	point_up(r, r->target, r->newdir, s->second);
}

static int change_entries(struct swap *s, const struct fat_dirent *to, const struct fat_dirent *from)
{
	struct fat_rename *r = s->r;
	int err = fat_dir_replace(r->vol, r->newdir, &r->to, to, s->first);

	if (err)
		return err;
	err = point_up(r, r->node, r->newdir, s->first);
	if (!err)
		err = point_up(r, r->target, r->dir, s->second);
	if (!err)
		err = fat_dir_replace(r->vol, r->dir, &r->from, from, s->second);
	if (err)
		undo(s, to);
	return err;
}

static void finish(struct swap *s, const struct fat_dirent *to, const struct fat_dirent *from)
{
	struct fat_rename *r = s->r;
	uint32_t old_start = r->n->chain.start, target_start = r->t->chain.start;

	end_temp(s);
	fat_rename_settle(r, r->n, to, r->to.pos, s->copy, s->first);
	fat_rename_settle(r, r->t, from, r->from.pos, target_start, s->second);
	if (s->second == FAT_PHASE_REMOVE)
		r->t->swap_epoch = r->epoch;
	fat_ino_swap(r->fat, fuseblk_ino(r->node), fuseblk_ino(r->target));
	drop_copy(r, s->copied, old_start);
	drop_copy(r, s->temp_copied, s->temp_copy);
}

static int swap(struct swap *s)
{
	struct fat_rename *r = s->r;
	struct fat_dirent to, from;
	int err;

	mix(r, &r->to, &r->from, s->copy, &to);
	mix(r, &r->from, &r->to, r->t->chain.start, &from);
	err = fat_touch(r->vol, r->dir);
	if (!err)
		err = fat_touch(r->vol, r->newdir);
	if (!err)
		err = change_entries(s, &to, &from);
	if (err) {
		drop_copy(r, s->copied, s->copy);
		undo_temp(s);
		return err;
	}
	finish(s, &to, &from);
	return 0;
}

int fat_rename_swap(struct fat_rename *r)
{
	struct swap s = { .r = r, .first = FAT_PHASE_SWITCH, .second = FAT_PHASE_SWITCH };
	int err = check_quiet(r);

	if (!err)
		err = fat_ino_reserve(r->fat, 2);
	if (err)
		return err;
	s.copy = r->n->chain.start;
	if (!fat_rename_near(r, r->from.slot, r->to.slot)) {
		s.second = FAT_PHASE_REMOVE;
		prepare_temp(&s);
		s.copied = copy(r, r->node, &s.copy);
	}
	err = swap(&s);
	fuseblk_buf_put(s.temp_buf);
	if (s.idx)
		fat_index_put(r->fat, s.idx);
	return err;
}
