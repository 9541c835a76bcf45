// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * userns.c: mounts in user namespaces: which are allowed, whose ids they speak, what they may not do.
 *
 * Each runs in a child process with one thread, because only such a one may
 * enter a user namespace; it plays the daemon itself.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include "daemon.h"

static void write_map(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		FAIL("%s: %s", file, strerror(errno));
	close(fd);
}

/* Root of a namespace where our id is @id, and no other is anything. */
static void enter_namespace(unsigned int id)
{
	char map[32];

	if (unshare(CLONE_NEWUSER) < 0)
		SKIP("no user namespaces: %s", strerror(errno));
	snprintf(map, sizeof(map), "%u 0 1", id);
	write_map("/proc/self/setgroups", "deny");
	write_map("/proc/self/uid_map", map);
	write_map("/proc/self/gid_map", map);
	CHECK_EQ(unshare(CLONE_NEWNS), 0);
}

/* @fn in a child; what it ends with. */
static void in_child(void (*fn)(void))
{
	pid_t pid = fork();
	int status;

	CHECK(pid >= 0);
	if (pid == 0) {
		fn();
		_exit(0);
	}
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
		SKIP("no user namespaces here");
	CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void mounts_and_serves(void)
{
	struct kd *kd;
	struct stat st;

	enter_namespace(0);
	kd = kd_new();
	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 10);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void fuse_can_be_mounted(void)
{
	in_child(mounts_and_serves);
}

static void tries_fuseblk(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ 0 });

	kd->opts.type = "fuseblk";
	kd_disk_new(kd);
	enter_namespace(0);
	/* opened in here, so that nothing else is wrong with it */
	close(kd->fd);
	kd->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	CHECK_EQ(kd_mount(kd), -EPERM);
}

static void fuseblk_cannot(void)
{
	in_child(tries_fuseblk);
}

static void tries_a_strangers_descriptor(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ 0 });

	enter_namespace(0);
	CHECK_EQ(kd_mount(kd), -EINVAL);
}

/* Whoever opened /dev/fuse outside did not mean to serve those in here. */
static void descriptor_from_outside(void)
{
	in_child(tries_a_strangers_descriptor);
}

static void tries_strange_ids(void)
{
	struct kd *kd;

	enter_namespace(0);
	CHECK_EQ(kd_try(&kd, .user_id = 5, .no_init = true), -EINVAL);
	CHECK_EQ(kd_try(&kd, .group_id = 5, .no_init = true), -EINVAL);
}

static void ids_must_be_known(void)
{
	in_child(tries_strange_ids);
}

static void speaks_its_own_ids(void)
{
	struct kd *kd;
	struct kd_call *c;
	struct kd_req *r;
	struct stat st;

	enter_namespace(1234);
	kd = kd_new(.user_id = 1234, .group_id = 1234);
	c = kd_call_stat(kd, "f", &st);
	r = kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID);
	CHECK_EQ(r->in->uid, 1234);
	CHECK_EQ(r->in->gid, 1234);
	kd_reply_entry(r, kd_file(kd, 2, 10));
	kd_finish(c, 0);
	CHECK_EQ(st.st_uid, 1234);
	/* one that means nothing in here */
	kd_file(kd, 3, 10)->attr.uid = 99;
	kd_add(kd, FUSE_ROOT_ID, "g", kd_node(kd, 3));
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_uid, 65534);
	CHECK_EQ(st.st_gid, 1234);
}

static void ids_are_the_namespaces(void)
{
	in_child(speaks_its_own_ids);
}

static void opens_a_device(void)
{
	struct kd *kd;
	struct kd_node *null;

	enter_namespace(0);
	kd = kd_new(.options = "allow_other");
	null = kd_node_new(kd, 2, S_IFCHR | 0666, 0);
	null->attr.rdev = 1 << 8 | 3;
	kd_add(kd, FUSE_ROOT_ID, "null", null);
	kd_finish(kd_call_open(kd, "null", O_RDWR, 0), -EACCES);
	kd_finish(kd_call_stat(kd, "null", NULL), 0);
}

