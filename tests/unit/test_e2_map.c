// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_map.c: the file map against an array (e2_map_model.h).
 *
 * After random operations the map must lead to just what the array says; and
 * so must the map on the device at every cut of the write log, in that no
 * block leads to another file's data, to garbage or outside a well-formed tree.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_map_model.h"

/* ---- checks ---- */

static uint32_t stamp_of(const uint8_t *image, uint64_t pblk, unsigned f, uint32_t lblk)
{
	static const struct stamp zero;
	struct stamp s;

	memcpy(&s, image + pblk * RIG_BS, sizeof(s));
	if (!memcmp(&s, &zero, sizeof(s)))
		return 0;	/* a fresh block that could not be taken back was zeroed */
	if (s.magic != STAMP_MAGIC || s.file != f || s.lblk != lblk)
		fail_msg("file %u block %u leads to device block %llu: %x %u %u %u", f, lblk,
			 (unsigned long long)pblk, s.magic, s.file, s.lblk, s.seq);
	return s.seq;
}

static void check_file(unsigned f)
{
	const uint8_t *image = fb_device_mem_bytes(rig->mem);
	bool dir = S_ISDIR(e2_i(rig->node[f])->mode);
	struct fuseblk_extent ext[3];
	struct fuseblk_buf *buf;
	struct stamp s;
	uint64_t off = 0, lblk;
	int n;

	assert_int_equal(e2_i(rig->node[f])->size, model[f].size);
	while (off < (uint64_t)SPAN * RIG_BS) {
		n = e2_map(&rig->vol, rig->node[f], off, (uint64_t)SPAN * RIG_BS - off,
			   FUSEBLK_MAP_READ, NULL, ext, 3);
		assert_in_range(n, 1, 3);
		for (int i = 0; i < n; i++) {
			assert_int_equal(ext[i].offset, off);
			for (uint64_t at = 0; at < ext[i].length; at += RIG_BS) {
				lblk = (off + at) / RIG_BS;
				if (ext[i].type != FUSEBLK_EXTENT_MAPPED) {
					assert_int_equal(model[f].seq[lblk], 0);
				} else if (dir) {
					assert_int_equal(fuseblk_buf_get(&rig->vol, (ext[i].device + at) / RIG_BS, &buf), 0);
					memcpy(&s, buf->data, sizeof(s));
					fuseblk_buf_put(buf);
					assert_int_equal(s.seq, model[f].seq[lblk]);
				} else {
					assert_int_equal(stamp_of(image, (ext[i].device + at) / RIG_BS, f, (uint32_t)lblk),
							 model[f].seq[lblk]);
				}
			}
			off += ext[i].length;
		}
	}
}

/* An independent, strict walk of a map in an image. */
struct walk {
	const uint8_t *image;
	uint8_t *seen;
	unsigned f;
	bool csum;
	uint64_t blocks;		/* counted */
	uint64_t next;			/* extents: first block allowed */
};

static uint32_t le16(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8;
}

static void take(struct walk *w, uint64_t block)
{
	assert_true(block >= RIG_DATA && block < RIG_BLOCKS);
	assert_false(w->seen[block]);
	w->seen[block] = 1;
	w->blocks += RIG_BS / 512;
}

static void walk_extents(struct walk *w, const uint8_t *node, unsigned max, int depth, int64_t key)
{
	unsigned n = le16(node + 2);

	assert_int_equal(le16(node), 0xF30A);
	assert_true(n <= le16(node + 4) && le16(node + 4) <= max);
	if (depth < 0)
		depth = (int)le16(node + 6);
	else
		assert_true(n > 0);
	assert_int_equal(le16(node + 6), depth);
	for (unsigned i = 0; i < n; i++) {
		const uint8_t *e = node + 12 + 12 * i;
		uint32_t lblk = rig_le32(e), len = le16(e + 4);
		uint64_t pblk = depth ? rig_le32(e + 4) : rig_le32(e + 8);

		assert_true(lblk >= w->next);
		if (!i && key >= 0)
			assert_int_equal(lblk, key);
		if (depth) {
			take(w, pblk);
			if (w->csum) {
				struct e2_inode fake = { .ino = w->f + 1 };

				assert_true(e2_extent_csum_ok(NULL, &fake, w->image + pblk * RIG_BS));
			}
			walk_extents(w, w->image + pblk * RIG_BS, (RIG_BS - 12) / 12, depth - 1, lblk);
			continue;
		}
		assert_true(len > 0);
		for (uint32_t k = 0; k < (len > 32768 ? len - 32768 : len); k++) {
			take(w, pblk + k);
			if (len <= 32768)
				stamp_of(w->image, pblk + k, w->f, lblk + k);
		}
		w->next = lblk + (uint64_t)(len > 32768 ? len - 32768 : len);
	}
}

