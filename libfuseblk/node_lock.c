// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node_lock.c: the node locks, alone and in numbers.
 *
 * Several nodes are locked in the order of their inode numbers.  Whoever
 * holds one and wants one that comes earlier may only try.
 */
#include <errno.h>
#include "node_table.h"
#include "volume.h"
#include "worker.h"

int fb_node_rdlock(struct fuseblk_node *node)
{
	fb_rdlock(&node->lock);
	if (!node->dead)
		return 0;
	pthread_rwlock_unlock(&node->lock);
	return -ESTALE;
}

int fb_node_wrlock(struct fuseblk_node *node)
{
	fb_wrlock(&node->lock);
	if (!node->dead)
		return 0;
	pthread_rwlock_unlock(&node->lock);
	return -ESTALE;
}

bool fb_node_trywrlock(struct fuseblk_node *node)
{
	return pthread_rwlock_trywrlock(&node->lock) == 0;
}

void fb_node_unlock(struct fuseblk_node *node)
{
	pthread_rwlock_unlock(&node->lock);
}

int fb_node_change_begin(struct fuseblk_node *node)
{
	int err = fb_node_wrlock(node);

	if (err)
		return err;
	err = fb_volume_change_begin(node->vol);
	if (err)
		fb_node_unlock(node);
	return err;
}

void fb_node_change_end(struct fuseblk_node *node)
{
	fuseblk_node_changed(node);
	fb_volume_change_end(node->vol);
	fb_node_unlock(node);
}

/* Each node once, ascending by inode number. Returns how many. */
static unsigned sort_nodes(struct fuseblk_node **nodes, unsigned count,
			   struct fuseblk_node *sorted[4])
{
	unsigned n = 0, at;

	for (unsigned i = 0; i < count && n < 4; i++) {
		if (!nodes[i])
			continue;
		for (at = 0; at < n && sorted[at]->ino < nodes[i]->ino; at++)
			;
		if (at < n && sorted[at] == nodes[i])
			continue;
		for (unsigned j = n; j > at; j--)
			sorted[j] = sorted[j - 1];
		sorted[at] = nodes[i];
		n++;
	}
	return n;
}

void fb_node_lock_many(struct fuseblk_node **nodes, unsigned count)
{
	struct fuseblk_node *sorted[4];
	unsigned n = sort_nodes(nodes, count, sorted);

	for (unsigned i = 0; i < n; i++)
		fb_wrlock(&sorted[i]->lock);
}

void fb_node_unlock_many(struct fuseblk_node **nodes, unsigned count)
{
	struct fuseblk_node *sorted[4];
	unsigned n = sort_nodes(nodes, count, sorted);

	while (n)
		pthread_rwlock_unlock(&sorted[--n]->lock);
}
