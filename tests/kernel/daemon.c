// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * daemon.c: the connections of a case: opening, mounting, INIT, unmounting.
 *
 * Every connection is in one list, so that a case may end anywhere: cleaning up
 * aborts each through fusectl before anything else, because a caller that waits for
 * us would keep the rest from going away.
 */
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/syscall.h>
#include <linux/loop.h>
#include "daemon.h"

#define DISK_SIZE (1u << 20)
#define LOOP_TRIES 50
#define ALWAYS_AUTO (1ull << FUSE_RELEASE | 1ull << FUSE_RELEASEDIR | 1ull << FUSE_FLUSH | \
		     1ull << FUSE_SYNCFS | 1ull << FUSE_DESTROY | 1ull << FUSE_LOOKUP | \
		     1ull << FUSE_GETATTR | 1ull << FUSE_GETXATTR)

static struct kd *all;
static const char *here_file = "?";
static int here_line;

void kd_at(const char *file, int line)
{
	here_file = file;
	here_line = line;
}

void kd_fail(struct kd *kd, const char *format, ...)
{
	char text[512];
	va_list ap;

	(void)kd;
	va_start(ap, format);
	vsnprintf(text, sizeof(text), format, ap);
	va_end(ap);
	case_fail(here_file, here_line, "%s", text);
}

void kd_show_traces(void)
{
	for (struct kd *kd = all; kd; kd = kd->next) {
		case_note("requests of connection %u:", kd->conn);
		for (size_t i = 0; i < kd->trace_count; i++)
			case_note("  %s", kd->trace[i]);
	}
}

/* ---- the disk ------------------------------------------------------- */

static int backing_file(uint64_t size)
{
	static int serial;
	char path[512];
	int fd;

	snprintf(path, sizeof(path), "%s/disk%d", case_dir(), serial++);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd >= 0 && ftruncate(fd, (off_t)size) < 0) {
		close(fd);
		return -1;
	}
	return fd;
}

/* A free loop device may be taken by somebody else before us. */
int kd_disk_new(struct kd *kd)
{
	uint64_t size = kd->opts.disk_size ? kd->opts.disk_size : DISK_SIZE;
	int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int file = backing_file(size), disk = -1;

	if (control < 0)
		case_skip("no loop devices here: %s", strerror(errno));
	for (int i = 0; i < LOOP_TRIES && disk < 0; i++) {
		struct loop_config config = {
			.fd = (uint32_t)file, .info.lo_flags = LO_FLAGS_AUTOCLEAR,
		};
		int n = ioctl(control, LOOP_CTL_GET_FREE);

		snprintf(kd->disk, sizeof(kd->disk), "/dev/loop%d", n);
		disk = n < 0 ? -1 : open(kd->disk, O_RDWR | O_CLOEXEC);
		if (disk >= 0 && ioctl(disk, LOOP_CONFIGURE, &config) < 0) {
			close(disk);
			disk = -1;
			usleep(10000);
		}
	}
	close(control);
	close(file);
	if (disk < 0)
		case_skip("no free loop device: %s", strerror(errno));
	kd->disk_fd = disk;
	return disk;
}

/* ---- mounting ------------------------------------------------------- */

static char *mount_point(void)
{
	static int serial;
	char *path;

	if (asprintf(&path, "%s/mnt%d", case_dir(), serial++) < 0 || mkdir(path, 0755) < 0)
		case_fail(here_file, here_line, "no mount point: %s", strerror(errno));
	return path;
}

static bool is_fuseblk(const struct kd *kd)
{
	return strncmp(kd->opts.type, "fuseblk", 7) == 0;
}

struct kd *kd_open_only(const struct kd_opts *opts)
{
	struct kd *kd = calloc(1, sizeof(*kd));

	kd->opts = *opts;
	if (!kd->opts.type)
		kd->opts.type = "fuse";
	if (!kd->opts.rootmode)
		kd->opts.rootmode = S_IFDIR | 0755;
	kd->disk_fd = -1;
	kd->next_fh = 0x1000;
	kd->auto_ops = kd->opts.strict ? 0 : ALWAYS_AUTO;
	kd->fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (kd->fd < 0)
		case_fail(here_file, here_line, "/dev/fuse: %s", strerror(errno));
	kd->mnt = mount_point();
	kd->next = all;
	all = kd;
	kd_node_new(kd, FUSE_ROOT_ID, kd->opts.rootmode, 0);
	if (is_fuseblk(kd))
		kd_disk_new(kd);
	return kd;
}

