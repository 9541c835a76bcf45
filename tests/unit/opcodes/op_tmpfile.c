/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_tmpfile.c: TMPFILE through a whole session. */
#include "opcodes.h"

static void test_make(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	struct fuse_attr a;

	assert_int_equal(fk_tmpfile(op->fk, op->dir, 0600, &e, NULL), 0);
	assert_int_equal(e.attr.nlink, 0);
	assert_int_equal(e.attr.mode, S_IFREG | 0600);
	assert_int_equal(fk_write(op->fk, e.nodeid, 0, "abc", 3, 0), 3);
	assert_int_equal(fk_getattr(op->fk, e.nodeid, &a), 0);
	assert_int_equal(a.size, 3);
	op_check_tree(op);
}

static void test_freed(void **state)
{
	struct op *op = *state;
	struct fuse_kstatfs before;
	struct fuse_entry_out e;

	assert_int_equal(fk_statfs(op->fk, &before), 0);
	assert_int_equal(fk_tmpfile(op->fk, op->dir, 0600, &e, NULL), 0);
	fk_forget(op->fk, e.nodeid, 1);
	op_await_ffree(op, before.ffree);
	assert_int_equal(fk_getattr(op->fk, e.nodeid, NULL), -ESTALE);
}

static void test_not_a_directory(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_tmpfile(op->fk, op->file, 0600, NULL, NULL), -ENOTDIR);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_TMPFILE, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_TMPFILE);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_make),
	OP_TEST(test_freed),
	OP_TEST(test_not_a_directory),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(tmpfile, tests);
