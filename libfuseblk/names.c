// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * names.c: lock directories together with what their names lead to.
 *
 * Which nodes the names lead to is known only with the directories locked,
 * and the order of locking goes by inode number.  So: lock the directories,
 * look, and try to lock what was found, which succeeds unless somebody uses
 * it; else let go of everything, lock all of it in order, and look again.  A
 * peer that renames without end can make this give up, never wait.
 */
#include <errno.h>
#include "op.h"

#define MOST_TRIES 32

static int find(struct fuseblk_node *dir, const struct fb_name *name, struct fuseblk_node **out,
		bool *respelled)
{
	struct fuseblk_volume *vol = dir->vol;
	uint64_t ino;
	int err = vol->ops->lookup(vol, dir, name->bytes, name->len, &ino);

	*respelled = err == FUSEBLK_RESPELLED;
	return err < 0 ? err : fb_node_get(vol, ino, out);
}

/* What the names lead to now, referenced. */
static int look(struct fb_names *names, const struct fb_name *name, const struct fb_name *newname,
		struct fuseblk_node *found[2])
{
	int err;

	found[0] = found[1] = NULL;
	if (names->nodes[FB_DIR]->dead || (newname && names->nodes[FB_NEWDIR]->dead))
		return -ENOENT;
	err = find(names->nodes[FB_DIR], name, &found[0], &names->respelled[0]);
	if (err || !newname)
		return err;
	err = find(names->nodes[FB_NEWDIR], newname, &found[1], &names->respelled[1]);
	if (!err || err == -ENOENT)
		return 0;
	fb_node_put(found[0]);
	found[0] = NULL;
	return err;
}

static void set_found(struct fb_names *names, struct fuseblk_node *found[2])
{
	fb_node_put(names->nodes[FB_NODE]);
	fb_node_put(names->nodes[FB_TARGET]);
	names->nodes[FB_NODE] = found[0];
	names->nodes[FB_TARGET] = found[1];
}

static bool is_locked(const struct fb_names *names, const struct fuseblk_node *node)
{
	for (int i = 0; i < 4; i++)
		if (names->nodes[i] == node)
			return true;
	return false;
}

/*
 * With names->nodes locked: lock @found in addition, without waiting.  On
 * success they have taken the places of the former node and target.
 */
static bool try_found(struct fb_names *names, struct fuseblk_node *found[2])
{
	bool first = found[0] && !is_locked(names, found[0]);
	bool second = found[1] && found[1] != found[0] && !is_locked(names, found[1]);

	/* Locks that turned out not to be wanted would have to be sorted out: rare, start again. */
	if (names->nodes[FB_NODE] || names->nodes[FB_TARGET])
		return false;
	if (first && !fb_node_trywrlock(found[0]))
		return false;
	if (second && !fb_node_trywrlock(found[1])) {
		if (first)
			fb_node_unlock(found[0]);
		return false;
	}
	set_found(names, found);
	return true;
}

static bool is_same(const struct fb_names *names, struct fuseblk_node *found[2])
{
	return names->nodes[FB_NODE] == found[0] && names->nodes[FB_TARGET] == found[1];
}

static int check_dead(struct fb_names *names)
{
	for (int i = 0; i < 4; i++)
		if (names->nodes[i] && names->nodes[i]->dead)
			return -ESTALE;
	return 0;
}

int fb_names_lock(struct fb_names *names, struct fuseblk_node *dir, const struct fb_name *name,
		  struct fuseblk_node *newdir, const struct fb_name *newname)
{
	struct fuseblk_node *found[2];
	int err = -EBUSY;

	*names = (struct fb_names){ .nodes = { dir, newdir, NULL, NULL } };
	for (int i = 0; i < MOST_TRIES; i++) {
		fb_node_lock_many(names->nodes, 4);
		err = look(names, name, newname, found);
		if (!err && is_same(names, found)) {
			fb_node_put(found[0]);
			fb_node_put(found[1]);
		} else if (!err && !try_found(names, found)) {
			fb_node_unlock_many(names->nodes, 4);
			set_found(names, found);
			err = -EBUSY;
			continue;
		}
		if (!err)
			err = check_dead(names);
		if (!err)
			return 0;
		fb_node_unlock_many(names->nodes, 4);
		break;
	}
	found[0] = found[1] = NULL;
	set_found(names, found);
	return err;
}

void fb_names_unlock(struct fb_names *names)
{
	struct fuseblk_node *none[2] = { NULL, NULL };

	fb_node_unlock_many(names->nodes, 4);
	set_found(names, none);
}
