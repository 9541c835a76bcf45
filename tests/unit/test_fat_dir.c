// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_dir.c: directories of FAT, on images made by mkfs.fat and mtools:
 * what is found under which spelling, where names are put, what is listed,
 * and what all that costs.
 */
#include "fat_dir_rig.h"
#include "../../fs-fat/dir_impl.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- spellings ---------------------------------------------------------------------- */

static void assert_spelling(struct rig *r, const char *name, const char *stored)
{
	char got[1024];

	assert_int_equal(rig_found(r, RIG_ROOT, name), strcmp(name, stored) ? FUSEBLK_RESPELLED : 0);
	assert_int_equal(rig_spelling(r, RIG_ROOT, name, got), strlen(stored));
	assert_string_equal(got, stored);
}

static void test_spellings(void **state)
{
	static const char *const same[][2] = {
		{ "UPPER.TXT", "UPPER.TXT" }, { "upper.txt", "UPPER.TXT" }, { "UPPER.TXT.", "UPPER.TXT" },
		{ "Mixed Case Name.text", "Mixed Case Name.text" }, { "mixed case name.TEXT", "Mixed Case Name.text" },
		{ "Mixed Case Name.text...", "Mixed Case Name.text" }, { "MIXEDC~1.TEX", "Mixed Case Name.text" },
		{ "mixedc~1.tex", "Mixed Case Name.text" }, { "grün", "grün" }, { "GRÜN", "grün" },
		{ "日本語", "日本語" }, { "sub", "sub" }, { "SUB", "sub" },
	};
	static const char *const none[] = { "UPPER", "Mixed Case Name.tex", "MIXEDC~2.TEX", "a*b", "...", " ", "\xff", "sub2" };
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16 " && echo x >$F.x && mcopy -i $F $F.x ::UPPER.TXT && "
		 "mcopy -i $F $F.x '::Mixed Case Name.text' && mcopy -i $F $F.x ::grün && mcopy -i $F $F.x ::日本語 && "
		 "mmd -i $F ::sub; s=$?; rm -f $F.x; test $s = 0");
	rig_mount(&r, false);
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_spelling(&r, same[i][0], same[i][1]);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(rig_found(&r, RIG_ROOT, none[i]), -ENOENT);
	assert_int_equal(rig_ino(&r, RIG_ROOT, "MIXEDC~1.TEX"), rig_ino(&r, RIG_ROOT, "Mixed Case Name.text"));
	rig_unmount(&r);
	rig_free(&r);
}

static void test_strict(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	r.options = "utf8,check=strict,errors=continue,tz=UTC,commit=900";
	rig_mount(&r, false);
	assert_int_equal(rig_create(&r, RIG_ROOT, "lower", RIG_FILE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Mixed.txt", RIG_FILE, NULL), 0);
	assert_int_equal(rig_found(&r, RIG_ROOT, "lower"), 0);
	assert_int_equal(rig_found(&r, RIG_ROOT, "Lower"), -ENOENT);
	assert_int_equal(rig_found(&r, RIG_ROOT, "mixed.txt"), -ENOENT);
	assert_true(rig_found(&r, RIG_ROOT, "LOWER") >= 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Lower", RIG_FILE, NULL), -EEXIST);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_create_errors(void **state)
{
	struct rig r;
	uint64_t sub;
	char name[300];

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	assert_int_equal(rig_create(&r, RIG_ROOT, "a:b", RIG_FILE, NULL), -EINVAL);
	assert_int_equal(rig_create(&r, RIG_ROOT, "...", RIG_FILE, NULL), -ENOENT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "link", S_IFLNK | 0777, NULL), -EPERM);
	assert_int_equal(rig_create(&r, RIG_ROOT, "fifo", S_IFIFO | 0644, NULL), -EPERM);
	memset(name, 'x', sizeof(name));
	name[256] = 0;
	assert_int_equal(rig_create(&r, RIG_ROOT, name, RIG_FILE, NULL), -ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(rig_create(&r, RIG_ROOT, name, RIG_FILE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "foo.", RIG_FILE, NULL), FUSEBLK_RESPELLED);
	assert_int_equal(rig_create(&r, RIG_ROOT, "FOO", RIG_FILE, NULL), -EEXIST);
	assert_int_equal(rig_create(&r, RIG_ROOT, "xxxxxx~1", RIG_FILE, NULL), -EEXIST);
	sub = rig_mkdir(&r, RIG_ROOT, "Sub");
	assert_int_equal(rig_create(&r, RIG_ROOT, "sUB", RIG_DIR, NULL), -EEXIST);
	assert_int_equal(rig_create(&r, sub, "file", RIG_FILE, NULL), 0);
	assert_int_equal(rig_rmdir(&r, RIG_ROOT, "sub"), -ENOTEMPTY);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "sub"), -EISDIR);
	assert_int_equal(rig_rmdir(&r, sub, "FILE"), -ENOTDIR);
	assert_int_equal(rig_unlink(&r, sub, "FILE"), 0);
	assert_int_equal(rig_rmdir(&r, RIG_ROOT, "SUB"), 0);
	assert_int_equal(rig_found(&r, RIG_ROOT, "Sub"), -ENOENT);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- many names ------------------------------------------------------------------------- */

/* Buffers asked for by @n creations, lookups and removals. */
static uint64_t cost_of(unsigned n)
{
	struct rig r;
	uint64_t dir, gets;
	char name[60];

	rig_make(&r, 48u << 20, "mkfs.fat -F 32 -s 1 $F");
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "many");
	gets = rig_gets(&r);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i % 2 ? "F%u" : "file%u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
		if (i % 1000 == 999)
			rig_commit(&r);
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i % 2 ? "f%u" : "FILE%u", i);
		assert_int_equal(rig_found(&r, dir, name), FUSEBLK_RESPELLED);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
		if (i % 1000 == 999)
			rig_commit(&r);
	}
	gets = rig_gets(&r) - gets;
	assert_int_equal(rig_found(&r, dir, "f1"), -ENOENT);
	assert_int_equal(rig_rmdir(&r, RIG_ROOT, "many"), 0);
	rig_unmount(&r);
	rig_free(&r);
	return gets;
}

