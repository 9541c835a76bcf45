// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_map.c: files of FAT12, FAT16 and FAT32 against an array.
 *
 * The model of a file is one stamp per sector: 0 for what reads as zeros, else
 * the number of the write that filled it.  After random operations the map
 * must lead to just those.  At every cut of the write log, whole chains with
 * an end, each of one file, must hold at least its size, and no sector of a
 * file may hold another's bytes, another place's, or garbage.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fat_rig.h"

#define SPAN	600u		/* sectors of a file in use */

struct stamp { uint32_t magic, file, sector, seq; };
#define STAMP_MAGIC 0x46415453u

static struct {
	uint32_t seq[SPAN];
	uint64_t size;
} model[RIG_FILES];
static uint32_t next_seq;

static uint32_t sector_size(void)
{
	return rig->fat.geo.sector_size;
}

/* ---- operations, as the library calls them ---- */

static void clear_tail(unsigned f, uint64_t size)
{
	uint32_t ss = sector_size();
	struct fuseblk_extent ext;

	if (size % ss == 0)
		return;
	assert_int_equal(fat_map(&rig->vol, rig->node[f], size, ss - size % ss, FUSEBLK_MAP_READ, NULL, &ext, 1), 1);
	assert_int_equal(ext.type, FUSEBLK_EXTENT_MAPPED);
	assert_int_equal(fuseblk_device_zero(&rig->vol, ext.device, ext.length), 0);
}

static int resize_once(unsigned f, uint64_t size)
{
	uint64_t old = rig_file(f)->size;
	int err;

	if (size > old)
		clear_tail(f, old);
	err = fat_truncate(&rig->vol, rig->node[f], size);
	if (!err && size < old)
		clear_tail(f, size);
	return err;
}

static void note_size(unsigned f, uint64_t size)
{
	for (uint32_t s = (uint32_t)((size + sector_size() - 1) / sector_size()); s < SPAN; s++)
		model[f].seq[s] = 0;
	model[f].size = size;
}

static int resize(unsigned f, uint64_t size)
{
	int err = -FUSEBLK_EAGAIN_COMMIT;

	for (int i = 0; i < 3 && (err == -FUSEBLK_EAGAIN_COMMIT || err == -ENOSPC); i++) {
		if (i) {
			rig_end();
			rig_commit();
			rig_begin();
		}
		err = resize_once(f, size);
	}
	if (err && err != -ENOSPC)
		fail_msg("resizing: %d", err);
	assert_int_equal(rig_file(f)->size, err ? model[f].size : size);
	if (!err)
		note_size(f, size);
	return err;
}

static void stamp_extent(unsigned f, const struct fuseblk_extent *ext, uint32_t seq)
{
	uint8_t block[4096];

	assert_int_equal(ext->type, FUSEBLK_EXTENT_MAPPED);
	for (uint64_t at = 0; at < ext->length; at += sector_size()) {
		uint32_t sector = (uint32_t)((ext->offset + at) / sector_size());
		struct stamp s = { STAMP_MAGIC, f, sector, seq };

		memset(block, 0x77, sizeof(block));
		memcpy(block, &s, sizeof(s));
		assert_int_equal(fuseblk_device_write(&rig->vol, block, sector_size(), ext->device + at), 0);
		if (seq)
			model[f].seq[sector] = seq;
	}
}

/* One round of the library's loop: 0, or what map said. */
static int write_some(unsigned f, uint64_t *off, uint64_t stop, uint32_t seq, bool fail)
{
	struct fuseblk_extent ext[3];
	uint64_t from = *off, size;
	int n = fat_map(&rig->vol, rig->node[f], from, stop - from, FUSEBLK_MAP_WRITE, NULL, ext, 3);

	if (n < 0)
		return n;
	assert_in_range(n, 1, 3);
	if (fail) {
		assert_int_equal(fat_written(&rig->vol, rig->node[f], from, 0, model[f].size), 0);
		return -EIO;
	}
	for (int i = 0; i < n; i++) {
		assert_int_equal(ext[i].offset, *off);
		stamp_extent(f, &ext[i], seq);
		*off += ext[i].length;
	}
	assert_true(*off <= stop);
	size = *off > model[f].size ? *off : model[f].size;
	assert_int_equal(fat_written(&rig->vol, rig->node[f], from, *off - from, size), 0);
	model[f].size = size;
	return 0;
}

