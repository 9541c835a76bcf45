// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_tmpfile.c: TMPFILE: a file without a name, which may get one later.
 */
#include "names.h"

static struct kd *start(void)
{
	struct kd *kd = kd_new();

	if (kd->init_in.minor < 37)
		SKIP("TMPFILE is of 7.37, this kernel speaks 7.%u", kd->init_in.minor);
	return kd;
}

static struct kd_call *call_tmpfile(struct kd *kd)
{
	return kd_call_open(kd, "", O_TMPFILE | O_RDWR, 0640);
}

static int made(struct kd *kd, struct kd_node *node)
{
	struct kd_call *c = call_tmpfile(kd);
	struct kd_req *r = kd_expect(kd, FUSE_TMPFILE, FUSE_ROOT_ID);
	const struct fuse_create_in *in = r->arg;
	int fd;

	CHECK_EQ(in->mode, S_IFREG | 0640);
	CHECK_EQ(in->flags & O_ACCMODE, O_RDWR);
	kd_reply_create(r, node, 9, 0);
	fd = (int)kd_wait(c);
	CHECK(fd >= 0);
	return fd;
}

static void makes_and_opens(void)
{
	struct kd *kd = start();
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_req *r;
	struct kd_call *c;
	struct stat st;
	int fd;

	f->attr.nlink = 0;
	fd = made(kd, f);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(st.st_nlink, 0);
	c = kd_call_write(kd, fd, "x", 1);
	r = kd_expect(kd, FUSE_WRITE, 2);
	CHECK_EQ(((const struct fuse_write_in *)r->arg)->fh, 9);
	kd_reply_write(r, 1);
	kd_finish(c, 1);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
}

static struct kd_call *link_fd(struct kd *kd, int fd, const char *name)
{
	return kd_sys(kd, SYS_linkat, fd, (long)"", AT_FDCWD, (long)kd_path(kd, name), AT_EMPTY_PATH);
}

static void gets_a_name(void)
{
	struct kd *kd = start();
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_call *c;
	struct kd_req *r;
	struct stat st;
	int fd;

	f->attr.nlink = 0;
	fd = made(kd, f);
	c = link_fd(kd, fd, "f");
	expect_absent(kd, FUSE_ROOT_ID, "f");
	r = kd_expect(kd, FUSE_LINK, FUSE_ROOT_ID);
	CHECK_EQ(((const struct fuse_link_in *)r->arg)->oldnodeid, 2);
	CHECK_STR(r->name, "f");
	f->attr.nlink = 1;
	kd_reply_entry(r, f);
	kd_finish(c, 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(st.st_nlink, 1);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* O_EXCL: it shall never get one. */
static void gets_no_name_with_excl(void)
{
	struct kd *kd = start();
	struct kd_node *f = kd_file(kd, 2, 0);
	struct kd_call *c = kd_call_open(kd, "", O_TMPFILE | O_RDWR | O_EXCL, 0640);
	struct kd_req *r = kd_expect(kd, FUSE_TMPFILE, FUSE_ROOT_ID);
	int fd;

	f->attr.nlink = 0;
	kd_reply_create(r, f, 9, 0);
	fd = (int)kd_wait(c);
	CHECK(fd >= 0);
	c = link_fd(kd, fd, "f");
	expect_absent(kd, FUSE_ROOT_ID, "f");
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd->count[FUSE_LINK], 0);
}

/* Daemons answer as to CREATE, with one link. */
static void may_claim_a_link(void)
{
	struct kd *kd = start();
	int fd = made(kd, kd_file(kd, 2, 0));

	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

static void enosys_is_latched(void)
{
	struct kd *kd = start();
	struct kd_call *c = call_tmpfile(kd);

	kd_reply_error(kd_expect(kd, FUSE_TMPFILE, FUSE_ROOT_ID), -ENOSYS);
	kd_finish(c, -EOPNOTSUPP);
	kd_finish(call_tmpfile(kd), -EOPNOTSUPP);
	CHECK_EQ(kd->count[FUSE_TMPFILE], 1);
}

static void errors_reach_the_caller(void)
{
	struct kd *kd = start();

	for (int error = ENOSPC; error <= EROFS; error++) {
		struct kd_call *c = call_tmpfile(kd);

		kd_reply_error(kd_expect(kd, FUSE_TMPFILE, FUSE_ROOT_ID), -error);
		kd_finish(c, -error);
	}
}

static void hostile_entries(void)
{
	struct kd *kd = start();

	for (int how = 0; how < 4; how++) {
		struct kd_call *c = call_tmpfile(kd);
		struct kd_req *r = kd_expect(kd, FUSE_TMPFILE, FUSE_ROOT_ID);
		struct {
			struct fuse_entry_out entry;
			struct fuse_open_out open;
		} out = { .entry = kd_entry(kd_file(kd, 10 + (uint64_t)how, 0)) };

		if (how < 2)
			out.entry.nodeid = (uint64_t)how;
		else if (how == 2)
			out.entry.attr.mode = S_IFDIR | 0755;
		else
			out.entry.attr.size = UINT64_MAX;
		kd_reply(r, &out, sizeof(out));
		kd_finish(c, -EIO);
		kd_settle(kd, 10);
	}
}

static const struct kernel_case cases[] = {
	CASE("tmpfile/makes-and-opens", makes_and_opens),
	CASE("tmpfile/gets-a-name", gets_a_name),
	CASE("tmpfile/gets-no-name-with-excl", gets_no_name_with_excl),
	CASE("tmpfile/may-claim-a-link", may_claim_a_link),
	CASE("tmpfile/enosys-is-latched", enosys_is_latched),
	CASE("tmpfile/errors-reach-the-caller", errors_reach_the_caller),
	CASE("tmpfile/hostile-entries", hostile_entries),
};
KERNEL_CASES(cases);
