/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * super.h: what the files about the superblock, the groups, the allocators
 * and the orphans share.  Not for the map, directory and attribute files:
 * what those may call is in ext2.h.
 */
#ifndef E2_SUPER_H
#define E2_SUPER_H

#include "ext2.h"

struct e2_range {
	uint64_t start, count;		/* blocks */
};

#define E2_SB_OFF(field) offsetof(struct e2_disk_super, field)

/* fuseblk_buf.marks of bitmap blocks */
#define E2_MARK_BITMAP_OK	1ull

static inline uint32_t e2_group_of_block(const struct e2_super *sb, uint64_t block)
{
	return (uint32_t)((block - sb->first_data_block) / sb->blocks_per_group);
}

static inline uint64_t e2_group_first(const struct e2_super *sb, uint32_t group)
{
	return sb->first_data_block + (uint64_t)group * sb->blocks_per_group;
}

/* Blocks of @group; fewer in the last. */
static inline uint32_t e2_group_blocks(const struct e2_super *sb, uint32_t group)
{
	uint64_t left = sb->blocks_count - e2_group_first(sb, group);

	return left < sb->blocks_per_group ? (uint32_t)left : sb->blocks_per_group;
}

static inline uint32_t e2_group_index(const struct e2_super *sb, const struct e2_group *g)
{
	return (uint32_t)(g - sb->groups);
}

/* ---- features.c ---------------------------------------------------------- */
enum e2_feature_word { E2_WORD_COMPAT, E2_WORD_INCOMPAT, E2_WORD_RO_COMPAT };
enum e2_feature_mode { E2_FEATURE_RW, E2_FEATURE_RO, E2_FEATURE_REFUSED };

struct e2_feature {
	enum e2_feature_word word;
	uint32_t bit;
	const char *name;		/* as mke2fs and dumpe2fs call it */
	enum e2_feature_mode mode;
	const char *note;		/* for the manual and in messages; may be NULL */
};

extern const struct e2_feature e2_features[];	/* ends with a NULL name */
/*
 * The strictest mode of the features in the three words; @text gets a line that names those
 * that make it so ("" for rw).  Unknown bits are refused, as FEATURE_C5, FEATURE_I5, FEATURE_R5.
 */
enum e2_feature_mode e2_features_check(uint32_t compat, uint32_t incompat, uint32_t ro_compat,
				       char *text, size_t size);

/* ---- options.c ------------------------------------------------------------- */
void e2_options_init(void *options);
/* Names an option that was given and cannot be honoured, and why; NULL if there is none. */
const char *e2_options_refused(const struct e2_options *o, const char **why);

/* ---- geometry.c: the superblock's numbers, checked before anything is done with them --- */
/* Fill the constants of @sb from @ds.  Returns 0, or -EUCLEAN / -EINVAL after fuseblk_refuse(). */
int e2_geometry_read(struct e2_super *sb, const struct e2_disk_super *ds, uint64_t device_size);

/* ---- validate.c: libext2fs's opinion, and the journal's state ------------------------- */
struct e2_validated {
	uint64_t journal_blocks;	/* 0: none inside the volume */
	bool journal_dirty;		/* the journal itself says that it holds something */
	bool journal_external;
};
/* Returns 0, or -EUCLEAN / -EIO / -ENOMEM after fuseblk_refuse(). */
int e2_validate(struct e2_super *sb, struct e2_validated *out);

/* ---- super.c --------------------------------------------------------------- */
static inline const struct e2_disk_super *e2_disk_super(const struct e2_super *sb)
{
	return (const struct e2_disk_super *)(sb->sb_buf->data + sb->sb_offset);
}

/* Change bytes of the superblock in @phase. C. */
void e2_super_write(struct e2_super *sb, unsigned phase, size_t off, const void *src, size_t len);
void e2_super_write32(struct e2_super *sb, unsigned phase, size_t off, uint32_t value);
void e2_super_write16(struct e2_super *sb, unsigned phase, size_t off, uint16_t value);
/* Something must be committed later, with nothing else to show for it. C. */
void e2_super_stir(struct e2_super *sb);

