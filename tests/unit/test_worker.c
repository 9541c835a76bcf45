/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_worker.c: the threads of a session: that somebody reads while others
 * serve or wait, that interrupts reach the request they name, that forgotten
 * inodes make room before ENOSPC, and that sessions end however they are
 * left.  Meant to be run under ThreadSanitizer too.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "fakekernel.h"
#include "node_table.h"
#include "testfs.h"

static struct fk *start(const char *options)
{
	struct fb_device *dev;

	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &dev), 0);
	return fk_start_ready(&testfs_driver, dev, options);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint64_t call_getattr(struct fk *fk, uint64_t node)
{
	struct fuse_getattr_in in = { 0 };
	struct fk_args args = { .opcode = FUSE_GETATTR, .nodeid = node, .args = &in,
				.args_len = sizeof(in) };

	return fk_call_async(fk, &args);
}

static int finish(struct fk *fk, uint64_t unique)
{
	struct fk_reply r = fk_await(fk, unique);

	free(r.body);
	return r.error;
}

/* A request that hangs without having said that it would does not stop the others. */
static void test_watchdog(void **state)
{
	struct fk *fk = start(NULL);
	struct fuse_kstatfs st;
	uint64_t held;
	double t0;

	(void)state;
	testfs_hold("getattr");
	held = call_getattr(fk, FUSE_ROOT_ID);
	assert_true(testfs_wait_held(1));
	t0 = now();
	assert_int_equal(fk_statfs(fk, &st), 0);
	assert_true(now() - t0 < 1.0);
	assert_false(fk_has_reply(fk, held));
	testfs_release();
	assert_int_equal(finish(fk, held), 0);
	assert_int_equal(fk_stop(fk), 0);
}

/* After a long silence too, when the watchdog sleeps. */
static void test_watchdog_wakes(void **state)
{
	struct fk *fk = start(NULL);
	struct fuse_kstatfs st;
	uint64_t held;

	(void)state;
	usleep(300000);
	testfs_hold("getattr");
	held = call_getattr(fk, FUSE_ROOT_ID);
	assert_true(testfs_wait_held(1));
	assert_int_equal(fk_statfs(fk, &st), 0);
	testfs_release();
	assert_int_equal(finish(fk, held), 0);
	assert_int_equal(fk_stop(fk), 0);
}

/* More hanging requests than workers: served when the first are done, none lost. */
static void test_more_than_workers(void **state)
{
	struct fk *fk = start("threads=3");
	uint64_t held[8];

	(void)state;
	testfs_hold("getattr");
	for (int i = 0; i < 8; i++)
		held[i] = call_getattr(fk, FUSE_ROOT_ID);
	assert_true(testfs_wait_held(3));
	usleep(20000);
	assert_int_equal(testfs_held(), 3);
	testfs_release();
	for (int i = 0; i < 8; i++)
		assert_int_equal(finish(fk, held[i]), 0);
	assert_int_equal(fk_stop(fk), 0);
}

static void test_interrupt_names_one(void **state)
{
	struct fk *fk = start(NULL);
	uint64_t a, b;

	(void)state;
	testfs_hold("getattr");
	a = call_getattr(fk, FUSE_ROOT_ID);
	b = call_getattr(fk, FUSE_ROOT_ID);
	assert_true(testfs_wait_held(2));
	fk_interrupt(fk, a);
	assert_int_equal(finish(fk, a), -EINTR);
	assert_false(fk_has_reply(fk, b));
	testfs_release();
	assert_int_equal(finish(fk, b), 0);
	assert_int_equal(fk_stop(fk), 0);
}

/* The flag of an interrupted request does not stick to its worker. */
static void test_interrupt_does_not_last(void **state)
{
	struct fk *fk = start("threads=2");
	uint64_t a;

	(void)state;
	for (int i = 0; i < 20; i++) {
		testfs_hold("getattr");
		a = call_getattr(fk, FUSE_ROOT_ID);
		assert_true(testfs_wait_held(1));
		fk_interrupt(fk, a);
		assert_int_equal(finish(fk, a), -EINTR);
		testfs_release();
		assert_int_equal(finish(fk, call_getattr(fk, FUSE_ROOT_ID)), 0);
		assert_int_equal(fk_syncfs(fk), 0);
	}
	assert_int_equal(fk_stop(fk), 0);
}

