/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_device.c: the front of the devices, memory, files and block devices.
 * Every kind of place for an image goes through the same random operations,
 * compared with a model in memory, and the bytes around the device's window
 * must stay as they were.  Block devices are loop devices; without root, or
 * where there is none to be had, those tests are skipped.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/loop.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "device.h"
#include "device_standins.h"

#define MIB (1u << 20)

/* ------------------------------------------------------------------ */
/* The front and memory                                                 */
/* ------------------------------------------------------------------ */

static void test_bounds(void **state)
{
	struct fb_device *dev;
	uint8_t buf[1024];

	(void)state;
	assert_int_equal(fb_device_open_mem(NULL, 4096, 512, &dev), 0);
	assert_int_equal(fb_device_read(dev, buf, 1024, 3072), 0);
	assert_int_equal(fb_device_read(dev, buf, 1024, 3073), -EIO);
	assert_int_equal(fb_device_read(dev, buf, 1024, UINT64_MAX - 10), -EIO);
	assert_int_equal(fb_device_read(dev, NULL, 0, 4096), 0);
	assert_int_equal(fb_device_read(dev, NULL, 0, 4097), -EIO);
	assert_int_equal(fb_device_write(dev, buf, 2, 4095), -EIO);
	assert_int_equal(fb_device_zero(dev, 4000, UINT64_MAX), -EIO);
	assert_int_equal(fb_device_discard(dev, 4096, 1), -EIO);
	fb_device_close(dev);
	fb_device_close(NULL);
}

static void test_read_only(void **state)
{
	struct fb_device *dev;
	uint8_t buf[512] = { 0 };

	(void)state;
	assert_int_equal(fb_device_open_mem("abcd", 4, 512, &dev), 0);
	dev->read_only = true;
	assert_int_equal(fb_device_write(dev, buf, 1, 0), -EROFS);
	assert_int_equal(fb_device_zero(dev, 0, 1), -EROFS);
	assert_int_equal(fb_device_discard(dev, 0, 4), -EROFS);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_memory_equal(fb_device_mem_bytes(dev), "abcd", 4);
	assert_int_equal(fb_device_make_writable(dev, -1), 0);
	assert_int_equal(fb_device_write(dev, "x", 1, 1), 0);
	assert_memory_equal(fb_device_mem_bytes(dev), "axcd", 4);
	fb_device_close(dev);
}

/* A device without any extras: the front must make do. */
struct plain {
	struct fb_device dev;
	uint8_t bytes[MIB];
	size_t largest;
	unsigned slow_us;
};

static int plain_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct plain *p = (struct plain *)dev;

	if (p->slow_us)
		usleep(p->slow_us);
	memcpy(buf, p->bytes + off, len);
	return 0;
}

static int plain_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	struct plain *p = (struct plain *)dev;

	if (len > p->largest)
		p->largest = len;
	memcpy(p->bytes + off, buf, len);
	return 0;
}

static int plain_refuse(struct fb_device *dev, uint64_t off, uint64_t len)
{
	(void)dev;
	(void)off;
	(void)len;
	return -EOPNOTSUPP;
}

static const struct fb_device_ops plain_ops = { .read = plain_read, .write = plain_write };
static const struct fb_device_ops refusing_ops = {
	.read = plain_read, .write = plain_write, .discard = plain_refuse, .zero = plain_refuse,
};

static struct plain *plain_new(const struct fb_device_ops *ops)
{
	struct plain *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	p->dev.ops = ops;
	p->dev.size = MIB;
	p->dev.sector = 512;
	p->dev.can_discard = true;
	memset(p->bytes, 0xee, MIB);
	return p;
}

static void check_zero_fallback(const struct fb_device_ops *ops)
{
	struct plain *p = plain_new(ops);
	size_t i;

	assert_int_equal(fb_device_zero(&p->dev, 100, 900000), 0);
	for (i = 0; i < MIB; i++)
		assert_int_equal(p->bytes[i], i >= 100 && i < 900100 ? 0 : 0xee);
	assert_true(p->largest <= 131072);
	assert_int_equal(fb_device_discard(&p->dev, 0, 4096), -EOPNOTSUPP);
	assert_int_equal(p->dev.can_discard, ops != &refusing_ops);
	assert_int_equal(fb_device_make_writable(&p->dev, -1), -EROFS);
	free(p);
}

