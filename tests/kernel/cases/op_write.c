// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_write.c: WRITE, written through the page cache: how a write(2) is cut, what stays cached of it, what answers mean.
 */
#include <sys/mman.h>
#include "data.h"

/* f of @size bytes, empty otherwise, open for reading and writing. */
static int opened_file(struct kd *kd, uint64_t size)
{
	data_content(kd_add_file(kd, "f", 2, size), size + 64 * PAGE, 1);
	return kd_opened(kd, "f", O_RDWR, 0);
}

static void one_for_each_call(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(1000, 0, 1);
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	for (unsigned int i = 0; i < 3; i++) {
		c = kd_call_write(kd, fd, buf, 1000);
		r = data_expect_write(kd, 2, 1000 * i, 1000);
		CHECK_EQ(ARG(r, fuse_write_in)->fh, 0x1000);
		CHECK_EQ(ARG(r, fuse_write_in)->write_flags, 0);
		CHECK_EQ(ARG(r, fuse_write_in)->lock_owner, 0);
		CHECK_EQ(ARG(r, fuse_write_in)->flags & O_ACCMODE, O_WRONLY);
		CHECK_DATA(r->data, 1000, 0, 1);
		kd_check_blocked(c);
		kd_reply_write(r, 1000);
		kd_finish(c, 1000);
	}
}

/* Write @len bytes at @pos; every WRITE's size is compared. */
static void check_sizes(struct kd *kd, int fd, uint64_t pos, const uint32_t *sizes)
{
	size_t len = 0;
	uint8_t *buf;
	struct kd_call *c;

	for (int i = 0; sizes[i]; i++)
		len += sizes[i];
	buf = data_new(len, pos, 3);
	c = kd_call_pwrite(kd, fd, buf, len, pos);
	for (uint64_t at = pos; *sizes; at += *sizes++) {
		struct kd_req *r = data_expect_write(kd, 2, at, *sizes);

		CHECK_DATA(r->data, *sizes, at, 3);
		kd_reply_write(r, *sizes);
	}
	kd_finish(c, (long)len);
}

static void is_cut_at_max_write(void)
{
	struct kd *kd = kd_new(.max_write = 64 << 10);

	check_sizes(kd, opened_file(kd, 0), 0, (const uint32_t[]){ 65536, 65536, 65536, 8000, 0 });
}

static void large_ones_are_whole(void)
{
	struct kd *kd = kd_new(.max_write = 1 << 20, .max_pages = 256);

	kd_need(kd, FUSE_MAX_PAGES);
	check_sizes(kd, opened_file(kd, 0), 0, (const uint32_t[]){ 1 << 20, 1, 0 });
}

/* A WRITE is of at most max_pages pages, the first of which may be a part. */
static void unaligned_is_cut_at_pages(void)
{
	struct kd *kd = kd_new(.max_write = 64 << 10);

	check_sizes(kd, opened_file(kd, 0), 100, (const uint32_t[]){ 65436, 65536, 28, 0 });
}

static void small_ones_without_big_writes(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ);

	check_sizes(kd, opened_file(kd, 0), 100, (const uint32_t[]){ 3996, 4096, 4096, 10, 0 });
}

static void gathered_from_pieces(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(10000, 0, 3);
	struct iovec iov[6] = { { buf, 0 }, { buf, 1 }, { buf + 1, 4999 }, { NULL, 0 }, { buf + 5000, 5000 }, { buf, 0 } };
	int fd = opened_file(kd, 0);
	struct kd_call *c = kd_sys(kd, SYS_writev, fd, (long)iov, 6);
	struct kd_req *r;

	/* Cut as the kernel likes, for the pieces are brought in one after the other. */
	for (uint64_t at = 0; at < 10000; at += ARG(r, fuse_write_in)->size) {
		r = kd_expect(kd, FUSE_WRITE, 2);
		CHECK_EQ(ARG(r, fuse_write_in)->offset, at);
		CHECK_DATA(r->data, r->data_len, at, 3);
		kd_reply_write(r, (uint32_t)r->data_len);
	}
	kd_finish(c, 10000);
}

