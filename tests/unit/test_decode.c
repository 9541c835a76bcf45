/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * test_decode.c: the wire decoder against every opcode's message, exact,
 * short, long and bent, and against random mutations of all of them.  Every
 * message is decoded from an allocation of exactly its size, so that the
 * address sanitizer sees a read past its end.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "../lib/message.h"

static const struct fb_proto proto = {
	.minor = 45,
	.flags = FUSE_SETXATTR_EXT,
	.max_write = 1 << 20,
	.max_pages = 256,
};

/* Decoded, with the copy of the message that its names point into. */
struct decoded {
	struct fb_request req;
	uint8_t *copy;
	int err;
};

static struct decoded decode(const void *bytes, size_t len, const struct fb_proto *p)
{
	struct decoded d = { .copy = malloc(len ? len : 1) };

	memset(&d.req, 0xa5, sizeof(d.req));
	if (len)
		memcpy(d.copy, bytes, len);
	d.err = fb_decode(d.copy, len, p, &d.req);
	return d;
}

/* Decodes and frees @m; the result's names must not be looked at. */
static int decode_error_with(struct message *m, const struct fb_proto *p)
{
	struct decoded d = decode(m->bytes, m->len, p);

	free(d.copy);
	message_free(m);
	return d.err;
}

static int decode_error(struct message *m)
{
	return decode_error_with(m, &proto);
}

static void test_exact(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 100 + i, 200 + i);
		struct decoded d = decode(m.bytes, m.len, &proto);

		if (d.err)
			fail_msg("%s: %d", message_samples[i].name, d.err);
		assert_int_equal(d.req.opcode, message_samples[i].opcode);
		assert_int_equal(d.req.unique, 100 + i);
		assert_int_equal(d.req.nodeid, 200 + i);
		assert_int_equal(d.req.pid, 4711);
		free(d.copy);
		message_free(&m);
	}
}

/* Every shorter length of every message is refused, but INIT's short form. */
static void test_short(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		size_t full = 1;

		for (size_t len = 0; len < full; len++) {
			struct message m = message_of_sample(&message_samples[i], 1, 1);
			int err;

			full = m.len;
			message_resize(&m, len, 0, true);
			err = decode_error(&m);
			if (message_samples[i].opcode == FUSE_INIT && len >= 60)
				continue;
			if (err != -EIO && err != -EINVAL)
				fail_msg("%s cut to %zu of %zu bytes: %d",
					 message_samples[i].name, len, full, err);
		}
	}
}

static void test_long(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		const struct message_sample *s = &message_samples[i];
		struct message m = message_of_sample(s, 1, 1);
		int err;

		message_resize(&m, m.len + 1, 'x', true);
		err = decode_error(&m);
		if (err != (s->end == MESSAGE_END_STRUCT ? 0 : -EINVAL))
			fail_msg("%s one byte longer: %d", s->name, err);
	}
}

static void test_header_length_lies(void **state)
{
	(void)state;
	for (int delta = -1; delta <= 1; delta += 2) {
		struct message m = message_of_sample(&message_samples[0], 77, 1);
		struct decoded d;

		message_head(&m)->len += delta;
		d = decode(m.bytes, m.len, &proto);
		assert_int_equal(d.err, -EIO);
		assert_int_equal(d.req.unique, 77);
		assert_int_equal(d.req.opcode, FUSE_LOOKUP);
		free(d.copy);
		message_free(&m);
	}
}

static void test_no_message(void **state)
{
	struct decoded d = decode("", 0, &proto);

	(void)state;
	assert_int_equal(d.err, -EIO);
	free(d.copy);
}

static void test_unknown_opcode(void **state)
{
	static const uint32_t unknown[] = {
		0, 7, 19, FUSE_GETLK, FUSE_SETLK, FUSE_SETLKW, FUSE_POLL,
		FUSE_NOTIFY_REPLY, FUSE_SETUPMAPPING, FUSE_REMOVEMAPPING, 54,
		255, CUSE_INIT, CUSE_INIT_BSWAP_RESERVED, UINT32_MAX,
	};

	(void)state;
	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		struct message m = message_new(unknown[i], 5, 1);
		int err;

		message_resize(&m, 200, 0, true);
		err = decode_error(&m);
		if (err != -ENOSYS)
			fail_msg("opcode %u: %d", unknown[i], err);
	}
}

