/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node.h: what the kernel knows of the volume's inodes.
 *
 * Every inode the kernel holds has a record of 32 bytes with its lookup
 * count.  An inode in use by a request (or used lately) also has an active
 * node: its lock and the driver's private part.  Node ids on the wire are
 * inode numbers, with the root's and 1 swapped; never pointers.
 */
#ifndef FB_NODE_H
#define FB_NODE_H

#include <pthread.h>
#include "fuseblk.h"

struct fb_node_table;

struct fuseblk_node {
	uint64_t ino;
	struct fuseblk_volume *vol;
	pthread_rwlock_t lock;		/* the node lock of the contracts */
	/* table's lock: */
	struct fuseblk_node *next;	/* hash chain */
	struct fuseblk_node *lru_prev, *lru_next;
	uint32_t refs;			/* requests using it */
	bool listed;			/* in the list of nodes without references */
	bool loading, dead;		/* dead: freed on disk, or could not be loaded; not to be reused (set with the node lock held) */
	int load_error;			/* of ->load */
	_Atomic uint32_t type;		/* S_IFMT bits once asked for, 0 before */
	bool no_capability;		/* security.capability was looked for and is not there; setting it clears this. Node lock X */
	uint64_t mtime_epoch;		/* epoch of the last change made to the inode: fsync with nothing newer needs only a flush */
	_Alignas(max_align_t) uint8_t data[];	/* driver->node_size */
};

int fb_node_table_new(struct fuseblk_volume *vol, struct fb_node_table **out);
void fb_node_table_free(struct fb_node_table *table);	/* unloads every active node */

uint64_t fb_ino_of_nodeid(const struct fuseblk_volume *vol, uint64_t nodeid);
uint64_t fb_nodeid_of_ino(const struct fuseblk_volume *vol, uint64_t ino);

/*
 * The active node of @ino with a reference, loaded from disk if need be (may
 * block).  Returns 0, -ESTALE, -EUCLEAN, -EIO, -ENOMEM.
 */
int fb_node_get(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out);
void fb_node_put(struct fuseblk_node *node);		/* NULL: nothing */

/* Lookup counts: an entry reply that reached the kernel is one. */
int fb_node_lookup_inc(struct fuseblk_volume *vol, uint64_t ino);
/* Lower by @n (never below 0: a hostile count is cut and logged). True if it is now 0. */
bool fb_node_lookup_dec(struct fuseblk_volume *vol, uint64_t ino, uint64_t n);
uint64_t fb_node_lookup_count(struct fuseblk_volume *vol, uint64_t ino);
/*
 * FORGET: lowers the count; if it is 0, no request uses the node and its
 * link count is 0, frees the inode in a change of its own (->free).
 */
void fb_node_forget(struct fuseblk_volume *vol, uint64_t ino, uint64_t n);
/* At the end (DESTROY): forget everything, freeing unlinked inodes. */
void fb_node_forget_all(struct fuseblk_volume *vol);

/*
 * Lock several nodes exclusively, in the one order that cannot deadlock;
 * entries may be NULL or repeat.  @count <= 4.
 */
void fb_node_lock_many(struct fuseblk_node **nodes, unsigned count);
void fb_node_unlock_many(struct fuseblk_node **nodes, unsigned count);

struct fb_node_stats { uint64_t records, active, bytes; };
void fb_node_get_stats(struct fuseblk_volume *vol, struct fb_node_stats *out);

#endif
