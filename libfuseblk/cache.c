// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * cache.c: cached metadata blocks: finding, reading, changing, dropping.
 *
 * Blocks hang in hashed shards.  A block without references is on its
 * shard's LRU ring unless it is dirty or its images are being committed (the
 * commit holds a reference): only such blocks are dropped, so what is not on
 * the device yet is never read back from it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cache_impl.h"
#include "device.h"
#include "worker.h"

#define PREFETCH_BYTES	(128u << 10)

static inline struct fb_buf *impl(const struct fuseblk_buf *buf)
{
	return (struct fb_buf *)(uintptr_t)buf;
}

struct fb_shard *fb_cache_shard(struct fb_cache *cache, uint64_t block)
{
	return &cache->shards[block * 0x9E3779B97F4A7C15ull >> 60];
}

static struct fb_buf **bucket_of(struct fb_shard *shard, uint64_t block)
{
	return &shard->buckets[(block ^ block >> 10) % FB_CACHE_BUCKETS];
}

static _Atomic uint32_t *region_of(struct fb_cache *cache, uint64_t block)
{
	return &cache->regions[(block >> FB_REGION_BITS) % FB_REGIONS];
}

static void lru_add(struct fb_shard *shard, struct fb_buf *buf)
{
	buf->lru_prev = shard->lru.lru_prev;
	buf->lru_next = &shard->lru;
	buf->lru_prev->lru_next = buf;
	shard->lru.lru_prev = buf;
}

static void lru_del(struct fb_buf *buf)
{
	if (!buf->lru_next)
		return;
	buf->lru_prev->lru_next = buf->lru_next;
	buf->lru_next->lru_prev = buf->lru_prev;
	buf->lru_prev = buf->lru_next = NULL;
}

static struct fb_buf *find(struct fb_shard *shard, uint64_t block)
{
	struct fb_buf *buf = *bucket_of(shard, block);

	while (buf && buf->pub.block != block)
		buf = buf->next;
	return buf;
}

static void hash_add(struct fb_shard *shard, struct fb_buf *buf)
{
	struct fb_buf **head = bucket_of(shard, buf->pub.block);

	buf->next = *head;
	*head = buf;
	buf->hashed = true;
	atomic_fetch_add_explicit(region_of(buf->cache, buf->pub.block), 1, memory_order_relaxed);
}

static void hash_del(struct fb_shard *shard, struct fb_buf *buf)
{
	struct fb_buf **link = bucket_of(shard, buf->pub.block);

	if (!buf->hashed)
		return;
	while (*link != buf)
		link = &(*link)->next;
	*link = buf->next;
	buf->hashed = false;
	atomic_fetch_sub_explicit(region_of(buf->cache, buf->pub.block), 1, memory_order_relaxed);
}

static void account(struct fb_cache *cache, int64_t bytes)
{
	atomic_fetch_add_explicit(&cache->bytes, (uint64_t)bytes, memory_order_relaxed);
}

static void buf_destroy(struct fb_buf *buf)
{
	struct fb_cache *cache = buf->cache;

	account(cache, -(int64_t)(sizeof(*buf) + cache->block_size));
	fb_pieces_free(&cache->pool, buf->pub.data);
	fb_pieces_free(&cache->pool, buf->early);
	fb_later_fini(&buf->later);
	free(buf);
}

static void drop(struct fb_shard *shard, struct fb_buf *buf)
{
	lru_del(buf);
	hash_del(shard, buf);
	buf_destroy(buf);
}

/* Shard locked: make room by dropping the shard's least recently used blocks. */
static void evict(struct fb_cache *cache, struct fb_shard *shard)
{
	while (atomic_load_explicit(&cache->bytes, memory_order_relaxed) > FB_CACHE_LIMIT) {
		struct fb_buf *oldest = shard->lru.lru_next;

		if (oldest == &shard->lru)
			return;
		drop(shard, oldest);
	}
}

void fb_buf_unref_locked(struct fb_shard *shard, struct fb_buf *buf)
{
	if (--buf->refs)
		return;
	if (!buf->hashed)
		buf_destroy(buf);
	else if (!buf->dirty)
		lru_add(shard, buf);
}

