// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_dir_rig.c: see fat_dir_rig.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "fat_dir_rig.h"

#define ATTEMPTS 3

static const struct fuseblk_caller root = { .may_use_reserved = true };

/* @command, on the image in a file, $F; what it says is shown if its status is above @most. */
static int with_file(struct image *image, const char *command, int most)
{
	char path[] = "/dev/shm/fatdir.XXXXXX", line[4000];
	uint64_t size = image_size(image);
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "export F=%s PATH=$PATH:/usr/sbin:/sbin MTOOLS_SKIP_CHECK=1 LC_ALL=C.UTF-8; { %s; } >$F.log 2>&1", path, command);
	status = system(line);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	assert_int_equal(pread(fd, image_bytes(image), size, 0), size);
	snprintf(line, sizeof(line), "%s %s.log; rm -f %s %s.log", status > most ? "cat" : ":", path, path, path);
	if (system(line))
		print_message("%s stays\n", path);
	close(fd);
	return status;
}

int rig_fsck(struct image *image, const char *options)
{
	char command[80];

	snprintf(command, sizeof(command), "fsck.fat %s $F", options);
	return with_file(image, command, 1);
}

void rig_script(struct rig *r, const char *script)
{
	assert_int_equal(with_file(r->image, script, 0), 0);
}

void rig_make(struct rig *r, uint64_t size, const char *script)
{
	void *zeros = calloc(1, size);

	*r = (struct rig){ .seed = 1 };
	assert_non_null(zeros);
	r->image = image_of_bytes(zeros, size);
	free(zeros);
	rig_script(r, script);
}

uint32_t rig_random(struct rig *r, uint32_t below)
{
	r->seed = r->seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(r->seed >> 8) * below >> 24);
}

