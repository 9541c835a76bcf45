/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/decode.c: from the bytes of one FUSE message to a struct fb_request.
 *
 * The header, the table of opcodes, and the decoders of the opcodes without
 * names (the others are in decode_names.c).  Everything is copied out of the
 * message but names and payloads, which are pointed to; above this file no
 * length, bound or NUL needs another look.  A structure may be longer than
 * the one known here (a newer kernel's), never shorter; payloads must be
 * exactly as long as said.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>
#include "decode.h"

int fb_cursor_take(struct fb_cursor *c, void *dst, size_t size)
{
	if (c->left < size)
		return -EIO;
	memcpy(dst, c->at, size);
	c->at += size;
	c->left -= size;
	return 0;
}

int fb_cursor_rest(struct fb_cursor *c, uint64_t size, const void **out)
{
	if (c->left != size)
		return -EINVAL;
	*out = c->at;
	c->at += c->left;
	c->left = 0;
	return 0;
}

/* [off, off+len) must be file offsets, which end at 2^63-1. */
static bool is_file_range(uint64_t off, uint64_t len)
{
	return off <= INT64_MAX && len <= INT64_MAX - off;
}

static int decode_nothing(struct fb_cursor *c, struct fb_request *req)
{
	(void)c;
	(void)req;
	return 0;
}

static int decode_init(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_init_in in = { 0 };
	size_t size = c->left < sizeof(in) ? c->left : sizeof(in);
	int err = fb_cursor_take(c, &in, size);

	if (err)
		return err;
	req->in.init.major = in.major;
	req->in.init.minor = in.minor;
	if (in.major != FB_PROTO_MAJOR)
		return 0;		/* its other fields are unknown */
	if (size < FB_INIT_IN_SHORT)
		return -EIO;
	req->in.init.max_readahead = in.max_readahead;
	req->in.init.flags = in.flags;
	if (!(in.flags & FUSE_INIT_EXT))
		return 0;
	if (size < offsetof(struct fuse_init_in, flags2) + sizeof(in.flags2))
		return -EIO;
	req->in.init.flags |= (uint64_t)in.flags2 << 32;
	return 0;
}

static int decode_forget(struct fb_cursor *c, struct fb_request *req)
{
	return fb_cursor_take(c, &req->in.forget.nlookup,
			      sizeof(struct fuse_forget_in));
}

static int decode_batch_forget(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_batch_forget_in in;
	const void *items;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (!err)
		err = fb_cursor_rest(c, (uint64_t)in.count *
				     sizeof(struct fuse_forget_one), &items);
	if (err)
		return err;
	req->in.batch_forget.count = in.count;
	req->in.batch_forget.items = items;
	return 0;
}

static int decode_getattr(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_getattr_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.getattr.has_fh = in.getattr_flags & FUSE_GETATTR_FH;
	req->in.getattr.fh = in.fh;
	return 0;
}

static int decode_statx(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_statx_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.statx.flags = in.sx_flags;
	req->in.statx.mask = in.sx_mask;
	return 0;
}

/* A time of SETATTR; its nanoseconds count only where @valid says so. */
static int set_time(struct timespec *time, uint64_t sec, uint32_t nsec, bool valid)
{
	if (valid && nsec >= 1000000000u)
		return -EINVAL;
	time->tv_sec = (int64_t)sec;
	time->tv_nsec = valid ? nsec : 0;
	return 0;
}

static int decode_setattr(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_setattr_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if ((in.valid & FATTR_SIZE) && in.size > INT64_MAX)
		return -EINVAL;
	if (set_time(&req->in.setattr.atime, in.atime, in.atimensec,
		     in.valid & FATTR_ATIME) ||
	    set_time(&req->in.setattr.mtime, in.mtime, in.mtimensec,
		     in.valid & FATTR_MTIME) ||
	    set_time(&req->in.setattr.ctime, in.ctime, in.ctimensec,
		     in.valid & FATTR_CTIME))
		return -EINVAL;
	req->in.setattr.valid = in.valid;
	req->in.setattr.fh = in.fh;
	req->in.setattr.size = in.size;
	req->in.setattr.mode = in.mode;
	req->in.setattr.uid = in.uid;
	req->in.setattr.gid = in.gid;
	return 0;
}

static int decode_open(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_open_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.open.flags = in.flags;
	req->in.open.open_flags = in.open_flags;
	return 0;
}

static int take_read(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_read_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.read.fh = in.fh;
	req->in.read.off = in.offset;
	req->in.read.size = in.size;
	req->in.read.flags = in.flags;
	return 0;
}

static int decode_read(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_read(c, req);

	if (!err && (req->in.read.size > c->proto->max_write ||
		     !is_file_range(req->in.read.off, req->in.read.size)))
		err = -EINVAL;
	return err;
}

/* The offset is a cookie, any 64 bits; a short answer is as good as a long one. */
static int decode_readdir(struct fb_cursor *c, struct fb_request *req)
{
	int err = take_read(c, req);

	if (!err && req->in.readdir.size > c->proto->max_write)
		req->in.readdir.size = c->proto->max_write;
	return err;
}

static int decode_write(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_write_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.size > c->proto->max_write || !is_file_range(in.offset, in.size))
		return -EINVAL;
	req->in.write.fh = in.fh;
	req->in.write.off = in.offset;
	req->in.write.size = in.size;
	req->in.write.write_flags = in.write_flags;
	req->in.write.flags = in.flags;
	return fb_cursor_rest(c, in.size, &req->in.write.bytes);
}

