/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * zone.h: local time as a list of offsets from UTC, for the years that FAT
 * can say.  Immutable once made; any thread.  Seconds since 1970; local times
 * are counted as if they were UTC.
 */
#ifndef FAT_ZONE_H
#define FAT_ZONE_H

#include "fat.h"

#define FAT_ZONE_FIRST_YEAR	1979	/* a year more on both sides: UTC is up to 26 hours away */
#define FAT_ZONE_LAST_YEAR	2108
#define FAT_ZONE_CHANGES	2048	/* far more than any zone has in these years */

struct fat_zone_change {
	int64_t at;			/* UTC */
	int32_t offset;			/* from then on: local time minus UTC */
};

struct fat_zone {
	int32_t offset;			/* before the first change */
	unsigned count;
	struct fat_zone_change changes[];	/* by time */
};

/* Days from 1970-01-01 to that date of the Gregorian calendar; @month 1..12. */
int64_t fat_days(int64_t year, unsigned month, unsigned day);

/* The offset in force at @utc. */
int32_t fat_zone_offset(const struct fat_zone *zone, int64_t utc);
/*
 * The instant that a clock there called @local.  One that came twice (clocks
 * were put back) is the first of the two; one that was left out (clocks were
 * put forward) is read as by a clock that had not been put forward yet.
 */
int64_t fat_zone_to_utc(const struct fat_zone *zone, int64_t local);

/* zone_file.c: the zone @name from the system's zone data. Opens a file. 0, -ENOMEM, or -EINVAL with the reason in @why. */
int fat_zone_load(const char *name, struct fat_zone **out, char *why, size_t why_size);
/* The same from the bytes of a TZif file. 0, -ENOMEM, or -EINVAL: it is not one. */
int fat_zone_parse(const uint8_t *bytes, size_t size, struct fat_zone **out);

/* zone_rule.c */

/* When daylight saving begins or ends, every year */
struct fat_zone_day {
	enum { FAT_DAY_JULIAN, FAT_DAY_ZERO, FAT_DAY_MONTH } kind;	/* Jn, n, Mm.w.d */
	unsigned day, week, month;
	int32_t time;			/* seconds of local time after its midnight, may be negative */
};

/* A rule of POSIX's TZ, as zone data files end with */
struct fat_zone_rule {
	int32_t offset, dst_offset;	/* local time minus UTC */
	bool has_dst;
	struct fat_zone_day start, end;	/* of daylight saving */
};

/* Parse @text. 0, or -EINVAL. */
int fat_zone_rule_parse(const char *text, struct fat_zone_rule *rule);
/* The two changes of @year, in no order. */
void fat_zone_rule_changes(const struct fat_zone_rule *rule, int year, struct fat_zone_change out[2]);

#endif
