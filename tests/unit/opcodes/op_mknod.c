/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_mknod.c: MKNOD through a whole session. */
#include "opcodes.h"

static void test_kinds(void **state)
{
	struct op *op = *state;
	static const uint32_t kinds[] = { S_IFREG, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK };

	for (size_t i = 0; i < 5; i++) {
		struct fuse_entry_out e;
		char name[2] = { (char)('a' + i), 0 };
		bool is_device = S_ISCHR(kinds[i]) || S_ISBLK(kinds[i]);

		assert_int_equal(fk_mknod(op->fk, op->dir, name, kinds[i] | 0640,
					  is_device ? 0x12345 : 0, &e), 0);
		assert_int_equal(e.attr.mode, kinds[i] | 0640);
		assert_int_equal(e.attr.rdev, is_device ? 0x12345 : 0);
		assert_int_equal(e.attr.nlink, 1);
		assert_true(op_need(op, op->dir, name) == e.nodeid);
	}
}

static void test_bad_kinds(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_mknod(op->fk, op->dir, "d", S_IFDIR | 0700, 0, NULL), -EINVAL);
	assert_int_equal(fk_mknod(op->fk, op->dir, "l", S_IFLNK | 0700, 0, NULL), -EINVAL);
	assert_int_equal(fk_mknod(op->fk, op->dir, "x", S_IFMT | 0700, 0, NULL), -EINVAL);
	op_check_tree(op);
}

static void test_exists(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_mknod(op->fk, FUSE_ROOT_ID, "dir", S_IFREG, 0, NULL), -EEXIST);
	assert_int_equal(fk_mknod(op->fk, op->file, "x", S_IFREG, 0, NULL), -ENOTDIR);
}

static void test_owner(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out e;

	fk_as(op->fk, 1234, 70001);
	assert_int_equal(fk_mknod(op->fk, op->dir, "mine", S_IFREG | 0600, 0, &e), 0);
	assert_int_equal(e.attr.uid, 1234);
	assert_int_equal(e.attr.gid, 70001);
}

static void test_error(void **state)
{
	struct op *op = *state;

	OP_NEEDS_HOOKS();
	testfs_fail("create", -EDQUOT);
	assert_int_equal(fk_mknod(op->fk, op->dir, "x", S_IFREG, 0, NULL), -EDQUOT);
	testfs_fail(NULL, 0);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_MKNOD, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_MKNOD);
}

static void test_names(void **state)
{
	struct op *op = *state;

	op_hostile_names(op, FUSE_MKNOD, op->dir, true);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_kinds),
	OP_TEST(test_bad_kinds),
	OP_TEST(test_exists),
	OP_TEST(test_owner),
	OP_TEST(test_error),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
	OP_TEST(test_names),
};
OP_GROUP(mknod, tests);
