/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_device_gzip.c: gzip images, made here with zlib from known bytes: one
 * member or many, of every compression level, whole, cut short, bent, with
 * and without a saved index that is right, stale or damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>
#include "device.h"
#include "device_standins.h"
#include "gzip.h"

#define MIB (1u << 20)
#define BIG (70u * MIB)

static uint8_t *big;		/* BIG bytes of mixed data */
static int big_gz = -1;		/* and a file with them, one member */

/* Appends a member; returns its compressed length. */
static size_t add_member(int fd, const uint8_t *bytes, size_t len, int level)
{
	z_stream z = { 0 };
	size_t room, done;
	uint8_t *out;

	assert_int_equal(deflateInit2(&z, level, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	room = deflateBound(&z, len);
	out = malloc(room);
	assert_non_null(out);
	z.next_in = (Bytef *)(uintptr_t)bytes;
	z.avail_in = (unsigned)len;
	z.next_out = out;
	z.avail_out = (unsigned)room;
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	done = room - z.avail_out;
	deflateEnd(&z);
	assert_int_equal(pwrite(fd, out, done, lseek(fd, 0, SEEK_END)), done);
	free(out);
	return done;
}

static void append(int fd, const void *bytes, size_t len)
{
	assert_int_equal(pwrite(fd, bytes, len, lseek(fd, 0, SEEK_END)), len);
}

static int new_file(void)
{
	int fd = test_file("/dev/shm", 0);

	assert_true(fd >= 0);
	return fd;
}

static struct fb_device *open_gzip(int fd, int index_fd, uint64_t size)
{
	struct fb_device *dev;

	assert_int_equal(fb_device_open_gzip(dup(fd), index_fd < 0 ? -1 : dup(index_fd), &dev), 0);
	assert_int_equal(dev->size, size);
	assert_true(dev->read_only);
	return dev;
}

static void check_reads(struct fb_device *dev, const uint8_t *want, unsigned count, uint64_t seed)
{
	uint8_t *buf = malloc(3 * MIB);

	assert_non_null(buf);
	while (count--) {
		uint64_t off = test_random(&seed) % dev->size;
		uint64_t len = test_random(&seed) % (count % 16 ? 9000 : 3 * MIB);

		if (len > dev->size - off)
			len = dev->size - off;
		assert_int_equal(fb_device_read(dev, buf, len, off), 0);
		assert_memory_equal(buf, want + off, len);
	}
	free(buf);
}

static void check_whole(int fd, const uint8_t *want, uint64_t size)
{
	struct fb_device *dev = open_gzip(fd, -1, size);
	uint8_t *buf = malloc(size + 1);

	assert_int_equal(fb_device_read(dev, buf, size, 0), 0);
	assert_memory_equal(buf, want, size);
	if (size)
		check_reads(dev, want, 100, size);
	free(buf);
	fb_device_close(dev);
}

static void check_refused(int fd)
{
	struct fb_device *dev = NULL;

	assert_int_equal(fb_device_open_gzip(dup(fd), -1, &dev), -EUCLEAN);
	assert_null(dev);
}

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (double)ts.tv_sec + (double)ts.tv_nsec / 1e9;
}

static int make_big(void **state)
{
	(void)state;
	big = malloc(BIG);
	big_gz = new_file();
	test_fill(big, BIG, 42, 60);
	memset(big + 20 * MIB, 0, 8 * MIB);
	add_member(big_gz, big, BIG, 1);
	return 0;
}

static int free_big(void **state)
{
	(void)state;
	free(big);
	close(big_gz);
	return 0;
}

/* ------------------------------------------------------------------ */
/* Reading                                                              */
/* ------------------------------------------------------------------ */

static void test_random_access(void **state)
{
	double start = seconds();
	struct fb_device *dev = open_gzip(big_gz, -1, BIG);
	uint8_t buf[16];

	(void)state;
	print_message("open %.2f s\n", seconds() - start);
	start = seconds();
	check_reads(dev, big, 400, 7);
	print_message("400 random reads %.2f s\n", seconds() - start);
	assert_int_equal(fb_device_write(dev, "x", 1, 0), -EROFS);
	assert_int_equal(fb_device_zero(dev, 0, 10), -EROFS);
	assert_int_equal(fb_device_discard(dev, 0, 512), -EROFS);
	assert_int_equal(fb_device_make_writable(dev, -1), -EROFS);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_int_equal(fb_device_read(dev, buf, 16, BIG - 15), -EIO);
	fb_device_close(dev);
	assert_int_equal(standin_block_depth, 0);
}

static void test_in_order(void **state)
{
	struct fb_device *dev = open_gzip(big_gz, -1, BIG);
	uint8_t *buf = malloc(100000);
	uint64_t off = 0;

	(void)state;
	for (; off < BIG; off += 100000) {
		size_t len = BIG - off < 100000 ? BIG - off : 100000;

		assert_int_equal(fb_device_read(dev, buf, len, off), 0);
		assert_memory_equal(buf, big + off, len);
	}
	free(buf);
	fb_device_close(dev);
}

static void test_levels(void **state)
{
	int level;

	(void)state;
	for (level = 0; level <= 9; level += 3) {
		int fd = new_file();

		add_member(fd, big + 18 * MIB, 6 * MIB, level);
		check_whole(fd, big + 18 * MIB, 6 * MIB);
		close(fd);
	}
}

static void test_small(void **state)
{
	static const size_t sizes[] = { 0, 1, 511, 131071, 131072, 131073 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = new_file();

		add_member(fd, big, sizes[i], 6);
		assert_true(fb_device_is_gzip(fd));
		check_whole(fd, big, sizes[i]);
		close(fd);
	}
}

static int make_members(uint64_t total, uint64_t most)
{
	uint64_t seed = total, off = 0;
	int fd = new_file();

	while (off < total) {
		uint64_t len = test_random(&seed) % most;

		if (len > total - off)
			len = total - off;
		add_member(fd, big + off, len, (int)(seed % 10));
		off += len;
	}
	return fd;
}

static void test_members(void **state)
{
	int many = make_members(8 * MIB, 70000), few = make_members(12 * MIB, 5 * MIB);

	(void)state;
	check_whole(many, big, 8 * MIB);
	check_whole(few, big, 12 * MIB);
	close(many);
	close(few);
}

/* A header with every optional field. */
static void test_header_fields(void **state)
{
	z_stream z = { 0 };
	gz_header head = { .text = 1, .time = 99, .extra = (Bytef *)"extra", .extra_len = 5,
			   .name = (Bytef *)"name", .comment = (Bytef *)"a comment", .hcrc = 1 };
	uint8_t out[20000];
	int fd = new_file();

	(void)state;
	assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
	assert_int_equal(deflateSetHeader(&z, &head), Z_OK);
	z.next_in = big;
	z.avail_in = 10000;
	z.next_out = out;
	z.avail_out = sizeof(out);
	assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
	append(fd, out, sizeof(out) - z.avail_out);
	deflateEnd(&z);
	check_whole(fd, big, 10000);
	close(fd);
}

/* ------------------------------------------------------------------ */
/* What follows, and damage                                             */
/* ------------------------------------------------------------------ */

static void check_trailing(const void *bytes, size_t len, bool is_ignored)
{
	int fd = new_file();

	add_member(fd, big, 300000, 6);
	append(fd, bytes, len);
	if (is_ignored)
		check_whole(fd, big, 300000);
	else
		check_refused(fd);
	close(fd);
}

static void test_trailing(void **state)
{
	uint8_t zeros[100000] = { 0 };

	(void)state;
	check_trailing(zeros, sizeof(zeros), true);
	check_trailing(zeros, 1, true);
	check_trailing("garbage", 7, true);
	check_trailing("\x1f", 1, true);
	check_trailing("\x1f\x8b", 2, false);			/* a member cut short */
	check_trailing("\x1f\x8b\x08\0\0\0\0\0\0\3", 10, false);
	check_trailing("\x1f\x8b\x07\0\0\0\0\0\0\3abcdefgh", 18, false);	/* no such method */
}

static void test_not_gzip(void **state)
{
	int fd = new_file(), null = open("/dev/null", O_RDONLY);
	struct fb_device *dev;

	(void)state;
	assert_false(fb_device_is_gzip(fd));
	check_refused(fd);
	append(fd, "\x1f\x8b", 2);
	check_refused(fd);
	append(fd, "\x08", 1);
	assert_true(fb_device_is_gzip(fd));
	assert_int_equal(lseek(fd, 1, SEEK_SET), 1);
	assert_true(fb_device_is_gzip(fd));
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 1);
	check_refused(fd);
	close(fd);
	assert_int_equal(fb_device_open_gzip(null, -1, &dev), -ENODEV);
	assert_int_equal(fb_device_open_gzip(-1, -1, &dev), -EBADF);
}

