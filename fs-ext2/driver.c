// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * driver.c: the driver as the library sees it: every operation and where it
 * is to be found.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "super.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

const struct fuseblk_operations e2_operations = {
	/* open.c, super.c */
	.open = e2_open,
	.close = e2_close,
	.start = e2_start,
	.stop = e2_stop,
	.commit = e2_commit,
	.durable = e2_durable,
	.mark_error = e2_mark_error,
	/* statfs.c, trim.c */
	.statfs = e2_statfs,
	.may_use_reserved = e2_may_use_reserved,
	.available = e2_available,
	.trim = e2_trim,
	/* inode.c, inode_new.c, attr.c */
	.load = e2_load,
	.unload = e2_unload,
	.free = e2_free,
	.getattr = e2_getattr,
	.setattr = e2_setattr,
	/* map.c, truncate.c, allocate.c, inline.c */
	.map = e2_map,
	.written = e2_written,
	.read_inline = e2_read_inline,
	.write_inline = e2_write_inline,
	.truncate = e2_truncate,
	.allocate = e2_allocate,
	.punch = e2_punch,
	/* dir.c, namei.c, rename.c, symlink.c */
	.lookup = e2_lookup,
	.readdir = e2_readdir,
	.create = e2_create,
	.tmpfile = e2_tmpfile,
	.link = e2_link,
	.unlink = e2_unlink,
	.rmdir = e2_rmdir,
	.rename = e2_rename,
	.readlink = e2_readlink,
	/* xattr.c, ioctl.c */
	.getxattr = e2_getxattr,
	.listxattr = e2_listxattr,
	.setxattr = e2_setxattr,
	.removexattr = e2_removexattr,
	.ioctls = e2_ioctls,
};

static const char *const types[] = { "ext2", "ext3", "ext4", NULL };

const struct fuseblk_driver e2_driver = {
	.name = "ext2",
	.version = PACKAGE_VERSION,
	.types = types,
	.options = e2_option_table,
	.options_size = sizeof(struct e2_options),
	.options_init = e2_options_init,
	.node_size = sizeof(struct e2_inode),
	.ops = &e2_operations,
};
