/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * held.c: slots of directories whose past matters until the epoch ends.
 *
 * A slot that was switched from one inode to another, that a name moved
 * away from, or that held a temporary name shows different inodes in the images of
 * the phases.  Its record says which, so that the slot is not given to
 * another name and that a copy of the block (a split) can show the same.
 * Records live in a chained hash by device block; when the epoch has moved on
 * the whole table is emptied at the next look at it, because within a change
 * the epoch stands still.
 */
#include <errno.h>
#include <stdlib.h>
#include "dir.h"

#define FIRST_BUCKETS 256u
#define HELD_MANY 16384u

struct e2_hold {
	struct e2_hold *next;
	uint64_t block;
	uint32_t off;
	struct e2_past past;
};

struct e2_held {
	pthread_mutex_t lock;	/* a leaf */
	struct fuseblk_volume *vol;
	uint64_t epoch;
	struct e2_hold **bucket;
	unsigned buckets, count;	/* buckets: a power of two */
};

int e2_held_new(struct e2_super *sb)
{
	struct e2_held *held = calloc(1, sizeof(*held));

	if (!held)
		return -ENOMEM;
	held->bucket = calloc(FIRST_BUCKETS, sizeof(*held->bucket));
	if (!held->bucket) {
		free(held);
		return -ENOMEM;
	}
	held->buckets = FIRST_BUCKETS;
	held->vol = sb->vol;
	pthread_mutex_init(&held->lock, NULL);
	sb->held = held;
	return 0;
}

static void empty(struct e2_held *held)
{
	for (unsigned i = 0; held->count && i < held->buckets; i++) {
		while (held->bucket[i]) {
			struct e2_hold *h = held->bucket[i];

			held->bucket[i] = h->next;
			held->count--;
			free(h);
		}
	}
}

void e2_held_free(struct e2_super *sb)
{
	struct e2_held *held = sb->held;

	if (!held)
		return;
	empty(held);
	pthread_mutex_destroy(&held->lock);
	free(held->bucket);
	free(held);
	sb->held = NULL;
}

/* Lock the table, as it is in the present epoch. */
static struct e2_held *enter(struct e2_super *sb)
{
	struct e2_held *held = sb->held;
	uint64_t epoch = fuseblk_epoch(held->vol);

	pthread_mutex_lock(&held->lock);
	if (held->epoch != epoch) {
		empty(held);
		held->epoch = epoch;
	}
	return held;
}

static void leave(struct e2_held *held)
{
	pthread_mutex_unlock(&held->lock);
}

static struct e2_hold **chain(struct e2_held *held, uint64_t block)
{
	uint64_t mixed = block * 0x9e3779b97f4a7c15u;

	return &held->bucket[(mixed >> 32) & (held->buckets - 1)];
}

static struct e2_hold *find(struct e2_held *held, uint64_t block, uint32_t off)
{
	struct e2_hold *h = *chain(held, block);

	while (h && (h->block != block || h->off != off))
		h = h->next;
	return h;
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow(struct e2_held *held)
{
	struct e2_hold **old = held->bucket, *h, **to;
	unsigned n = held->buckets;
	struct e2_hold **bucket = calloc(2 * (size_t)n, sizeof(*bucket));

	if (!bucket)
		return;
	held->bucket = bucket;
	held->buckets = 2 * n;
	for (unsigned i = 0; i < n; i++) {
		while ((h = old[i]) != NULL) {
			old[i] = h->next;
			to = chain(held, h->block);
			h->next = *to;
			*to = h;
		}
	}
	free(old);
}

struct e2_hold *e2_hold_new(void)
{
	return calloc(1, sizeof(struct e2_hold));
}

void e2_held_put(struct e2_super *sb, struct e2_hold *hold, uint64_t block, uint32_t off,
		 const struct e2_past *past)
{
	struct e2_held *held = enter(sb);
	struct e2_hold *h = find(held, block, off), **head;

	if (h) {
		h->past.ino[E2_AT_SWITCH] = past->ino[E2_AT_SWITCH];
		h->past.type[E2_AT_SWITCH] = past->type[E2_AT_SWITCH];
		free(hold);
	} else {
		if (held->count >= 2 * held->buckets)
			grow(held);
		head = chain(held, block);
		*hold = (struct e2_hold){ *head, block, off, *past };
		*head = hold;
		held->count++;
	}
	leave(held);
}

bool e2_held_get(struct e2_super *sb, uint64_t block, uint32_t off, struct e2_past *past)
{
	struct e2_held *held = enter(sb);
	struct e2_hold *h = find(held, block, off);

	if (h)
		*past = h->past;
	leave(held);
	return h != NULL;
}

void e2_held_mark(struct e2_super *sb, uint64_t block, struct e2_taken *taken)
{
	struct e2_held *held = enter(sb);

	for (struct e2_hold *h = *chain(held, block); h; h = h->next)
		if (h->block == block)
			taken->bits[h->off / 128] |= 1u << (h->off / 4 % 32);
	leave(held);
}

void e2_held_move(struct e2_super *sb, uint64_t block, uint32_t off, uint64_t to_block,
		  uint32_t to_off)
{
	struct e2_held *held = enter(sb);
	struct e2_hold *h, **at = chain(held, block);

	while (*at && ((*at)->block != block || (*at)->off != off))
		at = &(*at)->next;
	h = *at;
	if (h) {
		*at = h->next;
		h->block = to_block;
		h->off = to_off;
		at = chain(held, to_block);
		h->next = *at;
		*at = h;
	}
	leave(held);
}

bool e2_held_is_full(struct e2_super *sb)
{
	struct e2_held *held = enter(sb);
	bool full = held->count >= HELD_MANY;

	leave(held);
	return full;
}
