// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * proc.c: a process that serves a filesystem must not wait for that
 * filesystem to get memory, nor be the first to be killed, nor leave the
 * contents of files in a core dump, nor end because somebody pressed ^C.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>
#include "proc.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

static void ignore_signals(void)
{
	static const int signals[] = { SIGPIPE, SIGHUP, SIGINT, SIGTERM, SIGUSR1, SIGUSR2 };
	struct sigaction ignore = { .sa_handler = SIG_IGN };

	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &ignore, NULL);
}

static void spare_from_oom(void)
{
	static const char score[] = "-1000";
	int fd = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return;
	n = write(fd, score, strlen(score));
	(void)n;
	close(fd);
}

void fb_proc_settle(void)
{
	const struct rlimit none = { 0, 0 };

	ignore_signals();
	prctl(PR_SET_IO_FLUSHER, 1, 0, 0, 0);
	spare_from_oom();
	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	mallopt(M_ARENA_MAX, 2);
}
