// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_mutant.c: see fat_mutant.h.  The volume is read by code of its own, which
 * shares nothing with the driver but the structures.
 */
#include <stddef.h>
#include <string.h>
#include "../../fs-fat/disk.h"
#include "fat_mutant.h"

#define MOST_MUTATIONS 8
#define MOST_DIRS 64

uint32_t fat_stream_take(struct fat_stream *s, unsigned bytes)
{
	uint32_t value = 0;

	for (unsigned i = 0; i < bytes && s->left; i++, s->at++, s->left--)
		value |= (uint32_t)*s->at << 8 * i;
	return value;
}

void fat_stream_random(uint64_t seed, uint8_t *bytes, size_t len)
{
	uint64_t x = seed * 0x9e3779b97f4a7c15u + 1;

	for (size_t i = 0; i < len; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		bytes[i] = (uint8_t)(x >> 24);
	}
}

/* ---- a sound volume ------------------------------------------------------------- */

static uint64_t cluster_at(const struct fat_places *p, uint32_t c)
{
	return p->data + (uint64_t)(c - 2) * p->cluster;
}

static uint32_t entry_get(const struct fat_places *p, const uint8_t *volume, uint32_t c)
{
	const uint8_t *at = volume + p->table;
	uint32_t raw;

	if (p->bits == 32) {
		at += 4u * c;
		return (at[0] | at[1] << 8 | at[2] << 16 | (uint32_t)at[3] << 24) & 0x0fffffff;
	}
	if (p->bits == 16)
		return at[2 * c] | (uint32_t)at[2 * c + 1] << 8;
	at += c + c / 2;
	raw = at[0] | (uint32_t)at[1] << 8;
	return c % 2 ? raw >> 4 : raw & 0xfff;
}

static void entry_set(const struct fat_places *p, uint8_t *volume, unsigned copy, uint32_t c, uint32_t value)
{
	uint8_t *at = volume + p->table + copy * p->table_size;

	if (p->bits == 12) {
		at += c + c / 2;
		if (c % 2)
			at[0] = (uint8_t)((at[0] & 0x0f) | value << 4), at[1] = (uint8_t)(value >> 4);
		else
			at[0] = (uint8_t)value, at[1] = (uint8_t)((at[1] & 0xf0) | (value >> 8 & 0x0f));
		return;
	}
	at += c * (p->bits / 8);
	for (unsigned i = 0; i < p->bits / 8; i++)
		at[i] = (uint8_t)(value >> 8 * i);
}

static void add_slots(struct fat_places *p, uint64_t at, uint64_t bytes)
{
	for (uint64_t i = 0; i < bytes && p->slots < FAT_MUTANT_PLACES; i += 32)
		p->slot[p->slots++] = at + i;
}

static uint32_t start_of(const struct fat_places *p, const struct fat_dirent *de)
{
	return fat_get16(de->start) | (p->bits == 32 ? (uint32_t)fat_get16(de->start_high) << 16 : 0);
}

/* Slots of the directory chain at @c; free ones at its end as well. */
static void add_chain(struct fat_places *p, const uint8_t *volume, uint32_t c)
{
	for (unsigned i = 0; i < 8 && c >= 2 && c - 2 < p->clusters; i++) {
		add_slots(p, cluster_at(p, c), p->cluster < 4096 ? p->cluster : 4096);
		c = entry_get(p, volume, c);
	}
}

static void find_dirs(struct fat_places *p, const uint8_t *volume)
{
	unsigned dirs = 0;

	for (unsigned i = 0; i < p->slots && dirs < MOST_DIRS; i++) {
		const struct fat_dirent *de = (const struct fat_dirent *)(volume + p->slot[i]);

		if (!de->name[0] || de->name[0] == FAT_NAME_DELETED || de->name[0] == '.' ||
		    !(de->attr & FAT_ATTR_DIR) || de->attr & FAT_ATTR_LABEL)
			continue;
		add_chain(p, volume, start_of(p, de));
		dirs++;
	}
}

bool fat_places_find(const uint8_t *volume, uint64_t size, struct fat_places *p)
{
	const struct fat_boot *b = (const struct fat_boot *)volume;
	uint32_t sectors = fat_get16(b->sectors16), table = fat_get16(b->fat_sectors16);
	uint64_t root;

	memset(p, 0, sizeof(*p));
	p->sector = fat_get16(b->sector_size);
	p->cluster = p->sector * b->cluster_sectors;
	if (!p->cluster || size < 512)
		return false;
	sectors = sectors ? sectors : fat_get32(b->sectors32);
	table = table ? table : fat_get32(b->fat32.fat_sectors);
	p->table = (uint64_t)fat_get16(b->reserved) * p->sector;
	p->table_size = (uint64_t)table * p->sector;
	p->copies = b->fats;
	root = p->table + p->table_size * p->copies;
	p->data = root + 32u * fat_get16(b->root_entries);
	if (!table || p->data >= size || (uint64_t)sectors * p->sector > size)
		return false;
	p->clusters = (uint32_t)(((uint64_t)sectors * p->sector - p->data) / p->cluster);
	p->bits = !fat_get16(b->fat_sectors16) ? 32 : p->clusters < 4085 ? 12 : 16;
	if (p->bits == 32) {
		p->fsinfo = (uint64_t)fat_get16(b->fat32.fsinfo) * p->sector;
		add_chain(p, volume, fat_get32(b->fat32.root_cluster));
	} else {
		add_slots(p, root, p->data - root < 4096 ? p->data - root : 4096);
	}
	find_dirs(p, volume);
	return p->slots > 0;
}

/* ---- damage ------------------------------------------------------------------------ */

struct damage {
	struct fat_stream *s;
	const struct fat_places *p;
	uint8_t *volume;
	uint64_t size;
};

