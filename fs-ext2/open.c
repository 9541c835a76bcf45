// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * open.c: from a device to a volume: read, checked, described; and closed.
 *
 * Nothing is written here.  Whatever keeps the volume from being mounted is
 * said in one line that names it and what to do.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include "super.h"

/* ---- the superblock ---------------------------------------------------------------------- */

static uint64_t super_offset(const struct e2_super *sb)
{
	return sb->options.sb ? sb->options.sb * 1024 : 1024;
}

static int read_super(struct e2_super *sb, struct e2_disk_super *ds)
{
	uint64_t off = super_offset(sb), size = fuseblk_device_size(sb->vol);
	int err;

	if (size < sizeof(*ds) || off > size - sizeof(*ds)) {
		fuseblk_refuse(sb->vol, "the device has only %llu bytes: there is no superblock at byte %llu",
			       (unsigned long long)size, (unsigned long long)off);
		return -EINVAL;
	}
	err = fuseblk_device_read(sb->vol, ds, sizeof(*ds), off);
	if (err) {
		fuseblk_refuse(sb->vol, "cannot read the superblock: %s", strerror(-err));
		return err;
	}
	if (e2_get16(ds->s_magic) != E2_MAGIC) {
		fuseblk_refuse(sb->vol, "this is not ext2, ext3 or ext4: no superblock at byte %llu",
			       (unsigned long long)off);
		return -EINVAL;
	}
	if (e2_get32(ds->s_rev_level) > 1) {
		fuseblk_refuse(sb->vol, "the volume's revision is %u; only 0 and 1 are known",
			       e2_get32(ds->s_rev_level));
		return -EINVAL;
	}
	return 0;
}

static int check_super_csum(struct e2_super *sb, const struct e2_disk_super *ds)
{
	if (!(e2_get32(ds->s_feature_ro_compat) & E2_RO_METADATA_CSUM))
		return 0;
	if (ds->s_checksum_type == 1 && e2_get32(ds->s_checksum) == e2_super_csum(ds))
		return 0;
	fuseblk_refuse(sb->vol, "the superblock's checksum does not match; run e2fsck, or mount with ro,sb= "
		       "and a backup superblock");
	return -EUCLEAN;
}

/* ---- what makes a mount read-only or impossible ------------------------------------------ */

static void set_read_only(struct fuseblk_volume_info *info, const char *why, const char *what)
{
	if (!info->read_only)
		snprintf(info->read_only_reason, sizeof(info->read_only_reason), "%.70s%.80s", why, what);
	info->read_only = true;
}

static int check_features(struct e2_super *sb, const struct e2_disk_super *ds, struct fuseblk_volume_info *info)
{
	char text[120];

	sb->compat = e2_get32(ds->s_feature_compat);
	sb->incompat = e2_get32(ds->s_feature_incompat);
	sb->ro_compat = e2_get32(ds->s_feature_ro_compat);
	switch (e2_features_check(sb->compat, sb->incompat, sb->ro_compat, text, sizeof(text))) {
	case E2_FEATURE_REFUSED:
		fuseblk_refuse(sb->vol, "the volume has features that are not supported: %s; "
			       "mount it with the kernel's ext4 driver", text);
		return -EOPNOTSUPP;
	case E2_FEATURE_RO:
		set_read_only(info, "it has features that are only read here: ", text);
		return 0;
	default:
		return 0;
	}
}

static int check_journal(struct e2_super *sb, const struct e2_validated *v, struct fuseblk_volume_info *info)
{
	if (v->journal_external)
		set_read_only(info, "its journal is on another device", "");
	if (!v->journal_dirty && !e2_has_incompat(sb, E2_IN_RECOVER))
		return 0;
	if (!sb->options.norecovery) {
		fuseblk_refuse(sb->vol, "the journal must be replayed first: run e2fsck -p on the device, or mount "
			       "it with ro,norecovery and without its latest changes");
		return -EUCLEAN;
	}
	set_read_only(info, "its journal was not replayed (norecovery)", "");
	return 0;
}

/* ---- options ------------------------------------------------------------------------------ */

