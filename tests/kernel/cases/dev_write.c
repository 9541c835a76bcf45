// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dev_write.c: writing to /dev/fuse: which replies are taken, which are not, and what
 * a wrong one leaves behind.
 */
#include <poll.h>
#include <sys/mman.h>
#include "daemon.h"

static struct kd_req *lookup(struct kd *kd, struct kd_call **c)
{
	*c = kd_call_stat(kd, "f", NULL);
	return kd_expect(kd, FUSE_LOOKUP, 1);
}

static void finish(struct kd_req *r, struct kd_call *c)
{
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

static int write_bytes(struct kd *kd, const void *bytes, size_t len)
{
	struct iovec iov = { (void *)bytes, len };

	return kd_write_raw(kd->fd, &iov, 1);
}

/* ---- headers -------------------------------------------------------------- */

static void short_headers(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);
	struct fuse_out_header h = { .len = sizeof(h), .error = -EIO, .unique = r->unique };

	for (size_t len = 1; len < sizeof(h); len++)
		CHECK_EQ(write_bytes(kd, &h, len), -EINVAL);
	kd_check_blocked(c);
	finish(r, c);
}

static void wrong_length_in_the_header(void)
{
	static const int64_t lengths[] = { 0, 1, 15, 17, 1000, UINT32_MAX };
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++)
		CHECK_EQ(kd_reply_raw(kd->fd, r->unique, -EIO, lengths[i], NULL, 0), -EINVAL);
	kd_check_blocked(c);
	finish(r, c);
}

static void errors_out_of_range(void)
{
	static const int32_t errors[] = { 1, 2, 511, 512, INT32_MAX, -512, -513, -4095, INT32_MIN };
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++)
		CHECK_EQ(kd_try_reply(r, errors[i], NULL, 0), -EINVAL);
	kd_check_blocked(c);
	finish(r, c);
}

static void error_511_is_the_last(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	kd_reply_error(r, -511);
	kd_finish(c, -511);
}

/* An error comes alone: with a body the request fails, and so does the write. */
static void error_with_a_body(void)
{
	struct kd *kd = kd_new();
	struct fuse_entry_out out = kd_entry(kd_file(kd, 2, 10));
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(kd_try_reply(r, -ENOENT, &out, sizeof(out)), -EINVAL);
	kd_finish(c, -EIO);
	CHECK_EQ(kd_try_reply(r, -ENOENT, NULL, 0), -ENOENT);
}

/* ---- uniques ----------------------------------------------------------------- */

static void unknown_uniques(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(kd_reply_raw(kd->fd, r->unique + 2, -EIO, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(kd->fd, r->unique - 2, -EIO, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(kd->fd, r->unique | 1ull << 63, -EIO, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(kd->fd, r->unique + (1ull << 32), -EIO, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(kd->fd, UINT64_MAX - 1, -EIO, -1, NULL, 0), -ENOENT);
	kd_check_blocked(c);
	finish(r, c);
}

static void second_reply_is_unknown(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	finish(r, c);
	CHECK_EQ(kd_try_reply(r, -ENOENT, NULL, 0), -ENOENT);
}

/* A request that was not read cannot be answered, even with its number known. */
static void unread_request_is_unknown(void)
{
	struct kd *kd = kd_new();
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };
	struct kd_call *c, *d;
	struct kd_req *r = lookup(kd, &c);

	d = kd_call_stat(kd, "", NULL);		/* GETATTR of the root */
	kd_manual(kd, FUSE_GETATTR);
	CHECK_EQ(poll(&p, 1, kernel_ms(KD_WAIT_MS)), 1);
	CHECK_EQ(kd_reply_raw(kd->fd, r->unique + 2, -EIO, -1, NULL, 0), -ENOENT);
	kd_reply_error(r, -ENOENT);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 1), kd_root(kd));
	kd_finish(d, 0);
	kd_finish(c, -ENOENT);
}

static void zero_is_no_unique(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_reply_raw(kd->fd, 0, 0, -1, NULL, 0), -EINVAL);
	CHECK_EQ(kd_reply_raw(kd->fd, 0, -EIO, -1, NULL, 0), -EINVAL);
	CHECK_EQ(kd_reply_raw(kd->fd, 0, 100, -1, NULL, 0), -EINVAL);
}

static void in_any_order(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *c[8];
	struct kd_req *r[8];
	char name[2] = "a";

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	for (int i = 0; i < 8; i++, name[0]++) {
		c[i] = kd_call_stat(kd, name, NULL);
		r[i] = kd_expect(kd, FUSE_LOOKUP, 1);
	}
	for (int i = 7; i >= 0; i--) {
		kd_reply_error(r[i], -(i + 1));
		kd_finish(c[i], -(i + 1));
	}
}

/* ---- bodies ------------------------------------------------------------------- */

