// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * check_fat.c: reads a FAT volume and finds what is wrong; see fat_tree.h.
 * Shares nothing with the driver but the types of disk.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../../fs-fat/disk.h"
#include "fat_tree.h"

/* ---- the shape ---------------------------------------------------------------- */

static uint32_t cluster_count(const struct fat_shape *s, uint64_t sectors)
{
	return (uint32_t)((sectors * s->sector - s->data_start) / s->cluster);
}

const char *fat_shape_of(const uint8_t *image, size_t size, struct fat_shape *s)
{
	const struct fat_boot *b = (const struct fat_boot *)image;
	uint64_t sectors = fat_get16(b->sectors16), table = fat_get16(b->fat_sectors16);
	bool is_32 = !table;

	if (b->magic[0] != 0x55 || b->magic[1] != 0xaa)
		return "the boot sector has no signature";
	if (!sectors)
		sectors = fat_get32(b->sectors32);
	if (is_32)
		table = fat_get32(b->fat32.fat_sectors);
	*s = (struct fat_shape){ .copies = b->fats, .sector = fat_get16(b->sector_size) };
	s->cluster = s->sector * b->cluster_sectors;
	if (!s->cluster || !sectors || sectors * s->sector > size)
		return "the boot sector's sizes are wrong";
	s->fat_start = (uint64_t)fat_get16(b->reserved) * s->sector;
	s->fat_size = table * s->sector;
	s->root_start = s->fat_start + s->fat_size * s->copies;
	s->root_slots = fat_get16(b->root_entries);
	s->root_cluster = is_32 ? fat_get32(b->fat32.root_cluster) : 0;
	s->data_start = s->root_start + (s->root_slots * 32ull + s->sector - 1) / s->sector * s->sector;
	s->clusters = cluster_count(s, sectors);
	s->bits = is_32 ? 32 : s->clusters < 4085 ? 12 : 16;
	return NULL;
}

uint32_t fat_shape_table(const struct fat_shape *s, const uint8_t *image, unsigned copy, uint32_t c)
{
	const uint8_t *t = image + s->fat_start + copy * s->fat_size;

	switch (s->bits) {
	case 12:
		t += c + c / 2;
		return c % 2 ? (uint32_t)(t[0] >> 4 | t[1] << 4) : (uint32_t)(t[0] | (t[1] & 15) << 8);
	case 16:
		return (uint32_t)(t[2 * c] | t[2 * c + 1] << 8);
	default:
		t += 4ull * c;
		return (t[0] | (uint32_t)t[1] << 8 | (uint32_t)t[2] << 16 | (uint32_t)t[3] << 24) & 0x0fffffff;
	}
}

static bool is_end(const struct fat_shape *s, uint32_t value)
{
	uint32_t top = (uint32_t)((1ull << (s->bits == 32 ? 28 : s->bits)) - 1);

	return value >= (top & ~7u);
}

static bool is_cluster(const struct fat_shape *s, uint32_t c)
{
	return c >= 2 && c - 2 < s->clusters;
}

static const uint8_t *cluster_at(const struct fat_tree *t, uint32_t c)
{
	return t->image + t->shape.data_start + (uint64_t)(c - 2) * t->shape.cluster;
}

/* ---- names ---------------------------------------------------------------------- */

void fat_fold_name(const char *name, char *key, size_t size)
{
	size_t n = 0;

	for (const uint8_t *p = (const uint8_t *)name; *p && n + 2 < size; p++) {
		uint8_t b = *p, next = p[1];

		if (b >= 'A' && b <= 'Z') {
			key[n++] = (char)(b + 32);
		} else if (b == 0xc3 && next >= 0x80 && next <= 0x9e && next != 0x97) {
			key[n++] = (char)b;
			key[n++] = (char)(*++p + 32);
		} else if (b == 0xd0 && next >= 0x90 && next <= 0x9f) {
			key[n++] = (char)b;
			key[n++] = (char)(*++p + 32);
		} else if (b == 0xd0 && next >= 0xa0 && next <= 0xaf) {
			key[n++] = (char)0xd1;
			key[n++] = (char)(*++p - 32);
		} else {
			key[n++] = (char)b;
		}
	}
	key[n] = 0;
}

static size_t put_utf8(char *out, uint32_t u)
{
	if (u < 0x80) {
		out[0] = (char)u;
		return 1;
	}
	if (u < 0x800) {
		out[0] = (char)(0xc0 | u >> 6);
		out[1] = (char)(0x80 | (u & 63));
		return 2;
	}
	out[0] = (char)(0xe0 | u >> 12);
	out[1] = (char)(0x80 | (u >> 6 & 63));
	out[2] = (char)(0x80 | (u & 63));
	return 3;
}

