// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_alloc.c: the block and inode allocators against a model: nothing is
 * handed out twice, no metadata, nothing freed before that is durable; all of
 * it can be used, from many threads; and e2fsck finds nothing when all of it
 * was given back.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../fs-ext2/super.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "../lib/image.h"
#include "../lib/chance.h"

#define MIB (1ull << 20)

struct rig {
	struct image *image;
	struct fuseblk_volume *vol;
	struct e2_super *sb;
	uint8_t *held;			/* per block: given to the test */
	pthread_mutex_t lock;
	uint32_t seed;
};

static void setup(struct rig *r, const char *mke2fs, uint64_t size)
{
	char error[300];

	*r = (struct rig){ .seed = 1 };
	pthread_mutex_init(&r->lock, NULL);
	r->image = image_mke2fs(mke2fs, size);
	if (fb_volume_new(&e2_driver, image_device(r->image, false), "image", "errors=continue", &r->vol, error,
			  sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fb_volume_start(r->vol), 0);
	r->sb = e2_sb(r->vol);
	r->held = calloc(1, r->sb->blocks_count);
	assert_non_null(r->held);
}

static void teardown(struct rig *r)
{
	assert_int_equal(fb_volume_stop(r->vol), 0);
	fb_volume_free(r->vol);
	assert_int_equal(image_e2fsck(r->image, "-fn"), 0);
	image_free(r->image);
	free(r->held);
	pthread_mutex_destroy(&r->lock);
}

static void begin(struct rig *r)
{
	assert_int_equal(fb_volume_change_begin(r->vol), 0);
}

static void end(struct rig *r)
{
	fb_volume_change_end(r->vol);
}

/* The test's own books: every block given must have been free. */
static void note(struct rig *r, uint64_t block, uint32_t count)
{
	assert_true(e2_block_is_data(r->sb, block, count));
	pthread_mutex_lock(&r->lock);
	for (uint32_t i = 0; i < count; i++) {
		if (r->held[block + i])
			fail_msg("block %llu was given twice", (unsigned long long)(block + i));
		r->held[block + i] = 1;
	}
	pthread_mutex_unlock(&r->lock);
}

static void drop(struct rig *r, uint64_t block, uint32_t count)
{
	pthread_mutex_lock(&r->lock);
	for (uint32_t i = 0; i < count; i++) {
		assert_int_equal(r->held[block + i], 1);
		r->held[block + i] = 0;
	}
	pthread_mutex_unlock(&r->lock);
}

static int get(struct rig *r, uint64_t goal, uint32_t *count, uint64_t *block)
{
	uint32_t want = *count;
	int err;

	begin(r);
	err = e2_blocks_alloc(r->sb, goal, count, true, block);
	if (!err) {
		assert_in_range(*count, 1, want);
		note(r, *block, *count);
	}
	end(r);
	return err;
}

static void free_all(struct rig *r)
{
	begin(r);
	for (uint64_t b = 0; b < r->sb->blocks_count; b++)
		if (r->held[b]) {
			e2_blocks_free(r->sb, b, 1);
			r->held[b] = 0;
		}
	e2_super_stir(r->sb);	/* elsewhere an inode changes too */
	end(r);
}

static const struct { const char *options; uint64_t size; } kinds[] = {
	{ "-t ext2 -b 1024 -N 256", 20 * MIB },
	{ "-t ext2 -b 1024 -g 1024 -N 512", 10 * MIB + 77 * 1024 },
	{ "-t ext2 -b 4096", 40 * MIB },
	{ "-t ext4 -b 1024 -O ^has_journal -N 512", 40 * MIB },
	{ "-t ext4 -b 1024 -O ^has_journal,^metadata_csum,uninit_bg,meta_bg,^resize_inode", 30 * MIB },
	{ "-t ext4 -b 2048 -O ^has_journal,^flex_bg,sparse_super2", 60 * MIB },
};

#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* Everything can be had, once. */
static void test_fill(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		struct rig r;
		uint64_t block, total = 0, had;
		uint32_t count;
		int err;

		setup(&r, kinds[k].options, kinds[k].size);
		had = (uint64_t)atomic_load(&r.sb->free_blocks);
		for (;;) {
			count = 1 + chance(&r.seed, 3000);
			err = get(&r, chance(&r.seed, 4) ? 0 : chance(&r.seed, (uint32_t)r.sb->blocks_count), &count,
				  &block);
			if (err)
				break;
			total += count;
		}
		assert_int_equal(err, -ENOSPC);
		assert_int_equal(total, had);
		assert_int_equal(fb_commit(r.vol->cache), 0);
		free_all(&r);
		count = 1;
		assert_int_equal(get(&r, 0, &count, &block), -FUSEBLK_EAGAIN_COMMIT);
		assert_int_equal(fb_commit(r.vol->cache), 0);
		assert_int_equal(get(&r, 0, &count, &block), 0);
		free_all(&r);
		teardown(&r);
	}
}

