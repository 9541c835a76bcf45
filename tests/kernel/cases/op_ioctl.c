// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_ioctl.c: IOCTL, restricted: the number says how many bytes go and come; flags of files.
 */
#include <linux/fs.h>
#include <sys/ioctl.h>
#include "data.h"

#define PLAIN _IO('k', 1)
#define GIVE _IOW('k', 2, uint8_t[100])
#define TAKE _IOR('k', 3, uint8_t[100])
#define BOTH _IOWR('k', 4, uint8_t[100])

static int opened_file(struct kd *kd)
{
	kd_add_file(kd, "f", 2, 0);
	return kd_opened(kd, "f", O_RDONLY, 0);
}

static void sizes_and_directions(void)
{
	static const struct { unsigned int cmd; uint32_t in, out; } kinds[] = {
		{ PLAIN, 0, 0 }, { GIVE, 100, 0 }, { TAKE, 0, 100 }, { BOTH, 100, 100 },
	};
	struct kd *kd = kd_new();
	int fd = opened_file(kd);

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		uint8_t *buf = data_new(200, 0, 1), *answer = data_new(100, 0, 2);
		struct kd_call *c = kd_call_ioctl(kd, fd, kinds[i].cmd, buf);
		struct kd_req *r = kd_expect(kd, FUSE_IOCTL, 2);
		const struct fuse_ioctl_in *in = r->arg;

		CHECK_EQ(in->fh, 0x1000);
		CHECK_EQ(in->flags, 0);
		CHECK_EQ(in->cmd, kinds[i].cmd);
		CHECK_EQ(in->arg, (long)buf);
		CHECK_EQ(in->in_size, kinds[i].in);
		CHECK_EQ(in->out_size, kinds[i].out);
		CHECK_DATA(r->data, r->data_len, 0, 1);
		kd_reply_ioctl(r, 7, answer, kinds[i].out);
		kd_finish(c, 7);
		CHECK_DATA(buf, kinds[i].out, 0, 2);
		CHECK_DATA(buf + kinds[i].out, 200 - kinds[i].out, kinds[i].out, 1);
	}
}

/* Of an argument that is no address. */
static void value_is_passed(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd);
	struct kd_call *c = kd_call_ioctl(kd, fd, PLAIN, (void *)0x1234);
	struct kd_req *r = kd_expect(kd, FUSE_IOCTL, 2);

	CHECK_EQ(ARG(r, fuse_ioctl_in)->arg, 0x1234);
	kd_reply_ioctl(r, 0, NULL, 0);
	kd_finish(c, 0);
}

static void results(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd = opened_file(kd);

	c = kd_call_ioctl(kd, fd, PLAIN, NULL);
	kd_reply_ioctl(kd_expect(kd, FUSE_IOCTL, 2), -EDOM, NULL, 0);
	kd_finish(c, -EDOM);
	c = kd_call_ioctl(kd, fd, PLAIN, NULL);
	kd_reply_error(kd_expect(kd, FUSE_IOCTL, 2), -EPERM);
	kd_finish(c, -EPERM);
	c = kd_call_ioctl(kd, fd, PLAIN, NULL);
	kd_reply_ioctl(kd_expect(kd, FUSE_IOCTL, 2), 12345, NULL, 0);
	kd_finish(c, 12345);
}

/* Asked again each time: another number may be known. */
static void enosys_is_enotty(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd);

	for (int i = 0; i < 2; i++) {
		struct kd_call *c = kd_call_ioctl(kd, fd, PLAIN, NULL);

		kd_reply_error(kd_expect(kd, FUSE_IOCTL, 2), -ENOSYS);
		kd_finish(c, -ENOTTY);
	}
}

static void shorter_answer(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(100, 0, 1), *answer = data_new(100, 0, 2);
	int fd = opened_file(kd);
	struct kd_call *c = kd_call_ioctl(kd, fd, TAKE, buf);

	kd_reply_ioctl(kd_expect(kd, FUSE_IOCTL, 2), 0, answer, 10);
	kd_finish(c, 0);
	CHECK_DATA(buf, 10, 0, 2);
	/* What follows is not the kernel's memory. */
	for (int i = 10; i < 100; i++)
		CHECK(buf[i] == 0 || buf[i] == data_byte((uint64_t)i, 1));
}

static void longer_answer_is_refused(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(200, 0, 1), body[256] = { 0 };
	int fd = opened_file(kd);
	struct kd_call *c = kd_call_ioctl(kd, fd, TAKE, buf);
	struct kd_req *r = kd_expect(kd, FUSE_IOCTL, 2);

	/* The daemon may be told, or not. */
	kd_try_reply(r, 0, body, sizeof(struct fuse_ioctl_out) + 101);
	kd_finish(c, -EIO);
	CHECK_DATA(buf, 200, 0, 1);
}

/* The daemon may not have the kernel read the caller's memory. */
static void retry_is_refused(void)
{
	struct kd *kd = kd_new();
	uint8_t *buf = data_new(200, 0, 1);
	struct {
		struct fuse_ioctl_out out;
		struct fuse_ioctl_iovec iov[2];
	} body = { { .flags = FUSE_IOCTL_RETRY, .in_iovs = 1, .out_iovs = 1 }, { { 0 } } };
	int fd = opened_file(kd);
	struct kd_call *c;

	body.iov[0] = body.iov[1] = (struct fuse_ioctl_iovec){ .base = (uint64_t)(long)buf, .len = 200 };
	c = kd_call_ioctl(kd, fd, TAKE, buf);
	kd_reply(kd_expect(kd, FUSE_IOCTL, 2), &body, sizeof(body));
	kd_finish(c, -EIO);
}

