// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_xattr.c: extended attributes.  Names come checked for length and NUL;
 * who may use which namespace is the kernel's to say, but that trusted.* is
 * root's is said here once more.  Values go through the worker's reply buffer.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include "op.h"
#include "proto.h"

#define NAME_MOST	255u
#define VALUE_MOST	65536u

static int check_name(const struct fb_request *req, const struct fb_name *name)
{
	if (name->len > NAME_MOST)
		return -ERANGE;
	if (!strncmp(name->bytes, "trusted.", 8) && req->uid != 0)
		return -EPERM;
	return 0;
}

/* @n: what the driver returned for @size bytes of room. */
static int reply_bytes(struct fb_request *req, ssize_t n, uint32_t size)
{
	if (n < 0)
		return (int)n;
	if (size == 0) {
		req->out.count = (uint32_t)n;
		return 0;
	}
	if ((size_t)n > size)
		return -ERANGE;
	req->out.bytes = req->scratch;
	req->out.bytes_len = (size_t)n;
	return 0;
}

int fb_op_getxattr(struct fb_request *req)
{
	const struct fb_name *name = &req->in.getxattr.name;
	uint32_t size = req->in.getxattr.size;
	struct fuseblk_node *node;
	int err;

	if (!req->vol->ops->getxattr)
		return -EOPNOTSUPP;
	err = check_name(req, name);
	if (!err)
		err = fb_req_node(req, 0, &node);
	if (err)
		return err == -EPERM ? -ENODATA : err;
	if (size > VALUE_MOST)
		size = VALUE_MOST;
	err = fb_node_rdlock(node);
	if (!err) {
		err = reply_bytes(req, req->vol->ops->getxattr(req->vol, node, name->bytes,
				  size ? req->scratch : NULL, size), size);
		fb_node_unlock(node);
	}
	fb_node_put(node);
	return err;
}

int fb_op_listxattr(struct fb_request *req)
{
	uint32_t size = req->in.listxattr.size;
	struct fuseblk_node *node;
	int err;

	if (!req->vol->ops->listxattr)
		return -EOPNOTSUPP;
	err = fb_req_node(req, 0, &node);
	if (err)
		return err;
	if (size > VALUE_MOST)
		size = VALUE_MOST;
	err = fb_node_rdlock(node);
	if (!err) {
		err = reply_bytes(req, req->vol->ops->listxattr(req->vol, node,
				  size ? req->scratch : NULL, size, req->uid == 0), size);
		fb_node_unlock(node);
	}
	fb_node_put(node);
	return err;
}

/* A new access ACL may take the set-gid bit with it (FUSE_SETXATTR_ACL_KILL_SGID). */
static int kill_sgid(struct fuseblk_node *node)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_attr attr;
	int err = vol->ops->getattr(vol, node, &attr);

	if (err || !(attr.mode & S_ISGID))
		return err;
	attr.mode &= ~(uint32_t)S_ISGID;
	attr.ctime = fb_time_now(vol);
	return vol->ops->setattr(vol, node, FUSEBLK_SET_MODE | FUSEBLK_SET_CTIME, &attr);
}

static int set_step(struct fb_request *req, struct fuseblk_node *node)
{
	const struct fb_name *name = &req->in.setxattr.name;
	uint32_t flags = 0;
	int err;

	if (req->in.setxattr.flags & XATTR_CREATE)
		flags |= FUSEBLK_XATTR_CREATE;
	if (req->in.setxattr.flags & XATTR_REPLACE)
		flags |= FUSEBLK_XATTR_REPLACE;
	err = req->vol->ops->setxattr(req->vol, node, name->bytes, req->in.setxattr.value,
				      req->in.setxattr.size, flags);
	if (!err && (req->in.setxattr.setxattr_flags & FUSE_SETXATTR_ACL_KILL_SGID) &&
	    !strcmp(name->bytes, "system.posix_acl_access"))
		err = kill_sgid(node);
	return err;
}

static int remove_step(struct fb_request *req, struct fuseblk_node *node)
{
	return req->vol->ops->removexattr(req->vol, node, req->in.removexattr.name.bytes);
}

/* Of system.* the kernel checks POSIX ACLs only; the rest is the owner's to change. */
static int check_owner(const struct fb_request *req, struct fuseblk_node *node, const char *name)
{
	struct fuseblk_attr attr;
	int err;

	if (req->uid == 0 || strncmp(name, "system.", 7) || !strncmp(name, "system.posix_acl_", 17))
		return 0;
	err = fb_node_getattr(node, &attr);
	if (err)
		return err;
	return attr.uid == req->uid ? 0 : -EPERM;
}

static int change(struct fb_request *req, const struct fb_name *name,
		  int (*step)(struct fb_request *req, struct fuseblk_node *node))
{
	struct fuseblk_node *node;
	uint32_t mode;
	int err = check_name(req, name);

	if (!err)
		err = fb_req_node(req, 0, &node);
	if (err)
		return err;
	mode = fb_mode_watch(node);
	err = check_owner(req, node, name->bytes);
	if (!err)
		err = fb_node_wrlock(node);
	if (err)
		goto put;
	err = fb_permit_xattr(node);
	if (!err)
		err = fb_volume_change_begin(req->vol);
	if (!err) {
		err = step(req, node);
		fuseblk_node_changed(node);
		fb_volume_change_end(req->vol);
	}
	fb_node_unlock(node);
	fb_mode_settle(req, node, mode);
put:
	fb_node_put(node);
	if (!err && req->vol->options.sync)
		err = fb_commit(req->vol->cache);
	return err;
}

int fb_op_setxattr(struct fb_request *req)
{
	if (!req->vol->ops->setxattr)
		return -EOPNOTSUPP;
	if (req->in.setxattr.size > VALUE_MOST)
		return -E2BIG;
	return change(req, &req->in.setxattr.name, set_step);
}

int fb_op_removexattr(struct fb_request *req)
{
	if (!req->vol->ops->removexattr)
		return -EOPNOTSUPP;
	return change(req, &req->in.removexattr.name, remove_step);
}
