// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_inode.c: inodes: attributes survive a remount bit for bit, what is
 * new inherits what it should, orphans are finished after a crash and their
 * lists are repaired by e2fsck -p at any cut, and damaged lists and inodes
 * are found, not followed.
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
#include "e2_dir_rig.h"
#include "../../fs-ext2/super.h"

#define MIB (1ull << 20)

static const struct fuseblk_caller root = { .may_use_reserved = true };

static void mount_with(struct rig *r, const char *options)
{
	r->options = options;
	rig_mount(r, false);
}

static void setup(struct rig *r, const char *mke2fs, uint64_t size, const char *options)
{
	rig_make(r, mke2fs, size, 0);
	mount_with(r, options);
}

static void teardown(struct rig *r)
{
	rig_unmount(r);
	rig_free(r);
}

static int make(struct rig *r, uint64_t dir, const char *name, uint32_t mode, const struct fuseblk_caller *who,
		uint32_t rdev, uint64_t *ino)
{
	struct fuseblk_create what = { .mode = mode, .rdev = rdev };
	struct fuseblk_node *node = rig_node(r, dir);
	int err;

	assert_int_equal(fb_volume_change_begin(r->vol), 0);
	err = e2_create(r->vol, node, name, strlen(name), &what, who, ino);
	fb_volume_change_end(r->vol);
	fb_node_put(node);
	return err;
}

static uint64_t must_make(struct rig *r, const char *name, uint32_t mode)
{
	uint64_t ino;

	assert_int_equal(make(r, E2_ROOT_INO, name, mode, &root, 0, &ino), 0);
	return ino;
}

/* Remove @name as while the file is open: the inode stays. Returns its node. */
static struct fuseblk_node *unlink_open(struct rig *r, const char *name)
{
	struct fuseblk_node *dir = rig_node(r, E2_ROOT_INO), *node;
	uint64_t ino;

	assert_int_equal(e2_lookup(r->vol, dir, name, strlen(name), &ino), 0);
	node = rig_node(r, ino);
	assert_int_equal(fb_volume_change_begin(r->vol), 0);
	assert_int_equal(e2_unlink(r->vol, dir, name, strlen(name), node), 0);
	fb_volume_change_end(r->vol);
	fb_node_put(dir);
	return node;
}

static void free_node(struct rig *r, struct fuseblk_node *node)
{
	assert_int_equal(fb_volume_change_begin(r->vol), 0);
	assert_int_equal(e2_free(r->vol, node), 0);
	fb_volume_change_end(r->vol);
	fb_node_put(node);
}

static struct fuseblk_attr attr_of(struct rig *r, uint64_t ino)
{
	struct fuseblk_node *node = rig_node(r, ino);
	struct fuseblk_attr attr;

	assert_int_equal(e2_getattr(r->vol, node, &attr), 0);
	fb_node_put(node);
	return attr;
}

static int set_attr(struct rig *r, uint64_t ino, uint32_t valid, const struct fuseblk_attr *attr)
{
	struct fuseblk_node *node = rig_node(r, ino);
	int err;

	assert_int_equal(fb_volume_change_begin(r->vol), 0);
	err = e2_setattr(r->vol, node, valid, attr);
	fb_volume_change_end(r->vol);
	fb_node_put(node);
	return err;
}

/* ---- attributes ------------------------------------------------------------------------- */

static const int64_t seconds[] = { 0, 1, -1, -5000, INT32_MIN, INT32_MAX, (int64_t)INT32_MAX + 1, 4294967295, 4294967296,
				   10000000000, 15032385535 };

/* At the limits there is no fraction of a second, as with the kernel. */
static long fraction(int64_t sec, long nsec)
{
	return sec == INT32_MIN || sec == 15032385535 ? 0 : nsec;
}

