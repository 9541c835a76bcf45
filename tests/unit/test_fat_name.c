// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_name.c: the names of FAT, without a volume: parsed, shown, compared,
 * and in long slots.  What is expected was measured on the kernel's vfat (6.1);
 * where ours is meant to differ the test says so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fat_name_rig.h"
#include "fold.h"
#include "utf8.h"

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
		cmocka_unit_test(test_checksum),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_broken),
		cmocka_unit_test(test_extremes),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_there_and_back),
	};

	return cmocka_run_group_tests(tests, open_mounts, close_mounts);
}
