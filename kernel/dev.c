// SPDX-License-Identifier: GPL-2.0-only
/*
 * dev.c: /dev/fuse, where the daemon reads requests, one by each read, and
 * writes replies and notifications, one by each write.
 */
#include <linux/file.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/poll.h>
#include <linux/slab.h>
#include "fblk.h"

DEFINE_MUTEX(fblk_mutex);
LIST_HEAD(fblk_mounted);

static const struct file_operations dev_operations;

struct fblk_channel *fblk_dev_channel(const struct file *file)
{
	return smp_load_acquire(&((struct file *)file)->private_data);
}

bool fblk_is_dev(const struct file *file)
{
	return file->f_op == &dev_operations;
}

/* ---- reading ----------------------------------------------------------------------- */

/* The smallest buffer that takes any request the daemon agreed to. */
static size_t least_buffer(const struct fblk_conn *conn)
{
	size_t write = sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) + conn->proto.max_write;

	return max_t(size_t, FUSE_MIN_READ_BUFFER, write);
}

static ssize_t put_bytes(const void *head, size_t head_len, const void *body, size_t body_len, struct iov_iter *to)
{
	if (copy_to_iter(head, head_len, to) != head_len || copy_to_iter(body, body_len, to) != body_len)
		return -EFAULT;
	return head_len + body_len;
}

static ssize_t read_interrupt(u64 unique, struct iov_iter *to)
{
	struct fuse_interrupt_in body = { .unique = unique };
	struct fuse_in_header head = {
		.len = sizeof(head) + sizeof(body), .opcode = FUSE_INTERRUPT, .unique = unique | 1,
	};

	return put_bytes(&head, sizeof(head), &body, sizeof(body), to);
}

static u64 forget_unique(struct fblk_queue *q)
{
	u64 unique;

	spin_lock(&q->lock);
	q->last_unique += 2;
	unique = q->last_unique;
	spin_unlock(&q->lock);
	return unique;
}

static ssize_t read_forget(struct fblk_conn *conn, const struct fblk_forget *f, struct iov_iter *to)
{
	struct fuse_forget_in body = { .nlookup = f->nlookup };
	struct fuse_in_header head = {
		.len = sizeof(head) + sizeof(body), .opcode = FUSE_FORGET, .nodeid = f->nodeid,
		.unique = forget_unique(&conn->queue),
	};

	return put_bytes(&head, sizeof(head), &body, sizeof(body), to);
}

static ssize_t read_forgets(struct fblk_conn *conn, const struct fblk_work *work, struct iov_iter *to)
{
	struct fuse_batch_forget_in body = { .count = work->nr_forgets };
	size_t len = sizeof(struct fuse_in_header) + sizeof(body) + work->nr_forgets * sizeof(struct fuse_forget_one);
	struct fuse_in_header head = { .len = len, .opcode = FUSE_BATCH_FORGET, .unique = forget_unique(&conn->queue) };
	const struct fblk_forget *f;
	ssize_t ret = put_bytes(&head, sizeof(head), &body, sizeof(body), to);

	for (f = work->forgets; ret > 0 && f; f = f->next) {
		struct fuse_forget_one one = { .nodeid = f->nodeid, .nlookup = f->nlookup };

		if (copy_to_iter(&one, sizeof(one), to) != sizeof(one))
			ret = -EFAULT;
	}
	return ret > 0 ? (ssize_t)len : ret;
}

static ssize_t hand_out_forgets(struct fblk_conn *conn, struct fblk_work *work, struct iov_iter *to)
{
	ssize_t ret = work->nr_forgets == 1 ? read_forget(conn, work->forgets, to) : read_forgets(conn, work, to);

	while (work->forgets) {
		struct fblk_forget *f = work->forgets;

		work->forgets = f->next;
		fblk_forget_free(f);
	}
	return ret;
}

/* How many forgets fit into a read of @size bytes. */
static unsigned int forgets_that_fit(const struct fblk_conn *conn, size_t size)
{
	size_t heads = sizeof(struct fuse_in_header) + sizeof(struct fuse_batch_forget_in);

	return conn->proto.minor < 16 ? 1 : (size - heads) / sizeof(struct fuse_forget_one);
}

