/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ext2.h: the driver's view of a volume and of an inode in use, and the
 * functions its files offer each other.
 *
 * Locks: the library holds the node locks (fuseblk.h).  The driver's own:
 * e2_group.lock for a group's bitmaps and descriptor (one at a time, a
 * leaf but for buffer locks); e2_super.orphan_lock; e2_super.lib_lock around
 * libext2fs.  Nothing here waits for I/O with a group lock held except the
 * first load of that group's bitmaps.
 *
 * Crash safety: docs/DESIGN.md, "The phases of ext2".
 */
#ifndef E2_EXT2_H
#define E2_EXT2_H

#include <pthread.h>
#include <stdatomic.h>
#include "fuseblk.h"
#include "disk.h"

/* Phases of a commit; see docs/DESIGN.md */
#define E2_FRESH	FUSEBLK_FRESH
#define E2_ADD		1u
#define E2_RAISE	2u	/* + level */
#define E2_SWITCH	62u
#define E2_LOWER	63u	/* + level */
#define E2_REMOVE	127u
#define E2_MAX_LEVEL	59u

#define E2_ITABLE_WINDOWS 128	/* of 64 KiB: a third of the metadata cache */

#define E2_REFUSED_TEXTS 6

struct e2_options {
	uint64_t sb;			/* superblock, in 1 KiB units; 0: the usual place */
	uint64_t resuid, resgid;	/* UINT64_MAX: as in the superblock */
	int errors;			/* enum fuseblk_errors, or -1: as in the superblock */
	int grpid, minixdf, discard, norecovery;	/* grpid, discard: -1 as in the superblock; resolved in e2_super.options */
	int acl, user_xattr;		/* default on */
	int nouid32;			/* owners are the low 16 bits only; -1 as in the superblock */
	int data, check;		/* options.c */
	int refused;			/* index of an option that cannot be honoured, 0: none; options.c */
	char *refused_text[E2_REFUSED_TEXTS];	/* what followed the '=' of others */
};

/* Counters are read without the lock to choose a group; all else is guarded by it. */
struct e2_group {
	pthread_mutex_t lock;
	uint64_t block_bitmap, inode_bitmap, inode_table;	/* block numbers, checked; constant */
	_Atomic uint32_t free_blocks, free_inodes, used_dirs;
	uint32_t itable_unused;		/* inodes at the table's end that were never used */
	uint32_t block_hint, inode_hint;	/* bit numbers: look here first; no free inode below inode_hint */
	uint16_t flags;			/* E2_BG_* */
	bool blocks_counted, inodes_counted;	/* free_* were compared with the bitmap */
	bool bad;			/* a bitmap is damaged: nothing is allocated or freed here */
	bool dirty;			/* on e2_super.dirty_groups; the buffers below are held until the commit */
	struct e2_group *dirty_next;
	struct fuseblk_buf *desc_buf, *block_buf, *inode_buf;
};

struct e2_super {
	struct fuseblk_volume *vol;
	struct e2_options options;
	uint32_t block_size, block_bits;
	uint64_t blocks_count;
	uint32_t first_data_block, inodes_count, first_ino;
	uint32_t blocks_per_group, inodes_per_group, groups_count;
	uint32_t inode_size, want_extra_isize, desc_size;
	uint32_t compat, incompat, ro_compat;
	uint32_t csum_seed;		/* metadata_csum */
	uint8_t uuid[16];
	uint32_t hash_seed[4];
	uint8_t def_hash_version;	/* 0 legacy, 1 half MD4, 2 TEA; +3 if hash_unsigned */
	bool hash_unsigned;
	bool gdt_csum;			/* gdt_csum or metadata_csum: descriptors have checksums and UNINIT flags */
	bool metadata_csum;
	uint64_t reserved_blocks;	/* for root, resuid, resgid; and what the kernel keeps for itself */
	_Atomic int64_t free_blocks, free_inodes;	/* free for use now */
	_Atomic int64_t pending_blocks, pending_inodes;	/* freed, not yet durable */
	struct e2_group *groups;
	pthread_mutex_t dirty_lock;	/* inside e2_group.lock */
	struct e2_group *dirty_groups;	/* descriptor and bitmap checksums owed at the commit */
	struct e2_range *meta;		/* fixed metadata, sorted, merged, constant */
	size_t meta_count;
	uint32_t inodes_per_block, itable_blocks;
	uint32_t desc_per_block, desc_blocks, first_meta_bg, reserved_gdt, backup_groups[2];
	uint32_t cluster_bits;		/* bigalloc: log2 of blocks per cluster */
	uint64_t overhead;		/* blocks that statfs does not count, unless minixdf */
	uint16_t mount_state;		/* s_state when ->start ran */
	uint16_t resuid, resgid;	/* of the superblock */
	_Atomic uint64_t itable_windows[E2_ITABLE_WINDOWS];	/* of the inode table, lately looked into: inode.c */
	uint64_t sb_block;		/* where the superblock in use lies */
	bool started;			/* ->start has marked the volume */
	int stop_tries;
	struct fuseblk_buf *sb_buf;	/* the block that holds the superblock, kept */
	uint32_t sb_offset;		/* of the superblock in it */
	/* orphans, deferred frees, held slots: each file's own, private to it */
	struct e2_orphans *orphans;
	struct e2_freed *freed;
	struct e2_held *held;
	pthread_mutex_t lib_lock;
	_Atomic uint32_t next_generation;
};

