// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ialloc.c: the inode allocator.
 *
 * Files go to the group of their directory.  Directories at the top are
 * spread over the volume, others stay near their parent while its group has
 * room to spare: the idea of Orlov's allocator.  Within a group the lowest
 * free inode is taken, so that the part of the inode table that was never
 * used stays one piece at its end.
 */
#include <errno.h>
#include "super.h"

/* ---- choosing a group --------------------------------------------------------------- */

struct average {
	uint32_t inodes, blocks;	/* free ones per group */
};

static struct average averages(struct e2_super *sb)
{
	int64_t inodes = atomic_load(&sb->free_inodes), blocks = atomic_load(&sb->free_blocks);

	return (struct average){
		.inodes = inodes > 0 ? (uint32_t)(inodes / sb->groups_count) : 0,
		.blocks = blocks > 0 ? (uint32_t)(blocks / sb->groups_count) : 0,
	};
}

/* The emptiest group of directories among those with no less than the average free. */
static uint32_t spread(struct e2_super *sb, uint32_t start)
{
	struct average avg = averages(sb);
	uint32_t best = start, fewest = UINT32_MAX;

	for (uint32_t n = 0, i = start; n < sb->groups_count; n++, i = i + 1 == sb->groups_count ? 0 : i + 1) {
		const struct e2_group *g = &sb->groups[i];

		if (!g->free_inodes || g->free_inodes < avg.inodes || g->free_blocks < avg.blocks ||
		    g->used_dirs >= fewest)
			continue;
		best = i;
		fewest = g->used_dirs;
		if (!fewest)
			break;
	}
	return best;
}

/* The parent's group or the next that is not much fuller than the average. */
static uint32_t near_parent(struct e2_super *sb, uint32_t parent)
{
	struct average avg = averages(sb);
	uint32_t least_inodes = avg.inodes - avg.inodes / 4, least_blocks = avg.blocks - avg.blocks / 4;

	for (uint32_t n = 0, i = parent; n < sb->groups_count; n++, i = i + 1 == sb->groups_count ? 0 : i + 1) {
		const struct e2_group *g = &sb->groups[i];

		if (g->free_inodes && g->free_inodes >= least_inodes && g->free_blocks >= least_blocks)
			return i;
	}
	return parent;
}

static uint32_t group_for(struct e2_super *sb, const struct e2_inode *dir, bool is_dir)
{
	uint32_t parent = dir ? (dir->ino - 1) / sb->inodes_per_group : 0;

	if (!is_dir)
		return parent;
	if (!dir || dir->ino == E2_ROOT_INO || dir->flags & E2_FL_TOPDIR)
		return spread(sb, atomic_load(&sb->next_generation) % sb->groups_count);
	return near_parent(sb, parent);
}

/* ---- one group ------------------------------------------------------------------------ */

static void take(struct e2_super *sb, struct e2_group *g, uint32_t bit, bool is_dir)
{
	uint32_t past = bit + 1;

	e2_bitmap_change(g->inode_buf, bit, 1, true);
	g->inode_hint = past;
	g->free_inodes--;
	atomic_fetch_sub(&sb->free_inodes, 1);
	if (is_dir)
		g->used_dirs++;
	if (g->itable_unused > sb->inodes_per_group - past)
		g->itable_unused = sb->inodes_per_group - past;
}

/*
 * Blocks of the inode table that were never used, up to the one with inode
 * @bit: they need not be read, and what lies there must not come to light.
 */
static int clear_unused(struct e2_super *sb, struct e2_group *g, uint32_t bit)
{
	uint32_t used = sb->inodes_per_group - g->itable_unused;
	uint32_t block = (used + sb->inodes_per_block - 1) / sb->inodes_per_block;
	int err = 0;

	for (; !err && block <= bit / sb->inodes_per_block; block++) {
		struct fuseblk_buf *buf;

		err = fuseblk_buf_new(sb->vol, g->inode_table + block, &buf);
		if (!err)
			fuseblk_buf_put(buf);
	}
	return err;
}

/*
 * The first free inode that the library has let go of too: one that was freed
 * a moment ago may still have its node.  *@held: the first that it has not.
 */
