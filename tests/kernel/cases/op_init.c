// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_init.c: INIT: what the kernel offers, which answers it takes, and what it does
 * with those that it does not.
 */
#include <stdio.h>
#include <sys/statfs.h>
#include <stdlib.h>
#include "daemon.h"

/* The connection works: a LOOKUP goes out, its answer comes back. */
static void check_alive(struct kd *kd)
{
	struct kd_call *c = kd_call_stat(kd, "alive", NULL);

	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* The connection was refused: nobody gets in, nothing is asked. */
static void check_refused(struct kd *kd)
{
	kd_finish(kd_call_stat(kd, "refused", NULL), -ECONNREFUSED);
	kd_no_request(kd, 20);
}

static void is_first_and_alone(void)
{
	struct kd *kd = kd_new(.no_init = true, .fail_mount = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_init_request(kd);

	CHECK_EQ(kd->init_in.major, FUSE_KERNEL_VERSION);
	CHECK(kd->init_in.minor >= KD_MINOR);
	CHECK(kd->offered & FUSE_INIT_EXT);
	CHECK_EQ(r->len, sizeof(struct fuse_in_header) + sizeof(struct fuse_init_in));
	CHECK_EQ(r->nodeid, 0);
	/* Nobody gets in before it is answered. */
	kd_no_request(kd, 50);
	kd_check_blocked(c);
	kd_reply_init(r);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	kd_finish(c, -ENOENT);
}

static void header_and_rest_are_clean(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	static const uint32_t zeros[sizeof(kd->init_in.unused) / sizeof(uint32_t)];

	CHECK_MEM(kd->init_in.unused, zeros, sizeof(zeros));
	CHECK_EQ(r->in->uid, 0);
	CHECK_EQ(r->in->gid, 0);
	CHECK_EQ(r->in->pid, 0);
	CHECK_EQ(r->in->total_extlen, 0);
	CHECK(r->unique != 0 && !(r->unique & 1));
	CHECK_EQ(kd->init_in.max_readahead, 128 << 10);
}

/* The set that our module offers; the stock one offers more. */
static void offers_the_core(void)
{
	struct kd *kd = kd_new();
	const uint64_t core = FUSE_ASYNC_READ | FUSE_ATOMIC_O_TRUNC | FUSE_BIG_WRITES | FUSE_DONT_MASK |
		FUSE_HAS_IOCTL_DIR | FUSE_AUTO_INVAL_DATA | FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO |
		FUSE_ASYNC_DIO | FUSE_NO_OPEN_SUPPORT | FUSE_PARALLEL_DIROPS | FUSE_ABORT_ERROR |
		FUSE_MAX_PAGES | FUSE_CACHE_SYMLINKS | FUSE_NO_OPENDIR_SUPPORT | FUSE_EXPLICIT_INVAL_DATA |
		FUSE_INIT_EXT;

	CHECK_EQ(kd->offered & core, core);
}

static void does_not_offer_what_comes_later(void)
{
	struct kd *kd = kd_new();
	const uint64_t later = FUSE_WRITEBACK_CACHE | FUSE_POSIX_ACL | FUSE_POSIX_LOCKS | FUSE_FLOCK_LOCKS |
		FUSE_EXPORT_SUPPORT | FUSE_HANDLE_KILLPRIV_V2 | FUSE_SPLICE_MOVE;

	CHECK_EQ(kd->offered & later, 0);
}

/* ---- the daemon's minor ---------------------------------------------- */

static void check_minor(uint32_t minor)
{
	struct kd *kd = kd_new(.minor = minor);
	struct kd_node *f = kd_add_file(kd, "f", 2, 100);
	struct kd_call *c;
	struct statfs fs;
	struct stat st;

	f->attr_valid = 0;
	f->attr.blksize = 512;
	c = kd_call_stat(kd, "f", &st);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 0);
	CHECK_EQ(st.st_size, 100);
	CHECK_EQ(st.st_blksize, 512);
	kd_auto(kd, FUSE_STATFS);
	kd_finish(kd_call_statfs(kd, "", &fs), 0);
	CHECK_EQ(fs.f_blocks, 1000);
	CHECK_EQ(fs.f_namelen, 255);
	kd_check_balance(kd);
	kd_stop(kd);
}

static void every_minor(void)
{
	for (uint32_t minor = 12; minor <= KD_MINOR; minor++)
		check_minor(minor);
}

static void newer_minor_is_taken(void)
{
	check_minor(99);
}

static void answer_of_24_bytes(void)
{
	check_alive(kd_new(.init_len = FUSE_COMPAT_22_INIT_OUT_SIZE));
}

static void answer_of_64_bytes_from_old_minor(void)
{
	check_alive(kd_new(.minor = 12, .init_len = sizeof(struct fuse_init_out)));
}

static void answer_of_8_bytes(void)
{
	check_alive(kd_new(.init_len = 8));
}

/* Every length up to the whole: whatever is not there counts as zero. */
static void answers_cut_anywhere(void)
{
	for (uint32_t len = 12; len < sizeof(struct fuse_init_out); len += 4) {
		struct kd *kd = kd_new(.init_len = len);

		check_alive(kd);
		kd_stop(kd);
	}
}

/* ---- refused answers -------------------------------------------------- */

static void error_refuses(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_error(kd_init_request(kd), -EPERM);
	kd_finish(c, -ECONNREFUSED);
	check_refused(kd);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void empty_answer_refuses(void)
{
	struct kd *kd = kd_new(.no_init = true);

	kd_reply_error(kd_init_request(kd), 0);
	check_refused(kd);
}

static void check_major_refused(uint32_t major)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	struct fuse_init_out out;
	size_t len = kd_init_answer(kd, &out);

	out.major = major;
	kd_reply(r, &out, len);
	check_refused(kd);
}

static void bad_major_refuses(void)
{
	check_major_refused(0);
	check_major_refused(FUSE_KERNEL_VERSION - 1);
	check_major_refused(FUSE_KERNEL_VERSION + 1);
	check_major_refused(UINT32_MAX);
}

static void long_answer_refuses(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	uint8_t body[sizeof(struct fuse_init_out) + 1] = { 0 };
	struct fuse_init_out out;

	kd_init_answer(kd, &out);
	memcpy(body, &out, sizeof(out));
	CHECK_EQ(kd_try_reply(r, 0, body, sizeof(body)), -EINVAL);
	check_refused(kd);
}

/* A reply with an error that no reply may have is not one: the right one is still taken. */
static void bad_error_changes_nothing(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);

	CHECK_EQ(kd_try_reply(r, 5, NULL, 0), -EINVAL);
	CHECK_EQ(kd_try_reply(r, -512, NULL, 0), -EINVAL);
	CHECK_EQ(kd_try_reply(r, INT32_MIN, NULL, 0), -EINVAL);
	kd_reply_init(r);
	check_alive(kd);
}