static void test_zero_fallback(void **state)
{
	(void)state;
	check_zero_fallback(&plain_ops);
	check_zero_fallback(&refusing_ops);
}

static void test_slow_hands_over(void **state)
{
	struct plain *p = plain_new(&plain_ops);
	unsigned before = standin_blocked;
	uint8_t buf[512];
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		assert_int_equal(fb_device_read(&p->dev, buf, sizeof(buf), 0), 0);
	assert_int_equal(standin_blocked, before);
	p->slow_us = 300;
	for (i = 0; i < 50; i++)
		assert_int_equal(fb_device_read(&p->dev, buf, sizeof(buf), 0), 0);
	assert_true(standin_blocked - before > 30);
	/* Writes of the same device are still fast. */
	before = standin_blocked;
	assert_int_equal(fb_device_write(&p->dev, buf, sizeof(buf), 0), 0);
	assert_int_equal(standin_blocked, before);
	assert_int_equal(standin_block_depth, 0);
	free(p);
}

/* ------------------------------------------------------------------ */
/* Loop devices                                                         */
/* ------------------------------------------------------------------ */

/* Returns a descriptor of a loop device on @fd, or -1. */
static int loop_open_try(int fd, uint32_t sector)
{
	struct loop_config config = {
		.fd = (uint32_t)fd,
		.block_size = sector,
		.info = { .lo_flags = LO_FLAGS_AUTOCLEAR },
	};
	char path[32];
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC), loop, number;

	if (control < 0)
		return -1;
	number = ioctl(control, LOOP_CTL_GET_FREE);
	close(control);
	snprintf(path, sizeof(path), "/dev/loop%d", number);
	loop = number < 0 ? -1 : open(path, O_RDWR | O_CLOEXEC);
	if (loop >= 0 && ioctl(loop, LOOP_CONFIGURE, &config)) {
		close(loop);
		return -1;
	}
	return loop;
}

/* Others use loop devices too: the free one may be gone when it is configured. */
static int loop_open(int fd, uint32_t sector)
{
	int i, loop = -1;

	if (geteuid()) {
		print_message("skipped: loop devices need root\n");
		return -1;
	}
	for (i = 0; i < 20 && loop < 0; i++)
		loop = loop_open_try(fd, sector);
	if (loop < 0)
		print_message("skipped: no loop device to be had: %s\n", strerror(errno));
	return loop;
}

/* Not dup(): the device's descriptor may become a direct one. */
static int reopen(int fd, int flags)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	return open(path, flags | O_CLOEXEC);
}

/* ------------------------------------------------------------------ */
/* Every place for an image against a model                             */
/* ------------------------------------------------------------------ */

struct place {
	const char *name;
	const char *dir;	/* of the file */
	uint64_t size;		/* of the file */
	uint32_t loop_sector;	/* 0: the file itself */
	uint64_t offset, sizelimit;
	bool is_buffered;	/* must not be direct; else either may be */
};

static const struct place places[] = {
	{ "file in memory", "/dev/shm", 2 * MIB, 0, 0, 0, true },
	{ "file in memory, window", "/dev/shm", 2 * MIB, 0, 512 * 7, MIB + 512 * 3, true },
	{ "file", "/tmp", 2 * MIB, 0, 0, 0, false },
	{ "file, odd size", "/tmp", 2 * MIB + 777, 0, 0, 0, true },
	{ "file, 1 KiB past a page", "/tmp", 2 * MIB + 1024, 0, 0, 0, false },
	{ "file, window", "/tmp", 2 * MIB, 0, 512 * 9, MIB, false },
	{ "file, odd window", "/tmp", 2 * MIB, 0, 4096, MIB + 3, true },
	{ "loop 512", "/dev/shm", 2 * MIB, 512, 0, 0, false },
	{ "loop 512, window", "/dev/shm", 2 * MIB, 512, 512 * 63, MIB, false },
	{ "loop 4096", "/dev/shm", 2 * MIB, 4096, 0, 0, false },
	{ "loop 4096, window", "/dev/shm", 2 * MIB, 4096, 4096 * 3, MIB, false },
	{ "loop 4096, odd window", "/dev/shm", 2 * MIB, 4096, 512 * 63, MIB + 512, true },
};

