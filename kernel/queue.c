// SPDX-License-Identifier: GPL-2.0-only
/*
 * queue.c: see queue.h.  Functions named *_locked want the lock held; tickets
 * that they end are gathered on a list, for run_done() to tell when the lock
 * is free again.
 */
#include "queue.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#endif

#define FORGETS_IN_TURN 16
#define REQUESTS_IN_TURN 8

void fblk_queue_init(struct fblk_queue *q, const struct fblk_queue_ops *ops)
{
	spin_lock_init(&q->lock);
	q->ops = ops;
	q->connected = true;
	q->no_interrupt = false;
	q->last_unique = 0;
	INIT_LIST_HEAD(&q->pending);
	INIT_LIST_HEAD(&q->held);
	INIT_LIST_HEAD(&q->interrupts);
	INIT_LIST_HEAD(&q->lanes);
	q->forgets = NULL;
	q->last_forget = &q->forgets;
	q->turn = FORGETS_IN_TURN;
	q->background = 0;
	q->active = 0;
	q->max_background = 12;
	q->congestion_threshold = 9;
}

void fblk_ticket_init(struct fblk_ticket *t, bool background)
{
	INIT_LIST_HEAD(&t->link);
	INIT_LIST_HEAD(&t->interrupt);
	refcount_set(&t->refs, 1);
	t->unique = 0;
	t->state = FBLK_NEW;
	t->error = 0;
	t->background = background;
	t->interrupted = false;
	t->pinned = false;
	t->aborted = false;
}

void fblk_ticket_put(struct fblk_queue *q, struct fblk_ticket *t)
{
	if (refcount_dec_and_test(&t->refs))
		q->ops->free(t);
}

bool fblk_ticket_is_done(const struct fblk_ticket *t)
{
	return smp_load_acquire(&t->state) == FBLK_DONE;
}

/* ---- ends --------------------------------------------------------------------- */

/* Let held tickets follow as far as there is room.  Returns how many did. */
static unsigned int promote_locked(struct fblk_queue *q)
{
	unsigned int promoted = 0;

	while (q->active < q->max_background && !list_empty(&q->held)) {
		struct fblk_ticket *t = list_first_entry(&q->held, struct fblk_ticket, link);

		t->state = FBLK_PENDING;
		list_move_tail(&t->link, &q->pending);
		q->active++;
		promoted++;
	}
	return promoted;
}

static void finish_locked(struct fblk_queue *q, struct fblk_ticket *t, int error, struct list_head *ended)
{
	if (t->background) {
		q->background--;
		if (t->state != FBLK_HELD)
			q->active--;
	}
	list_del_init(&t->interrupt);
	list_move_tail(&t->link, ended);
	t->pinned = false;
	t->error = error;
	smp_store_release(&t->state, FBLK_DONE);
}

/* Tell of the tickets on @ended.  Nothing of a ticket is the queue's after ->done but the reference. */
static void run_done(struct fblk_queue *q, struct list_head *ended)
{
	while (!list_empty(ended)) {
		struct fblk_ticket *t = list_first_entry(ended, struct fblk_ticket, link);

		list_del_init(&t->link);
		q->ops->done(q, t);
		fblk_ticket_put(q, t);
	}
}

/* After a step that may have ended background tickets: let the held ones follow. */
static void unlock_and_follow(struct fblk_queue *q, struct list_head *ended, bool was_background)
	__releases(&q->lock)
{
	unsigned int promoted = was_background ? promote_locked(q) : 0;
	bool room = was_background && q->background < q->max_background;

	spin_unlock(&q->lock);
	run_done(q, ended);
	while (promoted--)
		q->ops->readable(q);
	if (room)
		q->ops->room(q);
}

/* ---- the caller's side --------------------------------------------------------- */

