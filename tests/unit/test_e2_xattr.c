// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_xattr.c: attributes against a model (a table of names and values)
 * over inodes and blocks of several sizes, bytes as the kernel and mke2fs
 * write them, and areas of random and damaged bytes.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "../lib/fake_ext2.h"
#include "../../fs-ext2/xattr.h"

static struct fuseblk_node *node;

static void start(uint32_t block_size, uint32_t inode_size)
{
	fake_start(block_size, inode_size);
	node = fake_inode_new(12, S_IFREG | 0644);
}

static int set(const char *name, const char *value, uint32_t flags)
{
	return e2_setxattr(NULL, node, name, value, strlen(value), flags);
}

static void expect(const char *name, const char *value)
{
	char got[5000];
	ssize_t n = e2_getxattr(NULL, node, name, got, sizeof(got));

	if (!value) {
		assert_int_equal(n, -ENODATA);
		return;
	}
	assert_int_equal(n, strlen(value));
	assert_memory_equal(got, value, strlen(value));
}

/* An entry's hashes as debugfs made them for user.a=b in a block: 0x0001fc03 is not assumed but recomputed by e2fsck there. */
static void test_known_block(void **state)
{
	/* from "debugfs ea_set f user.a b" on a 1k ext2 image: entry 01 01 fc03 size 1, name a */
	static const uint8_t entry[] = { 1, 1, 0xfc, 3, 0, 0, 0, 0, 1, 0, 0, 0, 0x62, 0, 0x61, 0, 'a' };
	struct e2_inode *ei = fuseblk_node_data(node);

	(void)state;
	fake_stop();
	start(1024, 128);
	ei = fuseblk_node_data(node);
	assert_int_equal(set("user.a", "b", 0), 0);
	assert_true(ei->file_acl >= 8);
	assert_memory_equal(fake.blocks[ei->file_acl] + 32, entry, sizeof(entry));
	assert_memory_equal(fake.blocks[ei->file_acl], "\0\0\2\xea\1\0\0\0\1\0\0\0\x62\0\x61\0", 16);
	assert_int_equal(fake.blocks[ei->file_acl][1020], 'b');
	assert_int_equal(ei->blocks, 2);
}

static void test_basics(void **state)
{
	(void)state;
	expect("user.a", NULL);
	assert_int_equal(set("user.a", "x", FUSEBLK_XATTR_REPLACE), -ENODATA);
	assert_int_equal(set("user.a", "1", FUSEBLK_XATTR_CREATE), 0);
	assert_int_equal(set("user.a", "2", FUSEBLK_XATTR_CREATE), -EEXIST);
	expect("user.a", "1");
	assert_int_equal(set("user.a", "22", FUSEBLK_XATTR_REPLACE), 0);
	expect("user.a", "22");
	assert_int_equal(set("user.e", "", 0), 0);
	expect("user.e", "");
	assert_int_equal(e2_getxattr(NULL, node, "user.a", NULL, 0), 2);
	assert_int_equal(e2_getxattr(NULL, node, "user.a", (char[1]){ 0 }, 1), -ERANGE);
	assert_int_equal(set("user.", "1", 0), -EINVAL);
	assert_int_equal(set("other.a", "1", 0), -EOPNOTSUPP);
	assert_int_equal(set("system.data", "1", 0), -EOPNOTSUPP);
	assert_int_equal(e2_removexattr(NULL, node, "user.a"), 0);
	assert_int_equal(e2_removexattr(NULL, node, "user.a"), -ENODATA);
	expect("user.a", NULL);
	fake.sb.options.user_xattr = 0;
	assert_int_equal(e2_getxattr(NULL, node, "user.e", NULL, 0), -EOPNOTSUPP);
}

static void test_list(void **state)
{
	char list[100];

	(void)state;
	assert_int_equal(e2_listxattr(NULL, node, list, sizeof(list), true), 0);
	set("user.b", "1", 0);
	set("trusted.t", "2", 0);
	set("security.s", "3", 0);
	assert_int_equal(e2_listxattr(NULL, node, list, sizeof(list), false), 7 + 11);
	assert_int_equal(e2_listxattr(NULL, node, list, sizeof(list), true), 7 + 10 + 11);
	assert_int_equal(e2_listxattr(NULL, node, NULL, 0, true), 7 + 10 + 11);
	assert_int_equal(e2_listxattr(NULL, node, list, 27, true), -ERANGE);
	assert_memory_equal(list, "user.b\0", 7);
	fake.sb.options.user_xattr = 0;
	assert_int_equal(e2_listxattr(NULL, node, list, sizeof(list), false), 11);
}

