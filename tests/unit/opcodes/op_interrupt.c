/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_interrupt.c: INTERRUPT through a whole session. */
#include "opcodes.h"

static void test_waiting_read(void **state)
{
	struct op *op = *state;
	struct fuse_read_in in = { .size = 1 };
	struct fk_args args = { .opcode = FUSE_READ, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	struct fk_reply reply;
	uint64_t unique;

	OP_NEEDS_HOOKS();
	testfs_hold("map_read");
	unique = fk_call_async(op->fk, &args);
	assert_true(testfs_wait_held(1));
	fk_interrupt(op->fk, unique);
	reply = fk_await(op->fk, unique);
	assert_int_equal(reply.error, -EINTR);
	free(reply.body);
	testfs_release();
	op_check_tree(op);
}

static void test_only_the_one(void **state)
{
	struct op *op = *state;
	struct fuse_read_in in = { .size = 1 };
	struct fk_args args = { .opcode = FUSE_READ, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	struct fk_reply reply;
	uint64_t first, second;

	OP_NEEDS_HOOKS();
	testfs_hold("map_read");
	first = fk_call_async(op->fk, &args);
	second = fk_call_async(op->fk, &args);
	assert_true(testfs_wait_held(2));
	fk_interrupt(op->fk, second);
	reply = fk_await(op->fk, second);
	assert_int_equal(reply.error, -EINTR);
	free(reply.body);
	assert_false(fk_has_reply(op->fk, first));
	testfs_release();
	reply = fk_await(op->fk, first);
	assert_int_equal(reply.error, 0);
	free(reply.body);
}

static void test_unknown(void **state)
{
	struct op *op = *state;

	for (int i = 0; i < 100; i++)
		fk_interrupt(op->fk, 1000000 + 2 * (uint64_t)i);
	fk_interrupt(op->fk, 0);
	fk_interrupt(op->fk, UINT64_MAX - 1);
	op_check_tree(op);
}

static void test_early(void **state)
{
	struct op *op = *state;
	struct fuse_read_in in = { .size = 1 };
	struct fk_args args = { .opcode = FUSE_READ, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	struct fk_reply reply;

	/* right behind its request: served, or called off, but answered */
	for (int i = 0; i < 50; i++) {
		uint64_t unique = fk_call_async(op->fk, &args);

		fk_interrupt(op->fk, unique);
		reply = fk_await(op->fk, unique);
		assert_true(reply.error == 0 || reply.error == -EINTR);
		free(reply.body);
	}
	op_check_tree(op);
}

static void test_short(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_INTERRUPT, 3, 0);

	message_resize(&m, 47, 0, true);
	fk_send_raw(op->fk, m.bytes, m.len);
	message_free(&m);
	op_check_tree(op);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_waiting_read),
	OP_TEST(test_only_the_one),
	OP_TEST(test_unknown),
	OP_TEST(test_early),
	OP_TEST(test_short),
};
OP_GROUP(interrupt, tests);
