// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_forget.c: FORGET and BATCH_FORGET: when they come, in which form, and that they
 * neither starve nor are starved.
 */
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include "daemon.h"

#define FIRST 1000ull			/* node id of the first of many files */

/* @count files, each looked up once. (What memory pressure evicts meanwhile makes newer kernels ask for attributes.) */
static void know_files(struct kd *kd, unsigned int count)
{
	char name[16];

	kd_auto(kd, FUSE_GETATTR);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		kd_add_file(kd, name, FIRST + i, 10);
		kd_finish(kd_call_stat(kd, name, NULL), 0);
	}
}

/* Drop what is cached without reading a request: FORGETs never wait for the daemon. */
static void shrink_unserved(struct kd *kd)
{
	CHECK_EQ(mount("none", kd->mnt, "none", MS_REMOUNT, NULL), 0);
}

/* The next request, whatever it is. Not traced. NULL: none. */
static struct fuse_in_header *next_raw(struct kd *kd, size_t size)
{
	static uint8_t buffer[1 << 20];
	ssize_t n = kd_read_raw(kd, buffer, size);

	if (n == -EAGAIN)
		return NULL;
	if (n < 0)
		FAIL("read: %s", case_value(n));
	CHECK_EQ(((struct fuse_in_header *)buffer)->len, n);
	return (struct fuse_in_header *)buffer;
}

static void one_comes_as_forget(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;

	know_files(kd, 1);
	shrink_unserved(kd);
	r = kd_expect(kd, FUSE_FORGET, FIRST);
	CHECK_EQ(((const struct fuse_forget_in *)r->arg)->nlookup, 1);
	kd_no_request(kd, 20);
}

static void many_come_as_a_batch(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;

	know_files(kd, 20);
	shrink_unserved(kd);
	r = kd_expect(kd, FUSE_BATCH_FORGET, 0);
	CHECK_EQ(((const struct fuse_batch_forget_in *)r->arg)->count, 20);
	CHECK_EQ(r->nodeid, 0);
	for (size_t i = 0; i < 20; i++)
		CHECK_EQ(((const struct fuse_forget_one *)r->data)[i].nlookup, 1);
	kd_no_request(kd, 20);
}

static void old_minor_gets_no_batches(void)
{
	struct kd *kd = kd_new(.minor = 15);

	know_files(kd, 20);
	shrink_unserved(kd);
	for (int i = 0; i < 20; i++)
		kd_expect(kd, FUSE_FORGET, 0);
	kd_no_request(kd, 20);
}

static void minor_16_gets_batches(void)
{
	struct kd *kd = kd_new(.minor = 16);

	know_files(kd, 20);
	shrink_unserved(kd);
	kd_expect(kd, FUSE_BATCH_FORGET, 0);
}

/* What does not fit waits for the next read. */
static void batch_fits_the_buffer(void)
{
	struct kd *kd = kd_new(.max_write = 4096);
	const size_t fit = (8192 - sizeof(struct fuse_in_header) - sizeof(struct fuse_batch_forget_in)) /
		sizeof(struct fuse_forget_one);
	unsigned int seen = 0, count = (unsigned int)fit + 30;
	struct fuse_in_header *in;

	know_files(kd, count);
	shrink_unserved(kd);
	for (in = next_raw(kd, 8192); in; in = next_raw(kd, 8192)) {
		struct fuse_batch_forget_in *batch = (struct fuse_batch_forget_in *)(in + 1);

		CHECK_EQ(in->opcode, FUSE_BATCH_FORGET);
		CHECK_EQ(batch->count, seen ? 30 : fit);
		seen += batch->count;
	}
	CHECK_EQ(seen, count);
}

/* There is no reply to it: nobody waits for one. */
static void has_no_reply(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;

	know_files(kd, 1);
	shrink_unserved(kd);
	r = kd_expect(kd, FUSE_FORGET, FIRST);
	CHECK_EQ(kd_try_reply(r, 0, NULL, 0), -ENOENT);
	know_files(kd, 2);
}

static void counts_are_summed(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct kd_req *r;

	f->entry_valid = 0;
	for (int i = 0; i < 7; i++)
		kd_finish(kd_call_stat(kd, "f", NULL), 0);
	shrink_unserved(kd);
	r = kd_expect(kd, FUSE_FORGET, 2);
	CHECK_EQ(((const struct fuse_forget_in *)r->arg)->nlookup, 7);
}

static void unlinked_file_is_forgotten_at_once(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	know_files(kd, 1);
	c = kd_call_unlink(kd, "f0");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), 0);
	kd_expect(kd, FUSE_FORGET, FIRST);
	kd_finish(c, 0);
}

/* Not while it is open: RELEASE comes before FORGET. */
static void open_file_is_kept(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	know_files(kd, 1);
	fd = kd_opened(kd, "f0", O_RDONLY, 0);
	c = kd_call_unlink(kd, "f0");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	kd_no_request(kd, 50);
	CHECK_EQ(kd->count[FUSE_FORGET], 0);
	c = kd_call_close(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FLUSH, FIRST), 0);
	kd_reply_error(kd_expect(kd, FUSE_RELEASE, FIRST), 0);
	kd_expect(kd, FUSE_FORGET, FIRST);
	kd_finish(c, 0);
}

