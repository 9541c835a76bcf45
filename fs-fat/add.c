// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * add.c: places for names, and names put there and taken away.
 *
 * Every block that a change touches is read before the first byte is changed,
 * so that a change is made whole or not at all.
 *
 * The end mark: on the device, slots behind it may hold anything.  A name
 * that is put at the end first (FRESH) has the first byte of every slot up to
 * and with the next end cleared, so that nothing old appears behind or, while
 * its slots come one block after the other, within it.  In an epoch where
 * there was something to clear, what would otherwise be FRESH comes after
 * that, in LINK.
 */
#include <errno.h>
#include <string.h>
#include "dir_impl.h"

/* The most blocks that a name, and the slot after it, lie in: 22 slots, 16 to the smallest block. */
#define MOST_BLOCKS 3

struct blocks {
	struct fuseblk_volume *vol;
	uint32_t per_block, first;	/* slots; number of the first block */
	unsigned count;
	struct fuseblk_buf *buf[MOST_BLOCKS];
};

static void drop_blocks(struct blocks *b)
{
	while (b->count)
		fuseblk_buf_put(b->buf[--b->count]);
}

/* The blocks of slots [slot, end). */
static int get_blocks(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, uint32_t end,
		      struct blocks *b)
{
	uint32_t per_block = fat_block_slots(fat_of(vol));
	size_t off;
	int err = 0;

	*b = (struct blocks){ .vol = vol, .per_block = per_block, .first = slot / per_block };
	for (uint32_t at = b->first * per_block; !err && at < end; at += per_block) {
		err = fat_dir_block(vol, dir, at, &b->buf[b->count], &off);
		b->count += !err;
	}
	if (err)
		drop_blocks(b);
	return err;
}

static struct fuseblk_buf *buf_of(const struct blocks *b, uint32_t slot)
{
	return b->buf[slot / b->per_block - b->first];
}

static size_t off_of(const struct blocks *b, uint32_t slot)
{
	return slot % b->per_block * FAT_SLOT_SIZE;
}

static void write_bytes(const struct blocks *b, uint32_t slot, const void *bytes, size_t len, enum fat_phase phase)
{
	struct fat_volume *fat = fat_of(b->vol);

	pthread_rwlock_wrlock(&fat->entry_lock);
	fuseblk_buf_write(buf_of(b, slot), phase, off_of(b, slot), bytes, len);
	pthread_rwlock_unlock(&fat->entry_lock);
}

/* ---- places --------------------------------------------------------------------- */

/* @run zeroed, in FRESH. */
static int clear_run(struct fuseblk_volume *vol, const struct fat_run *run)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	uint64_t block = fat_cluster_off(geo, run->start) / geo->sector_size;
	uint64_t end = block + ((uint64_t)run->count << geo->cluster_shift) / geo->sector_size;
	struct fuseblk_buf *buf;
	int err;

	for (; block < end; block++) {
		err = fuseblk_buf_new(vol, block, &buf);
		if (err)
			return err;
		fuseblk_buf_put(buf);
	}
	return 0;
}

/*
 * Up to @want clusters more.  They are cut off again only if they could not be
 * cleared: a directory that lost something is linked to what is new too late
 * (link_phase() in append.c).
 */
static int grow(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_index *idx, uint32_t want)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	struct fat_run run;
	int err = fat_chain_append(vol, dir, want, &run);

	if (err)
		return err;
	err = clear_run(vol, &run);
	if (err)
		fat_chain_cut(vol, dir, run.index);
	else
		idx->area += (uint32_t)(((uint64_t)run.count << geo->cluster_shift) / FAT_SLOT_SIZE);
	return err;
}

/* Clusters for slots up to @end. */
static int reach(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_index *idx, uint32_t end)
{
	uint32_t per_cluster = fat_of(vol)->geo.cluster_size / FAT_SLOT_SIZE;
	int err = 0;

	if (!idx->area)
		err = fat_dir_slots(vol, dir, &idx->area);
	if (!err && end > idx->area && end > fat_dir_limit(vol, dir))
		err = -ENOSPC;
	while (!err && idx->area < end)
		err = grow(vol, dir, idx, (end - idx->area + per_cluster - 1) / per_cluster);
	return err;
}