static void random_step(struct fb_device *dev, uint8_t *model, uint8_t *buf, uint64_t *seed)
{
	static const uint32_t grains[] = { 1, 512, 512, 4096 };
	uint64_t dice = test_random(seed), grain = grains[dice % 4];
	uint64_t most = dice & 16 ? dev->size : dice & 32 ? 200000 : 9000;
	uint64_t off = test_random(seed) % dev->size / grain * grain;
	uint64_t len = 1 + test_random(seed) % most;
	uint8_t *p = buf + (dice & 64 ? test_random(seed) % 4096 : 0);

	len = (len + grain - 1) / grain * grain;
	if (len > dev->size - off)
		len = dev->size - off;
	switch (dice >> 8 & 7) {
	case 0:
		assert_int_equal(fb_device_zero(dev, off, len), 0);
		memset(model + off, 0, len);
		break;
	case 1:
		if (fb_device_discard(dev, off, len) == 0) {
			/* Every place here gives zeros afterwards; only whole sectors may go. */
			uint64_t s = dev->sector, from = (off + s - 1) / s * s, to = (off + len) / s * s;

			if (from < to)
				memset(model + from, 0, to - from);
		}
		break;
	case 2:
	case 3:
	case 4:
		test_fill(p, len, test_random(seed), 30);
		assert_int_equal(fb_device_write(dev, p, len, off), 0);
		memcpy(model + off, p, len);
		break;
	case 5:
		assert_int_equal(fb_device_flush(dev), 0);
		break;
	default:
		assert_int_equal(fb_device_read(dev, p, len, off), 0);
		assert_memory_equal(p, model + off, len);
	}
}

/* The whole file as @file shows it, after the device is gone. */
static void check_file(const struct place *place, int file, const uint8_t *before,
		       const uint8_t *model, uint64_t size)
{
	uint8_t *after = malloc(place->size);
	struct stat st;

	assert_non_null(after);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, place->size);
	assert_int_equal(pread(file, after, place->size, 0), place->size);
	assert_memory_equal(after, before, place->offset);
	assert_memory_equal(after + place->offset, model, size);
	assert_memory_equal(after + place->offset + size, before + place->offset + size,
			    place->size - place->offset - size);
	free(after);
}

static void run_place(const struct place *place, uint64_t seed)
{
	uint8_t *before = malloc(place->size), *model = malloc(place->size), *buf = NULL;
	int file = test_file(place->dir, place->size), fd = -1, i;
	struct fb_device *dev;
	uint64_t size = place->size - place->offset;

	assert_true(file >= 0);
	assert_int_equal(posix_memalign((void **)&buf, 4096, place->size + 8192), 0);
	test_fill(before, place->size, seed, 50);
	assert_int_equal(pwrite(file, before, place->size, 0), place->size);
	fd = place->loop_sector ? loop_open(file, place->loop_sector) : reopen(file, O_RDWR);
	if (fd < 0)
		goto out;
	assert_int_equal(fb_device_open_file(fd, place->offset, place->sizelimit, false, &dev), 0);
	size = place->sizelimit ? place->sizelimit : size;
	assert_int_equal(dev->size, size);
	assert_int_equal(dev->sector, place->loop_sector ? place->loop_sector : 512);
	assert_false(dev->read_only);
	if (place->is_buffered)
		assert_int_equal(dev->align, 1);
	else if (place->loop_sector)
		assert_int_equal(dev->align, place->loop_sector);
	memcpy(model, before + place->offset, size);
	for (i = 0; i < 300; i++)
		random_step(dev, model, buf, &seed);
	assert_int_equal(fb_device_flush(dev), 0);
	print_message("%s: align %u\n", place->name, dev->align);
	fb_device_close(dev);
	check_file(place, file, before, model, size);
out:
	close(file);
	free(before);
	free(model);
	free(buf);
}

static void test_places(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		run_place(&places[i], 1000 + i);
}

/* ------------------------------------------------------------------ */
/* Opening                                                              */
/* ------------------------------------------------------------------ */

