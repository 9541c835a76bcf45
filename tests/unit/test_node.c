/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_node.c: the record table against a model, active nodes, lookup counts
 * from many threads, and the freeing of inodes without names.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>
#include "device.h"
#include "node_table.h"
#include "volume.h"

/* ---- records -------------------------------------------------------- */

#define MODEL 5000

static void test_records_model(void **state)
{
	static uint64_t model[MODEL];	/* 0: absent, else the lookup count */
	struct fb_records r;
	unsigned seed = 42;
	uint32_t count = 0;

	(void)state;
	memset(model, 0, sizeof(model));
	assert_int_equal(fb_records_init(&r), 0);
	for (int i = 0; i < 200000; i++) {
		uint64_t k = (uint64_t)rand_r(&seed) % MODEL, ino = k * 0x100000001ull + 11;
		struct fb_record *rec = fb_records_find(&r, ino);

		assert_int_equal(rec != NULL, model[k] != 0);
		if (rec)
			assert_int_equal(rec->lookup, model[k]);
		/* Waves: mostly adding, then mostly removing. */
		if (!rec && rand_r(&seed) % 100 < (i / 40000 % 2 ? 10 : 90)) {
			rec = fb_records_add(&r, ino);
			rec->lookup = model[k] = (uint64_t)i + 1;
			count++;
		} else if (rec && rand_r(&seed) % 100 < (i / 40000 % 2 ? 90 : 10)) {
			fb_records_remove(&r, ino);
			model[k] = 0;
			count--;
		}
		assert_int_equal(r.count, count);
	}
	fb_records_fini(&r);
}

#define MANY 1000000u

/* A million records cost at most 32 bytes each, and nearly nothing once they are gone. */
static void test_records_memory(void **state)
{
	struct fb_records r;

	(void)state;
	assert_int_equal(fb_records_init(&r), 0);
	for (uint64_t i = 1; i <= MANY; i++)
		assert_non_null(fb_records_add(&r, i));
	assert_in_range(fb_records_bytes(&r), 24 * MANY, 32 * MANY);
	for (uint64_t i = 1; i <= MANY; i++)
		assert_non_null(fb_records_find(&r, i));
	for (uint64_t i = 1; i <= MANY; i++)
		if (i % 1000)
			fb_records_remove(&r, i);
	assert_int_equal(r.count, 1000);
	assert_in_range(fb_records_bytes(&r), 0, 400000);
	for (uint64_t i = 1000; i <= MANY; i += 1000)
		assert_non_null(fb_records_find(&r, i));
	fb_records_fini(&r);
}

/* ---- a driver whose inodes are numbers ------------------------------ */

static _Atomic unsigned loads, unloads, frees;
static _Atomic int free_error, load_error;
static _Atomic bool freed[100000];
static _Atomic uint32_t nlink_of_all = 1;

static int toy_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	(void)options;
	info->root_ino = 2;
	info->block_size = 1024;
	info->root_mode = S_IFDIR | 0755;
	info->max_file_size = 1 << 20;
	info->name_max = 255;
	return fuseblk_set_block_size(vol, 1024);
}

static int toy_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol;
	if (load_error)
		return load_error;
	if (fuseblk_ino(node) >= 100000 || freed[fuseblk_ino(node)])
		return -ESTALE;
	loads++;
	*(uint64_t *)fuseblk_node_data(node) = fuseblk_ino(node);
	return 0;
}

static void toy_unload(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol;
	if (*(uint64_t *)fuseblk_node_data(node) != fuseblk_ino(node))
		abort();
	unloads++;
}

static int toy_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       struct fuseblk_attr *out)
{
	(void)vol;
	*out = (struct fuseblk_attr){ .ino = fuseblk_ino(node), .nlink = nlink_of_all,
				      .mode = fuseblk_ino(node) == 2 ? S_IFDIR : S_IFREG };
	return 0;
}

static int toy_free(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	int err = free_error;

	(void)vol;
	frees++;
	if (err == -FUSEBLK_EAGAIN_COMMIT)
		free_error = 0;
	if (!err && atomic_exchange(&freed[fuseblk_ino(node)], true))
		abort();		/* twice */
	return err;
}

static const struct fuseblk_operations toy_operations = {
	.open = toy_open, .load = toy_load, .unload = toy_unload, .getattr = toy_getattr,
	.free = toy_free,
};

static const struct fuseblk_driver toy = {
	.name = "toy", .node_size = 8, .ops = &toy_operations,
};

static int set_up(void **state)
{
	struct fuseblk_volume *vol;
	struct fb_device *dev;
	char error[200];

	loads = unloads = frees = 0;
	free_error = load_error = 0;
	nlink_of_all = 1;
	memset((void *)freed, 0, sizeof(freed));
	if (fb_device_open_mem(NULL, 1 << 20, 512, &dev) ||
	    fb_volume_new(&toy, dev, "test", "", &vol, error, sizeof(error)) ||
	    fb_volume_start(vol))
		return -1;
	*state = vol;
	return 0;
}

static int tear_down(void **state)
{
	nlink_of_all = 1;
	fb_volume_free(*state);
	return loads == unloads ? 0 : -1;
}

