// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * balloc.c: the block allocator: runs of free bits near a goal.
 *
 * A block is handed out only when the bitmap, verified, says that it is free,
 * and only if it is no metadata.  Blocks freed in an epoch keep their bits
 * until that epoch is durable (freed.c), so they cannot be handed out early.
 * The only locks are those of the groups, one at a time.
 */
#include <errno.h>
#include "super.h"

#define RUNS_SEEN_MAX	64u	/* free runs looked at in one group for a long one */
#define PATIENCE	4u	/* groups searched for a run of full length before any will do */

struct run {
	uint32_t at, len;	/* bits of the group; len 0: none */
};

struct want {
	uint64_t goal;		/* 0: none */
	uint32_t count;
	bool whole;		/* only a run of full length will do */
};

/* ---- one group, locked, its bitmap held ------------------------------------------- */

static struct run run_at(const uint8_t *bits, uint32_t at, uint32_t end, uint32_t most)
{
	uint32_t stop = end - at > most ? at + most : end;

	return (struct run){ at, e2_bits_next_set(bits, at, stop) - at };
}

/* The first run of @most free blocks in [from, end), or the longest of those looked at. */
static struct run best_run(const uint8_t *bits, uint32_t from, uint32_t end, uint32_t most)
{
	struct run best = { 0, 0 };

	for (unsigned seen = 0; seen < RUNS_SEEN_MAX && best.len < most; seen++) {
		uint32_t at = e2_bits_next_clear(bits, from, end);
		struct run r;

		if (at == end)
			break;
		r = run_at(bits, at, end, most);
		if (r.len > best.len)
			best = r;
		from = r.at + r.len;
	}
	return best;
}

static struct run find_run(const struct e2_super *sb, const struct e2_group *g, const struct want *w)
{
	uint32_t i = e2_group_index(sb, g), end = e2_group_blocks(sb, i), from = g->block_hint;
	const uint8_t *bits = g->block_buf->data;
	struct run r, other;

	if (w->goal && e2_group_of_block(sb, w->goal) == i && w->goal != e2_group_first(sb, i)) {
		from = (uint32_t)(w->goal - e2_group_first(sb, i));
		if (!e2_bit_test(bits, from))
			return run_at(bits, from, end, w->count);
	}
	if (from >= end)
		from = 0;
	r = best_run(bits, from, end, w->count);
	if (r.len == w->count || !from)
		return r;
	other = best_run(bits, 0, from, w->count);
	return other.len > r.len ? other : r;
}

static void take(struct e2_super *sb, struct e2_group *g, struct run r)
{
	e2_bitmap_change(g->block_buf, r.at, r.len, true);
	g->free_blocks -= r.len;
	atomic_fetch_sub(&sb->free_blocks, r.len);
	g->block_hint = r.at + r.len;
}

/* Returns 0 with nothing in *@block if the group has nothing that will do. */
static int alloc_in(struct e2_super *sb, struct e2_group *g, const struct want *w, uint64_t *block,
		    uint32_t *count)
{
	uint32_t i = e2_group_index(sb, g);
	struct run r;
	int err = e2_group_hold_blocks(sb, g);

	if (err || !g->free_blocks)
		return err;
	r = find_run(sb, g, w);
	if (!r.len) {
		g->bad = true;
		return e2_corrupt(sb, 0, "group %u has no free block although it counts %u; run e2fsck",
				  i, g->free_blocks);
	}
	if (w->whole && r.len < w->count)
		return 0;
	if (!e2_block_is_data(sb, e2_group_first(sb, i) + r.at, r.len)) {
		g->bad = true;
		return e2_corrupt(sb, 0, "the block bitmap of group %u changed under us; run e2fsck", i);
	}
	take(sb, g, r);
	*block = e2_group_first(sb, i) + r.at;
	*count = r.len;
	return 0;
}

/* ---- all groups --------------------------------------------------------------------- */

static uint32_t first_group(struct e2_super *sb, uint64_t goal)
{
	return goal >= sb->first_data_block && goal < sb->blocks_count ? e2_group_of_block(sb, goal) : 0;
}

