// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * mount_options.c: mount options: required, checked, shown; and what fuseblk does with its device.
 */
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include "daemon.h"

#define BASE "fd=%d,rootmode=40755,user_id=0,group_id=0"

/* The @what-th field (2: type, 3: options) of @kd's line in /proc/mounts. */
static const char *mounts_field(const struct kd *kd, int what)
{
	static char fields[4][1024];
	FILE *f = fopen("/proc/self/mounts", "re");
	bool found = false;

	CHECK(f != NULL);
	while (!found && fscanf(f, "%1023s %1023s %1023s %1023s %*d %*d", fields[0], fields[1], fields[2], fields[3]) == 4)
		found = strcmp(fields[1], kd->mnt) == 0;
	fclose(f);
	CHECK(found);
	return fields[what];
}

static bool has_option(const char *options, const char *option)
{
	size_t len = strlen(option);

	for (const char *at = options; (at = strstr(at, option)) != NULL; at += len)
		if ((at == options || at[-1] == ',') && (at[len] == ',' || at[len] == '\0'))
			return true;
	return false;
}

#define CHECK_OPTION(kd, option) do { \
	if (!has_option(mounts_field((kd), 3), (option))) \
		FAIL("/proc/mounts has \"%s\", not %s", mounts_field((kd), 3), (option)); \
} while (0)

static int try_type(const char *type, const char *options)
{
	struct kd *kd;

	return kd_try(&kd, .type = type, .only_options = options, .no_init = true);
}

/* ---- required and checked ---------------------------------------------------------- */

static void four_are_required(void)
{
	static const char *const lacking[] = {
		"rootmode=40755,user_id=0,group_id=0", "fd=%d,user_id=0,group_id=0",
		"fd=%d,rootmode=40755,group_id=0", "fd=%d,rootmode=40755,user_id=0", "",
	};

	for (size_t i = 0; i < sizeof(lacking) / sizeof(lacking[0]); i++)
		CHECK_EQ(try_type("fuse", lacking[i]), -EINVAL);
	CHECK_EQ(try_type("fuse", BASE), 0);
}

static void bad_values(void)
{
	static const char *const bad[] = {
		"fd=%d,rootmode=755,user_id=0,group_id=0",		/* no type */
		"fd=%d,rootmode=170755,user_id=0,group_id=0",		/* no such type */
		"fd=%d,rootmode=8,user_id=0,group_id=0",
		"fd=%d,rootmode=,user_id=0,group_id=0",
		"fd=%d,rootmode=40755,user_id=4294967295,group_id=0",	/* nobody's */
		"fd=%d,rootmode=40755,user_id=0,group_id=4294967295",
		"fd=%d,rootmode=40755,user_id=-1,group_id=0",
		"fd=%d,rootmode=40755,user_id=4294967296,group_id=0",
		"fd=%d,rootmode=40755,user_id=root,group_id=0",
		"fd=abc,rootmode=40755,user_id=0,group_id=0",
		BASE ",max_read=x", BASE ",max_read", BASE ",max_read=4294967296",
		BASE ",allow_other=1", BASE ",default_permissions=yes",
		BASE ",no_such_option", BASE ",large_read=", BASE ",subtype=a,subtype=b",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = try_type("fuse", bad[i]);

		if (ret != -EINVAL)
			FAIL("%s: %s, not -EINVAL", bad[i], case_value(ret));
	}
}

/* A descriptor that is not open, or not of /dev/fuse. */
static void bad_descriptors(void)
{
	int ret = try_type("fuse", "fd=999,rootmode=40755,user_id=0,group_id=0");
	char options[128];
	int fd = open("/dev/null", O_RDWR);

	CHECK(ret == -EINVAL || ret == -EBADF);		/* newer modules: EBADF */
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
	CHECK_EQ(try_type("fuse", options), -EINVAL);
	fd = open("/dev/fuse", O_RDWR | O_PATH);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40755,user_id=0,group_id=0", fd);
	ret = try_type("fuse", options);
	CHECK(ret == -EINVAL || ret == -EBADF);
}

/* It is another mount of the same: one daemon, one root. */
static void used_descriptor(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192"), *other = kd_open_only(&(struct kd_opts){ 0 });
	char options[128];
	struct stat a, b;

	kd_add_file(kd, "f", 2, 10);
	snprintf(options, sizeof(options), BASE, kd->fd);
	CHECK_EQ(mount("x", other->mnt, "fuse", 0, options), 0);
	kd_finish(kd_call_stat(kd, "f", &a), 0);
	kd_finish(kd_sys(kd, SYS_newfstatat, AT_FDCWD, (long)kd_path(other, "f"), (long)&b, 0), 0);
	CHECK_EQ(a.st_dev, b.st_dev);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	CHECK_OPTION(other, "max_read=8192");
	/* either may go first */
	CHECK_EQ(kd_umount(kd, 0), 0);
	kd_finish(kd_sys(kd, SYS_newfstatat, AT_FDCWD, (long)kd_path(other, "f"), (long)&b, 0), 0);
	CHECK_EQ(umount2(other->mnt, 0), 0);
}

