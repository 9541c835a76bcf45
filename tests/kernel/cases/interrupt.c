// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * interrupt.c: signals to callers: what is taken back, what the daemon is told by
 * INTERRUPT, what it may answer to one, and what stays cached of an interrupted call.
 */
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/wait.h>
#include "around.h"

/* The next request is an INTERRUPT for @r. */
#define expect_interrupt(kd, r) (kd_at(__FILE__, __LINE__), (expect_interrupt)((kd), (r)))
static struct kd_req *(expect_interrupt)(struct kd *kd, const struct kd_req *r)
{
	struct kd_req *i = (kd_expect)(kd, FUSE_INTERRUPT, 0);

	if (ARG(i, fuse_interrupt_in)->unique != r->unique)
		kd_fail(kd, "an INTERRUPT for %llu, not for %llu", (unsigned long long)ARG(i, fuse_interrupt_in)->unique,
			(unsigned long long)r->unique);
	return i;
}

static int answer(const struct kd_req *i, int error)
{
	return kd_reply_raw(i->fd, i->unique, error, -1, NULL, 0);
}

/* A LOOKUP that was read, whose caller had SIGUSR1. */
static struct kd_req *interrupted_lookup(struct kd *kd, struct kd_call **c)
{
	struct kd_req *r;

	*c = kd_call_stat(kd, "f", NULL);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	kd_signal(*c, SIGUSR1);
	return r;
}

/* ---- before it is read ---------------------------------------------------------- */

static void unread_and_killed_is_taken_back(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_as_process(kd);
	c = around_unread(kd, "f");
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_no_request(kd, 30);
	CHECK(WIFSIGNALED(kd_wait_killed(c)));
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void unread_and_signalled_waits(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = around_unread(kd, "f");
	struct kd_req *r;

	kd_signal(c, SIGUSR1);
	kd_check_blocked(c);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	expect_interrupt(kd, r);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
}

/* A harmless signal does not keep a fatal one from taking it back. */
static void signalled_and_then_killed(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_as_process(kd);
	c = around_unread(kd, "f");
	kd_signal(c, SIGUSR1);
	kd_check_blocked(c);
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_no_request(kd, 30);
}

static void only_the_killed_one_is_taken_back(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *a, *b, *c;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	kd_as_process(kd);
	a = around_unread(kd, "a");
	around_pause(10);
	b = kd_call_stat(kd, "b", NULL);
	around_pause(10);
	c = kd_call_stat(kd, "c", NULL);
	around_pause(10);
	kd_signal(b, SIGKILL);
	around_ends(b);
	CHECK_STR(kd_expect(kd, FUSE_LOOKUP, 1)->name, "a");
	CHECK_STR(kd_expect(kd, FUSE_LOOKUP, 1)->name, "c");
	kd_no_request(kd, 30);
	CHECK(!kd_is_done(a) && !kd_is_done(c));
}

/* ---- once it was read -------------------------------------------------------------- */

static void read_and_signalled(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c), *i = expect_interrupt(kd, r);

	CHECK_EQ(i->unique, r->unique | 1);
	CHECK_EQ(i->nodeid, 0);
	CHECK_EQ(i->len, sizeof(struct fuse_in_header) + sizeof(struct fuse_interrupt_in));
	CHECK_EQ(i->in->uid, 0);
	CHECK_EQ(i->in->pid, 0);
	kd_check_blocked(c);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
}