static void walk_indirect(struct walk *w, uint32_t block, int depth, uint32_t *lblk)
{
	uint32_t span = 1;

	for (int i = 0; i < depth; i++)
		span *= RIG_BS / 4;
	if (!block || *lblk >= SPAN) {
		assert_int_equal(block, 0);
		*lblk += span;
		return;
	}
	take(w, block);
	if (!depth) {
		stamp_of(w->image, block, w->f, (*lblk)++);
		return;
	}
	for (unsigned i = 0; i < RIG_BS / 4; i++)
		walk_indirect(w, rig_le32(w->image + block * (uint64_t)RIG_BS + 4 * i), depth - 1, lblk);
}

/* @exact: nothing is pending, so i_blocks must be right. */
static void check_image(const uint8_t *image, uint8_t *seen, bool exact)
{
	memset(seen, 0, RIG_BLOCKS);
	for (unsigned f = 0; f < RIG_FILES; f++) {
		struct walk w = { .image = image, .seen = seen, .f = f, .csum = rig->sb.metadata_csum };
		struct rig_inode raw;

		memcpy(&raw, image + RIG_ITABLE * RIG_BS + f * 128, sizeof(raw));
		if (raw.flags & E2_FL_EXTENTS) {
			walk_extents(&w, raw.i_block, 4, -1, -1);
		} else {
			uint32_t lblk = 0;

			for (unsigned i = 0; i < 12; i++)
				walk_indirect(&w, rig_le32(raw.i_block + 4 * i), 0, &lblk);
			for (int i = 1; i <= 3; i++)
				walk_indirect(&w, rig_le32(raw.i_block + 44 + 4 * i), i, &lblk);
		}
		if (exact)
			assert_int_equal(raw.blocks, w.blocks);
	}
}

/* Everything committed: the image agrees with the model and nothing leaks. */
static void check_clean(uint8_t *seen)
{
	unsigned n = 0;

	check_image(fb_device_mem_bytes(rig->mem), seen, true);
	for (unsigned i = RIG_DATA; i < RIG_BLOCKS; i++)
		n += seen[i];
	assert_int_equal(n, rig_used());
}

/* Cut the log at every @step-th entry, with a random part of what came since the last flush. */
static void check_cuts(size_t from, const uint8_t *start, unsigned step)
{
	size_t count = fb_write_log_count(rig->log), flushed = from;
	uint8_t *base = malloc((size_t)RIG_BS * RIG_BLOCKS), *image = malloc((size_t)RIG_BS * RIG_BLOCKS);
	uint8_t *seen = malloc(RIG_BLOCKS);

	memcpy(base, start, (size_t)RIG_BS * RIG_BLOCKS);
	for (size_t i = from; i < count; i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(rig->log, i);
		bool flush = !e->len;

		if (i % step == 0 || flush) {
			memcpy(image, base, (size_t)RIG_BS * RIG_BLOCKS);
			for (size_t k = flushed; k < i; k++) {
				const struct fb_write_log_entry *w = fb_write_log_get(rig->log, k);

				if (w->len && rig_random(2))
					memcpy(image + w->off, w->bytes, w->len);
			}
			check_image(image, seen, false);
		}
		for (; flush && flushed < i; flushed++) {
			const struct fb_write_log_entry *w = fb_write_log_get(rig->log, flushed);

			if (w->len)
				memcpy(base + w->off, w->bytes, w->len);
		}
	}
	free(seen);
	free(base);
	free(image);
}

static void random_op(unsigned f)
{
	uint32_t lblk = rig_random(rig_random(3) ? 40 : SPAN - 1);
	uint32_t comb = rig_random(6) ? 40 : 900;
	uint32_t most = SPAN - lblk, len = 1 + rig_random(rig_random(4) ? 12 : most);

	if (len > most)
		len = most;
	if (rig_random(20) == 0)
		rig->fail_in = 1 + rig_random(4);
	if (S_ISDIR(e2_i(rig->node[f])->mode)) {
		model_switch(f);
	} else {
		switch (rig_random(12)) {
		case 0:
			model_truncate(f, rig_random(2) ? lblk : rig_random(60));
			break;
		case 1:
		case 2:
			model_punch(f, lblk, len);
			break;
		case 3:
			model_allocate(f, lblk, len);
			break;
		case 4:
			model_write(f, lblk, len, true);
			break;
		case 5:	/* comb */
			for (uint32_t i = lblk; i < lblk + comb && i < SPAN; i += 2)
				model_write(f, i, 1, false);
			break;
		default:
			model_write(f, lblk, len, false);
		}
	}
	rig->fail_in = 0;
}

