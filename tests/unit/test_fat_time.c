// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_time.c: the times of FAT: every date, every second of a day,
 * rounding, nonsense, and zones, which are compared with the C library's idea
 * of the same zone for every half hour of many years.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>
#include "../../fs-fat/zone.h"

static char why[256];

static bool has_zones(void)
{
	return !access("/usr/share/zoneinfo/Europe/Berlin", R_OK);
}

static struct fat_zone *zone_of(const char *tz)
{
	struct fat_zone *zone = NULL;

	if (fat_zone_open(tz, false, 0, &zone, why, sizeof(why)))
		fail_msg("%s: %s", tz, why);
	return zone;
}

static uint16_t date_of(unsigned y, unsigned m, unsigned d)
{
	return (uint16_t)((y - 1980) << 9 | m << 5 | d);
}

static uint16_t time_of(unsigned h, unsigned m, unsigned s)
{
	return (uint16_t)(h << 11 | m << 5 | s / 2);
}

/* An independent calendar: the C library's. */
static int64_t utc_of(int y, int m, int d, int hh, int mm, int ss)
{
	struct tm tm = { .tm_year = y - 1900, .tm_mon = m - 1, .tm_mday = d, .tm_hour = hh, .tm_min = mm, .tm_sec = ss };

	return timegm(&tm);
}

/* ---- dates and times -------------------------------------------------------- */

static void test_every_date(void **state)
{
	static const unsigned char len[] = { 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31 };
	struct fat_zone *zone = zone_of("UTC");
	int64_t expect = utc_of(1980, 1, 1, 0, 0, 0);
	unsigned days = 0;

	(void)state;
	for (unsigned y = 1980; y <= 2107; y++)
		for (unsigned m = 1; m <= 12; m++) {
			unsigned n = len[m - 1] + (m == 2 && y % 4 == 0 && y != 2100);

			for (unsigned d = 1; d <= n; d++, days++, expect += 86400) {
				uint16_t date = date_of(y, m, d), got, hour;
				struct timespec t;

				fat_time_decode(zone, 0, date, 0, &t);
				assert_int_equal(t.tv_sec, expect);
				fat_time_encode(zone, &t, &hour, &got, NULL);
				assert_true(got == date && hour == 0);
				t.tv_sec += 86399;
				fat_time_encode(zone, &t, &hour, &got, NULL);
				assert_true(got == date && hour == time_of(23, 59, 58));
			}
		}
	assert_int_equal(days, 46751);
	fat_zone_close(zone);
}

static void test_every_time(void **state)
{
	struct fat_zone *zone = zone_of("UTC");
	int64_t day = utc_of(2024, 2, 29, 0, 0, 0);

	(void)state;
	for (unsigned h = 0; h < 24; h++)
		for (unsigned m = 0; m < 60; m++)
			for (unsigned s = 0; s < 60; s++) {
				struct timespec t = { day + h * 3600 + m * 60 + s, 999999999 }, back;
				uint16_t hour, date;
				uint8_t cs;

				fat_time_encode(zone, &t, &hour, &date, &cs);
				assert_int_equal(hour, time_of(h, m, s));
				assert_int_equal(cs, s % 2 * 100 + 99);
				fat_time_decode(zone, hour, date, cs, &back);
				assert_true(back.tv_sec == t.tv_sec && back.tv_nsec == 990000000);
				fat_time_decode(zone, hour, date, 0, &back);
				assert_true(back.tv_sec == (t.tv_sec & ~1L) && back.tv_nsec == 0);
			}
	fat_zone_close(zone);
}

static void test_rounding(void **state)
{
	struct timespec t = { utc_of(2026, 7, 8, 23, 30, 31), 123456789 }, r = t;
	struct fat_zone *berlin;

	(void)state;
	if (!has_zones())
		skip();
	berlin = zone_of("Europe/Berlin");
	fat_time_round(berlin, FAT_STAMP_MTIME, &r);
	assert_true(r.tv_sec == t.tv_sec - 1 && r.tv_nsec == 0);
	r = t;
	fat_time_round(berlin, FAT_STAMP_BTIME, &r);
	assert_true(r.tv_sec == t.tv_sec && r.tv_nsec == 120000000);
	r = t;			/* midnight there: two hours before that of UTC, and already the next day */
	fat_time_round(berlin, FAT_STAMP_ATIME, &r);
	assert_int_equal(r.tv_sec, utc_of(2026, 7, 8, 22, 0, 0));
	assert_int_equal(r.tv_nsec, 0);
	fat_zone_close(berlin);
}

