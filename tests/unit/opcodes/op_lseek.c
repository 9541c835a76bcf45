/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_lseek.c: LSEEK through a whole session. */
#include <unistd.h>
#include "opcodes.h"

static void test_data_and_hole(void **state)
{
	struct op *op = *state;
	uint64_t off = 0;

	assert_int_equal(fk_truncate(op->fk, op->file, 0), 0);
	assert_int_equal(fk_write(op->fk, op->file, 65536, "data", 4, 0), 4);
	assert_int_equal(fk_truncate(op->fk, op->file, 200000), 0);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_DATA, &off), 0);
	assert_int_equal(off, 65536);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_HOLE, &off), 0);
	assert_int_equal(off, 0);
	assert_int_equal(fk_lseek(op->fk, op->file, 65537, SEEK_DATA, &off), 0);
	assert_int_equal(off, 65537);
	assert_int_equal(fk_lseek(op->fk, op->file, 65536, SEEK_HOLE, &off), 0);
	assert_in_range(off, 65540, 65536 + 4096);
	assert_int_equal(fk_lseek(op->fk, op->file, 150000, SEEK_DATA, &off), -ENXIO);
}

static void test_end(void **state)
{
	struct op *op = *state;
	uint64_t off = 0;

	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_HOLE, &off), 0);
	assert_int_equal(off, OP_FILE_SIZE);
	assert_int_equal(fk_lseek(op->fk, op->file, OP_FILE_SIZE, SEEK_HOLE, &off), -ENXIO);
	assert_int_equal(fk_lseek(op->fk, op->file, OP_FILE_SIZE, SEEK_DATA, &off), -ENXIO);
	assert_int_equal(fk_lseek(op->fk, op->file, UINT64_MAX, SEEK_DATA, &off), -ENXIO);
	assert_int_equal(fk_lseek(op->fk, op->file, INT64_MAX, SEEK_HOLE, &off), -ENXIO);
}

/* Under the writeback cache the kernel may hold data that only its own handles know of. */
static void test_writers(void **state)
{
	struct op *op = *state;
	struct fuse_open_out first, second, reader;
	uint64_t off = 0;

	assert_int_equal(fk_open(op->fk, op->file, O_RDWR, &first), 0);
	assert_int_equal(fk_open(op->fk, op->file, O_WRONLY, &second), 0);
	assert_int_equal(fk_open(op->fk, op->file, O_RDONLY, &reader), 0);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_DATA, &off), -EINVAL);
	assert_int_equal(fk_release(op->fk, op->file, first.fh, false), 0);
	assert_int_equal(fk_release(op->fk, op->file, reader.fh, false), 0);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_HOLE, &off), -EINVAL);
	assert_int_equal(fk_release(op->fk, op->file, second.fh, false), 0);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_HOLE, &off), 0);
	assert_int_equal(off, OP_FILE_SIZE);
}

static void test_created(void **state)
{
	struct op *op = *state;
	struct fuse_entry_out entry;
	struct fuse_open_out open;
	uint64_t off = 0;

	assert_int_equal(fk_create(op->fk, op->dir, "new", 0644, O_RDWR, &entry, &open), 0);
	assert_int_equal(fk_write(op->fk, entry.nodeid, 0, "data", 4, 0), 4);
	assert_int_equal(fk_lseek(op->fk, entry.nodeid, 0, SEEK_DATA, &off), -EINVAL);
	assert_int_equal(fk_release(op->fk, entry.nodeid, open.fh, false), 0);
	assert_int_equal(fk_lseek(op->fk, entry.nodeid, 0, SEEK_HOLE, &off), 0);
	assert_int_equal(off, 4);
}

static void test_whence(void **state)
{
	struct op *op = *state;
	uint64_t off;

	assert_int_equal(fk_lseek(op->fk, op->file, 0, SEEK_SET, &off), -EINVAL);
	assert_int_equal(fk_lseek(op->fk, op->file, 0, 77, &off), -EINVAL);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_LSEEK, op->file);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_LSEEK);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_data_and_hole),
	OP_TEST(test_end),
	OP_TEST(test_writers),
	OP_TEST(test_created),
	OP_TEST(test_whence),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(lseek, tests);
