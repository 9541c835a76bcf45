/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fakekernel.h: the kernel's end of a FUSE session, for tests without root.
 *
 * fk_start() makes a volume and a session of the library in this process,
 * joined to the test by a SOCK_SEQPACKET pair; the calls below then speak the
 * wire protocol to it.  Every reply is checked for what the kernel demands:
 * its length, its error's range, a unique that was asked for and not yet
 * answered.  What was wrong is kept, and fk_stop() reports it.  Lookups given
 * out are counted, so that FORGET can be balanced.
 *
 * Calls return 0 or a count, or the negative errno of the reply; -ETIMEDOUT
 * when no reply came in FK_TIMEOUT_SECONDS, -EPROTO when it had a wrong size.
 * All may be called from any thread.
 */
#ifndef TESTS_FAKEKERNEL_H
#define TESTS_FAKEKERNEL_H

#include <sys/uio.h>
#include "device.h"
#include "message.h"
#include "session.h"
#include "volume.h"

#define FK_TIMEOUT_SECONDS 20
#define FK_MESSAGE_MAX ((1u << 20) + 4096u)

struct fk;

/*
 * A session over @device (owned from now on, also on failure), its volume
 * options @options (NULL: none).  INIT has not been sent.  Returns 0 or what
 * fb_volume_new() or the session answered, with its text in @error.
 */
int fk_start(const struct fuseblk_driver *driver, struct fb_device *device,
	     const char *options, struct fk **out, char *error, size_t error_size);
/* fk_start and fk_init with what a present kernel offers; fails the cmocka test if it cannot. */
struct fk *fk_start_ready(const struct fuseblk_driver *driver,
			  struct fb_device *device, const char *options);
/*
 * End the session: DESTROY unless it was sent, then close, join and free.
 * Returns what fb_session_run() did; fails the cmocka test if the session
 * broke the protocol.
 */
int fk_stop(struct fk *fk);
/* As fk_stop, but the channel ends without a DESTROY, as when the connection is aborted. */
int fk_abort(struct fk *fk);

struct fuseblk_volume *fk_volume(struct fk *fk);
const struct fuse_init_out *fk_init_reply(struct fk *fk);
/* Data bytes that fit in one message here (sockets of unprivileged users are small). */
uint32_t fk_max_write(struct fk *fk);
/* The caller of the requests that this thread sends from now on. */
void fk_as(struct fk *fk, uint32_t uid, uint32_t gid);
#define FK_OFFER_ALL UINT64_MAX
/* The thread of the requests that this thread sends from now on; 0, as at first: whatever the message says. */
void fk_as_thread(struct fk *fk, uint32_t pid);
/* @flags: offered INIT flags, FK_OFFER_ALL: those of a 7.45 kernel. */
int fk_init(struct fk *fk, uint32_t minor, uint64_t flags);

/* ---- raw messages --------------------------------------------------- */

struct fk_reply {
	int error;			/* of the reply, or -ETIMEDOUT, -EPIPE */
	size_t len;			/* of the body */
	uint8_t *body;			/* free() */
};
/* Send and forget about @m (freed); its unique is set and returned. Its reply is then owed unless it has none. */
uint64_t fk_send(struct fk *fk, struct message *m);
/* Send bytes as they are. */
int fk_send_raw(struct fk *fk, const void *bytes, size_t len);
/* Wait for the reply to @unique. */
struct fk_reply fk_await(struct fk *fk, uint64_t unique);
/* True if the reply to @unique is there. */
bool fk_has_reply(struct fk *fk, uint64_t unique);
/* fk_send and fk_await; only the reply's error. */
int fk_exchange(struct fk *fk, struct message *m);
/* A request of @args_len bytes of arguments, then up to two strings, then bytes; the reply's body into @out. */
struct fk_args {
	uint32_t opcode;
	uint64_t nodeid;
	const void *args;
	size_t args_len;
	const char *name, *name2;
	const void *bytes;
	size_t bytes_len;
};
/* Returns the body's length. */
ssize_t fk_call(struct fk *fk, const struct fk_args *args, void *out, size_t out_size);
uint64_t fk_call_async(struct fk *fk, const struct fk_args *args);

/* ---- notifications -------------------------------------------------- */

struct fk_notice {
	int code;			/* FUSE_NOTIFY_* */
	uint64_t nodeid;		/* of INVAL_INODE and PRUNE; of INVAL_ENTRY the parent */
	uint32_t flags;			/* of INVAL_ENTRY */
	uint64_t after;			/* replies that had come before it */
	char name[1025];
};
/* Those that came since the last call, at most @max, once there are @want (or after half a second). Returns their number. */
size_t fk_notices(struct fk *fk, struct fk_notice *list, size_t want, size_t max);
/* Replies that have come. */
uint64_t fk_replies(struct fk *fk);

/* ---- lookup counts -------------------------------------------------- */

uint64_t fk_lookups(struct fk *fk, uint64_t nodeid);
void fk_forget(struct fk *fk, uint64_t nodeid, uint64_t n);
/* Give up one lookup of @nodeid that we were given, if there is one. */
void fk_forget_known(struct fk *fk, uint64_t nodeid);
/* Forget everything but the root in BATCH_FORGETs. */
void fk_forget_all(struct fk *fk);
/* Does the library count as we do, when every FORGET has been served? Waits for that. */
bool fk_lookups_agree(struct fk *fk);

