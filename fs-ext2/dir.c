/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dir.c: directories whatever their form: inline, linear, or with a hash tree.
 *
 * A linear directory of more than a few blocks is searched through the table
 * of names.c.  Room in it is looked for in the block that had room last, the last
 * one, and a few others in turn, never in all of them, so that adding n names
 * costs O(n); what was freed is found when its turn comes.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

#define FEW_BLOCKS 4u		/* searched without a table */
#define PROBES 8u		/* blocks looked at in turn for freed room */
#define PREFETCH 16u
#define INTERRUPT_EVERY 64u

static int check_size(struct e2_inode *dir)
{
	uint64_t blocks = e2_dir_blocks(dir);

	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!blocks || blocks > dir->sb->blocks_count)
		return e2_corrupt(dir->sb, dir->ino, "directory of %llu bytes",
				  (unsigned long long)dir->size);
	return 0;
}

/* ---- leaves in order of blocks ------------------------------------------------ */

static void prefetch(struct e2_inode *dir, uint64_t lblk)
{
	uint64_t pblk;

	for (unsigned i = 0; i < PREFETCH && lblk + i < e2_dir_blocks(dir); i++)
		if (!e2_map_block(dir, lblk + i, &pblk) && pblk && e2_block_is_data(dir->sb, pblk, 1))
			fuseblk_buf_prefetch(dir->sb->vol, pblk, 1);
}

/* Does the block look like a node of a hash tree? Without checksums an empty leaf may, too. */
static bool is_node(const struct e2_super *sb, const uint8_t *block)
{
	struct e2_disk_dirent raw;

	memcpy(&raw, block, sizeof(raw));
	return !e2_get32(raw.inode) && !raw.name_len &&
	       e2_rec_len_get(sb, raw.rec_len) == sb->block_size;
}

/* Block @lblk if it is a leaf, else NULL in *@out. */
static int get_leaf(struct e2_inode *dir, uint64_t lblk, struct fuseblk_buf **out)
{
	struct fuseblk_buf *buf;
	uint64_t pblk;
	bool node;
	int err;

	*out = NULL;
	if (!e2_dir_is_indexed(dir))
		return e2_dirblock_get(dir, lblk, false, out);
	if (!lblk)
		return 0;
	err = e2_map_block(dir, lblk, &pblk);
	if (err)
		return err;
	if (pblk && e2_block_is_data(dir->sb, pblk, 1)) {
		err = fuseblk_buf_get(dir->sb->vol, pblk, &buf);
		if (err)
			return err;
		node = is_node(dir->sb, buf->data);
		fuseblk_buf_put(buf);
		if (node)
			return 0;
	}
	return e2_dirblock_get(dir, lblk, false, out);
}

int e2_dir_each_leaf(struct e2_inode *dir, uint64_t first, e2_leaf_fn fn, void *arg)
{
	struct fuseblk_buf *buf;
	int err = 0;

	for (uint64_t lblk = first; !err && lblk < e2_dir_blocks(dir); lblk++) {
		if (lblk % INTERRUPT_EVERY == INTERRUPT_EVERY - 1 && fuseblk_interrupted())
			return -EINTR;
		if (lblk % PREFETCH == 0 && e2_dir_blocks(dir) > 1)
			prefetch(dir, lblk);
		err = get_leaf(dir, lblk, &buf);
		if (!err && buf) {
			err = fn(dir, buf, lblk, arg);
			fuseblk_buf_put(buf);
		}
	}
	return err;
}

/* ---- finding -------------------------------------------------------------------- */

struct wanted {
	const char *name;
	size_t len;
	struct e2_slot *slot;
	struct e2_ghost *ghost;
	bool unused;			/* the unused entry of a ghost, not a name */
};

