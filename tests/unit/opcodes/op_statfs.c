/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_statfs.c: STATFS through a whole session. */
#include "opcodes.h"

static void test_values(void **state)
{
	struct op *op = *state;
	struct fuse_kstatfs s;

	assert_int_equal(fk_statfs(op->fk, &s), 0);
	assert_true(s.blocks > 0 && s.bfree <= s.blocks && s.bavail <= s.bfree);
	assert_true(s.files > 0 && s.ffree < s.files);
	assert_int_equal(s.namelen, 255);
	assert_true(s.bsize >= 1024);
}

static void test_counts(void **state)
{
	struct op *op = *state;
	struct fuse_kstatfs before, after;

	assert_int_equal(fk_statfs(op->fk, &before), 0);
	assert_int_equal(fk_mknod(op->fk, op->dir, "new", S_IFREG, 0, NULL), 0);
	assert_int_equal(fk_statfs(op->fk, &after), 0);
	assert_int_equal(after.ffree, before.ffree - 1);
}

static void test_any_node(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_STATFS, 0, UINT64_MAX);

	fk_exchange(op->fk, &m);	/* answered, whatever the node */
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_STATFS, op->dir);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_values),
	OP_TEST(test_counts),
	OP_TEST(test_any_node),
	OP_TEST(test_sizes),
};
OP_GROUP(statfs, tests);
