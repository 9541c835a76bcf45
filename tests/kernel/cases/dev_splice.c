// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dev_splice.c: requests and replies through pipes. What counts is the bytes; whether
 * pages were moved or copied is not to be seen.
 */
#include <stdlib.h>
#include <sys/uio.h>
#include "daemon.h"

static void new_pipe(int fds[2])
{
	CHECK_EQ(pipe2(fds, O_CLOEXEC | O_NONBLOCK), 0);
	CHECK(fcntl(fds[1], F_SETPIPE_SZ, 1 << 20) >= 1 << 20);
}

/* splice(2) from the channel into @pipe, then the request out of the pipe. */
static struct kd_req *splice_request(struct kd *kd, int pipe[2])
{
	static uint8_t bytes[KD_BUFFER];
	ssize_t n = splice(kd->fd, NULL, pipe[1], NULL, KD_BUFFER, 0);

	if (n < 0)
		FAIL("splice from the channel: %s", case_value(-errno));
	CHECK_EQ(read(pipe[0], bytes, sizeof(bytes)), n);
	return kd_decode(kd, kd->fd, bytes, (size_t)n);
}

/* A reply into @pipe, to be spliced. Returns its length. */
static size_t fill(int pipe[2], uint64_t unique, int error, const void *body, size_t len)
{
	struct fuse_out_header h = { .len = (uint32_t)(sizeof(h) + len), .error = error, .unique = unique };

	CHECK_EQ(write(pipe[1], &h, sizeof(h)), sizeof(h));
	if (len)
		CHECK_EQ(write(pipe[1], body, len), len);
	return h.len;
}

static int splice_in(struct kd *kd, int pipe[2], size_t len, unsigned int flags)
{
	ssize_t n = splice(pipe[0], NULL, kd->fd, NULL, len, flags);

	return n < 0 ? -errno : (size_t)n == len ? 0 : -EIO;
}

static void request_and_reply(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "spliced", NULL);
	struct kd_req *r;
	int pipe[2];

	new_pipe(pipe);
	kd_check_blocked(c);
	r = splice_request(kd, pipe);
	CHECK_EQ(r->opcode, FUSE_LOOKUP);
	CHECK_STR(r->name, "spliced");
	CHECK_EQ(splice_in(kd, pipe, fill(pipe, r->unique, -ENOENT, NULL, 0), 0), 0);
	kd_finish(c, -ENOENT);
}

static void entry_reply(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 4321);
	struct fuse_entry_out out = kd_entry(f);
	struct stat st;
	struct kd_call *c = kd_call_stat(kd, "f", &st);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);
	int pipe[2];

	new_pipe(pipe);
	CHECK_EQ(splice_in(kd, pipe, fill(pipe, r->unique, 0, &out, sizeof(out)), 0), 0);
	f->given++;
	kd_finish(c, 0);
	CHECK_EQ(st.st_size, 4321);
	kd_check_balance(kd);
}

/* A WRITE of many pages comes out of the pipe as it went in. */
static void large_write_request(void)
{
	struct kd *kd = kd_new();
	char *data = malloc(131072);
	struct kd_call *c;
	struct kd_req *r;
	int fd, pipe[2];

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	for (size_t i = 0; i < 131072; i++)
		data[i] = (char)(i * 7 + i / 4096);
	new_pipe(pipe);
	c = kd_call_pwrite(kd, fd, data, 131072, 0);
	kd_reply_error(kd_expect(kd, FUSE_GETXATTR, 2), -ENODATA);
	kd_check_blocked(c);
	r = splice_request(kd, pipe);
	CHECK_EQ(r->opcode, FUSE_WRITE);
	CHECK_EQ(r->data_len, 131072);
	CHECK_MEM(r->data, data, 131072);
	kd_reply_write(r, 131072);
	kd_finish(c, 131072);
}

/* The bytes in the pipe are the daemon's: what the caller does later is not seen in them. */
static void request_in_the_pipe_is_a_snapshot(void)
{
	struct kd *kd = kd_new();
	char *data = aligned_alloc(4096, 65536);
	static uint8_t bytes[KD_BUFFER];
	struct kd_call *c;
	ssize_t n;
	int fd, pipe[2];

	kd_add_file(kd, "f", 2, 65536);
	fd = kd_opened(kd, "f", O_RDWR, FOPEN_DIRECT_IO);
	new_pipe(pipe);
	memset(data, 'a', 65536);
	c = kd_call_pwrite(kd, fd, data, 65536, 0);
	kd_check_blocked(c);
	n = splice(kd->fd, NULL, pipe[1], NULL, KD_BUFFER, 0);
	CHECK(n > 65536);
	CHECK_EQ(kd_reply_raw(kd->fd, UINT64_MAX - 1, 0, -1, NULL, 0), -ENOENT);
	memset(data, 'b', 65536);
	CHECK_EQ(read(pipe[0], bytes, sizeof(bytes)), n);
	CHECK_EQ(bytes[n - 1], 'a');
	kd_reply_write(kd_decode(kd, kd->fd, bytes, (size_t)n), 65536);
	kd_finish(c, 65536);
}

