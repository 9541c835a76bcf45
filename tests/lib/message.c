/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * message.c: builds FUSE requests as the kernel does, one sample per opcode
 * included.  SETXATTR is in its extended form.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <linux/fs.h>
#include "message.h"

static void grow(struct message *m, size_t len)
{
	if (len <= m->room)
		return;
	m->room = len + 4096;
	m->bytes = realloc(m->bytes, m->room);
	if (!m->bytes)
		abort();
}

struct fuse_in_header *message_head(struct message *m)
{
	return (struct fuse_in_header *)m->bytes;
}

struct message message_new(uint32_t opcode, uint64_t unique, uint64_t nodeid)
{
	struct message m = { 0 };
	struct fuse_in_header head = {
		.len = sizeof(head),
		.opcode = opcode,
		.unique = unique,
		.nodeid = nodeid,
		.pid = 4711,
	};

	message_add(&m, &head, sizeof(head));
	return m;
}

void message_free(struct message *m)
{
	free(m->bytes);
	*m = (struct message) { 0 };
}

void message_add(struct message *m, const void *bytes, size_t len)
{
	grow(m, m->len + len);
	if (len)
		memcpy(m->bytes + m->len, bytes, len);
	m->len += len;
	message_head(m)->len = m->len;
}

void message_add_string(struct message *m, const char *text)
{
	message_add(m, text, strlen(text) + 1);
}

void message_resize(struct message *m, size_t len, int fill, bool fix_head)
{
	grow(m, len);
	if (len > m->len)
		memset(m->bytes + m->len, fill, len - m->len);
	m->len = len;
	if (fix_head && len >= sizeof(uint32_t))
		message_head(m)->len = len;
}

#define ADD(m, type, ...) \
	message_add((m), &(type) { __VA_ARGS__ }, sizeof(type))

static void fill_none(struct message *m)
{
	(void)m;
}

static void fill_name(struct message *m)
{
	message_add_string(m, "name");
}

static void fill_xattr_name(struct message *m)
{
	message_add_string(m, "user.name");
}

static void fill_forget(struct message *m)
{
	ADD(m, struct fuse_forget_in, .nlookup = 3);
}

static void fill_batch_forget(struct message *m)
{
	ADD(m, struct fuse_batch_forget_in, .count = 2);
	ADD(m, struct fuse_forget_one, .nodeid = 12, .nlookup = 1);
	ADD(m, struct fuse_forget_one, .nodeid = 13, .nlookup = 2);
}

static void fill_getattr(struct message *m)
{
	ADD(m, struct fuse_getattr_in, .getattr_flags = FUSE_GETATTR_FH, .fh = 5);
}

static void fill_setattr(struct message *m)
{
	ADD(m, struct fuse_setattr_in, .valid = FATTR_MODE | FATTR_MTIME,
	    .mode = 0100600, .mtime = (uint64_t)-5, .mtimensec = 999999999);
}

static void fill_symlink(struct message *m)
{
	message_add_string(m, "name");
	message_add_string(m, "../target");
}

static void fill_mknod(struct message *m)
{
	ADD(m, struct fuse_mknod_in, .mode = 0100644, .rdev = 0x103, .umask = 022);
	fill_name(m);
}

static void fill_mkdir(struct message *m)
{
	ADD(m, struct fuse_mkdir_in, .mode = 0755, .umask = 022);
	fill_name(m);
}

static void fill_rename(struct message *m)
{
	ADD(m, struct fuse_rename_in, .newdir = 1);
	fill_name(m);
	message_add_string(m, "other");
}

static void fill_rename2(struct message *m)
{
	ADD(m, struct fuse_rename2_in, .newdir = 1, .flags = 1);
	fill_name(m);
	message_add_string(m, "other");
}

static void fill_link(struct message *m)
{
	ADD(m, struct fuse_link_in, .oldnodeid = 12);
	fill_name(m);
}

static void fill_open(struct message *m)
{
	ADD(m, struct fuse_open_in, .flags = 2);
}

