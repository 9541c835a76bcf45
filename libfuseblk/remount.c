// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * remount.c: mount -o remount, agreed with the driver: it is asked before
 * the kernel changes anything, and told after.  To become read-only: may it?,
 * the kernel, it has.  To become writable: the driver gets a fresh
 * descriptor and marks the volume in use, then the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "mount_internal.h"

#define ANSWER_SECONDS 120
#define CANDIDATES_MAX 2

/* ------------------------------------------------------------------ */
/* The control socket                                                  */
/* ------------------------------------------------------------------ */

static int connect_control(dev_t dev, struct fb_report *report)
{
	const struct timeval patience = { ANSWER_SECONDS, 0 };
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0);
	int err;

	if (fd < 0)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "no socket");
	fb_control_path(major(dev), minor(dev), addr.sun_path, sizeof(addr.sun_path));
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof(patience));
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)) == 0)
		return fd;
	err = -errno;
	close(fd);
	return fb_fail_errno(report, FB_EXIT_FAIL, err,
			     "%s: the mount's driver cannot be reached; has it ended? umount and mount again",
			     addr.sun_path);
}

int fb_control_call(dev_t dev, const struct fb_control_request *request, int fd,
		    struct fb_control_answer *answer, struct fb_report *report)
{
	int sock = connect_control(dev, report);
	int err;

	if (sock < 0)
		return sock;
	err = fb_start_send(sock, request, sizeof(*request), &fd, fd >= 0 ? 1 : 0);
	if (!err)
		err = fb_start_recv(sock, answer, sizeof(*answer), NULL, 0, NULL);
	close(sock);
	if (err == -EAGAIN)
		return fb_fail(report, FB_EXIT_FAIL, err, "the mount's driver did not answer within %d s", ANSWER_SECONDS);
	if (err || answer->magic != FB_START_MAGIC)
		return fb_fail_errno(report, FB_EXIT_FAIL, err ? err : -EPROTO, "the mount's driver gave no answer");
	answer->text[sizeof(answer->text) - 1] = '\0';
	if (answer->error)
		return fb_fail(report, answer->error == -FB_BAD_OPTIONS ? FB_EXIT_USAGE : FB_EXIT_FAIL,
			       answer->error < 0 ? answer->error : -EPROTO, "%.1000s",
			       answer->text[0] ? answer->text : strerror(answer->error < 0 ? -answer->error : EPROTO));
	return 0;
}

static int call(dev_t dev, uint32_t verb, const char *options, int fd, struct fb_report *report)
{
	static struct fb_control_answer answer;
	struct fb_control_request request = { .magic = FB_START_MAGIC, .verb = verb };

	if ((size_t)snprintf(request.options, sizeof(request.options), "%s", options) >= sizeof(request.options))
		return fb_fail(report, FB_EXIT_USAGE, -E2BIG, "the options are too long");
	return fb_control_call(dev, &request, fd, &answer, report);
}

/* ------------------------------------------------------------------ */
/* The mount                                                           */
/* ------------------------------------------------------------------ */

struct remount {
	const char *target;
	int target_fd;		/* O_PATH, its root */
	struct fb_mountinfo mi;
	unsigned long flags;	/* MS_*, as they shall be */
	char options[4096];	/* for the driver */
};

