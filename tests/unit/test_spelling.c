/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_spelling.c: volumes on which a name may be given in more than one
 * spelling: what the kernel is told to remember, what it is told to forget and
 * when, renames that change a spelling, and cursors of open directories.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "caller.h"
#include "../lib/fakekernel.h"
#include "../lib/testfs.h"

#define ROOT	FUSE_ROOT_ID
#define NOBODY	0x7ffffff0u		/* no thread has this id */
#define LONG	1000u			/* seconds: a timeout of at least this is one for good */
#define LINGER_US 2300000		/* marks are gone after this */

static struct fk *start(uint32_t minor, const char *options)
{
	struct fb_device *memory;
	char error[256] = "";
	struct fk *fk = NULL;

	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	if (fk_start(&testfs_fold_driver, memory, options, &fk, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fk_init(fk, minor, FK_OFFER_ALL), 0);
	fk_as(fk, 0, 0);
	fk_as_thread(fk, NOBODY);
	return fk;
}

static int setup(void **state)
{
	*state = start(45, NULL);
	return 0;
}

static int teardown(void **state)
{
	struct fk *fk = *state;

	testfs_reset();
	assert_true(fk_lookups_agree(fk));
	fk_forget_all(fk);
	return fk_stop(fk);
}

static struct fuse_entry_out made(struct fk *fk, uint64_t dir, const char *name, uint32_t mode)
{
	struct fuse_entry_out e;

	if (S_ISDIR(mode))
		assert_int_equal(fk_mkdir(fk, dir, name, mode, &e), 0);
	else
		assert_int_equal(fk_mknod(fk, dir, name, mode, 0, &e), 0);
	return e;
}

static uint64_t file(struct fk *fk, const char *name)
{
	return made(fk, ROOT, name, S_IFREG | 0644).nodeid;
}

static struct fuse_entry_out found(struct fk *fk, const char *name)
{
	struct fuse_entry_out e;

