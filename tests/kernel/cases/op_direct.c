// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_direct.c: READ and WRITE past the page cache: O_DIRECT and FOPEN_DIRECT_IO.
 */
#include <signal.h>
#include <sys/mman.h>
#include "data.h"

#define FOPEN_STALE "I/O of a FOPEN_DIRECT_IO file does not heed what others cache of it"

/* f of @size bytes, with contents, opened with @flags; nothing is answered unasked. */
static int opened_file(struct kd *kd, uint64_t size, int flags, uint32_t open_flags)
{
	data_content(kd_add_file(kd, "f", 2, size), size + 64 * PAGE, 1);
	return kd_opened(kd, "f", flags, open_flags);
}

/* ---- reading -------------------------------------------------------------- */

static void reads_what_is_asked(void)
{
	static const uint32_t open_flags[] = { 0, FOPEN_DIRECT_IO };

	for (int i = 0; i < 2; i++) {
		struct kd *kd = kd_new();
		uint8_t *buf = data_room(PAGE);
		struct kd_call *c;
		struct kd_req *r;
		int fd = opened_file(kd, 10000, O_RDONLY | (i ? 0 : O_DIRECT), open_flags[i]);

		c = kd_call_pread(kd, fd, buf + 3, 100, 7);
		r = data_expect_read(kd, 2, 7, 100);
		CHECK_EQ(ARG(r, fuse_read_in)->fh, 0x1000);
		CHECK_EQ(!!(ARG(r, fuse_read_in)->flags & O_DIRECT), !i);
		data_reply(r, 100, 1);
		kd_finish(c, 100);
		CHECK_DATA(buf + 3, 100, 7, 1);
		CHECK_ZERO(buf, 3);
		CHECK_ZERO(buf + 103, 100);
		/* Once more, for nothing is kept. */
		c = kd_call_pread(kd, fd, buf, 1, 7);
		data_reply(data_expect_read(kd, 2, 7, 1), 1, 1);
		kd_finish(c, 1);
		kd_finish(kd_call_close(kd, fd), 0);
		kd_stop(kd);
	}
}

/* One after the other. */
static void reading_is_cut(void)
{
	struct kd *kd = kd_new(.max_pages = 16, .max_write = 65536);
	uint8_t *buf = data_room(150000);
	struct kd_call *c;
	int fd = opened_file(kd, 150000, O_RDONLY | O_DIRECT, 0);

	c = kd_call_pread(kd, fd, buf, 150000, 0);
	for (uint32_t at = 0; at < 131072; at += 65536) {
		struct kd_req *r = data_expect_read(kd, 2, at, 65536);

		kd_no_request(kd, 20);
		data_reply(r, 65536, 1);
	}
	data_reply(data_expect_read(kd, 2, 131072, 18928), 18928, 1);
	kd_finish(c, 150000);
	CHECK_DATA(buf, 150000, 0, 1);
}

static void reading_is_cut_at_max_read(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192");
	uint8_t *buf = data_room(20000);
	struct kd_call *c;
	int fd = opened_file(kd, 20000, O_RDONLY, FOPEN_DIRECT_IO);

	c = kd_call_pread(kd, fd, buf, 20000, 0);
	data_reply(data_expect_read(kd, 2, 0, 8192), 8192, 1);
	data_reply(data_expect_read(kd, 2, 8192, 8192), 8192, 1);
	data_reply(data_expect_read(kd, 2, 16384, 3616), 3616, 1);
	kd_finish(c, 20000);
	CHECK_DATA(buf, 20000, 0, 1);
}

/* It ends the call. */
static void short_read(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192");
	uint8_t *buf = data_room(20000);
	struct kd_call *c;
	int fd = opened_file(kd, 20000, O_RDONLY, FOPEN_DIRECT_IO);

	c = kd_call_pread(kd, fd, buf, 20000, 0);
	data_reply(data_expect_read(kd, 2, 0, 8192), 5000, 1);
	kd_finish(c, 5000);
	CHECK_DATA(buf, 5000, 0, 1);
	c = kd_call_pread(kd, fd, buf, 20000, 0);
	kd_reply(data_expect_read(kd, 2, 0, 8192), NULL, 0);
	kd_finish(c, 0);
}

/* FOPEN_DIRECT_IO does not care what size is known, O_DIRECT does. */
static void past_the_end(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char byte;
	int fd = opened_file(kd, 100, O_RDONLY, FOPEN_DIRECT_IO);

	c = kd_call_pread(kd, fd, &byte, 1, 5000);
	data_reply(data_expect_read(kd, 2, 5000, 1), 1, 1);
	kd_finish(c, 1);
	CHECK_EQ((uint8_t)byte, data_byte(5000, 1));
	fd = kd_opened(kd, "f", O_RDONLY | O_DIRECT, 0);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 5000), 0);
}

