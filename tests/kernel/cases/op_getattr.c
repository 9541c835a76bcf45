// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_getattr.c: GETATTR: what is asked, how long it is believed, what is not believed.
 */
#include <sys/sysmacros.h>
#include "daemon.h"

/* f, whose attributes are believed for @seconds, is known to the kernel. */
static struct kd_node *known_file(struct kd *kd, uint64_t seconds)
{
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;

	f->attr_valid = seconds;
	c = kd_call_stat(kd, "f", NULL);
	if (!seconds)
		kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	return f;
}

static void fields_reach_stat(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 12345);
	struct stat st;

	f->attr.ino = 777;
	f->attr.nlink = 3;
	f->attr.uid = 11;
	f->attr.gid = 12;
	f->attr.blocks = 99;
	f->attr.atimensec = 999999999;
	f->attr.mtimensec = 123456789;
	f->attr.ctimensec = 1;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 777);
	CHECK_EQ(st.st_nlink, 3);
	CHECK_EQ(st.st_uid, 11);
	CHECK_EQ(st.st_gid, 12);
	CHECK_EQ(st.st_size, 12345);
	CHECK_EQ(st.st_blocks, 99);
	CHECK_EQ(st.st_mode, S_IFREG | 0644);
	CHECK_EQ(st.st_atime, 1000);
	CHECK_EQ(st.st_mtime, 2000);
	CHECK_EQ(st.st_ctime, 3000);
	CHECK_EQ(st.st_atim.tv_nsec, 999999999);
	CHECK_EQ(st.st_mtim.tv_nsec, 123456789);
	CHECK_EQ(st.st_ctim.tv_nsec, 1);
}

/* blksize 0 says nothing: then it is the page's size. */
static void block_sizes_reach_stat(void)
{
	static const struct { uint32_t told, seen; } sizes[] = {
		{ 0, 4096 }, { 512, 512 }, { 1024, 1024 }, { 4096, 4096 }, { 65536, 65536 },
	};

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct kd *kd = kd_new();
		struct kd_node *f = kd_add_file(kd, "f", 2, 10);
		struct stat st;

		f->attr.blksize = sizes[i].told;
		kd_finish(kd_call_stat(kd, "f", &st), 0);
		CHECK_EQ(st.st_blksize, sizes[i].seen);
		kd_stop(kd);
	}
}

static void types_and_device_numbers(void)
{
	static const uint32_t types[] = { S_IFREG, S_IFDIR, S_IFLNK, S_IFCHR, S_IFBLK, S_IFIFO, S_IFSOCK };
	struct kd *kd = kd_new();
	char name[2] = "a";
	struct stat st;

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++, name[0]++) {
		struct kd_node *n = kd_add(kd, 1, name, kd_node_new(kd, 10 + i, types[i] | 07531, 0));

		/* As the kernel encodes them: minor bits 8 and up above the major. */
		n->attr.rdev = (70000u & 0xff) | 300 << 8 | (70000u & ~0xffu) << 12;
		kd_finish(kd_call_stat(kd, name, &st), 0);
		CHECK_EQ(st.st_mode, types[i] | 07531);
		if (S_ISCHR(types[i]) || S_ISBLK(types[i])) {
			CHECK_EQ(major(st.st_rdev), 300);
			CHECK_EQ(minor(st.st_rdev), 70000);
		}
	}
	kd_check_balance(kd);
}

static void negative_times(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;

	f->attr.mtime = (uint64_t)-5;
	f->attr.atime = 1ull << 33;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_mtime, -5);
	CHECK_EQ(st.st_atime, 1ll << 33);
}

/* More nanoseconds than a second has are cut. */
static void odd_nanoseconds(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;

	f->attr.mtimensec = UINT32_MAX;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK(st.st_mtim.tv_nsec < 1000000000);
}

/* ---- when it is asked -------------------------------------------------- */

static void root_is_asked_once(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "", NULL);
	struct kd_req *r;

	r = kd_expect(kd, FUSE_GETATTR, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_getattr_in *)r->arg)->getattr_flags, 0);
	kd_reply_attr(r, kd_root(kd));
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
}

static void zero_timeout_asks_again(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;

	f->attr_valid = 0;
	for (int i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_stat(kd, "f", &st);
		struct kd_req *r = kd_expect(kd, FUSE_GETATTR, 2);

		CHECK_EQ(((const struct fuse_getattr_in *)r->arg)->getattr_flags, 0);
		f->attr.size = 100 + (uint64_t)i;
		kd_reply_attr(r, f);
		kd_finish(c, 0);
		CHECK_EQ(st.st_size, 100 + i);
	}
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void long_timeout_does_not(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, KD_FOREVER);
	struct stat st;

	f->attr.size = 99;
	for (int i = 0; i < 3; i++)
		kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 10);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
}

