// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dev_read.c: reading /dev/fuse: the buffer's rules, one request per read, waiting,
 * polling, signals, and what a read says at each end of a connection.
 */
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "daemon.h"

#define LEAST(max_write) (sizeof(struct fuse_in_header) + sizeof(struct fuse_write_in) + (max_write))

static uint8_t buffer[KD_BUFFER];

static void make_blocking(int fd)
{
	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
}

/* A LOOKUP is in the queue. */
static struct kd_call *pending(struct kd *kd, const char *name)
{
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };
	struct kd_call *c = kd_call_stat(kd, name, NULL);

	if (poll(&p, 1, kernel_ms(KD_WAIT_MS)) != 1)
		FAIL("no request for %s", name);
	return c;
}

static void answer(struct kd *kd, const void *bytes, ssize_t n, struct kd_call *c)
{
	CHECK(n > 0);
	kd_reply_error(kd_decode(kd, kd->fd, bytes, (size_t)n), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- the buffer -------------------------------------------------------- */

/* Too small is an error, and changes nothing: the request is there for the next read. */
static void check_least(uint32_t max_write, size_t least)
{
	struct kd *kd = kd_new(.max_write = max_write);
	struct kd_call *c = pending(kd, "f");

	CHECK_EQ(kd_read_raw(kd, buffer, 0), -EINVAL);
	CHECK_EQ(kd_read_raw(kd, buffer, 1), -EINVAL);
	CHECK_EQ(kd_read_raw(kd, buffer, least - 1), -EINVAL);
	answer(kd, buffer, kd_read_raw(kd, buffer, least), c);
	kd_stop(kd);
}

static void small_buffers_are_refused(void)
{
	check_least(4096, FUSE_MIN_READ_BUFFER);
	check_least(131072, LEAST(131072));
	check_least(65536, LEAST(65536));
}

/* Without a request, too: the daemon learns it at once. */
static void small_buffers_are_refused_when_idle(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_read_raw(kd, buffer, 4096), -EINVAL);
	CHECK_EQ(kd_read_raw(kd, buffer, LEAST(131072) - 1), -EINVAL);
	CHECK_EQ(kd_read_raw(kd, buffer, LEAST(131072)), -EAGAIN);
}

static void before_init_8192_will_do(void)
{
	struct kd *kd = kd_new(.no_init = true);

	CHECK_EQ(kd_read_raw(kd, buffer, FUSE_MIN_READ_BUFFER - 1), -EINVAL);
	CHECK_EQ(kd_read_raw(kd, buffer, FUSE_MIN_READ_BUFFER), 104);
}

static void one_request_per_read(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *a = pending(kd, "a");
	struct kd_req *ra, *rb;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	ra = kd_expect(kd, FUSE_LOOKUP, 1);
	pending(kd, "b");
	kd_call_stat(kd, "c", NULL);
	usleep(20000);
	rb = kd_decode(kd, kd->fd, buffer, (size_t)kd_read_raw(kd, buffer, sizeof(buffer)));
	CHECK_EQ(rb->opcode, FUSE_LOOKUP);
	CHECK_EQ(rb->unique - ra->unique, 2);
	kd_reply_error(rb, -ENOENT);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_reply_error(ra, -ENOENT);
	kd_finish(a, -ENOENT);
}

static void in_many_pieces(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = pending(kd, "a-name-that-spans-pieces");
	struct iovec iov[64];
	size_t at = 0;
	ssize_t n;

	/* 63 odd pieces of 7 bytes, the rest in one. */
	for (size_t i = 0; i < 63; i++, at += 7)
		iov[i] = (struct iovec){ buffer + at, 7 };
	iov[63] = (struct iovec){ buffer + at, sizeof(buffer) - at };
	n = readv(kd->fd, iov, 64);
	answer(kd, buffer, n, c);
}

static void bad_memory(void)
{
	struct kd *kd = kd_new();
	uint8_t *none = mmap(NULL, KD_BUFFER, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kd_call *c = pending(kd, "f");

	CHECK_EQ(kd_read_raw(kd, none, KD_BUFFER), -EFAULT);
	kd_finish(c, -EIO);
	c = pending(kd, "f");
	answer(kd, buffer, kd_read_raw(kd, buffer, sizeof(buffer)), c);
}

/* A request that does not fit fails for its caller, and the daemon does not see it. */
static void large_request_fails_alone(void)
{
	struct kd *kd = kd_new(.max_write = 4096);
	void *value = calloc(1, 65536);
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	c = kd_call_setxattr(kd, "f", "user.x", value, 10000, 0);
	usleep(20000);
	CHECK_EQ(kd_read_raw(kd, buffer, FUSE_MIN_READ_BUFFER), -EAGAIN);
	kd_finish(c, -E2BIG);
	/* With room it passes. */
	c = kd_call_setxattr(kd, "f", "user.x", value, 10000, 0);
	kd_reply_error(kd_expect(kd, FUSE_SETXATTR, 2), 0);
	kd_finish(c, 0);
}

/* ---- waiting ------------------------------------------------------------- */

static void nonblocking_says_again(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -EAGAIN);
}

static void blocking_waits(void)
{
	struct kd *kd = kd_new();
	int fd = kd_clone(kd);
	struct kd_call *reader, *c;
	struct kd_req *r;
	long n;

	make_blocking(fd);
	reader = kd_call_read(kd, fd, buffer, sizeof(buffer));
	kd_check_blocked(reader);
	c = kd_call_stat(kd, "f", NULL);
	while (!kd_is_done(reader))
		usleep(1000);
	kd_on(kd, fd);
	n = kd_wait(reader);
	CHECK(n > 0);
	r = kd_decode(kd, fd, buffer, (size_t)n);
	kd_reply_error(r, -ENOENT);
	CHECK_EQ(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	kd_finish(c, -ENOENT);
}

static void signal_ends_the_wait(void)
{
	struct kd *kd = kd_new();
	struct kd_call *reader;
	int fd = kd_clone(kd);

	make_blocking(fd);
	reader = kd_call_read(kd, fd, buffer, sizeof(buffer));
	kd_check_blocked(reader);
	kd_signal(reader, SIGUSR1);
	kd_finish(reader, -EINTR);
}

static void umount_ends_the_wait(void)
{
	struct kd *kd = kd_new();
	struct kd_call *reader;
	int fd = kd_clone(kd);

	make_blocking(fd);
	reader = kd_call_read(kd, fd, buffer, sizeof(buffer));
	kd_check_blocked(reader);
	CHECK_EQ(kd_umount(kd, 0), 0);
	kd_finish(reader, -ENODEV);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ENODEV);
}

static void abort_ends_the_wait(void)
{
	struct kd *kd = kd_new();
	struct kd_call *reader;
	int fd = kd_clone(kd);

	make_blocking(fd);
	reader = kd_call_read(kd, fd, buffer, sizeof(buffer));
	kd_check_blocked(reader);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	kd_finish(reader, -ENODEV);
}

/* Whoever waits first: one request wakes one reader. */
static void one_request_for_one_reader(void)
{
	struct kd *kd = kd_new();
	static uint8_t other[KD_BUFFER];
	int fd = kd_clone(kd);
	struct kd_call *a, *b, *c;

	make_blocking(fd);
	a = kd_call_read(kd, fd, buffer, sizeof(buffer));
	b = kd_call_read(kd, fd, other, sizeof(other));
	kd_check_blocked(a);
	kd_check_blocked(b);
	c = kd_call_stat(kd, "f", NULL);
	for (int i = 0; i < 1000 && kd_is_done(a) + kd_is_done(b) < 1; i++)
		usleep(1000);
	usleep(20000);
	CHECK_EQ(kd_is_done(a) + kd_is_done(b), 1);
	kd_check_blocked(c);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
}

/* ---- poll and SIGIO --------------------------------------------------------- */

static int poll_now(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN | POLLOUT };

	poll(&p, 1, 0);
	return p.revents;
}

