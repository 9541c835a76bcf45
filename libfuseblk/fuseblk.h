/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuseblk.h: the public interface of libfuseblk.
 *
 * A filesystem driver is a const struct fuseblk_driver handed to
 * fuseblk_main().  The driver maps names to inodes and byte ranges of files
 * to byte ranges of the device; the library speaks FUSE, keeps the nodes,
 * takes the locks, moves the bytes and commits the metadata.
 *
 * Rules every driver operation follows:
 *  - it returns 0 (or a count where said) or a negative errno; out parameters
 *    are written only on success;
 *  - it is called with the node locks its contract names already held, so
 *    that it needs locks of its own only around volume-wide state;
 *  - operations that change the volume run inside one change (see
 *    "Changes and commits"); when they return, everything they changed is in
 *    cache buffers, and no buffer lock or reference is left behind;
 *  - names are bytes, not NUL-terminated, 1..255 long, without '/' or NUL.
 */
#ifndef FUSEBLK_H
#define FUSEBLK_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

#define FUSEBLK_API __attribute__((visibility("default")))
#define FUSEBLK_PRINTF(f, a) __attribute__((format(printf, f, a)))

struct fuseblk_volume;	/* one mounted filesystem */
struct fuseblk_node;	/* an inode in use, with the driver's private part */
struct fuseblk_driver;

/* ------------------------------------------------------------------ */
/* Options                                                             */
/* ------------------------------------------------------------------ */

enum fuseblk_option_kind {
	FUSEBLK_OPT_FLAG,	/* "name": stores .value in an int */
	FUSEBLK_OPT_UINT,	/* "name=N": decimal, 0x or 0 prefixed, into a uint64_t */
	FUSEBLK_OPT_STRING,	/* "name=TEXT": into a char *, malloc'ed */
	FUSEBLK_OPT_CHOICE,	/* "name=WORD": index into .choices, into an int */
	FUSEBLK_OPT_IGNORE,	/* "name" or "name=anything": accepted, no effect */
};

struct fuseblk_option {
	const char *name;
	enum fuseblk_option_kind kind;
	size_t offset;			/* in the destination structure */
	int value;			/* FLAG: what to store */
	const char *const *choices;	/* CHOICE: NULL-terminated */
	uint64_t max;			/* UINT: greatest value, 0 = no limit */
	const char *help;		/* one line, for the manual and --help */
};

/*
 * Parse the comma-separated option string @text by the NULL-name-terminated
 * @table into @dst.  A value may be double-quoted to hold commas; inside
 * quotes and out, a backslash takes the next byte as it is.
 * Returns 0, or -EINVAL with a one-line reason naming the option in @error.
 * On failure @dst may be partly filled; strings in it are the caller's to
 * free.
 */
FUSEBLK_API int fuseblk_options_parse(const struct fuseblk_option *table,
				      const char *text, void *dst,
				      char *error, size_t error_size);

/* ------------------------------------------------------------------ */
/* Attributes                                                          */
/* ------------------------------------------------------------------ */

/* fuseblk_attr.flags */
#define FUSEBLK_ATTR_IMMUTABLE	0x1u
#define FUSEBLK_ATTR_APPEND	0x2u
#define FUSEBLK_ATTR_NODUMP	0x4u
#define FUSEBLK_ATTR_COMPRESSED	0x8u
#define FUSEBLK_ATTR_NOATIME	0x10u
#define FUSEBLK_ATTR_SYNC	0x20u	/* writes of this file are synchronous */

struct fuseblk_attr {
	uint64_t ino;
	uint64_t size;			/* bytes */
	uint64_t blocks;		/* units of 512 bytes */
	struct timespec atime, mtime, ctime, btime;
	bool has_btime;
	uint32_t mode;			/* S_IFMT and permission bits */
	uint32_t nlink;
	uint32_t uid, gid;
	uint32_t rdev;			/* new encoding, as makedev(3) in 32 bits */
	uint32_t generation;
	uint32_t flags;			/* FUSEBLK_ATTR_* */
};

/* What setattr changes */
#define FUSEBLK_SET_MODE	0x01u
#define FUSEBLK_SET_UID		0x02u
#define FUSEBLK_SET_GID		0x04u
#define FUSEBLK_SET_ATIME	0x08u
#define FUSEBLK_SET_MTIME	0x10u
#define FUSEBLK_SET_CTIME	0x20u
/* the size is changed by ->truncate */

