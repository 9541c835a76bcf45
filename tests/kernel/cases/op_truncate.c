// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_truncate.c: truncation against what is cached, dirty or being written, and what appears when a file grows again.
 */
#include <sys/mman.h>
#include "data.h"

/* f of @size bytes, open for reading and writing, and a shared mapping of its pages. */
static int mapped_file(struct kd *kd, uint64_t size, uint8_t **map)
{
	int fd;

	data_content(kd_add_file(kd, "f", 2, size), size + 16 * PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	*map = data_map(fd, (size + PAGE - 1) / PAGE * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	return fd;
}

/* Store what a WRITE brings, and answer it. */
static void take_write(struct kd_req *r)
{
	const struct fuse_write_in *in = r->arg;
	struct kd_node *f = kd_node(r->kd, r->nodeid);

	CHECK(in->offset + in->size <= f->room);
	memcpy(f->content + in->offset, r->data, r->data_len);
	if (f->attr.size < in->offset + in->size)
		f->attr.size = in->offset + in->size;
	kd_reply_write(r, in->size);
}

/* Serve @c, a truncation of f to @size: no WRITE past @size may come after the SETATTR. */
static void serve_truncation(struct kd *kd, struct kd_call *c, uint64_t size)
{
	struct kd_node *f = kd_node(kd, 2);
	bool truncated = false;

	while (!kd_is_done(c)) {
		struct kd_req *r = kd_next(kd, 20);

		if (!r)
			continue;
		if (r->opcode == FUSE_WRITE) {
			CHECK(!truncated || ARG(r, fuse_write_in)->offset + r->data_len <= size);
			take_write(r);
			continue;
		}
		CHECK_EQ(r->opcode, FUSE_SETATTR);
		CHECK_EQ(ARG(r, fuse_setattr_in)->size, size);
		truncated = true;
		if (size < f->attr.size)
			memset(f->content + size, 0, f->attr.size - size);
		f->attr.size = size;
		kd_reply_attr(r, f);
	}
	kd_finish(c, 0);
	CHECK(truncated);
}

static void dirty_pages_come_before(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	uint8_t *map, *buf;
	int fd = mapped_file(kd, 4 * PAGE, &map);

	f = kd_node(kd, 2);
	for (unsigned int i = 0; i < 4; i++)
		data_dirty(kd, map, i);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, PAGE + 100), PAGE + 100);
	kd_auto(kd, FUSE_FSYNC);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fsync(kd, fd), 0);
	/* What was kept of the dirty pages is there, nothing behind it. */
	CHECK_EQ(f->attr.size, PAGE + 100);
	CHECK_EQ(f->content[0], TOUCHED);
	CHECK_EQ(f->content[PAGE], TOUCHED);
	CHECK_ZERO(f->content + PAGE + 100, 3 * PAGE - 100);
	buf = data_read(kd, fd, 0, PAGE + 100);
	CHECK_EQ(buf[PAGE], TOUCHED);
	kd_finish(kd_call_touch(kd, map + 2 * PAGE, false), -EFAULT);
}

/* The WRITE of a page that is cut off is under way: SETATTR waits for it. */
static void writes_under_way_are_waited_for(void)
{
	struct kd *kd = kd_new();
	struct kd_call *m, *t;
	struct kd_req *w, *r;
	uint8_t *map;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 1);
	m = data_call_msync(kd, map, 2 * PAGE);
	w = data_expect_write(kd, 2, PAGE, PAGE);
	t = kd_call_ftruncate(kd, fd, 100);
	kd_no_request(kd, 50);
	take_write(w);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	kd_node(kd, 2)->attr.size = 100;
	kd_reply_attr(r, kd_node(kd, 2));
	kd_finish(t, 0);
	kd_finish(m, 0);
}

/* While SETATTR is under way a page past the new end is touched: it is not written after it. */
static void page_touched_meanwhile_is_not_written(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	struct kd_call *c, *t;
	struct kd_req *r;
	uint8_t *map;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	f = kd_node(kd, 2);
	data_dirty(kd, map, 1);
	c = kd_call_ftruncate(kd, fd, PAGE);
	r = kd_next(kd, KD_WAIT_MS);
	CHECK(r != NULL);
	if (r->opcode == FUSE_WRITE) {
		take_write(r);
		r = kd_expect(kd, FUSE_SETATTR, 2);
	}
	CHECK_EQ(r->opcode, FUSE_SETATTR);
	t = kd_call_touch(kd, map + PAGE + 5, true);
	kd_no_request(kd, 30);
	f->attr.size = PAGE;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
	kd_wait(t);
	kd_auto(kd, FUSE_FSYNC);
	kd_finish(kd_call_fsync(kd, fd), 0);
	kd_finish(kd_call_touch(kd, map + PAGE, false), -EFAULT);
}

/* Bytes that a mapping left past the end are not there when the file grows. */
static void growing_shows_zeros(void)
{
	struct kd *kd = kd_new();
	uint8_t *map, *buf;
	int fd = mapped_file(kd, 100, &map);

	data_dirty(kd, map, 0);
	memset(map + 100, 0xee, 500);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, 3000), 3000);
	buf = data_read(kd, fd, 0, 3000);
	CHECK_EQ(buf[0], TOUCHED);
	CHECK_DATA(buf + 1, 99, 1, 1);
	CHECK_ZERO(buf + 100, 2900);
}

