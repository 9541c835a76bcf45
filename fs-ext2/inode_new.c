// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inode_new.c: the beginning and the end of an inode: made, unmade, freed.
 *
 * A new inode is written whole and dead (link count 0) in FRESH; its link
 * count follows in RAISE.  A freed one gives back its space first, then its
 * number; the orphans' file decides when that may be.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "map.h"
#include "super.h"

/* Flags that a directory hands down, as the kernel does, by what inherits them. */
#define FL_SECRM	0x00000001u
#define FL_UNRM		0x00000002u
#define FL_COMPR	0x00000004u
#define FL_NOCOMPR	0x00000400u
#define FL_JOURNAL_DATA	0x00004000u
#define FL_NOTAIL	0x00008000u
#define INHERITED_OTHER	(E2_FL_NODUMP | E2_FL_NOATIME)
#define INHERITED_REG	(INHERITED_OTHER | FL_SECRM | FL_UNRM | FL_COMPR | FL_NOCOMPR | FL_JOURNAL_DATA | \
			 FL_NOTAIL | E2_FL_SYNC)
#define INHERITED_DIR	(INHERITED_REG | E2_FL_DIRSYNC | E2_FL_PROJINHERIT)

static uint32_t inherited_flags(const struct e2_inode *dir, uint32_t mode)
{
	if (!dir || !S_ISDIR(dir->mode))
		return 0;
	if (S_ISDIR(mode))
		return dir->flags & INHERITED_DIR;
	return dir->flags & (S_ISREG(mode) ? INHERITED_REG : INHERITED_OTHER);
}

static void set_owner(struct e2_inode *ei, const struct e2_inode *dir, const struct fuseblk_caller *who)
{
	ei->uid = who->uid;
	ei->gid = who->gid;
	if (!dir || !S_ISDIR(dir->mode))
		return;
	if (ei->sb->options.grpid) {
		ei->gid = dir->gid;
	} else if (dir->mode & S_ISGID) {
		ei->gid = dir->gid;
		if (S_ISDIR(ei->mode))
			ei->mode |= S_ISGID;
	}
	if (dir->flags & E2_FL_PROJINHERIT)
		ei->projid = dir->projid;
}

/* Small numbers in the first word as ever, others in the second. */
static void set_rdev(struct e2_inode *ei, uint32_t rdev)
{
	uint32_t major = rdev >> 8 & 0xFFF, minor = (rdev & 0xFF) | (rdev >> 12 & 0xFFF00);
	bool small = major < 256 && minor < 256;
	e2_le32 le = e2_put32(small ? major << 8 | minor : rdev);

	memcpy(ei->i_block + (small ? 0 : 4), &le, sizeof(le));
}

static void set_map(struct e2_inode *ei, const struct fuseblk_create *what)
{
	if (S_ISCHR(ei->mode) || S_ISBLK(ei->mode))
		set_rdev(ei, what->rdev);
	else if (S_ISREG(ei->mode) || S_ISDIR(ei->mode) || S_ISLNK(ei->mode))
		e2_map_init(ei);
	if (S_ISLNK(ei->mode))
		ei->size = what->target_len;
}

/* What the new inode will be, in memory. */
static void describe(struct e2_inode *ei, struct e2_super *sb, const struct e2_inode *dir,
		     const struct fuseblk_create *what, const struct fuseblk_caller *who, uint32_t ino)
{
	memset(ei, 0, sizeof(*ei));
	pthread_spin_init(&ei->map_lock, PTHREAD_PROCESS_PRIVATE);
	ei->sb = sb;
	ei->ino = ino;
	ei->mode = (uint16_t)what->mode;
	ei->extra_isize = (uint16_t)sb->want_extra_isize;
	set_owner(ei, dir, who);
	ei->flags = inherited_flags(dir, ei->mode);
	ei->generation = atomic_fetch_add(&sb->next_generation, 0x9E3779B1u);
	clock_gettime(CLOCK_REALTIME, &ei->ctime);
	ei->ctime = e2_time_fit(ei, ei->ctime);
	ei->atime = ei->mtime = ei->crtime = ei->ctime;
	ei->version = 1;
	set_map(ei, what);
}

static bool looks_alive(const struct e2_disk_inode *d)
{
	return e2_get16(d->i_links_count) && e2_get16(d->i_mode) && !e2_get32(d->i_dtime);
}

