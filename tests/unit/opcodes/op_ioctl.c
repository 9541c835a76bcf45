/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_ioctl.c: IOCTL through a whole session. */
#include <sys/ioctl.h>
#include <linux/fs.h>
#include "opcodes.h"

static void test_flags(void **state)
{
	struct op *op = *state;
	uint32_t flags = 0;

	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
	flags |= FS_NODUMP_FL;
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_SETFLAGS, &flags, 4, NULL, 0), 0);
	flags = 0;
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
	assert_true(flags & FS_NODUMP_FL);
	assert_int_equal(fk_ioctl(op->fk, op->dir, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
}

static void test_long_form(void **state)
{
	struct op *op = *state;
	uint64_t flags = UINT64_MAX;

	/* the number says long, so that is what a caller's ioctl brings */
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, &flags, 8), 0);
	flags = (uint32_t)flags | FS_NODUMP_FL;
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_SETFLAGS, &flags, 8, NULL, 0), 0);
}

static void test_unknown(void **state)
{
	struct op *op = *state;
	uint8_t bytes[64];

	assert_int_equal(fk_ioctl(op->fk, op->file, 0x12345678, NULL, 0, NULL, 0), -ENOTTY);
	assert_int_equal(fk_ioctl(op->fk, op->file, 0, NULL, 0, bytes, 64), -ENOTTY);
	assert_int_equal(fk_ioctl(op->fk, op->file, UINT32_MAX, bytes, 64, bytes, 64), -ENOTTY);
}

static void test_who_may(void **state)
{
	struct op *op = *state;
	uint32_t flags = 0;

	fk_as(op->fk, 1000, 1000);
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_SETFLAGS, &flags, 4, NULL, 0), -EPERM);
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
}

static void test_too_small(void **state)
{
	struct op *op = *state;
	uint32_t flags = 0;

	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_GETFLAGS, NULL, 0, NULL, 0), -EINVAL);
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_SETFLAGS, &flags, 3, NULL, 0), -EINVAL);
	assert_int_equal(fk_ioctl(op->fk, op->file, FS_IOC_SETFLAGS, NULL, 0, NULL, 0), -EINVAL);
}

/* Set @on and clear @off of the inode's flags, as chattr does. */
static void change_flags(struct op *op, uint64_t node, uint32_t on, uint32_t off)
{
	uint32_t flags = 0;

	assert_int_equal(fk_ioctl(op->fk, node, FS_IOC_GETFLAGS, NULL, 0, &flags, 4), 0);
	flags = (flags | on) & ~off;
	assert_int_equal(fk_ioctl(op->fk, node, FS_IOC_SETFLAGS, &flags, 4, NULL, 0), 0);
}

static void test_immutable(void **state)
{
	struct op *op = *state;

	change_flags(op, op->file, FS_IMMUTABLE_FL, 0);
	assert_int_equal(fk_open(op->fk, op->file, O_RDONLY, NULL), 0);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY, NULL), -EPERM);
	assert_int_equal(fk_chmod(op->fk, op->file, 0600), -EPERM);
	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "file"), -EPERM);
	assert_int_equal(fk_link(op->fk, op->file, op->dir, "x", NULL), -EPERM);
	assert_int_equal(fk_rename(op->fk, FUSE_ROOT_ID, "file", op->dir, "x"), -EPERM);
	assert_int_equal(fk_setxattr(op->fk, op->file, "user.a", "v", 1, 0), -EPERM);
	change_flags(op, op->file, 0, FS_IMMUTABLE_FL | FS_APPEND_FL);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY, NULL), 0);
	op_check_tree(op);
}

static void test_append_only(void **state)
{
	struct op *op = *state;

	change_flags(op, op->file, FS_APPEND_FL, 0);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY | O_APPEND, NULL), 0);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY, NULL), -EPERM);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY | O_APPEND | O_TRUNC, NULL), -EPERM);
	assert_int_equal(fk_truncate(op->fk, op->file, 0), -EPERM);
	assert_int_equal(fk_unlink(op->fk, FUSE_ROOT_ID, "file"), -EPERM);
	change_flags(op, op->file, 0, FS_IMMUTABLE_FL | FS_APPEND_FL);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_IOCTL, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_IOCTL);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_flags),
	OP_TEST(test_long_form),
	OP_TEST(test_unknown),
	OP_TEST(test_who_may),
	OP_TEST(test_too_small),
	OP_TEST(test_immutable),
	OP_TEST(test_append_only),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(ioctl, tests);