/* Extensions, as a newer kernel may append, are not taken for arguments. */
static void test_extensions_skipped(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 1, 1);
		struct fuse_ext_header ext = { .size = 24, .type = 32 };
		int err;

		message_add(&m, &ext, sizeof(ext));
		message_add(&m, "\x01\0\0\0\xe8\x03\0\0\0\0\0\0\0\0\0\0", 16);
		message_head(&m)->total_extlen = 3;
		err = decode_error(&m);
		if (err)
			fail_msg("%s with extensions: %d", message_samples[i].name, err);
	}
}

/* More extensions than message, and extensions that eat into the arguments. */
static void test_extensions_lie(void **state)
{
	(void)state;
	for (size_t i = 0; i < message_sample_count; i++) {
		struct message m = message_of_sample(&message_samples[i], 1, 1);
		int err;

		message_head(&m)->total_extlen = 65535;
		err = decode_error(&m);
		if (err != -EIO)
			fail_msg("%s: %d", message_samples[i].name, err);
		m = message_of_sample(&message_samples[i], 1, 1);
		message_head(&m)->total_extlen = 1;
		err = decode_error(&m);
		if (!err && message_samples[i].opcode != FUSE_INIT)
			fail_msg("%s decoded from a part of itself",
				 message_samples[i].name);
	}
}

static const uint32_t named_opcodes[] = {
	FUSE_LOOKUP, FUSE_SYMLINK, FUSE_MKNOD, FUSE_MKDIR, FUSE_UNLINK,
	FUSE_RMDIR, FUSE_LINK, FUSE_CREATE, FUSE_RENAME, FUSE_RENAME2,
};
#define NAMED_OPCODES (sizeof(named_opcodes) / sizeof(named_opcodes[0]))

static void expect_name(const char *name, size_t len, int lookup, int others)
{
	for (size_t i = 0; i < NAMED_OPCODES; i++) {
		struct message m = message_named(named_opcodes[i], 1, name, len);
		int err = decode_error(&m);

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
		assert_int_equal(decode_error(&m), -EINVAL);
	}
}

static void test_nul_early(void **state)
{
	(void)state;
	for (size_t i = 0; i < NAMED_OPCODES; i++) {
		struct message m = message_named(named_opcodes[i], 1, "na\0me", 6);

		assert_int_equal(decode_error(&m), -EINVAL);
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
	assert_int_equal(decode_error(&m), -EINVAL);
	m = symlink_to("x", 1);
	assert_int_equal(decode_error(&m), -EINVAL);
	text[4095] = 0;
	m = symlink_to(text, 4096);
	d = decode(m.bytes, m.len, &proto);
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
	assert_int_equal(decode_error(&m), -ENAMETOOLONG);
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
	d = decode(m.bytes, m.len, &proto);
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
		assert_int_equal(decode_error(&m), -EINVAL);
	}
}

static struct message write_of(uint64_t off, uint32_t size, size_t bytes)
{
	struct message m = message_new(FUSE_WRITE, 1, 1);
	struct fuse_write_in in = { .offset = off, .size = size };

	message_add(&m, &in, sizeof(in));
	message_resize(&m, m.len + bytes, 'w', true);
	return m;
}

