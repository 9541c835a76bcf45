/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat.h: the FAT driver's volume and nodes, and the contracts between its
 * files.  How a commit is ordered and why is in docs/DESIGN.md, "FAT".
 *
 * Units: a position is a byte offset on the volume divided by 32 (a directory
 * entry's place); clusters are numbered as on disk, 2 to clusters + 1; phases
 * are FAT_PHASE_*.
 *
 * Locks: node locks are the library's (fuseblk.h).  Below them, in this order:
 * index lock of a directory -> ino table's -> allocator's -> entry_lock.
 * Buffers' own locks are inside the library.
 */
#ifndef FAT_FAT_H
#define FAT_FAT_H

#include <pthread.h>
#include "disk.h"
#include "fuseblk.h"
#include "name.h"

/* ---- phases of a commit ---------------------------------------------- */

/*
 * FRESH: new chains whole, with their end; new directory clusters; long slots
 *   that are in another block than their short entry; times and attributes;
 *   clusters whose freeing epoch is durable; FSINFO.
 * LINK: the end of a durable chain linked to a new one.
 * ADD: entries added (short entry, and long slots of its block); first
 *   cluster and size of an entry grown.
 * SWITCH: a rename inside one block; an entry that comes to lead elsewhere.
 * REMOVE: entries removed; sizes shrunk, first cluster taken away.
 * CUT: the end mark in a chain whose size shrank; links of a chain that lost
 *   something in this epoch; long slots of removed entries in other blocks.
 * REGROW: size grown of a file that lost something in this epoch.
 */
enum fat_phase {
	FAT_PHASE_FRESH = 0,
	FAT_PHASE_LINK = 1,
	FAT_PHASE_ADD = 2,
	FAT_PHASE_SWITCH = 3,
	FAT_PHASE_REMOVE = 4,
	FAT_PHASE_CUT = 5,
	FAT_PHASE_REGROW = 6,
};

/* ---- options.c ------------------------------------------------------- */

enum fat_nfs { FAT_NFS_NONE, FAT_NFS_STALE_RW, FAT_NFS_NOSTALE_RO };

struct fat_options {
	uint64_t uid, gid;		/* UINT64_MAX: of the process that mounts */
	char *umask_text, *fmask_text, *dmask_text, *allow_utime_text;	/* octal */
	uint32_t fmask, dmask, allow_utime;	/* settled by fat_options_settle() */
	char *codepage, *iocharset, *tz;
	uint64_t time_offset_minutes;	/* see time_offset_text */
	char *time_offset_text;		/* signed minutes */
	int utf8, uni_xlate, nonumtail, usefree, quiet, showexec, sys_immutable, flush, rodir;
	int discard, dots, dos1xfloppy, debug;
	int shortname;			/* enum fat_shortname */
	int check;			/* 0 relaxed, 1 normal, 2 strict */
	int errors;			/* enum fuseblk_errors, -1: remount-ro */
	int nfs;			/* enum fat_nfs */
	struct fat_zone *zone;		/* settled */
	struct fat_names *names;	/* loaded by fat_prepare() */
	struct {			/* as parsed: index of the value's spelling, -1: not given */
		int utf8, uni_xlate, nonumtail, check, nfs;
	} given;
};

extern const struct fuseblk_option fat_option_table[];
void fat_options_init(void *options);
/* Check and settle what the table could not: masks, zone. Opens files (tz=). 0 or -EINVAL with a line in @why. */
int fat_options_settle(struct fat_options *o, char *why, size_t why_size);
/* Free the strings and the zone. */
void fat_options_fini(struct fat_options *o);

/* ---- boot.c: pure ----------------------------------------------------- */

struct fat_geometry {
	unsigned bits;			/* 12, 16, 32 */
	uint32_t sector_size;		/* bytes: 512..4096, the cache's block */
	uint32_t cluster_size;		/* bytes, a power of two */
	unsigned cluster_shift;
	uint32_t clusters;		/* on the volume */
	uint64_t fat_start;		/* bytes: the table that is read */
	uint64_t fat_size;		/* bytes between tables */
	unsigned fat_copies;		/* others that mirror it, at fat_start + k * fat_size, k = 1.. ; 0 with FAT32_NO_MIRROR */
	uint64_t root_start;		/* bytes: FAT12/16 */
	uint32_t root_slots;		/* FAT12/16: entries of the fixed root directory; 0: FAT32 */
	uint32_t root_cluster;		/* FAT32 */
	uint64_t data_start;		/* bytes: cluster 2 */
	uint64_t fsinfo;		/* bytes, 0: none */
	uint64_t backup;		/* bytes: FAT32's copy of the boot sector, 0: none */
	uint64_t volume_size;		/* bytes the boot sector claims */
	uint32_t tail;			/* byte offset of struct fat_boot_tail in the boot sector */
	uint32_t serial;
	bool has_tail;			/* serial and label in the boot sector are valid */
	bool dirty;			/* the boot sector says: not cleanly unmounted */
	uint8_t label[11];		/* of the boot sector, space padded */
	uint8_t media;
};
/*
 * Parse and validate the whole boot sector.  @device_size and
 * @device_sector in bytes.  @dos1x: a floppy of a DOS 1 size without
 * parameters may be assumed (option dos1xfloppy).  Returns 0, or -EINVAL with
 * the reason, naming the field, in @why: nothing is assumed of the bytes.
 */
int fat_boot_parse(const uint8_t sector[512], uint64_t device_size, uint32_t device_sector, bool dos1x,
		   struct fat_geometry *geo, char *why, size_t why_size);

/* ---- time.c: pure once the zone is loaded ----------------------------- */

struct fat_zone;			/* how local time on the disk relates to UTC */
/*
 * @tz NULL: the kernel's zone (settimeofday), "UTC", or a name of the zone
 * data (with daylight saving); @offset_minutes (time_offset=) when
 * @has_offset, subtracted from local time to get UTC.  Loads files.
 * A local time that came twice, when clocks were put back, is the first of
 * the two; one that clocks put forward left out is that much later.
 * 0, -ENOMEM, or -EINVAL with the reason in @why.
 */
int fat_zone_open(const char *tz, bool has_offset, int offset_minutes, struct fat_zone **out, char *why, size_t why_size);
void fat_zone_close(struct fat_zone *zone);
/* @cs: 10 ms units, 0..199, 0 where the field has none. @time 0 and @date 0 and nonsense give the nearest valid time (1980-01-01). Threads: any. */
void fat_time_decode(const struct fat_zone *zone, uint16_t time, uint16_t date, uint8_t cs, struct timespec *out);
/* Clamped to 1980..2107; @cs may be NULL (then rounded down to 2 s); @time may be NULL (date only). */
void fat_time_encode(const struct fat_zone *zone, const struct timespec *t, uint16_t *time, uint16_t *date, uint8_t *cs);
/* What @t becomes on disk and back: 2 s for mtime, 10 ms for btime, the day for atime. */
enum fat_stamp { FAT_STAMP_MTIME, FAT_STAMP_ATIME, FAT_STAMP_BTIME };
void fat_time_round(const struct fat_zone *zone, enum fat_stamp which, struct timespec *t);

/* ---- the volume -------------------------------------------------------- */

struct fat_volume {
	struct fuseblk_volume *vol;
	struct fat_geometry geo;
	struct fat_options *options;	/* the library's copy, lives as long as the volume */
	struct fat_names *names;
	struct fat_alloc *alloc;	/* alloc.c */
	struct fat_inos *inos;		/* inos.c */
	struct fat_indexes *indexes;	/* index.c */
	/*
	 * Fields of short entries (attributes, times, start, size) change
	 * under the file's node lock while the directory is read under its
	 * own: writers of fields hold this exclusively, whoever copies slots
	 * out of a buffer holds it shared.  Innermost; no I/O under it.
	 */
	pthread_rwlock_t entry_lock;
	bool was_dirty;			/* found not cleanly unmounted */
	_Atomic unsigned refused_names;	/* bits of enum fat_name_fault logged already */
	_Atomic bool damaged;		/* corruption was met: the volume is not marked clean */
	_Atomic uint64_t link_epoch, switch_epoch, cut_epoch;	/* FAT12 only: see table.c */
};

static inline struct fat_volume *fat_of(const struct fuseblk_volume *vol)
{
	return fuseblk_private(vol);
}

/* ---- table.c: entries of the file allocation table ---------------------- */

/* Values in normal form, whatever the variant. */
#define FAT_FREE	0u
#define FAT_INVALID	1u		/* reserved or out of range */
#define FAT_BAD		0x0ffffff7u
#define FAT_EOC		0x0fffffffu

static inline bool fat_is_cluster(const struct fat_geometry *geo, uint32_t c)
{
	return c >= 2 && c - 2 < geo->clusters;
}

/* The device byte offset of cluster @c, which is_cluster. */
static inline uint64_t fat_cluster_off(const struct fat_geometry *geo, uint32_t c)
{
	return geo->data_start + ((uint64_t)(c - 2) << geo->cluster_shift);
}

/* Read cluster @c's entry, present content. May block. 0, -EIO, -EINVAL (@c is no cluster). Any thread. */
int fat_table_get(struct fat_volume *fat, uint32_t c, uint32_t *value);
/*
 * Change it, in all copies, in @phase.  Only inside a change.  FAT32: the top
 * four bits stay.  FAT12: entries share bytes, so that LINK, SWITCH and CUT
 * changes must not meet in one epoch; fat_table_may() says so first.
 * 0 or -EIO (nothing changed), -EINVAL (@c is no cluster).
 */
int fat_table_set(struct fat_volume *fat, uint32_t c, uint32_t value, enum fat_phase phase);
/* Before an operation that will set entries in @phase: 0, or -FUSEBLK_EAGAIN_COMMIT (FAT12). Notes the epoch. */
int fat_table_may(struct fat_volume *fat, enum fat_phase phase);
/* Entry 1's "cleanly unmounted" bit (FAT16, FAT32; elsewhere nothing): read, set. */
int fat_table_is_clean(struct fat_volume *fat, bool *clean);
int fat_table_set_clean(struct fat_volume *fat, bool clean);

/* ---- alloc.c: free clusters -------------------------------------------- */

/*
 * Start without reading the table: FSINFO's hint is taken if it is valid
 * (usefree: its count too).  Memory bounded: counts per part of the table,
 * loaded when first used, which also compares the copies and reports a
 * disagreement (fuseblk_corrupt).
 */
int fat_alloc_open(struct fat_volume *fat);
void fat_alloc_close(struct fat_volume *fat);
/*
 * Up to @want contiguous clusters, at @goal if that is free (0: anywhere),
 * linked to each other and ended, in FRESH.  Inside a change.  Returns 0 with
 * *start and *count >= 1, or -ENOSPC, -EIO.
 */
int fat_alloc_run(struct fat_volume *fat, uint32_t goal, uint32_t want, uint32_t *start, uint32_t *count);
/*
 * The chain that begins at @start (@count clusters of it, UINT32_MAX: to its
 * end) lost its last reference in this change.  It is free for statfs at once
 * and for use once the epoch is durable (fat_alloc_durable); bounded by the
 * volume whatever the table says.  Never fails: what cannot be remembered
 * leaks, and is logged.
 */
void fat_alloc_free_later(struct fat_volume *fat, uint32_t start, uint32_t count);
void fat_alloc_durable(struct fat_volume *fat, uint64_t epoch);
/* Free clusters, those waiting included. May read the whole table the first time, interruptibly. 0, -EIO, -EINTR. */
int fat_alloc_count(struct fat_volume *fat, uint64_t *free_clusters);
/* As far as is known without reading; for ->available. */
uint64_t fat_alloc_estimate(struct fat_volume *fat);
/* Write FSINFO (free count if known, next). In ->commit and ->stop. */
int fat_alloc_store(struct fat_volume *fat);

/* ---- nodes --------------------------------------------------------------- */

struct fat_run { uint32_t index, start, count; };	/* clusters: in the file, on the volume, how many */

#define FAT_RUNS 96
/* A cluster chain and what is known of it. Under the node's lock; chain_lock where shared holders learn. */
struct fat_chain {
	uint32_t start;			/* 0: empty */
	uint32_t clusters;		/* its length where known, else UINT32_MAX */
	uint16_t count;			/* of runs */
	struct fat_run *runs;		/* up to FAT_RUNS known runs by index, with gaps; NULL: none yet */
	uint32_t tail;			/* last cluster where clusters is known and not 0 */
};

struct fat_node {
	struct fat_chain chain;
	pthread_mutex_t chain_lock;	/* chain.runs, .count, .clusters, .tail */
	uint64_t pos;			/* of its short entry; 0: root, or no name */
	uint64_t size;			/* bytes; directories: 0, see fat_dir_size() */
	uint8_t attr, lcase;
	uint16_t mdate, mtime, adate, bdate, btime;
	uint8_t btime_cs;
	struct timespec root_time;	/* root only: times are not stored */
	bool is_root, is_dir, unlinked;
	bool is_program;		/* EXE, COM or BAT: for showexec */
	/* ordering, all of the epoch they name (docs/DESIGN.md) */
	uint64_t fresh_epoch;		/* the whole chain was allocated in it */
	uint64_t lost_epoch;		/* the chain lost a part in it */
	uint32_t lost_size;		/* the size that its REMOVE phase shows */
	uint64_t floor_epoch;		/* in it, start and size, times and attributes are written ... */
	uint8_t floor_phase;		/* ... in no phase below this */
	uint64_t swap_epoch;		/* until its REMOVE, the entry leads to what this changed places with: rename_swap.c */
	uint64_t split_epoch;		/* a link in the chain changes in its SWITCH: rename_copy.c */
	/* directories: index.c */
	struct fat_index *index;
	struct fat_removed *removed;
	uint64_t cleared_epoch;		/* add.c: the epoch in which something behind the end mark was cleared */
	/* preallocated clusters beyond the size are with inos.c: fat_ino_spare */
};

static inline struct fat_node *fat_node(struct fuseblk_node *node)
{
	return fuseblk_node_data(node);
}

/* ---- chain.c --------------------------------------------------------------- */

void fat_chain_init(struct fat_chain *chain, uint32_t start);
void fat_chain_fini(struct fat_chain *chain);
/*
 * The run that covers cluster @index of the file, clipped to begin there:
 * out->index == @index, out->count >= 1, at most @want.  S or X.  0; -ENOENT:
 * past the end; -EUCLEAN: a loop, a link to a free, bad or impossible cluster
 * (reported); -EIO; -EINTR (a long walk).  Cost: O(1) on the way forward, O(length / FAT_RUNS) at random.
 */
int fat_chain_find(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t index, uint32_t want,
		   struct fat_run *out);
/* Its whole length in clusters. As find. */
int fat_chain_length(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t *clusters);
/*
 * X, C.  Append up to @want clusters (at least one), contiguous with the end
 * where possible: from the node's spare ones, else newly allocated.  Links in
 * the right phase; where the chain was empty the entry's start is written
 * (fat_entry_set_start).  @added: the run that was appended.  0, -ENOSPC,
 * -EIO, -EUCLEAN, -FUSEBLK_EAGAIN_COMMIT (nothing changed).
 */
int fat_chain_append(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t want, struct fat_run *added);
/* X, C. Keep the first @clusters, free the rest later; the size was lowered before. */
int fat_chain_cut(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t clusters);

/* ---- entry.c: the short entry of a node ------------------------------------- */

/* Write the node's size to its entry (files), start, times or attributes as the node has them, in the right phase. X, C. No entry: nothing. 0, -EIO. */
int fat_entry_set_size(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size);	/* sets node->size too */
int fat_entry_set_start(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t start);
/* Truncated to nothing: start 0 and size 0 in one write; from then on the chain is fresh. */
int fat_entry_clear(struct fuseblk_volume *vol, struct fuseblk_node *node);
int fat_entry_set_meta(struct fuseblk_volume *vol, struct fuseblk_node *node);	/* attr and times */
/* The phase in which a change of start or size is written: growing or shrinking. */
enum fat_phase fat_entry_phase(struct fuseblk_volume *vol, struct fat_node *n, bool grows);
uint32_t fat_entry_start(const struct fat_geometry *geo, const struct fat_dirent *de);
void fat_entry_put_start(const struct fat_geometry *geo, struct fat_dirent *de, uint32_t start);
/* Read the entry at @pos, under entry_lock. */
int fat_entry_read(struct fat_volume *fat, uint64_t pos, struct fat_dirent *de);
/* Is (or was, in a phase of the open epoch's commit) the entry at @pos absent from the device: was it added in this epoch? */
int fat_entry_is_new(struct fat_volume *fat, uint64_t pos, bool *is_new);

/* ---- inos.c: inode numbers --------------------------------------------------- */

/*
 * An inode's number is the position of its short entry, unless the entry
 * moved (rename) or the number is still used by something that moved or was
 * unlinked: then a record here says so.  Records go once nobody refers to the
 * inode.  The root is 1.  Numbers of records without a position of their own
 * are from 2^62 up.  All functions: any thread, own lock, no I/O.
 */
struct fat_held {			/* an inode without an entry (unlinked and open), as ->load needs it */
	uint32_t start;
	uint64_t size;
	uint8_t attr;
	uint16_t mdate, mtime, adate, bdate, btime;
	uint8_t btime_cs;
};
/* entry.c: what is kept of the node as it is. */
void fat_node_hold(const struct fat_node *n, struct fat_held *held);
int fat_inos_open(struct fat_volume *fat);
void fat_inos_close(struct fat_volume *fat);
uint64_t fat_ino_at(struct fat_volume *fat, uint64_t pos);
/* The number for an entry just made at @pos. */
int fat_ino_new(struct fat_volume *fat, uint64_t pos, uint64_t *ino);
/* Make sure that the next @count of move, unlink and new cannot fail. 0 or -ENOMEM. */
int fat_ino_reserve(struct fat_volume *fat, unsigned count);
void fat_ino_move(struct fat_volume *fat, uint64_t ino, uint64_t to);
/* Two inodes change places. */
void fat_ino_swap(struct fat_volume *fat, uint64_t a, uint64_t b);
void fat_ino_unlink(struct fat_volume *fat, uint64_t ino, const struct fat_held *held);
void fat_ino_update(struct fat_volume *fat, uint64_t ino, const struct fat_held *held);	/* of an unlinked one */
/* Where @ino is: 0 with *pos, or 1 with *held (unlinked), or -ESTALE. */
int fat_ino_find(struct fat_volume *fat, uint64_t ino, uint64_t *pos, struct fat_held *held);
/* A node of @ino was loaded, or unloaded: between the two its number stays. */
void fat_ino_loaded(struct fat_volume *fat, uint64_t ino, bool loaded);
/* The inode is gone (->free). */
void fat_ino_drop(struct fat_volume *fat, uint64_t ino);
/*
 * Clusters allocated for @ino beyond its size by fallocate KEEP_SIZE: a chain
 * of its own that nothing on disk refers to.  get/set under the node's lock X.
 */
struct fat_spare { uint32_t start, count; };
void fat_ino_spare_get(struct fat_volume *fat, uint64_t ino, struct fat_spare *spare);
int fat_ino_spare_set(struct fat_volume *fat, uint64_t ino, const struct fat_spare *spare);	/* count 0: none */
/* In ->commit (with @all in ->stop): free the spare clusters of inodes that nobody refers to any more. */
void fat_inos_release_spares(struct fat_volume *fat, bool all);

/* ---- operations, by file ------------------------------------------------------- */

/* open.c */
int fat_prepare(void *options, char *error, size_t error_size);
int fat_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info);
void fat_close(struct fuseblk_volume *vol);
/* super.c */
int fat_start(struct fuseblk_volume *vol);
int fat_stop(struct fuseblk_volume *vol);
int fat_commit(struct fuseblk_volume *vol);
void fat_durable(struct fuseblk_volume *vol, uint64_t epoch);
void fat_mark_error(struct fuseblk_volume *vol);
int fat_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out);
uint64_t fat_available(struct fuseblk_volume *vol);
/* trim.c */
int fat_trim(struct fuseblk_volume *vol, uint64_t start, uint64_t len, uint64_t minlen, uint64_t *trimmed);
/* inode.c */
int fat_load(struct fuseblk_volume *vol, struct fuseblk_node *node);
void fat_unload(struct fuseblk_volume *vol, struct fuseblk_node *node);
int fat_free(struct fuseblk_volume *vol, struct fuseblk_node *node);
/* attr.c */
int fat_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out);
int fat_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid, const struct fuseblk_attr *attr);
/* Times of a directory that changed: mtime (and for the root in memory). X, C. */
int fat_touch(struct fuseblk_volume *vol, struct fuseblk_node *dir);
/* map.c */
int fat_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	    enum fuseblk_map_mode mode, const struct fuseblk_caller *who, struct fuseblk_extent *ext, unsigned max);
int fat_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size);
/* truncate.c */
int fat_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size);
int fat_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size,
		 const struct fuseblk_caller *who);
/* namei.c, readdir.c, rename.c */
int fat_lookup(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, uint64_t *ino);
int fat_spelling(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, char *stored, size_t size);
int fat_readdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t cookie, fuseblk_fill_fn fill, void *ctx);
int fat_create(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	       const struct fuseblk_create *what, const struct fuseblk_caller *who, uint64_t *ino);
int fat_unlink(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node);
int fat_rmdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node);
int fat_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	       struct fuseblk_node *newdir, const char *newname, size_t newlen,
	       struct fuseblk_node *node, struct fuseblk_node *target, uint32_t flags, const struct fuseblk_caller *who);
/* xattr.c, ioctl.c, label.c */
ssize_t fat_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, void *value, size_t size);
ssize_t fat_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list, size_t size, bool root);
int fat_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, const void *value, size_t size, uint32_t flags);
int fat_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name);
extern const struct fuseblk_ioctl fat_ioctls[];
/* Label of the root directory's label entry, else of the boot sector, as bytes of the mount; "" if none. */
int fat_label_get(struct fat_volume *fat, char *text, size_t size);
int fat_label_set(struct fuseblk_volume *vol, struct fuseblk_node *root, const char *text, size_t len);	/* C, root X */

extern const struct fuseblk_driver fat_driver;

#endif