static void timeout_in_nanoseconds(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	kd_auto(kd, FUSE_GETATTR);
	f->attr_valid = 0;
	f->attr_valid_nsec = 300000000;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	for (int i = 0; i < 30 && !kd->count[FUSE_GETATTR]; i++) {
		usleep(100000);
		kd_finish(kd_call_stat(kd, "f", NULL), 0);
	}
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
}

/* An answer that comes with a timeout is believed as a LOOKUP's is. */
static void answer_has_its_own_timeout(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	f->attr_valid = KD_FOREVER;
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
}

static long statx_flags(struct kd *kd, int flags, unsigned int mask)
{
	static uint8_t out[512];

	return kd_wait(kd_sys(kd, SYS_statx, AT_FDCWD, (long)kd_path(kd, "f"), flags, mask, (long)out));
}

static void forced_sync_asks_always(void)
{
	struct kd *kd = kd_new();

	known_file(kd, KD_FOREVER);
	kd_auto(kd, FUSE_GETATTR);
	CHECK_EQ(statx_flags(kd, 0x2000, STATX_BASIC_STATS), 0);	/* AT_STATX_FORCE_SYNC */
	CHECK_EQ(kd->count[FUSE_GETATTR], 1);
	CHECK_EQ(statx_flags(kd, 0x2000, STATX_BASIC_STATS), 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 2);
}

static void no_sync_never_asks(void)
{
	struct kd *kd = kd_new();

	known_file(kd, 0);
	CHECK_EQ(statx_flags(kd, 0x4000, STATX_BASIC_STATS), 0);	/* AT_STATX_DONT_SYNC */
}

static void error_reaches_the_caller(void)
{
	static const int errors[] = { EDOM, ENOSYS, ENOENT, ESTALE, 511 };
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct kd_call *c;

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i] == ESTALE)
			continue;
		c = kd_call_stat(kd, "f", NULL);
		kd_reply_error(kd_expect(kd, FUSE_GETATTR, 2), -errors[i]);
		kd_finish(c, -errors[i]);
	}
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
}

/* The path is walked again, with every entry asked for. */
static void estale_is_tried_twice(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_error(kd_expect(kd, FUSE_GETATTR, 2), -ESTALE);
	kd_reply_entry(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), f);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

/* fstat of an open file names no handle: the node is enough. */
static void fstat_asks_for_the_node(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int fd = kd_opened(kd, "f", O_RDONLY, 0);
	struct kd_call *c;
	struct kd_req *r;

	f->attr_valid = 0;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	c = kd_sys(kd, SYS_statx, fd, (long)"", AT_EMPTY_PATH | 0x2000, STATX_BASIC_STATS, (long)(uint8_t[512]){ 0 });
	r = kd_expect(kd, FUSE_GETATTR, 2);
	CHECK_EQ(((const struct fuse_getattr_in *)r->arg)->getattr_flags, 0);
	CHECK_EQ(((const struct fuse_getattr_in *)r->arg)->fh, 0);
	kd_reply_attr(r, f);
	kd_finish(c, 0);
}

/* A write that appends needs the size, and has a handle to ask by. */
static void append_asks_by_handle(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	f->attr_valid = 0;
	fd = kd_opened(kd, "f", O_WRONLY | O_APPEND, 0);
	c = kd_call_write(kd, fd, "x", 1);
	r = kd_next(kd, KD_WAIT_MS);
	CHECK(r != NULL);
	if (r->opcode == FUSE_GETATTR) {
		const struct fuse_getattr_in *in = r->arg;

		CHECK(in->getattr_flags == 0 || in->fh == 0x1000);
		kd_reply_attr(r, f);
		r = kd_expect(kd, FUSE_WRITE, 2);
	}
	CHECK_EQ(r->opcode, FUSE_WRITE);
	CHECK_EQ(((const struct fuse_write_in *)r->arg)->offset, 10);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
}

/* Attributes asked for before they were changed by somebody else do not come back. */
static void old_answer_does_not_undo_a_newer(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct kd_call *s = kd_call_stat(kd, "f", NULL), *t;
	struct kd_req *old = kd_expect(kd, FUSE_GETATTR, 2), *r;
	struct stat st;

	t = kd_call_truncate(kd, "f", 5000);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	f->attr.size = 5000;
	f->attr_valid = KD_FOREVER;
	kd_reply_attr(r, f);
	kd_finish(t, 0);
	f->attr.size = 10;
	kd_reply_attr(old, f);
	kd_finish(s, 0);
	f->attr.size = 5000;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 5000);
}

