/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_volume.c: opening, starting, remounting and ending a volume, what
 * damage and failed writes do to it, over a driver that only counts.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include "device.h"
#include "node_table.h"
#include "start.h"
#include "volume.h"

#define SIZE (1u << 20)

struct toy_options {
	int fail_open, ro, bad_root;
	char *text;
	int lazy;
};

static const struct fuseblk_option toy_options[] = {
	{ "fail_open", FUSEBLK_OPT_FLAG, offsetof(struct toy_options, fail_open), 1, NULL, 0, "" },
	{ "lazy", FUSEBLK_OPT_FLAG, offsetof(struct toy_options, lazy), 1, NULL, 0, "" },
	{ "format_ro", FUSEBLK_OPT_FLAG, offsetof(struct toy_options, ro), 1, NULL, 0, "" },
	{ "bad_root", FUSEBLK_OPT_FLAG, offsetof(struct toy_options, bad_root), 1, NULL, 0, "" },
	{ "text", FUSEBLK_OPT_STRING, offsetof(struct toy_options, text), 0, NULL, 0, "" },
	{ NULL, 0, 0, 0, NULL, 0, NULL },
};

static struct {
	unsigned open, close, start, stop, commit, durable, mark;
	int start_error;
	bool bad_root;
	bool stop_saw_commit;
} calls;

static void put(struct fuseblk_volume *vol, uint64_t block, uint8_t byte)
{
	struct fuseblk_buf *buf;

	assert_int_equal(fuseblk_buf_get(vol, block, &buf), 0);
	fuseblk_buf_write(buf, FUSEBLK_FRESH, 0, &byte, 1);
	fuseblk_buf_put(buf);
}

static int toy_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	struct toy_options *o = options;

	calls.open++;
	calls.bad_root = o->bad_root;
	if (o->fail_open) {
		fuseblk_refuse(vol, "feature \"%s\" is not supported", "toy");
		return -EOPNOTSUPP;
	}
	info->root_ino = 2;
	info->block_size = 1024;
	info->root_mode = S_IFDIR | 0755;
	info->max_file_size = UINT64_MAX;
	info->name_max = 255;
	info->read_only = o->ro;
	info->lazy_start = o->lazy;
	if (o->ro)
		strcpy(info->read_only_reason, "it has feature quota");
	return fuseblk_set_block_size(vol, 1024);
}

static void toy_close(struct fuseblk_volume *vol)
{
	(void)vol;
	calls.close++;
}

static int toy_start(struct fuseblk_volume *vol)
{
	calls.start++;
	put(vol, 1, 0x11);
	return calls.start_error;
}

static int toy_stop(struct fuseblk_volume *vol)
{
	calls.stop++;
	put(vol, 1, 0x22);
	return 0;
}

static int toy_commit(struct fuseblk_volume *vol)
{
	(void)vol;
	calls.commit++;
	return 0;
}

static void toy_durable(struct fuseblk_volume *vol, uint64_t epoch)
{
	(void)vol;
	(void)epoch;
	calls.durable++;
}

static void toy_mark(struct fuseblk_volume *vol)
{
	calls.mark++;
	put(vol, 2, 0xee);
}

static int toy_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol;
	(void)node;
	return calls.bad_root ? -EUCLEAN : 0;
}

static int toy_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       struct fuseblk_attr *out)
{
	(void)vol;
	*out = (struct fuseblk_attr){ .ino = fuseblk_ino(node), .mode = S_IFDIR, .nlink = 2 };
	return 0;
}

static const struct fuseblk_operations toy_operations = {
	.open = toy_open, .close = toy_close, .start = toy_start, .stop = toy_stop,
	.commit = toy_commit, .durable = toy_durable, .mark_error = toy_mark,
	.load = toy_load, .getattr = toy_getattr,
};

static const struct fuseblk_driver toy = {
	.name = "toy", .options = toy_options, .options_size = sizeof(struct toy_options),
	.ops = &toy_operations,
};

static char error[256];
static struct fb_device *fault;

/* A volume on memory behind fault injection. */
static int new(const char *options, struct fuseblk_volume **vol)
{
	struct fb_device *mem;

	memset(&calls, 0, sizeof(calls));
	assert_int_equal(fb_device_open_mem(NULL, SIZE, 512, &mem), 0);
	assert_int_equal(fb_device_open_fault(mem, &fault), 0);
	return fb_volume_new(&toy, fault, "disk.img", options, vol, error, sizeof(error));
}