struct fuseblk_caller {
	uint32_t uid, gid, pid;		/* fsuid and fsgid; pid 0: the kernel itself */
	bool may_use_reserved;		/* filled by the library through ->may_use_reserved */
	uint64_t *cursor;		/* ioctls on an open directory, with info.dir_cursors: a number of this open's own, 0 until set; else NULL */
};

/* ------------------------------------------------------------------ */
/* Mapping                                                             */
/* ------------------------------------------------------------------ */

enum fuseblk_extent_type {
	FUSEBLK_EXTENT_HOLE,
	FUSEBLK_EXTENT_MAPPED,
	FUSEBLK_EXTENT_UNWRITTEN,	/* allocated, reads as zeros */
	FUSEBLK_EXTENT_INLINE,		/* inside the inode: use ->read_inline */
};

#define FUSEBLK_EXTENT_FRESH 0x1u	/* allocated by this call: device bytes are garbage */

struct fuseblk_extent {
	uint64_t offset;		/* in the file, bytes */
	uint64_t length;		/* bytes, > 0 */
	uint64_t device;		/* byte offset on the device; MAPPED, UNWRITTEN */
	enum fuseblk_extent_type type;
	uint32_t flags;
};

enum fuseblk_map_mode {
	FUSEBLK_MAP_READ,	/* look only */
	FUSEBLK_MAP_WRITE,	/* allocate what is missing; never answers HOLE */
};

/* ------------------------------------------------------------------ */
/* Driver operations                                                   */
/* ------------------------------------------------------------------ */

/* What the driver found when it opened the volume; filled by ->open. */
struct fuseblk_volume_info {
	uint64_t root_ino;
	uint32_t block_size;		/* of the cache: a power of two, 512..65536; set it with fuseblk_set_block_size() first */
	uint32_t root_mode;		/* S_IFDIR | permissions, for the mount */
	uint64_t max_file_size;		/* bytes; library answers EFBIG past it */
	uint32_t time_granularity;	/* ns, 1..1e9 */
	uint32_t name_max;		/* bytes */
	bool read_only;			/* the volume can be read but not written: see read_only_reason */
	char read_only_reason[160];	/* one line, logged once; "" where the user asked for ro */
	bool has_acl;			/* POSIX ACL in system.posix_acl_*; the kernel checks them */
	bool case_insensitive;		/* names other than the stored spelling also match: see FUSEBLK_RESPELLED */
	bool dir_cursors;		/* each open of a directory has a number for ioctls: fuseblk_caller.cursor */
	bool no_handles;		/* inodes cannot be found by number once forgotten: no NFS export, no open_by_handle_at */
	bool lazy_start;		/* ->start runs, durably, before the first change of the mount and not when it begins; without one neither does ->stop */
	bool no_holes;			/* a write that begins beyond the size is preceded by ->truncate to where it begins, which zeroes the gap */
	bool commit_on_close;		/* a commit starts when a file that was open for writing is closed; nobody waits for it */
	uint32_t io_size;		/* st_blksize: a power of two; 0: block_size */
	char label[64];			/* NUL-terminated; may hold any byte */
	char uuid[40];			/* text form, "" if none */
};

struct fuseblk_create {
	uint32_t mode;			/* S_IFMT and permission bits, umask applied by the library where the kernel left it */
	uint32_t unmasked;		/* permission bits before the umask, for directories with a default ACL, where none applies */
	uint32_t rdev;			/* device nodes */
	const char *target;		/* symlinks */
	size_t target_len;
};

struct fuseblk_statfs {
	uint64_t blocks, bfree, bavail;	/* units of bsize */
	uint64_t files, ffree;
	uint32_t bsize, frsize, namelen;
};

/* A name found by readdir.  Return true to go on, false when the reply is full (the name was not taken). */
typedef bool (*fuseblk_fill_fn)(void *ctx, const char *name, size_t len,
				uint64_t ino, unsigned char d_type,
				uint64_t next_cookie);

/* Who may issue an ioctl; the VFS checks nothing for FUSE. */
enum fuseblk_ioctl_who {
	FUSEBLK_IOCTL_ANYONE,
	FUSEBLK_IOCTL_OWNER,		/* the inode's owner or root */
	FUSEBLK_IOCTL_ROOT,		/* uid 0 (stands for CAP_SYS_ADMIN) */
};

