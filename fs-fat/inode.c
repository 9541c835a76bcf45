// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inode.c: nodes come from short entries, or from what inos.c holds of the
 * unlinked, and go again.
 *
 * A number may be any that a handle or a stale reply names, so that a
 * position is believed only if it lies where entries can lie and holds one.
 */
#include <errno.h>
#include <string.h>
#include "dir.h"
#include "inode.h"

/* ---- from the entry ---------------------------------------------------------- */

/* Can there be a short entry at @pos? */
static bool is_entry_pos(const struct fat_geometry *geo, uint64_t pos)
{
	uint64_t off = pos * FAT_SLOT_SIZE, root = geo->root_start;

	if (pos > UINT64_MAX / FAT_SLOT_SIZE)
		return false;
	if (geo->root_slots && off >= root && off < root + (uint64_t)geo->root_slots * FAT_SLOT_SIZE)
		return true;
	return off >= geo->data_start && off - geo->data_start < (uint64_t)geo->clusters << geo->cluster_shift;
}

static bool is_entry(const struct fat_dirent *de)
{
	static const uint8_t dots[] = "..         ";

	return de->name[0] != FAT_NAME_DELETED && de->name[0] != FAT_NAME_END && !(de->attr & FAT_ATTR_LABEL) &&
	       memcmp(de->name, dots, 11) && (de->name[0] != '.' || memcmp(de->name + 1, dots + 2, 9));
}

static void set_times(struct fat_node *n, const struct fat_dirent *de)
{
	n->mdate = fat_get16(de->mdate);
	n->mtime = fat_get16(de->mtime);
	n->adate = fat_get16(de->adate);
	n->bdate = fat_get16(de->bdate);
	n->btime = fat_get16(de->btime);
	n->btime_cs = de->btime_cs;
}

void fat_node_named(struct fat_node *n, const struct fat_dirent *de)
{
	static const char programs[][4] = { "EXE", "COM", "BAT" };

	n->lcase = de->lcase;
	n->is_program = false;
	for (unsigned i = 0; i < sizeof(programs) / sizeof(programs[0]); i++)
		n->is_program |= !memcmp(de->name + 8, programs[i], 3);
}

static void set_node(struct fat_node *n, const struct fat_dirent *de, uint64_t pos)
{
	n->pos = pos;
	n->attr = de->attr;
	n->is_dir = de->attr & FAT_ATTR_DIR;
	n->size = n->is_dir ? 0 : fat_get32(de->size);
	set_times(n, de);
	fat_node_named(n, de);
}

static int load_entry(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t pos)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_dirent de;
	uint32_t start;
	int err;

	if (!is_entry_pos(&fat->geo, pos))
		return -ESTALE;
	err = fat_entry_read(fat, pos, &de);
	if (err)
		return err;
	if (!is_entry(&de))
		return -ESTALE;
	start = fat_entry_start(&fat->geo, &de);
	if (start && !fat_is_cluster(&fat->geo, start))
		return fuseblk_corrupt(vol, fuseblk_ino(node), "its entry names cluster %#x as the first, which the volume does not have",
				       start);
	if (!start && de.attr & FAT_ATTR_DIR)
		return fuseblk_corrupt(vol, fuseblk_ino(node), "it is a directory without a first cluster");
	set_node(fat_node(node), &de, pos);
	fat_chain_init(&fat_node(node)->chain, start);
	return 0;
}

/* ---- from elsewhere --------------------------------------------------------------- */

static void load_root(struct fat_volume *fat, struct fat_node *n)
{
	n->is_root = n->is_dir = true;
	n->attr = FAT_ATTR_DIR;
	fat_chain_init(&n->chain, fat->geo.root_slots ? 0 : fat->geo.root_cluster);
}

static void load_held(struct fat_node *n, const struct fat_held *held)
{
	n->unlinked = true;
	n->attr = held->attr;
	n->is_dir = held->attr & FAT_ATTR_DIR;
	n->size = held->size;
	n->mdate = held->mdate;
	n->mtime = held->mtime;
	n->adate = held->adate;
	n->bdate = held->bdate;
	n->btime = held->btime;
	n->btime_cs = held->btime_cs;
	fat_chain_init(&n->chain, held->start);
}

void fat_node_unlinked(struct fat_volume *fat, struct fuseblk_node *node)
{
	struct fat_node *n = fat_node(node);
	struct fat_held held;

	fat_node_hold(n, &held);
	fat_ino_unlink(fat, fuseblk_ino(node), &held);
	n->unlinked = true;
	n->pos = 0;
}

/* ---- operations ------------------------------------------------------------------------ */

int fat_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	uint64_t ino = fuseblk_ino(node), pos;
	struct fat_held held;
	int found, err = 0;

	if (ino == FAT_INO_ROOT) {
		load_root(fat, n);
	} else {
		found = fat_ino_find(fat, ino, &pos, &held);
		if (found == 1)
			load_held(n, &held);
		else
			err = found ? found : load_entry(vol, node, pos);
	}
	if (err)
		return err;
	pthread_mutex_init(&n->chain_lock, NULL);
	fat_ino_loaded(fat, ino, true);
	return 0;
}

void fat_unload(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	struct fat_held held;

	fat_index_unload(vol, node);
	if (fat->inos && n->unlinked) {
		fat_node_hold(n, &held);
		fat_ino_update(fat, fuseblk_ino(node), &held);
	}
	if (fat->inos)
		fat_ino_loaded(fat, fuseblk_ino(node), false);
	fat_chain_fini(&n->chain);
	pthread_mutex_destroy(&n->chain_lock);
}

/* Afterwards the number may soon be another inode's: nothing of this one must reach its record. */
int fat_free(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_node *n = fat_node(node);
	struct fat_spare spare;

	fat_ino_spare_get(fat, fuseblk_ino(node), &spare);
	if (spare.count)
		fat_alloc_free_later(fat, spare.start, spare.count);
	if (n->chain.start)
		fat_alloc_free_later(fat, n->chain.start, UINT32_MAX);
	fat_chain_fini(&n->chain);
	fat_chain_init(&n->chain, 0);
	fat_ino_drop(fat, fuseblk_ino(node));
	n->unlinked = false;
	return 0;
}
