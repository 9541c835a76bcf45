// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_k_queue_walk.c: every order of steps on the kernel module's queue, for
 * one and two requests on one and two lanes, depth first, each state once.
 * After each step the queue is what its model says (queue_model.h), and the
 * model's own rules hold; at the end nobody holds anything.
 *
 * A function of the queue is one step, but for what it does after it let go of
 * the lock.  There, and in each callback, another thread's whole step is let
 * in, for every pair that can be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include "queue_world.h"

#define STEPS_MAX 64
#define DEPTH_MAX 400		/* never reached */

static struct step steps[STEPS_MAX];
static unsigned int nr_steps;

/* ---- the states that were seen --------------------------------------------------- */

static struct model *seen;
static uint8_t *used;
static size_t nr_seen, room_for;

static size_t hash(const struct model *m)
{
	const uint8_t *bytes = (const uint8_t *)m;
	uint64_t h = 0xcbf29ce484222325;

	for (size_t i = 0; i < sizeof(*m); i++)
		h = (h ^ bytes[i]) * 0x100000001b3;
	return h ^ (h >> 29);
}

/* False if it was there already. */
static bool remember(const struct model *m)
{
	size_t at = hash(m) & (room_for - 1);

	for (; used[at]; at = (at + 1) & (room_for - 1))
		if (!memcmp(&seen[at], m, sizeof(*m)))
			return false;
	used[at] = true;
	seen[at] = *m;
	nr_seen++;
	return true;
}

static void make_room(size_t n)
{
	struct model *old = seen;
	uint8_t *old_used = used;
	size_t old_room = room_for;

	seen = malloc(n * sizeof(*seen));
	used = calloc(n, 1);
	assert_true(seen && used);
	room_for = n;
	nr_seen = 0;
	for (size_t i = 0; i < old_room; i++)
		if (old_used[i])
			remember(&old[i]);
	free(old);
	free(old_used);
}

static void forget_all(void)
{
	free(seen);
	free(used);
	seen = NULL;
	used = NULL;
	room_for = 0;
}

/* ---- the way here, for who wants to know why -------------------------------------- */

static struct way {
	const struct step *step, *between;
	unsigned int point;
} way[DEPTH_MAX + 1];
static unsigned int depth;

static void print_step(const char *before, const struct step *s)
{
	static const char *const names[] = {
		"add", "interrupt", "cancel", "put", "pause", "resume", "let go", "sent", "end", "take", "close", "find",
		"answer", "abort", "forget",
	};

	fprintf(stderr, "%s%s ticket %u lane %u error %d", before, names[s->op], s->ticket, s->lane, s->error);
}

static void explain(void)
{
	fprintf(stderr, "%s:\n", world_config->name);
	for (unsigned int i = 0; i <= depth; i++) {
		if (!way[i].step)
			break;
		print_step("  ", way[i].step);
		if (way[i].between)
			print_step(" | ", way[i].between);
		fprintf(stderr, way[i].between ? " (moment %u)\n" : "\n", way[i].point);
	}
}

/* ---- the walk ------------------------------------------------------------------------ */

static void step_is(enum op op, unsigned int ticket, unsigned int lane, int error)
{
	steps[nr_steps++] = (struct step) { .op = op, .ticket = (uint8_t)ticket, .lane = (uint8_t)lane, .error = error };
}

static void list_steps(const struct config *c)
{
	static const int answers[] = { 0, -EAGAIN, -ENOSYS };

	nr_steps = 0;
	for (unsigned int t = 0; t < c->tickets; t++) {
		for (enum op op = OP_ADD; op < OP_END; op++)
			step_is(op, t, 0, 0);
		step_is(OP_END, t, 0, -EIO);
		for (unsigned int l = 0; l < c->lanes; l++) {
			step_is(OP_FIND, t, l, 0);
			for (int i = 0; i < 3; i++)
				step_is(OP_ANSWER, t, l, answers[i]);
		}
	}
	for (unsigned int l = 0; l < c->lanes; l++) {
		step_is(OP_TAKE, 0, l, 0);
		step_is(OP_CLOSE, 0, l, 0);
	}
	for (unsigned int f = 0; f < c->forgets; f++)
		step_is(OP_FORGET, f, 0, 0);
	step_is(OP_ABORT, 0, 0, 0);
	assert_true(nr_steps <= STEPS_MAX);
}

