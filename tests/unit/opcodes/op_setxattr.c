/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_setxattr.c: SETXATTR through a whole session. */
#include "opcodes.h"

static void test_set(void **state)
{
	struct op *op = *state;
	char value[64];

	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "value", 5, 0), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, sizeof(value)), 5);
	assert_memory_equal(value, "value", 5);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "longer value", 12, 0), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, sizeof(value)), 12);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "", 0, 0), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.a", value, sizeof(value)), 0);
}

static void test_flags(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "1", 1, 2), -ENODATA);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "1", 1, 1), 0);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "2", 1, 1), -EEXIST);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "2", 1, 2), 0);
}

static void test_bounds(void **state)
{
	struct op *op = *state;
	char name[400] = "user.", *value = calloc(1, 70000);

	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", value, 65537, 0), -E2BIG);
	memset(name + 5, 'n', 251);
	assert_int_equal(fk_setxattr(op->fk, op->file, name, "v", 1, 0), -ERANGE);
	name[255] = 0;
	assert_int_equal(fk_setxattr(op->fk, op->file, name, "v", 1, 0), 0);
	assert_int_equal(fk_getxattr(op->fk, op->file, name, value, 10), 1);
	assert_int_equal(fk_setxattr(op->fk, op->file, "", "v", 1, 0), -EINVAL);
	free(value);
	op_check_tree(op);
}

static void test_size_lies(void **state)
{
	struct op *op = *state;
	static const uint32_t sizes[] = { 4, 6, 65536, UINT32_MAX };

	for (size_t i = 0; i < 4; i++) {
		struct message m = message_new(FUSE_SETXATTR, 0, op->file);
		struct fuse_setxattr_in in = { .size = sizes[i] };
		int err;

		message_add(&m, &in, sizeof(in));
		message_add_string(&m, "user.h");
		message_add(&m, "hello", 5);
		err = fk_exchange(op->fk, &m);
		assert_true(err == -EINVAL || err == -E2BIG);
	}
	assert_int_equal(fk_getxattr(op->fk, op->file, "user.h", NULL, 0), -ENODATA);
}

static void test_trusted(void **state)
{
	struct op *op = *state;
	char value[8];

	assert_int_equal(fk_setxattr(op->fk, op->file, "trusted.a", "v", 1, 0), 0);
	fk_as(op->fk, 1000, 1000);
	assert_int_equal(fk_setxattr(op->fk, op->file, "trusted.b", "v", 1, 0), -EPERM);
	assert_int_equal(fk_getxattr(op->fk, op->file, "trusted.a", value, 8), -ENODATA);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_SETXATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_SETXATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_set),
	OP_TEST(test_flags),
	OP_TEST(test_bounds),
	OP_TEST(test_size_lies),
	OP_TEST(test_trusted),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(setxattr, tests);
