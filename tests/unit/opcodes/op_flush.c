/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_flush.c: FLUSH through a whole session. */
#include "opcodes.h"

static void test_not_wanted(void **state)
{
	struct op *op = *state;

	/* the kernel has written back by itself before: it need not ask again */
	assert_int_equal(fk_flush(op->fk, op->file, 0), -ENOSYS);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_FLUSH, op->file);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_not_wanted),
	OP_TEST(test_sizes),
};
OP_GROUP(flush, tests);
