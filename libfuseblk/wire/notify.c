// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * wire/notify.c: messages to the kernel that answer no request: unique 0 and
 * the kind where a reply has its error.
 */
#include <string.h>
#include "proto.h"
#include "request.h"

void fb_encode_inval_attr(uint64_t nodeid, struct fb_reply *reply)
{
	const struct fuse_notify_inval_inode_out body = { .ino = nodeid, .off = -1 };
	const struct fuse_out_header head = {
		.len = sizeof(head) + sizeof(body), .error = FUSE_NOTIFY_INVAL_INODE,
	};

	memcpy(reply->head, &head, sizeof(head));
	memcpy(reply->head + sizeof(head), &body, sizeof(body));
	reply->iov[0] = (struct iovec){ .iov_base = reply->head, .iov_len = head.len };
	reply->iov_count = 1;
	reply->total = head.len;
}
