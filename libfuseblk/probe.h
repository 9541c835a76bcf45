/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.h: what is on a device, found by libblkid in an unprivileged child.
 */
#ifndef FB_PROBE_H
#define FB_PROBE_H

#include <stdbool.h>
#include <stdint.h>

/* Exit codes of "fuseblk probe"; see fuseblk(1). */
enum fb_probe_kind {
	FB_PROBE_FILESYSTEM = 0,
	FB_PROBE_ERROR = 10,		/* could not be read: error holds why */
	FB_PROBE_UNKNOWN = 11,
	FB_PROBE_AMBIVALENT = 12,	/* more than one signature: candidates */
	FB_PROBE_PARTITIONED = 13,	/* a partition table: partitions */
	FB_PROBE_ENCRYPTED = 14,
	FB_PROBE_RAID = 15,
	FB_PROBE_SWAP = 16,
	FB_PROBE_TIMEOUT = 17,
	FB_PROBE_OTHER = 18,		/* known, neither of these nor mountable (LVM member...) */
};

#define FB_PROBE_MAX_PARTITIONS 64
#define FB_PROBE_MAX_CANDIDATES 8

struct fb_probe_partition {
	uint32_t number;
	uint64_t offset, size;		/* bytes */
	char type[40], name[72];	/* NUL-terminated */
};

/* A fixed structure: it crosses a pipe from the child. Strings are NUL-terminated bytes. */
struct fb_probe_result {
	uint32_t kind;			/* enum fb_probe_kind */
	int32_t error;			/* negative errno, FB_PROBE_ERROR */
	char type[32];			/* libblkid's TYPE */
	char version[16];
	char label[256];
	char uuid[64];
	uint32_t block_size;
	char pttype[16];
	uint32_t partition_count, candidate_count;
	struct fb_probe_partition partitions[FB_PROBE_MAX_PARTITIONS];
	char candidates[FB_PROBE_MAX_CANDIDATES][32];
};

/*
 * Probe [offset, offset+size) of @fd (size 0: to the end) in a forked child
 * that has dropped its privileges, within @timeout_ms.  A gzip image is
 * looked into through its own inflater.  fd's file offset is unchanged.
 * Always fills @out; returns 0, or a negative errno where no child could run.
 */
int fb_probe(int fd, uint64_t offset, uint64_t size, unsigned timeout_ms,
	     struct fb_probe_result *out);
/* One line (partitions: one more line each) saying what was found and what to do; no trailing newline. */
void fb_probe_explain(const struct fb_probe_result *r, const char *source,
		      char *text, unsigned size);

#endif
