// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_decode_values.c: the numbers in messages: their bounds, and that each
 * arrives where it belongs.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "decode_rig.h"

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
		int err = rig_decode_error(&m);

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
	d = rig_decode(m.bytes, m.len, &rig_proto);
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
	d = rig_decode(m.bytes, m.len, &rig_proto);
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
		int err = rig_decode_error(&m);

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
	d = rig_decode(m.bytes, m.len, &rig_proto);
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
	struct fb_proto old = rig_proto;

	(void)state;
	old.flags = 0;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		for (int ext = 0; ext < 2; ext++) {
			struct message m = setxattr_of(ext, rows[i].size,
						       rows[i].bytes, rows[i].name);
			int err = rig_decode_error_with(&m, ext ? &rig_proto : &old);

			if (err != rows[i].err)
				fail_msg("row %zu, extended %d: %d", i, ext, err);
		}
	}
}

static void test_setxattr_values(void **state)
{
	struct fb_proto old = rig_proto;

	(void)state;
	old.flags = 0;
	for (int ext = 0; ext < 2; ext++) {
		struct message m = setxattr_of(ext, 3, 3, 4);
		struct decoded d = rig_decode(m.bytes, m.len, ext ? &rig_proto : &old);

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
		assert_int_equal(rig_decode_error(&m), rows[i].err);
		m = message_new(FUSE_LISTXATTR, 1, 1);
		message_add(&m, &in, sizeof(in));
		assert_int_equal(rig_decode_error(&m), rows[i].err);
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
		struct decoded d = rig_decode(m.bytes, m.len, &(struct fb_proto) { 0 });

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
	assert_int_equal(rig_decode_error_with(&m, &(struct fb_proto) { 0 }), -EINVAL);
}

static int setattr_error(struct fuse_setattr_in in)
{
	struct message m = message_new(FUSE_SETATTR, 1, 1);

	message_add(&m, &in, sizeof(in));
	return rig_decode_error(&m);
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
	d = rig_decode(m.bytes, m.len, &rig_proto);
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
		int err = rig_decode_error(&m);

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
		err = rig_decode_error(&m);
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
		assert_int_equal(rig_decode_error(&m), rows[i].err);
	}
}

static struct decoded copy_of(uint32_t opcode, uint64_t in, uint64_t out, uint64_t len)
{
	struct message m = message_new(opcode, 1, 1);
	struct fuse_copy_file_range_in args = { .off_in = in, .off_out = out, .len = len };
	struct decoded d;

	message_add(&m, &args, sizeof(args));
	d = rig_decode(m.bytes, m.len, &rig_proto);
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
		err = rig_decode_error(&m);
		if (err != rows[i].err)
			fail_msg("row %zu: %d", i, err);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
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
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
