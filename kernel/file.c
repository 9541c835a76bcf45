// SPDX-License-Identifier: GPL-2.0-only
/*
 * file.c: open files and directories: opened, flushed, synced, mapped, closed.
 *
 * A fblk_file is what the daemon knows by a file handle.  The struct file has
 * a reference to it, and so has each call on its behalf that may end after the
 * file was closed; the last one sends the RELEASE, which always ends in the
 * background.  It keeps the inode until then, so that no FORGET comes before.
 */
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include <linux/writeback.h>
#include "fblk.h"

/* ---- handles --------------------------------------------------------------------------- */

static void release_ended(struct fblk_req *req, ssize_t result)
{
	iput(container_of(req, struct fblk_file, release)->inode);
}

static void release_free(struct fblk_req *req)
{
	kfree(container_of(req, struct fblk_file, release));
}

struct fblk_file *fblk_file_new(struct fblk_conn *conn, bool is_dir)
{
	struct fblk_file *ff = kzalloc(sizeof(*ff), GFP_KERNEL_ACCOUNT);

	if (!ff)
		return NULL;
	refcount_set(&ff->refs, 1);
	ff->conn = conn;
	ff->is_dir = is_dir;
	ff->reply_size = PAGE_SIZE;
	INIT_LIST_HEAD(&ff->writer);
	mutex_init(&ff->readdir_lock);
	ff->release.end = release_ended;
	ff->release.release = release_free;
	ff->release.args.opcode = is_dir ? FUSE_RELEASEDIR : FUSE_RELEASE;
	ff->release.args.forced = true;
	fblk_in(&ff->release.args, &ff->release_in, sizeof(ff->release_in));
	return ff;
}

void fblk_file_discard(struct fblk_file *ff)
{
	kfree(ff);
}

struct fblk_file *fblk_file_get(struct fblk_file *ff)
{
	refcount_inc(&ff->refs);
	return ff;
}

static void send_release(struct fblk_file *ff, u64 nodeid)
{
	ff->release_in.fh = ff->fh;
	ff->release.args.nodeid = nodeid;
	fblk_send(ff->conn, &ff->release);
}

void fblk_file_put(struct fblk_file *ff)
{
	if (!refcount_dec_and_test(&ff->refs))
		return;
	if (!ff->unasked) {
		send_release(ff, fblk_nodeid(ff->inode));
		return;
	}
	iput(ff->inode);
	kfree(ff);
}

void fblk_file_close(struct fblk_file *ff, struct inode *inode, u64 nodeid, unsigned int flags)
{
	if (inode)
		ihold(inode);
	ff->inode = inode;
	ff->release_in.flags = flags;
	send_release(ff, nodeid);
}

struct fblk_file *fblk_writer_get(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);
	struct fblk_file *ff;

	spin_lock(&fi->lock);
	ff = list_first_entry_or_null(&fi->writers, struct fblk_file, writer);
	if (ff)
		refcount_inc(&ff->refs);
	spin_unlock(&fi->lock);
	return ff;
}

/* ---- open ---------------------------------------------------------------------------------- */

void fblk_file_attach(struct file *file, struct inode *inode, struct fblk_file *ff, const struct fuse_open_out *out)
{
	struct fblk_inode *fi = fblk_i(inode);

	ihold(inode);
	ff->inode = inode;
	ff->fh = out->fh;
	ff->open_flags = out->open_flags;
	file->private_data = ff;
	if (out->open_flags & FOPEN_STREAM)
		stream_open(inode, file);
	else if (out->open_flags & FOPEN_NONSEEKABLE)
		nonseekable_open(inode, file);
	if (ff->is_dir)
		return;
	file->f_mode |= FMODE_CAN_ODIRECT;
	if (file->f_mode & FMODE_WRITE) {
		spin_lock(&fi->lock);
		list_add(&ff->writer, &fi->writers);
		spin_unlock(&fi->lock);
	}
}

static int call_open(struct inode *inode, struct file *file, u32 opcode, struct fuse_open_out *out)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(opcode, fblk_nodeid(inode));
	struct fuse_open_in in = { .flags = file->f_flags & ~(O_CREAT | O_EXCL | O_NOCTTY) };

	if (!fblk_has(conn, FUSE_ATOMIC_O_TRUNC))
		in.flags &= ~O_TRUNC;
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, out, sizeof(*out));
	return fblk_call(conn, &args);
}