static void run(uint32_t seed, bool csum, unsigned ops, bool cuts)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t *seen = malloc(RIG_BLOCKS), *start = malloc((size_t)RIG_BS * RIG_BLOCKS);
	size_t from = 0;

	model_clear();
	rig_open(r, seed, csum);
	r->longest = seed % 3 ? 4 + seed % 40 : 0;
	rig_file(0, S_IFREG, true, seed & 1);
	rig_file(1, S_IFREG, false, seed & 1);
	rig_file(2, S_IFDIR, true, seed & 2);
	rig_file(3, S_IFDIR, false, seed & 2);
	rig_commit();
	memcpy(start, fb_device_mem_bytes(r->mem), (size_t)RIG_BS * RIG_BLOCKS);
	from = fb_write_log_count(r->log);
	for (unsigned i = 0; i < ops; i++) {
		unsigned f = rig_random(RIG_FILES);

		random_op(f);
		check_file(f);
		if (rig_random(12) == 0) {
			rig_commit();
			check_clean(seen);
			fb_cache_shrink(r->vol.cache);
		}
	}
	rig_commit();
	check_clean(seen);
	if (cuts)
		check_cuts(from, start, 7);
	for (unsigned f = 0; f < RIG_FILES; f++) {
		rig_begin();
		assert_int_equal(e2_map_free_all(e2_i(rig->node[f])), 0);
		assert_int_equal(e2_i(rig->node[f])->blocks, 0);
		rig_end();
	}
	rig_commit();
	assert_int_equal(rig_used(), 0);
	assert_int_equal(standin_damage, 0);
	rig_close(r);
	free(start);
	free(seen);
	free(r);
}

static void test_random(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 40; seed++)
		run(seed * 7919u, seed & 1, 150, false);
}

static void test_cuts(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed <= 12; seed++)
		run(seed * 104729u, seed & 1, 60, true);
}

/* ---- single cases ---- */

static void test_limits(void **state)
{
	struct e2_super sb = { .block_size = 4096, .block_bits = 12, .ro_compat = E2_RO_HUGE_FILE };

	(void)state;
	assert_int_equal(e2_max_file_size(&sb, true), 0xFFFFFFFFull << 12);
	assert_int_equal(e2_max_file_size(&sb, false), (12ull + 1024 + (1 << 20) + (1 << 30)) << 12);
	sb.ro_compat = 0;
	assert_int_equal(e2_max_file_size(&sb, true), 0x1FFFFFFFull << 12);
	assert_int_equal(e2_max_file_size(&sb, false), 2196873666560ull);
	sb.block_size = 1024;
	sb.block_bits = 10;
	assert_int_equal(e2_max_file_size(&sb, false), (12ull + 256 + 65536 + 16777216) << 10);
}

/* Small appends to one file lie side by side, and are one extent. */
static void test_append(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct e2_inode *ei;
	struct e2_run run;

	(void)state;
	model_clear();
	rig_open(r, 3, true);
	ei = rig_file(0, S_IFREG, true, false);
	for (uint32_t i = 0; i < 300; i++)
		model_write(0, i, 1, false);
	assert_int_equal(e2_map_find(ei, 150, &run), 0);
	assert_int_equal(run.lblk, 0);
	assert_int_equal(run.len, 300);
	assert_int_equal(ei->blocks, 600);
	rig_close(r);
	free(r);
}

static void test_grow(void **state)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct e2_inode *ei;
	uint64_t pblk;

	(void)state;
	rig_open(r, 4, true);
	r->longest = 2;
	for (int extents = 0; extents < 2; extents++) {
		ei = rig_file((unsigned)extents, S_IFREG, extents, true);
		rig_begin();
		r->fail_in = 5;
		assert_int_equal(e2_map_grow(ei, 30, 30000, false), -ENOSPC);
		assert_int_equal(ei->blocks, 0);
		assert_int_equal(e2_map_grow(ei, 30, 30000, false), 0);
		for (uint64_t i = 0; i < 31; i++) {
			assert_int_equal(e2_map_block(ei, i, &pblk), 0);
			assert_int_equal(pblk != 0, i < 30);
		}
		assert_int_equal(ei->size, 30000);
		rig_end();
	}
	rig_close(r);
	free(r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cuts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
