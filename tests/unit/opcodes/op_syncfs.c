/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_syncfs.c: SYNCFS through a whole session. */
#include "opcodes.h"

static void test_commits(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_mkdir(op->fk, op->dir, "new", 0700, NULL), 0);
	assert_int_equal(fk_syncfs(op->fk), 0);
	assert_int_equal(fk_syncfs(op->fk), 0);
	assert_true(fb_cache_durable_epoch(fk_volume(op->fk)->cache) > 0);
	assert_false(fb_cache_is_dirty(fk_volume(op->fk)->cache));
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_SYNCFS, op->dir);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_commits),
	OP_TEST(test_sizes),
};
OP_GROUP(syncfs, tests);
