// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_rename.c: UNLINK, RMDIR, RENAME, LINK: what takes names away or moves
 * them.  All nodes concerned are locked exclusively (names.c) around one
 * change; whose link count fell to 0 is told to the node table.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "op.h"
#include "proto.h"
#include "spelling.h"

/* With @node locked: remember whether it has a name left. */
static void note_links(struct fuseblk_node *node)
{
	struct fuseblk_attr attr;

	if (!node->vol->ops->getattr(node->vol, node, &attr))
		fb_node_set_unlinked(node->vol, node->ino, attr.nlink == 0);
}

/* Begin a change, run @step, mark every node of @names changed. */
static int change_names(struct fb_request *req, struct fb_names *names,
			int (*step)(struct fb_request *req, struct fb_names *names))
{
	int err = fb_volume_change_begin(req->vol);

	if (err)
		return err;
	err = step(req, names);
	for (int i = 0; i < 4; i++)
		if (names->nodes[i])
			fuseblk_node_changed(names->nodes[i]);
	fb_volume_change_end(req->vol);
	return err;
}

/* ---- UNLINK, RMDIR -------------------------------------------------- */

static int remove_step(struct fb_request *req, struct fb_names *names)
{
	const struct fuseblk_operations *ops = req->vol->ops;
	const struct fb_name *name = &req->in.unlink.name;
	struct fuseblk_node *dir = names->nodes[FB_DIR], *node = names->nodes[FB_NODE];
	struct fuseblk_attr attr;
	int err = fb_permit_delete(dir, node);

	if (!err)
		err = ops->getattr(req->vol, node, &attr);
	if (err)
		return err;
	err = fb_stale_prepare(req, dir, name, node, FB_STALE_REMOVED, names->respelled[0]);
	if (err)
		return err;
	if (req->opcode == FUSE_RMDIR)
		err = !S_ISDIR(attr.mode) ? -ENOTDIR :
			ops->rmdir(req->vol, dir, name->bytes, name->len, node);
	else
		err = S_ISDIR(attr.mode) ? -EISDIR :
			ops->unlink(req->vol, dir, name->bytes, name->len, node);
	if (!err)
		note_links(node);
	fb_stale_settle(req, !err, false);
	fb_stale_forget_finders(req->session, node->ino);
	return err;
}

static int remove_name(struct fb_request *req)
{
	const struct fb_name *name = &req->in.unlink.name;
	struct fuseblk_node *dir;
	struct fb_names names;
	int err = fb_req_new_name(req, name);

	if (!err)
		err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	err = fb_names_lock(&names, dir, name, NULL, NULL);
	if (!err) {
		err = names.nodes[FB_NODE] == dir ? -EINVAL :
			change_names(req, &names, remove_step);
		fb_names_unlock(&names);
	}
	fb_node_put(dir);
	return fb_req_dirsync(req, err);
}

int fb_op_unlink(struct fb_request *req)
{
	return remove_name(req);
}

int fb_op_rmdir(struct fb_request *req)
{
	return remove_name(req);
}

/* ---- RENAME --------------------------------------------------------- */

#define KNOWN_FLAGS (FUSEBLK_RENAME_NOREPLACE | FUSEBLK_RENAME_EXCHANGE | FUSEBLK_RENAME_WHITEOUT)

static int check_flags(uint32_t flags)
{
	if (flags & ~KNOWN_FLAGS)
		return -EINVAL;
	if ((flags & FUSEBLK_RENAME_EXCHANGE) && (flags != FUSEBLK_RENAME_EXCHANGE))
		return -EINVAL;
	return 0;
}

static int permit_rename(struct fb_names *names, uint32_t flags)
{
	struct fuseblk_node *target = names->nodes[FB_TARGET];
	int err = fb_permit_delete(names->nodes[FB_DIR], names->nodes[FB_NODE]);

	if (err)
		return err;
	if (!target) {
		if (flags & FUSEBLK_RENAME_EXCHANGE)
			return -ENOENT;
		return fb_permit_create(names->nodes[FB_NEWDIR]);
	}
	if (flags & FUSEBLK_RENAME_NOREPLACE)
		return -EEXIST;
	return fb_permit_delete(names->nodes[FB_NEWDIR], target);
}

