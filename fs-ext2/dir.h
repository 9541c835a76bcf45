/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir.h: what the files of the directory code offer each other.
 *
 * A directory is a file of blocks; a block is a chain of entries whose
 * rec_len lead from one to the next.  Invariants kept here, on top of those of
 * docs/DESIGN.md:
 *  - the chain of a durable block changes only in ADD, so that the images of
 *    all phases from ADD on have the same chain; removing or switching a name
 *    writes nothing but its inode number (and file type);
 *  - a slot is given to another name only if no image of the epoch has a name
 *    there (struct e2_past, held.c); a name that was removed in this epoch
 *    and comes back takes its old slot, so that no image has a name twice;
 *  - everything is guarded by the lock of the directory's node.
 */
#ifndef E2_DIR_H
#define E2_DIR_H

#include "ext2.h"

#define E2_NAME_MAX	255u
#define E2_DENT_HEAD	8u	/* bytes before the name */
#define E2_DENT_MIN	12u
#define E2_DIR_TAIL	12u	/* bytes of the checksum at the end of a leaf */
#define E2_LINK_MAX	65000u

/* fuseblk_buf.marks */
#define E2_MARK_DIR	0x100u	/* checksum of a leaf verified */
#define E2_MARK_DX	0x200u	/* checksum and order of an index block verified */

enum e2_file_type {
	E2_FT_UNKNOWN, E2_FT_REG, E2_FT_DIR, E2_FT_CHR, E2_FT_BLK, E2_FT_FIFO, E2_FT_SOCK,
	E2_FT_LNK, E2_FT_COUNT
};

struct e2_dent {
	const char *name;		/* in the block */
	uint32_t off, rec_len, ino;	/* ino 0: unused */
	uint8_t name_len, type;
};

/* A walk over the entries of one block; see e2_walk_next(). */
struct e2_walk {
	struct e2_inode *dir;
	const uint8_t *block;
	uint64_t lblk;			/* for messages */
	uint32_t off, end;
};

/* What a slot leads to in the images between ADD and SWITCH, and between SWITCH and REMOVE. */
enum { E2_AT_ADD, E2_AT_SWITCH };
struct e2_past {
	uint32_t ino[2];
	uint8_t type[2];
};

/* A name found.  @buf is a reference (e2_slot_put); NULL: inside the inode, @off in the virtual block. */
struct e2_slot {
	struct fuseblk_buf *buf;
	uint64_t lblk;
	uint32_t off, ino;
	uint8_t type;
};

/* A name that was removed in this epoch and still exists in one of its images. */
struct e2_ghost {
	bool found;
	struct e2_past past;
};

/* Room for a name.  @buf is a reference (e2_gap_put). */
struct e2_gap {
	struct fuseblk_buf *buf;
	uint64_t lblk;
	uint32_t off, len;		/* the bytes the new entry gets */
	uint32_t owner, owner_len;	/* the entry before, cut to owner_len; E2_NO_OWNER: none */
};
#define E2_NO_OWNER UINT32_MAX

/* Bytes of a block that hold, in some image of the epoch, a name: one bit per 4 bytes. */
struct e2_taken {
	uint32_t bits[65536 / 4 / 32];
};

/* ---- dirblock.c: one block ------------------------------------------------ */
static inline uint32_t e2_dent_size(size_t name_len)
{
	return (E2_DENT_HEAD + (uint32_t)name_len + 3) & ~3u;
}

/* Where the entries of a leaf end. */
static inline uint32_t e2_leaf_end(const struct e2_super *sb)
{
	return sb->metadata_csum ? sb->block_size - E2_DIR_TAIL : sb->block_size;
}

static inline uint64_t e2_dir_blocks(const struct e2_inode *dir)
{
	return dir->size >> dir->sb->block_bits;
}

static inline bool e2_dir_is_inline(const struct e2_inode *dir)
{
	return (dir->flags & E2_FL_INLINE_DATA) != 0;
}

static inline bool e2_dir_is_indexed(const struct e2_inode *dir)
{
	return (dir->flags & E2_FL_INDEX) && e2_has_compat(dir->sb, E2_COMPAT_DIR_INDEX);
}