/* ENOSPC is answered only after what waits to be freed has been. */
static void test_no_space_retries(void **state)
{
	struct fk *fk = start(NULL);
	struct fuse_entry_out e;
	unsigned calls;

	(void)state;
	testfs_fail("create", -ENOSPC);
	calls = testfs_calls("create");
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "x", S_IFREG | 0644, 0, &e), -ENOSPC);
	assert_int_equal(testfs_calls("create") - calls, 2);
	testfs_fail("create", -FUSEBLK_EAGAIN_COMMIT);
	calls = testfs_calls("create");
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "x", S_IFREG | 0644, 0, &e), -ENOSPC);
	assert_in_range(testfs_calls("create") - calls, 3, 5);
	testfs_fail(NULL, 0);
	assert_int_equal(fk_mknod(fk, FUSE_ROOT_ID, "x", S_IFREG | 0644, 0, &e), 0);
	assert_int_equal(fk_stop(fk), 0);
}

/* The session is left in the middle of requests: they end, and so does it. */
static void test_abort_while_serving(void **state)
{
	struct fk *fk = start(NULL);

	(void)state;
	testfs_hold("getattr");
	call_getattr(fk, FUSE_ROOT_ID);
	call_getattr(fk, FUSE_ROOT_ID);
	assert_true(testfs_wait_held(2));
	fk_abort(fk);
}

static void test_start_and_stop(void **state)
{
	(void)state;
	for (int i = 0; i < 30; i++) {
		struct fk *fk = start(NULL);

		if (i % 3 == 0)
			fk_abort(fk);
		else
			assert_int_equal(fk_stop(fk), 0);
	}
}

/* ---- many threads --------------------------------------------------- */

struct peer {
	struct fk *fk;
	pthread_t thread;
	unsigned index;
};

/* Eight names, which every peer makes, moves, links, looks up, lists and removes. */
static void *hammer(void *arg)
{
	struct peer *p = arg;
	unsigned seed = p->index;

	for (int i = 0; i < 150; i++) {
		char a[16], b[16];
		struct fuse_entry_out e;
		struct fk_dirent *list;
		uint64_t node;

		snprintf(a, sizeof(a), "n%d", rand_r(&seed) % 8);
		snprintf(b, sizeof(b), "n%d", rand_r(&seed) % 8);
		switch (rand_r(&seed) % 8) {
		case 0:
			fk_mknod(p->fk, FUSE_ROOT_ID, a, S_IFREG | 0644, 0, &e);
			break;
		case 1:
			fk_unlink(p->fk, FUSE_ROOT_ID, a);
			break;
		case 2:
			fk_rename(p->fk, FUSE_ROOT_ID, a, FUSE_ROOT_ID, b);
			break;
		case 3:
			fk_rename2(p->fk, FUSE_ROOT_ID, a, FUSE_ROOT_ID, b, FUSEBLK_RENAME_EXCHANGE);
			break;
		case 4:
			node = fk_find(p->fk, FUSE_ROOT_ID, a);
			if (node)
				fk_link(p->fk, node, FUSE_ROOT_ID, b, &e);
			break;
		case 5:
			node = fk_find(p->fk, FUSE_ROOT_ID, a);
			if (node)
				fk_write(p->fk, node, (uint64_t)rand_r(&seed) % 5000, "bytes", 5, 0);
			break;
		case 6:
			if (fk_list(p->fk, FUSE_ROOT_ID, rand_r(&seed) & 1, &list) >= 0)
				free(list);
			break;
		default:
			fk_syncfs(p->fk);
		}
	}
	return NULL;
}

static void test_hammer(void **state)
{
	struct fk *fk = start("threads=6");
	struct peer peers[6];

	(void)state;
	for (unsigned i = 0; i < 6; i++) {
		peers[i] = (struct peer){ .fk = fk, .index = i + 1 };
		pthread_create(&peers[i].thread, NULL, hammer, &peers[i]);
	}
	for (unsigned i = 0; i < 6; i++)
		pthread_join(peers[i].thread, NULL);
	assert_true(fk_lookups_agree(fk));
	for (unsigned i = 0; i < 8; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%u", i);
		fk_unlink(fk, FUSE_ROOT_ID, name);
	}
	fk_forget_all(fk);
	assert_true(fk_lookups_agree(fk));
	assert_int_equal(fk_syncfs(fk), 0);
	assert_int_equal(testfs_inodes(fk_volume(fk)), 1);
	assert_int_equal(fk_stop(fk), 0);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watchdog), cmocka_unit_test(test_watchdog_wakes),
		cmocka_unit_test(test_more_than_workers),
		cmocka_unit_test(test_interrupt_names_one),
		cmocka_unit_test(test_interrupt_does_not_last),
		cmocka_unit_test(test_no_space_retries), cmocka_unit_test(test_abort_while_serving),
		cmocka_unit_test(test_start_and_stop), cmocka_unit_test(test_hammer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