static int take_options(struct e2_super *sb, const struct e2_options *o)
{
	const char *why, *name = e2_options_refused(o, &why);

	if (name) {
		fuseblk_refuse(sb->vol, "mount option %s cannot be honoured: %s", name, why);
		return -EINVAL;
	}
	sb->options = *o;
	memset(sb->options.refused_text, 0, sizeof(sb->options.refused_text));
	if (sb->options.sb == 1)
		sb->options.sb = 0;	/* the usual place */
	return 0;
}

static enum fuseblk_errors errors_policy(const struct e2_options *o, const struct e2_disk_super *ds)
{
	if (o->errors >= 0)
		return (enum fuseblk_errors)o->errors;
	switch (e2_get16(ds->s_errors)) {
	case 1:
		return FUSEBLK_ERRORS_CONTINUE;
	case 3:
		return FUSEBLK_ERRORS_PANIC;
	default:
		return FUSEBLK_ERRORS_REMOUNT_RO;
	}
}

/* What was not said on the command line is as tune2fs -o has set it. */
static void resolve_options(struct e2_super *sb, const struct e2_disk_super *ds)
{
	uint32_t defaults = e2_get32(ds->s_default_mount_opts);
	struct e2_options *o = &sb->options;

	if (o->grpid < 0)
		o->grpid = (defaults & E2_DEFM_BSDGROUPS) != 0;
	if (o->discard < 0)
		o->discard = (defaults & E2_DEFM_DISCARD) != 0;
	if (o->nouid32 < 0)
		o->nouid32 = (defaults & E2_DEFM_UID16) != 0;
	if (o->resuid == UINT64_MAX)
		o->resuid = sb->resuid;
	if (o->resgid == UINT64_MAX)
		o->resgid = sb->resgid;
	fuseblk_set_errors(sb->vol, errors_policy(o, ds));
	fuseblk_set_discard(sb->vol, o->discard != 0);
}

/* ---- open --------------------------------------------------------------------------------- */

/* The superblock, in memory only. */
static int read_volume(struct e2_super *sb, struct e2_disk_super *ds, struct fuseblk_volume_info *info)
{
	int err = read_super(sb, ds);

	if (!err)
		err = check_features(sb, ds, info);
	if (!err)
		err = check_super_csum(sb, ds);
	if (!err)
		err = e2_geometry_read(sb, ds, fuseblk_device_size(sb->vol));
	if (err)
		return err;
	sb->sb_block = super_offset(sb) >> sb->block_bits;
	sb->sb_offset = (uint32_t)(super_offset(sb) & (sb->block_size - 1));
	if (sb->options.sb)
		set_read_only(info, "it is mounted from a backup superblock", "");
	resolve_options(sb, ds);
	return e2_groups_load(sb);
}

static void set_overhead(struct e2_super *sb, const struct e2_disk_super *ds, uint64_t journal_blocks)
{
	uint64_t stored = (uint64_t)e2_get32(ds->s_overhead_clusters) << sb->cluster_bits;

	sb->overhead = stored;
	if (!stored || stored > sb->blocks_count)
		sb->overhead = sb->first_data_block + e2_meta_blocks(sb) + journal_blocks;
}

/* As the kernel on volumes with extents: a fiftieth, at most 4096 clusters, is for nobody but root. */
static void set_reserve(struct e2_super *sb)
{
	uint64_t clusters = (sb->blocks_count >> sb->cluster_bits) / 50;

	if (!e2_has_incompat(sb, E2_IN_EXTENTS))
		return;
	sb->reserved_blocks += (clusters < 4096 ? clusters : 4096) << sb->cluster_bits;
	if (sb->reserved_blocks > sb->blocks_count)
		sb->reserved_blocks = sb->blocks_count;
}

static int make_parts(struct e2_super *sb)
{
	int err = fuseblk_set_block_size(sb->vol, sb->block_size);

	if (!err)
		err = fuseblk_buf_get(sb->vol, sb->sb_block, &sb->sb_buf);
	if (!err)
		err = e2_freed_new(sb);
	if (!err)
		err = e2_orphans_new(sb);
	if (!err)
		err = e2_held_new(sb);
	return err;
}

