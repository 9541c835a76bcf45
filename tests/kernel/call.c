// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * call.c: the callers of a case: system calls in threads or processes of their own.
 *
 * A call's state is in shared memory and its end is seen on a descriptor, so that
 * the case can serve requests and wait for the end at once.  A process shares the
 * table of descriptors with the case, but not its memory: what it reads stays there.
 */
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include "daemon.h"

#define STACK_SIZE (256u << 10)

struct kd_call {
	struct kd *kd;
	kd_call_fn fn;
	void *arg;
	long nr, args[6];		/* of a system call, if fn is NULL */
	uid_t uid;
	gid_t gid;
	bool process;
	pid_t tid;			/* of the thread or process; written once it runs */
	int efd;			/* readable at the end; of a process: its pidfd */
	bool done;
	long result;
	bool reaped;
	int status;			/* of a process */
	struct kd_call *next;
};

/* ---- memory that faults ---------------------------------------------- */

static __thread sigjmp_buf fault_return;
static __thread volatile sig_atomic_t fault_expected;

static void on_fault(int sig)
{
	if (fault_expected)
		siglongjmp(fault_return, 1);
	signal(sig, SIG_DFL);
	raise(sig);
}

static void on_user_signal(int sig)
{
	(void)sig;
}

static void install_handlers(void)
{
	struct sigaction fault = { .sa_handler = on_fault, .sa_flags = SA_NODEFER };
	struct sigaction user = { .sa_handler = on_user_signal };

	sigaction(SIGBUS, &fault, NULL);
	sigaction(SIGSEGV, &fault, NULL);
	sigaction(SIGUSR1, &user, NULL);
	sigaction(SIGUSR2, &user, NULL);
}

struct touch {
	volatile uint8_t *address;
	bool write;
};

static long do_touch(void *arg)
{
	const struct touch *t = arg;
	long ret = -EFAULT;

	fault_expected = 1;
	if (sigsetjmp(fault_return, 1) == 0) {
		if (t->write)
			*t->address = 0x55;
		else
			(void)*t->address;
		ret = 0;
	}
	fault_expected = 0;
	return ret;
}

/* ---- running --------------------------------------------------------- */

/* Raw calls: these change this thread only. */
static void take_credentials(const struct kd_call *c)
{
	if (c->uid == 0 && c->gid == 0)
		return;
	syscall(SYS_setgroups, 0, NULL);
	syscall(SYS_setresgid, c->gid, c->gid, c->gid);
	syscall(SYS_setresuid, c->uid, c->uid, c->uid);
}

static long perform(struct kd_call *c)
{
	long ret;

	if (c->fn)
		return c->fn(c->arg);
	ret = syscall(c->nr, c->args[0], c->args[1], c->args[2], c->args[3], c->args[4], c->args[5]);
	return ret < 0 ? -errno : ret;
}

static void run(struct kd_call *c)
{
	take_credentials(c);
	case_fail_nth_begin();
	c->result = perform(c);
	case_fail_nth_end();
	__atomic_store_n(&c->done, true, __ATOMIC_RELEASE);
}

static void *thread_main(void *arg)
{
	struct kd_call *c = arg;

	__atomic_store_n(&c->tid, (pid_t)syscall(SYS_gettid), __ATOMIC_RELEASE);
	run(c);
	eventfd_write(c->efd, 1);
	return NULL;
}

static void start_thread(struct kd_call *c)
{
	pthread_attr_t attr;
	pthread_t thread;

	c->efd = eventfd(0, EFD_CLOEXEC);
	pthread_attr_init(&attr);
	pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	if (pthread_create(&thread, &attr, thread_main, c))
		kd_fail(c->kd, "no thread for a call");
	pthread_attr_destroy(&attr);
	while (!__atomic_load_n(&c->tid, __ATOMIC_ACQUIRE))
		sched_yield();
}

static void start_process(struct kd_call *c)
{
	long pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0, 0, 0);

	if (pid < 0)
		kd_fail(c->kd, "no process for a call: %s", strerror(errno));
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run(c);
		syscall(SYS_exit_group, 0);
	}
	c->tid = (pid_t)pid;
	c->efd = (int)syscall(SYS_pidfd_open, pid, 0);
}