/* A file written in order lies in order. */
static void test_sequential(void **state)
{
	struct rig r;
	uint64_t goal = 0, block;
	unsigned jumps = 0;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 64", 40 * MIB);
	for (int i = 0; i < 20000; i++) {
		uint32_t count = 1;

		assert_int_equal(get(&r, goal, &count, &block), 0);
		jumps += goal && block != goal;
		goal = block + 1;
	}
	assert_in_range(jumps, 0, 5);
	free_all(&r);
	teardown(&r);
}

static void test_reserve(void **state)
{
	struct rig r;
	uint64_t block;
	uint32_t count;
	int err;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 64", 10 * MIB);
	for (;;) {
		count = 100;
		begin(&r);
		err = e2_blocks_alloc(r.sb, 0, &count, false, &block);
		if (!err)
			note(&r, block, count);
		end(&r);
		if (err)
			break;
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(atomic_load(&r.sb->free_blocks), r.sb->reserved_blocks);
	assert_int_equal(e2_available(r.vol), 0);
	count = 1;
	assert_int_equal(get(&r, 0, &count, &block), 0);
	free_all(&r);
	teardown(&r);
}

/* What was not used after all can be had again at once. */
static void test_unalloc(void **state)
{
	struct rig r;
	uint64_t block, again;
	uint32_t count = 50;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 64", 10 * MIB);
	assert_int_equal(get(&r, 5000, &count, &block), 0);
	assert_int_equal(block, 5000);
	begin(&r);
	drop(&r, block, count);
	e2_blocks_unalloc(r.sb, block, count);
	end(&r);
	count = 50;
	assert_int_equal(get(&r, 5000, &count, &again), 0);
	assert_int_equal(again, 5000);
	free_all(&r);
	teardown(&r);
}

/* ---- damage ------------------------------------------------------------------------------- */

static void test_bad_frees(void **state)
{
	struct rig r;
	int64_t had;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 64", 10 * MIB);
	had = atomic_load(&r.sb->free_blocks);
	begin(&r);
	e2_blocks_free(r.sb, r.sb->groups[0].inode_table, 1);
	e2_blocks_free(r.sb, r.sb->blocks_count, 1);
	e2_blocks_free(r.sb, 0, 1);
	e2_blocks_free(r.sb, UINT64_MAX - 1, 5);
	e2_blocks_unalloc(r.sb, 6000, 3);	/* free already */
	end(&r);
	assert_int_equal(atomic_load(&r.sb->free_blocks), had);
	assert_int_equal(atomic_load(&r.sb->pending_blocks), 0);
	assert_int_equal(fb_volume_stop(r.vol), 0);
	fb_volume_free(r.vol);
	/* the errors are on record, and nothing else changed */
	assert_int_equal(image_e2fsck(r.image, "-p"), 1);
	assert_int_equal(image_e2fsck(r.image, "-fn"), 0);
	image_free(r.image);
	free(r.held);
}

/* Metadata that its bitmap shows as free is not given away. */
static void test_damaged_bitmap(void **state)
{
	struct image *image = image_mke2fs("-t ext2 -b 1024 -N 64 -g 1024", 3 * MIB);
	struct fuseblk_volume *vol;
	char error[300];
	uint64_t block;
	uint32_t count = 10;

	(void)state;
	assert_int_equal(fb_volume_new(&e2_driver, image_device(image, false), "image", "errors=continue", &vol, error,
				       sizeof(error)), 0);
	memset(image_bytes(image) + (e2_sb(vol)->groups[0].block_bitmap << 10), 0, 16);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(fb_volume_change_begin(vol), 0);
	assert_int_equal(e2_blocks_alloc(e2_sb(vol), 1, &count, true, &block), 0);
	assert_true(block > 1024);	/* of another group */
	fb_volume_change_end(vol);
	fb_volume_stop(vol);
	fb_volume_free(vol);
	image_free(image);
}

/* ---- discards ------------------------------------------------------------------------------ */

static uint8_t *block_at(struct rig *r, uint64_t block)
{
	return image_bytes(r->image) + (block << r->sb->block_bits);
}

/* As the device says, before the commit of what the test has taken. */
static bool is_free(struct rig *r, uint64_t block)
{
	uint32_t i = e2_group_of_block(r->sb, block);
	const struct e2_group *g = &r->sb->groups[i];

	if (!e2_block_is_data(r->sb, block, 1))
		return false;
	return g->flags & E2_BG_BLOCK_UNINIT ||
	       !e2_bit_test(block_at(r, g->block_bitmap), (uint32_t)(block - e2_group_first(r->sb, i)));
}

/* Every free block is discarded, and no other. */
static void test_trim(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		uint64_t block, trimmed = 0, had;
		uint32_t count = 500;
		struct image *before;
		struct rig r;

		setup(&r, kinds[k].options, kinds[k].size);
		assert_int_equal(get(&r, 4000, &count, &block), 0);
		for (uint64_t b = r.sb->first_data_block; b < r.sb->blocks_count; b++)
			if (is_free(&r, b))
				memset(block_at(&r, b), 0xAA, r.sb->block_size);
		assert_int_equal(fb_commit(r.vol->cache), 0);
		before = image_copy(r.image);
		had = (uint64_t)atomic_load(&r.sb->free_blocks);
		begin(&r);
		assert_int_equal(e2_trim(r.vol, 0, UINT64_MAX, 0, &trimmed), 0);
		end(&r);
		assert_int_equal(trimmed, had << r.sb->block_bits);
		for (uint64_t b = 0; b < r.sb->blocks_count; b++) {
			const uint8_t *was = image_bytes(before) + (b << r.sb->block_bits);

			if (block_at(&r, b)[0] == 0 && was[0] == 0xAA)
				had--;
			else
				assert_memory_equal(block_at(&r, b), was, r.sb->block_size);
		}
		assert_int_equal(had, 0);
		assert_int_equal(block_at(&r, block)[0], 0xAA);
		begin(&r);
		assert_int_equal(e2_trim(r.vol, image_size(r.image), 4096 << 4, 0, &trimmed), -EINVAL);
		assert_int_equal(e2_trim(r.vol, 0, UINT64_MAX, 1ull << 40, &trimmed), -EINVAL);
		end(&r);
		image_free(before);
		free_all(&r);
		teardown(&r);
	}
}

