// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_spelling_rename.c: renames by another spelling than the stored one, and
 * renames that change a spelling.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>
#include "spelling_rig.h"

static void test_rename_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo");
	uint64_t replies = fk_replies(fk);
	struct fuse_entry_out e;
	struct fuse_attr attr;

	assert_int_equal(fk_rename(fk, ROOT, "FOO", ROOT, "bar"), 0);
	rig_told(fk, foo, replies);
	/* by which name this is asked is not known: not without a lookup */
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	e = rig_found(fk, "bar");
	assert_true(e.nodeid == foo && e.entry_valid > LONG && e.attr_valid == 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	/* a lookup for another purpose does not count */
	rig_found(fk, "bar");
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "baz"), 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &attr), 0);
	assert_true(rig_found(fk, "baz").attr_valid > LONG);
}

static void test_rename_over_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), bar = rig_file(fk, "bar"), replies = fk_replies(fk);

	assert_int_equal(fk_rename2(fk, ROOT, "bar", ROOT, "FOO", FUSEBLK_RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "FOO"), 0);
	rig_told(fk, foo, replies + 1);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	assert_int_equal(fk_getattr(fk, bar, &(struct fuse_attr){ 0 }), 0);
	rig_names(fk, "FOO", NULL);
	assert_true(rig_found(fk, "FOO").nodeid == bar);
}

static void test_rename_open(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), bar = rig_file(fk, "bar");
	struct fuse_open_out o;

	/* the old name may stay in use for as long as the file is open */
	assert_int_equal(fk_open(fk, foo, O_RDONLY, &o), 0);
	assert_int_equal(fk_rename(fk, ROOT, "FOO", ROOT, "one"), 0);
	assert_int_equal(fk_rename(fk, ROOT, "BAR", ROOT, "two"), 0);
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	assert_int_equal(fk_getattr(fk, bar, &(struct fuse_attr){ 0 }), 0);
	assert_int_equal(fk_release(fk, foo, o.fh, false), 0);
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_rename_stored_otherwise(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), replies;

	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "bar."), 0);
	rig_names(fk, "bar", NULL);
	rig_no_notice(fk);
	/* the kernel may have it as "bar.": any name of it that goes is told */
	replies = fk_replies(fk);
	assert_int_equal(fk_unlink(fk, ROOT, "bar"), 0);
	rig_told(fk, foo, replies);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
}

static void test_exchange(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), bar = rig_file(fk, "bar");
	struct fk_notice n[12];
	unsigned seen = 0;
	size_t count;

	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "BAR", FUSEBLK_RENAME_EXCHANGE), 0);
	assert_true(rig_found(fk, "foo").nodeid == bar);
	assert_true(rig_found(fk, "bar").nodeid == foo);
	count = fk_notices(fk, n, 4, 12);
	for (size_t i = 0; i < count; i++)
		if (n[i].code == (int)FUSE_NOTIFY_PRUNE)
			seen |= n[i].nodeid == foo ? 1 : n[i].nodeid == bar ? 2 : 4;
	assert_int_equal(seen, 3);
}

static void test_exact_renames(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo");

	rig_file(fk, "bar");
	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "bar"), 0);
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "baz"), 0);
	rig_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_change_of_spelling(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), dir;

	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "FOO"), 0);
	rig_names(fk, "FOO", NULL);
	assert_true(rig_found(fk, "FOO").nodeid == foo);
	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "Foo", FUSEBLK_RENAME_NOREPLACE), 0);
	rig_names(fk, "Foo", NULL);
	/* to what it is already */
	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "Foo"), 0);
	rig_names(fk, "Foo", NULL);
	assert_int_equal(fk_rename2(fk, ROOT, "Foo", ROOT, "FOO", FUSEBLK_RENAME_EXCHANGE), 0);
	rig_names(fk, "Foo", NULL);
	assert_int_equal(fk_unlink(fk, ROOT, "Foo"), 0);
	dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
	rig_made(fk, dir, "inner", S_IFREG | 0600);
	assert_int_equal(fk_rename(fk, ROOT, "dir", ROOT, "DIR"), 0);
	rig_names(fk, "DIR", NULL);
	assert_true(rig_found(fk, "dir").nodeid == dir);
}

static void test_two_links(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;

	/* two names of one file are not one name in two spellings */
	assert_int_equal(fk_link(fk, foo, dir, "foo", NULL), 0);
	assert_int_equal(fk_rename(fk, ROOT, "foo", dir, "FOO"), 0);
	assert_true(rig_found(fk, "foo").nodeid == foo);
	assert_true(fk_find(fk, dir, "foo") == foo);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_rename_respelled),
		TEST(test_rename_over_respelled),
		TEST(test_rename_open),
		TEST(test_rename_stored_otherwise),
		TEST(test_exchange),
		TEST(test_exact_renames),
		TEST(test_change_of_spelling),
		TEST(test_two_links),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
