// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_open.c: OPEN: its flags, truncation, daemons that need no OPEN, what its answer changes.
 */
#include <sys/mman.h>
#include "data.h"

#define PASSED (O_ACCMODE | O_APPEND | O_NONBLOCK | O_SYNC | O_TRUNC | O_CREAT | O_EXCL | O_NOCTTY | O_NOFOLLOW)

static void flags_are_passed(void)
{
	static const int flags[] = {
		O_RDONLY, O_WRONLY, O_RDWR, O_RDWR | O_APPEND, O_WRONLY | O_NONBLOCK, O_RDWR | O_SYNC,
		O_WRONLY | O_DSYNC, O_RDONLY | O_NOCTTY, O_RDONLY | O_NOFOLLOW,
	};
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 0);
	for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
		struct kd_call *c = kd_call_open(kd, "f", flags[i], 0);
		struct kd_req *r = kd_expect(kd, FUSE_OPEN, 2);

		CHECK_EQ(ARG(r, fuse_open_in)->flags & PASSED, flags[i] & ~O_NOCTTY);
		CHECK_EQ(ARG(r, fuse_open_in)->open_flags, 0);
		kd_reply_open(r, 1, 0);
		CHECK(kd_wait(c) >= 0);
	}
}

/* Each descriptor's calls name its own handle. */
static void handle_is_per_descriptor(void)
{
	struct kd *kd = kd_new();
	int a, b;
	struct kd_call *c;
	struct kd_req *r;
	char byte = 1;

	kd_add_file(kd, "f", 2, 0);
	a = kd_opened(kd, "f", O_WRONLY, 0);
	b = kd_opened(kd, "f", O_WRONLY, 0);
	for (int i = 0; i < 2; i++) {
		c = kd_call_pwrite(kd, i ? a : b, &byte, 1, 0);
		r = data_expect_write(kd, 2, 0, 1);
		CHECK_EQ(ARG(r, fuse_write_in)->fh, i ? 0x1000 : 0x1001);
		kd_reply_write(r, 1);
		kd_finish(c, 1);
	}
}

static void error_reaches_the_caller(void)
{
	static const int errors[] = { EROFS, EACCES, ENXIO, EDOM, ETXTBSY };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 0);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_open(kd, "f", O_RDWR, 0);

		kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 0);
	kd_check_balance(kd);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 8, sizeof(struct fuse_open_out) - 1, sizeof(struct fuse_open_out) + 1 };
	struct kd *kd = kd_new();
	uint8_t body[64] = { 0 };

	kd_add_file(kd, "f", 2, 0);
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_open(kd, "f", O_RDONLY, 0);

		CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_OPEN, 2), 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* ---- truncation ---------------------------------------------------------- */

static void truncates_in_open(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 5000);
	struct kd_call *c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
	struct kd_req *r = kd_expect(kd, FUSE_OPEN, 2);
	struct stat st;

	CHECK(ARG(r, fuse_open_in)->flags & O_TRUNC);
	f->attr.size = 0;
	kd_reply_open(r, 1, 0);
	CHECK(kd_wait(c) >= 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(kd->count[FUSE_SETATTR], 0);
	/* The times have changed, too. */
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
}

static void truncates_by_setattr(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES);
	struct kd_node *f = kd_add_file(kd, "f", 2, 5000);
	struct kd_call *c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
	struct kd_req *r = kd_expect(kd, FUSE_OPEN, 2);
	const struct fuse_setattr_in *in;

	CHECK(!(ARG(r, fuse_open_in)->flags & O_TRUNC));
	kd_reply_open(r, 1, 0);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	in = r->arg;
	CHECK_EQ(in->valid & ~(FATTR_LOCKOWNER | FATTR_CTIME), FATTR_SIZE);
	CHECK_EQ(in->size, 0);
	f->attr.size = 0;
	kd_reply_attr(r, f);
	CHECK(kd_wait(c) >= 0);
}

/* The open fails with the SETATTR; the handle is given back. */
static void failed_setattr_closes(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_BIG_WRITES);
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 5000);
	kd_manual(kd, FUSE_RELEASE);
	c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 1, 0);
	kd_reply_error(kd_expect(kd, FUSE_SETATTR, 2), -ENOSPC);
	kd_reply_error(kd_expect(kd, FUSE_RELEASE, 2), 0);
	kd_finish(c, -ENOSPC);
}

