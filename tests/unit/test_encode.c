/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_encode.c: the reply of every opcode, byte for byte by the kernel's
 * structures, and what the encoder refuses to send.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "../lib/message.h"
#include "volume.h"

#define FOREVER (UINT64_C(1) << 30)

static struct fuseblk_volume vol = { .info = { .root_ino = 2, .block_size = 1024 } };
static const struct fb_proto proto = { .minor = 45, .max_write = 1 << 20 };

static const struct fuseblk_attr attr = {
	.ino = 12, .size = 1234567, .blocks = 2416,
	.atime = { 1, 2 }, .mtime = { -3, 4 }, .ctime = { 1ll << 33, 6 },
	.btime = { 7, 8 }, .has_btime = true,
	.mode = S_IFREG | 0644, .nlink = 3, .uid = 1000, .gid = 70000,
	.rdev = 0, .generation = 99, .flags = FUSEBLK_ATTR_APPEND | FUSEBLK_ATTR_NOATIME,
};

/* A reply put together as the channel would. */
struct flat {
	size_t len;
	struct fuse_out_header head;
	_Alignas(8) uint8_t body[8192];
	size_t body_len;
	int iov_count;
};

static struct flat encode(const struct fb_request *req, int error)
{
	struct flat flat = { 0 };
	struct fb_reply reply;
	uint8_t all[8192];

	memset(&reply, 0xa5, sizeof(reply));	/* what is sent must have been written */
	fb_encode(req, &proto, error, &reply);
	flat.iov_count = reply.iov_count;
	for (int i = 0; i < reply.iov_count; i++) {
		memcpy(all + flat.len, reply.iov[i].iov_base, reply.iov[i].iov_len);
		flat.len += reply.iov[i].iov_len;
	}
	assert_int_equal(flat.len, reply.total);
	if (!flat.iov_count)
		return flat;
	memcpy(&flat.head, all, sizeof(flat.head));
	assert_int_equal(flat.head.len, flat.len);
	assert_true(flat.head.unique == req->unique);
	flat.body_len = flat.len - sizeof(flat.head);
	memcpy(flat.body, all + sizeof(flat.head), flat.body_len);
	return flat;
}

static struct fb_request request(uint32_t opcode)
{
	return (struct fb_request) {
		.opcode = opcode, .unique = 0x1122334455667788, .vol = &vol,
	};
}

static void check_attr(const struct fuse_attr *a)
{
	assert_int_equal(a->ino, 12);
	assert_int_equal(a->size, 1234567);
	assert_int_equal(a->blocks, 2416);
	assert_int_equal(a->atime, 1);
	assert_int_equal(a->atimensec, 2);
	assert_true(a->mtime == (uint64_t)-3);
	assert_int_equal(a->mtimensec, 4);
	assert_true(a->ctime == 1ull << 33);
	assert_int_equal(a->ctimensec, 6);
	assert_int_equal(a->mode, S_IFREG | 0644);
	assert_int_equal(a->nlink, 3);
	assert_int_equal(a->uid, 1000);
	assert_int_equal(a->gid, 70000);
	assert_int_equal(a->blksize, 4096);
	assert_int_equal(a->flags, 0);
}

static void check_entry(const struct fuse_entry_out *e)
{
	assert_int_equal(e->nodeid, 12);
	assert_int_equal(e->generation, 99);
	assert_true(e->entry_valid == FOREVER);
	assert_true(e->attr_valid == FOREVER);
	assert_int_equal(e->entry_valid_nsec, 0);
	check_attr(&e->attr);
}

static void test_entries(void **state)
{
	static const uint32_t opcodes[] = {
		FUSE_LOOKUP, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_LINK,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		struct fb_request req = request(opcodes[i]);
		struct flat flat;

		req.out.attr = attr;
		flat = encode(&req, 0);
		assert_int_equal(flat.head.error, 0);
		assert_int_equal(flat.body_len, sizeof(struct fuse_entry_out));
		check_entry((struct fuse_entry_out *)flat.body);
	}
}

/* The root's node id is 1 whatever its inode number; st_ino stays true. */
static void test_root_entry(void **state)
{
	struct fb_request req = request(FUSE_LOOKUP);
	struct fuse_entry_out *e;
	struct flat flat;

	(void)state;
	req.out.attr.ino = 2;
	flat = encode(&req, 0);
	e = (struct fuse_entry_out *)flat.body;
	assert_int_equal(e->nodeid, FUSE_ROOT_ID);
	assert_int_equal(e->attr.ino, 2);
	req.out.attr.ino = 1;
	flat = encode(&req, 0);
	assert_int_equal(((struct fuse_entry_out *)flat.body)->nodeid, 2);
}