static int find_unused(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk,
		       const struct wanted *want)
{
	struct e2_past past;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		if (d.ino || d.name_len != want->len || memcmp(d.name, want->name, want->len))
			continue;
		err = e2_slot_past(dir, buf, &d, &past);
		if (err)
			return err;
		if (!past.ino[E2_AT_ADD] && !past.ino[E2_AT_SWITCH])
			continue;
		*want->slot = (struct e2_slot){ buf, lblk, d.off, 0, d.type };
		return 0;
	}
	return err ? err : -ENOENT;
}

static int find_in_leaf(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk,
			const struct wanted *want)
{
	if (want->unused)
		return find_unused(dir, buf, lblk, want);
	return e2_leaf_find(dir, buf, lblk, want->name, want->len, want->slot, want->ghost);
}

/* In one block, which the slot then keeps. */
static int find_at(struct e2_inode *dir, uint64_t lblk, const struct wanted *want)
{
	struct fuseblk_buf *buf;
	int err = e2_dirblock_get(dir, lblk, false, &buf);

	if (err)
		return err;
	err = find_in_leaf(dir, buf, lblk, want);
	if (err)
		fuseblk_buf_put(buf);
	return err;
}

static int find_by_table(struct e2_inode *dir, const struct e2_names *names, const struct wanted *want)
{
	uint32_t key = e2_name_key(want->name, want->len), pos = 0;
	uint64_t lblk;
	int err = -ENOENT;

	while (err == -ENOENT && e2_names_next(names, key, &pos, &lblk))
		err = find_at(dir, lblk, want);
	return err;
}

static int find_linear(struct e2_inode *dir, const struct wanted *want)
{
	const struct e2_names *names = NULL;
	int err = -ENOENT;

	if (e2_dir_blocks(dir) > FEW_BLOCKS)
		names = e2_names_get(dir);
	if (names)
		return find_by_table(dir, names, want);
	for (uint64_t lblk = 0; err == -ENOENT && lblk < e2_dir_blocks(dir); lblk++) {
		if (lblk % INTERRUPT_EVERY == INTERRUPT_EVERY - 1 && fuseblk_interrupted())
			return -EINTR;
		err = find_at(dir, lblk, want);
	}
	return err;
}

static int find_indexed(struct e2_inode *dir, const struct wanted *want)
{
	uint32_t hash, start = 0;
	struct e2_dx dx;
	int err = e2_dx_open(dir, &dx), more = 1;

	if (err)
		return err;
	err = e2_name_hash(dir->sb, dx.version, want->name, want->len, &hash);
	if (!err)
		err = e2_dx_seek(dir, &dx, hash);
	if (!err)
		err = find_at(dir, e2_dx_leaf(&dx), want);
	while (err == -ENOENT && e2_dx_peek(&dx) == (hash | 1)) {
		more = e2_dx_next(dir, &dx, &start);
		err = more > 0 ? find_at(dir, e2_dx_leaf(&dx), want) : more ? more : -ENOENT;
	}
	e2_dx_close(&dx);
	return err;
}

/* "." or ".." of block 0, which in an indexed directory is the root. */
static int find_dot(struct e2_inode *dir, unsigned dots, struct e2_slot *slot)
{
	struct fuseblk_buf *buf;
	struct e2_walk w;
	struct e2_dent d;
	int err = e2_dirblock_get(dir, 0, e2_dir_is_indexed(dir), &buf);

	if (err)
		return err;
	e2_walk_init(&w, dir, buf->data, 0);
	if (e2_dir_is_indexed(dir))
		w.end = dir->sb->block_size;
	for (unsigned i = 0; i < dots && !err; i++) {
		err = e2_walk_next(&w, &d);
		err = err > 0 ? 0 : err ? err : -EUCLEAN;
	}
	if (!err && d.ino && d.name_len == dots && !memcmp(d.name, "..", dots)) {
		*slot = (struct e2_slot){ buf, 0, d.off, d.ino, d.type };
		return 0;
	}
	fuseblk_buf_put(buf);
	return err && err != -EUCLEAN ? err :
	       e2_corrupt(dir->sb, dir->ino, "\".\" or \"..\" is not where it belongs");
}

