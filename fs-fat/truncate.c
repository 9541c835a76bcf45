// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * truncate.c: sizes set and space set aside.
 *
 * A file that grows is zeroed to its new size, piece by piece, its size
 * raised behind: cut short it is shorter than asked for, never garbage.  What
 * does not fit is given back.  Space beyond the size (fallocate KEEP_SIZE) is
 * a chain of its own that nothing on the device refers to: a crash leaves it
 * as lost clusters, and truncation gives it up.
 */
#include <errno.h>
#include "space.h"

#define PIECE_BYTES	(4u << 20)
#define SIZE_MAX_FAT	0xffffffffu

static uint32_t clusters_for(const struct fat_volume *fat, uint64_t bytes)
{
	return (uint32_t)((bytes + fat->geo.cluster_size - 1) >> fat->geo.cluster_shift);
}

static int drop_spares(struct fat_volume *fat, struct fuseblk_node *node)
{
	const struct fat_spare none = { 0 };
	struct fat_spare spare = { 0 };
	int err;

	fat_ino_spare_get(fat, fuseblk_ino(node), &spare);
	if (!spare.count)
		return 0;
	err = fat_ino_spare_set(fat, fuseblk_ino(node), &none);
	if (!err)
		fat_alloc_free_later(fat, spare.start, spare.count);
	return err;
}

static int set_archive(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_node *n = fat_node(node);

	if (n->attr & FAT_ATTR_ARCHIVE)
		return 0;
	n->attr |= FAT_ATTR_ARCHIVE;
	return fat_entry_set_meta(vol, node);
}

/* ---- shrinking ------------------------------------------------------------------------------------ */

/* What may fail comes before the size changes: the end mark's place is found, and FAT12 asked. */
static int may_cut(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t keep)
{
	struct fat_node *n = fat_node(node);
	struct fat_run last;
	int err = n->chain.start ? fat_chain_find(vol, node, keep - 1, 1, &last) : -ENOENT;

	if (err == -ENOENT)
		return 0;
	if (!err)
		err = fat_group_need(fat_of(vol), last.start);
	if (!err && n->fresh_epoch != fuseblk_epoch(vol))
		err = fat_table_may(fat_of(vol), FAT_PHASE_CUT);
	return err;
}

static int shrink(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	uint32_t keep = clusters_for(fat_of(vol), size);
	int err = keep ? may_cut(vol, node, keep) : 0;

	if (!err)
		err = keep ? fat_entry_set_size(vol, node, size) : fat_entry_clear(vol, node);
	return err ? err : fat_chain_cut(vol, node, keep);
}

/* ---- growing ----------------------------------------------------------------------------------------- */

static int zero_range(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t at, uint64_t end)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	uint64_t len;
	int err = 0;

	for (; !err && at < end; at += len) {
		uint32_t index = (uint32_t)(at >> geo->cluster_shift);
		uint64_t skip = at & (geo->cluster_size - 1);
		struct fat_run run;

		err = fat_chain_find(vol, node, index, clusters_for(fat_of(vol), end) - index, &run);
		if (err)
			return err;
		len = ((uint64_t)run.count << geo->cluster_shift) - skip;
		if (len > end - at)
			len = end - at;
		err = fuseblk_device_zero(vol, fat_cluster_off(geo, run.start) + skip, len);
	}
	return err;
}

/* Raise the size to @end, with room for @size in view. */
static int grow_piece(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t end, uint64_t size)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	uint64_t block = fat->geo.sector_size;
	struct fat_run added;
	uint32_t clusters;
	int err = fat_chain_length(vol, node, &clusters);

	if (!err && clusters < clusters_for(fat, n->size))
		return fuseblk_corrupt(vol, fuseblk_ino(node), "%u clusters for %llu bytes: the chain is too short",
				       clusters, (unsigned long long)n->size);
	while (!err && clusters < clusters_for(fat, end)) {
		err = fat_chain_append(vol, node, clusters_for(fat, size) - clusters, &added);
		clusters = n->chain.clusters;
	}
	if (!err)
		err = zero_range(vol, node, n->size, (end + block - 1) / block * block);
	return err ? err : fat_entry_set_size(vol, node, end);
}

/* Is it known already that @size will not fit? */
static bool cannot_fit(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_spare spare = { 0 };
	uint64_t have, need = clusters_for(fat, size);

	if (!fat_alloc_known(fat, &have))
		return false;
	fat_ino_spare_get(fat, fuseblk_ino(node), &spare);
	return need > have + spare.count + fat_node(node)->chain.clusters;
}