static void mount_options(const struct kd *kd, char *out, size_t size)
{
	const struct kd_opts *o = &kd->opts;

	if (o->only_options)
		/* The case's own text, with at most one %d. */
		snprintf(out, size, o->only_options, kd->fd);
	else
		snprintf(out, size, "fd=%d,rootmode=%o,user_id=%u,group_id=%u%s%s", kd->fd,
			 o->rootmode, o->user_id, o->group_id, o->options ? "," : "",
			 o->options ? o->options : "");
}

static long fs_configure(int fs, char *options)
{
	char *save, *key, *value;

	for (key = strtok_r(options, ",", &save); key; key = strtok_r(NULL, ",", &save)) {
		value = strchr(key, '=');
		if (value)
			*value++ = '\0';
		/* 0: a flag, 1: a string, 6: create */
		if (syscall(SYS_fsconfig, fs, value ? 1 : 0, key, value, 0) < 0)
			return -errno;
	}
	return syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0) < 0 ? -errno : 0;
}

static long mount_by_fsopen(const struct kd *kd, const char *source, char *options)
{
	int fs = (int)syscall(SYS_fsopen, kd->opts.type, 1), mount_fd;
	long ret = fs < 0 ? -errno : 0;

	if (ret)
		return ret;
	if (syscall(SYS_fsconfig, fs, 1, "source", source, 0) < 0)
		ret = -errno;
	if (!ret)
		ret = fs_configure(fs, options);
	if (!ret) {
		mount_fd = (int)syscall(SYS_fsmount, fs, 1, 0);
		if (mount_fd < 0 || syscall(SYS_move_mount, mount_fd, "", -100, kd->mnt, 4) < 0)
			ret = -errno;
		if (mount_fd >= 0)
			close(mount_fd);
	}
	close(fs);
	return ret;
}

/* The device number of what is mounted at @mnt, as fusectl counts it. */
static unsigned int connection_number(const char *mnt)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, point[512];
	unsigned int major, minor, conn = 0;
	size_t size = 0;

	while (f && getline(&line, &size, f) > 0)
		if (sscanf(line, "%*d %*d %u:%u %*s %511s", &major, &minor, point) == 3 &&
		    strcmp(point, mnt) == 0)
			conn = major << 20 | minor;
	free(line);
	if (f)
		fclose(f);
	return conn;
}

int kd_mount(struct kd *kd)
{
	const char *source = is_fuseblk(kd) ? kd->disk : "kernel-cases";
	char options[1024];
	long ret = 0;

	mount_options(kd, options, sizeof(options));
	if (kd->opts.fail_mount)
		case_fail_nth_begin();
	if (kd->opts.use_fsopen)
		ret = mount_by_fsopen(kd, source, options);
	else if (mount(source, kd->mnt, kd->opts.type, kd->opts.mount_flags, options) < 0)
		ret = -errno;
	case_fail_nth_end();
	if (ret == 0) {
		kd->conn = connection_number(kd->mnt);
		case_connection(kd->conn);
	}
	return (int)ret;
}

int kd_try_start(struct kd **out, const struct kd_opts *opts)
{
	struct kd *kd = kd_open_only(opts);
	int ret = kd_mount(kd);

	*out = kd;
	if (ret == 0 && !opts->no_init)
		kd_init(kd);
	return ret;
}

struct kd *kd_start(const struct kd_opts *opts)
{
	struct kd *kd;
	int ret = kd_try_start(&kd, opts);

	if (ret == -ENODEV)
		case_skip("no filesystem type %s here", kd->opts.type);
	if (ret)
		kd_fail(kd, "mount: %s", case_value(ret));
	return kd;
}

long kd_umount(struct kd *kd, int flags)
{
	return kd_wait(kd_sys(kd, SYS_umount2, (long)kd->mnt, flags));
}

void kd_die(struct kd *kd)
{
	if (kd->fd >= 0)
		close(kd->fd);
	kd->fd = -1;
	kd->dead = true;
}

void kd_stop(struct kd *kd)
{
	long ret = kd_umount(kd, 0);

	if (ret)
		kd_fail(kd, "umount: %s", case_value(ret));
	kd_die(kd);
	if (kd->disk_fd >= 0)
		close(kd->disk_fd);
	kd->disk_fd = -1;
}

