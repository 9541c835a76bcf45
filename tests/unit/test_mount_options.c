// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_mount_options.c: what becomes of every option of fstab and mount(8):
 * at least one row for each entry of the table, and the tokenizer.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>
#include <cmocka.h>

#include "mount_internal.h"

struct row {
	const char *text;
	const char *entry;		/* the table entry that this is the test of */
	unsigned long flags;
	const char *driver, *security;	/* NULL: nothing */
};

#define DROPPED(text, entry) { text, entry, 0, NULL, NULL }
#define FLAGS(text, flags) { text, text, flags, NULL, NULL }
/* Something set before is taken back. */
#define CLEARS(text, entry) { text, entry, 0, NULL, NULL }
#define KEPT(text, entry) { text, entry, 0, NULL, text }

static const struct row rows[] = {
	FLAGS("defaults", 0), FLAGS("ro", MS_RDONLY), CLEARS("ro,rw", "rw"),
	FLAGS("nosuid", MS_NOSUID), CLEARS("nosuid,suid", "suid"),
	FLAGS("nodev", MS_NODEV), CLEARS("nodev,dev", "dev"),
	FLAGS("noexec", MS_NOEXEC), CLEARS("noexec,exec", "exec"),
	{ "sync", "sync", MS_SYNCHRONOUS, NULL, NULL }, CLEARS("sync,async", "async"),
	FLAGS("dirsync", MS_DIRSYNC),
	FLAGS("noatime", MS_NOATIME), CLEARS("noatime,atime", "atime"),
	FLAGS("nodiratime", MS_NODIRATIME), CLEARS("nodiratime,diratime", "diratime"),
	FLAGS("relatime", MS_RELATIME), CLEARS("relatime,norelatime", "norelatime"),
	{ "noatime,relatime", "relatime", MS_RELATIME, NULL, NULL },
	FLAGS("strictatime", MS_STRICTATIME), CLEARS("strictatime,nostrictatime", "nostrictatime"),
	FLAGS("lazytime", MS_LAZYTIME), CLEARS("lazytime,nolazytime", "nolazytime"),
	FLAGS("nosymfollow", MS_NOSYMFOLLOW), CLEARS("nosymfollow,symfollow", "symfollow"),
	FLAGS("silent", MS_SILENT), CLEARS("silent,loud", "loud"),
	DROPPED("mand", "mand"), DROPPED("nomand", "nomand"),
	DROPPED("iversion", "iversion"), DROPPED("noiversion", "noiversion"),

	DROPPED("auto", "auto"), DROPPED("noauto", "noauto"), DROPPED("nofail", "nofail"),
	DROPPED("fail", "fail"), DROPPED("_netdev", "_netdev"), DROPPED("_rnetdev", "_rnetdev"),
	DROPPED("_fstab", "_fstab"), DROPPED("x-systemd.device-timeout=5,x-gvfs-show", "x-"),
	DROPPED("X-mount.mkdir=0700", "X-"), DROPPED("comment=\"a,b\"", "comment"),
	DROPPED("uhelper=udisks2", "uhelper"), DROPPED("helper=x", "helper"),
	DROPPED("pamconsole", "pamconsole"), DROPPED("managed", "managed"), DROPPED("kudzu", "kudzu"),
	DROPPED("bootwait", "bootwait"), DROPPED("nobootwait", "nobootwait"),
	DROPPED("optional", "optional"), DROPPED("showthrough", "showthrough"),
	DROPPED("encryption=aes", "encryption"),

	FLAGS("user", MS_NOSUID | MS_NODEV | MS_NOEXEC), FLAGS("users", MS_NOSUID | MS_NODEV | MS_NOEXEC),
	{ "users,exec", "users", MS_NOSUID | MS_NODEV, NULL, NULL },
	FLAGS("owner", MS_NOSUID | MS_NODEV), FLAGS("group", MS_NOSUID | MS_NODEV),
	DROPPED("user=joe", "user"), DROPPED("nouser", "nouser"), DROPPED("nousers", "nousers"),
	DROPPED("noowner", "noowner"), DROPPED("nogroup", "nogroup"), DROPPED("noquota", "noquota"),

	DROPPED("fd=3", "fd"), DROPPED("rootmode=40000", "rootmode"), DROPPED("user_id=0", "user_id"),
	DROPPED("group_id=0", "group_id"), DROPPED("default_permissions", "default_permissions"),
	DROPPED("allow_other", "allow_other"), DROPPED("blksize=4096", "blksize"),
	DROPPED("max_read=131072", "max_read"), DROPPED("subtype=ext2", "subtype"),
	DROPPED("fsname=x", "fsname"), DROPPED("blkdev", "blkdev"), DROPPED("nonempty", "nonempty"),
	DROPPED("seclabel", "seclabel"),

	KEPT("context=\"system_u:object_r:t:s0:c1,c2\"", "context"), KEPT("fscontext=a:b", "fscontext"),
	KEPT("defcontext=a:b", "defcontext"), KEPT("rootcontext=a:b", "rootcontext"),
	KEPT("smackfsdef=x", "smackfsdef"), KEPT("smackfsfloor=x", "smackfsfloor"),
	KEPT("smackfshat=x", "smackfshat"), KEPT("smackfsroot=x", "smackfsroot"),
	KEPT("smackfstransmute=x", "smackfstransmute"),

	/* Not in the table: the driver's. */
	{ "errors=remount-ro", NULL, 0, "errors=remount-ro", NULL },
	{ "ro,commit=5,nosuid,acl", NULL, MS_RDONLY | MS_NOSUID, "commit=5,acl", NULL },
	{ "rox", NULL, 0, "rox", NULL }, { "ro=1", NULL, 0, "ro=1", NULL },
	{ "offsets=3", NULL, 0, "offsets=3", NULL }, { "context", NULL, 0, "context", NULL },
	{ "a=\"b,c\",d=e\\,f,,g", NULL, 0, "a=\"b,c\",d=e\\,f,g", NULL },
	{ "", NULL, 0, NULL, NULL }, { ",,,", NULL, 0, NULL, NULL },
};

