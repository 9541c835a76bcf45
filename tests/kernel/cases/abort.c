// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * abort.c: the end of a connection by every way there is, met by requests in every
 * state: unread, read, held back, and being copied from or to memory of the daemon
 * that cannot be had now.
 */
#include <linux/userfaultfd.h>
#include <signal.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include "around.h"

#define PAGE 4096

static uint8_t buffer[KD_BUFFER];

/* ---- the ways -------------------------------------------------------------------- */

static void by_fusectl(struct kd *kd)
{
	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
}

/* It is in use: only the connection ends, not the mount. */
static void by_umount_force(struct kd *kd)
{
	int user = open(kd->mnt, O_PATH | O_CLOEXEC);

	CHECK_EQ(umount2(kd->mnt, MNT_FORCE), -1);
	CHECK_EQ(errno, EBUSY);
	close(user);
}

static void by_last_close(struct kd *kd)
{
	kd_die(kd);
}

struct way {
	void (*end)(struct kd *kd);
	bool is_close;			/* there is no channel any more */
};
static const struct way fusectl = { by_fusectl, false };
static const struct way umount_force = { by_umount_force, false };
static const struct way last_close = { by_last_close, true };

/* ---- every state at once ------------------------------------------------------------ */

static void end_with_all_states(const struct way *way)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS | FUSE_ASYNC_READ, .max_background = 1);
	struct kd_call *read, *unread, *held[2];
	char bytes[2];
	int fd, fd2;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	kd_add_file(kd, "f", 2, PAGE);
	kd_add_file(kd, "g", 3, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	fd2 = kd_opened(kd, "g", O_RDONLY, 0);
	held[0] = kd_call_read(kd, fd, bytes, 1);
	kd_expect(kd, FUSE_READ, 2);
	held[1] = kd_call_read(kd, fd2, bytes + 1, 1);
	read = kd_call_stat(kd, "read", NULL);
	kd_expect(kd, FUSE_LOOKUP, 1);
	unread = around_unread(kd, "unread");
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 4);
	way->end(kd);
	around_ends(read);
	around_ends(unread);
	around_ends(held[0]);
	around_ends(held[1]);
	kd_finish(read, -ECONNABORTED);
	kd_finish(unread, -ECONNABORTED);
	/* readers try a page again by itself when readahead failed, perhaps just before the end */
	for (int i = 0; i < 2; i++)
		CHECK(kd_wait(held[i]) == -ENOTCONN || kd_wait(held[i]) == -ECONNABORTED);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	/* new ones */
	kd_finish(kd_call_stat(kd, "new", NULL), -ENOTCONN);
	kd_finish(kd_call_mkdir(kd, "new", 0755), -ENOTCONN);
	kd_finish(kd_call_pread(kd, fd, bytes, 1, 0), -ENOTCONN);
	if (!way->is_close)
		CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ENODEV);
	kd_finish(kd_call_close(kd, fd), -ENOTCONN);	/* FLUSH */
	kd_finish(kd_call_close(kd, fd2), -ENOTCONN);
	CHECK_EQ(umount(kd->mnt), 0);
}

static void every_state_by_fusectl(void)
{
	end_with_all_states(&fusectl);
}

static void every_state_by_umount_force(void)
{
	end_with_all_states(&umount_force);
}

static void every_state_by_last_close(void)
{
	end_with_all_states(&last_close);
}

/* A process that has the channel and nothing else. Returns its number. */
static pid_t fork_daemon(struct kd *kd)
{
	pid_t pid = fork();

	CHECK(pid >= 0);
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
		_exit(0);
	}
	kd_die(kd);
	return pid;
}

