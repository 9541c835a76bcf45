// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount_source.c: what is to be mounted: a block device, an image file, a
 * partition of either, or what a tag stands for.  Found and opened once;
 * from there on only the descriptor counts.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "device.h"
#include "mount_internal.h"
#include "probe_internal.h"

#define PARTITION_TIMEOUT_MS 30000

/* /dev/dm-N is shown as /dev/mapper/NAME, as mount(8) does. */
static void use_mapper_name(char *path)
{
	char attribute[64], name[200] = "", mapped[256];
	struct stat a, b;
	unsigned number;
	char rest;
	FILE *f;

	if (sscanf(path, "/dev/dm-%u%c", &number, &rest) != 1)
		return;
	snprintf(attribute, sizeof(attribute), "/sys/block/dm-%u/dm/name", number);
	f = fopen(attribute, "re");
	if (!f)
		return;
	if (!fgets(name, sizeof(name), f))
		name[0] = '\0';
	fclose(f);
	name[strcspn(name, "\n")] = '\0';
	snprintf(mapped, sizeof(mapped), "/dev/mapper/%s", name);
	if (name[0] && stat(path, &a) == 0 && stat(mapped, &b) == 0 && a.st_rdev == b.st_rdev)
		snprintf(path, PATH_MAX, "%s", mapped);
}

int fb_source_path(const char *name, char *path, struct fb_report *report)
{
	char device[PATH_MAX];
	int err;

	if (strcmp(name, "none") == 0)
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL,
			       "the source is \"none\": name a block device, an image file, or UUID=, LABEL=, PARTUUID= or PARTLABEL=");
	err = strchr(name, '=') && access(name, F_OK) ? fb_probe_tag(name, device, sizeof(device)) : -EINVAL;
	if (err == -ENOENT)
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: no device carries that; \"blkid\" lists them", name);
	if (!realpath(err ? name : device, path))
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s", name);
	use_mapper_name(path);
	return 0;
}

int fb_reopen(int fd, int flags)
{
	char link[64];
	int again;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	again = open(link, flags | O_CLOEXEC);
	return again < 0 ? -errno : again;
}

bool fb_source_needs_loop(const struct fb_source *src)
{
	return !src->is_block || src->offset || src->size;
}

static bool means_read_only(int err)
{
	return err == -EROFS || err == -EACCES || err == -EPERM;
}

static int open_failed(const struct fb_source *src, int err, struct fb_report *report)
{
	char user[512];

	if (err == -ENOMEDIUM)
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: there is no medium in the drive", src->name);
	if (err == -EBUSY && src->is_block) {
		fb_guard_user(src->rdev, user, sizeof(user));
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: busy: %s", src->name, user);
	}
	if (err == -ETXTBSY)
		return fb_fail(report, FB_EXIT_FAIL, err,
			       "%s: busy: in use as swap or being executed", src->name);
	return fb_fail_errno(report, FB_EXIT_FAIL, err, "%s: cannot be opened", src->name);
}

/* Open for writing, or for reading where that is all that is asked or possible. */
static int open_file(struct fb_source *src, struct fb_report *report)
{
	int err = -EROFS;

	if (!src->read_only) {
		src->fd = open(src->path, O_RDWR | O_CLOEXEC);
		err = src->fd < 0 ? -errno : 0;
	}
	if (!means_read_only(err))
		return err ? open_failed(src, err, report) : 0;
	src->fd = open(src->path, O_RDONLY | O_CLOEXEC);
	if (src->fd < 0)
		return open_failed(src, -errno, report);
	if (!src->read_only)
		snprintf(src->why_read_only, sizeof(src->why_read_only), "%.120s is write-protected (%s)",
			 src->name, strerror(-err));
	src->read_only = true;
	return 0;
}

/* It was opened for writing and cannot be written: the driver gets no writable descriptor. */
static int give_up_writing(struct fb_source *src, const char *why, struct fb_report *report)
{
	int fd;

	if (src->read_only)
		return 0;
	fd = fb_reopen(src->fd, O_RDONLY);
	if (fd < 0)
		return open_failed(src, fd, report);
	close(src->fd);
	src->fd = fd;
	src->read_only = true;
	snprintf(src->why_read_only, sizeof(src->why_read_only), "%.120s %s", src->name, why);
	return 0;
}

/*
 * mount(8) itself makes a loop device where there is offset= or loop, and
 * hands us that: it will be gone when the user reads a message with its name.
 */