#define E2_FRESH_RUNS 8

struct e2_names;

/* Private part of a node.  Guarded by the node lock unless said otherwise. */
struct e2_inode {
	struct e2_super *sb;
	struct fuseblk_node *node;
	uint32_t ino;
	uint64_t itable_block;		/* where the raw inode lies */
	uint32_t itable_offset;
	uint16_t mode;
	uint16_t links;			/* as on disk; 1 may mean "many" for directories (dir_nlink) */
	uint32_t uid, gid, flags, generation, projid;
	uint64_t size, blocks;		/* bytes; 512-byte units, tree and xattr blocks included */
	uint64_t file_acl;		/* xattr block or 0 */
	uint64_t version;
	uint16_t extra_isize;
	struct timespec atime, mtime, ctime, crtime;
	uint8_t i_block[60];		/* map root, fast symlink, device numbers, inline data */
	/* state of the present epoch; meaningless once it is durable */
	uint64_t new_epoch;		/* created in this epoch (0: not) */
	uint32_t raise_level;		/* level used when created */
	uint64_t removed_epoch;		/* the map lost something in this epoch */
	uint64_t lower_epoch;		/* something below this directory was killed in this epoch, at most at lower_level */
	uint32_t lower_level;
	uint64_t xattr_epoch;		/* attributes changed in this epoch, at last in xattr_phase */
	uint8_t xattr_phase;
	/* dir.c */
	uint64_t dir_free_hint;		/* linear directory: block to try first for a new name */
	uint64_t dir_moved_epoch;	/* a directory moved out of this one in this epoch */
	uint64_t dir_probe;		/* and where to look for freed room next */
	_Atomic(struct e2_names *) dir_names;	/* long linear directory: names.c; freed by e2_dir_unload() */
	_Atomic bool dir_names_failed;	/* there will be no table */
	/* map.c: the last extent found, to save tree walks; own lock because reads share the node */
	pthread_spinlock_t map_lock;
	struct fuseblk_extent map_cache;
	uint64_t alloc_goal;		/* block after the last one given to this file */
	/* map_fill.c: what map(WRITE) gave to the file and ->written has not confirmed; of fresh_epoch */
	struct { uint32_t lblk, len; } fresh[E2_FRESH_RUNS];
	uint32_t fresh_count;
	uint64_t fresh_epoch;
};

static inline struct e2_super *e2_sb(struct fuseblk_volume *vol)
{
	return fuseblk_private(vol);
}

static inline struct e2_inode *e2_i(struct fuseblk_node *node)
{
	return fuseblk_node_data(node);
}

static inline bool e2_has_incompat(const struct e2_super *sb, uint32_t f)
{
	return (sb->incompat & f) != 0;
}

static inline bool e2_has_ro(const struct e2_super *sb, uint32_t f)
{
	return (sb->ro_compat & f) != 0;
}

static inline bool e2_has_compat(const struct e2_super *sb, uint32_t f)
{
	return (sb->compat & f) != 0;
}

