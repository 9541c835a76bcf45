// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node_names.c: what the records say of the names that the kernel remembers,
 * on volumes with more than one spelling for a name (spelling.h).
 */
#include "node_table.h"
#include "volume.h"

static void change(struct fuseblk_volume *vol, uint64_t ino, void (*step)(struct fb_record *rec))
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec)
		step(rec);
	pthread_mutex_unlock(&t->lock);
}

static struct fb_record get(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	const struct fb_record *found;
	struct fb_record rec = { 0 };

	pthread_mutex_lock(&t->lock);
	found = fb_records_find(&t->records, ino);
	if (found)
		rec = *found;
	pthread_mutex_unlock(&t->lock);
	return rec;
}

static void set_exact(struct fb_record *rec)
{
	rec->exact = 1;
}

static void set_odd(struct fb_record *rec)
{
	rec->odd = 1;
}

static void add_open(struct fb_record *rec)
{
	if (rec->opens < FB_RECORD_MOST_OPENS)
		rec->opens++;
}

static void remove_open(struct fb_record *rec)
{
	if (rec->opens && rec->opens < FB_RECORD_MOST_OPENS)
		rec->opens--;
}

void fb_node_set_exact(struct fuseblk_volume *vol, uint64_t ino)
{
	change(vol, ino, set_exact);
}

bool fb_node_is_exact(struct fuseblk_volume *vol, uint64_t ino)
{
	return get(vol, ino).exact;
}

void fb_node_set_odd(struct fuseblk_volume *vol, uint64_t ino)
{
	change(vol, ino, set_odd);
}

bool fb_node_is_odd(struct fuseblk_volume *vol, uint64_t ino)
{
	return get(vol, ino).odd;
}

void fb_node_open_add(struct fuseblk_volume *vol, uint64_t ino)
{
	change(vol, ino, add_open);
}

void fb_node_open_remove(struct fuseblk_volume *vol, uint64_t ino)
{
	change(vol, ino, remove_open);
}

bool fb_node_is_open(struct fuseblk_volume *vol, uint64_t ino)
{
	return get(vol, ino).opens;
}
