// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * table.c: the file allocation table through the cache.
 *
 * The table that is read is cached; the library writes each image of its
 * blocks to the copies too, in the same phase.  Entries of FAT16 and FAT32 are
 * aligned bytes of their own, which their chain's owner alone changes.
 * Those of FAT12 share bytes with their neighbours: they are read and changed
 * under entry_lock, and nibble by nibble in FRESH.  A later phase writes the
 * present byte, neighbour included; that this shows nothing too early, changes
 * of different later phases do not meet in one epoch (fat_table_may).
 */
#include <errno.h>
#include <string.h>
#include "space.h"

#define AHEAD_BYTES	8192u		/* of the table, read together */
#define SECTOR_MAX	4096u

static const struct fat_variant *variant_of(const struct fat_volume *fat)
{
	return fat_variant(fat->geo.bits);
}

void fat_cursor_end(struct fat_cursor *cur)
{
	fuseblk_buf_put(cur->buf);
	cur->buf = NULL;
}

/* Get the block with byte @off of the table. */
static int get_block(struct fat_volume *fat, uint64_t off, struct fuseblk_buf **buf)
{
	const struct fat_geometry *geo = &fat->geo;
	uint64_t block = (geo->fat_start + off) / geo->sector_size;
	int err;

	if (off % AHEAD_BYTES < geo->sector_size)
		fuseblk_buf_prefetch(fat->vol, block, AHEAD_BYTES / geo->sector_size);
	err = fuseblk_buf_get(fat->vol, block, buf);
	if (!err)
		fuseblk_buf_set_mirror(*buf, geo->fat_size / geo->sector_size, geo->fat_copies);
	return err == -ENOMEM ? -EIO : err;
}

/* Move to the block with @c's entry (its first byte); @at: its offset there. */
static int move_to(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t *at)
{
	const struct fat_geometry *geo = &fat->geo;
	uint64_t off = variant_of(fat)->offset(c);
	struct fuseblk_buf *buf;
	int err;

	*at = (uint32_t)(off % geo->sector_size);
	if (cur->buf && cur->buf->block == (geo->fat_start + off) / geo->sector_size)
		return 0;
	err = get_block(fat, off, &buf);
	if (err)
		return err;
	fuseblk_buf_put(cur->buf);
	cur->buf = buf;
	return 0;
}

/* ---- FAT12: the two bytes of an entry --------------------------------------------------- */

struct pair {
	struct fuseblk_buf *buf[2];
	uint32_t at[2];
	struct fuseblk_buf *second;	/* ours to put, where they lie in two blocks */
};

static int pair_get(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, struct pair *p)
{
	uint32_t at;
	int err = move_to(fat, cur, c, &at);

	if (err)
		return err;
	*p = (struct pair){ .buf = { cur->buf, cur->buf }, .at = { at, at + 1 } };
	if (at + 1 < fat->geo.sector_size)
		return 0;
	err = get_block(fat, variant_of(fat)->offset(c) + 1, &p->second);
	p->buf[1] = p->second;
	p->at[1] = 0;
	return err;
}

static int get_pair(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t *raw)
{
	uint8_t bytes[2];
	struct pair p;
	int err = pair_get(fat, cur, c, &p);

	if (err)
		return err;
	pthread_rwlock_rdlock(&fat->entry_lock);
	for (int i = 0; i < 2; i++)
		bytes[i] = p.buf[i]->data[p.at[i]];
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(p.second);
	*raw = variant_of(fat)->get(bytes, c);
	return 0;
}

struct nibbles { uint8_t mask, value; };

static void set_nibbles(void *byte, void *arg)
{
	const struct nibbles *n = arg;
	uint8_t *b = byte;

	*b = (uint8_t)((*b & ~n->mask) | n->value);
}

