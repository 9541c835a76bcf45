/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_rename2.c: RENAME2 through a whole session. */
#include "opcodes.h"

static void test_noreplace(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "inner", 1), -EEXIST);
	op_check_tree(op);
	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "new", 1), 0);
	assert_true(op_need(op, op->dir, "new") == op->file);
}

static void test_exchange(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "inner", 2), 0);
	assert_true(op_need(op, op->dir, "inner") == op->file);
	assert_true(op_need(op, FUSE_ROOT_ID, "file") == op->inner);
	assert_int_equal(fk_getattr(op->fk, op->inner, &a), 0);
	assert_int_equal(a.nlink, 1);
	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "absent", 2), -ENOENT);
}

static void test_exchange_kinds(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", FUSE_ROOT_ID, "dir", 2), 0);
	assert_true(op_need(op, FUSE_ROOT_ID, "file") == op->dir);
	assert_int_equal(fk_getattr(op->fk, op->dir, &a), 0);
	assert_int_equal(a.nlink, 2);
}

static void test_whiteout(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "new", 4), 0);
	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "file", &e), 0);
	assert_true(S_ISCHR(e.attr.mode));
	assert_int_equal(e.attr.rdev, 0);
}

static void test_bad_flags(void **state)
{
	struct op *op = *state;
	static const uint32_t flags[] = { 3, 6, 7, 8, 0x80000000, UINT32_MAX };

	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++)
		assert_int_equal(fk_rename2(op->fk, FUSE_ROOT_ID, "file", op->dir, "x", flags[i]),
				 -EINVAL);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_RENAME2, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_RENAME2);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_RENAME2, FUSE_ROOT_ID, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_noreplace),
	OP_TEST(test_exchange),
	OP_TEST(test_exchange_kinds),
	OP_TEST(test_whiteout),
	OP_TEST(test_bad_flags),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(rename2, tests);
