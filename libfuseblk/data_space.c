// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * data_space.c: space in files: fallocate(2), seeking data and holes, FIBMAP,
 * and copying between files of the volume.
 */
#include <errno.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <unistd.h>

#include "data_impl.h"
#include "device.h"
#include "node.h"
#include "volume.h"
#include "worker.h"

#define COPY_BYTES	(1u << 20)

struct range { uint64_t off, end; };

/* Before FALLOCATE and COPY_FILE_RANGE a kernel with a writeback cache sets the times itself. */
static uint32_t kept_times(const struct fuseblk_node *node)
{
	return node->vol->kernel_times ? FB_WRITE_KEEP_TIMES : 0;
}

/* Zero [off, end) on the device where it is mapped or inline; whole blocks are not the usual case. */
static int zero_mapped(struct fuseblk_node *node, uint64_t off, uint64_t end)
{
	static const uint8_t zeros[4096];
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_extent ext;

	for (; off < end; off += ext.length) {
		int err = vol->ops->map(vol, node, off, end - off, FUSEBLK_MAP_READ, NULL, &ext, 1);

		if (err < 0)
			return err;
		err = 0;
		if (ext.type == FUSEBLK_EXTENT_MAPPED) {
			err = fb_device_zero(vol->device, ext.device, ext.length);
			fb_cache_data_written(vol->cache);
		} else if (ext.type == FUSEBLK_EXTENT_INLINE) {
			if (ext.length > sizeof(zeros))
				ext.length = sizeof(zeros);
			err = vol->ops->write_inline(vol, node, zeros, ext.offset, ext.length);
		}
		if (err)
			return err;
	}
	return 0;
}

static struct range whole_blocks(struct range r, uint64_t block)
{
	struct range in = { (r.off + block - 1) / block * block, r.end / block * block };

	if (in.end < in.off)
		in.end = in.off;
	return in;
}

/* Make [off, end) read as zeros: edges zeroed, whole blocks taken away. */
static int clear_range(struct fuseblk_node *node, struct range r)
{
	struct fuseblk_volume *vol = node->vol;
	struct range in = whole_blocks(r, vol->info.block_size);
	int err;

	if (in.off >= in.end)
		return zero_mapped(node, r.off, r.end);
	err = zero_mapped(node, r.off, in.off);
	if (!err)
		err = zero_mapped(node, in.end, r.end);
	if (!err)
		err = vol->ops->punch(vol, node, in.off, in.end - in.off);
	return err;
}

/* As the kernel's ext4: nothing past the block that holds the end of the file is looked at. */
static int punch(struct fuseblk_node *node, struct range r, uint64_t size)
{
	uint64_t block = node->vol->info.block_size;
	uint64_t limit = (size + block - 1) / block * block;

	if (r.off >= size)
		return 0;
	if (r.end > limit)
		r.end = limit;
	return clear_range(node, r);
}

static int allocate(struct fuseblk_node *node, struct range r, uint64_t old, uint64_t size,
		    const struct fuseblk_caller *who)
{
	struct fuseblk_volume *vol = node->vol;
	int err = size > old ? fb_data_clear_tail(node, old) : 0;

	if (err)
		return err;
	return vol->ops->allocate(vol, node, r.off, r.end - r.off, size, who);
}

static int zero_range(struct fuseblk_node *node, struct range r, uint64_t old, uint64_t size,
		      const struct fuseblk_caller *who)
{
	int err = allocate(node, r, old, size, who);

	if (!err)
		err = clear_range(node, r);
	if (!err)
		err = allocate(node, r, size, size, who);
	return err;
}

static int fallocate_locked(struct fuseblk_node *node, uint32_t mode, struct range r,
			    const struct fuseblk_caller *who)
{
	uint64_t old, size;
	int err = fb_data_size(node, &old);

	if (!err)
		err = fb_data_modified(node, kept_times(node), who);
	if (err)
		return err;
	size = !(mode & FALLOC_FL_KEEP_SIZE) && r.end > old ? r.end : old;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		return punch(node, r, old);
	if (mode & FALLOC_FL_ZERO_RANGE)
		return zero_range(node, r, old, size, who);
	return allocate(node, r, old, size, who);
}

static int check_mode(const struct fuseblk_operations *ops, uint32_t mode)
{
	switch (mode) {
	case 0:
	case FALLOC_FL_KEEP_SIZE:
		return ops->allocate ? 0 : -EOPNOTSUPP;
	case FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE:
		return ops->punch ? 0 : -EOPNOTSUPP;
	case FALLOC_FL_ZERO_RANGE:
	case FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE:
		return ops->allocate && ops->punch ? 0 : -EOPNOTSUPP;
	default:
		return -EOPNOTSUPP;
	}
}

