/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_open.c: OPEN through a whole session. */
#include "opcodes.h"

static void test_modes(void **state)
{
	struct op *op = *state;
	static const uint32_t modes[] = { O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND };

	for (size_t i = 0; i < 4; i++) {
		struct fuse_open_out o;

		assert_int_equal(fk_open(op->fk, op->file, modes[i], &o), 0);
		assert_int_equal(fk_release(op->fk, op->file, o.fh, false), 0);
	}
	op_check_tree(op);
}

static void test_truncates(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY | O_TRUNC, NULL), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.size, 0);
	assert_int_equal(a.blocks, 0);
}

static void test_truncate_kills_setid(void **state)
{
	struct op *op = *state;
	struct fuse_open_in in = { .flags = O_WRONLY | O_TRUNC, .open_flags = FUSE_OPEN_KILL_SUIDGID };
	struct fk_args args = { .opcode = FUSE_OPEN, .nodeid = op->file, .args = &in, .args_len = sizeof(in) };
	struct fuse_open_out o;
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	assert_int_equal(fk_call(op->fk, &args, &o, sizeof(o)), sizeof(o));
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0755);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_OPEN, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_OPEN);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_modes),
	OP_TEST(test_truncates),
	OP_TEST(test_truncate_kills_setid),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(open, tests);
