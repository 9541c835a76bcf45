/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_copy_file_range_64.c: COPY_FILE_RANGE_64 through a whole session. */
#include "opcodes.h"

static void test_copy(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_copy(op->fk, op->file, 1000, op->inner, 500, 3000), 3000);
	op_check_copied(op);
}

static void test_end(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_copy(op->fk, op->file, 4000, op->inner, 0, 1 << 30), 1000);
	assert_int_equal(fk_copy(op->fk, op->file, OP_FILE_SIZE, op->inner, 0, 10), 0);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->inner, 0, 0), 0);
}

static void test_within(void **state)
{
	struct op *op = *state;
	uint8_t bytes[100];

	assert_int_equal(fk_copy(op->fk, op->file, 0, op->file, 2000, 100), 100);
	assert_int_equal(fk_read(op->fk, op->file, 2000, bytes, 100), 100);
	for (size_t i = 0; i < 100; i++)
		assert_int_equal(bytes[i], op_byte(i));
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->file, 50, 100), -EINVAL);
	assert_int_equal(fk_copy(op->fk, op->file, 50, op->file, 0, 100), -EINVAL);
}

static void test_bounds(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_copy(op->fk, op->file, UINT64_MAX, op->inner, 0, 1), -EINVAL);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->inner, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->inner, 0, UINT64_MAX), -EINVAL);
	assert_int_equal(fk_copy(op->fk, op->file, 1, op->inner, 0, INT64_MAX), -EINVAL);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->inner, OP_MAX_SIZE(op), 10), -EFBIG);
	op_check_tree(op);
}

static void test_nodes_out(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_copy(op->fk, op->file, 0, 9999, 0, 1), -ESTALE);
	assert_int_equal(fk_copy(op->fk, op->file, 0, 0, 0, 1), -ESTALE);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op_stale_node(op), 0, 1), -ESTALE);
	assert_int_equal(fk_copy(op->fk, op->file, 0, op->dir, 0, 1), -EISDIR);
	assert_int_equal(fk_copy(op->fk, op->dir, 0, op->file, 0, 1), -EISDIR);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_COPY_FILE_RANGE_64, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_COPY_FILE_RANGE_64);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_copy),
	OP_TEST(test_end),
	OP_TEST(test_within),
	OP_TEST(test_bounds),
	OP_TEST(test_nodes_out),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(copy_file_range_64, tests);