static void daemon_is_killed(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *read = kd_call_stat(kd, "read", NULL), *unread;
	pid_t pid;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	kd_expect(kd, FUSE_LOOKUP, 1);
	unread = around_unread(kd, "unread");
	pid = fork_daemon(kd);
	kd_check_blocked(read);
	kd_check_blocked(unread);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	around_ends(read);
	around_ends(unread);
	kd_finish(read, -ECONNABORTED);
	kd_finish(unread, -ECONNABORTED);
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	kd_finish(kd_call_stat(kd, "new", NULL), -ENOTCONN);
}

static void daemon_and_users_are_killed(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *read, *unread;
	pid_t pid;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	kd_as_process(kd);
	read = kd_call_stat(kd, "read", NULL);
	kd_expect(kd, FUSE_LOOKUP, 1);
	unread = around_unread(kd, "unread");
	pid = fork_daemon(kd);
	/* the callers' copies of the channel went with the table that they share */
	kd_signal(read, SIGKILL);
	kd_signal(unread, SIGKILL);
	around_ends(unread);
	CHECK_EQ(waitpid(kd_call_tid(read), NULL, WNOHANG), 0);
	CHECK_EQ(kill(pid, SIGKILL), 0);
	around_ends(read);
	CHECK(WIFSIGNALED(kd_wait_killed(read)));
	CHECK(WIFSIGNALED(kd_wait_killed(unread)));
	CHECK_EQ(waitpid(pid, NULL, 0), pid);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(umount(kd->mnt), 0);
}

/* ---- afterwards --------------------------------------------------------------------------- */

static void twice_is_once(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_expect(kd, FUSE_LOOKUP, 1);
	by_fusectl(kd);
	by_fusectl(kd);
	by_umount_force(kd);
	kd_finish(c, -ECONNABORTED);
	kd_die(kd);
}

static void only_fusectl_is_told_apart(void)
{
	struct kd *kd = kd_new(.flags = FUSE_ABORT_ERROR), *other = kd_new(.flags = FUSE_ABORT_ERROR);
	int held = open(other->mnt, O_RDONLY | O_DIRECTORY | O_PATH | O_CLOEXEC);

	by_fusectl(kd);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ECONNABORTED);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -ECONNABORTED);
	CHECK_EQ(umount2(other->mnt, MNT_FORCE), -1);
	CHECK_EQ(errno, EBUSY);
	CHECK_EQ(kd_read_raw(other, buffer, sizeof(buffer)), -ENODEV);
	close(held);
}

static void late_replies(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);
	int ret;

	by_fusectl(kd);
	kd_finish(c, -ECONNABORTED);
	ret = kd_try_reply(r, -ENOENT, NULL, 0);
	CHECK_EQ(ret, -ENOENT);
	ret = kd_reply_raw(r->fd, r->unique | 1, -EAGAIN, -1, NULL, 0);
	CHECK_EQ(ret, -ENOENT);
}

/* What is cached can still be had. */
static void cached_things_stay(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	char bytes[10];
	int fd;

	kd_add_file(kd, "f", 2, 10);
	kd_add_file(kd, "g", 3, 10);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	c = kd_call_pread(kd, fd, bytes, 10, 0);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_reply(r, "0123456789", 10);
	kd_finish(c, 10);
	by_fusectl(kd);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	kd_finish(kd_call_pread(kd, fd, bytes, 4, 2), 4);
	CHECK_MEM(bytes, "2345", 4);
}

static void before_init_was_answered(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_init_request(kd);
	kd_check_blocked(c);
	by_fusectl(kd);
	around_ends(c);
	kd_finish(c, -ENOTCONN);
	CHECK_EQ(umount(kd->mnt), 0);
}

