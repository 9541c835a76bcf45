// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * geometry.c: the numbers of a superblock, read and bounded.
 *
 * Every later computation relies on what is checked here: no division by
 * zero, no shift past a word, no group, inode or block number that does not
 * fit its type, no array larger than the device could justify.
 */
#include <errno.h>
#include <string.h>
#include "super.h"

#define MIN_BLOCKS_PER_GROUP	256u	/* as mke2fs */
#define MAX_GROUPS		(1u << 21)

static int damaged(struct e2_super *sb, const char *what, uint64_t value)
{
	fuseblk_refuse(sb->vol, "the superblock is damaged: %s is %llu; run e2fsck, or mount with "
		       "ro,sb= and a backup superblock", what, (unsigned long long)value);
	return -EUCLEAN;
}

static uint64_t join(e2_le32 lo, e2_le32 hi, bool use_hi)
{
	return e2_get32(lo) | (use_hi ? (uint64_t)e2_get32(hi) << 32 : 0);
}

static int read_blocks(struct e2_super *sb, const struct e2_disk_super *ds, uint64_t device_size)
{
	bool is_64 = e2_has_incompat(sb, E2_IN_64BIT), bigalloc = e2_has_ro(sb, E2_RO_BIGALLOC);
	uint32_t log = e2_get32(ds->s_log_block_size), log_cluster = e2_get32(ds->s_log_cluster_size);

	if (log > 6)
		return damaged(sb, "the block size (a power of two)", log);
	sb->block_bits = log + 10;
	sb->block_size = 1024u << log;
	if (bigalloc && (log_cluster < log || log_cluster > 19))
		return damaged(sb, "the cluster size (a power of two)", log_cluster);
	sb->cluster_bits = bigalloc ? log_cluster - log : 0;
	sb->first_data_block = e2_get32(ds->s_first_data_block);
	if (sb->first_data_block != (log == 0 ? 1u : 0u) &&
	    !(bigalloc && log == 0 && sb->first_data_block == 0))
		return damaged(sb, "the first data block", sb->first_data_block);
	sb->blocks_count = join(ds->s_blocks_count_lo, ds->s_blocks_count_hi, is_64);
	sb->reserved_blocks = join(ds->s_r_blocks_count_lo, ds->s_r_blocks_count_hi, is_64);
	if (sb->blocks_count <= sb->first_data_block + 1u || sb->blocks_count >> 48)
		return damaged(sb, "the number of blocks", sb->blocks_count);
	if (sb->reserved_blocks > sb->blocks_count)
		return damaged(sb, "the number of reserved blocks", sb->reserved_blocks);
	if (device_size >> sb->block_bits < sb->blocks_count) {
		fuseblk_refuse(sb->vol, "the volume has %llu blocks of %u bytes, but the device holds only %llu; "
			       "it was cut short: restore its size, or run e2fsck",
			       (unsigned long long)sb->blocks_count, sb->block_size,
			       (unsigned long long)(device_size >> sb->block_bits));
		return -EUCLEAN;
	}
	return 0;
}

static int read_groups(struct e2_super *sb, const struct e2_disk_super *ds)
{
	uint64_t groups, most = (uint64_t)sb->block_size * 8;

	sb->blocks_per_group = e2_get32(ds->s_blocks_per_group);
	if (sb->blocks_per_group < MIN_BLOCKS_PER_GROUP || sb->blocks_per_group % 8 ||
	    sb->blocks_per_group > most << sb->cluster_bits ||
	    sb->blocks_per_group & ((1u << sb->cluster_bits) - 1))
		return damaged(sb, "the number of blocks per group", sb->blocks_per_group);
	if (sb->cluster_bits && (e2_get32(ds->s_clusters_per_group) > most ||
				 (uint64_t)e2_get32(ds->s_clusters_per_group) << sb->cluster_bits !=
				 sb->blocks_per_group))
		return damaged(sb, "the number of clusters per group", e2_get32(ds->s_clusters_per_group));
	groups = (sb->blocks_count - sb->first_data_block + sb->blocks_per_group - 1) / sb->blocks_per_group;
	if (groups > MAX_GROUPS)
		return damaged(sb, "the number of groups", groups);
	sb->groups_count = (uint32_t)groups;
	return 0;
}