static void test_outside(void **state)
{
	static const int64_t early[] = { INT64_MIN, -1, 0, 315532799 };
	struct fat_zone *zone = zone_of("UTC");
	int64_t late[] = { INT64_MAX, utc_of(2108, 1, 1, 0, 0, 0), utc_of(2500, 1, 1, 0, 0, 0) };
	uint16_t hour, date;
	struct timespec t;
	uint8_t cs;

	(void)state;
	for (size_t i = 0; i < sizeof(early) / sizeof(early[0]); i++) {
		t = (struct timespec){ early[i], 999999999 };
		fat_time_encode(zone, &t, &hour, &date, &cs);
		assert_true(date == date_of(1980, 1, 1) && hour == 0 && cs == 0);
	}
	for (size_t i = 0; i < sizeof(late) / sizeof(late[0]); i++) {
		t = (struct timespec){ late[i], 0 };
		fat_time_encode(zone, &t, &hour, &date, &cs);
		assert_true(date == date_of(2107, 12, 31) && hour == time_of(23, 59, 58) && cs == 199);
	}
	fat_zone_close(zone);
}

static void test_nonsense(void **state)
{
	static const struct { uint16_t time, date; uint8_t cs; int y, m, d, hh, mm, ss; } rows[] = {
		{ 0, 0, 0, 1980, 1, 1, 0, 0, 0 },
		{ 0, 40 << 9 | 0 << 5 | 5, 0, 2020, 1, 5, 0, 0, 0 },
		{ 0, 40 << 9 | 13 << 5 | 5, 0, 2020, 12, 5, 0, 0, 0 },
		{ 0, 40 << 9 | 15 << 5 | 31, 0, 2020, 12, 31, 0, 0, 0 },
		{ 0, 40 << 9 | 3 << 5 | 0, 0, 2020, 3, 1, 0, 0, 0 },
		{ 0, 40 << 9 | 2 << 5 | 31, 0, 2020, 2, 29, 0, 0, 0 },
		{ 0, 41 << 9 | 2 << 5 | 31, 0, 2021, 2, 28, 0, 0, 0 },
		{ 0, 120 << 9 | 2 << 5 | 29, 0, 2100, 2, 28, 0, 0, 0 },
		{ 0, 41 << 9 | 4 << 5 | 31, 0, 2021, 4, 30, 0, 0, 0 },
		{ 31 << 11 | 5 << 5, 40 << 9 | 1 << 5 | 1, 0, 2020, 1, 1, 23, 5, 0 },
		{ 5 << 11 | 63 << 5, 40 << 9 | 1 << 5 | 1, 0, 2020, 1, 1, 5, 59, 0 },
		{ 31, 40 << 9 | 1 << 5 | 1, 0, 2020, 1, 1, 0, 0, 58 },
		{ 0, 40 << 9 | 1 << 5 | 1, 255, 2020, 1, 1, 0, 0, 1 },
		{ 0xffff, 0xffff, 255, 2107, 12, 31, 23, 59, 59 },
	};
	struct fat_zone *zone = zone_of("UTC");
	struct timespec t;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		fat_time_decode(zone, rows[i].time, rows[i].date, rows[i].cs, &t);
		assert_int_equal(t.tv_sec, utc_of(rows[i].y, rows[i].m, rows[i].d, rows[i].hh, rows[i].mm, rows[i].ss));
		assert_int_equal(t.tv_nsec, rows[i].cs ? 990000000 : 0);
	}
	/* every date there can be gives one that encodes and comes back the same */
	for (unsigned date = 0; date <= 0xffff; date++) {
		uint16_t hour, again, once;
		struct timespec two;

		fat_time_decode(zone, (uint16_t)(date * 40503u), (uint16_t)date, (uint8_t)date, &t);
		fat_time_encode(zone, &t, &hour, &once, NULL);
		t.tv_sec &= ~1L;
		fat_time_decode(zone, hour, once, 0, &two);
		assert_int_equal(t.tv_sec, two.tv_sec);
		fat_time_encode(zone, &two, &hour, &again, NULL);
		assert_int_equal(once, again);
	}
	fat_zone_close(zone);
}

