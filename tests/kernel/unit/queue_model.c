// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * queue_model.c: see queue_model.h.  A step is made here in one piece; where
 * queue.c lets go of its lock in the middle, the walk lets other steps come
 * between (test_k_queue_walk.c).
 */
#include <string.h>
#include "kernel_shim.h"
#include "queue.h"
#include "queue_model.h"

#define FORGETS_IN_TURN 16
#define REQUESTS_IN_TURN 8

/* ---- lines of tickets ----------------------------------------------------------- */

static bool line_has(const uint8_t *line, uint8_t ticket)
{
	return memchr(line, ticket, TICKETS);
}

static void line_add(uint8_t *line, uint8_t ticket)
{
	uint8_t *end = memchr(line, NOBODY, TICKETS);

	*end = ticket;
}

static void line_remove(uint8_t *line, uint8_t ticket)
{
	uint8_t *at = memchr(line, ticket, TICKETS);

	if (!at)
		return;
	memmove(at, at + 1, (size_t)(line + TICKETS - 1 - at));
	line[TICKETS - 1] = NOBODY;
}

/* ---- what a state is ------------------------------------------------------------- */

void model_init(struct model *m, const struct config *c)
{
	memset(m, 0, sizeof(*m));
	memset(m->pending, NOBODY, TICKETS);
	memset(m->held, NOBODY, TICKETS);
	memset(m->interrupts, NOBODY, TICKETS);
	for (int i = 0; i < TICKETS; i++) {
		m->t[i].lane = NOBODY;
		m->t[i].maker = i < c->tickets;
	}
	memset(m->is_open, true, c->lanes);
	m->connected = true;
	m->forgets_left = FORGETS_IN_TURN;
	m->requests_left = REQUESTS_IN_TURN;
}

static bool is_live(const struct model_ticket *t)
{
	return t->state != FBLK_NEW && t->state != FBLK_DONE;
}

unsigned int model_background(const struct model *m, const struct config *c, bool active)
{
	unsigned int n = 0;

	for (int i = 0; i < c->tickets; i++)
		n += c->background[i] && is_live(&m->t[i]) && !(active && m->t[i].state == FBLK_HELD);
	return n;
}

static bool has_forgets(const struct model *m)
{
	return memchr(m->forgets, FORGET_QUEUED, FORGETS);
}

bool model_has_work(const struct model *m)
{
	return m->pending[0] != NOBODY || m->interrupts[0] != NOBODY || has_forgets(m);
}

static const char *ticket_fault(const struct model *m, const struct config *c, uint8_t i)
{
	const struct model_ticket *t = &m->t[i];
	bool in_line = line_has(m->pending, i) || line_has(m->held, i);

	if (!is_live(t) && (in_line || line_has(m->interrupts, i)))
		return "a ticket that has ended, or never began, is in a list";
	if (line_has(m->interrupts, i) && (t->state != FBLK_SENT || !t->interrupted))
		return "an INTERRUPT for what nobody interrupted or the daemon does not have";
	if (!m->connected && is_live(t) && t->copier != COPIER_PINNED)
		return "alive after the abort";
	if (t->state == FBLK_HELD && model_background(m, c, true) < c->max_background)
		return "held though there is room";
	if (t->cancelled && (t->state != FBLK_DONE || t->error != EINTR))
		return "cancelled and not ended by that";
	if (t->aborted && t->copier != COPIER_PINNED)
		return "left to a copier that there is not";
	return NULL;
}

const char *model_fault(const struct model *m, const struct config *c)
{
	const char *fault = NULL;

	for (uint8_t i = 0; !fault && i < c->tickets; i++)
		fault = ticket_fault(m, c, i);
	return fault;
}

bool model_is_over(const struct model *m, const struct config *c)
{
	for (int i = 0; i < c->tickets; i++)
		if (m->t[i].maker || is_live(&m->t[i]) || m->t[i].copier)
			return false;
	return true;
}

/* ---- what can come --------------------------------------------------------------- */

static bool lane_is_idle(const struct model *m, uint8_t lane)
{
	for (int i = 0; i < TICKETS; i++)
		if (m->t[i].copier && m->t[i].lane == lane)
			return false;
	return true;
}

/* Of two alike the first one comes first. */
static bool is_next_to_add(const struct model *m, const struct config *c, uint8_t i)
{
	return !i || c->background[0] != c->background[i] || m->t[0].state != FBLK_NEW || m->t[0].refused;
}