struct fuseblk_ioctl {
	uint32_t cmd;
	enum fuseblk_ioctl_who who;
	bool changes;			/* runs in a change, node locked exclusively; refused with EROFS on a read-only volume */
	uint32_t in_size, out_size;	/* bytes expected from / returned to the caller */
	int (*run)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		   const struct fuseblk_caller *who, const void *in, void *out);
};

/*
 * On a volume that is case_insensitive, in place of 0: ->lookup found the name
 * stored in another spelling than the one given (other case, an alias, dots at
 * its end); ->create and ->rename stored another spelling than the new name
 * given.  The kernel is then told not to remember the spelling given.
 */
#define FUSEBLK_RESPELLED	1

#define FUSEBLK_RENAME_NOREPLACE 0x1u
#define FUSEBLK_RENAME_EXCHANGE	 0x2u
#define FUSEBLK_RENAME_WHITEOUT	 0x4u

#define FUSEBLK_XATTR_CREATE	0x1u
#define FUSEBLK_XATTR_REPLACE	0x2u

/*
 * Locks held, by column: V = nothing but the volume; S = node shared;
 * X = node exclusive; C = inside a change (may modify buffers).
 */
struct fuseblk_operations {
	/* V. Read and validate the volume, fill @info; @options is the parsed structure (driver->options_size bytes). */
	int (*open)(struct fuseblk_volume *vol, void *options,
		    struct fuseblk_volume_info *info);
	/* V. Undo open; called on every path after a successful open, after the last commit. */
	void (*close)(struct fuseblk_volume *vol);
	/* V, C. Before the first change of a read-write mount (or after remount rw): mark the volume in use, replay orphans. */
	int (*start)(struct fuseblk_volume *vol);
	/* V, C. At unmount or remount ro, after every other commit has succeeded: mark the volume clean. Committed by the library right after. */
	int (*stop)(struct fuseblk_volume *vol);
	/* V, C, all other changes excluded. Write lazily kept state (summary counts, orphan list) into buffers. Must not block on reads it could have done before. */
	int (*commit)(struct fuseblk_volume *vol);
	/* V, C. Epoch @epoch has become durable: what was freed in it may now be marked free. Runs before anyone waiting for the commit goes on. NULL: none. */
	void (*durable)(struct fuseblk_volume *vol, uint64_t epoch);
	/* V, C. Corruption was met (logged already): record it on disk where the format can. Called at most once. */
	void (*mark_error)(struct fuseblk_volume *vol);
	/* V. */
	int (*statfs)(struct fuseblk_volume *vol, struct fuseblk_statfs *out);
	/* V. May this caller (or, for write-back without a caller, this file's owner) use reserved space? NULL: uid 0 only. */
	bool (*may_use_reserved)(struct fuseblk_volume *vol, uint32_t uid, uint32_t gid);
	/* V. Bytes a caller without reserve may still allocate: below the library's threshold new opens are write-through. NULL: never. */
	uint64_t (*available)(struct fuseblk_volume *vol);

