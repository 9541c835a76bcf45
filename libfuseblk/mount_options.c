// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount_options.c: what becomes of each option that mount(8), fstab or the
 * kernel's own listing can hand to a mount helper.  One const table decides;
 * what it does not name is for the driver, which refuses what it does not
 * know.
 */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <unistd.h>

#include "mount_internal.h"

#define ATIME_FLAGS (MS_NOATIME | MS_RELATIME | MS_STRICTATIME)
#define USER_FLAGS (MS_NOSUID | MS_NODEV | MS_NOEXEC)

#define FLAG(n, s, c) { n, FB_FORM_WORD, FB_OPTION_FLAG, s, c, FB_PARSE_NONE, 0 }
#define DROP(n, f) { n, f, FB_OPTION_DROP, 0, 0, FB_PARSE_NONE, 0 }
#define SECURITY(n) { n, FB_FORM_VALUE, FB_OPTION_SECURITY, 0, 0, FB_PARSE_NONE, 0 }
#define OWN(n, f, p, field) \
	{ n, f, FB_OPTION_OWN, 0, 0, p, offsetof(struct fb_mount_options, field) }
#define REFUSE(n) { n, FB_FORM_WORD, FB_OPTION_REFUSE, 0, 0, FB_PARSE_NONE, 0 }

const struct fb_mount_option fb_mount_option_table[] = {
	/* The kernel's flags. */
	FLAG("defaults", 0, 0),
	FLAG("ro", MS_RDONLY, 0),
	FLAG("rw", 0, MS_RDONLY),
	FLAG("suid", 0, MS_NOSUID),
	FLAG("nosuid", MS_NOSUID, 0),
	FLAG("dev", 0, MS_NODEV),
	FLAG("nodev", MS_NODEV, 0),
	FLAG("exec", 0, MS_NOEXEC),
	FLAG("noexec", MS_NOEXEC, 0),
	FLAG("sync", MS_SYNCHRONOUS, 0),
	FLAG("async", 0, MS_SYNCHRONOUS),
	FLAG("dirsync", MS_DIRSYNC, 0),
	FLAG("atime", 0, MS_NOATIME),
	FLAG("noatime", MS_NOATIME, ATIME_FLAGS),
	FLAG("diratime", 0, MS_NODIRATIME),
	FLAG("nodiratime", MS_NODIRATIME, 0),
	FLAG("relatime", MS_RELATIME, ATIME_FLAGS),
	FLAG("norelatime", 0, MS_RELATIME),
	FLAG("strictatime", MS_STRICTATIME, ATIME_FLAGS),
	FLAG("nostrictatime", 0, MS_STRICTATIME),
	FLAG("lazytime", MS_LAZYTIME, 0),
	FLAG("nolazytime", 0, MS_LAZYTIME),
	FLAG("symfollow", 0, MS_NOSYMFOLLOW),
	FLAG("nosymfollow", MS_NOSYMFOLLOW, 0),
	FLAG("silent", MS_SILENT, 0),
	FLAG("loud", 0, MS_SILENT),
	/* Kernel flags that FUSE or present kernels have no use for. */
	DROP("mand", FB_FORM_WORD),
	DROP("nomand", FB_FORM_WORD),
	DROP("iversion", FB_FORM_WORD),
	DROP("noiversion", FB_FORM_WORD),

	/* fstab's, for mount(8), fsck(8), systemd, the network scripts. */
	DROP("auto", FB_FORM_WORD),
	DROP("noauto", FB_FORM_WORD),
	DROP("_netdev", FB_FORM_WORD),
	DROP("_rnetdev", FB_FORM_WORD),
	DROP("_fstab", FB_FORM_WORD),
	DROP("x-", FB_FORM_PREFIX),
	DROP("X-", FB_FORM_PREFIX),
	DROP("comment", FB_FORM_VALUE),
	DROP("uhelper", FB_FORM_VALUE),
	DROP("helper", FB_FORM_VALUE),
	DROP("pamconsole", FB_FORM_WORD),
	DROP("managed", FB_FORM_WORD),
	DROP("kudzu", FB_FORM_WORD),
	DROP("bootwait", FB_FORM_WORD),
	DROP("nobootwait", FB_FORM_WORD),
	DROP("optional", FB_FORM_WORD),
	DROP("showthrough", FB_FORM_WORD),
	DROP("encryption", FB_FORM_VALUE),

	/* Who may mount: mount(8) has decided; the flags it implies stand unless named otherwise later. */
	FLAG("user", USER_FLAGS, 0),
	FLAG("users", USER_FLAGS, 0),
	FLAG("owner", MS_NOSUID | MS_NODEV, 0),
	FLAG("group", MS_NOSUID | MS_NODEV, 0),
	DROP("user", FB_FORM_VALUE),
	DROP("nouser", FB_FORM_WORD),
	DROP("nousers", FB_FORM_WORD),
	DROP("noowner", FB_FORM_WORD),
	DROP("nogroup", FB_FORM_WORD),

	/* Quota flags of fstab that the kernel's ext2 ignores too. */
	DROP("noquota", FB_FORM_WORD),

	/* The kernel's listing of a FUSE mount, which mount -o remount hands back. */
	DROP("fd", FB_FORM_VALUE),
	DROP("rootmode", FB_FORM_VALUE),
	DROP("user_id", FB_FORM_VALUE),
	DROP("group_id", FB_FORM_VALUE),
	DROP("default_permissions", FB_FORM_WORD),
	DROP("allow_other", FB_FORM_WORD),
	DROP("blksize", FB_FORM_VALUE),
	DROP("max_read", FB_FORM_VALUE),
	DROP("subtype", FB_FORM_VALUE),
	DROP("fsname", FB_FORM_VALUE),
	DROP("blkdev", FB_FORM_WORD),
	DROP("nonempty", FB_FORM_WORD),
	DROP("seclabel", FB_FORM_WORD),

	/* For the kernel's security module. */
	SECURITY("context"),
	SECURITY("fscontext"),
	SECURITY("defcontext"),
	SECURITY("rootcontext"),
	SECURITY("smackfsdef"),
	SECURITY("smackfsfloor"),
	SECURITY("smackfshat"),
	SECURITY("smackfsroot"),
	SECURITY("smackfstransmute"),

	/* Ours. */
	OWN("remount", FB_FORM_WORD, FB_PARSE_YES, remount),
	OWN("loop", FB_FORM_EITHER, FB_PARSE_YES, loop),
	OWN("nofail", FB_FORM_WORD, FB_PARSE_YES, nofail),
	OWN("fail", FB_FORM_WORD, FB_PARSE_NO, nofail),
	OWN("offset", FB_FORM_VALUE, FB_PARSE_SIZE, offset),
	OWN("sizelimit", FB_FORM_VALUE, FB_PARSE_SIZE, sizelimit),
	OWN("partition", FB_FORM_VALUE, FB_PARSE_NUMBER, partition),
	OWN("index", FB_FORM_VALUE, FB_PARSE_PATH, index),
	OWN("log", FB_FORM_VALUE, FB_PARSE_PATH, log),

	/* Operations of mount(8) that are not mounts of a device. */
	REFUSE("bind"), REFUSE("rbind"), REFUSE("move"),
	REFUSE("private"), REFUSE("rprivate"), REFUSE("shared"), REFUSE("rshared"),
	REFUSE("slave"), REFUSE("rslave"), REFUSE("unbindable"), REFUSE("runbindable"),
	REFUSE("dax"),
	{ NULL, 0, 0, 0, 0, 0, 0 },
};

