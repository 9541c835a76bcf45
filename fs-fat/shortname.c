// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * shortname.c: 8.3 names: made from a name, numbered, and shown.  The rules
 * are those of the kernel's vfat (vfat.rst, shortname= and nonumtail=; what is
 * dropped and replaced as in fatgen103, "Name Limits and Character Sets"); what
 * it takes from the clock to number the tenth name of a stem and those after it
 * is taken from the long name here.
 */
#include <errno.h>
#include <string.h>
#include "fold.h"
#include "name_rules.h"

#define BASE 8
#define EXT 3

/* ---- case of the codepage ---------------------------------------------------- */

/* Lower case itself, though folding makes another letter of it: micro sign, long s, final sigma */
static bool is_lower_variant(uint32_t c)
{
	return c == 0xb5 || c == 0x17f || c == 0x3c2;
}

/* The byte of @c if it has one of its own, else @other. */
static uint8_t byte_of(const struct fat_charset *codepage, uint32_t c, uint8_t other)
{
	uint8_t out[4];

	return fat_charset_encode(codepage, c, out) == 1 ? out[0] : other;
}

void fat_short_tables(struct fat_names *names)
{
	const struct fat_charset *codepage = names->codepage;
	uint32_t c, folded;

	for (unsigned b = 0; b < 256; b++)
		names->upper[b] = names->lower[b] = (uint8_t)b;
	for (unsigned b = 0; b < 256; b++) {
		uint8_t byte = (uint8_t)b, low;

		if (fat_charset_decode(codepage, &byte, 1, &c) != 1 || is_lower_variant(c))
			continue;
		folded = fat_fold(c);
		low = byte_of(codepage, folded, byte);
		names->lower[byte] = low;
		if (low != byte)
			names->upper[low] = byte;
	}
	for (unsigned b = 0x80; b < 256; b++) {
		uint8_t byte = (uint8_t)b;

		if (fat_charset_decode(codepage, &byte, 1, &c) == 1 && is_lower_variant(c))
			names->upper[byte] = names->upper[byte_of(codepage, fat_fold(c), byte)];
	}
}

/* ---- making one ------------------------------------------------------------------ */

/* A base or an extension being made. */
struct part {
	uint8_t bytes[BASE];
	unsigned len, room;
	bool lost;		/* a character was dropped, replaced or cut off */
	bool lower, upper;	/* it could be all in this case */
};

/* What one unit becomes: its bytes, 0: nothing. */
static unsigned short_char(const struct fat_names *names, uint16_t unit, struct part *part, uint8_t out[4])
{
	unsigned n;

	if (unit == ' ' || unit == '.') {
		part->lost = true;
		return 0;
	}
	n = unit < 0x80 && strchr("+,;=[]", unit) ? 0 : fat_charset_encode(names->codepage, unit, out);
	if (!n) {
		part->lost = true;
		out[0] = '_';
		return 1;
	}
	/* Only ASCII letters have a case that the case bits can keep. */
	if (n > 1 || out[0] >= 0x7f)
		part->lower = part->upper = false;
	if (n > 1)
		return n;
	if (out[0] >= 'a' && out[0] <= 'z')
		part->upper = false;
	else if (out[0] >= 'A' && out[0] <= 'Z')
		part->lower = false;
	out[0] = names->upper[out[0]];
	return 1;
}

static void make_part(const struct fat_names *names, const uint16_t *units, unsigned len, struct part *part,
		      unsigned room)
{
	*part = (struct part){ .room = room, .lower = true, .upper = true };
	for (unsigned i = 0; i < len; i++) {
		uint8_t out[4];
		unsigned n = short_char(names, units[i], part, out);

		if (part->len + n > room) {
			part->lost = true;
			return;
		}
		memcpy(part->bytes + part->len, out, n);
		part->len += n;
	}
}

/*
 * Where the extension's dot is: the last one that has something but dots and
 * spaces before it.  @len: there is none.
 */
static unsigned find_dot(const uint16_t *units, unsigned len)
{
	unsigned first = 0, dot = len;

	while (first < len && (units[first] == '.' || units[first] == ' '))
		first++;
	while (dot > 0 && units[dot - 1] != '.')
		dot--;
	return dot > first && dot < len ? dot - 1 : len;
}

/* Can the case bits that shortname= makes keep the case of @part? */
static bool keeps_case(const struct fat_names *names, const struct part *part)
{
	return part->upper || (names->shortname == FAT_SHORT_WINNT && part->lower);
}

void fat_short_make(const struct fat_names *names, struct fat_name *name)
{
	unsigned dot = find_dot(name->units, name->len);
	unsigned ext_start = dot < name->len ? dot + 1 : dot;
	struct part base, ext;

	make_part(names, name->units, dot, &base, BASE);
	make_part(names, name->units + ext_start, name->len - ext_start, &ext, EXT);
	memset(name->short_name, ' ', sizeof(name->short_name));
	memcpy(name->short_name, base.bytes, base.len);
	memcpy(name->short_name + BASE, ext.bytes, ext.len);
	if (name->short_name[0] == FAT_NAME_DELETED)
		name->short_name[0] = FAT_NAME_E5;
	name->needs_tail = base.lost || ext.lost;
	name->is_short = !name->needs_tail && keeps_case(names, &base) && keeps_case(names, &ext);
	name->lcase = 0;
	if (name->is_short && !base.upper)
		name->lcase |= FAT_LCASE_BASE;
	if (name->is_short && !ext.upper)
		name->lcase |= FAT_LCASE_EXT;
}

/* ---- numbering ------------------------------------------------------------------------ */