static int find_mount(struct remount *r, struct fb_report *report)
{
	unsigned id;
	bool is_root;
	dev_t dev;
	int err;

	r->target_fd = open(r->target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (r->target_fd < 0)
		return fb_fail_errno(report, FB_EXIT_FAIL, -errno, "%s", r->target);
	err = fb_fd_mount(r->target_fd, &dev, &id, &is_root);
	if (!err)
		err = id ? fb_mountinfo_by_id(id, &r->mi) : fb_mountinfo_by_dev(dev, &r->mi);
	if (err || !is_root)
		return fb_fail(report, FB_EXIT_FAIL, -EINVAL, "%s: it is not a mount point", r->target);
	if (strncmp(r->mi.type, "fuse", 4) != 0)
		return fb_fail(report, FB_EXIT_FAIL, -EINVAL, "%s: it is mounted as %s, not through fuseblk",
			       r->target, r->mi.type);
	return 0;
}

/* The mount's flags as they are, with those that were named changed. */
static int merge_flags(struct remount *r, const struct fb_mount_options *o, struct fb_report *report)
{
	static struct fb_mount_options now;
	int err;

	memset(&now, 0, sizeof(now));
	err = fb_mount_options_add(&now, r->mi.options, report);
	if (!err)
		err = fb_mount_options_add(&now, r->mi.super_read_only ? "ro" : "rw", report);
	r->flags = (now.flags & ~o->named) | (o->flags & o->named);
	return err;
}

/* The driver is told all of its flags: those not told are off. */
static int driver_options(struct remount *r, const struct fb_mount_options *o, struct fb_report *report)
{
	static struct fb_mount_options all;

	all = *o;
	all.flags = r->flags;
	if (fb_mount_options_driver(&all, r->options, sizeof(r->options)) == 0)
		return 0;
	return fb_fail(report, FB_EXIT_USAGE, -E2BIG, "the options are too long");
}

static int kernel_remount(struct remount *r, struct fb_report *report)
{
	char path[64];
	int err;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", r->target_fd);
	if (mount(NULL, path, NULL, MS_REMOUNT | r->flags, NULL) == 0)
		return 0;
	err = -errno;
	if (err == -EBUSY)
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: files are open for writing; see \"fuser -vm %s\"",
			       r->target, r->target);
	if (err == -EACCES)
		return fb_fail(report, FB_EXIT_FAIL, err, "%s: %s is write-protected", r->target, r->mi.source);
	return fb_fail_errno(report, FB_EXIT_FAIL, err, "%s: the kernel refuses to remount it", r->target);
}

/* ------------------------------------------------------------------ */
/* Becoming writable                                                   */
/* ------------------------------------------------------------------ */

/*
 * What the driver may have open: the file behind the loop device, or the
 * device.  It takes a descriptor only of what it has (compared by inode).
 */
static int list_candidates(dev_t dev, const char *source, char paths[][PATH_MAX])
{
	static struct fb_loop_info info;
	char path[PATH_MAX];
	struct stat st;
	int fd, n = 0;

	if (major(dev) == 0) {
		snprintf(paths[0], PATH_MAX, "%s", source);
		return 1;
	}
	fd = fb_open_device(dev, O_RDONLY, path, sizeof(path));
	if (fd < 0)
		return 0;
	if (fb_loop_info(fd, &info) == 0 && stat(info.backing, &st) == 0 &&
	    st.st_dev == info.dev && st.st_ino == info.ino)
		snprintf(paths[n++], PATH_MAX, "%s", info.backing);
	snprintf(paths[n++], PATH_MAX, "%s", path);
	close(fd);
	return n;
}

static bool is_write_protected(int fd)
{
	int read_only = 0;

	return ioctl(fd, BLKROGET, &read_only) == 0 && read_only;
}

static int open_writable(const char *path, struct fb_report *report)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fb_fail(report, FB_EXIT_FAIL, -errno, "%s: cannot be opened for writing: %s", path,
			       strerror(errno));
	if (!is_write_protected(fd))
		return fd;
	close(fd);
	return fb_fail(report, FB_EXIT_FAIL, -EROFS, "%s: it is write-protected", path);
}

/* The lock on an image's bytes follows the descriptor that the driver now uses. */
static void lock_again(const struct remount *r, int fd)
{
	static struct fb_loop_info info;
	char path[PATH_MAX];
	struct stat st;
	int loop;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode))
		return;
	loop = fb_open_device(r->mi.dev, O_RDONLY, path, sizeof(path));
	if (loop < 0 || fb_loop_info(loop, &info))
		memset(&info, 0, sizeof(info));
	fb_guard_lock_bytes(fd, info.offset, info.sizelimit, false);
	if (loop >= 0)
		close(loop);
}

