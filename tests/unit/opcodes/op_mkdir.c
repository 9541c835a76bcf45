/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_mkdir.c: MKDIR through a whole session. */
#include "opcodes.h"

static void test_make(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	struct fuse_attr a;

	assert_int_equal(fk_mkdir(op->fk, op->dir, "new", 0711, &e), 0);
	assert_int_equal(e.attr.mode, S_IFDIR | 0711);
	assert_int_equal(e.attr.nlink, 2);
	assert_int_equal(fk_getattr(op->fk, op->dir, &a), 0);
	assert_int_equal(a.nlink, 3);
	assert_true(op_need(op, e.nodeid, "..") == op->dir);
}

static void test_exists(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_mkdir(op->fk, FUSE_ROOT_ID, "file", 0700, NULL), -EEXIST);
	assert_int_equal(fk_mkdir(op->fk, FUSE_ROOT_ID, "dir", 0700, NULL), -EEXIST);
}

static void test_in_removed(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_mkdir(op->fk, op->dir, "gone", 0700, &e), 0);
	assert_int_equal(fk_rmdir(op->fk, op->dir, "gone"), 0);
	assert_int_equal(fk_mkdir(op->fk, e.nodeid, "x", 0700, NULL), -ENOENT);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_MKDIR, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_MKDIR);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_MKDIR, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_make),
	OP_TEST(test_exists),
	OP_TEST(test_in_removed),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(mkdir, tests);
