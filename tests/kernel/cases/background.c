// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * background.c: requests that nobody waits for: how many the daemon gets at once, who
 * must wait for room, and that nobody waits for ever; and FORGETs among requests.
 */
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "around.h"

#define FILES 6
#define PAGE 4096u
#define MANY 1048576u

static int fds[FILES];

/* Files f0... of @size bytes, nodes 2..., open in fds[]; their RELEASEs are not answered unasked. */
static void open_files(struct kd *kd, uint64_t size)
{
	char name[16];

	for (unsigned int i = 0; i < FILES; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		kd_add_file(kd, name, 2 + i, size);
		fds[i] = kd_opened(kd, name, O_RDONLY, 0);
	}
	kd_manual(kd, FUSE_RELEASE);
}

/* Close fds[@i] to its end; the RELEASE may come or be held. */
static void close_file(struct kd *kd, unsigned int i)
{
	struct kd_call *c = kd_call_close(kd, fds[i]);

	kd_reply_error(kd_expect(kd, FUSE_FLUSH, 2 + i), 0);
	CHECK_EQ(around_result(kd, c), 0);
}

/* ---- how many ---------------------------------------------------------------------- */

static void one_at_a_time(void)
{
	struct kd *kd = kd_new(.max_background = 1);

	open_files(kd, 10);
	close_file(kd, 0);
	kd_expect(kd, FUSE_RELEASE, 2);
	close_file(kd, 1);
	close_file(kd, 2);
	kd_no_request(kd, 30);
}

static void answer_lets_the_next_follow(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_req *r;

	open_files(kd, 10);
	close_file(kd, 0);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	for (unsigned int i = 1; i < FILES; i++)
		close_file(kd, i);
	for (unsigned int i = 1; i < FILES; i++) {
		kd_no_request(kd, 10);
		kd_reply_error(r, 0);
		r = kd_expect(kd, FUSE_RELEASE, 2 + i);
	}
	kd_reply_error(r, 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

/* Others are not held by them. */
static void foreground_goes_on(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *c;

	open_files(kd, 10);
	close_file(kd, 0);
	kd_expect(kd, FUSE_RELEASE, 2);
	close_file(kd, 1);
	c = kd_call_stat(kd, "other", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

static void raised_at_run_time(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_req *r;

	open_files(kd, 10);
	close_file(kd, 0);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	for (unsigned int i = 1; i < FILES; i++)
		close_file(kd, i);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "3"), 0);
	kd_reply_error(r, 0);
	kd_expect(kd, FUSE_RELEASE, 3);
	kd_expect(kd, FUSE_RELEASE, 4);
	kd_expect(kd, FUSE_RELEASE, 5);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 5);
}

static void raised_limit_is_used_at_once(void)
{
	struct kd *kd = kd_new(.max_background = 1);

	open_files(kd, 10);
	close_file(kd, 0);
	kd_expect(kd, FUSE_RELEASE, 2);
	close_file(kd, 1);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "2"), 0);
	kd_expect(kd, FUSE_RELEASE, 3);
}

static void lowered_at_run_time(void)
{
	struct kd *kd = kd_new(.max_background = 3);
	struct kd_req *r[3];

	open_files(kd, 10);
	for (unsigned int i = 0; i < 3; i++) {
		close_file(kd, i);
		r[i] = kd_expect(kd, FUSE_RELEASE, 2 + i);
	}
	close_file(kd, 3);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "1"), 0);
	kd_reply_error(r[0], 0);
	kd_reply_error(r[2], 0);
	kd_no_request(kd, 20);
	kd_reply_error(r[1], 0);
	kd_expect(kd, FUSE_RELEASE, 5);
}

/* Held for ever, until there is a limit again. */
static void limit_of_none(void)
{
	struct kd *kd = kd_new();
	struct kd_req *r;

	open_files(kd, 10);
	close_file(kd, 0);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "0"), 0);
	CHECK_EQ(kd_ctl_read(kd, "max_background"), 0);
	close_file(kd, 1);
	kd_no_request(kd, 30);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "5"), 0);
	kd_reply_error(r, 0);
	kd_expect(kd, FUSE_RELEASE, 3);
}

