// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir.c: a directory's slots: where they are, scans over its blocks, and
 * names put together from long slots and a short entry.
 *
 * Slots are copied under entry_lock before they are looked at.  Whatever the
 * chain says, a scan ends after FAT_DIR_SLOTS slots.
 */
#include <errno.h>
#include <string.h>
#include "dir_impl.h"

#define FIRST_WINDOW	128u		/* slots read ahead at first; doubled up to: */
#define MOST_WINDOW	4096u

static bool is_fixed(const struct fat_volume *fat, const struct fat_node *n)
{
	return n->is_root && fat->geo.root_slots;
}

uint32_t fat_dir_limit(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	const struct fat_volume *fat = fat_of(vol);

	if (!is_fixed(fat, fat_node(dir)) || fat->geo.root_slots > FAT_DIR_SLOTS)
		return FAT_DIR_SLOTS;
	return fat->geo.root_slots;
}

/* Up to @want slots that lie together from @slot on: their device offset and number. */
static int locate(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, uint32_t want,
		  uint64_t *device, uint32_t *count)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	uint32_t limit = fat_dir_limit(vol, dir);
	uint64_t off = (uint64_t)slot * FAT_SLOT_SIZE, in, together;
	struct fat_run run;
	int err;

	if (slot >= limit)
		return -ENOENT;
	if (want > limit - slot)
		want = limit - slot;
	if (is_fixed(fat_of(vol), fat_node(dir))) {
		*device = geo->root_start + off;
		*count = want;
		return 0;
	}
	in = off & (geo->cluster_size - 1);
	together = (in + (uint64_t)want * FAT_SLOT_SIZE + geo->cluster_size - 1) >> geo->cluster_shift;
	err = fat_chain_find(vol, dir, (uint32_t)(off >> geo->cluster_shift), (uint32_t)together, &run);
	if (err)
		return err;
	*device = fat_cluster_off(geo, run.start) + in;
	together = (((uint64_t)run.count << geo->cluster_shift) - in) / FAT_SLOT_SIZE;
	*count = together < want ? (uint32_t)together : want;
	return 0;
}

int fat_dir_slots(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *slots)
{
	uint32_t slot = 0, count;
	uint64_t device;
	int err;

	for (;;) {
		err = locate(vol, dir, slot, FAT_DIR_SLOTS, &device, &count);
		if (err)
			break;
		slot += count;
	}
	if (err != -ENOENT)
		return err;
	*slots = slot;
	return 0;
}

int fat_dir_size(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t *bytes)
{
	const struct fat_volume *fat = fat_of(vol);
	uint32_t clusters;
	int err;

	if (is_fixed(fat, fat_node(dir))) {
		*bytes = (uint64_t)fat->geo.root_slots * FAT_SLOT_SIZE;
		return 0;
	}
	err = fat_chain_length(vol, dir, &clusters);
	if (!err)
		*bytes = (uint64_t)clusters << fat->geo.cluster_shift;
	return err;
}

int fat_dir_block(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot,
		  struct fuseblk_buf **buf, size_t *off)
{
	uint32_t block_size = fat_of(vol)->geo.sector_size, count;
	uint64_t device;
	int err = locate(vol, dir, slot, 1, &device, &count);

	if (!err)
		err = fuseblk_buf_get(vol, device / block_size, buf);
	if (!err)
		*off = device % block_size;
	return err;
}

uint64_t fat_dir_pos(const struct fuseblk_buf *buf, size_t off, uint32_t block_size)
{
	return (buf->block * block_size + off) / FAT_SLOT_SIZE;
}

static void copy_bytes(struct fat_volume *fat, const struct fuseblk_buf *buf, size_t off, void *to, size_t len)
{
	pthread_rwlock_rdlock(&fat->entry_lock);
	memcpy(to, buf->data + off, len);
	pthread_rwlock_unlock(&fat->entry_lock);
}

/* ---- scans ------------------------------------------------------------------- */

struct scan {
	struct fuseblk_volume *vol;
	fat_view_fn fn;
	void *ctx;
	uint8_t bytes[FAT_BLOCK_MAX], early[FAT_BLOCK_MAX];
};

