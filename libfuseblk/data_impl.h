/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* data_impl.h: what data.c and data_space.c share. All with the node locked. */
#ifndef FB_DATA_IMPL_H
#define FB_DATA_IMPL_H

#include "data.h"

#define FB_EXTENTS 16	/* asked of the driver at a time */

int fb_data_size(struct fuseblk_node *node, uint64_t *size);
/* Zero on the device what the last block of a file of @size bytes holds past them. X, in a change. */
int fb_data_clear_tail(struct fuseblk_node *node, uint64_t size);
/*
 * The file's bytes are about to change: times (not for FB_WRITE_CACHED,
 * whose times the kernel sends), set-id bits (for FB_WRITE_KILL_PRIV, of a
 * write by @who), security.capability. X, in a change.
 */
int fb_data_modified(struct fuseblk_node *node, uint32_t flags, const struct fuseblk_caller *who);
/* A file that changes loses its capabilities, as under the VFS; looked for once per node. X, in a change. */
int fb_data_kill_capability(struct fuseblk_node *node);

#endif