	assert_int_equal(fk_lookup(fk, ROOT, name, &e), 0);
	assert_true(e.nodeid != 0);
	return e;
}

/* Not there, and that not to be remembered. */
static void check_absent(struct fk *fk, const char *name)
{
	struct fuse_entry_out e = { 0 };
	int err = fk_lookup(fk, ROOT, name, &e);

	if (err == -ENOENT)
		return;
	assert_int_equal(err, 0);
	assert_true(e.nodeid == 0 && e.entry_valid == 0 && e.entry_valid_nsec == 0);
}

static void check_names(struct fk *fk, const char *first, const char *second)
{
	struct fk_dirent *list;
	ssize_t n = fk_list(fk, ROOT, false, &list);
	bool seen[2] = { !first, !second };

	assert_int_equal(n, 2 + !!first + !!second);
	for (ssize_t i = 0; i < n; i++) {
		seen[0] |= first && !strcmp(list[i].name, first);
		seen[1] |= second && !strcmp(list[i].name, second);
	}
	free(list);
	assert_true(seen[0] && seen[1]);
}

static void check_no_notice(struct fk *fk)
{
	struct fk_notice list[4];

	assert_int_equal(fk_notices(fk, list, 1, 4), 0);
}

/* ---- timeouts ------------------------------------------------------- */

static void test_lookup(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");
	struct fuse_entry_out e = found(fk, "foo");

	assert_true(e.nodeid == foo && e.entry_valid > LONG && e.attr_valid > LONG);
	e = found(fk, "FOO");
	assert_true(e.nodeid == foo && e.entry_valid == 0 && e.attr_valid > LONG);
	e = found(fk, "foo..");
	assert_true(e.nodeid == foo && e.entry_valid == 0);
	check_absent(fk, "bar");
}

static void test_made(void **state)
{
	struct fk *fk = *state;
	struct fuse_entry_out e;

	assert_true(made(fk, ROOT, "one", S_IFREG | 0600).entry_valid > LONG);
	assert_true(made(fk, ROOT, "two.", S_IFREG | 0600).entry_valid == 0);
	assert_true(made(fk, ROOT, "three", S_IFDIR | 0700).entry_valid > LONG);
	assert_true(made(fk, ROOT, "four..", S_IFDIR | 0700).entry_valid == 0);
	assert_int_equal(fk_symlink(fk, ROOT, "five.", "x", &e), 0);
	assert_true(e.entry_valid == 0);
	assert_int_equal(fk_create(fk, ROOT, "six", 0600, O_RDWR | O_CREAT, &e, NULL), 0);
	assert_true(e.entry_valid > LONG);
	assert_int_equal(fk_create(fk, ROOT, "seven.", 0600, O_RDWR | O_CREAT, &e, NULL), 0);
	assert_true(e.entry_valid == 0);
}

static void test_created_over(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");
	struct fuse_entry_out e;

	assert_int_equal(fk_create(fk, ROOT, "FOO", 0600, O_RDWR | O_CREAT, &e, NULL), 0);
	assert_true(e.nodeid == foo && e.entry_valid == 0);
	assert_int_equal(fk_create(fk, ROOT, "FOO", 0600, O_RDWR | O_CREAT | O_EXCL, &e, NULL), -EEXIST);
	check_names(fk, "foo", NULL);
}

static void test_listed(void **state)
{
	struct fk *fk = *state;
	struct fuse_read_in in = { .size = 4096 };
	struct fk_args args = { .opcode = FUSE_READDIRPLUS, .nodeid = ROOT, .args = &in, .args_len = sizeof(in) };
	uint64_t foo = made(fk, ROOT, "foo.", S_IFREG | 0600).nodeid, handle;
	struct fuse_direntplus d;
	struct fuse_open_out o;
	uint8_t bytes[4096];
	ssize_t n;
	bool seen = false;

	assert_int_equal(fk_opendir(fk, ROOT, &o), 0);
	in.fh = handle = o.fh;
	n = fk_call(fk, &args, bytes, sizeof(bytes));
	assert_true(n > 0);
	for (size_t at = 0; at < (size_t)n; at += FUSE_DIRENTPLUS_SIZE(&d)) {
		memcpy(&d, bytes + at, FUSE_NAME_OFFSET_DIRENTPLUS);
		if (d.entry_out.nodeid != foo)
			continue;
		seen = true;
		assert_true(d.entry_out.entry_valid > LONG);
	}
	assert_true(seen);
	fk_release(fk, ROOT, handle, true);
}

/* ---- removal by another spelling ------------------------------------ */

/* What is told of @nodeid, before the reply that follows @replies others: its attributes and its names. */
static void check_told(struct fk *fk, uint64_t nodeid, uint64_t replies)
{
	struct fk_notice n[4];

	assert_int_equal(fk_notices(fk, n, 2, 4), 2);
	assert_int_equal(n[0].code, FUSE_NOTIFY_INVAL_INODE);
	assert_int_equal(n[1].code, FUSE_NOTIFY_PRUNE);
	for (int i = 0; i < 2; i++)
		assert_true(n[i].nodeid == nodeid && n[i].after == replies);
}

static void test_unlink_exact(void **state)
{
	struct fk *fk = *state;

	file(fk, "foo");
	found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "foo"), 0);
	check_no_notice(fk);
	check_absent(fk, "FOO");
}

static void test_unlink_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), replies = fk_replies(fk);
	struct fuse_attr attr;

	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	check_told(fk, foo, replies);
	/* who has passed by the entry is sent to look again */
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	assert_int_equal(fk_statx(fk, foo, &(struct fuse_statx){ 0 }), -ESTALE);
	assert_int_equal(fk_open(fk, foo, O_RDONLY, NULL), -ESTALE);
	check_absent(fk, "foo");
	/* and stays so, for as long as the kernel knows it */
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
}

static void test_unlink_unremembered(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = made(fk, ROOT, "foo.", S_IFREG | 0600).nodeid;

	/* the kernel was never given "foo" to keep */
	found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	check_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_unlink_forgotten(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");

	/* what it has forgotten it cannot have wrong */
	fk_forget(fk, foo, 1);
	found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	check_no_notice(fk);
}

static void test_unlink_fails(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");

	testfs_fail("unlink", -EIO);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), -EIO);
	testfs_fail(NULL, 0);
	check_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_rmdir_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;

	/* the kernel has but one name of a directory */
	assert_int_equal(fk_rmdir(fk, ROOT, "DIR"), 0);
	check_no_notice(fk);
	assert_int_equal(fk_getattr(fk, dir, &(struct fuse_attr){ 0 }), 0);
}