/* Flags that the driver has to know of as well. */
static const struct { unsigned long flag; const char *name; } told[] = {
	{ MS_NOATIME, "noatime" },
	{ MS_STRICTATIME, "strictatime" },
	{ MS_NODIRATIME, "nodiratime" },
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
};

const char *fb_option_next(const char **text, size_t *len)
{
	const char *start, *p;
	bool quoted = false;

	for (p = *text; *p == ','; p++)
		;
	start = p;
	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '\\' && p[1])
			p++;
		else if (*p == '"')
			quoted = !quoted;
	}
	*text = p;
	*len = (size_t)(p - start);
	return *len ? start : NULL;
}

static bool matches(const struct fb_mount_option *opt, const char *text, size_t len)
{
	size_t n = strlen(opt->name);

	if (len < n || memcmp(text, opt->name, n) != 0)
		return false;
	switch (opt->form) {
	case FB_FORM_WORD:
		return len == n;
	case FB_FORM_VALUE:
		return len > n && text[n] == '=';
	case FB_FORM_EITHER:
		return len == n || text[n] == '=';
	case FB_FORM_PREFIX:
		return true;
	}
	return false;
}

static const struct fb_mount_option *find_option(const char *text, size_t len)
{
	const struct fb_mount_option *opt;

	for (opt = fb_mount_option_table; opt->name; opt++)
		if (matches(opt, text, len))
			return opt;
	return NULL;
}

/* Append an option, with a comma where one is needed. */
static int append(char *list, size_t size, const char *text, size_t len)
{
	size_t used = strlen(list);
	size_t comma = used ? 1 : 0;

	if (used + comma + len + 1 > size)
		return -E2BIG;
	if (comma)
		list[used] = ',';
	memcpy(list + used + comma, text, len);
	list[used + comma + len] = '\0';
	return 0;
}

/* The value with its quotes and backslashes taken out. */
static int unquote(const char *text, size_t len, char *out, size_t size)
{
	size_t i, n = 0;

	for (i = 0; i < len; i++) {
		if (text[i] == '"')
			continue;
		if (text[i] == '\\' && i + 1 < len)
			i++;
		if (n + 1 >= size)
			return -E2BIG;
		out[n++] = text[i];
	}
	out[n] = '\0';
	return 0;
}

