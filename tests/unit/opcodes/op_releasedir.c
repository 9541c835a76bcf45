/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_releasedir.c: RELEASEDIR through a whole session. */
#include "opcodes.h"

static void test_release(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_release(op->fk, op->dir, 0, true), 0);
	assert_int_equal(fk_release(op->fk, op->dir, UINT64_MAX, true), 0);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_RELEASEDIR, op->dir);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_release),
	OP_TEST(test_sizes),
};
OP_GROUP(releasedir, tests);
