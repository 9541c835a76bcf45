// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * extent_plan.c: the one way in which extent trees change: some entries of a
 * leaf are replaced by others, and what follows from that for the levels
 * above.
 *
 * A plan is made from the leaf up.  Per level one of these holds:
 *  - the block is edited in place: what changes is in this block alone, or
 *    nothing on the device leads to the block yet;
 *  - the block is replaced by one or two new ones (its first key changes, or
 *    it overflows) and its parent's entry by theirs;
 *  - the block becomes empty, and its parent's entry goes.
 * So on the device exactly one block that was durable before is written, in
 * one phase, and the tree is whole before and after that write.  The root is
 * changed in memory; e2_tx_end stores it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "map.h"

#define MADE_MAX (2 * (E2_EXT_DEPTH + 1))

/* What is to be done to one level: [pos, pos+remove) becomes ins[0..count). */
struct step {
	unsigned level, pos, remove, count;
	struct e2_raw_entry ins[3];
	bool done;
};

struct edit {
	uint8_t *list;			/* all entries after the edit; NULL: no edit */
	unsigned count;
};

struct e2_plan {
	struct e2_tx *tx;
	struct e2_path *path;
	struct fuseblk_buf *made[MADE_MAX];
	unsigned made_count;
	struct fuseblk_buf *gone[E2_EXT_DEPTH + 1];	/* the path's */
	unsigned gone_count;
	struct edit edit[E2_EXT_DEPTH + 1];	/* by level; [0] unused */
	bool root_changed;
	uint8_t root[60];
};

static uint32_t list_key(const uint8_t *list, unsigned i)
{
	e2_le32 key;

	memcpy(&key, list + i * E2_EXT_SIZE, sizeof(key));
	return e2_get32(key);
}

static void pack_index(uint32_t key, uint64_t block, struct e2_raw_entry *raw)
{
	struct e2_disk_extent_index e = {
		.ei_block = e2_put32(key),
		.ei_leaf_lo = e2_put32((uint32_t)block),
		.ei_leaf_hi = e2_put16((uint16_t)(block >> 32)),
	};

	memcpy(raw, &e, sizeof(e));
}

static void pack_header(uint8_t *dst, unsigned entries, unsigned max, unsigned depth)
{
	struct e2_disk_extent_header h = {
		.eh_magic = e2_put16(E2_EXT_MAGIC),
		.eh_entries = e2_put16((uint16_t)entries),
		.eh_max = e2_put16((uint16_t)max),
		.eh_depth = e2_put16((uint16_t)depth),
	};

	memcpy(dst, &h, sizeof(h));
}

static uint8_t *new_list(const struct e2_level *lv, const struct step *s, unsigned *count)
{
	const uint8_t *old = lv->data + E2_EXT_SIZE;
	size_t head = s->pos * E2_EXT_SIZE, mid = s->count * E2_EXT_SIZE;
	size_t tail = (lv->entries - s->pos - s->remove) * E2_EXT_SIZE;
	uint8_t *list = malloc(head + mid + tail + 1);

	if (!list)
		return NULL;
	memcpy(list, old, head);
	memcpy(list + head, s->ins, mid);
	memcpy(list + head + mid, old + head + s->remove * E2_EXT_SIZE, tail);
	*count = (unsigned)((head + mid + tail) / E2_EXT_SIZE);
	return list;
}

/* A new block of depth @depth with @count entries. */
static int make_node(struct e2_plan *plan, unsigned depth, const uint8_t *list, unsigned count,
		     uint64_t *block)
{
	uint8_t header[E2_EXT_SIZE];
	struct fuseblk_buf *buf;
	unsigned max = plan->tx->ei->sb->block_size / E2_EXT_SIZE - 1;
	int r = e2_node_new(plan->tx, &buf);

	if (r)
		return r;
	pack_header(header, count, max, depth);
	fuseblk_buf_write(buf, E2_FRESH, 0, header, sizeof(header));
	fuseblk_buf_write(buf, E2_FRESH, E2_EXT_SIZE, list, count * E2_EXT_SIZE);
	plan->made[plan->made_count++] = buf;
	*block = buf->block;
	return 0;
}

/* From @s on one level to its parent's entry: replaced by what s->ins holds now. */
static void go_up(const struct e2_plan *plan, struct step *s, unsigned remove, unsigned count)
{
	s->level--;
	s->pos = (unsigned)plan->path->level[s->level].pos + !remove;
	s->remove = remove;
	s->count = count;
}

