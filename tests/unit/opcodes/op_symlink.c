/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_symlink.c: SYMLINK through a whole session. */
#include "opcodes.h"

static void test_make(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	char buf[4096];

	assert_int_equal(fk_symlink(op->fk, op->dir, "new", "/somewhere/else", &e), 0);
	assert_true(S_ISLNK(e.attr.mode));
	assert_int_equal(e.attr.size, 15);
	assert_int_equal(fk_readlink(op->fk, e.nodeid, buf, sizeof(buf)), 15);
	assert_memory_equal(buf, "/somewhere/else", 15);
}

static void test_long_target(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;
	char target[5000], buf[4096];
	ssize_t n;

	memset(target, 't', sizeof(target));
	target[1000] = 0;
	assert_int_equal(fk_symlink(op->fk, op->dir, "long", target, &e), 0);
	n = fk_readlink(op->fk, e.nodeid, buf, sizeof(buf));
	assert_int_equal(n, 1000);
	assert_memory_equal(buf, target, 1000);
	target[1000] = 't';
	target[4096] = 0;
	assert_int_equal(fk_symlink(op->fk, op->dir, "longer", target, &e), -ENAMETOOLONG);
	assert_int_equal(fk_symlink(op->fk, op->dir, "none", "", &e), -EINVAL);
}

static void test_exists(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_symlink(op->fk, FUSE_ROOT_ID, "file", "x", NULL), -EEXIST);
	assert_int_equal(fk_symlink(op->fk, op->file, "x", "x", NULL), -ENOTDIR);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_SYMLINK, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_SYMLINK);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_SYMLINK, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_make),
	OP_TEST(test_long_target),
	OP_TEST(test_exists),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(symlink, tests);