static void second_answer_is_unknown(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	struct fuse_init_out out;
	size_t len = kd_init_answer(kd, &out);

	kd_reply(r, &out, len);
	CHECK_EQ(kd_try_reply(r, 0, &out, len), -ENOENT);
	CHECK_EQ(kd_try_reply(r, -EIO, NULL, 0), -ENOENT);
	check_alive(kd);
}

/* A connection that never was gets no DESTROY. */
static void refused_fuseblk_unmounts(void)
{
	struct kd *kd = kd_new(.type = "fuseblk", .no_init = true);

	kd_reply_error(kd_init_request(kd), -EIO);
	check_refused(kd);
	kd_manual(kd, FUSE_DESTROY);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void unanswered_init_does_not_hold_umount(void)
{
	struct kd *kd = kd_new(.no_init = true);

	kd_init_request(kd);
	CHECK_EQ(kd_umount(kd, 0), 0);
	kd_no_request(kd, 20);
	CHECK(kd->dead);
}

static void daemon_dies_before_answering(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_init_request(kd);
	kd_check_blocked(c);
	kd_die(kd);
	kd_finish(c, -ENOTCONN);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
}

/* Whoever waits for it can be killed. */
static void waiter_can_be_killed(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c;

	kd_as_process(kd);
	c = kd_call_stat(kd, "f", NULL);
	kd_check_blocked(c);
	kd_signal(c, 9);
	kd_expect(kd, FUSE_INIT, 0);
	CHECK_EQ(kd_wait_killed(c), 9);
}

/* ---- what the answer's fields do --------------------------------------- */

static void unknown_flags_are_ignored(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	struct fuse_init_out out;
	size_t len = kd_init_answer(kd, &out);

	out.flags |= FUSE_INIT_EXT;
	out.flags2 = 0x3ffc0000;	/* bits 50 to 61 */
	kd_reply(r, &out, len);
	check_alive(kd);
}

/* Opens a file of 1 MiB for writing, direct. */
static int open_direct(struct kd *kd)
{
	kd_add_file(kd, "f", 2, 1 << 20);
	return kd_opened(kd, "f", O_RDWR | O_DIRECT, FOPEN_DIRECT_IO);
}

/* The sizes of the requests that a direct write of 1 MiB becomes are all @size. */
static void check_write_size(struct kd *kd, uint32_t size)
{
	int fd = open_direct(kd);
	void *buf = aligned_alloc(4096, 1 << 20);
	struct kd_call *c;

	memset(buf, 7, 1 << 20);
	c = kd_call_pwrite(kd, fd, buf, 1 << 20, 0);
	for (uint32_t done = 0; done < 1 << 20; done += size) {
		struct kd_req *r = kd_expect(kd, FUSE_WRITE, 2);
		const struct fuse_write_in *in = r->arg;

		CHECK_EQ(in->size, size);
		CHECK_EQ(in->offset, done);
		kd_reply_write(r, size);
	}
	kd_finish(c, 1 << 20);
}

static void max_write_is_kept(void)
{
	check_write_size(kd_new(.max_write = 65536), 65536);
}

static void max_write_is_a_page_at_least(void)
{
	check_write_size(kd_new(.max_write = 1), 4096);
}

static void max_write_without_max_pages(void)
{
	check_write_size(kd_new(.max_write = 1 << 20, .flags = FUSE_BIG_WRITES), 128 << 10);
}

static void max_pages_allows_a_mebibyte(void)
{
	check_write_size(kd_new(.max_write = 1 << 20, .max_pages = 256), 1 << 20);
}

static void max_pages_of_one(void)
{
	check_write_size(kd_new(.max_write = 1 << 20, .max_pages = 1), 4096);
}

static void max_pages_of_zero_is_one(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_req *r = kd_init_request(kd);
	struct fuse_init_out out;
	size_t len = kd_init_answer(kd, &out);

	out.max_pages = 0;
	kd_reply(r, &out, len);
	check_write_size(kd, 4096);
}

/* Direct reads: as large as max_pages allows. */
static void max_pages_for_reads(void)
{
	struct kd *kd = kd_new(.max_write = 1 << 20, .max_pages = 256);
	int fd = open_direct(kd);
	void *buf = aligned_alloc(4096, 1 << 20);
	struct kd_call *c = kd_call_pread(kd, fd, buf, 1 << 20, 0);
	struct kd_req *r = kd_expect(kd, FUSE_READ, 2);
	const struct fuse_read_in *in = r->arg;

	CHECK_EQ(in->size, 1 << 20);
	kd_reply(r, buf, 1 << 20);
	kd_finish(c, 1 << 20);
}

static long read_ahead_kb(struct kd *kd)
{
	char path[128], text[32] = "";
	int fd;
	ssize_t n;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u%s/read_ahead_kb", kd->conn >> 20,
		 kd->conn & 0xfffff, kd->disk_fd >= 0 ? "-fuseblk" : "");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 && access("/sys/class", F_OK) < 0)
		SKIP("no sysfs here");
	if (fd < 0)
		FAIL("%s: %s", path, strerror(errno));
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n < 0 ? -errno : atol(text);
}

