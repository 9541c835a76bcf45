// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * csum.c: the checksums of metadata_csum (CRC-32C) and gdt_csum (CRC-16), for
 * every kind of block that has one: verification of what was read, and the
 * fixups that set them in an image right before it is written.
 *
 * Without the feature every check succeeds and every fixup does nothing.
 * Facts: the kernel's Documentation/filesystems/ext4/checksums.rst, checked
 * against images made by mke2fs and against e2fsck.
 */
#include <string.h>
#include "super.h"

#define CRC32C_POLY	0x82F63B78u	/* reflected */
#define CRC16_POLY	0xA001u
#define DX_TAIL		8u
#define DIR_TAIL	12u
#define XATTR_CSUM_OFF	16u

static uint32_t crc_table[8][256];
static uint16_t crc16_table[256];

__attribute__((constructor)) static void make_tables(void)
{
	for (unsigned i = 0; i < 256; i++) {
		uint32_t c = i;
		unsigned d = i;

		for (int k = 0; k < 8; k++) {
			c = c & 1 ? c >> 1 ^ CRC32C_POLY : c >> 1;
			d = d & 1 ? d >> 1 ^ CRC16_POLY : d >> 1;
		}
		crc_table[0][i] = c;
		crc16_table[i] = (uint16_t)d;
	}
	for (unsigned t = 1; t < 8; t++)
		for (unsigned i = 0; i < 256; i++)
			crc_table[t][i] = crc_table[t - 1][i] >> 8 ^
					  crc_table[0][crc_table[t - 1][i] & 255];
}

static uint32_t crc32c_table(uint32_t crc, const uint8_t *p, size_t len)
{
	for (; len >= 8; len -= 8, p += 8) {
		e2_le32 a, b;
		uint32_t lo, hi;

		memcpy(&a, p, 4);
		memcpy(&b, p + 4, 4);
		lo = e2_get32(a) ^ crc;
		hi = e2_get32(b);
		crc = crc_table[7][lo & 255] ^ crc_table[6][lo >> 8 & 255] ^
		      crc_table[5][lo >> 16 & 255] ^ crc_table[4][lo >> 24] ^
		      crc_table[3][hi & 255] ^ crc_table[2][hi >> 8 & 255] ^
		      crc_table[1][hi >> 16 & 255] ^ crc_table[0][hi >> 24];
	}
	while (len--)
		crc = crc >> 8 ^ crc_table[0][(crc ^ *p++) & 255];
	return crc;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc32c_sse(uint32_t crc, const uint8_t *p, size_t len)
{
	uint64_t c = crc;

	for (; len >= 8; len -= 8, p += 8) {
		uint64_t v;

		memcpy(&v, p, 8);
		c = __builtin_ia32_crc32di(c, v);
	}
	while (len--)
		c = __builtin_ia32_crc32qi((uint32_t)c, *p++);
	return (uint32_t)c;
}
#endif

uint32_t e2_crc32c(uint32_t seed, const void *data, size_t len)
{
#if defined(__x86_64__)
	if (__builtin_cpu_supports("sse4.2"))
		return crc32c_sse(seed, data, len);
#endif
	return crc32c_table(seed, data, len);
}

uint16_t e2_crc16(uint16_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--)
		seed = (uint16_t)(seed >> 8 ^ crc16_table[(seed ^ *p++) & 255]);
	return seed;
}

static uint32_t crc_le32(uint32_t seed, uint32_t value)
{
	e2_le32 le = e2_put32(value);

	return e2_crc32c(seed, &le, sizeof(le));
}

static uint32_t get32_at(const uint8_t *p)
{
	e2_le32 le;

	memcpy(&le, p, sizeof(le));
	return e2_get32(le);
}

static uint32_t get16_at(const uint8_t *p)
{
	return (uint32_t)(p[0] | p[1] << 8);
}

static void put32_at(uint8_t *p, uint32_t value)
{
	e2_le32 le = e2_put32(value);

	memcpy(p, &le, sizeof(le));
}

