// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * super.c: the superblock while the volume is mounted: marks of use and of
 * damage, features, label, and what the library asks for at commits.
 *
 * The superblock's buffer is held as long as the volume is open.  On a
 * read-only mount nothing here writes.  Backups are left alone, as the kernel
 * leaves them.
 */
#include <errno.h>
#include <string.h>
#include <time.h>
#include "super.h"

#define SECONDS_HI(t) ((uint8_t)((uint64_t)(t) >> 32))

/* ---- writing fields --------------------------------------------------------------------- */

void e2_super_write(struct e2_super *sb, unsigned phase, size_t off, const void *src, size_t len)
{
	if (sb->metadata_csum)
		fuseblk_buf_set_fixup(sb->sb_buf, e2_super_fixup, sb->sb_offset);
	fuseblk_buf_write(sb->sb_buf, phase, sb->sb_offset + off, src, len);
}

void e2_super_write32(struct e2_super *sb, unsigned phase, size_t off, uint32_t value)
{
	e2_le32 le = e2_put32(value);

	e2_super_write(sb, phase, off, &le, sizeof(le));
}

void e2_super_write16(struct e2_super *sb, unsigned phase, size_t off, uint16_t value)
{
	e2_le16 le = e2_put16(value);

	e2_super_write(sb, phase, off, &le, sizeof(le));
}

/* A time: its low word at @lo, bits 32 to 39 at @hi. */
static void write_time(struct e2_super *sb, unsigned phase, size_t lo, size_t hi)
{
	time_t now = time(NULL);
	uint8_t high = SECONDS_HI(now);

	e2_super_write32(sb, phase, lo, (uint32_t)now);
	if (e2_get32(e2_disk_super(sb)->s_rev_level))
		e2_super_write(sb, phase, hi, &high, 1);
}

void e2_super_stir(struct e2_super *sb)
{
	write_time(sb, E2_FRESH, E2_SB_OFF(s_wtime), E2_SB_OFF(s_wtime_hi));
}

/* Volumes of revision 0 have no features: they become revision 1 first. */
static void raise_revision(struct e2_super *sb)
{
	if (e2_get32(e2_disk_super(sb)->s_rev_level))
		return;
	fuseblk_log(sb->vol, FUSEBLK_INFO, "raising the volume to revision 1, as a file needs it");
	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_first_ino), E2_GOOD_OLD_FIRST_INO);
	e2_super_write16(sb, E2_FRESH, E2_SB_OFF(s_inode_size), E2_INODE_FIXED);
	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_rev_level), 1);
}

void e2_set_ro_feature(struct e2_super *sb, uint32_t bit)
{
	pthread_mutex_lock(&sb->lib_lock);
	if (!(e2_get32(e2_disk_super(sb)->s_feature_ro_compat) & bit)) {
		raise_revision(sb);
		sb->ro_compat |= bit;
		e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_feature_ro_compat), sb->ro_compat);
	}
	pthread_mutex_unlock(&sb->lib_lock);
}

/* ---- label ------------------------------------------------------------------------------ */

void e2_label_get(struct e2_super *sb, char label[17])
{
	pthread_mutex_lock(&sb->lib_lock);
	memcpy(label, e2_disk_super(sb)->s_volume_name, 16);
	pthread_mutex_unlock(&sb->lib_lock);
	label[16] = '\0';
}

int e2_label_set(struct e2_super *sb, const char *label, size_t len)
{
	uint8_t name[16] = { 0 };

	if (len > sizeof(name))
		return -EINVAL;
	memcpy(name, label, len);
	pthread_mutex_lock(&sb->lib_lock);
	e2_super_write(sb, E2_FRESH, E2_SB_OFF(s_volume_name), name, sizeof(name));
	pthread_mutex_unlock(&sb->lib_lock);
	return 0;
}

/* ---- start and stop ----------------------------------------------------------------------- */

static void warn_of_state(struct e2_super *sb)
{
	const struct e2_disk_super *ds = e2_disk_super(sb);
	int16_t most = (int16_t)e2_get16(ds->s_max_mnt_count);
	uint32_t interval = e2_get32(ds->s_checkinterval);

	if (sb->mount_state & E2_ERROR_FS)
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the volume has errors; run e2fsck");
	else if (!(sb->mount_state & E2_VALID_FS))
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the volume was not unmounted cleanly; run e2fsck");
	else if (most > 0 && e2_get16(ds->s_mnt_count) >= (uint16_t)most)
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the volume was mounted %u times since it was last checked; "
			    "run e2fsck", e2_get16(ds->s_mnt_count));
	else if (interval && (uint64_t)e2_get32(ds->s_lastcheck) + interval < (uint64_t)time(NULL))
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the volume's last check was long ago; run e2fsck");
}

