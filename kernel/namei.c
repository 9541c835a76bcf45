// SPDX-License-Identifier: GPL-2.0-only
/*
 * namei.c: names: looked up, made, moved and removed.
 *
 * Every entry that the daemon sends counts as a lookup there.  So before a
 * call that brings one, the FORGET is allocated that gives it back if the
 * entry cannot be used.
 */
#include <linux/namei.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "fblk.h"

bool fblk_entry_is_valid(const struct fuse_entry_out *entry)
{
	return entry->nodeid && entry->nodeid != FUSE_ROOT_ID && fblk_attr_is_valid(&entry->attr);
}

static u64 entry_until(const struct fuse_entry_out *out)
{
	return fblk_valid_until(out->entry_valid, out->entry_valid_nsec);
}

static struct inode *iget_entry(struct super_block *sb, const struct fuse_entry_out *out, u64 version)
{
	return fblk_iget(sb, out->nodeid, out->generation, &out->attr, fblk_valid_until(out->attr_valid, out->attr_valid_nsec),
			 version);
}

/* ---- lookup ------------------------------------------------------------------------------ */

int fblk_lookup_name(struct super_block *sb, u64 dir, const struct qstr *name, struct fuse_entry_out *out,
		     struct inode **inode)
{
	struct fblk_conn *conn = fblk_conn_of_sb(sb);
	struct fblk_args args = FBLK_ARGS(FUSE_LOOKUP, dir);
	u64 version = fblk_attr_version(conn);
	struct fblk_forget *forget;
	int err;

	*inode = NULL;
	if (name->len > FBLK_NAME_MAX)
		return -ENAMETOOLONG;
	forget = fblk_forget_new();
	if (!forget)
		return -ENOMEM;
	memset(out, 0, sizeof(*out));
	fblk_in_name(&args, name);
	fblk_out(&args, out, sizeof(*out));
	err = fblk_call(conn, &args);
	if (err || !out->nodeid)
		goto free_forget;
	if (!fblk_entry_is_valid(out)) {
		err = -EIO;
		if (out->nodeid == FUSE_ROOT_ID)
			goto free_forget;
		goto forget_it;
	}
	*inode = iget_entry(sb, out, version);
	if (*inode)
		goto free_forget;
	err = -ENOMEM;
forget_it:
	fblk_forget(conn, forget, out->nodeid);
	return err;
free_forget:
	fblk_forget_free(forget);
	return err;
}

static struct dentry *lookup(struct inode *dir, struct dentry *entry)
{
	struct fuse_entry_out out;
	struct dentry *alias;
	struct inode *inode;
	bool trusted;
	int err;

	err = fblk_lookup_name(dir->i_sb, fblk_nodeid(dir), &entry->d_name, &out, &inode);
	if (err && err != -ENOENT)
		return ERR_PTR(err);
	trusted = !err;
	alias = d_splice_alias(inode, entry);
	if (IS_ERR(alias))
		return alias;
	if (alias)
		entry = alias;
	if (trusted)
		fblk_entry_valid_until(entry, entry_until(&out));
	else
		fblk_entry_stale(entry);
	/* had READDIRPLUS been used, this call would not have been */
	if (inode)
		set_bit(FBLK_I_WANTS_PLUS, &fblk_i(dir)->flags);
	return alias;
}

static struct dentry *fblk_lookup(struct inode *dir, struct dentry *entry, unsigned int flags)
{
	bool one_by_one = !fblk_has(fblk_conn_of(dir), FUSE_PARALLEL_DIROPS);
	struct dentry *ret;

	if (fblk_is_bad(dir))
		return ERR_PTR(-EIO);
	if (one_by_one)
		mutex_lock(&fblk_i(dir)->dir_lock);
	ret = lookup(dir, entry);
	if (one_by_one)
		mutex_unlock(&fblk_i(dir)->dir_lock);
	return ret;
}

/* ---- making --------------------------------------------------------------------------------- */

/* The mode that the daemon is to use: with the umask taken off, unless it takes it off itself. */
static umode_t asked_mode(const struct fblk_conn *conn, umode_t mode)
{
	return fblk_has(conn, FUSE_DONT_MASK) ? mode : mode & ~current_umask();
}

