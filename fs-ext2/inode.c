// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inode.c: inodes as bytes of the inode table: found, loaded, stored.
 *
 * A store compares with what the block holds now and writes only the bytes
 * that differ, in the phase that docs/DESIGN.md asks for.  The checksum is
 * set when the block's images are written; bit n of the buffer's marks says
 * that inode n (and n + 64, ...) of the block was changed by us, and so is
 * neither verified nor left without a new checksum.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include "super.h"

#define RAW_OFF(field) offsetof(struct e2_disk_inode, field)
#define READ_AHEAD_BYTES (64u << 10)

void e2_inode_place(const struct e2_super *sb, uint32_t ino, uint64_t *block, uint32_t *offset)
{
	uint32_t group = (ino - 1) / sb->inodes_per_group, index = (ino - 1) % sb->inodes_per_group;

	*block = sb->groups[group].inode_table + index / sb->inodes_per_block;
	*offset = index % sb->inodes_per_block * sb->inode_size;
}

static uint64_t slot_mark(const struct e2_super *sb, uint32_t offset)
{
	return 1ull << offset / sb->inode_size % 64;
}

static bool is_zero(const uint8_t *raw, size_t len)
{
	while (len && !*raw)
		raw++, len--;
	return !len;
}

/* Inodes that share a mark with the one at @offset get a new checksum with it: they must deserve one. */
static void verify_sharers(struct e2_super *sb, const uint8_t *data, uint32_t first_ino, uint32_t offset)
{
	uint32_t slot = offset / sb->inode_size;

	for (uint32_t i = slot % 64; i < sb->inodes_per_block; i += 64) {
		const uint8_t *raw = data + (size_t)i * sb->inode_size;

		if (i != slot && !e2_inode_csum_ok(sb, first_ino + i, raw) && !is_zero(raw, sb->inode_size))
			e2_corrupt(sb, first_ino + i, "its checksum does not match");
	}
}

int e2_inode_buf(struct e2_super *sb, uint32_t ino, struct fuseblk_buf **buf, uint32_t *offset)
{
	uint64_t block, mark;
	uint32_t first;
	int err;

	e2_inode_place(sb, ino, &block, offset);
	err = fuseblk_buf_get(sb->vol, block, buf);
	if (err || !sb->metadata_csum)
		return err;
	first = ino - *offset / sb->inode_size;
	mark = slot_mark(sb, *offset);
	if (sb->inodes_per_block > 64 && !(atomic_load(&(*buf)->marks) & mark))
		verify_sharers(sb, (*buf)->data, first, *offset);
	atomic_fetch_or(&(*buf)->marks, mark);
	fuseblk_buf_set_fixup(*buf, e2_itable_fixup, first);
	return 0;
}

/* ---- load ------------------------------------------------------------------------ */

/*
 * Inodes that are looked at together mostly lie together: the second block
 * wanted from a window of the table brings the whole window, and so does the
 * first from the window after one that was brought.  Where more windows are
 * in use than are remembered here, their blocks would push each other out of
 * the cache, and are read one by one.
 */
#define WINDOW_BROUGHT	1ull	/* in an entry, beside the block wanted first */

static bool wants_window(struct e2_super *sb, uint64_t window, uint64_t block, uint64_t span)
{
	_Atomic uint64_t *entry = &sb->itable_windows[window % E2_ITABLE_WINDOWS];
	_Atomic uint64_t *before = &sb->itable_windows[(window - 1) % E2_ITABLE_WINDOWS];
	uint64_t seen = atomic_load_explicit(entry, memory_order_relaxed);
	uint64_t last = atomic_load_explicit(before, memory_order_relaxed);
	bool known = seen && (seen >> 1) / span == window;
	bool follows = (last & WINDOW_BROUGHT) && (last >> 1) / span == window - 1;

	if (known && ((seen & WINDOW_BROUGHT) || seen >> 1 == block))
		return false;
	atomic_store_explicit(entry, block << 1 | (known || follows ? WINDOW_BROUGHT : 0), memory_order_relaxed);
	return known || follows;
}

