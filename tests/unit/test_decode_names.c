// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_decode_names.c: the names in messages: what the wire decoder takes for
 * one, for every opcode that has names.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "decode_rig.h"

static const uint32_t named_opcodes[] = {
	FUSE_LOOKUP, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK,
	FUSE_RMDIR, FUSE_LINK, FUSE_CREATE, FUSE_RENAME, FUSE_RENAME2,
};
#define NAMED_OPCODES (sizeof(named_opcodes) / sizeof(named_opcodes[0]))

static void expect_name(const char *name, size_t len, int lookup, int others)
{
	for (size_t i = 0; i < NAMED_OPCODES; i++) {
		struct message m = message_named(named_opcodes[i], 1, name, len);
		int err = rig_decode_error(&m);

		if (err != (named_opcodes[i] == FUSE_LOOKUP ? lookup : others))
			fail_msg("opcode %u, name of %zu bytes: %d",
				 named_opcodes[i], len, err);
	}
}

static void test_names(void **state)
{
	(void)state;
	expect_name("a", 2, 0, 0);
	expect_name(".", 2, 0, -EINVAL);
	expect_name("..", 3, 0, -EINVAL);
	expect_name("...", 4, 0, 0);
	expect_name(".a", 3, 0, 0);
	expect_name("\0", 2, -EINVAL, -EINVAL);
	expect_name("a/b", 4, -EINVAL, -EINVAL);
	expect_name("/", 2, -EINVAL, -EINVAL);
	expect_name("\xff\x01\n", 4, 0, 0);
}

static void test_name_lengths(void **state)
{
	static const struct { size_t len; int err; } rows[] = {
		{ 255, 0 }, { 256, 0 }, { 1023, 0 }, { 1024, 0 },
		{ 1025, -ENAMETOOLONG }, { 4095, -ENAMETOOLONG }, { 100000, -ENAMETOOLONG },
	};
	char *name = calloc(1, 100001);

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		memset(name, 'n', rows[i].len);
		expect_name(name, rows[i].len + 1, rows[i].err, rows[i].err);
		memset(name, 0, 100001);
	}
	free(name);
}

static void test_name_without_nul(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMED_OPCODES; i++) {
		struct message m;

		if (named_opcodes[i] == FUSE_SYMLINK)
			continue;
		m = message_named(named_opcodes[i], 1, "no nul here", 11);
		assert_int_equal(rig_decode_error(&m), -EINVAL);
	}
}

static void test_nul_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMED_OPCODES; i++) {
		struct message m = message_named(named_opcodes[i], 1, "na\0me", 6);

		assert_int_equal(rig_decode_error(&m), -EINVAL);
	}
}

static struct message symlink_to(const char *target, size_t len)
{
	struct message m = message_new(FUSE_SYMLINK, 1, 1);

	message_add_string(&m, "link");
	message_add(&m, target, len);
	return m;
}

static void test_symlink_target(void **state)
{
	char *text = malloc(5000);
	struct message m = symlink_to("", 1);
	struct decoded d;

	(void)state;
	memset(text, 't', 5000);
	assert_int_equal(rig_decode_error(&m), -EINVAL);
	m = symlink_to("x", 1);
	assert_int_equal(rig_decode_error(&m), -EINVAL);
	text[4095] = 0;
	m = symlink_to(text, 4096);
	d = rig_decode(m.bytes, m.len, &rig_proto);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.symlink.name.len, 4);
	assert_string_equal(d.req.in.symlink.name.bytes, "link");
	assert_int_equal(d.req.in.symlink.target.len, 4095);
	assert_string_equal(d.req.in.symlink.target.bytes, text);
	free(d.copy);
	message_free(&m);
	text[4095] = 't';
	text[4096] = 0;
	m = symlink_to(text, 4097);
	assert_int_equal(rig_decode_error(&m), -ENAMETOOLONG);
	free(text);
}

static void test_rename_values(void **state)
{
	struct message m = message_new(FUSE_RENAME2, 1, 9);
	struct fuse_rename2_in in = { .newdir = 77, .flags = 4 };
	struct decoded d;

	(void)state;
	message_add(&m, &in, sizeof(in));
	message_add_string(&m, "old");
	message_add_string(&m, "newer");
	d = rig_decode(m.bytes, m.len, &rig_proto);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.rename.newdir, 77);
	assert_int_equal(d.req.in.rename.flags, 4);
	assert_int_equal(d.req.in.rename.name.len, 3);
	assert_string_equal(d.req.in.rename.name.bytes, "old");
	assert_int_equal(d.req.in.rename.newname.len, 5);
	assert_string_equal(d.req.in.rename.newname.bytes, "newer");
	free(d.copy);
	message_free(&m);
}

/* The first name of a rename is held to the rules too. */
static void test_rename_first_name(void **state)
{
	static const char *const bad[] = { "", ".", "..", "a/b" };

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		struct message m = message_new(FUSE_RENAME, 1, 1);

		message_add(&m, &(uint64_t) { 1 }, 8);
		message_add_string(&m, bad[i]);
		message_add_string(&m, "good");
		assert_int_equal(rig_decode_error(&m), -EINVAL);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_name_without_nul),
		cmocka_unit_test(test_nul_early),
		cmocka_unit_test(test_symlink_target),
		cmocka_unit_test(test_rename_values),
		cmocka_unit_test(test_rename_first_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
