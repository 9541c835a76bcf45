// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * interrupt.c: INTERRUPT messages, and how a request learns of them.
 *
 * A worker carries the unique of the request it serves and a flag.  An
 * INTERRUPT that names a running request sets the flag and wakes the worker
 * where it waits interruptibly.  One that names no running request has come
 * before its request was entered, or after its end: it is answered EAGAIN,
 * which makes the kernel send it again if the request still runs, a few
 * times; then it is remembered for a request that may yet be entered, and
 * nothing more is said.
 *
 * A worker that writes or flushes for a commit hears nothing until the device
 * is done.  If its caller dies meanwhile the watchdog answers in its place.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "channel.h"
#include "interrupt.h"
#include "session.h"
#include "worker.h"

#define MOST_ANSWERS	8
#define LOOK_AGAIN_NS	20000000u

static bool interrupt_worker(struct fb_worker *worker, uint64_t unique)
{
	bool found;

	pthread_mutex_lock(&worker->lock);
	found = worker->unique == unique;
	if (found)
		atomic_store(&worker->interrupted, true);
	if (found && worker->waiting_on)
		pthread_cond_broadcast(worker->waiting_on);
	pthread_mutex_unlock(&worker->lock);
	return found;
}

static bool interrupt_running(struct fb_session *s, uint64_t unique)
{
	bool found = false;

	pthread_mutex_lock(&s->lock);
	for (unsigned i = 0; i < s->worker_count && !found; i++)
		found = interrupt_worker(s->workers[i], unique);
	pthread_mutex_unlock(&s->lock);
	return found;
}

/* Returns how often @unique was seen before this time. */
static unsigned remember_early(struct fb_session *s, uint64_t unique)
{
	unsigned i, before = 0;

	pthread_mutex_lock(&s->interrupt_lock);
	for (i = 0; i < FB_EARLY_INTERRUPTS; i++)
		if (s->early[i].unique == unique)
			break;
	if (i < FB_EARLY_INTERRUPTS) {
		before = s->early[i].count++;
	} else {
		i = s->early_next++ % FB_EARLY_INTERRUPTS;
		if (!s->early[i].unique)
			atomic_fetch_add(&s->early_count, 1);
		s->early[i].unique = unique;
		s->early[i].count = 1;
	}
	pthread_mutex_unlock(&s->interrupt_lock);
	return before;
}

int fb_interrupt(struct fb_session *s, uint64_t unique)
{
	if (unique == 0)
		return 0;
	if (interrupt_running(s, unique))
		return 0;
	if (remember_early(s, unique) >= MOST_ANSWERS)
		return 0;
	/* Entered in between? The worker looks at the early ones after it entered. */
	if (interrupt_running(s, unique))
		return 0;
	sched_yield();
	return -EAGAIN;
}

void fb_interrupt_enter(struct fb_worker *worker, uint64_t unique, uint32_t pid)
{
	struct fb_session *s = worker->session;

	worker->fatal = false;
	worker->fatal_looked = 0;
	pthread_mutex_lock(&worker->lock);
	worker->pid = pid;
	worker->answered = false;
	worker->unique = unique;
	pthread_mutex_unlock(&worker->lock);
	if (!atomic_load(&s->early_count))
		return;
	pthread_mutex_lock(&s->interrupt_lock);
	for (unsigned i = 0; i < FB_EARLY_INTERRUPTS; i++) {
		if (!s->early[i].unique || s->early[i].unique != unique)
			continue;
		s->early[i].unique = 0;
		atomic_fetch_sub(&s->early_count, 1);
		atomic_store(&worker->interrupted, true);
	}
	pthread_mutex_unlock(&s->interrupt_lock);
}

void fb_interrupt_leave(struct fb_worker *worker)
{
	pthread_mutex_lock(&worker->lock);
	worker->unique = 0;
	atomic_store(&worker->interrupted, false);
	pthread_mutex_unlock(&worker->lock);
}

/*
 * A fatal signal shows as a pending SIGKILL in each thread of its process.
 * One that is gone is dying; one that cannot be seen from here (pid 0, no
 * /proc) is taken to live, for an EINTR out of turn does more harm than a wait.
 */
static bool has_sigkill(int proc, uint32_t pid)
{
	char path[40], text[2048];
	const char *line;
	ssize_t n;
	int fd;

	if (!pid || proc < 0)
		return false;
	snprintf(path, sizeof(path), "%u/status", pid);
	fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return n < 0 && errno == ESRCH;
	text[n] = '\0';
	line = strstr(text, "\nSigPnd:");
	return !line || (strtoull(line + 8, NULL, 16) & (1ull << (SIGKILL - 1)));
}

bool fb_interrupt_is_fatal(struct fb_worker *worker, uint64_t now)
{
	if (worker->fatal)
		return true;
	if (worker->fatal_looked && now - worker->fatal_looked < LOOK_AGAIN_NS)
		return false;
	worker->fatal_looked = now;
	worker->fatal = worker->session->is_socket || has_sigkill(worker->session->proc, worker->pid);
	return worker->fatal;
}

static void answer_eintr(struct fb_worker *worker)
{
	struct fuse_out_header out = { .len = sizeof(out), .error = -EINTR, .unique = worker->unique };
	struct fb_reply reply = {
		.iov = { { .iov_base = &out, .iov_len = sizeof(out) } }, .iov_count = 1, .total = sizeof(out),
	};

	fb_channel_reply(worker->fd, &reply);
	worker->answered = true;
}

void fb_interrupt_answer_stuck(struct fb_session *s, uint64_t now)
{
	for (unsigned i = 0; i < s->worker_count; i++) {
		struct fb_worker *worker = s->workers[i];

		if (!atomic_load_explicit(&worker->interrupted, memory_order_relaxed))
			continue;
		pthread_mutex_lock(&worker->lock);
		if (worker->stuck && !worker->answered && now - worker->stuck_looked >= LOOK_AGAIN_NS) {
			worker->stuck_looked = now;
			if (s->is_socket || has_sigkill(s->proc, worker->pid))
				answer_eintr(worker);
		}
		pthread_mutex_unlock(&worker->lock);
	}
}
