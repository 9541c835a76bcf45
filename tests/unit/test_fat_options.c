// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_options.c: every option of the FAT driver: what it sets, and what
 * is refused with which words.  A row of the driver's table that no row here
 * names fails the test.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <unistd.h>
#include "../../fs-fat/fat.h"

static char why[256];

/* Parse and settle. 0, or the error of either. */
static int take(const char *text, struct fat_options *o)
{
	int err;

	why[0] = '\0';
	fat_options_init(o);
	err = fuseblk_options_parse(fat_option_table, text, o, why, sizeof(why));
	if (!err)
		err = fat_options_settle(o, why, sizeof(why));
	return err;
}

static int64_t number_at(const struct fat_options *o, size_t offset, size_t size)
{
	const char *p = (const char *)o + offset;
	uint32_t u32;
	uint64_t u64;

	if (size == sizeof(u32)) {
		memcpy(&u32, p, sizeof(u32));
		return (int32_t)u32;
	}
	memcpy(&u64, p, sizeof(u64));
	return (int64_t)u64;
}

#define SETS(text, field, value) { text, offsetof(struct fat_options, field), sizeof(((struct fat_options *)0)->field), value }

/* ---- what an option sets ------------------------------------------------------- */

static const struct row {
	const char *text;
	size_t offset, size;
	int64_t value;
} rows[] = {
	/* the defaults */
	SETS("", uid, -1), SETS("", gid, -1), SETS("", fmask, 022), SETS("", dmask, 022), SETS("", allow_utime, 0),
	SETS("", utf8, 1), SETS("", uni_xlate, 0), SETS("", nonumtail, 0), SETS("", usefree, 0), SETS("", quiet, 0),
	SETS("", showexec, 0), SETS("", sys_immutable, 0), SETS("", flush, 0), SETS("", rodir, 0), SETS("", discard, 0),
	SETS("", dots, 0), SETS("", dos1xfloppy, 0), SETS("", debug, 0), SETS("", shortname, FAT_SHORT_MIXED),
	SETS("", check, 1), SETS("", errors, -1), SETS("", nfs, FAT_NFS_NONE),
	/* owner and permissions */
	SETS("uid=1000", uid, 1000), SETS("uid=4294967294", uid, 4294967294), SETS("gid=100", gid, 100),
	SETS("uid=1,uid=2", uid, 2),
	SETS("umask=077", fmask, 077), SETS("umask=077", dmask, 077), SETS("umask=0", fmask, 0), SETS("umask=0022", fmask, 022),
	SETS("umask=7777", fmask, 0777),
	SETS("fmask=133", fmask, 0133), SETS("fmask=133", dmask, 022), SETS("dmask=7", dmask, 07), SETS("dmask=7", fmask, 022),
	SETS("fmask=0111,umask=077", fmask, 0111), SETS("fmask=0111,umask=077", dmask, 077),
	SETS("umask=077,dmask=0", dmask, 0),
	SETS("allow_utime=20", allow_utime, 020), SETS("allow_utime=2", allow_utime, 02), SETS("allow_utime=777", allow_utime, 022),
	SETS("allow_utime=0,dmask=0", allow_utime, 0),
	SETS("dmask=0", allow_utime, 022), SETS("dmask=2", allow_utime, 020), SETS("umask=020", allow_utime, 02),
	SETS("showexec", showexec, 1), SETS("quiet", quiet, 1), SETS("sys_immutable", sys_immutable, 1), SETS("rodir", rodir, 1),
	/* names */
	SETS("utf8", utf8, 1), SETS("utf8=1", utf8, 1), SETS("utf8=yes", utf8, 1), SETS("utf8=true", utf8, 1),
	SETS("utf8=0", utf8, 0), SETS("utf8=no", utf8, 0), SETS("utf8=false", utf8, 0), SETS("utf8=0,utf8", utf8, 1),
	SETS("utf8,utf8=no", utf8, 0),
	SETS("iocharset=utf8", utf8, 1), SETS("iocharset=UTF-8", utf8, 1), SETS("iocharset=iso8859-1", utf8, 0),
	SETS("iocharset=iso8859-1,utf8", utf8, 1), SETS("iocharset=utf8,utf8=0", utf8, 0),
	SETS("uni_xlate", uni_xlate, 1), SETS("uni_xlate=1", uni_xlate, 1), SETS("uni_xlate=0", uni_xlate, 0),
	SETS("uni_xlate=no", uni_xlate, 0), SETS("uni_xlate=true", uni_xlate, 1), SETS("uni_xlate,utf8=1", utf8, 0),
	SETS("nonumtail", nonumtail, 1), SETS("nonumtail=yes", nonumtail, 1), SETS("nonumtail=false", nonumtail, 0),
	SETS("nonumtail=0,nonumtail=1", nonumtail, 1),
	SETS("shortname=lower", shortname, FAT_SHORT_LOWER), SETS("shortname=win95", shortname, FAT_SHORT_WIN95),
	SETS("shortname=winnt", shortname, FAT_SHORT_WINNT), SETS("shortname=mixed", shortname, FAT_SHORT_MIXED),
	SETS("nocase", shortname, FAT_SHORT_WIN95),
	SETS("check=r", check, 0), SETS("check=relaxed", check, 0), SETS("check=n", check, 1), SETS("check=normal", check, 1),
	SETS("check=s", check, 2), SETS("check=strict", check, 2),
	SETS("dots", dots, 1), SETS("dots,nodots", dots, 0), SETS("dotsOK=yes", dots, 1), SETS("dotsOK=no", dots, 0),
	/* the rest */
	SETS("usefree", usefree, 1), SETS("flush", flush, 1), SETS("discard", discard, 1),
	SETS("errors=continue", errors, FUSEBLK_ERRORS_CONTINUE), SETS("errors=remount-ro", errors, FUSEBLK_ERRORS_REMOUNT_RO),
	SETS("errors=panic", errors, FUSEBLK_ERRORS_PANIC),
	SETS("nfs", nfs, FAT_NFS_STALE_RW), SETS("nfs=stale_rw", nfs, FAT_NFS_STALE_RW),
	SETS("nfs=nostale_ro", nfs, FAT_NFS_NOSTALE_RO), SETS("nfs=nostale_ro,nfs", nfs, FAT_NFS_STALE_RW),
	SETS("dos1xfloppy", dos1xfloppy, 1), SETS("debug", debug, 1),
	SETS("time_offset=60", time_offset_minutes, 60), SETS("time_offset=-720", time_offset_minutes, -720),
	SETS("time_offset=720", time_offset_minutes, 720), SETS("time_offset=+90", time_offset_minutes, 90),
	/* obsolete */
	SETS("conv=binary", check, 1), SETS("conv=b,blocksize=512,fat=16,posix", check, 1),
	SETS("cvf_format=auto,cvf_options=x", check, 1),
};

