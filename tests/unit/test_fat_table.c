// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_table.c: entries of the table: each special value of each variant,
 * neighbours that share bytes, copies, and phases at cuts of power.
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

static const unsigned all_bits[] = { 12, 16, 32 };

static const struct rig_shape shapes[] = {
	{ 12, 512, 1, 1400, 1 }, { 12, 4096, 1, 4000, 1 }, { 16, 512, 1, 1000, 2 }, { 32, 512, 1, 700, 1 },
	{ 32, 512, 1, 700, 0 },
};
#define SHAPES (sizeof(shapes) / sizeof(*shapes))

/* ---- values ---- */

struct value { uint32_t raw[3], normal; };

static void test_values(void **state)
{
	static const struct value values[] = {
		{ { 0, 0, 0 }, FAT_FREE },
		{ { 1, 1, 1 }, FAT_INVALID },
		{ { 2, 2, 2 }, 2 },
		{ { 101, 101, 101 }, 101 },	/* the last cluster of 100 */
		{ { 102, 102, 102 }, FAT_INVALID },
		{ { 0xff0, 0xfff0, 0x0ffffff0 }, FAT_INVALID },
		{ { 0xff6, 0xfff6, 0x0ffffff6 }, FAT_INVALID },
		{ { 0xff7, 0xfff7, 0x0ffffff7 }, FAT_BAD },
		{ { 0xff8, 0xfff8, 0x0ffffff8 }, FAT_EOC },
		{ { 0xffb, 0xfffb, 0x0ffffffb }, FAT_EOC },
		{ { 0xfff, 0xffff, 0x0fffffff }, FAT_EOC },
	};
	const struct fat_geometry geo = { .clusters = 100 };

	(void)state;
	for (unsigned b = 0; b < 3; b++) {
		const struct fat_variant *v = fat_variant(all_bits[b]);

		assert_int_equal(v->bits, all_bits[b]);
		for (unsigned i = 0; i < sizeof(values) / sizeof(*values); i++)
			assert_int_equal(fat_variant_normal(v, &geo, values[i].raw[b]), values[i].normal);
		assert_int_equal(fat_variant_raw(v, FAT_EOC), v->mask);
		assert_int_equal(fat_variant_raw(v, FAT_BAD), v->mask - 8);
		assert_int_equal(fat_variant_raw(v, FAT_FREE), 0);
		assert_int_equal(fat_variant_raw(v, 77), 77);
	}
}

/* The most clusters a variant can have: the last one is no special value. */
static void test_greatest(void **state)
{
	static const uint32_t most[] = { 4084, 65524, 0x0ffffff5 };

	(void)state;
	for (unsigned b = 0; b < 3; b++) {
		const struct fat_geometry geo = { .clusters = most[b] };

		assert_int_equal(fat_variant_normal(fat_variant(all_bits[b]), &geo, most[b] + 1), most[b] + 1);
	}
}

static void test_straddling(void **state)
{
	(void)state;
	for (uint32_t c = 0; c < 4084; c++) {
		uint32_t at = c * 3 / 2;

		assert_int_equal(fat_variant_straddles(fat_variant(12), 512, c), at / 512 != (at + 1) / 512);
		assert_false(fat_variant_straddles(fat_variant(16), 512, c));
		assert_false(fat_variant_straddles(fat_variant(32), 512, c));
	}
	assert_true(fat_variant_straddles(fat_variant(12), 512, 341));
	assert_false(fat_variant_straddles(fat_variant(12), 4096, 341));
}

/* ---- entries ---- */

static void random_value(uint32_t *value, uint32_t *raw)
{
	static const uint32_t special[] = { FAT_FREE, FAT_EOC, FAT_BAD };

	*value = rig_random(4) ? 2 + rig_random(rig->fat.geo.clusters) : special[rig_random(3)];
	*raw = *value & rig_eoc();
}