/* Walk the groups from the goal's on. *@block stays 0 if none has anything. */
static int search(struct e2_super *sb, const struct want *w, uint32_t patience, uint64_t *block,
		  uint32_t *count)
{
	uint32_t i = first_group(sb, w->goal), floor = w->whole ? w->count : 1;
	int err = 0, result = 0;

	for (uint32_t n = 0; n < sb->groups_count && patience && !*block; n++) {
		struct e2_group *g = &sb->groups[i];

		if (g->free_blocks >= floor) {
			patience--;
			pthread_mutex_lock(&g->lock);
			err = g->bad ? 0 : alloc_in(sb, g, w, block, count);
			pthread_mutex_unlock(&g->lock);
			if (err && err != -EUCLEAN)
				return err;
			if (err)
				result = err;
		}
		if (++i == sb->groups_count)
			i = 0;
	}
	return *block ? 0 : result;
}

/* May @count blocks be taken by this caller now, later, or never? */
static int check_room(struct e2_super *sb, bool reserve, uint32_t *count)
{
	int64_t kept = reserve ? 0 : (int64_t)sb->reserved_blocks;
	int64_t room = atomic_load(&sb->free_blocks) - kept;

	if (room <= 0)
		return room + atomic_load(&sb->pending_blocks) > 0 ? -FUSEBLK_EAGAIN_COMMIT : -ENOSPC;
	if (*count > room)
		*count = (uint32_t)room;
	return 0;
}

int e2_blocks_alloc(struct e2_super *sb, uint64_t goal, uint32_t *count, bool reserve, uint64_t *block)
{
	struct want w = { .goal = goal, .count = *count ? *count : 1, .whole = true };
	uint64_t found = 0;
	uint32_t got = 0;
	int err = check_room(sb, reserve, &w.count);

	if (err)
		return err;
	if (w.count > 1)
		err = search(sb, &w, PATIENCE, &found, &got);
	w.whole = false;
	if ((!err || err == -EUCLEAN) && !found)
		err = search(sb, &w, UINT32_MAX, &found, &got);
	if (err)
		return err;
	if (!found)
		return atomic_load(&sb->pending_blocks) > 0 ? -FUSEBLK_EAGAIN_COMMIT : -ENOSPC;
	fuseblk_buf_invalidate(sb->vol, found, got);
	*block = found;
	*count = got;
	return 0;
}

/* ---- giving back --------------------------------------------------------------------- */

/* Bits [at, at + count) of one group must be set: clears them. */
static int clear_in(struct e2_super *sb, struct e2_group *g, uint32_t at, uint32_t count)
{
	int err = e2_group_hold_blocks(sb, g);

	if (err)
		return err;
	if (e2_bits_next_clear(g->block_buf->data, at, at + count) != at + count)
		return e2_corrupt(sb, 0, "blocks %llu+%u are freed but some were free already; run e2fsck",
				  (unsigned long long)(e2_group_first(sb, e2_group_index(sb, g)) + at), count);
	e2_bitmap_change(g->block_buf, at, count, false);
	g->free_blocks += count;
	atomic_fetch_add(&sb->free_blocks, count);
	return 0;
}

void e2_blocks_clear(struct e2_super *sb, uint64_t block, uint64_t count, bool pending)
{
	while (count) {
		uint32_t i = e2_group_of_block(sb, block), at = (uint32_t)(block - e2_group_first(sb, i));
		uint32_t left = e2_group_blocks(sb, i) - at, n = count < left ? (uint32_t)count : left;
		struct e2_group *g = &sb->groups[i];

		pthread_mutex_lock(&g->lock);
		clear_in(sb, g, at, n);
		pthread_mutex_unlock(&g->lock);
		if (pending)
			atomic_fetch_sub(&sb->pending_blocks, n);
		block += n;
		count -= n;
	}
}

/* A range that is metadata is not freed, whoever says so. */
static bool may_free(struct e2_super *sb, uint64_t block, uint64_t count)
{
	if (e2_block_is_data(sb, block, count))
		return true;
	e2_corrupt(sb, 0, "blocks %llu+%llu are freed, which are no data blocks; run e2fsck",
		   (unsigned long long)block, (unsigned long long)count);
	return false;
}

void e2_blocks_free(struct e2_super *sb, uint64_t block, uint64_t count)
{
	if (!may_free(sb, block, count))
		return;
	if (!e2_freed_blocks(sb, block, count)) {
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "out of memory: blocks %llu+%llu stay in use until e2fsck "
			    "frees them", (unsigned long long)block, (unsigned long long)count);
		return;
	}
	atomic_fetch_add(&sb->pending_blocks, (int64_t)count);
	fuseblk_freed(sb->vol, block << sb->block_bits, count << sb->block_bits);
}

void e2_blocks_unalloc(struct e2_super *sb, uint64_t block, uint64_t count)
{
	if (may_free(sb, block, count))
		e2_blocks_clear(sb, block, count, false);
}