static int set_pair(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t raw, enum fat_phase phase)
{
	uint8_t mask[2] = { 0 }, value[2] = { 0 }, byte;
	struct pair p;
	int err = pair_get(fat, cur, c, &p);

	if (err)
		return err;
	variant_of(fat)->put(mask, c, 0xfff);
	variant_of(fat)->put(value, c, raw);
	pthread_rwlock_wrlock(&fat->entry_lock);
	for (int i = 0; i < 2; i++) {
		struct nibbles n = { mask[i], value[i] };

		byte = p.buf[i]->data[p.at[i]];
		set_nibbles(&byte, &n);
		if (phase == FAT_PHASE_FRESH)
			fuseblk_buf_edit(p.buf[i], p.at[i], 1, set_nibbles, &n);
		else
			fuseblk_buf_write(p.buf[i], phase, p.at[i], &byte, 1);
	}
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(p.second);
	return 0;
}

/* ---- entries ------------------------------------------------------------------------------ */

static int get_raw(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t *raw)
{
	uint32_t at;
	int err;

	if (fat->geo.bits == 12)
		return get_pair(fat, cur, c, raw);
	err = move_to(fat, cur, c, &at);
	if (!err)
		*raw = variant_of(fat)->get(cur->buf->data + at, c);
	return err;
}

static int set_raw(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t raw, enum fat_phase phase)
{
	const struct fat_variant *v = variant_of(fat);
	uint8_t bytes[4];
	uint32_t at;
	int err;

	if (v->bits == 12)
		return set_pair(fat, cur, c, raw, phase);
	err = move_to(fat, cur, c, &at);
	if (err)
		return err;
	memcpy(bytes, cur->buf->data + at, v->span);
	v->put(bytes, c, raw);
	fuseblk_buf_write(cur->buf, phase, at, bytes, v->span);
	return 0;
}

int fat_cursor_get(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t *value)
{
	uint32_t raw;
	int err;

	if (!fat_is_cluster(&fat->geo, c))
		return -EINVAL;
	err = get_raw(fat, cur, c, &raw);
	if (!err)
		*value = fat_variant_normal(variant_of(fat), &fat->geo, raw);
	return err;
}

int fat_cursor_set(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t value, enum fat_phase phase)
{
	if (!fat_is_cluster(&fat->geo, c))
		return -EINVAL;
	return set_raw(fat, cur, c, fat_variant_raw(variant_of(fat), value), phase);
}

static uint32_t fill_value(const struct fat_variant *v, uint32_t c, bool chain, bool last)
{
	if (!chain)
		return FAT_FREE;
	return last ? fat_variant_raw(v, FAT_EOC) : c + 1;
}

/* As many of [c, c + count) as have their entries in one block: returns their number. */
static int64_t fill_block(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t count, bool chain)
{
	const struct fat_variant *v = variant_of(fat);
	uint8_t bytes[SECTOR_MAX];
	uint32_t at, n;
	int err = move_to(fat, cur, c, &at);

	if (err)
		return err;
	n = (fat->geo.sector_size - at) / v->span;
	if (n > count)
		n = count;
	memcpy(bytes, cur->buf->data + at, n * v->span);
	for (uint32_t i = 0; i < n; i++)
		v->put(bytes + i * v->span, c + i, fill_value(v, c + i, chain, i + 1 == count));
	fuseblk_buf_write(cur->buf, FAT_PHASE_FRESH, at, bytes, n * v->span);
	return n;
}

static int64_t fill_some(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t count, bool chain)
{
	int err;

	if (fat->geo.bits != 12)
		return fill_block(fat, cur, c, count, chain);
	err = set_raw(fat, cur, c, fill_value(variant_of(fat), c, chain, count == 1), FAT_PHASE_FRESH);
	return err ? err : 1;
}

int64_t fat_cursor_fill(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t count, bool chain)
{
	uint32_t done = 0;

	while (done < count) {
		int64_t n = fill_some(fat, cur, c + done, count - done, chain);

		if (n < 0 && !done)
			return n;
		if (n < 0) {
			/* cur is still where the last one lies, or (FAT12) in the block before */
			if (chain && set_raw(fat, cur, c + done - 1, fat_variant_raw(variant_of(fat), FAT_EOC),
					     FAT_PHASE_FRESH))
				return n;
			return done;
		}
		done += (uint32_t)n;
	}
	return done;
}