static void test_truncated(void **state)
{
	int fd = new_file();
	size_t size = add_member(fd, big, 5000, 6), i;

	(void)state;
	for (i = size; i-- > 0;) {
		assert_int_equal(ftruncate(fd, (off_t)i), 0);
		check_refused(fd);
	}
	close(fd);
}

/* Refused, or a bit that means nothing. Returns 1 for the latter. */
static unsigned check_bent(int fd, const uint8_t *want, size_t len)
{
	struct fb_device *dev;
	uint8_t buf[4096];
	int ret = fb_device_open_gzip(dup(fd), -1, &dev);

	assert_true(!ret || ret == -EUCLEAN);
	if (ret)
		return 0;
	assert_int_equal(dev->size, len);
	assert_int_equal(fb_device_read(dev, buf, len, 0), 0);
	assert_memory_equal(buf, want, len);
	fb_device_close(dev);
	return 1;
}

/* A changed byte after the header is noticed, by the checksum if by nothing else. */
static void test_bent(void **state)
{
	int fd = new_file();
	size_t size = add_member(fd, big, 3000, 6), i;
	unsigned harmless = 0;
	uint8_t byte;

	(void)state;
	for (i = 10; i < size; i++) {
		assert_int_equal(pread(fd, &byte, 1, (off_t)i), 1);
		byte ^= 0x80;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
		harmless += check_bent(fd, big, 3000);
		byte ^= 0x80;
		assert_int_equal(pwrite(fd, &byte, 1, (off_t)i), 1);
	}
	/* The last deflate byte may have bits to spare. */
	assert_true(harmless < 5);
	check_whole(fd, big, 3000);
	close(fd);
}