static int decode_release(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_release_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.release.fh = in.fh;
	req->in.release.flags = in.flags;
	return 0;
}

static int decode_fsync(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_fsync_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.fsync.fh = in.fh;
	req->in.fsync.datasync = in.fsync_flags & FUSE_FSYNC_FDATASYNC;
	return 0;
}

static int decode_flush(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_flush_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.flush.fh = in.fh;
	return 0;
}

static int decode_listxattr(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_getxattr_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.size > FB_WIRE_XATTR_SIZE_MAX)
		return -EINVAL;
	req->in.listxattr.size = in.size;
	return 0;
}

static int decode_access(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_access_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	req->in.access.mask = in.mask;
	return 0;
}

static int decode_interrupt(struct fb_cursor *c, struct fb_request *req)
{
	return fb_cursor_take(c, &req->in.interrupt.unique,
			      sizeof(struct fuse_interrupt_in));
}

static int decode_bmap(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_bmap_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.blocksize < 512 || in.blocksize > 65536 ||
	    (in.blocksize & (in.blocksize - 1)) ||
	    in.block > INT64_MAX / in.blocksize)
		return -EINVAL;
	req->in.bmap.block = in.block;
	req->in.bmap.block_size = in.blocksize;
	return 0;
}

static int decode_ioctl(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_ioctl_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.in_size > FB_WIRE_IOCTL_MAX || in.out_size > FB_WIRE_IOCTL_MAX)
		return -EINVAL;
	req->in.ioctl.fh = in.fh;
	req->in.ioctl.flags = in.flags;
	req->in.ioctl.cmd = in.cmd;
	req->in.ioctl.in_size = in.in_size;
	req->in.ioctl.out_size = in.out_size;
	return fb_cursor_rest(c, in.in_size, &req->in.ioctl.in);
}

static int decode_fallocate(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_fallocate_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.offset > INT64_MAX || in.length == 0 || in.length > INT64_MAX)
		return -EINVAL;
	if (!is_file_range(in.offset, in.length))
		return -EFBIG;
	req->in.fallocate.fh = in.fh;
	req->in.fallocate.off = in.offset;
	req->in.fallocate.len = in.length;
	req->in.fallocate.mode = in.mode;
	return 0;
}

/* The kernel passes a caller's negative offset through; other file systems answer it with ENXIO. */
static int decode_lseek(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_lseek_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (in.whence != SEEK_DATA && in.whence != SEEK_HOLE)
		return -EINVAL;
	if (in.offset > INT64_MAX)
		return -ENXIO;
	req->in.lseek.fh = in.fh;
	req->in.lseek.off = in.offset;
	req->in.lseek.whence = in.whence;
	return 0;
}

/* A shorter copy is as good as a long one: lengths are cut, not refused. */
static int decode_copy(struct fb_cursor *c, struct fb_request *req)
{
	struct fuse_copy_file_range_in in;
	int err = fb_cursor_take(c, &in, sizeof(in));

	if (err)
		return err;
	if (req->opcode == FUSE_COPY_FILE_RANGE && in.len > FB_WIRE_COPY_MAX)
		in.len = FB_WIRE_COPY_MAX;
	if (!is_file_range(in.off_in, in.len) || !is_file_range(in.off_out, in.len))
		return -EINVAL;
	req->in.copy_file_range.fh_in = in.fh_in;
	req->in.copy_file_range.off_in = in.off_in;
	req->in.copy_file_range.nodeid_out = in.nodeid_out;
	req->in.copy_file_range.fh_out = in.fh_out;
	req->in.copy_file_range.off_out = in.off_out;
	req->in.copy_file_range.len = in.len;
	req->in.copy_file_range.flags = in.flags;
	return 0;
}

