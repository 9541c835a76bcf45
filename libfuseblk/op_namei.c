// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * op_namei.c: LOOKUP, READLINK, and everything that makes an inode: MKNOD,
 * MKDIR, SYMLINK, CREATE, TMPFILE.
 *
 * The lookup count of what a reply will name is raised while the directory is
 * still locked, so that the inode cannot be freed before the reply has been
 * filled in.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include "caller.h"
#include "op.h"
#include "proto.h"
#include "spelling.h"
#include "worker.h"

/*
 * The reply will name @ino by a name that a driver's operation has found or
 * made, with the result @err: may the kernel remember the name?
 */
static int name_result(struct fb_request *req, uint64_t ino, int err)
{
	bool respelled = err == FUSEBLK_RESPELLED;

	if (err < 0)
		return err;
	err = fb_req_lookup(req, ino);
	req->out.no_cache_entry = respelled;
	if (!err && !respelled && req->vol->info.case_insensitive)
		fb_node_set_exact(req->vol, ino);
	return err;
}

/* ---- LOOKUP --------------------------------------------------------- */

static int look_up(struct fb_request *req, struct fuseblk_node *dir, uint64_t *ino)
{
	const struct fb_name *name = &req->in.lookup.name;
	int err = fb_node_rdlock(dir);

	if (err)
		return err;
	req->out.spelling_epoch = fb_spelling_epoch(req->session);
	err = req->vol->ops->lookup(req->vol, dir, name->bytes, name->len, ino);
	err = name_result(req, *ino, err);
	fb_node_unlock(dir);
	return err;
}

/*
 * The kernel does nothing where both names of a rename lead to one inode, so
 * that a name's spelling could never be changed.  The new name's lookup by a
 * caller who is just renaming this very inode is therefore answered as if
 * there were none; RENAME then comes, and finds out.
 */
static bool is_respelling(struct fb_request *req, struct fuseblk_node *dir, uint64_t ino)
{
	char from[FB_WIRE_NAME_MAX];
	struct fuseblk_node *node;
	uint32_t type = S_IFDIR;
	uint64_t from_ino = 0;
	size_t len;
	int err;

	if (!fb_node_get(req->vol, ino, &node)) {
		fb_node_type(node, &type);
		fb_node_put(node);
	}
	fb_block_begin();
	len = fb_caller_renames(req->session->proc, req->pid, &req->in.lookup.name,
				type == S_IFDIR, from, sizeof(from));
	fb_block_end();
	if (!len || len > req->vol->info.name_max || fb_node_rdlock(dir))
		return false;
	err = req->vol->ops->lookup(req->vol, dir, from, len, &from_ino);
	fb_node_unlock(dir);
	return err >= 0 && from_ino == ino;
}

/* "." comes from NFS export, for inodes that the kernel may have forgotten. */
static int look_up_self(struct fb_request *req)
{
	uint64_t ino = fb_ino_of_nodeid(req->vol, req->nodeid);
	int err = req->vol->info.no_handles ? -ESTALE : fb_req_lookup(req, ino);

	if (!err)
		err = fb_req_entry(req, ino);
	if (!err && !req->out.attr.nlink)
		err = -ESTALE;
	return err;
}

int fb_op_lookup(struct fb_request *req)
{
	const struct fb_name *name = &req->in.lookup.name;
	struct fuseblk_node *dir;
	uint64_t ino = 0;
	int err;

	if (name->len == 1 && name->bytes[0] == '.')
		return look_up_self(req);
	if (name->len > req->vol->info.name_max)
		return -ENAMETOOLONG;
	err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	err = look_up(req, dir, &ino);
	if (!err && req->out.no_cache_entry && is_respelling(req, dir, ino)) {
		fb_req_unlook(req, 1);
		err = -ENOENT;
	}
	fb_node_put(dir);
	if (!err)
		fb_stale_found(req, ino);
	/* What is absent may come to be in any spelling: not remembered there. */
	if (err == -ENOENT && !req->vol->info.case_insensitive) {
		req->out.negative = true;
		return 0;
	}
	return err ? err : fb_req_entry(req, ino);
}

int fb_op_readlink(struct fb_request *req)
{
	struct fuseblk_node *node;
	int err = fb_req_node(req, S_IFLNK, &node);

	if (err)
		return err;
	err = fb_node_rdlock(node);
	if (!err) {
		err = req->vol->ops->readlink(req->vol, node, req->scratch, 4095);
		fb_node_unlock(node);
	}
	if (err >= 0) {
		req->out.bytes = req->scratch;
		req->out.bytes_len = (size_t)err;
		fb_atime_due(req, node, false);
		err = 0;
	}
	fb_node_put(node);
	return err;
}

/* ---- new inodes ----------------------------------------------------- */

/*
 * The umask, where the kernel left it to us: a directory's default ACL takes
 * its place, which only the driver knows.
 */
