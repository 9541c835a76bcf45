/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/proto.h: what the FUSE protocol has had since the minor version of
 * the system's <linux/fuse.h>, up to 7.45.
 *
 * Only definitions of the wire format, in the kernel's names, each left out
 * where the system's header brings it.  Enumerators and structures cannot be
 * asked for with #ifndef, so they go by the header's own minor version; that
 * says nothing about the running kernel, which is asked in INIT.
 */
#ifndef FB_WIRE_PROTO_H
#define FB_WIRE_PROTO_H

#include <assert.h>
#include <linux/fuse.h>

/* The protocol spoken here: at most MAX, and kernels before MIN are refused. */
#define FB_PROTO_MAJOR		7u
#define FB_PROTO_MINOR_MIN	31u
#define FB_PROTO_MINOR_MAX	45u

/* INIT flags; those from bit 32 on travel in flags2. */
#ifndef FUSE_SETXATTR_EXT		/* 7.33 */
#define FUSE_SETXATTR_EXT	(1ULL << 29)
#endif
#ifndef FUSE_INIT_EXT			/* 7.36 */
#define FUSE_INIT_EXT		(1ULL << 30)
#endif
#ifndef FUSE_SECURITY_CTX
#define FUSE_SECURITY_CTX	(1ULL << 32)
#endif
#ifndef FUSE_CREATE_SUPP_GROUP		/* 7.38 */
#define FUSE_CREATE_SUPP_GROUP	(1ULL << 34)
#endif
#ifndef FUSE_HAS_EXPIRE_ONLY
#define FUSE_HAS_EXPIRE_ONLY	(1ULL << 35)
#endif
#ifndef FUSE_DIRECT_IO_ALLOW_MMAP	/* 7.39 */
#define FUSE_DIRECT_IO_ALLOW_MMAP (1ULL << 36)
#endif
#ifndef FUSE_PASSTHROUGH		/* 7.40 */
#define FUSE_PASSTHROUGH	(1ULL << 37)
#endif
#ifndef FUSE_NO_EXPORT_SUPPORT
#define FUSE_NO_EXPORT_SUPPORT	(1ULL << 38)
#endif
#ifndef FUSE_HAS_RESEND
#define FUSE_HAS_RESEND		(1ULL << 39)
#endif
#ifndef FUSE_ALLOW_IDMAP		/* 7.41 */
#define FUSE_ALLOW_IDMAP	(1ULL << 40)
#endif
#ifndef FUSE_OVER_IO_URING		/* 7.42 */
#define FUSE_OVER_IO_URING	(1ULL << 41)
#endif
#ifndef FUSE_REQUEST_TIMEOUT		/* 7.43 */
#define FUSE_REQUEST_TIMEOUT	(1ULL << 42)
#endif

/* OPEN reply flags */
#ifndef FOPEN_PARALLEL_DIRECT_WRITES	/* 7.38 */
#define FOPEN_PARALLEL_DIRECT_WRITES (1 << 6)
#endif
#ifndef FOPEN_PASSTHROUGH		/* 7.40 */
#define FOPEN_PASSTHROUGH	(1 << 7)
#endif

/* Device ioctls */
#ifndef FUSE_DEV_IOC_SYNC_INIT		/* 7.45 */
#define FUSE_DEV_IOC_SYNC_INIT	_IO(FUSE_DEV_IOC_MAGIC, 3)
#endif

/* Set in the unique of a request the kernel sends again after a resend notification. */
#ifndef FUSE_UNIQUE_RESEND		/* 7.40 */
#define FUSE_UNIQUE_RESEND	(1ULL << 63)
#endif

#if FUSE_KERNEL_MINOR_VERSION < 39
#define FUSE_STATX 52u

struct fuse_sx_time {
	int64_t tv_sec;
	uint32_t tv_nsec;
	int32_t __reserved;
};

/* struct statx of statx(2), as it was when STATX joined the protocol */
struct fuse_statx {
	uint32_t mask;
	uint32_t blksize;
	uint64_t attributes;
	uint32_t nlink;
	uint32_t uid;
	uint32_t gid;
	uint16_t mode;
	uint16_t __spare0[1];
	uint64_t ino;
	uint64_t size;
	uint64_t blocks;
	uint64_t attributes_mask;
	struct fuse_sx_time atime;
	struct fuse_sx_time btime;
	struct fuse_sx_time ctime;
	struct fuse_sx_time mtime;
	uint32_t rdev_major;
	uint32_t rdev_minor;
	uint32_t dev_major;
	uint32_t dev_minor;
	uint64_t __spare2[14];
};

struct fuse_statx_in {
	uint32_t getattr_flags;
	uint32_t reserved;
	uint64_t fh;
	uint32_t sx_flags;
	uint32_t sx_mask;
};

struct fuse_statx_out {
	uint64_t attr_valid;
	uint32_t attr_valid_nsec;
	uint32_t flags;
	uint64_t spare[2];
	struct fuse_statx stat;
};
#endif

#ifndef FUSE_EXPIRE_ONLY		/* 7.38; older kernels take it for padding, and drop the name */
#define FUSE_EXPIRE_ONLY	(1 << 0)
#endif

#define FB_MINOR_PRUNE		45u	/* NOTIFY_PRUNE from here on */

#if FUSE_KERNEL_MINOR_VERSION < 45
#define FUSE_NOTIFY_PRUNE	9

struct fuse_notify_prune_out {
	uint32_t count;			/* node ids follow */
	uint32_t padding;
	uint64_t spare;
};

#define FUSE_COPY_FILE_RANGE_64 53u

struct fuse_copy_file_range_out {
	uint64_t bytes_copied;
};
#endif

static_assert(sizeof(struct fuse_in_header) == 40, "request header");
static_assert(sizeof(struct fuse_out_header) == 16, "reply header");
static_assert(sizeof(struct fuse_attr) == 88, "attributes");
static_assert(sizeof(struct fuse_entry_out) == 128, "entry reply");
static_assert(sizeof(struct fuse_statx) == 256, "statx reply");
static_assert(sizeof(struct fuse_statx_out) == 288, "statx reply");
static_assert(sizeof(struct fuse_statx_in) == 24, "statx request");
static_assert(sizeof(struct fuse_init_out) == 64, "INIT reply");

/* INIT as kernels before 7.36 send it, without flags2 */
#define FB_INIT_IN_SHORT	16u
/* SETXATTR as sent unless FUSE_SETXATTR_EXT is in force */
#define FB_SETXATTR_IN_SHORT	8u

/* Bounds of the wire and of the VFS above it, in bytes */
#define FB_WIRE_NAME_MAX	1024u	/* a name longer than this is refused at once */
#define FB_WIRE_TARGET_MAX	4095u	/* of a symlink: PATH_MAX without the NUL */
#define FB_WIRE_XATTR_NAME_MAX	255u
#define FB_WIRE_XATTR_SIZE_MAX	65536u	/* of a value, and of a list of names */
#define FB_WIRE_IOCTL_MAX	16384u	/* the size field of an ioctl number has 14 bits */
#define FB_WIRE_COPY_MAX	0x7ffff000u /* COPY_FILE_RANGE, whose reply counts in 32 bits */

#endif
