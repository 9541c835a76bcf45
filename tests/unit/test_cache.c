// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_cache.c: the metadata cache and commits, against a model.
 *
 * The model keeps, for each block, what the device must hold after each
 * phase of a commit; the write log of a fault device shows what it held.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include <stdatomic.h>
#include <unistd.h>

#include "cache.h"
#include "device.h"
#include "worker.h"

#define BS 1024
#define BLOCKS 64

struct rig {
	struct fb_device *mem, *dev;
	struct fb_write_log *log;
	struct fb_cache *cache;
};

static void rig_open(struct rig *rig, const struct fb_cache_hooks *hooks)
{
	assert_int_equal(fb_device_open_mem(NULL, BS * BLOCKS, 512, &rig->mem), 0);
	assert_int_equal(fb_device_open_fault(rig->mem, &rig->dev), 0);
	assert_int_equal(fb_device_fault_log(rig->dev, &rig->log), 0);
	assert_int_equal(fb_cache_new(rig->dev, BS, hooks, &rig->cache), 0);
}

static void rig_close(struct rig *rig)
{
	fb_cache_free(rig->cache);
	fb_device_close(rig->dev);
	fb_write_log_free(rig->log);
}

static void poke(struct rig *rig, uint64_t block, unsigned phase, size_t off, const void *src,
		 size_t len)
{
	struct fuseblk_buf *buf;

	assert_int_equal(fb_buf_get(rig->cache, block, &buf), 0);
	fuseblk_buf_write(buf, phase, off, src, len);
	fuseblk_buf_put(buf);
}

/* The device's bytes after the log's entries up to the nth flush (from 1). */
static void replay(struct rig *rig, unsigned flushes, uint8_t *image)
{
	for (size_t i = 0; flushes && i < fb_write_log_count(rig->log); i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(rig->log, i);

		if (!e->len)
			flushes--;
		else
			memcpy(image + e->off, e->bytes, e->len);
	}
	assert_int_equal(flushes, 0);
}

static void test_phases_reach_the_device_in_order(void **state)
{
	struct rig rig;
	uint8_t image[BS * BLOCKS] = { 0 };

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	poke(&rig, 3, 127, 10, "gone", 4);
	poke(&rig, 3, 1, 20, "link", 4);
	poke(&rig, 3, 0, 30, "time", 4);
	poke(&rig, 4, 0, 0, "fresh", 5);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);

	replay(&rig, 1, image);
	assert_memory_equal(image + 3 * BS + 30, "time", 4);
	assert_memory_equal(image + 4 * BS, "fresh", 5);
	assert_memory_equal(image + 3 * BS + 20, "\0\0\0\0", 4);
	assert_memory_equal(image + 3 * BS + 10, "\0\0\0\0", 4);
	replay(&rig, 2, image);
	assert_memory_equal(image + 3 * BS + 20, "link", 4);
	assert_memory_equal(image + 3 * BS + 10, "\0\0\0\0", 4);
	replay(&rig, 3, image);
	assert_memory_equal(image + 3 * BS + 10, "gone", 4);
	rig_close(&rig);
}

