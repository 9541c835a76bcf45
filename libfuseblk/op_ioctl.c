// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_ioctl.c: ioctls by table: the library's own and the driver's.
 *
 * For FUSE the VFS checks nothing, so each row says who may.  Sizes are those
 * of the row; the kernel has copied as many bytes as the command's number or
 * its own caller says.
 */
#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include "op.h"
#include "worker.h"

#define ARG_MOST 4096u

/* FITRIM: both reads and answers with the range. */
static int trim(struct fuseblk_volume *vol, struct fuseblk_node *node,
		const struct fuseblk_caller *who, const void *in, void *out)
{
	struct fstrim_range range;
	uint64_t size = fuseblk_device_size(vol), trimmed = 0;
	int err;

	(void)node;
	(void)who;
	memcpy(&range, in, sizeof(range));
	if (!vol->ops->trim || !fuseblk_can_discard(vol))
		return -EOPNOTSUPP;
	if (range.start >= size)
		return -EINVAL;
	if (range.len > size - range.start)
		range.len = size - range.start;
	err = fb_volume_change_begin(vol);
	if (err)
		return err;
	err = vol->ops->trim(vol, range.start, range.len, range.minlen, &trimmed);
	fb_volume_change_end(vol);
	if (err)
		return err;
	range.len = trimmed;
	memcpy(out, &range, sizeof(range));
	return 0;
}

static const struct fuseblk_ioctl own[] = {
	{ FITRIM, FUSEBLK_IOCTL_ROOT, false, sizeof(struct fstrim_range),
	  sizeof(struct fstrim_range), trim },
	{ 0, 0, false, 0, 0, NULL },
};

static const struct fuseblk_ioctl *find(const struct fuseblk_ioctl *table, uint32_t cmd)
{
	for (; table && table->cmd; table++)
		if (table->cmd == cmd)
			return table;
	return NULL;
}

static int may(const struct fuseblk_ioctl *row, struct fuseblk_node *node, uint32_t uid)
{
	struct fuseblk_attr attr;
	int err;

	if (row->who == FUSEBLK_IOCTL_ANYONE || uid == 0)
		return 0;
	if (row->who == FUSEBLK_IOCTL_ROOT)
		return -EPERM;
	err = fb_node_getattr(node, &attr);
	if (err)
		return err;
	return attr.uid == uid ? 0 : -EPERM;
}

static int run_change(struct fb_request *req, const struct fuseblk_ioctl *row,
		      struct fuseblk_node *node, const struct fuseblk_caller *who,
		      const void *in, void *out)
{
	uint32_t mode = fb_mode_watch(node);
	int err = fb_node_change_begin(node);

	if (err)
		return err;
	err = row->run(req->vol, node, who, in, out);
	fb_node_change_end(node);
	fb_mode_settle(req, node, mode);
	return err;
}

static int run(struct fb_request *req, const struct fuseblk_ioctl *row, struct fuseblk_node *node,
	       uint64_t *cursor, const void *in, void *out)
{
	struct fuseblk_caller who;
	int err;

	fb_req_caller(req, &who);
	who.cursor = cursor;
	if (row->changes)
		return run_change(req, row, node, &who, in, out);
	if (row->run == trim)
		return trim(req->vol, node, &who, in, out);	/* of the volume: no node lock */
	err = fb_node_rdlock(node);
	if (err)
		return err;
	err = row->run(req->vol, node, &who, in, out);
	fb_node_unlock(node);
	return err;
}

/* As run, for an open directory, with its cursor where the driver wants one. */
static int run_open(struct fb_request *req, const struct fuseblk_ioctl *row, struct fuseblk_node *node,
		    const void *in, void *out)
{
	struct fb_dir_handles *handles = &req->session->dir_handles;
	struct fb_dir_handle *h;
	int err;

	if (!req->vol->info.dir_cursors || !(req->in.ioctl.flags & FUSE_IOCTL_DIR))
		return run(req, row, node, NULL, in, out);
	err = fb_dir_handle_get(handles, node->ino, req->in.ioctl.fh, &h);
	if (err)
		return err;
	fb_mutex_lock(&h->lock);
	err = run(req, row, node, &h->cursor, in, out);
	pthread_mutex_unlock(&h->lock);
	fb_dir_handle_put(handles, h);
	return err;
}

int fb_op_ioctl(struct fb_request *req)
{
	const struct fuseblk_ioctl *row = find(own, req->in.ioctl.cmd);
	uint8_t in[ARG_MOST] = { 0 };
	struct fuseblk_node *node;
	int err;

	if (!row)
		row = find(req->vol->ops->ioctls, req->in.ioctl.cmd);
	if (!row)
		return -ENOTTY;
	if (row->in_size > ARG_MOST || row->out_size > req->scratch_size ||
	    req->in.ioctl.in_size < row->in_size || req->in.ioctl.out_size < row->out_size)
		return -EINVAL;
	err = fb_req_node(req, 0, &node);
	if (err)
		return err;
	err = may(row, node, req->uid);
	if (!err) {
		if (row->in_size)
			memcpy(in, req->in.ioctl.in, row->in_size);
		memset(req->scratch, 0, row->out_size);
		err = run_open(req, row, node, in, req->scratch);
	}
	fb_node_put(node);
	if (err < 0)
		return err;
	req->out.ioctl_result = err;
	req->out.bytes = req->scratch;
	req->out.bytes_len = row->out_size;
	return 0;
}
