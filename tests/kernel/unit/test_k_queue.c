// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_k_queue.c: the rules of the kernel module's request queue
 * (kernel/queue.h), one case for each.  Every order of steps is walked by
 * test_k_queue_walk.c; here is what needs more than two requests, and what one
 * likes to read.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "kernel_shim.h"
#include "queue.h"

static struct fblk_queue queue;
static struct fblk_lane lane, other_lane;
static unsigned int nr_done, nr_freed, nr_readable, nr_room, nr_forgotten;

/* ---- the environment ------------------------------------------------------------- */

static void done(struct fblk_queue *q, struct fblk_ticket *t)
{
	assert_ptr_equal(q, &queue);
	assert_true(fblk_ticket_is_done(t));
	assert_int_equal(shim_locks_held(), 0);
	nr_done++;
}

static void free_ticket(struct fblk_ticket *t)
{
	assert_int_equal(shim_locks_held(), 0);
	nr_freed++;
	free(t);
}

static void readable(struct fblk_queue *q)
{
	assert_ptr_equal(q, &queue);
	assert_int_equal(shim_locks_held(), 0);
	nr_readable++;
}

static void room(struct fblk_queue *q)
{
	assert_ptr_equal(q, &queue);
	assert_int_equal(shim_locks_held(), 0);
	nr_room++;
}

void fblk_forget_free(struct fblk_forget *f)
{
	nr_forgotten++;
	free(f);
}

static const struct fblk_queue_ops ops = { .done = done, .free = free_ticket, .readable = readable, .room = room };

static int setup(void **state)
{
	(void)state;
	fblk_queue_init(&queue, &ops);
	fblk_lane_open(&queue, &lane);
	fblk_lane_open(&queue, &other_lane);
	nr_done = nr_freed = nr_readable = nr_room = nr_forgotten = 0;
	return 0;
}

/* Whatever a case left: the abort ends it. */
static int teardown(void **state)
{
	(void)state;
	fblk_queue_abort(&queue);
	return queue.background || queue.active || queue.forgets || shim_locks_held();
}

/* ---- what cases say ----------------------------------------------------------------- */

static struct fblk_ticket *new_ticket(bool background)
{
	struct fblk_ticket *t = malloc(sizeof(*t));

	assert_non_null(t);
	fblk_ticket_init(t, background);
	return t;
}

static struct fblk_ticket *add(bool background)
{
	struct fblk_ticket *t = new_ticket(background);

	assert_int_equal(fblk_queue_add(&queue, t), 0);
	return t;
}

/* The caller has its result. */
static void expect_end(struct fblk_ticket *t, int error)
{
	assert_true(fblk_ticket_is_done(t));
	assert_int_equal(t->error, error);
	fblk_ticket_put(&queue, t);
}

static void forget(u64 nodeid)
{
	struct fblk_forget *f = malloc(sizeof(*f));

	assert_non_null(f);
	*f = (struct fblk_forget) { .nodeid = nodeid, .nlookup = 1 };
	fblk_queue_forget(&queue, f);
}

static struct fblk_work take(enum fblk_work_kind kind)
{
	struct fblk_work work = { 0 };

	assert_int_equal(fblk_queue_take(&queue, &lane, 100, &work), 0);
	assert_int_equal(work.kind, kind);
	return work;
}

static void expect_nothing(int err)
{
	struct fblk_work work;

	assert_int_equal(fblk_queue_take(&queue, &lane, 100, &work), err);
}

/* The daemon reads a request; it must be @t. */
static void read_request(struct fblk_ticket *t)
{
	assert_ptr_equal(take(FBLK_WORK_REQUEST).ticket, t);
	assert_int_equal(fblk_queue_sent(&queue, &lane, t), 0);
}

static void reply(struct fblk_ticket *t, int error)
{
	assert_ptr_equal(fblk_queue_find(&queue, &lane, t->unique), t);
	fblk_queue_end(&queue, t, error);
}

static void expect_interrupt(const struct fblk_ticket *t)
{
	assert_int_equal(take(FBLK_WORK_INTERRUPT).unique, t->unique);
}

/* ---- a request ------------------------------------------------------------------------ */

static void request_and_reply(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	assert_int_equal(nr_readable, 1);
	assert_false(fblk_ticket_is_done(t));
	read_request(t);
	expect_nothing(-EAGAIN);
	reply(t, -ENOENT);
	assert_int_equal(nr_done, 1);
	assert_int_equal(nr_freed, 0);
	expect_end(t, -ENOENT);
	assert_int_equal(nr_freed, 1);
}

