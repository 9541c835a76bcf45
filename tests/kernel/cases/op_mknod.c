// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_mknod.c: MKNOD, MKDIR and SYMLINK: what makes something new by one name.
 */
#include <stdlib.h>
#include <sys/sysmacros.h>
#include "names.h"

/* What is about to be made is looked up first, and is not there. */
static struct kd_req *expect_new(struct kd *kd, uint32_t opcode, const char *name)
{
	struct kd_req *r;

	expect_absent(kd, FUSE_ROOT_ID, name);
	r = kd_expect(kd, opcode, FUSE_ROOT_ID);
	CHECK_STR(r->name, name);
	return r;
}

/* ---- MKNOD ---------------------------------------------------------------- */

static void types_and_devices(void)
{
	static const mode_t types[] = { S_IFREG, S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK };
	struct kd *kd = kd_new();
	char name[2] = "a";

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++, name[0]++) {
		bool is_dev = S_ISCHR(types[i]) || S_ISBLK(types[i]);
		struct kd_call *c = kd_call_mknod(kd, name, types[i] | 0666, is_dev ? makedev(300, 70000) : 0);
		struct kd_req *r = expect_new(kd, FUSE_MKNOD, name);
		const struct fuse_mknod_in *in = r->arg;
		struct stat st;

		CHECK_EQ(in->mode, types[i] | 0644);
		CHECK_EQ(in->umask, 022);
		CHECK_EQ(in->rdev, is_dev ? ((70000u & 0xff) | 300 << 8 | (70000u & ~0xffu) << 12) : 0);
		kd_reply_entry(r, kd_node_new(kd, 10 + i, types[i] | 0600, 0));
		kd_finish(c, 0);
		kd_finish(kd_call_stat(kd, name, &st), 0);
		CHECK_EQ(st.st_mode, types[i] | 0600);
		CHECK_EQ(st.st_ino, 10 + i);
	}
	CHECK_EQ(kd->count[FUSE_LOOKUP], sizeof(types) / sizeof(types[0]));
	kd_check_balance(kd);
}

static void umask_is_left_with_dont_mask(void)
{
	struct kd *kd = kd_new(.flags = FUSE_DONT_MASK);
	struct kd_call *c;
	struct kd_req *r;

	kd_need(kd, FUSE_DONT_MASK);
	c = kd_call_mknod(kd, "f", S_IFREG | 0666, 0);
	r = expect_new(kd, FUSE_MKNOD, "f");
	CHECK_EQ(((const struct fuse_mknod_in *)r->arg)->mode, S_IFREG | 0666);
	CHECK_EQ(((const struct fuse_mknod_in *)r->arg)->umask, 022);
	kd_reply_entry(r, kd_file(kd, 2, 0));
	kd_finish(c, 0);
	c = kd_call_mkdir(kd, "d", 0777);
	r = expect_new(kd, FUSE_MKDIR, "d");
	CHECK_EQ(((const struct fuse_mkdir_in *)r->arg)->mode, 0777);
	CHECK_EQ(((const struct fuse_mkdir_in *)r->arg)->umask, 022);
	kd_reply_entry(r, kd_dir(kd, 3));
	kd_finish(c, 0);
}

/* ---- MKDIR ------------------------------------------------------------------ */

static void directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_mkdir(kd, "d", 01777);
	struct kd_req *r = expect_new(kd, FUSE_MKDIR, "d");
	const struct fuse_mkdir_in *in = r->arg;

	CHECK_EQ(in->mode, 01755);
	CHECK_EQ(in->umask, 022);
	kd_reply_entry(r, kd_dir(kd, 2));
	kd_finish(c, 0);
	c = kd_call_mkdir(kd, "d/e", 0700);
	expect_absent(kd, 2, "e");
	r = kd_expect(kd, FUSE_MKDIR, 2);
	kd_reply_entry(r, kd_dir(kd, 3));
	kd_finish(c, 0);
	kd_check_balance(kd);
}

/* Its parent has changed: nlink and mtime are asked for again. */
static void parents_attributes_are_stale(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct stat st;

	kd_finish(kd_call_stat(kd, "", NULL), 0);
	c = kd_call_mkdir(kd, "d", 0700);
	kd_reply_entry(expect_new(kd, FUSE_MKDIR, "d"), kd_dir(kd, 2));
	kd_finish(c, 0);
	kd_root(kd)->attr.nlink = 3;
	kd_root(kd)->attr.mtime = 5555;
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_nlink, 3);
	CHECK_EQ(st.st_mtime, 5555);
	CHECK_EQ(kd->count[FUSE_GETATTR], 2);
}

