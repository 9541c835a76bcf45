// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * e2_dir_rig.c: see e2_dir_rig.h.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include "e2_dir_rig.h"

static const struct fuseblk_caller root = { .may_use_reserved = true };

static void check_image(struct image *image)
{
	assert_int_equal(image_e2fsck(image, "-fn"), 0);
}

void rig_make(struct rig *r, const char *mke2fs, uint64_t size, uint32_t seed)
{
	*r = (struct rig){ .seed = seed };
	r->image = image_mke2fs(mke2fs, size);
}

static int fsck(struct image *image, const char *options, int most)
{
	char command[40];

	snprintf(command, sizeof(command), "e2fsck %s $F", options);
	return rig_shell(image, command, most);
}

void rig_debugfs(struct rig *r, const char *commands)
{
	char line[900];

	snprintf(line, sizeof(line), "printf '%s' | debugfs -w -f - $F", commands);
	assert_int_equal(rig_shell(r->image, line, 0), 0);
	assert_int_equal(fsck(r->image, "-fy", 1) & ~1, 0);
}

static void check_cut(struct rig *r, size_t at, struct image *image, void *arg)
{
	const char *repair = r->may_move_dirs ? "-fy" : "-fp";
	int status = fsck(image, repair, 1);

	(void)arg;
	if (status > 1)
		fail_msg("cut at %zu of %zu: e2fsck %s says %d", at, fb_write_log_count(r->log), repair, status);
	assert_int_equal(fsck(image, "-fn", 0), 0);
}

void rig_cut(struct rig *r, unsigned cuts)
{
	rig_cut_with(r, cuts, check_cut, NULL);
}

/* ---- operations ------------------------------------------------------------------- */

static int link_step(struct rig *r, struct rig_call *c)
{
	return e2_link(r->vol, c->node, c->dir, c->name, strlen(c->name));
}

int rig_link(struct rig *r, uint64_t ino, uint64_t dir, const char *name)
{
	struct rig_call c = { .dir = rig_node(r, dir), .node = rig_node(r, ino), .name = name };

	return rig_run(r, &c, link_step);
}

static int remove_name(struct rig *r, uint64_t dir, const char *name, rig_step step)
{
	struct rig_call c = { .name = name };
	uint64_t ino;
	int err = rig_lookup(r, dir, name, &ino);

	if (err)
		return err;
	c.dir = rig_node(r, dir);
	c.node = rig_node(r, ino);
	err = rig_run_step(r, &c, step, "remove");
	if (!err)
		rig_forget(r, ino);
	return err;
}

static int rename_step(struct rig *r, struct rig_call *c)
{
	return e2_rename(r->vol, c->dir, c->name, strlen(c->name), c->newdir, c->newname,
			 strlen(c->newname), c->node, c->target, c->flags, &root);
}

int rig_rename(struct rig *r, uint64_t dir, const char *name, uint64_t newdir, const char *newname, uint32_t flags)
{
	struct rig_call c = { .name = name, .newname = newname, .flags = flags };
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
	err = rig_run(r, &c, rename_step);
	if (!err && target && !(flags & FUSEBLK_RENAME_EXCHANGE))
		rig_forget(r, target);
	return err;
}

static int free_step(struct rig *r, struct rig_call *c)
{
	return e2_i(c->node)->links ? 0 : e2_free(r->vol, c->node);
}

void rig_forget(struct rig *r, uint64_t ino)
{
	struct rig_call c = { .node = rig_node(r, ino) };

	assert_int_equal(rig_run(r, &c, free_step), 0);
}

unsigned rig_links(struct rig *r, uint64_t ino)
{
	struct fuseblk_node *node = rig_node(r, ino);
	unsigned links = e2_i(node)->links;

	fb_node_put(node);
	return links;
}

const struct rig_kind rig_kind = {
	.driver = &e2_driver,
	.options = "errors=continue,commit=900",
	.check = check_image,
	.remove = remove_name,
};
