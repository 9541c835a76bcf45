// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inode_disk.c: the raw inode and struct e2_inode, turned into each other.
 *
 * Everything read here is checked here: above it an inode has a known type,
 * a size that its type allows, and fields that exist in an inode of its size.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "super.h"

#define RAW_OFF(field) offsetof(struct e2_disk_inode, field)

/* Does a field that ends at @end exist in an inode of this extra size? */
static bool fits(const struct e2_inode *ei, size_t end)
{
	return E2_INODE_FIXED + (size_t)ei->extra_isize >= end;
}

#define FITS(ei, field) fits(ei, RAW_OFF(field) + 4)

/* ---- times ------------------------------------------------------------------------- */

/* 34 bits of seconds, as a signed 32-bit number and two bits above; 30 bits of nanoseconds. */
static struct timespec decode_time(e2_le32 lo, e2_le32 extra, bool has_extra)
{
	struct timespec t = { .tv_sec = (int32_t)e2_get32(lo) };
	uint32_t x = has_extra ? e2_get32(extra) : 0;

	t.tv_sec += (int64_t)(x & 3) << 32;
	t.tv_nsec = x >> 2;
	if (t.tv_nsec > 999999999)
		t.tv_nsec = 999999999;
	return t;
}

static e2_le32 encode_extra(struct timespec t)
{
	uint64_t epochs = (uint64_t)((int64_t)t.tv_sec - (int32_t)t.tv_sec) >> 32;

	return e2_put32((uint32_t)(epochs & 3) | (uint32_t)t.tv_nsec << 2);
}

static struct timespec clamp(struct timespec t, bool has_extra)
{
	int64_t least = INT32_MIN, most = has_extra ? INT32_MAX + (3ll << 32) : INT32_MAX;

	if (t.tv_sec <= least)
		return (struct timespec){ .tv_sec = least };
	if (t.tv_sec >= most)
		return (struct timespec){ .tv_sec = most };
	if (!has_extra)
		t.tv_nsec = 0;
	return t;
}

struct timespec e2_time_fit(const struct e2_inode *ei, struct timespec t)
{
	return clamp(t, FITS(ei, i_atime_extra));
}

/* ---- decode ------------------------------------------------------------------------ */

static int decode_extra(struct e2_inode *ei, const struct e2_disk_inode *d)
{
	uint32_t size = ei->sb->inode_size;

	ei->extra_isize = 0;
	if (size == E2_INODE_FIXED)
		return 0;
	ei->extra_isize = e2_get16(d->i_extra_isize);
	if (ei->extra_isize % 4 || E2_INODE_FIXED + ei->extra_isize > size)
		return e2_corrupt(ei->sb, ei->ino, "its extra size is %u", ei->extra_isize);
	return 0;
}

static void decode_owner(struct e2_inode *ei, const struct e2_disk_inode *d)
{
	ei->uid = e2_get16(d->i_uid);
	ei->gid = e2_get16(d->i_gid);
	if (!ei->sb->options.nouid32) {
		ei->uid |= (uint32_t)e2_get16(d->i_uid_high) << 16;
		ei->gid |= (uint32_t)e2_get16(d->i_gid_high) << 16;
	}
}

static void decode_times(struct e2_inode *ei, const struct e2_disk_inode *d)
{
	ei->atime = decode_time(d->i_atime, d->i_atime_extra, FITS(ei, i_atime_extra));
	ei->mtime = decode_time(d->i_mtime, d->i_mtime_extra, FITS(ei, i_mtime_extra));
	ei->ctime = decode_time(d->i_ctime, d->i_ctime_extra, FITS(ei, i_ctime_extra));
	if (FITS(ei, i_crtime))
		ei->crtime = decode_time(d->i_crtime, d->i_crtime_extra, FITS(ei, i_crtime_extra));
	ei->version = e2_get32(d->i_version);
	if (FITS(ei, i_version_hi))
		ei->version |= (uint64_t)e2_get32(d->i_version_hi) << 32;
	ei->projid = FITS(ei, i_projid) && e2_has_ro(ei->sb, E2_RO_PROJECT) ? e2_get32(d->i_projid) : 0;
}

