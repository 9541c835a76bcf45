/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * disk.h: the on-disk structures of ext2, ext3 and ext4, as little-endian
 * byte types that do not mix with integers by accident.  Layout facts: the
 * kernel's Documentation/filesystems/ext4/ (overview, inodes, directory,
 * checksums), checked against images made by mke2fs.
 */
#ifndef E2_DISK_H
#define E2_DISK_H

#include <stdint.h>

typedef struct { uint8_t b[2]; } e2_le16;
typedef struct { uint8_t b[4]; } e2_le32;

static inline uint16_t e2_get16(e2_le16 v)
{
	return (uint16_t)(v.b[0] | v.b[1] << 8);
}

static inline uint32_t e2_get32(e2_le32 v)
{
	return (uint32_t)v.b[0] | (uint32_t)v.b[1] << 8 |
	       (uint32_t)v.b[2] << 16 | (uint32_t)v.b[3] << 24;
}

static inline e2_le16 e2_put16(uint16_t v)
{
	return (e2_le16){ { (uint8_t)v, (uint8_t)(v >> 8) } };
}

static inline e2_le32 e2_put32(uint32_t v)
{
	return (e2_le32){ { (uint8_t)v, (uint8_t)(v >> 8), (uint8_t)(v >> 16), (uint8_t)(v >> 24) } };
}

#define E2_MAGIC		0xEF53
#define E2_ROOT_INO		2
#define E2_GOOD_OLD_FIRST_INO	11
#define E2_N_BLOCKS		15	/* 12 direct, one each indirect, double, triple */
#define E2_NDIR_BLOCKS		12

/* s_state */
#define E2_VALID_FS		0x0001
#define E2_ERROR_FS		0x0002

/* s_feature_compat */
#define E2_COMPAT_DIR_PREALLOC	0x0001
#define E2_COMPAT_IMAGIC_INODES	0x0002
#define E2_COMPAT_HAS_JOURNAL	0x0004
#define E2_COMPAT_EXT_ATTR	0x0008
#define E2_COMPAT_RESIZE_INODE	0x0010
#define E2_COMPAT_DIR_INDEX	0x0020
#define E2_COMPAT_LAZY_BG	0x0040
#define E2_COMPAT_EXCLUDE_INODE	0x0080
#define E2_COMPAT_EXCLUDE_BITMAP 0x0100
#define E2_COMPAT_SPARSE_SUPER2	0x0200
#define E2_COMPAT_FAST_COMMIT	0x0400
#define E2_COMPAT_STABLE_INODES	0x0800
#define E2_COMPAT_ORPHAN_FILE	0x1000
/* s_feature_ro_compat */
#define E2_RO_SPARSE_SUPER	0x0001
#define E2_RO_LARGE_FILE	0x0002
#define E2_RO_BTREE_DIR		0x0004
#define E2_RO_HUGE_FILE		0x0008
#define E2_RO_GDT_CSUM		0x0010
#define E2_RO_DIR_NLINK		0x0020
#define E2_RO_EXTRA_ISIZE	0x0040
#define E2_RO_HAS_SNAPSHOT	0x0080
#define E2_RO_QUOTA		0x0100
#define E2_RO_BIGALLOC		0x0200
#define E2_RO_METADATA_CSUM	0x0400
#define E2_RO_REPLICA		0x0800
#define E2_RO_READONLY		0x1000
#define E2_RO_PROJECT		0x2000
#define E2_RO_SHARED_BLOCKS	0x4000
#define E2_RO_VERITY		0x8000
#define E2_RO_ORPHAN_PRESENT	0x10000
/* s_feature_incompat */
#define E2_IN_COMPRESSION	0x0001
#define E2_IN_FILETYPE		0x0002
#define E2_IN_RECOVER		0x0004
#define E2_IN_JOURNAL_DEV	0x0008
#define E2_IN_META_BG		0x0010
#define E2_IN_EXTENTS		0x0040
#define E2_IN_64BIT		0x0080
#define E2_IN_MMP		0x0100
#define E2_IN_FLEX_BG		0x0200
#define E2_IN_EA_INODE		0x0400
#define E2_IN_DIRDATA		0x1000
#define E2_IN_CSUM_SEED		0x2000
#define E2_IN_LARGEDIR		0x4000
#define E2_IN_INLINE_DATA	0x8000
#define E2_IN_ENCRYPT		0x10000
#define E2_IN_CASEFOLD		0x20000

/* i_flags */
#define E2_FL_SYNC		0x00000008
#define E2_FL_IMMUTABLE		0x00000010
#define E2_FL_APPEND		0x00000020
#define E2_FL_NODUMP		0x00000040
#define E2_FL_NOATIME		0x00000080
#define E2_FL_ENCRYPT		0x00000800
#define E2_FL_INDEX		0x00001000	/* directory with a hash tree */
#define E2_FL_DIRSYNC		0x00010000
#define E2_FL_TOPDIR		0x00020000
#define E2_FL_HUGE_FILE		0x00040000	/* i_blocks in file system blocks */
#define E2_FL_EXTENTS		0x00080000
#define E2_FL_VERITY		0x00100000
#define E2_FL_EA_INODE		0x00200000
#define E2_FL_INLINE_DATA	0x10000000
#define E2_FL_PROJINHERIT	0x20000000
#define E2_FL_CASEFOLD		0x40000000

