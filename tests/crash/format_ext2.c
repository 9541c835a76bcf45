// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * format_ext2.c: every image must be repaired by "e2fsck -p", and then hold
 * what was promised.  Where directories move between directories "e2fsck -y"
 * may be needed (docs/DESIGN.md).
 */
#include "ext2.h"

extern const struct fuseblk_driver e2_driver;

static void prepare(struct crash *c, uint8_t *bytes)
{
	c->unit = 1024u << bytes[1024 + 24];
}

static int e2fsck(const struct crash *c, const char *options)
{
	return crash_run("e2fsck %s %s >%s.log 2>&1", options, c->image, c->image);
}

static const char *judge(struct crash *c, const uint8_t *bytes, size_t cut)
{
	int status;

	crash_store(c, bytes);
	c->repairs++;
	status = e2fsck(c, "-p");
	if (status == 4 && c->move_dirs)
		status = e2fsck(c, "-y -f");
	if (status > 1)
		return "e2fsck -p does not repair it";
	if (e2fsck(c, "-fn"))
		return "e2fsck -fn still finds something";
	return ext2_promises_check(c->image, ext2_promises(), cut);
}

const struct format format_ext2 = {
	.name = "ext2", .driver = &e2_driver, .options = "", .size = 4u << 20, .mkfs = "mke2fs -q -F",
	.prepare = prepare, .workload = ext2_workload, .judge = judge,
};
