// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * group.c: block groups: their descriptors, and their bitmaps as blocks of
 * the cache.
 *
 * struct e2_group holds what the driver works with; the descriptor on disk
 * follows at the commit, for groups that changed.  A group that changed keeps
 * references to its descriptor's and bitmaps' buffers until then, so that
 * the commit reads nothing.  A bitmap is verified each time it was read:
 * checksum, metadata marked as used; its free count corrects the descriptor's
 * once per mount (a crash may leave them apart).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "super.h"

#define READ_BYTES (1u << 20)

/* ---- descriptors --------------------------------------------------------- */

static uint64_t join32(e2_le32 lo, e2_le32 hi, bool use_hi)
{
	return e2_get32(lo) | (use_hi ? (uint64_t)e2_get32(hi) << 32 : 0);
}

static uint32_t join16(e2_le16 lo, e2_le16 hi, bool use_hi)
{
	return e2_get16(lo) | (use_hi ? (uint32_t)e2_get16(hi) << 16 : 0);
}

static int refuse_group(struct e2_super *sb, uint32_t i, const char *what)
{
	fuseblk_refuse(sb->vol, "the descriptor of group %u is damaged: %s; run e2fsck", i, what);
	return -EUCLEAN;
}

/* Without flex_bg a group's bitmaps and inode table lie in the group itself. */
static bool is_inside(const struct e2_super *sb, uint32_t group, uint64_t block, uint32_t count)
{
	bool anywhere = e2_has_incompat(sb, E2_IN_FLEX_BG);
	uint64_t first = anywhere ? sb->first_data_block : e2_group_first(sb, group);
	uint64_t end = anywhere ? sb->blocks_count : first + e2_group_blocks(sb, group);

	return block >= first && block < end && count <= end - block;
}

static int load_desc(struct e2_super *sb, uint32_t i, const uint8_t *raw)
{
	struct e2_group *g = &sb->groups[i];
	struct e2_disk_group d = { 0 };
	bool hi = sb->desc_size >= 64;

	memcpy(&d, raw, sb->desc_size < sizeof(d) ? sb->desc_size : sizeof(d));
	if (!e2_group_csum_ok(sb, i, raw))
		return refuse_group(sb, i, "its checksum does not match");
	g->block_bitmap = join32(d.bg_block_bitmap_lo, d.bg_block_bitmap_hi, hi);
	g->inode_bitmap = join32(d.bg_inode_bitmap_lo, d.bg_inode_bitmap_hi, hi);
	g->inode_table = join32(d.bg_inode_table_lo, d.bg_inode_table_hi, hi);
	g->free_blocks = join16(d.bg_free_blocks_lo, d.bg_free_blocks_hi, hi);
	g->free_inodes = join16(d.bg_free_inodes_lo, d.bg_free_inodes_hi, hi);
	g->used_dirs = join16(d.bg_used_dirs_lo, d.bg_used_dirs_hi, hi);
	if (sb->gdt_csum) {
		g->flags = e2_get16(d.bg_flags);
		g->itable_unused = join16(d.bg_itable_unused_lo, d.bg_itable_unused_hi, hi);
	}
	if (!is_inside(sb, i, g->block_bitmap, 1) || !is_inside(sb, i, g->inode_bitmap, 1) ||
	    !is_inside(sb, i, g->inode_table, sb->itable_blocks))
		return refuse_group(sb, i, "it points outside the volume or group");
	if (g->free_blocks > e2_group_blocks(sb, i) >> sb->cluster_bits)
		return refuse_group(sb, i, "it counts more free blocks than there are");
	if (g->free_inodes > sb->inodes_per_group || g->itable_unused > sb->inodes_per_group)
		return refuse_group(sb, i, "it counts more free inodes than there are");
	atomic_fetch_add(&sb->free_blocks, (int64_t)g->free_blocks << sb->cluster_bits);
	atomic_fetch_add(&sb->free_inodes, g->free_inodes);
	return 0;
}

