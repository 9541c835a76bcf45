/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirplan.c: several blocks of a directory replaced at one instant.
 *
 * A plan holds images of blocks: appended ones, and new states of old ones.
 * An old block to which nothing durable leads, and in which nothing waits for
 * a later phase, is changed in place; any other is copied to a new device
 * block.  e2_dirplan_commit() fills the new blocks (fresh, so phase 0), switches
 * the map to them, and only then touches what is changed in place: until the
 * switch has succeeded nothing has changed.  Entries carried over keep what
 * each image of the epoch shows in them: the new block begins with what ADD
 * shows, and the switches and removals that were pending are made again.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dir.h"

#define DOTDOT_OFF 12u
#define BLOCKS_MAX 0x0fffffffu

void e2_dirplan_init(struct e2_dirplan *plan, struct e2_inode *dir)
{
	*plan = (struct e2_dirplan){ .dir = dir, .blocks = e2_dir_blocks(dir) };
	plan->dotdot.target = E2_DIRPLAN_MAX;
}

void e2_dirplan_fini(struct e2_dirplan *plan)
{
	for (unsigned i = 0; i < plan->count; i++) {
		if (!plan->block[i].in_place)
			fuseblk_buf_put(plan->block[i].buf);
		free(plan->block[i].image);
	}
	free(plan->items);
	plan->items = NULL;
	plan->count = 0;
}

static int add_block(struct e2_dirplan *plan, uint64_t lblk, bool index)
{
	struct e2_dirplan_block *b = &plan->block[plan->count];

	if (plan->count == E2_DIRPLAN_MAX)
		return -ENOMEM;
	*b = (struct e2_dirplan_block){ .lblk = lblk, .index = index };
	b->image = calloc(1, plan->dir->sb->block_size);
	if (!b->image)
		return -ENOMEM;
	return (int)plan->count++;
}

int e2_dirplan_append(struct e2_dirplan *plan, bool index)
{
	int n = add_block(plan, plan->blocks, index);

	if (n >= 0)
		plan->blocks++;
	return n;
}

int e2_dirplan_change(struct e2_dirplan *plan, uint64_t lblk, struct fuseblk_buf *old, bool index)
{
	struct e2_dirplan_block *b;
	int n;

	for (unsigned i = 0; i < plan->count; i++)
		if (plan->block[i].lblk == lblk)
			return (int)i;
	n = add_block(plan, lblk, index);
	if (n < 0)
		return n;
	b = &plan->block[n];
	memcpy(b->image, old->data, plan->dir->sb->block_size);
	/* what waits for a later phase in an index block is ".." of the root: its bytes are left alone */
	if (index && lblk == 0 && e2_dir_is_indexed(plan->dir))
		b->from = DOTDOT_OFF + E2_DENT_MIN;
	b->in_place = fuseblk_buf_is_fresh(old) && (b->from || !fuseblk_buf_has_later(old));
	if (b->in_place)
		b->buf = old;
	return n;
}

/* ---- entries carried over ------------------------------------------------------ */

static int collect(struct e2_dirplan *plan, struct fuseblk_buf *buf, const uint8_t *early,
		   const struct e2_dent *d, uint64_t lblk, struct e2_item *item)
{
	struct e2_super *sb = plan->dir->sb;
	struct e2_dent was = *d;

	*item = (struct e2_item){ .name = d->name, .old_off = d->off, .name_len = d->name_len,
				  .type = d->type, .ino = d->ino };
	if (early && e2_held_get(sb, buf->block, d->off, &item->past))
		return d->ino || item->past.ino[E2_AT_ADD] || item->past.ino[E2_AT_SWITCH];
	if (!d->ino && (!early || !e2_early_entry(plan->dir, early, lblk, d->off, &was)))
		return 0;
	item->past = (struct e2_past){ { was.ino, was.ino }, { was.type, was.type } };
	return was.ino != 0;
}

static int by_hash(const void *a, const void *b)
{
	const struct e2_item *x = a, *y = b;

	if (x->hash != y->hash)
		return x->hash < y->hash ? -1 : 1;
	return x->old_off < y->old_off ? -1 : 1;
}

