// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open.c: from a device to a volume: the boot sector read and checked, the
 * tables of names loaded, everything described; and closed.
 *
 * Nothing is written here, and of the table only entry 1 is read: mounting
 * costs the same on any size of volume.  What keeps the volume from being
 * mounted is said in one line.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "dir.h"

#define ROOT_INO	1u
#define UTF8_BYTES	3u	/* most for one UTF-16 unit */
#define FUSE_NAME_BYTES	1024u	/* what the protocol lets through */
#define FILE_SIZE_MAX	0xffffffffu

static int read_boot(struct fat_volume *fat)
{
	uint64_t size = fuseblk_device_size(fat->vol);
	uint8_t sector[512];
	char why[200];
	int err;

	if (size < sizeof(sector)) {
		fuseblk_refuse(fat->vol, "the device has only %llu bytes: there is no boot sector",
			       (unsigned long long)size);
		return -EINVAL;
	}
	err = fuseblk_device_read(fat->vol, sector, sizeof(sector), 0);
	if (err) {
		fuseblk_refuse(fat->vol, "cannot read the boot sector: %s", strerror(-err));
		return err;
	}
	err = fat_boot_parse(sector, size, fuseblk_sector_size(fat->vol), fat->options->dos1xfloppy,
			     &fat->geo, why, sizeof(why));
	if (err)
		fuseblk_refuse(fat->vol, "%s", why);
	return err;
}

static void free_tables(struct fat_options *o)
{
	fat_names_close(o->names);
	o->names = NULL;
	fat_options_fini(o);
}

/* What comes from files of the system: the zone and the tables of characters. */
int fat_prepare(void *options, char *error, size_t error_size)
{
	struct fat_options *o = options;
	struct fat_name_rules rules;
	int err = fat_options_settle(o, error, error_size);

	if (!err) {
		rules = (struct fat_name_rules){
			.codepage = o->codepage, .iocharset = o->iocharset, .utf8 = o->utf8,
			.uni_xlate = o->uni_xlate, .nonumtail = o->nonumtail,
			.shortname = (enum fat_shortname)o->shortname,
			.case_sensitive = o->check == 2,
		};
		err = fat_names_open(&rules, &o->names, error, error_size);
	}
	if (err)
		free_tables(o);
	return err;
}

static int open_parts(struct fat_volume *fat)
{
	int err = fuseblk_set_block_size(fat->vol, fat->geo.sector_size);

	if (!err)
		err = fat_inos_open(fat);
	if (!err)
		err = fat_indexes_open(fat);
	if (!err)
		err = fat_alloc_open(fat);
	return err;
}

/* A volume that was not unmounted is served, with a warning. */
static int look_for_dirt(struct fat_volume *fat)
{
	bool clean;
	int err = fat_table_is_clean(fat, &clean);

	if (err)
		return err;
	fat->was_dirty = fat->geo.dirty || !clean;
	if (fat->was_dirty)
		fuseblk_log(fat->vol, FUSEBLK_WARNING, "the volume was not properly unmounted, and data may be damaged; "
			    "unmount it and run \"fsck.fat -a\"");
	return 0;
}

static void set_owner(struct fat_options *o)
{
	if (o->uid == UINT64_MAX)
		o->uid = getuid();
	if (o->gid == UINT64_MAX)
		o->gid = getgid();
}

static void set_policies(struct fat_volume *fat)
{
	const struct fat_options *o = fat->options;

	fuseblk_set_errors(fat->vol, o->errors < 0 ? FUSEBLK_ERRORS_REMOUNT_RO : (enum fuseblk_errors)o->errors);
	fuseblk_set_discard(fat->vol, o->discard > 0);
}

static int describe(struct fat_volume *fat, struct fuseblk_volume_info *info)
{
	const struct fat_options *o = fat->options;

	info->root_ino = ROOT_INO;
	info->block_size = fat->geo.sector_size;
	info->io_size = fat->geo.cluster_size;
	info->root_mode = S_IFDIR | (0777 & ~o->dmask);
	info->max_file_size = FILE_SIZE_MAX;
	info->time_granularity = 1000000000;
	info->name_max = o->uni_xlate ? FUSE_NAME_BYTES : FAT_LONG_MAX * UTF8_BYTES;
	info->case_insensitive = true;	/* with check=strict too an 8.3 alias is another spelling */
	info->lazy_start = true;
	info->no_holes = true;
	info->dir_cursors = true;
	info->no_handles = o->nfs != FAT_NFS_NOSTALE_RO;
	info->commit_on_close = o->flush;
	if (o->nfs == FAT_NFS_NOSTALE_RO && !info->read_only) {
		info->read_only = true;
		snprintf(info->read_only_reason, sizeof(info->read_only_reason), "nfs=nostale_ro asks for it");
	}
	if (fat->geo.has_tail)
		snprintf(info->uuid, sizeof(info->uuid), "%04X-%04X", fat->geo.serial >> 16, fat->geo.serial & 0xffff);
	return fat_label_get(fat, info->label, sizeof(info->label));
}

static int open_volume(struct fat_volume *fat, struct fuseblk_volume_info *info)
{
	int err = read_boot(fat);

	if (!err)
		err = open_parts(fat);
	if (!err)
		err = look_for_dirt(fat);
	if (err)
		return err;
	set_owner(fat->options);
	set_policies(fat);
	err = describe(fat, info);
	if (err == -EUCLEAN || err == -EIO)
		fuseblk_refuse(fat->vol, "cannot read the root directory: %s", strerror(-err));
	return err;
}

static void close_volume(struct fat_volume *fat)
{
	fat_alloc_close(fat);
	fat_indexes_close(fat);
	fat_inos_close(fat);
	free_tables(fat->options);
	pthread_rwlock_destroy(&fat->entry_lock);
	free(fat);
}

int fat_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	struct fat_volume *fat = calloc(1, sizeof(*fat));
	int err;

	if (!fat) {
		free_tables(options);
		return -ENOMEM;
	}
	fat->vol = vol;
	fat->options = options;
	fat->names = fat->options->names;
	pthread_rwlock_init(&fat->entry_lock, NULL);
	fuseblk_set_private(vol, fat);
	err = open_volume(fat, info);
	if (err) {
		fuseblk_set_private(vol, NULL);
		close_volume(fat);
	}
	return err;
}

void fat_close(struct fuseblk_volume *vol)
{
	close_volume(fat_of(vol));
}
