// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extent.c: reading extent trees.
 *
 * Nothing of a tree is trusted.  A block is checked in full (checksum, order,
 * bounds given by its parent, where its entries point) the first time it is
 * seen after it was read; the mark E2_MARK_MAP_CHECKED remembers that.  Since
 * a damaged volume may use one block for two purposes, its header and the
 * entry chosen are checked at every walk.  The depth falls by one per level,
 * so a walk ends whatever the pointers say.
 *
 * Layout: the kernel's Documentation/filesystems/ext4/ifork.rst.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

static const uint8_t *entry(const uint8_t *node, unsigned i)
{
	return node + E2_EXT_SIZE * (i + 1);
}

uint32_t e2_ext_key(const uint8_t *node, unsigned i)
{
	e2_le32 key;

	memcpy(&key, entry(node, i), sizeof(key));
	return e2_get32(key);
}

void e2_ext_get(const uint8_t *node, unsigned i, struct e2_run *run)
{
	struct e2_disk_extent e;
	uint32_t len;

	memcpy(&e, entry(node, i), sizeof(e));
	len = e2_get16(e.ee_len);
	run->lblk = e2_get32(e.ee_block);
	run->unwritten = len > E2_EXT_WRITTEN_MAX;
	run->len = run->unwritten ? len - E2_EXT_WRITTEN_MAX : len;
	run->pblk = e2_get32(e.ee_start_lo) | (uint64_t)e2_get16(e.ee_start_hi) << 32;
}

uint64_t e2_ext_child(const uint8_t *node, unsigned i)
{
	struct e2_disk_extent_index e;

	memcpy(&e, entry(node, i), sizeof(e));
	return e2_get32(e.ei_leaf_lo) | (uint64_t)e2_get16(e.ei_leaf_hi) << 32;
}

static uint64_t level_block(const struct e2_level *lv)
{
	return lv->buf ? lv->buf->block : 0;
}

static int check_header(struct e2_inode *ei, struct e2_level *lv, unsigned fit, bool any_depth)
{
	struct e2_disk_extent_header h;
	unsigned depth;

	memcpy(&h, lv->data, sizeof(h));
	depth = e2_get16(h.eh_depth);
	lv->entries = e2_get16(h.eh_entries);
	lv->max = e2_get16(h.eh_max);
	if (e2_get16(h.eh_magic) != E2_EXT_MAGIC)
		return e2_corrupt(ei->sb, ei->ino, "extent block %llu has no extent header",
				  (unsigned long long)level_block(lv));
	if (any_depth)
		lv->depth = depth;
	if (depth != lv->depth || depth > E2_EXT_DEPTH)
		return e2_corrupt(ei->sb, ei->ino, "extent block %llu has depth %u",
				  (unsigned long long)level_block(lv), depth);
	if (!lv->max || lv->max > fit || lv->entries > lv->max || (depth && !lv->entries))
		return e2_corrupt(ei->sb, ei->ino, "extent block %llu has %u of %u entries",
				  (unsigned long long)level_block(lv), lv->entries, lv->max);
	return 0;
}

static int bad_entry(struct e2_inode *ei, const struct e2_level *lv, unsigned i)
{
	return e2_corrupt(ei->sb, ei->ino, "entry %u of extent block %llu is damaged", i,
			  (unsigned long long)level_block(lv));
}

/* Is entry @i in [@lo, lv->hi) and does it point to data?  @end: where it ends; for an index, one past its first block. */
static bool entry_ok(struct e2_inode *ei, const struct e2_level *lv, unsigned i, uint64_t lo,
		     uint64_t *end)
{
	struct e2_run run;

	if (lv->depth) {
		run.lblk = e2_ext_key(lv->data, i);
		run.len = 1;
		run.pblk = e2_ext_child(lv->data, i);
	} else {
		e2_ext_get(lv->data, i, &run);
	}
	*end = run.lblk + run.len;
	return run.len && run.lblk >= lo && *end <= lv->hi &&
	       e2_block_is_data(ei->sb, run.pblk, run.len);
}

static int check_entries(struct e2_inode *ei, const struct e2_level *lv)
{
	uint64_t lo = lv->lo;

	for (unsigned i = 0; i < lv->entries; i++)
		if (!entry_ok(ei, lv, i, lo, &lo))
			return bad_entry(ei, lv, i);
	return 0;
}

