// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_k_negotiate.c: INIT as the kernel module offers it and takes the
 * answer: every minor version, every length, every flag, and each number at
 * its limits.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "negotiate.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define BEFORE_23 24		/* bytes of an answer */

static const struct fblk_limits limits = { .page_size = 4096, .max_readahead = 128 << 10 };
static struct fblk_proto proto;

/* An answer that takes what it can get. */
static struct fuse_init_out answer(u32 minor)
{
	return (struct fuse_init_out) {
		.major = 7, .minor = minor, .max_readahead = 64 << 10, .flags = UINT32_MAX, .flags2 = UINT32_MAX,
		.max_background = 20, .congestion_threshold = 15, .max_write = 1 << 20, .max_pages = 256, .time_gran = 100,
	};
}

/* As the daemon sends @len bytes of it. */
static int accept_part(const struct fblk_limits *l, const struct fuse_init_out *out, size_t len)
{
	struct fuse_init_out *part = calloc(1, sizeof(*part));
	int err;

	assert_non_null(part);
	memcpy(part, out, len);
	memset(&proto, 0x77, sizeof(proto));
	err = fblk_init_accept(l, part, len, &proto);
	free(part);
	return err;
}

static void accept_all(const struct fuse_init_out *out)
{
	assert_int_equal(accept_part(&limits, out, sizeof(*out)), 0);
}

static void expect_refusal(const struct fuse_init_out *out, size_t len)
{
	struct fblk_proto untouched;

	memset(&untouched, 0x77, sizeof(untouched));
	assert_int_equal(accept_part(&limits, out, len), -EPROTO);
	assert_memory_equal(&proto, &untouched, sizeof(proto));
}

/* ---- the offer ----------------------------------------------------------------------- */

static void offer(void **state)
{
	static const u64 not_yet = FUSE_WRITEBACK_CACHE | FUSE_POSIX_ACL | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS |
		FUSE_EXPORT_SUPPORT | FUSE_HANDLE_KILLPRIV | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SUBMOUNTS |
		FUSE_SPLICE_WRITE | FUSE_SPLICE_MOVE | FUSE_SPLICE_READ | FUSE_SECURITY_CTX | FUSE_HAS_INODE_DAX;
	static const u64 always = FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_INIT_EXT | FUSE_ABORT_ERROR |
		FUSE_DO_READDIRPLUS | FUSE_ASYNC_DIO | FUSE_PARALLEL_DIROPS | FUSE_ATOMIC_O_TRUNC;
	struct fuse_init_in in;

	(void)state;
	memset(&in, 0x77, sizeof(in));
	fblk_init_offer(&limits, &in);
	assert_int_equal(in.major, 7);
	assert_int_equal(in.minor, 38);
	assert_int_equal(in.max_readahead, 128 << 10);
	assert_int_equal(in.flags | (u64)in.flags2 << 32, fblk_offered_flags());
	assert_true(in.flags2 && (in.flags & FUSE_INIT_EXT));
	for (size_t i = 0; i < COUNT(in.unused); i++)
		assert_int_equal(in.unused[i], 0);
	assert_int_equal(fblk_offered_flags() & not_yet, 0);
	assert_int_equal(fblk_offered_flags() & always, always);
}

/* ---- versions and lengths --------------------------------------------------------------- */

static void other_major_versions(void **state)
{
	static const u32 majors[] = { 0, 1, 6, 8, 7 << 8, 0x80000007, UINT32_MAX };

	(void)state;
	for (size_t i = 0; i < COUNT(majors); i++) {
		struct fuse_init_out out = answer(38);

		out.major = majors[i];
		expect_refusal(&out, sizeof(out));
	}
}

static void each_minor_version(void **state)
{
	static const u32 newer[] = { 39, 45, 46, 1000, UINT32_MAX };

	(void)state;
	for (u32 minor = 0; minor < 12; minor++) {
		struct fuse_init_out out = answer(minor);

		expect_refusal(&out, sizeof(out));
		expect_refusal(&out, BEFORE_23);
	}
	for (u32 minor = 12; minor <= 38; minor++) {
		struct fuse_init_out out = answer(minor);

		accept_all(&out);
		assert_int_equal(proto.minor, minor);
		assert_int_equal(proto.flags, fblk_offered_flags());
		assert_int_equal(proto.max_readahead, 64 << 10);
		assert_int_equal(proto.max_background, minor < 13 ? 0 : 20);
		assert_int_equal(proto.congestion_threshold, minor < 13 ? 0 : 15);
		assert_int_equal(proto.time_gran, minor < 23 ? 1 : 100);
		assert_int_equal(proto.max_pages, minor < 23 ? 32 : 256);
		assert_int_equal(proto.max_write, minor < 23 ? 32 * 4096 : 256 * 4096);
	}
	for (size_t i = 0; i < COUNT(newer); i++) {
		struct fuse_init_out out = answer(newer[i]);

		accept_all(&out);
		assert_int_equal(proto.minor, 38);
	}
}

