// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * lifetime.c: who keeps a connection alive and who does not: users of a mount that is
 * gone from the tree, daemons that hand their channel on, and processes that die at
 * any moment; and what of a file lasts until somebody else has ended.
 */
#include <linux/aio_abi.h>
#include <linux/loop.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include "around.h"

#define PAGE 4096

static uint8_t buffer[KD_BUFFER];

/* Serve until the channel ends, and that is soon. */
static void serve_to_the_end(struct kd *kd)
{
	for (int i = 0; i < 200 && !kd->dead; i++) {
		struct kd_req *r = kd_next(kd, 10);

		if (r)
			FAIL("%s came at the end", kd_opcode_name(r->opcode));
		usleep(5000);
	}
	CHECK(kd->dead);
	CHECK_EQ(kd->dead_error, -ENODEV);
}

/* A child of ours that does nothing but exist, as @fn left it. */
static pid_t fork_idle(void)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	return pid;
}

static void end_process(pid_t pid)
{
	CHECK_EQ(kill(pid, SIGKILL), 0);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
}

static void serves_a_lookup(struct kd *kd)
{
	struct kd_call *c = kd_call_stat(kd, "none", NULL);

	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- a mount that is gone from the tree ------------------------------------------------ */

struct cwd {
	const char *mnt;
	int at, go;			/* pipes' ends */
};

static long stat_in_cwd(void *arg)
{
	const struct cwd *w = arg;
	struct stat st;
	char byte;

	if (chdir(w->mnt) < 0 || write(w->at, "", 1) != 1 || read(w->go, &byte, 1) != 1)
		return -errno;
	return lstat("f", &st) < 0 ? -errno : st.st_size;
}

static void lazy_with_a_working_directory(void)
{
	struct kd *kd = kd_new();
	int at[2], go[2];
	struct kd_call *c;
	char byte;

	CHECK_EQ(pipe(at) | pipe(go), 0);
	kd_add_file(kd, "f", 2, 10);
	kd_as_process(kd);
	c = kd_call(kd, stat_in_cwd, &(struct cwd){ kd->mnt, at[1], go[0] });
	kd_reply_error(kd_expect(kd, FUSE_ACCESS, 1), 0);
	CHECK_EQ(poll(&(struct pollfd){ .fd = at[0], .events = POLLIN }, 1, kernel_ms(KD_WAIT_MS)), 1);
	CHECK_EQ(read(at[0], &byte, 1), 1);
	CHECK_EQ(umount2(kd->mnt, MNT_DETACH), 0);
	kd_no_request(kd, 20);
	CHECK(!kd->dead);
	CHECK_EQ(write(go[1], "", 1), 1);
	kd_finish(c, 10);
	serve_to_the_end(kd);
}

static void lazy_with_a_mapping(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	kd_finish(kd_call_close(kd, fd), 0);
	CHECK_EQ(umount2(kd->mnt, MNT_DETACH), 0);
	c = kd_call_touch(kd, map, false);
	kd_reply(kd_expect(kd, FUSE_READ, 2), "x", 1);
	kd_finish(c, 0);
	CHECK_EQ(map[0], 'x');
	CHECK_EQ(munmap(map, PAGE), 0);
	serve_to_the_end(kd);
}

/* Open across it: everything works, the names below included; then it ends as any other. */
static void lazy_fuseblk_ends_with_destroy(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	int dir;

	kd_add_file(kd, "f", 2, 10);
	dir = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	CHECK_EQ(umount2(kd->mnt, MNT_DETACH), 0);
	c = kd_sys(kd, SYS_openat, dir, (long)"f", O_RDONLY, 0);
	kd_reply_open(kd_expect(kd, FUSE_OPEN, 2), 5, 0);
	CHECK(kd_wait(c) >= 0);
	kd_finish(kd_call_close(kd, (int)kd_wait(c)), 0);
	CHECK_EQ(kd->count[FUSE_DESTROY], 0);
	kd_finish(kd_call_close(kd, dir), 0);
	serve_to_the_end(kd);
	CHECK_EQ(kd->count[FUSE_DESTROY], 1);
	CHECK_EQ(kd->count[FUSE_RELEASE], 1);
	CHECK_EQ(kd->count[FUSE_RELEASEDIR], 1);
	CHECK(strncmp(kd->trace[kd->trace_count - 1], "DESTROY", 7) == 0);
}

/* Another namespace has a copy of the mount. */
static void other_namespace_keeps_it(void)
{
	struct kd *kd = kd_new();
	int ready[2];
	char byte;
	pid_t pid;

	CHECK_EQ(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(kd->fd);
		if (unshare(CLONE_NEWNS) == 0 && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	CHECK_EQ(read(ready[0], &byte, 1), 1);
	CHECK_EQ(umount(kd->mnt), 0);
	kd_no_request(kd, 30);
	CHECK(!kd->dead);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	end_process(pid);
	serve_to_the_end(kd);
}

/* ---- the daemon ---------------------------------------------------------------------------- */

static void other_process_goes_on_serving(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	pid_t pid = fork();

	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		for (;;) {
			const struct fuse_in_header *in = (const void *)buffer;

			if (read(kd->fd, buffer, sizeof(buffer)) > 0)
				kd_reply_raw(kd->fd, in->unique, -ENOENT, -1, NULL, 0);
			else
				usleep(1000);
		}
	}
	kd_die(kd);
	kd_finish(kd_call_stat(kd, "a", NULL), -ENOENT);
	kd_finish(kd_call_stat(kd, "b", NULL), -ENOENT);
	end_process(pid);
	c = kd_call_stat(kd, "c", NULL);
	kd_finish(c, -ENOTCONN);
}

struct fd_message {
	struct msghdr head;
	struct iovec iov;
	char byte;
	union {
		char bytes[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
};

static void prepare(struct fd_message *m)
{
	memset(m, 0, sizeof(*m));
	m->iov = (struct iovec){ &m->byte, 1 };
	m->head = (struct msghdr){
		.msg_iov = &m->iov, .msg_iovlen = 1, .msg_control = &m->control, .msg_controllen = sizeof(m->control),
	};
}

static void send_fd(int socket, int fd)
{
	struct cmsghdr *c;
	struct fd_message m;

	prepare(&m);
	c = CMSG_FIRSTHDR(&m.head);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	CHECK_EQ(sendmsg(socket, &m.head, 0), 1);
}

static int receive_fd(int socket)
{
	struct fd_message m;
	int fd;

	prepare(&m);
	CHECK_EQ(recvmsg(socket, &m.head, 0), 1);
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m.head)), sizeof(int));
	return fd;
}

/* While it is in a socket nobody has it open, and it lives. */
static void channel_in_a_message(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	send_fd(pair[0], kd->fd);
	close(kd->fd);
	kd->fd = -1;
	kd->dead = true;
	c = kd_call_stat(kd, "f", NULL);
	kd_check_blocked(c);
	kd->fd = receive_fd(pair[1]);
	kd->dead = false;
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ... and dies with it. */
static void channel_in_a_lost_message(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int pair[2];

	CHECK_EQ(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, pair), 0);
	send_fd(pair[0], kd->fd);
	kd_die(kd);
	c = kd_call_stat(kd, "f", NULL);
	kd_check_blocked(c);
	close(pair[0]);
	close(pair[1]);
	around_ends(c);
	kd_finish(c, -ECONNABORTED);
}

/* Killed after opening /dev/fuse, before the mount: nothing is left. */
static void killed_before_the_mount(void)
{
	for (int i = 0; i < 5; i++) {
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			if (open("/dev/fuse", O_RDWR | O_CLOEXEC) >= 0)
				pause();
			_exit(0);
		}
		around_pause(i);
		end_process(pid);
	}
	serves_a_lookup(kd_new());
}

