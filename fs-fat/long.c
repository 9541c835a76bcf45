// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * long.c: the slots of a long name.  They lie before the short entry, the end
 * of the name first, are numbered down to 1, and carry the checksum of the
 * short name; the last 13 units are ended by a 0 and filled with 0xffff
 * (fatgen103, "FAT Long Directory Entries").  Nothing of a slot is believed
 * before the whole set fits together.
 */
#include <string.h>
#include "name.h"

uint8_t fat_short_checksum(const uint8_t short_name[11])
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum << 7 | sum >> 1) + short_name[i]);
	return sum;
}

/* Unit @i of a slot. */
static struct fat_le16 *slot_unit(struct fat_long_slot *slot, unsigned i)
{
	if (i < 5)
		return &slot->name1[i];
	return i < 11 ? &slot->name2[i - 5] : &slot->name3[i - 11];
}

static uint16_t unit_of_name(const uint16_t *units, unsigned len, unsigned i)
{
	if (i < len)
		return units[i];
	return i == len ? 0 : 0xffff;
}

unsigned fat_long_encode(const uint16_t *units, unsigned len, uint8_t checksum,
			 struct fat_long_slot slots[FAT_LONG_SLOTS])
{
	unsigned count = (len + FAT_LONG_UNITS - 1) / FAT_LONG_UNITS;

	for (unsigned seq = count; seq > 0; seq--) {
		struct fat_long_slot *slot = &slots[count - seq];

		memset(slot, 0, sizeof(*slot));
		slot->seq = (uint8_t)(seq == count ? seq | FAT_LONG_LAST : seq);
		slot->attr = FAT_ATTR_LONG;
		slot->checksum = checksum;
		for (unsigned i = 0; i < FAT_LONG_UNITS; i++)
			*slot_unit(slot, i) = fat_le16(unit_of_name(units, len, (seq - 1) * FAT_LONG_UNITS + i));
	}
	return count;
}

/* The end of a name, first on disk: begin with it, whatever was under way. */
static void begin(struct fat_long *name, const struct fat_long_slot *slot)
{
	uint8_t seq = slot->seq & (uint8_t)~FAT_LONG_LAST;

	name->slots = seq <= FAT_LONG_SLOTS ? seq : 0;
	name->next = name->slots;
	name->checksum = slot->checksum;
}

void fat_long_add(struct fat_long *name, const struct fat_long_slot *slot)
{
	struct fat_long_slot copy = *slot;

	if (slot->seq & FAT_LONG_LAST)
		begin(name, slot);
	else if (!name->next || slot->seq != name->next || slot->checksum != name->checksum)
		name->next = name->slots = 0;
	if (!name->next)
		return;
	name->next--;
	for (unsigned i = 0; i < FAT_LONG_UNITS; i++)
		name->units[name->next * FAT_LONG_UNITS + i] = fat_get16(*slot_unit(&copy, i));
}

unsigned fat_long_finish(struct fat_long *name, const uint8_t short_name[11])
{
	unsigned len = 0, max = name->slots * FAT_LONG_UNITS;

	if (!name->slots || name->next || name->checksum != fat_short_checksum(short_name))
		goto none;
	while (len < max && name->units[len])
		len++;
	if (!len || len > FAT_LONG_MAX)
		goto none;
	return len;
none:
	name->slots = 0;
	return 0;
}