/* Damaged or cut behind our back: an error where it is met, never wrong bytes or a crash. */
static void test_changed_while_open(void **state)
{
	int fd = new_file();
	size_t size = add_member(fd, big, 16 * MIB, 6);
	struct fb_device *dev = open_gzip(fd, -1, 16 * MIB);
	uint8_t *noise = malloc(size), buf[4096];

	(void)state;
	test_fill(noise, size, 1, 0);
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 0), 0);
	assert_int_equal(ftruncate(fd, (off_t)size / 2), 0);
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 15 * MIB), -EUCLEAN);
	assert_int_equal(pwrite(fd, noise, size, 0), size);
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 15 * MIB), -EUCLEAN);
	/* From the cache. */
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 8192), 0);
	assert_memory_equal(buf, big + 8192, sizeof(buf));
	fb_device_close(dev);
	free(noise);
	close(fd);
}

/* ------------------------------------------------------------------ */
/* Interrupts                                                           */
/* ------------------------------------------------------------------ */

static void test_interrupted(void **state)
{
	struct fb_device *dev = NULL;
	uint8_t buf[4096];

	(void)state;
	standin_interrupt_after = 0;
	assert_int_equal(fb_device_open_gzip(dup(big_gz), -1, &dev), -EINTR);
	standin_interrupt_after = 20;
	assert_int_equal(fb_device_open_gzip(dup(big_gz), -1, &dev), -EINTR);
	assert_null(dev);
	standin_interrupt_after = -1;
	dev = open_gzip(big_gz, -1, BIG);
	standin_interrupt_after = 2;
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 66 * MIB - 5000), -EINTR);
	standin_interrupt_after = -1;
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 66 * MIB - 5000), 0);
	assert_memory_equal(buf, big + 66 * MIB - 5000, sizeof(buf));
	fb_device_close(dev);
}

