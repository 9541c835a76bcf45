// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mount.c: the order of a mount.  Each step either succeeds or leaves a
 * report; what was done is then undone in the opposite order, so that after
 * a failure there is no mount, no loop device, no process and no socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "device.h"
#include "mount_internal.h"
#include "probe.h"

#define PROBE_TIMEOUT_MS 30000

struct mounting {
	const struct fb_mount_args *args;
	struct fb_mount_options options;
	struct fb_report report;
	struct fb_source source;
	struct fb_guard guard;
	struct fb_loop loop;
	struct fb_driver_process driver;
	struct fb_start start;
	struct fb_started started;
	struct fb_kmount kernel;
	char type[32];			/* of the driver */
	char target[PATH_MAX];		/* canonical */
	int target_fd;			/* O_PATH */
	int ns_fd, home_ns_fd;		/* -N: the namespace to mount in, and ours; or -1 */
	bool plain;			/* type fuse, no block device */
	bool absent;			/* the source is not there */
	bool mounted;			/* it stood when fb_mount() began to tell */
};

/* ------------------------------------------------------------------ */
/* The mount point                                                     */
/* ------------------------------------------------------------------ */

static int open_namespace(struct mounting *m)
{
	const char *name = m->args->mount_ns;
	char path[PATH_MAX];

	if (!name)
		return 0;
	if (name[strspn(name, "0123456789")] == '\0')
		snprintf(path, sizeof(path), "/proc/%s/ns/mnt", name);
	else
		snprintf(path, sizeof(path), "%s", name);
	m->home_ns_fd = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC);
	m->ns_fd = open(path, O_RDONLY | O_CLOEXEC);
	if (m->ns_fd < 0 || m->home_ns_fd < 0)
		return fb_fail_errno(&m->report, FB_EXIT_SYSTEM, -errno, "-N %s: cannot be opened", name);
	return 0;
}

static int enter(struct mounting *m, int ns)
{
	if (ns >= 0 && setns(ns, CLONE_NEWNS))
		return fb_fail_errno(&m->report, FB_EXIT_SYSTEM, -errno, "the mount namespace cannot be entered");
	return 0;
}