/* ---- room --------------------------------------------------------------------------- */

/* Readahead waits until there is room, RELEASE does not. */
static void reader_waits_for_room(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *c;
	struct kd_req *r;
	char byte;

	open_files(kd, 10);
	close_file(kd, 0);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	c = kd_call_read(kd, fds[1], &byte, 1);
	kd_check_blocked(c);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 2);
	kd_reply_error(r, 0);
	kd_reply(kd_expect(kd, FUSE_READ, 3), "0123456789", 10);
	kd_finish(c, 1);
}

static void raised_limit_makes_room(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *c;
	char byte;

	open_files(kd, 10);
	close_file(kd, 0);
	kd_expect(kd, FUSE_RELEASE, 2);
	c = kd_call_read(kd, fds[1], &byte, 1);
	kd_check_blocked(c);
	CHECK_EQ(kd_ctl_write(kd, "max_background", "2"), 0);
	kd_reply(kd_expect(kd, FUSE_READ, 3), "0123456789", 10);
	kd_finish(c, 1);
}

static void reader_that_waits_can_be_killed(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *c;
	struct kd_req *r;
	char byte;

	open_files(kd, 10);
	close_file(kd, 0);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	kd_as_process(kd);
	c = kd_call_read(kd, fds[1], &byte, 1);
	around_pause(30);
	kd_signal(c, SIGKILL);
	around_ends(c);
	CHECK(WIFSIGNALED(kd_wait_killed(c)));
	kd_no_request(kd, 20);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_reply_error(r, 0);
	kd_as_thread(kd);
	c = kd_call_read(kd, fds[1], &byte, 1);
	kd_reply(kd_expect(kd, FUSE_READ, 3), "0123456789", 10);
	kd_finish(c, 1);
}

