/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * htree_insert.c: room for a name in a directory with a hash tree, and the
 * first index of a directory that outgrows its one block.
 *
 * Names of one hash may lie in several successive leaves; any of them with
 * room will do.  When none has, the first is split (htree_split.c), which keeps
 * room for the name in the half where it belongs.
 */
#include <errno.h>
#include <string.h>
#include "dir.h"

#define ATTEMPTS 3

/* Room in one of the leaves that hold @hash, from where @dx stands on. */
static int room_in_leaves(struct e2_inode *dir, struct e2_dx *dx, uint32_t hash, uint32_t need,
			  struct e2_gap *gap)
{
	struct fuseblk_buf *buf;
	uint32_t start = hash | 1;
	int err = 1;

	while (err > 0 && start == (hash | 1)) {
		err = e2_dirblock_get(dir, e2_dx_leaf(dx), false, &buf);
		if (err)
			return err;
		err = e2_leaf_gap(dir, buf, e2_dx_leaf(dx), need, gap);
		if (!err)
			return 0;
		fuseblk_buf_put(buf);
		if (err != -ENOSPC)
			return err;
		if (e2_dx_peek(dx) != (hash | 1))
			break;
		err = e2_dx_next(dir, dx, &start);
	}
	return err < 0 ? err : -ENOSPC;
}

int e2_dx_room(struct e2_inode *dir, const char *name, size_t len, bool reserve, struct e2_gap *gap)
{
	uint32_t hash, need = e2_dent_size(len);
	struct e2_dx dx;
	int err = -ENOSPC;

	for (int i = 0; i < ATTEMPTS && err == -ENOSPC; i++) {
		err = e2_dx_open(dir, &dx);
		if (err)
			return err;
		err = e2_name_hash(dir->sb, dx.version, name, len, &hash);
		if (!err)
			err = e2_dx_seek(dir, &dx, hash);
		if (!err)
			err = room_in_leaves(dir, &dx, hash, need, gap);
		if (err == -ENOSPC) {
			err = e2_dx_seek(dir, &dx, hash);
			if (!err)
				err = e2_dx_split(dir, &dx, hash, need, reserve);
			e2_dx_close(&dx);
			if (err)
				return err;
			err = -ENOSPC;
			continue;
		}
		e2_dx_close(&dx);
	}
	return err;
}

/* "." and ".." must be where the root has them. */
static int check_dots(struct e2_inode *dir, const uint8_t *block)
{
	static const uint8_t want[2] = { 1, 2 };
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, block, 0);
	for (unsigned i = 0; i < 2; i++) {
		err = e2_walk_next(&w, &d);
		if (err < 0)
			return err;
		if (!err || !d.ino || d.off != i * E2_DENT_MIN || d.name_len != want[i] ||
		    memcmp(d.name, "..", want[i]))
			return e2_corrupt(dir->sb, dir->ino, "\".\" or \"..\" is not where it belongs");
	}
	return 0;
}

static void put16(uint8_t *at, uint16_t v)
{
	e2_le16 raw = e2_put16(v);

	memcpy(at, &raw, sizeof(raw));
}

/* The root of a tree without nodes over @leaves leaves at blocks 1 and 2; @boundary: where the second begins. */
static void make_root(const struct e2_super *sb, uint8_t *image, unsigned leaves, uint32_t boundary)
{
	struct e2_dx_info info = { .hash_version = sb->def_hash_version % 3,
				   .info_length = sizeof(info) };
	e2_le16 rec_len = e2_rec_len_put(sb, sb->block_size - E2_DENT_MIN);
	e2_le32 one = e2_put32(1), two = e2_put32(2), hash = e2_put32(boundary);

	memcpy(image + E2_DENT_MIN + 4, &rec_len, sizeof(rec_len));
	memset(image + E2_DX_INFO, 0, sb->block_size - E2_DX_INFO);
	memcpy(image + E2_DX_INFO, &info, sizeof(info));
	put16(image + E2_DX_ROOT, (uint16_t)e2_dx_limit(sb, true));
	put16(image + E2_DX_ROOT + 2, (uint16_t)leaves);
	memcpy(image + E2_DX_ROOT + 4, &one, sizeof(one));
	if (leaves < 2)
		return;
	memcpy(image + E2_DX_ROOT + 8, &hash, sizeof(hash));
	memcpy(image + E2_DX_ROOT + 12, &two, sizeof(two));
}

static int plan_convert(struct e2_dirplan *plan, struct fuseblk_buf *buf, uint32_t hash, uint32_t need,
			unsigned version)
{
	struct e2_inode *dir = plan->dir;
	struct e2_cut cut;
	int root, leaf, err;

	root = e2_dirplan_change(plan, 0, buf, true);
	if (root < 0)
		return root;
	err = e2_dirplan_collect(plan, buf, 0, E2_DX_INFO, version);
	if (!err)
		err = e2_dirplan_dotdot(plan, (unsigned)root, buf);
	if (err)
		return err;
	e2_dx_cut(plan, hash, need, &cut);
	for (unsigned i = 0, first = 0; i < (cut.two ? 2u : 1u); i++) {
		unsigned n = i ? plan->item_count - first : cut.lower;

		leaf = e2_dirplan_append(plan, false);
		if (leaf < 0)
			return leaf;
		e2_dirplan_fill(plan, (unsigned)leaf, first, n);
		first += n;
	}
	make_root(dir->sb, plan->block[root].image, cut.two ? 2 : 1, cut.hash);
	return 0;
}

int e2_dx_convert(struct e2_inode *dir, const char *name, size_t len, bool reserve)
{
	struct e2_super *sb = dir->sb;
	unsigned version = sb->def_hash_version % 3 + (sb->hash_unsigned ? 3u : 0);
	uint32_t hash, flags = dir->flags;
	struct fuseblk_buf *buf;
	struct e2_dirplan plan;
	int err;

	err = e2_name_hash(sb, version, name, len, &hash);
	if (!err)
		err = e2_dirblock_get(dir, 0, false, &buf);
	if (err)
		return err;
	e2_dirplan_init(&plan, dir);
	err = check_dots(dir, buf->data);
	if (!err)
		err = plan_convert(&plan, buf, hash, e2_dent_size(len), version);
	if (!err) {
		dir->flags |= E2_FL_INDEX;
		err = e2_dirplan_commit(&plan, reserve);
		if (err)
			dir->flags = flags;
	}
	e2_dirplan_fini(&plan);
	fuseblk_buf_put(buf);
	return err;
}