/* The checksum of @len bytes with the 4 at @hole taken as zero. */
static uint32_t crc_with_hole(uint32_t seed, const uint8_t *p, size_t len, size_t hole)
{
	seed = e2_crc32c(seed, p, hole);
	seed = crc_le32(seed, 0);
	return e2_crc32c(seed, p + hole + 4, len - hole - 4);
}

/* ---- superblock ------------------------------------------------------------ */

uint32_t e2_super_csum(const void *ds)
{
	return e2_crc32c(~0u, ds, E2_SB_OFF(s_checksum));
}

void e2_super_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	(void)vol, (void)block, (void)marks;
	put32_at(image + tag + E2_SB_OFF(s_checksum), e2_super_csum(image + tag));
}

/* ---- group descriptors and bitmaps --------------------------------------------- */

uint16_t e2_desc_csum(const struct e2_super *sb, uint32_t group, const uint8_t *desc)
{
	const size_t off = offsetof(struct e2_disk_group, bg_checksum), after = off + 2;
	static const uint8_t zero[2];
	e2_le32 le = e2_put32(group);

	if (sb->metadata_csum) {
		uint32_t c = e2_crc32c(sb->csum_seed, &le, sizeof(le));

		c = e2_crc32c(c, desc, off);
		c = e2_crc32c(c, zero, sizeof(zero));
		return (uint16_t)e2_crc32c(c, desc + after, sb->desc_size - after);
	} else {
		uint16_t c = e2_crc16(0xFFFF, sb->uuid, sizeof(sb->uuid));

		c = e2_crc16(c, &le, sizeof(le));
		c = e2_crc16(c, desc, off);
		return e2_crc16(c, desc + after, sb->desc_size - after);
	}
}

bool e2_group_csum_ok(const struct e2_super *sb, uint32_t group, const uint8_t *desc)
{
	return !sb->gdt_csum ||
	       get16_at(desc + offsetof(struct e2_disk_group, bg_checksum)) == e2_desc_csum(sb, group, desc);
}

uint32_t e2_bitmap_csum(const struct e2_super *sb, const uint8_t *bits, uint32_t nbits)
{
	return e2_crc32c(sb->csum_seed, bits, nbits / 8);
}

/* ---- inodes ----------------------------------------------------------------- */

uint32_t e2_inode_seed(const struct e2_super *sb, uint32_t ino, uint32_t generation)
{
	return crc_le32(crc_le32(sb->csum_seed, ino), generation);
}

static uint32_t tag_seed(const struct e2_super *sb, uint64_t tag)
{
	return e2_inode_seed(sb, (uint32_t)tag, (uint32_t)(tag >> 32));
}

static bool has_csum_hi(const struct e2_super *sb, const uint8_t *raw)
{
	return sb->inode_size > E2_INODE_FIXED &&
	       get16_at(raw + offsetof(struct e2_disk_inode, i_extra_isize)) >= 4;
}

static uint32_t inode_csum(const struct e2_super *sb, uint32_t ino, const uint8_t *raw, bool hi)
{
	const size_t lo_off = offsetof(struct e2_disk_inode, i_checksum_lo);
	const size_t hi_off = offsetof(struct e2_disk_inode, i_checksum_hi);
	uint32_t c = e2_inode_seed(sb, ino, get32_at(raw + offsetof(struct e2_disk_inode, i_generation)));
	static const uint8_t zero[2];

	c = e2_crc32c(c, raw, lo_off);
	c = e2_crc32c(c, zero, 2);
	c = e2_crc32c(c, raw + lo_off + 2, E2_INODE_FIXED - lo_off - 2);
	if (sb->inode_size == E2_INODE_FIXED)
		return c;
	c = e2_crc32c(c, raw + E2_INODE_FIXED, hi_off - E2_INODE_FIXED);
	c = e2_crc32c(c, hi ? zero : raw + hi_off, 2);
	return e2_crc32c(c, raw + hi_off + 2, sb->inode_size - hi_off - 2);
}

