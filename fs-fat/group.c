// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * group.c: groups of 16384 clusters: how many are free, and which.
 *
 * A group is counted when it is first needed, from the device in one read;
 * its copies are read and compared then.  Nothing of it has changed until
 * then (space.h).  Which clusters are free is kept one by one for 64 groups;
 * what was dropped is read again through the cache, whose phase 0 images show
 * what may be given away: allocating and freeing are FRESH, and what other
 * phases change stays in use.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "space.h"

uint32_t fat_group_of(uint32_t c)
{
	return c / FAT_GROUP_CLUSTERS;
}

void fat_group_range(const struct fat_volume *fat, uint32_t g, uint32_t *first, uint32_t *end)
{
	uint64_t all = (uint64_t)fat->geo.clusters + 2, last = ((uint64_t)g + 1) * FAT_GROUP_CLUSTERS;

	*first = g ? g * FAT_GROUP_CLUSTERS : 2;
	*end = (uint32_t)(last < all ? last : all);
}

/* ---- bits ------------------------------------------------------------------------------ */

uint32_t fat_bits_next(const struct fat_bits *bits, uint32_t at, uint32_t end, bool set)
{
	while (at < end) {
		uint64_t word = bits->words[at / 64];

		word = (set ? word : ~word) >> at % 64;
		if (word) {
			at += (uint32_t)__builtin_ctzll(word);
			return at < end ? at : end;
		}
		at = (at / 64 + 1) * 64;
	}
	return end;
}

static void put_bit(struct fat_bits *bits, uint32_t at, bool set)
{
	uint64_t bit = 1ull << at % 64;

	if (set)
		bits->words[at / 64] |= bit;
	else
		bits->words[at / 64] &= ~bit;
}

/* A slot for group @g, the least recently used one's if need be. */
static struct fat_bits *take_slot(struct fat_alloc *a, uint32_t g)
{
	unsigned best = 0;

	for (unsigned i = 0; i < FAT_GROUP_SLOTS; i++) {
		if (!a->slots[i]) {
			a->slots[i] = calloc(1, sizeof(**a->slots));
			if (!a->slots[i])
				return NULL;
			best = i;
			goto found;
		}
		if (a->slots[i]->used < a->slots[best]->used)
			best = i;
	}
	a->groups[a->slots[best]->group].slot = FAT_NO_SLOT;
found:
	memset(a->slots[best], 0, sizeof(**a->slots));
	a->slots[best]->group = g;
	a->slots[best]->used = ++a->clock;
	a->groups[g].slot = (uint8_t)best;
	return a->slots[best];
}

/* ---- from the table ------------------------------------------------------------------------ */

/* The bytes of the table that hold group @g, whole sectors: *off from the table's start. */
static uint32_t group_bytes(const struct fat_volume *fat, uint32_t g, uint32_t *off)
{
	const struct fat_variant *v = fat->alloc->variant;
	uint32_t first, end, last, size = fat->geo.sector_size;

	fat_group_range(fat, g, &first, &end);
	*off = v->offset(g * FAT_GROUP_CLUSTERS);
	last = v->offset(end - 1) + v->span;
	return (last - *off + size - 1) / size * size;
}

/* Put down in @bits what @table, the group's bytes, says; returns how many entries are free. */
static uint32_t read_bits(const struct fat_volume *fat, uint32_t g, const uint8_t *table, struct fat_bits *bits)
{
	const struct fat_variant *v = fat->alloc->variant;
	uint32_t first, end, base = g * FAT_GROUP_CLUSTERS, off = v->offset(base), free_ = 0;

	fat_group_range(fat, g, &first, &end);
	for (uint32_t c = first; c < end; c++) {
		if (v->get(table + (v->offset(c) - off), c) != FAT_FREE)
			continue;
		free_++;
		if (!fat_variant_straddles(v, fat->geo.sector_size, c))
			put_bit(bits, c - base, true);
	}
	return free_;
}

static void compare(struct fat_volume *fat, uint32_t g, unsigned copy, const uint8_t *table, const uint8_t *other)
{
	const struct fat_variant *v = fat->alloc->variant;
	uint32_t first, end, off = v->offset(g * FAT_GROUP_CLUSTERS);

	fat_group_range(fat, g, &first, &end);
	for (uint32_t c = first; c < end; c++) {
		uint32_t at = v->offset(c) - off, x = v->get(table + at, c), y = v->get(other + at, c);

		if (x == y)
			continue;
		fat->alloc->told = true;
		fuseblk_corrupt(fat->vol, 0, "the copies of the allocation table disagree: the entry of cluster %u is "
				"%#x in the one that is used, %#x in copy %u", c, x, y, copy);
		return;
	}
}

