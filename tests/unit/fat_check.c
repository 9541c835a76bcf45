// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_check.c: see fat_check.h.
 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "fat_check.h"

#define SLOT 32u
#define END 0x0ffffff8u
#define MOST_DEPTH 12
#define MOST_NAMES 512

struct volume {
	const uint8_t *image;
	uint64_t size;
	struct fat_check *out;
	unsigned bits;
	uint32_t sector, cluster_size, clusters, root_cluster, root_slots;
	uint64_t table, root, data;
	uint8_t *used;			/* per cluster */
};

static uint32_t le16(const uint8_t *p)
{
	return p[0] | (uint32_t)p[1] << 8;
}

static uint32_t le32(const uint8_t *p)
{
	return le16(p) | le16(p + 2) << 16;
}

uint64_t check_hash(const uint8_t *bytes, uint64_t len)
{
	uint64_t hash = 1469598103934665603u;

	for (uint64_t i = 0; i < len; i++)
		hash = (hash ^ bytes[i]) * 1099511628211u;
	return hash;
}

static void fatal(struct volume *v, const char *path, const char *what, uint32_t number)
{
	v->out->fatal++;
	snprintf(v->out->why, sizeof(v->out->why), "%.120s: %s %u", path, what, number);
}

static void read_boot(struct volume *v)
{
	const uint8_t *b = v->image;
	uint32_t reserved = le16(b + 14), fats = b[16], per_fat = le16(b + 22), total = le16(b + 19);

	v->sector = le16(b + 11);
	v->cluster_size = v->sector * b[13];
	v->root_slots = le16(b + 17);
	per_fat = per_fat ? per_fat : le32(b + 36);
	total = total ? total : le32(b + 32);
	v->table = (uint64_t)reserved * v->sector;
	v->root = v->table + (uint64_t)fats * per_fat * v->sector;
	v->data = v->root + (v->root_slots * SLOT + v->sector - 1) / v->sector * v->sector;
	v->clusters = (uint32_t)(((uint64_t)total * v->sector - v->data) / v->cluster_size);
	v->bits = le16(b + 22) ? v->clusters < 4085 ? 12 : 16 : 32;
	v->root_cluster = v->bits == 32 ? le32(b + 44) : 0;
}

static uint32_t entry(const struct volume *v, uint32_t c)
{
	const uint8_t *p = v->image + v->table + (uint64_t)c * v->bits / 8;
	uint32_t value;

	if (v->bits == 32)
		return le32(p) & 0x0fffffff;
	value = le16(p);
	if (v->bits == 12)
		value = c % 2 ? value >> 4 : value & 0xfff;
	return value >= (v->bits == 12 ? 0xff7u : 0xfff7u) ? value | (v->bits == 12 ? 0x0ffff000 : 0x0fff0000) : value;
}

/* The chain's clusters in *list (malloc'ed). Returns how many are good. */
static uint32_t follow(struct volume *v, const char *path, uint32_t start, uint32_t **list)
{
	uint32_t n = 0, c = start;
	bool shared = false;

	*list = malloc((v->clusters + 1) * sizeof(**list));
	while (c < END) {
		if (c < 2 || c - 2 >= v->clusters) {
			fatal(v, path, "the chain leads to cluster", c);
			break;
		}
		if (n == v->clusters) {
			fatal(v, path, "the chain goes round from", start);
			break;
		}
		shared |= v->used[c];
		(*list)[n++] = c;
		c = entry(v, c);
	}
	for (uint32_t i = 0; i < n; i++)
		v->used[(*list)[i]] = 1;
	v->out->shared += shared;
	return n;
}

static const uint8_t *cluster(const struct volume *v, uint32_t c)
{
	return v->image + v->data + (uint64_t)(c - 2) * v->cluster_size;
}

/* ---- names ------------------------------------------------------------------------ */

static char shown(uint8_t byte, bool lower)
{
	if (byte >= 0x80)
		return '?';
	return lower && byte >= 'A' && byte <= 'Z' ? (char)(byte + 32) : (char)byte;
}

static void short_text(const uint8_t *slot, char *text)
{
	unsigned n = 0;

	for (unsigned i = 0; i < 11; i++) {
		if (i == 8 && memcmp(slot + 8, "   ", 3))
			text[n++] = '.';
		if (slot[i] != ' ')
			text[n++] = shown(slot[i], slot[12] & (i < 8 ? 8 : 16));
	}
	text[n] = 0;
}

