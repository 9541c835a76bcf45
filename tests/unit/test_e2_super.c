// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_super.c: opening ext2 volumes: what mke2fs can make is read and
 * described; each feature bit is handled as the table says, by name; a
 * superblock or descriptor with any field changed is refused or survives use;
 * a read-only mount changes no byte.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../fs-ext2/super.h"
#include "../../libfuseblk/device.h"
#include "../../libfuseblk/node.h"
#include "../../libfuseblk/volume.h"
#include "../lib/image.h"

#define MIB (1ull << 20)

static const struct fuseblk_caller root = { .may_use_reserved = true };

static struct fuseblk_volume *try_open(struct image *image, const char *options, bool read_only,
				       char *error, size_t size)
{
	struct fuseblk_volume *vol = NULL;

	if (fb_volume_new(&e2_driver, image_device(image, read_only), "image", options, &vol, error, size))
		return NULL;
	return vol;
}

static struct fuseblk_volume *must_open(struct image *image, const char *options)
{
	char error[300];
	struct fuseblk_volume *vol = try_open(image, options, false, error, sizeof(error));

	if (!vol)
		fail_msg("%s", error);
	return vol;
}

static struct e2_disk_super *ds_of(struct image *image)
{
	return (struct e2_disk_super *)(image_bytes(image) + 1024);
}

static void fix_csum(struct image *image)
{
	struct e2_disk_super *ds = ds_of(image);

	if (e2_get32(ds->s_feature_ro_compat) & E2_RO_METADATA_CSUM)
		ds->s_checksum = e2_put32(e2_super_csum(ds));
}

/* Create a file and a directory, look at the volume, end it. Errors are allowed, nothing else. */
static void use(struct fuseblk_volume *vol, bool must_work)
{
	struct fuseblk_create dir = { .mode = S_IFDIR | 0755 }, file = { .mode = S_IFREG | 0644 };
	struct fuseblk_statfs st;
	struct fuseblk_node *node;
	uint64_t ino;
	int err;

	assert_int_equal(e2_statfs(vol, &st), 0);
	err = fb_volume_start(vol);
	if (must_work)
		assert_int_equal(err, 0);
	if (!fb_node_get(vol, E2_ROOT_INO, &node)) {
		if (!fb_volume_change_begin(vol)) {
			err = e2_create(vol, node, "d", 1, &dir, &root, &ino);
			if (!err)
				err = e2_create(vol, node, "f", 1, &file, &root, &ino);
			fb_volume_change_end(vol);
			if (must_work)
				assert_int_equal(err, 0);
		}
		fb_node_put(node);
	}
	for (ino = 1; ino < 16; ino++)
		if (!fb_node_get(vol, ino, &node))
			fb_node_put(node);
	fb_volume_stop(vol);
	fb_volume_free(vol);
}

/* ---- what mke2fs makes --------------------------------------------------------------- */

static const struct { const char *options; uint64_t size; bool read_only; } kinds[] = {
	{ "-t ext2 -b 1024", 8 * MIB, false },
	{ "-t ext2 -b 2048", 16 * MIB, false },
	{ "-t ext2 -b 4096", 32 * MIB, false },
	{ "-F -t ext2 -b 65536", 64 * MIB, false },
	{ "-t ext2 -r 0 -b 1024", 8 * MIB, false },
	{ "-t ext2 -b 1024 -I 128 -O none", 24 * MIB, false },
	{ "-t ext2 -b 1024 -g 1024 -O sparse_super2", 24 * MIB, false },
	{ "-t ext2 -b 1024 -g 256 -N 2048 -O meta_bg,^resize_inode", 24 * MIB, false },
	{ "-t ext3 -b 1024", 16 * MIB, false },
	{ "-t ext4 -b 1024", 16 * MIB, false },
	{ "-t ext4 -b 4096 -O ^has_journal", 64 * MIB, false },
	{ "-t ext4 -b 1024 -O ^has_journal,^64bit,^metadata_csum,uninit_bg", 40 * MIB, false },
	{ "-t ext4 -b 1024 -O ^has_journal,meta_bg,^resize_inode,^flex_bg", 40 * MIB, false },
	{ "-t ext4 -b 1024 -O metadata_csum_seed,large_dir,ea_inode,inline_data -I 512", 40 * MIB, false },
	{ "-t ext4 -b 1024 -O orphan_file", 40 * MIB, false },
	{ "-F -t ext4 -b 65536 -O ^has_journal", 128 * MIB, false },
	{ "-t ext4 -O bigalloc -b 1024 -C 16384", 40 * MIB, true },
	{ "-t ext4 -O bigalloc,^has_journal -b 4096 -C 65536", 40 * MIB, true },
	{ "-t ext4 -O quota,project", 40 * MIB, true },
};

