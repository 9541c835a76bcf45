// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_spelling_older.c: kernels that cannot be told to forget every name of
 * a node and have to be given the name.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "spelling_rig.h"

static void expect_entry(struct fk *fk, const char *name, bool drop, uint64_t replies)
{
	struct fk_notice n[4];

	assert_int_equal(fk_notices(fk, n, 2, 4), 2);
	assert_int_equal(n[0].code, FUSE_NOTIFY_INVAL_INODE);
	assert_true(n[0].after == replies);
	assert_int_equal(n[1].code, FUSE_NOTIFY_INVAL_ENTRY);
	assert_true(n[1].nodeid == ROOT && n[1].after == replies + 1);	/* not before the reply */
	assert_int_equal(n[1].flags, drop ? 0 : FUSE_EXPIRE_ONLY);
	assert_string_equal(n[1].name, name);
}

static int setup_older(void **state)
{
	*state = rig_start(40, NULL);
	return 0;
}

static void test_older_removal(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), bar, replies;

	testfs_fail("spelling", -EIO);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), -EIO);
	testfs_fail(NULL, 0);
	rig_no_notice(fk);
	replies = fk_replies(fk);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	expect_entry(fk, "foo", true, replies);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	bar = rig_file(fk, "bar");
	rig_file(fk, "baz");
	replies = fk_replies(fk);
	assert_int_equal(fk_rename(fk, ROOT, "baz", ROOT, "BAR"), 0);
	expect_entry(fk, "bar", true, replies);
	assert_int_equal(fk_getattr(fk, bar, &(struct fuse_attr){ 0 }), -ESTALE);
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_older_rename(void **state)
{
	struct fk *fk = *state;
	struct fk_notice n[4];
	uint64_t replies;

	rig_file(fk, "foo");
	rig_made(fk, ROOT, "dir", S_IFDIR | 0700);
	replies = fk_replies(fk);
	assert_int_equal(fk_rename(fk, ROOT, "FOO", ROOT, "bar"), 0);
	expect_entry(fk, "foo", false, replies);
	replies++;
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "baz."), 0);
	expect_entry(fk, "baz.", false, replies);
	/* a directory is not marked */
	assert_int_equal(fk_rename(fk, ROOT, "dir", ROOT, "rid."), 0);
	assert_int_equal(fk_notices(fk, n, 1, 4), 1);
	assert_string_equal(n[0].name, "rid.");
	rig_names(fk, "baz", "rid");
}

static void test_older_exchange(void **state)
{
	static const char *const names[] = { "foo", "bar", "FOO", "BAR" };
	struct fk *fk = *state;
	struct fk_notice n[12];
	unsigned seen = 0;
	size_t count;

	rig_file(fk, "foo");
	rig_file(fk, "bar");
	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "BAR", FUSEBLK_RENAME_EXCHANGE), 0);
	count = fk_notices(fk, n, 8, 12);
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < 4 && n[i].code == FUSE_NOTIFY_INVAL_ENTRY; k++)
			seen |= !strcmp(n[i].name, names[k]) ? 1u << k : 0;
	assert_int_equal(seen, 15);
}

#define OLDER(f) cmocka_unit_test_setup_teardown(f, setup_older, rig_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		OLDER(test_older_removal),
		OLDER(test_older_rename),
		OLDER(test_older_exchange),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
