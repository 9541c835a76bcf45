// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * charset_load.c: the tables of a character set, filled by asking iconv(3)
 * about every character of one and of two bytes and, where there are longer
 * ones, about every character of Unicode.  CP437, which a mount has unless it
 * asks for another, is built in, so that it needs no file.
 */
#include <endian.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "charset_impl.h"
#include "utf8.h"

/* What the kernel calls its character sets where iconv calls them otherwise or means a smaller one. */
static const struct { const char *kernel, *iconv; } aliases[] = {
	{ "big5", "CP950" },
	{ "euc-kr", "CP949" },
	{ "gb2312", "CP936" },
	{ "maccenteuro", "MAC-CENTRALEUROPE" },
	{ "maciceland", "MAC-IS" },
	{ "macroman", "MACINTOSH" },
	{ "shift-jis", "CP932" },
	{ "sjis", "CP932" },
	{ "tis-620", "CP874" },
};

/* 0x80 to 0xff of CP437. */
static const uint16_t cp437[128] = {
	0x00c7, 0x00fc, 0x00e9, 0x00e2, 0x00e4, 0x00e0, 0x00e5, 0x00e7,
	0x00ea, 0x00eb, 0x00e8, 0x00ef, 0x00ee, 0x00ec, 0x00c4, 0x00c5,
	0x00c9, 0x00e6, 0x00c6, 0x00f4, 0x00f6, 0x00f2, 0x00fb, 0x00f9,
	0x00ff, 0x00d6, 0x00dc, 0x00a2, 0x00a3, 0x00a5, 0x20a7, 0x0192,
	0x00e1, 0x00ed, 0x00f3, 0x00fa, 0x00f1, 0x00d1, 0x00aa, 0x00ba,
	0x00bf, 0x2310, 0x00ac, 0x00bd, 0x00bc, 0x00a1, 0x00ab, 0x00bb,
	0x2591, 0x2592, 0x2593, 0x2502, 0x2524, 0x2561, 0x2562, 0x2556,
	0x2555, 0x2563, 0x2551, 0x2557, 0x255d, 0x255c, 0x255b, 0x2510,
	0x2514, 0x2534, 0x252c, 0x251c, 0x2500, 0x253c, 0x255e, 0x255f,
	0x255a, 0x2554, 0x2569, 0x2566, 0x2560, 0x2550, 0x256c, 0x2567,
	0x2568, 0x2564, 0x2565, 0x2559, 0x2558, 0x2552, 0x2553, 0x256b,
	0x256a, 0x2518, 0x250c, 0x2588, 0x2584, 0x258c, 0x2590, 0x2580,
	0x03b1, 0x00df, 0x0393, 0x03c0, 0x03a3, 0x03c3, 0x00b5, 0x03c4,
	0x03a6, 0x0398, 0x03a9, 0x03b4, 0x221e, 0x03c6, 0x03b5, 0x2229,
	0x2261, 0x00b1, 0x2265, 0x2264, 0x2320, 0x2321, 0x00f7, 0x2248,
	0x00b0, 0x2219, 0x00b7, 0x221a, 0x207f, 0x00b2, 0x25a0, 0x00a0,
};

#define UNKNOWN "unknown character set; iconv -l lists those this system has"

struct loader {
	struct fat_charset *cs;
	iconv_t to_char, to_bytes;
	unsigned max_bytes;
	bool longer;			/* some characters have more than two bytes */
};

/* ---- iconv, one character at a time ---------------------------------------- */

/* The character that the first @len bytes are: FAT_CHAR_MORE if they are only the beginning of one. */
static uint32_t ask_char(const struct loader *l, uint32_t bytes, size_t len)
{
	uint32_t in = htobe32(bytes), out[4];
	char *ip = (char *)&in, *op = (char *)out;
	size_t room = sizeof(out);

	iconv(l->to_char, NULL, NULL, NULL, NULL);
	if (iconv(l->to_char, &ip, &len, &op, &room) == (size_t)-1)
		return errno == EINVAL ? FAT_CHAR_MORE : FAT_CHAR_NONE;
	/* Sets with combining characters keep the last one back until they are flushed. */
	iconv(l->to_char, NULL, NULL, &op, &room);
	return room == sizeof(out) - 4 ? le32toh(out[0]) : FAT_CHAR_NONE;
}