static void op_write(unsigned f, uint32_t sector, uint32_t count, bool fail)
{
	uint64_t off = (uint64_t)sector * sector_size(), stop = off + (uint64_t)count * sector_size();
	uint32_t seq = ++next_seq;
	int err = 0, tries = 0;

	rig_begin();
	if (off > model[f].size)
		err = resize(f, off);
	while (!err && off < stop) {
		err = write_some(f, &off, stop, seq, fail);
		if (err == -FUSEBLK_EAGAIN_COMMIT && tries++ < 3) {
			rig_end();
			rig_commit();
			rig_begin();
			err = 0;
		}
	}
	assert_true(!err || err == -ENOSPC || (fail && err == -EIO));
	rig_end();
}

static void op_truncate(unsigned f, uint32_t sectors, uint32_t bytes)
{
	rig_begin();
	resize(f, (uint64_t)sectors * sector_size() + bytes);
	rig_end();
}

static void op_allocate(unsigned f, uint32_t sector, uint32_t count)
{
	int err;

	rig_begin();
	err = fat_allocate(&rig->vol, rig->node[f], (uint64_t)sector * sector_size(), (uint64_t)count * sector_size(),
			   model[f].size, NULL);
	rig_end();
	assert_true(!err || err == -ENOSPC);
}

/* ---- checks ---- */

static void check_file(unsigned f)
{
	uint64_t at = 0, end = (model[f].size + sector_size() - 1) / sector_size() * sector_size();
	struct fuseblk_extent ext[4];

	assert_int_equal(rig_file(f)->size, model[f].size);
	while (at < end) {
		int n = fat_map(&rig->vol, rig->node[f], at, end - at, FUSEBLK_MAP_READ, NULL, ext, 4);

		assert_in_range(n, 1, 4);
		for (int i = 0; i < n; i++)
			for (uint64_t in = 0; in < ext[i].length; in += sector_size(), at += sector_size()) {
				uint32_t sector = (uint32_t)(at / sector_size());
				struct stamp s;

				assert_int_equal(fuseblk_device_read(&rig->vol, &s, sizeof(s), ext[i].device + in), 0);
				if (!model[f].seq[sector]) {
					assert_true(s.magic == 0 && s.seq == 0);
					continue;
				}
				assert_int_equal(s.magic, STAMP_MAGIC);
				assert_int_equal(s.file, f);
				assert_int_equal(s.sector, sector);
				assert_int_equal(s.seq, model[f].seq[sector]);
			}
	}
	assert_int_equal(fat_map(&rig->vol, rig->node[f], end, 100, FUSEBLK_MAP_READ, NULL, ext, 4), 1);
	assert_int_equal(ext[0].type, FUSEBLK_EXTENT_HOLE);
}

static uint8_t *owner;		/* per cluster, in check_image */

static void check_sector(const uint8_t *at, unsigned f, uint32_t sector, uint32_t bytes)
{
	static const struct stamp zero;
	struct stamp s;

	memcpy(&s, at, sizeof(s));
	if (!memcmp(&s, &zero, bytes < sizeof(s) ? bytes : sizeof(s)))
		return;
	if (s.magic != STAMP_MAGIC || s.file != f || s.sector != sector)
		fail_msg("file %u, sector %u holds %08x of file %u, sector %u", f, sector, s.magic, s.file, s.sector);
}

static void check_chain(uint8_t *image, unsigned f)
{
	const struct fat_geometry *geo = &rig->fat.geo;
	const struct fat_dirent *de = rig_entry(image, f);
	uint32_t c = fat_entry_start(geo, de), per = geo->cluster_size / geo->sector_size, sector = 0;
	uint64_t size = fat_get32(de->size), have = 0;

	while (c) {
		uint32_t next;

		if (!fat_is_cluster(geo, c))
			fail_msg("file %u leads to %#x", f, c);
		if (owner[c])
			fail_msg("cluster %u is of file %u and %u", c, f, owner[c] - 1);
		owner[c] = (uint8_t)(f + 1);
		have += geo->cluster_size;
		for (uint32_t i = 0; i < per; i++, sector++)
			if ((uint64_t)sector * geo->sector_size < size)
				check_sector(image + fat_cluster_off(geo, c) + i * geo->sector_size, f, sector, 16);
		next = rig_raw(image, 0, c) & 0x0fffffff;
		c = next == rig_eoc() ? 0 : next;
		if (!c)
			break;
		if (!next)
			fail_msg("file %u leads to a free cluster", f);
	}
	if (have < size)
		fail_msg("file %u has %llu bytes of %llu", f, (unsigned long long)have, (unsigned long long)size);
}