static void reader_that_waits_sees_the_end(void)
{
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *c;
	char byte;

	open_files(kd, 10);
	close_file(kd, 0);
	kd_expect(kd, FUSE_RELEASE, 2);
	c = kd_call_read(kd, fds[1], &byte, 1);
	kd_check_blocked(c);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	around_ends(c);
	CHECK(kd_wait(c) < 0);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

/* ---- congestion ----------------------------------------------------------------------- */

/* Answer a READ; @end or its end, what is further. */
static uint64_t give_zeros(struct kd_req *r, uint64_t end)
{
	static uint8_t zeros[MANY];
	uint64_t its_end;

	CHECK_EQ(r->opcode, FUSE_READ);
	its_end = ARG(r, fuse_read_in)->offset + ARG(r, fuse_read_in)->size;
	kd_reply(r, zeros, ARG(r, fuse_read_in)->size);
	return its_end > end ? its_end : end;
}

/* How far READs ask for while @f is read in order, to its 64th page. */
static uint64_t asked_for(struct kd *kd, unsigned int f)
{
	static uint8_t bytes[PAGE];
	struct kd_req *r;
	uint64_t end = 0;

	for (unsigned int page = 0; page < 64; page++) {
		struct kd_call *c = kd_call_pread(kd, fds[f], bytes, PAGE, page * PAGE);

		while (!kd_is_done(c)) {
			r = kd_next(kd, 5);
			if (!r)
				continue;
			end = give_zeros(r, end);
		}
		CHECK_EQ(around_result(kd, c), PAGE);
	}
	while ((r = kd_next(kd, kernel_ms(50))))
		end = give_zeros(r, end);
	return end;
}

/* With a congested daemon only what is waited for is read. */
static void congestion_drops_readahead(void)
{
	struct kd *kd = kd_new(.max_background = 12, .congestion_threshold = 9);
	uint64_t free_end, congested_end;

	open_files(kd, MANY);
	free_end = asked_for(kd, 0);
	close_file(kd, 5);
	kd_expect(kd, FUSE_RELEASE, 7);
	CHECK_EQ(kd_ctl_write(kd, "congestion_threshold", "1"), 0);
	congested_end = asked_for(kd, 1);
	case_note("read as far as %llu, and %llu when congested", (unsigned long long)free_end, (unsigned long long)congested_end);
	CHECK(free_end > 64 * PAGE);
	CHECK(congested_end < free_end);
}

/* ---- wake-ups ---------------------------------------------------------------------------- */

#define READERS 4
#define CALLERS 6
#define CALLS 150

/* Read, wait a little, answer, until the channel's end. */
static long serve_blocking(void *arg)
{
	uint8_t *bytes = malloc(KD_BUFFER);
	int fd = *(int *)arg;
	long n;

	for (;;) {
		const struct fuse_in_header *in = (const void *)bytes;

		n = read(fd, bytes, KD_BUFFER);
		if (n < 0 && errno != EINTR && errno != ENOENT)
			break;
		if (n <= 0 || in->opcode == FUSE_INTERRUPT || in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET)
			continue;
		if (in->opcode == FUSE_OPEN)
			kd_reply_raw(fd, in->unique, 0, -1, &(struct fuse_open_out){ .fh = 1 }, sizeof(struct fuse_open_out));
		else
			kd_reply_raw(fd, in->unique, in->opcode == FUSE_LOOKUP ? -ENOENT : 0, -1, NULL, 0);
	}
	n = -errno;
	free(bytes);
	return n;
}

static void serve_on_clones(struct kd *kd, struct kd_call *readers[READERS])
{
	static int clones[READERS];

	around_leave_alone(kd);
	for (int i = 0; i < READERS; i++) {
		clones[i] = kd_clone(kd);
		CHECK_EQ(fcntl(clones[i], F_SETFL, 0), 0);
		readers[i] = kd_call(kd, serve_blocking, &clones[i]);
	}
}

static void end_readers(struct kd *kd, struct kd_call *readers[READERS])
{
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	for (int i = 0; i < READERS; i++) {
		around_ends(readers[i]);
		kd_finish(readers[i], -ENODEV);
	}
}

static long stat_often(void *arg)
{
	struct stat st;

	for (int i = 0; i < CALLS; i++)
		if (lstat(arg, &st) == 0 || errno != ENOENT)
			return -errno;
	return CALLS;
}

static void several_readers_lose_nothing(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *readers[READERS], *callers[CALLERS];

	serve_on_clones(kd, readers);
	for (int i = 0; i < CALLERS; i++)
		callers[i] = kd_call(kd, stat_often, (void *)kd_path(kd, i % 2 ? "a" : "b"));
	for (int i = 0; i < CALLERS; i++) {
		around_ends(callers[i]);
		kd_finish(callers[i], CALLS);
	}
	end_readers(kd, readers);
}

static long open_often(void *arg)
{
	for (int i = 0; i < CALLS; i++) {
		int fd = open(arg, O_RDONLY | O_CLOEXEC);

		if (fd < 0)
			return -errno;
		close(fd);
	}
	return CALLS;
}

/* Background requests by the hundreds, the limit changed all the while. */
static void changed_limits_lose_nothing(void)
{
	static const char *const limits[] = { "1", "65535", "2", "12", "0", "1" };
	struct kd *kd = kd_new(.max_background = 1);
	struct kd_call *readers[READERS], *callers[CALLERS];
	int done = 0;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	serve_on_clones(kd, readers);
	for (int i = 0; i < CALLERS; i++)
		callers[i] = kd_call(kd, open_often, (void *)kd_path(kd, "f"));
	for (unsigned int i = 0; done < CALLERS; i++) {
		CHECK_EQ(kd_ctl_write(kd, "max_background", limits[i % 6]), 0);
		usleep(500);
		done = 0;
		for (int j = 0; j < CALLERS; j++)
			done += kd_is_done(callers[j]);
	}
	CHECK_EQ(kd_ctl_write(kd, "max_background", "4"), 0);
	for (int i = 0; i < CALLERS; i++)
		kd_finish(callers[i], CALLS);
	/* the last of the held follow with the next */
	CHECK_EQ(around_result(kd, kd_call(kd, open_often, (void *)kd_path(kd, "f"))), CALLS);
	for (int i = 0; i < 1000 && kd_ctl_read(kd, "waiting") > 0; i++)
		usleep(1000);
	end_readers(kd, readers);
}

/* A reader that takes a request and dies does not take another's wake-up along. */
static void killed_reader_leaves_the_rest(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	static uint8_t bytes[KD_BUFFER];
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };
	struct kd_call *reader, *c;
	int fd = kd_clone(kd);

	CHECK_EQ(fcntl(fd, F_SETFL, 0), 0);
	for (int i = 0; i < 10; i++) {
		kd_as_process(kd);
		reader = kd_call_read(kd, fd, bytes, sizeof(bytes));
		kd_as_thread(kd);
		around_pause(5);
		c = kd_call_stat(kd, "a", NULL);
		kd_signal(reader, SIGKILL);
		around_ends(reader);
		for (int ms = 0; kd_ctl_read(kd, "waiting") < 1 && !kd_is_done(c) && ms < 1000; ms++)
			usleep(1000);
		if (kd_is_done(c)) {
			/* killed amid reading it */
			CHECK_EQ(around_result(kd, c), -EIO);
			return;
		}
		CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
		if (!poll(&p, 1, kernel_ms(100))) {
			/* it was read: nobody can answer it */
			close(fd);
			CHECK_EQ(around_result(kd, c), -ECONNABORTED);
			return;
		}
		kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

/* ---- FORGETs ------------------------------------------------------------------------------- */

/* Runs of FORGETs and of requests while there are both: 16 and 8 by turns. */
static void forgets_by_turns(void)
{
	struct kd *kd = kd_new(.minor = 15, .flags = FUSE_PARALLEL_DIROPS);
	unsigned int run = 0, runs = 0, kind = 0, left[2] = { 60, 40 };
	static uint8_t bytes[KD_BUFFER];
	const struct fuse_in_header *in = (const void *)bytes;
	char name[16];

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	for (unsigned int i = 0; i < left[0]; i++) {
		snprintf(name, sizeof(name), "f%u", i);
		kd_add_file(kd, name, 100 + i, 10);
		kd_finish(kd_call_stat(kd, name, NULL), 0);
	}
	CHECK_EQ(mount("none", kd->mnt, "none", MS_REMOUNT, NULL), 0);
	for (unsigned int i = 0; i < left[1]; i++) {
		snprintf(name, sizeof(name), "w%u", i);
		kd_call_stat(kd, name, NULL);
	}
	for (int i = 0; i < 1000 && kd_ctl_read(kd, "waiting") < 40; i++)
		usleep(1000);
	around_leave_alone(kd);
	while (left[0] && left[1]) {
		unsigned int now;

		CHECK(kd_read_raw(kd, bytes, sizeof(bytes)) > 0);
		now = in->opcode == FUSE_FORGET ? 0 : 1;
		left[now]--;
		if (run && now != kind) {
			/* the first may be the rest of a turn */
			CHECK(runs == 0 ? run <= (kind ? 8u : 16u) : run == (kind ? 8u : 16u));
			runs++;
			run = 0;
		}
		kind = now;
		run++;
	}
	CHECK(runs >= 4);
}

/* A reply with @count entries beginning with number @first. */
static size_t fill_plus(struct kd_dirents *d, uint64_t first, unsigned int count, size_t room)
{
	struct kd_node node = { .entry_valid = KD_FOREVER, .attr_valid = KD_FOREVER };
	unsigned int n = 0;
	char name[16];

	d->len = 0;
	node.attr = (struct fuse_attr){ .mode = S_IFREG | 0644, .nlink = 1, .blksize = 4096 };
	while (n < count && d->len + 200 < room) {
		node.id = node.attr.ino = first + n;
		snprintf(name, sizeof(name), "%llu", (unsigned long long)(first + n));
		kd_direntplus(d, name, &node, first + n + 1);
		n++;
	}
	return n;
}

/* The daemon stands still while ever so many inodes are evicted: they wait in its queue, and nobody else does. */
static void stalled_daemon_and_many_evictions(void)
{
	const unsigned int count = kernel_ms(1) > 1 ? 20000 : 100000;
	struct kd *kd = kd_new(.flags = FUSE_DO_READDIRPLUS | FUSE_PARALLEL_DIROPS);
	struct kd_dirents *d = malloc(sizeof(*d));
	static uint8_t bytes[KD_BUFFER], entries[65536];
	const struct fuse_in_header *in = (const void *)bytes;
	unsigned int told = 0, forgotten = 0, before = 0;
	struct kd_call *c;
	int fd;

	kd_need(kd, FUSE_DO_READDIRPLUS);
	fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	for (long got = 1; got > 0; ) {
		c = kd_call_getdents(kd, fd, entries, sizeof(entries));
		while (!kd_is_done(c)) {
			struct kd_req *r = kd_next(kd, 5);

			if (!r)
				continue;
			CHECK_EQ(r->opcode, FUSE_READDIRPLUS);
			told += (unsigned int)fill_plus(d, 1000 + told, count - told, ARG(r, fuse_read_in)->size);
			kd_reply(r, d->bytes, d->len);
		}
		got = kd_wait(c);
		CHECK(got >= 0);
	}
	CHECK_EQ(told, count);
	/* nobody reads meanwhile */
	CHECK_EQ(mount("none", kd->mnt, "none", MS_REMOUNT, NULL), 0);
	c = kd_call_stat(kd, "wanted", NULL);
	around_pause(20);
	for (;;) {
		CHECK(kd_read_raw(kd, bytes, sizeof(bytes)) > 0);
		if (in->opcode == FUSE_LOOKUP)
			break;
		before++;
		CHECK(in->opcode == FUSE_FORGET || in->opcode == FUSE_BATCH_FORGET);
		forgotten += in->opcode == FUSE_FORGET ? 1 : *(const uint32_t *)(in + 1);
	}
	CHECK(before <= 17);
	CHECK_EQ(kd_reply_raw(kd->fd, in->unique, -ENOENT, -1, NULL, 0), 0);
	CHECK_EQ(around_result(kd, c), -ENOENT);
	while (kd_read_raw(kd, bytes, sizeof(bytes)) > 0)
		forgotten += in->opcode == FUSE_FORGET ? 1 : *(const uint32_t *)(in + 1);
	case_note("%u inodes, %u reads before the LOOKUP", count, before);
	CHECK_EQ(forgotten, count);
}

static const struct kernel_case cases[] = {
	CASE("background/one-at-a-time", one_at_a_time),
	CASE("background/answer-lets-the-next-follow", answer_lets_the_next_follow),
	CASE("background/foreground-goes-on", foreground_goes_on),
	CASE("background/raised-at-run-time", raised_at_run_time),
	CASE("background/raised-limit-is-used-at-once", raised_limit_is_used_at_once,
	     differs(stock, "a raised limit lets held requests follow only when another one ends or is added")),
	CASE("background/lowered-at-run-time", lowered_at_run_time),
	CASE("background/limit-of-none", limit_of_none),
	CASE("background/reader-waits-for-room", reader_waits_for_room),
	CASE("background/raised-limit-makes-room", raised_limit_makes_room),
	CASE("background/reader-that-waits-can-be-killed", reader_that_waits_can_be_killed),
	CASE("background/reader-that-waits-sees-the-end", reader_that_waits_sees_the_end),
	CASE("background/congestion-drops-readahead", congestion_drops_readahead),
	CASE("background/several-readers-lose-nothing", several_readers_lose_nothing),
	CASE("background/changed-limits-lose-nothing", changed_limits_lose_nothing),
	CASE("background/killed-reader-leaves-the-rest", killed_reader_leaves_the_rest),
	CASE("forget/by-turns", forgets_by_turns),
	CASE("forget/stalled-daemon-and-many-evictions", stalled_daemon_and_many_evictions),
};
KERNEL_CASES(cases);
