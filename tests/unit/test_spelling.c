// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_spelling.c: volumes on which a name may be given in more than one
 * spelling: what the kernel is told to remember, and what it is told to forget
 * when a name goes.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "spelling_rig.h"

static void test_lookup(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo");
	struct fuse_entry_out e = rig_found(fk, "foo");

	assert_true(e.nodeid == foo && e.entry_valid > LONG && e.attr_valid > LONG);
	e = rig_found(fk, "FOO");
	assert_true(e.nodeid == foo && e.entry_valid == 0 && e.attr_valid > LONG);
	e = rig_found(fk, "foo..");
	assert_true(e.nodeid == foo && e.entry_valid == 0);
	rig_absent(fk, "bar");
}

static void test_made(void **state)
{
	struct fk *fk = *state;
	struct fuse_entry_out e;

	assert_true(rig_made(fk, ROOT, "one", S_IFREG | 0600).entry_valid > LONG);
	assert_true(rig_made(fk, ROOT, "two.", S_IFREG | 0600).entry_valid == 0);
	assert_true(rig_made(fk, ROOT, "three", S_IFDIR | 0700).entry_valid > LONG);
	assert_true(rig_made(fk, ROOT, "four..", S_IFDIR | 0700).entry_valid == 0);
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
	uint64_t foo = rig_file(fk, "foo");
	struct fuse_entry_out e;

	assert_int_equal(fk_create(fk, ROOT, "FOO", 0600, O_RDWR | O_CREAT, &e, NULL), 0);
	assert_true(e.nodeid == foo && e.entry_valid == 0);
	assert_int_equal(fk_create(fk, ROOT, "FOO", 0600, O_RDWR | O_CREAT | O_EXCL, &e, NULL), -EEXIST);
	rig_names(fk, "foo", NULL);
}

static void test_listed(void **state)
{
	struct fk *fk = *state;
	struct fuse_read_in in = { .size = 4096 };
	struct fk_args args = { .opcode = FUSE_READDIRPLUS, .nodeid = ROOT, .args = &in, .args_len = sizeof(in) };
	uint64_t foo = rig_made(fk, ROOT, "foo.", S_IFREG | 0600).nodeid, handle;
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

static void test_unlink_exact(void **state)
{
	struct fk *fk = *state;

	rig_file(fk, "foo");
	rig_found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "foo"), 0);
	rig_no_notice(fk);
	rig_absent(fk, "FOO");
}

static void test_unlink_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), replies = fk_replies(fk);
	struct fuse_attr attr;

	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	rig_told(fk, foo, replies);
	/* who has passed by the entry is sent to look again */
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
	assert_int_equal(fk_statx(fk, foo, &(struct fuse_statx){ 0 }), -ESTALE);
	assert_int_equal(fk_open(fk, foo, O_RDONLY, NULL), -ESTALE);
	rig_absent(fk, "foo");
	/* and stays so, for as long as the kernel knows it */
	usleep(LINGER_US);
	assert_int_equal(fk_getattr(fk, foo, &attr), -ESTALE);
}

static void test_unlink_unremembered(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_made(fk, ROOT, "foo.", S_IFREG | 0600).nodeid;

	/* the kernel was never given "foo" to keep */
	rig_found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	rig_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_unlink_forgotten(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo");

	/* what it has forgotten it cannot have wrong */
	fk_forget(fk, foo, 1);
	rig_found(fk, "FOO");
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	rig_no_notice(fk);
}

static void test_unlink_fails(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo");

	testfs_fail("unlink", -EIO);
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), -EIO);
	testfs_fail(NULL, 0);
	rig_no_notice(fk);
	assert_int_equal(fk_getattr(fk, foo, &(struct fuse_attr){ 0 }), 0);
}

static void test_rmdir_respelled(void **state)
{
	struct fk *fk = *state;
	uint64_t dir = rig_made(fk, ROOT, "dir", S_IFDIR | 0700).nodeid;

	/* the kernel has but one name of a directory */
	assert_int_equal(fk_rmdir(fk, ROOT, "DIR"), 0);
	rig_no_notice(fk);
	assert_int_equal(fk_getattr(fk, dir, &(struct fuse_attr){ 0 }), 0);
}

static void test_number_reused(void **state)
{
	struct fk *fk = *state;
	uint64_t foo = rig_file(fk, "foo"), again;

	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	fk_forget(fk, foo, fk_lookups(fk, foo));
	assert_true(fk_lookups_agree(fk));
	again = rig_file(fk, "bar");
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
	uint64_t foo = rig_file(fk, "foo");
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

static void end_while_voiding(uint32_t minor)
{
	struct fk *fk = rig_start(minor, "threads=2");
	char name[16];

	/* the end comes while much is still to be told, and with no one to tell it to */
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "n%d", i);
		rig_file(fk, name);
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

static void close_slowly(struct fuseblk_volume *vol)
{
	usleep(LINGER_US + 700000);
	testfs_fold_driver.ops->close(vol);
}

/* The thread that sees to old marks looks at no node of a volume that DESTROY closes. */
static void test_destroyed_while_marked(void **state)
{
	struct fuseblk_operations ops = *testfs_fold_driver.ops;
	struct fuseblk_driver slow = testfs_fold_driver;
	struct fb_device *memory;
	char error[256] = "";
	struct fk *fk = NULL;

	(void)state;
	ops.close = close_slowly;
	slow.ops = &ops;
	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	assert_int_equal(fk_start(&slow, memory, "threads=2", &fk, error, sizeof(error)), 0);
	assert_int_equal(fk_init(fk, 45, FK_OFFER_ALL), 0);
	fk_as_thread(fk, NOBODY);
	rig_file(fk, "foo");
	assert_int_equal(fk_unlink(fk, ROOT, "FOO"), 0);
	assert_int_equal(fk_stop(fk), 0);
}

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
		cmocka_unit_test(test_end_while_voiding),
		cmocka_unit_test(test_destroyed_while_marked),
	};

	signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
