// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * parent.c: which inode ".." leads to.
 *
 * ".." holds the parent's first cluster, while inodes are known by the place
 * of their entry.  Both are remembered of directories that are found or made;
 * for others the grandparent is searched.  What is remembered is checked
 * against the entry before it is used.
 */
#include <errno.h>
#include <stdlib.h>
#include "dir_impl.h"

#define PLACES 2048u

struct fat_parents {
	pthread_mutex_t lock;
	struct { uint32_t start; uint64_t pos; } place[PLACES];
};

struct fat_parents *fat_parents_new(void)
{
	struct fat_parents *parents = calloc(1, sizeof(*parents));

	if (parents)
		pthread_mutex_init(&parents->lock, NULL);
	return parents;
}

void fat_parents_free(struct fat_parents *parents)
{
	if (!parents)
		return;
	pthread_mutex_destroy(&parents->lock);
	free(parents);
}

void fat_parent_note(struct fat_volume *fat, const struct fat_dirent *de, uint64_t pos)
{
	struct fat_parents *p = fat_indexes_parents(fat);
	uint32_t start = fat_entry_start(&fat->geo, de);

	if (!(de->attr & FAT_ATTR_DIR) || !start)
		return;
	pthread_mutex_lock(&p->lock);
	p->place[start % PLACES].start = start;
	p->place[start % PLACES].pos = pos;
	pthread_mutex_unlock(&p->lock);
}

void fat_parent_forget(struct fat_volume *fat, const struct fat_dirent *de, uint64_t pos)
{
	struct fat_parents *p = fat_indexes_parents(fat);
	uint32_t start = fat_entry_start(&fat->geo, de);

	pthread_mutex_lock(&p->lock);
	if (p->place[start % PLACES].start == start && p->place[start % PLACES].pos == pos)
		p->place[start % PLACES].start = 0;
	pthread_mutex_unlock(&p->lock);
}

static bool leads_to(struct fat_volume *fat, const struct fat_dirent *de, uint32_t start)
{
	return !fat_slot_is_free(de->name) && !fat_dir_dots(de) && (de->attr & FAT_ATTR_DIR) &&
	       !(de->attr & FAT_ATTR_LABEL) && fat_entry_start(&fat->geo, de) == start;
}

static bool recall(struct fat_volume *fat, uint32_t start, uint64_t *pos)
{
	struct fat_parents *p = fat_indexes_parents(fat);
	struct fat_dirent de;
	bool known;

	pthread_mutex_lock(&p->lock);
	known = p->place[start % PLACES].start == start;
	*pos = p->place[start % PLACES].pos;
	pthread_mutex_unlock(&p->lock);
	return known && !fat_entry_read(fat, *pos, &de) && leads_to(fat, &de, start);
}

/* ---- search of a directory that nobody has locked ------------------------------- */

/* In @slots slots from device offset @at on: 1 with @pos, 0 to go on, -ENOENT at the end mark, or an error. */
static int search_range(struct fat_volume *fat, uint64_t at, uint32_t slots, uint32_t start, uint64_t *pos)
{
	struct fat_dirent de;
	int err;

	for (uint32_t i = 0; i < slots; i++) {
		uint64_t p = at / FAT_SLOT_SIZE + i;

		err = fat_entry_read(fat, p, &de);
		if (err)
			return err;
		if (de.name[0] == FAT_NAME_END)
			return -ENOENT;
		if (leads_to(fat, &de, start)) {
			*pos = p;
			return 1;
		}
	}
	return 0;
}

static int search_chain(struct fat_volume *fat, uint32_t c, uint32_t start, uint64_t *pos)
{
	uint32_t per_cluster = fat->geo.cluster_size / FAT_SLOT_SIZE;
	int err;

	for (uint32_t seen = 0; seen < FAT_DIR_SLOTS && fat_is_cluster(&fat->geo, c); seen += per_cluster) {
		err = search_range(fat, fat_cluster_off(&fat->geo, c), per_cluster, start, pos);
		if (!err)
			err = fat_table_get(fat, c, &c);
		if (err)
			return err;
	}
	return -ENOENT;
}

static int search(struct fat_volume *fat, uint32_t dir, uint32_t start, uint64_t *pos)
{
	const struct fat_geometry *geo = &fat->geo;
	int err;

	if (!dir && geo->root_slots) {
		err = search_range(fat, geo->root_start, geo->root_slots, start, pos);
		return err ? err : -ENOENT;
	}
	return search_chain(fat, dir ? dir : geo->root_cluster, start, pos);
}

/* ---- ".." --------------------------------------------------------------------------- */

/* First cluster of the parent of the directory that begins at cluster @c; 0: the root. */
static int parent_start(struct fat_volume *fat, uint32_t c, uint32_t *start)
{
	struct fat_dirent de;
	int err = -ENOENT;

	if (fat_is_cluster(&fat->geo, c))
		err = fat_entry_read(fat, fat_cluster_off(&fat->geo, c) / FAT_SLOT_SIZE + 1, &de);
	if (!err && fat_dir_dots(&de) != 2)
		err = -ENOENT;
	if (err)
		return err;
	*start = fat_entry_start(&fat->geo, &de);
	if (*start == fat->geo.root_cluster)
		*start = 0;
	return 0;
}

int fat_parent_ino(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t *ino)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(dir);
	uint32_t start = 0, above;
	uint64_t pos;
	int err = n->is_root ? 0 : parent_start(fat, n->chain.start, &start);

	if (err)
		return err;
	if (!start) {
		*ino = FAT_ROOT_INO;
		return 0;
	}
	if (!recall(fat, start, &pos)) {
		err = parent_start(fat, start, &above);
		if (!err)
			err = search(fat, above, start, &pos);
		if (err < 0)
			return err;
	}
	*ino = fat_ino_at(fat, pos);
	return 0;
}
