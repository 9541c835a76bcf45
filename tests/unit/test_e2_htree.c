// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_htree.c: directories of many names, with and without a hash tree:
 * made, looked up, listed while they grow, and removed; names that share a
 * hash; and how many blocks a lookup looks at.  E2_NAMES=N in the environment
 * sets how many names (default 5000), E2_KIND=K the only kind of image.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_dir_rig.h"
#include "../../libfuseblk/node_table.h"
#include <ext2fs/ext2_fs.h>	/* after ours: it defines macros of common names */
#include <ext2fs/ext2fs.h>

#define COMMIT_EVERY 700u

static struct rig rig;
static unsigned names = 5000;
static int only = -1;

/* With names beginning with "same" every hash is one; see --wrap in the build. */
errcode_t __real_ext2fs_dirhash(int version, const char *name, int len, const __u32 *seed,
				ext2_dirhash_t *hash, ext2_dirhash_t *minor);
errcode_t __wrap_ext2fs_dirhash(int version, const char *name, int len, const __u32 *seed,
				ext2_dirhash_t *hash, ext2_dirhash_t *minor);

errcode_t __wrap_ext2fs_dirhash(int version, const char *name, int len, const __u32 *seed,
				ext2_dirhash_t *hash, ext2_dirhash_t *minor)
{
	errcode_t err = __real_ext2fs_dirhash(version, name, len, seed, hash, minor);

	if (len > 4 && !memcmp(name, "same", 4))
		*hash = 0x12345678;
	return err;
}

static void name_of(char *out, const char *prefix, unsigned i, unsigned pad)
{
	int n = sprintf(out, "%s%u", prefix, i);

	memset(out + n, 'p', pad);
	out[n + (int)pad] = 0;
}

struct seen {
	const char *prefix;
	unsigned char *count;
	unsigned total, foreign;
};

static void see(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct seen *s = arg;
	size_t skip = strlen(s->prefix);
	char digits[16] = "";
	unsigned i;

	(void)ino;
	(void)type;
	if (len <= skip || memcmp(name, s->prefix, skip)) {
		s->foreign++;
		return;
	}
	memcpy(digits, name + skip, len - skip < 10 ? len - skip : 10);
	i = (unsigned)strtoul(digits, NULL, 10);
	assert_true(i < s->total);
	s->count[i]++;
}

/* Every name of [0, total) whose number is a multiple of @step exactly once, and no other. */
static void check_list(uint64_t dir, const char *prefix, unsigned total, unsigned step, unsigned batch)
{
	struct seen s = { prefix, calloc(1, total), total, 0 };

	assert_true(rig_list(&rig, dir, batch, see, &s) >= 0);
	for (unsigned i = 0; i < total; i++)
		if (s.count[i] != (i % step == 0))
			fail_msg("%s%u is listed %u times", prefix, i, s.count[i]);
	assert_int_equal(s.foreign, 2);
	free(s.count);
}

static uint64_t make_dir(const char *name)
{
	uint64_t ino;

	assert_int_equal(rig_create(&rig, E2_ROOT_INO, name, S_IFDIR | 0755, &ino), 0);
	return ino;
}

/* All names lead to one file, so that images stay small: link counts end at 65000. */
static void fill(uint64_t dir, const char *prefix, unsigned from, unsigned to, unsigned pad)
{
	static uint64_t file;
	char name[300];

	for (unsigned i = from; i < to; i++) {
		name_of(name, prefix, i, pad);
		if (i == 0)
			assert_int_equal(rig_create(&rig, dir, name, S_IFREG | 0644, &file), 0);
		else
			assert_int_equal(rig_link(&rig, file, dir, name), 0);
		if (i % COMMIT_EVERY == COMMIT_EVERY - 1)
			rig_commit(&rig);
	}
}

static void look_up_all(uint64_t dir, const char *prefix, unsigned total, unsigned step, unsigned pad)
{
	char name[300];
	uint64_t ino;

	for (unsigned i = 0; i < total; i++) {
		name_of(name, prefix, i, pad);
		assert_int_equal(rig_lookup(&rig, dir, name, &ino), i % step ? -ENOENT : 0);
	}
}

/* Remove those whose number is no multiple of @step. */
static void thin(uint64_t dir, const char *prefix, unsigned total, unsigned step, unsigned pad)
{
	char name[300];

	for (unsigned i = 0; i < total; i++) {
		name_of(name, prefix, i, pad);
		if (i % step)
			assert_int_equal(rig_unlink(&rig, dir, name), 0);
	}
}

static void empty(uint64_t dir, const char *prefix, unsigned total, unsigned step, unsigned pad)
{
	char name[300];

	for (unsigned i = 0; i < total; i += step) {
		name_of(name, prefix, i, pad);
		assert_int_equal(rig_unlink(&rig, dir, name), 0);
	}
}

