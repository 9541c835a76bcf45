// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * kmount.c: the kernel's side of a mount.  With the file descriptor based
 * interface the mount is made and served before it is attached to the tree,
 * so that a failure leaves nothing to be seen; with the old one (no fsopen)
 * it is attached at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mount_internal.h"

#define CMD_CREATE_EXCL 8	/* since Linux 6.6; not in every C library's enum */
#ifndef MOUNT_ATTR_NOSYMFOLLOW
#define MOUNT_ATTR_NOSYMFOLLOW 0x00200000
#endif

/* Flags of the superblock, by the name fsconfig knows. */
static const struct { unsigned long flag; const char *name; } super_flags[] = {
	{ MS_RDONLY, "ro" },
	{ MS_SYNCHRONOUS, "sync" },
	{ MS_DIRSYNC, "dirsync" },
	{ MS_LAZYTIME, "lazytime" },
};

static const struct { unsigned long flag; unsigned attr; } mount_attrs[] = {
	{ MS_RDONLY, MOUNT_ATTR_RDONLY },
	{ MS_NOSUID, MOUNT_ATTR_NOSUID },
	{ MS_NODEV, MOUNT_ATTR_NODEV },
	{ MS_NOEXEC, MOUNT_ATTR_NOEXEC },
	{ MS_NODIRATIME, MOUNT_ATTR_NODIRATIME },
	{ MS_NOSYMFOLLOW, MOUNT_ATTR_NOSYMFOLLOW },
	{ MS_NOATIME, MOUNT_ATTR_NOATIME },
	{ MS_STRICTATIME, MOUNT_ATTR_STRICTATIME },
};

struct parameter {
	const char *name;
	char value[256];
};
#define PARAMETERS_MAX 10

/* What FUSE is told, in the order it is shown. */
static unsigned list_parameters(const struct fb_kmount *k, struct parameter *p)
{
	unsigned n = 0;

#define PUT(key, ...) do { \
		p[n].name = key; \
		snprintf(p[n].value, sizeof(p[n].value), __VA_ARGS__); \
		n++; \
	} while (0)
	PUT("fd", "%d", k->channel);
	PUT("rootmode", "%o", k->root_mode);
	PUT("user_id", "%u", (unsigned)getuid());
	PUT("group_id", "%u", (unsigned)getgid());
	PUT("allow_other", "%s", "");
	if (k->default_permissions)
		PUT("default_permissions", "%s", "");
	if (k->block_size)
		PUT("blksize", "%u", k->block_size);
	if (k->subtype[0])
		PUT("subtype", "%s", k->subtype);
#undef PUT
	return n;
}

/* ------------------------------------------------------------------ */
/* Security modules                                                    */
/* ------------------------------------------------------------------ */

/* As mount(8): labels for a module that is not there are left out. */
static bool has_module_for(const char *option)
{
	if (strncmp(option, "smack", 5) == 0)
		return access("/sys/fs/smackfs", F_OK) == 0;
	return access("/sys/fs/selinux", F_OK) == 0;
}

/* Splits name="value"; both without quotes. */
static bool split_security(const char *opt, size_t len, char *name, size_t name_size, char *value, size_t size)
{
	const char *eq = memchr(opt, '=', len);
	size_t i, n = 0;

	if (!eq || (size_t)(eq - opt) >= name_size || len >= size)
		return false;
	memcpy(name, opt, (size_t)(eq - opt));
	name[eq - opt] = '\0';
	for (i = (size_t)(eq - opt) + 1; i < len; i++)
		if (opt[i] != '"')
			value[n++] = opt[i];
	value[n] = '\0';
	return has_module_for(name);
}

/* ------------------------------------------------------------------ */
/* Errors                                                              */
/* ------------------------------------------------------------------ */

/* What the kernel wrote about a failed step, in one line; "" if it wrote nothing. */
static void read_kernel_text(int fs, char *text, size_t size)
{
	char line[256];
	size_t used = 0;
	ssize_t n;

	*text = '\0';
	while ((n = read(fs, line, sizeof(line) - 1)) > 2 && used + 1 < size) {
		line[n] = '\0';
		line[strcspn(line, "\n")] = '\0';
		used += (size_t)snprintf(text + used, size - used, "%s%s", used ? "; " : " (", line + 2);
	}
	if (used && used + 2 < size)
		strcat(text, ")");
}

