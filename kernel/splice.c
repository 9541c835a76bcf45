// SPDX-License-Identifier: GPL-2.0-only
/*
 * splice.c: /dev/fuse and pipes, by copying: a request goes into pages of its
 * own, and of a message in a pipe only the bytes are taken.  So no page is
 * ever in a pipe and in a file or a caller's buffer at once, and what a daemon
 * keeps in its pipes outlives nothing.
 */
#include <linux/bvec.h>
#include <linux/pipe_fs_i.h>
#include <linux/slab.h>
#include <linux/splice.h>
#include "fblk.h"

/* ---- to a pipe ------------------------------------------------------------------------- */

static void drop_page(struct splice_pipe_desc *spd, unsigned int i)
{
	__free_page(spd->pages[i]);
}

/* Pages for @size bytes, which @vecs then describe. */
static int get_pages(struct page **pages, struct bio_vec *vecs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		pages[i] = alloc_page(GFP_KERNEL);
		if (!pages[i])
			break;
		vecs[i] = (struct bio_vec) { .bv_page = pages[i], .bv_len = PAGE_SIZE };
	}
	if (i == nr)
		return 0;
	while (i--)
		__free_page(pages[i]);
	return -ENOMEM;
}

/* The first @len bytes of @pages go into the pipe, the rest is freed. */
static ssize_t fill_pipe(struct pipe_inode_info *pipe, struct page **pages, unsigned int nr, size_t len)
{
	unsigned int used = DIV_ROUND_UP(len, PAGE_SIZE), i;
	struct partial_page *partial = kvcalloc(used, sizeof(*partial), GFP_KERNEL);
	struct splice_pipe_desc spd = {
		.pages = pages, .partial = partial, .nr_pages = partial ? used : 0, .nr_pages_max = used,
		.ops = &nosteal_pipe_buf_ops, .spd_release = drop_page,
	};
	ssize_t ret = -ENOMEM;

	for (i = 0; partial && i < used; i++)
		partial[i].len = min_t(size_t, len - i * PAGE_SIZE, PAGE_SIZE);
	for (i = spd.nr_pages; i < nr; i++)
		__free_page(pages[i]);
	if (partial)
		ret = splice_to_pipe(pipe, &spd);
	kvfree(partial);
	return ret;
}

static ssize_t read_to_pipe(struct file *file, struct pipe_inode_info *pipe, struct page **pages, struct bio_vec *vecs,
			    unsigned int nr, size_t size)
{
	struct iov_iter to;
	unsigned int i;
	ssize_t len;
	int err = get_pages(pages, vecs, nr);

	if (err)
		return err;
	iov_iter_bvec(&to, READ, vecs, nr, size);
	len = fblk_dev_read(file, &to);
	if (len > 0)
		return fill_pipe(pipe, pages, nr, len);
	for (i = 0; i < nr; i++)
		__free_page(pages[i]);
	return len;
}

/* The pipe is locked by the caller. */
ssize_t fblk_dev_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe, size_t len, unsigned int flags)
{
	unsigned int room = pipe->max_usage - pipe_occupancy(pipe->head, pipe->tail);
	size_t size = min_t(size_t, len, room * PAGE_SIZE);
	unsigned int nr = DIV_ROUND_UP(size, PAGE_SIZE);
	struct page **pages = kvmalloc_array(nr, sizeof(*pages), GFP_KERNEL);
	struct bio_vec *vecs = kvmalloc_array(nr, sizeof(*vecs), GFP_KERNEL);
	ssize_t ret = -ENOMEM;

	if (pages && vecs)
		ret = read_to_pipe(file, pipe, pages, vecs, nr, size);
	kvfree(vecs);
	kvfree(pages);
	return ret;
}

/* ---- from a pipe ------------------------------------------------------------------------ */

struct message {			/* buffers taken out of a pipe */
	struct pipe_buffer *bufs;
	struct bio_vec *vecs;
	unsigned int nr;
};

static size_t bytes_in(const struct pipe_inode_info *pipe)
{
	unsigned int mask = pipe->ring_size - 1, at;
	size_t len = 0;

	for (at = pipe->tail; at != pipe->head; at++)
		len += pipe->bufs[at & mask].len;
	return len;
}

/* Take a whole buffer, or its first @len bytes. */
static int take_buffer(struct pipe_inode_info *pipe, struct pipe_buffer *buf, size_t len, struct pipe_buffer *out)
{
	if (len < buf->len) {
		if (!pipe_buf_get(pipe, buf))
			return -EFAULT;
		*out = *buf;
		out->flags &= ~PIPE_BUF_FLAG_GIFT;
		out->len = len;
		buf->offset += len;
		buf->len -= len;
		return 0;
	}
	*out = *buf;
	buf->ops = NULL;
	pipe->tail++;
	return 0;
}

/* Take @len bytes, which are there.  What was taken before an error is in @m. */
static int take_message(struct pipe_inode_info *pipe, struct message *m, size_t len)
{
	unsigned int mask = pipe->ring_size - 1;

	while (len) {
		struct pipe_buffer *buf = &pipe->bufs[pipe->tail & mask], *out = &m->bufs[m->nr];
		int err = pipe_buf_confirm(pipe, buf);

		if (!err)
			err = take_buffer(pipe, buf, min_t(size_t, len, buf->len), out);
		if (err)
			return err;
		m->vecs[m->nr++] = (struct bio_vec) { .bv_page = out->page, .bv_offset = out->offset, .bv_len = out->len };
		len -= out->len;
	}
	return 0;
}

static int take_locked(struct pipe_inode_info *pipe, struct message *m, size_t len)
{
	unsigned int most = pipe_occupancy(pipe->head, pipe->tail);

	if (bytes_in(pipe) < len)
		return -EINVAL;
	m->bufs = kvmalloc_array(most, sizeof(*m->bufs), GFP_KERNEL);
	m->vecs = kvmalloc_array(most, sizeof(*m->vecs), GFP_KERNEL);
	return m->bufs && m->vecs ? take_message(pipe, m, len) : -ENOMEM;
}

static void free_message(struct pipe_inode_info *pipe, struct message *m)
{
	pipe_lock(pipe);
	while (m->nr)
		pipe_buf_release(pipe, &m->bufs[--m->nr]);
	pipe_unlock(pipe);
	kvfree(m->vecs);
	kvfree(m->bufs);
}

/* The next @len bytes of the pipe are one message; with fewer in it nothing is taken. */
ssize_t fblk_dev_splice_write(struct pipe_inode_info *pipe, struct file *file, loff_t *pos, size_t len, unsigned int flags)
{
	struct message m = {};
	struct iov_iter from;
	ssize_t ret;

	pipe_lock(pipe);
	ret = take_locked(pipe, &m, len);
	pipe_unlock(pipe);
	if (!ret) {
		iov_iter_bvec(&from, WRITE, m.vecs, m.nr, len);
		ret = fblk_dev_write(file, &from);
	}
	free_message(pipe, &m);
	return ret;
}