static int open_target(struct mounting *m)
{
	const char *target = m->args->target;
	char link[64];
	ssize_t n;

	m->target_fd = open(target, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (m->target_fd < 0 && errno == ENOENT)
		return fb_fail(&m->report, FB_EXIT_FAIL, -ENOENT,
			       "%s: the mount point does not exist; make it with \"mkdir -p %s\"", target, target);
	if (m->target_fd < 0)
		return fb_fail_errno(&m->report, FB_EXIT_FAIL, -errno, "%s: cannot be mounted on", target);
	/* Its name, without asking the filesystem as realpath() would. */
	snprintf(link, sizeof(link), "/proc/self/fd/%d", m->target_fd);
	n = readlink(link, m->target, sizeof(m->target) - 1);
	if (n < 0)
		return fb_fail_errno(&m->report, FB_EXIT_SYSTEM, -errno, "/proc is not there");
	m->target[n] = '\0';
	return 0;
}

static int find_target(struct mounting *m)
{
	int cwd, err = open_namespace(m);

	if (err || m->ns_fd < 0)
		return err ? err : open_target(m);
	/* Entering a namespace moves to its root; the source may be relative to where we are. */
	cwd = open(".", O_PATH | O_DIRECTORY | O_CLOEXEC);
	err = enter(m, m->ns_fd);
	if (!err)
		err = open_target(m);
	if ((enter(m, m->home_ns_fd) || fchdir(cwd)) && !err)
		err = fb_fail_errno(&m->report, FB_EXIT_SYSTEM, -errno, "no way back from the mount namespace");
	if (cwd >= 0)
		close(cwd);
	return err;
}

/* ------------------------------------------------------------------ */
/* Source and driver                                                   */
/* ------------------------------------------------------------------ */

static int find_source(struct mounting *m)
{
	const struct fb_mount_options *o = &m->options;
	int err = fb_source_open(&m->source, m->args->source, o, &m->report);

	m->absent = err == -ENOENT || err == -ENOMEDIUM;
	if (!err && o->partition)
		err = fb_source_partition(&m->source, o->partition, &m->report);
	return err;
}

static int probe_type(struct mounting *m)
{
	static struct fb_probe_result result;
	char text[sizeof(m->report.text)];
	int err;

	err = fb_probe(m->source.fd, m->source.offset, m->source.size, PROBE_TIMEOUT_MS, &result);
	if (err)
		return fb_fail_errno(&m->report, FB_EXIT_SYSTEM, err, "%s: cannot be probed", m->source.name);
	if (result.kind != FB_PROBE_FILESYSTEM) {
		fb_probe_explain(&result, m->source.name, text, sizeof(text));
		return fb_fail(&m->report, FB_EXIT_FAIL, -EMEDIUMTYPE, "%s", text);
	}
	snprintf(m->type, sizeof(m->type), "%s", result.type);
	return 0;
}

static int find_driver(struct mounting *m)
{
	const struct fb_mount_args *args = m->args;
	int err = 0;

	if (args->type)
		snprintf(m->type, sizeof(m->type), "%s", args->type);
	if (args->driver_path) {
		snprintf(m->driver.path, sizeof(m->driver.path), "%s", args->driver_path);
		return 0;
	}
	if (!args->type)
		err = probe_type(m);
	return err ? err : fb_driver_find(&m->driver, m->type, m->source.name, &m->report);
}

/* ------------------------------------------------------------------ */
/* The device that is mounted                                          */
/* ------------------------------------------------------------------ */

/*
 * The loop device gets a descriptor of its own, writable where the source
 * can be written, even under a read-only mount: so that can be remounted.
 */
static int attach_loop(struct mounting *m, struct fb_report *report)
{
	const struct fb_source *src = &m->source;
	bool read_only = false;
	int err, fd = fb_reopen(src->fd, O_RDWR);

	if (fd < 0) {
		read_only = true;
		fd = fb_reopen(src->fd, O_RDONLY);
	}
	if (fd < 0)
		return fb_fail_errno(report, FB_EXIT_SYSTEM, fd, "%s: cannot be opened again", src->name);
	err = fb_loop_attach(&m->loop, fd, src->path, src->offset, src->size, src->sector, read_only, report);
	close(fd);
	return err;
}

static int choose_device(struct mounting *m)
{
	struct fb_report why = { .status = 0 };
	int err;

	if (m->source.kind == FB_DEVICE_GZIP) {
		m->plain = true;
		return 0;
	}
	if (!fb_source_needs_loop(&m->source))
		return 0;
	err = attach_loop(m, &why);
	if (err) {
		m->plain = true;
		if (m->args->verbose)
			fprintf(stderr, "%s: %s; mounting as type fuse\n", program_invocation_short_name, why.text);
	}
	return 0;
}

static dev_t mounted_dev(const struct mounting *m)
{
	if (m->plain)
		return 0;
	return m->loop.fd >= 0 ? m->loop.rdev : m->source.rdev;
}

static int start_driver(struct mounting *m)
{
	struct fb_start *s = &m->start;
	int err;

	s->device_kind = m->source.kind;
	s->read_only = m->source.read_only;
	s->offset = m->source.offset;
	s->sizelimit = m->source.size;
	s->foreground = m->args->foreground;
	s->sloppy = m->args->sloppy;
	snprintf(s->source, sizeof(s->source), "%.*s", (int)sizeof(s->source) - 1, m->source.name);
	snprintf(s->target, sizeof(s->target), "%.*s", (int)sizeof(s->target) - 1, m->target);
	if (fb_mount_options_driver(&m->options, s->options, sizeof(s->options)))
		return fb_fail(&m->report, FB_EXIT_USAGE, -E2BIG, "the options are too long");
	err = fb_driver_start(&m->driver, s, &m->source, &m->options, &m->report);
	return err ? err : fb_driver_wait_started(&m->driver, &m->started, &m->report);
}

/* ------------------------------------------------------------------ */
/* The kernel                                                          */
/* ------------------------------------------------------------------ */

static uint32_t kernel_block_size(const struct mounting *m)
{
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE);
	uint32_t size = m->started.block_size;

	if (m->plain)
		return 0;
	if (size > page)
		size = page;
	return size < m->source.sector ? m->source.sector : size;
}

/* EBUSY although we had it to ourselves a moment ago. */
static int explain_busy(struct mounting *m)
{
	char path[PATH_MAX], user[512];
	int fd = fb_open_device(mounted_dev(m), O_RDONLY | O_EXCL, path, sizeof(path));

	if (fd < 0) {
		fb_guard_user(mounted_dev(m), user, sizeof(user));
		return fb_fail(&m->report, FB_EXIT_FAIL, -EBUSY, "%s: busy: %s", m->source.name, user);
	}
	close(fd);
	return fb_fail(&m->report, FB_EXIT_FAIL, -EBUSY,
		       "%s: busy, though nobody holds it: this kernel mounts no device that is open for writing (CONFIG_BLK_DEV_WRITE_MOUNTED=n); boot with bdev_allow_write_mounted=1, or mount read-only with -o ro",
		       m->source.name);
}

