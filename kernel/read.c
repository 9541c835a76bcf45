// SPDX-License-Identifier: GPL-2.0-only
/*
 * read.c: pages filled from the daemon: one at a time where a fault needs it,
 * in large requests ahead of a reader.  A reply that is short ends the file
 * there; the rest of the pages is zero.
 */
#include <linux/highmem.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "fblk.h"

size_t fblk_io_max(const struct fblk_conn *conn, bool write)
{
	size_t pages = (size_t)conn->proto.max_pages * PAGE_SIZE;

	return min_t(size_t, pages, write ? conn->proto.max_write : conn->max_read);
}

void fblk_fill_read(struct fuse_read_in *in, const struct fblk_file *ff, loff_t pos, u32 size, unsigned int f_flags)
{
	*in = (struct fuse_read_in) { .fh = ff->fh, .offset = pos, .size = size, .flags = f_flags };
}

/* A READ into locked pages of the page cache. */
struct page_read {
	struct fblk_req req;
	struct fuse_read_in in;
	struct fblk_file *ff;
	struct inode *inode;
	u64 version;
	unsigned int nr;
	struct bio_vec data[];
};

/* The pages hold @len bytes; they are unlocked and let go. */
static void fill_pages(struct page_read *read, size_t len)
{
	unsigned int i;

	for (i = 0; i < read->nr; i++) {
		struct page *page = read->data[i].bv_page;
		size_t part = min_t(size_t, len, PAGE_SIZE);

		if (part < PAGE_SIZE)
			zero_user_segment(page, part, PAGE_SIZE);
		len -= part;
		SetPageUptodate(page);
		unlock_page(page);
		put_page(page);
	}
}

static void fail_pages(struct page_read *read)
{
	unsigned int i;

	for (i = 0; i < read->nr; i++) {
		SetPageError(read->data[i].bv_page);
		unlock_page(read->data[i].bv_page);
		put_page(read->data[i].bv_page);
	}
}

static void read_ended(struct fblk_req *req, ssize_t result)
{
	struct page_read *read = container_of(req, struct page_read, req);

	if (result >= 0 && result < read->in.size)
		fblk_found_end(read->inode, read->in.offset + result, read->version);
	fblk_read_done(read->inode);
	if (result >= 0)
		fill_pages(read, result);
	else
		fail_pages(read);
	fblk_file_put(read->ff);
}

static void read_free(struct fblk_req *req)
{
	kvfree(container_of(req, struct page_read, req));
}

static struct page_read *new_read(struct inode *inode, struct file *file, unsigned int pages)
{
	struct page_read *read = kvzalloc(struct_size(read, data, pages), GFP_NOFS);

	if (!read)
		return NULL;
	read->ff = fblk_file_get(fblk_f(file));
	read->inode = inode;
	read->version = READ_ONCE(fblk_i(inode)->attr_version);
	read->req.end = read_ended;
	read->req.release = read_free;
	return read;
}

/* The locked @page, with a reference that the read takes over, follows the others. */
static void add_page(struct page_read *read, struct page *page)
{
	if (!read->nr)
		read->in.offset = page_offset(page);
	read->data[read->nr++] = (struct bio_vec) { .bv_page = page, .bv_len = PAGE_SIZE };
}

static void prepare_read(struct page_read *read, struct file *file)
{
	struct fblk_args *args = &read->req.args;

	fblk_fill_read(&read->in, read->ff, read->in.offset, read->nr * PAGE_SIZE, file->f_flags);
	args->opcode = FUSE_READ;
	args->nodeid = fblk_nodeid(read->inode);
	fblk_in(args, &read->in, sizeof(read->in));
	args->data = read->data;
	args->nr_data = read->nr;
	args->data_len = read->in.size;
	args->data_is_reply = true;
	args->reply_varies = true;
}

/* To its end, in the caller's context. */
static ssize_t read_now(struct page_read *read)
{
	ssize_t ret = fblk_call(read->ff->conn, &read->req.args);

	read_ended(&read->req, ret);
	kvfree(read);
	return ret;
}

int fblk_read_folio(struct file *file, struct folio *folio)
{
	struct inode *inode = folio->mapping->host;
	struct page_read *read = fblk_is_bad(inode) ? NULL : new_read(inode, file, 1);
	ssize_t ret;

	if (!read) {
		folio_unlock(folio);
		return fblk_is_bad(inode) ? -EIO : -ENOMEM;
	}
	folio_get(folio);
	add_page(read, &folio->page);
	prepare_read(read, file);
	ret = read_now(read);
	return ret < 0 ? ret : 0;
}

void fblk_readahead(struct readahead_control *rac)
{
	struct inode *inode = rac->mapping->host;
	struct fblk_conn *conn = fblk_conn_of(inode);
	unsigned int most = fblk_io_max(conn, false) / PAGE_SIZE, left = readahead_count(rac);

	if (fblk_is_bad(inode))
		return;
	while (left) {
		unsigned int nr = min(most, left);
		struct page_read *read;

		/* nobody waits for these pages, and the daemon has enough to do */
		if (fblk_queue_is_congested(&conn->queue) && rac->ra->async_size >= left)
			return;
		read = new_read(inode, rac->file, nr);
		if (!read)
			return;
		while (read->nr < nr)
			add_page(read, readahead_page(rac));
		left -= nr;
		prepare_read(read, rac->file);
		if (fblk_has(conn, FUSE_ASYNC_READ))
			fblk_send(conn, &read->req);
		else
			read_now(read);
	}
}
