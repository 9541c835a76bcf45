// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * decode_rig.c: see decode_rig.h.
 */
#include <stdlib.h>
#include <string.h>
#include "decode_rig.h"

const struct fb_proto rig_proto = {
	.minor = 45,
	.flags = FUSE_SETXATTR_EXT,
	.max_write = 1 << 20,
	.max_pages = 256,
};

struct decoded rig_decode(const void *bytes, size_t len, const struct fb_proto *p)
{
	struct decoded d = { .copy = malloc(len ? len : 1) };

	memset(&d.req, 0xa5, sizeof(d.req));
	if (len)
		memcpy(d.copy, bytes, len);
	d.err = fb_decode(d.copy, len, p, &d.req);
	return d;
}

int rig_decode_error_with(struct message *m, const struct fb_proto *p)
{
	struct decoded d = rig_decode(m->bytes, m->len, p);

	free(d.copy);
	message_free(m);
	return d.err;
}

int rig_decode_error(struct message *m)
{
	return rig_decode_error_with(m, &rig_proto);
}