int fat_table_get(struct fat_volume *fat, uint32_t c, uint32_t *value)
{
	struct fat_cursor cur = { 0 };
	int err = fat_cursor_get(fat, &cur, c, value);

	fat_cursor_end(&cur);
	return err;
}

int fat_table_set(struct fat_volume *fat, uint32_t c, uint32_t value, enum fat_phase phase)
{
	struct fat_cursor cur = { 0 };
	int err = fat_is_cluster(&fat->geo, c) ? fat_group_need(fat, c) : -EINVAL;

	if (!err)
		err = fat_cursor_set(fat, &cur, c, value, phase);
	fat_cursor_end(&cur);
	return err;
}

/* ---- phases of FAT12 ------------------------------------------------------------------------ */

/* FSINFO, where there is one, is what such a commit writes anyway. */
int fat_table_stir(struct fat_volume *fat)
{
	struct fuseblk_buf *got = NULL, *buf = fat->alloc->fsinfo;
	uint8_t first;

	if (!buf && (fat_group_need(fat, 2) || get_block(fat, 0, &got)))
		return -EIO;
	if (!buf)
		buf = got;
	pthread_rwlock_wrlock(&fat->entry_lock);
	first = buf->data[0];
	fuseblk_buf_write(buf, FAT_PHASE_FRESH, 0, &first, 1);
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(got);
	return 0;
}

int fat_table_may(struct fat_volume *fat, enum fat_phase phase)
{
	_Atomic uint64_t *const epochs[] = { &fat->link_epoch, &fat->switch_epoch, &fat->cut_epoch };
	uint64_t epoch = fuseblk_epoch(fat->vol);
	unsigned mine = phase == FAT_PHASE_LINK ? 0 : phase == FAT_PHASE_SWITCH ? 1 : 2;
	bool meets = false;

	if (fat->geo.bits != 12 || phase == FAT_PHASE_FRESH)
		return 0;
	pthread_rwlock_wrlock(&fat->entry_lock);
	for (unsigned i = 0; i < 3; i++)
		if (i != mine && *epochs[i] == epoch)
			meets = true;
	if (!meets)
		*epochs[mine] = epoch;
	pthread_rwlock_unlock(&fat->entry_lock);
	if (!meets)
		return 0;
	return fat_table_stir(fat) ? -EIO : -FUSEBLK_EAGAIN_COMMIT;
}

/* ---- entry 1 -------------------------------------------------------------------------------- */

static int change_state(struct fat_volume *fat, uint32_t clear, uint32_t set, enum fat_phase phase)
{
	struct fat_cursor cur = { 0 };
	uint32_t raw;
	int err;

	if (!(clear | set))
		return 0;
	err = fat_group_need(fat, 2);
	if (!err)
		err = get_raw(fat, &cur, 1, &raw);
	if (!err && ((raw & ~clear) | set) != raw)
		err = set_raw(fat, &cur, 1, (raw & ~clear) | set, phase);
	fat_cursor_end(&cur);
	return err;
}

int fat_table_is_clean(struct fat_volume *fat, bool *clean)
{
	const struct fat_variant *v = variant_of(fat);
	struct fat_cursor cur = { 0 };
	uint32_t raw = 0;
	int err = v->clean ? get_raw(fat, &cur, 1, &raw) : 0;

	fat_cursor_end(&cur);
	if (!err)
		*clean = (raw & v->clean) == v->clean;
	return err;
}

/* The clean mark comes after all else of its commit. */
int fat_table_set_clean(struct fat_volume *fat, bool clean)
{
	uint32_t bit = variant_of(fat)->clean;

	return clean ? change_state(fat, 0, bit, FAT_PHASE_REGROW) : change_state(fat, bit, 0, FAT_PHASE_FRESH);
}

int fat_table_set_unsound(struct fat_volume *fat)
{
	return change_state(fat, variant_of(fat)->sound, 0, FAT_PHASE_FRESH);
}