static void max_readahead_limits_the_bdi(void)
{
	CHECK_EQ(read_ahead_kb(kd_new(.max_readahead = 16384)), 16);
	CHECK_EQ(read_ahead_kb(kd_new(.max_readahead = 1 << 20)), 128);
	CHECK_EQ(read_ahead_kb(kd_new(.type = "fuseblk", .max_readahead = 32768)), 32);
}

static void background_limits_reach_fusectl(void)
{
	struct kd *kd = kd_new(.max_background = 77, .congestion_threshold = 55);

	CHECK_EQ(kd_ctl_read(kd, "max_background"), 77);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 55);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void old_minor_has_no_background_limits(void)
{
	struct kd *kd = kd_new(.minor = 12, .max_background = 77, .congestion_threshold = 55);

	CHECK_EQ(kd_ctl_read(kd, "max_background"), 12);
	CHECK_EQ(kd_ctl_read(kd, "congestion_threshold"), 9);
}

static void check_granularity(uint32_t gran, uint32_t nsec)
{
	struct kd *kd = kd_new(.time_gran = gran);
	struct timespec times[2] = { { 5, 123456789 }, { 6, 123456789 } };
	const struct fuse_setattr_in *in;
	struct kd_call *c;
	struct kd_req *r;

	kd_add_file(kd, "f", 2, 10);
	c = kd_call_utimens(kd, "f", times);
	r = kd_expect(kd, FUSE_SETATTR, 2);
	in = r->arg;
	CHECK_EQ(in->mtimensec, nsec);
	CHECK_EQ(in->atimensec, nsec);
	CHECK_EQ(in->mtime, 6);
	kd_reply_attr(r, kd_node(kd, 2));
	kd_finish(c, 0);
	kd_stop(kd);
}

static void time_granularity_truncates(void)
{
	check_granularity(1, 123456789);
	check_granularity(100, 123456700);
	check_granularity(1000000, 123000000);
	check_granularity(1000000000, 0);
	/* More than a second is not believed. */
	check_granularity(1000000001, 123456789);
}