/* ---- offsets ------------------------------------------------------------------ */

/* vfat.rst: the minutes are subtracted from local time to get UTC. */
static void test_offset(void **state)
{
	static const int minutes[] = { 0, 60, -60, 720, -720, 345 };
	struct fat_zone *zone;
	struct timespec t;
	uint16_t hour, date;

	(void)state;
	for (size_t i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++) {
		assert_int_equal(fat_zone_open(NULL, true, minutes[i], &zone, why, sizeof(why)), 0);
		fat_time_decode(zone, time_of(12, 0, 0), date_of(2020, 6, 15), 0, &t);
		assert_int_equal(t.tv_sec, utc_of(2020, 6, 15, 12, 0, 0) - minutes[i] * 60);
		fat_time_encode(zone, &t, &hour, &date, NULL);
		assert_true(hour == time_of(12, 0, 0) && date == date_of(2020, 6, 15));
		/* the first and the last day, where UTC is in another year */
		fat_time_decode(zone, 0, date_of(1980, 1, 1), 0, &t);
		fat_time_encode(zone, &t, &hour, &date, NULL);
		assert_true(hour == 0 && date == date_of(1980, 1, 1));
		fat_time_decode(zone, time_of(23, 59, 58), date_of(2107, 12, 31), 0, &t);
		fat_time_encode(zone, &t, &hour, &date, NULL);
		assert_true(hour == time_of(23, 59, 58) && date == date_of(2107, 12, 31));
		fat_zone_close(zone);
	}
	assert_int_equal(fat_zone_open(NULL, false, 0, &zone, why, sizeof(why)), 0);	/* the kernel's, whatever it is */
	assert_in_range(zone->offset + 86400, 0, 2 * 86400);
	fat_zone_close(zone);
}

/* ---- zones ---------------------------------------------------------------------- */

/* What the library says a clock in TZ shows at @t. */
static int64_t library_local(time_t t)
{
	struct tm tm;

	localtime_r(&t, &tm);
	return timegm(&tm);
}

static void compare_zone(const char *name)
{
	struct fat_zone *zone = zone_of(name);
	int64_t end = utc_of(2108, 1, 1, 0, 0, 0), local, back;

	setenv("TZ", name, 1);
	tzset();
	for (int64_t t = utc_of(1980, 1, 1, 0, 0, 0); t < end; t += 1800 * 3) {
		local = library_local(t);
		if (t + fat_zone_offset(zone, t) != local)
			fail_msg("%s at %lld: offset %d, the C library says %lld", name, (long long)t,
				 fat_zone_offset(zone, t), (long long)(local - t));
		back = fat_zone_to_utc(zone, local);
		if (back == t)
			continue;
		/* only in the hour that comes twice: the earlier one, which shows the same */
		assert_true(back < t && t - back <= 86400);
		assert_int_equal(library_local(back), local);
	}
	fat_zone_close(zone);
}

static void test_against_library(void **state)
{
	static const char *const names[] = {
		"Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca",
		"Pacific/Apia", "America/Sao_Paulo", "Antarctica/Troll", "Pacific/Chatham", "Europe/Dublin",
		"America/Nuuk", "Asia/Gaza", "Etc/GMT+12", "UTC", "Asia/Tokyo",
	};

	(void)state;
	if (!has_zones())
		skip();
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		char path[100];

		snprintf(path, sizeof(path), "/usr/share/zoneinfo/%s", names[i]);
		if (!access(path, R_OK))
			compare_zone(names[i]);
	}
	unsetenv("TZ");
	tzset();
}

