/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e2_dir_rig.h: dir_rig.h with the ext2 driver, on images made by mke2fs and
 * judged by e2fsck.
 */
#ifndef E2_DIR_RIG_H
#define E2_DIR_RIG_H

#include "dir_rig.h"
#include "../../fs-ext2/dir.h"

void rig_make(struct rig *r, const char *mke2fs, uint64_t size, uint32_t seed);
void rig_debugfs(struct rig *r, const char *commands);	/* between mounts; lines end with \\n */
/* Cut the power at @cuts random places of the log, with random losses: e2fsck -p must repair each. */
void rig_cut(struct rig *r, unsigned cuts);

int rig_link(struct rig *r, uint64_t ino, uint64_t dir, const char *name);
int rig_rename(struct rig *r, uint64_t dir, const char *name, uint64_t newdir, const char *newname, uint32_t flags);
void rig_forget(struct rig *r, uint64_t ino);	/* frees the inode if it has no name */
unsigned rig_links(struct rig *r, uint64_t ino);

#endif