static void test_open_errors(void **state)
{
	struct fb_device *dev = (void *)1;
	int fd;

	(void)state;
	assert_int_equal(fb_device_open_file(open("/dev/null", O_RDWR), 0, 0, false, &dev), -ENODEV);
	assert_int_equal(fb_device_open_file(open("/tmp", O_RDONLY), 0, 0, false, &dev), -ENODEV);
	assert_int_equal(fb_device_open_file(test_file(NULL, 8192), 100, 0, false, &dev), -EINVAL);
	assert_int_equal(fb_device_open_file(test_file(NULL, 8192), 8192, 0, false, &dev), -EINVAL);
	assert_int_equal(fb_device_open_file(test_file(NULL, 8192), 512ull << 50, 0, false, &dev), -EINVAL);
	assert_int_equal(fb_device_open_file(-1, 0, 0, false, &dev), -EBADF);
	assert_int_equal(fb_device_open_file(open("/dev/full", O_WRONLY), 0, 0, false, &dev), -ENODEV);
	assert_ptr_equal(dev, (void *)1);
	fd = test_file(NULL, 0);
	assert_int_equal(fb_device_open_file(fd, 0, 0, false, &dev), 0);
	assert_int_equal(dev->size, 0);
	fb_device_close(dev);
	/* Owned, also on failure. */
	fd = test_file(NULL, 8192);
	assert_int_equal(fb_device_open_file(fd, 1, 0, false, &dev), -EINVAL);
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

static void test_sizelimit_past_end(void **state)
{
	struct fb_device *dev;

	(void)state;
	assert_int_equal(fb_device_open_file(test_file(NULL, 8192), 512, 1 << 30, false, &dev), 0);
	assert_int_equal(dev->size, 7680);
	fb_device_close(dev);
}

static void test_fd_is_moved(void **state)
{
	int saved = fcntl(0, F_DUPFD_CLOEXEC, 10), file = test_file(NULL, 8192);
	struct fb_device *dev;
	uint8_t byte = 0;

	(void)state;
	close(0);
	assert_int_equal(reopen(file, O_RDWR), 0);
	assert_int_equal(fb_device_open_file(0, 0, 0, false, &dev), 0);
	assert_int_equal(fcntl(0, F_GETFD), -1);
	assert_int_equal(fb_device_write(dev, "z", 1, 77), 0);
	assert_int_equal(pread(file, &byte, 1, 77), 1);
	assert_int_equal(byte, 'z');
	fb_device_close(dev);
	close(file);
	if (saved >= 0) {
		dup2(saved, 0);
		close(saved);
	}
}

static void test_make_writable(void **state)
{
	int file = test_file(NULL, 65536), other = test_file(NULL, 65536);
	struct fb_device *dev;

	(void)state;
	assert_int_equal(fb_device_open_file(reopen(file, O_RDONLY), 0, 0, false, &dev), 0);
	assert_true(dev->read_only);
	assert_int_equal(fb_device_write(dev, "a", 1, 0), -EROFS);
	assert_int_equal(fb_device_make_writable(dev, reopen(file, O_RDONLY)), -EROFS);
	assert_int_equal(fb_device_make_writable(dev, reopen(other, O_RDWR)), -EINVAL);
	assert_int_equal(fb_device_make_writable(dev, -1), -EINVAL);
	assert_true(dev->read_only);
	assert_int_equal(fb_device_make_writable(dev, reopen(file, O_RDWR)), 0);
	assert_false(dev->read_only);
	assert_int_equal(fb_device_write(dev, "a", 1, 513), 0);
	assert_int_equal(fb_device_flush(dev), 0);
	fb_device_close(dev);
	close(file);
	close(other);
}

/* Opened while write-protected, and write-protected under us; the mark would outlive the loop's use. */
static void test_write_protected_device(void **state)
{
	int file = test_file("/dev/shm", MIB), loop = loop_open(file, 512), on = 1, off = 0;
	struct fb_device *protected = NULL, *dev = NULL;
	int set, opened, ret;

	(void)state;
	close(file);
	if (loop < 0)
		skip();
	set = ioctl(loop, BLKROSET, &on);
	opened = fb_device_open_file(dup(loop), 0, 0, false, &protected);
	ioctl(loop, BLKROSET, &off);
	assert_int_equal(set, 0);
	assert_int_equal(opened, 0);
	assert_true(protected->read_only);
	assert_int_equal(fb_device_open_file(dup(loop), 0, 0, false, &dev), 0);
	assert_false(dev->read_only);
	ioctl(loop, BLKROSET, &on);
	ret = fb_device_write(dev, "x", 1, 0);
	ioctl(loop, BLKROSET, &off);
	assert_int_equal(ret, -EROFS);
	fb_device_close(protected);
	fb_device_close(dev);
	close(loop);
}

/* ------------------------------------------------------------------ */
/* Trouble below                                                        */
/* ------------------------------------------------------------------ */

static void check_truncated(const char *dir)
{
	int file = test_file(dir, 65536);
	struct fb_device *dev;
	uint8_t buf[8192];

	assert_int_equal(fb_device_open_file(reopen(file, O_RDWR), 0, 0, false, &dev), 0);
	assert_int_equal(ftruncate(file, 16384), 0);
	assert_int_equal(fb_device_read(dev, buf, 8192, 8192), 0);
	assert_int_equal(fb_device_read(dev, buf, 8192, 12288), -EIO);
	assert_int_equal(fb_device_read(dev, buf, 100, 32001), -EIO);
	fb_device_close(dev);
	close(file);
}

static void test_truncated_behind(void **state)
{
	(void)state;
	check_truncated("/tmp");
	check_truncated("/dev/shm");
}

static void test_no_space(void **state)
{
	char dir[] = "/tmp/fuseblk-test-XXXXXX";
	struct fb_device *dev;
	uint8_t *buf = calloc(1, 4 * MIB);
	int file;

	(void)state;
	assert_non_null(mkdtemp(dir));
	if (geteuid() || mount("test", dir, "tmpfs", 0, "size=1m")) {
		print_message("skipped: mounting a small tmpfs needs root\n");
		rmdir(dir);
		free(buf);
		skip();
	}
	file = test_file(dir, 8 * MIB);
	assert_int_equal(umount2(dir, MNT_DETACH), 0);
	rmdir(dir);
	assert_int_equal(fb_device_open_file(file, 0, 0, false, &dev), 0);
	memset(buf, 1, 4 * MIB);
	assert_int_equal(fb_device_write(dev, buf, 4096, 0), 0);
	assert_int_equal(fb_device_write(dev, buf, 4 * MIB, MIB), -ENOSPC);
	assert_int_equal(fb_device_read(dev, buf, 4096, 0), 0);
	assert_int_equal(buf[4095], 1);
	fb_device_close(dev);
	free(buf);
}

static void test_zero_keeps_size_and_frees(void **state)
{
	int file = test_file("/dev/shm", 4 * MIB);
	struct fb_device *dev;
	struct stat st;

	(void)state;
	assert_int_equal(fb_device_open_file(reopen(file, O_RDWR), 0, 0, false, &dev), 0);
	assert_int_equal(fb_device_write(dev, "x", 1, 4 * MIB - 1), 0);
	assert_int_equal(fb_device_zero(dev, 0, MIB), 0);
	assert_int_equal(fb_device_discard(dev, 0, 4 * MIB), 0);
	assert_int_equal(fstat(file, &st), 0);
	assert_int_equal(st.st_size, 4 * MIB);
	assert_int_equal(st.st_blocks, 0);
	fb_device_close(dev);
	close(file);
}

/* ------------------------------------------------------------------ */
/* Threads                                                              */
/* ------------------------------------------------------------------ */

#define WRITERS 4

struct writer {
	struct fb_device *dev;
	unsigned number;
	pthread_t thread;
};

/* Each has its own 512 bytes of every 2048. */
static void *write_pieces(void *arg)
{
	struct writer *w = arg;
	uint8_t piece[512];
	uintptr_t ret;
	unsigned i, round;

	for (round = 1; round <= 20; round++) {
		memset(piece, (int)(w->number * 32 + round), sizeof(piece));
		for (i = 0; i < 16; i++) {
			ret = (uintptr_t)-fb_device_write(w->dev, piece, 512, i * 2048 + w->number * 512);
			if (ret)
				return (void *)ret;
		}
	}
	return NULL;
}

static void check_pieces(struct fb_device *dev)
{
	uint8_t buf[32768];
	unsigned i;

	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 0), 0);
	for (i = 0; i < sizeof(buf); i++)
		assert_int_equal(buf[i], i / 512 % 4 * 32 + 20);
}

