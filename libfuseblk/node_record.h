/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* node_record.h: one small record for every inode the kernel knows. The caller holds the table's lock. */
#ifndef FB_NODE_RECORD_H
#define FB_NODE_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define FB_RECORD_UNLINKED	0x1u	/* link count 0: to be freed once nothing uses it */
#define FB_RECORD_FREEING	0x2u	/* being freed just now */
#define FB_RECORD_STUCK		0x4u	/* freeing it failed: not tried again before the end */

#define FB_RECORD_MOST_LOOKUPS	((1ull << 48) - 1)
#define FB_RECORD_MOST_OPENS	((1u << 14) - 1)

struct fb_record {
	uint64_t ino;
	uint64_t lookup : 48;
	/* on volumes with more than one spelling for a name: */
	uint64_t opens : 14;		/* handles; FB_RECORD_MOST_OPENS: so many that they are not counted any more */
	uint64_t exact : 1;		/* the kernel may remember the stored spelling of its name for long */
	uint64_t odd : 1;		/* or another */
	uint32_t next;			/* index + 1 of the next in the bucket, 0: none */
	uint16_t flags;
	uint16_t writers;		/* handles that can write; UINT16_MAX: so many that they are not counted any more */
};

struct fb_records {
	struct fb_record **chunks;	/* dense: records 0..count-1 */
	unsigned chunk_count, chunk_room;
	uint32_t count;
	uint32_t **segments;		/* heads of the buckets */
	unsigned segment_count, segment_room;
	uint32_t buckets, level;	/* 2^level <= buckets < 2^(level+1) */
};

int fb_records_init(struct fb_records *r);	/* 0 or -ENOMEM */
void fb_records_fini(struct fb_records *r);
struct fb_record *fb_records_find(struct fb_records *r, uint64_t ino);
/* A new record, all zero but ino; NULL without memory. Moves no record. */
struct fb_record *fb_records_add(struct fb_records *r, uint64_t ino);
/* Removes the record of @ino and moves another into its place: no pointer to a record survives. */
void fb_records_remove(struct fb_records *r, uint64_t ino);
struct fb_record *fb_records_at(struct fb_records *r, uint32_t index);
size_t fb_records_bytes(const struct fb_records *r);

#endif
