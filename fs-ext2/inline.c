// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inline.c: files whose content lies in the inode: 60 bytes in i_block, the
 * rest in the attribute system.data (kernel: ext4/inlinedata.rst).  Inode and
 * attribute are one block of the device, changed in one phase.
 *
 * The size may be larger than the content (mke2fs -d makes such files of
 * zeros): what lies between is a hole.
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

/* How many bytes of content there are. */
static int content(struct e2_inode *ei, uint64_t *len)
{
	ssize_t more = e2_xattr_data_get(ei, NULL, 0);

	if (more < 0 && more != -ENODATA)
		return (int)more;
	*len = ROOT_BYTES + (more > 0 ? (uint64_t)more : 0);
	if (*len > ei->size)
		*len = ei->size;
	return 0;
}

/* The content, @len bytes of it, zero past its end, in a buffer of @room bytes or the 60 of i_block if those are more. */
static int load(struct e2_inode *ei, uint64_t room, uint8_t **out, uint64_t *len)
{
	uint8_t *bytes;
	ssize_t more;
	int r = content(ei, len);

	if (r)
		return r;
	if (room < ROOT_BYTES)
		room = ROOT_BYTES;
	bytes = calloc(1, room + ei->sb->inode_size);
	if (!bytes)
		return -ENOMEM;
	memcpy(bytes, ei->i_block, ROOT_BYTES);
	more = e2_xattr_data_get(ei, bytes + ROOT_BYTES, room + ei->sb->inode_size - ROOT_BYTES);
	if (more < 0 && more != -ENODATA) {
		free(bytes);
		return (int)more;
	}
	memset(bytes + *len, 0, room + ei->sb->inode_size - *len);
	*out = bytes;
	return 0;
}

/* Store @len @bytes as all of the content. -ENOSPC: they do not fit, nothing changed. */
static int store(struct e2_inode *ei, const uint8_t *bytes, uint64_t len, uint64_t size)
{
	size_t more = len > ROOT_BYTES ? (size_t)(len - ROOT_BYTES) : 0;
	struct e2_tx tx;
	int r;

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
	return e2_tx_end(&tx);
}

int e2_read_inline(struct fuseblk_volume *vol, struct fuseblk_node *node, void *buf, uint64_t off,
		   size_t len)
{
	struct e2_inode *ei = e2_i(node);
	uint64_t have;
	uint8_t *bytes;
	int r;

	(void)vol;
	if (off + len > ei->sb->block_size)
		return -EINVAL;
	r = load(ei, off + len, &bytes, &have);
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
	uint64_t have, end = off + len;
	uint8_t *bytes;
	int r;

	(void)vol;
	if (end > ei->sb->block_size)
		return -EINVAL;
	r = load(ei, end, &bytes, &have);
	if (r)
		return r;
	memcpy(bytes + off, buf, len);
	r = store(ei, bytes, end > have ? end : have, end > ei->size ? end : ei->size);
	free(bytes);
	return r;
}

int e2_inline_map(struct e2_inode *ei, uint64_t off, uint64_t len, enum fuseblk_map_mode mode,
		  bool reserve, struct fuseblk_extent *ext, unsigned max)
{
	uint64_t end = off + len, data_end = end;
	unsigned n = 0;
	int r;

	if (mode == FUSEBLK_MAP_WRITE) {
		if (end > capacity(ei))
			return e2_inline_convert(ei, reserve);
	} else {
		r = content(ei, &data_end);
		if (r)
			return r;
		if (data_end > end)
			data_end = end;
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

/* Put @len @bytes into a block of its own, at logical block 0. */
static int move_out(struct e2_tx *tx, const uint8_t *bytes, uint64_t len)
{
	struct e2_inode *ei = tx->ei;
	struct e2_super *sb = ei->sb;
	uint8_t i_block[ROOT_BYTES];
	uint32_t flags = ei->flags;
	struct e2_run run = { .len = 0 };
	int r = 0;

	memcpy(i_block, ei->i_block, sizeof(i_block));
	e2_map_init(ei);
	if (len)
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
	uint64_t len;
	struct e2_tx tx;
	uint8_t *bytes;
	int r;

	r = load(ei, ei->sb->block_size, &bytes, &len);
	if (r)
		return r;
	r = e2_tx_begin(&tx, ei, E2_ADD);
	if (r)
		goto out;
	tx.reserve = reserve;
	r = move_out(&tx, bytes, len);
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
	uint64_t len;
	int r = -ENOSPC;

	if (size <= capacity(ei)) {
		r = load(ei, size, &bytes, &len);
		if (r)
			return r;
		if (len > size)
			memset(bytes + size, 0, len - size);
		r = store(ei, bytes, size, size);
		free(bytes);
	}
	if (r == -ENOSPC)
		return e2_inline_convert(ei, false);
	return r ? r : 1;
}
