/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_fsyncdir.c: FSYNCDIR through a whole session. */
#include "opcodes.h"

static void test_commits(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_mknod(op->fk, op->dir, "new", S_IFREG, 0, NULL), 0);
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, 0), 1);
	assert_int_equal(fk_fsyncdir(op->fk, op->dir), 0);
	assert_int_equal(fk_fsyncdir(op->fk, op->dir), 0);
}

static void test_unlinked(void **state)
{
	op_sync_unlinked(*state);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_FSYNCDIR, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_FSYNCDIR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_commits),
	OP_TEST(test_unlinked),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(fsyncdir, tests);