static void test_kinds(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		char options[200];
		struct image *image;
		struct fuseblk_volume *vol;

		snprintf(options, sizeof(options), "%s -L label", kinds[i].options);
		image = image_mke2fs(options, kinds[i].size);
		vol = must_open(image, "");
		if (vol->info.read_only != kinds[i].read_only)
			fail_msg("%s: read_only %d", options, vol->info.read_only);
		assert_string_equal(vol->info.label, "label");
		use(vol, !kinds[i].read_only);
		assert_int_equal(image_e2fsck(image, "-fn"), 0);
		image_free(image);
	}
}

/* What lies where agrees with the bitmaps that mke2fs wrote: a new volume has nothing but metadata and a few files. */
static void test_layout(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		struct image *image = image_mke2fs(kinds[i].options, kinds[i].size);
		struct fuseblk_volume *vol = must_open(image, "ro");
		struct e2_super *sb = e2_sb(vol);
		uint8_t *bits = malloc(sb->block_size);

		for (uint32_t g = 0; g < sb->groups_count && !sb->cluster_bits; g++) {
			const uint8_t *disk = image_bytes(image) + (sb->groups[g].block_bitmap << sb->block_bits);

			e2_bitmap_initial(sb, g, bits);
			for (uint32_t n = 0; n < e2_group_blocks(sb, g); n++)
				if (e2_bit_test(bits, n) != !e2_block_is_data(sb, e2_group_first(sb, g) + n, 1) ||
				    (e2_bit_test(bits, n) && !e2_bit_test(disk, n) &&
				     !(sb->groups[g].flags & E2_BG_BLOCK_UNINIT)))
					fail_msg("%s: group %u bit %u", kinds[i].options, g, n);
		}
		free(bits);
		fb_volume_free(vol);
		image_free(image);
	}
}

static void test_read_only_changes_nothing(void **state)
{
	static const char *const options[] = { "ro", "ro,minixdf", "ro,sb=8193" };
	struct image *image = image_mke2fs("-t ext4 -b 1024 -O ^has_journal", 24 * MIB);
	struct image *copy = image_copy(image);

	(void)state;
	for (int i = 0; i < 3; i++) {
		struct fuseblk_volume *vol = must_open(image, options[i]);

		use(vol, false);
		assert_memory_equal(image_bytes(image), image_bytes(copy), image_size(image));
	}
	image_free(copy);
	image_free(image);
}

static void test_backup_superblock(void **state)
{
	struct image *image = image_mke2fs("-t ext2 -b 1024", 24 * MIB);
	struct fuseblk_volume *vol;
	char error[300];

	(void)state;
	memset(image_bytes(image) + 1024, 0, 1024);
	assert_null(try_open(image, "", false, error, sizeof(error)));
	assert_non_null(strstr(error, "no superblock"));
	vol = must_open(image, "sb=8193");
	assert_true(vol->info.read_only);
	fb_volume_free(vol);
	image_free(image);
}

/* ---- features -------------------------------------------------------------------------- */

static void set_feature(struct image *image, enum e2_feature_word word, uint32_t bit)
{
	struct e2_disk_super *ds = ds_of(image);
	e2_le32 *words[] = { &ds->s_feature_compat, &ds->s_feature_incompat, &ds->s_feature_ro_compat };

	*words[word] = e2_put32(e2_get32(*words[word]) | bit);
	fix_csum(image);
}