static void name_image(struct fb_source *src)
{
	struct fb_loop_info info;

	if (!src->is_block || fb_loop_info(src->fd, &info) || !info.autoclear || !info.backing[0])
		return;
	snprintf(src->image, sizeof(src->image), "%s", info.backing);
	src->image_offset = info.offset;
	src->name = src->image;
}

static int block_geometry(struct fb_source *src, struct fb_report *report)
{
	int read_only = 0, sector = 512;

	if (ioctl(src->fd, BLKGETSIZE64, &src->device_size) || ioctl(src->fd, BLKSSZGET, &sector) ||
	    ioctl(src->fd, BLKROGET, &read_only))
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s: its size cannot be found", src->name);
	src->sector = (uint32_t)sector;
	return read_only ? give_up_writing(src, "is write-protected", report) : 0;
}

static int geometry(struct fb_source *src, const struct stat *st, struct fb_report *report)
{
	src->sector = 512;
	src->device_size = (uint64_t)st->st_size;
	if (src->is_block)
		return block_geometry(src, report);
	if (!fb_device_is_gzip(src->fd))
		return 0;
	src->kind = FB_DEVICE_GZIP;
	src->device_size = 0;
	return give_up_writing(src, "is a gzip image, which can only be read", report);
}

static int past_the_end(const struct fb_source *src, uint64_t offset, uint64_t size, struct fb_report *report)
{
	return fb_fail(report, FB_EXIT_USAGE, -EINVAL, "%s: offset=%" PRIu64 " is past its end (%" PRIu64 " bytes)",
		       src->name, offset, size);
}

/* What mount(8) made a loop device of without a look. */
static int check_image(const struct fb_source *src, struct fb_report *report)
{
	struct stat st;

	if (src->image_offset % 512)
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL, "%s: offset=%" PRIu64 " is not a multiple of 512",
			       src->name, src->image_offset);
	if (src->image_offset && stat(src->image, &st) == 0 && S_ISREG(st.st_mode) &&
	    src->image_offset >= (uint64_t)st.st_size)
		return past_the_end(src, src->image_offset, (uint64_t)st.st_size, report);
	return 0;
}

/* offset= and sizelimit= against the size; a limit past the end is the end. */
static int check_range(struct fb_source *src, struct fb_report *report)
{
	int err = check_image(src, report);

	if (err)
		return err;
	if (src->kind == FB_DEVICE_GZIP)	/* how long it is, the driver finds out */
		return src->offset % src->sector ? fb_fail(report, FB_EXIT_USAGE, -EINVAL,
			"%s: offset=%" PRIu64 " is not a multiple of 512", src->name, src->offset) : 0;
	if (src->device_size == 0)
		return fb_fail(report, FB_EXIT_FAIL, -EINVAL, "%s: it is empty (0 bytes)", src->name);
	if (src->offset >= src->device_size)
		return past_the_end(src, src->offset, src->device_size, report);
	if (src->offset % src->sector)
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL,
			       "%s: offset=%" PRIu64 " is not a multiple of its sector size (%u bytes)",
			       src->name, src->offset, src->sector);
	if (src->size > src->device_size - src->offset)
		src->size = src->device_size - src->offset;
	return 0;
}

static int check_type(struct fb_source *src, const struct stat *st, struct fb_report *report)
{
	src->is_block = S_ISBLK(st->st_mode);
	src->dev = st->st_dev;
	src->ino = st->st_ino;
	src->rdev = src->is_block ? st->st_rdev : 0;
	if (src->is_block || S_ISREG(st->st_mode))
		return 0;
	return fb_fail(report, FB_EXIT_FAIL, -ENOTBLK, "%s: it is %s, neither a block device nor an image file",
		       src->name, S_ISDIR(st->st_mode) ? "a directory" : "a special file");
}

static int open_and_measure(struct fb_source *src, struct fb_report *report)
{
	struct stat st;
	int err;

	/* Looked at before it is opened: opening a FIFO would wait. */
	if (stat(src->path, &st))
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s", src->name);
	err = check_type(src, &st, report);
	if (!err)
		err = open_file(src, report);
	if (!err && fstat(src->fd, &st))
		err = fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s", src->name);
	if (!err)
		err = check_type(src, &st, report);
	if (!err)
		name_image(src);
	if (!err)
		err = geometry(src, &st, report);
	return err;
}

