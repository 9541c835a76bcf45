// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_name.c: the names of FAT, without a volume: character sets against
 * iconv(3), folding against CaseFolding.txt, parsing, 8.3 names and their
 * numbers, long slots.  What is expected of names was measured on the kernel's
 * vfat (6.1); where ours is meant to differ the test says so.
 */
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "charset.h"
#include "fold.h"
#include "name.h"
#include "utf8.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- mounts ------------------------------------------------------------------ */

enum { UTF8, WIN95, LOWER, WINNT, STRICT, NONUMTAIL, LATIN1, XLATE, XLATE_UTF8, ASCII, CP850, CP932, SJIS_BOTH, EUC_JP, MOUNTS };

static const struct fat_name_rules rules_of[MOUNTS] = {
	[UTF8] = { .utf8 = true, .shortname = FAT_SHORT_MIXED },
	[WIN95] = { .utf8 = true, .shortname = FAT_SHORT_WIN95 },
	[LOWER] = { .utf8 = true, .shortname = FAT_SHORT_LOWER },
	[WINNT] = { .utf8 = true, .shortname = FAT_SHORT_WINNT },
	[STRICT] = { .utf8 = true, .shortname = FAT_SHORT_MIXED, .case_sensitive = true },
	[NONUMTAIL] = { .utf8 = true, .shortname = FAT_SHORT_MIXED, .nonumtail = true },
	[LATIN1] = { .iocharset = "iso8859-1", .shortname = FAT_SHORT_MIXED },
	[XLATE] = { .iocharset = "iso8859-1", .uni_xlate = true, .shortname = FAT_SHORT_MIXED },
	[XLATE_UTF8] = { .utf8 = true, .uni_xlate = true, .shortname = FAT_SHORT_MIXED },
	[ASCII] = { .iocharset = "ascii", .shortname = FAT_SHORT_MIXED },
	[CP850] = { .codepage = "850", .utf8 = true, .shortname = FAT_SHORT_MIXED },
	[CP932] = { .codepage = "932", .utf8 = true, .shortname = FAT_SHORT_MIXED },
	[SJIS_BOTH] = { .codepage = "932", .iocharset = "sjis", .shortname = FAT_SHORT_MIXED },
	[EUC_JP] = { .codepage = "932", .iocharset = "euc-jp", .shortname = FAT_SHORT_MIXED },
};

static struct fat_names *mounts[MOUNTS];

static int open_mounts(void **state)
{
	char why[200];

	(void)state;
	for (unsigned i = 0; i < MOUNTS; i++)
		if (fat_names_open(&rules_of[i], &mounts[i], why, sizeof(why))) {
			fprintf(stderr, "mount %u: %s\n", i, why);
			return -1;
		}
	return 0;
}

static int close_mounts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOUNTS; i++)
		fat_names_close(mounts[i]);
	fat_names_close(NULL);
	return 0;
}

static int parse(unsigned mount, const char *text, bool create, struct fat_name *name)
{
	enum fat_name_fault fault;
	int err = fat_name_parse(mounts[mount], text, strlen(text), create, name, &fault);

	assert_int_equal(err == 0, fault == FAT_NAME_GOOD);
	return err;
}

static void must_parse(unsigned mount, const char *text, struct fat_name *name)
{
	int err = parse(mount, text, true, name);

	if (err)
		fail_msg("'%s': %s", text, strerror(-err));
}

static bool same(unsigned mount, const char *a, const char *b)
{
	struct fat_name x, y;
	bool equal;

	assert_int_equal(parse(mount, a, false, &x), 0);
	assert_int_equal(parse(mount, b, false, &y), 0);
	equal = fat_name_equal(mounts[mount], x.units, x.len, y.units, y.len);
	assert_int_equal(equal, fat_name_equal(mounts[mount], y.units, y.len, x.units, x.len));
	if (equal)
		assert_int_equal(fat_name_hash(mounts[mount], x.units, x.len),
				 fat_name_hash(mounts[mount], y.units, y.len));
	return equal;
}

/* ---- UTF-8 and UTF-16 ------------------------------------------------------------ */

static void test_utf8(void **state)
{
	static const struct { const char *bytes; unsigned n; uint32_t c; } cases[] = {
		{ "a", 1, 'a' }, { "\x7f", 1, 0x7f }, { "\xc2\x80", 2, 0x80 }, { "\xdf\xbf", 2, 0x7ff },
		{ "\xe0\xa0\x80", 3, 0x800 }, { "\xed\x9f\xbf", 3, 0xd7ff }, { "\xee\x80\x80", 3, 0xe000 },
		{ "\xef\xbf\xbf", 3, 0xffff }, { "\xf0\x90\x80\x80", 4, 0x10000 }, { "\xf4\x8f\xbf\xbf", 4, 0x10ffff },
		{ "\x80", 0, 0 }, { "\xc0\xaf", 0, 0 }, { "\xc1\xbf", 0, 0 }, { "\xe0\x80\xaf", 0, 0 },
		{ "\xe0\x9f\xbf", 0, 0 }, { "\xf0\x8f\xbf\xbf", 0, 0 }, { "\xed\xa0\x80", 0, 0 }, { "\xed\xbf\xbf", 0, 0 },
		{ "\xf4\x90\x80\x80", 0, 0 }, { "\xf8\x88\x80\x80\x80", 0, 0 }, { "\xff", 0, 0 }, { "\xc3", 0, 0 },
		{ "\xe3\x81", 0, 0 }, { "\xf0\x9f\x98", 0, 0 }, { "\xc3(", 0, 0 }, { "", 0, 0 },
	};
	uint32_t c;

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		unsigned n = fat_utf8_decode((const uint8_t *)cases[i].bytes, strlen(cases[i].bytes), &c);

		assert_int_equal(n, cases[i].n);
		if (n)
			assert_int_equal(c, cases[i].c);
	}
}

static void test_utf_round_trip(void **state)
{
	uint8_t bytes[4];
	uint16_t units[2];
	uint32_t back;

	(void)state;
	for (uint32_t c = 0; c < 0x110100; c++) {
		unsigned n = fat_utf8_encode(c, bytes), i = 0, count;

		assert_int_equal(n == 0, fat_is_surrogate(c) || c > 0x10ffff);
		if (!n)
			continue;
		assert_int_equal(fat_utf8_decode(bytes, n, &back), n);
		assert_int_equal(back, c);
		count = fat_utf16_put(c, units);
		assert_int_equal(fat_utf16_next(units, count, &i), c);
		assert_int_equal(i, count);
	}
}

/* ---- folding -------------------------------------------------------------------- */

