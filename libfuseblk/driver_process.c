// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * driver_process.c: finding, starting, hearing and ending a driver.  The
 * driver gets descriptors and never names; it inherits nothing else.  The
 * parent waits for it with patience that ends, and for signals at the same
 * time.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "mount_internal.h"

#ifndef FUSEBLK_LIBEXECDIR
#error "FUSEBLK_LIBEXECDIR: where drivers are installed"
#endif
#ifndef CLOSE_RANGE_CLOEXEC
#define CLOSE_RANGE_CLOEXEC (1u << 2)
#endif

#define STARTED_MS (900 * 1000)	/* a gzip image may have to be inflated to its end */
#define SERVING_MS (120 * 1000)
#define EXIT_MS 3000			/* for a driver that was told to stop */
#define STALE_SECONDS 60		/* a socket may take to listen */
#define SPARE_MIN 4
#define SPARE_MAX 8
#define FIXED_FDS 5			/* device, channel, log, index, control */

/* ------------------------------------------------------------------ */
/* Finding                                                             */
/* ------------------------------------------------------------------ */

static bool is_type_name(const char *type)
{
	size_t i;

	for (i = 0; type[i]; i++)
		if (!isalnum((unsigned char)type[i]) && type[i] != '_' && type[i] != '-' && type[i] != '+')
			return false;
	return i > 0 && i < 32;
}

/* Formats that one driver serves beside the one it is named for. */
static const struct { const char *type, *driver; } aliases[] = {
	{ "ext3", "ext2" },
	{ "ext4", "ext2" },
	{ "vfat", "fat" },
	{ "msdos", "fat" },
};

static const char *alias_of(const char *type)
{
	size_t i;

	for (i = 0; i < sizeof(aliases) / sizeof(aliases[0]); i++)
		if (strcmp(aliases[i].type, type) == 0)
			return aliases[i].driver;
	return NULL;
}

static bool try_driver(struct fb_driver_process *drv, const char *dir, const char *type)
{
	if ((size_t)snprintf(drv->path, sizeof(drv->path), "%s/%s", dir, type) < sizeof(drv->path))
		return access(drv->path, X_OK) == 0;
	errno = ENAMETOOLONG;
	return false;
}

int fb_driver_find(struct fb_driver_process *drv, const char *type, const char *source,
		   struct fb_report *report)
{
	const char *dir = secure_getenv("FUSEBLK_LIBEXECDIR");
	const char *alias = alias_of(type);

	if (!is_type_name(type))
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL,
			       "\"%.40s\" is not the name of a filesystem; try -t fuseblk.ext2", type);
	if (!dir || *dir != '/')
		dir = FUSEBLK_LIBEXECDIR;
	/* A driver of the type's own goes before one that serves it too. */
	if (try_driver(drv, dir, type) || (alias && try_driver(drv, dir, alias)))
		return 0;
	return fb_fail(report, FB_EXIT_FAIL, -ENOENT,
		       "%s: the driver for %s, %s, cannot be run (%s); install it, or use the kernel's with \"mount -t %s\"",
		       source, type, drv->path, strerror(errno), type);
}

/* ------------------------------------------------------------------ */
/* Descriptors for the driver                                          */
/* ------------------------------------------------------------------ */

