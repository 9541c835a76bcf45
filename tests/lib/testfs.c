/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testfs.c: the test driver's volume, its hooks, and its namespace
 * operations; what works on one inode is in testfs_inode.c.
 *
 * One mutex guards all of a volume's state; it is never held while an
 * operation is made to wait.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>
#include "testfs.h"
#include "testfs_impl.h"
#include "worker.h"

/* ---- hooks ---------------------------------------------------------- */

#define MAX_OPS 64

static struct {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	const char *fail_op, *hold_op;
	int fail_error;
	unsigned held;
	struct { const char *op; unsigned calls; } calls[MAX_OPS];
} hooks = { .lock = PTHREAD_MUTEX_INITIALIZER, .changed = PTHREAD_COND_INITIALIZER };

static bool is_op(const char *set, const char *op)
{
	return set && !strcmp(set, op);
}

static void count_call(const char *op)
{
	size_t i = 0;

	while (i < MAX_OPS - 1 && hooks.calls[i].op && strcmp(hooks.calls[i].op, op))
		i++;
	hooks.calls[i].op = op;
	hooks.calls[i].calls++;
}

int testfs_enter(const char *op)
{
	int err = 0;

	pthread_mutex_lock(&hooks.lock);
	count_call(op);
	hooks.held++;
	while (!err && is_op(hooks.hold_op, op))
		err = fb_cond_wait_interruptible(&hooks.changed, &hooks.lock);
	hooks.held--;
	if (!err && is_op(hooks.fail_op, op))
		err = hooks.fail_error;
	pthread_mutex_unlock(&hooks.lock);
	return err;
}

void testfs_fail(const char *op, int error)
{
	pthread_mutex_lock(&hooks.lock);
	hooks.fail_op = op;
	hooks.fail_error = error;
	pthread_mutex_unlock(&hooks.lock);
}

void testfs_hold(const char *op)
{
	pthread_mutex_lock(&hooks.lock);
	hooks.hold_op = op;
	pthread_mutex_unlock(&hooks.lock);
}

void testfs_release(void)
{
	pthread_mutex_lock(&hooks.lock);
	hooks.hold_op = NULL;
	pthread_cond_broadcast(&hooks.changed);
	pthread_mutex_unlock(&hooks.lock);
}

unsigned testfs_held(void)
{
	unsigned held;

	pthread_mutex_lock(&hooks.lock);
	held = hooks.held;
	pthread_mutex_unlock(&hooks.lock);
	return held;
}

bool testfs_wait_held(unsigned n)
{
	for (int i = 0; i < 5000; i++) {
		if (testfs_held() == n)
			return true;
		usleep(1000);
	}
	return false;
}

unsigned testfs_calls(const char *op)
{
	unsigned calls = 0;

	pthread_mutex_lock(&hooks.lock);
	for (size_t i = 0; i < MAX_OPS && hooks.calls[i].op; i++)
		if (!strcmp(hooks.calls[i].op, op))
			calls = hooks.calls[i].calls;
	pthread_mutex_unlock(&hooks.lock);
	return calls;
}

void testfs_reset(void)
{
	pthread_mutex_lock(&hooks.lock);
	hooks.fail_op = hooks.hold_op = NULL;
	memset(hooks.calls, 0, sizeof(hooks.calls));
	pthread_cond_broadcast(&hooks.changed);
	pthread_mutex_unlock(&hooks.lock);
}

/* ---- the volume ----------------------------------------------------- */

struct tfs_inode *tfs_of(struct fuseblk_node *node)
{
	return *(struct tfs_inode **)fuseblk_node_data(node);
}

static struct tfs_inode *new_inode(struct tfs *fs, const struct fuseblk_create *what,
				   const struct fuseblk_caller *who)
{
	uint64_t ino = TESTFS_FIRST;
	struct tfs_inode *inode;

	while (ino < fs->max && fs->inodes[ino])
		ino++;
	if (ino >= fs->max)
		return NULL;
	inode = calloc(1, sizeof(*inode));
	if (!inode)
		return NULL;
	inode->attr.ino = ino;
	inode->attr.mode = what->mode;
	inode->attr.rdev = what->rdev;
	inode->attr.uid = who ? who->uid : 0;
	inode->attr.gid = who ? who->gid : 0;
	inode->attr.generation = ++fs->generation;
	inode->attr.has_btime = true;
	clock_gettime(CLOCK_REALTIME, &inode->attr.btime);
	inode->attr.atime = inode->attr.mtime = inode->attr.ctime = inode->attr.btime;
	inode->next_cookie = 2;
	inode->fold = fs->fold;
	if (what->target) {
		inode->target = strndup(what->target, what->target_len);
		inode->attr.size = what->target_len;
	}
	fs->inodes[ino] = inode;
	fs->used++;
	return inode;
}