static uint8_t on_device(uint64_t block)
{
	uint8_t byte;

	assert_int_equal(fb_device_read(fault, &byte, 1, block * 1024), 0);
	return byte;
}

static void test_life(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("text=\"a,b\"", &vol), 0);
	assert_int_equal(vol->info.max_file_size, INT64_MAX);
	assert_int_equal(fb_device_fault_count(fault, FB_FAULT_WRITE), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(on_device(1), 0x11);
	assert_false(fuseblk_is_read_only(vol));
	assert_int_equal(fb_volume_change_begin(vol), 0);
	put(vol, 5, 0x55);
	fb_volume_change_end(vol);
	assert_int_equal(fb_volume_stop(vol), 0);
	assert_int_equal(on_device(5), 0x55);
	assert_int_equal(on_device(1), 0x22);
	assert_int_equal(fb_volume_stop(vol), 0);
	assert_int_equal(fb_volume_change_begin(vol), -EROFS);
	assert_int_equal(fb_volume_close(vol), 0);
	assert_int_equal(fb_volume_close(vol), 0);
	fb_volume_free(vol);
	assert_int_equal(calls.open, 1);
	assert_int_equal(calls.start, 1);
	assert_int_equal(calls.stop, 1);
	assert_int_equal(calls.close, 1);
	assert_true(calls.commit >= 2 && calls.durable >= 2);
	fb_volume_free(NULL);
}

/* Not one write: asked for, for the format's sake, or never started. */
static void test_read_only_writes_nothing(void **state)
{
	static const char *const options[] = { "ro", "format_ro", "" };
	struct fuseblk_volume *vol;

	(void)state;
	for (int i = 0; i < 3; i++) {
		assert_int_equal(new(options[i], &vol), 0);
		if (i < 2)
			assert_int_equal(fb_volume_start(vol), 0);
		if (i < 2)
			assert_int_equal(fb_volume_change_begin(vol), -EROFS);
		fuseblk_corrupt(vol, 3, "as a test");
		fb_volume_mark_error(vol);
		assert_int_equal(fb_volume_stop(vol), 0);
		assert_int_equal(fb_device_fault_count(fault, FB_FAULT_WRITE), 0);
		assert_int_equal(fb_device_fault_count(fault, FB_FAULT_FLUSH), 0);
		fb_volume_free(vol);
		assert_int_equal(calls.start + calls.stop + calls.mark, 0);
	}
}

static void test_refused(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("fail_open", &vol), -EOPNOTSUPP);
	assert_string_equal(error, "feature \"toy\" is not supported");
	assert_int_equal(calls.close, 0);
	assert_int_equal(new("bad_root", &vol), -EUCLEAN);
	assert_non_null(strstr(error, "root directory"));
	assert_int_equal(calls.close, 1);
	assert_int_equal(new("nonsense", &vol), -FB_BAD_OPTIONS);
	assert_non_null(strstr(error, "nonsense"));
	assert_int_equal(calls.open, 0);
	assert_int_equal(new("text=a,commit=x", &vol), -FB_BAD_OPTIONS);
	assert_int_equal(new("text=a,ro=1", &vol), -FB_BAD_OPTIONS);
}

/* commit= holds from the beginning, not only after INIT. */
static void test_commit_interval(void **state)
{
	static const struct { const char *options; unsigned before, with, without; } rows[] = {
		{ "", 5000, 5000, 200 }, { "commit=0", 5000, 5000, 200 }, { "commit=900", 900000, 900000, 900000 },
	};
	struct fuseblk_volume *vol;

	(void)state;
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(new(rows[i].options, &vol), 0);
		assert_int_equal(vol->commit_ms, rows[i].before);
		fb_volume_set_interval(vol, true);
		assert_int_equal(vol->commit_ms, rows[i].with);
		fb_volume_set_interval(vol, false);
		assert_int_equal(vol->commit_ms, rows[i].without);
		fb_volume_free(vol);
	}
}

