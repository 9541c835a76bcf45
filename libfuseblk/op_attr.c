// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_attr.c: GETATTR, STATX, SETATTR.
 *
 * SETATTR is one change: permission by inode flags, then the size, then the
 * rest through one ->setattr.  Owners change as on the kernel's own
 * filesystems: set-id bits of what is not a directory go, whoever asks.
 */
#include <errno.h>
#include <sys/stat.h>
#include "data.h"
#include "op.h"
#include "proto.h"
#include "spelling.h"

int fb_op_getattr(struct fb_request *req)
{
	struct fuseblk_node *node;
	int err = fb_req_node(req, 0, &node);

	if (err)
		return err;
	err = fb_stale_check(req, node->ino);
	if (!err)
		err = fb_node_getattr(node, &req->out.attr);
	fb_node_put(node);
	return err;
}

int fb_op_statx(struct fb_request *req)
{
	return fb_op_getattr(req);
}

/*
 * chown(-1, -1) arrives with nothing, but for regular files with the change
 * time.  With nothing at all come, for these, the kernel's own attempts to
 * take set-id bits before a write, which takes them itself.
 */
static bool is_owner_change(uint32_t valid, uint32_t mode)
{
	const uint32_t other = FATTR_MODE | FATTR_SIZE | FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW |
			       FATTR_MTIME_NOW | FATTR_KILL_SUIDGID;

	if (valid & (FATTR_UID | FATTR_GID))
		return true;
	return !(valid & other) && ((valid & FATTR_CTIME) || !S_ISREG(mode));
}

/* What ->setattr gets beside the size: @attr has the present state and gets the new one. Returns FUSEBLK_SET_*. */
static uint32_t plan(const struct fb_request *req, struct fuseblk_attr *attr)
{
	uint32_t valid = req->in.setattr.valid, set = 0;
	struct timespec now = fb_time_now(req->vol);
	bool sized = valid & FATTR_SIZE;

	if (valid & FATTR_MODE) {
		attr->mode = (attr->mode & S_IFMT) | (req->in.setattr.mode & 07777);
		set |= FUSEBLK_SET_MODE;
	}
	if (valid & FATTR_UID) {
		attr->uid = req->in.setattr.uid;
		set |= FUSEBLK_SET_UID;
	}
	if (valid & FATTR_GID) {
		attr->gid = req->in.setattr.gid;
		set |= FUSEBLK_SET_GID;
	}
	if (valid & (FATTR_ATIME | FATTR_ATIME_NOW)) {
		attr->atime = valid & FATTR_ATIME_NOW ? now : req->in.setattr.atime;
		set |= FUSEBLK_SET_ATIME;
	}
	if (valid & (FATTR_MTIME | FATTR_MTIME_NOW)) {
		attr->mtime = valid & FATTR_MTIME_NOW ? now : req->in.setattr.mtime;
		set |= FUSEBLK_SET_MTIME;
	} else if (sized) {
		attr->mtime = now;
		set |= FUSEBLK_SET_MTIME;
	}
	if (!set && !is_owner_change(valid, attr->mode) && !(valid & FATTR_KILL_SUIDGID))
		return 0;
	attr->ctime = valid & FATTR_CTIME ? req->in.setattr.ctime : now;
	return set | FUSEBLK_SET_CTIME;
}

/* Set-id bits that go: with a new owner, or where the kernel says so. @gid: the file's group so far. */
static uint32_t plan_kill(const struct fb_request *req, uint32_t set, uint32_t gid, struct fuseblk_attr *attr)
{
	uint32_t valid = req->in.setattr.valid, mode;
	bool owner = is_owner_change(valid, attr->mode);

	if ((valid & FATTR_MODE) || (!owner && !(valid & FATTR_KILL_SUIDGID)))
		return set;
	mode = fb_mode_without_setid(attr->mode, req->gid == gid || (owner && req->uid == 0));
	if (mode == attr->mode)
		return set;
	attr->mode = mode;
	return set | FUSEBLK_SET_MODE;
}

/* Bits that go count as a change of the mode; without an owner in it, the kernel has not asked whose file it is. */
static int permit_kill(const struct fb_request *req, const struct fuseblk_attr *attr)
{
	bool named = req->in.setattr.valid & (FATTR_UID | FATTR_GID | FATTR_SIZE);

	if (!named && req->uid != 0 && req->uid != attr->uid)
		return -EPERM;
	return fb_permit_setattr(attr, FATTR_MODE);
}

static int resize(struct fb_request *req, struct fuseblk_node *node, const struct fuseblk_attr *attr)
{
	if (S_ISDIR(attr->mode))
		return -EISDIR;
	if (!S_ISREG(attr->mode))
		return -EINVAL;
	if (req->in.setattr.size > req->vol->info.max_file_size)
		return -EFBIG;
	return fb_data_resize_locked(node, req->in.setattr.size);
}

static int setattr_locked(struct fb_request *req, struct fuseblk_node *node)
{
	struct fuseblk_volume *vol = req->vol;
	uint32_t valid = req->in.setattr.valid, set, gid;
	struct fuseblk_attr attr;
	int err = vol->ops->getattr(vol, node, &attr);

	if (!err)
		err = fb_permit_setattr(&attr, valid);
	if (!err && (valid & FATTR_SIZE))
		err = resize(req, node, &attr);
	if (err)
		return err;
	gid = attr.gid;
	set = plan(req, &attr);
	set = plan_kill(req, set, gid, &attr);
	if ((set & FUSEBLK_SET_MODE) && !(valid & FATTR_MODE))
		err = permit_kill(req, &attr);
	if (!err && set)
		err = vol->ops->setattr(vol, node, set, &attr);
	return err ? err : vol->ops->getattr(vol, node, &req->out.attr);
}

/*
 * Is this by a name that is gone?  The kernel's own write-back of times has
 * no descriptor either, but changes only these.
 */
static int check_name(struct fb_request *req, struct fuseblk_node *node)
{
	uint32_t valid = req->in.setattr.valid;
	struct fuseblk_attr attr;
	int err;

	if ((valid & FATTR_FH) || !(valid & ~(uint32_t)(FATTR_MTIME | FATTR_CTIME)) ||
	    !fb_stale_is_marked(req->session, node->ino))
		return 0;
	err = fb_node_getattr(node, &attr);
	return err || attr.nlink ? err : fb_stale_check(req, node->ino);
}

int fb_op_setattr(struct fb_request *req)
{
	struct fuseblk_node *node;
	int err = fb_req_node(req, 0, &node);

	if (err)
		return err;
	err = check_name(req, node);
	if (err)
		goto put;
	err = fb_node_change_begin(node);
	if (!err) {
		err = setattr_locked(req, node);
		fb_node_change_end(node);
	}
	fb_stale_forget_finders(req->session, node->ino);
put:
	fb_node_put(node);
	if (!err && req->vol->options.sync)
		err = fb_commit(req->vol->cache);
	return err;
}
