// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_file.c: OPEN, RELEASE, and file data, which data.c moves.
 *
 * A file handle is a set of HANDLE_* bits.  No other state belongs to an
 * open: what the daemon has to know it knows of the inode.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include "data.h"
#include "op.h"
#include "proto.h"
#include "spelling.h"

#define HANDLE_SYNC	1u	/* writes are synchronous (chattr +S) */
#define HANDLE_WRITES	2u	/* counted among the inode's writers */
#define HANDLE_COUNTED	4u	/* counted among its handles */

/* ---- OPEN ----------------------------------------------------------- */

/*
 * Where a write might fail for want of space only after write(2) has
 * returned, it is better to fail it there: below this much room an open for
 * writing goes past the kernel's cache.  The kernel keeps at most 1 % of
 * memory's dirty limit for such a mount; a sixteenth of the volume, and never
 * more than 256 MiB, covers that.
 */
static bool is_nearly_full(struct fuseblk_volume *vol)
{
	uint64_t limit = fuseblk_device_size(vol) / 16;

	if (!vol->ops->available)
		return false;
	if (limit > 256u << 20)
		limit = 256u << 20;
	return vol->ops->available(vol) < limit;
}

/* FOPEN_DIRECT_IO forbids shared mappings unless the kernel can do both. */
static bool can_write_through(const struct fb_request *req)
{
	return (req->session->proto.flags & FUSE_WRITEBACK_CACHE) &&
	       (req->session->proto.flags & FUSE_DIRECT_IO_ALLOW_MMAP);
}

void fb_open_reply(struct fb_request *req, const struct fuseblk_attr *attr, uint32_t flags)
{
	bool sync = attr->flags & FUSEBLK_ATTR_SYNC;

	req->out.open_flags = FOPEN_KEEP_CACHE | FOPEN_NOFLUSH | FOPEN_PARALLEL_DIRECT_WRITES;
	req->out.fh = 0;
	if (req->session->spelling) {
		req->out.fh = HANDLE_COUNTED;
		fb_node_open_add(req->vol, attr->ino);
	}
	if ((flags & O_ACCMODE) == O_RDONLY)
		return;
	req->out.fh |= HANDLE_WRITES | (sync ? HANDLE_SYNC : 0);
	if (can_write_through(req) && (sync || is_nearly_full(req->vol)))
		req->out.open_flags |= FOPEN_DIRECT_IO;
	fb_node_writer_add(req->vol, attr->ino);
}

static int open_node(struct fb_request *req, struct fuseblk_node *node)
{
	uint32_t flags = req->in.open.flags;
	bool writes = (flags & O_ACCMODE) != O_RDONLY || (flags & O_TRUNC);
	struct fuseblk_attr attr;
	int err = fb_node_getattr(node, &attr);

	if (err)
		return err;
	if (!attr.nlink && fb_stale_is_marked(req->session, node->ino))
		return -ESTALE;
	if (writes && fuseblk_is_read_only(req->vol))
		return -EROFS;
	err = fb_permit_open(&attr, flags);
	if (!err && (flags & O_TRUNC) && S_ISREG(attr.mode)) {
		err = fb_truncate_open(req, node, req->in.open.open_flags & FUSE_OPEN_KILL_SUIDGID);
		fb_mode_settle(req, node, attr.mode);
	}
	if (err)
		return err;
	fb_open_reply(req, &attr, flags);
	return 0;
}

int fb_op_open(struct fb_request *req)
{
	struct fuseblk_node *node;
	int err;

	if (req->session->no_open)
		return -ENOSYS;
	err = fb_req_node(req, 0, &node);
	if (err)
		return err;
	err = open_node(req, node);
	fb_node_put(node);
	return err;
}

int fb_op_release(struct fb_request *req)
{
	uint64_t ino = fb_ino_of_nodeid(req->vol, req->nodeid);

	if (req->in.release.fh & HANDLE_COUNTED)
		fb_node_open_remove(req->vol, ino);
	if (!(req->in.release.fh & HANDLE_WRITES))
		return 0;
	fb_node_writer_remove(req->vol, ino);
	if (req->vol->info.commit_on_close)
		fb_commit_soon(req->vol->cache);
	return 0;
}

/* ---- READ, WRITE ---------------------------------------------------- */

int fb_op_read(struct fb_request *req)
{
	size_t size = req->in.read.size;
	struct fuseblk_node *node;
	ssize_t n;
	int err = fb_req_node(req, S_IFREG, &node);

	if (err)
		return err;
	if (size > req->scratch_size)
		size = req->scratch_size;
	n = fb_data_read(node, req->scratch, size, req->in.read.off);
	if (n >= 0) {
		req->out.bytes = req->scratch;
		req->out.bytes_len = (size_t)n;
		fb_atime_due(req, node, false);
	}
	fb_node_put(node);
	return n < 0 ? (int)n : 0;
}

