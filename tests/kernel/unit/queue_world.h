/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * queue_world.h: the real queue with its model beside it, as one block of
 * memory that can be saved and put back, and the steps made on both.
 */
#ifndef QUEUE_WORLD_H
#define QUEUE_WORLD_H

#include "kernel_shim.h"
#include "queue.h"
#include "queue_model.h"

struct world {
	struct fblk_queue queue;
	struct fblk_lane lanes[LANES];
	struct fblk_ticket tickets[TICKETS];
	struct fblk_forget forgets[FORGETS];
	uint8_t done[TICKETS], freed[TICKETS], forgotten[FORGETS];	/* calls */
	struct model model;
};

/* All pointers in it lead into it, so that a copy put back is the same world. */
extern struct world world;
extern const struct config *world_config;

void world_init(const struct config *c);
bool world_allows(const struct step *s);
/* Make a step that is allowed, in the model and then in the queue, and compare what came of it. */
void world_step(const struct step *s);
/* Does it do anything after it let go of the lock? */
bool world_can_part(const struct step *s);
enum between { BETWEEN_NEVER, BETWEEN_NOT_ALLOWED, BETWEEN_MADE };
/*
 * Make @s and, at the @point-th moment when it is without the lock, @other.
 * BETWEEN_NEVER: there are not so many moments, or one thread cannot do both.
 */
enum between world_step_between(const struct step *s, const struct step *other, unsigned int point);
/* Everything that the queue holds is what the model says. */
void world_check(void);
/* Called on a difference, before the program ends. */
extern void (*world_explain)(void);

#endif
