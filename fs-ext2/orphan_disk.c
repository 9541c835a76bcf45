// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * orphan_disk.c: the orphans' lists on the device, brought up to date at a
 * commit.
 *
 * The linked list goes from s_last_orphan through i_dtime.  What e2fsck -p
 * (1.47.0) repairs unattended was measured: a list that names living or free
 * inodes, or breaks off; not an inode whose i_dtime is an inode number but
 * which the list does not reach.  So the list changes only at its end, by one
 * write of one block at a time, and each later block in a later phase.  Two
 * of them are free in most commits (FRESH and REMOVE); more are used only for
 * orphans that have lasted, and at unmount.  Until they are listed e2fsck
 * finds them by their link count.
 *
 * The orphan file (feature orphan_file) has a slot for each, without order.
 */
#include <stdlib.h>
#include <string.h>
#include "orphan.h"

#define STEPS_LAZY	2u
#define STEPS_OLD	16u
#define STEPS_HASTE	(E2_REMOVE - 1)

/* Writes of list links, in order. */
struct writer {
	struct e2_super *sb;
	uint64_t block;			/* written last; UINT64_MAX: none yet */
	unsigned step, steps;
};

static unsigned phase_of(const struct writer *w)
{
	if (w->steps == STEPS_LAZY)
		return w->step ? E2_REMOVE : E2_FRESH;
	return w->step;
}

/* Make @holder (0: the superblock) lead to @ino. False: not in this commit. */
static bool write_link(struct writer *w, uint32_t holder, uint32_t ino)
{
	uint64_t block = w->sb->sb_block;
	uint32_t offset;

	if (holder)
		e2_inode_place(w->sb, holder, &block, &offset);
	if (w->block != UINT64_MAX && block != w->block)
		w->step++;
	if (w->step >= w->steps)
		return false;
	w->block = block;
	if (!holder)
		e2_super_write32(w->sb, phase_of(w), E2_SB_OFF(s_last_orphan), ino);
	else if (e2_inode_write_dtime(w->sb, holder, phase_of(w), ino))
		return false;
	return true;
}

static uint32_t last_holder(const struct e2_orphans *o)
{
	return o->chained ? o->chain[o->chained - 1]->ino : 0;
}

static void leave(struct e2_orphans *o, struct e2_orphan *e, uint64_t epoch)
{
	e->listed = false;
	e->slot = E2_NO_SLOT;
	e->left_epoch = epoch;
	o->leaving++;
}

static void shorten_chain(struct e2_super *sb, struct e2_orphans *o, struct writer *w)
{
	while (o->chained && o->chain[o->chained - 1]->done) {
		struct e2_orphan *e = o->chain[o->chained - 1];
		uint32_t holder = o->chained > 1 ? o->chain[o->chained - 2]->ino : 0;

		if (!write_link(w, holder, 0))
			return;
		o->chained--;
		leave(o, e, fuseblk_epoch(sb->vol));
	}
}

static int by_ino(const void *a, const void *b)
{
	const struct e2_orphan *x = *(struct e2_orphan *const *)a, *y = *(struct e2_orphan *const *)b;

	return x->ino < y->ino ? -1 : x->ino > y->ino;
}

static bool wants_in(const struct e2_orphan *e)
{
	return !e->listed && !e->done && !e->left_epoch;
}

/* Those that want in, past the end of the chain, by number: they lie in few blocks then. */
static size_t gather(struct e2_orphans *o)
{
	size_t n = 0;

	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		for (struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			if (wants_in(e))
				o->chain[o->chained + n++] = e;
	if (n)
		qsort(o->chain + o->chained, n, sizeof(*o->chain), by_ino);
	return n;
}

static void lengthen_chain(struct e2_orphans *o, struct writer *w)
{
	for (size_t n = gather(o); n; n--) {
		struct e2_orphan *e = o->chain[o->chained];

		if (!write_link(w, last_holder(o), e->ino))
			return;
		e->listed = true;
		o->chained++;
	}
}

static unsigned steps_for(const struct e2_super *sb, const struct e2_orphans *o)
{
	uint64_t epoch = fuseblk_epoch(sb->vol);

	if (o->in_haste)
		return STEPS_HASTE;
	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		for (const struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			if (wants_in(e) && e->epoch < epoch)
				return STEPS_OLD;
	return STEPS_LAZY;
}

/* ---- the orphan file --------------------------------------------------------------- */

static bool write_slot(struct e2_super *sb, struct e2_orphans *o, uint32_t slot, uint32_t ino)
{
	e2_le32 le = e2_put32(ino);
	struct fuseblk_buf *buf;

	if (fuseblk_buf_get(sb->vol, o->file_block[slot / o->slots_per_block], &buf))
		return false;
	fuseblk_buf_set_fixup(buf, e2_orphan_fixup, o->file_tag);
	fuseblk_buf_write(buf, E2_FRESH, slot % o->slots_per_block * sizeof(le), &le, sizeof(le));
	fuseblk_buf_put(buf);
	o->file_ino[slot] = ino;
	return true;
}

static uint32_t free_slot(struct e2_orphans *o)
{
	for (uint32_t n = 0; n < o->file_slots; n++) {
		uint32_t slot = o->next_slot;

		o->next_slot = slot + 1 == o->file_slots ? 0 : slot + 1;
		if (!o->file_ino[slot])
			return slot;
	}
	o->file_full = true;
	return E2_NO_SLOT;
}

static void update_slot(struct e2_super *sb, struct e2_orphans *o, struct e2_orphan *e)
{
	if (e->listed && e->done && e->slot != E2_NO_SLOT) {
		if (!write_slot(sb, o, e->slot, 0))
			return;
		o->file_full = false;
		leave(o, e, fuseblk_epoch(sb->vol));
	} else if (wants_in(e) && !o->file_full) {
		uint32_t slot = free_slot(o);

		if (slot == E2_NO_SLOT || !write_slot(sb, o, slot, e->ino))
			return;
		e->slot = slot;
		e->listed = true;
	}
}

static void update_file(struct e2_super *sb, struct e2_orphans *o)
{
	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		for (struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			update_slot(sb, o, e);
}

void e2_orphans_commit(struct e2_super *sb)
{
	struct e2_orphans *o = sb->orphans;
	struct writer w = { .sb = sb, .block = UINT64_MAX };

	pthread_mutex_lock(&o->lock);
	if (o->count) {
		w.steps = steps_for(sb, o);
		if (o->file_block)
			update_file(sb, o);
		if (!o->chain_closed)
			shorten_chain(sb, o, &w);
		if (!o->chain_closed && !o->file_block)
			lengthen_chain(o, &w);
	}
	pthread_mutex_unlock(&o->lock);
}
