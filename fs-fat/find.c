// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * find.c: questions to a directory that its index answers.
 *
 * Where damage kept the index from being complete, what was found before the
 * damage is still found, and what is not found is an error.
 */
#include <errno.h>
#include <string.h>
#include "dir_impl.h"

/* Look at every slot the index has for @hash. */
struct probe {
	struct fat_index *idx;
	uint32_t hash, i;
	bool begun;
};

static bool next_slot(struct probe *p, uint32_t *slot)
{
	const struct fat_index *idx = p->idx;
	uint32_t hash = p->hash ? p->hash : 1;

	if (!idx->cap)
		return false;
	p->i = (p->begun ? p->i + 1 : hash) & (idx->cap - 1);
	p->begun = true;
	for (; idx->hashes[p->i]; p->i = (p->i + 1) & (idx->cap - 1)) {
		if (idx->hashes[p->i] == hash) {
			*slot = idx->slots[p->i];
			return true;
		}
	}
	return false;
}

/* ---- by name ------------------------------------------------------------------ */

static bool is_alias(struct fat_volume *fat, const struct fat_name *name, const struct fat_found *found)
{
	uint16_t units[12];
	unsigned len;

	if (found->slots == 1)
		return false;
	len = fat_short_units(fat->names, found->de.name, found->de.lcase, units);
	return len && fat_name_equal(fat->names, name->units, name->len, units, len);
}

static bool matches(struct fat_volume *fat, const struct fat_name *name, struct fat_found *found)
{
	if (!fat_name_equal(fat->names, name->units, name->len, found->units, found->len) &&
	    !is_alias(fat, name, found))
		return false;
	found->exact = !name->altered && name->len == found->len &&
		       !memcmp(name->units, found->units, name->len * sizeof(name->units[0]));
	return true;
}

int fat_dir_find(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_name *name,
		 struct fat_found *found)
{
	struct fat_volume *fat = fat_of(vol);
	struct probe p = { .hash = fat_name_hash(fat->names, name->units, name->len) };
	uint32_t slot;
	int err = fat_index_get(vol, dir, &p.idx);

	if (err)
		return err;
	err = p.idx->error ? p.idx->error : -ENOENT;
	while (next_slot(&p, &slot)) {
		int bad = fat_dir_read_name(vol, dir, slot, found);

		if (bad && bad != -ENOENT) {
			err = bad;
			break;
		}
		if (!bad && matches(fat, name, found)) {
			err = 0;
			break;
		}
	}
	fat_index_put(fat, p.idx);
	if (!err)
		fat_parent_note(fat, &found->de, found->pos);
	return err;
}

/* ---- by 8.3 name ---------------------------------------------------------------- */

static int has_short_at(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct fat_index *idx,
			uint32_t hash, const uint8_t short_name[11])
{
	struct probe p = { .idx = idx, .hash = hash };
	struct fat_dirent de;
	uint64_t pos;
	uint32_t slot;
	int err;

	while (next_slot(&p, &slot)) {
		err = fat_dir_read_slot(vol, dir, slot, &de, &pos);
		if (err)
			return err;
		if (!memcmp(de.name, short_name, sizeof(de.name)))
			return 1;
	}
	return 0;
}

/* Its hashes for each way of showing it; those that are equal once. */
static unsigned short_hashes(struct fat_volume *fat, const uint8_t short_name[11], uint32_t hash[4])
{
	static const uint8_t lcases[] = { 0, FAT_LCASE_BASE, FAT_LCASE_EXT, FAT_LCASE_BASE | FAT_LCASE_EXT };
	unsigned n = 0, k;

	for (unsigned i = 0; i < 4; i++) {
		uint32_t h = fat_short_hash(fat, short_name, lcases[i]);

		for (k = 0; k < n && hash[k] != h;)
			k++;
		hash[k] = h;
		n += k == n;
	}
	return n;
}

int fat_dir_short_use(struct fuseblk_volume *vol, struct fuseblk_node *dir, const uint8_t short_name[11], bool *removed)
{
	struct fat_volume *fat = fat_of(vol);
	uint64_t epoch = fuseblk_epoch(vol);
	struct fat_index *idx;
	uint32_t hash[4];
	unsigned n = short_hashes(fat, short_name, hash);
	int err;

	*removed = false;
	for (unsigned i = 0; i < n && !*removed; i++)
		*removed = fat_removed_has(fat_node(dir)->removed, epoch, hash[i]);
	if (*removed)
		return 1;
	err = fat_index_get(vol, dir, &idx);
	if (err)
		return err;
	for (unsigned i = 0; !err && i < n; i++)
		err = has_short_at(vol, dir, idx, hash[i], short_name);
	if (!err)
		err = idx->error;
	fat_index_put(fat, idx);
	return err;
}

int fat_dir_has_short(struct fuseblk_volume *vol, struct fuseblk_node *dir, const uint8_t short_name[11])
{
	bool removed;

	return fat_dir_short_use(vol, dir, short_name, &removed);
}

bool fat_dir_was_removed(struct fuseblk_volume *vol, struct fuseblk_node *dir, const struct fat_name *name)
{
	struct fat_volume *fat = fat_of(vol);

	return fat_removed_has(fat_node(dir)->removed, fuseblk_epoch(vol),
			       fat_name_hash(fat->names, name->units, name->len));
}

/* ---- counts ------------------------------------------------------------------------ */

int fat_dir_is_empty(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	struct fat_index *idx;
	int err = fat_index_get(vol, dir, &idx);

	if (err)
		return err;
	err = idx->entries ? -ENOTEMPTY : idx->error;
	fat_index_put(fat_of(vol), idx);
	return err;
}

int fat_dir_count_dirs(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *dirs)
{
	struct fat_index *idx;
	int err = fat_index_get(vol, dir, &idx);

	if (err)
		return err;
	err = idx->error;
	if (!err)
		*dirs = idx->dirs;
	fat_index_put(fat_of(vol), idx);
	return err;
}
