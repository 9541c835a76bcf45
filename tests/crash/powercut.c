// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut: run a workload, then cut the power everywhere.
 *
 * usage: powercut [-s SEED] [-n STEPS] [-e EVERY] [-d DROPS] [-m] [-k DIRECTORY] MKE2FS-OPTIONS...
 *   -e  try every EVERYth cut (default 1: all)
 *   -d  random subsets of the unflushed writes tried at each cut (default 2)
 *   -m  directories move between directories too; then "e2fsck -y" may be needed
 *   -k  keep images that failed there
 * Prints one line "ok - ..." or "not ok - ...". Exit status 0 or 1.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "crash.h"
#include "device.h"
#include "fakekernel.h"

extern const struct fuseblk_driver e2_driver;

#define IMAGE_BYTES (4u << 20)

struct sweep {
	unsigned long seed, steps, every, drops;
	bool move_dirs;
	const char *keep;
	char image[64];
	uint8_t *base, *stable, *work;
	uint32_t unit;			/* what a cut may tear a longer write into */
	struct workload load;
	unsigned long cuts, images, failures;
};

static void store(const struct sweep *s, const uint8_t *bytes)
{
	int fd = open(s->image, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	if (fd < 0 || write(fd, bytes, IMAGE_BYTES) != IMAGE_BYTES) {
		perror(s->image);
		exit(2);
	}
	close(fd);
}

static void make_image(struct sweep *s, char **options)
{
	char command[1024];
	int fd;

	snprintf(command, sizeof(command), "truncate -s %u %s && mke2fs -q -F", IMAGE_BYTES, s->image);
	for (; *options; options++)
		snprintf(command + strlen(command), sizeof(command) - strlen(command), " '%s'", *options);
	snprintf(command + strlen(command), sizeof(command) - strlen(command), " %s", s->image);
	if (system(command))
		exit(2);
	fd = open(s->image, O_RDONLY);
	if (fd < 0 || read(fd, s->base, IMAGE_BYTES) != IMAGE_BYTES)
		exit(2);
	close(fd);
	s->unit = 1024u << s->base[1024 + 24];
}

static int e2fsck(const char *options, const char *image)
{
	char command[256];
	int status;

	snprintf(command, sizeof(command), "e2fsck %s %s >%s.log 2>&1", options, image, image);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void report(struct sweep *s, size_t cut, const char *what)
{
	char command[256];

	printf("# cut at write %zu, image %lu: %s\n", cut, s->images, what);
	if (++s->failures <= 3) {
		snprintf(command, sizeof(command), "head -20 %s.log | sed 's/^/#   /'", s->image);
		fflush(stdout);
		if (system(command))
			exit(2);
	}
	if (!s->keep)
		return;
	snprintf(command, sizeof(command), "cp %s.cut %s/seed%lu-cut%zu-%lu.img", s->image, s->keep, s->seed,
		 cut, s->images);
	if (system(command))
		exit(2);
}

static void try_image(struct sweep *s, const uint8_t *bytes, size_t cut)
{
	const char *what;
	char copy[80];
	int status;

	s->images++;
	store(s, bytes);
	if (s->keep) {
		char command[256];

		snprintf(command, sizeof(command), "cp %s %s.cut", s->image, s->image);
		if (system(command))
			exit(2);
	}
	status = e2fsck("-p", s->image);
	if (status == 4 && s->move_dirs)
		status = e2fsck("-y -f", s->image);
	if (status > 1) {
		report(s, cut, "e2fsck -p does not repair it");
		return;
	}
	snprintf(copy, sizeof(copy), "%s", s->image);
	if (e2fsck("-fn", copy)) {
		report(s, cut, "e2fsck -fn still finds something");
		return;
	}
	what = promises_check(s->image, &s->load.promises, cut);
	if (what)
		report(s, cut, what);
}

static void apply(uint8_t *to, const struct fb_write_log_entry *e)
{
	if (e->len && e->off + e->len <= IMAGE_BYTES)
		memcpy(to + e->off, e->bytes, e->len);
}

/* Each block of each unflushed write reaches the device or not, by chance. */
static void apply_some(const struct sweep *s, uint8_t *to, const struct fb_write_log_entry *e)
{
	for (uint64_t at = 0; at < e->len; at += s->unit) {
		uint64_t n = e->len - at < s->unit ? e->len - at : s->unit;

		if (roll() % 2 && e->off + at + n <= IMAGE_BYTES)
			memcpy(to + e->off + at, e->bytes + at, n);
	}
}

static void try_cut(struct sweep *s, size_t flushed, size_t cut)
{
	s->cuts++;
	memcpy(s->work, s->stable, IMAGE_BYTES);
	for (size_t i = flushed; i < cut; i++)
		apply(s->work, fb_write_log_get(s->load.log, i));
	try_image(s, s->work, cut);
	for (unsigned long d = 0; d < s->drops && cut > flushed; d++) {
		memcpy(s->work, s->stable, IMAGE_BYTES);
		for (size_t i = flushed; i < cut; i++)
			apply_some(s, s->work, fb_write_log_get(s->load.log, i));
		try_image(s, s->work, cut);
	}
}

static void sweep(struct sweep *s)
{
	size_t n = fb_write_log_count(s->load.log), flushed = 0;

	memcpy(s->stable, s->base, IMAGE_BYTES);
	for (size_t cut = 0; cut <= n && s->failures < 20; cut++) {
		if ((cut + s->seed) % s->every == 0 || cut == n)
			try_cut(s, flushed, cut);
		if (cut == n || fb_write_log_get(s->load.log, cut)->len)
			continue;
		for (; flushed < cut; flushed++)
			apply(s->stable, fb_write_log_get(s->load.log, flushed));
		flushed = cut + 1;
	}
}

static void run_workload(struct sweep *s)
{
	struct fb_device *mem, *dev;

	assert_int_equal(fb_device_open_mem(s->base, IMAGE_BYTES, 512, &mem), 0);
	assert_int_equal(fb_device_open_fault(mem, &dev), 0);
	assert_int_equal(fb_device_fault_log(dev, &s->load.log), 0);
	s->load.fk = fk_start_ready(&e2_driver, dev, "");
	s->load.steps = (unsigned)s->steps;
	s->load.move_dirs = s->move_dirs;
	roll_seed(s->seed);
	workload_run(&s->load);
	fk_forget_all(s->load.fk);
	assert_int_equal(fk_stop(s->load.fk), 0);
}

static void test_sweep(void **state)
{
	struct sweep *s = *state;

	run_workload(s);
	sweep(s);
	assert_int_equal(s->failures, 0);
}

int main(int argc, char **argv)
{
	struct sweep s = { .seed = 1, .steps = 300, .every = 1, .drops = 2 };
	int opt;

	while ((opt = getopt(argc, argv, "+s:n:e:d:mk:")) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (opt) {
		case 's': s.seed = n; break;
		case 'n': s.steps = n; break;
		case 'e': s.every = n ? n : 1; break;
		case 'd': s.drops = n; break;
		case 'm': s.move_dirs = true; break;
		case 'k': s.keep = optarg; break;
		default: return 2;
		}
	}
	snprintf(s.image, sizeof(s.image), "/dev/shm/powercut-%d.img", getpid());
	s.base = malloc(IMAGE_BYTES);
	s.stable = malloc(IMAGE_BYTES);
	s.work = malloc(IMAGE_BYTES);
	if (!s.base || !s.stable || !s.work)
		return 2;
	make_image(&s, argv + optind);
	{
		const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(test_sweep, &s) };
		int failed = cmocka_run_group_tests(tests, NULL, NULL);
		char command[256];

		printf("%sok - powercut seed %lu: %zu log entries, %lu cuts, %lu images, %zu promises\n",
		       failed ? "not " : "", s.seed, s.load.log ? fb_write_log_count(s.load.log) : 0, s.cuts,
		       s.images, s.load.promises.count);
		snprintf(command, sizeof(command), "rm -f %s %s.log %s.cut", s.image, s.image, s.image);
		if (system(command))
			return 2;
		return failed ? 1 : 0;
	}
}