/* Killed once it was mounted, at any moment: users see the end, and it can be unmounted. */
static void killed_after_the_mount(void)
{
	for (int i = 0; i < 8; i++) {
		struct kd *kd = kd_open_only(&(struct kd_opts){ .type = i % 2 ? "fuseblk" : "fuse" });
		struct kd_call *c;
		pid_t pid;
		long ret;

		CHECK_EQ(kd_mount(kd), 0);
		pid = fork_idle();
		kd_die(kd);
		c = kd_call_stat(kd, "f", NULL);
		usleep((useconds_t)i * 300);
		end_process(pid);
		around_ends(c);
		ret = kd_wait(c);
		CHECK(ret == -ENOTCONN || ret == -ECONNABORTED);
		CHECK_EQ(umount(kd->mnt), 0);
	}
}

/* The mount itself is made by a process that is killed meanwhile. */
static void killed_amid_the_mount(void)
{
	for (int i = 0; i < 10; i++) {
		struct kd *kd = kd_open_only(&(struct kd_opts){ .type = i % 2 ? "fuseblk" : "fuse" });
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			kd_mount(kd);
			pause();
			_exit(0);
		}
		kd_die(kd);
		usleep((useconds_t)i * 200);
		end_process(pid);
		CHECK(umount(kd->mnt) == 0 || errno == EINVAL);
	}
}

