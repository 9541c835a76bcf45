/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir.h: directories as slots.
 *
 * A directory is an array of 32-byte slots, 0 to 65535: a fixed area (the
 * root of FAT12 and FAT16) or a chain of clusters.  Names are found through an
 * index per directory (index.c): folded hashes of the long and of the short
 * name, made by one scan when first needed, bounded in all, so that n
 * operations cost O(n).  The first slot with name byte 0 ends the directory;
 * what lies after it does not exist, and a name that is added there keeps it so.
 */
#ifndef FAT_DIR_H
#define FAT_DIR_H

#include "fat.h"

/* A name found in a directory. */
struct fat_found {
	uint32_t slot;			/* of the short entry */
	uint32_t slots;			/* with its long slots, which are the ones right before: 1..21 */
	uint64_t pos;			/* of the short entry */
	struct fat_dirent de;
	uint16_t units[FAT_LONG_MAX];	/* the stored spelling: the long name, or the short one as shown */
	unsigned len;
	bool exact;			/* what was looked for is the stored spelling */
};

/* ---- dir.c: slots ---------------------------------------------------------- */

/* Slots in the directory's area, at most FAT_DIR_SLOTS. 0, -EUCLEAN, -EIO. */
int fat_dir_slots(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *slots);
/* st_size of a directory: its clusters, or the fixed root's bytes. */
int fat_dir_size(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t *bytes);
/*
 * The block with slot @slot, referenced (fuseblk_buf_put), and the slot's
 * byte offset in it.  0, -ENOENT past the area, -EUCLEAN, -EIO.  S or X.
 */
int fat_dir_block(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot,
		  struct fuseblk_buf **buf, size_t *off);
uint64_t fat_dir_pos(const struct fuseblk_buf *buf, size_t off, uint32_t block_size);
/*
 * Go through the directory's names from slot @from on: @visit gets each short
 * entry (labels, deleted and broken ones left out; "." and ".." included)
 * with its long name.  A true return stops.  Reads ahead.  S or X.
 */
typedef bool (*fat_visit_fn)(void *ctx, const struct fat_found *found);
int fat_dir_walk(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t from, fat_visit_fn visit, void *ctx);

/* ---- indexes.c, find.c ----------------------------------------------------------------- */

int fat_indexes_open(struct fat_volume *fat);
void fat_indexes_close(struct fat_volume *fat);
void fat_index_unload(struct fuseblk_volume *vol, struct fuseblk_node *dir);	/* ->unload */

/* By long or short name (S or X): 0, -ENOENT, -EUCLEAN, -EIO. "." and ".." are not found. */
int fat_dir_find(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_name *name,
		 struct fat_found *found);
/* Is this exact 8.3 name there, or was it removed in the open epoch? 1, 0, or an error. */
int fat_dir_has_short(struct fuseblk_volume *vol, struct fuseblk_node *dir, const uint8_t short_name[11]);
/* Was this name (long or short) removed from @dir in the open epoch and may still be on the device? */
bool fat_dir_was_removed(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_name *name);
/* No names but "." and ".."? 0, -ENOTEMPTY, or an error. */
int fat_dir_is_empty(struct fuseblk_volume *vol, struct fuseblk_node *dir);
/* Directories in it, for st_nlink (which is this + 2). */
int fat_dir_count_dirs(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *dirs);

/* Slots that a name takes, its short entry included. */
static inline unsigned fat_name_slots(const struct fat_name *name)
{
	return name->is_short ? 1 : 1 + (name->len + FAT_LONG_UNITS - 1) / FAT_LONG_UNITS;
}

/* ---- add.c ---------------------------------------------------------------------- */

/*
 * Places for a name: @count contiguous slots that are free now and were free
 * on the device at the start of the epoch; the directory grows by a cluster
 * if there are none (not the fixed root; at most FAT_DIR_SLOTS: -ENOSPC).
 * @near: prefer slots all in the block that holds slot @near (UINT32_MAX: no).
 * X, C.  0 with the first slot, -ENOSPC, -EIO, -EUCLEAN, -FUSEBLK_EAGAIN_COMMIT.
 */
int fat_dir_place(struct fuseblk_volume *vol, struct fuseblk_node *dir, unsigned count, uint32_t near, uint32_t *slot);
/*
 * Put a name there: short entry @de (name, attr, times, start, size filled
 * in) with @name's long slots before it unless name->is_short.  @phase: of
 * the short entry and of the long slots in its block (ADD, or SWITCH); long
 * slots in other blocks are FRESH.  Updates the index.  X, C.  @pos: of the
 * short entry.
 */
int fat_dir_put(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, const struct fat_name *name,
		const struct fat_dirent *de, enum fat_phase phase, uint64_t *pos);
/* Settle the short name of a new name in @dir: fat_name_shorten over this directory. -EEXIST, -ENOSPC, -FUSEBLK_EAGAIN_COMMIT (removed in this epoch). */
int fat_dir_shorten(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_name *name);
/*
 * Take a name away: REMOVE, long slots in other blocks CUT; one that was
 * added in this epoch in ADD and FRESH, so that it never appears.  Updates
 * the index; its slots stay taken until the epoch is durable.  X, C.
 */
int fat_dir_take(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found);
/* The same in @phase in place of REMOVE: SWITCH, where the name comes back in the same block. */
int fat_dir_take_in(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found,
		    enum fat_phase phase);
/* The entry at found->slot now has other bytes (rename over it): write de in @phase; the name stays. */
int fat_dir_replace(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_found *found,
		    const struct fat_dirent *de, enum fat_phase phase);

/* ---- namei.c (here): what ->lookup finds; find: bytes of the mount, any error of the name is -ENOENT ---- */
int fat_dir_find_bytes(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *bytes, size_t len,
		       struct fat_found *found);
/* 0, or FUSEBLK_RESPELLED where the name as it is shown is not @bytes. */
int fat_dir_respelled(struct fat_volume *fat, const struct fat_found *found, const char *bytes, size_t len);

/* ---- namei.c -------------------------------------------------------------------- */

/* Parse a name for a lookup or for something new, logging once per mount why one is refused. */
int fat_parse_name(struct fuseblk_volume *vol, const char *bytes, size_t len, bool create, struct fat_name *out);
/* A directory's first cluster, zeroed but for "." and ".." (whose parent is @dir), FRESH. */
int fat_dir_make(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *start, const struct fat_dirent *times);
/* Point ".." of @child to @parent, in @phase. */
int fat_dir_set_parent(struct fuseblk_volume *vol, struct fuseblk_node *child, struct fuseblk_node *parent, enum fat_phase phase);

#endif
