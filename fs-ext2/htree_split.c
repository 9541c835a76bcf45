/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * htree_split.c: a full leaf of a hash tree becomes two, and the index above
 * it takes the new one, splitting in turn where it is full.
 *
 * Everything is worked out in images (dirplan.c) and switched at one
 * instant.  A leaf is cut in the middle by bytes, in the order of hashes; the
 * name that is wanted counts as if it were there already, so that it fits
 * afterwards.  A leaf that is full only of fragments is packed, not split.
 */
#include <errno.h>
#include <string.h>
#include "dir.h"

/* ---- where to cut ------------------------------------------------------------- */

/* The items of a plan with the wanted name among them, at place @at. */
struct row {
	const struct e2_dirplan *plan;
	unsigned at;
	uint32_t hash, need;
};

static uint32_t row_size(const struct row *row, unsigned i)
{
	if (i == row->at)
		return row->need;
	return e2_dent_size(row->plan->items[i - (i > row->at)].name_len);
}

static uint32_t row_hash(const struct row *row, unsigned i)
{
	return i == row->at ? row->hash : row->plan->items[i - (i > row->at)].hash;
}

void e2_dx_cut(const struct e2_dirplan *plan, uint32_t hash, uint32_t need, struct e2_cut *cut)
{
	struct row row = { plan, 0, hash, need };
	unsigned n = plan->item_count + 1, k = 0;
	uint32_t total = 0, lower = 0;

	while (row.at < plan->item_count && plan->items[row.at].hash <= hash)
		row.at++;
	for (unsigned i = 0; i < n; i++)
		total += row_size(&row, i);
	*cut = (struct e2_cut){ .lower = plan->item_count };
	if (n < 2 || total <= e2_leaf_end(plan->dir->sb) / 2)
		return;
	do {
		lower += row_size(&row, k++);
	} while (k < n - 1 && lower < total / 2);
	cut->two = true;
	cut->lower = k - (row.at < k);
	cut->hash = row_hash(&row, k);
	if (row_hash(&row, k - 1) == cut->hash)
		cut->hash |= 1;
}

/* ---- the index ------------------------------------------------------------------ */

static void put16(uint8_t *at, unsigned v)
{
	e2_le16 raw = e2_put16((uint16_t)v);

	memcpy(at, &raw, sizeof(raw));
}

static void put32(uint8_t *at, uint32_t v)
{
	e2_le32 raw = e2_put32(v);

	memcpy(at, &raw, sizeof(raw));
}

/* A node with entries [first, first + n) of @from. */
static void make_node(const struct e2_super *sb, uint8_t *image, const uint8_t *from, uint32_t base,
		      unsigned first, unsigned n)
{
	e2_le16 rec_len = e2_rec_len_put(sb, sb->block_size);

	memset(image, 0, sb->block_size);
	memcpy(image + 4, &rec_len, sizeof(rec_len));
	memcpy(image + E2_DX_NODE, from + base + 8 * first, 8 * (size_t)n);
	put16(image + E2_DX_NODE, e2_dx_limit(sb, false));
	put16(image + E2_DX_NODE + 2, n);
}

/* Make entry @at (> 0) of @count entries. */
static void insert(uint8_t *image, uint32_t base, unsigned count, unsigned at,
		   uint32_t hash, uint64_t lblk)
{
	uint8_t *entry = image + base + 8 * at;

	memmove(entry + 8, entry, 8 * (size_t)(count - at));
	put32(entry, hash);
	put32(entry + 4, (uint32_t)lblk);
	put16(image + base + 2, count + 1);
}

/* Move the root's entries to a new node, one level more. */
static int grow_root(struct e2_dirplan *plan, const struct e2_dx *dx, uint8_t *root,
		     uint32_t hash, uint64_t lblk)
{
	const struct e2_super *sb = plan->dir->sb;
	const struct e2_dx_frame *f = &dx->frame[0];
	int n;

	if (dx->levels >= e2_dx_max_levels(sb))
		return -ENOSPC;
	n = e2_dirplan_append(plan, true);
	if (n < 0)
		return n;
	make_node(sb, plan->block[n].image, root, f->base, 0, f->count);
	insert(plan->block[n].image, E2_DX_NODE, f->count, f->at + 1, hash, lblk);
	memset(root + E2_DX_ROOT + 8, 0, 8 * (size_t)(f->count - 1));
	put16(root + E2_DX_ROOT + 2, 1);
	put32(root + E2_DX_ROOT + 4, (uint32_t)plan->block[n].lblk);
	root[E2_DX_INFO + offsetof(struct e2_dx_info, levels)]++;
	return 0;
}

