// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c: the mount options of the kernel's vfat and msdos drivers.
 *
 * The table stores what can be stored as it is; values with several spellings
 * are kept as the index of the spelling, and numbers that are octal or signed
 * as text, until fat_options_settle() makes the fields out of them that the
 * driver reads.  A later option wins, except that fmask= and dmask= win over
 * umask= in any order.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include "fat.h"

#define DEFAULT_MASK	022u		/* what mount(8) gives the kernel's driver */
#define UTIME_BITS	(S_IWGRP | S_IWOTH)
#define OFFSET_MAX	(12 * 60)	/* minutes, as the kernel's */

#define AT(field) offsetof(struct fat_options, field)

static const char *const bool_choices[] = { "0", "1", "no", "yes", "false", "true", NULL };	/* odd: yes */
static const char *const check_choices[] = { "r", "relaxed", "n", "normal", "s", "strict", NULL };	/* in pairs */
static const char *const shortname_choices[] = { "lower", "win95", "winnt", "mixed", NULL };
static const char *const errors_choices[] = { "continue", "remount-ro", "panic", NULL };
static const char *const nfs_choices[] = { "stale_rw", "nostale_ro", NULL };
static const char *const dots_choices[] = { "no", "yes", NULL };

#define FLAG(n, f, v, h) { .name = n, .kind = FUSEBLK_OPT_FLAG, .offset = AT(f), .value = v, .help = h }
#define CHOICE(n, f, c, h) { .name = n, .kind = FUSEBLK_OPT_CHOICE, .offset = AT(f), .choices = c, .help = h }
#define TEXT(n, f, h) { .name = n, .kind = FUSEBLK_OPT_STRING, .offset = AT(f), .help = h }
#define NUMBER(n, f, m, h) { .name = n, .kind = FUSEBLK_OPT_UINT, .offset = AT(f), .max = m, .help = h }
#define IGNORE(n) { .name = n, .kind = FUSEBLK_OPT_IGNORE }

const struct fuseblk_option fat_option_table[] = {
	NUMBER("uid", uid, UINT32_MAX - 1, "owner of everything (default: who mounts)"),
	NUMBER("gid", gid, UINT32_MAX - 1, "group of everything (default: that of who mounts)"),
	TEXT("umask", umask_text, "octal; permissions that files and directories do not have (default: 022)"),
	TEXT("fmask", fmask_text, "the same for files"),
	TEXT("dmask", dmask_text, "the same for directories"),
	TEXT("allow_utime", allow_utime_text, "20, 2, 22 or 0: whether the group, others may set any time"),
	FLAG("showexec", showexec, 1, "only .exe, .com and .bat files are executable"),
	FLAG("quiet", quiet, 1, "changes of owner and mode that FAT cannot keep are not errors"),
	FLAG("sys_immutable", sys_immutable, 1, "files with the system attribute cannot be changed"),
	FLAG("rodir", rodir, 1, "the read-only attribute of directories makes them read-only"),

	TEXT("codepage", codepage, "code page of short names (default: 437)"),
	TEXT("iocharset", iocharset, "character set of names on this system (default: utf8)"),
	FLAG("utf8", given.utf8, 1, "names on this system are UTF-8 (the default)"),
	CHOICE("utf8", given.utf8, bool_choices, "the same, or that iocharset= says what they are"),
	FLAG("uni_xlate", given.uni_xlate, 1, "characters that iocharset= lacks are shown as :xxxx"),
	CHOICE("uni_xlate", given.uni_xlate, bool_choices, "the same, or not (the default)"),
	FLAG("nonumtail", given.nonumtail, 1, "short names get ~1 only where they need it"),
	CHOICE("nonumtail", given.nonumtail, bool_choices, "the same, or not (the default)"),
	CHOICE("shortname", shortname, shortname_choices, "how 8.3 names are shown and made (default: mixed)"),
	FLAG("nocase", shortname, FAT_SHORT_WIN95, "as shortname=win95"),
	CHOICE("check", given.check, check_choices, "strict: upper and lower case are different names"),
	FLAG("dots", dots, 1, "names of the kernel's msdos type"),
	FLAG("nodots", dots, 0, "not (the default)"),
	CHOICE("dotsOK", dots, dots_choices, "yes, as dots, or no"),

	TEXT("tz", tz, "UTC, or the zone of the times on the volume, with daylight saving"),
	TEXT("time_offset", time_offset_text, "minutes from UTC to the times on the volume"),

	FLAG("usefree", usefree, 1, "the count of free clusters on the volume is believed"),
	FLAG("flush", flush, 1, "write out sooner, and when a file is closed"),
	FLAG("discard", discard, 1, "tell the device of freed clusters after each commit"),
	CHOICE("errors", errors, errors_choices,
	       "what to do when damage is met: continue, remount-ro (default), panic (the daemon ends)"),
	FLAG("nfs", given.nfs, 0, "as nfs=stale_rw"),
	CHOICE("nfs", given.nfs, nfs_choices, "stale_rw, or nostale_ro: read-only, with handles that stay valid"),
	FLAG("dos1xfloppy", dos1xfloppy, 1, "a floppy of DOS 1, whose boot sector has no parameters"),
	FLAG("debug", debug, 1, "log every request"),

	IGNORE("conv"),
	IGNORE("blocksize"),
	IGNORE("fat"),
	IGNORE("posix"),
	IGNORE("cvf_format"),
	IGNORE("cvf_options"),
	{ .name = NULL },
};

