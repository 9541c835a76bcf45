// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_alloc.c: clusters given out and taken back: where, when they may
 * be used again, what is counted, and what a hostile table does to it.
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

static const struct rig_shape small32 = { 32, 512, 1, 600, 1 };
static const struct rig_shape small16 = { 16, 512, 1, 600, 1 };
static const struct rig_shape small12 = { 12, 512, 1, 1000, 1 };
static const struct rig_shape big32 = { 32, 512, 1, 70000, 1 };	/* five groups */

static int take(uint32_t goal, uint32_t want, uint32_t *start, uint32_t *count)
{
	int err;

	rig_begin();
	err = fat_alloc_run(&rig->fat, goal, want, start, count);
	rig_end();
	return err;
}

static void give(uint32_t start, uint32_t count)
{
	rig_begin();
	fat_alloc_free_later(&rig->fat, start, count);
	rig_end();
}

static uint64_t count(void)
{
	uint64_t n;

	assert_int_equal(fat_alloc_count(&rig->fat, &n), 0);
	return n;
}

static uint32_t zeros(unsigned copy)
{
	uint32_t n = 0;

	for (uint32_t c = 2; c < rig->fat.geo.clusters + 2; c++)
		n += (rig_raw(rig_bytes(), copy, c) & 0x0fffffff) == 0;
	return n;
}

static struct fat_fsinfo *fsinfo(void)
{
	return (struct fat_fsinfo *)(rig_bytes() + rig->fat.geo.fsinfo);
}

static void put_chain(uint32_t start, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
		rig_put_all(start + i, i + 1 < n ? start + i + 1 : rig_eoc());
}

/* ---- giving out ---- */

static void test_places(void **state)
{
	struct rig r;
	uint32_t start, n;

	(void)state;
	rig_open(&r, &small16, 1);
	put_chain(20, 10);
	rig_reopen();
	assert_int_equal(take(0, 5, &start, &n), 0);
	assert_true(start == 2 && n == 5);
	assert_int_equal(take(100, 7, &start, &n), 0);	/* the goal */
	assert_true(start == 100 && n == 7);
	assert_int_equal(take(15, 10, &start, &n), 0);	/* as much as there is */
	assert_true(start == 15 && n == 5);
	assert_int_equal(take(20, 10, &start, &n), 0);	/* taken: after the last given out, where ten are free */
	assert_true(start == 30 && n == 10);
	assert_int_equal(take(700, 3, &start, &n), 0);	/* no cluster at all */
	assert_true(start == 40 && n == 3);
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, 30), 31);
	assert_int_equal(rig_raw(rig_bytes(), 1, 39), 0xffff);
	assert_int_equal(rig_raw(rig_bytes(), 1, 2), 3);
	assert_int_equal(rig_raw(rig_bytes(), 1, 6), 0xffff);
	assert_int_equal(count(), zeros(0));
	assert_int_equal(zeros(1), 600 - 40);
	rig_close(&r);
}

/* The longest piece where none is long enough, then what is left, to the last cluster. */
static void test_pieces(void **state)
{
	const struct rig_shape *shapes[] = { &small12, &small16, &small32 };

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		uint32_t start, n, got = 0, left;
		struct rig r;

		rig_open(&r, shapes[s], 1);
		for (uint32_t c = 5; c < 580; c += 5)
			rig_put_all(c, c % 3 ? rig_eoc() : rig_eoc() - 8);
		put_chain(580, shapes[s]->clusters + 2 - 580);
		rig_reopen();
		left = zeros(0);
		if (s == 0)
			for (uint32_t c = 2; c < 580; c++)
				left -= c * 3 / 2 % 512 == 511 && rig_raw(rig_bytes(), 0, c) == 0;
		while (take(0, 100, &start, &n) == 0) {
			assert_in_range(n, 1, 4);
			for (uint32_t i = 0; s == 0 && i < n; i++)
				assert_int_not_equal((start + i) * 3 / 2 % 512, 511);
			got += n;
		}
		assert_int_equal(take(0, 1, &start, &n), -ENOSPC);
		assert_int_equal(got, left);
		rig_commit();
		assert_int_equal(count(), zeros(0));
		if (s)
			assert_int_equal(zeros(0), 0);
		assert_int_equal(standin_damage, 0);
		rig_close(&r);
	}
}

