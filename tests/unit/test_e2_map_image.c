// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_map_image.c: file data through the library and the driver on real
 * images made by mke2fs: random writes, truncations and fallocates of a few
 * files, compared with arrays of bytes, `e2fsck -fn` after each, and
 * `e2fsck -p` after cuts of the write log.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>
#include "../../fs-ext2/ext2.h"
#include "../../libfuseblk/data.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "../lib/chance.h"

#define FILES	4u
#define MOST	(3u << 20)	/* bytes of a file in use */

struct file {
	uint64_t ino, size;
	uint8_t *bytes;
};

static const struct image {
	const char *name, *options;
} images[] = {
	{ "ext2, 1k", "-t ext2 -b 1024" },
	{ "ext2, 4k", "-t ext2 -b 4096 -I 128" },
	{ "ext4, 1k", "-t ext4 -O ^has_journal,metadata_csum -b 1024" },
	{ "ext4, 4k", "-t ext4 -O ^has_journal,^metadata_csum,uninit_bg -b 4096" },
	{ "inline", "-t ext4 -O ^has_journal,inline_data,metadata_csum -I 256 -b 1024" },
};

static const struct fuseblk_driver driver = {
	.name = "ext2", .version = "test", .options = e2_option_table,
	.options_size = sizeof(struct e2_options), .node_size = sizeof(struct e2_inode),
	.ops = &e2_operations,
};

static struct fuseblk_volume *vol;
static struct file file[FILES];
static uint32_t seed;
static char dir[] = "/dev/shm/e2map.XXXXXX";

static uint32_t rnd(uint32_t below)
{
	return chance(&seed, below);
}

static int run(const char *format, ...)
{
	char cmd[600];
	va_list args;
	int status;

	va_start(args, format);
	vsnprintf(cmd, sizeof(cmd), format, args);
	va_end(args);
	status = system(cmd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void make_image(const struct image *im)
{
	assert_int_equal(run("cd %s && rm -rf img src && mkdir src && : > src/a && head -c 70 /dev/zero > src/b && "
			     "head -c 300000 /dev/zero > src/c && head -c 5000 /dev/zero > src/d && truncate -s 8M img && "
			     "mke2fs -q -F -m 1 %s -d src img > /dev/null 2>&1", dir, im->options), 0);
}

static void check_image(const char *name)
{
	if (run("e2fsck -fn %s/%s > %s/log 2>&1", dir, name, dir)) {
		run("cat %s/log", dir);
		fail_msg("e2fsck found damage");
	}
}

static struct fb_device *open_image(struct fb_device **mem)
{
	struct fb_device *dev;
	char path[100];
	void *bytes = malloc(8 << 20);
	int fd;

	snprintf(path, sizeof(path), "%s/img", dir);
	fd = open(path, O_RDWR);
	assert_true(fd >= 0);
	assert_int_equal(read(fd, bytes, 8 << 20), 8 << 20);
	close(fd);
	assert_int_equal(fb_device_open_mem(bytes, 8 << 20, 512, mem), 0);
	assert_int_equal(fb_device_open_fault(*mem, &dev), 0);
	free(bytes);
	return dev;
}

static void save(const char *name, const void *bytes)
{
	char path[100];
	int fd;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, 8 << 20), 8 << 20);
	close(fd);
}

static struct fuseblk_node *get(const struct file *f)
{
	struct fuseblk_node *node;

	assert_int_equal(fb_node_get(vol, f->ino, &node), 0);
	return node;
}

static void find_files(void)
{
	static const char names[FILES][2] = { "a", "b", "c", "d" };
	static const uint32_t sizes[FILES] = { 0, 70, 300000, 5000 };
	struct fuseblk_node *root;

	assert_int_equal(fb_node_get(vol, E2_ROOT_INO, &root), 0);
	for (unsigned i = 0; i < FILES; i++) {
		assert_int_equal(e2_lookup(vol, root, names[i], 1, &file[i].ino), 0);
		file[i].size = sizes[i];
		file[i].bytes = calloc(1, MOST);
	}
	fb_node_put(root);
}

static void read_back(const struct file *f, uint8_t *to)
{
	struct fuseblk_node *node = get(f);

	memset(to, 0, MOST);
	assert_int_equal(fb_data_read(node, to, MOST, 0), f->size);
	fb_node_put(node);
}

