// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_dirblock.c: one block of a directory: room found and used in turn,
 * blocks of 64 KiB, and damage of every kind: whatever bytes a directory's
 * blocks hold, each operation ends, with an error or without, and touches nothing
 * outside them (the sanitizers watch).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_dir_rig.h"

static struct rig rig;

/* ---- record lengths ------------------------------------------------------------- */

static void test_rec_len(void **state)
{
	struct e2_super small = { .block_size = 4096 }, large = { .block_size = 65536 };
	static const uint32_t lengths[] = { 12, 4096, 32768, 65532, 65536 };

	(void)state;
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(e2_rec_len_get(&large, e2_rec_len_put(&large, lengths[i])), lengths[i]);
	assert_int_equal(e2_rec_len_get(&large, e2_put16(0)), 65536);
	assert_int_equal(e2_rec_len_get(&small, e2_put16(0)), 0);
	assert_int_equal(e2_rec_len_get(&small, e2_put16(4096)), 4096);
}

static void test_types(void **state)
{
	(void)state;
	assert_int_equal(e2_dt_of_type(e2_type_of_mode(S_IFSOCK)), S_IFSOCK >> 12);
	assert_int_equal(e2_dt_of_type(e2_type_of_mode(S_IFDIR)), S_IFDIR >> 12);
	assert_int_equal(e2_dt_of_type(200), 0);
	assert_int_equal(e2_type_of_mode(0), E2_FT_UNKNOWN);
}

/* ---- room --------------------------------------------------------------------------- */

static uint64_t make_dir(const char *name)
{
	uint64_t ino;

	assert_int_equal(rig_create(&rig, E2_ROOT_INO, name, S_IFDIR | 0755, &ino), 0);
	return ino;
}

static uint64_t dir_size(uint64_t ino)
{
	struct fuseblk_node *node = rig_node(&rig, ino);
	uint64_t size = e2_i(node)->size;

	fb_node_put(node);
	return size;
}

static void churn(uint64_t dir, unsigned rounds, bool commit)
{
	char name[20];

	for (unsigned i = 0; i < rounds; i++) {
		snprintf(name, sizeof(name), "t%u", i % 7);
		assert_int_equal(rig_create(&rig, dir, name, S_IFREG | 0644, NULL), 0);
		assert_int_equal(rig_unlink(&rig, dir, name), 0);
		if (commit)
			rig_commit(&rig);
	}
}

/* Slots are used again: at once if nothing durable has a name in them, else after a commit. */
static void test_reuse(void **state)
{
	uint64_t dir;

	(void)state;
	rig_make(&rig, "-t ext4 -b 4096 -O ^has_journal,metadata_csum", 16u << 20, 1);
	rig_mount(&rig, false);
	dir = make_dir("d");
	rig_commit(&rig);
	churn(dir, 300, true);
	assert_int_equal(dir_size(dir), 4096);
	churn(dir, 2000, false);
	assert_true(dir_size(dir) <= 8 * 4096);
	rig_unmount(&rig);
	rig_free(&rig);
}

/* Names that hit the limits. */
static void test_names(void **state)
{
	char name[300];
	uint64_t dir, ino;

	(void)state;
	rig_make(&rig, "-t ext4 -b 1024 -O ^has_journal", 16u << 20, 1);
	rig_mount(&rig, false);
	dir = make_dir("d");
	memset(name, 'n', sizeof(name));
	name[256] = 0;
	assert_int_equal(rig_create(&rig, dir, name, S_IFREG, &ino), -ENAMETOOLONG);
	assert_int_equal(rig_lookup(&rig, dir, name, &ino), -ENAMETOOLONG);
	name[255] = 0;
	assert_int_equal(rig_create(&rig, dir, name, S_IFREG, &ino), 0);
	assert_int_equal(rig_create(&rig, dir, "..", S_IFREG, &ino), -EEXIST);
	assert_int_equal(rig_create(&rig, ino, "x", S_IFREG, NULL), -ENOTDIR);
	assert_int_equal(rig_lookup(&rig, dir, "..", &ino), 0);
	assert_int_equal(ino, E2_ROOT_INO);
	assert_int_equal(rig_lookup(&rig, dir, ".", &ino), 0);
	assert_int_equal(ino, dir);
	rig_unmount(&rig);
	rig_free(&rig);
}