static void check_change(const char *name, unsigned month, unsigned day, uint16_t clock, int64_t expect)
{
	struct fat_zone *zone = zone_of(name);
	struct timespec t;

	fat_time_decode(zone, clock, date_of(2026, month, day), 0, &t);
	if (t.tv_sec != expect)
		fail_msg("%s %u-%u: %lld, not %lld", name, month, day, (long long)t.tv_sec, (long long)expect);
	fat_zone_close(zone);
}

static void test_changes(void **state)
{
	(void)state;
	if (!has_zones())
		skip();
	/* put forward: 02:30 does not exist and is read as 03:30 */
	check_change("Europe/Berlin", 3, 29, time_of(1, 59, 58), utc_of(2026, 3, 29, 0, 59, 58));
	check_change("Europe/Berlin", 3, 29, time_of(2, 0, 0), utc_of(2026, 3, 29, 1, 0, 0));
	check_change("Europe/Berlin", 3, 29, time_of(2, 30, 0), utc_of(2026, 3, 29, 1, 30, 0));
	check_change("Europe/Berlin", 3, 29, time_of(3, 0, 0), utc_of(2026, 3, 29, 1, 0, 0));
	check_change("Europe/Berlin", 3, 29, time_of(3, 30, 0), utc_of(2026, 3, 29, 1, 30, 0));
	/* put back: 02:30 comes twice and is the first */
	check_change("Europe/Berlin", 10, 25, time_of(1, 59, 58), utc_of(2026, 10, 24, 23, 59, 58));
	check_change("Europe/Berlin", 10, 25, time_of(2, 0, 0), utc_of(2026, 10, 25, 0, 0, 0));
	check_change("Europe/Berlin", 10, 25, time_of(2, 59, 58), utc_of(2026, 10, 25, 0, 59, 58));
	check_change("Europe/Berlin", 10, 25, time_of(3, 0, 0), utc_of(2026, 10, 25, 2, 0, 0));
	/* New York: 8 March and 1 November, at 2 */
	check_change("America/New_York", 3, 8, time_of(2, 30, 0), utc_of(2026, 3, 8, 7, 30, 0));
	check_change("America/New_York", 11, 1, time_of(1, 30, 0), utc_of(2026, 11, 1, 5, 30, 0));
	check_change("America/New_York", 11, 1, time_of(2, 0, 0), utc_of(2026, 11, 1, 7, 0, 0));
	/* Lord Howe: half an hour, in the south: back on 5 April, forward on 4 October */
	check_change("Australia/Lord_Howe", 4, 5, time_of(1, 45, 0), utc_of(2026, 4, 4, 14, 45, 0));
	check_change("Australia/Lord_Howe", 4, 5, time_of(2, 0, 0), utc_of(2026, 4, 4, 15, 30, 0));
	check_change("Australia/Lord_Howe", 10, 4, time_of(2, 15, 0), utc_of(2026, 10, 3, 15, 45, 0));
	check_change("Australia/Lord_Howe", 10, 4, time_of(2, 30, 0), utc_of(2026, 10, 3, 15, 30, 0));
	check_change("Asia/Kathmandu", 7, 1, time_of(5, 45, 0), utc_of(2026, 7, 1, 0, 0, 0));
}

