/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_forget.c: FORGET through a whole session. */
#include "opcodes.h"

static void test_balance(void **state)
{
	struct op *op = *state;

	op_need(op, FUSE_ROOT_ID, "file");
	op_need(op, FUSE_ROOT_ID, "file");
	assert_int_equal(fk_lookups(op->fk, op->file), 3);
	fk_forget(op->fk, op->file, 2);
	assert_true(fk_lookups_agree(op->fk));
	assert_int_equal(fk_getattr(op->fk, op->file, NULL), 0);
}

static void test_unknown_after(void **state)
{
	struct op *op = *state;

	fk_forget(op->fk, op->inner, 1);
	assert_true(fk_lookups_agree(op->fk));
	assert_int_equal(fk_getattr(op->fk, op->inner, NULL), -ESTALE);
	assert_true(op_need(op, op->dir, "inner") == op->inner);
	assert_int_equal(fk_getattr(op->fk, op->inner, NULL), 0);
}

static void test_frees_unlinked(void **state)
{
	struct op *op = *state;
	struct fuse_kstatfs before;

	assert_int_equal(fk_statfs(op->fk, &before), 0);
	op_stale_node(op);
	op_await_ffree(op, before.ffree);
}

static void test_too_many(void **state)
{
	struct op *op = *state;

	/* a count the kernel never had is cut to what it has */
	fk_forget(op->fk, op->file, UINT64_MAX);
	fk_forget(op->fk, FUSE_ROOT_ID, UINT64_MAX);
	fk_forget(op->fk, 9999, 7);
	fk_forget(op->fk, UINT64_MAX, UINT64_MAX);
	fk_forget(op->fk, 0, 1);
	assert_true(fk_lookups_agree(op->fk));
	assert_int_equal(fk_getattr(op->fk, FUSE_ROOT_ID, NULL), 0);
}

static void test_short(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_FORGET, 0, op->file);

	message_resize(&m, 44, 0, true);
	fk_send(op->fk, &m);
	m = message_new(FUSE_FORGET, 0, op->file);
	fk_send(op->fk, &m);
	assert_int_equal(fk_getattr(op->fk, op->file, NULL), 0);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_balance),
	OP_TEST(test_unknown_after),
	OP_TEST(test_frees_unlinked),
	OP_TEST(test_too_many),
	OP_TEST(test_short),
};
OP_GROUP(forget, tests);