static uint32_t room_near(struct fuseblk_volume *vol, struct fat_index *idx, unsigned count, uint32_t near)
{
	uint32_t per_block = fat_block_slots(fat_of(vol)), first;

	if (near == UINT32_MAX)
		return near;
	first = near / per_block * per_block;
	return fat_index_room_in(idx, count, first, first + per_block);
}

int fat_dir_place(struct fuseblk_volume *vol, struct fuseblk_node *dir, unsigned count, uint32_t near, uint32_t *slot)
{
	struct fat_index *idx;
	uint32_t at;
	int err = fat_index_get(vol, dir, &idx);

	if (err)
		return err;
	err = idx->error;
	if (!err) {
		fat_index_settle(idx, fuseblk_epoch(vol));
		at = room_near(vol, idx, count, near);
		if (at == UINT32_MAX)
			at = fat_index_room(idx, count);
		err = reach(vol, dir, idx, at + count);
	}
	if (!err)
		*slot = at;
	fat_index_put(fat_of(vol), idx);
	return err;
}

/* ---- put --------------------------------------------------------------------------- */

struct put {
	struct blocks blocks;
	struct fat_found found;			/* what will be there */
	uint32_t first;				/* slot */
	uint8_t raw[FAT_NAME_SLOTS][FAT_SLOT_SIZE];
};

static void encode(struct fat_volume *fat, const struct fat_name *name, const struct fat_dirent *de, uint32_t slot,
		   struct put *p)
{
	struct fat_long_slot parts[FAT_LONG_SLOTS];
	unsigned n = 0;

	if (!name->is_short)
		n = fat_long_encode(name->units, name->len, fat_short_checksum(de->name), parts);
	memcpy(p->raw, parts, n * FAT_SLOT_SIZE);
	memcpy(p->raw[n], de, FAT_SLOT_SIZE);
	p->first = slot;
	p->found.slot = slot + n;
	p->found.slots = n + 1;
	p->found.de = *de;
	p->found.len = n ? name->len : fat_short_units(fat->names, de->name, de->lcase, p->found.units);
	if (n)
		memcpy(p->found.units, name->units, name->len * sizeof(name->units[0]));
}

/* The phase of what is apart from its short entry and not yet, or no more, part of a name. */
static enum fat_phase apart_phase(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	return fat_node(dir)->cleared_epoch == fuseblk_epoch(vol) ? FAT_PHASE_LINK : FAT_PHASE_FRESH;
}

/* Slots from the old end to the new, if the name comes to the end. */
static void clear_behind(struct put *p, struct fuseblk_node *dir, uint32_t end, uint32_t area)
{
	static const uint8_t zero;

	for (uint32_t slot = end; slot <= p->found.slot + 1 && slot < area; slot++) {
		if (buf_of(&p->blocks, slot)->data[off_of(&p->blocks, slot)] == FAT_NAME_END)
			continue;
		write_bytes(&p->blocks, slot, &zero, 1, FAT_PHASE_FRESH);
		fat_node(dir)->cleared_epoch = fuseblk_epoch(p->blocks.vol);
	}
}

/* Block by block, the one with the short entry in @phase. */
static void write_name(struct put *p, enum fat_phase phase, enum fat_phase apart)
{
	uint32_t per_block = p->blocks.per_block, slot = p->first, past = p->found.slot + 1;

	while (slot < past) {
		uint32_t end = (slot / per_block + 1) * per_block;

		if (end > past)
			end = past;
		write_bytes(&p->blocks, slot, p->raw[slot - p->first], (size_t)(end - slot) * FAT_SLOT_SIZE,
			    end == past ? phase : apart);
		slot = end;
	}
}

int fat_dir_put(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, const struct fat_name *name,
		const struct fat_dirent *de, enum fat_phase phase, uint64_t *pos)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_index *idx;
	struct put p;
	uint32_t past;
	int err = fat_index_get(vol, dir, &idx);

	if (err)
		return err;
	encode(fat, name, de, slot, &p);
	past = p.found.slot + 1;
	err = idx->error ? idx->error : reach(vol, dir, idx, past);
	if (!err)
		err = get_blocks(vol, dir, slot, past < idx->area ? past + 1 : past, &p.blocks);
	if (err)
		goto out;
	p.found.pos = fat_dir_pos(buf_of(&p.blocks, p.found.slot), off_of(&p.blocks, p.found.slot), fat->geo.sector_size);
	if (past > idx->end)
		clear_behind(&p, dir, idx->end, idx->area);
	write_name(&p, phase, apart_phase(vol, dir));
	fat_index_add_name(fat, idx, &p.found);
	fat_parent_note(fat, de, p.found.pos);
	*pos = p.found.pos;
	drop_blocks(&p.blocks);
