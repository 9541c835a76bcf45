/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * daemon.h: a scripted FUSE daemon on a raw /dev/fuse; the test is the server.
 *
 * It is the mirror of tests/lib/fakekernel.h: there a test plays the kernel
 * against the library, here it plays the daemon against the kernel.  Every
 * request is checked for what a kernel owes (its lengths and names), kept in a
 * trace, and FORGETs are balanced against the lookups that were given out.
 * See case.h for how to use it.
 *
 * All of this is for the case's own thread.  Callers run in threads or
 * processes of their own.  Memory is given back when the case ends.
 */
#ifndef TESTS_KERNEL_DAEMON_H
#define TESTS_KERNEL_DAEMON_H

#include <fcntl.h>
#include <linux/fuse.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <unistd.h>
#include "case.h"

#define KD_MINOR 38u			/* spoken unless a case says otherwise */
#define KD_BUFFER ((1u << 20) + 65536u)	/* of our reads */
#define KD_WAIT_MS 4000			/* for a request or the end of a call */
#define KD_FOREVER 3600u		/* seconds, of a timeout that never comes */
#define KD_NODES 1024

struct kd_node {
	uint64_t id, generation;
	struct fuse_attr attr;
	uint64_t entry_valid, attr_valid;	/* seconds; KD_FOREVER at first */
	uint32_t entry_valid_nsec, attr_valid_nsec;
	uint64_t given, forgotten;		/* lookups */
	uint8_t *content;			/* of @room bytes, for READs and WRITEs answered unasked; NULL: zeros */
	size_t room;
};

#define KD_NO_FLAGS (1ull << 62)		/* for .flags: answer with none */
struct kd_opts {
	const char *type;		/* "fuse", "fuseblk" (on a loop device) */
	const char *options;		/* added to fd=,rootmode=,user_id=,group_id= */
	const char *only_options;	/* instead of all those; %d is the descriptor */
	unsigned long mount_flags;
	uint32_t rootmode, user_id, group_id;
	bool use_fsopen;		/* fsopen() and friends instead of mount(2) */
	uint64_t disk_size;		/* of the loop device, in bytes */
	bool no_init;			/* leave the INIT where it is */
	bool strict;			/* answer nothing unasked */
	bool fail_mount;		/* --fail-nth: the mount's allocations, too; there are many */
	/* INIT's answer */
	uint32_t minor;			/* 0: KD_MINOR */
	uint64_t flags;			/* 0: a modest set; only what was offered is asked for */
	uint32_t max_write, max_readahead, max_pages, max_background, congestion_threshold;
	uint32_t time_gran;
	uint32_t init_len;		/* of the body; 0: what the minor has */
};

struct kd_name {
	uint64_t parent, id;
	const char *name;
};

struct kd {
	struct kd_opts opts;
	int fd;				/* the channel that is read; kd_clone() gives others */
	char *mnt;			/* where it is mounted */
	unsigned int conn;		/* its number in fusectl, 0: not mounted */
	int disk_fd;			/* the loop device, or -1 */
	char disk[32];
	struct fuse_init_in init_in;	/* what the kernel said */
	uint64_t offered;		/* its flags, both halves */
	uint64_t flags;			/* those in use */
	struct kd_node nodes[KD_NODES];
	size_t node_count;
	struct kd_name names[KD_NODES];
	size_t name_count;
	uint64_t auto_ops;		/* bit per opcode */
	uint64_t next_fh;
	uint32_t count[64];		/* requests seen, per opcode; those that were answered unasked, too */
	uid_t uid;			/* of the callers to come */
	gid_t gid;
	bool as_process;
	bool dead;			/* a read said ENODEV, or ECONNABORTED */
	int dead_error;
	char **trace;
	size_t trace_count;
	struct kd_call *calls;
	struct kd *next;
};

/* One request. Everything points into @bytes, as it was read. */
struct kd_req {
	struct kd *kd;
	int fd;				/* the channel it came from, where its reply goes */
	const struct fuse_in_header *in;
	uint64_t unique, nodeid;
	uint32_t opcode;
	size_t len;			/* with the header */
	const void *arg;		/* the opcode's struct, or NULL */
	const char *name, *name2;
	const void *data;		/* of WRITE, SETXATTR, IOCTL, NOTIFY_REPLY, BATCH_FORGET */
	size_t data_len;
	uint8_t *bytes;
};

