/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_device_fault.c: fault injection and the write log.  A run of known
 * operations is repeated with a fault at each of them in turn, and the log
 * replayed onto an empty device must give the device it was taken from.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "device.h"
#include "device_standins.h"

#define SIZE 65536u
#define STEPS 12

static struct fb_device *open_fault(struct fb_device **lower)
{
	struct fb_device *dev;

	assert_int_equal(fb_device_open_mem(NULL, SIZE, 512, lower), 0);
	assert_int_equal(fb_device_open_fault(*lower, &dev), 0);
	assert_int_equal(dev->size, SIZE);
	assert_int_equal(dev->sector, 512);
	return dev;
}

/* Step @i of the run: write, read, flush, write, read, flush ... */
static int run_step(struct fb_device *dev, unsigned i)
{
	uint8_t buf[2048];

	memset(buf, (int)(i + 1), sizeof(buf));
	switch (i % 3) {
	case 0:
		return fb_device_write(dev, buf, sizeof(buf), i * 2048);
	case 1:
		return fb_device_read(dev, buf, sizeof(buf), i * 2048);
	default:
		return fb_device_flush(dev);
	}
}

/* Which count step @i has in @kind, or 0. */
static unsigned count_at(unsigned i, enum fb_fault_kind kind)
{
	static const enum fb_fault_kind kinds[] = { FB_FAULT_WRITE, FB_FAULT_READ, FB_FAULT_FLUSH };

	if (kind == FB_FAULT_ANY)
		return i + 1;
	return kinds[i % 3] == kind ? i / 3 + 1 : 0;
}

/* The bytes of a write that step @i should have left, of 2048. */
static unsigned left_by(unsigned i, bool hit, enum fb_fault_action action)
{
	if (i % 3)
		return 0;
	if (!hit)
		return 2048;
	return action == FB_FAULT_TEAR ? 1024 : 0;
}

static bool is_lie(unsigned i, enum fb_fault_action action)
{
	return action == FB_FAULT_DROP && i % 3 != 1;
}

static void check_run(enum fb_fault_kind kind, unsigned nth, enum fb_fault_action action, bool sticky)
{
	struct fb_device *lower, *dev = open_fault(&lower);
	const uint8_t *bytes = fb_device_mem_bytes(lower);
	unsigned i, n, k;

	fb_device_fault_set(dev, kind, nth, action, sticky);
	for (i = 0; i < STEPS; i++) {
		unsigned count = count_at(i, kind), left;
		bool hit = nth && count && (count == nth || (sticky && count > nth));

		assert_int_equal(run_step(dev, i), hit && !is_lie(i, action) ? -EIO : 0);
		left = left_by(i, hit, action);
		for (n = 0; n < 2048; n++)
			assert_int_equal(bytes[i * 2048 + n], n < left ? i + 1 : 0);
	}
	for (k = FB_FAULT_READ; k <= FB_FAULT_FLUSH; k++)
		assert_int_equal(fb_device_fault_count(dev, k), STEPS / 3);
	assert_int_equal(fb_device_fault_count(dev, FB_FAULT_ANY), STEPS);
	fb_device_close(dev);
}

static void test_every_fault(void **state)
{
	unsigned kind, nth, action, sticky;

	(void)state;
	for (kind = FB_FAULT_READ; kind <= FB_FAULT_ANY; kind++)
		for (nth = 0; nth <= STEPS + 1; nth++)
			for (action = FB_FAULT_FAIL; action <= FB_FAULT_DROP; action++)
				for (sticky = 0; sticky < 2; sticky++)
					check_run(kind, nth, action, sticky);
}

static void test_counts_from_set(void **state)
{
	struct fb_device *lower, *dev = open_fault(&lower);

	(void)state;
	assert_int_equal(fb_device_write(dev, "a", 1, 0), 0);
	assert_int_equal(fb_device_write(dev, "a", 1, 0), 0);
	fb_device_fault_set(dev, FB_FAULT_WRITE, 2, FB_FAULT_FAIL, false);
	assert_int_equal(fb_device_write(dev, "b", 1, 0), 0);
	assert_int_equal(fb_device_write(dev, "c", 1, 0), -EIO);
	assert_int_equal(fb_device_write(dev, "d", 1, 1), 0);
	assert_int_equal(fb_device_fault_count(dev, FB_FAULT_WRITE), 5);
	assert_memory_equal(fb_device_mem_bytes(lower), "bd", 2);
	/* Nothing to do is not an operation. */
	assert_int_equal(fb_device_write(dev, NULL, 0, 0), 0);
	assert_int_equal(fb_device_fault_count(dev, FB_FAULT_WRITE), 5);
	fb_device_close(dev);
}

