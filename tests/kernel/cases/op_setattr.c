// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_setattr.c: SETATTR: which attributes are sent for which call, and what its answer changes.
 */
#include "daemon.h"

#define TIME_FLAGS (FATTR_ATIME | FATTR_MTIME | FATTR_ATIME_NOW | FATTR_MTIME_NOW)

static struct kd_node *file(struct kd *kd)
{
	return kd_add_file(kd, "f", 2, 10);
}

static const struct fuse_setattr_in *expect_setattr(struct kd *kd, struct kd_req **r, uint32_t valid)
{
	const struct fuse_setattr_in *in;

	*r = kd_expect(kd, FUSE_SETATTR, 2);
	in = (*r)->arg;
	CHECK_EQ(in->valid, valid);
	return in;
}

/* ---- what is sent ------------------------------------------------------ */

static void chmod_sends_the_mode(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_chmod(kd, "f", 04751);
	struct kd_req *r;
	struct stat st;

	CHECK_EQ(expect_setattr(kd, &r, FATTR_MODE)->mode, S_IFREG | 04751);
	f->attr.mode = S_IFREG | 04751;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 04751);
}

/* Before the owner changes, the mode is asked for: set-id bits might have to go. */
static void chown_sends_the_owner(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_chown(kd, "f", 5, 6);
	const struct fuse_setattr_in *in;
	struct kd_req *r;

	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	in = expect_setattr(kd, &r, FATTR_UID | FATTR_GID);
	CHECK_EQ(in->uid, 5);
	CHECK_EQ(in->gid, 6);
	f->attr.uid = 5;
	f->attr.gid = 6;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void chown_of_one_sends_one(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c;
	struct kd_req *r;

	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_chown(kd, "f", (uid_t)-1, 7);
	CHECK_EQ(expect_setattr(kd, &r, FATTR_GID)->gid, 7);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
	c = kd_call_chown(kd, "f", 8, (gid_t)-1);
	CHECK_EQ(expect_setattr(kd, &r, FATTR_UID)->uid, 8);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void chown_takes_set_id_bits(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c;
	struct kd_req *r;

	f->attr.mode = S_IFREG | 06755;
	c = kd_call_chown(kd, "f", 5, 6);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	CHECK_EQ(expect_setattr(kd, &r, FATTR_UID | FATTR_GID | FATTR_MODE)->mode, S_IFREG | 0755);
	f->attr.mode = S_IFREG | 0755;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void chown_of_a_directory_asks_nothing(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_add_dir(kd, "d", 2);
	struct kd_call *c = kd_call_chown(kd, "d", 5, 6);
	struct kd_req *r;

	expect_setattr(kd, &r, FATTR_UID | FATTR_GID);
	kd_reply_attr(r, d);
	kd_finish(c, 0);
}

/* The daemon said that it takes the bits away itself. */
static void killpriv_daemon_gets_only_the_owner(void)
{
	struct kd *kd = kd_new(.flags = FUSE_HANDLE_KILLPRIV);
	struct kd_node *f = file(kd);
	struct kd_call *c;
	struct kd_req *r;

	kd_need(kd, FUSE_HANDLE_KILLPRIV);
	f->attr.mode = S_IFREG | 06755;
	c = kd_call_chown(kd, "f", 5, 6);
	expect_setattr(kd, &r, FATTR_UID | FATTR_GID);
	f->attr.mode = S_IFREG | 0755;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void truncate_sends_the_size(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_truncate(kd, "f", 1ull << 40);
	struct kd_req *r;
	struct stat st;

	CHECK_EQ(expect_setattr(kd, &r, FATTR_SIZE | FATTR_LOCKOWNER)->size, 1ull << 40);
	f->attr.size = 1ull << 40;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 1ll << 40);
}

static void ftruncate_sends_the_handle(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	int fd = kd_opened(kd, "f", O_RDWR, 0);
	struct kd_call *c = kd_call_ftruncate(kd, fd, 3);
	const struct fuse_setattr_in *in;
	struct kd_req *r;

	in = expect_setattr(kd, &r, FATTR_SIZE | FATTR_FH | FATTR_LOCKOWNER);
	CHECK_EQ(in->size, 3);
	CHECK_EQ(in->fh, 0x1000);
	f->attr.size = 3;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

/* A truncation to the size that is there is sent all the same. */
static void truncate_to_the_same_size(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_truncate(kd, "f", 10);
	struct kd_req *r;

	expect_setattr(kd, &r, FATTR_SIZE | FATTR_LOCKOWNER);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void open_truncates_by_setattr(void)
{
	struct kd *kd = kd_new(.flags = FUSE_BIG_WRITES);
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_open(kd, "f", O_WRONLY | O_TRUNC, 0);
	struct kd_req *r = kd_expect(kd, FUSE_OPEN, 2);
	const struct fuse_setattr_in *in;

	CHECK_EQ(((const struct fuse_open_in *)r->arg)->flags & O_TRUNC, 0);
	kd_reply_open(r, 9, 0);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	in = r->arg;
	CHECK(in->valid & FATTR_SIZE);
	CHECK_EQ(in->size, 0);
	f->attr.size = 0;
	kd_reply_attr(r, f);
	CHECK(kd_wait(c) >= 0);
}

static void open_truncates_by_itself(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ATOMIC_O_TRUNC);
	struct kd_node *f = file(kd);
	struct kd_call *c;
	struct kd_req *r;
	struct stat st;

	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_open(kd, "f", O_WRONLY | O_TRUNC, 0);
	r = kd_expect(kd, FUSE_OPEN, 2);
	CHECK_EQ(((const struct fuse_open_in *)r->arg)->flags & O_TRUNC, O_TRUNC);
	f->attr.size = 0;
	kd_reply_open(r, 9, 0);
	CHECK(kd_wait(c) >= 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 0);
	CHECK_EQ(kd->count[FUSE_SETATTR], 0);
}

static void times_are_sent(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct timespec times[2] = { { 111, 222 }, { -3, 444 } };
	struct kd_call *c = kd_call_utimens(kd, "f", times);
	const struct fuse_setattr_in *in;
	struct kd_req *r = kd_expect(kd, FUSE_SETATTR, 2);

	in = r->arg;
	CHECK_EQ(in->valid & TIME_FLAGS, FATTR_ATIME | FATTR_MTIME);
	CHECK_EQ(in->atime, 111);
	CHECK_EQ(in->atimensec, 222);
	CHECK_EQ((int64_t)in->mtime, -3);
	CHECK_EQ(in->mtimensec, 444);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void times_of_now(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_utimens(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_SETATTR, 2);
	const struct fuse_setattr_in *in = r->arg;

	CHECK_EQ(in->valid & TIME_FLAGS, TIME_FLAGS);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void times_left_out(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct timespec times[2] = { { 0, UTIME_OMIT }, { 0, UTIME_NOW } };
	struct kd_call *c = kd_call_utimens(kd, "f", times);
	struct kd_req *r = kd_expect(kd, FUSE_SETATTR, 2);

	CHECK_EQ(((const struct fuse_setattr_in *)r->arg)->valid & TIME_FLAGS, FATTR_MTIME | FATTR_MTIME_NOW);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
	times[0] = (struct timespec){ 5, 6 };
	times[1].tv_nsec = UTIME_OMIT;
	c = kd_call_utimens(kd, "f", times);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	CHECK_EQ(((const struct fuse_setattr_in *)r->arg)->valid & TIME_FLAGS, FATTR_ATIME);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

/* ---- what the answer changes --------------------------------------------- */

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EPERM, EROFS, ENOSPC, EFBIG, ENOSYS, 511 };
	struct kd *kd = kd_new();
	struct stat st;

	file(kd);
	kd_auto(kd, FUSE_GETATTR);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_truncate(kd, "f", 100);

		kd_reply_error(kd_expect(kd, FUSE_SETATTR, 2), -errors[i]);
		kd_finish(c, -errors[i]);
		kd_finish(kd_call_stat(kd, "f", &st), 0);
		CHECK_EQ(st.st_size, 10);
	}
}

/* What the daemon made of it counts, not what was asked. */
static void answer_wins(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_chmod(kd, "f", 0600);
	struct stat st;

	f->attr.mode = S_IFREG | 0444;
	f->attr.uid = 42;
	f->attr.nlink = 5;
	kd_reply_attr(kd_expect(kd, FUSE_SETATTR, 2), f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
	CHECK_EQ(st.st_uid, 42);
	CHECK_EQ(st.st_nlink, 5);
}

static void answer_without_timeout_is_asked_again(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_chmod(kd, "f", 0600);

	f->attr_valid = 0;
	kd_reply_attr(kd_expect(kd, FUSE_SETATTR, 2), f);
	kd_finish(c, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
}

/* A changed size drops all that is cached: it is read anew. */
static void truncate_drops_cached_data(void)
{
	struct kd *kd = kd_new();
	static char data[8192];
	char buf[8192];
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, sizeof(data));
	fd = kd_opened(kd, "f", O_RDWR, 0);
	memset(data, 'x', sizeof(data));
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	kd_reply(kd_expect(kd, FUSE_READ, 2), data, sizeof(data));
	kd_finish(c, sizeof(buf));
	kd_finish(kd_call_pread(kd, fd, buf, sizeof(buf), 0), sizeof(buf));
	CHECK_EQ(kd->count[FUSE_READ], 1);
	kd_auto(kd, FUSE_SETATTR);
	kd_finish(kd_call_ftruncate(kd, fd, 100), 0);
	memset(data, 'y', sizeof(data));
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	kd_reply(kd_expect(kd, FUSE_READ, 2), data, 100);
	kd_finish(c, 100);
	CHECK_MEM(buf, data, 100);
}

/* ---- who may -------------------------------------------------------------- */

static void owner_is_checked_with_default_permissions(void)
{
	struct kd *kd = kd_new(.options = "allow_other,default_permissions");

	file(kd);
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_chmod(kd, "f", 0777), -EPERM);
	kd_finish(kd_call_chown(kd, "f", 1000, (gid_t)-1), -EPERM);
	kd_finish(kd_call_truncate(kd, "f", 0), -EACCES);
	kd_finish(kd_call_utimens(kd, "f", NULL), -EACCES);
	CHECK_EQ(kd->count[FUSE_SETATTR], 0);
}

static void daemon_decides_without(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_node *f = file(kd);
	struct kd_call *c;
	struct kd_req *r;

	kd_as(kd, 1000, 1001);
	c = kd_call_chmod(kd, "f", 0777);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	CHECK_EQ(r->in->uid, 1000);
	CHECK_EQ(r->in->gid, 1001);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void read_only_mount_sends_nothing(void)
{
	struct kd *kd = kd_new(.mount_flags = 1);	/* MS_RDONLY */

	file(kd);
	kd_finish(kd_call_chmod(kd, "f", 0777), -EROFS);
	kd_finish(kd_call_truncate(kd, "f", 0), -EROFS);
	CHECK_EQ(kd->count[FUSE_SETATTR], 0);
}

/* ---- hostile answers -------------------------------------------------------- */

static void check_spoilt(uint32_t mode, uint64_t size)
{
	struct kd *kd = kd_new();
	struct kd_node *f = file(kd);
	struct kd_call *c = kd_call_chmod(kd, "f", 0600);
	struct fuse_attr_out out = kd_attr(f);

	out.attr.mode = mode;
	out.attr.size = size;
	kd_reply(kd_expect(kd, FUSE_SETATTR, 2), &out, sizeof(out));
	kd_finish(c, -EIO);
	kd_stop(kd);
}

static void hostile_answers(void)
{
	check_spoilt(S_IFDIR | 0755, 10);
	check_spoilt(0, 10);
	check_spoilt(UINT32_MAX, 10);
	check_spoilt(S_IFREG | 0644, 1ull << 63);
	check_spoilt(S_IFREG | 0644, UINT64_MAX);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 96, sizeof(struct fuse_attr_out) - 1, sizeof(struct fuse_attr_out) + 1 };
	struct kd *kd = kd_new();
	uint8_t body[256] = { 0 };
	struct fuse_attr_out out;

	kd_auto(kd, FUSE_GETATTR);
	out = kd_attr(file(kd));
	memcpy(body, &out, sizeof(out));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_chmod(kd, "f", 0600);

		CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_SETATTR, 2), 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

static const struct kernel_case cases[] = {
	CASE("setattr/chmod-sends-the-mode", chmod_sends_the_mode),
	CASE("setattr/chown-sends-the-owner", chown_sends_the_owner),
	CASE("setattr/chown-of-one-sends-one", chown_of_one_sends_one),
	CASE("setattr/chown-takes-set-id-bits", chown_takes_set_id_bits),
	CASE("setattr/chown-of-a-directory-asks-nothing", chown_of_a_directory_asks_nothing),
	CASE("setattr/killpriv-daemon-gets-only-the-owner", killpriv_daemon_gets_only_the_owner),
	CASE("setattr/truncate-sends-the-size", truncate_sends_the_size),
	CASE("setattr/ftruncate-sends-the-handle", ftruncate_sends_the_handle),
	CASE("setattr/truncate-to-the-same-size", truncate_to_the_same_size),
	CASE("setattr/open-truncates-by-setattr", open_truncates_by_setattr),
	CASE("setattr/open-truncates-by-itself", open_truncates_by_itself),
	CASE("setattr/times-are-sent", times_are_sent),
	CASE("setattr/times-of-now", times_of_now),
	CASE("setattr/times-left-out", times_left_out),
	CASE("setattr/errors-reach-the-caller", errors_reach_the_caller),
	CASE("setattr/answer-wins", answer_wins),
	CASE("setattr/answer-without-timeout-is-asked-again", answer_without_timeout_is_asked_again),
	CASE("setattr/truncate-drops-cached-data", truncate_drops_cached_data),
	CASE("setattr/owner-is-checked-with-default-permissions", owner_is_checked_with_default_permissions),
	CASE("setattr/daemon-decides-without", daemon_decides_without),
	CASE("setattr/read-only-mount-sends-nothing", read_only_mount_sends_nothing),
	CASE("setattr/hostile-answers", hostile_answers),
	CASE("setattr/wrong-lengths", wrong_lengths),
};
KERNEL_CASES(cases);