static void check_image(uint8_t *image)
{
	owner = calloc(rig->fat.geo.clusters + 2, 1);
	for (unsigned f = 0; f < RIG_FILES; f++)
		check_chain(image, f);
	free(owner);
}

static uint64_t count_free(void)
{
	uint64_t n = 0;

	for (uint32_t c = 2; c < rig->fat.geo.clusters + 2; c++)
		n += (rig_raw(rig_bytes(), 0, c) & 0x0fffffff) == 0;
	return n;
}

/* Everything durable and freed: counts and copies are what the table says, and nothing is lost. */
static void check_settled(void)
{
	uint64_t free_, used = 0;
	uint32_t clusters;

	rig_commit();
	rig_commit();
	assert_int_equal(fat_alloc_count(&rig->fat, &free_), 0);
	assert_int_equal(free_, count_free());
	for (unsigned f = 0; f < RIG_FILES; f++) {
		assert_int_equal(fat_chain_length(&rig->vol, rig->node[f], &clusters), 0);
		used += clusters + rig->spare[f].count;
	}
	assert_int_equal(free_ + used, rig->fat.geo.clusters);
	assert_memory_equal(rig_bytes() + rig->fat.geo.fat_start, rig_bytes() + rig->fat.geo.fat_start + rig->fat.geo.fat_size,
			    rig->fat.geo.fat_size);
}

/* ---- tests ---- */

/* @small: files whose tails are neighbours in the table; @calm: operations to a commit. */
static void one_op(bool small, unsigned calm)
{
	unsigned f = rig_random(small ? 2 : RIG_FILES);
	uint32_t end = (uint32_t)(model[f].size / sector_size());
	uint32_t at = small || rig_random(4) ? end : rig_random(SPAN);
	uint32_t count = 1 + rig_random(small ? 4 : rig_random(4) ? 20 : 200);

	if (rig_random(calm) == 0)
		rig_commit();
	if (small && rig_random(2)) {
		op_truncate(f, end > count ? end - count : end / 2, 0);
		return;
	}

	if (at >= SPAN)
		at = SPAN - 1;
	if (count > SPAN - at)
		count = SPAN - at;
	switch (rig_random(10)) {
	case 0:
		op_truncate(f, rig_random(SPAN - 1), rig_random(sector_size() / 16) * 16);
		break;
	case 1:
		op_truncate(f, end / 2, 0);
		break;
	case 2:
		op_truncate(f, 0, 0);
		break;
	case 3:
		op_allocate(f, at, count);
		break;
	case 4:
		op_write(f, at, count, true);
		break;
	default:
		op_write(f, at, count, false);
	}
}

static void reopen(void)
{
	rig_commit();
	rig_begin();
	assert_int_equal(fat_stop(&rig->vol), 0);
	rig_end();
	rig_commit();
	rig_reopen();
}

static void run_random(const struct rig_shape *shape, uint32_t seed, unsigned ops)
{
	uint8_t *start;
	struct rig r;

	rig_open(&r, shape, seed);
	memset(model, 0, sizeof(model));
	start = malloc(r.fat.geo.volume_size);
	memcpy(start, rig_bytes(), r.fat.geo.volume_size);
	for (unsigned i = 0; i < ops; i++) {
		one_op(seed % 2, 4 + seed % 3 * 8);
		check_file(rig_random(RIG_FILES));
		if (rig_random(40) == 0)
			reopen();
		if (rig_random(20) == 0)
			check_settled();
	}
	for (unsigned f = 0; f < RIG_FILES; f++)
		check_file(f);
	check_settled();
	assert_int_equal(standin_damage, 0);
	rig_cuts(start, 12, check_image);
	free(start);
	rig_close(&r);
}

static void test_random(void **state)
{
	static const struct rig_shape shapes[] = {
		{ 12, 512, 1, 1500, 1 }, { 12, 512, 4, 400, 1 }, { 12, 4096, 1, 700, 1 },
		{ 16, 512, 2, 900, 1 }, { 16, 512, 1, 5000, 1 }, { 32, 512, 1, 1500, 1 },
		{ 32, 512, 8, 120, 1 }, { 32, 1024, 2, 2000, 1 },
	};

	(void)state;
	for (unsigned i = 0; i < sizeof(shapes) / sizeof(*shapes); i++)
		for (uint32_t seed = 1; seed <= 6; seed++)
			run_random(&shapes[i], seed * 6000 + seed + i % 2, 250);
}

