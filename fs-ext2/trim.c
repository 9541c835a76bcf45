// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * trim.c: FITRIM: the device is told of every free run of blocks.
 *
 * A clear bit in a bitmap means free on the device too, since freed blocks
 * keep their bits until that is so.  The group stays locked while runs of it
 * are discarded, so that nobody is given one meanwhile: a few at a time, for
 * others wait for the lock, commits for the change, and a fatal signal for both.
 */
#include <errno.h>
#include <stdlib.h>
#include "super.h"

#define RUNS_AT_ONCE	16u

struct trim {
	uint64_t first, end;		/* blocks; first moves on */
	uint64_t least;			/* shortest run, blocks */
	uint64_t done;			/* blocks */
	uint8_t *scratch;		/* a block's worth, for bitmaps that were never written */
};

/* The next runs of a group that is locked; t->first is then where to go on. */
static int discard_runs(struct e2_super *sb, uint32_t group, const uint8_t *bits, struct trim *t)
{
	uint64_t base = e2_group_first(sb, group), last = base + e2_group_blocks(sb, group);
	uint32_t at = (uint32_t)(t->first - base);
	uint32_t end = (uint32_t)((t->end < last ? t->end : last) - base);
	unsigned runs = 0;
	int err = 0;

	while (!err && at < end && runs < RUNS_AT_ONCE) {
		uint32_t from = e2_bits_next_clear(bits, at, end);

		at = e2_bits_next_set(bits, from, end);
		if (at == from || at - from < t->least)
			continue;
		err = fuseblk_device_discard(sb->vol, (base + from) << sb->block_bits,
					     (uint64_t)(at - from) << sb->block_bits);
		if (!err)
			t->done += at - from;
		runs++;
	}
	t->first = base + at;
	return err;
}

static int trim_some(struct e2_super *sb, uint32_t group, struct trim *t)
{
	struct e2_group *g = &sb->groups[group];
	struct fuseblk_buf *buf;
	int err;

	pthread_mutex_lock(&g->lock);
	err = e2_group_peek_blocks(sb, g, &buf);
	if (!err && !buf)
		e2_bitmap_initial(sb, group, t->scratch);
	if (!err)
		err = discard_runs(sb, group, buf ? buf->data : t->scratch, t);
	pthread_mutex_unlock(&g->lock);
	if (!err)
		fuseblk_buf_put(buf);
	return err;
}

static int trim_groups(struct e2_super *sb, struct trim *t)
{
	int err = 0;

	while (!err && t->first < t->end) {
		uint32_t group = e2_group_of_block(sb, t->first);

		if (sb->groups[group].free_blocks >= t->least)
			err = trim_some(sb, group, t);
		else
			t->first = e2_group_first(sb, group) + e2_group_blocks(sb, group);
		if (!err)
			err = fuseblk_change_pause(sb->vol);
	}
	return err;
}

int e2_trim(struct fuseblk_volume *vol, uint64_t start, uint64_t len, uint64_t minlen, uint64_t *trimmed)
{
	struct e2_super *sb = e2_sb(vol);
	struct trim t = { .least = minlen >> sb->block_bits, .first = start >> sb->block_bits };
	int err;

	if (!fuseblk_can_discard(vol))
		return -EOPNOTSUPP;
	if (t.least > sb->blocks_per_group || t.first >= sb->blocks_count || len < sb->block_size)
		return -EINVAL;
	t.end = len > UINT64_MAX - start ? UINT64_MAX >> sb->block_bits : (start + len) >> sb->block_bits;
	if (t.end > sb->blocks_count)
		t.end = sb->blocks_count;
	if (t.first < sb->first_data_block)
		t.first = sb->first_data_block;
	if (!t.least)
		t.least = 1;
	t.scratch = malloc(sb->block_size);
	err = t.scratch ? trim_groups(sb, &t) : -ENOMEM;
	free(t.scratch);
	if (!err)
		*trimmed = t.done << sb->block_bits;
	return err;
}
