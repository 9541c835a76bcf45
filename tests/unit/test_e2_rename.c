// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_rename.c: random creations, links, removals and renames (every
 * flag) in a few directories, compared with a model after each; the image is
 * judged by e2fsck -fn at the end, and by e2fsck -p after cuts of the power
 * anywhere in between.  E2_SEED and E2_CUTS in the environment: the seed and how
 * many cuts of each image (default 8).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_dir_rig.h"

#define DIRS	5u
#define NAMES	40u
#define OBJECTS	4096u
#define SIZE	(8u << 20)

struct object {
	uint64_t ino;
	uint32_t mode;
	unsigned links;			/* names */
	unsigned dir;			/* directories: their number */
};

/* entry[d][n]: object + 1, or 0; dir[d]: the object, -1 for none. */
static struct {
	struct object object[OBJECTS];
	unsigned objects;
	unsigned entry[DIRS][NAMES];
	int dir[DIRS];
	unsigned parent[DIRS];
} model;

static struct rig rig;
static char names[NAMES][256];

static void make_names(void)
{
	for (unsigned i = 0; i < NAMES; i++) {
		int n = snprintf(names[i], 256, "%c%u", 'a' + (int)(i % 26), i);

		memset(names[i] + n, 'x', i % 7 * 35);
		names[i][n + (int)(i % 7) * 35] = 0;
	}
}

static struct object *at(unsigned d, unsigned n)
{
	return model.entry[d][n] ? &model.object[model.entry[d][n] - 1] : NULL;
}

static uint64_t ino_of(unsigned d)
{
	return model.object[model.dir[d]].ino;
}

static unsigned new_object(uint64_t ino, uint32_t mode)
{
	assert_true(model.objects < OBJECTS);
	model.object[model.objects] = (struct object){ ino, mode, 1, 0 };
	return model.objects++;
}

static bool is_empty(unsigned d)
{
	for (unsigned n = 0; n < NAMES; n++)
		if (model.entry[d][n])
			return false;
	return true;
}

/* Is @d @of or below it? */
static bool is_below(unsigned d, unsigned of)
{
	while (d != of && d)
		d = model.parent[d];
	return d == of;
}

static unsigned some_dir(void)
{
	unsigned d;

	do
		d = rig_random(&rig, DIRS);
	while (model.dir[d] < 0);
	return d;
}

/* ---- operations on both ------------------------------------------------------------ */

static void drop(unsigned d, unsigned n)
{
	struct object *o = at(d, n);

	o->links--;
	if (S_ISDIR(o->mode))
		model.dir[o->dir] = -1;
	model.entry[d][n] = 0;
}

static void do_create(void)
{
	static const uint32_t modes[] = { S_IFREG | 0644, S_IFREG | 0600, S_IFIFO | 0644, S_IFLNK | 0777 };
	unsigned d = some_dir(), n = rig_random(&rig, NAMES);
	uint32_t mode = modes[rig_random(&rig, 4)];
	const char *target = S_ISLNK(mode) ? names[6 + rig_random(&rig, 2) * 14] : NULL;
	uint64_t ino;
	int err = rig_create_to(&rig, ino_of(d), names[n], mode, target, &ino);

	assert_int_equal(err, at(d, n) ? -EEXIST : 0);
	if (!err)
		model.entry[d][n] = new_object(ino, mode) + 1;
}

static void do_mkdir(void)
{
	unsigned d = some_dir(), n = rig_random(&rig, NAMES), free_dir = 1;
	uint64_t ino;
	int err;

	while (free_dir < DIRS && model.dir[free_dir] >= 0)
		free_dir++;
	if (free_dir == DIRS)
		return;
	err = rig_create(&rig, ino_of(d), names[n], S_IFDIR | 0755, &ino);
	assert_int_equal(err, at(d, n) ? -EEXIST : 0);
	if (err)
		return;
	model.entry[d][n] = new_object(ino, S_IFDIR | 0755) + 1;
	at(d, n)->dir = free_dir;
	model.dir[free_dir] = (int)model.objects - 1;
	model.parent[free_dir] = d;
}

static void do_link(void)
{
	unsigned d = some_dir(), n = rig_random(&rig, NAMES), d2 = some_dir(), n2 = rig_random(&rig, NAMES);
	struct object *o = at(d, n);
	int err;

	if (!o)
		return;
	err = rig_link(&rig, o->ino, ino_of(d2), names[n2]);
	assert_int_equal(err, S_ISDIR(o->mode) ? -EPERM : at(d2, n2) ? -EEXIST : 0);
	if (err)
		return;
	o->links++;
	model.entry[d2][n2] = model.entry[d][n];
}

