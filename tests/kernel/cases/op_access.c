// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_access.c: ACCESS: asked for access(2) and chdir(2) where the daemon decides.
 */
#include "daemon.h"

static void asked_for_access(void)
{
	static const int masks[] = { R_OK, W_OK, X_OK, R_OK | W_OK | X_OK };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	for (size_t i = 0; i < sizeof(masks) / sizeof(masks[0]); i++) {
		struct kd_call *c = kd_call_access(kd, "f", masks[i]);
		struct kd_req *r = kd_expect(kd, FUSE_ACCESS, 2);

		CHECK_EQ(((const struct fuse_access_in *)r->arg)->mask, masks[i]);
		kd_reply_error(r, i & 1 ? -EACCES : 0);
		kd_finish(c, i & 1 ? -EACCES : 0);
	}
}

/* The file need only be there, which is for the daemon to say, too. */
static void asked_for_existence(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_access(kd, "f", F_OK);
	r = kd_expect(kd, FUSE_ACCESS, 2);
	CHECK_EQ(((const struct fuse_access_in *)r->arg)->mask, 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
}

static void asked_for_chdir(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_add_dir(kd, "d", 2);
	kd_as_process(kd);
	c = kd_sys(kd, SYS_chdir, (long)kd_path(kd, "d"));
	r = kd_expect(kd, FUSE_ACCESS, 2);
	CHECK_EQ(((const struct fuse_access_in *)r->arg)->mask, X_OK);
	kd_reply_error(r, -EACCES);
	kd_finish(c, -EACCES);
}

/* Neither opening nor walking a path asks. */
static void not_asked_otherwise(void)
{
	struct kd *kd = kd_new();

	kd_add_dir(kd, "d", 2);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_opened(kd, "d/f", O_RDWR, 0);
	kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	CHECK_EQ(kd->count[FUSE_ACCESS], 0);
}

static void never_with_default_permissions(void)
{
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	f->attr.mode = S_IFREG | 0604;
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_access(kd, "f", R_OK), 0);
	kd_finish(kd_call_access(kd, "f", W_OK), -EACCES);
	CHECK_EQ(kd->count[FUSE_ACCESS], 0);
}

static void enosys_is_latched_as_yes(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_access(kd, "f", R_OK);
	kd_reply_error(kd_expect(kd, FUSE_ACCESS, 2), -ENOSYS);
	kd_finish(c, 0);
	kd_finish(kd_call_access(kd, "f", W_OK), 0);
	CHECK_EQ(kd->count[FUSE_ACCESS], 1);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EACCES, EROFS, EIO, EPERM, 511 };
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_access(kd, "f", R_OK);

		kd_reply_error(kd_expect(kd, FUSE_ACCESS, 2), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

static const struct kernel_case cases[] = {
	CASE("access/asked-for-access", asked_for_access),
	CASE("access/asked-for-existence", asked_for_existence),
	CASE("access/asked-for-chdir", asked_for_chdir),
	CASE("access/not-asked-otherwise", not_asked_otherwise),
	CASE("access/never-with-default-permissions", never_with_default_permissions),
	CASE("access/enosys-is-latched-as-yes", enosys_is_latched_as_yes),
	CASE("access/errors-reach-the-caller", errors_reach_the_caller),
};
KERNEL_CASES(cases);