int e2_dirplan_collect(struct e2_dirplan *plan, struct fuseblk_buf *buf, uint64_t lblk,
		       uint32_t from, unsigned version)
{
	struct e2_super *sb = plan->dir->sb;
	struct e2_item *item;
	uint8_t *early;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	plan->source = buf;
	plan->items = calloc(sb->block_size / E2_DENT_MIN + 2, sizeof(*plan->items));
	if (!plan->items)
		return -ENOMEM;
	err = e2_early_image(plan->dir, buf, &early);
	if (err)
		return err;
	e2_walk_init(&w, plan->dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		item = &plan->items[plan->item_count];
		if (d.off < from || !d.name_len || !collect(plan, buf, early, &d, lblk, item))
			continue;
		if (e2_name_hash(sb, version, d.name, d.name_len, &item->hash)) {
			err = -EINVAL;
			break;
		}
		plan->item_count++;
	}
	free(early);
	qsort(plan->items, plan->item_count, sizeof(*plan->items), by_hash);
	return err;
}

void e2_dirplan_fill(struct e2_dirplan *plan, unsigned target, unsigned first, unsigned n)
{
	const struct e2_super *sb = plan->dir->sb;
	uint8_t *image = plan->block[target].image;
	uint32_t off = 0, rec_len;

	e2_leaf_init(sb, image);
	for (unsigned i = first; i < first + n; i++) {
		struct e2_item *item = &plan->items[i];

		rec_len = i + 1 < first + n ? e2_dent_size(item->name_len) : e2_leaf_end(sb) - off;
		e2_dent_put(sb, image, off, rec_len, item->past.ino[E2_AT_ADD],
			    item->past.type[E2_AT_ADD], item->name, item->name_len);
		item->target = target;
		item->new_off = off;
		off += rec_len;
	}
}

int e2_dirplan_dotdot(struct e2_dirplan *plan, unsigned target, struct fuseblk_buf *old)
{
	const struct e2_super *sb = plan->dir->sb;
	struct e2_disk_dirent raw;
	struct e2_item *item = &plan->dotdot;
	struct e2_dent d = { .off = DOTDOT_OFF };
	int err;

	if (plan->block[target].in_place)
		return 0;
	memcpy(&raw, old->data + DOTDOT_OFF, sizeof(raw));
	d.ino = e2_get32(raw.inode);
	d.type = e2_has_incompat(sb, E2_IN_FILETYPE) ? raw.file_type : 0;
	*item = (struct e2_item){ .old_off = DOTDOT_OFF, .new_off = DOTDOT_OFF, .ino = d.ino,
				  .type = d.type, .target = E2_DIRPLAN_MAX };
	err = e2_slot_past(plan->dir, old, &d, &item->past);
	if (err)
		return err;
	raw.inode = e2_put32(item->past.ino[E2_AT_ADD]);
	memcpy(plan->block[target].image + DOTDOT_OFF, &raw.inode, sizeof(raw.inode));
	item->target = target;
	plan->dotdot_source = old;
	return 0;
}

/* ---- putting it in place ---------------------------------------------------------- */

/* Make again what was pending for an entry that moved to a new block. */
static void carry(struct e2_dirplan *plan, const struct e2_item *item, struct fuseblk_buf *source)
{
	const struct e2_dirplan_block *b = &plan->block[item->target];
	const struct e2_past *past = &item->past;
	uint32_t now = past->ino[E2_AT_SWITCH];

	if (past->ino[E2_AT_ADD] != now)
		e2_slot_write(plan->dir, b->buf, b->lblk, item->new_off, E2_SWITCH, now,
			      past->type[E2_AT_SWITCH]);
	if (item->ino != now)
		e2_slot_write(plan->dir, b->buf, b->lblk, item->new_off,
			      item->ino ? E2_SWITCH : E2_REMOVE, item->ino, item->type);
	e2_held_move(plan->dir->sb, source->block, item->old_off, b->pblk, item->new_off);
}

static uint32_t used_bytes(const uint8_t *image, uint32_t size)
{
	while (size && !image[size - 1])
		size--;
	return size;
}