static void nothing_is_not_written(void)
{
	struct kd *kd = kd_new();
	struct iovec iov[2] = { { NULL, 0 }, { NULL, 0 } };
	int fd = opened_file(kd, 0);

	kd_finish(kd_call_pwrite(kd, fd, "", 0, 5000), 0);
	kd_finish(kd_sys(kd, SYS_writev, fd, (long)iov, 2), 0);
}

/* ---- the file's end ------------------------------------------------------------ */

static void appends_at_the_end(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_WRONLY | O_APPEND, 0);
	for (unsigned int i = 0; i < 3; i++) {
		c = kd_call_write(kd, fd, "abc", 3);
		kd_reply_write(data_expect_write(kd, 2, 100 + 3 * i, 3), 3);
		kd_finish(c, 3);
	}
}

/* The size is known, the times and blocks are not any more. */
static void attributes_are_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	struct kd_call *c;
	struct stat st;
	int fd = opened_file(kd, 100);

	f = kd_node(kd, 2);
	c = kd_call_pwrite(kd, fd, "abc", 3, 200);
	kd_reply_write(data_expect_write(kd, 2, 200, 3), 3);
	kd_finish(c, 3);
	f->attr.size = 203;
	f->attr.mtime = 7777;
	c = kd_call_fstat(kd, fd, &st);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	CHECK_EQ(st.st_size, 203);
	CHECK_EQ(st.st_mtime, 7777);
}

/* Between the old end and the bytes written there are zeros. */
static void gap_is_zero(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf;
	int fd = opened_file(kd, 100);

	data_check_file(kd, fd, 100, 1);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pwrite(kd, fd, "abc", 3, 5000), 3);
	buf = data_read(kd, fd, 0, 5003);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 4900);
	CHECK_MEM(buf + 5000, "abc", 3);
}

/* What a mapping left past the end does not come into the file with it. */
static void gap_is_zero_after_a_mapping(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf, *map;
	int fd = opened_file(kd, 100);

	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	memset(map + 100, 0xee, 1000);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pwrite(kd, fd, "abc", 3, 5000), 3);
	buf = data_read(kd, fd, 0, 5003);
	CHECK_ZERO(buf + 100, 4900);
	CHECK_MEM(buf + 5000, "abc", 3);
}

/* ---- what stays cached ----------------------------------------------------------- */

static void whole_pages_are_read_back(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(3 * PAGE, 0, 2);
	int fd = opened_file(kd, 0);

	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pwrite(kd, fd, buf, 3 * PAGE, 0), 3 * PAGE);
	data_check_file(kd, fd, 3 * PAGE, 2);
	CHECK_EQ(kd->count[FUSE_READ], 0);
}

/* A part of a page that is not cached is written without reading the rest, which is read when it is needed. */
static void part_of_a_page_needs_no_read(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *buf;
	int fd = opened_file(kd, PAGE);

	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_pwrite(kd, fd, "abc", 3, 1000);
	kd_reply_write(data_expect_write(kd, 2, 1000, 3), 3);
	kd_finish(c, 3);
	CHECK_EQ(kd->count[FUSE_READ], 0);
	memcpy(kd_node(kd, 2)->content + 1000, "abc", 3);
	buf = data_read(kd, fd, 0, PAGE);
	CHECK_DATA(buf, 1000, 0, 1);
	CHECK_MEM(buf + 1000, "abc", 3);
	CHECK_DATA(buf + 1003, PAGE - 1003, 1003, 1);
}

static void part_of_a_cached_page(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf;
	int fd = opened_file(kd, PAGE);

	data_check_file(kd, fd, PAGE, 1);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd->count[FUSE_READ] = 0;
	kd_finish(kd_call_pwrite(kd, fd, "abc", 3, 1000), 3);
	buf = data_read(kd, fd, 0, PAGE);
	CHECK_EQ(kd->count[FUSE_READ], 0);
	CHECK_DATA(buf, 1000, 0, 1);
	CHECK_MEM(buf + 1000, "abc", 3);
	CHECK_DATA(buf + 1003, PAGE - 1003, 1003, 1);
}

