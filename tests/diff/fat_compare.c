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
 * compared, in lines whose operation (or "tree": the lines below one) is
 * @operation; NULL: all.
 */
static const struct filter {
	const char *operation, *find, *put, *reason;
} filters[] = {
	{ NULL, "[^ |]{0,2}[0-9A-F]{4}~[0-9]\\.?[^ |]*\\|", "#~N|", "past ~4 or ~9 the kernel numbers short names by its clock" },
};

#define FILTERS (sizeof(filters) / sizeof(filters[0]))

static regex_t compiled[FILTERS];

static int compile_filters(void)
{
	for (size_t i = 0; i < FILTERS; i++)
		if (regcomp(&compiled[i], filters[i].find, REG_EXTENDED))
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

static void filter(char **line)
{
	char name[64];

	operation_of(*line, name, sizeof(name));
	for (size_t i = 0; i < FILTERS; i++)
		if (!filters[i].operation || !strcmp(filters[i].operation, name))
			replace(line, i);
}

static FILE *open_trace(const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f)
		perror(path);
	return f;
}

int trace_compare(const char *ours, const char *theirs, bool verbose)
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
				filter(&line[i]);
		}
		if (n[0] <= 0 && n[1] <= 0)
			break;
		lines++;
		if (n[0] <= 0 || n[1] <= 0 || strcmp(line[0], line[1])) {
			printf("-- ours:   %s-- kernel: %s", full[0], full[1]);
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
