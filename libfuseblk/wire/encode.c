/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/encode.c: from a handled struct fb_request to the bytes of its reply.
 *
 * A table gives each opcode the function that fills its reply's structure.
 * Structures are zeroed before they are filled, so that no byte of the
 * daemon's memory leaks.  What a handler answers is checked against what the
 * kernel asked for: more bytes than asked for would be refused by the kernel
 * after the fact, and are an EIO here.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "../node.h"
#include "../volume.h"
#include "encode.h"

#define MIN_BLKSIZE 4096u

/* st_blksize */
static uint32_t io_size(const struct fuseblk_volume *vol)
{
	uint32_t size = vol->info.io_size ? vol->info.io_size : vol->info.block_size;

	return vol->info.io_size || size > MIN_BLKSIZE ? size : MIN_BLKSIZE;
}

/*
 * Fill @at (zeroed, FB_REPLY_HEAD_MAX - 16 bytes) with the structure of
 * the reply, set *size to its length.  Returns 0 or a negative errno to be
 * answered instead.
 */
typedef int (*encode_fn)(const struct fb_request *req, void *at, size_t *size);

void fb_encode_attr(const struct fuseblk_volume *vol,
		    const struct fuseblk_attr *attr, struct fuse_attr *out)
{
	*out = (struct fuse_attr) {
		.ino = attr->ino,
		.size = attr->size,
		.blocks = attr->blocks,
		.atime = attr->atime.tv_sec,
		.mtime = attr->mtime.tv_sec,
		.ctime = attr->ctime.tv_sec,
		.atimensec = attr->atime.tv_nsec,
		.mtimensec = attr->mtime.tv_nsec,
		.ctimensec = attr->ctime.tv_nsec,
		.mode = attr->mode,
		.nlink = attr->nlink,
		.uid = attr->uid,
		.gid = attr->gid,
		.rdev = attr->rdev,
		.blksize = io_size(vol),
	};
}

void fb_encode_entry(const struct fuseblk_volume *vol,
		     const struct fuseblk_attr *attr, bool no_cache,
		     struct fuse_entry_out *out)
{
	*out = (struct fuse_entry_out) {
		.nodeid = fb_nodeid_of_ino(vol, attr->ino),
		.generation = attr->generation,
		.entry_valid = no_cache ? 0 : FB_WIRE_VALID,
		.attr_valid = FB_WIRE_VALID,
	};
	fb_encode_attr(vol, attr, &out->attr);
}

static int encode_nothing(const struct fb_request *req, void *at, size_t *size)
{
	(void)req;
	(void)at;
	*size = 0;
	return 0;
}

static int encode_entry(const struct fb_request *req, void *at, size_t *size)
{
	const struct fb_out *out = &req->out;
	struct fuse_entry_out *entry = at;

	*size = sizeof(*entry);
	if (out->negative && req->opcode == FUSE_LOOKUP)
		entry->entry_valid = out->no_cache_entry ? 0 : FB_WIRE_VALID;
	else
		fb_encode_entry(req->vol, &out->attr, out->no_cache_entry, entry);
	if (out->no_cache_attr)
		entry->attr_valid = 0;
	return 0;
}

static int encode_attr(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_attr_out *reply = at;

	*size = sizeof(*reply);
	reply->attr_valid = req->out.no_cache_attr ? 0 : FB_WIRE_VALID;
	fb_encode_attr(req->vol, &req->out.attr, &reply->attr);
	return 0;
}

static struct fuse_sx_time sx_time(const struct timespec *time)
{
	return (struct fuse_sx_time) {
		.tv_sec = time->tv_sec,
		.tv_nsec = time->tv_nsec,
	};
}

/* FUSEBLK_ATTR_* and the STATX_ATTR_* that says the same */
static const struct {
	uint32_t flag;
	uint64_t statx;
} attributes[] = {
	{ FUSEBLK_ATTR_IMMUTABLE, STATX_ATTR_IMMUTABLE },
	{ FUSEBLK_ATTR_APPEND, STATX_ATTR_APPEND },
	{ FUSEBLK_ATTR_NODUMP, STATX_ATTR_NODUMP },
	{ FUSEBLK_ATTR_COMPRESSED, STATX_ATTR_COMPRESSED },
};