static void test_many_groups(void **state)
{
	struct rig r;
	uint32_t start, n, got = 0;

	(void)state;
	rig_open(&r, &big32, 1);
	for (uint32_t c = 2; c < 70002; c++)
		rig_put_all(c, c / FAT_GROUP_CLUSTERS == 3 ? 0 : rig_eoc());
	rig_put_all(70001, 0);
	rig_reopen();
	assert_int_equal(take(0, 30000, &start, &n), 0);
	assert_true(start == 3 * FAT_GROUP_CLUSTERS && n == FAT_GROUP_CLUSTERS);
	assert_int_equal(take(0, 5, &start, &n), 0);
	assert_true(start == 70001 && n == 1);
	assert_int_equal(take(0, 1, &start, &n), -ENOSPC);
	give(3 * FAT_GROUP_CLUSTERS, UINT32_MAX);
	assert_int_equal(count(), FAT_GROUP_CLUSTERS);
	assert_int_equal(take(0, 1, &start, &n), -ENOSPC);	/* not before that is durable */
	rig_commit();
	while (take(3 * FAT_GROUP_CLUSTERS + got, 1000, &start, &n) == 0)
		got += n;
	assert_int_equal(got, FAT_GROUP_CLUSTERS);
	rig_commit();
	assert_int_equal(zeros(0), 0);
	rig_close(&r);
}

/* Which clusters are free is forgotten and read again, with what changed meanwhile. */
static void test_forgotten(void **state)
{
	struct rig r;
	uint32_t start, n, total = 0;

	(void)state;
	rig_open(&r, &big32, 1);
	assert_int_equal(take(1000, 100, &start, &n), 0);	/* not committed */
	total += n;
	for (unsigned i = 0; i < 20; i++) {
		for (unsigned s = 0; s < FAT_GROUP_SLOTS; s++) {
			free(r.fat.alloc->slots[s]);
			r.fat.alloc->slots[s] = NULL;
		}
		for (uint32_t g = 0; g < r.fat.alloc->group_count; g++)
			r.fat.alloc->groups[g].slot = FAT_NO_SLOT;
		assert_int_equal(take(1000, 100, &start, &n), 0);
		assert_true(start >= 1100);
		total += n;
	}
	assert_int_equal(count(), 70000 - total);
	rig_commit();
	assert_int_equal(zeros(0), 70000 - total);
	rig_close(&r);
}

static void test_beside(void **state)
{
	const struct rig_shape *shapes[] = { &small12, &small16, &small32 };
	static const uint32_t per[] = { 341, 256, 128 };

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		uint32_t got, n = 0, start, one;
		struct rig r;

		rig_open(&r, shapes[s], 1);
		rig_begin();
		while (fat_alloc_beside(&r.fat, per[s] + 50, &got) == 0) {
			n++;
			assert_int_equal(got * r.fat.geo.bits / 8 / 512, 1);
			assert_int_equal((got * r.fat.geo.bits / 8 + (s == 2 ? 3 : 1)) / 512, 1);
		}
		rig_end();
		assert_in_range(n, per[s] - 1, per[s]);
		assert_int_equal(take(0, 1, &start, &one), 0);	/* elsewhere there is room */
		rig_close(&r);
	}
}

/* ---- taking back ---- */

static void test_durable(void **state)
{
	struct rig r;
	uint32_t start, n;

	(void)state;
	rig_open(&r, &small32, 1);
	put_chain(10, 20);
	rig_reopen();
	assert_int_equal(count(), 580);
	give(10, UINT32_MAX);
	assert_int_equal(count(), 600);
	assert_int_equal(r.freed, 20 * 512);
	rig_begin();
	fat_alloc_durable(&r.fat, fuseblk_epoch(&r.vol) - 1);	/* of an older epoch: not these */
	assert_int_equal(fat_alloc_run(&r.fat, 10, 1, &start, &n), 0);
	assert_int_not_equal(start, 10);
	rig_end();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, 10), 11);	/* still, on the device */
	assert_int_equal(take(10, 20, &start, &n), 0);
	assert_true(start == 10 && n == 20);
	rig_commit();
	assert_int_equal(count(), 579);
	assert_int_equal(zeros(0), 579);
	/* a part of a chain; nothing; no cluster */
	give(25, 3);
	give(25, 0);
	give(0, 7);
	give(9999, 7);
	assert_int_equal(count(), 582);
	rig_commit();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 1, 25), 0);
	assert_int_equal(rig_raw(rig_bytes(), 1, 27), 0);
	assert_int_equal(rig_raw(rig_bytes(), 1, 28), 29);
	rig_close(&r);
}

/* More than one commit clears at a time; the end of the mount leaves nothing. */
static void test_bounded(void **state)
{
	static const struct rig_shape huge = { 32, 512, 1, 700000, 1 };
	struct rig r;
	uint32_t left;

	(void)state;
	rig_open(&r, &huge, 1);
	put_chain(2, 700000);
	rig_reopen();
	give(2, UINT32_MAX);
	assert_int_equal(count(), 700000);
	rig_commit();
	rig_commit();
	left = 700000 - zeros(0);
	assert_in_range(left, 100000, 300000);
	rig_begin();
	assert_int_equal(fat_stop(&r.vol), 0);
	rig_end();
	rig_commit();
	assert_int_equal(zeros(0), 700000);
	assert_int_equal(fat_get32(fsinfo()->free), 700000);
	assert_int_equal(count(), 700000);
	rig_close(&r);
}

