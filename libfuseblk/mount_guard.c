// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount_guard.c: the same bytes are mounted once.  Three claims, each where
 * the kernel would not do it: an exclusive open of the block device until
 * the kernel takes over; a lock on the bytes of an image's inode, held by the
 * driver's own descriptor for its life; and a look through the loop devices
 * for one in use whose bytes overlap ours.  What must be decided without
 * anyone in between is decided under one lock file.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "mount_internal.h"

#define LOCK_TRIES 600		/* of 100 ms */
#define ENDING_MS	2000	/* for a driver that was unmounted to end */
#define ENDING_TRIES	100
#define NESTING_MAX 8

/* Bytes of what lies at the bottom of loop devices and partitions. */
struct bytes {
	bool is_block;
	dev_t dev;		/* block: the device; file: its filesystem */
	ino_t ino;		/* file */
	uint64_t start, end;	/* end exclusive; UINT64_MAX: to wherever it ends */
};

/* ------------------------------------------------------------------ */
/* Who uses a device                                                   */
/* ------------------------------------------------------------------ */

static bool is_swap(dev_t dev)
{
	FILE *f = fopen("/proc/swaps", "re");
	char line[PATH_MAX + 64], path[PATH_MAX];
	struct stat st;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%4095s", path) == 1 && path[0] == '/' && stat(path, &st) == 0 &&
			S_ISBLK(st.st_mode) && st.st_rdev == dev;
	if (f)
		fclose(f);
	return found;
}

/* The name of the first device built on @dev (device mapper, RAID). */
static bool find_holder(dev_t dev, char *name, size_t size)
{
	char path[64];
	struct dirent *de;
	bool found = false;
	DIR *d;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/holders", major(dev), minor(dev));
	d = opendir(path);
	while (d && !found && (de = readdir(d))) {
		found = de->d_name[0] != '.';
		if (found)
			snprintf(name, size, "%s", de->d_name);
	}
	if (d)
		closedir(d);
	return found;
}

/* A mounted partition of the disk @dev. */
static bool find_mounted_partition(dev_t dev, struct fb_mountinfo *mi)
{
	char dir[64], path[PATH_MAX];
	struct dirent *de;
	struct stat st;
	bool found = false;
	DIR *d;

	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	d = opendir(dir);
	while (d && !found && (de = readdir(d))) {
		snprintf(path, sizeof(path), "%s/%s/partition", dir, de->d_name);
		if (de->d_name[0] == '.' || access(path, F_OK))
			continue;
		snprintf(path, sizeof(path), "/dev/%s", de->d_name);
		found = stat(path, &st) == 0 && fb_mountinfo_by_dev(st.st_rdev, mi) == 0;
	}
	if (d)
		closedir(d);
	return found;
}

void fb_guard_user(dev_t dev, char *text, size_t size)
{
	static struct fb_mountinfo mi;
	char name[256];

	if (fb_mountinfo_by_dev(dev, &mi) == 0)
		snprintf(text, size, "mounted on %.400s (%s); umount it first", mi.target, mi.type);
	else if (find_mounted_partition(dev, &mi))
		snprintf(text, size, "its partition %.60s is mounted on %.300s; umount it first", mi.source, mi.target);
	else if (is_swap(dev))
		snprintf(text, size, "in use as swap; swapoff it first");
	else if (find_holder(dev, name, sizeof(name)))
		snprintf(text, size, "in use by /dev/%s, which is built on it; mount that, or take it down first", name);
	else
		snprintf(text, size, "held exclusively by another program, or mounted in another namespace; see \"fuser -vm\"");
}

/* Does anyone hold it exclusively (a mount does)? */
static bool is_claimed(int fd)
{
	int again = fb_reopen(fd, O_RDONLY | O_EXCL | O_NONBLOCK);

	if (again < 0)
		return again == -EBUSY;
	close(again);
	return false;
}

/* ------------------------------------------------------------------ */
/* The lock file                                                       */
/* ------------------------------------------------------------------ */

static int take_lock(struct fb_guard *guard, struct fb_report *report)
{
	const struct timespec pause = { 0, 100 * 1000000 };
	int i;

	if (guard->lock_fd < 0)
		return 0;
	for (i = 0; i < LOCK_TRIES; i++) {
		if (flock(guard->lock_fd, LOCK_EX | LOCK_NB) == 0)
			return 0;
		if (errno != EWOULDBLOCK && errno != EINTR)
			break;
		nanosleep(&pause, NULL);
	}
	return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno,
			     FB_CONTROL_DIR "/lock: another mount has held it for a minute");
}