static void test_parts_of_a_unit(void **state)
{
	struct writer writers[WRITERS];
	int file = test_file("/dev/shm", MIB), loop = loop_open(file, 4096);
	struct fb_device *dev;
	unsigned i;
	void *failed;

	(void)state;
	close(file);
	if (loop < 0)
		skip();
	assert_int_equal(fb_device_open_file(loop, 0, 0, false, &dev), 0);
	for (i = 0; i < WRITERS; i++) {
		writers[i] = (struct writer){ .dev = dev, .number = i };
		assert_int_equal(pthread_create(&writers[i].thread, NULL, write_pieces, &writers[i]), 0);
	}
	for (i = 0; i < WRITERS; i++) {
		pthread_join(writers[i].thread, &failed);
		assert_int_equal((uintptr_t)failed, 0);
	}
	check_pieces(dev);
	fb_device_close(dev);
}

static void test_window(void **state)
{
	struct fb_device *lower, *dev;
	uint8_t image[4096], got[1024];

	(void)state;
	for (size_t i = 0; i < sizeof(image); i++)
		image[i] = (uint8_t)(i / 7);
	assert_int_equal(fb_device_open_mem(image, sizeof(image), 512, &lower), 0);
	assert_int_equal(fb_device_open_window(lower, 1024, 2048, &dev), 0);
	assert_int_equal(dev->size, 2048);
	assert_true(dev->read_only);
	assert_int_equal(fb_device_read(dev, got, sizeof(got), 1000), 0);
	assert_memory_equal(got, image + 2024, sizeof(got));
	assert_int_equal(fb_device_read(dev, got, sizeof(got), 1025), -EIO);
	assert_int_equal(fb_device_write(dev, got, 1, 0), -EROFS);
	fb_device_close(dev);
	assert_int_equal(fb_device_open_mem(image, sizeof(image), 512, &lower), 0);
	assert_int_equal(fb_device_open_window(lower, 4096, 0, &dev), -EINVAL);
	assert_int_equal(fb_device_open_mem(image, sizeof(image), 512, &lower), 0);
	assert_int_equal(fb_device_open_window(lower, 100, 0, &dev), -EINVAL);
}

