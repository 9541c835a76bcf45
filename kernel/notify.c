// SPDX-License-Identifier: GPL-2.0-only
/*
 * notify.c: what the daemon sends unasked: inodes and names that are not to be
 * trusted any more.  It runs in the daemon's write, and may wait for locks
 * that its own requests hold: a daemon must not send them while it serves one.
 */
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/slab.h>
#include "fblk.h"

static int take(struct iov_iter *from, void *body, size_t len, bool all)
{
	if (all ? iov_iter_count(from) != len : iov_iter_count(from) < len)
		return -EINVAL;
	return copy_from_iter_full(body, len, from) ? 0 : -EFAULT;
}

/* ---- inodes -------------------------------------------------------------------------------- */

static void drop_range(struct inode *inode, loff_t offset, loff_t length)
{
	pgoff_t first = offset >> PAGE_SHIFT;
	pgoff_t last = length <= 0 ? (pgoff_t)-1 : (offset + length - 1) >> PAGE_SHIFT;

	invalidate_inode_pages2_range(inode->i_mapping, first, last);
}

/* Nor is an answer to be trusted that is under way. */
static void distrust(struct fblk_conn *conn, struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&conn->attr_version);
	spin_unlock(&fi->lock);
	fblk_stale(inode, STATX_BASIC_STATS);
	forget_all_cached_acls(inode);
}

static int inval_inode(struct fblk_conn *conn, struct iov_iter *from)
{
	struct fuse_notify_inval_inode_out out;
	struct inode *inode;
	int err = take(from, &out, sizeof(out), true);

	if (err)
		return err;
	inode = fblk_ilookup(conn->sb, out.ino);
	if (!inode)
		return -ENOENT;
	distrust(conn, inode);
	if (out.off >= 0 && (S_ISREG(inode->i_mode) || S_ISLNK(inode->i_mode)))
		drop_range(inode, out.off, out.len);
	if (out.off >= 0 && S_ISDIR(inode->i_mode))
		fblk_dircache_drop(inode);
	iput(inode);
	return 0;
}

/* ---- names ----------------------------------------------------------------------------------- */

/* A name of @len bytes with its NUL.  Returns it, to be freed, or an error pointer. */
static char *take_name(struct iov_iter *from, u32 len)
{
	char *name;
	int err;

	if (len > FBLK_NAME_MAX)
		return ERR_PTR(-ENAMETOOLONG);
	name = kmalloc(len + 1, GFP_KERNEL);
	if (!name)
		return ERR_PTR(-ENOMEM);
	err = take(from, name, len + 1, true);
	if (!err && (name[len] || memchr(name, 0, len)))
		err = -EINVAL;
	if (!err)
		return name;
	kfree(name);
	return ERR_PTR(err);
}

/* It was removed at the daemon: is it gone here too, or is somebody in it? */
static int delete_entry(struct dentry *entry)
{
	struct inode *inode = d_inode(entry);
	int err = 0;

	inode_lock(inode);
	if (d_mountpoint(entry))
		err = -EBUSY;
	if (!err && S_ISDIR(inode->i_mode)) {
		shrink_dcache_parent(entry);
		if (!simple_empty(entry))
			err = -ENOTEMPTY;
		else
			inode->i_flags |= S_DEAD;
	}
	if (!err) {
		dont_mount(entry);
		clear_nlink(inode);
	}
	inode_unlock(inode);
	if (!err)
		d_delete(entry);
	return err;
}

/* @child: 0, or the node that the name must stand for and that was removed. */
static int drop_name(struct inode *parent, const char *name, u64 child, bool only_expire)
{
	struct qstr q = QSTR_INIT(name, strlen(name));
	struct dentry *dir, *entry;
	int err = -ENOENT;

	inode_lock_nested(parent, I_MUTEX_PARENT);
	dir = S_ISDIR(parent->i_mode) ? d_find_alias(parent) : NULL;
	entry = dir ? d_hash_and_lookup(dir, &q) : NULL;
	if (!IS_ERR_OR_NULL(entry)) {
		err = 0;
		fblk_dir_changed(parent);
		if (!only_expire)
			d_invalidate(entry);
		fblk_entry_stale(entry);
		if (child && d_really_is_positive(entry))
			err = fblk_nodeid(d_inode(entry)) == child ? delete_entry(entry) : -ENOENT;
		dput(entry);
	}
	dput(dir);
	inode_unlock(parent);
	return err;
}

static int drop_entry(struct fblk_conn *conn, u64 parent, u64 child, u32 namelen, struct iov_iter *from, bool only_expire)
{
	char *name = take_name(from, namelen);
	struct inode *dir;
	int err = -ENOENT;

	if (IS_ERR(name))
		return PTR_ERR(name);
	dir = fblk_ilookup(conn->sb, parent);
	if (dir) {
		err = drop_name(dir, name, child, only_expire);
		iput(dir);
	}
	kfree(name);
	return err;
}

static int inval_entry(struct fblk_conn *conn, struct iov_iter *from)
{
	struct fuse_notify_inval_entry_out out;
	int err = take(from, &out, sizeof(out), false);

	return err ? err : drop_entry(conn, out.parent, 0, out.namelen, from, out.flags & FUSE_EXPIRE_ONLY);
}

static int delete(struct fblk_conn *conn, struct iov_iter *from)
{
	struct fuse_notify_delete_out out;
	int err = take(from, &out, sizeof(out), false);

	return err ? err : drop_entry(conn, out.parent, out.child, out.namelen, from, false);
}

int fblk_notify(struct fblk_conn *conn, unsigned int code, struct iov_iter *from)
{
	int err = -ENOENT;

	down_read(&conn->sb_lock);
	if (conn->sb) {
		switch (code) {
		case FUSE_NOTIFY_INVAL_INODE:
			err = inval_inode(conn, from);
			break;
		case FUSE_NOTIFY_INVAL_ENTRY:
			err = inval_entry(conn, from);
			break;
		case FUSE_NOTIFY_DELETE:
			err = delete(conn, from);
			break;
		default:
			err = -EINVAL;
		}
	}
	up_read(&conn->sb_lock);
	return err;
}