static void is_seen_by_a_mapping(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd = opened_file(kd, PAGE);

	map = data_map(fd, PAGE, PROT_READ, MAP_SHARED);
	kd_auto(kd, FUSE_READ);
	kd_finish(kd_call_touch(kd, map, false), 0);
	CHECK_DATA(map, PAGE, 0, 1);
	kd_auto(kd, FUSE_WRITE);
	kd_finish(kd_call_pwrite(kd, fd, "abc", 3, 1000), 3);
	CHECK_MEM(map + 1000, "abc", 3);
}

/* ---- answers ------------------------------------------------------------------------ */

/* The caller is told what was taken; the rest is its affair. */
static void short_answer(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(2 * PAGE, 0, 2);
	struct kd_call *c;
	int fd = opened_file(kd, 0);

	c = kd_call_write(kd, fd, buf, 2 * PAGE);
	kd_reply_write(data_expect_write(kd, 2, 0, 2 * PAGE), 5000);
	kd_finish(c, 5000);
	/* The position moved by as much. */
	c = kd_call_write(kd, fd, "x", 1);
	kd_reply_write(data_expect_write(kd, 2, 5000, 1), 1);
	kd_finish(c, 1);
}

static void short_answer_does_not_stay_cached(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(2 * PAGE, 0, 2);
	struct kd_call *c;
	int fd = opened_file(kd, 2 * PAGE);

	data_check_file(kd, fd, 2 * PAGE, 1);
	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_pwrite(kd, fd, buf, 2 * PAGE, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 2 * PAGE), PAGE + 10);
	kd_finish(c, PAGE + 10);
	memcpy(kd_node(kd, 2)->content, buf, PAGE + 10);
	buf = data_read(kd, fd, 0, 2 * PAGE);
	CHECK_DATA(buf, PAGE + 10, 0, 2);
	CHECK_DATA(buf + PAGE + 10, PAGE - 10, PAGE + 10, 1);
}

static void answer_of_nothing(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd = opened_file(kd, 0);

	c = kd_call_pwrite(kd, fd, "abc", 3, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 3), 0);
	kd_finish(c, -EIO);
}

static void more_than_asked_is_an_error(void)
{
	static const uint32_t sizes[] = { 4, 4096, INT32_MAX, 0x80000000u, UINT32_MAX };
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;
	int fd = opened_file(kd, 10);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		c = kd_call_pwrite(kd, fd, "abc", 3, 100);
		kd_reply_write(data_expect_write(kd, 2, 100, 3), sizes[i]);
		kd_finish(c, -EIO);
	}
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 10);
}

static void error_reaches_the_caller(void)
{
	static const int errors[] = { ENOSPC, EDQUOT, EIO, EDOM };
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;
	int fd = opened_file(kd, 10);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		c = kd_call_pwrite(kd, fd, "abc", 3, 100);
		kd_reply_error(data_expect_write(kd, 2, 100, 3), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 10);
	/* It is nobody else's. */
	kd_auto(kd, FUSE_FSYNC);
	kd_finish(kd_call_fsync(kd, fd), 0);
}

static void failed_data_does_not_stay_cached(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(PAGE, 0, 2);
	struct kd_call *c;
	int fd = opened_file(kd, 2 * PAGE);

	data_check_file(kd, fd, 2 * PAGE, 1);
	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_pwrite(kd, fd, buf, PAGE, 100);
	kd_reply_error(data_expect_write(kd, 2, 100, PAGE), -EIO);
	kd_finish(c, -EIO);
	data_check_file(kd, fd, 2 * PAGE, 1);
}