static void drop_lock(struct fb_guard *guard)
{
	if (guard->lock_fd >= 0)
		flock(guard->lock_fd, LOCK_UN);
}

/* Where /run cannot be written the kernel's own claims have to do. */
static void open_lock(struct fb_guard *guard)
{
	if (mkdir(FB_CONTROL_DIR, 0755) && errno != EEXIST)
		return;
	guard->lock_fd = open(FB_CONTROL_DIR "/lock", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
}

/* ------------------------------------------------------------------ */
/* Overlapping bytes                                                   */
/* ------------------------------------------------------------------ */

/* [start, end) of a part at @offset, of @length bytes (0: all), of what lies above. */
static void shift(struct bytes *b, uint64_t offset, uint64_t length)
{
	uint64_t limit = length ? offset + length : UINT64_MAX;

	b->start += offset;
	b->end = b->end == UINT64_MAX ? limit : b->end + offset;
	if (b->end > limit)
		b->end = limit;
}

/* One step down from a loop device. Returns false if it is none. */
static bool step_loop(struct bytes *b, int fd)
{
	struct fb_loop_info info;

	if (fb_loop_info(fd, &info))
		return false;
	shift(b, info.offset, info.sizelimit);
	b->is_block = info.rdev != 0;
	b->dev = info.rdev ? info.rdev : info.dev;
	b->ino = info.ino;
	return true;
}

/* One step from a partition to its disk. */
static bool step_partition(struct bytes *b)
{
	unsigned long long start = 0, length = 0;
	char path[96];
	unsigned maj, min;
	FILE *f;

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/start", major(b->dev), minor(b->dev));
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%llu", &start) != 1)
		start = 0;
	fclose(f);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(b->dev), minor(b->dev));
	f = fopen(path, "re");
	if (f && fscanf(f, "%llu", &length) != 1)
		length = 0;
	if (f)
		fclose(f);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/../dev", major(b->dev), minor(b->dev));
	f = fopen(path, "re");
	if (!f)
		return false;
	if (fscanf(f, "%u:%u", &maj, &min) != 2)
		maj = min = 0;
	fclose(f);
	if (!maj)
		return false;
	shift(b, start * 512, length * 512);
	b->dev = makedev(maj, min);
	return true;
}

/* Down to a file, or to a device that is neither loop device nor partition. */
static void descend(struct bytes *b)
{
	char path[PATH_MAX];
	int i, fd;
	bool more = true;

	for (i = 0; i < NESTING_MAX && more && b->is_block; i++) {
		/* First: a partition of a loop device answers as the whole. */
		if (step_partition(b))
			continue;
		fd = fb_open_device(b->dev, O_RDONLY, path, sizeof(path));
		more = fd >= 0 && step_loop(b, fd);
		if (fd >= 0)
			close(fd);
	}
}

static bool overlaps(const struct bytes *a, const struct bytes *b)
{
	if (a->is_block != b->is_block || a->dev != b->dev || (!a->is_block && a->ino != b->ino))
		return false;
	return a->start < b->end && b->start < a->end;
}

static void source_bytes(const struct fb_source *src, struct bytes *b)
{
	b->is_block = src->is_block;
	b->dev = src->is_block ? src->rdev : src->dev;
	b->ino = src->ino;
	b->start = src->offset;
	b->end = src->size ? src->offset + src->size : UINT64_MAX;
	descend(b);
}

/* What the look through devices is for: who uses @ours, leaving out the source and our own loop device. */
struct search {
	const struct fb_source *src;
	struct bytes ours;
	dev_t except;
	char path[PATH_MAX];	/* the device found in use */
	dev_t found;
};

static bool is_left_out(const struct search *s, dev_t dev)
{
	return dev == s->except || (s->src->is_block && dev == s->src->rdev);
}

static bool device_overlaps(const struct search *s, dev_t dev)
{
	struct bytes b = { .is_block = true, .dev = dev, .start = 0, .end = UINT64_MAX };

	descend(&b);
	return overlaps(&b, &s->ours);
}