static void do_unlink(void)
{
	unsigned d = some_dir(), n = rig_random(&rig, NAMES);
	struct object *o = at(d, n);
	int err = rig_unlink(&rig, ino_of(d), names[n]);

	assert_int_equal(err, !o ? -ENOENT : S_ISDIR(o->mode) ? -EISDIR : 0);
	if (!err)
		drop(d, n);
}

static void do_rmdir(void)
{
	unsigned d = some_dir(), n = rig_random(&rig, NAMES);
	struct object *o = at(d, n);
	int err = rig_rmdir(&rig, ino_of(d), names[n]);

	assert_int_equal(err, !o ? -ENOENT : !S_ISDIR(o->mode) ? -ENOTDIR : is_empty(o->dir) ? 0 : -ENOTEMPTY);
	if (!err)
		drop(d, n);
}

/* What the kernel's rename(2) says; *@noop: success without a change. */
static int expect_rename(const struct object *o, const struct object *t, uint32_t flags, bool *noop)
{
	*noop = false;
	if (!o)
		return -ENOENT;
	if (t && (flags & FUSEBLK_RENAME_NOREPLACE))
		return -EEXIST;
	if (!t && (flags & FUSEBLK_RENAME_EXCHANGE))
		return -ENOENT;
	*noop = o == t;
	if (*noop || !t || (flags & FUSEBLK_RENAME_EXCHANGE))
		return 0;
	if (S_ISDIR(o->mode) != S_ISDIR(t->mode))
		return S_ISDIR(o->mode) ? -ENOTDIR : -EISDIR;
	return S_ISDIR(t->mode) && !is_empty(t->dir) ? -ENOTEMPTY : 0;
}

static void model_rename(unsigned d, unsigned n, unsigned d2, unsigned n2, uint32_t flags)
{
	unsigned moved = model.entry[d][n], other = model.entry[d2][n2];
	uint64_t ino;

	if (!(flags & FUSEBLK_RENAME_EXCHANGE)) {
		if (other)
			drop(d2, n2);
		other = 0;
	}
	model.entry[d][n] = other;
	model.entry[d2][n2] = moved;
	if (S_ISDIR(at(d2, n2)->mode))
		model.parent[at(d2, n2)->dir] = d2;
	if (other && S_ISDIR(at(d, n)->mode))
		model.parent[at(d, n)->dir] = d;
	if (flags & FUSEBLK_RENAME_WHITEOUT) {
		assert_int_equal(rig_lookup(&rig, ino_of(d), names[n], &ino), 0);
		model.entry[d][n] = new_object(ino, S_IFCHR) + 1;
	}
}

static void do_rename(void)
{
	static const uint32_t flags_of[] = { 0, 0, 0, 0, FUSEBLK_RENAME_NOREPLACE, FUSEBLK_RENAME_EXCHANGE,
					     FUSEBLK_RENAME_EXCHANGE, FUSEBLK_RENAME_WHITEOUT };
	unsigned d = some_dir(), n = rig_random(&rig, NAMES), d2 = some_dir(), n2 = rig_random(&rig, NAMES);
	uint32_t flags = flags_of[rig_random(&rig, 8)];
	struct object *o = at(d, n), *t = at(d2, n2);
	bool noop;
	int err;

	if ((o && S_ISDIR(o->mode)) || (t && S_ISDIR(t->mode) && (flags & FUSEBLK_RENAME_EXCHANGE))) {
		if (!rig.may_move_dirs)
			return;
		if ((o && S_ISDIR(o->mode) && is_below(d2, o->dir)) || (t && S_ISDIR(t->mode) && is_below(d, t->dir)))
			return;		/* the kernel's check */
	}
	if (o == t && (flags & FUSEBLK_RENAME_WHITEOUT))
		return;
	err = rig_rename(&rig, ino_of(d), names[n], ino_of(d2), names[n2], flags);
	assert_int_equal(err, expect_rename(o, t, flags, &noop));
	if (!err && !noop)
		model_rename(d, n, d2, n2, flags);
}

/* ---- comparing -------------------------------------------------------------------------- */

struct seen {
	unsigned d, count;
	bool name[NAMES], dot, dotdot;
};

