// SPDX-License-Identifier: GPL-2.0-only
/*
 * inode.c: inodes in memory, one for each node that the daemon has given a
 * lookup of.  What the daemon says of one is checked before it is believed: a
 * node that changes its type or is reused makes its inode bad.
 */
#include <linux/module.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include "fblk.h"

static struct kmem_cache *inode_cache;

/* ---- memory -------------------------------------------------------------------------- */

struct fblk_forget *fblk_forget_new(void)
{
	return kzalloc(sizeof(struct fblk_forget), GFP_KERNEL_ACCOUNT);
}

void fblk_forget_free(struct fblk_forget *f)
{
	kfree(f);
}

struct inode *fblk_alloc_inode(struct super_block *sb)
{
	struct fblk_inode *fi = alloc_inode_sb(sb, inode_cache, GFP_KERNEL);

	if (!fi)
		return NULL;
	fi->nodeid = 0;
	fi->orig_ino = 0;
	fi->nlookup = 0;
	fi->valid_until = 0;
	fi->stale = 0;
	fi->attr_version = 0;
	fi->blkbits = 0;
	fi->size_unstable = false;
	fi->writing = 0;
	fi->flags = 0;
	fi->dir_version = 1;
	fi->dircache = NULL;
	fi->forget = fblk_forget_new();
	if (fi->forget)
		return &fi->inode;
	kmem_cache_free(inode_cache, fi);
	return NULL;
}

void fblk_free_inode(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	fblk_forget_free(fi->forget);
	fblk_dircache_free(fi);
	kmem_cache_free(inode_cache, fi);
}

static void init_once(void *object)
{
	struct fblk_inode *fi = object;

	spin_lock_init(&fi->lock);
	mutex_init(&fi->dir_lock);
	mutex_init(&fi->writeback_lock);
	INIT_LIST_HEAD(&fi->writers);
	inode_init_once(&fi->inode);
}

int fblk_inode_init(void)
{
	inode_cache = kmem_cache_create("fblk_inode", sizeof(struct fblk_inode), 0,
					SLAB_HWCACHE_ALIGN | SLAB_ACCOUNT | SLAB_RECLAIM_ACCOUNT, init_once);
	return inode_cache ? 0 : -ENOMEM;
}

void fblk_inode_fini(void)
{
	rcu_barrier();		/* inodes are freed after a grace period */
	kmem_cache_destroy(inode_cache);
}

/* ---- forgetting ------------------------------------------------------------------------- */

static void send_forget(struct fblk_conn *conn, struct fblk_forget *f, u64 nodeid, u64 nlookup)
{
	f->nodeid = nodeid;
	f->nlookup = nlookup;
	fblk_queue_forget(&conn->queue, f);
}

void fblk_forget(struct fblk_conn *conn, struct fblk_forget *f, u64 nodeid)
{
	send_forget(conn, f, nodeid, 1);
}

void fblk_evict_inode(struct inode *inode)
{
	struct fblk_inode *fi = fblk_i(inode);

	truncate_inode_pages_final(&inode->i_data);
	clear_inode(inode);
	WARN_ON(!list_empty(&fi->writers));
	/* an unmount forgets everything */
	if ((inode->i_sb->s_flags & SB_ACTIVE) && fi->nlookup) {
		send_forget(fblk_conn_of(inode), fi->forget, fi->nodeid, fi->nlookup);
		fi->forget = NULL;
	}
}

/* ---- what the daemon says ------------------------------------------------------------------ */

bool fblk_type_is_valid(umode_t mode)
{
	return S_ISREG(mode) || S_ISDIR(mode) || S_ISLNK(mode) || S_ISCHR(mode) || S_ISBLK(mode) || S_ISFIFO(mode) ||
	       S_ISSOCK(mode);
}

bool fblk_attr_is_valid(const struct fuse_attr *attr)
{
	return fblk_type_is_valid(attr->mode) && attr->size <= LLONG_MAX;
}

void fblk_make_bad(struct inode *inode)
{
	set_bit(FBLK_I_BAD, &fblk_i(inode)->flags);
}

static struct timespec64 time_of(u64 seconds, u32 nanoseconds)
{
	return (struct timespec64) { .tv_sec = seconds, .tv_nsec = min_t(u32, nanoseconds, NSEC_PER_SEC - 1) };
}

static ino_t short_ino(u64 ino)
{
	return sizeof(ino_t) < sizeof(u64) ? (ino_t)(ino ^ (ino >> 32)) : (ino_t)ino;
}

/* All but the size. */
static void take_attr(struct inode *inode, const struct fuse_attr *attr)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	struct fblk_inode *fi = fblk_i(inode);

	fi->orig_ino = attr->ino;
	fi->orig_mode = (inode->i_mode & S_IFMT) | (attr->mode & 07777);
	fi->blkbits = is_power_of_2(attr->blksize) ? ilog2(attr->blksize) : inode->i_sb->s_blocksize_bits;
	inode->i_ino = short_ino(attr->ino);
	inode->i_mode = fi->orig_mode;
	/* only with default_permissions is it the kernel that decides by it */
	if (!conn->default_permissions)
		inode->i_mode &= ~S_ISVTX;
	set_nlink(inode, attr->nlink);
	inode->i_uid = make_kuid(conn->user_ns, attr->uid);
	inode->i_gid = make_kgid(conn->user_ns, attr->gid);
	inode->i_blocks = attr->blocks;
	inode->i_atime = time_of(attr->atime, attr->atimensec);
	inode->i_mtime = time_of(attr->mtime, attr->mtimensec);
	inode->i_ctime = time_of(attr->ctime, attr->ctimensec);
}

