// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * format_fat.c: every image must be sound for our strict reader, before any
 * repair, and keep what was promised; one in so many is given to
 * "fsck.fat -a", after which "fsck.fat -n" finds nothing, the same holds again,
 * and the exceptions are gone.  After the last write nothing at all is wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "device.h"
#include "fat_model.h"
#include "fat_tree.h"

#define JUNK 0xee		/* in clusters that nobody has written: bytes of no object */

extern const struct fuseblk_driver fat_driver;

static struct fat_shape shape;
static struct fat_tree tree;
static struct fat_verdict before, after;
static uint8_t *mended;
static unsigned more_runs;

static void prepare(struct crash *c, uint8_t *bytes)
{
	const char *what = fat_shape_of(bytes, c->size, &shape);

	if (what) {
		fprintf(stderr, "powercut: mkfs.fat: %s\n", what);
		exit(2);
	}
	c->unit = shape.sector;
	for (uint32_t k = 2; k < shape.clusters + 2; k++)
		if (!fat_shape_table(&shape, bytes, 0, k))
			memset(bytes + shape.data_start + (uint64_t)(k - 2) * shape.cluster, JUNK, shape.cluster);
}

static int fsck(const struct crash *c, const char *options)
{
	return crash_run("fsck.fat %s %s >>%s.log 2>&1", options, c->image, c->image);
}

/*
 * A directory with two names needs up to three runs: the second name loses
 * its chain, then its short entry, then its long slots.
 */
static const char *repair(struct crash *c, bool has_shared)
{
	for (unsigned run = 0; run < (has_shared ? 3 : 1); run++) {
		if (fsck(c, "-a") > 1)
			return "fsck.fat -a does not repair it";
		more_runs += run > 0;
		if (!fsck(c, "-n"))
			return NULL;
	}
	return "fsck.fat -n still finds something";
}

static const char *judge_repaired(struct crash *c, const uint8_t *bytes, size_t cut, bool has_shared)
{
	const char *what;

	if (!mended)
		mended = malloc(c->size);
	if (!mended)
		abort();
	c->repairs++;
	crash_store(c, bytes);
	what = repair(c, has_shared);
	if (what)
		return what;
	crash_load(c, mended);
	fat_tree_read(&tree, &shape, mended);
	return fat_match(&tree, cut, true, &after);
}

static const char *judge_unmounted(struct crash *c, const uint8_t *bytes, size_t cut)
{
	if (fb_write_log_get(c->log, cut - 1)->len)
		return "the unmount did not flush";
	if (tree.lost)
		return "clusters are lost after the unmount";
	if (tree.copies_differ)
		return "copies of the table differ after the unmount";
	crash_store(c, bytes);
	return fsck(c, "-n") ? "fsck.fat -n finds something after the unmount" : NULL;
}

static const char *judge(struct crash *c, const uint8_t *bytes, size_t cut)
{
	unsigned shared = before.shared;
	char log[80];
	const char *what;

	snprintf(log, sizeof(log), "%s.log", c->image);
	if (truncate(log, 0))
		return "the log of fsck.fat cannot be emptied";
	fat_tree_read(&tree, &shape, bytes);
	what = fat_match(&tree, cut, false, &before);
	if (!what && cut == fb_write_log_count(c->log))
		what = judge_unmounted(c, bytes, cut);
	if (!what && c->repair && c->images % c->repair == 0)
		what = judge_repaired(c, bytes, cut, before.shared > shared);
	return what;
}

static void summary(const struct crash *c, char *text, size_t size)
{
	(void)c;
	snprintf(text, size, ", FAT%u, sectors %u, clusters %u x %u, exceptions met: %u shared, %u split, %u twice, %u aliases, %u temporary, %u more runs of fsck.fat",
		 shape.bits, shape.sector, shape.clusters, shape.cluster, before.shared, before.split, before.twice, before.alias,
		 before.temporary, more_runs);
}

const struct format format_fat = {
	.name = "fat", .driver = &fat_driver, .options = "", .size = 12u << 20, .mkfs = "mkfs.fat -a",
	.prepare = prepare, .workload = fat_workload, .judge = judge, .summary = summary,
};