/* Shard locked. A block in the hash with one reference, its content not yet set; NULL: no memory. */
static struct fb_buf *buf_create(struct fb_cache *cache, struct fb_shard *shard, uint64_t block)
{
	struct fb_buf *buf;

	evict(cache, shard);
	buf = calloc(1, sizeof(*buf));
	if (!buf)
		return NULL;
	buf->pub.data = fb_pieces_try(&cache->pool);
	if (!buf->pub.data) {
		free(buf);
		return NULL;
	}
	buf->pub.block = block;
	buf->cache = cache;
	buf->refs = 1;
	account(cache, (int64_t)(sizeof(*buf) + cache->block_size));
	hash_add(shard, buf);
	return buf;
}

static void ref_locked(struct fb_buf *buf)
{
	if (!buf->refs++)
		lru_del(buf);
}

static int read_block(struct fb_cache *cache, struct fb_shard *shard, struct fb_buf *buf)
{
	int err;

	pthread_mutex_unlock(&shard->lock);
	err = fb_device_read(cache->dev, buf->pub.data, cache->block_size,
			     buf->pub.block * cache->block_size);
	atomic_fetch_add_explicit(&cache->reads, 1, memory_order_relaxed);
	pthread_mutex_lock(&shard->lock);
	buf->reading = false;
	if (err) {
		buf->failed = true;
		hash_del(shard, buf);
	}
	pthread_cond_broadcast(&shard->read_done);
	return err;
}

static int wait_read(struct fb_shard *shard, struct fb_buf *buf)
{
	while (buf->reading) {
		fb_block_begin();
		pthread_cond_wait(&shard->read_done, &shard->lock);
		fb_block_end();
	}
	return buf->failed ? -EIO : 0;
}

int fb_buf_get(struct fb_cache *cache, uint64_t block, struct fuseblk_buf **out)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	struct fb_buf *buf;
	int err;

	if (block >= cache->blocks)
		return -EIO;
	pthread_mutex_lock(&shard->lock);
	buf = find(shard, block);
	if (buf) {
		ref_locked(buf);
		atomic_fetch_add_explicit(&cache->hits, 1, memory_order_relaxed);
		err = wait_read(shard, buf);
	} else {
		atomic_fetch_add_explicit(&cache->misses, 1, memory_order_relaxed);
		buf = buf_create(cache, shard, block);
		if (!buf) {
			pthread_mutex_unlock(&shard->lock);
			return -ENOMEM;
		}
		buf->reading = true;
		err = read_block(cache, shard, buf);
	}
	if (err)
		fb_buf_unref_locked(shard, buf);
	else
		*out = &buf->pub;
	pthread_mutex_unlock(&shard->lock);
	return err;
}

static void mark_dirty(struct fb_shard *shard, struct fb_buf *buf)
{
	if (buf->dirty)
		return;
	buf->dirty = true;
	buf->dirty_next = shard->dirty;
	shard->dirty = buf;
	atomic_fetch_add_explicit(&buf->cache->dirty_bytes, buf->cache->block_size,
				  memory_order_relaxed);
	fb_change_mark_dirty(buf->cache);
}

/*
 * A freed block that is cached may have become another's before what was
 * said of it in this epoch is committed: the new owner starts afresh.
 */
static void restart(struct fb_cache *cache, struct fb_buf *buf)
{
	fb_pieces_free(&cache->pool, buf->early);
	buf->early = NULL;
	fb_later_fini(&buf->later);
	buf->fixup = NULL;
	buf->mirrors = 0;
	atomic_store(&buf->pub.marks, 0);
}

static void clean(struct fb_shard *shard, struct fb_buf *buf)
{
	struct fb_buf **link = &shard->dirty;

	while (*link != buf)
		link = &(*link)->dirty_next;
	*link = buf->dirty_next;
	atomic_fetch_sub_explicit(&buf->cache->dirty_bytes,
				  buf->cache->block_size * (buf->early ? 2u : 1u),
				  memory_order_relaxed);
	buf->dirty = buf->fresh_dirty = false;
	restart(buf->cache, buf);
}