static void put_attributes(uint32_t flags, struct fuse_statx *stat)
{
	for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++) {
		stat->attributes_mask |= attributes[i].statx;
		if (flags & attributes[i].flag)
			stat->attributes |= attributes[i].statx;
	}
}

static int encode_statx(const struct fb_request *req, void *at, size_t *size)
{
	const struct fuseblk_attr *attr = &req->out.attr;
	struct fuse_statx_out *reply = at;
	struct fuse_statx *stat = &reply->stat;
	*size = sizeof(*reply);
	reply->attr_valid = req->out.no_cache_attr ? 0 : FB_WIRE_VALID;
	stat->mask = STATX_BASIC_STATS;
	stat->blksize = io_size(req->vol);
	stat->nlink = attr->nlink;
	stat->uid = attr->uid;
	stat->gid = attr->gid;
	stat->mode = attr->mode;
	stat->ino = attr->ino;
	stat->size = attr->size;
	stat->blocks = attr->blocks;
	stat->atime = sx_time(&attr->atime);
	stat->ctime = sx_time(&attr->ctime);
	stat->mtime = sx_time(&attr->mtime);
	if (attr->has_btime) {
		stat->mask |= STATX_BTIME;
		stat->btime = sx_time(&attr->btime);
	}
	stat->rdev_major = attr->rdev >> 8 & 0xfff;
	stat->rdev_minor = (attr->rdev & 0xff) | (attr->rdev >> 12 & 0xfff00);
	put_attributes(attr->flags, stat);
	return 0;
}

static int encode_open(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_open_out *reply = at;

	*size = sizeof(*reply);
	reply->fh = req->out.fh;
	reply->open_flags = req->out.open_flags;
	return 0;
}

/* CREATE and TMPFILE: an entry, then what OPEN would answer. */
static int encode_create(const struct fb_request *req, void *at, size_t *size)
{
	size_t entry, open;

	encode_entry(req, at, &entry);
	encode_open(req, (uint8_t *)at + entry, &open);
	*size = entry + open;
	return 0;
}

static int put_count(uint64_t asked, const struct fb_request *req, void *at,
		     size_t *size)
{
	struct fuse_write_out *reply = at;

	*size = sizeof(*reply);
	reply->size = req->out.count;
	return req->out.count <= asked ? 0 : -EIO;
}

static int encode_write(const struct fb_request *req, void *at, size_t *size)
{
	return put_count(req->in.write.size, req, at, size);
}

static int encode_copy(const struct fb_request *req, void *at, size_t *size)
{
	return put_count(req->in.copy_file_range.len, req, at, size);
}

static int encode_copy_64(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_copy_file_range_out *reply = at;

	*size = sizeof(*reply);
	reply->bytes_copied = req->out.value;
	return req->out.value <= req->in.copy_file_range.len ? 0 : -EIO;
}

static int encode_statfs(const struct fb_request *req, void *at, size_t *size)
{
	const struct fuseblk_statfs *statfs = &req->out.statfs;
	struct fuse_statfs_out *reply = at;

	*size = sizeof(*reply);
	reply->st = (struct fuse_kstatfs) {
		.blocks = statfs->blocks,
		.bfree = statfs->bfree,
		.bavail = statfs->bavail,
		.files = statfs->files,
		.ffree = statfs->ffree,
		.bsize = statfs->bsize,
		.namelen = statfs->namelen,
		.frsize = statfs->frsize,
	};
	return 0;
}