static void oldest_first(void **state)
{
	struct fblk_ticket *t[5];

	(void)state;
	for (int i = 0; i < 5; i++)
		t[i] = add(i & 1);
	for (int i = 0; i < 5; i++)
		read_request(t[i]);
	for (int i = 4; i >= 0; i--) {
		reply(t[i], 0);
		expect_end(t[i], 0);
	}
	assert_int_equal(nr_done, 5);
}

static void numbers_are_even_and_rise_by_two(void **state)
{
	u64 last = 0;

	(void)state;
	for (int i = 0; i < 200; i++) {
		struct fblk_ticket *t = add(false);

		assert_int_equal(t->unique, last + 2);
		last = t->unique;
		assert_true(fblk_queue_cancel(&queue, t));
		expect_end(t, -EINTR);
	}
}

/* More than the lane has buckets. */
static void each_reply_finds_its_own(void **state)
{
	struct fblk_ticket *t[3 * FBLK_LANE_BUCKETS];

	(void)state;
	for (int i = 0; i < 3 * FBLK_LANE_BUCKETS; i++) {
		t[i] = add(false);
		read_request(t[i]);
	}
	for (int i = 0; i < 3 * FBLK_LANE_BUCKETS; i++) {
		reply(t[i], -i);
		expect_end(t[i], -i);
	}
}

static void a_reply_counts_once_and_on_its_lane(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	assert_null(fblk_queue_find(&queue, &lane, t->unique));	/* not read yet */
	take(FBLK_WORK_REQUEST);
	assert_null(fblk_queue_find(&queue, &lane, t->unique));	/* not whole */
	assert_int_equal(fblk_queue_sent(&queue, &lane, t), 0);
	assert_null(fblk_queue_find(&queue, &other_lane, t->unique));
	assert_null(fblk_queue_find(&queue, &lane, t->unique + 1));
	assert_null(fblk_queue_find(&queue, &lane, t->unique + 2 * FBLK_LANE_BUCKETS));
	assert_null(fblk_queue_find(&queue, &lane, UINT64_MAX));
	assert_ptr_equal(fblk_queue_find(&queue, &lane, t->unique), t);
	assert_null(fblk_queue_find(&queue, &lane, t->unique));	/* being replied to */
	fblk_queue_end(&queue, t, 0);
	assert_null(fblk_queue_find(&queue, &lane, t->unique));
	expect_end(t, 0);
}

static void a_read_that_fails_ends_the_request(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	take(FBLK_WORK_REQUEST);
	fblk_queue_end(&queue, t, -EIO);
	expect_nothing(-EAGAIN);
	expect_end(t, -EIO);
}

/* ---- signals ------------------------------------------------------------------------------ */

static void cancel_only_what_was_not_read(void **state)
{
	struct fblk_ticket *unread = add(false), *read = add(false);

	(void)state;
	assert_true(fblk_queue_cancel(&queue, unread));
	expect_end(unread, -EINTR);
	assert_int_equal(nr_freed, 1);
	assert_int_equal(nr_done, 0);
	take(FBLK_WORK_REQUEST);
	assert_false(fblk_queue_cancel(&queue, read));
	assert_int_equal(fblk_queue_sent(&queue, &lane, read), 0);
	assert_false(fblk_queue_cancel(&queue, read));
	reply(read, 0);
	assert_false(fblk_queue_cancel(&queue, read));
	expect_end(read, 0);
}

static void interrupts_come_before_everything(void **state)
{
	struct fblk_ticket *t = add(false), *second, *third;

	(void)state;
	read_request(t);
	second = add(false);
	read_request(second);
	third = add(false);
	forget(5);
	fblk_queue_interrupt(&queue, second);
	fblk_queue_interrupt(&queue, t);
	expect_interrupt(second);
	expect_interrupt(t);
	fblk_forget_free(take(FBLK_WORK_FORGET).forgets);
	read_request(third);
	expect_nothing(-EAGAIN);
	reply(t, -EINTR);
	reply(second, 0);
	reply(third, 0);
	expect_end(t, -EINTR);
	expect_end(second, 0);
	expect_end(third, 0);
}

static void a_request_is_read_before_its_interrupt(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	fblk_queue_interrupt(&queue, t);
	assert_int_equal(nr_readable, 1);
	take(FBLK_WORK_REQUEST);
	expect_nothing(-EAGAIN);
	assert_int_equal(fblk_queue_sent(&queue, &lane, t), 0);
	assert_int_equal(nr_readable, 2);
	expect_interrupt(t);
	reply(t, -EINTR);
	expect_end(t, -EINTR);
}

