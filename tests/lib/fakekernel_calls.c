/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakekernel_calls.c: one function per opcode, each checking that the reply
 * has the size the kernel insists on.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fakekernel.h"

/* A call whose reply must be exactly @size bytes. */
static int exact(struct fk *fk, const struct fk_args *args, void *out, size_t size)
{
	ssize_t n = fk_call(fk, args, out, size);

	if (n < 0)
		return (int)n;
	return (size_t)n == size ? 0 : -EPROTO;
}

#define ARGS(op, id, in) .opcode = (op), .nodeid = (id), .args = &(in), .args_len = sizeof(in)

static int entry(struct fk *fk, const struct fk_args *args, struct fuse_entry_out *out)
{
	struct fuse_entry_out unused;

	return exact(fk, args, out ? out : &unused, sizeof(*out));
}

int fk_lookup(struct fk *fk, uint64_t dir, const char *name, struct fuse_entry_out *out)
{
	struct fk_args args = { .opcode = FUSE_LOOKUP, .nodeid = dir, .name = name };

	return entry(fk, &args, out);
}

uint64_t fk_find(struct fk *fk, uint64_t dir, const char *name)
{
	struct fuse_entry_out out;

	return fk_lookup(fk, dir, name, &out) ? 0 : out.nodeid;
}

int fk_getattr(struct fk *fk, uint64_t node, struct fuse_attr *out)
{
	struct fuse_getattr_in in = { 0 };
	struct fk_args args = { ARGS(FUSE_GETATTR, node, in) };
	struct fuse_attr_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	if (!err && out)
		*out = reply.attr;
	return err;
}

int fk_statx(struct fk *fk, uint64_t node, struct fuse_statx *out)
{
	struct fuse_statx_in in = { .sx_mask = 0xfff };
	struct fk_args args = { ARGS(FUSE_STATX, node, in) };
	struct fuse_statx_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	if (!err)
		*out = reply.stat;
	return err;
}

int fk_setattr(struct fk *fk, uint64_t node, const struct fuse_setattr_in *in,
	       struct fuse_attr *out)
{
	struct fk_args args = { ARGS(FUSE_SETATTR, node, *in) };
	struct fuse_attr_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	if (!err && out)
		*out = reply.attr;
	return err;
}

int fk_truncate(struct fk *fk, uint64_t node, uint64_t size)
{
	struct fuse_setattr_in in = { .valid = FATTR_SIZE, .size = size };

	return fk_setattr(fk, node, &in, NULL);
}

int fk_chmod(struct fk *fk, uint64_t node, uint32_t mode)
{
	struct fuse_setattr_in in = { .valid = FATTR_MODE, .mode = mode };

	return fk_setattr(fk, node, &in, NULL);
}

ssize_t fk_readlink(struct fk *fk, uint64_t node, char *buf, size_t size)
{
	struct fk_args args = { .opcode = FUSE_READLINK, .nodeid = node };

	return fk_call(fk, &args, buf, size);
}

int fk_symlink(struct fk *fk, uint64_t dir, const char *name, const char *target,
	       struct fuse_entry_out *out)
{
	struct fk_args args = {
		.opcode = FUSE_SYMLINK, .nodeid = dir, .name = name, .name2 = target,
	};

	return entry(fk, &args, out);
}

int fk_mknod(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	     uint32_t rdev, struct fuse_entry_out *out)
{
	struct fuse_mknod_in in = { .mode = mode, .rdev = rdev };
	struct fk_args args = { ARGS(FUSE_MKNOD, dir, in), .name = name };

	return entry(fk, &args, out);
}

int fk_mkdir(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	     struct fuse_entry_out *out)
{
	struct fuse_mkdir_in in = { .mode = mode };
	struct fk_args args = { ARGS(FUSE_MKDIR, dir, in), .name = name };

	return entry(fk, &args, out);
}

static int named(struct fk *fk, uint32_t opcode, uint64_t dir, const char *name)
{
	struct fk_args args = { .opcode = opcode, .nodeid = dir, .name = name };

	return exact(fk, &args, NULL, 0);
}

int fk_unlink(struct fk *fk, uint64_t dir, const char *name)
{
	return named(fk, FUSE_UNLINK, dir, name);
}

int fk_rmdir(struct fk *fk, uint64_t dir, const char *name)
{
	return named(fk, FUSE_RMDIR, dir, name);
}

int fk_rename(struct fk *fk, uint64_t dir, const char *name, uint64_t newdir,
	      const char *newname)
{
	struct fuse_rename_in in = { .newdir = newdir };
	struct fk_args args = { ARGS(FUSE_RENAME, dir, in), .name = name, .name2 = newname };

	return exact(fk, &args, NULL, 0);
}