static int create_failed(const struct fb_kmount *k, int err, const char *kernel_text,
			 struct fb_report *report)
{
	if (err == -ENODEV)
		return fb_fail(report, FB_EXIT_SYSTEM, err,
			       "this kernel has no filesystem type \"%s\"; try \"modprobe fuse\", or a kernel with CONFIG_FUSE_FS and CONFIG_BLOCK",
			       k->type);
	if (err == -EPERM)
		return fb_fail(report, FB_EXIT_FAIL, err,
			       "%s: the kernel does not allow this mount: it takes CAP_SYS_ADMIN outside of a user namespace%s",
			       k->source, kernel_text);
	/* EBUSY is explained by the caller, who knows the device. */
	if (err == -EBUSY)
		return err;
	return fb_fail(report, FB_EXIT_FAIL, err, "%s: the kernel refuses to mount it as %s: %s%s", k->source,
		       k->type, strerror(-err), kernel_text);
}

/* ------------------------------------------------------------------ */
/* With fsopen                                                         */
/* ------------------------------------------------------------------ */

static int set_all(int fs, const struct fb_kmount *k)
{
	struct parameter p[PARAMETERS_MAX];
	unsigned i, n = list_parameters(k, p);
	int err;

	err = fsconfig(fs, FSCONFIG_SET_STRING, "source", k->source, 0);
	for (i = 0; i < n && !err; i++)
		err = fsconfig(fs, p[i].value[0] ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, p[i].name,
			       p[i].value[0] ? p[i].value : NULL, 0);
	for (i = 0; i < sizeof(super_flags) / sizeof(super_flags[0]) && !err; i++)
		if (k->flags & super_flags[i].flag)
			err = fsconfig(fs, FSCONFIG_SET_FLAG, super_flags[i].name, NULL, 0);
	return err ? -errno : 0;
}

static int set_security(int fs, const char *list)
{
	char name[32], value[1024];
	const char *opt;
	size_t len;

	while ((opt = fb_option_next(&list, &len)))
		if (split_security(opt, len, name, sizeof(name), value, sizeof(value)) &&
		    fsconfig(fs, FSCONFIG_SET_STRING, name, value, 0))
			return -errno;
	return 0;
}

/* A superblock of our own: never a share in one that exists. */
static int create_super(int fs)
{
	if (fsconfig(fs, (enum fsconfig_command)CMD_CREATE_EXCL, NULL, NULL, 0) == 0)
		return 0;
	if (errno != EOPNOTSUPP)
		return -errno;
	return fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) ? -errno : 0;
}

static unsigned attrs_of(unsigned long flags)
{
	unsigned attrs = 0;
	size_t i;

	for (i = 0; i < sizeof(mount_attrs) / sizeof(mount_attrs[0]); i++)
		if (flags & mount_attrs[i].flag)
			attrs |= mount_attrs[i].attr;
	return attrs;
}

static int find_dev(struct fb_kmount *k, int fd, struct fb_report *report)
{
	unsigned id;
	bool root;
	int err = fb_fd_mount(fd, &k->dev, &id, &root);

	if (err)
		fb_fail_errno(report, FB_EXIT_SYSTEM, err, "%s: the new mount cannot be looked at", k->source);
	return err;
}

static int create_new(struct fb_kmount *k, int fs, struct fb_report *report)
{
	char text[600] = "";
	int err;

	err = set_all(fs, k);
	if (!err)
		err = set_security(fs, k->security);
	if (!err)
		err = create_super(fs);
	if (!err) {
		k->mount_fd = fsmount(fs, FSMOUNT_CLOEXEC, attrs_of(k->flags));
		err = k->mount_fd < 0 ? -errno : 0;
	}
	if (!err)
		return find_dev(k, k->mount_fd, report);
	read_kernel_text(fs, text, sizeof(text));
	return create_failed(k, err, text, report);
}

/* ------------------------------------------------------------------ */
/* With mount(2)                                                       */
/* ------------------------------------------------------------------ */