static void read_ahead(struct e2_super *sb, uint32_t ino, uint64_t block)
{
	const struct e2_group *g = &sb->groups[(ino - 1) / sb->inodes_per_group];
	uint64_t span = READ_AHEAD_BYTES >> sb->block_bits, first, end;

	if (span < 2 || !wants_window(sb, block / span, block, span))
		return;
	first = block / span * span;
	if (first < g->inode_table)
		first = g->inode_table;
	end = block / span * span + span;
	if (end > g->inode_table + sb->itable_blocks)
		end = g->inode_table + sb->itable_blocks;
	fuseblk_buf_prefetch(sb->vol, first, (unsigned)(end - first));
}

static int read_inode(struct e2_inode *ei, const struct fuseblk_buf *buf)
{
	const uint8_t *raw = buf->data + ei->itable_offset;
	const struct e2_disk_inode *d = (const struct e2_disk_inode *)raw;

	if (!e2_get16(d->i_links_count) && !e2_orphans_has(ei->sb, ei->ino))
		return -ESTALE;
	if (!(atomic_load(&buf->marks) & slot_mark(ei->sb, ei->itable_offset)) &&
	    !e2_inode_csum_ok(ei->sb, ei->ino, raw))
		return e2_corrupt(ei->sb, ei->ino, "its checksum does not match");
	return e2_inode_decode(ei, raw);
}

static int reload(struct e2_inode *ei)
{
	struct fuseblk_buf *buf;
	int err = fuseblk_buf_get(ei->sb->vol, ei->itable_block, &buf);

	if (err)
		return err;
	err = read_inode(ei, buf);
	fuseblk_buf_put(buf);
	return err;
}

static bool is_served(const struct e2_super *sb, uint64_t ino)
{
	return ino == E2_ROOT_INO || (ino >= sb->first_ino && ino <= sb->inodes_count);
}

int e2_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct e2_inode *ei = e2_i(node);
	struct e2_super *sb = e2_sb(vol);
	uint64_t ino = fuseblk_ino(node);
	int err;

	if (!is_served(sb, ino))
		return -ESTALE;
	ei->sb = sb;
	ei->node = node;
	ei->ino = (uint32_t)ino;
	e2_inode_place(sb, ei->ino, &ei->itable_block, &ei->itable_offset);
	read_ahead(sb, ei->ino, ei->itable_block);
	err = reload(ei);
	if (!err)
		pthread_spin_init(&ei->map_lock, PTHREAD_PROCESS_PRIVATE);
	return err;
}

void e2_unload(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol;
	e2_dir_unload(e2_i(node));
	pthread_spin_destroy(&e2_i(node)->map_lock);
}

/* ---- store ------------------------------------------------------------------------ */

int e2_inode_pin(struct e2_inode *ei, struct fuseblk_buf **pin)
{
	return fuseblk_buf_get(ei->sb->vol, ei->itable_block, pin);
}

/* Write the 2-byte words of [0, len) that differ from what the block holds, joined into runs. */
static void write_diff(struct fuseblk_buf *buf, unsigned phase, uint32_t offset, const uint8_t *want, size_t len)
{
	const uint8_t *have = buf->data + offset;

	for (size_t at = 0, end; at < len; at = end) {
		end = at + 2;
		if (!memcmp(have + at, want + at, 2))
			continue;
		while (end < len && memcmp(have + end, want + end, 2))
			end += 2;
		fuseblk_buf_write(buf, phase, offset + at, want + at, end - at);
	}
}

static bool is_new(const struct e2_inode *ei)
{
	return ei->new_epoch == fuseblk_epoch(ei->sb->vol);
}

unsigned e2_map_phase(const struct e2_inode *ei, unsigned phase)
{
	if (is_new(ei))
		return E2_FRESH;
	return ei->removed_epoch == fuseblk_epoch(ei->sb->vol) ? E2_REMOVE : phase;
}

/*
 * The word of flags is shared: its map flags change with the map, in later
 * phases, the others at once.
 */
static void store_flags(struct e2_inode *ei, struct fuseblk_buf *buf, uint32_t offset)
{
	size_t off = offset + RAW_OFF(i_flags);
	uint32_t early, now, others = ei->flags & ~E2_MAP_FLAGS;
	e2_le32 le;

	fuseblk_buf_read_early(buf, off, &le, sizeof(le));
	early = e2_get32(le);
	memcpy(&le, buf->data + off, sizeof(le));
	now = e2_get32(le);
	if ((early & ~E2_MAP_FLAGS) == others)
		return;
	le = e2_put32((early & E2_MAP_FLAGS) | others);
	fuseblk_buf_write(buf, E2_FRESH, off, &le, sizeof(le));
	if ((early ^ now) & E2_MAP_FLAGS) {
		le = e2_put32((now & E2_MAP_FLAGS) | others);
		fuseblk_buf_write(buf, e2_map_phase(ei, E2_ADD), off, &le, sizeof(le));
	}
}