static void prepare_kernel(struct mounting *m)
{
	struct fb_kmount *k = &m->kernel;

	k->type = m->plain ? "fuse" : "fuseblk";
	k->source = m->loop.fd >= 0 ? m->loop.path : m->source.path;
	k->subtype = m->started.subtype[0] ? m->started.subtype : m->type;
	k->security = m->options.security;
	k->channel = m->driver.channel;
	k->flags = m->options.flags & ~(unsigned long)MS_RDONLY;
	if (m->source.read_only || m->started.read_only)
		k->flags |= MS_RDONLY;
	k->root_mode = m->started.root_mode;
	k->block_size = kernel_block_size(m);
	k->default_permissions = m->started.default_permissions;
	k->target_fd = m->target_fd;
}

/* Made in the kernel, served by the driver; not yet in the tree. */
static int create_mount(struct mounting *m)
{
	int err;

	prepare_kernel(m);
	err = fb_guard_hand_over(&m->guard, &m->source, mounted_dev(m), &m->report);
	if (err)
		return err;
	err = fb_kmount_create(&m->kernel, &m->report);
	if (err == -EBUSY && !m->plain)
		return explain_busy(m);
	if (err)
		return fb_fail_errno(&m->report, FB_EXIT_FAIL, err, "%s: cannot be mounted", m->source.name);
	return 0;
}

static int check_dev(struct mounting *m)
{
	if (m->plain || m->kernel.dev == mounted_dev(m))
		return 0;
	return fb_fail(&m->report, FB_EXIT_INTERNAL, -EXDEV,
		       "%s: the kernel mounted device %u:%u instead of %u:%u; it was exchanged meanwhile",
		       m->source.name, major(m->kernel.dev), minor(m->kernel.dev), major(mounted_dev(m)),
		       minor(mounted_dev(m)));
}

static int serve_and_attach(struct mounting *m)
{
	int err = check_dev(m);

	if (!err)
		err = fb_driver_wait_serving(&m->driver, m->kernel.dev, &m->report);
	/* After INIT, which lowers what it finds. */
	if (!err)
		fb_kmount_tune(m->kernel.dev);
	if (!err)
		err = enter(m, m->ns_fd);
	if (!err)
		err = fb_kmount_attach(&m->kernel, m->target, &m->report);
	return err;
}

/* ------------------------------------------------------------------ */
/* The whole                                                           */
/* ------------------------------------------------------------------ */

/* One line for a mount that is read-only without having been asked to be. */
static void tell_read_only(const struct mounting *m)
{
	if (m->source.why_read_only[0])
		fprintf(stderr, "%s: %s; mounted read-only\n", program_invocation_short_name,
			m->source.why_read_only);
	else if (m->started.read_only && m->started.text[0])
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, m->started.text);
}

static int mount_with_driver(struct mounting *m)
{
	int err = start_driver(m);

	if (err || m->args->fake)
		goto out_driver;
	err = create_mount(m);
	if (err)
		goto out_driver;
	err = serve_and_attach(m);
	if (err)
		goto out_mount;
	tell_read_only(m);
	fb_driver_release(&m->driver);
	return 0;

out_mount:
	fb_kmount_undo(&m->kernel, m->target);
out_driver:
	fb_driver_kill(&m->driver);
	return err;
}

static int mount_source(struct mounting *m)
{
	int err;

	err = find_source(m);
	if (err)
		return err;
	err = fb_guard_take(&m->guard, &m->source, &m->report);
	if (!err)
		err = find_driver(m);
	if (!err)
		err = choose_device(m);
	if (!err)
		err = mount_with_driver(m);
	fb_loop_close(&m->loop);
	fb_guard_close(&m->guard);
	fb_source_close(&m->source);
	return err;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int mount_at_target(struct mounting *m)
{
	int err = find_target(m);

	if (!err)
		err = mount_source(m);
	close_fd(m->target_fd);
	close_fd(m->ns_fd);
	close_fd(m->home_ns_fd);
	return err;
}

/* ------------------------------------------------------------------ */
/* Signals and the foreground                                          */
/* ------------------------------------------------------------------ */

/* From here on a signal is an event, so that nothing is left half done. */
static int catch_signals(struct mounting *m, sigset_t *old)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGQUIT);
	if (sigprocmask(SIG_BLOCK, &set, old))
		return -errno;
	m->driver.signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (m->driver.signal_fd >= 0)
		return 0;
	fb_fail_errno(&m->report, FB_EXIT_SYSTEM, -errno, "no signal descriptor");
	sigprocmask(SIG_SETMASK, old, NULL);
	return -EMFILE;
}