/* What the kernel's cache will have wrong after the rename. */
static int prepare_stale(struct fb_request *req, const struct fb_names *names)
{
	const struct fb_name *name = &req->in.rename.name, *newname = &req->in.rename.newname;
	bool exchange = req->in.rename.flags & FUSEBLK_RENAME_EXCHANGE;
	struct fuseblk_node *const *n = names->nodes;
	int err;

	if (!req->session->spelling)
		return 0;
	err = fb_stale_prepare(req, n[FB_DIR], name, n[FB_NODE], FB_STALE_MOVED, names->respelled[0]);
	if (!err && n[FB_TARGET])
		err = fb_stale_prepare(req, n[FB_NEWDIR], newname, n[FB_TARGET],
				       exchange ? FB_STALE_MOVED : FB_STALE_REMOVED, names->respelled[1]);
	/* The kernel moves the entry of the old name, timeout and all, to the name given. */
	if (!err)
		err = fb_stale_prepare(req, n[FB_NEWDIR], newname, n[FB_NODE], FB_STALE_GIVEN, true);
	if (!err && exchange)
		err = fb_stale_prepare(req, n[FB_DIR], name, n[FB_TARGET], FB_STALE_GIVEN, true);
	return err;
}

static int rename_step(struct fb_request *req, struct fb_names *names)
{
	const struct fb_name *name = &req->in.rename.name, *newname = &req->in.rename.newname;
	struct fuseblk_node **n = names->nodes;
	uint32_t flags = req->in.rename.flags;
	struct fuseblk_caller who;
	bool respelled;
	int err = permit_rename(names, flags);

	if (!err)
		err = prepare_stale(req, names);
	if (err)
		goto settle;
	fb_req_caller(req, &who);
	err = req->vol->ops->rename(req->vol, n[FB_DIR], name->bytes, name->len,
				    n[FB_NEWDIR], newname->bytes, newname->len,
				    n[FB_NODE], n[FB_TARGET], flags, &who);
	if (err >= 0 && n[FB_TARGET])
		note_links(n[FB_TARGET]);
settle:
	respelled = err == FUSEBLK_RESPELLED ||
		    ((flags & FUSEBLK_RENAME_EXCHANGE) && (names->respelled[0] || names->respelled[1]));
	fb_stale_settle(req, err >= 0, respelled);
	fb_stale_forget_finders(req->session, n[FB_NODE]->ino);
	if (n[FB_TARGET])
		fb_stale_forget_finders(req->session, n[FB_TARGET]->ino);
	return err < 0 ? err : 0;
}

/* Two names of one file: the kernel leaves both, and so do we. */
static bool is_noop(const struct fb_names *names, uint32_t flags)
{
	return names->nodes[FB_NODE] && names->nodes[FB_NODE] == names->nodes[FB_TARGET] &&
	       !(flags & FUSEBLK_RENAME_NOREPLACE);
}

/*
 * Do both names mean one entry of one directory, and the new one is not how it
 * is stored?  Then nothing is replaced, and names->nodes[FB_TARGET] is given back.
 */
static int find_respelling(struct fb_request *req, struct fb_names *names)
{
	const struct fb_name *name = &req->in.rename.name, *newname = &req->in.rename.newname;
	struct fuseblk_node **n = names->nodes;
	char stored[2][FB_WIRE_NAME_MAX];
	int len[2];

	if (n[FB_NODE] != n[FB_TARGET] || n[FB_DIR] != n[FB_NEWDIR] || !names->respelled[1] ||
	    (req->in.rename.flags & FUSEBLK_RENAME_EXCHANGE))
		return 0;
	len[0] = req->vol->ops->spelling(req->vol, n[FB_DIR], name->bytes, name->len, stored[0], sizeof(stored[0]));
	len[1] = req->vol->ops->spelling(req->vol, n[FB_DIR], newname->bytes, newname->len, stored[1], sizeof(stored[1]));
	if (len[0] < 0 || len[1] < 0)
		return len[0] < 0 ? len[0] : len[1];
	if (len[0] != len[1] || memcmp(stored[0], stored[1], (size_t)len[0]))
		return 0;
	fb_node_put(n[FB_TARGET]);	/* FB_NODE has a reference of its own, and the lock */
	n[FB_TARGET] = NULL;
	return 0;
}