/* Entries with tests of their own below. */
static const char *const elsewhere[] = {
	"remount", "loop", "offset", "sizelimit", "partition", "index", "log", "bind", "rbind", "move",
	"private", "rprivate", "shared", "rshared", "slave", "rslave", "unbindable", "runbindable", "dax",
};

static void test_rows(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fb_mount_options o = { .flags = 0 };
		struct fb_report report = { .status = 0 };

		if (fb_mount_options_add(&o, rows[i].text, &report))
			fail_msg("%s: %s", rows[i].text, report.text);
		if (o.flags != rows[i].flags)
			fail_msg("%s: flags %lx, not %lx", rows[i].text, o.flags, rows[i].flags);
		assert_string_equal(o.driver, rows[i].driver ? rows[i].driver : "");
		assert_string_equal(o.security, rows[i].security ? rows[i].security : "");
	}
}

static bool is_tested(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (rows[i].entry && strcmp(rows[i].entry, name) == 0)
			return true;
	for (i = 0; i < sizeof(elsewhere) / sizeof(elsewhere[0]); i++)
		if (strcmp(elsewhere[i], name) == 0)
			return true;
	return false;
}

static void test_every_entry_has_a_row(void **state)
{
	const struct fb_mount_option *opt;

	(void)state;
	for (opt = fb_mount_option_table; opt->name; opt++)
		if (!is_tested(opt->name))
			fail_msg("no test of option \"%s\"", opt->name);
}

static void test_own(void **state)
{
	struct fb_mount_options o = { .flags = 0 };
	struct fb_report report = { .status = 0 };
	char cwd[PATH_MAX], expected[PATH_MAX + 8];

	(void)state;
	assert_int_equal(fb_mount_options_add(&o, "remount,loop=/dev/loop7,offset=1MiB,sizelimit=0x2000,partition=3,index=\"/a,b\"", &report), 0);
	assert_true(o.remount);
	assert_true(o.loop);
	assert_int_equal(o.offset, 1 << 20);
	assert_int_equal(o.sizelimit, 0x2000);
	assert_int_equal(o.partition, 3);
	assert_string_equal(o.index, "/a,b");
	assert_int_equal(fb_mount_options_add(&o, "log=mylog,loop", &report), 0);
	assert_non_null(getcwd(cwd, sizeof(cwd)));
	snprintf(expected, sizeof(expected), "%s/mylog", cwd);
	assert_string_equal(o.log, expected);
	assert_string_equal(o.driver, "");
}

static void test_refused(void **state)
{
	static const char *const texts[] = {
		"bind", "rbind", "move", "private", "rprivate", "shared", "rshared", "slave", "rslave",
		"unbindable", "runbindable", "dax", "offset=", "offset=-512", "offset=x", "offset=1",
		"offset=1000", "sizelimit=511", "offset=99999999999999999999", "offset=16777216T",
		"offset=1Q", "partition=1k", "partition=", "index=", "log=",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		struct fb_mount_options o = { .flags = 0 };
		struct fb_report report = { .status = 0 };
		char name[32];

		if (fb_mount_options_add(&o, texts[i], &report) != -EINVAL)
			fail_msg("%s was taken", texts[i]);
		assert_int_equal(report.status, FB_EXIT_USAGE);
		snprintf(name, sizeof(name), "%.*s", (int)strcspn(texts[i], "="), texts[i]);
		assert_non_null(strstr(report.text, name));
		assert_null(strchr(report.text, '\n'));
	}
}

static void test_too_long(void **state)
{
	struct fb_mount_options o = { .flags = 0 };
	struct fb_report report = { .status = 0 };
	static char text[8000];

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	assert_int_equal(fb_mount_options_add(&o, text, &report), -EINVAL);
	assert_int_equal(report.status, FB_EXIT_USAGE);
}

static void test_what_the_driver_is_told(void **state)
{
	struct fb_mount_options o = { .flags = 0 };
	struct fb_report report = { .status = 0 };
	char out[64], small[8];

	(void)state;
	assert_int_equal(fb_mount_options_add(&o, "commit=3,noatime,sync,dirsync,nodiratime,nosuid", &report), 0);
	assert_int_equal(fb_mount_options_driver(&o, out, sizeof(out)), 0);
	assert_string_equal(out, "commit=3,noatime,nodiratime,sync,dirsync");
	assert_int_equal(fb_mount_options_driver(&o, small, sizeof(small)), -E2BIG);
}

static void test_named(void **state)
{
	struct fb_mount_options o = { .flags = 0 };
	struct fb_report report = { .status = 0 };

	(void)state;
	assert_int_equal(fb_mount_options_add(&o, "rw,nosuid", &report), 0);
	assert_int_equal(o.flags, MS_NOSUID);
	assert_int_equal(o.named, MS_RDONLY | MS_NOSUID);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_every_entry_has_a_row),
		cmocka_unit_test(test_own),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_too_long),
		cmocka_unit_test(test_what_the_driver_is_told),
		cmocka_unit_test(test_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
