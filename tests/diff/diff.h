/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * diff.h: the differential test: the same random operations on two mounts,
 * every result compared.
 *
 * An operation is a function that does one thing below the directory of one
 * side, with all its choices taken from a struct step made beforehand, and
 * leaves what it saw in a struct outcome.  The two outcomes must be equal.
 */
#ifndef DIFF_H
#define DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define SIDES		2
#define OPEN_FILES	6
#define IO_MAX		(192u << 10)

/* The choices of one operation. */
struct step {
	unsigned op;
	char path[2][128];		/* relative to the side's directory */
	unsigned slot;			/* of the files kept open */
	uint64_t off, len;
	uint32_t number[4];
	unsigned uid;			/* who does it: 0 or an ordinary user */
};

#define OUTCOME_BYTES 4096
struct outcome {
	long result;
	int error;			/* errno, 0 on success */
	bool naming;			/* see_naming() */
	bool access;			/* of access(2) */
	size_t used;
	char detail[OUTCOME_BYTES];	/* what else was seen, as text and bytes */
	uint64_t digest;		/* of data read */
};

struct side {
	const char *name;
	int dir;			/* O_PATH descriptor of the directory */
	int files[OPEN_FILES];		/* -1: closed */
	bool is_reference;		/* the kernel's driver: the second */
};

struct operation {
	const char *name;
	unsigned weight;
	void (*run)(struct side *side, const struct step *step, struct outcome *out);
};

extern const struct operation operations[];
extern const unsigned operation_count;

/* outcome.c */
void see(struct outcome *out, const char *format, ...) __attribute__((format(printf, 2, 3)));
void see_bytes(struct outcome *out, const void *bytes, size_t len);
void see_result(struct outcome *out, long result);
/* Of something that gives or takes a name. */
void see_naming(struct outcome *out, long result);
uint64_t digest(uint64_t seed, const void *bytes, size_t len);
bool outcomes_equal(const struct outcome *a, const struct outcome *b);

/* tree.c: true if the trees below the two sides are equal; differences are printed. */
bool trees_equal(struct side sides[SIDES]);
/* The attributes that must agree: mode, links, owner, size, device; mtime and ctime within two seconds. */
void see_stat(struct outcome *out, int dirfd, const char *path);
void see_open(struct outcome *out, int fd);
bool times_close(int dir_a, int dir_b, const char *path);
bool open_times_close(int fd_a, int fd_b);

#endif
