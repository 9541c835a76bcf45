// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * attr.c: what stat(2) shows of an entry and what chmod(2), chown(2) and
 * utimensat(2) can store in it.
 *
 * Permissions are masks of the mount and one bit, "read-only".  What it cannot
 * say is ignored, or refused where the kernel's vfat does so (measured with
 * Debian's 6.1); owners are the mount's.  The root has no entry: its times are
 * 1970 and its attributes cannot be changed.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "dir.h"
#include "inode.h"

#define STORED (FAT_ATTR_READ_ONLY | FAT_ATTR_HIDDEN | FAT_ATTR_SYSTEM | FAT_ATTR_ARCHIVE)
#define READ_EXEC 0555u
#define WRITE 0222u

/* ---- permissions ---------------------------------------------------------------- */

static uint32_t mask_of(const struct fat_options *o, const struct fat_node *n)
{
	return n->is_dir ? o->dmask : o->fmask;
}

/* Does the read-only attribute show in, and follow from, the mode? */
static bool shows_read_only(const struct fat_options *o, const struct fat_node *n)
{
	return n->is_dir ? o->rodir : (~o->fmask & WRITE) != 0;
}

static uint32_t permissions(const struct fat_options *o, const struct fat_node *n)
{
	uint32_t mode = 0777;

	if (!n->is_dir && o->showexec && !n->is_program)
		mode = 0666;
	if (n->attr & FAT_ATTR_READ_ONLY && shows_read_only(o, n))
		mode &= ~WRITE;
	return mode & ~mask_of(o, n);
}

/* A mode that the read-only bit cannot say is not stored, and that is no error. */
static bool chmod_read_only(const struct fat_options *o, struct fat_node *n, uint32_t mode)
{
	uint32_t writable = WRITE & ~mask_of(o, n);

	mode &= 0777 & ~mask_of(o, n);
	if (!shows_read_only(o, n) || (mode & READ_EXEC) != (permissions(o, n) & READ_EXEC))
		return false;
	if (mode & WRITE && (mode & WRITE) != writable)
		return false;
	n->attr &= (uint8_t)~FAT_ATTR_READ_ONLY;
	n->attr |= mode & WRITE ? 0 : FAT_ATTR_READ_ONLY;
	return true;
}

static uint32_t owner(const struct fat_options *o)
{
	return o->uid == UINT64_MAX ? geteuid() : (uint32_t)o->uid;
}

static uint32_t group(const struct fat_options *o)
{
	return o->gid == UINT64_MAX ? getegid() : (uint32_t)o->gid;
}

/* ---- stat -------------------------------------------------------------------------- */

static void get_times(const struct fat_options *o, const struct fat_node *n, struct fuseblk_attr *out)
{
	if (n->is_root)
		return;
	fat_time_decode(o->zone, n->mtime, n->mdate, 0, &out->mtime);
	fat_time_decode(o->zone, 0, n->adate, 0, &out->atime);
	fat_time_decode(o->zone, n->btime, n->bdate, n->btime_cs, &out->btime);
	out->ctime = out->mtime;
	out->has_btime = true;
}

/* A directory that is damaged can still be looked at, and removed. */
static int get_dir(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out)
{
	uint32_t dirs = 0;
	int err = fat_dir_size(vol, node, &out->size);

	if (!err || err == -EUCLEAN)
		err = fat_node(node)->unlinked ? 0 : fat_dir_count_dirs(vol, node, &dirs);
	out->nlink = fat_node(node)->unlinked ? 0 : 2 + dirs;
	return err == -EUCLEAN ? 0 : err;
}

static uint64_t blocks(struct fat_volume *fat, struct fuseblk_node *node, uint64_t size)
{
	const struct fat_geometry *geo = &fat->geo;
	uint64_t clusters = (size + geo->cluster_size - 1) >> geo->cluster_shift;
	struct fat_spare spare = { 0 };

	if (!fat_node(node)->is_dir)
		fat_ino_spare_get(fat, fuseblk_ino(node), &spare);
	return ((clusters + spare.count) << geo->cluster_shift) / 512;
}