/* Returns -EAGAIN if the request was not for this buffer and has ended: look for another. */
static ssize_t hand_out_request(struct fblk_channel *ch, struct fblk_req *req, struct iov_iter *to)
{
	struct fblk_queue *q = &ch->conn->queue;
	size_t len = req->head.len;
	int err;

	if (len > iov_iter_count(to)) {
		fblk_queue_end(q, &req->ticket, req->args.opcode == FUSE_SETXATTR ? -E2BIG : -EIO);
		return -EAGAIN;
	}
	req->head.unique = req->ticket.unique;
	err = fblk_copy_request(req, to);
	if (err == -ECONNABORTED) {
		fblk_ticket_put(q, &req->ticket);
		return -ENODEV;
	}
	if (err) {
		fblk_queue_end(q, &req->ticket, -EIO);
		return err;
	}
	err = fblk_queue_sent(q, &ch->lane, &req->ticket);
	return err ? err : (ssize_t)len;
}

/* Wait for something to read.  Returns 0, -EAGAIN, or -ERESTARTSYS. */
static int wait_for_work(struct fblk_conn *conn, struct file *file)
{
	if (file->f_flags & O_NONBLOCK)
		return -EAGAIN;
	return wait_event_interruptible_exclusive(conn->readers, fblk_queue_is_readable(&conn->queue));
}

static ssize_t end_of_connection(const struct fblk_conn *conn)
{
	return conn->told_abort && fblk_has(conn, FUSE_ABORT_ERROR) ? -ECONNABORTED : -ENODEV;
}

static ssize_t hand_out(struct fblk_channel *ch, struct fblk_work *work, struct iov_iter *to)
{
	switch (work->kind) {
	case FBLK_WORK_INTERRUPT:
		return read_interrupt(work->unique, to);
	case FBLK_WORK_FORGET:
		return hand_out_forgets(ch->conn, work, to);
	default:
		return hand_out_request(ch, container_of(work->ticket, struct fblk_req, ticket), to);
	}
}

ssize_t fblk_dev_read(struct file *file, struct iov_iter *to)
{
	struct fblk_channel *ch = fblk_dev_channel(file);
	struct fblk_work work;
	ssize_t ret;

	if (!ch)
		return -EPERM;
	if (iov_iter_count(to) < least_buffer(ch->conn))
		return -EINVAL;
	do {
		ret = fblk_queue_take(&ch->conn->queue, &ch->lane, forgets_that_fit(ch->conn, iov_iter_count(to)), &work);
		if (!ret)
			ret = hand_out(ch, &work, to);
		else if (ret == -EAGAIN) {
			ret = wait_for_work(ch->conn, file);
			if (ret)
				return ret;
			ret = -EAGAIN;
		}
	} while (ret == -EAGAIN);
	return ret == -ENODEV ? end_of_connection(ch->conn) : ret;
}

static ssize_t dev_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	return fblk_dev_read(iocb->ki_filp, to);
}

/* ---- writing ------------------------------------------------------------------------- */

static int write_reply(struct fblk_channel *ch, const struct fuse_out_header *head, struct iov_iter *from)
{
	struct fblk_queue *q = &ch->conn->queue;
	struct fblk_ticket *t = fblk_queue_find(q, &ch->lane, head->unique);
	struct fblk_req *req = container_of(t, struct fblk_req, ticket);
	size_t len = iov_iter_count(from);
	int err;

	if (!t)
		return -ENOENT;
	if (head->error)
		err = len ? -EINVAL : 0;
	else
		err = fblk_copy_reply(req, from, len);
	if (err == -ECONNABORTED) {
		fblk_ticket_put(q, t);
		return -ENOENT;
	}
	fblk_queue_end(q, t, err ? -EIO : head->error);
	return err;
}

static int write_interrupt_reply(struct fblk_channel *ch, const struct fuse_out_header *head, size_t body)
{
	if (body)
		return -EINVAL;
	return fblk_queue_interrupt_reply(&ch->conn->queue, &ch->lane, head->unique & ~1ULL, head->error);
}

