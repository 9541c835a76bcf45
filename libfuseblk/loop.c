// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * loop.c: loop devices.  One is made for an image file or a part of a disk so
 * that the mount has a device number; file data never goes through it.  It
 * clears itself when the last of mount and descriptors lets go.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mount_internal.h"

#define ATTACH_TRIES 64		/* each lost to someone else who took the same free device */

/* The first line of /sys/block/loop@number/@name. */
static int read_attribute(int number, const char *name, char *out, size_t size)
{
	char path[96];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/sys/block/loop%d/%s", number, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, out, size - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	out[n] = '\0';
	out[strcspn(out, "\n")] = '\0';
	return 0;
}

static dev_t loop_number_dev(int number)
{
	unsigned maj, min;
	char text[32];

	if (read_attribute(number, "dev", text, sizeof(text)) ||
	    sscanf(text, "%u:%u", &maj, &min) != 2)
		return makedev(7, (unsigned)number);
	return makedev(maj, min);
}

/* Open /dev/loopN, making the node where nobody else does. */
static int open_node(int number, int flags, struct fb_loop *loop)
{
	struct stat st;

	loop->rdev = loop_number_dev(number);
	snprintf(loop->path, sizeof(loop->path), "/dev/loop%d", number);
	if (access(loop->path, F_OK) && mknod(loop->path, S_IFBLK | 0660, loop->rdev) &&
	    errno != EEXIST)
		return -errno;
	loop->fd = open(loop->path, flags | O_CLOEXEC | O_NONBLOCK);
	if (loop->fd < 0)
		return -errno;
	if (fstat(loop->fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != loop->rdev) {
		fb_loop_close(loop);
		return -ENODEV;
	}
	return 0;
}

/* Kernels before 5.8: no LOOP_CONFIGURE. */
static int configure_old(int fd, const struct loop_config *config)
{
	int err;

	if (ioctl(fd, LOOP_SET_FD, config->fd))
		return -errno;
	if (ioctl(fd, LOOP_SET_STATUS64, &config->info) ||
	    (config->block_size != 512 && ioctl(fd, LOOP_SET_BLOCK_SIZE, (long)config->block_size))) {
		err = -errno;
		ioctl(fd, LOOP_CLR_FD, 0);
		return err;
	}
	return 0;
}

static int configure(int fd, const struct loop_config *config)
{
	if (ioctl(fd, LOOP_CONFIGURE, config) == 0)
		return 0;
	if (errno == ENOTTY || errno == EINVAL)
		return configure_old(fd, config);
	return -errno;
}

/*
 * The descriptor was opened for writing, as a writable loop device needs; a
 * kernel without CONFIG_BLK_DEV_WRITE_MOUNTED mounts no device that is.
 */
static int reopen_read_only(struct fb_loop *loop)
{
	int fd = open(loop->path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(loop->fd);
	loop->fd = fd;
	return 0;
}

/* One try with the device that is free now. -EBUSY: someone else was faster. */
static int try_attach(int control, const struct loop_config *config, struct fb_loop *loop)
{
	int number = ioctl(control, LOOP_CTL_GET_FREE);
	int err;

	if (number < 0)
		return -errno;
	err = open_node(number, O_RDWR, loop);
	if (err)
		return err;
	err = configure(loop->fd, config);
	if (!err)
		err = reopen_read_only(loop);
	if (err)
		fb_loop_close(loop);
	return err;
}

int fb_loop_attach(struct fb_loop *loop, int file, const char *file_name, uint64_t offset,
		   uint64_t size, uint32_t sector, bool read_only, struct fb_report *report)
{
	struct loop_config config = { .fd = (uint32_t)file, .block_size = sector };
	int control, err = -EBUSY, i;

	config.info.lo_offset = offset;
	config.info.lo_sizelimit = size;
	config.info.lo_flags = LO_FLAGS_AUTOCLEAR | (read_only ? LO_FLAGS_READ_ONLY : 0);
	snprintf((char *)config.info.lo_file_name, LO_NAME_SIZE, "%s", file_name);
	loop->fd = -1;
	control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	if (control < 0)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno,
				     "%s: no loop device can be had: /dev/loop-control (try \"modprobe loop\")",
				     file_name);
	for (i = 0; i < ATTACH_TRIES && err == -EBUSY; i++)
		err = try_attach(control, &config, loop);
	close(control);
	if (err)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, err, "%s: no loop device can be had", file_name);
	return 0;
}

void fb_loop_close(struct fb_loop *loop)
{
	if (loop->fd >= 0)
		close(loop->fd);
	loop->fd = -1;
}

int fb_loop_info(int fd, struct fb_loop_info *out)
{
	struct loop_info64 info;
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	if (ioctl(fd, LOOP_GET_STATUS64, &info))
		return errno == ENOTTY || errno == EINVAL ? -ENXIO : -errno;
	memset(out, 0, sizeof(*out));
	out->dev = (dev_t)info.lo_device;
	out->ino = (ino_t)info.lo_inode;
	/* The kernel's user-space encoding of a device number is the C library's. */
	out->rdev = (dev_t)info.lo_rdevice;
	out->offset = info.lo_offset;
	out->sizelimit = info.lo_sizelimit;
	out->autoclear = info.lo_flags & LO_FLAGS_AUTOCLEAR;
	read_attribute((int)info.lo_number, "loop/backing_file", out->backing, sizeof(out->backing));
	return 0;
}

/* The smallest number above @after that has a backing file. */
static int next_number(int after)
{
	DIR *dir = opendir("/sys/block");
	struct dirent *de;
	int best = -1, number;
	char text[8], rest;

	if (!dir)
		return -1;
	while ((de = readdir(dir))) {
		if (sscanf(de->d_name, "loop%d%c", &number, &rest) != 1 || number <= after)
			continue;
		if ((best < 0 || number < best) &&
		    read_attribute(number, "loop/backing_file", text, sizeof(text)) == 0)
			best = number;
	}
	closedir(dir);
	return best;
}

int fb_loop_next(int *number, struct fb_loop *loop)
{
	while ((*number = next_number(*number)) >= 0)
		if (open_node(*number, O_RDONLY, loop) == 0)
			return 0;
	return -ENOENT;
}

int fb_open_device(dev_t rdev, int flags, char *path, size_t size)
{
	char link[64], target[PATH_MAX];
	struct stat st;
	const char *name;
	ssize_t n;
	int fd;

	snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major(rdev), minor(rdev));
	n = readlink(link, target, sizeof(target) - 1);
	if (n < 0)
		return -errno;
	target[n] = '\0';
	name = strrchr(target, '/');
	snprintf(path, size, "/dev/%s", name ? name + 1 : target);
	fd = open(path, flags | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &st) || !S_ISBLK(st.st_mode) || st.st_rdev != rdev) {
		close(fd);
		return -ENODEV;
	}
	return fd;
}