static void fill_read(struct message *m)
{
	ADD(m, struct fuse_read_in, .fh = 6, .offset = 8192, .size = 4096);
}

static void fill_write(struct message *m)
{
	ADD(m, struct fuse_write_in, .fh = 7, .offset = 10, .size = 5,
	    .write_flags = FUSE_WRITE_CACHE);
	message_add(m, "bytes", 5);
}

static void fill_release(struct message *m)
{
	ADD(m, struct fuse_release_in, .fh = 8, .flags = 1);
}

static void fill_fsync(struct message *m)
{
	ADD(m, struct fuse_fsync_in, .fh = 9, .fsync_flags = FUSE_FSYNC_FDATASYNC);
}

static void fill_setxattr(struct message *m)
{
	ADD(m, struct fuse_setxattr_in, .size = 5, .flags = 1);
	fill_xattr_name(m);
	message_add(m, "value", 5);
}

static void fill_getxattr(struct message *m)
{
	ADD(m, struct fuse_getxattr_in, .size = 100);
	fill_xattr_name(m);
}

static void fill_listxattr(struct message *m)
{
	ADD(m, struct fuse_getxattr_in, .size = 100);
}

static void fill_flush(struct message *m)
{
	ADD(m, struct fuse_flush_in, .fh = 10);
}

static void fill_init(struct message *m)
{
	ADD(m, struct fuse_init_in, .major = 7, .minor = 45,
	    .max_readahead = 131072, .flags = 0x73fffffb, .flags2 = 0x5fd);
}

static void fill_access(struct message *m)
{
	ADD(m, struct fuse_access_in, .mask = 4);
}

static void fill_create(struct message *m)
{
	ADD(m, struct fuse_create_in, .flags = 0101, .mode = 0100644, .umask = 022);
	fill_name(m);
}

static void fill_tmpfile(struct message *m)
{
	ADD(m, struct fuse_create_in, .flags = 0101, .mode = 0100644);
	message_add_string(m, "/");
}

static void fill_interrupt(struct message *m)
{
	ADD(m, struct fuse_interrupt_in, .unique = 42);
}

static void fill_bmap(struct message *m)
{
	ADD(m, struct fuse_bmap_in, .block = 3, .blocksize = 4096);
}

static void fill_ioctl(struct message *m)
{
	uint32_t flags = 0x10;

	ADD(m, struct fuse_ioctl_in, .fh = 11, .cmd = FS_IOC_SETFLAGS,
	    .in_size = sizeof(flags), .out_size = 0);
	message_add(m, &flags, sizeof(flags));
}

static void fill_fallocate(struct message *m)
{
	ADD(m, struct fuse_fallocate_in, .offset = 4096, .length = 8192, .mode = 1);
}

static void fill_lseek(struct message *m)
{
	ADD(m, struct fuse_lseek_in, .offset = 4096, .whence = 3);
}

static void fill_copy(struct message *m)
{
	ADD(m, struct fuse_copy_file_range_in, .off_in = 4096, .nodeid_out = 13,
	    .off_out = 8192, .len = 100000);
}

static void fill_syncfs(struct message *m)
{
	ADD(m, struct fuse_syncfs_in, .padding = 0);
}

static void fill_statx(struct message *m)
{
	ADD(m, struct fuse_statx_in, .sx_flags = 0x100, .sx_mask = 0xfff);
}

#define SAMPLE(op, end, fill) { FUSE_##op, #op, MESSAGE_END_##end, fill }

