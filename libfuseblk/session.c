// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * session.c: the life of a request: decode, handle, encode, reply, and what
 * is owed after the reply.
 *
 * A handler returns; this file sends exactly one reply for what wants one.
 * Lookup counts that a handler raised are taken back unless the reply
 * arrived.  Before ENOSPC is returned, inodes that the kernel has forgotten
 * are freed and a commit makes their space usable, and the handler is run
 * once more.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "channel.h"
#include "interrupt.h"
#include "op.h"
#include "proc.h"
#include "proto.h"
#include "spelling.h"
#include "worker.h"
#include "workers.h"

#define DRAIN_MS	200
#define QUIET_MS	20

/* ---- running a handler ---------------------------------------------- */

static void sleep_ms(long ms)
{
	struct timespec t = { .tv_nsec = ms * 1000000 };

	nanosleep(&t, NULL);
}

/*
 * Let others read and serve the FORGETs that wait: until the channel is
 * empty, or for a while after the last one came.
 */
static void drain_forgets(struct fb_session *s)
{
	uint64_t before = atomic_load(&s->forgets);
	int quiet = 0;

	fb_block_begin();
	for (int i = 0; i < DRAIN_MS && quiet < QUIET_MS && !fb_interrupted(); i++) {
		uint64_t seen = atomic_load(&s->forgets);

		if (!fb_channel_is_readable(s->channel) && !atomic_load(&s->forgetting))
			break;
		quiet = seen == before && !atomic_load(&s->forgetting) ? quiet + 1 : 0;
		before = seen;
		fb_workers_hand_over(s);
		sleep_ms(1);
	}
	fb_block_end();
	fb_node_reap(s->vol);
}

/*
 * A full volume is written to without end by what has not noticed yet: if
 * draining has just been in vain and only writes came since, it is again.
 */
static bool is_drain_vain(struct fb_session *s)
{
	return atomic_load(&s->vain_others) == atomic_load(&s->others) &&
	       atomic_load(&s->vain_forgets) == atomic_load(&s->forgets);
}

static void note_vain(struct fb_session *s)
{
	atomic_store(&s->vain_others, atomic_load(&s->others));
	atomic_store(&s->vain_forgets, atomic_load(&s->forgets));
}

/* After a failed attempt: 0 to run the handler again, or the error to answer. */
static int make_room(struct fb_request *req, int err, unsigned *again, bool *drained)
{
	struct fb_session *s = req->session;
	int failed;

	fb_req_unlook(req, req->worker->lookup_count);
	if (err == -FUSEBLK_EAGAIN_COMMIT) {
		if ((*again)++ < 2)
			return fb_commit(s->vol->cache);
		err = -ENOSPC;
	}
	if (*drained)
		note_vain(s);
	if (*drained || is_drain_vain(s))
		return err;
	*drained = true;
	drain_forgets(s);
	failed = fb_commit(s->vol->cache);
	if (failed == -EINTR || fb_interrupted())
		return -EINTR;
	return failed ? err : 0;
}

static int run_handler(struct fb_request *req, const struct fb_opcode *op)
{
	unsigned again = 0;
	bool drained = false;
	int err;

	for (;;) {
		memset(&req->out, 0, sizeof(req->out));
		err = op->handle(req);
		if (err != -ENOSPC && err != -FUSEBLK_EAGAIN_COMMIT)
			return err;
		err = make_room(req, err, &again, &drained);
		if (err)
			return err;
	}
}

/* Which opcodes the state of the session lets through. Returns 0 or the error to answer. */
static int admit(struct fb_session *s, const struct fb_request *req)
{
	if (req->opcode == FUSE_INTERRUPT)
		return 0;
	if (req->opcode == FUSE_INIT)
		return atomic_load(&s->initialised) ? -EINVAL : 0;
	if (!atomic_load(&s->initialised))
		return -EIO;
	return atomic_load(&s->ending) ? -ENODEV : 0;
}

