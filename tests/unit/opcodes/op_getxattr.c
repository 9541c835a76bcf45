/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_getxattr.c: GETXATTR through a whole session. */
#include "opcodes.h"

static void test_sizes_asked(void **state)
{
	struct op *op = *state;
	char value[64];

	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "value", 5, 0), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", NULL, 0), 5);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, 4), -ERANGE);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, 5), 5);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.b", value, 5), -ENODATA);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.b", NULL, 0), -ENODATA);
}

static void test_too_large(void **state)
{
	struct op *op = *state;
	char value[8];
	struct message m = message_new(FUSE_GETXATTR, 0, op->file);

	message_add(&m, &(struct fuse_getxattr_in) { .size = UINT32_MAX }, 8);
	message_add_string(&m, "user.a");
	assert_int_equal(fk_exchange(op->fk, &m), -EINVAL);
	assert_true(fk_getxattr(op->fk, op->file, "", value, sizeof(value)) < 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_GETXATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_GETXATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_sizes_asked),
	OP_TEST(test_too_large),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(getxattr, tests);
