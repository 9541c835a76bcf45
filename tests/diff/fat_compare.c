// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_compare.c: two traces of the same lines, ours and the kernel's.  What
 * may differ is in one table, each with its reason; docs/differences.md says
 * it to people.
 */
#include <regex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fat_trace.h"

/*
 * What @find matches is replaced by @put in both traces before they are
 * compared, in lines whose operation (or "tree": the lines below one) is one
 * of @operations (with blanks between them; NULL: all), in comparisons of the
 * kinds in @where.
 */
static const struct filter {
	unsigned where;
	const char *operations, *find, *put, *reason;
} filters[] = {
	{ TRACE_VOLUMES, NULL, "size [0-9]+\\] blocks [0-9]+ (now|[0-9]+) attributes [13][0-9a-f]", "size N blocks N TIME attributes 10", "freed slots of a directory wait for a commit" },
	{ TRACE_VOLUMES, NULL, " (now|-?[0-9]+) attributes [0-9a-f]+", " TIME attributes N",
	  "when vfat drops what KEEP_SIZE allocated past the end it sets the time and ARCH" },
	{ TRACE_RUNS, "tree", " (1000000000|1000000001) attributes", " 1000000000 attributes", "FUSE shows the time of a file as given until its inode is dropped" },
	{ TRACE_RUNS, "tree", " now attributes [0-9a-f]+", " now attributes N", "when vfat drops what KEEP_SIZE allocated past the end it sets ARCH" },
	{ TRACE_RUNS, "open", " = ENOTDIR \\[ENOENT\\]", " = ENOENT [ENOENT]",
	  "the name of an open file that was removed by another spelling stays in the kernel's cache until it is closed" },
	{ TRACE_RUNS, "utime", " = (OK|ENOENT)$", " = OK or ENOENT", "so does that of one that was renamed by another spelling: it can still be used to change times and mode" },
	{ TRACE_RUNS, "chown", " = (EPERM|ENOENT) \\[ENOENT\\]$", " = EPERM or ENOENT [ENOENT]", "the same" },
	{ TRACE_RUNS, "times", " = OK (now|999993600) ", " = OK ATIME ", "vfat sets the access date of a directory that loses a name" },
	{ TRACE_RUNS, "utime", " -?[0-9]+ nsec", " MTIME nsec", "FUSE shows the time of a file as given until its inode is dropped" },
	{ TRACE_RUNS, "times", " (now|-?[0-9]+) (now|-?[0-9]+|no-btime)$", " CTIME BTIME", "FUSE keeps the change time itself; the root has no birth" },
	{ TRACE_RUNS, "blocks", " blocks [0-9]+ of", " blocks N of", "FUSE shows st_blocks of an open file as it was" },
	{ TRACE_RUNS, NULL, "\\[4([0-7]+) ([0-9]+:[0-9]+) links [0-9]+ size [0-9]+\\]( blocks [0-9]+)?", "[directory]",
	  "vfat forgets to count a directory that a rename replaced, until the inode is dropped; freed slots wait for a commit" },
	{ TRACE_RUNS, "tree", "\\] blocks [0-9]+ ", "] blocks N ", "vfat keeps what KEEP_SIZE allocated until the inode is dropped, ours until the last close" },
	{ TRACE_RUNS, "write", " (4294967295|4294967296|5000000000|-1|0) [01] = .*", " past the greatest size", "FUSE's page cache takes it; close and fsync say EFBIG" },
	{ TRACE_RUNS, "read", " 4294967295 10 = .*", " past the greatest size", "the same" },
	{ TRACE_LOOSE, "fill", " after [0-9]+", " after N", "FAT12 clusters whose entry lies in two sectors are not given out" },
	{ TRACE_LOOSE, "unfill", " = [0-9]+", " = N", "the same" },
	{ TRACE_RUNS, NULL, "\\[ENAMETOOLONG\\]", "[ENOENT]", "lookups of what is too long for FUSE" },
	{ TRACE_RUNS, "unlink rmdir rename utime chmod chown truncate attr setattr access", "ENAMETOOLONG", "ENOENT", "the same" },
	{ TRACE_LOOSE, NULL, "[^ |]*~[0-9](\\.[^ |]*)?\\|", "#~N|", "a short name counts as taken until its removal is durable" },
	{ TRACE_RUNS | TRACE_VOLUMES, "statfs", "free [0-9]+ avail [0-9]+", "free N", "the same" },
	{ TRACE_RUNS | TRACE_VOLUMES, NULL, "[^ |]{0,2}[0-9A-F]{4}~[0-9]\\.?[^ |]*\\|", "#~N|", "past ~4 or ~9 the kernel numbers short names by its clock" },
};

