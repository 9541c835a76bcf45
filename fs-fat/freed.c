// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * freed.c: chains that lost their last reference in an epoch that is not
 * durable yet.
 *
 * They keep their entries until what took the reference away is on the
 * device: before that a crash would bring the reference back.  Then the
 * entries are cleared, in FRESH of the epoch that is open, a bounded number at
 * a time: the rest waits for the next commit.  Chains are walked twice, when
 * they are counted and when they are freed, and nothing is assumed of them:
 * both walks end at a loop and at whatever cannot be in a chain.
 */
#include <errno.h>
#include <stdlib.h>
#include "space.h"

#define BUDGET_BYTES	(2u << 20)	/* of the table, made dirty at once */

struct chain { uint32_t start, count; };

struct fat_batch {
	struct fat_batch *next;		/* newer */
	uint64_t epoch;			/* 0: may be freed at once */
	struct chain *chains;
	size_t count, room;
};

void fat_freed_close(struct fat_volume *fat)
{
	struct fat_batch *b = fat->alloc->batches, *next;

	for (; b; b = next) {
		next = b->next;
		free(b->chains);
		free(b);
	}
	fat->alloc->batches = NULL;
}

/* ---- chains are given up -------------------------------------------------------------------- */

/* A walk along a chain that cannot go round for ever. */
struct walk {
	struct fat_cursor cur;
	uint32_t c;
	uint64_t steps, power;
	uint32_t mark;			/* a cluster passed, later ones as the walk gets longer */
};

/* 0: moved on; 1: that was the end; -EIO; -EUCLEAN: the link is impossible, to *value. */
static int walk_on(struct fat_volume *fat, struct walk *w, uint32_t *value)
{
	int err = fat_cursor_get(fat, &w->cur, w->c, value);

	if (err || *value == FAT_EOC)
		return err ? err : 1;
	if (!fat_is_cluster(&fat->geo, *value) || *value == w->mark)
		return -EUCLEAN;
	if (++w->steps == w->power) {
		w->power *= 2;
		w->mark = *value;
	}
	w->c = *value;
	return 0;
}

static void discard_later(struct fat_volume *fat, uint32_t start, uint32_t count)
{
	fuseblk_freed(fat->vol, fat_cluster_off(&fat->geo, start), (uint64_t)count << fat->geo.cluster_shift);
}

/* How many clusters the chain has, at most @most; they are to be discarded. */
static uint32_t count_chain(struct fat_volume *fat, uint32_t start, uint32_t most)
{
	struct walk w = { .c = start, .power = 2, .mark = start };
	uint32_t n = 1, run = start, value = 0;
	int r = 0;

	if (most > fat->geo.clusters)
		most = fat->geo.clusters;
	for (; n < most; n++) {
		uint32_t last = w.c;

		r = walk_on(fat, &w, &value);
		if (r)
			break;
		if (w.c != last + 1) {
			discard_later(fat, run, last + 1 - run);
			run = w.c;
		}
	}
	discard_later(fat, run, w.c + 1 - run);
	if (r == -EUCLEAN)
		fuseblk_corrupt(fat->vol, 0, "a chain that is freed, from cluster %u on, is broken: cluster %u leads to %#x",
				start, w.c, value);
	fat_cursor_end(&w.cur);
	return n;
}

/* Lock held. */
static struct fat_batch *open_batch(struct fat_volume *fat)
{
	struct fat_alloc *a = fat->alloc;
	uint64_t epoch = a->unreferenced ? 0 : fuseblk_epoch(fat->vol);
	struct fat_batch **link = &a->batches, *b;

	while (*link && (*link)->epoch < epoch)
		link = &(*link)->next;
	if (*link && (*link)->epoch == epoch)
		return *link;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->epoch = epoch;
	b->next = *link;
	*link = b;
	return b;
}

static bool remember(struct fat_volume *fat, struct chain chain)
{
	struct fat_batch *b = open_batch(fat);
	struct chain *grown;

	if (!b)
		return false;
	if (b->count == b->room) {
		size_t room = b->room ? 2 * b->room : 16;

		grown = realloc(b->chains, room * sizeof(*grown));
		if (!grown)
			return false;
		b->chains = grown;
		b->room = room;
	}
	b->chains[b->count++] = chain;
	fat->alloc->waiting += chain.count;
	return true;
}

