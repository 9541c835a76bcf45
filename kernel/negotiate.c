// SPDX-License-Identifier: GPL-2.0-only
/*
 * negotiate.c: see negotiate.h.  The answers of old daemons are shorter, and their
 * missing fields zero.  Meaning of the fields: <linux/fuse.h>, ../shared/reference/protocol.md.
 */
#include "negotiate.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/kernel.h>
#endif

#define OUT_SIZE_MIN 8			/* FUSE_COMPAT_INIT_OUT_SIZE: the version */
#define WRITE_MIN 4096u
#define TIME_GRAN_MAX 1000000000u

/* Writeback, ACLs, locks in the daemon, export, killpriv v2 and splice by page stealing are not offered. */
static const u64 offered =
	FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK | FUSE_HAS_IOCTL_DIR |
	FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO | FUSE_ASYNC_DIO | FUSE_NO_OPEN_SUPPORT |
	FUSE_PARALLEL_DIROPS | FUSE_ABORT_ERROR | FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT |
	FUSE_EXPLICIT_INVAL_DATA | FUSE_SETXATTR_EXT | FUSE_INIT_EXT | FUSE_HAS_EXPIRE_ONLY;

u64 fblk_offered_flags(void)
{
	return offered;
}

void fblk_init_offer(const struct fblk_limits *limits, struct fuse_init_in *in)
{
	*in = (struct fuse_init_in) {
		.major = FUSE_KERNEL_VERSION,
		.minor = FBLK_MINOR,
		.max_readahead = limits->max_readahead,
		.flags = offered & U32_MAX,
		.flags2 = offered >> 32,
	};
}

static u64 taken_flags(const struct fuse_init_out *out)
{
	u64 flags = out->flags;

	if (flags & FUSE_INIT_EXT)
		flags |= (u64)out->flags2 << 32;
	return flags & offered;
}

static u16 limited(u16 asked, u16 most)
{
	return most && asked > most ? most : asked;
}

/* What only answers of 7.23 and later hold. */
static void accept_recent(const struct fuse_init_out *out, struct fblk_proto *proto)
{
	if (out->time_gran && out->time_gran <= TIME_GRAN_MAX)
		proto->time_gran = out->time_gran;
	if (!(proto->flags & FUSE_MAX_PAGES))
		return;
	proto->max_pages = out->max_pages < 1 ? 1 : out->max_pages;
	if (proto->max_pages > FBLK_PAGES_MAX)
		proto->max_pages = FBLK_PAGES_MAX;
}

int fblk_init_accept(const struct fblk_limits *limits, const struct fuse_init_out *out, size_t len,
		     struct fblk_proto *proto)
{
	struct fblk_proto p = { .max_pages = FBLK_PAGES_DEFAULT, .time_gran = 1 };

	if (len < OUT_SIZE_MIN || out->major != FUSE_KERNEL_VERSION || out->minor < FBLK_MINOR_MIN)
		return -EPROTO;
	p.minor = out->minor < FBLK_MINOR ? out->minor : FBLK_MINOR;
	p.flags = taken_flags(out);
	p.max_readahead = out->max_readahead < limits->max_readahead ? out->max_readahead : limits->max_readahead;
	if (out->minor >= 13) {
		p.max_background = limited(out->max_background, limits->max_background);
		p.congestion_threshold = limited(out->congestion_threshold, limits->congestion_threshold);
	}
	if (out->minor >= 23)
		accept_recent(out, &p);
	p.max_write = out->max_write < WRITE_MIN ? WRITE_MIN : out->max_write;
	if (!(p.flags & FUSE_BIG_WRITES))
		p.max_write = WRITE_MIN;
	if (p.max_write > p.max_pages * limits->page_size)
		p.max_write = p.max_pages * limits->page_size;
	*proto = p;
	return 0;
}