ssize_t fblk_dev_write(struct file *file, struct iov_iter *from)
{
	struct fblk_channel *ch = fblk_dev_channel(file);
	size_t len = iov_iter_count(from);
	struct fuse_out_header head;
	int err;

	if (!ch)
		return -EPERM;
	if (len < sizeof(head))
		return -EINVAL;
	if (!copy_from_iter_full(&head, sizeof(head), from))
		return -EFAULT;
	if (head.len != len)
		return -EINVAL;
	if (!head.unique)
		err = fblk_notify(ch->conn, head.error, from);
	else if (head.error > 0 || head.error <= -512)
		err = -EINVAL;
	else if (head.unique & 1)
		err = write_interrupt_reply(ch, &head, len - sizeof(head));
	else
		err = write_reply(ch, &head, from);
	return err ? err : (ssize_t)len;
}

static ssize_t dev_write_iter(struct kiocb *iocb, struct iov_iter *from)
{
	return fblk_dev_write(iocb->ki_filp, from);
}

/* ---- the rest -------------------------------------------------------------------------- */

static __poll_t dev_poll(struct file *file, poll_table *wait)
{
	struct fblk_channel *ch = fblk_dev_channel(file);

	if (!ch)
		return EPOLLERR;
	poll_wait(file, &ch->conn->readers, wait);
	if (!READ_ONCE(ch->conn->queue.connected))
		return EPOLLERR;
	return EPOLLOUT | EPOLLWRNORM | (fblk_queue_is_readable(&ch->conn->queue) ? EPOLLIN | EPOLLRDNORM : 0);
}

static int dev_fasync(int fd, struct file *file, int on)
{
	struct fblk_channel *ch = fblk_dev_channel(file);

	return ch ? fasync_helper(fd, file, on, &ch->conn->fasync) : -EPERM;
}

static int dev_open(struct inode *inode, struct file *file)
{
	file->private_data = NULL;	/* the misc device's own pointer was there */
	return 0;
}

static int dev_release(struct inode *inode, struct file *file)
{
	struct fblk_channel *ch = fblk_dev_channel(file);

	if (!ch)
		return 0;
	if (fblk_lane_close(&ch->conn->queue, &ch->lane))
		fblk_conn_abort(ch->conn);
	fblk_conn_put(ch->conn);
	kfree(ch);
	return 0;
}

static long clone_channel(struct file *file, struct file *other)
{
	struct fblk_channel *ch;
	long ret = -EINVAL;

	if (!fblk_is_dev(other) || other->f_cred->user_ns != file->f_cred->user_ns)
		return -EINVAL;
	mutex_lock(&fblk_mutex);
	ch = fblk_dev_channel(other);
	if (ch)
		ret = fblk_channel_open(file, ch->conn);
	mutex_unlock(&fblk_mutex);
	return ret;
}

static long dev_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct fd other;
	u32 fd;
	long ret;

	if (cmd != FUSE_DEV_IOC_CLONE)
		return -ENOTTY;
	if (get_user(fd, (u32 __user *)arg))
		return -EFAULT;
	other = fdget(fd);
	if (!other.file)
		return -EINVAL;
	ret = clone_channel(file, other.file);
	fdput(other);
	return ret;
}

static const struct file_operations dev_operations = {
	.owner = THIS_MODULE,
	.open = dev_open,
	.release = dev_release,
	.llseek = no_llseek,
	.read_iter = dev_read_iter,
	.write_iter = dev_write_iter,
	.splice_read = fblk_dev_splice_read,
	.splice_write = fblk_dev_splice_write,
	.poll = dev_poll,
	.fasync = dev_fasync,
	.unlocked_ioctl = dev_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
};

static struct miscdevice device = {
	.minor = FUSE_MINOR,
	.name = "fuse",
	.fops = &dev_operations,
};

int fblk_dev_init(void)
{
	return misc_register(&device);
}

void fblk_dev_fini(void)
{
	misc_deregister(&device);
}
