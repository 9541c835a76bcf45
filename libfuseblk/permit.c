// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * permit.c: immutable and append-only.
 *
 * FUSE inodes never carry these flags in the kernel, so the checks that the
 * VFS makes of its own filesystems' inodes are made here: who may and who may
 * not by mode, owner, ACL or capability has been settled by the kernel
 * (default_permissions) and is not asked again.  All functions return 0,
 * -EPERM, or what ->getattr returned; nodes are locked by the caller.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <sys/stat.h>
#include "op.h"

#define FIXED (FUSEBLK_ATTR_IMMUTABLE | FUSEBLK_ATTR_APPEND)

static int flags_of(struct fuseblk_node *node, uint32_t *flags)
{
	struct fuseblk_attr attr;
	int err = node->vol->ops->getattr(node->vol, node, &attr);

	if (!err)
		*flags = attr.flags;
	return err;
}

static int permit_unless(struct fuseblk_node *node, uint32_t forbidden)
{
	uint32_t flags;
	int err = flags_of(node, &flags);

	if (err)
		return err;
	return flags & forbidden ? -EPERM : 0;
}

/* A removed directory takes no new names. */
int fb_permit_create(struct fuseblk_node *dir)
{
	struct fuseblk_attr attr;
	int err = dir->vol->ops->getattr(dir->vol, dir, &attr);

	if (err)
		return err;
	if (!attr.nlink)
		return -ENOENT;
	return attr.flags & FUSEBLK_ATTR_IMMUTABLE ? -EPERM : 0;
}

int fb_permit_delete(struct fuseblk_node *dir, struct fuseblk_node *node)
{
	int err = permit_unless(dir, FIXED);

	return err ? err : permit_unless(node, FIXED);
}

int fb_permit_link(struct fuseblk_node *node)
{
	return permit_unless(node, FIXED);
}

/* By a handle opened before the file became immutable. */
int fb_permit_write(const struct fuseblk_attr *attr)
{
	return attr->flags & FUSEBLK_ATTR_IMMUTABLE ? -EPERM : 0;
}

int fb_permit_xattr(struct fuseblk_node *node)
{
	return permit_unless(node, FIXED);
}

/*
 * The kernel's write-back of the modification time arrives exactly as a
 * utimensat() that leaves the access time alone; it must pass, for the file
 * was written before, or while it was append-only.
 */
int fb_permit_setattr(const struct fuseblk_attr *attr, uint32_t valid)
{
	uint32_t what = valid & (FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE | FATTR_ATIME |
				 FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW);

	if (!(attr->flags & FIXED))
		return 0;
	if (what == FATTR_MTIME && (valid & FATTR_CTIME))
		return 0;
	/* chown(-1, -1) too: see is_owner_change() */
	if (attr->flags & FUSEBLK_ATTR_IMMUTABLE)
		return what || (valid & FATTR_CTIME) || !S_ISREG(attr->mode) ? -EPERM : 0;
	/* Append-only: touching with the present time is allowed. */
	if (what & (FATTR_MODE | FATTR_UID | FATTR_GID | FATTR_SIZE))
		return -EPERM;
	if ((what & FATTR_ATIME) && !(what & FATTR_ATIME_NOW))
		return -EPERM;
	return (what & FATTR_MTIME) && !(what & FATTR_MTIME_NOW) ? -EPERM : 0;
}

int fb_permit_open(const struct fuseblk_attr *attr, uint32_t flags)
{
	bool writes = (flags & O_ACCMODE) != O_RDONLY;

	if (writes && (attr->flags & FUSEBLK_ATTR_IMMUTABLE))
		return -EPERM;
	if (!(attr->flags & FUSEBLK_ATTR_APPEND))
		return 0;
	if (flags & O_TRUNC)
		return -EPERM;
	return writes && !(flags & O_APPEND) ? -EPERM : 0;
}

int fb_permit_fallocate(const struct fuseblk_attr *attr, uint32_t mode)
{
	if (attr->flags & FUSEBLK_ATTR_IMMUTABLE)
		return -EPERM;
	if ((attr->flags & FUSEBLK_ATTR_APPEND) && (mode & ~(uint32_t)FALLOC_FL_KEEP_SIZE))
		return -EPERM;
	return 0;
}