static void decode_blocks(struct e2_inode *ei, const struct e2_disk_inode *d)
{
	ei->blocks = e2_get32(d->i_blocks_lo);
	if (e2_has_ro(ei->sb, E2_RO_HUGE_FILE)) {
		ei->blocks |= (uint64_t)e2_get16(d->i_blocks_high) << 32;
		if (ei->flags & E2_FL_HUGE_FILE)
			ei->blocks <<= ei->sb->block_bits - 9;
	}
	ei->flags &= ~E2_FL_HUGE_FILE;	/* it says how i_blocks is stored, and is made anew each time */
	ei->file_acl = e2_get32(d->i_file_acl_lo);
	if (e2_has_incompat(ei->sb, E2_IN_64BIT))
		ei->file_acl |= (uint64_t)e2_get16(d->i_file_acl_high) << 32;
}

static int decode_size(struct e2_inode *ei, const struct e2_disk_inode *d)
{
	const struct e2_super *sb = ei->sb;
	bool is_inline = (ei->flags & E2_FL_INLINE_DATA) != 0;

	ei->size = e2_get32(d->i_size_lo);
	if (S_ISREG(ei->mode) || (S_ISDIR(ei->mode) && e2_has_incompat(sb, E2_IN_LARGEDIR)))
		ei->size |= (uint64_t)e2_get32(d->i_size_high) << 32;
	if (ei->size > (uint64_t)INT64_MAX)
		return e2_corrupt(ei->sb, ei->ino, "its size is %llu", (unsigned long long)ei->size);
	if (S_ISDIR(ei->mode) && !is_inline && ei->size % sb->block_size)	/* 0: made a moment ago */
		return e2_corrupt(ei->sb, ei->ino, "this directory's size is %llu", (unsigned long long)ei->size);
	if (S_ISLNK(ei->mode) && (!ei->size || ei->size > sb->block_size))
		return e2_corrupt(ei->sb, ei->ino, "this symlink's size is %llu", (unsigned long long)ei->size);
	return 0;
}

static bool is_known_type(uint16_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) ||
	       S_ISBLK(mode) || S_ISFIFO(mode) || S_ISSOCK(mode);
}

int e2_inode_decode(struct e2_inode *ei, const uint8_t *raw)
{
	struct e2_disk_inode d = { 0 };
	int err;

	memcpy(&d, raw, ei->sb->inode_size < sizeof(d) ? ei->sb->inode_size : sizeof(d));
	ei->mode = e2_get16(d.i_mode);
	ei->links = e2_get16(d.i_links_count);
	ei->flags = e2_get32(d.i_flags);
	ei->generation = e2_get32(d.i_generation);
	memcpy(ei->i_block, d.i_block, sizeof(ei->i_block));
	if (!is_known_type(ei->mode))
		return e2_corrupt(ei->sb, ei->ino, "its mode is %o", ei->mode);
	if (ei->flags & E2_FL_INLINE_DATA && !e2_has_incompat(ei->sb, E2_IN_INLINE_DATA))
		return e2_corrupt(ei->sb, ei->ino, "it holds inline data on a volume that has none");
	err = decode_extra(ei, &d);
	if (err)
		return err;
	decode_owner(ei, &d);
	decode_times(ei, &d);
	decode_blocks(ei, &d);
	if (ei->file_acl && !e2_block_is_data(ei->sb, ei->file_acl, 1))
		return e2_corrupt(ei->sb, ei->ino, "its attributes lie at block %llu, which holds none",
				  (unsigned long long)ei->file_acl);
	return decode_size(ei, &d);
}

/* ---- encode ------------------------------------------------------------------------ */

/* In an attribute's inode "times" hold other numbers: they are stored as they are. */
static struct timespec stored(const struct e2_inode *ei, struct timespec t, bool has_extra)
{
	return ei->flags & E2_FL_EA_INODE ? t : clamp(t, has_extra);
}