/* What was caught has been acted on, or came too late to matter. */
static void release_signals(struct mounting *m, const sigset_t *old)
{
	struct signalfd_siginfo info;

	while (read(m->driver.signal_fd, &info, sizeof(info)) > 0)
		;
	close(m->driver.signal_fd);
	sigprocmask(SIG_SETMASK, old, NULL);
}

/* A driver in the foreground: until it ends. A signal unmounts. */
static int stay_with_driver(struct mounting *m)
{
	struct pollfd pfd = { m->driver.signal_fd, POLLIN, 0 };
	struct signalfd_siginfo info;
	int status;
	pid_t got;

	while ((got = waitpid(m->driver.pid, &status, WNOHANG)) == 0) {
		if (poll(&pfd, 1, 200) > 0 && read(pfd.fd, &info, sizeof(info)) > 0)
			umount2(m->target, MNT_DETACH | UMOUNT_NOFOLLOW);
	}
	if (got > 0 && WIFSIGNALED(status))
		return fb_fail(&m->report, FB_EXIT_FAIL, -EIO, "the driver was killed by signal %d (%s)",
			       WTERMSIG(status), strsignal(WTERMSIG(status)));
	return got > 0 && WEXITSTATUS(status) ? -EIO : 0;
}

static int run(struct mounting *m)
{
	sigset_t old;
	int err;

	if (geteuid() != 0)
		return fb_fail(&m->report, FB_EXIT_USAGE, -EPERM, "only root can mount: run it as root, for example with sudo");
	if (m->options.remount)
		return fb_remount(m->args, &m->options, &m->report);
	err = catch_signals(m, &old);
	if (err)
		return err;
	err = mount_at_target(m);
	m->mounted = !err && !m->args->fake;
	if (!err && m->args->foreground && !m->args->fake)
		err = stay_with_driver(m);
	release_signals(m, &old);
	if (err && m->absent && m->options.nofail) {
		memset(&m->report, 0, sizeof(m->report));
		err = 0;
	}
	return err;
}

static struct mounting *new_mounting(const struct fb_mount_args *args)
{
	struct mounting *m = calloc(1, sizeof(*m));

	if (!m)
		return NULL;
	m->args = args;
	m->source.fd = m->loop.fd = -1;
	m->guard.lock_fd = m->guard.excl_fd = -1;
	m->driver.pid = m->driver.sock = m->driver.channel = m->driver.signal_fd = -1;
	m->kernel.mount_fd = m->target_fd = m->ns_fd = m->home_ns_fd = -1;
	return m;
}

/* With -v: what was done, or with -f what would have been. */
static void tell_done(const struct mounting *m)
{
	const struct fb_mount_args *args = m->args;
	const char *name = program_invocation_short_name;

	if (m->options.remount)
		fprintf(stderr, "%s: %s %s\n", name, args->target,
			args->fake ? "is a mount that would be remounted" : "remounted");
	else if (m->mounted)
		fprintf(stderr, "%s: %s mounted on %s\n", name, args->source, args->target);
	else if (m->absent)
		fprintf(stderr, "%s: %s is not there; nothing is mounted (nofail)\n", name, args->source);
	else
		fprintf(stderr, "%s: %s would be mounted on %s as type %s.%s, %s\n", name, args->source,
			m->target, m->plain ? "fuse" : "fuseblk", m->type,
			m->source.read_only || m->started.read_only ? "read-only" : "read-write");
}

int fb_mount(const struct fb_mount_args *args)
{
	struct mounting *m = new_mounting(args);
	int err, status;

	if (!m) {
		fprintf(stderr, "%s: out of memory\n", program_invocation_short_name);
		return FB_EXIT_SYSTEM;
	}
	err = fb_mount_options_add(&m->options, args->options, &m->report);
	if (!err)
		err = run(m);
	status = !err ? FB_EXIT_OK : m->report.status ? m->report.status : FB_EXIT_FAIL;
	if (m->report.text[0])
		fprintf(stderr, "%s: %s\n", program_invocation_short_name, m->report.text);
	else if (status == FB_EXIT_OK && args->verbose)
		tell_done(m);
	free(m);
	return status;
}
