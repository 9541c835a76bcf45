// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir_rig.c: see dir_rig.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include "dir_rig.h"
#include "../lib/chance.h"

#define ATTEMPTS 3

static const struct fuseblk_caller root = { .may_use_reserved = true };

int rig_shell(struct image *image, const char *command, int most)
{
	char path[] = "/dev/shm/dirrig.XXXXXX", line[4000];
	uint64_t size = image_size(image);
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "export F=%s PATH=$PATH:/usr/sbin:/sbin MTOOLS_SKIP_CHECK=1 LC_ALL=C.UTF-8; "
		 "{ %s; } >$F.log 2>&1", path, command);
	status = system(line);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	assert_int_equal(pread(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "%s %s.log; rm -f %s %s.log", status > most ? "cat" : ":", path, path, path);
	if (system(line))
		print_message("%s stays\n", path);
	close(fd);
	return status;
}

uint32_t rig_random(struct rig *r, uint32_t below)
{
	return chance(&r->seed, below);
}

void rig_mount(struct rig *r, bool log)
{
	const char *options = r->options ? r->options : rig_kind.options;
	char error[300];

	r->log = NULL;
	if (log)
		r->base = image_copy(r->image);
	assert_int_equal(fb_device_open_fault(image_device(r->image, false), &r->device), 0);
	if (log)
		assert_int_equal(fb_device_fault_log(r->device, &r->log), 0);
	if (fb_volume_new(rig_kind.driver, r->device, "image", options, &r->vol, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fb_volume_start(r->vol), 0);
}

void rig_stop(struct rig *r)
{
	fb_node_forget_all(r->vol);
	assert_int_equal(fb_volume_stop(r->vol), 0);
	fb_volume_free(r->vol);
	r->vol = NULL;
}

void rig_end_log(struct rig *r)
{
	fb_write_log_free(r->log);
	image_free(r->base);
	r->log = NULL;
	r->base = NULL;
}

void rig_unmount_dirty(struct rig *r)
{
	rig_stop(r);
	rig_end_log(r);
}

void rig_unmount(struct rig *r)
{
	rig_unmount_dirty(r);
	rig_kind.check(r->image);
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

static void apply(struct rig *r, struct image *image, const struct fb_write_log_entry *e, bool all)
{
	uint64_t unit = r->vol->info.block_size;

	for (uint64_t at = 0; at < e->len; at += unit)
		if (all || rig_random(r, 2))
			memcpy(image_bytes(image) + e->off + at, e->bytes + at,
			       e->len - at < unit ? e->len - at : unit);
}

static void cut_at(struct rig *r, size_t at, rig_cut_fn fn, void *arg)
{
	struct image *image = image_copy(r->base);
	size_t flushed = 0;

	for (size_t i = 0; i < at; i++)
		if (!fb_write_log_get(r->log, i)->len)
			flushed = i;
	for (size_t i = 0; i < at; i++)
		apply(r, image, fb_write_log_get(r->log, i), i < flushed);
	fn(r, at, image, arg);
	image_free(image);
}

void rig_cut_with(struct rig *r, unsigned cuts, rig_cut_fn fn, void *arg)
{
	uint32_t count = (uint32_t)fb_write_log_count(r->log);

	for (unsigned i = 0; i < cuts; i++)
		cut_at(r, 1 + rig_random(r, count), fn, arg);
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
	int err = r->vol->ops->lookup(r->vol, node, name, strlen(name), ino);

	fb_node_put(node);
	return err;
}

static void trace(struct rig *r, const struct rig_call *c, const char *what, int err)
{
	static int on = -1;

	if (on < 0)
		on = getenv("RIG_TRACE") != NULL;
	if (on)
		print_message("%u %s %u/%.4s %u/%.4s node %u target %u flags %u made %u: %d\n",
			      (unsigned)fuseblk_epoch(r->vol), what, c->dir ? (unsigned)c->dir->ino : 0,
			      c->name ? c->name : "", c->newdir ? (unsigned)c->newdir->ino : 0,
			      c->newname ? c->newname : "", c->node ? (unsigned)c->node->ino : 0,
			      c->target ? (unsigned)c->target->ino : 0, c->flags, (unsigned)c->ino, err);
}

int rig_run_step(struct rig *r, struct rig_call *c, rig_step step, const char *what)
{
	struct fuseblk_node *all[4] = { c->dir, c->newdir, c->node, c->target };
	int err = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		assert_int_equal(fb_volume_change_begin(r->vol), 0);
		err = step(r, c);
		for (unsigned k = 0; k < 4; k++)
			if (all[k])
				fuseblk_node_changed(all[k]);
		trace(r, c, what, err);
		fb_volume_change_end(r->vol);
		if (err != -FUSEBLK_EAGAIN_COMMIT || r->strict_again)
			break;
		r->again++;
		rig_commit(r);
	}
	for (unsigned k = 0; k < 4; k++)
		fb_node_put(all[k]);
	return err;
}

static int create_step(struct rig *r, struct rig_call *c)
{
	struct fuseblk_create what = { .mode = c->mode, .target = c->text,
				       .target_len = c->text ? strlen(c->text) : 0 };

	return r->vol->ops->create(r->vol, c->dir, c->name, strlen(c->name), &what, &root, &c->ino);
}

int rig_create_to(struct rig *r, uint64_t dir, const char *name, uint32_t mode, const char *target, uint64_t *ino)
{
	struct rig_call c = { .dir = rig_node(r, dir), .name = name, .mode = mode, .text = target };
	int err = rig_run(r, &c, create_step);

	if (err >= 0 && ino)
		*ino = c.ino;
	return err;
}

int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino)
{
	return rig_create_to(r, dir, name, mode, NULL, ino);
}

static int unlink_step(struct rig *r, struct rig_call *c)
{
	return r->vol->ops->unlink(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

int rig_unlink(struct rig *r, uint64_t dir, const char *name)
{
	return rig_kind.remove(r, dir, name, unlink_step);
}

static int rmdir_step(struct rig *r, struct rig_call *c)
{
	return r->vol->ops->rmdir(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

int rig_rmdir(struct rig *r, uint64_t dir, const char *name)
{
	return rig_kind.remove(r, dir, name, rmdir_step);
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
	assert_true(len && !memchr(name, '/', len) && !memchr(name, 0, len));
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
		err = r->vol->ops->readdir(r->vol, node, l.cookie, fill, &l);
	} while (!err && l.count > before);
	fb_node_put(node);
	return err ? err : (int)l.count;
}