/* ------------------------------------------------------------------ */
/* The index                                                            */
/* ------------------------------------------------------------------ */

/* The index in @fd is read rather than built: then nobody asks whether to stop. */
static bool index_is_used(int gz, int fd, uint64_t size)
{
	struct fb_device *dev = NULL;
	int ret;

	standin_interrupt_after = 0;
	ret = fb_device_open_gzip(dup(gz), dup(fd), &dev);
	standin_interrupt_after = -1;
	if (ret) {
		assert_int_equal(ret, -EINTR);
		return false;
	}
	assert_int_equal(dev->size, size);
	fb_device_close(dev);
	return true;
}

static void test_index_saved(void **state)
{
	int index = new_file();
	struct fb_device *dev;
	double start;

	(void)state;
	assert_false(index_is_used(big_gz, index, BIG));
	dev = open_gzip(big_gz, index, BIG);
	check_reads(dev, big, 10, 3);
	fb_device_close(dev);
	print_message("index of %lld bytes\n", (long long)lseek(index, 0, SEEK_END));
	start = seconds();
	assert_true(index_is_used(big_gz, index, BIG));
	print_message("open with index %.4f s\n", seconds() - start);
	dev = open_gzip(big_gz, index, BIG);
	check_reads(dev, big, 100, 4);
	fb_device_close(dev);
	close(index);
}

static void test_index_stale(void **state)
{
	const struct timespec times[2] = { { .tv_sec = 1000 }, { .tv_sec = 1000 } };
	int gz = new_file(), index = new_file();
	uint8_t byte;

	(void)state;
	add_member(gz, big, 4 * MIB, 1);
	assert_int_equal(futimens(gz, times), 0);
	fb_device_close(open_gzip(gz, index, 4 * MIB));
	assert_true(index_is_used(gz, index, 4 * MIB));
	/* Another time, another size, other bytes. */
	assert_int_equal(futimens(gz, NULL), 0);
	assert_false(index_is_used(gz, index, 4 * MIB));
	assert_int_equal(futimens(gz, times), 0);
	assert_true(index_is_used(gz, index, 4 * MIB));
	append(gz, "\0", 1);
	assert_int_equal(futimens(gz, times), 0);
	assert_false(index_is_used(gz, index, 4 * MIB));
	fb_device_close(open_gzip(gz, index, 4 * MIB));
	assert_int_equal(futimens(gz, times), 0);
	fb_device_close(open_gzip(gz, index, 4 * MIB));
	assert_true(index_is_used(gz, index, 4 * MIB));
	assert_int_equal(pread(gz, &byte, 1, 4), 1);
	byte++;		/* the time in the header */
	assert_int_equal(pwrite(gz, &byte, 1, 4), 1);
	assert_int_equal(futimens(gz, times), 0);
	assert_false(index_is_used(gz, index, 4 * MIB));
	close(gz);
	close(index);
}

