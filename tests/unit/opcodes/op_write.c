/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_write.c: WRITE through a whole session. */
#include "opcodes.h"

static void test_append(void **state)
{
	struct op *op = *state;
	uint8_t bytes[16];
	struct fuse_attr a;

	assert_int_equal(fk_write(op->fk, op->file, OP_FILE_SIZE, "more", 4, 0), 4);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.size, OP_FILE_SIZE + 4);
	assert_int_equal(fk_read(op->fk, op->file, OP_FILE_SIZE - 4, bytes, 16), 8);
	assert_memory_equal(bytes + 4, "more", 4);
	assert_int_equal(bytes[3], op_byte(OP_FILE_SIZE - 1));
}

static void test_inside(void **state)
{
	struct op *op = *state;
	uint8_t bytes[OP_FILE_SIZE];

	assert_int_equal(fk_write(op->fk, op->file, 1500, "inside", 6, 0), 6);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), OP_FILE_SIZE);
	for (size_t i = 0; i < OP_FILE_SIZE; i++)
		assert_int_equal(bytes[i], i >= 1500 && i < 1506 ? "inside"[i - 1500] : op_byte(i));
}

static void test_past_end(void **state)
{
	struct op *op = *state;
	uint8_t bytes[20001];

	/* the gap reads as zeros, the old tail's block included */
	assert_int_equal(fk_write(op->fk, op->file, 20000, "x", 1, 0), 1);
	assert_int_equal(fk_read(op->fk, op->file, 0, bytes, sizeof(bytes)), 20001);
	for (size_t i = OP_FILE_SIZE; i < 20000; i++)
		assert_int_equal(bytes[i], 0);
	assert_int_equal(bytes[20000], 'x');
}

static void test_largest(void **state)
{
	struct op *op = *state;
	uint32_t most = fk_max_write(op->fk);
	uint8_t *out = malloc(most + 1), *in = malloc(most);

	for (uint32_t i = 0; i < most; i++)
		out[i] = (uint8_t)(i % 251);
	assert_int_equal(fk_write(op->fk, op->inner, 0, out, most, 0), most);
	assert_int_equal(fk_read(op->fk, op->inner, 0, in, most), most);
	assert_memory_equal(in, out, most);
	/* unaligned */
	assert_int_equal(fk_write(op->fk, op->inner, 777, out, most, 0), most);
	assert_int_equal(fk_read(op->fk, op->inner, 777, in, most), most);
	assert_memory_equal(in, out, most);
	free(out);
	free(in);
}

static void test_bounds(void **state)
{
	struct op *op = *state;
	uint64_t most = OP_MAX_SIZE(op);

	assert_int_equal(fk_write(op->fk, op->file, most, "x", 1, 0), -EFBIG);
	assert_int_equal(fk_write(op->fk, op->file, INT64_MAX - 1, "x", 1, 0), -EFBIG);
	assert_int_equal(fk_write(op->fk, op->file, INT64_MAX, "x", 1, 0), -EINVAL);
	assert_int_equal(fk_write(op->fk, op->file, UINT64_MAX, "x", 1, 0), -EINVAL);
	assert_int_equal(fk_write(op->fk, op->file, 0, "", 0, 0), 0);
	op_check_tree(op);
}

static void test_limit(void **state)
{
	struct op *op = *state;
	uint64_t most = OP_MAX_SIZE(op);

	/* write(2) at the limit: what fits */
	assert_int_equal(fk_write(op->fk, op->file, most - 3, "12345", 5, 0), 3);
	assert_int_equal(fk_truncate(op->fk, op->file, 0), 0);
}

static void test_size_lies(void **state)
{
	struct op *op = *state;
	static const struct { uint32_t size; size_t bytes; } rows[] = {
		{ 10, 9 }, { 10, 11 }, { 0, 1 }, { UINT32_MAX, 10 }, { (1 << 20) + 1, 10 },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fuse_write_in in = { .size = rows[i].size };
		struct message m = message_new(FUSE_WRITE, 0, op->file);

		message_add(&m, &in, sizeof(in));
		message_resize(&m, m.len + rows[i].bytes, 'h', true);
		assert_int_equal(fk_exchange(op->fk, &m), -EINVAL);
	}
	op_check_tree(op);
}

static void test_times(void **state)
{
	struct op *op = *state;
	struct fuse_setattr_in in = { .valid = FATTR_MTIME, .mtime = 1000 };
	struct fuse_attr a;

	assert_int_equal(fk_setattr(op->fk, op->file, &in, NULL), 0);
	/* from the writeback cache: the kernel keeps the times */
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, FUSE_WRITE_CACHE), 1);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mtime, 1000);
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, 0), 1);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_true(a.mtime > 1600000000);
}

static void test_kill_suidgid(void **state)
{
	struct op *op = *state;
	struct fuse_attr a;

	assert_int_equal(fk_chmod(op->fk, op->file, 06755), 0);
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, FUSE_WRITE_KILL_SUIDGID), 1);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 0755);
	/* set-gid without group execute is mandatory locking's mark: it stays */
	assert_int_equal(fk_chmod(op->fk, op->file, 06644), 0);
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, FUSE_WRITE_KILL_SUIDGID), 1);
	assert_int_equal(fk_getattr(op->fk, op->file, &a), 0);
	assert_int_equal(a.mode, S_IFREG | 02644);
}

static void test_not_a_file(void **state)
{
	struct op *op = *state;

	assert_int_equal(fk_write(op->fk, op->dir, 0, "x", 1, 0), -EISDIR);
	assert_int_equal(fk_write(op->fk, op->link, 0, "x", 1, 0), -EINVAL);
}

static void test_no_space(void **state)
{
	struct op *op = *state;

	OP_NEEDS_HOOKS();
	testfs_fail("map_write", -ENOSPC);
	assert_int_equal(fk_write(op->fk, op->file, 0, "x", 1, 0), -ENOSPC);
	assert_true(testfs_calls("map_write") >= 2);	/* tried again after a commit */
	testfs_fail(NULL, 0);
	op_check_tree(op);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_WRITE, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_WRITE);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_append),
	OP_TEST(test_inside),
	OP_TEST(test_past_end),
	OP_TEST(test_largest),
	OP_TEST(test_bounds),
	OP_TEST(test_limit),
	OP_TEST(test_size_lies),
	OP_TEST(test_times),
	OP_TEST(test_kill_suidgid),
	OP_TEST(test_not_a_file),
	OP_TEST(test_no_space),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(write, tests);
