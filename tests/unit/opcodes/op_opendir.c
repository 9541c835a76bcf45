/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_opendir.c: OPENDIR through a whole session. */
#include "opcodes.h"

static void test_open(void **state)
{
	struct op *op = *state;
	struct fuse_open_out o;
	int err = fk_opendir(op->fk, op->dir, &o);

	/* where the kernel offers it, it is told once that directories need no open */
	if (fk_init_reply(op->fk)->flags & FUSE_NO_OPENDIR_SUPPORT)
		assert_int_equal(err, -ENOSYS);
	else
		assert_int_equal(err, 0);
}

static void test_not_a_directory(void **state)
{
	struct op *op = *state;

	assert_true(fk_opendir(op->fk, op->file, NULL) < 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_OPENDIR, op->dir);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_open),
	OP_TEST(test_not_a_directory),
	OP_TEST(test_sizes),
};
OP_GROUP(opendir, tests);