static void test_fold(void **state)
{
	static const struct { uint32_t c, folded; } cases[] = {
		{ 'A', 'a' }, { 'z', 'z' }, { '[', '[' }, { '@', '@' }, { 0xc4, 0xe4 }, { 0xd7, 0xd7 }, { 0xdf, 0xdf },
		{ 0x178, 0xff }, { 0x100, 0x101 }, { 0x101, 0x101 }, { 0x130, 0x130 }, { 0x131, 0x131 },
		{ 0x3a3, 0x3c3 }, { 0x3c2, 0x3c3 }, { 0x416, 0x436 }, { 0x1e9e, 0xdf }, { 0x212a, 'k' },
		{ 0x13a0, 0x13a0 }, { 0xab70, 0x13a0 }, { 0x13f8, 0x13f0 }, { 0xff21, 0xff41 },
		{ 0x10400, 0x10428 }, { 0x10428, 0x10428 }, { 0x1e921, 0x1e943 }, { 0x1e922, 0x1e922 },
		{ 0x1f600, 0x1f600 }, { 0xd800, 0xd800 }, { 0xffffffff, 0xffffffff },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		assert_int_equal(fat_fold(cases[i].c), cases[i].folded);
	for (uint32_t c = 0; c < 0x110000; c++) {
		assert_int_equal(fat_fold(fat_fold(c)), fat_fold(c));
		assert_int_equal(c > 0xffff, fat_fold(c) > 0xffff);
	}
}

/* The whole table, where the system has the file it was made from, or a newer one. */
static void test_fold_file(void **state)
{
	FILE *file = fopen("/usr/share/unicode/CaseFolding.txt", "r");
	static uint32_t expected[0x110000];
	unsigned c, folded, found = 0;
	char line[300], status;

	(void)state;
	if (!file)
		skip();
	if (!fgets(line, sizeof(line), file) || !strstr(line, "-15.0.0")) {
		fclose(file);
		skip();
	}
	for (c = 0; c < COUNT(expected); c++)
		expected[c] = c;
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "%x; %c; %x;", &c, &status, &folded) == 3 && (status == 'C' || status == 'S')) {
			expected[c] = folded;
			found++;
		}
	fclose(file);
	assert_true(found > 1400);
	for (c = 0; c < COUNT(expected); c++)
		assert_int_equal(fat_fold(c), expected[c]);
}

/* ---- character sets ---------------------------------------------------------------- */

static struct fat_charset *must_open(const char *name, unsigned max_bytes)
{
	struct fat_charset *cs;
	char why[200] = "";

	if (fat_charset_open("iocharset", name, max_bytes, &cs, why, sizeof(why)))
		fail_msg("%s", why);
	return cs;
}

/* Every character of the set goes to bytes and back; returns how many there are from 0x80 up. */
static unsigned round_trip(const struct fat_charset *cs, unsigned max_bytes)
{
	uint8_t bytes[5] = { 0 };
	unsigned found = 0;
	uint32_t back;

	for (uint32_t c = 0; c < 0x110000; c++) {
		unsigned n = fat_charset_encode(cs, c, bytes);

		assert_true(n <= max_bytes);
		if (!n)
			continue;
		bytes[n] = 'x';		/* what follows does not matter */
		assert_int_equal(fat_charset_decode(cs, bytes, n + (n < 4), &back), n);
		assert_int_equal(back, c);
		for (unsigned short_of = 1; short_of < n; short_of++)
			assert_int_equal(fat_charset_decode(cs, bytes, short_of, &back), 0);
		for (unsigned i = 0; i < n && c >= 0x80; i++)
			assert_true(bytes[i] && bytes[i] != '/');
		found += c >= 0x80;
	}
	return found;
}

static void test_charsets(void **state)
{
	static const struct { const char *name; unsigned bytes, least; } sets[] = {
		{ "CP437", 1, 128 }, { "cp850", 1, 128 }, { "CP852", 1, 128 }, { "CP866", 1, 128 }, { "CP1255", 1, 100 },
		{ "iso8859-1", 1, 128 }, { "iso8859-15", 1, 128 }, { "koi8-r", 1, 128 }, { "ascii", 1, 0 },
		{ "CP932", 2, 7000 }, { "CP936", 2, 20000 }, { "CP949", 2, 17000 }, { "CP950", 2, 13000 },
		{ "sjis", 2, 7000 }, { "gb2312", 2, 20000 }, { "big5", 2, 13000 }, { "euc-kr", 2, 17000 },
		{ "tis-620", 1, 80 }, { "macroman", 1, 100 },
		{ "euc-jp", 3, 13000 }, { "euc-tw", 4, 40000 }, { "gb18030", 4, 1100000 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(sets); i++) {
		struct fat_charset *cs = must_open(sets[i].name, 4);
		unsigned found = round_trip(cs, sets[i].bytes);

		if (found < sets[i].least)
			fail_msg("%s has only %u characters", sets[i].name, found);
		fat_charset_close(cs);
	}
}

/* The table that is built in, against the system's. */
static void test_cp437(void **state)
{
	struct fat_charset *cs = must_open("CP437", 1);
	iconv_t cd = iconv_open("UTF-32LE", "CP437");

	(void)state;
	assert_true(cd != (iconv_t)-1);
	for (unsigned b = 0; b < 256; b++) {
		uint8_t byte = (uint8_t)b, in = byte;
		char *ip = (char *)&in, *op;
		uint32_t expected = 0, c;
		size_t len = 1, room = 4;

		op = (char *)&expected;
		assert_int_equal(iconv(cd, &ip, &len, &op, &room), 0);
		assert_int_equal(fat_charset_decode(cs, &byte, 1, &c), 1);
		assert_int_equal(c, expected);
	}
	iconv_close(cd);
	fat_charset_close(cs);
}

/* GB18030 against the system's, for some characters of each kind. */
static void test_gb18030(void **state)
{
	struct fat_charset *cs = must_open("gb18030", 4);
	iconv_t cd = iconv_open("GB18030", "UTF-32LE");

	(void)state;
	for (uint32_t c = 0x80; c < 0x110000; c += c < 0x10000 ? 1 : 997) {
		uint32_t in = c;
		uint8_t expected[4] = { 0 }, out[4];
		char *ip = (char *)&in, *op = (char *)expected;
		size_t len = 4, room = 4;

		if (fat_is_surrogate(c) || iconv(cd, &ip, &len, &op, &room) != 0)
			continue;
		assert_int_equal(fat_charset_encode(cs, c, out), 4 - room);
		assert_memory_equal(out, expected, 4 - room);
	}
	iconv_close(cd);
	fat_charset_close(cs);
}

static void test_open_refused(void **state)
{
	static const struct { struct fat_name_rules rules; const char *says; } cases[] = {
		{ { .codepage = "99999" }, "unknown" }, { { .codepage = "" }, "unknown" },
		{ { .codepage = "cp850" }, "not a number" }, { { .codepage = "850//TRANSLIT" }, "not a number" },
		{ { .codepage = "54936" }, "unknown" },
		{ { .iocharset = "nonesuch" }, "unknown" }, { { .iocharset = "" }, "unknown" },
		{ { .iocharset = "iso8859-1//IGNORE" }, "unknown" }, { { .iocharset = "utf-16" }, "ASCII" },
		{ { .iocharset = "utf-7" }, "ASCII" }, { { .iocharset = "iso-2022-jp" }, "ASCII" },
		{ { .iocharset = "ebcdic-us" }, "ASCII" }, { { .iocharset = "ucs-4" }, "ASCII" },
	};
	struct fat_names *names;
	struct fat_charset *cs;
	char why[200];

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		why[0] = 0;
		assert_int_equal(fat_names_open(&cases[i].rules, &names, why, sizeof(why)), -EINVAL);
		assert_non_null(strstr(why, cases[i].says));
		assert_null(strchr(why, '\n'));
	}
	assert_int_equal(fat_charset_open("codepage", "gb18030", 2, &cs, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "two bytes"));
}

