// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * permission.c: who may enter a mount, and who decides what they may do there.
 */
#include <stdlib.h>
#include "daemon.h"

/* A caller with any ids. */
struct ids {
	uid_t uid[3];			/* real, effective, saved */
	gid_t gid[3];
	uid_t fsuid;			/* 0: as the effective one */
	const char *path;
};

static long stat_as(void *arg)
{
	const struct ids *ids = arg;
	struct stat st;

	syscall(SYS_setgroups, 0, NULL);
	syscall(SYS_setresgid, ids->gid[0], ids->gid[1], ids->gid[2]);
	syscall(SYS_setresuid, ids->uid[0], ids->uid[1], ids->uid[2]);
	if (ids->fsuid)
		syscall(SYS_setfsuid, ids->fsuid);
	return syscall(SYS_newfstatat, AT_FDCWD, ids->path, &st, 0) < 0 ? -errno : 0;
}

static struct kd_call *call_as(struct kd *kd, const char *path, struct ids ids)
{
	struct ids *copy = malloc(sizeof(*copy));

	*copy = ids;
	copy->path = kd_path(kd, path);
	return kd_call(kd, stat_as, copy);
}

#define ALL(id) { id, id, id }

/* ---- who may enter --------------------------------------------------------------- */

static void owner_enters(void)
{
	struct kd *kd = kd_new(.user_id = 1000, .group_id = 1001);

	kd_add_file(kd, "f", 2, 10);
	kd_as(kd, 1000, 1001);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void root_does_not_enter_anothers(void)
{
	struct kd *kd = kd_new(.user_id = 1000, .group_id = 1000);

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), -EACCES);
	kd_finish(kd_call_stat(kd, "", NULL), -EACCES);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
}

/* Who could ptrace the owner's process, and no one else: each of six ids counts. */
static void every_id_must_be_the_owners(void)
{
	static const struct ids others[] = {
		{ .uid = { 5, 1000, 1000 }, .gid = ALL(1001) }, { .uid = { 1000, 5, 1000 }, .gid = ALL(1001) },
		{ .uid = { 1000, 1000, 5 }, .gid = ALL(1001) }, { .uid = ALL(1000), .gid = { 5, 1001, 1001 } },
		{ .uid = ALL(1000), .gid = { 1001, 5, 1001 } }, { .uid = ALL(1000), .gid = { 1001, 1001, 5 } },
		{ .uid = { 1000, 1000, 0 }, .gid = ALL(1001) }, { .uid = ALL(1000), .gid = { 1001, 1001, 0 } },
	};
	struct kd *kd = kd_new(.user_id = 1000, .group_id = 1001);

	kd_add_file(kd, "f", 2, 10);
	kd_finish(call_as(kd, "f", (struct ids){ .uid = ALL(1000), .gid = ALL(1001) }), 0);
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++)
		kd_finish(call_as(kd, "f", others[i]), -EACCES);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

/* The id for files is none of the six, but the one that the daemon sees. */
static void fsuid_is_seen_and_does_not_count(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = call_as(kd, "f", (struct ids){ .fsuid = 77 });
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID);

	CHECK_EQ(r->in->uid, 77);
	CHECK_EQ(r->in->gid, 0);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

static void allow_other_lets_all_in(void)
{
	struct kd *kd = kd_new(.user_id = 1000, .group_id = 1000, .options = "allow_other");

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(call_as(kd, "f", (struct ids){ .uid = { 1, 2, 3 }, .gid = { 4, 5, 6 } }), 0);
}

/* Nothing that names a file gets past the door. */
static void others_can_do_nothing(void)
{
	struct kd *kd = kd_new();
	char buf[64];

	kd_add_file(kd, "f", 2, 10);
	kd_add(kd, FUSE_ROOT_ID, "l", kd_node_new(kd, 3, S_IFLNK | 0777, 1));
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "l", NULL), 0);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_open(kd, "f", O_RDONLY, 0), -EACCES);
	kd_finish(kd_call_open(kd, "", O_RDONLY | O_DIRECTORY, 0), -EACCES);
	kd_finish(kd_call_open(kd, "new", O_CREAT | O_RDWR, 0600), -EACCES);
	kd_finish(kd_call_mkdir(kd, "d", 0700), -EACCES);
	kd_finish(kd_call_unlink(kd, "f"), -EACCES);
	kd_finish(kd_call_rename(kd, "f", "g"), -EACCES);
	kd_finish(kd_call_readlink(kd, "l", buf, sizeof(buf)), -EACCES);
	kd_finish(kd_call_access(kd, "f", F_OK), -EACCES);
	kd_finish(kd_call_chmod(kd, "f", 0777), -EACCES);
	kd_finish(kd_call_truncate(kd, "f", 0), -EACCES);
}

/* An open file is a right that was given: another may use it, but not ask what it is. */
static void open_file_is_a_right(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDWR, FOPEN_DIRECT_IO);
	kd_as(kd, 1000, 1000);
	c = kd_call_pread(kd, fd, &byte, 1, 0);
	kd_reply(kd_expect(kd, FUSE_READ, 2), "x", 1);
	kd_finish(c, 1);
	kd_finish(kd_call_fstat(kd, fd, NULL), -EACCES);
}

/* ---- what they may do: the kernel decides ------------------------------------------- */

