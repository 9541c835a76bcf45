// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fsinfo.c: the FSINFO sector of FAT32: a count of free clusters and where to
 * look first, hints both.
 *
 * Its three signatures and both ranges are checked before any of it is used.
 * The count is kept up to date from there on, believed only with usefree on a
 * volume that was cleanly unmounted, and replaced by the true one once the
 * whole table has been read.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "space.h"

#define MAGIC1	0x41615252u
#define MAGIC2	0x61417272u
#define MAGIC3	0xaa550000u
#define UNKNOWN	0xffffffffu

static bool is_valid(const struct fat_fsinfo *info)
{
	return fat_get32(info->magic1) == MAGIC1 && fat_get32(info->magic2) == MAGIC2 &&
	       fat_get32(info->magic3) == MAGIC3;
}

static void take_hints(struct fat_volume *fat, const struct fat_fsinfo *info)
{
	struct fat_alloc *a = fat->alloc;
	uint32_t free_ = fat_get32(info->free), next = fat_get32(info->next);

	if (free_ <= fat->geo.clusters) {
		a->hinted = true;
		a->hint = free_;
	} else if (free_ != UNKNOWN) {
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "FSINFO counts %u free clusters of %u: not used", free_,
			    fat->geo.clusters);
	}
	if (fat_is_cluster(&fat->geo, next))
		a->next = next;
}

int fat_fsinfo_open(struct fat_volume *fat)
{
	const struct fat_geometry *geo = &fat->geo;
	struct fuseblk_buf *buf;
	const struct fat_fsinfo *info;

	if (geo->bits != 32 || !geo->fsinfo)
		return 0;
	if (fuseblk_buf_get(fat->vol, geo->fsinfo / geo->sector_size, &buf)) {
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "FSINFO cannot be read: it is not used");
		return 0;
	}
	info = (const struct fat_fsinfo *)(buf->data + geo->fsinfo % geo->sector_size);
	if (!is_valid(info)) {
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "FSINFO has no valid signatures: it is neither used nor written");
		fuseblk_buf_put(buf);
		return 0;
	}
	take_hints(fat, info);
	fat->alloc->fsinfo = buf;
	return 0;
}

/* The volume's state is known only after the allocator was opened. */
bool fat_fsinfo_is_believed(const struct fat_volume *fat)
{
	const struct fat_alloc *a = fat->alloc;

	return a->hinted && !fat->was_dirty && a->hint >= 0 && a->hint + (int64_t)a->waiting <= fat->geo.clusters;
}

static uint32_t count_to_store(const struct fat_volume *fat)
{
	const struct fat_alloc *a = fat->alloc;

	if (a->loaded == a->group_count)
		return (uint32_t)a->free;
	return fat_fsinfo_is_believed(fat) ? (uint32_t)a->hint : UNKNOWN;
}

int fat_alloc_store(struct fat_volume *fat)
{
	struct fat_alloc *a = fat->alloc;
	struct fat_le32 both[2];
	size_t at;

	pthread_mutex_lock(&a->lock);
	if (a->fsinfo && a->changed) {
		at = fat->geo.fsinfo % fat->geo.sector_size + offsetof(struct fat_fsinfo, free);
		both[0] = fat_le32(count_to_store(fat));
		both[1] = fat_le32(a->next);
		fuseblk_buf_write(a->fsinfo, FAT_PHASE_FRESH, at, both, sizeof(both));
		a->changed = false;
	}
	pthread_mutex_unlock(&a->lock);
	return 0;
}