/* The names of the kernel's utf8 are ours. */
static void test_utf8_names(void **state)
{
	static const char *const charsets[] = { "utf8", "UTF-8", "utf-8", NULL };

	(void)state;
	for (unsigned i = 0; i < COUNT(charsets); i++) {
		struct fat_name_rules rules = { .iocharset = charsets[i] };
		enum fat_name_fault fault;
		struct fat_names *names;
		struct fat_name name;
		char why[200];

		assert_int_equal(fat_names_open(&rules, &names, why, sizeof(why)), 0);
		assert_int_equal(fat_name_parse(names, "\xf0\x9f\x98\x80", 4, true, &name, &fault), 0);
		assert_int_equal(name.len, 2);
		fat_names_close(names);
	}
}

/* ---- parsing ---------------------------------------------------------------------- */

static void test_refused(void **state)
{
	static const struct { const char *text; int create, lookup; enum fat_name_fault fault; } cases[] = {
		{ "", -ENOENT, -ENOENT, FAT_NAME_EMPTY }, { ".", -ENOENT, -ENOENT, FAT_NAME_EMPTY },
		{ "...", -ENOENT, -ENOENT, FAT_NAME_EMPTY },
		{ "a*b", -EINVAL, 0, FAT_NAME_CHARACTER }, { "?", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "<", -EINVAL, 0, FAT_NAME_CHARACTER }, { "a>", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "a|b", -EINVAL, 0, FAT_NAME_CHARACTER }, { "\"q\"", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "c:", -EINVAL, 0, FAT_NAME_CHARACTER }, { "a\\b", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "a/b", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "\x01", -EINVAL, 0, FAT_NAME_CHARACTER }, { "a\x1f", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "tab\t", -EINVAL, 0, FAT_NAME_CHARACTER }, { "line\n", -EINVAL, 0, FAT_NAME_CHARACTER },
		{ "space ", -EINVAL, 0, FAT_NAME_SPACE }, { " ", -EINVAL, 0, FAT_NAME_SPACE },
		{ "a. ", -EINVAL, 0, FAT_NAME_SPACE }, { "a .", -EINVAL, 0, FAT_NAME_SPACE },
		{ ". ", -EINVAL, 0, FAT_NAME_SPACE },
		{ "\xff", -EINVAL, -ENOENT, FAT_NAME_ENCODING }, { "a\xc3", -EINVAL, -ENOENT, FAT_NAME_ENCODING },
		{ "\xc0\xaf", -EINVAL, -ENOENT, FAT_NAME_ENCODING },
		{ "\xed\xa0\xbd\xed\xb8\x80", -EINVAL, -ENOENT, FAT_NAME_ENCODING },
		{ "\xf4\x90\x80\x80", -EINVAL, -ENOENT, FAT_NAME_ENCODING },
	};
	enum fat_name_fault fault;
	struct fat_name name;

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		size_t len = strlen(cases[i].text);

		assert_int_equal(fat_name_parse(mounts[UTF8], cases[i].text, len, true, &name, &fault), cases[i].create);
		assert_int_equal(fault, cases[i].fault);
		assert_true(strlen(fat_name_fault_text(fault)) > 10);
		assert_int_equal(fat_name_parse(mounts[UTF8], cases[i].text, len, false, &name, &fault), cases[i].lookup);
	}
	assert_int_equal(fat_name_parse(mounts[UTF8], "a\0b", 3, true, &name, &fault), -EINVAL);
}

static void test_accepted(void **state)
{
	static const struct { const char *text; unsigned len; bool altered; } cases[] = {
		{ "a", 1, false }, { "x.", 1, true }, { "x...", 1, true }, { ".hidden", 7, false }, { "....x", 5, false },
		{ " lead", 5, false }, { "a b", 3, false }, { "+plus,;=[]", 10, false }, { "\x7f", 1, false },
		{ "CON", 3, false }, { "nul", 3, false }, { "aux.txt", 7, false }, { "COM1", 4, false }, { "clock$", 6, false },
		{ "\xef\xbf\xbe", 1, false }, { "\xef\xbf\xbf", 1, false }, { "\xef\xbb\xbf""bom", 4, false },
		{ "\xf4\x8f\xbf\xbf", 2, false }, { "~", 1, false }, { "'`!@#$%^&(){}-_", 15, false },
	};
	struct fat_name name;

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		must_parse(UTF8, cases[i].text, &name);
		assert_int_equal(name.len, cases[i].len);
		assert_int_equal(name.altered, cases[i].altered);
		assert_int_equal(name.units[name.len], 0);
	}
}

static void repeat(char *to, const char *what, unsigned count)
{
	for (*to = 0; count; count--)
		to = stpcpy(to, what);
}

static void test_length(void **state)
{
	static const struct { const char *what; unsigned count; const char *then; int err; } cases[] = {
		{ "a", 255, "", 0 }, { "a", 256, "", -ENAMETOOLONG }, { "a", 255, "...", 0 },
		{ "a", 255, " ", -ENAMETOOLONG }, { "a", 254, " ", -EINVAL }, { "*", 255, "", -EINVAL },
		{ "*", 256, "", -ENAMETOOLONG }, { "\xf0\x9f\x98\x80", 127, "a", 0 },
		{ "\xf0\x9f\x98\x80", 127, "", 0 }, { "\xf0\x9f\x98\x80", 128, "", -ENAMETOOLONG },
		{ "\xe3\x81\x82", 255, "", 0 }, { "\xe3\x81\x82", 256, "", -ENAMETOOLONG },
		{ "a", 1024, "", -ENAMETOOLONG }, { ".", 1024, "", -ENOENT },
	};
	struct fat_name name;
	char text[2000];

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		repeat(text, cases[i].what, cases[i].count);
		strcat(text, cases[i].then);
		assert_int_equal(parse(UTF8, text, true, &name), cases[i].err);
		if (cases[i].err == -ENAMETOOLONG)
			assert_int_equal(parse(UTF8, text, false, &name), -ENOENT);
	}
}

/* A lookup makes no 8.3 name. */
static void test_lookup_has_no_short(void **state)
{
	static const uint8_t none[11];
	struct fat_name name;

	(void)state;
	memset(&name, 0xff, sizeof(name));
	assert_int_equal(parse(UTF8, "name", false, &name), 0);
	assert_memory_equal(name.short_name, none, 11);
	assert_false(name.is_short || name.needs_tail || name.lcase);
}

static void test_io_charsets(void **state)
{
	struct fat_name name;
	char bytes[20];

	(void)state;
	must_parse(LATIN1, "gr\xfcn", &name);
	assert_int_equal(name.units[2], 0xfc);
	assert_int_equal(fat_name_bytes(mounts[LATIN1], name.units, name.len, bytes, sizeof(bytes)), 4);
	assert_memory_equal(bytes, "gr\xfcn", 4);
	assert_int_equal(fat_name_bytes(mounts[UTF8], name.units, name.len, bytes, sizeof(bytes)), 5);
	assert_memory_equal(bytes, "gr\xc3\xbcn", 5);
	assert_int_equal(parse(ASCII, "gr\xfcn", true, &name), -EINVAL);
	must_parse(SJIS_BOTH, "\x83\x65\x83\x58\x83\x67", &name);	/* tesuto, in katakana */
	assert_int_equal(name.len, 3);
	assert_int_equal(name.units[0], 0x30c6);
	assert_false(name.altered);
	must_parse(EUC_JP, "\xa5\xc6\x8f\xb0\xa1\x8e\xb1", &name);	/* two, three and two bytes */
	assert_int_equal(name.len, 3);
	assert_int_equal(name.units[0], 0x30c6);
	assert_int_equal(name.units[1], 0x4e02);
	assert_int_equal(name.units[2], 0xff71);
	assert_int_equal(parse(EUC_JP, "\xa5", true, &name), -EINVAL);
	/* NEC's second place for a character that is shown with the first one */
	must_parse(SJIS_BOTH, "\xed\x40", &name);
	assert_true(name.altered);
}

