// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_dir.c: directories of FAT, on images made by mkfs.fat and mtools:
 * what is found under which spelling, where names are put, what a cut of the
 * power leaves, and directories that lie.
 */
#include "fat_dir_rig.h"
#include "../../fs-fat/dir_impl.h"
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#define FAT16_SMALL	"mkfs.fat -F 16 -s 1 -r 512 $F"		/* clusters of 512 bytes */
#define SIZE		(8u << 20)
#define FILE_MODE	(S_IFREG | 0644)
#define DIR_MODE	(S_IFDIR | 0755)

/* Lookups answer 0 or FUSEBLK_RESPELLED. */
static int found(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino;

	return rig_lookup(r, dir, name, &ino);
}

static uint64_t ino_of(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino = 0;

	assert_true(rig_lookup(r, dir, name, &ino) >= 0);
	return ino;
}

static uint64_t make_dir(struct rig *r, uint64_t dir, const char *name)
{
	uint64_t ino = 0;

	assert_true(rig_create(r, dir, name, DIR_MODE, &ino) >= 0);
	return ino;
}

/* ---- bytes of the image ------------------------------------------------------------ */

static unsigned le16(const uint8_t *p)
{
	return p[0] | (unsigned)p[1] << 8;
}

static uint8_t *fixed_root(struct image *image)
{
	uint8_t *b = image_bytes(image);

	return b + (size_t)le16(b + 11) * (le16(b + 14) + b[16] * le16(b + 22));
}

static uint8_t *cluster(struct image *image, unsigned c)
{
	uint8_t *b = image_bytes(image);

	return fixed_root(image) + le16(b + 17) * 32 + (size_t)(c - 2) * b[13] * le16(b + 11);
}

/* First cluster of the first directory in the fixed root. */
static unsigned first_dir(struct image *image)
{
	uint8_t *slot = fixed_root(image);

	while (!(slot[11] & FAT_ATTR_DIR) || slot[11] == FAT_ATTR_LONG)
		slot += 32;
	return le16(slot + 26);
}

/* ---- spellings ---------------------------------------------------------------------- */