void fat_alloc_free_later(struct fat_volume *fat, uint32_t start, uint32_t count)
{
	struct chain chain = { .start = start };
	bool kept;

	if (!fat_is_cluster(&fat->geo, start) || !count)
		return;
	chain.count = count_chain(fat, start, count);
	pthread_mutex_lock(&fat->alloc->lock);
	kept = remember(fat, chain);
	pthread_mutex_unlock(&fat->alloc->lock);
	if (!kept)
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "out of memory: %u clusters from %u on stay in use until "
			    "fsck.fat frees them", chain.count, start);
	fat_table_stir(fat);	/* what took the reference away may be durable already: nothing else need be dirty */
}

void fat_freed_unreferenced(struct fat_volume *fat, bool on)
{
	pthread_mutex_lock(&fat->alloc->lock);
	fat->alloc->unreferenced = on;
	pthread_mutex_unlock(&fat->alloc->lock);
}

/* ---- chains become free; lock held -------------------------------------------------------------- */

/*
 * The clusters at the front of the chain that follow each other, in one
 * block of the table; *next: what the last one leads to.  0: the first one is
 * not to be freed.
 */
static int64_t front(struct fat_volume *fat, struct fat_cursor *cur, const struct chain *chain, uint32_t *next)
{
	uint32_t per_block = fat->geo.sector_size * 8 / fat->geo.bits, n = 0;
	int err = fat_group_load(fat, fat_group_of(chain->start));

	for (; !err && n < chain->count; n++) {
		uint32_t c = chain->start + n, value;

		if (n && (c % FAT_GROUP_CLUSTERS == 0 || c % per_block == 0 || *next != c))
			break;
		err = fat_cursor_get(fat, cur, c, &value);
		if (!err && (value == FAT_FREE || value == FAT_BAD))
			break;
		if (!err)
			*next = value;
	}
	return n || !err ? (int64_t)n : err;
}

/* Free the front of the chain and take it off. False: nothing of it is left to be freed. */
static bool free_front(struct fat_volume *fat, struct fat_cursor *cur, struct chain *chain)
{
	uint32_t next = FAT_EOC;
	int64_t n = front(fat, cur, chain, &next);

	if (n > 0)
		n = fat_cursor_fill(fat, cur, chain->start, (uint32_t)n, false);
	if (n < 0)
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "the allocation table cannot be read: %u clusters from %u on stay "
			    "in use until fsck.fat frees them", chain->count, chain->start);
	if (n <= 0)
		return false;
	fat_group_note(fat, chain->start, (uint32_t)n, true);
	chain->count -= (uint32_t)n;
	chain->start = next;
	fat->alloc->waiting -= (uint64_t)n;
	return chain->count && fat_is_cluster(&fat->geo, next);
}

/* The oldest batch, if it is of @epoch or older and not empty. */
static struct fat_batch *due_batch(struct fat_volume *fat, uint64_t epoch)
{
	struct fat_alloc *a = fat->alloc;
	struct fat_batch *b;

	while ((b = a->batches) && b->epoch <= epoch) {
		if (b->count)
			return b;
		a->batches = b->next;
		free(b->chains);
		free(b);
	}
	return NULL;
}

static void free_due(struct fat_volume *fat, uint64_t epoch)
{
	uint32_t blocks = BUDGET_BYTES / fat->geo.sector_size;
	struct fat_cursor cur = { 0 };
	struct fat_batch *b;
	uint64_t last = 0;

	while (blocks && (b = due_batch(fat, epoch))) {
		struct chain *chain = &b->chains[b->count - 1];

		if (!free_front(fat, &cur, chain)) {
			fat->alloc->waiting -= chain->count;
			b->count--;
		}
		if (cur.buf && cur.buf->block != last)
			blocks--;
		last = cur.buf ? cur.buf->block : 0;
	}
	fat_cursor_end(&cur);
}

void fat_alloc_durable(struct fat_volume *fat, uint64_t epoch)
{
	pthread_mutex_lock(&fat->alloc->lock);
	free_due(fat, epoch);
	pthread_mutex_unlock(&fat->alloc->lock);
}

int fat_freed_drain(struct fat_volume *fat)
{
	uint64_t epoch = fuseblk_durable_epoch(fat->vol);
	struct fat_alloc *a = fat->alloc;
	bool more = true;
	int err = 0;

	while (!err && more) {
		pthread_mutex_lock(&a->lock);
		free_due(fat, epoch);
		more = due_batch(fat, epoch) != NULL;
		pthread_mutex_unlock(&a->lock);
		if (more)
			err = fuseblk_change_pause(fat->vol);
		if (err == -EROFS || err == -EINTR)
			err = 0;
	}
	return err;
}
