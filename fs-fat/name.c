// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * name.c: names between the bytes of the mount and UTF-16, and when two of
 * them are the same.  What is allowed is what the kernel's vfat allows
 * (vfat.rst, and measured); that is less than a volume may hold, so lookups
 * are not held to it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/random.h>
#include <time.h>
#include "fold.h"
#include "name_rules.h"
#include "utf8.h"

/* ---- the rules of a mount ------------------------------------------------------ */

static bool is_utf8(const struct fat_name_rules *rules)
{
	return rules->utf8 || !rules->iocharset || !strcasecmp(rules->iocharset, "utf8") ||
	       !strcasecmp(rules->iocharset, "utf-8");
}

static int open_codepage(const char *codepage, struct fat_charset **out, char *why, size_t why_size)
{
	char name[32], ignored[8];
	int err;

	if (!codepage)
		codepage = "437";
	if (strspn(codepage, "0123456789") != strlen(codepage) || strlen(codepage) > 8) {
		snprintf(why, why_size, "codepage=%s: not a number such as 437 or 932", codepage);
		return -EINVAL;
	}
	snprintf(name, sizeof(name), "CP%s", codepage);
	err = fat_charset_open("codepage", name, 2, out, why, why_size);
	if (err != -EINVAL)
		return err;
	snprintf(name, sizeof(name), "IBM%s", codepage);
	return fat_charset_open("codepage", name, 2, out, ignored, sizeof(ignored));
}

static uint64_t random_key(void)
{
	struct timespec now;
	uint64_t key;

	if (getrandom(&key, sizeof(key), GRND_NONBLOCK) != sizeof(key)) {
		clock_gettime(CLOCK_REALTIME, &now);
		key = (uint64_t)now.tv_nsec * 0x9e3779b97f4a7c15u ^ (uint64_t)now.tv_sec;
	}
	return key | 1;
}

int fat_names_open(const struct fat_name_rules *rules, struct fat_names **out, char *why, size_t why_size)
{
	struct fat_names *names = calloc(1, sizeof(*names));
	int err;

	if (!names)
		return -ENOMEM;
	names->shortname = rules->shortname;
	names->uni_xlate = rules->uni_xlate;
	names->nonumtail = rules->nonumtail;
	names->case_sensitive = rules->case_sensitive;
	names->hash_key = random_key();
	err = open_codepage(rules->codepage, &names->codepage, why, why_size);
	if (!err && !is_utf8(rules))
		err = fat_charset_open("iocharset", rules->iocharset, 4, &names->io, why, why_size);
	if (err) {
		fat_names_close(names);
		return err;
	}
	fat_short_tables(names);
	*out = names;
	return 0;
}

void fat_names_close(struct fat_names *names)
{
	if (!names)
		return;
	fat_charset_close(names->io);
	fat_charset_close(names->codepage);
	free(names);
}

/* ---- characters of the mount ----------------------------------------------------- */

static unsigned decode(const struct fat_names *names, const uint8_t *p, size_t len, uint32_t *c)
{
	return names->io ? fat_charset_decode(names->io, p, len, c) : fat_utf8_decode(p, len, c);
}