static void modes_of_owner_group_and_others(void)
{
	static const struct { uid_t uid; gid_t gid; int may_read, may_write; } who[] = {
		{ 10, 1, 1, 0 }, { 1, 20, 0, 1 }, { 1, 1, 0, 0 }, { 10, 20, 1, 0 },
	};
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	f->attr.mode = S_IFREG | 0420;
	f->attr.uid = 10;
	f->attr.gid = 20;
	kd_auto(kd, FUSE_GETATTR);
	kd_auto(kd, FUSE_OPEN);
	for (size_t i = 0; i < sizeof(who) / sizeof(who[0]); i++) {
		kd_as(kd, who[i].uid, who[i].gid);
		CHECK_EQ(kd_wait(kd_call_open(kd, "f", O_RDONLY, 0)) >= 0, who[i].may_read);
		CHECK_EQ(kd_wait(kd_call_open(kd, "f", O_WRONLY, 0)) >= 0, who[i].may_write);
	}
	kd_as(kd, 0, 0);
	CHECK(kd_wait(kd_call_open(kd, "f", O_RDWR, 0)) >= 0);
}

static void directories_are_written_with_a_right(void)
{
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");

	kd_add_file(kd, "f", 2, 10);
	kd_add_file(kd, "g", 3, 10);
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_unlink(kd, "f"), -EACCES);
	kd_finish(kd_call_rename(kd, "f", "g"), -EACCES);
	CHECK_EQ(kd->count[FUSE_UNLINK] + kd->count[FUSE_RENAME], 0);
}

static void sticky_directory(void)
{
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");
	struct kd_call *c;

	kd_root(kd)->attr.mode = S_IFDIR | 01777;
	kd_add_file(kd, "f", 2, 10)->attr.uid = 5;
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 6, 6);
	kd_finish(kd_call_unlink(kd, "f"), -EPERM);
	kd_as(kd, 5, 5);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
}

/* The daemon decides, about the sticky bit, too. */
static void sticky_directory_of_the_daemon(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;

	kd_root(kd)->attr.mode = S_IFDIR | 01777;
	kd_add_file(kd, "f", 2, 10)->attr.uid = 5;
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	kd_as(kd, 6, 6);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), -EBUSY);
	kd_finish(c, -EBUSY);
}

static void chmod_is_the_owners(void)
{
	struct kd *kd = kd_new(.options = "default_permissions,allow_other");

	kd_add_file(kd, "f", 2, 10)->attr.uid = 5;
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 6, 6);
	kd_finish(kd_call_chmod(kd, "f", 0777), -EPERM);
	kd_finish(kd_call_chown(kd, "f", 6, 6), -EPERM);
	CHECK_EQ(kd->count[FUSE_SETATTR], 0);
}

static void chmod_is_the_daemons(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10)->attr.uid = 5;
	kd_as(kd, 6, 6);
	c = kd_call_chmod(kd, "f", 0777);
	kd_reply_error(kd_expect(kd, FUSE_SETATTR, 2), -EPERM);
	kd_finish(c, -EPERM);
}

/* ---- execution --------------------------------------------------------------------------- */

static long exec_it(void *arg)
{
	char *const none[] = { NULL };

	return syscall(SYS_execve, arg, none, none) < 0 ? -errno : 0;
}

/* Even where the daemon decides, a file without any x is not executed; it is asked whether that is still so. */
static void execution_needs_a_bit(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;

	kd_as_process(kd);
	c = kd_call(kd, exec_it, (void *)kd_path(kd, "f"));
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, -EACCES);
	/* now it has one; and is opened, where it ends */
	c = kd_call(kd, exec_it, (void *)kd_path(kd, "f"));
	f->attr.mode = S_IFREG | 0100;
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_reply_error(kd_expect(kd, FUSE_OPEN, 2), -ETXTBSY);
	kd_finish(c, -ETXTBSY);
}

static void no_execution_on_noexec(void)
{
	struct kd *kd = kd_new(.mount_flags = 8 /* MS_NOEXEC */);

	kd_add_file(kd, "f", 2, 10)->attr.mode = S_IFREG | 0755;
	kd_as_process(kd);
	kd_finish(kd_call(kd, exec_it, (void *)kd_path(kd, "f")), -EACCES);
}

static const struct kernel_case cases[] = {
	CASE("permission/owner-enters", owner_enters),
	CASE("permission/root-does-not-enter-anothers", root_does_not_enter_anothers),
	CASE("permission/every-id-must-be-the-owners", every_id_must_be_the_owners),
	CASE("permission/fsuid-is-seen-and-does-not-count", fsuid_is_seen_and_does_not_count),
	CASE("permission/allow-other-lets-all-in", allow_other_lets_all_in),
	CASE("permission/others-can-do-nothing", others_can_do_nothing),
	CASE("permission/open-file-is-a-right", open_file_is_a_right),
	CASE("permission/modes-of-owner-group-and-others", modes_of_owner_group_and_others),
	CASE("permission/directories-are-written-with-a-right", directories_are_written_with_a_right),
	CASE("permission/sticky-directory", sticky_directory),
	CASE("permission/sticky-directory-of-the-daemon", sticky_directory_of_the_daemon),
	CASE("permission/chmod-is-the-owners", chmod_is_the_owners),
	CASE("permission/chmod-is-the-daemons", chmod_is_the_daemons),
	CASE("permission/execution-needs-a-bit", execution_needs_a_bit),
	CASE("permission/no-execution-on-noexec", no_execution_on_noexec),
};
KERNEL_CASES(cases);