	/*
	 * Fill the private part of @node (zeroed, node_size bytes) from disk.
	 * Nobody else sees the node yet.  -ESTALE: no such inode in use;
	 * -EUCLEAN: damaged.
	 */
	int (*load)(struct fuseblk_volume *vol, struct fuseblk_node *node);
	/* Free what the private part points to; the node is clean and unused. */
	void (*unload)(struct fuseblk_volume *vol, struct fuseblk_node *node);
	/* X, C. The last name and the last kernel reference are gone (nlink 0): free the inode and its space. May pause. */
	int (*free)(struct fuseblk_volume *vol, struct fuseblk_node *node);
	/* S. */
	int (*getattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       struct fuseblk_attr *out);
	/* X, C. @valid: FUSEBLK_SET_*.  ctime is always among them unless only atime changes. */
	int (*setattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       uint32_t valid, const struct fuseblk_attr *attr);
	/* S. */
	int (*readlink)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			char *buf, size_t size);	/* returns the length */

	/* dir S. -ENOENT if absent. Or FUSEBLK_RESPELLED. */
	int (*lookup)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, uint64_t *ino);
	/* dir S. The stored spelling of what @name finds. Returns its length, -ENOENT, -ERANGE. case_insensitive volumes must have it. */
	int (*spelling)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
			const char *name, size_t len, char *stored, size_t size);
	/* dir S. Names from @cookie (0: the start, "." and ".." included) on; see fuseblk_fill_fn. */
	int (*readdir)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		       uint64_t cookie, fuseblk_fill_fn fill, void *ctx);
	/* dir X, C. Regular file, directory, symlink, device, FIFO or socket, by create->mode. -EEXIST. Updates dir's times and link count. Or FUSEBLK_RESPELLED. */
	int (*create)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len,
		      const struct fuseblk_create *what,
		      const struct fuseblk_caller *who, uint64_t *ino);
	/* dir S, C. An inode with no name (nlink 0), a regular file; freed by ->free unless linked. */
	int (*tmpfile)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		       const struct fuseblk_create *what,
		       const struct fuseblk_caller *who, uint64_t *ino);
	/* dir X, node X, C. */
	int (*link)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		    struct fuseblk_node *dir, const char *name, size_t len);
	/* dir X, node X, C. Removes a name of something that is not a directory. */
	int (*unlink)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, struct fuseblk_node *node);
	/* dir X, node X, C. -ENOTEMPTY. */
	int (*rmdir)(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		     const char *name, size_t len, struct fuseblk_node *node);
	/*
	 * Every node X (dirs may be the same node), C.  @target is NULL where
	 * the new name is free.  Loops (a directory into itself) are the
	 * kernel's check; types (dir over file ...) and ENOTEMPTY are the
	 * driver's.  WHITEOUT leaves a char device 0:0 under the old name.
	 * Where @newname finds @node itself in another spelling (or under an
	 * alias), @target is NULL: the spelling changes.  Or FUSEBLK_RESPELLED.
	 */
	int (*rename)(struct fuseblk_volume *vol,
		      struct fuseblk_node *dir, const char *name, size_t len,
		      struct fuseblk_node *newdir, const char *newname, size_t newlen,
		      struct fuseblk_node *node, struct fuseblk_node *target,
		      uint32_t flags, const struct fuseblk_caller *who);

	/*
	 * READ: S.  WRITE: X, C.  Up to @max extents, in order and without a
	 * gap, that cover the file from @off on, clipped to @len; at least
	 * one.  READ past what is mapped answers HOLE, whatever the size.
	 * WRITE marks what it allocated FRESH and may leave UNWRITTEN.
	 * ->written follows once the bytes are on the device; if the write
	 * fails, ->written is called with length 0 for the range so that
	 * fresh garbage can never be read (see there).
	 * Returns the number of extents.
	 */
	int (*map)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		   uint64_t off, uint64_t len, enum fuseblk_map_mode mode,
		   const struct fuseblk_caller *who,
		   struct fuseblk_extent *ext, unsigned max);
	/*
	 * X, C. [off, off+len) now holds data: turn UNWRITTEN into MAPPED
	 * there, raise the size to at least @size.  @len 0: the write failed;
	 * undo or neutralise what map(WRITE) allocated at @off.
	 */
	int (*written)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       uint64_t off, uint64_t len, uint64_t size);
	/* S / X+C. Bytes of an INLINE extent.  write_inline raises the size; map(WRITE) answers INLINE only if [off, off+len) fits. */
	int (*read_inline)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			   void *buf, uint64_t off, size_t len);
	int (*write_inline)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			    const void *buf, uint64_t off, size_t len);
	/* X, C. Set the size; free what lies past it.  The library zeroes the tail of the last block.  May pause. */
	int (*truncate)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			uint64_t size);
	/* X, C. Preallocate unwritten space for the holes of [off, off+len); raise the size to @size if larger. May pause. NULL: EOPNOTSUPP. */
	int (*allocate)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			uint64_t off, uint64_t len, uint64_t size,
			const struct fuseblk_caller *who);
	/* X, C. Free [off, off+len), both multiples of the block size, leaving a hole. May pause. NULL: EOPNOTSUPP. */
	int (*punch)(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     uint64_t off, uint64_t len);

	/* S. Size of the value; copied if @size is large enough, -ERANGE if not and size > 0, -ENODATA. @name is full ("user.x"). */
	ssize_t (*getxattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			    const char *name, void *value, size_t size);
	/* S. Names, each NUL-terminated; sizes as getxattr. trusted.* only if @root. */
	ssize_t (*listxattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			     char *list, size_t size, bool root);
	/* X, C. */
	int (*setxattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			const char *name, const void *value, size_t size,
			uint32_t flags);
	int (*removexattr)(struct fuseblk_volume *vol, struct fuseblk_node *node,
			   const char *name);

	/* V, C. FITRIM over bytes [start, start+len); only free space durable as free; may pause. */
	int (*trim)(struct fuseblk_volume *vol, uint64_t start, uint64_t len,
		    uint64_t minlen, uint64_t *trimmed);
	/* cmd 0 terminated; NULL: none */
	const struct fuseblk_ioctl *ioctls;
};

