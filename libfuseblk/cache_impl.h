/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * cache_impl.h: what cache.c (blocks), later.c (changes of later phases),
 * change.c (the gate) and commit.c share.
 *
 * Lock order: cache->lock (gate, commit state) -> shard lock -> pool lock.
 * A block's content and log are changed under its shard's lock, inside a
 * change; a commit takes them while no change is open.
 */
#ifndef FB_CACHE_IMPL_H
#define FB_CACHE_IMPL_H

#include <pthread.h>
#include <stdatomic.h>
#include "cache.h"

#define FB_CACHE_SHARDS		16
#define FB_CACHE_BUCKETS	1024	/* per shard */
#define FB_CACHE_LIMIT		(20u << 20)	/* bytes in all: data, images, logs, bookkeeping */
#define FB_CACHE_DIRTY_KICK	(3u << 20)	/* a commit starts */
#define FB_CACHE_DIRTY_STALL	(7u << 20)	/* changes wait for it */
#define FB_RESERVE_PIECES		48	/* images that changes may make between two looks at the reserve */
#define FB_REGION_BITS		10	/* blocks per region of the presence filter */
#define FB_REGIONS		4096

/* Pieces of one block each, from slabs that are kept until the end. */
struct fb_pieces {
	pthread_mutex_t lock;
	size_t piece;
	void *free;			/* list through the pieces */
	void *slabs;
	unsigned reserve;		/* free pieces */
};

/* Changes of phases above 0 in the order they were made; see later.c. */
struct fb_later {
	uint8_t *bytes;
	size_t len, cap;
	size_t compacted;		/* len after the last compaction */
	uint64_t phases[2];		/* bit p: an entry of phase p exists */
};

struct fb_buf {
	struct fuseblk_buf pub;		/* must be first */
	struct fb_cache *cache;
	struct fb_buf *next;		/* bucket */
	struct fb_buf *lru_prev, *lru_next;	/* while refs is 0 */
	struct fb_buf *dirty_next;
	uint32_t refs;
	bool hashed, reading, failed, dirty, fresh_dirty;
	uint64_t fresh_epoch;
	uint8_t *early;			/* NULL while there are no later changes */
	struct fb_later later;
	fuseblk_fixup_fn fixup;
	uint64_t tag;
	uint64_t mirror_distance;	/* blocks */
	unsigned mirrors;
};

struct fb_shard {
	pthread_mutex_t lock;
	pthread_cond_t read_done;
	struct fb_buf **buckets;
	struct fb_buf lru;		/* ring head: next is the oldest */
	struct fb_buf *dirty;		/* list */
};

struct fb_freed_range { uint64_t off, len; };

struct fb_cache {
	struct fb_device *dev;
	struct fb_cache_hooks hooks;
	uint32_t block_size;
	uint64_t blocks;		/* whole blocks on the device */
	struct fb_pieces pool;
	struct fb_shard shards[FB_CACHE_SHARDS];
	_Atomic uint32_t regions[FB_REGIONS];	/* cached blocks per hashed region */
	_Atomic uint64_t bytes, dirty_bytes;
	_Atomic uint64_t write_seq;	/* raised before a commit writes; reads that raced it are not kept */
	_Atomic uint64_t hits, misses, reads, commits, flushes, blocks_written;

	pthread_mutex_t lock;
	pthread_cond_t gate;		/* freezing ended, a commit ended, or changes reached 0 */
	unsigned changes;		/* open */
	bool freezing;			/* a commit waits for, or takes, the images */
	bool committing;
	bool hook_running;		/* the epoch is durable, what it freed is not yet free */
	_Atomic bool dirty;		/* metadata of the open epoch */
	_Atomic bool data_written;	/* file data since the last flush began */
	bool dirty_noted;		/* dirty_since is set for the open epoch */
	_Atomic uint64_t epoch, durable;
	int error;			/* first failure of a commit */
	struct timespec dirty_since;
	uint64_t commit_us;		/* moving average of a commit's length */
	struct fb_freed_range *freed;	/* to discard when the open epoch is durable */
	size_t freed_count, freed_cap;

	pthread_t committer;
	pthread_cond_t wake;
	bool committer_runs, committer_stop, kick;
	unsigned interval_ms;
};

/* pieces.c: alloc never returns NULL except from try; both may be called with any lock held. */
int fb_pieces_init(struct fb_pieces *pool, size_t piece);
void fb_pieces_fini(struct fb_pieces *pool);
int fb_pieces_reserve(struct fb_pieces *pool, unsigned pieces);
void *fb_pieces_alloc(struct fb_pieces *pool);
void *fb_pieces_try(struct fb_pieces *pool);
void fb_pieces_free(struct fb_pieces *pool, void *piece);

/* later.c */
void fb_later_add(struct fb_later *later, unsigned phase, size_t off, const void *src, size_t len);
bool fb_later_overlaps(const struct fb_later *later, size_t off, size_t len);
/* Apply the entries of phases <= @phase to @image, in order. */
void fb_later_apply(const struct fb_later *later, unsigned phase, uint8_t *image);
/* Rewrite the log as the differences between successive phases' images. @early: the image of phase 0; @work: two blocks of scratch. */
void fb_later_compact(struct fb_later *later, const uint8_t *early, size_t block_size,
		      uint8_t *work_a, uint8_t *work_b);
bool fb_later_has(const struct fb_later *later, unsigned phase);
void fb_later_fini(struct fb_later *later);

/* cache.c, for commit.c */
struct fb_shard *fb_cache_shard(struct fb_cache *cache, uint64_t block);
void fb_buf_unref_locked(struct fb_shard *shard, struct fb_buf *buf);

/* change.c: metadata of the open epoch was changed; takes no lock */
void fb_change_mark_dirty(struct fb_cache *cache);
/* cache->lock held: tell the committer that its clock has started */
void fb_change_note_dirty(struct fb_cache *cache);

/* cache->lock held: have the committer, where there is one, begin a commit. */
void fb_committer_kick(struct fb_cache *cache);

/*
 * Run one commit in this thread; cache->lock held on entry and exit, dropped
 * between.  Returns 0 (how it went is in cache->error), or -EINTR: interrupted
 * while it waited for open changes, nothing was begun.
 */
int fb_commit_run(struct fb_cache *cache);

#endif
