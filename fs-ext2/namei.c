/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * namei.c: names looked up, made and removed.
 *
 * Each operation first takes everything that can fail (inode blocks pinned,
 * room for the name, the new inode), then makes changes that cannot.  What the
 * VFS checks (types, permissions, immutable inodes) is checked above;
 * whether a name still leads where the caller says is checked here.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

static int check_found(struct e2_inode *dir, const char *name, size_t len, uint32_t ino)
{
	const struct e2_super *sb = dir->sb;
	bool dots = len <= 2 && !memcmp(name, "..", len);

	if (dots && (ino == E2_ROOT_INO || ino >= sb->first_ino))
		return 0;
	if (ino < sb->first_ino || ino > sb->inodes_count || ino == dir->ino)
		return e2_corrupt((struct e2_super *)sb, dir->ino,
				  "a name leads to inode %u, which cannot have one", ino);
	return 0;
}

int e2_lookup(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, size_t len,
	      uint64_t *ino)
{
	struct e2_inode *dir = e2_i(node);
	struct e2_slot slot;
	int err = e2_dir_find(dir, name, len, &slot, NULL);

	(void)vol;
	if (err)
		return err;
	e2_slot_put(&slot);
	err = check_found(dir, name, len, slot.ino);
	if (!err)
		*ino = slot.ino;
	return err;
}

static void touch_dir(struct e2_inode *dir)
{
	e2_touch(dir, true);
	e2_store_meta(dir);	/* pinned: cannot fail */
}

static void touch(struct e2_inode *ei)
{
	e2_touch(ei, false);
	e2_store_meta(ei);
}

/* A directory that has lost its last name takes no new ones. */
static int check_dir(const struct e2_inode *dir, size_t len)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!dir->links)
		return -ENOENT;
	return len > E2_NAME_MAX ? -ENAMETOOLONG : len ? 0 : -EINVAL;
}

/* ---- create -------------------------------------------------------------------- */

static int check_create(const struct e2_inode *dir, size_t len, const struct fuseblk_create *what)
{
	int err = check_dir(dir, len);

	if (err)
		return err;
	if (S_ISLNK(what->mode))
		return e2_symlink_check(dir->sb, what);
	return S_ISDIR(what->mode) ? e2_may_have_subdir(dir) : 0;
}

/* What a new inode holds from the start. */
static int fill_new(struct e2_inode *dir, struct e2_inode *ei, const struct fuseblk_create *what,
		    bool reserve)
{
	if (S_ISDIR(what->mode))
		return e2_dir_make(ei, dir->ino, reserve);
	if (S_ISLNK(what->mode))
		return e2_symlink_fill(ei, what->target, what->target_len, reserve);
	return 0;
}

static int make_at(struct e2_inode *dir, struct e2_place *place, struct e2_newcomer *new,
		   const struct fuseblk_create *what, const struct fuseblk_caller *who)
{
	struct fuseblk_node *node;
	int err;

	err = e2_inode_make(dir->sb, dir, what, who, new->is_dir ? 2 : 1, &node);
	if (err)
		return err;
	new->ino = e2_i(node)->ino;
	err = fill_new(dir, e2_i(node), what, who->may_use_reserved);
	if (!err)
		err = e2_acl_inherit(dir, e2_i(node), what);
	if (!err)
		err = e2_place_ready(dir, place, new);
	if (err) {
		e2_inode_unmake(node);
		return err;
	}
	e2_place_fill(dir, place, new);
	fuseblk_node_changed(node);
	fuseblk_node_put(node);
	return 0;
}

int e2_create(struct fuseblk_volume *vol, struct fuseblk_node *dirnode, const char *name, size_t len,
	      const struct fuseblk_create *what, const struct fuseblk_caller *who, uint64_t *ino)
{
	struct e2_inode *dir = e2_i(dirnode);
	struct e2_newcomer new = { .type = e2_type_of_mode(what->mode),
				   .is_dir = S_ISDIR(what->mode) };
	struct e2_pins pins = { .count = 0 };
	struct e2_place place;
	int err = check_create(dir, len, what);

	(void)vol;
	if (!err)
		err = e2_pins_add(&pins, dir);
	if (err)
		return err;
	err = e2_place_find(dir, name, len, who->may_use_reserved, &new, &place);
	if (!err) {
		err = make_at(dir, &place, &new, what, who);
		e2_place_drop(&place);
	}
	if (!err) {
		if (new.is_dir)
			e2_links_add(dir, 1);
		touch_dir(dir);
		*ino = new.ino;
	}
	e2_pins_drop(&pins);
	return err;
}

int e2_tmpfile(struct fuseblk_volume *vol, struct fuseblk_node *dirnode,
	       const struct fuseblk_create *what, const struct fuseblk_caller *who, uint64_t *ino)
{
	struct e2_inode *dir = e2_i(dirnode);
	struct fuseblk_node *node;
	int err = check_dir(dir, 1);

	(void)vol;
	if (!err)
		err = e2_inode_make(dir->sb, dir, what, who, 0, &node);
	if (err)
		return err;
	err = e2_acl_inherit(dir, e2_i(node), what);
	if (err) {
		e2_inode_unmake(node);
		return err;
	}
	*ino = e2_i(node)->ino;
	fuseblk_node_changed(node);
	fuseblk_node_put(node);
	return 0;
}

