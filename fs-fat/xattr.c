// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr.c: the attributes of an entry as the extended attribute
 * system.fat_attrib: four bytes, little endian, that mean what
 * FAT_IOCTL_GET_ATTRIBUTES gives.  It is not listed, lest copies of files fail
 * on other filesystems; nothing else is stored.
 */
#include <errno.h>
#include <string.h>
#include "inode.h"

static bool is_attributes(const char *name)
{
	return !strcmp(name, "system.fat_attrib");
}

ssize_t fat_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, void *value, size_t size)
{
	struct fat_le32 bytes = fat_le32(fat_attributes(fat_node(node)));

	(void)vol;
	if (!is_attributes(name))
		return -EOPNOTSUPP;
	if (size && size < sizeof(bytes))
		return -ERANGE;
	if (size)
		memcpy(value, &bytes, sizeof(bytes));
	return sizeof(bytes);
}

ssize_t fat_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list, size_t size, bool root)
{
	(void)vol, (void)node, (void)list, (void)size, (void)root;
	return 0;
}

/* Who asks is not known here: with sys_immutable the system attribute is left to the ioctl. */
int fat_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name, const void *value, size_t size,
		 uint32_t flags)
{
	struct fat_le32 bytes;

	if (!is_attributes(name))
		return -EOPNOTSUPP;
	if (flags & FUSEBLK_XATTR_CREATE)
		return -EEXIST;
	if (size != sizeof(bytes))
		return -EINVAL;
	memcpy(&bytes, value, sizeof(bytes));
	return fat_attributes_set(vol, node, fat_get32(bytes), false);
}

int fat_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name)
{
	(void)vol, (void)node;
	return is_attributes(name) ? -EPERM : -EOPNOTSUPP;
}