static unsigned long nr_made, nr_ends;

static void walk(void);

static void go_on(void)
{
	nr_made++;
	world_check();
	if (!remember(&world.model))
		return;
	if (nr_seen > room_for / 2)
		make_room(room_for * 2);
	nr_ends += model_is_over(&world.model, world_config);
	depth++;
	assert_true(depth < DEPTH_MAX);
	walk();
	depth--;
}

static void try_pairs(const struct step *s, const struct world *here)
{
	for (unsigned int i = 0; i < nr_steps; i++) {
		enum between came = BETWEEN_MADE;

		for (unsigned int point = 0; came != BETWEEN_NEVER; point++) {
			world = *here;
			way[depth] = (struct way) { s, &steps[i], point };
			came = world_step_between(s, &steps[i], point);
			if (came == BETWEEN_MADE)
				go_on();
		}
	}
}

static void walk(void)
{
	struct world *here = malloc(sizeof(*here));

	assert_non_null(here);
	*here = world;
	for (unsigned int i = 0; i < nr_steps; i++) {
		if (!world_allows(&steps[i]))
			continue;
		way[depth] = (struct way) { &steps[i], NULL, 0 };
		world_step(&steps[i]);
		go_on();
		if (world_can_part(&steps[i]))
			try_pairs(&steps[i], here);
		world = *here;
	}
	way[depth].step = NULL;
	free(here);
}

static void walk_all(const struct config *c)
{
	world_explain = explain;
	world_init(c);
	list_steps(c);
	nr_made = nr_ends = depth = 0;
	make_room(1 << 12);
	remember(&world.model);
	world_check();
	walk();
	print_message("%s: %zu states, %lu steps, %lu ends\n", c->name, nr_seen, nr_made, nr_ends);
	assert_true(nr_ends > 0);
	forget_all();
}

#define ONE_LANE .lanes = 1, .max_background = 1
#define TWO_LANES .lanes = 2, .max_background = 1

static void one_request(void **state)
{
	static const struct config configs[] = {
		{ .name = "one, one lane", .tickets = 1, .forgets = 2, ONE_LANE },
		{ .name = "one, two lanes", .tickets = 1, .forgets = 2, TWO_LANES },
		{ .name = "one in the background, one lane", .tickets = 1, .background = { true }, .forgets = 2, ONE_LANE },
		{ .name = "one in the background, two lanes", .tickets = 1, .background = { true }, .forgets = 2, TWO_LANES },
	};

	(void)state;
	for (unsigned int i = 0; i < 4; i++)
		walk_all(&configs[i]);
}

static void two_requests(void **state)
{
	static const struct config configs[] = {
		{ .name = "two", .tickets = 2, .forgets = 1, ONE_LANE },
		{ .name = "one and one in the background", .tickets = 2, .background = { false, true }, .forgets = 1, ONE_LANE },
		{ .name = "two in the background", .tickets = 2, .background = { true, true }, .forgets = 1, ONE_LANE },
	};

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		walk_all(&configs[i]);
}

static void two_requests_on_two_lanes(void **state)
{
	static const struct config configs[] = {
		{ .name = "two", .tickets = 2, TWO_LANES },
		{ .name = "one and one in the background", .tickets = 2, .background = { false, true }, TWO_LANES },
		{ .name = "two in the background", .tickets = 2, .background = { true, true }, TWO_LANES },
	};

	(void)state;
	for (unsigned int i = 0; i < 3; i++)
		walk_all(&configs[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_request),
		cmocka_unit_test(two_requests),
		cmocka_unit_test(two_requests_on_two_lanes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
