// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * index.c: the index of a directory: names by hash, slots in use, counts.
 *
 * One scan makes it; changes keep it.  Hashes lead to slots, which are read
 * and compared: the index says nothing that the directory does not, and can be
 * dropped at any time.  It takes less than 1 MiB.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dir_impl.h"

#define FIRST_CAP	16u
#define BITS		64u

/* ---- names by hash --------------------------------------------------------- */

static uint32_t key(uint32_t hash)
{
	return hash ? hash : 1;
}

/* Of an 8.3 name as it is shown; of its bytes if it cannot be. */
uint32_t fat_short_hash(struct fat_volume *fat, const uint8_t short_name[11], uint8_t lcase)
{
	uint16_t units[12];
	unsigned len = fat_short_units(fat->names, short_name, lcase, units);
	uint32_t hash = 2166136261u;

	if (len)
		return fat_name_hash(fat->names, units, len);
	for (unsigned i = 0; i < 11; i++)
		hash = (hash ^ short_name[i]) * 16777619u;
	return hash;
}

void fat_keys_of(struct fat_volume *fat, const struct fat_found *found, struct fat_keys *keys)
{
	keys->hash[0] = found->len ? fat_name_hash(fat->names, found->units, found->len) : 0;
	keys->hash[1] = fat_short_hash(fat, found->de.name, found->de.lcase);
	keys->count = found->slots > 1 ? 2 : 1;
	if (!found->len)
		keys->hash[0] = keys->hash[1];
}

static int grow_keys(struct fat_index *idx)
{
	uint32_t cap = idx->cap ? idx->cap * 2 : FIRST_CAP;
	uint32_t *hashes = calloc(cap, sizeof(*hashes));
	uint16_t *slots = malloc(cap * sizeof(*slots));

	if (!hashes || !slots) {
		free(hashes);
		free(slots);
		return -ENOMEM;
	}
	for (uint32_t i = 0; i < idx->cap; i++) {
		uint32_t to = idx->hashes[i] & (cap - 1);

		if (!idx->hashes[i])
			continue;
		while (hashes[to])
			to = (to + 1) & (cap - 1);
		hashes[to] = idx->hashes[i];
		slots[to] = idx->slots[i];
	}
	free(idx->hashes);
	free(idx->slots);
	idx->hashes = hashes;
	idx->slots = slots;
	idx->cap = cap;
	return 0;
}

static int add_key(struct fat_index *idx, uint32_t hash, uint32_t slot)
{
	uint32_t i;

	if ((idx->keys + 1) * 3 > idx->cap * 2 && grow_keys(idx))
		return -ENOMEM;
	for (i = hash & (idx->cap - 1); idx->hashes[i];)
		i = (i + 1) & (idx->cap - 1);
	idx->hashes[i] = hash;
	idx->slots[i] = (uint16_t)slot;
	idx->keys++;
	return 0;
}

/* What follows the hole at @i in its cluster of keys moves up, where its own place lets it. */
static void close_hole(struct fat_index *idx, uint32_t i)
{
	uint32_t mask = idx->cap - 1;

	for (uint32_t k = (i + 1) & mask; idx->hashes[k]; k = (k + 1) & mask) {
		uint32_t home = idx->hashes[k] & mask;

		if (((k - home) & mask) < ((k - i) & mask))
			continue;
		idx->hashes[i] = idx->hashes[k];
		idx->slots[i] = idx->slots[k];
		i = k;
	}
	idx->hashes[i] = 0;
}

static void del_key(struct fat_index *idx, uint32_t hash, uint32_t slot)
{
	if (!idx->cap)
		return;
	for (uint32_t i = hash & (idx->cap - 1); idx->hashes[i]; i = (i + 1) & (idx->cap - 1)) {
		if (idx->hashes[i] != hash || idx->slots[i] != slot)
			continue;
		close_hole(idx, i);
		idx->keys--;
		return;
	}
}

/* ---- slots in use ------------------------------------------------------------ */

static bool get_bit(const uint64_t *bits, uint32_t i)
{
	return bits[i / BITS] >> (i % BITS) & 1;
}

static void set_bit(uint64_t *bits, uint32_t i)
{
	bits[i / BITS] |= (uint64_t)1 << (i % BITS);
}

static void clear_bit(uint64_t *bits, uint32_t i)
{
	bits[i / BITS] &= ~((uint64_t)1 << (i % BITS));
}

static int grow_bits(uint64_t **bits, uint32_t from, uint32_t to)
{
	uint64_t *bigger = realloc(*bits, to * sizeof(*bigger));

	if (!bigger)
		return -ENOMEM;
	memset(bigger + from, 0, (to - from) * sizeof(*bigger));
	*bits = bigger;
	return 0;
}

/* Room for @slots bits of each kind. */
static int reach(struct fat_index *idx, uint32_t slots)
{
	uint32_t words = idx->words ? idx->words : 1;

	while (words * BITS < slots)
		words *= 2;
	if (words == idx->words)
		return 0;
	if (grow_bits(&idx->taken, idx->words, words) || grow_bits(&idx->freed, idx->words, words))
		return -ENOMEM;
	idx->words = words;
	return 0;
}

void fat_index_settle(struct fat_index *idx, uint64_t epoch)
{
	if (!idx->freed_epoch || idx->freed_epoch == epoch)
		return;
	for (uint32_t i = 0; i < idx->words; i++) {
		idx->taken[i] &= ~idx->freed[i];
		idx->freed[i] = 0;
	}
	idx->freed_epoch = 0;
	memset(idx->hint, 0, sizeof(idx->hint));
}

