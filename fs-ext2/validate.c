// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * validate.c: a second opinion on a volume from libext2fs, before it is
 * mounted, and the state of its journal.
 *
 * libext2fs reads through an I/O manager that can only read.  It is opened
 * after our own checks of the superblock have passed, and closed again:
 * serving does not use it.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "super.h"		/* before ext2fs.h, which defines names of ours */
#include <et/com_err.h>
#include <ext2fs/ext2fs.h>

#define JBD_MAGIC		0xC03B3998u
#define JBD_START_OFFSET	0x1c

/* ---- the I/O manager ----------------------------------------------------------------- */

static _Thread_local struct fuseblk_volume *opening;	/* ->open is given nothing but a name */

static errcode_t read_bytes(io_channel io, uint64_t off, uint64_t len, void *data)
{
	int err = fuseblk_device_read(io->private_data, data, len, off);

	return err ? -err : 0;
}

static errcode_t io_read64(io_channel io, unsigned long long block, int count, void *data)
{
	uint64_t len = count < 0 ? (uint64_t)-(int64_t)count : (uint64_t)count * (uint64_t)io->block_size;

	if (block > UINT64_MAX / (uint64_t)io->block_size)
		return EXT2_ET_SHORT_READ;
	return read_bytes(io, block * (uint64_t)io->block_size, len, data);
}

static errcode_t io_read(io_channel io, unsigned long block, int count, void *data)
{
	return io_read64(io, block, count, data);
}

static errcode_t io_write(io_channel io, unsigned long block, int count, const void *data)
{
	(void)io, (void)block, (void)count, (void)data;
	return EXT2_ET_RO_FILSYS;
}

static errcode_t io_set_block_size(io_channel io, int size)
{
	io->block_size = size;
	return 0;
}

static errcode_t io_flush(io_channel io)
{
	(void)io;
	return 0;
}

static errcode_t io_close(io_channel io)
{
	if (--io->refcount > 0)
		return 0;
	free(io->name);
	free(io);
	return 0;
}

static errcode_t io_open(const char *name, int flags, io_channel *out);

static struct struct_io_manager manager = {
	.magic = EXT2_ET_MAGIC_IO_MANAGER,
	.name = "fuseblk read-only I/O",
	.open = io_open,
	.close = io_close,
	.set_blksize = io_set_block_size,
	.read_blk = io_read,
	.read_blk64 = io_read64,
	.write_blk = io_write,
	.flush = io_flush,
};

static errcode_t io_open(const char *name, int flags, io_channel *out)
{
	io_channel io = calloc(1, sizeof(*io));

	(void)flags;
	if (!io)
		return EXT2_ET_NO_MEMORY;
	io->magic = EXT2_ET_MAGIC_IO_CHANNEL;
	io->manager = &manager;
	io->name = strdup(name);
	io->block_size = 1024;
	io->refcount = 1;
	io->private_data = opening;
	if (!io->name) {
		free(io);
		return EXT2_ET_NO_MEMORY;
	}
	*out = io;
	return 0;
}

/* ---- the journal ----------------------------------------------------------------------- */

static uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static errcode_t look_at_journal(struct e2_super *sb, ext2_filsys fs, struct e2_validated *out)
{
	ext2_ino_t ino = fs->super->s_journal_inum;
	struct ext2_inode inode;
	uint8_t head[64];
	blk64_t block = 0;
	errcode_t err;

	if (ino < EXT2_BAD_INO || ino > fs->super->s_inodes_count)
		return EXT2_ET_CORRUPT_JOURNAL_SB;
	err = ext2fs_read_inode(fs, ino, &inode);
	if (!err)
		err = ext2fs_bmap2(fs, ino, &inode, NULL, 0, 0, NULL, &block);
	if (err)
		return err;
	if (!inode.i_links_count || !e2_block_is_data(sb, block, 1))
		return EXT2_ET_CORRUPT_JOURNAL_SB;
	err = fuseblk_device_read(sb->vol, head, sizeof(head), block << sb->block_bits);
	if (err)
		return EXT2_ET_SHORT_READ;
	if (get_be32(head) != JBD_MAGIC)
		return EXT2_ET_CORRUPT_JOURNAL_SB;
	out->journal_dirty = get_be32(head + JBD_START_OFFSET) != 0;
	out->journal_blocks = EXT2_I_SIZE(&inode) >> sb->block_bits;
	if (out->journal_blocks > sb->blocks_count)
		return EXT2_ET_CORRUPT_JOURNAL_SB;
	return 0;
}

static errcode_t check_journal(struct e2_super *sb, ext2_filsys fs, struct e2_validated *out)
{
	if (!e2_has_compat(sb, E2_COMPAT_HAS_JOURNAL))
		return 0;
	if (!fs->super->s_journal_inum) {
		out->journal_external = true;
		return 0;
	}
	return look_at_journal(sb, fs, out);
}

/* ---- the volume ------------------------------------------------------------------------- */

static errcode_t run(struct e2_super *sb, struct e2_validated *out)
{
	int superblock = sb->options.sb ? (int)sb->sb_block : 0;
	ext2_filsys fs;
	errcode_t err;

	opening = sb->vol;
	err = ext2fs_open2("volume", NULL, EXT2_FLAG_64BITS | EXT2_FLAG_SOFTSUPP_FEATURES, superblock,
			   superblock ? sb->block_size : 0, &manager, &fs);
	opening = NULL;
	if (err)
		return err;
	err = check_journal(sb, fs, out);
	ext2fs_close_free(&fs);
	return err;
}

int e2_validate(struct e2_super *sb, struct e2_validated *out)
{
	errcode_t err;

	*out = (struct e2_validated){ 0 };
	pthread_mutex_lock(&sb->lib_lock);
	initialize_ext2_error_table();
	err = run(sb, out);
	pthread_mutex_unlock(&sb->lib_lock);
	if (!err)
		return 0;
	fuseblk_refuse(sb->vol, "the volume is damaged: %s; run e2fsck", error_message(err));
	if (err == EXT2_ET_NO_MEMORY)
		return -ENOMEM;
	return err == EIO ? -EIO : -EUCLEAN;
}