/* OPEN or OPENDIR; a daemon may do without, whether it took the flag that offers that or not. */
static int ask_open(struct inode *inode, struct file *file, struct fblk_file *ff, struct fuse_open_out *out)
{
	struct fblk_conn *conn = ff->conn;
	u32 opcode = ff->is_dir ? FUSE_OPENDIR : FUSE_OPEN;
	int err = -ENOSYS;

	if (!fblk_lacks(conn, opcode))
		err = call_open(inode, file, opcode, out);
	if (err != -ENOSYS)
		return err;
	fblk_latch(conn, opcode);
	ff->unasked = true;
	*out = (struct fuse_open_out) { .open_flags = FOPEN_KEEP_CACHE | (ff->is_dir ? FOPEN_CACHE_DIR : 0) };
	return 0;
}

static int open_handle(struct inode *inode, struct file *file, bool is_dir)
{
	struct fblk_file *ff = fblk_file_new(fblk_conn_of(inode), is_dir);
	struct fuse_open_out out = {};
	int err;

	if (!ff)
		return -ENOMEM;
	err = ask_open(inode, file, ff, &out);
	if (err) {
		fblk_file_discard(ff);
		return err;
	}
	fblk_file_attach(file, inode, ff, &out);
	return 0;
}

/* What other processes left in the page cache is not what the daemon means, unless it says so. */
static void drop_cache(struct inode *inode)
{
	fblk_write_back(inode, 0, LLONG_MAX);
	invalidate_inode_pages2(inode->i_mapping);
}

/* OPEN truncates: nothing that is dirty now may be written after it. */
static int open_truncating(struct inode *inode, struct file *file)
{
	int err;

	inode_lock(inode);
	filemap_invalidate_lock(inode->i_mapping);
	err = fblk_write_back(inode, 0, LLONG_MAX);
	if (!err)
		err = open_handle(inode, file, false);
	if (!err && !fblk_f(file)->unasked)
		fblk_truncated(inode);
	filemap_invalidate_unlock(inode->i_mapping);
	inode_unlock(inode);
	return err;
}

static int fblk_open(struct inode *inode, struct file *file)
{
	bool truncates = (file->f_flags & O_TRUNC) && fblk_has(fblk_conn_of(inode), FUSE_ATOMIC_O_TRUNC);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	err = generic_file_open(inode, file);
	if (err)
		return err;
	if (truncates)
		return open_truncating(inode, file);
	err = open_handle(inode, file, false);
	if (!err && !(fblk_f(file)->open_flags & FOPEN_KEEP_CACHE))
		drop_cache(inode);
	return err;
}

int fblk_dir_open(struct inode *inode, struct file *file)
{
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	err = generic_file_open(inode, file);
	if (!err)
		err = open_handle(inode, file, true);
	if (!err && !(fblk_f(file)->open_flags & FOPEN_KEEP_CACHE))
		fblk_dircache_drop(inode);
	return err;
}

/* ---- close ---------------------------------------------------------------------------------- */

static int fblk_release(struct inode *inode, struct file *file)
{
	struct fblk_file *ff = fblk_f(file);
	struct fblk_inode *fi = fblk_i(inode);

	spin_lock(&fi->lock);
	list_del_init(&ff->writer);
	spin_unlock(&fi->lock);
	ff->release_in.flags = file->f_flags;
	fblk_file_put(ff);
	return 0;
}

int fblk_dir_release(struct inode *inode, struct file *file)
{
	return fblk_release(inode, file);
}

static int call_flush(struct file *file, fl_owner_t owner)
{
	struct inode *inode = file_inode(file);
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_args args = FBLK_ARGS(FUSE_FLUSH, fblk_nodeid(inode));
	struct fuse_flush_in in = { .fh = fblk_f(file)->fh, .lock_owner = fblk_owner(conn, owner) };
	int err;

	fblk_in(&args, &in, sizeof(in));
	args.forced = true;
	err = fblk_call_optional(conn, &args);
	return err == -ENOSYS ? 0 : err;
}

static int fblk_flush(struct file *file, fl_owner_t owner)
{
	struct inode *inode = file_inode(file);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (fblk_f(file)->open_flags & FOPEN_NOFLUSH)
		return 0;
	err = fblk_write_back(inode, 0, LLONG_MAX);
	if (!err)
		err = filemap_check_wb_err(file->f_mapping, READ_ONCE(file->f_wb_err));
	return err ? err : call_flush(file, owner);
}

static int call_fsync(struct file *file, int datasync, u32 opcode)
{
	struct inode *inode = file_inode(file);
	struct fblk_args args = FBLK_ARGS(opcode, fblk_nodeid(inode));
	struct fuse_fsync_in in = { .fh = fblk_f(file)->fh, .fsync_flags = datasync ? FUSE_FSYNC_FDATASYNC : 0 };
	int err;

	fblk_in(&args, &in, sizeof(in));
	err = fblk_call_optional(fblk_conn_of(inode), &args);
	return err == -ENOSYS ? 0 : err;
}

