// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_chain.c: chains against an array: found at random and in order,
 * appended to, cut, broken in every way, and what a step costs.
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
#include "../../libfuseblk/cache.h"

static const struct rig_shape shapes[] = {
	{ 12, 512, 1, 3000, 1 }, { 16, 512, 1, 12000, 1 }, { 32, 512, 1, 12000, 1 }, { 32, 4096, 1, 3000, 0 },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

static uint32_t *chain;		/* the model: clusters in order */
static uint32_t length;

/* A chain of @n clusters in pieces of up to @piece, in no order, for file 0. */
static void make_chain(uint32_t n, uint32_t piece)
{
	uint32_t most = rig->fat.geo.clusters, slots = most / piece;

	assert_true(n <= slots * piece);
	chain = malloc(most * sizeof(*chain));
	length = 0;
	for (uint32_t i = 0; length < n; i++) {
		uint32_t slot = (uint32_t)((uint64_t)i * 7919 % slots), len = 1 + rig_random(piece);

		for (uint32_t k = 0; k < len && length < n; k++)
			chain[length++] = 2 + slot * piece + k;
		if (i >= slots)
			break;
	}
	for (uint32_t i = 0; i < length; i++)
		rig_put_all(chain[i], i + 1 < length ? chain[i + 1] : rig_eoc());
	fat_entry_put_start(&rig->fat.geo, rig_entry(rig_bytes(), 0), chain[0]);
	rig_entry(rig_bytes(), 0)->size = fat_le32(length * rig->fat.geo.cluster_size);
	rig_reopen();
}

static void check_find(uint32_t index, uint32_t want)
{
	struct fat_run run;
	int err = fat_chain_find(&rig->vol, rig->node[0], index, want, &run);

	if (index >= length) {
		assert_int_equal(err, -ENOENT);
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(run.index, index);
	assert_in_range(run.count, 1, want);
	for (uint32_t i = 0; i < run.count; i++)
		assert_int_equal(run.start + i, chain[index + i]);
	if (run.count < want && index + run.count < length && chain[index + run.count] == run.start + run.count)
		fail_msg("a run that stops too soon");
}

static void check_known(void)
{
	const struct fat_chain *c = &rig_file(0)->chain;

	assert_in_range(c->count, 0, FAT_RUNS);
	for (unsigned i = 0; i < c->count; i++) {
		for (uint32_t k = 0; k < c->runs[i].count; k++)
			assert_int_equal(chain[c->runs[i].index + k], c->runs[i].start + k);
		if (i)
			assert_true(c->runs[i - 1].index + c->runs[i - 1].count <= c->runs[i].index);
	}
}

static void test_find(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SHAPES; s++)
		for (uint32_t piece = 1; piece <= 64; piece *= 8) {
			struct rig r;

			rig_open(&r, &shapes[s], s * 100 + piece);
			make_chain(shapes[s].clusters / (piece == 1 ? 1 : 3), piece);
			for (unsigned i = 0; i < 300; i++) {
				check_find(rig_random(length + 3), 1 + rig_random(100));
				check_known();
			}
			for (uint32_t i = 0; i < length; i += 1 + rig_random(9))
				check_find(i, 10);
			check_known();
			check_find(length, 1);
			check_find(UINT32_MAX - 1, 1);
			assert_int_equal(rig_file(0)->chain.clusters, length);
			assert_int_equal(rig_file(0)->chain.tail, chain[length - 1]);
			assert_int_equal(standin_damage, 0);
			rig_close(&r);
			free(chain);
		}
}

static uint64_t gets(void)
{
	struct fb_cache_stats st;

	fb_cache_get_stats(rig->vol.cache, &st);
	return st.hits + st.misses;
}

/* In order: a look into the table per cluster at most; anywhere: a part of the chain, evenly. */
static void test_cost(void **state)
{
	struct fat_run run;
	struct rig r;
	uint64_t before;

	(void)state;
	rig_open(&r, &shapes[2], 1);
	make_chain(12000, 1);
	before = gets();
	for (uint32_t i = 0; i < length; i++)
		assert_int_equal(fat_chain_find(&r.vol, r.node[0], i, 1, &run), 0);
	assert_true(gets() - before <= 2 * length);
	before = gets();
	for (unsigned i = 0; i < 100; i++)
		assert_int_equal(fat_chain_find(&r.vol, r.node[0], rig_random(length), 1, &run), 0);
	assert_true(gets() - before < 100 * 6 * length / FAT_RUNS);
	rig_close(&r);
	free(chain);
	/* one piece: one look per block of the table */
	rig_open(&r, &shapes[2], 1);
	length = 12000;
	for (uint32_t c = 2; c < 12002; c++)
		rig_put_all(c, c < 12001 ? c + 1 : rig_eoc());
	rig_entry(rig_bytes(), 0)->start = fat_le16(2);
	rig_reopen();
	before = gets();
	assert_int_equal(fat_chain_find(&r.vol, r.node[0], 11999, 1, &run), 0);
	assert_true(gets() - before < 12000 / 128 + 5);
	assert_int_equal(rig_file(0)->chain.count, 1);
	rig_close(&r);
}

/* ---- broken ones ---- */

static void break_at(const struct rig_shape *shape, uint32_t index, uint32_t raw, bool loops)
{
	struct fat_run run;
	uint32_t n;
	struct rig r;
	int err = 0;

	rig_open(&r, shape, index);
	make_chain(900, 3);
	rig_put_all(chain[index], raw == UINT32_MAX ? chain[index / 2] : raw & rig_eoc());
	rig_reopen();
	assert_int_equal(fat_chain_length(&r.vol, r.node[0], &n), -EUCLEAN);
	assert_int_equal(standin_damage, 1);
	rig_reopen();
	for (uint32_t i = 0; !err && i < 3 * length; i++) {
		err = fat_chain_find(&r.vol, r.node[0], i, 1, &run);
		if (!loops)
			assert_int_equal(err, i <= index ? 0 : -EUCLEAN);
	}
	assert_int_equal(err, -EUCLEAN);
	rig_begin();
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 1, &run), -EUCLEAN);
	rig_end();
	rig_close(&r);
	free(chain);
}

