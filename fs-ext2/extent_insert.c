// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extent_insert.c: giving blocks to a file with extents: into a hole, from
 * unwritten to written, or in the place of another block.  Each is the
 * replacement of at most one extent by at most three, joined with its
 * neighbours in the leaf where they touch.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

void e2_ext_pack(const struct e2_run *run, struct e2_raw_entry *raw)
{
	uint64_t len = run->len + (run->unwritten ? E2_EXT_WRITTEN_MAX : 0);
	struct e2_disk_extent e = {
		.ee_block = e2_put32((uint32_t)run->lblk),
		.ee_len = e2_put16((uint16_t)len),
		.ee_start_hi = e2_put16((uint16_t)(run->pblk >> 32)),
		.ee_start_lo = e2_put32((uint32_t)run->pblk),
	};

	memcpy(raw, &e, sizeof(e));
}

static bool joins(const struct e2_run *a, const struct e2_run *b)
{
	uint64_t max = a->unwritten ? E2_EXT_UNWRITTEN_MAX : E2_EXT_WRITTEN_MAX;

	return a->unwritten == b->unwritten && a->lblk + a->len == b->lblk &&
	       a->pblk + a->len == b->pblk && a->len + b->len <= max;
}

/* Append @b to @list, joining it with the last; empty runs are left out. */
static void list_add(struct e2_run *list, unsigned *count, const struct e2_run *b)
{
	if (!b->len)
		return;
	if (*count && joins(&list[*count - 1], b))
		list[*count - 1].len += b->len;
	else
		list[(*count)++] = *b;
}

/* Replace @remove extents at @pos by @runs (at most three), and join. Ends the path. */
static int replace(struct e2_tx *tx, struct e2_path *path, unsigned pos, unsigned remove,
		   const struct e2_run *runs, unsigned count)
{
	const struct e2_level *lv = &path->level[path->leaf];
	struct e2_raw_entry raw[3];
	struct e2_run list[3], side;
	struct e2_plan *plan;
	unsigned n = 0;
	int r;

	for (unsigned i = 0; i < count; i++)
		list_add(list, &n, &runs[i]);
	if (pos) {
		e2_ext_get(lv->data, pos - 1, &side);
		if (joins(&side, &list[0])) {
			list[0].lblk = side.lblk;
			list[0].pblk = side.pblk;
			list[0].len += side.len;
			pos--;
			remove++;
		}
	}
	if (pos + remove < lv->entries) {
		e2_ext_get(lv->data, pos + remove, &side);
		if (joins(&list[n - 1], &side)) {
			list[n - 1].len += side.len;
			remove++;
		}
	}
	for (unsigned i = 0; i < n; i++)
		e2_ext_pack(&list[i], &raw[i]);
	r = e2_plan_make(tx, path, pos, remove, raw, n, &plan);
	if (!r)
		e2_plan_apply(plan);
	e2_path_put(path);
	return r;
}

int e2_ext_insert(struct e2_tx *tx, const struct e2_run *run)
{
	struct e2_path path;
	struct e2_run hole;
	int r = e2_path_find(tx->ei, run->lblk, &path);

	if (r)
		return r;
	r = e2_path_run(tx->ei, &path, run->lblk, &hole);
	if (!r && (hole.pblk || run->lblk + run->len > hole.lblk + hole.len))
		r = e2_corrupt(tx->ei->sb, tx->ei->ino, "block %llu is mapped twice",
			       (unsigned long long)run->lblk);
	if (r) {
		e2_path_put(&path);
		return r;
	}
	return replace(tx, &path, (unsigned)(path.level[path.leaf].pos + 1), 0, run, 1);
}

/* The three parts of @run around [lblk, lblk+len). */
static void cut(const struct e2_run *run, uint64_t lblk, uint64_t len, struct e2_run part[3])
{
	uint64_t before = lblk - run->lblk;

	for (int i = 0; i < 3; i++)
		part[i] = *run;
	part[0].len = before;
	part[1].lblk = lblk;
	part[1].pblk += before;
	part[1].len = len;
	part[2].lblk = lblk + len;
	part[2].pblk += before + len;
	part[2].len = run->len - before - len;
}

int e2_ext_convert(struct e2_tx *tx, uint64_t lblk, uint64_t len, uint64_t *done)
{
	struct e2_run run, part[3];
	struct e2_path path;
	int r = e2_path_find(tx->ei, lblk, &path);

	if (r)
		return r;
	r = e2_path_run(tx->ei, &path, lblk, &run);
	if (r || !run.unwritten) {
		e2_path_put(&path);
		return r ? r : -EINVAL;
	}
	if (len > run.lblk + run.len - lblk)
		len = run.lblk + run.len - lblk;
	cut(&run, lblk, len, part);
	part[1].unwritten = false;
	r = replace(tx, &path, (unsigned)path.level[path.leaf].pos, 1, part, 3);
	if (!r)
		*done = len;
	return r;
}

int e2_ext_set(struct e2_tx *tx, uint64_t lblk, uint64_t pblk, uint64_t *old)
{
	struct e2_run run, part[3];
	struct e2_path path;
	int r = e2_path_find(tx->ei, lblk, &path);
	unsigned pos;
	uint64_t was;

	if (r)
		return r;
	r = e2_path_run(tx->ei, &path, lblk, &run);
	if (r) {
		e2_path_put(&path);
		return r;
	}
	pos = (unsigned)path.level[path.leaf].pos;
	was = run.pblk ? run.pblk + (lblk - run.lblk) : 0;
	if (was) {
		cut(&run, lblk, 1, part);
		part[1].pblk = pblk;
		part[1].unwritten = false;
		r = replace(tx, &path, pos, 1, part, 3);
	} else {
		part[0] = (struct e2_run){ .lblk = lblk, .len = 1, .pblk = pblk };
		r = replace(tx, &path, pos + 1, 0, part, 1);
	}
	if (!r)
		*old = was;
	return r;
}
