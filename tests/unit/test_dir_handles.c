// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_dir_handles.c: the numbers that stand for open directories, and their
 * cursors.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include "spelling_rig.h"

static int next(struct fk *fk, uint64_t dir, uint64_t fh, uint64_t *value)
{
	return fk_ioctl_dir(fk, dir, fh, TESTFS_IOC_CURSOR, value, sizeof(*value));
}

static uint64_t open_dir(struct fk *fk, uint64_t dir)
{
	struct fuse_open_out o;

	assert_int_equal(fk_opendir(fk, dir, &o), 0);
	assert_true(o.fh > 0 && o.fh < 1000);
	return o.fh;
}

static void test_cursors(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
	uint64_t a = open_dir(fk, dir), b = open_dir(fk, dir), v = 99;

	assert_true(a != b);
	for (uint64_t i = 0; i < 5; i++) {
		assert_int_equal(next(fk, dir, a, &v), 0);
		assert_true(v == i);
	}
	assert_int_equal(next(fk, dir, b, &v), 0);
	assert_true(v == 0);
	assert_int_equal(fk_readdir_fh(fk, dir, a, 2), 0);
	assert_int_equal(next(fk, dir, a, &v), 0);
	assert_true(v == 5);
	assert_int_equal(fk_readdir_fh(fk, dir, a, 0), 0);
	assert_int_equal(next(fk, dir, a, &v), 0);
	assert_true(v == 0);
	/* not by a descriptor of a directory: no cursor */
	assert_int_equal(fk_ioctl(fk, dir, TESTFS_IOC_CURSOR, NULL, 0, &v, sizeof(v)), -ENOTTY);
	assert_int_equal(fk_release(fk, dir, a, true), 0);
	assert_int_equal(fk_release(fk, dir, b, true), 0);
	/* a number is used again, its cursor is not */
	a = open_dir(fk, dir);
	assert_int_equal(next(fk, dir, a, &v), 0);
	assert_true(v == 0);
	fk_release(fk, dir, a, true);
}

static void test_many_handles(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid, fh[100], v;

	for (unsigned i = 0; i < 100; i++) {
		fh[i] = open_dir(fk, dir);
		for (unsigned k = 0; k < i; k++)
			assert_true(fh[k] != fh[i]);
		for (unsigned k = 0; k < i % 3; k++)
			assert_int_equal(next(fk, dir, fh[i], &v), 0);
	}
	for (unsigned i = 0; i < 100; i++) {
		assert_int_equal(next(fk, dir, fh[i], &v), 0);
		assert_true(v == i % 3);
		assert_int_equal(fk_release(fk, dir, fh[i], true), 0);
	}
}

static void test_hostile_handles(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid, v;
	uint64_t mine = open_dir(fk, dir), gone = open_dir(fk, dir), other = open_dir(fk, ROOT);
	uint64_t bad[] = { 0, gone, other, 17, 9999, UINT32_MAX, 1ull << 32, (1ull << 32) | mine,
			   1ull << 63, UINT64_MAX, (uint64_t)(uintptr_t)&v };

	assert_int_equal(fk_release(fk, dir, gone, true), 0);
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(next(fk, dir, bad[i], &v), -EBADF);
		assert_int_equal(fk_readdir_fh(fk, dir, bad[i], 0), bad[i] ? -EBADF : 0);
		assert_int_equal(fk_release(fk, dir, bad[i], true), -EBADF);
	}
	assert_int_equal(next(fk, dir, mine, &v), 0);
	assert_true(v == 0);
	assert_int_equal(fk_release(fk, dir, mine, true), 0);
	assert_int_equal(fk_release(fk, ROOT, other, true), 0);
}

static void test_no_nfs_handles(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
	struct fuse_entry_out e;

	assert_false(fk_init_reply(fk)->flags & FUSE_EXPORT_SUPPORT);
	assert_int_equal(fk_lookup(fk, dir, ".", &e), -ESTALE);
	assert_int_equal(fk_lookup(fk, ROOT, ".", &e), -ESTALE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_cursors),
		TEST(test_many_handles),
		TEST(test_hostile_handles),
		TEST(test_no_nfs_handles),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
