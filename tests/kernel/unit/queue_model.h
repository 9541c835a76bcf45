/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue_model.h: what kernel/queue.h promises, in small: up to two requests on
 * up to two lanes, and every step that their callers, the daemon's threads and
 * an abort can make.  The model has no pointers and no padding: its bytes are
 * the state.
 */
#ifndef QUEUE_MODEL_H
#define QUEUE_MODEL_H

#include <stdbool.h>
#include <stdint.h>

#define TICKETS 2
#define LANES 2
#define FORGETS 2
#define NOBODY 0xff

struct config {
	const char *name;
	uint8_t tickets, lanes, forgets, max_background;
	bool background[TICKETS];
};

enum copier {
	COPIER_NONE,
	COPIER_PINNED,
	COPIER_PAUSED,
	COPIER_LOST,			/* was told that its ticket is gone; holds a reference still */
};

enum forget { FORGET_UNSENT, FORGET_QUEUED, FORGET_GONE };

struct model_ticket {
	uint8_t state;			/* enum fblk_state */
	uint8_t lane;			/* of the copier, or where it was sent */
	uint8_t copier;			/* enum copier */
	uint8_t maker;			/* holds its reference */
	uint8_t refused;		/* not added: the connection is gone */
	uint8_t aborted, interrupted, cancelled;
	uint8_t unique;
	uint8_t error;			/* positive */
};

struct model {
	struct model_ticket t[TICKETS];
	uint8_t pending[TICKETS], held[TICKETS], interrupts[TICKETS];	/* oldest first, then NOBODY */
	uint8_t forgets[FORGETS];	/* enum forget; sent in order */
	uint8_t is_open[LANES];
	uint8_t connected, no_interrupt, last_unique;
	uint8_t forgets_left, requests_left;	/* of the turns, while there are both */
};

enum op {
	OP_ADD, OP_INTERRUPT, OP_CANCEL, OP_PUT,			/* the caller of @ticket */
	OP_PAUSE, OP_RESUME, OP_LET_GO, OP_SENT, OP_END,		/* who copies @ticket */
	OP_TAKE, OP_CLOSE,						/* on @lane */
	OP_FIND, OP_ANSWER,						/* @ticket's number on @lane; @error */
	OP_ABORT, OP_FORGET,
};

struct step {
	enum op op;
	uint8_t ticket, lane;
	int error;
};

/* What a step must come to. */
struct outcome {
	int ret;			/* of the function, false and true as 0 and 1 */
	int kind;			/* TAKE: enum fblk_work_kind */
	uint8_t ticket;			/* TAKE, FIND: which, or NOBODY */
};

void model_init(struct model *m, const struct config *c);
/* Could it come now? */
bool model_allows(const struct model *m, const struct config *c, const struct step *s);
struct outcome model_step(struct model *m, const struct config *c, const struct step *s);
/* Background tickets that have not ended; @active: only those that are not held. */
unsigned int model_background(const struct model *m, const struct config *c, bool active);
bool model_has_work(const struct model *m);
/* What holds of every state, whatever led to it; NULL, or what does not. */
const char *model_fault(const struct model *m, const struct config *c);
/* Nothing is left to come. */
bool model_is_over(const struct model *m, const struct config *c);

#endif