static void test_negative_entry(void **state)
{
	struct fb_request req = request(FUSE_LOOKUP);
	struct fuse_entry_out *e;
	struct flat flat;

	(void)state;
	req.out.attr = attr;
	req.out.negative = true;
	flat = encode(&req, 0);
	e = (struct fuse_entry_out *)flat.body;
	assert_int_equal(flat.body_len, sizeof(*e));
	assert_int_equal(e->nodeid, 0);
	assert_true(e->entry_valid == FOREVER);
	assert_int_equal(e->attr.ino, 0);
}

static void test_uncached_entry(void **state)
{
	struct fb_request req = request(FUSE_LOOKUP);
	struct fuse_entry_out *e;
	struct flat flat;

	(void)state;
	req.out.attr = attr;
	req.out.no_cache_entry = true;
	flat = encode(&req, 0);
	e = (struct fuse_entry_out *)flat.body;
	assert_int_equal(e->entry_valid, 0);
	assert_true(e->attr_valid == FOREVER);
	assert_int_equal(e->nodeid, 12);
	req.out.negative = true;
	flat = encode(&req, 0);
	e = (struct fuse_entry_out *)flat.body;
	assert_int_equal(e->nodeid, 0);
	assert_int_equal(e->entry_valid, 0);
}

static void test_attrs(void **state)
{
	static const uint32_t opcodes[] = { FUSE_GETATTR, FUSE_SETATTR };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fb_request req = request(opcodes[i]);
		struct fuse_attr_out *a;
		struct flat flat;

		req.out.attr = attr;
		flat = encode(&req, 0);
		a = (struct fuse_attr_out *)flat.body;
		assert_int_equal(flat.body_len, sizeof(*a));
		assert_true(a->attr_valid == FOREVER);
		check_attr(&a->attr);
	}
}

static void test_blksize(void **state)
{
	static const uint32_t rows[][2] = { { 512, 4096 }, { 4096, 4096 }, { 65536, 65536 } };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fuseblk_volume v = { .info.block_size = rows[i][0] };
		struct fb_request req = request(FUSE_GETATTR);
		struct flat flat;

		req.vol = &v;
		flat = encode(&req, 0);
		assert_int_equal(((struct fuse_attr_out *)flat.body)->attr.blksize, rows[i][1]);
	}
}

static void test_statx(void **state)
{
	struct fb_request req = request(FUSE_STATX);
	struct fuse_statx_out *x;
	struct flat flat;

	(void)state;
	req.out.attr = attr;
	flat = encode(&req, 0);
	x = (struct fuse_statx_out *)flat.body;
	assert_int_equal(flat.body_len, sizeof(*x));
	assert_true(x->attr_valid == FOREVER);
	assert_int_equal(x->stat.mask, STATX_BASIC_STATS | STATX_BTIME);
	assert_int_equal(x->stat.ino, 12);
	assert_int_equal(x->stat.size, 1234567);
	assert_int_equal(x->stat.blocks, 2416);
	assert_int_equal(x->stat.mode, S_IFREG | 0644);
	assert_int_equal(x->stat.nlink, 3);
	assert_int_equal(x->stat.uid, 1000);
	assert_int_equal(x->stat.gid, 70000);
	assert_int_equal(x->stat.atime.tv_sec, 1);
	assert_int_equal(x->stat.mtime.tv_sec, -3);
	assert_int_equal(x->stat.mtime.tv_nsec, 4);
	assert_int_equal(x->stat.ctime.tv_nsec, 6);
	assert_int_equal(x->stat.btime.tv_sec, 7);
	assert_int_equal(x->stat.btime.tv_nsec, 8);
	assert_int_equal(x->stat.attributes, STATX_ATTR_APPEND);
	assert_int_equal(x->stat.attributes_mask, STATX_ATTR_APPEND | STATX_ATTR_IMMUTABLE |
			 STATX_ATTR_NODUMP | STATX_ATTR_COMPRESSED);
}

