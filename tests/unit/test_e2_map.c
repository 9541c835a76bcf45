// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_map.c: the file map against an array.
 *
 * The model of a file is one stamp per block: 0 for what reads as zeros,
 * else the number of the write that filled it.  Each data block on the
 * device holds file, block and stamp.  After random operations the map must
 * lead to just those; and so must the map on the device at every cut of
 * the write log, in that no block leads to another file's data, to garbage
 * or outside a well-formed tree.
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
#include <sys/stat.h>
#include "e2_map_rig.h"

#define SPAN 2400u		/* blocks of a file in use: into the double indirect */

struct stamp { uint32_t magic, file, lblk, seq; };
#define STAMP_MAGIC 0x5354414du

struct model {
	uint32_t seq[SPAN];
	uint64_t size;
};

static struct model model[RIG_FILES];
static uint32_t next_seq;

static struct fuseblk_node *node_of(unsigned f)
{
	return rig->node[f];
}

static void begin(void)
{
	assert_int_equal(fb_change_begin(rig->vol.cache), 0);
}

static void end(void)
{
	fb_change_end(rig->vol.cache);
}

/* ---- operations ---- */

static void write_stamps(unsigned f, const struct fuseblk_extent *ext, uint32_t seq, bool keep)
{
	uint8_t block[RIG_BS];

	for (uint64_t at = 0; at < ext->length; at += RIG_BS) {
		uint32_t lblk = (uint32_t)((ext->offset + at) / RIG_BS);
		struct stamp s = { STAMP_MAGIC, f, lblk, seq };

		memset(block, 0x77, sizeof(block));
		memcpy(block, &s, sizeof(s));
		assert_int_equal(fuseblk_device_write(&rig->vol, block, RIG_BS, ext->device + at), 0);
		if (keep)
			model[f].seq[lblk] = seq;
	}
}

/* @fail: the device refuses fresh blocks half way. */
static void op_write(unsigned f, uint32_t lblk, uint32_t len, bool fail)
{
	struct fuseblk_caller who = { .may_use_reserved = true };
	uint64_t off = (uint64_t)lblk * RIG_BS, stop = off + (uint64_t)len * RIG_BS, from;
	struct fuseblk_extent ext[6];
	uint32_t seq = ++next_seq;
	int n;

	begin();
	while (off < stop) {
		n = e2_map(&rig->vol, node_of(f), off, stop - off, FUSEBLK_MAP_WRITE, &who, ext, 6);
		if (n == -ENOSPC)
			break;
		assert_true(n >= 1);
		from = off;
		for (int i = 0; i < n; i++) {
			assert_int_equal(ext[i].offset, off);
			assert_int_not_equal(ext[i].type, FUSEBLK_EXTENT_HOLE);
			off += ext[i].length;
			if (!fail)
				write_stamps(f, &ext[i], seq, true);
		}
		assert_true(off <= stop);
		if (rig_random(6) == 0)
			rig->fail_in = 1;	/* no block for a split */
		if (fail) {
			assert_int_equal(e2_written(&rig->vol, node_of(f), from, 0, 0), 0);
			break;
		}
		n = e2_written(&rig->vol, node_of(f), from, off - from, off);
		rig->fail_in = 0;
		assert_int_equal(n, 0);
		if (off > model[f].size)
			model[f].size = off;
	}
	end();
}

static void op_truncate(unsigned f, uint32_t blocks)
{
	uint64_t size = (uint64_t)blocks * RIG_BS;

	begin();
	assert_int_equal(e2_truncate(&rig->vol, node_of(f), size), 0);
	end();
	if (size < model[f].size)
		for (uint32_t i = blocks; i < SPAN; i++)
			model[f].seq[i] = 0;
	model[f].size = size;
}

static void op_punch(unsigned f, uint32_t lblk, uint32_t len)
{
	int r;

	begin();
	r = e2_punch(&rig->vol, node_of(f), (uint64_t)lblk * RIG_BS, (uint64_t)len * RIG_BS);
	end();
	if (r == -ENOSPC)
		return;
	assert_int_equal(r, 0);
	for (uint32_t i = lblk; i < lblk + len; i++)
		model[f].seq[i] = 0;
}

static void op_allocate(unsigned f, uint32_t lblk, uint32_t len)
{
	uint64_t size = (uint64_t)(lblk + len) * RIG_BS;
	int r;

	begin();
	r = e2_allocate(&rig->vol, node_of(f), (uint64_t)lblk * RIG_BS, (uint64_t)len * RIG_BS,
			size, NULL);
	end();
	if (!(e2_i(node_of(f))->flags & E2_FL_EXTENTS)) {
		assert_int_equal(r, -EOPNOTSUPP);
		return;
	}
	if (r != -ENOSPC)
		assert_int_equal(r, 0);
	if (r == -ENOSPC)
		model[f].size = e2_i(node_of(f))->size;
	else if (size > model[f].size)
		model[f].size = size;
}