static void test_number_reused(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), again;

	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	fk_forget(fk, foo, fk_lookups(fk, foo));
	assert_true(fk_lookups_agree(fk));
	again = file(fk, "bar");
	assert_true(again == foo);
	assert_int_equal(fk_getattr(fk, again, &(struct fuse_attr){ 0 }), 0);
}

/* A thread in read(), as fstat() or read() of an open file would have it. */
struct reader {
	int pipe[2];
	_Atomic pid_t tid;
};

static void *read_main(void *arg)
{
	struct reader *r = arg;
	char c;

	r->tid = (pid_t)syscall(SYS_gettid);
	if (read(r->pipe[0], &c, 1) < 0)
		r->tid = -1;
	return NULL;
}

static void test_by_descriptor(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");
	struct reader reader = { .tid = 0 };
	pthread_t thread;

	assert_int_equal(pipe(reader.pipe), 0);
	assert_int_equal(pthread_create(&thread, NULL, read_main, &reader), 0);
	while (!reader.tid)
		usleep(1000);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	fk_as_thread(fk, (uint32_t)reader.tid);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
	fk_as_thread(fk, NOBODY);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	assert_int_equal(write(reader.pipe[1], "x", 1), 1);
	pthread_join(thread, NULL);
	close(reader.pipe[0]);
	close(reader.pipe[1]);
}

/* ---- renames -------------------------------------------------------- */

static void test_rename_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");
	uint64_t replies = fk_replies(fk);
	struct fuse_entry_out e;
	struct fuse_attr attr;

	assert_int_equal(fk_rename(fk, ROOT, "FOO", ROOT, "bar"), 0);
	check_told(fk, foo, replies);
	/* by which name this is asked is not known: not without a lookup */
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	e = found(fk, "bar");
	assert_true(e.nodeid == foo && e.entry_valid > LONG && e.attr_valid == 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	/* a lookup for another purpose does not count */
	found(fk, "bar");
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "baz"), 0);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &attr), 0);
	assert_true(found(fk, "baz").attr_valid > LONG);
}

static void test_rename_over_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), bar = file(fk, "bar"), replies = fk_replies(fk);

	assert_int_equal(fk_rename2(fk, ROOT, "bar", ROOT, "FOO", FUSEBLK_RENAME_NOREPLACE), -EEXIST);
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "FOO"), 0);
	check_told(fk, foo, replies + 1);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	assert_int_equal(fk_getattr(fk, bar, &(struct fuse_attr){ 0 }), 0);
	check_names(fk, "FOO", NULL);
	assert_true(found(fk, "FOO").nodeid == bar);
}

static void test_rename_open(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), bar = file(fk, "bar");
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
	uint64_t foo = file(fk, "foo"), replies;

	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "bar."), 0);
	check_names(fk, "bar", NULL);
	check_no_notice(fk);
	/* the kernel may have it as "bar.": any name of it that goes is told */
	replies = fk_replies(fk);
	assert_int_equal(fk_unlink(fk, ROOT, "bar"), 0);
	check_told(fk, foo, replies);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
}

static void test_exchange(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), bar = file(fk, "bar");
	struct fk_notice n[12];
	unsigned seen = 0;
	size_t count;

	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "BAR", FUSEBLK_RENAME_EXCHANGE), 0);
	assert_true(found(fk, "foo").nodeid == bar);
	assert_true(found(fk, "bar").nodeid == foo);
	count = fk_notices(fk, n, 4, 12);
	for (size_t i = 0; i < count; i++)
		if (n[i].code == (int)FUSE_NOTIFY_PRUNE)
			seen |= n[i].nodeid == foo ? 1 : n[i].nodeid == bar ? 2 : 4;
	assert_int_equal(seen, 3);
}

/* ---- kernels that have to be given the name -------------------------- */

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
	*state = start(40, NULL);
	return 0;
}

static void test_older_removal(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), bar, replies;

	testfs_fail("spelling", -EIO);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), -EIO);
	testfs_fail(NULL, 0);
	check_no_notice(fk);
	replies = fk_replies(fk);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	expect_entry(fk, "foo", true, replies);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), -ESTALE);
	bar = file(fk, "bar");
	file(fk, "baz");
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

	file(fk, "foo");
	made(fk, ROOT, "dir", S_IFDIR | 0700);
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
	check_names(fk, "baz", "rid");
}

