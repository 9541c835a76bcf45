/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wire/encode_dir.c: the records of READDIR and READDIRPLUS replies.
 *
 * Records are padded with zeros to 8 bytes; no byte of the buffer that is
 * sent is left as it was.
 */
#include <string.h>
#include "encode.h"

static void put_dirent(uint8_t *at, size_t record, const char *name, size_t len,
		       uint64_t ino, unsigned char d_type, uint64_t next_cookie)
{
	struct fuse_dirent dirent = {
		.ino = ino,
		.off = next_cookie,
		.namelen = len,
		.type = d_type,
	};

	memcpy(at, &dirent, FUSE_NAME_OFFSET);
	memcpy(at + FUSE_NAME_OFFSET, name, len);
	memset(at + FUSE_NAME_OFFSET + len, 0, record - FUSE_NAME_OFFSET - len);
}

/* The size of a record for a name of @len bytes behind @head bytes, or 0 if not in @size. */
static size_t record_size(size_t head, size_t len, size_t size)
{
	size_t record;

	if (len > FB_WIRE_NAME_MAX)
		return 0;
	record = FUSE_REC_ALIGN(head + FUSE_NAME_OFFSET + len);
	return record <= size ? record : 0;
}

size_t fb_encode_dirent(const struct fb_proto *proto, void *buf, size_t size,
			const char *name, size_t len, uint64_t ino,
			unsigned char d_type, uint64_t next_cookie)
{
	size_t record = record_size(0, len, size);

	(void)proto;
	if (record)
		put_dirent(buf, record, name, len, ino, d_type, next_cookie);
	return record;
}

size_t fb_encode_direntplus(const struct fb_proto *proto, void *buf, size_t size,
			    const char *name, size_t len,
			    const struct fuseblk_volume *vol,
			    const struct fuseblk_attr *attr, uint64_t ino,
			    unsigned char d_type, uint64_t next_cookie,
			    bool no_cache_entry)
{
	size_t record = record_size(sizeof(struct fuse_entry_out), len, size);
	struct fuse_entry_out entry = { 0 };

	(void)proto;
	if (!record)
		return 0;
	if (attr && attr->ino)
		fb_encode_entry(vol, attr, no_cache_entry, &entry);
	memcpy(buf, &entry, sizeof(entry));
	put_dirent((uint8_t *)buf + sizeof(entry), record - sizeof(entry),
		   name, len, ino, d_type, next_cookie);
	return record;
}