struct field { uint16_t at, bytes; };

static const struct field boot_fields[] = {
	{ 11, 2 }, { 13, 1 }, { 14, 2 }, { 16, 1 }, { 17, 2 }, { 19, 2 }, { 21, 1 }, { 22, 2 }, { 32, 4 },
	{ 36, 4 }, { 40, 2 }, { 42, 2 }, { 44, 4 }, { 48, 2 }, { 50, 2 }, { 37, 1 }, { 65, 1 }, { 510, 2 },
};

static const struct field slot_fields[] = {
	{ 0, 1 }, { 8, 1 }, { 11, 1 }, { 11, 1 }, { 12, 1 }, { 13, 1 }, { 14, 4 }, { 18, 2 }, { 20, 2 }, { 22, 4 },
	{ 26, 2 }, { 26, 2 }, { 28, 4 }, { 28, 4 }, { 1, 2 }, { 3, 4 },
};

static const struct field info_fields[] = { { 0, 4 }, { 484, 4 }, { 488, 4 }, { 492, 4 }, { 508, 4 } };

/* A number that means something, or any. */
static uint32_t number(struct damage *d)
{
	static const uint32_t edges[] = {
		0, 1, 2, 3, 0x7f, 0x80, 0xe5, 0xff, 0xff7, 0xff8, 0xfff, 0xfff7, 0xffff, 0x10000, 0x7fffffff, 0x80000000,
		0x0ffffff7, 0x0fffffff, 0xfffffff0, 0xffffffff, 0x10, 0x08, 0x0f, 0x2e, 0x40, 0x41, 0x54,
	};
	uint32_t kind = fat_stream_take(d->s, 1), small = fat_stream_take(d->s, 1);

	if (kind < 80)
		return edges[small % (sizeof(edges) / sizeof(edges[0]))];
	if (kind < 160)
		return 2 + small % 64;
	if (kind < 200)
		return d->p->clusters + small % 5 - 1;
	return small | fat_stream_take(d->s, 3) << 8;
}

static void put(struct damage *d, uint64_t at, unsigned bytes, uint32_t value)
{
	for (unsigned i = 0; i < bytes && at + i < d->size; i++)
		d->volume[at + i] = (uint8_t)(value >> 8 * i);
}

static void put_field(struct damage *d, uint64_t base, const struct field *fields, size_t count)
{
	const struct field *f = &fields[fat_stream_take(d->s, 1) % count];

	put(d, base + f->at, f->bytes, number(d));
}
#define PUT_FIELD(d, base, fields) put_field(d, base, fields, sizeof(fields) / sizeof(fields[0]))

static void damage_boot(struct damage *d)
{
	PUT_FIELD(d, 0, boot_fields);
}

/* The clusters that are in use are the first ones. */
static void damage_table(struct damage *d)
{
	uint32_t which = fat_stream_take(d->s, 1), c = fat_stream_take(d->s, 1), value = number(d);
	unsigned copies = which % 4 ? (unsigned)d->p->copies : 1;

	c = which < 8 ? which % 2 : which < 240 ? 2 + c % 96 : 2 + c * 257;
	if (c >= d->p->clusters + 2)
		return;
	for (unsigned i = which % 4 == 1 && copies > 1; i < copies; i++)
		entry_set(d->p, d->volume, i, c, value);
}

static uint64_t some_slot(struct damage *d)
{
	return d->p->slot[fat_stream_take(d->s, 2) % d->p->slots];
}

static void damage_slot(struct damage *d)
{
	PUT_FIELD(d, some_slot(d), slot_fields);
}

/* Two entries lead to one chain. */
static void cross_slots(struct damage *d)
{
	uint64_t from = some_slot(d), to = some_slot(d);

	memcpy(d->volume + to + 26, d->volume + from + 26, 2);
	memcpy(d->volume + to + 20, d->volume + from + 20, 2);
}

static void copy_slots(struct damage *d)
{
	uint64_t from = some_slot(d), to = some_slot(d);
	unsigned count = 1 + fat_stream_take(d->s, 1) % 4;

	for (unsigned i = 0; i < count * 32; i++)
		if (to + i < d->size && from + i < d->size)
			d->volume[to + i] = d->volume[from + i];
}

static void damage_info(struct damage *d)
{
	if (d->p->fsinfo)
		PUT_FIELD(d, d->p->fsinfo, info_fields);
}

static void damage_any(struct damage *d)
{
	uint64_t meta = d->p->data + 16 * d->p->cluster < d->size ? d->p->data + 16 * d->p->cluster : d->size;
	uint64_t at = fat_stream_take(d->s, 4) % meta;

	d->volume[at] = (uint8_t)fat_stream_take(d->s, 1);
}

static void noise(struct damage *d)
{
	uint64_t at = some_slot(d);
	uint8_t bytes[512];

	fat_stream_random(fat_stream_take(d->s, 2), bytes, sizeof(bytes));
	for (size_t i = 0; i < sizeof(bytes) && at + i < d->size; i++)
		d->volume[at + i] = bytes[i];
}

void fat_mutate(struct fat_stream *s, const struct fat_places *places, uint8_t *volume, uint64_t size)
{
	static void (*const kinds[])(struct damage *) = {
		damage_slot, damage_table, damage_slot, damage_table, cross_slots, copy_slots, damage_any, damage_slot,
		damage_table, damage_info, cross_slots, damage_table, damage_slot, damage_any, noise, damage_boot,
	};
	struct damage d = { s, places, volume, size };

	for (unsigned n = 1 + fat_stream_take(s, 1) % MOST_MUTATIONS; n; n--)
		kinds[fat_stream_take(s, 1) % (sizeof(kinds) / sizeof(kinds[0]))](&d);
}
