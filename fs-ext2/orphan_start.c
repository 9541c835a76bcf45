// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * orphan_start.c: the orphans that an earlier mount left on the device:
 * found, and finished.
 *
 * Nothing in the lists is trusted: numbers out of range and numbers seen
 * before end the linked list, or empty their slot of the orphan file.  What
 * is finished here leaves the lists at the commits that follow.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "orphan.h"

#define FILE_BLOCKS_MAX	512u		/* as the kernel */
#define CHAIN_MAX	(1u << 20)

static struct e2_orphan *admit(struct e2_super *sb, struct e2_orphans *o, uint32_t ino)
{
	struct e2_orphan *e;

	if (ino < sb->first_ino || ino > sb->inodes_count || e2_orphan_find(o, ino))
		return NULL;
	e = e2_orphan_insert(o, ino);
	if (e)
		e->listed = true;
	return e;
}

/* ---- the linked list ------------------------------------------------------------------ */

static int read_dtime(struct e2_super *sb, uint32_t ino, uint32_t *dtime)
{
	const struct e2_disk_inode *d;
	struct fuseblk_buf *buf;
	uint64_t block;
	uint32_t offset;
	int err;

	e2_inode_place(sb, ino, &block, &offset);
	err = fuseblk_buf_get(sb->vol, block, &buf);
	if (err)
		return err;
	d = (const struct e2_disk_inode *)(buf->data + offset);
	*dtime = e2_get32(d->i_dtime);
	fuseblk_buf_put(buf);
	return 0;
}

/* The list ends where it stops making sense. */
static int cut_chain(struct e2_super *sb, struct e2_orphans *o, uint32_t bad)
{
	uint32_t holder = o->chained ? o->chain[o->chained - 1]->ino : 0;

	fuseblk_log(sb->vol, FUSEBLK_WARNING, "the list of orphaned inodes is damaged at inode %u; run e2fsck", bad);
	e2_mark_error(sb->vol);
	if (holder)
		return e2_inode_write_dtime(sb, holder, E2_FRESH, 0);
	e2_super_write32(sb, E2_FRESH, E2_SB_OFF(s_last_orphan), 0);
	return 0;
}

static int read_chain(struct e2_super *sb, struct e2_orphans *o)
{
	uint32_t ino = e2_get32(e2_disk_super(sb)->s_last_orphan);

	while (ino) {
		struct e2_orphan *e = o->chained < CHAIN_MAX ? admit(sb, o, ino) : NULL;
		int err;

		if (!e)
			return cut_chain(sb, o, ino);
		o->chain[o->chained++] = e;
		err = read_dtime(sb, ino, &ino);
		if (err)
			return err;
	}
	return 0;
}

/* ---- the orphan file ------------------------------------------------------------------- */

static int read_file_block(struct e2_super *sb, struct e2_orphans *o, const struct e2_inode *ei, uint32_t i)
{
	uint64_t pblk = o->file_block[i];
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(sb->vol, pblk, &buf);

	if (err)
		return err;
	if (!e2_orphan_block_ok(sb, pblk, ei->ino, ei->generation, buf->data))
		err = -EUCLEAN;
	for (uint32_t n = 0; !err && n < o->slots_per_block; n++) {
		e2_le32 le;

		memcpy(&le, buf->data + n * sizeof(le), sizeof(le));
		o->file_ino[i * o->slots_per_block + n] = e2_get32(le);
	}
	fuseblk_buf_put(buf);
	return err;
}

static int read_file_blocks(struct e2_super *sb, struct e2_orphans *o, struct e2_inode *ei)
{
	int err = 0;

	for (uint32_t i = 0; !err && i < o->file_blocks; i++) {
		err = e2_map_block(ei, i, &o->file_block[i]);
		if (!err && !e2_block_is_data(sb, o->file_block[i], 1))
			err = -EUCLEAN;
		if (!err)
			err = read_file_block(sb, o, ei, i);
	}
	return err;
}

static int read_file(struct e2_super *sb, struct e2_orphans *o, struct e2_inode *ei)
{
	uint64_t blocks = ei->size >> sb->block_bits;
	int err;

	if (!S_ISREG(ei->mode) || !blocks || blocks > FILE_BLOCKS_MAX)
		return -EUCLEAN;
	o->file_blocks = (uint32_t)blocks;
	o->slots_per_block = (uint32_t)((sb->block_size - sizeof(struct e2_disk_orphan_tail)) / sizeof(e2_le32));
	o->file_slots = o->file_blocks * o->slots_per_block;
	o->file_tag = e2_tag(ei);
	o->file_block = calloc(o->file_blocks, sizeof(*o->file_block));
	o->file_ino = calloc(o->file_slots, sizeof(*o->file_ino));
	err = o->file_block && o->file_ino ? read_file_blocks(sb, o, ei) : -ENOMEM;
	if (err) {
		free(o->file_block);
		free(o->file_ino);
		o->file_block = NULL;
		o->file_ino = NULL;
	}
	return err;
}

