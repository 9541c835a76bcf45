/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_session_faults.c: what callers are told when the device fails under a
 * whole session on the test driver: the one whose I/O failed gets the error,
 * and after a failed flush nothing is written and every fsync fails.
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
#include <unistd.h>
#include "../lib/fakekernel.h"
#include "../lib/testfs.h"

struct rig {
	struct fk *fk;
	struct fb_device *fault;
	uint64_t file;
};

static int setup(void **state)
{
	struct rig *rig = calloc(1, sizeof(*rig));
	struct fb_device *memory;
	struct fuse_entry_out e;

	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	assert_int_equal(fb_device_open_fault(memory, &rig->fault), 0);
	rig->fk = fk_start_ready(&testfs_driver, rig->fault, NULL);
	assert_int_equal(fk_mknod(rig->fk, FUSE_ROOT_ID, "file", S_IFREG | 0600, 0, &e), 0);
	rig->file = e.nodeid;
	assert_int_equal(fk_write(rig->fk, rig->file, 0, "before", 6, 0), 6);
	assert_int_equal(fk_fsync(rig->fk, rig->file, false), 0);
	*state = rig;
	return 0;
}

/* The next operation of @kind does what @action says. */
static void set(struct rig *rig, enum fb_fault_kind kind, enum fb_fault_action action, bool sticky)
{
	fb_device_fault_set(rig->fault, kind, 1, action, sticky);
}

static int finish(struct rig *rig)
{
	int err = fk_stop(rig->fk);

	free(rig);
	return err;
}

static void test_read(void **state)
{
	struct rig *rig = *state;
	char bytes[16];

	set(rig, FB_FAULT_READ, FB_FAULT_FAIL, false);
	assert_int_equal(fk_read(rig->fk, rig->file, 0, bytes, 16), -EIO);
	assert_int_equal(fk_read(rig->fk, rig->file, 0, bytes, 16), 6);
	assert_memory_equal(bytes, "before", 6);
	assert_int_equal(finish(rig), 0);
}

/* The writer learns of it; the file is as it was, and the volume goes on. */
static void test_write(void **state)
{
	struct rig *rig = *state;
	struct fuse_attr a;

	set(rig, FB_FAULT_WRITE, FB_FAULT_FAIL, false);
	assert_int_equal(fk_write(rig->fk, rig->file, 8192, "after", 5, 0), -EIO);
	assert_int_equal(fk_getattr(rig->fk, rig->file, &a), 0);
	assert_int_equal(a.size, 6);
	assert_int_equal(fk_write(rig->fk, rig->file, 8192, "after", 5, 0), 5);
	assert_int_equal(fk_fsync(rig->fk, rig->file, false), 0);
	assert_int_equal(finish(rig), 0);
}

/* A failed write into the cache's pages is the reply's error too: the kernel keeps it for every open file. */
static void test_cached_write(void **state)
{
	struct rig *rig = *state;

	set(rig, FB_FAULT_WRITE, FB_FAULT_FAIL, false);
	assert_int_equal(fk_write(rig->fk, rig->file, 0, "x", 1, FUSE_WRITE_CACHE), -EIO);
	assert_int_equal(fk_write(rig->fk, rig->file, 0, "x", 1, FUSE_WRITE_CACHE), 1);
	assert_int_equal(finish(rig), 0);
}

static void test_flush(void **state)
{
	struct rig *rig = *state;
	char bytes[16];

	assert_int_equal(fk_write(rig->fk, rig->file, 0, "x", 1, 0), 1);
	set(rig, FB_FAULT_FLUSH, FB_FAULT_FAIL, false);
	assert_int_equal(fk_fsync(rig->fk, rig->file, false), -EIO);
	/* the flush would now succeed; what it lost is lost */
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fk_fsync(rig->fk, rig->file, false), -EIO);
		assert_int_equal(fk_fsync(rig->fk, rig->file, true), -EIO);
		assert_int_equal(fk_fsyncdir(rig->fk, FUSE_ROOT_ID), -EIO);
		assert_int_equal(fk_syncfs(rig->fk), -EIO);
	}
	/* no more changes; what is there can be read */
	assert_true(fk_write(rig->fk, rig->file, 0, "y", 1, 0) < 0);
	assert_true(fk_mkdir(rig->fk, FUSE_ROOT_ID, "dir", 0700, NULL) < 0);
	assert_true(fk_unlink(rig->fk, FUSE_ROOT_ID, "file") < 0);
	assert_true(fk_chmod(rig->fk, rig->file, 0644) < 0);
	assert_int_equal(fk_read(rig->fk, rig->file, 0, bytes, 16), 6);
	assert_int_equal(finish(rig), -EIO);
}