static void failed_truncation_keeps_the_size(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 5000, 1);
	int fd = kd_opened(kd, "f", O_RDONLY, 0);
	struct kd_call *c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);

	(void)f;
	kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -EPERM);
	kd_finish(c, -EPERM);
	data_check_file(kd, fd, 5000, 1);
}

static void truncation_drops_pages(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 5000, 1);
	int fd = kd_opened(kd, "f", O_RDONLY, 0);
	struct kd_call *c;
	char byte;

	data_check_file(kd, fd, 5000, 1);
	c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
	f->attr.size = 0;
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 1, FOPEN_KEEP_CACHE);
	CHECK(kd_wait(c) >= 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 0), 0);
}

/* ---- daemons that need no OPEN -------------------------------------------- */

static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_NO_OPEN_SUPPORT);
	struct kd_call *c;
	struct kd_req *r;
	char byte;
	long fd;

	kd_need(kd, FUSE_NO_OPEN_SUPPORT);
	kd_add_file(kd, "f", 2, 1);
	kd_add_file(kd, "g", 3, 1);
	kd_manual(kd, FUSE_RELEASE);
	c = kd_call_open(kd, "f", O_RDONLY, 0);
	kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -ENOSYS);
	fd = kd_wait(c);
	CHECK(fd >= 0);
	c = kd_call_pread(kd, (int)fd, &byte, 1, 0);
	r = data_expect_read(kd, 2, 0, PAGE);
	CHECK_EQ(ARG(r, fuse_read_in)->fh, 0);
	data_reply(r, 1, 1);
	kd_finish(c, 1);
	CHECK(kd_wait(kd_call_open(kd, "g", O_RDWR, 0)) >= 0);
	kd_finish(kd_call_close(kd, (int)fd), 0);
	kd_no_request(kd, 50);
}

/* libfuse does not say in its INIT answer that it will say so to OPEN. */
static void enosys_counts_without_the_flag(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ);
	struct kd_call *c;

	kd_need(kd, FUSE_NO_OPEN_SUPPORT);
	kd_add_file(kd, "f", 2, 1);
	c = kd_call_open(kd, "f", O_RDONLY, 0);
	kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -ENOSYS);
	CHECK(kd_wait(c) >= 0);
	CHECK(kd_wait(kd_call_open(kd, "f", O_RDONLY, 0)) >= 0);
}

/* A daemon that is not asked to open is still asked to truncate. */
static void unasked_open_truncates(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_NO_OPEN_SUPPORT | FUSE_ATOMIC_O_TRUNC);
	struct kd_node *f = data_file(kd, 5000, 1);

	for (int first = 1; first >= 0; first--) {
		struct kd_call *c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
		struct kd_req *r;

		if (first)
			kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -ENOSYS);
		r = kd_expect(kd, FUSE_SETATTR, 2);
		CHECK(ARG(r, fuse_setattr_in)->valid & FATTR_SIZE);
		CHECK_EQ(ARG(r, fuse_setattr_in)->size, 0);
		f->attr.size = 0;
		kd_reply_attr(r, f);
		CHECK(kd_wait(c) >= 0);
	}
}

/* Where nobody is asked, what is cached stays. */
static void unasked_open_keeps_the_cache(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_NO_OPEN_SUPPORT);
	struct kd_call *c;
	long fd;

	data_file(kd, 5000, 1);
	c = kd_call_open(kd, "f", O_RDONLY, 0);
	kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -ENOSYS);
	fd = kd_wait(c);
	CHECK(fd >= 0);
	data_check_file(kd, (int)fd, 5000, 1);
	fd = kd_wait(kd_call_open(kd, "f", O_RDONLY, 0));
	CHECK(fd >= 0);
	kd->count[FUSE_READ] = 0;
	data_check_file(kd, (int)fd, 5000, 1);
	CHECK_EQ(kd->count[FUSE_READ], 0);
}

/* ---- what the answer changes ----------------------------------------------- */

/* How many READs a second open with @open_flags costs. */
static uint32_t reads_after_reopening(uint32_t open_flags)
{
	struct kd *kd = kd_new();
	int fd;

	data_file(kd, 5000, 1);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	data_check_file(kd, fd, 5000, 1);
	kd->count[FUSE_READ] = 0;
	fd = kd_opened(kd, "f", O_RDONLY, open_flags);
	data_check_file(kd, fd, 5000, 1);
	return kd->count[FUSE_READ];
}

static void keep_cache_keeps(void)
{
	CHECK_EQ(reads_after_reopening(FOPEN_KEEP_CACHE), 0);
}

