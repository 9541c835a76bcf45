/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_dir_rig.h: the FAT driver on an image made by mkfs.fat and mtools,
 * without a session: namespace operations as the library calls them (nodes
 * locked by nobody else, one change around each, run again after a commit
 * where the driver asks for it), and cuts of the power in between.
 */
#ifndef FAT_DIR_RIG_H
#define FAT_DIR_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "../../fs-fat/dir.h"
#include "../../libfuseblk/cache.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node_table.h"
#include "../../libfuseblk/volume.h"
#include "../lib/image.h"

#define RIG_ROOT	1u
#define RIG_SIZE	(8u << 20)
#define RIG_FAT16	"mkfs.fat -F 16 -s 1 -r 512 $F"		/* clusters of 512 bytes */
#define RIG_FILE	(S_IFREG | 0644)
#define RIG_DIR		(S_IFDIR | 0755)

struct rig {
	struct image *image;		/* what the device writes to */
	struct image *base;		/* as it was when the log began */
	struct fb_device *device;
	struct fb_write_log *log;	/* NULL: none kept */
	struct fuseblk_volume *vol;
	const char *options;		/* of the mount; NULL: utf8 and no repairs by the driver */
	uint32_t seed;
	unsigned again;			/* operations run again after a commit */
	bool strict_again;		/* -FUSEBLK_EAGAIN_COMMIT is the caller's to see */
};

/* @size bytes; then @script in a shell, with the image as $F: mkfs.fat and mtools. */
void rig_make(struct rig *r, uint64_t size, const char *script);
void rig_script(struct rig *r, const char *script);	/* between mounts; fails the test if it fails */
int rig_fsck(struct image *image, const char *options);	/* exit status of fsck.fat; printed above 0 */
void rig_mount(struct rig *r, bool log);
void rig_unmount(struct rig *r);	/* and fsck.fat -n */
void rig_unmount_dirty(struct rig *r);	/* without fsck.fat */
void rig_free(struct rig *r);
uint32_t rig_random(struct rig *r, uint32_t below);
void rig_commit(struct rig *r);
/*
 * Cut the power at @cuts random places of the log, with random losses:
 * fsck.fat -a must repair each, with nothing left for fsck.fat -n, and then
 * @check sees the volume mounted (NULL: none).
 */
void rig_cut(struct rig *r, unsigned cuts, void (*check)(struct rig *after, void *arg), void *arg);

struct fuseblk_node *rig_node(struct rig *r, uint64_t ino);	/* fuseblk_node_put() it */
int rig_lookup(struct rig *r, uint64_t dir, const char *name, uint64_t *ino);
/* The stored spelling, in @stored (1024 bytes, NUL-terminated). */
int rig_spelling(struct rig *r, uint64_t dir, const char *name, char *stored);
int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino);
int rig_unlink(struct rig *r, uint64_t dir, const char *name);
int rig_rmdir(struct rig *r, uint64_t dir, const char *name);
/* Runs @fn with the directory's node in a change. */
int rig_change(struct rig *r, uint64_t dir, int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg), void *arg);

/* All names of a directory, at most @batch per call of readdir; @fn for each. Returns how many, or an error. */
typedef void (*rig_name_fn)(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);
int rig_list(struct rig *r, uint64_t dir, unsigned batch, rig_name_fn fn, void *arg);
void rig_count_name(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type);	/* ++*(unsigned *)arg */
/* As rig_lookup, where the inode does not matter. */
int rig_found(struct rig *r, uint64_t dir, const char *name);
uint64_t rig_ino(struct rig *r, uint64_t dir, const char *name);	/* of what is there */
uint64_t rig_mkdir(struct rig *r, uint64_t dir, const char *name);
uint64_t rig_dir_size(struct rig *r, uint64_t dir);
/* Name number @i, about @len long, in @name (300 bytes). */
void rig_name(unsigned i, unsigned len, char *name);

/* Bytes of a FAT16 image: the fixed root, cluster @c, the first cluster of the first directory in the root. */
unsigned rig_le16(const uint8_t *p);
uint8_t *rig_fixed_root(struct image *image);
uint8_t *rig_cluster(struct image *image, unsigned c);
unsigned rig_first_dir(struct image *image);
/* Buffers asked for so far. */
uint64_t rig_gets(struct rig *r);

#endif
