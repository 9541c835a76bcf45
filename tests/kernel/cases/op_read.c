// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_read.c: READ through the page cache: what is asked for, what a short answer means, when pages are trusted.
 */
#include <stdio.h>
#include <sys/mman.h>
#include "data.h"

static void one_page(void)
{
	struct kd *kd = kd_new();
	uint8_t buf[100];
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 100, 0);
	r = data_expect_read(kd, 2, 0, PAGE);
	CHECK_EQ(ARG(r, fuse_read_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_read_in)->read_flags, 0);
	CHECK_EQ(ARG(r, fuse_read_in)->lock_owner, 0);
	CHECK_EQ(ARG(r, fuse_read_in)->flags & O_ACCMODE, O_RDONLY);
	data_reply(r, 100, 1);
	kd_finish(c, 100);
	CHECK_DATA(buf, 100, 0, 1);
}

static void is_cached(void)
{
	struct kd *kd = kd_new();
	int fd, other;

	data_file(kd, 3 * PAGE + 17, 1);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	data_check_file(kd, fd, 3 * PAGE + 17, 1);
	other = kd_opened(kd, "f", O_RDONLY, FOPEN_KEEP_CACHE);
	kd->count[FUSE_READ] = 0;
	data_check_file(kd, other, 3 * PAGE + 17, 1);
	CHECK_EQ(kd->count[FUSE_READ], 0);
}

static void several_pages_in_one(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(4 * PAGE);
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 4 * PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 4 * PAGE, 0);
	data_reply(data_expect_read(kd, 2, 0, 4 * PAGE), 4 * PAGE, 1);
	kd_finish(c, 4 * PAGE);
	CHECK_DATA(buf, 4 * PAGE, 0, 1);
}

static void past_the_end_is_not_asked_for(void)
{
	struct kd *kd = kd_new();
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 100), 0);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 1ull << 40), 0);
	kd_finish(kd_call_pread(kd, fd, &byte, 0, 0), 0);
}

/* The end that is known is not believed longer than the attributes are. */
static void end_is_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 100);
	uint8_t buf[200];
	struct kd_call *c;
	int fd;

	f->attr_valid = 0;
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 200, 0);
	f->attr.size = 150;
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	data_reply(data_expect_read(kd, 2, 0, PAGE), 150, 1);
	kd_finish(c, 150);
	CHECK_DATA(buf, 150, 0, 1);
}

/* ---- short answers ---------------------------------------------------------- */

/* The size as the kernel knows it, without asking. */
static long size_known(struct kd *kd, int fd)
{
	struct statx st;

	kd_finish(kd_sys(kd, SYS_statx, fd, (long)"", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, STATX_SIZE, (long)&st), 0);
	return (long)st.stx_size;
}

/* The file turns out to end there. */
static void short_answer_is_the_end(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(3 * PAGE);
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 3 * PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 3 * PAGE, 0);
	data_reply(data_expect_read(kd, 2, 0, 3 * PAGE), 5000, 1);
	kd_finish(c, 5000);
	CHECK_DATA(buf, 5000, 0, 1);
	CHECK_ZERO(buf + 5000, 3 * PAGE - 5000);
	CHECK_EQ(size_known(kd, fd), 5000);
	kd_finish(kd_call_pread(kd, fd, buf, PAGE, 5000), 0);
}

static void empty_answer_is_the_end(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	kd_reply(data_expect_read(kd, 2, 0, PAGE), NULL, 0);
	kd_finish(c, 0);
	CHECK_EQ(size_known(kd, fd), 0);
}

/* Bytes past a short answer are zero, also for one who maps the page. */
static void rest_of_the_page_is_zero(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map, buf[10];
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 10, 0);
	data_reply(data_expect_read(kd, 2, 0, PAGE), 10, 1);
	kd_finish(c, 10);
	map = data_map(fd, PAGE, PROT_READ, MAP_PRIVATE);
	kd_finish(kd_call_touch(kd, map, false), 0);
	CHECK_DATA(map, 10, 0, 1);
	CHECK_ZERO(map + 10, PAGE - 10);
}

