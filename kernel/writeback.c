// SPDX-License-Identifier: GPL-2.0-only
/*
 * writeback.c: pages that shared mappings made dirty are written in the
 * background, by the handle of any file that is open for writing.
 *
 * On fuseblk a page stays under writeback until the daemon has answered.  Type
 * fuse may be anybody's, and sync(2) waits for every page under writeback: there
 * a copy is sent, and the page is clean at once.  Copies of one inode are
 * under way one writeback at a time, so that no older one can arrive after a
 * newer one, nor after a WRITE of write(2); who needs to know that they arrived
 * waits for them, which sync(2) does not.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/wait_bit.h>
#include <linux/writeback.h>
#include "fblk.h"

struct page_write {			/* a WRITE of pages, one after the other */
	struct fblk_req req;
	struct fuse_write_in in;
	struct fuse_write_out out;
	struct fblk_file *ff;
	struct inode *inode;
	bool copies;			/* of the pages: ours to free */
	unsigned int nr, most;
	struct bio_vec data[];
};

static bool sends_copies(const struct inode *inode)
{
	return !fblk_conn_of(inode)->is_blkdev;
}

/* ---- copies under way ---------------------------------------------------------------------- */

static void count_copies(struct inode *inode, int change)
{
	struct fblk_inode *fi = fblk_i(inode);
	bool none;

	spin_lock(&fi->lock);
	fi->writing += change;
	none = !fi->writing;
	spin_unlock(&fi->lock);
	if (none)
		wake_up_var(&fi->writing);
}

static void wait_written(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	if (READ_ONCE(fi->writing))
		wait_var_event(&fi->writing, !READ_ONCE(fi->writing));
}

int fblk_write_back(struct inode *inode, loff_t start, loff_t end)
{
	int err = filemap_write_and_wait_range(inode->i_mapping, start, end), late;

	if (!sends_copies(inode))
		return err;
	wait_written(inode);
	late = filemap_check_errors(inode->i_mapping);
	return err ? err : late;
}

int fblk_write_back_file(struct file *file, loff_t start, loff_t end)
{
	struct inode *inode = file_inode(file);
	int err = file_write_and_wait_range(file, start, end), late;

	if (!sends_copies(inode))
		return err;
	wait_written(inode);
	late = file_check_and_advance_wb_err(file);
	return err ? err : late;
}

/* ---- a WRITE ------------------------------------------------------------------------------------ */

static void writeback_ended(struct fblk_req *req, ssize_t result)
{
	struct page_write *w = container_of(req, struct page_write, req);
	int err = result < 0 ? result : w->out.size != w->in.size ? -EIO : 0;
	unsigned int i;

	mapping_set_error(w->inode->i_mapping, err);
	fblk_stale(w->inode, STATX_MTIME | STATX_CTIME | STATX_BLOCKS);
	for (i = 0; i < w->nr; i++) {
		if (!w->copies)
			end_page_writeback(w->data[i].bv_page);
		put_page(w->data[i].bv_page);
	}
	if (w->copies)
		count_copies(w->inode, -1);
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
	w->copies = sends_copies(inode);
	if (w->copies)
		count_copies(inode, 1);
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

/* ---- gathering ------------------------------------------------------------------------------------ */

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

/* What to send of the locked @page, with a reference; NULL without memory. */
static struct page *page_to_send(const struct page_write *w, struct page *page)
{
	struct page *copy = w->copies ? alloc_page(GFP_NOFS | __GFP_HIGHMEM) : page;

	if (!copy)
		return NULL;
	set_page_writeback(page);
	if (!w->copies) {
		get_page(page);
		return page;
	}
	copy_highpage(copy, page);
	end_page_writeback(page);
	return copy;
}

static int gather_page(struct page *page, struct writeback_control *wbc, void *arg)
{
	struct writeback *wb = arg;
	loff_t pos = page_offset(page), size = i_size_read(wb->inode);
	size_t len = size > pos ? min_t(loff_t, size - pos, PAGE_SIZE) : 0;
	struct page *sent;
	int err = 0;

	if (!len)
		goto unlock;
	if (!continues(wb, pos)) {
		flush_gathered(wb);
		err = start_gathering(wb, pos);
	}
	if (len < PAGE_SIZE)
		zero_user_segment(page, len, PAGE_SIZE);
	sent = err ? NULL : page_to_send(wb->w, page);
	if (sent) {
		wb->w->data[wb->w->nr++] = (struct bio_vec) { .bv_page = sent, .bv_len = len };
		wb->w->req.args.data_len += len;
	} else if (err == -EIO) {
		mapping_set_error(page->mapping, err);	/* nobody may write it any more */
	} else {
		redirty_page_for_writepage(wbc, page);
		err = -ENOMEM;
	}
unlock:
	unlock_page(page);
	return err;
}

/* One writeback of copies at a time.  False: not now, and who asks does not wait: the pages stay dirty. */
static bool begin_copies(struct inode *inode, const struct writeback_control *wbc)
{
	struct fblk_inode *fi = fblk_i(inode);
	bool waits = wbc->sync_mode == WB_SYNC_ALL && !wbc->for_sync;

	if (!sends_copies(inode))
		return true;
	if (waits)
		mutex_lock(&fi->writeback_lock);
	else if (!mutex_trylock(&fi->writeback_lock))
		return false;
	if (waits)
		wait_written(inode);
	if (!READ_ONCE(fi->writing))
		return true;
	mutex_unlock(&fi->writeback_lock);
	return false;
}

void fblk_hold_writeback(struct inode *inode)
{
	if (!sends_copies(inode))
		return;
	mutex_lock(&fblk_i(inode)->writeback_lock);
	wait_written(inode);
}

void fblk_release_writeback(struct inode *inode)
{
	if (sends_copies(inode))
		mutex_unlock(&fblk_i(inode)->writeback_lock);
}

int fblk_writepages(struct address_space *mapping, struct writeback_control *wbc)
{
	struct inode *inode = mapping->host;
	struct writeback wb = { .inode = inode, .max_len = fblk_io_max(fblk_conn_of(inode), true) };
	int err;

	if (fblk_is_bad(inode))
		return -EIO;
	if (!begin_copies(inode, wbc))
		return 0;
	wb.max_len = max_t(size_t, wb.max_len, PAGE_SIZE);
	err = write_cache_pages(mapping, wbc, gather_page, &wb);
	flush_gathered(&wb);
	fblk_release_writeback(inode);
	return err;
}

/* ---- what makes pages dirty ------------------------------------------------------------------- */

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
