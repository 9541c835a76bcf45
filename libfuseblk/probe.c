// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * probe.c: the probe's parent.  Forks a child that looks at the device,
 * waits for its answer no longer than it was told, ends and reaps it.  The
 * answer is of a fixed size and is sanitized before anyone sees it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "probe_internal.h"

#define REAP_TRIES 100		/* of 10 ms: a child that cannot be killed yet is left to init */

static int64_t now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static void run_child(int fd, uint64_t offset, uint64_t size, unsigned timeout_ms, int out)
{
	static struct fb_probe_result result;
	ssize_t n;
	int err;

	err = fb_probe_drop_privileges(timeout_ms);
	if (err) {
		result.kind = FB_PROBE_ERROR;
		result.error = err;
	} else {
		fb_probe_look(fd, offset, size, &result);
	}
	do {
		n = write(out, &result, sizeof(result));
	} while (n < 0 && errno == EINTR);
	_exit(n == sizeof(result) ? 0 : 1);
}

/* Returns 1 when the result is whole, 0 at a premature end, -ETIMEDOUT. */
static int read_result(int fd, int64_t deadline, struct fb_probe_result *out)
{
	struct pollfd pfd = { .fd = fd, .events = POLLIN };
	size_t got = 0;

	while (got < sizeof(*out)) {
		int64_t left = deadline - now_ms();
		ssize_t n;

		if (left <= 0)
			return -ETIMEDOUT;
		n = poll(&pfd, 1, (int)left);
		if (n < 0 && errno != EINTR)
			return 0;
		if (n <= 0)
			continue;
		n = read(fd, (char *)out + got, sizeof(*out) - got);
		if (n == 0 || (n < 0 && errno != EINTR))
			return 0;
		if (n > 0)
			got += (size_t)n;
	}
	return 1;
}

/* Returns the wait status, or -1 if the child would not end (an I/O that cannot be interrupted). */
static int reap(pid_t pid)
{
	const struct timespec pause = { 0, 10 * 1000000 };
	int status, i;

	kill(pid, SIGKILL);
	for (i = 0; i < REAP_TRIES; i++) {
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
		nanosleep(&pause, NULL);
	}
	return -1;
}

static void set_kind(struct fb_probe_result *out, enum fb_probe_kind kind, int err)
{
	memset(out, 0, sizeof(*out));
	out->kind = kind;
	out->error = err;
}

int fb_probe(int fd, uint64_t offset, uint64_t size, unsigned timeout_ms,
	     struct fb_probe_result *out)
{
	int64_t deadline = now_ms() + timeout_ms;
	off_t pos = lseek(fd, 0, SEEK_CUR);
	int pipe_fds[2], ret, status;
	pid_t pid;

	set_kind(out, FB_PROBE_ERROR, -EAGAIN);
	if (pipe2(pipe_fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		ret = -errno;
		close(pipe_fds[0]);
		close(pipe_fds[1]);
		return ret;
	}
	if (pid == 0)
		run_child(fd, offset, size, timeout_ms, pipe_fds[1]);
	close(pipe_fds[1]);
	ret = read_result(pipe_fds[0], deadline, out);
	close(pipe_fds[0]);
	status = reap(pid);
	/* The child shared it, and libblkid seeks. */
	if (pos >= 0)
		lseek(fd, pos, SEEK_SET);
	if (ret > 0)
		fb_probe_sanitize(out);
	else if (ret == -ETIMEDOUT || (status != -1 && WIFSIGNALED(status) && WTERMSIG(status) == SIGXCPU))
		set_kind(out, FB_PROBE_TIMEOUT, -ETIMEDOUT);
	else
		set_kind(out, FB_PROBE_ERROR, -EPROTO);
	return 0;
}

/* No control characters: these strings reach terminals and logs. */
static void sanitize_string(char *s, size_t size)
{
	size_t i;

	s[size - 1] = '\0';
	for (i = 0; s[i]; i++)
		if ((unsigned char)s[i] < 0x20 || s[i] == 0x7f)
			s[i] = '?';
	memset(s + i, 0, size - i);
}

void fb_probe_sanitize(struct fb_probe_result *r)
{
	uint32_t i;

	if (r->kind != FB_PROBE_FILESYSTEM && (r->kind < FB_PROBE_ERROR || r->kind > FB_PROBE_OTHER))
		set_kind(r, FB_PROBE_ERROR, -EPROTO);
	if (r->kind == FB_PROBE_ERROR && (r->error >= 0 || r->error < -4095))
		r->error = -EPROTO;
	if (r->partition_count > FB_PROBE_MAX_PARTITIONS)
		r->partition_count = FB_PROBE_MAX_PARTITIONS;
	if (r->candidate_count > FB_PROBE_MAX_CANDIDATES)
		r->candidate_count = FB_PROBE_MAX_CANDIDATES;
	sanitize_string(r->type, sizeof(r->type));
	sanitize_string(r->version, sizeof(r->version));
	sanitize_string(r->label, sizeof(r->label));
	sanitize_string(r->uuid, sizeof(r->uuid));
	sanitize_string(r->pttype, sizeof(r->pttype));
	for (i = 0; i < FB_PROBE_MAX_PARTITIONS; i++) {
		sanitize_string(r->partitions[i].type, sizeof(r->partitions[i].type));
		sanitize_string(r->partitions[i].name, sizeof(r->partitions[i].name));
	}
	for (i = 0; i < FB_PROBE_MAX_CANDIDATES; i++)
		sanitize_string(r->candidates[i], sizeof(r->candidates[i]));
}