static void test_older_exchange(void **state)
{
	static const char *const names[] = { "foo", "bar", "FOO", "BAR" };
	struct fk *fk = *state;
	struct fk_notice n[12];
	unsigned seen = 0;
	size_t count;

	file(fk, "foo");
	file(fk, "bar");
	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "BAR", FUSEBLK_RENAME_EXCHANGE), 0);
	count = fk_notices(fk, n, 8, 12);
	for (size_t i = 0; i < count; i++)
		for (unsigned k = 0; k < 4 && n[i].code == FUSE_NOTIFY_INVAL_ENTRY; k++)
			seen |= !strcmp(n[i].name, names[k]) ? 1u << k : 0;
	assert_int_equal(seen, 15);
}

static void test_exact_renames(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo");

	file(fk, "bar");
	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "bar"), 0);
	assert_int_equal(fk_rename(fk, ROOT, "bar", ROOT, "baz"), 0);
	check_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_change_of_spelling(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), dir;

	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "FOO"), 0);
	check_names(fk, "FOO", NULL);
	assert_true(found(fk, "FOO").nodeid == foo);
	assert_int_equal(fk_rename2(fk, ROOT, "FOO", ROOT, "Foo", FUSEBLK_RENAME_NOREPLACE), 0);
	check_names(fk, "Foo", NULL);
	/* to what it is already */
	assert_int_equal(fk_rename(fk, ROOT, "foo", ROOT, "Foo"), 0);
	check_names(fk, "Foo", NULL);
	assert_int_equal(fk_rename2(fk, ROOT, "Foo", ROOT, "FOO", FUSEBLK_RENAME_EXCHANGE), 0);
	check_names(fk, "Foo", NULL);
	assert_int_equal(fk_unlink(fk, ROOT, "Foo"), 0);
	dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
	made(fk, dir, "inner", S_IFREG | 0600);
	assert_int_equal(fk_rename(fk, ROOT, "dir", ROOT, "DIR"), 0);
	check_names(fk, "DIR", NULL);
	assert_true(found(fk, "dir").nodeid == dir);
}

static void test_two_links(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = file(fk, "foo"), dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;

	/* two names of one file are not one name in two spellings */
	assert_int_equal(fk_link(fk, foo, dir, "foo", NULL), 0);
	assert_int_equal(fk_rename(fk, ROOT, "foo", dir, "FOO"), 0);
	assert_true(found(fk, "foo").nodeid == foo);
	assert_true(fk_find(fk, dir, "foo") == foo);
}

/* ---- the lookup of a rename's new name ------------------------------ */

/* A child that stops at the entry of a renameat2 with these paths. Returns 0 where it cannot be had. */
static pid_t stop_in_rename(const char *from, const char *to, unsigned flags)
{
	char path[64], text[256];
	pid_t pid;
	int status;

	pid = fork();
	if (pid == 0) {
		char own[2][64];	/* in memory it has touched, as after the kernel has read the paths */

		snprintf(own[0], sizeof(own[0]), "%s", from);
		snprintf(own[1], sizeof(own[1]), "%s", to);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		syscall(SYS_renameat2, AT_FDCWD, own[0], AT_FDCWD, own[1], flags);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || !WIFSTOPPED(status))
		return 0;
	snprintf(path, sizeof(path), "/proc/%d/syscall", pid);
	for (int i = 0; i < 100; i++) {
		FILE *f;

		if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL) || waitpid(pid, &status, 0) != pid ||
		    !WIFSTOPPED(status))
			return 0;
		f = fopen(path, "r");
		if (f && fgets(text, sizeof(text), f) && atol(text) == SYS_renameat2) {
			fclose(f);
			return pid;
		}
		if (f)
			fclose(f);
	}
	return 0;
}