static int find_inline(struct e2_inode *dir, const struct wanted *want)
{
	struct e2_walk w;
	struct e2_dent d;
	uint8_t *image;
	int err = e2_inline_dir_image(dir, &image);

	if (err)
		return err;
	e2_walk_init(&w, dir, image, 0);
	while ((err = e2_walk_next(&w, &d)) > 0)
		if (d.ino && d.name_len == want->len && !memcmp(d.name, want->name, want->len))
			break;
	if (err > 0)
		*want->slot = (struct e2_slot){ NULL, 0, d.off, d.ino, d.type };
	free(image);
	return err > 0 ? 0 : err ? err : -ENOENT;
}

static bool is_dots(const char *name, size_t len)
{
	return len <= 2 && !memcmp(name, "..", len);
}

static int find(struct e2_inode *dir, const struct wanted *want)
{
	int err;

	if (!want->len || want->len > E2_NAME_MAX)
		return want->len ? -ENAMETOOLONG : -EINVAL;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (e2_dir_is_inline(dir))
		return want->unused ? -ENOENT : find_inline(dir, want);
	err = check_size(dir);
	if (err)
		return err;
	if (!e2_dir_is_indexed(dir))
		return find_linear(dir, want);
	if (is_dots(want->name, want->len))
		return find_dot(dir, (unsigned)want->len, want->slot);
	return find_indexed(dir, want);
}

int e2_dir_find(struct e2_inode *dir, const char *name, size_t len, struct e2_slot *slot,
		struct e2_ghost *ghost)
{
	struct wanted want = { name, len, slot, ghost, false };

	if (ghost)
		ghost->found = false;
	return find(dir, &want);
}

int e2_dir_find_unused(struct e2_inode *dir, const char *name, size_t len, struct e2_slot *slot)
{
	struct wanted want = { name, len, slot, NULL, true };

	return find(dir, &want);
}

int e2_dir_dotdot(struct e2_inode *dir, struct e2_slot *slot)
{
	int err;

	if (e2_dir_is_inline(dir)) {
		struct wanted want = { "..", 2, slot, NULL, false };

		return find_inline(dir, &want);
	}
	err = check_size(dir);
	return err ? err : find_dot(dir, 2, slot);
}

/* ---- room ------------------------------------------------------------------------- */

/* Room in block @lblk, or -ENOSPC. */
static int room_at(struct e2_inode *dir, uint64_t lblk, uint32_t need, struct e2_gap *gap)
{
	struct fuseblk_buf *buf;
	int err;

	if (lblk >= e2_dir_blocks(dir))
		return -ENOSPC;
	err = e2_dirblock_get(dir, lblk, false, &buf);
	if (err)
		return err;
	err = e2_leaf_gap(dir, buf, lblk, need, gap);
	if (err)
		fuseblk_buf_put(buf);
	else
		dir->dir_free_hint = lblk;
	return err;
}

static int room_in_turn(struct e2_inode *dir, uint32_t need, struct e2_gap *gap)
{
	uint64_t blocks = e2_dir_blocks(dir);
	int err = -ENOSPC;

	for (unsigned i = 0; err == -ENOSPC && i < PROBES && i < blocks; i++) {
		dir->dir_probe = (dir->dir_probe + 1) % blocks;
		err = room_at(dir, dir->dir_probe, need, gap);
	}
	return err;
}

static int append_leaf(struct e2_inode *dir, bool reserve)
{
	struct e2_dirplan plan;
	int leaf, err;

	e2_dirplan_init(&plan, dir);
	leaf = e2_dirplan_append(&plan, false);
	err = leaf < 0 ? leaf : 0;
	if (!err) {
		e2_leaf_init(dir->sb, plan.block[leaf].image);
		err = e2_dirplan_commit(&plan, reserve);
	}
	e2_dirplan_fini(&plan);
	return err;
}