/* Corruption of inode @ino (0: the volume): logs, applies errors=, returns -EUCLEAN. */
#define e2_corrupt(sb, ino, ...) fuseblk_corrupt((sb)->vol, (ino), __VA_ARGS__)

/* ---- super.c, features.c, group.c, csum.c ------------------------------ */
int e2_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info);
void e2_close(struct fuseblk_volume *vol);
int e2_start(struct fuseblk_volume *vol);
int e2_stop(struct fuseblk_volume *vol);
int e2_commit(struct fuseblk_volume *vol);
void e2_durable(struct fuseblk_volume *vol, uint64_t epoch);
void e2_mark_error(struct fuseblk_volume *vol);
int e2_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out);
bool e2_may_use_reserved(struct fuseblk_volume *vol, uint32_t uid, uint32_t gid);
uint64_t e2_available(struct fuseblk_volume *vol);
/* Is [block, block+count) inside the volume and outside all fixed metadata (superblocks, descriptors, bitmaps, inode tables)? Pure; every pointer read from disk goes through it. */
bool e2_block_is_data(const struct e2_super *sb, uint64_t block, uint64_t count);
/* Set a read-only-compatible feature at run time (large_file, dir_nlink): writes it, FRESH. C. */
void e2_set_ro_feature(struct e2_super *sb, uint32_t bit);
uint32_t e2_crc32c(uint32_t seed, const void *data, size_t len);
/* Group descriptor access: where it lies, and a locked edit that keeps e2_group and the descriptor equal. See group.c. */
uint64_t e2_group_block_bitmap(struct e2_super *sb, uint32_t group);
uint64_t e2_group_inode_bitmap(struct e2_super *sb, uint32_t group);
uint64_t e2_group_inode_table(struct e2_super *sb, uint32_t group);

/* ---- balloc.c, ialloc.c ------------------------------------------------- */
/*
 * Allocate up to *@count blocks in a run near @goal (0: none): marks them
 * used (FRESH), invalidates cached copies, stores the first in @block and how
 * many in *@count (>= 1).  @reserve: may use the reserved blocks.  C.
 * Returns 0, -ENOSPC, -FUSEBLK_EAGAIN_COMMIT (only freed, not yet durable
 * blocks are left), -EIO, -EUCLEAN.
 */
int e2_blocks_alloc(struct e2_super *sb, uint64_t goal, uint32_t *count, bool reserve, uint64_t *block);
/* Free a run: it becomes free in the bitmaps when this epoch is durable. Never fails for lack of memory visibly: a range that cannot be remembered stays used until fsck (logged). C. */
void e2_blocks_free(struct e2_super *sb, uint64_t block, uint64_t count);
/* Blocks allocated in this change and not used after all: free again at once. No buffer of them was made (fuseblk_buf_new()), nothing was written to them; else use e2_blocks_free(). C. */
void e2_blocks_unalloc(struct e2_super *sb, uint64_t block, uint64_t count);
/* Undo of nothing else: allocate an inode near @dir (directories are spread, files stay in the directory's group), FRESH; the raw inode is not written. */
int e2_inode_alloc(struct e2_super *sb, const struct e2_inode *dir, bool is_dir, uint32_t *ino);
void e2_inode_free(struct e2_super *sb, uint32_t ino, bool is_dir);	/* deferred as blocks are */
void e2_inode_unalloc(struct e2_super *sb, uint32_t ino, bool is_dir);
/* The volume's label, at most 16 bytes, not NUL-terminated in the superblock. get: NUL-terminates @label[17]. set: FRESH, C; -EINVAL if longer. */
void e2_label_get(struct e2_super *sb, char label[17]);
int e2_label_set(struct e2_super *sb, const char *label, size_t len);
/* FITRIM */
int e2_trim(struct fuseblk_volume *vol, uint64_t start, uint64_t len, uint64_t minlen, uint64_t *trimmed);

/* ---- inode.c, attr.c, orphan.c ------------------------------------------ */
int e2_load(struct fuseblk_volume *vol, struct fuseblk_node *node);
void e2_unload(struct fuseblk_volume *vol, struct fuseblk_node *node);
int e2_free(struct fuseblk_volume *vol, struct fuseblk_node *node);
int e2_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out);
int e2_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid, const struct fuseblk_attr *attr);
/*
 * Write parts of the in-memory inode to its buffer.  C, node X.  Returns 0,
 * -EIO (reading the inode table).  Call e2_inode_pin() first where a failure
 * half way would be bad.
 */
