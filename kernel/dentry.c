// SPDX-License-Identifier: GPL-2.0-only
/*
 * dentry.c: how long a name is trusted.  d_time holds until when, in jiffies;
 * a name that is older is looked up again, and what answers must be the inode
 * that it stands for.
 */
#include <linux/namei.h>
#include "fblk.h"

/* jiffies wrap: no name is trusted for longer than half the way round */
#define JIFFIES_FAR (ULONG_MAX / 4)

void fblk_entry_valid_until(struct dentry *dentry, u64 until)
{
	u64 now = get_jiffies_64();

	if (until <= now)
		dentry->d_time = jiffies - 1;
	else
		dentry->d_time = jiffies + (unsigned long)min_t(u64, until - now, JIFFIES_FAR);
}

void fblk_entry_stale(struct dentry *dentry)
{
	dentry->d_time = jiffies - 1;
}

static bool is_trusted(const struct dentry *dentry, unsigned int flags)
{
	if (flags & (LOOKUP_EXCL | LOOKUP_REVAL | LOOKUP_RENAME_TARGET))
		return false;
	return time_before_eq(jiffies, READ_ONCE(dentry->d_time));
}

/* READDIRPLUS saved this lookup: the next reading of the directory is to be such again.  RCU. */
static void note_use(const struct dentry *dentry, struct inode *inode)
{
	struct inode *dir = d_inode_rcu(READ_ONCE(dentry->d_parent));

	if (dir && test_and_clear_bit(FBLK_I_FROM_PLUS, &fblk_i(inode)->flags))
		set_bit(FBLK_I_WANTS_PLUS, &fblk_i(dir)->flags);
}

/* Does the answer speak of this very inode?  Then the lookup counts for it. */
static bool take_answer(struct dentry *dentry, struct inode *inode, const struct fuse_entry_out *out, u64 version)
{
	struct fblk_inode *fi = fblk_i(inode);

	if (out->nodeid != fi->nodeid || inode->i_generation != (u32)out->generation ||
	    ((inode->i_mode ^ out->attr.mode) & S_IFMT))
		return false;
	spin_lock(&fi->lock);
	fi->nlookup++;
	spin_unlock(&fi->lock);
	fblk_set_attr(inode, &out->attr, fblk_valid_until(out->attr_valid, out->attr_valid_nsec), version);
	fblk_entry_valid_until(dentry, fblk_valid_until(out->entry_valid, out->entry_valid_nsec));
	return true;
}

/* Returns 1, 0 if the name stands for something else now, or an error that says nothing about it. */
static int look_again(struct dentry *dentry, struct inode *inode)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct dentry *parent = dget_parent(dentry);
	struct fblk_args args = FBLK_ARGS(FUSE_LOOKUP, fblk_nodeid(d_inode(parent)));
	u64 version = fblk_attr_version(conn);
	struct fblk_forget *forget = fblk_forget_new();
	struct fuse_entry_out out = {};
	int err = -ENOMEM, ret = 0;

	if (forget) {
		fblk_in_name(&args, &dentry->d_name);
		fblk_out(&args, &out, sizeof(out));
		err = fblk_call(conn, &args);
	}
	dput(parent);
	if (!err && out.nodeid) {
		ret = fblk_entry_is_valid(&out) && take_answer(dentry, inode, &out, version);
		if (!ret) {
			fblk_forget(conn, forget, out.nodeid);
			forget = NULL;
		}
	}
	if (forget)
		fblk_forget_free(forget);
	return err == -ENOMEM || err == -EINTR ? err : ret;
}

static int fblk_d_revalidate(struct dentry *dentry, unsigned int flags)
{
	struct inode *inode = d_inode_rcu(dentry);

	if (inode && fblk_is_bad(inode))
		return 0;
	if (is_trusted(dentry, flags)) {
		if (inode) {
			rcu_read_lock();
			note_use(dentry, inode);
			rcu_read_unlock();
		}
		return 1;
	}
	if (!inode)
		return 0;
	if (flags & LOOKUP_RCU)
		return -ECHILD;
	return look_again(dentry, inode);
}

/* A name of a bad inode is of no use to anybody. */
static int fblk_d_delete(const struct dentry *dentry)
{
	return !d_really_is_negative(dentry) && fblk_is_bad(d_inode(dentry));
}

const struct dentry_operations fblk_dentry_operations = {
	.d_revalidate = fblk_d_revalidate,
	.d_delete = fblk_d_delete,
};
