/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * request.h: one FUSE request, decoded, and its reply before it is encoded.
 *
 * wire/decode.c turns the bytes of a message into this structure, having
 * checked every length, NUL and bound; a handler (op_*.c) reads ->in, fills
 * ->out and returns 0 or a negative errno; wire/encode.c turns that into
 * bytes.  Only those two files and wire/proto.h know the wire's structures.
 */
#ifndef FB_REQUEST_H
#define FB_REQUEST_H

#include <linux/fuse.h>
#include <sys/uio.h>
#include "fuseblk.h"

struct fb_session;
struct fb_worker;

/* What INIT settled; decode and encode depend on it. */
struct fb_proto {
	uint32_t minor;			/* the kernel's, at most ours */
	uint64_t flags;			/* FUSE_* of both flag words that are in force */
	uint32_t max_write;		/* bytes of data in one WRITE or READ */
	uint32_t max_pages;
};

struct fb_name {
	const char *bytes;		/* in the message; NUL-terminated there */
	size_t len;			/* 1..1024 as the wire allows; handlers refuse more than info.name_max */
};

/* Decoded arguments, by opcode. Host byte order; units as named. */
union fb_in {
	struct {
		uint32_t minor, major, max_readahead;
		uint64_t flags;
	} init;
	struct { struct fb_name name; } lookup, unlink, rmdir;
	struct { uint64_t nlookup; } forget;
	struct { uint32_t count; const struct fuse_forget_one *items; } batch_forget;
	struct { bool has_fh; uint64_t fh; } getattr;
	struct { uint32_t flags, mask; } statx;		/* STATX_* asked */
	struct {
		uint32_t valid;		/* FATTR_* */
		uint64_t fh, size;
		struct timespec atime, mtime, ctime;
		uint32_t mode, uid, gid;
	} setattr;
	struct { struct fb_name name, target; } symlink;
	struct { struct fb_name name; uint32_t mode, rdev, umask; } mknod;
	struct { struct fb_name name; uint32_t mode, umask; } mkdir;
	struct { uint64_t old_nodeid; struct fb_name name; } link;
	struct { uint64_t newdir; uint32_t flags; struct fb_name name, newname; } rename;	/* RENAME and RENAME2 */
	struct { uint32_t flags, open_flags; } open, opendir;
	struct { struct fb_name name; uint32_t flags, mode, umask, open_flags; } create, tmpfile;
	struct { uint64_t fh, off; uint32_t size, flags; } read, readdir;	/* READDIRPLUS too */
	struct { uint64_t fh, off; uint32_t size, write_flags, flags; const void *bytes; } write;
	struct { uint64_t fh; uint32_t flags; } release;
	struct { uint64_t fh; bool datasync; } fsync;	/* FSYNCDIR too */
	struct { uint64_t fh; } flush;
	struct { struct fb_name name; uint32_t flags, setxattr_flags, size; const void *value; } setxattr;
	struct { struct fb_name name; uint32_t size; } getxattr;
	struct { uint32_t size; } listxattr;
	struct { struct fb_name name; } removexattr;
	struct { uint32_t mask; } access;
	struct { uint64_t unique; } interrupt;
	struct { uint64_t block; uint32_t block_size; } bmap;
	struct { uint64_t fh; uint32_t flags, cmd, in_size, out_size; const void *in; } ioctl;
	struct { uint64_t fh, off, len; uint32_t mode; } fallocate;
	struct { uint64_t fh, off; uint32_t whence; } lseek;
	struct { uint64_t fh_in, off_in, nodeid_out, fh_out, off_out, len, flags; } copy_file_range;	/* and _64 */
};