static void before_init_was_read(void)
{
	struct kd *kd = kd_new(.no_init = true);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	around_wait_unread(kd);
	kd_check_blocked(c);
	by_umount_force(kd);
	around_ends(c);
	kd_finish(c, -ENOTCONN);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

/* Dirty pages of a mapping cannot be written any more: unmounting does not wait for that. */
static void dirty_pages_are_given_up(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c;
	uint8_t *map;
	int fd;

	kd_auto(kd, FUSE_READ);
	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	map = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	CHECK(map != MAP_FAILED);
	kd_finish(kd_call_touch(kd, map, true), 0);
	by_last_close(kd);
	c = kd_sys(kd, SYS_msync, (long)map, PAGE, MS_SYNC);
	around_ends(c);
	CHECK(kd_wait(c) < 0);
	CHECK_EQ(munmap(map, PAGE), 0);
	close(fd);
	CHECK_EQ(umount(kd->mnt), 0);
}

/* A mapping's page cannot come any more. */
static void page_fault_is_ended(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	c = kd_call_touch(kd, map, false);
	kd_expect(kd, FUSE_READ, 2);
	by_fusectl(kd);
	around_ends(c);
	kd_finish(c, -EFAULT);
}

/* ---- while it is copied ---------------------------------------------------------------------- */

/* Memory of the daemon whose first page comes when somebody serves for it, if ever. */
struct stall {
	uint8_t *map;
	struct kd *kd;		/* where its READ comes */
	struct kd_req *read;
	int uffd;
};
#define STALL_SIZE (2 * 1048576)

/* A private mapping of a file "m" of @kd. */
static struct stall stall_on(struct kd *kd)
{
	struct stall s = { .kd = kd, .uffd = -1 };
	int fd;

	kd_add_file(kd, "m", 77, STALL_SIZE);
	fd = kd_opened(kd, "m", O_RDONLY, 0);
	s.map = mmap(NULL, STALL_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
	CHECK(s.map != MAP_FAILED);
	return s;
}

static struct stall stall_on_userfault(void)
{
	struct stall s = { .uffd = (int)syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK) };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (s.uffd < 0)
		SKIP("no userfaultfd here: %s", strerror(errno));
	CHECK_EQ(ioctl(s.uffd, UFFDIO_API, &api), 0);
	s.map = mmap(NULL, STALL_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)s.map;
	reg.range.len = STALL_SIZE;
	CHECK_EQ(ioctl(s.uffd, UFFDIO_REGISTER, &reg), 0);
	return s;
}

/* Somebody waits for its first page. */
static void stall_wait(struct stall *s)
{
	struct pollfd p = { .fd = s->uffd, .events = POLLIN };

	if (s->uffd < 0)
		s->read = kd_expect(s->kd, FUSE_READ, 77);
	else if (poll(&p, 1, kernel_ms(KD_WAIT_MS)) != 1)
		FAIL("nobody waits for the page");
}

static void stall_end(struct stall *s)
{
	struct uffdio_range range = { .start = (uintptr_t)s->map, .len = STALL_SIZE };

	if (s->uffd < 0) {
		kd_auto(s->kd, FUSE_READ);
		CHECK(kd_serve(s->read));
	} else {
		CHECK_EQ(ioctl(s->uffd, UFFDIO_UNREGISTER, &range), 0);
	}
}

/* A thread of the daemon reads a LOOKUP into memory that is not there. */
static struct kd_call *stalled_read(struct kd *kd, struct stall *s, struct kd_call **caller)
{
	struct kd_call *reader;

	*caller = around_unread(kd, "f");
	reader = kd_call_read(kd, kd->fd, s->map, KD_BUFFER);
	stall_wait(s);
	return reader;
}

struct message {
	int fd;
	struct fuse_out_header head;
	struct iovec iov[2];
};

static long do_send(void *arg)
{
	const struct message *m = arg;
	ssize_t n = writev(m->fd, m->iov, 2);

	return n < 0 ? -errno : n;
}

/* A thread of the daemon writes a reply to @r with a body of @len bytes. */
static struct kd_call *send_body(struct kd_req *r, void *body, size_t len)
{
	struct message *m = calloc(1, sizeof(*m));

	m->fd = r->fd;
	m->head = (struct fuse_out_header){ .len = (uint32_t)(sizeof(m->head) + len), .unique = r->unique };
	m->iov[0] = (struct iovec){ &m->head, sizeof(m->head) };
	m->iov[1] = (struct iovec){ body, len };
	return kd_call(r->kd, do_send, m);
}

static struct kd_call *stalled_reply(struct kd *kd, struct stall *s, struct kd_call **caller)
{
	struct kd_call *writer;

	*caller = kd_call_stat(kd, "f", NULL);
	writer = send_body(kd_expect(kd, FUSE_LOOKUP, 1), s->map, sizeof(struct fuse_entry_out));
	stall_wait(s);
	return writer;
}

/* The caller is free although the copy stands still; it ends when the memory comes. */
static void end_a_stalled_read(struct stall s, struct kd *kd, const struct way *way)
{
	struct kd_call *caller, *reader = stalled_read(kd, &s, &caller);

	around_leave_alone(kd);
	way->end(kd);
	around_ends(caller);
	kd_finish(caller, -ECONNABORTED);
	CHECK(!kd_is_done(reader));
	stall_end(&s);
	kd_finish(reader, -ENODEV);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void end_a_stalled_reply(struct stall s, struct kd *kd, const struct way *way)
{
	struct kd_call *caller, *writer = stalled_reply(kd, &s, &caller);

	around_leave_alone(kd);
	way->end(kd);
	around_ends(caller);
	kd_finish(caller, -ECONNABORTED);
	CHECK(!kd_is_done(writer));
	stall_end(&s);
	kd_finish(writer, -ENOENT);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void read_into_another_mount(void)
{
	end_a_stalled_read(stall_on(kd_new()), kd_new(), &fusectl);
}

static void reply_from_another_mount(void)
{
	end_a_stalled_reply(stall_on(kd_new()), kd_new(), &fusectl);
}

static void read_into_another_mount_forced(void)
{
	end_a_stalled_read(stall_on(kd_new()), kd_new(), &umount_force);
}

static void reply_from_another_mount_forced(void)
{
	end_a_stalled_reply(stall_on(kd_new()), kd_new(), &umount_force);
}

static void read_into_userfault(void)
{
	end_a_stalled_read(stall_on_userfault(), kd_new(), &fusectl);
}

static void reply_from_userfault(void)
{
	end_a_stalled_reply(stall_on_userfault(), kd_new(), &fusectl);
}

/* Without an abort the copy goes on where it stood. */
static void stalled_read_goes_on(void)
{
	struct stall s = stall_on(kd_new());
	struct kd *kd = kd_new();
	struct kd_call *caller, *reader = stalled_read(kd, &s, &caller);
	struct kd_req *r;
	long n;

	kd_check_blocked(caller);
	stall_end(&s);
	around_ends(reader);
	n = kd_wait(reader);
	CHECK(n > 0);
	r = kd_decode(kd, kd->fd, s.map, (size_t)n);
	CHECK_EQ(r->opcode, FUSE_LOOKUP);
	kd_reply_error(r, -ENOENT);
	kd_finish(caller, -ENOENT);
}

/* A signal meets a request that is being read: INTERRUPT follows once it has been. */
static void stalled_read_and_a_signal(void)
{
	struct stall s = stall_on(kd_new());
	struct kd *kd = kd_new();
	struct kd_call *caller, *reader = stalled_read(kd, &s, &caller);
	struct kd_req *r, *i;

	kd_signal(caller, SIGUSR1);
	kd_check_blocked(caller);
	CHECK_EQ(kd_read_raw(kd, buffer, sizeof(buffer)), -EAGAIN);
	stall_end(&s);
	r = kd_decode(kd, kd->fd, s.map, (size_t)around_result(kd, reader));
	i = kd_expect(kd, FUSE_INTERRUPT, 0);
	CHECK_EQ(ARG(i, fuse_interrupt_in)->unique, r->unique);
	kd_reply_error(r, -EINTR);
	kd_finish(caller, -EINTR);
}

/* The second reply to one that is being answered is unknown. */
static void stalled_reply_and_another(void)
{
	struct stall s = stall_on(kd_new());
	struct kd *kd = kd_new();
	struct kd_call *caller = kd_call_stat(kd, "f", NULL), *writer;
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	writer = send_body(r, s.map, sizeof(struct fuse_entry_out));
	stall_wait(&s);
	CHECK_EQ(kd_reply_raw(r->fd, r->unique, -ENOENT, -1, NULL, 0), -ENOENT);
	CHECK_EQ(kd_reply_raw(r->fd, r->unique | 1, -EAGAIN, -1, NULL, 0), -ENOENT);
	kd_check_blocked(caller);
	stall_end(&s);
	kd_finish(writer, (long)(sizeof(struct fuse_out_header) + sizeof(struct fuse_entry_out)));
	/* all zero: a name that is not there */
	kd_finish(caller, -ENOENT);
}

/* A daemon's thread is killed while it reads: the request fails, not the connection. */
static void reader_is_killed(void)
{
	struct stall s = stall_on(kd_new());
	struct kd *kd = kd_new();
	struct kd_call *caller = around_unread(kd, "f"), *reader;

	kd_as_process(kd);
	reader = kd_call_read(kd, kd->fd, s.map, KD_BUFFER);
	kd_as_thread(kd);
	stall_wait(&s);
	kd_signal(reader, SIGKILL);
	around_ends(reader);
	around_ends(caller);
	kd_finish(caller, -EIO);
	caller = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(caller, -ENOENT);
	stall_end(&s);
}

/* ---- on its own mount: nobody but the abort can help ------------------------------------------- */

static void end_own_read(const struct way *way)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct stall s = stall_on(kd);
	struct kd_call *caller, *reader = stalled_read(kd, &s, &caller);

	kd_check_blocked(caller);
	around_leave_alone(kd);
	way->end(kd);
	around_ends(caller);
	around_ends(reader);
	kd_finish(caller, -ECONNABORTED);
	CHECK(kd_wait(reader) == -ENODEV);
}

static void end_own_reply(const struct way *way)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct stall s = stall_on(kd);
	struct kd_call *caller, *writer = stalled_reply(kd, &s, &caller);

	kd_check_blocked(caller);
	around_leave_alone(kd);
	way->end(kd);
	around_ends(caller);
	around_ends(writer);
	kd_finish(caller, -ECONNABORTED);
	CHECK(kd_wait(writer) == -ENOENT);
}

static void own_read_by_fusectl(void)
{
	end_own_read(&fusectl);
}

static void own_read_by_umount_force(void)
{
	end_own_read(&umount_force);
}

static void own_reply_by_fusectl(void)
{
	end_own_reply(&fusectl);
}

static void own_reply_by_umount_force(void)
{
	end_own_reply(&umount_force);
}

/* The reply to a READ is the very page that it is for: locked until the reply is there. */
static void end_two_thread_deadlock(const struct way *way)
{
	struct kd *kd = kd_new();
	struct stall s = stall_on(kd);
	int fd = kd_opened(kd, "m", O_RDONLY, 0);
	struct kd_call *user, *writer;
	char byte;

	user = kd_call_pread(kd, fd, &byte, 1, 0);
	writer = send_body(kd_expect(kd, FUSE_READ, 77), s.map, PAGE);
	kd_check_blocked(user);
	kd_check_blocked(writer);
	around_leave_alone(kd);
	way->end(kd);
	around_ends(user);
	around_ends(writer);
	kd_finish(user, -ENOTCONN);
	CHECK(kd_wait(writer) == -ENOENT || kd_wait(writer) == -EFAULT);
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
}

static void two_thread_deadlock_by_fusectl(void)
{
	end_two_thread_deadlock(&fusectl);
}

static void two_thread_deadlock_by_umount_force(void)
{
	end_two_thread_deadlock(&umount_force);
}

/* The daemon, serving UNLINK, unlinks in the same directory. */
static void daemon_unlinks_in_its_own_mount(void)
{
	struct kd *kd = kd_new();
	struct kd_call *user, *own;

	kd_add_file(kd, "a", 2, 10);
	kd_add_file(kd, "b", 3, 10);
	kd_finish(kd_call_stat(kd, "b", NULL), 0);
	user = kd_call_unlink(kd, "a");
	kd_expect(kd, FUSE_UNLINK, 1);
	own = kd_call_unlink(kd, "b");
	kd_check_blocked(own);
	kd_no_request(kd, 20);
	by_fusectl(kd);
	around_ends(user);
	around_ends(own);
	kd_finish(user, -ECONNABORTED);
	kd_finish(own, -ENOTCONN);
}

/* ... and alone, by one thread, which is the one that is killed. */
static void daemon_waits_for_itself(void)
{
	struct kd *kd = kd_new();
	struct kd_call *own;

	kd_add_file(kd, "b", 3, 10);
	kd_finish(kd_call_stat(kd, "b", NULL), 0);
	kd_as_process(kd);
	own = kd_call_unlink(kd, "b");
	around_wait_unread(kd);
	kd_check_blocked(own);
	kd_signal(own, SIGKILL);
	around_ends(own);
	kd_no_request(kd, 20);
}

/* ---- storms -------------------------------------------------------------------------------------- */

#define STORM_ROUNDS 20
#define STORM_THREADS 3

/* Read and answer until the channel's end. */
static long serve_raw(void *arg)
{
	uint8_t *bytes = malloc(KD_BUFFER);
	int fd = *(int *)arg;
	ssize_t n;

	while ((n = read(fd, bytes, KD_BUFFER)) > 0 || errno == EAGAIN || errno == EINTR || errno == ENOENT) {
		const struct fuse_in_header *in = (const void *)bytes;

		if (n > 0 && in->opcode != FUSE_INTERRUPT)
			kd_reply_raw(fd, in->unique, -ENOENT, -1, NULL, 0);
		else if (n <= 0)
			sched_yield();
	}
	n = -errno;
	free(bytes);
	return n;
}

static long stat_many(void *arg)
{
	struct stat st;

	for (int i = 0; i < 200; i++)
		if (lstat(arg, &st) < 0 && errno != ENOENT)
			return -errno;
	return 0;
}

/* Callers at work, daemon threads at work: an abort at any moment ends them all. */
static void storm_round(const struct way *way, int round)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *daemon[STORM_THREADS], *user[STORM_THREADS];
	int fds[STORM_THREADS] = { kd->fd };

	around_leave_alone(kd);
	for (int i = 0; i < STORM_THREADS; i++) {
		if (i)
			fds[i] = kd_clone(kd);
		daemon[i] = kd_call(kd, serve_raw, &fds[i]);
		user[i] = kd_call(kd, stat_many, (void *)kd_path(kd, "f"));
	}
	usleep((useconds_t)(round * 137 % 2000));
	way->end(kd);
	for (int i = 0; i < STORM_THREADS; i++) {
		long ret;

		around_ends(user[i]);
		ret = kd_wait(user[i]);
		CHECK(ret == 0 || ret == -ENOTCONN || ret == -ECONNABORTED);
		around_ends(daemon[i]);
		kd_finish(daemon[i], -ENODEV);
		close(fds[i]);
	}
	kd->fd = -1;
	CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
	CHECK_EQ(umount(kd->mnt), 0);
}