static void test_rules(void **state)
{
	static const char *const bad[] = {
		"", "CE", "CET", "CET-", "CET25", "CET-1CEST", "CET-1CEST,", "CET-1CEST,M3.5.0", "CET-1CEST,M3.5.0,",
		"CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M0.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.0.0,M10.5.0",
		"CET-1CEST,M3.5.7,M10.5.0", "CET-1CEST,J0,J5", "CET-1CEST,J366,J5", "CET-1CEST,366,5", "<+03",
		"CET-1CEST,M3.5.0/168,M10.5.0", "CET-1CEST,M3.5.0,M10.5.0x", "CET-1:60", "99999999999999999999",
	};
	struct fat_zone_rule rule;
	struct fat_zone_change two[2];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		if (!fat_zone_rule_parse(bad[i], &rule))
			fail_msg("\"%s\" was accepted", bad[i]);
	assert_int_equal(fat_zone_rule_parse("<+0545>-5:45", &rule), 0);
	assert_true(!rule.has_dst && rule.offset == 20700);
	assert_int_equal(fat_zone_rule_parse("CET-1CEST,M3.5.0,M10.5.0/3", &rule), 0);
	fat_zone_rule_changes(&rule, 2040, two);
	assert_int_equal(two[0].at, utc_of(2040, 3, 25, 1, 0, 0));
	assert_int_equal(two[1].at, utc_of(2040, 10, 28, 1, 0, 0));
	assert_true(two[0].offset == 7200 && two[1].offset == 3600);
	/* J60 is 1 March in every year, 59 is 29 February in leap ones; times may be negative */
	assert_int_equal(fat_zone_rule_parse("AAA0BBB-2:30,J60/0,59/-1", &rule), 0);
	fat_zone_rule_changes(&rule, 2024, two);
	assert_int_equal(two[0].at, utc_of(2024, 3, 1, 0, 0, 0));
	assert_int_equal(two[1].at, utc_of(2024, 2, 28, 20, 30, 0));
	fat_zone_rule_changes(&rule, 2023, two);
	assert_int_equal(two[0].at, utc_of(2023, 3, 1, 0, 0, 0));
	assert_int_equal(two[1].at, utc_of(2023, 2, 28, 20, 30, 0));
}

static void test_bad_names(void **state)
{
	static const char *const names[] = { "", "/etc/passwd", "../../../etc/passwd", "Europe/..", "No/Such_Zone", "Europe",
					     "zone1970.tab", "a b" };
	struct fat_zone *zone;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		why[0] = '\0';
		if (!fat_zone_open(names[i], false, 0, &zone, why, sizeof(why)))
			fail_msg("\"%s\" was accepted", names[i]);
		assert_true(strstr(why, "\"tz\"") && !strchr(why, '\n'));
	}
}

/* Every file cut at every length, and every byte of it changed, gives a zone or an error. */
static void test_damaged_file(void **state)
{
	static uint8_t bytes[65536], copy[65536];
	struct fat_zone *zone;
	unsigned good = 0;
	size_t size;
	FILE *f;

	(void)state;
	if (!has_zones())
		skip();
	f = fopen("/usr/share/zoneinfo/Europe/Berlin", "re");
	assert_non_null(f);
	size = fread(bytes, 1, sizeof(bytes), f);
	fclose(f);
	for (size_t cut = 0; cut < size; cut++) {
		uint8_t *exact = malloc(cut + 1);	/* so that reading past it is seen */

		memcpy(exact, bytes, cut);
		assert_int_equal(fat_zone_parse(exact, cut, &zone), -EINVAL);
		free(exact);
	}
	for (size_t at = 0; at < size; at++) {
		memcpy(copy, bytes, size);
		copy[at] ^= 0xff;
		if (fat_zone_parse(copy, size, &zone))
			continue;
		assert_true(fat_zone_to_utc(zone, utc_of(2026, 5, 5, 0, 0, 0)) != 0);
		fat_zone_close(zone);
		good++;
	}
	assert_in_range(good, 1, size);
}

static void *convert(void *arg)
{
	const struct fat_zone *zone = arg;
	struct timespec t = { utc_of(2026, 7, 1, 12, 0, 0), 0 };

	for (unsigned i = 0; i < 1000; i++)
		fat_time_round(zone, FAT_STAMP_MTIME, &t);
	return (void *)(uintptr_t)(t.tv_sec == utc_of(2026, 7, 1, 12, 0, 0));
}

static void test_threads(void **state)
{
	struct fat_zone *zone = zone_of(has_zones() ? "Europe/Berlin" : "UTC");
	pthread_t threads[4];
	void *good;

	(void)state;
	for (unsigned i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, convert, zone), 0);
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], &good);
		assert_non_null(good);
	}
	fat_zone_close(zone);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_date),
		cmocka_unit_test(test_every_time),
		cmocka_unit_test(test_rounding),
		cmocka_unit_test(test_outside),
		cmocka_unit_test(test_nonsense),
		cmocka_unit_test(test_offset),
		cmocka_unit_test(test_against_library),
		cmocka_unit_test(test_changes),
		cmocka_unit_test(test_rules),
		cmocka_unit_test(test_bad_names),
		cmocka_unit_test(test_damaged_file),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