static int fblk_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	err = fblk_write_back_file(file, start, end);
	if (err)
		return err;
	inode_lock(inode);
	err = call_fsync(file, datasync, FUSE_FSYNC);
	inode_unlock(inode);
	return err;
}

int fblk_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync)
{
	struct inode *inode = file_inode(file);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	inode_lock(inode);
	err = call_fsync(file, datasync, FUSE_FSYNCDIR);
	inode_unlock(inode);
	return err;
}

/* ---- reading and writing ------------------------------------------------------------------------ */

static bool is_direct(const struct kiocb *iocb)
{
	return (iocb->ki_flags & IOCB_DIRECT) || (fblk_f(iocb->ki_filp)->open_flags & FOPEN_DIRECT_IO);
}

static ssize_t fblk_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (is_direct(iocb))
		return fblk_direct_io(iocb, to, false);
	/* the end may be elsewhere by now */
	if (fblk_has(fblk_conn_of(inode), FUSE_AUTO_INVAL_DATA) || iocb->ki_pos + iov_iter_count(to) > i_size_read(inode)) {
		err = fblk_refresh(inode, iocb->ki_filp, STATX_SIZE);
		if (err)
			return err;
	}
	return generic_file_read_iter(iocb, to);
}

/* A daemon that wants every write to itself is told by each which privileges go (FUSE_WRITE_KILL_SUIDGID). */
static bool has_privs_to_lose(const struct file *file)
{
	return !(fblk_f(file)->open_flags & FOPEN_DIRECT_IO);
}

static ssize_t write_locked(struct kiocb *iocb, struct iov_iter *from)
{
	ssize_t ret = generic_write_checks(iocb, from);

	if (ret > 0 && has_privs_to_lose(iocb->ki_filp)) {
		int err = file_remove_privs(iocb->ki_filp);

		if (err)
			ret = err;
	}
	if (ret <= 0)
		return ret;
	return is_direct(iocb) ? fblk_direct_io(iocb, from, true) : fblk_cached_write(iocb, from);
}

static ssize_t fblk_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (fblk_is_bad(inode))
		return -EIO;
	inode_lock(inode);
	ret = write_locked(iocb, from);
	inode_unlock(inode);
	if (ret > 0)
		ret = generic_write_sync(iocb, ret);
	return ret;
}

/* ---- mmap ------------------------------------------------------------------------------------------ */

/* Before the file goes away: what is dirty needs its handle. */
static void fblk_vma_close(struct vm_area_struct *vma)
{
	int err = fblk_write_back(file_inode(vma->vm_file), 0, LLONG_MAX);

	mapping_set_error(vma->vm_file->f_mapping, err);
}

static const struct vm_operations_struct vm_operations = {
	.close = fblk_vma_close,
	.fault = filemap_fault,
	.map_pages = filemap_map_pages,
	.page_mkwrite = fblk_page_mkwrite,
};

static int fblk_mmap(struct file *file, struct vm_area_struct *vma)
{
	if (fblk_is_bad(file_inode(file)))
		return -EIO;
	if (fblk_f(file)->open_flags & FOPEN_DIRECT_IO) {
		if (vma->vm_flags & VM_MAYSHARE)
			return -ENODEV;
		invalidate_inode_pages2(file->f_mapping);
		return generic_file_mmap(file, vma);
	}
	file_accessed(file);
	vma->vm_ops = &vm_operations;
	return 0;
}

/* ---- tables ------------------------------------------------------------------------------------------ */

const struct file_operations fblk_file_operations = {
	.llseek = fblk_llseek,
	.read_iter = fblk_read_iter,
	.write_iter = fblk_write_iter,
	.mmap = fblk_mmap,
	.open = fblk_open,
	.flush = fblk_flush,
	.release = fblk_release,
	.fsync = fblk_fsync,
	.splice_read = fblk_splice_read,
	.splice_write = iter_file_splice_write,
	.unlocked_ioctl = fblk_ioctl,
	.compat_ioctl = fblk_compat_ioctl,
	.fallocate = fblk_fallocate,
	.copy_file_range = fblk_copy_file_range,
};

const struct inode_operations fblk_file_inode_operations = {
	.permission = fblk_permission,
	.getattr = fblk_getattr,
	.setattr = fblk_setattr,
	.listxattr = fblk_listxattr,
	.fileattr_get = fblk_fileattr_get,
	.fileattr_set = fblk_fileattr_set,
};

const struct inode_operations fblk_special_inode_operations = {
	.permission = fblk_permission,
	.getattr = fblk_getattr,
	.setattr = fblk_setattr,
	.listxattr = fblk_listxattr,
};