static void build_data(const struct fb_kmount *k, char *data, size_t size)
{
	struct parameter p[PARAMETERS_MAX];
	unsigned i, n = list_parameters(k, p);
	const char *list = k->security, *opt;
	char name[32], value[1024];
	size_t used = 0, len;

	for (i = 0; i < n && used < size; i++)
		used += (size_t)snprintf(data + used, size - used, "%s%s%s%s", i ? "," : "", p[i].name,
					 p[i].value[0] ? "=" : "", p[i].value);
	while ((opt = fb_option_next(&list, &len)) && used < size)
		if (split_security(opt, len, name, sizeof(name), value, sizeof(value)))
			used += (size_t)snprintf(data + used, size - used, ",%.*s", (int)len, opt);
}

static int create_old(struct fb_kmount *k, struct fb_report *report)
{
	char data[4096], target[64], real[PATH_MAX];
	ssize_t n;
	int fd, err;

	build_data(k, data, sizeof(data));
	snprintf(target, sizeof(target), "/proc/self/fd/%d", k->target_fd);
	n = readlink(target, real, sizeof(real) - 1);
	if (n < 0)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "/proc is not there");
	real[n] = '\0';
	if (mount(k->source, target, k->type, k->flags, data))
		return create_failed(k, -errno, "", report);
	/* Opening the root this way asks the driver nothing. */
	fd = open(real, O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = fd < 0 ? fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "%s", real) : find_dev(k, fd, report);
	if (fd >= 0)
		close(fd);
	if (err)
		umount2(real, MNT_DETACH);
	return err;
}

/* ------------------------------------------------------------------ */

int fb_kmount_create(struct fb_kmount *k, struct fb_report *report)
{
	int fs, err;

	k->mount_fd = -1;
	fs = fsopen(k->type, FSOPEN_CLOEXEC);
	if (fs < 0 && errno == ENOSYS)
		return create_old(k, report);
	if (fs < 0)
		return create_failed(k, -errno, "", report);
	err = create_new(k, fs, report);
	close(fs);
	if (err && k->mount_fd >= 0) {
		close(k->mount_fd);
		k->mount_fd = -1;
	}
	return err;
}

int fb_kmount_attach(struct fb_kmount *k, const char *target, struct fb_report *report)
{
	if (k->mount_fd < 0)
		return 0;
	if (move_mount(k->mount_fd, "", k->target_fd, "", MOVE_MOUNT_F_EMPTY_PATH | MOVE_MOUNT_T_EMPTY_PATH))
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s: cannot be mounted on", target);
	close(k->mount_fd);
	k->mount_fd = -1;
	return 0;
}

void fb_kmount_undo(struct fb_kmount *k, const char *target)
{
	if (k->mount_fd >= 0)
		close(k->mount_fd);
	else
		umount2(target, MNT_DETACH | UMOUNT_NOFOLLOW);
	k->mount_fd = -1;
}

/* ------------------------------------------------------------------ */
/* The page cache's limits                                             */
/* ------------------------------------------------------------------ */

static int open_bdi(dev_t dev, const char *suffix, const char *name, int flags)
{
	char path[128];

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u%s/%s", major(dev), minor(dev), suffix, name);
	return open(path, flags | O_CLOEXEC);
}

static void raise_bdi(dev_t dev, const char *name, unsigned long value)
{
	/* FUSE over a block device names its own beside the device's. */
	static const char *const suffixes[] = { "-fuseblk", "" };
	char text[32] = "";
	size_t i;
	int fd = -1;

	for (i = 0; i < 2 && fd < 0; i++)
		fd = open_bdi(dev, suffixes[i], name, O_RDWR);
	if (fd < 0)
		return;
	if (read(fd, text, sizeof(text) - 1) > 0 && strtoul(text, NULL, 10) < value) {
		snprintf(text, sizeof(text), "%lu\n", value);
		/* Only speed depends on it. */
		if (pwrite(fd, text, strlen(text), 0) < 0)
			errno = 0;
	}
	close(fd);
}

void fb_kmount_tune(dev_t dev)
{
	raise_bdi(dev, "read_ahead_kb", 1024);
}