static void test_swap(void **state)
{
	struct fuseblk_volume *vol = *state;

	assert_int_equal(fb_ino_of_nodeid(vol, 1), 2);
	assert_int_equal(fb_ino_of_nodeid(vol, 2), 1);
	assert_int_equal(fb_nodeid_of_ino(vol, 2), 1);
	assert_int_equal(fb_nodeid_of_ino(vol, 77), 77);
}

static void test_counts(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fuseblk_node *node;

	assert_int_equal(fb_node_get_known(vol, 50, &node), -ESTALE);
	assert_int_equal(fb_node_lookup_inc(vol, 50), 0);
	assert_int_equal(fb_node_lookup_inc(vol, 50), 0);
	assert_int_equal(fb_node_lookup_count(vol, 50), 2);
	assert_true(fuseblk_is_referenced(vol, 50));
	assert_int_equal(fb_node_get_known(vol, 50, &node), 0);
	fb_node_put(node);
	assert_false(fb_node_lookup_dec(vol, 50, 1));
	assert_true(fb_node_lookup_dec(vol, 50, 1000));
	assert_false(fuseblk_is_referenced(vol, 50));
	assert_true(fuseblk_is_referenced(vol, 2));
	assert_int_equal(fb_node_get_known(vol, 2, &node), 0);
	fb_node_put(node);
	assert_int_equal(frees, 0);
}

static void test_load_fails(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fuseblk_node *node;

	load_error = -EIO;
	assert_int_equal(fb_node_get(vol, 60, &node), -EIO);
	load_error = 0;
	assert_int_equal(fb_node_get(vol, 60, &node), 0);
	fb_node_put(node);
	assert_int_equal(fb_node_get(vol, 100000, &node), -ESTALE);
}

/* More nodes than are kept: the oldest are unloaded, those with changes not yet durable are not. */
static void test_active_bounded(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fb_node_stats stats;
	struct fuseblk_node *node, *changed;

	assert_int_equal(fb_node_get(vol, 10, &changed), 0);
	fuseblk_node_changed(changed);
	fb_node_put(changed);
	for (uint64_t i = 100; i < 30000; i++) {
		assert_int_equal(fb_node_get(vol, i, &node), 0);
		fb_node_put(node);
	}
	fb_node_get_stats(vol, &stats);
	assert_in_range(stats.active, 1000, 4200);
	assert_int_equal(loads - unloads, stats.active);
	assert_int_equal(fb_node_get(vol, 10, &node), 0);
	assert_ptr_equal(node, changed);
	fb_node_put(node);
}

static void mark_dirty(struct fuseblk_volume *vol)
{
	struct fuseblk_buf *buf;

	assert_int_equal(fb_volume_change_begin(vol), 0);
	assert_int_equal(fuseblk_buf_get(vol, 1, &buf), 0);
	fuseblk_buf_write(buf, FUSEBLK_FRESH, 0, "x", 1);
	fuseblk_buf_put(buf);
	fb_volume_change_end(vol);
}

static void touch(struct fuseblk_volume *vol, uint64_t ino, bool change)
{
	struct fuseblk_node *node;

	assert_int_equal(fb_node_get(vol, ino, &node), 0);
	if (change)
		fuseblk_node_changed(node);
	fb_node_put(node);
}

/* What a commit has not made durable stays, others come and go meanwhile; after it there are soon as few nodes as ever. */
static void test_changed_stay(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fb_node_stats stats;

	for (uint64_t i = 100; i < 6100; i++)
		touch(vol, i, true);
	fb_node_get_stats(vol, &stats);
	assert_int_equal(stats.active, 6000);
	for (uint64_t i = 10000; i < 20000; i++)
		touch(vol, i, false);
	fb_node_get_stats(vol, &stats);
	assert_in_range(stats.active, 6000, 11000);
	for (uint64_t i = 100; i < 6100; i++)
		touch(vol, i, false);
	assert_int_equal(loads - unloads, stats.active);
	mark_dirty(vol);
	assert_int_equal(fb_commit(vol->cache), 0);
	for (unsigned i = 0; i < 9000; i++)
		touch(vol, 10000, false);
	fb_node_get_stats(vol, &stats);
	assert_in_range(stats.active, 4096, 4200);
}

static void unlink_number(struct fuseblk_volume *vol, uint64_t ino)
{
	assert_int_equal(fb_node_lookup_inc(vol, ino), 0);
	fb_node_set_unlinked(vol, ino, true);
}

static void test_free_at_forget(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fuseblk_node *node;

	nlink_of_all = 0;
	unlink_number(vol, 70);
	fb_node_forget(vol, 70, 1);
	assert_int_equal(frees, 1);
	assert_true(freed[70]);
	assert_int_equal(fb_node_get(vol, 70, &node), -ESTALE);
	assert_int_equal(fb_node_lookup_count(vol, 70), 0);
}

static void test_free_after_last_use(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fuseblk_node *node;

	nlink_of_all = 0;
	unlink_number(vol, 71);
	assert_int_equal(fb_node_get(vol, 71, &node), 0);
	fb_node_forget(vol, 71, 1);
	assert_int_equal(frees, 0);
	fb_node_put(node);
	assert_int_equal(frees, 0);	/* a put may happen under locks */
	fb_node_reap(vol);
	assert_int_equal(frees, 1);
}