static void poll_tells(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int clone = kd_clone(kd);

	CHECK_EQ(poll_now(kd->fd), POLLOUT);
	CHECK_EQ(poll_now(clone), POLLOUT);
	c = pending(kd, "f");
	CHECK_EQ(poll_now(kd->fd), POLLIN | POLLOUT);
	CHECK_EQ(poll_now(clone), POLLIN | POLLOUT);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	CHECK_EQ(poll_now(kd->fd), POLLOUT);
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(poll_now(kd->fd), POLLERR);
	CHECK_EQ(poll_now(clone), POLLERR);
}

static void poll_of_an_aborted_one(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	CHECK_EQ(poll_now(kd->fd), POLLERR);
}

static volatile sig_atomic_t sigio_count;

static void on_sigio(int sig)
{
	(void)sig;
	sigio_count++;
}

static void sigio_tells(void)
{
	struct kd *kd = kd_new();
	/* Not to a caller: its handler would run when its call has ended. */
	struct f_owner_ex owner = { F_OWNER_TID, (pid_t)syscall(SYS_gettid) };
	struct kd_call *c;

	signal(SIGIO, on_sigio);
	CHECK_EQ(fcntl(kd->fd, F_SETOWN_EX, &owner), 0);
	CHECK_EQ(fcntl(kd->fd, F_SETFL, O_NONBLOCK | O_ASYNC), 0);
	c = kd_call_stat(kd, "f", NULL);
	for (int i = 0; i < 1000 && !sigio_count; i++)
		usleep(1000);
	CHECK_EQ(sigio_count, 1);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	CHECK_EQ(fcntl(kd->fd, F_SETFL, O_NONBLOCK), 0);
	c = pending(kd, "f");
	CHECK_EQ(sigio_count, 1);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- both ends ---------------------------------------------------------------- */

static void without_a_mount(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	struct iovec iov = { buffer, 16 };

	CHECK(fd >= 0);
	CHECK_EQ(read(fd, buffer, sizeof(buffer)), -1);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(kd_write_raw(fd, &iov, 1), -EPERM);
	CHECK_EQ(poll_now(fd), POLLERR);
	close(fd);
}

static void after_umount(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ENODEV);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ENODEV);
	CHECK(kd_reply_raw(kd->fd, 2, 0, -1, NULL, 0) < 0);
}