static char *pattern(char *buf, size_t len, int seed)
{
	for (size_t i = 0; i < len; i++)
		buf[i] = (char)('a' + (i * 7 + (size_t)seed) % 26);
	buf[len] = 0;
	return buf;
}

static void test_moves_to_block(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	char buf[400];

	(void)state;
	assert_int_equal(set("user.a", "small", 0), 0);
	assert_int_equal(ei->file_acl, 0);
	assert_int_equal(fake.phases, 1u << E2_FRESH);
	assert_int_equal(set("user.a", pattern(buf, 300, 1), 0), 0);
	assert_true(ei->file_acl);
	assert_true(fake.phases & 1u << E2_ADD);
	expect("user.a", buf);
	fake.epoch++;
	fake.phases = 0;
	assert_int_equal(set("user.a", "small again", 0), 0);
	assert_int_equal(ei->file_acl, 0);
	assert_int_equal(ei->blocks, 0);
	assert_int_equal(fake_blocks_used(), 0);
	expect("user.a", "small again");
}

static void test_shared_block(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	uint64_t shared;
	char buf[400];

	(void)state;
	set("user.a", pattern(buf, 300, 1), 0);
	shared = ei->file_acl;
	fake.blocks[shared][4] = 2;
	assert_int_equal(set("user.b", pattern(buf, 200, 2), 0), 0);
	assert_int_not_equal(ei->file_acl, shared);
	assert_int_equal(fake.blocks[shared][4], 1);
	assert_int_equal(fake.blocks[ei->file_acl][4], 1);
	assert_true(fake.used[shared]);
	expect("user.b", buf);
	expect("user.a", pattern(buf, 300, 1));
}

static void test_no_space(void **state)
{
	char buf[1200];

	(void)state;
	assert_int_equal(set("user.a", pattern(buf, 1000, 1), 0), -ENOSPC);
	fake.blocks_left = 0;
	assert_int_equal(set("user.a", pattern(buf, 300, 1), 0), -ENOSPC);
	expect("user.a", NULL);
	assert_int_equal(set("user.b", "fits inside", 0), 0);
	fake.sb.compat = 0;
	fake.blocks_left = 10;
	assert_int_equal(set("user.a", pattern(buf, 300, 1), 0), -EOPNOTSUPP);
}

static void test_value_inode(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	char buf[4000];

	(void)state;
	fake.sb.incompat |= E2_IN_EA_INODE;
	assert_int_equal(set("user.big", pattern(buf, 3000, 1), 0), 0);
	assert_int_equal(fake_blocks_used(), 3);
	assert_int_equal(ei->blocks, 6);
	expect("user.big", buf);
	assert_int_equal(set("user.big", pattern(buf, 1500, 2), 0), 0);
	expect("user.big", buf);
	assert_int_equal(fake_blocks_used(), 2);
	assert_int_equal(ei->blocks, 4);
	fake.blocks_left = 1;
	assert_int_equal(set("user.big", pattern(buf, 3500, 3), 0), -ENOSPC);
	expect("user.big", pattern(buf, 1500, 2));
	for (int i = 0; i < FAKE_INODES; i++) {
		if (i != 12 && fake.inodes[i].used)
			((struct e2_inode *)fuseblk_node_data(fake.inodes[i].node))->atime.tv_sec ^= 1;
	}
	assert_int_equal(e2_getxattr(NULL, node, "user.big", buf, sizeof(buf)), -EUCLEAN);
	assert_int_equal(e2_removexattr(NULL, node, "user.big"), 0);
	assert_int_equal(fake_blocks_used(), 0);
	assert_int_equal(ei->blocks, 0);
}

static void test_free_all(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	char buf[4000];

	(void)state;
	fake.sb.incompat |= E2_IN_EA_INODE;
	set("user.big", pattern(buf, 3000, 1), 0);
	set("user.mid", pattern(buf, 400, 1), 0);
	set("user.s", "x", 0);
	assert_true(ei->file_acl);
	assert_int_equal(e2_xattr_free_all(ei), 0);
	assert_int_equal(fake_blocks_used(), 0);
	assert_int_equal(ei->file_acl, 0);
}

