/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testfs_inode.c: the test driver's operations on one inode: attributes, map, xattrs, ioctls. */
#include <errno.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "testfs_impl.h"

/* Enter operation @op with the volume's lock held, or return its error. */
#define BEGIN(vol, op)						\
	struct tfs *fs = fuseblk_private(vol);			\
	int err = testfs_enter(op);				\
								\
	if (err)						\
		return err;					\
	pthread_mutex_lock(&fs->lock)

static int end(struct tfs *fs, int err)
{
	pthread_mutex_unlock(&fs->lock);
	return err;
}

static uint64_t used_blocks(const struct tfs_inode *inode)
{
	uint64_t n = 0;

	for (size_t i = 0; i < TESTFS_BLOCKS; i++)
		n += inode->blocks[i] != FUSEBLK_EXTENT_HOLE;
	return n;
}

int tfs_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out)
{
	BEGIN(vol, "getattr");
	*out = tfs_of(node)->attr;
	out->blocks = used_blocks(tfs_of(node)) * (TESTFS_BLOCK / 512);
	return end(fs, 0);
}

int tfs_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid,
		const struct fuseblk_attr *attr)
{
	struct fuseblk_attr *a = &tfs_of(node)->attr;

	BEGIN(vol, "setattr");
	if (valid & FUSEBLK_SET_MODE)
		a->mode = (a->mode & S_IFMT) | (attr->mode & 07777);
	if (valid & FUSEBLK_SET_UID)
		a->uid = attr->uid;
	if (valid & FUSEBLK_SET_GID)
		a->gid = attr->gid;
	if (valid & FUSEBLK_SET_ATIME)
		a->atime = attr->atime;
	if (valid & FUSEBLK_SET_MTIME)
		a->mtime = attr->mtime;
	if (valid & FUSEBLK_SET_CTIME)
		a->ctime = attr->ctime;
	return end(fs, 0);
}

int tfs_readlink(struct fuseblk_volume *vol, struct fuseblk_node *node, char *buf, size_t size)
{
	const char *target = tfs_of(node)->target;
	size_t len = target ? strlen(target) : 0;

	BEGIN(vol, "readlink");
	if (!target)
		return end(fs, -EINVAL);
	if (len > size)
		return end(fs, -ENAMETOOLONG);
	memcpy(buf, target, len);
	return end(fs, (int)len);
}

/* ---- map ------------------------------------------------------------ */

static uint8_t block_type(const struct tfs_inode *inode, uint64_t block)
{
	return block < TESTFS_BLOCKS ? inode->blocks[block] : FUSEBLK_EXTENT_HOLE;
}

/* The run of like blocks at @off, clipped to @stop; WRITE fills holes first. */
static void map_run(struct tfs_inode *inode, uint64_t off, uint64_t stop, bool write,
		    struct fuseblk_extent *ext)
{
	uint64_t first = off / TESTFS_BLOCK, block = first;
	uint8_t type = block_type(inode, first);

	while (block * TESTFS_BLOCK < stop && block_type(inode, block) == type)
		block++;
	*ext = (struct fuseblk_extent) {
		.offset = off,
		.length = (block * TESTFS_BLOCK < stop ? block * TESTFS_BLOCK : stop) - off,
		.device = inode->attr.ino * TESTFS_SLOT + off,
		.type = type,
	};
	if (!write || type != FUSEBLK_EXTENT_HOLE)
		return;
	memset(inode->blocks + first, FUSEBLK_EXTENT_UNWRITTEN, block - first);
	ext->type = FUSEBLK_EXTENT_UNWRITTEN;
	ext->flags = FUSEBLK_EXTENT_FRESH;
}

int tfs_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	    enum fuseblk_map_mode mode, const struct fuseblk_caller *who,
	    struct fuseblk_extent *ext, unsigned max)
{
	bool write = mode == FUSEBLK_MAP_WRITE;
	uint64_t stop = off + len;
	unsigned n = 0;

	(void)who;
	BEGIN(vol, write ? "map_write" : "map_read");
	if (write && stop > TESTFS_SLOT)
		return end(fs, -EFBIG);
	for (; n < max && off < stop; n++) {
		map_run(tfs_of(node), off, stop, write, &ext[n]);
		off += ext[n].length;
	}
	return end(fs, (int)n);
}

int tfs_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		uint64_t len, uint64_t size)
{
	struct tfs_inode *inode = tfs_of(node);

	BEGIN(vol, "written");
	for (uint64_t at = off / TESTFS_BLOCK; len && at * TESTFS_BLOCK < off + len; at++)
		inode->blocks[at] = FUSEBLK_EXTENT_MAPPED;
	if (size > inode->attr.size)
		inode->attr.size = size;
	return end(fs, 0);
}

int tfs_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	struct tfs_inode *inode = tfs_of(node);
	uint64_t keep = (size + TESTFS_BLOCK - 1) / TESTFS_BLOCK;

	BEGIN(vol, "truncate");
	if (keep < TESTFS_BLOCKS)
		memset(inode->blocks + keep, FUSEBLK_EXTENT_HOLE, TESTFS_BLOCKS - keep);
	inode->attr.size = size;
	return end(fs, 0);
}

int tfs_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		 uint64_t len, uint64_t size, const struct fuseblk_caller *who)
{
	struct tfs_inode *inode = tfs_of(node);

	(void)who;
	BEGIN(vol, "allocate");
	if (off + len > TESTFS_SLOT)
		return end(fs, -EFBIG);
	for (uint64_t at = off / TESTFS_BLOCK; at * TESTFS_BLOCK < off + len; at++)
		if (inode->blocks[at] == FUSEBLK_EXTENT_HOLE)
			inode->blocks[at] = FUSEBLK_EXTENT_UNWRITTEN;
	if (size > inode->attr.size)
		inode->attr.size = size;
	return end(fs, 0);
}

