// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * driver.c: the driver as the library sees it: every operation and where it
 * is to be found.
 */
#ifdef HAVE_CONFIG_H
#include "config.h"
#endif
#include "fat.h"

#ifndef PACKAGE_VERSION
#define PACKAGE_VERSION "unreleased"
#endif

static const struct fuseblk_operations fat_operations = {
	/* open.c, super.c, trim.c */
	.open = fat_open,
	.close = fat_close,
	.start = fat_start,
	.stop = fat_stop,
	.commit = fat_commit,
	.durable = fat_durable,
	.mark_error = fat_mark_error,
	.statfs = fat_statfs,
	.available = fat_available,
	.trim = fat_trim,
	/* inode.c, attr.c */
	.load = fat_load,
	.unload = fat_unload,
	.free = fat_free,
	.getattr = fat_getattr,
	.setattr = fat_setattr,
	/* map.c, truncate.c */
	.map = fat_map,
	.written = fat_written,
	.truncate = fat_truncate,
	.allocate = fat_allocate,
	/* namei.c, readdir.c, rename.c */
	.lookup = fat_lookup,
	.spelling = fat_spelling,
	.readdir = fat_readdir,
	.create = fat_create,
	.unlink = fat_unlink,
	.rmdir = fat_rmdir,
	.rename = fat_rename,
	/* xattr.c, ioctl.c */
	.getxattr = fat_getxattr,
	.listxattr = fat_listxattr,
	.setxattr = fat_setxattr,
	.removexattr = fat_removexattr,
	.ioctls = fat_ioctls,
};

static const char *const types[] = { "vfat", "msdos", NULL };

const struct fuseblk_driver fat_driver = {
	.name = "fat",
	.version = PACKAGE_VERSION,
	.types = types,
	.options = fat_option_table,
	.options_size = sizeof(struct fat_options),
	.options_init = fat_options_init,
	.prepare = fat_prepare,
	.node_size = sizeof(struct fat_node),
	.ops = &fat_operations,
};