static void assert_spelling(struct rig *r, const char *name, const char *stored)
{
	char got[1024];

	assert_int_equal(found(r, RIG_ROOT, name), strcmp(name, stored) ? FUSEBLK_RESPELLED : 0);
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
	rig_make(&r, SIZE, FAT16_SMALL " && echo x >$F.x && mcopy -i $F $F.x ::UPPER.TXT && "
		 "mcopy -i $F $F.x '::Mixed Case Name.text' && mcopy -i $F $F.x ::grün && mcopy -i $F $F.x ::日本語 && "
		 "mmd -i $F ::sub; s=$?; rm -f $F.x; test $s = 0");
	rig_mount(&r, false);
	for (unsigned i = 0; i < sizeof(same) / sizeof(same[0]); i++)
		assert_spelling(&r, same[i][0], same[i][1]);
	for (unsigned i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(found(&r, RIG_ROOT, none[i]), -ENOENT);
	assert_int_equal(ino_of(&r, RIG_ROOT, "MIXEDC~1.TEX"), ino_of(&r, RIG_ROOT, "Mixed Case Name.text"));
	rig_unmount(&r);
	rig_free(&r);
}

static void test_strict(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	r.options = "utf8,check=strict,errors=continue,tz=UTC";
	rig_mount(&r, false);
	assert_int_equal(rig_create(&r, RIG_ROOT, "lower", FILE_MODE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Mixed.txt", FILE_MODE, NULL), 0);
	assert_int_equal(found(&r, RIG_ROOT, "lower"), 0);
	assert_int_equal(found(&r, RIG_ROOT, "Lower"), -ENOENT);
	assert_int_equal(found(&r, RIG_ROOT, "mixed.txt"), -ENOENT);
	assert_true(found(&r, RIG_ROOT, "LOWER") >= 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Lower", FILE_MODE, NULL), -EEXIST);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_create_errors(void **state)
{
	struct rig r;
	uint64_t sub;
	char name[300];

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	assert_int_equal(rig_create(&r, RIG_ROOT, "a:b", FILE_MODE, NULL), -EINVAL);
	assert_int_equal(rig_create(&r, RIG_ROOT, "...", FILE_MODE, NULL), -ENOENT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "link", S_IFLNK | 0777, NULL), -EPERM);
	assert_int_equal(rig_create(&r, RIG_ROOT, "fifo", S_IFIFO | 0644, NULL), -EPERM);
	memset(name, 'x', sizeof(name));
	name[256] = 0;
	assert_int_equal(rig_create(&r, RIG_ROOT, name, FILE_MODE, NULL), -ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(rig_create(&r, RIG_ROOT, name, FILE_MODE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "foo.", FILE_MODE, NULL), FUSEBLK_RESPELLED);
	assert_int_equal(rig_create(&r, RIG_ROOT, "FOO", FILE_MODE, NULL), -EEXIST);
	assert_int_equal(rig_create(&r, RIG_ROOT, "xxxxxx~1", FILE_MODE, NULL), -EEXIST);
	sub = make_dir(&r, RIG_ROOT, "Sub");
	assert_int_equal(rig_create(&r, RIG_ROOT, "sUB", DIR_MODE, NULL), -EEXIST);
	assert_int_equal(rig_create(&r, sub, "file", FILE_MODE, NULL), 0);
	assert_int_equal(rig_rmdir(&r, RIG_ROOT, "sub"), -ENOTEMPTY);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "sub"), -EISDIR);
	assert_int_equal(rig_rmdir(&r, sub, "FILE"), -ENOTDIR);
	assert_int_equal(rig_unlink(&r, sub, "FILE"), 0);
	assert_int_equal(rig_rmdir(&r, RIG_ROOT, "SUB"), 0);
	assert_int_equal(found(&r, RIG_ROOT, "Sub"), -ENOENT);
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
	dir = make_dir(&r, RIG_ROOT, "many");
	gets = rig_gets(&r);
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i % 2 ? "F%u" : "file%u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
		if (i % 1000 == 999)
			rig_commit(&r);
	}
	for (unsigned i = 0; i < n; i++) {
		snprintf(name, sizeof(name), i % 2 ? "f%u" : "FILE%u", i);
		assert_int_equal(found(&r, dir, name), FUSEBLK_RESPELLED);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
		if (i % 1000 == 999)
			rig_commit(&r);
	}
	gets = rig_gets(&r) - gets;
	assert_int_equal(found(&r, dir, "f1"), -ENOENT);
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

static void name_of(unsigned i, unsigned len, char *name)
{
	static const char digits[] = "abcdefghijklmnopqrstuvwxyz-_ 0123456789";

	snprintf(name, 300, "%u-", i);
	for (size_t at = strlen(name); at < len; at++)
		name[at] = digits[(at * 7 + i) % (sizeof(digits) - 1)];
	if (len > strlen(name))
		len = (unsigned)strlen(name);
	name[len] = 0;
	if (name[len - 1] == ' ')
		name[len - 1] = 'e';
}

static void count_name(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
	++*(unsigned *)arg;
}

static void test_borders(void **state)
{
	struct rig r;
	char name[300] = "", got[1024];
	unsigned listed = 0;
	uint64_t dir;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	dir = make_dir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 300; i++) {
		memset(name, 0, sizeof(name));
		name_of(i, 6 + (i * 37) % 250, name);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
	}
	rig_commit(&r);
	for (unsigned i = 0; i < 300; i++) {
		memset(name, 0, sizeof(name));
		name_of(i, 6 + (i * 37) % 250, name);
		assert_int_equal(found(&r, dir, name), 0);
		assert_true(rig_spelling(&r, dir, name, got) > 0);
		assert_string_equal(got, name);
	}
	assert_int_equal(rig_list(&r, dir, 7, count_name, &listed), 302);
	assert_int_equal(listed, 302);
	rig_unmount(&r);
	rig_script(&r, "test $(mdir -b -i $F ::d | wc -l) = 300");
	/* and another mount, whose index comes from the device */
	rig_mount(&r, false);
	dir = ino_of(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 300; i += 3) {
		memset(name, 0, sizeof(name));
		name_of(i, 6 + (i * 37) % 250, name);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
	}
	assert_int_equal(rig_list(&r, dir, 1000, count_name, &listed), 202);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- places --------------------------------------------------------------------------------- */

static uint64_t size_of(struct rig *r, uint64_t dir)
{
	struct fuseblk_node *node = rig_node(r, dir);
	uint64_t bytes;

	assert_int_equal(fat_dir_size(r->vol, node, &bytes), 0);
	fuseblk_node_put(node);
	return bytes;
}

static void test_reuse(void **state)
{
	uint64_t dir, ino, size, first;
	char name[20];
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	dir = make_dir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 100; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
	}
	rig_commit(&r);
	size = size_of(&r, dir);
	first = ino_of(&r, dir, "N0");
	assert_int_equal(rig_unlink(&r, dir, "N0"), 0);
	assert_int_equal(rig_create(&r, dir, "A0", FILE_MODE, &ino), 0);
	assert_true(ino > first);			/* not yet there */
	/* an index made anew must know that, too */
	fat_index_unload(r.vol, rig_node(&r, dir));
	fuseblk_node_put(rig_node(&r, dir));
	assert_int_equal(rig_create(&r, dir, "A1", FILE_MODE, &ino), 0);
	assert_true(ino > first);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, dir, "A2", FILE_MODE, &ino), 0);
	assert_int_equal(ino, first);
	/* what comes and goes in one epoch takes no place */
	for (unsigned i = 0; i < 1000; i++) {
		snprintf(name, sizeof(name), "temporary %u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
		assert_int_equal(rig_unlink(&r, dir, name), 0);
	}
	assert_true(size_of(&r, dir) <= size + 512);
	assert_int_equal(r.again, 0);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_same_name(void **state)
{
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	r.strict_again = true;
	assert_int_equal(rig_create(&r, RIG_ROOT, "A long name", FILE_MODE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "SHORT", FILE_MODE, NULL), 0);
	rig_commit(&r);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "a long name"), 0);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "short"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A LONG name", FILE_MODE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "ALONGN~1", FILE_MODE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "short", DIR_MODE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	assert_int_equal(rig_create(&r, RIG_ROOT, "SHORT", DIR_MODE, NULL), -FUSEBLK_EAGAIN_COMMIT);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A LONG name", FILE_MODE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "short", DIR_MODE, NULL), 0);
	/* of this epoch: the device never had it */
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "A LONG name"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "A long NAME", FILE_MODE, NULL), 0);
	rig_unmount(&r);
	rig_free(&r);
}

