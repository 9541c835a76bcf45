/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_readlink.c: READLINK through a whole session. */
#include "opcodes.h"

static void test_target(void **state)
{
	struct op *op = *state;
	char buf[4096];

	assert_int_equal(fk_readlink(op->fk, op->link, buf, sizeof(buf)), 9);
	assert_memory_equal(buf, "dir/inner", 9);
}

static void test_not_a_link(void **state)
{
	struct op *op = *state;
	char buf[4096];

	assert_int_equal(fk_readlink(op->fk, op->file, buf, sizeof(buf)), -EINVAL);
	assert_true(fk_readlink(op->fk, op->dir, buf, sizeof(buf)) < 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_READLINK, op->link);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_READLINK);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_target),
	OP_TEST(test_not_a_link),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(readlink, tests);