int fb_buf_new(struct fb_cache *cache, uint64_t block, struct fuseblk_buf **out)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	struct fb_buf *buf;

	if (block >= cache->blocks)
		return -EIO;
	pthread_mutex_lock(&shard->lock);
	buf = find(shard, block);
	if (buf) {
		ref_locked(buf);
		wait_read(shard, buf);
	}
	if (buf && buf->failed) {
		fb_buf_unref_locked(shard, buf);
		buf = NULL;
	}
	if (!buf)
		buf = buf_create(cache, shard, block);
	if (!buf) {
		pthread_mutex_unlock(&shard->lock);
		return -ENOMEM;
	}
	if (buf->dirty)
		clean(shard, buf);
	restart(cache, buf);
	memset(buf->pub.data, 0, cache->block_size);
	buf->fresh_epoch = atomic_load(&cache->epoch);
	buf->fresh_dirty = true;
	mark_dirty(shard, buf);
	pthread_mutex_unlock(&shard->lock);
	*out = &buf->pub;
	return 0;
}

void fuseblk_buf_put(struct fuseblk_buf *pub)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard;

	if (!pub)
		return;
	shard = fb_cache_shard(buf->cache, pub->block);
	pthread_mutex_lock(&shard->lock);
	fb_buf_unref_locked(shard, buf);
	pthread_mutex_unlock(&shard->lock);
}

bool fuseblk_buf_is_fresh(const struct fuseblk_buf *pub)
{
	const struct fb_buf *buf = impl(pub);

	return buf->fresh_epoch == atomic_load(&buf->cache->epoch);
}

static void make_early(struct fb_buf *buf)
{
	if (buf->early)
		return;
	buf->early = fb_pieces_alloc(&buf->cache->pool);
	memcpy(buf->early, buf->pub.data, buf->cache->block_size);
	atomic_fetch_add_explicit(&buf->cache->dirty_bytes, buf->cache->block_size,
				  memory_order_relaxed);
}

static void compact_if_long(struct fb_buf *buf)
{
	struct fb_cache *cache = buf->cache;
	size_t limit = buf->later.compacted > cache->block_size ? buf->later.compacted
								: cache->block_size;
	uint8_t *a, *b;

	if (buf->later.len <= 2 * limit)
		return;
	a = fb_pieces_alloc(&cache->pool);
	b = fb_pieces_alloc(&cache->pool);
	fb_later_compact(&buf->later, buf->early, cache->block_size, a, b);
	fb_pieces_free(&cache->pool, a);
	fb_pieces_free(&cache->pool, b);
}

/* @off..@len of the present content was just set in @phase: tell the images. */
static void note_change(struct fb_buf *buf, unsigned phase, size_t off, size_t len)
{
	const uint8_t *now = buf->pub.data + off;

	if (phase == FUSEBLK_FRESH) {
		buf->fresh_dirty = true;
		if (!buf->later.len || !fb_later_overlaps(&buf->later, off, len))
			return;
	}
	fb_later_add(&buf->later, phase, off, now, len);
	compact_if_long(buf);
}

void fuseblk_buf_write(struct fuseblk_buf *pub, unsigned phase, size_t off, const void *src,
		       size_t len)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);

	if (!len)
		return;
	pthread_mutex_lock(&shard->lock);
	if (phase != FUSEBLK_FRESH)
		make_early(buf);
	memcpy(pub->data + off, src, len);
	if (phase == FUSEBLK_FRESH && buf->early)
		memcpy(buf->early + off, src, len);
	note_change(buf, phase, off, len);
	mark_dirty(shard, buf);
	pthread_mutex_unlock(&shard->lock);
}

void fuseblk_buf_edit(struct fuseblk_buf *pub, size_t off, size_t len,
		      void (*edit)(void *bytes, void *arg), void *arg)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);

	pthread_mutex_lock(&shard->lock);
	edit(pub->data + off, arg);
	if (buf->early)
		edit(buf->early + off, arg);
	note_change(buf, FUSEBLK_FRESH, off, len);
	mark_dirty(shard, buf);
	pthread_mutex_unlock(&shard->lock);
}

