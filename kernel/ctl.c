// SPDX-License-Identifier: GPL-2.0-only
/*
 * ctl.c: the control filesystem fusectl: a directory for each connection, named
 * by its device number, with files only for the mount's owner.  One superblock
 * at most; it and the files' connections are under fblk_mutex.
 */
#include <linux/fs_context.h>
#include <linux/magic.h>
#include <linux/mm.h>
#include <linux/module.h>
#include "fblk.h"

#define FUSE_CTL_MAGIC 0x65735543

static struct super_block *ctl_sb;
unsigned int fblk_max_user_bgreq, fblk_max_user_congthresh;
module_param_named(max_user_bgreq, fblk_max_user_bgreq, uint, 0644);
MODULE_PARM_DESC(max_user_bgreq, "most background requests of an ordinary user's mount");
module_param_named(max_user_congthresh, fblk_max_user_congthresh, uint, 0644);
MODULE_PARM_DESC(max_user_congthresh, "highest congestion threshold of an ordinary user's mount");

/* ---- the files --------------------------------------------------------------------------- */

/* The connection of an open file, with a reference, or NULL once it is unmounted. */
static struct fblk_conn *conn_of_file(struct file *file)
{
	struct fblk_conn *conn;

	mutex_lock(&fblk_mutex);
	conn = file_inode(file)->i_private;
	if (conn)
		fblk_conn_get(conn);
	mutex_unlock(&fblk_mutex);
	return conn;
}

static ssize_t put_number(struct file *file, char __user *buf, size_t len, loff_t *pos,
			  unsigned int (*number)(struct fblk_conn *conn))
{
	struct fblk_conn *conn = conn_of_file(file);
	char text[16];
	int size;

	if (!conn)
		return 0;
	size = scnprintf(text, sizeof(text), "%u\n", number(conn));
	fblk_conn_put(conn);
	return simple_read_from_buffer(buf, len, pos, text, size);
}

static unsigned int waiting_of(struct fblk_conn *conn)
{
	return atomic_read(&conn->waiting);
}

static unsigned int max_background_of(struct fblk_conn *conn)
{
	return conn->queue.max_background;
}

static unsigned int congestion_of(struct fblk_conn *conn)
{
	return conn->queue.congestion_threshold;
}

static ssize_t waiting_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return put_number(file, buf, len, pos, waiting_of);
}

static ssize_t max_background_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return put_number(file, buf, len, pos, max_background_of);
}

static ssize_t congestion_read(struct file *file, char __user *buf, size_t len, loff_t *pos)
{
	return put_number(file, buf, len, pos, congestion_of);
}

static ssize_t abort_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct fblk_conn *conn = conn_of_file(file);

	if (conn) {
		conn->told_abort = true;
		fblk_conn_abort(conn);
		fblk_conn_put(conn);
	}
	return len;
}

/* A number of 16 bits; ordinary users only up to @most. */
static int get_limit(const char __user *buf, size_t len, loff_t *pos, unsigned int most, unsigned int *out)
{
	unsigned int value;
	int err;

	if (*pos)
		return -EINVAL;
	err = kstrtouint_from_user(buf, len, 0, &value);
	if (err)
		return err;
	if (value > U16_MAX || (!capable(CAP_SYS_ADMIN) && most && value > most))
		return -EINVAL;
	*out = value;
	return 0;
}

static ssize_t max_background_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct fblk_conn *conn;
	unsigned int value;
	int err = get_limit(buf, len, pos, fblk_max_user_bgreq, &value);

	if (err)
		return err;
	conn = conn_of_file(file);
	if (conn) {
		fblk_queue_set_max_background(&conn->queue, value);
		fblk_conn_put(conn);
	}
	return len;
}

static ssize_t congestion_write(struct file *file, const char __user *buf, size_t len, loff_t *pos)
{
	struct fblk_conn *conn;
	unsigned int value;
	int err = get_limit(buf, len, pos, fblk_max_user_congthresh, &value);

	if (err)
		return err;
	conn = conn_of_file(file);
	if (conn) {
		fblk_queue_set_congestion(&conn->queue, value);
		fblk_conn_put(conn);
	}
	return len;
}

static const struct file_operations waiting_operations = {
	.owner = THIS_MODULE, .open = nonseekable_open, .read = waiting_read, .llseek = no_llseek,
};
static const struct file_operations abort_operations = {
	.owner = THIS_MODULE, .open = nonseekable_open, .write = abort_write, .llseek = no_llseek,
};
static const struct file_operations max_background_operations = {
	.owner = THIS_MODULE, .open = nonseekable_open, .read = max_background_read, .write = max_background_write, .llseek = no_llseek,
};
static const struct file_operations congestion_operations = {
	.owner = THIS_MODULE, .open = nonseekable_open, .read = congestion_read, .write = congestion_write, .llseek = no_llseek,
};

static const struct {
	const char *name;
	umode_t mode;
	const struct file_operations *fops;
} files[FBLK_CTL_FILES] = {
	{ "waiting", S_IFREG | 0400, &waiting_operations },
	{ "abort", S_IFREG | 0200, &abort_operations },
	{ "max_background", S_IFREG | 0600, &max_background_operations },
	{ "congestion_threshold", S_IFREG | 0600, &congestion_operations },
};