struct fuseblk_driver {
	const char *name;		/* "ext2": the program is fuseblk-NAME in messages, the mount's type fuseblk.NAME */
	const char *version;
	const char *const *types;	/* libblkid types served, NULL-terminated */
	const struct fuseblk_option *options;	/* beyond the library's own */
	size_t options_size;
	void (*options_init)(void *options);	/* defaults; NULL: zeros */
	/*
	 * Load what comes from files of the system (character sets, zones),
	 * into the parsed @options: once, before the process gives up its
	 * view of the file system and before the first byte of the volume is
	 * read.  ->open follows in any case, and frees it if it fails, else
	 * ->close.  Returns 0, or -EINVAL, -ENOMEM with a line in @error and
	 * nothing left to free.  NULL: nothing to load.
	 */
	int (*prepare)(void *options, char *error, size_t error_size);
	size_t node_size;		/* private bytes per node in use */
	const struct fuseblk_operations *ops;
};

/*
 * The whole life of a driver process; see fuseblk(3).  Started by
 * mount.fuseblk with descriptors, or by hand: NAME [-f] [-o OPTIONS] SOURCE DIR.
 * Returns an exit status of mount(8).
 */
FUSEBLK_API int fuseblk_main(int argc, char **argv,
			     const struct fuseblk_driver *driver);

/* ------------------------------------------------------------------ */
/* What a driver may ask of the library                                */
/* ------------------------------------------------------------------ */

FUSEBLK_API void fuseblk_set_private(struct fuseblk_volume *vol, void *priv);
FUSEBLK_API void *fuseblk_private(const struct fuseblk_volume *vol);
FUSEBLK_API uint64_t fuseblk_ino(const struct fuseblk_node *node);
/*
 * The node of @ino with a reference, as ->load makes it: for ->create and
 * ->tmpfile, to set state of the inode just made, and for volume work such as
 * orphans.  Not locked.  Returns 0, or what ->load returned.
 */
FUSEBLK_API int fuseblk_node_get(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out);
FUSEBLK_API void fuseblk_node_put(struct fuseblk_node *node);
/*
 * The private part of @node holds state of the present epoch: it is not
 * unloaded before that epoch is durable.  The library says so itself of every
 * node it passes to an operation under X and C.
 */
FUSEBLK_API void fuseblk_node_changed(struct fuseblk_node *node);
/* The driver's part of a node: node_size bytes, aligned for any type. */
FUSEBLK_API void *fuseblk_node_data(struct fuseblk_node *node);
/* May the volume be changed at this moment? False on ro mounts and after an error. */
FUSEBLK_API bool fuseblk_is_read_only(const struct fuseblk_volume *vol);
/* True while @node's inode is known to the kernel or in use in the library (lookup count or references). */
FUSEBLK_API bool fuseblk_is_referenced(struct fuseblk_volume *vol, uint64_t ino);

/* The device, in bytes, any alignment; blocking.  Return 0, -EIO (also past the end), or the device's error. */
FUSEBLK_API uint64_t fuseblk_device_size(const struct fuseblk_volume *vol);
FUSEBLK_API uint32_t fuseblk_sector_size(const struct fuseblk_volume *vol);
FUSEBLK_API int fuseblk_device_read(struct fuseblk_volume *vol, void *buf, size_t len, uint64_t off);
/* For file data only (phase 0); metadata goes through buffers. */
FUSEBLK_API int fuseblk_device_write(struct fuseblk_volume *vol, const void *buf, size_t len, uint64_t off);
FUSEBLK_API int fuseblk_device_zero(struct fuseblk_volume *vol, uint64_t off, uint64_t len);
FUSEBLK_API int fuseblk_device_discard(struct fuseblk_volume *vol, uint64_t off, uint64_t len);
FUSEBLK_API bool fuseblk_can_discard(const struct fuseblk_volume *vol);
/*
 * Remember a freed range so that it is discarded after the commit that frees
 * it (mount option discard).  Does nothing unless enabled with
 * fuseblk_set_discard().
 */
FUSEBLK_API void fuseblk_set_discard(struct fuseblk_volume *vol, bool on);
FUSEBLK_API void fuseblk_freed(struct fuseblk_volume *vol, uint64_t off, uint64_t len);