static void test_write_bounds(void **state)
{
	static const struct { uint64_t off; uint32_t size; size_t bytes; int err; } rows[] = {
		{ 0, 0, 0, 0 },
		{ 0, 10, 10, 0 },
		{ 0, 10, 9, -EINVAL },
		{ 0, 10, 11, -EINVAL },
		{ 0, 1 << 20, 1 << 20, 0 },
		{ 0, (1 << 20) + 1, (1 << 20) + 1, -EINVAL },
		{ 0, UINT32_MAX, 10, -EINVAL },
		{ INT64_MAX - 10, 10, 10, 0 },
		{ INT64_MAX - 9, 10, 10, -EINVAL },
		{ INT64_MAX + 1ull, 0, 0, -EINVAL },
		{ UINT64_MAX, 10, 10, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = write_of(rows[i].off, rows[i].size, rows[i].bytes);
		int err = decode_error(&m);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

static void test_write_values(void **state)
{
	struct message m = message_new(FUSE_WRITE, 1, 1);
	struct fuse_write_in in = {
		.fh = 3, .offset = 4096, .size = 3, .write_flags = 5, .flags = 02001,
	};
	struct decoded d;

	(void)state;
	message_add(&m, &in, sizeof(in));
	message_add(&m, "abc", 3);
	d = decode(m.bytes, m.len, &proto);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.write.fh, 3);
	assert_int_equal(d.req.in.write.off, 4096);
	assert_int_equal(d.req.in.write.size, 3);
	assert_int_equal(d.req.in.write.write_flags, 5);
	assert_int_equal(d.req.in.write.flags, 02001);
	assert_memory_equal(d.req.in.write.bytes, "abc", 3);
	free(d.copy);
	message_free(&m);
}

static struct decoded read_of(uint32_t opcode, uint64_t off, uint32_t size)
{
	struct message m = message_new(opcode, 1, 1);
	struct fuse_read_in in = { .offset = off, .size = size };
	struct decoded d;

	message_add(&m, &in, sizeof(in));
	d = decode(m.bytes, m.len, &proto);
	free(d.copy);
	message_free(&m);
	return d;
}

static void test_read_bounds(void **state)
{
	(void)state;
	assert_int_equal(read_of(FUSE_READ, 0, 1 << 20).err, 0);
	assert_int_equal(read_of(FUSE_READ, 0, (1 << 20) + 1).err, -EINVAL);
	assert_int_equal(read_of(FUSE_READ, 0, UINT32_MAX).err, -EINVAL);
	assert_int_equal(read_of(FUSE_READ, INT64_MAX - 1, 1).err, 0);
	assert_int_equal(read_of(FUSE_READ, INT64_MAX, 1).err, -EINVAL);
	assert_int_equal(read_of(FUSE_READ, UINT64_MAX, 1).err, -EINVAL);
}

/* Directory offsets are cookies; sizes are cut to what the buffer holds. */
static void test_readdir_bounds(void **state)
{
	static const uint32_t opcodes[] = { FUSE_READDIR, FUSE_READDIRPLUS };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct decoded d = read_of(opcodes[i], UINT64_MAX, UINT32_MAX);

		assert_int_equal(d.err, 0);
		assert_true(d.req.in.readdir.off == UINT64_MAX);
		assert_int_equal(d.req.in.readdir.size, 1 << 20);
	}
}

static struct message batch_of(uint32_t count, size_t items)
{
	struct message m = message_new(FUSE_BATCH_FORGET, 1, 0);
	struct fuse_batch_forget_in in = { .count = count };

	message_add(&m, &in, sizeof(in));
	message_resize(&m, m.len + items * 16, 1, true);
	return m;
}

static void test_batch_forget(void **state)
{
	static const struct { uint32_t count; size_t items; int err; } rows[] = {
		{ 0, 0, 0 }, { 1, 1, 0 }, { 1000, 1000, 0 }, { 2, 1, -EINVAL },
		{ 1, 2, -EINVAL },
		/* count * 16 is 0 and 16 in 32 bits */
		{ 0x10000000, 0, -EINVAL }, { 0x10000001, 1, -EINVAL },
		{ UINT32_MAX, 1, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = batch_of(rows[i].count, rows[i].items);
		int err = decode_error(&m);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

static void test_batch_forget_values(void **state)
{
	struct message m = message_new(FUSE_BATCH_FORGET, 1, 0);
	struct decoded d;

	(void)state;
	message_add(&m, &(struct fuse_batch_forget_in) { .count = 2 }, 8);
	message_add(&m, &(struct fuse_forget_one) { 5, 6 }, 16);
	message_add(&m, &(struct fuse_forget_one) { 7, UINT64_MAX }, 16);
	d = decode(m.bytes, m.len, &proto);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.batch_forget.count, 2);
	assert_int_equal(d.req.in.batch_forget.items[0].nodeid, 5);
	assert_true(d.req.in.batch_forget.items[1].nlookup == UINT64_MAX);
	free(d.copy);
	message_free(&m);
}

static struct message setxattr_of(bool extended, uint32_t size, size_t bytes,
				  size_t name_len)
{
	struct message m = message_new(FUSE_SETXATTR, 1, 1);
	struct fuse_setxattr_in in = { .size = size, .flags = 1, .setxattr_flags = 1 };
	char name[2000] = { 0 };

	memset(name, 'x', name_len);
	message_add(&m, &in, extended ? 16 : 8);
	message_add(&m, name, name_len + 1);
	message_resize(&m, m.len + bytes, 'v', true);
	return m;
}

static void test_setxattr_bounds(void **state)
{
	static const struct { uint32_t size; size_t bytes, name; int err; } rows[] = {
		{ 0, 0, 6, 0 }, { 10, 10, 6, 0 }, { 10, 9, 6, -EINVAL },
		{ 10, 11, 6, -EINVAL }, { 65536, 65536, 6, 0 },
		{ 65537, 65537, 6, -E2BIG }, { UINT32_MAX, 1, 6, -E2BIG },
		{ 1, 1, 255, 0 }, { 1, 1, 256, -ERANGE }, { 1, 1, 0, -EINVAL },
	};
	struct fb_proto old = proto;

	(void)state;
	old.flags = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int ext = 0; ext < 2; ext++) {
			struct message m = setxattr_of(ext, rows[i].size,
						       rows[i].bytes, rows[i].name);
			int err = decode_error_with(&m, ext ? &proto : &old);

			if (err != rows[i].err)
				fail_msg("row %zu, extended %d: %d", i, ext, err);
		}
	}
}

static void test_setxattr_values(void **state)
{
	struct fb_proto old = proto;

	(void)state;
	old.flags = 0;
	for (int ext = 0; ext < 2; ext++) {
		struct message m = setxattr_of(ext, 3, 3, 4);
		struct decoded d = decode(m.bytes, m.len, ext ? &proto : &old);

		assert_int_equal(d.err, 0);
		assert_string_equal(d.req.in.setxattr.name.bytes, "xxxx");
		assert_int_equal(d.req.in.setxattr.size, 3);
		assert_int_equal(d.req.in.setxattr.flags, 1);
		assert_int_equal(d.req.in.setxattr.setxattr_flags, ext);
		assert_memory_equal(d.req.in.setxattr.value, "vvv", 3);
		free(d.copy);
		message_free(&m);
	}
}

static void test_getxattr_bounds(void **state)
{
	static const struct { uint32_t size; int err; } rows[] = {
		{ 0, 0 }, { 1, 0 }, { 65536, 0 }, { 65537, -EINVAL }, { UINT32_MAX, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fuse_getxattr_in in = { .size = rows[i].size };
		struct message m = message_new(FUSE_GETXATTR, 1, 1);

		message_add(&m, &in, sizeof(in));
		message_add_string(&m, "user.a/b");
		assert_int_equal(decode_error(&m), rows[i].err);
		m = message_new(FUSE_LISTXATTR, 1, 1);
		message_add(&m, &in, sizeof(in));
		assert_int_equal(decode_error(&m), rows[i].err);
	}
}

static struct message init_of(uint32_t major, uint32_t flags, size_t len)
{
	struct message m = message_new(FUSE_INIT, 2, 0);
	struct fuse_init_in in = {
		.major = major, .minor = 36, .max_readahead = 131072,
		.flags = flags, .flags2 = 0x80000001,
	};

	message_add(&m, &in, len);
	return m;
}

static void test_init_forms(void **state)
{
	static const struct {
		uint32_t major, flags;
		size_t len;
		int err;
		uint64_t got;
	} rows[] = {
		{ 7, 0x10, 16, 0, 0x10 },
		{ 7, 0x10, 15, -EIO, 0 },
		{ 7, 0x10, 64, 0, 0x10 },
		{ 7, FUSE_INIT_EXT, 64, 0, 0x8000000140000000 },
		{ 7, FUSE_INIT_EXT | 0x80000000, 64, 0, 0x80000001c0000000 },
		{ 7, FUSE_INIT_EXT, 20, 0, 0x8000000140000000 },
		{ 7, FUSE_INIT_EXT, 19, -EIO, 0 },
		{ 7, FUSE_INIT_EXT, 16, -EIO, 0 },
		{ 8, 0x10, 8, 0, 0 },
		{ 8, 0x10, 64, 0, 0 },
		{ 8, 0x10, 7, -EIO, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = init_of(rows[i].major, rows[i].flags, rows[i].len);
		struct decoded d = decode(m.bytes, m.len, &(struct fb_proto) { 0 });

		if (d.err != rows[i].err)
			fail_msg("row %zu: %d", i, d.err);
		if (!d.err) {
			assert_int_equal(d.req.in.init.major, rows[i].major);
			assert_int_equal(d.req.in.init.minor, 36);
			assert_true(d.req.in.init.flags == rows[i].got);
		}
		free(d.copy);
		message_free(&m);
	}
}

/* Before INIT nothing is settled, and no data may be asked for. */
static void test_before_init(void **state)
{
	struct message m = write_of(0, 1, 1);

	(void)state;
	assert_int_equal(decode_error_with(&m, &(struct fb_proto) { 0 }), -EINVAL);
}

static int setattr_error(struct fuse_setattr_in in)
{
	struct message m = message_new(FUSE_SETATTR, 1, 1);

	message_add(&m, &in, sizeof(in));
	return decode_error(&m);
}

static void test_setattr_bounds(void **state)
{
	(void)state;
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_SIZE, .size = INT64_MAX }), 0);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_SIZE, .size = INT64_MAX + 1ull }), -EINVAL);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_MODE, .size = UINT64_MAX }), 0);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_ATIME, .atimensec = 1000000000 }), -EINVAL);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_MTIME, .mtimensec = UINT32_MAX }), -EINVAL);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_CTIME, .ctimensec = 1000000000 }), -EINVAL);
	assert_int_equal(setattr_error((struct fuse_setattr_in) {
		.valid = FATTR_MTIME, .ctimensec = UINT32_MAX }), 0);
}