static void test_values(void **state)
{
	struct fat_options o;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (take(rows[i].text, &o))
			fail_msg("\"%s\": %s", rows[i].text, why);
		if (number_at(&o, rows[i].offset, rows[i].size) != rows[i].value)
			fail_msg("\"%s\" sets %lld, not %lld", rows[i].text,
				 (long long)number_at(&o, rows[i].offset, rows[i].size), (long long)rows[i].value);
		fat_options_fini(&o);
	}
}

static void test_codepage(void **state)
{
	static const char *const good[][2] = {
		{ "codepage=437", "437" }, { "codepage=cp850", "850" }, { "codepage=CP932", "932" }, { "codepage=65001", "65001" },
	};
	struct fat_options o;

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		assert_int_equal(take(good[i][0], &o), 0);
		assert_string_equal(o.codepage, good[i][1]);
		fat_options_fini(&o);
	}
	assert_int_equal(take("", &o), 0);
	assert_null(o.codepage);
	assert_null(o.iocharset);
	fat_options_fini(&o);
	assert_int_equal(take("iocharset=koi8-r", &o), 0);
	assert_string_equal(o.iocharset, "koi8-r");
	fat_options_fini(&o);
}

/* The zone that comes out of tz= and time_offset=: an instant of local noon in July. */
static void test_zone(void **state)
{
	static const struct { const char *text; long noon; } zones[] = {
		{ "tz=UTC", 1594814400 }, { "time_offset=0", 1594814400 }, { "time_offset=60", 1594814400 - 3600 },
		{ "time_offset=-60", 1594814400 + 3600 }, { "tz=Europe/Berlin", 1594814400 - 7200 },
		{ "tz=America/New_York", 1594814400 + 14400 },
	};
	struct fat_options o;
	struct timespec t;

	(void)state;
	for (size_t i = 0; i < sizeof(zones) / sizeof(zones[0]); i++) {
		if (strchr(zones[i].text, '/') && access("/usr/share/zoneinfo/Europe/Berlin", R_OK))
			continue;
		if (take(zones[i].text, &o))
			fail_msg("\"%s\": %s", zones[i].text, why);
		fat_time_decode(o.zone, 12 << 11, 40 << 9 | 7 << 5 | 15, 0, &t);
		assert_int_equal(t.tv_sec, zones[i].noon);
		fat_options_fini(&o);
	}
}

