// SPDX-License-Identifier: GPL-2.0-only
/*
 * ioctl.c: ioctls on files and directories.  Their number says how many bytes
 * go which way; nothing else of the caller's memory is touched.
 */
#include <linux/compat.h>
#include <linux/fileattr.h>
#include <linux/slab.h>
#include "fblk.h"

#define MINOR_IOCTL_DIR 18		/* daemons before know of none on directories */

/* The direction and size of @cmd's argument, with the two that lie about it. */
static size_t argument_size(unsigned int cmd)
{
	switch (cmd) {
	case FS_IOC_GETFLAGS:
	case FS_IOC_SETFLAGS:
		return sizeof(int);
	default:
		return _IOC_SIZE(cmd);
	}
}

/* Is there such a call to the daemon? */
static int check(struct inode *inode)
{
	struct fblk_conn *conn = fblk_conn_of(inode);

	if (fblk_may_enter(conn))
		return -EACCES;
	if (fblk_is_bad(inode))
		return -EIO;
	if (S_ISDIR(inode->i_mode) && conn->proto.minor < MINOR_IOCTL_DIR)
		return -ENOTTY;
	return 0;
}

/* The call itself, on kernel memory: @size bytes of @buf go, come or both.  Returns the daemon's result or an error. */
static long call_ioctl(struct inode *inode, struct fblk_file *ff, unsigned int cmd, u64 arg, void *buf, size_t size, u32 flags)
{
	struct fblk_args args = FBLK_ARGS(FUSE_IOCTL, fblk_nodeid(inode));
	struct fuse_ioctl_in in = { .fh = ff->fh, .flags = flags, .cmd = cmd, .arg = arg };
	struct fuse_ioctl_out out = {};
	ssize_t ret;

	if (S_ISDIR(inode->i_mode))
		in.flags |= FUSE_IOCTL_DIR;
	in.in_size = _IOC_DIR(cmd) & _IOC_WRITE ? size : 0;
	in.out_size = _IOC_DIR(cmd) & _IOC_READ ? size : 0;
	fblk_in(&args, &in, sizeof(in));
	if (in.in_size)
		fblk_in(&args, buf, in.in_size);
	fblk_out(&args, &out, sizeof(out));
	fblk_out(&args, buf, in.out_size);
	args.reply_varies = true;
	ret = fblk_call(fblk_conn_of(inode), &args);
	if (ret < 0)
		return ret == -ENOSYS ? -ENOTTY : ret;
	/* a retry would have the daemon name the caller's memory: not here */
	return out.flags & FUSE_IOCTL_RETRY ? -EIO : out.result;
}

static long ioctl(struct file *file, unsigned int cmd, unsigned long arg, u32 flags)
{
	struct inode *inode = file_inode(file);
	size_t size = argument_size(cmd);
	void __user *user = (void __user *)arg;
	long ret = check(inode);
	void *buf;

	if (ret)
		return ret;
	buf = kzalloc(max_t(size_t, size, 1), GFP_KERNEL);
	if (!buf)
		return -ENOMEM;
	if ((_IOC_DIR(cmd) & _IOC_WRITE) && copy_from_user(buf, user, size))
		ret = -EFAULT;
	if (!ret)
		ret = call_ioctl(inode, fblk_f(file), cmd, arg, buf, size, flags);
	if (ret >= 0 && (_IOC_DIR(cmd) & _IOC_READ) && copy_to_user(user, buf, size))
		ret = -EFAULT;
	kfree(buf);
	return ret;
}

long fblk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl(file, cmd, arg, 0);
}

long fblk_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	return ioctl(file, cmd, (unsigned long)compat_ptr(arg), FUSE_IOCTL_COMPAT);
}

/* ---- flags of a file, without an open one ------------------------------------------------------ */

static int open_for_flags(struct inode *inode, struct fblk_file **out)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	bool is_dir = S_ISDIR(inode->i_mode);
	struct fblk_args args = FBLK_ARGS(is_dir ? FUSE_OPENDIR : FUSE_OPEN, fblk_nodeid(inode));
	struct fuse_open_in in = { .flags = O_RDONLY | (is_dir ? O_DIRECTORY : 0) };
	struct fuse_open_out reply = {};
	struct fblk_file *ff = fblk_file_new(conn, is_dir);
	int err;

	if (!ff)
		return -ENOMEM;
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, &reply, sizeof(reply));
	err = fblk_call_optional(conn, &args);
	if (err == -ENOSYS) {
		ff->unasked = true;
		err = 0;
	}
	if (err) {
		fblk_file_discard(ff);
		return err;
	}
	ff->fh = reply.fh;
	*out = ff;
	return 0;
}

static void close_for_flags(struct fblk_file *ff, struct inode *inode)
{
	if (ff->unasked)
		fblk_file_discard(ff);
	else
		fblk_file_close(ff, inode, fblk_nodeid(inode), O_RDONLY);
}

static int flags_ioctl(struct dentry *dentry, unsigned int cmd, void *buf, size_t size)
{
	struct inode *inode = d_inode(dentry);
	struct fblk_file *ff;
	long ret;

	if (!S_ISREG(inode->i_mode) && !S_ISDIR(inode->i_mode))
		return -ENOTTY;
	ret = check(inode);
	if (!ret)
		ret = open_for_flags(inode, &ff);
	if (ret)
		return ret;
	ret = call_ioctl(inode, ff, cmd, 0, buf, size, 0);
	close_for_flags(ff, inode);
	return ret > 0 ? -EIO : ret;
}

int fblk_fileattr_get(struct dentry *dentry, struct fileattr *fa)
{
	struct fsxattr xattr = {};
	u32 flags = 0;
	int err;

	if (fa->flags_valid) {
		err = flags_ioctl(dentry, FS_IOC_GETFLAGS, &flags, sizeof(flags));
		if (!err)
			fileattr_fill_flags(fa, flags);
		return err;
	}
	err = flags_ioctl(dentry, FS_IOC_FSGETXATTR, &xattr, sizeof(xattr));
	if (err)
		return err;
	fileattr_fill_xflags(fa, xattr.fsx_xflags);
	fa->fsx_extsize = xattr.fsx_extsize;
	fa->fsx_nextents = xattr.fsx_nextents;
	fa->fsx_projid = xattr.fsx_projid;
	fa->fsx_cowextsize = xattr.fsx_cowextsize;
	return 0;
}

int fblk_fileattr_set(struct fblk_idmap *idmap, struct dentry *dentry, struct fileattr *fa)
{
	struct fsxattr xattr = {
		.fsx_xflags = fa->fsx_xflags, .fsx_extsize = fa->fsx_extsize, .fsx_nextents = fa->fsx_nextents,
		.fsx_projid = fa->fsx_projid, .fsx_cowextsize = fa->fsx_cowextsize,
	};
	u32 flags = fa->flags;

	if (fa->flags_valid)
		return flags_ioctl(dentry, FS_IOC_SETFLAGS, &flags, sizeof(flags));
	return flags_ioctl(dentry, FS_IOC_FSSETXATTR, &xattr, sizeof(xattr));
}