/* ---- a table that cannot be read at some moment ---- */

static int faulty_op(unsigned kind, uint64_t *size)
{
	struct fuseblk_extent ext[3];
	int n;

	switch (kind) {
	case 0:
		return fat_truncate(&rig->vol, rig->node[0], *size = 3000);
	case 1:
		return fat_truncate(&rig->vol, rig->node[0], *size = 40000);
	case 2:
		return fat_truncate(&rig->vol, rig->node[0], *size = 0);
	case 3:
		return fat_allocate(&rig->vol, rig->node[0], 0, 90000, *size, NULL);
	default:
		n = fat_map(&rig->vol, rig->node[0], *size, 9000, FUSEBLK_MAP_WRITE, NULL, ext, 3);
		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			stamp_extent(0, &ext[i], 0);
			*size = ext[i].offset + ext[i].length;
		}
		return fat_written(&rig->vol, rig->node[0], 0, 1, *size);
	}
}

/* File 0 in pieces over the whole table, and the same bytes in every sector of it. */
static void scatter(void)
{
	const struct fat_geometry *geo = &rig->fat.geo;
	uint32_t n = 40, step = geo->clusters / 64, seq = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t c = 2 + i * 7 % n * step;
		struct stamp s = { STAMP_MAGIC, 0, seq++, 1 };

		rig_put_all(c, i + 1 < n ? 2 + (i + 1) * 7 % n * step : rig_eoc());
		memcpy(rig_bytes() + fat_cluster_off(geo, c), &s, sizeof(s));
	}
	fat_entry_put_start(geo, rig_entry(rig_bytes(), 0), 2);
	rig_entry(rig_bytes(), 0)->size = fat_le32(n * 512);
	rig_reopen();
}

static void test_read_faults(void **state)
{
	static const struct rig_shape shapes[] = {
		{ 12, 512, 1, 3000, 1 }, { 16, 512, 1, 9000, 1 }, { 32, 512, 1, 60000, 1 },
	};

	(void)state;
	for (unsigned s = 0; s < 3; s++)
		for (unsigned kind = 0; kind < 5; kind++)
			for (unsigned nth = 1; nth < 30; nth++) {
				uint64_t size = 40 * 512;
				struct rig r;
				int err;

				rig_open(&r, &shapes[s], nth);
				scatter();
				fb_device_fault_set(r.dev, FB_FAULT_READ, nth, FB_FAULT_FAIL, nth % 2);
				rig_begin();
				err = faulty_op(kind, &size);
				if (err && err != -EIO && err != -ENOSPC)
					fail_msg("operation %u, read %u: %d", kind, nth, err);
				rig_end();
				fb_device_fault_set(r.dev, FB_FAULT_READ, 0, FB_FAULT_FAIL, false);
				rig_commit();
				if (!err)
					assert_int_equal(rig_file(0)->size, size);
				check_image(rig_bytes());
				rig_reopen();
				rig_begin();
				assert_int_equal(fat_truncate(&r.vol, r.node[0], 0), 0);
				rig_end();
				rig_commit();
				check_image(rig_bytes());
				assert_int_equal(standin_damage, 0);
				rig_close(&r);
			}
}

/* A file's chain is shorter than its size: found, not read past. */
static void test_too_short(void **state)
{
	static const struct rig_shape shape = { 16, 512, 1, 100, 1 };
	struct fuseblk_extent ext[2];
	struct rig r;

	(void)state;
	rig_open(&r, &shape, 1);
	rig_put_all(5, rig_eoc());
	rig_entry(rig_bytes(), 0)->start = fat_le16(5);
	rig_entry(rig_bytes(), 0)->size = fat_le32(2000);
	rig_reopen();
	assert_int_equal(fat_map(&r.vol, r.node[0], 0, 2000, FUSEBLK_MAP_READ, NULL, ext, 2), 1);
	assert_int_equal(ext[0].length, 512);
	assert_int_equal(fat_map(&r.vol, r.node[0], 512, 2000, FUSEBLK_MAP_READ, NULL, ext, 2), -EUCLEAN);
	rig_begin();
	assert_int_equal(fat_map(&r.vol, r.node[0], 1024, 20, FUSEBLK_MAP_WRITE, NULL, ext, 2), -EUCLEAN);
	assert_int_equal(fat_truncate(&r.vol, r.node[0], 3000), -EUCLEAN);
	assert_int_equal(fat_truncate(&r.vol, r.node[0], 0), 0);
	rig_end();
	assert_int_equal(standin_damage, 4);	/* the first read met it too */
	rig_close(&r);
}

