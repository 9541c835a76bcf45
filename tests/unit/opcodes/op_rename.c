/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_rename.c: RENAME through a whole session. */
#include "opcodes.h"

static void test_same_dir(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", FUSE_ROOT_ID, "moved"), 0);
	assert_int_equal(fk_find(op->fk, FUSE_ROOT_ID, "file"), 0);
	assert_true(op_need(op, FUSE_ROOT_ID, "moved") == op->file);
}

static void test_over(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", op->dir, "inner"), 0);
	assert_true(op_need(op, op->dir, "inner") == op->file);
	assert_int_equal(fk_getattr(op->fk, op->inner, &a), 0);
	assert_int_equal(a.nlink, 0);
}

static void test_directory(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_mkdir(op->fk, FUSE_ROOT_ID, "other", 0700, &e), 0);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "dir", e.nodeid, "moved"), 0);
	assert_true(op_need(op, op->dir, "..") == e.nodeid);
	assert_true(op_need(op, e.nodeid, "moved") == op->dir);
}

static void test_kinds_differ(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", FUSE_ROOT_ID, "dir"), -EISDIR);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "dir", FUSE_ROOT_ID, "file"), -ENOTDIR);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "absent", FUSE_ROOT_ID, "x"), -ENOENT);
	op_check_tree(op);
}

static void test_not_empty(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_mkdir(op->fk, FUSE_ROOT_ID, "empty", 0700, &e), 0);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "empty", FUSE_ROOT_ID, "dir"), -ENOTEMPTY);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "dir", FUSE_ROOT_ID, "empty"), 0);
	assert_true(op_need(op, FUSE_ROOT_ID, "empty") == op->dir);
}

static void test_into_itself(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "dir", op->dir, "x"), -EINVAL);
	op_check_tree(op);
}

static void test_hard_links(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_link(op->fk, op->file, FUSE_ROOT_ID, "second", NULL), 0);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", FUSE_ROOT_ID, "second"), 0);
	assert_true(op_need(op, FUSE_ROOT_ID, "file") == op->file);
	assert_true(op_need(op, FUSE_ROOT_ID, "second") == op->file);
}

static void test_target_dir(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", op->file, "x"), -ENOTDIR);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", 9999, "x"), -ESTALE);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", UINT64_MAX, "x"), -ESTALE);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_RENAME, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_RENAME);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_RENAME, FUSE_ROOT_ID, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_same_dir),
	OP_TEST(test_over),
	OP_TEST(test_directory),
	OP_TEST(test_kinds_differ),
	OP_TEST(test_not_empty),
	OP_TEST(test_into_itself),
	OP_TEST(test_hard_links),
	OP_TEST(test_target_dir),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(rename, tests);