/* The parts before it count. */
static void error_of_a_later_part(void)
{
	struct kd *kd = kd_new(.max_write = 8192);
	uint8_t *buf = data_new(20000, 0, 2);
	struct kd_call *c;
	int fd = opened_file(kd, 0);

	c = kd_call_pwrite(kd, fd, buf, 20000, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 8192), 8192);
	kd_reply_error(data_expect_write(kd, 2, 8192, 8192), -ENOSPC);
	kd_finish(c, 8192);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 4, sizeof(struct fuse_write_out) - 1, sizeof(struct fuse_write_out) + 1 };
	struct kd *kd = kd_new();
	struct fuse_write_out out[2] = { { .size = 3 } };
	int fd = opened_file(kd, 0);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_pwrite(kd, fd, "abc", 3, 0);

		CHECK_EQ(kd_try_reply(data_expect_write(kd, 2, 0, 3), 0, out, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* ---- the caller's memory --------------------------------------------------------------- */

/* A page of bytes, and one past the end of the file that is mapped. */
static uint8_t *page_and_hole(void)
{
	int fd = memfd_create("page", MFD_CLOEXEC);

	CHECK_EQ(ftruncate(fd, PAGE), 0);
	return data_map(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
}

static void unreadable_memory(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = page_and_hole();
	struct kd_call *c;
	int fd = opened_file(kd, 0);

	data_fill(buf, PAGE, 0, 2);
	kd_finish(kd_call_pwrite(kd, fd, buf + PAGE, PAGE, 0), -EFAULT);
	/* As far as it goes. */
	c = kd_call_pwrite(kd, fd, buf, 2 * PAGE, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	kd_finish(c, PAGE);
}

/* The bytes come from a mapping of the very page that they go to. */
static void from_its_own_page(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = opened_file(kd, PAGE);

	map = data_map(fd, PAGE, PROT_READ, MAP_PRIVATE);
	kd_auto(kd, FUSE_READ);
	c = kd_call_pwrite(kd, fd, map, 1000, 1000);
	kd_reply_write(data_expect_write(kd, 2, 1000, 1000), 1000);
	kd_finish(c, 1000);
}

/* Two writers of a file take turns. */
static void one_at_a_time(void)
{
	struct kd *kd = kd_new();
	struct kd_call *a, *b;
	struct kd_req *r;
	int fd = opened_file(kd, 0);

	a = kd_call_pwrite(kd, fd, "aaa", 3, 0);
	r = data_expect_write(kd, 2, 0, 3);
	b = kd_call_pwrite(kd, fd, "bbb", 3, 3);
	kd_no_request(kd, 30);
	kd_reply_write(r, 3);
	kd_reply_write(data_expect_write(kd, 2, 3, 3), 3);
	kd_finish(a, 3);
	kd_finish(b, 3);
}

static const struct kernel_case cases[] = {
	CASE("write/one-for-each-call", one_for_each_call),
	CASE("write/is-cut-at-max-write", is_cut_at_max_write),
	CASE("write/large-ones-are-whole", large_ones_are_whole),
	CASE("write/unaligned-is-cut-at-pages", unaligned_is_cut_at_pages,
	     differs(stock, "it ends a WRITE at a part of a page that is not cached")),
	CASE("write/small-ones-without-big-writes", small_ones_without_big_writes),
	CASE("write/gathered-from-pieces", gathered_from_pieces),
	CASE("write/nothing-is-not-written", nothing_is_not_written),
	CASE("write/appends-at-the-end", appends_at_the_end),
	CASE("write/attributes-are-asked-for", attributes_are_asked_for),
	CASE("write/gap-is-zero", gap_is_zero),
	CASE("write/gap-is-zero-after-a-mapping", gap_is_zero_after_a_mapping,
	     differs(stock, "what a mapping wrote past the end comes into the file when it grows")),
	CASE("write/whole-pages-are-read-back", whole_pages_are_read_back),
	CASE("write/part-of-a-page-needs-no-read", part_of_a_page_needs_no_read),
	CASE("write/part-of-a-cached-page", part_of_a_cached_page),
	CASE("write/is-seen-by-a-mapping", is_seen_by_a_mapping),
	CASE("write/short-answer", short_answer),
	CASE("write/short-answer-does-not-stay-cached", short_answer_does_not_stay_cached),
	CASE("write/answer-of-nothing", answer_of_nothing),
	CASE("write/more-than-asked-is-an-error", more_than_asked_is_an_error),
	CASE("write/error-reaches-the-caller", error_reaches_the_caller),
	CASE("write/failed-data-does-not-stay-cached", failed_data_does_not_stay_cached),
	CASE("write/error-of-a-later-part", error_of_a_later_part),
	CASE("write/wrong-lengths", wrong_lengths),
	CASE("write/unreadable-memory", unreadable_memory),
	CASE("write/from-its-own-page", from_its_own_page),
	CASE("write/one-at-a-time", one_at_a_time),
};
KERNEL_CASES(cases);