/* One entry of a disk's directory in sysfs; those that are no partition are passed over. */
static bool is_partition_in_use(struct search *s, const char *dir, const char *name, bool *is_part)
{
	char attribute[PATH_MAX], path[PATH_MAX];
	struct stat st;
	bool used;
	int fd;

	snprintf(attribute, sizeof(attribute), "%s/%s/partition", dir, name);
	snprintf(path, sizeof(path), "/dev/%s", name);
	if (name[0] == '.' || access(attribute, F_OK) || stat(path, &st) || !S_ISBLK(st.st_mode))
		return false;
	*is_part = true;
	if (is_left_out(s, st.st_rdev) || !device_overlaps(s, st.st_rdev))
		return false;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	used = fd >= 0 && is_claimed(fd);
	if (fd >= 0)
		close(fd);
	if (used) {
		snprintf(s->path, sizeof(s->path), "%s", path);
		s->found = st.st_rdev;
	}
	return used;
}

/*
 * A device that someone holds counts as in use as a whole, unless it is held
 * only because its partitions are, and those lie elsewhere.
 */
static bool is_in_use(struct search *s, dev_t dev, const char *path, int fd)
{
	static struct fb_mountinfo mi;
	char dir[64], holder[256];
	bool used = false, has_parts = false;
	struct dirent *de;
	DIR *d;

	if (!is_claimed(fd))
		return false;
	snprintf(s->path, sizeof(s->path), "%s", path);
	s->found = dev;
	if (fb_mountinfo_by_dev(dev, &mi) == 0 || is_swap(dev) ||
	    find_holder(dev, holder, sizeof(holder)))
		return true;
	snprintf(dir, sizeof(dir), "/sys/dev/block/%u:%u", major(dev), minor(dev));
	d = opendir(dir);
	while (d && !used && (de = readdir(d)))
		used = is_partition_in_use(s, dir, de->d_name, &has_parts);
	if (d)
		closedir(d);
	return used || !has_parts;
}

static int report_use(const struct search *s, struct fb_report *report)
{
	static struct fb_loop_info info;
	char user[512], path[PATH_MAX];
	int fd = fb_open_device(s->found, O_RDONLY, path, sizeof(path));

	if (fd < 0 || fb_loop_info(fd, &info))
		info.backing[0] = '\0';
	if (fd >= 0)
		close(fd);
	fb_guard_user(s->found, user, sizeof(user));
	return fb_fail(report, FB_EXIT_FAIL, -EBUSY, "%s: busy: the same bytes are in use through %s%s%.400s%s, %s",
		       s->src->name, s->path, info.backing[0] ? " (" : "", info.backing,
		       info.backing[0] ? ")" : "", user);
}

/* The loop devices over bytes of ours. */
static int check_loops(struct search *s, struct fb_report *report)
{
	struct fb_loop loop;
	int number = -1;
	bool busy;

	while (fb_loop_next(&number, &loop) == 0) {
		busy = !is_left_out(s, loop.rdev) && device_overlaps(s, loop.rdev) &&
		       is_in_use(s, loop.rdev, loop.path, loop.fd);
		fb_loop_close(&loop);
		if (busy)
			return report_use(s, report);
	}
	return 0;
}

/* A part of a disk, whose other parts may well be in use. */
static int check_disk(struct search *s, struct fb_report *report)
{
	if (is_in_use(s, s->src->rdev, s->src->path, s->src->fd))
		return report_use(s, report);
	return 0;
}

/* ------------------------------------------------------------------ */
/* Locks on an image's bytes                                           */
/* ------------------------------------------------------------------ */

static bool is_lock_missing(int err)
{
	return err == ENOLCK || err == EOPNOTSUPP || err == EINVAL || err == ENOSYS;
}

