// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_init.c: INIT: what the kernel offers, which answers it takes, and what it does
 * with those that it does not.
 */
#include "daemon.h"

static void is_first_and_alone(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_init_request(kd);

	CHECK_EQ(kd->init_in.major, FUSE_KERNEL_VERSION);
	CHECK(kd->init_in.minor >= KD_MINOR);
	CHECK(kd->offered & FUSE_INIT_EXT);
	CHECK_EQ(r->len, sizeof(struct fuse_in_header) + sizeof(struct fuse_init_in));
	CHECK_EQ(r->nodeid, 0);
	/* Nobody gets in before it is answered. */
	kd_no_request(kd, 50);
	kd_check_blocked(c);
	kd_reply_init(r);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* The life of a mount on a device: DESTROY comes last, and umount waits for its reply. */
static void fuseblk_lives(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct stat st, disk;
	struct kd_call *c;

	CHECK_EQ(fstat(kd->disk_fd, &disk), 0);
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_dev, disk.st_rdev);
	c = kd_sys(kd, SYS_umount2, (long)kd->mnt, 0);
	kd_reply_error(kd_expect(kd, FUSE_DESTROY, 0), 0);
	kd_finish(c, 0);
	kd_no_request(kd, 20);
	CHECK(kd->dead);
	CHECK_EQ(kd->dead_error, -ENODEV);
}

static void error_fails_the_mount(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_error(kd_init_request(kd), -EPERM);
	kd_finish(c, -ECONNREFUSED);
}

static const struct kernel_case cases[] = {
	CASE("init/is-first-and-alone", is_first_and_alone),
	CASE("init/fuseblk-lives", fuseblk_lives),
	CASE("init/error-fails-the-mount", error_fails_the_mount),
};
KERNEL_CASES(cases);
