// SPDX-License-Identifier: GPL-2.0-only
/*
 * direct.c: reads and writes between the caller's memory and the daemon, past
 * the page cache, which is written back before and forgotten after.
 *
 * A transfer is cut into parts of one READ or WRITE.  Synchronous ones go one
 * after the other and end at the first that is short; the parts of an
 * asynchronous one are all under way at once, and what counts is how far the
 * bytes are contiguous from the beginning.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include "fblk.h"

struct transfer {			/* an asynchronous one */
	refcount_t refs;		/* parts not ended, and the one who makes them */
	struct kiocb *iocb;
	bool is_write;
	spinlock_t lock;		/* what follows */
	size_t done;			/* bytes up to the first gap */
	ssize_t err;			/* of the first gap, or 0 */
};

struct part {
	struct fblk_req req;
	union {
		struct fuse_read_in read;
		struct fuse_write_in write;
	} in;
	struct fuse_write_out out;
	struct transfer *transfer;	/* NULL: synchronous */
	struct fblk_file *ff;
	bool is_write, pinned;		/* pinned: the pages have references of ours */
	size_t begin, len;		/* in the transfer, bytes */
	unsigned int nr;
	struct bio_vec data[];
};

/* ---- memory ---------------------------------------------------------------------------------- */

static struct page *page_of(void *address)
{
	return virt_addr_valid(address) ? virt_to_page(address) : vmalloc_to_page(address);
}

static void add_vecs(struct part *part, struct page **pages, size_t offset, size_t len)
{
	while (len) {
		size_t here = min_t(size_t, len, PAGE_SIZE - offset);

		part->data[part->nr++] = (struct bio_vec) { .bv_page = *pages++, .bv_offset = offset, .bv_len = here };
		len -= here;
		offset = 0;
	}
}

/* The kernel's own memory needs no references. */
static ssize_t map_kernel(struct part *part, struct iov_iter *iter, size_t len, unsigned int most)
{
	void *address = iter->kvec->iov_base + iter->iov_offset;
	size_t offset = offset_in_page(address);

	len = min3(len, iov_iter_single_seg_count(iter), most * PAGE_SIZE - offset);
	for (size_t at = 0; at < len; at += min(len - at, PAGE_SIZE - offset_in_page(address + at))) {
		struct page *page = page_of(address + at);

		add_vecs(part, &page, offset_in_page(address + at), min(len - at, PAGE_SIZE - offset_in_page(address + at)));
	}
	iov_iter_advance(iter, len);
	return len;
}

static ssize_t map_user(struct part *part, struct iov_iter *iter, size_t len, unsigned int most, struct page **pages)
{
	size_t total = 0;

	part->pinned = true;
	while (total < len && part->nr < most && iov_iter_count(iter)) {
		size_t offset;
		ssize_t n = iov_iter_get_pages2(iter, pages, len - total, most - part->nr, &offset);

		if (n <= 0)
			return total ? (ssize_t)total : n ? n : -EFAULT;
		add_vecs(part, pages, offset, n);
		total += n;
	}
	return total;
}

/* At most @len bytes of @iter, which is advanced.  Returns their number or an error. */
static ssize_t map_memory(struct part *part, struct iov_iter *iter, size_t len, unsigned int most)
{
	struct page **pages;
	ssize_t n;

	if (iov_iter_is_kvec(iter))
		return map_kernel(part, iter, len, most);
	pages = kvmalloc_array(most, sizeof(*pages), GFP_KERNEL);
	if (!pages)
		return -ENOMEM;
	n = map_user(part, iter, len, most, pages);
	kvfree(pages);
	return n;
}

static void unmap_memory(struct part *part)
{
	unsigned int i;

	for (i = 0; part->pinned && i < part->nr; i++) {
		if (!part->is_write)
			set_page_dirty_lock(part->data[i].bv_page);
		put_page(part->data[i].bv_page);
	}
}

/* ---- parts -------------------------------------------------------------------------------------- */

static void free_part(struct part *part)
{
	unmap_memory(part);
	kvfree(part);
}

