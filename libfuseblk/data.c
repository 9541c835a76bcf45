// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * data.c: reading and writing file data by the driver's map.
 *
 * A read holds the node shared until its bytes have moved, so that a block
 * freed meanwhile cannot leak into it.  A write holds it exclusively inside
 * one change: blocks that the change allocates are on the device, filled,
 * before a commit can make anything point to them.  Bytes of a file's last
 * block past its end are kept zero on the device: a write that ends the file
 * pads its block, and a file that grows from inside a block has the rest of
 * that block cleared.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "data.h"
#include "data_impl.h"
#include "device.h"
#include "node.h"
#include "volume.h"
#include "worker.h"

int fb_data_size(struct fuseblk_node *node, uint64_t *size)
{
	struct fuseblk_attr attr;
	int err = node->vol->ops->getattr(node->vol, node, &attr);

	if (!err)
		*size = attr.size;
	return err;
}

static int read_extent(struct fuseblk_node *node, const struct fuseblk_extent *ext, uint8_t *to)
{
	struct fuseblk_volume *vol = node->vol;

	switch (ext->type) {
	case FUSEBLK_EXTENT_MAPPED:
		return fb_device_read(vol->device, to, ext->length, ext->device);
	case FUSEBLK_EXTENT_INLINE:
		return vol->ops->read_inline(vol, node, to, ext->offset, ext->length);
	default:
		memset(to, 0, ext->length);
		return 0;
	}
}

static int read_locked(struct fuseblk_node *node, uint8_t *buf, uint64_t len, uint64_t off)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_extent ext[FB_EXTENTS];
	uint64_t done = 0;

	while (done < len) {
		int n = vol->ops->map(vol, node, off + done, len - done, FUSEBLK_MAP_READ, NULL,
				      ext, FB_EXTENTS);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			int err = read_extent(node, &ext[i], buf + done);

			if (err)
				return err;
			done += ext[i].length;
		}
	}
	return 0;
}

ssize_t fb_data_read(struct fuseblk_node *node, void *buf, size_t len, uint64_t off)
{
	uint64_t size = 0;
	int err;

	fb_rdlock(&node->lock);
	err = fb_data_size(node, &size);
	if (off >= size)
		len = 0;
	else if (len > size - off)
		len = (size_t)(size - off);
	if (!err && len)
		err = read_locked(node, buf, len, off);
	pthread_rwlock_unlock(&node->lock);
	return err ? err : (ssize_t)len;
}

/* A write under way: what it may assume of the file. */
struct write_job {
	struct fuseblk_node *node;
	const struct fuseblk_caller *who;
	uint64_t old_size, new_size;
	uint8_t *block;			/* one block of scratch, made on first need */
};

static int scratch(struct write_job *job)
{
	uint32_t size = job->node->vol->info.block_size;

	if (!job->block && posix_memalign((void **)&job->block, 4096, size)) {
		job->block = NULL;
		return -ENOMEM;
	}
	return 0;
}

/*
 * Write [off, off+len), inside one block, with the bytes of that block
 * before and after it zero on the device afterwards.
 */
static int write_padded(struct write_job *job, const uint8_t *from, uint64_t off, uint64_t len,
			uint64_t device)
{
	struct fuseblk_volume *vol = job->node->vol;
	uint32_t size = vol->info.block_size, head = (uint32_t)(off % size);
	int err = scratch(job);

	if (err)
		return err;
	memset(job->block, 0, size);
	memcpy(job->block + head, from, len);
	return fb_device_write(vol->device, job->block, size, device - head);
}

/* One that is whole, or whose other bytes live on: written as it is, padded past the end of the file. */
static int write_tail(struct write_job *job, const uint8_t *from, uint64_t off, uint64_t len,
		      uint64_t device)
{
	struct fuseblk_volume *vol = job->node->vol;
	uint32_t size = vol->info.block_size;

	if (len % size && off % size == 0 && off + len >= job->old_size)
		return write_padded(job, from, off, len, device);
	return fb_device_write(vol->device, from, len, device);
}