/* ---- the connection ------------------------------------------------- */

/* kd_new(.options = "default_permissions", .minor = 12): mount, answer INIT. Ends the case if that fails. */
#define kd_new(...) (kd_at(__FILE__, __LINE__), kd_start(&(struct kd_opts){ __VA_ARGS__ }))
struct kd *kd_start(const struct kd_opts *opts);
/* As kd_start; returns what mount(2) said, 0 or negative errno, and *out also on failure (channel open). */
#define kd_try(out, ...) kd_try_start((out), &(struct kd_opts){ __VA_ARGS__ })
int kd_try_start(struct kd **out, const struct kd_opts *opts);
/* Only /dev/fuse and, for fuseblk, the loop device; nothing is mounted. */
struct kd *kd_open_only(const struct kd_opts *opts);
/* Mount @kd as its options say, on kd->mnt. */
int kd_mount(struct kd *kd);
/* Read the INIT and answer it as the options say. */
void kd_init(struct kd *kd);
/* The INIT that waits, not answered. */
struct kd_req *kd_init_request(struct kd *kd);
/* Answer @r as the options say. */
void kd_reply_init(struct kd_req *r);
/* The answer that kd_reply_init() would give. Returns its length. */
size_t kd_init_answer(struct kd *kd, struct fuse_init_out *out);
/* Skip the case unless INIT offered all of @flags. */
void kd_need(struct kd *kd, uint64_t flags);
/* umount2() by a caller, served; returns its result. */
long kd_umount(struct kd *kd, int flags);
/* Unmount, serve what that needs, close the channel. Not needed at a case's end. */
void kd_stop(struct kd *kd);
/* Close the channel, as if the daemon had died. */
void kd_die(struct kd *kd);
/* Another channel of the connection, by FUSE_DEV_IOC_CLONE. */
int kd_clone(struct kd *kd);
/* Read from @fd from now on; returns the one before. */
int kd_on(struct kd *kd, int fd);
/* A file of fusectl: "abort", "waiting", "max_background", "congestion_threshold". */
int kd_ctl_write(struct kd *kd, const char *file, const char *text);
long kd_ctl_read(struct kd *kd, const char *file);
/* Answer @opcode unasked from now on, or no longer. */
void kd_auto(struct kd *kd, uint32_t opcode);
void kd_manual(struct kd *kd, uint32_t opcode);

/* ---- nodes ---------------------------------------------------------- */

/* New nodes, known to the daemon only. Fields may be changed at any time. */
struct kd_node *kd_node_new(struct kd *kd, uint64_t id, uint32_t mode, uint64_t size);
struct kd_node *kd_file(struct kd *kd, uint64_t id, uint64_t size);	/* 0644 */
struct kd_node *kd_dir(struct kd *kd, uint64_t id);			/* 0755 */
/* The same, with a name in @parent, for which LOOKUP is answered unasked. */
struct kd_node *kd_add(struct kd *kd, uint64_t parent, const char *name, struct kd_node *node);
struct kd_node *kd_add_file(struct kd *kd, const char *name, uint64_t id, uint64_t size);
struct kd_node *kd_add_dir(struct kd *kd, const char *name, uint64_t id);
struct kd_node *kd_node(struct kd *kd, uint64_t id);
#define kd_root(kd) kd_node((kd), FUSE_ROOT_ID)
/* Make the kernel drop what it caches (by remounting) and wait until every lookup of every node but the root is forgotten. */
#define kd_check_balance(kd) (kd_at(__FILE__, __LINE__), kd_check_balance(kd))
void (kd_check_balance)(struct kd *kd);
/* Drop unused dentries and inodes, FORGETs are counted; returns remount's result. */
long kd_shrink(struct kd *kd);

/* ---- requests ------------------------------------------------------- */

