// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * freed.c: blocks and inodes freed in an epoch that is not yet durable.
 *
 * They stay marked in the bitmaps until what freed them is on the device:
 * before that a crash would bring the old references back.  At most three
 * epochs have a batch at any time: the one being written and the one open,
 * and, while its marks are being cleared, the one just made durable.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "super.h"

struct freed_inode {
	uint32_t ino;
	bool is_dir;
};

struct batch {
	struct batch *next;		/* older */
	uint64_t epoch;
	struct e2_range *blocks;
	size_t nblocks, block_room;
	struct freed_inode *inodes;
	size_t ninodes, inode_room;
};

struct e2_freed {
	pthread_mutex_t lock;
	struct batch *batches;		/* newest first */
};

int e2_freed_new(struct e2_super *sb)
{
	sb->freed = calloc(1, sizeof(*sb->freed));
	if (!sb->freed)
		return -ENOMEM;
	pthread_mutex_init(&sb->freed->lock, NULL);
	return 0;
}

static void free_batches(struct batch *b)
{
	while (b) {
		struct batch *next = b->next;

		free(b->blocks);
		free(b->inodes);
		free(b);
		b = next;
	}
}

void e2_freed_free(struct e2_super *sb)
{
	if (!sb->freed)
		return;
	free_batches(sb->freed->batches);
	pthread_mutex_destroy(&sb->freed->lock);
	free(sb->freed);
	sb->freed = NULL;
}

/* Lock held. */
static struct batch *open_batch(struct e2_super *sb)
{
	struct e2_freed *f = sb->freed;
	uint64_t epoch = fuseblk_epoch(sb->vol);
	struct batch *b = f->batches;

	if (b && b->epoch == epoch)
		return b;
	b = calloc(1, sizeof(*b));
	if (!b)
		return NULL;
	b->epoch = epoch;
	b->next = f->batches;
	f->batches = b;
	return b;
}

static bool make_room(void **array, size_t *room, size_t used, size_t size)
{
	size_t want = *room ? *room * 2 : 16;
	void *p;

	if (used < *room)
		return true;
	p = realloc(*array, want * size);
	if (!p)
		return false;
	*array = p;
	*room = want;
	return true;
}

static bool append_blocks(struct batch *b, uint64_t block, uint64_t count)
{
	struct e2_range *last = b->nblocks ? &b->blocks[b->nblocks - 1] : NULL;

	if (last && last->start + last->count == block) {
		last->count += count;
		return true;
	}
	if (last && block + count == last->start) {
		last->start = block;
		last->count += count;
		return true;
	}
	if (!make_room((void **)&b->blocks, &b->block_room, b->nblocks, sizeof(*b->blocks)))
		return false;
	b->blocks[b->nblocks++] = (struct e2_range){ block, count };
	return true;
}

bool e2_freed_blocks(struct e2_super *sb, uint64_t block, uint64_t count)
{
	struct batch *b;
	bool ok;

	pthread_mutex_lock(&sb->freed->lock);
	b = open_batch(sb);
	ok = b && append_blocks(b, block, count);
	pthread_mutex_unlock(&sb->freed->lock);
	return ok;
}

bool e2_freed_inode(struct e2_super *sb, uint32_t ino, bool is_dir)
{
	struct batch *b;
	bool ok;

	pthread_mutex_lock(&sb->freed->lock);
	b = open_batch(sb);
	ok = b && make_room((void **)&b->inodes, &b->inode_room, b->ninodes, sizeof(*b->inodes));
	if (ok)
		b->inodes[b->ninodes++] = (struct freed_inode){ ino, is_dir };
	pthread_mutex_unlock(&sb->freed->lock);
	return ok;
}

static int by_start(const void *a, const void *b)
{
	const struct e2_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static void clear_marks(struct e2_super *sb, struct batch *b)
{
	if (b->nblocks)
		qsort(b->blocks, b->nblocks, sizeof(*b->blocks), by_start);
	for (size_t i = 0; i < b->nblocks; i++)
		e2_blocks_clear(sb, b->blocks[i].start, b->blocks[i].count, true);
	for (size_t i = 0; i < b->ninodes; i++)
		e2_inode_clear(sb, b->inodes[i].ino, b->inodes[i].is_dir, true);
}

void e2_freed_durable(struct e2_super *sb, uint64_t epoch)
{
	struct e2_freed *f = sb->freed;
	struct batch **link, *old, *b;

	pthread_mutex_lock(&f->lock);
	for (link = &f->batches; *link && (*link)->epoch > epoch; link = &(*link)->next)
		;
	old = *link;
	*link = NULL;
	pthread_mutex_unlock(&f->lock);
	for (b = old; b; b = b->next)
		clear_marks(sb, b);
	free_batches(old);
}
