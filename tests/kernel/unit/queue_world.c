// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue_world.c: see queue_world.h.  The model makes a step before the queue
 * does, so that what comes between sees it made.  Memory that is free, and a
 * lane that is closed, are overwritten: who still uses them falls.
 */
#include <stdio.h>
#include <stdlib.h>
#include "queue_world.h"

#define WANT(what) do { if (!(what)) failed(#what, __LINE__); } while (0)

struct world world;
const struct config *world_config;
void (*world_explain)(void);

/* What comes between, and after how many moments. */
static const struct step *between;
static unsigned int moments_left;
static enum between came;
static bool in_between;
static unsigned int readable_calls, room_calls;

static _Noreturn void failed(const char *what, int line)
{
	fprintf(stderr, "queue_world.c:%d: not so: %s\n", line, what);
	if (world_explain)
		world_explain();
	abort();
}

/* ---- what the queue calls ---------------------------------------------------------- */

static void moment(void)
{
	const struct step *s = between;

	if (!s || moments_left--)
		return;
	between = NULL;
	came = BETWEEN_NOT_ALLOWED;
	if (!world_allows(s))
		return;
	came = BETWEEN_MADE;
	in_between = true;
	world_step(s);
	in_between = false;
}

static uint8_t ticket_number(const struct fblk_ticket *t)
{
	WANT(t >= world.tickets && t < world.tickets + TICKETS);
	return (uint8_t)(t - world.tickets);
}

static void done(struct fblk_queue *q, struct fblk_ticket *t)
{
	uint8_t i = ticket_number(t);

	WANT(q == &world.queue && !shim_locks_held());
	WANT(fblk_ticket_is_done(t) && list_empty(&t->link) && list_empty(&t->interrupt));
	WANT(world.model.t[i].state == FBLK_DONE && world.model.t[i].copier != COPIER_PINNED);
	WANT(!world.model.t[i].cancelled && !world.freed[i]);
	world.done[i]++;
	WANT(world.done[i] == 1);
	moment();
}

static void free_ticket(struct fblk_ticket *t)
{
	uint8_t i = ticket_number(t);

	WANT(!shim_locks_held());
	world.freed[i]++;
	WANT(world.freed[i] == 1);
	memset(t, 0x5a, sizeof(*t));
}

static void readable(struct fblk_queue *q)
{
	WANT(q == &world.queue && !shim_locks_held());
	readable_calls++;
	moment();
}

static void room(struct fblk_queue *q)
{
	WANT(q == &world.queue && !shim_locks_held());
	room_calls++;
	moment();
}

void fblk_forget_free(struct fblk_forget *f)
{
	size_t i = (size_t)(f - world.forgets);

	WANT(i < FORGETS && !world.forgotten[i] && !shim_locks_held());
	world.forgotten[i]++;
	memset(f, 0x5a, sizeof(*f));
}

static const struct fblk_queue_ops ops = { .done = done, .free = free_ticket, .readable = readable, .room = room };

void world_init(const struct config *c)
{
	memset(&world, 0, sizeof(world));
	world_config = c;
	shim_unlocked = NULL;
	model_init(&world.model, c);
	fblk_queue_init(&world.queue, &ops);
	fblk_queue_set_limits(&world.queue, c->max_background, c->max_background);
	for (int i = 0; i < c->lanes; i++)
		fblk_lane_open(&world.queue, &world.lanes[i]);
	for (int i = 0; i < c->tickets; i++)
		fblk_ticket_init(&world.tickets[i], c->background[i]);
	shim_unlocked = moment;
}

/* ---- steps --------------------------------------------------------------------------- */

static void take(const struct step *s, const struct outcome *want)
{
	struct fblk_work work = { 0 };

	WANT(fblk_queue_take(&world.queue, &world.lanes[s->lane], 1, &work) == want->ret);
	if (want->ret)
		return;
	WANT((int)work.kind == want->kind);
	if (work.kind == FBLK_WORK_REQUEST)
		WANT(work.ticket == &world.tickets[want->ticket]);
	else if (work.kind == FBLK_WORK_INTERRUPT)
		WANT(work.unique == world.model.t[want->ticket].unique);
	else {
		WANT(work.nr_forgets == 1 && work.forgets && !work.forgets->next);
		fblk_forget_free(work.forgets);
	}
}

static void find(const struct step *s, const struct outcome *want)
{
	struct fblk_ticket *t = fblk_queue_find(&world.queue, &world.lanes[s->lane], world.model.t[s->ticket].unique);

	WANT(t == (want->ticket == NOBODY ? NULL : &world.tickets[want->ticket]));
}

