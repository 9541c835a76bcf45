// SPDX-License-Identifier: GPL-2.0-only
/*
 * conn.c: a connection between a mount and its daemon, from the mount until
 * both are gone: the daemon's last channel or the superblock going aborts it,
 * and its memory lives until the last reference.
 */
#include <linux/backing-dev.h>
#include <linux/pid_namespace.h>
#include <linux/random.h>
#include <linux/slab.h>
#include <linux/user_namespace.h>
#include "fblk.h"

static void readable(struct fblk_queue *q)
{
	struct fblk_conn *conn = container_of(q, struct fblk_conn, queue);

	if (q->connected)
		wake_up(&conn->readers);
	else
		wake_up_all(&conn->readers);
	kill_fasync(&conn->fasync, SIGIO, POLL_IN);
}

static void room(struct fblk_queue *q)
{
	wake_up_all(&container_of(q, struct fblk_conn, queue)->room);
}

static const struct fblk_queue_ops queue_ops = {
	.done = fblk_request_done,
	.free = fblk_request_free,
	.readable = readable,
	.room = room,
};

struct fblk_conn *fblk_conn_new(struct user_namespace *user_ns)
{
	struct fblk_conn *conn = kzalloc(sizeof(*conn), GFP_KERNEL);

	if (!conn)
		return NULL;
	fblk_queue_init(&conn->queue, &queue_ops);
	refcount_set(&conn->refs, 1);
	init_waitqueue_head(&conn->readers);
	init_waitqueue_head(&conn->room);
	init_waitqueue_head(&conn->idle);
	init_rwsem(&conn->sb_lock);
	INIT_LIST_HEAD(&conn->mounted);
	atomic64_set(&conn->attr_version, 1);
	get_random_bytes(&conn->owner_key, sizeof(conn->owner_key));
	conn->user_ns = get_user_ns(user_ns);
	conn->pid_ns = get_pid_ns(task_active_pid_ns(current));
	return conn;
}

struct fblk_conn *fblk_conn_get(struct fblk_conn *conn)
{
	refcount_inc(&conn->refs);
	return conn;
}

static void free_conn(struct rcu_head *rcu)
{
	struct fblk_conn *conn = container_of(rcu, struct fblk_conn, rcu);

	put_user_ns(conn->user_ns);
	kfree(conn);
}

void fblk_conn_put(struct fblk_conn *conn)
{
	if (!refcount_dec_and_test(&conn->refs))
		return;
	put_pid_ns(conn->pid_ns);
	/* a walk under RCU may still ask it who may enter */
	call_rcu(&conn->rcu, free_conn);
}

void fblk_conn_abort(struct fblk_conn *conn)
{
	fblk_queue_abort(&conn->queue);
}

void fblk_conn_wait_idle(struct fblk_conn *conn)
{
	wait_event(conn->idle, !atomic_read(&conn->waiting));
}

int fblk_channel_open(struct file *file, struct fblk_conn *conn)
{
	struct fblk_channel *ch;

	lockdep_assert_held(&fblk_mutex);
	if (file->private_data)
		return -EINVAL;
	ch = kmalloc(sizeof(*ch), GFP_KERNEL);
	if (!ch)
		return -ENOMEM;
	ch->conn = fblk_conn_get(conn);
	fblk_lane_open(&conn->queue, &ch->lane);
	smp_store_release(&file->private_data, ch);
	return 0;
}

/* ---- INIT ------------------------------------------------------------------------ */

struct init_request {
	struct fblk_req req;
	struct fuse_init_in in;
	struct fuse_init_out out;
};

static void set_limits(struct fblk_conn *conn)
{
	down_read(&conn->sb_lock);
	if (conn->sb) {
		struct backing_dev_info *bdi = conn->sb->s_bdi;

		bdi->ra_pages = min_t(unsigned long, bdi->ra_pages, conn->proto.max_readahead / PAGE_SIZE);
		bdi->io_pages = fblk_io_max(conn, false) / PAGE_SIZE;
		conn->sb->s_time_gran = conn->proto.time_gran;
	}
	up_read(&conn->sb_lock);
	fblk_queue_set_limits(&conn->queue, conn->proto.max_background, conn->proto.congestion_threshold);
}

static void init_ended(struct fblk_req *req, ssize_t result)
{
	struct init_request *init = container_of(req, struct init_request, req);
	struct fblk_conn *conn = req->conn;
	int err = result < 0 ? result : fblk_init_accept(&conn->limits, &init->out, result, &conn->proto);

	if (err)
		conn->failed = true;
	else
		set_limits(conn);
	smp_store_release(&conn->ready, true);
	wake_up_all(&conn->room);
}

static void init_release(struct fblk_req *req)
{
	kfree(container_of(req, struct init_request, req));
}

int fblk_conn_start(struct fblk_conn *conn)
{
	struct init_request *init = kzalloc(sizeof(*init), GFP_KERNEL);

	if (!init)
		return -ENOMEM;
	conn->limits.page_size = PAGE_SIZE;
	conn->limits.max_readahead = conn->sb->s_bdi->ra_pages * PAGE_SIZE;
	if (!capable(CAP_SYS_ADMIN)) {
		conn->limits.max_background = fblk_max_user_bgreq;
		conn->limits.congestion_threshold = fblk_max_user_congthresh;
	}
	fblk_init_offer(&conn->limits, &init->in);
	init->req.args = (struct fblk_args) { .opcode = FUSE_INIT, .forced = true, .no_caller = true, .reply_varies = true };
	fblk_in(&init->req.args, &init->in, sizeof(init->in));
	fblk_out(&init->req.args, &init->out, sizeof(init->out));
	init->req.end = init_ended;
	init->req.release = init_release;
	fblk_send(conn, &init->req);
	return 0;
}