bool model_allows(const struct model *m, const struct config *c, const struct step *s)
{
	const struct model_ticket *t = &m->t[s->ticket];
	bool added = t->state != FBLK_NEW;

	switch (s->op) {
	case OP_ADD:
		return t->maker && !added && !t->refused && is_next_to_add(m, c, s->ticket);
	case OP_INTERRUPT:
		return t->maker && added && !c->background[s->ticket];
	case OP_CANCEL:
		return t->maker && added && !t->cancelled;
	case OP_PUT:
		return t->maker && (t->refused || t->state == FBLK_DONE || (added && c->background[s->ticket]));
	case OP_PAUSE:
	case OP_END:
		return t->copier == COPIER_PINNED;
	case OP_RESUME:
		return t->copier == COPIER_PAUSED;
	case OP_LET_GO:
		return t->copier == COPIER_LOST;
	case OP_SENT:
		return t->copier == COPIER_PINNED && t->state == FBLK_READING;
	case OP_TAKE:
		return m->is_open[s->lane];
	case OP_CLOSE:
		return m->is_open[s->lane] && lane_is_idle(m, s->lane);
	case OP_FIND:
	case OP_ANSWER:
		return m->is_open[s->lane] && added;
	case OP_ABORT:
		return true;
	case OP_FORGET:
		return m->forgets[s->ticket] == FORGET_UNSENT && (!s->ticket || m->forgets[0] != FORGET_UNSENT);
	}
	return false;
}

/* ---- what comes of it ------------------------------------------------------------- */

static void promote(struct model *m, const struct config *c)
{
	while (m->held[0] != NOBODY && model_background(m, c, true) < c->max_background) {
		uint8_t i = m->held[0];

		line_remove(m->held, i);
		line_add(m->pending, i);
		m->t[i].state = FBLK_PENDING;
	}
}

static void end(struct model *m, uint8_t i, int error)
{
	struct model_ticket *t = &m->t[i];

	line_remove(m->pending, i);
	line_remove(m->held, i);
	line_remove(m->interrupts, i);
	t->error = (uint8_t)(t->aborted ? ECONNABORTED : -error);
	t->state = FBLK_DONE;
	t->aborted = false;
	if (!t->copier)
		t->lane = NOBODY;
}

static void drop_copier(struct model_ticket *t)
{
	t->copier = COPIER_NONE;
	if (t->state != FBLK_SENT)
		t->lane = NOBODY;
}

static void owe_interrupt(struct model *m, uint8_t i)
{
	const struct model_ticket *t = &m->t[i];

	if (t->state == FBLK_SENT && t->interrupted && !m->no_interrupt && !line_has(m->interrupts, i))
		line_add(m->interrupts, i);
}

static int add(struct model *m, const struct config *c, uint8_t i)
{
	struct model_ticket *t = &m->t[i];
	bool held = c->background[i] && model_background(m, c, true) >= c->max_background;

	t->refused = !m->connected;
	if (t->refused)
		return -ENOTCONN;
	m->last_unique += 2;
	t->unique = m->last_unique;
	t->state = held ? FBLK_HELD : FBLK_PENDING;
	line_add(held ? m->held : m->pending, i);
	return 0;
}

static bool cancel(struct model *m, const struct config *c, uint8_t i)
{
	struct model_ticket *t = &m->t[i];

	if (t->state != FBLK_PENDING && t->state != FBLK_HELD)
		return false;
	end(m, i, -EINTR);
	t->cancelled = true;
	promote(m, c);
	return true;
}

static bool is_forgets_turn(struct model *m)
{
	if (!has_forgets(m) || m->pending[0] == NOBODY)
		return has_forgets(m);
	if (!m->forgets_left && !m->requests_left) {
		m->forgets_left = FORGETS_IN_TURN;
		m->requests_left = REQUESTS_IN_TURN;
	}
	if (m->forgets_left) {
		m->forgets_left--;
		return true;
	}
	m->requests_left--;
	return false;
}

static struct outcome take(struct model *m, uint8_t lane)
{
	struct outcome out = { .ticket = NOBODY };

	if (!m->connected || !model_has_work(m)) {
		out.ret = m->connected ? -EAGAIN : -ENODEV;
	} else if (m->interrupts[0] != NOBODY) {
		out.kind = FBLK_WORK_INTERRUPT;
		out.ticket = m->interrupts[0];
		line_remove(m->interrupts, out.ticket);
	} else if (is_forgets_turn(m)) {
		uint8_t *first = memchr(m->forgets, FORGET_QUEUED, FORGETS);

		out.kind = FBLK_WORK_FORGET;
		*first = FORGET_GONE;
	} else {
		out.kind = FBLK_WORK_REQUEST;
		out.ticket = m->pending[0];
		line_remove(m->pending, out.ticket);
		m->t[out.ticket].state = FBLK_READING;
		m->t[out.ticket].copier = COPIER_PINNED;
		m->t[out.ticket].lane = lane;
	}
	return out;
}