static void check_link(uint64_t dir, const char *name, const char *target)
{
	struct fuseblk_node *node;
	char text[5000];
	uint64_t ino;

	assert_int_equal(rig_create_to(&rig, dir, name, S_IFLNK | 0777, target, &ino), 0);
	node = rig_node(&rig, ino);
	assert_int_equal(e2_readlink(rig.vol, node, text, sizeof(text)), strlen(target));
	assert_memory_equal(text, target, strlen(target));
	assert_int_equal(e2_readlink(rig.vol, node, text, 1), 1);
	fb_node_put(node);
}

static void test_symlinks(void **state)
{
	static const char *const kinds[] = { "-t ext2 -b 1024", "-t ext4 -b 1024 -O ^has_journal,metadata_csum",
					     "-t ext4 -b 4096 -O ^has_journal,inline_data" };
	static const unsigned lengths[] = { 1, 58, 59, 60, 61, 1022, 1023 };
	char target[1100], name[20];

	(void)state;
	for (unsigned i = 0; i < 3; i++) {
		rig_make(&rig, kinds[i], 16u << 20, 1);
		rig_mount(&rig, false);
		for (unsigned k = 0; k < 7; k++) {
			memset(target, 't', sizeof(target));
			target[lengths[k]] = 0;
			snprintf(name, sizeof(name), "l%u", k);
			check_link(E2_ROOT_INO, name, target);
		}
		memset(target, 't', sizeof(target));
		target[1024] = 0;
		if (i < 2)
			assert_int_equal(rig_create_to(&rig, E2_ROOT_INO, "m", S_IFLNK, target, NULL), -ENAMETOOLONG);
		assert_int_equal(rig_create_to(&rig, E2_ROOT_INO, "m", S_IFLNK, "", NULL), -ENOENT);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

static void ignore(void *arg, const char *name, size_t len, uint64_t ino, unsigned char type)
{
	unsigned *sum = arg;

	(void)ino;
	(void)type;
	for (size_t i = 0; i < len; i++)
		*sum += (unsigned char)name[i];
}

/* ---- inline directories ----------------------------------------------------------------- */

static unsigned list(const char *name, uint64_t *ino)
{
	unsigned sum = 0;
	int n;

	assert_int_equal(rig_lookup(&rig, E2_ROOT_INO, name, ino), 0);
	n = rig_list(&rig, *ino, 2, ignore, &sum);
	assert_true(n >= 2);
	return (unsigned)n - 2;
}

static bool is_inline(uint64_t ino)
{
	struct fuseblk_node *node = rig_node(&rig, ino);
	bool yes = e2_dir_is_inline(e2_i(node));

	fb_node_put(node);
	return yes;
}

/* debugfs does not put names into system.data: done here, as the kernel does it. */
static void extend_inline(uint64_t dir)
{
	struct fuseblk_node *node = rig_node(&rig, dir);
	struct e2_inode *ei = e2_i(node);
	uint8_t more[36] = { 0 };
	uint64_t ino;

	assert_int_equal(rig_create(&rig, E2_ROOT_INO, "other", S_IFIFO | 0644, &ino), 0);
	e2_dent_put(ei->sb, more, 0, 12, (uint32_t)ino, E2_FT_FIFO, "f-5", 3);
	e2_dent_put(ei->sb, more, 12, 24, (uint32_t)ino, E2_FT_FIFO, "f-6", 3);
	assert_int_equal(fb_volume_change_begin(rig.vol), 0);
	assert_int_equal(e2_xattr_data_set(ei, more, sizeof(more)), 0);
	ei->size = sizeof(ei->i_block) + sizeof(more);
	assert_int_equal(e2_store_map(ei, E2_ADD), 0);
	fuseblk_node_changed(node);
	fb_volume_change_end(rig.vol);
	fb_node_put(node);
	node = rig_node(&rig, ino);
	assert_int_equal(fb_volume_change_begin(rig.vol), 0);
	assert_int_equal(e2_links_add(e2_i(node), 1), 0);
	assert_int_equal(e2_links_add(e2_i(node), 1), 0);
	fb_volume_change_end(rig.vol);
	fb_node_put(node);
}

static void make_inline(const char *options)
{
	uint64_t large;

	rig_make(&rig, options, 8u << 20, 1);
	rig_debugfs(&rig, "mkdir small\\nmkdir large\\nmkdir none\\nmkdir moved\\n"
		    "cd small\\nmknod f-1 p\\nmknod f-2 p\\n"
		    "cd /large\\nmknod f-1 p\\nmknod f-2 p\\nmknod f-3 p\\nmkdir sub\\n");
	rig_mount(&rig, false);
	assert_int_equal(rig_lookup(&rig, E2_ROOT_INO, "large", &large), 0);
	assert_true(is_inline(large));
	extend_inline(large);
	rig_unmount(&rig);
}

static void test_inline(void **state)
{
	static const char *const kinds[] = { "-t ext4 -b 1024 -O ^has_journal,inline_data",
					     "-t ext4 -b 4096 -I 512 -O ^has_journal,inline_data,^dir_index" };
	uint64_t small, large, none, moved, ino;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		make_inline(kinds[i]);
		rig_mount(&rig, true);
		assert_int_equal(list("small", &small), 2);
		assert_int_equal(list("large", &large), 6);
		assert_int_equal(list("none", &none), 0);
		assert_int_equal(list("moved", &moved), 0);
		assert_true(is_inline(small) && is_inline(large) && is_inline(none));
		for (unsigned k = 0; k < 2; k++) {
			assert_int_equal(rig_unlink(&rig, k ? large : small, "f-2"), 0);
			assert_int_equal(rig_lookup(&rig, k ? large : small, "f-2", &ino), -ENOENT);
		}
		assert_int_equal(rig_unlink(&rig, large, "f-6"), 0);
		assert_true(is_inline(small) && is_inline(large));
		assert_int_equal(rig_rmdir(&rig, E2_ROOT_INO, "none"), 0);
		/* with a name removed in this epoch a commit must come first */
		rig.again = 0;
		assert_int_equal(rig_create(&rig, small, "f-2", S_IFREG | 0644, NULL), 0);
		assert_int_equal(rig.again, 1);
		assert_false(is_inline(small));
		rig_commit(&rig);
		assert_int_equal(rig_rename(&rig, small, "f-1", large, "f-5", 0), 0);
		assert_int_equal(rig_rename(&rig, E2_ROOT_INO, "moved", large, "moved", 0), 0);
		assert_int_equal(list("large", &large), 5);
		rig_commit(&rig);
		rig.may_move_dirs = true;
		rig_cut(&rig, 30);
		rig_unmount(&rig);
		rig_free(&rig);
	}
}

/* ---- damage --------------------------------------------------------------------------- */

static bool ignore_fill(void *ctx, const char *name, size_t len, uint64_t ino, unsigned char type, uint64_t next)
{
	(void)next;
	ignore(ctx, name, len, ino, type);
	return true;
}

/* Every operation on directory @dir; the outcomes do not matter. */
static void use(uint64_t dir)
{
	struct fuseblk_node *node;
	char name[64];
	uint64_t ino;
	unsigned sum = 0;

	if (fb_node_get(rig.vol, dir, &node))
		return;
	for (uint64_t cookie = 0; cookie < 5000; cookie += 777)
		e2_readdir(rig.vol, node, cookie, ignore_fill, &sum);
	fb_node_put(node);
	for (unsigned i = 0; i < 12; i++) {
		snprintf(name, sizeof(name), "name-%u-%s", i * 9, "pppppppppppppppppppppppppppp");
		rig_lookup(&rig, dir, name, &ino);
		snprintf(name, sizeof(name), "more-%u", i);
		rig_create(&rig, dir, name, i % 3 ? S_IFREG | 0644 : S_IFDIR | 0755, &ino);
		if (i % 4 == 0)
			rig_commit(&rig);
		if (i % 2)
			rig_rename(&rig, dir, name, dir, "moved", 0);
		if (i % 3 == 2)
			rig_unlink(&rig, dir, "moved");
	}
	node = rig_node(&rig, dir);
	e2_dir_is_empty(e2_i(node));
	fb_node_put(node);
}

static void mount_damaged(void)
{
	char error[300];

	assert_int_equal(fb_device_open_fault(image_device(rig.image, false), &rig.device), 0);
	assert_int_equal(fb_volume_new(&e2_driver, rig.device, "image", "errors=continue", &rig.vol,
				       error, sizeof(error)), 0);
	assert_int_equal(fb_volume_start(rig.vol), 0);
}

static void unmount_damaged(void)
{
	fb_node_forget_all(rig.vol);
	fb_volume_stop(rig.vol);
	fb_volume_free(rig.vol);
}

/* Where the blocks of @dir lie. */
static unsigned find_blocks(uint64_t dir, uint64_t *block, unsigned max)
{
	struct fuseblk_node *node = rig_node(&rig, dir);
	struct e2_inode *ei = e2_i(node);
	unsigned n = 0;

	while (n < max && n < e2_dir_blocks(ei)) {
		assert_int_equal(e2_map_block(ei, n, &block[n]), 0);
		n++;
	}
	fb_node_put(node);
	return n;
}

/* Bytes that matter: numbers near a limit more often than others. */
static uint8_t some_byte(void)
{
	static const uint8_t bytes[] = { 0, 0, 1, 2, 4, 8, 12, 0xff, 0xfe, 0xfc, 0x7f, 0x80 };

	return rig_random(&rig, 3) ? bytes[rig_random(&rig, sizeof(bytes))] : (uint8_t)rig_random(&rig, 256);
}

static void damage(uint8_t *block, uint32_t size)
{
	uint32_t near = rig_random(&rig, 2) ? 64 : size;

	for (unsigned n = 1 + rig_random(&rig, 12); n; n--)
		block[rig_random(&rig, near)] = some_byte();
	if (rig_random(&rig, 20) == 0)
		for (uint32_t i = 0; i < size; i++)
			block[i] = some_byte();
}

static void hostile(const char *options, unsigned names, unsigned rounds)
{
	struct image *clean;
	uint64_t dir, block[256];
	char name[64];
	uint32_t size;
	unsigned n;

	rig_make(&rig, options, 4u << 20, 77);
	rig_mount(&rig, false);
	dir = make_dir("d");
	for (unsigned i = 0; i < names; i++) {
		snprintf(name, sizeof(name), "name-%u-%s", i, "pppppppppppppppppppppppppppp");
		assert_int_equal(rig_create(&rig, dir, name, S_IFREG | 0644, NULL), 0);
	}
	rig_commit(&rig);
	n = find_blocks(dir, block, 256);
	size = e2_sb(rig.vol)->block_size;
	rig_unmount(&rig);
	clean = image_copy(rig.image);
	for (unsigned i = 0; i < rounds; i++) {
		memcpy(image_bytes(rig.image), image_bytes(clean), image_size(clean));
		for (unsigned k = 1 + rig_random(&rig, 3); k; k--)
			damage(image_bytes(rig.image) + block[rig_random(&rig, 2) ? 0 : rig_random(&rig, n)] * size, size);
		mount_damaged();
		use(dir);
		unmount_damaged();
	}
	image_free(clean);
	rig_free(&rig);
}

static void test_hostile(void **state)
{
	const char *more = getenv("E2_ROUNDS");
	unsigned rounds = more ? (unsigned)strtoul(more, NULL, 10) : 60;

	(void)state;
	hostile("-t ext2 -b 1024", 3, rounds);
	hostile("-t ext2 -b 1024", 200, rounds);
	hostile("-t ext2 -b 1024 -O ^dir_index,^filetype", 200, rounds);
	hostile("-t ext4 -b 1024 -O ^has_journal,^metadata_csum,large_dir -N 1000", 900, rounds / 4);
	hostile("-t ext4 -b 1024 -O ^has_journal,^metadata_csum,inline_data -I 256", 1, rounds);
}

/* With checksums any damage is seen before anything else. */
static void test_checksum(void **state)
{
	uint64_t dir, block[4], ino;

	(void)state;
	rig_make(&rig, "-t ext4 -b 1024 -O ^has_journal,metadata_csum", 4u << 20, 77);
	rig_mount(&rig, false);
	dir = make_dir("d");
	assert_int_equal(rig_create(&rig, dir, "name", S_IFREG | 0644, NULL), 0);
	rig_commit(&rig);
	assert_int_equal(find_blocks(dir, block, 4), 1);
	rig_unmount(&rig);
	image_bytes(rig.image)[block[0] * 1024 + 500] ^= 1;
	mount_damaged();
	assert_int_equal(rig_lookup(&rig, dir, "name", &ino), -EUCLEAN);
	assert_int_equal(rig_create(&rig, dir, "other", S_IFREG | 0644, &ino), -EUCLEAN);
	unmount_damaged();
	rig_free(&rig);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rec_len),
		cmocka_unit_test(test_types),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_symlinks),
		cmocka_unit_test(test_inline),
		cmocka_unit_test(test_hostile),
		cmocka_unit_test(test_checksum),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