static int check_block(struct e2_inode *ei, struct e2_level *lv)
{
	struct e2_super *sb = ei->sb;
	int r = check_header(ei, lv, sb->block_size / E2_EXT_SIZE - 1, false);

	if (!r && lv->entries && e2_ext_key(lv->data, 0) != lv->lo)
		r = bad_entry(ei, lv, 0);	/* the parent's key names the first block */
	if (r || atomic_load(&lv->buf->marks) & E2_MARK_MAP_CHECKED)
		return r;
	if (sb->metadata_csum && !e2_extent_csum_ok(sb, ei, lv->data))
		return e2_corrupt(sb, ei->ino, "extent block %llu has a wrong checksum",
				  (unsigned long long)lv->buf->block);
	r = check_entries(ei, lv);
	if (!r)
		atomic_fetch_or(&lv->buf->marks, E2_MARK_MAP_CHECKED);
	return r;
}

/* The last entry that starts at or before @lblk, or -1. */
static int search_node(const struct e2_level *lv, uint64_t lblk)
{
	int lo = -1, hi = (int)lv->entries;

	while (hi - lo > 1) {
		int mid = lo + (hi - lo) / 2;

		if (e2_ext_key(lv->data, (unsigned)mid) <= lblk)
			lo = mid;
		else
			hi = mid;
	}
	return lo;
}

/* Choose the entry of @lv for @lblk and check it and its neighbour. */
static int choose(struct e2_inode *ei, struct e2_level *lv, uint64_t lblk)
{
	unsigned next;
	uint64_t end = lv->lo;

	lv->pos = search_node(lv, lblk);
	if (lv->pos >= 0 && !entry_ok(ei, lv, (unsigned)lv->pos, lv->lo, &end))
		return bad_entry(ei, lv, (unsigned)lv->pos);
	next = (unsigned)(lv->pos + 1);
	if (next < lv->entries && !entry_ok(ei, lv, next, end, &end))
		return bad_entry(ei, lv, next);
	return 0;
}

static int go_down(struct e2_inode *ei, const struct e2_level *lv, struct e2_level *child)
{
	unsigned pos = (unsigned)lv->pos;
	int r;

	child->depth = lv->depth - 1;
	child->lo = e2_ext_key(lv->data, pos);
	child->hi = pos + 1 < lv->entries ? e2_ext_key(lv->data, pos + 1) : lv->hi;
	r = fuseblk_buf_get(ei->sb->vol, e2_ext_child(lv->data, pos), &child->buf);
	if (r)
		return r;
	child->data = child->buf->data;
	return 0;
}

int e2_path_find(struct e2_inode *ei, uint64_t lblk, struct e2_path *path)
{
	struct e2_level *lv = &path->level[0];
	int r;

	memset(path, 0, sizeof(*path));
	lv->data = ei->i_block;
	lv->hi = E2_EXT_END;
	r = check_header(ei, lv, E2_EXT_ROOT_MAX, true);
	if (!r)
		r = check_entries(ei, lv);
	while (!r) {
		r = choose(ei, lv, lblk);
		if (r || !lv->depth)
			break;
		if (lv->pos < 0)
			lv->pos = 0;
		r = go_down(ei, lv, lv + 1);
		if (r)
			break;
		lv++;
		path->leaf++;
		r = check_block(ei, lv);
	}
	if (r)
		e2_path_put(path);
	return r;
}

void e2_path_put(struct e2_path *path)
{
	for (unsigned i = 0; i <= path->leaf; i++) {
		fuseblk_buf_put(path->level[i].buf);
		path->level[i].buf = NULL;
	}
}

int e2_path_run(struct e2_inode *ei, const struct e2_path *path, uint64_t lblk, struct e2_run *run)
{
	const struct e2_level *lv = &path->level[path->leaf];
	unsigned next = (unsigned)(lv->pos + 1);
	uint64_t start = lblk < lv->lo ? 0 : lv->lo, end;

	if (lv->pos >= 0) {
		e2_ext_get(lv->data, (unsigned)lv->pos, run);
		start = run->lblk + run->len;
		if (lblk < start)
			return 0;
	}
	end = next < lv->entries ? e2_ext_key(lv->data, next) : lv->hi;
	if (lblk < lv->lo && lv->lo < end)
		end = lv->lo;
	if (lblk >= end)
		return bad_entry(ei, lv, next);
	*run = (struct e2_run){ .lblk = start, .len = end - start };
	return 0;
}

int e2_ext_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run)
{
	struct e2_path path;
	struct e2_run found;
	int r = e2_path_find(ei, lblk, &path);

	if (r)
		return r;
	r = e2_path_run(ei, &path, lblk, &found);
	e2_path_put(&path);
	if (!r)
		*run = found;
	return r;
}
