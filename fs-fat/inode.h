/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inode.h: what inode.c, attr.c, xattr.c, ioctl.c and rename share.
 */
#ifndef FAT_INODE_H
#define FAT_INODE_H

#include "fat.h"

#define FAT_INO_ROOT 1u

/* inode.c */
/* The node is called as @de says: what of it depends on the name (X). */
void fat_node_named(struct fat_node *n, const struct fat_dirent *de);
/* The node's entry is gone; the inode lives on without a name until ->free (X, C; fat_ino_reserve() before). */
void fat_node_unlinked(struct fat_volume *fat, struct fuseblk_node *node);

/* attr.c: FAT_ATTR_* as FAT_IOCTL_GET_ATTRIBUTES has them, and the rules for setting them. */
uint32_t fat_attributes(const struct fat_node *n);
/* X, C. @privileged: the system attribute may be changed with sys_immutable. 0, -EPERM, -EINVAL (of the root). */
int fat_attributes_set(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t attributes, bool privileged);

#endif