static void test_zeroing_is_a_write(void **state)
{
	struct fb_device *lower, *dev = open_fault(&lower);

	(void)state;
	memset(fb_device_mem_bytes(lower), 7, SIZE);
	fb_device_fault_set(dev, FB_FAULT_WRITE, 1, FB_FAULT_FAIL, false);
	assert_int_equal(fb_device_zero(dev, 0, SIZE), -EIO);
	assert_int_equal(((uint8_t *)fb_device_mem_bytes(lower))[0], 7);
	assert_int_equal(fb_device_zero(dev, 0, SIZE), 0);
	assert_int_equal(((uint8_t *)fb_device_mem_bytes(lower))[0], 0);
	fb_device_close(dev);
}

static void test_read_only_below(void **state)
{
	struct fb_device *lower, *dev;

	(void)state;
	assert_int_equal(fb_device_open_mem(NULL, SIZE, 4096, &lower), 0);
	lower->read_only = true;
	assert_int_equal(fb_device_open_fault(lower, &dev), 0);
	assert_int_equal(fb_device_write(dev, "a", 1, 0), -EROFS);
	assert_int_equal(fb_device_make_writable(dev, -1), 0);
	assert_int_equal(fb_device_write(dev, "a", 1, 0), 0);
	fb_device_close(dev);
}

/* ------------------------------------------------------------------ */
/* The write log                                                        */
/* ------------------------------------------------------------------ */

static void replay(const struct fb_write_log *log, uint8_t *image)
{
	size_t i;

	for (i = 0; i < fb_write_log_count(log); i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(log, i);

		assert_true(e->off + e->len <= SIZE);
		if (e->len)
			memcpy(image + e->off, e->bytes, e->len);
	}
	assert_null(fb_write_log_get(log, i));
}

static void check_replay(const struct fb_write_log *log, const uint8_t *want)
{
	uint8_t *image = calloc(1, SIZE);

	replay(log, image);
	assert_memory_equal(image, want, SIZE);
	free(image);
}

/* A device after random operations, and its log. */
static struct fb_device *logged_run(struct fb_write_log **log, struct fb_device **lower)
{
	struct fb_device *dev = open_fault(lower);
	uint8_t buf[4096];
	uint64_t seed = 5;
	unsigned i;

	assert_int_equal(fb_device_fault_log(dev, log), 0);
	for (i = 0; i < 200; i++) {
		uint64_t off = test_random(&seed) % (SIZE - 4096), len = test_random(&seed) % 4096;

		switch (test_random(&seed) % 6) {
		case 0:
			assert_int_equal(fb_device_flush(dev), 0);
			break;
		case 1:
			assert_int_equal(fb_device_discard(dev, off, len), 0);
			break;
		case 2:
			assert_int_equal(fb_device_zero(dev, off, len), 0);
			break;
		default:
			test_fill(buf, len, i, 0);
			assert_int_equal(fb_device_write(dev, buf, len, off), 0);
		}
	}
	return dev;
}

static void test_log_replays(void **state)
{
	struct fb_write_log *log, *loaded;
	struct fb_device *lower, *dev = logged_run(&log, &lower);
	int fd = test_file(NULL, 100);

	(void)state;
	check_replay(log, fb_device_mem_bytes(lower));
	assert_int_equal(fb_write_log_save(log, fd), 0);
	assert_int_equal(fb_write_log_load(fd, &loaded), 0);
	assert_int_equal(fb_write_log_count(loaded), fb_write_log_count(log));
	check_replay(loaded, fb_device_mem_bytes(lower));
	fb_device_close(dev);
	fb_write_log_free(log);
	fb_write_log_free(loaded);
	fb_write_log_free(NULL);
	close(fd);
}

static void test_log_holds_what_happened(void **state)
{
	struct fb_device *lower, *dev = open_fault(&lower);
	const struct fb_write_log_entry *e;
	struct fb_write_log *log;
	uint8_t buf[2048] = { 1 };

	(void)state;
	assert_int_equal(fb_device_write(dev, buf, 10, 0), 0);	/* before the log */
	assert_int_equal(fb_device_fault_log(dev, &log), 0);
	fb_device_fault_set(dev, FB_FAULT_ANY, 1, FB_FAULT_FAIL, false);
	assert_int_equal(fb_device_write(dev, buf, 2048, 0), -EIO);
	fb_device_fault_set(dev, FB_FAULT_ANY, 1, FB_FAULT_DROP, false);
	assert_int_equal(fb_device_flush(dev), 0);
	fb_device_fault_set(dev, FB_FAULT_ANY, 1, FB_FAULT_FAIL, false);
	assert_int_equal(fb_device_flush(dev), -EIO);
	assert_int_equal(fb_write_log_count(log), 0);
	fb_device_fault_set(dev, FB_FAULT_ANY, 1, FB_FAULT_TEAR, false);
	assert_int_equal(fb_device_write(dev, buf, 2048, 512), -EIO);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_int_equal(fb_write_log_count(log), 2);
	e = fb_write_log_get(log, 0);
	assert_int_equal(e->off, 512);
	assert_int_equal(e->len, 1024);
	e = fb_write_log_get(log, 1);
	assert_int_equal(e->off, 0);
	assert_int_equal(e->len, 0);
	fb_device_close(dev);
	fb_write_log_free(log);
}

