/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * e2_dir_rig.h: the ext2 driver on an image made by mke2fs, without a
 * session: namespace operations as the library calls them (nodes locked by
 * nobody else, one change around each, run again after a commit where the
 * driver asks for it), and cuts of the power in between.
 */
#ifndef E2_DIR_RIG_H
#define E2_DIR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../fs-ext2/dir.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "../lib/image.h"

extern const struct fuseblk_driver e2_driver;

struct rig {
	struct image *image;		/* what the device writes to */
	struct image *base;		/* as it was when the log began */
	struct fb_device *device;
	struct fb_write_log *log;	/* NULL: none kept */
	struct fuseblk_volume *vol;
	uint32_t seed;
	bool may_move_dirs;		/* the workload moves directories: e2fsck -y may be needed */
	unsigned again;			/* operations run again after a commit */
};

void rig_make(struct rig *r, const char *mke2fs, uint64_t size, uint32_t seed);
void rig_debugfs(struct rig *r, const char *commands);	/* between mounts; lines end with \\n */
void rig_mount(struct rig *r, bool log);
void rig_unmount(struct rig *r);	/* and e2fsck -fn */
void rig_free(struct rig *r);
uint32_t rig_random(struct rig *r, uint32_t below);
void rig_commit(struct rig *r);
/* Cut the power at @cuts random places of the log, with random losses: e2fsck -p must repair each. */
void rig_cut(struct rig *r, unsigned cuts);

struct fuseblk_node *rig_node(struct rig *r, uint64_t ino);	/* fuseblk_node_put() it */
int rig_lookup(struct rig *r, uint64_t dir, const char *name, uint64_t *ino);
int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, const char *target, uint64_t *ino);
int rig_link(struct rig *r, uint64_t ino, uint64_t dir, const char *name);
int rig_unlink(struct rig *r, uint64_t dir, const char *name);
int rig_rmdir(struct rig *r, uint64_t dir, const char *name);
int rig_rename(struct rig *r, uint64_t dir, const char *name, uint64_t newdir, const char *newname, uint32_t flags);
void rig_forget(struct rig *r, uint64_t ino);	/* frees the inode if it has no name */
unsigned rig_links(struct rig *r, uint64_t ino);

/* All names of a directory, at most @batch per call of readdir; @fn for each. Returns how many, or an error. */
typedef void (*rig_name_fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);
int rig_list(struct rig *r, uint64_t dir, unsigned batch, rig_name_fn fn, void *arg);

#endif