static uint8_t short_sum(const uint8_t name[11])
{
	uint8_t sum = 0;

	for (int i = 0; i < 11; i++)
		sum = (uint8_t)((sum >> 1 | sum << 7) + name[i]);
	return sum;
}

/* One part of the 8.3 name; returns its length. Bytes above ASCII are code page 437's: only told apart. */
static size_t short_part(const uint8_t *from, int len, bool lower, char *out)
{
	size_t n = 0;

	while (len && from[len - 1] == ' ')
		len--;
	for (int i = 0; i < len; i++)
		out[n++] = (char)(lower && from[i] >= 'A' && from[i] <= 'Z' ? from[i] + 32 : from[i]);
	return n;
}

static void short_text(const struct fat_dirent *de, char *out)
{
	size_t n = short_part(de->name, 8, de->lcase & FAT_LCASE_BASE, out);

	if (de->name[8] != ' ') {
		out[n++] = '.';
		n += short_part(de->name + 8, 3, de->lcase & FAT_LCASE_EXT, out + n);
	}
	out[n] = 0;
}

/* Long slots seen on the way to a short entry. */
struct long_name {
	uint16_t units[FAT_LONG_SLOTS * FAT_LONG_UNITS];
	unsigned slots, next;		/* next: sequence number that must come, 0: complete */
	uint8_t sum;
	bool valid;
};

static void long_slot(struct long_name *l, const struct fat_long_slot *s)
{
	unsigned seq = s->seq & 0x1f;
	uint16_t *to;

	if (s->seq & FAT_LONG_LAST) {
		*l = (struct long_name){ .slots = seq, .next = seq, .sum = s->checksum };
		l->valid = seq >= 1 && seq <= FAT_LONG_SLOTS;
	}
	if (!l->valid || seq != l->next || !seq || s->checksum != l->sum) {
		l->valid = false;
		return;
	}
	to = l->units + (seq - 1) * FAT_LONG_UNITS;
	for (int i = 0; i < 5; i++)
		*to++ = fat_get16(s->name1[i]);
	for (int i = 0; i < 6; i++)
		*to++ = fat_get16(s->name2[i]);
	for (int i = 0; i < 2; i++)
		*to++ = fat_get16(s->name3[i]);
	l->next--;
}

static bool long_text(const struct long_name *l, const uint8_t short_name[11], char *out)
{
	size_t n = 0;

	if (!l->valid || l->next || l->sum != short_sum(short_name))
		return false;
	for (unsigned i = 0; i < l->slots * FAT_LONG_UNITS && l->units[i]; i++)
		n += put_utf8(out + n, l->units[i]);
	out[n] = 0;
	return n > 0;
}

/* ---- chains ---------------------------------------------------------------------- */

/* Follow the chain of an entry, or of the root (@who -1), and own its clusters. Returns their number. */
static uint32_t own_chain(struct fat_tree *t, int who, uint32_t c, unsigned *wrong, int *other)
{
	const struct fat_shape *s = &t->shape;
	uint32_t n = 0, value;

	for (;; n++, c = value) {
		if (!is_cluster(s, c)) {
			*wrong |= WRONG_CHAIN;
			return n;
		}
		if (t->owner[c] == who + 2 || n > s->clusters) {
			*wrong |= WRONG_LOOP;
			return n;
		}
		value = fat_shape_table(s, t->image, 0, c);
		if (!value) {
			*wrong |= WRONG_CHAIN;
			return n;
		}
		if (t->owner[c]) {
			*wrong |= WRONG_SHARED;
			*other = t->owner[c] - 2;
		} else {
			t->owner[c] = who + 2;
		}
		if (is_end(s, value))
			return n + 1;
	}
}

/* ---- directories ------------------------------------------------------------------- */

/* Slot @i of a directory, NULL past its end. @cursor: cluster and its number, kept between calls. */
struct slots {
	const struct fat_tree *t;
	const struct fat_dir *dir;
	uint32_t cluster, index, steps;
};

static const struct fat_dirent *slot_at(struct slots *s, uint32_t i)
{
	const struct fat_shape *shape = &s->t->shape;
	uint32_t per_cluster = shape->cluster / 32;

	if (!s->dir->start)
		return i < shape->root_slots ? (const struct fat_dirent *)(s->t->image + shape->root_start) + i : NULL;
	while (s->index < i / per_cluster) {
		s->cluster = fat_shape_table(shape, s->t->image, 0, s->cluster);
		s->index++;
	}
	if (!is_cluster(shape, s->cluster) || s->index > shape->clusters || i >= FAT_DIR_SLOTS)
		return NULL;
	return (const struct fat_dirent *)cluster_at(s->t, s->cluster) + i % per_cluster;
}