static void test_set_and_get(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		uint32_t *raws = calloc(shapes[i].clusters + 2, sizeof(*raws)), value, raw, got;
		struct rig r;

		rig_open(&r, &shapes[i], i);
		for (unsigned n = 0; n < 6000; n++) {
			uint32_t c = 2 + rig_random(shapes[i].clusters);

			rig_begin();
			random_value(&value, &raw);
			assert_int_equal(fat_table_set(&r.fat, c, value, n % 3 ? FAT_PHASE_FRESH : FAT_PHASE_CUT), 0);
			raws[c] = raw;
			rig_end();
			c = 2 + rig_random(shapes[i].clusters);
			assert_int_equal(fat_table_get(&r.fat, c, &got), 0);
			assert_int_equal(got & rig_eoc(), raws[c]);
			if (rig_random(500) == 0)
				rig_commit();
		}
		rig_commit();
		for (uint32_t c = 2; c < shapes[i].clusters + 2; c++)
			for (unsigned k = 0; k <= shapes[i].copies; k++)
				assert_int_equal(rig_raw(rig_bytes(), k, c), raws[c]);
		assert_int_equal(rig_raw(rig_bytes(), 0, 0), rig_eoc() & ~7u);
		assert_int_equal(rig_raw(rig_bytes(), 0, 1), rig_eoc());
		assert_int_equal(fat_table_get(&r.fat, 1, &got), -EINVAL);
		assert_int_equal(fat_table_get(&r.fat, shapes[i].clusters + 2, &got), -EINVAL);
		rig_begin();
		assert_int_equal(fat_table_set(&r.fat, shapes[i].clusters + 2, 2, FAT_PHASE_FRESH), -EINVAL);
		rig_end();
		assert_int_equal(standin_damage, 0);
		rig_close(&r);
		free(raws);
	}
}

static void test_top_bits(void **state)
{
	struct rig r;
	uint32_t got, start, count;

	(void)state;
	rig_open(&r, &shapes[3], 1);
	for (uint32_t c = 2; c < 12; c++)
		rig_put_all(c, 0xa0000000u);
	rig_reopen();
	assert_int_equal(fat_table_get(&r.fat, 5, &got), 0);
	assert_int_equal(got, FAT_FREE);
	rig_begin();
	assert_int_equal(fat_table_set(&r.fat, 5, FAT_EOC, FAT_PHASE_LINK), 0);
	assert_int_equal(fat_alloc_run(&r.fat, 6, 3, &start, &count), 0);
	rig_end();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, 5), 0xafffffffu);
	assert_int_equal(rig_raw(rig_bytes(), 1, 5), 0xafffffffu);
	assert_int_equal(rig_raw(rig_bytes(), 0, 6), 0xa0000007u);
	assert_int_equal(rig_raw(rig_bytes(), 0, 8), 0xafffffffu);
	rig_begin();
	fat_alloc_free_later(&r.fat, 6, UINT32_MAX);
	rig_end();
	rig_commit();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, 6), 0xa0000000u);
	rig_close(&r);
}

/* ---- phases ---- */

static struct { uint32_t first, second, first_raw, second_raw; } order;

/* The second is never seen before the first. */
static void check_order(uint8_t *image)
{
	if (rig_raw(image, 0, order.second) == order.second_raw)
		assert_int_equal(rig_raw(image, 0, order.first), order.first_raw);
}

static void run_order(const struct rig_shape *shape, enum fat_phase phase, uint32_t a, uint32_t b, bool reverse)
{
	struct rig r;
	uint8_t *start;

	rig_open(&r, shape, a + phase);
	rig_put_all(a, 9);
	rig_put_all(b, 9);
	rig_reopen();
	start = malloc(r.fat.geo.volume_size);
	memcpy(start, rig_bytes(), r.fat.geo.volume_size);
	order.first = a;
	order.second = b;
	order.first_raw = 0x321;
	order.second_raw = 0x123;
	rig_begin();
	for (int i = 0; i < 2; i++)
		assert_int_equal((i != reverse) ? fat_table_set(&r.fat, b, 0x123, phase) :
						  fat_table_set(&r.fat, a, 0x321, FAT_PHASE_FRESH), 0);
	rig_end();
	rig_commit();
	assert_int_equal(rig_raw(rig_bytes(), 0, a), 0x321);
	assert_int_equal(rig_raw(rig_bytes(), shape->copies, b), 0x123);
	rig_cuts(start, 30, check_order);
	free(start);
	rig_close(&r);
}

/* FRESH changes beside, in one byte with, and across a sector from a later phase's. */
static void test_order(void **state)
{
	static const uint32_t pairs[][2] = { { 4, 5 }, { 5, 4 }, { 340, 341 }, { 341, 340 }, { 341, 342 }, { 10, 600 } };

	(void)state;
	for (unsigned i = 0; i < SHAPES; i++)
		for (unsigned p = 0; p < sizeof(pairs) / sizeof(*pairs); p++)
			for (unsigned phase = FAT_PHASE_LINK; phase <= FAT_PHASE_CUT; phase += 2) {
				/* what lies in two sectors cannot be seen as one: the documented exception */
				if (shapes[i].bits == 12 && shapes[i].sector == 512 && pairs[p][1] == 341)
					continue;
				run_order(&shapes[i], (enum fat_phase)phase, pairs[p][0], pairs[p][1], false);
				run_order(&shapes[i], (enum fat_phase)phase, pairs[p][0], pairs[p][1], true);
			}
}

