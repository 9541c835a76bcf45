// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * append.c: chains that grow and shrink.
 *
 * New clusters are linked among themselves in FRESH, where nothing refers to
 * them; the link from a durable chain is one entry, in LINK, or in CUT once
 * the chain lost something in this epoch: links that stood behind the cut must
 * not be seen again.  The end mark of a chain that is cut is in CUT: its size
 * was lowered in REMOVE.
 */
#include <errno.h>
#include "space.h"

static bool is_fresh(struct fuseblk_volume *vol, const struct fat_node *n)
{
	return n->fresh_epoch == fuseblk_epoch(vol);
}

static enum fat_phase link_phase(struct fuseblk_volume *vol, const struct fat_node *n)
{
	if (is_fresh(vol, n))
		return FAT_PHASE_FRESH;
	return n->lost_epoch == fuseblk_epoch(vol) ? FAT_PHASE_CUT : FAT_PHASE_LINK;
}

/* The front of the spare chain, as far as its clusters follow each other; *rest: what comes after. */
static int spare_front(struct fat_volume *fat, const struct fat_spare *spare, uint32_t want, uint32_t *count,
		       uint32_t *rest)
{
	struct fat_cursor cur = { 0 };
	uint32_t n = 1;
	int err;

	for (;; n++) {
		err = fat_cursor_get(fat, &cur, spare->start + n - 1, rest);
		if (err || n == want || n == spare->count || *rest != spare->start + n)
			break;
	}
	fat_cursor_end(&cur);
	*count = n;
	return err;
}

static int take_spare(struct fat_volume *fat, uint64_t ino, const struct fat_spare *spare, uint32_t want,
		      struct fat_run *added)
{
	struct fat_spare left = { 0 };
	uint32_t count, rest;
	int err = spare_front(fat, spare, want, &count, &rest);

	if (err)
		return err;
	if (count < spare->count)
		left = (struct fat_spare){ rest, spare->count - count };
	if (left.count && !fat_is_cluster(&fat->geo, left.start))
		return fuseblk_corrupt(fat->vol, ino, "the chain of spare clusters is broken: cluster %u leads to %#x",
				       spare->start + count - 1, rest);
	err = fat_table_set(fat, spare->start + count - 1, FAT_EOC, FAT_PHASE_FRESH);
	if (!err)
		err = fat_ino_spare_set(fat, ino, &left);
	if (err)
		return err;
	added->start = spare->start;
	added->count = count;
	return 0;
}

static int find_new(struct fat_volume *fat, struct fuseblk_node *node, uint32_t want, struct fat_run *added)
{
	struct fat_node *n = fat_node(node);
	struct fat_spare spare = { 0 };
	uint32_t goal = n->chain.clusters ? n->chain.tail + 1 : 0;

	fat_ino_spare_get(fat, fuseblk_ino(node), &spare);
	if (spare.count)
		return take_spare(fat, fuseblk_ino(node), &spare, want, added);
	return fat_alloc_run(fat, goal, want, &added->start, &added->count);
}

static int link_first(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t start)
{
	struct fat_node *n = fat_node(node);
	int err = fat_entry_set_start(vol, node, start);

	if (err)
		return err;
	n->chain.start = start;
	n->fresh_epoch = fuseblk_epoch(vol);
	return 0;
}

static void grow_known(struct fat_chain *chain, const struct fat_run *added)
{
	fat_chain_learn(chain, added);
	chain->clusters += added->count;
	chain->tail = added->start + added->count - 1;
}

int fat_chain_append(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t want, struct fat_run *added)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	enum fat_phase phase = link_phase(vol, n);
	struct fat_run run = { 0 };
	uint32_t clusters;
	int err = fat_chain_length(vol, node, &clusters);

	if (!err && clusters)
		err = fat_table_may(fat, phase);
	if (!err && clusters)	/* so that linking cannot fail any more */
		err = fat_group_need(fat, n->chain.tail);
	if (!err)
		err = find_new(fat, node, want, &run);
	if (err)
		return err;
	run.index = clusters;
	err = clusters ? fat_table_set(fat, n->chain.tail, run.start, phase) : link_first(vol, node, run.start);
	if (err) {
		fat_alloc_free_later(fat, run.start, run.count);
		return err;
	}
	pthread_mutex_lock(&n->chain_lock);
	grow_known(&n->chain, &run);
	pthread_mutex_unlock(&n->chain_lock);
	*added = run;
	return 0;
}

/* What is known of the chain past its first @clusters is so no more. */
static void cut_known(struct fat_chain *chain, uint32_t clusters, uint32_t tail)
{
	while (chain->count && chain->runs[chain->count - 1].index >= clusters)
		chain->count--;
	if (chain->count) {
		struct fat_run *last = &chain->runs[chain->count - 1];

		if (last->index + last->count > clusters)
			last->count = clusters - last->index;
	}
	chain->clusters = clusters;
	chain->tail = tail;
}

/* Give up the whole chain; the entry leads to nothing any more. */
static int cut_all(struct fuseblk_volume *vol, struct fat_node *n)
{
	fat_alloc_free_later(fat_of(vol), n->chain.start, UINT32_MAX);
	pthread_mutex_lock(&n->chain_lock);
	cut_known(&n->chain, 0, 0);
	n->chain.start = 0;
	pthread_mutex_unlock(&n->chain_lock);
	return 0;
}

/* A directory is cut only to take back what it was just given: there is nothing of it that must not be seen again. */
static void note_loss(struct fuseblk_volume *vol, struct fat_node *n)
{
	if (n->is_dir || is_fresh(vol, n) || n->lost_epoch == fuseblk_epoch(vol))
		return;
	n->lost_epoch = fuseblk_epoch(vol);
	n->lost_size = (uint32_t)n->size;
}

int fat_chain_cut(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t clusters)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	uint32_t value, rest = UINT32_MAX;
	struct fat_run last;
	int err;

	if (!n->chain.start)
		return 0;
	if (!clusters)
		return cut_all(vol, n);
	err = fat_chain_find(vol, node, clusters - 1, 1, &last);
	if (err)
		return err == -ENOENT ? 0 : err;
	err = fat_table_get(fat, last.start, &value);
	if (err || value == FAT_EOC)
		return err;
	if (n->chain.clusters != UINT32_MAX)
		rest = n->chain.clusters - clusters;
	err = fat_table_set(fat, last.start, FAT_EOC, is_fresh(vol, n) ? FAT_PHASE_FRESH : FAT_PHASE_CUT);
	if (err)
		return err;
	note_loss(vol, n);
	fat_alloc_free_later(fat, value, rest);
	pthread_mutex_lock(&n->chain_lock);
	cut_known(&n->chain, clusters, last.start);
	pthread_mutex_unlock(&n->chain_lock);
	return 0;
}
