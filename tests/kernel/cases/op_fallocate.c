// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_fallocate.c: FALLOCATE: which modes reach the daemon, and what they do to the size and to cached pages.
 */
#include <linux/falloc.h>
#include <sys/mman.h>
#include "data.h"

static void is_passed(void)
{
	static const int modes[] = {
		0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, FALLOC_FL_ZERO_RANGE,
		FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	};
	struct kd *kd = kd_new();
	int fd;

	kd_add_file(kd, "f", 2, 100000);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct kd_call *c = kd_call_fallocate(kd, fd, modes[i], 4097, 5001);
		struct kd_req *r = kd_expect(kd, FUSE_FALLOCATE, 2);
		const struct fuse_fallocate_in *in = r->arg;

		CHECK_EQ(in->fh, 0x1000);
		CHECK_EQ(in->offset, 4097);
		CHECK_EQ(in->length, 5001);
		CHECK_EQ(in->mode, modes[i]);
		kd_check_blocked(c);
		kd_reply_error(r, 0);
		kd_finish(c, 0);
	}
}

static void other_modes_are_not(void)
{
	static const int modes[] = { FALLOC_FL_COLLAPSE_RANGE, FALLOC_FL_INSERT_RANGE, FALLOC_FL_UNSHARE_RANGE };
	struct kd *kd = kd_new();
	int fd;

	kd_add_file(kd, "f", 2, 100000);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++)
		kd_finish(kd_call_fallocate(kd, fd, modes[i], 4096, 4096), -EOPNOTSUPP);
}

static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_fallocate(kd, fd, 0, 0, 1);
	kd_reply_error(kd_expect(kd, FUSE_FALLOCATE, 2), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(kd_call_fallocate(kd, fd, FALLOC_FL_KEEP_SIZE, 0, 1), -EOPNOTSUPP);
}

static void error_changes_nothing(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;
	int fd;

	kd_add_file(kd, "f", 2, 100);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_fallocate(kd, fd, 0, 0, 5000);
	kd_reply_error(kd_expect(kd, FUSE_FALLOCATE, 2), -ENOSPC);
	kd_finish(c, -ENOSPC);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 100);
	/* And is not taken for "never". */
	c = kd_call_fallocate(kd, fd, 0, 0, 50);
	kd_reply_error(kd_expect(kd, FUSE_FALLOCATE, 2), -EOPNOTSUPP);
	kd_finish(c, -EOPNOTSUPP);
	c = kd_call_fallocate(kd, fd, 0, 0, 50);
	kd_reply_error(kd_expect(kd, FUSE_FALLOCATE, 2), 0);
	kd_finish(c, 0);
}

/* The new bytes are zero, and readable without asking for the size. */
static void grows_the_file(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	uint8_t *buf;
	int fd;

	f = data_file(kd, 100, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	data_check_file(kd, fd, 100, 1);
	kd_auto(kd, FUSE_FALLOCATE);
	kd_finish(kd_call_fallocate(kd, fd, 0, 0, 5000), 0);
	f->attr.size = 5000;
	kd_auto(kd, FUSE_GETATTR);
	buf = data_read(kd, fd, 0, 5000);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 4900);
}

static void growth_shows_zeros_after_a_mapping(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	uint8_t *map, *buf;
	int fd;

	f = data_file(kd, 100, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	memset(map + 100, 0xee, 500);
	kd_auto(kd, FUSE_FALLOCATE);
	kd_auto(kd, FUSE_WRITE);
	kd_finish(kd_call_fallocate(kd, fd, 0, 0, 3000), 0);
	f->attr.size = 3000;
	kd_auto(kd, FUSE_GETATTR);
	buf = data_read(kd, fd, 0, 3000);
	CHECK_EQ(buf[0], TOUCHED);
	CHECK_ZERO(buf + 100, 2900);
}

static void keep_size_keeps(void)
{
	struct kd *kd = kd_new();
	struct stat st;
	char byte;
	int fd;

	data_file(kd, 100, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	kd_auto(kd, FUSE_FALLOCATE);
	kd_finish(kd_call_fallocate(kd, fd, FALLOC_FL_KEEP_SIZE, 0, 5000), 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_size, 100);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 100), 0);
}

/* The blocks are counted anew. */
static void attributes_are_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	struct stat st;
	int fd;

	f = data_file(kd, 100, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	kd_auto(kd, FUSE_FALLOCATE);
	kd_finish(kd_call_fallocate(kd, fd, FALLOC_FL_KEEP_SIZE, 0, 5000), 0);
	f->attr.blocks = 77;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_blocks, 77);
}

static void check_zeroes_cached_pages(int mode)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	uint8_t *buf;
	int fd;

	f = data_file(kd, 4 * PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	data_check_file(kd, fd, 4 * PAGE, 1);
	kd_auto(kd, FUSE_FALLOCATE);
	kd_finish(kd_call_fallocate(kd, fd, mode, 100, 2 * PAGE), 0);
	memset(f->content + 100, 0, 2 * PAGE);
	buf = data_read(kd, fd, 0, 4 * PAGE);
	CHECK_DATA(buf, 100, 0, 1);
	CHECK_ZERO(buf + 100, 2 * PAGE);
	CHECK_DATA(buf + 2 * PAGE + 100, 2 * PAGE - 100, 2 * PAGE + 100, 1);
}

static void hole_is_seen(void)
{
	check_zeroes_cached_pages(FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE);
}

static void zeroed_range_is_seen(void)
{
	check_zeroes_cached_pages(FALLOC_FL_ZERO_RANGE);
}

/* Dirty pages of the range are written before, never after. */
static void hole_comes_after_dirty_pages(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd;

	data_file(kd, 2 * PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	map = data_map(fd, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = kd_call_fallocate(kd, fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 0, PAGE);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	kd_reply_error(kd_expect(kd, FUSE_FALLOCATE, 2), 0);
	kd_finish(c, 0);
	memset(kd_node(kd, 2)->content, 0, PAGE);
	CHECK_ZERO(data_read(kd, fd, 0, PAGE), PAGE);
	kd_auto(kd, FUSE_FSYNC);
	kd_finish(kd_call_fsync(kd, fd), 0);
}

static const struct kernel_case cases[] = {
	CASE("fallocate/is-passed", is_passed),
	CASE("fallocate/other-modes-are-not", other_modes_are_not),
	CASE("fallocate/enosys-is-for-ever", enosys_is_for_ever),
	CASE("fallocate/error-changes-nothing", error_changes_nothing),
	CASE("fallocate/grows-the-file", grows_the_file),
	CASE("fallocate/growth-shows-zeros-after-a-mapping", growth_shows_zeros_after_a_mapping,
	     differs(stock, "what a mapping wrote past the end comes into the file when it grows")),
	CASE("fallocate/keep-size-keeps", keep_size_keeps),
	CASE("fallocate/attributes-are-asked-for", attributes_are_asked_for),
	CASE("fallocate/hole-is-seen", hole_is_seen),
	CASE("fallocate/zeroed-range-is-seen", zeroed_range_is_seen),
	CASE("fallocate/hole-comes-after-dirty-pages", hole_comes_after_dirty_pages),
};
KERNEL_CASES(cases);
