// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fsdiff: the same random operations on two directories; results, errnos and
 * at the end the trees must be equal.
 *
 * usage: fsdiff [-cv] [-s SEED] [-n COUNT] DIR-A DIR-B
 * -c also compares bytes and times of open files after each step, which finds the step that spoilt them.
 * Exit status: 0 equal, 1 a difference (printed with the steps before it), 2 trouble.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include <sys/stat.h>
#include <unistd.h>

#include "diff.h"

static uint64_t state;

static uint32_t roll(void)
{
	state = state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(state >> 33);
}

/* Few names, so that operations meet. */
static void random_path(char *path, size_t size)
{
	unsigned depth = roll() % 10;
	size_t used = 0;

	depth = depth < 4 ? 0 : depth < 8 ? 1 : 2;
	for (unsigned i = 0; i < depth; i++)
		used += (size_t)snprintf(path + used, size - used, "d%u/", roll() % 4);
	if (roll() % 3 == 0)
		snprintf(path + used, size - used, "d%u", roll() % 4);
	else
		snprintf(path + used, size - used, "f%u", roll() % 8);
}

static uint64_t random_offset(void)
{
	switch (roll() % 8) {
	case 0: return 0;
	case 1: return roll() % 5000;
	case 2: return (uint64_t)(roll() % 40) * 4096;
	case 3: return (uint64_t)roll() % (20u << 20);
	case 4: return roll() % 100 ? roll() % 65536 : (uint64_t)roll() << 14;
	default: return roll() % 300000;
	}
}

static void make_step(struct step *s)
{
	unsigned total = 0, pick;

	memset(s, 0, sizeof(*s));
	for (unsigned i = 0; i < operation_count; i++)
		total += operations[i].weight;
	pick = roll() % total;
	while (pick >= operations[s->op].weight)
		pick -= operations[s->op++].weight;
	for (int i = 0; i < 2; i++)
		random_path(s->path[i], sizeof(s->path[i]));
	if (!strcmp(operations[s->op].name, "many"))
		snprintf(s->path[0], sizeof(s->path[0]), "d%u", roll() % 4);
	s->slot = roll() % OPEN_FILES;
	s->off = random_offset();
	s->len = roll();
	for (int i = 0; i < 4; i++)
		s->number[i] = roll();
	s->uid = roll() % 5 ? 0 : 1000;
}

static void run(struct side *side, const struct step *s, struct outcome *out)
{
	*out = (struct outcome){ 0 };
	if (s->uid && (setegid(s->uid) || seteuid(s->uid)))
		exit(2);
	operations[s->op].run(side, s, out);
	for (unsigned i = 0; i < 2; i++)
		see_open(out, side->files[(s->slot + i) % OPEN_FILES]);
	if (s->uid && (seteuid(0) || setegid(0)))
		exit(2);
}

/* The files kept open: their times, and bytes as far as they can be read. */
static bool open_files_equal(const struct side sides[SIDES])
{
	static uint8_t buf[SIDES][1 << 20];

	for (int k = 0; k < OPEN_FILES; k++) {
		ssize_t n[SIDES];

		for (int i = 0; i < SIDES; i++)
			n[i] = pread(sides[i].files[k], buf[i], sizeof(buf[i]), 0);
		if (n[0] == n[1] && (n[0] <= 0 || !memcmp(buf[0], buf[1], (size_t)n[0])) &&
		    open_times_close(sides[0].files[k], sides[1].files[k]))
			continue;
		printf("bytes or times of slot %d differ\n", k);
		return false;
	}
	return true;
}

static bool step_times_close(const struct side sides[SIDES], const struct step *s)
{
	for (int i = 0; i < 2; i++) {
		char parent[sizeof(s->path[i])] = ".";
		const char *slash = strrchr(s->path[i], '/');

		if (slash)
			snprintf(parent, sizeof(parent), "%.*s", (int)(slash - s->path[i]), s->path[i]);
		if (!times_close(sides[0].dir, sides[1].dir, s->path[i]) || !times_close(sides[0].dir, sides[1].dir, parent))
			return false;
	}
	return true;
}

static void print_step(unsigned n, const struct step *s)
{
	printf("%u %s %s %s slot %u off %llu len %llu numbers %u %u %u %u uid %u\n", n,
	       operations[s->op].name, s->path[0], s->path[1], s->slot, (unsigned long long)s->off,
	       (unsigned long long)s->len, s->number[0], s->number[1], s->number[2], s->number[3], s->uid);
}

static void print_outcome(const struct side *side, const struct outcome *out)
{
	printf("-- %s: result %ld errno %d (%s) digest %llx\n%.*s", side->name, out->result, out->error,
	       strerror(out->error), (unsigned long long)out->digest, (int)out->used, out->detail);
}

static int clear_flags_below(int dirfd)
{
	char path[64], cmd[128];

	snprintf(path, sizeof(path), "/proc/%d/fd/%d/.", getpid(), dirfd);
	snprintf(cmd, sizeof(cmd), "chattr -R -f -i -a %s 2>/dev/null", path);
	return system(cmd);
}

int main(int argc, char **argv)
{
	struct side sides[SIDES];
	unsigned long count = 5000, seed = 1;
	bool verbose = false, thorough = false;
	int opt;

	while ((opt = getopt(argc, argv, "cvs:n:")) != -1) {
		if (opt == 'v')
			verbose = true;
		else if (opt == 'c')
			thorough = true;
		else if (opt == 's')
			seed = strtoul(optarg, NULL, 0);
		else if (opt == 'n')
			count = strtoul(optarg, NULL, 0);
		else
			return 2;
	}
	if (argc - optind != SIDES) {
		fprintf(stderr, "usage: fsdiff [-cv] [-s SEED] [-n COUNT] DIR-A DIR-B\n");
		return 2;
	}
	umask(022);
	setlinebuf(stdout);
	for (int i = 0; i < SIDES; i++) {
		sides[i] = (struct side){ .name = argv[optind + i], .is_reference = i == 1 };
		sides[i].dir = open(sides[i].name, O_PATH | O_DIRECTORY);
		for (int k = 0; k < OPEN_FILES; k++)
			sides[i].files[k] = -1;
		if (sides[i].dir < 0 || fchmodat(AT_FDCWD, sides[i].name, 0777, 0)) {
			perror(sides[i].name);
			return 2;
		}
	}
	state = seed * 2654435761u + 12345;
	for (unsigned n = 0; n < count; n++) {
		static struct outcome out[SIDES];
		struct step s;

		make_step(&s);
		if (verbose)
			print_step(n, &s);
		for (int i = 0; i < SIDES; i++)
			run(&sides[i], &s, &out[i]);
		if (!outcomes_equal(&out[0], &out[1]) || (thorough && !open_files_equal(sides))) {
			printf("seed %lu: different at step ", seed);
			print_step(n, &s);
			for (int i = 0; i < SIDES; i++)
				print_outcome(&sides[i], &out[i]);
			return 1;
		}
		if (!step_times_close(sides, &s)) {
			printf("seed %lu: times differ after step ", seed);
			print_step(n, &s);
			return 1;
		}
	}
	for (int i = 0; i < SIDES; i++)
		for (int k = 0; k < OPEN_FILES; k++)
			if (sides[i].files[k] >= 0)
				close(sides[i].files[k]);
	if (!trees_equal(sides))
		return 1;
	for (int i = 0; i < SIDES; i++)
		clear_flags_below(sides[i].dir);
	printf("seed %lu: %lu operations, no difference\n", seed, count);
	return 0;
}
