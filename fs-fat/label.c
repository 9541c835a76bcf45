// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * label.c: the volume's label: an entry of the root directory with the label
 * attribute, and a copy in the boot sector (and FAT32's backup of it), which
 * counts where there is no such entry.
 *
 * A label is 11 bytes of the codepage, in capitals.  It is read without the
 * root's lock: each slot is copied under entry_lock, and the root's chain only
 * ever grows.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <time.h>
#include "dir_impl.h"
#include "name_rules.h"
#include "utf8.h"

#define LABEL_BYTES 11

static const uint8_t no_name[] = "NO NAME    ";

/* ---- bytes of the mount and of the volume ------------------------------------------ */

static unsigned decode_text(const struct fat_names *names, const char *p, size_t len, uint32_t *c)
{
	if (names->io)
		return fat_charset_decode(names->io, (const uint8_t *)p, len, c);
	return fat_utf8_decode((const uint8_t *)p, len, c);
}

static unsigned encode_text(const struct fat_names *names, uint32_t c, uint8_t out[4])
{
	unsigned n = names->io ? fat_charset_encode(names->io, c, out) : fat_utf8_encode(c, out);

	if (n)
		return n;
	out[0] = '?';
	return 1;
}

/* Returns the length without the NUL; what does not fit in @size is left out. */
static size_t to_text(const struct fat_names *names, const uint8_t label[LABEL_BYTES], char *text, size_t size)
{
	uint8_t raw[LABEL_BYTES], one[4];
	size_t len = LABEL_BYTES, used = 0;
	unsigned n, m;
	uint32_t c;

	memcpy(raw, label, sizeof(raw));
	if (raw[0] == FAT_NAME_E5)
		raw[0] = FAT_NAME_DELETED;
	while (len && (raw[len - 1] == ' ' || !raw[len - 1]))
		len--;
	for (size_t i = 0; i < len; i += n) {
		n = fat_charset_decode(names->codepage, raw + i, len - i, &c);
		m = encode_text(names, n && c >= ' ' ? c : '?', one);
		n += !n;
		if (used + m >= size)
			break;
		memcpy(text + used, one, m);
		used += m;
	}
	text[used] = 0;
	return used;
}

static int add_character(const struct fat_names *names, uint32_t c, uint8_t label[LABEL_BYTES], size_t *used)
{
	uint8_t bytes[4];
	unsigned n;

	if (c < ' ' || (c < 0x80 && strchr("\"*+,./:;<=>?[\\]|", (int)c)))
		return -EINVAL;
	n = fat_charset_encode(names->codepage, c, bytes);
	if (!n || *used + n > LABEL_BYTES)
		return -EINVAL;
	if (n == 1)
		bytes[0] = names->upper[bytes[0]];
	memcpy(label + *used, bytes, n);
	*used += n;
	return 0;
}

/* Nothing, and what stands for nothing, gives spaces. */
static int from_text(const struct fat_names *names, const char *text, size_t len, uint8_t label[LABEL_BYTES])
{
	size_t used = 0;
	unsigned n;
	uint32_t c;
	int err;

	memset(label, ' ', LABEL_BYTES);
	while (len && text[len - 1] == ' ')
		len--;
	if (len && text[0] == ' ')
		return -EINVAL;
	for (size_t i = 0; i < len; i += n) {
		n = decode_text(names, text + i, len - i, &c);
		err = n ? add_character(names, c, label, &used) : -EINVAL;
		if (err)
			return err;
	}
	if (!memcmp(label, no_name, LABEL_BYTES))
		memset(label, ' ', LABEL_BYTES);
	if (label[0] == FAT_NAME_DELETED)
		label[0] = FAT_NAME_E5;
	return 0;
}

static bool is_blank(const uint8_t label[LABEL_BYTES])
{
	return !memcmp(label, "           ", LABEL_BYTES);
}

/* ---- the entry ------------------------------------------------------------------------ */

static bool is_label(const struct fat_dirent *de)
{
	return de->name[0] != FAT_NAME_DELETED && (de->attr & (FAT_ATTR_LABEL | FAT_ATTR_DIR)) == FAT_ATTR_LABEL &&
	       (de->attr & FAT_ATTR_LONG_MASK) != FAT_ATTR_LONG;
}

/* 1: *found; 2: the directory ends; 0: neither. */
static int look_in_block(struct fat_volume *fat, uint64_t off, struct fat_dirent *de, uint64_t *found)
{
	uint32_t size = fat->geo.sector_size;
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(fat->vol, off / size, &buf), result = 0;

	if (err)
		return err;
	pthread_rwlock_rdlock(&fat->entry_lock);
	for (uint32_t at = 0; at < size && !result; at += FAT_SLOT_SIZE) {
		memcpy(de, buf->data + at, sizeof(*de));
		result = de->name[0] == FAT_NAME_END ? 2 : is_label(de);
		*found = off + at;
	}
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(buf);
	return result;
}

/* As look_in_block, for @len bytes at @off. */
static int look_in(struct fat_volume *fat, uint64_t off, uint64_t len, struct fat_dirent *de, uint64_t *found)
{
	uint32_t size = fat->geo.sector_size;
	int result = 0;

	fuseblk_buf_prefetch(fat->vol, off / size, (unsigned)(len / size));
	for (uint64_t end = off + len; !result && off < end; off += size)
		result = look_in_block(fat, off, de, found);
	return result;
}

/* The label entry and its device byte offset. 0, -ENOENT, errors. */
static int find_entry(struct fat_volume *fat, struct fat_dirent *de, uint64_t *off)
{
	const struct fat_geometry *geo = &fat->geo;
	uint64_t left = (uint64_t)FAT_DIR_SLOTS * FAT_SLOT_SIZE;
	uint32_t c = geo->root_cluster;
	int result = 0, err = 0;

	if (geo->root_slots)
		result = look_in(fat, geo->root_start, (uint64_t)geo->root_slots * FAT_SLOT_SIZE, de, off);
	while (!geo->root_slots && !result && !err && left && fat_is_cluster(geo, c)) {
		result = look_in(fat, fat_cluster_off(geo, c), geo->cluster_size, de, off);
		left -= left < geo->cluster_size ? left : geo->cluster_size;
		err = result ? 0 : fat_table_get(fat, c, &c);
	}
	if (err || result < 0)
		return err ? err : result;
	return result == 1 ? 0 : -ENOENT;
}

int fat_label_get(struct fat_volume *fat, char *text, size_t size)
{
	uint8_t label[LABEL_BYTES];
	struct fat_dirent de;
	uint64_t off;
	int err = find_entry(fat, &de, &off);

	if (err && err != -ENOENT)
		return err;
	if (!err) {
		to_text(fat->names, de.name, text, size);
		return 0;
	}
	pthread_rwlock_rdlock(&fat->entry_lock);
	memcpy(label, fat->geo.label, sizeof(label));
	pthread_rwlock_unlock(&fat->entry_lock);
	text[0] = 0;
	if (fat->geo.has_tail && memcmp(label, no_name, LABEL_BYTES))
		to_text(fat->names, label, text, size);
	return 0;
}

/* ---- changes ------------------------------------------------------------------------------ */

static void stamp(struct fat_volume *fat, struct fat_dirent *de)
{
	uint16_t time, date;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	fat_time_encode(fat->options->zone, &now, &time, &date, NULL);
	de->mtime = fat_le16(time);
	de->mdate = fat_le16(date);
}

static int write_slot(struct fat_volume *fat, uint64_t off, const void *bytes, size_t len, enum fat_phase phase)
{
	uint32_t size = fat->geo.sector_size;
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(fat->vol, off / size, &buf);

	if (err)
		return err;
	pthread_rwlock_wrlock(&fat->entry_lock);
	fuseblk_buf_write(buf, phase, off % size, bytes, len);
	pthread_rwlock_unlock(&fat->entry_lock);
	fuseblk_buf_put(buf);
	return 0;
}

/*
 * A label is no name: what the index learnt when it was put is forgotten with
 * the whole index, but not which names were removed.
 */
static int add_entry(struct fuseblk_volume *vol, struct fuseblk_node *root, struct fat_dirent *de)
{
	struct fat_name name = { .is_short = true };
	struct fat_node *n = fat_node(root);
	struct fat_removed *removed;
	uint32_t slot;
	uint64_t pos;
	int err = fat_dir_place(vol, root, 1, UINT32_MAX, &slot);

	if (!err)
		err = fat_dir_put(vol, root, slot, &name, de, FAT_PHASE_ADD, &pos);
	removed = n->removed;
	n->removed = NULL;
	fat_index_unload(vol, root);
	n->removed = removed;
	return err;
}

static int set_entry(struct fuseblk_volume *vol, struct fuseblk_node *root, const uint8_t label[LABEL_BYTES])
{
	static const uint8_t deleted = FAT_NAME_DELETED;
	struct fat_volume *fat = fat_of(vol);
	struct fat_dirent de;
	uint64_t off;
	int err = find_entry(fat, &de, &off);
	bool is_there = !err;

	if (err && err != -ENOENT)
		return err;
	if (is_blank(label))
		return is_there ? write_slot(fat, off, &deleted, 1, FAT_PHASE_REMOVE) : 0;
	if (!is_there)
		de = (struct fat_dirent){ .attr = FAT_ATTR_LABEL };
	memcpy(de.name, label, LABEL_BYTES);
	stamp(fat, &de);
	return is_there ? write_slot(fat, off, &de, sizeof(de), FAT_PHASE_FRESH) : add_entry(vol, root, &de);
}

/* Is there, at @sector, a boot sector of this volume's kind? Then the label is written there. */
static int set_boot(struct fat_volume *fat, uint32_t sector, const uint8_t label[LABEL_BYTES])
{
	const struct fat_boot_tail *tail;
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(fat->vol, sector, &buf);

	if (err)
		return err;
	tail = (const struct fat_boot_tail *)(buf->data + fat->geo.tail);
	if (buf->data[510] == 0x55 && buf->data[511] == 0xaa && tail->signature == 0x29)
		fuseblk_buf_write(buf, FAT_PHASE_FRESH, fat->geo.tail + offsetof(struct fat_boot_tail, label),
				  label, LABEL_BYTES);
	fuseblk_buf_put(buf);
	return 0;
}

/* Where FAT32's copy of the boot sector is; 0: nowhere. */
static int backup_sector(struct fat_volume *fat, uint32_t *sector)
{
	const struct fat_boot *boot;
	struct fuseblk_buf *buf;
	int err;

	*sector = 0;
	if (fat->geo.bits != 32)
		return 0;
	err = fuseblk_buf_get(fat->vol, 0, &buf);
	if (err)
		return err;
	boot = (const struct fat_boot *)buf->data;
	if (fat_get16(boot->fat32.backup) < fat_get16(boot->reserved))
		*sector = fat_get16(boot->fat32.backup);
	fuseblk_buf_put(buf);
	return 0;
}

static int set_boots(struct fat_volume *fat, const uint8_t label[LABEL_BYTES])
{
	uint32_t backup;
	int err = backup_sector(fat, &backup);

	if (!err)
		err = set_boot(fat, 0, label);
	if (!err && backup)
		err = set_boot(fat, backup, label);
	if (err)
		return err;
	pthread_rwlock_wrlock(&fat->entry_lock);
	memcpy(fat->geo.label, label, LABEL_BYTES);
	pthread_rwlock_unlock(&fat->entry_lock);
	return 0;
}

int fat_label_set(struct fuseblk_volume *vol, struct fuseblk_node *root, const char *text, size_t len)
{
	struct fat_volume *fat = fat_of(vol);
	uint8_t label[LABEL_BYTES];
	int err = from_text(fat->names, text, len, label);

	if (!err)
		err = set_entry(vol, root, label);
	if (err || !fat->geo.has_tail)
		return err;
	return set_boots(fat, is_blank(label) ? no_name : label);
}
