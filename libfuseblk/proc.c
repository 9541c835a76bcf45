// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * proc.c: a process that serves a filesystem must not wait for that
 * filesystem to get memory, nor be the first to be killed, nor leave the
 * contents of files in a core dump, nor end because somebody pressed ^C.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>
#include "proc.h"
#include "start.h"

#ifndef PR_SET_IO_FLUSHER
#define PR_SET_IO_FLUSHER 57
#endif

/* Opened before the mounts are left; -1 while they are not. */
static int proc_dir = -1, control_dir = -1;

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

/* "." becomes the root and what was the root goes away. */
static int make_root(void)
{
	if (syscall(SYS_pivot_root, ".", ".") || umount2(".", MNT_DETACH))
		return -errno;
	return chdir("/") ? -errno : 0;
}

void fb_proc_leave_mounts(void)
{
	proc_dir = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	control_dir = open(FB_CONTROL_DIR, O_PATH | O_DIRECTORY | O_CLOEXEC);
	/* Private: no mount made later, our own among them, may arrive here. */
	if (unshare(CLONE_NEWNS) || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("fuseblk", "/proc", "tmpfs", MS_NOSUID | MS_NODEV | MS_NOEXEC, "size=4k,mode=0555") ||
	    chdir("/proc"))
		return;
	make_root();
}

int fb_proc_open(void)
{
	int fd = proc_dir >= 0 ? fcntl(proc_dir, F_DUPFD_CLOEXEC, 3)
			       : open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

void fb_proc_unlink_control(const char *path)
{
	const char *name = strrchr(path, '/');

	if (control_dir >= 0 && name)
		unlinkat(control_dir, name + 1, 0);
	else
		unlink(path);
}
