/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name.c: names added, taken away and switched so that every image of the
 * epoch obeys docs/DESIGN.md, "The phases of ext2".
 *
 * Three things are more than one write to an entry:
 *  - A name that was removed in this epoch (a ghost) is still there in the
 *    images before REMOVE.  Adding it again elsewhere would show it twice,
 *    so the old slot is switched (in SWITCH) to the new inode.
 *  - An inode that would be without a name between two phases gets a
 *    temporary one, from ADD to REMOVE, which memory never shows.
 *  - A directory has one name at any time: its old name goes and its new name
 *    comes in SWITCH both, and there are no temporary names for it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

#define TEMP_TRIES 10u

static struct e2_dent dent_of(const struct e2_slot *slot)
{
	return (struct e2_dent){ .off = slot->off, .ino = slot->ino, .type = slot->type };
}

/* Remember that slot @slot, in use, leads to @ino from SWITCH on. Takes @hold. */
static void hold_switch(struct e2_inode *dir, const struct e2_slot *slot, struct e2_hold *hold,
			uint32_t ino, uint8_t type)
{
	struct e2_dent d = dent_of(slot);
	struct e2_past past;

	if (!fuseblk_buf_has_later(slot->buf) ||
	    !e2_held_get(dir->sb, slot->buf->block, slot->off, &past))
		past = (struct e2_past){ { d.ino, d.ino }, { d.type, d.type } };
	past.ino[E2_AT_SWITCH] = ino;
	past.type[E2_AT_SWITCH] = type;
	e2_held_put(dir->sb, hold, slot->buf->block, slot->off, &past);
}

void e2_name_switch(struct e2_inode *dir, const struct e2_slot *slot, struct e2_hold *hold,
		    uint32_t ino, uint8_t type)
{
	hold_switch(dir, slot, hold, ino, type);
	e2_slot_write(dir, slot->buf, slot->lblk, slot->off, E2_SWITCH, ino, type);
}

void e2_name_leave(struct e2_inode *dir, const struct e2_slot *slot, struct e2_hold *hold, bool is_dir)
{
	struct e2_past past;

	if (is_dir) {
		e2_name_switch(dir, slot, hold, 0, 0);
		return;
	}
	if (!e2_held_get(dir->sb, slot->buf->block, slot->off, &past))
		past = (struct e2_past){ { slot->ino, slot->ino }, { slot->type, slot->type } };
	e2_held_put(dir->sb, hold, slot->buf->block, slot->off, &past);
	e2_dir_remove(dir, slot, E2_REMOVE);
}

/* ---- temporary names ------------------------------------------------------------- */

static int add_temp(struct e2_inode *dir, const char *name, size_t len, uint32_t ino, uint8_t type)
{
	struct e2_past past = { { ino, ino }, { type, type } };
	struct e2_hold *hold = e2_hold_new();
	struct e2_gap gap;
	int err = hold ? e2_dir_room(dir, name, len, true, &gap) : -ENOMEM;

	if (err) {
		free(hold);
		return err;
	}
	e2_gap_fill(dir, &gap, name, len, ino, type);
	e2_held_put(dir->sb, hold, gap.buf->block, gap.off, &past);
	e2_slot_write(dir, gap.buf, gap.lblk, gap.off, E2_REMOVE, 0, 0);
	e2_gap_put(&gap);
	return 0;
}

int e2_name_temp(struct e2_inode *dir, uint32_t ino, uint8_t type)
{
	char name[40];
	struct e2_ghost ghost;
	struct e2_slot slot;
	size_t len;
	int err;

	for (unsigned i = 0; i < TEMP_TRIES; i++) {
		len = (size_t)(i ? snprintf(name, sizeof(name), ".fuseblk-%u.%u", ino, i)
				 : snprintf(name, sizeof(name), ".fuseblk-%u", ino));
		err = e2_dir_find(dir, name, len, &slot, &ghost);
		if (!err)
			e2_slot_put(&slot);	/* somebody's file, or left by a crash */
		else if (err != -ENOENT)
			return err;
		else if (!ghost.found)
			return add_temp(dir, name, len, ino, type);
		else if (ghost.past.ino[E2_AT_ADD] == ino && ghost.past.ino[E2_AT_SWITCH] == ino)
			return 0;		/* it has this one already */
	}
	return -FUSEBLK_EAGAIN_COMMIT;
}

/* ---- new names --------------------------------------------------------------------- */

/* Does inode @i of a ghost's past need a temporary name when the slot is switched? 1, 0, or a commit first. */
static int ghost_needs_temp(const struct e2_past *past, unsigned i, const struct e2_newcomer *who)
{
	uint32_t ino = past->ino[i];

	if (!ino || ino == who->ino || (i == E2_AT_SWITCH && ino == past->ino[E2_AT_ADD]))
		return 0;
	if (past->type[i] != E2_FT_DIR && past->type[i] != E2_FT_UNKNOWN)
		return 1;
	if (i == E2_AT_ADD && past->type[i] == E2_FT_DIR && !past->ino[E2_AT_SWITCH])
		return 0;	/* a directory that moved away in SWITCH */
	return -FUSEBLK_EAGAIN_COMMIT;
}