void fuseblk_buf_read_early(struct fuseblk_buf *pub, size_t off, void *dst, size_t len)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);

	pthread_mutex_lock(&shard->lock);
	memcpy(dst, (buf->early ? buf->early : pub->data) + off, len);
	pthread_mutex_unlock(&shard->lock);
}

bool fuseblk_buf_has_later(struct fuseblk_buf *pub)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);
	bool has;

	pthread_mutex_lock(&shard->lock);
	has = buf->early != NULL;
	pthread_mutex_unlock(&shard->lock);
	return has;
}

void fuseblk_buf_set_fixup(struct fuseblk_buf *pub, fuseblk_fixup_fn fixup, uint64_t tag)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);

	pthread_mutex_lock(&shard->lock);
	buf->fixup = fixup;
	buf->tag = tag;
	pthread_mutex_unlock(&shard->lock);
}

void fuseblk_buf_set_mirror(struct fuseblk_buf *pub, uint64_t distance, unsigned copies)
{
	struct fb_buf *buf = impl(pub);
	struct fb_shard *shard = fb_cache_shard(buf->cache, pub->block);

	pthread_mutex_lock(&shard->lock);
	buf->mirror_distance = distance;
	buf->mirrors = copies;
	pthread_mutex_unlock(&shard->lock);
}

/* Unhash so that nobody finds it again; freed with its last reference. Shard locked, clean. */
static void unhash(struct fb_shard *shard, struct fb_buf *buf)
{
	lru_del(buf);
	hash_del(shard, buf);
	if (!buf->refs)
		buf_destroy(buf);
}

void fb_buf_forget(struct fb_cache *cache, uint64_t block)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	struct fb_buf *buf;

	pthread_mutex_lock(&shard->lock);
	buf = find(shard, block);
	if (buf && !buf->reading && buf->dirty && buf->fresh_epoch == atomic_load(&cache->epoch)) {
		clean(shard, buf);
		unhash(shard, buf);
	}
	pthread_mutex_unlock(&shard->lock);
}

static void invalidate_one(struct fb_cache *cache, uint64_t block)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	struct fb_buf *buf;

	pthread_mutex_lock(&shard->lock);
	buf = find(shard, block);
	if (buf && !buf->reading) {
		if (buf->dirty)
			clean(shard, buf);
		unhash(shard, buf);
	}
	pthread_mutex_unlock(&shard->lock);
}

void fb_buf_invalidate(struct fb_cache *cache, uint64_t block, uint64_t count)
{
	uint64_t end = block + count;

	while (block < end) {
		uint64_t next = ((block >> FB_REGION_BITS) + 1) << FB_REGION_BITS;

		if (next > end)
			next = end;
		if (atomic_load_explicit(region_of(cache, block), memory_order_relaxed))
			for (; block < next; block++)
				invalidate_one(cache, block);
		block = next;
	}
}

/* Put a block read ahead into the cache, unless it is there or a commit has written since @seq. */
static void adopt(struct fb_cache *cache, uint64_t block, const uint8_t *bytes, uint64_t seq)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	struct fb_buf *buf;

	pthread_mutex_lock(&shard->lock);
	if (!find(shard, block) && atomic_load(&cache->write_seq) == seq) {
		buf = buf_create(cache, shard, block);
		if (buf) {
			memcpy(buf->pub.data, bytes, cache->block_size);
			fb_buf_unref_locked(shard, buf);
		}
	}
	pthread_mutex_unlock(&shard->lock);
}

static bool is_cached(struct fb_cache *cache, uint64_t block)
{
	struct fb_shard *shard = fb_cache_shard(cache, block);
	bool found;

	pthread_mutex_lock(&shard->lock);
	found = find(shard, block) != NULL;
	pthread_mutex_unlock(&shard->lock);
	return found;
}

