// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map.c: from bytes of a file to bytes of the device.
 *
 * Readers share the node's lock, so the extent found last is kept under a
 * lock of its own; whoever changes the map drops it.  Blocks that a write
 * needs are mapped as written at once: no commit comes between ->map and
 * ->written, and when the write fails e2_written() takes them back.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "map.h"

static enum fuseblk_extent_type run_type(const struct e2_run *run)
{
	if (!run->pblk)
		return FUSEBLK_EXTENT_HOLE;
	return run->unwritten ? FUSEBLK_EXTENT_UNWRITTEN : FUSEBLK_EXTENT_MAPPED;
}

static void to_extent(const struct e2_super *sb, const struct e2_run *run, struct fuseblk_extent *ext)
{
	*ext = (struct fuseblk_extent){
		.offset = run->lblk << sb->block_bits,
		.length = run->len << sb->block_bits,
		.device = run->pblk << sb->block_bits,
		.type = run_type(run),
	};
}

/* Cut @ext to [off, end). */
static void clip(struct fuseblk_extent *ext, uint64_t off, uint64_t end)
{
	if (ext->offset + ext->length > end)
		ext->length = end - ext->offset;
	if (ext->offset < off) {
		if (ext->type != FUSEBLK_EXTENT_HOLE)
			ext->device += off - ext->offset;
		ext->length -= off - ext->offset;
		ext->offset = off;
	}
}

static bool cache_get(struct e2_inode *ei, uint64_t off, struct fuseblk_extent *ext)
{
	bool hit;

	pthread_spin_lock(&ei->map_lock);
	hit = off - ei->map_cache.offset < ei->map_cache.length;
	if (hit)
		*ext = ei->map_cache;
	pthread_spin_unlock(&ei->map_lock);
	return hit;
}

static void cache_set(struct e2_inode *ei, const struct fuseblk_extent *ext)
{
	pthread_spin_lock(&ei->map_lock);
	ei->map_cache = *ext;
	pthread_spin_unlock(&ei->map_lock);
}

void e2_map_uncache(struct e2_inode *ei)
{
	static const struct fuseblk_extent none;

	cache_set(ei, &none);
}

bool e2_has_map(const struct e2_inode *ei)
{
	if (ei->flags & E2_FL_INLINE_DATA)
		return false;
	if (S_ISLNK(ei->mode))
		return ei->size >= sizeof(ei->i_block) || e2_is_extents(ei);
	return S_ISREG(ei->mode) || S_ISDIR(ei->mode);
}

void e2_map_init(struct e2_inode *ei)
{
	static const struct e2_disk_extent_header empty = {
		.eh_magic = { { E2_EXT_MAGIC & 0xff, E2_EXT_MAGIC >> 8 } },
		.eh_max = { { E2_EXT_ROOT_MAX, 0 } },
	};

	memset(ei->i_block, 0, sizeof(ei->i_block));
	ei->flags &= ~(uint32_t)E2_FL_INLINE_DATA;
	if (e2_has_incompat(ei->sb, E2_IN_EXTENTS)) {
		ei->flags |= E2_FL_EXTENTS;
		memcpy(ei->i_block, &empty, sizeof(empty));
	}
	e2_map_uncache(ei);
}

uint64_t e2_map_limit(const struct e2_inode *ei)
{
	return e2_is_extents(ei) ? E2_EXT_END : e2_ind_blocks(ei->sb);
}

int e2_map_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run)
{
	if (lblk >= e2_map_limit(ei)) {
		*run = (struct e2_run){ .lblk = lblk,
			.len = ((uint64_t)INT64_MAX >> ei->sb->block_bits) + 1 - lblk };
		return 0;
	}
	return e2_is_extents(ei) ? e2_ext_find(ei, lblk, run) : e2_ind_find(ei, lblk, run);
}

int e2_map_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end)
{
	return e2_is_extents(tx->ei) ? e2_ext_remove_step(tx, first, end)
				     : e2_ind_remove_step(tx, first, end);
}

/* The whole extent around byte @off. */
static int find_extent(struct e2_inode *ei, uint64_t off, struct fuseblk_extent *ext)
{
	struct e2_run run;
	int r;

	if (cache_get(ei, off, ext))
		return 0;
	r = e2_map_find(ei, off >> ei->sb->block_bits, &run);
	if (r)
		return r;
	to_extent(ei->sb, &run, ext);
	cache_set(ei, ext);
	return 0;
}

