// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_getattr.c: GETATTR: what is asked, how long it is believed, what is not believed.
 */
#include "daemon.h"

static void fields_reach_stat(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 12345);
	struct stat st;

	f->attr.ino = 777;
	f->attr.nlink = 3;
	f->attr.uid = 11;
	f->attr.gid = 12;
	f->attr.blocks = 99;
	f->attr.mtimensec = 123456789;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 777);
	CHECK_EQ(st.st_nlink, 3);
	CHECK_EQ(st.st_uid, 11);
	CHECK_EQ(st.st_gid, 12);
	CHECK_EQ(st.st_size, 12345);
	CHECK_EQ(st.st_blocks, 99);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_atime, 1000);
	CHECK_EQ(st.st_mtime, 2000);
	CHECK_EQ(st.st_mtim.tv_nsec, 123456789);
	CHECK_EQ(st.st_ctime, 3000);
}

static void zero_timeout_asks_again(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;

	f->attr_valid = 0;
	for (int i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_stat(kd, "f", &st);
		struct kd_req *r = kd_expect(kd, FUSE_GETATTR, 2);
		const struct fuse_getattr_in *in = r->arg;

		CHECK_EQ(in->getattr_flags, 0);
		f->attr.size = 100 + (uint64_t)i;
		kd_reply_attr(r, f);
		kd_finish(c, 0);
		CHECK_EQ(st.st_size, 100 + i);
	}
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void timeout_in_nanoseconds(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;

	f->attr_valid = 0;
	f->attr_valid_nsec = 300000000;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	usleep(400000);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
}

static void error_reaches_caller(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;

	f->attr_valid = 0;
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_GETATTR, 2), -EDOM);
	kd_finish(c, -EDOM);
	/* ENOSYS is an error like any other here. */
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_GETATTR, 2), -ENOSYS);
	kd_finish(c, -ENOSYS);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
}

static const struct kernel_case cases[] = {
	CASE("getattr/fields-reach-stat", fields_reach_stat),
	CASE("getattr/zero-timeout-asks-again", zero_timeout_asks_again),
	CASE("getattr/timeout-in-nanoseconds", timeout_in_nanoseconds),
	CASE("getattr/error-reaches-caller", error_reaches_caller),
};
KERNEL_CASES(cases);