static void test_linked_again(void **state)
{
	struct fuseblk_volume *vol = *state;

	unlink_number(vol, 72);
	fb_node_set_unlinked(vol, 72, false);
	fb_node_forget(vol, 72, 1);
	assert_int_equal(frees, 0);
	/* Marked, but the inode has names after all. */
	unlink_number(vol, 73);
	fb_node_forget(vol, 73, 1);
	assert_int_equal(frees, 0);
	assert_int_equal(fb_node_lookup_inc(vol, 73), 0);
	assert_true(fb_node_lookup_dec(vol, 73, 1));
}

static void test_free_needs_commit(void **state)
{
	struct fuseblk_volume *vol = *state;

	nlink_of_all = 0;
	free_error = -FUSEBLK_EAGAIN_COMMIT;
	unlink_number(vol, 74);
	fb_node_forget(vol, 74, 1);
	assert_int_equal(frees, 2);
	assert_true(freed[74]);
}

static void test_free_fails_until_the_end(void **state)
{
	struct fuseblk_volume *vol = *state;

	nlink_of_all = 0;
	free_error = -ENOSPC;
	unlink_number(vol, 75);
	fb_node_forget(vol, 75, 1);
	assert_false(freed[75]);
	free_error = 0;
	unlink_number(vol, 76);		/* still looked up at the end */
	fb_node_forget_all(vol);
	assert_true(freed[75]);
	assert_true(freed[76]);
}

/* ---- threads -------------------------------------------------------- */

static void *hammer(void *arg)
{
	struct fuseblk_volume *vol = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed >> 12;

	for (int i = 0; i < 4000; i++) {
		uint64_t ino = 1000 + (uint64_t)rand_r(&seed) % 300;
		struct fuseblk_node *node;

		if (fb_node_lookup_inc(vol, ino))
			continue;
		if (!fb_node_get(vol, ino, &node)) {
			if (!fb_node_wrlock(node)) {
				*(uint64_t *)fuseblk_node_data(node) = ino;
				fb_node_unlock(node);
			}
			fb_node_put(node);
		}
		fb_node_forget(vol, ino, 1);
	}
	return NULL;
}

static void *churn(void *arg)
{
	struct fuseblk_volume *vol = arg;

	for (uint64_t ino = 10000; ino < 12000; ino++) {
		struct fuseblk_node *node;

		fb_node_lookup_inc(vol, ino);
		if (!fb_node_get(vol, ino, &node))
			fb_node_put(node);
		fb_node_set_unlinked(vol, ino, true);
		fb_node_forget(vol, ino, 1);
		fb_node_reap(vol);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fuseblk_volume *vol = *state;
	pthread_t t[5];

	nlink_of_all = 0;
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, hammer, vol);
	pthread_create(&t[4], NULL, churn, vol);
	for (int i = 0; i < 5; i++)
		pthread_join(t[i], NULL);
	for (uint64_t ino = 1000; ino < 1300; ino++)
		assert_int_equal(fb_node_lookup_count(vol, ino), 0);
	assert_int_equal(frees, 2000);
}

static void *lock_pairs(void *arg)
{
	struct fuseblk_node **nodes = arg;
	unsigned seed = (unsigned)(uintptr_t)&seed >> 12;

	for (int i = 0; i < 5000; i++) {
		struct fuseblk_node *some[4];

		for (int j = 0; j < 4; j++) {
			unsigned k = (unsigned)rand_r(&seed) % 5;

			some[j] = k == 4 ? NULL : nodes[k];
		}
		fb_node_lock_many(some, 4);
		for (int j = 0; j < 4; j++)
			if (some[j])
				*(uint64_t *)fuseblk_node_data(some[j]) += 0;
		fb_node_unlock_many(some, 4);
	}
	return NULL;
}

static void test_lock_many(void **state)
{
	struct fuseblk_volume *vol = *state;
	struct fuseblk_node *nodes[4];
	pthread_t t[4];

	for (uint64_t i = 0; i < 4; i++)
		assert_int_equal(fb_node_get(vol, 200 + i, &nodes[i]), 0);
	for (int i = 0; i < 4; i++)
		pthread_create(&t[i], NULL, lock_pairs, nodes);
	for (int i = 0; i < 4; i++)
		pthread_join(t[i], NULL);
	for (int i = 0; i < 4; i++)
		fb_node_put(nodes[i]);
}

#define NODE_TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_records_model), cmocka_unit_test(test_records_memory),
		NODE_TEST(test_swap), NODE_TEST(test_counts), NODE_TEST(test_load_fails),
		NODE_TEST(test_active_bounded), NODE_TEST(test_changed_stay), NODE_TEST(test_free_at_forget),
		NODE_TEST(test_free_after_last_use), NODE_TEST(test_linked_again),
		NODE_TEST(test_free_needs_commit), NODE_TEST(test_free_fails_until_the_end),
		NODE_TEST(test_threads), NODE_TEST(test_lock_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
