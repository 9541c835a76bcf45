/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_trace.h: the differential test of FAT: the same lines, one operation
 * each, run on one directory under our driver here and under the kernel's
 * vfat in a guest; what came of each is written behind the line.
 *
 * A line is words with blanks between; a word is C-escaped (\xNN), so that
 * any name fits.  Lines come from a file or from a seed and never depend on
 * what earlier ones gave, so that two traces can be compared line by line.
 * The current directory is the one under test.
 */
#ifndef FAT_TRACE_H
#define FAT_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>

#include "diff.h"

#define TRACE_WORDS	8
#define TRACE_WORD_MAX	2048
#define TRACE_LINE_MAX	(TRACE_WORDS * TRACE_WORD_MAX)

struct trace_words {
	unsigned count;
	char word[TRACE_WORDS][TRACE_WORD_MAX];
};

struct trace_operation {
	const char *name;
	unsigned words;			/* at least, with the name */
	void (*run)(const struct trace_words *w);
};

extern const struct trace_operation trace_name_operations[], trace_data_operations[], trace_attr_operations[],
	trace_tree_operations[];

/* fat_line.c */
/* Run one line and print it with its outcome.  False: it is not understood. */
bool trace_run(unsigned number, const char *line);
/* The number a word is (0x, 0 octal), 0 if it is none. */
long long trace_number(const char *word);
/* Print " = OK", " = NUMBER" or " = ERRNO" by what a call returned. */
void trace_result(long result);
void trace_bytes(const char *bytes, size_t len);	/* escaped */
void trace_escape(const char *bytes, size_t len, char *out, size_t size);

/* fat_data.c: the files kept open, -1 closed */
int *trace_slot(const char *word);
void trace_close_all(void);
#define TRACE_PINNED	1111111110	/* the time trace_pin() sets */
void trace_pin(int fd, const char *path);
void trace_removed(void);
extern bool trace_aliases;		/* numbers of short names are to be equal: removals are made durable at once */

/* fat_attrs.c */
void trace_stat(const char *path);
void trace_attributes(const struct stat *st);
/* The FAT attributes, by ioctl: a number, or -errno. */
long trace_fat_attributes(const char *path);
void trace_time(int64_t seconds);
void trace_sync(void);

/* fat_random.c: the line of one step of a seed */
struct trace_random {
	uint64_t state;
	unsigned step, uid;
	bool modest;			/* no names that are too long for the host's filesystems, no 8.3 aliases */
};
void trace_random_line(struct trace_random *random, char *line, size_t size);

/* fat_compare.c: what two traces are of */
#define TRACE_RUNS	1u		/* the same lines on two sides */
#define TRACE_VOLUMES	2u		/* what is on the volumes that two runs left */
#define TRACE_VOLUME	4u		/* what two sides see on one volume */
#define TRACE_LOOSE	8u		/* besides: numbers of short names differ */
/* 0 equal but for what is allowed, 1 different (printed), 2 trouble */
int trace_compare(const char *ours, const char *theirs, unsigned where, bool verbose);

#endif
