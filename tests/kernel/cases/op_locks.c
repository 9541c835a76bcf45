// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_locks.c: locks of a daemon that does not ask for them stay in the kernel: no request goes out.
 */
#include <sys/file.h>
#include "data.h"

static void flock_is_local(void)
{
	struct kd *kd = kd_new();
	int a, b;

	kd_add_file(kd, "f", 2, 0);
	a = kd_opened(kd, "f", O_RDWR, 0);
	b = kd_opened(kd, "f", O_RDWR, 0);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_EX), 0);
	kd_finish(kd_sys(kd, SYS_flock, b, LOCK_EX | LOCK_NB), -EWOULDBLOCK);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_UN), 0);
	kd_finish(kd_sys(kd, SYS_flock, b, LOCK_SH | LOCK_NB), 0);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_SH | LOCK_NB), 0);
}

static struct flock *lock(short type, int64_t start, int64_t len)
{
	static struct flock locks[8];
	static int used;
	struct flock *l = &locks[used++];

	*l = (struct flock){ .l_type = type, .l_whence = SEEK_SET, .l_start = start, .l_len = len };
	return l;
}

static void record_locks_are_local(void)
{
	struct kd *kd = kd_new();
	struct flock *l;
	int a, b;

	kd_add_file(kd, "f", 2, 0);
	a = kd_opened(kd, "f", O_RDWR, 0);
	b = kd_opened(kd, "f", O_RDWR, 0);
	kd_finish(kd_sys(kd, SYS_fcntl, a, F_OFD_SETLK, (long)lock(F_WRLCK, 0, 100)), 0);
	kd_finish(kd_sys(kd, SYS_fcntl, b, F_OFD_SETLK, (long)lock(F_WRLCK, 50, 100)), -EAGAIN);
	kd_finish(kd_sys(kd, SYS_fcntl, b, F_OFD_SETLK, (long)lock(F_WRLCK, 100, 100)), 0);
	l = lock(F_RDLCK, 0, 10);
	kd_finish(kd_sys(kd, SYS_fcntl, b, F_OFD_GETLK, (long)l), 0);
	CHECK_EQ(l->l_type, F_WRLCK);
	CHECK_EQ(l->l_len, 100);
	kd_finish(kd_sys(kd, SYS_fcntl, a, F_SETLK, (long)lock(F_WRLCK, 200, 1)), 0);
}

/* A close gives them up; the daemon hears of an ordinary RELEASE. */
static void close_unlocks(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	int a, b;

	kd_add_file(kd, "f", 2, 0);
	a = kd_opened(kd, "f", O_RDWR, 0);
	b = kd_opened(kd, "f", O_RDWR, 0);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_EX), 0);
	kd_finish(kd_sys(kd, SYS_fcntl, a, F_OFD_SETLK, (long)lock(F_WRLCK, 0, 0)), 0);
	kd_manual(kd, FUSE_RELEASE);
	c = kd_call_close(kd, a);
	r = kd_expect(kd, FUSE_RELEASE, 2);
	CHECK_EQ(ARG(r, fuse_release_in)->release_flags, 0);
	CHECK_EQ(ARG(r, fuse_release_in)->lock_owner, 0);
	kd_reply_error(r, 0);
	kd_finish(c, 0);
	kd_finish(kd_sys(kd, SYS_flock, b, LOCK_EX | LOCK_NB), 0);
	kd_finish(kd_sys(kd, SYS_fcntl, b, F_OFD_SETLK, (long)lock(F_WRLCK, 0, 0)), 0);
}

static void waiter_gets_it(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int a, b;

	kd_add_file(kd, "f", 2, 0);
	a = kd_opened(kd, "f", O_RDWR, 0);
	b = kd_opened(kd, "f", O_RDWR, 0);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_EX), 0);
	c = kd_sys(kd, SYS_flock, b, LOCK_EX);
	kd_check_blocked(c);
	kd_finish(kd_sys(kd, SYS_flock, a, LOCK_UN), 0);
	kd_finish(c, 0);
}

static const struct kernel_case cases[] = {
	CASE("locks/flock-is-local", flock_is_local),
	CASE("locks/record-locks-are-local", record_locks_are_local),
	CASE("locks/close-unlocks", close_unlocks),
	CASE("locks/waiter-gets-it", waiter_gets_it),
};
KERNEL_CASES(cases);
