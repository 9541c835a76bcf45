// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attr.c: attributes of inodes as the library knows them.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "super.h"

static const struct { uint32_t disk, attr; } flag_table[] = {
	{ E2_FL_IMMUTABLE, FUSEBLK_ATTR_IMMUTABLE },
	{ E2_FL_APPEND, FUSEBLK_ATTR_APPEND },
	{ E2_FL_NODUMP, FUSEBLK_ATTR_NODUMP },
	{ E2_FL_NOATIME, FUSEBLK_ATTR_NOATIME },
	{ E2_FL_SYNC, FUSEBLK_ATTR_SYNC },
	{ 0, 0 },
};

static uint32_t attr_flags(const struct e2_inode *ei)
{
	uint32_t flags = 0;

	for (int i = 0; flag_table[i].disk; i++)
		if (ei->flags & flag_table[i].disk)
			flags |= flag_table[i].attr;
	if (S_ISDIR(ei->mode) && ei->flags & E2_FL_DIRSYNC)
		flags |= FUSEBLK_ATTR_SYNC;
	return flags;
}

/* Device numbers: the old form (16 bits) in the first word, or the new in the second. */
static uint32_t rdev(const struct e2_inode *ei)
{
	e2_le32 old, new;

	if (!S_ISCHR(ei->mode) && !S_ISBLK(ei->mode))
		return 0;
	memcpy(&old, ei->i_block, sizeof(old));
	memcpy(&new, ei->i_block + sizeof(old), sizeof(new));
	return e2_get32(old) ? e2_get32(old) & 0xFFFF : e2_get32(new);
}

/* Files with inline data count as if they had blocks, lest programs take them for holes; so does the kernel. */
static uint64_t blocks(const struct e2_inode *ei)
{
	bool is_inline = S_ISREG(ei->mode) && ei->flags & E2_FL_INLINE_DATA;

	return ei->blocks + (is_inline ? (ei->size + 511) / 512 : 0);
}

int e2_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out)
{
	const struct e2_inode *ei = e2_i(node);

	(void)vol;
	*out = (struct fuseblk_attr){
		.ino = ei->ino,
		.size = ei->size,
		.blocks = blocks(ei),
		.atime = ei->atime,
		.mtime = ei->mtime,
		.ctime = ei->ctime,
		.btime = ei->crtime,
		.has_btime = ei->extra_isize >= offsetof(struct e2_disk_inode, i_version_hi) - E2_INODE_FIXED,
		.mode = ei->mode,
		.nlink = ei->links,
		.uid = ei->uid,
		.gid = ei->gid,
		.rdev = rdev(ei),
		.generation = ei->generation,
		.flags = attr_flags(ei),
	};
	return 0;
}

static void apply(struct e2_inode *ei, uint32_t valid, const struct fuseblk_attr *attr)
{
	if (valid & FUSEBLK_SET_MODE)
		ei->mode = (uint16_t)((ei->mode & S_IFMT) | (attr->mode & 07777));
	if (valid & FUSEBLK_SET_UID)
		ei->uid = attr->uid;
	if (valid & FUSEBLK_SET_GID)
		ei->gid = attr->gid;
	if (valid & FUSEBLK_SET_ATIME)
		ei->atime = e2_time_fit(ei, attr->atime);
	if (valid & FUSEBLK_SET_MTIME)
		ei->mtime = e2_time_fit(ei, attr->mtime);
	if (valid & FUSEBLK_SET_CTIME)
		ei->ctime = e2_time_fit(ei, attr->ctime);
	ei->version++;
}

static bool fits_owner(const struct e2_super *sb, uint32_t valid, const struct fuseblk_attr *attr)
{
	if (!sb->options.nouid32)
		return true;
	return (!(valid & FUSEBLK_SET_UID) || attr->uid <= 65535) &&
	       (!(valid & FUSEBLK_SET_GID) || attr->gid <= 65535);
}

int e2_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid,
	       const struct fuseblk_attr *attr)
{
	struct e2_inode *ei = e2_i(node), before = *ei;
	int err;

	if (!fits_owner(e2_sb(vol), valid, attr))
		return -EOVERFLOW;
	apply(ei, valid, attr);
	err = e2_store_meta(ei);
	if (!err && valid & FUSEBLK_SET_MODE && ei->mode != before.mode)
		err = e2_acl_chmod(ei);
	if (!err)
		return 0;
	ei->mode = before.mode;
	ei->uid = before.uid;
	ei->gid = before.gid;
	ei->atime = before.atime;
	ei->mtime = before.mtime;
	ei->ctime = before.ctime;
	e2_store_meta(ei);
	return err;
}

void e2_touch(struct e2_inode *ei, bool mtime)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	ei->ctime = e2_time_fit(ei, now);
	if (mtime)
		ei->mtime = ei->ctime;
	ei->version++;
}