/* Cut a full node in two and add the entry; *@hash and *@lblk become the new node's, for the level above. */
static int split_node(struct e2_dirplan *plan, const struct e2_dx_frame *f, uint8_t *lower,
		      uint32_t *hash, uint64_t *lblk)
{
	unsigned keep = f->count / 2, at = f->at + 1;
	uint32_t boundary = e2_dx_hash(lower, f->base, keep);
	int n = e2_dirplan_append(plan, true);
	uint8_t *upper;

	if (n < 0)
		return n;
	upper = plan->block[n].image;
	make_node(plan->dir->sb, upper, lower, f->base, keep, f->count - keep);
	memset(lower + f->base + 8 * keep, 0, 8 * (size_t)(f->count - keep));
	put16(lower + f->base + 2, keep);
	if (at <= keep)
		insert(lower, f->base, keep, at, *hash, *lblk);
	else
		insert(upper, E2_DX_NODE, f->count - keep, at - keep, *hash, *lblk);
	*hash = boundary;
	*lblk = plan->block[n].lblk;
	return 0;
}

static int index_add(struct e2_dirplan *plan, const struct e2_dx *dx, uint32_t hash, uint64_t lblk)
{
	int n, err;

	for (unsigned level = dx->levels; ; level--) {
		const struct e2_dx_frame *f = &dx->frame[level];
		uint8_t *image;

		n = e2_dirplan_change(plan, f->lblk, f->buf, true);
		if (n < 0)
			return n;
		err = level ? 0 : e2_dirplan_dotdot(plan, (unsigned)n, f->buf);
		if (err)
			return err;
		image = plan->block[n].image;
		if (f->count < f->limit) {
			insert(image, f->base, f->count, f->at + 1, hash, lblk);
			return 0;
		}
		if (!level)
			return grow_root(plan, dx, image, hash, lblk);
		err = split_node(plan, f, image, &hash, &lblk);
		if (err)
			return err;
	}
}

/* ---- the leaf ---------------------------------------------------------------------- */

static int plan_split(struct e2_dirplan *plan, struct e2_dx *dx, struct fuseblk_buf *buf,
		      uint32_t hash, uint32_t need)
{
	uint64_t lblk = e2_dx_leaf(dx);
	struct e2_cut cut;
	int lower, upper, err;

	lower = e2_dirplan_change(plan, lblk, buf, false);
	if (lower < 0)
		return lower;
	err = e2_dirplan_collect(plan, buf, lblk, 0, dx->version);
	if (err)
		return err;
	e2_dx_cut(plan, hash, need, &cut);
	e2_dirplan_fill(plan, (unsigned)lower, 0, cut.lower);
	if (!cut.two)
		return 0;
	upper = e2_dirplan_append(plan, false);
	if (upper < 0)
		return upper;
	e2_dirplan_fill(plan, (unsigned)upper, cut.lower, plan->item_count - cut.lower);
	return index_add(plan, dx, cut.hash, plan->block[upper].lblk);
}

int e2_dx_split(struct e2_inode *dir, struct e2_dx *dx, uint32_t hash, uint32_t need, bool reserve)
{
	struct fuseblk_buf *buf;
	struct e2_dirplan plan;
	int err = e2_dirblock_get(dir, e2_dx_leaf(dx), false, &buf);

	if (err)
		return err;
	e2_dirplan_init(&plan, dir);
	err = plan_split(&plan, dx, buf, hash, need);
	if (!err)
		err = e2_dirplan_commit(&plan, reserve);
	e2_dirplan_fini(&plan);
	fuseblk_buf_put(buf);
	return err;
}