/* Argument bytes a message of this opcode has at least, and its decoder. */
static const struct {
	uint16_t min;
	fb_decode_fn decode;
} decoders[] = {
	[FUSE_LOOKUP] = { 2, fb_decode_lookup },
	[FUSE_FORGET] = { sizeof(struct fuse_forget_in), decode_forget },
	[FUSE_GETATTR] = { sizeof(struct fuse_getattr_in), decode_getattr },
	[FUSE_SETATTR] = { sizeof(struct fuse_setattr_in), decode_setattr },
	[FUSE_READLINK] = { 0, decode_nothing },
	[FUSE_SYMLINK] = { 4, fb_decode_symlink },
	[FUSE_MKNOD] = { sizeof(struct fuse_mknod_in) + 2, fb_decode_mknod },
	[FUSE_MKDIR] = { sizeof(struct fuse_mkdir_in) + 2, fb_decode_mkdir },
	[FUSE_UNLINK] = { 2, fb_decode_remove },
	[FUSE_RMDIR] = { 2, fb_decode_remove },
	[FUSE_RENAME] = { sizeof(struct fuse_rename_in) + 4, fb_decode_rename },
	[FUSE_LINK] = { sizeof(struct fuse_link_in) + 2, fb_decode_link },
	[FUSE_OPEN] = { sizeof(struct fuse_open_in), decode_open },
	[FUSE_READ] = { sizeof(struct fuse_read_in), decode_read },
	[FUSE_WRITE] = { sizeof(struct fuse_write_in), decode_write },
	[FUSE_STATFS] = { 0, decode_nothing },
	[FUSE_RELEASE] = { sizeof(struct fuse_release_in), decode_release },
	[FUSE_FSYNC] = { sizeof(struct fuse_fsync_in), decode_fsync },
	[FUSE_SETXATTR] = { FB_SETXATTR_IN_SHORT + 2, fb_decode_setxattr },
	[FUSE_GETXATTR] = { sizeof(struct fuse_getxattr_in) + 2, fb_decode_getxattr },
	[FUSE_LISTXATTR] = { sizeof(struct fuse_getxattr_in), decode_listxattr },
	[FUSE_REMOVEXATTR] = { 2, fb_decode_removexattr },
	[FUSE_FLUSH] = { sizeof(struct fuse_flush_in), decode_flush },
	[FUSE_INIT] = { 8, decode_init },
	[FUSE_OPENDIR] = { sizeof(struct fuse_open_in), decode_open },
	[FUSE_READDIR] = { sizeof(struct fuse_read_in), decode_readdir },
	[FUSE_RELEASEDIR] = { sizeof(struct fuse_release_in), decode_release },
	[FUSE_FSYNCDIR] = { sizeof(struct fuse_fsync_in), decode_fsync },
	[FUSE_ACCESS] = { sizeof(struct fuse_access_in), decode_access },
	[FUSE_CREATE] = { sizeof(struct fuse_create_in) + 2, fb_decode_create },
	[FUSE_INTERRUPT] = { sizeof(struct fuse_interrupt_in), decode_interrupt },
	[FUSE_BMAP] = { sizeof(struct fuse_bmap_in), decode_bmap },
	[FUSE_DESTROY] = { 0, decode_nothing },
	[FUSE_IOCTL] = { sizeof(struct fuse_ioctl_in), decode_ioctl },
	[FUSE_BATCH_FORGET] = { sizeof(struct fuse_batch_forget_in), decode_batch_forget },
	[FUSE_FALLOCATE] = { sizeof(struct fuse_fallocate_in), decode_fallocate },
	[FUSE_READDIRPLUS] = { sizeof(struct fuse_read_in), decode_readdir },
	[FUSE_RENAME2] = { sizeof(struct fuse_rename2_in) + 4, fb_decode_rename2 },
	[FUSE_LSEEK] = { sizeof(struct fuse_lseek_in), decode_lseek },
	[FUSE_COPY_FILE_RANGE] = { sizeof(struct fuse_copy_file_range_in), decode_copy },
	[FUSE_SYNCFS] = { sizeof(struct fuse_syncfs_in), decode_nothing },
	[FUSE_TMPFILE] = { sizeof(struct fuse_create_in) + 2, fb_decode_tmpfile },
	[FUSE_STATX] = { sizeof(struct fuse_statx_in), decode_statx },
	[FUSE_COPY_FILE_RANGE_64] = { sizeof(struct fuse_copy_file_range_in), decode_copy },
};

int fb_decode(const void *message, size_t len, const struct fb_proto *proto,
	      struct fb_request *req)
{
	struct fb_cursor c = { message, len, proto };
	struct fuse_in_header head;
	size_t extensions;

	if (fb_cursor_take(&c, &head, sizeof(head)))
		return -EIO;
	req->opcode = head.opcode;
	req->unique = head.unique;
	req->nodeid = head.nodeid;
	req->uid = head.uid;
	req->gid = head.gid;
	req->pid = head.pid;
	memset(&req->in, 0, sizeof(req->in));
	/* zero in kernels before 7.38, where it is padding */
	extensions = (size_t)head.total_extlen * 8;
	if (head.len != len || extensions > c.left)
		return -EIO;
	c.left -= extensions;
	if (head.opcode >= sizeof(decoders) / sizeof(decoders[0]) ||
	    !decoders[head.opcode].decode)
		return -ENOSYS;
	if (c.left < decoders[head.opcode].min)
		return -EIO;
	return decoders[head.opcode].decode(&c, req);
}