int fb_source_open(struct fb_source *src, const char *name, const struct fb_mount_options *o,
		   struct fb_report *report)
{
	int err;

	memset(src, 0, sizeof(*src));
	src->name = name;
	src->fd = -1;
	src->kind = FB_DEVICE_FILE;
	src->read_only = o->flags & 1;	/* MS_RDONLY */
	src->offset = o->offset;
	src->size = o->sizelimit;
	err = fb_source_path(name, src->path, report);
	if (!err)
		err = open_and_measure(src, report);
	if (!err)
		err = check_range(src, report);
	if (err)
		fb_source_close(src);
	return err;
}

void fb_source_close(struct fb_source *src)
{
	if (src->fd >= 0)
		close(src->fd);
	src->fd = -1;
}

/* ------------------------------------------------------------------ */
/* Partitions                                                          */
/* ------------------------------------------------------------------ */

static uint64_t read_number(const char *dir, const char *sub, const char *name)
{
	char path[PATH_MAX];
	unsigned long long value = 0;
	FILE *f;

	if ((size_t)snprintf(path, sizeof(path), "%s/%s/%s", dir, sub, name) >= sizeof(path))
		return 0;
	f = fopen(path, "re");
	if (!f)
		return 0;
	if (fscanf(f, "%llu", &value) != 1)
		value = 0;
	fclose(f);
	return value;
}

/* The name in /dev of the kernel's own device for these bytes, or false. */
static bool find_kernel_partition(dev_t disk, const struct fb_probe_partition *part, char *path)
{
	char dir[64];
	struct dirent *de;
	bool found = false;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(disk), minor(disk));
	d = opendir(dir);
	while (d && !found && (de = readdir(d))) {
		if (de->d_name[0] == '.' || read_number(dir, de->d_name, "partition") != part->number)
			continue;
		found = read_number(dir, de->d_name, "start") * 512 == part->offset &&
			read_number(dir, de->d_name, "size") * 512 == part->size;
		if (found)
			snprintf(path, PATH_MAX, "/dev/%s", de->d_name);
	}
	if (d)
		closedir(d);
	return found && access(path, F_OK) == 0;
}

static int switch_to(struct fb_source *src, const char *path, struct fb_report *report)
{
	fb_source_close(src);
	snprintf(src->path, sizeof(src->path), "%s", path);
	src->offset = 0;
	src->size = 0;
	return open_and_measure(src, report);
}

static const struct fb_probe_partition *find_number(const struct fb_probe_result *r, uint64_t number)
{
	uint32_t i;

	for (i = 0; i < r->partition_count; i++)
		if (r->partitions[i].number == number)
			return &r->partitions[i];
	return NULL;
}

static int no_table(const struct fb_source *src, uint64_t number, const struct fb_probe_result *result,
		    struct fb_report *report)
{
	uint64_t offset = src->image_offset ? src->image_offset : src->offset;
	char found[1024];

	fb_probe_explain(result, src->name, found, sizeof(found));
	if (offset)
		return fb_fail(report, FB_EXIT_FAIL, -ENOENT,
			       "partition=%" PRIu64 " with offset=%" PRIu64 ": there is no partition table at that offset; leave out one of the two: %s",
			       number, offset, found);
	return fb_fail(report, FB_EXIT_FAIL, -ENOENT, "partition=%" PRIu64 ": no partition table found: %s",
		       number, found);
}

int fb_source_partition(struct fb_source *src, uint64_t number, struct fb_report *report)
{
	static struct fb_probe_result result;
	const struct fb_probe_partition *part;
	char path[PATH_MAX];
	int err;

	err = fb_probe(src->fd, src->offset, src->size, PARTITION_TIMEOUT_MS, &result);
	if (err)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, err, "%s: cannot be probed", src->name);
	part = find_number(&result, number);
	if (!part && result.partition_count)
		return fb_fail(report, FB_EXIT_FAIL, -ENOENT,
			       "%s: there is no partition %" PRIu64 "; \"fuseblk probe %s\" lists them", src->name,
			       number, src->name);
	if (!part)
		return no_table(src, number, &result, report);
	if (src->is_block && find_kernel_partition(src->rdev, part, path))
		return switch_to(src, path, report);
	src->offset = part->offset;
	src->size = part->size;
	if (!part->size)
		return fb_fail(report, FB_EXIT_FAIL, -EINVAL, "%s: partition %" PRIu64 " is empty", src->name, number);
	return check_range(src, report);
}
