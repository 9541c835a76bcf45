/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache.h: the metadata cache, changes and commits (inside the library; what
 * drivers see of them is in fuseblk.h).
 */
#ifndef FB_CACHE_H
#define FB_CACHE_H

#include "fuseblk.h"

struct fb_cache;
struct fb_device;

/*
 * @pre_commit is called with all changes excluded, before the dirty images
 * are taken; @freed_durable after a commit ended, for discards.  Either may
 * be NULL.  @vol is handed to fixups.
 */
struct fb_cache_hooks {
	int (*pre_commit)(void *ctx);
	void (*durable)(void *ctx, uint64_t epoch);	/* inside a change of its own, after the last flush */
	void (*failed)(void *ctx, int error);	/* a commit's write or flush failed: the volume must stop changing */
	void *ctx;
	struct fuseblk_volume *vol;
};

int fb_cache_new(struct fb_device *dev, uint32_t block_size,
		 const struct fb_cache_hooks *hooks, struct fb_cache **out);
void fb_cache_free(struct fb_cache *cache);	/* dirty blocks are dropped */

int fb_buf_get(struct fb_cache *cache, uint64_t block, struct fuseblk_buf **out);
int fb_buf_new(struct fb_cache *cache, uint64_t block, struct fuseblk_buf **out);
void fb_buf_forget(struct fb_cache *cache, uint64_t block);
void fb_buf_prefetch(struct fb_cache *cache, uint64_t block, unsigned count);
void fb_buf_invalidate(struct fb_cache *cache, uint64_t block, uint64_t count);

/*
 * A change.  begin waits while a commit is taking its images or too much is
 * dirty; it must be called without a buffer lock held.  Returns 0, -EINTR (a
 * fatal signal while waiting), -ENOMEM, or the error of a failed commit.
 * Changes do not nest.
 */
int fb_change_begin(struct fb_cache *cache);
void fb_change_end(struct fb_cache *cache);
int fb_change_pause(struct fb_cache *cache);

/*
 * Make durable everything changed and every byte of data written before the
 * call: joins or starts a commit and waits for it.  Called outside changes.
 * Returns 0, -EINTR (fatal signal; the commit itself goes on), or the first
 * error ever met by a commit: a failed flush is never forgotten.
 */
int fb_commit(struct fb_cache *cache);
/* As fb_commit, but if no metadata is dirty only a flush of the device. */
int fb_commit_data(struct fb_cache *cache);
/* Have the committer begin one soon; nobody waits. */
void fb_commit_soon(struct fb_cache *cache);
bool fb_cache_is_dirty(struct fb_cache *cache);
/* File data was written: the next commit must flush even if no metadata is dirty. */
void fb_cache_data_written(struct fb_cache *cache);
/* Append a range to discard once the present epoch is durable. */
void fb_cache_freed(struct fb_cache *cache, uint64_t off, uint64_t len);
uint64_t fb_cache_epoch(const struct fb_cache *cache);
uint64_t fb_cache_durable_epoch(const struct fb_cache *cache);
/* Drop every clean unused block (memory pressure, remount). */
void fb_cache_shrink(struct fb_cache *cache);

/*
 * The committer thread: commits when the oldest change is @interval_ms old,
 * when too much is dirty, or when asked.  0 stops it until set again.
 */
int fb_committer_start(struct fb_cache *cache, unsigned interval_ms);
void fb_committer_stop(struct fb_cache *cache);
void fb_committer_set_interval(struct fb_cache *cache, unsigned interval_ms);

struct fb_cache_stats {
	uint64_t hits, misses, reads, commits, flushes, blocks_written;
	uint64_t bytes, dirty_bytes;
};
void fb_cache_get_stats(struct fb_cache *cache, struct fb_cache_stats *out);

#endif