/* Back to what it was; where FAT12 must not cut now, the clusters stay with the file. */
static void give_back(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size, uint32_t clusters)
{
	struct fat_node *n = fat_node(node);
	int err;

	if (!clusters && n->chain.start) {
		err = fat_entry_clear(vol, node);
	} else {
		err = size < n->size ? fat_entry_set_size(vol, node, size) : 0;
		if (!err && clusters && n->fresh_epoch != fuseblk_epoch(vol))
			err = fat_table_may(fat_of(vol), FAT_PHASE_CUT);
	}
	if (!err)
		fat_chain_cut(vol, node, clusters);
}

static int grow(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct fat_node *n = fat_node(node);
	uint64_t old = n->size, end;
	uint32_t clusters;
	int err;

	if (size > SIZE_MAX_FAT)
		return -EFBIG;
	err = fat_chain_length(vol, node, &clusters);
	if (!err && cannot_fit(vol, node, size))
		return -ENOSPC;
	while (!err && n->size < size) {
		end = (n->size / PIECE_BYTES + 1) * PIECE_BYTES;
		if (end > size)
			end = size;
		err = grow_piece(vol, node, end, size);
		if (!err && end < size)
			err = fuseblk_change_pause(vol);
	}
	if (err == -ENOSPC)
		give_back(vol, node, old, clusters);
	return err;
}

/* ---- operations ------------------------------------------------------------------------------------------ */

int fat_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct fat_node *n = fat_node(node);
	int err = 0;

	if (size < n->size)
		err = shrink(vol, node, size);
	else if (size > n->size)
		err = grow(vol, node, size);
	if (!err)
		err = drop_spares(fat_of(vol), node);
	return err ? err : set_archive(vol, node);
}

/* Link a new run to the end of the spare chain, or make it the chain. */
static int add_spare(struct fat_volume *fat, uint64_t ino, struct fat_spare *spare, const struct fat_spare *run)
{
	struct fat_cursor cur = { 0 };
	uint32_t c = spare->start, next = c;
	int err = 0;

	for (uint32_t i = 0; !err && i < spare->count; i++) {
		c = next;
		err = fat_is_cluster(&fat->geo, c) ? fat_cursor_get(fat, &cur, c, &next) : -EUCLEAN;
	}
	fat_cursor_end(&cur);
	if (err == -EUCLEAN)
		return fuseblk_corrupt(fat->vol, ino, "the chain of spare clusters from %u on is broken", spare->start);
	if (!err && spare->count)
		err = fat_table_set(fat, c, run->start, FAT_PHASE_FRESH);
	if (err)
		return err;
	if (!spare->count)
		spare->start = run->start;
	spare->count += run->count;
	return fat_ino_spare_set(fat, ino, spare);
}

/* Set aside clusters, so that the file can grow to @clusters. */
static int reserve(struct fat_volume *fat, struct fuseblk_node *node, uint32_t clusters)
{
	struct fat_node *n = fat_node(node);
	uint64_t ino = fuseblk_ino(node);
	struct fat_spare spare = { 0 }, run;
	int err = 0;

	fat_ino_spare_get(fat, ino, &spare);
	while (!err && n->chain.clusters + spare.count < clusters) {
		uint32_t goal = spare.count ? spare.start + spare.count : n->chain.clusters ? n->chain.tail + 1 : 0;

		err = fat_alloc_run(fat, goal, clusters - n->chain.clusters - spare.count, &run.start, &run.count);
		if (err)
			break;
		err = add_spare(fat, ino, &spare, &run);
		if (err)
			fat_alloc_free_later(fat, run.start, run.count);
	}
	return err;
}

/* As the kernel's: without KEEP_SIZE a growing truncation, with it clusters for later. */
int fat_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size,
		 const struct fuseblk_caller *who)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_spare before = { 0 };
	uint32_t clusters;
	int err;

	(void)who;
	if (off + len > SIZE_MAX_FAT)
		return -EFBIG;
	if (size > fat_node(node)->size) {
		err = grow(vol, node, size);
		return err ? err : set_archive(vol, node);
	}
	err = fat_chain_length(vol, node, &clusters);
	if (!err && cannot_fit(vol, node, off + len))
		err = -ENOSPC;
	if (err)
		return err;
	fat_ino_spare_get(fat, fuseblk_ino(node), &before);
	err = reserve(fat, node, clusters_for(fat, off + len));
	if (err && !before.count)	/* what there was before stays, what was added to it with it */
		drop_spares(fat, node);
	return err;
}
