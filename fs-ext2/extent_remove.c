// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extent_remove.c: taking blocks from a file with extents, from the end, one
 * leaf at a time.  Where only the end of a leaf goes, nothing new is needed,
 * so a truncation cannot fail for lack of space.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

/* The part of extent @i of the leaf inside [first, end). */
static void part_inside(const struct e2_level *lv, unsigned i, uint64_t first, uint64_t end,
			struct e2_run *part)
{
	uint64_t from, to;

	e2_ext_get(lv->data, i, part);
	from = part->lblk > first ? part->lblk : first;
	to = part->lblk + part->len < end ? part->lblk + part->len : end;
	part->pblk += from - part->lblk;
	part->len = to - from;
	part->lblk = from;
}

/* What stays of extents @lowest..@last around [first, end): 0 to 2 entries. */
static unsigned remains(const struct e2_level *lv, unsigned lowest, unsigned last, uint64_t first,
			uint64_t end, struct e2_raw_entry raw[2])
{
	struct e2_run run;
	unsigned count = 0;

	e2_ext_get(lv->data, lowest, &run);
	if (run.lblk < first) {
		run.len = first - run.lblk;
		e2_ext_pack(&run, &raw[count++]);
	}
	e2_ext_get(lv->data, last, &run);
	if (run.lblk + run.len > end) {
		run.pblk += end - run.lblk;
		run.len -= end - run.lblk;
		run.lblk = end;
		e2_ext_pack(&run, &raw[count++]);
	}
	return count;
}

/* Remove [first, end) from extents @lowest..@last of the path's leaf, all of which it touches. */
static int remove_range(struct e2_tx *tx, struct e2_path *path, unsigned lowest, unsigned last,
			uint64_t first, uint64_t end)
{
	struct e2_level *lv = &path->level[path->leaf];
	struct e2_raw_entry raw[2];
	struct e2_run part;
	struct e2_plan *plan;
	unsigned count = remains(lv, lowest, last, first, end, raw);
	int r = e2_plan_make(tx, path, lowest, last - lowest + 1, raw, count, &plan);

	if (r)
		return r;
	for (unsigned i = lowest; i <= last && !r; i++) {
		part_inside(lv, i, first, end, &part);
		r = e2_data_gone(tx, part.pblk, part.len);
	}
	e2_plan_apply(plan);
	return r;
}

/* Does extent @i of the leaf reach past @first? */
static bool reaches(const struct e2_level *lv, unsigned i, uint64_t first)
{
	struct e2_run run;

	e2_ext_get(lv->data, i, &run);
	return run.lblk + run.len > first;
}

int e2_ext_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end)
{
	struct e2_path path;
	struct e2_level *lv;
	unsigned lowest, last;
	uint64_t start;
	int r = e2_path_find(tx->ei, *end - 1, &path);

	if (r)
		return r;
	lv = &path.level[path.leaf];
	start = lv->pos < 0 || lv->lo < first ? first : lv->lo;
	if (lv->pos >= 0 && reaches(lv, (unsigned)lv->pos, first)) {
		lowest = last = (unsigned)lv->pos;
		tx->goal = lv->buf ? lv->buf->block : 0;
		while (lowest && reaches(lv, lowest - 1, first))
			lowest--;
		r = remove_range(tx, &path, lowest, last, first, *end);
	}
	e2_path_put(&path);
	if (!r)
		*end = start;
	return r;
}