static void storm_by_fusectl(void)
{
	for (int i = 0; i < STORM_ROUNDS; i++)
		storm_round(&fusectl, i);
}

static void storm_by_umount_force(void)
{
	for (int i = 0; i < STORM_ROUNDS; i++)
		storm_round(&umount_force, i);
}

/* The daemon, with several threads at it, is killed at any moment. */
static void storm_by_kill(void)
{
	for (int round = 0; round < STORM_ROUNDS; round++) {
		struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
		struct kd_call *user[STORM_THREADS];
		pid_t pid = fork();

		if (pid == 0) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			serve_raw(&kd->fd);
			_exit(0);
		}
		kd_die(kd);
		for (int i = 0; i < STORM_THREADS; i++)
			user[i] = kd_call(kd, stat_many, (void *)kd_path(kd, "f"));
		usleep((useconds_t)(round * 337 % 3000));
		CHECK_EQ(kill(pid, SIGKILL), 0);
		for (int i = 0; i < STORM_THREADS; i++) {
			long ret;

			around_ends(user[i]);
			ret = kd_wait(user[i]);
			CHECK(ret == 0 || ret == -ENOTCONN || ret == -ECONNABORTED);
		}
		CHECK_EQ(waitpid(pid, NULL, 0), pid);
		CHECK_EQ(kd_ctl_read(kd, "waiting"), 0);
		CHECK_EQ(umount(kd->mnt), 0);
	}
}

