// SPDX-License-Identifier: GPL-2.0-only
/*
 * range.c: what is done to a range of a file without its bytes passing here:
 * fallocate, copy_file_range, SEEK_HOLE and SEEK_DATA, FIBMAP.
 */
#include <linux/pagemap.h>
#include <linux/falloc.h>
#include "fblk.h"

/* ---- fallocate ------------------------------------------------------------------------------- */

static int call_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	struct fblk_args args = FBLK_ARGS(FUSE_FALLOCATE, fblk_nodeid(inode));
	struct fuse_fallocate_in in = { .fh = fblk_f(file)->fh, .offset = offset, .length = length, .mode = mode };
	int err;

	fblk_in(&args, &in, sizeof(in));
	err = fblk_call_optional(fblk_conn_of(inode), &args);
	return err == -ENOSYS ? -EOPNOTSUPP : err;
}

static int fallocate_locked(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	loff_t end = offset + length;
	int err = 0;

	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode))
		err = inode_newsize_ok(inode, end);
	if (!err)
		err = file_modified(file);
	if (!err && (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE)))
		err = fblk_write_back(inode, offset, end - 1);
	if (!err)
		err = call_fallocate(file, mode, offset, length);
	if (err)
		return err;
	if (!(mode & FALLOC_FL_KEEP_SIZE) && end > i_size_read(inode)) {
		truncate_pagecache(inode, i_size_read(inode));
		fblk_grow(inode, end);
	}
	if (mode & (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		truncate_pagecache_range(inode, offset, end - 1);
	fblk_stale(inode, STATX_BASIC_STATS);
	return 0;
}

long fblk_fallocate(struct file *file, int mode, loff_t offset, loff_t length)
{
	struct inode *inode = file_inode(file);
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (mode & ~(FALLOC_FL_KEEP_SIZE | FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE))
		return -EOPNOTSUPP;
	if (fblk_lacks(fblk_conn_of(inode), FUSE_FALLOCATE))
		return -EOPNOTSUPP;
	inode_lock(inode);
	inode_dio_wait(inode);
	filemap_invalidate_lock(inode->i_mapping);
	err = fallocate_locked(file, mode, offset, length);
	filemap_invalidate_unlock(inode->i_mapping);
	inode_unlock(inode);
	return err;
}

/* ---- lseek ------------------------------------------------------------------------------------- */

static loff_t call_lseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	struct fblk_args args = FBLK_ARGS(FUSE_LSEEK, fblk_nodeid(inode));
	struct fuse_lseek_in in = { .fh = fblk_f(file)->fh, .offset = offset, .whence = whence };
	struct fuse_lseek_out out = {};
	int err;

	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, &out, sizeof(out));
	err = fblk_call_optional(fblk_conn_of(inode), &args);
	return err ? err : vfs_setpos(file, out.offset, inode->i_sb->s_maxbytes);
}

static loff_t seek_hole_or_data(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	/* the daemon knows nothing of what is dirty */
	ret = fblk_write_back(inode, 0, LLONG_MAX);
	if (!ret)
		ret = call_lseek(file, offset, whence);
	if (ret != -ENOSYS)
		return ret;
	ret = fblk_refresh(inode, file, STATX_SIZE);
	return ret ? ret : generic_file_llseek(file, offset, whence);
}

loff_t fblk_llseek(struct file *file, loff_t offset, int whence)
{
	struct inode *inode = file_inode(file);
	loff_t ret;

	switch (whence) {
	case SEEK_SET:
	case SEEK_CUR:
		return generic_file_llseek(file, offset, whence);
	case SEEK_END:
		inode_lock(inode);
		ret = fblk_refresh(inode, file, STATX_SIZE);
		if (!ret)
			ret = generic_file_llseek(file, offset, whence);
		inode_unlock(inode);
		return ret;
	case SEEK_HOLE:
	case SEEK_DATA:
		inode_lock(inode);
		ret = seek_hole_or_data(file, offset, whence);
		inode_unlock(inode);
		return ret;
	default:
		return -EINVAL;
	}
}

/* ---- copy_file_range -------------------------------------------------------------------------------- */

static ssize_t call_copy(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags)
{
	struct inode *from = file_inode(in), *to = file_inode(out);
	struct fblk_args args = FBLK_ARGS(FUSE_COPY_FILE_RANGE, fblk_nodeid(from));
	struct fuse_copy_file_range_in body = {
		.fh_in = fblk_f(in)->fh, .off_in = pos_in, .nodeid_out = fblk_nodeid(to), .fh_out = fblk_f(out)->fh,
		.off_out = pos_out, .len = min_t(size_t, len, UINT_MAX & PAGE_MASK), .flags = flags,
	};
	struct fuse_write_out reply = {};
	int err;

	fblk_in(&args, &body, sizeof(body));
	fblk_out(&args, &reply, sizeof(reply));
	err = fblk_call_optional(fblk_conn_of(from), &args);
	if (err)
		return err;
	return fblk_taken(reply.size, body.len);
}

/* Both files are locked against nothing but their own dirty pages: the target by its i_rwsem. */
static ssize_t copy_locked(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags)
{
	struct inode *to = file_inode(out);
	ssize_t ret = fblk_write_back(file_inode(in), pos_in, pos_in + len - 1);

	if (!ret)
		ret = fblk_write_back(to, pos_out, pos_out + len - 1);
	if (!ret)
		ret = file_modified(out);
	if (!ret)
		ret = call_copy(in, pos_in, out, pos_out, len, flags);
	if (ret <= 0)
		return ret;
	truncate_inode_pages_range(to->i_mapping, round_down(pos_out, PAGE_SIZE), round_up(pos_out + ret, PAGE_SIZE) - 1);
	fblk_grow(to, pos_out + ret);
	fblk_stale(to, STATX_BASIC_STATS);
	return ret;
}

static ssize_t copy_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags)
{
	struct inode *to = file_inode(out);
	ssize_t ret;

	if (file_inode(in)->i_sb != to->i_sb)
		return -EXDEV;
	if (fblk_is_bad(to) || fblk_is_bad(file_inode(in)))
		return -EIO;
	if (!len)
		return 0;
	if (fblk_lacks(fblk_conn_of(to), FUSE_COPY_FILE_RANGE))
		return -EOPNOTSUPP;
	inode_lock(to);
	filemap_invalidate_lock(to->i_mapping);
	ret = copy_locked(in, pos_in, out, pos_out, len, flags);
	filemap_invalidate_unlock(to->i_mapping);
	inode_unlock(to);
	return ret == -ENOSYS ? -EOPNOTSUPP : ret;
}

ssize_t fblk_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags)
{
	ssize_t ret = copy_range(in, pos_in, out, pos_out, len, flags);

	if (ret == -EOPNOTSUPP || ret == -EXDEV)
		ret = generic_copy_file_range(in, pos_in, out, pos_out, len, flags);
	return ret;
}

/* ---- FIBMAP ----------------------------------------------------------------------------------------- */

sector_t fblk_bmap(struct address_space *mapping, sector_t block)
{
	struct inode *inode = mapping->host;
	struct fblk_args args = FBLK_ARGS(FUSE_BMAP, fblk_nodeid(inode));
	struct fuse_bmap_in in = { .block = block, .blocksize = inode->i_sb->s_blocksize };
	struct fuse_bmap_out out = {};

	if (!inode->i_sb->s_bdev || fblk_is_bad(inode))
		return 0;
	fblk_in(&args, &in, sizeof(in));
	fblk_out(&args, &out, sizeof(out));
	return fblk_call_optional(fblk_conn_of(inode), &args) ? 0 : out.block;
}
