// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * indexes.c: which directories have their index in memory.
 *
 * It is made when it is first needed.  When all together take more than
 * MOST_BYTES, those not in use go, least recently used first.
 *
 * Locks: what an index says is under its directory's node lock; who has which
 * index, and their order of use, under indexes->lock, which is held for no
 * I/O; a build (I/O) under one of the build locks.
 */
#include <errno.h>
#include <stdlib.h>
#include "dir_impl.h"

#define MOST_BYTES	(8u << 20)
#define BUILDERS	64u

struct fat_indexes {
	pthread_mutex_t lock;
	struct fat_index ring;		/* ring.newer: the least recently used */
	size_t bytes;
	struct fat_parents *parents;
	pthread_mutex_t build[BUILDERS];
};

int fat_indexes_open(struct fat_volume *fat)
{
	struct fat_indexes *all = calloc(1, sizeof(*all));

	if (!all)
		return -ENOMEM;
	all->parents = fat_parents_new();
	if (!all->parents) {
		free(all);
		return -ENOMEM;
	}
	pthread_mutex_init(&all->lock, NULL);
	for (unsigned i = 0; i < BUILDERS; i++)
		pthread_mutex_init(&all->build[i], NULL);
	all->ring.newer = all->ring.older = &all->ring;
	fat->indexes = all;
	return 0;
}

void fat_indexes_close(struct fat_volume *fat)
{
	struct fat_indexes *all = fat->indexes;

	if (!all)
		return;
	for (unsigned i = 0; i < BUILDERS; i++)
		pthread_mutex_destroy(&all->build[i]);
	pthread_mutex_destroy(&all->lock);
	fat_parents_free(all->parents);
	free(all);
	fat->indexes = NULL;
}

struct fat_parents *fat_indexes_parents(struct fat_volume *fat)
{
	return fat->indexes->parents;
}

size_t fat_indexes_bytes(struct fat_volume *fat)
{
	size_t bytes;

	pthread_mutex_lock(&fat->indexes->lock);
	bytes = fat->indexes->bytes;
	pthread_mutex_unlock(&fat->indexes->lock);
	return bytes;
}

/* ---- which are kept --------------------------------------------------------------- */

static void unlink_index(struct fat_indexes *all, struct fat_index *idx)
{
	idx->older->newer = idx->newer;
	idx->newer->older = idx->older;
	idx->owner->index = NULL;
	idx->owner = NULL;
	all->bytes -= idx->bytes;
}

static void link_newest(struct fat_indexes *all, struct fat_index *idx)
{
	idx->older = all->ring.older;
	idx->newer = &all->ring;
	idx->older->newer = all->ring.older = idx;
}

static void make_newest(struct fat_indexes *all, struct fat_index *idx)
{
	if (all->ring.older == idx)
		return;
	idx->older->newer = idx->newer;
	idx->newer->older = idx->older;
	link_newest(all, idx);
}

/* Locked. What is dropped hangs together by ->older, for free_list(). */
static struct fat_index *evict(struct fat_indexes *all)
{
	struct fat_index *idx = all->ring.newer, *gone = NULL;

	while (all->bytes > MOST_BYTES && idx != &all->ring) {
		struct fat_index *next = idx->newer;

		if (!idx->users) {
			unlink_index(all, idx);
			idx->older = gone;
			gone = idx;
		}
		idx = next;
	}
	return gone;
}

static void free_list(struct fat_index *idx)
{
	while (idx) {
		struct fat_index *next = idx->older;

		fat_index_free(idx);
		idx = next;
	}
}

static struct fat_index *grab(struct fat_indexes *all, struct fat_node *n)
{
	struct fat_index *idx;

	pthread_mutex_lock(&all->lock);
	idx = n->index;
	if (idx) {
		idx->users++;
		make_newest(all, idx);
	}
	pthread_mutex_unlock(&all->lock);
	return idx;
}

static void publish(struct fat_indexes *all, struct fat_node *n, struct fat_index *idx)
{
	struct fat_index *gone;

	pthread_mutex_lock(&all->lock);
	n->index = idx;
	idx->owner = n;
	idx->bytes = fat_index_size(idx);
	all->bytes += idx->bytes;
	link_newest(all, idx);
	gone = evict(all);
	pthread_mutex_unlock(&all->lock);
	free_list(gone);
}

int fat_index_get(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_index **out)
{
	struct fat_indexes *all = fat_of(vol)->indexes;
	struct fat_node *n = fat_node(dir);
	struct fat_index *idx = grab(all, n);
	pthread_mutex_t *lock = &all->build[fuseblk_ino(dir) % BUILDERS];

	if (idx) {
		*out = idx;
		return 0;
	}
	pthread_mutex_lock(lock);
	idx = grab(all, n);
	if (!idx) {
		idx = fat_index_build(vol, dir);
		if (idx)
			idx->users = 1;
		if (idx && !idx->error)
			publish(all, n, idx);
	}
	pthread_mutex_unlock(lock);
	if (!idx)
		return -ENOMEM;
	*out = idx;
	return 0;
}

void fat_index_put(struct fat_volume *fat, struct fat_index *idx)
{
	struct fat_indexes *all = fat->indexes;
	struct fat_index *gone = NULL;
	size_t bytes;
	bool drop;

	pthread_mutex_lock(&all->lock);
	drop = !--idx->users && idx->error;
	if (drop && idx->owner)
		unlink_index(all, idx);
	if (idx->owner && !idx->users) {
		bytes = fat_index_size(idx);
		all->bytes += bytes - idx->bytes;
		idx->bytes = bytes;
		gone = evict(all);
	}
	pthread_mutex_unlock(&all->lock);
	if (drop)
		fat_index_free(idx);
	free_list(gone);
}

void fat_index_unload(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	struct fat_indexes *all = fat_of(vol)->indexes;
	struct fat_node *n = fat_node(dir);
	struct fat_index *idx = NULL;

	if (all) {
		pthread_mutex_lock(&all->lock);
		idx = n->index;
		if (idx)
			unlink_index(all, idx);
		pthread_mutex_unlock(&all->lock);
	}
	if (idx)
		fat_index_free(idx);
	fat_removed_free(n->removed);
	n->removed = NULL;
}