/* The daemon need not care. */
static void may_be_ignored(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	expect_interrupt(kd, r);
	kd_reply_entry(r, f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_check_balance(kd);
}

/* A killed caller's request is the daemon's as long as it does not answer it. */
static void killed_waits_for_the_daemon(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_as_process(kd);
	c = kd_call_stat(kd, "f", NULL);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	kd_signal(c, SIGKILL);
	expect_interrupt(kd, r);
	CHECK_EQ(waitpid(kd_call_tid(c), NULL, WNOHANG), 0);
	kd_no_request(kd, 30);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_reply_error(r, -EINTR);
	CHECK(WIFSIGNALED(kd_wait_killed(c)));
}

static void second_signal_says_no_more(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	expect_interrupt(kd, r);
	kd_signal(c, SIGUSR2);
	kd_signal(c, SIGUSR1);
	kd_no_request(kd, 30);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

static void comes_before_everything_else(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *c;
	struct kd_req *r;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	kd_add_file(kd, "old", 2, 10);
	kd_finish(kd_call_stat(kd, "old", NULL), 0);
	c = kd_call_stat(kd, "f", NULL);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	CHECK_EQ(mount("none", kd->mnt, "none", MS_REMOUNT, NULL), 0);	/* a FORGET waits */
	kd_call_stat(kd, "a", NULL);
	kd_call_stat(kd, "b", NULL);
	around_pause(20);
	kd_signal(c, SIGUSR1);
	around_pause(20);
	expect_interrupt(kd, r);
	CHECK_EQ(kd->count[FUSE_FORGET], 0);
}

static void in_the_order_of_the_signals(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *a = kd_call_stat(kd, "a", NULL), *b;
	struct kd_req *ra = kd_expect(kd, FUSE_LOOKUP, 1), *rb;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	b = kd_call_stat(kd, "b", NULL);
	rb = kd_expect(kd, FUSE_LOOKUP, 1);
	kd_signal(b, SIGUSR1);
	around_pause(20);
	kd_signal(a, SIGUSR1);
	around_pause(20);
	expect_interrupt(kd, rb);
	expect_interrupt(kd, ra);
}

/* The answer overtakes it: there is nothing left to interrupt. */
static void not_after_the_answer(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	around_wait_unread(kd);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
	kd_no_request(kd, 30);
}

static void may_be_read_from_another_channel(void)
{
	struct kd *kd = kd_new();
	int first = kd->fd, second = kd_clone(kd);
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c), *i;

	kd_on(kd, second);
	i = expect_interrupt(kd, r);
	/* but the request is not on this one */
	CHECK_EQ(answer(i, -EAGAIN), -ENOENT);
	kd_on(kd, first);
	kd_no_request(kd, 30);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
}

/* Nobody can be told that a background request is not wanted any more. */
static void not_for_readahead(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_read(kd, fd, &byte, 1);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_signal(c, SIGUSR1);
	kd_check_blocked(c);
	kd_no_request(kd, 30);
	kd_reply(r, "0123456789", 10);
	kd_finish(c, 1);
}

/* ... and who waits for its pages can be killed. */
static void killed_reader_leaves_its_readahead(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	kd_as_process(kd);
	c = kd_call_read(kd, fd, &byte, 1);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_no_request(kd, 30);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 1);
	kd_reply(r, "0123456789", 10);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	kd_as_thread(kd);
	kd_finish(kd_call_pread(kd, fd, &byte, 1, 3), 1);
	CHECK_EQ(byte, '3');
}

/* ---- what the daemon answers to it ---------------------------------------------------- */

static void again_means_again(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	for (int n = 0; n < 5; n++)
		CHECK_EQ(answer(expect_interrupt(kd, r), -EAGAIN), 0);
	expect_interrupt(kd, r);
	kd_no_request(kd, 30);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
	kd_no_request(kd, 30);
}

static void enosys_ends_them(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	CHECK_EQ(answer(expect_interrupt(kd, r), -ENOSYS), 0);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
	r = interrupted_lookup(kd, &c);
	kd_no_request(kd, 30);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* Unread requests are taken back from such a daemon, too. */
static void enosys_does_not_hold_the_killed(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c);

	CHECK_EQ(answer(expect_interrupt(kd, r), -ENOSYS), 0);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
	kd_as_process(kd);
	c = around_unread(kd, "f");
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_no_request(kd, 30);
}