static void free_inode(struct tfs *fs, struct tfs_inode *inode)
{
	while (inode->entries) {
		struct tfs_entry *next = inode->entries->next;

		free(inode->entries);
		inode->entries = next;
	}
	tfs_free_xattrs(inode);
	fs->inodes[inode->attr.ino] = NULL;
	fs->used--;
	free(inode->target);
	free(inode);
}

static int make_root(struct tfs *fs)
{
	struct tfs_inode *root = calloc(1, sizeof(*root));

	if (!root)
		return -ENOMEM;
	root->attr.ino = TESTFS_ROOT;
	root->attr.mode = S_IFDIR | 0755;
	root->attr.nlink = 2;
	root->parent = TESTFS_ROOT;
	root->next_cookie = 2;
	root->fold = fs->fold;
	fs->inodes[TESTFS_ROOT] = root;
	fs->used = 1;
	return 0;
}

static int open_volume(struct fuseblk_volume *vol, struct fuseblk_volume_info *info, bool fold)
{
	struct tfs *fs = calloc(1, sizeof(*fs));
	int err = -ENOMEM;

	if (!fs)
		return err;
	fs->fold = fold;
	fs->max = fuseblk_device_size(vol) / TESTFS_SLOT;
	fs->inodes = calloc(fs->max + TESTFS_FIRST, sizeof(*fs->inodes));
	if (!fs->inodes)
		goto free_fs;
	err = make_root(fs);
	if (err)
		goto free_inodes;
	err = fuseblk_set_block_size(vol, TESTFS_BLOCK);
	if (err)
		goto free_root;
	pthread_mutex_init(&fs->lock, NULL);
	info->root_ino = TESTFS_ROOT;
	info->block_size = TESTFS_BLOCK;
	info->root_mode = S_IFDIR | 0755;
	info->max_file_size = TESTFS_SLOT;
	info->time_granularity = 1;
	info->name_max = 255;
	info->case_insensitive = info->dir_cursors = info->no_handles = fold;
	fuseblk_set_private(vol, fs);
	return 0;

free_root:
	free_inode(fs, fs->inodes[TESTFS_ROOT]);
free_inodes:
	free(fs->inodes);
free_fs:
	free(fs);
	return err;
}

static int tfs_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	(void)options;
	return open_volume(vol, info, false);
}

static int tfs_open_fold(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	(void)options;
	return open_volume(vol, info, true);
}

static int tfs_start(struct fuseblk_volume *vol)
{
	(void)vol;
	return testfs_enter("start");
}

static int tfs_stop(struct fuseblk_volume *vol)
{
	(void)vol;
	return testfs_enter("stop");
}

static void tfs_unload(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	(void)vol;
	(void)node;
}

static void tfs_close(struct fuseblk_volume *vol)
{
	struct tfs *fs = fuseblk_private(vol);

	for (uint64_t ino = 0; ino < fs->max; ino++)
		if (fs->inodes[ino])
			free_inode(fs, fs->inodes[ino]);
	pthread_mutex_destroy(&fs->lock);
	free(fs->inodes);
	free(fs);
}

unsigned testfs_inodes(struct fuseblk_volume *vol)
{
	struct tfs *fs = fuseblk_private(vol);
	unsigned used;

	pthread_mutex_lock(&fs->lock);
	used = fs->used;
	pthread_mutex_unlock(&fs->lock);
	return used;
}

static int tfs_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out)
{
	struct tfs *fs = fuseblk_private(vol);
	int err = testfs_enter("statfs");

	if (err)
		return err;
	*out = (struct fuseblk_statfs) {
		.blocks = fs->max * (TESTFS_SLOT / TESTFS_BLOCK),
		.bfree = 1000, .bavail = 900,
		.files = fs->max - TESTFS_FIRST + 1,
		.ffree = fs->max - TESTFS_FIRST + 1 - testfs_inodes(vol),
		.bsize = TESTFS_BLOCK, .frsize = TESTFS_BLOCK, .namelen = 255,
	};
	return 0;
}