static void compare(const struct file *f)
{
	uint8_t *got = malloc(MOST);

	read_back(f, got);
	for (uint32_t i = 0; i < MOST; i++)
		if (got[i] != f->bytes[i])
			fail_msg("inode %u byte %u of %u is %02x, not %02x", (unsigned)f->ino, i,
				 (unsigned)f->size, got[i], f->bytes[i]);
	free(got);
}

static uint64_t real_size(const struct file *f)
{
	struct fuseblk_node *node = get(f);
	uint64_t size = e2_i(node)->size;

	fb_node_put(node);
	return size;
}

/* What a failed operation left counts. */
static void take_over(struct file *f)
{
	f->size = real_size(f);
	read_back(f, f->bytes);
}

static ssize_t again(ssize_t r, unsigned *tries)
{
	if (r != -FUSEBLK_EAGAIN_COMMIT)
		return r;
	assert_int_equal(fb_commit(vol->cache), 0);
	return ++*tries < 3 ? r : -ENOSPC;
}

static void op_write(struct file *f, uint32_t off, uint32_t len)
{
	struct fuseblk_caller who = { .uid = 0, .may_use_reserved = true };
	uint8_t *data = malloc(len), value = (uint8_t)(1 + rnd(255));
	struct fuseblk_node *node = get(f);
	unsigned tries = 0;
	ssize_t r;

	memset(data, value, len);
	do
		r = again(fb_data_write(node, data, len, off, 0, &who), &tries);
	while (r == -FUSEBLK_EAGAIN_COMMIT);
	fb_node_put(node);
	free(data);
	if (r > 0) {
		memset(f->bytes + off, value, (size_t)r);
		if (off + (uint64_t)r > f->size)
			f->size = off + (uint64_t)r;
	}
	if (r != (ssize_t)len) {
		assert_true(r > 0 || r == -ENOSPC);
		take_over(f);
	}
}

static void op_truncate(struct file *f, uint32_t size)
{
	struct fuseblk_node *node = get(f);

	pthread_rwlock_wrlock(&node->lock);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	assert_int_equal(fb_data_resize_locked(node, size), 0);
	fuseblk_node_changed(node);
	fb_volume_change_end(vol);
	pthread_rwlock_unlock(&node->lock);
	fb_node_put(node);
	if (size < f->size)
		memset(f->bytes + size, 0, f->size - size);
	f->size = size;
}

static void op_fallocate(struct file *f, uint32_t mode, uint32_t off, uint32_t len)
{
	struct fuseblk_caller who = { .uid = 1000 };
	struct fuseblk_node *node = get(f);
	unsigned tries = 0;
	int r;

	do
		r = (int)again(fb_data_fallocate(node, mode, off, len, &who), &tries);
	while (r == -FUSEBLK_EAGAIN_COMMIT);
	fb_node_put(node);
	if (r == -ENOSPC) {
		take_over(f);
		return;
	}
	if (r == -EOPNOTSUPP)
		return;
	assert_int_equal(r, 0);
	if (mode & FALLOC_FL_PUNCH_HOLE && off < f->size)
		memset(f->bytes + off, 0, len);
	if (mode & FALLOC_FL_ZERO_RANGE)
		memset(f->bytes + off, 0, len);
	if (!(mode & FALLOC_FL_KEEP_SIZE) && off + len > f->size)
		f->size = off + len;
}

static void random_op(struct file *f)
{
	uint32_t off = rnd(3) ? rnd(60000) : rnd(MOST - 1), most = MOST - off;
	uint32_t len = 1 + rnd(rnd(3) ? 5000 : rnd(3) ? 60000 : 1 << 20);

	if (rnd(5) == 0)
		off = (uint32_t)f->size < MOST - 1 ? (uint32_t)f->size : 0, most = MOST - off;
	if (rnd(8) == 0)
		off = rnd(200), len = 1 + rnd(100), most = MOST;
	if (len > most)
		len = most;
	switch (rnd(12)) {
	case 0:
		op_truncate(f, off);
		break;
	case 1:
	case 2:
		op_fallocate(f, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, off, len);
		break;
	case 3:
		op_fallocate(f, rnd(2) ? FALLOC_FL_KEEP_SIZE : 0, off, len);
		break;
	case 4:
		op_fallocate(f, FALLOC_FL_ZERO_RANGE | (rnd(2) ? FALLOC_FL_KEEP_SIZE : 0), off, len);
		break;
	case 5:
		for (uint32_t i = 0; i < 40 && off + 9000 * i + 10 < MOST; i++)
			op_write(f, off + 9000 * i, 10);
		break;
	default:
		op_write(f, off, len);
	}
}

