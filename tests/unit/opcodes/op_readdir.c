/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_readdir.c: READDIR through a whole session. */
#include <dirent.h>
#include <stdio.h>
#include "opcodes.h"

static void test_all(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[16];
	ssize_t n = fk_readdir(op->fk, FUSE_ROOT_ID, 0, 4096, false, list, 16);
	unsigned seen = 0;

	assert_true(n >= 5);
	for (ssize_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, "file"))
			seen |= list[i].type == DT_REG ? 1 : 0;
		if (!strcmp(list[i].name, "dir"))
			seen |= list[i].type == DT_DIR ? 2 : 0;
		if (!strcmp(list[i].name, "link"))
			seen |= list[i].type == DT_LNK ? 4 : 0;
		if (!strcmp(list[i].name, "."))
			seen |= list[i].ino == 2 ? 8 : 0;
		if (!strcmp(list[i].name, ".."))
			seen |= list[i].ino == 2 ? 16 : 0;
	}
	assert_int_equal(seen, 31);
	assert_int_equal(fk_readdir(op->fk, FUSE_ROOT_ID, list[n - 1].next, 4096, false, list, 16), 0);
}

static void test_many(void **state)
{
	struct op *op = *state;
	struct fk_dirent *list;
	char seen[40] = { 0 };
	ssize_t n;

	for (int i = 0; i < 40; i++) {
		char name[64];

		snprintf(name, sizeof(name), "a-name-of-a-good-length-%d", i);
		assert_int_equal(fk_link(op->fk, op->file, op->dir, name, NULL), 0);
	}
	n = fk_list(op->fk, op->dir, false, &list);
	assert_int_equal(n, 43);
	for (ssize_t i = 0; i < n; i++)
		if (!strncmp(list[i].name, "a-name-of", 9))
			seen[atoi(list[i].name + 24)]++;
	free(list);
	for (int i = 0; i < 40; i++)
		assert_int_equal(seen[i], 1);
}

static void test_small_buffers(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[16];
	uint64_t off = 0;
	int count = 0;

	/* one record at a time, as from a buffer that holds no more */
	for (;;) {
		ssize_t n = fk_readdir(op->fk, FUSE_ROOT_ID, off, 40, false, list, 16);

		assert_in_range(n, 0, 1);
		if (n == 0)
			break;
		off = list[0].next;
		count++;
	}
	assert_true(count >= 5);
	assert_true(fk_readdir(op->fk, FUSE_ROOT_ID, 0, 0, false, list, 16) <= 0);
	assert_true(fk_readdir(op->fk, FUSE_ROOT_ID, 0, 23, false, list, 16) <= 0);
}

static void test_strange_offsets(void **state)
{
	struct op *op = *state;
	static const uint64_t offs[] = {
		3, 1000000, INT64_MAX, INT64_MAX + 1ull, UINT64_MAX, UINT64_MAX - 1, 1ull << 32,
	};
	struct fk_dirent list[200];

	for (size_t i = 0; i < sizeof(offs) / sizeof(offs[0]); i++)
		fk_readdir(op->fk, FUSE_ROOT_ID, offs[i], 4096, false, list, 200);
	op_check_tree(op);
}

static void test_large_size(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[200];

	assert_true(fk_readdir(op->fk, FUSE_ROOT_ID, 0, 16 << 20, false, list, 200) >= 5);
}

static void test_not_a_directory(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[4];

	assert_int_equal(fk_readdir(op->fk, op->file, 0, 4096, false, list, 4), -ENOTDIR);
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_READDIR, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_READDIR);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_all),
	OP_TEST(test_many),
	OP_TEST(test_small_buffers),
	OP_TEST(test_strange_offsets),
	OP_TEST(test_large_size),
	OP_TEST(test_not_a_directory),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(readdir, tests);
