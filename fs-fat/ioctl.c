// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ioctl.c: the ioctls of the kernel's vfat, and the label's, which are newer
 * there than most kernels.
 *
 * READDIR_BOTH and READDIR_SHORT give one name a call.  The directory's
 * cursor counts slots, and in the root, which has no entries "." and "..",
 * these two before them.
 */
#include <errno.h>
#include <linux/fs.h>
#include <linux/msdos_fs.h>
#include <string.h>
#include "dir_impl.h"
#include "inode.h"

#ifndef FS_IOC_GETFSLABEL
#define FSLABEL_MAX 256
#define FS_IOC_GETFSLABEL _IOR(0x94, 49, char[FSLABEL_MAX])
#define FS_IOC_SETFSLABEL _IOW(0x94, 50, char[FSLABEL_MAX])
#endif

/* ---- attributes, serial number, label ------------------------------------------------- */

static int get_attributes(struct fuseblk_volume *vol, struct fuseblk_node *node,
			  const struct fuseblk_caller *who, const void *in, void *out)
{
	uint32_t attributes = fat_attributes(fat_node(node));

	(void)vol, (void)who, (void)in;
	memcpy(out, &attributes, sizeof(attributes));
	return 0;
}

static int set_attributes(struct fuseblk_volume *vol, struct fuseblk_node *node,
			  const struct fuseblk_caller *who, const void *in, void *out)
{
	uint32_t attributes;

	(void)out;
	memcpy(&attributes, in, sizeof(attributes));
	return fat_attributes_set(vol, node, attributes, who->uid == 0);
}

static int get_volume_id(struct fuseblk_volume *vol, struct fuseblk_node *node,
			 const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)node, (void)who, (void)in;
	memcpy(out, &fat_of(vol)->geo.serial, sizeof(uint32_t));
	return 0;
}

static int get_label(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)node, (void)who, (void)in;
	memset(out, 0, FSLABEL_MAX);
	return fat_label_get(fat_of(vol), out, FSLABEL_MAX);
}

/* Through the root directory only: its lock is what a new entry needs. */
static int set_label(struct fuseblk_volume *vol, struct fuseblk_node *node,
		     const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)who, (void)out;
	if (!fat_node(node)->is_root)
		return -EOPNOTSUPP;
	return fat_label_set(vol, node, in, strnlen(in, FSLABEL_MAX));
}

/* ---- names, short and long ---------------------------------------------------------------- */

struct listing {
	struct fat_volume *fat;
	uint64_t cursor, ino;
	char shorter[256], longer[256];
	size_t short_len, long_len;
	bool found;
};

static size_t show(struct fat_volume *fat, const uint16_t *units, unsigned len, char text[256])
{
	char bytes[FAT_NAME_BYTES];
	int n = fat_name_bytes(fat->names, units, len, bytes, sizeof(bytes));

	if (n < 0)
		return 0;
	if (n > 255)
		n = 255;
	memcpy(text, bytes, (size_t)n);
	return (size_t)n;
}

static bool list_one(void *ctx, const struct fat_found *found)
{
	struct listing *l = ctx;
	unsigned dots = fat_dir_dots(&found->de), n = 0;
	uint16_t units[12] = { '.', '.' };

	n = dots ? dots : fat_short_units(l->fat->names, found->de.name, found->de.lcase, units);
	l->short_len = show(l->fat, units, n, l->shorter);
	l->long_len = found->slots > 1 ? show(l->fat, found->units, found->len, l->longer) : 0;
	if (!l->short_len && !l->long_len)
		return false;
	l->ino = dots ? 0 : fat_ino_at(l->fat, found->pos);
	l->cursor = found->slot + 1u;
	l->found = true;
	return true;
}

static int list_next(struct fuseblk_volume *vol, struct fuseblk_node *dir, struct listing *l)
{
	uint64_t dots = fat_node(dir)->is_root ? 2 : 0;
	int err;

	if (l->cursor < dots) {
		l->short_len = (size_t)++l->cursor;
		memset(l->shorter, '.', l->short_len);
		l->ino = FAT_INO_ROOT;
		l->found = true;
		return 0;
	}
	if (l->cursor - dots >= FAT_DIR_SLOTS)
		return 0;
	err = fat_dir_walk(vol, dir, (uint32_t)(l->cursor - dots), list_one, l);
	if (!err && l->found)
		l->cursor += dots;
	return err;
}

static bool is_listable(struct fuseblk_node *node, const struct fuseblk_caller *who)
{
	return fat_node(node)->is_dir && who->cursor;
}

