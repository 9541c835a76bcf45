// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * namei.c: names as the library gives them: lookup, spelling, and everything
 * that makes or removes an entry but rename.
 *
 * An operation that fails has changed nothing but perhaps the directory's
 * mtime: what may fail comes first.
 */
#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/stat.h>
#include "dir_impl.h"
#include "inode.h"

/* ---- names of the mount ------------------------------------------------------------ */

#define SHOWN_IN_LOG 60

static void log_refused(struct fuseblk_volume *vol, const char *bytes, size_t len, enum fat_name_fault fault)
{
	unsigned bit = 1u << fault;
	char text[SHOWN_IN_LOG + 1];
	size_t n = len < SHOWN_IN_LOG ? len : SHOWN_IN_LOG;

	if (atomic_fetch_or(&fat_of(vol)->refused_names, bit) & bit)
		return;
	for (size_t i = 0; i < n; i++)
		text[i] = bytes[i] >= 0x20 && bytes[i] < 0x7f ? bytes[i] : '?';
	text[n] = 0;
	fuseblk_log(vol, FUSEBLK_WARNING, "\"%s\"%s cannot be a name on FAT: %s (said once per mount)",
		    text, n < len ? "..." : "", fat_name_fault_text(fault));
}

int fat_parse_name(struct fuseblk_volume *vol, const char *bytes, size_t len, bool create, struct fat_name *out)
{
	enum fat_name_fault fault = FAT_NAME_GOOD;
	int err = fat_name_parse(fat_of(vol)->names, bytes, len, create, out, &fault);

	if (err && !create)
		return -ENOENT;
	if (err && fault == FAT_NAME_EMPTY)
		return -ENOENT;		/* as the kernel's */
	if (err)
		log_refused(vol, bytes, len, fault);
	return err;
}

static int to_bytes(struct fat_volume *fat, const uint16_t *units, unsigned len, char *bytes, size_t size)
{
	int n = len ? fat_name_bytes(fat->names, units, len, bytes, size) : -EINVAL;

	if ((n == 1 && bytes[0] == '.') || (n == 2 && bytes[0] == '.' && bytes[1] == '.'))
		return -EINVAL;
	return n ? n : -EINVAL;
}

int fat_dir_shown(struct fat_volume *fat, const struct fat_found *found, char *bytes, size_t size)
{
	int n = to_bytes(fat, found->units, found->len, bytes, size);
	uint16_t units[12];

	if (n > 0 || found->slots == 1)
		return n;
	n = (int)fat_short_units(fat->names, found->de.name, found->de.lcase, units);
	return to_bytes(fat, units, (unsigned)n, bytes, size);
}

int fat_dir_respelled(struct fat_volume *fat, const struct fat_found *found, const char *bytes, size_t len)
{
	char shown[FAT_SHOWN_BYTES];
	int n = fat_dir_shown(fat, found, shown, sizeof(shown));

	return n < 0 || (size_t)n != len || memcmp(shown, bytes, len) ? FUSEBLK_RESPELLED : 0;
}

int fat_dir_find_bytes(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *bytes, size_t len,
		       struct fat_found *found)
{
	struct fat_name name;
	int err = fat_parse_name(vol, bytes, len, false, &name);

	return err ? err : fat_dir_find(vol, dir, &name, found);
}

/* ---- lookup ----------------------------------------------------------------------------- */

int fat_lookup(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, uint64_t *ino)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_found found;
	int err;

	if (len == 1 && name[0] == '.') {
		*ino = fuseblk_ino(dir);
		return 0;
	}
	if (len == 2 && name[0] == '.' && name[1] == '.')
		return fat_parent_ino(vol, dir, ino);
	err = fat_dir_find_bytes(vol, dir, name, len, &found);
	if (err)
		return err;
	*ino = fat_ino_at(fat, found.pos);
	return fat_dir_respelled(fat, &found, name, len);
}

int fat_spelling(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, char *stored, size_t size)
{
	char shown[FAT_SHOWN_BYTES];
	struct fat_found found;
	int n, err = fat_dir_find_bytes(vol, dir, name, len, &found);

	if (err)
		return err;
	n = fat_dir_shown(fat_of(vol), &found, shown, sizeof(shown));
	if (n < 0)
		return -ENOENT;
	if ((size_t)n > size)
		return -ERANGE;
	memcpy(stored, shown, (size_t)n);
	return n;
}

