/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_copy_file_range.c: COPY_FILE_RANGE through a whole session. */
#include "opcodes.h"

static ssize_t copy(struct op *op, uint64_t off_in, uint64_t off_out, uint64_t len, uint64_t flags)
{
	struct fuse_copy_file_range_in in = {
		.off_in = off_in, .nodeid_out = op->inner, .off_out = off_out, .len = len, .flags = flags,
	};
	struct fk_args args = {
		.opcode = FUSE_COPY_FILE_RANGE, .nodeid = op->file, .args = &in, .args_len = sizeof(in),
	};
	struct fuse_write_out reply;
	ssize_t n = fk_call(op->fk, &args, &reply, sizeof(reply));

	if (n < 0)
		return n;
	assert_int_equal(n, sizeof(reply));
	return reply.size;
}

static void test_copy(void **state)
{
	struct op *op = *state;

	assert_int_equal(copy(op, 1000, 500, 3000, 0), 3000);
	op_check_copied(op);
}

static void test_lengths(void **state)
{
	struct op *op = *state;

	/* the reply counts in 32 bits: a longer copy is cut, not refused */
	assert_int_equal(copy(op, 0, 0, INT64_MAX, 0), OP_FILE_SIZE);
	assert_int_equal(copy(op, 0, 0, UINT64_MAX, 0), OP_FILE_SIZE);
	assert_int_equal(copy(op, UINT64_MAX, 0, 1, 0), -EINVAL);
}

static void test_flags(void **state)
{
	struct op *op = *state;

	assert_int_equal(copy(op, 0, 0, 10, 1), -EINVAL);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_COPY_FILE_RANGE, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_COPY_FILE_RANGE);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_copy),
	OP_TEST(test_lengths),
	OP_TEST(test_flags),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(copy_file_range, tests);
