/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_tree.h: a FAT volume read strictly, without our driver: every name, and
 * everything that is wrong with it.
 *
 * Not wrong, and only counted: clusters that nobody names, chains longer than
 * their file's size, copies of the table that differ, long slots without a
 * short entry.
 */
#ifndef CRASH_FAT_TREE_H
#define CRASH_FAT_TREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct fat_shape {
	unsigned bits, copies;		/* copies: of the table, all */
	uint32_t sector, cluster, clusters;	/* bytes, bytes, how many */
	uint64_t fat_start, fat_size;	/* bytes */
	uint64_t root_start, data_start;
	uint32_t root_slots, root_cluster;
};

/* What is wrong with an entry: bits. */
enum fat_wrong {
	WRONG_CHAIN = 1,		/* leads to a free, bad or impossible cluster */
	WRONG_LOOP = 2,
	WRONG_SHORT = 4,		/* the chain has fewer clusters than the size */
	WRONG_SHARED = 8,		/* meets a cluster of the entry .other */
	WRONG_TWICE = 16,		/* has a name that .other has */
	WRONG_DOTS = 32,		/* "." or ".." */
	WRONG_PARENT = 64,		/* ".." leads elsewhere than to the directory it is in */
	WRONG_FIELDS = 128,		/* attributes, or a directory with a size or without a chain */
};

#define FAT_TREE_NAME 772
struct fat_entry {
	int dir;			/* index into dirs */
	char name[FAT_TREE_NAME];	/* as shown, UTF-8 */
	char key[FAT_TREE_NAME];	/* folded */
	char alias[16];			/* the 8.3 name, folded; "" where it is the name */
	bool is_dir, is_long;
	uint32_t start, size;
	uint32_t chain;			/* clusters, as far as they are good */
	unsigned wrong;
	int other;			/* an entry, -1: none */
	int child;			/* directories: index into dirs */
};

struct fat_dir {
	uint32_t start;			/* 0: the fixed root */
	int entry;			/* that led here first, -1: the root */
	uint32_t parent_start;		/* by its ".." */
};

#define FAT_TREE_ENTRIES 3000
struct fat_tree {
	struct fat_shape shape;
	const uint8_t *image;
	struct fat_entry *entries;
	int count;
	struct fat_dir *dirs;
	int dir_count;
	int *owner;			/* by cluster: entry + 2, 1: the root, 0: none */
	uint32_t lost;			/* clusters */
	bool copies_differ, too_many;
};

/* Of the boot sector; NULL or what is wrong. */
const char *fat_shape_of(const uint8_t *image, size_t size, struct fat_shape *out);
/* Read it all.  @t is zeroed before the first time and then used again; fat_tree_free() at the end. */
void fat_tree_read(struct fat_tree *t, const struct fat_shape *shape, const uint8_t *image);
void fat_tree_free(struct fat_tree *t);
/* A file's bytes, as far as its chain goes; up to @size. Returns how many. */
size_t fat_tree_content(const struct fat_tree *t, const struct fat_entry *e, uint8_t *bytes, size_t size);
/* "/a/b" */
void fat_tree_path(const struct fat_tree *t, const struct fat_entry *e, char *path, size_t size);
/* The path, and what .wrong says. */
void fat_tree_explain(const struct fat_tree *t, const struct fat_entry *e, char *text, size_t size);
/* UTF-8, lower case where the workload's names have case. */
void fat_fold_name(const char *name, char *key, size_t size);
/* A value of the table, raw, of copy @copy. */
uint32_t fat_shape_table(const struct fat_shape *s, const uint8_t *image, unsigned copy, uint32_t c);

#endif