static void test_cost(void **state)
{
	uint64_t few = cost_of(2000), many = cost_of(20000);

	(void)state;
	print_message("buffers a name: %.1f of 2000, %.1f of 20000\n", (double)few / 2000, (double)many / 20000);
	assert_true(many < few * 15);
}

/* ---- names of all lengths over borders ---------------------------------------------------- */

static void test_borders(void **state)
{
	struct rig r;
	char name[300], got[1024];
	unsigned listed = 0;
	uint64_t dir;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 300; i++) {
		rig_name(i, 6 + (i * 37) % 250, name);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
	}
	rig_commit(&r);
	for (unsigned i = 0; i < 300; i++) {
		rig_name(i, 6 + (i * 37) % 250, name);
		assert_int_equal(rig_found(&r, dir, name), 0);
		assert_true(rig_spelling(&r, dir, name, got) > 0);
		assert_string_equal(got, name);
	}
	assert_int_equal(rig_list(&r, dir, 7, rig_count_name, &listed), 302);
	assert_int_equal(listed, 302);
	rig_unmount(&r);
	rig_script(&r, "test $(mdir -b -i $F ::d | wc -l) = 300");
	/* and another mount, whose index comes from the device */
	rig_mount(&r, false);
	dir = rig_ino(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 300; i += 3) {
		rig_name(i, 6 + (i * 37) % 250, name);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
	}
	assert_int_equal(rig_list(&r, dir, 1000, rig_count_name, &listed), 202);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- places --------------------------------------------------------------------------------- */