int e2_store_meta(struct e2_inode *ei);		/* mode, owner, times, flags (but EXTENTS, INDEX, INLINE), generation, version, projid: FRESH */
/*
 * i_block, size, blocks, and the flags EXTENTS, INDEX, INLINE: one write.
 * @phase is E2_ADD or E2_REMOVE, and is turned into what DESIGN.md says:
 * FRESH for an inode of this epoch; REMOVE after a REMOVE of this epoch.
 */
int e2_store_map(struct e2_inode *ei, unsigned phase);
/* The phase a map change of @ei must be made in (the same rule, for blocks of its map tree that are not fresh). */
unsigned e2_map_phase(const struct e2_inode *ei, unsigned phase);
int e2_store_file_acl(struct e2_inode *ei, unsigned phase);	/* file_acl and blocks */
/* Link counts. add: +1/-1 between non-zero values (directories past 65000 with dir_nlink become 1). C, X. */
int e2_links_add(struct e2_inode *ei, int delta);
/*
 * Kill: the last name goes; link count 0 in LOWER (or in its RAISE phase if
 * created in this epoch), the inode joins the orphans.  @dir is the
 * directory that holds the name (its levels are updated), NULL for none.
 * For directories -FUSEBLK_EAGAIN_COMMIT if the level is too deep.
 */
int e2_links_kill(struct e2_inode *ei, struct e2_inode *dir);
/* An orphan (O_TMPFILE) gets its first name: link count 1 in RAISE. */
int e2_links_raise(struct e2_inode *ei, struct e2_inode *dir);
/* Bytes of the raw inode past the fixed part: in-inode xattr space. off/len within the inode; FRESH or as given. */
int e2_inode_body_read(struct e2_inode *ei, size_t off, void *dst, size_t len);
int e2_inode_body_write(struct e2_inode *ei, unsigned phase, size_t off, const void *src, size_t len);
/*
 * Make a new inode on disk: allocates, writes the raw inode (dead, FRESH;
 * link count in RAISE unless @links is 0: then it joins the orphans), gets its
 * node.  Ownership (grpid, setgid directories), times, inherited flags,
 * generation and inline/extent root (an empty map: extent header if the volume
 * has extents) are set.  The caller adds the name and puts the node; on a later
 * failure it calls e2_inode_unmake().  -FUSEBLK_EAGAIN_COMMIT: level too deep.
 */
int e2_inode_make(struct e2_super *sb, struct e2_inode *dir, const struct fuseblk_create *what,
		  const struct fuseblk_caller *who, uint16_t links, struct fuseblk_node **out);
void e2_inode_unmake(struct fuseblk_node *node);	/* also puts it */
/* Read the inode's block so that the store functions that follow cannot fail; a reference kept until unpin. */
int e2_inode_pin(struct e2_inode *ei, struct fuseblk_buf **pin);
void e2_touch(struct e2_inode *ei, bool mtime);	/* ctime (and mtime) = now, in memory; stored by the next store_meta */

/* ---- map.c, extent*.c, indirect.c, truncate.c, inline.c ------------------ */
int e2_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	   enum fuseblk_map_mode mode, const struct fuseblk_caller *who, struct fuseblk_extent *ext, unsigned max);
int e2_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size);
int e2_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size);
int e2_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size,
		const struct fuseblk_caller *who);
int e2_punch(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len);
int e2_read_inline(struct fuseblk_volume *vol, struct fuseblk_node *node, void *buf, uint64_t off, size_t len);
int e2_write_inline(struct fuseblk_volume *vol, struct fuseblk_node *node, const void *buf, uint64_t off, size_t len);
/* Block @lblk of a directory (or symlink, ea_inode): device block, 0 for a hole. Node at least S. */
int e2_map_block(struct e2_inode *ei, uint64_t lblk, uint64_t *pblk);
/* A slow symlink's or ea_inode's fresh file: allocate and map its blocks 0..n-1 (raw phase rules as above), size set. C. */
int e2_map_grow(struct e2_inode *ei, uint32_t nblocks, uint64_t size, bool reserve);
/*
 * Directories: give logical blocks new device blocks, all at one instant on
 * the device (one inode write, the map blocks on the way copied), raising the
 * size to @size.  Device blocks replaced are freed.  The new blocks' buffers
 * are fresh and filled already.  C, X.  Nothing is changed on failure.
 */
