// SPDX-License-Identifier: GPL-2.0-only
/*
 * write.c: from the page cache to the daemon.  write(2) goes through: its bytes
 * are put into pages, the pages stay locked, and it returns when the daemon
 * has answered.  Only shared mappings make pages dirty; those are written back
 * in the background, by the handle of any file that is open for writing.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/writeback.h>
#include "fblk.h"

void fblk_fill_write(struct fuse_write_in *in, const struct fblk_file *ff, loff_t pos, u32 size, unsigned int f_flags)
{
	*in = (struct fuse_write_in) { .fh = ff->fh, .offset = pos, .size = size, .flags = f_flags };
}

/* ---- written through ------------------------------------------------------------------------ */

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

/* As many pages as go into one WRITE.  Returns 0 with at least one, or an error. */
static int fill_batch(struct batch *b, struct address_space *mapping, loff_t pos, struct iov_iter *from)
{
	while (b->nr < b->most && b->len < b->max_len && iov_iter_count(from)) {
		ssize_t n;

		/* pages are locked later on: fault in only before */
		if (!b->nr && fault_in_iov_iter_readable(from, min_t(size_t, PAGE_SIZE, iov_iter_count(from))))
			return -EFAULT;
		n = add_to_batch(b, mapping, pos + b->len, from);
		if (n < 0)
			return b->nr ? 0 : n;
		if (!n && b->nr)
			break;
		if (n && offset_in_page(pos + b->len))
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

/* One WRITE's worth.  Returns the bytes that the daemon took, or an error. */
static ssize_t write_some(struct kiocb *iocb, struct batch *b, struct iov_iter *from)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t written;
	int err;

	b->nr = 0;
	b->len = 0;
	err = fill_batch(b, inode->i_mapping, iocb->ki_pos, from);
	if (err)
		return err;
	written = send_batch(iocb, b, iocb->ki_pos);
	end_batch(b, max_t(ssize_t, written, 0));
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

/* ---- written back ------------------------------------------------------------------------------ */

struct page_write {			/* a WRITE of pages under writeback, one after the other */
	struct fblk_req req;
	struct fuse_write_in in;
	struct fuse_write_out out;
	struct fblk_file *ff;
	struct inode *inode;
	unsigned int nr, most;
	struct bio_vec data[];
};

static void writeback_ended(struct fblk_req *req, ssize_t result)
{
	struct page_write *w = container_of(req, struct page_write, req);
	int err = result < 0 ? result : w->out.size != w->in.size ? -EIO : 0;
	unsigned int i;

	mapping_set_error(w->inode->i_mapping, err);
	fblk_stale(w->inode, STATX_MTIME | STATX_CTIME | STATX_BLOCKS);
	for (i = 0; i < w->nr; i++) {
		end_page_writeback(w->data[i].bv_page);
		put_page(w->data[i].bv_page);
	}
	fblk_file_put(w->ff);
}

static void writeback_free(struct fblk_req *req)
{
	kvfree(container_of(req, struct page_write, req));
}

static struct page_write *new_writeback(struct inode *inode, struct fblk_file *ff, unsigned int most)
{
	struct page_write *w = kvzalloc(struct_size(w, data, most), GFP_NOFS);

	if (!w)
		return NULL;
	w->ff = ff;
	w->inode = inode;
	w->most = most;
	w->req.end = writeback_ended;
	w->req.release = writeback_free;
	return w;
}

static void send_writeback(struct page_write *w)
{
	struct fblk_args *args = &w->req.args;
	u64 pos = w->in.offset;

	fblk_fill_write(&w->in, w->ff, pos, args->data_len, 0);
	w->in.write_flags = FUSE_WRITE_CACHE;
	args->opcode = FUSE_WRITE;
	args->nodeid = fblk_nodeid(w->inode);
	fblk_in(args, &w->in, sizeof(w->in));
	fblk_out(args, &w->out, sizeof(w->out));
	args->data = w->data;
	args->nr_data = w->nr;
	args->forced = true;		/* nobody's signal may lose data */
	args->no_caller = true;
	fblk_send(w->ff->conn, &w->req);
}

struct writeback {			/* of one inode */
	struct inode *inode;
	struct page_write *w;		/* the one being gathered, or NULL */
	size_t max_len;
};

static void flush_gathered(struct writeback *wb)
{
	if (wb->w)
		send_writeback(wb->w);
	wb->w = NULL;
}

static bool continues(const struct writeback *wb, loff_t pos)
{
	const struct page_write *w = wb->w;

	return w && w->nr < w->most && w->in.offset + w->req.args.data_len == pos;
}

static int start_gathering(struct writeback *wb, loff_t pos)
{
	struct fblk_file *ff = fblk_writer_get(wb->inode);

	if (!ff)
		return -EIO;
	wb->w = new_writeback(wb->inode, ff, wb->max_len / PAGE_SIZE);
	if (!wb->w) {
		fblk_file_put(ff);
		return -ENOMEM;
	}
	wb->w->in.offset = pos;
	return 0;
}

static int gather_page(struct page *page, struct writeback_control *wbc, void *arg)
{
	struct writeback *wb = arg;
	loff_t pos = page_offset(page), size = i_size_read(wb->inode);
	size_t len = size > pos ? min_t(loff_t, size - pos, PAGE_SIZE) : 0;
	int err = 0;

	if (!len)
		goto unlock;
	if (!continues(wb, pos)) {
		flush_gathered(wb);
		err = start_gathering(wb, pos);
	}
	if (err) {
		mapping_set_error(page->mapping, err);
		goto unlock;
	}
	if (len < PAGE_SIZE)
		zero_user_segment(page, len, PAGE_SIZE);
	get_page(page);
	set_page_writeback(page);
	wb->w->data[wb->w->nr++] = (struct bio_vec) { .bv_page = page, .bv_len = len };
	wb->w->req.args.data_len += len;
unlock:
	unlock_page(page);
	return err;
}

int fblk_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct writeback wb = { .inode = inode, .max_len = fblk_io_max(fblk_conn_of(inode), true) };
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	wb.max_len = max_t(size_t, wb.max_len, PAGE_SIZE);
	err = write_cache_pages(mapping, wbc, gather_page, &wb);
	flush_gathered(&wb);
	return err;
}

vm_fault_t fblk_page_mkwrite(struct vm_fault *vmf)
{
	struct inode *inode = file_inode(vmf->vma->vm_file);
	struct page *page = vmf->page;
	vm_fault_t ret = VM_FAULT_LOCKED;

	sb_start_pagefault(inode->i_sb);
	filemap_invalidate_lock_shared(inode->i_mapping);
	lock_page(page);
	if (page->mapping != inode->i_mapping || page_offset(page) >= i_size_read(inode)) {
		unlock_page(page);
		ret = VM_FAULT_NOPAGE;
	} else {
		set_page_dirty(page);
		wait_on_page_writeback(page);
	}
	filemap_invalidate_unlock_shared(inode->i_mapping);
	sb_end_pagefault(inode->i_sb);
	return ret;
}

const struct address_space_operations fblk_file_aops = {
	.read_folio = fblk_read_folio,
	.readahead = fblk_readahead,
	.writepages = fblk_writepages,
	.dirty_folio = filemap_dirty_folio,
	.bmap = fblk_bmap,
};
