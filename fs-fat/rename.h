/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * rename.h: what the files of rename share.  See docs/DESIGN.md, "A rename
 * moves the one reference to a chain".
 *
 *   rename.c        what is asked for: checks, names, in which way
 *   rename_plan.c   how the chain gets to its new entry: ways and phases
 *   rename_copy.c   clusters copied, and chains that are split for a while
 *   rename_move.c   the entries and nodes change; nothing fails half way
 *   rename_spell.c  the same entry in another spelling
 *   rename_swap.c   two entries change places
 */
#ifndef FAT_RENAME_H
#define FAT_RENAME_H

#include "dir_impl.h"
#include "inode.h"
#include "space.h"

/* How the new entry comes to the chain while the old one has it. */
enum fat_way {
	FAT_WAY_SHARE,		/* it names the same chain: one write, or never two at a time, or both for a while */
	FAT_WAY_FRESH,		/* the device does not know the chain yet: the old entry never gets it */
	FAT_WAY_COPY,		/* it names a copy */
	FAT_WAY_SPLIT,		/* it names a copy of the first clusters, which in one write gets the rest */
};

/* A chain whose first clusters have copies: one write of a sector of the table moves the rest. */
struct fat_split {
	struct fat_cursor cur;		/* holds that sector */
	uint32_t start, end;		/* of the copies */
	uint32_t old_end, rest;		/* the last cluster that was copied, and what follows it */
	uint32_t count;			/* of copies */
};

struct fat_rename {
	struct fuseblk_volume *vol;
	struct fat_volume *fat;
	struct fuseblk_node *dir, *newdir, *node, *target;	/* target NULL: the new name is free */
	struct fat_node *n, *t;
	uint64_t epoch;
	struct fat_found from, to;	/* to: of the target; else what the new name will be, its pos once it is there */
	struct fat_name name;		/* the new name where there is no target, with its short name settled */
	uint32_t slot;			/* ... and its first slot */
	enum fat_way way;
	enum fat_phase phase, gone;	/* of the new entry, of the removal of the old one */
	uint32_t start;			/* what the new entry leads to */
	struct fat_split split;
	struct fuseblk_buf *old;	/* block of the old entry */
};

/* rename.c */
/* A place for r->name, and what will be there, in r->to. 0, errors of fat_dir_place(). */
int fat_rename_place(struct fat_rename *r, uint32_t near);
/* Plan, prepare and move, once names and places are settled. */
int fat_rename_go(struct fat_rename *r);

/* rename_plan.c: way, phases; clusters. 0, -FUSEBLK_EAGAIN_COMMIT, errors; nothing that is seen has changed. */
int fat_rename_plan(struct fat_rename *r);
/* What the plan allocated is not used after all. */
void fat_rename_unplan(struct fat_rename *r);
/* Is the entry at @slot of @dir in one block with @other of @otherdir? */
bool fat_rename_near(const struct fat_rename *r, uint32_t slot, uint32_t other);

/* rename_copy.c */
/* Copy the first @count clusters of @node to a new chain. 0 with *start (0: no clusters), or an error: nothing is left. */
int fat_clusters_copy(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t count, uint32_t *start);
/* Copies and the place to split. -ENOSPC: there is none; -FUSEBLK_EAGAIN_COMMIT; errors: nothing is left. */
int fat_clusters_split(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fat_split *split);
/* The rest of the chain goes over to the copies, in SWITCH; the first part is freed. Cannot fail. */
void fat_split_apply(struct fat_volume *fat, struct fat_split *split);
void fat_split_drop(struct fat_volume *fat, struct fat_split *split);
/* Clusters of a copy of the whole file; UINT32_MAX: it is too long to be copied. */
uint32_t fat_clusters_worth_copying(const struct fat_volume *fat, const struct fat_node *n);

/* rename_move.c */
int fat_rename_move(struct fat_rename *r);
/* The node is at @pos, called as @de says, with the chain at @start, which is fresh if it is another than before. */
void fat_rename_settle(struct fat_rename *r, struct fat_node *n, const struct fat_dirent *de, uint64_t pos,
		       uint32_t start, enum fat_phase floor);

/* rename_spell.c: the new name finds the entry itself. */
int fat_rename_spell(struct fat_rename *r);

/* rename_swap.c */
int fat_rename_swap(struct fat_rename *r);

#endif