/* What udisks passes for every stick, and what distributions have in their fstab. */
static void test_sets(void **state)
{
	struct fat_options o;

	(void)state;
	assert_int_equal(take("uid=1000,gid=1000,shortname=mixed,utf8=1,showexec,flush", &o), 0);
	assert_true(o.uid == 1000 && o.gid == 1000 && o.shortname == FAT_SHORT_MIXED && o.utf8 && o.showexec && o.flush);
	fat_options_fini(&o);
	assert_int_equal(take("umask=0077,shortname=winnt", &o), 0);
	assert_true(o.fmask == 077 && o.dmask == 077 && o.shortname == FAT_SHORT_WINNT);
	fat_options_fini(&o);
	assert_int_equal(take("fmask=0022,dmask=0022,codepage=437,iocharset=ascii,shortname=mixed,utf8,errors=remount-ro", &o), 0);
	assert_true(o.utf8 && o.errors == FUSEBLK_ERRORS_REMOUNT_RO);
	fat_options_fini(&o);
	assert_int_equal(take("uid=1000,gid=1000,fmask=133,dmask=022,codepage=850,iocharset=iso8859-15,usefree", &o), 0);
	assert_true(!o.utf8 && o.fmask == 0133 && o.usefree);
	fat_options_fini(&o);
}

/* ---- what is refused -------------------------------------------------------------- */

static const char *const refused[] = {
	"uid", "uid=", "uid=root", "uid=-1", "uid=4294967295", "gid", "gid=4294967296", "gid=users",
	"umask", "umask=", "umask=8", "umask=-1", "umask=0x12", "umask=77777", "fmask=9", "fmask=rw", "dmask=+7", "dmask= 7",
	"allow_utime", "allow_utime=99", "showexec=1", "quiet=0", "sys_immutable=1", "rodir=1", "flush=1", "usefree=1",
	"discard=1", "dots=1", "nodots=1", "dotsOK", "dotsOK=maybe", "dos1xfloppy=1", "debug=1", "nocase=1",
	"codepage", "codepage=", "codepage=cp", "codepage=latin1", "codepage=437x", "codepage=999999", "codepage=-1",
	"iocharset", "iocharset=", "utf8=", "utf8=2", "utf8=on", "utf8=YES", "uni_xlate=x", "nonumtail=2",
	"shortname", "shortname=", "shortname=Mixed", "shortname=win98", "check", "check=x", "check=",
	"tz", "tz=", "tz=No/Such", "tz=../UTC", "tz=utc,time_offset=0", "tz=UTC,time_offset=60", "time_offset=0,tz=UTC",
	"time_offset", "time_offset=", "time_offset=721", "time_offset=-721", "time_offset=1h", "time_offset= 1", "time_offset=-",
	"time_offset=99999999999999999999", "errors", "errors=", "errors=ignore", "nfs=", "nfs=yes", "barrier", "UTF8",
};

static void test_refused(void **state)
{
	struct fat_options o;
	char name[40];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(refused[i], "="), refused[i]);
		if (take(refused[i], &o) != -EINVAL)
			fail_msg("\"%s\" was accepted", refused[i]);
		if (!strstr(why, name) || strchr(why, '\n'))
			fail_msg("\"%s\": \"%s\" does not name it", refused[i], why);
		fat_options_fini(&o);
	}
}

/* ---- no row is left out -------------------------------------------------------------- */

static bool begins_option(const char *text, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = text; (p = strstr(p, name)); p++)
		if ((p == text || p[-1] == ',') && (!p[len] || p[len] == '=' || p[len] == ','))
			return true;
	return false;
}

static void test_every_row_is_tested(void **state)
{
	(void)state;
	for (const struct fuseblk_option *opt = fat_option_table; opt->name; opt++) {
		bool tested = !strcmp(opt->name, "codepage") || !strcmp(opt->name, "tz");

		for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && !tested; i++)
			tested = begins_option(rows[i].text, opt->name);
		if (!tested)
			fail_msg("no test of the option %s", opt->name);
		assert_true(opt->kind == FUSEBLK_OPT_IGNORE || opt->help);
	}
}

/* As the library frees what a remount parsed: strings without settling. */
static void test_fini_twice(void **state)
{
	struct fat_options o;

	(void)state;
	assert_int_equal(take("codepage=437,iocharset=utf8,tz=UTC,umask=0,fmask=0,dmask=0,allow_utime=0", &o), 0);
	assert_int_equal(fat_options_settle(&o, why, sizeof(why)), 0);
	fat_options_fini(&o);
	assert_true(!o.codepage && !o.tz && !o.zone);
	fat_options_fini(&o);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_codepage),
		cmocka_unit_test(test_zone),
		cmocka_unit_test(test_sets),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_every_row_is_tested),
		cmocka_unit_test(test_fini_twice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