/* ---- SYMLINK ------------------------------------------------------------------ */

static void symlink_with_target(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_symlink(kd, "some/where \xff", "l");
	struct kd_req *r = expect_new(kd, FUSE_SYMLINK, "l");
	struct stat st;

	CHECK_STR(r->name2, "some/where \xff");
	kd_reply_entry(r, kd_node_new(kd, 2, S_IFLNK | 0777, 13));
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "l", &st), 0);
	CHECK_EQ(st.st_mode, S_IFLNK | 0777);
	CHECK_EQ(st.st_size, 13);
	kd_check_balance(kd);
}

static void longest_target(void)
{
	struct kd *kd = kd_new();
	char *target = malloc(4097);
	struct kd_call *c;
	struct kd_req *r;

	memset(target, 't', 4096);
	target[4096] = '\0';
	kd_finish(kd_call_symlink(kd, target, "l"), -ENAMETOOLONG);
	target[4095] = '\0';
	c = kd_call_symlink(kd, target, "l");
	r = expect_new(kd, FUSE_SYMLINK, "l");
	CHECK_EQ(strlen(r->name2), 4095);
	kd_reply_entry(r, kd_node_new(kd, 2, S_IFLNK | 0777, 4095));
	kd_finish(c, 0);
}

/* ---- all of them ---------------------------------------------------------------- */

struct maker {
	uint32_t opcode;
	mode_t type;
};
static const struct maker makers[] = {
	{ FUSE_MKNOD, S_IFREG }, { FUSE_MKDIR, S_IFDIR }, { FUSE_SYMLINK, S_IFLNK },
};

static struct kd_call *call_maker(struct kd *kd, const struct maker *m, const char *name)
{
	if (m->opcode == FUSE_MKNOD)
		return kd_call_mknod(kd, name, S_IFREG | 0600, 0);
	return m->opcode == FUSE_MKDIR ? kd_call_mkdir(kd, name, 0700) : kd_call_symlink(kd, "target", name);
}

#define FOR_EACH_MAKER(m) for (const struct maker *m = makers; m < makers + 3; m++)

static void errors_reach_the_caller(void)
{
	static const int errors[] = { ENOSPC, EROFS, EPERM, ENOSYS, EMLINK, EIO, ENAMETOOLONG, 511 };
	struct kd *kd = kd_new();

	FOR_EACH_MAKER(m)
		for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
			struct kd_call *c = call_maker(kd, m, "x");

			kd_reply_error(expect_new(kd, m->opcode, "x"), -errors[i]);
			kd_finish(c, -errors[i]);
		}
}

static void existing_name(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 0);
	FOR_EACH_MAKER(m)
		kd_finish(call_maker(kd, m, "f"), -EEXIST);
	CHECK_EQ(kd->count[FUSE_MKNOD] + kd->count[FUSE_MKDIR] + kd->count[FUSE_SYMLINK], 0);
}

/* The name was made by another between LOOKUP and MKDIR: nobody believes that it is not there. */
static void eexist_ends_a_cached_absence(void)
{
	struct kd *kd = kd_new();

	FOR_EACH_MAKER(m) {
		struct kd_node *f = kd_file(kd, 10 + m->opcode, 0);
		char name[2] = { (char)('a' + m->opcode), 0 };
		struct kd_call *c = call_maker(kd, m, name);

		kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
		kd_reply_error(kd_expect(kd, m->opcode, FUSE_ROOT_ID), -EEXIST);
		kd_finish(c, -EEXIST);
		c = kd_call_stat(kd, name, NULL);
		kd_reply_entry(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), f);
		kd_finish(c, 0);
	}
	kd_check_balance(kd);
}

/* A LOOKUP between the failed call and the next would have to be answered, unless the absence is cached. */
static void error_keeps_a_cached_absence(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_mkdir(kd, "d", 0700);

	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
	kd_reply_error(kd_expect(kd, FUSE_MKDIR, FUSE_ROOT_ID), -ENOSPC);
	kd_finish(c, -ENOSPC);
	kd_finish(kd_call_stat(kd, "d", NULL), -ENOENT);
}

static void spoil(struct fuse_entry_out *e, int how, mode_t type)
{
	if (how < 2)
		e->nodeid = (uint64_t)how;
	else if (how == 2)
		e->attr.mode = (type == S_IFDIR ? S_IFREG : S_IFDIR) | 0755;
	else if (how == 3)
		e->attr.mode = 0755;
	else
		e->attr.size = how == 4 ? 1ull << 63 : UINT64_MAX;
}