static void test_statx_without_btime(void **state)
{
	struct fb_request req = request(FUSE_STATX);
	struct fuse_statx_out *x;
	struct flat flat;

	(void)state;
	req.out.attr = attr;
	req.out.attr.has_btime = false;
	req.out.attr.rdev = 0xabc12345;	/* major 0x123, minor 0xabc45 */
	flat = encode(&req, 0);
	x = (struct fuse_statx_out *)flat.body;
	assert_int_equal(x->stat.mask, STATX_BASIC_STATS);
	assert_int_equal(x->stat.btime.tv_sec, 0);
	assert_int_equal(x->stat.rdev_major, 0x123);
	assert_int_equal(x->stat.rdev_minor, 0xabc45);
}

static void test_open(void **state)
{
	static const uint32_t opcodes[] = { FUSE_OPEN, FUSE_OPENDIR };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fb_request req = request(opcodes[i]);
		struct fuse_open_out *o;
		struct flat flat;

		req.out.fh = 77;
		req.out.open_flags = FOPEN_KEEP_CACHE;
		flat = encode(&req, 0);
		o = (struct fuse_open_out *)flat.body;
		assert_int_equal(flat.body_len, sizeof(*o));
		assert_int_equal(o->fh, 77);
		assert_int_equal(o->open_flags, FOPEN_KEEP_CACHE);
	}
}

static void test_create(void **state)
{
	static const uint32_t opcodes[] = { FUSE_CREATE, FUSE_TMPFILE };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fb_request req = request(opcodes[i]);
		struct fuse_open_out *o;
		struct flat flat;

		req.out.attr = attr;
		req.out.fh = 78;
		req.out.open_flags = FOPEN_NOFLUSH;
		flat = encode(&req, 0);
		assert_int_equal(flat.body_len, 128 + 16);
		check_entry((struct fuse_entry_out *)flat.body);
		o = (struct fuse_open_out *)(flat.body + 128);
		assert_int_equal(o->fh, 78);
		assert_int_equal(o->open_flags, FOPEN_NOFLUSH);
	}
}

static void test_empty(void **state)
{
	static const uint32_t opcodes[] = {
		FUSE_UNLINK, FUSE_RMDIR, FUSE_RENAME, FUSE_RENAME2, FUSE_RELEASE,
		FUSE_RELEASEDIR, FUSE_FSYNC, FUSE_FSYNCDIR, FUSE_SETXATTR,
		FUSE_REMOVEXATTR, FUSE_FLUSH, FUSE_ACCESS, FUSE_DESTROY,
		FUSE_FALLOCATE, FUSE_SYNCFS,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(opcodes) / sizeof(opcodes[0]); i++) {
		struct fb_request req = request(opcodes[i]);
		struct flat flat;

		req.out.attr = attr;
		req.out.bytes = "never sent";
		req.out.bytes_len = 10;
		flat = encode(&req, 0);
		assert_int_equal(flat.iov_count, 1);
		assert_int_equal(flat.head.error, 0);
		assert_int_equal(flat.body_len, 0);
	}
}

static void test_write(void **state)
{
	struct fb_request req = request(FUSE_WRITE);
	struct flat flat;

	(void)state;
	req.in.write.size = 100;
	req.out.count = 100;
	flat = encode(&req, 0);
	assert_int_equal(flat.body_len, sizeof(struct fuse_write_out));
	assert_int_equal(((struct fuse_write_out *)flat.body)->size, 100);
	req.out.count = 101;
	flat = encode(&req, 0);
	assert_int_equal(flat.head.error, -EIO);
	assert_int_equal(flat.body_len, 0);
}

static void test_copy(void **state)
{
	struct fb_request req = request(FUSE_COPY_FILE_RANGE);
	struct flat flat;

	(void)state;
	req.in.copy_file_range.len = 4096;
	req.out.count = 4095;
	flat = encode(&req, 0);
	assert_int_equal(flat.body_len, sizeof(struct fuse_write_out));
	assert_int_equal(((struct fuse_write_out *)flat.body)->size, 4095);
	req.out.count = 4097;
	assert_int_equal(encode(&req, 0).head.error, -EIO);
	req.opcode = FUSE_COPY_FILE_RANGE_64;
	req.in.copy_file_range.len = 1ull << 40;
	req.out.value = (1ull << 40) - 1;
	flat = encode(&req, 0);
	assert_int_equal(flat.body_len, 8);
	assert_true(*(uint64_t *)flat.body == (1ull << 40) - 1);
	req.out.value = (1ull << 40) + 1;
	assert_int_equal(encode(&req, 0).head.error, -EIO);
}

