// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_killpriv.c: what takes the set-id bits and the capabilities of a file away, by which requests.
 */
#include <linux/falloc.h>
#include "data.h"

/* f, set-user-id and set-group-id, of 100 bytes, which everybody may write; callers are nobody special. */
static struct kd_node *special_file(struct kd *kd)
{
	struct kd_node *f = kd_add(kd, FUSE_ROOT_ID, "f", kd_node_new(kd, 2, S_IFREG | 06777, 100));

	kd_as(kd, 1000, 1000);
	return f;
}

/* The mode is asked for, for it may be old, and set without the bits; then @r is what comes. */
static struct kd_req *expect_drop(struct kd *kd, uint32_t opcode)
{
	struct kd_node *f = kd_node(kd, 2);
	struct kd_req *r;

	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	CHECK(ARG(r, fuse_setattr_in)->valid & FATTR_MODE);
	CHECK_EQ(ARG(r, fuse_setattr_in)->mode & 07777, 0777);
	if (opcode == FUSE_SETATTR)
		return r;
	f->attr.mode = S_IFREG | 0777;
	kd_reply_attr(r, f);
	return kd_expect(kd, opcode, 2);
}

/* The WRITE of a byte; a SETATTR that sets no mode may come before. */
static struct kd_req *expect_write(struct kd *kd)
{
	struct kd_req *r = kd_next(kd, kernel_ms(KD_WAIT_MS));

	if (r && r->opcode == FUSE_SETATTR) {
		CHECK(!(ARG(r, fuse_setattr_in)->valid & FATTR_MODE));
		kd_reply_attr(r, kd_node(kd, 2));
		r = kd_next(kd, kernel_ms(KD_WAIT_MS));
	}
	CHECK(r != NULL);
	CHECK_EQ(r->opcode, FUSE_WRITE);
	return r;
}

static void write_drops_them(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	int fd;

	special_file(kd);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(expect_drop(kd, FUSE_WRITE), 1);
	kd_finish(c, 1);
	/* Once. */
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
}

