// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * wire/notify.c: messages to the kernel that answer no request: unique 0 and
 * the kind where a reply has its error.
 */
#include <string.h>
#include "proto.h"
#include "request.h"

static void put(struct fb_reply *reply, int code, const void *body, size_t size, const char *name, size_t len)
{
	struct fuse_out_header head = {
		.len = (uint32_t)(sizeof(head) + size + len), .error = code,
	};

	memcpy(reply->head, &head, sizeof(head));
	memcpy(reply->head + sizeof(head), body, size);
	reply->iov[0] = (struct iovec){ .iov_base = reply->head, .iov_len = sizeof(head) + size };
	reply->iov[1] = (struct iovec){ .iov_base = (void *)name, .iov_len = len };
	reply->iov_count = len ? 2 : 1;
	reply->total = head.len;
}

void fb_encode_inval_attr(uint64_t nodeid, struct fb_reply *reply)
{
	const struct fuse_notify_inval_inode_out body = { .ino = nodeid, .off = -1 };

	put(reply, FUSE_NOTIFY_INVAL_INODE, &body, sizeof(body), NULL, 0);
}

void fb_encode_inval_entry(uint64_t parent, const char *name, size_t len, bool drop, struct fb_reply *reply)
{
	struct fuse_notify_inval_entry_out body = { .parent = parent, .namelen = (uint32_t)len };

	if (!drop)
		memcpy((uint8_t *)&body + sizeof(body) - sizeof(uint32_t), &(uint32_t){ FUSE_EXPIRE_ONLY },
		       sizeof(uint32_t));	/* .flags, .padding in older headers */
	put(reply, FUSE_NOTIFY_INVAL_ENTRY, &body, sizeof(body), name, len + 1);
}

void fb_encode_prune(uint64_t nodeid, struct fb_reply *reply)
{
	struct {
		struct fuse_notify_prune_out head;
		uint64_t nodeid;
	} body = { .head = { .count = 1 }, .nodeid = nodeid };

	put(reply, FUSE_NOTIFY_PRUNE, &body, sizeof(body), NULL, 0);
}
