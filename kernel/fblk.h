/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * fblk.h: the module's own types and what its files owe each other.
 *
 *	main.c		load and unload
 *	queue.c		the state of each request (pure)
 *	negotiate.c	INIT (pure)
 *	dirent.c	entries of a directory reply (pure)
 *	conn.c		a connection: its life, INIT, requests' ends
 *	request.c	a call: made, waited for, interrupted
 *	copy.c		bytes between a request and the daemon's buffers
 *	dev.c		/dev/fuse
 *	splice.c	/dev/fuse and pipes
 *	notify.c	what the daemon sends unasked
 *	ctl.c		fusectl
 *	super.c		mount, options, statfs, sync, umount
 *	options.c	mount options
 *	inode.c		inodes: found, filled, evicted
 *	attr.c		attributes: asked for, set, trusted for a time; permission
 *	dentry.c	names: trusted for a time
 *	namei.c		what changes or looks up names
 *	readdir.c	directories
 *	dircache.c	their entries, kept
 *	file.c		open files
 *	read.c write.c	the page cache: filled, written through
 *	writeback.c	what mappings made dirty
 *	direct.c	reads and writes past the page cache
 *	range.c		fallocate, lseek, copy_file_range, bmap
 *	xattr.c ioctl.c
 *
 * Locks, outermost first: an inode's i_rwsem and invalidate_lock (VFS),
 * fblk_inode.writeback_lock, page locks, fblk_inode.lock, fblk_queue.lock.  fblk_mutex (mounts, channels and
 * the control filesystem) and fblk_conn.sb_lock are taken with none of these
 * held.
 */
#ifndef FBLK_H
#define FBLK_H

#include <linux/atomic.h>
#include <linux/bvec.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/fs_parser.h>
#include <linux/fuse.h>
#include <linux/refcount.h>
#include <linux/rwsem.h>
#include <linux/siphash.h>
#include <linux/uio.h>
#include <linux/wait.h>
#include "compat/compat.h"
#include "dirent.h"
#include "negotiate.h"
#include "queue.h"

/* ---- requests -------------------------------------------------------------------------- */

#define FBLK_IN_MAX 4
#define FBLK_OUT_MAX 2

/* What a call says and what it expects: bytes in @in, then for a WRITE @data; the reply's bytes into @out, then for a READ @data. */
struct fblk_args {
	u32 opcode;
	u64 nodeid;
	unsigned int nr_in, nr_out;
	struct kvec in[FBLK_IN_MAX], out[FBLK_OUT_MAX];
	const struct bio_vec *data;
	unsigned int nr_data;
	u32 data_len;
	bool data_is_reply;
	bool reply_varies;		/* the last part of the reply may be shorter */
	bool forced;			/* neither waits for INIT nor for room, nor is given up on a fatal signal */
	bool no_caller;			/* on nobody's behalf: uid, gid and pid 0 */
};

struct fblk_req {
	struct fblk_ticket ticket;
	struct fblk_conn *conn;
	struct fuse_in_header head;
	struct fblk_args args;
	wait_queue_head_t wait;		/* of the caller; unused in background requests */
	u32 varying;			/* bytes that came of the reply's last part */
	/* Background: called once, in the context that ended it; @result: -errno or the bytes of the last part. */
	void (*end)(struct fblk_req *req, ssize_t result);
	/* Frees what contains the request; NULL: a request of fblk_call(). */
	void (*release)(struct fblk_req *req);
};

static inline void fblk_in(struct fblk_args *args, const void *data, size_t len)
{
	args->in[args->nr_in++] = (struct kvec) { .iov_base = (void *)data, .iov_len = len };
}

static inline void fblk_in_name(struct fblk_args *args, const struct qstr *name)
{
	fblk_in(args, name->name, name->len + 1);
}

static inline void fblk_out(struct fblk_args *args, void *data, size_t len)
{
	args->out[args->nr_out++] = (struct kvec) { .iov_base = data, .iov_len = len };
}

#define FBLK_ARGS(op, node) { .opcode = (op), .nodeid = (node) }

/* ---- connections ----------------------------------------------------------------------------- */

#define FBLK_OPCODES 64
#define FBLK_CTL_FILES 4

struct fblk_conn {
	struct fblk_queue queue;
	refcount_t refs;		/* the superblock, each channel */
	struct rcu_head rcu;
	wait_queue_head_t readers;	/* of the channels */
	struct fasync_struct *fasync;
	wait_queue_head_t room;		/* for INIT's end and for background requests' room */
	wait_queue_head_t idle;		/* for @waiting to be 0 */
	atomic_t waiting;		/* calls from their start to their end */

