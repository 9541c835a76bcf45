/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_link.c: LINK through a whole session. */
#include "opcodes.h"

static void test_link(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_link(op->fk, op->file, op->dir, "second", &e), 0);
	assert_true(e.nodeid == op->file);
	assert_int_equal(e.attr.nlink, 2);
	assert_int_equal(fk_lookups(op->fk, op->file), 2);
	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "file"), 0);
	assert_int_equal(op_need(op, op->dir, "second"), op->file);
}

static void test_refused(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_link(op->fk, op->dir, FUSE_ROOT_ID, "x", NULL), -EPERM);
	assert_int_equal(fk_link(op->fk, op->file, FUSE_ROOT_ID, "dir", NULL), -EEXIST);
	assert_int_equal(fk_link(op->fk, op->file, op->file, "x", NULL), -ENOTDIR);
	assert_int_equal(fk_link(op->fk, 9999, op->dir, "x", NULL), -ESTALE);
	assert_int_equal(fk_link(op->fk, UINT64_MAX, op->dir, "x", NULL), -ESTALE);
	op_check_tree(op);
}

static void test_tmpfile(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	struct fuse_attr a;

	assert_int_equal(fk_tmpfile(op->fk, op->dir, 0600, &e, NULL), 0);
	assert_int_equal(fk_link(op->fk, e.nodeid, op->dir, "named", NULL), 0);
	assert_int_equal(fk_getattr(op->fk, e.nodeid, &a), 0);
	assert_int_equal(a.nlink, 1);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_LINK, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_LINK);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_LINK, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_link),
	OP_TEST(test_refused),
	OP_TEST(test_tmpfile),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(link, tests);
