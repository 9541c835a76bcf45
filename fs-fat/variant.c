// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * variant.c: entries of the table as FAT12, FAT16 and FAT32 store them.
 *
 * Pure.  Every value that can stand on the disk has one normal form: free,
 * invalid, bad, the end of a chain, or a cluster of the volume.
 *
 * Source: fatgen103, "FAT Data Structure".
 */
#include "space.h"

static uint32_t offset12(uint32_t c)
{
	return c + c / 2;
}

static uint32_t offset16(uint32_t c)
{
	return 2 * c;
}

static uint32_t offset32(uint32_t c)
{
	return 4 * c;
}

static uint32_t get12(const uint8_t *bytes, uint32_t c)
{
	uint32_t both = bytes[0] | (uint32_t)bytes[1] << 8;

	return c & 1 ? both >> 4 : both & 0xfff;
}

static void put12(uint8_t *bytes, uint32_t c, uint32_t raw)
{
	if (c & 1) {
		bytes[0] = (uint8_t)((bytes[0] & 0x0f) | raw << 4);
		bytes[1] = (uint8_t)(raw >> 4);
	} else {
		bytes[0] = (uint8_t)raw;
		bytes[1] = (uint8_t)((bytes[1] & 0xf0) | (raw >> 8 & 0x0f));
	}
}

static uint32_t get16(const uint8_t *bytes, uint32_t c)
{
	(void)c;
	return bytes[0] | (uint32_t)bytes[1] << 8;
}

static void put16(uint8_t *bytes, uint32_t c, uint32_t raw)
{
	(void)c;
	bytes[0] = (uint8_t)raw;
	bytes[1] = (uint8_t)(raw >> 8);
}

static uint32_t get32(const uint8_t *bytes, uint32_t c)
{
	return (get16(bytes, c) | get16(bytes + 2, c) << 16) & 0x0fffffff;
}

/* The top four bits are not the entry's. */
static void put32(uint8_t *bytes, uint32_t c, uint32_t raw)
{
	put16(bytes, c, raw);
	bytes[2] = (uint8_t)(raw >> 16);
	bytes[3] = (uint8_t)((bytes[3] & 0xf0) | (raw >> 24 & 0x0f));
}

static const struct fat_variant variants[] = {
	{ .bits = 12, .mask = 0xfff, .offset = offset12, .span = 2, .get = get12, .put = put12 },
	{ .bits = 16, .mask = 0xffff, .clean = 0x8000, .sound = 0x4000,
	  .offset = offset16, .span = 2, .get = get16, .put = put16 },
	{ .bits = 32, .mask = 0x0fffffff, .clean = 0x08000000, .sound = 0x04000000,
	  .offset = offset32, .span = 4, .get = get32, .put = put32 },
};

const struct fat_variant *fat_variant(unsigned bits)
{
	return &variants[bits == 12 ? 0 : bits == 16 ? 1 : 2];
}

uint32_t fat_variant_normal(const struct fat_variant *v, const struct fat_geometry *geo, uint32_t raw)
{
	if (raw == 0)
		return FAT_FREE;
	if (fat_is_cluster(geo, raw))
		return raw;
	if (raw >= v->mask - 7)
		return FAT_EOC;
	return raw == v->mask - 8 ? FAT_BAD : FAT_INVALID;
}

/* FAT_BAD and FAT_EOC are what FAT32 stores: cut to size, they are the others'. */
uint32_t fat_variant_raw(const struct fat_variant *v, uint32_t value)
{
	return value & v->mask;
}

bool fat_variant_straddles(const struct fat_variant *v, uint32_t sector_size, uint32_t c)
{
	return v->offset(c) % sector_size + v->span > sector_size;
}
