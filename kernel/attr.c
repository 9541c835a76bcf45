// SPDX-License-Identifier: GPL-2.0-only
/*
 * attr.c: attributes: how long they are trusted, asking for them, changing
 * them, and what they permit.
 *
 * A reply may have been overtaken by a later change.  So every change of a
 * size, ours or told by the daemon, gets a number (attr_version); a call notes
 * the number before it goes out, and its reply says nothing about an inode
 * that has a later one.
 */
#include <linux/cred.h>
#include <linux/pagemap.h>
#include <linux/posix_acl.h>
#include <linux/user_namespace.h>
#include "fblk.h"

u64 fblk_attr_version(struct fblk_conn *conn)
{
	return atomic64_read(&conn->attr_version);
}

u64 fblk_valid_until(u64 seconds, u32 nanoseconds)
{
	struct timespec64 t = { .tv_nsec = min_t(u32, nanoseconds, NSEC_PER_SEC - 1) };

	if (!seconds && !nanoseconds)
		return 0;
	t.tv_sec = min_t(u64, seconds, MAX_SEC_IN_JIFFIES);
	return get_jiffies_64() + timespec64_to_jiffies(&t);
}

void fblk_stale(struct inode *inode, u32 mask)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	WRITE_ONCE(fi->stale, fi->stale | mask);
	spin_unlock(&fi->lock);
}

void fblk_read_done(struct inode *inode)
{
	if (!IS_RDONLY(inode))
		fblk_stale(inode, STATX_ATIME);
}

void fblk_dir_changed(struct inode *dir)
{
	fblk_stale(dir, STATX_BASIC_STATS);
	fblk_dircache_drop(dir);
}

static void new_version_locked(struct fblk_inode *fi)
{
	fi->attr_version = atomic64_inc_return(&fblk_conn_of(&fi->inode)->attr_version);
}

void fblk_grow(struct inode *inode, loff_t end)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	new_version_locked(fi);
	if (end > inode->i_size)
		i_size_write(inode, end);
	spin_unlock(&fi->lock);
}

void fblk_found_end(struct inode *inode, loff_t end, u64 version)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	if (fi->attr_version == version && !fi->size_unstable && end < inode->i_size) {
		new_version_locked(fi);
		i_size_write(inode, end);
	}
	spin_unlock(&fi->lock);
}

void fblk_truncated(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	new_version_locked(fi);
	i_size_write(inode, 0);
	spin_unlock(&fi->lock);
	truncate_pagecache(inode, 0);
	fblk_stale(inode, STATX_BASIC_STATS);
}

/* ---- asking ---------------------------------------------------------------------------- */

static bool is_fresh(struct inode *inode, u32 mask)
{
	struct fblk_inode *fi = fblk_i(inode);

	return !(READ_ONCE(fi->stale) & mask) && time_before_eq64(get_jiffies_64(), READ_ONCE(fi->valid_until));
}

/* The daemon's answer to GETATTR or SETATTR.  -EIO if it is not of this inode. */
static int take_reply(struct inode *inode, const struct fuse_attr_out *out)
{
	if (fblk_attr_is_valid(&out->attr) && !((inode->i_mode ^ out->attr.mode) & S_IFMT))
		return 0;
	fblk_make_bad(inode);
	return -EIO;
}

static int getattr(struct inode *inode, struct file *file)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(FUSE_GETATTR, fblk_nodeid(inode));
	u64 version = fblk_attr_version(conn);
	struct fuse_getattr_in in = {};
	struct fuse_attr_out out = {};
	int err;

	if (file && S_ISREG(inode->i_mode)) {
		in.getattr_flags = FUSE_GETATTR_FH;
		in.fh = fblk_f(file)->fh;
	}
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, &out, sizeof(out));
	err = fblk_call(conn, &args);
	if (!err)
		err = take_reply(inode, &out);
	if (!err)
		fblk_set_attr(inode, &out.attr, fblk_valid_until(out.attr_valid, out.attr_valid_nsec), version);
	return err;
}

