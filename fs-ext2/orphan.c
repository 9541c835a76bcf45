// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * orphan.c: inodes without a name that are still in use, in memory.
 *
 * The set here is the truth while the volume is mounted; the lists on the
 * device (orphan_disk.c) follow it at commits.  An orphan that was listed and
 * whose space is gone stays marked in the inode bitmap until it is durably
 * off the list: then it gets its time of deletion and is given back.
 */
#include <errno.h>
#include <stdlib.h>
#include <time.h>
#include "orphan.h"

static struct e2_orphan **bucket_of(struct e2_orphans *o, uint32_t ino)
{
	return &o->buckets[ino % E2_ORPHAN_BUCKETS];
}

struct e2_orphan *e2_orphan_find(struct e2_orphans *o, uint32_t ino)
{
	struct e2_orphan *e = *bucket_of(o, ino);

	while (e && e->ino != ino)
		e = e->next;
	return e;
}

/* Lock held. NULL: no memory. */
struct e2_orphan *e2_orphan_insert(struct e2_orphans *o, uint32_t ino)
{
	struct e2_orphan **head = bucket_of(o, ino), *e;

	if (o->count == o->room) {
		size_t room = o->room ? o->room * 2 : 64;
		struct e2_orphan **chain = realloc(o->chain, room * sizeof(*chain));

		if (!chain)
			return NULL;
		o->chain = chain;
		o->room = room;
	}
	e = calloc(1, sizeof(*e));
	if (!e)
		return NULL;
	e->ino = ino;
	e->slot = E2_NO_SLOT;
	e->next = *head;
	*head = e;
	o->count++;
	return e;
}

/* Lock held; not listed. */
static void drop(struct e2_orphans *o, struct e2_orphan *e)
{
	struct e2_orphan **link = bucket_of(o, e->ino);

	while (*link != e)
		link = &(*link)->next;
	*link = e->next;
	o->count--;
	free(e);
}

int e2_orphans_new(struct e2_super *sb)
{
	sb->orphans = calloc(1, sizeof(*sb->orphans));
	if (!sb->orphans)
		return -ENOMEM;
	pthread_mutex_init(&sb->orphans->lock, NULL);
	return 0;
}

void e2_orphans_free(struct e2_super *sb)
{
	struct e2_orphans *o = sb->orphans;

	if (!o)
		return;
	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		while (o->buckets[i])
			drop(o, o->buckets[i]);
	pthread_mutex_destroy(&o->lock);
	free(o->chain);
	free(o->file_block);
	free(o->file_ino);
	free(o);
	sb->orphans = NULL;
}

bool e2_orphans_has(struct e2_super *sb, uint32_t ino)
{
	struct e2_orphan *e;
	bool has;

	pthread_mutex_lock(&sb->orphans->lock);
	e = e2_orphan_find(sb->orphans, ino);
	has = e && !e->done;
	pthread_mutex_unlock(&sb->orphans->lock);
	return has;
}

int e2_orphans_add(struct e2_super *sb, uint32_t ino, bool is_dir, unsigned phase)
{
	struct e2_orphans *o = sb->orphans;
	struct e2_orphan *e;

	pthread_mutex_lock(&o->lock);
	e = e2_orphan_find(o, ino);
	if (!e)
		e = e2_orphan_insert(o, ino);
	if (e) {
		e->is_dir = is_dir;
		e->done = e->living = false;
		e->phase = (uint8_t)phase;
		e->epoch = fuseblk_epoch(sb->vol);
	}
	pthread_mutex_unlock(&o->lock);
	return e ? 0 : -ENOMEM;
}

void e2_orphans_remove(struct e2_super *sb, uint32_t ino)
{
	struct e2_orphans *o = sb->orphans;
	struct e2_orphan *e;

	pthread_mutex_lock(&o->lock);
	e = e2_orphan_find(o, ino);
	if (e && (e->listed || e->left_epoch))
		e->done = e->living = true;
	else if (e)
		drop(o, e);
	pthread_mutex_unlock(&o->lock);
}

