// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_tree.c: operations of a trace that list directories: names as readdir
 * gives them, long and short names as the ioctls do, and everything below a
 * directory.  Sorted: which free slot a name took is no difference.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/msdos_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "fat_trace.h"

#define MOST_NAMES 8192

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The names in a directory, sorted, with @types each with its type behind it; or -1. */
static long names_of(const char *path, char **names, bool types)
{
	DIR *d = opendir(path);
	struct dirent *e;
	long n = 0;

	if (!d)
		return -1;
	while (n < MOST_NAMES && (e = readdir(d))) {
		char item[1100];

		if (!types)
			snprintf(item, sizeof(item), "%s", e->d_name);
		else
			snprintf(item, sizeof(item), "%s%s", e->d_name, e->d_type == DT_DIR ? "/" : e->d_type == DT_REG ? "" : "?");
		names[n++] = strdup(item);
	}
	closedir(d);
	qsort(names, (size_t)n, sizeof(*names), by_text);
	return n;
}

/* list DIR; vfat tells the type of what was exchanged only after it was written back */
static void list(const struct trace_words *w, bool types)
{
	char **names = calloc(MOST_NAMES, sizeof(*names));
	long n = names_of(w->word[1], names, types);

	trace_result(n);
	for (long i = 0; i < n; i++) {
		putchar(' ');
		trace_bytes(names[i], strlen(names[i]));
		free(names[i]);
	}
	free(names);
}

static void op_list(const struct trace_words *w)
{
	list(w, false);
}

/* types DIR: list with the types */
static void op_types(const struct trace_words *w)
{
	trace_sync();
	list(w, true);
}

/* count DIR: how many names, without their text */
static void op_count(const struct trace_words *w)
{
	char **names = calloc(MOST_NAMES, sizeof(*names));
	long n = names_of(w->word[1], names, false);

	trace_result(n);
	for (long i = 0; i < n; i++)
		free(names[i]);
	free(names);
}

/* By the long name, then the short one: numbers of short names do not decide. */
static int by_long_name(const void *a, const void *b)
{
	const char *x = *(char *const *)a, *y = *(char *const *)b;
	int order = strcmp(strchr(x, '|'), strchr(y, '|'));

	return order ? order : strcmp(x, y);
}

static long pairs_of(const char *path, char **pairs, unsigned long request)
{
	struct __fat_dirent e[2] = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	long n = 0, result;

	if (fd < 0)
		return -1;
	while (n < MOST_NAMES && (result = ioctl(fd, request, e)) > 0) {
		char item[2 * sizeof(e)];

		snprintf(item, sizeof(item), "%s|%s", e[0].d_name, e[1].d_name);
		pairs[n++] = strdup(item);
	}
	if (!n && result < 0)
		n = -1;
	close(fd);
	qsort(pairs, (size_t)(n < 0 ? 0 : n), sizeof(*pairs), by_long_name);
	return n;
}

static void list_pairs(const char *path, unsigned long request)
{
	char **pairs = calloc(MOST_NAMES, sizeof(*pairs));
	long n = pairs_of(path, pairs, request);

	trace_result(n);
	for (long i = 0; i < n; i++) {
		putchar(' ');
		trace_bytes(pairs[i], strlen(pairs[i]));
		free(pairs[i]);
	}
	free(pairs);
}

/* both DIR: SHORT|LONG for each name */
static void op_both(const struct trace_words *w)
{
	list_pairs(w->word[1], VFAT_IOCTL_READDIR_BOTH);
}

static void op_short(const struct trace_words *w)
{
	list_pairs(w->word[1], VFAT_IOCTL_READDIR_SHORT);
}

static void print_content(const char *path)
{
	static char buf[1 << 16];
	int fd = open(path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
	uint64_t sum = 1;
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		sum = digest(sum, buf, (size_t)n);
	printf(" read %zd %llx", n, (unsigned long long)sum);
	if (fd >= 0)
		close(fd);
}

static void print_node(const char *path)
{
	struct stat st;

	printf("\n  ");
	trace_bytes(path, strlen(path));
	if (lstat(path, &st)) {
		printf(" [%s]", strerrorname_np(errno));
		return;
	}
	trace_attributes(&st);
	printf(" blocks %lld", (long long)st.st_blocks);
	trace_time(st.st_mtim.tv_sec);
	printf(" attributes %lx", (unsigned long)trace_fat_attributes(path));
	if (S_ISREG(st.st_mode))
		print_content(path);
}

static void print_below(const char *path)
{
	char **names = calloc(MOST_NAMES, sizeof(*names));
	struct trace_words w = { .count = 2 };
	long n = names_of(path, names, false);

	print_node(path);
	snprintf(w.word[1], sizeof(w.word[1]), "%s", path);
	op_both(&w);
	list(&w, true);
	for (long i = 0; i < n; i++) {
		char below[4 * TRACE_WORD_MAX];
		struct stat st;

		snprintf(below, sizeof(below), "%s/%s", path, names[i]);
		if (strcmp(names[i], ".") && strcmp(names[i], "..")) {
			if (!lstat(below, &st) && S_ISDIR(st.st_mode))
				print_below(below);
			else
				print_node(below);
		}
		free(names[i]);
	}
	free(names);
}

/* tree DIR: all below, after the files kept open were closed */
static void op_tree(const struct trace_words *w)
{
	uid_t me = geteuid();

	trace_close_all();
	trace_sync();
	if (seteuid(0))
		printf(" seteuid");
	print_below(w->word[1]);
	if (seteuid(me))
		printf(" seteuid");
}

const struct trace_operation trace_tree_operations[] = {
	{ "list", 2, op_list },	  { "types", 2, op_types }, { "count", 2, op_count }, { "both", 2, op_both },
	{ "short", 2, op_short }, { "tree", 2, op_tree },   { NULL, 0, NULL },
};
