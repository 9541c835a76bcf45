/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * compat.h: what differs between the kernels that the module is built for,
 * under the name that the rest of the module uses.  Nothing else looks at a
 * version.  Now: 6.1.  For a newer kernel add its variant to each block.
 */
#ifndef FBLK_COMPAT_H
#define FBLK_COMPAT_H

#include <linux/version.h>

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 1, 0) || LINUX_VERSION_CODE >= KERNEL_VERSION(6, 2, 0)
#error "fuseblk.ko is written for Linux 6.1"
#endif

/* The first argument of most inode operations (struct mnt_idmap from 6.3 on). */
#define fblk_idmap user_namespace

#define fblk_splice_read generic_file_splice_read
#define fblk_xattr_handlers_t const struct xattr_handler *

#endif
