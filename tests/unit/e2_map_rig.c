// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * e2_map_rig.c: what the file map needs of the rest of the driver, in small.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_map_rig.h"
#include "../lib/chance.h"

struct rig *rig;

uint32_t rig_random(uint32_t below)
{
	return chance(&rig->seed, below);
}

/* ---- super.c, csum.c ---- */

bool e2_block_is_data(const struct e2_super *sb, uint64_t block, uint64_t count)
{
	return count && block >= RIG_DATA && block < sb->blocks_count &&
	       count <= sb->blocks_count - block;
}

static uint32_t sum(const uint8_t *block, uint32_t ino)
{
	uint32_t s = ino;

	for (unsigned i = 0; i < RIG_BS - 4; i++)
		s = s * 31 + block[i];
	return s;
}

void e2_extent_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag,
		     uint8_t *image)
{
	uint32_t s = sum(image, (uint32_t)tag);

	(void)vol;
	(void)block;
	(void)marks;
	memcpy(image + RIG_BS - 4, &s, 4);
}

bool e2_extent_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block)
{
	uint32_t s = sum(block, ei->ino);

	(void)sb;
	return !memcmp(block + RIG_BS - 4, &s, 4);
}

/* ---- balloc.c ---- */

int e2_blocks_alloc(struct e2_super *sb, uint64_t goal, uint32_t *count, bool reserve, uint64_t *block)
{
	uint32_t want = *count, n = 0;
	uint64_t b;

	(void)reserve;
	assert_true(want > 0);
	if (rig->fail_in && !--rig->fail_in)
		return -ENOSPC;
	if (rig->longest && want > rig->longest)
		want = 1 + rig_random(rig->longest);
	if (goal < RIG_DATA || goal >= sb->blocks_count)
		goal = RIG_DATA;
	for (b = goal; rig->used[b]; ) {
		if (++b == sb->blocks_count)
			b = RIG_DATA;
		if (b == goal)
			return -ENOSPC;
	}
	while (n < want && b + n < sb->blocks_count && !rig->used[b + n])
		rig->used[b + n++] = 1;
	fuseblk_buf_invalidate(sb->vol, b, n);
	*count = n;
	*block = b;
	return 0;
}

static void set_used(uint64_t block, uint64_t count, uint8_t state)
{
	for (uint64_t i = block; i < block + count; i++) {
		if (rig->used[i] != 1)
			standin_damage++;
		rig->used[i] = state;
	}
}

void e2_blocks_free(struct e2_super *sb, uint64_t block, uint64_t count)
{
	(void)sb;
	set_used(block, count, 2);
}

void e2_blocks_unalloc(struct e2_super *sb, uint64_t block, uint64_t count)
{
	(void)sb;
	set_used(block, count, 0);
}

static int pre_commit(void *ctx)
{
	(void)ctx;
	for (unsigned i = 0; i < RIG_BLOCKS; i++)
		if (rig->used[i] == 2)
			rig->used[i] = 3;
	return 0;
}

static void durable(void *ctx, uint64_t epoch)
{
	(void)ctx;
	(void)epoch;
	for (unsigned i = 0; i < RIG_BLOCKS; i++)
		if (rig->used[i] == 3)
			rig->used[i] = 0;
}

unsigned rig_used(void)
{
	unsigned n = 0;

	for (unsigned i = RIG_DATA; i < RIG_BLOCKS; i++)
		n += rig->used[i] != 0;
	return n;
}

/* ---- inode.c ---- */

int e2_inode_pin(struct e2_inode *ei, struct fuseblk_buf **pin)
{
	return fuseblk_buf_get(ei->sb->vol, RIG_ITABLE, pin);
}

unsigned e2_map_phase(const struct e2_inode *ei, unsigned phase)
{
	uint64_t epoch = fuseblk_epoch(ei->sb->vol);

	if (ei->new_epoch == epoch)
		return E2_FRESH;
	return ei->removed_epoch == epoch ? E2_REMOVE : phase;
}

