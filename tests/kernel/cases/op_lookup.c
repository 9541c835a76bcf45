// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_lookup.c: LOOKUP: names, what is cached and for how long, counts, hostile entries.
 */
#include "daemon.h"

static void positive_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID);

	CHECK_STR(r->name, "f");
	kd_reply_entry(r, f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_check_balance(kd);
}

static void negative_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "none", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID);

	CHECK_STR(r->name, "none");
	kd_reply_negative(r, KD_FOREVER);
	kd_finish(c, -ENOENT);
	kd_finish(kd_call_stat(kd, "none", NULL), -ENOENT);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void enoent_is_not_cached(void)
{
	struct kd *kd = kd_new();

	for (int i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_stat(kd, "none", NULL);

		kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static const struct kernel_case cases[] = {
	CASE("lookup/positive-is-cached", positive_is_cached),
	CASE("lookup/negative-is-cached", negative_is_cached),
	CASE("lookup/enoent-is-not-cached", enoent_is_not_cached),
};
KERNEL_CASES(cases);