static void end_child(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static size_t renames(const char *from, const char *to, unsigned flags, const char *name, bool is_dir)
{
	const struct fb_name n = { name, strlen(name) };
	int proc = open("/proc", O_PATH | O_DIRECTORY);
	pid_t pid = stop_in_rename(from, to, flags);
	char old[256];
	size_t len;

	if (!pid || proc < 0)
		skip();
	len = fb_caller_renames(proc, (uint32_t)pid, &n, is_dir, old, sizeof(old));
	if (len)
		assert_true(len == 3 && !memcmp(old, "foo", 3));
	end_child(pid);
	close(proc);
	return len;
}

static void test_caller(void **state)
{
	const struct fb_name n = { "FOO", 3 };
	char old[256];

	(void)state;
	assert_int_equal(renames("foo", "FOO", 0, "FOO", false), 3);
	assert_int_equal(renames("/mnt/x//foo/", "FOO//", 1, "FOO", true), 3);
	assert_int_equal(renames("x/foo", "x/FOO", 2, "FOO", false), 0);	/* EXCHANGE */
	assert_int_equal(renames("foo", "FOO", 0, "foo", false), 0);	/* the old name */
	assert_int_equal(renames("foo", "FOO", 0, "Foo", false), 0);	/* another */
	assert_int_equal(renames("x/FOO", "y/FOO", 0, "FOO", false), 0);	/* either */
	assert_int_equal(renames("FOO/foo", "FOO/FOO", 0, "FOO", true), 0);	/* perhaps on the way */
	assert_int_equal(renames("FOO/foo", "FOO/FOO", 0, "FOO", false), 3);	/* not with a file */
	assert_int_equal(fb_caller_renames(-1, 1, &n, false, old, sizeof(old)), 0);
}

static void test_lookup_in_rename(void **state)
{
	struct fk *fk = *state;
	pid_t pid = stop_in_rename("foo", "FOO", 0);

	if (!pid)
		skip();
	file(fk, "foo");
	fk_as_thread(fk, (uint32_t)pid);
	check_absent(fk, "FOO");
	found(fk, "foo");
	found(fk, "Foo");
	fk_as_thread(fk, NOBODY);
	found(fk, "FOO");
	end_child(pid);
}

static void test_lookup_in_other_rename(void **state)
{
	struct fk *fk = *state;
	pid_t pid = stop_in_rename("bar", "FOO", 0);

	if (!pid)
		skip();
	file(fk, "foo");
	file(fk, "bar");
	fk_as_thread(fk, (uint32_t)pid);
	/* another file is replaced: the kernel may know, and check */
	found(fk, "FOO");
	fk_as_thread(fk, NOBODY);
	end_child(pid);
}

/* ---- cursors and handles -------------------------------------------- */

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
	uint64_t dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
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
	uint64_t dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid, fh[100], v;

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
	uint64_t dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid, v;
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
	uint64_t dir = made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;
	struct fuse_entry_out e;

	assert_false(fk_init_reply(fk)->flags & FUSE_EXPORT_SUPPORT);
	assert_int_equal(fk_lookup(fk, dir, ".", &e), -ESTALE);
	assert_int_equal(fk_lookup(fk, ROOT, ".", &e), -ESTALE);
}

static void end_while_voiding(uint32_t minor)
{
	struct fk *fk = start(minor, "threads=2");
	char name[16];

	/* the end comes while much is still to be told, and with no one to tell it to */
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		file(fk, name);
	}
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "N%d", i);
		assert_int_equal(fk_unlink(fk, ROOT, name), 0);
	}
	fk_abort(fk);
}

static void test_end_while_voiding(void **state)
{
	(void)state;
	end_while_voiding(40);
	end_while_voiding(45);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
#define OLDER(f) cmocka_unit_test_setup_teardown(f, setup_older, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lookup),
		TEST(test_made),
		TEST(test_created_over),
		TEST(test_listed),
		TEST(test_unlink_exact),
		TEST(test_unlink_respelled),
		TEST(test_unlink_unremembered),
		TEST(test_unlink_forgotten),
		TEST(test_unlink_fails),
		TEST(test_rmdir_respelled),
		TEST(test_number_reused),
		TEST(test_by_descriptor),
		TEST(test_rename_respelled),
		TEST(test_rename_over_respelled),
		TEST(test_rename_open),
		TEST(test_rename_stored_otherwise),
		TEST(test_exchange),
		OLDER(test_older_removal),
		OLDER(test_older_rename),
		OLDER(test_older_exchange),
		TEST(test_exact_renames),
		TEST(test_change_of_spelling),
		TEST(test_two_links),
		cmocka_unit_test(test_caller),
		TEST(test_lookup_in_rename),
		TEST(test_lookup_in_other_rename),
		TEST(test_cursors),
		TEST(test_many_handles),
		TEST(test_hostile_handles),
		TEST(test_no_nfs_handles),
		cmocka_unit_test(test_end_while_voiding),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