static int write_blank(struct write_job *job, const uint8_t *from, uint64_t off, uint64_t len,
		       uint64_t device)
{
	return len % job->node->vol->info.block_size
		       ? write_padded(job, from, off, len, device)
		       : fb_device_write(job->node->vol->device, from, len, device);
}

/*
 * Write into an extent: a partial first block, whole blocks, a partial last
 * block.  The rest of the partial blocks is garbage (blank extents) or lives.
 */
static int write_extent(struct write_job *job, const struct fuseblk_extent *ext, const uint8_t *from)
{
	struct fuseblk_volume *vol = job->node->vol;
	bool blank = (ext->flags & FUSEBLK_EXTENT_FRESH) || ext->type == FUSEBLK_EXTENT_UNWRITTEN;
	uint32_t size = vol->info.block_size;
	uint64_t head = ext->offset % size ? size - ext->offset % size : 0;
	uint64_t middle, tail, at = 0;
	int err = 0;

	if (ext->type == FUSEBLK_EXTENT_INLINE)
		return vol->ops->write_inline(vol, job->node, from, ext->offset, ext->length);
	if (ext->type == FUSEBLK_EXTENT_HOLE)
		return fuseblk_corrupt(vol, job->node->ino, "a hole where blocks were to be allocated");
	if (head > ext->length)
		head = ext->length;
	middle = (ext->length - head) / size * size;
	tail = ext->length - head - middle;
	if (head)
		err = blank ? write_padded(job, from, ext->offset, head, ext->device)
			    : fb_device_write(vol->device, from, head, ext->device);
	at = head;
	if (!err && middle)
		err = fb_device_write(vol->device, from + at, middle, ext->device + at);
	at += middle;
	if (!err && tail)
		err = (blank ? write_blank : write_tail)(job, from + at, ext->offset + at, tail,
							 ext->device + at);
	return err;
}

static int write_extents(struct write_job *job, const uint8_t *buf, uint64_t len, uint64_t off,
			 uint64_t *done)
{
	struct fuseblk_volume *vol = job->node->vol;
	struct fuseblk_extent ext[FB_EXTENTS];

	while (*done < len) {
		uint64_t at = off + *done, moved = 0, size;
		int n = vol->ops->map(vol, job->node, at, len - *done, FUSEBLK_MAP_WRITE, job->who,
				      ext, FB_EXTENTS);
		int err = n < 0 ? n : 0;

		for (int i = 0; !err && i < n; i++) {
			err = write_extent(job, &ext[i], buf + *done + moved);
			moved += ext[i].length;
		}
		if (n < 0)
			return err;
		fb_cache_data_written(vol->cache);
		size = at + moved > job->old_size ? at + moved : job->old_size;
		if (err) {
			vol->ops->written(vol, job->node, at, 0, job->old_size);
			return err;
		}
		err = vol->ops->written(vol, job->node, at, moved, size);
		if (err)
			return err;
		job->old_size = size;
		*done += moved;
	}
	return 0;
}

int fb_data_clear_tail(struct fuseblk_node *node, uint64_t size)
{
	struct fuseblk_volume *vol = node->vol;
	uint32_t block = vol->info.block_size;
	struct fuseblk_extent ext;
	uint64_t rest = size % block ? block - size % block : 0;
	int n;

	if (!rest)
		return 0;
	n = vol->ops->map(vol, node, size, rest, FUSEBLK_MAP_READ, NULL, &ext, 1);
	if (n < 0 || ext.type != FUSEBLK_EXTENT_MAPPED)
		return n < 0 ? n : 0;
	fb_cache_data_written(vol->cache);
	return fb_device_zero(vol->device, ext.device, ext.length);
}

uint32_t fb_mode_without_setid(uint32_t mode, bool in_group)
{
	if (S_ISDIR(mode))
		return mode;
	mode &= ~(uint32_t)S_ISUID;
	if ((mode & S_IXGRP) || !in_group)
		mode &= ~(uint32_t)S_ISGID;
	return mode;
}