static int rename_between(struct fb_request *req, struct fuseblk_node *dir,
			  struct fuseblk_node *newdir)
{
	struct fb_names names;
	int err = fb_names_lock(&names, dir, &req->in.rename.name, newdir, &req->in.rename.newname);

	if (err)
		return err;
	err = find_respelling(req, &names);
	if (err)
		goto unlock;
	if (names.nodes[FB_NODE] == dir || names.nodes[FB_NODE] == newdir)
		err = -EINVAL;		/* into itself */
	else if (names.nodes[FB_TARGET] == dir || names.nodes[FB_TARGET] == newdir)
		err = -ENOTEMPTY;
	else if (!is_noop(&names, req->in.rename.flags))
		err = change_names(req, &names, rename_step);
unlock:
	fb_names_unlock(&names);
	return err;
}

int fb_op_rename(struct fb_request *req)
{
	struct fuseblk_node *dir, *newdir;
	int err = check_flags(req->in.rename.flags);

	if (!err)
		err = fb_req_new_name(req, &req->in.rename.name);
	if (!err)
		err = fb_req_new_name(req, &req->in.rename.newname);
	if (!err)
		err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	err = fb_req_node_of(req, req->in.rename.newdir, S_IFDIR, &newdir);
	if (!err) {
		err = rename_between(req, dir, newdir);
		fb_node_put(newdir);
	}
	fb_node_put(dir);
	return fb_req_dirsync(req, err);
}

/* ---- LINK ----------------------------------------------------------- */

static int link_step(struct fb_request *req, struct fb_names *names)
{
	const struct fb_name *name = &req->in.link.name;
	struct fuseblk_node *dir = names->nodes[FB_DIR], *node = names->nodes[FB_NODE];
	int err = fb_permit_link(node);

	if (!err)
		err = fb_permit_create(dir);
	if (!err)
		err = req->vol->ops->link(req->vol, node, dir, name->bytes, name->len);
	if (err < 0)
		return err;
	note_links(node);
	req->out.no_cache_entry = err == FUSEBLK_RESPELLED;
	return 0;
}

static int link_nodes(struct fb_request *req, struct fuseblk_node *dir, struct fuseblk_node *node)
{
	struct fb_names names = { .nodes = { dir, NULL, node, NULL } };
	int err = 0;

	fb_node_lock_many(names.nodes, 4);
	if (dir->dead || node->dead)
		err = -ESTALE;
	if (!err)
		err = change_names(req, &names, link_step);
	if (!err)
		err = fb_req_lookup(req, node->ino);
	if (!err && req->session->spelling && !req->out.no_cache_entry)
		fb_node_set_exact(req->vol, node->ino);
	if (!err)
		err = req->vol->ops->getattr(req->vol, node, &req->out.attr);
	fb_node_unlock_many(names.nodes, 4);
	return err;
}

int fb_op_link(struct fb_request *req)
{
	struct fuseblk_node *dir, *node;
	uint32_t type;
	int err = fb_req_new_name(req, &req->in.link.name);

	if (!err)
		err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	err = fb_req_node_of(req, req->in.link.old_nodeid, 0, &node);
	if (!err) {
		err = fb_node_type(node, &type);
		if (!err)
			err = type == S_IFDIR ? -EPERM : link_nodes(req, dir, node);
		fb_node_put(node);
	}
	fb_node_put(dir);
	return fb_req_dirsync(req, err);
}
