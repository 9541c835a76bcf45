/* SPDX-License-Identifier: GPL-2.0-or-later */
/* testfs_impl.h: what testfs.c and testfs_inode.c share. */
#ifndef TESTS_TESTFS_IMPL_H
#define TESTS_TESTFS_IMPL_H

#include <dirent.h>
#include <pthread.h>
#include "testfs.h"

#define TESTFS_BLOCKS (TESTFS_SLOT / TESTFS_BLOCK)

struct tfs_entry {
	struct tfs_entry *next;		/* by cookie */
	uint64_t ino, cookie;
	size_t len;
	char name[255];
};

struct tfs_xattr {
	struct tfs_xattr *next;
	char *name;
	void *value;
	size_t size;
};

/* All of it under struct tfs's lock. */
struct tfs_inode {
	struct fuseblk_attr attr;
	uint64_t parent;		/* directories */
	struct tfs_entry *entries;
	uint64_t next_cookie;
	bool fold;			/* names match in any case, and with dots at their end */
	char *target;
	struct tfs_xattr *xattrs;
	uint8_t blocks[TESTFS_BLOCKS];	/* enum fuseblk_extent_type: HOLE, MAPPED, UNWRITTEN */
	uint32_t fs_flags;		/* FS_IOC_SETFLAGS */
};

struct tfs {
	pthread_mutex_t lock;
	struct tfs_inode **inodes;	/* by number, max of them */
	uint64_t max;
	unsigned used;
	uint32_t generation;
	bool fold;			/* for new inodes */
};

/* Every operation starts with it: counts, waits, fails as the hooks say. */
int testfs_enter(const char *op);
struct tfs_inode *tfs_of(struct fuseblk_node *node);
void tfs_free_xattrs(struct tfs_inode *inode);

int tfs_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node, struct fuseblk_attr *out);
int tfs_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid,
		const struct fuseblk_attr *attr);
int tfs_readlink(struct fuseblk_volume *vol, struct fuseblk_node *node, char *buf, size_t size);
int tfs_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len,
	    enum fuseblk_map_mode mode, const struct fuseblk_caller *who,
	    struct fuseblk_extent *ext, unsigned max);
int tfs_written(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		uint64_t len, uint64_t size);
int tfs_truncate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t size);
int tfs_allocate(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		 uint64_t len, uint64_t size, const struct fuseblk_caller *who);
int tfs_punch(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off, uint64_t len);
ssize_t tfs_getxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name,
		     void *value, size_t size);
ssize_t tfs_listxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, char *list,
		      size_t size, bool root);
int tfs_setxattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name,
		 const void *value, size_t size, uint32_t flags);
int tfs_removexattr(struct fuseblk_volume *vol, struct fuseblk_node *node, const char *name);
extern const struct fuseblk_ioctl tfs_ioctls[];

#endif
