// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_dir_damage.c: directories of FAT in bad times: bytes behind the end
 * mark, cuts of the power, errors of the device, and directories that lie.
 */
#include "fat_dir_rig.h"
#include "../../fs-fat/dir_impl.h"
#include <errno.h>
#include <stdio.h>
#include <string.h>

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
	assert_true(rig_found(after, RIG_ROOT, "kept") >= 0);
}

static void test_garbage(void **state)
{
	char name[300];
	unsigned n = 0;
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16 " && mmd -i $F ::kept");
	put_garbage(rig_fixed_root(r.image), 3, 512);
	rig_mount(&r, true);
	assert_int_equal(rig_list(&r, RIG_ROOT, 1000, assert_no_garbage, &n), 3);
	assert_int_equal(rig_found(&r, RIG_ROOT, "GARBAGEA.A"), -ENOENT);
	for (unsigned i = 0; i < 30; i++) {
		rig_name(i, 3 + (i * 29) % 120, name);
		assert_true(rig_create(&r, RIG_ROOT, name, RIG_FILE, NULL) >= 0);
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
	dir = rig_ino(after, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "kept through it all, number %u", i);
		assert_int_equal(rig_found(after, dir, name), 0);
	}
}

static void test_cuts(void **state)
{
	uint64_t dir, sub;
	char name[300];
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16);
	rig_mount(&r, false);
	dir = rig_mkdir(&r, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "kept through it all, number %u", i);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
		snprintf(name, sizeof(name), "to go away, number %u", i);
		assert_int_equal(rig_create(&r, dir, name, i % 3 ? RIG_FILE : RIG_DIR, NULL), 0);
	}
	rig_unmount(&r);
	rig_mount(&r, true);
	dir = rig_ino(&r, RIG_ROOT, "dir");
	for (unsigned i = 0; i < KEPT; i++) {
		snprintf(name, sizeof(name), "to go away, number %u", i);
		if (i % 3)
			assert_int_equal(rig_unlink(&r, dir, name), 0);
		else
			assert_int_equal(rig_rmdir(&r, dir, name), 0);
		rig_name(i, 5 + i * 5, name);
		assert_int_equal(rig_create(&r, dir, name, RIG_FILE, NULL), 0);
		snprintf(name, sizeof(name), "new directory %u", i);
		sub = rig_mkdir(&r, dir, name);
		assert_int_equal(rig_create(&r, sub, "in it", RIG_FILE, NULL), 0);
		snprintf(name, sizeof(name), "new directory %u", i / 2);
		if (i % 4 == 3) {
			sub = rig_ino(&r, dir, name);
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
	bool before = rig_found(after, RIG_ROOT, names_for_rename[0]) >= 0;
	bool now = rig_found(after, RIG_ROOT, names_for_rename[1]) >= 0;

	(void)arg;
	assert_true(before != now);
}

static void test_switch(void **state)
{
	static const char *const names[] = { "Name before", "Name from then on" };
	struct rig r;

	(void)state;
	names_for_rename = names;
	rig_make(&r, RIG_SIZE, RIG_FAT16 " && echo x >$F.x && mcopy -i $F $F.x '::Name before'; rm $F.x");
	rig_mount(&r, true);
	assert_int_equal(rig_change(&r, RIG_ROOT, rename_step, (void *)names), 0);
	assert_int_equal(rig_found(&r, RIG_ROOT, names[0]), -ENOENT);
	assert_int_equal(rig_found(&r, RIG_ROOT, names[1]), 0);
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

		rig_make(&r, RIG_SIZE, RIG_FAT16 " && mmd -i $F ::d ::d/one ::d/two ::d/three '::d/a fourth one' ::d/b5");
		rig_mount(&r, false);
		dir = rig_ino(&r, RIG_ROOT, "d");
		node = rig_node(&r, dir);
		assert_int_equal(rig_create(&r, RIG_ROOT, "the volume is in use now", RIG_FILE, NULL), 0);
		rig_commit(&r);
		fat_index_unload(r.vol, node);
		fb_cache_shrink(r.vol->cache);
		fb_device_fault_set(r.device, FB_FAULT_READ, nth, FB_FAULT_FAIL, false);
		made = rig_create(&r, dir, name, nth % 2 ? RIG_DIR : RIG_FILE, NULL);
		assert_true(made == 0 || made == -EIO);
		failed += made != 0;
		fb_device_fault_set(r.device, FB_FAULT_READ, 0, FB_FAULT_FAIL, false);
		fuseblk_node_put(node);
		there = rig_found(&r, dir, name);
		assert_int_equal(there, made ? -ENOENT : 0);
		assert_int_equal(rig_found(&r, dir, "three"), 0);
		rig_unmount(&r);
		rig_free(&r);
	}
	assert_true(failed > 0);
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

/* A volume with a directory "d" of one long name; its slots: ".", "..", two long slots, the short entry. */
static uint8_t *make_long_name(struct rig *r)
{
	rig_make(r, RIG_SIZE, RIG_FAT16 " && mmd -i $F ::d '::d/A long name of many units'");
	return rig_cluster(r->image, rig_first_dir(r->image));
}

/* ".", ".." and one more are listed in "d". */
static void check_three_names(struct rig *r)
{
	unsigned n = 0;

	assert_int_equal(rig_list(r, rig_ino(r, RIG_ROOT, "d"), 10, rig_count_name, &n), 3);
}

static void test_orphans(void **state)
{
	struct rig r;

	(void)state;
	make_long_name(&r)[2 * 32 + 13] ^= 0x55;	/* a wrong checksum in one long slot */
	rig_mount(&r, false);
	assert_int_equal(rig_found(&r, rig_ino(&r, RIG_ROOT, "d"), "A long name of many units"), -ENOENT);
	assert_true(rig_found(&r, rig_ino(&r, RIG_ROOT, "d"), "ALONGN~1") >= 0);
	check_three_names(&r);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

static void test_slash(void **state)
{
	struct rig r;

	(void)state;
	make_long_name(&r)[3 * 32 + 3] = '/';		/* the second unit */
	rig_mount(&r, false);
	check_three_names(&r);
	assert_int_equal(rig_found(&r, rig_ino(&r, RIG_ROOT, "d"), "ALONGN~1"), 0);
	rig_unmount_dirty(&r);
	rig_free(&r);
}

static void test_loop(void **state)
{
	unsigned c;
	uint8_t *table;
	struct rig r;

	(void)state;
	rig_make(&r, RIG_SIZE, RIG_FAT16 " && mmd -i $F ::d ::d/one");
	c = rig_first_dir(r.image);
	put_garbage(rig_cluster(r.image, c), 3, 16);
	table = image_bytes(r.image) + 512u * rig_le16(image_bytes(r.image) + 14);
	table[2 * c] = (uint8_t)c;			/* the cluster leads to itself */
	table[2 * c + 1] = (uint8_t)(c >> 8);
	rig_mount(&r, false);
	assert_true(rig_found(&r, rig_ino(&r, RIG_ROOT, "d"), "one") >= 0);
	assert_int_equal(rig_found(&r, rig_ino(&r, RIG_ROOT, "d"), "two"), -EUCLEAN);
	assert_int_equal(rig_create(&r, rig_ino(&r, RIG_ROOT, "d"), "two", RIG_FILE, NULL), -EUCLEAN);
	assert_true(rig_rmdir(&r, RIG_ROOT, "d") < 0);
	rig_list(&r, rig_ino(&r, RIG_ROOT, "d"), 10, ignore_name, NULL);
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

		rig_make(&r, RIG_SIZE, RIG_FAT16);
		r.seed = seed;
		slots = rig_fixed_root(r.image);
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
			if (rig_create(&r, RIG_ROOT, name, RIG_FILE, NULL) >= 0)
				assert_int_equal(rig_found(&r, RIG_ROOT, name), 0);
			if (i % 2)
				rig_unlink(&r, RIG_ROOT, name);
		}
		rig_unmount_dirty(&r);
		rig_free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_garbage),
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_switch),
		cmocka_unit_test(test_read_errors),
		cmocka_unit_test(test_orphans),
		cmocka_unit_test(test_slash),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_noise),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