/* A direct read, answered from memory that is given away or not. */
static void check_read_reply(unsigned int flags)
{
	struct kd *kd = kd_new();
	char *data = aligned_alloc(4096, 131072), *buf = aligned_alloc(4096, 131072);
	struct fuse_out_header h = { .len = sizeof(h) + 131072 };
	struct iovec body = { data, 131072 };
	struct kd_call *c;
	struct kd_req *r;
	int fd, pipe[2];

	kd_add_file(kd, "f", 2, 131072);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_DIRECT_IO);
	new_pipe(pipe);
	memset(buf, 0, 131072);
	for (size_t i = 0; i < 131072; i++)
		data[i] = (char)(i * 5 + i / 4096);
	c = kd_call_pread(kd, fd, buf, 131072, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	h.unique = r->unique;
	CHECK_EQ(((const struct fuse_read_in *)r->arg)->size, 131072);
	CHECK_EQ(write(pipe[1], &h, sizeof(h)), sizeof(h));
	CHECK_EQ(vmsplice(pipe[1], &body, 1, flags & SPLICE_F_MOVE ? SPLICE_F_GIFT : 0), 131072);
	CHECK_EQ(splice_in(kd, pipe, h.len, flags), 0);
	kd_finish(c, 131072);
	for (size_t i = 0; i < 131072; i++)
		CHECK_EQ(buf[i], (char)(i * 5 + i / 4096));
}

static void read_reply_copied(void)
{
	check_read_reply(0);
}

static void read_reply_given(void)
{
	check_read_reply(SPLICE_F_MOVE);
}

/* Cached, but only read while the daemon leaves its memory alone. */
static void cached_read_reply_given(void)
{
	struct kd *kd = kd_new();
	char *data = aligned_alloc(4096, 8192);
	struct fuse_out_header h = { .len = sizeof(h) + 8192 };
	struct iovec body = { data, 8192 };
	struct kd_call *c;
	char buf[8192];
	int fd, pipe[2];

	kd_add_file(kd, "f", 2, 8192);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	new_pipe(pipe);
	memset(data, 'q', 8192);
	c = kd_call_pread(kd, fd, buf, 8192, 0);
	h.unique = kd_expect(kd, FUSE_READ, 2)->unique;
	CHECK_EQ(write(pipe[1], &h, sizeof(h)), sizeof(h));
	CHECK_EQ(vmsplice(pipe[1], &body, 1, SPLICE_F_GIFT), 8192);
	CHECK_EQ(splice_in(kd, pipe, h.len, SPLICE_F_MOVE), 0);
	kd_finish(c, 8192);
	CHECK_EQ(buf[0], 'q');
	CHECK_EQ(buf[8191], 'q');
	kd_finish(kd_call_pread(kd, fd, buf, 8192, 0), 8192);
	CHECK_EQ(buf[4096], 'q');
}

/* ---- the rules of write(2) hold ------------------------------------------------ */

static void wrong_replies(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);
	struct fuse_out_header h = { .len = 1000, .error = -EIO, .unique = r->unique };
	int pipe[2];

	new_pipe(pipe);
	CHECK_EQ(splice_in(kd, pipe, fill(pipe, r->unique + 2, -EIO, NULL, 0), 0), -ENOENT);
	new_pipe(pipe);
	CHECK_EQ(splice_in(kd, pipe, fill(pipe, r->unique, 5, NULL, 0), 0), -EINVAL);
	new_pipe(pipe);
	CHECK_EQ(write(pipe[1], &h, sizeof(h)), sizeof(h));
	CHECK_EQ(splice_in(kd, pipe, sizeof(h), 0), -EINVAL);
	new_pipe(pipe);
	CHECK_EQ(write(pipe[1], &h, 8), 8);
	CHECK_EQ(splice_in(kd, pipe, 8, 0), -EINVAL);
	kd_check_blocked(c);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* More is asked for than the pipe holds: nothing is taken. */
