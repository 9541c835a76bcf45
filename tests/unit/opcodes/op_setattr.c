/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_setattr.c: SETATTR through a whole session. */
#include "opcodes.h"

static void test_mode(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, S_IFREG | 0751), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0751);
}

static void test_type_stays(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, S_IFDIR | 0700), 0);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0700);
}

static void test_owner_drops_setid(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = { .valid = FATTR_UID | FATTR_GID, .uid = 70000, .gid = 5 };
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.uid, 70000);
	assert_int_equal(a.gid, 5);
	assert_int_equal(a.mode, S_IFREG | 0755);
}

/* chown(-1, -1) */
static void test_no_owner_drops_setid(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = { .valid = FATTR_CTIME, .ctime = 1000 };
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0755);
	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	fk_as(op->fk, 1000, 1000);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), -EPERM);
	in.valid = 0;
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 06755);
	fk_as(op->fk, 0, 0);
	assert_int_equal(fk_chmod(op->fk, op->link, 0777), 0);
	assert_int_equal(fk_setattr(op->fk, op->link, &in, &a), 0);
}

/* Set-gid without the group's right to execute stays for root and for members of the group. */
static void test_owner_and_locking_bit(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = { .valid = FATTR_GID, .gid = 6 };
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 02745), 0);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 02745);
	fk_as(op->fk, 1000, 6);
	in.gid = 1000;
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 02745);
	in.gid = 6;
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0745);
	fk_as(op->fk, 0, 0);
}

static void test_times(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = {
		.valid = FATTR_ATIME | FATTR_MTIME, .atime = 1000, .atimensec = 5,
		.mtime = (uint64_t)-1000, .mtimensec = 999999999,
	};
	struct fuse_attr a;

	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.atime, 1000);
	assert_true(a.mtime == (uint64_t)-1000);
	assert_true(a.ctime > 1600000000);
	in.valid = FATTR_MTIME | FATTR_MTIME_NOW;
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_true(a.mtime > 1600000000 && a.mtime < 1ull << 40);
	assert_int_equal(a.atime, 1000);
}

static void test_truncate(void **state)
{
	struct op *op = *state;
	uint8_t bytes[8192];

	assert_int_equal(fk_truncate(op->fk, op->file, 100), 0);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), 100);
	assert_int_equal(bytes[99], op_byte(99));
	/* what was cut off must not come back */
	assert_int_equal(fk_truncate(op->fk, op->file, 6000), 0);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), 6000);
	for (size_t i = 100; i < 6000; i++)
		assert_int_equal(bytes[i], 0);
}

static void test_truncate_bounds(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_truncate(op->fk, op->file, INT64_MAX), -EFBIG);
	assert_int_equal(fk_truncate(op->fk, op->file, OP_MAX_SIZE(op) + 1), -EFBIG);
	assert_int_equal(fk_truncate(op->fk, op->file, INT64_MAX + 1ull), -EINVAL);
	assert_int_equal(fk_truncate(op->fk, op->file, UINT64_MAX), -EINVAL);
	assert_int_equal(fk_truncate(op->fk, op->dir, 0), -EISDIR);
	assert_int_equal(fk_truncate(op->fk, op->link, 0), -EINVAL);
	op_check_tree(op);
}

static void test_kill_suidgid(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = { .valid = FATTR_SIZE | FATTR_KILL_SUIDGID, .size = 10 };
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0755);
	assert_int_equal(a.size, 10);
	assert_int_equal(fk_chmod(op->fk, op->file, 02745), 0);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 02745);
	fk_as(op->fk, 1000, 1000);
	assert_int_equal(fk_setattr(op->fk, op->file, &in, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0745);
	fk_as(op->fk, 0, 0);
}

static void test_error(void **state)
{
	struct op *op = *state;

	OP_NEEDS_HOOKS();
	testfs_fail("setattr", -ENOSPC);
	assert_int_equal(fk_chmod(op->fk, op->file, 0600), -ENOSPC);
	testfs_fail("setattr", 5);
	assert_int_equal(fk_chmod(op->fk, op->file, 0600), -EIO);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_SETATTR, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_SETATTR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_mode),
	OP_TEST(test_type_stays),
	OP_TEST(test_owner_drops_setid),
	OP_TEST(test_no_owner_drops_setid),
	OP_TEST(test_owner_and_locking_bit),
	OP_TEST(test_times),
	OP_TEST(test_truncate),
	OP_TEST(test_truncate_bounds),
	OP_TEST(test_kill_suidgid),
	OP_TEST(test_error),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(setattr, tests);