/* How many descriptor blocks from @index on lie side by side on the device. */
static uint32_t side_by_side(const struct e2_super *sb, uint32_t index)
{
	uint32_t n = 1, most = READ_BYTES / sb->block_size;

	while (index + n < sb->desc_blocks && n < most &&
	       e2_desc_block(sb, index + n) == e2_desc_block(sb, index) + n)
		n++;
	return n;
}

static int load_run(struct e2_super *sb, uint32_t index, uint32_t n, uint8_t *buf)
{
	uint64_t block = e2_desc_block(sb, index);
	uint32_t group = index * sb->desc_per_block, end = (index + n) * sb->desc_per_block;
	int err;

	if (block >= sb->blocks_count || n > sb->blocks_count - block)
		return refuse_group(sb, group, "it lies outside the volume");
	err = fuseblk_device_read(sb->vol, buf, (size_t)n << sb->block_bits, block << sb->block_bits);
	if (err) {
		fuseblk_refuse(sb->vol, "cannot read the group descriptors at block %llu: %s",
			       (unsigned long long)block, strerror(-err));
		return err;
	}
	if (end > sb->groups_count)
		end = sb->groups_count;
	for (uint32_t i = group; !err && i < end; i++)
		err = load_desc(sb, i, buf + (size_t)(i - group) * sb->desc_size);
	return err;
}

int e2_groups_load(struct e2_super *sb)
{
	uint8_t *buf = malloc(READ_BYTES);
	uint32_t n;
	int err = 0;

	sb->groups = calloc(sb->groups_count, sizeof(*sb->groups));
	if (!buf || !sb->groups) {
		free(buf);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < sb->groups_count; i++)
		pthread_mutex_init(&sb->groups[i].lock, NULL);
	for (uint32_t i = 0; !err && i < sb->desc_blocks; i += n) {
		n = side_by_side(sb, i);
		err = load_run(sb, i, n, buf);
	}
	free(buf);
	return err ? err : e2_meta_build(sb);
}

static void release(struct e2_group *g)
{
	fuseblk_buf_put(g->desc_buf);
	fuseblk_buf_put(g->block_buf);
	fuseblk_buf_put(g->inode_buf);
	g->desc_buf = g->block_buf = g->inode_buf = NULL;
	g->dirty = false;
}

void e2_groups_free(struct e2_super *sb)
{
	for (uint32_t i = 0; sb->groups && i < sb->groups_count; i++) {
		release(&sb->groups[i]);
		pthread_mutex_destroy(&sb->groups[i].lock);
	}
	free(sb->groups);
	free(sb->meta);
	sb->groups = NULL;
	sb->meta = NULL;
}

uint64_t e2_group_block_bitmap(struct e2_super *sb, uint32_t group)
{
	return sb->groups[group].block_bitmap;
}

uint64_t e2_group_inode_bitmap(struct e2_super *sb, uint32_t group)
{
	return sb->groups[group].inode_bitmap;
}

uint64_t e2_group_inode_table(struct e2_super *sb, uint32_t group)
{
	return sb->groups[group].inode_table;
}

/* ---- holding what the commit needs ------------------------------------------------ */

static size_t desc_offset(const struct e2_super *sb, uint32_t group)
{
	return (size_t)(group % sb->desc_per_block) * sb->desc_size;
}

static int hold_desc(struct e2_super *sb, struct e2_group *g)
{
	uint32_t i = e2_group_index(sb, g);
	int err;

	if (!g->desc_buf) {
		err = fuseblk_buf_get(sb->vol, e2_desc_block(sb, i / sb->desc_per_block), &g->desc_buf);
		if (err)
			return err;
	}
	if (g->dirty)
		return 0;
	g->dirty = true;
	pthread_mutex_lock(&sb->dirty_lock);
	g->dirty_next = sb->dirty_groups;
	sb->dirty_groups = g;
	pthread_mutex_unlock(&sb->dirty_lock);
	return 0;
}

static int bitmap_is_bad(struct e2_super *sb, struct e2_group *g, const char *which, const char *why)
{
	g->bad = true;
	return e2_corrupt(sb, 0, "the %s bitmap of group %u is damaged: %s; run e2fsck",
			  which, e2_group_index(sb, g), why);
}

