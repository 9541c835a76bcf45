// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * alloc.c: giving out clusters.
 *
 * First the place asked for, so that files lie in one piece; else the next
 * run from where the last one ended that is long enough, looked for in a few
 * groups; else the longest met.  What is given out is linked and ended in
 * FRESH.  What was freed in an epoch is free only once that is durable
 * (freed.c), so nothing given out is still referred to by the device.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "space.h"

#define LOOK_GROUPS	8u		/* for a long run, once there is a short one */

struct run { uint32_t start, count; };

int fat_alloc_open(struct fat_volume *fat)
{
	struct fat_alloc *a = calloc(1, sizeof(*a));

	if (!a)
		return -ENOMEM;
	a->variant = fat_variant(fat->geo.bits);
	a->group_count = fat_group_of(fat->geo.clusters + 1) + 1;
	a->groups = calloc(a->group_count, sizeof(*a->groups));
	if (!a->groups) {
		free(a);
		return -ENOMEM;
	}
	for (uint32_t g = 0; g < a->group_count; g++)
		a->groups[g].slot = FAT_NO_SLOT;
	a->next = 2;
	pthread_mutex_init(&a->lock, NULL);
	fat->alloc = a;
	return fat_fsinfo_open(fat);
}

void fat_alloc_close(struct fat_volume *fat)
{
	struct fat_alloc *a = fat->alloc;

	if (!a)
		return;
	fat_freed_close(fat);
	fuseblk_buf_put(a->fsinfo);
	for (unsigned i = 0; i < FAT_GROUP_SLOTS; i++)
		free(a->slots[i]);
	pthread_mutex_destroy(&a->lock);
	free(a->groups);
	free(a);
	fat->alloc = NULL;
}

/* ---- looking; lock held ------------------------------------------------------------------- */

/* Free clusters from @c on, which is in a group that can be read; none: count 0. */
static int run_at(struct fat_volume *fat, uint32_t c, uint32_t want, struct run *run)
{
	uint32_t g = fat_group_of(c), base = g * FAT_GROUP_CLUSTERS, first, end, stop;
	struct fat_bits *bits;
	int err = fat_group_bits(fat, g, &bits);

	if (err)
		return err;
	fat_group_range(fat, g, &first, &end);
	stop = end - c > want ? c + want : end;
	*run = (struct run){ c, base + fat_bits_next(bits, c - base, stop - base, false) - c };
	return 0;
}

/* The first run of @want clusters in [from, end) of group @g, or the longest if that is longer than *best. */
static int run_in_group(struct fat_volume *fat, uint32_t g, uint32_t from, uint32_t want, struct run *best)
{
	uint32_t base = g * FAT_GROUP_CLUSTERS, first, end, at;
	struct fat_bits *bits;
	int err = fat_group_bits(fat, g, &bits);

	if (err)
		return err;
	fat_group_range(fat, g, &first, &end);
	at = (from > first ? from : first) - base;
	end -= base;
	while (best->count < want && (at = fat_bits_next(bits, at, end, true)) < end) {
		uint32_t stop = end - at > want ? at + want : end;
		uint32_t next = fat_bits_next(bits, at, stop, false);

		if (next - at > best->count)
			*best = (struct run){ base + at, next - at };
		at = next;
	}
	return 0;
}

/* Drops the lock between groups, which others wait for while it reads. */
static int look(struct fat_volume *fat, uint32_t want, struct run *best)
{
	struct fat_alloc *a = fat->alloc;
	uint32_t start = fat_group_of(a->next), from = a->next, looked = 0;
	int err = 0, failed = 0;

	if (want > FAT_GROUP_CLUSTERS)
		want = FAT_GROUP_CLUSTERS;
	for (uint32_t i = 0; i <= a->group_count; i++, from = 0) {
		uint32_t g = (start + i) % a->group_count;

		if (a->groups[g].loaded && !a->groups[g].free)
			continue;
		err = run_in_group(fat, g, from, want, best);
		if (err)
			failed = err;
		if (best->count >= want || (best->count && ++looked >= LOOK_GROUPS))
			return 0;
		if (best->count)
			continue;
		pthread_mutex_unlock(&a->lock);
		pthread_mutex_lock(&a->lock);
	}
	if (best->count)
		return 0;
	return failed ? -EIO : -ENOSPC;
}

