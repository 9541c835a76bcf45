/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_locking.c: the locks that the library holds around a driver's
 * operations, seen from outside: an operation is held in the test driver, and
 * others are sent that must pass it, or must not.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "../lib/fakekernel.h"
#include "../lib/testfs.h"

#define WAITING 24		/* requests; fewer than there are threads */
#define SETTLE_US 60000		/* what has not happened by then is waiting */

static _Atomic bool flush_held;
static const struct fb_device_ops *memory_ops;

static int slow_flush(struct fb_device *dev)
{
	while (flush_held)
		usleep(1000);
	return memory_ops->flush(dev);
}

struct rig {
	struct fk *fk;
	uint64_t a, b;			/* directories */
	uint64_t f, g;			/* files in a */
};

static uint64_t made(struct fk *fk, uint64_t dir, const char *name, uint32_t mode)
{
	struct fuse_entry_out e;

	if (S_ISDIR(mode))
		assert_int_equal(fk_mkdir(fk, dir, name, mode, &e), 0);
	else
		assert_int_equal(fk_mknod(fk, dir, name, mode, 0, &e), 0);
	return e.nodeid;
}

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	static struct fb_device_ops slow_ops;
	struct fb_device *memory;

	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	memory_ops = memory->ops;
	slow_ops = *memory_ops;
	slow_ops.flush = slow_flush;
	memory->ops = &slow_ops;
	rig->fk = fk_start_ready(&testfs_driver, memory, "threads=32");
	rig->a = made(rig->fk, FUSE_ROOT_ID, "a", S_IFDIR | 0700);
	rig->b = made(rig->fk, FUSE_ROOT_ID, "b", S_IFDIR | 0700);
	rig->f = made(rig->fk, rig->a, "f", S_IFREG | 0600);
	rig->g = made(rig->fk, rig->a, "g", S_IFREG | 0600);
	assert_int_equal(fk_write(rig->fk, rig->f, 0, "data", 4, 0), 4);
	assert_int_equal(fk_write(rig->fk, rig->g, 0, "data", 4, 0), 4);
	*state = rig;
	return 0;
}

static int teardown(void **state)
{
	struct rig *rig = *state;
	int err;

	testfs_reset();
	err = fk_stop(rig->fk);
	free(rig);
	return err;
}

/* ---- requests that are not waited for -------------------------------- */

static uint64_t send_named(struct rig *rig, uint32_t opcode, uint64_t dir, const char *name)
{
	struct fk_args args = { .opcode = opcode, .nodeid = dir, .name = name };

	return fk_call_async(rig->fk, &args);
}

static uint64_t send_mknod(struct rig *rig, uint64_t dir, const char *name)
{
	struct fuse_mknod_in in = { .mode = S_IFREG | 0600 };
	struct fk_args args = {
		.opcode = FUSE_MKNOD, .nodeid = dir, .args = &in, .args_len = sizeof(in), .name = name,
	};

	return fk_call_async(rig->fk, &args);
}

static uint64_t send_read(struct rig *rig, uint32_t opcode, uint64_t node)
{
	struct fuse_read_in in = { .size = 4096 };
	struct fk_args args = {
		.opcode = opcode, .nodeid = node, .args = &in, .args_len = sizeof(in),
	};

	return fk_call_async(rig->fk, &args);
}

static uint64_t send_write(struct rig *rig, uint64_t node)
{
	struct fuse_write_in in = { .size = 1 };
	struct fk_args args = {
		.opcode = FUSE_WRITE, .nodeid = node, .args = &in, .args_len = sizeof(in),
		.bytes = "x", .bytes_len = 1,
	};

	return fk_call_async(rig->fk, &args);
}

static uint64_t send_rename(struct rig *rig, uint64_t dir, const char *name, uint64_t newdir,
			    const char *newname)
{
	struct fuse_rename_in in = { .newdir = newdir };
	struct fk_args args = {
		.opcode = FUSE_RENAME, .nodeid = dir, .args = &in, .args_len = sizeof(in),
		.name = name, .name2 = newname,
	};

	return fk_call_async(rig->fk, &args);
}

static uint64_t send_fsync(struct rig *rig, uint64_t node)
{
	struct fuse_fsync_in in = { 0 };
	struct fk_args args = {
		.opcode = FUSE_FSYNC, .nodeid = node, .args = &in, .args_len = sizeof(in),
	};

	return fk_call_async(rig->fk, &args);
}

