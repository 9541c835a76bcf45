// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fusectl.c: the control filesystem: a directory for each connection, what its files
 * say and take, and how long they are there.
 */
#include <dirent.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include "around.h"

#define FILES 4
static const struct {
	const char *name;
	mode_t mode;
} files[FILES] = {
	{ "waiting", 0400 }, { "abort", 0200 }, { "max_background", 0600 }, { "congestion_threshold", 0600 },
};

/* In static memory, four at a time. */
static const char *ctl_path(const struct kd *kd, const char *file)
{
	static char path[4][256];
	static unsigned int next;
	char *out = path[next++ % 4];

	snprintf(out, sizeof(path[0]), "%s/%u%s%s", case_ctl_dir, kd->conn, *file ? "/" : "", file);
	return out;
}

static int ctl_open(const struct kd *kd, const char *file, int flags)
{
	int fd = open(ctl_path(kd, file), flags | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

static void check_owner_and_mode(const char *path, mode_t mode, uid_t uid, gid_t gid)
{
	struct stat st;

	CHECK_EQ(stat(path, &st), 0);
	CHECK_EQ(st.st_mode, mode);
	CHECK_EQ(st.st_uid, uid);
	CHECK_EQ(st.st_gid, gid);
}

static void files_and_modes(void)
{
	struct kd *kd = kd_new(.user_id = 1234, .group_id = 5678);
	unsigned int seen = 0;
	struct dirent *entry;
	DIR *dir;

	check_owner_and_mode(ctl_path(kd, ""), S_IFDIR | 0500, 1234, 5678);
	for (size_t i = 0; i < FILES; i++)
		check_owner_and_mode(ctl_path(kd, files[i].name), S_IFREG | files[i].mode, 1234, 5678);
	dir = opendir(ctl_path(kd, ""));
	CHECK(dir);
	while ((entry = readdir(dir)))
		if (entry->d_name[0] != '.')
			for (size_t i = 0; i < FILES; i++)
				seen += strcmp(entry->d_name, files[i].name) == 0;
	CHECK_EQ(seen, FILES);
	closedir(dir);
}

static void named_by_the_device_number(void)
{
	struct kd *kd = kd_new(), *blk = kd_new(.type = "fuseblk");
	struct stat st, disk;

	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_dev, makedev(0, kd->conn));
	kd_finish(kd_call_stat(blk, "", &st), 0);
	CHECK_EQ(fstat(blk->disk_fd, &disk), 0);
	CHECK_EQ(st.st_dev, disk.st_rdev);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(kd_ctl_read(blk, "waiting"), 0);
}

static void only_the_owner(void)
{
	struct kd *kd = kd_new(.user_id = 1234, .group_id = 5678);
	long waiting = (long)ctl_path(kd, "waiting"), abort_file = (long)ctl_path(kd, "abort");

	kd_as(kd, 1235, 5678);
	kd_finish(kd_sys(kd, SYS_openat, AT_FDCWD, waiting, O_RDONLY), -EACCES);
	kd_finish(kd_sys(kd, SYS_openat, AT_FDCWD, abort_file, O_WRONLY), -EACCES);
	kd_as(kd, 1234, 1);
	CHECK(kd_wait(kd_sys(kd, SYS_openat, AT_FDCWD, waiting, O_RDONLY)) >= 0);
	kd_finish(kd_sys(kd, SYS_openat, AT_FDCWD, waiting, O_WRONLY), -EACCES);
	CHECK(kd_wait(kd_sys(kd, SYS_openat, AT_FDCWD, abort_file, O_WRONLY)) >= 0);
	kd_finish(kd_sys(kd, SYS_openat, AT_FDCWD, abort_file, O_RDONLY), -EACCES);
}

static void waiting_counts_every_state(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_req *lookup;
	struct kd_call *a, *b;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	a = around_unread(kd, "a");
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	lookup = kd_expect(kd, FUSE_LOOKUP, 1);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	b = around_unread(kd, "b");
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 2);
	kd_reply_error(lookup, -ENOENT);
	CHECK_EQ(around_result(kd, a), -ENOENT);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(b, -ENOENT);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

/* Held ones, and who waits for room or for INIT. */
static void waiting_counts_the_held(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_req *release[2];
	struct kd_call *c;
	int fd, fd2;

	kd_manual(kd, FUSE_RELEASE);
	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	fd2 = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_close(kd, fd);
	release[0] = kd_expect(kd, FUSE_RELEASE, 2);
	kd_finish(c, 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_finish(kd_call_close(kd, fd2), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 2);
	kd_reply_error(release[0], 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	release[1] = kd_expect(kd, FUSE_RELEASE, 2);
	kd_reply_error(release[1], -EIO);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void waiting_counts_who_waits_for_init(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c;

	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	c = kd_call_stat(kd, "f", NULL);
	kd_check_blocked(c);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 2);
	kd_init(kd);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

/* FORGETs, INTERRUPTs and what is cached are none. */
static void waiting_does_not_count_forgets(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(mount("none", kd->mnt, "none", MS_REMOUNT, NULL), 0);
	around_wait_unread(kd);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	c = kd_call_stat(kd, "g", NULL);
	kd_expect(kd, FUSE_LOOKUP, 1);
	kd_signal(c, SIGUSR1);
	around_wait_unread(kd);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
}

static void limits_are_read_and_written(void)
{
	struct kd *kd = kd_new(.max_background = 12, .congestion_threshold = 9);

	CHECK_EQ(kd_ctl_read(kd, "max_background"), 12);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 9);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "5"), 0);
	CHECK_EQ(kd_ctl_write(kd, "congestion_threshold", "20\n"), 0);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 5);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 20);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "0x10"), 0);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 16);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "65535"), 0);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 65535);
	CHECK_EQ(kd_ctl_write(kd, "congestion_threshold", "0"), 0);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 0);
}