static void hostile_entries(void)
{
	struct kd *kd = kd_new();

	FOR_EACH_MAKER(m)
		for (int how = 0; how < 6; how++) {
			struct kd_call *c = call_maker(kd, m, "x");
			struct kd_req *r = expect_new(kd, m->opcode, "x");
			struct fuse_entry_out out = kd_entry(kd_node_new(kd, 100, m->type | 0755, 0));

			spoil(&out, how, m->type);
			kd_reply_entry_raw(r, NULL, &out);
			kd_finish(c, -EIO);
			kd_settle(kd, 5);
		}
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	kd_add_file(kd, "g", 50, 1);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 40, sizeof(struct fuse_entry_out) - 1,
					  sizeof(struct fuse_entry_out) + 1, 4096 };
	struct kd *kd = kd_new();

	FOR_EACH_MAKER(m)
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			struct kd_call *c = call_maker(kd, m, "x");
			struct fuse_entry_out out = kd_entry(kd_node_new(kd, 100, m->type | 0755, 0));
			uint8_t body[4096] = { 0 };

			memcpy(body, &out, sizeof(out));
			CHECK_EQ(kd_try_reply(expect_new(kd, m->opcode, "x"), 0, body, lengths[i]), -EINVAL);
			kd_finish(c, -EIO);
		}
}

/* The answer names a node that is known: the counts add up, and both names are one file. */
static void known_node_in_answer(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 0);
	struct kd_call *c;
	struct stat st;

	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	c = kd_call_mknod(kd, "g", S_IFREG | 0600, 0);
	f->attr.nlink = 2;
	kd_reply_entry(expect_new(kd, FUSE_MKNOD, "g"), f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_nlink, 2);
	CHECK_EQ(f->given, 2);
	kd_check_balance(kd);
}

/* The answer to MKDIR names a directory that is in use above: it cannot be below itself. */
static void directory_made_in_itself(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_add_dir(kd, "d", 2);
	struct kd_call *c;

	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	c = kd_call_mkdir(kd, "d/e", 0700);
	expect_absent(kd, 2, "e");
	kd_reply_entry(kd_expect(kd, FUSE_MKDIR, 2), d);
	CHECK(kd_wait(c) < 0);
	kd_check_balance(kd);
}

static void read_only_mount(void)
{
	struct kd *kd = kd_new(.mount_flags = 1 /* MS_RDONLY */);

	FOR_EACH_MAKER(m) {
		struct kd_call *c = call_maker(kd, m, "x");

		expect_absent(kd, FUSE_ROOT_ID, "x");
		kd_finish(c, -EROFS);
	}
}

static void ids_of_the_caller(void)
{
	struct kd *kd = kd_new(.options = "allow_other");

	kd_as(kd, 1234, 5678);
	FOR_EACH_MAKER(m) {
		struct kd_call *c = call_maker(kd, m, "x");
		struct kd_req *r = expect_new(kd, m->opcode, "x");

		CHECK_EQ(r->in->uid, 1234);
		CHECK_EQ(r->in->gid, 5678);
		kd_reply_error(r, -EPERM);
		kd_finish(c, -EPERM);
	}
}

static const struct kernel_case cases[] = {
	CASE("mknod/types-and-devices", types_and_devices),
	CASE("mknod/umask-is-left-with-dont-mask", umask_is_left_with_dont_mask),
	CASE("mkdir/directory", directory),
	CASE("mkdir/parents-attributes-are-stale", parents_attributes_are_stale),
	CASE("mkdir/error-keeps-a-cached-absence", error_keeps_a_cached_absence),
	CASE("mkdir/directory-made-in-itself", directory_made_in_itself),
	CASE("symlink/with-target", symlink_with_target),
	CASE("symlink/longest-target", longest_target),
	CASE("make/errors-reach-the-caller", errors_reach_the_caller),
	CASE("make/existing-name", existing_name),
	CASE("make/eexist-ends-a-cached-absence", eexist_ends_a_cached_absence,
	     differs(stock, "6.1 goes on believing a cached absence after EEXIST; newer modules and ours ask again")),
	CASE("make/hostile-entries", hostile_entries),
	CASE("make/wrong-lengths", wrong_lengths),
	CASE("make/known-node-in-answer", known_node_in_answer),
	CASE("make/read-only-mount", read_only_mount),
	CASE("make/ids-of-the-caller", ids_of_the_caller),
};
KERNEL_CASES(cases);
