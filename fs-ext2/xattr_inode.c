// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_inode.c: values in inodes of their own (feature ea_inode).  Such an
 * inode has no name; i_ctime and i_version hold its count of references and
 * i_atime the checksum of the value.  The kernel lets equal values share one;
 * this driver makes a new one for each value it writes.
 *
 * The order on the device is that of names: the reference is written before
 * the inode comes alive, and it dies before a reference to it is taken away.
 */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/stat.h>
#include "xattr.h"

/* Guards the counts of references; nothing waits for I/O under it but the store of the inode, pinned. */
static pthread_mutex_t count_lock = PTHREAD_MUTEX_INITIALIZER;

static uint64_t count_of(const struct e2_inode *ea)
{
	return (uint64_t)(uint32_t)ea->ctime.tv_sec << 32 | (uint32_t)ea->version;
}

static void set_count(struct e2_inode *ea, uint64_t count)
{
	ea->ctime = (struct timespec){ .tv_sec = (time_t)(count >> 32) };
	ea->version = (uint32_t)count;
}

static uint32_t value_hash(const struct e2_super *sb, const void *value, size_t size)
{
	return e2_crc32c(sb->csum_seed, value, size);
}

/* The node of a value's inode, seen to be one. */
static int value_node(struct e2_inode *ei, uint32_t inum, struct fuseblk_node **out)
{
	struct e2_super *sb = ei->sb;
	struct fuseblk_node *node;
	struct e2_inode *ea;
	int err;

	if (inum == ei->ino || inum < sb->first_ino || inum > sb->inodes_count)
		return e2_corrupt(sb, ei->ino, "an attribute's value is in inode %u, which cannot hold one", inum);
	err = fuseblk_node_get(sb->vol, inum, &node);
	if (err)
		return err == -ESTALE ? e2_corrupt(sb, ei->ino, "inode %u of an attribute's value is not in use", inum) : err;
	ea = e2_i(node);
	if (!S_ISREG(ea->mode) || !(ea->flags & E2_FL_EA_INODE) || ea->flags & E2_FL_INLINE_DATA) {
		fuseblk_node_put(node);
		return e2_corrupt(sb, ei->ino, "inode %u is not one of an attribute's value", inum);
	}
	*out = node;
	return 0;
}

static int read_blocks(struct e2_inode *ea, uint8_t *value, size_t size)
{
	struct e2_super *sb = ea->sb;
	struct fuseblk_buf *buf;
	uint64_t pblk;
	int err;

	for (size_t off = 0; off < size; off += sb->block_size) {
		size_t part = size - off < sb->block_size ? size - off : sb->block_size;

		err = e2_map_block(ea, off / sb->block_size, &pblk);
		if (err)
			return err;
		if (!pblk)
			return e2_corrupt(sb, ea->ino, "the value of an attribute has a hole");
		err = fuseblk_buf_get(sb->vol, pblk, &buf);
		if (err)
			return err;
		memcpy(value + off, buf->data, part);
		fuseblk_buf_put(buf);
	}
	return 0;
}

/* Lustre's older form has the owner's number in i_mtime and generation, and no checksum. */
static bool is_old_form(const struct e2_inode *ea, const struct e2_inode *owner)
{
	return (uint32_t)ea->mtime.tv_sec == owner->ino && ea->generation == owner->generation;
}

int e2_xattr_inode_read(struct e2_inode *ei, const struct e2_xattr_item *item, void *value)
{
	struct fuseblk_node *node;
	struct e2_inode *ea;
	int err;

	err = value_node(ei, item->inum, &node);
	if (err)
		return err;
	ea = e2_i(node);
	if (ea->size != item->size)
		err = e2_corrupt(ei->sb, ei->ino, "inode %u of an attribute's value has a different size", item->inum);
	if (!err)
		err = read_blocks(ea, value, item->size);
	if (!err && !is_old_form(ea, ei) &&
	    (uint32_t)ea->atime.tv_sec != value_hash(ei->sb, value, item->size))
		err = e2_corrupt(ei->sb, ei->ino, "the value in inode %u does not match its checksum", item->inum);
	fuseblk_node_put(node);
	return err;
}

static int write_blocks(struct e2_inode *ea, const uint8_t *value, size_t size)
{
	struct e2_super *sb = ea->sb;
	struct fuseblk_buf *buf;
	uint64_t pblk;
	int err;

	for (size_t off = 0; off < size; off += sb->block_size) {
		size_t part = size - off < sb->block_size ? size - off : sb->block_size;

		err = e2_map_block(ea, off / sb->block_size, &pblk);
		if (!err && !pblk)
			err = -EIO;
		if (!err)
			err = fuseblk_buf_new(sb->vol, pblk, &buf);
		if (err)
			return err;
		fuseblk_buf_write(buf, E2_FRESH, 0, value + off, part);
		fuseblk_buf_put(buf);
	}
	return 0;
}

static int fill_new(struct e2_inode *ea, struct e2_inode *owner, const void *value, size_t size)
{
	struct e2_super *sb = ea->sb;
	uint32_t blocks = (uint32_t)((size + sb->block_size - 1) / sb->block_size);
	int err;

	ea->flags |= E2_FL_EA_INODE;
	ea->uid = owner->uid;
	ea->gid = owner->gid;
	err = e2_map_grow(ea, blocks, size, e2_may_use_reserved(sb->vol, owner->uid, owner->gid));
	if (!err)
		err = write_blocks(ea, value, size);
	if (err)
		return err;
	ea->atime = (struct timespec){ .tv_sec = value_hash(sb, value, size) };
	set_count(ea, 1);
	return e2_store_meta(ea);
}

int e2_xattr_inode_create(struct e2_inode *ei, const void *value, size_t size, struct e2_xattr_item *item,
			  struct fuseblk_node **out)
{
	struct fuseblk_create what = { .mode = S_IFREG | 0600 };
	struct fuseblk_caller who = { .uid = ei->uid, .gid = ei->gid };
	struct fuseblk_node *node;
	int err;

	err = e2_inode_make(ei->sb, ei, &what, &who, 1, &node);
	if (err)
		return err;
	err = fill_new(e2_i(node), ei, value, size);
	if (err) {
		e2_inode_unmake(node);
		return err;
	}
	*out = node;
	item->inum = e2_i(node)->ino;
	item->hash = value_hash(ei->sb, value, size);
	item->value = NULL;
	return 0;
}

int e2_xattr_inode_drop(struct e2_inode *ei, uint32_t inum)
{
	struct fuseblk_node *node;
	struct e2_inode *ea;
	uint64_t count;
	int err;

	err = value_node(ei, inum, &node);
	if (err)
		return err;
	ea = e2_i(node);
	pthread_mutex_lock(&count_lock);
	count = count_of(ea);
	if (count > 1) {
		set_count(ea, count - 1);
		err = e2_store_meta(ea);
	} else if (ea->links) {
		err = e2_links_kill(ea, NULL);
	}
	pthread_mutex_unlock(&count_lock);
	fuseblk_node_changed(node);
	if (!err && count <= 1)
		err = e2_free(ei->sb->vol, node);	/* the kernel never knew it: no forget will come */
	fuseblk_node_put(node);
	return err;
}