int e2_map_block(struct e2_inode *ei, uint64_t lblk, uint64_t *pblk)
{
	unsigned bits = ei->sb->block_bits;
	struct fuseblk_extent ext;
	int r;

	if (!e2_has_map(ei) || lblk >= e2_map_limit(ei)) {
		*pblk = 0;
		return 0;
	}
	r = find_extent(ei, lblk << bits, &ext);
	if (r)
		return r;
	*pblk = ext.type == FUSEBLK_EXTENT_MAPPED
			? (ext.device >> bits) + (lblk - (ext.offset >> bits)) : 0;
	return 0;
}

static int map_read(struct e2_inode *ei, uint64_t off, uint64_t end, struct fuseblk_extent *ext,
		    unsigned max)
{
	unsigned n = 0;
	int r;

	while (n < max && off < end) {
		r = find_extent(ei, off, &ext[n]);
		if (r)
			return n ? (int)n : r;
		clip(&ext[n], off, end);
		off += ext[n++].length;
	}
	return (int)n;
}

/* Put blocks into the hole @ext at @off; @ext becomes what was mapped. */
static int fill_hole(struct e2_tx *tx, uint64_t off, uint64_t end, struct fuseblk_extent *ext)
{
	unsigned bits = tx->ei->sb->block_bits;
	uint64_t first = off >> bits, last = (end - 1) >> bits;
	uint64_t hole_end = (ext->offset + ext->length) >> bits;
	struct e2_run run;
	bool full = false;
	int r;

	if (last >= hole_end)
		last = hole_end - 1;
	r = e2_map_fill(tx, first, last - first + 1, false, &run);
	e2_map_uncache(tx->ei);
	if (r)
		return r;
	e2_fresh_note(tx->ei, &run, &full);
	to_extent(tx->ei->sb, &run, ext);
	cache_set(tx->ei, ext);
	ext->flags = FUSEBLK_EXTENT_FRESH;
	return full ? fuseblk_device_zero(tx->ei->sb->vol, ext->device, ext->length) : 0;
}

static int write_step(struct e2_tx *tx, struct e2_inode *ei, uint64_t off, uint64_t end,
		      bool reserve, struct fuseblk_extent *ext)
{
	int r = find_extent(ei, off, ext);

	if (r)
		return r;
	if (ext->type == FUSEBLK_EXTENT_HOLE) {
		if (!tx->pin) {
			r = e2_tx_begin(tx, ei, E2_ADD);
			tx->reserve = reserve;
		}
		if (!r)
			r = fill_hole(tx, off, end, ext);
		if (r)
			return r;
	}
	clip(ext, off, end);
	return 0;
}

static int map_write(struct e2_inode *ei, uint64_t off, uint64_t end, bool reserve,
		     struct fuseblk_extent *ext, unsigned max)
{
	struct e2_tx tx = { .pin = NULL };
	unsigned n = 0;
	int r = 0, stored;

	while (n < max && off < end) {
		r = write_step(&tx, ei, off, end, reserve, &ext[n]);
		if (r)
			break;
		off += ext[n++].length;
	}
	if (tx.pin) {
		struct fuseblk_extent last = ei->map_cache;

		stored = e2_tx_end(&tx);
		if (stored)
			return stored;
		cache_set(ei, &last);
	}
	return n ? (int)n : r;
}

int e2_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	   enum fuseblk_map_mode mode, const struct fuseblk_caller *who, struct fuseblk_extent *ext,
	   unsigned max)
{
	struct e2_inode *ei = e2_i(node);
	bool reserve = who && who->may_use_reserved;
	uint64_t limit;
	int n;

	(void)vol;
	if (ei->flags & E2_FL_INLINE_DATA) {
		n = e2_inline_map(ei, off, len, mode, reserve, ext, max);
		if (n)
			return n;
	}
	if (mode != FUSEBLK_MAP_WRITE)
		return map_read(ei, off, off + len, ext, max);
	limit = e2_max_file_size(ei->sb, e2_is_extents(ei));
	if (off >= limit)
		return -EFBIG;
	return map_write(ei, off, len < limit - off ? off + len : limit, reserve, ext, max);
}

