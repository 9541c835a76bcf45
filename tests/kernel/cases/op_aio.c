// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_aio.c: asynchronous direct I/O: io_submit() returns while READs and WRITEs are under way.
 */
#include <linux/aio_abi.h>
#include "data.h"

#define ASYNC (FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_ASYNC_DIO | FUSE_MAX_PAGES)

struct aio {
	struct kd *kd;
	aio_context_t ctx;
	struct iocb cb, *cbs[1];
	struct kd_call *submit;
};

/* One transfer of f, which is open as @fd. */
static struct aio *submit(struct kd *kd, int fd, bool write, void *buf, size_t len, uint64_t pos)
{
	static struct aio aios[4];
	static int used;
	struct aio *a = &aios[used++];

	a->kd = kd;
	if (syscall(SYS_io_setup, 1, &a->ctx) < 0)
		SKIP("no asynchronous I/O here: %s", strerror(errno));
	a->cb = (struct iocb){
		.aio_lio_opcode = write ? IOCB_CMD_PWRITE : IOCB_CMD_PREAD, .aio_fildes = (uint32_t)fd,
		.aio_buf = (uint64_t)(long)buf, .aio_nbytes = len, .aio_offset = (int64_t)pos,
	};
	a->cbs[0] = &a->cb;
	a->submit = kd_sys(kd, SYS_io_submit, (long)a->ctx, 1, (long)a->cbs);
	return a;
}

/* What the transfer came to. */
static long end(struct aio *a)
{
	struct io_event event;

	kd_finish(a->submit, 1);
	kd_finish(kd_sys(a->kd, SYS_io_getevents, (long)a->ctx, 1, 1, (long)&event, 0), 1);
	return (long)event.res;
}

static int opened_file(struct kd *kd, uint64_t size)
{
	kd_need(kd, FUSE_ASYNC_DIO);
	kd_add_file(kd, "f", 2, size);
	return kd_opened(kd, "f", O_RDWR | O_DIRECT, 0);
}

/* All parts at once, answered from the last to the first. */
static void reads_are_under_way_at_once(void)
{
	struct kd *kd = kd_new(.flags = ASYNC, .max_pages = 1, .max_write = PAGE);
	uint8_t *buf = data_room(4 * PAGE);
	struct kd_req *r[4];
	struct aio *a;
	int fd = opened_file(kd, 4 * PAGE);

	a = submit(kd, fd, false, buf, 4 * PAGE, 0);
	for (uint32_t i = 0; i < 4; i++)
		r[i] = data_expect_read(kd, 2, i * PAGE, PAGE);
	kd_finish(a->submit, 1);
	for (int i = 4; i--;)
		data_reply(r[i], PAGE, 1);
	CHECK_EQ(end(a), 4 * PAGE);
	CHECK_DATA(buf, 4 * PAGE, 0, 1);
}

static void writes_are_under_way_at_once(void)
{
	struct kd *kd = kd_new(.flags = ASYNC, .max_pages = 1, .max_write = PAGE);
	uint8_t *buf = data_new(3 * PAGE, 0, 2);
	struct kd_req *r[3];
	struct aio *a;
	int fd = opened_file(kd, 4 * PAGE);

	a = submit(kd, fd, true, buf, 3 * PAGE, 0);
	for (uint32_t i = 0; i < 3; i++) {
		r[i] = data_expect_write(kd, 2, i * PAGE, PAGE);
		CHECK_DATA(r[i]->data, PAGE, i * PAGE, 2);
	}
	kd_finish(a->submit, 1);
	for (int i = 3; i--;)
		kd_reply_write(r[i], PAGE);
	CHECK_EQ(end(a), 3 * PAGE);
}

/* Bytes after a gap do not count. */
static void first_gap_ends_it(void)
{
	struct kd *kd = kd_new(.flags = ASYNC, .max_pages = 1, .max_write = PAGE);
	uint8_t *buf = data_room(3 * PAGE);
	struct kd_req *r[3];
	struct aio *a;
	int fd = opened_file(kd, 3 * PAGE);

	a = submit(kd, fd, false, buf, 3 * PAGE, 0);
	for (uint32_t i = 0; i < 3; i++)
		r[i] = data_expect_read(kd, 2, i * PAGE, PAGE);
	data_reply(r[2], PAGE, 1);
	data_reply(r[1], 100, 1);
	data_reply(r[0], PAGE, 1);
	CHECK_EQ(end(a), PAGE + 100);
	CHECK_DATA(buf, PAGE + 100, 0, 1);
}

static void error_of_the_first_part(void)
{
	struct kd *kd = kd_new(.flags = ASYNC, .max_pages = 1, .max_write = PAGE);
	uint8_t *buf = data_room(2 * PAGE);
	struct kd_req *r[2];
	struct aio *a;
	int fd = opened_file(kd, 2 * PAGE);

	a = submit(kd, fd, false, buf, 2 * PAGE, 0);
	for (uint32_t i = 0; i < 2; i++)
		r[i] = data_expect_read(kd, 2, i * PAGE, PAGE);
	data_reply(r[1], PAGE, 1);
	kd_reply_error(r[0], -EIO);
	CHECK_EQ(end(a), -EIO);
}