static void wrong_limits(void)
{
	static const struct {
		const char *text;
		int error;
	} wrong[] = {
		{ "65536", -EINVAL }, { "-1", -EINVAL }, { "x", -EINVAL }, { "", -EINVAL }, { "5 6", -EINVAL }, { "5x", -EINVAL },
		{ "\n", -EINVAL }, { "99999999999999999999999999", -ERANGE },
	};
	struct kd *kd = kd_new(.max_background = 12, .congestion_threshold = 9);

	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		CHECK_EQ(kd_ctl_write(kd, "max_background", wrong[i].text), wrong[i].error);
		CHECK_EQ(kd_ctl_write(kd, "congestion_threshold", wrong[i].text), wrong[i].error);
	}
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 12);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 9);
}

static void many_numbers_per_open(void)
{
	struct kd *kd = kd_new();
	int fd = ctl_open(kd, "max_background", O_RDWR);
	char text[8];

	CHECK_EQ(write(fd, "5", 1), 1);
	CHECK_EQ(write(fd, "6", 1), 1);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 6);
	/* but only at the beginning of the file */
	CHECK_EQ(read(fd, text, sizeof(text)), 2);
	CHECK_EQ(write(fd, "7", 1), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 6);
	close(fd);
}

static void read_in_parts(void)
{
	struct kd *kd = kd_new(.max_background = 123);
	int fd = ctl_open(kd, "max_background", O_RDONLY);
	char text[8] = "";

	CHECK_EQ(read(fd, text, 1), 1);
	CHECK_EQ(read(fd, text + 1, 6), 3);
	CHECK_STR(text, "123\n");
	CHECK_EQ(read(fd, text, 6), 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), -1);
	CHECK_EQ(errno, ESPIPE);
	close(fd);
}

/* Whatever is written. */
static void any_write_aborts(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_ctl_write(kd, "abort", "0\n"), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
}

static void nothing_can_be_made_there(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(mkdir(ctl_path(kd, "new"), 0755), -1);
	CHECK(errno == EPERM || errno == EACCES || errno == ENOENT);
	CHECK_EQ(open(ctl_path(kd, "new"), O_CREAT | O_RDWR, 0644), -1);
	CHECK(errno == EACCES || errno == EPERM);
	CHECK_EQ(unlink(ctl_path(kd, "abort")), -1);
	CHECK_EQ(errno, EPERM);
	CHECK_EQ(rmdir(ctl_path(kd, "")), -1);
	CHECK_EQ(errno, EPERM);
}

static void gone_after_umount(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(access(ctl_path(kd, ""), F_OK), 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(access(ctl_path(kd, ""), F_OK), -1);
	CHECK_EQ(errno, ENOENT);
	/* Although the daemon is still there. */
	CHECK_EQ(kd_ctl_read(kd, "waiting"), -ENOENT);
}

static void stays_after_the_daemon(void)
{
	struct kd *kd = kd_new();

	kd_die(kd);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	CHECK_EQ(umount(kd->mnt), 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), -ENOENT);
}

