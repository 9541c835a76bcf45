/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/decode.h: what the decoder's two files share: a cursor over the
 * arguments of one message, and the decoders of the opcodes that carry
 * names.  Nothing outside wire/ includes it.
 *
 * A decoder is called with at least its table entry's minimum of argument
 * bytes, fills req->in and returns 0 or a negative errno.
 */
#ifndef FB_WIRE_DECODE_H
#define FB_WIRE_DECODE_H

#include "../request.h"
#include "proto.h"

struct fb_cursor {
	const uint8_t *at;
	size_t left;			/* argument bytes from at on, extensions excluded */
	const struct fb_proto *proto;
};

typedef int (*fb_decode_fn)(struct fb_cursor *c, struct fb_request *req);

/* Copy @size bytes to @dst and step over them.  -EIO: the message ends before. */
int fb_cursor_take(struct fb_cursor *c, void *dst, size_t size);
/* All that is left must be @size bytes.  Returns 0 or -EINVAL. */
int fb_cursor_rest(struct fb_cursor *c, uint64_t size, const void **out);

int fb_decode_lookup(struct fb_cursor *c, struct fb_request *req);
int fb_decode_remove(struct fb_cursor *c, struct fb_request *req);	/* UNLINK, RMDIR */
int fb_decode_symlink(struct fb_cursor *c, struct fb_request *req);
int fb_decode_mknod(struct fb_cursor *c, struct fb_request *req);
int fb_decode_mkdir(struct fb_cursor *c, struct fb_request *req);
int fb_decode_link(struct fb_cursor *c, struct fb_request *req);
int fb_decode_rename(struct fb_cursor *c, struct fb_request *req);
int fb_decode_rename2(struct fb_cursor *c, struct fb_request *req);
int fb_decode_create(struct fb_cursor *c, struct fb_request *req);
int fb_decode_tmpfile(struct fb_cursor *c, struct fb_request *req);
int fb_decode_setxattr(struct fb_cursor *c, struct fb_request *req);
int fb_decode_getxattr(struct fb_cursor *c, struct fb_request *req);
int fb_decode_removexattr(struct fb_cursor *c, struct fb_request *req);

#endif