/* What an old daemon's answer of 24 bytes means, whatever version it says it has. */
static void an_answer_of_24_bytes(void **state)
{
	(void)state;
	for (u32 minor = 12; minor <= 38; minor++) {
		struct fuse_init_out out = answer(minor);

		out.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES;
		assert_int_equal(accept_part(&limits, &out, BEFORE_23), 0);
		assert_int_equal(proto.flags, FUSE_ASYNC_READ | FUSE_BIG_WRITES);
		assert_int_equal(proto.time_gran, 1);
		assert_int_equal(proto.max_pages, 32);
		assert_int_equal(proto.max_write, 32 * 4096);
		assert_int_equal(proto.max_background, minor < 13 ? 0 : 20);
	}
}

/* Where it ends, what is missing is not wanted; without a version it is no answer. */
static void each_length(void **state)
{
	const struct fuse_init_out out = answer(38);

	(void)state;
	for (size_t len = 0; len < 8; len++)
		expect_refusal(&out, len);
	for (size_t len = 8; len <= sizeof(out); len++) {
		assert_int_equal(accept_part(&limits, &out, len), 0);
		assert_int_equal(proto.minor, 38);
		if (len >= 36)			/* the end of flags2 */
			assert_int_equal(proto.flags, fblk_offered_flags());
		assert_int_equal(proto.flags & ~fblk_offered_flags(), 0);
		assert_in_range(proto.max_write, 4096, 256 * 4096);
		assert_in_range(proto.max_pages, 1, 256);
		assert_in_range(proto.time_gran, 1, 100);
	}
	assert_int_equal(accept_part(&limits, &out, 8), 0);
	assert_int_equal(proto.flags, 0);
	assert_int_equal(proto.max_readahead, 0);
	assert_int_equal(proto.max_pages, 32);
	assert_int_equal(proto.max_write, 4096);
	assert_int_equal(accept_part(&limits, &out, 32), 0);	/* up to flags2 */
	assert_int_equal(proto.flags >> 32, 0);
}

/* ---- flags ------------------------------------------------------------------------------------ */

static void each_flag_is_masked(void **state)
{
	(void)state;
	for (int bit = 0; bit < 64; bit++) {
		u64 flag = 1ULL << bit, ext = FUSE_INIT_EXT;
		struct fuse_init_out out = answer(38);

		out.flags = (u32)(flag | ext);
		out.flags2 = (u32)(flag >> 32);
		accept_all(&out);
		assert_int_equal(proto.flags, (flag | ext) & fblk_offered_flags());
	}
}

static void flags2_only_with_init_ext(void **state)
{
	struct fuse_init_out out = answer(38);

	(void)state;
	out.flags &= ~(u32)FUSE_INIT_EXT;
	accept_all(&out);
	assert_int_equal(proto.flags, fblk_offered_flags() & UINT32_MAX & ~(u64)FUSE_INIT_EXT);
	out.flags = FUSE_INIT_EXT;
	accept_all(&out);
	assert_int_equal(proto.flags, FUSE_INIT_EXT | (fblk_offered_flags() & ~(u64)UINT32_MAX));
	out.flags = out.flags2 = 0;
	accept_all(&out);
	assert_int_equal(proto.flags, 0);
}

/* ---- numbers ------------------------------------------------------------------------------------ */

