// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op.c: what the request handlers share: the node a request names, lookup
 * counts that hold only if the reply arrives, set-id bits.
 */
#include <errno.h>
#include <sys/stat.h>
#include "channel.h"
#include "data.h"
#include "op.h"
#include "proto.h"

int fb_req_node_of(struct fb_request *req, uint64_t nodeid, uint32_t type,
		   struct fuseblk_node **out)
{
	struct fuseblk_volume *vol = req->vol;
	struct fuseblk_node *node;
	uint32_t is;
	int err = fb_node_get_known(vol, fb_ino_of_nodeid(vol, nodeid), &node);

	if (err)
		return err;
	if (type) {
		err = fb_node_type(node, &is);
		if (!err && is != type)
			err = type == S_IFDIR ? -ENOTDIR : is == S_IFDIR ? -EISDIR : -EINVAL;
	}
	if (err)
		fb_node_put(node);
	else
		*out = node;
	return err;
}

int fb_req_node(struct fb_request *req, uint32_t type, struct fuseblk_node **out)
{
	return fb_req_node_of(req, req->nodeid, type, out);
}

int fb_req_lookup(struct fb_request *req, uint64_t ino)
{
	struct fb_worker *worker = req->worker;
	int err;

	if (worker->lookup_count == FB_MAX_LOOKUPS)
		return -EOVERFLOW;
	err = fb_node_lookup_inc(req->vol, ino);
	if (!err)
		worker->lookups[worker->lookup_count++] = ino;
	return err;
}

void fb_req_unlook(struct fb_request *req, unsigned count)
{
	struct fb_worker *worker = req->worker;

	for (; count && worker->lookup_count; count--)
		fb_node_forget(req->vol, worker->lookups[--worker->lookup_count], 1);
}

int fb_req_entry(struct fb_request *req, uint64_t ino)
{
	struct fuseblk_node *node;
	int err = fb_node_get(req->vol, ino, &node);

	if (err)
		return err;
	err = fb_node_getattr(node, &req->out.attr);
	fb_node_put(node);
	return err;
}

static bool may_use_reserved(struct fuseblk_volume *vol, uint32_t uid, uint32_t gid)
{
	return vol->ops->may_use_reserved ? vol->ops->may_use_reserved(vol, uid, gid) : uid == 0;
}

void fb_req_caller(const struct fb_request *req, struct fuseblk_caller *who)
{
	who->uid = req->uid;
	who->gid = req->gid;
	who->pid = req->pid;
	who->cursor = NULL;
	who->may_use_reserved = may_use_reserved(req->vol, req->uid, req->gid);
}

int fb_req_owner(struct fuseblk_node *node, struct fuseblk_caller *who)
{
	struct fuseblk_attr attr;
	int err = fb_node_getattr(node, &attr);

	if (err)
		return err;
	who->uid = attr.uid;
	who->gid = attr.gid;
	who->pid = 0;
	who->cursor = NULL;
	who->may_use_reserved = may_use_reserved(node->vol, attr.uid, attr.gid);
	return 0;
}

int fb_req_new_name(const struct fb_request *req, const struct fb_name *name)
{
	if (name->len > req->vol->info.name_max)
		return -ENAMETOOLONG;
	if (name->bytes[0] == '.' &&
	    (name->len == 1 || (name->len == 2 && name->bytes[1] == '.')))
		return -EINVAL;
	return 0;
}

int fb_req_dirsync(struct fb_request *req, int err)
{
	struct fuseblk_volume *vol = req->vol;

	if (err || !(vol->options.sync || vol->options.dirsync))
		return err;
	return fb_commit(vol->cache);
}

struct timespec fb_time_now(const struct fuseblk_volume *vol)
{
	struct timespec now;
	uint32_t unit = vol->info.time_granularity;

	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	if (unit > 1)
		now.tv_nsec -= now.tv_nsec % unit;
	return now;
}

int fb_kill_priv_locked(struct fuseblk_node *node, uint32_t gid)
{
	struct fuseblk_volume *vol = node->vol;
	struct fuseblk_attr attr;
	uint32_t mode;
	int err = vol->ops->getattr(vol, node, &attr);

	if (err)
		return err;
	mode = fb_mode_without_setid(attr.mode, gid == attr.gid);
	if (mode == attr.mode)
		return 0;
	err = fb_permit_setattr(&attr, FATTR_MODE);	/* as ext4: then the caller may not write either */
	if (err)
		return err;
	attr.mode = mode;
	attr.ctime = fb_time_now(vol);
	return vol->ops->setattr(vol, node, FUSEBLK_SET_MODE | FUSEBLK_SET_CTIME, &attr);
}

uint32_t fb_mode_watch(struct fuseblk_node *node)
{
	struct fuseblk_attr attr;

	return fb_node_getattr(node, &attr) ? 0 : attr.mode;
}

/*
 * The kernel keeps modes for long, and honours set-id bits it remembers.  The
 * notification takes no lock that a request can hold.
 */
void fb_mode_settle(struct fb_request *req, struct fuseblk_node *node, uint32_t before)
{
	struct fb_reply reply;

	if (fb_mode_watch(node) == before)
		return;
	fb_encode_inval_attr(fb_nodeid_of_ino(req->vol, node->ino), &reply);
	fb_channel_reply(req->worker->fd, &reply);
}

int fb_kill_priv(struct fb_request *req, struct fuseblk_node *node)
{
	uint32_t before = fb_mode_watch(node);
	int err;

	if (req->uid == 0 || !(before & (S_ISUID | S_ISGID)))
		return 0;
	err = fb_node_change_begin(node);
	if (err)
		return err;
	err = fb_kill_priv_locked(node, req->gid);
	fb_node_change_end(node);
	if (!err)
		fb_mode_settle(req, node, before);
	return err;
}

static int truncate_locked(struct fb_request *req, struct fuseblk_node *node, bool kill)
{
	struct fuseblk_volume *vol = req->vol;
	struct fuseblk_attr attr = { 0 };
	int err = fb_data_resize_locked(node, 0);

	if (!err && kill)
		err = fb_kill_priv_locked(node, req->gid);
	if (err)
		return err;
	attr.mtime = attr.ctime = fb_time_now(vol);
	return vol->ops->setattr(vol, node, FUSEBLK_SET_MTIME | FUSEBLK_SET_CTIME, &attr);
}

int fb_truncate_open(struct fb_request *req, struct fuseblk_node *node, bool kill)
{
	int err = fb_node_change_begin(node);

	if (err)
		return err;
	err = truncate_locked(req, node, kill);
	fb_node_change_end(node);
	return err;
}
