// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * map.c: from bytes of a file to bytes of the device.
 *
 * A file has no holes.  What its chain has beyond the block with its end is
 * garbage, on the device and by definition: reading stops before it, a write
 * begins at the size at most (the library sees to that) and truncate.c zeroes
 * what it adds.
 */
#include <errno.h>
#include "space.h"

struct map {
	struct fuseblk_volume *vol;
	struct fuseblk_node *node;
	const struct fat_geometry *geo;
	uint64_t at, end;
	struct fuseblk_extent *ext;
	unsigned count, max;
};

static int too_short(const struct map *m)
{
	const struct fat_node *n = fat_node(m->node);

	return fuseblk_corrupt(m->vol, fuseblk_ino(m->node), "the chain of clusters is too short for %llu bytes",
			       (unsigned long long)n->size);
}

static uint32_t clusters_to(const struct fat_geometry *geo, uint64_t bytes)
{
	return (uint32_t)((bytes + geo->cluster_size - 1) >> geo->cluster_shift);
}

/* What continues the last extent on the device makes it longer: a run may be known in parts, and the device moves the whole at once. */
static void put_extent(struct map *m, const struct fat_run *run, uint32_t flags)
{
	struct fuseblk_extent *last = m->count ? &m->ext[m->count - 1] : NULL;
	uint64_t skip = m->at - ((uint64_t)run->index << m->geo->cluster_shift);
	uint64_t len = ((uint64_t)run->count << m->geo->cluster_shift) - skip;
	uint64_t device = fat_cluster_off(m->geo, run->start) + skip;

	if (len > m->end - m->at)
		len = m->end - m->at;
	if (last && last->device + last->length == device && last->flags == flags)
		last->length += len;
	else
		m->ext[m->count++] = (struct fuseblk_extent){
			.offset = m->at, .length = len, .device = device, .type = FUSEBLK_EXTENT_MAPPED, .flags = flags,
		};
	m->at += len;
}

/* Allocate from cluster @index on, which must be where the chain ends. */
static int append(struct map *m, uint32_t index, struct fat_run *run)
{
	uint32_t clusters;
	int err = fat_chain_length(m->vol, m->node, &clusters);

	if (!err && clusters != index)
		err = too_short(m);
	return err ? err : fat_chain_append(m->vol, m->node, clusters_to(m->geo, m->end) - index, run);
}

static int map_next(struct map *m, bool write)
{
	uint32_t index = (uint32_t)(m->at >> m->geo->cluster_shift), flags = 0;
	struct fat_run run;
	int err = fat_chain_find(m->vol, m->node, index, clusters_to(m->geo, m->end) - index, &run);

	if (err == -ENOENT && !write)
		return too_short(m);
	if (err == -ENOENT) {
		err = append(m, index, &run);
		flags = FUSEBLK_EXTENT_FRESH;
	}
	if (!err)
		put_extent(m, &run, flags);
	return err;
}

int fat_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	    enum fuseblk_map_mode mode, const struct fuseblk_caller *who, struct fuseblk_extent *ext, unsigned max)
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	struct map m = { .vol = vol, .node = node, .geo = geo, .at = off, .end = off + len, .ext = ext, .max = max };
	uint64_t limit = (fat_node(node)->size + geo->sector_size - 1) / geo->sector_size * geo->sector_size;
	int err = 0;

	(void)who;
	if (mode == FUSEBLK_MAP_READ && off >= limit) {
		*ext = (struct fuseblk_extent){ .offset = off, .length = len, .type = FUSEBLK_EXTENT_HOLE };
		return 1;
	}
	if (mode == FUSEBLK_MAP_READ && m.end > limit)
		m.end = limit;
	while (!err && m.at < m.end && m.count < max)
		err = map_next(&m, mode == FUSEBLK_MAP_WRITE);
	return m.count ? (int)m.count : err;
}

/* The write failed: the chain goes back to what the size needs, if FAT12 lets it at this moment. */
static int give_back(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct fat_node *n = fat_node(node);
	uint32_t keep = clusters_to(&fat_of(vol)->geo, n->size);
	int err = 0;

	if (!n->chain.start || n->chain.clusters <= keep)
		return 0;
	if (!keep)
		err = fat_entry_clear(vol, node);
	else if (n->fresh_epoch != fuseblk_epoch(vol) && fat_table_may(fat_of(vol), FAT_PHASE_CUT))
		return 0;
	return err ? err : fat_chain_cut(vol, node, keep);
}

int fat_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len, uint64_t size)
{
	struct fat_node *n = fat_node(node);
	int err = 0;

	(void)off;
	if (!len)
		return give_back(vol, node);
	if (size > n->size)
		err = fat_entry_set_size(vol, node, size);
	if (!err && !(n->attr & FAT_ATTR_ARCHIVE)) {
		n->attr |= FAT_ATTR_ARCHIVE;
		err = fat_entry_set_meta(vol, node);
	}
	return err;
}