static uint32_t next_free(struct e2_super *sb, struct e2_group *g, uint32_t *held)
{
	uint32_t base = e2_group_index(sb, g) * sb->inodes_per_group + 1, bit = g->inode_hint;

	*held = sb->inodes_per_group;
	for (;; bit++) {
		bit = e2_bits_next_clear(g->inode_buf->data, bit, sb->inodes_per_group);
		if (bit == sb->inodes_per_group || !fuseblk_is_referenced(sb->vol, base + bit))
			return bit;
		if (*held == sb->inodes_per_group)
			*held = bit;
	}
}

/* Group locked. Leaves *@ino 0 if there is none after all. */
static int alloc_in(struct e2_super *sb, struct e2_group *g, bool is_dir, uint32_t *ino)
{
	uint32_t i = e2_group_index(sb, g), bit, held;
	int err = e2_group_hold_inodes(sb, g);

	if (err || !g->free_inodes)
		return err;
	bit = next_free(sb, g, &held);
	if (bit == sb->inodes_per_group && held < bit)
		return -FUSEBLK_EAGAIN_COMMIT;
	if (bit == sb->inodes_per_group) {
		g->bad = true;
		return e2_corrupt(sb, 0, "group %u has no free inode although it counts %u; run e2fsck",
				  i, g->free_inodes);
	}
	err = clear_unused(sb, g, bit);
	if (err)
		return err;
	take(sb, g, bit, is_dir);
	if (held < bit)
		g->inode_hint = held;
	*ino = i * sb->inodes_per_group + bit + 1;
	return 0;
}

int e2_inode_alloc(struct e2_super *sb, const struct e2_inode *dir, bool is_dir, uint32_t *ino)
{
	uint32_t i = group_for(sb, dir, is_dir), found = 0;
	int err, result = -ENOSPC;

	for (uint32_t n = 0; n < sb->groups_count && !found; n++, i = i + 1 == sb->groups_count ? 0 : i + 1) {
		struct e2_group *g = &sb->groups[i];

		if (!g->free_inodes)
			continue;
		pthread_mutex_lock(&g->lock);
		err = g->bad ? 0 : alloc_in(sb, g, is_dir, &found);
		pthread_mutex_unlock(&g->lock);
		if (err && err != -EUCLEAN)
			return err;
		if (err)
			result = err;
	}
	if (found) {
		*ino = found;
		return 0;
	}
	if (result == -ENOSPC && atomic_load(&sb->pending_inodes) > 0)
		return -FUSEBLK_EAGAIN_COMMIT;
	return result;
}

/* ---- giving back ------------------------------------------------------------------------ */

static void clear_in(struct e2_super *sb, struct e2_group *g, uint32_t bit, uint32_t ino, bool is_dir)
{
	if (e2_group_hold_inodes(sb, g))
		return;
	if (!e2_bit_test(g->inode_buf->data, bit)) {
		e2_corrupt(sb, ino, "it is freed but its bitmap says it was free already; run e2fsck");
		return;
	}
	e2_bitmap_change(g->inode_buf, bit, 1, false);
	g->free_inodes++;
	atomic_fetch_add(&sb->free_inodes, 1);
	if (bit < g->inode_hint)
		g->inode_hint = bit;
	if (is_dir && g->used_dirs)
		g->used_dirs--;
}

void e2_inode_clear(struct e2_super *sb, uint32_t ino, bool is_dir, bool pending)
{
	struct e2_group *g = &sb->groups[(ino - 1) / sb->inodes_per_group];

	pthread_mutex_lock(&g->lock);
	clear_in(sb, g, (ino - 1) % sb->inodes_per_group, ino, is_dir);
	pthread_mutex_unlock(&g->lock);
	if (pending)
		atomic_fetch_sub(&sb->pending_inodes, 1);
}

void e2_inode_free(struct e2_super *sb, uint32_t ino, bool is_dir)
{
	if (!e2_freed_inode(sb, ino, is_dir)) {
		fuseblk_log(sb->vol, FUSEBLK_WARNING,
			    "out of memory: inode %u stays in use until e2fsck frees it", ino);
		return;
	}
	atomic_fetch_add(&sb->pending_inodes, 1);
}

void e2_inode_unalloc(struct e2_super *sb, uint32_t ino, bool is_dir)
{
	e2_inode_clear(sb, ino, is_dir, false);
}
