/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_options.c: the option tokenizer and the split between the library's
 * options and the driver's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include "options.h"

struct dst {
	int flag, choice;
	uint64_t number;
	char *text;
};

static const char *const choices[] = { "continue", "remount-ro", "panic", NULL };

static const struct fuseblk_option table[] = {
	{ "flag", FUSEBLK_OPT_FLAG, offsetof(struct dst, flag), 7, NULL, 0, "" },
	{ "noflag", FUSEBLK_OPT_FLAG, offsetof(struct dst, flag), 0, NULL, 0, "" },
	{ "number", FUSEBLK_OPT_UINT, offsetof(struct dst, number), 0, NULL, 1000, "" },
	{ "big", FUSEBLK_OPT_UINT, offsetof(struct dst, number), 0, NULL, 0, "" },
	{ "text", FUSEBLK_OPT_STRING, offsetof(struct dst, text), 0, NULL, 0, "" },
	{ "choice", FUSEBLK_OPT_CHOICE, offsetof(struct dst, choice), 0, choices, 0, "" },
	{ "old", FUSEBLK_OPT_IGNORE, 0, 0, NULL, 0, "" },
	{ NULL, 0, 0, 0, NULL, 0, NULL },
};

static char error[200];

static int parse(const char *text, struct dst *dst)
{
	memset(dst, 0, sizeof(*dst));
	error[0] = '\0';
	return fuseblk_options_parse(table, text, dst, error, sizeof(error));
}

static void test_values(void **state)
{
	struct dst d;

	(void)state;
	assert_int_equal(parse("", &d), 0);
	assert_int_equal(parse(",,flag,,", &d), 0);
	assert_int_equal(d.flag, 7);
	assert_int_equal(parse("flag,noflag", &d), 0);
	assert_int_equal(d.flag, 0);
	assert_int_equal(parse("number=12", &d), 0);
	assert_int_equal(d.number, 12);
	assert_int_equal(parse("number=0x10,number=010", &d), 0);
	assert_int_equal(d.number, 8);
	assert_int_equal(parse("big=18446744073709551615", &d), 0);
	assert_true(d.number == UINT64_MAX);
	assert_int_equal(parse("choice=panic,old,old=3", &d), 0);
	assert_int_equal(d.choice, 2);
}

static void test_quoting(void **state)
{
	static const struct { const char *in, *out; } rows[] = {
		{ "text=a", "a" },
		{ "text=", "" },
		{ "text=a=b", "a=b" },
		{ "text=\"a,b\"", "a,b" },
		{ "text=a\",\"b", "a,b" },
		{ "text=a\\,b", "a,b" },
		{ "text=a\\\\b", "a\\b" },
		{ "text=\"a\\\"b\"", "a\"b" },
		{ "text=a\\", "a\\" },
		{ "\"text\"=a", "a" },
		{ "text=one,text=two", "two" },
	};
	struct dst d;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_int_equal(parse(rows[i].in, &d), 0);
		assert_string_equal(d.text, rows[i].out);
		free(d.text);
	}
}

static void test_refused(void **state)
{
	static const char *const bad[] = {
		"unknown", "flag=1", "number", "number=", "number=x", "number=-1", "number=+1",
		"number= 1", "number=1x", "number=1001", "big=18446744073709551616", "text",
		"choice", "choice=", "choice=none", "text=\"a", "\"flag", "flag\n", "=", "=3",
	};
	struct dst d;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(parse(bad[i], &d), -EINVAL);
		assert_true(strlen(error) > 10);
		assert_null(strchr(error, '\n'));
		free(d.text);
	}
	parse("choice=none", &d);
	assert_string_equal(error, "mount option \"choice\" is one of continue, remount-ro, panic");
	parse("wrong", &d);
	assert_string_equal(error, "mount option \"wrong\" is not known");
}

static void test_long(void **state)
{
	char *text = malloc(70000);
	struct dst d;

	(void)state;
	memset(text, 'a', 69999);
	text[69999] = '\0';
	assert_int_equal(parse(text, &d), -EINVAL);
	memcpy(text, "text=", 5);
	assert_int_equal(parse(text, &d), 0);
	assert_int_equal(strlen(d.text), 69994);
	free(d.text);
	free(text);
}

static void test_split(void **state)
{
	struct fb_options o;

	(void)state;
	assert_int_equal(fb_options_split("", &o, error, sizeof(error)), 0);
	assert_int_equal(o.writeback, 1);
	assert_int_equal(o.atime, FB_ATIME_RELATIME);
	assert_string_equal(o.driver_options, "");
	free(o.driver_options);
	assert_int_equal(fb_options_split("ro,sb=3,noatime,x=\"a,b\",commit=7,nowriteback_cache",
					  &o, error, sizeof(error)), 0);
	assert_int_equal(o.read_only, 1);
	assert_int_equal(o.atime, FB_ATIME_NONE);
	assert_int_equal(o.commit_seconds, 7);
	assert_int_equal(o.writeback, 0);
	assert_string_equal(o.driver_options, "sb=3,x=\"a,b\"");
	free(o.driver_options);
	assert_int_equal(fb_options_split("commit=901", &o, error, sizeof(error)), -EINVAL);
	assert_int_equal(fb_options_split("commit", &o, error, sizeof(error)), -EINVAL);
	assert_int_equal(fb_options_split("ro=1", &o, error, sizeof(error)), -EINVAL);
	assert_int_equal(fb_options_split("x=\"", &o, error, sizeof(error)), -EINVAL);
}

/* Bytes chosen to hit the grammar: nothing may crash or read past the end. */
static void test_random(void **state)
{
	static const char bytes[] = ",=\"\\flagtextnumber01\n\x80";
	unsigned seed = 1;
	char text[24];
	struct dst d;

	(void)state;
	for (int i = 0; i < 100000; i++) {
		size_t len = (size_t)rand_r(&seed) % (sizeof(text) - 1);
		char *exact;

		for (size_t j = 0; j < len; j++)
			text[j] = bytes[(size_t)rand_r(&seed) % (sizeof(bytes) - 1)];
		text[len] = '\0';
		exact = strdup(text);
		parse(exact, &d);
		free(d.text);
		free(exact);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values), cmocka_unit_test(test_quoting),
		cmocka_unit_test(test_refused), cmocka_unit_test(test_long),
		cmocka_unit_test(test_split), cmocka_unit_test(test_random),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
