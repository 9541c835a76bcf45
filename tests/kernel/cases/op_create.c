// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_create.c: CREATE: a file made and opened in one step, or by MKNOD and OPEN where the daemon cannot.
 */
#include <signal.h>
#include "names.h"

/* The CREATE that an open() of @name, which is not there, leads to. */
static struct kd_req *expect_create(struct kd *kd, const char *name)
{
	struct kd_req *r;

	expect_absent(kd, FUSE_ROOT_ID, name);
	r = kd_expect(kd, FUSE_CREATE, FUSE_ROOT_ID);
	CHECK_STR(r->name, name);
	return r;
}

/* @c has opened something. */
static void close_it(struct kd *kd, struct kd_call *c)
{
	long fd = kd_wait(c);

	CHECK(fd >= 0);
	kd_finish(kd_call_close(kd, (int)fd), 0);
}

static void makes_and_opens(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_WRONLY, 0640);
	struct kd_req *r = expect_create(kd, "f");
	const struct fuse_create_in *in = r->arg;
	int fd;

	CHECK_EQ(in->mode, S_IFREG | 0640);
	CHECK_EQ(in->flags & (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC), O_WRONLY | O_CREAT);
	kd_reply_create(r, f, 77, 0);
	fd = (int)kd_wait(c);
	CHECK(fd >= 0);
	c = kd_call_write(kd, fd, "x", 1);
	r = kd_expect(kd, FUSE_WRITE, 2);
	CHECK_EQ(((const struct fuse_write_in *)r->arg)->fh, 77);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
	kd_manual(kd, FUSE_RELEASE);
	c = kd_call_close(kd, fd);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	CHECK_EQ(((const struct fuse_release_in *)r->arg)->fh, 77);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	CHECK_EQ(kd->count[FUSE_OPEN], 0);
	kd_check_balance(kd);
}

static void entry_and_attributes_are_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
	struct stat st;

	f->attr.mode = S_IFREG | 0444;
	f->attr.uid = 99;
	kd_reply_create(expect_create(kd, "f"), f, 1, 0);
	CHECK(kd_wait(c) >= 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_mode, S_IFREG | 0444);
	CHECK_EQ(st.st_uid, 99);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void umask_is_taken_off(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0666);
	struct kd_req *r = expect_create(kd, "f");

	CHECK_EQ(((const struct fuse_create_in *)r->arg)->mode, S_IFREG | 0644);
	CHECK_EQ(((const struct fuse_create_in *)r->arg)->umask, 022);
	kd_reply_create(r, kd_file(kd, 2, 0), 1, 0);
	CHECK(kd_wait(c) >= 0);
}

/* The daemon said that it takes it off itself. */
static void umask_is_left_with_dont_mask(void)
{
	struct kd *kd = kd_new(.flags = FUSE_DONT_MASK);
	struct kd_call *c;
	struct kd_req *r;

	kd_need(kd, FUSE_DONT_MASK);
	c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0666);
	r = expect_create(kd, "f");
	CHECK_EQ(((const struct fuse_create_in *)r->arg)->mode, S_IFREG | 0666);
	CHECK_EQ(((const struct fuse_create_in *)r->arg)->umask, 022);
	kd_reply_create(r, kd_file(kd, 2, 0), 1, 0);
	CHECK(kd_wait(c) >= 0);
}

static void check_flags(int flags, int want)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_open(kd, "f", flags, 0600);
	struct kd_req *r = expect_create(kd, "f");
	const struct fuse_create_in *in = r->arg;

	CHECK_EQ(in->flags & ~(uint32_t)(O_LARGEFILE | O_CLOEXEC | 0x8000), want);
	kd_reply_create(r, kd_file(kd, 2, 0), 1, 0);
	CHECK(kd_wait(c) >= 0);
}

static void flags_pass(void)
{
	check_flags(O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_SYNC | O_NONBLOCK,
		    O_RDWR | O_CREAT | O_EXCL | O_APPEND | O_SYNC | O_NONBLOCK);
	check_flags(O_WRONLY | O_CREAT | O_TRUNC | O_NOCTTY, O_WRONLY | O_CREAT | O_TRUNC);
}

static void existing_file_is_opened(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
	r = kd_expect(kd, FUSE_OPEN, 2);
	CHECK_EQ(((const struct fuse_open_in *)r->arg)->flags & (O_CREAT | O_EXCL), 0);
	kd_reply_open(r, 5, 0);
	CHECK(kd_wait(c) >= 0);
	kd_finish(kd_call_open(kd, "f", O_CREAT | O_EXCL | O_RDWR, 0600), -EEXIST);
	CHECK_EQ(kd->count[FUSE_CREATE], 0);
}

/* Only O_EXCL has to know that it is still not there. */
static void cached_absence_saves_the_lookup(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r;

	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
	kd_finish(c, -ENOENT);
	c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
	kd_reply_error(kd_expect(kd, FUSE_CREATE, FUSE_ROOT_ID), -ENOSPC);
	kd_finish(c, -ENOSPC);
	c = kd_call_open(kd, "f", O_CREAT | O_EXCL | O_RDWR, 0600);
	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
	r = kd_expect(kd, FUSE_CREATE, FUSE_ROOT_ID);
	kd_reply_create(r, kd_file(kd, 2, 0), 1, 0);
	close_it(kd, c);
	kd_check_balance(kd);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { ENOSPC, EROFS, EACCES, EDQUOT, EIO, EEXIST, EISDIR, 511 };
	struct kd *kd = kd_new();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);

		kd_reply_error(expect_create(kd, "f"), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

/* After "it exists" nobody may believe that it does not. */
static void eexist_ends_a_cached_absence(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
	kd_finish(c, -ENOENT);
	c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
	kd_reply_error(kd_expect(kd, FUSE_CREATE, FUSE_ROOT_ID), -EEXIST);
	kd_finish(c, -EEXIST);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_entry(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), kd_file(kd, 2, 0));
	kd_finish(c, 0);
	kd_check_balance(kd);
}