static void test_not_sayable(void **state)
{
	static const uint16_t units[] = { 'a', 0x416, 0xd83d, 0xde00, 0xdc00, 'b' };
	static const struct { unsigned mount; const char *bytes; } cases[] = {
		{ LATIN1, "a????b" }, { ASCII, "a????b" }, { XLATE, "a:0416:d83d:de00:dc00b" },
		{ UTF8, "a\xd0\x96\xf0\x9f\x98\x80?b" }, { XLATE_UTF8, "a\xd0\x96\xf0\x9f\x98\x80:dc00b" },
	};
	struct fat_name name;
	char bytes[FAT_NAME_BYTES];

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		int len = (int)strlen(cases[i].bytes);

		assert_int_equal(fat_name_bytes(mounts[cases[i].mount], units, COUNT(units), bytes, sizeof(bytes)), len);
		assert_memory_equal(bytes, cases[i].bytes, (size_t)len);
		/* What is shown can be looked up, and is what is stored. */
		assert_int_equal(parse(cases[i].mount, cases[i].bytes, false, &name), 0);
		assert_true(fat_name_equal(mounts[cases[i].mount], name.units, name.len, units, COUNT(units)));
		assert_int_equal(fat_name_hash(mounts[cases[i].mount], name.units, name.len),
				 fat_name_hash(mounts[cases[i].mount], units, COUNT(units)));
		assert_int_equal(fat_name_bytes(mounts[cases[i].mount], units, COUNT(units), bytes, (size_t)len - 1),
				 -ENAMETOOLONG);
		assert_int_equal(fat_name_bytes(mounts[cases[i].mount], units, COUNT(units), bytes, (size_t)len), len);
	}
}

static void test_bytes_refused(void **state)
{
	static const uint16_t slash[] = { 'a', '/', 'b' }, nul[] = { 'a', 0, 'b' };
	char bytes[20];

	(void)state;
	assert_int_equal(fat_name_bytes(mounts[UTF8], slash, 3, bytes, sizeof(bytes)), -EINVAL);
	assert_int_equal(fat_name_bytes(mounts[UTF8], nul, 3, bytes, sizeof(bytes)), -EINVAL);
	assert_int_equal(fat_name_bytes(mounts[UTF8], nul, 0, bytes, sizeof(bytes)), -EINVAL);
	assert_int_equal(fat_name_bytes(mounts[UTF8], nul, 1, bytes, 0), -ENAMETOOLONG);
}

static void test_escapes(void **state)
{
	struct fat_name name;

	(void)state;
	must_parse(XLATE, "a:0416b", &name);
	assert_int_equal(name.len, 3);
	assert_int_equal(name.units[1], 0x416);
	assert_false(name.altered);
	must_parse(XLATE, ":0416:D83d", &name);
	assert_true(name.altered);		/* it is shown with :d83d */
	must_parse(XLATE, ":0041", &name);
	assert_true(name.altered);		/* shown as A */
	assert_int_equal(name.units[0], 'A');
	assert_int_equal(parse(XLATE, ":002f", true, &name), -EINVAL);
	assert_int_equal(parse(XLATE, ":0000", true, &name), -EINVAL);
	assert_int_equal(parse(XLATE, ":041", true, &name), -EINVAL);
	assert_int_equal(parse(XLATE, ":04g6", true, &name), -EINVAL);
	assert_int_equal(parse(XLATE, "a:b", false, &name), 0);	/* a volume may have it */
	assert_int_equal(parse(XLATE, ":002e:002e", true, &name), -ENOENT);
	must_parse(XLATE, "a:002e", &name);
	assert_int_equal(name.len, 1);
	must_parse(XLATE_UTF8, "a:d800", &name);
	assert_int_equal(name.units[1], 0xd800);
	assert_false(name.altered);
	assert_int_equal(parse(UTF8, ":0416", true, &name), -EINVAL);
}

/* Every unit, in every mount: what is shown is found again. */
static void test_whole_bmp(void **state)
{
	(void)state;
	for (unsigned m = 0; m < MOUNTS; m++) {
		for (uint32_t u = 1; u < 0x10000; u++) {
			uint16_t units[3] = { 'x', (uint16_t)u, 'y' };
			enum fat_name_fault fault;
			struct fat_name name;
			char bytes[20];
			int n;

			if (u == '/')
				continue;
			n = fat_name_bytes(mounts[m], units, 3, bytes, sizeof(bytes));
			assert_true(n > 0);
			assert_int_equal(fat_name_parse(mounts[m], bytes, (size_t)n, false, &name, &fault), 0);
			assert_true(fat_name_equal(mounts[m], name.units, name.len, units, 3));
			assert_int_equal(fat_name_hash(mounts[m], name.units, name.len),
					 fat_name_hash(mounts[m], units, 3));
			assert_false(name.altered);
			if (m == UTF8 && !fat_is_surrogate(u))
				assert_memory_equal(name.units, units, sizeof(units));
		}
	}
}

/* ---- the same name? ----------------------------------------------------------------- */

static void test_equal(void **state)
{
	static const struct { unsigned mount; const char *a, *b; bool same; } cases[] = {
		{ UTF8, "foo", "FOO", true }, { UTF8, "foo", "fo", false }, { UTF8, "foo", "fop", false },
		{ UTF8, "x.", "X", true }, { UTF8, "gr\xc3\xbcn", "GR\xc3\x9cN", true },
		{ UTF8, "\xcf\x80", "\xce\xa0", true },			/* pi: the kernel cannot */
		{ UTF8, "\xcf\x83", "\xcf\x82", true },			/* both sigmas */
		{ UTF8, "\xc3\x9f", "ss", false }, { UTF8, "i", "\xc4\xb1", false }, { UTF8, "i", "\xc4\xb0", false },
		{ UTF8, "\xf0\x90\x90\x80", "\xf0\x90\x90\xa8", true },	/* Deseret, as pairs */
		{ UTF8, "\xf0\x90\x90\x80", "\xf0\x90\x90\xa9", false },
		{ UTF8, "[", "{", false }, { UTF8, "@", "`", false },
		{ STRICT, "foo", "FOO", false }, { STRICT, "foo", "foo", true }, { STRICT, "foo.", "foo", true },
		{ LATIN1, "\xfc", "\xdc", true }, { LATIN1, "\xb5", "\xb5", true },
		{ SJIS_BOTH, "\x82\x60", "\x82\x81", true },		/* full width A */
		{ SJIS_BOTH, "\xed\x40", "\xfa\x5c", true },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++)
		if (same(cases[i].mount, cases[i].a, cases[i].b) != cases[i].same)
			fail_msg("'%s' and '%s': %d", cases[i].a, cases[i].b, !cases[i].same);
}