	bool ready;			/* INIT has ended; before, @proto holds nothing (acquire and release) */
	bool failed;			/* with an error */
	bool told_abort;		/* aborted through fusectl: reads say ECONNABORTED if the daemon took ABORT_ERROR */
	struct fblk_limits limits;
	struct fblk_proto proto;
	DECLARE_BITMAP(latched, FBLK_OPCODES);	/* the daemon said ENOSYS */

	/* the mount; constant */
	bool is_blkdev, default_permissions, allow_other;
	kuid_t user_id;
	kgid_t group_id;
	unsigned int max_read;
	struct user_namespace *user_ns;
	struct pid_namespace *pid_ns;
	siphash_key_t owner_key;

	struct rw_semaphore sb_lock;	/* notifications against unmount */
	struct super_block *sb;		/* NULL once it is going */
	atomic64_t attr_version;	/* counts changes of sizes; see fblk_attr_version() */

	struct list_head mounted;	/* all connections; fblk_mutex */
	dev_t dev;			/* the control directory's name */
	struct dentry *ctl[1 + FBLK_CTL_FILES];	/* fblk_mutex */
};

static inline bool fblk_has(const struct fblk_conn *conn, u64 flag)
{
	return conn->proto.flags & flag;
}

struct fblk_channel {			/* an open /dev/fuse with a connection */
	struct fblk_conn *conn;
	struct fblk_lane lane;
};

extern struct mutex fblk_mutex;
extern struct list_head fblk_mounted;

/* conn.c */
int fblk_request_init(void);
void fblk_request_fini(void);
struct fblk_conn *fblk_conn_new(struct user_namespace *user_ns);
struct fblk_conn *fblk_conn_get(struct fblk_conn *conn);
void fblk_conn_put(struct fblk_conn *conn);
/* Everything fails from now on, and what waits does so now. */
void fblk_conn_abort(struct fblk_conn *conn);
/* Until no call is under way any more. */
void fblk_conn_wait_idle(struct fblk_conn *conn);
/* Send INIT; other calls wait for its end. */
int fblk_conn_start(struct fblk_conn *conn);
/* Put a channel on @conn into an open /dev/fuse that has none.  fblk_mutex held.  Returns 0, -EINVAL if it has one, -ENOMEM. */
int fblk_channel_open(struct file *file, struct fblk_conn *conn);

/* request.c */
/*
 * One call, to its end.  Blocks for the daemon; a signal asks it to hurry, a
 * fatal one gives up what it has not read yet.  Returns the bytes of the last
 * part of the reply if that may vary, else 0; -errno of the daemon; -EINTR,
 * -ENOTCONN, -ECONNREFUSED (INIT failed), -ECONNABORTED, -EIO (no valid
 * reply), -EOVERFLOW (the caller has no id in the mounter's namespace).
 */
ssize_t fblk_call(struct fblk_conn *conn, const struct fblk_args *args);
/* As fblk_call(), but -ENOSYS without a call once the daemon has said so. */
ssize_t fblk_call_optional(struct fblk_conn *conn, const struct fblk_args *args);
bool fblk_lacks(const struct fblk_conn *conn, u32 opcode);
void fblk_latch(struct fblk_conn *conn, u32 opcode);
/*
 * Send a request in the background; @req->args, ->end and ->release are set,
 * and it is the queue's from now on.  Blocks while there is no room for one,
 * unless it is forced.  ->end is called once, whatever happens, perhaps before
 * this returns.
 */
void fblk_send(struct fblk_conn *conn, struct fblk_req *req);
/* A call ended; for conn.c. */
void fblk_request_done(struct fblk_queue *q, struct fblk_ticket *t);
void fblk_request_free(struct fblk_ticket *t);
/* What the daemon is told of who owns a lock or a file descriptor table. */
u64 fblk_owner(struct fblk_conn *conn, fl_owner_t owner);

/* copy.c */
/* Bytes that the whole request takes. */
size_t fblk_request_size(const struct fblk_req *req);
/*
 * The request into @to, or the reply's body of @len bytes from @from.  The
 * ticket is pinned before and, on success or -EINVAL, -EFAULT, after; on
 * -ECONNABORTED the request was aborted and must not be touched any more.
 * fblk_copy_reply() sets @req->varying.
 */
int fblk_copy_request(struct fblk_req *req, struct iov_iter *to);
int fblk_copy_reply(struct fblk_req *req, struct iov_iter *from, size_t len);