int fb_op_write(struct fb_request *req)
{
	uint32_t wire = req->in.write.write_flags, flags = 0, mode = 0;
	struct fuseblk_node *node;
	struct fuseblk_caller who;
	ssize_t n;
	int err = fb_req_node(req, S_IFREG, &node);

	if (err)
		return err;
	fb_req_caller(req, &who);
	if (wire & FUSE_WRITE_CACHE) {
		flags |= FB_WRITE_CACHED;
		err = fb_req_owner(node, &who);
	}
	if (err) {
		fb_node_put(node);
		return err;
	}
	if (wire & FUSE_WRITE_KILL_SUIDGID) {
		flags |= FB_WRITE_KILL_PRIV;
		mode = fb_mode_watch(node);
	}
	n = fb_data_write(node, req->in.write.bytes, req->in.write.size, req->in.write.off,
			  flags, &who);
	if (flags & FB_WRITE_KILL_PRIV)
		fb_mode_settle(req, node, mode);
	fb_node_put(node);
	if (n < 0)
		return (int)n;
	req->out.count = (uint32_t)n;
	if ((req->in.write.fh & HANDLE_SYNC) || req->vol->options.sync)
		return fb_commit(req->vol->cache);
	return 0;
}

/* ---- the rest ------------------------------------------------------- */

/*
 * The kernel asks for data and holes without writing back first, and without
 * saying how long the file has become: while it may hold data we have not
 * seen, any answer could make the caller miss some.  EINVAL is what callers
 * know from filesystems without SEEK_DATA, and they read the file instead.
 * RELEASE of the last handle comes after write-back.
 */
static bool may_lack_data(const struct fb_request *req, const struct fuseblk_node *node)
{
	return (req->session->proto.flags & FUSE_WRITEBACK_CACHE) && fb_node_has_writers(req->vol, node->ino);
}

int fb_op_lseek(struct fb_request *req)
{
	int whence = (int)req->in.lseek.whence;
	struct fuseblk_node *node;
	int err;

	if (whence != SEEK_DATA && whence != SEEK_HOLE)
		return -EINVAL;
	err = fb_req_node(req, S_IFREG, &node);
	if (err)
		return err;
	if (may_lack_data(req, node))
		err = -EINVAL;
	else
		err = fb_data_seek(node, req->in.lseek.off, whence, &req->out.value);
	fb_node_put(node);
	return err;
}

int fb_op_fallocate(struct fb_request *req)
{
	struct fuseblk_caller who;
	struct fuseblk_node *node;
	struct fuseblk_attr attr;
	int err = fb_req_node(req, S_IFREG, &node);

	if (err)
		return err;
	fb_req_caller(req, &who);
	err = fb_node_getattr(node, &attr);
	if (!err)
		err = fb_permit_fallocate(&attr, req->in.fallocate.mode);
	if (!err)
		err = fb_kill_priv(req, node);
	if (!err)
		err = fb_data_fallocate(node, req->in.fallocate.mode, req->in.fallocate.off,
					req->in.fallocate.len, &who);
	fb_node_put(node);
	if (!err && req->vol->options.sync)
		err = fb_commit(req->vol->cache);
	return err;
}

int fb_op_copy_file_range(struct fb_request *req)
{
	uint64_t len = req->in.copy_file_range.len;
	struct fuseblk_node *from, *to;
	struct fuseblk_caller who;
	struct fuseblk_attr attr;
	ssize_t n;
	int err;

	if (req->in.copy_file_range.flags)
		return -EINVAL;
	err = fb_req_node(req, S_IFREG, &from);
	if (err)
		return err;
	err = fb_req_node_of(req, req->in.copy_file_range.nodeid_out, S_IFREG, &to);
	if (err) {
		fb_node_put(from);
		return err;
	}
	if (len > (INT32_MAX & ~4095u))
		len = INT32_MAX & ~4095u;	/* the reply of COPY_FILE_RANGE has 32 bits */
	fb_req_caller(req, &who);
	n = fb_node_getattr(to, &attr);
	if (!n)
		n = fb_permit_write(&attr);
	if (!n)
		n = fb_kill_priv(req, to);
	if (!n)
		n = fb_data_copy(from, req->in.copy_file_range.off_in, to,
				 req->in.copy_file_range.off_out, len, &who);
	fb_node_put(to);
	fb_node_put(from);
	if (n < 0)
		return (int)n;
	req->out.count = (uint32_t)n;
	req->out.value = (uint64_t)n;
	return 0;
}

int fb_op_bmap(struct fb_request *req)
{
	struct fuseblk_node *node;
	int err = fb_req_node(req, S_IFREG, &node);

	if (err)
		return err;
	err = fb_data_bmap(node, req->in.bmap.block, req->in.bmap.block_size, &req->out.value);
	fb_node_put(node);
	return err;
}
