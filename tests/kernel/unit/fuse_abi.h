/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuse_abi.h: <linux/fuse.h> where the module's pure files are compiled in
 * user space, and what the system's copy may be too old to have (7.36, 7.38).
 */
#ifndef FUSE_ABI_H
#define FUSE_ABI_H

#include <linux/fuse.h>

#ifndef FUSE_SETXATTR_EXT		/* 7.33 */
#define FUSE_SETXATTR_EXT (1 << 29)
#endif
#ifndef FUSE_HAS_EXPIRE_ONLY		/* 7.38 */
#define FUSE_HAS_EXPIRE_ONLY (1ULL << 35)
#endif
#ifndef FUSE_INIT_EXT			/* 7.36: without it fuse_init_in and fuse_init_out have no flags2 */
#error "the tests of the kernel module need a <linux/fuse.h> of 7.36 or later"
#endif

#endif