/* A slot that names no inode that could be an orphan stays as it is, for e2fsck. */
static void admit_slots(struct e2_super *sb, struct e2_orphans *o)
{
	for (uint32_t slot = 0; slot < o->file_slots; slot++) {
		struct e2_orphan *e;

		if (!o->file_ino[slot])
			continue;
		e = admit(sb, o, o->file_ino[slot]);
		if (e) {
			e->slot = slot;
			continue;
		}
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the orphan file names inode %u wrongly; run e2fsck",
			    o->file_ino[slot]);
		e2_mark_error(sb->vol);
	}
}

static int open_file(struct e2_super *sb, struct e2_orphans *o)
{
	uint32_t ino = e2_get32(e2_disk_super(sb)->s_orphan_file_inum);
	struct fuseblk_node *node;
	int err;

	if (!e2_has_compat(sb, E2_COMPAT_ORPHAN_FILE))
		return 0;
	err = fuseblk_node_get(sb->vol, ino, &node);
	if (!err) {
		err = read_file(sb, o, e2_i(node));
		fuseblk_node_put(node);
	}
	if (!err) {
		e2_set_ro_feature(sb, E2_RO_ORPHAN_PRESENT);
		admit_slots(sb, o);
	} else if (err == -EUCLEAN || err == -ESTALE) {
		fuseblk_log(sb->vol, FUSEBLK_WARNING, "the orphan file is damaged and not used; run e2fsck");
		e2_mark_error(sb->vol);
		err = 0;
	}
	return err;
}

/* ---- finishing them ---------------------------------------------------------------------- */

static void set_done(struct e2_super *sb, uint32_t ino, bool living)
{
	struct e2_orphans *o = sb->orphans;
	struct e2_orphan *e;

	pthread_mutex_lock(&o->lock);
	e = e2_orphan_find(o, ino);
	if (e) {
		e->done = true;
		e->living = living;
	}
	pthread_mutex_unlock(&o->lock);
}

static void set_kind(struct e2_super *sb, uint32_t ino, bool is_dir)
{
	struct e2_orphan *e;

	pthread_mutex_lock(&sb->orphans->lock);
	e = e2_orphan_find(sb->orphans, ino);
	if (e)
		e->is_dir = is_dir;
	pthread_mutex_unlock(&sb->orphans->lock);
}

/* A dead one is freed; one that lives was being truncated. */
static void finish(struct e2_super *sb, uint32_t ino)
{
	struct fuseblk_node *node;
	struct e2_inode *ei;
	int err;

	if (fuseblk_is_referenced(sb->vol, ino))
		return;		/* from before a remount; its user finishes it */
	err = fuseblk_node_get(sb->vol, ino, &node);
	if (err) {
		set_done(sb, ino, true);	/* for fsck to look at */
		return;
	}
	ei = e2_i(node);
	set_kind(sb, ino, S_ISDIR(ei->mode));
	if (!ei->links) {
		e2_free(sb->vol, node);
	} else {
		if (S_ISREG(ei->mode))
			err = e2_truncate(sb->vol, node, ei->size);
		set_done(sb, ino, true);
	}
	fuseblk_node_changed(node);
	fuseblk_node_put(node);
}

static uint32_t *list_numbers(struct e2_orphans *o, size_t *count)
{
	uint32_t *list = calloc(o->count, sizeof(*list));
	size_t n = 0;

	for (unsigned i = 0; list && i < E2_ORPHAN_BUCKETS; i++)
		for (const struct e2_orphan *e = o->buckets[i]; e; e = e->next)
			if (e->listed && !e->done)
				list[n++] = e->ino;
	*count = n;
	return list;
}

static int finish_all(struct e2_super *sb)
{
	uint32_t *list;
	size_t n;

	if (!sb->orphans->count)
		return 0;
	list = list_numbers(sb->orphans, &n);
	if (!list)
		return -ENOMEM;
	if (n)
		fuseblk_log(sb->vol, FUSEBLK_INFO, "finishing %zu orphaned inode%s", n, n == 1 ? "" : "s");
	for (size_t i = 0; i < n; i++)
		finish(sb, list[i]);
	free(list);
	return 0;
}

int e2_orphans_start(struct e2_super *sb)
{
	struct e2_orphans *o = sb->orphans;
	int err = 0;

	o->chain_closed = false;
	if (sb->mount_state & E2_ERROR_FS && e2_get32(e2_disk_super(sb)->s_last_orphan)) {
		o->chain_closed = true;		/* as e2fsck: after errors the list is not believed */
		return 0;
	}
	if (!o->count)
		err = read_chain(sb, o);
	if (!err && !o->file_block)
		err = open_file(sb, o);
	if (err)
		return err;
	o->in_haste = o->count > 0;
	return finish_all(sb);
}