/* New blocks for some places, as a directory does. */
static void op_switch(unsigned f)
{
	struct e2_inode *ei = e2_i(node_of(f));
	unsigned n = 1 + rig_random(4), got = 0;
	struct e2_remap map[4];
	uint8_t was[60], *state = malloc(RIG_BLOCKS);
	uint64_t size = model[f].size, blocks = ei->blocks;
	uint32_t seq = ++next_seq;
	int r;

	begin();
	memcpy(was, ei->i_block, 60);
	for (; got < n; got++) {
		struct stamp s = { STAMP_MAGIC, f, rig_random(SPAN), seq };
		struct fuseblk_buf *buf;
		uint32_t one = 1;

		map[got].lblk = s.lblk;
		for (unsigned i = 0; i < got; i++)
			if (map[i].lblk == s.lblk)
				goto chosen;
		if (e2_blocks_alloc(&rig->sb, 0, &one, true, &map[got].pblk))
			break;
		assert_int_equal(fuseblk_buf_new(&rig->vol, map[got].pblk, &buf), 0);
		fuseblk_buf_write(buf, E2_FRESH, 0, &s, sizeof(s));
		fuseblk_buf_put(buf);
		if ((s.lblk + 1) * RIG_BS > size)
			size = (uint64_t)(s.lblk + 1) * RIG_BS;
	}
chosen:
	r = e2_map_switch(ei, map, got, size);
	for (unsigned i = 0; i < got; i++) {
		if (r)
			e2_blocks_free(&rig->sb, map[i].pblk, 1);
		else
			model[f].seq[map[i].lblk] = seq;
	}
	if (r) {
		assert_true(r == -ENOSPC || standin_damage);
		assert_memory_equal(was, ei->i_block, 60);
		assert_int_equal(blocks, ei->blocks);
	} else {
		model[f].size = size;
	}
	end();
	free(state);
}

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
	bool dir = S_ISDIR(e2_i(node_of(f))->mode);
	struct fuseblk_extent ext[3];
	struct fuseblk_buf *buf;
	struct stamp s;
	uint64_t off = 0, lblk;
	int n;

	assert_int_equal(e2_i(node_of(f))->size, model[f].size);
	while (off < (uint64_t)SPAN * RIG_BS) {
		n = e2_map(&rig->vol, node_of(f), off, (uint64_t)SPAN * RIG_BS - off,
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

static uint32_t le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

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
		uint32_t lblk = le32(e), len = le16(e + 4);
		uint64_t pblk = depth ? le32(e + 4) : le32(e + 8);

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
		walk_indirect(w, le32(w->image + block * (uint64_t)RIG_BS + 4 * i), depth - 1, lblk);
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
				walk_indirect(&w, le32(raw.i_block + 4 * i), 0, &lblk);
			for (int i = 1; i <= 3; i++)
				walk_indirect(&w, le32(raw.i_block + 44 + 4 * i), i, &lblk);
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
	if (S_ISDIR(e2_i(node_of(f))->mode)) {
		op_switch(f);
	} else {
		switch (rig_random(12)) {
		case 0:
			op_truncate(f, rig_random(2) ? lblk : rig_random(60));
			break;
		case 1:
		case 2:
			op_punch(f, lblk, len);
			break;
		case 3:
			op_allocate(f, lblk, len);
			break;
		case 4:
			op_write(f, lblk, len, true);
			break;
		case 5:	/* comb */
			for (uint32_t i = lblk; i < lblk + comb && i < SPAN; i += 2)
				op_write(f, i, 1, false);
			break;
		default:
			op_write(f, lblk, len, false);
		}
	}
	rig->fail_in = 0;
}

static void run(uint32_t seed, bool csum, unsigned ops, bool cuts)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t *seen = malloc(RIG_BLOCKS), *start = malloc((size_t)RIG_BS * RIG_BLOCKS);
	size_t from = 0;

	memset(model, 0, sizeof(model));
	next_seq = 0;
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
		begin();
		assert_int_equal(e2_map_free_all(e2_i(node_of(f))), 0);
		assert_int_equal(e2_i(node_of(f))->blocks, 0);
		end();
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

/* ---- damaged maps ---- */

/* Use a map in every way; only the answers' bounds and the end are asked for. */
static void use_damaged(unsigned f)
{
	struct fuseblk_caller who = { .uid = 0 };
	struct fuseblk_node *node = node_of(f);
	struct fuseblk_extent ext[8];
	uint64_t off = 0, most = (uint64_t)SPAN * RIG_BS;
	unsigned answers = 0;

	while (off < most) {
		int n = e2_map(&rig->vol, node, off, most - off, FUSEBLK_MAP_READ, NULL, ext, 8);

		if (n < 0)
			off += RIG_BS;
		for (int i = 0; i < n; i++) {
			assert_int_equal(ext[i].offset, off);
			assert_in_range(ext[i].length, 1, most - off);
			if (ext[i].type != FUSEBLK_EXTENT_HOLE)
				assert_in_range(ext[i].device, RIG_DATA * RIG_BS,
						RIG_BLOCKS * RIG_BS - ext[i].length);
			off += ext[i].length;
		}
		assert_true(answers++ < 3 * SPAN);
	}
	begin();
	for (unsigned i = 0; i < 6; i++) {
		off = (uint64_t)rig_random(SPAN) * RIG_BS;
		if (e2_map(&rig->vol, node, off, RIG_BS * 4, FUSEBLK_MAP_WRITE, &who, ext, 8) > 0)
			e2_written(&rig->vol, node, off, rig_random(2) * ext[0].length, 0);
		e2_punch(&rig->vol, node, (uint64_t)rig_random(SPAN) * RIG_BS, 5 * RIG_BS);
		e2_allocate(&rig->vol, node, (uint64_t)rig_random(SPAN) * RIG_BS, 9 * RIG_BS, 0, &who);
	}
	op_switch(f);
	e2_truncate(&rig->vol, node, 40 * RIG_BS);
	e2_map_free_all(e2_i(node));
	end();
}

/* A file with a map of several levels; @block: those map blocks. */
static unsigned make_tall(bool extents, uint64_t block[2], uint8_t *i_block)
{
	struct e2_inode *ei = rig_file(0, S_IFREG, extents, false);
	struct e2_path path;
	struct fuseblk_buf *buf;

	for (uint32_t i = 0; i < SPAN; i += 2)
		op_write(0, i, 1, false);
	rig_commit();
	memcpy(i_block, ei->i_block, 60);
	if (extents) {
		assert_int_equal(e2_path_find(ei, SPAN / 2, &path), 0);
		assert_int_equal(path.leaf, 2);
		block[0] = path.level[1].buf->block;
		block[1] = path.level[2].buf->block;
		e2_path_put(&path);
	} else {
		block[0] = le32(i_block + 52);
		assert_int_equal(fuseblk_buf_get(&rig->vol, block[0], &buf), 0);
		block[1] = le32(buf->data + 4);
		fuseblk_buf_put(buf);
	}
	return 2;
}

static void use_image(const uint8_t *image, const uint8_t *i_block, bool extents)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct e2_inode *ei;

	rig_open(r, 1, false);
	memcpy(fb_device_mem_bytes(r->mem), image, RIG_BS * RIG_BLOCKS);
	ei = rig_file(0, S_IFREG, extents, false);
	memcpy(ei->i_block, i_block, 60);
	ei->size = (uint64_t)SPAN * RIG_BS;
	ei->blocks = 1000;
	use_damaged(0);
	rig_close(r);
	free(r);
}