static int result(struct rig *rig, uint64_t unique)
{
	struct fk_reply reply = fk_await(rig->fk, unique);

	free(reply.body);
	return reply.error;
}

static void expect_waiting(struct rig *rig, uint64_t unique)
{
	usleep(SETTLE_US);
	assert_false(fk_has_reply(rig->fk, unique));
}

/* Hold @op, and send the request that will run into it. */
#define HOLD(op, request) ({						\
	uint64_t held_;							\
	testfs_hold(op);						\
	held_ = (request);						\
	assert_true(testfs_wait_held(1));				\
	held_; })

/* ---- directories ------------------------------------------------------ */

static void test_lookups_together(void **state)
{
	struct rig *rig = *state;
	uint64_t one = HOLD("lookup", send_named(rig, FUSE_LOOKUP, rig->a, "f"));
	uint64_t two = send_named(rig, FUSE_LOOKUP, rig->a, "g");
	uint64_t list = send_read(rig, FUSE_READDIR, rig->a);

	assert_true(testfs_wait_held(2));
	assert_int_equal(result(rig, list), 0);
	testfs_release();
	assert_int_equal(result(rig, one), 0);
	assert_int_equal(result(rig, two), 0);
}

static void test_change_waits_for_lookup(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("lookup", send_named(rig, FUSE_LOOKUP, rig->a, "f"));
	uint64_t here = send_mknod(rig, rig->a, "new");
	uint64_t elsewhere = send_mknod(rig, rig->b, "new");

	assert_int_equal(result(rig, elsewhere), 0);
	expect_waiting(rig, here);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	assert_int_equal(result(rig, here), 0);
}

static void test_lookup_waits_for_change(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("create", send_mknod(rig, rig->a, "new"));
	uint64_t here = send_named(rig, FUSE_LOOKUP, rig->a, "new");
	uint64_t elsewhere = send_named(rig, FUSE_LOOKUP, FUSE_ROOT_ID, "b");

	assert_int_equal(result(rig, elsewhere), 0);
	expect_waiting(rig, here);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	assert_int_equal(result(rig, here), 0);
}

static void test_changes_elsewhere_run(void **state)
{
	struct rig *rig = *state;
	uint64_t one = HOLD("create", send_mknod(rig, rig->a, "x"));
	uint64_t two = send_mknod(rig, rig->b, "x");

	assert_true(testfs_wait_held(2));
	testfs_release();
	assert_int_equal(result(rig, one), 0);
	assert_int_equal(result(rig, two), 0);
}

/* Renames against each other's direction must not wait for each other in a ring. */
static void test_renames_across(void **state)
{
	struct rig *rig = *state;

	made(rig->fk, rig->b, "h", S_IFREG | 0600);
	for (int i = 0; i < 300; i++) {
		uint64_t uniques[4];

		uniques[0] = send_rename(rig, rig->a, "f", rig->b, "f");
		uniques[1] = send_rename(rig, rig->b, "h", rig->a, "h");
		uniques[2] = send_rename(rig, rig->b, "f", rig->a, "f");
		uniques[3] = send_rename(rig, rig->a, "h", rig->b, "h");
		for (int k = 0; k < 4; k++) {
			int err = result(rig, uniques[k]);

			assert_true(err == 0 || err == -ENOENT);
		}
	}
}

/* ---- files ------------------------------------------------------------- */

static void test_write_waits_for_read(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("map_read", send_read(rig, FUSE_READ, rig->f));
	uint64_t here = send_write(rig, rig->f);
	uint64_t elsewhere = send_write(rig, rig->g);

	assert_int_equal(result(rig, elsewhere), 0);
	expect_waiting(rig, here);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	assert_int_equal(result(rig, here), 0);
}

static void test_read_waits_for_write(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("map_write", send_write(rig, rig->f));
	uint64_t here = send_read(rig, FUSE_READ, rig->f);
	uint64_t elsewhere = send_read(rig, FUSE_READ, rig->g);
	struct fk_reply reply;

	assert_int_equal(result(rig, elsewhere), 0);
	expect_waiting(rig, here);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	reply = fk_await(rig->fk, here);
	assert_int_equal(reply.len, 4);
	assert_memory_equal(reply.body, "xata", 4);
	free(reply.body);
}

static void test_writes_of_two_files(void **state)
{
	struct rig *rig = *state;
	uint64_t one = HOLD("map_write", send_write(rig, rig->f));
	uint64_t two = send_write(rig, rig->g);

	assert_true(testfs_wait_held(2));
	testfs_release();
	assert_int_equal(result(rig, one), 0);
	assert_int_equal(result(rig, two), 0);
}

