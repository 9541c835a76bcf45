/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.h: what cases about names have in common.
 */
#ifndef TESTS_KERNEL_CASES_NAMES_H
#define TESTS_KERNEL_CASES_NAMES_H

#include "daemon.h"

/* LOOKUP of @name comes, and it is not there; names on the way that were added are. */
static inline void expect_absent(struct kd *kd, uint64_t parent, const char *name)
{
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 0);

	while (strcmp(r->name, name) != 0) {
		CHECK(kd_serve(r));
		r = kd_expect(kd, FUSE_LOOKUP, 0);
	}
	CHECK_EQ(r->nodeid, parent);
	kd_reply_error(r, -ENOENT);
}

#endif
