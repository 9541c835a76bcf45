// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * xattr_data.c: the attribute system.data, in which a file or directory
 * with inline data keeps what does not fit in the 60 bytes of i_block.  It
 * is only ever inside the inode, and changes in the phase in which the
 * inode's size and map change, so that one write shows both.
 */
#include <errno.h>
#include <string.h>
#include "xattr.h"

static const char data_name[] = "data";
#define DATA_NAME_LEN (sizeof(data_name) - 1)

ssize_t e2_xattr_data_get(struct e2_inode *ei, void *buf, size_t size)
{
	struct e2_xattr_ibody ib;
	struct e2_xattr_item item;
	ssize_t got;

	got = e2_xattr_ibody_load(ei, &ib);
	if (!got && !e2_xattr_find(&ib.area, E2_XATTR_SYSTEM, data_name, DATA_NAME_LEN, &item))
		got = -ENODATA;
	if (!got && item.inum)
		got = e2_corrupt(ei->sb, ei->ino, "inline data outside the inode");
	if (!got && size && item.size > size)
		got = -ERANGE;
	if (!got && size && item.size)
		memcpy(buf, item.value, item.size);
	e2_xattr_ibody_fini(&ib);
	return got ? got : (ssize_t)item.size;
}

int e2_xattr_data_set(struct e2_inode *ei, const void *buf, size_t size)
{
	ssize_t old = e2_xattr_data_get(ei, NULL, 0);

	if (old < 0 && old != -ENODATA)
		return (int)old;
	e2_xattr_phase(ei, old > (ssize_t)size ? E2_REMOVE : E2_ADD);
	return e2_xattr_set(ei, E2_XATTR_SYSTEM, data_name, DATA_NAME_LEN, size ? buf : "", size, 0);
}

int e2_xattr_data_remove(struct e2_inode *ei)
{
	e2_xattr_phase(ei, E2_ADD);
	return e2_xattr_set(ei, E2_XATTR_SYSTEM, data_name, DATA_NAME_LEN, NULL, 0, 0);
}

ssize_t e2_xattr_data_space(struct e2_inode *ei)
{
	struct e2_xattr_ibody ib;
	ssize_t room;

	room = e2_xattr_ibody_load(ei, &ib);
	if (!room)
		room = ib.off ? e2_xattr_room(&ib.area, E2_XATTR_SYSTEM, data_name, DATA_NAME_LEN) : -ENOSPC;
	e2_xattr_ibody_fini(&ib);
	return room;
}
