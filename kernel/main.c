// SPDX-License-Identifier: GPL-2.0-only
/*
 * main.c: load and unload.  The table says what the module consists of; a
 * failure undoes what came before it.
 */
#include <linux/kobject.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/sysfs.h>
#include "fblk.h"

static struct kobject *sysfs_dir;	/* /sys/fs/fuse, where fusectl is mounted */

static int mount_point_init(void)
{
	int err;

	sysfs_dir = kobject_create_and_add("fuse", fs_kobj);
	if (!sysfs_dir)
		return -ENOMEM;
	err = sysfs_create_mount_point(sysfs_dir, "connections");
	if (err)
		kobject_put(sysfs_dir);
	return err;
}

static void mount_point_fini(void)
{
	sysfs_remove_mount_point(sysfs_dir, "connections");
	kobject_put(sysfs_dir);
}

static const struct part {
	int (*init)(void);
	void (*fini)(void);
} parts[] = {
	{ fblk_request_init, fblk_request_fini },
	{ fblk_inode_init, fblk_inode_fini },
	{ fblk_super_init, fblk_super_fini },
	{ fblk_dev_init, fblk_dev_fini },
	{ mount_point_init, mount_point_fini },
	{ fblk_ctl_init, fblk_ctl_fini },
};

static void unload_parts(int n)
{
	while (n--)
		parts[n].fini();
}

static int __init fblk_load(void)
{
	int i, err;

	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		err = parts[i].init();
		if (!err)
			continue;
		unload_parts(i);
		if (err == -EBUSY)
			pr_err("fuseblk: another FUSE is in this kernel: unload fuse.ko, or boot a kernel that has it as a module\n");
		return err;
	}
	return 0;
}

static void __exit fblk_unload(void)
{
	unload_parts(ARRAY_SIZE(parts));
}

module_init(fblk_load);
module_exit(fblk_unload);

MODULE_DESCRIPTION("Filesystems in user space, on block devices");
MODULE_LICENSE("GPL");
MODULE_ALIAS_MISCDEV(FUSE_MINOR);
MODULE_ALIAS("devname:fuse");