/* Whatever waits for the daemon is freed by its death. */
static void daemon_dies(void)
{
	struct kd *kd = kd_new();
	struct kd_call *a = pending(kd, "read"), *b;

	kd_expect(kd, FUSE_LOOKUP, 1);
	b = kd_call_mkdir(kd, "unread", 0755);
	usleep(20000);
	kd_die(kd);
	kd_finish(a, -ECONNABORTED);
	CHECK(kd_wait(b) == -ECONNABORTED || kd_wait(b) == -ENOTCONN);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
}

static void uniques_step_by_two(void)
{
	struct kd *kd = kd_new();
	uint64_t last = 0;

	for (int i = 0; i < 5; i++) {
		struct kd_call *c = kd_call_stat(kd, "f", NULL);
		struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

		CHECK_EQ(r->unique & 1, 0);
		if (last)
			CHECK_EQ(r->unique - last, 2);
		last = r->unique;
		kd_reply_error(r, -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static const struct kernel_case cases[] = {
	CASE("dev-read/small-buffers-are-refused", small_buffers_are_refused),
	CASE("dev-read/small-buffers-are-refused-when-idle", small_buffers_are_refused_when_idle),
	CASE("dev-read/before-init-8192-will-do", before_init_8192_will_do),
	CASE("dev-read/one-request-per-read", one_request_per_read),
	CASE("dev-read/in-many-pieces", in_many_pieces),
	CASE("dev-read/bad-memory", bad_memory),
	CASE("dev-read/large-request-fails-alone", large_request_fails_alone),
	CASE("dev-read/nonblocking-says-again", nonblocking_says_again),
	CASE("dev-read/blocking-waits", blocking_waits),
	CASE("dev-read/signal-ends-the-wait", signal_ends_the_wait),
	CASE("dev-read/umount-ends-the-wait", umount_ends_the_wait),
	CASE("dev-read/abort-ends-the-wait", abort_ends_the_wait),
	CASE("dev-read/one-request-for-one-reader", one_request_for_one_reader),
	CASE("dev-read/poll-tells", poll_tells),
	CASE("dev-read/poll-of-an-aborted-one", poll_of_an_aborted_one),
	CASE("dev-read/sigio-tells", sigio_tells),
	CASE("dev-read/without-a-mount", without_a_mount),
	CASE("dev-read/after-umount", after_umount),
	CASE("dev-read/daemon-dies", daemon_dies),
	CASE("dev-read/uniques-step-by-two", uniques_step_by_two),
};
KERNEL_CASES(cases);
