// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * layout.c: where the fixed metadata lies: superblock copies, descriptors
 * and the room kept for more of them, bitmaps, inode tables.
 *
 * sb->meta is the sorted, merged list of all of it, built once when the
 * volume is opened and constant after.  Facts: the kernel's
 * Documentation/filesystems/ext4/ (blockgroup, special_inodes), checked
 * against dumpe2fs.
 */
#include <errno.h>
#include <stdlib.h>
#include "super.h"

static bool is_power_of(uint32_t n, uint32_t base)
{
	while (n > 1 && n % base == 0)
		n /= base;
	return n == 1;
}

bool e2_group_has_super(const struct e2_super *sb, uint32_t group)
{
	if (group == 0)
		return true;
	if (e2_has_compat(sb, E2_COMPAT_SPARSE_SUPER2))
		return group == sb->backup_groups[0] || group == sb->backup_groups[1];
	if (group == 1 || !e2_has_ro(sb, E2_RO_SPARSE_SUPER))
		return true;
	return is_power_of(group, 3) || is_power_of(group, 5) || is_power_of(group, 7);
}

uint32_t e2_group_base_blocks(const struct e2_super *sb, uint32_t group)
{
	uint32_t super = e2_group_has_super(sb, group), meta = group / sb->desc_per_block, at;

	if (meta < sb->first_meta_bg) {
		bool is_meta = e2_has_incompat(sb, E2_IN_META_BG);

		return super ? 1 + (is_meta ? sb->first_meta_bg : sb->desc_blocks) + sb->reserved_gdt : 0;
	}
	at = group % sb->desc_per_block;
	return super + (at == 0 || at == 1 || at == sb->desc_per_block - 1);
}

/* The 1k block before the superblock belongs to nobody where blocks are counted from 0 (bigalloc). */
static bool has_boot_block(const struct e2_super *sb)
{
	return sb->block_size == 1024 && sb->first_data_block == 0;
}

uint64_t e2_desc_block(const struct e2_super *sb, uint32_t index)
{
	uint32_t group = index * sb->desc_per_block;

	if (index < sb->first_meta_bg)
		return sb->sb_block + 1 + index;
	return e2_group_first(sb, group) + e2_group_has_super(sb, group) +
	       (group == 0 && has_boot_block(sb));
}

static int by_start(const void *a, const void *b)
{
	const struct e2_range *x = a, *y = b;

	return x->start < y->start ? -1 : x->start > y->start;
}

static size_t collect(const struct e2_super *sb, struct e2_range *r)
{
	size_t n = 0;

	for (uint32_t i = 0; i < sb->groups_count; i++) {
		const struct e2_group *g = &sb->groups[i];
		uint32_t base = e2_group_base_blocks(sb, i);

		if (i == 0)
			base += has_boot_block(sb);
		if (base > e2_group_blocks(sb, i))
			base = e2_group_blocks(sb, i);
		if (base)
			r[n++] = (struct e2_range){ e2_group_first(sb, i), base };
		r[n++] = (struct e2_range){ g->block_bitmap, 1 };
		r[n++] = (struct e2_range){ g->inode_bitmap, 1 };
		r[n++] = (struct e2_range){ g->inode_table, sb->itable_blocks };
	}
	return n;
}

static int merge(struct e2_super *sb, struct e2_range *r, size_t n)
{
	size_t last = 0;

	for (size_t i = 1; i < n; i++) {
		uint64_t end = r[last].start + r[last].count;

		if (r[i].start < end) {
			fuseblk_refuse(sb->vol, "group descriptors claim block %llu twice; run e2fsck",
				       (unsigned long long)r[i].start);
			return -EUCLEAN;
		}
		if (r[i].start == end)
			r[last].count += r[i].count;
		else
			r[++last] = r[i];
	}
	sb->meta_count = last + 1;
	return 0;
}

int e2_meta_build(struct e2_super *sb)
{
	struct e2_range *r = calloc((size_t)sb->groups_count * 4, sizeof(*r)), *smaller;
	size_t n;

	if (!r)
		return -ENOMEM;
	n = collect(sb, r);
	qsort(r, n, sizeof(*r), by_start);
	sb->meta = r;
	if (merge(sb, r, n))
		return -EUCLEAN;
	smaller = realloc(r, sb->meta_count * sizeof(*r));
	if (smaller)
		sb->meta = smaller;
	return 0;
}

uint64_t e2_meta_blocks(const struct e2_super *sb)
{
	uint64_t n = 0;

	for (size_t i = 0; i < sb->meta_count; i++)
		n += sb->meta[i].count;
	return n;
}

size_t e2_meta_find(const struct e2_super *sb, uint64_t block)
{
	size_t lo = 0, hi = sb->meta_count;

	while (lo < hi) {
		size_t mid = lo + (hi - lo) / 2;

		if (sb->meta[mid].start + sb->meta[mid].count > block)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo;
}

bool e2_block_is_data(const struct e2_super *sb, uint64_t block, uint64_t count)
{
	size_t i;

	if (!count || block < sb->first_data_block || block >= sb->blocks_count ||
	    count > sb->blocks_count - block)
		return false;
	i = e2_meta_find(sb, block);
	return i == sb->meta_count || sb->meta[i].start >= block + count;
}