static void test_full_root(void **state)
{
	char name[20];
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	for (unsigned i = 0; i < 512; i++) {
		snprintf(name, sizeof(name), "N%u", i);
		assert_int_equal(rig_create(&r, RIG_ROOT, name, FILE_MODE, NULL), 0);
	}
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", FILE_MODE, NULL), -ENOSPC);
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", DIR_MODE, NULL), -ENOSPC);
	rig_commit(&r);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "N100"), 0);
	assert_int_equal(rig_unlink(&r, RIG_ROOT, "N102"), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", FILE_MODE, NULL), -ENOSPC);
	rig_commit(&r);
	assert_int_equal(rig_create(&r, RIG_ROOT, "lower", FILE_MODE, NULL), -ENOSPC);	/* two in a row */
	assert_int_equal(rig_create(&r, RIG_ROOT, "X", FILE_MODE, NULL), 0);
	assert_int_equal(rig_create(&r, RIG_ROOT, "Y", DIR_MODE, NULL), 0);
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
	dir = make_dir(&r, RIG_ROOT, "d");
	while (!err) {
		snprintf(name, sizeof(name), "D%u", n++);
		err = rig_create(&r, dir, name, DIR_MODE, NULL);
	}
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(found(&r, dir, name), -ENOENT);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- the end mark -------------------------------------------------------------------------- */

/* Slots that look like files, everywhere behind the end of @slots slots. */
static void put_garbage(uint8_t *slots, unsigned from, unsigned to)
{
	for (unsigned i = from; i < to; i++) {
		memset(slots + i * 32, 0, 32);
		memcpy(slots + i * 32, "GARBAGE    ", 11);
		slots[i * 32 + 7] = (uint8_t)('A' + i % 26);
		slots[i * 32 + 8] = (uint8_t)('A' + i / 26);
		slots[i * 32 + 11] = FAT_ATTR_ARCHIVE;
	}
}

static void assert_no_garbage(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	(void)ino;
	(void)type;
	assert_false(len >= 7 && !memcmp(name, "GARBAGE", 7));
	++*(unsigned *)arg;
}

static void check_no_garbage(struct rig *after, void *arg)
{
	unsigned n = 0;

	(void)arg;
	assert_true(rig_list(after, RIG_ROOT, 1000, assert_no_garbage, &n) >= 3);
	assert_true(found(after, RIG_ROOT, "kept") >= 0);
}

static void test_garbage(void **state)
{
	char name[300];
	unsigned n = 0;
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL " && mmd -i $F ::kept");
	put_garbage(fixed_root(r.image), 3, 512);
	rig_mount(&r, true);
	assert_int_equal(rig_list(&r, RIG_ROOT, 1000, assert_no_garbage, &n), 3);
	assert_int_equal(found(&r, RIG_ROOT, "GARBAGEA.A"), -ENOENT);
	for (unsigned i = 0; i < 30; i++) {
		memset(name, 0, sizeof(name));
		name_of(i, 3 + (i * 29) % 120, name);
		assert_true(rig_create(&r, RIG_ROOT, name, FILE_MODE, NULL) >= 0);
		if (i % 3 == 0)
			assert_int_equal(rig_unlink(&r, RIG_ROOT, name), 0);
		if (i % 7 == 6)
			rig_commit(&r);
	}
	n = 0;
	assert_int_equal(rig_list(&r, RIG_ROOT, 3, assert_no_garbage, &n), 23);
	rig_commit(&r);
	rig_cut(&r, 40, check_no_garbage, NULL);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- cuts of the power ------------------------------------------------------------------------ */

#define KEPT 40

static void check_kept(struct rig *after, void *arg)
{
	uint64_t dir;
	char name[300];

	(void)arg;
	dir = ino_of(after, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "kept through it all, number %u", i);
		assert_int_equal(found(after, dir, name), 0);
	}
}