/* What a handler fills. Only the part its opcode's reply has is looked at. */
struct fb_out {
	struct fuseblk_attr attr;	/* entry, attr, statx, create, tmpfile */
	bool negative;			/* LOOKUP: no such name, cacheable */
	bool no_cache_entry;		/* entry timeout 0 (unstable spelling) */
	bool no_cache_attr;		/* attribute timeout 0: see spelling.h */
	uint64_t spelling_epoch;	/* LOOKUP: see spelling.h */
	uint64_t fh;			/* open, create, opendir */
	uint32_t open_flags;		/* FOPEN_* */
	uint32_t count;			/* write, copy_file_range: bytes; getxattr/listxattr with size 0: the size needed */
	uint64_t value;			/* bmap: block; lseek: offset; copy_file_range_64: bytes */
	struct fuseblk_statfs statfs;
	int32_t ioctl_result;
	const void *bytes;		/* read, readdir(plus), readlink, getxattr, listxattr, ioctl */
	size_t bytes_len;
	/* INIT */
	struct fb_proto proto;
	uint32_t max_readahead, time_gran;
	uint16_t max_background, congestion_threshold;
};

struct fb_request {
	uint32_t opcode;		/* FUSE_* */
	uint64_t unique, nodeid;
	uint32_t uid, gid, pid;
	union fb_in in;
	struct fb_out out;
	struct fb_session *session;
	struct fb_worker *worker;
	void *scratch;			/* the worker's page-aligned reply buffer, scratch_size bytes */
	size_t scratch_size;
	struct fuseblk_volume *vol;
};

/*
 * Decode one message of @len bytes.  The message must stay until the reply
 * is sent.  Returns 0; -EIO (length or header nonsense: if len >= 40 then
 * unique and opcode are filled so that an error can be answered); -ENOSYS
 * (unknown opcode); -EINVAL (bad name, missing NUL, sizes past the bounds).
 */
int fb_decode(const void *message, size_t len, const struct fb_proto *proto,
	      struct fb_request *req);

#define FB_REPLY_HEAD_MAX 320
struct fb_reply {
	struct iovec iov[2];
	int iov_count;
	size_t total;
	_Alignas(8) uint8_t head[FB_REPLY_HEAD_MAX];
};
/*
 * Encode the reply to @req, whose handler returned @error (0 or negative
 * errno; out of -511..0 becomes -EIO).  Nothing is to be sent for FORGET,
 * BATCH_FORGET and INTERRUPT without error: iov_count is then 0.
 */
void fb_encode(const struct fb_request *req, const struct fb_proto *proto,
	       int error, struct fb_reply *reply);

/*
 * Append one directory entry to @buf (READDIR, or READDIRPLUS with @attr;
 * attr->ino == 0: a plus entry that carries no lookup).  Returns its size,
 * or 0 if it does not fit in @size.
 */
size_t fb_encode_dirent(const struct fb_proto *proto, void *buf, size_t size,
			const char *name, size_t len, uint64_t ino,
			unsigned char d_type, uint64_t next_cookie);
size_t fb_encode_direntplus(const struct fb_proto *proto, void *buf, size_t size,
			    const char *name, size_t len,
			    const struct fuseblk_volume *vol,
			    const struct fuseblk_attr *attr, uint64_t ino,
			    unsigned char d_type, uint64_t next_cookie,
			    bool no_cache_entry);

/*
 * Encode the notification that what the kernel has cached of @nodeid's
 * attributes (not of its data) is void.  wire/notify.c.
 */
void fb_encode_inval_attr(uint64_t nodeid, struct fb_reply *reply);
/*
 * That the name (@len bytes and a NUL, which must stay until the message is
 * sent) in @parent has to be looked up again or, with @drop, is to be dropped.
 * The kernel takes the directory's lock for it.
 */
void fb_encode_inval_entry(uint64_t parent, const char *name, size_t len, bool drop, struct fb_reply *reply);
/* That names of @nodeid which nobody uses may be dropped; kernels of minor FB_MINOR_PRUNE on. */
void fb_encode_prune(uint64_t nodeid, struct fb_reply *reply);

/* The dispatch table: handler and name for each opcode; NULL handler: ENOSYS. */
struct fb_opcode {
	const char *name;
	int (*handle)(struct fb_request *req);
};
const struct fb_opcode *fb_opcode(uint32_t opcode);

#endif