/* dev.c, ctl.c, super.c */
int fblk_dev_init(void);
void fblk_dev_fini(void);
bool fblk_is_dev(const struct file *file);
/* The channel of an open /dev/fuse, NULL before its mount. */
struct fblk_channel *fblk_dev_channel(const struct file *file);
/* One request into @to; one message from @from. */
ssize_t fblk_dev_read(struct file *file, struct iov_iter *to);
ssize_t fblk_dev_write(struct file *file, struct iov_iter *from);
/* splice.c */
ssize_t fblk_dev_splice_read(struct file *file, loff_t *pos, struct pipe_inode_info *pipe, size_t len, unsigned int flags);
ssize_t fblk_dev_splice_write(struct pipe_inode_info *pipe, struct file *file, loff_t *pos, size_t len, unsigned int flags);
int fblk_ctl_init(void);
void fblk_ctl_fini(void);
/* fblk_mutex held. */
int fblk_ctl_add(struct fblk_conn *conn);
void fblk_ctl_remove(struct fblk_conn *conn);
int fblk_super_init(void);
void fblk_super_fini(void);
extern unsigned int fblk_max_user_bgreq, fblk_max_user_congthresh;

/* notify.c: @code and its body from the daemon.  Returns 0 or what it is told. */
int fblk_notify(struct fblk_conn *conn, unsigned int code, struct iov_iter *from);

/* ---- mounts ------------------------------------------------------------------------------------ */

struct fblk_mount_options {		/* options.c, in fs_context's fs_private */
	struct file *dev;
	const char *subtype;
	unsigned int fd, rootmode, max_read, blksize;
	kuid_t user_id;
	kgid_t group_id;
	bool has_fd, has_rootmode, has_user_id, has_group_id;
	bool default_permissions, allow_other, is_blkdev;
	bool filled;			/* a superblock was made, not found */
};
extern const struct fs_parameter_spec fblk_parameters[];
int fblk_parse_option(struct fs_context *fc, struct fs_parameter *param);
int fblk_show_options(struct seq_file *m, struct dentry *root);

/* ---- inodes ------------------------------------------------------------------------------------- */

struct fblk_inode {
	struct inode inode;
	u64 nodeid;
	u64 orig_ino;			/* as the daemon says, where i_ino is too short for it */
	umode_t orig_mode;		/* as the daemon says, where the kernel does not go by all of it */
	struct fblk_forget *forget;	/* made with the inode, so that evicting cannot fail */
	spinlock_t lock;		/* what follows */
	u64 nlookup;			/* lookups that the daemon counts */
	u64 valid_until;		/* of the attributes, jiffies64 */
	u32 stale;			/* STATX_* that are not valid in spite of it */
	u64 attr_version;		/* of the last change */
	u8 blkbits;			/* log2 of the I/O size that the daemon prefers */
	struct list_head writers;	/* fblk_file.writer */
	unsigned int writing;		/* WRITEs of copies under way: writeback.c */
	bool size_unstable;		/* a truncate or write is changing i_size */
	unsigned long flags;		/* FBLK_I_* */
	struct mutex writeback_lock;	/* one writeback of copies at a time */
	u64 dir_version;		/* of the names in it; never 0 */
	struct fblk_dircache *dircache;	/* NULL until it is listed by one who may cache */
	struct mutex dir_lock;		/* lookups and reads of a directory, for daemons that want one at a time */
};

enum {
	FBLK_I_BAD,			/* the daemon reused its node id, or changed its type */
	FBLK_I_WANTS_PLUS,		/* of a directory: what READDIRPLUS brought was used, so use it again */
	FBLK_I_FROM_PLUS,		/* READDIRPLUS brought it, and nobody has looked it up yet */
};

static inline struct fblk_inode *fblk_i(const struct inode *inode)
{
	return container_of(inode, struct fblk_inode, inode);
}

static inline struct fblk_conn *fblk_conn_of_sb(const struct super_block *sb)
{
	return sb->s_fs_info;
}

static inline struct fblk_conn *fblk_conn_of(const struct inode *inode)
{
	return fblk_conn_of_sb(inode->i_sb);
}

static inline u64 fblk_nodeid(const struct inode *inode)
{
	return fblk_i(inode)->nodeid;
}

static inline bool fblk_is_bad(const struct inode *inode)
{
	return unlikely(test_bit(FBLK_I_BAD, &fblk_i(inode)->flags));
}

