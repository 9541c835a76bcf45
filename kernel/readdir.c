// SPDX-License-Identifier: GPL-2.0-only
/*
 * readdir.c: directories.  A reply of READDIRPLUS also fills the dentry cache;
 * each of its entries counts as a lookup at the daemon, so one that cannot be
 * used is given back with a FORGET.
 *
 * With READDIRPLUS_AUTO the attributes are asked for at the beginning of a
 * directory and then only as long as somebody uses them (dentry.c, namei.c).
 */
#include <linux/namei.h>
#include <linux/slab.h>
#include "fblk.h"

#define REPLY_SIZE_MAX (32u << 10)	/* what getdents() of the C library asks for */

/* ---- what READDIRPLUS brings ---------------------------------------------------------------- */

static void give_back(struct fblk_conn *conn, u64 nodeid)
{
	struct fblk_forget *forget = nodeid && nodeid != FUSE_ROOT_ID ? fblk_forget_new() : NULL;

	if (forget)
		fblk_forget(conn, forget, nodeid);
}

static u64 attr_until(const struct fuse_entry_out *entry)
{
	return fblk_valid_until(entry->attr_valid, entry->attr_valid_nsec);
}

/* A dentry is there: does it stand for this node?  Then the lookup counts for its inode. */
static bool refresh_known(struct inode *inode, const struct fuse_entry_out *entry, u64 version)
{
	struct fblk_inode *fi = fblk_i(inode);

	if (fi->nodeid != entry->nodeid || inode->i_generation != (u32)entry->generation || fblk_is_bad(inode) ||
	    ((inode->i_mode ^ entry->attr.mode) & S_IFMT))
		return false;
	spin_lock(&fi->lock);
	fi->nlookup++;
	spin_unlock(&fi->lock);
	fblk_set_attr(inode, &entry->attr, attr_until(entry), version);
	return true;
}

/* Fill a dentry that d_alloc_parallel() made.  Returns the dentry to use, with the reference, or an error; the lookup is counted or given back. */
static struct dentry *fill_new(struct super_block *sb, struct dentry *dentry, const struct fuse_entry_out *entry, u64 version)
{
	struct inode *inode = fblk_iget(sb, entry->nodeid, entry->generation, &entry->attr, attr_until(entry), version);
	struct dentry *alias;

	if (!inode)
		give_back(fblk_conn_of_sb(sb), entry->nodeid);
	alias = inode ? d_splice_alias(inode, dentry) : ERR_PTR(-ENOMEM);
	d_lookup_done(dentry);
	if (!alias)
		return dentry;
	dput(dentry);
	return alias;
}

/* A dentry that d_alloc_parallel() made, or one that stands for the entry's node and has its lookup; what stood for another is dropped. */
static struct dentry *find_dentry(struct dentry *parent, const struct qstr *name, const struct fuse_entry_out *entry,
				  u64 version, wait_queue_head_t *wq)
{
	struct dentry *dentry = d_lookup(parent, name);

	for (;;) {
		if (!dentry)
			dentry = d_alloc_parallel(parent, name, wq);
		if (IS_ERR(dentry) || d_in_lookup(dentry))
			return dentry;
		if (d_really_is_positive(dentry) && refresh_known(d_inode(dentry), entry, version))
			return dentry;
		d_invalidate(dentry);
		dput(dentry);
		dentry = NULL;
	}
}

static void link_entry(struct dentry *parent, const struct fblk_dirent *d, u64 version)
{
	DECLARE_WAIT_QUEUE_HEAD_ONSTACK(wq);
	const struct fuse_entry_out *entry = d->entry;
	struct super_block *sb = parent->d_sb;
	struct qstr name = QSTR_INIT(d->name, d->namelen);
	struct dentry *dentry;

	name.hash = full_name_hash(parent, name.name, name.len);
	dentry = find_dentry(parent, &name, entry, version, &wq);
	if (IS_ERR(dentry)) {
		give_back(fblk_conn_of_sb(sb), entry->nodeid);
		return;
	}
	if (d_in_lookup(dentry)) {
		dentry = fill_new(sb, dentry, entry, version);
		if (IS_ERR(dentry))
			return;
	}
	set_bit(FBLK_I_FROM_PLUS, &fblk_i(d_inode(dentry))->flags);
	fblk_entry_valid_until(dentry, fblk_valid_until(entry->entry_valid, entry->entry_valid_nsec));
	dput(dentry);
}