static void close_lane(const struct step *s, const struct outcome *want)
{
	WANT(fblk_lane_close(&world.queue, &world.lanes[s->lane]) == want->ret);
	memset(&world.lanes[s->lane], 0xa5, sizeof(world.lanes[0]));
}

static void real_step(const struct step *s, const struct outcome *want)
{
	struct fblk_queue *q = &world.queue;
	struct fblk_ticket *t = &world.tickets[s->ticket];
	uint8_t unique = world.model.t[s->ticket].unique;

	switch (s->op) {
	case OP_ADD:
		WANT(fblk_queue_add(q, t) == want->ret);
		break;
	case OP_INTERRUPT:
		fblk_queue_interrupt(q, t);
		break;
	case OP_CANCEL:
		WANT(fblk_queue_cancel(q, t) == want->ret);
		break;
	case OP_PUT:
	case OP_LET_GO:
		fblk_ticket_put(q, t);
		break;
	case OP_PAUSE:
		WANT(fblk_queue_pause(q, t) == want->ret);
		break;
	case OP_RESUME:
		WANT(fblk_queue_resume(q, t) == want->ret);
		break;
	case OP_SENT:
		WANT(fblk_queue_sent(q, &world.lanes[s->lane], t) == want->ret);
		break;
	case OP_END:
		fblk_queue_end(q, t, s->error);
		break;
	case OP_TAKE:
		take(s, want);
		break;
	case OP_CLOSE:
		close_lane(s, want);
		break;
	case OP_FIND:
		find(s, want);
		break;
	case OP_ANSWER:
		WANT(fblk_queue_interrupt_reply(q, &world.lanes[s->lane], unique, s->error) == want->ret);
		break;
	case OP_ABORT:
		fblk_queue_abort(q);
		break;
	case OP_FORGET:
		fblk_queue_forget(q, &world.forgets[s->ticket]);
		break;
	}
}

bool world_allows(const struct step *s)
{
	const struct model_ticket *t = &world.model.t[s->ticket];

	if (!model_allows(&world.model, world_config, s))
		return false;
	/* A caller sees the end in the ticket, perhaps before the queue has told of it. */
	return s->op != OP_PUT || t->refused || world_config->background[s->ticket] ||
		fblk_ticket_is_done(&world.tickets[s->ticket]);
}

static unsigned int work_of(const struct model *m)
{
	unsigned int n = 0;

	for (int i = 0; i < TICKETS; i++)
		n += (m->pending[i] != NOBODY) + (m->interrupts[i] != NOBODY);
	for (int i = 0; i < FORGETS; i++)
		n += m->forgets[i] == FORGET_QUEUED;
	return n;
}

/* Who waits for something was woken if the step brought it: a reader for each thing to read. */
static void check_wakes(const struct model *before)
{
	const struct model *m = &world.model;
	unsigned int had = work_of(before), has = work_of(m), max = world_config->max_background;

	if (has > had)
		WANT(readable_calls >= has - had);
	if (before->connected && !m->connected)
		WANT(readable_calls && room_calls);
	if (m->connected && model_background(before, world_config, false) >= max &&
	    model_background(m, world_config, false) < max)
		WANT(room_calls);
}

void world_step(const struct step *s)
{
	struct model before = world.model;
	struct step placed = *s;
	struct outcome want;

	if (s->op == OP_SENT)
		placed.lane = before.t[s->ticket].lane;
	readable_calls = room_calls = 0;
	want = model_step(&world.model, world_config, s);
	real_step(&placed, &want);
	if (!in_between && came != BETWEEN_MADE)
		check_wakes(&before);
}

/* Is one thread at work in both, or on a lane that the other closes?  As things are before @s. */
static bool collide(const struct step *s, const struct step *other)
{
	bool callers = s->op <= OP_PUT && other->op <= OP_PUT;
	bool copiers = s->op >= OP_PAUSE && s->op <= OP_END && other->op >= OP_PAUSE && other->op <= OP_END;
	uint8_t lane = s->op == OP_ANSWER ? s->lane : world.model.t[s->ticket].lane;
	bool on_lane = s->op == OP_ANSWER || (s->op >= OP_PAUSE && s->op <= OP_END);

	if (s->ticket == other->ticket && (callers || copiers))
		return true;
	return other->op == OP_CLOSE && on_lane && lane == other->lane;
}

bool world_can_part(const struct step *s)
{
	bool at_once = s->op == OP_TAKE || s->op == OP_FIND || s->op == OP_RESUME;

	return !at_once && !(s->op == OP_ANSWER && s->error != -EAGAIN);
}

