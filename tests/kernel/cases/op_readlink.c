// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_readlink.c: READLINK: targets of symbolic links, read and followed, cached and hostile.
 */
#include <stdlib.h>
#include "daemon.h"

#define TARGET_MAX 4095			/* what fits a page with its NUL */

static struct kd_node *add_link(struct kd *kd, const char *name, uint64_t id)
{
	return kd_add(kd, FUSE_ROOT_ID, name, kd_node_new(kd, id, S_IFLNK | 0777, 6));
}

static void bytes_reach_the_caller(void)
{
	struct kd *kd = kd_new();
	char buf[64] = "";
	struct kd_call *c;

	add_link(kd, "l", 2);
	for (int i = 0; i < 2; i++) {
		c = kd_call_readlink(kd, "l", buf, sizeof(buf));
		kd_reply(kd_expect(kd, FUSE_READLINK, 2), "a \xff/b", 5);
		kd_finish(c, 5);
		CHECK_MEM(buf, "a \xff/b", 5);
	}
}

/* The caller's buffer cuts; the request does not depend on it. */
static void short_buffer_cuts(void)
{
	struct kd *kd = kd_new();
	char buf[8] = "zzzzzzz";
	struct kd_call *c;

	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, 3);
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "target", 6);
	kd_finish(c, 3);
	CHECK_MEM(buf, "tarzzzz", 7);
}

static void is_followed(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	add_link(kd, "l", 2);
	kd_add(kd, 3, "f", kd_file(kd, 4, 10));
	kd_add_dir(kd, "d", 3);
	c = kd_call_open(kd, "l/f", O_RDONLY, 0);
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "d", 1);
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 4), 1, 0);
	CHECK(kd_wait(c) >= 0);
}

static void loop_ends(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int n = 0;

	add_link(kd, "l", 2);
	c = kd_call_open(kd, "l", O_RDONLY, 0);
	for (struct kd_req *r; (r = kd_next(kd, 100)) != NULL; n++) {
		CHECK_EQ(r->opcode, FUSE_READLINK);
		kd_reply(r, "l", 1);
	}
	kd_finish(c, -ELOOP);
	CHECK_EQ(n, 40);
}

/* It stands for the directory that it is in. */
static void empty_target(void)
{
	struct kd *kd = kd_new();
	char buf[8] = "zzzzzzz";
	struct kd_call *c;

	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), NULL, 0);
	kd_finish(c, 0);
	CHECK_MEM(buf, "zzzzzzz", 7);
	c = kd_call_open(kd, "l", O_PATH, 0);
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), NULL, 0);
	CHECK(kd_wait(c) >= 0);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EIO, EINVAL, ENOSYS, EACCES, 511 };
	struct kd *kd = kd_new();
	char buf[64];

	add_link(kd, "l", 2);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_readlink(kd, "l", buf, sizeof(buf));

		kd_reply_error(kd_expect(kd, FUSE_READLINK, 2), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

static char *target_of(size_t len)
{
	char *target = malloc(len + 1);

	memset(target, 't', len);
	target[len] = '\0';
	return target;
}

static void longest_target(void)
{
	struct kd *kd = kd_new();
	char *target = target_of(TARGET_MAX), buf[TARGET_MAX + 1];
	struct kd_call *c;

	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), target, TARGET_MAX);
	kd_finish(c, TARGET_MAX);
	CHECK_MEM(buf, target, TARGET_MAX);
}

static void check_too_long(uint64_t flags)
{
	static const size_t lengths[] = { TARGET_MAX + 1, TARGET_MAX + 2, 65536 };
	struct kd *kd = kd_new(.flags = flags);
	char buf[TARGET_MAX + 1];

	kd_need(kd, flags & ~KD_NO_FLAGS);
	add_link(kd, "l", 2);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_readlink(kd, "l", buf, sizeof(buf));
		struct kd_req *r = kd_expect(kd, FUSE_READLINK, 2);

		CHECK_EQ(kd_try_reply(r, 0, target_of(lengths[i]), lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

static void too_long(void)
{
	check_too_long(KD_NO_FLAGS);
}

static void too_long_for_the_cache(void)
{
	check_too_long(FUSE_CACHE_SYMLINKS);
}

static void check_nul(uint64_t flags)
{
	struct kd *kd = kd_new(.flags = flags);
	char buf[64];
	struct kd_call *c;

	kd_need(kd, flags & ~KD_NO_FLAGS);
	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "ab\0cd", 5);
	kd_finish(c, -EIO);
}

static void nul_inside(void)
{
	check_nul(KD_NO_FLAGS);
}

static void nul_inside_the_cache(void)
{
	check_nul(FUSE_CACHE_SYMLINKS);
}

static void access_time_is_stale(void)
{
	struct kd *kd = kd_new();
	struct kd_node *l = add_link(kd, "l", 2);
	char buf[16];
	struct kd_call *c;
	struct stat st;

	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "x", 1);
	kd_finish(c, 1);
	l->attr.atime = 9999;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "l", &st), 0);
	CHECK_EQ(st.st_atime, 9999);
}