static void write_error(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_new(PAGE, 0, 2);
	struct aio *a;
	int fd = opened_file(kd, PAGE);

	a = submit(kd, fd, true, buf, PAGE, 0);
	kd_reply_error(data_expect_write(kd, 2, 0, PAGE), -ENOSPC);
	CHECK_EQ(end(a), -ENOSPC);
}

static void more_than_given_is_an_error(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_new(PAGE, 0, 2);
	struct aio *a;
	int fd = opened_file(kd, PAGE);

	a = submit(kd, fd, true, buf, PAGE, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE + 1);
	CHECK_EQ(end(a), -EIO);
}

/* The file's end is not to be unknown meanwhile. */
static void growing_is_waited_for(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_new(PAGE, 0, 2);
	struct kd_req *r;
	struct stat st;
	struct aio *a;
	int fd = opened_file(kd, 100);

	a = submit(kd, fd, true, buf, PAGE, 0);
	r = data_expect_write(kd, 2, 0, PAGE);
	kd_check_blocked(a->submit);
	kd_reply_write(r, PAGE);
	CHECK_EQ(end(a), PAGE);
	kd_node(kd, 2)->attr.size = PAGE;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, PAGE);
}

/* Bytes past the end are not asked for. */
static void read_across_the_end(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_room(2 * PAGE);
	struct kd_req *r;
	struct aio *a;
	int fd = opened_file(kd, 5000);

	a = submit(kd, fd, false, buf, 2 * PAGE, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	CHECK(ARG(r, fuse_read_in)->size >= 5000);
	data_reply(r, 5000, 1);
	CHECK_EQ(end(a), 5000);
	CHECK_DATA(buf, 5000, 0, 1);
}

static void is_waited_for_without_async_dio(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ);
	uint8_t *buf = data_room(PAGE);
	struct kd_req *r;
	struct aio *a;
	int fd = opened_file(kd, PAGE);

	a = submit(kd, fd, false, buf, PAGE, 0);
	r = data_expect_read(kd, 2, 0, PAGE);
	kd_check_blocked(a->submit);
	data_reply(r, PAGE, 1);
	CHECK_EQ(end(a), PAGE);
}

/* The write changed what is cached, the size of the file did not change. */
static void write_drops_cached_pages(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_new(PAGE, 0, 2);
	struct kd_node *f;
	struct aio *a;
	int fd, cached;

	kd_need(kd, FUSE_ASYNC_DIO);
	f = data_file(kd, 2 * PAGE, 1);
	cached = kd_opened(kd, "f", O_RDONLY, 0);
	fd = kd_opened(kd, "f", O_RDWR | O_DIRECT, FOPEN_KEEP_CACHE);
	data_check_file(kd, cached, 2 * PAGE, 1);
	a = submit(kd, fd, true, buf, PAGE, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	CHECK_EQ(end(a), PAGE);
	memcpy(f->content, buf, PAGE);
	CHECK_DATA(data_read(kd, cached, 0, PAGE), PAGE, 0, 2);
	CHECK_DATA(data_read(kd, cached, PAGE, PAGE), PAGE, PAGE, 1);
}

/* The daemon dies: what is under way ends. */
static void ends_with_the_daemon(void)
{
	struct kd *kd = kd_new(.flags = ASYNC);
	uint8_t *buf = data_room(PAGE);
	struct aio *a;
	int fd = opened_file(kd, PAGE);
	long ret;

	a = submit(kd, fd, false, buf, PAGE, 0);
	data_expect_read(kd, 2, 0, PAGE);
	kd_finish(a->submit, 1);
	kd_die(kd);
	ret = end(a);
	CHECK(ret == -ECONNABORTED || ret == -ENOTCONN);
}

static const struct kernel_case cases[] = {
	CASE("aio/reads-are-under-way-at-once", reads_are_under_way_at_once),
	CASE("aio/writes-are-under-way-at-once", writes_are_under_way_at_once),
	CASE("aio/first-gap-ends-it", first_gap_ends_it),
	CASE("aio/error-of-the-first-part", error_of_the_first_part),
	CASE("aio/write-error", write_error),
	CASE("aio/more-than-given-is-an-error", more_than_given_is_an_error),
	CASE("aio/growing-is-waited-for", growing_is_waited_for),
	CASE("aio/read-across-the-end", read_across_the_end),
	CASE("aio/is-waited-for-without-async-dio", is_waited_for_without_async_dio),
	CASE("aio/write-drops-cached-pages", write_drops_cached_pages),
	CASE("aio/ends-with-the-daemon", ends_with_the_daemon),
};
KERNEL_CASES(cases);
