// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * links.c: link counts, and the phases in which they change.
 *
 * A new inode comes alive in RAISE, after its name was added; an inode dies
 * in LOWER, before its name is removed; parents come before children in the
 * one and after them in the other (docs/DESIGN.md).  A change between two
 * counts that are not 0 has no order.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "super.h"

#define LINKS_MAX 65000u

static uint64_t now(const struct e2_inode *ei)
{
	return fuseblk_epoch(ei->sb->vol);
}

static bool is_new(const struct e2_inode *ei)
{
	return ei->new_epoch == now(ei);
}

uint32_t e2_raise_level(const struct e2_inode *dir)
{
	return dir && is_new(dir) ? dir->raise_level + 1 : 0;
}

/* The phase of a change of a count that stays above 0. */
static unsigned living_phase(const struct e2_inode *ei)
{
	return is_new(ei) ? E2_RAISE + ei->raise_level : E2_FRESH;
}

/* 1 stands for "more than can be counted" from then on. */
static int uncountable(struct e2_inode *ei)
{
	if (!S_ISDIR(ei->mode) || !e2_has_ro(ei->sb, E2_RO_DIR_NLINK))
		return -EMLINK;
	ei->links = 1;
	return 0;
}

int e2_links_add(struct e2_inode *ei, int delta)
{
	uint16_t before = ei->links;
	int err = 0;

	if (S_ISDIR(ei->mode) && before == 1)
		return 0;
	if (delta < 0 && before <= (S_ISDIR(ei->mode) ? 2 : 1))
		return 0;	/* damaged before: the last count goes only by e2_links_kill */
	if (delta > 0 && before >= LINKS_MAX)
		err = uncountable(ei);
	else
		ei->links = (uint16_t)(before + delta);
	if (!err)
		err = e2_inode_write_links(ei, living_phase(ei));
	if (err)
		ei->links = before;
	return err;
}

/* How deep below @ei something was killed in this epoch. */
static uint32_t lower_level(const struct e2_inode *ei)
{
	return S_ISDIR(ei->mode) && ei->lower_epoch == now(ei) ? ei->lower_level + 1 : 0;
}

static void note_killed(struct e2_inode *dir, uint32_t level)
{
	if (dir->lower_epoch != now(dir) || dir->lower_level < level)
		dir->lower_level = level;
	dir->lower_epoch = now(dir);
}

/* Dead inodes on the orphan list use i_dtime; nothing must be left in it. */
static int clear_dtime(struct e2_inode *ei)
{
	struct fuseblk_buf *buf;
	e2_le32 dtime;
	int err = e2_inode_pin(ei, &buf);

	if (err)
		return err;
	memcpy(&dtime, buf->data + ei->itable_offset + offsetof(struct e2_disk_inode, i_dtime), sizeof(dtime));
	if (e2_get32(dtime))
		err = e2_inode_write_dtime(ei->sb, ei->ino, E2_FRESH, 0);
	fuseblk_buf_put(buf);
	return err;
}

int e2_links_kill(struct e2_inode *ei, struct e2_inode *dir)
{
	uint32_t level = lower_level(ei);
	uint16_t before = ei->links;
	unsigned phase = is_new(ei) ? E2_RAISE + ei->raise_level : E2_LOWER + level;
	int err;

	if (level > E2_MAX_LEVEL)
		return -FUSEBLK_EAGAIN_COMMIT;
	err = clear_dtime(ei);
	if (err)
		return err;
	err = e2_orphans_add(ei->sb, ei->ino, S_ISDIR(ei->mode), phase);
	if (err)
		return err;
	ei->links = 0;
	err = e2_inode_write_links(ei, phase);
	if (err) {
		ei->links = before;
		e2_orphans_remove(ei->sb, ei->ino);
		return err;
	}
	if (dir)
		note_killed(dir, level);
	return 0;
}

int e2_links_raise(struct e2_inode *ei, struct e2_inode *dir)
{
	uint32_t level = e2_raise_level(dir);
	int err;

	if (level > E2_MAX_LEVEL)
		return -FUSEBLK_EAGAIN_COMMIT;
	ei->links = 1;
	err = e2_inode_write_links(ei, E2_RAISE + level);
	if (err) {
		ei->links = 0;
		return err;
	}
	ei->raise_level = level;
	e2_orphans_remove(ei->sb, ei->ino);
	return 0;
}
