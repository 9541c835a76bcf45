// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount_status.c: what the driver of a mount says of itself.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "mount_internal.h"

/* The loop device that is mounted over an image. */
static int find_image_mount(const struct stat *st, dev_t *dev)
{
	static struct fb_mountinfo mi;
	static struct fb_loop_info info;
	struct fb_loop loop;
	int number = -1;

	while (fb_loop_next(&number, &loop) == 0) {
		bool same = fb_loop_info(loop.fd, &info) == 0 && info.dev == st->st_dev &&
			    info.ino == st->st_ino;

		fb_loop_close(&loop);
		if (same && fb_mountinfo_by_dev(loop.rdev, &mi) == 0) {
			*dev = loop.rdev;
			return 0;
		}
	}
	return -ENOENT;
}

/* A directory is looked at without asking its filesystem. */
static int find_directory_mount(const char *where, int fd, dev_t *dev, struct fb_report *report)
{
	static struct fb_mountinfo mi;
	char path[sizeof(FB_CONTROL_DIR) + 32];
	unsigned id;
	bool root;
	int err;

	err = fb_fd_mount(fd, dev, &id, &root);
	if (!err)
		err = id ? fb_mountinfo_by_id(id, &mi) : fb_mountinfo_by_dev(*dev, &mi);
	if (err)
		return fb_fail_errno(report, FB_EXIT_FAIL, err, "%s", where);
	fb_control_path(major(*dev), minor(*dev), path, sizeof(path));
	if (strncmp(mi.type, "fuseblk", 7) == 0 || (strncmp(mi.type, "fuse", 4) == 0 && access(path, F_OK) == 0))
		return 0;
	return fb_fail(report, FB_EXIT_FAIL, -EINVAL,
		       "%s: it is on %s, mounted as %s, not through fuseblk; \"findmnt -t fuseblk\" lists mounts that are",
		       where, mi.target, mi.type);
}

/* A mount over an image: of its loop device, or of the image itself, as one of a gzip image is. */
static int find_mount_of_file(const char *path, const struct stat *st, dev_t *dev)
{
	static struct fb_mountinfo mi;

	if (find_image_mount(st, dev) == 0)
		return 0;
	if (fb_mountinfo_by_source(path, &mi) || strncmp(mi.type, "fuse", 4) != 0)
		return -ENOENT;
	*dev = mi.dev;
	return 0;
}

static int find_dev(const char *where, dev_t *dev, struct fb_report *report)
{
	static char path[PATH_MAX];
	struct stat st;
	int fd, err;

	fd = open(where, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd >= 0) {
		err = find_directory_mount(where, fd, dev, report);
		close(fd);
		return err;
	}
	err = fb_source_path(where, path, report);
	if (err)
		return err;
	if (stat(path, &st))
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s", where);
	if (S_ISBLK(st.st_mode)) {
		*dev = st.st_rdev;
		return 0;
	}
	if (find_mount_of_file(path, &st, dev) == 0)
		return 0;
	return fb_fail(report, FB_EXIT_FAIL, -ENOENT,
		       "%s: no mount of it was found; name the directory it is mounted on", where);
}

int fb_mount_status(const char *where, char *text, size_t size)
{
	static struct fb_control_answer answer;
	const struct fb_control_request request = { .magic = FB_START_MAGIC, .verb = FB_CONTROL_STATUS };
	struct fb_report report = { .status = 0 };
	dev_t dev;
	int err;

	err = find_dev(where, &dev, &report);
	if (!err)
		err = fb_control_call(dev, &request, -1, &answer, &report);
	snprintf(text, size, "%s", err ? report.text : answer.text);
	return err;
}
