// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_fsync.c: FSYNC and FSYNCDIR: what goes before, and whose errors are told to whom.
 */
#include <sys/mman.h>
#include "data.h"

/* f, open for reading and writing, and a shared mapping of its @pages pages. */
static int mapped_file(struct kd *kd, unsigned int pages, uint8_t **map)
{
	int fd;

	data_file(kd, pages * PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	*map = data_map(fd, pages * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	return fd;
}

static void says_if_only_data(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_fsync(kd, fd);
	r = kd_expect(kd, FUSE_FSYNC, 2);
	CHECK_EQ(ARG(r, fuse_fsync_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_fsync_in)->fsync_flags, 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	c = kd_call_fdatasync(kd, fd);
	r = kd_expect(kd, FUSE_FSYNC, 2);
	CHECK_EQ(ARG(r, fuse_fsync_in)->fsync_flags, FUSE_FSYNC_FDATASYNC);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

static void directories_have_their_own(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_dir(kd, "d", 2);
	fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	c = kd_call_fdatasync(kd, fd);
	r = kd_expect(kd, FUSE_FSYNCDIR, 2);
	CHECK_EQ(ARG(r, fuse_fsync_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_fsync_in)->fsync_flags, FUSE_FSYNC_FDATASYNC);
	kd_reply_error(r, -EIO);
	kd_finish(c, -EIO);
}

/* For files and for directories, each on its own. */
static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd, dir;

	kd_add_file(kd, "f", 2, 0);
	kd_add_dir(kd, "d", 3);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	dir = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	c = kd_call_fsync(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_fdatasync(kd, fd), 0);
	c = kd_call_fsync(kd, dir);
	kd_reply_error(kd_expect(kd, FUSE_FSYNCDIR, 3), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_fsync(kd, dir), 0);
}

static void error_is_the_callers(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_fsync(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), -EDOM);
	kd_finish(c, -EDOM);
	/* It is not kept. */
	c = kd_call_fsync(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), 0);
	kd_finish(c, 0);
}

static void data_comes_first(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd = mapped_file(kd, 1, &map);

	data_dirty(kd, map, 0);
	c = kd_call_fsync(kd, fd);
	r = data_expect_write(kd, 2, 0, PAGE);
	kd_no_request(kd, 30);
	kd_check_blocked(c);
	kd_reply_write(r, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), 0);
	kd_finish(c, 0);
}

static void clean_data_is_not_written(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd = mapped_file(kd, 1, &map);

	kd_auto(kd, FUSE_FSYNC);
	data_check_file(kd, fd, PAGE, 1);
	kd_finish(kd_call_fsync(kd, fd), 0);
	CHECK_EQ(kd->count[FUSE_FSYNC], 1);
}

/* Every descriptor that was open learns of a failed WRITE at its next fsync, once. */
static void write_error_once_per_descriptor(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = mapped_file(kd, 1, &map), other;

	other = kd_opened(kd, "f", O_RDONLY, FOPEN_KEEP_CACHE);
	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 0);
	c = kd_call_fsync(kd, fd);
	kd_reply_error(data_expect_write(kd, 2, 0, PAGE), -EIO);
	kd_finish(c, -EIO);
	kd_finish(kd_call_fsync(kd, fd), 0);
	kd_finish(kd_call_fsync(kd, other), -EIO);
	kd_finish(kd_call_fsync(kd, other), 0);
	/* One that is opened after somebody was told hears nothing. */
	kd_finish(kd_call_fsync(kd, kd_opened(kd, "f", O_RDONLY, FOPEN_KEEP_CACHE)), 0);
}

static void no_space_is_told_as_such(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = mapped_file(kd, 1, &map);

	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 0);
	c = kd_call_fsync(kd, fd);
	kd_reply_error(data_expect_write(kd, 2, 0, PAGE), -ENOSPC);
	kd_finish(c, -ENOSPC);
}

/* A WRITE that took less than it was given has failed. */
static void short_write_is_an_error(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = mapped_file(kd, 1, &map);

	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 0);
	c = kd_call_fsync(kd, fd);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), 100);
	kd_finish(c, -EIO);
}

static void synchronous_writes(void)
{
	static const struct { int flag; uint32_t fsync_flags; } kinds[] = {
		{ O_SYNC, 0 }, { O_DSYNC, FUSE_FSYNC_FDATASYNC },
	};

	for (size_t i = 0; i < 2; i++) {
		struct kd *kd = kd_new();
		struct kd_call *c;
		struct kd_req *r;
		int fd;

		kd_add_file(kd, "f", 2, 0);
		fd = kd_opened(kd, "f", O_WRONLY | kinds[i].flag, 0);
		c = kd_call_write(kd, fd, "abc", 3);
		kd_reply_write(data_expect_write(kd, 2, 0, 3), 3);
		r = kd_expect(kd, FUSE_FSYNC, 2);
		CHECK_EQ(ARG(r, fuse_fsync_in)->fsync_flags, kinds[i].fsync_flags);
		kd_check_blocked(c);
		kd_reply_error(r, 0);
		kd_finish(c, 3);
		kd_finish(kd_call_close(kd, fd), 0);
		kd_stop(kd);
	}
}

static void msync_writes_and_syncs(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;

	mapped_file(kd, 1, &map);
	data_dirty(kd, map, 0);
	c = data_call_msync(kd, map, PAGE);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), 0);
	kd_finish(c, 0);
}

static const struct kernel_case cases[] = {
	CASE("fsync/says-if-only-data", says_if_only_data),
	CASE("fsync/directories-have-their-own", directories_have_their_own),
	CASE("fsync/enosys-is-for-ever", enosys_is_for_ever),
	CASE("fsync/error-is-the-callers", error_is_the_callers),
	CASE("fsync/data-comes-first", data_comes_first),
	CASE("fsync/clean-data-is-not-written", clean_data_is_not_written),
	CASE("fsync/write-error-once-per-descriptor", write_error_once_per_descriptor),
	CASE("fsync/no-space-is-told-as-such", no_space_is_told_as_such),
	CASE("fsync/short-write-is-an-error", short_write_is_an_error,
	     differs(stock, "it takes a WRITE of cached data for done when its reply says that less was taken")),
	CASE("fsync/synchronous-writes", synchronous_writes),
	CASE("fsync/msync-writes-and-syncs", msync_writes_and_syncs),
};
KERNEL_CASES(cases);