void kd_clean_up(void)
{
	for (struct kd *kd = all; kd; kd = kd->next)
		if (kd->conn)
			kd_ctl_write(kd, "abort", "1");
	for (struct kd *kd = all; kd; kd = kd->next) {
		umount2(kd->mnt, MNT_DETACH);
		if (kd->fd >= 0)
			close(kd->fd);
		kd->fd = -1;
	}
}

/* ---- INIT ----------------------------------------------------------- */

struct kd_req *kd_init_request(struct kd *kd)
{
	struct kd_req *r = (kd_expect)(kd, FUSE_INIT, 0);
	size_t len = r->len - sizeof(*r->in);

	if (len > sizeof(kd->init_in))
		len = sizeof(kd->init_in);
	memcpy(&kd->init_in, r->arg, len);
	kd->offered = kd->init_in.flags;
	if (kd->offered & FUSE_INIT_EXT)
		kd->offered |= (uint64_t)kd->init_in.flags2 << 32;
	return r;
}

static uint32_t or_else(uint32_t value, uint32_t otherwise)
{
	return value ? value : otherwise;
}

size_t kd_init_answer(struct kd *kd, struct fuse_init_out *out)
{
	const struct kd_opts *o = &kd->opts;
	uint64_t want = o->flags ? o->flags & ~KD_NO_FLAGS :
		FUSE_ASYNC_READ | FUSE_BIG_WRITES | FUSE_MAX_PAGES | FUSE_ATOMIC_O_TRUNC;
	uint32_t max_write = or_else(o->max_write, 128u << 10);

	if (want >> 32)
		want |= FUSE_INIT_EXT;
	kd->flags = want & kd->offered;
	*out = (struct fuse_init_out){
		.major = FUSE_KERNEL_VERSION,
		.minor = or_else(o->minor, KD_MINOR),
		.max_readahead = or_else(o->max_readahead, 128u << 10),
		.flags = (uint32_t)kd->flags,
		.flags2 = (uint32_t)(kd->flags >> 32),
		.max_background = (uint16_t)or_else(o->max_background, 12),
		.congestion_threshold = (uint16_t)or_else(o->congestion_threshold, 9),
		.max_write = max_write,
		.time_gran = or_else(o->time_gran, 1),
		.max_pages = (uint16_t)or_else(o->max_pages, (max_write + 4095) / 4096),
	};
	return o->init_len ? o->init_len : out->minor < 23 ? FUSE_COMPAT_22_INIT_OUT_SIZE : sizeof(*out);
}

void kd_reply_init(struct kd_req *r)
{
	struct fuse_init_out out;
	size_t len = kd_init_answer(r->kd, &out);

	(kd_reply)(r, &out, len);
}

void kd_init(struct kd *kd)
{
	kd_reply_init(kd_init_request(kd));
}

void kd_need(struct kd *kd, uint64_t flags)
{
	uint64_t missing = flags & ~kd->offered;

	if (missing)
		case_skip("not offered by INIT: flags 0x%llx", (unsigned long long)missing);
}

/* ---- channels and fusectl ------------------------------------------- */

int kd_clone(struct kd *kd)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	uint32_t from = (uint32_t)kd->fd;

	if (fd < 0 || ioctl(fd, FUSE_DEV_IOC_CLONE, &from) < 0)
		kd_fail(kd, "clone: %s", strerror(errno));
	return fd;
}

int kd_on(struct kd *kd, int fd)
{
	int before = kd->fd;

	kd->fd = fd;
	return before;
}

static int ctl_open(struct kd *kd, const char *file, int flags)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%u/%s", case_ctl_dir, kd->conn, file);
	return open(path, flags | O_CLOEXEC);
}

int kd_ctl_write(struct kd *kd, const char *file, const char *text)
{
	int fd = ctl_open(kd, file, O_WRONLY), ret = 0;

	if (fd < 0)
		return -errno;
	if (write(fd, text, strlen(text)) < 0)
		ret = -errno;
	close(fd);
	return ret;
}

long kd_ctl_read(struct kd *kd, const char *file)
{
	int fd = ctl_open(kd, file, O_RDONLY);
	char text[32] = "";
	ssize_t n;

	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	return n < 0 ? -errno : atol(text);
}

void kd_auto(struct kd *kd, uint32_t opcode)
{
	kd->auto_ops |= 1ull << opcode;
	if (opcode == FUSE_GETATTR || opcode == FUSE_GETXATTR)
		kd->auto_ops |= 1ull << (opcode == FUSE_GETATTR ? 62 : 63);
}

void kd_manual(struct kd *kd, uint32_t opcode)
{
	kd->auto_ops &= ~(1ull << opcode);
}