/* Not after its mount is gone. */
static void descriptor_is_not_used_again(void)
{
	struct kd *kd = kd_new();

	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(kd_mount(kd), -ENOTCONN);
}

/* A mount that failed leaves the descriptor as it was. */
static void descriptor_after_a_failure(void)
{
	struct kd *kd;

	CHECK_EQ(kd_try(&kd, .only_options = "fd=%d,rootmode=40755,user_id=0", .no_init = true), -EINVAL);
	kd->opts.only_options = BASE;
	CHECK_EQ(kd_mount(kd), 0);
	kd_init(kd);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
}

static void root_is_of_the_mount_points_type(void)
{
	struct kd *kd;

	CHECK_EQ(kd_try(&kd, .rootmode = S_IFREG | 0644, .no_init = true), -ENOTDIR);
}

/* ---- shown --------------------------------------------------------------------------- */

static void shown(void)
{
	struct kd *kd = kd_new(.user_id = 1234, .group_id = 567,
			       .options = "default_permissions,allow_other,max_read=65536");

	CHECK_STR(mounts_field(kd, 2), "fuse");
	CHECK_OPTION(kd, "rw");
	CHECK_OPTION(kd, "user_id=1234");
	CHECK_OPTION(kd, "group_id=567");
	CHECK_OPTION(kd, "default_permissions");
	CHECK_OPTION(kd, "allow_other");
	CHECK_OPTION(kd, "max_read=65536");
	CHECK(!strstr(mounts_field(kd, 3), "blksize") && !strstr(mounts_field(kd, 3), "rootmode"));
}

static void defaults_are_not_shown(void)
{
	struct kd *kd = kd_new();

	CHECK(!strstr(mounts_field(kd, 3), "default_permissions"));
	CHECK(!strstr(mounts_field(kd, 3), "allow_other"));
	CHECK(!strstr(mounts_field(kd, 3), "max_read"));
	CHECK_OPTION(kd, "user_id=0");
	CHECK_OPTION(kd, "group_id=0");
}

/* No less than a page is read at a time. */
static void max_read_has_a_least(void)
{
	struct kd *kd = kd_new(.options = "max_read=100");

	CHECK_OPTION(kd, "max_read=4096");
}

static void max_read_holds(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192");
	struct kd_call *c;
	struct kd_req *r;
	static char buf[65536];
	int fd;

	kd_add_file(kd, "f", 2, 65536);
	fd = kd_opened(kd, "f", O_RDONLY, FOPEN_DIRECT_IO);
	c = kd_call_pread(kd, fd, buf, sizeof(buf), 0);
	for (int i = 0; i < 8; i++) {
		r = kd_expect(kd, FUSE_READ, 2);
		CHECK_EQ(((const struct fuse_read_in *)r->arg)->size, 8192);
		kd_reply(r, buf, 8192);
	}
	kd_finish(c, 65536);
}

static void subtype_is_part_of_the_type(void)
{
	struct kd *kd = kd_new(.type = "fuse.cases"), *blk;

	CHECK_STR(mounts_field(kd, 2), "fuse.cases");
	kd = kd_new(.options = "subtype=other");
	CHECK_STR(mounts_field(kd, 2), "fuse.other");
	blk = kd_new(.type = "fuseblk.cases");
	CHECK_STR(mounts_field(blk, 2), "fuseblk.cases");
}

static void by_fsopen(void)
{
	struct kd *kd = kd_new(.use_fsopen = true, .options = "allow_other,subtype=new");

	CHECK_STR(mounts_field(kd, 2), "fuse.new");
	CHECK_OPTION(kd, "allow_other");
	kd_finish(kd_call_stat(kd, "", NULL), 0);
}

/* ---- fuseblk ----------------------------------------------------------------------------- */

static void check_blksize(const char *option, unsigned int size)
{
	struct kd *kd = kd_new(.type = "fuseblk", .options = option);
	char text[32];

	snprintf(text, sizeof(text), "blksize=%u", size);
	CHECK_STR(mounts_field(kd, 2), "fuseblk");
	CHECK_OPTION(kd, text);
	kd_stop(kd);
}

