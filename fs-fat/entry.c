// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * entry.c: a node's short entry: its start, size, attributes and times.
 *
 * Which phase a field is written in follows from what happened to the node in
 * the open epoch (docs/DESIGN.md, "The phases of FAT").  A node without an
 * entry that is still open has a record with inos.c, which is kept up to date
 * in its place.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include "space.h"

/* ---- the bytes ------------------------------------------------------------------------------- */

uint32_t fat_entry_start(const struct fat_geometry *geo, const struct fat_dirent *de)
{
	uint32_t high = geo->bits == 32 ? fat_get16(de->start_high) : 0;

	return high << 16 | fat_get16(de->start);
}

void fat_entry_put_start(const struct fat_geometry *geo, struct fat_dirent *de, uint32_t start)
{
	de->start = fat_le16((uint16_t)start);
	if (geo->bits == 32)
		de->start_high = fat_le16((uint16_t)(start >> 16));
}

static int get_block(struct fat_volume *fat, uint64_t pos, struct fuseblk_buf **buf, size_t *off)
{
	uint64_t at = pos * FAT_SLOT_SIZE;

	*off = (size_t)(at % fat->geo.sector_size);
	return fuseblk_buf_get(fat->vol, at / fat->geo.sector_size, buf);
}

int fat_entry_read(struct fat_volume *fat, uint64_t pos, struct fat_dirent *de)
{
	struct fuseblk_buf *buf;
	size_t off;
	int err = get_block(fat, pos, &buf, &off);

	if (err)
		return err;
	pthread_rwlock_rdlock(&fat->entry_lock);
	memcpy(de, buf->data + off, sizeof(*de));
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(buf);
	return 0;
}

int fat_entry_is_new(struct fat_volume *fat, uint64_t pos, bool *is_new)
{
	struct fuseblk_buf *buf;
	uint8_t first;
	size_t off;
	int err = get_block(fat, pos, &buf, &off);

	if (err)
		return err;
	fuseblk_buf_read_early(buf, off, &first, 1);
	*is_new = fuseblk_buf_is_fresh(buf) || first == FAT_NAME_END || first == FAT_NAME_DELETED;
	fuseblk_buf_put(buf);
	return 0;
}

/* ---- phases ------------------------------------------------------------------------------------- */

static enum fat_phase at_least(enum fat_phase phase, enum fat_phase floor)
{
	return phase > floor ? phase : floor;
}

static enum fat_phase floor_of(struct fuseblk_volume *vol, const struct fat_node *n)
{
	return n->floor_epoch == fuseblk_epoch(vol) ? (enum fat_phase)n->floor_phase : FAT_PHASE_FRESH;
}

enum fat_phase fat_entry_phase(struct fuseblk_volume *vol, struct fat_node *n, bool grows)
{
	uint64_t epoch = fuseblk_epoch(vol);
	enum fat_phase floor = floor_of(vol, n);

	if (n->fresh_epoch == epoch)
		return at_least(FAT_PHASE_ADD, floor);
	if (!grows)
		return at_least(FAT_PHASE_REMOVE, floor);
	return at_least(n->lost_epoch == epoch ? FAT_PHASE_REGROW : FAT_PHASE_ADD, floor);
}

/*
 * In REMOVE a chain that lost something has the length it had before, of
 * which only what the size was lowered to then may be shown again: a size
 * above that is for when the new links are there.
 */
static enum fat_phase size_phase(struct fuseblk_volume *vol, struct fat_node *n, uint64_t size)
{
	bool lost = n->lost_epoch == fuseblk_epoch(vol) && n->fresh_epoch != n->lost_epoch;

	if (lost && size <= n->lost_size)
		n->lost_size = (uint32_t)size;
	else if (lost)
		return fat_entry_phase(vol, n, true);
	return fat_entry_phase(vol, n, size > n->size);
}

/* ---- changes -------------------------------------------------------------------------------------- */