static void fill_read_args(struct part *part, struct kiocb *iocb, loff_t pos)
{
	struct fblk_args *args = &part->req.args;

	args->opcode = FUSE_READ;
	fblk_fill_read(&part->in.read, part->ff, pos, part->len, iocb->ki_filp->f_flags);
	part->in.read.read_flags = FUSE_READ_LOCKOWNER;
	part->in.read.lock_owner = fblk_owner(part->ff->conn, current->files);
	fblk_in(args, &part->in.read, sizeof(part->in.read));
	args->data_is_reply = true;
	args->reply_varies = true;
}

static void fill_write_args(struct part *part, struct kiocb *iocb, loff_t pos)
{
	struct fblk_args *args = &part->req.args;

	args->opcode = FUSE_WRITE;
	fblk_fill_write(&part->in.write, part->ff, pos, part->len, iocb->ki_filp->f_flags);
	part->in.write.write_flags = FUSE_WRITE_LOCKOWNER | (capable(CAP_FSETID) ? 0 : FUSE_WRITE_KILL_SUIDGID);
	part->in.write.lock_owner = fblk_owner(part->ff->conn, current->files);
	fblk_in(args, &part->in.write, sizeof(part->in.write));
	fblk_out(args, &part->out, sizeof(part->out));
}

/* The next part of the transfer at @pos, or an error pointer. */
static struct part *new_part(struct kiocb *iocb, struct iov_iter *iter, bool is_write, loff_t pos)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	struct fblk_conn *conn = fblk_conn_of(inode);
	size_t len = min(iov_iter_count(iter), fblk_io_max(conn, is_write));
	unsigned int most = min_t(size_t, conn->proto.max_pages, iov_iter_npages(iter, INT_MAX));
	struct part *part = kvzalloc(struct_size(part, data, max(most, 1u)), GFP_KERNEL);
	ssize_t n;

	if (!part)
		return ERR_PTR(-ENOMEM);
	part->is_write = is_write;
	part->ff = fblk_f(iocb->ki_filp);
	n = map_memory(part, iter, len, max(most, 1u));
	if (n < 0) {
		free_part(part);
		return ERR_PTR(n);
	}
	part->len = n;
	part->req.args.nodeid = fblk_nodeid(inode);
	part->req.args.data = part->data;
	part->req.args.nr_data = part->nr;
	part->req.args.data_len = n;
	if (is_write)
		fill_write_args(part, iocb, pos);
	else
		fill_read_args(part, iocb, pos);
	return part;
}

/* What a part's call came to: bytes, or an error. */
static ssize_t part_result(const struct part *part, ssize_t result)
{
	if (result < 0 || !part->is_write)
		return result;
	return fblk_taken(part->out.size, part->len);
}

/* ---- one after the other --------------------------------------------------------------------------- */

static ssize_t transfer_now(struct kiocb *iocb, struct iov_iter *iter, bool is_write)
{
	size_t total = 0;

	while (iov_iter_count(iter)) {
		struct part *part = new_part(iocb, iter, is_write, iocb->ki_pos + total);
		ssize_t n, len;

		if (IS_ERR(part))
			return total ? (ssize_t)total : PTR_ERR(part);
		len = part->len;
		n = part_result(part, fblk_call(part->ff->conn, &part->req.args));
		free_part(part);
		if (n < 0)
			return total ? (ssize_t)total : n;
		total += n;
		if (n < len) {
			iov_iter_revert(iter, len - n);
			break;
		}
	}
	return total;
}

/* ---- all at once ---------------------------------------------------------------------------------------- */

static void put_transfer(struct transfer *t)
{
	struct kiocb *iocb = t->iocb;
	struct inode *inode = file_inode(iocb->ki_filp);
	ssize_t ret;

	if (!refcount_dec_and_test(&t->refs))
		return;
	ret = t->done ? (ssize_t)t->done : t->err;
	if (t->is_write)
		fblk_stale(inode, STATX_MTIME | STATX_CTIME | STATX_BLOCKS);
	kfree(t);
	inode_dio_end(inode);
	iocb->ki_complete(iocb, ret);
}

/* The part that begins at @begin came to @result: bytes after the first gap do not count. */
static void note_part(struct transfer *t, const struct part *part, ssize_t result)
{
	size_t end = part->begin + max_t(ssize_t, result, 0);

	spin_lock(&t->lock);
	if (result < (ssize_t)part->len && end < t->done) {
		t->done = end;
		t->err = min_t(ssize_t, result, 0);
	}
	spin_unlock(&t->lock);
}