/* Send @args, whose only reply is an entry of type @type, and put that on @entry. */
static int make(struct fblk_args *args, struct inode *dir, struct dentry *entry, umode_t type)
{
	struct fblk_conn *conn = fblk_conn_of(dir);
	u64 version = fblk_attr_version(conn);
	struct fblk_forget *forget;
	struct fuse_entry_out out = {};
	struct dentry *alias;
	struct inode *inode;
	int err;

	if (fblk_is_bad(dir))
		return -EIO;
	forget = fblk_forget_new();
	if (!forget)
		return -ENOMEM;
	fblk_out(args, &out, sizeof(out));
	err = fblk_call(conn, args);
	if (err) {
		fblk_forget_free(forget);
		if (err == -EINTR || err == -EEXIST)
			fblk_entry_stale(entry);
		return err;
	}
	if (!fblk_entry_is_valid(&out) || ((out.attr.mode ^ type) & S_IFMT)) {
		err = -EIO;
		if (out.nodeid && out.nodeid != FUSE_ROOT_ID)
			goto forget_it;
		fblk_forget_free(forget);
		return err;
	}
	inode = iget_entry(dir->i_sb, &out, version);
	if (!inode) {
		err = -ENOMEM;
		goto forget_it;
	}
	fblk_forget_free(forget);
	d_drop(entry);
	alias = d_splice_alias(inode, entry);
	if (IS_ERR(alias))
		return PTR_ERR(alias);
	fblk_entry_valid_until(alias ? alias : entry, entry_until(&out));
	fblk_dir_changed(dir);
	dput(alias);
	return 0;
forget_it:
	fblk_forget(conn, forget, out.nodeid);
	return err;
}

static int fblk_mknod(struct fblk_idmap *idmap, struct inode *dir, struct dentry *entry, umode_t mode, dev_t rdev)
{
	struct fblk_conn *conn = fblk_conn_of(dir);
	struct fblk_args args = FBLK_ARGS(FUSE_MKNOD, fblk_nodeid(dir));
	struct fuse_mknod_in in = {
		.mode = asked_mode(conn, mode), .rdev = new_encode_dev(rdev), .umask = current_umask(),
	};

	fblk_in(&args, &in, sizeof(in));
	fblk_in_name(&args, &entry->d_name);
	return make(&args, dir, entry, mode);
}

static int fblk_mkdir(struct fblk_idmap *idmap, struct inode *dir, struct dentry *entry, umode_t mode)
{
	struct fblk_conn *conn = fblk_conn_of(dir);
	struct fblk_args args = FBLK_ARGS(FUSE_MKDIR, fblk_nodeid(dir));
	struct fuse_mkdir_in in = { .mode = asked_mode(conn, mode), .umask = current_umask() };

	fblk_in(&args, &in, sizeof(in));
	fblk_in_name(&args, &entry->d_name);
	return make(&args, dir, entry, S_IFDIR);
}

static int fblk_symlink(struct fblk_idmap *idmap, struct inode *dir, struct dentry *entry, const char *target)
{
	struct fblk_args args = FBLK_ARGS(FUSE_SYMLINK, fblk_nodeid(dir));

	fblk_in_name(&args, &entry->d_name);
	fblk_in(&args, target, strlen(target) + 1);
	return make(&args, dir, entry, S_IFLNK);
}

static int fblk_link(struct dentry *old, struct inode *dir, struct dentry *entry)
{
	struct inode *inode = d_inode(old);
	struct fblk_args args = FBLK_ARGS(FUSE_LINK, fblk_nodeid(dir));
	struct fuse_link_in in = { .oldnodeid = fblk_nodeid(inode) };
	int err;

	fblk_in(&args, &in, sizeof(in));
	fblk_in_name(&args, &entry->d_name);
	err = make(&args, dir, entry, inode->i_mode);
	if (err == -EINTR)
		fblk_stale(inode, STATX_BASIC_STATS);
	return err == -ENOSYS ? -EPERM : err;
}

/* ---- made and opened at once -------------------------------------------------------------------- */

struct creation {
	struct inode *dir;
	struct dentry *entry;
	struct file *file;
	unsigned int flags;
	umode_t mode;
	u32 opcode;			/* FUSE_CREATE or FUSE_TMPFILE */
};