static int handle(struct fb_request *req, int err)
{
	const struct fb_opcode *op = fb_opcode(req->opcode);
	struct fb_session *s = req->session;

	if (!err)
		err = admit(s, req);
	if (!err && !op->handle)
		err = -ENOSYS;
	if (err)
		return err;
	if (req->opcode != FUSE_WRITE && req->opcode != FUSE_READ)
		atomic_fetch_add(&s->others, 1);
	if (req->opcode == FUSE_FORGET || req->opcode == FUSE_BATCH_FORGET) {
		atomic_fetch_add(&s->forgetting, 1);
		err = op->handle(req);
		atomic_fetch_add(&s->forgets, 1);
		atomic_fetch_sub(&s->forgetting, 1);
		return err;
	}
	return run_handler(req, op);
}

/* ---- the reply and what follows ------------------------------------- */

static void told(struct fb_session *s, int error)
{
	bool first;

	pthread_mutex_lock(&s->lock);
	first = !s->serving_called;
	s->serving_called = true;
	pthread_mutex_unlock(&s->lock);
	if (first && s->serving)
		s->serving(s->ctx, error);
}

static int send_reply(struct fb_request *req, int err)
{
	struct fb_reply reply;
	int sent = 0;

	if (req->opcode == FUSE_FORGET || req->opcode == FUSE_BATCH_FORGET)
		return 0;
	fb_spelling_reply_begin(req);
	fb_encode(req, &req->session->proto, err, &reply);
	if (reply.iov_count)
		sent = fb_channel_reply(req->worker->fd, &reply);
	fb_spelling_reply_end(req);
	return sent;
}

/* The reply, and what the kernel has to be told before and after it. */
static int answer(struct fb_request *req, int err)
{
	struct fb_session *s = req->session;
	int sent;

	fb_stale_tell(req);
	if (req->worker->answered) {	/* while it was stuck */
		fb_stale_send(req);
		return 0;
	}
	if (!err && fb_stale_is_marked(s, req->out.attr.ino))
		req->out.no_cache_attr = true;
	sent = send_reply(req, err);
	fb_stale_send(req);
	return sent;
}

static void log_request(const struct fb_request *req, int err)
{
	if (req->vol->options.debug)
		fuseblk_log(req->vol, FUSEBLK_DEBUG, "%s node %llu: %d",
			    fb_opcode(req->opcode)->name, (unsigned long long)req->nodeid, err);
}

/* Work that no caller waits for. */
static void after_reply(struct fb_worker *worker)
{
	struct fb_session *s = worker->session;
	struct fuseblk_volume *vol = s->vol;

	if (worker->touched) {
		fb_atime_update(vol, worker->touched);
		worker->touched = 0;
	}
	fb_node_reap(vol);
	if (fb_volume_owes_mark(vol))
		fb_volume_mark_error(vol);
	if (atomic_load_explicit(&vol->nodes->commit_due, memory_order_relaxed) &&
	    atomic_exchange(&vol->nodes->commit_due, false))
		fb_commit(vol->cache);
	if (atomic_load_explicit(&vol->panicked, memory_order_relaxed)) {
		fb_commit(vol->cache);
		fuseblk_log(vol, FUSEBLK_ERROR, "ending, as errors=panic says");
		fb_workers_end(s);
	}
}

void fb_session_serve(struct fb_worker *worker, size_t len)
{
	struct fb_session *s = worker->session;
	struct fb_request req = {
		.session = s, .worker = worker, .vol = s->vol,
		.scratch = worker->scratch, .scratch_size = FB_SCRATCH_SIZE,
	};
	bool destroyed, initialised;
	int err, sent;

	worker->lookup_count = 0;
	err = fb_decode(worker->message, len, &s->proto, &req);
	fb_interrupt_enter(worker, req.unique, req.pid);
	err = handle(&req, err);
	fb_interrupt_leave(worker);
	if (worker->answered)
		err = -EINTR;
	destroyed = req.opcode == FUSE_DESTROY && atomic_load(&s->ending);
	initialised = req.opcode == FUSE_INIT && !atomic_load(&s->initialised);
	if (initialised && !err)
		atomic_store(&s->initialised, true);
	sent = answer(&req, err);
	if (!atomic_load(&s->ending)) {
		if (err || sent)
			fb_req_unlook(&req, worker->lookup_count);
		log_request(&req, err);
	}
	if (initialised)
		told(s, err ? err : sent);
	if (destroyed) {
		fb_workers_end(s);
		if (s->is_socket)
			shutdown(s->channel, SHUT_RDWR);	/* the other readers */
	} else if (!atomic_load(&s->ending)) {
		after_reply(worker);
	}
}