/* Every bit of it counts: a changed byte or a cut means that it is built anew. */
static void test_index_damaged(void **state)
{
	int gz = new_file(), index = new_file();
	off_t size, i;
	uint8_t byte;

	(void)state;
	add_member(gz, big, 4 * MIB, 1);
	fb_device_close(open_gzip(gz, index, 4 * MIB));
	size = lseek(index, 0, SEEK_END);
	for (i = 8; i < size; i += i < 400 ? 1 : 997) {
		assert_int_equal(pread(index, &byte, 1, i), 1);
		byte ^= 4;
		assert_int_equal(pwrite(index, &byte, 1, i), 1);
		assert_false(index_is_used(gz, index, 4 * MIB));
		byte ^= 4;
		assert_int_equal(pwrite(index, &byte, 1, i), 1);
	}
	assert_true(index_is_used(gz, index, 4 * MIB));
	for (i = size - 1; i >= 8; i = i > 100 ? i * 9 / 10 : i - 1) {
		assert_int_equal(ftruncate(index, i), 0);
		assert_false(index_is_used(gz, index, 4 * MIB));
	}
	fb_device_close(open_gzip(gz, index, 4 * MIB));
	assert_true(index_is_used(gz, index, 4 * MIB));
	close(gz);
	close(index);
}

static void test_index_is_something_else(void **state)
{
	static const char text[] = "a letter that is nobody's index\n";
	char after[sizeof(text)] = "";
	int index = new_file(), gz = new_file();
	struct fb_device *dev;

	(void)state;
	add_member(gz, big, MIB, 1);
	append(index, text, sizeof(text));
	assert_int_equal(fb_device_open_gzip(dup(gz), dup(index), &dev), -EINVAL);
	assert_int_equal(pread(index, after, sizeof(after), 0), sizeof(after));
	assert_string_equal(after, text);
	/* One that cannot be written does no harm. */
	dev = open_gzip(gz, open("/dev/null", O_RDONLY), MIB);
	check_reads(dev, big, 10, 1);
	fb_device_close(dev);
	close(index);
	close(gz);
}

static void test_index_bound(void **state)
{
	struct fb_gzip_index index;
	uint8_t window[FB_GZIP_WINDOW], back[FB_GZIP_WINDOW];
	const struct fb_gzip_point *point;
	uint64_t i, out = 0;
	size_t at;

	(void)state;
	fb_gzip_index_init(&index);
	for (i = 0; i < 4000; i++, out += FB_GZIP_INTERVAL) {
		test_fill(window, sizeof(window), out, 0);
		if (fb_gzip_index_wants(&index, out))
			assert_int_equal(fb_gzip_index_add(&index, out, i + 10, 3, window, sizeof(window)), 0);
		assert_true(index.memory <= FB_GZIP_INDEX_LIMIT);
	}
	print_message("%zu points, %zu bytes, interval %llu MiB\n", index.count, index.memory,
		      (unsigned long long)index.interval / MIB);
	assert_true(index.memory > FB_GZIP_INDEX_LIMIT / 4);
	assert_int_equal(index.points[0].out, 0);
	for (at = 1; at < index.count; at++) {
		assert_true(index.points[at].out - index.points[at - 1].out >= index.interval);
		assert_true(index.points[at].out - index.points[at - 1].out < 2 * index.interval);
	}
	for (i = 0; i < 50; i++) {
		out = i * 77 * MIB + 5;
		point = fb_gzip_index_find(&index, out);
		assert_true(point->out <= out && out - point->out < 2 * index.interval);
		test_fill(window, sizeof(window), point->out, 0);
		assert_int_equal(fb_gzip_point_window(point, back), 0);
		assert_memory_equal(window, back, sizeof(window));
	}
	fb_gzip_index_fini(&index);
}