/* O_DIRECT on a file that others cache is as any write. */
static void direct_write_drops_them(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	special_file(kd);
	fd = kd_opened(kd, "f", O_WRONLY | O_DIRECT, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	r = expect_drop(kd, FUSE_WRITE);
	CHECK(ARG(r, fuse_write_in)->write_flags & FUSE_WRITE_KILL_SUIDGID);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
}

/* Of a FOPEN_DIRECT_IO file the daemon knows all; it is told that the bits are to go. */
static void direct_file_is_the_daemons(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	special_file(kd);
	fd = kd_opened(kd, "f", O_WRONLY, FOPEN_DIRECT_IO);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	r = data_expect_write(kd, 2, 0, 1);
	CHECK(ARG(r, fuse_write_in)->write_flags & FUSE_WRITE_KILL_SUIDGID);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
	kd_as(kd, 0, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	r = data_expect_write(kd, 2, 0, 1);
	CHECK(!(ARG(r, fuse_write_in)->write_flags & FUSE_WRITE_KILL_SUIDGID));
	kd_reply_write(r, 1);
	kd_finish(c, 1);
	CHECK_EQ(kd->count[FUSE_GETXATTR], 0);
}

static void truncation_drops_them(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_node *f;
	struct kd_call *c;
	struct kd_req *r;

	f = special_file(kd);
	c = kd_call_truncate(kd, "f", 10);
	r = expect_drop(kd, FUSE_SETATTR);
	CHECK(ARG(r, fuse_setattr_in)->valid & FATTR_SIZE);
	f->attr.mode = S_IFREG | 0777;
	f->attr.size = 10;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

static void fallocate_drops_them(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	int fd;

	special_file(kd);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_fallocate(kd, fd, FALLOC_FL_KEEP_SIZE, 0, 1);
	kd_reply_error(expect_drop(kd, FUSE_FALLOCATE), 0);
	kd_finish(c, 0);
}

/* Whoever does it, and the daemon learns of both at once. */
static void chown_drops_them(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_node *f;
	struct kd_call *c;
	struct kd_req *r;

	f = special_file(kd);
	kd_as(kd, 0, 0);
	c = kd_call_chown(kd, "f", 5, 6);
	r = expect_drop(kd, FUSE_SETATTR);
	CHECK_EQ(ARG(r, fuse_setattr_in)->valid & (FATTR_UID | FATTR_GID), FATTR_UID | FATTR_GID);
	CHECK_EQ(ARG(r, fuse_setattr_in)->uid, 5);
	CHECK_EQ(ARG(r, fuse_setattr_in)->gid, 6);
	f->attr.mode = S_IFREG | 0777;
	f->attr.uid = 5;
	f->attr.gid = 6;
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

/* One who may keep them keeps them. */
static void privileged_write_does_not(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	special_file(kd);
	kd_as(kd, 0, 0);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
}

/* Without execution by the group the bit means something else, and stays. */
static void locking_bit_stays(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	int fd;

	special_file(kd)->attr.mode = S_IFREG | S_ISGID | 0666;
	/* Of the group: others lose it since 6.2. */
	kd_as(kd, 1000, 0);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	kd_auto(kd, FUSE_GETATTR);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
}

/* The attributes were old: the daemon has dropped them already. */
static void bits_that_are_gone_are_not_set(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_node *f;
	struct kd_call *c;
	int fd;

	f = special_file(kd);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	f->attr.mode = S_IFREG | 0777;
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_reply_write(expect_write(kd), 1);
	kd_finish(c, 1);
}

/* The write fails with it. */
static void failed_drop_fails_the_write(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	int fd;

	special_file(kd);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_error(expect_drop(kd, FUSE_SETATTR), -EROFS);
	kd_finish(c, -EROFS);
}

/* ---- capabilities ------------------------------------------------------------- */

static void capabilities_are_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_GETXATTR);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	r = kd_expect(kd, FUSE_GETXATTR, 2);
	CHECK_STR(r->name, "security.capability");
	CHECK_EQ(ARG(r, fuse_getxattr_in)->size, 0);
	kd_reply_error(r, -ENODATA);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
}

static void enosys_ends_the_questions(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_GETXATTR);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_error(kd_expect(kd, FUSE_GETXATTR, 2), -ENOSYS);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_write(data_expect_write(kd, 2, 0, 1), 1);
	kd_finish(c, 1);
}

static void capabilities_are_removed(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	kd_manual(kd, FUSE_GETXATTR);
	kd_auto(kd, FUSE_GETATTR);
	fd = kd_opened(kd, "f", O_WRONLY, 0);
	c = kd_call_pwrite(kd, fd, "x", 1, 0);
	kd_reply_xattr_size(kd_expect(kd, FUSE_GETXATTR, 2), 20);
	while ((r = kd_next(kd, KD_WAIT_MS)) != NULL && r->opcode == FUSE_GETXATTR)
		kd_reply_xattr_size(r, 20);
	CHECK(r != NULL);
	CHECK_EQ(r->opcode, FUSE_REMOVEXATTR);
	CHECK_STR(r->name, "security.capability");
	kd_reply_error(r, 0);
	kd_reply_write(expect_write(kd), 1);
	kd_finish(c, 1);
}

static const struct kernel_case cases[] = {
	CASE("killpriv/write-drops-them", write_drops_them),
	CASE("killpriv/direct-write-drops-them", direct_write_drops_them),
	CASE("killpriv/direct-file-is-the-daemons", direct_file_is_the_daemons),
	CASE("killpriv/truncation-drops-them", truncation_drops_them),
	CASE("killpriv/fallocate-drops-them", fallocate_drops_them),
	CASE("killpriv/chown-drops-them", chown_drops_them),
	CASE("killpriv/privileged-write-does-not", privileged_write_does_not),
	CASE("killpriv/locking-bit-stays", locking_bit_stays),
	CASE("killpriv/bits-that-are-gone-are-not-set", bits_that_are_gone_are_not_set),
	CASE("killpriv/failed-drop-fails-the-write", failed_drop_fails_the_write),
	CASE("killpriv/capabilities-are-asked-for", capabilities_are_asked_for),
	CASE("killpriv/enosys-ends-the-questions", enosys_ends_the_questions),
	CASE("killpriv/capabilities-are-removed", capabilities_are_removed),
};
KERNEL_CASES(cases);