static void a_reply_takes_the_interrupt_back(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	read_request(t);
	fblk_queue_interrupt(&queue, t);
	assert_true(fblk_queue_is_readable(&queue));
	assert_ptr_equal(fblk_queue_find(&queue, &lane, t->unique), t);
	assert_false(fblk_queue_is_readable(&queue));
	fblk_queue_interrupt(&queue, t);
	assert_false(fblk_queue_is_readable(&queue));
	fblk_queue_end(&queue, t, 0);
	expect_end(t, 0);
}

static void eagain_asks_for_the_interrupt_again(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	read_request(t);
	fblk_queue_interrupt(&queue, t);
	expect_interrupt(t);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -EAGAIN), 0);
		assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -EAGAIN), 0);
		expect_interrupt(t);
		expect_nothing(-EAGAIN);
	}
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, 0), 0);
	expect_nothing(-EAGAIN);
	reply(t, 0);
	expect_end(t, 0);
}

static void eagain_for_what_nobody_interrupted(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	read_request(t);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -EAGAIN), -EINVAL);
	expect_nothing(-EAGAIN);
	reply(t, 0);
	expect_end(t, 0);
}

static void enosys_ends_all_interrupts(void **state)
{
	struct fblk_ticket *t = add(false), *second = add(false);

	(void)state;
	read_request(t);
	read_request(second);
	fblk_queue_interrupt(&queue, t);
	expect_interrupt(t);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -ENOSYS), 0);
	fblk_queue_interrupt(&queue, second);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -EAGAIN), 0);
	expect_nothing(-EAGAIN);
	reply(t, 0);
	reply(second, 0);
	expect_end(t, 0);
	expect_end(second, 0);
}

static void a_late_or_unknown_interrupt_reply(void **state)
{
	struct fblk_ticket *t = add(false);

	(void)state;
	read_request(t);
	fblk_queue_interrupt(&queue, t);
	expect_interrupt(t);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &other_lane, t->unique, -EAGAIN), -ENOENT);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, 4711, -ENOSYS), -ENOENT);
	assert_false(queue.no_interrupt);
	reply(t, 0);
	assert_int_equal(fblk_queue_interrupt_reply(&queue, &lane, t->unique, -EAGAIN), -ENOENT);
	expect_nothing(-EAGAIN);
	expect_end(t, 0);
}

/* ---- the background ---------------------------------------------------------------------- */

static void held_over_the_limit_and_promoted(void **state)
{
	struct fblk_ticket *t[5], *foreground;

	(void)state;
	fblk_queue_set_limits(&queue, 2, 2);
	for (int i = 0; i < 5; i++)
		t[i] = add(true);
	foreground = add(false);
	assert_int_equal(nr_readable, 3);
	assert_true(fblk_queue_is_full(&queue));
	read_request(t[0]);
	read_request(t[1]);
	read_request(foreground);
	expect_nothing(-EAGAIN);
	reply(t[1], 0);
	read_request(t[2]);
	expect_nothing(-EAGAIN);
	assert_true(fblk_queue_cancel(&queue, t[3]));		/* held: no room comes of it */
	expect_nothing(-EAGAIN);
	reply(t[0], 0);
	read_request(t[4]);
	reply(t[2], 0);
	reply(t[4], 0);
	reply(foreground, 0);
	assert_int_equal(queue.background, 0);
	assert_int_equal(queue.active, 0);
	for (int i = 0; i < 5; i++)
		expect_end(t[i], i == 3 ? -EINTR : 0);
	expect_end(foreground, 0);
}

static void full_and_congested(void **state)
{
	struct fblk_ticket *t[3];
	unsigned int calls;

	(void)state;
	fblk_queue_set_limits(&queue, 3, 2);
	for (int i = 0; i < 3; i++) {
		assert_false(fblk_queue_is_full(&queue));
		assert_int_equal(fblk_queue_is_congested(&queue), i >= 2);
		t[i] = add(true);
	}
	assert_true(fblk_queue_is_full(&queue));
	calls = nr_room;
	read_request(t[0]);
	assert_int_equal(nr_room, calls);
	reply(t[0], 0);
	assert_int_equal(nr_room, calls + 1);
	assert_false(fblk_queue_is_full(&queue));
	assert_true(fblk_queue_is_congested(&queue));
	assert_true(fblk_queue_cancel(&queue, t[1]));
	assert_int_equal(nr_room, calls + 2);
	assert_false(fblk_queue_is_congested(&queue));
	fblk_queue_abort(&queue);
	expect_end(t[0], 0);
	expect_end(t[1], -EINTR);
	expect_end(t[2], -ECONNABORTED);
}