/* Open flags as OPEN and CREATE carry them. */
static u32 wire_flags(unsigned int flags)
{
	return flags & ~O_NOCTTY;
}

static int call_create(const struct creation *c, struct fuse_entry_out *entry, struct fuse_open_out *open)
{
	struct fblk_conn *conn = fblk_conn_of(c->dir);
	struct fblk_args args = FBLK_ARGS(c->opcode, fblk_nodeid(c->dir));
	struct fuse_create_in in = {
		.flags = wire_flags(c->flags), .mode = asked_mode(conn, c->mode), .umask = current_umask(),
	};

	fblk_in(&args, &in, sizeof(in));
	fblk_in_name(&args, &c->entry->d_name);
	fblk_out(&args, entry, sizeof(*entry));
	fblk_out(&args, open, sizeof(*open));
	return fblk_call(conn, &args);
}

/* The file exists and is open there; give @c->file to it. */
static int finish_creation(const struct creation *c, struct fblk_file *ff, struct inode *inode,
			   const struct fuse_entry_out *entry, const struct fuse_open_out *open)
{
	int err;

	d_instantiate(c->entry, inode);
	if (c->opcode == FUSE_CREATE) {
		fblk_entry_valid_until(c->entry, entry_until(entry));
		fblk_dir_changed(c->dir);
	}
	err = finish_open(c->file, c->entry, generic_file_open);
	if (err) {
		ff->fh = open->fh;
		fblk_file_close(ff, inode, fblk_nodeid(inode), c->flags);
		return err;
	}
	fblk_file_attach(c->file, inode, ff, open);
	if ((c->file->f_flags & O_TRUNC) && fblk_has(fblk_conn_of(inode), FUSE_ATOMIC_O_TRUNC))
		fblk_truncated(inode);
	else if (!(open->open_flags & FOPEN_KEEP_CACHE))
		invalidate_inode_pages2(inode->i_mapping);
	return 0;
}

static int create(const struct creation *c)
{
	struct super_block *sb = c->dir->i_sb;
	struct fblk_conn *conn = fblk_conn_of_sb(sb);
	u64 version = fblk_attr_version(conn);
	struct fblk_forget *forget = fblk_forget_new();
	struct fblk_file *ff = fblk_file_new(conn, false);
	struct fuse_entry_out entry = {};
	struct fuse_open_out open = {};
	struct inode *inode;
	int err = -ENOMEM;

	if (!forget || !ff)
		goto free;
	err = call_create(c, &entry, &open);
	if (err)
		goto free;
	if (!fblk_entry_is_valid(&entry) || !S_ISREG(entry.attr.mode)) {
		err = -EIO;
		if (!entry.nodeid || entry.nodeid == FUSE_ROOT_ID)
			goto free;
		goto close_it;
	}
	inode = iget_entry(sb, &entry, version);
	if (!inode) {
		err = -ENOMEM;
		goto close_it;
	}
	fblk_forget_free(forget);
	return finish_creation(c, ff, inode, &entry, &open);
close_it:
	ff->fh = open.fh;
	fblk_file_close(ff, NULL, entry.nodeid, c->flags);
	fblk_forget(conn, forget, entry.nodeid);
	return err;
free:
	if (ff)
		fblk_file_discard(ff);
	fblk_forget_free(forget);
	return err;
}

/* For daemons without CREATE: made, and VFS opens it. */
static int mknod_and_open(const struct creation *c, struct dentry *found)
{
	int err = fblk_mknod(&init_user_ns, c->dir, c->entry, c->mode, 0);

	return err ? err : finish_no_open(c->file, found);
}

