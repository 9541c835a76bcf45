// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_acl.c: the two forms of an ACL, the mode that follows one, chmod and
 * inheritance, and malformed bytes of both forms.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>
#include "../lib/fake_ext2.h"
#include "../../fs-ext2/xattr.h"

#define ACCESS	"system.posix_acl_access"
#define DEFAULT	"system.posix_acl_default"
#define E(tag, perm, id) tag, 0, perm, 0, (id) & 255, (id) >> 8 & 255, (id) >> 16 & 255, (id) >> 24 & 255
#define NONE 0xFFFFFFFFu

/* u::rwx u:1000:r-- g::r-x m::rwx o::--- */
static const uint8_t extended[] = {
	2, 0, 0, 0, E(1, 7, NONE), E(2, 4, 1000), E(4, 5, NONE), E(0x10, 7, NONE), E(0x20, 0, NONE),
};
static const uint8_t extended_disk[] = {
	1, 0, 0, 0, 1, 0, 7, 0, 2, 0, 4, 0, 0xe8, 3, 0, 0, 4, 0, 5, 0, 0x10, 0, 7, 0, 0x20, 0, 0, 0,
};
static const uint8_t plain[] = { 2, 0, 0, 0, E(1, 6, NONE), E(4, 4, NONE), E(0x20, 4, NONE) };

static struct fuseblk_node *dir, *file;

static int setup(void **state)
{
	(void)state;
	fake_start(1024, 256);
	dir = fake_inode_new(12, S_IFDIR | 0755);
	file = fake_inode_new(13, S_IFREG | S_ISGID | 0644);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fake_stop();
	return 0;
}

static void test_forms(void **state)
{
	uint8_t out[100];

	(void)state;
	assert_int_equal(e2_acl_from_wire(extended, sizeof(extended), out, sizeof(out)), sizeof(extended_disk));
	assert_memory_equal(out, extended_disk, sizeof(extended_disk));
	assert_int_equal(e2_acl_to_wire(extended_disk, sizeof(extended_disk), out, sizeof(out)), sizeof(extended));
	assert_memory_equal(out, extended, sizeof(extended));
	assert_int_equal(e2_acl_to_wire(extended_disk, sizeof(extended_disk), out, 10), -ERANGE);
	assert_int_equal(e2_acl_to_wire(extended_disk, sizeof(extended_disk), NULL, 0), sizeof(extended));
}

static void test_malformed(void **state)
{
	static const uint8_t no_mask[] = { 2, 0, 0, 0, E(1, 7, NONE), E(2, 4, 1), E(4, 5, NONE), E(0x20, 0, NONE) };
	static const uint8_t twice[] = { 2, 0, 0, 0, E(1, 7, NONE), E(1, 7, NONE), E(4, 5, NONE), E(0x20, 0, NONE) };
	static const uint8_t order[] = { 2, 0, 0, 0, E(4, 7, NONE), E(1, 7, NONE), E(0x20, 0, NONE) };
	static const uint8_t perm[] = { 2, 0, 0, 0, E(1, 8, NONE), E(4, 7, NONE), E(0x20, 0, NONE) };
	static const uint8_t tag[] = { 2, 0, 0, 0, E(1, 7, NONE), E(4, 7, NONE), E(0x20, 0, NONE), E(0x40, 0, NONE) };
	static const uint8_t missing[] = { 2, 0, 0, 0, E(1, 7, NONE), E(4, 7, NONE) };
	static const uint8_t no_id[] = { 2, 0, 0, 0, E(1, 7, NONE), E(2, 4, NONE), E(4, 5, NONE), E(0x10, 7, NONE), E(0x20, 0, NONE) };
	static const struct { const uint8_t *bytes; size_t len; } bad[] = {
		{ no_mask, sizeof(no_mask) }, { twice, sizeof(twice) }, { order, sizeof(order) }, { perm, sizeof(perm) },
		{ tag, sizeof(tag) }, { missing, sizeof(missing) }, { no_id, sizeof(no_id) },
		{ extended, sizeof(extended) - 1 }, { extended, 3 }, { extended_disk, sizeof(extended_disk) },
	};
	uint8_t out[200];

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(e2_acl_from_wire(bad[i].bytes, bad[i].len, out, sizeof(out)), -EINVAL);
		assert_int_equal(e2_setxattr(NULL, file, ACCESS, bad[i].bytes, bad[i].len, 0), -EINVAL);
	}
	srandom(3);
	for (int i = 0; i < 20000; i++) {
		uint8_t bytes[sizeof(extended)];
		size_t len = (size_t)random() % sizeof(bytes), size = (size_t)random() % sizeof(out);
		uint8_t *copy;

		memcpy(bytes, i % 2 ? extended : extended_disk, i % 2 ? sizeof(extended) : sizeof(extended_disk));
		bytes[random() % (long)sizeof(bytes)] ^= (uint8_t)(1 << random() % 8);
		copy = malloc(len ? len : 1);
		memcpy(copy, bytes, len);
		e2_acl_to_wire(copy, len, out, size);
		e2_acl_from_wire(copy, len, out, size);
		free(copy);
	}
}