int fblk_queue_add(struct fblk_queue *q, struct fblk_ticket *t)
{
	bool held = false;

	spin_lock(&q->lock);
	if (!q->connected) {
		spin_unlock(&q->lock);
		return -ENOTCONN;
	}
	q->last_unique += 2;
	t->unique = q->last_unique;
	refcount_inc(&t->refs);
	if (t->background) {
		q->background++;
		held = q->active >= q->max_background;
		if (!held)
			q->active++;
	}
	t->state = held ? FBLK_HELD : FBLK_PENDING;
	list_add_tail(&t->link, held ? &q->held : &q->pending);
	spin_unlock(&q->lock);
	if (!held)
		q->ops->readable(q);
	return 0;
}

void fblk_queue_forget(struct fblk_queue *q, struct fblk_forget *f)
{
	bool connected;

	f->next = NULL;
	spin_lock(&q->lock);
	connected = q->connected;
	if (connected) {
		*q->last_forget = f;
		q->last_forget = &f->next;
	}
	spin_unlock(&q->lock);
	if (connected)
		q->ops->readable(q);
	else
		fblk_forget_free(f);
}

static bool ask_interrupt_locked(struct fblk_queue *q, struct fblk_ticket *t)
{
	if (t->state != FBLK_SENT || !t->interrupted || q->no_interrupt || !list_empty(&t->interrupt))
		return false;
	list_add_tail(&t->interrupt, &q->interrupts);
	return true;
}

void fblk_queue_interrupt(struct fblk_queue *q, struct fblk_ticket *t)
{
	bool asked;

	spin_lock(&q->lock);
	t->interrupted = true;
	asked = ask_interrupt_locked(q, t);
	spin_unlock(&q->lock);
	if (asked)
		q->ops->readable(q);
}

bool fblk_queue_cancel(struct fblk_queue *q, struct fblk_ticket *t)
{
	LIST_HEAD(mine);
	LIST_HEAD(none);
	bool unread;

	spin_lock(&q->lock);
	unread = t->state == FBLK_PENDING || t->state == FBLK_HELD;
	if (unread) {
		finish_locked(q, t, -EINTR, &mine);
		list_del_init(&t->link);
	}
	unlock_and_follow(q, &none, unread && t->background);
	if (unread)
		fblk_ticket_put(q, t);
	return unread;
}

bool fblk_queue_is_full(struct fblk_queue *q)
{
	return READ_ONCE(q->background) >= READ_ONCE(q->max_background);
}

bool fblk_queue_is_congested(struct fblk_queue *q)
{
	return READ_ONCE(q->background) >= READ_ONCE(q->congestion_threshold);
}

void fblk_queue_set_max_background(struct fblk_queue *q, unsigned int max_background)
{
	LIST_HEAD(none);

	spin_lock(&q->lock);
	q->max_background = max_background;
	unlock_and_follow(q, &none, true);
}

void fblk_queue_set_congestion(struct fblk_queue *q, unsigned int threshold)
{
	spin_lock(&q->lock);
	q->congestion_threshold = threshold;
	spin_unlock(&q->lock);
}

void fblk_queue_set_limits(struct fblk_queue *q, unsigned int max_background, unsigned int congestion_threshold)
{
	if (congestion_threshold)
		fblk_queue_set_congestion(q, congestion_threshold);
	if (max_background)
		fblk_queue_set_max_background(q, max_background);
}

/* ---- the daemon's side ------------------------------------------------------------ */

static struct list_head *bucket(struct fblk_lane *lane, u64 unique)
{
	return &lane->sent[(unique >> 1) % FBLK_LANE_BUCKETS];
}

static bool has_work_locked(const struct fblk_queue *q)
{
	return !list_empty(&q->interrupts) || q->forgets || !list_empty(&q->pending);
}

bool fblk_queue_is_readable(struct fblk_queue *q)
{
	bool readable;

	spin_lock(&q->lock);
	readable = !q->connected || has_work_locked(q);
	spin_unlock(&q->lock);
	return readable;
}

