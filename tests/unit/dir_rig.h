/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir_rig.h: a driver on an image, without a session: namespace operations as
 * the library calls them (nodes locked by nobody else, one change around each,
 * run again after a commit where the driver asks for it), and cuts of the
 * power in between.  What ext2 and FAT have in common is here; the rest is in
 * e2_dir_rig.h and fat_dir_rig.h, of which a program has one.
 */
#ifndef DIR_RIG_H
#define DIR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../../libfuseblk/cache.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node_table.h"
#include "../../libfuseblk/volume.h"
#include "../lib/image.h"

struct rig {
	struct image *image;		/* what the device writes to */
	struct image *base;		/* as it was when the log began */
	struct fb_device *device;
	struct fb_write_log *log;	/* NULL: none kept */
	struct fuseblk_volume *vol;
	const char *options;		/* of the mount; NULL: those of rig_kind */
	uint32_t seed;
	bool may_move_dirs;		/* ext2: the workload moves directories: e2fsck -y may be needed */
	unsigned again;			/* operations run again after a commit */
	bool strict_again;		/* -FUSEBLK_EAGAIN_COMMIT is the caller's to see */
};

struct rig_call;
typedef int (*rig_step)(struct rig *r, struct rig_call *c);

/* The filesystem; defined in e2_dir_rig.c or fat_dir_rig.c. */
struct rig_kind {
	const struct fuseblk_driver *driver;
	const char *options;
	void (*check)(struct image *image);	/* fails the test if there is anything to repair */
	/* Take a name away by @step, and free what has none left. */
	int (*remove)(struct rig *r, uint64_t dir, const char *name, rig_step step);
};
extern const struct rig_kind rig_kind;

/* @command in a shell, on the image in a file, $F. Returns its exit status; what it says is shown above @most. */
int rig_shell(struct image *image, const char *command, int most);
void rig_mount(struct rig *r, bool log);
void rig_unmount(struct rig *r);	/* and the filesystem's checker finds nothing */
void rig_unmount_dirty(struct rig *r);	/* without it */
void rig_stop(struct rig *r);		/* nor an end to the log: for cuts; then rig_end_log() */
void rig_end_log(struct rig *r);
void rig_free(struct rig *r);
uint32_t rig_random(struct rig *r, uint32_t below);
void rig_commit(struct rig *r);
/* The device as a cut of the power left it, after @at entries of the log. */
typedef void (*rig_cut_fn)(struct rig *r, size_t at, struct image *image, void *arg);
/*
 * Cut the power at @cuts random places of the log: everything before the last
 * flush that precedes one is there, and of the blocks written since a random half.
 */
void rig_cut_with(struct rig *r, unsigned cuts, rig_cut_fn fn, void *arg);

struct fuseblk_node *rig_node(struct rig *r, uint64_t ino);	/* fuseblk_node_put() it */
int rig_lookup(struct rig *r, uint64_t dir, const char *name, uint64_t *ino);
int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino);
/* @target: of a symbolic link; NULL for anything else. */
int rig_create_to(struct rig *r, uint64_t dir, const char *name, uint32_t mode, const char *target, uint64_t *ino);
int rig_unlink(struct rig *r, uint64_t dir, const char *name);
int rig_rmdir(struct rig *r, uint64_t dir, const char *name);

/* What an operation works on. */
struct rig_call {
	struct fuseblk_node *dir, *newdir, *node, *target;
	const char *name, *newname, *text;
	uint32_t mode, flags;
	uint64_t ino;
	int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg);
	void *arg;
};

/*
 * @step in a change; its nodes are marked as changed, and put in the end.
 * With RIG_TRACE in the environment every run is printed as @what: epoch,
 * directories, names, inodes.
 */
#define rig_run(r, c, step) rig_run_step(r, c, step, #step)
int rig_run_step(struct rig *r, struct rig_call *c, rig_step step, const char *what);

/* All names of a directory, at most @batch per call of readdir; @fn for each. Returns how many, or an error. */
typedef void (*rig_name_fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);
int rig_list(struct rig *r, uint64_t dir, unsigned batch, rig_name_fn fn, void *arg);

#endif