static void read_errors(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192");
	uint8_t *buf = data_room(20000);
	struct kd_call *c;
	int fd = opened_file(kd, 20000, O_RDONLY, FOPEN_DIRECT_IO);

	c = kd_call_pread(kd, fd, buf, 100, 0);
	kd_reply_error(data_expect_read(kd, 2, 0, 100), -EDOM);
	kd_finish(c, -EDOM);
	/* What came before it counts. */
	c = kd_call_pread(kd, fd, buf, 20000, 0);
	data_reply(data_expect_read(kd, 2, 0, 8192), 8192, 1);
	kd_reply_error(data_expect_read(kd, 2, 8192, 8192), -EIO);
	kd_finish(c, 8192);
	CHECK_DATA(buf, 8192, 0, 1);
}

static void longer_than_asked_is_refused(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(PAGE), *body = data_new(PAGE, 0, 1);
	struct kd_call *c;
	int fd = opened_file(kd, 20000, O_RDONLY, FOPEN_DIRECT_IO);

	c = kd_call_pread(kd, fd, buf, 100, 0);
	CHECK_EQ(kd_try_reply(data_expect_read(kd, 2, 0, 100), 0, body, 101), -EINVAL);
	kd_finish(c, -EIO);
	CHECK_ZERO(buf + 100, PAGE - 100);
}

/* ---- writing ---------------------------------------------------------------- */

static void writes_what_is_given(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(200, 7, 1);
	struct kd_call *c;
	struct kd_req *r;
	int fd = opened_file(kd, 10000, O_RDWR | O_DIRECT, 0);

	c = kd_call_pwrite(kd, fd, buf, 200, 7);
	r = data_expect_write(kd, 2, 7, 200);
	CHECK_EQ(ARG(r, fuse_write_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_write_in)->write_flags & FUSE_WRITE_CACHE, 0);
	CHECK(ARG(r, fuse_write_in)->flags & O_DIRECT);
	CHECK_DATA(r->data, 200, 7, 1);
	kd_reply_write(r, 200);
	kd_finish(c, 200);
}

static void writing_is_cut(void)
{
	struct kd *kd = kd_new(.max_write = 65536);
	uint8_t *buf = data_new(150000, 0, 1);
	struct kd_call *c;
	struct kd_req *r;
	int fd = opened_file(kd, 0, O_RDWR, FOPEN_DIRECT_IO);

	c = kd_call_pwrite(kd, fd, buf, 150000, 0);
	for (uint32_t at = 0; at < 150000; at += 65536) {
		r = data_expect_write(kd, 2, at, at + 65536 < 150000 ? 65536 : 150000 - at);
		CHECK_DATA(r->data, r->data_len, at, 1);
		kd_reply_write(r, (uint32_t)r->data_len);
	}
	kd_finish(c, 150000);
}

static void short_write(void)
{
	struct kd *kd = kd_new(.max_write = 8192);
	uint8_t *buf = data_new(20000, 0, 1);
	struct kd_call *c;
	int fd = opened_file(kd, 0, O_RDWR, FOPEN_DIRECT_IO);

	c = kd_call_write(kd, fd, buf, 20000);
	kd_reply_write(data_expect_write(kd, 2, 0, 8192), 5000);
	kd_finish(c, 5000);
	c = kd_call_write(kd, fd, buf, 10);
	kd_reply_write(data_expect_write(kd, 2, 5000, 10), 10);
	kd_finish(c, 10);
}

static void write_errors(void)
{
	struct kd *kd = kd_new(.max_write = 8192);
	uint8_t *buf = data_new(20000, 0, 1);
	struct kd_call *c;
	int fd = opened_file(kd, 0, O_RDWR, FOPEN_DIRECT_IO);

	c = kd_call_pwrite(kd, fd, buf, 10, 0);
	kd_reply_error(data_expect_write(kd, 2, 0, 10), -ENOSPC);
	kd_finish(c, -ENOSPC);
	c = kd_call_pwrite(kd, fd, buf, 20000, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 8192), 8192);
	kd_reply_error(data_expect_write(kd, 2, 8192, 8192), -ENOSPC);
	kd_finish(c, 8192);
}

static void more_than_given_is_an_error(void)
{
	static const uint32_t sizes[] = { 11, 4096, 0x80000000u, UINT32_MAX };
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(20, 0, 1);
	int fd = opened_file(kd, 0, O_RDWR, FOPEN_DIRECT_IO);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct kd_call *c = kd_call_pwrite(kd, fd, buf, 10, 0);

		kd_reply_write(data_expect_write(kd, 2, 0, 10), sizes[i]);
		kd_finish(c, -EIO);
	}
}