#define FILTERS (sizeof(filters) / sizeof(filters[0]))

static regex_t compiled[FILTERS];

static int compile_filters(void)
{
	for (size_t i = 0; i < FILTERS; i++)
		if (regcomp(&compiled[i], filters[i].find, REG_EXTENDED | REG_NEWLINE))
			return -1;
	return 0;
}

static void replace(char **line, size_t i)
{
	const char *from = *line;
	regmatch_t m;
	char *out = NULL;
	size_t size = 0;
	FILE *f;

	if (regexec(&compiled[i], from, 1, &m, 0))
		return;
	f = open_memstream(&out, &size);
	while (*from && !regexec(&compiled[i], from, 1, &m, 0) && m.rm_eo > m.rm_so) {
		fwrite(from, 1, (size_t)m.rm_so, f);
		fputs(filters[i].put, f);
		from += m.rm_eo;
	}
	fputs(from, f);
	fclose(f);
	free(*line);
	*line = out;
}

/* The operation a line names; those that begin with a blank belong to a tree. */
static void operation_of(const char *line, char *name, size_t size)
{
	const char *start = line + strcspn(line, " ");

	if (*line == ' ') {
		snprintf(name, size, "tree");
		return;
	}
	start += *start == ' ';
	snprintf(name, size, "%.*s", (int)strcspn(start, " \n"), start);
}

static bool is_one_of(const char *words, const char *name)
{
	size_t len = strlen(name);

	for (; *words; words += strcspn(words, " "), words += *words == ' ')
		if (strcspn(words, " ") == len && !memcmp(words, name, len))
			return true;
	return false;
}

static void filter(char **line, unsigned where)
{
	char name[64];

	operation_of(*line, name, sizeof(name));
	for (size_t i = 0; i < FILTERS; i++)
		if ((filters[i].where & where) && (!filters[i].operations || is_one_of(filters[i].operations, name)))
			replace(line, i);
}

static FILE *open_trace(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		perror(path);
	return f;
}

/* A line as far as it differs: its beginning, and what is around the first difference. */
static void print_line(const char *side, const char *line, size_t at)
{
	int from = at > 160 ? (int)at - 60 : 100;

	if (strlen(line) < 260)
		printf("-- %s: %s", side, line);
	else
		printf("-- %s: %.100s ... %.200s%s", side, line, line + from, strlen(line + from) > 200 ? "\n" : "");
}

int trace_compare(const char *ours, const char *theirs, unsigned where, bool verbose)
{
	FILE *f[SIDES] = { open_trace(ours), open_trace(theirs) };
	unsigned long lines = 0, different = 0;

	if (!f[0] || !f[1] || compile_filters())
		return 2;
	for (;;) {
		char *line[SIDES] = { NULL, NULL }, *full[SIDES];
		size_t size[SIDES] = { 0, 0 };
		ssize_t n[SIDES];

		for (int i = 0; i < SIDES; i++) {
			n[i] = getline(&line[i], &size[i], f[i]);
			full[i] = strdup(n[i] > 0 ? line[i] : "(end)\n");
			if (n[i] > 0)
				filter(&line[i], where);
		}
		if (n[0] <= 0 && n[1] <= 0)
			break;
		lines++;
		if (n[0] <= 0 || n[1] <= 0 || strcmp(line[0], line[1])) {
			size_t at = 0;

			while (line[0] && line[1] && line[0][at] && line[0][at] == line[1][at])
				at++;
			print_line("ours  ", line[0] ? line[0] : full[0], at);
			print_line("kernel", line[1] ? line[1] : full[1], at);
			if (++different == (verbose ? 1000 : 10) || n[0] <= 0 || n[1] <= 0)
				break;
		}
		for (int i = 0; i < SIDES; i++) {
			free(line[i]);
			free(full[i]);
		}
	}
	printf("%lu lines, %lu different\n", lines, different);
	return different || !lines;
}