static int fblk_atomic_open(struct inode *dir, struct dentry *entry, struct file *file, unsigned int flags, umode_t mode)
{
	struct fblk_conn *conn = fblk_conn_of(dir);
	struct creation c = { dir, entry, file, flags, mode, FUSE_CREATE };
	struct dentry *found = NULL;
	int err = -ENOSYS;

	if (fblk_is_bad(dir))
		return -EIO;
	if (d_in_lookup(entry)) {
		found = fblk_lookup(dir, entry, 0);
		if (IS_ERR(found))
			return PTR_ERR(found);
		if (found)
			c.entry = found;
	}
	if (!(flags & O_CREAT) || d_really_is_positive(c.entry))
		return finish_no_open(file, found);
	file->f_mode |= FMODE_CREATED;
	if (!fblk_lacks(conn, FUSE_CREATE))
		err = create(&c);
	if (err == -ENOSYS) {
		fblk_latch(conn, FUSE_CREATE);
		return mknod_and_open(&c, found);
	}
	if (err == -EEXIST)
		fblk_entry_stale(c.entry);
	dput(found);
	return err;
}

static int fblk_create(struct fblk_idmap *idmap, struct inode *dir, struct dentry *entry, umode_t mode, bool excl)
{
	return fblk_mknod(idmap, dir, entry, mode, 0);
}

static int fblk_tmpfile(struct fblk_idmap *idmap, struct inode *dir, struct file *file, umode_t mode)
{
	struct fblk_conn *conn = fblk_conn_of(dir);
	struct creation c = { dir, file->f_path.dentry, file, file->f_flags, mode, FUSE_TMPFILE };
	int err = -ENOSYS;

	if (fblk_is_bad(dir))
		return -EIO;
	if (conn->proto.minor >= 37 && !fblk_lacks(conn, FUSE_TMPFILE))
		err = create(&c);
	if (err != -ENOSYS)
		return err;
	fblk_latch(conn, FUSE_TMPFILE);
	return -EOPNOTSUPP;
}

/* ---- removing ----------------------------------------------------------------------------------- */

/* A name of @inode is gone. */
static void lost_a_name(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	fi->attr_version = atomic64_inc_return(&fblk_conn_of(inode)->attr_version);
	if (S_ISDIR(inode->i_mode))
		clear_nlink(inode);
	else if (inode->i_nlink > 0)
		drop_nlink(inode);
	spin_unlock(&fi->lock);
	fblk_stale(inode, STATX_BASIC_STATS);
}

static int remove(struct inode *dir, struct dentry *entry, u32 opcode)
{
	struct fblk_args args = FBLK_ARGS(opcode, fblk_nodeid(dir));
	int err;

	if (fblk_is_bad(dir))
		return -EIO;
	fblk_in_name(&args, &entry->d_name);
	err = fblk_call(fblk_conn_of(dir), &args);
	if (!err) {
		fblk_dir_changed(dir);
		lost_a_name(d_inode(entry));
	}
	if (!err)
		fblk_entry_stale(entry);
	else if (err == -EINTR || err == -ENOENT)
		d_invalidate(entry);
	return err;
}

static int fblk_unlink(struct inode *dir, struct dentry *entry)
{
	return remove(dir, entry, FUSE_UNLINK);
}

static int fblk_rmdir(struct inode *dir, struct dentry *entry)
{
	return remove(dir, entry, FUSE_RMDIR);
}

/* ---- renaming --------------------------------------------------------------------------------------- */

static int call_rename(struct inode *dir, struct dentry *entry, struct inode *newdir, struct dentry *newentry, unsigned int flags)
{
	struct fblk_args args = FBLK_ARGS(flags ? FUSE_RENAME2 : FUSE_RENAME, fblk_nodeid(dir));
	struct fuse_rename2_in in2 = { .newdir = fblk_nodeid(newdir), .flags = flags };
	struct fuse_rename_in in = { .newdir = fblk_nodeid(newdir) };

	if (flags)
		fblk_in(&args, &in2, sizeof(in2));
	else
		fblk_in(&args, &in, sizeof(in));
	fblk_in_name(&args, &entry->d_name);
	fblk_in_name(&args, &newentry->d_name);
	return flags ? fblk_call_optional(fblk_conn_of(dir), &args) : fblk_call(fblk_conn_of(dir), &args);
}

static void renamed(struct inode *dir, struct dentry *entry, struct inode *newdir, struct dentry *newentry, unsigned int flags)
{
	struct inode *target = d_inode(newentry);

	fblk_stale(d_inode(entry), STATX_BASIC_STATS);
	fblk_dir_changed(dir);
	if (newdir != dir)
		fblk_dir_changed(newdir);
	if (flags & RENAME_EXCHANGE) {
		fblk_stale(target, STATX_BASIC_STATS);
		return;
	}
	fblk_entry_stale(newentry);
	if (target)
		lost_a_name(target);
}

