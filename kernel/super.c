// SPDX-License-Identifier: GPL-2.0-only
/*
 * super.c: the filesystem types fuse and fuseblk: mount, statfs, sync and
 * unmount.  A fuseblk superblock owns its block device; DESTROY is the last
 * thing that its daemon hears, before the device is let go.
 */
#include <linux/backing-dev.h>
#include <linux/blkdev.h>
#include <linux/file.h>
#include <linux/magic.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/statfs.h>
#include "fblk.h"

#define BLKSIZE_DEFAULT 512

/* ---- in use --------------------------------------------------------------------------- */

static void fill_statfs(struct kstatfs *st, const struct fuse_kstatfs *in)
{
	st->f_type = FUSE_SUPER_MAGIC;
	st->f_bsize = in->bsize;
	st->f_frsize = in->frsize;
	st->f_blocks = in->blocks;
	st->f_bfree = in->bfree;
	st->f_bavail = in->bavail;
	st->f_files = in->files;
	st->f_ffree = in->ffree;
	st->f_namelen = in->namelen;
}

static int fblk_statfs(struct dentry *dentry, struct kstatfs *st)
{
	struct fblk_conn *conn = fblk_conn_of_sb(dentry->d_sb);
	struct fblk_args args = FBLK_ARGS(FUSE_STATFS, fblk_nodeid(d_inode(dentry)));
	struct fuse_statfs_out out = {};
	ssize_t err;

	if (fblk_may_enter(conn)) {
		st->f_type = FUSE_SUPER_MAGIC;
		return 0;
	}
	fblk_out(&args, &out, sizeof(out));
	err = fblk_call(conn, &args);
	if (!err)
		fill_statfs(st, &out.st);
	return err;
}

/* VFS has written the data; the daemon is to make it stable.  Not for type fuse: sync(2) must not wait for just any user's process. */
static int fblk_sync_fs(struct super_block *sb, int wait)
{
	struct fblk_conn *conn = fblk_conn_of_sb(sb);
	struct fblk_args args = FBLK_ARGS(FUSE_SYNCFS, FUSE_ROOT_ID);
	struct fuse_syncfs_in in = {};
	ssize_t err;

	if (!wait || !conn->is_blkdev || !smp_load_acquire(&conn->ready) || conn->proto.minor < 34)
		return 0;
	fblk_in(&args, &in, sizeof(in));
	err = fblk_call_optional(conn, &args);
	return err == -ENOSYS ? 0 : err;
}

static void fblk_umount_begin(struct super_block *sb)
{
	fblk_conn_abort(fblk_conn_of_sb(sb));
}

/* INIT has been answered: there is a daemon to speak to. */
static bool has_begun(const struct fblk_conn *conn)
{
	return smp_load_acquire(&conn->ready) && !conn->failed;
}

/* Every inode is gone, and with it every call: take leave. */
static void fblk_put_super(struct super_block *sb)
{
	struct fblk_conn *conn = fblk_conn_of_sb(sb);
	struct fblk_args args = FBLK_ARGS(FUSE_DESTROY, 0);

	if (!conn->is_blkdev || !has_begun(conn))
		return;
	args.forced = true;
	args.no_caller = true;
	fblk_call(conn, &args);
}

const struct super_operations fblk_super_operations = {
	.alloc_inode = fblk_alloc_inode,
	.free_inode = fblk_free_inode,
	.evict_inode = fblk_evict_inode,
	.drop_inode = generic_delete_inode,
	.put_super = fblk_put_super,
	.sync_fs = fblk_sync_fs,
	.statfs = fblk_statfs,
	.umount_begin = fblk_umount_begin,
	.show_options = fblk_show_options,
};

/* ---- mount ------------------------------------------------------------------------------ */

static int setup_bdi(struct super_block *sb, const struct fblk_mount_options *o)
{
	int err;

	if (sb->s_bdev) {
		/* its own, so that its read-ahead is not that of the device */
		bdi_put(sb->s_bdi);
		sb->s_bdi = &noop_backing_dev_info;
	}
	err = super_setup_bdi_name(sb, "%u:%u%s", MAJOR(sb->s_dev), MINOR(sb->s_dev), o->is_blkdev ? "-fuseblk" : "");
	if (err || o->is_blkdev)
		return err;
	/* anybody's daemon may be slow: it gets no more than a hundredth of the dirty memory */
	sb->s_bdi->capabilities |= BDI_CAP_STRICTLIMIT;
	return bdi_set_max_ratio(sb->s_bdi, 1);
}