/* ---- directories ------------------------------------------------------------------------------ */

static struct inode *new_inode_for(struct fblk_conn *conn, umode_t mode, const struct file_operations *fops)
{
	struct inode *inode = new_inode(ctl_sb);

	if (!inode)
		return NULL;
	inode->i_ino = get_next_ino();
	inode->i_mode = mode;
	inode->i_uid = conn->user_id;
	inode->i_gid = conn->group_id;
	inode->i_atime = inode->i_mtime = inode->i_ctime = current_time(inode);
	inode->i_private = conn;
	if (S_ISDIR(mode)) {
		inode->i_op = &simple_dir_inode_operations;
		inode->i_fop = &simple_dir_operations;
		set_nlink(inode, 2);
	} else {
		inode->i_fop = fops;
	}
	return inode;
}

static struct dentry *add_entry(struct dentry *parent, struct fblk_conn *conn, const char *name, umode_t mode,
				const struct file_operations *fops)
{
	struct dentry *dentry = d_alloc_name(parent, name);
	struct inode *inode;

	if (!dentry)
		return NULL;
	inode = new_inode_for(conn, mode, fops);
	if (!inode) {
		dput(dentry);
		return NULL;
	}
	d_add(dentry, inode);
	return dentry;
}

int fblk_ctl_add(struct fblk_conn *conn)
{
	struct dentry *root, *dir;
	char name[16];
	int i;

	lockdep_assert_held(&fblk_mutex);
	if (!ctl_sb)
		return 0;
	root = ctl_sb->s_root;
	snprintf(name, sizeof(name), "%u", conn->dev);
	dir = add_entry(root, conn, name, S_IFDIR | 0500, NULL);
	if (!dir)
		return -ENOMEM;
	inc_nlink(d_inode(root));
	conn->ctl[0] = dir;
	for (i = 0; i < FBLK_CTL_FILES; i++) {
		conn->ctl[1 + i] = add_entry(dir, conn, files[i].name, files[i].mode, files[i].fops);
		if (!conn->ctl[1 + i]) {
			fblk_ctl_remove(conn);
			return -ENOMEM;
		}
	}
	return 0;
}

void fblk_ctl_remove(struct fblk_conn *conn)
{
	int i;

	lockdep_assert_held(&fblk_mutex);
	if (!conn->ctl[0])
		return;
	for (i = FBLK_CTL_FILES; i >= 0; i--) {
		struct dentry *dentry = conn->ctl[i];

		conn->ctl[i] = NULL;
		if (!dentry)
			continue;
		d_inode(dentry)->i_private = NULL;
		if (!i) {
			d_invalidate(dentry);
			drop_nlink(d_inode(ctl_sb->s_root));
		}
		dput(dentry);
	}
}

static int ctl_fill_super(struct super_block *sb, struct fs_context *fc)
{
	static const struct tree_descr none[] = { { "" } };
	struct fblk_conn *conn;
	int err = simple_fill_super(sb, FUSE_CTL_MAGIC, none);

	if (err)
		return err;
	mutex_lock(&fblk_mutex);
	ctl_sb = sb;
	list_for_each_entry(conn, &fblk_mounted, mounted) {
		err = fblk_ctl_add(conn);
		if (err)
			break;
	}
	if (err)
		ctl_sb = NULL;
	mutex_unlock(&fblk_mutex);
	return err;
}

static int ctl_get_tree(struct fs_context *fc)
{
	return get_tree_single(fc, ctl_fill_super);
}

static const struct fs_context_operations ctl_context_operations = {
	.get_tree = ctl_get_tree,
};

static int ctl_init_context(struct fs_context *fc)
{
	fc->ops = &ctl_context_operations;
	return 0;
}

static void ctl_kill_sb(struct super_block *sb)
{
	struct fblk_conn *conn;

	mutex_lock(&fblk_mutex);
	ctl_sb = NULL;
	list_for_each_entry(conn, &fblk_mounted, mounted)
		memset(conn->ctl, 0, sizeof(conn->ctl));
	mutex_unlock(&fblk_mutex);
	kill_litter_super(sb);
}

static struct file_system_type ctl_type = {
	.owner = THIS_MODULE,
	.name = "fusectl",
	.init_fs_context = ctl_init_context,
	.kill_sb = ctl_kill_sb,
};
MODULE_ALIAS_FS("fusectl");

/* As many as fit into 1/8192 of the memory, a request and its pages' array being taken for 400 bytes. */
static unsigned int default_limit(void)
{
	return min_t(u64, ((u64)totalram_pages() << PAGE_SHIFT) / 8192 / 400, U16_MAX);
}

int fblk_ctl_init(void)
{
	if (!fblk_max_user_bgreq)
		fblk_max_user_bgreq = default_limit();
	if (!fblk_max_user_congthresh)
		fblk_max_user_congthresh = default_limit();
	return register_filesystem(&ctl_type);
}

void fblk_ctl_fini(void)
{
	unregister_filesystem(&ctl_type);
}
