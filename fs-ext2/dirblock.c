/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * dirblock.c: one block of a directory: its entries checked and walked, a
 * name found, room found, an entry written.
 *
 * Every step of a walk is checked against the block's bounds, so that a
 * damaged block ends the walk and is reported; nothing is trusted because it was
 * looked at before, except the block's checksum, which is verified once per
 * reading (marks).  Changes follow the rules in dir.h.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

#define TAIL_TYPE 0xDE		/* file type of the false entry that frames the checksum */
#define REC_LEN_ALL 65535u	/* rec_len of an entry of 64 KiB */

/* ---- types and lengths ------------------------------------------------------ */

uint8_t e2_type_of_mode(uint32_t mode)
{
	static const uint8_t types[16] = {
		[S_IFREG >> 12] = E2_FT_REG, [S_IFDIR >> 12] = E2_FT_DIR,
		[S_IFCHR >> 12] = E2_FT_CHR, [S_IFBLK >> 12] = E2_FT_BLK,
		[S_IFIFO >> 12] = E2_FT_FIFO, [S_IFSOCK >> 12] = E2_FT_SOCK,
		[S_IFLNK >> 12] = E2_FT_LNK,
	};

	return types[mode >> 12 & 15];
}

unsigned char e2_dt_of_type(uint8_t type)
{
	static const unsigned char dt[E2_FT_COUNT] = {
		DT_UNKNOWN, DT_REG, DT_DIR, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_LNK
	};

	return type < E2_FT_COUNT ? dt[type] : DT_UNKNOWN;
}

/* In blocks of 64 KiB the two low bits, always clear in a length, are bits 16 and 17. */
uint32_t e2_rec_len_get(const struct e2_super *sb, e2_le16 raw)
{
	uint32_t len = e2_get16(raw);

	if (sb->block_size < 65536)
		return len;
	if (len == REC_LEN_ALL || len == 0)
		return sb->block_size;
	return (len & 65532) | (len & 3) << 16;
}

e2_le16 e2_rec_len_put(const struct e2_super *sb, uint32_t len)
{
	(void)sb;
	return e2_put16(len < 65536 ? (uint16_t)len : REC_LEN_ALL);
}

static bool has_filetype(const struct e2_super *sb)
{
	return e2_has_incompat(sb, E2_IN_FILETYPE);
}

void e2_dent_put(const struct e2_super *sb, uint8_t *image, uint32_t off, uint32_t rec_len,
		 uint32_t ino, uint8_t type, const char *name, size_t len)
{
	struct e2_disk_dirent raw = {
		.inode = e2_put32(ino),
		.rec_len = e2_rec_len_put(sb, rec_len),
		.name_len = (uint8_t)len,
		.file_type = has_filetype(sb) ? type : 0,
	};

	memcpy(image + off, &raw, sizeof(raw));
	memset(image + off + sizeof(raw), 0, e2_dent_size(len) - sizeof(raw));
	memcpy(image + off + sizeof(raw), name, len);
}

void e2_leaf_init(const struct e2_super *sb, uint8_t *image)
{
	uint32_t end = e2_leaf_end(sb);

	memset(image, 0, sb->block_size);
	e2_dent_put(sb, image, 0, end, 0, 0, "", 0);
	if (sb->metadata_csum) {
		struct e2_disk_dirent tail = { .rec_len = e2_put16(E2_DIR_TAIL),
					       .file_type = TAIL_TYPE };

		memcpy(image + end, &tail, sizeof(tail));
	}
}

/* ---- walking ------------------------------------------------------------------ */

void e2_walk_init(struct e2_walk *w, struct e2_inode *dir, const uint8_t *block, uint64_t lblk)
{
	*w = (struct e2_walk){ dir, block, lblk, 0, e2_leaf_end(dir->sb) };
}

/* Decode the entry at w->off; a word on what is wrong with it, or NULL. */
static const char *decode(const struct e2_walk *w, struct e2_dent *d)
{
	const struct e2_super *sb = w->dir->sb;
	struct e2_disk_dirent raw;

	if (w->end - w->off < E2_DENT_MIN)
		return "no room for an entry";
	memcpy(&raw, w->block + w->off, sizeof(raw));
	d->name = (const char *)w->block + w->off + sizeof(raw);
	d->off = w->off;
	d->rec_len = e2_rec_len_get(sb, raw.rec_len);
	d->ino = e2_get32(raw.inode);
	d->name_len = raw.name_len;
	d->type = has_filetype(sb) ? raw.file_type : 0;
	if (d->rec_len < E2_DENT_MIN || d->rec_len % 4 || d->rec_len > w->end - w->off)
		return "bad record length";
	if (e2_dent_size(d->name_len) > d->rec_len || (d->ino && !d->name_len))
		return "bad name length";
	if (d->ino && raw.file_type && !has_filetype(sb))
		return "name longer than 255 bytes";
	if (d->ino > sb->inodes_count)
		return "inode number out of range";
	return NULL;
}

