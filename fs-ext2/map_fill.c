// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map_fill.c: blocks for holes: where they are wanted, how many at a time,
 * and which of them a failed write must give back.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

#define NEAR_BLOCKS 32768u	/* a hole this wide is left open in the layout too */

static uint64_t group_goal(const struct e2_inode *ei)
{
	const struct e2_super *sb = ei->sb;

	return sb->first_data_block +
	       (uint64_t)((ei->ino - 1) / sb->inodes_per_group) * sb->blocks_per_group;
}

/* Where block @lblk would best lie: behind what lies before it in the file. */
static int find_goal(struct e2_inode *ei, uint64_t lblk, uint64_t *goal)
{
	struct e2_run run = { .len = 0 };
	uint64_t before = lblk;
	int r = 0;

	for (int i = 0; i < 2 && before && !run.pblk; i++) {
		r = e2_map_find(ei, before - 1, &run);
		if (r)
			return r;
		before = run.lblk;
	}
	if (run.pblk && lblk - run.lblk - run.len < NEAR_BLOCKS)
		*goal = run.pblk + (lblk - run.lblk);
	else
		*goal = ei->alloc_goal ? ei->alloc_goal : group_goal(ei);
	if (*goal >= ei->sb->blocks_count)
		*goal = group_goal(ei);
	return 0;
}

/* i_blocks can count @want more blocks, or the fewer returned. */
static uint64_t count_room(const struct e2_inode *ei, uint64_t want)
{
	uint64_t most = e2_has_ro(ei->sb, E2_RO_HUGE_FILE) ? (1ull << 48) - 1 : UINT32_MAX;
	uint64_t room = ei->blocks < most ? (most - ei->blocks) / e2_sectors(ei->sb) : 0;

	return want < room ? want : room;
}

static int alloc_data(struct e2_tx *tx, uint64_t goal, uint32_t *count, uint64_t *block)
{
	struct e2_inode *ei = tx->ei;
	int r = e2_blocks_alloc(ei->sb, goal, count, tx->reserve, block);

	if (r || e2_is_extents(ei) || *block + *count - 1 <= UINT32_MAX)
		return r;
	e2_blocks_unalloc(ei->sb, *block, *count);	/* an indirect block cannot name it */
	return -ENOSPC;
}

int e2_map_fill(struct e2_tx *tx, uint64_t lblk, uint64_t want, bool unwritten, struct e2_run *out)
{
	struct e2_inode *ei = tx->ei;
	struct e2_run run = { .lblk = lblk, .unwritten = unwritten };
	uint64_t room = unwritten ? E2_EXT_UNWRITTEN_MAX : E2_EXT_WRITTEN_MAX;
	unsigned lacking = 0;
	uint32_t count;
	int r;

	if (lblk >= e2_map_limit(ei))
		return -EFBIG;
	if (!e2_is_extents(ei)) {
		r = e2_ind_room(ei, lblk, &room, &lacking);
		if (r)
			return r;
	}
	want = count_room(ei, want < room ? want : room);
	if (!want)
		return -EFBIG;
	r = find_goal(ei, lblk, &tx->goal);
	if (r)
		return r;
	count = (uint32_t)want;
	r = alloc_data(tx, tx->goal + lacking, &count, &run.pblk);
	if (r)
		return r;
	run.len = count;
	r = e2_is_extents(ei) ? e2_ext_insert(tx, &run) : e2_ind_insert(tx, &run);
	if (r) {
		e2_blocks_unalloc(ei->sb, run.pblk, run.len);
		return r;
	}
	ei->blocks += run.len * e2_sectors(ei->sb);
	ei->alloc_goal = run.pblk + run.len;
	*out = run;
	return 0;
}

/* Remember @run until ->written; @full: no room, the caller makes its content harmless. */
void e2_fresh_note(struct e2_inode *ei, const struct e2_run *run, bool *full)
{
	uint64_t epoch = fuseblk_epoch(ei->sb->vol);
	uint32_t n;

	if (ei->fresh_epoch != epoch)
		ei->fresh_count = 0;
	ei->fresh_epoch = epoch;
	n = ei->fresh_count;
	*full = n == E2_FRESH_RUNS;
	if (n && ei->fresh[n - 1].lblk + ei->fresh[n - 1].len == run->lblk) {
		ei->fresh[n - 1].len += (uint32_t)run->len;
		*full = false;
	} else if (!*full) {
		ei->fresh[n].lblk = (uint32_t)run->lblk;
		ei->fresh[n].len = (uint32_t)run->len;
		ei->fresh_count++;
	}
}

/* [first, end) holds data: forget the runs that it touches. */
void e2_fresh_drop(struct e2_inode *ei, uint64_t first, uint64_t end)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < ei->fresh_count; i++)
		if (ei->fresh[i].lblk >= end || (uint64_t)ei->fresh[i].lblk + ei->fresh[i].len <= first)
			ei->fresh[kept++] = ei->fresh[i];
	ei->fresh_count = kept;
}

/* Zero what is mapped of [lblk, end). */
static int zero_run(struct e2_inode *ei, uint64_t lblk, uint64_t end)
{
	unsigned bits = ei->sb->block_bits;
	struct e2_run run;
	uint64_t to;
	int r;

	for (; lblk < end; lblk = to) {
		r = e2_map_find(ei, lblk, &run);
		if (r)
			return r;
		to = run.lblk + run.len < end ? run.lblk + run.len : end;
		if (run.pblk && !run.unwritten)
			r = fuseblk_device_zero(ei->sb->vol, (run.pblk + (lblk - run.lblk)) << bits,
						(to - lblk) << bits);
		if (r)
			return r;
	}
	return 0;
}

/*
 * The write failed: what was given for it goes again, in the phase it came
 * in, so that no image on the device has it.  A run that cannot be taken out
 * (no space to split an extent) is zeroed.
 */
int e2_fresh_undo(struct e2_inode *ei)
{
	uint64_t first, end;
	struct e2_tx tx;
	int r, err = 0;

	if (ei->fresh_epoch != fuseblk_epoch(ei->sb->vol))
		ei->fresh_count = 0;
	if (!ei->fresh_count)
		return 0;
	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		return r;
	tx.undo = true;
	tx.reserve = true;
	while (ei->fresh_count) {
		ei->fresh_count--;
		first = ei->fresh[ei->fresh_count].lblk;
		end = first + ei->fresh[ei->fresh_count].len;
		r = 0;
		while (!r && end > first)
			r = e2_map_remove_step(&tx, first, &end);
		if (r)
			r = zero_run(ei, first, end);
		if (r)
			err = r;
	}
	r = e2_tx_end(&tx);
	return err ? err : r;
}
