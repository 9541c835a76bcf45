// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * powercut: run a workload, then cut the power everywhere.
 *
 * usage: powercut [-f FORMAT] [-s SEED] [-n STEPS] [-e EVERY] [-d DROPS] [-r EVERY] [-b KIB] [-m] [-v] [-k DIRECTORY] -- MKFS-OPTIONS...
 *   -f  ext2 (default) or fat
 *   -e  try every EVERYth cut (default 1: all)
 *   -d  random subsets of the unflushed writes tried at each cut (default 2)
 *   -r  fat: have fsck.fat repair every EVERYth image (default 10; 0: none)
 *   -b  size of the volume
 *   -m  ext2: directories move between directories too; then "e2fsck -y" may be needed
 *   -v  fat: say what the workload does, with the number of entries in the log
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

#define FAILURES_MOST 20	/* then it is no use to go on */

static const struct format *const formats[] = { &format_ext2, &format_fat };

static uint8_t *base, *stable, *work;

/* ---- the image's file ------------------------------------------------------ */

static void move_file(const struct crash *c, uint8_t *bytes, int flags)
{
	int fd = open(c->image, flags, 0600);

	for (size_t done = 0; fd >= 0 && done < c->size;) {
		ssize_t n = flags & O_WRONLY ? write(fd, bytes + done, c->size - done)
					     : read(fd, bytes + done, c->size - done);

		if (n <= 0)
			break;
		done += (size_t)n;
		if (done == c->size) {
			close(fd);
			return;
		}
	}
	perror(c->image);
	exit(2);
}

void crash_store(const struct crash *c, const uint8_t *bytes)
{
	move_file(c, (uint8_t *)(uintptr_t)bytes, O_WRONLY | O_CREAT);
}

void crash_load(const struct crash *c, uint8_t *bytes)
{
	move_file(c, bytes, O_RDONLY);
}

int crash_run(const char *format, ...)
{
	char command[1024];
	va_list ap;
	int status;

	va_start(ap, format);
	vsnprintf(command, sizeof(command), format, ap);
	va_end(ap);
	fflush(stdout);
	status = system(command);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 255;
}

static void make_image(struct crash *c, char **options)
{
	char words[512] = "";

	for (; *options; options++)
		snprintf(words + strlen(words), sizeof(words) - strlen(words), " '%s'", *options);
	if (crash_run("truncate -s %zu %s && %s%s %s >%s.log 2>&1", c->size, c->image, c->format->mkfs, words,
		      c->image, c->image)) {
		crash_run("cat %s.log >&2", c->image);
		exit(2);
	}
	crash_load(c, base);
	c->format->prepare(c, base);
}

/* ---- cuts ------------------------------------------------------------------- */

static void report(struct crash *c, const uint8_t *bytes, size_t cut, const char *what)
{
	printf("# cut at write %zu, image %lu: %s\n", cut, c->images, what);
	if (++c->failures <= 3)
		crash_run("head -20 %s.log | sed 's/^/#   /'", c->image);
	if (!c->keep)
		return;
	crash_store(c, bytes);
	crash_run("cp %s %s/%s-seed%lu-cut%zu-%lu.img", c->image, c->keep, c->format->name, c->seed, cut, c->images);
}

static void try_image(struct crash *c, const uint8_t *bytes, size_t cut)
{
	const char *what;

	c->images++;
	what = c->format->judge(c, bytes, cut);
	if (what)
		report(c, bytes, cut, what);
}

static void apply(const struct crash *c, uint8_t *to, const struct fb_write_log_entry *e)
{
	if (e->len && e->off + e->len <= c->size)
		memcpy(to + e->off, e->bytes, e->len);
}

/* Each block of each unflushed write reaches the device or not, by chance. */
static void apply_some(const struct crash *c, uint8_t *to, const struct fb_write_log_entry *e, unsigned percent)
{
	uint64_t n;

	for (uint64_t at = 0; at < e->len; at += n) {
		n = c->unit - (e->off + at) % c->unit;
		if (n > e->len - at)
			n = e->len - at;
		if (roll() % 100 < percent && e->off + at + n <= c->size)
			memcpy(to + e->off + at, e->bytes + at, n);
	}
}

/* What these entries may have changed is as it was. */
static void restore(const struct crash *c, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(c->log, i);

		if (e->off + e->len <= c->size)
			memcpy(work + e->off, stable + e->off, e->len);
	}
}

