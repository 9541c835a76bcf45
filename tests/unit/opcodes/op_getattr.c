/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_getattr.c: GETATTR through a whole session. */
#include "opcodes.h"

static void test_file(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.size, OP_FILE_SIZE);
	assert_int_equal(a.mode, S_IFREG | 0644);
	assert_int_equal(a.nlink, 1);
	assert_true(a.blocks > 0);
	assert_true(a.blksize >= 4096);
}

static void test_root(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_getattr(op->fk, FUSE_ROOT_ID, &a), 0);
	assert_true(S_ISDIR(a.mode));
	assert_int_equal(a.ino, 2);
	assert_true(a.nlink >= 3);
}

static void test_unlinked(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_unlink(op->fk, op->dir, "inner"), 0);
	assert_int_equal(fk_getattr(op->fk, op->inner, &a), 0);
	assert_int_equal(a.nlink, 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_GETATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_GETATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_file),
	OP_TEST(test_root),
	OP_TEST(test_unlinked),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(getattr, tests);