static void set_gone(struct e2_plan *plan, const struct e2_level *lv)
{
	plan->gone[plan->gone_count++] = lv->buf;
}

static void set_edit(struct e2_plan *plan, unsigned level, uint8_t *list, unsigned count)
{
	plan->edit[level] = (struct edit){ .list = list, .count = count };
}

static void set_root(struct e2_plan *plan, const uint8_t *list, unsigned count, unsigned depth)
{
	memset(plan->root, 0, sizeof(plan->root));
	pack_header(plan->root, count, E2_EXT_ROOT_MAX, count ? depth : 0);
	memcpy(plan->root + E2_EXT_SIZE, list, count * E2_EXT_SIZE);
	plan->root_changed = true;
}

static int plan_root(struct e2_plan *plan, struct step *s)
{
	struct e2_level *lv = &plan->path->level[0];
	struct e2_raw_entry index;
	unsigned count;
	uint64_t block;
	uint8_t *list;
	int r = 0;

	list = new_list(lv, s, &count);
	if (!list)
		return -ENOMEM;
	if (count <= E2_EXT_ROOT_MAX) {
		set_root(plan, list, count, lv->depth);
	} else if (lv->depth == E2_EXT_DEPTH) {
		r = -EFBIG;
	} else {
		r = make_node(plan, lv->depth, list, count, &block);
		if (!r) {
			pack_index(list_key(list, 0), block, &index);
			set_root(plan, index.b, 1, lv->depth + 1);
		}
	}
	free(list);
	s->done = true;
	return r;
}

/* The new entries fit into one block. Takes @list. */
static int plan_fits(struct e2_plan *plan, struct step *s, uint8_t *list, unsigned count)
{
	struct e2_level *lv = &plan->path->level[s->level];
	bool fresh = e2_node_phase(plan->tx, lv->buf) == E2_FRESH;
	uint32_t key = list_key(list, 0);
	bool same = key == lv->lo;
	uint64_t block = lv->buf->block;
	int r;

	if (fresh || (same && !plan->tx->copy)) {
		set_edit(plan, s->level, list, count);
		s->done = same;
	} else {
		r = make_node(plan, lv->depth, list, count, &block);
		free(list);
		if (r)
			return r;
		set_gone(plan, lv);
	}
	if (!s->done) {
		pack_index(key, block, &s->ins[0]);
		go_up(plan, s, 1, 1);
	}
	return 0;
}

/* New entries past the end of a full block: it stays as it is, they get a block of their own. */
static int plan_append(struct e2_plan *plan, struct step *s)
{
	uint32_t key = list_key(s->ins[0].b, 0);
	uint64_t block;
	int r = make_node(plan, plan->path->level[s->level].depth, s->ins[0].b, s->count, &block);

	if (r)
		return r;
	pack_index(key, block, &s->ins[0]);
	go_up(plan, s, 0, 1);
	return 0;
}

/* The new entries take two blocks, one of which may be the old one. Takes @list. */
static int plan_split(struct e2_plan *plan, struct step *s, uint8_t *list, unsigned count)
{
	struct e2_level *lv = &plan->path->level[s->level];
	unsigned half = count / 2;
	uint32_t key[2] = { list_key(list, 0), list_key(list, half) };
	uint64_t block[2] = { lv->buf->block, 0 };
	bool fresh = e2_node_phase(plan->tx, lv->buf) == E2_FRESH && half <= lv->max;
	int r = 0;

	if (!fresh)
		r = make_node(plan, lv->depth, list, half, &block[0]);
	if (!r)
		r = make_node(plan, lv->depth, list + half * E2_EXT_SIZE, count - half, &block[1]);
	if (r || !fresh)
		free(list);
	if (r)
		return r;
	if (fresh)
		set_edit(plan, s->level, list, half);
	else
		set_gone(plan, lv);
	pack_index(key[0], block[0], &s->ins[0]);
	pack_index(key[1], block[1], &s->ins[1]);
	go_up(plan, s, 1, 2);
	return 0;
}

/* The only child of the root shrinks so far that the root can hold its entries. Takes @list. */
static void plan_collapse(struct e2_plan *plan, struct step *s, uint8_t *list, unsigned count)
{
	struct e2_level *lv = &plan->path->level[s->level];

	set_root(plan, list, count, lv->depth);
	set_gone(plan, lv);
	free(list);
	s->done = true;
}