static void test_hash_property(void **state)
{
	uint16_t a[20], b[20];
	unsigned seed = 1, folded = 0, collisions = 0;

	(void)state;
	for (unsigned round = 0; round < 20000; round++) {
		unsigned len = 1 + (unsigned)rand_r(&seed) % 20;
		bool equal = true, got;

		for (unsigned i = 0; i < len; i++) {
			a[i] = (uint16_t)(rand_r(&seed) % (round % 3 ? 0x600 : 0x10000));
			b[i] = rand_r(&seed) % 2 ? a[i] : (uint16_t)fat_fold(a[i]);
			if (rand_r(&seed) % 64 == 0)
				b[i] ^= 0x1000;
			equal = equal && fat_fold(a[i]) == fat_fold(b[i]);
		}
		got = fat_name_equal(mounts[UTF8], a, len, b, len);
		assert_true(got || !equal);
		if (got)
			assert_int_equal(fat_name_hash(mounts[UTF8], a, len), fat_name_hash(mounts[UTF8], b, len));
		else
			collisions += fat_name_hash(mounts[UTF8], a, len) == fat_name_hash(mounts[UTF8], b, len);
		folded += got && memcmp(a, b, len * 2);
	}
	assert_true(folded > 1000);
	assert_true(collisions <= 1);
}

/* ---- 8.3 names: made ------------------------------------------------------------------- */

/* What a name becomes: 8.3, case bits, no long slots, a number needed. */
struct made { unsigned mount; const char *text, *short_name; uint8_t lcase; bool is_short, needs_tail; };

#define BASE_LC FAT_LCASE_BASE
#define EXT_LC FAT_LCASE_EXT

static const struct made made[] = {
	/* Capitals need no long slots, anything else does. */
	{ UTF8, "FOO", "FOO        ", 0, true, false }, { UTF8, "FOO4.TXT", "FOO4    TXT", 0, true, false },
	{ UTF8, "12345678.123", "12345678123", 0, true, false }, { UTF8, "~", "~          ", 0, true, false },
	{ UTF8, "FOO.", "FOO        ", 0, true, false },
	{ UTF8, "foo", "FOO        ", 0, false, false }, { UTF8, "FOO.txt", "FOO     TXT", 0, false, false },
	{ UTF8, "foo.TXT", "FOO     TXT", 0, false, false }, { UTF8, "Foo", "FOO        ", 0, false, false },
	{ WIN95, "foo", "FOO        ", 0, false, false }, { LOWER, "foo", "FOO        ", 0, false, false },
	{ WIN95, "FOO", "FOO        ", 0, true, false }, { LOWER, "FOO", "FOO        ", 0, true, false },
	/* winnt: case bits where each part has one case. */
	{ WINNT, "lower", "LOWER      ", BASE_LC, true, false }, { WINNT, "low.TXT", "LOW     TXT", BASE_LC, true, false },
	{ WINNT, "UP.txt", "UP      TXT", EXT_LC, true, false }, { WINNT, "both.txt", "BOTH    TXT", BASE_LC | EXT_LC, true, false },
	{ WINNT, "UPPER", "UPPER      ", 0, true, false }, { WINNT, "12.3", "12      3  ", 0, true, false },
	{ WINNT, "1a.2", "1A      2  ", BASE_LC, true, false },
	{ WINNT, "Mixed.txt", "MIXED   TXT", 0, false, false }, { WINNT, "job.Bat", "JOB     BAT", 0, false, false },
	{ WINNT, "gr\xc3\xbcn", "GR\x9aN       ", 0, false, false }, { WINNT, "GR\xc3\x9cN", "GR\x9aN       ", 0, false, false },
	{ WINNT, "a b", "AB         ", 0, false, true }, { WINNT, "toolongname", "TOOLONGN   ", 0, false, true },
	/* What is dropped, replaced and cut off: a number. */
	{ UTF8, "a b.txt", "AB      TXT", 0, false, true }, { UTF8, ".hidden", "HIDDEN     ", 0, false, true },
	{ UTF8, "a.b.c", "AB      C  ", 0, false, true }, { UTF8, ".a.b", "A       B  ", 0, false, true },
	{ UTF8, "..a", "A          ", 0, false, true }, { UTF8, "a..b", "A       B  ", 0, false, true },
	{ UTF8, "....x", "X          ", 0, false, true }, { UTF8, " .a", "A          ", 0, false, true },
	{ UTF8, "name.longext", "NAME    LON", 0, false, true }, { UTF8, "x.tar.gz", "XTAR    GZ ", 0, false, true },
	{ UTF8, "+plus", "_PLUS      ", 0, false, true }, { UTF8, "[br],;=.txt", "_BR____ TXT", 0, false, true },
	{ UTF8, " lead", "LEAD       ", 0, false, true }, { UTF8, "12345678.abcd", "12345678ABC", 0, false, true },
	{ UTF8, "123456789", "12345678   ", 0, false, true }, { UTF8, "12345678 .a", "12345678A  ", 0, false, true },
	{ UTF8, "a.1 2", "A       12 ", 0, false, true }, { UTF8, "a.123 ]", "A       123", 0, false, true },
	/* Codepage 437: what it has is stored in capitals, and has long slots for its case. */
	{ UTF8, "\xc3\xa9t\xc3\xa9", "\x90T\x90        ", 0, false, false },
	{ UTF8, "\xc3\x89T\xc3\x89", "\x90T\x90        ", 0, false, false },
	{ UTF8, "\xc3\x9f", "\xe1          ", 0, false, false }, { UTF8, "\x7f", "\x7f          ", 0, false, false },
	{ UTF8, "\xcf\x83", "\xe4          ", 0, false, false },	/* sigma: 0xe5, its capital 0xe4 */
	{ UTF8, "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e", "___        ", 0, false, true },
	{ UTF8, "\xf0\x9f\x98\x80.txt", "__      TXT", 0, false, true }, { UTF8, "\xe2\x82\xac", "_          ", 0, false, true },
	{ UTF8, "\xef\xbb\xbf""bom", "_BOM       ", 0, false, true },
	/* Codepage 850 has what 437 has not. */
	{ CP850, "\xc3\xb8", "\x9d          ", 0, false, false }, { UTF8, "\xc3\xb8", "_          ", 0, false, true },
	{ CP850, "\xc3\x95", "\x05          ", 0, false, false },	/* 0xe5: O with tilde */
	{ CP850, "\xc3\xb5", "\x05          ", 0, false, false },
	/* Codepage 932: two bytes, never cut in two. */
	{ CP932, "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88", "\x83\x65\x83\x58\x83\x67     ", 0, false, false },
	{ CP932, "\xef\xbd\xb1", "\xb1          ", 0, false, false },		/* half width katakana */
	{ CP932, "\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86\xe3\x81\x88\xe3\x81\x8a", "\x82\xa0\x82\xa2\x82\xa4\x82\xa6   ", 0, false, true },
	{ CP932, "a\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86\xe3\x81\x88", "A\x82\xa0\x82\xa2\x82\xa4    ", 0, false, true },
	{ CP932, "a.\xe3\x81\x82\xe3\x81\x84", "A       \x82\xa0 ", 0, false, true },
	{ CP932, "\xe8\xa1\xa8", "\x95\x5c         ", 0, false, false },	/* its second byte is a backslash */
	{ CP932, "\xe8\x95\x81", "\x05\x40         ", 0, false, false },	/* E5 40 */
};