static bool pause_copy(struct model *m, const struct config *c, uint8_t i)
{
	struct model_ticket *t = &m->t[i];

	t->copier = t->aborted ? COPIER_LOST : COPIER_PAUSED;
	if (t->aborted) {
		end(m, i, -ECONNABORTED);
		promote(m, c);
	}
	return t->copier == COPIER_PAUSED;
}

static bool resume_copy(struct model_ticket *t)
{
	t->copier = t->state == FBLK_DONE ? COPIER_LOST : COPIER_PINNED;
	return t->copier == COPIER_PINNED;
}

static void end_copy(struct model *m, const struct config *c, uint8_t i, int error)
{
	end(m, i, error);
	drop_copier(&m->t[i]);
	promote(m, c);
}

static int sent(struct model *m, const struct config *c, uint8_t i)
{
	if (m->t[i].aborted) {
		end_copy(m, c, i, 0);
		return -ENODEV;
	}
	m->t[i].state = FBLK_SENT;
	drop_copier(&m->t[i]);
	owe_interrupt(m, i);
	return 0;
}

static bool is_sent_on(const struct model_ticket *t, uint8_t lane)
{
	return t->state == FBLK_SENT && t->lane == lane;
}

static uint8_t find(struct model *m, const struct step *s)
{
	struct model_ticket *t = &m->t[s->ticket];

	if (!is_sent_on(t, s->lane))
		return NOBODY;
	t->state = FBLK_WRITING;
	t->copier = COPIER_PINNED;
	line_remove(m->interrupts, s->ticket);
	return s->ticket;
}

static int answer(struct model *m, const struct step *s)
{
	struct model_ticket *t = &m->t[s->ticket];

	if (!is_sent_on(t, s->lane))
		return -ENOENT;
	if (s->error == -EAGAIN && !t->interrupted)
		return -EINVAL;
	if (s->error == -ENOSYS)
		m->no_interrupt = true;
	if (s->error == -EAGAIN)
		owe_interrupt(m, s->ticket);
	return 0;
}

static bool close_lane(struct model *m, const struct config *c, uint8_t lane)
{
	for (uint8_t i = 0; i < c->tickets; i++)
		if (is_sent_on(&m->t[i], lane))
			end(m, i, -ECONNABORTED);
	m->is_open[lane] = false;
	promote(m, c);
	return !memchr(m->is_open, true, LANES);
}

static void abort_all(struct model *m, const struct config *c)
{
	m->connected = false;
	for (uint8_t i = 0; i < c->tickets; i++) {
		if (is_live(&m->t[i]) && m->t[i].copier == COPIER_PINNED)
			m->t[i].aborted = true;
		else if (is_live(&m->t[i]))
			end(m, i, -ECONNABORTED);
	}
	for (int i = 0; i < FORGETS; i++)
		if (m->forgets[i] == FORGET_QUEUED)
			m->forgets[i] = FORGET_GONE;
}

struct outcome model_step(struct model *m, const struct config *c, const struct step *s)
{
	struct model_ticket *t = &m->t[s->ticket];
	struct outcome out = { .ticket = NOBODY };

	switch (s->op) {
	case OP_ADD:
		out.ret = add(m, c, s->ticket);
		break;
	case OP_INTERRUPT:
		t->interrupted = true;
		owe_interrupt(m, s->ticket);
		break;
	case OP_CANCEL:
		out.ret = cancel(m, c, s->ticket);
		break;
	case OP_PUT:
		t->maker = false;
		break;
	case OP_PAUSE:
		out.ret = pause_copy(m, c, s->ticket);
		break;
	case OP_RESUME:
		out.ret = resume_copy(t);
		break;
	case OP_LET_GO:
		drop_copier(t);
		break;
	case OP_SENT:
		out.ret = sent(m, c, s->ticket);
		break;
	case OP_END:
		end_copy(m, c, s->ticket, s->error);
		break;
	case OP_TAKE:
		return take(m, s->lane);
	case OP_CLOSE:
		out.ret = close_lane(m, c, s->lane);
		break;
	case OP_FIND:
		out.ticket = find(m, s);
		break;
	case OP_ANSWER:
		out.ret = answer(m, s);
		break;
	case OP_ABORT:
		abort_all(m, c);
		break;
	case OP_FORGET:
		m->forgets[s->ticket] = m->connected ? FORGET_QUEUED : FORGET_GONE;
		break;
	}
	return out;
}
