/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_create.c: CREATE through a whole session. */
#include "opcodes.h"

static void test_make(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	struct fuse_open_out o;

	assert_int_equal(fk_create(op->fk, op->dir, "new", 0640, O_RDWR | O_CREAT, &e, &o), 0);
	assert_int_equal(e.attr.mode, S_IFREG | 0640);
	assert_int_equal(e.attr.size, 0);
	assert_int_equal(fk_write(op->fk, e.nodeid, 0, "abc", 3, 0), 3);
	assert_true(op_need(op, op->dir, "new") == e.nodeid);
}

static void test_exclusive(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_create(op->fk, FUSE_ROOT_ID, "file", 0600, O_RDWR | O_CREAT | O_EXCL,
				   NULL, NULL), -EEXIST);
	op_check_tree(op);
}

static void test_exists(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	/* without O_EXCL it is an open of what is there */
	assert_int_equal(fk_create(op->fk, FUSE_ROOT_ID, "file", 0600, O_RDWR | O_CREAT, &e, NULL), 0);
	assert_true(e.nodeid == op->file);
	assert_int_equal(e.attr.mode, S_IFREG | 0644);
	op_check_tree(op);
}

static void test_exists_truncated(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_create(op->fk, FUSE_ROOT_ID, "file", 0600, O_RDWR | O_CREAT | O_TRUNC,
				   &e, NULL), 0);
	assert_int_equal(e.attr.size, 0);
}

static void test_over_others(void **state)
{
	struct op *op = *state;

	assert_true(fk_create(op->fk, FUSE_ROOT_ID, "dir", 0600, O_RDWR | O_CREAT, NULL, NULL) < 0);
	assert_true(fk_create(op->fk, FUSE_ROOT_ID, "link", 0600, O_RDWR | O_CREAT, NULL, NULL) < 0);
	assert_int_equal(fk_create(op->fk, op->file, "x", 0600, O_RDWR | O_CREAT, NULL, NULL), -ENOTDIR);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_CREATE, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_CREATE);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_CREATE, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_make),
	OP_TEST(test_exclusive),
	OP_TEST(test_exists),
	OP_TEST(test_exists_truncated),
	OP_TEST(test_over_others),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(create, tests);