static void limits_can_change(void **state)
{
	struct fblk_ticket *t[6];

	(void)state;
	assert_int_equal(queue.max_background, 12);
	assert_int_equal(queue.congestion_threshold, 9);
	fblk_queue_set_limits(&queue, 1, 7);
	fblk_queue_set_limits(&queue, 0, 0);
	assert_int_equal(queue.max_background, 1);
	assert_int_equal(queue.congestion_threshold, 7);
	for (int i = 0; i < 6; i++)
		t[i] = add(true);
	nr_readable = 0;
	fblk_queue_set_limits(&queue, 4, 0);
	assert_int_equal(nr_readable, 3);		/* for each that is not held any more */
	for (int i = 0; i < 4; i++)
		read_request(t[i]);
	fblk_queue_set_limits(&queue, 2, 0);
	reply(t[0], 0);
	reply(t[1], 0);
	expect_nothing(-EAGAIN);
	reply(t[2], 0);
	read_request(t[4]);
	expect_nothing(-EAGAIN);
	fblk_queue_abort(&queue);
	for (int i = 0; i < 6; i++)
		expect_end(t[i], i < 3 ? 0 : -ECONNABORTED);
}

/* ---- forgets ------------------------------------------------------------------------------- */

static void drop(struct fblk_forget *f)
{
	while (f) {
		struct fblk_forget *next = f->next;

		fblk_forget_free(f);
		f = next;
	}
}

static void forgets_in_batches(void **state)
{
	struct fblk_work work;
	u64 nodeid = 1;

	(void)state;
	for (u64 i = 1; i <= 10; i++)
		forget(i);
	for (int round = 0; round < 3; round++) {
		assert_int_equal(fblk_queue_take(&queue, &lane, 4, &work), 0);
		assert_int_equal(work.kind, FBLK_WORK_FORGET);
		assert_int_equal(work.nr_forgets, round < 2 ? 4 : 2);
		for (struct fblk_forget *f = work.forgets; f; f = f->next)
			assert_int_equal(f->nodeid, nodeid++);
		drop(work.forgets);
	}
	assert_int_equal(nr_forgotten, 10);
	assert_int_equal(nr_readable, 10);
	forget(11);
	drop(take(FBLK_WORK_FORGET).forgets);
	expect_nothing(-EAGAIN);
}

static void forgets_and_requests_by_turns(void **state)
{
	struct fblk_ticket *t[20];
	struct fblk_work work;

	(void)state;
	for (u64 i = 0; i < 50; i++)
		forget(i + 2);
	for (int i = 0; i < 20; i++)
		t[i] = add(false);
	for (int i = 0, request = 0; i < 2 * (16 + 8); i++) {
		assert_int_equal(fblk_queue_take(&queue, &lane, 1, &work), 0);
		assert_int_equal(work.kind, i % 24 < 16 ? FBLK_WORK_FORGET : FBLK_WORK_REQUEST);
		if (work.kind == FBLK_WORK_FORGET)
			drop(work.forgets);
		else
			assert_ptr_equal(work.ticket, t[request++]);
	}
	for (int i = 0; i < 16; i++)
		fblk_queue_end(&queue, t[i], 0);
	fblk_queue_abort(&queue);
	for (int i = 0; i < 20; i++)
		expect_end(t[i], i < 16 ? 0 : -ECONNABORTED);
	assert_int_equal(nr_forgotten, 50);
}

/* ---- lanes --------------------------------------------------------------------------------- */

static void a_lane_takes_what_was_sent_on_it_along(void **state)
{
	struct fblk_ticket *t = add(true), *held, *unread;

	(void)state;
	fblk_queue_set_limits(&queue, 1, 1);
	held = add(true);
	unread = add(false);
	read_request(t);
	assert_false(fblk_lane_close(&queue, &lane));
	assert_int_equal(nr_done, 1);
	expect_end(t, -ECONNABORTED);
	fblk_lane_open(&queue, &lane);
	read_request(unread);
	read_request(held);
	reply(unread, 0);
	reply(held, 0);
	expect_end(unread, 0);
	expect_end(held, 0);
	assert_false(fblk_lane_close(&queue, &lane));
	assert_true(fblk_lane_close(&queue, &other_lane));
}

/* ---- the end --------------------------------------------------------------------------------- */