/* The bytes of @c, 0: none, or not of one to four. */
static uint32_t ask_bytes(const struct loader *l, uint32_t c)
{
	uint32_t in = htole32(c), out = 0;
	char *ip = (char *)&in, *op = (char *)&out;
	size_t len = sizeof(in), room = sizeof(out);

	iconv(l->to_bytes, NULL, NULL, NULL, NULL);
	if (iconv(l->to_bytes, &ip, &len, &op, &room) != 0 ||
	    iconv(l->to_bytes, NULL, NULL, &op, &room) != 0)
		return 0;
	return be32toh(out);
}

/* ---- filling ------------------------------------------------------------------ */

/* Do letters, digits and what paths need mean themselves, and does nothing below 0x80 begin anything else? */
static bool is_ascii_based(const struct loader *l)
{
	static const char fixed[] = "/._-ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

	for (const char *p = fixed; *p; p++)
		if (ask_char(l, (uint32_t)*p << 24, 1) != (uint32_t)*p)
			return false;
	for (uint32_t b = 0; b < 0x80; b++)
		if (ask_char(l, b << 24, 1) == FAT_CHAR_MORE)
			return false;
	return true;
}

static int load_lead(struct loader *l, uint32_t lead)
{
	int err = 0;

	for (uint32_t b = 1; b < 256 && !err; b++) {
		uint32_t bytes = lead << 24 | b << 16, c = ask_char(l, bytes, 2);

		if (b == '/')
			continue;
		if (c == FAT_CHAR_MORE)
			l->longer = true;
		else if (c != FAT_CHAR_NONE && c >= 0x80)
			err = fat_pairs_add(&l->cs->by_bytes, c, bytes);
	}
	return err;
}

static int load_bytes(struct loader *l)
{
	int err = 0;

	for (uint32_t b = 0; b < 0x80; b++)
		l->cs->one[b] = b;
	for (uint32_t b = 0x80; b < 256 && !err; b++) {
		uint32_t c = ask_char(l, b << 24, 1);

		l->cs->one[b] = c < 0x80 ? FAT_CHAR_NONE : c;
		if (c == FAT_CHAR_MORE)
			err = load_lead(l, b);
		else if (c != FAT_CHAR_NONE && c >= 0x80)
			err = fat_pairs_add(&l->cs->by_bytes, c, b << 24);
	}
	return err;
}

static bool has_odd_byte(uint32_t bytes)
{
	for (unsigned i = fat_pair_len(bytes); i-- > 0; ) {
		uint8_t b = (uint8_t)(bytes >> (24 - 8 * i));

		if (!b || b == '/')
			return true;
	}
	return false;
}

/* Characters of three and four bytes. */
static int load_longer(struct loader *l)
{
	uint32_t last = 0x2ffff;
	int err = 0;

	l->cs->gb18030 = ask_bytes(l, 0x10000) == 0x90308130 && ask_bytes(l, 0x10ffff) == 0xe3329a35;
	if (l->cs->gb18030)
		last = 0xffff;
	for (uint32_t c = 0x80; c <= last && !err; c++) {
		uint32_t bytes = fat_is_surrogate(c) ? 0 : ask_bytes(l, c);

		if (fat_pair_len(bytes) > 2 && l->cs->one[bytes >> 24] == FAT_CHAR_MORE && !has_odd_byte(bytes))
			err = fat_pairs_add(&l->cs->by_bytes, c, bytes);
	}
	return err;
}

static int compare_bytes(const void *a, const void *b)
{
	const struct fat_pair *x = a, *y = b;

	return x->bytes < y->bytes ? -1 : x->bytes > y->bytes;
}

