// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename.c: what a rename asks for.
 *
 * In order: checks; places, clusters and copies, which may fail and of which
 * nothing is seen; then changes of entries that are made whole or taken back.
 */
#include <errno.h>
#include <string.h>
#include "rename.h"

#define KNOWN_FLAGS (FUSEBLK_RENAME_NOREPLACE | FUSEBLK_RENAME_EXCHANGE)

/* ---- places --------------------------------------------------------------------------- */

static void describe(struct fat_rename *r)
{
	struct fat_found *to = &r->to;

	*to = (struct fat_found){ .slots = fat_name_slots(&r->name), .de = r->from.de };
	memcpy(to->de.name, r->name.short_name, sizeof(to->de.name));
	to->de.lcase = r->name.is_short ? r->name.lcase : 0;
	if (r->name.is_short) {
		to->len = fat_short_units(r->fat->names, to->de.name, to->de.lcase, to->units);
		return;
	}
	to->len = r->name.len;
	memcpy(to->units, r->name.units, r->name.len * sizeof(to->units[0]));
}

int fat_rename_place(struct fat_rename *r, uint32_t near)
{
	int err = fat_dir_place(r->vol, r->newdir, fat_name_slots(&r->name), near, &r->slot);

	if (err)
		return err;
	describe(r);
	r->to.slot = r->slot + r->to.slots - 1;
	return 0;
}

/* ---- a new name -------------------------------------------------------------------------- */

static int to_new_name(struct fat_rename *r)
{
	int err;

	if (fat_dir_was_removed(r->vol, r->newdir, &r->name))
		return -FUSEBLK_EAGAIN_COMMIT;
	err = fat_dir_shorten(r->vol, r->newdir, &r->name);
	if (!err)
		err = fat_rename_place(r, r->dir == r->newdir ? r->from.slot : UINT32_MAX);
	return err ? err : fat_rename_go(r);
}

/* The new name may find the entry that is renamed: then its spelling changes. */
static int to_free_name(struct fat_rename *r, const char *newname, size_t newlen)
{
	struct fat_found found;
	int err = fat_parse_name(r->vol, newname, newlen, true, &r->name);

	if (!err)
		err = fat_dir_find(r->vol, r->newdir, &r->name, &found);
	else
		return err;
	if (err == -ENOENT)
		return to_new_name(r);
	if (err)
		return err;
	if (found.pos != r->from.pos)
		return -ESTALE;
	if (found.exact) {
		r->to = found;
		return 0;
	}
	return fat_rename_spell(r);
}

/* ---- over something ------------------------------------------------------------------------ */

static int over(struct fat_rename *r)
{
	int err = 0;

	if (r->n->is_dir != r->t->is_dir)
		return r->n->is_dir ? -ENOTDIR : -EISDIR;
	if (r->t->is_dir)
		err = fat_dir_is_empty(r->vol, r->target);
	return err ? err : fat_rename_go(r);
}

/* ---- the operation --------------------------------------------------------------------------- */

int fat_rename_go(struct fat_rename *r)
{
	int err = fat_ino_reserve(r->fat, 2);

	if (!err)
		err = fat_rename_plan(r);
	if (err)
		return err;
	err = fat_touch(r->vol, r->dir);
	if (!err)
		err = fat_touch(r->vol, r->newdir);
	if (!err)
		err = fat_rename_move(r);
	if (err)
		fat_rename_unplan(r);
	return err;
}

static int find_target(struct fat_rename *r, const char *newname, size_t newlen)
{
	int err = fat_dir_find_bytes(r->vol, r->newdir, newname, newlen, &r->to);

	if (!err && r->target && r->to.pos != r->t->pos)
		return -ESTALE;
	return err == -ENOENT && r->target ? -ESTALE : err;
}

static int exchange(struct fat_rename *r, const char *newname, size_t newlen)
{
	int err = find_target(r, newname, newlen);

	if (err || r->to.pos == r->from.pos)
		return err;
	return r->target ? fat_rename_swap(r) : -ENOENT;
}

static int replace(struct fat_rename *r, const char *newname, size_t newlen, uint32_t flags)
{
	int err;

	if (flags & FUSEBLK_RENAME_NOREPLACE)
		return -EEXIST;
	err = find_target(r, newname, newlen);
	return err ? err : over(r);
}

static int find_source(struct fat_rename *r, const char *name, size_t len)
{
	int err = fat_dir_find_bytes(r->vol, r->dir, name, len, &r->from);

	if (err)
		return err;
	return r->from.pos == r->n->pos ? 0 : -ESTALE;
}

/* The VFS compares types before it hands flags down; it may not have known of the target. */
static int refuse_flags(struct fuseblk_node *node, struct fuseblk_node *target)
{
	bool is_dir = fat_node(node)->is_dir;

	if (!target || is_dir == fat_node(target)->is_dir)
		return -EINVAL;
	return is_dir ? -ENOTDIR : -EISDIR;
}

int fat_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	       struct fuseblk_node *newdir, const char *newname, size_t newlen,
	       struct fuseblk_node *node, struct fuseblk_node *target, uint32_t flags, const struct fuseblk_caller *who)
{
	struct fat_rename r = {
		.vol = vol, .fat = fat_of(vol), .dir = dir, .newdir = newdir, .node = node, .n = fat_node(node),
		.target = target == node ? NULL : target, .epoch = fuseblk_epoch(vol),
	};
	int err;

	(void)who;
	if (flags & ~KNOWN_FLAGS || flags == KNOWN_FLAGS)
		return refuse_flags(node, target);
	if (!fat_node(dir)->is_dir || !fat_node(newdir)->is_dir)
		return -ENOTDIR;
	if (fat_node(newdir)->unlinked)
		return -ENOENT;
	r.t = r.target ? fat_node(r.target) : NULL;
	err = find_source(&r, name, len);
	if (err)
		return err;
	if (flags & FUSEBLK_RENAME_EXCHANGE)
		err = exchange(&r, newname, newlen);
	else if (r.target)
		err = replace(&r, newname, newlen, flags);
	else
		err = to_free_name(&r, newname, newlen);
	return err ? err : fat_dir_respelled(r.fat, &r.to, newname, newlen);
}