static void try_cut(struct crash *c, size_t flushed, size_t cut)
{
	static const unsigned percents[] = { 50, 90, 10 };

	c->cuts++;
	for (size_t i = flushed; i < cut; i++)
		apply(c, work, fb_write_log_get(c->log, i));
	try_image(c, work, cut);
	restore(c, flushed, cut);
	for (unsigned long d = 0; d < c->drops && cut > flushed; d++) {
		for (size_t i = flushed; i < cut; i++)
			apply_some(c, work, fb_write_log_get(c->log, i), percents[d % 3]);
		try_image(c, work, cut);
		restore(c, flushed, cut);
	}
}

static void make_stable(const struct crash *c, size_t from, size_t to)
{
	for (size_t i = from; i < to; i++) {
		apply(c, stable, fb_write_log_get(c->log, i));
		apply(c, work, fb_write_log_get(c->log, i));
	}
}

static void sweep(struct crash *c)
{
	size_t n = fb_write_log_count(c->log), flushed = 0;

	memcpy(stable, base, c->size);
	memcpy(work, base, c->size);
	for (size_t cut = 0; cut <= n && c->failures < FAILURES_MOST; cut++) {
		if ((cut + c->seed) % c->every == 0 || cut == n)
			try_cut(c, flushed, cut);
		if (cut == n || fb_write_log_get(c->log, cut)->len)
			continue;
		make_stable(c, flushed, cut);
		flushed = cut + 1;
	}
}

/* ---- the program ------------------------------------------------------------- */

static void run_workload(struct crash *c)
{
	struct fb_device *mem, *dev;

	assert_int_equal(fb_device_open_mem(base, c->size, 512, &mem), 0);
	assert_int_equal(fb_device_open_fault(mem, &dev), 0);
	assert_int_equal(fb_device_fault_log(dev, &c->log), 0);
	c->fk = fk_start_ready(c->format->driver, dev, c->format->options);
	roll_seed(c->seed);
	c->format->workload(c);
	fk_forget_all(c->fk);
	assert_int_equal(fk_stop(c->fk), 0);
}

static void test_sweep(void **state)
{
	struct crash *c = *state;

	run_workload(c);
	sweep(c);
	assert_int_equal(c->failures, 0);
}

static const struct format *find_format(const char *name)
{
	for (size_t i = 0; i < sizeof(formats) / sizeof(formats[0]); i++)
		if (!strcmp(formats[i]->name, name))
			return formats[i];
	fprintf(stderr, "powercut: there is no format \"%s\"\n", name);
	exit(2);
}

static bool parse_options(struct crash *c, int argc, char **argv)
{
	int opt;

	while ((opt = getopt(argc, argv, "+f:s:n:e:d:r:b:mvk:")) != -1) {
		unsigned long n = optarg ? strtoul(optarg, NULL, 0) : 0;

		switch (opt) {
		case 'f': c->format = find_format(optarg); break;
		case 's': c->seed = n; break;
		case 'n': c->steps = n; break;
		case 'e': c->every = n ? n : 1; break;
		case 'd': c->drops = n; break;
		case 'r': c->repair = n; break;
		case 'b': c->size = n << 10; break;
		case 'm': c->move_dirs = true; break;
		case 'v': c->verbose = true; break;
		case 'k': c->keep = optarg; break;
		default: return false;
		}
	}
	if (!c->size)
		c->size = c->format->size;
	return true;
}

static void print_result(const struct crash *c, bool failed)
{
	char more[256] = "";

	if (c->format->summary)
		c->format->summary(c, more, sizeof(more));
	printf("%sok - powercut %s seed %lu: %zu log entries, %lu cuts, %lu images, %lu repaired, %zu promises%s\n",
	       failed ? "not " : "", c->format->name, c->seed, c->log ? fb_write_log_count(c->log) : 0, c->cuts,
	       c->images, c->repairs, c->promises, more);
	crash_run("rm -f %s %s.log", c->image, c->image);
}

int main(int argc, char **argv)
{
	struct crash c = { .format = &format_ext2, .seed = 1, .steps = 300, .every = 1, .drops = 2, .repair = 10 };
	const struct CMUnitTest tests[] = { cmocka_unit_test_prestate(test_sweep, &c) };
	int failed;

	if (!parse_options(&c, argc, argv))
		return 2;
	snprintf(c.image, sizeof(c.image), "/dev/shm/powercut-%d.img", getpid());
	base = malloc(c.size);
	stable = malloc(c.size);
	work = malloc(c.size);
	if (!base || !stable || !work)
		return 2;
	make_image(&c, argv + optind);
	failed = cmocka_run_group_tests(tests, NULL, NULL);
	print_result(&c, failed);
	return failed ? 1 : 0;
}
