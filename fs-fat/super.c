// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * super.c: the volume as a whole: marked in use and clean, commits, space.
 *
 * The mark is in the boot sector, where the kernel and fsck.fat look, and
 * in entry 1 of the table, where others do.  A volume that was found dirty, or
 * on which damage was met, stays marked.
 */
#include <errno.h>
#include <stddef.h>
#include "space.h"

#define NAME_MAX_SHOWN	(FAT_LONG_MAX * 6)	/* what the kernel's vfat answers */

/* The boot sector's mark; floppies without a signature there have code in its place. */
static int set_state(struct fat_volume *fat, bool dirty, enum fat_phase phase)
{
	uint32_t at = fat->geo.tail + (uint32_t)offsetof(struct fat_boot_tail, state);
	struct fuseblk_buf *buf;
	uint8_t state;
	int err;

	if (!fat->geo.has_tail)
		return 0;
	err = fuseblk_buf_get(fat->vol, 0, &buf);
	if (err)
		return err;
	state = buf->data[at] & (uint8_t)~FAT_STATE_DIRTY;
	if (dirty)
		state |= FAT_STATE_DIRTY;
	if (state != buf->data[at])
		fuseblk_buf_write(buf, phase, at, &state, 1);
	fuseblk_buf_put(buf);
	return 0;
}

int fat_start(struct fuseblk_volume *vol)
{
	struct fat_volume *fat = fat_of(vol);
	int err;

	if (fat->was_dirty)
		return 0;
	err = set_state(fat, true, FAT_PHASE_FRESH);
	return err ? err : fat_table_set_clean(fat, false);
}

/* The marks go in the last phase of the last commit. */
static int mark_clean(struct fat_volume *fat)
{
	int err;

	if (fat->was_dirty || atomic_load(&fat->damaged))
		return 0;
	err = fat_table_set_clean(fat, true);
	return err ? err : set_state(fat, false, FAT_PHASE_REGROW);
}

int fat_stop(struct fuseblk_volume *vol)
{
	struct fat_volume *fat = fat_of(vol);
	int err;

	fat_freed_unreferenced(fat, true);
	fat_inos_release_spares(fat, true);
	err = fat_freed_drain(fat);
	fat_freed_unreferenced(fat, false);
	if (!err)
		err = fat_alloc_store(fat);
	return err ? err : mark_clean(fat);
}

int fat_commit(struct fuseblk_volume *vol)
{
	struct fat_volume *fat = fat_of(vol);

	fat_inos_release_spares(fat, false);
	return fat_alloc_store(fat);
}

void fat_durable(struct fuseblk_volume *vol, uint64_t epoch)
{
	fat_alloc_durable(fat_of(vol), epoch);
}

void fat_mark_error(struct fuseblk_volume *vol)
{
	struct fat_volume *fat = fat_of(vol);

	atomic_store(&fat->damaged, true);
	if (set_state(fat, true, FAT_PHASE_FRESH) || fat_table_set_unsound(fat))
		fuseblk_log(vol, FUSEBLK_WARNING, "the volume could not be marked as damaged; run \"fsck.fat -a\"");
}

int fat_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out)
{
	struct fat_volume *fat = fat_of(vol);
	uint64_t free_ = 0;
	int err = fat_alloc_count(fat, &free_);

	if (err)
		return err;
	if (free_ > fat->geo.clusters)
		free_ = fat->geo.clusters;
	*out = (struct fuseblk_statfs){
		.blocks = fat->geo.clusters, .bfree = free_, .bavail = free_,
		.bsize = fat->geo.cluster_size, .frsize = fat->geo.cluster_size, .namelen = NAME_MAX_SHOWN,
	};
	return 0;
}

uint64_t fat_available(struct fuseblk_volume *vol)
{
	struct fat_volume *fat = fat_of(vol);

	return fat_alloc_estimate(fat) << fat->geo.cluster_shift;
}
