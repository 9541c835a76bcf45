// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rename_spell.c: a rename to another spelling of the same name, or to the
 * entry's own 8.3 alias.
 *
 * Old and new spelling find the same entry, so what a cut leaves of either is
 * good, as long as the short entry is one and keeps its chain: the name changes
 * where it is.  Its 8.3 name stays, but where the new one is an 8.3 name
 * itself.  Only if there is no room for more long slots the entry moves, as
 * any other; with another 8.3 name unless the sector is the same, lest the
 * device have one name twice.
 */
#include <errno.h>
#include <string.h>
#include "rename.h"

/* ---- slots of the index ------------------------------------------------------------------ */

static void set_bits(uint64_t *bits, uint32_t first, uint32_t past, bool on)
{
	for (uint32_t slot = first; slot < past; slot++) {
		uint64_t bit = (uint64_t)1 << (slot % 64);

		bits[slot / 64] = on ? bits[slot / 64] | bit : bits[slot / 64] & ~bit;
	}
}

/* The name's old slots stay taken until the epoch is over, those it still has for longer. */
static void update_index(struct fat_rename *r, struct fat_index *idx)
{
	uint32_t past = r->to.slot + 1;

	fat_index_del_name(r->fat, idx, &r->from, r->epoch);
	fat_index_add_name(r->fat, idx, &r->to);
	if (!idx->error)
		set_bits(idx->freed, past - r->to.slots, past, false);
}

/* ---- in place --------------------------------------------------------------------------------- */

struct spell {
	struct fat_rename *r;
	struct fat_index *idx;
	enum fat_phase phase;			/* of the block of the short entry */
	uint32_t first, past;			/* slots of the old and the new name together */
	struct fuseblk_buf *buf[3];		/* theirs */
	uint8_t raw[FAT_NAME_SLOTS][FAT_SLOT_SIZE];	/* of the new name's slots */
};

static struct fuseblk_buf **buf_of(struct spell *s, uint32_t slot)
{
	uint32_t per_block = fat_block_slots(s->r->fat);

	return &s->buf[slot / per_block - s->first / per_block];
}

static int get_blocks(struct spell *s)
{
	uint32_t per_block = fat_block_slots(s->r->fat);
	size_t off;
	int err = 0;

	for (uint32_t slot = s->first; !err && slot < s->past; slot = (slot / per_block + 1) * per_block)
		err = fat_dir_block(s->r->vol, s->r->dir, slot, buf_of(s, slot), &off);
	return err;
}

static void write_slot(struct spell *s, uint32_t slot, const void *bytes, size_t len, enum fat_phase phase)
{
	size_t off = slot % fat_block_slots(s->r->fat) * FAT_SLOT_SIZE;

	pthread_rwlock_wrlock(&s->r->fat->entry_lock);
	fuseblk_buf_write(*buf_of(s, slot), phase, off, bytes, len);
	pthread_rwlock_unlock(&s->r->fat->entry_lock);
}

/*
 * Slots of the short entry's block change with it.  Those of others: new ones
 * before, old ones after; between, they are a long name that does not fit
 * what follows, or the same in another spelling.
 */
static void write_name(struct spell *s)
{
	static const uint8_t deleted = FAT_NAME_DELETED;
	const struct fat_found *to = &s->r->to;
	uint32_t first = to->slot + 1 - to->slots;
	struct fuseblk_buf *own = *buf_of(s, to->slot);

	for (uint32_t slot = s->first; slot < to->slot; slot++) {
		bool apart = *buf_of(s, slot) != own;

		if (slot < first)
			write_slot(s, slot, &deleted, 1, apart ? FAT_PHASE_CUT : s->phase);
		else
			write_slot(s, slot, s->raw[slot - first], FAT_SLOT_SIZE, apart ? FAT_PHASE_FRESH : s->phase);
	}
	write_slot(s, to->slot, &to->de, offsetof(struct fat_dirent, btime_cs), s->phase);
}