/* ---- link ------------------------------------------------------------------------- */

static int check_link(const struct e2_inode *dir, const struct e2_inode *ei, size_t len)
{
	int err = check_dir(dir, len);

	if (err)
		return err;
	if (S_ISDIR(ei->mode))
		return -EPERM;
	return ei->links >= E2_LINK_MAX ? -EMLINK : 0;
}

static int link_at(struct e2_inode *dir, struct e2_inode *ei, struct e2_place *place,
		   const struct e2_newcomer *new)
{
	int err = e2_place_ready(dir, place, new);

	if (!err)
		err = ei->links ? e2_links_add(ei, 1) : e2_links_raise(ei, dir);
	if (err)
		return err;
	e2_place_fill(dir, place, new);
	touch_dir(dir);
	touch(ei);
	return 0;
}

int e2_link(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_node *dirnode,
	    const char *name, size_t len)
{
	struct e2_inode *ei = e2_i(node), *dir = e2_i(dirnode);
	struct e2_newcomer new = { ei->ino, e2_type_of_mode(ei->mode), false, ei->links > 0 };
	struct e2_pins pins = { .count = 0 };
	struct e2_place place;
	int err = check_link(dir, ei, len);

	(void)vol;
	if (!err)
		err = e2_pins_add(&pins, dir);
	if (!err)
		err = e2_pins_add(&pins, ei);
	if (!err)
		err = e2_place_find(dir, name, len, false, &new, &place);
	if (!err) {
		err = link_at(dir, ei, &place, &new);
		e2_place_drop(&place);
	}
	e2_pins_drop(&pins);
	return err;
}

/* ---- unlink, rmdir ------------------------------------------------------------------- */

/* A name about to be removed. */
struct removal {
	struct e2_pins pins;
	struct e2_slot slot;
	struct e2_inline_place inline_place;
};

static int removal_begin(struct removal *r, struct e2_inode *dir, const char *name, size_t len,
			 struct e2_inode *ei)
{
	int err;

	*r = (struct removal){ .slot = { .buf = NULL } };
	err = e2_pins_add(&r->pins, dir);
	if (!err)
		err = e2_pins_add(&r->pins, ei);
	if (!err)
		err = e2_name_verify(dir, name, len, ei, &r->slot);
	if (!err && !r->slot.buf)
		err = e2_inline_dir_locate(dir, r->slot.off, &r->inline_place);
	if (!err && !ei->links)
		err = e2_corrupt(dir->sb, ei->ino, "it has a name but a link count of 0");
	if (err) {
		e2_slot_put(&r->slot);
		e2_pins_drop(&r->pins);
	}
	return err;
}

static void removal_end(struct removal *r, struct e2_inode *dir, struct e2_inode *ei, int err)
{
	if (!err) {
		if (r->slot.buf)
			e2_dir_remove(dir, &r->slot, E2_REMOVE);
		else
			e2_inline_dir_clear(dir, &r->inline_place);
		touch_dir(dir);
		touch(ei);
	}
	e2_slot_put(&r->slot);
	e2_pins_drop(&r->pins);
}

int e2_unlink(struct fuseblk_volume *vol, struct fuseblk_node *dirnode, const char *name, size_t len,
	      struct fuseblk_node *node)
{
	struct e2_inode *dir = e2_i(dirnode), *ei = e2_i(node);
	struct removal r;
	int err;

	(void)vol;
	if (S_ISDIR(ei->mode))
		return -EISDIR;
	err = removal_begin(&r, dir, name, len, ei);
	if (err)
		return err;
	err = ei->links > 1 ? e2_links_add(ei, -1) : e2_links_kill(ei, dir);
	removal_end(&r, dir, ei, err);
	return err;
}

int e2_dir_may_die(struct e2_inode *ei)
{
	uint64_t epoch = fuseblk_epoch(ei->sb->vol);
	int empty;

	if (!S_ISDIR(ei->mode))
		return -ENOTDIR;
	empty = e2_dir_is_empty(ei);
	if (empty <= 0)
		return empty ? empty : -ENOTEMPTY;
	/* it will never have lived, but what moved out of it does before it moves */
	if (ei->new_epoch == epoch && ei->dir_moved_epoch == epoch)
		return -FUSEBLK_EAGAIN_COMMIT;
	return 0;
}

int e2_rmdir(struct fuseblk_volume *vol, struct fuseblk_node *dirnode, const char *name, size_t len,
	     struct fuseblk_node *node)
{
	struct e2_inode *dir = e2_i(dirnode), *ei = e2_i(node);
	struct removal r;
	int err;

	(void)vol;
	if (len == 1 && name[0] == '.')
		return -EINVAL;
	err = e2_dir_may_die(ei);
	if (!err)
		err = removal_begin(&r, dir, name, len, ei);
	if (err)
		return err;
	err = e2_links_kill(ei, dir);
	if (!err)
		e2_links_add(dir, -1);
	removal_end(&r, dir, ei, err);
	return err;
}