static void damage(bool extents)
{
	static const uint8_t pattern[] = { 0x00, 0xff, 0x01, 0x80 };
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t *image = malloc(RIG_BS * RIG_BLOCKS), root[60], byte;
	uint64_t block[3];
	unsigned count;

	memset(model, 0, sizeof(model));
	rig_open(r, 5, false);
	count = make_tall(extents, block, root);
	memcpy(image, fb_device_mem_bytes(r->mem), RIG_BS * RIG_BLOCKS);
	for (unsigned i = 0; i < 60; i++)
		for (unsigned k = 0; k < sizeof(pattern); k++) {
			byte = root[i];
			root[i] = k > 1 ? byte ^ pattern[k] : pattern[k];
			use_image(image, root, extents);
			root[i] = byte;
		}
	for (unsigned b = 0; b < count; b++)
		for (unsigned i = 0; i < 48; i++) {
			uint8_t *at = image + block[b] * RIG_BS + i, k = (uint8_t)(i % sizeof(pattern));

			byte = *at;
			*at = k > 1 ? byte ^ pattern[k] : pattern[k];
			use_image(image, root, extents);
			*at = byte;
		}
	/* a block that is its own child, in every place */
	for (unsigned i = 0; i < RIG_BS / 4; i++)
		image[block[0] * RIG_BS + 4 * i] = (uint8_t)block[0], image[block[0] * RIG_BS + 4 * i + 1] = (uint8_t)(block[0] >> 8);
	use_image(image, root, extents);
	rig = r;
	rig_close(r);
	free(image);
	free(r);
}

static void test_damaged_extents(void **state)
{
	(void)state;
	damage(true);
}