static void test_times(void **state)
{
	struct rig r;
	uint64_t ino[sizeof(seconds) / sizeof(seconds[0])];

	(void)state;
	setup(&r, "-t ext4 -b 1024 -I 256 -O ^has_journal", 8 * MIB, "");
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct fuseblk_attr a = { .atime = { seconds[i], 1 }, .mtime = { seconds[i], 999999999 },
					  .ctime = { seconds[i], 123456789 } };
		char name[16];

		snprintf(name, sizeof(name), "f%zu", i);
		ino[i] = must_make(&r, name, S_IFREG | 0600);
		assert_int_equal(set_attr(&r, ino[i], FUSEBLK_SET_ATIME | FUSEBLK_SET_MTIME | FUSEBLK_SET_CTIME, &a), 0);
	}
	rig_stop(&r);
	mount_with(&r, "");
	for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		struct fuseblk_attr a = attr_of(&r, ino[i]);

		if (a.atime.tv_sec != seconds[i] || a.atime.tv_nsec != fraction(seconds[i], 1))
			fail_msg("%lld: %lld.%09ld", (long long)seconds[i], (long long)a.atime.tv_sec, a.atime.tv_nsec);
		assert_int_equal(a.mtime.tv_sec, seconds[i]);
		assert_int_equal(a.mtime.tv_nsec, fraction(seconds[i], 999999999));
		assert_int_equal(a.ctime.tv_nsec, fraction(seconds[i], 123456789));
		assert_true(a.has_btime && a.btime.tv_sec > 1700000000);
	}
	teardown(&r);
}

/* Inodes of 128 bytes have 32 bits of seconds: what memory says is what the disk will say. */
static void test_small_inode_times(void **state)
{
	struct fuseblk_attr a = { .atime = { 10000000000, 5 }, .mtime = { -10000000000, 7 } };
	struct rig r;
	uint64_t ino;

	(void)state;
	setup(&r, "-t ext2 -b 1024 -I 128", 8 * MIB, "");
	assert_int_equal(r.vol->info.time_granularity, 1000000000);
	ino = must_make(&r, "f", S_IFREG | 0600);
	assert_int_equal(attr_of(&r, ino).mtime.tv_nsec, 0);
	assert_false(attr_of(&r, ino).has_btime);
	assert_int_equal(set_attr(&r, ino, FUSEBLK_SET_ATIME | FUSEBLK_SET_MTIME, &a), 0);
	assert_int_equal(attr_of(&r, ino).atime.tv_sec, INT32_MAX);
	assert_int_equal(attr_of(&r, ino).atime.tv_nsec, 0);
	assert_int_equal(attr_of(&r, ino).mtime.tv_sec, INT32_MIN);
	rig_stop(&r);
	mount_with(&r, "");
	assert_int_equal(attr_of(&r, ino).atime.tv_sec, INT32_MAX);
	assert_int_equal(attr_of(&r, ino).mtime.tv_sec, INT32_MIN);
	teardown(&r);
}

static void test_owners_and_devices(void **state)
{
	struct fuseblk_attr a = { .uid = 0x12345678, .gid = 0xFEDCBA98, .mode = 06755 };
	static const uint32_t rdevs[] = { 0x0501, 0xFFFF, 0x00100, 0xFFFFFFFF, 0x12345678, 0 };
	struct rig r;
	uint64_t ino, dev[6];

	(void)state;
	setup(&r, "-t ext2 -b 1024", 8 * MIB, "");
	ino = must_make(&r, "f", S_IFREG | 0600);
	assert_int_equal(set_attr(&r, ino, FUSEBLK_SET_UID | FUSEBLK_SET_GID | FUSEBLK_SET_MODE, &a), 0);
	for (int i = 0; i < 6; i++) {
		char name[16];

		snprintf(name, sizeof(name), "d%d", i);
		assert_int_equal(make(&r, E2_ROOT_INO, name, (i & 1 ? S_IFBLK : S_IFCHR) | 0600, &root, rdevs[i],
				      &dev[i]), 0);
	}
	rig_stop(&r);
	mount_with(&r, "");
	a = attr_of(&r, ino);
	assert_int_equal(a.uid, 0x12345678);
	assert_int_equal(a.gid, 0xFEDCBA98);
	assert_int_equal(a.mode, S_IFREG | 06755);
	for (int i = 0; i < 6; i++)
		assert_int_equal(attr_of(&r, dev[i]).rdev, rdevs[i]);
	teardown(&r);
}