static int make_root(struct super_block *sb, unsigned int mode)
{
	struct fuse_attr attr = { .ino = FUSE_ROOT_ID, .mode = mode, .nlink = 1 };
	struct inode *root = fblk_iget(sb, FUSE_ROOT_ID, 0, &attr, 0, 0);

	if (!root)
		return -ENOMEM;
	sb->s_root = d_make_root(root);
	return sb->s_root ? 0 : -ENOMEM;
}

static void init_super(struct super_block *sb)
{
	sb->s_magic = FUSE_SUPER_MAGIC;
	sb->s_op = &fblk_super_operations;
	sb->s_d_op = &fblk_dentry_operations;
	sb->s_xattr = fblk_xattr_handlers;
	sb->s_maxbytes = MAX_LFS_FILESIZE;
	sb->s_time_gran = 1;
	sb->s_iflags |= SB_I_IMA_UNVERIFIABLE_SIGNATURE;
	if (sb->s_user_ns != &init_user_ns)
		sb->s_iflags |= SB_I_UNTRUSTED_MOUNTER;
	sb->s_flags &= ~SB_NOSEC;
	sb->s_flags |= SB_POSIXACL;	/* VFS leaves the umask to us */
}

static struct fblk_conn *new_conn(struct super_block *sb, const struct fblk_mount_options *o)
{
	struct fblk_conn *conn = fblk_conn_new(sb->s_user_ns);

	if (!conn)
		return NULL;
	conn->is_blkdev = o->is_blkdev;
	conn->default_permissions = o->default_permissions;
	conn->allow_other = o->allow_other;
	conn->user_id = o->user_id;
	conn->group_id = o->group_id;
	conn->max_read = max_t(unsigned int, o->max_read, PAGE_SIZE);
	conn->dev = sb->s_dev;
	conn->sb = sb;
	return conn;
}

/* Join the daemon's /dev/fuse to the mount. */
static int join(struct fblk_conn *conn, struct file *dev)
{
	int err;

	mutex_lock(&fblk_mutex);
	err = dev->private_data ? -EINVAL : fblk_ctl_add(conn);
	if (!err) {
		err = fblk_channel_open(dev, conn);
		if (err)
			fblk_ctl_remove(conn);
	}
	if (!err)
		list_add_tail(&conn->mounted, &fblk_mounted);
	mutex_unlock(&fblk_mutex);
	return err;
}

static int fill_super(struct super_block *sb, struct fs_context *fc)
{
	struct fblk_mount_options *o = fc->fs_private;
	struct fblk_conn *conn;
	int err;

	o->filled = true;
	sb->s_subtype = o->subtype;
	o->subtype = NULL;
	if (sb->s_flags & SB_MANDLOCK)
		return -EINVAL;
	init_super(sb);
	if (o->is_blkdev && !sb_set_blocksize(sb, o->blksize))
		return invalfc(fc, "blksize=%u does not suit the device", o->blksize);
	if (!o->is_blkdev) {
		sb->s_blocksize = PAGE_SIZE;
		sb->s_blocksize_bits = PAGE_SHIFT;
	}
	/* who opened /dev/fuse must have meant this namespace */
	if (!fblk_is_dev(o->dev) || o->dev->f_cred->user_ns != sb->s_user_ns)
		return invalfc(fc, "fd=%u is not /dev/fuse opened in this namespace", o->fd);
	err = setup_bdi(sb, o);
	if (err)
		return err;
	conn = new_conn(sb, o);
	if (!conn)
		return -ENOMEM;
	sb->s_fs_info = conn;
	err = make_root(sb, o->rootmode);
	if (!err)
		err = join(conn, o->dev);
	return err ? err : fblk_conn_start(conn);
}

static int is_of_conn(struct super_block *sb, struct fs_context *fc)
{
	return sb->s_fs_info == fc->sget_key;
}

static int set_none(struct super_block *sb, struct fs_context *fc)
{
	return -ENOTCONN;
}

/* Another mount of the superblock that this /dev/fuse serves. */
static int get_tree_again(struct fs_context *fc, struct fblk_conn *conn)
{
	struct super_block *sb;

	fc->sget_key = conn;
	sb = sget_fc(fc, is_of_conn, set_none);
	fc->sget_key = NULL;
	if (IS_ERR(sb))
		return PTR_ERR(sb);
	fc->root = dget(sb->s_root);
	return 0;
}

static int get_tree_fuse(struct fs_context *fc, struct file *dev)
{
	struct fblk_channel *ch = fblk_is_dev(dev) ? fblk_dev_channel(dev) : NULL;

	return ch ? get_tree_again(fc, ch->conn) : get_tree_nodev(fc, fill_super);
}

