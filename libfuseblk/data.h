/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * data.h: file data, moved between requests and the device by the driver's
 * map.  All functions take an active, referenced node, unlocked, and do the
 * locking and the change themselves; all may block.
 */
#ifndef FB_DATA_H
#define FB_DATA_H

#include "fuseblk.h"

/* Fills @buf with up to @len bytes from @off; fewer at the end of the file. Returns the count. */
ssize_t fb_data_read(struct fuseblk_node *node, void *buf, size_t len, uint64_t off);
/*
 * The mode of a file whose bytes or owner are changed by somebody who may not
 * keep set-id bits.  @in_group: the file's group is one of theirs, so that
 * set-gid without the group's right to execute stays.
 */
uint32_t fb_mode_without_setid(uint32_t mode, bool in_group);
/* @flags */
#define FB_WRITE_CACHED		0x1u	/* from the writeback cache: keep times, size only grows, no caller */
#define FB_WRITE_KILL_PRIV	0x2u	/* clear set-id bits first */
#define FB_WRITE_KEEP_TIMES	0x4u	/* the kernel has changed the times already and will send them */
ssize_t fb_data_write(struct fuseblk_node *node, const void *buf, size_t len,
		      uint64_t off, uint32_t flags, const struct fuseblk_caller *who);
/* Set the size (truncate or extend with a hole), zeroing the tail. Node locked X, inside a change: a step of SETATTR. */
int fb_data_resize_locked(struct fuseblk_node *node, uint64_t size);
/* fallocate(2) modes: 0, KEEP_SIZE, PUNCH_HOLE|KEEP_SIZE, ZERO_RANGE[|KEEP_SIZE]; others -EOPNOTSUPP. */
int fb_data_fallocate(struct fuseblk_node *node, uint32_t mode, uint64_t off,
		      uint64_t len, const struct fuseblk_caller *who);
/* SEEK_DATA / SEEK_HOLE. -ENXIO past the end. */
int fb_data_seek(struct fuseblk_node *node, uint64_t off, int whence, uint64_t *out);
/* FIBMAP: commits the file first; 0 unless one aligned mapped extent holds the block. */
int fb_data_bmap(struct fuseblk_node *node, uint64_t block, uint32_t block_size, uint64_t *out);
/* copy_file_range inside the volume; overlapping ranges of one file are -EINVAL. Returns the count. */
ssize_t fb_data_copy(struct fuseblk_node *from, uint64_t off_from,
		     struct fuseblk_node *to, uint64_t off_to, uint64_t len,
		     const struct fuseblk_caller *who);

#endif
