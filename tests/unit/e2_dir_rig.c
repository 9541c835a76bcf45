// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * e2_dir_rig.c: see e2_dir_rig.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "e2_dir_rig.h"

#define ATTEMPTS 3

static const struct fuseblk_caller root = { .may_use_reserved = true };

void rig_make(struct rig *r, const char *mke2fs, uint64_t size, uint32_t seed)
{
	*r = (struct rig){ .seed = seed };
	r->image = image_mke2fs(mke2fs, size);
}

uint32_t rig_random(struct rig *r, uint32_t below)
{
	r->seed = r->seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(r->seed >> 8) * below >> 24);
}

void rig_mount(struct rig *r, bool log)
{
	char error[300];

	if (log)
		r->base = image_copy(r->image);
	assert_int_equal(fb_device_open_fault(image_device(r->image, false), &r->device), 0);
	if (log)
		assert_int_equal(fb_device_fault_log(r->device, &r->log), 0);
	if (fb_volume_new(&e2_driver, r->device, "image", "errors=continue", &r->vol, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fb_volume_start(r->vol), 0);
}

void rig_unmount(struct rig *r)
{
	fb_node_forget_all(r->vol);
	assert_int_equal(fb_volume_stop(r->vol), 0);
	fb_volume_free(r->vol);
	fb_write_log_free(r->log);
	image_free(r->base);
	r->log = NULL;
	r->base = NULL;
	r->vol = NULL;
	assert_int_equal(image_e2fsck(r->image, "-fn"), 0);
}

void rig_free(struct rig *r)
{
	image_free(r->image);
}

void rig_commit(struct rig *r)
{
	assert_int_equal(fb_commit(r->vol->cache), 0);
}

/* ---- power cuts ---------------------------------------------------------------- */

/* @command, on the image in a file, $F; what it says is shown if its status is above @most. */
static int with_file(struct image *image, const char *command, int most)
{
	char path[] = "/dev/shm/e2dir.XXXXXX", line[1000];
	uint64_t size = image_size(image);
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "F=%s; %s >$F.log 2>&1", path, command);
	status = system(line);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	assert_int_equal(pread(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "%s %s.log; rm -f %s %s.log", status > most ? "cat" : ":", path, path, path);
	if (system(line))
		print_message("%s stays\n", path);
	close(fd);
	return status;
}

static int fsck(struct image *image, const char *options, int most)
{
	char command[40];

	snprintf(command, sizeof(command), "e2fsck %s $F", options);
	return with_file(image, command, most);
}

void rig_debugfs(struct rig *r, const char *commands)
{
	char line[900];

	snprintf(line, sizeof(line), "printf '%s' | debugfs -w -f - $F", commands);
	assert_int_equal(with_file(r->image, line, 0), 0);
	assert_int_equal(fsck(r->image, "-fy", 1) & ~1, 0);
}

static void apply(struct rig *r, struct image *image, const struct fb_write_log_entry *e, bool all)
{
	uint64_t unit = e2_sb(r->vol)->block_size;

	for (uint64_t at = 0; at < e->len; at += unit)
		if (all || rig_random(r, 2))
			memcpy(image_bytes(image) + e->off + at, e->bytes + at,
			       e->len - at < unit ? e->len - at : unit);
}

/* Everything before the last flush that precedes @at, and of the blocks written since a random half. */
static void cut_at(struct rig *r, size_t at)
{
	struct image *image = image_copy(r->base);
	const char *repair = r->may_move_dirs ? "-fy" : "-fp";
	size_t flushed = 0;
	int status;

	for (size_t i = 0; i < at; i++)
		if (!fb_write_log_get(r->log, i)->len)
			flushed = i;
	for (size_t i = 0; i < at; i++)
		apply(r, image, fb_write_log_get(r->log, i), i < flushed);
	status = fsck(image, repair, 1);
	if (status > 1)
		fail_msg("cut at %zu of %zu: e2fsck %s says %d", at, fb_write_log_count(r->log), repair, status);
	assert_int_equal(fsck(image, "-fn", 0), 0);
	image_free(image);
}

void rig_cut(struct rig *r, unsigned cuts)
{
	size_t count = fb_write_log_count(r->log);

	for (unsigned i = 0; i < cuts; i++)
		cut_at(r, 1 + rig_random(r, (uint32_t)count));
}

/* ---- operations ------------------------------------------------------------------- */

struct fuseblk_node *rig_node(struct rig *r, uint64_t ino)
{
	struct fuseblk_node *node;

	assert_int_equal(fb_node_get(r->vol, ino, &node), 0);
	return node;
}

int rig_lookup(struct rig *r, uint64_t dir, const char *name, uint64_t *ino)
{
	struct fuseblk_node *node = rig_node(r, dir);
	int err = e2_lookup(r->vol, node, name, strlen(name), ino);

	fb_node_put(node);
	return err;
}

/* What an operation works on. */
struct call {
	struct fuseblk_node *dir, *newdir, *node, *target;
	const char *name, *newname, *text;
	uint32_t mode, flags;
	uint64_t ino;
};

/* With E2_TRACE in the environment every operation is printed: epoch, directories, names, inodes. */
static void trace(struct rig *r, const struct call *c, const char *what, int err)
{
	static int on = -1;

	if (on < 0)
		on = getenv("E2_TRACE") != NULL;
	if (on)
		print_message("%u %s %u/%.4s %u/%.4s node %u target %u flags %u made %u: %d\n",
			      (unsigned)fuseblk_epoch(r->vol), what, c->dir ? (unsigned)c->dir->ino : 0,
			      c->name ? c->name : "", c->newdir ? (unsigned)c->newdir->ino : 0,
			      c->newname ? c->newname : "", c->node ? (unsigned)c->node->ino : 0,
			      c->target ? (unsigned)c->target->ino : 0, c->flags, (unsigned)c->ino, err);
}

#define run(r, c, step) run_step(r, c, step, #step)
static int run_step(struct rig *r, struct call *c, int (*step)(struct rig *r, struct call *c), const char *what)
{
	int err = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		struct fuseblk_node *all[4] = { c->dir, c->newdir, c->node, c->target };

		assert_int_equal(fb_volume_change_begin(r->vol), 0);
		err = step(r, c);
		for (unsigned k = 0; k < 4; k++)
			if (all[k])
				fuseblk_node_changed(all[k]);
		trace(r, c, what, err);
		fb_volume_change_end(r->vol);
		if (err != -FUSEBLK_EAGAIN_COMMIT)
			break;
		r->again++;
		rig_commit(r);
	}
	fb_node_put(c->dir);
	fb_node_put(c->newdir);
	fb_node_put(c->node);
	fb_node_put(c->target);
	return err;
}