/* Mark [lblk, lblk+len) of an unwritten extent as written; where the tree cannot grow, all of the extent, zeroed. */
static int convert(struct e2_tx *tx, const struct e2_run *run, uint64_t lblk, uint64_t len,
		   uint64_t *done)
{
	struct fuseblk_volume *vol = tx->ei->sb->vol;
	unsigned bits = tx->ei->sb->block_bits;
	uint64_t after = lblk + len, end = run->lblk + run->len;
	int r = e2_ext_convert(tx, lblk, len, done);

	if (r != -ENOSPC && r != -FUSEBLK_EAGAIN_COMMIT)
		return r;
	r = 0;
	if (lblk > run->lblk)
		r = fuseblk_device_zero(vol, run->pblk << bits, (lblk - run->lblk) << bits);
	if (!r && end > after)
		r = fuseblk_device_zero(vol, (run->pblk + (after - run->lblk)) << bits,
					(end - after) << bits);
	if (!r)
		r = e2_ext_convert(tx, run->lblk, run->len, done);
	if (!r)
		*done = len;
	return r;
}

static int convert_range(struct e2_tx *tx, uint64_t lblk, uint64_t end)
{
	struct e2_run run;
	uint64_t len;
	int r;

	while (lblk < end) {
		r = e2_map_find(tx->ei, lblk, &run);
		if (r)
			return r;
		len = run.lblk + run.len - lblk;
		if (len > end - lblk)
			len = end - lblk;
		if (run.unwritten) {
			tx->goal = run.pblk;
			r = convert(tx, &run, lblk, len, &len);
			if (r)
				return r;
		}
		lblk += len;
	}
	return 0;
}

/* True where all of [off, off+len) is one written extent, known without a walk. */
static bool is_written(struct e2_inode *ei, uint64_t off, uint64_t len)
{
	struct fuseblk_extent ext;

	return cache_get(ei, off, &ext) && ext.type == FUSEBLK_EXTENT_MAPPED &&
	       off + len <= ext.offset + ext.length;
}

int e2_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	       uint64_t size)
{
	struct e2_inode *ei = e2_i(node);
	unsigned bits = ei->sb->block_bits;
	struct fuseblk_extent last;
	struct e2_tx tx;
	bool convert_some;
	int r, stored;

	(void)vol;
	if (!len)
		return e2_fresh_undo(ei);
	e2_fresh_drop(ei, off >> bits, ((off + len - 1) >> bits) + 1);
	if (ei->flags & E2_FL_INLINE_DATA)
		return 0;
	convert_some = e2_is_extents(ei) && !is_written(ei, off, len);
	if (!convert_some && size <= ei->size)
		return 0;
	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		return r;
	tx.reserve = true;	/* the data is there already */
	if (convert_some)
		r = convert_range(&tx, off >> bits, ((off + len - 1) >> bits) + 1);
	if (!r && size > ei->size)
		ei->size = size;
	last = ei->map_cache;
	if (!convert_some) {
		r = e2_tx_end(&tx);
		cache_set(ei, &last);
		return r;
	}
	stored = e2_tx_end(&tx);
	return r ? r : stored;
}

/* Map blocks that a tree of indirect blocks needs for @n data blocks. */
static uint64_t ind_map_blocks(uint64_t n, uint64_t per)
{
	uint64_t blocks = 0;

	if (n > E2_NDIR_BLOCKS)
		blocks++;
	n -= n > E2_NDIR_BLOCKS + per ? E2_NDIR_BLOCKS + per : n;
	if (n) {
		uint64_t part = n < per * per ? n : per * per;

		blocks += 1 + (part + per - 1) / per;
		n -= part;
	}
	if (n)
		blocks += 1 + (n + per - 1) / per + (n + per * per - 1) / (per * per);
	return blocks;
}

/*
 * The kernel's limits (the rules of ext4_max_size and ext4_max_bitmap_size in
 * fs/ext4/super.c, so that EFBIG comes at the same byte): 2^32-1 logical blocks for extents, the reach of triple indirect
 * blocks otherwise, and i_blocks: 2^32-1 sectors without huge_file, 2^48-1
 * blocks with it, map blocks included for indirect files.
 */
uint64_t e2_max_file_size(const struct e2_super *sb, bool extents)
{
	uint64_t counted = e2_has_ro(sb, E2_RO_HUGE_FILE) ? (1ull << 48) - 1
							   : UINT32_MAX >> (sb->block_bits - 9);
	uint64_t per = sb->block_size / 4, most = e2_ind_blocks(sb), bytes;

	if (extents)
		most = counted < E2_EXT_END ? counted : E2_EXT_END;
	else if (most + ind_map_blocks(most, per) > counted)
		most = counted - ind_map_blocks(counted, per);
	bytes = most << sb->block_bits;
	return bytes > INT64_MAX ? INT64_MAX : bytes;
}