static void test_clean_commit_writes_nothing(void **state)
{
	struct rig rig;

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(fb_write_log_count(rig.log), 0);
	fb_cache_data_written(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(fb_write_log_count(rig.log), 1);
	rig_close(&rig);
}

/* What each phase's image of one block must be, built by brute force. */
struct model_change { unsigned phase; size_t off, len; uint8_t bytes[32]; };

static void model_image(const uint8_t *base, const struct model_change *c, size_t n, unsigned phase,
			uint8_t *out)
{
	memcpy(out, base, BS);
	for (size_t i = 0; i < n; i++)
		if (c[i].phase <= phase)
			memcpy(out + c[i].off, c[i].bytes, c[i].len);
}

static void test_random_changes_match_the_model(void **state)
{
	enum { MAX = 3000 };
	struct model_change *c = malloc(MAX * sizeof(*c));
	static const unsigned phases[] = { 0, 0, 1, 2, 5, 62, 127 };

	(void)state;
	srand(7);
	for (int round = 0; round < 30; round++) {
		struct rig rig;
		uint8_t base[BS] = { 0 }, want[BS], image[BS * BLOCKS] = { 0 };
		size_t n = (size_t)(rand() % MAX);
		unsigned flushes = 0;
		bool used[128] = { false };

		rig_open(&rig, NULL);
		assert_int_equal(fb_change_begin(rig.cache), 0);
		for (size_t i = 0; i < n; i++) {
			c[i].phase = phases[rand() % 7];
			c[i].len = 1 + (size_t)rand() % 32;
			c[i].off = (size_t)rand() % (BS - c[i].len);
			for (size_t k = 0; k < c[i].len; k++)
				c[i].bytes[k] = (uint8_t)rand();
			used[c[i].phase] = true;
			poke(&rig, 9, c[i].phase, c[i].off, c[i].bytes, c[i].len);
		}
		fb_change_end(rig.cache);
		assert_int_equal(fb_commit(rig.cache), 0);
		for (unsigned p = 0; p < 128; p++) {
			if (!used[p])
				continue;
			replay(&rig, ++flushes, image);
			model_image(base, c, n, p, want);
			assert_memory_equal(image + 9 * BS, want, BS);
		}
		rig_close(&rig);
	}
	free(c);
}

static void test_next_epoch_is_not_written_early(void **state)
{
	struct rig rig;
	uint64_t first;

	(void)state;
	rig_open(&rig, NULL);
	first = fb_cache_epoch(rig.cache);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	poke(&rig, 1, 1, 0, "a", 1);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(fb_cache_durable_epoch(rig.cache), first);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	poke(&rig, 1, 1, 1, "b", 1);
	fb_change_end(rig.cache);
	assert_int_equal(fb_write_log_count(rig.log), 2);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(fb_write_log_count(rig.log), 4);
	assert_memory_equal(fb_device_mem_bytes(rig.mem) + BS, "ab", 2);
	rig_close(&rig);
}

static void test_early_image_and_freshness(void **state)
{
	struct rig rig;
	struct fuseblk_buf *buf;
	char got[4];

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	assert_int_equal(fb_buf_new(rig.cache, 5, &buf), 0);
	assert_true(fuseblk_buf_is_fresh(buf));
	fuseblk_buf_write(buf, 0, 0, "live", 4);
	assert_false(fuseblk_buf_has_later(buf));
	fuseblk_buf_write(buf, 127, 0, "dead", 4);
	assert_true(fuseblk_buf_has_later(buf));
	fuseblk_buf_read_early(buf, 0, got, 4);
	assert_memory_equal(got, "live", 4);
	assert_memory_equal(buf->data, "dead", 4);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_false(fuseblk_buf_is_fresh(buf));
	assert_false(fuseblk_buf_has_later(buf));
	fuseblk_buf_put(buf);
	rig_close(&rig);
}

static void test_failed_write_is_never_forgotten(void **state)
{
	struct rig rig;

	(void)state;
	for (uint64_t nth = 1; nth <= 3; nth++) {
		rig_open(&rig, NULL);
		fb_device_fault_set(rig.dev, FB_FAULT_ANY, 1 + nth, FB_FAULT_FAIL, false);
		assert_int_equal(fb_change_begin(rig.cache), 0);
		poke(&rig, 1, 0, 0, "x", 1);
		poke(&rig, 1, 1, 1, "y", 1);
		fb_change_end(rig.cache);
		assert_int_equal(fb_commit(rig.cache), -EIO);
		assert_int_equal(fb_commit(rig.cache), -EIO);
		assert_int_equal(fb_change_begin(rig.cache), -EIO);
		rig_close(&rig);
	}
}

static void test_forgotten_and_invalidated_blocks(void **state)
{
	struct rig rig;
	struct fuseblk_buf *buf;

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	assert_int_equal(fb_buf_new(rig.cache, 5, &buf), 0);
	fuseblk_buf_write(buf, 0, 0, "junk", 4);
	fuseblk_buf_put(buf);
	fb_buf_forget(rig.cache, 5);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	for (size_t i = 0; i < fb_write_log_count(rig.log); i++)
		assert_int_equal(fb_write_log_get(rig.log, i)->len, 0);
	assert_int_equal(fb_buf_get(rig.cache, 6, &buf), 0);
	fuseblk_buf_put(buf);
	assert_int_equal(fb_device_write(rig.dev, "data", 4, 6 * BS), 0);
	fb_buf_invalidate(rig.cache, 0, BLOCKS);
	assert_int_equal(fb_buf_get(rig.cache, 6, &buf), 0);
	assert_memory_equal(buf->data, "data", 4);
	fuseblk_buf_put(buf);
	rig_close(&rig);
}

static void stamp(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag,
		  uint8_t *image)
{
	(void)vol;
	(void)marks;
	image[BS - 1] = (uint8_t)(block + tag);
}

static void test_fixup_runs_on_every_image(void **state)
{
	struct rig rig;
	struct fuseblk_buf *buf;

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	assert_int_equal(fb_buf_get(rig.cache, 7, &buf), 0);
	fuseblk_buf_set_fixup(buf, stamp, 40);
	fuseblk_buf_write(buf, 0, 0, "x", 1);
	fuseblk_buf_write(buf, 9, 0, "y", 1);
	fuseblk_buf_put(buf);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(fb_write_log_count(rig.log), 4);
	assert_int_equal(fb_write_log_get(rig.log, 0)->bytes[BS - 1], 47);
	assert_int_equal(fb_write_log_get(rig.log, 2)->bytes[BS - 1], 47);
	rig_close(&rig);
}

static int ran_durable;

/* Every image of every phase goes to the copies too, before the flush that ends the phase. */
static void test_mirror(void **state)
{
	struct rig rig;
	struct fuseblk_buf *buf;

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	for (uint64_t block = 8; block < 11; block++) {
		assert_int_equal(fb_buf_get(rig.cache, block, &buf), 0);
		fuseblk_buf_set_mirror(buf, 10, block == 10 ? 0 : 2);
		fuseblk_buf_write(buf, 0, 0, "early", 5);
		fuseblk_buf_write(buf, 7, 8, "late", 4);
		fuseblk_buf_put(buf);
	}
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	for (unsigned flushes = 1; flushes <= 2; flushes++) {
		uint8_t image[BS * BLOCKS] = { 0 };

		replay(&rig, flushes, image);
		for (unsigned copy = 0; copy <= 2; copy++) {
			for (unsigned block = 8; block < 11; block++) {
				const uint8_t *at = image + (block + copy * 10) * BS;
				bool here = block != 10 || !copy;

				assert_memory_equal(at, here ? "early" : "\0\0\0\0\0", 5);
				assert_memory_equal(at + 8, here && flushes == 2 ? "late" : "\0\0\0\0", 4);
			}
		}
	}
	rig_close(&rig);
}

static void on_durable(void *ctx, uint64_t epoch)
{
	struct rig *rig = ctx;

	ran_durable++;
	assert_int_equal(epoch, fb_cache_durable_epoch(rig->cache));
	poke(rig, 20, 0, (size_t)ran_durable, "f", 1);
}

static void test_durable_hook_may_change(void **state)
{
	struct rig rig;
	struct fb_cache_hooks hooks = { .durable = on_durable, .ctx = &rig };

	(void)state;
	ran_durable = 0;
	rig_open(&rig, &hooks);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	poke(&rig, 1, 0, 0, "x", 1);
	fb_change_end(rig.cache);
	assert_int_equal(fb_commit(rig.cache), 0);
	assert_int_equal(ran_durable, 1);
	assert_true(fb_cache_is_dirty(rig.cache));
	rig_close(&rig);
}

static void *churn(void *arg)
{
	struct rig *rig = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed;

	for (int i = 0; i < 3000; i++) {
		uint64_t block = (uint64_t)rand_r(&seed) % BLOCKS;
		unsigned phase = (unsigned[]){ 0, 1, 127 }[rand_r(&seed) % 3];

		assert_int_equal(fb_change_begin(rig->cache), 0);
		poke(rig, block, phase, (size_t)rand_r(&seed) % 1000, "abcd", 4);
		fb_change_end(rig->cache);
		if (i % 97 == 0)
			assert_int_equal(fb_commit(rig->cache), 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct rig rig;
	pthread_t t[4];

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_committer_start(rig.cache, 1), 0);
	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&t[i], NULL, churn, &rig), 0);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	assert_int_equal(fb_commit(rig.cache), 0);
	fb_committer_stop(rig.cache);
	for (uint64_t b = 0; b < BLOCKS; b++) {
		struct fuseblk_buf *buf;

		assert_int_equal(fb_buf_get(rig.cache, b, &buf), 0);
		assert_memory_equal(buf->data, (uint8_t *)fb_device_mem_bytes(rig.mem) + b * BS, BS);
		fuseblk_buf_put(buf);
	}
	rig_close(&rig);
}