static void test_reuse(void **state)
{
	uint64_t dir, ino, size, first;
	char name[20];
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
	}
	rig_commit(&r);
	size = rig_dir_size(&r, dir);
	first = rig_ino(&r, dir, "N0");
	assert_int_equal(rig_unlink(&r, dir, "N0"), 0);
	assert_int_equal(rig_create(&r, dir, "A0", RIG_FILE, &ino), 0);
	assert_true(ino > first);			/* not yet there */
	/* an index made anew must know that, too */
	fat_index_unload(r.vol, rig_node(&r, dir));
	fuseblk_node_put(rig_node(&r, dir));
	assert_int_equal(rig_create(&r, dir, "A1", RIG_FILE, &ino), 0);
	assert_true(ino > first);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, dir, "A2", RIG_FILE, &ino), 0);
	assert_int_equal(ino, first);
	/* what comes and goes in one epoch takes no place */
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "temporary %u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
	}
	assert_true(rig_dir_size(&r, dir) <= size + 512);
	assert_int_equal(r.again, 0);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_same_name(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	r.strict_again = true;
	assert_int_equal(rig_create(&r, RIG_ROOT, "A long name", RIG_FILE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "SHORT", RIG_FILE, NULL), 0);
	rig_commit(&r);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "a long name"), 0);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "short"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A LONG name", RIG_FILE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "ALONGN~1", RIG_FILE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "short", RIG_DIR, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "SHORT", RIG_DIR, NULL), -FUSEBLK_EAGAIN_COMMIT);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A LONG name", RIG_FILE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "short", RIG_DIR, NULL), 0);
	/* of this epoch: the device never had it */
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "A LONG name"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A long NAME", RIG_FILE, NULL), 0);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_full_root(void **state)
{
	char name[20];
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	for (unsigned i = 0; i < 512; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_int_equal(rig_create(&r, RIG_ROOT, name, RIG_FILE, NULL), 0);
	}
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", RIG_FILE, NULL), -ENOSPC);
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", RIG_DIR, NULL), -ENOSPC);
	rig_commit(&r);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "N100"), 0);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "N102"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", RIG_FILE, NULL), -ENOSPC);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, RIG_ROOT, "lower", RIG_FILE, NULL), -ENOSPC);	/* two in a row */
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", RIG_FILE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Y", RIG_DIR, NULL), 0);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_full_volume(void **state)
{
	uint64_t dir;
	char name[20];
	struct rig r;
	int err = 0;
	unsigned n = 0;

	(void)state;
	rig_make(&r, 2600u << 10, "mkfs.fat -F 16 -s 1 $F");
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "d");
	while (!err) {
		snprintf(name, sizeof(name), "D%u", n++);
		err = rig_create(&r, dir, name, RIG_DIR, NULL);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(rig_found(&r, dir, name), -ENOENT);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- listings while the directory changes -------------------------------------------------------- */

struct seen {
	uint64_t cookie;
	bool taken;
	unsigned times[50];
};

/* One name a call. */
static bool note_seen(void *ctx, const char *name, size_t len, uint64_t ino, unsigned char type, uint64_t next)
{
	struct seen *s = ctx;
	char text[100];
	unsigned i;

	(void)ino;
	(void)type;
	if (s->taken)
		return false;
	s->taken = true;
	s->cookie = next;
	snprintf(text, sizeof(text), "%.*s", (int)len, name);
	if (sscanf(text, "stays there %u", &i) == 1)
		s->times[i]++;
	else
		assert_true(len <= 2 || !memcmp(text, "moves", 5));
	return true;
}

static void move(struct rig *r, uint64_t dir, unsigned i, const char *from, const char *to)
{
	char name[100];

	snprintf(name, sizeof(name), from, i);
	assert_int_equal(rig_unlink(r, dir, name), 0);
	snprintf(name, sizeof(name), to, i);
	assert_int_equal(rig_create(r, dir, name, RIG_FILE, NULL), 0);
}

static void test_listing(void **state)
{
	struct seen s = { .cookie = 0 };
	struct fuseblk_node *node;
	unsigned calls = 0;
	struct rig r;
	char name[100];
	uint64_t dir;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "stays there %u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
		snprintf(name, sizeof(name), "moves about under a name of some length %u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
	}
	rig_commit(&r);
	node = rig_node(&r, dir);
	do {
		s.taken = false;
		assert_int_equal(fat_readdir(r.vol, node, s.cookie, note_seen, &s), 0);
		if (calls < 50)
			move(&r, dir, (calls * 7) % 50, "moves about under a name of some length %u", "moves %u");
		else if (calls < 100)
			move(&r, dir, calls - 50, "moves %u", "moves and grows and grows and grows and grows %u");
		if (calls++ % 10 == 9)
			rig_commit(&r);
	} while (s.taken);
	fuseblk_node_put(node);
	for (unsigned i = 0; i < 50; i++)
		assert_int_equal(s.times[i], 1);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- ".." -------------------------------------------------------------------------------------------- */

static void note_dotdot(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	if (len == 2 && !memcmp(name, "..", 2)) {
		assert_int_equal(type, DT_DIR);
		*(uint64_t *)arg = ino;
	}
}

static void assert_parent(struct rig *r, uint64_t dir, uint64_t parent)
{
	uint64_t ino = 0;

	assert_true(rig_list(r, dir, 100, note_dotdot, &ino) >= 2);
	assert_int_equal(ino, parent);
	assert_int_equal(rig_lookup(r, dir, "..", &ino), 0);
	assert_int_equal(ino, parent);
}

static void test_parent(void **state)
{
	static const char *const kinds[] = { "mkfs.fat -F 12 -s 1 $F", RIG_FAT16, "mkfs.fat -F 32 -s 1 $F" };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		uint64_t a, b, c, size = k == 0 ? 1440u << 10 : k == 1 ? RIG_SIZE : 40u << 20;
		struct rig r;

		rig_make(&r, size, kinds[k]);
		rig_mount(&r, false);
		a = rig_mkdir(&r, RIG_ROOT, "a");
		b = rig_mkdir(&r, a, "b");
		c = rig_mkdir(&r, b, "c");
		rig_commit(&r);
		assert_parent(&r, RIG_ROOT, RIG_ROOT);
		assert_parent(&r, a, RIG_ROOT);
		assert_parent(&r, b, a);
		assert_parent(&r, c, b);
		rig_unmount(&r);
		/* nothing remembered: the grandparent is searched */
		rig_mount(&r, false);
		assert_parent(&r, c, b);
		assert_parent(&r, b, a);
		rig_unmount(&r);
		rig_free(&r);
	}
}

/* ---- any volume, at random ----------------------------------------------------------------------------------- */

#define ITEMS 60

struct item {
	bool there, dir;
};

static void item_name(unsigned i, char *name)
{
	rig_name(i, 5 + (i * 41) % 200, name);
}

static void check_listing(struct rig *r, uint64_t dir, const struct item *items)
{
	unsigned want = 2, listed = 0;
	char name[300];

	for (unsigned i = 0; i < ITEMS; i++) {
		item_name(i, name);
		want += items[i].there;
		assert_int_equal(rig_found(r, dir, name) >= 0, items[i].there);
	}
	assert_int_equal(rig_list(r, dir, 5, rig_count_name, &listed), want);
}

static void random_operation(struct rig *r, uint64_t dir, struct item *items)
{
	unsigned i = rig_random(r, ITEMS);
	struct item *item = &items[i];
	char name[300];
	int err;

	item_name(i, name);
	if (!item->there) {
		item->dir = rig_random(r, 3) == 0;
		err = rig_create(r, dir, name, item->dir ? RIG_DIR : RIG_FILE, NULL);
		if (err == -ENOSPC) {
			rig_commit(r);		/* as the library does */
			err = rig_create(r, dir, name, item->dir ? RIG_DIR : RIG_FILE, NULL);
		}
		if (err == -ENOSPC && dir == RIG_ROOT)
			return;			/* it has its number of slots */
		if (err)
			fail_msg("create says %d", err);
	} else {
		assert_int_equal(item->dir ? rig_rmdir(r, dir, name) : rig_unlink(r, dir, name), 0);
	}
	item->there = !item->there;
	if (rig_random(r, 25) == 0)
		rig_commit(r);
}

static void test_kinds(void **state)
{
	static const struct { uint64_t size; const char *mkfs; } kinds[] = {
		{ 1440u << 10, "mkfs.fat -F 12 $F" },
		{ 4u << 20, "mkfs.fat -F 12 -s 64 $F" },
		{ 8u << 20, "mkfs.fat -F 16 -s 1 $F" },
		{ 18u << 20, "mkfs.fat -F 16 -S 4096 -s 1 $F" },
		{ 40u << 20, "mkfs.fat -F 32 -s 1 $F" },
		{ 20u << 20, "mkfs.fat -F 16 -S 2048 -s 2 $F" },
	};

	(void)state;
	for (unsigned k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++) {
		struct item in_root[ITEMS] = { { false, false } }, in_dir[ITEMS] = { { false, false } };
		struct rig r;
		uint64_t dir;

		rig_make(&r, kinds[k].size, kinds[k].mkfs);
		rig_mount(&r, k < 4);
		dir = rig_mkdir(&r, RIG_ROOT, "the directory");
		rig_commit(&r);
		for (unsigned i = 0; i < 400; i++)
			random_operation(&r, dir, in_dir);
		check_listing(&r, dir, in_dir);
		rig_commit(&r);
		if (r.log)
			rig_cut(&r, 8, NULL, NULL);
		for (unsigned i = 0; i < 60; i++)
			random_operation(&r, RIG_ROOT, in_root);
		rig_unmount(&r);
		rig_mount(&r, false);
		check_listing(&r, rig_ino(&r, RIG_ROOT, "the directory"), in_dir);
		for (unsigned i = 0; i < ITEMS; i++) {
			char name[300];

			item_name(i, name);
			assert_int_equal(rig_found(&r, RIG_ROOT, name) >= 0, in_root[i].there);
		}
		rig_unmount(&r);
		rig_free(&r);
	}
}

/* As many as a directory may have. */
static void test_most(void **state)
{
	unsigned n = 0, listed = 0;
	char name[20];
	uint64_t dir;
	struct rig r;
	int err;

	(void)state;
	rig_make(&r, 12u << 20, "mkfs.fat -F 16 -s 4 $F");
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "d");
	do {
		snprintf(name, sizeof(name), "N%u", n);
		err = rig_create(&r, dir, name, RIG_FILE, NULL);
		n += !err;
		if (n % 4096 == 0)
			rig_commit(&r);
	} while (!err);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, FAT_DIR_SLOTS - 2);
	assert_int_equal(rig_dir_size(&r, dir), FAT_DIR_SLOTS * 32);
	assert_true(fat_indexes_bytes(fat_of(r.vol)) < 1u << 20);
	assert_int_equal(rig_found(&r, dir, "n65533"), FUSEBLK_RESPELLED);
	assert_int_equal(rig_list(&r, dir, 1000, rig_count_name, &listed), FAT_DIR_SLOTS);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- indexes -------------------------------------------------------------------------------------------- */

