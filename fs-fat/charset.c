// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * charset.c: characters of a character set looked up in its tables.  Pure:
 * the tables are filled by charset_load.c and never change.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "charset_impl.h"

int fat_pairs_add(struct fat_pairs *pairs, uint32_t c, uint32_t bytes)
{
	if (pairs->count == pairs->room) {
		size_t room = pairs->room ? pairs->room * 2 : 128;
		struct fat_pair *more = reallocarray(pairs->pair, room, sizeof(*more));

		if (!more)
			return -ENOMEM;
		pairs->pair = more;
		pairs->room = room;
	}
	pairs->pair[pairs->count++] = (struct fat_pair){ c, bytes };
	return 0;
}

int fat_charset_open(const char *option, const char *name, unsigned max_bytes, struct fat_charset **out,
		     char *why, size_t why_size)
{
	struct fat_charset *cs = calloc(1, sizeof(*cs));
	int err;

	if (!cs)
		return -ENOMEM;
	err = fat_charset_load(cs, option, name, max_bytes, why, why_size);
	if (err) {
		fat_charset_close(cs);
		return err;
	}
	*out = cs;
	return 0;
}

void fat_charset_close(struct fat_charset *cs)
{
	if (!cs)
		return;
	free(cs->by_bytes.pair);
	free(cs->by_char.pair);
	free(cs);
}

/*
 * GB18030 beyond the BMP: four bytes are the digits of one number, which
 * begins with 90 30 81 30 at U+10000 (the standard's mapping of the
 * supplementary planes).
 */
#define GB18030_BASE (((0x90u - 0x81) * 10 * 126) * 10)

static unsigned gb18030_decode(const uint8_t *p, size_t len, uint32_t *c)
{
	uint32_t n;

	if (len < 4 || p[0] < 0x90 || p[0] > 0xe3 || p[1] < 0x30 || p[1] > 0x39 ||
	    p[2] < 0x81 || p[2] > 0xfe || p[3] < 0x30 || p[3] > 0x39)
		return 0;
	n = (((p[0] - 0x81u) * 10 + (p[1] - 0x30u)) * 126 + (p[2] - 0x81u)) * 10 + (p[3] - 0x30u) - GB18030_BASE;
	if (n > 0xfffff)
		return 0;
	*c = 0x10000 + n;
	return 4;
}

static unsigned gb18030_encode(uint32_t c, uint8_t out[4])
{
	uint32_t n = c - 0x10000 + GB18030_BASE;

	out[3] = (uint8_t)(0x30 + n % 10);
	n /= 10;
	out[2] = (uint8_t)(0x81 + n % 126);
	n /= 126;
	out[1] = (uint8_t)(0x30 + n % 10);
	out[0] = (uint8_t)(0x81 + n / 10);
	return 4;
}

/* How many pairs have bytes up to @key. */
static size_t pairs_up_to(const struct fat_pairs *pairs, uint32_t key)
{
	size_t low = 0, high = pairs->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pairs->pair[mid].bytes <= key)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static unsigned decode_long(const struct fat_charset *cs, const uint8_t *p, size_t len, uint32_t *c)
{
	const struct fat_pair *pair;
	uint32_t key = 0;
	size_t n;
	unsigned bytes;

	for (unsigned i = 0; i < 4; i++)
		key = key << 8 | (i < len ? p[i] : 0);
	n = pairs_up_to(&cs->by_bytes, key);
	if (!n)
		return 0;
	/* Of all pairs only the last one up to the key can be a beginning of it. */
	pair = &cs->by_bytes.pair[n - 1];
	bytes = fat_pair_len(pair->bytes);
	if ((key ^ pair->bytes) >> (32 - 8 * bytes))
		return cs->gb18030 ? gb18030_decode(p, len, c) : 0;
	*c = pair->c;
	return bytes;
}

unsigned fat_charset_decode(const struct fat_charset *cs, const uint8_t *p, size_t len, uint32_t *c)
{
	if (!len || cs->one[p[0]] == FAT_CHAR_NONE)
		return 0;
	if (cs->one[p[0]] == FAT_CHAR_MORE)
		return decode_long(cs, p, len, c);
	*c = cs->one[p[0]];
	return 1;
}

static const struct fat_pair *find_char(const struct fat_pairs *pairs, uint32_t c)
{
	size_t low = 0, high = pairs->count;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (pairs->pair[mid].c == c)
			return &pairs->pair[mid];
		if (pairs->pair[mid].c < c)
			low = mid + 1;
		else
			high = mid;
	}
	return NULL;
}

unsigned fat_charset_encode(const struct fat_charset *cs, uint32_t c, uint8_t out[4])
{
	const struct fat_pair *pair;

	if (c < 0x80) {
		out[0] = (uint8_t)c;
		return 1;
	}
	if (cs->gb18030 && c >= 0x10000 && c <= 0x10ffff)
		return gb18030_encode(c, out);
	pair = find_char(&cs->by_char, c);
	if (!pair)
		return 0;
	for (unsigned i = 0; i < 4; i++)
		out[i] = (uint8_t)(pair->bytes >> (24 - 8 * i));
	return fat_pair_len(pair->bytes);
}