/* ---- hostile answers ---------------------------------------------------- */

/* f's answer to GETATTR is spoilt: EIO now, and whenever it is used again. */
static void check_spoils(void (*spoil)(struct fuse_attr *attr))
{
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct fuse_attr_out out = kd_attr(f);

	spoil(&out.attr);
	kd_reply(kd_expect(kd, FUSE_GETATTR, 2), &out, sizeof(out));
	kd_finish(c, -EIO);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void make_dir(struct fuse_attr *attr)
{
	attr->mode = S_IFDIR | 0755;
}

static void make_nothing(struct fuse_attr *attr)
{
	attr->mode = 0644;
}

static void make_huge(struct fuse_attr *attr)
{
	attr->size = 1ull << 63;
}

static void type_cannot_change(void)
{
	check_spoils(make_dir);
}

static void type_must_be(void)
{
	check_spoils(make_nothing);
}

static void size_must_fit(void)
{
	check_spoils(make_huge);
}

/* What became bad stays so for those who have it, and is found anew by name. */
static void bad_file_stays_bad(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int fd = kd_opened(kd, "f", O_RDONLY, 0);
	struct fuse_attr_out out;
	struct kd_call *c;
	char byte;

	kd_notify_inval_inode(kd, 2, -1, 0);
	c = kd_call_fstat(kd, fd, NULL);
	out = kd_attr(f);
	out.attr.mode = S_IFDIR | 0755;
	kd_reply(kd_expect(kd, FUSE_GETATTR, 2), &out, sizeof(out));
	kd_finish(c, -EIO);
	kd_finish(kd_call_fstat(kd, fd, NULL), -EIO);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 0), -EIO);
	kd_finish(kd_call_close(kd, fd), -EIO);
	kd_shrink(kd);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = { 0, 1, 8, 96, sizeof(struct fuse_attr_out) - 1,
					  sizeof(struct fuse_attr_out) + 1, 4096 };
	struct kd *kd = kd_new();
	struct kd_node *f = known_file(kd, 0);
	struct fuse_attr_out out = kd_attr(f);
	uint8_t body[4096] = { 0 };

	memcpy(body, &out, sizeof(out));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_stat(kd, "f", NULL);

		CHECK_EQ(kd_try_reply(kd_expect(kd, FUSE_GETATTR, 2), 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

static void spoilt_root(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "", NULL);
	struct fuse_attr_out out = kd_attr(kd_root(kd));

	out.attr.mode = S_IFREG | 0644;
	kd_reply(kd_expect(kd, FUSE_GETATTR, FUSE_ROOT_ID), &out, sizeof(out));
	kd_finish(c, -EIO);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static const struct kernel_case cases[] = {
	CASE("getattr/fields-reach-stat", fields_reach_stat),
	CASE("getattr/block-sizes-reach-stat", block_sizes_reach_stat),
	CASE("getattr/types-and-device-numbers", types_and_device_numbers),
	CASE("getattr/negative-times", negative_times),
	CASE("getattr/odd-nanoseconds", odd_nanoseconds),
	CASE("getattr/root-is-asked-once", root_is_asked_once),
	CASE("getattr/zero-timeout-asks-again", zero_timeout_asks_again),
	CASE("getattr/long-timeout-does-not", long_timeout_does_not),
	CASE("getattr/timeout-in-nanoseconds", timeout_in_nanoseconds),
	CASE("getattr/answer-has-its-own-timeout", answer_has_its_own_timeout),
	CASE("getattr/forced-sync-asks-always", forced_sync_asks_always),
	CASE("getattr/no-sync-never-asks", no_sync_never_asks),
	CASE("getattr/error-reaches-the-caller", error_reaches_the_caller),
	CASE("getattr/estale-is-tried-twice", estale_is_tried_twice),
	CASE("getattr/fstat-asks-for-the-node", fstat_asks_for_the_node),
	CASE("getattr/append-asks-by-handle", append_asks_by_handle),
	CASE("getattr/old-answer-does-not-undo-a-newer", old_answer_does_not_undo_a_newer),
	CASE("getattr/type-cannot-change", type_cannot_change),
	CASE("getattr/type-must-be", type_must_be),
	CASE("getattr/size-must-fit", size_must_fit),
	CASE("getattr/bad-file-stays-bad", bad_file_stays_bad),
	CASE("getattr/wrong-lengths", wrong_lengths),
	CASE("getattr/spoilt-root", spoilt_root),
};
KERNEL_CASES(cases);