/* Setting a bit alone does not make a sound volume of that kind: but its mode must show, and its name. */
static void test_feature_table(void **state)
{
	struct image *base = image_mke2fs("-t ext2 -b 1024", 8 * MIB);

	(void)state;
	for (const struct e2_feature *f = e2_features; f->name; f++) {
		struct image *image = image_copy(base);
		struct fuseblk_volume *vol;
		char error[300] = "";

		set_feature(image, f->word, f->bit);
		vol = try_open(image, "", false, error, sizeof(error));
		if (f->mode == E2_FEATURE_REFUSED && (vol || !strstr(error, f->name)))
			fail_msg("%s is not refused by name: %s", f->name, error);
		if (vol && f->mode == E2_FEATURE_RO &&
		    (!vol->info.read_only || !strstr(vol->info.read_only_reason, f->name)))
			fail_msg("%s is not read-only by name", f->name);
		if (vol)
			fb_volume_free(vol);
		image_free(image);
	}
	image_free(base);
}

static void test_unknown_features(void **state)
{
	char text[200];

	(void)state;
	assert_int_equal(e2_features_check(1u << 31, 1u << 30, 1u << 29, text, sizeof(text)), E2_FEATURE_REFUSED);
	assert_string_equal(text, "FEATURE_C31, FEATURE_I30, FEATURE_R29");
	assert_int_equal(e2_features_check(0, E2_IN_CASEFOLD | E2_IN_ENCRYPT, 0, text, sizeof(text)),
			 E2_FEATURE_REFUSED);
	assert_string_equal(text, "encrypt, casefold");
	assert_int_equal(e2_features_check(0, 0, E2_RO_QUOTA, text, sizeof(text)), E2_FEATURE_RO);
	assert_string_equal(text, "quota");
	assert_int_equal(e2_features_check(E2_COMPAT_EXT_ATTR, E2_IN_FILETYPE, E2_RO_SPARSE_SUPER, text,
					   sizeof(text)), E2_FEATURE_RW);
}

static void test_dirty_journal(void **state)
{
	struct image *image = image_mke2fs("-t ext3 -b 1024", 16 * MIB);
	struct fuseblk_volume *vol;
	char error[300];

	(void)state;
	set_feature(image, E2_WORD_INCOMPAT, E2_IN_RECOVER);
	assert_null(try_open(image, "", false, error, sizeof(error)));
	assert_non_null(strstr(error, "e2fsck -p"));
	assert_null(try_open(image, "ro", false, error, sizeof(error)));
	vol = must_open(image, "ro,norecovery");
	fb_volume_free(vol);
	vol = must_open(image, "noload");
	assert_true(vol->info.read_only);
	fb_volume_free(vol);
	image_free(image);
}

static void test_options(void **state)
{
	static const struct { const char *options, *named; } bad[] = {
		{ "dax", "dax" }, { "usrquota", "quota" }, { "data=journal", "data=journal" },
		{ "journal_dev=0x801", "journal_dev" }, { "errors=explode", "errors" },
		{ "resuid=x", "resuid" }, { "nosuchoption", "nosuchoption" },
	};
	struct image *image = image_mke2fs("-t ext2 -b 1024", 8 * MIB);
	struct fuseblk_volume *vol;
	char error[300];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_null(try_open(image, bad[i].options, false, error, sizeof(error)));
		if (!strstr(error, bad[i].named))
			fail_msg("%s: %s", bad[i].options, error);
	}
	vol = must_open(image, "check=none,nocheck,debug,oldalloc,orlov,barrier=1,nobarrier,delalloc,data=ordered,"
			"stripe=4,inode_readahead_blks=8,noquota,resuid=7,resgid=8,grpid,minixdf,noacl,nouser_xattr,"
			"discard,nouid32,errors=continue,norecovery");
	assert_int_equal(e2_sb(vol)->options.grpid, 1);
	assert_true(e2_may_use_reserved(vol, 7, 1));
	assert_true(e2_may_use_reserved(vol, 1, 8));
	assert_false(e2_may_use_reserved(vol, 1, 1));
	assert_int_equal(vol->errors, FUSEBLK_ERRORS_CONTINUE);
	fb_volume_free(vol);
	image_free(image);
}