void fb_buf_prefetch(struct fb_cache *cache, uint64_t block, unsigned count)
{
	uint64_t seq = atomic_load(&cache->write_seq), end;
	uint8_t *bytes;

	if (block >= cache->blocks)
		return;
	if (count > PREFETCH_BYTES / cache->block_size)
		count = PREFETCH_BYTES / cache->block_size;
	end = count < cache->blocks - block ? block + count : cache->blocks;
	while (block < end && is_cached(cache, block))
		block++;
	while (end > block && is_cached(cache, end - 1))
		end--;
	if (end - block < 2 || posix_memalign((void **)&bytes, 4096, (end - block) * cache->block_size))
		return;
	atomic_fetch_add_explicit(&cache->reads, 1, memory_order_relaxed);
	if (!fb_device_read(cache->dev, bytes, (end - block) * cache->block_size,
			    block * cache->block_size))
		for (uint64_t b = block; b < end; b++)
			adopt(cache, b, bytes + (b - block) * cache->block_size, seq);
	free(bytes);
}

static int shard_init(struct fb_shard *shard)
{
	shard->buckets = calloc(FB_CACHE_BUCKETS, sizeof(*shard->buckets));
	if (!shard->buckets)
		return -ENOMEM;
	pthread_mutex_init(&shard->lock, NULL);
	pthread_cond_init(&shard->read_done, NULL);
	shard->lru.lru_prev = shard->lru.lru_next = &shard->lru;
	return 0;
}

static void shard_fini(struct fb_shard *shard)
{
	if (!shard->buckets)
		return;
	for (unsigned i = 0; i < FB_CACHE_BUCKETS; i++)
		while (shard->buckets[i])
			drop(shard, shard->buckets[i]);
	free(shard->buckets);
	pthread_cond_destroy(&shard->read_done);
	pthread_mutex_destroy(&shard->lock);
}

int fb_cache_new(struct fb_device *dev, uint32_t block_size, const struct fb_cache_hooks *hooks,
		 struct fb_cache **out)
{
	struct fb_cache *cache;
	pthread_condattr_t mono;
	int err = -ENOMEM;

	if (block_size < 512 || block_size > 65536 || (block_size & (block_size - 1)))
		return -EINVAL;
	cache = calloc(1, sizeof(*cache));
	if (!cache)
		return -ENOMEM;
	cache->dev = dev;
	cache->block_size = block_size;
	cache->blocks = dev->size / block_size;
	cache->epoch = 1;
	if (hooks)
		cache->hooks = *hooks;
	pthread_mutex_init(&cache->lock, NULL);
	pthread_cond_init(&cache->gate, NULL);
	pthread_condattr_init(&mono);
	pthread_condattr_setclock(&mono, CLOCK_MONOTONIC);
	pthread_cond_init(&cache->wake, &mono);
	pthread_condattr_destroy(&mono);
	fb_pieces_init(&cache->pool, block_size);
	for (unsigned i = 0; i < FB_CACHE_SHARDS; i++)
		if (shard_init(&cache->shards[i]))
			goto free_cache;
	err = fb_pieces_reserve(&cache->pool, FB_RESERVE_PIECES);
	if (err)
		goto free_cache;
	*out = cache;
	return 0;
free_cache:
	fb_cache_free(cache);
	return err;
}

void fb_cache_free(struct fb_cache *cache)
{
	if (!cache)
		return;
	fb_committer_stop(cache);
	for (unsigned i = 0; i < FB_CACHE_SHARDS; i++)
		shard_fini(&cache->shards[i]);
	fb_pieces_fini(&cache->pool);
	free(cache->freed);
	pthread_cond_destroy(&cache->wake);
	pthread_cond_destroy(&cache->gate);
	pthread_mutex_destroy(&cache->lock);
	free(cache);
}

void fb_cache_shrink(struct fb_cache *cache)
{
	for (unsigned i = 0; i < FB_CACHE_SHARDS; i++) {
		struct fb_shard *shard = &cache->shards[i];

		pthread_mutex_lock(&shard->lock);
		while (shard->lru.lru_next != &shard->lru)
			drop(shard, shard->lru.lru_next);
		pthread_mutex_unlock(&shard->lock);
	}
}

void fb_cache_get_stats(struct fb_cache *cache, struct fb_cache_stats *out)
{
	*out = (struct fb_cache_stats){
		.hits = cache->hits, .misses = cache->misses, .reads = cache->reads,
		.commits = cache->commits, .flushes = cache->flushes,
		.blocks_written = cache->blocks_written,
		.bytes = cache->bytes, .dirty_bytes = cache->dirty_bytes,
	};
}
