/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * inline_dir.c: directories kept inside the inode (feature inline_data).
 *
 * i_block has the parent's inode number in 4 bytes and then 56 bytes of
 * entries; the attribute system.data has more of them.  For every look the directory
 * is laid out as the block it would be, with "." and "..": this is
 * also what it is converted to, so that positions in a listing stay valid.  A
 * directory becomes a block before a name is added or changed; names
 * are removed in place.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "dir.h"
#include "xattr.h"

#define PARENT_BYTES 4u
#define HEAD_BYTES (sizeof(((struct e2_inode *)0)->i_block) - PARENT_BYTES)
#define HEAD_OFF (2 * E2_DENT_MIN)		/* in the virtual block */
#define MORE_OFF (HEAD_OFF + HEAD_BYTES)

static int bad(struct e2_inode *dir)
{
	return e2_corrupt(dir->sb, dir->ino, "inline directory is damaged");
}

/* The rest of the block is one unused entry. */
static int lay_out(struct e2_inode *dir, uint8_t *image, size_t more)
{
	const struct e2_super *sb = dir->sb;
	uint32_t off = MORE_OFF + (uint32_t)more, end = e2_leaf_end(sb);
	e2_le32 parent;

	if (more % 4 || off + E2_DENT_MIN > end)
		return bad(dir);
	memcpy(&parent, dir->i_block, sizeof(parent));
	e2_dent_put(sb, image, 0, E2_DENT_MIN, dir->ino, E2_FT_DIR, ".", 1);
	e2_dent_put(sb, image, E2_DENT_MIN, E2_DENT_MIN, e2_get32(parent), E2_FT_DIR, "..", 2);
	memcpy(image + HEAD_OFF, dir->i_block + PARENT_BYTES, HEAD_BYTES);
	e2_dent_put(sb, image, off, end - off, 0, 0, "", 0);
	return 0;
}

int e2_inline_dir_image(struct e2_inode *dir, uint8_t **out)
{
	uint32_t end = e2_leaf_end(dir->sb);
	uint8_t *image = malloc(dir->sb->block_size);
	ssize_t more;
	int err;

	if (!image)
		return -ENOMEM;
	e2_leaf_init(dir->sb, image);
	more = e2_xattr_data_get(dir, image + MORE_OFF, end - MORE_OFF);
	if (more == -ENODATA)
		more = 0;
	if (more == -ERANGE)
		more = bad(dir);
	err = more < 0 ? (int)more : lay_out(dir, image, (size_t)more);
	if (err) {
		free(image);
		return err;
	}
	*out = image;
	return 0;
}

static int check(struct e2_inode *dir, const uint8_t *image)
{
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, image, 0);
	while ((err = e2_walk_next(&w, &d)) > 0)
		;
	return err;
}

static int move_out(struct e2_inode *dir, const uint8_t *image, bool reserve)
{
	struct e2_dirplan plan;
	int n, err;

	e2_dirplan_init(&plan, dir);
	plan.blocks = 0;
	n = e2_dirplan_append(&plan, false);
	err = n < 0 ? n : 0;
	if (!err) {
		memcpy(plan.block[n].image, image, dir->sb->block_size);
		err = e2_dirplan_commit(&plan, reserve);
	}
	e2_dirplan_fini(&plan);
	if (err)
		return err;
	err = e2_xattr_data_remove(dir);
	return err == -ENODATA ? 0 : err;
}

int e2_inline_dir_convert(struct e2_inode *dir, bool reserve)
{
	struct fuseblk_buf *pin;
	uint8_t *image;
	int err;

	/* names removed in this epoch are still in its images, but would not be in the block */
	if (dir->removed_epoch && dir->removed_epoch == fuseblk_epoch(dir->sb->vol))
		return -FUSEBLK_EAGAIN_COMMIT;
	err = e2_inode_pin(dir, &pin);
	if (err)
		return err;
	err = e2_inline_dir_image(dir, &image);
	if (!err) {
		err = check(dir, image);
		if (!err)
			err = move_out(dir, image, reserve);
		free(image);
	}
	fuseblk_buf_put(pin);
	return err;
}

int e2_inline_dir_locate(struct e2_inode *dir, uint32_t off, struct e2_inline_place *place)
{
	struct e2_xattr_ibody ib;
	struct e2_xattr_item item;
	int err = 0;

	if (off < HEAD_OFF)
		return bad(dir);
	*place = (struct e2_inline_place){ .in_root = off < MORE_OFF,
					   .off = off - HEAD_OFF + PARENT_BYTES };
	if (place->in_root)
		return 0;
	err = e2_xattr_ibody_load(dir, &ib);
	if (!err && (!e2_xattr_find(&ib.area, E2_XATTR_SYSTEM, "data", 4, &item) || !item.value ||
		     off - MORE_OFF + 4 > item.size))
		err = bad(dir);
	if (!err)
		place->off = ib.off + (size_t)(item.value - ib.copy) + off - MORE_OFF;
	e2_xattr_ibody_fini(&ib);
	return err;
}

int e2_inline_dir_clear(struct e2_inode *dir, const struct e2_inline_place *place)
{
	static const uint8_t zero[4];

	if (place->in_root) {
		memset(dir->i_block + place->off, 0, sizeof(zero));
		dir->removed_epoch = fuseblk_epoch(dir->sb->vol);
		return e2_store_map(dir, E2_REMOVE);
	}
	dir->removed_epoch = fuseblk_epoch(dir->sb->vol);
	return e2_inode_body_write(dir, e2_xattr_phase(dir, E2_REMOVE), place->off, zero, sizeof(zero));
}