/* The next request that is not answered unasked: must be @opcode for @nodeid (0: any). */
#define kd_expect(...) (kd_at(__FILE__, __LINE__), kd_expect(__VA_ARGS__))
struct kd_req *(kd_expect)(struct kd *kd, uint32_t opcode, uint64_t nodeid);
/* The next request that is not answered unasked, or NULL after @ms. */
struct kd_req *kd_next(struct kd *kd, int ms);
/* None comes for @ms. */
#define kd_no_request(...) (kd_at(__FILE__, __LINE__), kd_no_request(__VA_ARGS__))
void (kd_no_request)(struct kd *kd, int ms);
/* Answer what is answered unasked until nothing came for @ms. */
#define kd_settle(kd, ms) kd_no_request((kd), (ms))
/* read(2) of the channel as it is: a count or negative errno. The bytes are neither looked at nor traced. */
ssize_t kd_read_raw(struct kd *kd, void *buf, size_t size);
/* A request from bytes that were read from @fd by other means; traced. Ends the case if it is malformed. */
struct kd_req *kd_decode(struct kd *kd, int fd, const void *bytes, size_t len);
const char *kd_opcode_name(uint32_t opcode);

/* ---- replies: the write must succeed, or the case fails -------------- */

#define kd_reply(...) (kd_at(__FILE__, __LINE__), kd_reply(__VA_ARGS__))
void (kd_reply)(struct kd_req *r, const void *body, size_t len);
#define kd_reply_error(...) (kd_at(__FILE__, __LINE__), kd_reply_error(__VA_ARGS__))
void (kd_reply_error)(struct kd_req *r, int error);	/* negative errno; 0: an empty success */
void kd_reply_entry(struct kd_req *r, struct kd_node *node);	/* counts a lookup */
void kd_reply_negative(struct kd_req *r, uint64_t seconds);	/* nodeid 0 */
void kd_reply_attr(struct kd_req *r, struct kd_node *node);
void kd_reply_open(struct kd_req *r, uint64_t fh, uint32_t open_flags);
void kd_reply_create(struct kd_req *r, struct kd_node *node, uint64_t fh, uint32_t open_flags);
void kd_reply_write(struct kd_req *r, uint32_t size);
void kd_reply_xattr_size(struct kd_req *r, uint32_t size);
void kd_reply_statfs(struct kd_req *r, const struct fuse_kstatfs *st);
void kd_reply_lseek(struct kd_req *r, uint64_t offset);
void kd_reply_bmap(struct kd_req *r, uint64_t block);
void kd_reply_ioctl(struct kd_req *r, int32_t result, const void *out, size_t len);
void kd_reply_poll(struct kd_req *r, uint32_t revents);
/* Structs as the helpers above would send them, to be spoilt first. */
struct fuse_entry_out kd_entry(const struct kd_node *node);
struct fuse_attr_out kd_attr(const struct kd_node *node);
/* kd_reply_entry with any bytes: counts the lookup in @node if it is not NULL. */
void kd_reply_entry_raw(struct kd_req *r, struct kd_node *node, const struct fuse_entry_out *out);
/* The same without the check: what write(2) said, 0 or negative errno. */
int kd_try_reply(struct kd_req *r, int error, const void *body, size_t len);
/* Any bytes to @fd as one message; 0 or negative errno, -EIO if it took fewer. */
int kd_write_raw(int fd, const struct iovec *iov, int count);
/* A header of any kind and a body: @len is what the header claims, -1: the true length. */
int kd_reply_raw(int fd, uint64_t unique, int32_t error, int64_t len, const void *body, size_t body_len);
/* READDIR and READDIRPLUS: entries are put into a buffer, which is then the body of kd_reply(). */
struct kd_dirents {
	uint8_t bytes[65536];
	size_t len;
};
void kd_dirent(struct kd_dirents *d, const char *name, uint64_t ino, uint32_t type, uint64_t next);
/* @node NULL: no lookup (nodeid 0), else a lookup is counted. */
void kd_direntplus(struct kd_dirents *d, const char *name, struct kd_node *node, uint64_t next);

/* ---- notifications: 0 or negative errno ------------------------------ */