static void mark_used(struct e2_super *sb)
{
	const struct e2_disk_super *ds = e2_disk_super(sb);
	uint16_t most = e2_get16(ds->s_max_mnt_count);

	e2_super_write16(sb, E2_FRESH, E2_SB_OFF(s_state), sb->mount_state & (uint16_t)~E2_VALID_FS);
	if (!most)
		e2_super_write16(sb, E2_FRESH, E2_SB_OFF(s_max_mnt_count), 0xFFFF);
	e2_super_write16(sb, E2_FRESH, E2_SB_OFF(s_mnt_count), (uint16_t)(e2_get16(ds->s_mnt_count) + 1));
	write_time(sb, E2_FRESH, E2_SB_OFF(s_mtime), E2_SB_OFF(s_mtime_hi));
	write_time(sb, E2_FRESH, E2_SB_OFF(s_wtime), E2_SB_OFF(s_wtime_hi));
}

int e2_start(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	if (!sb->started) {
		sb->mount_state = e2_get16(e2_disk_super(sb)->s_state);
		warn_of_state(sb);
		mark_used(sb);
		sb->started = true;
		sb->stop_tries = 0;
	}
	return e2_orphans_start(sb);
}

static void write_counts(struct e2_super *sb)
{
	uint64_t blocks = (uint64_t)atomic_load(&sb->free_blocks);

	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_free_blocks_count_lo), (uint32_t)blocks);
	if (e2_has_incompat(sb, E2_IN_64BIT))
		e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_free_blocks_count_hi), (uint32_t)(blocks >> 32));
	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_free_inodes_count),
			 (uint32_t)atomic_load(&sb->free_inodes));
}

/* Freed things still wait for a commit that makes them free. */
static bool is_draining(struct e2_super *sb)
{
	bool drained = e2_orphans_stop(sb) && atomic_load(&sb->pending_blocks) <= 0 &&
		       atomic_load(&sb->pending_inodes) <= 0;

	return !drained && sb->stop_tries++ < 2;
}

/* The last phase of the last commit: everything else is on the device before it. */
static void mark_clean(struct e2_super *sb)
{
	uint16_t state = e2_get16(e2_disk_super(sb)->s_state);

	if (!e2_orphans_are_safe(sb) || atomic_load(&sb->pending_blocks) > 0 ||
	    atomic_load(&sb->pending_inodes) > 0)
		return;
	if (e2_orphans_are_none(sb) && e2_has_ro(sb, E2_RO_ORPHAN_PRESENT)) {
		sb->ro_compat &= ~E2_RO_ORPHAN_PRESENT;
		e2_super_write32(sb, E2_REMOVE, E2_SB_OFF(s_feature_ro_compat), sb->ro_compat);
	}
	state |= sb->mount_state & E2_VALID_FS;
	e2_super_write16(sb, E2_REMOVE, E2_SB_OFF(s_state), state);
}

int e2_stop(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	if (is_draining(sb)) {
		e2_super_stir(sb);
		return -FUSEBLK_EAGAIN_COMMIT;
	}
	write_counts(sb);
	e2_super_stir(sb);
	mark_clean(sb);
	sb->started = false;
	return 0;
}

/* ---- commits ------------------------------------------------------------------------------ */

int e2_commit(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	e2_orphans_commit(sb);
	e2_groups_commit(sb);
	return 0;
}

void e2_durable(struct fuseblk_volume *vol, uint64_t epoch)
{
	struct e2_super *sb = e2_sb(vol);

	e2_freed_durable(sb, epoch);
	e2_orphans_durable(sb, epoch);
}

/* ---- damage ------------------------------------------------------------------------------- */

static void write_error_details(struct e2_super *sb)
{
	static const uint8_t who[32] = "fuseblk";
	const struct e2_disk_super *ds = e2_disk_super(sb);
	uint32_t count = e2_get32(ds->s_error_count);

	if (!count) {
		write_time(sb, E2_FRESH, E2_SB_OFF(s_first_error_time), E2_SB_OFF(s_first_error_time_hi));
		e2_super_write(sb, E2_FRESH, E2_SB_OFF(s_first_error_func), who, sizeof(who));
	}
	write_time(sb, E2_FRESH, E2_SB_OFF(s_last_error_time), E2_SB_OFF(s_last_error_time_hi));
	e2_super_write(sb, E2_FRESH, E2_SB_OFF(s_last_error_func), who, sizeof(who));
	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_error_count), count + 1);
}

void e2_mark_error(struct fuseblk_volume *vol)
{
	struct e2_super *sb = e2_sb(vol);

	pthread_mutex_lock(&sb->lib_lock);
	e2_super_write16(sb, E2_FRESH, E2_SB_OFF(s_state),
			 e2_get16(e2_disk_super(sb)->s_state) | E2_ERROR_FS);
	if (e2_get32(e2_disk_super(sb)->s_rev_level))
		write_error_details(sb);
	pthread_mutex_unlock(&sb->lib_lock);
}