static void check_umask(uint64_t flags, uint32_t mode)
{
	struct kd *kd = kd_new(.flags = flags);
	const struct fuse_mkdir_in *in;
	struct kd_call *c;
	struct kd_req *r;

	c = kd_call_mkdir(kd, "d", 0777);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), -ENOENT);
	r = kd_expect(kd, FUSE_MKDIR, FUSE_ROOT_ID);
	in = r->arg;
	CHECK_EQ(in->umask, 022);
	CHECK_EQ(in->mode, mode);
	kd_reply_entry(r, kd_dir(kd, 2));
	kd_finish(c, 0);
	kd_stop(kd);
}

static void dont_mask_leaves_the_umask(void)
{
	check_umask(FUSE_BIG_WRITES, 0755);
	check_umask(FUSE_DONT_MASK, 0777);
}

/* ---- fuseblk and fsopen ------------------------------------------------ */

/* The life of a mount on a device: DESTROY comes last, and umount waits for its reply. */
static void fuseblk_lives(void)
{
	struct kd *kd = kd_new(.type = "fuseblk", .fail_mount = true);
	struct stat st, disk;
	struct kd_call *c;

	CHECK_EQ(fstat(kd->disk_fd, &disk), 0);
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_dev, disk.st_rdev);
	c = kd_sys(kd, SYS_umount2, (long)kd->mnt, 0);
	kd_reply_error(kd_expect(kd, FUSE_DESTROY, 0), 0);
	kd_finish(c, 0);
	kd_no_request(kd, 20);
	CHECK(kd->dead);
	CHECK_EQ(kd->dead_error, -ENODEV);
}

static void fsopen_mounts(void)
{
	check_alive(kd_new(.use_fsopen = true, .fail_mount = true));
	check_alive(kd_new(.use_fsopen = true, .type = "fuseblk"));
}

static void abort_error_is_told_apart(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ABORT_ERROR);

	kd_need(kd, FUSE_ABORT_ERROR);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->dead_error, -ECONNABORTED);
	kd = kd_new();
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->dead_error, -ENODEV);
}

static const struct kernel_case cases[] = {
	CASE("init/is-first-and-alone", is_first_and_alone),
	CASE("init/header-and-rest-are-clean", header_and_rest_are_clean),
	CASE("init/offers-the-core", offers_the_core),
	CASE("init/does-not-offer-what-comes-later", does_not_offer_what_comes_later,
	     differs(stock, "it offers the writeback cache, ACLs, remote locks, NFS export, killpriv v2 and page moves")),
	CASE("init/every-minor", every_minor),
	CASE("init/newer-minor-is-taken", newer_minor_is_taken),
	CASE("init/answer-of-24-bytes", answer_of_24_bytes),
	CASE("init/answer-of-64-bytes-from-old-minor", answer_of_64_bytes_from_old_minor),
	CASE("init/answer-of-8-bytes", answer_of_8_bytes),
	CASE("init/answers-cut-anywhere", answers_cut_anywhere),
	CASE("init/error-refuses", error_refuses),
	CASE("init/empty-answer-refuses", empty_answer_refuses),
	CASE("init/bad-major-refuses", bad_major_refuses),
	CASE("init/long-answer-refuses", long_answer_refuses),
	CASE("init/bad-error-changes-nothing", bad_error_changes_nothing),
	CASE("init/second-answer-is-unknown", second_answer_is_unknown),
	CASE("init/refused-fuseblk-unmounts", refused_fuseblk_unmounts),
	CASE("init/unanswered-does-not-hold-umount", unanswered_init_does_not_hold_umount),
	CASE("init/daemon-dies-before-answering", daemon_dies_before_answering),
	CASE("init/waiter-can-be-killed", waiter_can_be_killed),
	CASE("init/unknown-flags-are-ignored", unknown_flags_are_ignored),
	CASE("init/max-write-is-kept", max_write_is_kept),
	CASE("init/max-write-is-a-page-at-least", max_write_is_a_page_at_least),
	CASE("init/max-write-without-max-pages", max_write_without_max_pages),
	CASE("init/max-pages-allows-a-mebibyte", max_pages_allows_a_mebibyte),
	CASE("init/max-pages-of-one", max_pages_of_one),
	CASE("init/max-pages-of-zero-is-one", max_pages_of_zero_is_one),
	CASE("init/max-pages-for-reads", max_pages_for_reads),
	CASE("init/max-readahead-limits-the-bdi", max_readahead_limits_the_bdi),
	CASE("init/background-limits-reach-fusectl", background_limits_reach_fusectl),
	CASE("init/old-minor-has-no-background-limits", old_minor_has_no_background_limits),
	CASE("init/time-granularity-truncates", time_granularity_truncates),
	CASE("init/dont-mask-leaves-the-umask", dont_mask_leaves_the_umask),
	CASE("init/fuseblk-lives", fuseblk_lives),
	CASE("init/fsopen-mounts", fsopen_mounts),
	CASE("init/abort-error-is-told-apart", abort_error_is_told_apart),
};
KERNEL_CASES(cases);