static void test_made(void **state)
{
	struct fat_name name;

	(void)state;
	for (unsigned i = 0; i < COUNT(made); i++) {
		const struct made *m = &made[i];

		must_parse(m->mount, m->text, &name);
		if (memcmp(name.short_name, m->short_name, 11))
			fail_msg("'%s' became '%.11s'", m->text, name.short_name);
		if (name.lcase != m->lcase || name.is_short != m->is_short || name.needs_tail != m->needs_tail)
			fail_msg("'%s': lcase %x, is_short %d, needs_tail %d", m->text, name.lcase, name.is_short,
				 name.needs_tail);
	}
}

/* ---- 8.3 names: numbered ------------------------------------------------------------------ */

struct names_taken {
	uint8_t (*name)[11];		/* a hash table */
	unsigned room, count;
	unsigned long calls;
	int answer;			/* != 0: to everything */
};

static unsigned place_of(const struct names_taken *t, const uint8_t n[11])
{
	uint32_t h = 2166136261u;

	for (unsigned i = 0; i < 11; i++)
		h = (h ^ n[i]) * 16777619u;
	h %= t->room;
	while (t->name[h][0] && memcmp(t->name[h], n, 11))
		h = (h + 1) % t->room;
	return h;
}

static int is_taken(void *ctx, const uint8_t short_name[11])
{
	struct names_taken *t = ctx;

	t->calls++;
	if (t->answer)
		return t->answer;
	return t->room && t->name[place_of(t, short_name)][0] != 0;
}

static void take(struct names_taken *t, const uint8_t short_name[11])
{
	unsigned place = place_of(t, short_name);

	assert_int_equal(t->name[place][0], 0);
	memcpy(t->name[place], short_name, 11);
	t->count++;
}

static void make_room(struct names_taken *t, unsigned room)
{
	*t = (struct names_taken){ .name = calloc(room, 11), .room = room };
	assert_non_null(t->name);
}

static int add(unsigned mount, struct names_taken *t, const char *text, struct fat_name *name)
{
	int err;

	must_parse(mount, text, name);
	err = fat_name_shorten(mounts[mount], name, is_taken, t);
	if (!err)
		take(t, name->short_name);
	return err;
}

static void test_numbers(void **state)
{
	static const struct { unsigned mount; const char *text, *short_name; } cases[] = {
		{ UTF8, "a b.txt", "AB~1    TXT" }, { UTF8, "ab+.txt", "AB_~1   TXT" }, { UTF8, "a  b.txt", "AB~2    TXT" },
		{ UTF8, "12345678.abcd", "123456~1ABC" }, { UTF8, "1234567890.abc", "123456~2ABC" },
		{ UTF8, "name.longext", "NAME~1  LON" }, { UTF8, "1234567.longer", "123456~1LON" },
		{ UTF8, "ab.txt", "AB      TXT" }, { UTF8, "\xf0\x9f\x98\x80.txt", "__~1    TXT" },
		{ NONUMTAIL, "x y", "XY         " }, { NONUMTAIL, "x  y", "XY~1       " }, { NONUMTAIL, "x   y", "XY~2       " },
		{ NONUMTAIL, "long-mixed.text", "LONG-MIXTEX" },
		{ CP932, "\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86\xe3\x81\x88\xe3\x81\x8a", "\x82\xa0\x82\xa2\x82\xa4~1   " },
		{ CP932, "a\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86\xe3\x81\x88", "A\x82\xa0\x82\xa2~1    " },
		{ CP932, "\xe8\x95\x81 +", "\x05\x40_~1      " },
	};
	struct names_taken t;
	struct fat_name name;

	(void)state;
	make_room(&t, 1024);
	for (unsigned i = 0; i < COUNT(cases); i++) {
		assert_int_equal(add(cases[i].mount, &t, cases[i].text, &name), 0);
		if (memcmp(name.short_name, cases[i].short_name, 11))
			fail_msg("'%s' became '%.11s'", cases[i].text, name.short_name);
	}
	free(t.name);
}

/* An exact 8.3 name that is taken. */
static void test_exists(void **state)
{
	struct names_taken t;
	struct fat_name name;

	(void)state;
	make_room(&t, 64);
	assert_int_equal(add(UTF8, &t, "FOO", &name), 0);
	assert_int_equal(add(UTF8, &t, "foo", &name), -EEXIST);
	assert_int_equal(add(STRICT, &t, "Foo", &name), -EEXIST);
	assert_int_equal(add(WINNT, &t, "foo", &name), -EEXIST);
	assert_int_equal(add(UTF8, &t, "foo+", &name), 0);
	assert_int_equal(add(UTF8, &t, "FOO_~1", &name), -EEXIST);
	free(t.name);
}

static void test_errors_pass(void **state)
{
	struct names_taken t = { .answer = -EIO };
	struct fat_name name, before;

	(void)state;
	must_parse(UTF8, "x y", &name);
	before = name;
	assert_int_equal(fat_name_shorten(mounts[UTF8], &name, is_taken, &t), -EIO);
	assert_int_equal(t.calls, 1);
	t = (struct names_taken){ .answer = 1 };
	assert_int_equal(fat_name_shorten(mounts[UTF8], &name, is_taken, &t), -ENOSPC);
	assert_true(t.calls <= FAT_DIR_SLOTS + 20);
	assert_memory_equal(name.short_name, before.short_name, 11);
}

/* The tenth name of a stem: up to two bytes, four digits, and a number; always the same. */
static void test_tenth(void **state)
{
	static const struct { unsigned mount; const char *stem, *first; unsigned kept; } cases[] = {
		{ UTF8, "stemming name", "STEMMI~1", 2 }, { UTF8, "x ", "X~1     ", 1 },
		{ CP932, "a\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86 ", "A\x82\xa0\x82\xa2~1 ", 1 },
		{ CP932, "\xe3\x81\x82\xe3\x81\x84\xe3\x81\x86 ", "\x82\xa0\x82\xa2\x82\xa4~1", 2 },
	};

	(void)state;
	for (unsigned k = 0; k < COUNT(cases); k++) {
		struct fat_name first = { 0 }, name, again;
		struct names_taken t;
		char text[60];

		make_room(&t, 64);
		for (unsigned i = 1; i <= 10; i++) {
			strcpy(text, cases[k].stem);
			repeat(text + strlen(text), " ", i);
			strcat(text, ".TXT");
			assert_int_equal(add(cases[k].mount, &t, text, &name), 0);
			if (i == 1)
				first = name;
		}
		assert_memory_equal(first.short_name, cases[k].first, 8);
		assert_memory_equal(name.short_name, first.short_name, cases[k].kept);
		for (unsigned i = 0; i < 4; i++)
			assert_non_null(memchr("0123456789ABCDEF", name.short_name[cases[k].kept + i], 16));
		assert_int_equal(name.short_name[cases[k].kept + 4], '~');
		assert_in_range(name.short_name[cases[k].kept + 5], '1', '8');
		assert_memory_equal(name.short_name + 8, "TXT", 3);
		/* Again, with the digits of all taken and the rest not. */
		memset(t.name[place_of(&t, name.short_name)], 0, 11);
		assert_int_equal(add(cases[k].mount, &t, text, &again), 0);
		assert_memory_equal(again.short_name, name.short_name, 11);
		free(t.name);
	}
}

