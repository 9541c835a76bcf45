/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_release.c: RELEASE through a whole session. */
#include "opcodes.h"

static void test_release(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_release(op->fk, op->file, 0, false), 0);
	assert_int_equal(fk_release(op->fk, op->file, UINT64_MAX, false), 0);
	assert_int_equal(fk_release(op->fk, 9999, 0, false), 0);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_RELEASE, op->file);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_release),
	OP_TEST(test_sizes),
};
OP_GROUP(release, tests);
