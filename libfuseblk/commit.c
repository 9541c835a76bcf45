// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * commit.c: taking the dirty images of an epoch and writing them, phase by
 * phase, with a flush after each.
 *
 * One commit runs at a time, in whichever thread asked first or in the
 * committer.  The images are taken while no change is open and are the
 * commit's own: changes of the next epoch go on beside it.  The first failure
 * of a write or flush is kept: no later commit succeeds.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_impl.h"
#include "device.h"
#include "worker.h"

#define WRITE_BYTES	(512u << 10)	/* most in one write */
#define SLOW_COMMIT_US	15000		/* commits expected to last longer are the committer's */

/* A dirty block as it was when the images were taken. */
struct frozen {
	struct fb_buf *buf;		/* referenced */
	uint64_t block;
	uint8_t *image;			/* of phase 0 */
	struct fb_later later;
	bool fresh_dirty;
	fuseblk_fixup_fn fixup;
	uint64_t tag, marks;
	uint64_t mirror_distance;
	unsigned mirrors;
};

struct batch {
	struct fb_cache *cache;
	struct frozen *items;
	size_t count;
	uint64_t phases[2];
	unsigned mirrors;		/* the most that one of them has */
	bool flush_fresh;		/* file data was written */
	uint8_t *io;			/* WRITE_BYTES, aligned */
	uint64_t io_block;
	size_t io_used;
	struct fb_freed_range *freed;
	size_t freed_count;
};