/* A shorter target leaves nothing of a longer one. */
static void nothing_is_left_of_another(void)
{
	struct kd *kd = kd_new();
	char buf[TARGET_MAX + 1];
	struct kd_call *c;

	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), target_of(TARGET_MAX), TARGET_MAX);
	kd_finish(c, TARGET_MAX);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "x", 1);
	kd_finish(c, 1);
}

/* ---- cached --------------------------------------------------------------- */

static void is_cached_when_negotiated(void)
{
	struct kd *kd = kd_new(.flags = FUSE_CACHE_SYMLINKS);
	char buf[64];
	struct kd_call *c;

	kd_need(kd, FUSE_CACHE_SYMLINKS);
	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "target", 6);
	kd_finish(c, 6);
	memset(buf, 0, sizeof(buf));
	kd_finish(kd_call_readlink(kd, "l", buf, sizeof(buf)), 6);
	CHECK_STR(buf, "target");
	CHECK_EQ(kd->count[FUSE_READLINK], 1);
}

static void cached_until_told(void)
{
	struct kd *kd = kd_new(.flags = FUSE_CACHE_SYMLINKS);
	char buf[64];
	struct kd_call *c;

	kd_need(kd, FUSE_CACHE_SYMLINKS);
	add_link(kd, "l", 2);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "target", 6);
	kd_finish(c, 6);
	CHECK_EQ(kd_notify_inval_inode(kd, 2, 0, 0), 0);
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "new", 3);
	kd_finish(c, 3);
}

/* An error, or a target that cannot be, is not cached. */
static void errors_are_not_cached(void)
{
	struct kd *kd = kd_new(.flags = FUSE_CACHE_SYMLINKS);
	char buf[64];
	struct kd_call *c;

	kd_need(kd, FUSE_CACHE_SYMLINKS);
	add_link(kd, "l", 2);
	for (int i = 0; i < 2; i++) {
		c = kd_call_readlink(kd, "l", buf, sizeof(buf));
		kd_reply_error(kd_expect(kd, FUSE_READLINK, 2), -EIO);
		kd_finish(c, -EIO);
	}
	c = kd_call_readlink(kd, "l", buf, sizeof(buf));
	kd_reply(kd_expect(kd, FUSE_READLINK, 2), "target", 6);
	kd_finish(c, 6);
}

static const struct kernel_case cases[] = {
	CASE("readlink/bytes-reach-the-caller", bytes_reach_the_caller),
	CASE("readlink/short-buffer-cuts", short_buffer_cuts),
	CASE("readlink/is-followed", is_followed),
	CASE("readlink/loop-ends", loop_ends),
	CASE("readlink/empty-target", empty_target),
	CASE("readlink/errors-reach-the-caller", errors_reach_the_caller),
	CASE("readlink/longest-target", longest_target),
	CASE("readlink/too-long", too_long),
	CASE("readlink/too-long-for-the-cache", too_long_for_the_cache),
	CASE("readlink/nul-inside", nul_inside,
	     differs(stock, "it cuts a target at a NUL inside; ours is an error, because no target has one")),
	CASE("readlink/nul-inside-the-cache", nul_inside_the_cache,
	     differs(stock, "it cuts a target at a NUL inside; ours is an error, because no target has one")),
	CASE("readlink/nothing-is-left-of-another", nothing_is_left_of_another),
	CASE("readlink/access-time-is-stale", access_time_is_stale),
	CASE("readlink/is-cached-when-negotiated", is_cached_when_negotiated),
	CASE("readlink/cached-until-told", cached_until_told),
	CASE("readlink/errors-are-not-cached", errors_are_not_cached),
};
KERNEL_CASES(cases);
