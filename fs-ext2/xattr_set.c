// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_set.c: set or remove one attribute: where it goes (inside the inode,
 * in the block, its value in an inode of its own), and the order in which the
 * pieces reach the device.  Readers take what is inside the inode before what is
 * in the block, so while an attribute moves its old or its new value is seen,
 * never none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xattr.h"

struct plan {
	struct e2_inode *ei;
	struct e2_xattr_ibody ib;
	struct e2_xattr_block bl;
	struct e2_xattr_item item;	/* as it shall be */
	bool remove;
	bool in_ib, in_bl;		/* the attribute is there now */
	struct e2_xattr_item old_ib, old_bl;
	uint8_t *new_ib, *new_bl;	/* built images, where to be written */
	bool write_ib, write_bl, to_block;
	struct fuseblk_node *value_node;	/* of a new value */
};

unsigned e2_xattr_phase(struct e2_inode *ei, unsigned phase)
{
	uint64_t epoch = fuseblk_epoch(ei->sb->vol);

	if (phase != E2_FRESH)
		phase = e2_map_phase(ei, phase);
	if (ei->xattr_epoch == epoch && ei->xattr_phase > phase)
		phase = ei->xattr_phase;
	ei->xattr_epoch = epoch;
	ei->xattr_phase = (uint8_t)phase;
	return phase;
}

static int build_ib(struct plan *p, bool remove)
{
	int err;

	if (!p->ib.off)
		return -ENOSPC;
	err = e2_xattr_rebuild(&p->ib.area, &p->item, remove, p->new_ib);
	p->write_ib = !err;
	return err;
}

static int build_bl(struct plan *p, bool remove)
{
	int err;

	if (p->bl.buf)
		memcpy(p->new_bl, p->bl.area.bytes, E2_XATTR_HEADER_SIZE);
	else
		e2_xattr_header_init(p->new_bl);
	err = e2_xattr_rebuild(&p->bl.area, &p->item, remove, p->new_bl);
	p->write_bl = !err;
	if (!err)
		e2_xattr_header_set_hash(p->new_bl, p->ei->sb->block_size);
	return err;
}

/* Take the attribute out of the place it is not to be in any more. */
static int build_removals(struct plan *p, bool ib, bool bl)
{
	int err = 0;

	if (ib && p->in_ib)
		err = build_ib(p, true);
	if (!err && bl && p->in_bl)
		err = build_bl(p, true);
	return err;
}

static int place(struct plan *p)
{
	int err;

	p->write_ib = p->write_bl = p->to_block = false;
	if (p->remove)
		return build_removals(p, true, true);
	err = build_ib(p, false);
	if (!err)
		return build_removals(p, false, true);
	if (p->item.index == E2_XATTR_SYSTEM)
		return err;	/* data of the inode: only inside it */
	err = build_bl(p, false);
	p->to_block = !err;
	return err ? err : build_removals(p, true, false);
}

/* Values of this size and more may be put in an inode of their own; larger ones than this are, first of all. */
static bool is_large(const struct e2_super *sb, uint32_t size)
{
	return e2_has_incompat(sb, E2_IN_EA_INODE) && size > sb->block_size / 2;
}

/* Place with the value in an inode: found possible with a number made up, then made. */
static int place_in_inode(struct plan *p)
{
	const uint8_t *value = p->item.value;
	int err;

	p->item.inum = 1;
	err = place(p);
	if (err)
		return err;
	err = e2_xattr_inode_create(p->ei, value, p->item.size, &p->item, &p->value_node);
	return err ? err : place(p);
}

static int decide(struct plan *p)
{
	int err;

	if (p->remove || !is_large(p->ei->sb, p->item.size)) {
		err = place(p);
		if (err != -ENOSPC || p->remove || !e2_has_incompat(p->ei->sb, E2_IN_EA_INODE) ||
		    p->item.index == E2_XATTR_SYSTEM || !p->item.size)
			return err;
	}
	return place_in_inode(p);
}

/* The blocks a value in an inode counts for in its owner's i_blocks. */
static uint64_t value_blocks(const struct e2_super *sb, uint32_t size)
{
	return ((uint64_t)size + sb->block_size - 1) / sb->block_size * (sb->block_size / 512);
}

static bool count_values(struct plan *p)
{
	const struct e2_xattr_item *old[2] = { p->in_ib ? &p->old_ib : NULL, p->in_bl ? &p->old_bl : NULL };
	struct e2_inode *ei = p->ei;
	uint64_t blocks = ei->blocks, less = 0;

	for (int i = 0; i < 2; i++) {
		if (old[i] && old[i]->inum)
			less += value_blocks(ei->sb, old[i]->size);
	}
	ei->blocks -= less < blocks ? less : blocks;
	if (p->value_node)
		ei->blocks += value_blocks(ei->sb, p->item.size);
	return ei->blocks != blocks;
}

/* The phase of the write that makes the new value seen. */
static unsigned main_phase(const struct plan *p, const struct e2_xattr_switch *sw)
{
	bool drops = (p->in_ib && p->old_ib.inum) || (p->in_bl && p->old_bl.inum);

	if (p->remove)
		return drops || (p->write_bl && !sw->in_place) ? E2_REMOVE : E2_FRESH;
	if (p->value_node || drops || (p->write_bl && !sw->in_place) || (p->write_ib && p->write_bl))
		return E2_ADD;
	return E2_FRESH;
}