int fk_rename2(struct fk *fk, uint64_t dir, const char *name, uint64_t newdir,
	       const char *newname, uint32_t flags)
{
	struct fuse_rename2_in in = { .newdir = newdir, .flags = flags };
	struct fk_args args = { ARGS(FUSE_RENAME2, dir, in), .name = name, .name2 = newname };

	return exact(fk, &args, NULL, 0);
}

int fk_link(struct fk *fk, uint64_t node, uint64_t dir, const char *name,
	    struct fuse_entry_out *out)
{
	struct fuse_link_in in = { .oldnodeid = node };
	struct fk_args args = { ARGS(FUSE_LINK, dir, in), .name = name };

	return entry(fk, &args, out);
}

static int open_as(struct fk *fk, uint32_t opcode, uint64_t node, uint32_t flags,
		   struct fuse_open_out *out)
{
	struct fuse_open_in in = { .flags = flags };
	struct fk_args args = { ARGS(opcode, node, in) };
	struct fuse_open_out unused;

	return exact(fk, &args, out ? out : &unused, sizeof(*out));
}

int fk_open(struct fk *fk, uint64_t node, uint32_t flags, struct fuse_open_out *out)
{
	return open_as(fk, FUSE_OPEN, node, flags, out);
}

int fk_opendir(struct fk *fk, uint64_t node, struct fuse_open_out *out)
{
	return open_as(fk, FUSE_OPENDIR, node, 0, out);
}

struct created {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

static int create_as(struct fk *fk, const struct fk_args *args,
		     struct fuse_entry_out *out, struct fuse_open_out *open)
{
	struct created reply;
	int err = exact(fk, args, &reply, sizeof(reply));

	if (err)
		return err;
	if (out)
		*out = reply.entry;
	if (open)
		*open = reply.open;
	return 0;
}

int fk_create(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	      uint32_t flags, struct fuse_entry_out *out, struct fuse_open_out *open)
{
	struct fuse_create_in in = { .flags = flags, .mode = mode };
	struct fk_args args = { ARGS(FUSE_CREATE, dir, in), .name = name };

	return create_as(fk, &args, out, open);
}

int fk_tmpfile(struct fk *fk, uint64_t dir, uint32_t mode,
	       struct fuse_entry_out *out, struct fuse_open_out *open)
{
	struct fuse_create_in in = { .mode = mode };
	struct fk_args args = { ARGS(FUSE_TMPFILE, dir, in), .name = "/" };

