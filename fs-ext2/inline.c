// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inline.c: files whose content lies in the inode: 60 bytes in i_block, the
 * rest in the attribute system.data (kernel: ext4/inlinedata.rst).  Inode and
 * attribute are one block of the device, changed in one phase.
 *
 * A file that outgrows the inode gets a block with all of its content, which
 * is on the device before the inode points to it, and never goes back.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "map.h"

#define ROOT_BYTES sizeof(((struct e2_inode *)0)->i_block)

/* How many bytes the inode can hold as content. */
static uint64_t capacity(struct e2_inode *ei)
{
	ssize_t more = e2_xattr_data_space(ei);

	return ROOT_BYTES + (more > 0 ? (uint64_t)more : 0);
}

/* The content, zero past its end, in a buffer of at least @want bytes. */
static int load(struct e2_inode *ei, uint64_t want, uint8_t **out)
{
	ssize_t more = e2_xattr_data_get(ei, NULL, 0);
	uint8_t *bytes;
	uint64_t room;

	if (more == -ENODATA)
		more = 0;
	if (more < 0)
		return (int)more;
	room = ROOT_BYTES + (uint64_t)more;
	bytes = calloc(1, room > want ? room : want);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, ei->i_block, ROOT_BYTES);
	if (more)
		more = e2_xattr_data_get(ei, bytes + ROOT_BYTES, (size_t)more);
	if (more < 0) {
		free(bytes);
		return (int)more;
	}
	*out = bytes;
	return 0;
}

/* Store @bytes as all of the content. -ENOSPC: it does not fit, nothing changed. */
static int store(struct e2_inode *ei, const uint8_t *bytes, uint64_t size)
{
	size_t more = size > ROOT_BYTES ? (size_t)(size - ROOT_BYTES) : 0;
	struct e2_tx tx;
	int r, stored;

	r = e2_tx_begin(&tx, ei, size < ei->size ? E2_REMOVE : E2_ADD);
	if (r)
		return r;
	r = e2_xattr_data_set(ei, bytes + ROOT_BYTES, more);
	if (r) {
		fuseblk_buf_put(tx.pin);
		return r;
	}
	memcpy(ei->i_block, bytes, ROOT_BYTES);
	ei->size = size;
	stored = e2_tx_end(&tx);
	return stored;
}

int e2_read_inline(struct fuseblk_volume *vol, struct fuseblk_node *node, void *buf, uint64_t off,
		   size_t len)
{
	struct e2_inode *ei = e2_i(node);
	uint8_t *bytes;
	int r;

	(void)vol;
	if (off + len > ei->sb->block_size)
		return e2_corrupt(ei->sb, ei->ino, "inline data of %llu bytes",
				  (unsigned long long)ei->size);
	r = load(ei, off + len, &bytes);
	if (r)
		return r;
	memcpy(buf, bytes + off, len);
	free(bytes);
	return 0;
}

int e2_write_inline(struct fuseblk_volume *vol, struct fuseblk_node *node, const void *buf,
		    uint64_t off, size_t len)
{
	struct e2_inode *ei = e2_i(node);
	uint64_t size = off + len > ei->size ? off + len : ei->size;
	uint8_t *bytes;
	int r;

	(void)vol;
	if (size > ei->sb->block_size)
		return e2_corrupt(ei->sb, ei->ino, "inline data of %llu bytes",
				  (unsigned long long)ei->size);
	r = load(ei, size > ROOT_BYTES ? size : ROOT_BYTES, &bytes);
	if (r)
		return r;
	memcpy(bytes + off, buf, len);
	r = store(ei, bytes, size);
	free(bytes);
	return r;
}

int e2_inline_map(struct e2_inode *ei, uint64_t off, uint64_t len, enum fuseblk_map_mode mode,
		  bool reserve, struct fuseblk_extent *ext, unsigned max)
{
	uint64_t end = off + len, data_end = end;
	unsigned n = 0;

	if (mode == FUSEBLK_MAP_WRITE) {
		if (end > capacity(ei))
			return e2_inline_convert(ei, reserve);
	} else if (data_end > ei->size) {
		data_end = ei->size;
	}
	if (off < data_end)
		ext[n++] = (struct fuseblk_extent){ .offset = off, .length = data_end - off,
						    .type = FUSEBLK_EXTENT_INLINE };
	else
		data_end = off;
	if (n < max && data_end < end)
		ext[n++] = (struct fuseblk_extent){ .offset = data_end, .length = end - data_end,
						    .type = FUSEBLK_EXTENT_HOLE };
	return (int)n;
}

/* Put @bytes into a block of its own, at logical block 0. */
static int move_out(struct e2_tx *tx, const uint8_t *bytes)
{
	struct e2_inode *ei = tx->ei;
	struct e2_super *sb = ei->sb;
	uint8_t i_block[ROOT_BYTES];
	uint32_t flags = ei->flags;
	struct e2_run run = { .len = 0 };
	int r = 0;

	memcpy(i_block, ei->i_block, sizeof(i_block));
	e2_map_init(ei);
	if (ei->size)
		r = e2_map_fill(tx, 0, 1, false, &run);
	if (!r && run.len)
		r = fuseblk_device_write(sb->vol, bytes, sb->block_size, run.pblk << sb->block_bits);
	if (!r)
		r = e2_xattr_data_remove(ei);
	if (r == -ENODATA)
		r = 0;
	if (!r)
		return 0;
	if (run.len) {
		e2_blocks_unalloc(sb, run.pblk, run.len);
		ei->blocks -= e2_sectors(sb);
	}
	memcpy(ei->i_block, i_block, sizeof(i_block));
	ei->flags = flags;
	return r;
}

int e2_inline_convert(struct e2_inode *ei, bool reserve)
{
	uint64_t block = ei->sb->block_size;
	struct e2_tx tx;
	uint8_t *bytes;
	int r;

	if (ei->size > block)
		return e2_corrupt(ei->sb, ei->ino, "inline data of %llu bytes",
				  (unsigned long long)ei->size);
	r = load(ei, block, &bytes);
	if (r)
		return r;
	memset(bytes + ei->size, 0, block - ei->size);
	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		goto out;
	tx.reserve = reserve;
	r = move_out(&tx, bytes);
	if (r)
		fuseblk_buf_put(tx.pin);
	else
		r = e2_tx_end(&tx);
out:
	free(bytes);
	return r;
}

int e2_inline_truncate(struct e2_inode *ei, uint64_t size)
{
	uint8_t *bytes;
	uint64_t old = ei->size < size ? ei->size : size;
	int r = -ENOSPC;

	if (size <= capacity(ei)) {
		r = load(ei, size > ROOT_BYTES ? size : ROOT_BYTES, &bytes);
		if (r)
			return r;
		memset(bytes + old, 0, (size > ROOT_BYTES ? size : ROOT_BYTES) - old);
		r = store(ei, bytes, size);
		free(bytes);
	}
	if (r == -ENOSPC)
		return e2_inline_convert(ei, false);
	return r ? r : 1;
}
