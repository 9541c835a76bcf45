// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * removed.c: the names removed from a directory in the open epoch, as a set
 * of their hashes.
 *
 * Until the epoch is durable such a name is still on the device, and the same
 * name given again could be there twice.  Two names with one hash only cause
 * a commit that was not needed.  A directory's slots bound the set.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dir_impl.h"

#define FIRST_CAP 16u

struct fat_removed {
	uint64_t epoch;
	uint32_t cap, count;		/* a power of two; used */
	uint32_t *hashes;		/* 0: empty */
};

static uint32_t key(uint32_t hash)
{
	return hash ? hash : 1;
}

static uint32_t *find(uint32_t *hashes, uint32_t cap, uint32_t hash)
{
	uint32_t i = hash & (cap - 1);

	while (hashes[i] && hashes[i] != hash)
		i = (i + 1) & (cap - 1);
	return &hashes[i];
}

static int grow(struct fat_removed *set)
{
	uint32_t cap = set->cap ? set->cap * 2 : FIRST_CAP;
	uint32_t *hashes = calloc(cap, sizeof(*hashes));

	if (!hashes)
		return -ENOMEM;
	for (uint32_t i = 0; i < set->cap; i++)
		if (set->hashes[i])
			*find(hashes, cap, set->hashes[i]) = set->hashes[i];
	free(set->hashes);
	set->hashes = hashes;
	set->cap = cap;
	return 0;
}

static void clear(struct fat_removed *set)
{
	free(set->hashes);
	*set = (struct fat_removed){ .epoch = 0 };
}

int fat_removed_reserve(struct fat_removed **setp, uint64_t epoch)
{
	struct fat_removed *set = *setp;

	if (!set) {
		set = calloc(1, sizeof(*set));
		if (!set)
			return -ENOMEM;
		*setp = set;
	}
	if (set->epoch != epoch) {
		clear(set);
		set->epoch = epoch;
	}
	return (set->count + 2) * 2 > set->cap ? grow(set) : 0;
}

void fat_removed_add(struct fat_removed *set, const struct fat_keys *keys)
{
	for (unsigned i = 0; i < keys->count; i++) {
		uint32_t hash = key(keys->hash[i]), *at = find(set->hashes, set->cap, hash);

		set->count += !*at;
		*at = hash;
	}
}

bool fat_removed_has(const struct fat_removed *set, uint64_t epoch, uint32_t hash)
{
	if (!set || set->epoch != epoch || !set->cap)
		return false;
	return *find(set->hashes, set->cap, key(hash)) != 0;
}

void fat_removed_free(struct fat_removed *set)
{
	if (!set)
		return;
	free(set->hashes);
	free(set);
}