static void test_setattr_values(void **state)
{
	struct message m = message_new(FUSE_SETATTR, 1, 1);
	struct fuse_setattr_in in = {
		.valid = FATTR_ATIME | FATTR_MTIME | FATTR_CTIME | FATTR_UID,
		.atime = (uint64_t)-1, .atimensec = 1, .mtime = 1ull << 33,
		.mtimensec = 2, .ctime = 3, .ctimensec = 4, .uid = 5, .gid = 6,
		.mode = 07777, .size = 8, .fh = 9,
	};
	struct decoded d;

	(void)state;
	message_add(&m, &in, sizeof(in));
	d = decode(m.bytes, m.len, &proto);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.setattr.valid, in.valid);
	assert_int_equal(d.req.in.setattr.atime.tv_sec, -1);
	assert_int_equal(d.req.in.setattr.atime.tv_nsec, 1);
	assert_int_equal(d.req.in.setattr.mtime.tv_sec, 1ll << 33);
	assert_int_equal(d.req.in.setattr.ctime.tv_sec, 3);
	assert_int_equal(d.req.in.setattr.uid, 5);
	assert_int_equal(d.req.in.setattr.gid, 6);
	assert_int_equal(d.req.in.setattr.mode, 07777);
	assert_int_equal(d.req.in.setattr.size, 8);
	assert_int_equal(d.req.in.setattr.fh, 9);
	free(d.copy);
	message_free(&m);
}