void fat_options_init(void *options)
{
	*(struct fat_options *)options = (struct fat_options){
		.uid = UINT64_MAX, .gid = UINT64_MAX, .fmask = DEFAULT_MASK, .dmask = DEFAULT_MASK, .utf8 = 1,
		.shortname = FAT_SHORT_MIXED, .check = 1, .errors = -1,
		.given = { .utf8 = -1, .uni_xlate = -1, .nonumtail = -1, .check = -1, .nfs = -1 },
	};
}

/* ---- text to numbers ------------------------------------------------------- */

static int settle_octal(const char *name, const char *text, uint32_t *out, char *why, size_t why_size)
{
	unsigned long value;
	char *end;

	if (!text)
		return 0;
	value = strtoul(text, &end, 8);
	if (text[0] < '0' || text[0] > '7' || *end || value > 07777) {
		snprintf(why, why_size, "mount option \"%s\": \"%.30s\" is no octal number up to 7777", name, text);
		return -EINVAL;
	}
	*out = (uint32_t)value & 0777;
	return 0;
}

static int settle_masks(struct fat_options *o, char *why, size_t why_size)
{
	int err = settle_octal("umask", o->umask_text, &o->fmask, why, why_size);

	o->dmask = o->fmask;
	if (!err)
		err = settle_octal("fmask", o->fmask_text, &o->fmask, why, why_size);
	if (!err)
		err = settle_octal("dmask", o->dmask_text, &o->dmask, why, why_size);
	o->allow_utime = ~o->dmask;
	if (!err)
		err = settle_octal("allow_utime", o->allow_utime_text, &o->allow_utime, why, why_size);
	o->allow_utime &= UTIME_BITS;
	return err;
}

static int settle_offset(struct fat_options *o, char *why, size_t why_size)
{
	const char *text = o->time_offset_text;
	long value;
	char *end;

	if (!text)
		return 0;
	value = strtol(text, &end, 10);
	if (end == text || *end || strchr(" \t\n\v\f\r", text[0]) || value < -OFFSET_MAX || value > OFFSET_MAX) {
		snprintf(why, why_size, "mount option \"time_offset\": \"%.30s\" is not a number of minutes from -%d to %d",
			 text, OFFSET_MAX, OFFSET_MAX);
		return -EINVAL;
	}
	o->time_offset_minutes = (uint64_t)(int64_t)value;
	return 0;
}

static int settle_zone(struct fat_options *o, char *why, size_t why_size)
{
	int err;

	if (o->tz && o->time_offset_text) {
		snprintf(why, why_size, "mount options \"tz\" and \"time_offset\" say different things: give one of them");
		return -EINVAL;
	}
	err = settle_offset(o, why, why_size);
	if (err)
		return err;
	fat_zone_close(o->zone);
	o->zone = NULL;
	return fat_zone_open(o->tz, o->time_offset_text != NULL, (int)(int64_t)o->time_offset_minutes, &o->zone, why,
			     why_size);
}

/* ---- names -------------------------------------------------------------------- */

/* "cp437" is 437. */
static int settle_codepage(struct fat_options *o, char *why, size_t why_size)
{
	char *text = o->codepage;
	size_t len;

	if (!text)
		return 0;
	if (!strncasecmp(text, "cp", 2))
		memmove(text, text + 2, strlen(text) - 1);
	len = strspn(text, "0123456789");
	if (len && len <= 5 && !text[len])
		return 0;
	snprintf(why, why_size, "mount option \"codepage\": \"%.30s\" is no number of a code page; one is 437", text);
	return -EINVAL;
}

static bool is_utf8(const char *charset)
{
	return !charset || !strcasecmp(charset, "utf8") || !strcasecmp(charset, "utf-8");
}

/* As the kernel has it, uni_xlate takes precedence over utf8. */
static void settle_names(struct fat_options *o)
{
	o->uni_xlate = o->given.uni_xlate > 0 && (o->given.uni_xlate & 1);
	o->nonumtail = o->given.nonumtail > 0 && (o->given.nonumtail & 1);
	o->utf8 = o->given.utf8 < 0 ? is_utf8(o->iocharset) : o->given.utf8 & 1;
	if (o->uni_xlate)
		o->utf8 = 0;
	o->check = o->given.check < 0 ? 1 : o->given.check / 2;
}

int fat_options_settle(struct fat_options *o, char *why, size_t why_size)
{
	int err = settle_masks(o, why, why_size);

	if (!err)
		err = settle_codepage(o, why, why_size);
	if (!err && o->iocharset && !o->iocharset[0]) {
		snprintf(why, why_size, "mount option \"iocharset\" needs the name of a character set");
		err = -EINVAL;
	}
	if (err)
		return err;
	settle_names(o);
	o->nfs = o->given.nfs < 0 ? FAT_NFS_NONE : FAT_NFS_STALE_RW + o->given.nfs;
	return settle_zone(o, why, why_size);
}

void fat_options_fini(struct fat_options *o)
{
	char **texts[] = { &o->umask_text, &o->fmask_text, &o->dmask_text, &o->allow_utime_text, &o->codepage,
			   &o->iocharset, &o->tz, &o->time_offset_text };

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		free(*texts[i]);
		*texts[i] = NULL;
	}
	fat_zone_close(o->zone);
	o->zone = NULL;
}