int kd_notify(struct kd *kd, int code, const void *body, size_t len);
int kd_notify_inval_inode(struct kd *kd, uint64_t nodeid, int64_t off, int64_t len);
int kd_notify_inval_entry(struct kd *kd, uint64_t parent, const char *name, uint32_t flags);
int kd_notify_delete(struct kd *kd, uint64_t parent, uint64_t child, const char *name);
int kd_notify_store(struct kd *kd, uint64_t nodeid, uint64_t off, const void *data, uint32_t len);
int kd_notify_retrieve(struct kd *kd, uint64_t unique, uint64_t nodeid, uint64_t off, uint32_t len);

/* ---- callers -------------------------------------------------------- */

struct kd_call;
typedef long (*kd_call_fn)(void *arg);

/* Run @fn(@arg) in another thread or process; it returns 0, a count or a negative errno. */
struct kd_call *kd_call(struct kd *kd, kd_call_fn fn, void *arg);
/* One system call. kd_sys(kd, SYS_fsync, fd): arguments are longs or pointers cast to long. */
#define kd_sys(kd, nr, ...) kd_call_sys((kd), (nr), (const long[6]){ __VA_ARGS__ })
struct kd_call *kd_call_sys(struct kd *kd, long nr, const long args[6]);
/* Serve until the call ends; its result. Anything that is not answered unasked fails the case. */
#define kd_wait(c) (kd_at(__FILE__, __LINE__), kd_wait(c))
long (kd_wait)(struct kd_call *c);
/* kd_wait, and it must be @want. */
#define kd_finish(c, want) (kd_at(__FILE__, __LINE__), kd_finish((c), (want)))
void (kd_finish)(struct kd_call *c, long want);
bool kd_is_done(const struct kd_call *c);
/* It is still blocked, and stays so for a moment. Serves nothing. */
#define kd_check_blocked(c) (kd_at(__FILE__, __LINE__), kd_check_blocked(c))
void (kd_check_blocked)(struct kd_call *c);
/* SIGUSR1 and SIGUSR2 have handlers without SA_RESTART. Fatal ones are for processes. */
void kd_signal(struct kd_call *c, int sig);
/* Wait for a process that was killed; its wait status. Serves as kd_wait does. */
int kd_wait_killed(struct kd_call *c);
pid_t kd_call_tid(const struct kd_call *c);
/* The credentials of callers to come; all of them, and no supplementary groups. */
void kd_as(struct kd *kd, uid_t uid, gid_t gid);
/* Callers to come are processes that share the table of descriptors, or threads again. */
void kd_as_process(struct kd *kd);
void kd_as_thread(struct kd *kd);

/* @path is relative to the mount point; "" is the mount point itself. */
const char *kd_path(struct kd *kd, const char *path);
struct kd_call *kd_call_stat(struct kd *kd, const char *path, struct stat *st);		/* lstat */
struct kd_call *kd_call_open(struct kd *kd, const char *path, int flags, mode_t mode);
struct kd_call *kd_call_mkdir(struct kd *kd, const char *path, mode_t mode);
struct kd_call *kd_call_mknod(struct kd *kd, const char *path, mode_t mode, dev_t dev);
struct kd_call *kd_call_unlink(struct kd *kd, const char *path);
struct kd_call *kd_call_rmdir(struct kd *kd, const char *path);
struct kd_call *kd_call_symlink(struct kd *kd, const char *target, const char *path);
struct kd_call *kd_call_readlink(struct kd *kd, const char *path, char *buf, size_t size);
struct kd_call *kd_call_link(struct kd *kd, const char *from, const char *to);
struct kd_call *kd_call_rename(struct kd *kd, const char *from, const char *to);
struct kd_call *kd_call_rename2(struct kd *kd, const char *from, const char *to, unsigned int flags);
struct kd_call *kd_call_chmod(struct kd *kd, const char *path, mode_t mode);
struct kd_call *kd_call_chown(struct kd *kd, const char *path, uid_t uid, gid_t gid);
struct kd_call *kd_call_truncate(struct kd *kd, const char *path, uint64_t size);
struct kd_call *kd_call_utimens(struct kd *kd, const char *path, const struct timespec times[2]);
struct kd_call *kd_call_access(struct kd *kd, const char *path, int mode);
struct kd_call *kd_call_statfs(struct kd *kd, const char *path, void *statfs_out);
struct kd_call *kd_call_setxattr(struct kd *kd, const char *path, const char *name,
				 const void *value, size_t size, int flags);
