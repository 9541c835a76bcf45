// SPDX-License-Identifier: GPL-2.0-only
/*
 * request.c: calls to the daemon.  A call holds its arguments where its caller
 * put them; the queue guarantees that nothing touches them after it ended.
 */
#include <linux/cred.h>
#include <linux/pid_namespace.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include "fblk.h"

static struct kmem_cache *request_cache;

int fblk_request_init(void)
{
	/* whole requests may be copied to user space: their heads are */
	request_cache = kmem_cache_create_usercopy("fblk_request", sizeof(struct fblk_req), 0, 0, 0,
						   sizeof(struct fblk_req), NULL);
	return request_cache ? 0 : -ENOMEM;
}

void fblk_request_fini(void)
{
	kmem_cache_destroy(request_cache);
}

void fblk_request_free(struct fblk_ticket *t)
{
	struct fblk_req *req = container_of(t, struct fblk_req, ticket);

	if (req->release)
		req->release(req);
	else
		kmem_cache_free(request_cache, req);
}

u64 fblk_owner(struct fblk_conn *conn, fl_owner_t owner)
{
	return owner ? siphash_1u64((unsigned long)owner, &conn->owner_key) : 0;
}

bool fblk_lacks(const struct fblk_conn *conn, u32 opcode)
{
	return opcode < FBLK_OPCODES && test_bit(opcode, conn->latched);
}

void fblk_latch(struct fblk_conn *conn, u32 opcode)
{
	if (opcode < FBLK_OPCODES)
		set_bit(opcode, conn->latched);
}

/* ---- one call is under way -------------------------------------------------------- */

static void leave(struct fblk_conn *conn)
{
	if (atomic_dec_and_test(&conn->waiting))
		wake_up_all(&conn->idle);
}

static bool may_go(struct fblk_conn *conn, bool background)
{
	if (!READ_ONCE(conn->queue.connected))
		return true;
	return smp_load_acquire(&conn->ready) && !(background && fblk_queue_is_full(&conn->queue));
}

/* Returns 0, and leave() is owed, or an error. */
static int enter(struct fblk_conn *conn, bool background, bool forced)
{
	int err = 0;

	atomic_inc(&conn->waiting);
	if (forced)
		return 0;
	if (!may_go(conn, background))
		err = wait_event_killable(conn->room, may_go(conn, background)) ? -EINTR : 0;
	if (!err && !READ_ONCE(conn->queue.connected))
		err = -ENOTCONN;
	if (!err && conn->failed)
		err = -ECONNREFUSED;
	if (err)
		leave(conn);
	return err;
}

/* ---- a request ----------------------------------------------------------------------- */

static int fill_caller(struct fblk_conn *conn, const struct fblk_args *args, struct fuse_in_header *head)
{
	if (args->no_caller)
		return 0;
	head->uid = from_kuid(conn->user_ns, current_fsuid());
	head->gid = from_kgid(conn->user_ns, current_fsgid());
	head->pid = pid_nr_ns(task_pid(current), conn->pid_ns);
	if (args->forced) {
		head->uid = from_kuid_munged(conn->user_ns, current_fsuid());
		head->gid = from_kgid_munged(conn->user_ns, current_fsgid());
	} else if (head->uid == (uid_t)-1 || head->gid == (gid_t)-1) {
		return -EOVERFLOW;
	}
	return 0;
}

static int init_request(struct fblk_conn *conn, struct fblk_req *req)
{
	fblk_ticket_init(&req->ticket, req->end != NULL);
	req->conn = conn;
	req->varying = 0;
	req->head = (struct fuse_in_header) { .opcode = req->args.opcode, .nodeid = req->args.nodeid };
	req->head.len = fblk_request_size(req);
	return fill_caller(conn, &req->args, &req->head);
}

static ssize_t result_of(const struct fblk_req *req)
{
	if (req->ticket.error)
		return req->ticket.error;
	return req->args.reply_varies ? req->varying : 0;
}

void fblk_request_done(struct fblk_queue *q, struct fblk_ticket *t)
{
	struct fblk_req *req = container_of(t, struct fblk_req, ticket);
	struct fblk_conn *conn = container_of(q, struct fblk_conn, queue);

	if (!req->end) {
		/* the caller sleeps and the daemon is about to: the same CPU is best */
		__wake_up_sync(&req->wait, TASK_NORMAL);
		return;
	}
	req->end(req, result_of(req));
	leave(conn);
}

/* ---- calls ----------------------------------------------------------------------------- */

static void wait_for_end(struct fblk_conn *conn, struct fblk_req *req)
{
	struct fblk_ticket *t = &req->ticket;

	if (!wait_event_interruptible(req->wait, fblk_ticket_is_done(t)))
		return;
	fblk_queue_interrupt(&conn->queue, t);
	if (!req->args.forced) {
		if (!wait_event_killable(req->wait, fblk_ticket_is_done(t)))
			return;
		if (fblk_queue_cancel(&conn->queue, t))
			return;
	}
	wait_event(req->wait, fblk_ticket_is_done(t));
}

static ssize_t call(struct fblk_conn *conn, const struct fblk_args *args)
{
	gfp_t gfp = args->forced ? GFP_KERNEL | __GFP_NOFAIL : GFP_KERNEL;
	struct fblk_req *req = kmem_cache_zalloc(request_cache, gfp);
	ssize_t ret;

	if (!req)
		return -ENOMEM;
	req->args = *args;
	init_waitqueue_head(&req->wait);
	ret = init_request(conn, req);
	if (!ret)
		ret = fblk_queue_add(&conn->queue, &req->ticket);
	if (!ret) {
		wait_for_end(conn, req);
		ret = result_of(req);
	}
	fblk_ticket_put(&conn->queue, &req->ticket);
	return ret;
}

ssize_t fblk_call(struct fblk_conn *conn, const struct fblk_args *args)
{
	ssize_t ret = enter(conn, false, args->forced);

	if (ret)
		return ret;
	ret = call(conn, args);
	leave(conn);
	return ret;
}

ssize_t fblk_call_optional(struct fblk_conn *conn, const struct fblk_args *args)
{
	ssize_t ret;

	if (fblk_lacks(conn, args->opcode))
		return -ENOSYS;
	ret = fblk_call(conn, args);
	if (ret == -ENOSYS)
		fblk_latch(conn, args->opcode);
	return ret;
}

void fblk_send(struct fblk_conn *conn, struct fblk_req *req)
{
	int err = init_request(conn, req);

	if (!err)
		err = enter(conn, true, req->args.forced);
	if (!err) {
		err = fblk_queue_add(&conn->queue, &req->ticket);
		if (err)
			leave(conn);
	}
	if (err)
		req->end(req, err);
	fblk_ticket_put(&conn->queue, &req->ticket);
}
