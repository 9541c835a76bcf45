// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * indirect_change.c: changing the map of files without extents.
 *
 * Missing indirect blocks are made as a chain that is complete before the
 * one existing block (or the inode) gets a pointer to it; an indirect block
 * that would become empty is not touched, the pointer to it goes.  So each
 * step writes one durable block.
 */
#include <errno.h>
#include <string.h>
#include "map.h"

struct ind_path {
	unsigned slot[4], levels;	/* levels: slots in use */
	unsigned found;			/* buffers in buf: 1..found */
	struct fuseblk_buf *buf[4];	/* buf[l] holds slot[l]; [0] unused: the inode */
};

static unsigned per_block(const struct e2_super *sb)
{
	return sb->block_size / 4;
}

static const uint8_t *array_of(const struct e2_inode *ei, const struct ind_path *path, unsigned l)
{
	return l ? path->buf[l]->data : ei->i_block;
}

static unsigned array_len(const struct e2_inode *ei, unsigned l)
{
	return l ? per_block(ei->sb) : E2_N_BLOCKS;
}

static uint32_t pointer(const struct e2_inode *ei, const struct ind_path *path, unsigned l, unsigned i)
{
	e2_le32 p;

	memcpy(&p, array_of(ei, path, l) + i * sizeof(p), sizeof(p));
	return e2_get32(p);
}

/* Store @count pointers at slot @i of level @l: @first, @first + 1, ..; zeros if @first is 0. */
static void set_pointers(struct e2_tx *tx, struct ind_path *path, unsigned l, unsigned i,
			 unsigned count, uint32_t first)
{
	e2_le32 some[64];
	unsigned n;

	for (; count; i += n, count -= n) {
		n = count < 64 ? count : 64;
		for (unsigned k = 0; k < n; k++)
			some[k] = e2_put32(first ? first + k : 0);
		if (l)
			fuseblk_buf_write(path->buf[l], e2_node_phase(tx, path->buf[l]),
					  i * sizeof(*some), some, n * sizeof(*some));
		else
			memcpy(tx->ei->i_block + i * sizeof(*some), some, n * sizeof(*some));
		first += first ? n : 0;
	}
}

static void path_put(struct ind_path *path)
{
	for (unsigned l = 1; l <= path->found; l++)
		fuseblk_buf_put(path->buf[l]);
	path->found = 0;
}

/* Get the indirect blocks on the way to @lblk, as many as there are. */
static int path_find(struct e2_inode *ei, uint64_t lblk, struct ind_path *path)
{
	int r = 0;

	*path = (struct ind_path){ .found = 0 };
	path->levels = e2_ind_slots(ei->sb, lblk, path->slot);
	while (!r && path->found + 1 < path->levels) {
		uint32_t p = pointer(ei, path, path->found, path->slot[path->found]);

		if (!p)
			return 0;
		r = e2_ind_child(ei, p, &path->buf[path->found + 1]);
		if (!r)
			path->found++;
	}
	if (r)
		path_put(path);
	return r;
}

/* Make the missing levels below path->found, down to and without the pointer to the first of them. */
static int make_chain(struct e2_tx *tx, struct ind_path *path)
{
	unsigned had = path->found;
	e2_le32 p;
	int r = 0;

	while (!r && path->found + 1 < path->levels) {
		r = e2_node_new(tx, &path->buf[path->found + 1]);
		if (!r)
			path->found++;
	}
	while (r && path->found > had)
		e2_node_undo(tx, path->buf[path->found--]);
	for (unsigned l = had + 1; !r && l < path->found; l++) {
		p = e2_put32((uint32_t)path->buf[l + 1]->block);
		fuseblk_buf_write(path->buf[l], E2_FRESH, path->slot[l] * sizeof(p), &p, sizeof(p));
	}
	return r;
}

int e2_ind_insert(struct e2_tx *tx, const struct e2_run *run)
{
	struct ind_path path;
	unsigned had;
	int r = path_find(tx->ei, run->lblk, &path);

	if (r)
		return r;
	had = path.found;
	r = make_chain(tx, &path);
	if (r)
		goto out;
	set_pointers(tx, &path, path.levels - 1, path.slot[path.levels - 1], (unsigned)run->len,
		     (uint32_t)run->pblk);
	if (had < path.found)
		set_pointers(tx, &path, had, path.slot[had], 1, (uint32_t)path.buf[had + 1]->block);
out:
	path_put(&path);
	return r;
}

/* For e2_map_switch: level @l of the path becomes a block of this change, copied if need be. */
static int own_level(struct e2_tx *tx, struct ind_path *path, unsigned l)
{
	struct fuseblk_buf *copy, *old = path->buf[l];
	int r;

	if (e2_list_has(&tx->own, old->block))
		return 0;
	r = e2_list_room(&tx->gone, 1);
	if (!r)
		r = e2_node_new(tx, &copy);
	if (r)
		return r;
	fuseblk_buf_write(copy, E2_FRESH, 0, old->data, tx->ei->sb->block_size);
	e2_node_gone(tx, old);
	fuseblk_buf_put(old);
	path->buf[l] = copy;
	set_pointers(tx, path, l - 1, path->slot[l - 1], 1, (uint32_t)copy->block);
	return 0;
}

