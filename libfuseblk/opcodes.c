// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * opcodes.c: the dispatch table.  An opcode without a handler is answered
 * ENOSYS, which the kernel remembers where it has a way to do without: FLUSH
 * (it has written back before), ACCESS (permissions are its own), locks.
 */
#include "op.h"
#include "proto.h"

#define OP(code, handler) [FUSE_##code] = { #code, handler }

static const struct fb_opcode table[] = {
	OP(LOOKUP, fb_op_lookup),
	OP(FORGET, fb_op_forget),
	OP(GETATTR, fb_op_getattr),
	OP(SETATTR, fb_op_setattr),
	OP(READLINK, fb_op_readlink),
	OP(SYMLINK, fb_op_symlink),
	OP(MKNOD, fb_op_mknod),
	OP(MKDIR, fb_op_mkdir),
	OP(UNLINK, fb_op_unlink),
	OP(RMDIR, fb_op_rmdir),
	OP(RENAME, fb_op_rename),
	OP(LINK, fb_op_link),
	OP(OPEN, fb_op_open),
	OP(READ, fb_op_read),
	OP(WRITE, fb_op_write),
	OP(STATFS, fb_op_statfs),
	OP(RELEASE, fb_op_release),
	OP(FSYNC, fb_op_fsync),
	OP(SETXATTR, fb_op_setxattr),
	OP(GETXATTR, fb_op_getxattr),
	OP(LISTXATTR, fb_op_listxattr),
	OP(REMOVEXATTR, fb_op_removexattr),
	OP(FLUSH, NULL),
	OP(INIT, fb_op_init),
	OP(OPENDIR, fb_op_opendir),
	OP(READDIR, fb_op_readdir),
	OP(RELEASEDIR, fb_op_releasedir),
	OP(FSYNCDIR, fb_op_fsync),
	OP(GETLK, NULL),
	OP(SETLK, NULL),
	OP(SETLKW, NULL),
	OP(ACCESS, NULL),
	OP(CREATE, fb_op_create),
	OP(INTERRUPT, fb_op_interrupt),
	OP(BMAP, fb_op_bmap),
	OP(DESTROY, fb_op_destroy),
	OP(IOCTL, fb_op_ioctl),
	OP(POLL, NULL),
	OP(NOTIFY_REPLY, NULL),
	OP(BATCH_FORGET, fb_op_batch_forget),
	OP(FALLOCATE, fb_op_fallocate),
	OP(READDIRPLUS, fb_op_readdirplus),
	OP(RENAME2, fb_op_rename),
	OP(LSEEK, fb_op_lseek),
	OP(COPY_FILE_RANGE, fb_op_copy_file_range),
	OP(SYNCFS, fb_op_syncfs),
	OP(TMPFILE, fb_op_tmpfile),
	OP(STATX, fb_op_statx),
	OP(COPY_FILE_RANGE_64, fb_op_copy_file_range),
};

const struct fb_opcode *fb_opcode(uint32_t opcode)
{
	static const struct fb_opcode unknown = { "unknown", NULL };

	if (opcode >= sizeof(table) / sizeof(table[0]) || !table[opcode].name)
		return &unknown;
	return &table[opcode];
}