/* Messages: one line, no newline; the library adds driver and device names. */
enum fuseblk_level { FUSEBLK_ERROR, FUSEBLK_WARNING, FUSEBLK_INFO, FUSEBLK_DEBUG };
FUSEBLK_API void fuseblk_log(struct fuseblk_volume *vol, enum fuseblk_level level,
			     const char *format, ...) FUSEBLK_PRINTF(3, 4);
/* As fuseblk_log, and the text is also the reason a mount fails; use it in ->open before returning an error. */
FUSEBLK_API void fuseblk_refuse(struct fuseblk_volume *vol, const char *format, ...) FUSEBLK_PRINTF(2, 3);

enum fuseblk_errors { FUSEBLK_ERRORS_CONTINUE, FUSEBLK_ERRORS_REMOUNT_RO, FUSEBLK_ERRORS_PANIC };
FUSEBLK_API void fuseblk_set_errors(struct fuseblk_volume *vol, enum fuseblk_errors policy);
/*
 * Corruption found: logs it (bounded), applies the errors policy (PANIC: as
 * REMOUNT_RO, and the daemon ends), has ->mark_error called once, returns
 * -EUCLEAN.  May be called from any operation, with any lock held.
 */
FUSEBLK_API int fuseblk_corrupt(struct fuseblk_volume *vol, uint64_t ino,
				const char *format, ...) FUSEBLK_PRINTF(3, 4);

/* True when the request being served was interrupted by a fatal signal. */
FUSEBLK_API bool fuseblk_interrupted(void);

/* ------------------------------------------------------------------ */
/* The metadata cache                                                  */
/* ------------------------------------------------------------------ */

/*
 * A commit is a sequence of phases with a flush of the device between them
 * (docs/DESIGN.md): every change to a block is made in a phase, 0 to
 * FUSEBLK_PHASE_MAX, and reaches the device in that phase of the next
 * commit; phases that are empty cost nothing.  Phase 0 is written together
 * with, and flushed after, the file data of the same epoch: it is for what
 * nothing durable refers to yet, and for fields that no order depends on
 * (times, modes, counters, allocation marks).  The meaning of the others is
 * the driver's.
 */
#define FUSEBLK_FRESH		0
#define FUSEBLK_PHASE_MAX	127

/*
 * A cached device block.  @data is its present content (every change of
 * every phase): stable in address while a reference is held, readable
 * without a lock where the driver's own locking excludes a writer of the
 * same bytes; never to be written through.
 */
struct fuseblk_buf {
	uint8_t *data;
	uint64_t block;
	/*
	 * The driver's own marks for this block (bits), 0 whenever it was
	 * just read from the device: "checksum verified", say.
	 */
	_Atomic uint64_t marks;
	/* private members follow in the library */
};

/*
 * Must be called once in ->open, before any buffer is used: a power of two
 * from 512 to 65536.  Returns 0 or -EINVAL.
 */
FUSEBLK_API int fuseblk_set_block_size(struct fuseblk_volume *vol, uint32_t size);

/*
 * Get a reference to block @block, reading it from the device if it is not
 * cached.  May block.  Returns 0, -EIO (also past the end of the device),
 * -ENOMEM.  The reference is given back with fuseblk_buf_put().
 */
FUSEBLK_API int fuseblk_buf_get(struct fuseblk_volume *vol, uint64_t block,
				struct fuseblk_buf **out);
/*
 * As fuseblk_buf_get, but the block has just been allocated: not read,
 * zeroed, dirty in phase 0, and "fresh" until the epoch ends.  Only inside a
 * change.
 */
FUSEBLK_API int fuseblk_buf_new(struct fuseblk_volume *vol, uint64_t block,
				struct fuseblk_buf **out);
FUSEBLK_API void fuseblk_buf_put(struct fuseblk_buf *buf);	/* NULL: nothing */
/* True if @buf came from fuseblk_buf_new() in the present epoch: nothing durable refers to it. */
FUSEBLK_API bool fuseblk_buf_is_fresh(const struct fuseblk_buf *buf);

/*
 * Change bytes of a block, in @phase.  Never fails and never blocks for I/O
 * (memory it needs is set aside when the change begins).  Where two changes
 * of an epoch touch the same bytes in different phases, each phase writes
 * the latest bytes given in it or in an earlier phase.  Only inside a change;
 * callers exclude each other for the same bytes.
 */
