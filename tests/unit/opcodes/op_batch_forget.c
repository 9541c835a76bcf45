/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_batch_forget.c: BATCH_FORGET through a whole session. */
#include <unistd.h>
#include "opcodes.h"

static void test_all(void **state)
{
	struct op *op = *state;

	op_need(op, FUSE_ROOT_ID, "file");
	fk_forget_all(op->fk);
	assert_true(fk_lookups_agree(op->fk));
	assert_int_equal(fk_getattr(op->fk, op->file, NULL), -ESTALE);
	assert_int_equal(fk_getattr(op->fk, FUSE_ROOT_ID, NULL), 0);
}

static void test_same_node_twice(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_BATCH_FORGET, 0, 0);

	op_need(op, op->dir, "inner");
	message_add(&m, &(struct fuse_batch_forget_in) { .count = 2 }, 8);
	message_add(&m, &(struct fuse_forget_one) { op->inner, 1 }, 16);
	message_add(&m, &(struct fuse_forget_one) { op->inner, 1 }, 16);
	fk_send(op->fk, &m);
	for (int i = 0; i < 500 && fk_getattr(op->fk, op->inner, NULL) == 0; i++)
		usleep(1000);
	assert_int_equal(fk_getattr(op->fk, op->inner, NULL), -ESTALE);
	fk_forget(op->fk, op->inner, 2);	/* for our own books */
}

static void test_counts_lie(void **state)
{
	struct op *op = *state;
	static const uint32_t counts[] = { 2, 0x10000001, UINT32_MAX };

	for (size_t i = 0; i < 3; i++) {
		struct message m = message_new(FUSE_BATCH_FORGET, 0, 0);

		message_add(&m, &(struct fuse_batch_forget_in) { .count = counts[i] }, 8);
		message_add(&m, &(struct fuse_forget_one) { op->file, 1 }, 16);
		fk_send(op->fk, &m);
	}
	op_check_tree(op);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_strangers(void **state)
{
	struct op *op = *state;
	struct message m = message_new(FUSE_BATCH_FORGET, 0, 0);

	message_add(&m, &(struct fuse_batch_forget_in) { .count = 4 }, 8);
	message_add(&m, &(struct fuse_forget_one) { 0, 1 }, 16);
	message_add(&m, &(struct fuse_forget_one) { FUSE_ROOT_ID, UINT64_MAX }, 16);
	message_add(&m, &(struct fuse_forget_one) { UINT64_MAX, UINT64_MAX }, 16);
	message_add(&m, &(struct fuse_forget_one) { 9999, 0 }, 16);
	fk_send(op->fk, &m);
	op_check_tree(op);
	assert_true(fk_lookups_agree(op->fk));
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_all),
	OP_TEST(test_same_node_twice),
	OP_TEST(test_counts_lie),
	OP_TEST(test_strangers),
};
OP_GROUP(batch_forget, tests);