/* The data block at the end of the path, if all of the path is there; else 0. */
static int end_of_path(struct e2_inode *ei, const struct ind_path *path, uint64_t *pblk)
{
	unsigned last = path->levels - 1;
	uint32_t p = path->found == last ? pointer(ei, path, last, path->slot[last]) : 0;

	if (p && !e2_block_is_data(ei->sb, p, 1))
		return e2_corrupt(ei->sb, ei->ino, "data block %u lies outside the data area", p);
	*pblk = p;
	return 0;
}

int e2_ind_set(struct e2_tx *tx, uint64_t lblk, uint64_t pblk, uint64_t *old)
{
	struct ind_path path;
	unsigned had, last;
	int r = path_find(tx->ei, lblk, &path);

	if (r)
		return r;
	had = path.found;
	last = path.levels - 1;
	r = end_of_path(tx->ei, &path, old);
	for (unsigned l = 1; l <= had && !r; l++)
		r = own_level(tx, &path, l);
	if (!r)
		r = make_chain(tx, &path);
	if (!r && had < path.found)
		set_pointers(tx, &path, had, path.slot[had], 1, (uint32_t)path.buf[had + 1]->block);
	if (!r)
		set_pointers(tx, &path, last, path.slot[last], 1, (uint32_t)pblk);
	path_put(&path);
	return r;
}

/* Are all slots of level @l outside [from, to) zero? */
static bool rest_is_zero(const struct e2_inode *ei, const struct ind_path *path, unsigned l,
			 unsigned from, unsigned to)
{
	for (unsigned i = 0; i < array_len(ei, l); i++)
		if ((i < from || i >= to) && pointer(ei, path, l, i))
			return false;
	return true;
}

static int check_pointers(struct e2_inode *ei, const struct ind_path *path, unsigned l, unsigned from,
			  unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		uint32_t p = pointer(ei, path, l, i);

		if (p && !e2_block_is_data(ei->sb, p, 1))
			return e2_corrupt(ei->sb, ei->ino, "data block %u lies outside the data area", p);
	}
	return 0;
}

/* Give back the data blocks of slots [from, to), in runs. */
static int free_pointers(struct e2_tx *tx, const struct ind_path *path, unsigned l, unsigned from,
			 unsigned to)
{
	unsigned n;
	int r = 0, err = 0;

	for (unsigned i = from; i < to; i += n) {
		uint32_t p = pointer(tx->ei, path, l, i);

		n = 1;
		if (!p)
			continue;
		while (i + n < to && pointer(tx->ei, path, l, i + n) == p + n)
			n++;
		r = e2_data_gone(tx, p, n);
		err = r ? r : err;
	}
	return err;
}

/* Slots [from, to) of the path's leaf array go, with the indirect blocks that this leaves empty. */
static int remove_slots(struct e2_tx *tx, struct ind_path *path, unsigned from, unsigned to)
{
	unsigned l = path->levels - 1;
	int err = check_pointers(tx->ei, path, l, from, to);

	if (err)
		return err;
	err = free_pointers(tx, path, l, from, to);
	while (l && rest_is_zero(tx->ei, path, l, from, to)) {
		e2_node_gone(tx, path->buf[l]);
		l--;
		from = path->slot[l];
		to = from + 1;
	}
	while (from < to && !pointer(tx->ei, path, l, from))
		from++;
	while (from < to && !pointer(tx->ei, path, l, to - 1))
		to--;
	set_pointers(tx, path, l, from, to - from, 0);
	return err;
}

/* The first block of the leaf array, or of the missing subtree, that holds @lblk. */
static uint64_t part_start(const struct e2_inode *ei, const struct ind_path *path, uint64_t lblk)
{
	uint64_t in_part = 0;

	for (unsigned l = path->found + (path->found + 1 < path->levels); l < path->levels; l++)
		in_part = in_part * per_block(ei->sb) + path->slot[l];
	return lblk - in_part;
}

int e2_ind_remove_step(struct e2_tx *tx, uint64_t first, uint64_t *end)
{
	struct ind_path path;
	uint64_t limit = e2_ind_blocks(tx->ei->sb), start;
	unsigned last;
	int r;

	if (*end > limit)
		*end = limit > first ? limit : first;
	if (*end == first)
		return 0;
	r = path_find(tx->ei, *end - 1, &path);
	if (r)
		return r;
	start = part_start(tx->ei, &path, *end - 1);
	if (start < first)
		start = first;
	if (path.found + 1 == path.levels) {
		last = path.slot[path.levels - 1];
		r = remove_slots(tx, &path, last - (unsigned)(*end - 1 - start), last + 1);
	}
	path_put(&path);
	if (!r)
		*end = start;
	return r;
}
