// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_flush.c: FLUSH: at every close, by whom, and what close(2) says.
 */
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include "data.h"

/* Close @fd, which must cause a FLUSH; its owner. */
static uint64_t flushed_by(struct kd *kd, int fd)
{
	struct kd_call *c = kd_call_close(kd, fd);
	struct kd_req *r = kd_expect(kd, FUSE_FLUSH, 2);
	uint64_t owner = ARG(r, fuse_flush_in)->lock_owner;

	kd_reply_error(r, 0);
	kd_finish(c, 0);
	return owner;
}

static void at_every_close(void)
{
	struct kd *kd = kd_new();
	int fd, other;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	other = dup(fd);
	kd_finish(kd_call_close(kd, fd), 0);
	CHECK_EQ(kd->count[FUSE_FLUSH], 1);
	kd_finish(kd_call_close(kd, other), 0);
	CHECK_EQ(kd->count[FUSE_FLUSH], 2);
}

static void names_the_handle(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_FLUSH, 2);
	CHECK_EQ(ARG(r, fuse_flush_in)->fh, 0x1000);
	CHECK_EQ(ARG(r, fuse_flush_in)->unused, 0);
	kd_check_blocked(c);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

static long close_with_own_table(void *arg)
{
	int fd = *(int *)arg;

	if (unshare(CLONE_FILES) < 0 || close(fd) < 0)
		return -errno;
	return 0;
}

/* A table of descriptors is an owner; its address is not shown. */
static void owner_is_the_table(void)
{
	struct kd *kd = kd_new();
	uint64_t mine, others;
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	mine = flushed_by(kd, dup(fd));
	CHECK_EQ(flushed_by(kd, dup(fd)), mine);
	CHECK(mine != 0 && mine >> 48 != 0xffff);
	c = kd_call(kd, close_with_own_table, &fd);
	r = kd_expect(kd, FUSE_FLUSH, 2);
	others = ARG(r, fuse_flush_in)->lock_owner;
	CHECK(others != mine);
	kd_reply_error(r, 0);
	/* What the thread leaves behind when it ends is its own copy. */
	kd_auto(kd, FUSE_FLUSH);
	kd_finish(c, 0);
}

static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, dup(fd));
	kd_reply_error(kd_expect(kd, FUSE_FLUSH, 2), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_close(kd, fd), 0);
}

static void error_reaches_close(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FLUSH, 2), -EDQUOT);
	kd_finish(c, -EDQUOT);
	/* It is closed nevertheless. */
	kd_settle(kd, 30);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
	CHECK_EQ(fcntl(fd, F_GETFD), -1);
}

static void data_comes_first(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd;

	data_file(kd, PAGE, 1);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = kd_call_close(kd, fd);
	r = data_expect_write(kd, 2, 0, PAGE);
	kd_no_request(kd, 30);
	kd_reply_write(r, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_FLUSH, 2), 0);
	kd_finish(c, 0);
}

static void failed_writeback_reaches_close(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd;

	data_file(kd, PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	data_dirty(kd, map, 0);
	c = kd_call_close(kd, fd);
	kd_reply_error(data_expect_write(kd, 2, 0, PAGE), -EIO);
	kd_finish(c, -EIO);
}

/* A signal is passed on as an INTERRUPT, and close waits on. */
static void signal_interrupts_and_close_waits(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r, *i;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_FLUSH);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_FLUSH, 2);
	kd_signal(c, SIGUSR1);
	i = kd_expect(kd, FUSE_INTERRUPT, 0);
	CHECK_EQ(ARG(i, fuse_interrupt_in)->unique, r->unique);
	kd_check_blocked(c);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

/* The size and times that the daemon settles at close are asked for; nothing else is written behind it. */
static void attributes_are_asked_for_after(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 0);
	struct kd_call *c;
	struct stat st;
	int fd;

	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_pwrite(kd, fd, "abc", 3, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 3), 3);
	kd_finish(c, 3);
	kd_finish(kd_call_close(kd, fd), 0);
	f->attr.size = 3;
	f->attr.blocks = 8;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 3);
	CHECK_EQ(st.st_blocks, 8);
	CHECK_EQ(kd->count[FUSE_WRITE], 1);
}

static const struct kernel_case cases[] = {
	CASE("flush/at-every-close", at_every_close),
	CASE("flush/names-the-handle", names_the_handle),
	CASE("flush/owner-is-the-table", owner_is_the_table),
	CASE("flush/enosys-is-for-ever", enosys_is_for_ever),
	CASE("flush/error-reaches-close", error_reaches_close),
	CASE("flush/data-comes-first", data_comes_first),
	CASE("flush/failed-writeback-reaches-close", failed_writeback_reaches_close),
	CASE("flush/signal-interrupts-and-close-waits", signal_interrupts_and_close_waits),
	CASE("flush/attributes-are-asked-for-after", attributes_are_asked_for_after),
};
KERNEL_CASES(cases);