static void test_cuts(void **state)
{
	uint64_t dir, sub;
	char name[300];
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	dir = make_dir(&r, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "kept through it all, number %u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
		snprintf(name, sizeof(name), "to go away, number %u", i);
		assert_int_equal(rig_create(&r, dir, name, i % 3 ? FILE_MODE : DIR_MODE, NULL), 0);
	}
	rig_unmount(&r);
	rig_mount(&r, true);
	dir = ino_of(&r, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "to go away, number %u", i);
		if (i % 3)
			assert_int_equal(rig_unlink(&r, dir, name), 0);
		else
			assert_int_equal(rig_rmdir(&r, dir, name), 0);
		memset(name, 0, sizeof(name));
		name_of(i, 5 + i * 5, name);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
		snprintf(name, sizeof(name), "new directory %u", i);
		sub = make_dir(&r, dir, name);
		assert_int_equal(rig_create(&r, sub, "in it", FILE_MODE, NULL), 0);
		snprintf(name, sizeof(name), "new directory %u", i / 2);
		if (i % 4 == 3) {
			sub = ino_of(&r, dir, name);
			assert_int_equal(rig_unlink(&r, sub, "in it"), 0);
			assert_int_equal(rig_rmdir(&r, dir, name), 0);
		}
		if (i % 5 == 4)
			rig_commit(&r);
	}
	rig_commit(&r);
	rig_cut(&r, 60, check_kept, NULL);
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
	assert_int_equal(rig_create(r, dir, name, FILE_MODE, NULL), 0);
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
	rig_make(&r, SIZE, FAT16_SMALL);
	rig_mount(&r, false);
	dir = make_dir(&r, RIG_ROOT, "d");
	for (unsigned i = 0; i < 50; i++) {
		snprintf(name, sizeof(name), "stays there %u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
		snprintf(name, sizeof(name), "moves about under a name of some length %u", i);
		assert_int_equal(rig_create(&r, dir, name, FILE_MODE, NULL), 0);
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
	static const char *const kinds[] = { "mkfs.fat -F 12 -s 1 $F", FAT16_SMALL, "mkfs.fat -F 32 -s 1 $F" };

	(void)state;
	for (unsigned k = 0; k < 3; k++) {
		uint64_t a, b, c, size = k == 0 ? 1440u << 10 : k == 1 ? SIZE : 40u << 20;
		struct rig r;

		rig_make(&r, size, kinds[k]);
		rig_mount(&r, false);
		a = make_dir(&r, RIG_ROOT, "a");
		b = make_dir(&r, a, "b");
		c = make_dir(&r, b, "c");
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

/* ---- what rename uses ------------------------------------------------------------------------------------ */

static const char *const *names_for_rename;

/* Inside one block: away and back in SWITCH. */
static int rename_step(struct rig *r, struct fuseblk_node *dir, void *arg)
{
	const char *const *names = arg;
	struct fat_found from;
	struct fat_dirent de;
	struct fat_name to;
	uint32_t slot;
	uint64_t pos;
	int err = fat_dir_find_bytes(r->vol, dir, names[0], strlen(names[0]), &from);

	if (!err)
		err = fat_parse_name(r->vol, names[1], strlen(names[1]), true, &to);
	if (!err)
		err = fat_dir_shorten(r->vol, dir, &to);
	if (!err)
		err = fat_dir_place(r->vol, dir, fat_name_slots(&to), from.slot, &slot);
	if (err)
		return err;
	assert_int_equal(slot / 16, from.slot / 16);
	assert_int_equal((slot + fat_name_slots(&to) - 1) / 16, from.slot / 16);
	de = from.de;
	memcpy(de.name, to.short_name, sizeof(de.name));
	assert_int_equal(fat_dir_put(r->vol, dir, slot, &to, &de, FAT_PHASE_SWITCH, &pos), 0);
	return fat_dir_take_in(r->vol, dir, &from, FAT_PHASE_SWITCH);
}

static void check_one_name(struct rig *after, void *arg)
{
	bool before = found(after, RIG_ROOT, names_for_rename[0]) >= 0;
	bool now = found(after, RIG_ROOT, names_for_rename[1]) >= 0;

	(void)arg;
	assert_true(before != now);
}

static void test_switch(void **state)
{
	static const char *const names[] = { "Name before", "Name from then on" };
	struct rig r;

	(void)state;
	names_for_rename = names;
	rig_make(&r, SIZE, FAT16_SMALL " && echo x >$F.x && mcopy -i $F $F.x '::Name before'; rm $F.x");
	rig_mount(&r, true);
	assert_int_equal(rig_change(&r, RIG_ROOT, rename_step, (void *)names), 0);
	assert_int_equal(found(&r, RIG_ROOT, names[0]), -ENOENT);
	assert_int_equal(found(&r, RIG_ROOT, names[1]), 0);
	rig_commit(&r);
	rig_cut(&r, 30, check_one_name, NULL);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- errors of the device ------------------------------------------------------------------------------------ */

/* Whatever read fails: what says that it failed was not done, what says that it was done is there. */
static void test_read_errors(void **state)
{
	static const char name[] = "A name that is long enough for a border between blocks, and then for one more block of slots, "
		"which makes a hundred and some more units of it and so on to be quite sure that it is";

	unsigned failed = 0;

	(void)state;
	for (unsigned nth = 1; nth < 25; nth++) {
		struct fuseblk_node *node;
		struct rig r;
		uint64_t dir;
		int made, there;

		rig_make(&r, SIZE, FAT16_SMALL " && mmd -i $F ::d ::d/one ::d/two ::d/three '::d/a fourth one' ::d/b5");
		rig_mount(&r, false);
		dir = ino_of(&r, RIG_ROOT, "d");
		node = rig_node(&r, dir);
		assert_int_equal(rig_create(&r, RIG_ROOT, "the volume is in use now", FILE_MODE, NULL), 0);
		rig_commit(&r);
		fat_index_unload(r.vol, node);
		fb_cache_shrink(r.vol->cache);
		fb_device_fault_set(r.device, FB_FAULT_READ, nth, FB_FAULT_FAIL, false);
		made = rig_create(&r, dir, name, nth % 2 ? DIR_MODE : FILE_MODE, NULL);
		assert_true(made == 0 || made == -EIO);
		failed += made != 0;
		fb_device_fault_set(r.device, FB_FAULT_READ, 0, FB_FAULT_FAIL, false);
		fuseblk_node_put(node);
		there = found(&r, dir, name);
		assert_int_equal(there, made ? -ENOENT : 0);
		assert_int_equal(found(&r, dir, "three"), 0);
		rig_unmount(&r);
		rig_free(&r);
	}
	assert_true(failed > 0);
}

/* ---- any volume, at random ----------------------------------------------------------------------------------- */

#define ITEMS 60

struct item {
	bool there, dir;
};

static void item_name(unsigned i, char *name)
{
	memset(name, 0, 300);
	name_of(i, 5 + (i * 41) % 200, name);
}

static void check_listing(struct rig *r, uint64_t dir, const struct item *items)
{
	unsigned want = 2, listed = 0;
	char name[300];

	for (unsigned i = 0; i < ITEMS; i++) {
		item_name(i, name);
		want += items[i].there;
		assert_int_equal(found(r, dir, name) >= 0, items[i].there);
	}
	assert_int_equal(rig_list(r, dir, 5, count_name, &listed), want);
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
		err = rig_create(r, dir, name, item->dir ? DIR_MODE : FILE_MODE, NULL);
		if (err == -ENOSPC) {
			rig_commit(r);		/* as the library does */
			err = rig_create(r, dir, name, item->dir ? DIR_MODE : FILE_MODE, NULL);
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
		dir = make_dir(&r, RIG_ROOT, "the directory");
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
		check_listing(&r, ino_of(&r, RIG_ROOT, "the directory"), in_dir);
		for (unsigned i = 0; i < ITEMS; i++) {
			char name[300];

			item_name(i, name);
			assert_int_equal(found(&r, RIG_ROOT, name) >= 0, in_root[i].there);
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
	dir = make_dir(&r, RIG_ROOT, "d");
	do {
		snprintf(name, sizeof(name), "N%u", n);
		err = rig_create(&r, dir, name, FILE_MODE, NULL);
		n += !err;
		if (n % 4096 == 0)
			rig_commit(&r);
	} while (!err);
	assert_int_equal(err, -ENOSPC);
	assert_int_equal(n, FAT_DIR_SLOTS - 2);
	assert_int_equal(size_of(&r, dir), FAT_DIR_SLOTS * 32);
	assert_true(fat_indexes_bytes(fat_of(r.vol)) < 1u << 20);
	assert_int_equal(found(&r, dir, "n65533"), FUSEBLK_RESPELLED);
	assert_int_equal(rig_list(&r, dir, 1000, count_name, &listed), FAT_DIR_SLOTS);
	rig_unmount(&r);
	rig_free(&r);
}

/* ---- directories that lie ------------------------------------------------------------------------------ */

static void ignore_name(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	(void)arg;
	(void)name;
	(void)len;
	(void)ino;
	(void)type;
}

static void test_orphans(void **state)
{
	unsigned n = 0;
	uint8_t *slots;
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL " && mmd -i $F ::d '::d/A long name of many units'");
	slots = cluster(r.image, first_dir(r.image));
	/* ".", "..", two long slots, the short entry; now with a wrong checksum in one long slot */
	slots[2 * 32 + 13] ^= 0x55;
	rig_mount(&r, false);
	assert_int_equal(found(&r, ino_of(&r, RIG_ROOT, "d"), "A long name of many units"), -ENOENT);
	assert_true(found(&r, ino_of(&r, RIG_ROOT, "d"), "ALONGN~1") >= 0);
	assert_int_equal(rig_list(&r, ino_of(&r, RIG_ROOT, "d"), 10, count_name, &n), 3);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

static void test_slash(void **state)
{
	unsigned n = 0;
	uint8_t *slots;
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL " && mmd -i $F ::d '::d/A long name of many units'");
	slots = cluster(r.image, first_dir(r.image));
	slots[3 * 32 + 3] = '/';			/* the second unit */
	rig_mount(&r, false);
	assert_int_equal(rig_list(&r, ino_of(&r, RIG_ROOT, "d"), 10, count_name, &n), 3);
	assert_int_equal(found(&r, ino_of(&r, RIG_ROOT, "d"), "ALONGN~1"), 0);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

static void test_loop(void **state)
{
	unsigned c;
	uint8_t *table;
	struct rig r;

	(void)state;
	rig_make(&r, SIZE, FAT16_SMALL " && mmd -i $F ::d ::d/one");
	c = first_dir(r.image);
	put_garbage(cluster(r.image, c), 3, 16);
	table = image_bytes(r.image) + 512u * le16(image_bytes(r.image) + 14);
	table[2 * c] = (uint8_t)c;			/* the cluster leads to itself */
	table[2 * c + 1] = (uint8_t)(c >> 8);
	rig_mount(&r, false);
	assert_true(found(&r, ino_of(&r, RIG_ROOT, "d"), "one") >= 0);
	assert_int_equal(found(&r, ino_of(&r, RIG_ROOT, "d"), "two"), -EUCLEAN);
	assert_int_equal(rig_create(&r, ino_of(&r, RIG_ROOT, "d"), "two", FILE_MODE, NULL), -EUCLEAN);
	assert_true(rig_rmdir(&r, RIG_ROOT, "d") < 0);
	rig_list(&r, ino_of(&r, RIG_ROOT, "d"), 10, ignore_name, NULL);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

static void probe_all(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	struct rig *r = arg;
	char text[1025];
	uint64_t got;

	(void)ino;
	(void)type;
	memcpy(text, name, len);
	text[len] = 0;
	rig_lookup(r, RIG_ROOT, text, &got);
}

static void test_noise(void **state)
{
	struct rig r;

	(void)state;
	for (unsigned seed = 1; seed <= 60; seed++) {
		uint8_t *slots;
		char name[40];

		rig_make(&r, SIZE, FAT16_SMALL);
		r.seed = seed;
		slots = fixed_root(r.image);
		for (unsigned i = 0; i < 512 * 32; i++)
			slots[i] = (uint8_t)rig_random(&r, 256);
		for (unsigned i = 0; i < 512; i++) {
			static const uint8_t attrs[] = { 0x0f, 0x0f, 0x0f, 0x20, 0x10, 0x08, 0x3f };

			slots[i * 32 + 11] = attrs[rig_random(&r, 7)];
			if (slots[i * 32 + 11] == 0x0f && seed % 2)
				slots[i * 32] = (uint8_t)(rig_random(&r, 4) | (rig_random(&r, 2) << 6));
			if (!slots[i * 32] && rig_random(&r, 60))
				slots[i * 32] = FAT_NAME_DELETED;
		}
		rig_mount(&r, false);
		rig_list(&r, RIG_ROOT, 13, probe_all, &r);
		for (unsigned i = 0; i < 20; i++) {
			snprintf(name, sizeof(name), "name in the noise %u", i);
			if (rig_create(&r, RIG_ROOT, name, FILE_MODE, NULL) >= 0)
				assert_int_equal(found(&r, RIG_ROOT, name), 0);
			if (i % 2)
				rig_unlink(&r, RIG_ROOT, name);
		}
		rig_unmount_dirty(&r);
		rig_free(&r);
	}
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
	table = image_bytes(r->image) + 512u * le16(image_bytes(r->image) + 14);
	for (unsigned c = first; c < first + clusters; c++) {
		unsigned next = c + 1 < first + clusters ? c + 1 : 0xffff;

		table[2 * c] = (uint8_t)next;
		table[2 * c + 1] = (uint8_t)(next >> 8);
	}
	root = fixed_root(r->image);
	for (unsigned i = 0; i < LARGES; i++) {
		char name[12];

		snprintf(name, sizeof(name), "D%-10u", i);
		memcpy(root + i * 32, name, 11);
		root[i * 32 + 11] = FAT_ATTR_DIR;
		root[i * 32 + 26] = (uint8_t)first;
	}
	slot = cluster(r->image, first);
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
			assert_int_equal(found(&r, ino_of(&r, RIG_ROOT, name), "N19999"), 0);
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
		if (fb_node_get(l->r->vol, ino_of(l->r, RIG_ROOT, dir), &node))
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
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_listing),
		cmocka_unit_test(test_parent),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_most),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_slash),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
