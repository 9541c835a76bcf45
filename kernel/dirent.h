/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * dirent.h: the entries in a READDIR or READDIRPLUS reply, each checked before
 * it is believed.  Compiles in user space.
 */
#ifndef FBLK_DIRENT_H
#define FBLK_DIRENT_H

#ifdef __KERNEL__
#include <linux/fuse.h>
#include <linux/types.h>
#else
#include "kernel_shim.h"
#include "fuse_abi.h"
#endif

#define FBLK_NAME_MAX 1024		/* of an entry in a reply */

struct fblk_dirent {
	const char *name;		/* in the reply, without a NUL */
	u32 namelen;			/* 1 to FBLK_NAME_MAX */
	u32 type;			/* DT_* */
	u64 ino;
	u64 next;			/* the offset to read on from */
	const struct fuse_entry_out *entry;	/* of READDIRPLUS, else NULL */
};

/*
 * The entry at *@pos of the @len bytes of a reply; *@pos becomes that of the
 * next.  Returns 1, 0 at the end (also before an entry that is not all there),
 * or -EIO for a name that no entry can have.
 */
int fblk_dirent_next(const void *reply, size_t len, bool plus, size_t *pos, struct fblk_dirent *out);
/* "." or ".." */
bool fblk_dirent_is_dot(const struct fblk_dirent *d);

#endif
