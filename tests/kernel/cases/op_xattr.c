// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_xattr.c: GETXATTR, SETXATTR, LISTXATTR and REMOVEXATTR.
 */
#include <stdlib.h>
#include <sys/xattr.h>
#include "daemon.h"

static struct kd *start(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	return kd;
}

/* ---- GETXATTR ---------------------------------------------------------------- */

static struct kd_req *expect_get(struct kd *kd, const char *name, uint32_t size)
{
	struct kd_req *r = kd_expect(kd, FUSE_GETXATTR, 2);

	CHECK_STR(r->name, name);
	CHECK_EQ(((const struct fuse_getxattr_in *)r->arg)->size, size);
	return r;
}

static void value_reaches_the_caller(void)
{
	struct kd *kd = start();
	char value[64] = "";
	struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", value, sizeof(value));

	kd_reply(expect_get(kd, "user.a", sizeof(value)), "a\0b", 3);
	kd_finish(c, 3);
	CHECK_MEM(value, "a\0b", 4);
	c = kd_call_getxattr(kd, "f", "user.a", value, sizeof(value));
	kd_reply(expect_get(kd, "user.a", sizeof(value)), NULL, 0);
	kd_finish(c, 0);
}

static void size_zero_asks_for_the_size(void)
{
	static const struct { uint32_t told, seen; } sizes[] = {
		{ 0, 0 }, { 1, 1 }, { 65536, 65536 }, { 65537, 65536 }, { UINT32_MAX, 65536 }, { 1u << 31, 65536 },
	};
	struct kd *kd = start();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", NULL, 0);

		kd_reply_xattr_size(expect_get(kd, "user.a", 0), sizes[i].told);
		kd_finish(c, sizes[i].seen);
	}
}

static void largest_value(void)
{
	struct kd *kd = start();
	char *value = calloc(1, 70000), *sent = malloc(65536);
	struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", value, 70000);

	memset(sent, 'v', 65536);
	kd_reply(expect_get(kd, "user.a", 65536), sent, 65536);
	kd_finish(c, 65536);
	CHECK_MEM(value, sent, 65536);
	CHECK_EQ(value[65536], 0);
}