static uint8_t checksum(const uint8_t *name)
{
	uint8_t sum = 0;

	for (unsigned i = 0; i < 11; i++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
	return sum;
}

struct longname { char text[261]; unsigned next; uint8_t sum; };

static void take_long(struct longname *l, const uint8_t *slot)
{
	static const uint8_t at[13] = { 1, 3, 5, 7, 9, 14, 16, 18, 20, 22, 24, 28, 30 };
	unsigned seq = slot[0] & 0x3f;

	if (slot[0] & 0x40) {
		memset(l, 0, sizeof(*l));
		l->next = seq;
		l->sum = slot[13];
	}
	if (!seq || seq > 20 || seq != l->next || slot[13] != l->sum) {
		l->next = 0;
		return;
	}
	for (unsigned i = 0; i < 13; i++) {
		uint32_t unit = le16(slot + at[i]);

		l->text[(seq - 1) * 13 + i] = unit == 0xffff ? 0 : unit < 0x80 ? (char)unit : '?';
	}
	l->next = seq - 1 ? seq - 1 : 99;
}

/* ---- directories --------------------------------------------------------------------- */

static void check_dir(struct volume *v, const char *path, uint32_t start, uint32_t parent, unsigned depth);

static struct checked_file *add_file(struct volume *v, const char *dir, const char *name)
{
	struct checked_file *f;

	if (v->out->count == CHECK_FILES) {
		fatal(v, dir, "more files than", CHECK_FILES);
		return NULL;
	}
	f = &v->out->files[v->out->count++];
	memset(f, 0, sizeof(*f));
	snprintf(f->path, sizeof(f->path), "%.120s%s%.70s", dir, *dir ? "/" : "", name);
	return f;
}

static void check_file(struct volume *v, const char *dir, const char *name, const uint8_t *slot, uint32_t parent, unsigned depth)
{
	struct checked_file *f = add_file(v, dir, name);
	uint32_t *list, n = 0;
	uint8_t *bytes;
	char path[CHECK_PATH];

	if (!f)
		return;
	f->start = le16(slot + 26) | (v->bits == 32 ? le16(slot + 20) << 16 : 0);
	f->size = le32(slot + 28);
	f->is_dir = slot[11] & 0x10;
	snprintf(path, sizeof(path), "%s", f->path);
	if (f->is_dir) {
		check_dir(v, path, f->start, parent, depth + 1);
		return;
	}
	if (f->start)
		n = follow(v, path, f->start, &list);
	bytes = malloc((size_t)n * v->cluster_size + 1);
	for (uint32_t i = 0; i < n; i++)
		memcpy(bytes + (size_t)i * v->cluster_size, cluster(v, list[i]), v->cluster_size);
	f->is_short = (uint64_t)n * v->cluster_size < f->size;
	f->hash = check_hash(bytes, f->is_short ? (uint64_t)n * v->cluster_size : f->size);
	free(bytes);
	if (f->start)
		free(list);
}

struct names { char text[MOST_NAMES][261]; uint8_t raw[MOST_NAMES][11]; unsigned count; };

static void note_name(struct volume *v, struct names *names, const char *dir, const char *name, const uint8_t *raw)
{
	for (unsigned i = 0; i < names->count; i++) {
		v->out->doubled += !strcasecmp(names->text[i], name);
		if (!memcmp(names->raw[i], raw, 11))
			fatal(v, dir, "two entries have one 8.3 name, number", i);
	}
	if (names->count == MOST_NAMES) {
		fatal(v, dir, "more names than", MOST_NAMES);
		return;
	}
	memcpy(names->raw[names->count], raw, 11);
	snprintf(names->text[names->count++], 261, "%s", name);
}

/* ".": true. */
static bool check_dots(struct volume *v, const char *dir, const uint8_t *slot, uint32_t start, uint32_t parent)
{
	uint32_t to = le16(slot + 26) | (v->bits == 32 ? le16(slot + 20) << 16 : 0);

	if (slot[0] != '.')
		return false;
	if (slot[1] == '.')
		v->out->parents += to != parent;
	else if (to != start)
		fatal(v, dir, "\".\" leads to", to);
	return true;
}

static void check_slots(struct volume *v, const char *dir, const uint8_t *slots, uint32_t count, uint32_t start,
			uint32_t parent, unsigned depth)
{
	struct names *names = calloc(1, sizeof(*names));
	struct longname l = { .next = 0 };

	for (uint32_t i = 0; i < count && slots[i * SLOT]; i++) {
		const uint8_t *slot = slots + i * SLOT;
		bool is_long = l.next == 99;
		char text[16];

		if (slot[0] != 0xe5 && (slot[11] & 0x3f) == 0x0f) {
			take_long(&l, slot);
			continue;
		}
		l.next = 0;
		if (slot[0] == 0xe5 || slot[11] & 8 || check_dots(v, dir, slot, start, parent))
			continue;
		short_text(slot, text);
		is_long &= l.sum == checksum(slot);
		note_name(v, names, dir, is_long ? l.text : text, slot);
		check_file(v, dir, is_long ? l.text : text, slot, start, depth);
	}
	free(names);
}

static void check_dir(struct volume *v, const char *path, uint32_t start, uint32_t parent, unsigned depth)
{
	uint32_t *list, n;
	uint8_t *slots;

	if (depth > MOST_DEPTH) {
		fatal(v, path, "deeper than", MOST_DEPTH);
		return;
	}
	n = follow(v, path, start, &list);
	slots = malloc((size_t)n * v->cluster_size + 1);
	for (uint32_t i = 0; i < n; i++)
		memcpy(slots + (size_t)i * v->cluster_size, cluster(v, list[i]), v->cluster_size);
	if (!n || slots[0] != '.' || slots[SLOT] != '.')
		if (depth)
			fatal(v, path, "no dots in directory at", start);
	check_slots(v, path, slots, n * v->cluster_size / SLOT, start == v->root_cluster ? 0 : start, parent, depth);
	free(slots);
	free(list);
}

void fat_check(const uint8_t *image, uint64_t size, struct fat_check *out)
{
	struct volume v = { .image = image, .size = size, .out = out };

	memset(out, 0, offsetof(struct fat_check, files));
	read_boot(&v);
	v.used = calloc(v.clusters + 2, 1);
	if (v.root_slots)
		check_slots(&v, "", image + v.root, v.root_slots, 0, 0, 0);
	else
		check_dir(&v, "", v.root_cluster, 0, 0);
	free(v.used);
}