int e2_store_meta(struct e2_inode *ei)
{
	struct e2_disk_inode d;
	size_t size = ei->sb->inode_size < sizeof(d) ? ei->sb->inode_size : sizeof(d);
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err = e2_inode_buf(ei->sb, ei->ino, &buf, &offset);

	if (err)
		return err;
	store_flags(ei, buf, offset);
	memcpy(&d, buf->data + offset, size);
	e2_inode_encode_meta(ei, (uint8_t *)&d);
	write_diff(buf, E2_FRESH, offset, (const uint8_t *)&d, size);
	fuseblk_buf_put(buf);
	return 0;
}

static int store_encoded(struct e2_inode *ei, unsigned phase,
			 int (*encode)(const struct e2_inode *ei, uint8_t *raw))
{
	uint8_t raw[E2_INODE_FIXED];
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err = e2_inode_buf(ei->sb, ei->ino, &buf, &offset);

	if (err)
		return err;
	memcpy(raw, buf->data + offset, sizeof(raw));
	err = encode(ei, raw);
	if (!err)
		write_diff(buf, phase, offset, raw, sizeof(raw));
	fuseblk_buf_put(buf);
	return err;
}

int e2_store_map(struct e2_inode *ei, unsigned phase)
{
	if (S_ISREG(ei->mode) && ei->size > INT32_MAX && !e2_has_ro(ei->sb, E2_RO_LARGE_FILE))
		e2_set_ro_feature(ei->sb, E2_RO_LARGE_FILE);
	if (phase == E2_REMOVE && !is_new(ei))
		ei->removed_epoch = fuseblk_epoch(ei->sb->vol);
	return store_encoded(ei, e2_map_phase(ei, phase), e2_inode_encode_map);
}

int e2_store_file_acl(struct e2_inode *ei, unsigned phase)
{
	return store_encoded(ei, is_new(ei) ? E2_FRESH : phase, e2_inode_encode_file_acl);
}

int e2_inode_body_read(struct e2_inode *ei, size_t off, void *dst, size_t len)
{
	struct fuseblk_buf *buf;
	int err;

	if (off > ei->sb->inode_size || len > ei->sb->inode_size - off)
		return -EINVAL;
	err = fuseblk_buf_get(ei->sb->vol, ei->itable_block, &buf);
	if (err)
		return err;
	memcpy(dst, buf->data + ei->itable_offset + off, len);
	fuseblk_buf_put(buf);
	return 0;
}

int e2_inode_body_write(struct e2_inode *ei, unsigned phase, size_t off, const void *src, size_t len)
{
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err;

	if (off > ei->sb->inode_size || len > ei->sb->inode_size - off)
		return -EINVAL;
	err = e2_inode_buf(ei->sb, ei->ino, &buf, &offset);
	if (err)
		return err;
	fuseblk_buf_write(buf, phase, offset + off, src, len);
	fuseblk_buf_put(buf);
	return 0;
}

int e2_inode_write_dtime(struct e2_super *sb, uint32_t ino, unsigned phase, uint32_t value)
{
	e2_le32 le = e2_put32(value);
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err = e2_inode_buf(sb, ino, &buf, &offset);

	if (err)
		return err;
	fuseblk_buf_write(buf, phase, offset + RAW_OFF(i_dtime), &le, sizeof(le));
	fuseblk_buf_put(buf);
	return 0;
}

int e2_inode_write_links(struct e2_inode *ei, unsigned phase)
{
	e2_le16 le = e2_put16(ei->links);
	struct fuseblk_buf *buf;
	uint32_t offset;
	int err = e2_inode_buf(ei->sb, ei->ino, &buf, &offset);

	if (err)
		return err;
	fuseblk_buf_write(buf, phase, offset + RAW_OFF(i_links_count), &le, sizeof(le));
	fuseblk_buf_put(buf);
	return 0;
}

int e2_inode_reload(struct e2_inode *ei)
{
	return reload(ei);
}
