/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * negotiate.h: INIT: what this kernel offers, and what becomes of the daemon's
 * answer.  Nothing of the kernel but types, so that it compiles in user space.
 */
#ifndef FBLK_NEGOTIATE_H
#define FBLK_NEGOTIATE_H

#ifdef __KERNEL__
#include <linux/fuse.h>
#include <linux/types.h>
#else
#include "kernel_shim.h"
#include "fuse_abi.h"
#endif

#define FBLK_MINOR_MIN 12		/* the oldest minor version of a daemon */
#define FBLK_MINOR 38			/* ours */
#define FBLK_PAGES_DEFAULT 32		/* of a request, for daemons that do not know max_pages */
#define FBLK_PAGES_MAX 256

/* What the machine and the mounter allow. */
struct fblk_limits {
	u32 page_size;
	u32 max_readahead;		/* bytes */
	u16 max_background, congestion_threshold;	/* the most that this daemon may ask for; 0: any */
};

/* What was agreed on.  Constant once INIT has ended. */
struct fblk_proto {
	u32 minor;			/* the smaller of both */
	u64 flags;			/* FUSE_* of INIT, offered by us and taken by the daemon */
	u32 max_write;			/* bytes of a WRITE */
	u32 max_pages;			/* of any request's payload */
	u32 max_readahead;		/* bytes */
	u32 time_gran;			/* ns */
	u16 max_background, congestion_threshold;	/* 0: the daemon did not say */
};

/* The flags of INIT that this kernel offers. */
u64 fblk_offered_flags(void);
void fblk_init_offer(const struct fblk_limits *limits, struct fuse_init_in *in);
/*
 * @out: the @len bytes of the daemon's answer, zero where it ended early: what
 * an old daemon does not say it does not want.  Returns 0 with *@proto, or
 * -EPROTO where there is not even a version, another major version or an older
 * minor version than we speak.
 */
int fblk_init_accept(const struct fblk_limits *limits, const struct fuse_init_out *out, size_t len,
		     struct fblk_proto *proto);

#endif
