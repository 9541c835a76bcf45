// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_attrs.c: operations of a trace on attributes.  Times near the present
 * are what some clock said and are written "now"; others were set by a line.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/msdos_fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

#include "fat_trace.h"

#define NEAR_NOW (3 * 366 * 86400ll)

void trace_time(int64_t seconds)
{
	int64_t apart = seconds - time(NULL);

	if (apart > -NEAR_NOW && apart < NEAR_NOW)
		printf(" now");
	else
		printf(" %lld", (long long)seconds);
}

void trace_attributes(const struct stat *st)
{
	printf(" [%o %u:%u links %lu size %lld]", st->st_mode, st->st_uid, st->st_gid, (unsigned long)st->st_nlink,
	       (long long)st->st_size);
}

void trace_stat(const char *path)
{
	struct stat st;

	if (lstat(path, &st))
		printf(" [%s]", strerrorname_np(errno));
	else
		trace_attributes(&st);
}

long trace_fat_attributes(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	__u32 value = 0;
	long result;

	if (fd < 0)
		return -errno;
	result = ioctl(fd, FAT_IOCTL_GET_ATTRIBUTES, &value) ? -errno : (long)value;
	close(fd);
	return result;
}

static void op_stat(const struct trace_words *w)
{
	trace_stat(w->word[1]);
}

static void op_truncate(const struct trace_words *w)
{
	trace_result(truncate(w->word[1], (off_t)trace_number(w->word[2])));
	trace_pin(-1, w->word[1]);
	trace_stat(w->word[1]);
}

static void op_chmod(const struct trace_words *w)
{
	trace_result(chmod(w->word[1], (mode_t)trace_number(w->word[2])));
	trace_stat(w->word[1]);
}

/* chown PATH UID GID: -1 leaves one alone */
static void op_chown(const struct trace_words *w)
{
	trace_result(lchown(w->word[1], (uid_t)trace_number(w->word[2]), (gid_t)trace_number(w->word[3])));
	trace_stat(w->word[1]);
}

/* utime PATH ATIME MTIME NANOSECONDS */
static void op_utime(const struct trace_words *w)
{
	long nsec = (long)trace_number(w->word[4]);
	struct timespec t[2] = { { trace_number(w->word[2]), nsec }, { trace_number(w->word[3]), nsec } };
	struct stat st;

	trace_result(utimensat(AT_FDCWD, w->word[1], t, AT_SYMLINK_NOFOLLOW));
	if (lstat(w->word[1], &st))
		return;
	trace_time(st.st_atim.tv_sec);
	trace_time(st.st_mtim.tv_sec);
	printf(" nsec %ld", st.st_mtim.tv_nsec);
}

/* utime-now PATH: by UTIME_NOW, which others than the owner may do */
static void op_utime_now(const struct trace_words *w)
{
	trace_result(utimensat(AT_FDCWD, w->word[1], NULL, 0));
}

static void op_times(const struct trace_words *w)
{
	struct statx x;
	long result = statx(AT_FDCWD, w->word[1], AT_SYMLINK_NOFOLLOW, STATX_BASIC_STATS | STATX_BTIME, &x);

	trace_result(result);
	if (result)
		return;
	trace_time(x.stx_atime.tv_sec);
	trace_time(x.stx_mtime.tv_sec);
	printf(".%09u", x.stx_mtime.tv_nsec);
	trace_time(x.stx_ctime.tv_sec);
	if (x.stx_mask & STATX_BTIME)
		trace_time(x.stx_btime.tv_sec);
	else
		printf(" no-btime");
}

static void op_attr(const struct trace_words *w)
{
	long value = trace_fat_attributes(w->word[1]);

	if (value < 0)
		printf(" = %s", strerrorname_np((int)-value));
	else
		printf(" = %lx", (unsigned long)value);
}

/* setattr PATH VALUE */
static void op_setattr(const struct trace_words *w)
{
	int fd = open(w->word[1], O_RDONLY | O_CLOEXEC);
	__u32 value = (__u32)trace_number(w->word[2]);

	/* what FUSE writes back later sets ARCH again */
	if (fd >= 0)
		fsync(fd);
	trace_result(fd < 0 ? -1 : ioctl(fd, FAT_IOCTL_SET_ATTRIBUTES, &value));
	if (fd >= 0)
		close(fd);
	trace_stat(w->word[1]);
}

void trace_sync(void)
{
	int fd = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0 || syncfs(fd))
		printf(" syncfs %s", strerrorname_np(errno));
	if (fd >= 0)
		close(fd);
}

static void op_statfs(const struct trace_words *w)
{
	struct statvfs v;

	/* what was closed is let go of in the background */
	trace_sync();
	usleep(100000);
	trace_result(statvfs(w->word[1], &v));
	printf(" bsize %lu frsize %lu blocks %llu free %llu avail %llu files %llu %llu namemax %lu", v.f_bsize, v.f_frsize,
	       (unsigned long long)v.f_blocks, (unsigned long long)v.f_bfree, (unsigned long long)v.f_bavail,
	       (unsigned long long)v.f_files, (unsigned long long)v.f_ffree, v.f_namemax);
}

static void op_volid(const struct trace_words *w)
{
	int fd = open(w->word[1], O_RDONLY | O_CLOEXEC);
	__u32 id = 0;

	trace_result(fd < 0 ? -1 : ioctl(fd, FAT_IOCTL_GET_VOLUME_ID, &id));
	printf(" %x", id);
	if (fd >= 0)
		close(fd);
}

/* xattr PATH NAME: get, set and list */
static void op_xattr(const struct trace_words *w)
{
	char buf[256];

	trace_result(lgetxattr(w->word[1], w->word[2], buf, sizeof(buf)));
	trace_result(lsetxattr(w->word[1], w->word[2], "x", 1, 0));
	trace_result(llistxattr(w->word[1], buf, sizeof(buf)));
}

/* ioctl PATH NUMBER: any, with room for its answer */
static void op_ioctl(const struct trace_words *w)
{
	static uint8_t room[65536];
	int fd = open(w->word[1], O_RDONLY | O_CLOEXEC);

	trace_result(fd < 0 ? -1 : ioctl(fd, (unsigned long)trace_number(w->word[2]), room));
	if (fd >= 0)
		close(fd);
}

/* access PATH MODE */
static void op_access(const struct trace_words *w)
{
	trace_result(faccessat(AT_FDCWD, w->word[1], (int)trace_number(w->word[2]), AT_EACCESS));
}

const struct trace_operation trace_attr_operations[] = {
	{ "stat", 2, op_stat },		  { "truncate", 3, op_truncate },   { "chmod", 3, op_chmod },
	{ "chown", 4, op_chown },	  { "utime", 5, op_utime },	    { "utime-now", 2, op_utime_now },
	{ "times", 2, op_times },	  { "attr", 2, op_attr },	    { "setattr", 3, op_setattr },
	{ "statfs", 2, op_statfs },	  { "volid", 2, op_volid },	    { "xattr", 3, op_xattr },
	{ "ioctl", 3, op_ioctl },	  { "access", 3, op_access },	    { NULL, 0, NULL },
};
