/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_lookup.c: LOOKUP through a whole session. */
#include "opcodes.h"

static const char *long_name(void)
{
	static char name[256];

	memset(name, 'l', 255);
	return name;
}

static void test_found(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "file", &e), 0);
	assert_true(e.nodeid == op->file);
	assert_int_equal(e.attr.size, OP_FILE_SIZE);
	assert_int_equal(e.attr.mode, S_IFREG | 0644);
	assert_true(e.entry_valid > 1000);
	assert_true(e.attr_valid > 1000);
	assert_int_equal(fk_lookups(op->fk, op->file), 2);
}

static void test_negative(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "absent", &e), 0);
	assert_int_equal(e.nodeid, 0);
	assert_true(e.entry_valid > 1000);
}

static void test_dots(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_lookup(op->fk, op->dir, ".", &e), 0);
	assert_true(e.nodeid == op->dir);
	assert_int_equal(fk_lookup(op->fk, op->dir, "..", &e), 0);
	assert_int_equal(e.nodeid, FUSE_ROOT_ID);
	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "..", &e), 0);
	assert_int_equal(e.nodeid, FUSE_ROOT_ID);
}

static void test_in_a_file(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_lookup(op->fk, op->file, "x", NULL), -ENOTDIR);
	assert_int_equal(fk_lookup(op->fk, op->link, "x", NULL), -ENOTDIR);
}

static void test_longest(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	assert_int_equal(fk_mknod(op->fk, op->dir, long_name(), S_IFREG | 0600, 0, &e), 0);
	assert_true(op_need(op, op->dir, long_name()) == e.nodeid);
	assert_int_equal(fk_unlink(op->fk, op->dir, long_name()), 0);
}

static void test_error(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	OP_NEEDS_HOOKS();
	testfs_fail("lookup", -EUCLEAN);
	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "file", &e), -EUCLEAN);
	testfs_fail("lookup", 0);
	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "file", &e), 0);
}

static void test_error_after(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	OP_NEEDS_HOOKS();
	/* the lookup is counted, then the entry cannot be filled: the count must fall again */
	testfs_fail("getattr", -EIO);
	assert_int_equal(fk_lookup(op->fk, FUSE_ROOT_ID, "file", &e), -EIO);
	testfs_fail(NULL, 0);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_LOOKUP, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_LOOKUP);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_LOOKUP, op->dir, false);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_found),
	OP_TEST(test_negative),
	OP_TEST(test_dots),
	OP_TEST(test_in_a_file),
	OP_TEST(test_longest),
	OP_TEST(test_error),
	OP_TEST(test_error_after),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(lookup, tests);
