/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * htree.c: searching the hash tree of a directory.
 *
 * Block 0 is the root, dressed as a block with "." and ".."; below it are up
 * to two levels of nodes (one without large_dir), dressed as unused entries;
 * below those the leaves, which are ordinary blocks.  An index entry says at
 * which hash its block begins; bit 0 of it tells that names of the same hash
 * are also in the block before.  The depth is bounded and every block number
 * is checked to be neither the root nor past the end, so that a damaged tree
 * cannot make a search run on.  Layout: the kernel's
 * Documentation/filesystems/ext4/directory.rst, "Hash Tree Directories".
 */
#include <errno.h>
#include <string.h>
#include "dir.h"

#define BLOCK_MASK 0x0fffffffu

static uint32_t get32(const uint8_t *block, uint32_t off)
{
	e2_le32 raw;

	memcpy(&raw, block + off, sizeof(raw));
	return e2_get32(raw);
}

static uint16_t get16(const uint8_t *block, uint32_t off)
{
	e2_le16 raw;

	memcpy(&raw, block + off, sizeof(raw));
	return e2_get16(raw);
}

unsigned e2_dx_max_levels(const struct e2_super *sb)
{
	return e2_has_incompat(sb, E2_IN_LARGEDIR) ? 2 : 1;
}

unsigned e2_dx_limit(const struct e2_super *sb, bool root)
{
	return (sb->block_size - (root ? E2_DX_ROOT : E2_DX_NODE)) / 8 - (sb->metadata_csum ? 1 : 0);
}

uint32_t e2_dx_hash(const uint8_t *block, uint32_t base, unsigned i)
{
	return i ? get32(block, base + 8 * i) : 0;	/* the first entry's place holds limit and count */
}

uint32_t e2_dx_block(const uint8_t *block, uint32_t base, unsigned i)
{
	return get32(block, base + 8 * i + 4) & BLOCK_MASK;
}

static int bad(struct e2_inode *dir, uint64_t lblk, const char *what)
{
	return e2_corrupt(dir->sb, dir->ino, "hash tree block %llu: %s",
			  (unsigned long long)lblk, what);
}

/* Limit and count of the frame's block; its order too when it was just read. */
static int check_entries(struct e2_inode *dir, struct e2_dx_frame *f)
{
	const uint8_t *block = f->buf->data;

	f->limit = get16(block, f->base);
	f->count = get16(block, f->base + 2);
	if (f->limit != e2_dx_limit(dir->sb, f->lblk == 0))
		return bad(dir, f->lblk, "wrong number of places");
	if (!f->count || f->count > f->limit)
		return bad(dir, f->lblk, "wrong number of entries");
	if (atomic_load(&f->buf->marks) & E2_MARK_DX)
		return 0;
	for (unsigned i = 2; i < f->count; i++)
		if (e2_dx_hash(block, f->base, i) < e2_dx_hash(block, f->base, i - 1))
			return bad(dir, f->lblk, "entries out of order");
	atomic_fetch_or(&f->buf->marks, E2_MARK_DX);
	return 0;
}

static int check_root(struct e2_inode *dir, struct e2_dx *dx, const uint8_t *block)
{
	const struct e2_super *sb = dir->sb;
	struct e2_dx_info info;
	e2_le16 raw;

	memcpy(&info, block + E2_DX_INFO, sizeof(info));
	memcpy(&raw, block + E2_DENT_MIN + 4, sizeof(raw));
	if (get16(block, 4) != E2_DENT_MIN ||
	    e2_rec_len_get(sb, raw) != sb->block_size - E2_DENT_MIN)
		return bad(dir, 0, "no room for an index");
	if (info.info_length != sizeof(info) || info.unused_flags & 1)
		return bad(dir, 0, "unknown form");
	if (info.levels > e2_dx_max_levels(sb))
		return bad(dir, 0, "too many levels");
	dx->version = info.hash_version + (info.hash_version < 3 && sb->hash_unsigned ? 3u : 0);
	if (!e2_hash_is_known(dx->version) || info.hash_version > 2)
		return bad(dir, 0, "unknown hash");
	dx->levels = info.levels;
	return 0;
}

