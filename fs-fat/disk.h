/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h: FAT on the disk, as byte-array little-endian types, so that an
 * endian mistake does not compile.
 *
 * Source: Microsoft Extensible Firmware Initiative FAT32 File System
 * Specification 1.03 (fatgen103); the dirty bit of the boot sector as Linux
 * and Windows use it.
 */
#ifndef FAT_DISK_H
#define FAT_DISK_H

#include <stdint.h>

struct fat_le16 { uint8_t b[2]; };
struct fat_le32 { uint8_t b[4]; };

static inline uint16_t fat_get16(struct fat_le16 v)
{
	return (uint16_t)(v.b[0] | v.b[1] << 8);
}

static inline uint32_t fat_get32(struct fat_le32 v)
{
	return v.b[0] | (uint32_t)v.b[1] << 8 | (uint32_t)v.b[2] << 16 | (uint32_t)v.b[3] << 24;
}

static inline struct fat_le16 fat_le16(uint16_t v)
{
	return (struct fat_le16){ { (uint8_t)v, (uint8_t)(v >> 8) } };
}

static inline struct fat_le32 fat_le32(uint32_t v)
{
	return (struct fat_le32){ { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) } };
}

/* The part of the boot sector after the parameters, at 36 (FAT12/16) or 64 (FAT32) */
struct fat_boot_tail {
	uint8_t drive;
	uint8_t state;			/* FAT_STATE_* */
	uint8_t signature;		/* 0x28 or 0x29: what follows is there */
	struct fat_le32 serial;
	uint8_t label[11];
	uint8_t type[8];
};

struct fat_boot {
	uint8_t jump[3];
	uint8_t oem[8];
	struct fat_le16 sector_size;	/* bytes */
	uint8_t cluster_sectors;
	struct fat_le16 reserved;	/* sectors before the first table */
	uint8_t fats;
	struct fat_le16 root_entries;	/* 0: FAT32 */
	struct fat_le16 sectors16;
	uint8_t media;
	struct fat_le16 fat_sectors16;
	struct fat_le16 track_sectors;
	struct fat_le16 heads;
	struct fat_le32 hidden;
	struct fat_le32 sectors32;
	union {
		struct fat_boot_tail tail16;
		struct {
			struct fat_le32 fat_sectors;
			struct fat_le16 flags;		/* FAT32_NO_MIRROR, number of the active table */
			struct fat_le16 version;
			struct fat_le32 root_cluster;
			struct fat_le16 fsinfo;		/* sector */
			struct fat_le16 backup;		/* sector */
			uint8_t unused[12];
			struct fat_boot_tail tail;
		} fat32;
	};
	uint8_t code[420];
	uint8_t magic[2];		/* 0x55 0xaa */
};
_Static_assert(sizeof(struct fat_boot_tail) == 26, "fat_boot_tail");
_Static_assert(sizeof(struct fat_boot) == 512, "fat_boot");

#define FAT_STATE_DIRTY		0x01
#define FAT32_NO_MIRROR		0x0080
#define FAT32_ACTIVE		0x000f

struct fat_fsinfo {
	struct fat_le32 magic1;		/* 0x41615252 */
	uint8_t unused1[480];
	struct fat_le32 magic2;		/* 0x61417272 */
	struct fat_le32 free;		/* clusters, 0xffffffff: unknown */
	struct fat_le32 next;		/* where to look first, 0xffffffff: unknown */
	uint8_t unused2[12];
	struct fat_le32 magic3;		/* 0xaa550000 */
};
_Static_assert(sizeof(struct fat_fsinfo) == 512, "fat_fsinfo");

/* Directory entries */
#define FAT_ATTR_READ_ONLY	0x01
#define FAT_ATTR_HIDDEN		0x02
#define FAT_ATTR_SYSTEM		0x04
#define FAT_ATTR_LABEL		0x08
#define FAT_ATTR_DIR		0x10
#define FAT_ATTR_ARCHIVE	0x20
#define FAT_ATTR_LONG		0x0f	/* a slot of a long name ... */
#define FAT_ATTR_LONG_MASK	0x3f	/* ... by these bits */

#define FAT_NAME_DELETED	0xe5	/* first byte: free */
#define FAT_NAME_END		0x00	/* first byte: free, and all after it */
#define FAT_NAME_E5		0x05	/* first byte stands for 0xe5 */

#define FAT_LCASE_BASE		0x08	/* the base of the 8.3 name is lower case */
#define FAT_LCASE_EXT		0x10

struct fat_dirent {
	uint8_t name[11];
	uint8_t attr;
	uint8_t lcase;
	uint8_t btime_cs;		/* 10 ms, 0..199 */
	struct fat_le16 btime, bdate;
	struct fat_le16 adate;
	struct fat_le16 start_high;	/* FAT32 only */
	struct fat_le16 mtime, mdate;
	struct fat_le16 start;
	struct fat_le32 size;		/* 0 for directories */
};
_Static_assert(sizeof(struct fat_dirent) == 32, "fat_dirent");

#define FAT_LONG_LAST		0x40	/* in seq: the slot with the end of the name, first on disk */
#define FAT_LONG_UNITS		13	/* UTF-16 units a slot */
#define FAT_LONG_MAX		255	/* units in a name */
#define FAT_LONG_SLOTS		20

struct fat_long_slot {
	uint8_t seq;			/* 1..20, | FAT_LONG_LAST */
	struct fat_le16 name1[5];
	uint8_t attr;			/* FAT_ATTR_LONG */
	uint8_t type;			/* 0 */
	uint8_t checksum;		/* of the short name */
	struct fat_le16 name2[6];
	struct fat_le16 start;		/* 0 */
	struct fat_le16 name3[2];
};
_Static_assert(sizeof(struct fat_long_slot) == 32, "fat_long_slot");

#define FAT_SLOT_SIZE		32
#define FAT_DIR_SLOTS		65536u	/* most in one directory */

#endif