	return create_as(fk, &args, out, open);
}

ssize_t fk_read(struct fk *fk, uint64_t node, uint64_t off, void *buf, uint32_t size)
{
	struct fuse_read_in in = { .offset = off, .size = size };
	struct fk_args args = { ARGS(FUSE_READ, node, in) };

	return fk_call(fk, &args, buf, size);
}

ssize_t fk_write(struct fk *fk, uint64_t node, uint64_t off, const void *buf,
		 uint32_t size, uint32_t write_flags)
{
	struct fuse_write_in in = { .offset = off, .size = size, .write_flags = write_flags };
	struct fk_args args = { ARGS(FUSE_WRITE, node, in), .bytes = buf, .bytes_len = size };
	struct fuse_write_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	return err ? err : (ssize_t)reply.size;
}

int fk_release(struct fk *fk, uint64_t node, uint64_t fh, bool dir)
{
	struct fuse_release_in in = { .fh = fh };
	struct fk_args args = { ARGS(dir ? FUSE_RELEASEDIR : FUSE_RELEASE, node, in) };

	return exact(fk, &args, NULL, 0);
}

int fk_flush(struct fk *fk, uint64_t node, uint64_t fh)
{
	struct fuse_flush_in in = { .fh = fh };
	struct fk_args args = { ARGS(FUSE_FLUSH, node, in) };

	return exact(fk, &args, NULL, 0);
}

int fk_fsync(struct fk *fk, uint64_t node, bool datasync)
{
	struct fuse_fsync_in in = { .fsync_flags = datasync ? FUSE_FSYNC_FDATASYNC : 0 };
	struct fk_args args = { ARGS(FUSE_FSYNC, node, in) };

	return exact(fk, &args, NULL, 0);
}

int fk_fsyncdir(struct fk *fk, uint64_t node)
{
	struct fuse_fsync_in in = { 0 };
	struct fk_args args = { ARGS(FUSE_FSYNCDIR, node, in) };

	return exact(fk, &args, NULL, 0);
}

/* In the long form where INIT settled on it. */
int fk_setxattr(struct fk *fk, uint64_t node, const char *name, const void *value,
		size_t size, uint32_t flags)
{
	struct fuse_setxattr_in in = { .size = (uint32_t)size, .flags = flags };
	struct fk_args args = {
		ARGS(FUSE_SETXATTR, node, in), .name = name, .bytes = value, .bytes_len = size,
	};

	if (!(fk_init_reply(fk)->flags & FUSE_SETXATTR_EXT))
		args.args_len = FB_SETXATTR_IN_SHORT;
	return exact(fk, &args, NULL, 0);
}

/* With size 0 the kernel gets a structure, else bytes. */
static ssize_t get_xattrs(struct fk *fk, const struct fk_args *args, void *value, size_t size)
{
	struct fuse_getxattr_out reply;
	int err;

	if (size)
		return fk_call(fk, args, value, size);
	err = exact(fk, args, &reply, sizeof(reply));
	return err ? err : (ssize_t)reply.size;
}

ssize_t fk_getxattr(struct fk *fk, uint64_t node, const char *name, void *value, size_t size)
{
	struct fuse_getxattr_in in = { .size = (uint32_t)size };
	struct fk_args args = { ARGS(FUSE_GETXATTR, node, in), .name = name };

	return get_xattrs(fk, &args, value, size);
}

ssize_t fk_listxattr(struct fk *fk, uint64_t node, char *list, size_t size)
{
	struct fuse_getxattr_in in = { .size = (uint32_t)size };
	struct fk_args args = { ARGS(FUSE_LISTXATTR, node, in) };

	return get_xattrs(fk, &args, list, size);
}

int fk_removexattr(struct fk *fk, uint64_t node, const char *name)
{
	return named(fk, FUSE_REMOVEXATTR, node, name);
}

int fk_statfs(struct fk *fk, struct fuse_kstatfs *out)
{
	struct fk_args args = { .opcode = FUSE_STATFS, .nodeid = FUSE_ROOT_ID };
	struct fuse_statfs_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	if (!err)
		*out = reply.st;
	return err;
}

int fk_access(struct fk *fk, uint64_t node, uint32_t mask)
{
	struct fuse_access_in in = { .mask = mask };
	struct fk_args args = { ARGS(FUSE_ACCESS, node, in) };

	return exact(fk, &args, NULL, 0);
}

int fk_lseek(struct fk *fk, uint64_t node, uint64_t off, uint32_t whence, uint64_t *out)
{
	struct fuse_lseek_in in = { .offset = off, .whence = whence };
	struct fk_args args = { ARGS(FUSE_LSEEK, node, in) };

	return exact(fk, &args, out, sizeof(struct fuse_lseek_out));
}

int fk_fallocate(struct fk *fk, uint64_t node, uint32_t mode, uint64_t off, uint64_t len)
{
	struct fuse_fallocate_in in = { .offset = off, .length = len, .mode = mode };
	struct fk_args args = { ARGS(FUSE_FALLOCATE, node, in) };

	return exact(fk, &args, NULL, 0);
}

ssize_t fk_copy(struct fk *fk, uint64_t from, uint64_t off_from, uint64_t to,
		uint64_t off_to, uint64_t len)
{
	struct fuse_copy_file_range_in in = {
		.off_in = off_from, .nodeid_out = to, .off_out = off_to, .len = len,
	};
	struct fk_args args = { ARGS(FUSE_COPY_FILE_RANGE_64, from, in) };
	struct fuse_copy_file_range_out reply;
	int err = exact(fk, &args, &reply, sizeof(reply));

	return err ? err : (ssize_t)reply.bytes_copied;
}

int fk_bmap(struct fk *fk, uint64_t node, uint64_t block, uint32_t block_size, uint64_t *out)
{
	struct fuse_bmap_in in = { .block = block, .blocksize = block_size };
	struct fk_args args = { ARGS(FUSE_BMAP, node, in) };

	return exact(fk, &args, out, sizeof(struct fuse_bmap_out));
}

/* A reply of @least to @out_size bytes behind its head. */
static int ioctl_reply(struct fk *fk, const struct fk_args *args, size_t least, void *out, size_t out_size)
{
	struct {
		struct fuse_ioctl_out head;
		uint8_t bytes[FB_WIRE_IOCTL_MAX];
	} reply;
	ssize_t n = fk_call(fk, args, &reply, sizeof(reply.head) + out_size);

	if (n < 0)
		return (int)n;
	if ((size_t)n < sizeof(reply.head) + least)
		return -EPROTO;
	if (out_size)
		memcpy(out, reply.bytes, (size_t)n - sizeof(reply.head));
	return reply.head.result;
}

int fk_ioctl_dir(struct fk *fk, uint64_t node, uint64_t fh, uint32_t cmd, void *out, size_t out_size)
{
	struct fuse_ioctl_in head = {
		.fh = fh, .flags = FUSE_IOCTL_DIR, .cmd = cmd, .out_size = (uint32_t)out_size,
	};
	struct fk_args args = { ARGS(FUSE_IOCTL, node, head) };

	return ioctl_reply(fk, &args, out_size, out, out_size);
}

int fk_readdir_fh(struct fk *fk, uint64_t dir, uint64_t fh, uint64_t off)
{
	struct fuse_read_in in = { .fh = fh, .offset = off, .size = 4096 };
	struct fk_args args = { ARGS(FUSE_READDIR, dir, in) };
	uint8_t bytes[4096];
	ssize_t n = fk_call(fk, &args, bytes, sizeof(bytes));

	return n < 0 ? (int)n : 0;
}

int fk_ioctl(struct fk *fk, uint64_t node, uint32_t cmd, const void *in, size_t in_size,
	     void *out, size_t out_size)
{
	struct fuse_ioctl_in head = {
		.cmd = cmd, .in_size = (uint32_t)in_size, .out_size = (uint32_t)out_size,
	};
	struct fk_args args = {
		ARGS(FUSE_IOCTL, node, head), .bytes = in, .bytes_len = in_size,
	};

	return ioctl_reply(fk, &args, 0, out, out_size);
}

int fk_syncfs(struct fk *fk)
{
	struct fuse_syncfs_in in = { 0 };
	struct fk_args args = { ARGS(FUSE_SYNCFS, FUSE_ROOT_ID, in) };

	return exact(fk, &args, NULL, 0);
}

/* The record at @at of @left bytes, as the kernel reads it. Returns its size or -EPROTO. */
static ssize_t parse_dirent(const uint8_t *at, size_t left, bool plus, struct fk_dirent *out)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	struct fuse_entry_out entry_out = { 0 };
	struct fuse_dirent d;
	size_t size;