/* bg_flags */
#define E2_BG_INODE_UNINIT	0x0001
#define E2_BG_BLOCK_UNINIT	0x0002
#define E2_BG_INODE_ZEROED	0x0004

/* The superblock: 1024 bytes at byte 1024 of the volume, and in its backups. */
struct e2_disk_super {
	e2_le32 s_inodes_count;		/* 0x00 */
	e2_le32 s_blocks_count_lo, s_r_blocks_count_lo, s_free_blocks_count_lo;
	e2_le32 s_free_inodes_count;	/* 0x10 */
	e2_le32 s_first_data_block, s_log_block_size, s_log_cluster_size;
	e2_le32 s_blocks_per_group;	/* 0x20 */
	e2_le32 s_clusters_per_group, s_inodes_per_group, s_mtime;
	e2_le32 s_wtime;		/* 0x30 */
	e2_le16 s_mnt_count, s_max_mnt_count, s_magic, s_state, s_errors, s_minor_rev_level;
	e2_le32 s_lastcheck;		/* 0x40 */
	e2_le32 s_checkinterval, s_creator_os, s_rev_level;
	e2_le16 s_def_resuid, s_def_resgid;	/* 0x50 */
	e2_le32 s_first_ino;
	e2_le16 s_inode_size, s_block_group_nr;
	e2_le32 s_feature_compat;
	e2_le32 s_feature_incompat;	/* 0x60 */
	e2_le32 s_feature_ro_compat;
	uint8_t s_uuid[16];		/* 0x68 */
	uint8_t s_volume_name[16];	/* 0x78 */
	uint8_t s_last_mounted[64];	/* 0x88 */
	e2_le32 s_algorithm_usage_bitmap;	/* 0xc8 */
	uint8_t s_prealloc_blocks, s_prealloc_dir_blocks;
	e2_le16 s_reserved_gdt_blocks;
	uint8_t s_journal_uuid[16];	/* 0xd0 */
	e2_le32 s_journal_inum;		/* 0xe0 */
	e2_le32 s_journal_dev, s_last_orphan, s_hash_seed[4];
	uint8_t s_def_hash_version, s_jnl_backup_type;	/* 0xfc */
	e2_le16 s_desc_size;
	e2_le32 s_default_mount_opts;	/* 0x100 */
	e2_le32 s_first_meta_bg, s_mkfs_time, s_jnl_blocks[17];
	e2_le32 s_blocks_count_hi;	/* 0x150 */
	e2_le32 s_r_blocks_count_hi, s_free_blocks_count_hi;
	e2_le16 s_min_extra_isize, s_want_extra_isize;
	e2_le32 s_flags;		/* 0x160 */
	e2_le16 s_raid_stride, s_mmp_interval;
	e2_le32 s_mmp_block_lo, s_mmp_block_hi;
	e2_le32 s_raid_stripe_width;	/* 0x170 */
	uint8_t s_log_groups_per_flex, s_checksum_type, s_encryption_level, s_reserved_pad;
	e2_le32 s_kbytes_written_lo, s_kbytes_written_hi;
	uint8_t s_snapshot[0x14];	/* 0x180 */
	e2_le32 s_error_count;		/* 0x194 */
	e2_le32 s_first_error_time, s_first_error_ino;
	e2_le32 s_first_error_block_lo, s_first_error_block_hi;	/* 0x1a0 */
	uint8_t s_first_error_func[32];
	e2_le32 s_first_error_line, s_last_error_time;
	e2_le32 s_last_error_ino;	/* 0x1d0 */
	e2_le32 s_last_error_line, s_last_error_block_lo, s_last_error_block_hi;
	uint8_t s_last_error_func[32];	/* 0x1e0 */
	uint8_t s_mount_opts[64];	/* 0x200 */
	e2_le32 s_usr_quota_inum;	/* 0x240 */
	e2_le32 s_grp_quota_inum, s_overhead_clusters, s_backup_bgs[2];
	uint8_t s_encrypt_algos[4];	/* 0x254 */
	uint8_t s_encrypt_pw_salt[16];
	e2_le32 s_lpf_ino;		/* 0x268 */
	e2_le32 s_prj_quota_inum, s_checksum_seed;
	uint8_t s_wtime_hi, s_mtime_hi, s_mkfs_time_hi, s_lastcheck_hi;	/* 0x274 */
	uint8_t s_first_error_time_hi, s_last_error_time_hi, s_first_error_errcode, s_last_error_errcode;
	e2_le16 s_encoding, s_encoding_flags;	/* 0x27c */
	e2_le32 s_orphan_file_inum;	/* 0x280 */
	e2_le32 s_reserved[94];
	e2_le32 s_checksum;		/* 0x3fc */
};
_Static_assert(sizeof(struct e2_disk_super) == 1024, "superblock layout");
_Static_assert(__builtin_offsetof(struct e2_disk_super, s_backup_bgs) == 0x24c, "superblock layout");
_Static_assert(__builtin_offsetof(struct e2_disk_super, s_error_count) == 0x194, "superblock layout");