static void apply_umask(const struct fb_request *req, uint32_t umask, struct fuseblk_create *what)
{
	what->unmasked = what->mode & 0777;
	if ((req->session->proto.flags & FUSE_DONT_MASK) && !S_ISLNK(what->mode))
		what->mode &= ~(umask & 0777);
}

/* With @dir locked, inside a change. @name NULL: no name (O_TMPFILE). */
static int make_locked(struct fb_request *req, struct fuseblk_node *dir,
		       const struct fb_name *name, struct fuseblk_create *what, uint64_t *ino)
{
	struct fuseblk_volume *vol = req->vol;
	struct fuseblk_caller who;
	int err = fb_permit_create(dir);

	if (err)
		return err;
	fb_req_caller(req, &who);
	if (name)
		err = vol->ops->create(vol, dir, name->bytes, name->len, what, &who, ino);
	else
		err = vol->ops->tmpfile(vol, dir, what, &who, ino);
	if (err >= 0)
		fb_stale_reused(req->session, *ino);
	if (err >= 0 && !name)
		fb_node_set_unlinked(vol, *ino, true);
	return name_result(req, *ino, err);
}

static int make_in(struct fb_request *req, struct fuseblk_node *dir, const struct fb_name *name,
		   struct fuseblk_create *what, uint64_t *ino)
{
	int err = name ? fb_node_wrlock(dir) : fb_node_rdlock(dir);

	if (err)
		return err;
	err = fb_volume_change_begin(req->vol);
	if (!err) {
		err = make_locked(req, dir, name, what, ino);
		if (name)
			fuseblk_node_changed(dir);
		fb_volume_change_end(req->vol);
	}
	fb_node_unlock(dir);
	return err;
}

static int make(struct fb_request *req, const struct fb_name *name, uint32_t umask,
		struct fuseblk_create *what)
{
	struct fuseblk_node *dir;
	uint64_t ino = 0;
	int err = name ? fb_req_new_name(req, name) : 0;

	if (!err)
		err = fb_req_node(req, S_IFDIR, &dir);
	if (err)
		return err;
	apply_umask(req, umask, what);
	err = make_in(req, dir, name, what, &ino);
	fb_node_put(dir);
	if (!err)
		err = fb_req_entry(req, ino);
	return fb_req_dirsync(req, err);
}

int fb_op_mknod(struct fb_request *req)
{
	struct fuseblk_create what = { .mode = req->in.mknod.mode, .rdev = req->in.mknod.rdev };

	switch (what.mode & S_IFMT) {
	case 0:
		what.mode |= S_IFREG;
		break;
	case S_IFREG: case S_IFCHR: case S_IFBLK: case S_IFIFO: case S_IFSOCK:
		break;
	default:
		return -EINVAL;
	}
	return make(req, &req->in.mknod.name, req->in.mknod.umask, &what);
}

int fb_op_mkdir(struct fb_request *req)
{
	struct fuseblk_create what = { .mode = (req->in.mkdir.mode & 07777) | S_IFDIR };

	return make(req, &req->in.mkdir.name, req->in.mkdir.umask, &what);
}

int fb_op_symlink(struct fb_request *req)
{
	struct fuseblk_create what = {
		.mode = S_IFLNK | 0777,
		.target = req->in.symlink.target.bytes,
		.target_len = req->in.symlink.target.len,
	};

	return make(req, &req->in.symlink.name, 0, &what);
}

/*
 * The name exists after all: without O_EXCL that is an open.  (On a volume
 * where more than one spelling names a file the kernel may not know.)
 */
static int open_existing(struct fb_request *req)
{
	uint32_t flags = req->in.create.flags, open_flags = req->in.create.open_flags;
	const struct fb_name name = req->in.create.name;
	int err;

	req->in.lookup.name = name;
	err = fb_op_lookup(req);
	if (err || req->out.negative)
		return err ? err : -EEXIST;
	if (!S_ISREG(req->out.attr.mode))
		return -EEXIST;
	req->nodeid = fb_nodeid_of_ino(req->vol, req->out.attr.ino);
	req->in.open.flags = flags;
	req->in.open.open_flags = open_flags;
	err = fb_op_open(req);
	return err ? err : fb_req_entry(req, req->out.attr.ino);
}

int fb_op_create(struct fb_request *req)
{
	struct fuseblk_create what = { .mode = (req->in.create.mode & 07777) | S_IFREG };
	int err = make(req, &req->in.create.name, req->in.create.umask, &what);

	if (err == -EEXIST && !(req->in.create.flags & O_EXCL))
		return open_existing(req);
	if (!err)
		fb_open_reply(req, &req->out.attr, req->in.create.flags);
	return err;
}

int fb_op_tmpfile(struct fb_request *req)
{
	struct fuseblk_create what = { .mode = (req->in.tmpfile.mode & 07777) | S_IFREG };
	int err;

	if (!req->vol->ops->tmpfile)
		return -EOPNOTSUPP;
	err = make(req, NULL, req->in.tmpfile.umask, &what);
	if (!err)
		fb_open_reply(req, &req->out.attr, req->in.tmpfile.flags);
	return err;
}
