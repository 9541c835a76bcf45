// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_charset.c: characters without a name around them: UTF-8 and UTF-16,
 * character sets against iconv(3), case folding against CaseFolding.txt.
 */
#include <errno.h>
#include <iconv.h>
#include <stdio.h>
#include <string.h>
#include "fat_name_rig.h"
#include "fold.h"
#include "utf8.h"

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
	static const char *const none[] = {
		"\xe3\x32\x9a\x36", "\xe4\x30\x81\x30", "\x90\x2f\x81\x30", "\x90\x30\x80\x30", "\x90\x30\x81\x3a", "\x90\x30\x81",
	};
	uint32_t back;

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
	assert_int_equal(fat_charset_decode(cs, (const uint8_t *)"\xe3\x32\x9a\x35", 4, &back), 4);
	assert_int_equal(back, 0x10ffff);
	for (unsigned i = 0; i < COUNT(none); i++)
		assert_int_equal(fat_charset_decode(cs, (const uint8_t *)none[i], strlen(none[i]), &back), 0);
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
