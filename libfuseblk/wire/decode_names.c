/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/decode_names.c: decoders of the opcodes whose arguments hold names.
 *
 * A name must end with a NUL inside the message; the last one must end the
 * message.  Names of directory entries hold no '/'; "." and ".." are only
 * good for LOOKUP, which an NFS server uses to find a parent.  Names the
 * wire allows but the volume does not (255 to 1024 bytes) pass: refusing
 * them with ENAMETOOLONG is the handler's.
 */
#include <errno.h>
#include <string.h>
#include "decode.h"

/* The NUL-terminated string at the cursor, of 1 to @max bytes; -@toolong past that. */
static int take_string(struct fb_cursor *c, struct fb_name *name, size_t max,
		       int toolong)
{
	const uint8_t *nul = memchr(c->at, 0, c->left);
	size_t len;

	if (!nul)
		return -EINVAL;
	len = nul - c->at;
	if (len == 0)
		return -EINVAL;
	if (len > max)
		return -toolong;
	name->bytes = (const char *)c->at;
	name->len = len;
	c->at += len + 1;
	c->left -= len + 1;
	return 0;
}

static bool is_dots(const struct fb_name *name)
{
	return name->bytes[0] == '.' &&
	       (name->len == 1 || (name->len == 2 && name->bytes[1] == '.'));
}

static int take_name(struct fb_cursor *c, struct fb_name *name)
{
	int err = take_string(c, name, FB_WIRE_NAME_MAX, ENAMETOOLONG);

	if (!err && memchr(name->bytes, '/', name->len))
		err = -EINVAL;
	return err;
}

static int take_new_name(struct fb_cursor *c, struct fb_name *name)
{
	int err = take_name(c, name);

	if (!err && is_dots(name))
		err = -EINVAL;
	return err;
}

/* A name, not "." or "..", that ends the message. */
static int last_name(struct fb_cursor *c, struct fb_name *name)
{
	int err = take_new_name(c, name);

	if (!err && c->left)
		err = -EINVAL;
	return err;
}

static int last_xattr_name(struct fb_cursor *c, struct fb_name *name)
{
	int err = take_string(c, name, FB_WIRE_XATTR_NAME_MAX, ERANGE);

	if (!err && c->left)
		err = -EINVAL;
	return err;
}

int fb_decode_lookup(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_name(c, &req->in.lookup.name);

	if (!err && c->left)
		err = -EINVAL;
	return err;
}

int fb_decode_remove(struct fb_cursor *c, struct fb_request *req)
{
	return last_name(c, &req->in.unlink.name);
}

int fb_decode_symlink(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_new_name(c, &req->in.symlink.name);

	if (!err)
		err = take_string(c, &req->in.symlink.target,
				  FB_WIRE_TARGET_MAX, ENAMETOOLONG);
	if (!err && c->left)
		err = -EINVAL;
	return err;
}

int fb_decode_mknod(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_mknod_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.mknod.mode = in.mode;
	req->in.mknod.rdev = in.rdev;
	req->in.mknod.umask = in.umask;
	return last_name(c, &req->in.mknod.name);
}

int fb_decode_mkdir(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_mkdir_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.mkdir.mode = in.mode;
	req->in.mkdir.umask = in.umask;
	return last_name(c, &req->in.mkdir.name);
}

int fb_decode_link(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_link_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.link.old_nodeid = in.oldnodeid;
	return last_name(c, &req->in.link.name);
}

static int rename_names(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_new_name(c, &req->in.rename.name);

	if (!err)
		err = last_name(c, &req->in.rename.newname);
	return err;
}

int fb_decode_rename(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_rename_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.rename.newdir = in.newdir;
	req->in.rename.flags = 0;
	return rename_names(c, req);
}

int fb_decode_rename2(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_rename2_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.rename.newdir = in.newdir;
	req->in.rename.flags = in.flags;
	return rename_names(c, req);
}

static int take_create(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_create_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.create.flags = in.flags;
	req->in.create.mode = in.mode;
	req->in.create.umask = in.umask;
	req->in.create.open_flags = in.open_flags;
	return 0;
}

int fb_decode_create(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_create(c, req);

	return err ? err : last_name(c, &req->in.create.name);
}

/* The kernel sends the name of its unnamed dentry, "/": only its form is looked at. */
int fb_decode_tmpfile(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_create(c, req);

	if (!err)
		err = take_string(c, &req->in.tmpfile.name, FB_WIRE_NAME_MAX,
				  ENAMETOOLONG);
	if (!err && c->left)
		err = -EINVAL;
	return err;
}

int fb_decode_setxattr(struct fb_cursor *c, struct fb_request *req)
{
	bool extended = c->proto->flags & FUSE_SETXATTR_EXT;
	struct fuse_setxattr_in in = { 0 };
	int err;

	err = fb_cursor_take(c, &in, extended ? sizeof(in) : FB_SETXATTR_IN_SHORT);
	if (err)
		return err;
	if (in.size > FB_WIRE_XATTR_SIZE_MAX)
		return -E2BIG;
	req->in.setxattr.size = in.size;
	req->in.setxattr.flags = in.flags;
	req->in.setxattr.setxattr_flags = in.setxattr_flags;
	err = take_string(c, &req->in.setxattr.name, FB_WIRE_XATTR_NAME_MAX,
			  ERANGE);
	if (err)
		return err;
	return fb_cursor_rest(c, in.size, &req->in.setxattr.value);
}

int fb_decode_getxattr(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_getxattr_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.size > FB_WIRE_XATTR_SIZE_MAX)
		return -EINVAL;
	req->in.getxattr.size = in.size;
	return last_xattr_name(c, &req->in.getxattr.name);
}

int fb_decode_removexattr(struct fb_cursor *c, struct fb_request *req)
{
	return last_xattr_name(c, &req->in.removexattr.name);
}
