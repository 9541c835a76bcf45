/* SPDX-License-Identifier: GPL-2.0-or-later */
/* op_readdirplus.c: READDIRPLUS through a whole session. */
#include <stdio.h>
#include "opcodes.h"

static void test_attributes(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[16];
	ssize_t n = fk_readdir(op->fk, FUSE_ROOT_ID, 0, 4096, true, list, 16);
	bool seen = false;

	assert_true(n >= 5);
	for (ssize_t i = 0; i < n; i++) {
		if (!strcmp(list[i].name, ".") || !strcmp(list[i].name, ".."))
			assert_int_equal(list[i].nodeid, 0);
		if (strcmp(list[i].name, "file"))
			continue;
		seen = true;
		assert_true(list[i].nodeid == op->file);
		assert_true(list[i].attr.ino == list[i].ino);
		assert_int_equal(list[i].attr.size, OP_FILE_SIZE);
		assert_int_equal(list[i].attr.mode, S_IFREG | 0644);
	}
	assert_true(seen);
	assert_int_equal(fk_lookups(op->fk, op->file), 2);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_counts_what_fits(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[16];

	/* only entries in the reply are lookups */
	for (uint32_t size = 0; size < 1000; size += 37)
		fk_readdir(op->fk, FUSE_ROOT_ID, 0, size, true, list, 16);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_many(void **state)
{
	struct op *op = *state;
	struct fk_dirent *list;
	ssize_t n;

	for (int i = 0; i < 100; i++) {
		char name[16];

		snprintf(name, sizeof(name), "%d", i);
		assert_int_equal(fk_link(op->fk, op->file, op->dir, name, NULL), 0);
	}
	n = fk_list(op->fk, op->dir, true, &list);
	assert_int_equal(n, 103);
	free(list);
	assert_int_equal(fk_lookups(op->fk, op->file), 201);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_unloadable(void **state)
{
	struct op *op = *state;
	struct fk_dirent list[16];
	ssize_t n;

	OP_NEEDS_HOOKS();
	/* an inode that cannot be read still has a name; it is no lookup */
	fk_forget_all(op->fk);
	assert_true(fk_lookups_agree(op->fk));
	testfs_fail("getattr", -EIO);
	n = fk_readdir(op->fk, FUSE_ROOT_ID, 0, 4096, true, list, 16);
	testfs_fail(NULL, 0);
	for (ssize_t i = 0; i < n; i++)
		assert_int_equal(list[i].nodeid, 0);
	assert_true(fk_lookups_agree(op->fk));
}

static void test_sizes(void **state)
{
	struct op *op = *state;

	op_hostile_sizes(op, FUSE_READDIRPLUS, op->dir);
}

static void test_nodes(void **state)
{
	struct op *op = *state;

	op_hostile_nodes(op, FUSE_READDIRPLUS);
}

static const struct CMUnitTest tests[] = {
	OP_TEST(test_attributes),
	OP_TEST(test_counts_what_fits),
	OP_TEST(test_many),
	OP_TEST(test_unloadable),
	OP_TEST(test_sizes),
	OP_TEST(test_nodes),
};
OP_GROUP(readdirplus, tests);
