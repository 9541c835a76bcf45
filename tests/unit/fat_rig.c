// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_rig.c: what table, allocator, chains and maps of FAT need of the rest of
 * the driver, in small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "fat_rig.h"
#include "../lib/chance.h"

struct rig *rig;

uint32_t rig_random(uint32_t below)
{
	return chance(&rig->seed, below);
}

/* ---- the library's volume, as FAT alone needs it ---- */

int fuseblk_device_read(struct fuseblk_volume *vol, void *buf, size_t len, uint64_t off)
{
	return fb_device_read(vol->device, buf, len, off);
}

int fuseblk_device_discard(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	(void)vol;
	(void)off;
	rig->discarded += len;
	return 0;
}

bool fuseblk_can_discard(const struct fuseblk_volume *vol)
{
	(void)vol;
	return rig->can_discard;
}

void fuseblk_freed(struct fuseblk_volume *vol, uint64_t off, uint64_t len)
{
	(void)vol;
	(void)off;
	rig->freed += len;
}

void fuseblk_log(struct fuseblk_volume *vol, enum fuseblk_level level, const char *format, ...)
{
	(void)vol;
	(void)level;
	(void)format;
}

/* ---- inos.c ---- */

void fat_ino_spare_get(struct fat_volume *fat, uint64_t ino, struct fat_spare *spare)
{
	(void)fat;
	*spare = rig->spare[ino - 2];
}

int fat_ino_spare_set(struct fat_volume *fat, uint64_t ino, const struct fat_spare *spare)
{
	(void)fat;
	rig->spare[ino - 2] = *spare;
	return 0;
}

void fat_inos_release_spares(struct fat_volume *fat, bool all)
{
	for (unsigned i = 0; all && i < RIG_FILES; i++) {
		fat_alloc_free_later(fat, rig->spare[i].start, rig->spare[i].count);
		rig->spare[i] = (struct fat_spare){ 0 };
	}
}

void fat_ino_update(struct fat_volume *fat, uint64_t ino, const struct fat_held *held)
{
	(void)fat;
	(void)ino;
	(void)held;
}

/* ---- the image ---- */

uint8_t *rig_bytes(void)
{
	return fb_device_mem_bytes(rig->mem);
}

static uint8_t *raw_at(uint8_t *image, unsigned copy, uint32_t c)
{
	return image + rig->fat.geo.fat_start + copy * rig->fat.geo.fat_size + (uint64_t)c * rig->fat.geo.bits / 8;
}

uint32_t rig_raw(const uint8_t *image, unsigned copy, uint32_t c)
{
	const uint8_t *p = raw_at((uint8_t *)(uintptr_t)image, copy, c);

	switch (rig->fat.geo.bits) {
	case 12:
		return c % 2 ? (uint32_t)(p[0] >> 4 | p[1] << 4) : (uint32_t)(p[0] | (p[1] & 15) << 8);
	case 16:
		return (uint32_t)(p[0] | p[1] << 8);
	default:
		return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
	}
}

void rig_put_raw(uint8_t *image, unsigned copy, uint32_t c, uint32_t raw)
{
	uint8_t *p = raw_at(image, copy, c);

	switch (rig->fat.geo.bits) {
	case 12:
		p[0] = (uint8_t)(c % 2 ? (p[0] & 15) | (raw & 15) << 4 : raw);
		p[1] = (uint8_t)(c % 2 ? raw >> 4 : (p[1] & 0xf0) | raw >> 8);
		break;
	case 32:
		p[2] = (uint8_t)(raw >> 16);
		p[3] = (uint8_t)(raw >> 24);
		/* fall through */
	default:
		p[0] = (uint8_t)raw;
		p[1] = (uint8_t)(raw >> 8);
	}
}

void rig_put_all(uint32_t c, uint32_t raw)
{
	for (unsigned k = 0; k <= rig->fat.geo.fat_copies; k++)
		rig_put_raw(rig_bytes(), k, c, raw);
}