uint8_t e2_type_of_mode(uint32_t mode);		/* 0 without the filetype feature is e2_slot_write's business */
unsigned char e2_dt_of_type(uint8_t type);	/* DT_* */
uint32_t e2_rec_len_get(const struct e2_super *sb, e2_le16 raw);
e2_le16 e2_rec_len_put(const struct e2_super *sb, uint32_t len);
/* An empty leaf: one unused entry, and the frame of the checksum. */
void e2_leaf_init(const struct e2_super *sb, uint8_t *image);
/* Encode an entry at image + off. */
void e2_dent_put(const struct e2_super *sb, uint8_t *image, uint32_t off, uint32_t rec_len,
		 uint32_t ino, uint8_t type, const char *name, size_t len);
void e2_walk_init(struct e2_walk *w, struct e2_inode *dir, const uint8_t *block, uint64_t lblk);
/* The next entry, unused ones included.  Returns 1, 0 at the end, -EUCLEAN (logged) if it is damaged. */
int e2_walk_next(struct e2_walk *w, struct e2_dent *d);
/*
 * Block @lblk of @dir with a reference, its checksum verified once; @index:
 * it belongs to the hash tree.  Node at least S.  Returns 0, -EUCLEAN (also a hole),
 * -EIO, -ENOMEM.
 */
int e2_dirblock_get(struct e2_inode *dir, uint64_t lblk, bool index, struct fuseblk_buf **out);
/*
 * Find @name in one leaf.  @slot does not take over the reference.  @ghost:
 * NULL, or gets what is known of an unused entry of this name.  Returns 0, -ENOENT, -EUCLEAN, -ENOMEM.
 */
int e2_leaf_find(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk,
		 const char *name, size_t len, struct e2_slot *slot, struct e2_ghost *ghost);
/* Room for @need bytes in one leaf; @gap does not take over the reference.  Returns 0, -ENOSPC, -EUCLEAN, -ENOMEM. */
int e2_leaf_gap(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, uint32_t need,
		struct e2_gap *gap);
/* Put a name into @gap, at most once.  C. */
void e2_gap_fill(struct e2_inode *dir, const struct e2_gap *gap, const char *name, size_t len,
		 uint32_t ino, uint8_t type);
void e2_gap_put(struct e2_gap *gap);
/* Make a slot in a block lead elsewhere (0: nowhere).  C. */
void e2_slot_write(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, uint32_t off,
		   unsigned phase, uint32_t ino, uint8_t type);
void e2_slot_put(struct e2_slot *slot);
/* What the images of this epoch hold in a slot.  Returns 0, -ENOMEM. */
int e2_slot_past(struct e2_inode *dir, struct fuseblk_buf *buf, const struct e2_dent *d,
		 struct e2_past *past);
/* As above for a whole block: the early image, to be freed; NULL if it equals the present one. Returns 0, -ENOMEM. */
int e2_early_image(struct e2_inode *dir, struct fuseblk_buf *buf, uint8_t **image);
/* The entry that begins at @off of @image; false: none does, or it is unused. */
bool e2_early_entry(struct e2_inode *dir, const uint8_t *image, uint64_t lblk, uint32_t off,
		    struct e2_dent *d);

/* ---- held.c: slots with a past ----------------------------------------------- */
/*
 * Slots that were switched, moved away from or used for a temporary name
 * in this epoch, by device block and offset.  Thread-safe; the directory's
 * lock guards the meaning.  Records of an older epoch do not exist.
 */
struct e2_hold;
struct e2_hold *e2_hold_new(void);		/* NULL: no memory; free() it if not used */
/* Remember @past; where the slot has a record only its E2_AT_SWITCH part changes. Takes @hold over. */
void e2_held_put(struct e2_super *sb, struct e2_hold *hold, uint64_t block, uint32_t off,
		 const struct e2_past *past);
bool e2_held_get(struct e2_super *sb, uint64_t block, uint32_t off, struct e2_past *past);
void e2_held_mark(struct e2_super *sb, uint64_t block, struct e2_taken *taken);
void e2_held_move(struct e2_super *sb, uint64_t block, uint32_t off, uint64_t to_block, uint32_t to_off);
bool e2_held_is_full(struct e2_super *sb);	/* so much is held that a commit should come first */

/* ---- hash.c -------------------------------------------------------------------- */
/* @version: 0 legacy, 1 half MD4, 2 TEA, 3..5 the same unsigned.  Returns 0, -EINVAL (unknown version). */
int e2_name_hash(const struct e2_super *sb, unsigned version, const char *name, size_t len, uint32_t *hash);
bool e2_hash_is_known(unsigned version);
/* A second hash with a key of this process: the order of names whose hash is equal. */
uint32_t e2_name_order(const char *name, size_t len);
/* A hash for tables in memory, with the same key. */
uint32_t e2_name_key(const char *name, size_t len);

