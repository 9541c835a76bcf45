// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_opendir.c: OPENDIR, RELEASEDIR and FSYNCDIR: handles of directories.
 */
#include "daemon.h"

static struct kd_call *call(struct kd *kd)
{
	return kd_call_open(kd, "", O_RDONLY | O_DIRECTORY, 0);
}

static void handle_lives_until_release(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_open(kd, "", O_RDONLY | O_DIRECTORY | O_NONBLOCK, 0);
	struct kd_req *r = kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID);
	uint8_t buf[1024];
	int fd;

	CHECK_EQ(((const struct fuse_open_in *)r->arg)->flags & (O_ACCMODE | O_NONBLOCK | O_DIRECTORY),
		 O_RDONLY | O_NONBLOCK | O_DIRECTORY);
	kd_reply_open(r, 0x123456789abcdefull, 0);
	fd = (int)kd_wait(c);
	CHECK(fd >= 0);
	c = kd_call_getdents(kd, fd, buf, sizeof(buf));
	r = kd_expect(kd, FUSE_READDIR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_read_in *)r->arg)->fh, 0x123456789abcdefull);
	kd_reply(r, NULL, 0);
	kd_finish(c, 0);
	kd_manual(kd, FUSE_RELEASEDIR);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASEDIR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_release_in *)r->arg)->fh, 0x123456789abcdefull);
	CHECK_EQ(((const struct fuse_release_in *)r->arg)->flags & O_NONBLOCK, O_NONBLOCK);
	kd_finish(c, 0);
	kd_reply_error(r, 0);
	CHECK_EQ(kd->count[FUSE_FLUSH], 0);
}

/* One RELEASEDIR for one OPENDIR, at the last close of a handle that was duplicated. */
static void released_at_the_last_close(void)
{
	struct kd *kd = kd_new();
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0), two = dup(fd);

	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 20);
	CHECK_EQ(kd->count[FUSE_RELEASEDIR], 0);
	kd_finish(kd_call_close(kd, two), 0);
	for (int ms = 0; !kd->count[FUSE_RELEASEDIR] && ms < kernel_ms(2000); ms += 20)
		kd_settle(kd, 20);
	CHECK_EQ(kd->count[FUSE_RELEASEDIR], 1);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EACCES, EMFILE, ENOENT, EIO, EPERM, 511 };
	struct kd *kd = kd_new();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = call(kd);

		kd_reply_error(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	kd_settle(kd, 20);
	CHECK_EQ(kd->count[FUSE_RELEASEDIR], 0);
}

/* Whether or not the daemon's INIT said so: the kernel's did. */
static void enosys_is_latched(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t buf[1024];
	int fd;

	kd_need(kd, FUSE_NO_OPENDIR_SUPPORT);
	c = call(kd);
	kd_reply_error(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), -ENOSYS);
	fd = (int)kd_wait(c);
	CHECK(fd >= 0);
	c = kd_call_getdents(kd, fd, buf, sizeof(buf));
	r = kd_expect(kd, FUSE_READDIR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_read_in *)r->arg)->fh, 0);
	kd_reply(r, NULL, 0);
	kd_finish(c, 0);
	kd_finish(kd_call_close(kd, fd), 0);
	fd = (int)kd_wait(call(kd));
	CHECK(fd >= 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 20);
	CHECK_EQ(kd->count[FUSE_OPENDIR], 1);
	CHECK_EQ(kd->count[FUSE_RELEASEDIR], 0);
}

/* Other errors of OPENDIR are of that one only. */
static void other_errors_are_not_latched(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	for (int i = 0; i < 2; i++) {
		c = call(kd);
		kd_reply_error(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), -EACCES);
		kd_finish(c, -EACCES);
	}
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 8, sizeof(struct fuse_open_out) - 1, sizeof(struct fuse_open_out) + 1, 4096 };
	struct kd *kd = kd_new();
	uint8_t body[4096] = { 0 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = call(kd);

		CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* The directory is gone, its handle is not: it is released, and only then forgotten. */
static void released_before_forgotten(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_add_dir(kd, "d", 2);
	int fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	struct kd_call *c = kd_call_rmdir(kd, "d");
	struct kd_req *r;

	kd_reply_error(kd_expect(kd, FUSE_RMDIR, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	kd_manual(kd, FUSE_RELEASEDIR);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASEDIR, 2);
	kd_finish(c, 0);
	kd_settle(kd, 20);
	CHECK_EQ(d->forgotten, 0);
	kd_reply_error(r, 0);
	kd_check_balance(kd);
}

/* ---- FSYNCDIR ----------------------------------------------------------------- */

static void fsync_of_a_directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = call(kd);
	struct kd_req *r;
	int fd;

	kd_reply_open(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), 0x77, 0);
	fd = (int)kd_wait(c);
	c = kd_call_fsync(kd, fd);
	r = kd_expect(kd, FUSE_FSYNCDIR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_fsync_in *)r->arg)->fh, 0x77);
	CHECK_EQ(((const struct fuse_fsync_in *)r->arg)->fsync_flags, 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	c = kd_call_fdatasync(kd, fd);
	r = kd_expect(kd, FUSE_FSYNCDIR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_fsync_in *)r->arg)->fsync_flags, FUSE_FSYNC_FDATASYNC);
	kd_reply_error(r, -EIO);
	kd_finish(c, -EIO);
}

static void fsyncdir_enosys_is_latched(void)
{
	struct kd *kd = kd_new();
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_call *c = kd_call_fsync(kd, fd);

	kd_reply_error(kd_expect(kd, FUSE_FSYNCDIR, FUSE_ROOT_ID), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_fsync(kd, fd), 0);
	CHECK_EQ(kd->count[FUSE_FSYNCDIR], 1);
}

static const struct kernel_case cases[] = {
	CASE("opendir/handle-lives-until-release", handle_lives_until_release),
	CASE("opendir/released-at-the-last-close", released_at_the_last_close),
	CASE("opendir/errors-reach-the-caller", errors_reach_the_caller),
	CASE("opendir/enosys-is-latched", enosys_is_latched),
	CASE("opendir/other-errors-are-not-latched", other_errors_are_not_latched),
	CASE("opendir/wrong-lengths", wrong_lengths),
	CASE("opendir/released-before-forgotten", released_before_forgotten),
	CASE("fsyncdir/fsync-of-a-directory", fsync_of_a_directory),
	CASE("fsyncdir/enosys-is-latched", fsyncdir_enosys_is_latched),
};
KERNEL_CASES(cases);