#define LARGE	20000u		/* names in a directory */
#define LARGES	48u		/* directories with it, which share their clusters */

/* Directories with one and the same long chain: indexes for more than may be kept. */
static void make_large(struct rig *r)
{
	unsigned first = 2, clusters = 2 + LARGE * 32 / 2048 + 1;
	uint8_t *table, *root, *slot;

	rig_make(r, 16u << 20, "mkfs.fat -F 16 -s 4 $F");
	table = image_bytes(r->image) + 512u * rig_le16(image_bytes(r->image) + 14);
	for (unsigned c = first; c < first + clusters; c++) {
		unsigned next = c + 1 < first + clusters ? c + 1 : 0xffff;

		table[2 * c] = (uint8_t)next;
		table[2 * c + 1] = (uint8_t)(next >> 8);
	}
	root = rig_fixed_root(r->image);
	for (unsigned i = 0; i < LARGES; i++) {
		char name[12];

		snprintf(name, sizeof(name), "D%-10u", i);
		memcpy(root + i * 32, name, 11);
		root[i * 32 + 11] = FAT_ATTR_DIR;
		root[i * 32 + 26] = (uint8_t)first;
	}
	slot = rig_cluster(r->image, first);
	memcpy(slot, ".          \x10", 12);
	memcpy(slot + 32, "..         \x10", 12);
	for (unsigned i = 0; i < LARGE; i++) {
		char name[12];

		snprintf(name, sizeof(name), "N%-10u", i);
		memcpy(slot + (i + 2) * 32, name, 8);
		memcpy(slot + (i + 2) * 32 + 8, "   ", 3);
	}
}