static void test_broken(void **state)
{
	static const uint32_t at[] = { 0, 1, 400, 898, 899 };

	(void)state;
	for (unsigned s = 0; s < SHAPES; s++)
		for (unsigned i = 0; i < sizeof(at) / sizeof(*at); i++) {
			uint32_t bad = shapes[s].bits == 12 ? 0xff7 : shapes[s].bits == 16 ? 0xfff7 : 0x0ffffff7;

			break_at(&shapes[s], at[i], 0, false);
			break_at(&shapes[s], at[i], 1, false);
			break_at(&shapes[s], at[i], bad, false);
			break_at(&shapes[s], at[i], shapes[s].clusters + 2, false);
			break_at(&shapes[s], at[i], UINT32_MAX, true);
		}
}

static void test_bad_start(void **state)
{
	static const uint32_t starts[] = { 1, 12002, 0xffff };
	struct fat_run run;
	struct rig r;

	(void)state;
	rig_open(&r, &shapes[1], 1);
	for (unsigned i = 0; i < 3; i++) {
		rig_entry(rig_bytes(), 0)->start = fat_le16((uint16_t)starts[i]);
		rig_reopen();
		assert_int_equal(fat_chain_find(&r.vol, r.node[0], 0, 1, &run), -EUCLEAN);
	}
	rig_entry(rig_bytes(), 0)->start = fat_le16(0);
	rig_reopen();
	assert_int_equal(fat_chain_find(&r.vol, r.node[0], 0, 1, &run), -ENOENT);
	assert_int_equal(standin_damage, 3);
	rig_close(&r);
}

static void test_unreadable(void **state)
{
	struct fat_run run;
	uint32_t n;
	struct rig r;

	(void)state;
	rig_open(&r, &shapes[2], 1);
	make_chain(500, 1);
	fb_device_fault_set(r.dev, FB_FAULT_READ, 1, FB_FAULT_FAIL, true);
	assert_int_equal(fat_chain_length(&r.vol, r.node[0], &n), -EIO);
	rig_begin();
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 1, &run), -EIO);
	rig_end();
	fb_device_fault_set(r.dev, FB_FAULT_READ, 0, FB_FAULT_FAIL, false);
	check_find(499, 1);
	assert_int_equal(standin_damage, 0);
	rig_close(&r);
	free(chain);
}