static void pipe_with_less(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);
	size_t len;
	int pipe[2];

	new_pipe(pipe);
	len = fill(pipe, r->unique, -ENOENT, NULL, 0);
	CHECK_EQ(splice_in(kd, pipe, len + 1, 0), -EINVAL);
	kd_check_blocked(c);
	CHECK_EQ(splice_in(kd, pipe, len, 0), 0);
	kd_finish(c, -ENOENT);
}

/* Two replies in one pipe: each splice takes one. */
static void two_in_a_pipe(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *a, *b;
	uint64_t ua, ub;
	size_t la, lb;
	int pipe[2];

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	a = kd_call_stat(kd, "a", NULL);
	ua = kd_expect(kd, FUSE_LOOKUP, 1)->unique;
	b = kd_call_stat(kd, "b", NULL);
	ub = kd_expect(kd, FUSE_LOOKUP, 1)->unique;
	new_pipe(pipe);
	la = fill(pipe, ua, -ENOENT, NULL, 0);
	lb = fill(pipe, ub, -EACCES, NULL, 0);
	CHECK_EQ(splice_in(kd, pipe, la, 0), 0);
	kd_finish(a, -ENOENT);
	kd_check_blocked(b);
	CHECK_EQ(splice_in(kd, pipe, lb, 0), 0);
	kd_finish(b, -EACCES);
}

static void small_sizes_are_refused(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	int pipe[2];

	new_pipe(pipe);
	kd_check_blocked(c);
	CHECK_EQ(splice(kd->fd, NULL, pipe[1], NULL, 4096, 0), -1);
	CHECK_EQ(errno, EINVAL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

static void nothing_to_splice(void)
{
	struct kd *kd = kd_new();
	int pipe[2];

	new_pipe(pipe);
	CHECK_EQ(splice(kd->fd, NULL, pipe[1], NULL, KD_BUFFER, 0), -1);
	CHECK_EQ(errno, EAGAIN);
}

static void notification(void)
{
	struct kd *kd = kd_new();
	struct fuse_notify_inval_inode_out out = { .ino = 2, .off = -1 };
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;
	int pipe[2];

	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	new_pipe(pipe);
	CHECK_EQ(splice_in(kd, pipe, fill(pipe, 0, FUSE_NOTIFY_INVAL_INODE, &out, sizeof(out)), 0), 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
}

/* A pipe that still holds a request when its connection is gone. */
static void pipe_outlives_the_connection(void)
{
	struct kd *kd = kd_new();
	char *data = malloc(65536);
	static uint8_t bytes[KD_BUFFER];
	struct kd_call *c;
	ssize_t n;
	int fd, pipe[2];

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	memset(data, 'w', 65536);
	new_pipe(pipe);
	c = kd_call_pwrite(kd, fd, data, 65536, 0);
	kd_reply_error(kd_expect(kd, FUSE_GETXATTR, 2), -ENODATA);
	kd_check_blocked(c);
	n = splice(kd->fd, NULL, pipe[1], NULL, KD_BUFFER, 0);
	CHECK(n > 65536);
	kd_die(kd);
	CHECK(kd_wait(c) < 0);
	kd_wait(kd_call_close(kd, fd));
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(read(pipe[0], bytes, sizeof(bytes)), n);
	CHECK_EQ(bytes[n - 1], 'w');
	CHECK_EQ(bytes[n - 65536], 'w');
}

static const struct kernel_case cases[] = {
	CASE("dev-splice/request-and-reply", request_and_reply),
	CASE("dev-splice/entry-reply", entry_reply),
	CASE("dev-splice/large-write-request", large_write_request),
	CASE("dev-splice/request-in-the-pipe-is-a-snapshot", request_in_the_pipe_is_a_snapshot),
	CASE("dev-splice/read-reply-copied", read_reply_copied),
	CASE("dev-splice/read-reply-given", read_reply_given),
	CASE("dev-splice/cached-read-reply-given", cached_read_reply_given),
	CASE("dev-splice/wrong-replies", wrong_replies),
	CASE("dev-splice/pipe-with-less", pipe_with_less),
	CASE("dev-splice/two-in-a-pipe", two_in_a_pipe),
	CASE("dev-splice/small-sizes-are-refused", small_sizes_are_refused),
	CASE("dev-splice/nothing-to-splice", nothing_to_splice),
	CASE("dev-splice/notification", notification),
	CASE("dev-splice/pipe-outlives-the-connection", pipe_outlives_the_connection),
};
KERNEL_CASES(cases);
