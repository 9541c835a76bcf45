// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_name_rig.c: mounts for the tests of names.
 */
#include <stdio.h>
#include <string.h>
#include "fat_name_rig.h"

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
	[CP850_WINNT] = { .codepage = "850", .utf8 = true, .shortname = FAT_SHORT_WINNT },
	[CP737_NONUMTAIL] = { .codepage = "737", .utf8 = true, .shortname = FAT_SHORT_MIXED, .nonumtail = true },
	[CP852_LOWER] = { .codepage = "852", .utf8 = true, .shortname = FAT_SHORT_LOWER },
};

struct fat_names *mounts[MOUNTS];

int open_mounts(void **state)
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

int close_mounts(void **state)
{
	(void)state;
	for (unsigned i = 0; i < MOUNTS; i++)
		fat_names_close(mounts[i]);
	fat_names_close(NULL);
	return 0;
}

int parse(unsigned mount, const char *text, bool create, struct fat_name *name)
{
	enum fat_name_fault fault;
	int err = fat_name_parse(mounts[mount], text, strlen(text), create, name, &fault);

	assert_int_equal(err == 0, fault == FAT_NAME_GOOD);
	return err;
}

void must_parse(unsigned mount, const char *text, struct fat_name *name)
{
	int err = parse(mount, text, true, name);

	if (err)
		fail_msg("'%s': %s", text, strerror(-err));
}

void repeat(char *to, const char *what, unsigned count)
{
	for (*to = 0; count; count--)
		to = stpcpy(to, what);
}

struct fat_charset *must_open(const char *name, unsigned max_bytes)
{
	struct fat_charset *cs;
	char why[200] = "";

	if (fat_charset_open("iocharset", name, max_bytes, &cs, why, sizeof(why)))
		fail_msg("%s", why);
	return cs;
}
