// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * boot.c: from the boot sector's bytes to the geometry of the volume.
 *
 * Nothing is assumed of the bytes: every number is checked before it is used,
 * sums are 64 bits wide, and a geometry that comes out of here lies inside
 * the device, area by area: reserved sectors, tables, fixed root directory,
 * clusters.  What is refused is refused with the name of the field and its
 * value.
 *
 * Source: fatgen103; the variant goes by the count of clusters, except that a
 * boot sector whose 16-bit table size is 0 is FAT32 whatever its count,
 * as Linux and mkfs.fat have it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include "fat.h"

#define MAX_CLUSTERS12	4084u
#define MAX_CLUSTERS16	65524u
#define MAX_CLUSTERS32	0x0ffffff5u
#define FORGOTTEN	2u	/* entries: some formatters size the table without its two reserved ones */

struct parse {
	struct fat_boot boot;
	struct fat_geometry *geo;
	uint64_t device_size;
	uint64_t reserved, fat_sectors, root_sectors, data, total;	/* in sectors */
	char *why;
	size_t why_size;
};

static int __attribute__((format(printf, 2, 3))) refuse(struct parse *p, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(p->why, p->why_size, format, args);
	va_end(args);
	return -EINVAL;
}

/* ---- what else it may be ------------------------------------------------ */

static const struct { char oem[9]; const char *what; } strangers[] = {
	{ "EXFAT   ", "an exFAT volume; mount it with the type exfat" },
	{ "NTFS    ", "an NTFS volume; mount it with the type ntfs3 or ntfs-3g" },
	{ "-FVE-FS-", "a volume encrypted with BitLocker; open it with cryptsetup first" },
};

static const char *stranger(const struct fat_boot *b)
{
	for (size_t i = 0; i < sizeof(strangers) / sizeof(strangers[0]); i++)
		if (!memcmp(b->oem, strangers[i].oem, sizeof(b->oem)))
			return strangers[i].what;
	return NULL;
}

#define PARTITIONS_AT	446
#define PARTITION_GPT	0xee

/* mkfs.fat --mbr puts a partition table into a boot sector. */
static bool calls_itself_fat(const struct fat_boot *b)
{
	return !memcmp(b->tail16.type, "FAT", 3) || !memcmp(b->fat32.tail.type, "FAT", 3);
}

/* 0: the sector cannot be a partition table; else the type of its first partition. */
static uint8_t partition_type(const struct fat_boot *b)
{
	const uint8_t *bytes = (const uint8_t *)b;
	uint8_t type = 0;

	if (b->magic[0] != 0x55 || b->magic[1] != 0xaa || calls_itself_fat(b))
		return 0;
	for (unsigned i = 0; i < 4; i++) {
		const uint8_t *row = bytes + PARTITIONS_AT + 16 * i;
		struct fat_le32 start, count;

		memcpy(start.b, row + 8, 4);
		memcpy(count.b, row + 12, 4);
		if (row[0] & 0x7f || (row[4] && (!fat_get32(start) || !fat_get32(count))))
			return 0;
		if (!type)
			type = row[4];
	}
	return type;
}

static bool is_empty(const struct fat_boot *b)
{
	const uint8_t *bytes = (const uint8_t *)b;

	return !bytes[0] && !memcmp(bytes, bytes + 1, sizeof(*b) - 1);
}

/* ---- floppies of DOS 1 ----------------------------------------------------- */

/* The four formats that DOS 1 knew by the media alone. */
static const struct {
	uint16_t sectors, root_entries;
	uint8_t cluster_sectors, fat_sectors, media;
} dos1_floppies[] = {
	{ 320, 64, 1, 1, 0xfe },
	{ 360, 64, 1, 2, 0xfc },
	{ 640, 112, 2, 1, 0xff },
	{ 720, 112, 2, 2, 0xfd },
};

static bool has_no_parameters(const struct fat_boot *b)
{
	static const uint8_t zeros[13];

	return (b->jump[0] == 0xeb || b->jump[0] == 0xe9) &&
	       !memcmp(&b->sector_size, zeros, sizeof(zeros));
}

/* Fill in the parameters that DOS 1 would assume. Was the size one of its own? */
static bool assume_dos1(struct fat_boot *b, uint64_t device_size)
{
	for (size_t i = 0; i < sizeof(dos1_floppies) / sizeof(dos1_floppies[0]); i++) {
		if (device_size != dos1_floppies[i].sectors * 512u)
			continue;
		memset(&b->sector_size, 0, sizeof(*b) - offsetof(struct fat_boot, sector_size));
		b->sector_size = fat_le16(512);
		b->cluster_sectors = dos1_floppies[i].cluster_sectors;
		b->reserved = fat_le16(1);
		b->fats = 2;
		b->root_entries = fat_le16(dos1_floppies[i].root_entries);
		b->sectors16 = fat_le16(dos1_floppies[i].sectors);
		b->media = dos1_floppies[i].media;
		b->fat_sectors16 = fat_le16(dos1_floppies[i].fat_sectors);
		return true;
	}
	return false;
}