static void test_statfs(void **state)
{
	struct fb_request req = request(FUSE_STATFS);
	struct fuse_statfs_out *s;
	struct flat flat;

	(void)state;
	req.out.statfs = (struct fuseblk_statfs) {
		.blocks = 1ull << 40, .bfree = 2, .bavail = 3, .files = 4,
		.ffree = 5, .bsize = 4096, .frsize = 1024, .namelen = 255,
	};
	flat = encode(&req, 0);
	s = (struct fuse_statfs_out *)flat.body;
	assert_int_equal(flat.body_len, sizeof(*s));
	assert_true(s->st.blocks == 1ull << 40);
	assert_int_equal(s->st.bfree, 2);
	assert_int_equal(s->st.bavail, 3);
	assert_int_equal(s->st.files, 4);
	assert_int_equal(s->st.ffree, 5);
	assert_int_equal(s->st.bsize, 4096);
	assert_int_equal(s->st.frsize, 1024);
	assert_int_equal(s->st.namelen, 255);
}

static struct fb_request init_request(uint64_t offered)
{
	struct fb_request req = request(FUSE_INIT);

	req.in.init.flags = offered;
	req.out.proto = (struct fb_proto) {
		.minor = 45, .flags = FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_NO_EXPORT_SUPPORT,
		.max_write = 1 << 20, .max_pages = 256,
	};
	req.out.max_readahead = 131072;
	req.out.time_gran = 1;
	req.out.max_background = 100;
	req.out.congestion_threshold = 75;
	return req;
}

static void test_init(void **state)
{
	struct fb_request req = init_request(FUSE_INIT_EXT | FUSE_BIG_WRITES);
	struct fuse_init_out *o;
	struct flat flat = encode(&req, 0);

	(void)state;
	o = (struct fuse_init_out *)flat.body;
	assert_int_equal(flat.body_len, 64);
	assert_int_equal(o->major, 7);
	assert_int_equal(o->minor, 45);
	assert_int_equal(o->max_readahead, 131072);
	assert_int_equal(o->flags, FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_INIT_EXT);
	assert_int_equal(o->flags2, 1 << (38 - 32));
	assert_int_equal(o->max_background, 100);
	assert_int_equal(o->congestion_threshold, 75);
	assert_int_equal(o->max_write, 1 << 20);
	assert_int_equal(o->time_gran, 1);
	assert_int_equal(o->max_pages, 256);
	for (size_t i = 0; i < 7; i++)
		assert_int_equal(o->unused[i], 0);
}

/* A kernel that does not offer INIT_EXT does not read flags2. */
static void test_init_short(void **state)
{
	struct fb_request req = init_request(FUSE_BIG_WRITES);
	struct fuse_init_out *o;
	struct flat flat;

	(void)state;
	req.out.proto.flags = FUSE_BIG_WRITES | FUSE_INIT_EXT;
	flat = encode(&req, 0);
	o = (struct fuse_init_out *)flat.body;
	assert_int_equal(o->flags, FUSE_BIG_WRITES);
	assert_int_equal(o->flags2, 0);
	assert_int_equal(o->max_pages, 0);
}

static void test_max_pages_cut(void **state)
{
	struct fb_request req = init_request(FUSE_INIT_EXT);
	struct flat flat;

	(void)state;
	req.out.proto.max_pages = 65537;
	flat = encode(&req, 0);
	assert_int_equal(((struct fuse_init_out *)flat.body)->max_pages, 65535);
}

static void test_values(void **state)
{
	static const uint32_t opcodes[] = { FUSE_BMAP, FUSE_LSEEK };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fb_request req = request(opcodes[i]);
		struct flat flat;

		req.out.value = 1ull << 50;
		flat = encode(&req, 0);
		assert_int_equal(flat.body_len, 8);
		assert_true(*(uint64_t *)flat.body == 1ull << 50);
	}
}

static void test_read_bytes(void **state)
{
	static const uint32_t opcodes[] = { FUSE_READ, FUSE_READDIR, FUSE_READDIRPLUS };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fb_request req = request(opcodes[i]);
		struct flat flat;

		req.in.read.size = 10;
		req.out.bytes = "0123456789";
		req.out.bytes_len = 10;
		flat = encode(&req, 0);
		assert_int_equal(flat.body_len, 10);
		assert_memory_equal(flat.body, "0123456789", 10);
		req.out.bytes_len = 0;
		flat = encode(&req, 0);
		assert_int_equal(flat.iov_count, 1);
		assert_int_equal(flat.body_len, 0);
		req.in.read.size = 9;
		req.out.bytes_len = 10;
		flat = encode(&req, 0);
		assert_int_equal(flat.head.error, -EIO);
		assert_int_equal(flat.body_len, 0);
	}
}

