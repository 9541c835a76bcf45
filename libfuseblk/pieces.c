// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * pieces.c: memory for block images, in pieces of one block.
 *
 * Pieces are cut from slabs that stay until the end: the cache is bounded,
 * so is the pool.  A reserve is filled before a change begins, so that
 * changing a block cannot fail for lack of memory; should it run out all the
 * same, allocation waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>

#include "cache_impl.h"

#define SLAB_BYTES (256u << 10)

struct slab {
	struct slab *next;
	void *map;
};

int fb_pieces_init(struct fb_pieces *pool, size_t piece)
{
	*pool = (struct fb_pieces){ .piece = piece };
	pthread_mutex_init(&pool->lock, NULL);
	return 0;
}

void fb_pieces_fini(struct fb_pieces *pool)
{
	struct slab *slab = pool->slabs, *next;

	for (; slab; slab = next) {
		next = slab->next;
		munmap(slab->map, SLAB_BYTES);
		free(slab);
	}
	pthread_mutex_destroy(&pool->lock);
}

static void push(struct fb_pieces *pool, void *piece)
{
	*(void **)piece = pool->free;
	pool->free = piece;
	pool->reserve++;
}

static int grow(struct fb_pieces *pool)
{
	struct slab *slab = malloc(sizeof(*slab));
	uint8_t *map;

	if (!slab)
		return -ENOMEM;
	map = mmap(NULL, SLAB_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED) {
		free(slab);
		return -ENOMEM;
	}
	*slab = (struct slab){ .next = pool->slabs, .map = map };
	pool->slabs = slab;
	for (size_t at = 0; at + pool->piece <= SLAB_BYTES; at += pool->piece)
		push(pool, map + at);
	return 0;
}

int fb_pieces_reserve(struct fb_pieces *pool, unsigned pieces)
{
	int err = 0;

	pthread_mutex_lock(&pool->lock);
	while (!err && pool->reserve < pieces)
		err = grow(pool);
	pthread_mutex_unlock(&pool->lock);
	return err;
}

void *fb_pieces_try(struct fb_pieces *pool)
{
	void *piece = NULL;

	pthread_mutex_lock(&pool->lock);
	if (pool->free || grow(pool) == 0) {
		piece = pool->free;
		pool->free = *(void **)piece;
		pool->reserve--;
	}
	pthread_mutex_unlock(&pool->lock);
	return piece;
}

void *fb_pieces_alloc(struct fb_pieces *pool)
{
	void *piece;

	while (!(piece = fb_pieces_try(pool)))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	return piece;
}

void fb_pieces_free(struct fb_pieces *pool, void *piece)
{
	if (!piece)
		return;
	pthread_mutex_lock(&pool->lock);
	push(pool, piece);
	pthread_mutex_unlock(&pool->lock);
}