static int tfs_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct tfs *fs = fuseblk_private(vol);
	uint64_t ino = fuseblk_ino(node);
	struct tfs_inode *inode;
	int err = testfs_enter("load");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	inode = ino < fs->max ? fs->inodes[ino] : NULL;
	*(struct tfs_inode **)fuseblk_node_data(node) = inode;
	pthread_mutex_unlock(&fs->lock);
	return inode ? 0 : -ESTALE;
}

static int tfs_free(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct tfs *fs = fuseblk_private(vol);
	int err = testfs_enter("free");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	free_inode(fs, tfs_of(node));
	pthread_mutex_unlock(&fs->lock);
	return 0;
}

/* ---- the namespace -------------------------------------------------- */

/* The length of @name as it is stored. */
static size_t stored_len(const struct tfs_inode *dir, const char *name, size_t len)
{
	while (dir->fold && len > 1 && name[len - 1] == '.')
		len--;
	return len;
}

static struct tfs_entry *find(struct tfs_inode *dir, const char *name, size_t len)
{
	len = stored_len(dir, name, len);
	for (struct tfs_entry *e = dir->entries; e; e = e->next)
		if (e->len == len && !(dir->fold ? strncasecmp(e->name, name, len) : memcmp(e->name, name, len)))
			return e;
	return NULL;
}

static int found_as(const struct tfs_entry *e, const char *name, size_t len)
{
	return e->len == len && !memcmp(e->name, name, len) ? 0 : FUSEBLK_RESPELLED;
}

static int add_entry(struct tfs_inode *dir, const char *name, size_t len, uint64_t ino)
{
	struct tfs_entry *e = calloc(1, sizeof(*e)), **end = &dir->entries;

	if (!e)
		return -ENOMEM;
	len = stored_len(dir, name, len);
	memcpy(e->name, name, len);
	e->len = len;
	e->ino = ino;
	e->cookie = dir->next_cookie++;
	while (*end)
		end = &(*end)->next;
	*end = e;
	return 0;
}

static void remove_entry(struct tfs_inode *dir, struct tfs_entry *gone)
{
	struct tfs_entry **at = &dir->entries;

	while (*at != gone)
		at = &(*at)->next;
	*at = gone->next;
	free(gone);
}

static void touch(struct tfs_inode *inode)
{
	clock_gettime(CLOCK_REALTIME, &inode->attr.mtime);
	inode->attr.ctime = inode->attr.mtime;
}

static int tfs_lookup(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, uint64_t *ino)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_entry *e;
	int err = testfs_enter("lookup");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	e = find(tfs_of(dir), name, len);
	if (e) {
		*ino = e->ino;
		err = found_as(e, name, len);
	} else if (len == 1 && name[0] == '.') {
		*ino = fuseblk_ino(dir);
	} else if (len == 2 && !memcmp(name, "..", 2)) {
		*ino = tfs_of(dir)->parent;
	} else {
		err = -ENOENT;
	}
	pthread_mutex_unlock(&fs->lock);
	return err;
}

static int tfs_spelling(struct fuseblk_volume *vol, struct fuseblk_node *dir,
			const char *name, size_t len, char *stored, size_t size)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_entry *e;
	int err = testfs_enter("spelling");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	e = find(tfs_of(dir), name, len);
	err = !e ? -ENOENT : e->len > size ? -ERANGE : (int)e->len;
	if (err > 0)
		memcpy(stored, e->name, e->len);
	pthread_mutex_unlock(&fs->lock);
	return err;
}

static bool fill_entry(struct tfs *fs, struct tfs_entry *e, fuseblk_fill_fn fill, void *ctx)
{
	uint32_t mode;

	pthread_mutex_lock(&fs->lock);
	mode = fs->inodes[e->ino]->attr.mode;
	pthread_mutex_unlock(&fs->lock);
	return fill(ctx, e->name, e->len, e->ino, IFTODT(mode), e->cookie + 1);
}

/*
 * The fill function may look inodes up, so that it must not be called under
 * the lock; the directory's own lock keeps its entries in place.
 */