static int add_dir(struct fat_tree *t, uint32_t start, int entry)
{
	t->dirs[t->dir_count] = (struct fat_dir){ .start = start, .entry = entry };
	return t->dir_count++;
}

static uint32_t start_of(const struct fat_tree *t, const struct fat_dirent *de)
{
	uint32_t start = fat_get16(de->start);

	return t->shape.bits == 32 ? start | (uint32_t)fat_get16(de->start_high) << 16 : start;
}

static int dir_with_start(const struct fat_tree *t, uint32_t start)
{
	for (int i = 0; i < t->dir_count; i++)
		if (t->dirs[i].start == start)
			return i;
	return -1;
}

static void check_dots(struct fat_tree *t, int dir)
{
	struct fat_dir *d = &t->dirs[dir];
	struct slots s = { .t = t, .dir = d, .cluster = d->start };
	struct fat_entry *e = d->entry < 0 ? NULL : &t->entries[d->entry];
	const struct fat_dirent *one = slot_at(&s, 0), *two = one ? slot_at(&s, 1) : NULL;
	uint32_t up;

	if (!e)
		return;
	if (!two || memcmp(one->name, ".          ", 11) || memcmp(two->name, "..         ", 11) ||
	    !(one->attr & FAT_ATTR_DIR) || !(two->attr & FAT_ATTR_DIR) || start_of(t, one) != d->start) {
		e->wrong |= WRONG_DOTS;
		return;
	}
	d->parent_start = start_of(t, two);
	up = t->dirs[e->dir].start;
	if (t->dirs[e->dir].entry < 0)
		up = 0;
	if (d->parent_start != up)
		e->wrong |= WRONG_PARENT;
}

static void take_file(struct fat_tree *t, int who)
{
	struct fat_entry *e = &t->entries[who];
	uint64_t need = ((uint64_t)e->size + t->shape.cluster - 1) / t->shape.cluster;

	if (e->start)
		e->chain = own_chain(t, who, e->start, &e->wrong, &e->other);
	if (e->chain < need)
		e->wrong |= WRONG_SHORT;
}

static void take_dir(struct fat_tree *t, int who)
{
	struct fat_entry *e = &t->entries[who];
	int known;

	if (!e->start || e->size) {
		e->wrong |= WRONG_FIELDS;
		return;
	}
	known = dir_with_start(t, e->start);
	if (known >= 0) {
		e->wrong |= WRONG_SHARED;
		e->other = t->dirs[known].entry;
		e->child = known;
		return;
	}
	e->chain = own_chain(t, who, e->start, &e->wrong, &e->other);
	if (e->chain)
		e->child = add_dir(t, e->start, who);
}

static void add_entry(struct fat_tree *t, int dir, const struct fat_dirent *de, const struct long_name *l)
{
	struct fat_entry *e = &t->entries[t->count];
	char alias[16];

	if (t->count == FAT_TREE_ENTRIES) {
		t->too_many = true;
		return;
	}
	e->dir = dir;
	e->other = e->child = -1;
	e->chain = 0;
	e->wrong = de->attr & 0xc0 ? WRONG_FIELDS : 0;
	e->is_dir = de->attr & FAT_ATTR_DIR;
	e->start = start_of(t, de);
	e->size = fat_get32(de->size);
	short_text(de, alias);
	e->is_long = long_text(l, de->name, e->name);
	if (!e->is_long)
		strcpy(e->name, alias);
	fat_fold_name(e->name, e->key, sizeof(e->key));
	fat_fold_name(alias, e->alias, sizeof(e->alias));
	if (!strcmp(e->alias, e->key))
		e->alias[0] = 0;
	t->count++;
}

static void read_dir(struct fat_tree *t, int dir)
{
	struct slots s = { .t = t, .dir = &t->dirs[dir], .cluster = t->dirs[dir].start };
	struct long_name l = { .valid = false };
	const struct fat_dirent *de;

	for (uint32_t i = 0; (de = slot_at(&s, i)) && de->name[0] != FAT_NAME_END; i++) {
		if (de->name[0] == FAT_NAME_DELETED) {
			l.valid = false;
			continue;
		}
		if ((de->attr & FAT_ATTR_LONG_MASK) == FAT_ATTR_LONG) {
			long_slot(&l, (const struct fat_long_slot *)de);
			continue;
		}
		if (!(de->attr & FAT_ATTR_LABEL) && de->name[0] != '.')
			add_entry(t, dir, de, &l);
		l.valid = false;
	}
}