/* All that a mount of the channel @fd needs. */
static void configure(int fs, int fd)
{
	char text[16];
	const char *const options[][2] = {
		{ "source", "x" }, { "rootmode", "40000" }, { "user_id", "0" }, { "group_id", "0" }, { "fd", text },
	};

	snprintf(text, sizeof(text), "%d", fd);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		CHECK_EQ(syscall(SYS_fsconfig, fs, 1, options[i][0], options[i][1], 0), 0);
}

/* The descriptor is closed after it was named to the new mount. */
static void closed_amid_the_mount(void)
{
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC), fs = (int)syscall(SYS_fsopen, "fuse", 1);

	CHECK(fd >= 0 && fs >= 0);
	configure(fs, fd);
	close(fd);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), -1);
	CHECK_EQ(errno, EINVAL);
	close(fs);
}

/* Made, and never put anywhere: it ends with its descriptor. */
static void mount_that_is_nowhere(void)
{
	struct kd *kd = kd_open_only(&(struct kd_opts){ .type = "fuse" });
	int fs = (int)syscall(SYS_fsopen, "fuse", 1), m;

	configure(fs, kd->fd);
	CHECK_EQ(syscall(SYS_fsconfig, fs, 6, NULL, NULL, 0), 0);
	m = (int)syscall(SYS_fsmount, fs, 1, 0);
	CHECK(m >= 0);
	close(fs);
	kd_init(kd);
	close(m);
	serve_to_the_end(kd);
}

/* ---- files ------------------------------------------------------------------------------------ */

static long submit(void *arg)
{
	struct iocb *list = arg;
	aio_context_t context = 0;
	long ret = syscall(SYS_io_setup, 4, &context);

	if (ret == 0)
		ret = syscall(SYS_io_submit, context, 1, &list);
	return ret < 0 ? -errno : ret;
}

/* The last reference to a file is dropped where the daemon answers its read: that must not wait for the daemon. */
static void check_aio_outlives_close(const char *type)
{
	struct kd *kd = kd_new(.type = type, .flags = FUSE_ASYNC_DIO | FUSE_ASYNC_READ);
	static uint8_t bytes[PAGE] __attribute__((aligned(PAGE))), answer[PAGE];
	static struct iocb io;
	struct kd_call *c;
	struct kd_req *r;
	int fd;

	kd_manual(kd, FUSE_RELEASE);
	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY | O_DIRECT, 0);
	io = (struct iocb){ .aio_fildes = (uint32_t)fd, .aio_lio_opcode = IOCB_CMD_PREAD, .aio_buf = (uintptr_t)bytes, .aio_nbytes = PAGE };
	c = kd_call(kd, submit, &io);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_finish(c, 1);
	c = kd_call_close(kd, fd);
	kd_reply_error(kd_expect(kd, FUSE_FLUSH, 2), 0);
	kd_finish(c, 0);
	kd_no_request(kd, 30);
	memset(answer, 'x', sizeof(answer));
	/* by the only thread of the daemon */
	kd_reply(r, answer, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_RELEASE, 2), 0);
	CHECK_EQ(bytes[0], 'x');
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void aio_outlives_close(void)
{
	check_aio_outlives_close("fuse");
}