/* A file that is removed while it is read stays until the reader has done. */
static void test_unlink_under_read(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("map_read", send_read(rig, FUSE_READ, rig->f));
	uint64_t gone = send_named(rig, FUSE_UNLINK, rig->a, "f");

	fk_forget(rig->fk, rig->f, 1);
	usleep(SETTLE_US);
	assert_int_equal(testfs_calls("free"), 0);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	assert_int_equal(result(rig, gone), 0);
	for (int i = 0; i < 300 && !testfs_calls("free"); i++)
		usleep(10000);
	assert_int_equal(testfs_calls("free"), 1);
}

/* ---- changes and commits ------------------------------------------------ */

static void test_commit_waits_for_change(void **state)
{
	struct rig *rig = *state;
	uint64_t held, fsync;

	assert_int_equal(fk_write(rig->fk, rig->f, 0, "y", 1, 0), 1);
	held = HOLD("create", send_mknod(rig, rig->b, "x"));
	fsync = send_fsync(rig, rig->f);
	expect_waiting(rig, fsync);
	/* reading goes on meanwhile */
	assert_int_equal(result(rig, send_read(rig, FUSE_READ, rig->g)), 0);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	assert_int_equal(result(rig, fsync), 0);
}

static long ms_since(const struct timespec *start)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (now.tv_sec - start->tv_sec) * 1000 + (now.tv_nsec - start->tv_nsec) / 1000000;
}

static void expect_interruptible(struct rig *rig, uint64_t unique)
{
	struct timespec start;

	expect_waiting(rig, unique);
	clock_gettime(CLOCK_MONOTONIC, &start);
	fk_interrupt(rig->fk, unique);
	assert_int_equal(result(rig, unique), -EINTR);
	assert_in_range(ms_since(&start), 0, 150);
}

/* A fatal signal ends a wait for a commit, and for the gate that a waiting commit closes. */
static void test_interrupted_waits(void **state)
{
	struct rig *rig = *state;
	uint64_t held, fsync, create;

	assert_int_equal(fk_write(rig->fk, rig->f, 0, "y", 1, 0), 1);
	held = HOLD("create", send_mknod(rig, rig->b, "x"));
	fsync = send_fsync(rig, rig->f);
	create = send_mknod(rig, rig->a, "behind the gate");
	expect_interruptible(rig, create);
	expect_interruptible(rig, fsync);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
}

/* ... and a commit that the request's own thread runs, on a device that has become slow; also one of data only. */
static void test_interrupted_in_device(void **state)
{
	struct rig *rig = *state;
	uint64_t fsync, lookup;

	assert_int_equal(fk_write(rig->fk, rig->f, 0, "y", 1, 0), 1);
	for (int round = 0; round < 2; round++) {
		flush_held = true;
		fsync = send_fsync(rig, rig->f);
		expect_interruptible(rig, fsync);
		lookup = send_named(rig, FUSE_LOOKUP, rig->a, "f");
		assert_int_equal(result(rig, lookup), 0);
		flush_held = false;
		assert_int_equal(result(rig, send_fsync(rig, rig->f)), 0);
	}
}

/* Many requests that wait do not keep the channel from being read. */
static void test_many_waiting(void **state)
{
	struct rig *rig = *state;
	uint64_t held = HOLD("create", send_mknod(rig, rig->a, "x")), waiting[WAITING];

	for (int i = 0; i < WAITING; i++)
		waiting[i] = send_named(rig, FUSE_LOOKUP, rig->a, "f");
	for (int i = 0; i < 20; i++)
		assert_int_equal(fk_getattr(rig->fk, rig->b, NULL), 0);
	testfs_release();
	assert_int_equal(result(rig, held), 0);
	for (int i = 0; i < WAITING; i++)
		assert_int_equal(result(rig, waiting[i]), 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_lookups_together),
		TEST(test_change_waits_for_lookup),
		TEST(test_lookup_waits_for_change),
		TEST(test_changes_elsewhere_run),
		TEST(test_renames_across),
		TEST(test_write_waits_for_read),
		TEST(test_read_waits_for_write),
		TEST(test_writes_of_two_files),
		TEST(test_unlink_under_read),
		TEST(test_commit_waits_for_change),
		TEST(test_interrupted_waits),
		TEST(test_interrupted_in_device),
		TEST(test_many_waiting),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