/* inode.c */
int fblk_inode_init(void);
void fblk_inode_fini(void);
extern const struct super_operations fblk_super_operations;
struct inode *fblk_alloc_inode(struct super_block *sb);
void fblk_free_inode(struct inode *inode);
void fblk_evict_inode(struct inode *inode);
/* Can this be the attributes of any inode? */
bool fblk_attr_is_valid(const struct fuse_attr *attr);
bool fblk_type_is_valid(umode_t mode);
/*
 * The inode of a node that the daemon just counted a lookup of; attributes as
 * of @version.  Returns NULL without memory (the lookup is then not counted:
 * the caller sends a FORGET).
 */
struct inode *fblk_iget(struct super_block *sb, u64 nodeid, u64 generation, const struct fuse_attr *attr,
			u64 valid_until, u64 version);
/* The inode with this node id if it is in memory, else NULL. */
struct inode *fblk_ilookup(struct super_block *sb, u64 nodeid);
/* Nobody may use it any more. */
void fblk_make_bad(struct inode *inode);
/* The attributes as of @version; older than the last change they say nothing of size and times. */
void fblk_set_attr(struct inode *inode, const struct fuse_attr *attr, u64 valid_until, u64 version);
struct fblk_forget *fblk_forget_new(void);
/* Give back one lookup that no inode holds; @f is the queue's from now on. */
void fblk_forget(struct fblk_conn *conn, struct fblk_forget *f, u64 nodeid);

/* attr.c */
u64 fblk_attr_version(struct fblk_conn *conn);
/* A timeout as the wire has it, from now: jiffies64. */
u64 fblk_valid_until(u64 seconds, u32 nanoseconds);
/* The attributes @mask (STATX_*) are to be asked for before they are used again. */
void fblk_stale(struct inode *inode, u32 mask);
/* The daemon may have changed the time of the last access. */
void fblk_read_done(struct inode *inode);
/* What adding or removing a name does to the directory. */
void fblk_dir_changed(struct inode *dir);
/* i_size was changed by us to at least @end. */
void fblk_grow(struct inode *inode, loff_t end);
/* A READ that began at @version found the end at @end. */
void fblk_found_end(struct inode *inode, loff_t end, u64 version);
/* Ask for the attributes unless those in @mask are valid. */
int fblk_refresh(struct inode *inode, struct file *file, u32 mask);
int fblk_getattr(struct fblk_idmap *idmap, const struct path *path, struct kstat *stat, u32 mask, unsigned int flags);
int fblk_setattr(struct fblk_idmap *idmap, struct dentry *dentry, struct iattr *attr);
int fblk_permission(struct fblk_idmap *idmap, struct inode *inode, int mask);
/* May this process be seen by the daemon at all?  0 or -EACCES. */
int fblk_may_enter(struct fblk_conn *conn);
/* After truncating on behalf of ATOMIC_O_TRUNC. */
void fblk_truncated(struct inode *inode);

/* dentry.c */
extern const struct dentry_operations fblk_dentry_operations;
void fblk_entry_valid_until(struct dentry *dentry, u64 until);
void fblk_entry_stale(struct dentry *dentry);

/* namei.c */
extern const struct inode_operations fblk_dir_inode_operations, fblk_symlink_inode_operations;
/*
 * LOOKUP.  Returns 0 with *@inode, NULL with a negative entry (*@out says for
 * how long); -ENOENT without one.
 */
int fblk_lookup_name(struct super_block *sb, u64 dir, const struct qstr *name, struct fuse_entry_out *out,
		     struct inode **inode);
/* Is this a reply that makes an entry? */
bool fblk_entry_is_valid(const struct fuse_entry_out *entry);
extern const struct address_space_operations fblk_symlink_aops;

/* readdir.c */
extern const struct file_operations fblk_dir_operations;

/* dircache.c */
struct fblk_dircache;
void fblk_dircache_free(struct fblk_inode *fi);
/* What is kept of the directory does not hold any more. */
void fblk_dircache_drop(struct inode *dir);
/* List from what is kept: 1, 0 if the daemon is to be asked from ctx->pos on, or an error. */
int fblk_dircache_emit(struct file *file, struct dir_context *ctx);
/* The daemon gave @d at @pos; it said that there is nothing at @pos. */
void fblk_dircache_add(struct file *file, loff_t pos, const struct fblk_dirent *d);
void fblk_dircache_end(struct file *file, loff_t pos);