static int read_desc(struct e2_super *sb, const struct e2_disk_super *ds)
{
	uint32_t size = e2_get16(ds->s_desc_size);

	sb->desc_size = 32;
	if (e2_has_incompat(sb, E2_IN_64BIT)) {
		if (size < 64 || size > 1024 || size & (size - 1))
			return damaged(sb, "the size of a group descriptor", size);
		sb->desc_size = size;
	}
	sb->desc_per_block = sb->block_size / sb->desc_size;
	sb->desc_blocks = (sb->groups_count + sb->desc_per_block - 1) / sb->desc_per_block;
	sb->first_meta_bg = sb->desc_blocks;
	if (e2_has_incompat(sb, E2_IN_META_BG))
		sb->first_meta_bg = e2_get32(ds->s_first_meta_bg);
	if (sb->first_meta_bg > sb->desc_blocks)
		return damaged(sb, "the first meta block group", sb->first_meta_bg);
	sb->reserved_gdt = e2_get16(ds->s_reserved_gdt_blocks);
	if (sb->reserved_gdt > sb->block_size / 4)
		return damaged(sb, "the number of reserved descriptor blocks", sb->reserved_gdt);
	if (1ull + sb->first_meta_bg + sb->reserved_gdt >= sb->blocks_per_group)
		return damaged(sb, "the number of descriptor blocks", sb->first_meta_bg);
	for (int i = 0; i < 2; i++)
		sb->backup_groups[i] = e2_get32(ds->s_backup_bgs[i]);
	return 0;
}

static int read_inodes(struct e2_super *sb, const struct e2_disk_super *ds)
{
	bool old = e2_get32(ds->s_rev_level) == 0;
	uint32_t extra = e2_get16(ds->s_want_extra_isize);

	sb->inode_size = old ? E2_INODE_FIXED : e2_get16(ds->s_inode_size);
	if (sb->inode_size < E2_INODE_FIXED || sb->inode_size > sb->block_size ||
	    sb->inode_size & (sb->inode_size - 1))
		return damaged(sb, "the size of an inode", sb->inode_size);
	sb->inodes_per_block = sb->block_size / sb->inode_size;
	sb->inodes_per_group = e2_get32(ds->s_inodes_per_group);
	if (sb->inodes_per_group < sb->inodes_per_block || sb->inodes_per_group > sb->block_size * 8 ||
	    sb->inodes_per_group % 8)
		return damaged(sb, "the number of inodes per group", sb->inodes_per_group);
	sb->itable_blocks = (sb->inodes_per_group + sb->inodes_per_block - 1) / sb->inodes_per_block;
	sb->inodes_count = e2_get32(ds->s_inodes_count);
	if ((uint64_t)sb->inodes_per_group * sb->groups_count != sb->inodes_count)
		return damaged(sb, "the number of inodes", sb->inodes_count);
	sb->first_ino = old ? E2_GOOD_OLD_FIRST_INO : e2_get32(ds->s_first_ino);
	if (sb->first_ino < E2_GOOD_OLD_FIRST_INO || sb->first_ino >= sb->inodes_per_group)
		return damaged(sb, "the first usable inode", sb->first_ino);
	sb->want_extra_isize = 0;
	if (sb->inode_size > E2_INODE_FIXED)
		sb->want_extra_isize = extra >= 32 && extra % 4 == 0 && extra <= sb->inode_size - E2_INODE_FIXED ?
				       extra : 32;
	return 0;
}

static void read_identity(struct e2_super *sb, const struct e2_disk_super *ds)
{
	memcpy(sb->uuid, ds->s_uuid, sizeof(sb->uuid));
	sb->metadata_csum = e2_has_ro(sb, E2_RO_METADATA_CSUM);
	sb->gdt_csum = sb->metadata_csum || e2_has_ro(sb, E2_RO_GDT_CSUM);
	sb->csum_seed = e2_has_incompat(sb, E2_IN_CSUM_SEED) ? e2_get32(ds->s_checksum_seed) :
			e2_crc32c(~0u, sb->uuid, sizeof(sb->uuid));
	for (int i = 0; i < 4; i++)
		sb->hash_seed[i] = e2_get32(ds->s_hash_seed[i]);
	sb->def_hash_version = ds->s_def_hash_version <= 2 ? ds->s_def_hash_version : 1;
	sb->hash_unsigned = (e2_get32(ds->s_flags) & E2_FLAGS_UNSIGNED_HASH) != 0;
	sb->resuid = e2_get16(ds->s_def_resuid);
	sb->resgid = e2_get16(ds->s_def_resgid);
}

int e2_geometry_read(struct e2_super *sb, const struct e2_disk_super *ds, uint64_t device_size)
{
	int err = read_blocks(sb, ds, device_size);

	if (!err)
		err = read_groups(sb, ds);
	if (!err)
		err = read_desc(sb, ds);
	if (!err)
		err = read_inodes(sb, ds);
	if (!err)
		read_identity(sb, ds);
	return err;
}