static bool can_collapse(const struct e2_plan *plan, const struct step *s, unsigned count)
{
	return s->level == 1 && plan->path->level[0].entries == 1 && count <= E2_EXT_ROOT_MAX &&
	       s->remove > s->count;
}

static int plan_block(struct e2_plan *plan, struct step *s)
{
	struct e2_level *lv = &plan->path->level[s->level];
	bool copied = plan->tx->copy && !e2_list_has(&plan->tx->own, lv->buf->block);
	unsigned count;
	uint8_t *list;

	if (s->pos == lv->entries && lv->entries == lv->max && s->count && !copied)
		return plan_append(plan, s);
	list = new_list(lv, s, &count);
	if (!list)
		return -ENOMEM;
	if (!count) {
		free(list);
		set_gone(plan, lv);
		go_up(plan, s, 1, 0);
		return 0;
	}
	if (can_collapse(plan, s, count)) {
		plan_collapse(plan, s, list, count);
		return 0;
	}
	if (count <= lv->max)
		return plan_fits(plan, s, list, count);
	return plan_split(plan, s, list, count);
}

int e2_plan_make(struct e2_tx *tx, struct e2_path *path, unsigned pos, unsigned remove,
		 const struct e2_raw_entry *ins, unsigned count, struct e2_plan **out)
{
	struct step s = { .level = path->leaf, .pos = pos, .remove = remove, .count = count };
	struct e2_plan *plan = calloc(1, sizeof(*plan));
	int r = 0;

	if (!plan)
		return -ENOMEM;
	plan->tx = tx;
	plan->path = path;
	memcpy(s.ins, ins, count * sizeof(*ins));
	if (tx->copy)
		r = e2_list_room(&tx->gone, E2_EXT_DEPTH + 1);
	while (!r && !s.done)
		r = s.level ? plan_block(plan, &s) : plan_root(plan, &s);
	if (r) {
		e2_plan_undo(plan);
		return r;
	}
	*out = plan;
	return 0;
}

static void free_plan(struct e2_plan *plan)
{
	for (unsigned i = 0; i <= E2_EXT_DEPTH; i++)
		free(plan->edit[i].list);
	free(plan);
}

void e2_plan_undo(struct e2_plan *plan)
{
	while (plan->made_count)
		e2_node_undo(plan->tx, plan->made[--plan->made_count]);
	free_plan(plan);
}

/* Write what differs of the entries, and their number. */
static void apply_edit(struct e2_tx *tx, struct e2_level *lv, const struct edit *edit)
{
	unsigned phase = e2_node_phase(tx, lv->buf);
	e2_le16 entries = e2_put16((uint16_t)edit->count);
	const uint8_t *old = lv->data + E2_EXT_SIZE;
	unsigned from = 0, to = edit->count;
	unsigned common = lv->entries < to ? lv->entries : to;

	if (tx->ei->sb->metadata_csum)
		fuseblk_buf_set_fixup(lv->buf, e2_extent_fixup, e2_tag(tx->ei));
	while (from < common &&
	       !memcmp(old + from * E2_EXT_SIZE, edit->list + from * E2_EXT_SIZE, E2_EXT_SIZE))
		from++;
	while (lv->entries == edit->count && to > from &&
	       !memcmp(old + (to - 1) * E2_EXT_SIZE, edit->list + (to - 1) * E2_EXT_SIZE, E2_EXT_SIZE))
		to--;
	if (to > from)
		fuseblk_buf_write(lv->buf, phase, (from + 1) * E2_EXT_SIZE,
				  edit->list + from * E2_EXT_SIZE, (to - from) * E2_EXT_SIZE);
	if (lv->entries != edit->count)
		fuseblk_buf_write(lv->buf, phase,
				  offsetof(struct e2_disk_extent_header, eh_entries),
				  &entries, sizeof(entries));
}

void e2_plan_apply(struct e2_plan *plan)
{
	for (unsigned i = 1; i <= plan->path->leaf; i++)
		if (plan->edit[i].list)
			apply_edit(plan->tx, &plan->path->level[i], &plan->edit[i]);
	if (plan->root_changed)
		memcpy(plan->tx->ei->i_block, plan->root, sizeof(plan->root));
	for (unsigned i = 0; i < plan->made_count; i++)
		fuseblk_buf_put(plan->made[i]);
	for (unsigned i = 0; i < plan->gone_count; i++)
		e2_node_gone(plan->tx, plan->gone[i]);
	free_plan(plan);
}