static int compare_chars(const void *a, const void *b)
{
	const struct fat_pair *x = a, *y = b;

	return x->c != y->c ? (x->c < y->c ? -1 : 1) : compare_bytes(a, b);
}

static void sort(struct fat_pairs *pairs, int (*compare)(const void *, const void *))
{
	if (pairs->count)
		qsort(pairs->pair, pairs->count, sizeof(*pairs->pair), compare);
}

/* Where several bytes mean one character, it is written with those that iconv writes. */
static int make_by_char(const struct loader *l)
{
	struct fat_pairs *to = &l->cs->by_char;
	const struct fat_pairs *from = &l->cs->by_bytes;
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < from->count && !err; i++) {
		if (ask_bytes(l, from->pair[i].c) == from->pair[i].bytes)
			err = fat_pairs_add(to, from->pair[i].c, from->pair[i].bytes);
	}
	sort(to, compare_chars);
	for (size_t i = 0; i < to->count; i++)
		if (!i || to->pair[i].c != to->pair[i - 1].c)
			to->pair[kept++] = to->pair[i];
	to->count = kept;
	return err;
}

static int refuse(char *why, size_t why_size, const char *option, const char *name, const char *text)
{
	snprintf(why, why_size, "%s=%s: %s", option, name, text);
	return -EINVAL;
}

static int load_all(struct loader *l, const char *option, const char *name, char *why, size_t why_size)
{
	int err;

	if (!is_ascii_based(l))
		return refuse(why, why_size, option, name,
			      "not a character set for file names, ASCII is not ASCII in it; use utf8 or one like iso8859-1");
	err = load_bytes(l);
	if (!err && l->longer) {
		if (l->max_bytes < 3)
			return refuse(why, why_size, option, name,
				      "has characters of more than two bytes; use one of DOS or Windows, such as 437 or 932");
		err = load_longer(l);
	}
	if (err)
		return err;
	sort(&l->cs->by_bytes, compare_bytes);
	return make_by_char(l);
}

static int load_by_iconv(struct fat_charset *cs, const char *option, const char *name, unsigned max_bytes,
			 char *why, size_t why_size)
{
	struct loader l = { .cs = cs, .max_bytes = max_bytes };
	int err;

	l.to_char = iconv_open("UTF-32LE", name);
	if (l.to_char == (iconv_t)-1)
		goto unknown;
	l.to_bytes = iconv_open(name, "UTF-32LE");
	if (l.to_bytes == (iconv_t)-1)
		goto close_to_char;
	err = load_all(&l, option, name, why, why_size);
	iconv_close(l.to_bytes);
	iconv_close(l.to_char);
	return err;
close_to_char:
	iconv_close(l.to_char);
unknown:
	if (errno == ENOMEM)
		return -ENOMEM;
	return refuse(why, why_size, option, name, UNKNOWN);
}

static int load_cp437(struct fat_charset *cs)
{
	int err = 0;

	for (uint32_t b = 0; b < 0x80; b++)
		cs->one[b] = b;
	for (uint32_t b = 0x80; b < 256 && !err; b++) {
		cs->one[b] = cp437[b - 0x80];
		err = fat_pairs_add(&cs->by_bytes, cp437[b - 0x80], b << 24);
		if (!err)
			err = fat_pairs_add(&cs->by_char, cp437[b - 0x80], b << 24);
	}
	sort(&cs->by_char, compare_chars);
	return err;
}

int fat_charset_load(struct fat_charset *cs, const char *option, const char *name, unsigned max_bytes,
		     char *why, size_t why_size)
{
	if (!strcasecmp(name, "CP437"))
		return load_cp437(cs);
	/* Nothing, and what follows a slash, has a meaning of its own for iconv_open(3). */
	if (!*name || strchr(name, '/'))
		return refuse(why, why_size, option, name, UNKNOWN);
	for (unsigned i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (!strcasecmp(name, aliases[i].kernel))
			return load_by_iconv(cs, option, aliases[i].iconv, max_bytes, why, why_size);
	return load_by_iconv(cs, option, name, max_bytes, why, why_size);
}
