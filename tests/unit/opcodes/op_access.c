/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_access.c: ACCESS through a whole session. */
#include "opcodes.h"

static void test_not_wanted(void **state)
{
	struct op *op = *state;

	/* permissions are the kernel's (default_permissions) */
	assert_int_equal(fk_access(op->fk, op->file, 4), -ENOSYS);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_ACCESS, op->file);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_not_wanted),
	OP_TEST(test_sizes),
};
OP_GROUP(access, tests);