uint32_t rig_eoc(void)
{
	return 0x0fffffff & (uint32_t)((1ull << rig->fat.geo.bits) - 1);
}

struct fat_dirent *rig_entry(uint8_t *image, unsigned i)
{
	return (struct fat_dirent *)(image + rig->fat.geo.root_start) + i;
}

static void set_geometry(struct fat_geometry *geo, const struct rig_shape *s)
{
	uint64_t table = ((uint64_t)s->clusters + 2) * s->bits / 8 + 1;

	*geo = (struct fat_geometry){
		.bits = s->bits, .sector_size = s->sector, .cluster_size = s->sector * s->sectors_per_cluster,
		.clusters = s->clusters, .fat_start = (uint64_t)RIG_RESERVED * s->sector,
		.fat_size = (table + s->sector - 1) / s->sector * s->sector, .fat_copies = s->copies,
		.fsinfo = s->bits == 32 ? s->sector : 0, .has_tail = true, .tail = s->bits == 32 ? 64 : 36,
	};
	while ((1u << geo->cluster_shift) < geo->cluster_size)
		geo->cluster_shift++;
	geo->root_start = geo->fat_start + geo->fat_size * (s->copies + 1);
	geo->data_start = geo->root_start + s->sector;
	geo->volume_size = geo->data_start + ((uint64_t)s->clusters << geo->cluster_shift);
}

static void format(const struct rig_shape *s)
{
	const struct fat_geometry *geo = &rig->fat.geo;
	uint8_t *image = rig_bytes();
	struct fat_fsinfo *info = (struct fat_fsinfo *)(image + geo->fsinfo);

	rig_put_all(0, rig_eoc() & ~7u);
	rig_put_all(1, rig_eoc());
	if (geo->fsinfo) {
		info->magic1 = fat_le32(0x41615252);
		info->magic2 = fat_le32(0x61417272);
		info->magic3 = fat_le32(0xaa550000);
		info->free = fat_le32(s->clusters);
		info->next = fat_le32(2);
	}
	for (unsigned i = 0; i < RIG_FILES; i++) {
		memcpy(rig_entry(image, i)->name, "FILE    BIN", 11);
		rig_entry(image, i)->name[4] = (uint8_t)('0' + i);
		rig_entry(image, i)->attr = FAT_ATTR_ARCHIVE;
	}
	memset(image + geo->data_start, 0xee, geo->volume_size - geo->data_start);
}

static int pre_commit(void *ctx)
{
	return fat_commit(ctx);
}

static void durable(void *ctx, uint64_t epoch)
{
	fat_durable(ctx, epoch);
}

/* ---- opening and closing ---- */

static void load_file(unsigned i)
{
	struct fuseblk_node *node = calloc(1, sizeof(*node) + sizeof(struct fat_node));
	struct fat_node *n = (struct fat_node *)node->data;
	const struct fat_dirent *de = rig_entry(rig_bytes(), i);

	rig->node[i] = node;
	node->ino = i + 2;
	node->vol = &rig->vol;
	pthread_mutex_init(&n->chain_lock, NULL);
	n->pos = rig->fat.geo.root_start / 32 + i;
	n->size = fat_get32(de->size);
	n->attr = de->attr;
	fat_chain_init(&n->chain, fat_entry_start(&rig->fat.geo, de));
}

static void open_parts(void)
{
	struct fb_cache_hooks hooks = { .pre_commit = pre_commit, .durable = durable, .ctx = &rig->vol, .vol = &rig->vol };

	assert_int_equal(fb_cache_new(rig->dev, rig->fat.geo.sector_size, &hooks, &rig->vol.cache), 0);
	pthread_rwlock_init(&rig->fat.entry_lock, NULL);
	atomic_store(&rig->fat.link_epoch, 0);
	atomic_store(&rig->fat.switch_epoch, 0);
	atomic_store(&rig->fat.cut_epoch, 0);
	assert_int_equal(fat_alloc_open(&rig->fat), 0);
	for (unsigned i = 0; i < RIG_FILES; i++)
		load_file(i);
}