static void test_label(void **state)
{
	struct image *image = image_mke2fs("-t ext4 -b 1024 -O ^has_journal -L before", 8 * MIB);
	struct fuseblk_volume *vol = must_open(image, "");
	char label[17];

	(void)state;
	assert_int_equal(fb_volume_start(vol), 0);
	e2_label_get(e2_sb(vol), label);
	assert_string_equal(label, "before");
	assert_int_equal(fb_volume_change_begin(vol), 0);
	assert_int_equal(e2_label_set(e2_sb(vol), "seventeen letters", 17), -EINVAL);
	assert_int_equal(e2_label_set(e2_sb(vol), "sixteen  letters", 16), 0);
	fb_volume_change_end(vol);
	e2_label_get(e2_sb(vol), label);
	assert_string_equal(label, "sixteen  letters");
	assert_int_equal(fb_volume_stop(vol), 0);
	fb_volume_free(vol);
	assert_memory_equal(ds_of(image)->s_volume_name, "sixteen  letters", 16);
	assert_int_equal(image_e2fsck(image, "-fn"), 0);
	image_free(image);
}

/* The state, the counts and the times of a superblock through a mount, and through damage. */
static void test_marks(void **state)
{
	struct image *image = image_mke2fs("-t ext2 -b 1024", 8 * MIB);
	struct e2_disk_super *ds = ds_of(image);
	struct fuseblk_volume *vol = must_open(image, "errors=continue");
	uint16_t mounts = e2_get16(ds->s_mnt_count);

	(void)state;
	assert_int_equal(e2_get16(ds->s_state), E2_VALID_FS);
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(e2_get16(ds->s_state), 0);
	assert_int_equal(e2_get16(ds->s_mnt_count), mounts + 1);
	assert_int_equal(fb_volume_stop(vol), 0);
	assert_int_equal(e2_get16(ds->s_state), E2_VALID_FS);
	fb_volume_free(vol);
	vol = must_open(image, "errors=continue");
	assert_int_equal(fb_volume_start(vol), 0);
	assert_int_equal(e2_corrupt(e2_sb(vol), 12, "a test"), -EUCLEAN);
	fb_volume_stop(vol);
	fb_volume_free(vol);
	assert_true(e2_get16(ds->s_state) & E2_ERROR_FS);
	assert_int_equal(e2_get32(ds->s_error_count), 1);
	assert_int_equal(image_e2fsck(image, "-p"), 1);
	assert_int_equal(image_e2fsck(image, "-fn"), 0);
	image_free(image);
}

/* ---- bad input --------------------------------------------------------------------------- */

static void test_short_device(void **state)
{
	struct image *whole = image_mke2fs("-t ext2 -b 1024", 8 * MIB);
	static const uint64_t sizes[] = { 512, 1024, 1536, 2047, 2048, 4096, 65536, 4 * MIB, 8 * MIB - 1024 };

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct image *image = image_of_bytes(image_bytes(whole), sizes[i]);
		char error[300] = "";

		assert_null(try_open(image, "", false, error, sizeof(error)));
		assert_true(error[0]);
		image_free(image);
	}
	image_free(whole);
}

/* Change @len bytes at @off of a copy; open, and use what opens. */
static bool survive(struct image *base, struct image *image, uint64_t off, const void *bytes, size_t len,
		    bool with_csum)
{
	struct fuseblk_volume *vol;
	char error[300] = "";

	memcpy(image_bytes(image), image_bytes(base), image_size(base));
	memcpy(image_bytes(image) + off, bytes, len);
	if (with_csum)
		fix_csum(image);
	vol = try_open(image, "errors=continue", false, error, sizeof(error));
	if (!vol && !error[0])
		fail_msg("byte %llu: refused without a reason", (unsigned long long)off);
	if (vol)
		use(vol, false);
	return vol != NULL;
}

static const uint32_t values[] = { 0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x10000, 0x7FFFFFFF,
				   0x80000000, 0xFFFFFFFF };

static unsigned sweep(const char *options, uint64_t size, uint64_t from, uint64_t to, bool csum)
{
	struct image *base = image_mke2fs(options, size), *image = image_copy(base);
	unsigned opened = 0;

	for (uint64_t off = from; off < to; off += 4)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			e2_le32 le = e2_put32(values[i]);

			opened += survive(base, image, off, &le, sizeof(le), csum);
		}
	for (uint64_t off = from; off < to; off += 2) {
		static const uint8_t ones[2] = { 0xFF, 0xFF }, zeros[2], low[2] = { 1, 0 };

		opened += survive(base, image, off, ones, 2, csum);
		opened += survive(base, image, off, zeros, 2, csum);
		opened += survive(base, image, off, low, 2, csum);
	}
	image_free(image);
	image_free(base);
	return opened;
}