static void test_inline_data(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	ssize_t room = e2_xattr_data_space(ei);
	char buf[100];

	(void)state;
	assert_int_equal(e2_xattr_data_get(ei, buf, sizeof(buf)), -ENODATA);
	assert_int_equal(room, 256 - 160 - 4 - 20 - 4);
	assert_int_equal(e2_xattr_data_set(ei, pattern(buf, (size_t)room, 3), (size_t)room), 0);
	assert_int_equal(e2_xattr_data_get(ei, NULL, 0), room);
	assert_int_equal(e2_xattr_data_set(ei, buf, (size_t)room + 1), -ENOSPC);
	assert_int_equal(set("user.a", "must go to a block", 0), 0);
	assert_true(ei->file_acl);
	assert_int_equal(e2_xattr_data_set(ei, NULL, 0), 0);
	assert_int_equal(e2_xattr_data_get(ei, buf, sizeof(buf)), 0);
	assert_int_equal(e2_xattr_data_space(ei), room);
	assert_int_equal(e2_listxattr(NULL, node, buf, sizeof(buf), true), 7);
	assert_int_equal(e2_xattr_data_remove(ei), 0);
	assert_int_equal(e2_xattr_data_get(ei, buf, sizeof(buf)), -ENODATA);
}

/* A thousand random sets and removals against a table. */
static void model(uint32_t block_size, uint32_t inode_size, bool ea_inode, unsigned seed)
{
	char values[12][3100], name[16], buf[3100];
	bool has[12] = { false };

	start(block_size, inode_size);
	fake.sb.incompat |= ea_inode ? E2_IN_EA_INODE : 0;
	srandom(seed);
	for (int i = 0; i < 1000; i++) {
		int n = (int)(random() % 12);
		size_t len = (size_t)random() % (random() % 4 ? 60 : ea_inode ? 3000 : 900);
		int err;

		fake.epoch += random() % 3 == 0;
		snprintf(name, sizeof(name), "user.%.*s", n % 5 + 1, (const char *[]){ "aaaaa", "bbbbb", "ccccc" }[n / 5]);
		if (random() % 3 == 0) {
			assert_int_equal(e2_removexattr(NULL, node, name), has[n] ? 0 : -ENODATA);
			has[n] = false;
			continue;
		}
		err = set(name, pattern(buf, len, i), 0);
		if (err) {
			assert_int_equal(err, -ENOSPC);
		} else {
			has[n] = true;
			strcpy(values[n], buf);
		}
		expect(name, has[n] ? values[n] : NULL);
	}
	for (int n = 0; n < 12; n++) {
		snprintf(name, sizeof(name), "user.%.*s", n % 5 + 1, (const char *[]){ "aaaaa", "bbbbb", "ccccc" }[n / 5]);
		expect(name, has[n] ? values[n] : NULL);
	}
	assert_int_equal(fake.corruptions, 0);
	assert_int_equal(e2_xattr_free_all(fuseblk_node_data(node)), 0);
	assert_int_equal(fake_blocks_used(), 0);
	fake_stop();
}

static void test_model(void **state)
{
	(void)state;
	fake_stop();
	for (unsigned seed = 1; seed <= 5; seed++) {
		model(1024, 128, false, seed);
		model(1024, 256, false, seed);
		model(1024, 256, true, seed);
		model(2048, 1024, true, seed);
	}
	start(1024, 256);
}

/* Nothing on disk is trusted: reads and changes of damaged areas return, and stay inside (ASan). */
static void test_damage(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(node);
	unsigned refused = 0;
	char buf[2000];

	(void)state;
	srandom(7);
	for (int round = 0; round < 20000; round++) {
		uint8_t *body = fake.inodes[12].body, *block;

		if (round % 50 == 0) {
			e2_xattr_free_all(ei);
			ei->file_acl = 0;
			memset(body, 0, 256);
			set("user.a", "1", 0);
			set("trusted.bbbb", "22", 0);
			set("user.c", pattern(buf, 300, 1), 0);
		}
		block = ei->file_acl ? fake.blocks[ei->file_acl] : NULL;
		body[160 + random() % 96] = (uint8_t)random();
		if (block && round % 3 == 0) {
			fuseblk_buf_get(NULL, ei->file_acl, &(struct fuseblk_buf *){ NULL });
			fake.refs--;
			block[random() % 64] = (uint8_t)random();
		}
		refused += e2_listxattr(NULL, node, buf, sizeof(buf), true) < 0;
		e2_getxattr(NULL, node, "user.a", buf, sizeof(buf));
		e2_getxattr(NULL, node, "user.c", buf, sizeof(buf));
		if (round % 10 == 9)
			set("user.a", "3", 0);
		if (ei->file_acl && !fake.used[ei->file_acl])
			ei->file_acl = 0;
	}
	assert_true(refused > 100);
}

static int setup(void **state)
{
	(void)state;
	start(1024, 256);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_known_block), T(test_basics), T(test_list), T(test_moves_to_block), T(test_shared_block),
		T(test_no_space), T(test_value_inode), T(test_free_all), T(test_inline_data), T(test_model), T(test_damage),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