int fblk_refresh(struct inode *inode, struct file *file, u32 mask)
{
	if (fblk_is_bad(inode))
		return -EIO;
	return is_fresh(inode, mask) ? 0 : getattr(inode, file);
}

static int sync_as_asked(struct inode *inode, u32 mask, unsigned int flags)
{
	if (flags & AT_STATX_FORCE_SYNC)
		return getattr(inode, NULL);
	if (flags & AT_STATX_DONT_SYNC)
		return 0;
	return fblk_refresh(inode, NULL, mask);
}

int fblk_getattr(struct fblk_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask, unsigned int flags)
{
	struct inode *inode = d_inode(path->dentry);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (fblk_may_enter(fblk_conn_of(inode))) {
		/* who asks for nothing learns on which device this is (umount does) */
		if (mask)
			return -EACCES;
		stat->result_mask = 0;
		stat->dev = inode->i_sb->s_dev;
		return 0;
	}
	err = sync_as_asked(inode, mask, flags);
	if (err)
		return err;
	generic_fillattr(idmap, inode, stat);
	stat->ino = fblk_i(inode)->orig_ino;
	stat->mode = fblk_i(inode)->orig_mode;
	stat->blksize = 1 << fblk_i(inode)->blkbits;
	return 0;
}

/* ---- changing ----------------------------------------------------------------------------- */

static void fill_times(struct fblk_conn *conn, const struct iattr *attr, struct fuse_setattr_in *in)
{
	if (attr->ia_valid & ATTR_ATIME) {
		in->valid |= FATTR_ATIME | (attr->ia_valid & ATTR_ATIME_SET ? 0 : FATTR_ATIME_NOW);
		in->atime = attr->ia_atime.tv_sec;
		in->atimensec = attr->ia_atime.tv_nsec;
	}
	if (attr->ia_valid & ATTR_MTIME) {
		in->valid |= FATTR_MTIME | (attr->ia_valid & ATTR_MTIME_SET ? 0 : FATTR_MTIME_NOW);
		in->mtime = attr->ia_mtime.tv_sec;
		in->mtimensec = attr->ia_mtime.tv_nsec;
	}
}

/* A truncation by open or by a process sets the times itself: the daemon needs no times then. */
static bool has_own_times(const struct iattr *attr)
{
	return (attr->ia_valid & ATTR_SIZE) && (attr->ia_valid & (ATTR_OPEN | ATTR_FILE)) && !(attr->ia_valid & ATTR_MTIME_SET);
}

static void fill_setattr(struct fblk_conn *conn, const struct iattr *attr, struct fuse_setattr_in *in)
{
	if (attr->ia_valid & ATTR_MODE) {
		in->valid |= FATTR_MODE;
		in->mode = attr->ia_mode;
	}
	if (attr->ia_valid & ATTR_UID) {
		in->valid |= FATTR_UID;
		in->uid = from_kuid(conn->user_ns, attr->ia_uid);
	}
	if (attr->ia_valid & ATTR_GID) {
		in->valid |= FATTR_GID;
		in->gid = from_kgid(conn->user_ns, attr->ia_gid);
	}
	if (!has_own_times(attr))
		fill_times(conn, attr, in);
	if (attr->ia_valid & ATTR_SIZE) {
		in->valid |= FATTR_SIZE | FATTR_LOCKOWNER;
		in->size = attr->ia_size;
		in->lock_owner = fblk_owner(conn, current->files);
	}
	/* a truncation by open() is of the node, not by the handle that is only being made */
	if ((attr->ia_valid & (ATTR_FILE | ATTR_OPEN)) == ATTR_FILE && S_ISREG(file_inode(attr->ia_file)->i_mode)) {
		in->valid |= FATTR_FH;
		in->fh = fblk_f(attr->ia_file)->fh;
	}
}