/* A flush that fails below leaves no trace. */
static void test_log_failed_flush(void **state)
{
	struct fb_device *lower, *middle = open_fault(&lower), *dev;
	struct fb_write_log *log;

	(void)state;
	assert_int_equal(fb_device_open_fault(middle, &dev), 0);
	assert_int_equal(fb_device_fault_log(dev, &log), 0);
	assert_int_equal(fb_device_write(dev, "a", 1, 0), 0);
	fb_device_fault_set(middle, FB_FAULT_FLUSH, 1, FB_FAULT_FAIL, false);
	assert_int_equal(fb_device_flush(dev), -EIO);
	assert_int_equal(fb_write_log_count(log), 1);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_int_equal(fb_write_log_count(log), 2);
	fb_device_close(dev);
	fb_write_log_free(log);
}

/* Every byte of a saved log is covered: any one changed, and any cut, is noticed. */
static void test_log_damaged(void **state)
{
	struct fb_device *lower, *dev = open_fault(&lower);
	struct fb_write_log *log, *loaded = NULL;
	int fd = test_file("/dev/shm", 0);
	off_t size, i;
	uint8_t byte;

	(void)state;
	assert_int_equal(fb_device_fault_log(dev, &log), 0);
	assert_int_equal(fb_device_write(dev, "hello", 5, 100), 0);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_int_equal(fb_device_write(dev, "world", 5, 105), 0);
	assert_int_equal(fb_write_log_save(log, fd), 0);
	size = lseek(fd, 0, SEEK_END);
	for (i = 0; i < size; i++) {
		assert_int_equal(pread(fd, &byte, 1, i), 1);
		byte ^= 0x80;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
		assert_int_equal(fb_write_log_load(fd, &loaded), -EUCLEAN);
		byte ^= 0x80;
		assert_int_equal(pwrite(fd, &byte, 1, i), 1);
	}
	for (i = size - 1; i >= 0; i--) {
		assert_int_equal(ftruncate(fd, i), 0);
		assert_int_equal(fb_write_log_load(fd, &loaded), -EUCLEAN);
	}
	assert_null(loaded);
	fb_device_close(dev);
	fb_write_log_free(log);
	close(fd);
}

/* ------------------------------------------------------------------ */
/* Threads                                                              */
/* ------------------------------------------------------------------ */

struct writer {
	struct fb_device *dev;
	uint64_t off;
	pthread_t thread;
};

static void *write_and_flush(void *arg)
{
	struct writer *w = arg;
	uintptr_t failures = 0;
	unsigned i;

	for (i = 0; i < 1000; i++) {
		failures += fb_device_write(w->dev, &i, sizeof(i), w->off) != 0;
		failures += fb_device_flush(w->dev) != 0;
	}
	return (void *)failures;
}

static void test_threads(void **state)
{
	struct fb_device *lower, *dev = open_fault(&lower);
	struct fb_write_log *log;
	struct writer writers[4];
	uintptr_t failures = 0;
	void *ret;
	unsigned i;

	(void)state;
	assert_int_equal(fb_device_fault_log(dev, &log), 0);
	fb_device_fault_set(dev, FB_FAULT_WRITE, 777, FB_FAULT_FAIL, false);
	for (i = 0; i < 4; i++) {
		writers[i] = (struct writer){ .dev = dev, .off = i * 512 };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_and_flush, &writers[i]), 0);
	}
	for (i = 0; i < 4; i++) {
		pthread_join(writers[i].thread, &ret);
		failures += (uintptr_t)ret;
	}
	assert_int_equal(failures, 1);
	assert_int_equal(fb_device_fault_count(dev, FB_FAULT_WRITE), 4000);
	assert_int_equal(fb_write_log_count(log), 7999);
	fb_device_close(dev);
	fb_write_log_free(log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_fault),
		cmocka_unit_test(test_counts_from_set),
		cmocka_unit_test(test_zeroing_is_a_write),
		cmocka_unit_test(test_read_only_below),
		cmocka_unit_test(test_log_replays),
		cmocka_unit_test(test_log_holds_what_happened),
		cmocka_unit_test(test_log_failed_flush),
		cmocka_unit_test(test_log_damaged),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
