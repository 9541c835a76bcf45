/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * names.c: for a long directory without a hash tree, a table in memory that
 * says which block has which name.
 *
 * Without it each lookup would read the whole directory.  The table holds for
 * every entry, used or not, a keyed hash of its name and its block: open
 * addressing with linear probing.  It is made by the first search of a
 * directory of more than a few blocks (by any of several readers at once:
 * one wins), kept up to date by changes, and dropped with the node.  All
 * tables together are bounded; past the bound directories are searched from
 * end to end.  A table may name a block in vain, never miss one.
 */
#include <errno.h>
#include <stdlib.h>
#include "dir.h"

#define FIRST_SLOTS 1024u
#define BUDGET ((size_t)8 << 20)	/* bytes, over all directories */
#define EMPTY UINT32_MAX
#define DELETED (UINT32_MAX - 1)

struct name_slot {
	uint32_t key, lblk;
};

struct e2_names {
	uint32_t slots, used;		/* slots: a power of two; used: deleted ones too */
	struct name_slot slot[];
};

static _Atomic size_t total;

static size_t bytes_of(uint32_t slots)
{
	return sizeof(struct e2_names) + slots * sizeof(struct name_slot);
}

static struct e2_names *names_new(uint32_t slots)
{
	size_t bytes = bytes_of(slots);
	struct e2_names *names = NULL;

	if (atomic_fetch_add(&total, bytes) + bytes <= BUDGET)
		names = malloc(bytes);
	if (!names) {
		atomic_fetch_sub(&total, bytes);
		return NULL;
	}
	names->slots = slots;
	names->used = 0;
	for (uint32_t i = 0; i < slots; i++)
		names->slot[i].lblk = EMPTY;
	return names;
}

static void names_free(struct e2_names *names)
{
	if (!names)
		return;
	atomic_fetch_sub(&total, bytes_of(names->slots));
	free(names);
}

static void put(struct e2_names *names, uint32_t key, uint32_t lblk)
{
	uint32_t i = key & (names->slots - 1);

	while (names->slot[i].lblk != EMPTY)
		i = (i + 1) & (names->slots - 1);
	names->slot[i] = (struct name_slot){ key, lblk };
	names->used++;
}

static bool is_live(const struct name_slot *s)
{
	return s->lblk != EMPTY && s->lblk != DELETED;
}

/* A larger table (or one without the deleted slots) in place of *@names. */
static int regrow(struct e2_names **names)
{
	struct e2_names *old = *names, *new;
	uint32_t live = 0, slots = FIRST_SLOTS;

	for (uint32_t i = 0; i < old->slots; i++)
		live += is_live(&old->slot[i]);
	while (slots / 8 * 6 <= live)
		slots *= 2;
	new = names_new(slots);
	if (!new)
		return -ENOMEM;
	for (uint32_t i = 0; i < old->slots; i++)
		if (is_live(&old->slot[i]))
			put(new, old->slot[i].key, old->slot[i].lblk);
	names_free(old);
	*names = new;
	return 0;
}

static int add(struct e2_names **names, uint32_t key, uint64_t lblk)
{
	if (lblk >= DELETED)
		return -ENOMEM;
	if ((*names)->used >= (*names)->slots / 8 * 7) {
		int err = regrow(names);

		if (err)
			return err;
	}
	put(*names, key, (uint32_t)lblk);
	return 0;
}

static int collect_leaf(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, void *arg)
{
	struct e2_names **names = arg;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		if (!d.name_len)
			continue;
		err = add(names, e2_name_key(d.name, d.name_len), lblk);
		if (err)
			break;
	}
	return err;
}

struct e2_names *e2_names_get(struct e2_inode *dir)
{
	struct e2_names *names = atomic_load(&dir->dir_names), *none = NULL;

	if (names || atomic_load(&dir->dir_names_failed))
		return names;
	names = names_new(FIRST_SLOTS);
	if (names && e2_dir_each_leaf(dir, 0, collect_leaf, &names)) {
		names_free(names);
		names = NULL;
	}
	if (!names) {
		atomic_store(&dir->dir_names_failed, true);
		return NULL;
	}
	if (!atomic_compare_exchange_strong(&dir->dir_names, &none, names)) {
		names_free(names);
		names = none;
	}
	return names;
}

bool e2_names_next(const struct e2_names *names, uint32_t key, uint32_t *pos, uint64_t *lblk)
{
	for (; *pos < names->slots; (*pos)++) {
		const struct name_slot *s = &names->slot[(key + *pos) & (names->slots - 1)];

		if (s->lblk == EMPTY)
			return false;
		if (s->lblk != DELETED && s->key == key) {
			*lblk = s->lblk;
			(*pos)++;
			return true;
		}
	}
	return false;
}

void e2_names_add(struct e2_inode *dir, const char *name, size_t len, uint64_t lblk)
{
	struct e2_names *names = atomic_load(&dir->dir_names);

	if (!names)
		return;
	if (add(&names, e2_name_key(name, len), lblk)) {
		e2_names_drop(dir);
		atomic_store(&dir->dir_names_failed, true);
		return;
	}
	atomic_store(&dir->dir_names, names);
}

void e2_names_remove(struct e2_inode *dir, const char *name, size_t len, uint64_t lblk)
{
	struct e2_names *names = atomic_load(&dir->dir_names);
	uint32_t key = e2_name_key(name, len);

	for (uint32_t i = 0; names && i < names->slots; i++) {
		struct name_slot *s = &names->slot[(key + i) & (names->slots - 1)];

		if (s->lblk == EMPTY)
			return;
		if (s->key == key && s->lblk == lblk) {
			s->lblk = DELETED;
			return;
		}
	}
}

void e2_names_drop(struct e2_inode *dir)
{
	names_free(atomic_exchange(&dir->dir_names, NULL));
}
