// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_statfs.c: STATFS: what df shows.
 */
#include <sys/vfs.h>
#include "daemon.h"

#define FUSE_MAGIC 0x65735546

static void fields_reach_the_caller(void)
{
	struct kd *kd = kd_new();
	struct statfs st;
	struct kd_call *c = kd_call_statfs(kd, "", &st);

	kd_reply_statfs(kd_expect(kd, FUSE_STATFS, FUSE_ROOT_ID), &(struct fuse_kstatfs){
		.blocks = 1ull << 40, .bfree = 12345, .bavail = 2345, .files = 999, .ffree = 99,
		.bsize = 65536, .frsize = 512, .namelen = 143,
	});
	kd_finish(c, 0);
	CHECK_EQ(st.f_type, FUSE_MAGIC);
	CHECK_EQ(st.f_blocks, 1ull << 40);
	CHECK_EQ(st.f_bfree, 12345);
	CHECK_EQ(st.f_bavail, 2345);
	CHECK_EQ(st.f_files, 999);
	CHECK_EQ(st.f_ffree, 99);
	CHECK_EQ(st.f_bsize, 65536);
	CHECK_EQ(st.f_frsize, 512);
	CHECK_EQ(st.f_namelen, 143);
}

static void asked_each_time(void)
{
	struct kd *kd = kd_new();
	struct statfs st;

	kd_auto(kd, FUSE_STATFS);
	for (int i = 0; i < 3; i++)
		kd_finish(kd_call_statfs(kd, "", &st), 0);
	CHECK_EQ(kd->count[FUSE_STATFS], 3);
}

/* The daemon learns of which file it was. */
static void names_the_node(void)
{
	struct kd *kd = kd_new();
	struct statfs st;
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_statfs(kd, "f", &st);
	kd_reply_statfs(kd_expect(kd, FUSE_STATFS, 2), &(struct fuse_kstatfs){ .bsize = 512, .namelen = 1 });
	kd_finish(c, 0);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EIO, ENOSYS, EACCES, 511 };
	struct kd *kd = kd_new();
	struct statfs st;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_statfs(kd, "", &st);

		kd_reply_error(kd_expect(kd, FUSE_STATFS, FUSE_ROOT_ID), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

/* Who may not enter learns what it is, and no more; df does not fail. */
static void others_learn_only_the_type(void)
{
	struct kd *kd = kd_new();
	struct statfs st;

	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_statfs(kd, "", &st), 0);
	CHECK_EQ(st.f_type, FUSE_MAGIC);
	CHECK_EQ(st.f_blocks, 0);
	CHECK_EQ(kd->count[FUSE_STATFS], 0);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 48, sizeof(struct fuse_statfs_out) - 1, sizeof(struct fuse_statfs_out) + 1 };
	struct kd *kd = kd_new();
	uint8_t body[256] = { 0 };
	struct statfs st;

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_statfs(kd, "", &st);

		CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_STATFS, FUSE_ROOT_ID), 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

static void hostile_fields(void)
{
	struct kd *kd = kd_new();
	struct statfs st;
	struct kd_call *c = kd_call_statfs(kd, "", &st);
	struct fuse_kstatfs out;

	memset(&out, 0xff, sizeof(out));
	kd_reply_statfs(kd_expect(kd, FUSE_STATFS, FUSE_ROOT_ID), &out);
	kd_finish(c, 0);
	CHECK_EQ(st.f_blocks, UINT64_MAX);
	c = kd_call_statfs(kd, "", &st);
	memset(&out, 0, sizeof(out));
	kd_reply_statfs(kd_expect(kd, FUSE_STATFS, FUSE_ROOT_ID), &out);
	kd_finish(c, 0);
	CHECK_EQ(st.f_bsize, 0);
}

static const struct kernel_case cases[] = {
	CASE("statfs/fields-reach-the-caller", fields_reach_the_caller),
	CASE("statfs/asked-each-time", asked_each_time),
	CASE("statfs/names-the-node", names_the_node),
	CASE("statfs/errors-reach-the-caller", errors_reach_the_caller),
	CASE("statfs/others-learn-only-the-type", others_learn_only_the_type),
	CASE("statfs/wrong-lengths", wrong_lengths),
	CASE("statfs/hostile-fields", hostile_fields),
};
KERNEL_CASES(cases);