struct kd_call *kd_call_getxattr(struct kd *kd, const char *path, const char *name,
				 void *value, size_t size);
struct kd_call *kd_call_listxattr(struct kd *kd, const char *path, char *list, size_t size);
struct kd_call *kd_call_removexattr(struct kd *kd, const char *path, const char *name);
struct kd_call *kd_call_read(struct kd *kd, int fd, void *buf, size_t size);
struct kd_call *kd_call_write(struct kd *kd, int fd, const void *buf, size_t size);
struct kd_call *kd_call_pread(struct kd *kd, int fd, void *buf, size_t size, uint64_t off);
struct kd_call *kd_call_pwrite(struct kd *kd, int fd, const void *buf, size_t size, uint64_t off);
struct kd_call *kd_call_fstat(struct kd *kd, int fd, struct stat *st);
struct kd_call *kd_call_ftruncate(struct kd *kd, int fd, uint64_t size);
struct kd_call *kd_call_fsync(struct kd *kd, int fd);
struct kd_call *kd_call_fdatasync(struct kd *kd, int fd);
struct kd_call *kd_call_syncfs(struct kd *kd, int fd);
struct kd_call *kd_call_close(struct kd *kd, int fd);
struct kd_call *kd_call_lseek(struct kd *kd, int fd, int64_t off, int whence);
struct kd_call *kd_call_fallocate(struct kd *kd, int fd, int mode, uint64_t off, uint64_t len);
struct kd_call *kd_call_getdents(struct kd *kd, int fd, void *buf, size_t size);
struct kd_call *kd_call_ioctl(struct kd *kd, int fd, unsigned long cmd, void *arg);
struct kd_call *kd_call_copy_range(struct kd *kd, int in, int64_t *in_off, int out,
				   int64_t *out_off, size_t len);
/* Read or write one byte of memory (a mapping): 0, or -EFAULT if it gave SIGBUS or SIGSEGV. */
struct kd_call *kd_call_touch(struct kd *kd, volatile void *address, bool write);

/* Open @path, answering LOOKUP (if the name was added) and OPEN or OPENDIR; the descriptor. */
#define kd_opened(...) (kd_at(__FILE__, __LINE__), kd_opened(__VA_ARGS__))
int (kd_opened)(struct kd *kd, const char *path, int flags, uint32_t open_flags);

/* ---- inside --------------------------------------------------------- */

/* Where in the case we are, for what goes wrong below. */
void kd_at(const char *file, int line);
void kd_fail(struct kd *kd, const char *format, ...) __attribute__((noreturn, format(printf, 2, 3)));
/* All connections of this case: abort, unmount, close. */
void kd_clean_up(void);
/* The requests seen, as diagnostics. */
void kd_show_traces(void);
/* kd_wait() and kd_next() for one of them: is any caller still at work? */
bool kd_calls_pending(const struct kd *kd);
/* Readable when @c may have ended. */
int kd_call_poll_fd(const struct kd_call *c);
bool kd_serve(struct kd_req *r);
int kd_disk_new(struct kd *kd);
/* The case's own directory: empty, in memory. */
const char *case_dir(void);
/* The number of a connection, to be aborted by the runner if the case hangs. */
void case_connection(unsigned int conn);
/* Around a system call of a caller whose allocations may be made to fail. */
void case_fail_nth_begin(void);
/* The same for the daemon's own reads and writes; both end with case_fail_nth_end(). */
void case_fail_daemon_begin(void);
void case_fail_nth_end(void);
/* While allocations are made to fail: have this memory at hand before. */
void case_fault_in(const void *memory, size_t len, bool write);
extern const char case_ctl_dir[];

#endif