static void cache_is_dropped(void)
{
	CHECK(reads_after_reopening(0) > 0);
}

/* What a mapping made dirty is not lost with the cache. */
static void dropped_cache_is_written_first(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	struct kd_call *c;
	struct kd_req *r;

	data_file(kd, 2 * PAGE, 1);
	map = data_map(kd_opened(kd, "f", O_RDWR, 0), 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 1);
	c = kd_call_open(kd, "f", O_RDONLY, 0);
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 7, 0);
	r = data_expect_write(kd, 2, PAGE, PAGE);
	CHECK_EQ(*(const uint8_t *)r->data, TOUCHED);
	kd_reply_write(r, PAGE);
	CHECK(kd_wait(c) >= 0);
}

static void nonseekable(void)
{
	struct kd *kd = kd_new();
	char byte;
	int fd;

	data_file(kd, 100, 1);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_NONSEEKABLE);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_SET), -ESPIPE);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_CUR), -ESPIPE);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 0), -ESPIPE);
	kd_finish(kd_call_read(kd, fd, &byte, 1), 1);
	CHECK_EQ((uint8_t)byte, data_byte(0, 1));
	kd_finish(kd_call_read(kd, fd, &byte, 1), 1);
	CHECK_EQ((uint8_t)byte, data_byte(1, 1));
}

/* A stream has no position: two readers do not wait for each other, and each READ is at 0. */
static void stream(void)
{
	struct kd *kd = kd_new();
	struct kd_call *a, *b;
	struct kd_req *r, *s;
	char byte[2];
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_STREAM | FOPEN_DIRECT_IO);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_SET), -ESPIPE);
	a = kd_call_read(kd, fd, &byte[0], 1);
	r = data_expect_read(kd, 2, 0, 1);
	b = kd_call_read(kd, fd, &byte[1], 1);
	s = data_expect_read(kd, 2, 0, 1);
	data_reply(s, 1, 2);
	kd_finish(b, 1);
	data_reply(r, 1, 1);
	kd_finish(a, 1);
	CHECK_EQ((uint8_t)byte[0], data_byte(0, 1));
	CHECK_EQ((uint8_t)byte[1], data_byte(0, 2));
}

static void noflush(void)
{
	struct kd *kd = kd_new();
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDWR, FOPEN_NOFLUSH);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_FLUSH], 0);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
	/* It is the descriptor's, not the file's. */
	kd_finish(kd_call_close(kd, kd_opened(kd, "f", O_RDWR, 0)), 0);
	CHECK_EQ(kd->count[FUSE_FLUSH], 1);
}

/* Bits that mean nothing are ignored. */
static void unknown_flags_are_ignored(void)
{
	struct kd *kd = kd_new();

	data_file(kd, 100, 1);
	data_check_file(kd, kd_opened(kd, "f", O_RDONLY, 0xffff0000), 100, 1);
}

static const struct kernel_case cases[] = {
	CASE("open/flags-are-passed", flags_are_passed),
	CASE("open/handle-is-per-descriptor", handle_is_per_descriptor),
	CASE("open/error-reaches-the-caller", error_reaches_the_caller),
	CASE("open/wrong-lengths", wrong_lengths),
	CASE("open/truncates-in-open", truncates_in_open),
	CASE("open/truncates-by-setattr", truncates_by_setattr),
	CASE("open/unasked-truncates", unasked_open_truncates,
	     differs(stock, "with OPEN answered ENOSYS and ATOMIC_O_TRUNC the truncation reaches nobody")),
	CASE("open/failed-setattr-closes", failed_setattr_closes),
	CASE("open/failed-truncation-keeps-the-size", failed_truncation_keeps_the_size),
	CASE("open/truncation-drops-pages", truncation_drops_pages),
	CASE("open/enosys-is-for-ever", enosys_is_for_ever),
	CASE("open/enosys-counts-without-the-flag", enosys_counts_without_the_flag),
	CASE("open/unasked-keeps-the-cache", unasked_open_keeps_the_cache),
	CASE("open/keep-cache-keeps", keep_cache_keeps),
	CASE("open/cache-is-dropped", cache_is_dropped),
	CASE("open/dropped-cache-is-written-first", dropped_cache_is_written_first),
	CASE("open/nonseekable", nonseekable),
	CASE("open/stream", stream),
	CASE("open/noflush", noflush),
	CASE("open/unknown-flags-are-ignored", unknown_flags_are_ignored),
};
KERNEL_CASES(cases);