static void appends_at_the_end(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(20, 0, 1);
	struct kd_call *c;
	int fd = opened_file(kd, 100, O_WRONLY | O_APPEND | O_DIRECT, 0);

	for (unsigned int i = 0; i < 2; i++) {
		c = kd_call_write(kd, fd, buf, 10);
		kd_reply_write(data_expect_write(kd, 2, 100 + 10 * i, 10), 10);
		kd_finish(c, 10);
	}
}

/* fcntl() makes a descriptor direct, and not. */
static void can_be_switched(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char byte;
	int fd = opened_file(kd, 100, O_RDONLY, 0);

	data_check_file(kd, fd, 100, 1);
	CHECK_EQ(fcntl(fd, F_SETFL, O_DIRECT), 0);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	data_reply(data_expect_read(kd, 2, 0, 1), 1, 2);
	kd_finish(c, 1);
	CHECK_EQ((uint8_t)byte, data_byte(0, 2));
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 0), 1);
	CHECK_EQ((uint8_t)byte, data_byte(0, 1));
}

/* The same owner that FLUSH names. */
static void lock_owner_is_told(void)
{
	struct kd *kd = kd_new();
	uint64_t owner;
	struct kd_call *c;
	struct kd_req *r;
	char byte = 1;
	int fd = opened_file(kd, 100, O_RDWR, FOPEN_DIRECT_IO);

	kd_manual(kd, FUSE_FLUSH);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	r = data_expect_read(kd, 2, 0, 1);
	CHECK(ARG(r, fuse_read_in)->read_flags & FUSE_READ_LOCKOWNER);
	owner = ARG(r, fuse_read_in)->lock_owner;
	data_reply(r, 1, 1);
	kd_finish(c, 1);
	c = kd_call_pwrite(kd, fd, &byte, 1, 0);
	r = data_expect_write(kd, 2, 0, 1);
	CHECK(ARG(r, fuse_write_in)->write_flags & FUSE_WRITE_LOCKOWNER);
	CHECK(ARG(r, fuse_write_in)->lock_owner == owner);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_FLUSH, 2);
	CHECK(ARG(r, fuse_flush_in)->lock_owner == owner);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

/* ---- beside cached data ---------------------------------------------------------- */

/* Of one who reads through the cache. */
static void check_drops_pages(int flags, uint32_t open_flags)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(PAGE, PAGE, 2);
	int fd = opened_file(kd, 3 * PAGE, O_RDONLY, 0), direct;

	direct = kd_opened(kd, "f", O_WRONLY | flags, open_flags | FOPEN_KEEP_CACHE);
	data_check_file(kd, fd, 3 * PAGE, 1);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pwrite(kd, direct, buf, 100, PAGE + 10), 100);
	data_fill(buf + 10, 100, PAGE, 2);
	data_fill(buf, 10, PAGE, 1);
	data_fill(buf + 110, PAGE - 110, PAGE + 110, 1);
	CHECK_MEM(data_read(kd, fd, PAGE, PAGE), buf, PAGE);
	/* The others stay. */
	kd->count[FUSE_READ] = 0;
	CHECK_DATA(data_read(kd, fd, 0, PAGE), PAGE, 0, 1);
	CHECK_EQ(kd->count[FUSE_READ], 0);
}

static void writing_drops_cached_pages(void)
{
	check_drops_pages(O_DIRECT, 0);
}

static void writing_drops_cached_pages_of_fopen(void)
{
	check_drops_pages(0, FOPEN_DIRECT_IO);
}

/* What a mapping made dirty goes to the daemon before it is read from there. */
static void check_dirty_first(int flags, uint32_t open_flags, bool write)
{
	struct kd *kd = kd_new();
	uint8_t *map, *buf = data_new(100, 0, 2);
	struct kd_call *c;
	int fd = opened_file(kd, 2 * PAGE, O_RDWR, 0), direct;

	direct = kd_opened(kd, "f", O_RDWR | flags, open_flags | FOPEN_KEEP_CACHE);
	map = data_map(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = write ? kd_call_pwrite(kd, direct, buf, 100, 0) : kd_call_pread(kd, direct, buf, 100, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	if (write)
		kd_reply_write(data_expect_write(kd, 2, 0, 100), 100);
	else
		data_reply(data_expect_read(kd, 2, 0, 100), 100, 1);
	kd_finish(c, 100);
}

static void dirty_pages_go_before_a_read(void)
{
	check_dirty_first(O_DIRECT, 0, false);
}

static void dirty_pages_go_before_a_write(void)
{
	check_dirty_first(O_DIRECT, 0, true);
}

static void dirty_pages_go_before_a_read_of_fopen(void)
{
	check_dirty_first(0, FOPEN_DIRECT_IO, false);
}

static void dirty_pages_go_before_a_write_of_fopen(void)
{
	check_dirty_first(0, FOPEN_DIRECT_IO, true);
}

static void size_grows(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(10, 5000, 1);
	struct kd_node *f;
	struct stat st;
	int fd = opened_file(kd, 100, O_RDWR | O_DIRECT, 0);

	f = kd_node(kd, 2);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_pwrite(kd, fd, buf, 10, 5000), 10);
	f->attr.mtime = 7777;
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 5010);
	CHECK_EQ(st.st_mtime, 7777);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	buf = data_read(kd, fd, 0, 5010);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 4900);
	CHECK_DATA(buf + 5000, 10, 5000, 1);
}

