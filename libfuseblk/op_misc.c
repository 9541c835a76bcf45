// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_misc.c: requests about the volume, durability, and what the kernel
 * forgets or calls off.
 */
#include <errno.h>
#include "interrupt.h"
#include "op.h"

int fb_op_statfs(struct fb_request *req)
{
	return req->vol->ops->statfs(req->vol, &req->out.statfs);
}

/*
 * FSYNC and FSYNCDIR.  An inode without a change since the last commit needs
 * no commit: only what was written to its mapped blocks must be flushed.
 * Once a flush has failed this fails until unmount.
 */
int fb_op_fsync(struct fb_request *req)
{
	struct fuseblk_volume *vol = req->vol;
	struct fuseblk_node *node;
	bool clean;
	int err = atomic_load(&vol->error);

	if (!err)
		err = fb_req_node(req, 0, &node);
	if (err)
		return err;
	clean = fb_node_changed_epoch(node) <= fb_cache_durable_epoch(vol->cache);
	fb_node_put(node);
	if (atomic_load(&vol->read_only) && !vol->started)
		return 0;
	return clean ? fb_commit_data(vol->cache) : fb_commit(vol->cache);
}

int fb_op_syncfs(struct fb_request *req)
{
	struct fuseblk_volume *vol = req->vol;
	int err = atomic_load(&vol->error);

	if (err || (atomic_load(&vol->read_only) && !vol->started))
		return err;
	err = fb_commit(vol->cache);
	/* What that commit freed is marked free now: once more, so that a crash does not leak it. */
	if (!err && fb_cache_is_dirty(vol->cache))
		err = fb_commit(vol->cache);
	return err;
}

int fb_op_forget(struct fb_request *req)
{
	fb_node_forget(req->vol, fb_ino_of_nodeid(req->vol, req->nodeid), req->in.forget.nlookup);
	return 0;
}

int fb_op_batch_forget(struct fb_request *req)
{
	const struct fuse_forget_one *items = req->in.batch_forget.items;

	for (uint32_t i = 0; i < req->in.batch_forget.count; i++)
		fb_node_forget(req->vol, fb_ino_of_nodeid(req->vol, items[i].nodeid),
			       items[i].nlookup);
	return 0;
}

int fb_op_interrupt(struct fb_request *req)
{
	return fb_interrupt(req->session, req->in.interrupt.unique);
}
