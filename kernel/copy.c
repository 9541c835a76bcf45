// SPDX-License-Identifier: GPL-2.0-only
/*
 * copy.c: bytes between a request and the buffers of the daemon.
 *
 * The request's memory belongs to its caller, who may leave as soon as it is
 * aborted; so it is touched only while the ticket is pinned, and nothing that
 * can wait for somebody else happens then: copies are made with page faults
 * off, and where the daemon's buffer is not there the ticket is unpinned while
 * a few bytes are copied with page faults.  (The buffer may be a file of the very mount.)
 */
#include <linux/highmem.h>
#include <linux/uaccess.h>
#include "fblk.h"

#define SLOW_BYTES 256

struct copy {
	struct fblk_req *req;
	struct iov_iter *iter;
	bool to_daemon;
};

/*
 * A few bytes by way of the stack, with page faults and the ticket unpinned
 * meanwhile; the page is there after it.  Returns their number, -EFAULT, or
 * -ECONNABORTED: the request is gone.
 */
static ssize_t copy_slowly(struct copy *c, void *data, size_t len)
{
	struct fblk_queue *q = &c->req->conn->queue;
	struct fblk_ticket *t = &c->req->ticket;
	u8 bounce[SLOW_BYTES];
	size_t n;

	len = min(len, sizeof(bounce));
	if (!user_backed_iter(c->iter) || !iov_iter_count(c->iter))
		return -EFAULT;
	if (c->to_daemon)
		memcpy(bounce, data, len);
	if (!fblk_queue_pause(q, t))
		return -ECONNABORTED;
	n = c->to_daemon ? copy_to_iter(bounce, len, c->iter) : copy_from_iter(bounce, len, c->iter);
	if (!fblk_queue_resume(q, t))
		return -ECONNABORTED;
	if (!c->to_daemon)
		memcpy(data, bounce, n);
	return n ? (ssize_t)n : -EFAULT;
}

static int copy_bytes(struct copy *c, void *data, size_t len)
{
	while (len) {
		ssize_t n;

		pagefault_disable();
		n = c->to_daemon ? copy_to_iter(data, len, c->iter) : copy_from_iter(data, len, c->iter);
		pagefault_enable();
		if (!n)
			n = copy_slowly(c, data, len);
		if (n < 0)
			return n;
		data += n;
		len -= n;
	}
	return 0;
}

static int copy_part(struct copy *c, struct page *page, size_t offset, size_t len)
{
	void *at = kmap_local_page(page);
	int err = copy_bytes(c, at + offset, len);

	kunmap_local(at);
	return err;
}

static int copy_data(struct copy *c, size_t len)
{
	const struct bio_vec *bv = c->req->args.data;

	for (; len; bv++) {
		size_t part = min_t(size_t, len, bv->bv_len);
		int err = copy_part(c, bv->bv_page, bv->bv_offset, part);

		if (err)
			return err;
		if (!c->to_daemon)
			flush_dcache_page(bv->bv_page);
		len -= part;
	}
	return 0;
}

size_t fblk_request_size(const struct fblk_req *req)
{
	const struct fblk_args *args = &req->args;
	size_t size = sizeof(req->head);
	unsigned int i;

	for (i = 0; i < args->nr_in; i++)
		size += args->in[i].iov_len;
	return args->data_is_reply ? size : size + args->data_len;
}

int fblk_copy_request(struct fblk_req *req, struct iov_iter *to)
{
	struct copy c = { .req = req, .iter = to, .to_daemon = true };
	const struct fblk_args *args = &req->args;
	unsigned int i;
	int err = copy_bytes(&c, &req->head, sizeof(req->head));

	for (i = 0; !err && i < args->nr_in; i++)
		err = copy_bytes(&c, args->in[i].iov_base, args->in[i].iov_len);
	if (!err && !args->data_is_reply)
		err = copy_data(&c, args->data_len);
	return err;
}

static size_t reply_size(const struct fblk_args *args)
{
	size_t size = args->data_is_reply ? args->data_len : 0;
	unsigned int i;

	for (i = 0; i < args->nr_out; i++)
		size += args->out[i].iov_len;
	return size;
}

static size_t last_size(const struct fblk_args *args)
{
	if (args->data_is_reply)
		return args->data_len;
	return args->nr_out ? args->out[args->nr_out - 1].iov_len : 0;
}

int fblk_copy_reply(struct fblk_req *req, struct iov_iter *from, size_t len)
{
	struct copy c = { .req = req, .iter = from };
	const struct fblk_args *args = &req->args;
	size_t missing = reply_size(args) - len;
	unsigned int i;
	int err = 0;

	if (len > reply_size(args) || missing > (args->reply_varies ? last_size(args) : 0))
		return -EINVAL;
	req->varying = last_size(args) - missing;
	for (i = 0; !err && i < args->nr_out; i++) {
		err = copy_bytes(&c, args->out[i].iov_base, min(args->out[i].iov_len, len));
		len -= min(args->out[i].iov_len, len);
	}
	if (!err && args->data_is_reply)
		err = copy_data(&c, len);
	return err;
}