static void test_nouid32(void **state)
{
	struct fuseblk_attr a = { .uid = 65536 };
	struct rig r;
	uint64_t ino;

	(void)state;
	setup(&r, "-t ext2 -b 1024", 8 * MIB, "nouid32");
	ino = must_make(&r, "f", S_IFREG | 0600);
	assert_int_equal(set_attr(&r, ino, FUSEBLK_SET_UID, &a), -EOVERFLOW);
	a.uid = 65535;
	assert_int_equal(set_attr(&r, ino, FUSEBLK_SET_UID, &a), 0);
	teardown(&r);
}

static void test_inheritance(void **state)
{
	struct fuseblk_attr a = { .gid = 77, .mode = 02775 };
	struct fuseblk_caller who = { .uid = 5, .gid = 6 };
	struct rig r;
	uint64_t dir, ino;

	(void)state;
	setup(&r, "-t ext4 -b 1024 -O ^has_journal", 8 * MIB, "");
	dir = must_make(&r, "dir", S_IFDIR | 0755);
	assert_int_equal(make(&r, dir, "a", S_IFREG | 0644, &who, 0, &ino), 0);
	assert_int_equal(attr_of(&r, ino).gid, 6);
	assert_int_equal(set_attr(&r, dir, FUSEBLK_SET_GID | FUSEBLK_SET_MODE, &a), 0);
	assert_int_equal(make(&r, dir, "b", S_IFREG | 0644, &who, 0, &ino), 0);
	assert_int_equal(attr_of(&r, ino).uid, 5);
	assert_int_equal(attr_of(&r, ino).gid, 77);
	assert_int_equal(attr_of(&r, ino).mode, S_IFREG | 0644);
	assert_int_equal(make(&r, dir, "c", S_IFDIR | 0755, &who, 0, &ino), 0);
	assert_int_equal(attr_of(&r, ino).mode, S_IFDIR | S_ISGID | 0755);
	rig_stop(&r);
	mount_with(&r, "grpid");
	ino = must_make(&r, "d", S_IFREG | 0644);
	assert_int_equal(attr_of(&r, ino).gid, 0);
	assert_int_equal(make(&r, E2_ROOT_INO, "e", S_IFREG | 0644, &who, 0, &ino), 0);
	assert_int_equal(attr_of(&r, ino).gid, 0);
	teardown(&r);
}

/* A number used again is another inode. */
static void test_generation(void **state)
{
	struct fuseblk_attr first, second;
	struct fuseblk_node *node;
	struct rig r;
	uint64_t ino;

	(void)state;
	setup(&r, "-t ext2 -b 1024", 8 * MIB, "");
	ino = must_make(&r, "f", S_IFREG | 0600);
	first = attr_of(&r, ino);
	node = unlink_open(&r, "f");
	assert_int_equal(attr_of(&r, ino).nlink, 0);
	free_node(&r, node);
	rig_commit(&r);
	assert_int_equal(must_make(&r, "g", S_IFREG | 0640), ino);
	second = attr_of(&r, ino);
	assert_int_equal(second.nlink, 1);
	assert_int_equal(second.mode, S_IFREG | 0640);
	assert_int_not_equal(first.generation, second.generation);
	teardown(&r);
}

static void test_numbers_not_served(void **state)
{
	struct fuseblk_node *node;
	struct rig r;

	(void)state;
	setup(&r, "-t ext4 -b 1024", 16 * MIB, "");
	for (uint64_t ino = 0; ino < 11; ino++)
		if (ino != E2_ROOT_INO)
			assert_int_equal(fb_node_get(r.vol, ino, &node), -ESTALE);
	assert_int_equal(fb_node_get(r.vol, e2_sb(r.vol)->inodes_count + 1ull, &node), -ESTALE);
	assert_int_equal(fb_node_get(r.vol, 1ull << 40 | 2, &node), -ESTALE);
	assert_int_equal(fb_node_get(r.vol, 200, &node), -ESTALE);
	teardown(&r);
}