/* ---- without CREATE ----------------------------------------------------- */

static void expect_mknod_and_open(struct kd *kd, struct kd_node *node)
{
	struct kd_req *r = kd_expect(kd, FUSE_MKNOD, FUSE_ROOT_ID);
	const struct fuse_mknod_in *in = r->arg;

	CHECK_EQ(in->mode, S_IFREG | 0600);
	CHECK_EQ(in->rdev, 0);
	kd_reply_entry(r, node);
	r = kd_expect(kd, FUSE_OPEN, node->id);
	CHECK_EQ(((const struct fuse_open_in *)r->arg)->flags & (O_CREAT | O_EXCL), 0);
	kd_reply_open(r, 1, 0);
}

static void enosys_means_mknod_and_open(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);

	kd_reply_error(expect_create(kd, "f"), -ENOSYS);
	expect_mknod_and_open(kd, kd_file(kd, 2, 0));
	close_it(kd, c);
	/* and is not asked for again */
	c = kd_call_open(kd, "g", O_CREAT | O_EXCL | O_RDWR, 0600);
	expect_absent(kd, FUSE_ROOT_ID, "g");
	expect_mknod_and_open(kd, kd_file(kd, 3, 0));
	close_it(kd, c);
	CHECK_EQ(kd->count[FUSE_CREATE], 1);
	kd_check_balance(kd);
}

/* The mode of a new file does not keep its maker from opening it. */
static void new_file_may_be_unreadable(void)
{
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_call *c;
	struct kd_req *r;

	kd_root(kd)->attr.mode = S_IFDIR | 0777;
	f->attr.mode = S_IFREG;
	f->attr.uid = f->attr.gid = 1000;
	kd_as(kd, 1000, 1000);
	c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0);
	r = expect_create(kd, "f");
	CHECK_EQ(((const struct fuse_create_in *)r->arg)->mode, S_IFREG);
	kd_reply_create(r, f, 1, 0);
	CHECK(kd_wait(c) >= 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_open(kd, "f", O_RDWR, 0), -EACCES);
}

/* ---- hostile answers ------------------------------------------------------ */

struct created {
	struct fuse_entry_out entry;
	struct fuse_open_out open;
};

static void spoil(struct fuse_entry_out *e, int how)
{
	switch (how) {
	case 0:
		e->attr.mode = S_IFDIR | 0755;
		break;
	case 1:
		e->attr.mode = S_IFLNK | 0777;
		break;
	case 2:
		e->attr.mode = 0644;
		break;
	case 3:
		e->nodeid = 0;
		break;
	case 4:
		e->nodeid = FUSE_ROOT_ID;
		break;
	case 5:
		e->attr.size = 1ull << 63;
		break;
	}
}

static void hostile_entries(void)
{
	struct kd *kd = kd_new();

	for (int how = 0; how <= 5; how++) {
		struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
		struct kd_req *r = expect_create(kd, "f");
		struct created out = { .entry = kd_entry(kd_file(kd, 10 + (uint64_t)how, 0)) };

		spoil(&out.entry, how);
		kd_reply(r, &out, sizeof(out));
		kd_finish(c, -EIO);
		kd_settle(kd, 10);
	}
	kd_add_file(kd, "g", 50, 1);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 16, sizeof(struct fuse_entry_out), sizeof(struct created) - 1,
					  sizeof(struct created) + 1, 4096 };
	struct kd *kd = kd_new();
	uint8_t body[4096] = { 0 };

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
		struct kd_req *r = expect_create(kd, "f");
		struct created out = { .entry = kd_entry(kd_file(kd, 10 + i, 0)) };

		memcpy(body, &out, sizeof(out));
		CHECK_EQ(kd_try_reply(r, 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* Whether the file is there now, only the daemon knows. */
static void interrupted(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_open(kd, "f", O_CREAT | O_RDWR, 0600);
	struct kd_req *r = expect_create(kd, "f"), *i;

	kd_signal(c, SIGUSR1);
	i = kd_expect(kd, FUSE_INTERRUPT, 0);
	CHECK_EQ(((const struct fuse_interrupt_in *)i->arg)->unique, r->unique);
	kd_check_blocked(c);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_entry(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), kd_file(kd, 2, 0));
	kd_finish(c, 0);
	kd_check_balance(kd);
}

static const struct kernel_case cases[] = {
	CASE("create/makes-and-opens", makes_and_opens),
	CASE("create/entry-and-attributes-are-cached", entry_and_attributes_are_cached),
	CASE("create/umask-is-taken-off", umask_is_taken_off),
	CASE("create/umask-is-left-with-dont-mask", umask_is_left_with_dont_mask),
	CASE("create/flags-pass", flags_pass),
	CASE("create/existing-file-is-opened", existing_file_is_opened),
	CASE("create/cached-absence-saves-the-lookup", cached_absence_saves_the_lookup),
	CASE("create/errors-reach-the-caller", errors_reach_the_caller),
	CASE("create/eexist-ends-a-cached-absence", eexist_ends_a_cached_absence,
	     differs(stock, "6.1 goes on believing a cached absence after EEXIST; newer modules and ours ask again")),
	CASE("create/enosys-means-mknod-and-open", enosys_means_mknod_and_open),
	CASE("create/new-file-may-be-unreadable", new_file_may_be_unreadable),
	CASE("create/hostile-entries", hostile_entries),
	CASE("create/wrong-lengths", wrong_lengths),
	CASE("create/interrupted", interrupted),
};
KERNEL_CASES(cases);