/* The bitmap checksum that the descriptor on the device holds. */
static bool bitmap_csum_ok(struct e2_super *sb, struct e2_group *g, const uint8_t *bits, bool is_block)
{
	const struct e2_disk_group *d;
	struct fuseblk_buf *buf;
	uint32_t i = e2_group_index(sb, g), have, want;

	if (!sb->metadata_csum)
		return true;
	if (fuseblk_buf_get(sb->vol, e2_desc_block(sb, i / sb->desc_per_block), &buf))
		return false;
	d = (const struct e2_disk_group *)(buf->data + desc_offset(sb, i));
	want = e2_bitmap_csum(sb, bits, is_block ? sb->blocks_per_group >> sb->cluster_bits :
				    sb->inodes_per_group);
	have = e2_get16(is_block ? d->bg_block_bitmap_csum_lo : d->bg_inode_bitmap_csum_lo);
	if (sb->desc_size >= 64)
		have |= (uint32_t)e2_get16(is_block ? d->bg_block_bitmap_csum_hi :
						      d->bg_inode_bitmap_csum_hi) << 16;
	else
		want &= 0xFFFF;
	fuseblk_buf_put(buf);
	return have == want;
}

/* ---- block bitmaps ---------------------------------------------------------------- */

/* The first part of @group that is metadata and starts at or after bit @from: [*at, *end). */
static bool next_meta(const struct e2_super *sb, uint32_t group, uint32_t from, uint32_t *at, uint32_t *end)
{
	uint64_t first = e2_group_first(sb, group), last = first + e2_group_blocks(sb, group), stop;
	size_t i = e2_meta_find(sb, first + from);

	if (i == sb->meta_count || sb->meta[i].start >= last)
		return false;
	stop = sb->meta[i].start + sb->meta[i].count;
	*at = sb->meta[i].start > first + from ? (uint32_t)(sb->meta[i].start - first) : from;
	*end = (uint32_t)((stop < last ? stop : last) - first);
	return true;
}

void e2_bitmap_initial(const struct e2_super *sb, uint32_t group, uint8_t *bits)
{
	uint32_t at = 0, end = 0;

	memset(bits, 0, sb->block_size);
	while (next_meta(sb, group, end, &at, &end))
		e2_bits_set(bits, at, end);
	e2_bits_set(bits, e2_group_blocks(sb, group), sb->block_size * 8);
}

static bool marks_metadata(const struct e2_super *sb, uint32_t group, const uint8_t *bits)
{
	uint32_t at = 0, end = 0;

	while (next_meta(sb, group, end, &at, &end))
		if (e2_bits_next_clear(bits, at, end) != end)
			return false;
	return true;
}

static void correct_count(struct e2_super *sb, struct e2_group *g, const char *what, uint32_t found,
			  _Atomic uint32_t *counter, _Atomic int64_t *total)
{
	int64_t diff = (int64_t)found - *counter;

	if (!diff)
		return;
	fuseblk_log(sb->vol, FUSEBLK_WARNING, "group %u has %u free %s, not %u as its descriptor says; "
		    "counting on with %u, run e2fsck", e2_group_index(sb, g), found, what, *counter, found);
	*counter = found;
	atomic_fetch_add(total, diff);
}

/* What was just read (or is still cached) may be relied on after this. */
static int verify_blocks(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf *buf)
{
	uint32_t i = e2_group_index(sb, g);

	if (atomic_load(&buf->marks) & E2_MARK_BITMAP_OK)
		return 0;
	if (!bitmap_csum_ok(sb, g, buf->data, true))
		return bitmap_is_bad(sb, g, "block", "its checksum does not match");
	if (!sb->cluster_bits && !marks_metadata(sb, i, buf->data))
		return bitmap_is_bad(sb, g, "block", "metadata is marked as free");
	if (!g->blocks_counted && !sb->cluster_bits)
		correct_count(sb, g, "blocks", e2_bits_count_clear(buf->data, 0, e2_group_blocks(sb, i)),
			      &g->free_blocks, &sb->free_blocks);
	g->blocks_counted = true;
	atomic_fetch_or(&buf->marks, E2_MARK_BITMAP_OK);
	return 0;
}