/* ---- the end -------------------------------------------------------- */

/*
 * Every other request has ended, no new one is let through: give up the
 * volume, so that every descriptor of the device is closed before the reply.
 */
int fb_op_destroy(struct fb_request *req)
{
	struct fb_session *s = req->session;
	struct timespec until;

	if (atomic_exchange(&s->ending, true))
		return 0;
	req->worker->final = true;
	pthread_mutex_lock(&s->lock);
	while (atomic_load(&s->serving_count) > 1) {
		clock_gettime(CLOCK_MONOTONIC, &until);
		until.tv_sec += 1;
		pthread_mutex_unlock(&s->lock);
		fb_workers_hand_over(s);	/* they may wait for a FORGET or an INTERRUPT */
		pthread_mutex_lock(&s->lock);
		if (atomic_load(&s->serving_count) > 1)
			pthread_cond_timedwait(&s->idle, &s->lock, &until);
	}
	pthread_mutex_unlock(&s->lock);
	fb_spelling_halt(s);
	if (s->closing)
		s->closing(s->ctx);
	s->result = fb_volume_close(s->vol);
	return 0;
}

/* ---- new, run, free ------------------------------------------------- */

int fb_session_new(const struct fb_session_args *args, struct fb_session **out)
{
	struct fb_session *s = calloc(1, sizeof(*s));

	if (!s) {
		close(args->channel);
		for (unsigned i = 0; i < args->spare_count; i++)
			close(args->spares[i]);
		return -ENOMEM;
	}
	s->vol = args->vol;
	s->channel = args->channel;
	s->proc = fb_proc_open();
	s->is_socket = args->flags & FB_SESSION_SOCKET;
	for (unsigned i = 0; i < args->spare_count; i++) {
		if (s->spare_count < FB_MAX_WORKERS)
			s->spares[s->spare_count++] = args->spares[i];
		else
			close(args->spares[i]);
	}
	s->serving = args->serving;
	s->closing = args->closing;
	s->ctx = args->ctx;
	atomic_store(&s->vain_others, UINT64_MAX);
	fb_dir_handles_init(&s->dir_handles);
	s->proto = (struct fb_proto){ .minor = FB_PROTO_MINOR_MIN, .max_write = FB_MAX_WRITE };
	pthread_mutex_init(&s->lock, NULL);
	pthread_mutex_init(&s->interrupt_lock, NULL);
	fb_workers_size(s, (unsigned)args->vol->options.threads);
	*out = s;
	return 0;
}

int fb_session_run(struct fb_session *s)
{
	int err = fb_volume_start(s->vol);

	s->vol->session = s;
	if (!err)
		err = fb_spelling_start(s);
	if (!err)
		err = fb_workers_start(s);
	if (!err)
		fb_workers_run(s);
	fb_spelling_stop(s);
	told(s, err ? err : -ECONNABORTED);
	if (!atomic_exchange(&s->ending, true)) {
		if (s->closing)
			s->closing(s->ctx);
		s->result = fb_volume_close(s->vol);
	}
	s->vol->session = NULL;
	if (s->is_socket)
		shutdown(s->channel, SHUT_RDWR);
	return err ? err : s->result;
}

void fb_session_free(struct fb_session *s)
{
	if (!s)
		return;
	for (unsigned i = 0; i < s->spare_count; i++)
		close(s->spares[i]);
	close(s->channel);
	if (s->proc >= 0)
		close(s->proc);
	pthread_mutex_destroy(&s->lock);
	pthread_mutex_destroy(&s->interrupt_lock);
	fb_dir_handles_fini(&s->dir_handles);
	free(s);
}