static int scan_block(struct scan *s, uint64_t device, uint32_t slot, unsigned count)
{
	struct fat_volume *fat = fat_of(s->vol);
	uint32_t block_size = fat->geo.sector_size;
	struct fat_view view = { .slot = slot, .count = count, .pos = device / FAT_SLOT_SIZE,
				 .bytes = s->bytes, .early = s->bytes };
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(s->vol, device / block_size, &buf);

	if (err)
		return err;
	copy_bytes(fat, buf, 0, s->bytes, block_size);
	if (fuseblk_buf_has_later(buf)) {
		fuseblk_buf_read_early(buf, 0, s->early, block_size);
		view.early = s->early;
	}
	fuseblk_buf_put(buf);
	return s->fn(s->ctx, &view);
}

static int scan_window(struct scan *s, uint64_t device, uint32_t slot, uint32_t count)
{
	const struct fat_volume *fat = fat_of(s->vol);
	uint32_t per_block = fat_block_slots(fat);
	int err = 0;

	fuseblk_buf_prefetch(s->vol, device / fat->geo.sector_size, count / per_block);
	while (!err && count) {
		unsigned n = count < per_block ? count : per_block;

		err = scan_block(s, device, slot, n);
		device += fat->geo.sector_size;
		slot += n;
		count -= n;
	}
	return err;
}

/* Where the chain is broken, what comes before is still there, block by block. */
static int locate_window(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, uint32_t want,
			 uint64_t *device, uint32_t *count)
{
	int err = locate(vol, dir, slot, want, device, count);

	return err == -EUCLEAN ? locate(vol, dir, slot, fat_block_slots(fat_of(vol)), device, count) : err;
}

int fat_dir_scan(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t from, fat_view_fn fn, void *ctx)
{
	struct scan s = { .vol = vol, .fn = fn, .ctx = ctx };
	uint32_t window = FIRST_WINDOW, count, slot = from & ~(fat_block_slots(fat_of(vol)) - 1);
	uint64_t device;
	int err;

	do {
		err = locate_window(vol, dir, slot, window, &device, &count);
		if (!err)
			err = scan_window(&s, device, slot, count);
		slot += count;
		if (window < MOST_WINDOW)
			window *= 2;
	} while (!err);
	return err == -ENOENT || err > 0 ? 0 : err;
}

/* ---- names ------------------------------------------------------------------- */

unsigned fat_dir_dots(const struct fat_dirent *de)
{
	static const uint8_t dots[] = "..         ";

	if (!memcmp(de->name, dots, sizeof(de->name)))
		return 2;
	return de->name[0] == '.' && !memcmp(de->name + 1, dots + 2, 9) && de->name[10] == ' ';
}

static void set_units(struct fat_volume *fat, const struct fat_long *name, unsigned len, struct fat_found *found)
{
	found->slots = 1;
	found->len = fat_dir_dots(&found->de);
	if (found->len) {
		found->units[0] = found->units[1] = '.';
	} else if (len) {
		found->slots += name->slots;
		found->len = len;
		memcpy(found->units, name->units, len * sizeof(name->units[0]));
	} else {
		found->len = fat_short_units(fat->names, found->de.name, found->de.lcase, found->units);
	}
}

enum fat_seen fat_dir_step(struct fat_volume *fat, struct fat_long *name, const uint8_t *slot, struct fat_found *found)
{
	enum fat_seen seen = FAT_SEEN_NOTHING;

	if (slot[0] == FAT_NAME_END)
		return FAT_SEEN_END;
	if (slot[0] != FAT_NAME_DELETED && fat_slot_is_long(slot)) {
		struct fat_long_slot part;

		memcpy(&part, slot, sizeof(part));
		fat_long_add(name, &part);
		return FAT_SEEN_NOTHING;
	}
	memcpy(&found->de, slot, sizeof(found->de));
	if (slot[0] != FAT_NAME_DELETED && !(found->de.attr & FAT_ATTR_LABEL)) {
		set_units(fat, name, fat_long_finish(name, found->de.name), found);
		seen = FAT_SEEN_ENTRY;
	}
	*name = (struct fat_long){ .next = 0 };
	return seen;
}

struct walk {
	struct fat_volume *fat;
	uint32_t from;
	fat_visit_fn visit;
	void *ctx;
	struct fat_long name;
	struct fat_found found;
};