static void stays_for_a_lazy_umount(void)
{
	struct kd *kd = kd_new();
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	CHECK_EQ(kd_umount(kd, MNT_DETACH), 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	kd_finish(kd_call_close(kd, fd), 0);
	for (int i = 0; i < 100 && kd_ctl_read(kd, "waiting") >= 0; i++) {
		kd_next(kd, 10);
		usleep(10000);
	}
	CHECK_EQ(kd_ctl_read(kd, "waiting"), -ENOENT);
}

static void open_files_outlive_the_mount(void)
{
	struct kd *kd = kd_new();
	int fds[FILES];
	char text[16];

	for (size_t i = 0; i < FILES; i++)
		fds[i] = ctl_open(kd, files[i].name, files[i].mode == 0400 ? O_RDONLY : files[i].mode == 0200 ? O_WRONLY : O_RDWR);
	CHECK_EQ(kd_umount(kd, 0), 0);
	kd_die(kd);
	CHECK_EQ(read(fds[0], text, sizeof(text)), 0);
	CHECK_EQ(write(fds[1], "1", 1), 1);
	CHECK_EQ(read(fds[2], text, sizeof(text)), 0);
	CHECK_EQ(write(fds[2], "7", 1), 1);
	CHECK_EQ(write(fds[3], "7", 1), 1);
	CHECK_EQ(read(fds[3], text, sizeof(text)), 0);
	for (size_t i = 0; i < FILES; i++)
		close(fds[i]);
}

/* The working directory of somebody. */
static void directory_in_use(void)
{
	struct kd *kd = kd_new();
	int dir = ctl_open(kd, "", O_RDONLY | O_DIRECTORY);

	CHECK(dir >= 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(openat(dir, "waiting", O_RDONLY), -1);
	CHECK_EQ(errno, ENOENT);
	close(dir);
}

/* A number that is used again names the new connection, not the old one's file. */
static void number_is_used_again(void)
{
	unsigned int first = 0;
	int fd = -1;

	for (int i = 0; i < 5; i++) {
		struct kd *kd = kd_new();

		if (i && kd->conn == first) {
			struct kd_call *c;

			CHECK_EQ(write(fd, "1", 1), 1);
			c = kd_call_stat(kd, "f", NULL);
			kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
			kd_finish(c, -ENOENT);
			return;
		}
		first = kd->conn;
		if (fd >= 0)
			close(fd);
		fd = ctl_open(kd, "abort", O_WRONLY);
		CHECK_EQ(kd_umount(kd, 0), 0);
		kd_die(kd);
	}
	SKIP("no number was used again");
}

/* Mounted a second time it is the same. */
static void second_mount(void)
{
	struct kd *kd = kd_new();
	char path[256], file[512];

	snprintf(path, sizeof(path), "%s/ctl", case_dir());
	CHECK_EQ(mkdir(path, 0755), 0);
	CHECK_EQ(mount("fusectl", path, "fusectl", 0, NULL), 0);
	snprintf(file, sizeof(file), "%s/%u/waiting", path, kd->conn);
	CHECK_EQ(access(file, R_OK), 0);
	CHECK_EQ(umount(path), 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(mount("fusectl", path, "fusectl", 0, NULL), 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(access(file, R_OK), -1);
	CHECK_EQ(errno, ENOENT);
	kd_die(kd);
}

/* Readers and writers of the files while the connection comes and goes. */
#define RACE_ROUNDS 30

static volatile bool race_over;

static long use_files(void *arg)
{
	char path[300], text[32];
	long n = 0;

	while (!race_over) {
		for (size_t i = 0; i < FILES; i++) {
			int fd;

			snprintf(path, sizeof(path), "%s/%s", (const char *)arg, files[i].name);
			fd = open(path, files[i].mode == 0400 ? O_RDONLY : O_RDWR);
			if (fd < 0)
				continue;
			if (read(fd, text, sizeof(text)) >= 0)
				n++;
			if (files[i].mode == 0600 && write(fd, "3", 1) == 1)
				n++;
			close(fd);
		}
		sched_yield();
	}
	return n;
}

static void files_against_umount(void)
{
	struct kd *kd = kd_new();
	const char *dir = strdup(ctl_path(kd, ""));
	struct kd *home = kd;
	struct kd_call *users[2];

	users[0] = kd_call(home, use_files, (void *)dir);
	users[1] = kd_call(home, use_files, (void *)dir);
	for (int i = 0; i < RACE_ROUNDS; i++) {
		if (i)
			kd = kd_new();
		CHECK_EQ(umount(kd->mnt), 0);
		if (kd != home)
			kd_die(kd);
	}
	race_over = true;
	around_leave_alone(home);
	around_ends(users[0]);
	around_ends(users[1]);
}

static const struct kernel_case cases[] = {
	CASE("fusectl/files-and-modes", files_and_modes),
	CASE("fusectl/named-by-the-device-number", named_by_the_device_number),
	CASE("fusectl/only-the-owner", only_the_owner),
	CASE("fusectl/waiting-counts-every-state", waiting_counts_every_state),
	CASE("fusectl/waiting-counts-the-held", waiting_counts_the_held),
	CASE("fusectl/waiting-counts-who-waits-for-init", waiting_counts_who_waits_for_init),
	CASE("fusectl/waiting-does-not-count-forgets", waiting_does_not_count_forgets),
	CASE("fusectl/limits-are-read-and-written", limits_are_read_and_written),
	CASE("fusectl/wrong-limits", wrong_limits),
	CASE("fusectl/many-numbers-per-open", many_numbers_per_open),
	CASE("fusectl/read-in-parts", read_in_parts),
	CASE("fusectl/any-write-aborts", any_write_aborts),
	CASE("fusectl/nothing-can-be-made-there", nothing_can_be_made_there),
	CASE("fusectl/gone-after-umount", gone_after_umount),
	CASE("fusectl/stays-after-the-daemon", stays_after_the_daemon),
	CASE("fusectl/stays-for-a-lazy-umount", stays_for_a_lazy_umount),
	CASE("fusectl/open-files-outlive-the-mount", open_files_outlive_the_mount),
	CASE("fusectl/directory-in-use", directory_in_use),
	CASE("fusectl/number-is-used-again", number_is_used_again),
	CASE("fusectl/second-mount", second_mount),
	CASE("fusectl/files-against-umount", files_against_umount),
};
KERNEL_CASES(cases);