static bool can_convert(const struct e2_inode *dir)
{
	return e2_dir_blocks(dir) == 1 && e2_has_compat(dir->sb, E2_COMPAT_DIR_INDEX) &&
	       e2_hash_is_known(dir->sb->def_hash_version);
}

static int room_linear(struct e2_inode *dir, const char *name, size_t len, bool reserve,
		       struct e2_gap *gap)
{
	uint32_t need = e2_dent_size(len);
	int err = room_at(dir, dir->dir_free_hint, need, gap);

	if (err == -ENOSPC)
		err = room_at(dir, e2_dir_blocks(dir) - 1, need, gap);
	if (err == -ENOSPC)
		err = room_in_turn(dir, need, gap);
	if (err != -ENOSPC)
		return err;
	if (can_convert(dir)) {
		err = e2_dx_convert(dir, name, len, reserve);
		return err ? err : e2_dx_room(dir, name, len, reserve, gap);
	}
	err = append_leaf(dir, reserve);
	return err ? err : room_at(dir, e2_dir_blocks(dir) - 1, need, gap);
}

int e2_dir_prepare(struct e2_inode *dir, bool reserve)
{
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (e2_dir_is_inline(dir))
		return e2_inline_dir_convert(dir, reserve);
	return check_size(dir);
}

int e2_dir_room(struct e2_inode *dir, const char *name, size_t len, bool reserve, struct e2_gap *gap)
{
	int err = e2_dir_prepare(dir, reserve);

	if (err)
		return err;
	if (e2_dir_is_indexed(dir))
		return e2_dx_room(dir, name, len, reserve, gap);
	if (dir->flags & E2_FL_INDEX) {
		/* left behind by a driver that kept the tree; without the feature nobody does */
		dir->flags &= ~E2_FL_INDEX;
		err = e2_store_map(dir, E2_ADD);
		if (err)
			return err;
	}
	return room_linear(dir, name, len, reserve, gap);
}

/* ---- the rest ------------------------------------------------------------------------ */

void e2_dir_remove(struct e2_inode *dir, const struct e2_slot *slot, unsigned phase)
{
	e2_slot_write(dir, slot->buf, slot->lblk, slot->off, phase, 0, 0);
	dir->dir_free_hint = slot->lblk;
}

static int any_name(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, void *arg)
{
	struct e2_walk w;
	struct e2_dent d;
	int err;

	(void)arg;
	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0)
		if (d.ino && !is_dots(d.name, d.name_len))
			return 1;
	return err;
}

int e2_dir_is_empty(struct e2_inode *dir)
{
	struct fuseblk_buf image = { 0 };
	int err;

	if (e2_dir_is_inline(dir)) {
		err = e2_inline_dir_image(dir, &image.data);
		if (!err)
			err = any_name(dir, &image, 0, NULL);
		free(image.data);
	} else {
		err = check_size(dir);
		if (!err)
			err = e2_dir_each_leaf(dir, 0, any_name, NULL);
	}
	return err < 0 ? err : !err;
}

int e2_dir_make(struct e2_inode *dir, uint32_t parent, bool reserve)
{
	struct e2_super *sb = dir->sb;
	struct e2_dirplan plan;
	int n, err;

	e2_dirplan_init(&plan, dir);
	n = e2_dirplan_append(&plan, false);
	err = n < 0 ? n : 0;
	if (!err) {
		uint8_t *image = plan.block[n].image;

		e2_leaf_init(sb, image);
		e2_dent_put(sb, image, 0, E2_DENT_MIN, dir->ino, E2_FT_DIR, ".", 1);
		e2_dent_put(sb, image, E2_DENT_MIN, e2_leaf_end(sb) - E2_DENT_MIN, parent,
			    E2_FT_DIR, "..", 2);
		err = e2_dirplan_commit(&plan, reserve);
	}
	e2_dirplan_fini(&plan);
	return err;
}

void e2_dir_unload(struct e2_inode *dir)
{
	e2_names_drop(dir);
	atomic_store(&dir->dir_names_failed, false);
	dir->dir_moved_epoch = 0;
}
