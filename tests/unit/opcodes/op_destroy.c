/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_destroy.c: DESTROY through a whole session. */
#include <unistd.h>
#include "opcodes.h"

static void test_answered(void **state)
{
	struct op *op = *state;
	struct message m;

	assert_int_equal(fk_destroy(op->fk), 0);
	/* nothing is served after it */
	m = message_new(FUSE_GETATTR, 0, FUSE_ROOT_ID);
	assert_true(fk_exchange(op->fk, &m) < 0);
}

static void test_waits(void **state)
{
	struct op *op = *state;
	struct fuse_read_in in = { .size = 1 };
	struct fk_args args = { .opcode = FUSE_READ, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	struct message m;
	struct fk_reply reply;
	uint64_t held, destroy;

	OP_NEEDS_HOOKS();
	m = message_new(FUSE_DESTROY, 0, 0);
	testfs_hold("map_read");
	held = fk_call_async(op->fk, &args);
	assert_true(testfs_wait_held(1));
	destroy = fk_send(op->fk, &m);
	usleep(100000);
	assert_false(fk_has_reply(op->fk, destroy));
	testfs_release();
	reply = fk_await(op->fk, held);
	assert_int_equal(reply.error, 0);
	free(reply.body);
	reply = fk_await(op->fk, destroy);
	assert_int_equal(reply.error, 0);
	free(reply.body);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_answered),
	OP_TEST(test_waits),
};
OP_GROUP(destroy, tests);