static void bad_memory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t answer[100] = { 0 };
	int fd = opened_file(kd);

	kd_finish(kd_call_ioctl(kd, fd, GIVE, (void *)16), -EFAULT);
	c = kd_call_ioctl(kd, fd, TAKE, (void *)16);
	kd_reply_ioctl(kd_expect(kd, FUSE_IOCTL, 2), 0, answer, 100);
	kd_finish(c, -EFAULT);
}

/* ---- directories ------------------------------------------------------------ */

static void directories(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_dir(kd, "d", 2);
	fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	c = kd_call_ioctl(kd, fd, PLAIN, NULL);
	r = kd_expect(kd, FUSE_IOCTL, 2);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->flags, FUSE_IOCTL_DIR);
	kd_reply_ioctl(r, 3, NULL, 0);
	kd_finish(c, 3);
}

/* Daemons of before 7.18 know nothing of them. */
static void directories_of_old_daemons(void)
{
	struct kd *kd = kd_new(.minor = 17);
	int fd;

	kd_add_dir(kd, "d", 2);
	fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	kd_finish(kd_call_ioctl(kd, fd, PLAIN, NULL), -ENOTTY);
}

/* ---- flags of files ------------------------------------------------------------ */

/* A handle is opened for it; the argument is an int, whatever the number says. */
static void flags_are_read(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd);
	uint32_t flags = 0, answer = FS_NODUMP_FL;
	struct kd_call *c = kd_call_ioctl(kd, fd, FS_IOC_GETFLAGS, &flags);
	struct kd_req *r;

	r = kd_expect(kd, FUSE_OPEN, 2);
	CHECK_EQ(ARG(r, fuse_open_in)->flags & O_ACCMODE, O_RDONLY);
	kd_reply_open(r, 0x77, 0);
	r = kd_expect(kd, FUSE_IOCTL, 2);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->fh, 0x77);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->cmd, (uint32_t)FS_IOC_GETFLAGS);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->in_size, 0);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->out_size, 4);
	kd_reply_ioctl(r, 0, &answer, 4);
	kd_finish(c, 0);
	CHECK_EQ(flags, FS_NODUMP_FL);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
}

static void flags_are_set(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd);
	uint32_t flags = FS_NODUMP_FL | FS_NOATIME_FL;
	struct fsxattr old = { .fsx_xflags = FS_XFLAG_NODUMP };
	struct kd_call *c = kd_call_ioctl(kd, fd, FS_IOC_SETFLAGS, &flags);
	struct kd_req *r;

	/* The VFS asks what they are before, in its own form. */
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 0x77, 0);
	r = kd_expect(kd, FUSE_IOCTL, 2);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->cmd, (uint32_t)FS_IOC_FSGETXATTR);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->out_size, sizeof(old));
	kd_reply_ioctl(r, 0, &old, sizeof(old));
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 0x78, 0);
	r = kd_expect(kd, FUSE_IOCTL, 2);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->cmd, (uint32_t)FS_IOC_SETFLAGS);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->fh, 0x78);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->in_size, 4);
	CHECK_EQ(ARG(r, fuse_ioctl_in)->out_size, 0);
	CHECK_MEM(r->data, &flags, 4);
	kd_reply_ioctl(r, 0, NULL, 0);
	kd_finish(c, 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 2);
}

static void flags_without_the_daemon(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd);
	uint32_t flags = 0;
	struct kd_call *c = kd_call_ioctl(kd, fd, FS_IOC_GETFLAGS, &flags);

	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 0x77, 0);
	kd_reply_error(kd_expect(kd, FUSE_IOCTL, 2), -ENOSYS);
	kd_finish(c, -ENOTTY);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
}

/* Of one who is neither the owner nor privileged. */
static void flags_are_the_owners(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	int fd = opened_file(kd);
	uint32_t flags = FS_NODUMP_FL;

	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_ioctl(kd, fd, FS_IOC_SETFLAGS, &flags), -EPERM);
}

static const struct kernel_case cases[] = {
	CASE("ioctl/sizes-and-directions", sizes_and_directions),
	CASE("ioctl/value-is-passed", value_is_passed),
	CASE("ioctl/results", results),
	CASE("ioctl/enosys-is-enotty", enosys_is_enotty),
	CASE("ioctl/shorter-answer", shorter_answer),
	CASE("ioctl/longer-answer-is-refused", longer_answer_is_refused),
	CASE("ioctl/retry-is-refused", retry_is_refused),
	CASE("ioctl/bad-memory", bad_memory),
	CASE("ioctl/directories", directories),
	CASE("ioctl/directories-of-old-daemons", directories_of_old_daemons),
	CASE("ioctl/flags-are-read", flags_are_read),
	CASE("ioctl/flags-are-set", flags_are_set),
	CASE("ioctl/flags-without-the-daemon", flags_without_the_daemon),
	CASE("ioctl/flags-are-the-owners", flags_are_the_owners),
};
KERNEL_CASES(cases);
