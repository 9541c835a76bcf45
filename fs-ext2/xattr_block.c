// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_block.c: the attribute block of an inode (i_file_acl).  The kernel
 * lets inodes with equal attributes share one, with a count of references.
 * This driver never shares anew: a shared block is left to the others and
 * copied.  A block is changed in place only if no other inode refers to it
 * on the device or in memory.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include "xattr.h"

#define MARK_CSUM_OK	(1ull << 40)	/* the checksum was compared since the block was read */
#define REFCOUNT_OFF	offsetof(struct e2_xattr_header, h_refcount)

/* Guards the read-modify-write of every h_refcount; a leaf but for buffer locks. */
static pthread_mutex_t refcount_lock = PTHREAD_MUTEX_INITIALIZER;

static uint32_t refcount_now(const struct fuseblk_buf *buf)
{
	return e2_get32(((const struct e2_xattr_header *)buf->data)->h_refcount);
}

static uint32_t refcount_early(struct fuseblk_buf *buf)
{
	e2_le32 count;

	fuseblk_buf_read_early(buf, REFCOUNT_OFF, &count, sizeof(count));
	return e2_get32(count);
}

/*
 * The entries are checked at each use: on a damaged volume the block may be
 * part of something else too, and change.
 */
static const char *check_block(struct e2_super *sb, struct fuseblk_buf *buf, const struct e2_xattr_area *area)
{
	const struct e2_xattr_header *h = (const struct e2_xattr_header *)buf->data;

	if (e2_get32(h->h_magic) != E2_XATTR_MAGIC)
		return "no magic number";
	if (e2_get32(h->h_blocks) != 1 || !e2_get32(h->h_refcount))
		return "bad header";
	if (!(atomic_load(&buf->marks) & MARK_CSUM_OK) && !e2_xattr_csum_ok(sb, buf->block, buf->data))
		return "wrong checksum";
	atomic_fetch_or(&buf->marks, MARK_CSUM_OK);
	return e2_xattr_check(area);
}

int e2_xattr_block_load(struct e2_inode *ei, struct e2_xattr_block *bl)
{
	struct e2_super *sb = ei->sb;
	const char *wrong;
	int err;

	*bl = (struct e2_xattr_block){ .area = { NULL, E2_XATTR_HEADER_SIZE, sb->block_size, true } };
	if (!ei->file_acl)
		return 0;
	if (!e2_block_is_data(sb, ei->file_acl, 1))
		return e2_corrupt(sb, ei->ino, "the attribute block %llu is no data block",
				  (unsigned long long)ei->file_acl);
	err = fuseblk_buf_get(sb->vol, ei->file_acl, &bl->buf);
	if (err)
		return err;
	bl->area.bytes = bl->buf->data;
	wrong = check_block(sb, bl->buf, &bl->area);
	if (wrong)
		return e2_corrupt(sb, ei->ino, "attribute block %llu: %s", (unsigned long long)ei->file_acl, wrong);
	return 0;
}

void e2_xattr_block_fini(struct e2_xattr_block *bl)
{
	fuseblk_buf_put(bl->buf);
	bl->buf = NULL;
	bl->area.bytes = NULL;
}

/* May the block be changed where it is: is this inode the only one that knows it, on the device too? */
static bool is_sole(struct fuseblk_buf *buf)
{
	bool sole;

	pthread_mutex_lock(&refcount_lock);
	sole = refcount_now(buf) == 1 && refcount_early(buf) == 1;
	pthread_mutex_unlock(&refcount_lock);
	return sole;
}

static int alloc_block(struct e2_inode *ei, struct fuseblk_buf **out)
{
	struct e2_super *sb = ei->sb;
	uint32_t count = 1;
	uint64_t block;
	int err;

	err = e2_blocks_alloc(sb, ei->file_acl ? ei->file_acl : ei->itable_block, &count,
			      e2_may_use_reserved(sb->vol, ei->uid, ei->gid), &block);
	if (err)
		return err;
	err = fuseblk_buf_new(sb->vol, block, out);
	if (err)
		e2_blocks_unalloc(sb, block, 1);
	return err;
}

