/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * map.h: what the files of the file map share: runs, map changes, paths in
 * an extent tree.
 *
 * A map change (struct e2_tx) pins the inode, edits the map in one or more
 * steps and stores the inode at its end.  Blocks of the map are edited in
 * place where one block's write holds the whole step or where nothing on the
 * device leads to them yet; else they are copied, and the one write of a
 * common ancestor (in the end the inode) switches to the copies.  Every step
 * takes what can fail before it changes anything.
 */
#ifndef E2_MAP_H
#define E2_MAP_H

#include "ext2.h"

#define E2_EXT_MAGIC		0xF30A
#define E2_EXT_DEPTH		5u
#define E2_EXT_ROOT_MAX		4u
#define E2_EXT_WRITTEN_MAX	32768u
#define E2_EXT_UNWRITTEN_MAX	32767u
#define E2_EXT_END		0xFFFFFFFFull	/* no extent reaches past it */
#define E2_EXT_SIZE		12u		/* of the header and of every entry */

/* fuseblk_buf.marks of map blocks */
#define E2_MARK_MAP_CHECKED	(1ull << 16)	/* checksum and entries verified */
#define E2_MARK_MAP_AFTER	(1ull << 17)	/* made after a removal of the same epoch: what points to it is written in REMOVE */

/* Blocks @lblk.. of a file: @len > 0; @pblk 0: a hole. */
struct e2_run {
	uint64_t lblk, len, pblk;
	bool unwritten;
};

struct e2_block_list {
	uint64_t *block;
	unsigned count, room;
};

/* A change of one inode's map. */
struct e2_tx {
	struct e2_inode *ei;
	struct fuseblk_buf *pin;	/* the inode's block */
	unsigned phase;			/* E2_ADD or E2_REMOVE, before e2_map_phase() */
	bool reserve;			/* may use the reserved blocks */
	bool undo;			/* data blocks go back at once: they were given in this very change */
	bool copy;			/* e2_map_switch: copy all blocks but those in @own, free nothing but note it in @gone */
	struct e2_block_list own, gone;
	uint64_t goal;			/* near which map blocks are wanted */
	uint64_t freed;			/* blocks freed so far: more than the volume has is a loop */
};

struct e2_level {
	struct fuseblk_buf *buf;	/* NULL: the root, in the inode */
	uint8_t *data;			/* the header's address */
	unsigned entries, max, depth;
	int pos;			/* entry chosen; -1: the block wanted lies before all */
	uint64_t lo, hi;		/* logical blocks this node answers for: [lo, hi) */
};

struct e2_path {
	struct e2_level level[E2_EXT_DEPTH + 1];
	unsigned leaf;			/* index of the leaf's level */
};

struct e2_raw_entry { uint8_t b[E2_EXT_SIZE]; };

static inline bool e2_is_extents(const struct e2_inode *ei)
{
	return (ei->flags & E2_FL_EXTENTS) != 0;
}

static inline uint32_t e2_sectors(const struct e2_super *sb)
{
	return sb->block_size >> 9;
}

/* ---- map_tx.c ------------------------------------------------------------ */
/* Pins the inode.  Returns 0 or -EIO.  Ends with e2_tx_end, which stores the map and returns the error of that. */
int e2_tx_begin(struct e2_tx *tx, struct e2_inode *ei, unsigned phase);
int e2_tx_end(struct e2_tx *tx);
/* Stores the map and lets a waiting commit in. Returns what fuseblk_change_pause() does. */
int e2_tx_pause(struct e2_tx *tx);
/* The phase in which a map block must be edited in place; E2_FRESH: nothing on the device leads to it. */
unsigned e2_node_phase(const struct e2_tx *tx, struct fuseblk_buf *buf);
/* A new, zeroed map block, counted in i_blocks.  Undo: e2_node_undo, which also puts it. Returns as e2_blocks_alloc, or -EFBIG. */
int e2_node_new(struct e2_tx *tx, struct fuseblk_buf **out);
void e2_node_undo(struct e2_tx *tx, struct fuseblk_buf *buf);
/* Map block @buf is no longer part of the map; the reference stays the caller's. */
void e2_node_gone(struct e2_tx *tx, struct fuseblk_buf *buf);
/* Data blocks are no longer part of the map.  Returns 0, or -EUCLEAN when more was freed than there is. */
int e2_data_gone(struct e2_tx *tx, uint64_t pblk, uint64_t len);
bool e2_list_has(const struct e2_block_list *list, uint64_t block);
int e2_list_room(struct e2_block_list *list, unsigned more);	/* 0 or -ENOMEM */