int fb_data_modified(struct fuseblk_node *node, uint32_t flags, const struct fuseblk_caller *who)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_attr attr;
	uint32_t valid = 0, mode;
	int err = vol->ops->getattr(vol, node, &attr);

	if (err)
		return err;
	mode = fb_mode_without_setid(attr.mode, who && who->gid == attr.gid);
	if ((flags & FB_WRITE_KILL_PRIV) && mode != attr.mode) {
		attr.mode = mode;
		valid |= FUSEBLK_SET_MODE | FUSEBLK_SET_CTIME;
	}
	if (!(flags & (FB_WRITE_CACHED | FB_WRITE_KEEP_TIMES)))
		valid |= FUSEBLK_SET_MTIME | FUSEBLK_SET_CTIME;
	clock_gettime(CLOCK_REALTIME, &attr.mtime);
	attr.ctime = attr.mtime;
	if (valid)
		err = vol->ops->setattr(vol, node, valid, &attr);
	return err ? err : fb_data_kill_capability(node);
}

int fb_data_kill_capability(struct fuseblk_node *node)
{
	struct fuseblk_volume *vol = node->vol;
	int err;

	if (node->no_capability || !vol->ops->removexattr)
		return 0;
	err = vol->ops->removexattr(vol, node, "security.capability");
	if (err && err != -ENODATA && err != -EOPNOTSUPP)
		return err;
	node->no_capability = true;
	return 0;
}

/* The file ends before @off, where a write begins. */
static int reach(struct write_job *job, uint64_t off)
{
	struct fuseblk_volume *vol = job->node->vol;
	int err;

	if (!vol->info.no_holes)
		return fb_data_clear_tail(job->node, job->old_size);
	err = vol->ops->truncate(vol, job->node, off);
	if (!err)
		job->old_size = off;
	return err;
}

static int write_locked(struct write_job *job, const void *buf, size_t len, uint64_t off,
			uint32_t flags, uint64_t *done)
{
	int err = fb_data_modified(job->node, flags, job->who);

	if (!err)
		err = fb_data_size(job->node, &job->old_size);
	if (!err && off > job->old_size)
		err = reach(job, off);
	if (!err)
		err = write_extents(job, buf, len, off, done);
	return err;
}

ssize_t fb_data_write(struct fuseblk_node *node, const void *buf, size_t len, uint64_t off,
		      uint32_t flags, const struct fuseblk_caller *who)
{
	struct fuseblk_volume *vol = node->vol;
	struct write_job job = { .node = node, .who = who };
	uint64_t done = 0;
	int err;

	if (off >= vol->info.max_file_size)
		return len ? -EFBIG : 0;
	if (len > vol->info.max_file_size - off)
		len = (size_t)(vol->info.max_file_size - off);
	if (!len)
		return 0;
	fb_wrlock(&node->lock);
	err = fb_volume_change_begin(vol);
	if (err)
		goto unlock;
	err = write_locked(&job, buf, len, off, flags, &done);
	fuseblk_node_changed(node);
	fb_volume_change_end(vol);
unlock:
	pthread_rwlock_unlock(&node->lock);
	free(job.block);
	if (err == -ENOSPC && done && !(flags & FB_WRITE_CACHED))
		err = 0;
	return err ? err : (ssize_t)done;
}

int fb_data_resize_locked(struct fuseblk_node *node, uint64_t size)
{
	struct fuseblk_volume *vol = node->vol;
	uint64_t old;
	int err = fb_data_size(node, &old);

	if (err)
		return err;
	if (size > vol->info.max_file_size)
		return -EFBIG;
	if (size == old)
		return fb_data_kill_capability(node);
	err = fb_data_kill_capability(node);
	if (!err && size > old)
		err = fb_data_clear_tail(node, old);
	if (!err)
		err = vol->ops->truncate(vol, node, size);
	if (!err && size < old)
		err = fb_data_clear_tail(node, size);
	return err;
}