static bool is_forgets_turn(struct fblk_queue *q)
{
	if (!q->forgets)
		return false;
	if (list_empty(&q->pending))
		return true;
	if (q->turn <= -REQUESTS_IN_TURN)
		q->turn = FORGETS_IN_TURN;
	return q->turn-- > 0;
}

static void take_forgets(struct fblk_queue *q, unsigned int max, struct fblk_work *work)
{
	struct fblk_forget *last = q->forgets;

	work->kind = FBLK_WORK_FORGET;
	work->forgets = last;
	for (work->nr_forgets = 1; work->nr_forgets < max && last->next; work->nr_forgets++)
		last = last->next;
	q->forgets = last->next;
	if (!q->forgets)
		q->last_forget = &q->forgets;
	last->next = NULL;
}

static void take_request(struct fblk_queue *q, struct fblk_lane *lane, struct fblk_work *work)
{
	struct fblk_ticket *t = list_first_entry(&q->pending, struct fblk_ticket, link);

	refcount_inc(&t->refs);
	t->state = FBLK_READING;
	t->pinned = true;
	list_move_tail(&t->link, &lane->busy);
	work->kind = FBLK_WORK_REQUEST;
	work->ticket = t;
}

static void take_interrupt(struct fblk_queue *q, struct fblk_work *work)
{
	struct fblk_ticket *t = list_first_entry(&q->interrupts, struct fblk_ticket, interrupt);

	list_del_init(&t->interrupt);
	work->kind = FBLK_WORK_INTERRUPT;
	work->unique = t->unique;
}

int fblk_queue_take(struct fblk_queue *q, struct fblk_lane *lane, unsigned int max_forgets, struct fblk_work *work)
{
	int err = 0;

	spin_lock(&q->lock);
	if (!q->connected)
		err = -ENODEV;
	else if (!has_work_locked(q))
		err = -EAGAIN;
	else if (!list_empty(&q->interrupts))
		take_interrupt(q, work);
	else if (is_forgets_turn(q))
		take_forgets(q, max_forgets, work);
	else
		take_request(q, lane, work);
	spin_unlock(&q->lock);
	return err;
}

int fblk_queue_sent(struct fblk_queue *q, struct fblk_lane *lane, struct fblk_ticket *t)
{
	bool aborted, asked = false;

	spin_lock(&q->lock);
	aborted = t->aborted;
	if (!aborted) {
		t->pinned = false;
		t->state = FBLK_SENT;
		list_move_tail(&t->link, bucket(lane, t->unique));
		asked = ask_interrupt_locked(q, t);
	}
	spin_unlock(&q->lock);
	if (aborted) {
		fblk_queue_end(q, t, -ECONNABORTED);
		return -ENODEV;
	}
	if (asked)
		q->ops->readable(q);
	fblk_ticket_put(q, t);
	return 0;
}

static struct fblk_ticket *find_locked(struct fblk_lane *lane, u64 unique)
{
	struct fblk_ticket *t;

	list_for_each_entry(t, bucket(lane, unique), link)
		if (t->unique == unique)
			return t;
	return NULL;
}

struct fblk_ticket *fblk_queue_find(struct fblk_queue *q, struct fblk_lane *lane, u64 unique)
{
	struct fblk_ticket *t;

	spin_lock(&q->lock);
	t = find_locked(lane, unique);
	if (t) {
		refcount_inc(&t->refs);
		t->state = FBLK_WRITING;
		t->pinned = true;
		list_del_init(&t->interrupt);
		list_move_tail(&t->link, &lane->busy);
	}
	spin_unlock(&q->lock);
	return t;
}

void fblk_queue_end(struct fblk_queue *q, struct fblk_ticket *t, int error)
{
	LIST_HEAD(ended);

	spin_lock(&q->lock);
	finish_locked(q, t, t->aborted ? -ECONNABORTED : error, &ended);
	unlock_and_follow(q, &ended, t->background);
	fblk_ticket_put(q, t);
}