static void see(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct seen *s = arg;
	const struct object *o;
	unsigned n = 0;

	s->count++;
	if (len == 1 && name[0] == '.') {
		assert_false(s->dot);
		assert_int_equal(ino, ino_of(s->d));
		s->dot = true;
		return;
	}
	if (len == 2 && !memcmp(name, "..", 2)) {
		assert_false(s->dotdot);
		assert_int_equal(ino, ino_of(s->d ? model.parent[s->d] : 0));
		s->dotdot = true;
		return;
	}
	while (n < NAMES && (strlen(names[n]) != len || memcmp(names[n], name, len)))
		n++;
	if (n == NAMES) {
		assert_true(len == 10 && !memcmp(name, "lost+found", 10));
		s->count--;
		return;
	}
	o = at(s->d, n);
	if (!o)
		fail_msg("%s is listed", names[n]);
	assert_false(s->name[n]);
	s->name[n] = true;
	assert_int_equal(ino, o->ino);
	assert_int_equal(type, o->mode >> 12);
}

static void compare(void)
{
	for (unsigned d = 0; d < DIRS; d++) {
		struct seen s = { .d = d };
		unsigned want = 2;
		uint64_t ino;

		if (model.dir[d] < 0)
			continue;
		assert_true(rig_list(&rig, ino_of(d), 1 + rig_random(&rig, 50), see, &s) >= 0);
		for (unsigned n = 0; n < NAMES; n++) {
			const struct object *o = at(d, n);

			want += o != NULL;
			assert_int_equal(rig_lookup(&rig, ino_of(d), names[n], &ino), o ? 0 : -ENOENT);
			if (o)
				assert_int_equal(ino, o->ino);
			if (o && !S_ISDIR(o->mode))
				assert_int_equal(rig_links(&rig, o->ino), o->links);
		}
		assert_int_equal(s.count, want);
	}
}

static void step(void)
{
	static void (*const what[])(void) = {
		do_create, do_create, do_create, do_mkdir, do_link, do_link,
		do_unlink, do_unlink, do_rmdir, do_rename, do_rename, do_rename,
	};

	what[rig_random(&rig, sizeof(what) / sizeof(what[0]))]();
}

static void begin(const char *options, uint32_t seed, bool log)
{
	rig_make(&rig, options, SIZE, seed);
	rig_mount(&rig, log);
	memset(&model, 0, sizeof(model));
	for (unsigned d = 0; d < DIRS; d++)
		model.dir[d] = -1;
	new_object(E2_ROOT_INO, S_IFDIR);
	model.dir[0] = 0;
	make_names();
}

static const char *const images[] = {
	"-t ext2 -b 1024 -O ^dir_index",
	"-t ext2 -b 1024",
	"-t ext4 -b 1024 -O ^has_journal,metadata_csum,large_dir",
	"-t ext4 -b 4096 -O ^has_journal,metadata_csum",
	"-t ext4 -b 1024 -O ^has_journal,inline_data -I 256",
	"-t ext2 -b 1024 -O ^filetype",
};
#define IMAGES (sizeof(images) / sizeof(images[0]))

/* The same with @steps operations on every kind of image. */
static void test_model(void **state)
{
	(void)state;
	for (unsigned i = 0; i < IMAGES; i++) {
		begin(images[i], 4711 + i, false);
		rig.may_move_dirs = true;
		for (unsigned k = 0; k < 2000; k++) {
			step();
			if (rig_random(&rig, 40) == 0)
				rig_commit(&rig);
			if (k % 50 == 0 && !strstr(images[i], "^filetype"))
				compare();
		}
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

static void cut(bool move_dirs, uint32_t seed, unsigned steps, unsigned cuts)
{
	for (unsigned i = 0; i < IMAGES; i++) {
		begin(images[i], seed + i, true);
		rig.may_move_dirs = move_dirs;
		for (unsigned k = 0; k < steps; k++) {
			step();
			if (rig_random(&rig, 30) == 0)
				rig_commit(&rig);
		}
		rig_commit(&rig);
		rig_cut(&rig, cuts);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

static unsigned setting(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 0) : otherwise;
}

static void test_cuts(void **state)
{
	(void)state;
	cut(false, setting("E2_SEED", 99), 400, setting("E2_CUTS", 8));
}

static void test_cuts_with_moves(void **state)
{
	(void)state;
	cut(true, setting("E2_SEED", 7), 300, setting("E2_CUTS", 8) / 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_cuts_with_moves),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
