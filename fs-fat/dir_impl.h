/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir_impl.h: what the files that implement dir.h share: blocks of slots as
 * they pass in a scan, the index of a directory, the names removed from it in
 * the open epoch, and where directories have their entries.
 */
#ifndef FAT_DIR_IMPL_H
#define FAT_DIR_IMPL_H

#include "dir.h"

#define FAT_BLOCK_MAX		4096u			/* bytes of a sector */
#define FAT_NAME_SLOTS		(FAT_LONG_SLOTS + 1)	/* most of one name */
#define FAT_SHOWN_BYTES		1024			/* of a name of the mount: what FUSE takes */
#define FAT_ROOT_INO		1u

static inline bool fat_slot_is_free(const uint8_t *slot)
{
	return slot[0] == FAT_NAME_DELETED || slot[0] == FAT_NAME_END;
}

static inline bool fat_slot_is_long(const uint8_t *slot)
{
	return (slot[offsetof(struct fat_dirent, attr)] & FAT_ATTR_LONG_MASK) == FAT_ATTR_LONG;
}

/* 1 for ".", 2 for "..", 0 for anything else. */
unsigned fat_dir_dots(const struct fat_dirent *de);

/* ---- dir.c -------------------------------------------------------------- */

static inline uint32_t fat_block_slots(const struct fat_volume *fat)
{
	return fat->geo.sector_size / FAT_SLOT_SIZE;
}

/* The fixed root's slots, or FAT_DIR_SLOTS for a chain. */
uint32_t fat_dir_limit(struct fuseblk_volume *vol, struct fuseblk_node *dir);

/* A block of slots, copied. */
struct fat_view {
	uint32_t slot;			/* of its first */
	unsigned count;
	uint64_t pos;			/* of its first */
	const uint8_t *bytes;		/* present content */
	const uint8_t *early;		/* fuseblk_buf_read_early(); the same pointer where nothing is pending */
};

/*
 * Give @fn the directory's blocks in order, from the one with slot @from on,
 * reading ahead; it ends the scan by a value above 0 and fails it by an
 * error.  Returns 0, an error of @fn's, -EUCLEAN, -EIO, -ENOMEM.  S or X.
 */
typedef int (*fat_view_fn)(void *ctx, const struct fat_view *view);
int fat_dir_scan(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t from, fat_view_fn fn, void *ctx);

enum fat_seen { FAT_SEEN_NOTHING, FAT_SEEN_ENTRY, FAT_SEEN_END };
/*
 * Take in one slot.  At a short entry found->de, slots, units and len are
 * set; len 0: it has no name that could be shown.
 */
enum fat_seen fat_dir_step(struct fat_volume *fat, struct fat_long *name, const uint8_t *slot, struct fat_found *found);

/* The 32 bytes of one slot. 0, -ENOENT past the area, -EUCLEAN, -EIO. */
int fat_dir_read_slot(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, void *raw, uint64_t *pos);
/* The name whose short entry is at @slot. found->exact is not set. 0, -ENOENT (no entry there), errors. */
int fat_dir_read_name(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, struct fat_found *found);

/* ---- index.c -------------------------------------------------------------- */

struct fat_index {
	/* fat_indexes' lock: */
	struct fat_index *older, *newer;
	struct fat_node *owner;		/* whose ->index this is; NULL: of its one user, gone with it */
	unsigned users;
	size_t bytes;			/* as accounted for */
	/* the directory's node lock: */
	int error;			/* what made it incomplete */
	uint32_t *hashes;		/* 0: empty */
	uint16_t *slots;		/* of short entries */
	uint32_t cap, keys;		/* a power of two; used */
	uint64_t *taken, *freed;	/* by slot, below end; freed: taken until freed_epoch is over */
	uint32_t words;			/* of each */
	uint64_t freed_epoch;		/* 0: none freed */
	uint32_t end;			/* where the directory ends: of the end mark, or the area's slots */
	uint32_t area;			/* slots there are; 0: not known yet */
	uint32_t entries, dirs;		/* but "." and ".." */
	uint32_t hint[FAT_NAME_SLOTS + 1];	/* no room for n slots begins below hint[n] */
};