bool fblk_queue_pause(struct fblk_queue *q, struct fblk_ticket *t)
{
	LIST_HEAD(ended);
	bool aborted;

	spin_lock(&q->lock);
	aborted = t->aborted;
	t->pinned = false;
	if (aborted)
		finish_locked(q, t, -ECONNABORTED, &ended);
	spin_unlock(&q->lock);
	run_done(q, &ended);
	return !aborted;
}

bool fblk_queue_resume(struct fblk_queue *q, struct fblk_ticket *t)
{
	bool alive;

	spin_lock(&q->lock);
	alive = t->state != FBLK_DONE;
	if (alive)
		t->pinned = true;
	spin_unlock(&q->lock);
	return alive;
}

int fblk_queue_interrupt_reply(struct fblk_queue *q, struct fblk_lane *lane, u64 unique, int error)
{
	struct fblk_ticket *t;
	bool asked = false;
	int err = 0;

	spin_lock(&q->lock);
	t = find_locked(lane, unique);
	if (!t)
		err = -ENOENT;
	else if (error == -ENOSYS)
		q->no_interrupt = true;
	else if (error == -EAGAIN && !t->interrupted)
		err = -EINVAL;
	else if (error == -EAGAIN)
		asked = ask_interrupt_locked(q, t);
	spin_unlock(&q->lock);
	if (asked)
		q->ops->readable(q);
	return err;
}

/* ---- lanes, and the end --------------------------------------------------------------- */

void fblk_lane_open(struct fblk_queue *q, struct fblk_lane *lane)
{
	int i;

	for (i = 0; i < FBLK_LANE_BUCKETS; i++)
		INIT_LIST_HEAD(&lane->sent[i]);
	INIT_LIST_HEAD(&lane->busy);
	spin_lock(&q->lock);
	list_add(&lane->link, &q->lanes);
	spin_unlock(&q->lock);
}

static void finish_all_locked(struct fblk_queue *q, struct list_head *list, struct list_head *ended)
{
	struct fblk_ticket *t, *next;

	list_for_each_entry_safe(t, next, list, link) {
		if (t->pinned)
			t->aborted = true;
		else
			finish_locked(q, t, -ECONNABORTED, ended);
	}
}

static void finish_lane_locked(struct fblk_queue *q, struct fblk_lane *lane, struct list_head *ended)
{
	int i;

	for (i = 0; i < FBLK_LANE_BUCKETS; i++)
		finish_all_locked(q, &lane->sent[i], ended);
	finish_all_locked(q, &lane->busy, ended);
}

bool fblk_lane_close(struct fblk_queue *q, struct fblk_lane *lane)
{
	LIST_HEAD(ended);
	bool last;

	spin_lock(&q->lock);
	finish_lane_locked(q, lane, &ended);
	list_del_init(&lane->link);
	last = list_empty(&q->lanes);
	unlock_and_follow(q, &ended, true);
	return last;
}

static void free_forgets(struct fblk_forget *f)
{
	while (f) {
		struct fblk_forget *next = f->next;

		fblk_forget_free(f);
		f = next;
	}
}

void fblk_queue_abort(struct fblk_queue *q)
{
	struct fblk_forget *forgets;
	struct fblk_lane *lane;
	LIST_HEAD(ended);

	spin_lock(&q->lock);
	q->connected = false;
	finish_all_locked(q, &q->held, &ended);
	finish_all_locked(q, &q->pending, &ended);
	list_for_each_entry(lane, &q->lanes, link)
		finish_lane_locked(q, lane, &ended);
	forgets = q->forgets;
	q->forgets = NULL;
	q->last_forget = &q->forgets;
	spin_unlock(&q->lock);
	free_forgets(forgets);
	run_done(q, &ended);
	q->ops->readable(q);
	q->ops->room(q);
}
