// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_rename.c: RENAME and RENAME2: names moved, replaced, exchanged.
 */
#include <linux/fs.h>
#include "names.h"

/* "f" is node 2; the target's name is looked up and not there. */
static struct kd_req *expect_rename(struct kd *kd, uint32_t opcode, uint64_t newdir)
{
	struct kd_req *r;

	expect_absent(kd, newdir, "g");
	r = kd_expect(kd, opcode, FUSE_ROOT_ID);
	CHECK_STR(r->name, "f");
	CHECK_STR(r->name2, "g");
	if (opcode == FUSE_RENAME)
		CHECK_EQ(((const struct fuse_rename_in *)r->arg)->newdir, newdir);
	else
		CHECK_EQ(((const struct fuse_rename2_in *)r->arg)->newdir, newdir);
	return r;
}

static void to_a_new_name(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(expect_rename(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	kd_manual(kd, FUSE_LOOKUP);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_check_balance(kd);
}

static void to_another_directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	kd_add_dir(kd, "d", 3);
	c = kd_call_rename(kd, "f", "d/g");
	kd_reply_error(expect_rename(kd, FUSE_RENAME, 3), 0);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "d/g", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	kd_check_balance(kd);
}

static void replaced_file_goes(void)
{
	struct kd *kd = kd_new();
	struct kd_node *g = kd_add_file(kd, "g", 3, 10);
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(kd_expect(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	for (int ms = 0; g->forgotten < g->given && ms < kernel_ms(2000); ms += 20)
		kd_settle(kd, 20);
	CHECK_EQ(g->forgotten, g->given);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	kd_check_balance(kd);
}

/* It has one name less. */
static void replaced_file_in_use(void)
{
	struct kd *kd = kd_new();
	struct kd_node *g = kd_add_file(kd, "g", 3, 10);
	int fd = kd_opened(kd, "g", O_RDONLY, 0);
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(kd_expect(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	g->attr.nlink = 0;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	CHECK_EQ(st.st_ino, 3);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* The target that expired is looked up again before it is replaced; a fresh one, too. */
static void target_is_looked_up_again(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_add_file(kd, "g", 3, 10)->entry_valid = 0;
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(kd_expect(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 3);
	kd_check_balance(kd);
}

static void both_parents_are_stale(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_add_dir(kd, "d", 3);
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	c = kd_call_rename(kd, "f", "d/g");
	kd_reply_error(expect_rename(kd, FUSE_RENAME, 3), 0);
	kd_finish(c, 0);
	kd_root(kd)->attr.mtime = 7777;
	d->attr.mtime = 8888;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_mtime, 7777);
	kd_finish(kd_call_stat(kd, "d", &st), 0);
	CHECK_EQ(st.st_mtime, 8888);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EXDEV, EIO, EPERM, ENOTEMPTY, ENOSPC, ENOSYS, EROFS, EEXIST, 511 };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_rename(kd, "f", "g");

		kd_reply_error(expect_rename(kd, FUSE_RENAME, FUSE_ROOT_ID), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

/* Done or not: both names are asked for again. */
static void eintr_ends_what_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_add_file(kd, "g", 3, 10);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(kd_expect(kd, FUSE_RENAME, FUSE_ROOT_ID), -EINTR);
	kd_finish(c, -EINTR);
	kd->count[FUSE_LOOKUP] = 0;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	kd_check_balance(kd);
}

static void what_vfs_refuses(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	kd_add(kd, 3, "x", kd_dir(kd, 4));
	kd_add(kd, 4, "f", kd_dir(kd, 5));
	kd_add_dir(kd, "d", 3);
	kd_finish(kd_call_rename(kd, "f", "d"), -EISDIR);
	kd_finish(kd_call_rename(kd, "d", "f"), -ENOTDIR);
	kd_finish(kd_call_rename(kd, "d", "d/x/f"), -EINVAL);
	kd_finish(kd_call_rename(kd, "d/x", "d"), -ENOTEMPTY);
	kd_finish(kd_call_rename(kd, "f", "f"), 0);
	kd_finish(kd_call_rename2(kd, "f", "d", RENAME_NOREPLACE), -EEXIST);
	CHECK_EQ(kd->count[FUSE_RENAME] + kd->count[FUSE_RENAME2], 0);
}

static void directory_is_moved_with_what_is_in_it(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;

	kd_add_dir(kd, "f", 2);
	kd_add(kd, 2, "x", kd_file(kd, 3, 10));
	kd_finish(kd_call_stat(kd, "f/x", NULL), 0);
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(expect_rename(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd->count[FUSE_LOOKUP] = 0;
	kd_finish(kd_call_stat(kd, "g/x", &st), 0);
	CHECK_EQ(st.st_ino, 3);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
	kd_check_balance(kd);
}

/* ---- RENAME2 --------------------------------------------------------------- */

static void noreplace(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename2(kd, "f", "g", RENAME_NOREPLACE);
	r = expect_rename(kd, FUSE_RENAME2, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_rename2_in *)r->arg)->flags, RENAME_NOREPLACE);
	kd_reply_error(r, -EEXIST);
	kd_finish(c, -EEXIST);
	c = kd_call_rename2(kd, "f", "g", RENAME_NOREPLACE);
	kd_reply_error(expect_rename(kd, FUSE_RENAME2, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

static void exchange(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	kd_add_dir(kd, "g", 3);
	c = kd_call_rename2(kd, "f", "g", RENAME_EXCHANGE);
	r = kd_expect(kd, FUSE_RENAME2, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_rename2_in *)r->arg)->flags, RENAME_EXCHANGE);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd->count[FUSE_LOOKUP] = 0;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 3);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(st.st_nlink, 1);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
	kd_check_balance(kd);
}

static void whiteout_is_the_daemons_affair(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename2(kd, "f", "g", RENAME_WHITEOUT);
	r = expect_rename(kd, FUSE_RENAME2, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_rename2_in *)r->arg)->flags, RENAME_WHITEOUT);
	kd_reply_error(r, -EINVAL);
	kd_finish(c, -EINVAL);
}

static void enosys_is_latched(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename2(kd, "f", "g", RENAME_NOREPLACE);
	kd_reply_error(expect_rename(kd, FUSE_RENAME2, FUSE_ROOT_ID), -ENOSYS);
	kd_finish(c, -EINVAL);
	c = kd_call_rename2(kd, "f", "g", RENAME_WHITEOUT);
	expect_absent(kd, FUSE_ROOT_ID, "g");
	kd_finish(c, -EINVAL);
	CHECK_EQ(kd->count[FUSE_RENAME2], 1);
	/* without flags it is the old RENAME */
	c = kd_call_rename(kd, "f", "g");
	kd_reply_error(expect_rename(kd, FUSE_RENAME, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
}

static void old_daemon_has_no_flags(void)
{
	struct kd *kd = kd_new(.minor = 22);
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_rename2(kd, "f", "g", RENAME_NOREPLACE);
	expect_absent(kd, FUSE_ROOT_ID, "g");
	kd_finish(c, -EINVAL);
}

static const struct kernel_case cases[] = {
	CASE("rename/to-a-new-name", to_a_new_name),
	CASE("rename/to-another-directory", to_another_directory),
	CASE("rename/replaced-file-goes", replaced_file_goes),
	CASE("rename/replaced-file-in-use", replaced_file_in_use),
	CASE("rename/target-is-looked-up-again", target_is_looked_up_again),
	CASE("rename/both-parents-are-stale", both_parents_are_stale),
	CASE("rename/errors-reach-the-caller", errors_reach_the_caller),
	CASE("rename/eintr-ends-what-is-cached", eintr_ends_what_is_cached),
	CASE("rename/what-vfs-refuses", what_vfs_refuses),
	CASE("rename/directory-is-moved-with-what-is-in-it", directory_is_moved_with_what_is_in_it),
	CASE("rename2/noreplace", noreplace),
	CASE("rename2/exchange", exchange),
	CASE("rename2/whiteout-is-the-daemons-affair", whiteout_is_the_daemons_affair),
	CASE("rename2/enosys-is-latched", enosys_is_latched),
	CASE("rename2/old-daemon-has-no-flags", old_daemon_has_no_flags),
};
KERNEL_CASES(cases);