static void test_device_gone(void **state)
{
	struct rig *rig = *state;
	char bytes[16];

	set(rig, FB_FAULT_ANY, FB_FAULT_FAIL, true);
	assert_int_equal(fk_read(rig->fk, rig->file, 0, bytes, 16), -EIO);
	assert_int_equal(fk_write(rig->fk, rig->file, 0, "x", 1, 0), -EIO);
	assert_int_equal(fk_fsync(rig->fk, rig->file, false), -EIO);
	assert_int_equal(fk_getattr(rig->fk, FUSE_ROOT_ID, NULL), 0);
	/* the session ends cleanly all the same, and says so */
	assert_true(finish(rig) < 0);
}

static void test_commit_hook_fails(void **state)
{
	struct rig *rig = *state;

	/* the driver cannot mark the volume clean: DESTROY is answered, the end tells */
	testfs_fail("stop", -EIO);
	assert_int_equal(fk_destroy(rig->fk), 0);
	assert_int_equal(finish(rig), -EIO);
	testfs_reset();
}

static void test_start_fails(void **state)
{
	struct fb_device *memory;
	char error[256];
	struct fk *fk;

	(void)state;
	testfs_reset();
	testfs_fail("start", -EROFS);
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	assert_int_equal(fk_start(&testfs_driver, memory, NULL, &fk, error, sizeof(error)), 0);
	assert_int_equal(fk_init(fk, 45, FK_OFFER_ALL), -EPIPE);
	assert_int_equal(fk_abort(fk), -EROFS);
	testfs_reset();
}

static void test_read_only(void **state)
{
	struct fb_device *memory;
	struct fuse_attr a;
	struct fk *fk;

	(void)state;
	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	fk = fk_start_ready(&testfs_driver, memory, "ro");
	assert_int_equal(testfs_calls("start"), 0);
	assert_int_equal(fk_getattr(fk, FUSE_ROOT_ID, &a), 0);
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "x", S_IFREG, 0, NULL), -EROFS);
	assert_int_equal(fk_mkdir(fk, FUSE_ROOT_ID, "x", 0700, NULL), -EROFS);
	assert_int_equal(fk_symlink(fk, FUSE_ROOT_ID, "x", "y", NULL), -EROFS);
	assert_int_equal(fk_create(fk, FUSE_ROOT_ID, "x", 0600, O_RDWR, NULL, NULL), -EROFS);
	assert_int_equal(fk_tmpfile(fk, FUSE_ROOT_ID, 0600, NULL, NULL), -EROFS);
	assert_int_equal(fk_chmod(fk, FUSE_ROOT_ID, 0700), -EROFS);
	assert_int_equal(fk_setxattr(fk, FUSE_ROOT_ID, "user.a", "v", 1, 0), -EROFS);
	assert_int_equal(fk_removexattr(fk, FUSE_ROOT_ID, "user.a"), -EROFS);
	assert_int_equal(fk_syncfs(fk), 0);
	assert_int_equal(fk_stop(fk), 0);
	assert_int_equal(testfs_calls("stop"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_read, setup),
		cmocka_unit_test_setup(test_write, setup),
		cmocka_unit_test_setup(test_cached_write, setup),
		cmocka_unit_test_setup(test_flush, setup),
		cmocka_unit_test_setup(test_device_gone, setup),
		cmocka_unit_test_setup(test_commit_hook_fails, setup),
		cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_read_only),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
