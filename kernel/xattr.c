// SPDX-License-Identifier: GPL-2.0-only
/*
 * xattr.c: extended attributes, all namespaces as the daemon has them.  With
 * size 0 the daemon answers with the size alone.
 */
#include <linux/xattr.h>
#include "fblk.h"

static int no_xattrs(ssize_t err)
{
	return err == -ENOSYS ? -EOPNOTSUPP : err;
}

/* GETXATTR and LISTXATTR: @args has all but the reply, which is bytes for @value or their number. */
static ssize_t call_for_bytes(struct fblk_conn *conn, struct fblk_args *args, struct fuse_getxattr_in *in, void *value,
			      size_t size, size_t most)
{
	struct fuse_getxattr_out out = {};
	ssize_t ret;

	in->size = size;
	if (size) {
		args->reply_varies = true;
		fblk_out(args, value, size);
	} else {
		fblk_out(args, &out, sizeof(out));
	}
	ret = fblk_call_optional(conn, args);
	if (!ret && !size)
		ret = min_t(size_t, out.size, most);
	return no_xattrs(ret);
}

/* The ids in an ACL would be taken for those of another namespace. */
static bool is_refused(struct inode *inode, const char *name)
{
	return inode->i_sb->s_user_ns != &init_user_ns &&
	       (!strcmp(name, XATTR_NAME_POSIX_ACL_ACCESS) || !strcmp(name, XATTR_NAME_POSIX_ACL_DEFAULT));
}

static int fblk_getxattr(const struct xattr_handler *handler, struct dentry *dentry, struct inode *inode,
			 const char *name, void *value, size_t size)
{
	struct fblk_args args = FBLK_ARGS(FUSE_GETXATTR, fblk_nodeid(inode));
	struct fuse_getxattr_in in = {};

	if (fblk_is_bad(inode))
		return -EIO;
	if (is_refused(inode, name))
		return -EOPNOTSUPP;
	fblk_in(&args, &in, sizeof(in));
	fblk_in(&args, name, strlen(name) + 1);
	return call_for_bytes(fblk_conn_of(inode), &args, &in, value, min_t(size_t, size, XATTR_SIZE_MAX), XATTR_SIZE_MAX);
}

static int removexattr(struct inode *inode, const char *name)
{
	struct fblk_args args = FBLK_ARGS(FUSE_REMOVEXATTR, fblk_nodeid(inode));

	fblk_in(&args, name, strlen(name) + 1);
	return no_xattrs(fblk_call_optional(fblk_conn_of(inode), &args));
}

static int setxattr(struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(FUSE_SETXATTR, fblk_nodeid(inode));
	struct fuse_setxattr_in in = { .size = size, .flags = flags };

	fblk_in(&args, &in, fblk_has(conn, FUSE_SETXATTR_EXT) ? sizeof(in) : FUSE_COMPAT_SETXATTR_IN_SIZE);
	fblk_in(&args, name, strlen(name) + 1);
	fblk_in(&args, value, size);
	return no_xattrs(fblk_call_optional(conn, &args));
}

static int fblk_setxattr(const struct xattr_handler *handler, struct fblk_idmap *idmap, struct dentry *dentry,
			 struct inode *inode, const char *name, const void *value, size_t size, int flags)
{
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (is_refused(inode, name))
		return -EOPNOTSUPP;
	err = value ? setxattr(inode, name, value, size, flags) : removexattr(inode, name);
	if (!err)
		fblk_stale(inode, STATX_CTIME);
	return err;
}

/* Names one after the other, each with its NUL. */
static bool is_list(const char *list, size_t len)
{
	if (len && list[len - 1])
		return false;
	while (len) {
		size_t name = strlen(list) + 1;

		if (name == 1)
			return false;
		list += name;
		len -= name;
	}
	return true;
}

ssize_t fblk_listxattr(struct dentry *dentry, char *list, size_t size)
{
	struct inode *inode = d_inode(dentry);
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(FUSE_LISTXATTR, fblk_nodeid(inode));
	struct fuse_getxattr_in in = {};
	ssize_t ret;

	if (fblk_is_bad(inode))
		return -EIO;
	if (fblk_may_enter(conn))
		return -EACCES;
	fblk_in(&args, &in, sizeof(in));
	ret = call_for_bytes(conn, &args, &in, list, min_t(size_t, size, XATTR_LIST_MAX), XATTR_LIST_MAX);
	if (ret > 0 && size && !is_list(list, ret))
		ret = -EIO;
	return ret;
}

static const struct xattr_handler any_handler = {
	.prefix = "",
	.get = fblk_getxattr,
	.set = fblk_setxattr,
};

const struct xattr_handler *fblk_xattr_handlers[] = {
	&any_handler,
	NULL,
};