static void test_bounds_and_memory(void **state)
{
	struct fb_device *mem;
	struct fb_cache *cache;
	struct fb_cache_stats st;
	struct fuseblk_buf *buf;

	(void)state;
	assert_int_equal(fb_device_open_mem(NULL, 256u << 20, 512, &mem), 0);
	assert_int_equal(fb_cache_new(mem, 4096, NULL, &cache), 0);
	assert_int_equal(fb_buf_get(cache, 65536, &buf), -EIO);
	for (uint64_t b = 0; b < 65536; b += 3) {
		assert_int_equal(fb_buf_get(cache, b, &buf), 0);
		fuseblk_buf_put(buf);
	}
	fb_buf_prefetch(cache, 65530, 100);
	fb_cache_get_stats(cache, &st);
	assert_true(st.bytes <= (20u << 20) + 65536);
	fb_cache_free(cache);
	fb_device_close(mem);
}

/* ---- a change that is told to stop ------------------------------------------ */

static _Thread_local bool told_to_stop;

bool __wrap_fb_interrupted(void);
int __wrap_fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock);
int __real_fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock);

bool __wrap_fb_interrupted(void)
{
	return told_to_stop;
}

int __wrap_fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	return told_to_stop ? -EINTR : __real_fb_cond_wait_interruptible(cond, lock);
}