static struct kd_call *start(struct kd *kd, const struct kd_call *as)
{
	struct kd_call *c = mmap(NULL, sizeof(*c), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	install_handlers();
	*c = *as;
	c->kd = kd;
	c->uid = kd->uid;
	c->gid = kd->gid;
	c->process = kd->as_process;
	c->next = kd->calls;
	kd->calls = c;
	if (c->process)
		start_process(c);
	else
		start_thread(c);
	return c;
}

struct kd_call *kd_call(struct kd *kd, kd_call_fn fn, void *arg)
{
	return start(kd, &(struct kd_call){ .fn = fn, .arg = arg });
}

struct kd_call *kd_call_sys(struct kd *kd, long nr, const long args[6])
{
	struct kd_call c = { .nr = nr };

	memcpy(c.args, args, sizeof(c.args));
	return start(kd, &c);
}

void kd_as(struct kd *kd, uid_t uid, gid_t gid)
{
	kd->uid = uid;
	kd->gid = gid;
}

void kd_as_process(struct kd *kd)
{
	kd->as_process = true;
}

void kd_as_thread(struct kd *kd)
{
	kd->as_process = false;
}

/* ---- the end of a call ------------------------------------------------ */

bool kd_is_done(const struct kd_call *c)
{
	return __atomic_load_n(&c->done, __ATOMIC_ACQUIRE);
}

bool kd_calls_pending(const struct kd *kd)
{
	for (const struct kd_call *c = kd->calls; c; c = c->next)
		if (!kd_is_done(c) && !c->reaped)
			return true;
	return false;
}

pid_t kd_call_tid(const struct kd_call *c)
{
	return c->tid;
}

int kd_call_poll_fd(const struct kd_call *c)
{
	return c->efd;
}

void kd_signal(struct kd_call *c, int sig)
{
	if (c->process)
		kill(c->tid, sig);
	else
		syscall(SYS_tgkill, getpid(), c->tid, sig);
}

void (kd_check_blocked)(struct kd_call *c)
{
	usleep((useconds_t)kernel_ms(30) * 1000);
	if (kd_is_done(c))
		kd_fail(c->kd, "the call has ended with %s, and should be blocked", case_value(c->result));
}

static void serve_what_comes(struct kd *kd)
{
	struct kd_req *r = kd_next(kd, 0);

	if (r)
		kd_fail(kd, "%s for node %llu came while a call was expected to end", kd_opcode_name(r->opcode),
			(unsigned long long)r->nodeid);
}

/* Until the descriptor says that the call ended. */
static void serve_until_end(struct kd_call *c)
{
	struct pollfd p[2] = { { .fd = c->efd, .events = POLLIN }, { .events = POLLIN } };
	int left = kernel_ms(KD_WAIT_MS);

	for (;;) {
		p[1].fd = c->kd->dead ? -1 : c->kd->fd;
		if (poll(p, 2, 50) < 0 && errno != EINTR)
			kd_fail(c->kd, "poll: %s", strerror(errno));
		if (p[1].revents)
			serve_what_comes(c->kd);
		if (p[0].revents)
			return;
		left -= p[1].revents ? 0 : 50;
		if (left <= 0)
			kd_fail(c->kd, "the call does not return");
	}
}

static void reap(struct kd_call *c)
{
	if (c->process && !c->reaped)
		waitpid(c->tid, &c->status, 0);
	if (!c->reaped)
		close(c->efd);
	c->reaped = true;
}

long (kd_wait)(struct kd_call *c)
{
	if (!c->reaped)
		serve_until_end(c);
	reap(c);
	if (!kd_is_done(c))
		kd_fail(c->kd, "the calling process ended before its call (status 0x%x)", (unsigned int)c->status);
	return c->result;
}

void (kd_finish)(struct kd_call *c, long want)
{
	long ret = (kd_wait)(c);

	if (ret != want)
		kd_fail(c->kd, "the call returned %s, not %s", case_value(ret), case_value(want));
}

int kd_wait_killed(struct kd_call *c)
{
	if (!c->reaped)
		serve_until_end(c);
	reap(c);
	return c->status;
}

struct kd_call *kd_call_touch(struct kd *kd, volatile void *address, bool write)
{
	struct touch *t = malloc(sizeof(*t));

	*t = (struct touch){ address, write };
	return kd_call(kd, do_touch, t);
}

int (kd_opened)(struct kd *kd, const char *path, int flags, uint32_t open_flags)
{
	struct kd_call *c = kd_call_open(kd, path, flags, 0644);
	uint32_t opcode = flags & O_DIRECTORY ? FUSE_OPENDIR : FUSE_OPEN;
	struct kd_req *r = (kd_expect)(kd, opcode, 0);
	long fd;

	kd_reply_open(r, kd->next_fh++, open_flags);
	fd = (kd_wait)(c);
	if (fd < 0)
		kd_fail(kd, "open of %s: %s", path, case_value(fd));
	return (int)fd;
}
