/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_fat_name.c: a libFuzzer target for the names of FAT.  The first byte
 * of the input chooses the rules of the mount, the second what the rest is: a
 * name to be created, a name to be looked up, or bytes of a directory.  What
 * a name is made into must come back as the same name.  Built on request, with
 * clang: make tests/fuzz/fuzz_fat_name CC=clang
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fat_name_rules rules[] = {
	{ .utf8 = true, .shortname = FAT_SHORT_MIXED },
	{ .utf8 = true, .shortname = FAT_SHORT_WINNT, .nonumtail = true },
	{ .utf8 = true, .shortname = FAT_SHORT_LOWER, .uni_xlate = true },
	{ .utf8 = true, .shortname = FAT_SHORT_WIN95, .case_sensitive = true },
	{ .iocharset = "iso8859-1", .codepage = "850", .shortname = FAT_SHORT_MIXED },
	{ .iocharset = "iso8859-1", .codepage = "850", .shortname = FAT_SHORT_WINNT, .uni_xlate = true },
	{ .iocharset = "sjis", .codepage = "932", .shortname = FAT_SHORT_WINNT },
	{ .iocharset = "euc-jp", .codepage = "932", .shortname = FAT_SHORT_MIXED, .uni_xlate = true },
};

#define RULES (sizeof(rules) / sizeof(rules[0]))

#define MUST(what) do { if (!(what)) { fprintf(stderr, "line %d: %s\n", __LINE__, #what); abort(); } } while (0)

static const struct fat_names *names_of(unsigned which)
{
	static struct fat_names *open[RULES];
	char why[200];

	if (!open[which] && fat_names_open(&rules[which], &open[which], why, sizeof(why))) {
		fprintf(stderr, "%s\n", why);
		abort();
	}
	return open[which];
}

/* Whatever bytes a name has that is shown: they find it again. */
static void check_shown(const struct fat_names *names, const uint16_t *units, unsigned len)
{
	char bytes[FAT_NAME_BYTES];
	enum fat_name_fault fault;
	struct fat_name again;
	int n = fat_name_bytes(names, units, len, bytes, sizeof(bytes)), err;

	MUST(n == -EINVAL || n > 0);
	if (n < 0)
		return;
	err = fat_name_parse(names, bytes, (size_t)n, false, &again, &fault);
	/* Dots at the end, and ":xxxx" that is in the name itself, are read otherwise. */
	if (units[len - 1] == '.' || memchr(bytes, ':', (size_t)n))
		return;
	MUST(!err);
	MUST(fat_name_equal(names, units, len, again.units, again.len));
	MUST(fat_name_hash(names, units, len) == fat_name_hash(names, again.units, again.len));
}

static void check_slots(const struct fat_name *name)
{
	struct fat_long_slot slots[FAT_LONG_SLOTS];
	struct fat_long collected = { 0 };
	unsigned count = fat_long_encode(name->units, name->len, fat_short_checksum(name->short_name), slots);

	MUST(count >= 1 && count <= FAT_LONG_SLOTS);
	for (unsigned i = 0; i < count; i++)
		fat_long_add(&collected, &slots[i]);
	MUST(fat_long_finish(&collected, name->short_name) == name->len);
	MUST(!memcmp(collected.units, name->units, name->len * sizeof(name->units[0])));
}

static int is_taken(void *ctx, const uint8_t short_name[11])
{
	unsigned *left = ctx;

	for (unsigned i = 0; i < 11; i++)
		MUST(short_name[i] > 0x20 || short_name[i] == FAT_NAME_E5 || (short_name[i] == ' ' && i));
	MUST(short_name[0] != FAT_NAME_DELETED);
	if (!*left)
		return 0;
	--*left;
	return 1;
}

static void check_short(const struct fat_names *names, struct fat_name *name, unsigned taken)
{
	uint16_t units[12];
	unsigned n = fat_short_units(names, name->short_name, name->lcase, units);
	bool exact = !name->needs_tail;
	int err;

	MUST(n >= 1 && n <= 12);
	if (exact)
		MUST(n == name->len);
	if (name->is_short)
		MUST(exact && fat_name_equal(names, units, n, name->units, name->len) == true);
	err = fat_name_shorten(names, name, is_taken, &taken);
	MUST(err == 0 || (err == -EEXIST && exact));
	MUST(fat_short_units(names, name->short_name, 0, units) >= 1);
}

static void one_name(const struct fat_names *names, const char *bytes, size_t len, bool create, unsigned taken)
{
	char shown[FAT_NAME_BYTES];
	enum fat_name_fault fault;
	struct fat_name name;
	int err = fat_name_parse(names, bytes, len, create, &name, &fault), n;

	MUST((err == 0) == (fault == FAT_NAME_GOOD));
	MUST(fat_name_fault_text(fault)[0]);
	if (err) {
		MUST(err == -ENOENT || (create && (err == -EINVAL || err == -ENAMETOOLONG)));
		return;
	}
	MUST(name.len >= 1 && name.len <= FAT_LONG_MAX);
	n = fat_name_bytes(names, name.units, name.len, shown, sizeof(shown));
	if (!name.altered && n >= 0)
		MUST((size_t)n == len && !memcmp(shown, bytes, len));
	check_shown(names, name.units, name.len);
	if (!create)
		return;
	MUST(n > 0);
	check_slots(&name);
	check_short(names, &name, taken);
}

static void raw_slots(const struct fat_names *names, const uint8_t *data, size_t size)
{
	struct fat_long name = { 0 };
	struct fat_long_slot slot;
	uint8_t short_name[11] = "ABCDEFGHIJK";
	uint16_t units[FAT_LONG_MAX];
	unsigned len;

	for (; size >= sizeof(slot); data += sizeof(slot), size -= sizeof(slot)) {
		memcpy(&slot, data, sizeof(slot));
		if (slot.type)			/* let the fuzzer hit the checksum */
			slot.checksum = fat_short_checksum(short_name);
		fat_long_add(&name, &slot);
	}
	memcpy(short_name, data, size < 11 ? size : 11);
	len = fat_long_finish(&name, short_name);
	MUST(len <= FAT_LONG_MAX && (!len) == (name.slots == 0));
	if (len)
		check_shown(names, name.units, len);
	len = fat_short_units(names, short_name, size ? data[0] : 0, units);
	MUST(len <= 12);
	if (len)
		check_shown(names, units, len);
}

static void raw_units(const struct fat_names *names, const uint8_t *data, size_t size)
{
	uint16_t units[FAT_LONG_MAX];
	unsigned len = (unsigned)(size / 2 < FAT_LONG_MAX ? size / 2 : FAT_LONG_MAX);

	memcpy(units, data, len * sizeof(units[0]));
	if (len)
		check_shown(names, units, len);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct fat_names *names;

	if (size < 2)
		return 0;
	names = names_of(data[0] % RULES);
	switch (data[1] & 3) {
	case 0:
	case 1:
		one_name(names, (const char *)data + 2, size - 2, data[1] & 1, data[1] >> 2);
		break;
	case 2:
		raw_slots(names, data + 2, size - 2);
		break;
	default:
		raw_units(names, data + 2, size - 2);
	}
	return 0;
}