/* ---- calls ---------------------------------------------------------- */

int fk_lookup(struct fk *fk, uint64_t dir, const char *name, struct fuse_entry_out *out);
/* As fk_lookup; only the node id, 0 if there is none. */
uint64_t fk_find(struct fk *fk, uint64_t dir, const char *name);
int fk_getattr(struct fk *fk, uint64_t node, struct fuse_attr *out);
int fk_statx(struct fk *fk, uint64_t node, struct fuse_statx *out);
int fk_setattr(struct fk *fk, uint64_t node, const struct fuse_setattr_in *in,
	       struct fuse_attr *out);
int fk_truncate(struct fk *fk, uint64_t node, uint64_t size);
int fk_chmod(struct fk *fk, uint64_t node, uint32_t mode);
ssize_t fk_readlink(struct fk *fk, uint64_t node, char *buf, size_t size);
int fk_symlink(struct fk *fk, uint64_t dir, const char *name, const char *target,
	       struct fuse_entry_out *out);
int fk_mknod(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	     uint32_t rdev, struct fuse_entry_out *out);
int fk_mkdir(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	     struct fuse_entry_out *out);
int fk_unlink(struct fk *fk, uint64_t dir, const char *name);
int fk_rmdir(struct fk *fk, uint64_t dir, const char *name);
int fk_rename(struct fk *fk, uint64_t dir, const char *name, uint64_t newdir,
	      const char *newname);
int fk_rename2(struct fk *fk, uint64_t dir, const char *name, uint64_t newdir,
	       const char *newname, uint32_t flags);
int fk_link(struct fk *fk, uint64_t node, uint64_t dir, const char *name,
	    struct fuse_entry_out *out);
int fk_open(struct fk *fk, uint64_t node, uint32_t flags, struct fuse_open_out *out);
/* IOCTL of an open directory. */
int fk_ioctl_dir(struct fk *fk, uint64_t node, uint64_t fh, uint32_t cmd, void *out, size_t out_size);
int fk_opendir(struct fk *fk, uint64_t node, struct fuse_open_out *out);
int fk_create(struct fk *fk, uint64_t dir, const char *name, uint32_t mode,
	      uint32_t flags, struct fuse_entry_out *entry, struct fuse_open_out *open);
int fk_tmpfile(struct fk *fk, uint64_t dir, uint32_t mode,
	       struct fuse_entry_out *entry, struct fuse_open_out *open);
ssize_t fk_read(struct fk *fk, uint64_t node, uint64_t off, void *buf, uint32_t size);
/* @write_flags: FUSE_WRITE_* */
ssize_t fk_write(struct fk *fk, uint64_t node, uint64_t off, const void *buf,
		 uint32_t size, uint32_t write_flags);
int fk_release(struct fk *fk, uint64_t node, uint64_t fh, bool dir);
int fk_flush(struct fk *fk, uint64_t node, uint64_t fh);
int fk_fsync(struct fk *fk, uint64_t node, bool datasync);
int fk_fsyncdir(struct fk *fk, uint64_t node);
int fk_setxattr(struct fk *fk, uint64_t node, const char *name, const void *value,
		size_t size, uint32_t flags);
ssize_t fk_getxattr(struct fk *fk, uint64_t node, const char *name, void *value, size_t size);
ssize_t fk_listxattr(struct fk *fk, uint64_t node, char *list, size_t size);
int fk_removexattr(struct fk *fk, uint64_t node, const char *name);
int fk_statfs(struct fk *fk, struct fuse_kstatfs *out);
int fk_access(struct fk *fk, uint64_t node, uint32_t mask);
int fk_lseek(struct fk *fk, uint64_t node, uint64_t off, uint32_t whence, uint64_t *out);
int fk_fallocate(struct fk *fk, uint64_t node, uint32_t mode, uint64_t off, uint64_t len);
ssize_t fk_copy(struct fk *fk, uint64_t from, uint64_t off_from, uint64_t to,
		uint64_t off_to, uint64_t len);
int fk_bmap(struct fk *fk, uint64_t node, uint64_t block, uint32_t block_size, uint64_t *out);
/* Returns the ioctl's result; @in and @out may be NULL with size 0. */
int fk_ioctl(struct fk *fk, uint64_t node, uint32_t cmd, const void *in, size_t in_size,
	     void *out, size_t out_size);
int fk_syncfs(struct fk *fk);
/* Ask for @unique to be given up. Nothing is awaited. */
void fk_interrupt(struct fk *fk, uint64_t unique);
int fk_destroy(struct fk *fk);

struct fk_dirent {
	char name[1025];
	uint64_t ino, next;
	uint32_t type;
	uint64_t nodeid;		/* READDIRPLUS; 0: no lookup */
	struct fuse_attr attr;		/* likewise */
};
/* READDIR by a handle, for what is at @off; only the error or 0. */
int fk_readdir_fh(struct fk *fk, uint64_t dir, uint64_t fh, uint64_t off);
/* One reply's entries from @off on. Returns their number, 0 at the end. */
ssize_t fk_readdir(struct fk *fk, uint64_t dir, uint64_t off, uint32_t size, bool plus,
		   struct fk_dirent *list, size_t max);
/* The whole directory, in as many replies as it takes. Returns the number of entries, *list to be freed. */
ssize_t fk_list(struct fk *fk, uint64_t dir, bool plus, struct fk_dirent **list);

#endif