/* ---- orphans --------------------------------------------------------------------------------- */

static const char *const orphan_kinds[] = {
	"-t ext2 -b 1024 -N 2048",
	"-t ext2 -b 4096 -I 128 -N 2048",
	"-t ext4 -b 1024 -O ^has_journal -N 2048",
	"-t ext4 -b 1024 -O orphan_file -N 2048",
	"-F -t ext4 -b 65536 -O ^has_journal -N 4096",
};

#define ORPHANS 60

static void many_open(struct rig *r, struct fuseblk_node **nodes)
{
	char name[16];

	for (int i = 0; i < ORPHANS; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		must_make(r, name, S_IFREG | 0600);
	}
	rig_commit(r);
	for (int i = 0; i < ORPHANS; i++) {
		snprintf(name, sizeof(name), "o%d", i);
		nodes[i] = unlink_open(r, name);
	}
}

/* The daemon dies with open files: the next mount frees them. */
static void test_orphans_after_crash(void **state)
{
	(void)state;
	for (size_t k = 0; k < sizeof(orphan_kinds) / sizeof(orphan_kinds[0]); k++) {
		struct fuseblk_node *nodes[ORPHANS];
		struct rig r;
		struct image *crashed;
		int64_t had;

		setup(&r, orphan_kinds[k], strstr(orphan_kinds[k], "65536") ? 64 * MIB : 10 * MIB, "");
		had = atomic_load(&e2_sb(r.vol)->free_inodes);
		many_open(&r, nodes);
		for (int i = 0; i < 6; i++) {	/* the lists follow within a few commits */
			assert_int_equal(fb_volume_change_begin(r.vol), 0);
			e2_super_stir(e2_sb(r.vol));
			fb_volume_change_end(r.vol);
			rig_commit(&r);
		}
		crashed = image_copy(r.image);
		for (int i = 0; i < ORPHANS; i++)
			free_node(&r, nodes[i]);
		teardown(&r);
		r = (struct rig){ .image = crashed };
		mount_with(&r, "");
		rig_commit(&r);
		assert_int_equal(atomic_load(&e2_sb(r.vol)->free_inodes) +
				 atomic_load(&e2_sb(r.vol)->pending_inodes), had);
		rig_stop(&r);
		assert_int_equal(image_e2fsck(crashed, "-fn"), 0);
		image_free(crashed);
	}
}

/* @at entries of the log reached the device, and of those since the last flush every other. */
static void check_cut(struct rig *r, size_t at, unsigned pattern)
{
	struct image *image = image_copy(r->base);
	size_t flushed = 0;
	int status;

	for (size_t i = 0; i < at; i++)
		if (!fb_write_log_get(r->log, i)->len)
			flushed = i;
	for (size_t i = 0; i < at; i++) {
		const struct fb_write_log_entry *e = fb_write_log_get(r->log, i);

		for (uint64_t b = 0; b < e->len; b += 1024)
			if (i < flushed || (b / 1024 + i + pattern) % 3)
				memcpy(image_bytes(image) + e->off + b, e->bytes + b, e->len - b < 1024 ? e->len - b : 1024);
	}
	status = image_e2fsck(image, "-p");
	if (status > 1)
		fail_msg("cut at %zu of %zu: e2fsck -p says %d", at, fb_write_log_count(r->log), status);
	assert_int_equal(image_e2fsck(image, "-fn"), 0);
	image_free(image);
}

