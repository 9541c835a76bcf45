// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * e2_map_model.c: see e2_map_model.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "e2_map_model.h"

struct model model[RIG_FILES];
static uint32_t next_seq;

void model_clear(void)
{
	memset(model, 0, sizeof(model));
	next_seq = 0;
}

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

void model_write(unsigned f, uint32_t lblk, uint32_t len, bool fail)
{
	struct fuseblk_caller who = { .may_use_reserved = true };
	uint64_t off = (uint64_t)lblk * RIG_BS, stop = off + (uint64_t)len * RIG_BS, from;
	struct fuseblk_extent ext[6];
	uint32_t seq = ++next_seq;
	int n;

	rig_begin();
	while (off < stop) {
		n = e2_map(&rig->vol, rig->node[f], off, stop - off, FUSEBLK_MAP_WRITE, &who, ext, 6);
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
			assert_int_equal(e2_written(&rig->vol, rig->node[f], from, 0, 0), 0);
			break;
		}
		n = e2_written(&rig->vol, rig->node[f], from, off - from, off);
		rig->fail_in = 0;
		assert_int_equal(n, 0);
		if (off > model[f].size)
			model[f].size = off;
	}
	rig_end();
}

void model_truncate(unsigned f, uint32_t blocks)
{
	uint64_t size = (uint64_t)blocks * RIG_BS;

	rig_begin();
	assert_int_equal(e2_truncate(&rig->vol, rig->node[f], size), 0);
	rig_end();
	if (size < model[f].size)
		for (uint32_t i = blocks; i < SPAN; i++)
			model[f].seq[i] = 0;
	model[f].size = size;
}

void model_punch(unsigned f, uint32_t lblk, uint32_t len)
{
	int r;

	rig_begin();
	r = e2_punch(&rig->vol, rig->node[f], (uint64_t)lblk * RIG_BS, (uint64_t)len * RIG_BS);
	rig_end();
	if (r == -ENOSPC)
		return;
	assert_int_equal(r, 0);
	for (uint32_t i = lblk; i < lblk + len; i++)
		model[f].seq[i] = 0;
}

void model_allocate(unsigned f, uint32_t lblk, uint32_t len)
{
	uint64_t size = (uint64_t)(lblk + len) * RIG_BS;
	int r;

	rig_begin();
	r = e2_allocate(&rig->vol, rig->node[f], (uint64_t)lblk * RIG_BS, (uint64_t)len * RIG_BS,
			size, NULL);
	rig_end();
	if (!(e2_i(rig->node[f])->flags & E2_FL_EXTENTS)) {
		assert_int_equal(r, -EOPNOTSUPP);
		return;
	}
	if (r != -ENOSPC)
		assert_int_equal(r, 0);
	if (r == -ENOSPC)
		model[f].size = e2_i(rig->node[f])->size;
	else if (size > model[f].size)
		model[f].size = size;
}

void model_switch(unsigned f)
{
	struct e2_inode *ei = e2_i(rig->node[f]);
	unsigned n = 1 + rig_random(4), got = 0;
	struct e2_remap map[4];
	uint8_t was[60], *state = malloc(RIG_BLOCKS);
	uint64_t size = model[f].size, blocks = ei->blocks;
	uint32_t seq = ++next_seq;
	int r;

	rig_begin();
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
	rig_end();
	free(state);
}