static void test_bounded(void **state)
{
	char name[20];
	struct rig r;
	size_t most = 0;

	(void)state;
	make_large(&r);
	rig_mount(&r, false);
	for (unsigned round = 0; round < 2; round++) {
		for (unsigned i = 0; i < LARGES; i++) {
			snprintf(name, sizeof(name), "D%u", i);
			assert_int_equal(rig_found(&r, rig_ino(&r, RIG_ROOT, name), "N19999"), 0);
			most = fat_indexes_bytes(fat_of(r.vol)) > most ? fat_indexes_bytes(fat_of(r.vol)) : most;
		}
	}
	assert_true(most > 7u << 20 && most <= 8u << 20);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

struct looker {
	struct rig *r;
	unsigned seed;
};

static void *look(void *arg)
{
	struct looker *l = arg;
	char dir[20], name[20];
	uint64_t ino;

	for (unsigned i = 0; i < 60; i++) {
		struct fuseblk_node *node;

		l->seed = l->seed * 1664525u + 1013904223u;
		snprintf(dir, sizeof(dir), "d%u", (l->seed >> 20) % LARGES);
		snprintf(name, sizeof(name), "n%u", (l->seed >> 8) % LARGE);
		if (fb_node_get(l->r->vol, rig_ino(l->r, RIG_ROOT, dir), &node))
			return arg;
		pthread_rwlock_rdlock(&node->lock);
		if (fat_lookup(l->r->vol, node, name, strlen(name), &ino) < 0)
			return arg;
		pthread_rwlock_unlock(&node->lock);
		fb_node_put(node);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct looker lookers[4];
	pthread_t threads[4];
	void *failed;
	struct rig r;

	(void)state;
	make_large(&r);
	rig_mount(&r, false);
	for (unsigned i = 0; i < 4; i++) {
		lookers[i] = (struct looker){ &r, i / 2 + 1 };
		assert_int_equal(pthread_create(&threads[i], NULL, look, &lookers[i]), 0);
	}
	for (unsigned i = 0; i < 4; i++) {
		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	rig_unmount_dirty(&r);
	rig_free(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spellings),
		cmocka_unit_test(test_strict),
		cmocka_unit_test(test_create_errors),
		cmocka_unit_test(test_cost),
		cmocka_unit_test(test_borders),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_same_name),
		cmocka_unit_test(test_full_root),
		cmocka_unit_test(test_full_volume),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