static int offer(struct remount *r, const char *path, struct fb_report *report)
{
	int fd = open_writable(path, report);
	int err;

	if (fd < 0)
		return fd;
	err = call(r->mi.dev, FB_CONTROL_REMOUNT_RW, r->options, fd, report);
	if (!err)
		lock_again(r, fd);
	close(fd);
	return err;
}

/* The first reason is told: it is of the likeliest candidate. */
static int ask_writable(struct remount *r, struct fb_report *report)
{
	static char paths[CANDIDATES_MAX][PATH_MAX];
	struct fb_report last;
	int i, n, err = -ENODEV;

	n = list_candidates(r->mi.dev, r->mi.source, paths);
	for (i = 0; i < n && err; i++) {
		memset(&last, 0, sizeof(last));
		err = offer(r, paths[i], &last);
		if (err && !report->status)
			*report = last;
		/* EINVAL: not what the driver has; anything else is its last word. */
		if (err && err != -EINVAL) {
			*report = last;
			break;
		}
	}
	if (!err)
		memset(report, 0, sizeof(*report));
	else
		fb_fail(report, FB_EXIT_FAIL, err, "%s: the device or image behind it is not to be found", r->target);
	return err;
}

static int become_writable(struct remount *r, struct fb_report *report)
{
	struct fb_report ignored = { .status = 0 };
	char path[PATH_MAX];
	int fd, err;

	fd = fb_open_device(r->mi.dev, O_RDONLY, path, sizeof(path));
	if (fd >= 0) {
		bool protected = is_write_protected(fd);

		close(fd);
		if (protected)
			return fb_fail(report, FB_EXIT_FAIL, -EROFS, "%s: %s is write-protected", r->target, path);
	}
	err = ask_writable(r, report);
	if (err)
		return err;
	err = kernel_remount(r, report);
	if (err)
		call(r->mi.dev, FB_CONTROL_REMOUNT_RO, "", -1, &ignored);
	return err;
}

static int become_read_only(struct remount *r, struct fb_report *report)
{
	int err = call(r->mi.dev, FB_CONTROL_REMOUNT_RO_PREPARE, r->options, -1, report);

	if (!err)
		err = kernel_remount(r, report);
	if (!err)
		err = call(r->mi.dev, FB_CONTROL_REMOUNT_RO, r->options, -1, report);
	return err;
}

/*
 * The kernel's mount stays what it is.  A driver that became read-only on
 * its own, after an error, has use for a writable descriptor.
 */
static int stay(struct remount *r, struct fb_report *report)
{
	bool ro = r->flags & MS_RDONLY;
	struct fb_report first = { .status = 0 };
	int err;

	err = call(r->mi.dev, ro ? FB_CONTROL_REMOUNT_RO : FB_CONTROL_REMOUNT_RW, r->options, -1, &first);
	if (err == -EINVAL && !ro)
		err = ask_writable(r, report);
	else if (err)
		*report = first;
	return err ? err : kernel_remount(r, report);
}

int fb_remount(const struct fb_mount_args *args, const struct fb_mount_options *o,
	       struct fb_report *report)
{
	static struct remount r;
	bool ro;
	int err;

	memset(&r, 0, sizeof(r));
	r.target = args->target;
	err = find_mount(&r, report);
	if (!err)
		err = merge_flags(&r, o, report);
	if (!err)
		err = driver_options(&r, o, report);
	if (!err && !args->fake) {
		ro = r.flags & MS_RDONLY;
		if (ro == r.mi.super_read_only)
			err = stay(&r, report);
		else
			err = ro ? become_read_only(&r, report) : become_writable(&r, report);
	}
	if (r.target_fd >= 0)
		close(r.target_fd);
	return err;
}
