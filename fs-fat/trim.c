// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trim.c: FITRIM: the device is told of every free run of clusters.
 *
 * A cluster that may be given away has no durable reference: it may be
 * discarded.  The allocator is locked while a run is, so that nobody is given
 * it meanwhile.  Bytes count as the kernel's vfat counts them: cluster c is at
 * c times the cluster size.
 */
#include <errno.h>
#include "space.h"

struct trim {
	uint32_t first, end;		/* clusters */
	uint64_t least;			/* shortest run, clusters */
	uint64_t done;			/* clusters */
};

/* Lock held. */
static int trim_bits(struct fat_volume *fat, uint32_t g, struct trim *t)
{
	uint32_t base = g * FAT_GROUP_CLUSTERS, first, end, at;
	struct fat_bits *bits;
	int err = fat_group_bits(fat, g, &bits);

	fat_group_range(fat, g, &first, &end);
	at = (t->first > first ? t->first : first) - base;
	end = (t->end < end ? t->end : end) - base;
	while (!err && at < end) {
		uint32_t from = fat_bits_next(bits, at, end, true);

		at = fat_bits_next(bits, from, end, false);
		if (at == from || at - from < t->least)
			continue;
		err = fuseblk_device_discard(fat->vol, fat_cluster_off(&fat->geo, base + from),
					     (uint64_t)(at - from) << fat->geo.cluster_shift);
		if (!err)
			t->done += at - from;
	}
	return err;
}

static int trim_groups(struct fat_volume *fat, struct trim *t)
{
	struct fat_alloc *a = fat->alloc;
	uint32_t last = fat_group_of(t->end - 1);
	int err = 0;

	for (uint32_t g = fat_group_of(t->first); !err && g <= last; g++) {
		if (fuseblk_interrupted())
			return -EINTR;
		pthread_mutex_lock(&a->lock);
		err = fat_group_load(fat, g);
		if (!err && a->groups[g].free >= t->least)
			err = trim_bits(fat, g, t);
		pthread_mutex_unlock(&a->lock);
		if (!err)
			err = fuseblk_change_pause(fat->vol);
	}
	return err;
}

int fat_trim(struct fuseblk_volume *vol, uint64_t start, uint64_t len, uint64_t minlen, uint64_t *trimmed)
{
	struct fat_volume *fat = fat_of(vol);
	const struct fat_geometry *geo = &fat->geo;
	uint64_t all = (uint64_t)geo->clusters + 2, first = start >> geo->cluster_shift;
	uint64_t end = len > UINT64_MAX - start ? all : (start + len) >> geo->cluster_shift;
	struct trim t = { .least = minlen >> geo->cluster_shift };
	int err;

	if (!fuseblk_can_discard(vol))
		return -EOPNOTSUPP;
	if (first >= all || len < geo->cluster_size || t.least > geo->clusters)
		return -EINVAL;
	t.first = first > 2 ? (uint32_t)first : 2;
	t.end = (uint32_t)(end < all ? end : all);
	if (!t.least)
		t.least = 1;
	err = t.end > t.first ? trim_groups(fat, &t) : 0;
	if (!err)
		*trimmed = t.done << geo->cluster_shift;
	return err;
}
