// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * atime.c: access times, for what the daemon is asked to read (what the kernel
 * has cached it never hears of).  The request only notes that the time is due;
 * its worker changes it after the reply, so that no reader waits.
 */
#include "op.h"

#define DAY (24 * 60 * 60)

void fb_atime_due(struct fb_request *req, const struct fuseblk_node *node, bool is_dir)
{
	const struct fuseblk_volume *vol = req->vol;

	if (vol->options.atime == FB_ATIME_NONE || atomic_load(&vol->read_only))
		return;
	if (is_dir && vol->options.nodiratime)
		return;
	req->worker->touched = node->ino;
}

static bool is_later(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec > b->tv_sec : a->tv_nsec > b->tv_nsec;
}

/* relatime: not if it was set after the last change, and within a day. */
static bool is_due(const struct fuseblk_volume *vol, const struct fuseblk_attr *attr,
		   const struct timespec *now)
{
	if (attr->flags & (FUSEBLK_ATTR_NOATIME | FUSEBLK_ATTR_IMMUTABLE))
		return false;
	if (vol->options.atime == FB_ATIME_STRICT)
		return is_later(now, &attr->atime);
	if (!is_later(&attr->atime, &attr->mtime) || !is_later(&attr->atime, &attr->ctime))
		return true;
	return now->tv_sec - attr->atime.tv_sec >= DAY;
}

static void set_atime(struct fuseblk_node *node, struct fuseblk_attr *attr, struct timespec now)
{
	struct fuseblk_volume *vol = node->vol;

	if (fb_node_change_begin(node))
		return;
	attr->atime = now;
	vol->ops->setattr(vol, node, FUSEBLK_SET_ATIME, attr);
	fb_node_change_end(node);
}

void fb_atime_update(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fuseblk_node *node;
	struct fuseblk_attr attr;
	struct timespec now = fb_time_now(vol);

	if (fb_node_get_known(vol, ino, &node))
		return;
	if (!fb_node_getattr(node, &attr) && is_due(vol, &attr, &now))
		set_atime(node, &attr, now);
	fb_node_put(node);
}