static void encode(struct spell *s)
{
	struct fat_rename *r = s->r;
	struct fat_long_slot parts[FAT_LONG_SLOTS];

	if (!r->name.is_short)
		fat_long_encode(r->name.units, r->name.len, fat_short_checksum(r->to.de.name), parts);
	memcpy(s->raw, parts, (r->to.slots - 1) * sizeof(parts[0]));
}

static int phase_of(struct fat_rename *r, enum fat_phase *phase)
{
	bool is_new;
	int err;

	if (r->n->swap_epoch == r->epoch)
		return -FUSEBLK_EAGAIN_COMMIT;
	err = fat_entry_is_new(r->fat, r->from.pos, &is_new);
	*phase = FAT_PHASE_SWITCH;
	if (!err && is_new && !(r->n->floor_epoch == r->epoch && r->n->floor_phase == FAT_PHASE_SWITCH))
		*phase = FAT_PHASE_ADD;
	return err;
}

static int spell_in_place(struct fat_rename *r, struct fat_index *idx)
{
	struct spell s = { .r = r, .idx = idx, .past = r->to.slot + 1 };
	uint32_t slots = r->to.slots > r->from.slots ? r->to.slots : r->from.slots;
	int err;

	s.first = s.past - slots;
	encode(&s);
	err = phase_of(r, &s.phase);
	if (!err)
		err = get_blocks(&s);
	if (!err)
		err = fat_touch(r->vol, r->dir);
	if (!err) {
		write_name(&s);
		update_index(r, idx);
		fat_node_named(r->n, &r->to.de);
	}
	for (unsigned i = 0; i < 3; i++)
		fuseblk_buf_put(s.buf[i]);
	return err;
}

/* ---- which 8.3 name, and where ---------------------------------------------------------------------- */

static int choose_short(struct fat_rename *r)
{
	struct fat_name *name = &r->name;
	int taken;

	if (!memcmp(name->short_name, r->from.de.name, sizeof(name->short_name)))
		return 0;
	if (name->is_short) {
		taken = fat_dir_has_short(r->vol, r->dir, name->short_name);
		if (taken <= 0)
			return taken;
	}
	name->is_short = false;
	memcpy(name->short_name, r->from.de.name, sizeof(name->short_name));
	return 0;
}

/* The slots it needs are its own and free ones right before. */
static bool fits_in_place(const struct fat_rename *r, struct fat_index *idx)
{
	uint32_t slots = fat_name_slots(&r->name), past = r->from.slot + 1, own = past - r->from.slots;

	if (slots <= r->from.slots)
		return true;
	if (past < slots)
		return false;
	fat_index_settle(idx, r->epoch);
	return fat_index_room_in(idx, slots - r->from.slots, past - slots, own) == past - slots;
}

static int move(struct fat_rename *r)
{
	int err = fat_rename_place(r, r->from.slot);

	if (err)
		return err;
	if (!fat_rename_near(r, r->from.slot, r->to.slot)) {
		r->name.needs_tail = true;
		err = fat_dir_shorten(r->vol, r->dir, &r->name);
		if (!err)
			err = fat_rename_place(r, r->from.slot);
	}
	return err ? err : fat_rename_go(r);
}

static void describe(struct fat_rename *r)
{
	const struct fat_name *name = &r->name;
	struct fat_found *to = &r->to;

	*to = r->from;
	to->slots = fat_name_slots(name);
	memcpy(to->de.name, name->short_name, sizeof(to->de.name));
	to->de.lcase = name->is_short ? name->lcase : 0;
	to->len = name->len;
	if (name->is_short)
		to->len = fat_short_units(r->fat->names, to->de.name, to->de.lcase, to->units);
	else
		memcpy(to->units, name->units, name->len * sizeof(to->units[0]));
}

int fat_rename_spell(struct fat_rename *r)
{
	struct fat_index *idx;
	bool in_place;
	int err = choose_short(r);

	if (!err)
		err = fat_index_get(r->vol, r->dir, &idx);
	if (err)
		return err;
	err = idx->error;
	in_place = !err && fits_in_place(r, idx);
	if (in_place) {
		describe(r);
		err = spell_in_place(r, idx);
	}
	fat_index_put(r->fat, idx);
	return in_place || err ? err : move(r);
}