static void test_many(void **state)
{
	enum { MANY = 20000 };
	struct names_taken t;
	unsigned long most = 0;
	struct fat_name name;
	char text[60];

	(void)state;
	make_room(&t, 4 * MANY);
	for (unsigned i = 0; i < MANY; i++) {
		unsigned long before = t.calls;

		snprintf(text, sizeof(text), "Holiday picture %05u.jpeg", i);
		assert_int_equal(add(UTF8, &t, text, &name), 0);
		if (t.calls - before > most)
			most = t.calls - before;
	}
	assert_true(t.calls < 11ul * MANY);
	assert_true(most < 30);
	free(t.name);
}

/* ---- 8.3 names: shown ---------------------------------------------------------------------- */

static void test_shown(void **state)
{
	static const struct { unsigned mount; const char *short_name; uint8_t lcase; const char *shown; } cases[] = {
		{ UTF8, "FOO     TXT", 0, "FOO.TXT" }, { UTF8, "FOO        ", 0, "FOO" },
		{ UTF8, "FOO     TXT", BASE_LC, "foo.TXT" }, { UTF8, "FOO     TXT", EXT_LC, "FOO.txt" },
		{ WINNT, "FOO     TXT", BASE_LC | EXT_LC, "foo.txt" }, { WIN95, "FOO     TXT", BASE_LC | EXT_LC, "FOO.TXT" },
		{ LOWER, "FOO     TXT", 0, "foo.txt" }, { LOWER, "\x9a\x90~1    B  ", 0, "\xc3\xbc\xc3\xa9~1.b" },
		{ UTF8, "\x05XX        ", 0, "\xcf\x83XX" }, { UTF8, "A B     C D", 0, "A B.C D" },
		{ UTF8, " A         ", 0, " A" }, { UTF8, "12345678123", 0, "12345678.123" },
		{ UTF8, "           ", 0, "" }, { UTF8, "        TXT", 0, ".TXT" }, { UTF8, "A/B        ", 0, "" },
		{ UTF8, "AB      /  ", 0, "" }, { UTF8, "..         ", 0, ".." }, { UTF8, ".          ", 0, "." },
		{ CP932, "\x83\x65\x83\x58\x83\x67  \x82\xa0 ", 0, "\xe3\x83\x86\xe3\x82\xb9\xe3\x83\x88.\xe3\x81\x82" },
		{ CP932, "\x05\x40         ", 0, "\xe8\x95\x81" },
		{ CP932, "\x95\x5c         ", BASE_LC, "\xe8\xa1\xa8" },
		{ CP932, "ABCDEFG\x82\xa0XX", 0, "ABCDEFG?.?XX" },	/* cut in two: both halves are nothing... */
		{ CP932, "\x82\x60\xb1        ", BASE_LC, "\xef\xbc\xa1\xef\xbd\xb1" },
		{ CP932, "\xff          ", 0, "?" }, { CP850, "\xd5          ", 0, "\xc4\xb1" },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		uint16_t units[12];
		char bytes[64];
		unsigned n = fat_short_units(mounts[cases[i].mount], (const uint8_t *)cases[i].short_name,
					     cases[i].lcase, units);
		int len = n ? fat_name_bytes(mounts[UTF8], units, n, bytes, sizeof(bytes)) : 0;

		assert_true(n <= 12);
		if (len != (int)strlen(cases[i].shown) || memcmp(bytes, cases[i].shown, (size_t)len))
			fail_msg("%u: '%.11s' is shown as '%.*s'", i, cases[i].short_name, len, bytes);
	}
}

/* A NUL ends a part. */
static void test_shown_nul(void **state)
{
	static const uint8_t short_name[11] = { 'A', 'B', 0, 'C', ' ', ' ', ' ', ' ', 'X', 0, 'Y' };
	uint16_t units[12];

	(void)state;
	assert_int_equal(fat_short_units(mounts[UTF8], short_name, 0, units), 4);
	assert_int_equal(units[2], '.');
	assert_int_equal(units[3], 'X');
}

/* A name that stands alone as 8.3 is shown as it was given, and every other one's 8.3 name is a good one. */
static void test_alone(void **state)
{
	(void)state;
	for (unsigned i = 0; i < COUNT(made); i++) {
		struct fat_name name;
		uint16_t units[12];
		unsigned n;

		must_parse(made[i].mount, made[i].text, &name);
		n = fat_short_units(mounts[made[i].mount], name.short_name, name.lcase, units);
		assert_true(n > 0);
		if (!name.is_short || made[i].mount == LOWER)
			continue;
		assert_int_equal(n, name.len);
		assert_memory_equal(units, name.units, n * sizeof(units[0]));
	}
}

/* Capitals of the codepage, by folding: none is lost, and lower case comes back. */
static void test_codepage_case(void **state)
{
	static const struct { const char *codepage; uint8_t lower, upper; } cases[] = {
		{ "437", 0x82, 0x90 }, { "437", 0xe5, 0xe4 }, { "437", 0xed, 0xe8 }, { "437", 0xe6, 0xe6 }, { "437", 0x98, 0x98 },
		{ "437", 0xe1, 0xe1 }, { "850", 0x9b, 0x9d }, { "850", 0xd5, 0xd5 }, { "852", 0xa5, 0xa4 },
		{ "866", 0xa0, 0x80 }, { "866", 0xef, 0x9f }, { "866", 0xf1, 0xf0 }, { "737", 0x98, 0x80 },
		{ "737", 0xaa, 0x91 }, { "737", 0xa9, 0x91 }, { "1251", 0xff, 0xdf }, { "1253", 0xb5, 0xcc },
		{ "932", 'a', 'A' }, { "932", 0xb1, 0xb1 },
	};

	(void)state;
	for (unsigned i = 0; i < COUNT(cases); i++) {
		struct fat_name_rules rules = { .codepage = cases[i].codepage };
		struct fat_charset *cs;
		enum fat_name_fault fault;
		struct fat_names *names;
		struct fat_name name;
		uint8_t utf8[4];
		char why[200], set[20];
		uint32_t c;

		snprintf(set, sizeof(set), "CP%s", cases[i].codepage);
		cs = must_open(set, 2);
		assert_int_equal(fat_charset_decode(cs, &cases[i].lower, 1, &c), 1);
		fat_charset_close(cs);
		assert_int_equal(fat_names_open(&rules, &names, why, sizeof(why)), 0);
		assert_int_equal(fat_name_parse(names, (char *)utf8, fat_utf8_encode(c, utf8), true, &name, &fault), 0);
		if (name.short_name[0] != (cases[i].upper == 0xe5 ? 0x05 : cases[i].upper))
			fail_msg("codepage %s: %02x became %02x", cases[i].codepage, cases[i].lower, name.short_name[0]);
		fat_names_close(names);
	}
}

/* ---- long slots ---------------------------------------------------------------------------- */

static const uint8_t alias[11] = "LONGNA~1TXT";

static void fill(uint16_t *units, unsigned len)
{
	for (unsigned i = 0; i < len; i++)
		units[i] = (uint16_t)(0x4e00 + i * 7);
}

static unsigned collect(const struct fat_long_slot *slots, unsigned count, struct fat_long *name)
{
	memset(name, 0, sizeof(*name));
	for (unsigned i = 0; i < count; i++)
		fat_long_add(name, &slots[i]);
	return fat_long_finish(name, alias);
}