/* One scan. NULL: no memory. What kept it from being complete is in ->error. S or X. */
struct fat_index *fat_index_build(struct fuseblk_volume *vol, struct fuseblk_node *dir);
void fat_index_free(struct fat_index *idx);
size_t fat_index_size(const struct fat_index *idx);	/* bytes of memory */
/*
 * A name came or went (X).  Without memory the index is dropped at
 * fat_index_put().  @held_epoch: the slots stay taken until it is over; 0:
 * they are free at once.
 */
void fat_index_add_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found);
void fat_index_del_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found, uint64_t held_epoch);
/* Slots freed in epochs that are over become free. */
void fat_index_settle(struct fat_index *idx, uint64_t epoch);
/* The first place for @count slots; it may reach beyond the area. */
uint32_t fat_index_room(struct fat_index *idx, unsigned count);
/* A place for @count slots in [from, to), or UINT32_MAX. */
uint32_t fat_index_room_in(const struct fat_index *idx, unsigned count, uint32_t from, uint32_t to);

/* Hashes under which a name is found: of what is shown and of its 8.3 name if that is another. */
struct fat_keys {
	uint32_t hash[2];
	unsigned count;
};
void fat_keys_of(struct fat_volume *fat, const struct fat_found *found, struct fat_keys *keys);
uint32_t fat_short_hash(struct fat_volume *fat, const uint8_t short_name[11], uint8_t lcase);

/* ---- indexes.c ------------------------------------------------------------ */

/* The index, made if need be, kept until fat_index_put(). S or X. An incomplete one has ->error. 0, -ENOMEM. */
int fat_index_get(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_index **out);
void fat_index_put(struct fat_volume *fat, struct fat_index *idx);
size_t fat_indexes_bytes(struct fat_volume *fat);	/* of all that are kept */
struct fat_parents *fat_indexes_parents(struct fat_volume *fat);

/* ---- find.c ---------------------------------------------------------------- */

/* As fat_dir_has_short; @removed: it is there no more, but may be on the device. */
int fat_dir_short_use(struct fuseblk_volume *vol, struct fuseblk_node *dir, const uint8_t short_name[11], bool *removed);

/* ---- removed.c -------------------------------------------------------------- */

/* Hashes of names removed in an epoch. Under the directory's lock. */
struct fat_removed;
/* Make sure that the next fat_removed_add() has room. 0, -ENOMEM. */
int fat_removed_reserve(struct fat_removed **set, uint64_t epoch);
void fat_removed_add(struct fat_removed *set, const struct fat_keys *keys);
bool fat_removed_has(const struct fat_removed *set, uint64_t epoch, uint32_t hash);
void fat_removed_free(struct fat_removed *set);

/* ---- parent.c ---------------------------------------------------------------- */

/* Where directories have their entries, as far as remembered: a cache by first cluster. Any thread, no I/O. */
struct fat_parents;
struct fat_parents *fat_parents_new(void);
void fat_parents_free(struct fat_parents *parents);
void fat_parent_note(struct fat_volume *fat, const struct fat_dirent *de, uint64_t pos);
void fat_parent_forget(struct fat_volume *fat, const struct fat_dirent *de, uint64_t pos);
/* The inode of the directory that ".." of @dir leads to. 0, -ENOENT, errors. S or X of @dir. */
int fat_parent_ino(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t *ino);

/* ---- namei.c ------------------------------------------------------------------ */

/*
 * The name as the mount shows it: the long one, or the 8.3 one where that
 * cannot be shown.  Its length, or -EINVAL.  Never "." or "..", never with a
 * '/' or NUL.
 */
int fat_dir_shown(struct fat_volume *fat, const struct fat_found *found, char *bytes, size_t size);

#endif
