// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * later.c: the log of a block's changes in phases above 0.
 *
 * Entries stand in the order they were made.  The image of phase p is the
 * early image with the entries of phases <= p applied in that order; with
 * all of them applied it equals the block's present content.  A log that
 * grows past its use is compacted into the differences between the images of
 * successive phases, which has the same meaning for every phase.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cache_impl.h"

struct entry {
	uint16_t off, len_minus_1;
	uint8_t phase;
} __attribute__((packed));

static void *realloc_nofail(void *old, size_t size)
{
	void *new;

	while (!(new = realloc(old, size)))
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	return new;
}

static void append(struct fb_later *later, unsigned phase, size_t off,
		   const uint8_t *src, size_t len)
{
	struct entry e = { .off = (uint16_t)off, .len_minus_1 = (uint16_t)(len - 1),
			   .phase = (uint8_t)phase };
	size_t need = later->len + sizeof(e) + len;

	if (need > later->cap) {
		later->cap = need < 192 ? 256 : need + need / 2;
		later->bytes = realloc_nofail(later->bytes, later->cap);
	}
	memcpy(later->bytes + later->len, &e, sizeof(e));
	memcpy(later->bytes + later->len + sizeof(e), src, len);
	later->len = need;
	later->phases[phase / 64] |= 1ull << phase % 64;
}

void fb_later_add(struct fb_later *later, unsigned phase, size_t off, const void *src, size_t len)
{
	if (len)
		append(later, phase, off, src, len);
}

#define FOR_EACH_ENTRY(later, at, e)                                                          \
	for (size_t at = 0;                                                                   \
	     at < (later)->len && (memcpy(&(e), (later)->bytes + at, sizeof(e)), true);       \
	     at += sizeof(e) + (e).len_minus_1 + 1u)

bool fb_later_overlaps(const struct fb_later *later, size_t off, size_t len)
{
	struct entry e;

	FOR_EACH_ENTRY(later, at, e)
		if (e.off < off + len && off < e.off + e.len_minus_1 + 1u)
			return true;
	return false;
}

void fb_later_apply(const struct fb_later *later, unsigned phase, uint8_t *image)
{
	struct entry e;

	FOR_EACH_ENTRY(later, at, e)
		if (e.phase <= phase)
			memcpy(image + e.off, later->bytes + at + sizeof(e), e.len_minus_1 + 1u);
}

bool fb_later_has(const struct fb_later *later, unsigned phase)
{
	return later->phases[phase / 64] >> phase % 64 & 1;
}

/* Differences nearer than this are one entry: an entry's head costs as much. */
#define GAP 8

static void append_differences(struct fb_later *later, unsigned phase, const uint8_t *from,
			       const uint8_t *to, size_t size)
{
	size_t at = 0;

	while (at < size) {
		size_t start, end;

		while (at < size && from[at] == to[at])
			at++;
		if (at == size)
			break;
		start = end = at;
		while (at < size && at - end <= GAP) {
			if (from[at] != to[at])
				end = at;
			at++;
		}
		append(later, phase, start, to + start, end + 1 - start);
		at = end + 1;
	}
}

void fb_later_compact(struct fb_later *later, const uint8_t *early, size_t block_size,
		      uint8_t *work_a, uint8_t *work_b)
{
	struct fb_later old = *later;

	*later = (struct fb_later){ 0 };
	memcpy(work_a, early, block_size);
	for (unsigned phase = 1; phase <= FUSEBLK_PHASE_MAX; phase++) {
		uint8_t *swap = work_a;

		if (!fb_later_has(&old, phase))
			continue;
		memcpy(work_b, early, block_size);
		fb_later_apply(&old, phase, work_b);
		append_differences(later, phase, work_a, work_b, block_size);
		work_a = work_b;
		work_b = swap;
	}
	later->compacted = later->len;
	fb_later_fini(&old);
}

void fb_later_fini(struct fb_later *later)
{
	free(later->bytes);
	*later = (struct fb_later){ 0 };
}