int fb_data_fallocate(struct fuseblk_node *node, uint32_t mode, uint64_t off, uint64_t len,
		      const struct fuseblk_caller *who)
{
	struct fuseblk_volume *vol = node->vol;
	struct range r = { off, off + len };
	int err = check_mode(vol->ops, mode);

	if (err)
		return err;
	if (!len || off > INT64_MAX || len > INT64_MAX)
		return -EINVAL;
	if (r.end > vol->info.max_file_size)
		return -EFBIG;
	fb_wrlock(&node->lock);
	err = fb_volume_change_begin(vol);
	if (!err) {
		err = fallocate_locked(node, mode, r, who);
		fuseblk_node_changed(node);
		fb_volume_change_end(vol);
	}
	pthread_rwlock_unlock(&node->lock);
	return err;
}

static bool is_data(const struct fuseblk_extent *ext)
{
	return ext->type == FUSEBLK_EXTENT_MAPPED || ext->type == FUSEBLK_EXTENT_INLINE;
}

static int seek_locked(struct fuseblk_node *node, uint64_t off, bool want_data, uint64_t size,
		       uint64_t *out)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_extent ext[FB_EXTENTS];

	while (off < size) {
		int n = vol->ops->map(vol, node, off, size - off, FUSEBLK_MAP_READ, NULL, ext,
				      FB_EXTENTS);

		if (n < 0)
			return n;
		for (int i = 0; i < n; i++) {
			if (is_data(&ext[i]) == want_data) {
				*out = ext[i].offset;
				return 0;
			}
			off = ext[i].offset + ext[i].length;
		}
		if (fuseblk_interrupted())
			return -EINTR;
	}
	if (want_data)
		return -ENXIO;
	*out = size;
	return 0;
}

int fb_data_seek(struct fuseblk_node *node, uint64_t off, int whence, uint64_t *out)
{
	uint64_t size;
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	fb_rdlock(&node->lock);
	err = fb_data_size(node, &size);
	if (!err && off >= size)
		err = -ENXIO;
	if (!err)
		err = seek_locked(node, off, whence == SEEK_DATA, size, out);
	pthread_rwlock_unlock(&node->lock);
	return err;
}

int fb_data_bmap(struct fuseblk_node *node, uint64_t block, uint32_t block_size, uint64_t *out)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_extent ext;
	int err = fuseblk_is_read_only(vol) ? 0 : fb_commit(vol->cache);
	int n;

	if (err)
		return err;
	if (!block_size || block > INT64_MAX / block_size)
		return -EINVAL;
	fb_rdlock(&node->lock);
	n = vol->ops->map(vol, node, block * block_size, block_size, FUSEBLK_MAP_READ, NULL, &ext, 1);
	pthread_rwlock_unlock(&node->lock);
	if (n < 0)
		return n;
	*out = 0;
	if (ext.type == FUSEBLK_EXTENT_MAPPED && ext.length == block_size &&
	    ext.device % block_size == 0)
		*out = ext.device / block_size;
	return 0;
}

static bool overlap(uint64_t a, uint64_t b, uint64_t len)
{
	return a < b + len && b < a + len;
}

ssize_t fb_data_copy(struct fuseblk_node *from, uint64_t off_from, struct fuseblk_node *to,
		     uint64_t off_to, uint64_t len, const struct fuseblk_caller *who)
{
	uint64_t done = 0;
	ssize_t n = 0;
	void *buf;

	if (off_from > INT64_MAX - len || off_to > INT64_MAX - len || len > INT64_MAX)
		return -EOVERFLOW;
	if (from == to && overlap(off_from, off_to, len))
		return -EINVAL;
	if (posix_memalign(&buf, 4096, COPY_BYTES))
		return -ENOMEM;
	while (done < len && n >= 0) {
		size_t step = len - done < COPY_BYTES ? (size_t)(len - done) : COPY_BYTES;

		n = fuseblk_interrupted() ? -EINTR : fb_data_read(from, buf, step, off_from + done);
		if (n == 0)
			break;
		if (n > 0)
			n = fb_data_write(to, buf, (size_t)n, off_to + done, kept_times(to), who);
		if (n > 0)
			done += (uint64_t)n;
	}
	free(buf);
	return done || n >= 0 ? (ssize_t)done : n;
}
