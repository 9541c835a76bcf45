// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * umount.c: the end of a mount: in order, lazily, by force, and without a daemon.
 */
#include <poll.h>
#include <stdio.h>
#include <sys/mount.h>
#include "daemon.h"

static struct kd_call *call_umount(struct kd *kd, int flags)
{
	return kd_sys(kd, SYS_umount2, (long)kd->mnt, flags);
}

/* Reading the channel says that it is over. */
static void check_ended(struct kd *kd)
{
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };
	static uint8_t buf[KD_BUFFER];

	CHECK_EQ(poll(&p, 1, kernel_ms(1000)), 1);
	CHECK(p.revents & POLLERR);
	CHECK_EQ(kd_read_raw(kd, buf, sizeof(buf)), -ENODEV);
}

/* ---- in order ------------------------------------------------------------------------ */

static void fuse_ends_without_destroy(void)
{
	struct kd *kd = kd_new();

	kd_finish(kd_call_stat(kd, "", NULL), 0);
	kd_manual(kd, FUSE_DESTROY);
	CHECK_EQ(kd_umount(kd, 0), 0);
	check_ended(kd);
}

static void fuseblk_ends_with_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_manual(kd, FUSE_DESTROY);
	c = call_umount(kd, 0);
	r = kd_expect(kd, FUSE_DESTROY, 0);
	kd_check_blocked(c);
	/* until then the device is the mount's */
	CHECK(open(kd->disk, O_RDWR | O_EXCL) < 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	CHECK(open(kd->disk, O_RDWR | O_EXCL) >= 0);
	check_ended(kd);
}

/* What DESTROY is answered is of no interest. */
static void error_to_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;

	kd_manual(kd, FUSE_DESTROY);
	c = call_umount(kd, 0);
	kd_reply_error(kd_expect(kd, FUSE_DESTROY, 0), -EIO);
	kd_finish(c, 0);
}

static void daemon_dies_over_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;

	kd_manual(kd, FUSE_DESTROY);
	c = call_umount(kd, 0);
	kd_expect(kd, FUSE_DESTROY, 0);
	kd_die(kd);
	kd_finish(c, 0);
	CHECK(open(kd->disk, O_RDWR | O_EXCL) >= 0);
}

/* Closed, but not yet released: DESTROY comes after that. */
static void release_before_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c, *u;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	kd_manual(kd, FUSE_RELEASE);
	kd_manual(kd, FUSE_DESTROY);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	u = call_umount(kd, 0);
	kd_no_request(kd, 50);
	kd_check_blocked(u);
	kd_reply_error(r, 0);
	kd_reply_error(kd_expect(kd, FUSE_DESTROY, 0), 0);
	kd_finish(u, 0);
}

/* What was written by a mapping is written back first. */
static void writes_before_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *u;
	struct kd_req *r;
	uint8_t *map;
	int fd;

	kd_add_file(kd, "f", 2, 4096);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	kd_auto(kd, FUSE_READ);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_SETATTR);
	map = (uint8_t *)kd_wait(kd_sys(kd, SYS_mmap, 0, 4096, 3 /* read and write */, 1 /* shared */, fd, 0));
	CHECK((long)map > 0);
	kd_finish(kd_call_touch(kd, map, true), 0);
	kd_finish(kd_sys(kd, SYS_munmap, (long)map, 4096), 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_manual(kd, FUSE_DESTROY);
	u = call_umount(kd, 0);
	r = kd_expect(kd, FUSE_DESTROY, 0);
	CHECK_EQ(kd->count[FUSE_WRITE], 1);
	kd_reply_error(r, 0);
	kd_finish(u, 0);
}

/* ---- busy and lazy ----------------------------------------------------------------------- */

