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
	struct fuseblk_buf *temp;		/* block of the temporary entry; NULL: there is none */
	size_t temp_off;
	struct fat_dirent temp_de;
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

/* A slot where an entry can come and go without moving the end mark. */
static bool is_usable(const struct fat_rename *r, const struct fuseblk_buf *buf, size_t off)
{
	if (buf->data[off] == FAT_NAME_DELETED)
		return true;
	return off + FAT_SLOT_SIZE < r->fat->geo.sector_size && buf->data[off + FAT_SLOT_SIZE] == FAT_NAME_END;
}

/* As good as it can be: without room there is no temporary entry. */
static void prepare_temp(struct swap *s)
{
	struct fat_rename *r = s->r;
	uint32_t slot;
	int err;

	s->temp_de = r->to.de;
	s->temp_de.lcase = 0;
	err = temp_name(r, &s->temp_de);
	if (!err)
		err = fat_dir_place(r->vol, r->newdir, 1, UINT32_MAX, &slot);
	if (!err)
		err = fat_dir_block(r->vol, r->newdir, slot, &s->temp, &s->temp_off);
	if (err || !is_usable(r, s->temp, s->temp_off)) {
		fuseblk_buf_put(s->temp);
		s->temp = NULL;
		return;
	}
	s->temp_copied = copy(r, r->target, &s->temp_copy);
	fat_entry_put_start(&r->fat->geo, &s->temp_de, s->temp_copy);
}

static void write_temp(struct swap *s, const void *bytes, size_t len, enum fat_phase phase)
{
	pthread_rwlock_wrlock(&s->r->fat->entry_lock);
	fuseblk_buf_write(s->temp, phase, s->temp_off, bytes, len);
	pthread_rwlock_unlock(&s->r->fat->entry_lock);
}

static void use_temp(struct swap *s)
{
	static const uint8_t deleted = FAT_NAME_DELETED;

	if (!s->temp)
		return;
	write_temp(s, &s->temp_de, sizeof(s->temp_de), FAT_PHASE_ADD);
	write_temp(s, &deleted, 1, FAT_PHASE_CUT);
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

	use_temp(s);
	fat_rename_settle(r, r->n, to, r->to.pos, s->copy, s->first);
	fat_rename_settle(r, r->t, from, r->from.pos, target_start, s->second);
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
		drop_copy(r, s->temp_copied, s->temp_copy);
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
	fuseblk_buf_put(s.temp);
	return err;
}