static int scale_size(const char *suffix, uint64_t *scale)
{
	static const struct { const char *name; uint64_t scale; } units[] = {
		{ "", 1 },
		{ "K", 1024 }, { "KiB", 1024 }, { "k", 1024 }, { "KB", 1000 },
		{ "M", 1 << 20 }, { "MiB", 1 << 20 }, { "m", 1 << 20 }, { "MB", 1000000 },
		{ "G", 1 << 30 }, { "GiB", 1 << 30 }, { "g", 1 << 30 }, { "GB", 1000000000 },
		{ "T", 1ull << 40 }, { "TiB", 1ull << 40 }, { "t", 1ull << 40 },
		{ "TB", 1000000000000 },
	};
	size_t i;

	for (i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		if (strcmp(suffix, units[i].name) == 0) {
			*scale = units[i].scale;
			return 0;
		}
	}
	return -EINVAL;
}

static int parse_number(const char *text, bool with_unit, uint64_t *out)
{
	uint64_t value, scale = 1;
	char *end;

	if (*text < '0' || *text > '9')
		return -EINVAL;
	errno = 0;
	value = strtoull(text, &end, 0);
	if (errno || (*end && !with_unit) || scale_size(end, &scale))
		return -EINVAL;
	if (__builtin_mul_overflow(value, scale, out))
		return -EINVAL;
	return 0;
}

int fb_parse_size(const char *text, uint64_t *out)
{
	return parse_number(text, true, out);
}

/* A path of the caller's, made absolute: the driver's working directory is the root. */
static int parse_path(const char *text, char *out)
{
	char cwd[PATH_MAX] = "";
	int n;

	if (!*text || (*text != '/' && !getcwd(cwd, sizeof(cwd))))
		return -EINVAL;
	n = snprintf(out, PATH_MAX, "%s%s%s", cwd, *cwd ? "/" : "", text);
	return n < PATH_MAX ? 0 : -EINVAL;
}

static int store_own(const struct fb_mount_option *opt, struct fb_mount_options *o,
		     const char *text, size_t len)
{
	char value[PATH_MAX] = "";
	char *field = (char *)o + opt->offset;
	size_t n = strlen(opt->name) + 1;
	int err;

	if (len >= n && unquote(text + n, len - n, value, sizeof(value)))
		return -EINVAL;
	switch (opt->parse) {
	case FB_PARSE_SIZE:
		return parse_number(value, true, (uint64_t *)(void *)field);
	case FB_PARSE_NUMBER:	/* counted from 1 */
		err = parse_number(value, false, (uint64_t *)(void *)field);
		return err ? err : *(uint64_t *)(void *)field ? 0 : -EINVAL;
	case FB_PARSE_PATH:
		return parse_path(value, field);
	case FB_PARSE_YES:
	case FB_PARSE_NO:
		*(bool *)field = opt->parse == FB_PARSE_YES;
		return 0;
	case FB_PARSE_NONE:
		break;
	}
	return -EINVAL;
}

static int take_option(struct fb_mount_options *o, const char *text, size_t len)
{
	const struct fb_mount_option *opt = find_option(text, len);

	if (!opt)
		return append(o->driver, sizeof(o->driver), text, len);
	switch (opt->class) {
	case FB_OPTION_FLAG:
		o->flags = (o->flags & ~opt->clear) | opt->set;
		o->named |= opt->clear | opt->set;
		return 0;
	case FB_OPTION_DROP:
		return 0;
	case FB_OPTION_SECURITY:
		return append(o->security, sizeof(o->security), text, len);
	case FB_OPTION_OWN:
		return store_own(opt, o, text, len);
	case FB_OPTION_REFUSE:
		return -EOPNOTSUPP;
	}
	return -EINVAL;
}

static const char *reason(int err)
{
	switch (err) {
	case -E2BIG:
		return "the options are too long";
	case -EOPNOTSUPP:
		return "fuseblk cannot do that";
	default:
		return "the value is not valid";
	}
}

int fb_mount_options_add(struct fb_mount_options *o, const char *text, struct fb_report *report)
{
	const char *opt;
	size_t len;
	int err;

	while (text && (opt = fb_option_next(&text, &len))) {
		err = take_option(o, opt, len);
		if (err)
			return fb_fail(report, FB_EXIT_USAGE, -EINVAL, "option \"%.*s\": %s; see mount.fuseblk(8)",
				       len > 200 ? 200 : (int)len, opt, reason(err));
	}
	if (o->offset % 512 || o->sizelimit % 512)
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL, "%s=%" PRIu64 " is not a multiple of 512",
			       o->offset % 512 ? "offset" : "sizelimit", o->offset % 512 ? o->offset : o->sizelimit);
	return 0;
}

int fb_mount_options_driver(const struct fb_mount_options *o, char *out, size_t size)
{
	size_t i;
	int err;

	*out = '\0';
	err = append(out, size, o->driver, strlen(o->driver));
	for (i = 0; i < sizeof(told) / sizeof(told[0]) && !err; i++)
		if (o->flags & told[i].flag)
			err = append(out, size, told[i].name, strlen(told[i].name));
	return err;
}
