// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ioctl.c: the ioctls of ext4 that a mount of ours can serve.  The VFS of
 * kernels since 5.13 turns chattr's calls into FUSE ioctls with 4 bytes under
 * the command number of "long", older ones and 32-bit programs send theirs
 * as they are: every command's first bytes mean the same.
 *
 * The sets of flags are those of the kernel's EXT4_FL_USER_VISIBLE and
 * EXT4_FL_USER_MODIFIABLE.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/stat.h>
#include "ext2.h"

#define FL_JOURNAL_DATA	0x00004000u
#define FL_NOTAIL	0x00008000u
#define FL_EOFBLOCKS	0x00400000u
#define FL_DAX		0x02000000u

#define FL_VISIBLE	0x725BDFFFu
#define FL_MODIFIABLE	0x624BC0FFu
#define FL_REG_MASK	(~(E2_FL_DIRSYNC | E2_FL_TOPDIR | E2_FL_CASEFOLD | E2_FL_PROJINHERIT))
#define FL_OTHER_MASK	(E2_FL_NODUMP | E2_FL_NOATIME)
/* A change of these would need the file to be converted, or has a meaning only with a journal or a feature refused here. */
#define FL_FIXED	(FL_JOURNAL_DATA | FL_EOFBLOCKS | FL_DAX | E2_FL_EXTENTS | E2_FL_CASEFOLD)
#define FL_PRIVILEGED	(E2_FL_IMMUTABLE | E2_FL_APPEND)

#define EXT4_GETVERSION		_IOR('f', 3, long)
#define EXT4_SETVERSION		_IOW('f', 4, long)
#define EXT4_GETVERSION32	_IOR('f', 3, int)
#define EXT4_SETVERSION32	_IOW('f', 4, int)

static uint32_t type_mask(uint16_t mode)
{
	if (S_ISDIR(mode))
		return ~0u;
	return S_ISREG(mode) ? FL_REG_MASK : FL_OTHER_MASK;
}

static uint32_t visible_flags(const struct e2_inode *ei)
{
	uint32_t flags = ei->flags & FL_VISIBLE;

	return S_ISREG(ei->mode) ? flags & ~E2_FL_PROJINHERIT : flags;
}

static int get_flags(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	uint32_t flags = visible_flags(e2_i(node));

	(void)vol, (void)who, (void)in;
	memcpy(out, &flags, sizeof(flags));
	return 0;
}

/* @flags: the modifiable flags as they shall be. */
static int change_flags(struct e2_inode *ei, const struct fuseblk_caller *who, uint32_t flags)
{
	uint32_t changed = (ei->flags ^ flags) & FL_MODIFIABLE;

	if ((flags & type_mask(ei->mode)) != flags || changed & FL_FIXED)
		return -EOPNOTSUPP;
	if (changed & FL_PRIVILEGED && who->uid != 0)
		return -EPERM;
	ei->flags ^= changed;
	e2_touch(ei, false);
	return e2_store_meta(ei);
}

static int set_flags(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	uint32_t flags;

	(void)vol, (void)out;
	memcpy(&flags, in, sizeof(flags));
	if (flags & ~FL_VISIBLE)
		return -EOPNOTSUPP;
	return change_flags(e2_i(node), who, flags & FL_MODIFIABLE);
}

static const struct { uint32_t fl, xflag; } xflags[] = {
	{ E2_FL_SYNC, FS_XFLAG_SYNC }, { E2_FL_IMMUTABLE, FS_XFLAG_IMMUTABLE },
	{ E2_FL_APPEND, FS_XFLAG_APPEND }, { E2_FL_NODUMP, FS_XFLAG_NODUMP },
	{ E2_FL_NOATIME, FS_XFLAG_NOATIME }, { E2_FL_PROJINHERIT, FS_XFLAG_PROJINHERIT },
	{ FL_DAX, FS_XFLAG_DAX },
};
#define XFLAGS (sizeof(xflags) / sizeof(xflags[0]))

static int get_fsxattr(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	const struct e2_inode *ei = e2_i(node);
	struct fsxattr fsx = { .fsx_projid = 0 };

	(void)who, (void)in;
	for (size_t i = 0; i < XFLAGS; i++)
		fsx.fsx_xflags |= visible_flags(ei) & xflags[i].fl ? xflags[i].xflag : 0;
	if (e2_has_ro(e2_sb(vol), E2_RO_PROJECT))
		fsx.fsx_projid = ei->projid;
	memcpy(out, &fsx, sizeof(fsx));
	return 0;
}

