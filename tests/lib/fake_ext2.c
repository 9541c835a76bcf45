// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fake_ext2.c: see fake_ext2.h.  Every allocation is separate and every
 * reference is counted, so that sanitizers and fake_stop() find what is off.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "fake_ext2.h"

struct fake_ext2 fake;

struct fuseblk_node {
	struct e2_inode ei;
	unsigned refs;
};

struct fake_buf {
	struct fuseblk_buf pub;
	uint32_t refs;
};

static struct fake_buf bufs[FAKE_BLOCKS];

void fake_start(uint32_t block_size, uint32_t inode_size)
{
	memset(&fake, 0, sizeof(fake));
	memset(bufs, 0, sizeof(bufs));
	fake.epoch = 5;
	fake.blocks_left = FAKE_BLOCKS;
	fake.sb.block_size = block_size;
	fake.sb.inode_size = inode_size;
	fake.sb.inodes_count = FAKE_INODES - 1;
	fake.sb.first_ino = 11;
	fake.sb.compat = E2_COMPAT_EXT_ATTR;
	fake.sb.options.acl = fake.sb.options.user_xattr = 1;
	fake.sb.csum_seed = 0x1234;
}

static void inode_drop(struct fake_inode *fi)
{
	for (unsigned i = 0; i < fi->nblocks; i++)
		fake.used[fi->map[i]] = false;
	free(fi->node);
	memset(fi, 0, sizeof(*fi));
}

void fake_stop(void)
{
	for (unsigned i = 0; i < FAKE_INODES; i++)
		inode_drop(&fake.inodes[i]);
	for (unsigned i = 0; i < FAKE_BLOCKS; i++)
		free(fake.blocks[i]);
	if (fake.refs) {
		fprintf(stderr, "%u references were not given back\n", fake.refs);
		abort();
	}
}

struct fuseblk_node *fake_inode_new(uint32_t ino, uint16_t mode)
{
	struct fake_inode *fi = &fake.inodes[ino];

	fi->used = true;
	fi->node = calloc(1, sizeof(*fi->node));
	fi->node->ei = (struct e2_inode){ .sb = &fake.sb, .node = fi->node, .ino = ino, .mode = mode, .links = 1,
		.extra_isize = fake.sb.inode_size > 128 ? 32 : 0, .generation = 77 };
	return fi->node;
}

unsigned fake_blocks_used(void)
{
	unsigned n = 0;

	for (unsigned i = 0; i < FAKE_BLOCKS; i++)
		n += fake.used[i];
	return n;
}

static void note(unsigned phase)
{
	fake.phases |= 1u << (phase > 31 ? 31 : phase);
}

void *fuseblk_private(const struct fuseblk_volume *vol)
{
	(void)vol;
	return &fake.sb;
}

void *fuseblk_node_data(struct fuseblk_node *node)
{
	return &node->ei;
}

uint64_t fuseblk_epoch(const struct fuseblk_volume *vol)
{
	(void)vol;
	return fake.epoch;
}

int fuseblk_corrupt(struct fuseblk_volume *vol, uint64_t ino, const char *format, ...)
{
	(void)vol, (void)ino, (void)format;
	fake.corruptions++;
	return -EUCLEAN;
}

int fuseblk_buf_get(struct fuseblk_volume *vol, uint64_t block, struct fuseblk_buf **out)
{
	(void)vol;
	if (block >= FAKE_BLOCKS)
		return -EIO;
	if (!fake.blocks[block])
		fake.blocks[block] = calloc(1, fake.sb.block_size);
	bufs[block].pub.data = fake.blocks[block];
	bufs[block].pub.block = block;
	bufs[block].refs++;
	fake.refs++;
	*out = &bufs[block].pub;
	return 0;
}

int fuseblk_buf_new(struct fuseblk_volume *vol, uint64_t block, struct fuseblk_buf **out)
{
	int err = fuseblk_buf_get(vol, block, out);

	if (err)
		return err;
	memset((*out)->data, 0, fake.sb.block_size);
	(*out)->marks = 0;
	return 0;
}

void fuseblk_buf_put(struct fuseblk_buf *buf)
{
	if (!buf)
		return;
	if (!((struct fake_buf *)buf)->refs--)
		abort();
	fake.refs--;
}

void fuseblk_buf_write(struct fuseblk_buf *buf, unsigned phase, size_t off, const void *src, size_t len)
{
	if (off + len > fake.sb.block_size)
		abort();
	note(phase);
	memcpy(buf->data + off, src, len);
}

void fuseblk_buf_read_early(struct fuseblk_buf *buf, size_t off, void *dst, size_t len)
{
	memcpy(dst, buf->data + off, len);
}

void fuseblk_buf_set_fixup(struct fuseblk_buf *buf, fuseblk_fixup_fn fixup, uint64_t tag)
{
	(void)buf, (void)fixup, (void)tag;
}

void fuseblk_buf_forget(struct fuseblk_volume *vol, uint64_t block)
{
	(void)vol, (void)block;
}

void fuseblk_node_changed(struct fuseblk_node *node)
{
	(void)node;
}

int fuseblk_node_get(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out)
{
	(void)vol;
	if (!fake.inodes[ino].used)
		return -ESTALE;
	*out = fake.inodes[ino].node;
	(*out)->refs++;
	fake.refs++;
	return 0;
}

