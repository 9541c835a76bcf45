/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_fallocate.c: FALLOCATE through a whole session. */
#include <linux/falloc.h>
#include "opcodes.h"

/* True, after a look at the answer, where files cannot have unwritten space. */
static bool is_unsupported(struct op *op, uint32_t mode)
{
	if (!op_backend->no_unwritten)
		return false;
	assert_int_equal(fk_fallocate(op->fk, op->file, mode, 100, 100000), -EOPNOTSUPP);
	op_check_tree(op);
	return true;
}

static void test_allocate(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;
	uint8_t bytes[100];

	if (is_unsupported(op, 0))
		return;
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, 100000, 5000), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.size, 105000);
	memset(bytes, 1, sizeof(bytes));
	assert_int_equal(fk_read(op->fk, op->file, 104000, bytes, 100), 100);
	assert_int_equal(bytes[0], 0);
	assert_int_equal(bytes[99], 0);
}

static void test_keep_size(void **state)
{
	struct op *op = *state;
	struct fuse_attr before, after;

	if (is_unsupported(op, FALLOC_FL_KEEP_SIZE))
		return;
	assert_int_equal(fk_getattr(op->fk, op->file, &before), 0);
	assert_int_equal(fk_fallocate(op->fk, op->file, FALLOC_FL_KEEP_SIZE, 0, 65536), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &after), 0);
	assert_int_equal(after.size, OP_FILE_SIZE);
	assert_true(after.blocks > before.blocks);
	op_check_tree(op);
}

static void test_punch(void **state)
{
	struct op *op = *state;
	uint8_t bytes[OP_FILE_SIZE];

	assert_int_equal(fk_fallocate(op->fk, op->file, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				      700, 3000), 0);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), OP_FILE_SIZE);
	for (size_t i = 0; i < OP_FILE_SIZE; i++)
		assert_int_equal(bytes[i], i >= 700 && i < 3700 ? 0 : op_byte(i));
}

static void test_zero(void **state)
{
	struct op *op = *state;
	uint8_t bytes[6000];
	struct fuse_attr a;

	if (is_unsupported(op, FALLOC_FL_ZERO_RANGE))
		return;
	assert_int_equal(fk_fallocate(op->fk, op->file, FALLOC_FL_ZERO_RANGE, 3333, 2667), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.size, 6000);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), 6000);
	for (size_t i = 0; i < 6000; i++)
		assert_int_equal(bytes[i], i >= 3333 ? 0 : op_byte(i));
}

static void test_modes(void **state)
{
	struct op *op = *state;
	static const uint32_t modes[] = {
		FALLOC_FL_PUNCH_HOLE, FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE,
		FALLOC_FL_UNSHARE_RANGE, 0x80, UINT32_MAX,
		FALLOC_FL_PUNCH_HOLE | FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		assert_int_equal(fk_fallocate(op->fk, op->file, modes[i], 0, 4096), -EOPNOTSUPP);
	op_check_tree(op);
}

static void test_bounds(void **state)
{
	struct op *op = *state;
	uint64_t most = OP_MAX_SIZE(op);

	assert_int_equal(fk_fallocate(op->fk, op->file, 0, 0, 0), -EINVAL);
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, most, 1), -EFBIG);
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, INT64_MAX, 1), -EFBIG);
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, 1, INT64_MAX), -EFBIG);
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, UINT64_MAX, 1), -EINVAL);
	assert_int_equal(fk_fallocate(op->fk, op->file, 0, 0, UINT64_MAX), -EINVAL);
	op_check_tree(op);
}

static void test_not_a_file(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_fallocate(op->fk, op->dir, 0, 0, 4096), -EISDIR);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_FALLOCATE, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_FALLOCATE);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_allocate),
	OP_TEST(test_keep_size),
	OP_TEST(test_punch),
	OP_TEST(test_zero),
	OP_TEST(test_modes),
	OP_TEST(test_bounds),
	OP_TEST(test_not_a_file),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(fallocate, tests);