/* Points without windows (small members) are bounded as well, and never thinned to nothing. */
static void test_index_bound_without_windows(void **state)
{
	struct fb_gzip_index index;
	uint64_t i;

	(void)state;
	fb_gzip_index_init(&index);
	index.limit = 65536;
	for (i = 0; i < 100000; i++) {
		if (fb_gzip_index_wants(&index, i * FB_GZIP_INTERVAL))
			assert_int_equal(fb_gzip_index_add(&index, i * FB_GZIP_INTERVAL, i + 1, 0, NULL, 0), 0);
		assert_true(index.memory <= 65536);
	}
	assert_true(index.count * sizeof(struct fb_gzip_point) > 65536 / 4);
	fb_gzip_index_fini(&index);
}

/* Inflating from each point of a thinned index gives the bytes that are there. */
static void test_index_thinned_works(void **state)
{
	struct fb_gzip_stream *s;
	struct fb_gzip_index index;
	uint8_t *buf = malloc(MIB);
	bool at_point;
	size_t i;

	(void)state;
	fb_gzip_index_init(&index);
	index.limit = 400000;
	index.interval = 65536;
	assert_int_equal(fb_gzip_stream_new(big_gz, &s), 0);
	assert_int_equal(fb_gzip_stream_rewind(s), 0);
	while (!s->done) {
		assert_true(fb_gzip_stream_read(s, buf, MIB, &at_point) >= 0);
		if (at_point && fb_gzip_index_wants(&index, s->out))
			assert_int_equal(fb_gzip_stream_mark(s, &index), 0);
	}
	assert_int_equal(s->out, BIG);
	assert_true(index.memory <= index.limit && index.interval > 65536);
	for (i = 0; i < index.count; i++) {
		uint64_t off = index.points[i].out, len = BIG - off < MIB ? BIG - off : MIB;

		assert_int_equal(fb_gzip_stream_seek(s, &index.points[i]), 0);
		assert_int_equal(fb_gzip_stream_read(s, buf, len, NULL), len);
		assert_memory_equal(buf, big + off, len);
	}
	fb_gzip_stream_free(s);
	fb_gzip_index_fini(&index);
	free(buf);
}

/* ------------------------------------------------------------------ */
/* Threads                                                              */
/* ------------------------------------------------------------------ */

struct reader {
	struct fb_device *dev;
	uint64_t seed;
	pthread_t thread;
};

/* No cmocka in here: it is not for threads. */
static void *read_around(void *arg)
{
	struct reader *r = arg;
	uint8_t *buf = malloc(MIB);
	uintptr_t failures = 0;
	int i;

	for (i = 0; i < 40; i++) {
		uint64_t off = test_random(&r->seed) % (12 * MIB), len = test_random(&r->seed) % MIB;

		if (fb_device_read(r->dev, buf, len, off) || memcmp(buf, big + off, len))
			failures++;
	}
	free(buf);
	return (void *)failures;
}

static void test_threads(void **state)
{
	struct reader readers[7];
	struct fb_device *dev = open_gzip(big_gz, -1, BIG);
	void *failures;
	unsigned i;

	(void)state;
	for (i = 0; i < 7; i++) {
		readers[i] = (struct reader){ .dev = dev, .seed = i / 2 };
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_around, &readers[i]), 0);
	}
	for (i = 0; i < 7; i++) {
		pthread_join(readers[i].thread, &failures);
		assert_int_equal((uintptr_t)failures, 0);
	}
	fb_device_close(dev);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random_access),
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_levels),
		cmocka_unit_test(test_small),
		cmocka_unit_test(test_members),
		cmocka_unit_test(test_header_fields),
		cmocka_unit_test(test_trailing),
		cmocka_unit_test(test_not_gzip),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_bent),
		cmocka_unit_test(test_changed_while_open),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_index_saved),
		cmocka_unit_test(test_index_stale),
		cmocka_unit_test(test_index_damaged),
		cmocka_unit_test(test_index_is_something_else),
		cmocka_unit_test(test_index_bound),
		cmocka_unit_test(test_index_bound_without_windows),
		cmocka_unit_test(test_index_thinned_works),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, make_big, free_big);
}
