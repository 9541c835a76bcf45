/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * orphan.h: the set of orphans, shared by orphan.c (the set), orphan_disk.c
 * (the lists on the device) and orphan_start.c (the lists found at mount).
 */
#ifndef E2_ORPHAN_H
#define E2_ORPHAN_H

#include "super.h"

#define E2_ORPHAN_BUCKETS	256u
#define E2_NO_SLOT		UINT32_MAX

struct e2_orphan {
	struct e2_orphan *next;
	uint32_t ino;
	uint32_t slot;			/* in the orphan file; E2_NO_SLOT: none, or in the linked list */
	uint64_t epoch;			/* in which it lost its last name */
	uint64_t left_epoch;		/* in which it left the device's list; 0: never was on it, or that is durable */
	uint8_t phase;			/* in which its link count became 0, in that epoch */
	bool is_dir;
	bool listed;			/* on the device */
	bool done;			/* wants to leave: its space is gone, or it lives */
	bool living;			/* done because it has a name again */
};

struct e2_orphans {
	pthread_mutex_t lock;		/* a leaf but for buffer locks; guards all here */
	struct e2_orphan *buckets[E2_ORPHAN_BUCKETS];
	size_t count;			/* entries in all */
	size_t leaving;			/* entries with a left_epoch */
	struct e2_orphan **chain;	/* the linked list as on the device: s_last_orphan's first */
	size_t chained, room;		/* room >= count: a commit needs no memory */
	bool chain_closed;		/* the list on the device is not to be touched */
	uint64_t *file_block;		/* blocks of the orphan file; NULL: none */
	uint32_t *file_ino;		/* its slots */
	uint32_t file_blocks, file_slots, slots_per_block, next_slot;
	uint64_t file_tag;		/* for the fixup */
	bool file_full;
	bool in_haste;			/* take all the phases it needs */
};

struct e2_orphan *e2_orphan_find(struct e2_orphans *o, uint32_t ino);
struct e2_orphan *e2_orphan_insert(struct e2_orphans *o, uint32_t ino);

/* Is there a list that takes another? */
static inline bool e2_orphan_may_list(const struct e2_orphans *o)
{
	return o->file_block ? !o->file_full : !o->chain_closed;
}

#endif