/* An answer that says more than the file is known to have does not make it longer. */
static void bytes_past_the_end_are_not_seen(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(PAGE);
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, PAGE, 0);
	data_reply(data_expect_read(kd, 2, 0, PAGE), PAGE, 1);
	kd_finish(c, 10);
	CHECK_ZERO(buf + 10, PAGE - 10);
	CHECK_EQ(size_known(kd, fd), 10);
}

/* A READ that was answered short, but after the file has grown, says nothing of its end. */
static void overtaken_answer_is_not_the_end(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_room(PAGE), *page = data_new(PAGE, 2 * PAGE, 1);
	struct kd_call *c, *w;
	struct kd_req *r;
	struct stat st;
	int fd;

	kd_add_file(kd, "f", 2, 2 * PAGE);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_pread(kd, fd, buf, PAGE, PAGE);
	r = kd_expect(kd, FUSE_READ, 2);
	w = kd_call_pwrite(kd, fd, page, PAGE, 2 * PAGE);
	kd_reply_write(data_expect_write(kd, 2, 2 * PAGE, PAGE), PAGE);
	kd_finish(w, PAGE);
	kd_reply(r, NULL, 0);
	kd_wait(c);
	kd_node(kd, 2)->attr.size = 3 * PAGE;
	kd_auto(kd, FUSE_GETATTR);
	kd_auto(kd, FUSE_READ);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 3 * PAGE);
	kd_finish(kd_call_pread(kd, fd, buf, PAGE, 2 * PAGE), PAGE);
	CHECK_DATA(buf, PAGE, 2 * PAGE, 1);
}

/* ---- bad answers -------------------------------------------------------------- */

/* Answer all READs of @c with @error; what the caller gets. */
static long fail_reads(struct kd *kd, struct kd_call *c, int error)
{
	while (!kd_is_done(c)) {
		struct kd_req *r = kd_next(kd, 20);

		if (!r)
			continue;
		CHECK_EQ(r->opcode, FUSE_READ);
		kd_reply_error(r, error);
	}
	return kd_wait(c);
}

static void error_reaches_the_caller(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 2 * PAGE, 1);
	uint8_t buf[100];
	int fd = kd_opened(kd, "f", O_RDONLY, 0);

	kd_manual(kd, FUSE_READ);
	CHECK_EQ(fail_reads(kd, kd_call_pread(kd, fd, buf, 100, 0), -EIO), -EIO);
	CHECK_EQ(fail_reads(kd, kd_call_pread(kd, fd, buf, 100, 0), -EIO), -EIO);
	/* It is not kept, and says nothing of the size. */
	CHECK_EQ(f->attr.size, 2 * PAGE);
	data_check_file(kd, fd, 2 * PAGE, 1);
}

static void other_errors_reach_the_caller(void)
{
	struct kd *kd = kd_new();
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	CHECK_EQ(fail_reads(kd, kd_call_pread(kd, fd, &byte, 1, 0), -EDOM), -EDOM);
}

static void error_of_a_later_page(void)
{
	struct kd *kd = kd_new(.max_readahead = PAGE, .options = "max_read=4096");
	uint8_t *buf = data_room(3 * PAGE);
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 3 * PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 3 * PAGE, 0);
	while (!kd_is_done(c)) {
		struct kd_req *r = kd_next(kd, 20);

		if (r && ARG(r, fuse_read_in)->offset == 0)
			data_reply(r, PAGE, 1);
		else if (r)
			kd_reply_error(r, -EIO);
	}
	kd_finish(c, PAGE);
	CHECK_DATA(buf, PAGE, 0, 1);
}

