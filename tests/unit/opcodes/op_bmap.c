/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_bmap.c: BMAP through a whole session. */
#include "opcodes.h"

static void test_mapped(void **state)
{
	struct op *op = *state;
	uint64_t block = 0;

	assert_int_equal(fk_bmap(op->fk, op->file, 0, 1024, &block), 0);
	assert_true(block > 0);
}

static void test_hole(void **state)
{
	struct op *op = *state;
	uint64_t block = 77;

	assert_int_equal(fk_truncate(op->fk, op->file, 1 << 20), 0);
	assert_int_equal(fk_bmap(op->fk, op->file, 500, 1024, &block), 0);
	assert_int_equal(block, 0);
	assert_int_equal(fk_bmap(op->fk, op->file, 1 << 20, 1024, &block), 0);
	assert_int_equal(block, 0);
}

static void test_bounds(void **state)
{
	struct op *op = *state;
	uint64_t block;

	assert_int_equal(fk_bmap(op->fk, op->file, 0, 0, &block), -EINVAL);
	assert_int_equal(fk_bmap(op->fk, op->file, 0, 1000, &block), -EINVAL);
	assert_int_equal(fk_bmap(op->fk, op->file, UINT64_MAX, 1024, &block), -EINVAL);
	assert_int_equal(fk_bmap(op->fk, op->file, INT64_MAX, 512, &block), -EINVAL);
	fk_bmap(op->fk, op->file, INT64_MAX / 1024, 1024, &block);
	assert_true(fk_bmap(op->fk, op->dir, 0, 1024, &block) < 0);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_BMAP, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_BMAP);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_mapped),
	OP_TEST(test_hole),
	OP_TEST(test_bounds),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(bmap, tests);
