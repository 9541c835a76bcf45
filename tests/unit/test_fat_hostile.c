// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_hostile.c: damaged FAT volumes, whole sessions on each: looked at,
 * then changed.  Every volume has a process of its own, with a limit of time and
 * of memory.  Meant for the sanitizers; FUSEBLK_TEST_ALL in the environment
 * makes it ten times as many.
 *
 * test_fat_hostile BASE SEED: one volume in this process, for a debugger.
 * test_fat_hostile BASE SEED FILE: only write it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../lib/fat_bases.h"
#include "../lib/fat_mutant.h"
#include "fuseblk.h"
#include "log.h"

#define EACH 40			/* seeds per base */
#define SECONDS 20		/* of one volume; what a machine under load takes, too */
#define MEMORY (400u << 10)	/* KiB, the sanitizers' included */
#define STREAM 600

static struct image *mutant(unsigned base, uint64_t seed, struct fat_stream *s)
{
	static uint8_t bytes[STREAM];
	static struct fat_places places;
	struct image *image = fat_base(base);

	if (!fat_places_find(image_bytes(image), image_size(image), &places))
		fail_msg("%s is not understood", fat_base_name(base));
	fat_stream_random(seed * 64 + base, bytes, sizeof(bytes));
	*s = (struct fat_stream){ bytes, sizeof(bytes) };
	fat_mutate(s, &places, image_bytes(image), image_size(image));
	return image;
}

static void one(unsigned base, uint64_t seed)
{
	struct fat_drive result;
	struct fat_stream s;
	struct image *image = mutant(base, seed, &s);

	fat_drive(&s, image, &result);
	fprintf(stderr, "# %u nodes, %u calls%s%s\n", result.nodes, result.calls, result.refused ? ", refused: " : "", result.why);
	image_free(image);
}

static void child(unsigned base, uint64_t seed, int log)
{
	dup2(log, STDERR_FILENO);
	fb_log_open(-1, false);
	alarm(SECONDS);
	one(base, seed);
	_exit(0);
}

static void show(int log)
{
	char text[6000];
	ssize_t n = pread(log, text, sizeof(text) - 1, 0);

	text[n > 0 ? n : 0] = 0;
	print_message("%s\n", text);
}

static bool is_good(unsigned base, uint64_t seed, int log)
{
	struct rusage use;
	int status = 0;
	pid_t pid;

	if (ftruncate(log, 0) || lseek(log, 0, SEEK_SET))
		fail_msg("the log: %s", strerror(errno));
	fflush(NULL);
	pid = fork();
	if (pid == 0)
		child(base, seed, log);
	if (pid < 0 || wait4(pid, &status, 0, &use) != pid)
		fail_msg("fork: %s", strerror(errno));
	if (!status && use.ru_maxrss < (long)MEMORY)
		return true;
	print_message("%s, \"%s %u %llu\": status %#x, %ld KiB\n", fat_base_name(base), "test_fat_hostile", base,
		      (unsigned long long)seed, status, use.ru_maxrss);
	show(log);
	return false;
}

static void test_hostile(void **state)
{
	char name[] = "/tmp/fat-hostile-XXXXXX";
	unsigned bad = 0, seeds = getenv("FUSEBLK_TEST_ALL") ? 10 * EACH : EACH;
	int log = mkostemp(name, O_CLOEXEC);

	(void)state;
	assert_true(log >= 0);
	unlink(name);
	if (getenv("FAT_HOSTILE_SEEDS"))
		seeds = (unsigned)atoi(getenv("FAT_HOSTILE_SEEDS"));
	for (unsigned base = 0; base < fat_base_count; base++) {
		image_free(fat_base(base));
		for (uint64_t seed = 0; seed < seeds && bad < 10; seed++)
			bad += !is_good(base, seed, log);
	}
	close(log);
	if (bad)
		fail_msg("%u volumes", bad);
}

static int write_one(unsigned base, uint64_t seed, const char *path)
{
	struct fat_stream s;
	struct image *image = mutant(base % fat_base_count, seed, &s);
	FILE *f = fopen(path, "w");
	bool whole = f && fwrite(image_bytes(image), image_size(image), 1, f) == 1;

	if (f && fclose(f))
		whole = false;
	if (!whole)
		perror(path);
	return whole ? 0 : 1;
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(test_hostile) };

	if (argc == 4)
		return write_one((unsigned)atoi(argv[1]), strtoull(argv[2], NULL, 0), argv[3]);
	if (argc == 3) {
		one((unsigned)atoi(argv[1]) % fat_base_count, strtoull(argv[2], NULL, 0));
		return 0;
	}
	return cmocka_run_group_tests(tests, NULL, NULL);
}