static void get_errors_reach_the_caller(void)
{
	static const int errors[] = { ENODATA, ERANGE, EOPNOTSUPP, EPERM, EIO, E2BIG, 511 };
	struct kd *kd = start();
	char value[8];

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", value, sizeof(value));

		kd_reply_error(expect_get(kd, "user.a", sizeof(value)), -errors[i]);
		kd_finish(c, -errors[i]);
		c = kd_call_getxattr(kd, "f", "user.a", NULL, 0);
		kd_reply_error(expect_get(kd, "user.a", 0), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

static void get_enosys_is_latched(void)
{
	struct kd *kd = start();
	char value[8];
	struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", value, sizeof(value));

	kd_reply_error(expect_get(kd, "user.a", sizeof(value)), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(kd_call_getxattr(kd, "f", "user.b", value, sizeof(value)), -EOPNOTSUPP);
	kd_finish(kd_call_getxattr(kd, "f", "user.b", NULL, 0), -EOPNOTSUPP);
	CHECK_EQ(kd->count[FUSE_GETXATTR], 1);
	/* which says nothing of the others */
	c = kd_call_setxattr(kd, "f", "user.a", "x", 1, 0);
	kd_reply_error(kd_expect(kd, FUSE_SETXATTR, 2), 0);
	kd_finish(c, 0);
}

static void get_wrong_lengths(void)
{
	struct kd *kd = start();
	char value[16] = "";
	uint8_t body[65536] = { 0 };
	static const size_t too_long[] = { 17, 4096, 65536 }, no_size[] = { 0, 4, 7, 9, 64 };

	for (size_t i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", value, sizeof(value));

		CHECK_EQ(kd_try_reply(expect_get(kd, "user.a", 16), 0, body, too_long[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
	for (size_t i = 0; i < 5; i++) {
		struct kd_call *c = kd_call_getxattr(kd, "f", "user.a", NULL, 0);

		CHECK_EQ(kd_try_reply(expect_get(kd, "user.a", 0), 0, body, no_size[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* All namespaces are the daemon's, as far as the caller may use them. */
static void namespaces_pass(void)
{
	static const char *const names[] = { "user.a", "trusted.a", "security.a", "system.a", "user.\xff .b" };
	struct kd *kd = start();
	char value[16];

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct kd_call *c = kd_call_getxattr(kd, "f", names[i], value, sizeof(value));

		kd_reply(expect_get(kd, names[i], sizeof(value)), "x", 1);
		kd_finish(c, 1);
	}
}

static void others_get_nothing(void)
{
	struct kd *kd = start();
	char value[16];

	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_getxattr(kd, "f", "user.a", value, sizeof(value)), -EACCES);
	kd_finish(kd_call_setxattr(kd, "f", "user.a", "x", 1, 0), -EACCES);
	kd_finish(kd_call_listxattr(kd, "f", value, sizeof(value)), -EACCES);
	kd_finish(kd_call_removexattr(kd, "f", "user.a"), -EACCES);
}

/* ---- SETXATTR, REMOVEXATTR ------------------------------------------------------ */

static void set_value_reaches_the_daemon(void)
{
	struct kd *kd = start();
	static const int flags[] = { 0, XATTR_CREATE, XATTR_REPLACE };

	for (size_t i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_setxattr(kd, "f", "user.a", "a\0b", 3, flags[i]);
		struct kd_req *r = kd_expect(kd, FUSE_SETXATTR, 2);

		CHECK_STR(r->name, "user.a");
		CHECK_EQ(((const struct fuse_setxattr_in *)r->arg)->flags, flags[i]);
		CHECK_EQ(r->data_len, 3);
		CHECK_MEM(r->data, "a\0b", 3);
		kd_reply_error(r, 0);
		kd_finish(c, 0);
	}
}

/* With SETXATTR_EXT the arguments are longer: the harness looks for the name behind them. */
static void set_with_the_longer_arguments(void)
{
	struct kd *kd = kd_new(.flags = FUSE_SETXATTR_EXT);
	struct kd_call *c;
	struct kd_req *r;

	kd_need(kd, FUSE_SETXATTR_EXT);
	kd_add_file(kd, "f", 2, 10);
	c = kd_call_setxattr(kd, "f", "user.a", "value", 5, 0);
	r = kd_expect(kd, FUSE_SETXATTR, 2);
	CHECK_EQ(((const struct fuse_setxattr_in *)r->arg)->setxattr_flags, 0);
	CHECK_STR(r->name, "user.a");
	CHECK_MEM(r->data, "value", 5);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

static void set_empty_and_largest(void)
{
	struct kd *kd = start();
	char *value = malloc(65537);
	struct kd_call *c = kd_call_setxattr(kd, "f", "user.a", "", 0, 0);
	struct kd_req *r = kd_expect(kd, FUSE_SETXATTR, 2);

	CHECK_EQ(r->data_len, 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	memset(value, 'v', 65537);
	c = kd_call_setxattr(kd, "f", "user.a", value, 65536, 0);
	r = kd_expect(kd, FUSE_SETXATTR, 2);
	CHECK_EQ(r->data_len, 65536);
	CHECK_MEM(r->data, value, 65536);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	kd_finish(kd_call_setxattr(kd, "f", "user.a", value, 65537, 0), -E2BIG);
}

static void removed(void)
{
	struct kd *kd = start();
	struct kd_call *c = kd_call_removexattr(kd, "f", "user.a");
	struct kd_req *r = kd_expect(kd, FUSE_REMOVEXATTR, 2);

	CHECK_STR(r->name, "user.a");
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	c = kd_call_removexattr(kd, "f", "user.a");
	kd_reply_error(kd_expect(kd, FUSE_REMOVEXATTR, 2), -ENODATA);
	kd_finish(c, -ENODATA);
}

static void set_errors_reach_the_caller(void)
{
	static const int errors[] = { ENOSPC, EEXIST, ENODATA, EPERM, EROFS, E2BIG, EOPNOTSUPP, 511 };
	struct kd *kd = start();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_setxattr(kd, "f", "user.a", "x", 1, 0);

		kd_reply_error(kd_expect(kd, FUSE_SETXATTR, 2), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

static void set_enosys_is_latched(void)
{
	struct kd *kd = start();
	struct kd_call *c = kd_call_setxattr(kd, "f", "user.a", "x", 1, 0);

	kd_reply_error(kd_expect(kd, FUSE_SETXATTR, 2), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(kd_call_setxattr(kd, "f", "user.b", "x", 1, 0), -EOPNOTSUPP);
	c = kd_call_removexattr(kd, "f", "user.a");
	kd_reply_error(kd_expect(kd, FUSE_REMOVEXATTR, 2), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(kd_call_removexattr(kd, "f", "user.b"), -EOPNOTSUPP);
	CHECK_EQ(kd->count[FUSE_SETXATTR], 1);
	CHECK_EQ(kd->count[FUSE_REMOVEXATTR], 1);
}

/* The change time is another afterwards. */
static void change_time_is_stale(void)
{
	struct kd *kd = start();
	struct kd_call *c = kd_call_setxattr(kd, "f", "user.a", "x", 1, 0);
	struct stat st;

	kd_reply_error(kd_expect(kd, FUSE_SETXATTR, 2), 0);
	kd_finish(c, 0);
	kd_node(kd, 2)->attr.ctime = 6666;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ctime, 6666);
}

/* ---- LISTXATTR ------------------------------------------------------------------- */

static struct kd_req *expect_list(struct kd *kd, uint32_t size)
{
	struct kd_req *r = kd_expect(kd, FUSE_LISTXATTR, 2);

	CHECK_EQ(((const struct fuse_getxattr_in *)r->arg)->size, size);
	return r;
}

static void list_reaches_the_caller(void)
{
	struct kd *kd = start();
	char list[64];
	struct kd_call *c = kd_call_listxattr(kd, "f", list, sizeof(list));

	kd_reply(expect_list(kd, sizeof(list)), "user.a\0user.bc", 15);
	kd_finish(c, 15);
	CHECK_MEM(list, "user.a\0user.bc", 15);
	c = kd_call_listxattr(kd, "f", list, sizeof(list));
	kd_reply(expect_list(kd, sizeof(list)), NULL, 0);
	kd_finish(c, 0);
}

static void list_size_zero(void)
{
	static const struct { uint32_t told, seen; } sizes[] = {
		{ 0, 0 }, { 15, 15 }, { 65536, 65536 }, { 65537, 65536 }, { UINT32_MAX, 65536 },
	};
	struct kd *kd = start();

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct kd_call *c = kd_call_listxattr(kd, "f", NULL, 0);

		kd_reply_xattr_size(expect_list(kd, 0), sizes[i].told);
		kd_finish(c, sizes[i].seen);
	}
}

static void hostile_lists(void)
{
	static const struct { const char *bytes; size_t len; } lists[] = {
		{ "a", 1 }, { "user.a", 6 }, { "user.a\0user.b", 13 }, { "\0", 1 }, { "user.a\0\0", 8 }, { "\0user.a\0", 8 },
	};
	struct kd *kd = start();
	char list[64];

	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
		struct kd_call *c = kd_call_listxattr(kd, "f", list, sizeof(list));

		kd_reply(expect_list(kd, sizeof(list)), lists[i].bytes, lists[i].len);
		kd_finish(c, -EIO);
	}
}

static void list_wrong_lengths(void)
{
	struct kd *kd = start();
	uint8_t body[4096] = { 0 };
	char list[16];
	struct kd_call *c = kd_call_listxattr(kd, "f", list, sizeof(list));

	CHECK_EQ(kd_try_reply(expect_list(kd, 16), 0, body, 17), -EINVAL);
	kd_finish(c, -EIO);
	c = kd_call_listxattr(kd, "f", NULL, 0);
	CHECK_EQ(kd_try_reply(expect_list(kd, 0), 0, body, 4), -EINVAL);
	kd_finish(c, -EIO);
}

static void list_errors(void)
{
	struct kd *kd = start();
	char list[16];
	struct kd_call *c = kd_call_listxattr(kd, "f", list, sizeof(list));

	kd_reply_error(expect_list(kd, 16), -ERANGE);
	kd_finish(c, -ERANGE);
	c = kd_call_listxattr(kd, "f", list, sizeof(list));
	kd_reply_error(expect_list(kd, 16), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(kd_call_listxattr(kd, "f", list, sizeof(list)), -EOPNOTSUPP);
	CHECK_EQ(kd->count[FUSE_LISTXATTR], 2);
}

static const struct kernel_case cases[] = {
	CASE("xattr/value-reaches-the-caller", value_reaches_the_caller),
	CASE("xattr/size-zero-asks-for-the-size", size_zero_asks_for_the_size),
	CASE("xattr/largest-value", largest_value),
	CASE("xattr/get-errors-reach-the-caller", get_errors_reach_the_caller),
	CASE("xattr/get-enosys-is-latched", get_enosys_is_latched),
	CASE("xattr/get-wrong-lengths", get_wrong_lengths),
	CASE("xattr/namespaces-pass", namespaces_pass),
	CASE("xattr/others-get-nothing", others_get_nothing),
	CASE("xattr/set-value-reaches-the-daemon", set_value_reaches_the_daemon),
	CASE("xattr/set-with-the-longer-arguments", set_with_the_longer_arguments),
	CASE("xattr/set-empty-and-largest", set_empty_and_largest),
	CASE("xattr/removed", removed),
	CASE("xattr/set-errors-reach-the-caller", set_errors_reach_the_caller),
	CASE("xattr/set-enosys-is-latched", set_enosys_is_latched),
	CASE("xattr/change-time-is-stale", change_time_is_stale),
	CASE("xattr/list-reaches-the-caller", list_reaches_the_caller),
	CASE("xattr/list-size-zero", list_size_zero),
	CASE("xattr/hostile-lists", hostile_lists),
	CASE("xattr/list-wrong-lengths", list_wrong_lengths),
	CASE("xattr/list-errors", list_errors),
};
KERNEL_CASES(cases);