/* Option discard: freed blocks are discarded when that is durable, and not before. */
static void test_discard(void **state)
{
	uint64_t block, other;
	uint32_t count = 10;
	struct rig r;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 64", 10 * MIB);
	fuseblk_set_discard(r.vol, true);
	assert_int_equal(get(&r, 5000, &count, &block), 0);
	memset(block_at(&r, block), 0xAA, 10 * 1024);
	assert_int_equal(fb_commit(r.vol->cache), 0);
	free_all(&r);
	assert_int_equal(block_at(&r, block)[0], 0xAA);
	count = 10;
	assert_int_equal(get(&r, 5000, &count, &other), 0);
	assert_int_not_equal(other, block);
	assert_int_equal(fb_commit(r.vol->cache), 0);
	assert_int_equal(block_at(&r, block)[0], 0);
	free_all(&r);
	teardown(&r);
}

/* ---- inodes --------------------------------------------------------------------------------- */

static int take_inode(struct rig *r, bool is_dir, uint32_t *ino)
{
	int err;

	begin(r);
	err = e2_inode_alloc(r->sb, NULL, is_dir, ino);
	end(r);
	return err;
}

static void test_inodes(void **state)
{
	(void)state;
	for (size_t k = 0; k < KINDS; k++) {
		struct rig r;
		uint8_t *seen;
		uint32_t ino;
		int64_t had, n = 0;
		int err;

		setup(&r, kinds[k].options, kinds[k].size);
		had = atomic_load(&r.sb->free_inodes);
		seen = calloc(1, r.sb->inodes_count + 1);
		while (!(err = take_inode(&r, n % 3 == 0, &ino))) {
			assert_in_range(ino, r.sb->first_ino, r.sb->inodes_count);
			assert_false(seen[ino]);
			seen[ino] = n % 3 == 0 ? 2 : 1;
			n++;
		}
		assert_int_equal(err, -ENOSPC);
		assert_int_equal(n, had);
		begin(&r);
		for (ino = 1; ino <= r.sb->inodes_count; ino++)
			if (seen[ino])
				e2_inode_free(r.sb, ino, seen[ino] == 2);
		end(&r);
		assert_int_equal(take_inode(&r, false, &ino), -FUSEBLK_EAGAIN_COMMIT);
		assert_int_equal(fb_commit(r.vol->cache), 0);
		assert_int_equal(take_inode(&r, false, &ino), 0);
		begin(&r);
		e2_inode_unalloc(r.sb, ino, false);
		end(&r);
		assert_int_equal(atomic_load(&r.sb->free_inodes), had);
		free(seen);
		teardown(&r);
	}
}