static int tfs_readdir(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		       uint64_t cookie, fuseblk_fill_fn fill, void *ctx)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_inode *inode = tfs_of(dir);
	int err = testfs_enter("readdir");

	if (err)
		return err;
	if (cookie == 0 && !fill(ctx, ".", 1, inode->attr.ino, DT_DIR, 1))
		return 0;
	if (cookie <= 1 && !fill(ctx, "..", 2, inode->parent, DT_DIR, 2))
		return 0;
	for (struct tfs_entry *e = inode->entries; e; e = e->next)
		if (e->cookie >= cookie && !fill_entry(fs, e, fill, ctx))
			break;
	return 0;
}

static int tfs_create(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, const struct fuseblk_create *what,
		      const struct fuseblk_caller *who, uint64_t *ino)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_inode *inode;
	int err = testfs_enter("create");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	err = -EEXIST;
	if (find(tfs_of(dir), name, len))
		goto unlock;
	err = -ENOSPC;
	inode = new_inode(fs, what, who);
	if (!inode)
		goto unlock;
	err = add_entry(tfs_of(dir), name, len, inode->attr.ino);
	if (err) {
		free_inode(fs, inode);
		goto unlock;
	}
	inode->attr.nlink = S_ISDIR(what->mode) ? 2 : 1;
	inode->parent = fuseblk_ino(dir);
	tfs_of(dir)->attr.nlink += S_ISDIR(what->mode);
	touch(tfs_of(dir));
	*ino = inode->attr.ino;
	err = stored_len(tfs_of(dir), name, len) == len ? 0 : FUSEBLK_RESPELLED;
unlock:
	pthread_mutex_unlock(&fs->lock);
	return err;
}

static int tfs_tmpfile(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		       const struct fuseblk_create *what,
		       const struct fuseblk_caller *who, uint64_t *ino)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_inode *inode;
	int err = testfs_enter("tmpfile");

	(void)dir;
	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	inode = new_inode(fs, what, who);
	if (inode)
		*ino = inode->attr.ino;
	pthread_mutex_unlock(&fs->lock);
	return inode ? 0 : -ENOSPC;
}

static int tfs_link(struct fuseblk_volume *vol, struct fuseblk_node *node,
		    struct fuseblk_node *dir, const char *name, size_t len)
{
	struct tfs *fs = fuseblk_private(vol);
	int err = testfs_enter("link");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	err = find(tfs_of(dir), name, len) ? -EEXIST :
		add_entry(tfs_of(dir), name, len, fuseblk_ino(node));
	if (!err) {
		tfs_of(node)->attr.nlink++;
		touch(tfs_of(dir));
	}
	pthread_mutex_unlock(&fs->lock);
	return err;
}

/* @e goes, if @target, which has its name there, is what @wants_dir says. */
static int drop_entry(struct tfs_inode *dir, struct tfs_entry *e,
		      struct tfs_inode *target, bool wants_dir)
{
	bool is_dir = S_ISDIR(target->attr.mode);

	if (is_dir != wants_dir)
		return is_dir ? -EISDIR : -ENOTDIR;
	if (is_dir && target->entries)
		return -ENOTEMPTY;
	remove_entry(dir, e);
	target->attr.nlink = is_dir ? 0 : target->attr.nlink - 1;
	dir->attr.nlink -= is_dir;
	return 0;
}

static int remove_name(struct tfs *fs, struct tfs_inode *dir, const char *name, size_t len,
		       struct fuseblk_node *node, bool wants_dir)
{
	struct tfs_entry *e;
	int err = -ENOENT;

	pthread_mutex_lock(&fs->lock);
	e = find(dir, name, len);
	if (e && e->ino == fuseblk_ino(node))
		err = drop_entry(dir, e, tfs_of(node), wants_dir);
	if (!err)
		touch(dir);
	pthread_mutex_unlock(&fs->lock);
	return err;
}

static int tfs_unlink(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, struct fuseblk_node *node)
{
	int err = testfs_enter("unlink");

	return err ? err : remove_name(fuseblk_private(vol), tfs_of(dir), name, len, node, false);
}

static int tfs_rmdir(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		     const char *name, size_t len, struct fuseblk_node *node)
{
	int err = testfs_enter("rmdir");

	return err ? err : remove_name(fuseblk_private(vol), tfs_of(dir), name, len, node, true);
}

static void move_parent(struct tfs_inode *from, struct tfs_inode *to, struct tfs_inode *inode)
{
	if (!S_ISDIR(inode->attr.mode) || from == to)
		return;
	from->attr.nlink--;
	to->attr.nlink++;
	inode->parent = to->attr.ino;
}

