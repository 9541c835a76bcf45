/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * op.h: the request handlers, one per opcode, and what they share.  A handler
 * reads req->in, fills req->out and returns 0 or a negative errno; it may be
 * run again after -ENOSPC or -FUSEBLK_EAGAIN_COMMIT, so it leaves nothing
 * half done when it returns these.
 */
#ifndef FB_OP_H
#define FB_OP_H

#include "node_table.h"
#include "request.h"
#include "session.h"
#include "volume.h"

/* op_init.c */
int fb_op_init(struct fb_request *req);
/* op_namei.c */
int fb_op_lookup(struct fb_request *req);
int fb_op_mknod(struct fb_request *req);
int fb_op_mkdir(struct fb_request *req);
int fb_op_symlink(struct fb_request *req);
int fb_op_create(struct fb_request *req);
int fb_op_tmpfile(struct fb_request *req);
int fb_op_readlink(struct fb_request *req);
/* op_rename.c */
int fb_op_unlink(struct fb_request *req);
int fb_op_rmdir(struct fb_request *req);
int fb_op_rename(struct fb_request *req);
int fb_op_link(struct fb_request *req);
/* op_dir.c */
int fb_op_opendir(struct fb_request *req);
int fb_op_readdir(struct fb_request *req);
int fb_op_readdirplus(struct fb_request *req);
int fb_op_releasedir(struct fb_request *req);
/* op_attr.c */
int fb_op_getattr(struct fb_request *req);
int fb_op_statx(struct fb_request *req);
int fb_op_setattr(struct fb_request *req);
/* op_file.c */
int fb_op_open(struct fb_request *req);
int fb_op_read(struct fb_request *req);
int fb_op_write(struct fb_request *req);
int fb_op_release(struct fb_request *req);
int fb_op_lseek(struct fb_request *req);
int fb_op_fallocate(struct fb_request *req);
int fb_op_copy_file_range(struct fb_request *req);
int fb_op_bmap(struct fb_request *req);
/* The handle in the reply to an open with @flags (O_*) of the file of @attr; the last step before the reply. */
void fb_open_reply(struct fb_request *req, const struct fuseblk_attr *attr, uint32_t flags);
/* op_xattr.c */
int fb_op_getxattr(struct fb_request *req);
int fb_op_listxattr(struct fb_request *req);
int fb_op_setxattr(struct fb_request *req);
int fb_op_removexattr(struct fb_request *req);
/* op_ioctl.c */
int fb_op_ioctl(struct fb_request *req);
/* op_misc.c */
int fb_op_statfs(struct fb_request *req);
int fb_op_fsync(struct fb_request *req);
int fb_op_syncfs(struct fb_request *req);
int fb_op_forget(struct fb_request *req);
int fb_op_batch_forget(struct fb_request *req);
int fb_op_interrupt(struct fb_request *req);
int fb_op_destroy(struct fb_request *req);

/* ---- op.c ----------------------------------------------------------- */

/* The node of req->nodeid (or of @nodeid), which the kernel must have looked up; of type @type unless 0. Put it back. */
int fb_req_node(struct fb_request *req, uint32_t type, struct fuseblk_node **out);
int fb_req_node_of(struct fb_request *req, uint64_t nodeid, uint32_t type,
		   struct fuseblk_node **out);
/*
 * Count one lookup of @ino for this request; taken back if the request fails
 * or its reply does not arrive.
 */
int fb_req_lookup(struct fb_request *req, uint64_t ino);
/* Take back the last @count of them. */
void fb_req_unlook(struct fb_request *req, unsigned count);
/* Fill req->out.attr for a reply with an entry; @ino's lookup is counted already. */
int fb_req_entry(struct fb_request *req, uint64_t ino);
void fb_req_caller(const struct fb_request *req, struct fuseblk_caller *who);
/* For a write from the page cache, which carries no caller: it acts for the file's owner. Takes the node's lock shared. */
int fb_req_owner(struct fuseblk_node *node, struct fuseblk_caller *who);
/* A name that may be given to something: -ENAMETOOLONG, -EINVAL for "." and "..". */
int fb_req_new_name(const struct fb_request *req, const struct fb_name *name);
/* After a change of the namespace on a mount with sync or dirsync: commit. @err: the result so far, returned if it is one. */
int fb_req_dirsync(struct fb_request *req, int err);
/* The access time of the request's inode is due, after the reply: atime.c. */
void fb_atime_due(struct fb_request *req, const struct fuseblk_node *node, bool is_dir);
void fb_atime_update(struct fuseblk_volume *vol, uint64_t ino);
/* The clock file times are taken from. */
struct timespec fb_time_now(const struct fuseblk_volume *vol);

/*
 * Inside a change, with @node locked exclusively: clear set-id bits of a
 * regular file as writing and truncating by a caller of group @gid do; with
 * ctime.
 */
int fb_kill_priv_locked(struct fuseblk_node *node, uint32_t gid);
/*
 * Set-id bits may go in this request though its reply does not tell: call
 * watch before, and settle after with what watch returned; then the kernel
 * forgets the mode it has cached.  Before the reply, with no lock held.
 */
uint32_t fb_mode_watch(struct fuseblk_node *node);
void fb_mode_settle(struct fb_request *req, struct fuseblk_node *node, uint32_t before);
/* As a write by this caller would: clear set-id bits, unless it is root (stands for CAP_FSETID). Takes lock and change. */
int fb_kill_priv(struct fb_request *req, struct fuseblk_node *node);
/* O_TRUNC: size 0, times now, set-id bits gone if @kill. Takes lock and change itself. */
int fb_truncate_open(struct fb_request *req, struct fuseblk_node *node, bool kill);

/* ---- names.c -------------------------------------------------------- */

/* One or two directories and what two names in them lead to, all locked exclusively. */
struct fb_names {
	struct fuseblk_node *nodes[4];	/* dir, newdir, node, target; the last two referenced here, target may be NULL */
	bool respelled[2];		/* name, newname: is stored in another spelling */
};
enum { FB_DIR, FB_NEWDIR, FB_NODE, FB_TARGET };
/*
 * Find and lock.  @dir and @newdir (may be the same, or NULL with @newname
 * NULL) are the caller's references.  -ENOENT: @name leads nowhere.
 */
int fb_names_lock(struct fb_names *names, struct fuseblk_node *dir, const struct fb_name *name,
		  struct fuseblk_node *newdir, const struct fb_name *newname);
void fb_names_unlock(struct fb_names *names);

/* ---- permit.c: what the VFS checks of inode flags and cannot check for FUSE ---- */

int fb_permit_create(struct fuseblk_node *dir);
int fb_permit_delete(struct fuseblk_node *dir, struct fuseblk_node *node);
int fb_permit_link(struct fuseblk_node *node);
int fb_permit_write(const struct fuseblk_attr *attr);
int fb_permit_xattr(struct fuseblk_node *node);
int fb_permit_setattr(const struct fuseblk_attr *attr, uint32_t valid);
int fb_permit_open(const struct fuseblk_attr *attr, uint32_t flags);
int fb_permit_fallocate(const struct fuseblk_attr *attr, uint32_t mode);

#endif