static int encode_init(const struct fb_request *req, void *at, size_t *size)
{
	const struct fb_out *out = &req->out;
	struct fuse_init_out *reply = at;
	uint64_t flags = out->proto.flags;

	*size = sizeof(*reply);
	reply->major = FB_PROTO_MAJOR;
	reply->minor = out->proto.minor;
	reply->max_readahead = out->max_readahead;
	reply->max_background = out->max_background;
	reply->congestion_threshold = out->congestion_threshold;
	reply->max_write = out->proto.max_write;
	reply->time_gran = out->time_gran;
	reply->flags = flags;
	if (flags & FUSE_MAX_PAGES)
		reply->max_pages = out->proto.max_pages < UINT16_MAX ?
			out->proto.max_pages : UINT16_MAX;
	/* the kernel looks at flags2 only where the reply, too, says INIT_EXT */
	if (req->in.init.flags & FUSE_INIT_EXT) {
		reply->flags |= FUSE_INIT_EXT;
		reply->flags2 = flags >> 32;
	} else {
		reply->flags &= ~(uint32_t)FUSE_INIT_EXT;
	}
	return 0;
}

static int encode_bmap(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_bmap_out *reply = at;

	*size = sizeof(*reply);
	reply->block = req->out.value;
	return 0;
}

static int encode_lseek(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_lseek_out *reply = at;

	*size = sizeof(*reply);
	reply->offset = req->out.value;
	return 0;
}

/* READ, READDIR, READDIRPLUS: at most the bytes asked for follow. */
static int encode_read(const struct fb_request *req, void *at, size_t *size)
{
	(void)at;
	*size = 0;
	return req->out.bytes_len <= req->in.read.size ? 0 : -EIO;
}

static int encode_readlink(const struct fb_request *req, void *at, size_t *size)
{
	(void)at;
	*size = 0;
	return req->out.bytes_len <= FB_WIRE_TARGET_MAX ? 0 : -ENAMETOOLONG;
}

/* With size 0 the kernel asks how many bytes there are, else for the bytes. */
static int put_xattr(uint32_t asked, const struct fb_request *req, void *at,
		     size_t *size)
{
	struct fuse_getxattr_out *reply = at;

	if (asked) {
		*size = 0;
		return req->out.bytes_len <= asked ? 0 : -ERANGE;
	}
	*size = sizeof(*reply);
	reply->size = req->out.count;
	return req->out.count <= FB_WIRE_XATTR_SIZE_MAX ? 0 : -E2BIG;
}

static int encode_getxattr(const struct fb_request *req, void *at, size_t *size)
{
	return put_xattr(req->in.getxattr.size, req, at, size);
}

static int encode_listxattr(const struct fb_request *req, void *at, size_t *size)
{
	return put_xattr(req->in.listxattr.size, req, at, size);
}

static int encode_ioctl(const struct fb_request *req, void *at, size_t *size)
{
	struct fuse_ioctl_out *reply = at;

	*size = sizeof(*reply);
	reply->result = req->out.ioctl_result;
	return req->out.bytes_len <= req->in.ioctl.out_size ? 0 : -EIO;
}

/* Does req->out.bytes follow the reply's structure? */
enum bytes {
	NONE,
	FOLLOW,
	INSTEAD,	/* where there is no structure */
};

struct encoder {
	encode_fn encode;
	enum bytes bytes;
};