static uint16_t mode_of(struct fuseblk_node *node)
{
	return ((struct e2_inode *)fuseblk_node_data(node))->mode;
}

static void test_set(void **state)
{
	uint8_t out[100];

	(void)state;
	assert_int_equal(e2_setxattr(NULL, file, ACCESS, extended, sizeof(extended), 0), 0);
	assert_int_equal(mode_of(file), S_IFREG | S_ISGID | 0770);
	assert_int_equal(e2_getxattr(NULL, file, ACCESS, out, sizeof(out)), sizeof(extended));
	assert_memory_equal(out, extended, sizeof(extended));
	assert_int_equal(e2_listxattr(NULL, file, (char *)out, sizeof(out), false), sizeof(ACCESS));
	assert_int_equal(e2_setxattr(NULL, file, ACCESS, plain, sizeof(plain), 0), 0);
	assert_int_equal(mode_of(file), S_IFREG | S_ISGID | 0644);
	assert_int_equal(e2_getxattr(NULL, file, ACCESS, out, sizeof(out)), -ENODATA);
	assert_int_equal(e2_removexattr(NULL, file, ACCESS), 0);
	assert_int_equal(e2_setxattr(NULL, file, DEFAULT, extended, sizeof(extended), 0), -EACCES);
	fake.sb.options.acl = 0;
	assert_int_equal(e2_setxattr(NULL, file, ACCESS, extended, sizeof(extended), 0), -EOPNOTSUPP);
}

static void test_chmod(void **state)
{
	struct e2_inode *ei = fuseblk_node_data(file);
	uint8_t out[100];

	(void)state;
	assert_int_equal(e2_acl_chmod(ei), 0);
	e2_setxattr(NULL, file, ACCESS, extended, sizeof(extended), 0);
	ei->mode = S_IFREG | 0641;
	assert_int_equal(e2_acl_chmod(ei), 0);
	assert_int_equal(e2_getxattr(NULL, file, ACCESS, out, sizeof(out)), sizeof(extended));
	assert_int_equal(out[6], 6);
	assert_int_equal(out[22], 5);	/* the owning group's own entry stays */
	assert_int_equal(out[30], 4);	/* the mask follows */
	assert_int_equal(out[38], 1);
}

static void test_inherit(void **state)
{
	struct fuseblk_create what = { .mode = S_IFREG | 0640, .unmasked = 0666 };
	struct e2_inode *new = fuseblk_node_data(fake_inode_new(20, S_IFREG | 0640));
	struct e2_inode *sub = fuseblk_node_data(fake_inode_new(21, S_IFDIR | 0755));
	uint8_t out[100];

	(void)state;
	new->new_epoch = sub->new_epoch = fake.epoch;
	assert_int_equal(e2_acl_inherit(fuseblk_node_data(dir), new, &what), 0);
	assert_int_equal(new->mode, S_IFREG | 0640);
	assert_int_equal(e2_setxattr(NULL, dir, DEFAULT, extended, sizeof(extended), 0), 0);
	assert_int_equal(mode_of(dir), S_IFDIR | 0755);
	fake.phases = 0;
	assert_int_equal(e2_acl_inherit(fuseblk_node_data(dir), new, &what), 0);
	assert_int_equal(new->mode, S_IFREG | 0660);	/* the umask has no say */
	assert_int_equal(fake.phases, 1u << E2_FRESH);
	assert_int_equal(e2_getxattr(NULL, new->node, ACCESS, out, sizeof(out)), sizeof(extended));
	assert_int_equal(e2_getxattr(NULL, new->node, DEFAULT, out, sizeof(out)), -ENODATA);
	what = (struct fuseblk_create){ .mode = S_IFDIR | 0755, .unmasked = 0777 };
	assert_int_equal(e2_acl_inherit(fuseblk_node_data(dir), sub, &what), 0);
	assert_int_equal(sub->mode, S_IFDIR | 0770);
	assert_int_equal(e2_getxattr(NULL, sub->node, DEFAULT, out, sizeof(out)), sizeof(extended));
	assert_memory_equal(out, extended, sizeof(extended));
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_forms), T(test_malformed), T(test_set), T(test_chmod), T(test_inherit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