struct whole_bitmap {
	const uint8_t *bits;
	size_t size;
};

static void copy_bits(void *bytes, void *arg)
{
	const struct whole_bitmap *from = arg;

	memcpy(bytes, from->bits, from->size);
}

/* A bitmap that was never written gets its first content. */
static int make_blocks(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf **out)
{
	uint8_t *bits = malloc(sb->block_size);
	struct whole_bitmap from = { bits, sb->block_size };
	uint32_t i = e2_group_index(sb, g);
	int err;

	if (!bits)
		return -ENOMEM;
	err = fuseblk_buf_new(sb->vol, g->block_bitmap, out);
	if (!err) {
		e2_bitmap_initial(sb, i, bits);
		fuseblk_buf_edit(*out, 0, sb->block_size, copy_bits, &from);
		atomic_fetch_or(&(*out)->marks, E2_MARK_BITMAP_OK);
		g->flags &= (uint16_t)~E2_BG_BLOCK_UNINIT;
		correct_count(sb, g, "blocks", e2_bits_count_clear(bits, 0, e2_group_blocks(sb, i)),
			      &g->free_blocks, &sb->free_blocks);
		g->blocks_counted = true;
	}
	free(bits);
	return err;
}

int e2_group_hold_blocks(struct e2_super *sb, struct e2_group *g)
{
	struct fuseblk_buf *buf;
	int err;

	if (g->bad)
		return -EUCLEAN;
	if (g->block_buf)
		return 0;
	err = hold_desc(sb, g);
	if (err)
		return err;
	if (g->flags & E2_BG_BLOCK_UNINIT)
		return make_blocks(sb, g, &g->block_buf);
	err = fuseblk_buf_get(sb->vol, g->block_bitmap, &buf);
	if (err)
		return err;
	err = verify_blocks(sb, g, buf);
	if (err) {
		fuseblk_buf_put(buf);
		return err;
	}
	g->block_buf = buf;
	return 0;
}

int e2_group_peek_blocks(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf **buf)
{
	int err;

	if (g->bad)
		return -EUCLEAN;
	*buf = NULL;
	if (g->flags & E2_BG_BLOCK_UNINIT)
		return 0;
	err = fuseblk_buf_get(sb->vol, g->block_bitmap, buf);
	if (err)
		return err;
	err = verify_blocks(sb, g, *buf);
	if (err) {
		fuseblk_buf_put(*buf);
		*buf = NULL;
	}
	return err;
}

/* ---- inode bitmaps ---------------------------------------------------------------- */

static int verify_inodes(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf *buf)
{
	uint32_t reserved = e2_group_index(sb, g) ? 0 : sb->first_ino - 1;

	if (atomic_load(&buf->marks) & E2_MARK_BITMAP_OK)
		return 0;
	if (!bitmap_csum_ok(sb, g, buf->data, false))
		return bitmap_is_bad(sb, g, "inode", "its checksum does not match");
	if (e2_bits_next_clear(buf->data, 0, reserved) != reserved)
		return bitmap_is_bad(sb, g, "inode", "reserved inodes are marked as free");
	if (!g->inodes_counted)
		correct_count(sb, g, "inodes", e2_bits_count_clear(buf->data, 0, sb->inodes_per_group),
			      &g->free_inodes, &sb->free_inodes);
	g->inodes_counted = true;
	atomic_fetch_or(&buf->marks, E2_MARK_BITMAP_OK);
	return 0;
}

static int make_inodes(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf **out)
{
	uint32_t bits = sb->block_size * 8;
	int err = fuseblk_buf_new(sb->vol, g->inode_bitmap, out);

	if (err)
		return err;
	if (bits > sb->inodes_per_group)
		e2_bitmap_change(*out, sb->inodes_per_group, bits - sb->inodes_per_group, true);
	atomic_fetch_or(&(*out)->marks, E2_MARK_BITMAP_OK);
	g->flags &= (uint16_t)~E2_BG_INODE_UNINIT;
	g->itable_unused = sb->inodes_per_group;
	correct_count(sb, g, "inodes", sb->inodes_per_group, &g->free_inodes, &sb->free_inodes);
	g->inodes_counted = true;
	return 0;
}