/* Orphans come and go in every order; the power is cut anywhere. */
static void orphans_cut(const char *mke2fs)
{
	struct fuseblk_node *nodes[ORPHANS];
	struct rig r;
	size_t count;

	rig_make(&r, mke2fs, 8 * MIB, 0);
	r.options = "";
	rig_mount(&r, true);
	many_open(&r, nodes);
	rig_commit(&r);
	for (int i = 0; i < ORPHANS; i++) {
		free_node(&r, nodes[i * 7 % ORPHANS]);
		if (i % 9 == 8)
			rig_commit(&r);
		if (i % 20 == 10) {
			char name[16];

			snprintf(name, sizeof(name), "again%d", i);
			must_make(&r, name, S_IFREG | 0600);
			rig_commit(&r);
			free_node(&r, unlink_open(&r, name));
		}
	}
	rig_stop(&r);
	assert_int_equal(image_e2fsck(r.image, "-fn"), 0);
	count = fb_write_log_count(r.log);
	for (size_t at = 1; at <= count; at += 1 + count / (getenv("FUSEBLK_TEST_ALL") ? 400 : 25))
		check_cut(&r, at, (unsigned)at);
	rig_end_log(&r);
	image_free(r.image);
}

static void test_orphans_cut(void **state)
{
	(void)state;
	orphans_cut("-t ext2 -b 1024 -I 128 -N 256");
	orphans_cut("-t ext4 -b 1024 -N 256 -O ^has_journal");
	orphans_cut("-t ext4 -b 1024 -N 256 -O orphan_file -J size=1");
}

/* Lists with loops, reserved, free and absurd numbers. */
static void test_damaged_chain(void **state)
{
	static const uint32_t next[] = { 1, 2, 5, 11, 13, 14, 60, 4096, 0x7FFFFFFF, 0xFFFFFFFF };
	struct image *base;
	struct rig r;
	uint64_t at[2];
	char name[16];

	(void)state;
	setup(&r, "-t ext2 -b 1024 -N 256", 4 * MIB, "");
	for (int i = 0; i < 4; i++) {
		snprintf(name, sizeof(name), "f%d", i);
		must_make(&r, name, S_IFREG | 0600);
	}
	for (uint32_t i = 0; i < 2; i++) {
		uint32_t offset;

		e2_inode_place(e2_sb(r.vol), 13 + i, &at[i], &offset);
		at[i] = (at[i] << 10) + offset + offsetof(struct e2_disk_inode, i_dtime);
	}
	rig_stop(&r);
	base = r.image;
	for (size_t i = 0; i < sizeof(next) / sizeof(next[0]); i++) {
		struct e2_disk_super *ds;
		e2_le32 le = e2_put32(14);

		r = (struct rig){ .image = image_copy(base) };
		ds = (struct e2_disk_super *)(image_bytes(r.image) + 1024);
		ds->s_last_orphan = e2_put32(13);
		memcpy(image_bytes(r.image) + at[0], &le, 4);
		le = e2_put32(next[i]);
		memcpy(image_bytes(r.image) + at[1], &le, 4);
		mount_with(&r, "errors=continue");
		rig_stop(&r);
		assert_in_range(image_e2fsck(r.image, "-fp"), 0, 1);
		assert_int_equal(image_e2fsck(r.image, "-fn"), 0);
		image_free(r.image);
	}
	image_free(base);
}

/* ---- damaged inodes -------------------------------------------------------------------------- */