static int write_ib(struct plan *p, unsigned phase)
{
	return p->write_ib ? e2_xattr_ibody_store(p->ei, &p->ib, p->new_ib, phase) : 0;
}

static int write_bl(struct plan *p, struct e2_xattr_switch *sw, unsigned phase)
{
	return p->write_bl ? e2_xattr_block_apply(p->ei, &p->bl, sw, p->new_bl, phase) : 0;
}

/*
 * Both places change only where the attribute moves: the new place first, the
 * old one in a later phase; unless one write of the inode does both.
 */
static int apply(struct plan *p, struct e2_xattr_switch *sw)
{
	unsigned first = e2_xattr_phase(p->ei, main_phase(p, sw)), second = first;
	bool counted = count_values(p);
	int err, err2;

	if (p->write_ib && p->write_bl && sw->in_place && !p->remove)
		second = e2_xattr_phase(p->ei, E2_REMOVE);
	if (p->to_block) {
		err = write_bl(p, sw, first);
		err2 = write_ib(p, second);
	} else {
		err = write_ib(p, first);
		err2 = write_bl(p, sw, second);
	}
	if (!err && counted)
		err = e2_store_file_acl(p->ei, first);
	return err ? err : err2;
}

static int drop_old(struct plan *p)
{
	int err = 0, err2 = 0;

	if (p->in_ib && p->old_ib.inum)
		err = e2_xattr_inode_drop(p->ei, p->old_ib.inum);
	if (p->in_bl && p->old_bl.inum)
		err2 = e2_xattr_inode_drop(p->ei, p->old_bl.inum);
	return err ? err : err2;
}

static int carry_out(struct plan *p)
{
	struct e2_xattr_area built = { p->new_bl, E2_XATTR_HEADER_SIZE, p->ei->sb->block_size, true };
	struct e2_xattr_switch sw = { 0 };
	struct fuseblk_buf *pin;
	int err;

	err = e2_inode_pin(p->ei, &pin);
	if (err)
		return err;
	if (p->write_bl)
		err = e2_xattr_block_prepare(p->ei, &p->bl, !e2_xattr_is_empty(&built), &sw);
	if (!err && sw.fresh)
		((struct e2_xattr_header *)p->new_bl)->h_refcount = e2_put32(1);
	if (!err) {
		err = apply(p, &sw);
		if (!err)
			err = drop_old(p);
		fuseblk_node_put(p->value_node);
		p->value_node = NULL;
	}
	e2_xattr_block_abort(p->ei, &sw);
	fuseblk_buf_put(pin);
	return err;
}

static int load(struct plan *p)
{
	int err;

	err = e2_xattr_ibody_load(p->ei, &p->ib);
	if (!err)
		err = e2_xattr_block_load(p->ei, &p->bl);
	if (err)
		return err;
	p->in_ib = e2_xattr_find(&p->ib.area, p->item.index, p->item.name, p->item.name_len, &p->old_ib);
	p->in_bl = e2_xattr_find(&p->bl.area, p->item.index, p->item.name, p->item.name_len, &p->old_bl);
	p->new_ib = malloc(p->ib.off ? p->ib.area.size : 1);
	p->new_bl = malloc(p->ei->sb->block_size);
	return p->new_ib && p->new_bl ? 0 : -ENOMEM;
}

static void fini(struct plan *p)
{
	if (p->value_node)
		e2_inode_unmake(p->value_node);
	free(p->new_bl);
	free(p->new_ib);
	e2_xattr_block_fini(&p->bl);
	e2_xattr_ibody_fini(&p->ib);
}

/* Nothing would change: the usual case of chmod and of a label set again. */
static bool is_same(const struct plan *p)
{
	const struct e2_xattr_item *old = p->in_ib ? &p->old_ib : p->in_bl ? &p->old_bl : NULL;

	return old && !p->remove && !old->inum && old->size == p->item.size && !(p->in_ib && p->in_bl) &&
	       memcmp(old->value ? old->value : (const uint8_t *)"", p->item.value, old->size) == 0;
}

int e2_xattr_set(struct e2_inode *ei, uint8_t index, const char *name, size_t len,
		 const void *value, size_t size, uint32_t flags)
{
	struct plan p = {
		.ei = ei, .remove = !value,
		.item = { .index = index, .name = name, .name_len = (uint8_t)len, .value = value, .size = (uint32_t)size },
	};
	bool exists;
	int err;

	if (size > E2_XATTR_VALUE_MAX)
		return -E2BIG;
	err = load(&p);
	exists = p.in_ib || p.in_bl;
	if (!err && exists && flags & FUSEBLK_XATTR_CREATE)
		err = -EEXIST;
	if (!err && !exists && (p.remove || flags & FUSEBLK_XATTR_REPLACE))
		err = -ENODATA;
	if (!err && !is_same(&p)) {
		err = decide(&p);
		if (!err)
			err = carry_out(&p);
	}
	fini(&p);
	return err;
}
