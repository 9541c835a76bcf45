/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_read.c: READ through a whole session. */
#include "opcodes.h"

static void test_whole(void **state)
{
	struct op *op = *state;
	uint8_t bytes[8192];

	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), OP_FILE_SIZE);
	for (size_t i = 0; i < OP_FILE_SIZE; i++)
		assert_int_equal(bytes[i], op_byte(i));
}

static void test_parts(void **state)
{
	struct op *op = *state;
	static const uint32_t offs[] = { 0, 1, 511, 512, 1023, 1024, 4095, 4096, 4990, 4999 };

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++) {
		uint8_t bytes[1500];
		ssize_t want = OP_FILE_SIZE - offs[i] < sizeof(bytes) ?
			(ssize_t)(OP_FILE_SIZE - offs[i]) : (ssize_t)sizeof(bytes);

		assert_int_equal(fk_read(op->fk, op->file, offs[i], bytes, sizeof(bytes)), want);
		for (ssize_t k = 0; k < want; k++)
			assert_int_equal(bytes[k], op_byte(offs[i] + (uint64_t)k));
	}
}

static void test_end(void **state)
{
	struct op *op = *state;
	uint8_t bytes[64];

	assert_int_equal(fk_read(op->fk, op->file, OP_FILE_SIZE, bytes, sizeof(bytes)), 0);
	assert_int_equal(fk_read(op->fk, op->file, 1ull << 40, bytes, sizeof(bytes)), 0);
	assert_int_equal(fk_read(op->fk, op->file, INT64_MAX - 64, bytes, sizeof(bytes)), 0);
	assert_int_equal(fk_read(op->fk, op->file, INT64_MAX - 63, bytes, sizeof(bytes)), -EINVAL);
	assert_int_equal(fk_read(op->fk, op->file, UINT64_MAX, bytes, 1), -EINVAL);
	assert_int_equal(fk_read(op->fk, op->inner, 0, bytes, sizeof(bytes)), 0);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, 0), 0);
}

static void test_hole(void **state)
{
	struct op *op = *state;
	uint8_t bytes[1000];

	assert_int_equal(fk_truncate(op->fk, op->file, 1 << 20), 0);
	memset(bytes, 1, sizeof(bytes));
	assert_int_equal(fk_read(op->fk, op->file, 700000, bytes, sizeof(bytes)), sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes); i++)
		assert_int_equal(bytes[i], 0);
}

static void test_too_large(void **state)
{
	struct op *op = *state;
	uint32_t most = fk_init_reply(op->fk)->max_write;
	uint8_t *bytes = malloc(most + 1);

	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, most), OP_FILE_SIZE);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, most + 1), -EINVAL);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, UINT32_MAX), -EINVAL);
	free(bytes);
}

static void test_not_a_file(void **state)
{
	struct op *op = *state;
	uint8_t byte;

	assert_int_equal(fk_read(op->fk, op->dir, 0, &byte, 1), -EISDIR);
	assert_int_equal(fk_read(op->fk, op->link, 0, &byte, 1), -EINVAL);
}

static void test_parallel(void **state)
{
	struct op *op = *state;
	struct fuse_read_in in = { .size = 1 };
	struct fk_args args = { .opcode = FUSE_READ, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	uint64_t held[4];

	OP_NEEDS_HOOKS();
	/* reads of one file do not wait for one another */
	testfs_hold("map_read");
	for (int i = 0; i < 4; i++)
		held[i] = fk_call_async(op->fk, &args);
	assert_true(testfs_wait_held(4));
	assert_false(fk_has_reply(op->fk, held[0]));
	testfs_release();
	for (int i = 0; i < 4; i++) {
		struct fk_reply reply = fk_await(op->fk, held[i]);

		assert_int_equal(reply.error, 0);
		assert_int_equal(reply.len, 1);
		assert_int_equal(reply.body[0], op_byte(0));
		free(reply.body);
	}
}

static void test_error(void **state)
{
	struct op *op = *state;
	uint8_t byte;

	OP_NEEDS_HOOKS();
	testfs_fail("map_read", -EUCLEAN);
	assert_int_equal(fk_read(op->fk, op->file, 0, &byte, 1), -EUCLEAN);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_READ, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_READ);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_whole),
	OP_TEST(test_parts),
	OP_TEST(test_end),
	OP_TEST(test_hole),
	OP_TEST(test_too_large),
	OP_TEST(test_not_a_file),
	OP_TEST(test_parallel),
	OP_TEST(test_error),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(read, tests);