static void in_many_pieces(void)
{
	struct kd *kd = kd_new();
	struct fuse_entry_out out = kd_entry(kd_file(kd, 2, 12345));
	struct iovec iov[sizeof(struct fuse_out_header) + sizeof(out)];
	uint8_t bytes[sizeof(struct fuse_out_header) + sizeof(out)];
	struct fuse_out_header h = { .len = sizeof(bytes) };
	struct stat st;
	struct kd_call *c = kd_call_stat(kd, "f", &st);

	h.unique = kd_expect(kd, FUSE_LOOKUP, 1)->unique;
	memcpy(bytes, &h, sizeof(h));
	memcpy(bytes + sizeof(h), &out, sizeof(out));
	for (size_t i = 0; i < sizeof(bytes); i++)
		iov[i] = (struct iovec){ bytes + i, 1 };
	CHECK_EQ(kd_write_raw(kd->fd, iov, sizeof(bytes)), 0);
	kd_finish(c, 0);
	CHECK_EQ(st.st_size, 12345);
}

static void bad_memory_for_a_header(void)
{
	struct kd *kd = kd_new();
	void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(write_bytes(kd, none, sizeof(struct fuse_out_header)), -EFAULT);
	kd_check_blocked(c);
	finish(r, c);
}

static void bad_memory_for_a_body(void)
{
	struct kd *kd = kd_new();
	void *none = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(kd_try_reply(r, 0, none, sizeof(struct fuse_entry_out)), -EFAULT);
	kd_finish(c, -EIO);
	CHECK_EQ(kd_try_reply(r, -ENOENT, NULL, 0), -ENOENT);
}

/* READ may be answered with less, never with more. */
static void body_longer_than_asked(void)
{
	struct kd *kd = kd_new();
	static uint8_t body[8192];
	struct kd_call *c;
	char buf[100];
	int fd;

	kd_add_file(kd, "f", 2, 4096);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_DIRECT_IO);
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_READ, 2), 0, body, 101), -EINVAL);
	kd_finish(c, -EIO);
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_READ, 2), 0, body, sizeof(body)), -EINVAL);
	kd_finish(c, -EIO);
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	kd_reply(kd_expect(kd, FUSE_READ, 2), body, 7);
	kd_finish(c, 7);
}

/* Where there is nothing to say, anything is too much. */
static void body_where_none_belongs(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	c = kd_call_unlink(kd, "f");
	CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_UNLINK, 1), 0, "x", 1), -EINVAL);
	kd_finish(c, -EIO);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
}

static void much_too_long(void)
{
	struct kd *kd = kd_new();
	static uint8_t body[1 << 20];
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(kd_try_reply(r, 0, body, sizeof(body)), -EINVAL);
	kd_finish(c, -EIO);
}

static void errors_of_every_value(void)
{
	struct kd *kd = kd_new();

	for (int e = 1; e < 512; e++) {
		struct kd_call *c;
		struct kd_req *r;

		/* These two make the path walk start again. */
		if (e == ESTALE || e == ECHILD)
			continue;
		r = lookup(kd, &c);
		kd_reply_error(r, -e);
		(void)kd_wait(c);
		CHECK_EQ(kd->dead, false);
	}
}

static void after_abort(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = lookup(kd, &c);

	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	kd_finish(c, -ECONNABORTED);
	CHECK_EQ(kd_try_reply(r, -ENOENT, NULL, 0), -ENOENT);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
}

static const struct kernel_case cases[] = {
	CASE("dev-write/short-headers", short_headers),
	CASE("dev-write/wrong-length-in-the-header", wrong_length_in_the_header),
	CASE("dev-write/errors-out-of-range", errors_out_of_range),
	CASE("dev-write/error-511-is-the-last", error_511_is_the_last),
	CASE("dev-write/error-with-a-body", error_with_a_body),
	CASE("dev-write/unknown-uniques", unknown_uniques),
	CASE("dev-write/second-reply-is-unknown", second_reply_is_unknown),
	CASE("dev-write/unread-request-is-unknown", unread_request_is_unknown),
	CASE("dev-write/zero-is-no-unique", zero_is_no_unique),
	CASE("dev-write/in-any-order", in_any_order),
	CASE("dev-write/in-many-pieces", in_many_pieces),
	CASE("dev-write/bad-memory-for-a-header", bad_memory_for_a_header),
	CASE("dev-write/bad-memory-for-a-body", bad_memory_for_a_body),
	CASE("dev-write/body-longer-than-asked", body_longer_than_asked),
	CASE("dev-write/body-where-none-belongs", body_where_none_belongs),
	CASE("dev-write/much-too-long", much_too_long),
	CASE("dev-write/errors-of-every-value", errors_of_every_value),
	CASE("dev-write/after-abort", after_abort),
};
KERNEL_CASES(cases);
