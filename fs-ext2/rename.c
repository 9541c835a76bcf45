/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rename.c: a name moves, replaces another, or two change places.
 *
 * In order: checks; then everything that can fail (temporary names, room for
 * the new name, the whiteout's inode), which at worst leaves names in
 * the images of this epoch that memory never shows; then changes that cannot fail.
 *
 *   what            old name            new name               in between
 *   file            REMOVE              ADD                    both
 *   directory       SWITCH              SWITCH                 (see DESIGN.md)
 *   over a file     REMOVE              SWITCH                 the loser has a temporary name
 *   over a directory SWITCH             SWITCH                 the loser dies right before SWITCH
 *   exchange        SWITCH              SWITCH                 files have temporary names
 *   whiteout        SWITCH              as above               it and what moves have temporary names
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "dir.h"
#include "super.h"

#define KILL_BEFORE_SWITCH (E2_SWITCH - 1)
#define KNOWN_FLAGS (FUSEBLK_RENAME_NOREPLACE | FUSEBLK_RENAME_EXCHANGE | FUSEBLK_RENAME_WHITEOUT)

struct rename {
	struct e2_inode *dir, *newdir, *ei, *target;	/* target NULL: the new name is free */
	const char *name, *newname;
	size_t len, newlen;
	uint32_t flags;
	const struct fuseblk_caller *who;
	bool is_dir, target_is_dir, reserve;
	struct e2_pins pins;
	struct e2_slot from, to;	/* to: where there is a target */
	struct e2_place place;		/* where there is none */
	bool placed;
	struct e2_newcomer moved, whiteout;
	struct fuseblk_node *white;
	struct e2_hold *hold[4];
};

static bool is_exchange(const struct rename *r)
{
	return r->flags & FUSEBLK_RENAME_EXCHANGE;
}

static bool is_whiteout(const struct rename *r)
{
	return r->flags & FUSEBLK_RENAME_WHITEOUT;
}

static struct e2_hold *take_hold(struct rename *r)
{
	for (unsigned i = 0; i < 4; i++) {
		struct e2_hold *hold = r->hold[i];

		r->hold[i] = NULL;
		if (hold)
			return hold;
	}
	return NULL;
}

/* ---- checks ---------------------------------------------------------------------- */

static int check_kinds(const struct rename *r)
{
	if (r->flags & ~KNOWN_FLAGS || (is_exchange(r) && r->flags != FUSEBLK_RENAME_EXCHANGE))
		return -EINVAL;
	if (!S_ISDIR(r->dir->mode) || !S_ISDIR(r->newdir->mode))
		return -ENOTDIR;
	if (r->newlen > E2_NAME_MAX || r->len > E2_NAME_MAX)
		return -ENAMETOOLONG;
	if (!r->newdir->links || !r->dir->links || (is_exchange(r) && !r->target))
		return -ENOENT;
	if (r->target && (r->flags & FUSEBLK_RENAME_NOREPLACE))
		return -EEXIST;
	if (!r->target || is_exchange(r) || r->is_dir == r->target_is_dir)
		return 0;
	return r->is_dir ? -ENOTDIR : -EISDIR;
}

/* Subdirectories that newdir and dir gain; both when they are the same. */
static int gain(const struct rename *r, const struct e2_inode *dir)
{
	int n = 0;

	if (dir == r->newdir)
		n += (int)r->is_dir - (int)(r->target && r->target_is_dir);
	if (dir == r->dir)
		n += (int)(is_exchange(r) && r->target_is_dir) - (int)r->is_dir;
	return n;
}

static int check_limits(const struct rename *r)
{
	int err = gain(r, r->newdir) > 0 ? e2_may_have_subdir(r->newdir) : 0;

	if (!err && gain(r, r->dir) > 0)
		err = e2_may_have_subdir(r->dir);
	if (!err && e2_held_is_full(r->dir->sb))
		err = -FUSEBLK_EAGAIN_COMMIT;
	return err;
}

static int find_names(struct rename *r)
{
	int err = e2_name_verify(r->dir, r->name, r->len, r->ei, &r->from);

	if (!err && r->target) {
		err = e2_name_verify(r->newdir, r->newname, r->newlen, r->target, &r->to);
		if (err)
			e2_slot_put(&r->from);
	}
	return err;
}

/*
 * A directory about to be replaced dies before its children of this epoch
 * do, or move away: if there are such, they must be durable first.
 */
static int check_loser(const struct rename *r)
{
	struct e2_inode *t = r->target;
	uint64_t epoch = fuseblk_epoch(r->dir->sb->vol);
	int err;

	if (!t || is_exchange(r))
		return 0;
	if (!t->links)
		return e2_corrupt(t->sb, t->ino, "it has a name but a link count of 0");
	if (!r->target_is_dir)
		return 0;
	err = e2_dir_may_die(t);
	if (!err && (t->lower_epoch == epoch || t->dir_moved_epoch == epoch))
		err = -FUSEBLK_EAGAIN_COMMIT;
	return err;
}

static int check(struct rename *r)
{
	int err = e2_dir_prepare(r->dir, r->reserve);

	if (!err)
		err = e2_dir_prepare(r->newdir, r->reserve);
	if (!err && r->is_dir && r->dir != r->newdir)
		err = e2_dir_prepare(r->ei, r->reserve);
	if (!err && is_exchange(r) && r->target_is_dir && r->dir != r->newdir)
		err = e2_dir_prepare(r->target, r->reserve);
	if (!err)
		err = find_names(r);
	if (err)
		return err;
	e2_slot_put(&r->from);
	e2_slot_put(&r->to);
	return check_loser(r);
}

/* ---- what can fail ------------------------------------------------------------------ */

static int make_whiteout(struct rename *r)
{
	struct fuseblk_create what = { .mode = S_IFCHR };
	int err = e2_inode_make(r->dir->sb, r->dir, &what, r->who, 1, &r->white);

	if (err)
		return err;
	err = e2_acl_inherit(r->dir, e2_i(r->white), &what);
	if (err)
		return err;
	r->whiteout = (struct e2_newcomer){ e2_i(r->white)->ino, E2_FT_CHR, false, false };
	return e2_name_temp(r->dir, r->whiteout.ino, r->whiteout.type);
}

/* A file that was made in this epoch and dies in it never lives: nothing is lost if it has no name. */
static bool never_lives(const struct e2_inode *ei)
{
	return ei->new_epoch == fuseblk_epoch(ei->sb->vol) && ei->links == 1;
}

/* Who would be without a name while only some of the blocks of SWITCH are written. */
static int make_temps(struct rename *r)
{
	int err = 0;

	if (r->target && !r->target_is_dir && (is_exchange(r) || !never_lives(r->target)))
		err = e2_name_temp(r->newdir, r->target->ino, e2_type_of_mode(r->target->mode));
	if (!err && !r->is_dir && (is_exchange(r) || is_whiteout(r)))
		err = e2_name_temp(r->dir, r->ei->ino, r->moved.type);
	return err;
}

static int get_holds(struct rename *r)
{
	for (unsigned i = 0; i < 4; i++) {
		r->hold[i] = e2_hold_new();
		if (!r->hold[i])
			return -ENOMEM;
	}
	return 0;
}

static int find_place(struct rename *r)
{
	int err = e2_place_find(r->newdir, r->newname, r->newlen, r->reserve, &r->moved, &r->place);

	if (err)
		return err == -EEXIST ? -ESTALE : err;
	r->placed = true;
	return e2_place_ready(r->newdir, &r->place, &r->moved);
}

static int prepare(struct rename *r)
{
	int err = get_holds(r);

	if (!err && is_whiteout(r))
		err = make_whiteout(r);
	if (!err)
		err = make_temps(r);
	if (!err && !r->target)
		err = find_place(r);
	if (!err)
		err = find_names(r);
	return err;
}

/* The loser's link count. The last step that can fail, and the first that is seen. */
static int lower_loser(struct rename *r)
{
	struct e2_inode *t = r->target;
	int err;

	if (!t || is_exchange(r))
		return 0;
	if (!r->target_is_dir && t->links > 1)
		return e2_links_add(t, -1);
	err = e2_links_kill(t, r->newdir);
	if (!err && r->target_is_dir && t->new_epoch != fuseblk_epoch(t->sb->vol))
		err = e2_inode_write_links(t, KILL_BEFORE_SWITCH);
	return err;
}

/* ---- what cannot ---------------------------------------------------------------------- */

static void set_dotdot(struct rename *r, struct e2_inode *ei, const struct e2_slot *slot,
		       const struct e2_inode *parent)
{
	e2_name_switch(ei, slot, take_hold(r), parent->ino, E2_FT_DIR);
}

/* The entries, ".." of what moves between directories excepted. */
static void move_names(struct rename *r)
{
	if (r->target)
		e2_name_switch(r->newdir, &r->to, take_hold(r), r->moved.ino, r->moved.type);
	else
		e2_place_fill(r->newdir, &r->place, &r->moved);
	if (is_exchange(r))
		e2_name_switch(r->dir, &r->from, take_hold(r), r->target->ino,
			       e2_type_of_mode(r->target->mode));
	else if (is_whiteout(r))
		e2_name_switch(r->dir, &r->from, take_hold(r), r->whiteout.ino, r->whiteout.type);
	else
		e2_name_leave(r->dir, &r->from, take_hold(r), r->is_dir);
}

static void note_moves(struct rename *r)
{
	uint64_t epoch = fuseblk_epoch(r->dir->sb->vol);

	if (r->is_dir)
		r->dir->dir_moved_epoch = epoch;
	if (is_exchange(r) && r->target_is_dir)
		r->newdir->dir_moved_epoch = epoch;
}

/* Link counts and times; every inode is pinned, nothing fails. */
static void store_inodes(struct rename *r)
{
	struct e2_inode *dirs[2] = { r->newdir, r->dir };

	for (unsigned i = 0; i < (r->dir == r->newdir ? 1u : 2u); i++) {
		int n = gain(r, dirs[i]);

		if (n)
			e2_links_add(dirs[i], n);
		e2_touch(dirs[i], true);
		e2_store_meta(dirs[i]);
	}
	e2_touch(r->ei, false);
	e2_store_meta(r->ei);
	if (r->target) {
		e2_touch(r->target, false);
		e2_store_meta(r->target);
	}
}

static int apply(struct rename *r)
{
	struct e2_slot dots = { .buf = NULL }, target_dots = { .buf = NULL };
	bool across = r->dir != r->newdir;
	int err = 0;

	if (across && r->is_dir)
		err = e2_dir_dotdot(r->ei, &dots);
	if (!err && across && is_exchange(r) && r->target_is_dir)
		err = e2_dir_dotdot(r->target, &target_dots);
	if (!err)
		err = lower_loser(r);
	if (!err) {
		move_names(r);
		if (dots.buf)
			set_dotdot(r, r->ei, &dots, r->newdir);
		if (target_dots.buf)
			set_dotdot(r, r->target, &target_dots, r->dir);
		note_moves(r);
		store_inodes(r);
	}
	e2_slot_put(&dots);
	e2_slot_put(&target_dots);
	return err;
}

/* ---- the operation ------------------------------------------------------------------------ */

static int pin_all(struct rename *r)
{
	struct e2_inode *all[4] = { r->dir, r->newdir, r->ei, r->target };
	int err = 0;

	for (unsigned i = 0; i < 4 && !err; i++)
		err = e2_pins_add(&r->pins, all[i]);
	return err;
}

static void finish(struct rename *r, int err)
{
	e2_slot_put(&r->from);
	e2_slot_put(&r->to);
	if (r->placed)
		e2_place_drop(&r->place);
	for (unsigned i = 0; i < 4; i++)
		free(r->hold[i]);
	if (r->white && err)
		e2_inode_unmake(r->white);
	if (r->white && !err) {
		fuseblk_node_changed(r->white);
		fuseblk_node_put(r->white);
	}
	e2_pins_drop(&r->pins);
}

int e2_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	      struct fuseblk_node *newdir, const char *newname, size_t newlen,
	      struct fuseblk_node *node, struct fuseblk_node *target, uint32_t flags,
	      const struct fuseblk_caller *who)
{
	struct rename r = {
		.dir = e2_i(dir), .newdir = e2_i(newdir), .ei = e2_i(node),
		.target = target ? e2_i(target) : NULL,
		.name = name, .len = len, .newname = newname, .newlen = newlen,
		.flags = flags, .who = who, .reserve = who->may_use_reserved,
	};
	int err;

	(void)vol;
	if (r.ei == r.target)
		return r.flags & FUSEBLK_RENAME_NOREPLACE ? -EEXIST : 0;
	r.is_dir = S_ISDIR(r.ei->mode);
	r.target_is_dir = r.target && S_ISDIR(r.target->mode);
	r.moved = (struct e2_newcomer){ r.ei->ino, e2_type_of_mode(r.ei->mode), r.is_dir, true };
	err = check_kinds(&r);
	if (!err)
		err = check_limits(&r);
	if (!err)
		err = pin_all(&r);
	if (!err)
		err = check(&r);
	if (!err)
		err = prepare(&r);
	if (!err)
		err = apply(&r);
	finish(&r, err);
	return err;
}