static void blksize_is_shown(void)
{
	check_blksize("blksize=1024", 1024);
	check_blksize("blksize=2048", 2048);
	check_blksize("blksize=4096", 4096);
}

static void least_blksize_is_shown(void)
{
	check_blksize("blksize=512", 512);
	check_blksize(NULL, 512);
}

static void bad_blksizes(void)
{
	static const char *const bad[] = { "blksize=256", "blksize=1000", "blksize=8192", "blksize=0",
					   "blksize=1", "blksize=4294967295", "blksize=x" };
	struct kd *kd;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int ret = kd_try(&kd, .type = "fuseblk", .options = bad[i], .no_init = true);

		if (ret != -EINVAL)
			FAIL("%s: %s, not -EINVAL", bad[i], case_value(ret));
	}
	CHECK_EQ(kd_try(&kd, .type = "fuse", .options = "blksize=512", .no_init = true), -EINVAL);
}

static void device_is_that_of_the_files(void)
{
	struct kd *kd = kd_new(.type = "fuseblk"), *plain = kd_new();
	struct stat disk, st;

	CHECK_EQ(stat(kd->disk, &disk), 0);
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_dev, disk.st_rdev);
	kd_finish(kd_call_stat(plain, "", &st), 0);
	CHECK_EQ(major(st.st_dev), 0);
	CHECK_STR(mounts_field(kd, 0), kd->disk);
}

/* Nobody else may have it for himself meanwhile; anybody may read it. */
static void device_is_owned(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = open(kd->disk, O_RDWR | O_EXCL);

	CHECK(fd < 0);
	CHECK_EQ(errno, EBUSY);
	fd = open(kd->disk, O_RDWR);
	CHECK(fd >= 0);
	close(fd);
	CHECK_EQ(kd_umount(kd, 0), 0);
	fd = open(kd->disk, O_RDWR | O_EXCL);
	CHECK(fd >= 0);
}

static void device_of_another(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ .type = "fuseblk" });
	int fd = open(kd->disk, O_RDWR | O_EXCL);

	CHECK(fd >= 0);
	CHECK_EQ(kd_mount(kd), -EBUSY);
	close(fd);
	CHECK_EQ(kd_mount(kd), 0);
	kd_init(kd);
}

static void second_mount_of_a_device(void)
{
	struct kd *kd = kd_new(.type = "fuseblk"), *second = kd_open_only(&(struct kd_opts){ 0 });

	second->opts.type = "fuseblk";
	memcpy(second->disk, kd->disk, sizeof(kd->disk));
	CHECK_EQ(kd_mount(second), -EBUSY);
	/* the first works on, and the second's descriptor can have another mount */
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	second->opts.type = "fuse";
	CHECK_EQ(kd_mount(second), 0);
	kd_init(second);
	kd_finish(kd_call_stat(second, "", NULL), 0);
}

static void no_device(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ 0 });

	kd->opts.type = "fuseblk";
	snprintf(kd->disk, sizeof(kd->disk), "/dev/no-such-disk");
	CHECK_EQ(kd_mount(kd), -ENOENT);
	snprintf(kd->disk, sizeof(kd->disk), "/dev/null");
	CHECK_EQ(kd_mount(kd), -ENOTBLK);
	snprintf(kd->disk, sizeof(kd->disk), "/proc/self");
	CHECK_EQ(kd_mount(kd), -ENOTBLK);
}

static void device_that_cannot_be_written(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ .type = "fuseblk" });
	int on = 1, off = 0, reader = open(kd->disk, O_RDONLY), writable, read_only;

	CHECK_EQ(ioctl(reader, BLKROSET, &on), 0);
	close(kd->disk_fd);
	kd->disk_fd = reader;
	writable = kd_mount(kd);
	kd->opts.mount_flags = MS_RDONLY;
	read_only = kd_mount(kd);
	/* the loop device goes on to others */
	CHECK_EQ(ioctl(reader, BLKROSET, &off), 0);
	CHECK_EQ(writable, -EACCES);
	CHECK_EQ(read_only, 0);
	kd_init(kd);
	CHECK_OPTION(kd, "ro");
}

/* The daemon writes to it by a descriptor of its own, and finds that again. */
static void device_after_the_mount(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	char block[512] = "written by the daemon", back[512];
	int fd = open(kd->disk, O_RDWR);

	CHECK_EQ(pwrite(fd, block, sizeof(block), 4096), 512);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(pread(fd, back, sizeof(back), 4096), 512);
	CHECK_MEM(block, back, sizeof(back));
}

/* ---- remount ------------------------------------------------------------------------------- */