int fat_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out)
{
	struct fat_volume *fat = fat_of(vol);
	const struct fat_options *o = fat->options;
	const struct fat_node *n = fat_node(node);
	struct fuseblk_attr attr = {
		.ino = fuseblk_ino(node),
		.size = n->size,
		.mode = (n->is_dir ? S_IFDIR : S_IFREG) | permissions(o, n),
		.nlink = n->unlinked ? 0 : 1,
		.uid = owner(o),
		.gid = group(o),
		.flags = o->sys_immutable && n->attr & FAT_ATTR_SYSTEM ? FUSEBLK_ATTR_IMMUTABLE : 0,
	};
	int err = n->is_dir ? get_dir(vol, node, &attr) : 0;

	if (err)
		return err;
	get_times(o, n, &attr);
	attr.blocks = blocks(fat, node, attr.size);
	*out = attr;
	return 0;
}

/* ---- changes ------------------------------------------------------------------------- */

static bool is_refused(const struct fat_options *o, uint32_t valid, const struct fuseblk_attr *attr)
{
	return (valid & FUSEBLK_SET_UID && attr->uid != owner(o)) ||
	       (valid & FUSEBLK_SET_GID && attr->gid != group(o)) ||
	       (valid & FUSEBLK_SET_MODE && attr->mode & 07000);
}

/* The node as it was is put back if its entry cannot be written. */
static int store(struct fuseblk_volume *vol, struct fuseblk_node *node, const struct fat_node *before)
{
	struct fat_node *n = fat_node(node);
	int err = fat_entry_set_meta(vol, node);

	if (!err)
		return 0;
	n->attr = before->attr;
	n->mdate = before->mdate;
	n->mtime = before->mtime;
	n->adate = before->adate;
	return err;
}

int fat_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid, const struct fuseblk_attr *attr)
{
	const struct fat_options *o = fat_of(vol)->options;
	struct fat_node *n = fat_node(node), before = { .attr = n->attr, .mdate = n->mdate, .mtime = n->mtime, .adate = n->adate };
	bool changed = false;

	if (is_refused(o, valid, attr))
		return o->quiet ? 0 : -EPERM;
	if (valid & FUSEBLK_SET_MODE)
		changed = chmod_read_only(o, n, attr->mode);
	if (n->is_root)
		return 0;
	if (valid & FUSEBLK_SET_MTIME)
		fat_time_encode(o->zone, &attr->mtime, &n->mtime, &n->mdate, NULL);
	if (valid & FUSEBLK_SET_ATIME)
		fat_time_encode(o->zone, &attr->atime, NULL, &n->adate, NULL);
	changed |= (valid & (FUSEBLK_SET_MTIME | FUSEBLK_SET_ATIME)) != 0;
	return changed ? store(vol, node, &before) : 0;
}

int fat_touch(struct fuseblk_volume *vol, struct fuseblk_node *dir)
{
	struct fat_node *n = fat_node(dir), before = { .attr = n->attr, .mdate = n->mdate, .mtime = n->mtime, .adate = n->adate };
	struct timespec now;

	if (n->is_root)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	fat_time_encode(fat_of(vol)->options->zone, &now, &n->mtime, &n->mdate, NULL);
	if (n->mtime == before.mtime && n->mdate == before.mdate)
		return 0;
	return store(vol, dir, &before);
}

/* ---- attributes themselves -------------------------------------------------------------- */

uint32_t fat_attributes(const struct fat_node *n)
{
	return (n->attr & STORED) | (n->is_dir ? FAT_ATTR_DIR : 0);
}

int fat_attributes_set(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t attributes, bool privileged)
{
	const struct fat_options *o = fat_of(vol)->options;
	struct fat_node *n = fat_node(node), before = { .attr = n->attr, .mdate = n->mdate, .mtime = n->mtime, .adate = n->adate };
	uint8_t attr = (uint8_t)((attributes & STORED) | (n->is_dir ? FAT_ATTR_DIR : 0));

	if (n->is_root)
		return attr == FAT_ATTR_DIR ? 0 : -EINVAL;
	if (o->sys_immutable && !privileged && (attr | n->attr) & FAT_ATTR_SYSTEM)
		return -EPERM;
	if (attr == n->attr)
		return 0;
	n->attr = attr;
	return store(vol, node, &before);
}
