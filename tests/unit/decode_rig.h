/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * decode_rig.h: messages given to the wire decoder, each from an allocation of
 * exactly its size, so that the address sanitizer sees a read past its end.
 */
#ifndef DECODE_RIG_H
#define DECODE_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include "../lib/message.h"

/* A session with a recent kernel. */
extern const struct fb_proto rig_proto;

/* Decoded, with the copy of the message that its names point into: the caller's to free. */
struct decoded {
	struct fb_request req;
	uint8_t *copy;
	int err;
};

struct decoded rig_decode(const void *bytes, size_t len, const struct fb_proto *p);
/* Decodes and frees @m; of the request nothing is left to look at. */
int rig_decode_error_with(struct message *m, const struct fb_proto *p);
int rig_decode_error(struct message *m);	/* with rig_proto */

#endif