static unsigned encode(const struct fat_names *names, uint32_t c, uint8_t out[4])
{
	return names->io ? fat_charset_encode(names->io, c, out) : fat_utf8_encode(c, out);
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The unit that :xxxx at @p stands for. Returns 5, 0: it is no escape. */
static unsigned decode_escape(const char *p, size_t len, uint32_t *c)
{
	uint32_t unit = 0;

	if (len < 5 || p[0] != ':')
		return 0;
	for (unsigned i = 1; i < 5; i++) {
		int digit = hex_digit(p[i]);

		if (digit < 0)
			return 0;
		unit = unit << 4 | (uint32_t)digit;
	}
	*c = unit;
	return 5;
}

/* ---- bytes to units ------------------------------------------------------------------ */

/*
 * One character of a name.  A ':' that begins no escape is what it is, for a
 * lookup to find and for creation to refuse.
 */
static unsigned parse_char(const struct fat_names *names, const char *p, size_t len, uint32_t *c)
{
	unsigned n = names->uni_xlate ? decode_escape(p, len, c) : 0;

	return n ? n : decode(names, (const uint8_t *)p, len, c);
}

static enum fat_name_fault parse_units(const struct fat_names *names, const char *bytes, size_t len,
				       struct fat_name *out)
{
	out->len = 0;
	for (size_t i = 0; i < len; ) {
		uint16_t units[2];
		uint32_t c;
		unsigned n = parse_char(names, bytes + i, len - i, &c), count;

		if (!n)
			return FAT_NAME_ENCODING;
		count = fat_utf16_put(c, units);
		if (out->len + count > FAT_LONG_MAX)
			return FAT_NAME_TOO_LONG;
		memcpy(out->units + out->len, units, count * sizeof(units[0]));
		out->len += count;
		i += n;
	}
	/* Dots at the end can also be spelt :002e. */
	while (out->len && out->units[out->len - 1] == '.')
		out->len--;
	out->units[out->len] = 0;
	return out->len ? FAT_NAME_GOOD : FAT_NAME_EMPTY;
}

static enum fat_name_fault check_units(const uint16_t *units, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		if (units[i] < 0x20 || (units[i] < 0x80 && strchr("\"*/:<>?\\|", units[i])))
			return FAT_NAME_CHARACTER;
	return units[len - 1] == ' ' ? FAT_NAME_SPACE : FAT_NAME_GOOD;
}

/* Is this name shown otherwise than it was given? UTF-8 spells everything in one way. */
static bool is_altered(const struct fat_names *names, const struct fat_name *name, const char *bytes, size_t len)
{
	char shown[FAT_NAME_BYTES];
	int n;

	if (!names->io && !names->uni_xlate)
		return false;
	n = fat_name_bytes(names, name->units, name->len, shown, sizeof(shown));
	return n < 0 || (size_t)n != len || memcmp(shown, bytes, len) != 0;
}

static int fault_error(enum fat_name_fault fault, bool create)
{
	if (fault == FAT_NAME_GOOD)
		return 0;
	if (!create || fault == FAT_NAME_EMPTY)
		return -ENOENT;
	return fault == FAT_NAME_TOO_LONG ? -ENAMETOOLONG : -EINVAL;
}

int fat_name_parse(const struct fat_names *names, const char *bytes, size_t len, bool create,
		   struct fat_name *out, enum fat_name_fault *fault)
{
	size_t given = len;

	while (len && bytes[len - 1] == '.')
		len--;
	out->lcase = 0;
	out->is_short = out->needs_tail = false;
	memset(out->short_name, 0, sizeof(out->short_name));
	*fault = len ? parse_units(names, bytes, len, out) : FAT_NAME_EMPTY;
	if (*fault == FAT_NAME_GOOD && create)
		*fault = check_units(out->units, out->len);
	if (*fault != FAT_NAME_GOOD)
		return fault_error(*fault, create);
	out->altered = len != given || is_altered(names, out, bytes, len);
	if (create)
		fat_short_make(names, out);
	return 0;
}

const char *fat_name_fault_text(enum fat_name_fault fault)
{
	static const char *const texts[] = {
		[FAT_NAME_GOOD] = "is good",
		[FAT_NAME_CHARACTER] = "has a control character or one of \" * / : < > ? \\ |, which FAT names cannot have",
		[FAT_NAME_SPACE] = "ends in a space, which FAT names cannot",
		[FAT_NAME_ENCODING] = "has bytes that are no characters in the charset of the mount (options iocharset=, utf8)",
		[FAT_NAME_TOO_LONG] = "is longer than the 255 UTF-16 units of a FAT name",
		[FAT_NAME_EMPTY] = "has nothing but dots, which FAT names do not keep at the end",
	};

	return (unsigned)fault < sizeof(texts) / sizeof(texts[0]) ? texts[fault] : "is bad";
}

/* ---- units to bytes -------------------------------------------------------------------- */

/* The first @count units of @units, which the charset cannot say. */
static unsigned put_unsayable(const struct fat_names *names, const uint16_t *units, unsigned count, char out[10])
{
	static const char digits[] = "0123456789abcdef";
	unsigned n = 0;

	for (unsigned i = 0; i < count; i++) {
		out[n++] = names->uni_xlate ? ':' : '?';
		for (unsigned shift = 16; names->uni_xlate && shift > 0; ) {
			shift -= 4;
			out[n++] = digits[units[i] >> shift & 15];
		}
	}
	return n;
}

int fat_name_bytes(const struct fat_names *names, const uint16_t *units, unsigned len, char *bytes, size_t size)
{
	size_t total = 0;

	if (!len)
		return -EINVAL;
	for (unsigned i = 0; i < len; ) {
		unsigned from = i, n;
		uint32_t c = fat_utf16_next(units, len, &i);
		uint8_t out[10];

		if (!c || c == '/')
			return -EINVAL;
		n = encode(names, c, out);
		if (!n)
			n = put_unsayable(names, units + from, i - from, (char *)out);
		if (n > size - total)
			return -ENAMETOOLONG;
		memcpy(bytes + total, out, n);
		total += n;
	}
	return (int)total;
}

/* ---- the same name? ----------------------------------------------------------------------- */

/* A name as its characters are compared, one after the other. */
struct seen {
	const struct fat_names *names;
	const uint16_t *units;
	unsigned len, i;
	bool again;		/* a '?' for the second unit of the last one is due */
};

static bool can_say(const struct fat_names *names, uint32_t c)
{
	uint8_t out[4];

	if (c < 0x80 || names->uni_xlate)
		return true;
	return names->io ? encode(names, c, out) != 0 : !fat_is_surrogate(c);
}

static uint32_t seen_next(struct seen *s)
{
	unsigned from = s->i;
	uint32_t c;

	if (s->again) {
		s->again = false;
		return '?';
	}
	c = fat_utf16_next(s->units, s->len, &s->i);
	if (!can_say(s->names, c)) {
		s->again = s->i - from == 2;
		return '?';
	}
	return s->names->case_sensitive ? c : fat_fold(c);
}

static bool seen_more(const struct seen *s)
{
	return s->i < s->len || s->again;
}

uint32_t fat_name_hash(const struct fat_names *names, const uint16_t *units, unsigned len)
{
	struct seen s = { .names = names, .units = units, .len = len };
	uint64_t hash = names->hash_key;

	while (seen_more(&s)) {
		hash = (hash ^ seen_next(&s)) * names->hash_key;
		hash ^= hash >> 32;
	}
	return (uint32_t)hash;
}

bool fat_name_equal(const struct fat_names *names, const uint16_t *a, unsigned a_len,
		    const uint16_t *b, unsigned b_len)
{
	struct seen x = { .names = names, .units = a, .len = a_len };
	struct seen y = { .names = names, .units = b, .len = b_len };

	/* Neither folding nor '?' changes how many units there are. */
	if (a_len != b_len)
		return false;
	while (seen_more(&x) && seen_more(&y))
		if (seen_next(&x) != seen_next(&y))
			return false;
	return seen_more(&x) == seen_more(&y);
}
