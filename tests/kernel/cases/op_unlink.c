// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_unlink.c: UNLINK and RMDIR: names removed, what is still open, counts of links.
 */
#include "daemon.h"

static struct kd_req *expect_name(struct kd *kd, uint32_t opcode, const char *name)
{
	struct kd_req *r = kd_expect(kd, opcode, FUSE_ROOT_ID);

	CHECK_STR(r->name, name);
	return r;
}

static void file(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c = kd_call_unlink(kd, "f");

	kd_reply_error(expect_name(kd, FUSE_UNLINK, "f"), 0);
	kd_finish(c, 0);
	for (int ms = 0; f->forgotten < f->given && ms < kernel_ms(2000); ms += 20)
		kd_settle(kd, 20);
	CHECK_EQ(f->forgotten, f->given);
	kd_manual(kd, FUSE_LOOKUP);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(expect_name(kd, FUSE_LOOKUP, "f"), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_check_balance(kd);
}

static void directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_dir(kd, "d", 2);
	c = kd_call_rmdir(kd, "d");
	kd_reply_error(expect_name(kd, FUSE_RMDIR, "d"), 0);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

static void right_call_for_the_type(void)
{
	struct kd *kd = kd_new();

	kd_add_dir(kd, "d", 2);
	kd_add_file(kd, "f", 3, 10);
	kd_finish(kd_call_unlink(kd, "d"), -EISDIR);
	kd_finish(kd_call_rmdir(kd, "f"), -ENOTDIR);
	kd_finish(kd_call_rmdir(kd, "."), -EINVAL);
	kd_finish(kd_call_rmdir(kd, "d/.."), -ENOTEMPTY);
	CHECK_EQ(kd->count[FUSE_UNLINK] + kd->count[FUSE_RMDIR], 0);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EPERM, EBUSY, EIO, EROFS, ENOTEMPTY, ENOSYS, 511 };
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_add_dir(kd, "d", 3);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		c = kd_call_unlink(kd, "f");
		kd_reply_error(expect_name(kd, FUSE_UNLINK, "f"), -errors[i]);
		kd_finish(c, -errors[i]);
		c = kd_call_rmdir(kd, "d");
		kd_reply_error(expect_name(kd, FUSE_RMDIR, "d"), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	/* what was not removed is still there */
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	kd_check_balance(kd);
}

/* Interrupted, the daemon may have removed it: who asks next asks the daemon. */
static void eintr_ends_what_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(expect_name(kd, FUSE_UNLINK, "f"), -EINTR);
	kd_finish(c, -EINTR);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	kd_check_balance(kd);
}

static void open_file_lives_on(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int fd = kd_opened(kd, "f", O_RDWR, 0);
	struct kd_call *c = kd_call_unlink(kd, "f");
	struct kd_req *r;
	struct stat st;
	char byte;

	kd_reply_error(expect_name(kd, FUSE_UNLINK, "f"), 0);
	kd_finish(c, 0);
	CHECK_EQ(f->forgotten, 0);
	f->attr.nlink = 0;
	c = kd_call_fstat(kd, fd, &st);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	CHECK_EQ(st.st_nlink, 0);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_reply(r, "0123456789", 10);
	kd_finish(c, 1);
	CHECK_EQ(byte, '0');
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* The other name's count of links is known to be one less, or asked for. */
static void links_are_counted(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c;
	struct stat st;

	f->attr.nlink = 2;
	kd_add(kd, FUSE_ROOT_ID, "a", f);
	kd_add(kd, FUSE_ROOT_ID, "b", f);
	kd_finish(kd_call_stat(kd, "a", NULL), 0);
	c = kd_call_unlink(kd, "b");
	kd_reply_error(expect_name(kd, FUSE_UNLINK, "b"), 0);
	kd_finish(c, 0);
	f->attr.nlink = 1;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "a", &st), 0);
	CHECK_EQ(st.st_nlink, 1);
	kd_check_balance(kd);
}

static void parents_attributes_are_stale(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(expect_name(kd, FUSE_UNLINK, "f"), 0);
	kd_finish(c, 0);
	kd_root(kd)->attr.mtime = 4444;
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_mtime, 4444);
}

/* Who is in a directory that was removed: stat still works, names there do not. */
static void removed_directory_in_use(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_add_dir(kd, "d", 2);
	int fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	struct kd_call *c = kd_call_rmdir(kd, "d");
	struct stat st;

	kd_reply_error(expect_name(kd, FUSE_RMDIR, "d"), 0);
	kd_finish(c, 0);
	d->attr.nlink = 0;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	kd_finish(kd_sys(kd, SYS_mkdirat, fd, (long)"x", 0700), -ENOENT);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

static void negative_is_not_removed(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_unlink(kd, "none");

	kd_reply_negative(expect_name(kd, FUSE_LOOKUP, "none"), KD_FOREVER);
	kd_finish(c, -ENOENT);
	kd_finish(kd_call_rmdir(kd, "none"), -ENOENT);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void answer_with_a_body(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_unlink(kd, "f");
	CHECK_EQ(kd_try_reply(expect_name(kd, FUSE_UNLINK, "f"), 0, "12345678", 8), -EINVAL);
	kd_finish(c, -EIO);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

static const struct kernel_case cases[] = {
	CASE("unlink/file", file),
	CASE("unlink/directory", directory),
	CASE("unlink/right-call-for-the-type", right_call_for_the_type),
	CASE("unlink/errors-reach-the-caller", errors_reach_the_caller),
	CASE("unlink/eintr-ends-what-is-cached", eintr_ends_what_is_cached),
	CASE("unlink/open-file-lives-on", open_file_lives_on),
	CASE("unlink/links-are-counted", links_are_counted),
	CASE("unlink/parents-attributes-are-stale", parents_attributes_are_stale),
	CASE("unlink/removed-directory-in-use", removed_directory_in_use),
	CASE("unlink/negative-is-not-removed", negative_is_not_removed),
	CASE("unlink/answer-with-a-body", answer_with_a_body),
};
KERNEL_CASES(cases);