/* The memory is a mapping of the same file, not yet read in. */
static void into_a_mapping_of_the_file(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = opened_file(kd, 2 * PAGE, O_RDWR | O_DIRECT, 0), cached;

	cached = kd_opened(kd, "f", O_RDWR, FOPEN_KEEP_CACHE);
	map = data_map(cached, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	kd_auto(kd, FUSE_READ);
	c = kd_call_pread(kd, fd, map, 100, PAGE);
	kd_finish(c, 100);
	CHECK_DATA(map, 100, PAGE, 1);
	CHECK_DATA(map + 100, PAGE - 100, 100, 1);
}

/* ---- memory --------------------------------------------------------------------- */

static void bad_memory(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd, 2 * PAGE, O_RDWR | O_DIRECT, 0);

	kd_finish(kd_call_pread(kd, fd, (void *)16, 100, 0), -EFAULT);
	kd_finish(kd_call_pwrite(kd, fd, (void *)16, 100, 0), -EFAULT);
}

static void many_pieces(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(3 * PAGE);
	struct iovec iov[3] = { { buf, 1000 }, { buf + PAGE, 0 }, { buf + 2 * PAGE + 7, 500 } };
	struct kd_call *c;
	struct kd_req *r;
	uint32_t at = 0;
	int fd = opened_file(kd, 2 * PAGE, O_RDWR | O_DIRECT, 0);

	c = kd_sys(kd, SYS_preadv, fd, (long)iov, 3, 0);
	while (at < 1500) {
		r = kd_expect(kd, FUSE_READ, 2);
		CHECK_EQ(ARG(r, fuse_read_in)->offset, at);
		at += ARG(r, fuse_read_in)->size;
		data_reply(r, ARG(r, fuse_read_in)->size, 1);
	}
	kd_finish(c, 1500);
	CHECK_DATA(buf, 1000, 0, 1);
	CHECK_DATA(buf + 2 * PAGE + 7, 500, 1000, 1);
}

static const struct kernel_case cases[] = {
	CASE("direct/reads-what-is-asked", reads_what_is_asked),
	CASE("direct/reading-is-cut", reading_is_cut),
	CASE("direct/reading-is-cut-at-max-read", reading_is_cut_at_max_read),
	CASE("direct/short-read", short_read),
	CASE("direct/past-the-end", past_the_end),
	CASE("direct/read-errors", read_errors),
	CASE("direct/longer-than-asked-is-refused", longer_than_asked_is_refused),
	CASE("direct/writes-what-is-given", writes_what_is_given),
	CASE("direct/writing-is-cut", writing_is_cut),
	CASE("direct/short-write", short_write),
	CASE("direct/write-errors", write_errors),
	CASE("direct/more-than-given-is-an-error", more_than_given_is_an_error),
	CASE("direct/appends-at-the-end", appends_at_the_end),
	CASE("direct/can-be-switched", can_be_switched),
	CASE("direct/lock-owner-is-told", lock_owner_is_told),
	CASE("direct/writing-drops-cached-pages", writing_drops_cached_pages),
	CASE("direct/writing-drops-cached-pages-of-fopen", writing_drops_cached_pages_of_fopen,
	     differs(stock, FOPEN_STALE)),
	CASE("direct/dirty-pages-go-before-a-read", dirty_pages_go_before_a_read),
	CASE("direct/dirty-pages-go-before-a-write", dirty_pages_go_before_a_write),
	CASE("direct/dirty-pages-go-before-a-read-of-fopen", dirty_pages_go_before_a_read_of_fopen,
	     differs(stock, FOPEN_STALE)),
	CASE("direct/dirty-pages-go-before-a-write-of-fopen", dirty_pages_go_before_a_write_of_fopen,
	     differs(stock, FOPEN_STALE)),
	CASE("direct/size-grows", size_grows),
	CASE("direct/into-a-mapping-of-the-file", into_a_mapping_of_the_file),
	CASE("direct/bad-memory", bad_memory),
	CASE("direct/many-pieces", many_pieces),
};
KERNEL_CASES(cases);