static int take_dos1(struct parse *p, bool dos1x)
{
	struct fat_boot assumed = p->boot;

	if (!has_no_parameters(&p->boot))
		return 0;
	if (!assume_dos1(&assumed, p->device_size)) {
		if (!dos1x)
			return 0;
		return refuse(p, "the boot sector has no parameters, and %llu bytes is no floppy of DOS 1 (160, 180, 320 or 360 KiB)",
			      (unsigned long long)p->device_size);
	}
	if (!dos1x)
		return refuse(p, "the boot sector has no parameters; if it is a floppy of DOS 1, mount it with dos1xfloppy");
	p->boot = assumed;
	return 0;
}

/* ---- the fields, one by one -------------------------------------------------- */

static bool is_power_of_two(uint32_t v)
{
	return v && !(v & (v - 1));
}

static int check_sectors(struct parse *p, uint32_t device_sector)
{
	uint32_t size = fat_get16(p->boot.sector_size), per_cluster = p->boot.cluster_sectors;

	if (!is_power_of_two(size) || size < 512 || size > 4096)
		return refuse(p, "the boot sector's bytes per sector is %u, which is not 512, 1024, 2048 or 4096", size);
	if (size < device_sector)
		return refuse(p, "the volume has sectors of %u bytes, the device has sectors of %u: copy it to an image file and mount that",
			      size, device_sector);
	if (!is_power_of_two(per_cluster))
		return refuse(p, "the boot sector's sectors per cluster is %u, which is no power of two", per_cluster);
	p->geo->sector_size = size;
	p->geo->cluster_size = size * per_cluster;
	p->geo->cluster_shift = (unsigned)__builtin_ctz(p->geo->cluster_size);
	return 0;
}

/* 0xf0 and 0xf8 up are the media that exist; some cameras leave 0. */
static int check_media(struct parse *p)
{
	uint8_t media = p->boot.media;

	if (media == 0xf0 || media >= 0xf8)
		return 0;
	if (!media && p->boot.magic[0] == 0x55 && p->boot.magic[1] == 0xaa)
		return 0;
	return refuse(p, "the boot sector's media byte is 0x%02x, which is not 0xf0 or 0xf8 to 0xff", media);
}

static int check_tables(struct parse *p)
{
	const struct fat_boot *b = &p->boot;

	p->reserved = fat_get16(b->reserved);
	p->fat_sectors = fat_get16(b->fat_sectors16);
	if (!p->reserved)
		return refuse(p, "the boot sector's number of reserved sectors is 0; the boot sector itself is one");
	if (!b->fats)
		return refuse(p, "the boot sector's number of file allocation tables is 0");
	if (!p->fat_sectors) {
		p->fat_sectors = fat_get32(b->fat32.fat_sectors);
		p->geo->bits = 32;
	}
	if (!p->fat_sectors)
		return refuse(p, "the boot sector's size of a file allocation table is 0, in both of its fields");
	return 0;
}

static int check_root(struct parse *p)
{
	uint32_t entries = fat_get16(p->boot.root_entries), size = p->geo->sector_size;

	if (!entries && p->geo->bits != 32)
		return refuse(p, "the boot sector's number of root directory entries is 0, and its table is not FAT32's");
	/* mkfs.fat makes ones that end inside a sector; the area is whole sectors. */
	p->root_sectors = (entries * FAT_SLOT_SIZE + size - 1) / size;
	return 0;
}

static int check_total(struct parse *p)
{
	uint32_t size = p->geo->sector_size;

	p->total = fat_get16(p->boot.sectors16);
	if (!p->total)
		p->total = fat_get32(p->boot.sectors32);
	if (!p->total)
		return refuse(p, "the boot sector's total number of sectors is 0, in both of its fields");
	p->data = p->reserved + p->boot.fats * p->fat_sectors + p->root_sectors;
	if (p->total < p->data + p->boot.cluster_sectors)
		return refuse(p, "the boot sector's total number of sectors is %llu, but tables and directories alone fill %llu",
			      (unsigned long long)p->total, (unsigned long long)p->data);
	if (p->total * size > p->device_size)
		return refuse(p, "truncated: the volume has %llu bytes (%llu sectors of %u), the device has %llu: restore its whole size",
			      (unsigned long long)p->total * size, (unsigned long long)p->total, size,
			      (unsigned long long)p->device_size);
	return 0;
}

/* ---- the clusters ------------------------------------------------------------- */

/* Entries that a table has room for. */
static uint64_t table_entries(const struct parse *p)
{
	return p->fat_sectors * p->geo->sector_size * 8 / p->geo->bits;
}