static const struct {
	const char *options;
	unsigned pad;			/* bytes added to names: 1k leaves with long names make deep trees */
} kinds[] = {
	{ "-t ext2 -b 1024 -O ^dir_index", 20 },
	{ "-t ext2 -b 1024", 20 },
	{ "-t ext2 -b 4096 -O ^filetype", 20 },
	{ "-t ext4 -b 4096 -O ^has_journal,metadata_csum", 0 },
	{ "-t ext4 -b 1024 -O ^has_journal,metadata_csum,large_dir", 230 },
	{ "-t ext4 -b 1024 -O ^has_journal,inline_data -I 256", 40 },
};

static void test_many(void **state)
{
	(void)state;
	for (unsigned i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		unsigned pad = kinds[i].pad, n = names;
		uint64_t dir;

		if (only >= 0 && i != (unsigned)only)
			continue;
		rig_make(&rig, kinds[i].options, 64u << 20, 5);
		rig_mount(&rig, false);
		dir = make_dir("d");
		fill(dir, "n", 0, n, pad);
		look_up_all(dir, "n", n, 1, pad);
		check_list(dir, "n", n, 1, 1000);
		check_list(dir, "n", n, 1, 7);
		assert_int_equal(rig_rmdir(&rig, E2_ROOT_INO, "d"), -ENOTEMPTY);
		thin(dir, "n", n, 3, pad);
		check_list(dir, "n", n, 3, 100);
		rig_unmount(&rig);
		rig_mount(&rig, false);
		look_up_all(dir, "n", n, 3, pad);
		empty(dir, "n", n, 3, pad);
		assert_int_equal(rig_rmdir(&rig, E2_ROOT_INO, "d"), 0);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

/* ---- listing while the directory changes ------------------------------------------- */

struct storm {
	uint64_t dir;
	unsigned next, pad;
	struct seen seen;
};

static void see_and_add(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct storm *s = arg;

	if (len > 3 && !memcmp(name, "new", 3))
		return;
	see(&s->seen, name, len, ino, type);
}

/* A few names at a time; between two calls others come and go. */
static bool storm_fill(void *ctx, const char *name, size_t len, uint64_t ino, unsigned char type, uint64_t next)
{
	void **c = ctx;
	unsigned *left = c[1];
	uint64_t *cookie = c[2];

	if (!*left)
		return false;
	--*left;
	*cookie = next;
	see_and_add(c[0], name, len, ino, type);
	return true;
}

static void list_in_storm(struct storm *s)
{
	uint64_t cookie = 0, before;
	unsigned left;
	void *ctx[3] = { s, &left, &cookie };
	char name[300];

	do {
		struct fuseblk_node *node = rig_node(&rig, s->dir);

		before = cookie;
		left = 5;
		assert_int_equal(e2_readdir(rig.vol, node, cookie, storm_fill, ctx), 0);
		fb_node_put(node);
		for (unsigned i = 0; i < 4; i++) {
			name_of(name, "new", s->next++, s->pad);
			assert_int_equal(rig_create(&rig, s->dir, name, S_IFIFO | 0600, NULL), 0);
		}
		name_of(name, "new", s->next - 2, s->pad);
		assert_int_equal(rig_unlink(&rig, s->dir, name), 0);
	} while (cookie != before);
}

/* Names that are there all the time are listed once, whatever splits happen; first of all the conversion of one block. */
static void test_list_in_storm(void **state)
{
	static const unsigned first[] = { 0, 3, 10, 40, 400 };

	(void)state;
	for (unsigned i = 0; i < 5; i++) {
		struct storm s = { .pad = 60 };

		rig_make(&rig, "-t ext4 -b 1024 -O ^has_journal,metadata_csum -N 8000", 32u << 20, 5);
		rig_mount(&rig, false);
		s.dir = make_dir("d");
		fill(s.dir, "n", 0, first[i], 10);
		s.seen = (struct seen){ "n", calloc(1, first[i] + 1), first[i] + 1, 0 };
		list_in_storm(&s);
		for (unsigned k = 0; k < first[i]; k++)
			assert_int_equal(s.seen.count[k], 1);
		free(s.seen.count);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

/* ---- one hash for all -------------------------------------------------------------------- */

static void test_collisions(void **state)
{
	char name[300];
	uint64_t dir;

	(void)state;
	rig_make(&rig, "-t ext4 -b 1024 -O ^has_journal,metadata_csum", 32u << 20, 5);
	rig_mount(&rig, false);
	dir = make_dir("d");
	fill(dir, "same", 0, 900, 30);
	look_up_all(dir, "same", 900, 1, 30);
	check_list(dir, "same", 900, 1, 13);
	check_list(dir, "same", 900, 1, 10000);
	thin(dir, "same", 900, 2, 30);
	check_list(dir, "same", 900, 2, 13);
	rig_commit(&rig);
	for (unsigned i = 1; i < 900; i += 2) {
		name_of(name, "same", i, 30);
		assert_int_equal(rig_create(&rig, dir, name, S_IFSOCK | 0644, NULL), 0);
	}
	check_list(dir, "same", 900, 1, 100);
	empty(dir, "same", 900, 1, 30);
	assert_int_equal(rig_rmdir(&rig, E2_ROOT_INO, "d"), 0);
	rig_unmount(&rig);
	rig_free(&rig);
}

/* ---- cost ---------------------------------------------------------------------------------- */

static void test_cost(void **state)
{
	struct fb_cache_stats before, after;
	uint64_t dir, ino;
	char name[300];

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		rig_make(&rig, i ? "-t ext2 -b 1024 -O ^dir_index" : "-t ext4 -b 1024 -O ^has_journal", 64u << 20, 5);
		rig_mount(&rig, false);
		dir = make_dir("d");
		fill(dir, "n", 0, 4000, 30);
		assert_int_equal(rig_lookup(&rig, dir, "n7", &ino), -ENOENT);	/* linear: the table is made */
		fb_cache_get_stats(rig.vol->cache, &before);
		for (unsigned k = 0; k < 4000; k++) {
			name_of(name, "n", k, 30);
			assert_int_equal(rig_lookup(&rig, dir, name, &ino), 0);
		}
		fb_cache_get_stats(rig.vol->cache, &after);
		assert_true(after.hits + after.misses - before.hits - before.misses < 4000 * 10);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

/* ---- readers and a writer --------------------------------------------------------------------- */

struct crowd {
	uint64_t dir;
	_Atomic bool done;
	_Atomic unsigned wrong;		/* permanent names not found or not listed */
};

static bool count_fill(void *ctx, const char *name, size_t len, uint64_t ino, unsigned char type, uint64_t next)
{
	unsigned *count = ctx;

	(void)ino;
	(void)type;
	(void)next;
	*count += len && name[0] == 'n';
	return true;
}

static void *reader(void *arg)
{
	struct crowd *c = arg;
	char name[300];

	for (unsigned i = 0; !c->done; i++) {
		struct fuseblk_node *node = rig_node(&rig, c->dir);
		unsigned count = 0;
		uint64_t ino;

		name_of(name, "n", i % 300, 40);
		fb_node_rdlock(node);
		c->wrong += e2_lookup(rig.vol, node, name, strlen(name), &ino) != 0;
		if (i % 50 == 0) {
			c->wrong += e2_readdir(rig.vol, node, 0, count_fill, &count) != 0;
			c->wrong += count != 300;
		}
		fb_node_unlock(node);
		fb_node_put(node);
	}
	return NULL;
}

/* rig_create() and rig_unlink() take no locks: the one writer holds the directory's here. */
static void write_some(struct crowd *c, unsigned rounds)
{
	struct fuseblk_node *node = rig_node(&rig, c->dir);
	char name[300];

	for (unsigned i = 0; i < rounds; i++) {
		name_of(name, "x", i % 400, 40);
		fb_node_wrlock(node);
		if (rig_create(&rig, c->dir, name, S_IFIFO | 0644, NULL))
			rig_unlink(&rig, c->dir, name);
		fb_node_unlock(node);
	}
	fb_node_put(node);
}

static void test_crowd(void **state)
{
	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		struct crowd c = { .dir = 0 };
		pthread_t thread[3];

		rig_make(&rig, i ? "-t ext2 -b 1024 -O ^dir_index" : "-t ext4 -b 1024 -O ^has_journal", 32u << 20, 5);
		rig_mount(&rig, false);
		c.dir = make_dir("d");
		fill(c.dir, "n", 0, 300, 40);
		for (unsigned k = 0; k < 3; k++)
			assert_int_equal(pthread_create(&thread[k], NULL, reader, &c), 0);
		write_some(&c, 3000);
		c.done = true;
		for (unsigned k = 0; k < 3; k++)
			pthread_join(thread[k], NULL);
		assert_int_equal(c.wrong, 0);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_list_in_storm),
		cmocka_unit_test(test_collisions),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_crowd),
	};

	if (getenv("E2_NAMES"))
		names = (unsigned)strtoul(getenv("E2_NAMES"), NULL, 10);
	if (getenv("E2_KIND"))
		only = atoi(getenv("E2_KIND"));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