static struct fb_device *start(const struct image *im, struct fb_device **mem, struct fb_write_log **log)
{
	struct fb_device *dev;
	char error[300];

	make_image(im);
	dev = open_image(mem);
	if (log)
		assert_int_equal(fb_device_fault_log(dev, log), 0);
	if (fb_volume_new(&driver, dev, im->name, "commit=900", &vol, error, sizeof(error)))
		fail_msg("%s: %s", im->name, error);
	assert_int_equal(fb_volume_start(vol), 0);
	find_files();
	return dev;
}

static void finish(void)
{
	for (unsigned i = 0; i < FILES; i++)
		free(file[i].bytes);
	fb_volume_free(vol);
}

static void run_ops(unsigned n)
{
	for (unsigned k = 0; k < n; k++) {
		struct file *f = &file[rnd(FILES)];

		random_op(f);
		if (rnd(4) == 0)
			compare(f);
		if (rnd(15) == 0)
			assert_int_equal(fb_commit(vol->cache), 0);
		if (rnd(40) == 0)
			fb_cache_shrink(vol->cache);
	}
	for (unsigned i = 0; i < FILES; i++)
		compare(&file[i]);
}

static void run_image(const struct image *im, uint32_t s)
{
	struct fb_device *mem;

	seed = s;
	start(im, &mem, NULL);
	run_ops(200);
	assert_int_equal(fb_volume_stop(vol), 0);
	save("out", fb_device_mem_bytes(mem));
	finish();
	check_image("out");
}

/* More with E2_MAP_SEEDS=N in the environment. */
static uint32_t seeds(void)
{
	const char *text = getenv("E2_MAP_SEEDS");

	return text ? (uint32_t)strtoul(text, NULL, 10) : 1;
}

static void test_images(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		for (uint32_t s = 1; s <= seeds(); s++) {
			print_message("%s, seed %u\n", images[i].name, s);
			run_image(&images[i], s * 7919 + i);
		}
}

/* Cut at @at with some of the writes since the last flush: e2fsck -p repairs it unattended. */
static void check_cut(const struct fb_write_log *log, const uint8_t *before, size_t at, uint8_t *image)
{
	size_t flushed = 0;
	int r;

	memcpy(image, before, 8 << 20);
	for (size_t i = 0; i < at; i++)
		if (!fb_write_log_get(log, i)->len)
			flushed = i;
	for (size_t i = 0; i < at; i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(log, i);

		if (e->len && (i < flushed || rnd(2)))
			memcpy(image + e->off, e->bytes, e->len);
	}
	save("cut", image);
	r = run("e2fsck -p %s/cut > %s/log 2>&1", dir, dir);
	if (r > 1) {
		run("cat %s/log", dir);
		fail_msg("e2fsck -p: %d, cut at write %zu of %zu", r, at, fb_write_log_count(log));
	}
	check_image("cut");
}

static void run_cuts(const struct image *im, uint32_t s)
{
	uint8_t *before = malloc(8 << 20), *image = malloc(8 << 20);
	struct fb_write_log *log;
	struct fb_device *mem;
	size_t count;

	seed = s;
	make_image(im);
	start(im, &mem, &log);
	memcpy(before, fb_device_mem_bytes(mem), 8 << 20);
	count = fb_write_log_count(log);
	run_ops(60);
	assert_int_equal(fb_commit(vol->cache), 0);
	for (unsigned i = 0; i < 5; i++)
		check_cut(log, before, count + rnd((uint32_t)(fb_write_log_count(log) - count)), image);
	finish();
	fb_write_log_free(log);
	free(before);
	free(image);
}

static void test_cuts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(images) / sizeof(images[0]); i++)
		for (uint32_t s = 1; s <= seeds(); s++)
			run_cuts(&images[i], 104729 * s + i);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_cuts),
	};
	int r;

	if (run("command -v mke2fs e2fsck > /dev/null"))
		return 77;
	if (!mkdtemp(dir))
		return 99;
	r = cmocka_run_group_tests(tests, NULL, NULL);
	run("rm -rf %s", dir);
	return r;
}