/* Copy fields [first, end) of @from into the node's entry. */
static int write_fields(struct fat_volume *fat, const struct fat_node *n, enum fat_phase phase,
			const struct fat_dirent *from, size_t first, size_t end)
{
	struct fuseblk_buf *buf;
	size_t off;
	int err = get_block(fat, n->pos, &buf, &off);

	if (err)
		return err == -ENOMEM ? -EIO : err;
	pthread_rwlock_wrlock(&fat->entry_lock);
	fuseblk_buf_write(buf, phase, off + first, (const uint8_t *)from + first, end - first);
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(buf);
	return 0;
}

void fat_node_hold(const struct fat_node *n, struct fat_held *held)
{
	*held = (struct fat_held){
		.start = n->chain.start, .size = n->size, .attr = n->attr, .mdate = n->mdate, .mtime = n->mtime,
		.adate = n->adate, .bdate = n->bdate, .btime = n->btime, .btime_cs = n->btime_cs,
	};
}

static void update_held(struct fat_volume *fat, struct fuseblk_node *node, uint32_t start)
{
	const struct fat_node *n = fat_node(node);
	struct fat_held held;

	if (!n->unlinked)
		return;
	fat_node_hold(n, &held);
	held.start = start;
	fat_ino_update(fat, fuseblk_ino(node), &held);
}

int fat_entry_set_size(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct fat_dirent de = { .size = fat_le32((uint32_t)size) };
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	int err = 0;

	if (n->pos && !n->is_dir)
		err = write_fields(fat, n, size_phase(vol, n, size), &de, offsetof(struct fat_dirent, size), sizeof(de));
	if (err)
		return err;
	n->size = size;
	update_held(fat, node, n->chain.start);
	return 0;
}

/* FAT32: the two halves lie apart; both go in one change. */
static int write_start(struct fat_volume *fat, const struct fat_node *n, enum fat_phase phase,
		       const struct fat_dirent *de, size_t end)
{
	size_t high = offsetof(struct fat_dirent, start_high);
	int err = 0;

	if (fat->geo.bits == 32)
		err = write_fields(fat, n, phase, de, high, high + sizeof(de->start_high));
	return err ? err : write_fields(fat, n, phase, de, offsetof(struct fat_dirent, start), end);
}

int fat_entry_set_start(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t start)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	struct fat_dirent de = { .attr = 0 };
	int err = 0;

	fat_entry_put_start(&fat->geo, &de, start);
	if (n->pos)
		err = write_start(fat, n, fat_entry_phase(vol, n, start != 0), &de, offsetof(struct fat_dirent, size));
	if (!err)
		update_held(fat, node, start);
	return err;
}

int fat_entry_clear(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	enum fat_phase phase = fat_entry_phase(vol, n, false);
	const struct fat_dirent de = { .attr = 0 };
	int err = n->pos ? write_start(fat, n, phase, &de, sizeof(de)) : 0;

	if (err)
		return err;
	n->size = 0;
	update_held(fat, node, 0);
	if (n->fresh_epoch == fuseblk_epoch(vol))
		return 0;
	n->fresh_epoch = n->floor_epoch = fuseblk_epoch(vol);
	n->floor_phase = (uint8_t)phase;
	return 0;
}

int fat_entry_set_meta(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	const struct fat_node *n = fat_node(node);
	struct fat_dirent de = {
		.attr = n->attr, .lcase = n->lcase, .btime_cs = n->btime_cs, .btime = fat_le16(n->btime),
		.bdate = fat_le16(n->bdate), .adate = fat_le16(n->adate), .mtime = fat_le16(n->mtime),
		.mdate = fat_le16(n->mdate),
	};
	enum fat_phase phase = floor_of(vol, n);
	int err = 0;

	if (n->pos)
		err = write_fields(fat, n, phase, &de, offsetof(struct fat_dirent, attr),
				   offsetof(struct fat_dirent, start_high));
	if (!err && n->pos)
		err = write_fields(fat, n, phase, &de, offsetof(struct fat_dirent, mtime),
				   offsetof(struct fat_dirent, start));
	if (!err)
		update_held(fat, node, n->chain.start);
	return err;
}