static void write_image(struct e2_dirplan *plan, struct e2_dirplan_block *b)
{
	struct e2_super *sb = plan->dir->sb;
	uint32_t len = b->in_place ? sb->block_size : used_bytes(b->image, sb->block_size);
	uint32_t from = b->in_place ? b->from : 0;

	fuseblk_buf_write(b->buf, E2_FRESH, from, b->image + from, len - from);
	if (!sb->metadata_csum)
		return;
	fuseblk_buf_set_fixup(b->buf, b->index ? e2_dx_fixup : e2_dir_fixup, e2_tag(plan->dir));
	atomic_store(&b->buf->marks, b->index ? E2_MARK_DX : E2_MARK_DIR);
}

static uint64_t goal_of(const struct e2_dirplan *plan)
{
	for (unsigned i = 0; i < plan->count; i++)
		if (plan->block[i].pblk)
			return plan->block[i].pblk + 1;
	return plan->source ? plan->source->block : plan->dir->alloc_goal;
}

/* New blocks, filled.  On failure some may be there: give_back(). */
static int make_blocks(struct e2_dirplan *plan, bool reserve)
{
	struct e2_super *sb = plan->dir->sb;
	uint64_t goal = goal_of(plan);
	int err;

	for (unsigned i = 0; i < plan->count; i++) {
		struct e2_dirplan_block *b = &plan->block[i];
		uint32_t one = 1;

		if (b->in_place)
			continue;
		err = e2_blocks_alloc(sb, goal, &one, reserve, &b->pblk);
		if (err)
			return err;
		err = fuseblk_buf_new(sb->vol, b->pblk, &b->buf);
		if (err)
			return err;
		write_image(plan, b);
		goal = b->pblk + 1;
	}
	return 0;
}

/*
 * Blocks with a buffer are dirty in the cache and must not become file data
 * in this epoch, so those are freed in the usual, deferred way.
 */
static void give_back(struct e2_dirplan *plan)
{
	struct e2_super *sb = plan->dir->sb;

	for (unsigned i = 0; i < plan->count; i++) {
		struct e2_dirplan_block *b = &plan->block[i];

		if (!b->pblk)
			continue;
		if (b->buf) {
			e2_blocks_free(sb, b->pblk, 1);
			fuseblk_buf_forget(sb->vol, b->pblk);
		} else {
			e2_blocks_unalloc(sb, b->pblk, 1);
		}
		b->pblk = 0;
	}
}

static int switch_map(struct e2_dirplan *plan)
{
	struct e2_remap remap[E2_DIRPLAN_MAX];
	struct e2_inode *dir = plan->dir;
	unsigned n = 0;

	for (unsigned i = 0; i < plan->count; i++)
		if (plan->block[i].pblk)
			remap[n++] = (struct e2_remap){ plan->block[i].lblk, plan->block[i].pblk };
	return n ? e2_map_switch(dir, remap, n, plan->blocks << dir->sb->block_bits) : 0;
}

/* Index entries have 28 bits for a block; without large_dir the size has 31. */
static bool is_too_large(const struct e2_dirplan *plan)
{
	const struct e2_super *sb = plan->dir->sb;
	uint64_t size = plan->blocks << sb->block_bits;

	return plan->blocks > BLOCKS_MAX ||
	       (size > INT32_MAX && !e2_has_incompat(sb, E2_IN_LARGEDIR));
}

int e2_dirplan_commit(struct e2_dirplan *plan, bool reserve)
{
	int err = is_too_large(plan) ? -ENOSPC : make_blocks(plan, reserve);

	if (!err)
		err = switch_map(plan);
	if (err) {
		give_back(plan);
		return err;
	}
	for (unsigned i = 0; i < plan->count; i++)
		if (plan->block[i].in_place)
			write_image(plan, &plan->block[i]);
	for (unsigned i = 0; i < plan->item_count; i++)
		if (!plan->block[plan->items[i].target].in_place)
			carry(plan, &plan->items[i], plan->source);
	if (plan->dotdot.target < E2_DIRPLAN_MAX)
		carry(plan, &plan->dotdot, plan->dotdot_source);
	return 0;
}
