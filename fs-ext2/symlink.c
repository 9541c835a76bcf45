/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * symlink.c: symbolic links: targets of less than 60 bytes in i_block, longer
 * ones in one block with a NUL behind them, and those with inline data.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

#define FAST_MAX (sizeof(((struct e2_inode *)0)->i_block) - 1)

int e2_symlink_check(const struct e2_super *sb, const struct fuseblk_create *what)
{
	if (!what->target || !what->target_len)
		return -ENOENT;
	if (memchr(what->target, '\0', what->target_len))
		return -EINVAL;
	return what->target_len < sb->block_size ? 0 : -ENAMETOOLONG;
}

static int fill_block(struct e2_inode *ei, const char *target, size_t len, bool reserve)
{
	struct e2_super *sb = ei->sb;
	struct fuseblk_buf *buf;
	struct e2_remap map = { 0, 0 };
	uint32_t one = 1;
	int err;

	err = e2_blocks_alloc(sb, ei->itable_block, &one, reserve, &map.pblk);
	if (err)
		return err;
	err = fuseblk_buf_new(sb->vol, map.pblk, &buf);
	if (err) {
		e2_blocks_unalloc(sb, map.pblk, 1);
		return err;
	}
	fuseblk_buf_write(buf, E2_FRESH, 0, target, len);
	fuseblk_buf_put(buf);
	err = e2_map_switch(ei, &map, 1, len);
	if (err) {
		e2_blocks_free(sb, map.pblk, 1);	/* dirty in the cache: not for file data in this epoch */
		fuseblk_buf_forget(sb->vol, map.pblk);
	}
	return err;
}

int e2_symlink_fill(struct e2_inode *ei, const char *target, size_t len, bool reserve)
{
	if (len > FAST_MAX)
		return fill_block(ei, target, len, reserve);
	ei->flags &= ~(E2_FL_EXTENTS | E2_FL_INLINE_DATA);
	memset(ei->i_block, 0, sizeof(ei->i_block));
	memcpy(ei->i_block, target, len);
	ei->size = len;
	return e2_store_map(ei, E2_ADD);
}

/* Old drivers put short targets into blocks, too: then there are blocks that are not an xattr's. */
static bool is_fast(const struct e2_inode *ei)
{
	uint64_t xattr = ei->file_acl ? ei->sb->block_size >> 9 : 0;

	return ei->size <= FAST_MAX && !(ei->flags & E2_FL_EXTENTS) && ei->blocks <= xattr;
}

static int read_block(struct e2_inode *ei, char *target)
{
	struct fuseblk_buf *buf;
	uint64_t pblk;
	int err;

	if (ei->size >= ei->sb->block_size)
		return e2_corrupt(ei->sb, ei->ino, "symbolic link of %llu bytes",
				  (unsigned long long)ei->size);
	err = e2_map_block(ei, 0, &pblk);
	if (err)
		return err;
	if (!pblk || !e2_block_is_data(ei->sb, pblk, 1))
		return e2_corrupt(ei->sb, ei->ino, "symbolic link without a block");
	err = fuseblk_buf_get(ei->sb->vol, pblk, &buf);
	if (err)
		return err;
	memcpy(target, buf->data, ei->size);
	fuseblk_buf_put(buf);
	return 0;
}

static int read_target(struct fuseblk_volume *vol, struct e2_inode *ei, char *target)
{
	if (ei->flags & E2_FL_INLINE_DATA)
		return e2_read_inline(vol, ei->node, target, 0, ei->size);
	if (!is_fast(ei))
		return read_block(ei, target);
	memcpy(target, ei->i_block, ei->size);
	return 0;
}

int e2_readlink(struct fuseblk_volume *vol, struct fuseblk_node *node, char *buf, size_t size)
{
	struct e2_inode *ei = e2_i(node);
	size_t len = ei->size;
	char *target;
	int err;

	if (!S_ISLNK(ei->mode))
		return -EINVAL;
	if (!len || len > ei->sb->block_size)
		return e2_corrupt(ei->sb, ei->ino, "symbolic link of %llu bytes",
				  (unsigned long long)ei->size);
	target = malloc(len);
	if (!target)
		return -ENOMEM;
	err = read_target(vol, ei, target);
	len = strnlen(target, len);
	if (!err)
		memcpy(buf, target, len < size ? len : size);
	free(target);
	return err ? err : (int)(len < size ? len : size);
}