/* Loops, links to what is free, bad, reserved or out of range: each walk ends, and counts add up after. */
static void test_hostile(void **state)
{
	const struct rig_shape *shapes[] = { &small12, &small16, &small32 };

	(void)state;
	for (unsigned s = 0; s < 3; s++) {
		static const uint32_t links[] = { 10, 14, 19, 0, 1, 0, 5000, 300 };
		struct rig r;

		for (unsigned l = 0; l < sizeof(links) / sizeof(*links); l++) {
			rig_open(&r, shapes[s], 1);
			put_chain(10, 10);
			rig_put_all(19, l == 5 ? rig_eoc() - 8 : links[l] & rig_eoc());
			rig_put_all(30, rig_eoc() - 8);
			rig_reopen();
			give(10, UINT32_MAX);
			assert_int_equal(standin_damage, 1);
			give(30, UINT32_MAX);	/* a bad cluster is not freed */
			rig_commit();
			rig_commit();
			assert_int_equal(zeros(0), shapes[s]->clusters - (l == 5 ? 2 : 1));
			assert_int_equal(count(), zeros(0));
			assert_int_equal(r.fat.alloc->waiting, 0);
			rig_close(&r);
		}
	}
}

/* Two chains share clusters: the second walk stops where the first one freed. */
static void test_crossed(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, &small16, 1);
	put_chain(10, 10);
	rig_put_all(50, 15);
	rig_reopen();
	give(10, UINT32_MAX);
	give(50, UINT32_MAX);
	rig_commit();
	rig_commit();
	assert_int_equal(zeros(0), 600);
	assert_int_equal(count(), 600);
	rig_close(&r);
}

/* ---- counting, FSINFO ---- */

static void test_copies_differ(void **state)
{
	struct rig r;
	uint32_t start, n;

	(void)state;
	rig_open(&r, &big32, 1);
	rig_put_raw(rig_bytes(), 1, 40000, 7);
	rig_put_raw(rig_bytes(), 1, 60000, 7);
	rig_put_raw(rig_bytes(), 1, 1, 7);	/* not what counts */
	rig_put_raw(rig_bytes(), 1, 300, 0xf0000000u);
	rig_reopen();
	assert_int_equal(take(0, 5, &start, &n), 0);
	assert_int_equal(standin_damage, 0);
	assert_int_equal(count(), 70000 - 5);
	assert_int_equal(standin_damage, 1);		/* told once */
	rig_close(&r);
}

/* A group that is loaded after entries of it changed would differ from its copies or its count. */
static void test_loaded_before_change(void **state)
{
	struct rig r;
	uint32_t got;

	(void)state;
	rig_open(&r, &big32, 1);
	put_chain(40000, 3);
	rig_reopen();
	rig_begin();
	assert_int_equal(fat_table_set(&r.fat, 40001, FAT_EOC, FAT_PHASE_CUT), 0);
	rig_end();
	assert_true(r.fat.alloc->groups[2].loaded);
	give(40002, 1);
	rig_commit();
	assert_int_equal(count(), 70000 - 2);
	assert_int_equal(fat_table_get(&r.fat, 40001, &got), 0);
	assert_int_equal(got, FAT_EOC);
	assert_int_equal(standin_damage, 0);
	rig_close(&r);
}

static void test_fsinfo(void **state)
{
	struct rig r;
	uint32_t start, n;

	(void)state;
	rig_open(&r, &big32, 1);
	fsinfo()->free = fat_le32(1234);
	fsinfo()->next = fat_le32(50000);
	rig_reopen();
	assert_int_equal(fat_alloc_estimate(&r.fat), 1234);
	assert_int_equal(take(0, 10, &start, &n), 0);
	assert_int_equal(start, 50000);
	rig_commit();
	assert_int_equal(fat_get32(fsinfo()->free), 1224);	/* kept up to date, right or wrong */
	assert_int_equal(fat_get32(fsinfo()->next), 50010);
	r.options.usefree = 1;
	assert_int_equal(count(), 1224);
	r.fat.was_dirty = true;
	assert_int_equal(count(), 69990);
	assert_int_equal(take(0, 10, &start, &n), 0);
	rig_commit();
	assert_int_equal(fat_get32(fsinfo()->free), 69980);
	rig_close(&r);
}

