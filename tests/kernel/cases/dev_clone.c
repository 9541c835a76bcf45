// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dev_clone.c: several channels of one connection: FUSE_DEV_IOC_CLONE, and the rule
 * that a reply comes where its request was read.
 */
#include <sys/ioctl.h>
#include "daemon.h"

static int clone_of(uint32_t from)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK), ret;

	ret = ioctl(fd, FUSE_DEV_IOC_CLONE, &from) < 0 ? -errno : fd;
	if (ret < 0)
		close(fd);
	return ret;
}

static void every_channel_serves(void)
{
	struct kd *kd = kd_new();
	int fds[4] = { kd->fd };

	for (int i = 1; i < 4; i++)
		fds[i] = kd_clone(kd);
	for (int i = 0; i < 12; i++) {
		struct kd_call *c = kd_call_stat(kd, "f", NULL);

		kd_on(kd, fds[i % 4]);
		kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static void reply_comes_where_it_was_read(void)
{
	struct kd *kd = kd_new();
	int first = kd->fd, second = kd_clone(kd);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	CHECK_EQ(kd_reply_raw(second, r->unique, -ENOENT, -1, NULL, 0), -ENOENT);
	kd_check_blocked(c);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
	kd_on(kd, second);
	c = kd_call_stat(kd, "f", NULL);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	CHECK_EQ(kd_reply_raw(first, r->unique, -ENOENT, -1, NULL, 0), -ENOENT);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* What was read from a channel that is closed fails; the others go on. */
static void closing_fails_what_it_read(void)
{
	struct kd *kd = kd_new();
	int first = kd->fd, second = kd_clone(kd);
	struct kd_call *c, *d;

	kd_on(kd, second);
	c = kd_call_stat(kd, "f", NULL);
	kd_expect(kd, FUSE_LOOKUP, 1);
	close(second);
	kd_on(kd, first);
	kd_finish(c, -ECONNABORTED);
	d = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(d, -ENOENT);
}

/* The one that was mounted with is no better than the others. */
static void first_may_go(void)
{
	struct kd *kd = kd_new();
	int second = kd_clone(kd);
	struct kd_call *c;

	close(kd_on(kd, second));
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_on(kd, kd_clone(kd));
	close(second);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_die(kd);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
}

/* A duplicate of a descriptor is the same channel, and keeps it. */
static void duplicate_is_the_same_channel(void)
{
	struct kd *kd = kd_new();
	int copy = dup(kd->fd);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	close(kd_on(kd, copy));
	CHECK_EQ(kd_reply_raw(copy, r->unique, -ENOENT, -1, NULL, 0), 0);
	kd_finish(c, -ENOENT);
}

static void before_init(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c;

	kd_on(kd, kd_clone(kd));
	kd_init(kd);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

static void refused(void)
{
	struct kd *kd = kd_new(), *other = kd_new();
	int unmounted = open("/dev/fuse", O_RDWR | O_CLOEXEC), null = open("/dev/null", O_RDWR | O_CLOEXEC), ret;
	uint32_t from = (uint32_t)kd->fd;

	ret = clone_of((uint32_t)unmounted);
	CHECK(ret == -EINVAL || ret == -EPERM);
	CHECK_EQ(clone_of((uint32_t)null), -EINVAL);
	ret = clone_of(9999);
	CHECK(ret == -EINVAL || ret == -EBADF);
	ret = clone_of(UINT32_MAX);
	CHECK(ret == -EINVAL || ret == -EBADF);
	/* One that has a connection does not get another. */
	CHECK_EQ(ioctl(other->fd, FUSE_DEV_IOC_CLONE, &from), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(ioctl(unmounted, FUSE_DEV_IOC_CLONE, NULL), -1);
	CHECK_EQ(errno, EFAULT);
	close(unmounted);
	close(null);
}

static void unknown_ioctls(void)
{
	struct kd *kd = kd_new();
	uint32_t value = 0;

	CHECK_EQ(ioctl(kd->fd, _IOR(FUSE_DEV_IOC_MAGIC, 99, uint32_t), &value), -1);
	CHECK_EQ(errno, ENOTTY);
	CHECK_EQ(ioctl(kd->fd, 0x5401, &value), -1);
	CHECK_EQ(errno, ENOTTY);
}

/* The same descriptor for a second mount gives the same filesystem again. */
static void mounted_twice(void)
{
	struct kd *kd = kd_new();
	struct kd_opts opts = kd->opts;
	struct kd *other = kd_open_only(&opts);
	struct kd_call *c;

	close(other->fd);
	other->fd = dup(kd->fd);
	CHECK_EQ(kd_mount(other), 0);
	CHECK_EQ(other->conn, kd->conn);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_umount(other, 0), 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd_umount(kd, 0), 0);
	kd_no_request(kd, 20);
	CHECK(kd->dead);
}

static void of_an_aborted_connection(void)
{
	struct kd *kd = kd_new();
	static uint8_t buffer[KD_BUFFER];
	int fd;

	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	fd = clone_of((uint32_t)kd->fd);
	CHECK(fd >= 0);
	kd_on(kd, fd);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ENODEV);
}

static const struct kernel_case cases[] = {
	CASE("dev-clone/every-channel-serves", every_channel_serves),
	CASE("dev-clone/reply-comes-where-it-was-read", reply_comes_where_it_was_read),
	CASE("dev-clone/closing-fails-what-it-read", closing_fails_what_it_read),
	CASE("dev-clone/first-may-go", first_may_go),
	CASE("dev-clone/duplicate-is-the-same-channel", duplicate_is_the_same_channel),
	CASE("dev-clone/before-init", before_init),
	CASE("dev-clone/refused", refused),
	CASE("dev-clone/unknown-ioctls", unknown_ioctls),
	CASE("dev-clone/mounted-twice", mounted_twice),
	CASE("dev-clone/of-an-aborted-connection", of_an_aborted_connection),
};
KERNEL_CASES(cases);
