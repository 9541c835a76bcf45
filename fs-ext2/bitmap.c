// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * bitmap.c: bits of bitmap blocks: searched a word at a time, changed
 * through the cache in phase 0.
 */
#include <string.h>
#include "super.h"

bool e2_bit_test(const uint8_t *bits, uint32_t n)
{
	return bits[n / 8] >> n % 8 & 1;
}

/* The 64 bits from @n, a multiple of 64, on, the lowest first. Bitmaps are whole blocks: there is no end to run past. */
static uint64_t word_at(const uint8_t *bits, uint32_t n)
{
	uint64_t v;

	memcpy(&v, bits + n / 8, sizeof(v));
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
	v = __builtin_bswap64(v);
#endif
	return v;
}

static uint32_t next(const uint8_t *bits, uint32_t from, uint32_t end, uint64_t flip)
{
	uint64_t mask = ~0ull << from % 64;

	for (uint32_t n = from & ~63u; n < end; n += 64, mask = ~0ull) {
		uint64_t v = (word_at(bits, n) ^ flip) & mask;

		if (v) {
			n += (uint32_t)__builtin_ctzll(v);
			return n < end ? n : end;
		}
	}
	return end;
}

uint32_t e2_bits_next_clear(const uint8_t *bits, uint32_t from, uint32_t end)
{
	return next(bits, from, end, ~0ull);
}

uint32_t e2_bits_next_set(const uint8_t *bits, uint32_t from, uint32_t end)
{
	return next(bits, from, end, 0);
}

uint32_t e2_bits_count_clear(const uint8_t *bits, uint32_t from, uint32_t end)
{
	uint64_t mask = ~0ull << from % 64;
	uint32_t count = 0;

	for (uint32_t n = from & ~63u; n < end; n += 64, mask = ~0ull) {
		if (end - n < 64)
			mask &= (1ull << (end - n)) - 1;
		count += (uint32_t)__builtin_popcountll(~word_at(bits, n) & mask);
	}
	return count;
}

static uint8_t byte_mask(uint32_t byte, uint32_t from, uint32_t end)
{
	unsigned lo = from > byte * 8 ? from - byte * 8 : 0;
	unsigned hi = end < byte * 8 + 8 ? end - byte * 8 : 8;

	return (uint8_t)(0xFFu << lo & 0xFFu >> (8 - hi));
}

void e2_bits_set(uint8_t *bits, uint32_t from, uint32_t end)
{
	for (uint32_t b = from / 8; b * 8 < end; b++)
		bits[b] |= byte_mask(b, from, end);
}

struct change {
	uint32_t from, end;	/* bits, counted from the first byte of the edit */
	bool set;
};

static void apply(void *bytes, void *arg)
{
	const struct change *c = arg;
	uint8_t *p = bytes;

	for (uint32_t b = 0; b * 8 < c->end; b++) {
		uint8_t mask = byte_mask(b, c->from, c->end);

		p[b] = c->set ? p[b] | mask : p[b] & (uint8_t)~mask;
	}
}

void e2_bitmap_change(struct fuseblk_buf *buf, uint32_t from, uint32_t count, bool set)
{
	uint32_t first = from / 8, last = (from + count - 1) / 8;
	struct change c = { .from = from - first * 8, .end = from + count - first * 8, .set = set };

	fuseblk_buf_edit(buf, first, last - first + 1, apply, &c);
}
