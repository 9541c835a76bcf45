// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_link.c: LINK: another name for a node, and its count of links.
 */
#include "names.h"

/* link("f", "g"), where "f" is node 2. */
static struct kd_req *expect_link(struct kd *kd, const char *name)
{
	struct kd_req *r;

	expect_absent(kd, FUSE_ROOT_ID, name);
	r = kd_expect(kd, FUSE_LINK, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_link_in *)r->arg)->oldnodeid, 2);
	CHECK_STR(r->name, name);
	return r;
}

static void another_name(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c = kd_call_link(kd, "f", "g");
	struct stat a, b;

	f->attr.nlink = 2;
	kd_reply_entry(expect_link(kd, "g"), f);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &a), 0);
	kd_finish(kd_call_stat(kd, "g", &b), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_nlink, 2);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	CHECK_EQ(f->given, 2);
	kd_check_balance(kd);
}

/* A daemon that knows names only may answer with a node of its own for the new one. */
static void another_node(void)
{
	struct kd *kd = kd_new();
	struct kd_node *g = kd_file(kd, 3, 10);
	struct kd_call *c;
	struct stat st;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_link(kd, "f", "g");
	kd_reply_entry(expect_link(kd, "g"), g);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_ino, 3);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	kd_check_balance(kd);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EMLINK, EPERM, ENOSPC, EROFS, EIO, EXDEV, 511 };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_link(kd, "f", "g");

		kd_reply_error(expect_link(kd, "g"), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	kd_check_balance(kd);
}

static void enosys_means_not_permitted(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	for (int i = 0; i < 2; i++) {
		struct kd_call *c = kd_call_link(kd, "f", "g");

		expect_absent(kd, FUSE_ROOT_ID, "g");
		/* newer modules do not ask again */
		if (i == 0 || kd->init_in.minor <= KD_MINOR)
			kd_reply_error(kd_expect(kd, FUSE_LINK, FUSE_ROOT_ID), -ENOSYS);
		kd_finish(c, -EPERM);
	}
}

static void not_of_a_directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_dir(kd, "f", 2);
	c = kd_call_link(kd, "f", "g");
	expect_absent(kd, FUSE_ROOT_ID, "g");
	kd_finish(c, -EPERM);
	CHECK_EQ(kd->count[FUSE_LINK], 0);
}

static void spoil(struct fuse_entry_out *e, int how)
{
	if (how < 2)
		e->nodeid = (uint64_t)how;
	else if (how == 2)
		e->attr.mode = S_IFDIR | 0755;
	else if (how == 3)
		e->attr.mode = S_IFLNK | 0755;
	else
		e->attr.size = UINT64_MAX;
}

static void hostile_entries(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	for (int how = 0; how < 5; how++) {
		struct kd_call *c = kd_call_link(kd, "f", "g");
		struct kd_req *r = expect_link(kd, "g");
		struct fuse_entry_out out = kd_entry(f);

		if (how > 1)
			out.nodeid = 77;
		spoil(&out, how);
		kd_reply_entry_raw(r, NULL, &out);
		kd_finish(c, -EIO);
		kd_settle(kd, 5);
	}
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

/* The new name is answered with another generation of the node: the old file is gone. */
static void new_generation(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c = kd_call_link(kd, "f", "g");
	struct kd_req *r = expect_link(kd, "g");

	f->generation = 7;
	kd_reply_entry(r, f);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

static const struct kernel_case cases[] = {
	CASE("link/another-name", another_name),
	CASE("link/another-node", another_node),
	CASE("link/errors-reach-the-caller", errors_reach_the_caller),
	CASE("link/enosys-means-not-permitted", enosys_means_not_permitted),
	CASE("link/not-of-a-directory", not_of_a_directory),
	CASE("link/hostile-entries", hostile_entries),
	CASE("link/new-generation", new_generation),
};
KERNEL_CASES(cases);