/* ---- layout.c: what lies where, without looking at a disk ---------------------- */
bool e2_group_has_super(const struct e2_super *sb, uint32_t group);
/* Blocks at the start of @group taken by superblock, descriptors and room for more of them. */
uint32_t e2_group_base_blocks(const struct e2_super *sb, uint32_t group);
uint64_t e2_desc_block(const struct e2_super *sb, uint32_t index);
/* Collect, sort, check and merge the fixed metadata of all groups into sb->meta. -EUCLEAN (refused), -ENOMEM. */
int e2_meta_build(struct e2_super *sb);
/* Blocks of fixed metadata in all. */
uint64_t e2_meta_blocks(const struct e2_super *sb);
/* Index of the first range of sb->meta that ends after @block. */
size_t e2_meta_find(const struct e2_super *sb, uint64_t block);

/* ---- group.c ---------------------------------------------------------------- */
/* Read and check every descriptor.  Returns 0, or a negative errno after fuseblk_refuse(). */
int e2_groups_load(struct e2_super *sb);
void e2_groups_free(struct e2_super *sb);
/*
 * With the group's lock held: what e2_group_hold_* got stays in memory and
 * the descriptor is written at the commit.  May read the device.  C.
 * Returns 0, -EIO, -ENOMEM, -EUCLEAN (logged).
 */
int e2_group_hold_blocks(struct e2_super *sb, struct e2_group *g);
int e2_group_hold_inodes(struct e2_super *sb, struct e2_group *g);
/* The verified block bitmap for looking only; sets *@buf NULL where it was never written (BLOCK_UNINIT). Lock held. */
int e2_group_peek_blocks(struct e2_super *sb, struct e2_group *g, struct fuseblk_buf **buf);
/* Write descriptors and bitmap checksums that are owed. No change is open but the caller's. */
void e2_groups_commit(struct e2_super *sb);
/* What the block bitmap of @group holds when nothing but metadata is in it: @bits has block_size bytes. */
void e2_bitmap_initial(const struct e2_super *sb, uint32_t group, uint8_t *bits);
/* Does the descriptor's checksum hold? */
bool e2_group_csum_ok(const struct e2_super *sb, uint32_t group, const uint8_t *desc);

/* ---- bitmap.c --------------------------------------------------------------- */
bool e2_bit_test(const uint8_t *bits, uint32_t n);
/* The first clear bit of [from, end), or @end. */
uint32_t e2_bits_next_clear(const uint8_t *bits, uint32_t from, uint32_t end);
/* The first set bit of [from, end), or @end. */
uint32_t e2_bits_next_set(const uint8_t *bits, uint32_t from, uint32_t end);
uint32_t e2_bits_count_clear(const uint8_t *bits, uint32_t from, uint32_t end);
void e2_bits_set(uint8_t *bits, uint32_t from, uint32_t end);
/* Set or clear [from, from + count) of a bitmap block, phase 0. */
void e2_bitmap_change(struct fuseblk_buf *buf, uint32_t from, uint32_t count, bool set);

/* ---- balloc.c, ialloc.c: what freed.c does when an epoch is durable ---------------- */
void e2_blocks_clear(struct e2_super *sb, uint64_t block, uint64_t count, bool pending);
void e2_inode_clear(struct e2_super *sb, uint32_t ino, bool is_dir, bool pending);

/* ---- freed.c ---------------------------------------------------------------- */
int e2_freed_new(struct e2_super *sb);
void e2_freed_free(struct e2_super *sb);
/* Remember for the end of this epoch. false: no memory. */
bool e2_freed_blocks(struct e2_super *sb, uint64_t block, uint64_t count);
bool e2_freed_inode(struct e2_super *sb, uint32_t ino, bool is_dir);
/* Clear the marks of what epochs up to @epoch freed. C. */
void e2_freed_durable(struct e2_super *sb, uint64_t epoch);