static void test_readlink(void **state)
{
	struct fb_request req = request(FUSE_READLINK);
	static char target[4096];
	struct flat flat;

	(void)state;
	memset(target, 't', sizeof(target));
	req.out.bytes = target;
	req.out.bytes_len = 4095;
	flat = encode(&req, 0);
	assert_int_equal(flat.body_len, 4095);
	req.out.bytes_len = 4096;
	assert_int_equal(encode(&req, 0).head.error, -ENAMETOOLONG);
}

static void set_xattr_size(struct fb_request *req, uint32_t size)
{
	if (req->opcode == FUSE_GETXATTR)
		req->in.getxattr.size = size;
	else
		req->in.listxattr.size = size;
}

static void test_xattr(void **state)
{
	static const uint32_t opcodes[] = { FUSE_GETXATTR, FUSE_LISTXATTR };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct fb_request req = request(opcodes[i]);
		struct flat flat;

		set_xattr_size(&req, 5);
		req.out.bytes = "value";
		req.out.bytes_len = 5;
		flat = encode(&req, 0);
		assert_int_equal(flat.body_len, 5);
		assert_memory_equal(flat.body, "value", 5);
		set_xattr_size(&req, 4);
		assert_int_equal(encode(&req, 0).head.error, -ERANGE);
		set_xattr_size(&req, 0);
		req.out.count = 5;
		flat = encode(&req, 0);
		assert_int_equal(flat.body_len, sizeof(struct fuse_getxattr_out));
		assert_int_equal(((struct fuse_getxattr_out *)flat.body)->size, 5);
		req.out.count = 65537;
		assert_int_equal(encode(&req, 0).head.error, -E2BIG);
	}
}

static void test_ioctl(void **state)
{
	struct fb_request req = request(FUSE_IOCTL);
	struct fuse_ioctl_out *o;
	struct flat flat;

	(void)state;
	req.in.ioctl.out_size = 8;
	req.out.ioctl_result = 3;
	req.out.bytes = "flags!!";
	req.out.bytes_len = 8;
	flat = encode(&req, 0);
	o = (struct fuse_ioctl_out *)flat.body;
	assert_int_equal(flat.body_len, sizeof(*o) + 8);
	assert_int_equal(o->result, 3);
	assert_int_equal(o->in_iovs, 0);
	assert_memory_equal(flat.body + sizeof(*o), "flags!!", 8);
	req.in.ioctl.out_size = 4;
	assert_int_equal(encode(&req, 0).head.error, -EIO);
}

static void test_errors(void **state)
{
	static const struct { int given, sent; } rows[] = {
		{ -ENOENT, -ENOENT }, { -1, -1 }, { -511, -511 }, { -512, -EIO },
		{ -4096, -EIO }, { 1, -EIO }, { 22, -EIO }, { INT32_MIN, -EIO },
		{ INT32_MAX, -EIO },
	};

	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		uint32_t opcode = message_samples[i].opcode;

		if (opcode == FUSE_FORGET || opcode == FUSE_BATCH_FORGET)
			continue;
		for (size_t k = 0; k < sizeof(rows) / sizeof(rows[0]); k++) {
			struct fb_request req = request(opcode);
			struct flat flat;

			req.out.bytes = "secret";
			req.out.bytes_len = 6;
			flat = encode(&req, rows[k].given);
			assert_int_equal(flat.head.error, rows[k].sent);
			assert_int_equal(flat.len, 16);
		}
	}
}

static void test_silent(void **state)
{
	static const int errors[] = { 0, -EIO, -EINVAL };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct fb_request req = request(FUSE_FORGET);

		assert_int_equal(encode(&req, errors[i]).iov_count, 0);
		req = request(FUSE_BATCH_FORGET);
		assert_int_equal(encode(&req, errors[i]).iov_count, 0);
		req = request(FUSE_NOTIFY_REPLY);
		assert_int_equal(encode(&req, errors[i]).iov_count, 0);
		req = request(FUSE_INTERRUPT);
		assert_int_equal(encode(&req, errors[i]).iov_count, errors[i] ? 1 : 0);
		/* the kernel would take it for a notification */
		req = request(FUSE_LOOKUP);
		req.unique = 0;
		assert_int_equal(encode(&req, errors[i]).iov_count, 0);
	}
}