/* An existing superblock was found: its daemon is another. */
static int refuse_second(struct fs_context *fc)
{
	struct super_block *sb = fc->root->d_sb;

	dput(fc->root);
	fc->root = NULL;
	deactivate_locked_super(sb);
	return -EBUSY;
}

static int get_tree(struct fs_context *fc)
{
	struct fblk_mount_options *o = fc->fs_private;
	int err;

	if (!o->has_fd || !o->has_rootmode || !o->has_user_id || !o->has_group_id)
		return invalfc(fc, "fd, rootmode, user_id and group_id are required");
	o->dev = fget(o->fd);
	if (!o->dev)
		return invalfc(fc, "fd=%u is not open", o->fd);
	err = o->is_blkdev ? get_tree_bdev(fc, fill_super) : get_tree_fuse(fc, o->dev);
	if (!err && o->is_blkdev && !o->filled)
		err = refuse_second(fc);
	fput(o->dev);
	o->dev = NULL;
	return err;
}

static int reconfigure(struct fs_context *fc)
{
	sync_filesystem(fc->root->d_sb);
	return fc->sb_flags & SB_MANDLOCK ? -EINVAL : 0;
}

static void free_context(struct fs_context *fc)
{
	struct fblk_mount_options *o = fc->fs_private;

	if (o)
		kfree(o->subtype);
	kfree(o);
}

static const struct fs_context_operations context_operations = {
	.free = free_context,
	.parse_param = fblk_parse_option,
	.get_tree = get_tree,
	.reconfigure = reconfigure,
};

static int init_context(struct fs_context *fc, bool is_blkdev)
{
	struct fblk_mount_options *o = kzalloc(sizeof(*o), GFP_KERNEL);

	if (!o)
		return -ENOMEM;
	o->is_blkdev = is_blkdev;
	o->max_read = ~0U;
	o->blksize = BLKSIZE_DEFAULT;
	fc->fs_private = o;
	fc->ops = &context_operations;
	return 0;
}

static int fuse_init_context(struct fs_context *fc)
{
	return init_context(fc, false);
}

static int fuseblk_init_context(struct fs_context *fc)
{
	return init_context(fc, true);
}

/* ---- unmount ------------------------------------------------------------------------------- */

static void close_to_notifications(struct fblk_conn *conn)
{
	down_write(&conn->sb_lock);
	conn->sb = NULL;
	up_write(&conn->sb_lock);
}

static void end_conn(struct fblk_conn *conn)
{
	fblk_conn_abort(conn);
	fblk_conn_wait_idle(conn);
	mutex_lock(&fblk_mutex);
	list_del_init(&conn->mounted);
	fblk_ctl_remove(conn);
	mutex_unlock(&fblk_mutex);
	fblk_conn_put(conn);
}

static void kill_with(struct super_block *sb, void (*kill)(struct super_block *sb))
{
	struct fblk_conn *conn = fblk_conn_of_sb(sb);

	if (conn) {
		close_to_notifications(conn);
		/* no RELEASE may hold an inode any more */
		if (!conn->is_blkdev || !has_begun(conn))
			fblk_conn_abort(conn);
		fblk_conn_wait_idle(conn);
	}
	kill(sb);
	if (conn)
		end_conn(conn);
}

static void fuse_kill_sb(struct super_block *sb)
{
	kill_with(sb, kill_anon_super);
}

static void fuseblk_kill_sb(struct super_block *sb)
{
	kill_with(sb, kill_block_super);
}

static struct file_system_type fuse_type = {
	.owner = THIS_MODULE,
	.name = "fuse",
	.fs_flags = FS_HAS_SUBTYPE | FS_USERNS_MOUNT,
	.init_fs_context = fuse_init_context,
	.parameters = fblk_parameters,
	.kill_sb = fuse_kill_sb,
};
MODULE_ALIAS_FS("fuse");

static struct file_system_type fuseblk_type = {
	.owner = THIS_MODULE,
	.name = "fuseblk",
	.fs_flags = FS_REQUIRES_DEV | FS_HAS_SUBTYPE,
	.init_fs_context = fuseblk_init_context,
	.parameters = fblk_parameters,
	.kill_sb = fuseblk_kill_sb,
};
MODULE_ALIAS_FS("fuseblk");

int fblk_super_init(void)
{
	int err = register_filesystem(&fuse_type);

	if (err)
		return err;
	err = register_filesystem(&fuseblk_type);
	if (err)
		unregister_filesystem(&fuse_type);
	return err;
}

void fblk_super_fini(void)
{
	unregister_filesystem(&fuseblk_type);
	unregister_filesystem(&fuse_type);
}