static void test_checksum(void **state)
{
	(void)state;
	/* Worked out by hand from the specification's rotate and add. */
	assert_int_equal(fat_short_checksum((const uint8_t *)"\0\0\0\0\0\0\0\0\0\0\1"), 1);
	assert_int_equal(fat_short_checksum((const uint8_t *)"\0\0\0\0\0\0\0\0\0\1\0"), 0x80);
	assert_int_equal(fat_short_checksum((const uint8_t *)"\0\0\0\0\0\0\0\0\1\0\1"), 0x41);
	/* As mtools 4.0.32 stored it. */
	assert_int_equal(fat_short_checksum((const uint8_t *)"LONGFI~1TXT"), 0xd4);
}

static void test_every_length(void **state)
{
	uint16_t units[FAT_LONG_MAX];
	struct fat_long_slot slots[FAT_LONG_SLOTS];
	struct fat_long name;

	(void)state;
	fill(units, FAT_LONG_MAX);
	for (unsigned len = 1; len <= FAT_LONG_MAX; len++) {
		unsigned count = fat_long_encode(units, len, fat_short_checksum(alias), slots);
		const struct fat_long_slot *last = &slots[0];

		assert_int_equal(count, (len + 12) / 13);
		assert_int_equal(last->seq, count | FAT_LONG_LAST);
		assert_int_equal(slots[count - 1].seq & 0x3f, 1);
		for (unsigned i = 0; i < count; i++) {
			assert_int_equal(slots[i].attr, FAT_ATTR_LONG);
			assert_int_equal(slots[i].type, 0);
			assert_int_equal(fat_get16(slots[i].start), 0);
		}
		if (len % 13 == 0)
			assert_int_equal(fat_get16(last->name3[1]), units[len - 1]);
		else
			assert_int_equal(fat_get16(last->name3[1]), len % 13 == 12 ? 0 : 0xffff);
		assert_int_equal(collect(slots, count, &name), len);
		assert_int_equal(name.slots, count);
		assert_memory_equal(name.units, units, len * sizeof(units[0]));
	}
}

/* Three slots, of which one thing is wrong. */
static void test_broken(void **state)
{
	struct fat_long_slot good[FAT_LONG_SLOTS], bad[FAT_LONG_SLOTS];
	uint16_t units[39];
	struct fat_long name;

	(void)state;
	fill(units, 39);
	assert_int_equal(fat_long_encode(units, 39, fat_short_checksum(alias), good), 3);
	for (unsigned i = 0; i < 3; i++) {
		/* A slot with another checksum, number, or no end mark; a slot that is missing. */
		memcpy(bad, good, sizeof(bad));
		bad[i].checksum ^= 1;
		assert_int_equal(collect(bad, 3, &name), 0);
		assert_int_equal(name.slots, 0);
		for (unsigned seq = 0; seq < 0x40; seq++) {
			memcpy(bad, good, sizeof(bad));
			bad[i].seq = (uint8_t)seq;
			assert_int_equal(collect(bad, 3, &name), seq == good[i].seq ? 39 : 0);
		}
		memcpy(bad, good, sizeof(bad));
		memmove(&bad[i], &bad[i + 1], (2 - i) * sizeof(bad[0]));
		assert_int_equal(collect(bad, 2, &name), 0);
	}
	assert_int_equal(collect(good, 3, &name), 39);
	assert_int_equal(fat_long_finish(&name, (const uint8_t *)"LONGNA~2TXT"), 0);
	assert_int_equal(collect(good, 0, &name), 0);
	/* One slot too many. */
	memcpy(bad, good, sizeof(bad));
	bad[3] = good[2];
	assert_int_equal(collect(bad, 4, &name), 0);
}

/* Impossible numbers of slots; names of no units and of too many. */
static void test_extremes(void **state)
{
	struct fat_long_slot slots[64];
	uint16_t units[260];
	struct fat_long name;

	(void)state;
	fill(units, 260);
	for (unsigned count = 0; count < 64; count++) {
		memset(slots, 0x55, sizeof(slots));
		for (unsigned i = 0; i < 64; i++) {
			slots[i].seq = (uint8_t)((count - i) & 0x3f);
			slots[i].checksum = fat_short_checksum(alias);
		}
		slots[0].seq = (uint8_t)(count | FAT_LONG_LAST);
		assert_int_equal(collect(slots, count ? count : 1, &name), count && count <= 19 ? count * 13 : 0);
	}
	assert_int_equal(fat_long_encode(units, 255, fat_short_checksum(alias), slots), 20);
	slots[0].name2[3] = fat_le16('x');	/* unit 256 instead of the end */
	assert_int_equal(collect(slots, 20, &name), 0);
	fat_long_encode(units, 1, fat_short_checksum(alias), slots);
	slots[0].name1[0] = fat_le16(0);
	assert_int_equal(collect(slots, 1, &name), 0);
}

/* A set that was left behind, then a good one: only the good one counts. */
static void test_orphans(void **state)
{
	struct fat_long_slot slots[8], set[FAT_LONG_SLOTS];
	uint16_t units[26];
	struct fat_long name;

	(void)state;
	fill(units, 26);
	fat_long_encode(units, 20, 0x77, set);
	memcpy(slots, set, 2 * sizeof(slots[0]));
	fat_long_encode(units, 26, fat_short_checksum(alias), set);
	memcpy(slots + 2, set, 2 * sizeof(slots[0]));
	assert_int_equal(collect(slots, 4, &name), 26);
	assert_int_equal(name.slots, 2);
	assert_int_equal(collect(slots + 1, 3, &name), 26);
}

/* A name from bytes to slots and back, in every mount. */
static void test_there_and_back(void **state)
{
	static const char *const texts[] = {
		"a", "A long name with spaces.and.dots.txt", "'`!@#$%^&(){}-_+,;=[]", "x.y.z",
	};
	struct fat_long_slot slots[FAT_LONG_SLOTS];
	struct fat_long collected;
	struct fat_name name;
	char bytes[FAT_NAME_BYTES];

	(void)state;
	for (unsigned m = 0; m < MOUNTS; m++)
		for (unsigned i = 0; i < COUNT(texts); i++) {
			unsigned count, len;
			int n;

			must_parse(m, texts[i], &name);
			count = fat_long_encode(name.units, name.len, fat_short_checksum(alias), slots);
			len = collect(slots, count, &collected);
			n = fat_name_bytes(mounts[m], collected.units, len, bytes, sizeof(bytes));
			assert_int_equal(n, strlen(texts[i]));
			assert_memory_equal(bytes, texts[i], (size_t)n);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_utf8),
		cmocka_unit_test(test_utf_round_trip),
		cmocka_unit_test(test_fold),
		cmocka_unit_test(test_fold_file),
		cmocka_unit_test(test_charsets),
		cmocka_unit_test(test_cp437),
		cmocka_unit_test(test_gb18030),
		cmocka_unit_test(test_open_refused),
		cmocka_unit_test(test_utf8_names),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_length),
		cmocka_unit_test(test_lookup_has_no_short),
		cmocka_unit_test(test_io_charsets),
		cmocka_unit_test(test_not_sayable),
		cmocka_unit_test(test_bytes_refused),
		cmocka_unit_test(test_escapes),
		cmocka_unit_test(test_whole_bmp),
		cmocka_unit_test(test_equal),
		cmocka_unit_test(test_hash_property),
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_errors_pass),
		cmocka_unit_test(test_tenth),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_nul),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_codepage_case),
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, open_mounts, close_mounts);
}