bool e2_inode_csum_ok(const struct e2_super *sb, uint32_t ino, const uint8_t *raw)
{
	bool hi = has_csum_hi(sb, raw);
	uint32_t want, have = get16_at(raw + offsetof(struct e2_disk_inode, i_checksum_lo));

	if (!sb->metadata_csum)
		return true;
	want = inode_csum(sb, ino, raw, hi);
	if (!hi)
		return have == (want & 0xFFFF);
	return (have | get16_at(raw + offsetof(struct e2_disk_inode, i_checksum_hi)) << 16) == want;
}

static void set_inode_csum(const struct e2_super *sb, uint32_t ino, uint8_t *raw)
{
	bool hi = has_csum_hi(sb, raw);
	uint32_t c = inode_csum(sb, ino, raw, hi);
	e2_le16 le = e2_put16((uint16_t)c);

	memcpy(raw + offsetof(struct e2_disk_inode, i_checksum_lo), &le, sizeof(le));
	le = e2_put16((uint16_t)(c >> 16));
	if (hi)
		memcpy(raw + offsetof(struct e2_disk_inode, i_checksum_hi), &le, sizeof(le));
}

/* @tag: number of the block's first inode. */
void e2_itable_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);

	(void)block;
	for (uint32_t i = 0; i < sb->inodes_per_block; i++)
		if (marks >> i % 64 & 1)
			set_inode_csum(sb, (uint32_t)tag + i, image + (size_t)i * sb->inode_size);
}

/* ---- directory blocks ------------------------------------------------------- */

static bool has_dir_tail(const struct e2_super *sb, const uint8_t *block)
{
	const uint8_t *t = block + sb->block_size - DIR_TAIL;

	return get32_at(t) == 0 && get16_at(t + 4) == DIR_TAIL && t[6] == 0 && t[7] == 0xDE;
}

static uint32_t dir_csum(const struct e2_super *sb, uint64_t tag, const uint8_t *block)
{
	return e2_crc32c(tag_seed(sb, tag), block, sb->block_size - DIR_TAIL);
}

bool e2_dir_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block)
{
	if (!sb->metadata_csum)
		return true;
	return has_dir_tail(sb, block) &&
	       get32_at(block + sb->block_size - 4) == dir_csum(sb, e2_tag(ei), block);
}

void e2_dir_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);

	(void)block, (void)marks;
	if (sb->metadata_csum && has_dir_tail(sb, image))
		put32_at(image + sb->block_size - 4, dir_csum(sb, tag, image));
}

/* Where count and limit of a hash tree block lie; 0 if it is none. */
static size_t dx_count_offset(const struct e2_super *sb, const uint8_t *block)
{
	uint32_t bs = sb->block_size, len = get16_at(block + 4);

	if (len == (bs & 0xFFFF) || (bs == 65536 && len == 65535))
		return 8;
	if (len != 12)
		return 0;
	len = get16_at(block + 12 + 4);
	if ((len != bs - 12 && !(bs == 65536 && len == ((bs - 12) & 0xFFFF))) ||
	    get32_at(block + 24) || block[29] != 8)
		return 0;
	return 32;
}

/* The tail lies past the last entry there is room for; NULL if the block is no hash tree block. */
static const uint8_t *dx_tail(const struct e2_super *sb, const uint8_t *block, size_t *used)
{
	size_t at = dx_count_offset(sb, block), limit, count;

	if (!at)
		return NULL;
	limit = get16_at(block + at);
	count = get16_at(block + at + 2);
	if (count > limit || at + limit * 8 + DX_TAIL > sb->block_size)
		return NULL;
	*used = at + count * 8;
	return block + at + limit * 8;
}