const struct message_sample message_samples[] = {
	SAMPLE(LOOKUP, NAME, fill_name),
	SAMPLE(FORGET, STRUCT, fill_forget),
	SAMPLE(GETATTR, STRUCT, fill_getattr),
	SAMPLE(SETATTR, STRUCT, fill_setattr),
	SAMPLE(READLINK, STRUCT, fill_none),
	SAMPLE(SYMLINK, NAME, fill_symlink),
	SAMPLE(MKNOD, NAME, fill_mknod),
	SAMPLE(MKDIR, NAME, fill_mkdir),
	SAMPLE(UNLINK, NAME, fill_name),
	SAMPLE(RMDIR, NAME, fill_name),
	SAMPLE(RENAME, NAME, fill_rename),
	SAMPLE(LINK, NAME, fill_link),
	SAMPLE(OPEN, STRUCT, fill_open),
	SAMPLE(READ, STRUCT, fill_read),
	SAMPLE(WRITE, BYTES, fill_write),
	SAMPLE(STATFS, STRUCT, fill_none),
	SAMPLE(RELEASE, STRUCT, fill_release),
	SAMPLE(FSYNC, STRUCT, fill_fsync),
	SAMPLE(SETXATTR, BYTES, fill_setxattr),
	SAMPLE(GETXATTR, NAME, fill_getxattr),
	SAMPLE(LISTXATTR, STRUCT, fill_listxattr),
	SAMPLE(REMOVEXATTR, NAME, fill_xattr_name),
	SAMPLE(FLUSH, STRUCT, fill_flush),
	SAMPLE(INIT, STRUCT, fill_init),
	SAMPLE(OPENDIR, STRUCT, fill_open),
	SAMPLE(READDIR, STRUCT, fill_read),
	SAMPLE(RELEASEDIR, STRUCT, fill_release),
	SAMPLE(FSYNCDIR, STRUCT, fill_fsync),
	SAMPLE(ACCESS, STRUCT, fill_access),
	SAMPLE(CREATE, NAME, fill_create),
	SAMPLE(INTERRUPT, STRUCT, fill_interrupt),
	SAMPLE(BMAP, STRUCT, fill_bmap),
	SAMPLE(DESTROY, STRUCT, fill_none),
	SAMPLE(IOCTL, BYTES, fill_ioctl),
	SAMPLE(BATCH_FORGET, BYTES, fill_batch_forget),
	SAMPLE(FALLOCATE, STRUCT, fill_fallocate),
	SAMPLE(READDIRPLUS, STRUCT, fill_read),
	SAMPLE(RENAME2, NAME, fill_rename2),
	SAMPLE(LSEEK, STRUCT, fill_lseek),
	SAMPLE(COPY_FILE_RANGE, STRUCT, fill_copy),
	SAMPLE(SYNCFS, STRUCT, fill_syncfs),
	SAMPLE(TMPFILE, NAME, fill_tmpfile),
	SAMPLE(STATX, STRUCT, fill_statx),
	SAMPLE(COPY_FILE_RANGE_64, STRUCT, fill_copy),
};
const size_t message_sample_count = sizeof(message_samples) / sizeof(message_samples[0]);

struct message message_of_sample(const struct message_sample *sample,
				 uint64_t unique, uint64_t nodeid)
{
	struct message m = message_new(sample->opcode, unique, nodeid);

	sample->fill(&m);
	return m;
}

/* What stands before the name, by opcode; none: the name comes first. */
static const struct { uint32_t opcode; size_t size; } heads[] = {
	{ FUSE_MKNOD, sizeof(struct fuse_mknod_in) },
	{ FUSE_MKDIR, sizeof(struct fuse_mkdir_in) },
	{ FUSE_LINK, sizeof(struct fuse_link_in) },
	{ FUSE_CREATE, sizeof(struct fuse_create_in) },
	{ FUSE_RENAME, sizeof(struct fuse_rename_in) },
	{ FUSE_RENAME2, sizeof(struct fuse_rename2_in) },
};

struct message message_named(uint32_t opcode, uint64_t nodeid, const char *name, size_t len)
{
	static const uint8_t zeros[sizeof(struct fuse_in_header)];
	struct message m = message_new(opcode, 1, nodeid);

	for (size_t i = 0; i < sizeof(heads) / sizeof(heads[0]); i++)
		if (heads[i].opcode == opcode)
			message_add(&m, zeros, heads[i].size);
	if (opcode == FUSE_RENAME || opcode == FUSE_RENAME2)
		message_add_string(&m, "first");
	message_add(&m, name, len);
	if (opcode == FUSE_SYMLINK)
		message_add_string(&m, "target");
	return m;
}
