/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * space.h: what the files of the table and of the allocator share:
 * variant.c, table.c, group.c, alloc.c, freed.c, fsinfo.c, trim.c, super.c.
 *
 * The rule that counts and copies rest on: an entry of the table changes only
 * once its group is loaded.  So what the device holds of a group that is not
 * loaded is what is true, and it may be read past the cache, with its copies.
 */
#ifndef FAT_SPACE_H
#define FAT_SPACE_H

#include <stdatomic.h>
#include "fat.h"

/* ---- variant.c: pure ------------------------------------------------------ */

struct fat_variant {
	unsigned bits;
	uint32_t mask;			/* of an entry's value; its last 8 values end a chain, the one before is bad */
	uint32_t clean, sound;		/* bits of entry 1: cleanly unmounted, no error met; 0: none */
	uint32_t (*offset)(uint32_t c);	/* of entry @c in the table, bytes */
	unsigned span;			/* bytes an entry lies in */
	/* The raw value in the bytes at the entry's offset; put leaves what is not the entry's as it is. */
	uint32_t (*get)(const uint8_t *bytes, uint32_t c);
	void (*put)(uint8_t *bytes, uint32_t c, uint32_t raw);
};
const struct fat_variant *fat_variant(unsigned bits);
/* Between raw values and the normal form of fat.h. */
uint32_t fat_variant_normal(const struct fat_variant *v, const struct fat_geometry *geo, uint32_t raw);
uint32_t fat_variant_raw(const struct fat_variant *v, uint32_t value);
/* Does @c's entry lie in two sectors? */
bool fat_variant_straddles(const struct fat_variant *v, uint32_t sector_size, uint32_t c);

/* ---- table.c ----------------------------------------------------------------- */

/* A place in the table, with its block referenced: cheap to move within one. Starts as zeros. */
struct fat_cursor { struct fuseblk_buf *buf; };

int fat_cursor_get(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t *value);
/* As fat_table_set, of an entry whose group is loaded. */
int fat_cursor_set(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t value, enum fat_phase phase);
/*
 * Set @count entries from @c on in FRESH: free, or (@chain) each leading to
 * the next and the last ending.  Groups loaded.  Returns how many were set,
 * at least one and in order (the last of them ends the chain), or -EIO.
 */
int64_t fat_cursor_fill(struct fat_volume *fat, struct fat_cursor *cur, uint32_t c, uint32_t count, bool chain);
void fat_cursor_end(struct fat_cursor *cur);
/* Make sure that there is something to commit, so that the epoch ends: a byte is written as it is. 0 or -EIO. */
int fat_table_stir(struct fat_volume *fat);
/* Entry 1 says from now on that an error was met. */
int fat_table_set_unsound(struct fat_volume *fat);

/* ---- the allocator -------------------------------------------------------------- */

#define FAT_GROUP_CLUSTERS	16384u
#define FAT_GROUP_SLOTS		64u		/* groups whose free clusters are in memory one by one */
#define FAT_NO_SLOT		0xffu

struct fat_group {
	uint32_t free;			/* entries that are free, where loaded */
	_Atomic bool loaded;
	uint8_t slot;
};

/* Which clusters of a group may be given away. */
struct fat_bits {
	uint32_t group;
	uint64_t used;			/* when last, by alloc->clock */
	uint64_t words[FAT_GROUP_CLUSTERS / 64];
};

struct fat_batch;

struct fat_alloc {
	pthread_mutex_t lock;		/* of all that follows */
	const struct fat_variant *variant;
	struct fat_group *groups;
	uint32_t group_count, loaded;	/* in all; loaded ones */
	struct fat_bits *slots[FAT_GROUP_SLOTS];
	uint64_t clock;
	uint64_t free;			/* in loaded groups */
	uint64_t waiting;		/* freed, not yet free */
	uint32_t next;			/* where to look first */
	bool told;			/* that the copies differ */
	/* FSINFO */
	struct fuseblk_buf *fsinfo;	/* NULL: none, or not valid */
	bool hinted;			/* its count was possible ... */
	int64_t hint;			/* ... and is this now */
	bool changed;			/* since it was written */
	/* freed.c */
	struct fat_batch *batches;	/* oldest first */
	bool unreferenced;		/* what is freed now was never referred to by the device */
};

/* group.c; all but need: lock held. */
uint32_t fat_group_of(uint32_t c);
/* Clusters of group @g: [*first, *end). */
void fat_group_range(const struct fat_volume *fat, uint32_t g, uint32_t *first, uint32_t *end);
/* Have the group counted, its copies compared. 0, -EIO, -ENOMEM. */
int fat_group_load(struct fat_volume *fat, uint32_t g);
/* The same for an entry that is about to change. Takes the lock. */
int fat_group_need(struct fat_volume *fat, uint32_t c);
/* The group's bits, until the lock is dropped. 0, -EIO, -ENOMEM. */
int fat_group_bits(struct fat_volume *fat, uint32_t g, struct fat_bits **bits);
/* Clusters [c, c + count), of one loaded group, became free or used. */
void fat_group_note(struct fat_volume *fat, uint32_t c, uint32_t count, bool is_free);
/* The first bit from @at on that is @set, or @end. */
uint32_t fat_bits_next(const struct fat_bits *bits, uint32_t at, uint32_t end, bool set);

/* alloc.c: as fat_alloc_run of one cluster, whose entry lies in one sector with @c's. -ENOSPC: none. */
int fat_alloc_beside(struct fat_volume *fat, uint32_t c, uint32_t *got);
/* Free clusters, those waiting included, if that is known without reading. */
bool fat_alloc_known(struct fat_volume *fat, uint64_t *free_clusters);

/* freed.c */
void fat_freed_close(struct fat_volume *fat);
/*
 * For ->stop: what is freed from here on was never referred to by the device
 * and is free at once; and free all that waits and is durable. Pauses. 0 or
 * what fuseblk_change_pause() says.
 */
void fat_freed_unreferenced(struct fat_volume *fat, bool on);
int fat_freed_drain(struct fat_volume *fat);

/* chain.c: remember a run of the chain. chain_lock held. */
void fat_chain_learn(struct fat_chain *chain, const struct fat_run *run);

/* fsinfo.c; lock held but for open. */
int fat_fsinfo_open(struct fat_volume *fat);
bool fat_fsinfo_is_believed(const struct fat_volume *fat);

#endif