out:
	fat_index_put(fat, idx);
	return err;
}

/* ---- the 8.3 name --------------------------------------------------------------------- */

struct shorten {
	struct fuseblk_volume *vol;
	struct fuseblk_node *dir;
	bool removed;			/* one that is only on the device stood in the way */
};

static int is_taken(void *ctx, const uint8_t short_name[11])
{
	struct shorten *s = ctx;
	bool removed;
	int taken = fat_dir_short_use(s->vol, s->dir, short_name, &removed);

	if (taken > 0 && removed)
		s->removed = true;
	return taken;
}

int fat_dir_shorten(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_name *name)
{
	struct shorten s = { .vol = vol, .dir = dir };
	int err = fat_name_shorten(fat_of(vol)->names, name, is_taken, &s);

	if ((err == -EEXIST || err == -ENOSPC) && s.removed)
		return -FUSEBLK_EAGAIN_COMMIT;
	return err;
}

/* ---- take, replace ---------------------------------------------------------------------- */

/* Was the entry added in this epoch? Then nothing of it is on the device, and nothing need ever be. */
static bool is_new(const struct blocks *b, uint32_t slot)
{
	uint8_t first;

	fuseblk_buf_read_early(buf_of(b, slot), off_of(b, slot), &first, 1);
	return fat_slot_is_free(&first);
}

static void write_deleted(const struct blocks *b, const struct fat_found *found, enum fat_phase phase,
			  enum fat_phase apart)
{
	static const uint8_t deleted = FAT_NAME_DELETED;
	const struct fuseblk_buf *own = buf_of(b, found->slot);

	for (uint32_t slot = found->slot + 1 - found->slots; slot <= found->slot; slot++)
		write_bytes(b, slot, &deleted, 1, buf_of(b, slot) == own ? phase : apart);
}

static void note_removed(struct fat_volume *fat, struct fuseblk_node *dir, const struct fat_found *found)
{
	struct fat_keys keys;

	fat_keys_of(fat, found, &keys);
	fat_removed_add(fat_node(dir)->removed, &keys);
}

int fat_dir_take_in(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found,
		    enum fat_phase phase)
{
	struct fat_volume *fat = fat_of(vol);
	uint64_t epoch = fuseblk_epoch(vol);
	struct fat_index *idx;
	struct blocks b;
	int err = fat_removed_reserve(&fat_node(dir)->removed, epoch);

	if (!err)
		err = fat_index_get(vol, dir, &idx);
	if (err)
		return err;
	err = get_blocks(vol, dir, found->slot + 1 - found->slots, found->slot + 1, &b);
	if (err)
		goto out;
	if (is_new(&b, found->slot)) {
		write_deleted(&b, found, FAT_PHASE_ADD, apart_phase(vol, dir));
		fat_index_del_name(fat, idx, found, 0);
	} else {
		write_deleted(&b, found, phase, FAT_PHASE_CUT);
		fat_index_del_name(fat, idx, found, epoch);
		note_removed(fat, dir, found);
	}
	fat_parent_forget(fat, &found->de, found->pos);
	drop_blocks(&b);
out:
	fat_index_put(fat, idx);
	return err;
}

int fat_dir_take(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found)
{
	return fat_dir_take_in(vol, dir, found, FAT_PHASE_REMOVE);
}

int fat_dir_replace(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found,
		    const struct fat_dirent *de, enum fat_phase phase)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_index *idx;
	struct blocks b;
	int err = fat_index_get(vol, dir, &idx);

	if (err)
		return err;
	err = get_blocks(vol, dir, found->slot, found->slot + 1, &b);
	if (!err) {
		write_bytes(&b, found->slot, de, sizeof(*de), phase);
		drop_blocks(&b);
		idx->dirs -= (found->de.attr & FAT_ATTR_DIR) != 0;
		idx->dirs += (de->attr & FAT_ATTR_DIR) != 0;
		fat_parent_forget(fat, &found->de, found->pos);
		fat_parent_note(fat, de, found->pos);
	}
	fat_index_put(fat, idx);
	return err;
}