static void directory_is_kept_for_its_entries(void)
{
	struct kd *kd = kd_new();
	int fd;

	kd_add_dir(kd, "d", 2);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	fd = kd_opened(kd, "d/f", O_RDONLY, 0);
	kd_shrink(kd);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->count[FUSE_FORGET] + kd->count[FUSE_BATCH_FORGET], 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* ---- one is looked up while it goes ---------------------------------------- */

static void looked_up_again_before_it_is_read(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	struct kd_call *c;

	know_files(kd, 1);
	f = kd_node(kd, FIRST);
	shrink_unserved(kd);
	/* The FORGET waits in the queue; the LOOKUP gives another count. */
	c = kd_call_stat(kd, "f0", NULL);
	kd_finish(c, 0);
	CHECK_EQ(f->given, 2);
	kd_no_request(kd, 20);
	CHECK_EQ(f->forgotten, 1);
	kd_check_balance(kd);
	CHECK_EQ(f->forgotten, 2);
}

/* ---- fairness --------------------------------------------------------------- */

/* A request is not kept waiting by ever so many FORGETs. */
static void forgets_do_not_starve_requests(void)
{
	struct kd *kd = kd_new(.minor = 15);	/* one by one */
	unsigned int reads = 0;
	struct fuse_in_header *in;

	know_files(kd, 100);
	shrink_unserved(kd);
	kd_call_stat(kd, "wanted", NULL);
	usleep(50000);
	do {
		in = next_raw(kd, 1 << 20);
		CHECK(in != NULL);
		reads++;
	} while (in->opcode == FUSE_FORGET);
	CHECK_EQ(in->opcode, FUSE_LOOKUP);
	CHECK(reads <= 17);
}

/* Nor do ever so many requests keep a FORGET waiting. */
static void requests_do_not_starve_forgets(void)
{
	struct kd *kd = kd_new(.minor = 15, .flags = FUSE_PARALLEL_DIROPS);
	unsigned int reads = 0;
	struct fuse_in_header *in;
	char name[16];

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	know_files(kd, 3);
	for (int i = 0; i < 30; i++) {
		snprintf(name, sizeof(name), "w%d", i);
		kd_call_stat(kd, name, NULL);
	}
	usleep(100000);
	shrink_unserved(kd);
	do {
		in = next_raw(kd, 1 << 20);
		CHECK(in != NULL);
		reads++;
	} while (in->opcode == FUSE_LOOKUP);
	CHECK_EQ(in->opcode, FUSE_FORGET);
	CHECK(reads <= 17);
}

/* Only FORGETs wait: that makes the channel readable, too. */
static void makes_the_channel_readable(void)
{
	struct kd *kd = kd_new();
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };

	know_files(kd, 1);
	CHECK_EQ(poll(&p, 1, 0), 0);
	shrink_unserved(kd);
	CHECK_EQ(poll(&p, 1, kernel_ms(1000)), 1);
	CHECK(p.revents & POLLIN);
}

/* The daemon is stalled, and eviction goes on. */
static void stalled_daemon_does_not_hold_eviction(void)
{
	struct kd *kd = kd_new();

	know_files(kd, 900);
	shrink_unserved(kd);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_node(kd, FIRST + 899)->forgotten, 1);
	kd_check_balance(kd);
}

/* FORGETs that nobody read go with the connection. */
static void unread_ones_go_with_the_mount(void)
{
	struct kd *kd = kd_new();

	know_files(kd, 50);
	shrink_unserved(kd);
	CHECK_EQ(umount(kd->mnt), 0);
	kd_die(kd);
	kd = kd_new();
	know_files(kd, 50);
	shrink_unserved(kd);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	kd_no_request(kd, 20);
	CHECK(kd->dead);
}

static const struct kernel_case cases[] = {
	CASE("forget/one-comes-as-forget", one_comes_as_forget),
	CASE("forget/many-come-as-a-batch", many_come_as_a_batch),
	CASE("forget/old-minor-gets-no-batches", old_minor_gets_no_batches),
	CASE("forget/minor-16-gets-batches", minor_16_gets_batches),
	CASE("forget/batch-fits-the-buffer", batch_fits_the_buffer),
	CASE("forget/has-no-reply", has_no_reply),
	CASE("forget/counts-are-summed", counts_are_summed),
	CASE("forget/unlinked-file-is-forgotten-at-once", unlinked_file_is_forgotten_at_once),
	CASE("forget/open-file-is-kept", open_file_is_kept),
	CASE("forget/directory-is-kept-for-its-entries", directory_is_kept_for_its_entries),
	CASE("forget/looked-up-again-before-it-is-read", looked_up_again_before_it_is_read),
	CASE("forget/forgets-do-not-starve-requests", forgets_do_not_starve_requests),
	CASE("forget/requests-do-not-starve-forgets", requests_do_not_starve_forgets),
	CASE("forget/makes-the-channel-readable", makes_the_channel_readable),
	CASE("forget/stalled-daemon-does-not-hold-eviction", stalled_daemon_does_not_hold_eviction),
	CASE("forget/unread-ones-go-with-the-mount", unread_ones_go_with_the_mount),
};
KERNEL_CASES(cases);