/* s_default_mount_opts */
#define E2_DEFM_BSDGROUPS	0x0002
#define E2_DEFM_UID16		0x0010
#define E2_DEFM_DISCARD		0x0400
/* s_flags */
#define E2_FLAGS_SIGNED_HASH	0x0001
#define E2_FLAGS_UNSIGNED_HASH	0x0002

/* A block of the orphan file ends with this; before it, inode numbers or 0. */
struct e2_disk_orphan_tail {
	e2_le32 ob_magic;		/* 0x0b10ca04 */
	e2_le32 ob_checksum;
};
#define E2_ORPHAN_MAGIC		0x0b10ca04u

struct e2_disk_inode {
	e2_le16 i_mode;			/* 0x00 */
	e2_le16 i_uid;
	e2_le32 i_size_lo;
	e2_le32 i_atime;
	e2_le32 i_ctime;
	e2_le32 i_mtime;		/* 0x10 */
	e2_le32 i_dtime;
	e2_le16 i_gid;
	e2_le16 i_links_count;
	e2_le32 i_blocks_lo;
	e2_le32 i_flags;		/* 0x20 */
	e2_le32 i_version;
	uint8_t i_block[60];		/* 0x28 */
	e2_le32 i_generation;		/* 0x64 */
	e2_le32 i_file_acl_lo;
	e2_le32 i_size_high;
	e2_le32 i_obso_faddr;		/* 0x70 */
	e2_le16 i_blocks_high;
	e2_le16 i_file_acl_high;
	e2_le16 i_uid_high;
	e2_le16 i_gid_high;
	e2_le16 i_checksum_lo;
	e2_le16 i_reserved;
	e2_le16 i_extra_isize;		/* 0x80, only where the inode is larger than 128 */
	e2_le16 i_checksum_hi;
	e2_le32 i_ctime_extra;
	e2_le32 i_mtime_extra;
	e2_le32 i_atime_extra;
	e2_le32 i_crtime;		/* 0x90 */
	e2_le32 i_crtime_extra;
	e2_le32 i_version_hi;
	e2_le32 i_projid;
};
_Static_assert(sizeof(struct e2_disk_inode) == 160, "inode layout");

struct e2_disk_extent_header {
	e2_le16 eh_magic;		/* 0xF30A */
	e2_le16 eh_entries, eh_max, eh_depth;
	e2_le32 eh_generation;
};
struct e2_disk_extent {
	e2_le32 ee_block;
	e2_le16 ee_len;			/* > 32768: unwritten, len - 32768 */
	e2_le16 ee_start_hi;
	e2_le32 ee_start_lo;
};
struct e2_disk_extent_index {
	e2_le32 ei_block, ei_leaf_lo;
	e2_le16 ei_leaf_hi, ei_unused;
};
_Static_assert(sizeof(struct e2_disk_extent_header) == 12, "extent header layout");
_Static_assert(sizeof(struct e2_disk_extent) == 12, "extent layout");
_Static_assert(sizeof(struct e2_disk_extent_index) == 12, "extent index layout");

struct e2_disk_dirent {
	e2_le32 inode;
	e2_le16 rec_len;
	uint8_t name_len, file_type;	/* file_type is the high byte of name_len without the filetype feature */
	char name[];
};
_Static_assert(sizeof(struct e2_disk_dirent) == 8, "dirent layout");

struct e2_disk_group {			/* 32 bytes, or 64 with 64bit */
	e2_le32 bg_block_bitmap_lo, bg_inode_bitmap_lo, bg_inode_table_lo;
	e2_le16 bg_free_blocks_lo, bg_free_inodes_lo, bg_used_dirs_lo, bg_flags;
	e2_le32 bg_exclude_bitmap_lo;
	e2_le16 bg_block_bitmap_csum_lo, bg_inode_bitmap_csum_lo, bg_itable_unused_lo, bg_checksum;
	e2_le32 bg_block_bitmap_hi, bg_inode_bitmap_hi, bg_inode_table_hi;
	e2_le16 bg_free_blocks_hi, bg_free_inodes_hi, bg_used_dirs_hi, bg_itable_unused_hi;
	e2_le32 bg_exclude_bitmap_hi;
	e2_le16 bg_block_bitmap_csum_hi, bg_inode_bitmap_csum_hi;
	e2_le32 bg_reserved;
};
_Static_assert(sizeof(struct e2_disk_group) == 64, "group descriptor layout");

#endif