static _Atomic unsigned in_change;

static void *change_for_a_while(void *arg)
{
	struct rig *rig = arg;

	assert_int_equal(fb_change_begin(rig->cache), 0);
	poke(rig, 5, 0, 0, "other", 5);
	atomic_fetch_add(&in_change, 1);
	usleep(100000);
	fb_change_end(rig->cache);
	return NULL;
}

static void *commit_it(void *arg)
{
	struct rig *rig = arg;

	assert_int_equal(fb_commit(rig->cache), 0);
	return NULL;
}

/* Its pause lets the commit that waits for all changes have the lock, and then it goes on. */
static void test_pause_that_must_stop(void **state)
{
	struct rig rig;
	pthread_t other, commit;

	(void)state;
	rig_open(&rig, NULL);
	assert_int_equal(fb_change_begin(rig.cache), 0);
	poke(&rig, 3, 0, 0, "first", 5);
	assert_int_equal(pthread_create(&other, NULL, change_for_a_while, &rig), 0);
	while (!atomic_load(&in_change))
		usleep(1000);
	assert_int_equal(pthread_create(&commit, NULL, commit_it, &rig), 0);
	usleep(30000);
	told_to_stop = true;
	alarm(20);
	assert_int_equal(fb_change_pause(rig.cache), -EINTR);
	alarm(0);
	told_to_stop = false;
	poke(&rig, 3, 0, 0, "after", 5);
	fb_change_end(rig.cache);
	pthread_join(other, NULL);
	pthread_join(commit, NULL);
	assert_int_equal(fb_commit(rig.cache), 0);
	rig_close(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_phases_reach_the_device_in_order),
		cmocka_unit_test(test_clean_commit_writes_nothing),
		cmocka_unit_test(test_random_changes_match_the_model),
		cmocka_unit_test(test_next_epoch_is_not_written_early),
		cmocka_unit_test(test_early_image_and_freshness),
		cmocka_unit_test(test_failed_write_is_never_forgotten),
		cmocka_unit_test(test_forgotten_and_invalidated_blocks),
		cmocka_unit_test(test_fixup_runs_on_every_image),
		cmocka_unit_test(test_mirror),
		cmocka_unit_test(test_durable_hook_may_change),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_bounds_and_memory),
		cmocka_unit_test(test_pause_that_must_stop),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