static bool same_name(const struct fat_entry *a, const struct fat_entry *b)
{
	return !strcmp(a->key, b->key) || (a->alias[0] && !strcmp(a->alias, b->key)) ||
	       (b->alias[0] && (!strcmp(a->key, b->alias) || !strcmp(a->alias, b->alias)));
}

static void find_twins(struct fat_tree *t, int first)
{
	for (int i = first; i < t->count; i++)
		for (int j = first; j < i; j++)
			if (same_name(&t->entries[i], &t->entries[j])) {
				t->entries[i].wrong |= WRONG_TWICE;
				t->entries[i].other = j;
			}
}

/* ---- the whole ------------------------------------------------------------------------ */

static void count_lost(struct fat_tree *t)
{
	const struct fat_shape *s = &t->shape;
	uint32_t bad = (uint32_t)((1ull << (s->bits == 32 ? 28 : s->bits)) - 9);

	t->lost = 0;
	for (uint32_t c = 2; c < s->clusters + 2; c++) {
		uint32_t value = fat_shape_table(s, t->image, 0, c);

		t->lost += value && value != bad && !t->owner[c];
	}
	t->copies_differ = false;
	for (unsigned k = 1; k < s->copies; k++)
		for (uint32_t c = 2; c < s->clusters + 2; c++)
			if (fat_shape_table(s, t->image, 0, c) != fat_shape_table(s, t->image, k, c))
				t->copies_differ = true;
}

static void allocate(struct fat_tree *t)
{
	if (!t->owner) {
		t->owner = calloc(t->shape.clusters + 2, sizeof(*t->owner));
		t->entries = calloc(FAT_TREE_ENTRIES, sizeof(*t->entries));
		t->dirs = calloc(FAT_TREE_ENTRIES + 1, sizeof(*t->dirs));
	}
	if (!t->owner || !t->entries || !t->dirs)
		abort();
}

void fat_tree_read(struct fat_tree *t, const struct fat_shape *shape, const uint8_t *image)
{
	unsigned wrong = 0;
	int other = -1;

	t->shape = *shape;
	t->image = image;
	allocate(t);
	memset(t->owner, 0, (shape->clusters + 2) * sizeof(*t->owner));
	t->count = t->dir_count = 0;
	t->too_many = false;
	add_dir(t, shape->root_cluster, -1);
	if (shape->root_cluster)
		own_chain(t, -1, shape->root_cluster, &wrong, &other);
	for (int d = 0; d < t->dir_count; d++) {
		int first = t->count;

		check_dots(t, d);
		read_dir(t, d);
		find_twins(t, first);
		for (int i = first; i < t->count; i++) {
			if (t->entries[i].is_dir)
				take_dir(t, i);
			else
				take_file(t, i);
		}
	}
	t->too_many |= wrong != 0;
	count_lost(t);
}

void fat_tree_free(struct fat_tree *t)
{
	free(t->owner);
	free(t->entries);
	free(t->dirs);
}

size_t fat_tree_content(const struct fat_tree *t, const struct fat_entry *e, uint8_t *bytes, size_t size)
{
	uint32_t c = e->start;
	size_t done = 0;

	if (size > e->size)
		size = e->size;
	for (uint32_t i = 0; i < e->chain && done < size; i++) {
		size_t n = size - done < t->shape.cluster ? size - done : t->shape.cluster;

		memcpy(bytes + done, cluster_at(t, c), n);
		done += n;
		c = fat_shape_table(&t->shape, t->image, 0, c);
	}
	return done;
}

void fat_tree_path(const struct fat_tree *t, const struct fat_entry *e, char *path, size_t size)
{
	char below[1024] = "", next[2048];

	for (int depth = 0; e && depth < 20; depth++) {
		int up = t->dirs[e->dir].entry;

		snprintf(next, sizeof(next), "/%.60s%s", e->name, below);
		snprintf(below, sizeof(below), "%.1023s", next);
		e = up < 0 ? NULL : &t->entries[up];
	}
	snprintf(path, size, "%s", below);
}

void fat_tree_explain(const struct fat_tree *t, const struct fat_entry *e, char *text, size_t size)
{
	static const char *const words[] = {
		"leads to a cluster that is free or impossible", "has a loop", "has fewer clusters than its size",
		"shares clusters with", "has the same name as", "has no good dots", "has a \"..\" to elsewhere",
		"has impossible fields",
	};
	size_t n;

	fat_tree_path(t, e, text, size);
	for (unsigned i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		if (e->wrong & 1u << i) {
			n = strlen(text);
			snprintf(text + n, size - n, " %s", words[i]);
		}
	if (e->other >= 0 && e->other < t->count) {
		n = strlen(text);
		snprintf(text + n, size - n, " ");
		fat_tree_path(t, &t->entries[e->other], text + n + 1, size - n - 1);
	}
}