static void test_may(void **state)
{
	static const enum fat_phase phases[] = { FAT_PHASE_LINK, FAT_PHASE_SWITCH, FAT_PHASE_CUT };
	struct rig r;

	(void)state;
	rig_open(&r, &shapes[0], 1);
	for (unsigned i = 0; i < 3; i++) {
		rig_begin();
		assert_int_equal(fat_table_may(&r.fat, phases[i]), 0);
		for (unsigned j = 0; j < 3; j++)
			assert_int_equal(fat_table_may(&r.fat, phases[j]), i == j ? 0 : -FUSEBLK_EAGAIN_COMMIT);
		assert_int_equal(fat_table_may(&r.fat, FAT_PHASE_FRESH), 0);
		rig_end();
		rig_commit();	/* nothing was changed, and yet an epoch begins */
	}
	rig_close(&r);
	rig_open(&r, &shapes[3], 1);
	rig_begin();
	for (unsigned i = 0; i < 3; i++)
		assert_int_equal(fat_table_may(&r.fat, phases[i]), 0);
	rig_end();
	rig_close(&r);
}

/* ---- the state of the volume ---- */

static void change_state(int (*step)(struct fuseblk_volume *vol))
{
	rig_begin();
	assert_int_equal(step(&rig->vol), 0);
	rig_end();
	rig_commit();
}

static void check_state(bool clean)
{
	static const uint32_t mask[] = { 0, 0x8000, 0x08000000 };
	const struct fat_geometry *geo = &rig->fat.geo;
	uint32_t bit = mask[geo->bits == 12 ? 0 : geo->bits == 16 ? 1 : 2];
	bool is_clean;

	assert_int_equal(rig_bytes()[geo->tail + 1], !clean);
	for (unsigned k = 0; k <= geo->fat_copies; k++)
		assert_int_equal(rig_raw(rig_bytes(), k, 1), clean ? rig_eoc() : rig_eoc() & ~bit);
	assert_int_equal(fat_table_is_clean(&rig->fat, &is_clean), 0);
	assert_int_equal(is_clean, clean || geo->bits == 12);
}

static void test_state(void **state)
{
	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		struct rig r;

		rig_open(&r, &shapes[i], 1);
		check_state(true);
		change_state(fat_start);
		check_state(false);
		change_state(fat_stop);
		check_state(true);
		change_state(fat_start);
		rig_begin();
		fat_mark_error(&r.vol);
		rig_end();
		change_state(fat_stop);
		assert_int_equal(rig_bytes()[r.fat.geo.tail + 1], 1);
		if (r.fat.geo.bits != 12)
			assert_int_equal(rig_raw(rig_bytes(), 0, 1) >> (r.fat.geo.bits == 16 ? 14 : 26), 0);
		assert_int_equal(standin_damage, 0);
		rig_close(&r);
	}
}

/* What was dirty stays so, and a floppy without a signature keeps its code. */
static void test_state_kept(void **state)
{
	struct rig r;

	(void)state;
	rig_open(&r, &shapes[2], 1);
	r.fat.was_dirty = true;
	rig_bytes()[r.fat.geo.tail + 1] = 1;
	change_state(fat_start);
	change_state(fat_stop);
	assert_int_equal(rig_bytes()[r.fat.geo.tail + 1], 1);
	rig_close(&r);
	rig_open(&r, &shapes[0], 1);
	r.fat.geo.has_tail = false;
	change_state(fat_start);
	assert_int_equal(rig_bytes()[r.fat.geo.tail + 1], 0);
	rig_close(&r);
}

/* The marks are on the device after everything else. */
static void check_clean_last(uint8_t *image)
{
	if (!(image[rig->fat.geo.tail + 1] & 1) || rig_raw(image, 0, 1) == rig_eoc())
		assert_int_equal(rig_raw(image, 0, 7), 0);
}

static void test_clean_last(void **state)
{
	struct rig r;
	uint8_t *start;

	(void)state;
	rig_open(&r, &shapes[3], 1);
	rig_put_all(7, rig_eoc());
	rig_reopen();
	change_state(fat_start);
	start = malloc(r.fat.geo.volume_size);
	memcpy(start, rig_bytes(), r.fat.geo.volume_size);
	fb_write_log_free(r.log);
	assert_int_equal(fb_device_fault_log(r.dev, &r.log), 0);
	r.spare[0] = (struct fat_spare){ 7, 1 };
	change_state(fat_stop);
	assert_int_equal(rig_raw(rig_bytes(), 0, 7), 0);
	check_state(true);
	rig_cuts(start, 100, check_clean_last);
	free(start);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_greatest),
		cmocka_unit_test(test_straddling),
		cmocka_unit_test(test_set_and_get),
		cmocka_unit_test(test_top_bits),
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_may),
		cmocka_unit_test(test_state),
		cmocka_unit_test(test_state_kept),
		cmocka_unit_test(test_clean_last),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