static int set_fsxattr(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	struct e2_inode *ei = e2_i(node);
	uint32_t known = 0, flags = ei->flags & FL_MODIFIABLE;
	struct fsxattr fsx;

	(void)vol, (void)out;
	memcpy(&fsx, in, sizeof(fsx));
	for (size_t i = 0; i < XFLAGS; i++) {
		known |= xflags[i].xflag;
		flags &= ~xflags[i].fl;
		flags |= fsx.fsx_xflags & xflags[i].xflag ? xflags[i].fl : 0;
	}
	if (fsx.fsx_xflags & ~known || fsx.fsx_extsize || fsx.fsx_cowextsize || fsx.fsx_projid != 0)
		return -EOPNOTSUPP;	/* project numbers: the feature is mounted read-only */
	return change_flags(ei, who, flags);
}

static int get_version(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)vol, (void)who, (void)in;
	memcpy(out, &e2_i(node)->generation, sizeof(uint32_t));
	return 0;
}

static int set_version(struct fuseblk_volume *vol, struct fuseblk_node *node,
		       const struct fuseblk_caller *who, const void *in, void *out)
{
	struct e2_inode *ei = e2_i(node);

	(void)who, (void)out;
	if (e2_has_ro(e2_sb(vol), E2_RO_METADATA_CSUM))
		return -EOPNOTSUPP;	/* every checksum of the inode's blocks is seeded with it */
	memcpy(&ei->generation, in, sizeof(ei->generation));
	e2_touch(ei, false);
	return e2_store_meta(ei);
}

static int get_label(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	char label[17];

	(void)node, (void)who, (void)in;
	e2_label_get(e2_sb(vol), label);
	memset(out, 0, FSLABEL_MAX);
	memcpy(out, label, sizeof(label));
	return 0;
}

static int set_label(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)node, (void)who, (void)out;
	return e2_label_set(e2_sb(vol), in, strnlen(in, FSLABEL_MAX));
}

#define ANYONE	FUSEBLK_IOCTL_ANYONE
#define OWNER	FUSEBLK_IOCTL_OWNER
#define ROOT	FUSEBLK_IOCTL_ROOT
#define FSX	sizeof(struct fsxattr)

const struct fuseblk_ioctl e2_ioctls[] = {
	/* command		 who	  changes  in	 out		 run */
	{ FS_IOC_GETFLAGS,	 ANYONE,  false,   0,	 4,		 get_flags },
	{ FS_IOC32_GETFLAGS,	 ANYONE,  false,   0,	 4,		 get_flags },
	{ FS_IOC_SETFLAGS,	 OWNER,	  true,	   4,	 0,		 set_flags },
	{ FS_IOC32_SETFLAGS,	 OWNER,	  true,	   4,	 0,		 set_flags },
	{ FS_IOC_FSGETXATTR,	 ANYONE,  false,   0,	 FSX,		 get_fsxattr },
	{ FS_IOC_FSSETXATTR,	 OWNER,	  true,	   FSX,	 0,		 set_fsxattr },
	{ FS_IOC_GETVERSION,	 ANYONE,  false,   0,	 4,		 get_version },
	{ FS_IOC32_GETVERSION,	 ANYONE,  false,   0,	 4,		 get_version },
	{ EXT4_GETVERSION,	 ANYONE,  false,   0,	 4,		 get_version },
	{ EXT4_GETVERSION32,	 ANYONE,  false,   0,	 4,		 get_version },
	{ FS_IOC_SETVERSION,	 OWNER,	  true,	   4,	 0,		 set_version },
	{ FS_IOC32_SETVERSION,	 OWNER,	  true,	   4,	 0,		 set_version },
	{ EXT4_SETVERSION,	 OWNER,	  true,	   4,	 0,		 set_version },
	{ EXT4_SETVERSION32,	 OWNER,	  true,	   4,	 0,		 set_version },
	{ FS_IOC_GETFSLABEL,	 ANYONE,  false,   0,	 FSLABEL_MAX,	 get_label },
	{ FS_IOC_SETFSLABEL,	 ROOT,	  true,	   FSLABEL_MAX, 0,	 set_label },
	{ 0, ANYONE, false, 0, 0, NULL },
};