/* Writes to an image that was cut succeed, as the file grows again: the flush must not. */
static void test_cut_image(void **state)
{
	struct fb_device *dev;
	char buf[512] = "x";
	int fd = memfd_create("image", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, MIB), 0);
	assert_int_equal(fb_device_open_file(dup(fd), 0, 0, false, &dev), 0);
	assert_int_equal(fb_device_write(dev, buf, sizeof(buf), 0), 0);
	assert_int_equal(fb_device_flush(dev), 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(fb_device_write(dev, buf, sizeof(buf), 8192), 0);
	assert_int_equal(fb_device_flush(dev), -EIO);
	assert_int_equal(ftruncate(fd, MIB), 0);
	assert_int_equal(fb_device_write(dev, buf, sizeof(buf), 0), -EIO);
	assert_int_equal(fb_device_read(dev, buf, sizeof(buf), 0), -EIO);
	assert_int_equal(fb_device_flush(dev), -EIO);
	fb_device_close(dev);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bounds),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_zero_fallback),
		cmocka_unit_test(test_slow_hands_over),
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_open_errors),
		cmocka_unit_test(test_sizelimit_past_end),
		cmocka_unit_test(test_fd_is_moved),
		cmocka_unit_test(test_make_writable),
		cmocka_unit_test(test_write_protected_device),
		cmocka_unit_test(test_truncated_behind),
		cmocka_unit_test(test_no_space),
		cmocka_unit_test(test_zero_keeps_size_and_frees),
		cmocka_unit_test(test_parts_of_a_unit),
		cmocka_unit_test(test_window),
		cmocka_unit_test(test_cut_image),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