enum between world_step_between(const struct step *s, const struct step *other, unsigned int point)
{
	enum between result;

	if (collide(s, other))
		return BETWEEN_NEVER;
	came = BETWEEN_NEVER;
	moments_left = point;
	between = other;
	world_step(s);
	between = NULL;
	result = came;
	came = BETWEEN_NEVER;
	return result;
}

/* ---- the queue against the model --------------------------------------------------------- */

static void check_line(const struct list_head *head, const uint8_t *want, bool interrupts)
{
	const struct list_head *at = head->next;

	for (int i = 0; i < TICKETS && want[i] != NOBODY; i++, at = at->next) {
		struct fblk_ticket *t = &world.tickets[want[i]];

		WANT(at == (interrupts ? &t->interrupt : &t->link));
	}
	WANT(at == head);
}

static unsigned int count(const struct list_head *head)
{
	const struct list_head *at;
	unsigned int n = 0;

	for (at = head->next; at != head; at = at->next)
		n++;
	return n;
}

static bool has(const struct list_head *head, const struct list_head *link)
{
	const struct list_head *at = head->next;

	while (at != head && at != link)
		at = at->next;
	return at == link;
}

/* Each lane holds what was read from it and did not end. */
static void check_lane(uint8_t lane)
{
	struct fblk_lane *l = &world.lanes[lane];
	unsigned int entries = count(&l->busy), want = 0;

	for (int i = 0; i < FBLK_LANE_BUCKETS; i++)
		entries += count(&l->sent[i]);
	for (int i = 0; i < world_config->tickets; i++) {
		const struct model_ticket *m = &world.model.t[i];
		bool busy = m->state == FBLK_READING || m->state == FBLK_WRITING;

		if (m->lane != lane || !(busy || m->state == FBLK_SENT))
			continue;
		WANT(has(busy ? &l->busy : &l->sent[(m->unique >> 1) % FBLK_LANE_BUCKETS], &world.tickets[i].link));
		want++;
	}
	WANT(entries == want);
}

static void check_ticket(uint8_t i)
{
	const struct model_ticket *m = &world.model.t[i];
	struct fblk_ticket *t = &world.tickets[i];
	bool queued = m->state != FBLK_NEW && m->state != FBLK_DONE;
	int refs = m->maker + queued + (m->copier != COPIER_NONE);

	WANT(world.done[i] + m->cancelled == (m->state == FBLK_DONE));
	WANT(world.freed[i] == !refs);
	if (!refs)
		return;
	WANT(refcount_read(&t->refs) == refs);
	WANT(t->state == (enum fblk_state)m->state && t->unique == m->unique);
	WANT(t->interrupted == m->interrupted && t->pinned == (m->copier == COPIER_PINNED));
	WANT(!queued || t->aborted == m->aborted);
	WANT(m->state != FBLK_DONE || t->error == -m->error);
	WANT(queued || list_empty(&t->link));
}

static void check_forgets(void)
{
	const struct fblk_forget *f = world.queue.forgets;

	for (int i = 0; i < FORGETS; i++) {
		WANT(world.forgotten[i] == (world.model.forgets[i] == FORGET_GONE));
		if (world.model.forgets[i] != FORGET_QUEUED)
			continue;
		WANT(f == &world.forgets[i]);
		f = f->next;
	}
	WANT(!f);
}

void world_check(void)
{
	const struct model *m = &world.model;
	const struct config *c = world_config;
	struct fblk_queue *q = &world.queue;
	const char *fault = model_fault(m, c);

	if (fault)
		failed(fault, __LINE__);
	WANT(q->connected == m->connected && q->no_interrupt == m->no_interrupt && q->last_unique == m->last_unique);
	WANT(q->background == model_background(m, c, false) && q->active == model_background(m, c, true));
	WANT(q->turn == (m->forgets_left ? m->forgets_left : m->requests_left - 8));
	WANT(fblk_queue_is_readable(q) == (!m->connected || model_has_work(m)));
	WANT(fblk_queue_is_full(q) == (q->background >= c->max_background));
	check_line(&q->pending, m->pending, false);
	check_line(&q->held, m->held, false);
	check_line(&q->interrupts, m->interrupts, true);
	check_forgets();
	for (uint8_t i = 0; i < c->lanes; i++)
		if (m->is_open[i])
			check_lane(i);
	for (uint8_t i = 0; i < c->tickets; i++)
		check_ticket(i);
}