	if (left < head + FUSE_NAME_OFFSET)
		return -EPROTO;
	memcpy(&entry_out, at, head);
	memcpy(&d, at + head, FUSE_NAME_OFFSET);
	size = FUSE_REC_ALIGN(head + FUSE_NAME_OFFSET + d.namelen);
	if (d.namelen == 0 || d.namelen > 1024 || size > left)
		return -EPROTO;
	memcpy(out->name, at + head + FUSE_NAME_OFFSET, d.namelen);
	out->name[d.namelen] = 0;
	if (memchr(out->name, '/', d.namelen) || strlen(out->name) != d.namelen)
		return -EPROTO;
	out->ino = d.ino;
	out->next = d.off;
	out->type = d.type;
	out->nodeid = entry_out.nodeid;
	out->attr = entry_out.attr;
	return (ssize_t)size;
}

ssize_t fk_readdir(struct fk *fk, uint64_t dir, uint64_t off, uint32_t size, bool plus,
		   struct fk_dirent *list, size_t max)
{
	struct fuse_read_in in = { .offset = off, .size = size };
	struct fk_args args = { ARGS(plus ? FUSE_READDIRPLUS : FUSE_READDIR, dir, in) };
	uint8_t *bytes = malloc(size ? size : 1);
	ssize_t n = fk_call(fk, &args, bytes, size), count = 0;
	size_t done = 0;

	while (n > 0 && done < (size_t)n && (size_t)count < max) {
		ssize_t record = parse_dirent(bytes + done, (size_t)n - done, plus, &list[count]);

		if (record < 0) {
			free(bytes);
			return record;
		}
		done += (size_t)record;
		count++;
	}
	free(bytes);
	return n < 0 ? n : count;
}

ssize_t fk_list(struct fk *fk, uint64_t dir, bool plus, struct fk_dirent **list)
{
	size_t count = 0, room = 0;
	uint64_t off = 0;
	ssize_t n;

	*list = NULL;
	do {
		if (room - count < 200) {
			room = 2 * room + 400;
			*list = realloc(*list, room * sizeof(**list));
		}
		/* a page holds at most 4096 / 32 records */
		n = fk_readdir(fk, dir, off, 4096, plus, *list + count, room - count);
		if (n > 0) {
			count += (size_t)n;
			off = (*list)[count - 1].next;
		}
	} while (n > 0);
	return n < 0 ? n : (ssize_t)count;
}