/* Link and end the run, which may get shorter, and call it used. */
static int take(struct fat_volume *fat, struct run *run)
{
	struct fat_alloc *a = fat->alloc;
	const struct fat_geometry *geo = &fat->geo;
	struct fat_cursor cur = { 0 };
	int64_t n = fat_cursor_fill(fat, &cur, run->start, run->count, true);

	fat_cursor_end(&cur);
	if (n < 0)
		return -EIO;
	run->count = (uint32_t)n;
	fat_group_note(fat, run->start, run->count, false);
	a->next = fat_is_cluster(geo, run->start + run->count) ? run->start + run->count : 2;
	fuseblk_buf_invalidate(fat->vol, fat_cluster_off(geo, run->start) / geo->sector_size,
			       ((uint64_t)run->count << geo->cluster_shift) / geo->sector_size);
	return 0;
}

int fat_alloc_run(struct fat_volume *fat, uint32_t goal, uint32_t want, uint32_t *start, uint32_t *count)
{
	struct run run = { 0 };
	int err = 0;

	pthread_mutex_lock(&fat->alloc->lock);
	if (fat_is_cluster(&fat->geo, goal) && run_at(fat, goal, want, &run))
		run.count = 0;
	if (!run.count)
		err = look(fat, want, &run);
	if (!err)
		err = take(fat, &run);
	pthread_mutex_unlock(&fat->alloc->lock);
	if (err)
		return err;
	*start = run.start;
	*count = run.count;
	return 0;
}

/* A sector holds whole entries but for FAT12's, which are at most half outside. */
int fat_alloc_beside(struct fat_volume *fat, uint32_t c, uint32_t *got)
{
	const struct fat_variant *v = fat->alloc->variant;
	uint32_t size = fat->geo.sector_size, sector = v->offset(c) / size, first, end;
	struct run run = { 0 };
	int err = -ENOSPC;

	fat_group_range(fat, fat_group_of(c), &first, &end);
	while (c > first && v->offset(c - 1) / size == sector)
		c--;
	pthread_mutex_lock(&fat->alloc->lock);
	for (; !run.count && c < end && v->offset(c) / size == sector; c++) {
		err = run_at(fat, c, 1, &run);
		if (err)
			break;
		err = -ENOSPC;
	}
	if (run.count)
		err = take(fat, &run);
	pthread_mutex_unlock(&fat->alloc->lock);
	if (!err)
		*got = run.start;
	return err;
}

/* ---- counting ------------------------------------------------------------------------------- */

bool fat_alloc_known(struct fat_volume *fat, uint64_t *free_clusters)
{
	struct fat_alloc *a = fat->alloc;
	bool known;

	pthread_mutex_lock(&a->lock);
	known = a->loaded == a->group_count;
	if (known)
		*free_clusters = a->free + a->waiting;
	pthread_mutex_unlock(&a->lock);
	return known;
}

int fat_alloc_count(struct fat_volume *fat, uint64_t *free_clusters)
{
	struct fat_alloc *a = fat->alloc;
	bool believed;
	int err = 0;

	if (fat_alloc_known(fat, free_clusters))
		return 0;
	pthread_mutex_lock(&a->lock);
	believed = fat->options->usefree && fat_fsinfo_is_believed(fat);
	if (believed)
		*free_clusters = (uint64_t)a->hint + a->waiting;
	pthread_mutex_unlock(&a->lock);
	if (believed)
		return 0;
	for (uint32_t g = 0; !err && g < a->group_count; g++) {
		if (fuseblk_interrupted())
			return -EINTR;
		pthread_mutex_lock(&a->lock);
		err = fat_group_load(fat, g);
		pthread_mutex_unlock(&a->lock);
	}
	if (!err && !fat_alloc_known(fat, free_clusters))
		err = -EIO;
	return err ? -EIO : 0;
}

/* Groups that were not read count as free where FSINFO says nothing. */
uint64_t fat_alloc_estimate(struct fat_volume *fat)
{
	struct fat_alloc *a = fat->alloc;
	uint64_t all = 0;

	pthread_mutex_lock(&a->lock);
	all = a->free + a->waiting;
	if (a->loaded < a->group_count && fat_fsinfo_is_believed(fat))
		all = (uint64_t)a->hint + a->waiting;
	else if (a->loaded < a->group_count)
		all += (uint64_t)(a->group_count - a->loaded) * FAT_GROUP_CLUSTERS;
	pthread_mutex_unlock(&a->lock);
	return all < fat->geo.clusters ? all : fat->geo.clusters;
}