static int fblk_rename(struct fblk_idmap *idmap, struct inode *dir, struct dentry *entry, struct inode *newdir,
		       struct dentry *newentry, unsigned int flags)
{
	int err;

	if (fblk_is_bad(dir) || fblk_is_bad(newdir))
		return -EIO;
	if (flags & ~(RENAME_NOREPLACE | RENAME_EXCHANGE | RENAME_WHITEOUT))
		return -EINVAL;
	if (flags && fblk_conn_of(dir)->proto.minor < 23)
		return -EINVAL;
	err = call_rename(dir, entry, newdir, newentry, flags);
	if (!err)
		renamed(dir, entry, newdir, newentry, flags);
	if (err == -EINTR) {
		/* done or not: ask again for both */
		d_invalidate(entry);
		if (d_really_is_positive(newentry))
			d_invalidate(newentry);
	}
	return err == -ENOSYS && flags ? -EINVAL : err;
}

/* ---- symbolic links ------------------------------------------------------------------------------------ */

/* The target into @page, with a NUL.  Returns 0 or an error. */
static int readlink_page(struct inode *inode, struct page *page)
{
	struct bio_vec data = { .bv_page = page, .bv_len = PAGE_SIZE - 1 };
	struct fblk_args args = FBLK_ARGS(FUSE_READLINK, fblk_nodeid(inode));
	ssize_t len;

	args.data = &data;
	args.nr_data = 1;
	args.data_len = data.bv_len;
	args.data_is_reply = true;
	args.reply_varies = true;
	len = fblk_call(fblk_conn_of(inode), &args);
	fblk_read_done(inode);
	if (len < 0)
		return len;
	memset(page_address(page) + len, 0, PAGE_SIZE - len);
	/* no target has a NUL in it */
	return strlen(page_address(page)) == len ? 0 : -EIO;
}

static int symlink_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	int err = readlink_page(inode, &folio->page);

	if (!err)
		folio_mark_uptodate(folio);
	folio_unlock(folio);
	return err;
}

const struct address_space_operations fblk_symlink_aops = {
	.read_folio = symlink_read_folio,
};

static void free_link(void *page)
{
	__free_page(page);
}

static const char *fblk_get_link(struct dentry *dentry, struct inode *inode, struct delayed_call *done)
{
	struct page *page;
	int err;

	if (fblk_is_bad(inode))
		return ERR_PTR(-EIO);
	if (fblk_has(fblk_conn_of(inode), FUSE_CACHE_SYMLINKS))
		return page_get_link(dentry, inode, done);
	if (!dentry)
		return ERR_PTR(-ECHILD);
	page = alloc_page(GFP_KERNEL);
	if (!page)
		return ERR_PTR(-ENOMEM);
	err = readlink_page(inode, page);
	if (err) {
		__free_page(page);
		return ERR_PTR(err);
	}
	set_delayed_call(done, free_link, page);
	return page_address(page);
}

/* ---- tables ------------------------------------------------------------------------------------------- */

const struct inode_operations fblk_dir_inode_operations = {
	.lookup = fblk_lookup,
	.create = fblk_create,
	.atomic_open = fblk_atomic_open,
	.tmpfile = fblk_tmpfile,
	.mknod = fblk_mknod,
	.mkdir = fblk_mkdir,
	.symlink = fblk_symlink,
	.link = fblk_link,
	.unlink = fblk_unlink,
	.rmdir = fblk_rmdir,
	.rename = fblk_rename,
	.permission = fblk_permission,
	.getattr = fblk_getattr,
	.setattr = fblk_setattr,
	.listxattr = fblk_listxattr,
	.fileattr_get = fblk_fileattr_get,
	.fileattr_set = fblk_fileattr_set,
};

const struct inode_operations fblk_symlink_inode_operations = {
	.get_link = fblk_get_link,
	.permission = fblk_permission,
	.getattr = fblk_getattr,
	.setattr = fblk_setattr,
	.listxattr = fblk_listxattr,
};