/* ---- map.c ----------------------------------------------------------------- */
/* The run that holds @lblk (a hole's bounds may be narrower than the hole). */
int e2_map_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run);
void e2_map_uncache(struct e2_inode *ei);
/*
 * One step of removing [first, *end) from its end: at most one leaf.  Lowers
 * *end by what is done; done when *end == first.
 */
int e2_map_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end);
/* The first block number that the map of @ei cannot hold. */
uint64_t e2_map_limit(const struct e2_inode *ei);
/* An empty map of the volume's kind in i_block, flags set; in memory only. */
void e2_map_init(struct e2_inode *ei);
bool e2_has_map(const struct e2_inode *ei);	/* false: i_block is something else */

/* ---- map_fill.c -------------------------------------------------------------- */
/* Allocate up to @want blocks for the hole at @lblk and map them. @out: what was mapped. Returns as e2_blocks_alloc, or -EFBIG. */
int e2_map_fill(struct e2_tx *tx, uint64_t lblk, uint64_t want, bool unwritten, struct e2_run *out);
void e2_fresh_note(struct e2_inode *ei, const struct e2_run *run, bool *full);
void e2_fresh_drop(struct e2_inode *ei, uint64_t first, uint64_t end);
int e2_fresh_undo(struct e2_inode *ei);

/* ---- extent.c -------------------------------------------------------------- */
uint32_t e2_ext_key(const uint8_t *node, unsigned i);
void e2_ext_get(const uint8_t *node, unsigned i, struct e2_run *run);
uint64_t e2_ext_child(const uint8_t *node, unsigned i);
/* Walk to the leaf that holds or would hold @lblk; every block on the way is validated. End with e2_path_put. */
int e2_path_find(struct e2_inode *ei, uint64_t lblk, struct e2_path *path);
void e2_path_put(struct e2_path *path);
int e2_path_run(struct e2_inode *ei, const struct e2_path *path, uint64_t lblk, struct e2_run *run);
int e2_ext_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run);

/* ---- extent_plan.c --------------------------------------------------------- */
struct e2_plan;
/*
 * Plan the replacement of @remove entries of the leaf at @pos by @count (at
 * most 3) others: takes all that can fail.  The tree is untouched until
 * e2_plan_apply; one of apply and undo ends the plan.
 */
int e2_plan_make(struct e2_tx *tx, struct e2_path *path, unsigned pos, unsigned remove,
		 const struct e2_raw_entry *ins, unsigned count, struct e2_plan **out);
void e2_plan_apply(struct e2_plan *plan);
void e2_plan_undo(struct e2_plan *plan);

/* ---- extent_insert.c ------------------------------------------------------- */
void e2_ext_pack(const struct e2_run *run, struct e2_raw_entry *raw);
int e2_ext_insert(struct e2_tx *tx, const struct e2_run *run);	/* into a hole */
/* Mark up to @len blocks from @lblk (unwritten now) as written; *@done: how many. */
int e2_ext_convert(struct e2_tx *tx, uint64_t lblk, uint64_t len, uint64_t *done);
/* Block @lblk is at @pblk from now on; *@old: where it was, 0 if nowhere. */
int e2_ext_set(struct e2_tx *tx, uint64_t lblk, uint64_t pblk, uint64_t *old);
/* ---- extent_remove.c ------------------------------------------------------- */
int e2_ext_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end);

/* ---- indirect.c, indirect_change.c ---------------------------------------- */
/* Slots on the way to @lblk: i_block's, then one per level of indirect blocks. Returns how many (1..4), 0: past the end. */
unsigned e2_ind_slots(const struct e2_super *sb, uint64_t lblk, unsigned slot[4]);
uint64_t e2_ind_blocks(const struct e2_super *sb);	/* addressable blocks */
int e2_ind_child(struct e2_inode *ei, uint32_t pointer, struct fuseblk_buf **out);
int e2_ind_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run);
/* How many blocks from @lblk on share its leaf, and how many map blocks lack on the way. */
int e2_ind_room(struct e2_inode *ei, uint64_t lblk, uint64_t *room, unsigned *lacking);
int e2_ind_insert(struct e2_tx *tx, const struct e2_run *run);	/* within one leaf */
int e2_ind_set(struct e2_tx *tx, uint64_t lblk, uint64_t pblk, uint64_t *old);
int e2_ind_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end);

/* ---- inline.c --------------------------------------------------------------- */
/* Answers an inline file's map: the number of extents, or 0 when the file has blocks now (converted to hold the write). */
int e2_inline_map(struct e2_inode *ei, uint64_t off, uint64_t len, enum fuseblk_map_mode mode,
		  bool reserve, struct fuseblk_extent *ext, unsigned max);
int e2_inline_convert(struct e2_inode *ei, bool reserve);
/* 1: done; 0: the file has blocks now. */
int e2_inline_truncate(struct e2_inode *ei, uint64_t size);

#endif