/* ---- names.c: which block has which name, for long linear directories ----------- */
struct e2_names;
/* The table of @dir, made if there is none yet; NULL: none can be had (no memory to spare, damage): scan. Node at least S. */
struct e2_names *e2_names_get(struct e2_inode *dir);
/* Blocks that may hold @key, one per call, from *@pos (0 at first).  Returns false at the end. */
bool e2_names_next(const struct e2_names *names, uint32_t key, uint32_t *pos, uint64_t *lblk);
/* An entry (used or not) of this name is now in @lblk. Drops the table if it cannot grow. X. */
void e2_names_add(struct e2_inode *dir, const char *name, size_t len, uint64_t lblk);
void e2_names_remove(struct e2_inode *dir, const char *name, size_t len, uint64_t lblk);
void e2_names_drop(struct e2_inode *dir);

/* ---- htree.c ---------------------------------------------------------------------- */
#define E2_DX_INFO	24u	/* offset of the root's struct e2_dx_info */
#define E2_DX_LEVELS	3
#define E2_DX_ROOT	32u	/* offset of the entries in the root */
#define E2_DX_NODE	8u	/* and in a node */
#define E2_DX_EOF	0xffffffffu

struct e2_dx_info {
	e2_le32 reserved;
	uint8_t hash_version, info_length, levels, unused_flags;
};
_Static_assert(sizeof(struct e2_dx_info) == 8, "root info layout");

struct e2_dx_frame {
	struct fuseblk_buf *buf;
	uint64_t lblk;
	uint32_t base;			/* offset of the entries */
	unsigned count, limit, at;
};

struct e2_dx {
	unsigned version;		/* of the hash, as e2_name_hash takes it */
	unsigned levels;		/* of nodes below the root */
	struct e2_dx_frame frame[E2_DX_LEVELS];
};

unsigned e2_dx_max_levels(const struct e2_super *sb);	/* of nodes below the root */
unsigned e2_dx_limit(const struct e2_super *sb, bool root);
uint32_t e2_dx_hash(const uint8_t *block, uint32_t base, unsigned i);
uint32_t e2_dx_block(const uint8_t *block, uint32_t base, unsigned i);
/* Open the tree of an indexed directory: the root is read.  e2_dx_close() on every path after success. */
int e2_dx_open(struct e2_inode *dir, struct e2_dx *dx);
void e2_dx_close(struct e2_dx *dx);
/* Descend to the first leaf that may hold @hash. */
int e2_dx_seek(struct e2_inode *dir, struct e2_dx *dx, uint32_t hash);
uint64_t e2_dx_leaf(const struct e2_dx *dx);
/* On to the next leaf; *@start is where it begins (bit 0: its first hash began in the leaf before).  Returns 1, 0 at the end, or an error. */
int e2_dx_next(struct e2_inode *dir, struct e2_dx *dx, uint32_t *start);
/* Where the present leaf begins. */
uint32_t e2_dx_start(const struct e2_dx *dx);
/* Start of the leaf after the present one without moving; E2_DX_EOF at the end. */
uint32_t e2_dx_peek(const struct e2_dx *dx);

/* ---- dirplan.c: new blocks for a directory, put in place at one instant ------------- */
#define E2_DIRPLAN_MAX	12

struct e2_dirplan_block {
	uint64_t lblk;
	uint8_t *image;			/* what the block will hold from ADD on */
	struct fuseblk_buf *buf;	/* in_place: the fresh block; else NULL until it is made */
	uint64_t pblk;			/* of the new block */
	uint32_t from;			/* in_place: first byte that differs */
	bool in_place, index;
};

/* An entry on its way from one block to another. */
struct e2_item {
	const char *name;		/* in the old block */
	uint32_t hash, old_off, new_off;
	uint8_t name_len, type;
	uint32_t ino;			/* at the end of the epoch */
	struct e2_past past;
	unsigned target;		/* which block of the plan */
};