static int next_name(struct fuseblk_volume *vol, struct fuseblk_node *node, const struct fuseblk_caller *who, struct listing *l)
{
	int err;

	*l = (struct listing){ .fat = fat_of(vol) };
	if (!is_listable(node, who))
		return -ENOTTY;
	if (fat_node(node)->unlinked)
		return -ENOENT;
	l->cursor = __atomic_load_n(who->cursor, __ATOMIC_RELAXED);
	err = list_next(vol, node, l);
	if (!err && l->found)
		__atomic_store_n(who->cursor, l->cursor, __ATOMIC_RELAXED);
	return err;
}

static void fill(const struct listing *l, bool both, struct __fat_dirent out[2])
{
	memset(out, 0, 2 * sizeof(*out));
	if (!l->found)
		return;
	memcpy(out[0].d_name, l->shorter, l->short_len);
	out[0].d_reclen = (unsigned short)l->short_len;
	if (!both || !l->long_len)
		return;
	memcpy(out[1].d_name, l->longer, l->long_len);
	out[1].d_reclen = (unsigned short)l->long_len;
	out[1].d_ino = (long)l->ino;
	out[1].d_off = (off_t)l->cursor;
}

static int list(struct fuseblk_volume *vol, struct fuseblk_node *node, const struct fuseblk_caller *who, bool both, void *out)
{
	struct __fat_dirent entries[2];
	struct listing l;
	int err = next_name(vol, node, who, &l);

	if (err)
		return err;
	fill(&l, both, entries);
	memcpy(out, entries, sizeof(entries));
	return l.found;
}

static int readdir_both(struct fuseblk_volume *vol, struct fuseblk_node *node,
			const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)in;
	return list(vol, node, who, true, out);
}

static int readdir_short(struct fuseblk_volume *vol, struct fuseblk_node *node,
			 const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)in;
	return list(vol, node, who, false, out);
}

/* As 32-bit programs have it. */
struct dirent32 {
	uint32_t d_ino, d_off;
	uint16_t d_reclen;
	char d_name[256];
};

static int list32(struct fuseblk_volume *vol, struct fuseblk_node *node, const struct fuseblk_caller *who, bool both, void *out)
{
	struct __fat_dirent entries[2];
	struct dirent32 small[2];
	struct listing l;
	int err = next_name(vol, node, who, &l);

	if (err)
		return err;
	fill(&l, both, entries);
	memset(small, 0, sizeof(small));
	for (int i = 0; i < 2; i++) {
		small[i].d_ino = (uint32_t)entries[i].d_ino;
		small[i].d_off = (uint32_t)entries[i].d_off;
		small[i].d_reclen = entries[i].d_reclen;
		memcpy(small[i].d_name, entries[i].d_name, sizeof(small[i].d_name));
	}
	memcpy(out, small, sizeof(small));
	return l.found;
}

static int readdir_both32(struct fuseblk_volume *vol, struct fuseblk_node *node,
			  const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)in;
	return list32(vol, node, who, true, out);
}

static int readdir_short32(struct fuseblk_volume *vol, struct fuseblk_node *node,
			   const struct fuseblk_caller *who, const void *in, void *out)
{
	(void)in;
	return list32(vol, node, who, false, out);
}

#define ANYONE	FUSEBLK_IOCTL_ANYONE
#define OWNER	FUSEBLK_IOCTL_OWNER
#define ROOT	FUSEBLK_IOCTL_ROOT
#define NAMES	(2 * sizeof(struct __fat_dirent))
#define NAMES32	(2 * sizeof(struct dirent32))
#define READDIR_BOTH32	_IOR('r', 1, struct dirent32[2])
#define READDIR_SHORT32	_IOR('r', 2, struct dirent32[2])

const struct fuseblk_ioctl fat_ioctls[] = {
	/* command			who	changes	in	     out	  run */
	{ FAT_IOCTL_GET_ATTRIBUTES,	ANYONE,	false,	0,	     4,		  get_attributes },
	{ FAT_IOCTL_SET_ATTRIBUTES,	OWNER,	true,	4,	     0,		  set_attributes },
	{ FAT_IOCTL_GET_VOLUME_ID,	ANYONE,	false,	0,	     4,		  get_volume_id },
	{ VFAT_IOCTL_READDIR_BOTH,	ANYONE,	false,	0,	     NAMES,	  readdir_both },
	{ VFAT_IOCTL_READDIR_SHORT,	ANYONE,	false,	0,	     NAMES,	  readdir_short },
	{ READDIR_BOTH32,		ANYONE,	false,	0,	     NAMES32,	  readdir_both32 },
	{ READDIR_SHORT32,		ANYONE,	false,	0,	     NAMES32,	  readdir_short32 },
	{ FS_IOC_GETFSLABEL,		ANYONE,	false,	0,	     FSLABEL_MAX, get_label },
	{ FS_IOC_SETFSLABEL,		ROOT,	true,	FSLABEL_MAX, 0,		  set_label },
	{ 0, ANYONE, false, 0, 0, NULL },
};
