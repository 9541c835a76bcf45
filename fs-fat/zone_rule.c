// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * zone_rule.c: POSIX's rules for daylight saving, "CET-1CEST,M3.5.0,M10.5.0/3",
 * which a zone data file ends with for the years after its own list.
 *
 * Source: POSIX.1, "Environment Variables", TZ; RFC 8536, 3.3: times of day
 * from -167 to 167 hours.  A rule with daylight saving names its dates.
 */
#include <errno.h>
#include <string.h>
#include "zone.h"

static bool is_letter(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* "CET" or "<+03>" */
static bool skip_name(const char **p)
{
	const char *start = *p;

	if (*start == '<') {
		*p = strchr(start, '>');
		if (!*p)
			return false;
		++*p;
		return true;
	}
	while (is_letter(**p))
		++*p;
	return *p - start >= 3;
}

static bool number(const char **p, unsigned max, unsigned *out)
{
	unsigned n = 0;

	if (!is_digit(**p))
		return false;
	for (; is_digit(**p); ++*p) {
		n = n * 10 + (unsigned)(**p - '0');
		if (n > max)
			return false;
	}
	*out = n;
	return true;
}

/* [+-]hh[:mm[:ss]] */
static bool clock_time(const char **p, unsigned max_hours, int32_t *seconds)
{
	int sign = **p == '-' ? -1 : 1;
	unsigned h, m = 0, s = 0;

	if (**p == '-' || **p == '+')
		++*p;
	if (!number(p, max_hours, &h))
		return false;
	if (**p == ':') {
		++*p;
		if (!number(p, 59, &m))
			return false;
		if (**p == ':') {
			++*p;
			if (!number(p, 59, &s))
				return false;
		}
	}
	*seconds = sign * (int32_t)(h * 3600 + m * 60 + s);
	return true;
}

static bool next_char(const char **p, char c)
{
	if (**p != c)
		return false;
	++*p;
	return true;
}

static bool month_day(const char **p, struct fat_zone_day *day)
{
	return number(p, 12, &day->month) && day->month > 0 && next_char(p, '.') &&
	       number(p, 5, &day->week) && day->week > 0 && next_char(p, '.') && number(p, 6, &day->day);
}

static bool rule_day(const char **p, struct fat_zone_day *day)
{
	bool good;

	if (next_char(p, 'M')) {
		day->kind = FAT_DAY_MONTH;
		good = month_day(p, day);
	} else if (next_char(p, 'J')) {
		day->kind = FAT_DAY_JULIAN;
		good = number(p, 365, &day->day) && day->day > 0;
	} else {
		day->kind = FAT_DAY_ZERO;
		good = number(p, 365, &day->day);
	}
	day->time = 2 * 3600;
	return good && (!next_char(p, '/') || clock_time(p, 167, &day->time));
}

int fat_zone_rule_parse(const char *text, struct fat_zone_rule *rule)
{
	const char *p = text;

	memset(rule, 0, sizeof(*rule));
	if (!skip_name(&p) || !clock_time(&p, 24, &rule->offset))
		return -EINVAL;
	rule->offset = -rule->offset;
	if (!*p)
		return 0;
	rule->has_dst = true;
	if (!skip_name(&p))
		return -EINVAL;
	rule->dst_offset = rule->offset + 3600;
	if (*p && *p != ',') {
		if (!clock_time(&p, 24, &rule->dst_offset))
			return -EINVAL;
		rule->dst_offset = -rule->dst_offset;
	}
	if (next_char(&p, ',') && rule_day(&p, &rule->start) && next_char(&p, ',') && rule_day(&p, &rule->end) && !*p)
		return 0;
	return -EINVAL;
}

/* Day 0 of 1970 was a Thursday; 0: Sunday. */
static unsigned weekday(int64_t days)
{
	return (unsigned)((days % 7 + 11) % 7);
}

/* Days since 1970 of @day's date in @year. */
static int64_t date_of(const struct fat_zone_day *day, int year)
{
	int64_t first, next;
	bool leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	if (day->kind != FAT_DAY_MONTH)	/* Jn counts from 1 and never counts 29 February */
		return fat_days(year, 1, 1) + day->day -
		       (day->kind == FAT_DAY_JULIAN && !(leap && day->day >= 60) ? 1 : 0);
	first = fat_days(year, day->month, 1);
	next = day->month == 12 ? fat_days(year + 1, 1, 1) : fat_days(year, day->month + 1, 1);
	first += (day->day + 7 - weekday(first)) % 7 + 7 * (day->week - 1);
	return first < next ? first : first - 7;	/* week 5 is the last one */
}

void fat_zone_rule_changes(const struct fat_zone_rule *rule, int year, struct fat_zone_change out[2])
{
	out[0].at = date_of(&rule->start, year) * 86400 + rule->start.time - rule->offset;
	out[0].offset = rule->dst_offset;
	out[1].at = date_of(&rule->end, year) * 86400 + rule->end.time - rule->dst_offset;
	out[1].offset = rule->offset;
}