static void test_hostile_inode(void **state)
{
	static const uint16_t values[] = { 0, 1, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x4000, 0x8100, 0xA1FF };
	struct image *base;
	struct rig r;
	uint64_t at, ino;
	uint32_t offset, size;

	(void)state;
	setup(&r, "-t ext4 -b 1024 -N 64 -O ^has_journal,^metadata_csum,inline_data", MIB, "errors=continue");
	ino = must_make(&r, "f", S_IFREG | 0600);
	e2_inode_place(e2_sb(r.vol), (uint32_t)ino, &at, &offset);
	at = (at << 10) + offset;
	size = e2_sb(r.vol)->inode_size;
	rig_stop(&r);
	base = image_copy(r.image);
	for (uint32_t off = 0; off < size; off += 2)
		for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
			e2_le16 le = e2_put16(values[i]);
			struct fuseblk_node *node;

			memcpy(image_bytes(r.image), image_bytes(base), image_size(base));
			memcpy(image_bytes(r.image) + at + off, &le, 2);
			mount_with(&r, "errors=continue");
			if (!fb_node_get(r.vol, ino, &node)) {
				struct fuseblk_attr attr = { .mode = 0644 };

				assert_int_equal(e2_getattr(r.vol, node, &attr), 0);
				fb_node_put(node);
				set_attr(&r, ino, FUSEBLK_SET_MODE, &attr);
			}
			fb_volume_stop(r.vol);
			fb_volume_free(r.vol);
		}
	image_free(base);
	image_free(r.image);
}

/* With checksums any flipped bit of an inode is seen. */
static void test_inode_csum(void **state)
{
	struct rig r;
	uint64_t at, ino;
	uint32_t offset, size;

	(void)state;
	setup(&r, "-t ext4 -b 1024 -N 64 -O ^has_journal", 4 * MIB, "");
	ino = must_make(&r, "f", S_IFREG | 0600);
	e2_inode_place(e2_sb(r.vol), (uint32_t)ino, &at, &offset);
	at = (at << 10) + offset;
	size = e2_sb(r.vol)->inode_size;
	rig_stop(&r);
	for (uint32_t off = 0; off < size; off += 5) {
		struct fuseblk_node *node;
		int err;

		if (off / 2 == offsetof(struct e2_disk_inode, i_links_count) / 2)
			continue;
		image_bytes(r.image)[at + off] ^= 0x10;
		mount_with(&r, "ro");
		err = fb_node_get(r.vol, ino, &node);
		if (err != -EUCLEAN)
			fail_msg("a bit of byte %u is flipped: %d", off, err);
		fb_volume_free(r.vol);
		image_bytes(r.image)[at + off] ^= 0x10;
	}
	assert_int_equal(image_e2fsck(r.image, "-fn"), 0);
	image_free(r.image);
}

/* A change of one inode gives its damaged neighbour no valid checksum. */
static void test_csum_of_neighbour(void **state)
{
	struct fuseblk_attr attr = { .mode = 0640 };
	struct fuseblk_node *node;
	struct rig r;
	uint64_t at, ino, next;
	uint32_t offset;

	(void)state;
	setup(&r, "-t ext4 -b 4096 -N 64 -O ^has_journal", 8 * MIB, "");
	ino = must_make(&r, "f", S_IFREG | 0600);
	next = must_make(&r, "g", S_IFREG | 0600);
	e2_inode_place(e2_sb(r.vol), (uint32_t)next, &at, &offset);
	at = (at << 12) + offset;
	rig_stop(&r);
	image_bytes(r.image)[at + 4] ^= 1;
	mount_with(&r, "");
	assert_int_equal(set_attr(&r, ino, FUSEBLK_SET_MODE, &attr), 0);
	rig_stop(&r);
	mount_with(&r, "ro");
	assert_int_equal(fb_node_get(r.vol, next, &node), -EUCLEAN);
	assert_int_equal(attr_of(&r, ino).mode, S_IFREG | 0640);
	fb_volume_free(r.vol);
	image_free(r.image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_times),
		cmocka_unit_test(test_small_inode_times),
		cmocka_unit_test(test_owners_and_devices),
		cmocka_unit_test(test_nouid32),
		cmocka_unit_test(test_inheritance),
		cmocka_unit_test(test_generation),
		cmocka_unit_test(test_numbers_not_served),
		cmocka_unit_test(test_orphans_after_crash),
		cmocka_unit_test(test_orphans_cut),
		cmocka_unit_test(test_damaged_chain),
		cmocka_unit_test(test_hostile_inode),
		cmocka_unit_test(test_inode_csum),
		cmocka_unit_test(test_csum_of_neighbour),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