struct e2_dirplan {
	struct e2_inode *dir;
	struct e2_dirplan_block block[E2_DIRPLAN_MAX];
	unsigned count;
	uint64_t blocks;		/* of the directory, after */
	struct e2_item *items;		/* entries to carry over, all from @source */
	unsigned item_count;
	struct fuseblk_buf *source;	/* borrowed */
	struct e2_item dotdot;		/* ".." of a copied block 0; target E2_DIRPLAN_MAX: none */
	struct fuseblk_buf *dotdot_source;	/* borrowed */
};

void e2_dirplan_init(struct e2_dirplan *plan, struct e2_inode *dir);
void e2_dirplan_fini(struct e2_dirplan *plan);
/* A block at the end of the directory. Returns its number in the plan or -ENOMEM. */
int e2_dirplan_append(struct e2_dirplan *plan, bool index);
/* A changed state of block @lblk, now in @old (borrowed): the image begins as a copy. Returns its number in the plan (the same for the same block) or -ENOMEM. */
int e2_dirplan_change(struct e2_dirplan *plan, uint64_t lblk, struct fuseblk_buf *old, bool index);
/* The entries of @buf from offset @from on that must not be lost, hashed with @version. */
int e2_dirplan_collect(struct e2_dirplan *plan, struct fuseblk_buf *buf, uint64_t lblk, uint32_t from, unsigned version);
/* Items [first, first + n) fill leaf @target of the plan. */
void e2_dirplan_fill(struct e2_dirplan *plan, unsigned target, unsigned first, unsigned n);
/* Block 0 is copied: carry the state of its "..". */
int e2_dirplan_dotdot(struct e2_dirplan *plan, unsigned target, struct fuseblk_buf *old);
/* Put everything in place: 0, or an error with nothing changed. C, X. */
int e2_dirplan_commit(struct e2_dirplan *plan, bool reserve);

/* ---- htree_insert.c, htree_split.c ------------------------------------------------- */
/* Room for a name of an indexed directory, splitting as needed; as e2_dir_room. */
int e2_dx_room(struct e2_inode *dir, const char *name, size_t len, bool reserve, struct e2_gap *gap);
/* One block, full, without an index: give it one. */
int e2_dx_convert(struct e2_inode *dir, const char *name, size_t len, bool reserve);
/* The leaf at the end of @dx has no room for an entry of @need bytes and @hash: make some. */
int e2_dx_split(struct e2_inode *dir, struct e2_dx *dx, uint32_t hash, uint32_t need, bool reserve);
/* How to divide the items of @plan over one or two leaves so that a name of @hash and @need bytes fits too. */
struct e2_cut {
	bool two;
	unsigned lower;			/* items in the first */
	uint32_t hash;			/* the index entry's, of the second */
};
void e2_dx_cut(const struct e2_dirplan *plan, uint32_t hash, uint32_t need, struct e2_cut *cut);

/* ---- dir.c: any form of directory --------------------------------------------------- */
/*
 * Find @name; @ghost as e2_leaf_find (NULL: not wanted).  Node at least S.
 * Returns 0 with a reference in @slot, -ENOENT, -EUCLEAN, -EIO, -ENOMEM, -EINTR.
 */
int e2_dir_find(struct e2_inode *dir, const char *name, size_t len, struct e2_slot *slot, struct e2_ghost *ghost);
/*
 * Make room for a name that is not there.  C, X.  Until the gap is filled or
 * put the directory must not be changed otherwise.  Returns 0, -ENOSPC, -FUSEBLK_EAGAIN_COMMIT, and
 * as e2_dir_find.
 */
int e2_dir_room(struct e2_inode *dir, const char *name, size_t len, bool reserve, struct e2_gap *gap);
/* Find the unused entry of a ghost again, after other changes. Returns 0 with a reference in @slot, -ENOENT and as e2_dir_find. */
int e2_dir_find_unused(struct e2_inode *dir, const char *name, size_t len, struct e2_slot *slot);
/* Before a name is added or switched: an inline directory gets a block. */
int e2_dir_prepare(struct e2_inode *dir, bool reserve);
void e2_dir_remove(struct e2_inode *dir, const struct e2_slot *slot, unsigned phase);	/* C, X */
int e2_dir_is_empty(struct e2_inode *dir);	/* 1, 0 or an error */
int e2_dir_dotdot(struct e2_inode *dir, struct e2_slot *slot);	/* the entry ".." */
/* The first block of a new directory.  C, X. */
int e2_dir_make(struct e2_inode *dir, uint32_t parent, bool reserve);
/* Call @fn for each leaf of a directory, in order of blocks, until it returns non-zero, which is returned. */
typedef int (*e2_leaf_fn)(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, void *arg);
int e2_dir_each_leaf(struct e2_inode *dir, uint64_t first, e2_leaf_fn fn, void *arg);

