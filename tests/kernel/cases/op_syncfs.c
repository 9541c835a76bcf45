// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_syncfs.c: SYNCFS: for block devices only, after the data.
 */
#include <sys/mman.h>
#include "data.h"

#define NEW differs(stock, "6.1 sends SYNCFS on virtiofs only")

/* A descriptor of the mount, SYNCFS not answered unasked. */
static int opened_root(struct kd *kd)
{
	kd_manual(kd, FUSE_SYNCFS);
	return kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
}

static void is_sent_and_waited_for(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_root(kd);
	struct kd_call *c = kd_call_syncfs(kd, fd);
	struct kd_req *r = kd_expect(kd, FUSE_SYNCFS, 0);

	CHECK_EQ(ARG(r, fuse_syncfs_in)->padding, 0);
	CHECK_EQ(r->nodeid, FUSE_ROOT_ID);
	kd_check_blocked(c);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

static void data_comes_first(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd;

	data_file(kd, PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	kd_manual(kd, FUSE_SYNCFS);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = kd_call_syncfs(kd, fd);
	r = data_expect_write(kd, 2, 0, PAGE);
	kd_no_request(kd, 30);
	kd_reply_write(r, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_SYNCFS, 0), 0);
	kd_finish(c, 0);
}

/* Data is waited for, though the daemon knows no SYNCFS. */
static void data_is_waited_for(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd;

	data_file(kd, PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	kd_manual(kd, FUSE_SYNCFS);
	c = kd_call_syncfs(kd, fd);
	r = kd_next(kd, kernel_ms(50));
	if (r)
		kd_reply_error(r, -ENOSYS);
	kd_finish(c, 0);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = kd_call_syncfs(kd, fd);
	r = data_expect_write(kd, 2, 0, PAGE);
	kd_check_blocked(c);
	kd_reply_write(r, PAGE);
	kd_finish(c, 0);
}

static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_root(kd);
	struct kd_call *c = kd_call_syncfs(kd, fd);

	kd_reply_error(kd_expect(kd, FUSE_SYNCFS, 0), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_syncfs(kd, fd), 0);
}

static void error_reaches_the_caller(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_root(kd);
	struct kd_call *c = kd_call_syncfs(kd, fd);

	kd_reply_error(kd_expect(kd, FUSE_SYNCFS, 0), -EIO);
	kd_finish(c, -EIO);
	c = kd_call_syncfs(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_SYNCFS, 0), 0);
	kd_finish(c, 0);
}

/* A daemon that anybody may have started does not hold up sync(2). */
static void not_without_a_device(void)
{
	struct kd *kd = kd_new();
	int fd = opened_root(kd);

	kd_finish(kd_call_syncfs(kd, fd), 0);
}

static void fsync_does_not_send_it(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	kd_auto(kd, FUSE_FSYNC);
	kd_manual(kd, FUSE_SYNCFS);
	kd_finish(kd_call_fsync(kd, fd), 0);
}

static const struct kernel_case cases[] = {
	CASE("syncfs/is-sent-and-waited-for", is_sent_and_waited_for, NEW),
	CASE("syncfs/data-comes-first", data_comes_first, NEW),
	CASE("syncfs/data-is-waited-for", data_is_waited_for,
	     differs(stock, "it waits for written-back data only for a daemon that knows SYNCFS")),
	CASE("syncfs/enosys-is-for-ever", enosys_is_for_ever, NEW),
	CASE("syncfs/error-reaches-the-caller", error_reaches_the_caller, NEW),
	CASE("syncfs/not-without-a-device", not_without_a_device),
	CASE("syncfs/fsync-does-not-send-it", fsync_does_not_send_it),
};
KERNEL_CASES(cases);