/* Somebody else changed the file: the pages are not what it holds. */
static void drop_pages(struct inode *inode, loff_t old_size, const struct timespec64 *old_mtime)
{
	struct fblk_conn *conn = fblk_conn_of(inode);
	loff_t size = i_size_read(inode);

	if (!S_ISREG(inode->i_mode))
		return;
	if (old_size != size) {
		truncate_pagecache(inode, min(old_size, size));
		if (!fblk_has(conn, FUSE_EXPLICIT_INVAL_DATA))
			invalidate_inode_pages2(inode->i_mapping);
	} else if (fblk_has(conn, FUSE_AUTO_INVAL_DATA) && !timespec64_equal(old_mtime, &inode->i_mtime)) {
		invalidate_inode_pages2(inode->i_mapping);
	}
}

void fblk_set_attr(struct inode *inode, const struct fuse_attr *attr, u64 valid_until, u64 version)
{
	struct fblk_inode *fi = fblk_i(inode);
	struct timespec64 old_mtime;
	loff_t old_size;

	spin_lock(&fi->lock);
	if ((version && fi->attr_version > version) || fi->size_unstable) {
		spin_unlock(&fi->lock);
		return;
	}
	old_mtime = inode->i_mtime;
	old_size = i_size_read(inode);
	take_attr(inode, attr);
	i_size_write(inode, attr->size);
	fi->attr_version = atomic64_inc_return(&fblk_conn_of(inode)->attr_version);
	fi->valid_until = valid_until;
	WRITE_ONCE(fi->stale, 0);
	spin_unlock(&fi->lock);
	drop_pages(inode, old_size, &old_mtime);
}

/* ---- finding and making ---------------------------------------------------------------------- */

static int is_node(struct inode *inode, void *nodeid)
{
	return fblk_nodeid(inode) == *(u64 *)nodeid;
}

static int set_node(struct inode *inode, void *nodeid)
{
	fblk_i(inode)->nodeid = *(u64 *)nodeid;
	return 0;
}

static unsigned long node_hash(u64 nodeid)
{
	return (unsigned long)(nodeid ^ (nodeid >> 32));
}

static void init_inode(struct inode *inode, u64 generation, const struct fuse_attr *attr)
{
	inode->i_mode = attr->mode;
	inode->i_flags |= S_NOATIME | S_NOCMTIME;
	inode->i_generation = generation;
	i_size_write(inode, attr->size);
	inode->i_mtime = time_of(attr->mtime, attr->mtimensec);
	if (S_ISREG(inode->i_mode)) {
		inode->i_op = &fblk_file_inode_operations;
		inode->i_fop = &fblk_file_operations;
		inode->i_mapping->a_ops = &fblk_file_aops;
	} else if (S_ISDIR(inode->i_mode)) {
		inode->i_op = &fblk_dir_inode_operations;
		inode->i_fop = &fblk_dir_operations;
	} else if (S_ISLNK(inode->i_mode)) {
		inode->i_op = &fblk_symlink_inode_operations;
		inode->i_mapping->a_ops = &fblk_symlink_aops;
		inode_nohighmem(inode);
	} else {
		inode->i_op = &fblk_special_inode_operations;
		init_special_inode(inode, inode->i_mode, new_decode_dev(attr->rdev));
	}
}

/* Is an inode in memory the one that the daemon speaks of? */
static bool is_same(const struct inode *inode, u64 generation, const struct fuse_attr *attr)
{
	return !fblk_is_bad(inode) && inode->i_generation == (u32)generation && !((inode->i_mode ^ attr->mode) & S_IFMT);
}

struct inode *fblk_iget(struct super_block *sb, u64 nodeid, u64 generation, const struct fuse_attr *attr,
			u64 valid_until, u64 version)
{
	struct fblk_inode *fi;
	struct inode *inode;

	for (;;) {
		inode = iget5_locked(sb, node_hash(nodeid), is_node, set_node, &nodeid);
		if (!inode)
			return NULL;
		if (inode->i_state & I_NEW) {
			init_inode(inode, generation, attr);
			unlock_new_inode(inode);
			break;
		}
		if (is_same(inode, generation, attr))
			break;
		/* the number stands for something new; who holds the old one gets errors */
		fblk_make_bad(inode);
		remove_inode_hash(inode);
		iput(inode);
	}
	fi = fblk_i(inode);
	spin_lock(&fi->lock);
	fi->nlookup++;
	spin_unlock(&fi->lock);
	fblk_set_attr(inode, attr, valid_until, version);
	return inode;
}

struct inode *fblk_ilookup(struct super_block *sb, u64 nodeid)
{
	return ilookup5(sb, node_hash(nodeid), is_node, &nodeid);
}
