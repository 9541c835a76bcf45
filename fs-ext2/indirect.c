// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * indirect.c: reading the map of files without extents: twelve pointers in
 * the inode, then trees of indirect blocks of one, two and three levels.
 *
 * A pointer has no check of its own, so each is looked at before use: it must
 * lead to a block that can hold data.  Walks go down at most three blocks.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

static unsigned per_bits(const struct e2_super *sb)
{
	return sb->block_bits - 2;
}

uint64_t e2_ind_blocks(const struct e2_super *sb)
{
	unsigned b = per_bits(sb);
	uint64_t all = E2_NDIR_BLOCKS + (1ull << b) + (1ull << 2 * b) + (1ull << 3 * b);

	return all < E2_EXT_END ? all : E2_EXT_END;
}

unsigned e2_ind_slots(const struct e2_super *sb, uint64_t lblk, unsigned slot[4])
{
	unsigned b = per_bits(sb), mask = (1u << b) - 1;

	if (lblk < E2_NDIR_BLOCKS) {
		slot[0] = (unsigned)lblk;
		return 1;
	}
	lblk -= E2_NDIR_BLOCKS;
	for (unsigned levels = 1; levels <= 3; levels++) {
		if (lblk >> levels * b == 0) {
			slot[0] = E2_NDIR_BLOCKS + levels - 1;
			for (unsigned i = 1; i <= levels; i++)
				slot[i] = (unsigned)(lblk >> (levels - i) * b) & mask;
			return levels + 1;
		}
		lblk -= 1ull << levels * b;
	}
	return 0;
}

static uint32_t pointer_at(const uint8_t *array, unsigned i)
{
	e2_le32 p;

	memcpy(&p, array + i * sizeof(p), sizeof(p));
	return e2_get32(p);
}

int e2_ind_child(struct e2_inode *ei, uint32_t pointer, struct fuseblk_buf **out)
{
	if (!e2_block_is_data(ei->sb, pointer, 1))
		return e2_corrupt(ei->sb, ei->ino, "indirect block %u lies outside the data area", pointer);
	return fuseblk_buf_get(ei->sb->vol, pointer, out);
}

/* How far the slots i.. of @array go on as slot @i begins. */
static unsigned run_after(const uint8_t *array, unsigned i, unsigned count)
{
	uint32_t p = pointer_at(array, i);
	unsigned n = 1;

	while (i + n < count && pointer_at(array, i + n) == (p ? p + n : 0))
		n++;
	return n;
}

static unsigned run_before(const uint8_t *array, unsigned i)
{
	uint32_t p = pointer_at(array, i);
	unsigned n = 0;

	while (n < i && (!p || p > n) && pointer_at(array, i - n - 1) == (p ? p - n - 1 : 0))
		n++;
	return n;
}

/* The run around slot @i of a leaf array. */
static int leaf_run(struct e2_inode *ei, const uint8_t *array, unsigned i, unsigned count,
		    uint64_t lblk, struct e2_run *run)
{
	unsigned before = run_before(array, i);
	uint32_t p = pointer_at(array, i);
	struct e2_run found = {
		.lblk = lblk - before,
		.len = before + run_after(array, i, count),
		.pblk = p ? p - before : 0,
	};

	if (p && !e2_block_is_data(ei->sb, found.pblk, found.len))
		return e2_corrupt(ei->sb, ei->ino, "block %llu of the file, at %u, lies outside the data area",
				  (unsigned long long)lblk, p);
	*run = found;
	return 0;
}

int e2_ind_find(struct e2_inode *ei, uint64_t lblk, struct e2_run *run)
{
	unsigned slot[4], n = e2_ind_slots(ei->sb, lblk, slot), b = per_bits(ei->sb);
	struct fuseblk_buf *buf = NULL, *child;
	const uint8_t *array = ei->i_block;
	uint64_t span;
	int r = 0;

	for (unsigned l = 0; l + 1 < n && !r; l++) {
		uint32_t p = pointer_at(array, slot[l]);

		if (!p) {
			span = 1ull << (n - 1 - l) * b;
			*run = (struct e2_run){ .len = span };
			run->lblk = lblk - ((lblk - E2_NDIR_BLOCKS - (n > 2 ? 1ull << b : 0) -
					     (n > 3 ? 1ull << 2 * b : 0)) & (span - 1));
			goto out;
		}
		r = e2_ind_child(ei, p, &child);
		if (r)
			goto out;
		fuseblk_buf_put(buf);
		buf = child;
		array = buf->data;
	}
	r = leaf_run(ei, array, slot[n - 1], n == 1 ? E2_NDIR_BLOCKS : 1u << b, lblk, run);
out:
	fuseblk_buf_put(buf);
	return r;
}

int e2_ind_room(struct e2_inode *ei, uint64_t lblk, uint64_t *room, unsigned *lacking)
{
	unsigned slot[4], n = e2_ind_slots(ei->sb, lblk, slot), l;
	struct fuseblk_buf *buf = NULL, *child;
	const uint8_t *array = ei->i_block;
	int r = 0;

	for (l = 0; l + 1 < n && pointer_at(array, slot[l]); l++) {
		r = e2_ind_child(ei, pointer_at(array, slot[l]), &child);
		if (r)
			goto out;
		fuseblk_buf_put(buf);
		buf = child;
		array = buf->data;
	}
	*room = (n == 1 ? E2_NDIR_BLOCKS : 1u << per_bits(ei->sb)) - slot[n - 1];
	*lacking = n - 1 - l;
out:
	fuseblk_buf_put(buf);
	return r;
}
