// SPDX-License-Identifier: GPL-2.0-only
/*
 * write.c: write(2) goes through the page cache to the daemon: its bytes are put
 * into pages, the pages stay locked, and it returns when the daemon has
 * answered.  What shared mappings make dirty is for writeback.c.
 */
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "fblk.h"

void fblk_fill_write(struct fuse_write_in *in, const struct fblk_file *ff, loff_t pos, u32 size, unsigned int f_flags)
{
	*in = (struct fuse_write_in) { .fh = ff->fh, .offset = pos, .size = size, .flags = f_flags };
}

struct batch {				/* of locked pages, one after the other */
	struct bio_vec *data;
	unsigned int nr, most;
	size_t len, max_len;
};

/* Put bytes of @from into the page at @pos.  Returns their number, 0 if @from is to be faulted in first. */
static ssize_t add_to_batch(struct batch *b, struct address_space *mapping, loff_t pos, struct iov_iter *from)
{
	size_t offset = offset_in_page(pos);
	size_t len = min3(PAGE_SIZE - offset, iov_iter_count(from), b->max_len - b->len);
	struct page *page = grab_cache_page_write_begin(mapping, pos >> PAGE_SHIFT);
	size_t copied;

	if (!page)
		return -ENOMEM;
	wait_on_page_writeback(page);
	copied = copy_page_from_iter_atomic(page, offset, len, from);
	flush_dcache_page(page);
	if (!copied) {
		unlock_page(page);
		put_page(page);
		return 0;
	}
	b->data[b->nr++] = (struct bio_vec) { .bv_page = page, .bv_offset = offset, .bv_len = copied };
	b->len += copied;
	return copied;
}

/* As many pages as go into one WRITE.  Returns 0, with none if @from is to be faulted in first, or an error. */
static int fill_batch(struct batch *b, struct address_space *mapping, loff_t pos, struct iov_iter *from)
{
	while (b->nr < b->most && b->len < b->max_len && iov_iter_count(from)) {
		ssize_t n = add_to_batch(b, mapping, pos + b->len, from);

		if (n < 0)
			return b->nr ? 0 : n;
		if (!n || offset_in_page(pos + b->len))
			break;		/* the page has room left: only the end of @from, or a fault */
	}
	return 0;
}

/* The daemon has taken @written bytes of it. */
static void end_batch(struct batch *b, size_t written)
{
	unsigned int i;

	for (i = 0; i < b->nr; i++) {
		struct bio_vec *bv = &b->data[i];

		if (bv->bv_len > written)
			ClearPageUptodate(bv->bv_page);	/* it holds what the file does not */
		else if (bv->bv_len == PAGE_SIZE)
			SetPageUptodate(bv->bv_page);
		written -= min_t(size_t, written, bv->bv_len);
		unlock_page(bv->bv_page);
		put_page(bv->bv_page);
	}
}

static ssize_t send_batch(struct kiocb *iocb, const struct batch *b, loff_t pos)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fblk_args args = FBLK_ARGS(FUSE_WRITE, fblk_nodeid(inode));
	struct fuse_write_out out = {};
	struct fuse_write_in in;
	ssize_t ret;

	fblk_fill_write(&in, fblk_f(iocb->ki_filp), pos, b->len, iocb->ki_filp->f_flags);
	fblk_in(&args, &in, sizeof(in));
	args.data = b->data;
	args.nr_data = b->nr;
	args.data_len = b->len;
	fblk_out(&args, &out, sizeof(out));
	ret = fblk_call(fblk_conn_of(inode), &args);
	if (!ret)
		ret = fblk_taken(out.size, b->len);
	return ret ? ret : -EIO;
}

/* With what can be copied without a fault.  Returns the bytes that the daemon took, 0 if there were none to send, or an error. */
static ssize_t write_batch(struct kiocb *iocb, struct batch *b, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t written;
	int err;

	b->nr = 0;
	b->len = 0;
	fblk_hold_writeback(inode);
	err = fill_batch(b, inode->i_mapping, iocb->ki_pos, from);
	written = !err && b->nr ? send_batch(iocb, b, iocb->ki_pos) : err;
	end_batch(b, max_t(ssize_t, written, 0));
	fblk_release_writeback(inode);
	return written;
}

/* One WRITE's worth.  Returns the bytes that the daemon took, or an error. */
static ssize_t write_some(struct kiocb *iocb, struct batch *b, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t written;

	do {
		/* with pages locked it could not be */
		if (fault_in_iov_iter_readable(from, min_t(size_t, PAGE_SIZE, iov_iter_count(from))))
			return -EFAULT;
		if (fatal_signal_pending(current))
			return -EINTR;
		written = write_batch(iocb, b, from);
	} while (!written);
	if (written < 0)
		return written;
	iov_iter_revert(from, b->len - written);
	fblk_grow(inode, iocb->ki_pos + written);
	iocb->ki_pos += written;
	return written;
}

ssize_t fblk_cached_write(struct kiocb *iocb, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct batch b = { .max_len = fblk_io_max(fblk_conn_of(inode), true) };
	ssize_t total = 0, ret = 0;

	/* a page that straddles the end may hold what a mapping left past it */
	if (iocb->ki_pos > i_size_read(inode))
		truncate_pagecache(inode, i_size_read(inode));
	b.most = min_t(size_t, fblk_conn_of(inode)->proto.max_pages, iov_iter_npages(from, INT_MAX) + 1);
	if (!fblk_has(fblk_conn_of(inode), FUSE_BIG_WRITES))
		b.most = 1;
	b.data = kmalloc_array(b.most, sizeof(*b.data), GFP_KERNEL);
	if (!b.data)
		return -ENOMEM;
	while (iov_iter_count(from)) {
		ret = write_some(iocb, &b, from);
		if (ret > 0)
			total += ret;
		if (ret < (ssize_t)b.len)
			break;		/* the caller is told how much the daemon took */
	}
	kfree(b.data);
	fblk_stale(inode, STATX_MTIME | STATX_CTIME | STATX_SIZE | STATX_BLOCKS);
	return total ? total : ret;
}