/* That a copy cannot be read is no reason to refuse the table that can. */
static void compare_copies(struct fat_volume *fat, uint32_t g, const uint8_t *table, uint32_t len)
{
	uint8_t *other = fat->geo.fat_copies && !fat->alloc->told ? malloc(len) : NULL;
	uint32_t off;

	if (!other)
		return;
	group_bytes(fat, g, &off);
	for (unsigned k = 1; k <= fat->geo.fat_copies && !fat->alloc->told; k++) {
		uint64_t at = fat->geo.fat_start + k * fat->geo.fat_size + off;

		if (fuseblk_device_read(fat->vol, other, len, at))
			fuseblk_log(fat->vol, FUSEBLK_WARNING, "copy %u of the allocation table cannot be read at byte "
				    "%llu; the one that is used can", k, (unsigned long long)at);
		else if (memcmp(table, other, len))
			compare(fat, g, k, table, other);
	}
	free(other);
}

static int load_from_device(struct fat_volume *fat, uint32_t g, uint8_t *table, uint32_t len, uint32_t off)
{
	struct fat_alloc *a = fat->alloc;
	struct fat_bits *bits;
	int err = fuseblk_device_read(fat->vol, table, len, fat->geo.fat_start + off);

	if (err)
		return -EIO;
	bits = take_slot(a, g);
	if (!bits)
		return -ENOMEM;
	a->groups[g].free = read_bits(fat, g, table, bits);
	a->free += a->groups[g].free;
	a->loaded++;
	compare_copies(fat, g, table, len);
	atomic_store(&a->groups[g].loaded, true);
	return 0;
}

static int load_from_cache(struct fat_volume *fat, uint32_t g, uint8_t *table, uint32_t len, uint32_t off)
{
	uint32_t size = fat->geo.sector_size;
	uint64_t block = (fat->geo.fat_start + off) / size;
	struct fuseblk_buf *buf;
	struct fat_bits *bits;

	fuseblk_buf_prefetch(fat->vol, block, len / size);
	for (uint32_t at = 0; at < len; at += size) {
		int err = fuseblk_buf_get(fat->vol, block + at / size, &buf);

		if (err)
			return err;
		fuseblk_buf_read_early(buf, 0, table + at, size);
		fuseblk_buf_put(buf);
	}
	bits = take_slot(fat->alloc, g);
	if (!bits)
		return -ENOMEM;
	read_bits(fat, g, table, bits);
	return 0;
}

static int load_with(struct fat_volume *fat, uint32_t g,
		     int (*load)(struct fat_volume *, uint32_t, uint8_t *, uint32_t, uint32_t))
{
	uint32_t off, len = group_bytes(fat, g, &off);
	uint8_t *table = malloc(len);
	int err = table ? load(fat, g, table, len, off) : -ENOMEM;

	free(table);
	return err;
}

int fat_group_load(struct fat_volume *fat, uint32_t g)
{
	return fat->alloc->groups[g].loaded ? 0 : load_with(fat, g, load_from_device);
}

int fat_group_need(struct fat_volume *fat, uint32_t c)
{
	struct fat_alloc *a = fat->alloc;
	uint32_t g = fat_group_of(c);
	int err;

	if (atomic_load(&a->groups[g].loaded))
		return 0;
	pthread_mutex_lock(&a->lock);
	err = fat_group_load(fat, g);
	pthread_mutex_unlock(&a->lock);
	return err ? -EIO : 0;
}

int fat_group_bits(struct fat_volume *fat, uint32_t g, struct fat_bits **bits)
{
	struct fat_alloc *a = fat->alloc;
	int err = fat_group_load(fat, g);

	if (!err && a->groups[g].slot == FAT_NO_SLOT)
		err = load_with(fat, g, load_from_cache);
	if (err)
		return err;
	*bits = a->slots[a->groups[g].slot];
	(*bits)->used = ++a->clock;
	return 0;
}

void fat_group_note(struct fat_volume *fat, uint32_t c, uint32_t count, bool is_free)
{
	struct fat_alloc *a = fat->alloc;
	struct fat_group *group = &a->groups[fat_group_of(c)];
	struct fat_bits *bits = group->slot == FAT_NO_SLOT ? NULL : a->slots[group->slot];

	for (uint32_t i = c; bits && i < c + count; i++)
		if (!fat_variant_straddles(a->variant, fat->geo.sector_size, i))
			put_bit(bits, i % FAT_GROUP_CLUSTERS, is_free);
	group->free = is_free ? group->free + count : group->free - count;
	a->free = is_free ? a->free + count : a->free - count;
	a->hint += is_free ? (int64_t)count : -(int64_t)count;
	a->changed = true;
}
