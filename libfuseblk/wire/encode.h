/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/encode.h: the structures that the encoders of replies and of
 * directory entries share.  Nothing outside wire/ includes it.
 */
#ifndef FB_WIRE_ENCODE_H
#define FB_WIRE_ENCODE_H

#include "../request.h"
#include "proto.h"

/*
 * For how long the kernel may trust names and attributes, in seconds: the
 * daemon owns the device, so that nothing changes behind the kernel's back.
 */
#define FB_WIRE_VALID (UINT64_C(1) << 30)

/* Fill every byte of @out. */
void fb_encode_attr(const struct fuseblk_volume *vol,
		    const struct fuseblk_attr *attr, struct fuse_attr *out);
void fb_encode_entry(const struct fuseblk_volume *vol,
		     const struct fuseblk_attr *attr, bool no_cache,
		     struct fuse_entry_out *out);

#endif
