// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_init.c: what this mount and the kernel agree on.
 *
 * Everything is taken from the flags the kernel offers, by the table; what
 * depends on the volume or on another flag is said below it.
 */
#include <errno.h>
#include "device.h"
#include "op.h"
#include "proto.h"

#define MAX_WRITE_SHORT	(32u * 4096u)	/* without MAX_PAGES */
#define BACKGROUND	64u
#define MINOR_SYNCFS	45u	/* a fuseblk mount is sent SYNCFS from here on; no flag says so */

/* Taken wherever they are offered. */
static const uint64_t always =
	FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_MAX_PAGES |
	FUSE_PARALLEL_DIROPS | FUSE_ASYNC_DIO | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
	FUSE_CACHE_SYMLINKS | FUSE_EXPLICIT_INVAL_DATA | FUSE_HANDLE_KILLPRIV_V2 |
	FUSE_SETXATTR_EXT | FUSE_EXPORT_SUPPORT | FUSE_INIT_EXT | FUSE_ABORT_ERROR |
	FUSE_HAS_IOCTL_DIR | FUSE_DIRECT_IO_ALLOW_MMAP;

/* Remount can never make it writable: no OPEN has anything to enforce. */
static bool is_read_only_for_good(const struct fuseblk_volume *vol)
{
	return vol->info.read_only || (vol->device->read_only && !vol->device->ops->make_writable);
}

static uint64_t choose_flags(struct fb_session *s, struct fuseblk_volume *vol, uint64_t offered)
{
	uint64_t take = always;

	/* A default ACL takes the umask's place, so the umask has to come here. */
	if (vol->info.has_acl && (offered & FUSE_POSIX_ACL))
		take |= FUSE_POSIX_ACL | FUSE_DONT_MASK;
	if (vol->options.writeback && !is_read_only_for_good(vol))
		take |= FUSE_WRITEBACK_CACHE;
	if (is_read_only_for_good(vol) && (offered & FUSE_NO_OPEN_SUPPORT)) {
		take |= FUSE_NO_OPEN_SUPPORT;
		take &= ~FUSE_ATOMIC_O_TRUNC;
	}
	if (is_read_only_for_good(vol) && !vol->info.dir_cursors)
		take |= FUSE_NO_OPENDIR_SUPPORT;
	if (vol->info.no_handles)
		take &= ~(uint64_t)FUSE_EXPORT_SUPPORT;
	take &= offered;
	s->no_open = take & FUSE_NO_OPEN_SUPPORT;
	s->no_opendir = take & FUSE_NO_OPENDIR_SUPPORT;
	return take;
}

int fb_op_init(struct fb_request *req)
{
	struct fb_session *s = req->session;
	struct fb_proto *proto = &req->out.proto;

	if (req->in.init.major != FB_PROTO_MAJOR || req->in.init.minor < FB_PROTO_MINOR_MIN) {
		fuseblk_log(req->vol, FUSEBLK_ERROR,
			    "the kernel speaks FUSE %u.%u, at least %u.%u is needed",
			    req->in.init.major, req->in.init.minor, FB_PROTO_MAJOR,
			    FB_PROTO_MINOR_MIN);
		return -EPROTO;
	}
	proto->minor = req->in.init.minor;
	if (proto->minor > FB_PROTO_MINOR_MAX)
		proto->minor = FB_PROTO_MINOR_MAX;
	proto->flags = choose_flags(s, req->vol, req->in.init.flags);
	proto->max_write = proto->flags & FUSE_MAX_PAGES ? FB_MAX_WRITE : MAX_WRITE_SHORT;
	proto->max_pages = proto->max_write / 4096u;
	req->out.max_readahead = req->in.init.max_readahead;
	req->out.time_gran = req->vol->info.time_granularity;
	req->out.max_background = BACKGROUND;
	req->out.congestion_threshold = BACKGROUND * 3 / 4;
	fb_volume_set_interval(req->vol, req->in.init.minor >= MINOR_SYNCFS);
	req->vol->kernel_times = proto->flags & FUSE_WRITEBACK_CACHE;
	s->proto = *proto;
	return 0;
}