static const struct kernel_case cases[] = {
	CASE("abort/every-state-by-fusectl", every_state_by_fusectl),
	CASE("abort/every-state-by-umount-force", every_state_by_umount_force),
	CASE("abort/every-state-by-last-close", every_state_by_last_close),
	CASE("abort/daemon-is-killed", daemon_is_killed),
	CASE("abort/daemon-and-users-are-killed", daemon_and_users_are_killed),
	CASE("abort/twice-is-once", twice_is_once),
	CASE("abort/only-fusectl-is-told-apart", only_fusectl_is_told_apart),
	CASE("abort/late-replies", late_replies),
	CASE("abort/cached-things-stay", cached_things_stay),
	CASE("abort/before-init-was-answered", before_init_was_answered),
	CASE("abort/before-init-was-read", before_init_was_read),
	CASE("abort/dirty-pages-are-given-up", dirty_pages_are_given_up),
	CASE("abort/page-fault-is-ended", page_fault_is_ended),
	CASE("abort/read-into-another-mount", read_into_another_mount),
	CASE("abort/reply-from-another-mount", reply_from_another_mount),
	CASE("abort/read-into-another-mount-forced", read_into_another_mount_forced),
	CASE("abort/reply-from-another-mount-forced", reply_from_another_mount_forced),
	CASE("abort/read-into-userfault", read_into_userfault),
	CASE("abort/reply-from-userfault", reply_from_userfault),
	CASE("abort/stalled-read-goes-on", stalled_read_goes_on),
	CASE("abort/stalled-read-and-a-signal", stalled_read_and_a_signal),
	CASE("abort/stalled-reply-and-another", stalled_reply_and_another),
	CASE("abort/reader-is-killed", reader_is_killed),
	CASE("abort/own-read-by-fusectl", own_read_by_fusectl),
	CASE("abort/own-read-by-umount-force", own_read_by_umount_force),
	CASE("abort/own-reply-by-fusectl", own_reply_by_fusectl),
	CASE("abort/own-reply-by-umount-force", own_reply_by_umount_force),
	CASE("abort/two-thread-deadlock-by-fusectl", two_thread_deadlock_by_fusectl),
	CASE("abort/two-thread-deadlock-by-umount-force", two_thread_deadlock_by_umount_force),
	CASE("abort/daemon-unlinks-in-its-own-mount", daemon_unlinks_in_its_own_mount),
	CASE("abort/daemon-waits-for-itself", daemon_waits_for_itself),
	CASE("abort/storm-by-fusectl", storm_by_fusectl),
	CASE("abort/storm-by-umount-force", storm_by_umount_force),
	CASE("abort/storm-by-kill", storm_by_kill),
};
KERNEL_CASES(cases);
