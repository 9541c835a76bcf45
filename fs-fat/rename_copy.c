// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename_copy.c: clusters of a file copied for a rename, whole or its first
 * ones.
 *
 * The node is locked, so nothing of it is in flight, and what was written is
 * on the device, where it is read and written again within the change: it is
 * flushed with phase FRESH, before anything leads to it.
 */
#include <errno.h>
#include <stdlib.h>
#include "rename.h"

#define COPY_MOST (1u << 20)		/* bytes */
#define BUFFER (128u << 10)

uint32_t fat_clusters_worth_copying(const struct fat_volume *fat, const struct fat_node *n)
{
	if (n->size > COPY_MOST)
		return UINT32_MAX;
	return (uint32_t)((n->size + fat->geo.cluster_size - 1) >> fat->geo.cluster_shift);
}

static int copy_bytes(struct fuseblk_volume *vol, uint64_t from, uint64_t to, uint64_t len, uint8_t *buffer)
{
	int err = 0;

	while (!err && len) {
		size_t piece = len < BUFFER ? (size_t)len : BUFFER;

		err = fuseblk_device_read(vol, buffer, piece, from);
		if (!err)
			err = fuseblk_device_write(vol, buffer, piece, to);
		from += piece;
		to += piece;
		len -= piece;
	}
	return err;
}

/* Clusters [index, index + count) of the file to @count clusters from @to on. */
static int copy_run(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t index, uint32_t to, uint32_t count,
		    uint8_t *buffer)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	int err = 0;

	while (!err && count) {
		struct fat_run run;

		err = fat_chain_find(vol, node, index, count, &run);
		if (err)
			break;
		err = copy_bytes(vol, fat_cluster_off(geo, run.start), fat_cluster_off(geo, to),
				 (uint64_t)run.count << geo->cluster_shift, buffer);
		index += run.count;
		to += run.count;
		count -= run.count;
	}
	return err;
}

/* A chain of @count clusters with the file's data; *end: its last. @buffer for copying. */
static int copy_chain(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t count, uint8_t *buffer,
		      uint32_t *start, uint32_t *end)
{
	struct fat_volume *fat = fat_of(vol);
	uint32_t done = 0, run, n;
	int err = 0;

	*start = *end = 0;
	while (!err && done < count) {
		err = fat_alloc_run(fat, *end ? *end + 1 : 0, count - done, &run, &n);
		if (err)
			break;
		if (*end)
			err = fat_table_set(fat, *end, run, FAT_PHASE_FRESH);
		if (err) {
			fat_alloc_free_later(fat, run, n);
			break;
		}
		*start = *start ? *start : run;
		*end = run + n - 1;
		err = copy_run(vol, node, done, run, n, buffer);
		done += n;
	}
	if (err && *start)
		fat_alloc_free_later(fat, *start, UINT32_MAX);
	return err;
}

int fat_clusters_copy(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t count, uint32_t *start)
{
	uint8_t *buffer = malloc(BUFFER);
	uint32_t end;
	int err;

	if (!buffer)
		return -ENOMEM;
	err = copy_chain(vol, node, count, buffer, start, &end);
	free(buffer);
	return err;
}

/* ---- splits ------------------------------------------------------------------------------------ */

static uint32_t table_sector(const struct fat_volume *fat, uint32_t c)
{
	return fat_variant(fat->geo.bits)->offset(c) / fat->geo.sector_size;
}

/* A free cluster whose entry is in one sector, and alone there, with @c's. */
static int find_beside(struct fat_volume *fat, uint32_t c, uint32_t *got)
{
	const struct fat_variant *v = fat_variant(fat->geo.bits);
	int err;

	if (fat_variant_straddles(v, fat->geo.sector_size, c))
		return -ENOSPC;
	err = fat_alloc_beside(fat, c, got);
	if (err || !fat_variant_straddles(v, fat->geo.sector_size, *got))
		return err;
	fat_alloc_free_later(fat, *got, 1);
	return -ENOSPC;
}

/* The first cluster of the file, of those worth copying, that has such a neighbour: number split->count - 1. */
static int find_split(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fat_split *split)
{
	struct fat_volume *fat = fat_of(vol);
	uint32_t most = COPY_MOST >> fat->geo.cluster_shift, tried = UINT32_MAX;
	struct fat_run run;
	int err = -ENOSPC;

	for (uint32_t i = 0; err == -ENOSPC && (i < most || !i); i++) {
		int bad = fat_chain_find(vol, node, i, 1, &run);

		if (bad)
			return bad;
		if (table_sector(fat, run.start) == tried)
			continue;
		split->count = i + 1;
		split->old_end = run.start;
		err = find_beside(fat, run.start, &split->end);
		if (!fat_variant_straddles(fat_variant(fat->geo.bits), fat->geo.sector_size, run.start))
			tried = table_sector(fat, run.start);
	}
	return err;
}

/* The copies before the one beside, linked to it, and its own data. */
static int fill_split(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fat_split *split, uint8_t *buffer)
{
	struct fat_volume *fat = fat_of(vol);
	uint32_t end;
	int err = copy_run(vol, node, split->count - 1, split->end, 1, buffer);

	if (!err)
		err = copy_chain(vol, node, split->count - 1, buffer, &split->start, &end);
	if (err) {
		split->start = 0;
	} else if (!split->start) {
		split->start = split->end;
	} else {
		err = fat_table_set(fat, end, split->end, FAT_PHASE_FRESH);
		if (!err)
			return 0;
		fat_alloc_free_later(fat, split->start, UINT32_MAX);
		split->start = 0;
	}
	return err;
}

/* Pin the sector of the table, so that the split itself cannot fail. */
static int pin_split(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fat_split *split)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_run rest;
	uint32_t value;
	int err = fat_chain_find(vol, node, split->count, 1, &rest);

	if (!err)
		err = fat_group_need(fat, split->old_end);
	if (!err)
		err = fat_cursor_get(fat, &split->cur, split->old_end, &value);
	if (!err && value != rest.start)
		err = -EUCLEAN;
	split->rest = rest.start;
	return err;
}

int fat_clusters_split(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fat_split *split)
{
	struct fat_volume *fat = fat_of(vol);
	uint8_t *buffer;
	int err = fat_table_may(fat, FAT_PHASE_SWITCH);

	if (err)
		return err;
	*split = (struct fat_split){ .start = 0 };
	err = find_split(vol, node, split);
	if (err)
		return err;
	buffer = malloc(BUFFER);
	err = buffer ? fill_split(vol, node, split, buffer) : -ENOMEM;
	free(buffer);
	if (!err)
		err = pin_split(vol, node, split);
	if (err)
		fat_split_drop(fat, split);
	return err;
}

void fat_split_apply(struct fat_volume *fat, struct fat_split *split)
{
	fat_cursor_set(fat, &split->cur, split->end, split->rest, FAT_PHASE_SWITCH);
	fat_cursor_set(fat, &split->cur, split->old_end, FAT_EOC, FAT_PHASE_SWITCH);
	fat_cursor_end(&split->cur);
}

void fat_split_drop(struct fat_volume *fat, struct fat_split *split)
{
	fat_cursor_end(&split->cur);
	if (split->start && split->start != split->end)
		fat_alloc_free_later(fat, split->start, UINT32_MAX);
	else
		fat_alloc_free_later(fat, split->end, 1);
}