static void test_unknown_opcode(void **state)
{
	static const uint32_t opcodes[] = { 0, 7, FUSE_POLL, 54, 4096, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < 6; i++) {
		struct fb_request req = request(opcodes[i]);

		assert_int_equal(encode(&req, 0).head.error, -ENOSYS);
		assert_int_equal(encode(&req, -EACCES).head.error, -EACCES);
	}
}

static void test_dirent(void **state)
{
	_Alignas(8) uint8_t buf[64];
	struct fuse_dirent *d = (struct fuse_dirent *)buf;

	(void)state;
	for (size_t size = 0; size < 32; size++)
		assert_int_equal(fb_encode_dirent(&proto, buf, size, "abcde", 5, 12, 8, 99), 0);
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(fb_encode_dirent(&proto, buf, 32, "abcde", 5, 12, 8, 99), 32);
	assert_int_equal(d->ino, 12);
	assert_int_equal(d->off, 99);
	assert_int_equal(d->namelen, 5);
	assert_int_equal(d->type, 8);
	assert_memory_equal(d->name, "abcde\0\0\0", 8);
	assert_int_equal(buf[32], 0xff);
	/* a name that fills its record to the end */
	assert_int_equal(fb_encode_dirent(&proto, buf, 32, "abcdefgh", 8, 12, 8, 99), 32);
	assert_int_equal(fb_encode_dirent(&proto, buf, sizeof(buf), "abcdefghi", 9, 12, 8, 99), 40);
}

static void test_dirent_too_long(void **state)
{
	static char name[5000];
	static uint8_t buf[8192];

	(void)state;
	memset(name, 'n', sizeof(name));
	assert_int_equal(fb_encode_dirent(&proto, buf, sizeof(buf), name, 255, 1, 8, 1), 280);
	assert_int_equal(fb_encode_dirent(&proto, buf, sizeof(buf), name, 1025, 1, 8, 1), 0);
	assert_int_equal(fb_encode_dirent(&proto, buf, sizeof(buf), name, SIZE_MAX, 1, 8, 1), 0);
}

static void test_direntplus(void **state)
{
	_Alignas(8) uint8_t buf[200];
	struct fuse_direntplus *d = (struct fuse_direntplus *)buf;
	struct fuseblk_attr none = { 0 };

	(void)state;
	for (size_t size = 0; size < 160; size++)
		assert_int_equal(fb_encode_direntplus(&proto, buf, size, "abcde", 5, &vol,
						      &attr, 12, 8, 99, false), 0);
	assert_int_equal(fb_encode_direntplus(&proto, buf, 160, "abcde", 5, &vol,
					      &attr, 12, 8, 99, false), 160);
	check_entry(&d->entry_out);
	assert_int_equal(d->dirent.ino, 12);
	assert_int_equal(d->dirent.off, 99);
	assert_memory_equal(d->dirent.name, "abcde\0\0\0", 8);
	assert_int_equal(fb_encode_direntplus(&proto, buf, 160, "abcde", 5, &vol,
					      &attr, 12, 8, 99, true), 160);
	assert_int_equal(d->entry_out.entry_valid, 0);
	/* no lookup: the kernel counts none for node id 0 */
	memset(buf, 0xff, sizeof(buf));
	assert_int_equal(fb_encode_direntplus(&proto, buf, 160, "..", 2, &vol,
					      &none, 2, 4, 99, false), 160);
	assert_int_equal(d->entry_out.nodeid, 0);
	assert_int_equal(d->entry_out.attr.mode, 0);
	assert_int_equal(d->dirent.ino, 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entries),
		cmocka_unit_test(test_root_entry),
		cmocka_unit_test(test_negative_entry),
		cmocka_unit_test(test_uncached_entry),
		cmocka_unit_test(test_attrs),
		cmocka_unit_test(test_blksize),
		cmocka_unit_test(test_statx),
		cmocka_unit_test(test_statx_without_btime),
		cmocka_unit_test(test_open),
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_write),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_statfs),
		cmocka_unit_test(test_init),
		cmocka_unit_test(test_init_short),
		cmocka_unit_test(test_max_pages_cut),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_read_bytes),
		cmocka_unit_test(test_readlink),
		cmocka_unit_test(test_xattr),
		cmocka_unit_test(test_ioctl),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_silent),
		cmocka_unit_test(test_unknown_opcode),
		cmocka_unit_test(test_dirent),
		cmocka_unit_test(test_dirent_too_long),
		cmocka_unit_test(test_direntplus),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