static int check_clusters(struct parse *p)
{
	struct fat_geometry *geo = p->geo;
	uint64_t clusters = (p->total - p->data) / p->boot.cluster_sectors, entries, max;

	if (!geo->bits)
		geo->bits = clusters <= MAX_CLUSTERS12 ? 12 : 16;
	max = geo->bits == 32 ? MAX_CLUSTERS32 : MAX_CLUSTERS16;
	if (clusters > max)
		return refuse(p, "the boot sector's numbers make %llu clusters, but FAT%u has at most %llu",
			      (unsigned long long)clusters, geo->bits, (unsigned long long)max);
	entries = table_entries(p);
	if (clusters + 2 > entries + FORGOTTEN || entries <= 2)
		return refuse(p, "the boot sector's size of a file allocation table is %llu sectors, with room for %llu clusters; the volume has %llu",
			      (unsigned long long)p->fat_sectors, (unsigned long long)(entries > 2 ? entries - 2 : 0),
			      (unsigned long long)clusters);
	geo->clusters = (uint32_t)(clusters + 2 > entries ? entries - 2 : clusters);
	return 0;
}

/* A sector among the reserved ones, as bytes; 0: none. */
static uint64_t reserved_sector(const struct parse *p, uint32_t sector)
{
	return sector < p->reserved ? (uint64_t)sector * p->geo->sector_size : 0;
}

static int check_fat32(struct parse *p, unsigned *active)
{
	const struct fat_boot *b = &p->boot;
	uint32_t flags = fat_get16(b->fat32.flags), version = fat_get16(b->fat32.version);
	uint32_t root = fat_get32(b->fat32.root_cluster), fsinfo = fat_get16(b->fat32.fsinfo);

	if (version)
		return refuse(p, "the boot sector's version of FAT32 is %u.%u, and only 0.0 is known", version >> 8,
			      version & 0xff);
	if (root < 2 || root - 2 >= p->geo->clusters)
		return refuse(p, "the boot sector's first cluster of the root directory is %u, which is not 2 to %u", root,
			      p->geo->clusters + 1);
	if (flags & FAT32_NO_MIRROR) {
		*active = flags & FAT32_ACTIVE;
		if (*active >= b->fats)
			return refuse(p, "the boot sector's active table is number %u, but there are only %u",
				      *active, b->fats);
		p->geo->fat_copies = 0;
	}
	p->geo->root_cluster = root;
	p->geo->fsinfo = reserved_sector(p, fsinfo ? fsinfo : 1);
	p->geo->backup = reserved_sector(p, fat_get16(b->fat32.backup));
	return 0;
}

static void take_areas(struct parse *p, unsigned active)
{
	struct fat_geometry *geo = p->geo;
	uint64_t size = geo->sector_size;

	geo->fat_size = p->fat_sectors * size;
	geo->fat_start = p->reserved * size + active * geo->fat_size;
	geo->data_start = p->data * size;
	geo->volume_size = p->total * size;
	if (geo->bits == 32)
		return;
	geo->root_start = geo->data_start - p->root_sectors * size;
	geo->root_slots = fat_get16(p->boot.root_entries);
}

/* What the boot sector says beside the geometry; boot code lies there where the signature is not. */
static void take_tail(struct parse *p)
{
	const struct fat_boot *b = &p->boot;
	const struct fat_boot_tail *tail = p->geo->bits == 32 ? &b->fat32.tail : &b->tail16;

	p->geo->tail = (uint32_t)((const uint8_t *)tail - (const uint8_t *)b);
	p->geo->media = b->media;
	memset(p->geo->label, ' ', sizeof(p->geo->label));
	p->geo->has_tail = tail->signature == 0x28 || tail->signature == 0x29;
	if (!p->geo->has_tail)
		return;
	p->geo->serial = fat_get32(tail->serial);
	p->geo->dirty = tail->state & FAT_STATE_DIRTY;
	if (tail->signature == 0x29)
		memcpy(p->geo->label, tail->label, sizeof(p->geo->label));
}

static int parse(struct parse *p, uint32_t device_sector)
{
	unsigned active = 0;
	int err;

	if ((err = check_sectors(p, device_sector)) || (err = check_media(p)) || (err = check_tables(p)) ||
	    (err = check_root(p)) || (err = check_total(p)) || (err = check_clusters(p)))
		return err;
	p->geo->fat_copies = p->boot.fats - 1u;
	if (p->geo->bits == 32 && (err = check_fat32(p, &active)))
		return err;
	take_areas(p, active);
	take_tail(p);
	return 0;
}

int fat_boot_parse(const uint8_t sector[512], uint64_t device_size, uint32_t device_sector, bool dos1x,
		   struct fat_geometry *geo, char *why, size_t why_size)
{
	struct parse p = { .geo = geo, .device_size = device_size, .why = why, .why_size = why_size };
	const char *other;
	uint8_t type;
	int err;

	memcpy(&p.boot, sector, sizeof(p.boot));
	memset(geo, 0, sizeof(*geo));
	other = stranger(&p.boot);
	if (other)
		return refuse(&p, "this is %s", other);
	if (is_empty(&p.boot))
		return refuse(&p, "there is no filesystem: the first sector is empty");
	err = take_dos1(&p, dos1x);
	if (!err)
		err = parse(&p, device_sector);
	if (!err)
		return 0;
	type = partition_type(&p.boot);
	if (type)
		return refuse(&p, "this is a%s partition table, not a filesystem: mount a partition, or use partition=N",
			      type == PARTITION_GPT ? " GPT" : "n MBR");
	return err;
}