static void remount_read_only(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_sys(kd, SYS_mount, (long)"x", (long)kd->mnt, (long)"x", MS_REMOUNT | MS_RDONLY, 0), 0);
	CHECK_OPTION(kd, "ro");
	kd_finish(kd_call_open(kd, "f", O_WRONLY, 0), -EROFS);
	kd_finish(kd_call_unlink(kd, "f"), -EROFS);
	kd_finish(kd_sys(kd, SYS_mount, (long)"x", (long)kd->mnt, (long)"x", MS_REMOUNT, 0), 0);
	CHECK_OPTION(kd, "rw");
	kd_opened(kd, "f", O_WRONLY, 0);
}

/* mount(8) passes what it found in /proc/mounts: it changes nothing. */
static void remount_with_options(void)
{
	struct kd *kd = kd_new(.options = "max_read=8192");
	const char *options = "user_id=5,group_id=6,allow_other,max_read=4096,no_such_option,fd=77";

	kd_finish(kd_sys(kd, SYS_mount, (long)"x", (long)kd->mnt, (long)"x", MS_REMOUNT, (long)options), 0);
	CHECK_OPTION(kd, "user_id=0");
	CHECK_OPTION(kd, "max_read=8192");
	CHECK(!strstr(mounts_field(kd, 3), "allow_other"));
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_stat(kd, "", NULL), -EACCES);
}

/* Who knows the new calls knows that it cannot be changed. */
static void reconfigure_with_options(void)
{
	struct kd *kd = kd_new();
	int fs = (int)syscall(SYS_fspick, AT_FDCWD, kd->mnt, 0);

	CHECK(fs >= 0);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 0, "allow_other", NULL, 0), -1);
	CHECK_EQ(errno, EINVAL);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 1, "user_id", "5", 0), -1);
	CHECK_EQ(errno, EINVAL);
}

/* By the new calls: mount(2) would have the kernel complain of the option itself. */
static void mandatory_locks_are_refused(void)
{
	struct kd *kd;
	int fs;

	CHECK_EQ(kd_try(&kd, .use_fsopen = true, .options = "mand", .no_init = true), -EINVAL);
	kd = kd_new();
	fs = (int)syscall(SYS_fspick, AT_FDCWD, kd->mnt, 0);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 0, "mand", NULL, 0), 0);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 7 /* reconfigure */, NULL, NULL, 0), -1);
	CHECK_EQ(errno, EINVAL);
}

static const struct kernel_case cases[] = {
	CASE("mount/four-are-required", four_are_required),
	CASE("mount/bad-values", bad_values),
	CASE("mount/bad-descriptors", bad_descriptors),
	CASE("mount/used-descriptor", used_descriptor),
	CASE("mount/descriptor-is-not-used-again", descriptor_is_not_used_again),
	CASE("mount/descriptor-after-a-failure", descriptor_after_a_failure),
	CASE("mount/root-is-of-the-mount-points-type", root_is_of_the_mount_points_type),
	CASE("mount/shown", shown),
	CASE("mount/defaults-are-not-shown", defaults_are_not_shown),
	CASE("mount/max-read-has-a-least", max_read_has_a_least),
	CASE("mount/max-read-holds", max_read_holds),
	CASE("mount/subtype-is-part-of-the-type", subtype_is_part_of_the_type),
	CASE("mount/by-fsopen", by_fsopen),
	CASE("fuseblk/blksize-is-shown", blksize_is_shown,
	     differs(newer, "6.18 shows 4096 whatever was passed")),
	CASE("fuseblk/least-blksize-is-shown", least_blksize_is_shown,
	     differs(stock, "it does not show 512, its default")),
	CASE("fuseblk/bad-blksizes", bad_blksizes),
	CASE("fuseblk/device-is-that-of-the-files", device_is_that_of_the_files),
	CASE("fuseblk/device-is-owned", device_is_owned),
	CASE("fuseblk/device-of-another", device_of_another),
	CASE("fuseblk/second-mount-of-a-device", second_mount_of_a_device,
	     differs(stock, "it shares the first mount, and the second daemon waits for ever; ours says EBUSY")),
	CASE("fuseblk/no-device", no_device),
	CASE("fuseblk/device-that-cannot-be-written", device_that_cannot_be_written),
	CASE("fuseblk/device-after-the-mount", device_after_the_mount),
	CASE("remount/read-only", remount_read_only),
	CASE("remount/with-options", remount_with_options),
	CASE("remount/reconfigure-with-options", reconfigure_with_options),
	CASE("remount/mandatory-locks-are-refused", mandatory_locks_are_refused),
};
KERNEL_CASES(cases);