/* How many of the base's bytes to keep, at most @max, without cutting a character in two. */
static unsigned keep_of_base(const struct fat_names *names, const uint8_t short_name[11], unsigned max)
{
	uint8_t base[BASE];
	unsigned len = BASE, kept = 0;

	memcpy(base, short_name, BASE);
	if (base[0] == FAT_NAME_E5)
		base[0] = FAT_NAME_DELETED;
	while (len && base[len - 1] == ' ')
		len--;
	while (kept < len) {
		uint32_t c;
		unsigned n = fat_charset_decode(names->codepage, base + kept, len - kept, &c);

		if (!n)
			n = 1;
		if (kept + n > max)
			break;
		kept += n;
	}
	return kept;
}

static void put_tail(uint8_t short_name[11], unsigned at, const uint8_t *tail, unsigned len)
{
	memcpy(short_name + at, tail, len);
	memset(short_name + at + len, ' ', BASE - at - len);
}

static int try_digits(const struct fat_names *names, uint8_t short_name[11],
		      int (*taken)(void *ctx, const uint8_t short_name[11]), void *ctx)
{
	unsigned at = keep_of_base(names, short_name, BASE - 2);
	uint8_t tail[2] = { '~' };
	int is = 1;

	for (tail[1] = '1'; is == 1 && tail[1] <= '9'; tail[1]++) {
		put_tail(short_name, at, tail, sizeof(tail));
		is = taken(ctx, short_name);
	}
	return is;
}

static uint64_t hash_units(const struct fat_name *name)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (unsigned i = 0; i < name->len; i++)
		hash = (hash ^ name->units[i]) * 0x100000001b3u;
	return hash ^ hash >> 29;
}

/*
 * Four digits and ~1 to ~8: 2^19 names, of which a directory can have 2^16.
 * Where to begin and how far to step come from the long name.
 */
static int try_hash(const struct fat_names *names, const struct fat_name *name, uint8_t short_name[11],
		    int (*taken)(void *ctx, const uint8_t short_name[11]), void *ctx)
{
	static const char digits[] = "0123456789ABCDEF";
	unsigned at = keep_of_base(names, short_name, BASE - 6);
	uint64_t hash = hash_units(name);
	uint32_t n = (uint32_t)hash, step = (uint32_t)(hash >> 32) | 1;
	int is = 1;

	for (unsigned i = 0; is == 1 && i <= FAT_DIR_SLOTS; i++, n += step) {
		uint8_t tail[6];

		for (unsigned k = 0; k < 4; k++)
			tail[k] = (uint8_t)digits[n >> (12 - 4 * k) & 15];
		tail[4] = '~';
		tail[5] = (uint8_t)('1' + (n >> 16 & 7));
		put_tail(short_name, at, tail, sizeof(tail));
		is = taken(ctx, short_name);
	}
	return is;
}

int fat_name_shorten(const struct fat_names *names, struct fat_name *name,
		     int (*taken)(void *ctx, const uint8_t short_name[11]), void *ctx)
{
	uint8_t digit[11], hash[11];
	int is;

	if (!name->needs_tail || names->nonumtail) {
		is = taken(ctx, name->short_name);
		if (is != 1)
			return is;
		if (!name->needs_tail)
			return -EEXIST;
	}
	memcpy(digit, name->short_name, sizeof(digit));
	is = try_digits(names, digit, taken, ctx);
	if (is == 0)
		memcpy(name->short_name, digit, sizeof(digit));
	if (is != 1)
		return is;
	memcpy(hash, name->short_name, sizeof(hash));
	is = try_hash(names, name, hash, taken, ctx);
	if (is == 0)
		memcpy(name->short_name, hash, sizeof(hash));
	return is == 1 ? -ENOSPC : is;
}

/* ---- showing one ---------------------------------------------------------------------- */

static bool shows_lower(const struct fat_names *names, bool lcase)
{
	switch (names->shortname) {
	case FAT_SHORT_LOWER:
		return true;
	case FAT_SHORT_WIN95:
		return false;
	default:
		return lcase;
	}
}

/* Returns the number of units, without trailing spaces; -1: it has a '/'. */
static int show_part(const struct fat_names *names, const uint8_t *bytes, unsigned len, bool lower, uint16_t *units)
{
	unsigned n, count = 0, kept = 0;

	for (unsigned i = 0; i < len && bytes[i]; i += n) {
		uint32_t c;

		n = fat_charset_decode(names->codepage, bytes + i, len - i, &c);
		if (n == 1 && lower)
			n = fat_charset_decode(names->codepage, &names->lower[bytes[i]], 1, &c);
		if (!n || c > 0xffff) {
			c = '?';
			n = n ? n : 1;
		}
		if (c == '/')
			return -1;
		units[count++] = (uint16_t)c;
		if (bytes[i] != ' ')
			kept = count;
	}
	return (int)kept;
}

unsigned fat_short_units(const struct fat_names *names, const uint8_t short_name[11], uint8_t lcase,
			 uint16_t units[12])
{
	uint8_t base[BASE];
	int len, ext;

	memcpy(base, short_name, BASE);
	if (base[0] == FAT_NAME_E5)
		base[0] = FAT_NAME_DELETED;
	len = show_part(names, base, BASE, shows_lower(names, lcase & FAT_LCASE_BASE), units);
	if (len < 0)
		return 0;
	ext = show_part(names, short_name + BASE, EXT, shows_lower(names, lcase & FAT_LCASE_EXT), units + len + 1);
	if (ext < 0)
		return 0;
	if (!ext)
		return (unsigned)len;
	units[len] = '.';
	return (unsigned)(len + 1 + ext);
}