void fuseblk_node_put(struct fuseblk_node *node)
{
	if (!node)
		return;
	fake.refs--;
	if (!--node->refs && !node->ei.links)
		inode_drop(&fake.inodes[node->ei.ino]);
}

bool e2_block_is_data(const struct e2_super *sb, uint64_t block, uint64_t count)
{
	(void)sb;
	return block >= 8 && block + count <= FAKE_BLOCKS;
}

bool e2_may_use_reserved(struct fuseblk_volume *vol, uint32_t uid, uint32_t gid)
{
	(void)vol, (void)gid;
	return uid == 0;
}

uint32_t e2_crc32c(uint32_t seed, const void *data, size_t len)
{
	const uint8_t *p = data;

	while (len--) {
		seed ^= *p++;
		for (int i = 0; i < 8; i++)
			seed = seed >> 1 ^ (0x82F63B78 & -(seed & 1));
	}
	return seed;
}

bool e2_xattr_csum_ok(const struct e2_super *sb, uint64_t pblk, const uint8_t *block)
{
	(void)sb, (void)pblk, (void)block;
	return true;
}

void e2_xattr_fixup(struct fuseblk_volume *vol, uint64_t block, uint64_t marks, uint64_t tag, uint8_t *image)
{
	(void)vol, (void)block, (void)marks, (void)tag, (void)image;
}

int e2_blocks_alloc(struct e2_super *sb, uint64_t goal, uint32_t *count, bool reserve, uint64_t *block)
{
	(void)sb, (void)goal, (void)reserve;
	for (unsigned i = 8; i < FAKE_BLOCKS && fake.blocks_left; i++) {
		if (fake.used[i])
			continue;
		fake.used[i] = true;
		fake.blocks_left--;
		*count = 1;
		*block = i;
		return 0;
	}
	return -ENOSPC;
}

void e2_blocks_free(struct e2_super *sb, uint64_t block, uint64_t count)
{
	(void)sb;
	while (count--) {
		if (!fake.used[block])
			abort();
		fake.used[block++] = false;
		fake.blocks_left++;
	}
}

void e2_blocks_unalloc(struct e2_super *sb, uint64_t block, uint64_t count)
{
	e2_blocks_free(sb, block, count);
}

unsigned e2_map_phase(const struct e2_inode *ei, unsigned phase)
{
	return ei->new_epoch == fake.epoch ? E2_FRESH : phase;
}

int e2_store_file_acl(struct e2_inode *ei, unsigned phase)
{
	note(e2_map_phase(ei, phase));
	return 0;
}

int e2_store_meta(struct e2_inode *ei)
{
	(void)ei;
	return 0;
}

void e2_touch(struct e2_inode *ei, bool mtime)
{
	(void)mtime;
	ei->ctime.tv_sec++;
}

int e2_inode_pin(struct e2_inode *ei, struct fuseblk_buf **pin)
{
	(void)ei;
	*pin = NULL;
	return 0;
}

int e2_inode_body_read(struct e2_inode *ei, size_t off, void *dst, size_t len)
{
	if (off + len > fake.sb.inode_size)
		abort();
	memcpy(dst, fake.inodes[ei->ino].body + off, len);
	return 0;
}

int e2_inode_body_write(struct e2_inode *ei, unsigned phase, size_t off, const void *src, size_t len)
{
	if (off + len > fake.sb.inode_size)
		abort();
	note(phase);
	memcpy(fake.inodes[ei->ino].body + off, src, len);
	return 0;
}

int e2_inode_make(struct e2_super *sb, struct e2_inode *dir, const struct fuseblk_create *what,
		  const struct fuseblk_caller *who, uint16_t links, struct fuseblk_node **out)
{
	(void)dir, (void)who;
	for (uint32_t ino = sb->first_ino; ino < FAKE_INODES; ino++) {
		if (fake.inodes[ino].used)
			continue;
		*out = fake_inode_new(ino, (uint16_t)what->mode);
		(*out)->ei.links = links;
		(*out)->ei.new_epoch = fake.epoch;
		(*out)->refs = 1;
		fake.refs++;
		return 0;
	}
	return -ENOSPC;
}

void e2_inode_unmake(struct fuseblk_node *node)
{
	node->ei.links = 0;
	fuseblk_node_put(node);
}

int e2_links_kill(struct e2_inode *ei, struct e2_inode *dir)
{
	(void)dir;
	ei->links = 0;
	return 0;
}

/* Freed when the last reference goes, below. */
int e2_free(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol, (void)node;
	return 0;
}

int e2_map_grow(struct e2_inode *ei, uint32_t nblocks, uint64_t size, bool reserve)
{
	struct fake_inode *fi = &fake.inodes[ei->ino];
	uint32_t one;

	while (fi->nblocks < nblocks) {
		int err = e2_blocks_alloc(ei->sb, 0, &one, reserve, &fi->map[fi->nblocks]);

		if (err)
			return err;
		fi->nblocks++;
	}
	ei->size = size;
	return 0;
}

int e2_map_block(struct e2_inode *ei, uint64_t lblk, uint64_t *pblk)
{
	const struct fake_inode *fi = &fake.inodes[ei->ino];

	*pblk = lblk < fi->nblocks ? fi->map[lblk] : 0;
	return 0;
}