/* Directories at the top are spread over the groups. */
static void test_spread(void **state)
{
	struct rig r;
	uint32_t ino, groups = 0;
	uint32_t inos[20];
	bool seen[64] = { 0 };

	(void)state;
	setup(&r, "-t ext2 -b 1024 -g 1024 -N 1024", 20 * MIB);
	for (int i = 0; i < 20; i++) {
		assert_int_equal(take_inode(&r, true, &ino), 0);
		inos[i] = ino;
		groups += !seen[(ino - 1) / r.sb->inodes_per_group];
		seen[(ino - 1) / r.sb->inodes_per_group] = true;
	}
	assert_in_range(groups, 10, 20);
	begin(&r);
	for (int i = 0; i < 20; i++)
		e2_inode_unalloc(r.sb, inos[i], true);
	end(&r);
	teardown(&r);
}

/* ---- threads ---------------------------------------------------------------------------------- */

#define THREADS 4
#define ROUNDS 300

static void *worker(void *arg)
{
	struct rig *r = arg;
	struct { uint64_t block; uint32_t count; } mine[40] = { { 0, 0 } };
	uint32_t seed;

	pthread_mutex_lock(&r->lock);
	seed = ++r->seed * 77;
	pthread_mutex_unlock(&r->lock);
	for (int i = 0; i < ROUNDS; i++) {
		uint32_t at = chance(&seed, 40);

		if (mine[at].count) {
			begin(r);
			drop(r, mine[at].block, mine[at].count);
			e2_blocks_free(r->sb, mine[at].block, mine[at].count);
			end(r);
			mine[at].count = 0;
		} else {
			uint32_t count = 1 + chance(&seed, 60);

			if (!get(r, chance(&seed, (uint32_t)r->sb->blocks_count), &count, &mine[at].block))
				mine[at].count = count;
		}
		if (i % 50 == 49)
			assert_int_equal(fb_commit(r->vol->cache), 0);
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[THREADS];
	struct rig r;

	(void)state;
	setup(&r, "-t ext4 -b 1024 -g 1024 -N 512 -O ^has_journal", 10 * MIB);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, worker, &r), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	free_all(&r);
	teardown(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fill),
		cmocka_unit_test(test_sequential),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_unalloc),
		cmocka_unit_test(test_bad_frees),
		cmocka_unit_test(test_damaged_bitmap),
		cmocka_unit_test(test_trim),
		cmocka_unit_test(test_discard),
		cmocka_unit_test(test_inodes),
		cmocka_unit_test(test_spread),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
