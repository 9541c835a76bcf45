// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * change.c: the gate between changes and commits, and the public faces of
 * cache and changes for drivers.
 *
 * Changes run in parallel.  A commit raises `freezing`, waits until none is
 * open, takes the dirty images and lets new ones in.  Changes also wait
 * while too much is dirty.
 */
#include <errno.h>

#include "cache_impl.h"
#include "volume.h"
#include "worker.h"

void fb_change_mark_dirty(struct fb_cache *cache)
{
	if (!atomic_load_explicit(&cache->dirty, memory_order_relaxed))
		atomic_store(&cache->dirty, true);
}

void fb_change_note_dirty(struct fb_cache *cache)
{
	if (cache->dirty_noted || (!cache->dirty && !cache->data_written))
		return;
	cache->dirty_noted = true;
	clock_gettime(CLOCK_MONOTONIC, &cache->dirty_since);
	pthread_cond_signal(&cache->wake);
}

static bool must_wait(struct fb_cache *cache)
{
	uint64_t dirty = atomic_load_explicit(&cache->dirty_bytes, memory_order_relaxed);

	if (dirty > FB_CACHE_DIRTY_KICK)
		fb_committer_kick(cache);
	return cache->freezing || (dirty > FB_CACHE_DIRTY_STALL && cache->committer_runs);
}

static int enter(struct fb_cache *cache)
{
	int err = 0;

	while (!err && !cache->error && must_wait(cache)) {
		fb_block_begin();
		err = fb_cond_wait_interruptible(&cache->gate, &cache->lock);
		fb_block_end();
	}
	if (!err)
		err = cache->error;
	if (!err)
		cache->changes++;
	return err;
}

static void leave(struct fb_cache *cache)
{
	fb_change_note_dirty(cache);
	if (--cache->changes == 0 && cache->freezing)
		pthread_cond_broadcast(&cache->gate);
}

int fb_change_begin(struct fb_cache *cache)
{
	int err = fb_pieces_reserve(&cache->pool, FB_RESERVE_PIECES);

	if (err)
		return err;
	pthread_mutex_lock(&cache->lock);
	err = enter(cache);
	pthread_mutex_unlock(&cache->lock);
	return err;
}

void fb_change_end(struct fb_cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	leave(cache);
	pthread_mutex_unlock(&cache->lock);
}

/*
 * The change goes on whatever happens: a caller that is told to stop still
 * owes fb_change_end().
 */
int fb_change_pause(struct fb_cache *cache)
{
	int err = fb_interrupted() ? -EINTR : 0;

	fb_pieces_reserve(&cache->pool, FB_RESERVE_PIECES);
	pthread_mutex_lock(&cache->lock);
	leave(cache);
	while (!err && must_wait(cache) && !cache->error) {
		fb_block_begin();
		err = fb_cond_wait_interruptible(&cache->gate, &cache->lock);
		fb_block_end();
	}
	fb_block_begin();
	while (cache->freezing)
		pthread_cond_wait(&cache->gate, &cache->lock);
	fb_block_end();
	cache->changes++;
	if (!err)
		err = cache->error;
	pthread_mutex_unlock(&cache->lock);
	return err;
}

void fb_cache_data_written(struct fb_cache *cache)
{
	if (!atomic_load_explicit(&cache->data_written, memory_order_relaxed))
		atomic_store(&cache->data_written, true);
}

bool fb_cache_is_dirty(struct fb_cache *cache)
{
	return cache->dirty;
}

uint64_t fb_cache_epoch(const struct fb_cache *cache)
{
	return atomic_load(&cache->epoch);
}

uint64_t fb_cache_durable_epoch(const struct fb_cache *cache)
{
	return atomic_load(&cache->durable);
}

int fuseblk_buf_get(struct fuseblk_volume *vol, uint64_t block, struct fuseblk_buf **out)
{
	return fb_buf_get(vol->cache, block, out);
}

int fuseblk_buf_new(struct fuseblk_volume *vol, uint64_t block, struct fuseblk_buf **out)
{
	return fb_buf_new(vol->cache, block, out);
}

void fuseblk_buf_forget(struct fuseblk_volume *vol, uint64_t block)
{
	fb_buf_forget(vol->cache, block);
}

void fuseblk_buf_prefetch(struct fuseblk_volume *vol, uint64_t block, unsigned count)
{
	fb_buf_prefetch(vol->cache, block, count);
}

void fuseblk_buf_invalidate(struct fuseblk_volume *vol, uint64_t block, uint64_t count)
{
	fb_buf_invalidate(vol->cache, block, count);
}

/* A volume that became read-only in the middle of an operation stops it here. */
int fuseblk_change_pause(struct fuseblk_volume *vol)
{
	int err = fb_change_pause(vol->cache);

	if (!err && vol->read_only)
		err = -EROFS;
	return err;
}

uint64_t fuseblk_epoch(const struct fuseblk_volume *vol)
{
	return fb_cache_epoch(vol->cache);
}

uint64_t fuseblk_durable_epoch(const struct fuseblk_volume *vol)
{
	return fb_cache_durable_epoch(vol->cache);
}

bool fuseblk_interrupted(void)
{
	return fb_interrupted();
}
