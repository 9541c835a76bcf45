// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * time.c: the times of directory entries, which are local times, as instants.
 *
 * A date has 7 bits of years from 1980, 4 of month, 5 of day; a time 5 bits
 * of hours, 6 of minutes, 5 of seconds in twos; creation adds up to 199 units
 * of 10 ms.  Whatever the bits say, an instant comes out; whatever the
 * instant, valid bits come out, and those again give an instant that gives
 * the same bits (except in the hour that a clock put back shows twice).
 * Source: fatgen103.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <unistd.h>
#include "zone.h"

#define DAY		86400
#define FIRST_YEAR	1980
#define LAST_YEAR	2107
#define CENTI_NS	10000000L
#define CENTI_MAX	199u

/* ---- calendar --------------------------------------------------------------- */

int64_t fat_days(int64_t year, unsigned month, unsigned day)
{
	int64_t era, y = year - (month <= 2);	/* years that begin in March */
	unsigned in_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;
	int64_t year_of_era;

	era = (y >= 0 ? y : y - 399) / 400;
	year_of_era = y - era * 400;
	return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + in_year - 719468;
}

static bool is_leap(unsigned year)
{
	return (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;
}

static unsigned days_in(unsigned year, unsigned month)
{
	static const uint8_t days[13] = { 0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };

	return days[month] + (month == 2 && is_leap(year));
}

/* @days since 1970, in FAT's years, as the bits of a date. */
static uint16_t date_bits(int64_t days)
{
	unsigned year = FIRST_YEAR, month = 1;

	year += (unsigned)((days - fat_days(FIRST_YEAR, 1, 1)) / 366);	/* or some months less */
	while (days >= fat_days(year + 1, 1, 1))
		year++;
	days -= fat_days(year, 1, 1);
	while (days >= days_in(year, month))
		days -= days_in(year, month++);
	return (uint16_t)((year - FIRST_YEAR) << 9 | month << 5 | (unsigned)(days + 1));
}

static unsigned clamp(unsigned value, unsigned min, unsigned max)
{
	return value < min ? min : value > max ? max : value;
}

static int64_t days_of_bits(uint16_t date)
{
	unsigned year = FIRST_YEAR + (date >> 9), month = clamp(date >> 5 & 15, 1, 12);

	return fat_days(year, month, clamp(date & 31, 1, days_in(year, month)));
}

static unsigned seconds_of_bits(uint16_t time)
{
	unsigned hour = clamp(time >> 11, 0, 23), minute = clamp(time >> 5 & 63, 0, 59);

	return hour * 3600 + minute * 60 + 2 * clamp(time & 31, 0, 29);
}

/* ---- zones -------------------------------------------------------------------- */

int32_t fat_zone_offset(const struct fat_zone *zone, int64_t utc)
{
	unsigned low = 0, high = zone->count;

	while (low < high) {	/* changes before low have happened */
		unsigned mid = low + (high - low) / 2;

		if (zone->changes[mid].at <= utc)
			low = mid + 1;
		else
			high = mid;
	}
	return low ? zone->changes[low - 1].offset : zone->offset;
}

static int32_t offset_before(const struct fat_zone *zone, unsigned change)
{
	return change ? zone->changes[change - 1].offset : zone->offset;
}

int64_t fat_zone_to_utc(const struct fat_zone *zone, int64_t local)
{
	unsigned low = 0, high = zone->count;

	/* Changes before low happened when the clock, not yet changed, had reached local. */
	while (low < high) {
		unsigned mid = low + (high - low) / 2;

		if (zone->changes[mid].at + offset_before(zone, mid) <= local)
			low = mid + 1;
		else
			high = mid;
	}
	/* Left out by the change: the clock shows local only before it is put forward. */
	if (low && local < zone->changes[low - 1].at + zone->changes[low - 1].offset)
		low--;
	return local - offset_before(zone, low);
}

static int fixed_zone(int32_t offset, struct fat_zone **out)
{
	*out = calloc(1, sizeof(**out));
	if (!*out)
		return -ENOMEM;
	(*out)->offset = offset;
	return 0;
}

/* glibc's gettimeofday() gives no zone. */
static int32_t kernel_offset(void)
{
	struct timezone tz = { 0, 0 };
#ifdef SYS_gettimeofday
	struct timeval now;

	if (syscall(SYS_gettimeofday, &now, &tz))
		return 0;
#endif
	return -60 * tz.tz_minuteswest;
}

int fat_zone_open(const char *tz, bool has_offset, int offset_minutes, struct fat_zone **out, char *why, size_t why_size)
{
	if (has_offset)
		return fixed_zone(60 * offset_minutes, out);
	if (!tz)
		return fixed_zone(kernel_offset(), out);
	if (!strcmp(tz, "UTC"))
		return fixed_zone(0, out);
	return fat_zone_load(tz, out, why, why_size);
}

void fat_zone_close(struct fat_zone *zone)
{
	free(zone);
}

/* ---- instants -------------------------------------------------------------------- */

void fat_time_decode(const struct fat_zone *zone, uint16_t time, uint16_t date, uint8_t cs, struct timespec *out)
{
	int64_t local = days_of_bits(date) * DAY + seconds_of_bits(time);
	unsigned centi = clamp(cs, 0, CENTI_MAX);

	out->tv_sec = fat_zone_to_utc(zone, local) + centi / 100;
	out->tv_nsec = centi % 100 * CENTI_NS;
}

void fat_time_encode(const struct fat_zone *zone, const struct timespec *t, uint16_t *time, uint16_t *date, uint8_t *cs)
{
	int64_t first = fat_days(FIRST_YEAR, 1, 1) * DAY, end = fat_days(LAST_YEAR + 1, 1, 1) * DAY;
	int64_t utc = t->tv_sec, local;
	unsigned seconds, centi = (unsigned)(t->tv_nsec / CENTI_NS);

	/* far outside: an offset could overflow, and needs not be known */
	local = utc < first - DAY * 2 || utc > end + DAY * 2 ? utc : utc + fat_zone_offset(zone, utc);
	if (local < first) {
		local = first;
		centi = 0;
	} else if (local >= end) {
		local = end - 1;
		centi = 99;
	}
	seconds = (unsigned)((local - first) % DAY);
	*date = date_bits(fat_days(FIRST_YEAR, 1, 1) + (local - first) / DAY);
	if (time)
		*time = (uint16_t)(seconds / 3600 << 11 | seconds / 60 % 60 << 5 | seconds % 60 / 2);
	if (cs)
		*cs = (uint8_t)(seconds % 2 * 100 + centi);
}

void fat_time_round(const struct fat_zone *zone, enum fat_stamp which, struct timespec *t)
{
	uint16_t time = 0, date;
	uint8_t cs = 0;

	fat_time_encode(zone, t, which == FAT_STAMP_ATIME ? NULL : &time, &date, which == FAT_STAMP_BTIME ? &cs : NULL);
	fat_time_decode(zone, time, date, cs, t);
}