static void aio_outlives_close_on_fuseblk(void)
{
	check_aio_outlives_close("fuseblk");
}

/* The daemon itself has a file of its own mount open, and dies with it. */
static void daemon_with_its_own_files(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_pread(kd, fd, buffer, 1, 0);
	kd_expect(kd, FUSE_READ, 2);
	kd_die(kd);
	CHECK(kd_wait(c) < 0);
	close(fd);
	CHECK_EQ(umount(kd->mnt), 0);
}

/* Unlinked, open, the mount lazily gone, and the daemon dead: closing ends it all. */
static void everything_else_is_gone(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	char byte;
	int fd;

	kd_add_file(kd, "f", 2, 10);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	c = kd_call_unlink(kd, "f");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, 1), 0);
	kd_finish(c, 0);
	CHECK_EQ(umount2(kd->mnt, MNT_DETACH), 0);
	kd_die(kd);
	CHECK(kd_wait(kd_call_pread(kd, fd, &byte, 1, 0)) < 0);
	CHECK(kd_wait(kd_call_pwrite(kd, fd, "x", 1, 0)) < 0);
	CHECK(kd_wait(kd_call_fstat(kd, fd, NULL)) <= 0);
	close(fd);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), -ENOENT);
}

/* ---- the device ---------------------------------------------------------------------------------- */

/* Detached under it: what the daemon cannot read is EIO, and it unmounts. */
static void device_goes_away(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(ioctl(kd->disk_fd, LOOP_CLR_FD, 0), 0);
	close(kd->disk_fd);
	c = kd_call_stat(kd, "g", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -EIO);
	kd_finish(c, -EIO);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(kd->count[FUSE_DESTROY], 1);
}

/* ... and so it does with a daemon that went, too. */
static void device_and_daemon_go_away(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");

	CHECK_EQ(ioctl(kd->disk_fd, LOOP_CLR_FD, 0), 0);
	close(kd->disk_fd);
	kd_die(kd);
	kd_finish(kd_call_stat(kd, "f", NULL), -ENOTCONN);
	CHECK_EQ(umount(kd->mnt), 0);
}

/* ---- storms ----------------------------------------------------------------------------------------- */

static volatile bool stop;

static long walk_about(void *arg)
{
	struct stat st;
	long n = 0;

	while (!stop) {
		int fd = open(arg, O_RDONLY | O_CLOEXEC);

		if (fd >= 0) {
			if (read(fd, (char[16]){ 0 }, 16) >= 0)
				n++;
			close(fd);
		}
		if (lstat(arg, &st) == 0)
			n++;
		sched_yield();
	}
	return n;
}

static long serve_all(void *arg)
{
	struct kd *kd = arg;
	uint8_t *bytes = malloc(KD_BUFFER);
	int fd = kd->fd;

	for (;;) {
		const struct fuse_in_header *in = (const void *)bytes;
		struct fuse_entry_out entry = kd_entry(&kd->nodes[1]);
		struct fuse_attr_out attr;
		struct fuse_open_out opened = { .fh = 1 };
		ssize_t n = read(fd, bytes, KD_BUFFER);

		if (n < 0 && errno == ENODEV)
			break;
		if (n <= 0) {
			sched_yield();
			continue;
		}
		attr = kd_attr(in->nodeid == 1 ? &kd->nodes[0] : &kd->nodes[1]);
		if (in->opcode == FUSE_LOOKUP)
			kd_reply_raw(fd, in->unique, 0, -1, &entry, sizeof(entry));
		else if (in->opcode == FUSE_GETATTR)
			kd_reply_raw(fd, in->unique, 0, -1, &attr, sizeof(attr));
		else if (in->opcode == FUSE_OPEN)
			kd_reply_raw(fd, in->unique, 0, -1, &opened, sizeof(opened));
		else if (in->opcode != FUSE_FORGET && in->opcode != FUSE_BATCH_FORGET && in->opcode != FUSE_INTERRUPT)
			kd_reply_raw(fd, in->unique, 0, -1, NULL, 0);
	}
	free(bytes);
	return 0;
}

