/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_rig.h: a FAT volume small enough to check by hand, for tests of the
 * table, the allocator, chains and file maps: the library's real cache over
 * memory with a log of writes, and a few files whose entries lie in one block.
 */
#ifndef FAT_RIG_H
#define FAT_RIG_H

#include "../../fs-fat/space.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "volume_standins.h"

#define RIG_FILES	4u
#define RIG_RESERVED	4u	/* sectors; FSINFO is in the second */

struct rig_shape {
	unsigned bits;
	uint32_t sector, sectors_per_cluster, clusters;
	unsigned copies;		/* beside the table that is used */
};

struct rig {
	struct fuseblk_volume vol;
	struct fat_volume fat;
	struct fat_options options;
	struct fb_device *mem, *dev;
	struct fb_write_log *log;
	struct fuseblk_node *node[RIG_FILES];
	struct fat_spare spare[RIG_FILES];
	uint32_t seed;
	_Atomic uint64_t discarded, freed;	/* bytes */
	bool can_discard;
};

extern struct rig *rig;			/* the one in use */

/* An empty volume; data clusters are filled with 0xee. */
void rig_open(struct rig *r, const struct rig_shape *shape, uint32_t seed);
void rig_close(struct rig *r);
/* The driver and the cache are opened again over what the device holds. */
void rig_reopen(void);
uint32_t rig_random(uint32_t below);
void rig_begin(void);
void rig_end(void);
void rig_commit(void);
struct fat_node *rig_file(unsigned i);
uint8_t *rig_bytes(void);		/* of the device */

/* An independent reading and writing of the table in @image: raw values. @copy 0: the table in use. */
uint32_t rig_raw(const uint8_t *image, unsigned copy, uint32_t c);
void rig_put_raw(uint8_t *image, unsigned copy, uint32_t c, uint32_t raw);
/* In every copy. */
void rig_put_all(uint32_t c, uint32_t raw);
uint32_t rig_eoc(void);
struct fat_dirent *rig_entry(uint8_t *image, unsigned i);

/*
 * Go through the log from its start: after each flush, and @trials times for
 * random sectors of what was written between two, @check sees the device as
 * a cut of power there would leave it.
 */
void rig_cuts(const uint8_t *start, unsigned trials, void (*check)(uint8_t *image));

#endif