/* ---- growing and shrinking ---- */

static void append_some(uint32_t want)
{
	struct fat_run run;
	int err;

	rig_begin();
	err = fat_chain_append(&rig->vol, rig->node[0], want, &run);
	rig_end();
	if (err == -FUSEBLK_EAGAIN_COMMIT) {
		rig_commit();
		return;
	}
	assert_int_equal(err, 0);
	assert_int_equal(run.index, length);
	assert_in_range(run.count, 1, want);
	for (uint32_t i = 0; i < run.count; i++)
		chain[length++] = run.start + i;
}

static void cut_to(uint32_t n)
{
	rig_begin();
	if (n && rig_file(0)->fresh_epoch != fuseblk_epoch(&rig->vol) && fat_table_may(&rig->fat, FAT_PHASE_CUT)) {
		rig_end();
		rig_commit();
		return;
	}
	if (n)
		assert_int_equal(fat_entry_set_size(&rig->vol, rig->node[0], (uint64_t)n * rig->fat.geo.cluster_size), 0);
	else
		assert_int_equal(fat_entry_clear(&rig->vol, rig->node[0]), 0);
	assert_int_equal(fat_chain_cut(&rig->vol, rig->node[0], n), 0);
	rig_end();
	if (n < length)
		length = n;
}

static void test_grow_and_cut(void **state)
{
	(void)state;
	for (unsigned s = 0; s < SHAPES; s++) {
		struct rig r;
		uint32_t n;

		rig_open(&r, &shapes[s], s);
		make_chain(700, 4);
		for (unsigned i = 0; i < 600; i++) {
			if (rig_random(3))
				append_some(1 + rig_random(length > 2000 ? 2 : 40));
			else
				cut_to(rig_random(8) ? length - length / (2 + rig_random(20)) : 0);
			check_find(rig_random(length + 1), 1 + rig_random(20));
			if (rig_random(10) == 0)
				check_known();
			if (rig_random(15) == 0)
				rig_commit();
			if (rig_random(60) == 0) {
				rig_commit();
				rig_reopen();
				assert_int_equal(fat_chain_length(&r.vol, r.node[0], &n), 0);
				assert_int_equal(n, length);
			}
		}
		rig_commit();
		for (uint32_t i = 0; i < length; i++)
			assert_int_equal(rig_raw(rig_bytes(), 0, chain[i]) & 0x0fffffff,
					 i + 1 < length ? chain[i + 1] : rig_eoc());
		assert_int_equal(standin_damage, 0);
		rig_close(&r);
		free(chain);
	}
}

/* Space set aside is used first, as far as it is in one piece. */
static void test_spare(void **state)
{
	struct fat_run run;
	struct rig r;

	(void)state;
	rig_open(&r, &shapes[1], 1);
	for (uint32_t c = 100; c < 110; c++)
		rig_put_all(c, c == 103 ? 200 : c == 109 ? rig_eoc() : c + 1);
	rig_put_all(200, 104);
	rig_reopen();
	r.spare[0] = (struct fat_spare){ 100, 11 };
	rig_begin();
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 3, &run), 0);
	assert_true(run.start == 100 && run.count == 3 && r.spare[0].start == 103 && r.spare[0].count == 8);
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 9, &run), 0);
	assert_true(run.start == 103 && run.count == 1 && r.spare[0].start == 200);
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 9, &run), 0);
	assert_true(run.start == 200 && run.count == 1 && r.spare[0].start == 104);
	assert_int_equal(fat_chain_append(&r.vol, r.node[0], 9, &run), 0);
	assert_true(run.start == 104 && run.count == 6 && r.spare[0].count == 0);
	rig_end();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, 103), 200);
	assert_int_equal(rig_raw(rig_bytes(), 0, 109), 0xffff);
	assert_int_equal(fat_get16(rig_entry(rig_bytes(), 0)->start), 100);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_bad_start),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_grow_and_cut),
		cmocka_unit_test(test_spare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