/* file.c */
struct fblk_file {
	refcount_t refs;		/* the struct file, calls under way on its behalf */
	struct fblk_conn *conn;
	struct inode *inode;		/* with a reference, once open */
	u64 fh;
	u32 open_flags;			/* FOPEN_* */
	bool is_dir;
	bool unasked;			/* the daemon does not want to hear of open and close */
	struct list_head writer;	/* fblk_inode.writers, or empty */
	struct mutex readdir_lock;	/* what follows, and the reading itself */
	unsigned int reply_size;	/* bytes to ask the daemon for next */
	loff_t cache_pos, cache_off;	/* the directory's offset after what dircache.c gave last, and where the next record is */
	u64 cache_list;			/* in which of its lists */
	struct fblk_req release;	/* made at open, so that close cannot fail */
	struct fuse_release_in release_in;
};
extern const struct file_operations fblk_file_operations;
extern const struct inode_operations fblk_file_inode_operations, fblk_special_inode_operations;
struct fblk_file *fblk_file_new(struct fblk_conn *conn, bool is_dir);
/* Not open yet: no RELEASE. */
void fblk_file_discard(struct fblk_file *ff);
/* @file is open as the reply says; the reference is the file's from now on. */
void fblk_file_attach(struct file *file, struct inode *inode, struct fblk_file *ff, const struct fuse_open_out *out);
struct fblk_file *fblk_file_get(struct fblk_file *ff);
/* The last one sends the RELEASE and does not wait for it: the caller may be the daemon. */
void fblk_file_put(struct fblk_file *ff);
/* Open at the daemon, but not to be used: close it.  @inode: NULL if there is none, only @nodeid. */
void fblk_file_close(struct fblk_file *ff, struct inode *inode, u64 nodeid, unsigned int flags);
int fblk_dir_open(struct inode *inode, struct file *file);
int fblk_dir_release(struct inode *inode, struct file *file);
int fblk_dir_fsync(struct file *file, loff_t start, loff_t end, int datasync);
/* One who may write the inode, with a reference, or NULL. */
struct fblk_file *fblk_writer_get(struct inode *inode);
static inline struct fblk_file *fblk_f(const struct file *file)
{
	return file->private_data;
}

/* read.c, write.c, writeback.c, direct.c */
extern const struct address_space_operations fblk_file_aops;
int fblk_read_folio(struct file *file, struct folio *folio);
void fblk_readahead(struct readahead_control *rac);
int fblk_writepages(struct address_space *mapping, struct writeback_control *wbc);
/* What is dirty from @start to @end is with the daemon. */
int fblk_write_back(struct inode *inode, loff_t start, loff_t end);
/* Likewise, and the file learns once of an error. */
int fblk_write_back_file(struct file *file, loff_t start, loff_t end);
/*
 * Around a WRITE of pages: none that is older is on its way, and none can start.
 * Faults are not allowed in between (munmap takes this under mmap_lock).
 */
void fblk_hold_writeback(struct inode *inode);
void fblk_release_writeback(struct inode *inode);
ssize_t fblk_cached_write(struct kiocb *iocb, struct iov_iter *from);
vm_fault_t fblk_page_mkwrite(struct vm_fault *vmf);
ssize_t fblk_direct_io(struct kiocb *iocb, struct iov_iter *iter, bool write);
/* Bytes that one READ or WRITE may carry. */
size_t fblk_io_max(const struct fblk_conn *conn, bool write);
/* What a daemon says that it took of @asked bytes: their number, or -EIO if there were not so many. */
static inline ssize_t fblk_taken(u32 size, size_t asked)
{
	if (size > asked)
		return -EIO;
	return size;
}
/* Fill the heads of READ and WRITE. */
void fblk_fill_read(struct fuse_read_in *in, const struct fblk_file *ff, loff_t pos, u32 size, unsigned int f_flags);
void fblk_fill_write(struct fuse_write_in *in, const struct fblk_file *ff, loff_t pos, u32 size, unsigned int f_flags);

/* range.c */
long fblk_fallocate(struct file *file, int mode, loff_t offset, loff_t length);
loff_t fblk_llseek(struct file *file, loff_t offset, int whence);
ssize_t fblk_copy_file_range(struct file *in, loff_t pos_in, struct file *out, loff_t pos_out, size_t len, unsigned int flags);
sector_t fblk_bmap(struct address_space *mapping, sector_t block);

/* xattr.c, ioctl.c */
extern const struct xattr_handler *fblk_xattr_handlers[];
ssize_t fblk_listxattr(struct dentry *dentry, char *list, size_t size);
long fblk_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
long fblk_compat_ioctl(struct file *file, unsigned int cmd, unsigned long arg);
struct fileattr;
int fblk_fileattr_get(struct dentry *dentry, struct fileattr *fa);
int fblk_fileattr_set(struct fblk_idmap *idmap, struct dentry *dentry, struct fileattr *fa);

#endif