int e2_dx_open(struct e2_inode *dir, struct e2_dx *dx)
{
	struct e2_dx_frame *f = &dx->frame[0];
	int err;

	*dx = (struct e2_dx){ 0 };
	err = e2_dirblock_get(dir, 0, true, &f->buf);
	if (err)
		return err;
	f->base = E2_DX_ROOT;
	err = check_root(dir, dx, f->buf->data);
	if (!err)
		err = check_entries(dir, f);
	if (err)
		e2_dx_close(dx);
	return err;
}

void e2_dx_close(struct e2_dx *dx)
{
	for (unsigned i = 0; i < E2_DX_LEVELS; i++) {
		fuseblk_buf_put(dx->frame[i].buf);
		dx->frame[i].buf = NULL;
	}
}

/* The last entry at or before @hash. */
static unsigned choose(const struct e2_dx_frame *f, uint32_t hash)
{
	unsigned lo = 1, hi = f->count;

	while (lo < hi) {
		unsigned mid = (lo + hi) / 2;

		if (e2_dx_hash(f->buf->data, f->base, mid) > hash)
			hi = mid;
		else
			lo = mid + 1;
	}
	return lo - 1;
}

/* Load the node that frame @level - 1 points to. */
static int enter(struct e2_inode *dir, struct e2_dx *dx, unsigned level)
{
	const struct e2_dx_frame *up = &dx->frame[level - 1];
	struct e2_dx_frame *f = &dx->frame[level];
	e2_le16 raw;
	int err;

	fuseblk_buf_put(f->buf);
	*f = (struct e2_dx_frame){ .base = E2_DX_NODE };
	f->lblk = e2_dx_block(up->buf->data, up->base, up->at);
	if (!f->lblk)
		return bad(dir, up->lblk, "leads to the root");
	err = e2_dirblock_get(dir, f->lblk, true, &f->buf);
	if (err)
		return err;
	memcpy(&raw, f->buf->data + 4, sizeof(raw));
	if (get32(f->buf->data, 0) || e2_rec_len_get(dir->sb, raw) != dir->sb->block_size)
		return bad(dir, f->lblk, "not an index block");
	return check_entries(dir, f);
}

int e2_dx_seek(struct e2_inode *dir, struct e2_dx *dx, uint32_t hash)
{
	for (unsigned level = 0; ; level++) {
		int err;

		dx->frame[level].at = choose(&dx->frame[level], hash);
		if (level == dx->levels)
			return 0;
		err = enter(dir, dx, level + 1);
		if (err)
			return err;
	}
}

uint64_t e2_dx_leaf(const struct e2_dx *dx)
{
	const struct e2_dx_frame *f = &dx->frame[dx->levels];

	return e2_dx_block(f->buf->data, f->base, f->at);
}

/* The lowest level whose frame has an entry after the present one; -1: none. */
static int next_level(const struct e2_dx *dx)
{
	int level = (int)dx->levels;

	while (level >= 0 && dx->frame[level].at + 1 >= dx->frame[level].count)
		level--;
	return level;
}

uint32_t e2_dx_start(const struct e2_dx *dx)
{
	for (int level = (int)dx->levels; level >= 0; level--) {
		const struct e2_dx_frame *f = &dx->frame[level];

		if (f->at)
			return e2_dx_hash(f->buf->data, f->base, f->at);
	}
	return 0;
}

uint32_t e2_dx_peek(const struct e2_dx *dx)
{
	int level = next_level(dx);
	const struct e2_dx_frame *f = &dx->frame[level < 0 ? 0 : level];

	return level < 0 ? E2_DX_EOF : e2_dx_hash(f->buf->data, f->base, f->at + 1);
}

int e2_dx_next(struct e2_inode *dir, struct e2_dx *dx, uint32_t *start)
{
	int level = next_level(dx), err;

	*start = e2_dx_peek(dx);
	if (level < 0)
		return 0;
	dx->frame[level].at++;
	while ((unsigned)level < dx->levels) {
		err = enter(dir, dx, (unsigned)++level);
		if (err)
			return err;
		dx->frame[level].at = 0;
	}
	return 1;
}