static void test_fsinfo_unknown(void **state)
{
	struct rig r;
	uint32_t start, n;

	(void)state;
	rig_open(&r, &big32, 1);
	fsinfo()->free = fat_le32(70001);
	fsinfo()->next = fat_le32(70002);
	rig_reopen();
	assert_int_equal(fat_alloc_estimate(&r.fat), 70000);
	assert_int_equal(take(0, 10, &start, &n), 0);
	assert_int_equal(start, 2);
	rig_commit();
	assert_int_equal(fat_get32(fsinfo()->free), 0xffffffffu);
	assert_int_equal(fat_get32(fsinfo()->next), 12);
	fsinfo()->magic2 = fat_le32(1);
	rig_reopen();
	assert_int_equal(take(0, 10, &start, &n), 0);
	rig_commit();
	assert_int_equal(fat_get32(fsinfo()->next), 12);	/* not ours to write */
	rig_close(&r);
}

static void test_interrupted(void **state)
{
	struct rig r;
	uint64_t n;

	(void)state;
	rig_open(&r, &big32, 1);
	standin_interrupted = true;
	assert_int_equal(fat_alloc_count(&r.fat, &n), -EINTR);
	standin_interrupted = false;
	assert_int_equal(count(), 70000);
	rig_close(&r);
}

/* A part of the table that cannot be read: the rest serves. */
static void test_unreadable(void **state)
{
	struct rig r;
	uint32_t start, n;
	uint64_t all;

	(void)state;
	rig_open(&r, &big32, 1);
	fb_device_fault_set(r.dev, FB_FAULT_READ, 1, FB_FAULT_FAIL, false);
	assert_int_equal(take(0, 10, &start, &n), 0);
	assert_int_equal(start / FAT_GROUP_CLUSTERS, 1);
	fb_device_fault_set(r.dev, FB_FAULT_READ, 1, FB_FAULT_FAIL, true);
	assert_int_equal(fat_alloc_count(&r.fat, &all), -EIO);
	fb_device_fault_set(r.dev, FB_FAULT_READ, 0, FB_FAULT_FAIL, false);
	assert_int_equal(count(), 70000 - 10);
	rig_close(&r);
}

static void test_statfs(void **state)
{
	struct fuseblk_statfs st;
	struct rig r;

	(void)state;
	rig_open(&r, &small12, 1);
	put_chain(10, 10);
	rig_reopen();
	assert_int_equal(fat_available(&r.vol), 1000 * 512);
	assert_int_equal(fat_statfs(&r.vol, &st), 0);
	assert_int_equal(st.blocks, 1000);
	assert_int_equal(st.bfree, 990);
	assert_int_equal(st.bavail, 990);
	assert_int_equal(st.bsize, 512);
	assert_int_equal(st.frsize, 512);
	assert_int_equal(st.namelen, 1530);
	assert_int_equal(st.files + st.ffree, 0);
	assert_int_equal(fat_available(&r.vol), 990 * 512);
	rig_close(&r);
}

static void test_trim(void **state)
{
	struct rig r;
	uint64_t done;

	(void)state;
	rig_open(&r, &big32, 1);
	put_chain(1000, 1000);
	rig_reopen();
	rig_begin();
	assert_int_equal(fat_trim(&r.vol, 0, UINT64_MAX, 0, &done), -EOPNOTSUPP);
	r.can_discard = true;
	assert_int_equal(fat_trim(&r.vol, 0, 100, 0, &done), -EINVAL);
	assert_int_equal(fat_trim(&r.vol, 70002 * 512, UINT64_MAX, 0, &done), -EINVAL);
	assert_int_equal(fat_trim(&r.vol, 0, UINT64_MAX, 0, &done), 0);
	assert_int_equal(done, 69000 * 512);
	assert_int_equal(r.discarded, done);
	assert_int_equal(fat_trim(&r.vol, 0, 3000 * 512, 1000 * 512, &done), 0);	/* 998 before the chain, 1000 after */
	assert_int_equal(done, 1000 * 512);
	fat_alloc_free_later(&r.fat, 1000, UINT32_MAX);
	assert_int_equal(fat_trim(&r.vol, 1000 * 512, 1000 * 512, 0, &done), 0);	/* freed, not durable */
	assert_int_equal(done, 0);
	rig_end();
	rig_commit();
	rig_begin();
	assert_int_equal(fat_trim(&r.vol, 1000 * 512, 1000 * 512, 0, &done), 0);
	assert_int_equal(done, 1000 * 512);
	rig_end();
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_places),
		cmocka_unit_test(test_pieces),
		cmocka_unit_test(test_many_groups),
		cmocka_unit_test(test_forgotten),
		cmocka_unit_test(test_beside),
		cmocka_unit_test(test_durable),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_crossed),
		cmocka_unit_test(test_copies_differ),
		cmocka_unit_test(test_loaded_before_change),
		cmocka_unit_test(test_fsinfo),
		cmocka_unit_test(test_fsinfo_unknown),
		cmocka_unit_test(test_interrupted),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_statfs),
		cmocka_unit_test(test_trim),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