FUSEBLK_API void fuseblk_buf_write(struct fuseblk_buf *buf, unsigned phase,
				   size_t off, const void *src, size_t len);
/*
 * Change in phase 0 whatever bytes of [off, off+len) @edit changes: for
 * bitmaps and counters.  @edit gets the address of byte @off and may be
 * called more than once (for each image of the block): it must do the same
 * each time.
 */
FUSEBLK_API void fuseblk_buf_edit(struct fuseblk_buf *buf, size_t off, size_t len,
				  void (*edit)(void *bytes, void *arg), void *arg);
/*
 * Copy what phase 0 of the next commit will write at [off, off+len): the
 * present content without this epoch's changes of later phases.  What it
 * shows as used may still be used on the device when phase 1 is written.
 */
FUSEBLK_API void fuseblk_buf_read_early(struct fuseblk_buf *buf, size_t off,
					void *dst, size_t len);
/* True if @buf has changes of this epoch in a phase above 0. */
FUSEBLK_API bool fuseblk_buf_has_later(struct fuseblk_buf *buf);
/*
 * Have @fixup called on each image of this block right before it is written
 * (checksums).  Runs in the committing thread, must use nothing but its
 * arguments and constant state.  Set again after each get; NULL: none.
 */
typedef void (*fuseblk_fixup_fn)(struct fuseblk_volume *vol, uint64_t block,
				 uint64_t marks, uint64_t tag, uint8_t *image);
/* @tag is handed to @fixup (an inode number, say). */
FUSEBLK_API void fuseblk_buf_set_fixup(struct fuseblk_buf *buf, fuseblk_fixup_fn fixup, uint64_t tag);
/*
 * Each image of this block is, in the same phase, also written at blocks
 * block + k * @distance, k = 1 to @copies (tables kept more than once).  Set
 * again after each get; @copies 0: none.
 */
FUSEBLK_API void fuseblk_buf_set_mirror(struct fuseblk_buf *buf, uint64_t distance, unsigned copies);
/*
 * Block @block was freed in this change: what it holds need not be written
 * any more once the commit that frees it is durable.  Never required for
 * correctness; saves writes of short-lived blocks.
 */
FUSEBLK_API void fuseblk_buf_forget(struct fuseblk_volume *vol, uint64_t block);
/* Start reading @count blocks that will be wanted soon, in as few reads as may be; errors are ignored. */
FUSEBLK_API void fuseblk_buf_prefetch(struct fuseblk_volume *vol, uint64_t block, unsigned count);
/* Drop clean cached copies of [block, block+count): they now hold file data. Called by the driver when it gives blocks to a file. */
FUSEBLK_API void fuseblk_buf_invalidate(struct fuseblk_volume *vol, uint64_t block, uint64_t count);

/* ------------------------------------------------------------------ */
/* Changes and commits                                                 */
/* ------------------------------------------------------------------ */

/*
 * The library opens a change around every operation marked C above; changes
 * run in parallel; a commit waits until none is open, takes the dirty images,
 * and lets new changes run while it writes.  So whatever one change did
 * reaches the disk in one commit, phase by phase.
 *
 * fuseblk_change_pause(): at a moment when the volume is consistent in the
 * middle of a long operation, let a waiting commit in.  Returns 0, -EINTR if
 * the request was interrupted, -EROFS if the volume became read-only, -EIO.
 */
FUSEBLK_API int fuseblk_change_pause(struct fuseblk_volume *vol);
/*
 * The number of the epoch (the period between two commits) now open for
 * changes; constant within a change but for fuseblk_change_pause().
 */
FUSEBLK_API uint64_t fuseblk_epoch(const struct fuseblk_volume *vol);
/*
 * The newest epoch that is durable.  A block that lost its last reference in
 * epoch e may be given to a file once e <= this, and not before: file data is
 * written at once, and would be seen through the old reference after a crash.
 */
FUSEBLK_API uint64_t fuseblk_durable_epoch(const struct fuseblk_volume *vol);
/*
 * An operation may return -FUSEBLK_EAGAIN_COMMIT, having changed nothing, to
 * be run again after a commit (all space freed so far is then reusable and
 * no block has later phases pending).  The library does this at most twice per
 * request, then answers ENOSPC.
 */
#define FUSEBLK_EAGAIN_COMMIT 4095

#ifdef __cplusplus
}
#endif
#endif