/* ---- inline_dir.c --------------------------------------------------------------------- */
/* The directory as a block of sb->block_size bytes, to be freed; entries of it are where the converted block will have them. */
int e2_inline_dir_image(struct e2_inode *dir, uint8_t **image);
/* Give it a block. -FUSEBLK_EAGAIN_COMMIT: a name was removed in this epoch.  C, X. */
int e2_inline_dir_convert(struct e2_inode *dir, bool reserve);
/* Where the inode number of the image's entry at @off really is. */
struct e2_inline_place {
	bool in_root;			/* in i_block, at @off; else in the raw inode, at @off */
	size_t off;
};
int e2_inline_dir_locate(struct e2_inode *dir, uint32_t off, struct e2_inline_place *place);
/* Remove the entry there, in REMOVE.  Cannot fail while the inode is pinned.  C, X. */
int e2_inline_dir_clear(struct e2_inode *dir, const struct e2_inline_place *place);

/* ---- name.c: names added, taken away and switched within the rules of DESIGN.md -------- */
/* What is about to get a name. */
struct e2_newcomer {
	uint32_t ino;			/* 0 while it is not made yet */
	uint8_t type;
	bool is_dir;
	bool has_name;			/* an older name stands in every image up to SWITCH */
};

/* Where a new name will go: a gap, or the slot of a ghost. */
struct e2_place {
	const char *name;
	size_t len;
	bool is_ghost;
	struct e2_gap gap;
	struct e2_slot slot;
	struct e2_past past;
	struct e2_hold *hold;
};

/*
 * Find a place for a name that must not be there.  C, X.  Ends with
 * e2_place_drop() after success.  Until then the directory must not be changed
 * by others.  Returns 0, -EEXIST, -ENOSPC, -FUSEBLK_EAGAIN_COMMIT, and as e2_dir_find.
 */
int e2_place_find(struct e2_inode *dir, const char *name, size_t len, bool reserve,
		  const struct e2_newcomer *who, struct e2_place *place);
/* The last that can fail before e2_place_fill(): @who is complete now. */
int e2_place_ready(struct e2_inode *dir, struct e2_place *place, const struct e2_newcomer *who);
/* The name is added: in ADD; in SWITCH for a directory that moves, and for the slot of a ghost. */
void e2_place_fill(struct e2_inode *dir, struct e2_place *place, const struct e2_newcomer *who);
void e2_place_drop(struct e2_place *place);
/* From ADD to REMOVE inode @ino, not a directory, has a name of its own in @dir. May split: slots found before are stale. */
int e2_name_temp(struct e2_inode *dir, uint32_t ino, uint8_t type);
/* A name leads to another inode from SWITCH on.  Takes @hold. */
void e2_name_switch(struct e2_inode *dir, const struct e2_slot *slot, struct e2_hold *hold,
		    uint32_t ino, uint8_t type);
/* The inode of a name has moved to another one: REMOVE, or SWITCH for a directory.  Takes @hold. */
void e2_name_leave(struct e2_inode *dir, const struct e2_slot *slot, struct e2_hold *hold, bool is_dir);
/* Find @name and see that it leads to @ei: else -ESTALE. */
int e2_name_verify(struct e2_inode *dir, const char *name, size_t len, const struct e2_inode *ei,
		   struct e2_slot *slot);
/* Is it an empty directory whose link count may become 0 in this epoch? 0, -ENOTDIR, -ENOTEMPTY, -FUSEBLK_EAGAIN_COMMIT, or damage. */
int e2_dir_may_die(struct e2_inode *ei);
int e2_may_have_subdir(const struct e2_inode *dir);	/* 0 or -EMLINK */
/* The inodes of an operation, their blocks kept at hand. */
struct e2_pins {
	struct fuseblk_buf *pin[6];
	unsigned count;
};
int e2_pins_add(struct e2_pins *pins, struct e2_inode *ei);	/* NULL: nothing */
void e2_pins_drop(struct e2_pins *pins);

/* ---- symlink.c --------------------------------------------------------------------------- */
int e2_symlink_check(const struct e2_super *sb, const struct fuseblk_create *what);
int e2_symlink_fill(struct e2_inode *ei, const char *target, size_t len, bool reserve);

#endif