/* The raw inode in FRESH, its link count in @phase. */
static int write_new(const struct e2_inode *ei, uint16_t links, unsigned phase)
{
	struct e2_super *sb = ei->sb;
	e2_le16 le = e2_put16(links);
	uint8_t *raw = calloc(1, sb->inode_size);
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err;

	if (!raw)
		return -ENOMEM;
	err = e2_inode_buf(sb, ei->ino, &buf, &offset);
	if (!err && looks_alive((const struct e2_disk_inode *)(buf->data + offset))) {
		fuseblk_buf_put(buf);
		err = e2_corrupt(sb, ei->ino, "it is in use although its bitmap says that it is free; run e2fsck");
	} else if (!err) {
		e2_inode_encode(ei, raw);
		fuseblk_buf_write(buf, E2_FRESH, offset, raw, sb->inode_size);
		if (links)
			fuseblk_buf_write(buf, phase, offset + offsetof(struct e2_disk_inode, i_links_count),
					  &le, sizeof(le));
		fuseblk_buf_put(buf);
	}
	free(raw);
	return err;
}

/* A node left from an earlier inode of this number must forget it. */
static int renew(struct fuseblk_node *node, uint32_t level)
{
	struct e2_inode *ei = e2_i(node);
	int err = e2_inode_reload(ei);

	if (err)
		return err;
	ei->new_epoch = fuseblk_epoch(ei->sb->vol);
	ei->raise_level = level;
	ei->removed_epoch = ei->lower_epoch = ei->xattr_epoch = ei->fresh_epoch = 0;
	ei->dir_free_hint = ei->dir_probe = ei->alloc_goal = 0;
	ei->fresh_count = 0;
	e2_map_uncache(ei);
	e2_dir_unload(ei);
	fuseblk_node_changed(node);
	return 0;
}

static int get_renewed(struct e2_super *sb, uint32_t ino, uint32_t level, struct fuseblk_node **out)
{
	struct fuseblk_node *node;
	int err = fuseblk_node_get(sb->vol, ino, &node);

	if (err)
		return err;
	err = renew(node, level);
	if (err)
		fuseblk_node_put(node);
	else
		*out = node;
	return err;
}

/* The inode was written but will not be used. */
static void take_back(struct e2_super *sb, uint32_t ino, bool is_dir, unsigned phase)
{
	struct fuseblk_buf *buf;
	uint32_t offset;
	e2_le16 none = e2_put16(0);

	if (!e2_inode_buf(sb, ino, &buf, &offset)) {
		fuseblk_buf_write(buf, phase, offset + offsetof(struct e2_disk_inode, i_links_count),
				  &none, sizeof(none));
		fuseblk_buf_put(buf);
		e2_inode_write_dtime(sb, ino, phase, (uint32_t)time(NULL));
	}
	e2_inode_free(sb, ino, is_dir);
}

int e2_inode_make(struct e2_super *sb, struct e2_inode *dir, const struct fuseblk_create *what,
		  const struct fuseblk_caller *who, uint16_t links, struct fuseblk_node **out)
{
	bool is_dir = S_ISDIR(what->mode);
	uint32_t level = links ? e2_raise_level(dir) : 0, ino;
	unsigned phase = E2_RAISE + level;
	struct e2_inode ei;
	int err;

	if (level > E2_MAX_LEVEL)
		return -FUSEBLK_EAGAIN_COMMIT;
	err = e2_inode_alloc(sb, dir, is_dir, &ino);
	if (err)
		return err;
	describe(&ei, sb, dir, what, who, ino);
	err = write_new(&ei, links, phase);
	if (err == -EUCLEAN)
		return err;	/* its bitmap bit was wrong, and is right now */
	if (err) {
		e2_inode_unalloc(sb, ino, is_dir);
		return err;
	}
	if (!links)
		err = e2_orphans_add(sb, ino, is_dir, E2_FRESH);
	if (!err)
		err = get_renewed(sb, ino, level, out);
	if (err) {
		e2_orphans_remove(sb, ino);
		take_back(sb, ino, is_dir, phase);
	}
	return err;
}

static int free_space(struct e2_inode *ei)
{
	int err = e2_xattr_free_all(ei);

	if (!err && e2_has_map(ei))
		err = e2_map_free_all(ei);
	return err;
}

void e2_inode_unmake(struct fuseblk_node *node)
{
	struct e2_inode *ei = e2_i(node);
	struct e2_super *sb = ei->sb;
	uint32_t ino = ei->ino;
	bool is_dir = S_ISDIR(ei->mode);

	free_space(ei);
	ei->links = 0;
	e2_orphans_remove(sb, ino);
	take_back(sb, ino, is_dir, E2_RAISE + ei->raise_level);
	fuseblk_node_put(node);
}

int e2_free(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct e2_inode *ei = e2_i(node);
	struct e2_super *sb = e2_sb(vol);
	int err;

	if (ei->links || !e2_orphans_has(sb, ei->ino))
		return 0;
	err = free_space(ei);
	if (err) {
		fuseblk_log(vol, FUSEBLK_WARNING, "inode %u: its space could not all be freed (%s); "
			    "e2fsck will", ei->ino, strerror(-err));
		return err;
	}
	return e2_orphans_finish(sb, ei->ino);
}