static int create_step(struct rig *r, struct call *c)
{
	struct fuseblk_create what = { .mode = c->mode, .target = c->text,
				       .target_len = c->text ? strlen(c->text) : 0 };

	return e2_create(r->vol, c->dir, c->name, strlen(c->name), &what, &root, &c->ino);
}

int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, const char *target, uint64_t *ino)
{
	struct call c = { .dir = rig_node(r, dir), .name = name, .mode = mode, .text = target };
	int err = run(r, &c, create_step);

	if (!err && ino)
		*ino = c.ino;
	return err;
}

static int link_step(struct rig *r, struct call *c)
{
	return e2_link(r->vol, c->node, c->dir, c->name, strlen(c->name));
}

int rig_link(struct rig *r, uint64_t ino, uint64_t dir, const char *name)
{
	struct call c = { .dir = rig_node(r, dir), .node = rig_node(r, ino), .name = name };

	return run(r, &c, link_step);
}

static int unlink_step(struct rig *r, struct call *c)
{
	return e2_unlink(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

static int rmdir_step(struct rig *r, struct call *c)
{
	return e2_rmdir(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

static int remove_name(struct rig *r, uint64_t dir, const char *name,
		       int (*step)(struct rig *r, struct call *c))
{
	struct call c = { .name = name };
	uint64_t ino;
	int err = rig_lookup(r, dir, name, &ino);

	if (err)
		return err;
	c.dir = rig_node(r, dir);
	c.node = rig_node(r, ino);
	err = run(r, &c, step);
	if (!err)
		rig_forget(r, ino);
	return err;
}

int rig_unlink(struct rig *r, uint64_t dir, const char *name)
{
	return remove_name(r, dir, name, unlink_step);
}

int rig_rmdir(struct rig *r, uint64_t dir, const char *name)
{
	return remove_name(r, dir, name, rmdir_step);
}

static int rename_step(struct rig *r, struct call *c)
{
	return e2_rename(r->vol, c->dir, c->name, strlen(c->name), c->newdir, c->newname,
			 strlen(c->newname), c->node, c->target, c->flags, &root);
}

int rig_rename(struct rig *r, uint64_t dir, const char *name, uint64_t newdir, const char *newname, uint32_t flags)
{
	struct call c = { .name = name, .newname = newname, .flags = flags };
	uint64_t ino, target = 0;
	int err = rig_lookup(r, dir, name, &ino);

	if (err)
		return err;
	err = rig_lookup(r, newdir, newname, &target);
	if (err && err != -ENOENT)
		return err;
	c.dir = rig_node(r, dir);
	c.newdir = rig_node(r, newdir);
	c.node = rig_node(r, ino);
	c.target = err ? NULL : rig_node(r, target);
	err = run(r, &c, rename_step);
	if (!err && target && !(flags & FUSEBLK_RENAME_EXCHANGE))
		rig_forget(r, target);
	return err;
}

static int free_step(struct rig *r, struct call *c)
{
	return e2_i(c->node)->links ? 0 : e2_free(r->vol, c->node);
}

void rig_forget(struct rig *r, uint64_t ino)
{
	struct call c = { .node = rig_node(r, ino) };

	assert_int_equal(run(r, &c, free_step), 0);
}

unsigned rig_links(struct rig *r, uint64_t ino)
{
	struct fuseblk_node *node = rig_node(r, ino);
	unsigned links = e2_i(node)->links;

	fb_node_put(node);
	return links;
}

/* ---- listing ------------------------------------------------------------------------ */

struct listing {
	unsigned left, count;
	uint64_t cookie;
	rig_name_fn fn;
	void *arg;
};

static bool fill(void *ctx, const char *name, size_t len, uint64_t ino, unsigned char type, uint64_t next)
{
	struct listing *l = ctx;

	if (!l->left)
		return false;
	assert_true(next > l->cookie && next <= INT64_MAX);
	l->left--;
	l->count++;
	l->cookie = next;
	l->fn(l->arg, name, len, ino, type);
	return true;
}

int rig_list(struct rig *r, uint64_t dir, unsigned batch, rig_name_fn fn, void *arg)
{
	struct listing l = { .fn = fn, .arg = arg };
	struct fuseblk_node *node = rig_node(r, dir);
	unsigned before;
	int err;

	do {
		l.left = batch;
		before = l.count;
		err = e2_readdir(r->vol, node, l.cookie, fill, &l);
	} while (!err && l.count > before);
	fb_node_put(node);
	return err ? err : (int)l.count;
}
