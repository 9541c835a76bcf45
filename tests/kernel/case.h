/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * case.h: what a protocol case is, how it is registered and how it checks.
 *
 * How to write cases.  Make cases/op_TOPIC.c, add its name to tests/Makefile.inc
 * (tests_kernel_kernel_cases_SOURCES), and write
 *
 *	#include "daemon.h"
 *
 *	static void negative_is_cached(void)
 *	{
 *		struct kd *kd = kd_new();			// fuse mounted, INIT answered
 *		struct kd_call *c = kd_call_stat(kd, "none", NULL);	// another thread calls stat(2)
 *		struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);	// the test is the daemon
 *
 *		CHECK_STR(r->name, "none");
 *		kd_reply_negative(r, 3600);
 *		kd_finish(c, -ENOENT);				// what the caller got
 *		kd_finish(kd_call_stat(kd, "none", NULL), -ENOENT);	// fails if a request comes
 *	}
 *
 *	static const struct kernel_case cases[] = {
 *		CASE("lookup/negative-is-cached", negative_is_cached),
 *		CASE("lookup/other", other, differs(stock, "why the stock module does not")),
 *	};
 *	KERNEL_CASES(cases);
 *
 * - Every case is a process of its own, in its own mount namespace, with a time
 *   limit; nothing needs to be freed or unmounted, and the first check that
 *   fails ends it.  Checks belong to the case's own thread, not to callers; system
 *   calls on the mount (close(2), too) belong to callers, or nobody serves them.
 * - Answered without being asked for (kd_manual() takes one out, kd_auto()
 *   adds one, .strict = true starts with none): GETATTR of the root, RELEASE,
 *   RELEASEDIR, FLUSH, SYNCFS, DESTROY, GETXATTR of security.capability
 *   (ENODATA), LOOKUP of names given by kd_add_*().  FORGETs are counted.
 *   Anything else that was not expected fails the case.
 * - Gate on what INIT offered, never on a version: kd_need(kd, FUSE_...).
 * - Callers: kd_as(kd, uid, gid) for those that follow, kd_as_process(kd) to make
 *   them processes, which can be killed; kd_signal(); kd_check_blocked().
 * - "kernel-cases --trace" shows the requests of passing cases, too.
 */
#ifndef TESTS_KERNEL_CASE_H
#define TESTS_KERNEL_CASE_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct kernel_case {
	const char *name;		/* TOPIC/WHAT-IS-TRUE */
	void (*run)(void);
	const char *differs_stock;	/* why it fails on every stock module */
	const char *differs_newer;	/* why it may fail on a stock module that speaks more than 7.38 */
};
#define CASE(case_name, function, ...) { .name = (case_name), .run = (function), ##__VA_ARGS__ }
/* differs(stock, "why") or differs(newer, "why"), after the function of a case. */
#define differs(module, why) .differs_##module = (why)

struct kernel_case_table {
	const struct kernel_case *cases;
	size_t count;
};
/* Once per file: makes the table known to the program. */
#define KERNEL_CASES(table) \
	static const struct kernel_case_table kernel_case_table \
	__attribute__((used, section("kernel_cases"), aligned(8))) = \
	{ table, sizeof(table) / sizeof((table)[0]) }

enum kernel_module { MODULE_STOCK, MODULE_OURS };
/* What the program was told that it runs on. For differs(); a case should hardly need it. */
enum kernel_module kernel_module(void);
/* @ms, longer in slow guests. */
int kernel_ms(int ms);
/* True while allocations are made to fail: a case may then fail. */
bool kernel_failing(void);

/* Each ends the case. The text becomes a diagnostic or the reason. */
void case_fail(const char *file, int line, const char *format, ...)
	__attribute__((noreturn, format(printf, 3, 4)));
void case_skip(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));
/* A diagnostic line. */
void case_note(const char *format, ...) __attribute__((format(printf, 1, 2)));
/* "-ENOENT", or the number. In static memory, four at a time. */
const char *case_value(long long value);

#define FAIL(...) case_fail(__FILE__, __LINE__, __VA_ARGS__)
#define SKIP(...) case_skip(__VA_ARGS__)
#define CHECK(condition) do { \
	if (!(condition)) \
		FAIL("not true: %s", #condition); \
} while (0)
#define CHECK_EQ(a, b) do { \
	long long check_a = (long long)(a), check_b = (long long)(b); \
	if (check_a != check_b) \
		FAIL("%s is %s, not %s (%s)", #a, case_value(check_a), case_value(check_b), #b); \
} while (0)
#define CHECK_STR(a, b) do { \
	const char *check_a = (a), *check_b = (b); \
	if (!check_a || strcmp(check_a, check_b) != 0) \
		FAIL("%s is \"%s\", not \"%s\"", #a, check_a ? check_a : "(none)", check_b); \
} while (0)
#define CHECK_MEM(a, b, n) do { \
	if (memcmp((a), (b), (n)) != 0) \
		FAIL("%s and %s differ in their %zu bytes", #a, #b, (size_t)(n)); \
} while (0)

#endif