static const struct encoder encoders[] = {
	[FUSE_LOOKUP] = { encode_entry, NONE },
	[FUSE_GETATTR] = { encode_attr, NONE },
	[FUSE_SETATTR] = { encode_attr, NONE },
	[FUSE_READLINK] = { encode_readlink, FOLLOW },
	[FUSE_SYMLINK] = { encode_entry, NONE },
	[FUSE_MKNOD] = { encode_entry, NONE },
	[FUSE_MKDIR] = { encode_entry, NONE },
	[FUSE_UNLINK] = { encode_nothing, NONE },
	[FUSE_RMDIR] = { encode_nothing, NONE },
	[FUSE_RENAME] = { encode_nothing, NONE },
	[FUSE_LINK] = { encode_entry, NONE },
	[FUSE_OPEN] = { encode_open, NONE },
	[FUSE_READ] = { encode_read, FOLLOW },
	[FUSE_WRITE] = { encode_write, NONE },
	[FUSE_STATFS] = { encode_statfs, NONE },
	[FUSE_RELEASE] = { encode_nothing, NONE },
	[FUSE_FSYNC] = { encode_nothing, NONE },
	[FUSE_SETXATTR] = { encode_nothing, NONE },
	[FUSE_GETXATTR] = { encode_getxattr, INSTEAD },
	[FUSE_LISTXATTR] = { encode_listxattr, INSTEAD },
	[FUSE_REMOVEXATTR] = { encode_nothing, NONE },
	[FUSE_FLUSH] = { encode_nothing, NONE },
	[FUSE_INIT] = { encode_init, NONE },
	[FUSE_OPENDIR] = { encode_open, NONE },
	[FUSE_READDIR] = { encode_read, FOLLOW },
	[FUSE_RELEASEDIR] = { encode_nothing, NONE },
	[FUSE_FSYNCDIR] = { encode_nothing, NONE },
	[FUSE_ACCESS] = { encode_nothing, NONE },
	[FUSE_CREATE] = { encode_create, NONE },
	[FUSE_BMAP] = { encode_bmap, NONE },
	[FUSE_DESTROY] = { encode_nothing, NONE },
	[FUSE_IOCTL] = { encode_ioctl, FOLLOW },
	[FUSE_FALLOCATE] = { encode_nothing, NONE },
	[FUSE_READDIRPLUS] = { encode_read, FOLLOW },
	[FUSE_RENAME2] = { encode_nothing, NONE },
	[FUSE_LSEEK] = { encode_lseek, NONE },
	[FUSE_COPY_FILE_RANGE] = { encode_copy, NONE },
	[FUSE_SYNCFS] = { encode_nothing, NONE },
	[FUSE_TMPFILE] = { encode_create, NONE },
	[FUSE_STATX] = { encode_statx, NONE },
	[FUSE_COPY_FILE_RANGE_64] = { encode_copy_64, NONE },
};

/* NULL: an opcode without a reply, or unknown. */
static const struct encoder *find_encoder(uint32_t opcode)
{
	if (opcode >= sizeof(encoders) / sizeof(encoders[0]) ||
	    !encoders[opcode].encode)
		return NULL;
	return &encoders[opcode];
}

/*
 * Requests that get no reply: those the kernel does not wait for, and any
 * without a unique, which the kernel would take for a notification.
 */
static bool is_silent(const struct fb_request *req, int error)
{
	switch (req->opcode) {
	case FUSE_FORGET:
	case FUSE_BATCH_FORGET:
	case FUSE_NOTIFY_REPLY:
		return true;
	case FUSE_INTERRUPT:
		return error == 0;
	default:
		return req->unique == 0;
	}
}

static void put_header(struct fb_reply *reply, uint64_t unique, int error,
		       size_t size, const void *bytes, size_t bytes_len)
{
	struct fuse_out_header head = {
		.len = sizeof(head) + size + bytes_len,
		.error = error,
		.unique = unique,
	};

	memcpy(reply->head, &head, sizeof(head));
	reply->iov[0] = (struct iovec) { reply->head, sizeof(head) + size };
	reply->iov[1] = (struct iovec) { (void *)bytes, bytes_len };
	reply->iov_count = bytes_len ? 2 : 1;
	reply->total = head.len;
}

void fb_encode(const struct fb_request *req, const struct fb_proto *proto,
	       int error, struct fb_reply *reply)
{
	const struct encoder *encoder = find_encoder(req->opcode);
	uint8_t *at = reply->head + sizeof(struct fuse_out_header);
	size_t size = 0, bytes_len = 0;

	(void)proto;
	reply->iov_count = 0;
	reply->total = 0;
	if (is_silent(req, error))
		return;
	memset(reply->head, 0, sizeof(reply->head));
	if (error < -511 || error > 0)
		error = -EIO;
	if (!error)
		error = encoder ? encoder->encode(req, at, &size) : -ENOSYS;
	if (error)
		size = 0;
	else if (encoder->bytes == FOLLOW || (encoder->bytes == INSTEAD && !size))
		bytes_len = req->out.bytes_len;
	put_header(reply, req->unique, error, size, req->out.bytes, bytes_len);
}

static_assert(sizeof(struct fuse_out_header) + sizeof(struct fuse_statx_out) <=
	      FB_REPLY_HEAD_MAX, "the longest reply structure");
