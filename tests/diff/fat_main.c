// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fattrace: run the lines of a seed or of a file on a directory and write
 * what came of each, or compare two such traces.  Linked statically, so
 * that it runs in the guest, too (tests/guest).
 *
 * usage: fattrace [-m] [-s SEED] [-n COUNT] DIR	random lines; -m: with names that mtools can hold
 *	  fattrace -f FILE DIR			the lines of FILE; # begins a comment
 *	  fattrace -c runs[,loose]|volumes[,loose]|volume [-v] OURS KERNELS	compare traces of the same lines, of
 *						what two runs left, of one volume seen from two sides
 * Exit status: 0 done or equal, 1 different, 2 trouble.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fat_trace.h"

static int usage(void)
{
	fprintf(stderr, "usage: fattrace [-m] [-s SEED] [-n COUNT] [-f FILE] DIR\n       fattrace -c runs[,loose]|volumes[,loose]|volume [-v] OURS KERNELS\n");
	return 2;
}

static int run_random(uint64_t seed, unsigned count, bool modest)
{
	static char line[TRACE_LINE_MAX * 4];
	struct trace_random random = { .state = seed * 2654435761u + 12345, .modest = modest };

	for (unsigned n = 1; n <= count; n++) {
		trace_random_line(&random, line, sizeof(line));
		if (!trace_run(n, line)) {
			fprintf(stderr, "fattrace: seed %llu, line %u is not understood: %s\n", (unsigned long long)seed, n, line);
			return 2;
		}
	}
	return trace_run(count + 1, "as 0") && trace_run(count + 2, "tree .") ? 0 : 2;
}

static int run_file(FILE *f, const char *name)
{
	char *line = NULL;
	size_t size = 0;
	unsigned n = 0;

	while (getline(&line, &size, f) > 0) {
		n++;
		if (line[0] == '#' || line[0] == '\n')
			continue;
		if (!trace_run(n, line)) {
			fprintf(stderr, "fattrace: %s:%u: not understood: %s", name, n, line);
			free(line);
			return 2;
		}
	}
	free(line);
	trace_close_all();
	return 0;
}

static unsigned kind_of(const char *word)
{
	unsigned loose = strstr(word, ",loose") ? TRACE_LOOSE : 0;

	if (!strncmp(word, "volumes", 7))
		return TRACE_VOLUMES | loose;
	return strcmp(word, "volume") ? TRACE_RUNS | loose : TRACE_VOLUME;
}

int main(int argc, char **argv)
{
	unsigned long long seed = 1;
	unsigned count = 2000;
	const char *file = NULL;
	unsigned compare = 0;
	bool verbose = false, modest = false;
	FILE *f = NULL;
	int opt;

	while ((opt = getopt(argc, argv, "c:mvs:n:f:")) != -1) {
		switch (opt) {
		case 'c': compare = kind_of(optarg); break;
		case 'm': modest = true; break;
		case 'v': verbose = true; break;
		case 's': seed = strtoull(optarg, NULL, 0); break;
		case 'n': count = (unsigned)strtoul(optarg, NULL, 0); break;
		case 'f': file = optarg; break;
		default: return usage();
		}
	}
	if (argc - optind != (compare ? 2 : 1))
		return usage();
	if (compare)
		return trace_compare(argv[optind], argv[optind + 1], compare, verbose);
	if ((file && !(f = fopen(file, "re"))) || chdir(argv[optind])) {
		fprintf(stderr, "fattrace: %s: %s\n", f || !file ? argv[optind] : file, strerror(errno));
		return 2;
	}
	umask(022);
	trace_aliases = !modest;
	return file ? run_file(f, file) : run_random(seed, count, modest);
}