/* ---- new directories ------------------------------------------------------------------------ */

static void dots_entry(struct fat_volume *fat, unsigned dots, uint32_t start, const struct fat_dirent *times,
		       struct fat_dirent *de)
{
	*de = *times;
	memset(de->name, ' ', sizeof(de->name));
	memset(de->name, '.', dots);
	de->attr = FAT_ATTR_DIR;
	de->lcase = 0;
	de->size = fat_le32(0);
	fat_entry_put_start(&fat->geo, de, start);
}

static int fill_cluster(struct fuseblk_volume *vol, uint32_t cluster, const struct fat_dirent first[2])
{
	const struct fat_geometry *geo = &fat_of(vol)->geo;
	uint64_t block = fat_cluster_off(geo, cluster) / geo->sector_size;
	struct fuseblk_buf *buf;
	int err;

	for (uint32_t i = 0; i < geo->cluster_size / geo->sector_size; i++) {
		err = fuseblk_buf_new(vol, block + i, &buf);
		if (err)
			return err;
		if (!i)
			fuseblk_buf_write(buf, FAT_PHASE_FRESH, 0, first, 2 * sizeof(*first));
		fuseblk_buf_put(buf);
	}
	return 0;
}

int fat_dir_make(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint32_t *start, const struct fat_dirent *times)
{
	struct fat_volume *fat = fat_of(vol);
	const struct fat_node *parent = fat_node(dir);
	struct fat_dirent first[2];
	uint32_t cluster, count;
	int err = fat_alloc_run(fat, 0, 1, &cluster, &count);

	if (err)
		return err;
	dots_entry(fat, 1, cluster, times, &first[0]);
	dots_entry(fat, 2, parent->is_root ? 0 : parent->chain.start, times, &first[1]);
	err = fill_cluster(vol, cluster, first);
	if (err)
		fat_alloc_free_later(fat, cluster, 1);
	else
		*start = cluster;
	return err;
}

int fat_dir_set_parent(struct fuseblk_volume *vol, struct fuseblk_node *child, struct fuseblk_node *parent, enum fat_phase phase)
{
	struct fat_volume *fat = fat_of(vol);
	const struct fat_node *p = fat_node(parent);
	struct fuseblk_buf *buf = NULL;
	struct fat_dirent de;
	size_t off;
	int err = fat_dir_block(vol, child, 1, &buf, &off);

	if (!err)
		memcpy(&de, buf->data + off, sizeof(de));
	if (err == -ENOENT || (!err && fat_dir_dots(&de) != 2))
		err = fuseblk_corrupt(vol, fuseblk_ino(child), "the second entry of the directory is not \"..\"");
	if (!err) {
		fat_entry_put_start(&fat->geo, &de, p->is_root ? 0 : p->chain.start);
		pthread_rwlock_wrlock(&fat->entry_lock);
		fuseblk_buf_write(buf, phase, off, &de, sizeof(de));
		pthread_rwlock_unlock(&fat->entry_lock);
	}
	fuseblk_buf_put(buf);
	return err;
}

/* ---- create ------------------------------------------------------------------------------------ */

/* Something being made. */
struct making {
	struct fuseblk_volume *vol;
	struct fuseblk_node *dir;
	struct fat_name name;
	struct fat_dirent de;
	uint32_t start;			/* of a new directory, else 0 */
	uint64_t pos, ino;
};

static void new_entry(struct making *m, bool is_dir)
{
	struct fat_dirent *de = &m->de;
	uint16_t time, date;
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	memcpy(de->name, m->name.short_name, sizeof(de->name));
	de->attr = is_dir ? FAT_ATTR_DIR : FAT_ATTR_ARCHIVE;
	de->lcase = m->name.is_short ? m->name.lcase : 0;
	fat_time_encode(fat_of(m->vol)->options->zone, &now, &time, &date, &de->btime_cs);
	de->btime = de->mtime = fat_le16(time);
	de->bdate = de->mdate = de->adate = fat_le16(date);
}

/* May there be such a name? */
static int check_new(struct making *m)
{
	struct fat_found found;
	int err = fat_dir_find(m->vol, m->dir, &m->name, &found);

	if (!err)
		return -EEXIST;
	if (err != -ENOENT)
		return err;
	if (fat_dir_was_removed(m->vol, m->dir, &m->name))
		return -FUSEBLK_EAGAIN_COMMIT;
	return fat_dir_shorten(m->vol, m->dir, &m->name);
}