static int check_ghost(struct e2_inode *dir, const struct e2_past *past, const struct e2_newcomer *who)
{
	int err;

	if (who->is_dir && !who->has_name)
		return -FUSEBLK_EAGAIN_COMMIT;	/* a new directory lives before SWITCH and may have one name only */
	if (e2_held_is_full(dir->sb))
		return -FUSEBLK_EAGAIN_COMMIT;
	for (unsigned i = 0; i < 2; i++) {
		err = ghost_needs_temp(past, i, who);
		if (err < 0)
			return err;
	}
	return 0;
}

int e2_place_find(struct e2_inode *dir, const char *name, size_t len, bool reserve,
		  const struct e2_newcomer *who, struct e2_place *place)
{
	struct e2_ghost ghost;
	int err = e2_dir_prepare(dir, reserve);

	*place = (struct e2_place){ .name = name, .len = len };
	if (!err)
		err = e2_dir_find(dir, name, len, &place->slot, &ghost);
	if (!err) {
		e2_slot_put(&place->slot);
		return -EEXIST;
	}
	if (err != -ENOENT)
		return err;
	place->hold = e2_hold_new();
	if (!place->hold)
		return -ENOMEM;
	place->is_ghost = ghost.found;
	place->past = ghost.past;
	err = ghost.found ? check_ghost(dir, &ghost.past, who)
			  : e2_dir_room(dir, name, len, reserve, &place->gap);
	if (err)
		e2_place_drop(place);
	return err;
}

int e2_place_ready(struct e2_inode *dir, struct e2_place *place, const struct e2_newcomer *who)
{
	int err = 0;

	if (!place->is_ghost)
		return 0;
	for (unsigned i = 0; i < 2 && !err; i++)
		if (ghost_needs_temp(&place->past, i, who) > 0)
			err = e2_name_temp(dir, place->past.ino[i], place->past.type[i]);
	if (!err && !who->has_name)
		err = e2_name_temp(dir, who->ino, who->type);
	if (!err)
		err = e2_dir_find_unused(dir, place->name, place->len, &place->slot);
	if (err == -ENOENT)
		err = e2_corrupt(dir->sb, dir->ino, "a removed name is lost");
	return err;
}

/* A gap gets an entry that leads nowhere before SWITCH. */
static void fill_in_switch(struct e2_inode *dir, struct e2_place *place, const struct e2_newcomer *who)
{
	const struct e2_gap *gap = &place->gap;
	struct e2_past past = { { 0, who->ino }, { 0, who->type } };

	e2_gap_fill(dir, gap, place->name, place->len, 0, who->type);
	e2_held_put(dir->sb, place->hold, gap->buf->block, gap->off, &past);
	place->hold = NULL;
	e2_slot_write(dir, gap->buf, gap->lblk, gap->off, E2_SWITCH, who->ino, who->type);
}

void e2_place_fill(struct e2_inode *dir, struct e2_place *place, const struct e2_newcomer *who)
{
	if (place->is_ghost) {
		place->past.ino[E2_AT_SWITCH] = who->ino;
		place->past.type[E2_AT_SWITCH] = who->type;
		e2_held_put(dir->sb, place->hold, place->slot.buf->block, place->slot.off, &place->past);
		place->hold = NULL;
		e2_slot_write(dir, place->slot.buf, place->slot.lblk, place->slot.off, E2_SWITCH,
			      who->ino, who->type);
	} else if (who->is_dir && who->has_name) {
		fill_in_switch(dir, place, who);
	} else {
		e2_gap_fill(dir, &place->gap, place->name, place->len, who->ino, who->type);
	}
}

void e2_place_drop(struct e2_place *place)
{
	e2_gap_put(&place->gap);
	e2_slot_put(&place->slot);
	free(place->hold);
	place->hold = NULL;
}

/* ---- what operations need in common -------------------------------------------------- */

int e2_pins_add(struct e2_pins *pins, struct e2_inode *ei)
{
	int err;

	if (!ei)
		return 0;
	err = e2_inode_pin(ei, &pins->pin[pins->count]);
	if (!err)
		pins->count++;
	return err;
}

void e2_pins_drop(struct e2_pins *pins)
{
	while (pins->count)
		fuseblk_buf_put(pins->pin[--pins->count]);
}

int e2_name_verify(struct e2_inode *dir, const char *name, size_t len, const struct e2_inode *ei,
		   struct e2_slot *slot)
{
	int err = e2_dir_find(dir, name, len, slot, NULL);

	if (!err && slot->ino != ei->ino) {
		e2_slot_put(slot);
		err = -ESTALE;
	}
	return err;
}

int e2_may_have_subdir(const struct e2_inode *dir)
{
	bool unlimited = e2_has_ro(dir->sb, E2_RO_DIR_NLINK) && e2_dir_is_indexed(dir);

	return dir->links >= E2_LINK_MAX && !unlimited ? -EMLINK : 0;
}
