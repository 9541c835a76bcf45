/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_dir_rig.h: dir_rig.h with the FAT driver, on images made by mkfs.fat and
 * mtools and judged by fsck.fat.
 */
#ifndef FAT_DIR_RIG_H
#define FAT_DIR_RIG_H

#include <sys/stat.h>
#include "dir_rig.h"
#include "../../fs-fat/dir.h"

#define RIG_ROOT	1u
#define RIG_SIZE	(8u << 20)
#define RIG_FAT16	"mkfs.fat -F 16 -s 1 -r 512 $F"		/* clusters of 512 bytes */
#define RIG_FILE	(S_IFREG | 0644)
#define RIG_DIR		(S_IFDIR | 0755)

/* @size bytes; then @script in a shell, with the image as $F: mkfs.fat and mtools. */
void rig_make(struct rig *r, uint64_t size, const char *script);
void rig_script(struct rig *r, const char *script);	/* between mounts; fails the test if it fails */
int rig_fsck(struct image *image, const char *options);	/* exit status of fsck.fat; printed above 0 */
/*
 * Cut the power at @cuts random places of the log, with random losses:
 * fsck.fat -a must repair each, with nothing left for fsck.fat -n, and then
 * @check sees the volume mounted (NULL: none).
 */
void rig_cut(struct rig *r, unsigned cuts, void (*check)(struct rig *after, void *arg), void *arg);

/* The stored spelling, in @stored (1024 bytes, NUL-terminated). */
int rig_spelling(struct rig *r, uint64_t dir, const char *name, char *stored);
/* Runs @fn with the directory's node in a change. */
int rig_change(struct rig *r, uint64_t dir, int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg), void *arg);

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