int e2_store_map(struct e2_inode *ei, unsigned phase)
{
	struct rig_inode raw = { .size = ei->size, .blocks = ei->blocks, .flags = ei->flags };
	struct fuseblk_buf *buf;
	int r = e2_inode_pin(ei, &buf);

	if (r)
		return r;
	memcpy(raw.i_block, ei->i_block, sizeof(raw.i_block));
	if (phase == E2_REMOVE)
		ei->removed_epoch = fuseblk_epoch(ei->sb->vol);
	fuseblk_buf_write(buf, e2_map_phase(ei, phase), (ei->ino - 1) * 128, &raw, sizeof(raw));
	fuseblk_buf_put(buf);
	return 0;
}

/* ---- xattr_data.c, for one file ---- */

ssize_t e2_xattr_data_get(struct e2_inode *ei, void *buf, size_t size)
{
	(void)ei;
	if (rig->inline_size > 0 && size) {
		if ((size_t)rig->inline_size > size)
			return -ERANGE;
		memcpy(buf, rig->inline_data, (size_t)rig->inline_size);
	}
	return rig->inline_size;
}

int e2_xattr_data_set(struct e2_inode *ei, const void *buf, size_t size)
{
	(void)ei;
	if (size > sizeof(rig->inline_data) || (rig->fail_in && !--rig->fail_in))
		return -ENOSPC;
	memcpy(rig->inline_data, buf, size);
	rig->inline_size = (ssize_t)size;
	return 0;
}

int e2_xattr_data_remove(struct e2_inode *ei)
{
	(void)ei;
	if (rig->inline_size < 0)
		return -ENODATA;
	rig->inline_size = -ENODATA;
	return 0;
}

ssize_t e2_xattr_data_space(struct e2_inode *ei)
{
	(void)ei;
	return sizeof(rig->inline_data);
}

/* ---- the rig ---- */

void rig_open(struct rig *r, uint32_t seed, bool csum)
{
	struct fb_cache_hooks hooks = { .pre_commit = pre_commit, .durable = durable, .vol = &r->vol };

	memset(r, 0, sizeof(*r));
	rig = r;
	r->seed = seed;
	standin_damage = 0;
	assert_int_equal(fb_device_open_mem(NULL, (uint64_t)RIG_BS * RIG_BLOCKS, 512, &r->mem), 0);
	memset((uint8_t *)fb_device_mem_bytes(r->mem) + RIG_DATA * RIG_BS, 0xEE,
	       (RIG_BLOCKS - RIG_DATA) * RIG_BS);
	assert_int_equal(fb_device_open_fault(r->mem, &r->dev), 0);
	assert_int_equal(fb_device_fault_log(r->dev, &r->log), 0);
	r->vol.device = r->dev;
	r->vol.priv = &r->sb;
	assert_int_equal(fb_cache_new(r->dev, RIG_BS, &hooks, &r->vol.cache), 0);
	r->sb = (struct e2_super){ .vol = &r->vol, .block_size = RIG_BS, .block_bits = 10,
		.blocks_count = RIG_BLOCKS, .first_data_block = 1, .blocks_per_group = 8192,
		.inodes_per_group = 128, .inode_size = 256, .incompat = E2_IN_EXTENTS, .metadata_csum = csum,
		.ro_compat = E2_RO_HUGE_FILE };
	for (unsigned i = 0; i < RIG_DATA; i++)
		r->used[i] = 1;
}

struct e2_inode *rig_file(unsigned i, uint32_t mode, bool extents, bool is_new)
{
	struct fuseblk_node *node = calloc(1, sizeof(*node) + sizeof(struct e2_inode));
	struct e2_inode *ei = (struct e2_inode *)node->data;

	rig->node[i] = node;
	node->ino = i + 1;
	node->vol = &rig->vol;
	*ei = (struct e2_inode){ .sb = &rig->sb, .node = node, .ino = i + 1, .mode = (uint16_t)mode };
	pthread_spin_init(&ei->map_lock, 0);
	if (extents)
		e2_map_init(ei);
	rig_begin();
	ei->new_epoch = is_new ? fuseblk_epoch(&rig->vol) : 0;
	assert_int_equal(e2_store_map(ei, E2_ADD), 0);
	rig_end();
	return ei;
}

uint32_t rig_le32(const uint8_t *p)
{
	return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
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

void rig_close(struct rig *r)
{
	for (unsigned i = 0; i < RIG_FILES; i++)
		free(r->node[i]);
	fb_cache_free(r->vol.cache);
	fb_device_close(r->dev);
	fb_write_log_free(r->log);
}