static void test_hostile_super(void **state)
{
	(void)state;
	/* to the end of what has a meaning */
	assert_in_range(sweep("-t ext2 -b 1024 -N 64", MIB / 2, 1024, 1024 + 0x284, false), 100, 4000);
	assert_in_range(sweep("-t ext4 -b 1024 -N 64 -O ^has_journal", MIB / 2, 1024, 1024 + 0x160, true),
			100, 4000);
}

static void test_hostile_descriptors(void **state)
{
	(void)state;
	assert_in_range(sweep("-t ext2 -b 1024 -N 64 -g 256", MIB / 2, 2048, 2048 + 64, false), 1, 4000);
	assert_in_range(sweep("-t ext4 -b 1024 -N 64 -O ^has_journal,^metadata_csum,^uninit_bg", MIB / 2, 2048,
			      2048 + 64, false), 1, 4000);
}

/* The root's inode and bitmaps. */
static void test_hostile_root(void **state)
{
	struct image *base = image_mke2fs("-t ext2 -b 1024 -N 64", MIB / 2);
	struct fuseblk_volume *vol = must_open(base, "ro");
	struct e2_super *sb = e2_sb(vol);
	uint64_t table = sb->groups[0].inode_table << 10, bitmap = sb->groups[0].block_bitmap << 10;
	uint32_t inode_size = sb->inode_size;
	struct image *image = image_copy(base);

	(void)state;
	fb_volume_free(vol);
	for (uint64_t off = table + inode_size; off < table + 2 * inode_size; off += 4)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			e2_le32 le = e2_put32(values[i]);

			survive(base, image, off, &le, sizeof(le), false);
		}
	for (uint64_t off = bitmap; off < bitmap + 2048; off += 64)
		survive(base, image, off, &(e2_le32){ { 0, 0, 0, 0 } }, 4, false);
	image_free(image);
	image_free(base);
}

static void test_dead_root(void **state)
{
	static const struct { size_t off; uint32_t value; } damage[] = {
		{ offsetof(struct e2_disk_inode, i_mode), 0100644 },
		{ offsetof(struct e2_disk_inode, i_links_count), 0 },
		{ offsetof(struct e2_disk_inode, i_size_lo), 0 },
		{ offsetof(struct e2_disk_inode, i_block), 0 },
		{ offsetof(struct e2_disk_inode, i_block), 1 },
		{ offsetof(struct e2_disk_inode, i_block), 0x7FFFFFFF },
	};
	struct image *base = image_mke2fs("-t ext2 -b 1024 -N 64", MIB / 2);
	struct fuseblk_volume *vol = must_open(base, "ro");
	uint64_t at = (e2_sb(vol)->groups[0].inode_table << 10) + e2_sb(vol)->inode_size;

	(void)state;
	fb_volume_free(vol);
	for (size_t i = 0; i < sizeof(damage) / sizeof(damage[0]); i++) {
		struct image *image = image_copy(base);
		e2_le32 le = e2_put32(damage[i].value);
		char error[300];

		memcpy(image_bytes(image) + at + damage[i].off, &le, damage[i].off < 4 ? 2 : 4);
		assert_null(try_open(image, "", false, error, sizeof(error)));
		assert_non_null(strstr(error, "root directory"));
		image_free(image);
	}
	image_free(base);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_layout),
		cmocka_unit_test(test_read_only_changes_nothing),
		cmocka_unit_test(test_backup_superblock),
		cmocka_unit_test(test_feature_table),
		cmocka_unit_test(test_unknown_features),
		cmocka_unit_test(test_dirty_journal),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_label),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_short_device),
		cmocka_unit_test(test_hostile_super),
		cmocka_unit_test(test_hostile_descriptors),
		cmocka_unit_test(test_hostile_root),
		cmocka_unit_test(test_dead_root),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