/* Take the entry's lookup over, or give it back if it cannot be one: the name is listed all the same. */
static void take_lookup(struct file *file, const struct fblk_dirent *d, u64 version)
{
	if (!d->entry || !d->entry->nodeid || fblk_dirent_is_dot(d))
		return;
	if (fblk_entry_is_valid(d->entry))
		link_entry(file->f_path.dentry, d, version);
	else
		give_back(fblk_conn_of(file_inode(file)), d->entry->nodeid);
}

/* ---- a reply ----------------------------------------------------------------------------------- */

/* A caller with a small buffer is not to have the daemon list for nothing again and again. */
static void adapt_size(struct fblk_file *ff, bool all_handed_out)
{
	ff->reply_size = all_handed_out ? min(2 * ff->reply_size, REPLY_SIZE_MAX) : PAGE_SIZE;
}

/* Hand out a reply's entries until the caller has no room; the lookups of the rest are taken over all the same. */
static int emit_reply(struct file *file, struct dir_context *ctx, const void *reply, size_t len, bool plus, u64 version)
{
	struct fblk_dirent d;
	bool room = true;
	size_t pos = 0;
	int ret;

	while ((ret = fblk_dirent_next(reply, len, plus, &pos, &d)) > 0) {
		if (room) {
			room = dir_emit(ctx, d.name, d.namelen, d.ino, d.type);
			if (room) {
				fblk_dircache_add(file, ctx->pos, &d);
				ctx->pos = d.next;
			}
		}
		take_lookup(file, &d, version);
	}
	adapt_size(fblk_f(file), room);
	return ret;
}

static bool wants_plus(struct inode *dir, const struct dir_context *ctx)
{
	struct fblk_conn *conn = fblk_conn_of(dir);

	if (!fblk_has(conn, FUSE_DO_READDIRPLUS))
		return false;
	if (!fblk_has(conn, FUSE_READDIRPLUS_AUTO))
		return true;
	return test_and_clear_bit(FBLK_I_WANTS_PLUS, &fblk_i(dir)->flags) || ctx->pos == 0;
}

static ssize_t call_readdir(struct file *file, loff_t pos, void *reply, size_t size, bool plus)
{
	struct inode *dir = file_inode(file);
	struct fblk_file *ff = fblk_f(file);
	struct fblk_args args = FBLK_ARGS(plus ? FUSE_READDIRPLUS : FUSE_READDIR, fblk_nodeid(dir));
	struct fuse_read_in in;

	fblk_fill_read(&in, ff, pos, size, file->f_flags);
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, reply, size);
	args.reply_varies = true;
	return fblk_call(fblk_conn_of(dir), &args);
}

static int read_some(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	struct fblk_conn *conn = fblk_conn_of(dir);
	size_t size = min_t(size_t, fblk_f(file)->reply_size, fblk_io_max(conn, false));
	bool plus = wants_plus(dir, ctx);
	u64 version = fblk_attr_version(conn);
	void *reply = kmalloc(size, GFP_KERNEL);
	ssize_t ret;

	if (!reply)
		return -ENOMEM;
	ret = call_readdir(file, ctx->pos, reply, size, plus);
	fblk_read_done(dir);
	if (ret > 0)
		ret = emit_reply(file, ctx, reply, ret, plus, version);
	else if (!ret)
		fblk_dircache_end(file, ctx->pos);
	kfree(reply);
	return ret;
}

static int fblk_readdir(struct file *file, struct dir_context *ctx)
{
	struct inode *dir = file_inode(file);
	bool one_by_one = !fblk_has(fblk_conn_of(dir), FUSE_PARALLEL_DIROPS);
	struct fblk_file *ff = fblk_f(file);
	int err;

	if (fblk_is_bad(dir))
		return -EIO;
	if (one_by_one)
		mutex_lock(&fblk_i(dir)->dir_lock);
	mutex_lock(&ff->readdir_lock);
	err = fblk_dircache_emit(file, ctx);
	if (!err)
		err = read_some(file, ctx);
	mutex_unlock(&ff->readdir_lock);
	if (one_by_one)
		mutex_unlock(&fblk_i(dir)->dir_lock);
	return min(err, 0);
}

const struct file_operations fblk_dir_operations = {
	.llseek = generic_file_llseek,
	.read = generic_read_dir,
	.iterate_shared = fblk_readdir,
	.open = fblk_dir_open,
	.release = fblk_dir_release,
	.fsync = fblk_dir_fsync,
	.unlocked_ioctl = fblk_ioctl,
	.compat_ioctl = fblk_compat_ioctl,
};