static bool is_locked_by_other(int fd, uint64_t offset, uint64_t size)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = (off_t)offset, .l_len = (off_t)size };

	return fcntl(fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

int fb_guard_lock_bytes(int fd, uint64_t offset, uint64_t size, bool read_only)
{
	struct flock lock = { .l_type = read_only ? F_RDLCK : F_WRLCK, .l_whence = SEEK_SET,
			      .l_start = (off_t)offset, .l_len = (off_t)size };

	/* Read locks do not exclude each other: ask first. */
	if (is_locked_by_other(fd, offset, size))
		return -EBUSY;
	if (fcntl(fd, F_OFD_SETLK, &lock) == 0 || is_lock_missing(errno))
		return 0;
	return errno == EAGAIN || errno == EACCES ? -EBUSY : -errno;
}

/* A loop device over a file that a mount of the file itself has locked. */
static bool is_backing_locked(const struct fb_source *src, const struct bytes *ours)
{
	struct fb_loop_info info;
	struct stat st;
	bool locked = false;
	int fd;

	if (ours->is_block || fb_loop_info(src->fd, &info))
		return false;
	fd = open(info.backing, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_dev == ours->dev && st.st_ino == ours->ino)
		locked = is_locked_by_other(fd, ours->start,
					    ours->end == UINT64_MAX ? 0 : ours->end - ours->start);
	close(fd);
	return locked;
}

/* ------------------------------------------------------------------ */
/* The guard                                                           */
/* ------------------------------------------------------------------ */

static int claim_block(struct fb_guard *guard, struct search *s, struct fb_report *report)
{
	const struct fb_source *src = s->src;
	char user[512];

	if (is_backing_locked(src, &s->ours))
		return fb_fail(report, FB_EXIT_FAIL, -EBUSY,
			       "%s: busy: its backing file is mounted already; see findmnt(8)", src->name);
	if (fb_source_needs_loop(src))
		return check_disk(s, report);
	guard->excl_fd = fb_reopen(src->fd, O_RDONLY | O_EXCL);
	if (guard->excl_fd >= 0)
		return 0;
	if (guard->excl_fd != -EBUSY)
		return fb_fail_errno(report, FB_EXIT_FAIL, guard->excl_fd, "%s: cannot be claimed", src->name);
	fb_guard_user(src->rdev, user, sizeof(user));
	return fb_fail(report, FB_EXIT_FAIL, -EBUSY, "%s: busy: %s", src->name, user);
}

/*
 * umount(8) of a mount of type fuse returns before its driver has ended: an
 * image that is locked and not mounted may be free in a moment.
 * Returns 0, -EBUSY (@mi: where it is mounted, or empty), or another error of locking.
 */
static int lock_ending(const struct fb_source *src, struct fb_mountinfo *mi)
{
	const struct timespec pause = { 0, ENDING_MS / ENDING_TRIES * 1000000 };
	int err = -EBUSY;

	for (int i = 0; i < ENDING_TRIES && err == -EBUSY; i++) {
		if (i)
			nanosleep(&pause, NULL);
		err = fb_guard_lock_bytes(src->fd, src->offset, src->size, src->read_only);
		if (err == -EBUSY && fb_mountinfo_by_source(src->path, mi) == 0)
			return err;
	}
	mi->target[0] = '\0';
	return err;
}

static int claim_file(const struct fb_source *src, struct fb_report *report)
{
	static struct fb_mountinfo mi;
	int err = lock_ending(src, &mi);

	if (err == -EBUSY && mi.target[0])
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: busy: mounted on %.400s (%s); umount it first",
			       src->name, mi.target, mi.type);
	if (err == -EBUSY)
		return fb_fail(report, FB_EXIT_FAIL, err,
			       "%s: busy: the image is mounted already or locked by another program; see findmnt(8) and lslocks(8)",
			       src->name);
	if (err)
		return fb_fail_errno(report, FB_EXIT_FAIL, err, "%s: cannot be locked", src->name);
	return 0;
}

int fb_guard_take(struct fb_guard *guard, const struct fb_source *src, struct fb_report *report)
{
	struct search s = { .src = src };
	int err;

	open_lock(guard);
	err = take_lock(guard, report);
	if (err)
		return err;
	source_bytes(src, &s.ours);
	err = check_loops(&s, report);
	if (!err)
		err = src->is_block ? claim_block(guard, &s, report) : claim_file(src, report);
	drop_lock(guard);
	return err;
}

int fb_guard_hand_over(struct fb_guard *guard, const struct fb_source *src, dev_t mount_dev,
		       struct fb_report *report)
{
	struct search s = { .src = src, .except = mount_dev };
	int err = take_lock(guard, report);

	if (err)
		return err;
	source_bytes(src, &s.ours);
	err = check_loops(&s, report);
	if (guard->excl_fd >= 0)
		close(guard->excl_fd);
	guard->excl_fd = -1;
	return err;
}

void fb_guard_close(struct fb_guard *guard)
{
	if (guard->excl_fd >= 0)
		close(guard->excl_fd);
	if (guard->lock_fd >= 0)
		close(guard->lock_fd);
	guard->excl_fd = guard->lock_fd = -1;
}
