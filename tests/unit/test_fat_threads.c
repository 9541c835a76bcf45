// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_threads.c: files written, cut and read by several threads beside
 * commits and statfs: for the thread sanitizer, and what is left must add up.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fat_rig.h"
#include "../lib/chance.h"

#define ROUNDS	400u

static _Atomic bool stop;

static void write_some(struct fuseblk_node *node, uint64_t off, uint64_t len)
{
	struct fuseblk_extent ext[4];
	uint64_t end = off;
	int n = fat_map(&rig->vol, node, off, len, FUSEBLK_MAP_WRITE, NULL, ext, 4);

	if (n < 0) {
		if (n != -ENOSPC && n != -FUSEBLK_EAGAIN_COMMIT)
			abort();
		return;
	}
	for (int i = 0; i < n; i++)
		end += ext[i].length;
	if (fat_written(&rig->vol, node, off, end - off, end))
		abort();
}

static void *writer(void *arg)
{
	struct fuseblk_node *node = arg;
	uint32_t seed = (uint32_t)node->ino;

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct fat_node *n = fat_node(node);
		int err = 0;

		pthread_rwlock_wrlock(&node->lock);
		if (fb_change_begin(rig->vol.cache))
			abort();
		if (chance(&seed, 4))
			write_some(node, n->size / 512 * 512, 512 + chance(&seed, 9000));
		else
			err = fat_truncate(&rig->vol, node, chance(&seed, 3) ? n->size / 2 : 0);
		if (err && err != -FUSEBLK_EAGAIN_COMMIT)
			abort();
		fb_change_end(rig->vol.cache);
		pthread_rwlock_unlock(&node->lock);
		if (chance(&seed, 10) == 0 && fb_commit(rig->vol.cache))
			abort();
	}
	return NULL;
}

static void *reader(void *arg)
{
	uint32_t seed = 99 + (uint32_t)(uintptr_t)arg;

	while (!atomic_load(&stop)) {
		struct fuseblk_node *node = rig->node[chance(&seed, RIG_FILES)];
		struct fuseblk_statfs st;
		struct fuseblk_extent ext[4];
		uint64_t size;

		pthread_rwlock_rdlock(&node->lock);
		size = fat_node(node)->size;
		if (size && fat_map(&rig->vol, node, chance(&seed, (uint32_t)size), size, FUSEBLK_MAP_READ, NULL,
				    ext, 4) < 1)
			abort();
		pthread_rwlock_unlock(&node->lock);
		if (fat_statfs(&rig->vol, &st) || st.bfree > st.blocks || fat_available(&rig->vol) > st.blocks * 512)
			abort();
	}
	return NULL;
}

static void check_counts(void)
{
	uint64_t free_, zeros = 0, used = 0;
	uint32_t clusters;

	rig_commit();
	rig_commit();
	for (uint32_t c = 2; c < rig->fat.geo.clusters + 2; c++)
		zeros += (rig_raw(rig_bytes(), 0, c) & 0x0fffffff) == 0;
	for (unsigned f = 0; f < RIG_FILES; f++) {
		assert_int_equal(fat_chain_length(&rig->vol, rig->node[f], &clusters), 0);
		used += clusters;
	}
	assert_int_equal(fat_alloc_count(&rig->fat, &free_), 0);
	assert_int_equal(free_, zeros);
	assert_int_equal(free_ + used, rig->fat.geo.clusters);
	assert_int_equal(standin_damage, 0);
}

static void test_threads(void **state)
{
	static const struct rig_shape shapes[] = {
		{ 12, 512, 1, 2000, 1 }, { 16, 512, 1, 2000, 1 }, { 32, 512, 1, 20000, 1 },
	};

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		pthread_t writers[RIG_FILES], readers[2];
		struct rig r;

		rig_open(&r, &shapes[s], s);
		for (unsigned i = 0; i < RIG_FILES; i++)
			pthread_rwlock_init(&r.node[i]->lock, NULL);
		atomic_store(&stop, false);
		for (uintptr_t i = 0; i < 2; i++)
			assert_int_equal(pthread_create(&readers[i], NULL, reader, (void *)i), 0);
		for (unsigned i = 0; i < RIG_FILES; i++)
			assert_int_equal(pthread_create(&writers[i], NULL, writer, r.node[i]), 0);
		for (unsigned i = 0; i < RIG_FILES; i++)
			pthread_join(writers[i], NULL);
		atomic_store(&stop, true);
		for (unsigned i = 0; i < 2; i++)
			pthread_join(readers[i], NULL);
		check_counts();
		for (unsigned i = 0; i < RIG_FILES; i++)
			pthread_rwlock_destroy(&r.node[i]->lock);
		rig_close(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