/* Where the inode has room, a time is stored with its second word. */
#define PUT_TIME(ei, d, name) do {						\
	struct timespec t_ = stored(ei, (ei)->name, FITS(ei, i_##name##_extra));	\
	(d)->i_##name = e2_put32((uint32_t)t_.tv_sec);				\
	if (FITS(ei, i_##name##_extra))						\
		(d)->i_##name##_extra = encode_extra(t_);			\
} while (0)

static void put_owner(const struct e2_inode *ei, struct e2_disk_inode *d)
{
	bool low = ei->sb->options.nouid32;

	d->i_uid = e2_put16((uint16_t)(low && ei->uid > 65535 ? 65534 : ei->uid));
	d->i_gid = e2_put16((uint16_t)(low && ei->gid > 65535 ? 65534 : ei->gid));
	d->i_uid_high = e2_put16(low ? 0 : (uint16_t)(ei->uid >> 16));
	d->i_gid_high = e2_put16(low ? 0 : (uint16_t)(ei->gid >> 16));
}

void e2_inode_encode_meta(const struct e2_inode *ei, uint8_t *raw)
{
	struct e2_disk_inode d = { 0 };
	size_t size = ei->sb->inode_size < sizeof(d) ? ei->sb->inode_size : sizeof(d);
	uint32_t map_flags;

	memcpy(&d, raw, size);
	map_flags = e2_get32(d.i_flags) & E2_MAP_FLAGS;
	d.i_mode = e2_put16(ei->mode);
	put_owner(ei, &d);
	d.i_flags = e2_put32((ei->flags & ~E2_MAP_FLAGS) | map_flags);
	d.i_generation = e2_put32(ei->generation);
	d.i_version = e2_put32((uint32_t)ei->version);
	PUT_TIME(ei, &d, atime);
	PUT_TIME(ei, &d, mtime);
	PUT_TIME(ei, &d, ctime);
	if (FITS(ei, i_crtime))
		PUT_TIME(ei, &d, crtime);
	if (FITS(ei, i_version_hi))
		d.i_version_hi = e2_put32((uint32_t)(ei->version >> 32));
	if (FITS(ei, i_projid) && e2_has_ro(ei->sb, E2_RO_PROJECT))
		d.i_projid = e2_put32(ei->projid);
	memcpy(raw, &d, size);
}

static int put_blocks(const struct e2_inode *ei, struct e2_disk_inode *d, uint32_t *flags)
{
	uint64_t blocks = ei->blocks;

	*flags = ei->flags & ~E2_FL_HUGE_FILE;
	if (blocks > UINT32_MAX && !e2_has_ro(ei->sb, E2_RO_HUGE_FILE))
		return -EFBIG;
	if (blocks >> 48) {
		blocks >>= ei->sb->block_bits - 9;
		*flags |= E2_FL_HUGE_FILE;
	}
	d->i_blocks_lo = e2_put32((uint32_t)blocks);
	if (e2_has_ro(ei->sb, E2_RO_HUGE_FILE))
		d->i_blocks_high = e2_put16((uint16_t)(blocks >> 32));
	return 0;
}

int e2_inode_encode_map(const struct e2_inode *ei, uint8_t *raw)
{
	struct e2_disk_inode d;
	uint32_t flags;
	int err;

	memcpy(&d, raw, E2_INODE_FIXED);
	err = put_blocks(ei, &d, &flags);
	if (err)
		return err;
	d.i_flags = e2_put32(flags);
	d.i_size_lo = e2_put32((uint32_t)ei->size);
	if (S_ISREG(ei->mode) || (S_ISDIR(ei->mode) && e2_has_incompat(ei->sb, E2_IN_LARGEDIR)))
		d.i_size_high = e2_put32((uint32_t)(ei->size >> 32));
	memcpy(d.i_block, ei->i_block, sizeof(d.i_block));
	memcpy(raw, &d, E2_INODE_FIXED);
	return 0;
}

int e2_inode_encode_file_acl(const struct e2_inode *ei, uint8_t *raw)
{
	struct e2_disk_inode d;
	uint32_t flags;
	int err;

	memcpy(&d, raw, E2_INODE_FIXED);
	err = put_blocks(ei, &d, &flags);
	if (err)
		return err;
	d.i_flags = e2_put32((e2_get32(d.i_flags) & ~E2_FL_HUGE_FILE) | (flags & E2_FL_HUGE_FILE));
	d.i_file_acl_lo = e2_put32((uint32_t)ei->file_acl);
	if (e2_has_incompat(ei->sb, E2_IN_64BIT))
		d.i_file_acl_high = e2_put16((uint16_t)(ei->file_acl >> 32));
	memcpy(raw, &d, E2_INODE_FIXED);
	return 0;
}

void e2_inode_encode(const struct e2_inode *ei, uint8_t *raw)
{
	struct e2_disk_inode d = { 0 };

	if (ei->sb->inode_size > E2_INODE_FIXED) {
		d.i_extra_isize = e2_put16(ei->extra_isize);
		memcpy(raw, &d, sizeof(d));
	}
	e2_inode_encode_meta(ei, raw);
	e2_inode_encode_map(ei, raw);	/* no blocks, nothing to fail */
}