/* Returns 0 with the daemon's view, checked, in *@out. */
static int call_setattr(struct inode *inode, const struct iattr *attr, struct fuse_attr_out *out)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(FUSE_SETATTR, fblk_nodeid(inode));
	struct fuse_setattr_in in = {};
	int err;

	fill_setattr(conn, attr, &in);
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, out, sizeof(*out));
	err = fblk_call(conn, &args);
	if (err == -EINTR)
		fblk_stale(inode, STATX_BASIC_STATS);	/* done or not */
	return err ? err : take_reply(inode, out);
}

/* The set-id bits that chown, truncate or write takes away become a mode to set, of what the daemon now says it is. */
static int drop_set_id(struct inode *inode, struct iattr *attr)
{
	unsigned int kill = attr->ia_valid & (ATTR_KILL_SUID | ATTR_KILL_SGID);
	int err;

	if (!kill)
		return 0;
	attr->ia_valid &= ~(ATTR_KILL_SUID | ATTR_KILL_SGID | ATTR_MODE);
	if (fblk_has(fblk_conn_of(inode), FUSE_HANDLE_KILLPRIV))
		return 0;
	err = getattr(inode, NULL);
	if (err)
		return err;
	attr->ia_mode = inode->i_mode;
	if (kill & ATTR_KILL_SUID)
		attr->ia_mode &= ~S_ISUID;
	if ((kill & ATTR_KILL_SGID) && (inode->i_mode & (S_ISGID | S_IXGRP)) == (S_ISGID | S_IXGRP))
		attr->ia_mode &= ~S_ISGID;
	if (attr->ia_mode != inode->i_mode)
		attr->ia_valid |= ATTR_MODE;
	return 0;
}

static int change(struct inode *inode, const struct iattr *attr)
{
	u64 version = fblk_attr_version(fblk_conn_of(inode));
	struct fuse_attr_out out = {};
	int err = call_setattr(inode, attr, &out);

	if (!err)
		fblk_set_attr(inode, &out.attr, fblk_valid_until(out.attr_valid, out.attr_valid_nsec), version);
	return err;
}

static void set_unstable(struct inode *inode, bool unstable)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	fi->size_unstable = unstable;
	spin_unlock(&fi->lock);
}

/* With the size: i_rwsem keeps out writes, invalidate_lock page faults, and nothing dirty is left to be written later. */
static int change_size_locked(struct inode *inode, const struct iattr *attr)
{
	loff_t old_size = i_size_read(inode);
	u64 version = fblk_attr_version(fblk_conn_of(inode));
	struct fuse_attr_out out = {};
	int err = fblk_write_back(inode, min_t(loff_t, old_size, attr->ia_size), LLONG_MAX);

	if (err)
		return err;
	set_unstable(inode, true);
	err = call_setattr(inode, attr, &out);
	set_unstable(inode, false);
	if (err)
		return err;
	if (out.attr.size > old_size)
		truncate_pagecache(inode, old_size);	/* no page keeps what was past the end */
	fblk_set_attr(inode, &out.attr, fblk_valid_until(out.attr_valid, out.attr_valid_nsec), version);
	return 0;
}

static int change_size(struct inode *inode, const struct iattr *attr)
{
	int err;

	inode_dio_wait(inode);
	filemap_invalidate_lock(inode->i_mapping);
	err = change_size_locked(inode, attr);
	filemap_invalidate_unlock(inode->i_mapping);
	return err;
}

/* OPEN has done it, and fblk_open() noted that; not so for a daemon that is not asked to open. */
static bool was_truncated_by_open(const struct fblk_conn *conn, const struct iattr *attr)
{
	if (!(attr->ia_valid & ATTR_OPEN) || !fblk_has(conn, FUSE_ATOMIC_O_TRUNC))
		return false;
	return !(attr->ia_valid & ATTR_FILE) || !fblk_f(attr->ia_file)->unasked;
}