static int put_entry(struct making *m)
{
	uint32_t slot;
	int err = fat_dir_place(m->vol, m->dir, fat_name_slots(&m->name), UINT32_MAX, &slot);

	if (!err)
		err = fat_touch(m->vol, m->dir);
	if (err)
		return err;
	return fat_dir_put(m->vol, m->dir, slot, &m->name, &m->de, FAT_PHASE_ADD, &m->pos);
}

static void take_entry(struct making *m)
{
	struct fat_found found;

	if (!fat_dir_find(m->vol, m->dir, &m->name, &found))
		fat_dir_take(m->vol, m->dir, &found);
}

/* What nothing durable refers to yet. */
static int note_fresh(struct making *m)
{
	struct fuseblk_node *node;
	struct fat_node *n;
	int err = fuseblk_node_get(m->vol, m->ino, &node);

	if (err)
		return err;
	n = fat_node(node);
	n->fresh_epoch = n->floor_epoch = fuseblk_epoch(m->vol);
	n->floor_phase = FAT_PHASE_ADD;
	fuseblk_node_changed(node);
	fuseblk_node_put(node);
	return 0;
}

static int make(struct making *m)
{
	struct fat_volume *fat = fat_of(m->vol);
	int err = 0;

	if (m->de.attr & FAT_ATTR_DIR)
		err = fat_dir_make(m->vol, m->dir, &m->start, &m->de);
	if (err)
		return err;
	fat_entry_put_start(&fat->geo, &m->de, m->start);
	err = put_entry(m);
	if (err)
		goto free_start;
	err = fat_ino_new(fat, m->pos, &m->ino);
	if (err)
		goto take;
	err = note_fresh(m);
	if (!err)
		return 0;
	fat_ino_drop(fat, m->ino);
take:
	take_entry(m);
free_start:
	if (m->start)
		fat_alloc_free_later(fat, m->start, 1);
	return err;
}

static int respelled(struct making *m, const char *bytes, size_t len)
{
	struct fat_found found = { .slots = fat_name_slots(&m->name), .de = m->de };
	struct fat_volume *fat = fat_of(m->vol);

	if (found.slots == 1) {
		found.len = fat_short_units(fat->names, m->de.name, m->de.lcase, found.units);
	} else {
		found.len = m->name.len;
		memcpy(found.units, m->name.units, found.len * sizeof(found.units[0]));
	}
	return fat_dir_respelled(fat, &found, bytes, len);
}

int fat_create(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
	       const struct fuseblk_create *what, const struct fuseblk_caller *who, uint64_t *ino)
{
	struct making m = { .vol = vol, .dir = dir };
	int err;

	(void)who;
	if (!S_ISREG(what->mode) && !S_ISDIR(what->mode))
		return -EPERM;
	if (fat_node(dir)->unlinked)
		return -ENOENT;
	err = fat_parse_name(vol, name, len, true, &m.name);
	if (!err)
		err = check_new(&m);
	if (!err)
		err = fat_ino_reserve(fat_of(vol), 1);
	if (err)
		return err;
	new_entry(&m, S_ISDIR(what->mode));
	err = make(&m);
	if (err)
		return err;
	*ino = m.ino;
	return respelled(&m, name, len);
}

/* ---- remove --------------------------------------------------------------------------------------- */

static int take_name(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len,
		     struct fuseblk_node *node)
{
	struct fat_volume *fat = fat_of(vol);
	struct fat_found found;
	int err = fat_dir_find_bytes(vol, dir, name, len, &found);

	if (!err && fat_ino_at(fat, found.pos) != fuseblk_ino(node))
		err = -ESTALE;
	if (!err)
		err = fat_ino_reserve(fat, 1);
	if (!err)
		err = fat_touch(vol, dir);
	if (!err)
		err = fat_dir_take(vol, dir, &found);
	if (err)
		return err;
	fat_node_unlinked(fat, node);
	return 0;
}

int fat_unlink(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node)
{
	if (fat_node(node)->is_dir)
		return -EISDIR;
	return take_name(vol, dir, name, len, node);
}

int fat_rmdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name, size_t len, struct fuseblk_node *node)
{
	int err;

	if (!fat_node(node)->is_dir)
		return -ENOTDIR;
	err = fat_dir_is_empty(vol, node);
	return err ? err : take_name(vol, dir, name, len, node);
}