static void test_start_fails(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("", &vol), 0);
	calls.start_error = -EIO;
	assert_int_equal(fb_volume_start(vol), -EIO);
	assert_true(fuseblk_is_read_only(vol));
	assert_int_equal(fb_volume_stop(vol), 0);
	fb_volume_free(vol);
	assert_int_equal(calls.stop, 0);
}

/* Started by the first change, before it, and durably; without one nothing is ever written. */
static void test_lazy_start(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("lazy", &vol), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(fb_volume_close(vol), 0);
	fb_volume_free(vol);
	assert_int_equal(calls.start + calls.stop, 0);

	assert_int_equal(new("lazy", &vol), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(fb_device_fault_count(fault, FB_FAULT_WRITE), 0);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	assert_int_equal(on_device(1), 0x11);
	assert_int_equal(fb_device_fault_count(fault, FB_FAULT_FLUSH), 1);
	fb_volume_change_end(vol);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	fb_volume_change_end(vol);
	assert_int_equal(calls.start, 1);
	assert_int_equal(fb_volume_stop(vol), 0);
	assert_int_equal(on_device(1), 0x22);
	fb_volume_free(vol);
}

static void test_lazy_start_fails(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("lazy", &vol), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	calls.start_error = -EIO;
	assert_int_equal(fb_volume_change_begin(vol), -EIO);
	calls.start_error = 0;
	assert_int_equal(fb_volume_change_begin(vol), 0);
	fb_volume_change_end(vol);
	fb_volume_free(vol);
	assert_int_equal(calls.start, 2);
	assert_int_equal(calls.stop, 1);
}

static void damage(struct fuseblk_volume *vol)
{
	assert_int_equal(fuseblk_corrupt(vol, 12, "bad %s", "extent"), -EUCLEAN);
	assert_int_equal(fuseblk_corrupt(vol, 0, "bad superblock"), -EUCLEAN);
}

/* errors=remount-ro: no change any more, the mark is written once, the volume is not called clean. */
static void test_damage_remount_ro(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("", &vol), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	damage(vol);			/* in the middle of a change, which may end as it is */
	fb_volume_change_end(vol);
	assert_int_equal(fb_volume_change_begin(vol), -EROFS);
	assert_true(fb_volume_owes_mark(vol));
	fb_volume_mark_error(vol);
	assert_false(fb_volume_owes_mark(vol));
	damage(vol);
	fb_volume_mark_error(vol);
	assert_int_equal(calls.mark, 1);
	assert_int_equal(fb_volume_stop(vol), 0);
	assert_int_equal(on_device(2), 0xee);
	assert_int_equal(on_device(1), 0x11);
	assert_int_equal(calls.stop, 0);
	assert_int_equal(fb_volume_remount_rw(vol, -1, error, sizeof(error)), -EROFS);
	fb_volume_free(vol);
}

static void test_damage_continue(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("", &vol), 0);
	fuseblk_set_errors(vol, FUSEBLK_ERRORS_CONTINUE);
	assert_int_equal(fb_volume_start(vol), 0);
	damage(vol);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	fb_volume_change_end(vol);
	fb_volume_free(vol);		/* the mark goes out at the end at the latest */
	assert_int_equal(calls.mark, 1);
	assert_int_equal(calls.stop, 0);
}

static void test_damage_panic(void **state)
{
	struct fuseblk_volume *vol;

	(void)state;
	assert_int_equal(new("", &vol), 0);
	fuseblk_set_errors(vol, FUSEBLK_ERRORS_PANIC);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_false(vol->panicked);
	damage(vol);
	assert_true(vol->panicked);
	fb_volume_free(vol);
}