int fblk_setattr(struct fblk_idmap *idmap, struct dentry *dentry, struct iattr *attr)
{
	struct inode *inode = d_inode(dentry);
	struct fblk_conn *conn = fblk_conn_of(inode);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (fblk_may_enter(conn))
		return -EACCES;
	err = drop_set_id(inode, attr);
	if (err || !attr->ia_valid)
		return err;
	if (!conn->default_permissions)
		attr->ia_valid |= ATTR_FORCE;	/* the daemon decides */
	err = setattr_prepare(idmap, dentry, attr);
	if (err)
		return err;
	if (was_truncated_by_open(conn, attr))
		return 0;
	err = (attr->ia_valid & ATTR_SIZE) && S_ISREG(inode->i_mode) ? change_size(inode, attr) : change(inode, attr);
	if (!err && (attr->ia_valid & (ATTR_UID | ATTR_GID | ATTR_MODE)))
		forget_all_cached_acls(inode);
	return err;
}

/* ---- permission ------------------------------------------------------------------------------ */

/* A process that the mount's owner could trace, for it shows the daemon as much as tracing does. */
static bool is_traceable(const struct fblk_conn *conn)
{
	const struct cred *cred = current_cred();

	return uid_eq(cred->euid, conn->user_id) && uid_eq(cred->suid, conn->user_id) && uid_eq(cred->uid, conn->user_id) &&
	       gid_eq(cred->egid, conn->group_id) && gid_eq(cred->sgid, conn->group_id) && gid_eq(cred->gid, conn->group_id);
}

int fblk_may_enter(struct fblk_conn *conn)
{
	if (conn->allow_other ? current_in_userns(conn->user_ns) : is_traceable(conn))
		return 0;
	return -EACCES;
}

static int call_access(struct inode *inode, int mask)
{
	struct fblk_args args = FBLK_ARGS(FUSE_ACCESS, fblk_nodeid(inode));
	struct fuse_access_in in = { .mask = mask & (MAY_READ | MAY_WRITE | MAY_EXEC) };
	int err;

	fblk_in(&args, &in, sizeof(in));
	err = fblk_call_optional(fblk_conn_of(inode), &args);
	return err == -ENOSYS ? 0 : err;
}

static int ask_if_old(struct inode *inode, int mask, u32 attributes)
{
	if (is_fresh(inode, attributes))
		return 0;
	return mask & MAY_NOT_BLOCK ? -ECHILD : getattr(inode, NULL);
}

/* The mode decides; once more with fresh attributes before anything is denied. */
static int decide_by_mode(struct fblk_idmap *idmap, struct inode *inode, int mask)
{
	u64 until = READ_ONCE(fblk_i(inode)->valid_until);
	int err = ask_if_old(inode, mask, STATX_MODE | STATX_UID | STATX_GID);

	if (err)
		return err;
	err = generic_permission(idmap, inode, mask);
	if (err != -EACCES || READ_ONCE(fblk_i(inode)->valid_until) != until)
		return err;
	if (mask & MAY_NOT_BLOCK)
		return -ECHILD;
	err = getattr(inode, NULL);
	return err ? err : generic_permission(idmap, inode, mask);
}

/* The daemon decides when it is asked to do something, but what no one may execute is known here. */
static int decide_by_daemon(struct inode *inode, int mask)
{
	int err;

	if (mask & (MAY_ACCESS | MAY_CHDIR))
		return mask & MAY_NOT_BLOCK ? -ECHILD : call_access(inode, mask);
	if (!(mask & MAY_EXEC) || !S_ISREG(inode->i_mode) || (inode->i_mode & 0111))
		return 0;
	err = mask & MAY_NOT_BLOCK ? -ECHILD : getattr(inode, NULL);
	if (err)
		return err;
	return inode->i_mode & 0111 ? 0 : -EACCES;
}

int fblk_permission(struct fblk_idmap *idmap, struct inode *inode, int mask)
{
	struct fblk_conn *conn = fblk_conn_of(inode);

	if (fblk_is_bad(inode))
		return -EIO;
	if (fblk_may_enter(conn))
		return -EACCES;
	return conn->default_permissions ? decide_by_mode(idmap, inode, mask) : decide_by_daemon(inode, mask);
}
