// SPDX-License-Identifier: GPL-2.0-only
/*
 * dirent.c: see dirent.h.  Layout: struct fuse_dirent and fuse_direntplus of
 * <linux/fuse.h>; each entry is padded to 8 bytes, the last one, too.
 */
#include "dirent.h"

#ifdef __KERNEL__
#include <linux/errno.h>
#include <linux/stddef.h>
#include <linux/string.h>
#endif

int fblk_dirent_next(const void *reply, size_t len, bool plus, size_t *pos, struct fblk_dirent *out)
{
	size_t head = plus ? sizeof(struct fuse_entry_out) : 0;
	const u8 *at = (const u8 *)reply + *pos;
	const struct fuse_dirent *de;
	size_t left = len - *pos, size;

	if (*pos >= len || left < head + FUSE_NAME_OFFSET)
		return 0;
	de = (const struct fuse_dirent *)(at + head);
	if (!de->namelen || de->namelen > FBLK_NAME_MAX)
		return -EIO;
	size = FUSE_DIRENT_ALIGN(head + FUSE_NAME_OFFSET + de->namelen);
	if (left < size)
		return 0;
	if (memchr(de->name, '/', de->namelen) || memchr(de->name, '\0', de->namelen))
		return -EIO;
	*out = (struct fblk_dirent) {
		.name = de->name, .namelen = de->namelen, .type = de->type, .ino = de->ino, .next = de->off,
		.entry = plus ? (const struct fuse_entry_out *)at : NULL,
	};
	*pos += size;
	return 1;
}

bool fblk_dirent_is_dot(const struct fblk_dirent *d)
{
	return d->name[0] == '.' && (d->namelen == 1 || (d->namelen == 2 && d->name[1] == '.'));
}