static uint64_t now_us(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static size_t count_dirty(struct fb_cache *cache)
{
	size_t n = 0;

	for (unsigned i = 0; i < FB_CACHE_SHARDS; i++)
		for (struct fb_buf *b = cache->shards[i].dirty; b; b = b->dirty_next)
			n++;
	return n;
}

/* Shard locked, no change open. */
static void freeze_one(struct batch *batch, struct fb_buf *buf)
{
	struct fb_cache *cache = batch->cache;
	struct frozen *f = &batch->items[batch->count++];

	*f = (struct frozen){
		.buf = buf, .block = buf->pub.block, .image = buf->early, .later = buf->later,
		.fresh_dirty = buf->fresh_dirty, .fixup = buf->fixup, .tag = buf->tag,
		.marks = atomic_load(&buf->pub.marks),
		.mirror_distance = buf->mirror_distance, .mirrors = buf->mirrors,
	};
	if (f->mirrors > batch->mirrors)
		batch->mirrors = f->mirrors;
	atomic_fetch_sub_explicit(&cache->dirty_bytes,
				  cache->block_size * (buf->early ? 2u : 1u), memory_order_relaxed);
	if (!f->image) {
		f->image = fb_pieces_alloc(&cache->pool);
		memcpy(f->image, buf->pub.data, cache->block_size);
	}
	for (int i = 0; i < 2; i++)
		batch->phases[i] |= f->later.phases[i];
	if (f->fresh_dirty)
		batch->phases[0] |= 1;
	if (!buf->refs++ && buf->lru_next)
		abort();	/* a dirty block is never on the LRU ring */
	buf->early = NULL;
	buf->later = (struct fb_later){ 0 };
	buf->dirty = buf->fresh_dirty = false;
	buf->dirty_next = NULL;
}

static int by_block(const void *a, const void *b)
{
	const struct frozen *x = a, *y = b;

	return x->block < y->block ? -1 : x->block > y->block;
}

/* A commit that gave up for lack of memory would end the volume: wait for it. */
static void *alloc_patiently(size_t size)
{
	void *p;

	while (posix_memalign(&p, 4096, size))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	return p;
}

/* Gate closed, no change open. */
static void freeze(struct batch *batch)
{
	struct fb_cache *cache = batch->cache;
	size_t n = count_dirty(cache);

	if (n)
		batch->items = alloc_patiently(n * sizeof(*batch->items));
	for (unsigned i = 0; i < FB_CACHE_SHARDS; i++) {
		struct fb_shard *shard = &cache->shards[i];
		struct fb_buf *buf, *next;

		pthread_mutex_lock(&shard->lock);
		for (buf = shard->dirty; buf; buf = next) {
			next = buf->dirty_next;
			freeze_one(batch, buf);
		}
		shard->dirty = NULL;
		pthread_mutex_unlock(&shard->lock);
	}
	if (batch->count)
		qsort(batch->items, batch->count, sizeof(*batch->items), by_block);
	batch->flush_fresh = cache->data_written;
	batch->freed = cache->freed;
	batch->freed_count = cache->freed_count;
	cache->freed = NULL;
	cache->freed_count = cache->freed_cap = 0;
}

static int write_out(struct batch *batch)
{
	struct fb_cache *cache = batch->cache;
	int err = 0;

	if (batch->io_used)
		err = fb_device_write(cache->dev, batch->io, batch->io_used,
				      batch->io_block * cache->block_size);
	batch->io_used = 0;
	return err;
}

/* @copy 0: in its place, else the mirror of that number. */
static int queue_image(struct batch *batch, const struct frozen *f, unsigned phase, unsigned copy)
{
	struct fb_cache *cache = batch->cache;
	uint64_t block = f->block + copy * f->mirror_distance;
	uint8_t *to;
	int err;

	if (batch->io_used + cache->block_size > WRITE_BYTES ||
	    batch->io_block + batch->io_used / cache->block_size != block) {
		err = write_out(batch);
		if (err)
			return err;
		batch->io_block = block;
	}
	to = batch->io + batch->io_used;
	memcpy(to, f->image, cache->block_size);
	if (phase)
		fb_later_apply(&f->later, phase, to);
	if (f->fixup)
		f->fixup(cache->hooks.vol, f->block, f->marks, f->tag, to);
	batch->io_used += cache->block_size;
	atomic_fetch_add_explicit(&cache->blocks_written, 1, memory_order_relaxed);
	return 0;
}

static int write_copies(struct batch *batch, unsigned phase, unsigned copy)
{
	int err = 0;

	for (size_t i = 0; !err && i < batch->count; i++) {
		const struct frozen *f = &batch->items[i];

		if (copy <= f->mirrors && (phase ? fb_later_has(&f->later, phase) : f->fresh_dirty))
			err = queue_image(batch, f, phase, copy);
	}
	return err ? err : write_out(batch);
}

static int write_phase(struct batch *batch, unsigned phase)
{
	int err = 0;

	for (unsigned copy = 0; !err && copy <= batch->mirrors; copy++)
		err = write_copies(batch, phase, copy);
	if (err)
		return err;
	atomic_fetch_add_explicit(&batch->cache->flushes, 1, memory_order_relaxed);
	return fb_device_flush(batch->cache->dev);
}

static int write_phases(struct batch *batch)
{
	int err = 0;

	if (batch->flush_fresh)
		batch->phases[0] |= 1;
	if (batch->count)
		batch->io = alloc_patiently(WRITE_BYTES);
	atomic_fetch_add(&batch->cache->write_seq, 1);
	for (unsigned p = 0; !err && p <= FUSEBLK_PHASE_MAX; p++)
		if (batch->phases[p / 64] >> p % 64 & 1)
			err = write_phase(batch, p);
	return err;
}

static void thaw(struct batch *batch)
{
	struct fb_cache *cache = batch->cache;

	for (size_t i = 0; i < batch->count; i++) {
		struct frozen *f = &batch->items[i];
		struct fb_shard *shard = fb_cache_shard(cache, f->block);

		fb_pieces_free(&cache->pool, f->image);
		fb_later_fini(&f->later);
		pthread_mutex_lock(&shard->lock);
		fb_buf_unref_locked(shard, f->buf);
		pthread_mutex_unlock(&shard->lock);
	}
	free(batch->items);
	free(batch->io);
}

/* Freed ranges become reusable only after this: a discard cannot hit their next owner. */
static void discard_freed(struct batch *batch, int err)
{
	for (size_t i = 0; !err && i < batch->freed_count; i++)
		fb_device_discard(batch->cache->dev, batch->freed[i].off, batch->freed[i].len);
	free(batch->freed);
}

static void open_gate(struct fb_cache *cache)
{
	cache->freezing = false;
	pthread_cond_broadcast(&cache->gate);
}

/* Let no new change in and wait for those inside. -EINTR: given up, the gate is open again. */
static int close_gate(struct fb_cache *cache)
{
	int err = 0;

	cache->freezing = true;
	while (cache->changes && !err)
		err = fb_cond_wait_interruptible(&cache->gate, &cache->lock);
	if (!cache->changes)
		return 0;
	open_gate(cache);
	return err;
}

/* With the gate closed: takes the images of *epoch and opens it. cache->lock held. */
static int take_images(struct fb_cache *cache, struct batch *batch, uint64_t *epoch)
{
	int err = 0;

	pthread_mutex_unlock(&cache->lock);
	if (cache->dirty && cache->hooks.pre_commit)
		err = cache->hooks.pre_commit(cache->hooks.ctx);
	if (!err)
		freeze(batch);
	pthread_mutex_lock(&cache->lock);
	*epoch = cache->epoch;
	if (!err) {
		cache->epoch++;
		cache->dirty = cache->data_written = cache->dirty_noted = false;
	}
	open_gate(cache);
	return err;
}

/* The freed become free in a change of its own: the hook's first step in the next epoch. */
static void run_durable_hook(struct fb_cache *cache, uint64_t epoch)
{
	if (!cache->hooks.durable)
		return;
	fb_pieces_reserve(&cache->pool, FB_RESERVE_PIECES);
	pthread_mutex_lock(&cache->lock);
	while (cache->freezing)
		pthread_cond_wait(&cache->gate, &cache->lock);
	cache->changes++;
	pthread_mutex_unlock(&cache->lock);
	cache->hooks.durable(cache->hooks.ctx, epoch);
	fb_change_end(cache);
}

static void finish(struct fb_cache *cache, uint64_t epoch, uint64_t started, int err)
{
	bool first = err && !cache->error;

	if (first)
		cache->error = err;
	if (!cache->error)
		cache->durable = epoch;
	cache->commit_us = (3 * cache->commit_us + (now_us() - started)) / 4;
	if (cache->hooks.durable && !cache->error) {
		cache->hook_running = true;
		pthread_mutex_unlock(&cache->lock);
		run_durable_hook(cache, epoch);
		pthread_mutex_lock(&cache->lock);
		cache->hook_running = false;
	}
	cache->committing = false;
	pthread_cond_broadcast(&cache->gate);
	if (first && cache->hooks.failed) {
		pthread_mutex_unlock(&cache->lock);
		cache->hooks.failed(cache->hooks.ctx, err);
		pthread_mutex_lock(&cache->lock);
	}
}

int fb_commit_run(struct fb_cache *cache)
{
	struct batch batch = { .cache = cache };
	uint64_t started = now_us(), epoch = 0;
	int err;

	cache->committing = true;
	if (close_gate(cache)) {
		cache->committing = false;
		pthread_cond_broadcast(&cache->gate);
		return -EINTR;
	}
	err = take_images(cache, &batch, &epoch);
	if (!err) {
		pthread_mutex_unlock(&cache->lock);
		atomic_fetch_add_explicit(&cache->commits, 1, memory_order_relaxed);
		err = write_phases(&batch);
		thaw(&batch);
		discard_freed(&batch, err);
		pthread_mutex_lock(&cache->lock);
	}
	finish(cache, epoch, started, err);
	return 0;
}

/* The newest epoch that holds something not yet durable; 0: nothing. cache->lock held. */
static uint64_t epoch_owed(struct fb_cache *cache)
{
	if (cache->dirty || cache->data_written || cache->freed_count)
		return cache->epoch;
	if (cache->committing)
		return cache->epoch - (cache->freezing ? 0 : 1);
	return 0;
}

/* In the thread of a request, which is answered meanwhile if a fatal signal comes. */
static int commit_here(struct fb_cache *cache)
{
	int err, told;

	fb_stuck_begin();
	err = fb_commit_run(cache);
	told = fb_stuck_end();
	return err ? err : told;
}

int fb_commit(struct fb_cache *cache)
{
	uint64_t owed;
	int err = 0;

	pthread_mutex_lock(&cache->lock);
	owed = epoch_owed(cache);
	fb_block_begin();
	while (!err && !cache->error && (cache->durable < owed || cache->hook_running)) {
		bool slow = cache->commit_us > SLOW_COMMIT_US && cache->committer_runs;

		if (!cache->committing && !slow) {
			err = commit_here(cache);
			continue;
		}
		if (!cache->committing)
			fb_committer_kick(cache);
		err = fb_cond_wait_interruptible(&cache->gate, &cache->lock);
	}
	fb_block_end();
	if (!err || cache->error)
		err = cache->error;
	pthread_mutex_unlock(&cache->lock);
	return err;
}

int fb_commit_data(struct fb_cache *cache)
{
	bool busy;
	int err, told;

	pthread_mutex_lock(&cache->lock);
	busy = cache->dirty || cache->committing;
	pthread_mutex_unlock(&cache->lock);
	if (busy)
		return fb_commit(cache);
	/* data_written stays set: a commit that starts meanwhile must not count on this flush */
	atomic_fetch_add_explicit(&cache->flushes, 1, memory_order_relaxed);
	fb_stuck_begin();
	err = fb_device_flush(cache->dev);
	told = fb_stuck_end();
	pthread_mutex_lock(&cache->lock);
	if (err && !cache->error) {
		cache->error = err;
		pthread_mutex_unlock(&cache->lock);
		if (cache->hooks.failed)
			cache->hooks.failed(cache->hooks.ctx, err);
		return err;
	}
	err = cache->error;
	pthread_mutex_unlock(&cache->lock);
	return err ? err : told;
}

void fb_cache_freed(struct fb_cache *cache, uint64_t off, uint64_t len)
{
	struct fb_freed_range *grown, *last;

	pthread_mutex_lock(&cache->lock);
	last = cache->freed_count ? &cache->freed[cache->freed_count - 1] : NULL;
	if (last && last->off + last->len == off) {
		last->len += len;
		goto unlock;
	}
	if (cache->freed_count == cache->freed_cap) {
		size_t cap = cache->freed_cap ? 2 * cache->freed_cap : 64;

		grown = realloc(cache->freed, cap * sizeof(*grown));
		if (!grown)
			goto unlock;	/* a discard is only advice */
		cache->freed = grown;
		cache->freed_cap = cap;
	}
	cache->freed[cache->freed_count++] = (struct fb_freed_range){ off, len };
unlock:
	pthread_mutex_unlock(&cache->lock);
}

void fb_committer_kick(struct fb_cache *cache)
{
	if (!cache->committer_runs || cache->kick)
		return;
	cache->kick = true;
	pthread_cond_signal(&cache->wake);
}

void fb_commit_soon(struct fb_cache *cache)
{
	pthread_mutex_lock(&cache->lock);
	fb_committer_kick(cache);
	pthread_mutex_unlock(&cache->lock);
}

static struct timespec later_by_ms(struct timespec t, unsigned ms)
{
	t.tv_sec += ms / 1000;
	t.tv_nsec += (long)(ms % 1000) * 1000000;
	if (t.tv_nsec >= 1000000000) {
		t.tv_sec++;
		t.tv_nsec -= 1000000000;
	}
	return t;
}

static bool is_due(struct fb_cache *cache, struct timespec *when)
{
	struct timespec now;

	if (cache->kick)
		return true;
	if (!cache->dirty_noted || !cache->interval_ms)
		return false;
	*when = later_by_ms(cache->dirty_since, cache->interval_ms);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > when->tv_sec ||
	       (now.tv_sec == when->tv_sec && now.tv_nsec >= when->tv_nsec);
}

static void *committer(void *arg)
{
	struct fb_cache *cache = arg;

	pthread_mutex_lock(&cache->lock);
	while (!cache->committer_stop) {
		struct timespec when = { 0 };

		if (is_due(cache, &when)) {
			if (cache->committing) {
				pthread_cond_wait(&cache->gate, &cache->lock);
				continue;
			}
			cache->kick = cache->dirty_noted = false;
			if (!cache->error && epoch_owed(cache))
				fb_commit_run(cache);
		} else if (when.tv_sec) {
			pthread_cond_timedwait(&cache->wake, &cache->lock, &when);
		} else {
			pthread_cond_wait(&cache->wake, &cache->lock);
		}
	}
	pthread_mutex_unlock(&cache->lock);
	return NULL;
}

int fb_committer_start(struct fb_cache *cache, unsigned interval_ms)
{
	int err;

	cache->interval_ms = interval_ms;
	cache->committer_stop = false;
	err = pthread_create(&cache->committer, NULL, committer, cache);
	if (err)
		return -err;
	pthread_mutex_lock(&cache->lock);
	cache->committer_runs = true;
	pthread_mutex_unlock(&cache->lock);
	return 0;
}

void fb_committer_stop(struct fb_cache *cache)
{
	if (!cache->committer_runs)
		return;
	pthread_mutex_lock(&cache->lock);
	cache->committer_stop = true;
	cache->committer_runs = false;
	pthread_cond_signal(&cache->wake);
	pthread_mutex_unlock(&cache->lock);
	pthread_join(cache->committer, NULL);
}

void fb_committer_set_interval(struct fb_cache *cache, unsigned interval_ms)
{
	pthread_mutex_lock(&cache->lock);
	cache->interval_ms = interval_ms;
	pthread_cond_signal(&cache->wake);
	pthread_mutex_unlock(&cache->lock);
}
