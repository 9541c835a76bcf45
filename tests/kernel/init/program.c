// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The one program of a guest: started, listened to, waited for, and whatever it
 * leaves behind killed.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include "init.h"

#define ARGS_BYTES 65536
#define ARGS_MOST 4096
#define KILL_MS 5000

struct program {
	pid_t pid;
	int out;		/* what it prints */
	int children;		/* a signalfd: one of ours ended */
	bool ended;
	int status;
};

static long long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000LL + ts.tv_nsec / 1000000;
}

static char **read_argv(void)
{
	static char bytes[ARGS_BYTES], *argv[ARGS_MOST + 1];
	int fd = open("/task/argv", O_RDONLY | O_CLOEXEC), count = 0;
	ssize_t n = fd < 0 ? 0 : read(fd, bytes, sizeof(bytes) - 1);

	for (char *p = bytes; p < bytes + n && count < ARGS_MOST; p += strlen(p) + 1)
		argv[count++] = p;
	if (fd >= 0)
		close(fd);
	return argv;
}

static void become(char **argv, int out)
{
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	setsid();
	dup2(out, STDOUT_FILENO);
	dup2(out, STDERR_FILENO);
	execv(argv[0], argv);
	_exit(127);
}

static int start(struct program *p)
{
	char **argv = read_argv();
	sigset_t child;
	int ends[2];

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	sigprocmask(SIG_BLOCK, &child, NULL);
	p->children = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
	if (!argv[0] || p->children < 0 || pipe2(ends, O_CLOEXEC) < 0)
		return -1;
	p->out = ends[0];
	fcntl(p->out, F_SETFL, O_NONBLOCK);
	p->pid = fork();
	if (p->pid == 0)
		become(argv, ends[1]);
	close(ends[1]);
	return p->pid < 0 ? -1 : 0;
}

/* False at the end of the pipe. */
static bool listen_to(struct program *p)
{
	char data[16384];
	ssize_t n;

	while ((n = read(p->out, data, sizeof(data))) > 0)
		report_bytes("output", NULL, data, (size_t)n);
	return n < 0;
}

static void reap(struct program *p)
{
	struct signalfd_siginfo si;
	int status;
	pid_t pid;

	while (read(p->children, &si, sizeof(si)) > 0)
		;
	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		if (pid != p->pid)
			continue;
		p->ended = true;
		p->status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	}
}

/* Until it ends or its time is over. */
static void attend(struct program *p, long long deadline)
{
	struct pollfd fds[2] = { { p->out, POLLIN, 0 }, { p->children, POLLIN, 0 } };
	long long left;

	while (!p->ended && (left = deadline - now_ms()) > 0) {
		poll(fds, 2, (int)left);
		if (fds[0].revents && !listen_to(p))
			fds[0].fd = -1;
		reap(p);
	}
	listen_to(p);
}

static bool all_are_gone(void)
{
	while (waitpid(-1, NULL, WNOHANG) > 0)
		;
	return waitpid(-1, NULL, WNOHANG) < 0 && errno == ECHILD;
}

static void kill_all(void)
{
	long long deadline = now_ms() + KILL_MS;

	/* again and again: one that is forking may escape the first */
	do {
		kill(-1, SIGKILL);
		if (all_are_gone())
			return;
		sleep_ms(5);
	} while (now_ms() < deadline);
	report_line("complaint", "processes do not die by SIGKILL within %d s", KILL_MS / 1000);
	kernel_show_tasks();
}

void program_run(unsigned int timeout_s)
{
	struct program p = { .pid = -1 };

	if (start(&p) < 0) {
		report_line("complaint", "the program cannot be started: %s", strerror(errno));
		return;
	}
	attend(&p, now_ms() + timeout_s * 1000LL);
	if (!p.ended) {
		report_line("note", "the program did not end within %u s", timeout_s);
		kernel_show_tasks();
		p.status = 124;
	}
	kill_all();
	listen_to(&p);
	report_line("status", "%d", p.status);
	close(p.out);
	close(p.children);
}