/* ---- inode_disk.c: raw <-> e2_inode ------------------------------------------------- */
#define E2_INODE_FIXED		128u
/* Fill @ei from the raw inode. Returns 0, -ESTALE (not in use), -EUCLEAN (logged). */
int e2_inode_decode(struct e2_inode *ei, const uint8_t *raw);
/* The whole raw inode but for checksum and link count; @raw has inode_size bytes and is zeroed. */
void e2_inode_encode(const struct e2_inode *ei, uint8_t *raw);
/* The size, map and flags words as on disk. -EFBIG: too many blocks to count. */
int e2_inode_encode_map(const struct e2_inode *ei, uint8_t *raw);
int e2_inode_encode_file_acl(const struct e2_inode *ei, uint8_t *raw);	/* file_acl and blocks */
void e2_inode_encode_meta(const struct e2_inode *ei, uint8_t *raw);
struct timespec e2_time_fit(const struct e2_inode *ei, struct timespec t);
/* Flags that say how i_block is to be read; they change with it. */
#define E2_MAP_FLAGS (E2_FL_EXTENTS | E2_FL_INDEX | E2_FL_INLINE_DATA | E2_FL_HUGE_FILE)

/* ---- inode.c --------------------------------------------------------------- */
/* Block and offset of raw inode @ino, which is in range. */
void e2_inode_place(const struct e2_super *sb, uint32_t ino, uint64_t *block, uint32_t *offset);
/* Get the block of @ino and prepare it for a change of that inode. C. */
int e2_inode_buf(struct e2_super *sb, uint32_t ino, struct fuseblk_buf **buf, uint32_t *offset);
/* Write the i_dtime of @ino. C. Returns 0 or -EIO. */
int e2_inode_write_dtime(struct e2_super *sb, uint32_t ino, unsigned phase, uint32_t value);

int e2_inode_write_links(struct e2_inode *ei, unsigned phase);	/* ei->links. C. */
int e2_inode_reload(struct e2_inode *ei);	/* fill @ei from its block again */

/* ---- links.c ---------------------------------------------------------------- */
/* The level at which a new inode in @dir comes alive. */
uint32_t e2_raise_level(const struct e2_inode *dir);

/* ---- orphan.c --------------------------------------------------------------- */
int e2_orphans_new(struct e2_super *sb);
void e2_orphans_free(struct e2_super *sb);
bool e2_orphans_has(struct e2_super *sb, uint32_t ino);
/* @phase: in which the link count became 0. -ENOMEM. C. */
int e2_orphans_add(struct e2_super *sb, uint32_t ino, bool is_dir, unsigned phase);
/* It lives (again). C. */
void e2_orphans_remove(struct e2_super *sb, uint32_t ino);
/* Its space is gone: give the inode back, at once or when the disk's list no longer names it. C. */
int e2_orphans_finish(struct e2_super *sb, uint32_t ino);
/* Read the disk's lists and free or truncate what is on them. C. */
int e2_orphans_start(struct e2_super *sb);
/* At unmount: is everything that was finished off the disk's lists? If not the next commit does as much as it can. */
bool e2_orphans_stop(struct e2_super *sb);
/* True if every orphan there is stands in a list on the device. */
bool e2_orphans_are_safe(struct e2_super *sb);
bool e2_orphans_are_none(struct e2_super *sb);
void e2_orphans_commit(struct e2_super *sb);
void e2_orphans_durable(struct e2_super *sb, uint64_t epoch);

/* ---- csum.c ------------------------------------------------------------------ */
uint16_t e2_crc16(uint16_t seed, const void *data, size_t len);
uint32_t e2_super_csum(const void *ds);
void e2_super_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
/* Seed of everything that belongs to an inode. */
uint32_t e2_inode_seed(const struct e2_super *sb, uint32_t ino, uint32_t generation);
bool e2_inode_csum_ok(const struct e2_super *sb, uint32_t ino, const uint8_t *raw);
/* marks: bit n set where inodes n, n + 64, ... of the block were changed by us. */
void e2_itable_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
uint16_t e2_desc_csum(const struct e2_super *sb, uint32_t group, const uint8_t *desc);
uint32_t e2_bitmap_csum(const struct e2_super *sb, const uint8_t *bits, uint32_t nbits);
bool e2_orphan_block_ok(const struct e2_super *sb, uint64_t pblk, uint32_t ino, uint32_t generation, const uint8_t *data);
void e2_orphan_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);

#endif