static void longer_than_asked_is_refused(void)
{
	struct kd *kd = kd_new();
	uint8_t *body = data_new(2 * PAGE, 0, 1);
	struct kd_call *c;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	while (!kd_is_done(c)) {
		struct kd_req *r = kd_next(kd, 20);

		if (r)
			CHECK_EQ(kd_try_reply(r, 0, body, PAGE + 1), -EINVAL);
	}
	kd_finish(c, -EIO);
}

/* An error and bytes at once. */
static void error_with_bytes_is_refused(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	CHECK_EQ(kd_try_reply(r, -EIO, "x", 1), -EINVAL);
	fail_reads(kd, c, -EIO);
	CHECK(kd_wait(c) < 0);
}

/* ---- readahead ------------------------------------------------------------------ */

/* Read @len bytes of a new f from the beginning, @step at a time; the largest READ. */
static uint32_t read_all(struct kd *kd, size_t len, size_t step)
{
	uint8_t *buf = data_room(step);
	int fd;

	data_file(kd, len, 1);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	for (size_t at = 0; at < len; at += step) {
		kd_finish(kd_call_read(kd, fd, buf, step), (long)step);
		CHECK_DATA(buf, step, at, 1);
	}
	return data_largest_read(kd);
}

/* What the daemon allows is not exceeded for a reader of little. */
static void readahead_is_limited(void)
{
	struct kd *kd = kd_new(.max_readahead = 32 << 10);

	CHECK_EQ(read_all(kd, 512 << 10, PAGE), 32 << 10);
}

static void max_read_is_the_limit(void)
{
	struct kd *kd = kd_new(.options = "max_read=16384");

	CHECK_EQ(read_all(kd, 512 << 10, 128 << 10), 16384);
}

static void max_pages_is_the_limit(void)
{
	struct kd *kd = kd_new(.max_pages = 8, .max_write = 32768);

	kd_need(kd, FUSE_MAX_PAGES);
	CHECK_EQ(read_all(kd, 512 << 10, 128 << 10), 8 * PAGE);
}

/* Somebody who raises the window of the mount gets READs of up to max_pages. */
static void window_can_be_raised(void)
{
	struct kd *kd = kd_new(.max_pages = 256, .max_write = 1 << 20);
	char path[128];
	int ctl;

	kd_need(kd, FUSE_MAX_PAGES);
	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/read_ahead_kb", kd->conn >> 20, kd->conn & 0xfffff);
	ctl = open(path, O_WRONLY | O_CLOEXEC);
	if (ctl < 0)
		SKIP("%s: %s", path, strerror(errno));
	CHECK_EQ(write(ctl, "1024", 4), 4);
	close(ctl);
	CHECK_EQ(read_all(kd, 4 << 20, 64 << 10), 1 << 20);
}

/* One who asks for much at once gets it in READs as large as the daemon takes. */
static void large_by_themselves(void)
{
	struct kd *kd = kd_new(.max_pages = 256, .max_write = 1 << 20);

	kd_need(kd, FUSE_MAX_PAGES);
	CHECK_EQ(read_all(kd, 4 << 20, 1 << 20), 1 << 20);
}

/* How many READs are under way before the first is answered. */
static unsigned int reads_at_once(uint64_t flags)
{
	struct kd *kd = kd_new(.flags = flags, .options = "max_read=4096");
	struct kd_req *r[8] = { NULL };
	uint8_t *buf = data_room(8 * PAGE);
	struct kd_call *c;
	unsigned int n = 0, served;
	int fd;

	kd_add_file(kd, "f", 2, 8 * PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 8 * PAGE, 0);
	while (n < 8 && (r[n] = kd_next(kd, kernel_ms(50))) != NULL)
		n++;
	for (unsigned int i = 0; i < n; i++)
		data_reply(r[i], PAGE, 1);
	for (served = n; served < 8; served++)
		data_reply(kd_expect(kd, FUSE_READ, 2), PAGE, 1);
	kd_finish(c, 8 * PAGE);
	CHECK_DATA(buf, 8 * PAGE, 0, 1);
	return n;
}

