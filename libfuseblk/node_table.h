/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * node_table.h: what node.c and node_free.c share, and what handlers need of
 * nodes beyond node.h.
 */
#ifndef FB_NODE_TABLE_H
#define FB_NODE_TABLE_H

#include <stdatomic.h>
#include "node.h"
#include "node_record.h"

#define FB_ACTIVE_BUCKETS 4096u

struct fb_node_table {
	struct fuseblk_volume *vol;
	pthread_mutex_t lock;		/* everything below; a leaf */
	pthread_cond_t loaded;
	struct fb_records records;
	struct fuseblk_node *active[FB_ACTIVE_BUCKETS];
	struct fuseblk_node *oldest, *newest;	/* list of nodes without references */
	unsigned lru_count, active_count;
	uint64_t vain_epoch;		/* the durable one when no node was found to unload, */
	unsigned vain_count;		/* and lru_count then */
	uint64_t *reap;			/* inodes that lost their last reference outside a safe place */
	unsigned reap_count, reap_room;
	_Atomic bool reap_due;
	_Atomic bool commit_due;	/* too many nodes wait for their epoch to be durable */
};

/* Under the table's lock. */
struct fuseblk_node *fb_node_find_active(struct fb_node_table *t, uint64_t ino);
void fb_node_unhash(struct fb_node_table *t, struct fuseblk_node *node);

/*
 * As fb_node_get, but for an inode that the kernel may name: one it has
 * looked up, or the root.  -ESTALE for others.
 */
int fb_node_get_known(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out);
/*
 * Tell the table that @ino's link count is 0, or is not any more: it is freed
 * when the last lookup and reference are gone.
 */
void fb_node_set_unlinked(struct fuseblk_volume *vol, uint64_t ino, bool unlinked);
/* Handles of @ino that can write, which the kernel holds until RELEASE; @ino is one it has looked up. */
void fb_node_writer_add(struct fuseblk_volume *vol, uint64_t ino);
void fb_node_writer_remove(struct fuseblk_volume *vol, uint64_t ino);
bool fb_node_has_writers(struct fuseblk_volume *vol, uint64_t ino);
/*
 * node_names.c: what the kernel may remember for long of @ino, which it has
 * looked up: its name as it is stored (exact), or in another spelling (odd).
 * Kept until it has forgotten the inode.
 */
void fb_node_set_exact(struct fuseblk_volume *vol, uint64_t ino);
bool fb_node_is_exact(struct fuseblk_volume *vol, uint64_t ino);
void fb_node_set_odd(struct fuseblk_volume *vol, uint64_t ino);
bool fb_node_is_odd(struct fuseblk_volume *vol, uint64_t ino);
/* Handles of @ino, of any kind. */
void fb_node_open_add(struct fuseblk_volume *vol, uint64_t ino);
void fb_node_open_remove(struct fuseblk_volume *vol, uint64_t ino);
bool fb_node_is_open(struct fuseblk_volume *vol, uint64_t ino);
/* Free what came up for it; called with no lock held and outside changes. May block. */
void fb_node_reap(struct fuseblk_volume *vol);
/* Node locks for one node, failing for a node that was freed. Return 0 or -ESTALE (not locked then). */
int fb_node_rdlock(struct fuseblk_node *node);
int fb_node_wrlock(struct fuseblk_node *node);
bool fb_node_trywrlock(struct fuseblk_node *node);
void fb_node_unlock(struct fuseblk_node *node);
/*
 * A change of the volume for the sake of @node alone: locked exclusively, in a
 * change.  begin returns 0, or what fb_node_wrlock() or
 * fb_volume_change_begin() did, and nothing is held then.
 */
int fb_node_change_begin(struct fuseblk_node *node);
void fb_node_change_end(struct fuseblk_node *node);
/* ->getattr under the node's lock; and the file type (S_IFMT bits), which never changes while a node lives. */
int fb_node_getattr(struct fuseblk_node *node, struct fuseblk_attr *attr);
int fb_node_type(struct fuseblk_node *node, uint32_t *type);
/* The epoch of the last change of @node. */
uint64_t fb_node_changed_epoch(const struct fuseblk_node *node);

#endif