/* However much of the chain was known before, what lies together is one extent: one read of the device. */
static void test_one_extent(void **state)
{
	static const struct rig_shape shape = { 32, 512, 1, 2000, 1 };
	struct fuseblk_extent ext[3];
	struct rig r;

	(void)state;
	rig_open(&r, &shape, 1);
	for (uint32_t c = 5; c < 1205; c++)
		rig_put_all(c, c == 704 ? 1005 : c == 1004 ? 1205 : c + 1);
	for (uint32_t c = 1205; c < 1505; c++)
		rig_put_all(c, c == 1504 ? rig_eoc() : c + 1);
	fat_entry_put_start(&r.fat.geo, rig_entry(rig_bytes(), 0), 5);
	rig_entry(rig_bytes(), 0)->size = fat_le32(1200 * 512);
	rig_reopen();
	for (uint32_t at = 0; at < 1200; at += 100) {
		assert_int_equal(fat_map(&r.vol, r.node[0], at * 512, 100 * 512, FUSEBLK_MAP_READ, NULL, ext, 3), 1);
		assert_int_equal(ext[0].offset, at * 512);
		assert_int_equal(ext[0].length, 100 * 512);
	}
	assert_int_equal(fat_map(&r.vol, r.node[0], 650 * 512, 100 * 512, FUSEBLK_MAP_READ, NULL, ext, 3), 2);
	assert_int_equal(ext[0].length, 50 * 512);
	assert_int_equal(ext[1].device - ext[0].device, 350 * 512);
	rig_close(&r);
}

static void test_limits(void **state)
{
	static const struct rig_shape shape = { 32, 512, 8, 300, 1 };
	struct fuseblk_extent ext[2];
	struct rig r;

	(void)state;
	rig_open(&r, &shape, 1);
	rig_begin();
	assert_int_equal(fat_truncate(&r.vol, r.node[0], 0x100000000ull), -EFBIG);
	assert_int_equal(fat_truncate(&r.vol, r.node[0], 0xffffffffu), -ENOSPC);
	assert_int_equal(rig_file(0)->size, 0);
	assert_int_equal(rig_file(0)->chain.start, 0);
	assert_int_equal(fat_allocate(&r.vol, r.node[0], 0, 0x100000000ull, 0, NULL), -EFBIG);
	assert_int_equal(fat_allocate(&r.vol, r.node[0], 0, 301 * 4096, 0, NULL), -ENOSPC);
	assert_int_equal(r.spare[0].count, 0);
	assert_int_equal(fat_allocate(&r.vol, r.node[0], 0, 300 * 4096, 0, NULL), -ENOSPC);	/* until those are durable */
	rig_end();
	rig_commit();
	rig_begin();
	assert_int_equal(fat_allocate(&r.vol, r.node[0], 0, 300 * 4096, 0, NULL), 0);
	assert_int_equal(r.spare[0].count, 300);
	assert_int_equal(fat_map(&r.vol, r.node[0], 0, 5000, FUSEBLK_MAP_WRITE, NULL, ext, 2), 1);
	assert_int_equal(ext[0].flags, FUSEBLK_EXTENT_FRESH);
	assert_int_equal(r.spare[0].count, 298);
	assert_int_equal(fat_written(&r.vol, r.node[0], 0, 5000, 5000), 0);
	assert_int_equal(fat_truncate(&r.vol, r.node[1], 1), -ENOSPC);
	assert_int_equal(fat_truncate(&r.vol, r.node[0], 4000), 0);
	assert_int_equal(r.spare[0].count, 0);
	rig_end();
	rig_close(&r);
}

static void test_archive(void **state)
{
	static const struct rig_shape shape = { 16, 512, 1, 100, 1 };
	struct rig r;

	(void)state;
	rig_open(&r, &shape, 1);
	rig_begin();
	rig_file(2)->attr = 0;
	assert_int_equal(fat_truncate(&r.vol, r.node[2], 700), 0);
	rig_end();
	rig_commit();
	assert_int_equal(rig_entry(rig_bytes(), 2)->attr, FAT_ATTR_ARCHIVE);
	assert_int_equal(fat_get32(rig_entry(rig_bytes(), 2)->size), 700);
	rig_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_read_faults),
		cmocka_unit_test(test_too_short),
		cmocka_unit_test(test_one_extent),
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_archive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