static void max_pages(void **state)
{
	static const struct { u16 said; u32 is; } cases[] = {
		{ 0, 1 }, { 1, 1 }, { 2, 2 }, { 31, 31 }, { 32, 32 }, { 33, 33 }, { 255, 255 }, { 256, 256 }, { 257, 256 },
		{ UINT16_MAX, 256 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fuse_init_out out = answer(38);

		out.max_pages = cases[i].said;
		out.max_write = UINT32_MAX;
		accept_all(&out);
		assert_int_equal(proto.max_pages, cases[i].is);
		assert_int_equal(proto.max_write, cases[i].is * 4096);
		out.flags &= ~(u32)FUSE_MAX_PAGES;
		accept_all(&out);
		assert_int_equal(proto.max_pages, 32);
		assert_int_equal(proto.max_write, 32 * 4096);
	}
}

static void max_write(void **state)
{
	static const struct { u32 said, is; } cases[] = {
		{ 0, 4096 }, { 1, 4096 }, { 4095, 4096 }, { 4096, 4096 }, { 4097, 4097 }, { 5000, 5000 }, { 131072, 131072 },
		{ (1 << 20) - 1, (1 << 20) - 1 }, { 1 << 20, 1 << 20 }, { (1 << 20) + 1, 1 << 20 }, { 1u << 31, 1 << 20 },
		{ UINT32_MAX, 1 << 20 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fuse_init_out out = answer(38);

		out.max_write = cases[i].said;
		accept_all(&out);
		assert_int_equal(proto.max_write, cases[i].is);
		out.flags &= ~(u32)FUSE_BIG_WRITES;
		accept_all(&out);
		assert_int_equal(proto.max_write, 4096);
	}
}

static void large_pages(void **state)
{
	struct fblk_limits large = { .page_size = 64 << 10, .max_readahead = 1 << 20 };
	struct fuse_init_out out = answer(38);

	(void)state;
	out.max_write = UINT32_MAX;
	assert_int_equal(accept_part(&large, &out, sizeof(out)), 0);
	assert_int_equal(proto.max_write, 256 * (64 << 10));
	out.max_pages = 0;
	assert_int_equal(accept_part(&large, &out, sizeof(out)), 0);
	assert_int_equal(proto.max_write, 64 << 10);
}

static void max_readahead(void **state)
{
	static const struct { u32 said, is; } cases[] = {
		{ 0, 0 }, { 1, 1 }, { 4096, 4096 }, { (128 << 10) - 1, (128 << 10) - 1 }, { 128 << 10, 128 << 10 },
		{ (128 << 10) + 1, 128 << 10 }, { UINT32_MAX, 128 << 10 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fuse_init_out out = answer(38);

		out.max_readahead = cases[i].said;
		accept_all(&out);
		assert_int_equal(proto.max_readahead, cases[i].is);
	}
}

static void time_gran(void **state)
{
	static const struct { u32 said, is; } cases[] = {
		{ 0, 1 }, { 1, 1 }, { 100, 100 }, { 999999999, 999999999 }, { 1000000000, 1000000000 }, { 1000000001, 1 },
		{ 2000000000, 1 }, { UINT32_MAX, 1 },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fuse_init_out out = answer(38);

		out.time_gran = cases[i].said;
		accept_all(&out);
		assert_int_equal(proto.time_gran, cases[i].is);
	}
}

static void background(void **state)
{
	static const struct { u16 said, most, is; } cases[] = {
		{ 0, 0, 0 }, { 1, 0, 1 }, { UINT16_MAX, 0, UINT16_MAX }, { 0, 10, 0 }, { 9, 10, 9 }, { 10, 10, 10 }, { 11, 10, 10 },
		{ UINT16_MAX, 1, 1 }, { UINT16_MAX, UINT16_MAX, UINT16_MAX },
	};

	(void)state;
	for (size_t i = 0; i < COUNT(cases); i++) {
		struct fblk_limits l = limits;
		struct fuse_init_out out = answer(38);

		out.max_background = cases[i].said;
		out.congestion_threshold = 3;
		l.max_background = cases[i].most;
		assert_int_equal(accept_part(&l, &out, sizeof(out)), 0);
		assert_int_equal(proto.max_background, cases[i].is);
		assert_int_equal(proto.congestion_threshold, 3);
		out.max_background = 3;
		out.congestion_threshold = cases[i].said;
		l.max_background = 0;
		l.congestion_threshold = cases[i].most;
		assert_int_equal(accept_part(&l, &out, sizeof(out)), 0);
		assert_int_equal(proto.congestion_threshold, cases[i].is);
		assert_int_equal(proto.max_background, 3);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(offer),
		cmocka_unit_test(other_major_versions),
		cmocka_unit_test(each_minor_version),
		cmocka_unit_test(an_answer_of_24_bytes),
		cmocka_unit_test(each_length),
		cmocka_unit_test(each_flag_is_masked),
		cmocka_unit_test(flags2_only_with_init_ext),
		cmocka_unit_test(max_pages),
		cmocka_unit_test(max_write),
		cmocka_unit_test(large_pages),
		cmocka_unit_test(max_readahead),
		cmocka_unit_test(time_gran),
		cmocka_unit_test(background),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