static void part_ended(struct fblk_req *req, ssize_t result)
{
	struct part *part = container_of(req, struct part, req);
	struct transfer *t = part->transfer;
	struct fblk_file *ff = part->ff;

	note_part(t, part, part_result(part, result));
	unmap_memory(part);
	part->nr = 0;
	put_transfer(t);
	fblk_file_put(ff);
}

static void part_free(struct fblk_req *req)
{
	free_part(container_of(req, struct part, req));
}

static void send_part(struct transfer *t, struct part *part, size_t begin)
{
	refcount_inc(&t->refs);
	part->transfer = t;
	part->begin = begin;
	part->req.end = part_ended;
	part->req.release = part_free;
	fblk_file_get(part->ff);
	fblk_send(part->ff->conn, &part->req);
}

static ssize_t transfer_later(struct kiocb *iocb, struct iov_iter *iter, bool is_write)
{
	struct transfer *t = kzalloc(sizeof(*t), GFP_KERNEL);
	size_t begin = 0;
	ssize_t err = 0;

	if (!t)
		return -ENOMEM;
	refcount_set(&t->refs, 1);
	spin_lock_init(&t->lock);
	t->iocb = iocb;
	t->is_write = is_write;
	inode_dio_begin(file_inode(iocb->ki_filp));	/* a truncation waits for it */
	t->done = iov_iter_count(iter);
	while (iov_iter_count(iter)) {
		struct part *part = new_part(iocb, iter, is_write, iocb->ki_pos + begin);
		size_t len;

		if (IS_ERR(part)) {
			err = PTR_ERR(part);
			break;
		}
		len = part->len;
		send_part(t, part, begin);
		begin += len;
	}
	if (err) {
		spin_lock(&t->lock);
		if (begin < t->done) {
			t->done = begin;
			t->err = err;
		}
		spin_unlock(&t->lock);
	}
	put_transfer(t);
	return -EIOCBQUEUED;
}

/* ---- the whole ------------------------------------------------------------------------------------------- */

/* An asynchronous write that extends the file would leave its end unknown meanwhile. */
static bool may_be_later(struct kiocb *iocb, size_t len, bool is_write)
{
	struct inode *inode = file_inode(iocb->ki_filp);

	if (is_sync_kiocb(iocb) || !fblk_has(fblk_conn_of(inode), FUSE_ASYNC_DIO))
		return false;
	return !is_write || iocb->ki_pos + len <= i_size_read(inode);
}

/* Only who has nothing cached asks the daemon what is there. */
static bool is_past_end(const struct kiocb *iocb)
{
	return !(fblk_f(iocb->ki_filp)->open_flags & FOPEN_DIRECT_IO) && iocb->ki_pos >= i_size_read(file_inode(iocb->ki_filp));
}

static void forget_pages(struct inode *inode, loff_t pos, size_t len)
{
	invalidate_inode_pages2_range(inode->i_mapping, pos >> PAGE_SHIFT, (pos + len - 1) >> PAGE_SHIFT);
}

/* What a direct write changed. */
static void wrote(struct inode *inode, loff_t pos, size_t len)
{
	forget_pages(inode, pos, len);
	fblk_grow(inode, pos + len);
	fblk_stale(inode, STATX_MTIME | STATX_CTIME | STATX_SIZE | STATX_BLOCKS);
}

ssize_t fblk_direct_io(struct kiocb *iocb, struct iov_iter *iter, bool write)
{
	struct inode *inode = file_inode(iocb->ki_filp);
	size_t len = iov_iter_count(iter);
	ssize_t ret;

	if (!len || (!write && is_past_end(iocb)))
		return 0;
	ret = fblk_write_back(inode, iocb->ki_pos, iocb->ki_pos + len - 1);
	if (ret)
		return ret;
	if (write)
		forget_pages(inode, iocb->ki_pos, len);
	ret = may_be_later(iocb, len, write) ? transfer_later(iocb, iter, write) : transfer_now(iocb, iter, write);
	if (!write)
		fblk_read_done(inode);
	if (ret > 0 && write)
		wrote(inode, iocb->ki_pos, ret);
	if (ret > 0)
		iocb->ki_pos += ret;
	return ret;
}