int tfs_punch(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len)
{
	struct tfs_inode *inode = tfs_of(node);
	uint64_t from = off / TESTFS_BLOCK, to = (off + len) / TESTFS_BLOCK;

	BEGIN(vol, "punch");
	if (to > TESTFS_BLOCKS)
		to = TESTFS_BLOCKS;
	if (from < to)
		memset(inode->blocks + from, FUSEBLK_EXTENT_HOLE, to - from);
	return end(fs, 0);
}

/* ---- xattrs --------------------------------------------------------- */

void tfs_free_xattrs(struct tfs_inode *inode)
{
	while (inode->xattrs) {
		struct tfs_xattr *next = inode->xattrs->next;

		free(inode->xattrs->name);
		free(inode->xattrs->value);
		free(inode->xattrs);
		inode->xattrs = next;
	}
}

static struct tfs_xattr **find_xattr(struct tfs_inode *inode, const char *name)
{
	struct tfs_xattr **at = &inode->xattrs;

	while (*at && strcmp((*at)->name, name))
		at = &(*at)->next;
	return at;
}

ssize_t tfs_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name,
		     void *value, size_t size)
{
	struct tfs_xattr *x;

	BEGIN(vol, "getxattr");
	x = *find_xattr(tfs_of(node), name);
	if (!x)
		return end(fs, -ENODATA);
	if (size && x->size > size)
		return end(fs, -ERANGE);
	if (size && x->size)
		memcpy(value, x->value, x->size);
	return end(fs, (int)x->size);
}

ssize_t tfs_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list,
		      size_t size, bool root)
{
	size_t need = 0;

	BEGIN(vol, "listxattr");
	for (struct tfs_xattr *x = tfs_of(node)->xattrs; x; x = x->next) {
		size_t len = strlen(x->name) + 1;

		if (!root && !strncmp(x->name, "trusted.", 8))
			continue;
		if (size && need + len > size)
			return end(fs, -ERANGE);
		if (size)
			memcpy(list + need, x->name, len);
		need += len;
	}
	return end(fs, (int)need);
}

static int put_xattr(struct tfs_inode *inode, const char *name, const void *value, size_t size,
		     uint32_t flags)
{
	struct tfs_xattr **at = find_xattr(inode, name), *x = *at;
	void *copy;

	if (x && (flags & FUSEBLK_XATTR_CREATE))
		return -EEXIST;
	if (!x && (flags & FUSEBLK_XATTR_REPLACE))
		return -ENODATA;
	copy = malloc(size + 1);
	if (!copy)
		return -ENOMEM;
	if (size)
		memcpy(copy, value, size);
	if (!x) {
		x = *at = calloc(1, sizeof(*x));
		x->name = strdup(name);
	}
	free(x->value);
	x->value = copy;
	x->size = size;
	return 0;
}

int tfs_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name,
		 const void *value, size_t size, uint32_t flags)
{
	BEGIN(vol, "setxattr");
	return end(fs, put_xattr(tfs_of(node), name, value, size, flags));
}

int tfs_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name)
{
	struct tfs_xattr **at, *x;

	BEGIN(vol, "removexattr");
	at = find_xattr(tfs_of(node), name);
	x = *at;
	if (!x)
		return end(fs, -ENODATA);
	*at = x->next;
	free(x->name);
	free(x->value);
	free(x);
	return end(fs, 0);
}

/* ---- ioctls --------------------------------------------------------- */

static int get_flags(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)who;
	(void)in;
	BEGIN(vol, "ioctl");
	memcpy(out, &tfs_of(node)->fs_flags, sizeof(uint32_t));
	return end(fs, 0);
}

static int set_flags(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	struct tfs_inode *inode = tfs_of(node);

	(void)who;
	(void)out;
	BEGIN(vol, "ioctl");
	memcpy(&inode->fs_flags, in, sizeof(uint32_t));
	inode->attr.flags = (inode->fs_flags & FS_IMMUTABLE_FL ? FUSEBLK_ATTR_IMMUTABLE : 0) |
			    (inode->fs_flags & FS_APPEND_FL ? FUSEBLK_ATTR_APPEND : 0);
	return end(fs, 0);
}

static int set_version(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)who;
	(void)out;
	BEGIN(vol, "ioctl");
	memcpy(&tfs_of(node)->attr.generation, in, sizeof(uint32_t));
	return end(fs, 0);
}

static int next_cursor(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)node;
	(void)in;
	if (!who->cursor)
		return -ENOTTY;
	BEGIN(vol, "ioctl");
	memcpy(out, who->cursor, sizeof(uint64_t));
	++*who->cursor;
	return end(fs, 0);
}

const struct fuseblk_ioctl tfs_ioctls[] = {
	{ TESTFS_IOC_CURSOR, FUSEBLK_IOCTL_ANYONE, false, 0, 8, next_cursor },
	{ FS_IOC_GETFLAGS, FUSEBLK_IOCTL_ANYONE, false, 0, 4, get_flags },
	{ FS_IOC_SETFLAGS, FUSEBLK_IOCTL_OWNER, true, 4, 0, set_flags },
	{ FS_IOC_SETVERSION, FUSEBLK_IOCTL_ROOT, true, 4, 0, set_version },
	{ 0 },
};