/* The root must be a living directory with a first block that can hold names. */
static int check_root(struct e2_super *sb, struct fuseblk_volume_info *info)
{
	struct fuseblk_node *root;
	const struct e2_inode *ei;
	uint64_t block = 0;
	int err = fuseblk_node_get(sb->vol, E2_ROOT_INO, &root);

	if (!err) {
		ei = e2_i(root);
		info->root_mode = ei->mode;
		if (!S_ISDIR(ei->mode) || !ei->links)
			err = -EUCLEAN;
		else if (!(ei->flags & E2_FL_INLINE_DATA))
			err = e2_map_block(e2_i(root), 0, &block);
		if (!err && !(ei->flags & E2_FL_INLINE_DATA) && (!ei->size || !e2_block_is_data(sb, block, 1)))
			err = -EUCLEAN;
		fuseblk_node_put(root);
	}
	if (!err)
		return 0;
	fuseblk_refuse(sb->vol, "the root directory (inode %u) cannot be used; run e2fsck", E2_ROOT_INO);
	return err == -EIO || err == -ENOMEM ? err : -EUCLEAN;
}

static void format_uuid(const uint8_t u[16], char *out, size_t size)
{
	snprintf(out, size, "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x",
		 u[0], u[1], u[2], u[3], u[4], u[5], u[6], u[7],
		 u[8], u[9], u[10], u[11], u[12], u[13], u[14], u[15]);
}

static void describe(struct e2_super *sb, const struct e2_disk_super *ds, struct fuseblk_volume_info *info)
{
	info->root_ino = E2_ROOT_INO;
	info->block_size = sb->block_size;
	info->max_file_size = e2_max_file_size(sb, e2_has_incompat(sb, E2_IN_EXTENTS));
	info->time_granularity = sb->inode_size > E2_INODE_FIXED ? 1 : 1000000000;
	info->name_max = 255;
	info->has_acl = sb->options.acl;
	memcpy(info->label, ds->s_volume_name, sizeof(ds->s_volume_name));
	info->label[sizeof(ds->s_volume_name)] = '\0';
	format_uuid(ds->s_uuid, info->uuid, sizeof(info->uuid));
}

static int open_volume(struct e2_super *sb, const struct e2_options *o, struct fuseblk_volume_info *info)
{
	struct e2_disk_super ds;
	struct e2_validated validated;
	uint32_t seed;
	int err = take_options(sb, o);

	if (!err)
		err = read_volume(sb, &ds, info);
	if (!err)
		err = e2_validate(sb, &validated);
	if (!err)
		err = check_journal(sb, &validated, info);
	if (err)
		return err;
	set_overhead(sb, &ds, validated.journal_blocks);
	set_reserve(sb);
	describe(sb, &ds, info);
	if (getrandom(&seed, sizeof(seed), 0) != sizeof(seed))
		seed = (uint32_t)time(NULL);
	atomic_store(&sb->next_generation, seed);
	err = make_parts(sb);
	return err ? err : check_root(sb, info);
}

static void free_super(struct e2_super *sb)
{
	e2_held_free(sb);
	e2_orphans_free(sb);
	e2_freed_free(sb);
	e2_groups_free(sb);
	fuseblk_buf_put(sb->sb_buf);
	pthread_mutex_destroy(&sb->dirty_lock);
	pthread_mutex_destroy(&sb->lib_lock);
	free(sb);
}

int e2_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	struct e2_super *sb = calloc(1, sizeof(*sb));
	int err;

	if (!sb)
		return -ENOMEM;
	sb->vol = vol;
	pthread_mutex_init(&sb->dirty_lock, NULL);
	pthread_mutex_init(&sb->lib_lock, NULL);
	fuseblk_set_private(vol, sb);
	err = open_volume(sb, options, info);
	if (err) {
		free_super(sb);
		fuseblk_set_private(vol, NULL);
	}
	return err;
}

void e2_close(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	if (sb)
		free_super(sb);
	fuseblk_set_private(vol, NULL);
}
