// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_entry.c: the entries of one attribute area, as bytes.  Nothing here
 * reads a device or knows of inodes; every offset is checked by
 * e2_xattr_check() before any other function sees the area.
 */
#include <errno.h>
#include <string.h>
#include "xattr.h"

static uint32_t round4(uint32_t n)
{
	return (n + 3) & ~3u;
}

static uint32_t entry_size(uint32_t name_len)
{
	return round4(E2_XATTR_ENTRY_SIZE + name_len);
}

static uint32_t rol(uint32_t v, unsigned bits)
{
	return v << bits | v >> (32 - bits);
}

static const struct e2_xattr_entry *entry_at(const struct e2_xattr_area *area, uint32_t pos)
{
	return (const struct e2_xattr_entry *)(area->bytes + pos);
}

static bool is_end(const struct e2_xattr_area *area, uint32_t pos)
{
	static const uint8_t zeros[4];

	return memcmp(area->bytes + pos, zeros, 4) == 0;
}

/* The end of the entries (the offset behind the terminator), or 0 if there is none inside. */
static uint32_t entries_end(const struct e2_xattr_area *area)
{
	uint32_t pos = area->first;

	while (pos + 4 <= area->size) {
		if (is_end(area, pos))
			return pos + 4;
		if (pos + E2_XATTR_ENTRY_SIZE > area->size)
			return 0;
		pos += entry_size(entry_at(area, pos)->e_name_len);
	}
	return 0;
}

static const char *check_value(const struct e2_xattr_area *area, const struct e2_xattr_entry *e, uint32_t low)
{
	uint32_t size = e2_get32(e->e_value_size), offs = e2_get16(e->e_value_offs);

	if (size > E2_XATTR_VALUE_MAX)
		return "a value is too long";
	if (e2_get32(e->e_value_inum) || !size)
		return NULL;
	if (offs < low || offs > area->size || size > area->size - offs)
		return "a value lies outside";
	return NULL;
}

const char *e2_xattr_check(const struct e2_xattr_area *area)
{
	uint32_t end, pos;

	if (!area->bytes)
		return NULL;
	end = entries_end(area);
	if (!end)
		return "the entries have no end";
	for (pos = area->first; !is_end(area, pos); ) {
		const struct e2_xattr_entry *e = entry_at(area, pos);
		const char *wrong = check_value(area, e, end);

		if (wrong)
			return wrong;
		if (memchr(e->e_name, 0, e->e_name_len))
			return "a name has a zero byte";
		pos += entry_size(e->e_name_len);
	}
	return NULL;
}

bool e2_xattr_next(const struct e2_xattr_area *area, uint32_t *pos, struct e2_xattr_item *item)
{
	const struct e2_xattr_entry *e;

	if (!area->bytes || is_end(area, *pos))
		return false;
	e = entry_at(area, *pos);
	*item = (struct e2_xattr_item){
		.index = e->e_name_index, .name_len = e->e_name_len, .name = e->e_name,
		.size = e2_get32(e->e_value_size), .inum = e2_get32(e->e_value_inum),
		.hash = e2_get32(e->e_hash),
	};
	if (!item->inum && item->size)
		item->value = area->bytes + e2_get16(e->e_value_offs);
	*pos += entry_size(e->e_name_len);
	return true;
}

/* The order of a block's entries: index, length of the name, its bytes. */
static int compare(const struct e2_xattr_item *a, const struct e2_xattr_item *b)
{
	if (a->index != b->index)
		return a->index < b->index ? -1 : 1;
	if (a->name_len != b->name_len)
		return a->name_len < b->name_len ? -1 : 1;
	return memcmp(a->name, b->name, a->name_len);
}

bool e2_xattr_find(const struct e2_xattr_area *area, uint8_t index, const char *name,
		   size_t len, struct e2_xattr_item *item)
{
	struct e2_xattr_item want = { .index = index, .name = name, .name_len = (uint8_t)len }, got;
	uint32_t pos = area->first;

	while (e2_xattr_next(area, &pos, &got)) {
		if (compare(&got, &want) != 0)
			continue;
		*item = got;
		return true;
	}
	return false;
}

static uint32_t name_hash(const struct e2_xattr_item *item)
{
	uint32_t hash = 0;

	for (uint32_t i = 0; i < item->name_len; i++)
		hash = rol(hash, 5) ^ (uint8_t)item->name[i];
	return hash;
}