int e2_group_hold_inodes(struct e2_super *sb, struct e2_group *g)
{
	struct fuseblk_buf *buf;
	int err;

	if (g->bad)
		return -EUCLEAN;
	if (g->inode_buf)
		return 0;
	err = hold_desc(sb, g);
	if (err)
		return err;
	if (g->flags & E2_BG_INODE_UNINIT)
		return make_inodes(sb, g, &g->inode_buf);
	err = fuseblk_buf_get(sb->vol, g->inode_bitmap, &buf);
	if (err)
		return err;
	err = verify_inodes(sb, g, buf);
	if (err) {
		fuseblk_buf_put(buf);
		return err;
	}
	g->inode_buf = buf;
	return 0;
}

/* ---- commit ------------------------------------------------------------------------ */

static void put_bitmap_csum(struct e2_super *sb, struct e2_group *g, struct e2_disk_group *d)
{
	uint32_t c;

	if (!sb->metadata_csum)
		return;
	if (g->block_buf) {
		c = e2_bitmap_csum(sb, g->block_buf->data, sb->blocks_per_group);
		d->bg_block_bitmap_csum_lo = e2_put16((uint16_t)c);
		d->bg_block_bitmap_csum_hi = e2_put16((uint16_t)(c >> 16));
	}
	if (g->inode_buf) {
		c = e2_bitmap_csum(sb, g->inode_buf->data, sb->inodes_per_group);
		d->bg_inode_bitmap_csum_lo = e2_put16((uint16_t)c);
		d->bg_inode_bitmap_csum_hi = e2_put16((uint16_t)(c >> 16));
	}
}

static void put_counts(struct e2_super *sb, struct e2_group *g, struct e2_disk_group *d)
{
	uint32_t blocks = g->free_blocks, inodes = g->free_inodes, dirs = g->used_dirs;

	d->bg_free_blocks_lo = e2_put16((uint16_t)blocks);
	d->bg_free_blocks_hi = e2_put16((uint16_t)(blocks >> 16));
	d->bg_free_inodes_lo = e2_put16((uint16_t)inodes);
	d->bg_free_inodes_hi = e2_put16((uint16_t)(inodes >> 16));
	d->bg_used_dirs_lo = e2_put16((uint16_t)dirs);
	d->bg_used_dirs_hi = e2_put16((uint16_t)(dirs >> 16));
	if (!sb->gdt_csum)
		return;
	d->bg_flags = e2_put16(g->flags);
	d->bg_itable_unused_lo = e2_put16((uint16_t)g->itable_unused);
	d->bg_itable_unused_hi = e2_put16((uint16_t)(g->itable_unused >> 16));
}

static void commit_group(struct e2_super *sb, struct e2_group *g)
{
	uint32_t i = e2_group_index(sb, g), size = sb->desc_size < 64 ? sb->desc_size : 64;
	size_t off = desc_offset(sb, i);
	uint8_t raw[1024];
	struct e2_disk_group d = { 0 };
	e2_le16 csum;

	memcpy(raw, g->desc_buf->data + off, sb->desc_size);
	memcpy(&d, raw, size);
	put_counts(sb, g, &d);
	put_bitmap_csum(sb, g, &d);
	memcpy(raw, &d, size);
	if (sb->gdt_csum) {
		csum = e2_put16(e2_desc_csum(sb, i, raw));
		memcpy(raw + offsetof(struct e2_disk_group, bg_checksum), &csum, sizeof(csum));
	}
	fuseblk_buf_write(g->desc_buf, E2_FRESH, off, raw, size);
}

void e2_groups_commit(struct e2_super *sb)
{
	struct e2_group *g, *next;

	pthread_mutex_lock(&sb->dirty_lock);
	g = sb->dirty_groups;
	sb->dirty_groups = NULL;
	pthread_mutex_unlock(&sb->dirty_lock);
	for (; g; g = next) {
		next = g->dirty_next;
		commit_group(sb, g);
		release(g);
	}
}
