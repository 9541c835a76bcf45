// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_release.c: RELEASE: once for each OPEN, after all that the file was used for, and nobody waits for it.
 */
#include <linux/aio_abi.h>
#include <sys/mman.h>
#include "data.h"

static void names_handle_and_flags(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_RELEASE);
	fd = kd_opened(kd, "f", O_RDWR | O_APPEND, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	CHECK_EQ(ARG(r, fuse_release_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_release_in)->flags & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
	CHECK_EQ(ARG(r, fuse_release_in)->release_flags, 0);
	kd_reply_error(r, 0);
}

/* fcntl() changes what the daemon is told. */
static void flags_are_those_at_the_end(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_RELEASE);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	CHECK_EQ(fcntl(fd, F_SETFL, O_APPEND), 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	CHECK_EQ(ARG(r, fuse_release_in)->flags & (O_ACCMODE | O_APPEND), O_RDWR | O_APPEND);
	kd_reply_error(r, 0);
}

static void close_does_not_wait(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r, *other;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_RELEASE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	/* Another can be opened and closed meanwhile. */
	c = kd_call_close(kd, kd_opened(kd, "f", O_RDONLY, 0));
	other = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	kd_reply_error(other, 0);
	kd_reply_error(r, 0);
	kd_check_balance(kd);
}

static void its_error_is_nobodys(void)
{
	static const int errors[] = { -EIO, -ENOSYS, 0 };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_RELEASE);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_close(kd, kd_opened(kd, "f", O_RDONLY, 0));

		kd_reply_error(kd_expect(kd, FUSE_RELEASE, 2), errors[i]);
		kd_finish(c, 0);
	}
	kd_check_balance(kd);
}

static void after_the_last_descriptor(void)
{
	struct kd *kd = kd_new();
	int fd, other;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	other = dup(fd);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 0);
	kd_finish(kd_call_close(kd, other), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
}

static void after_the_last_mapping(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	map = data_map(fd, PAGE, PROT_READ, MAP_PRIVATE);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 0);
	kd_finish(data_call_munmap(kd, map, PAGE), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
}

/* A call that is under way holds the file; its end, in the daemon's own write(2), must not wait for the RELEASE. */
static void after_the_last_call(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ASYNC_READ | FUSE_ASYNC_DIO);
	struct iocb cb = { .aio_lio_opcode = IOCB_CMD_PREAD }, *cbs[1] = { &cb };
	aio_context_t ctx = 0;
	struct io_event event;
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY | O_DIRECT, 0);
	CHECK_EQ(syscall(SYS_io_setup, 1, &ctx), 0);
	cb.aio_fildes = (uint32_t)fd;
	cb.aio_buf = (uint64_t)(long)data_room(PAGE);
	cb.aio_nbytes = PAGE;
	c = kd_sys(kd, SYS_io_submit, (long)ctx, 1, (long)cbs);
	r = data_expect_read(kd, 2, 0, PAGE);
	kd_finish(c, 1);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 0);
	data_reply(r, PAGE, 1);
	kd_finish(kd_sys(kd, SYS_io_getevents, (long)ctx, 1, 1, (long)&event, 0), 1);
	CHECK_EQ(event.res, PAGE);
	kd_settle(kd, 50);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
}

static void before_forget(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 0);
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_manual(kd, FUSE_RELEASE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	CHECK_EQ(kd_shrink(kd), 0);
	kd_settle(kd, 50);
	CHECK_EQ(f->forgotten, 0);
	kd_reply_error(r, 0);
	kd_check_balance(kd);
}

/* The name went while it was open. */
static void after_unlink(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 0);
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_manual(kd, FUSE_RELEASE);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
	kd_settle(kd, 30);
	CHECK_EQ(f->forgotten, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	CHECK_EQ(f->forgotten, 0);
	kd_reply_error(r, 0);
	kd_check_balance(kd);
}

static const struct kernel_case cases[] = {
	CASE("release/names-handle-and-flags", names_handle_and_flags),
	CASE("release/flags-are-those-at-the-end", flags_are_those_at_the_end),
	CASE("release/close-does-not-wait", close_does_not_wait),
	CASE("release/its-error-is-nobodys", its_error_is_nobodys),
	CASE("release/after-the-last-descriptor", after_the_last_descriptor),
	CASE("release/after-the-last-mapping", after_the_last_mapping),
	CASE("release/after-the-last-call", after_the_last_call),
	CASE("release/before-forget", before_forget),
	CASE("release/after-unlink", after_unlink),
};
KERNEL_CASES(cases);