/* e_hash of an entry: over the name and the value's words, or the hash of the inode with the value. */
static uint32_t entry_hash(const struct e2_xattr_item *item)
{
	uint32_t hash = name_hash(item);

	if (item->inum)
		return rol(hash, 16) ^ item->hash;
	for (uint32_t i = 0; i < item->size; i += 4) {
		e2_le32 word = { { 0 } };

		memcpy(&word, item->value + i, item->size - i < 4 ? item->size - i : 4);
		hash = rol(hash, 16) ^ e2_get32(word);
	}
	return hash;
}

struct builder {
	uint8_t *dst;
	uint32_t low, high;	/* free space */
	bool block;
};

static int put_item(struct builder *b, const struct e2_xattr_item *item, uint32_t hash)
{
	uint32_t need = entry_size(item->name_len), room = b->high - b->low;
	uint32_t vsize = item->inum ? 0 : round4(item->size);
	struct e2_xattr_entry *e = (struct e2_xattr_entry *)(b->dst + b->low);

	if (room < 4 || room - 4 < need || room - 4 - need < vsize)
		return -ENOSPC;
	memset(e, 0, need);
	b->high -= vsize;
	if (vsize) {
		memset(b->dst + b->high, 0, vsize);
		memcpy(b->dst + b->high, item->value, item->size);
		e->e_value_offs = e2_put16((uint16_t)b->high);
	}
	e->e_name_len = item->name_len;
	e->e_name_index = item->index;
	e->e_value_inum = e2_put32(item->inum);
	e->e_value_size = e2_put32(item->size);
	e->e_hash = e2_put32(hash);
	memcpy(e->e_name, item->name, item->name_len);
	b->low += need;
	return 0;
}

static int put_change(struct builder *b, const struct e2_xattr_item *change)
{
	return put_item(b, change, b->block || change->inum ? entry_hash(change) : 0);
}

int e2_xattr_rebuild(const struct e2_xattr_area *area, const struct e2_xattr_item *change,
		     bool remove, uint8_t *dst)
{
	struct builder b = { .dst = dst, .low = area->first, .high = area->size, .block = area->block };
	uint32_t pos = area->first;
	struct e2_xattr_item got;
	bool done = remove;
	int err = 0;

	while (!err && e2_xattr_next(area, &pos, &got)) {
		int order = compare(&got, change);

		if (!done && (order == 0 || (area->block && order > 0))) {
			err = put_change(&b, change);
			done = true;
		}
		if (!err && order != 0)
			err = put_item(&b, &got, got.hash);
	}
	if (!err && !done)
		err = put_change(&b, change);
	if (!err)
		memset(dst + b.low, 0, b.high - b.low);
	return err;
}

ssize_t e2_xattr_room(const struct e2_xattr_area *area, uint8_t index, const char *name, size_t len)
{
	struct e2_xattr_item want = { .index = index, .name = name, .name_len = (uint8_t)len }, got;
	uint32_t pos = area->first, used = 4 + entry_size((uint32_t)len), room = area->size - area->first;

	while (e2_xattr_next(area, &pos, &got)) {
		if (compare(&got, &want) != 0)
			used += entry_size(got.name_len) + (got.inum ? 0 : round4(got.size));
	}
	return used <= room ? (ssize_t)((room - used) & ~3u) : -ENOSPC;
}

bool e2_xattr_is_empty(const struct e2_xattr_area *area)
{
	return !area->bytes || is_end(area, area->first);
}

uint32_t e2_xattr_block_hash(const struct e2_xattr_area *area)
{
	uint32_t hash = 0, pos = area->first;
	struct e2_xattr_item item;

	while (e2_xattr_next(area, &pos, &item)) {
		if (!item.hash)
			return 0;	/* "not to be shared" */
		hash = rol(hash, 16) ^ item.hash;
	}
	return hash;
}

void e2_xattr_header_init(uint8_t *block)
{
	struct e2_xattr_header *h = (struct e2_xattr_header *)block;

	memset(h, 0, sizeof(*h));
	h->h_magic = e2_put32(E2_XATTR_MAGIC);
	h->h_refcount = e2_put32(1);
	h->h_blocks = e2_put32(1);
}

void e2_xattr_header_set_hash(uint8_t *block, uint32_t size)
{
	struct e2_xattr_area area = { block, E2_XATTR_HEADER_SIZE, size, true };

	((struct e2_xattr_header *)block)->h_hash = e2_put32(e2_xattr_block_hash(&area));
}