int e2_xattr_block_prepare(struct e2_inode *ei, struct e2_xattr_block *bl, bool keep, struct e2_xattr_switch *sw)
{
	*sw = (struct e2_xattr_switch){ .in_place = keep && bl->buf && is_sole(bl->buf) };
	if (!keep || sw->in_place)
		return 0;
	if (!e2_has_compat(ei->sb, E2_COMPAT_EXT_ATTR))
		return -EOPNOTSUPP;	/* e2fsck would take the block away */
	return alloc_block(ei, &sw->fresh);
}

void e2_xattr_block_abort(struct e2_inode *ei, struct e2_xattr_switch *sw)
{
	if (sw->fresh) {
		uint64_t block = sw->fresh->block;

		fuseblk_buf_put(sw->fresh);
		fuseblk_buf_forget(ei->sb->vol, block);
		e2_blocks_free(ei->sb, block, 1);
	}
	*sw = (struct e2_xattr_switch){ 0 };
}

/* This inode no longer refers to the block: the last one frees it. Returns true if this was the last. */
static bool drop_block(struct e2_super *sb, struct fuseblk_buf *buf, unsigned phase)
{
	uint64_t block = buf->block;
	uint32_t count;
	e2_le32 less;

	pthread_mutex_lock(&refcount_lock);
	count = refcount_now(buf);
	if (count > 1) {
		less = e2_put32(count - 1);
		fuseblk_buf_set_fixup(buf, e2_xattr_fixup, 0);
		fuseblk_buf_write(buf, phase, REFCOUNT_OFF, &less, sizeof(less));
	}
	pthread_mutex_unlock(&refcount_lock);
	if (count > 1)
		return false;
	e2_blocks_free(sb, block, 1);
	return true;
}

/* Write the bytes in which the new image differs from the block. */
static void write_changed(struct fuseblk_buf *buf, const uint8_t *bytes, uint32_t size, unsigned phase)
{
	uint32_t low = 0, high = size;

	while (low < size && buf->data[low] == bytes[low])
		low++;
	while (high > low && buf->data[high - 1] == bytes[high - 1])
		high--;
	fuseblk_buf_set_fixup(buf, e2_xattr_fixup, 0);
	if (high > low)
		fuseblk_buf_write(buf, phase, low, bytes + low, high - low);
}

static void fill_fresh(struct e2_super *sb, struct fuseblk_buf *buf, const uint8_t *bytes)
{
	fuseblk_buf_set_fixup(buf, e2_xattr_fixup, 0);
	fuseblk_buf_write(buf, E2_FRESH, 0, bytes, sb->block_size);
	atomic_fetch_or(&buf->marks, MARK_CSUM_OK);
}

int e2_xattr_block_apply(struct e2_inode *ei, struct e2_xattr_block *bl, struct e2_xattr_switch *sw,
			 const uint8_t *bytes, unsigned phase)
{
	struct e2_super *sb = ei->sb;
	int err;

	if (sw->in_place) {
		write_changed(bl->buf, bytes, sb->block_size, phase);
		return 0;
	}
	if (sw->fresh)
		fill_fresh(sb, sw->fresh, bytes);
	if (!bl->buf)
		ei->blocks += sb->block_size / 512;
	else if (!sw->fresh)
		ei->blocks -= ei->blocks < sb->block_size / 512 ? ei->blocks : sb->block_size / 512;
	ei->file_acl = sw->fresh ? sw->fresh->block : 0;
	err = e2_store_file_acl(ei, phase);
	if (bl->buf)
		drop_block(sb, bl->buf, phase);
	fuseblk_buf_put(sw->fresh);
	sw->fresh = NULL;
	return err;
}

int e2_xattr_block_release(struct e2_inode *ei, struct e2_xattr_block *bl, bool *was_last)
{
	uint64_t units = ei->sb->block_size / 512;
	int err;

	ei->blocks -= ei->blocks < units ? ei->blocks : units;
	ei->file_acl = 0;
	err = e2_store_file_acl(ei, E2_REMOVE);
	*was_last = drop_block(ei->sb, bl->buf, E2_REMOVE);
	return err;
}
