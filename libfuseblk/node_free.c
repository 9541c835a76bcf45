// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node_free.c: inodes whose last name and last reference are gone.
 *
 * A record marked UNLINKED is freed on the device by whoever finds its lookup
 * count at 0 and its node unused: FORGET, or the end of the request that used
 * it last.  While FREEING is set nobody can look the inode up again.  What
 * cannot be freed now (damage, no space for the change, a volume gone read-only)
 * stays marked, is STUCK, and is tried again at the end only.
 */
#include <errno.h>
#include <stdlib.h>
#include "node_table.h"
#include "volume.h"
#include "worker.h"

static bool begin_freeing(struct fb_node_table *t, uint64_t ino)
{
	struct fuseblk_node *node;
	struct fb_record *rec;
	bool ok;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	node = fb_node_find_active(t, ino);
	ok = rec && !rec->lookup && rec->flags == FB_RECORD_UNLINKED && !(node && node->refs);
	if (ok)
		rec->flags |= FB_RECORD_FREEING;
	pthread_mutex_unlock(&t->lock);
	return ok;
}

/* @gone: the inode is free; else it keeps its mark and is stuck, or loses it if it has names after all. */
static void end_freeing(struct fb_node_table *t, uint64_t ino, struct fuseblk_node *node,
			bool gone, bool keep_mark)
{
	struct fb_record *rec;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec)
		rec->flags = gone || !keep_mark ? 0 : FB_RECORD_UNLINKED | FB_RECORD_STUCK;
	if (rec && !rec->flags && !rec->lookup)
		fb_records_remove(&t->records, ino);
	if (gone && node)
		fb_node_unhash(t, node);
	pthread_mutex_unlock(&t->lock);
}

/* One attempt in a change of its own. *@linked: it has names, nothing was done. */
static int free_once(struct fuseblk_node *node, bool *linked)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_attr attr;
	int err;

	err = fb_node_change_begin(node);
	if (err)
		return err;
	err = vol->ops->getattr(vol, node, &attr);
	*linked = !err && attr.nlink;
	if (!err && !*linked)
		err = vol->ops->free(vol, node);
	if (!err && !*linked)
		node->dead = true;
	fb_node_change_end(node);
	return err;
}

static int free_node(struct fuseblk_node *node, bool *linked)
{
	int err;

	for (int i = 0; ; i++) {
		err = free_once(node, linked);
		if (err != -FUSEBLK_EAGAIN_COMMIT || i == 2)
			break;
		err = fb_commit(node->vol->cache);
		if (err)
			break;
	}
	return err == -FUSEBLK_EAGAIN_COMMIT ? -ENOSPC : err;
}

static void try_free(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fuseblk_node *node = NULL;
	bool linked = false;
	int err;

	if (!vol->ops->free || !begin_freeing(t, ino))
		return;
	err = fb_node_get(vol, ino, &node);
	if (!err)
		err = free_node(node, &linked);
	end_freeing(t, ino, node, err == -ESTALE || (!err && !linked), !linked);
	fb_node_put(node);
	if (err && err != -ESTALE && err != -EROFS && err != -EINTR)
		fuseblk_log(vol, FUSEBLK_WARNING, "inode %llu cannot be freed (error %d); "
			    "it is tried again at unmount, or by fsck",
			    (unsigned long long)ino, -err);
}

void fb_node_forget(struct fuseblk_volume *vol, uint64_t ino, uint64_t n)
{
	if (fb_node_lookup_dec(vol, ino, n))
		try_free(vol, ino);
}

static bool next_reap(struct fb_node_table *t, uint64_t *ino)
{
	bool found;

	pthread_mutex_lock(&t->lock);
	found = t->reap_count > 0;
	if (found)
		*ino = t->reap[--t->reap_count];
	else
		atomic_store(&t->reap_due, false);
	pthread_mutex_unlock(&t->lock);
	return found;
}

void fb_node_reap(struct fuseblk_volume *vol)
{
	struct fb_node_table *t = vol->nodes;
	uint64_t ino;

	if (!atomic_load(&t->reap_due))
		return;
	while (next_reap(t, &ino))
		try_free(vol, ino);
}

/* Drop every record but those marked UNLINKED, whose count becomes 0. */
static void drop_lookups(struct fb_node_table *t)
{
	pthread_mutex_lock(&t->lock);
	for (uint32_t i = t->records.count; i-- > 0;) {
		struct fb_record *rec = fb_records_at(&t->records, i);

		rec->lookup = 0;
		rec->flags &= (uint16_t)~FB_RECORD_STUCK;
		if (!rec->flags)
			fb_records_remove(&t->records, rec->ino);
	}
	pthread_mutex_unlock(&t->lock);
}

static uint64_t *list_records(struct fb_node_table *t, uint32_t *count)
{
	uint64_t *inos;

	pthread_mutex_lock(&t->lock);
	*count = t->records.count;
	inos = malloc((*count ? *count : 1) * sizeof(*inos));
	for (uint32_t i = 0; inos && i < *count; i++)
		inos[i] = fb_records_at(&t->records, i)->ino;
	pthread_mutex_unlock(&t->lock);
	return inos;
}

void fb_node_forget_all(struct fuseblk_volume *vol)
{
	struct fb_node_table *t = vol->nodes;
	uint64_t *inos;
	uint32_t count;

	drop_lookups(t);
	inos = list_records(t, &count);
	if (!inos)
		return;
	for (uint32_t i = 0; i < count; i++)
		try_free(vol, inos[i]);
	free(inos);
}