uint32_t fat_index_room(struct fat_index *idx, unsigned count)
{
	uint32_t slot = idx->hint[count], run = 0;

	while (slot < idx->end && run < count) {
		if (!run && slot % BITS == 0 && idx->taken[slot / BITS] == UINT64_MAX) {
			slot += BITS;
			continue;
		}
		run = get_bit(idx->taken, slot) ? 0 : run + 1;
		slot++;
	}
	if (slot > idx->end)
		slot = idx->end;
	idx->hint[count] = slot - run;
	return slot - run;
}

uint32_t fat_index_room_in(const struct fat_index *idx, unsigned count, uint32_t from, uint32_t to)
{
	uint32_t run = 0;

	for (uint32_t slot = from; slot < to; slot++) {
		run = slot < idx->end && get_bit(idx->taken, slot) ? 0 : run + 1;
		if (slot >= idx->end && slot - run + 1 > idx->end)
			break;
		if (run == count)
			return slot - run + 1;
	}
	return UINT32_MAX;
}

/* ---- names come and go --------------------------------------------------------- */

static bool is_dir(const struct fat_found *found)
{
	return (found->de.attr & FAT_ATTR_DIR) != 0;
}

static bool is_indexed(const struct fat_found *found)
{
	return !fat_dir_dots(&found->de) && !(found->de.attr & FAT_ATTR_LABEL);
}

static int note_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found)
{
	struct fat_keys keys;

	if (!is_indexed(found))
		return 0;
	idx->entries++;
	idx->dirs += is_dir(found);
	fat_keys_of(fat, found, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		if (add_key(idx, key(keys.hash[i]), found->slot))
			return -ENOMEM;
	return 0;
}

void fat_index_add_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found)
{
	uint32_t past = found->slot + 1;

	if (reach(idx, past) || note_name(fat, idx, found)) {
		idx->error = -ENOMEM;
		return;
	}
	if (idx->end < past)
		idx->end = past;
	for (uint32_t slot = past - found->slots; slot < past; slot++)
		set_bit(idx->taken, slot);
}

static void forget_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found)
{
	struct fat_keys keys;

	fat_keys_of(fat, found, &keys);
	for (unsigned i = 0; i < keys.count; i++)
		del_key(idx, key(keys.hash[i]), found->slot);
	idx->entries--;
	idx->dirs -= is_dir(found);
}

void fat_index_del_name(struct fat_volume *fat, struct fat_index *idx, const struct fat_found *found, uint64_t held_epoch)
{
	uint32_t first = found->slot + 1 - found->slots;

	if (is_indexed(found))
		forget_name(fat, idx, found);
	if (held_epoch) {
		fat_index_settle(idx, held_epoch);
		idx->freed_epoch = held_epoch;
	}
	for (uint32_t slot = first; slot <= found->slot; slot++) {
		if (held_epoch)
			set_bit(idx->freed, slot);
		else
			clear_bit(idx->taken, slot);
	}
	for (unsigned n = 1; !held_epoch && n <= FAT_NAME_SLOTS; n++) {
		uint32_t low = first > n ? first - n : 0;

		if (idx->hint[n] > low)
			idx->hint[n] = low;
	}
}

/* ---- one scan ------------------------------------------------------------------ */

struct build {
	struct fat_volume *fat;
	struct fat_index *idx;
	uint64_t epoch;
	struct fat_long name;
	struct fat_found found;
};

static void build_bits(struct build *b, uint32_t slot, bool taken, bool early)
{
	if (taken || early)
		set_bit(b->idx->taken, slot);
	if (!taken && early) {
		set_bit(b->idx->freed, slot);
		b->idx->freed_epoch = b->epoch;
	}
}

static int build_view(void *ctx, const struct fat_view *view)
{
	struct build *b = ctx;

	if (reach(b->idx, view->slot + view->count))
		return -ENOMEM;
	for (unsigned i = 0; i < view->count; i++) {
		const uint8_t *raw = view->bytes + i * FAT_SLOT_SIZE;
		enum fat_seen seen = fat_dir_step(b->fat, &b->name, raw, &b->found);

		if (seen == FAT_SEEN_END)
			return 1;
		b->idx->end = view->slot + i + 1;
		build_bits(b, view->slot + i, !fat_slot_is_free(raw), !fat_slot_is_free(view->early + i * FAT_SLOT_SIZE));
		b->found.slot = view->slot + i;
		b->found.pos = view->pos + i;
		if (seen == FAT_SEEN_ENTRY && note_name(b->fat, b->idx, &b->found))
			return -ENOMEM;
	}
	return 0;
}

void fat_index_free(struct fat_index *idx)
{
	free(idx->hashes);
	free(idx->slots);
	free(idx->taken);
	free(idx->freed);
	free(idx);
}

size_t fat_index_size(const struct fat_index *idx)
{
	return sizeof(*idx) + idx->cap * (sizeof(*idx->hashes) + sizeof(*idx->slots)) + idx->words * 2 * sizeof(*idx->taken);
}

struct fat_index *fat_index_build(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	struct fat_index *idx = calloc(1, sizeof(*idx));
	struct build b = { .fat = fat_of(vol), .idx = idx, .epoch = fuseblk_epoch(vol) };

	if (!idx)
		return NULL;
	idx->error = fat_dir_scan(vol, dir, 0, build_view, &b);
	return idx;
}