static void abort_ends_everything(void **state)
{
	struct fblk_ticket *t[5];

	(void)state;
	fblk_queue_set_limits(&queue, 1, 1);
	t[0] = add(false);
	read_request(t[0]);
	fblk_queue_interrupt(&queue, t[0]);
	t[1] = add(true);
	t[2] = add(true);
	t[3] = add(false);
	forget(9);
	nr_readable = nr_room = 0;
	fblk_queue_abort(&queue);
	assert_int_equal(nr_done, 4);
	assert_int_equal(nr_forgotten, 1);
	assert_true(nr_readable && nr_room);
	assert_true(fblk_queue_is_readable(&queue));
	expect_nothing(-ENODEV);
	for (int i = 0; i < 4; i++)
		expect_end(t[i], -ECONNABORTED);
	assert_int_equal(nr_freed, 4);
	t[4] = new_ticket(true);
	assert_int_equal(fblk_queue_add(&queue, t[4]), -ENOTCONN);
	assert_int_equal(refcount_read(&t[4]->refs), 1);
	assert_false(fblk_ticket_is_done(t[4]));
	fblk_ticket_put(&queue, t[4]);
	forget(10);
	assert_int_equal(nr_forgotten, 2);
	fblk_queue_abort(&queue);
	assert_int_equal(nr_done, 4);
}

static void abort_waits_for_a_copier(void **state)
{
	struct fblk_ticket *reading = add(false), *writing;

	(void)state;
	take(FBLK_WORK_REQUEST);
	writing = add(false);
	read_request(writing);
	assert_ptr_equal(fblk_queue_find(&queue, &lane, writing->unique), writing);
	fblk_queue_abort(&queue);
	assert_int_equal(nr_done, 0);
	assert_false(fblk_ticket_is_done(reading));
	assert_false(fblk_ticket_is_done(writing));
	assert_int_equal(fblk_queue_sent(&queue, &lane, reading), -ENODEV);
	fblk_queue_end(&queue, writing, 0);
	assert_int_equal(nr_done, 2);
	expect_end(reading, -ECONNABORTED);
	expect_end(writing, -ECONNABORTED);
	assert_int_equal(nr_freed, 2);
}

static void abort_does_not_wait_for_a_page_fault(void **state)
{
	struct fblk_ticket *reading = add(false), *writing;

	(void)state;
	take(FBLK_WORK_REQUEST);
	writing = add(false);
	read_request(writing);
	assert_ptr_equal(fblk_queue_find(&queue, &lane, writing->unique), writing);
	assert_true(fblk_queue_pause(&queue, reading));
	assert_true(fblk_queue_resume(&queue, reading));
	assert_true(fblk_queue_pause(&queue, reading));
	assert_true(fblk_queue_pause(&queue, writing));
	fblk_queue_abort(&queue);
	assert_int_equal(nr_done, 2);
	expect_end(reading, -ECONNABORTED);
	expect_end(writing, -ECONNABORTED);
	assert_int_equal(nr_freed, 0);
	assert_false(fblk_queue_resume(&queue, reading));
	assert_false(fblk_queue_resume(&queue, writing));
	fblk_ticket_put(&queue, reading);
	fblk_ticket_put(&queue, writing);
	assert_int_equal(nr_freed, 2);
}

static void a_pause_after_the_abort_is_the_end(void **state)
{
	struct fblk_ticket *t = add(true);

	(void)state;
	take(FBLK_WORK_REQUEST);
	fblk_queue_abort(&queue);
	assert_int_equal(nr_done, 0);
	assert_false(fblk_queue_pause(&queue, t));
	assert_int_equal(nr_done, 1);
	fblk_ticket_put(&queue, t);
	assert_int_equal(nr_freed, 0);
	expect_end(t, -ECONNABORTED);
	assert_int_equal(nr_freed, 1);
}

#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		CASE(request_and_reply),
		CASE(oldest_first),
		CASE(numbers_are_even_and_rise_by_two),
		CASE(each_reply_finds_its_own),
		CASE(a_reply_counts_once_and_on_its_lane),
		CASE(a_read_that_fails_ends_the_request),
		CASE(cancel_only_what_was_not_read),
		CASE(interrupts_come_before_everything),
		CASE(a_request_is_read_before_its_interrupt),
		CASE(a_reply_takes_the_interrupt_back),
		CASE(eagain_asks_for_the_interrupt_again),
		CASE(eagain_for_what_nobody_interrupted),
		CASE(enosys_ends_all_interrupts),
		CASE(a_late_or_unknown_interrupt_reply),
		CASE(held_over_the_limit_and_promoted),
		CASE(full_and_congested),
		CASE(limits_can_change),
		CASE(forgets_in_batches),
		CASE(forgets_and_requests_by_turns),
		CASE(a_lane_takes_what_was_sent_on_it_along),
		CASE(abort_ends_everything),
		CASE(abort_waits_for_a_copier),
		CASE(abort_does_not_wait_for_a_page_fault),
		CASE(a_pause_after_the_abort_is_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
