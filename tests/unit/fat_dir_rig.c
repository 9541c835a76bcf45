// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_dir_rig.c: see fat_dir_rig.h.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "fat_dir_rig.h"

int rig_fsck(struct image *image, const char *options)
{
	char command[80];

	snprintf(command, sizeof(command), "fsck.fat %s $F", options);
	return rig_shell(image, command, 1);
}

void rig_script(struct rig *r, const char *script)
{
	assert_int_equal(rig_shell(r->image, script, 0), 0);
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

static void check_image(struct image *image)
{
	if (rig_fsck(image, "-n"))
		fail_msg("fsck.fat -n: %d", rig_shell(image, "fsck.fat -n -v $F", 0));
}

uint64_t rig_gets(struct rig *r)
{
	struct fb_cache_stats stats;

	fb_cache_get_stats(r->vol->cache, &stats);
	return stats.hits + stats.misses;
}

/* ---- power cuts ---------------------------------------------------------------- */

struct cut {
	void (*check)(struct rig *after, void *arg);
	void *arg;
};

static void check_cut(struct rig *r, size_t at, struct image *image, void *arg)
{
	struct rig after = { .image = image, .options = r->options };
	struct cut *cut = arg;
	int status = rig_fsck(image, "-a");

	if (status > 1 || rig_fsck(image, "-n"))
		fail_msg("cut at %zu of %zu: fsck.fat -a says %d", at, fb_write_log_count(r->log), status);
	if (cut->check) {
		rig_mount(&after, false);
		cut->check(&after, cut->arg);
		rig_unmount(&after);
	}
}

void rig_cut(struct rig *r, unsigned cuts, void (*check)(struct rig *after, void *arg), void *arg)
{
	struct cut cut = { check, arg };

	rig_cut_with(r, cuts, check_cut, &cut);
}

/* ---- operations ------------------------------------------------------------------- */

int rig_spelling(struct rig *r, uint64_t dir, const char *name, char *stored)
{
	struct fuseblk_node *node = rig_node(r, dir);
	int n = fat_spelling(r->vol, node, name, strlen(name), stored, 1023);

	if (n >= 0)
		stored[n] = 0;
	fb_node_put(node);
	return n;
}

static int remove_name(struct rig *r, uint64_t dir, const char *name, rig_step step)
{
	struct rig_call c = { .name = name };
	uint64_t ino;
	int err = rig_lookup(r, dir, name, &ino);

	if (err < 0)
		return err;
	c.dir = rig_node(r, dir);
	c.node = rig_node(r, ino);
	assert_int_equal(fb_node_lookup_inc(r->vol, ino), 0);
	err = rig_run_step(r, &c, step, "remove");
	if (!err)
		fb_node_set_unlinked(r->vol, ino, true);
	fb_node_forget(r->vol, ino, 1);
	return err;
}

static int any_step(struct rig *r, struct rig_call *c)
{
	return c->fn(r, c->dir, c->arg);
}

int rig_change(struct rig *r, uint64_t dir, int (*fn)(struct rig *r, struct fuseblk_node *dir, void *arg), void *arg)
{
	struct rig_call c = { .dir = rig_node(r, dir), .fn = fn, .arg = arg };

	return rig_run(r, &c, any_step);
}

const struct rig_kind rig_kind = {
	.driver = &fat_driver,
	.options = "utf8,errors=continue,tz=UTC,commit=900",
	.check = check_image,
	.remove = remove_name,
};

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
