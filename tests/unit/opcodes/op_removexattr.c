/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_removexattr.c: REMOVEXATTR through a whole session. */
#include "opcodes.h"

static void test_remove(void **state)
{
	struct op *op = *state;
	char value[8];

	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "1", 1, 0), 0);
	assert_int_equal(fk_removexattr(op->fk, op->file, "user.a"), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, 8), -ENODATA);
	assert_int_equal(fk_removexattr(op->fk, op->file, "user.a"), -ENODATA);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_REMOVEXATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_REMOVEXATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_remove),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(removexattr, tests);
