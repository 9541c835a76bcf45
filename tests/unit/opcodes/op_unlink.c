/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_unlink.c: UNLINK through a whole session. */
#include "opcodes.h"

static void test_file(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_unlink(op->fk, op->dir, "inner"), 0);
	assert_int_equal(fk_find(op->fk, op->dir, "inner"), 0);
	assert_int_equal(fk_getattr(op->fk, op->inner, &a), 0);
	assert_int_equal(a.nlink, 0);
	assert_int_equal(fk_unlink(op->fk, op->dir, "inner"), -ENOENT);
}

static void test_open_file_lives(void **state)
{
	struct op *op = *state;
	uint8_t byte;

	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "file"), 0);
	assert_int_equal(fk_read(op->fk, op->file, 42, &byte, 1), 1);
	assert_int_equal(byte, op_byte(42));
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, 0), 1);
}

static void test_directory(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "dir"), -EISDIR);
	assert_int_equal(fk_unlink(op->fk, op->file, "x"), -ENOTDIR);
	op_check_tree(op);
}

static void test_reused_number(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	uint64_t stale = op_stale_node(op);

	/* a new inode may take the number; it must have another generation */
	assert_int_equal(fk_mknod(op->fk, op->dir, "new", S_IFREG, 0, &e), 0);
	if (e.nodeid == stale)
		assert_true(e.generation != 0);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_UNLINK, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_UNLINK);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_UNLINK, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_file),
	OP_TEST(test_open_file_lives),
	OP_TEST(test_directory),
	OP_TEST(test_reused_number),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(unlink, tests);