static void close_parts(void)
{
	for (unsigned i = 0; i < RIG_FILES; i++) {
		struct fat_node *n = fat_node(rig->node[i]);

		fat_chain_fini(&n->chain);
		pthread_mutex_destroy(&n->chain_lock);
		free(rig->node[i]);
	}
	fat_alloc_close(&rig->fat);
	pthread_rwlock_destroy(&rig->fat.entry_lock);
	fb_cache_free(rig->vol.cache);
}

void rig_open(struct rig *r, const struct rig_shape *shape, uint32_t seed)
{
	memset(r, 0, sizeof(*r));
	rig = r;
	r->seed = seed;
	standin_damage = 0;
	standin_interrupted = false;
	set_geometry(&r->fat.geo, shape);
	r->fat.vol = &r->vol;
	r->fat.options = &r->options;
	r->vol.priv = &r->fat;
	assert_int_equal(fb_device_open_mem(NULL, r->fat.geo.volume_size, shape->sector, &r->mem), 0);
	format(shape);
	assert_int_equal(fb_device_open_fault(r->mem, &r->dev), 0);
	assert_int_equal(fb_device_fault_log(r->dev, &r->log), 0);
	r->vol.device = r->dev;
	open_parts();
}

void rig_reopen(void)
{
	close_parts();
	open_parts();
}

void rig_close(struct rig *r)
{
	close_parts();
	fb_device_close(r->dev);
	fb_write_log_free(r->log);
}

struct fat_node *rig_file(unsigned i)
{
	return fat_node(rig->node[i]);
}

void rig_begin(void)
{
	assert_int_equal(fb_change_begin(rig->vol.cache), 0);
}

void rig_end(void)
{
	fb_change_end(rig->vol.cache);
}

void rig_commit(void)
{
	assert_int_equal(fb_commit(rig->vol.cache), 0);
}

/* ---- cuts ---- */

static void apply(uint8_t *image, const struct fb_write_log_entry *e, unsigned percent)
{
	uint64_t step;

	for (uint64_t at = 0; at < e->len; at += step) {
		uint64_t sector = rig->fat.geo.sector_size;

		step = sector - (e->off + at) % sector;
		if (step > e->len - at)
			step = e->len - at;
		if (rig_random(100) >= percent)
			continue;
		if (e->bytes)
			memcpy(image + e->off + at, e->bytes + at, step);
		else
			memset(image + e->off + at, 0, step);
	}
}

static void try_window(const uint8_t *base, uint8_t *work, size_t from, size_t to, unsigned trials,
		       void (*check)(uint8_t *image))
{
	for (unsigned t = 0; t < trials; t++) {
		size_t stop = from + rig_random((uint32_t)(to - from) + 1);

		memcpy(work, base, rig->fat.geo.volume_size);
		for (size_t i = from; i < stop; i++)
			apply(work, fb_write_log_get(rig->log, i), t ? 20 + rig_random(80) : 100);
		check(work);
	}
}

void rig_cuts(const uint8_t *start, unsigned trials, void (*check)(uint8_t *image))
{
	uint64_t size = rig->fat.geo.volume_size;
	uint8_t *base = malloc(size), *work = malloc(size);
	size_t from = 0, count = fb_write_log_count(rig->log);

	memcpy(base, start, size);
	for (size_t i = 0; i <= count; i++) {
		if (i < count && fb_write_log_get(rig->log, i)->len)
			continue;
		try_window(base, work, from, i, trials, check);
		for (; from < i; from++)
			apply(base, fb_write_log_get(rig->log, from), 100);
		check(base);
		from = i + 1;
	}
	free(base);
	free(work);
}