static void shrinking_and_growing_shows_zeros(void)
{
	struct kd *kd = kd_new();
	uint8_t *map, *buf;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	data_check_file(kd, fd, 2 * PAGE, 1);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, 100), 100);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, 2 * PAGE), 2 * PAGE);
	buf = data_read(kd, fd, 0, 2 * PAGE);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 2 * PAGE - 100);
	kd_finish(kd_call_touch(kd, map + PAGE, false), 0);
	CHECK_ZERO(map + PAGE, PAGE);
}

/* A page that a mapping sees is cut with the file. */
static void mapped_tail_becomes_zero(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, &map);

	kd_auto(kd, FUSE_READ);
	kd_finish(kd_call_touch(kd, map, false), 0);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, 100), 100);
	kd_finish(kd_call_touch(kd, map, false), 0);
	CHECK_DATA(map, 100, 0, 1);
	CHECK_ZERO(map + 100, PAGE - 100);
}

static void error_changes_nothing(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;
	uint8_t *map;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	data_check_file(kd, fd, 2 * PAGE, 1);
	c = kd_call_ftruncate(kd, fd, 100);
	kd_reply_error(kd_expect(kd, FUSE_SETATTR, 2), -ENOSPC);
	kd_finish(c, -ENOSPC);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 2 * PAGE);
	data_check_file(kd, fd, 2 * PAGE, 1);
}

/* The daemon has the last word: a size that it rounds is the size. */
static void daemon_says_the_size(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;
	uint8_t *map;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	data_check_file(kd, fd, 2 * PAGE, 1);
	c = kd_call_ftruncate(kd, fd, 100);
	kd_node(kd, 2)->attr.size = 512;
	kd_reply_attr(kd_expect(kd, FUSE_SETATTR, 2), kd_node(kd, 2));
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 512);
}

/* open(O_TRUNC) that the daemon does in OPEN. */
static void open_drops_dirty_pages(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	data_dirty(kd, map, 0);
	data_dirty(kd, map, 1);
	c = kd_call_open(kd, "f", O_RDWR | O_TRUNC, 0);
	r = kd_next(kd, KD_WAIT_MS);
	CHECK(r != NULL);
	if (r->opcode == FUSE_WRITE) {
		take_write(r);
		r = kd_expect(kd, FUSE_OPEN, 2);
	}
	CHECK_EQ(r->opcode, FUSE_OPEN);
	kd_node(kd, 2)->attr.size = 0;
	kd_reply_open(r, 7, 0);
	CHECK(kd_wait(c) >= 0);
	kd_auto(kd, FUSE_FSYNC);
	kd_finish(kd_call_fsync(kd, fd), 0);
	kd_finish(kd_call_touch(kd, map, false), -EFAULT);
}

/* A READ that was sent before says nothing of what is there after. */
static void read_under_way(void)
{
	struct kd *kd = kd_new();
	uint8_t *map, *buf = data_room(2 * PAGE);
	struct kd_call *c, *t;
	struct kd_req *r;
	int fd = mapped_file(kd, 2 * PAGE, &map);

	c = kd_call_pread(kd, fd, buf, 2 * PAGE, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_auto(kd, FUSE_READ);
	kd_auto(kd, FUSE_SETATTR);
	t = kd_call_ftruncate(kd, fd, 100);
	/* Whether the truncation waits for the READ is the kernel's affair. */
	kd_settle(kd, 100);
	memset(kd_node(kd, 2)->content + 100, 0, 2 * PAGE - 100);
	data_reply(r, 2 * PAGE, 1);
	kd_finish(t, 0);
	kd_wait(c);
	kd_manual(kd, FUSE_SETATTR);
	serve_truncation(kd, kd_call_ftruncate(kd, fd, 2 * PAGE), 2 * PAGE);
	buf = data_read(kd, fd, 0, 2 * PAGE);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 2 * PAGE - 100);
}

static const struct kernel_case cases[] = {
	CASE("truncate/dirty-pages-come-before", dirty_pages_come_before),
	CASE("truncate/writes-under-way-are-waited-for", writes_under_way_are_waited_for),
	CASE("truncate/page-touched-meanwhile-is-not-written", page_touched_meanwhile_is_not_written),
	CASE("truncate/growing-shows-zeros", growing_shows_zeros,
	     differs(stock, "what a mapping wrote past the end comes into the file when it grows")),
	CASE("truncate/shrinking-and-growing-shows-zeros", shrinking_and_growing_shows_zeros),
	CASE("truncate/mapped-tail-becomes-zero", mapped_tail_becomes_zero),
	CASE("truncate/error-changes-nothing", error_changes_nothing),
	CASE("truncate/daemon-says-the-size", daemon_says_the_size),
	CASE("truncate/open-drops-dirty-pages", open_drops_dirty_pages),
	CASE("truncate/read-under-way", read_under_way),
};
KERNEL_CASES(cases);
