// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_short.c: 8.3 names of FAT: made, numbered and shown, under each
 * shortname= and with codepages of one and two bytes.  What is expected was
 * measured on the kernel's vfat (6.1).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fat_name_rig.h"
#include "utf8.h"

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

#include "fat_name_kernel.h"

static void test_measured(void **state)
{
	struct names_taken none = { 0 };
	struct fat_name name;

	(void)state;
	for (unsigned i = 0; i < COUNT(measured); i++) {
		const struct measured *m = &measured[i];

		if (!m->short_name) {
			assert_true(parse(m->mount, m->text, true, &name) != 0);
			continue;
		}
		must_parse(m->mount, m->text, &name);
		assert_int_equal(fat_name_shorten(mounts[m->mount], &name, is_taken, &none), 0);
		if (memcmp(name.short_name, m->short_name, 11))
			fail_msg("'%s' became '%.11s', of the kernel '%s'", m->text, name.short_name, m->short_name);
		if (name.lcase != m->lcase || name.is_short != m->is_short)
			fail_msg("'%s': lcase %x, is_short %d", m->text, name.lcase, name.is_short);
	}
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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_made),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_measured),
		cmocka_unit_test(test_exists),
		cmocka_unit_test(test_errors_pass),
		cmocka_unit_test(test_tenth),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_shown),
		cmocka_unit_test(test_shown_nul),
		cmocka_unit_test(test_alone),
		cmocka_unit_test(test_codepage_case),
	};

	return cmocka_run_group_tests(tests, open_mounts, close_mounts);
}
