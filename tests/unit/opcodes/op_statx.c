/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_statx.c: STATX through a whole session. */
#include "opcodes.h"

static void test_file(void **state)
{
	struct op *op = *state;
	struct fuse_statx x;
	struct fuse_attr a;

	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(fk_statx(op->fk, op->file, &x), 0);
	assert_int_equal(x.mask & STATX_BASIC_STATS, STATX_BASIC_STATS);
	assert_true(x.ino == a.ino);
	assert_int_equal(x.size, OP_FILE_SIZE);
	assert_int_equal(x.mode, S_IFREG | 0644);
	assert_true(x.blocks == a.blocks);
	assert_true(x.mtime.tv_sec == (int64_t)a.mtime);
}

static void test_btime(void **state)
{
	struct op *op = *state;
	struct fuse_statx x;

	assert_int_equal(fk_statx(op->fk, op->file, &x), 0);
	assert_true(!(x.mask & STATX_BTIME) == op_backend->no_btime);
	if (op_backend->no_btime)
		return;
	assert_true(x.btime.tv_sec > 1600000000);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_STATX, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_STATX);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_file),
	OP_TEST(test_btime),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(statx, tests);