static void one_at_a_time_without_async_read(void)
{
	CHECK_EQ(reads_at_once(KD_NO_FLAGS), 1);
}

static void many_at_once_with_async_read(void)
{
	CHECK_EQ(reads_at_once(FUSE_ASYNC_READ), 8);
}

/* Answered in the opposite order. */
static void answers_in_any_order(void)
{
	struct kd *kd = kd_new(.options = "max_read=4096");
	struct kd_req *r[4];
	uint8_t *buf = data_room(4 * PAGE);
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 4 * PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, buf, 4 * PAGE, 0);
	for (int i = 0; i < 4; i++)
		r[i] = kd_expect(kd, FUSE_READ, 2);
	for (int i = 4; i--;)
		data_reply(r[i], PAGE, 1);
	kd_finish(c, 4 * PAGE);
	CHECK_DATA(buf, 4 * PAGE, 0, 1);
}

/* ---- the time of access --------------------------------------------------------------- */

/* The daemon may have changed it when it was read from, not when the cache was. */
static void access_time_is_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 100, 1);
	struct stat st;
	int fd = kd_opened(kd, "f", O_RDONLY, 0);

	kd_auto(kd, FUSE_GETATTR);
	data_check_file(kd, fd, 100, 1);
	f->attr.atime = 9999;
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_atime, 9999);
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
	data_check_file(kd, fd, 100, 1);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
}

/* ---- how long pages are trusted ---------------------------------------------------- */

/* f of two pages is cached; then a GETATTR says that it is of @size and @mtime. The READs to read it again. */
static uint32_t reads_after_change(uint64_t flags, uint64_t size, uint64_t mtime)
{
	struct kd *kd = kd_new(.flags = flags | FUSE_ASYNC_READ);
	struct kd_node *f;
	int fd;

	kd_need(kd, flags);
	f = data_file(kd, 2 * PAGE, 1);
	f->attr_valid = 0;
	kd_auto(kd, FUSE_GETATTR);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	data_check_file(kd, fd, 2 * PAGE, 1);
	f->attr.size = size;
	f->attr.mtime = mtime;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd->count[FUSE_READ] = 0;
	data_read(kd, fd, 0, PAGE);
	return kd->count[FUSE_READ];
}

static void new_mtime_drops_pages_with_auto_inval(void)
{
	CHECK(reads_after_change(FUSE_AUTO_INVAL_DATA, 2 * PAGE, 2001) > 0);
}

static void new_mtime_alone_does_not(void)
{
	CHECK_EQ(reads_after_change(0, 2 * PAGE, 2001), 0);
}

static void new_size_drops_pages(void)
{
	CHECK(reads_after_change(0, 3 * PAGE, 2000) > 0);
}

static void new_size_does_not_with_explicit_inval(void)
{
	CHECK_EQ(reads_after_change(FUSE_EXPLICIT_INVAL_DATA, 3 * PAGE, 2000), 0);
}

static void auto_inval_comes_before_explicit(void)
{
	CHECK(reads_after_change(FUSE_AUTO_INVAL_DATA | FUSE_EXPLICIT_INVAL_DATA, 2 * PAGE, 2001) > 0);
}

/* With AUTO_INVAL_DATA every read asks for the attributes once they are old. */
static void auto_inval_asks(void)
{
	struct kd *kd = kd_new(.flags = FUSE_AUTO_INVAL_DATA | FUSE_ASYNC_READ);
	struct kd_node *f = data_file(kd, PAGE, 1);
	int fd;

	kd_need(kd, FUSE_AUTO_INVAL_DATA);
	f->attr_valid = 0;
	kd_auto(kd, FUSE_GETATTR);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	data_read(kd, fd, 0, 10);
	kd->count[FUSE_GETATTR] = 0;
	data_read(kd, fd, 0, 10);
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
}