void rig_mount(struct rig *r, bool log)
{
	const char *options = r->options ? r->options : "utf8,errors=continue,tz=UTC";
	char error[300];

	r->log = NULL;
	if (log)
		r->base = image_copy(r->image);
	assert_int_equal(fb_device_open_fault(image_device(r->image, false), &r->device), 0);
	if (log)
		assert_int_equal(fb_device_fault_log(r->device, &r->log), 0);
	if (fb_volume_new(&fat_driver, r->device, "image", options, &r->vol, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fb_volume_start(r->vol), 0);
}

void rig_unmount_dirty(struct rig *r)
{
	fb_node_forget_all(r->vol);
	assert_int_equal(fb_volume_stop(r->vol), 0);
	fb_volume_free(r->vol);
	fb_write_log_free(r->log);
	image_free(r->base);
	r->log = NULL;
	r->base = NULL;
	r->vol = NULL;
}

void rig_unmount(struct rig *r)
{
	rig_unmount_dirty(r);
	if (rig_fsck(r->image, "-n"))
		fail_msg("fsck.fat -n: %d", with_file(r->image, "fsck.fat -n -v $F", 0));
}

void rig_free(struct rig *r)
{
	image_free(r->image);
}

void rig_commit(struct rig *r)
{
	assert_int_equal(fb_commit(r->vol->cache), 0);
}

uint64_t rig_gets(struct rig *r)
{
	struct fb_cache_stats stats;

	fb_cache_get_stats(r->vol->cache, &stats);
	return stats.hits + stats.misses;
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

/* Everything before the last flush that precedes @at, and of the blocks written since a random half. */
static void cut_at(struct rig *r, size_t at, void (*check)(struct rig *after, void *arg), void *arg)
{
	struct rig after = { .image = image_copy(r->base), .options = r->options };
	size_t flushed = 0;
	int status;

	for (size_t i = 0; i < at; i++)
		if (!fb_write_log_get(r->log, i)->len)
			flushed = i;
	for (size_t i = 0; i < at; i++)
		apply(r, after.image, fb_write_log_get(r->log, i), i < flushed);
	status = rig_fsck(after.image, "-a");
	if (status > 1 || rig_fsck(after.image, "-n"))
		fail_msg("cut at %zu of %zu: fsck.fat -a says %d", at, fb_write_log_count(r->log), status);
	if (check) {
		rig_mount(&after, false);
		check(&after, arg);
		rig_unmount(&after);
	}
	rig_free(&after);
}

void rig_cut(struct rig *r, unsigned cuts, void (*check)(struct rig *after, void *arg), void *arg)
{
	size_t count = fb_write_log_count(r->log);

	for (unsigned i = 0; i < cuts; i++)
		cut_at(r, 1 + rig_random(r, (uint32_t)count), check, arg);
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
	int err = fat_lookup(r->vol, node, name, strlen(name), ino);

	fb_node_put(node);
	return err;
}

int rig_spelling(struct rig *r, uint64_t dir, const char *name, char *stored)
{
	struct fuseblk_node *node = rig_node(r, dir);
	int n = fat_spelling(r->vol, node, name, strlen(name), stored, 1023);

	if (n >= 0)
		stored[n] = 0;
	fb_node_put(node);
	return n;
}

/* What an operation works on. */
struct call {
	struct fuseblk_node *dir, *node;
	const char *name;
	uint32_t mode;
	uint64_t ino;
	int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg);
	void *arg;
};

static int run(struct rig *r, struct call *c, int (*step)(struct rig *r, struct call *c))
{
	int err = 0;

	for (unsigned i = 0; i < ATTEMPTS; i++) {
		assert_int_equal(fb_volume_change_begin(r->vol), 0);
		err = step(r, c);
		if (c->dir)
			fuseblk_node_changed(c->dir);
		if (c->node)
			fuseblk_node_changed(c->node);
		fb_volume_change_end(r->vol);
		if (err != -FUSEBLK_EAGAIN_COMMIT || r->strict_again)
			break;
		r->again++;
		rig_commit(r);
	}
	fb_node_put(c->dir);
	fb_node_put(c->node);
	return err;
}

static int create_step(struct rig *r, struct call *c)
{
	struct fuseblk_create what = { .mode = c->mode };

	return fat_create(r->vol, c->dir, c->name, strlen(c->name), &what, &root, &c->ino);
}

int rig_create(struct rig *r, uint64_t dir, const char *name, uint32_t mode, uint64_t *ino)
{
	struct call c = { .dir = rig_node(r, dir), .name = name, .mode = mode };
	int err = run(r, &c, create_step);

	if (err >= 0 && ino)
		*ino = c.ino;
	return err;
}

static int unlink_step(struct rig *r, struct call *c)
{
	return fat_unlink(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

static int rmdir_step(struct rig *r, struct call *c)
{
	return fat_rmdir(r->vol, c->dir, c->name, strlen(c->name), c->node);
}

static int remove_name(struct rig *r, uint64_t dir, const char *name, int (*step)(struct rig *r, struct call *c))
{
	struct call c = { .name = name };
	uint64_t ino;
	int err = rig_lookup(r, dir, name, &ino);

	if (err < 0)
		return err;
	c.dir = rig_node(r, dir);
	c.node = rig_node(r, ino);
	assert_int_equal(fb_node_lookup_inc(r->vol, ino), 0);
	err = run(r, &c, step);
	if (!err)
		fb_node_set_unlinked(r->vol, ino, true);
	fb_node_forget(r->vol, ino, 1);
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

static int any_step(struct rig *r, struct call *c)
{
	return c->fn(r, c->dir, c->arg);
}

int rig_change(struct rig *r, uint64_t dir, int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg), void *arg)
{
	struct call c = { .dir = rig_node(r, dir), .fn = fn, .arg = arg };

	return run(r, &c, any_step);
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
		err = fat_readdir(r->vol, node, l.cookie, fill, &l);
	} while (!err && l.count > before);
	fb_node_put(node);
	return err ? err : (int)l.count;
}

/* ---- for many tests ------------------------------------------------------------------ */

int rig_found(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino;

	return rig_lookup(r, dir, name, &ino);
}

uint64_t rig_ino(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino = 0;

	assert_true(rig_lookup(r, dir, name, &ino) >= 0);
	return ino;
}

uint64_t rig_mkdir(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino = 0;

	assert_true(rig_create(r, dir, name, RIG_DIR, &ino) >= 0);
	return ino;
}

void rig_name(unsigned i, unsigned len, char *name)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz-_ 0123456789";

	memset(name, 0, 300);
	snprintf(name, 300, "%u-", i);
	for (size_t at = strlen(name); at < len; at++)
		name[at] = digits[(at * 7 + i) % (sizeof(digits) - 1)];
	if (len > strlen(name))
		len = (unsigned)strlen(name);
	name[len] = 0;
	if (name[len - 1] == ' ')
		name[len - 1] = 'e';
}

void rig_count_name(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	++*(unsigned *)arg;
}

uint64_t rig_dir_size(struct rig *r, uint64_t dir)
{
	struct fuseblk_node *node = rig_node(r, dir);
	uint64_t bytes;

	assert_int_equal(fat_dir_size(r->vol, node, &bytes), 0);
	fuseblk_node_put(node);
	return bytes;
}

unsigned rig_le16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

uint8_t *rig_fixed_root(struct image *image)
{
	uint8_t *b = image_bytes(image);

	return b + (size_t)rig_le16(b + 11) * (rig_le16(b + 14) + b[16] * rig_le16(b + 22));
}

uint8_t *rig_cluster(struct image *image, unsigned c)
{
	uint8_t *b = image_bytes(image);

	return rig_fixed_root(image) + rig_le16(b + 17) * 32 + (size_t)(c - 2) * b[13] * rig_le16(b + 11);
}

unsigned rig_first_dir(struct image *image)
{
	uint8_t *slot = rig_fixed_root(image);

	while (!(slot[11] & FAT_ATTR_DIR) || slot[11] == FAT_ATTR_LONG)
		slot += 32;
	return rig_le16(slot + 26);
}