static void test_damaged_indirect(void **state)
{
	(void)state;
	damage(false);
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
	memset(model, 0, sizeof(model));
	rig_open(r, 3, true);
	ei = rig_file(0, S_IFREG, true, false);
	for (uint32_t i = 0; i < 300; i++)
		op_write(0, i, 1, false);
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
		begin();
		r->fail_in = 5;
		assert_int_equal(e2_map_grow(ei, 30, 30000, false), -ENOSPC);
		assert_int_equal(ei->blocks, 0);
		assert_int_equal(e2_map_grow(ei, 30, 30000, false), 0);
		for (uint64_t i = 0; i < 31; i++) {
			assert_int_equal(e2_map_block(ei, i, &pblk), 0);
			assert_int_equal(pblk != 0, i < 30);
		}
		assert_int_equal(ei->size, 30000);
		end();
	}
	rig_close(r);
	free(r);
}

/* ---- inline files ---- */

/* Read [0, size) as the library does. */
static void read_bytes(unsigned f, uint8_t *to, uint64_t size)
{
	struct fuseblk_extent ext;
	uint64_t off = 0;

	for (; off < size; off += ext.length) {
		assert_int_equal(e2_map(&rig->vol, node_of(f), off, size - off, FUSEBLK_MAP_READ, NULL, &ext, 1), 1);
		if (ext.type == FUSEBLK_EXTENT_INLINE)
			assert_int_equal(e2_read_inline(&rig->vol, node_of(f), to + off, off, ext.length), 0);
		else if (ext.type == FUSEBLK_EXTENT_MAPPED)
			memcpy(to + off, (uint8_t *)fb_device_mem_bytes(rig->mem) + ext.device, ext.length);
		else
			memset(to + off, 0, ext.length);
	}
}

/* Write @len bytes @value at @off, within block 0. */
static void write_bytes(unsigned f, uint64_t off, uint64_t len, uint8_t value)
{
	uint8_t buf[RIG_BS];
	struct fuseblk_extent ext;

	memset(buf, value, sizeof(buf));
	assert_int_equal(e2_map(&rig->vol, node_of(f), off, len, FUSEBLK_MAP_WRITE, NULL, &ext, 1), 1);
	assert_int_equal(ext.length, len);
	if (ext.type == FUSEBLK_EXTENT_INLINE) {
		assert_int_equal(e2_write_inline(&rig->vol, node_of(f), buf, off, len), 0);
	} else {
		assert_int_equal(ext.type, FUSEBLK_EXTENT_MAPPED);
		if (ext.flags & FUSEBLK_EXTENT_FRESH)
			fuseblk_device_zero(&rig->vol, ext.device / RIG_BS * RIG_BS, RIG_BS);
		fuseblk_device_write(&rig->vol, buf, len, ext.device);
	}
	assert_int_equal(e2_written(&rig->vol, node_of(f), off, len, off + len), 0);
}

static void run_inline(uint32_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t want[RIG_BS] = { 0 }, got[RIG_BS];
	struct e2_inode *ei;
	uint64_t size = 0, off, len;

	rig_open(r, seed, false);
	ei = rig_file(0, S_IFREG, false, seed & 1);
	ei->flags = E2_FL_INLINE_DATA;
	for (unsigned i = 0; i < 60; i++) {
		uint32_t span = i < 40 ? 161 : 400;

		begin();
		off = rig_random(span);
		len = 1 + rig_random(span - (uint32_t)off);
		if (rig_random(3)) {
			if (off > size)	/* the library's: what lies between reads as zeros */
				assert_int_equal(e2_truncate(&r->vol, r->node[0], off), 0);
			write_bytes(0, off, len, (uint8_t)i);
			memset(want + off, (int)i, len);
			size = off + len > size ? off + len : size;
		} else {
			if (off < size && !(ei->flags & E2_FL_INLINE_DATA)) {
				end();
				continue;	/* the library zeroes the tail */
			}
			if (off < size)
				memset(want + off, 0, size - off);
			size = off;
			assert_int_equal(e2_truncate(&r->vol, r->node[0], off), 0);
		}
		end();
		assert_int_equal(ei->size, size);
		read_bytes(0, got, sizeof(got));
		assert_memory_equal(got, want, size);
		assert_int_equal(!(ei->flags & E2_FL_INLINE_DATA), rig_used() > 0);
	}
	begin();
	assert_int_equal(e2_allocate(&r->vol, r->node[0], 0, 4096, 4096, NULL), 0);
	end();
	assert_int_equal(ei->flags, E2_FL_EXTENTS);
	assert_int_equal(r->inline_size, -ENODATA);
	read_bytes(0, got, sizeof(got));
	assert_memory_equal(got, want, size);
	assert_int_equal(ei->blocks, 8);
	rig_close(r);
	free(r);
}

static void test_inline(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed < 40; seed++)
		run_inline(seed * 65537u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_append),
		cmocka_unit_test(test_grow),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_damaged_extents),
		cmocka_unit_test(test_damaged_indirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