static uint32_t dx_csum(const struct e2_super *sb, uint64_t tag, const uint8_t *block,
			const uint8_t *tail, size_t used)
{
	uint32_t c = e2_crc32c(tag_seed(sb, tag), block, used);

	c = e2_crc32c(c, tail, 4);
	return crc_le32(c, 0);
}

bool e2_dx_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block)
{
	const uint8_t *tail;
	size_t used;

	if (!sb->metadata_csum)
		return true;
	tail = dx_tail(sb, block, &used);
	return tail && get32_at(tail + 4) == dx_csum(sb, e2_tag(ei), block, tail, used);
}

void e2_dx_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);
	const uint8_t *tail;
	size_t used;

	(void)block, (void)marks;
	tail = sb->metadata_csum ? dx_tail(sb, image, &used) : NULL;
	if (tail)
		put32_at(image + (tail - image) + 4, dx_csum(sb, tag, image, tail, used));
}

/* ---- extent blocks ------------------------------------------------------------ */

/* Offset of the checksum, past the last entry there is room for; 0 if that is outside the block. */
static size_t extent_tail(const struct e2_super *sb, const uint8_t *block)
{
	size_t off = sizeof(struct e2_disk_extent_header) * (1 + (size_t)get16_at(block + 4));

	return off + 4 <= sb->block_size ? off : 0;
}

bool e2_extent_csum_ok(const struct e2_super *sb, const struct e2_inode *ei, const uint8_t *block)
{
	size_t off = extent_tail(sb, block);

	if (!sb->metadata_csum)
		return true;
	return off && get32_at(block + off) == e2_crc32c(tag_seed(sb, e2_tag(ei)), block, off);
}

void e2_extent_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);
	size_t off = extent_tail(sb, image);

	(void)block, (void)marks;
	if (sb->metadata_csum && off)
		put32_at(image + off, e2_crc32c(tag_seed(sb, tag), image, off));
}

/* ---- xattr blocks --------------------------------------------------------------- */

static uint32_t xattr_csum(const struct e2_super *sb, uint64_t pblk, const uint8_t *block)
{
	uint32_t c = crc_le32(sb->csum_seed, (uint32_t)pblk);

	c = crc_le32(c, (uint32_t)(pblk >> 32));
	return crc_with_hole(c, block, sb->block_size, XATTR_CSUM_OFF);
}

bool e2_xattr_csum_ok(const struct e2_super *sb, uint64_t pblk, const uint8_t *block)
{
	return !sb->metadata_csum || get32_at(block + XATTR_CSUM_OFF) == xattr_csum(sb, pblk, block);
}

void e2_xattr_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);

	(void)marks, (void)tag;
	if (sb->metadata_csum)
		put32_at(image + XATTR_CSUM_OFF, xattr_csum(sb, block, image));
}

/* ---- the orphan file --------------------------------------------------------------- */

static uint32_t orphan_csum(const struct e2_super *sb, uint64_t pblk, uint64_t tag, const uint8_t *data)
{
	uint32_t c = crc_le32(tag_seed(sb, tag), (uint32_t)pblk);

	c = crc_le32(c, (uint32_t)(pblk >> 32));
	return e2_crc32c(c, data, sb->block_size - sizeof(struct e2_disk_orphan_tail));
}

bool e2_orphan_block_ok(const struct e2_super *sb, uint64_t pblk, uint32_t ino, uint32_t generation,
			const uint8_t *data)
{
	const uint8_t *tail = data + sb->block_size - sizeof(struct e2_disk_orphan_tail);
	uint64_t tag = ino | (uint64_t)generation << 32;

	if (get32_at(tail) != E2_ORPHAN_MAGIC)
		return false;
	return !sb->metadata_csum || get32_at(tail + 4) == orphan_csum(sb, pblk, tag, data);
}

void e2_orphan_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	const struct e2_super *sb = e2_sb(vol);

	(void)marks;
	if (sb->metadata_csum)
		put32_at(image + sb->block_size - 4, orphan_csum(sb, block, tag, image));
}