static void busy_while_in_use(void)
{
	struct kd *kd = kd_new();
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	CHECK_EQ(kd_umount(kd, 0), -EBUSY);
	kd_finish(kd_call_fstat(kd, fd, NULL), 0);
	kd_finish(kd_call_close(kd, fd), 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	check_ended(kd);
}

static void check_lazy(const char *type)
{
	struct kd *kd = kd_new(.type = type);
	struct kd_call *c;
	char byte;
	int fd, dir;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDWR, FOPEN_DIRECT_IO);
	dir = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	kd_manual(kd, FUSE_DESTROY);
	CHECK_EQ(kd_umount(kd, MNT_DETACH), 0);
	/* both work on: the file, and names by the directory */
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	kd_reply(kd_expect(kd, FUSE_READ, 2), "x", 1);
	kd_finish(c, 1);
	c = kd_sys(kd, SYS_mkdirat, dir, (long)"d", 0700);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	kd_reply_entry(kd_expect(kd, FUSE_MKDIR, FUSE_ROOT_ID), kd_dir(kd, 3));
	kd_finish(c, 0);
	kd_finish(kd_call_close(kd, fd), 0);
	c = kd_sys(kd, SYS_unlinkat, dir, (long)"d", AT_REMOVEDIR);
	kd_reply_error(kd_expect(kd, FUSE_RMDIR, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	/* the last reference is the end */
	c = kd_call_close(kd, dir);
	if (strcmp(type, "fuseblk") == 0)
		kd_reply_error(kd_expect(kd, FUSE_DESTROY, 0), 0);
	while (!kd->dead)
		kd_settle(kd, 20);
	CHECK_EQ(kd->dead_error, -ENODEV);
	kd_finish(c, 0);
}

static void lazy_keeps_working(void)
{
	check_lazy("fuse");
}

static void lazy_keeps_working_fuseblk(void)
{
	check_lazy("fuseblk");
}

/* A bind mount is a reference like any. */
static void bind_mount_keeps_it(void)
{
	struct kd *kd = kd_new();
	char other[512];

	kd_add_file(kd, "f", 2, 10);
	snprintf(other, sizeof(other), "%s/bind", case_dir());
	CHECK_EQ(mkdir(other, 0755), 0);
	CHECK_EQ(mount(kd->mnt, other, NULL, MS_BIND, NULL), 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	strcat(other, "/f");
	kd_finish(kd_sys(kd, SYS_newfstatat, AT_FDCWD, (long)other, (long)&(struct stat){ 0 }, 0), 0);
	*strrchr(other, '/') = '\0';
	kd_finish(kd_sys(kd, SYS_umount2, (long)other, 0), 0);
	check_ended(kd);
}

/* ---- by force -------------------------------------------------------------------------------- */

static void force_ends_what_waits(void)
{
	struct kd *kd = kd_new();
	struct kd_call *read_already = kd_call_stat(kd, "a", NULL), *waiting, *u;
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID);

	kd_add_dir(kd, "d", 5);
	waiting = kd_call_statfs(kd, "", (uint8_t[512]){ 0 });
	kd_check_blocked(waiting);
	u = call_umount(kd, MNT_FORCE);
	/* Looking for requests now would take the one that waits before it is ended. */
	for (int ms = 0; !kd_is_done(u) && ms < kernel_ms(2000); ms += 5)
		usleep(5000);
	kd_finish(read_already, -ECONNABORTED);
	kd_finish(waiting, -ECONNABORTED);
	CHECK_EQ(kd_try_reply(r, -ENOENT, NULL, 0), -ENOENT);
	kd_wait(u);		/* 0, or EBUSY: those that it ended were still there */
	kd_finish(kd_call_statfs(kd, "", (uint8_t[512]){ 0 }), kd_wait(u) ? -ENOTCONN : 0);
	umount2(kd->mnt, MNT_DETACH);
}

static void force_of_an_idle_mount(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");

	kd_manual(kd, FUSE_DESTROY);
	CHECK_EQ(kd_umount(kd, MNT_FORCE), 0);
	check_ended(kd);
	CHECK(open(kd->disk, O_RDWR | O_EXCL) >= 0);
}

static void force_of_a_busy_mount(void)
{
	struct kd *kd = kd_new();
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_DIRECT_IO);
	CHECK_EQ(kd_umount(kd, MNT_FORCE), -EBUSY);
	check_ended(kd);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 0), -ENOTCONN);
	kd_finish(kd_call_close(kd, fd), -ENOTCONN);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

/* ---- without a daemon ---------------------------------------------------------------------------- */

static void daemon_died(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct stat st;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_DIRECT_IO);
	kd_die(kd);
	kd_finish(kd_call_stat(kd, "new", &st), -ENOTCONN);
	kd_finish(kd_call_pread(kd, fd, &st, 1, 0), -ENOTCONN);
	kd_wait(kd_call_close(kd, fd));
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK(open(kd->disk, O_RDWR | O_EXCL) >= 0);
}

/* Nobody has read the INIT yet, or nobody ever will. */
static void before_init(void)
{
	struct kd *kd = kd_new(.no_init = true), *dead = kd_new(.no_init = true, .type = "fuseblk");
	struct kd_call *c = kd_call_stat(dead, "x", NULL);

	kd_check_blocked(c);
	kd_die(dead);
	CHECK(kd_wait(c) < 0);
	CHECK_EQ(kd_umount(dead, 0), 0);
	CHECK_EQ(umount2(kd->mnt, 0), 0);
	check_ended(kd);
}

static const struct kernel_case cases[] = {
	CASE("umount/fuse-ends-without-destroy", fuse_ends_without_destroy),
	CASE("umount/fuseblk-ends-with-destroy", fuseblk_ends_with_destroy),
	CASE("umount/error-to-destroy", error_to_destroy),
	CASE("umount/daemon-dies-over-destroy", daemon_dies_over_destroy),
	CASE("umount/release-before-destroy", release_before_destroy,
	     differs(stock, "close(2) waits for RELEASE on 6.1's fuseblk, and later modules send DESTROY before it is answered")),
	CASE("umount/writes-before-destroy", writes_before_destroy),
	CASE("umount/busy-while-in-use", busy_while_in_use),
	CASE("umount/lazy-keeps-working", lazy_keeps_working),
	CASE("umount/lazy-keeps-working-fuseblk", lazy_keeps_working_fuseblk),
	CASE("umount/bind-mount-keeps-it", bind_mount_keeps_it),
	CASE("umount/force-ends-what-waits", force_ends_what_waits),
	CASE("umount/force-of-an-idle-mount", force_of_an_idle_mount),
	CASE("umount/force-of-a-busy-mount", force_of_a_busy_mount),
	CASE("umount/daemon-died", daemon_died),
	CASE("umount/before-init", before_init),
};
KERNEL_CASES(cases);
