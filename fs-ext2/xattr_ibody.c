// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_ibody.c: the attributes between an inode's fixed fields and its end.
 * They share one write with the rest of the inode, so that any change of them
 * is atomic.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "xattr.h"

#define GOOD_OLD_SIZE 128u

/* Where the area starts, or 0 if this inode has no room for one. */
static size_t area_offset(const struct e2_inode *ei)
{
	size_t off = GOOD_OLD_SIZE + (size_t)ei->extra_isize;

	if (ei->sb->inode_size <= GOOD_OLD_SIZE || !ei->extra_isize || ei->extra_isize % 4)
		return 0;
	return off + 4 + 4 < ei->sb->inode_size ? off : 0;
}

int e2_xattr_ibody_load(struct e2_inode *ei, struct e2_xattr_ibody *ib)
{
	size_t off = area_offset(ei), len = ei->sb->inode_size - off;
	const char *wrong;
	e2_le32 magic;
	int err;

	memset(ib, 0, sizeof(*ib));
	if (!off)
		return 0;
	ib->copy = malloc(len);
	if (!ib->copy)
		return -ENOMEM;
	err = e2_inode_body_read(ei, off, ib->copy, len);
	if (err)
		return err;
	ib->off = off;
	ib->area.size = (uint32_t)len - 4;
	memcpy(&magic, ib->copy, 4);
	if (e2_get32(magic) != E2_XATTR_MAGIC)
		return 0;
	ib->area.bytes = ib->copy + 4;
	wrong = e2_xattr_check(&ib->area);
	if (wrong)
		return e2_corrupt(ei->sb, ei->ino, "extended attributes in the inode: %s", wrong);
	return 0;
}

void e2_xattr_ibody_fini(struct e2_xattr_ibody *ib)
{
	free(ib->copy);
	ib->copy = NULL;
}

int e2_xattr_ibody_store(struct e2_inode *ei, const struct e2_xattr_ibody *ib, const uint8_t *bytes, unsigned phase)
{
	struct e2_xattr_area built = { bytes, 0, ib->area.size, false };
	e2_le32 magic = e2_put32(e2_xattr_is_empty(&built) ? 0 : E2_XATTR_MAGIC);
	uint8_t *image;
	int err;

	image = malloc(ib->area.size + 4);
	if (!image)
		return -ENOMEM;
	memcpy(image, &magic, 4);
	memcpy(image + 4, bytes, ib->area.size);
	err = e2_inode_body_write(ei, phase, ib->off, image, ib->area.size + 4);
	free(image);
	return err;
}
