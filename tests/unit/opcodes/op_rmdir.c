/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_rmdir.c: RMDIR through a whole session. */
#include "opcodes.h"

static void test_empty(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_unlink(op->fk, op->dir, "inner"), 0);
	assert_int_equal(fk_rmdir(op->fk, FUSE_ROOT_ID, "dir"), 0);
	assert_int_equal(fk_find(op->fk, FUSE_ROOT_ID, "dir"), 0);
	assert_int_equal(fk_getattr(op->fk, op->dir, &a), 0);
	assert_int_equal(a.nlink, 0);
}

static void test_full(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rmdir(op->fk, FUSE_ROOT_ID, "dir"), -ENOTEMPTY);
	assert_int_equal(fk_rmdir(op->fk, FUSE_ROOT_ID, "file"), -ENOTDIR);
	assert_int_equal(fk_rmdir(op->fk, FUSE_ROOT_ID, "absent"), -ENOENT);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_RMDIR, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_RMDIR);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_RMDIR, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_empty),
	OP_TEST(test_full),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(rmdir, tests);
