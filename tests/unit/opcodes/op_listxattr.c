/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_listxattr.c: LISTXATTR through a whole session. */
#include "opcodes.h"

static void test_list(void **state)
{
	struct op *op = *state;
	char list[256];

	assert_int_equal(fk_listxattr(op->fk, op->file, list, sizeof(list)), 0);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "1", 1, 0), 0);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.bc", "2", 1, 0), 0);
	assert_int_equal(fk_listxattr(op->fk, op->file, NULL, 0), 15);
	assert_int_equal(fk_listxattr(op->fk, op->file, list, 14), -ERANGE);
	assert_int_equal(fk_listxattr(op->fk, op->file, list, sizeof(list)), 15);
	assert_true(!memcmp(list, "user.a\0user.bc", 15) || !memcmp(list, "user.bc\0user.a", 15));
}

static void test_trusted_hidden(void **state)
{
	struct op *op = *state;
	char list[256];

	assert_int_equal(fk_setxattr(op->fk, op->file, "trusted.a", "1", 1, 0), 0);
	assert_int_equal(fk_listxattr(op->fk, op->file, list, sizeof(list)), 10);
	fk_as(op->fk, 1000, 1000);
	assert_int_equal(fk_listxattr(op->fk, op->file, list, sizeof(list)), 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_LISTXATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_LISTXATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_list),
	OP_TEST(test_trusted_hidden),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(listxattr, tests);
