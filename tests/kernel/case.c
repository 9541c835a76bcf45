// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * case.c: a case from the inside: how it ends, and what it shares with the runner.
 *
 * The runner (main.c) forks, and case_run() never returns: the case's process
 * ends with one of the statuses of run.h, after it has aborted and unmounted
 * what it mounted.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include "daemon.h"
#include "run.h"

const char case_ctl_dir[] = "/sys/fs/fuse/connections";

static __thread int fail_nth_fd = -1;

enum kernel_module kernel_module(void)
{
	return run_options.module;
}

int kernel_ms(int ms)
{
	return ms * run_options.scale;
}

bool kernel_failing(void)
{
	return run_shared->nth > 0;
}

const char *case_dir(void)
{
	return run_options.dir;
}

/* ---- what is said ----------------------------------------------------- */

static void say(const char *format, va_list ap)
{
	char text[1024];
	int n = vsnprintf(text, sizeof(text) - 1, format, ap);

	if (n > (int)sizeof(text) - 2)
		n = (int)sizeof(text) - 2;
	text[n] = '\n';
	if (write(STDOUT_FILENO, text, (size_t)n + 1) < 0)
		return;
}

void case_note(const char *format, ...)
{
	char prefixed[512];
	va_list ap;

	snprintf(prefixed, sizeof(prefixed), "# %s", format);
	va_start(ap, format);
	say(prefixed, ap);
	va_end(ap);
}

const char *case_value(long long value)
{
	static __thread char text[4][40];
	static __thread unsigned int next;
	char *out = text[next++ % 4];
	const char *name = value < 0 && value > -4096 ? strerrorname_np((int)-value) : NULL;

	if (name)
		snprintf(out, sizeof(text[0]), "-%s", name);
	else
		snprintf(out, sizeof(text[0]), "%lld", value);
	return out;
}

/* ---- how it ends ------------------------------------------------------ */

static void end(int status) __attribute__((noreturn));
static void end(int status)
{
	static int ending;

	/* The watchdog frees the case's thread, which must not then pass. */
	while (__atomic_exchange_n(&ending, 1, __ATOMIC_SEQ_CST))
		pause();
	if (run_options.trace || (status == RUN_FAILED && !kernel_failing()))
		kd_show_traces();
	kd_clean_up();
	_exit(status);
}

void case_fail(const char *file, int line, const char *format, ...)
{
	char text[768];
	va_list ap;

	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	if (!kernel_failing() || run_options.trace)
		case_note("%s:%d: %s", strrchr(file, '/') ? strrchr(file, '/') + 1 : file, line, text);
	end(RUN_FAILED);
}

void case_skip(const char *format, ...)
{
	va_list ap;

	va_start(ap, format);
	vsnprintf(run_shared->reason, sizeof(run_shared->reason), format, ap);
	va_end(ap);
	end(RUN_SKIPPED);
}

/* A thread of its own: the case's may be one that no signal reaches. */
static void *watchdog(void *arg)
{
	(void)arg;
	sleep((unsigned int)(RUN_SECONDS * run_options.scale));
	run_shared->timed_out = 1;
	case_note("out of time");
	end(RUN_FAILED);
}

/* Nothing that we mount is seen outside, and it goes when we go. */
static bool own_world(void)
{
	return setpgid(0, 0) == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("kernel-cases", run_options.dir, "tmpfs", MS_NOSUID | MS_NODEV, "mode=755") == 0;
}

void case_run(void (*body)(void))
{
	pthread_t thread;

	umask(022);
	if (!own_world()) {
		case_note("no mount namespace of our own: %s", strerror(errno));
		_exit(RUN_FAILED);
	}
	signal(SIGPIPE, SIG_IGN);
	if (pthread_create(&thread, NULL, watchdog, NULL))
		case_note("no time limit: no thread for it");
	body();
	end(RUN_PASSED);
}

/* ---- what the runner must know ----------------------------------------- */

void case_connection(unsigned int conn)
{
	unsigned int i = run_shared->connection_count;

	if (conn && i < RUN_CONNECTIONS) {
		run_shared->connections[i] = conn;
		run_shared->connection_count = i + 1;
	}
}

/*
 * The kernel counts down at every allocation of this thread and fails the one
 * that makes it zero (CONFIG_FAULT_INJECTION).  What is left says whether it did,
 * and is where the next call goes on; calls at the same time count alike.
 */
static void fail_begin(void)
{
	char text[16];
	int n;

	if (run_shared->left <= 0)
		return;
	fail_nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	n = snprintf(text, sizeof(text), "%d", run_shared->left);
	if (fail_nth_fd < 0 || pwrite(fail_nth_fd, text, (size_t)n, 0) < 0)
		run_shared->no_injection = errno;
}

void case_fail_nth_begin(void)
{
	if (kernel_failing() && !run_options.fail_daemon)
		fail_begin();
}

void case_fail_daemon_begin(void)
{
	if (kernel_failing() && run_options.fail_daemon)
		fail_begin();
}

/*
 * User-mode Linux does not survive that it cannot map a page of ours while it copies
 * from or to it. Errors matter not: some cases have memory that is none.
 */
void case_fault_in(const void *memory, size_t len, bool write)
{
	const uintptr_t page = 4096;
	uintptr_t start = (uintptr_t)memory & -page, end = ((uintptr_t)memory + len + page - 1) & -page;

	if (kernel_failing() && len)
		madvise((void *)start, end - start, write ? MADV_POPULATE_WRITE : MADV_POPULATE_READ);
}

/* Reading and writing the counter are themselves things that may be made to fail. */
void case_fail_nth_end(void)
{
	int saved = errno;
	char text[16] = "";

	if (fail_nth_fd < 0)
		return;
	if (pread(fail_nth_fd, text, sizeof(text) - 1, 0) > 0)
		run_shared->left = atoi(text);
	if (run_shared->left <= 0)
		run_shared->injected = 1;
	for (int i = 0; pwrite(fail_nth_fd, "0", 1, 0) < 0 && i < 3; i++)
		if (errno != EFAULT)
			run_shared->no_injection = errno;
	close(fail_nth_fd);
	fail_nth_fd = -1;
	errno = saved;
}