static int connect_syslog(void)
{
	const struct sockaddr_un addr = { AF_UNIX, "/dev/log" };
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd >= 0 && connect(fd, (const struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int named_file_failed(const char *option, const char *path, int err, struct fb_report *report)
{
	/* A name that leads nowhere is a wrong value; a full or failing disk is none. */
	bool wrong = err == -ENOENT || err == -ENOTDIR || err == -EISDIR;

	return fb_fail_errno(report, wrong ? FB_EXIT_USAGE : FB_EXIT_FAIL, err, "%s=%s: cannot be opened",
			     option, path);
}

/*
 * Where the driver's messages go.  Never blocks: the reader of the log may
 * wait for a file in the very mount.
 */
static int open_log(const struct fb_mount_options *o, bool foreground, struct fb_report *report)
{
	int fd;

	if (o->log[0]) {
		fd = open(o->log, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
		return fd >= 0 ? fd : named_file_failed("log", o->log, -errno, report);
	}
	/* In the foreground the driver writes to standard error anyway. */
	fd = foreground ? -1 : connect_syslog();
	if (fd < 0 && !foreground)
		fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	return fd >= 0 ? fd : fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "/dev/null: cannot be opened");
}

static int open_index(const struct fb_mount_options *o, const struct fb_source *src,
		      struct fb_report *report)
{
	int fd;

	if (src->kind != FB_DEVICE_GZIP)
		return fb_fail(report, FB_EXIT_USAGE, -EINVAL, "index=%s: %s is not a gzip image",
			       o->index, src->name);
	fd = open(o->index, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0 && (errno == EROFS || errno == EACCES))
		fd = open(o->index, O_RDONLY | O_CLOEXEC);
	return fd >= 0 ? fd : named_file_failed("index", o->index, -errno, report);
}

static int open_fuse(struct fb_report *report)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	if (fd >= 0)
		return fd;
	return fb_fail(report, FB_EXIT_SYSTEM, -errno, "/dev/fuse: cannot be opened (%s); is FUSE there? try \"modprobe fuse\"",
		       strerror(errno));
}

/*
 * The control socket, listening, under a name of its own until the mount is
 * made.  Without a writable /run the mount works, but cannot be remounted:
 * drv->control stays empty.
 */
static int open_control(struct fb_driver_process *drv)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	mode_t mask;
	int fd, err;

	snprintf(addr.sun_path, sizeof(addr.sun_path), FB_CONTROL_DIR "/.starting-%d", (int)getpid());
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return -errno;
	unlink(addr.sun_path);
	mask = umask(0177);
	err = bind(fd, (struct sockaddr *)&addr, sizeof(addr)) || listen(fd, 8) ? -errno : 0;
	umask(mask);
	if (err) {
		close(fd);
		return err;
	}
	snprintf(drv->control, sizeof(drv->control), "%s", addr.sun_path);
	return fd;
}

static unsigned spare_count(void)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);

	return cpus < SPARE_MIN ? SPARE_MIN : cpus > SPARE_MAX ? SPARE_MAX : (unsigned)cpus;
}

struct fd_list {
	int fds[FIXED_FDS + SPARE_MAX];
	unsigned count;
	unsigned borrowed;	/* the first few are not ours to close */
};

static int list_add(struct fd_list *list, int fd)
{
	if (fd < 0)
		return fd;
	list->fds[list->count++] = fd;
	return 0;
}

static void list_close(struct fd_list *list)
{
	unsigned i;

	for (i = list->borrowed; i < list->count; i++)
		close(list->fds[i]);
}

/* In the order that struct fb_start names. */
static int collect_fds(struct fd_list *list, struct fb_driver_process *drv, struct fb_start *start,
		       const struct fb_source *src, const struct fb_mount_options *o,
		       struct fb_report *report)
{
	int err, control;

	list_add(list, src->fd);
	list_add(list, drv->channel);
	list->borrowed = 2;
	err = list_add(list, open_log(o, start->foreground, report));
	if (!err && o->index[0]) {
		err = list_add(list, open_index(o, src, report));
		start->has_index = !err;
	}
	if (err)
		return err;
	control = open_control(drv);
	start->has_control = control >= 0;
	if (control >= 0)
		list_add(list, control);
	while (!err && start->spare_count < spare_count()) {
		err = list_add(list, open_fuse(report));
		start->spare_count += !err;
	}
	return err;
}

/* ------------------------------------------------------------------ */
/* The child                                                           */
/* ------------------------------------------------------------------ */

static void close_others_at_exec(void)
{
	int fd;

#ifdef SYS_close_range
	if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
		return;
#endif
	for (fd = 3; fd < 1024; fd++)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
}

static void reset_signals(void)
{
	sigset_t none;
	int i;

	for (i = 1; i < NSIG; i++)
		signal(i, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static void detach_from_terminal(void)
{
	int fd = open("/dev/null", O_RDWR | O_CLOEXEC);

	setsid();
	if (fd < 0)
		return;
	dup2(fd, STDIN_FILENO);
	dup2(fd, STDOUT_FILENO);
	dup2(fd, STDERR_FILENO);
}

static void run_driver(const char *path, int sock, bool foreground)
{
	struct fb_started failed = { .magic = FB_START_MAGIC };
	char argument[32];
	char *const argv[] = { (char *)path, argument, NULL };

	reset_signals();
	if (foreground)
		setpgid(0, 0);	/* ^C is for the parent, which unmounts */
	else
		detach_from_terminal();
	umask(0);
	if (chdir("/"))
		_exit(FB_EXIT_SYSTEM);
	close_others_at_exec();
	fcntl(sock, F_SETFD, 0);
	snprintf(argument, sizeof(argument), "--start-fd=%d", sock);
	execv(path, argv);
	failed.error = -errno;
	snprintf(failed.text, sizeof(failed.text), "the driver %.400s cannot be run: %s", path, strerror(errno));
	fb_start_send(sock, &failed, sizeof(failed), NULL, 0);
	_exit(FB_EXIT_SYSTEM);
}

static int spawn(struct fb_driver_process *drv, bool foreground, struct fb_report *report)
{
	int socks[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, socks))
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "no socket for the driver");
	drv->pid = fork();
	if (drv->pid == 0)
		run_driver(drv->path, socks[1], foreground);
	close(socks[1]);
	drv->sock = socks[0];
	if (drv->pid < 0)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "no process for the driver");
	return 0;
}

