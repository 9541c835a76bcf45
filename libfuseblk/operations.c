// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * operations.c: what is done for a driver that leaves an operation out: a
 * filesystem without directories to change, links or sizes refuses these as
 * the VFS would.  Operations whose absence has a meaning of its own (fuseblk.h
 * says "NULL: ...") are left alone.
 */
#include <errno.h>
#include <string.h>
#include "volume.h"

static int no_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid,
		      const struct fuseblk_attr *attr)
{
	(void)vol, (void)node, (void)valid, (void)attr;
	return -EPERM;
}

static int no_readlink(struct fuseblk_volume *vol, struct fuseblk_node *node, char *buf, size_t size)
{
	(void)vol, (void)node, (void)buf, (void)size;
	return -EINVAL;
}

/* Without a stored spelling to tell, the one given is as good as any. */
static int no_spelling(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name,
		       size_t len, char *stored, size_t size)
{
	(void)vol, (void)dir;
	if (len > size)
		return -ERANGE;
	memcpy(stored, name, len);
	return (int)len;
}

static int no_create(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name,
		     size_t len, const struct fuseblk_create *what,
		     const struct fuseblk_caller *who, uint64_t *ino)
{
	(void)vol, (void)dir, (void)name, (void)len, (void)what, (void)who, (void)ino;
	return -EPERM;
}

static int no_link(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_node *dir,
		   const char *name, size_t len)
{
	(void)vol, (void)node, (void)dir, (void)name, (void)len;
	return -EPERM;
}

static int no_remove(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name,
		     size_t len, struct fuseblk_node *node)
{
	(void)vol, (void)dir, (void)name, (void)len, (void)node;
	return -EPERM;
}

static int no_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name,
		     size_t len, struct fuseblk_node *newdir, const char *newname, size_t newlen,
		     struct fuseblk_node *node, struct fuseblk_node *target, uint32_t flags,
		     const struct fuseblk_caller *who)
{
	(void)vol, (void)dir, (void)name, (void)len, (void)newdir, (void)newname, (void)newlen;
	(void)node, (void)target, (void)flags, (void)who;
	return -EPERM;
}

static int no_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
		  enum fuseblk_map_mode mode, const struct fuseblk_caller *who,
		  struct fuseblk_extent *ext, unsigned max)
{
	(void)vol, (void)node, (void)off, (void)len, (void)mode, (void)who, (void)ext, (void)max;
	return -EOPNOTSUPP;
}

/* Files of a fixed size, all of it mapped: nothing is owed after a write. */
static int no_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		      uint64_t len, uint64_t size)
{
	(void)vol, (void)node, (void)off, (void)len, (void)size;
	return 0;
}

static int no_inline_read(struct fuseblk_volume *vol, struct fuseblk_node *node, void *buf,
			  uint64_t off, size_t len)
{
	(void)vol, (void)node, (void)buf, (void)off, (void)len;
	return -EOPNOTSUPP;
}

static int no_inline_write(struct fuseblk_volume *vol, struct fuseblk_node *node, const void *buf,
			   uint64_t off, size_t len)
{
	(void)vol, (void)node, (void)buf, (void)off, (void)len;
	return -EOPNOTSUPP;
}

static int no_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size)
{
	(void)vol, (void)node, (void)size;
	return -EPERM;
}

static int no_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out)
{
	uint32_t bsize = vol->info.block_size;

	*out = (struct fuseblk_statfs){
		.blocks = fuseblk_device_size(vol) / bsize, .bsize = bsize, .frsize = bsize,
		.namelen = vol->info.name_max,
	};
	return 0;
}

#define FILL(op, fallback) do { if (!to->op) to->op = fallback; } while (0)

void fb_operations_fill(const struct fuseblk_operations *from, struct fuseblk_operations *to)
{
	*to = *from;
	FILL(setattr, no_setattr);
	FILL(readlink, no_readlink);
	FILL(spelling, no_spelling);
	FILL(create, no_create);
	FILL(link, no_link);
	FILL(unlink, no_remove);
	FILL(rmdir, no_remove);
	FILL(rename, no_rename);
	FILL(map, no_map);
	FILL(written, no_written);
	FILL(read_inline, no_inline_read);
	FILL(write_inline, no_inline_write);
	FILL(truncate, no_truncate);
	FILL(statfs, no_statfs);
}