static void device_nodes_are_not_opened(void)
{
	struct kd *kd = kd_new();
	struct kd_node *null = kd_node_new(kd, 2, S_IFCHR | 0666, 0);

	/* outside they are */
	null->attr.rdev = 1 << 8 | 3;
	kd_add(kd, FUSE_ROOT_ID, "null", null);
	CHECK(kd_wait(kd_call_open(kd, "null", O_RDWR, 0)) >= 0);
	in_child(opens_a_device);
}

static void asks_for_an_acl(void)
{
	struct kd *kd;
	char value[64];

	enter_namespace(0);
	kd = kd_new();
	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_getxattr(kd, "f", "system.posix_acl_access", value, sizeof(value)), -EOPNOTSUPP);
	kd_finish(kd_call_setxattr(kd, "f", "system.posix_acl_access", "\2\0\0\0", 4, 0), -EOPNOTSUPP);
	CHECK_EQ(kd->count[FUSE_GETXATTR] + kd->count[FUSE_SETXATTR], 0);
}

/* The ids in them would be another namespace's. */
static void acl_attributes_are_refused(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char value[64];

	/* outside they are the daemon's affair */
	kd_add_file(kd, "f", 2, 10);
	c = kd_call_getxattr(kd, "f", "system.posix_acl_access", value, sizeof(value));
	kd_reply_error(kd_expect(kd, FUSE_GETXATTR, 2), -ENODATA);
	kd_finish(c, -ENODATA);
	in_child(asks_for_an_acl);
}

/* ---- from outside ------------------------------------------------------------------ */

static int to_child[2], to_parent[2];

static void serves_until_told(void)
{
	char path[256], byte;
	struct kd *kd;

	enter_namespace(0);
	kd = kd_new(.options = "allow_other");
	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	snprintf(path, sizeof(path), "%s", kd->mnt);
	CHECK_EQ(write(to_parent[1], path, sizeof(path)), sizeof(path));
	CHECK_EQ(read(to_child[0], &byte, 1), 1);
	kd_settle(kd, 10);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

/* allow_other lets in those of the namespace, not those who own it. */
static void outsiders_do_not_enter(void)
{
	char mnt[256], path[512];
	struct stat st;
	pid_t pid;
	int status, ret;

	CHECK_EQ(pipe(to_child), 0);
	CHECK_EQ(pipe(to_parent), 0);
	pid = fork();
	if (pid == 0) {
		serves_until_told();
		_exit(0);
	}
	close(to_parent[1]);
	if (read(to_parent[0], mnt, sizeof(mnt)) != sizeof(mnt)) {
		waitpid(pid, &status, 0);
		if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
			SKIP("no user namespaces here");
		FAIL("the daemon in the namespace failed");
	}
	snprintf(path, sizeof(path), "/proc/%d/root%s/f", pid, mnt);
	ret = stat(path, &st) < 0 ? -errno : 0;
	CHECK_EQ(write(to_child[1], "x", 1), 1);
	CHECK_EQ(waitpid(pid, &status, 0), pid);
	CHECK_EQ(ret, -EACCES);
	CHECK_EQ(status, 0);
}

static const struct kernel_case cases[] = {
	CASE("userns/fuse-can-be-mounted", fuse_can_be_mounted),
	CASE("userns/fuseblk-cannot", fuseblk_cannot),
	CASE("userns/descriptor-from-outside", descriptor_from_outside),
	CASE("userns/ids-must-be-known", ids_must_be_known),
	CASE("userns/ids-are-the-namespaces", ids_are_the_namespaces),
	CASE("userns/device-nodes-are-not-opened", device_nodes_are_not_opened),
	CASE("userns/acl-attributes-are-refused", acl_attributes_are_refused),
	CASE("userns/outsiders-do-not-enter", outsiders_do_not_enter),
};
KERNEL_CASES(cases);