/* A write that fails: the error stays, nothing is written any more, stop does not hide it. */
static void test_write_fails(void **state)
{
	enum fb_fault_kind kinds[] = { FB_FAULT_WRITE, FB_FAULT_FLUSH };
	struct fuseblk_volume *vol;

	(void)state;
	for (int i = 0; i < 2; i++) {
		uint64_t writes;

		assert_int_equal(new("", &vol), 0);
		assert_int_equal(fb_volume_start(vol), 0);
		assert_int_equal(fb_volume_change_begin(vol), 0);
		put(vol, 7, 0x77);
		fb_volume_change_end(vol);
		fb_device_fault_set(fault, kinds[i], 1, FB_FAULT_FAIL, false);
		assert_int_equal(fb_commit(vol->cache), -EIO);
		assert_int_equal(vol->error, -EIO);
		assert_true(vol->shut_down);
		writes = fb_device_fault_count(fault, FB_FAULT_WRITE);
		assert_int_equal(fb_volume_change_begin(vol), -EIO);
		assert_int_equal(fb_commit(vol->cache), -EIO);
		assert_int_equal(fb_volume_stop(vol), -EIO);
		assert_int_equal(fb_device_fault_count(fault, FB_FAULT_WRITE), writes);
		assert_int_equal(calls.stop, 0);
		fb_volume_free(vol);
	}
}

static void test_remount(void **state)
{
	struct fuseblk_volume *vol;
	struct fb_device *dev;
	int fd = memfd_create("disk", 0);

	(void)state;
	memset(&calls, 0, sizeof(calls));
	assert_int_equal(ftruncate(fd, SIZE), 0);
	assert_int_equal(fb_device_open_file(dup(fd), 0, 0, true, &dev), 0);
	assert_int_equal(fb_volume_new(&toy, dev, "disk", "ro", &vol, error, sizeof(error)), 0);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(calls.start, 0);
	assert_int_equal(fb_volume_remount_rw(vol, dup(fd), error, sizeof(error)), 0);
	assert_int_equal(calls.start, 1);
	assert_int_equal(fb_volume_remount_rw(vol, dup(fd), error, sizeof(error)), 0);
	assert_int_equal(calls.start, 1);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	put(vol, 9, 0x99);
	fb_volume_change_end(vol);
	assert_int_equal(fb_volume_remount_ro(vol, error, sizeof(error)), 0);
	assert_int_equal(calls.stop, 1);
	assert_int_equal(fb_volume_change_begin(vol), -EROFS);
	assert_int_equal(fb_volume_remount_rw(vol, dup(fd), error, sizeof(error)), 0);
	assert_int_equal(calls.start, 2);
	fb_volume_free(vol);
	assert_int_equal(calls.stop, 2);
	close(fd);
	/* A format that cannot be written stays read-only and says why. */
	assert_int_equal(new("format_ro", &vol), 0);
	assert_int_equal(fb_volume_remount_rw(vol, -1, error, sizeof(error)), -EROFS);
	assert_non_null(strstr(error, "feature quota"));
	fb_volume_free(vol);
}

/* Changes race with the end of writability: none slips in after the volume was marked clean. */
static void *change_until_refused(void *arg)
{
	struct fuseblk_volume *vol = arg;

	while (!fb_volume_change_begin(vol)) {
		struct fuseblk_buf *buf;
		uint8_t byte = 0x33;

		if (!fuseblk_buf_get(vol, 20, &buf)) {
			fuseblk_buf_write(buf, FUSEBLK_FRESH, 0, &byte, 1);
			fuseblk_buf_put(buf);
		}
		fb_volume_change_end(vol);
	}
	return NULL;
}

static void test_stop_races(void **state)
{
	struct fuseblk_volume *vol;
	pthread_t t[3];

	(void)state;
	for (int i = 0; i < 10; i++) {
		assert_int_equal(new("", &vol), 0);
		assert_int_equal(fb_volume_start(vol), 0);
		for (int j = 0; j < 3; j++)
			pthread_create(&t[j], NULL, change_until_refused, vol);
		usleep(3000);
		assert_int_equal(fb_volume_stop(vol), 0);
		assert_false(fb_cache_is_dirty(vol->cache));
		for (int j = 0; j < 3; j++)
			pthread_join(t[j], NULL);
		assert_false(fb_cache_is_dirty(vol->cache));
		fb_volume_free(vol);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life), cmocka_unit_test(test_read_only_writes_nothing),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_commit_interval), cmocka_unit_test(test_start_fails),
		cmocka_unit_test(test_damage_remount_ro), cmocka_unit_test(test_damage_continue),
		cmocka_unit_test(test_damage_panic), cmocka_unit_test(test_write_fails),
		cmocka_unit_test(test_remount), cmocka_unit_test(test_lazy_start),
		cmocka_unit_test(test_lazy_start_fails), cmocka_unit_test(test_stop_races),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