static int add_whiteout(struct tfs *fs, struct tfs_inode *dir, const char *name, size_t len,
			const struct fuseblk_caller *who)
{
	struct fuseblk_create what = { .mode = S_IFCHR };
	struct tfs_inode *inode = new_inode(fs, &what, who);

	if (!inode)
		return -ENOSPC;
	inode->attr.nlink = 1;
	return add_entry(dir, name, len, inode->attr.ino);
}

static int tfs_rename(struct fuseblk_volume *vol, struct fuseblk_node *dir,
		      const char *name, size_t len, struct fuseblk_node *newdir,
		      const char *newname, size_t newlen, struct fuseblk_node *node,
		      struct fuseblk_node *target, uint32_t flags,
		      const struct fuseblk_caller *who)
{
	struct tfs *fs = fuseblk_private(vol);
	struct tfs_inode *from = tfs_of(dir), *to = tfs_of(newdir);
	struct tfs_entry *e, *old;
	int err = testfs_enter("rename");

	if (err)
		return err;
	pthread_mutex_lock(&fs->lock);
	e = find(from, name, len);
	old = find(to, newname, newlen);
	if (old == e && !target)
		old = NULL;		/* the spelling changes */
	err = -ENOENT;
	if (!e || e->ino != fuseblk_ino(node) || !old != !target)
		goto unlock;
	if (flags & FUSEBLK_RENAME_EXCHANGE) {
		uint64_t ino = e->ino;

		e->ino = old->ino;
		old->ino = ino;
		move_parent(from, to, tfs_of(node));
		move_parent(to, from, tfs_of(target));
		err = 0;
		goto unlock;
	}
	err = old ? drop_entry(to, old, tfs_of(target), S_ISDIR(tfs_of(node)->attr.mode)) : 0;
	if (err)
		goto unlock;
	err = add_entry(to, newname, newlen, e->ino);
	if (err)
		goto unlock;
	remove_entry(from, e);
	move_parent(from, to, tfs_of(node));
	if (flags & FUSEBLK_RENAME_WHITEOUT)
		err = add_whiteout(fs, from, name, len, who);
	if (!err && stored_len(to, newname, newlen) != newlen)
		err = FUSEBLK_RESPELLED;
	touch(from);
	touch(to);
unlock:
	pthread_mutex_unlock(&fs->lock);
	return err;
}

#define OPERATIONS \
	.close = tfs_close, \
	.start = tfs_start, \
	.stop = tfs_stop, \
	.statfs = tfs_statfs, \
	.load = tfs_load, \
	.unload = tfs_unload, \
	.free = tfs_free, \
	.getattr = tfs_getattr, \
	.setattr = tfs_setattr, \
	.readlink = tfs_readlink, \
	.lookup = tfs_lookup, \
	.spelling = tfs_spelling, \
	.readdir = tfs_readdir, \
	.create = tfs_create, \
	.tmpfile = tfs_tmpfile, \
	.link = tfs_link, \
	.unlink = tfs_unlink, \
	.rmdir = tfs_rmdir, \
	.rename = tfs_rename, \
	.map = tfs_map, \
	.written = tfs_written, \
	.truncate = tfs_truncate, \
	.allocate = tfs_allocate, \
	.punch = tfs_punch, \
	.getxattr = tfs_getxattr, \
	.listxattr = tfs_listxattr, \
	.setxattr = tfs_setxattr, \
	.removexattr = tfs_removexattr, \
	.ioctls = tfs_ioctls,

static const struct fuseblk_operations ops = { .open = tfs_open, OPERATIONS };
static const struct fuseblk_operations fold_ops = { .open = tfs_open_fold, OPERATIONS };

static const struct fuseblk_option no_options[] = { { 0 } };
static const char *const types[] = { "testfs", NULL };

const struct fuseblk_driver testfs_driver = {
	.name = "testfs",
	.version = "1",
	.types = types,
	.options = no_options,
	.node_size = sizeof(struct tfs_inode *),
	.ops = &ops,
};

const struct fuseblk_driver testfs_fold_driver = {
	.name = "testfs-fold",
	.version = "1",
	.types = types,
	.options = no_options,
	.node_size = sizeof(struct tfs_inode *),
	.ops = &fold_ops,
};