struct e2_remap { uint64_t lblk, pblk; };
int e2_map_switch(struct e2_inode *ei, const struct e2_remap *map, unsigned count, uint64_t size);
/* Free every block of the map (the inode is dead): tree blocks and data. May pause. C, X. */
int e2_map_free_all(struct e2_inode *ei);
uint64_t e2_max_file_size(const struct e2_super *sb, bool extents);

/* ---- dir*.c, htree*.c, hash.c, namei.c, rename.c, symlink.c, inline_dir.c - */
int e2_lookup(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, uint64_t *ino);
int e2_readdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t cookie, fuseblk_fill_fn fill, void *ctx);
int e2_create(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	      const struct fuseblk_create *what, const struct fuseblk_caller *who, uint64_t *ino);
int e2_tmpfile(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fuseblk_create *what,
	       const struct fuseblk_caller *who, uint64_t *ino);
int e2_link(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_node *dir, const char *name, size_t len);
int e2_unlink(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node);
int e2_rmdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node);
int e2_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	      struct fuseblk_node *newdir, const char *newname, size_t newlen,
	      struct fuseblk_node *node, struct fuseblk_node *target, uint32_t flags, const struct fuseblk_caller *who);
int e2_readlink(struct fuseblk_volume *vol, struct fuseblk_node *node, char *buf, size_t size);
void e2_dir_unload(struct e2_inode *dir);	/* memory that hangs on a directory; for e2_unload() */
/* Slots of directories not to be used again in this epoch: made by e2_open(), freed by e2_close() (also when there are none). */
int e2_held_new(struct e2_super *sb);
void e2_held_free(struct e2_super *sb);

/* ---- xattr*.c, acl.c, ioctl.c --------------------------------------------- */
ssize_t e2_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, void *value, size_t size);
ssize_t e2_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list, size_t size, bool root);
int e2_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, const void *value, size_t size, uint32_t flags);
int e2_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name);
/* system.data (inline_data): the part of a file or directory past i_block's 60 bytes. Space: greatest size the inode can hold now. */
ssize_t e2_xattr_data_get(struct e2_inode *ei, void *buf, size_t size);
int e2_xattr_data_set(struct e2_inode *ei, const void *buf, size_t size);	/* -ENOSPC: does not fit; size 0 keeps an empty one */
int e2_xattr_data_remove(struct e2_inode *ei);
ssize_t e2_xattr_data_space(struct e2_inode *ei);
/*
 * What the kernel leaves to the daemon (acl.c).  inherit: right after
 * e2_inode_make() of anything in @dir; the mode follows the default ACL, else
 * stays.  Stores mode and ACL; on failure the caller unmakes the inode.
 */
int e2_acl_inherit(struct e2_inode *dir, struct e2_inode *ei, const struct fuseblk_create *what);
/* The permission bits of ei->mode were changed by chmod: the access ACL follows. C, X. */
int e2_acl_chmod(struct e2_inode *ei);
/* All xattr storage goes with the inode (->free): the block's reference count, ea_inodes. */
int e2_xattr_free_all(struct e2_inode *ei);
extern const struct fuseblk_ioctl e2_ioctls[];

/* Verify or set checksums of directory blocks, extent blocks, xattr blocks: csum.c */
bool e2_dir_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block);
bool e2_dx_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block);
bool e2_extent_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block);
bool e2_xattr_csum_ok(const struct e2_super *sb, uint64_t pblk, const uint8_t *block);
/* Fixups for fuseblk_buf_set_fixup; tag = inode number | generation << 32 (xattr blocks: 0). */
void e2_dir_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
void e2_dx_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
void e2_extent_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
void e2_xattr_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image);
static inline uint64_t e2_tag(const struct e2_inode *ei)
{
	return ei->ino | (uint64_t)ei->generation << 32;
}

extern const struct fuseblk_operations e2_operations;
extern const struct fuseblk_driver e2_driver;
extern const struct fuseblk_option e2_option_table[];

#endif