/* Mount, use, unmount in some way, all at once. */
static void storm_round(int round)
{
	static const int flags[] = { 0, MNT_DETACH, MNT_FORCE, MNT_FORCE | MNT_DETACH };
	struct kd *kd = kd_new(.type = round % 2 ? "fuseblk" : "fuse");
	struct kd_call *daemon, *users[2];
	int ret = -1;

	kd_file(kd, 2, 16);
	kd_node(kd, 2)->entry_valid = kd_node(kd, 2)->attr_valid = 0;
	around_leave_alone(kd);
	stop = false;
	daemon = kd_call(kd, serve_all, kd);
	users[0] = kd_call(kd, walk_about, (void *)kd_path(kd, "f"));
	users[1] = kd_call(kd, walk_about, (void *)kd_path(kd, "f"));
	usleep((useconds_t)(round * 211 % 4000));
	for (int i = 0; ret < 0 && i < 10000; i++) {
		ret = umount2(kd->mnt, flags[round / 2 % 4]);
		CHECK(ret == 0 || errno == EBUSY);
	}
	stop = true;
	CHECK(around_result(kd, users[0]) >= 0);
	CHECK(around_result(kd, users[1]) >= 0);
	umount2(kd->mnt, MNT_DETACH);
	CHECK_EQ(around_result(kd, daemon), 0);
	close(kd->fd);
	kd->fd = -1;
	if (kd->disk_fd >= 0)
		close(kd->disk_fd);
	kd->disk_fd = -1;
}

static void users_against_umount(void)
{
	for (int i = 0; i < 16; i++)
		storm_round(i);
}

static const struct kernel_case cases[] = {
	CASE("lifetime/lazy-with-a-working-directory", lazy_with_a_working_directory),
	CASE("lifetime/lazy-with-a-mapping", lazy_with_a_mapping),
	CASE("lifetime/lazy-fuseblk-ends-with-destroy", lazy_fuseblk_ends_with_destroy),
	CASE("lifetime/other-namespace-keeps-it", other_namespace_keeps_it),
	CASE("lifetime/other-process-goes-on-serving", other_process_goes_on_serving),
	CASE("lifetime/channel-in-a-message", channel_in_a_message),
	CASE("lifetime/channel-in-a-lost-message", channel_in_a_lost_message),
	CASE("lifetime/killed-before-the-mount", killed_before_the_mount),
	CASE("lifetime/killed-after-the-mount", killed_after_the_mount),
	CASE("lifetime/killed-amid-the-mount", killed_amid_the_mount),
	CASE("lifetime/closed-amid-the-mount", closed_amid_the_mount),
	CASE("lifetime/mount-that-is-nowhere", mount_that_is_nowhere),
	CASE("lifetime/aio-outlives-close", aio_outlives_close),
	CASE("lifetime/aio-outlives-close-on-fuseblk", aio_outlives_close_on_fuseblk),
	CASE("lifetime/daemon-with-its-own-files", daemon_with_its_own_files),
	CASE("lifetime/everything-else-is-gone", everything_else_is_gone),
	CASE("lifetime/device-goes-away", device_goes_away),
	CASE("lifetime/device-and-daemon-go-away", device_and_daemon_go_away),
	CASE("lifetime/users-against-umount", users_against_umount),
};
KERNEL_CASES(cases);