static int give_back(struct e2_super *sb, uint32_t ino, bool is_dir, unsigned phase)
{
	int err = e2_inode_write_dtime(sb, ino, phase, (uint32_t)time(NULL));

	if (!err)
		e2_inode_free(sb, ino, is_dir);
	return err;
}

int e2_orphans_finish(struct e2_super *sb, uint32_t ino)
{
	struct e2_orphans *o = sb->orphans;
	struct e2_orphan *e, was;

	pthread_mutex_lock(&o->lock);
	e = e2_orphan_find(o, ino);
	if (!e || e->listed || e->left_epoch) {
		if (e)
			e->done = true;
		pthread_mutex_unlock(&o->lock);
		return 0;
	}
	was = *e;
	drop(o, e);
	pthread_mutex_unlock(&o->lock);
	return give_back(sb, ino, was.is_dir, was.epoch == fuseblk_epoch(sb->vol) ? was.phase : E2_FRESH);
}

/* ---- what is to be done at commits ------------------------------------------------- */

/* Counts what the lists on the device lack or have too much. Lock held. */
static size_t backlog(const struct e2_orphans *o)
{
	size_t n = 0;

	for (unsigned i = 0; o->count && i < E2_ORPHAN_BUCKETS; i++)
		for (const struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			n += e->listed ? e->done : !e->done && e2_orphan_may_list(o);
	return n;
}

/* Off the list for good: a dead one is given back at once, since nothing on the device leads to it. */
static void settle(struct e2_super *sb, const struct e2_orphan *e)
{
	if (e->living)
		return;
	if (e2_inode_write_dtime(sb, e->ino, E2_FRESH, (uint32_t)time(NULL)))
		return;
	e2_inode_clear(sb, e->ino, e->is_dir, false);
}

/* Take one entry that is done and durably off the lists out of the set. Lock held. */
static bool pick_settled(struct e2_orphans *o, uint64_t epoch, struct e2_orphan *out)
{
	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		for (struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			if (!e->listed && e->left_epoch && e->left_epoch <= epoch) {
				o->leaving--;
				e->left_epoch = 0;
				if (!e->done)	/* an orphan once more: not listed, that is all */
					return pick_settled(o, epoch, out);
				*out = *e;
				drop(o, e);
				return true;
			}
	return false;
}

void e2_orphans_durable(struct e2_super *sb, uint64_t epoch)
{
	struct e2_orphans *o = sb->orphans;
	struct e2_orphan e;
	bool stir;

	pthread_mutex_lock(&o->lock);
	while (o->leaving && pick_settled(o, epoch, &e)) {
		pthread_mutex_unlock(&o->lock);
		settle(sb, &e);
		pthread_mutex_lock(&o->lock);
	}
	stir = backlog(o) > 0;
	o->in_haste = o->in_haste && stir;
	pthread_mutex_unlock(&o->lock);
	if (stir)
		e2_super_stir(sb);
}

bool e2_orphans_stop(struct e2_super *sb)
{
	struct e2_orphans *o = sb->orphans;
	bool left;

	pthread_mutex_lock(&o->lock);
	left = backlog(o) || o->leaving;
	o->in_haste = left;
	pthread_mutex_unlock(&o->lock);
	return !left;
}

bool e2_orphans_are_safe(struct e2_super *sb)
{
	struct e2_orphans *o = sb->orphans;
	bool safe = true;

	pthread_mutex_lock(&o->lock);
	for (unsigned i = 0; i < E2_ORPHAN_BUCKETS; i++)
		for (const struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			safe = safe && e->listed && !e->done;
	pthread_mutex_unlock(&o->lock);
	return safe;
}

bool e2_orphans_are_none(struct e2_super *sb)
{
	bool none;

	pthread_mutex_lock(&sb->orphans->lock);
	none = !sb->orphans->count;
	pthread_mutex_unlock(&sb->orphans->lock);
	return none;
}