int fb_driver_start(struct fb_driver_process *drv, struct fb_start *start,
		    const struct fb_source *src, const struct fb_mount_options *o,
		    struct fb_report *report)
{
	struct fd_list list = { .count = 0 };
	int err;

	drv->channel = open_fuse(report);
	if (drv->channel < 0)
		return drv->channel;
	start->magic = FB_START_MAGIC;
	start->version = FB_START_VERSION;
	err = collect_fds(&list, drv, start, src, o, report);
	if (!err)
		err = spawn(drv, start->foreground, report);
	if (!err) {
		err = fb_start_send(drv->sock, start, sizeof(*start), list.fds, list.count);
		/* A driver that is gone already has said why. */
		if (err == -EPIPE)
			err = 0;
		if (err)
			fb_fail_errno(report, FB_EXIT_SYSTEM, err, "the driver %s cannot be reached", drv->path);
	}
	list_close(&list);
	return err;
}

/* ------------------------------------------------------------------ */
/* Hearing                                                             */
/* ------------------------------------------------------------------ */

/* How a driver that closed its socket ended. */
static void describe_end(struct fb_driver_process *drv, char *text, size_t size)
{
	const struct timespec pause = { 0, 10 * 1000000 };
	int status = 0, i;
	pid_t got = 0;

	for (i = 0; i < EXIT_MS / 10 && got == 0; i++) {
		got = waitpid(drv->pid, &status, WNOHANG);
		if (got == 0)
			nanosleep(&pause, NULL);
	}
	if (got == drv->pid)
		drv->pid = -1;
	if (got > 0 && WIFSIGNALED(status))
		snprintf(text, size, "it was killed by signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	else if (got > 0)
		snprintf(text, size, "it ended with status %d", WEXITSTATUS(status));
	else
		snprintf(text, size, "it closed its socket");
}

/* Receive one message of the driver's, within @patience ms. */
static int hear(struct fb_driver_process *drv, void *msg, unsigned size, int patience,
		const char *what, struct fb_report *report)
{
	struct pollfd pfd[2] = { { drv->sock, POLLIN, 0 }, { drv->signal_fd, POLLIN, 0 } };
	char end[128];
	int n, err;

	do {
		n = poll(pfd, 2, patience);
	} while (n < 0 && errno == EINTR);
	if (n == 0)
		return fb_fail(report, FB_EXIT_FAIL, -ETIMEDOUT, "the driver %s %s within %d s", drv->path,
			       what, patience / 1000);
	if (pfd[1].revents)
		return fb_fail(report, FB_EXIT_USER, -EINTR, "interrupted; nothing is mounted");
	err = fb_start_recv(drv->sock, msg, size, NULL, 0, NULL);
	if (err == -EPIPE) {
		describe_end(drv, end, sizeof(end));
		return fb_fail(report, FB_EXIT_FAIL, err, "the driver %s %s: %s", drv->path, what, end);
	}
	if (err)
		return fb_fail_errno(report, FB_EXIT_INTERNAL, err, "the driver %s does not speak our protocol", drv->path);
	return 0;
}

static int bad_answer(struct fb_driver_process *drv, const char *what, struct fb_report *report)
{
	return fb_fail(report, FB_EXIT_INTERNAL, -EPROTO, "the driver %s answered with a bad %s", drv->path, what);
}

static void clean_text(char *text, size_t size)
{
	size_t i;

	text[size - 1] = '\0';
	for (i = 0; text[i]; i++)
		if ((unsigned char)text[i] < 0x20 || text[i] == 0x7f)
			text[i] = ' ';
	while (i && text[i - 1] == ' ')
		text[--i] = '\0';
}

int fb_driver_wait_started(struct fb_driver_process *drv, struct fb_started *out,
			   struct fb_report *report)
{
	int err = hear(drv, out, sizeof(*out), STARTED_MS, "did not start", report);

	if (err)
		return err;
	if (out->magic != FB_START_MAGIC)
		return bad_answer(drv, "magic number", report);
	clean_text(out->text, sizeof(out->text));
	clean_text(out->label, sizeof(out->label));
	clean_text(out->subtype, sizeof(out->subtype));
	if (out->error)
		return fb_fail(report, out->error == -FB_BAD_OPTIONS ? FB_EXIT_USAGE : FB_EXIT_FAIL,
			       out->error < 0 ? out->error : -EPROTO, "%s",
			       out->text[0] ? out->text : strerror(abs(out->error)));
	if (!S_ISDIR(out->root_mode))
		return bad_answer(drv, "mode of the root directory", report);
	if (out->block_size < 512 || out->block_size > 65536 || out->block_size & (out->block_size - 1))
		return bad_answer(drv, "block size", report);
	if (out->subtype[0] && !is_type_name(out->subtype))
		return bad_answer(drv, "type name", report);
	return 0;
}

/* A socket of a mount nobody serves any more: its driver was killed. */
static bool is_stale(const char *path, const char *name)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	unsigned maj, min;
	struct stat st;
	bool refused;
	char rest;
	int fd;

	if (sscanf(name, "%u:%u%c", &maj, &min, &rest) != 2 && strncmp(name, ".starting-", 10) != 0)
		return false;
	if (lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return false;
	/* One that is not named for a mount yet may be about to listen. */
	if (name[0] == '.' && time(NULL) - st.st_mtime < STALE_SECONDS)
		return false;
	fd = socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return false;
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	refused = connect(fd, (struct sockaddr *)&addr, sizeof(addr)) && errno == ECONNREFUSED;
	close(fd);
	return refused;
}

/* Under the global lock, as is every naming of a socket that listens. */
static void remove_stale_controls(void)
{
	DIR *dir = opendir(FB_CONTROL_DIR);
	char path[108];
	struct dirent *de;

	while (dir && (de = readdir(dir)))
		if ((size_t)snprintf(path, sizeof(path), FB_CONTROL_DIR "/%s", de->d_name) < sizeof(path) &&
		    is_stale(path, de->d_name))
			unlink(path);
	if (dir)
		closedir(dir);
}

/* The mount's number is known now; a socket that an earlier mount of that number left is replaced. */
static int name_control(struct fb_driver_process *drv, dev_t dev, struct fb_report *report)
{
	char path[PATH_MAX];

	if (!drv->control[0])
		return 0;
	remove_stale_controls();
	fb_control_path(major(dev), minor(dev), path, sizeof(path));
	if (rename(drv->control, path))
		return fb_fail_errno(report, FB_EXIT_SYSTEM, -errno, "%s: cannot be made", path);
	snprintf(drv->control, sizeof(drv->control), "%s", path);
	return 0;
}

int fb_driver_wait_serving(struct fb_driver_process *drv, dev_t dev, struct fb_report *report)
{
	const struct fb_mounted mounted = { FB_START_MAGIC, major(dev), minor(dev) };
	struct fb_serving serving;
	int err;

	err = name_control(drv, dev, report);
	if (err)
		return err;
	err = fb_start_send(drv->sock, &mounted, sizeof(mounted), NULL, 0);
	if (err && err != -EPIPE)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, err, "the driver %s cannot be reached", drv->path);
	err = hear(drv, &serving, sizeof(serving), SERVING_MS, "did not begin to serve", report);
	if (err)
		return err;
	clean_text(serving.text, sizeof(serving.text));
	if (serving.magic != FB_START_MAGIC)
		return bad_answer(drv, "magic number", report);
	if (serving.error)
		return fb_fail(report, FB_EXIT_FAIL, serving.error < 0 ? serving.error : -EPROTO, "%s",
			       serving.text[0] ? serving.text : strerror(abs(serving.error)));
	return 0;
}

/* ------------------------------------------------------------------ */
/* Letting go                                                          */
/* ------------------------------------------------------------------ */

static void close_fds(struct fb_driver_process *drv)
{
	if (drv->sock >= 0)
		close(drv->sock);
	if (drv->channel >= 0)
		close(drv->channel);
	drv->sock = drv->channel = -1;
}

void fb_driver_release(struct fb_driver_process *drv)
{
	close_fds(drv);
}

void fb_driver_kill(struct fb_driver_process *drv)
{
	const struct timespec pause = { 0, 10 * 1000000 };
	int i;

	close_fds(drv);		/* the driver sees the end of its socket and leaves */
	for (i = 0; i < EXIT_MS / 10 && drv->pid > 0; i++) {
		if (waitpid(drv->pid, NULL, WNOHANG) != 0)
			drv->pid = -1;
		else
			nanosleep(&pause, NULL);
	}
	if (drv->pid > 0) {
		kill(drv->pid, SIGKILL);
		waitpid(drv->pid, NULL, 0);
		drv->pid = -1;
	}
	if (drv->control[0])
		unlink(drv->control);
	drv->control[0] = '\0';
}