static struct message ioctl_of(uint32_t in_size, uint32_t out_size, size_t bytes)
{
	struct message m = message_new(FUSE_IOCTL, 1, 1);
	struct fuse_ioctl_in in = { .in_size = in_size, .out_size = out_size };

	message_add(&m, &in, sizeof(in));
	message_resize(&m, m.len + bytes, 'i', true);
	return m;
}

static void test_ioctl_bounds(void **state)
{
	static const struct { uint32_t in, out; size_t bytes; int err; } rows[] = {
		{ 0, 0, 0, 0 }, { 4, 0, 4, 0 }, { 4, 4, 3, -EINVAL }, { 4, 4, 5, -EINVAL },
		{ 16384, 16384, 16384, 0 }, { 16385, 0, 16385, -EINVAL },
		{ 0, 16385, 0, -EINVAL }, { UINT32_MAX, UINT32_MAX, 0, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct message m = ioctl_of(rows[i].in, rows[i].out, rows[i].bytes);
		int err = decode_error(&m);

		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

static void test_fallocate_bounds(void **state)
{
	static const struct { uint64_t off, len; int err; } rows[] = {
		{ 0, 1, 0 }, { 0, 0, -EINVAL }, { INT64_MAX, 1, -EFBIG },
		{ INT64_MAX - 1, 1, 0 }, { INT64_MAX + 1ull, 1, -EINVAL },
		{ 1, INT64_MAX, -EFBIG }, { 0, INT64_MAX, 0 }, { 0, UINT64_MAX, -EINVAL },
		{ UINT64_MAX, UINT64_MAX, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fuse_fallocate_in in = { .offset = rows[i].off, .length = rows[i].len };
		struct message m = message_new(FUSE_FALLOCATE, 1, 1);
		int err;

		message_add(&m, &in, sizeof(in));
		err = decode_error(&m);
		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

static void test_lseek_bounds(void **state)
{
	static const struct { uint64_t off; uint32_t whence; int err; } rows[] = {
		{ 0, SEEK_DATA, 0 }, { INT64_MAX, SEEK_HOLE, 0 },
		{ UINT64_MAX, SEEK_DATA, -ENXIO }, { 0, SEEK_SET, -EINVAL },
		{ 0, SEEK_END, -EINVAL }, { 0, 5, -EINVAL }, { 0, UINT32_MAX, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fuse_lseek_in in = { .offset = rows[i].off, .whence = rows[i].whence };
		struct message m = message_new(FUSE_LSEEK, 1, 1);

		message_add(&m, &in, sizeof(in));
		assert_int_equal(decode_error(&m), rows[i].err);
	}
}

static struct decoded copy_of(uint32_t opcode, uint64_t in, uint64_t out, uint64_t len)
{
	struct message m = message_new(opcode, 1, 1);
	struct fuse_copy_file_range_in args = { .off_in = in, .off_out = out, .len = len };
	struct decoded d;

	message_add(&m, &args, sizeof(args));
	d = decode(m.bytes, m.len, &proto);
	free(d.copy);
	message_free(&m);
	return d;
}

static void test_copy_bounds(void **state)
{
	struct decoded d;

	(void)state;
	d = copy_of(FUSE_COPY_FILE_RANGE, 0, 0, INT64_MAX);
	assert_int_equal(d.err, 0);
	assert_int_equal(d.req.in.copy_file_range.len, 0x7ffff000);
	d = copy_of(FUSE_COPY_FILE_RANGE_64, 0, 0, INT64_MAX);
	assert_int_equal(d.err, 0);
	assert_true(d.req.in.copy_file_range.len == INT64_MAX);
	assert_int_equal(copy_of(FUSE_COPY_FILE_RANGE_64, 1, 0, INT64_MAX).err, -EINVAL);
	assert_int_equal(copy_of(FUSE_COPY_FILE_RANGE_64, 0, 1, INT64_MAX).err, -EINVAL);
	assert_int_equal(copy_of(FUSE_COPY_FILE_RANGE_64, 0, 0, UINT64_MAX).err, -EINVAL);
	assert_int_equal(copy_of(FUSE_COPY_FILE_RANGE, UINT64_MAX, 0, 1).err, -EINVAL);
	assert_int_equal(copy_of(FUSE_COPY_FILE_RANGE, INT64_MAX, 0, 1).err, -EINVAL);
}

static void test_bmap_bounds(void **state)
{
	static const struct { uint64_t block; uint32_t size; int err; } rows[] = {
		{ 0, 512, 0 }, { 0, 65536, 0 }, { 0, 0, -EINVAL }, { 0, 511, -EINVAL },
		{ 0, 3000, -EINVAL }, { 0, 131072, -EINVAL }, { 0, 0x80000000, -EINVAL },
		{ UINT64_MAX, 4096, -EINVAL }, { INT64_MAX / 4096, 4096, 0 },
		{ INT64_MAX / 4096 + 1, 4096, -EINVAL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct fuse_bmap_in in = { .block = rows[i].block, .blocksize = rows[i].size };
		struct message m = message_new(FUSE_BMAP, 1, 1);
		int err;

		message_add(&m, &in, sizeof(in));
		err = decode_error(&m);
		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

/* A name that was accepted lies, with its NUL, inside the message. */
static void check_name(const struct decoded *d, size_t len, const struct fb_name *name)
{
	assert_true(name->len >= 1 && name->len <= 4095);
	assert_true((const uint8_t *)name->bytes >= d->copy);
	assert_true((const uint8_t *)name->bytes + name->len < d->copy + len);
	assert_int_equal(name->bytes[name->len], 0);
	assert_null(memchr(name->bytes, 0, name->len));
}

static void check_mutant(const struct decoded *d, size_t len)
{
	volatile uint8_t sink = 0;

	switch (d->req.opcode) {
	case FUSE_LOOKUP:
	case FUSE_UNLINK:
	case FUSE_RMDIR:
		check_name(d, len, &d->req.in.lookup.name);
		break;
	case FUSE_RENAME:
	case FUSE_RENAME2:
		check_name(d, len, &d->req.in.rename.name);
		check_name(d, len, &d->req.in.rename.newname);
		break;
	case FUSE_WRITE:
		for (uint32_t i = 0; i < d->req.in.write.size; i++)
			sink ^= ((const uint8_t *)d->req.in.write.bytes)[i];
		break;
	case FUSE_SETXATTR:
		check_name(d, len, &d->req.in.setxattr.name);
		for (uint32_t i = 0; i < d->req.in.setxattr.size; i++)
			sink ^= ((const uint8_t *)d->req.in.setxattr.value)[i];
		break;
	case FUSE_BATCH_FORGET:
		for (uint32_t i = 0; i < d->req.in.batch_forget.count; i++)
			sink ^= d->req.in.batch_forget.items[i].nodeid;
		break;
	case FUSE_IOCTL:
		for (uint32_t i = 0; i < d->req.in.ioctl.in_size; i++)
			sink ^= ((const uint8_t *)d->req.in.ioctl.in)[i];
		break;
	}
	(void)sink;
}

static uint64_t next_random(uint64_t *seed)
{
	*seed = *seed * 6364136223846793005ull + 1442695040888963407ull;
	return *seed >> 33;
}

static void mutate(struct message *m, uint64_t *seed)
{
	static const uint32_t edges[] = {
		0, 1, 0x7f, 0xff, 0x100, 0x7fffffff, 0x80000000, 0xffffffff,
		0x100000, 0x100001, 0x10000000, 0x10001,
	};
	unsigned changes = next_random(seed) % 4;

	for (unsigned i = 0; i < changes; i++) {
		size_t at = next_random(seed) % m->len;
		uint32_t edge = edges[next_random(seed) % 12];

		if (next_random(seed) % 2 && at + 4 <= m->len)
			memcpy(m->bytes + at, &edge, 4);
		else
			m->bytes[at] = next_random(seed);
	}
	if (next_random(seed) % 3 == 0)
		message_resize(m, next_random(seed) % (m->len + 40), next_random(seed), true);
	else if (next_random(seed) % 8 && m->len >= 4)
		message_head(m)->len = m->len;
}

static void test_mutations(void **state)
{
	uint64_t seed = 20240229;
	unsigned accepted = 0;

	(void)state;
	for (unsigned round = 0; round < 200000; round++) {
		const struct message_sample *s =
			&message_samples[next_random(&seed) % message_sample_count];
		struct message m = message_of_sample(s, 1, 1);
		struct decoded d;

		mutate(&m, &seed);
		d = decode(m.bytes, m.len, &proto);
		if (d.err > 0 || d.err < -511)
			fail_msg("%s, round %u: %d", s->name, round, d.err);
		if (d.err == 0) {
			accepted++;
			check_mutant(&d, m.len);
		}
		free(d.copy);
		message_free(&m);
	}
	/* the mutations must reach both sides */
	assert_in_range(accepted, 20000, 180000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_long),
		cmocka_unit_test(test_header_length_lies),
		cmocka_unit_test(test_no_message),
		cmocka_unit_test(test_unknown_opcode),
		cmocka_unit_test(test_extensions_skipped),
		cmocka_unit_test(test_extensions_lie),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_name_lengths),
		cmocka_unit_test(test_name_without_nul),
		cmocka_unit_test(test_nul_early),
		cmocka_unit_test(test_symlink_target),
		cmocka_unit_test(test_rename_values),
		cmocka_unit_test(test_rename_first_name),
		cmocka_unit_test(test_write_bounds),
		cmocka_unit_test(test_write_values),
		cmocka_unit_test(test_read_bounds),
		cmocka_unit_test(test_readdir_bounds),
		cmocka_unit_test(test_batch_forget),
		cmocka_unit_test(test_batch_forget_values),
		cmocka_unit_test(test_setxattr_bounds),
		cmocka_unit_test(test_setxattr_values),
		cmocka_unit_test(test_getxattr_bounds),
		cmocka_unit_test(test_init_forms),
		cmocka_unit_test(test_before_init),
		cmocka_unit_test(test_setattr_bounds),
		cmocka_unit_test(test_setattr_values),
		cmocka_unit_test(test_ioctl_bounds),
		cmocka_unit_test(test_fallocate_bounds),
		cmocka_unit_test(test_lseek_bounds),
		cmocka_unit_test(test_copy_bounds),
		cmocka_unit_test(test_bmap_bounds),
		cmocka_unit_test(test_mutations),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