static int walk_view(void *ctx, const struct fat_view *view)
{
	struct walk *w = ctx;

	for (unsigned i = 0; i < view->count; i++) {
		enum fat_seen seen = fat_dir_step(w->fat, &w->name, view->bytes + i * FAT_SLOT_SIZE, &w->found);

		if (seen == FAT_SEEN_END)
			return 1;
		if (seen != FAT_SEEN_ENTRY || !w->found.len || view->slot + i < w->from)
			continue;
		w->found.slot = view->slot + i;
		w->found.pos = view->pos + i;
		if (w->visit(w->ctx, &w->found))
			return 1;
	}
	return 0;
}

/* The scan begins early enough for the long slots of the first name. */
int fat_dir_walk(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t from, fat_visit_fn visit, void *ctx)
{
	struct walk w = { .fat = fat_of(vol), .from = from, .visit = visit, .ctx = ctx };

	return fat_dir_scan(vol, dir, from > FAT_LONG_SLOTS ? from - FAT_LONG_SLOTS : 0, walk_view, &w);
}

/* ---- single slots --------------------------------------------------------------- */

/* Slots read one by one, mostly of one block. */
struct reader {
	struct fuseblk_volume *vol;
	struct fuseblk_node *dir;
	struct fuseblk_buf *buf;
	uint32_t block;			/* number of buf in the directory */
};

static int read_slot(struct reader *r, uint32_t slot, void *raw)
{
	struct fat_volume *fat = fat_of(r->vol);
	uint32_t per_block = fat_block_slots(fat), block = slot / per_block;
	size_t off;
	int err;

	if (!r->buf || r->block != block) {
		fuseblk_buf_put(r->buf);
		r->buf = NULL;
		err = fat_dir_block(r->vol, r->dir, slot, &r->buf, &off);
		if (err)
			return err;
		r->block = block;
	}
	copy_bytes(fat, r->buf, (slot % per_block) * FAT_SLOT_SIZE, raw, FAT_SLOT_SIZE);
	return 0;
}

static uint64_t reader_pos(const struct reader *r, uint32_t slot)
{
	const struct fat_volume *fat = fat_of(r->vol);

	return fat_dir_pos(r->buf, (slot % fat_block_slots(fat)) * FAT_SLOT_SIZE, fat->geo.sector_size);
}

int fat_dir_read_slot(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, void *raw, uint64_t *pos)
{
	struct reader r = { .vol = vol, .dir = dir };
	int err = read_slot(&r, slot, raw);

	if (!err)
		*pos = reader_pos(&r, slot);
	fuseblk_buf_put(r.buf);
	return err;
}

/*
 * The long slots before @slot, nearest first, put to the end of @parts.
 * Returns how many up to the one marked last, 0 without it, or an error.
 */
static int read_long(struct reader *r, uint32_t slot, struct fat_long_slot parts[FAT_LONG_SLOTS])
{
	for (unsigned n = 1; n <= FAT_LONG_SLOTS && n <= slot; n++) {
		struct fat_long_slot *part = &parts[FAT_LONG_SLOTS - n];
		int err = read_slot(r, slot - n, part);

		if (err)
			return err;
		if (part->seq == FAT_NAME_DELETED || !fat_slot_is_long((const uint8_t *)part) ||
		    (part->seq & ~FAT_LONG_LAST) != n)
			return 0;
		if (part->seq & FAT_LONG_LAST)
			return (int)n;
	}
	return 0;
}

int fat_dir_read_name(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t slot, struct fat_found *found)
{
	struct reader r = { .vol = vol, .dir = dir };
	struct fat_long_slot parts[FAT_LONG_SLOTS];
	struct fat_long name = { .next = 0 };
	uint8_t raw[FAT_SLOT_SIZE];
	int n, err = read_slot(&r, slot, raw);

	if (err)
		goto out;
	found->slot = slot;
	found->pos = reader_pos(&r, slot);
	err = n = read_long(&r, slot, parts);
	if (n < 0)
		goto out;
	for (; n; n--)
		fat_long_add(&name, &parts[FAT_LONG_SLOTS - n]);
	err = -ENOENT;
	if (!fat_slot_is_free(raw) && !fat_slot_is_long(raw) &&
	    fat_dir_step(fat_of(vol), &name, raw, found) == FAT_SEEN_ENTRY && found->len)
		err = 0;
out:
	fuseblk_buf_put(r.buf);
	return err;
}