int e2_walk_next(struct e2_walk *w, struct e2_dent *d)
{
	const char *damage;

	if (w->off >= w->end)
		return 0;
	damage = decode(w, d);
	if (damage)
		return e2_corrupt(w->dir->sb, w->dir->ino,
				  "directory block %llu, offset %u: %s",
				  (unsigned long long)w->lblk, w->off, damage);
	w->off += d->rec_len;
	return 1;
}

static bool csum_ok(struct e2_inode *dir, struct fuseblk_buf *buf, bool index)
{
	uint64_t mark = index ? E2_MARK_DX : E2_MARK_DIR;

	if (!dir->sb->metadata_csum || (atomic_load(&buf->marks) & mark))
		return true;
	if (index)
		return e2_dx_csum_ok(dir->sb, dir, buf->data);	/* marked when its entries are checked too */
	if (!e2_dir_csum_ok(dir->sb, dir, buf->data))
		return false;
	atomic_fetch_or(&buf->marks, mark);
	return true;
}

int e2_dirblock_get(struct e2_inode *dir, uint64_t lblk, bool index, struct fuseblk_buf **out)
{
	struct e2_super *sb = dir->sb;
	struct fuseblk_buf *buf;
	uint64_t pblk;
	int err;

	if (lblk >= e2_dir_blocks(dir))
		return e2_corrupt(sb, dir->ino, "directory block %llu is past the end",
				  (unsigned long long)lblk);
	err = e2_map_block(dir, lblk, &pblk);
	if (err)
		return err;
	if (!pblk || !e2_block_is_data(sb, pblk, 1))
		return e2_corrupt(sb, dir->ino, "directory block %llu is %s",
				  (unsigned long long)lblk, pblk ? "not a data block" : "missing");
	err = fuseblk_buf_get(sb->vol, pblk, &buf);
	if (err)
		return err;
	if (!csum_ok(dir, buf, index)) {
		fuseblk_buf_put(buf);
		return e2_corrupt(sb, dir->ino, "checksum of directory block %llu is wrong",
				  (unsigned long long)lblk);
	}
	*out = buf;
	return 0;
}

/* ---- what other images of the epoch hold ------------------------------------------ */

int e2_early_image(struct e2_inode *dir, struct fuseblk_buf *buf, uint8_t **image)
{
	*image = NULL;
	if (!fuseblk_buf_has_later(buf))
		return 0;
	*image = malloc(dir->sb->block_size);
	if (!*image)
		return -ENOMEM;
	fuseblk_buf_read_early(buf, 0, *image, dir->sb->block_size);
	return 0;
}

bool e2_early_entry(struct e2_inode *dir, const uint8_t *image, uint64_t lblk, uint32_t off,
		    struct e2_dent *d)
{
	struct e2_walk w;

	e2_walk_init(&w, dir, image, lblk);
	while (w.off <= off && e2_walk_next(&w, d) > 0)
		if (d->off == off)
			return d->ino != 0;
	return false;
}

int e2_slot_past(struct e2_inode *dir, struct fuseblk_buf *buf, const struct e2_dent *d,
		 struct e2_past *past)
{
	struct e2_dent early = *d;
	uint8_t *image;
	int err;

	*past = (struct e2_past){ { 0, 0 }, { 0, 0 } };
	if (!fuseblk_buf_has_later(buf) || !e2_held_get(dir->sb, buf->block, d->off, past)) {
		if (!d->ino) {
			err = e2_early_image(dir, buf, &image);
			if (err)
				return err;
			if (!image || !e2_early_entry(dir, image, 0, d->off, &early))
				early.ino = 0;
			free(image);
		}
		*past = (struct e2_past){ { early.ino, early.ino }, { early.type, early.type } };
	}
	return 0;
}

static void taken_range(struct e2_taken *taken, uint32_t off, uint32_t len)
{
	for (uint32_t i = off / 4; i < (off + len) / 4; i++)
		taken->bits[i / 32] |= 1u << (i % 32);
}

static bool is_taken(const struct e2_taken *taken, uint32_t off, uint32_t len)
{
	for (uint32_t i = off / 4; i < (off + len) / 4; i++)
		if (taken->bits[i / 32] & 1u << (i % 32))
			return true;
	return false;
}

/* Mark what must not be given to a new name although the present content has it unused. */
static int find_taken(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk,
		      struct e2_taken *taken)
{
	struct e2_walk w;
	struct e2_dent d;
	uint8_t *image;
	int err;

	memset(taken, 0, sizeof(*taken));
	err = e2_early_image(dir, buf, &image);
	if (err || !image)
		return err;
	e2_walk_init(&w, dir, image, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0)
		if (d.ino)
			taken_range(taken, d.off, e2_dent_size(d.name_len));
	free(image);
	if (!err)
		e2_held_mark(dir->sb, buf->block, taken);
	return err;
}

/* ---- finding ------------------------------------------------------------------------ */

static int look_at_ghost(struct e2_inode *dir, struct fuseblk_buf *buf, const struct e2_dent *d,
			 struct e2_ghost *ghost)
{
	struct e2_past past;
	int err = e2_slot_past(dir, buf, d, &past);

	if (err)
		return err;
	if (past.ino[E2_AT_ADD] || past.ino[E2_AT_SWITCH])
		*ghost = (struct e2_ghost){ true, past };
	return 0;
}