static void other_answers_mean_nothing(void)
{
	static const int errors[] = { 0, -EINTR, -EIO, -ENOENT, -511 };
	struct kd *kd = kd_new();

	for (size_t n = 0; n < sizeof(errors) / sizeof(errors[0]); n++) {
		struct kd_call *c;
		struct kd_req *r = interrupted_lookup(kd, &c);

		CHECK_EQ(answer(expect_interrupt(kd, r), errors[n]), 0);
		kd_no_request(kd, 20);
		kd_check_blocked(c);
		kd_reply_error(r, -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static void bad_answers(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r = interrupted_lookup(kd, &c), *i = expect_interrupt(kd, r);

	CHECK_EQ(kd_reply_raw(i->fd, i->unique, -EAGAIN, -1, "12345678", 8), -EINVAL);
	CHECK_EQ(kd_reply_raw(i->fd, i->unique, -EAGAIN, 20, NULL, 0), -EINVAL);
	CHECK_EQ(answer(i, EAGAIN), -EINVAL);
	CHECK_EQ(answer(i, -512), -EINVAL);
	kd_no_request(kd, 20);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* One that comes after the request's own answer is unknown, and does no harm. */
static void late_answers(void)
{
	static const int errors[] = { 0, -EAGAIN, -ENOSYS };
	struct kd *kd = kd_new();

	for (size_t n = 0; n < sizeof(errors) / sizeof(errors[0]); n++) {
		struct kd_call *c;
		struct kd_req *r = interrupted_lookup(kd, &c), *i = expect_interrupt(kd, r);

		kd_reply_error(r, -ENOENT);
		kd_finish(c, -ENOENT);
		CHECK_EQ(answer(i, errors[n]), -ENOENT);
		kd_no_request(kd, 20);
	}
}

static void answers_to_none(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	CHECK_EQ(kd_reply_raw(r->fd, r->unique | 1, -EAGAIN, -1, NULL, 0), -EINVAL);
	CHECK_EQ(kd_reply_raw(r->fd, r->unique | 1, 0, -1, NULL, 0), 0);
	CHECK_EQ(kd_reply_raw(r->fd, (r->unique + 2) | 1, -EAGAIN, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(r->fd, UINT64_MAX, -EAGAIN, -1, NULL, 0), -ENOENT);
	kd_no_request(kd, 20);
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- the caller ------------------------------------------------------------------------ */

static volatile sig_atomic_t handled;

static void on_signal(int sig)
{
	(void)sig;
	handled++;
}

/* Neither is the daemon's EINTR hidden by SA_RESTART, nor a good answer lost. */
static void restarting_handlers(void)
{
	struct kd *kd = kd_new();
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART };
	struct kd_call *c = kd_call_mkdir(kd, "d", 0755);
	struct kd_req *r;

	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	r = kd_expect(kd, FUSE_MKDIR, 1);
	sigaction(SIGUSR1, &action, NULL);
	kd_signal(c, SIGUSR1);
	expect_interrupt(kd, r);
	CHECK_EQ(handled, 0);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
	CHECK_EQ(handled, 1);
	c = kd_call_mkdir(kd, "d", 0755);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	r = kd_expect(kd, FUSE_MKDIR, 1);
	sigaction(SIGUSR1, &action, NULL);
	kd_signal(c, SIGUSR1);
	expect_interrupt(kd, r);
	kd_reply_entry(r, kd_dir(kd, 2));
	kd_finish(c, 0);
	CHECK_EQ(handled, 2);
}

/* What was written before the interrupted part counts. */
static void interrupted_write_is_short(void)
{
	static char bytes[3 * 4096] __attribute__((aligned(4096)));
	struct kd *kd = kd_new(.max_write = 4096);
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_add_file(kd, "f", 2, 0);
	fd = kd_opened(kd, "f", O_WRONLY, FOPEN_DIRECT_IO);
	c = kd_call_write(kd, fd, bytes, sizeof(bytes));
	kd_reply_write(kd_expect(kd, FUSE_WRITE, 2), 4096);
	r = kd_expect(kd, FUSE_WRITE, 2);
	kd_signal(c, SIGUSR1);
	expect_interrupt(kd, r);
	kd_reply_error(r, -EINTR);
	kd_finish(c, 4096);
}

/* ---- what stays cached -------------------------------------------------------------------- */

static void make_and_interrupt(struct kd *kd, bool made)
{
	struct kd_call *c = kd_call_open(kd, "new", O_RDWR | O_CREAT, 0644);
	struct kd_req *r;

	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	r = kd_expect(kd, FUSE_CREATE, 1);
	kd_signal(c, SIGUSR1);
	expect_interrupt(kd, r);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
	/* Whether it was made nobody knows but the daemon. */
	c = kd_call_stat(kd, "new", NULL);
	r = kd_next(kd, kernel_ms(300));
	if (!r)
		FAIL("an interrupted CREATE left its name as cached");
	CHECK_EQ(r->opcode, FUSE_LOOKUP);
	if (made)
		kd_reply_entry(r, kd_file(kd, 2, 0));
	else
		kd_reply_error(r, -ENOENT);
	kd_finish(c, made ? 0 : -ENOENT);
}

static void create_made_it(void)
{
	make_and_interrupt(kd_new(), true);
}

static void create_did_not(void)
{
	make_and_interrupt(kd_new(), false);
}

/* Taken back before it was read: nothing happened, and nothing wrong is believed. */
static void killed_unlink(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_as_process(kd);
	c = kd_call_unlink(kd, "f");
	around_wait_unread(kd);
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_as_thread(kd);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->count[FUSE_UNLINK], 0);
	kd_check_balance(kd);
}

static void killed_create(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;

	kd_as_process(kd);
	c = kd_call_open(kd, "new", O_RDWR | O_CREAT, 0644);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	around_wait_unread(kd);
	kd_signal(c, SIGKILL);
	around_ends(c);
	kd_no_request(kd, 20);
	kd_as_thread(kd);
	c = kd_call_stat(kd, "new", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* Interrupted, and answered EINTR although the daemon had moved it. */
static void interrupted_rename(void)
{
	struct kd *kd = kd_new();
	struct kd_node *a = kd_add_file(kd, "a", 2, 10);
	struct kd_call *c;
	struct kd_req *r;

	kd_finish(kd_call_stat(kd, "a", NULL), 0);
	c = kd_call_rename(kd, "a", "b");
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	r = kd_next(kd, kernel_ms(KD_WAIT_MS));
	CHECK(r && (r->opcode == FUSE_RENAME || r->opcode == FUSE_RENAME2));
	kd_signal(c, SIGUSR1);
	expect_interrupt(kd, r);
	kd_reply_error(r, -EINTR);
	kd_finish(c, -EINTR);
	kd->name_count = 0;
	c = kd_call_stat(kd, "a", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	c = kd_call_stat(kd, "b", NULL);
	kd_reply_entry(kd_expect(kd, FUSE_LOOKUP, 1), a);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

/* A LOOKUP's answer that came although its caller was killed counts. */
static void killed_lookup_is_balanced(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;

	kd_as_process(kd);
	c = kd_call_stat(kd, "f", NULL);
	r = kd_expect(kd, FUSE_LOOKUP, 1);
	kd_signal(c, SIGKILL);
	expect_interrupt(kd, r);
	kd_reply_entry(r, kd_file(kd, 2, 10));
	CHECK(WIFSIGNALED(kd_wait_killed(c)));
	kd_as_thread(kd);
	kd_check_balance(kd);
	CHECK_EQ(kd_node(kd, 2)->forgotten, 1);
}

/* ---- a storm -------------------------------------------------------------------------------- */

#define STORM_CALLERS 8
#define STORM_ROUNDS 40

/* Signals at any moment, answers EINTR, EAGAIN or none to the INTERRUPTs, requests answered early or late. */
static void storm(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *c[STORM_CALLERS];
	char name[16] = "f0";
	unsigned int seed = 1;

	for (int round = 0; round < STORM_ROUNDS; round++) {
		struct kd_req *open[STORM_CALLERS] = { 0 };
		int n = 0;

		for (int i = 0; i < STORM_CALLERS; i++) {
			name[1] = (char)('0' + i);
			c[i] = kd_call_stat(kd, name, NULL);
		}
		while (n < STORM_CALLERS) {
			struct kd_req *r = kd_next(kd, kernel_ms(KD_WAIT_MS));

			CHECK(r);
			kd_signal(c[(unsigned int)rand_r(&seed) % STORM_CALLERS], SIGUSR1);
			if (r->opcode == FUSE_INTERRUPT)
				answer(r, rand_r(&seed) % 3 ? 0 : -EAGAIN);
			else
				open[n++] = r;
			if (n && rand_r(&seed) % 2 && open[n - 1]) {
				kd_reply_error(open[n - 1], rand_r(&seed) % 2 ? -EINTR : -ENOENT);
				open[n - 1] = NULL;
			}
		}
		for (int i = 0; i < n; i++)
			if (open[i])
				kd_reply_error(open[i], -ENOENT);
		for (int i = 0; i < STORM_CALLERS; i++) {
			around_ends(c[i]);
			CHECK(kd_wait(c[i]) == -ENOENT || kd_wait(c[i]) == -EINTR);
		}
	}
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static const struct kernel_case cases[] = {
	CASE("interrupt/unread-and-killed-is-taken-back", unread_and_killed_is_taken_back),
	CASE("interrupt/unread-and-signalled-waits", unread_and_signalled_waits),
	CASE("interrupt/signalled-and-then-killed", signalled_and_then_killed),
	CASE("interrupt/only-the-killed-one-is-taken-back", only_the_killed_one_is_taken_back),
	CASE("interrupt/read-and-signalled", read_and_signalled),
	CASE("interrupt/may-be-ignored", may_be_ignored),
	CASE("interrupt/killed-waits-for-the-daemon", killed_waits_for_the_daemon),
	CASE("interrupt/second-signal-says-no-more", second_signal_says_no_more),
	CASE("interrupt/comes-before-everything-else", comes_before_everything_else),
	CASE("interrupt/in-the-order-of-the-signals", in_the_order_of_the_signals),
	CASE("interrupt/not-after-the-answer", not_after_the_answer),
	CASE("interrupt/may-be-read-from-another-channel", may_be_read_from_another_channel),
	CASE("interrupt/not-for-readahead", not_for_readahead),
	CASE("interrupt/killed-reader-leaves-its-readahead", killed_reader_leaves_its_readahead),
	CASE("interrupt/again-means-again", again_means_again),
	CASE("interrupt/enosys-ends-them", enosys_ends_them),
	CASE("interrupt/enosys-does-not-hold-the-killed", enosys_does_not_hold_the_killed),
	CASE("interrupt/other-answers-mean-nothing", other_answers_mean_nothing),
	CASE("interrupt/bad-answers", bad_answers),
	CASE("interrupt/late-answers", late_answers),
	CASE("interrupt/answers-to-none", answers_to_none),
	CASE("interrupt/restarting-handlers", restarting_handlers),
	CASE("interrupt/interrupted-write-is-short", interrupted_write_is_short),
	CASE("interrupt/create-made-it", create_made_it),
	CASE("interrupt/create-did-not", create_did_not),
	CASE("interrupt/killed-unlink", killed_unlink),
	CASE("interrupt/killed-create", killed_create),
	CASE("interrupt/interrupted-rename", interrupted_rename),
	CASE("interrupt/killed-lookup-is-balanced", killed_lookup_is_balanced),
	CASE("interrupt/storm", storm),
};
KERNEL_CASES(cases);