static void notification_drops_a_range(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 4 * PAGE, 1);
	uint8_t *buf;
	int fd = kd_opened(kd, "f", O_RDONLY, 0);

	data_check_file(kd, fd, 4 * PAGE, 1);
	data_fill(f->content, 4 * PAGE, 0, 2);
	CHECK_EQ(kd_notify_inval_inode(kd, 2, PAGE + 5, PAGE), 0);
	buf = data_read(kd, fd, 0, 4 * PAGE);
	CHECK_DATA(buf, PAGE, 0, 1);
	CHECK_DATA(buf + PAGE, 2 * PAGE, PAGE, 2);
	CHECK_DATA(buf + 3 * PAGE, PAGE, 3 * PAGE, 1);
}

/* A page that grew into the file with a new size from the daemon shows no old bytes. */
static void growth_at_the_daemon_shows_its_bytes(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = data_file(kd, 100, 1);
	int fd;

	f->attr_valid = 0;
	kd_auto(kd, FUSE_GETATTR);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	data_check_file(kd, fd, 100, 1);
	data_fill(f->content, 300, 0, 1);
	f->attr.size = 300;
	data_check_file(kd, fd, 300, 1);
}

static const struct kernel_case cases[] = {
	CASE("read/one-page", one_page),
	CASE("read/is-cached", is_cached),
	CASE("read/several-pages-in-one", several_pages_in_one),
	CASE("read/past-the-end-is-not-asked-for", past_the_end_is_not_asked_for),
	CASE("read/end-is-asked-for", end_is_asked_for),
	CASE("read/short-answer-is-the-end", short_answer_is_the_end),
	CASE("read/empty-answer-is-the-end", empty_answer_is_the_end),
	CASE("read/rest-of-the-page-is-zero", rest_of_the_page_is_zero),
	CASE("read/bytes-past-the-end-are-not-seen", bytes_past_the_end_are_not_seen),
	CASE("read/overtaken-answer-is-not-the-end", overtaken_answer_is_not_the_end),
	CASE("read/error-reaches-the-caller", error_reaches_the_caller),
	CASE("read/other-errors-reach-the-caller", other_errors_reach_the_caller),
	CASE("read/error-of-a-later-page", error_of_a_later_page),
	CASE("read/longer-than-asked-is-refused", longer_than_asked_is_refused),
	CASE("read/error-with-bytes-is-refused", error_with_bytes_is_refused),
	CASE("read/readahead-is-limited", readahead_is_limited),
	CASE("read/max-read-is-the-limit", max_read_is_the_limit),
	CASE("read/max-pages-is-the-limit", max_pages_is_the_limit),
	CASE("read/window-can-be-raised", window_can_be_raised),
	CASE("read/large-by-themselves", large_by_themselves,
	     differs(stock, "it reads ahead 128 KiB at most, whatever the daemon takes")),
	CASE("read/one-at-a-time-without-async-read", one_at_a_time_without_async_read),
	CASE("read/many-at-once-with-async-read", many_at_once_with_async_read),
	CASE("read/answers-in-any-order", answers_in_any_order),
	CASE("read/access-time-is-asked-for", access_time_is_asked_for),
	CASE("read/new-mtime-drops-pages-with-auto-inval", new_mtime_drops_pages_with_auto_inval),
	CASE("read/new-mtime-alone-does-not", new_mtime_alone_does_not),
	CASE("read/new-size-drops-pages", new_size_drops_pages),
	CASE("read/new-size-does-not-with-explicit-inval", new_size_does_not_with_explicit_inval),
	CASE("read/auto-inval-comes-before-explicit", auto_inval_comes_before_explicit),
	CASE("read/auto-inval-asks", auto_inval_asks),
	CASE("read/notification-drops-a-range", notification_drops_a_range),
	CASE("read/growth-at-the-daemon-shows-its-bytes", growth_at_the_daemon_shows_its_bytes),
};
KERNEL_CASES(cases);