int e2_leaf_find(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk,
		 const char *name, size_t len, struct e2_slot *slot, struct e2_ghost *ghost)
{
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		if (d.name_len != len || memcmp(d.name, name, len))
			continue;
		if (d.ino) {
			*slot = (struct e2_slot){ buf, lblk, d.off, d.ino, d.type };
			return 0;
		}
		err = ghost && !ghost->found ? look_at_ghost(dir, buf, &d, ghost) : 0;
		if (err)
			return err;
	}
	return err ? err : -ENOENT;
}

/* The bytes of entry @d behind its name begin a gap. */
static void gap_behind(struct e2_gap *gap, const struct e2_dent *d)
{
	gap->owner = d->off;
	gap->owner_len = e2_dent_size(d->name_len);
	gap->off = d->off + gap->owner_len;
	gap->len = d->rec_len - gap->owner_len;
}

/* Add entry @d to the gap that ends where it begins, or begin a new one with it. */
static void extend_gap(struct e2_gap *gap, const struct e2_dent *d, const struct e2_taken *taken)
{
	if (d->ino) {
		gap_behind(gap, d);
	} else if (is_taken(taken, d->off, d->rec_len)) {
		gap_behind(gap, d);
		if (is_taken(taken, gap->off, gap->len))
			*gap = (struct e2_gap){ .buf = gap->buf, .lblk = gap->lblk, .owner = E2_NO_OWNER };
	} else if (gap->owner != E2_NO_OWNER || gap->len) {
		gap->len += d->rec_len;
	} else {
		gap->off = d->off;
		gap->len = d->rec_len;
	}
}

int e2_leaf_gap(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, uint32_t need,
		struct e2_gap *gap)
{
	struct e2_gap g = { buf, lblk, 0, 0, E2_NO_OWNER, 0 };
	struct e2_taken taken;
	bool looked = false;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		if (!d.ino && !looked) {
			err = find_taken(dir, buf, lblk, &taken);
			if (err)
				return err;
			looked = true;
		}
		extend_gap(&g, &d, &taken);
		if (g.len >= need) {
			*gap = g;
			return 0;
		}
	}
	return err ? err : -ENOSPC;
}

/* ---- changing ------------------------------------------------------------------------ */

/* Have the checksum of the block made when it is written. */
static void set_fixup(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk)
{
	bool index = lblk == 0 && e2_dir_is_indexed(dir);

	if (dir->sb->metadata_csum)
		fuseblk_buf_set_fixup(buf, index ? e2_dx_fixup : e2_dir_fixup, e2_tag(dir));
}

/* Unused entries that @gap swallows are no longer in the block. */
static void forget_names(struct e2_inode *dir, const struct e2_gap *gap)
{
	struct e2_walk w;
	struct e2_dent d;

	if (!atomic_load(&dir->dir_names))
		return;
	e2_walk_init(&w, dir, gap->buf->data, gap->lblk);
	w.off = gap->owner == E2_NO_OWNER ? gap->off : gap->owner;
	while (w.off < gap->off + gap->len && e2_walk_next(&w, &d) > 0)
		if (!d.ino && d.name_len && d.off != gap->owner)
			e2_names_remove(dir, d.name, d.name_len, gap->lblk);
}

void e2_gap_fill(struct e2_inode *dir, const struct e2_gap *gap, const char *name, size_t len,
		 uint32_t ino, uint8_t type)
{
	unsigned phase = fuseblk_buf_is_fresh(gap->buf) ? E2_FRESH : E2_ADD;
	e2_le16 owner_len = e2_rec_len_put(dir->sb, gap->owner_len);
	uint8_t entry[E2_DENT_HEAD + E2_NAME_MAX + 1];

	forget_names(dir, gap);
	e2_dent_put(dir->sb, entry, 0, gap->len, ino, type, name, len);
	fuseblk_buf_write(gap->buf, phase, gap->off, entry, e2_dent_size(len));
	if (gap->owner != E2_NO_OWNER)
		fuseblk_buf_write(gap->buf, phase,
				  gap->owner + offsetof(struct e2_disk_dirent, rec_len),
				  &owner_len, sizeof(owner_len));
	set_fixup(dir, gap->buf, gap->lblk);
	e2_names_add(dir, name, len, gap->lblk);
}

void e2_gap_put(struct e2_gap *gap)
{
	fuseblk_buf_put(gap->buf);
	gap->buf = NULL;
}

void e2_slot_write(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, uint32_t off,
		   unsigned phase, uint32_t ino, uint8_t type)
{
	e2_le32 raw = e2_put32(ino);

	fuseblk_buf_write(buf, phase, off + offsetof(struct e2_disk_dirent, inode), &raw, sizeof(raw));
	if (ino && has_filetype(dir->sb))
		fuseblk_buf_write(buf, phase, off + offsetof(struct e2_disk_dirent, file_type),
				  &type, sizeof(type));
	set_fixup(dir, buf, lblk);
}

void e2_slot_put(struct e2_slot *slot)
{
	fuseblk_buf_put(slot->buf);
	slot->buf = NULL;
}
