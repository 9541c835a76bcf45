// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_probe.c: what the probe says of images: made by mke2fs, or of the
 * bytes that each format's signature consists of.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <zlib.h>
#include <cmocka.h>

#include "probe_internal.h"

#define IMAGE_SIZE (8u << 20)
#define PATIENCE 20000

static struct fb_probe_result r;

static int new_image(off_t size)
{
	int fd = memfd_create("image", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, size), 0);
	return fd;
}

static void put(int fd, uint64_t off, const void *bytes, size_t len)
{
	assert_int_equal(pwrite(fd, bytes, len, (off_t)off), len);
}

static void put_le(int fd, uint64_t off, uint64_t value, unsigned bytes)
{
	uint8_t b[8];
	unsigned i;

	for (i = 0; i < bytes; i++)
		b[i] = (uint8_t)(value >> (8 * i));
	put(fd, off, b, bytes);
}

static void probe(int fd)
{
	assert_int_equal(fb_probe(fd, 0, 0, PATIENCE, &r), 0);
}

/* mke2fs on @fd; @options from offset 0. */
static void make_ext(int fd, const char *options)
{
	char command[256];

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F %s /proc/%d/fd/%d >/dev/null 2>&1", options,
		 (int)getpid(), fd);
	if (system("PATH=$PATH:/sbin:/usr/sbin command -v mke2fs >/dev/null"))
		skip();
	assert_int_equal(system(command), 0);
}

static void expect_kind(int fd, enum fb_probe_kind kind, const char *word)
{
	char text[4096];

	probe(fd);
	fb_probe_explain(&r, "SOURCE", text, sizeof(text));
	if (r.kind != kind)
		fail_msg("kind %u, not %u: %s", r.kind, kind, text);
	assert_int_equal(strncmp(text, "SOURCE: ", 8), 0);
	if (!strstr(text, word))
		fail_msg("\"%s\" does not say \"%s\"", text, word);
}

static void test_ext2(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	make_ext(fd, "-t ext2 -b 2048 -L 'my label' -U 01234567-89ab-cdef-0123-456789abcdef");
	expect_kind(fd, FB_PROBE_FILESYSTEM, "my label");
	assert_string_equal(r.type, "ext2");
	assert_string_equal(r.label, "my label");
	assert_string_equal(r.uuid, "01234567-89ab-cdef-0123-456789abcdef");
	assert_int_equal(r.block_size, 2048);
	close(fd);
}

static void test_ext4_at_offset(void **state)
{
	int fd = new_image(2 * IMAGE_SIZE);

	(void)state;
	make_ext(fd, "-t ext4 -E offset=1048576 -b 1024");
	probe(fd);
	assert_int_equal(r.kind, FB_PROBE_UNKNOWN);
	assert_int_equal(fb_probe(fd, 1048576, IMAGE_SIZE, PATIENCE, &r), 0);
	assert_int_equal(r.kind, FB_PROBE_FILESYSTEM);
	assert_string_equal(r.type, "ext4");
	close(fd);
}

static void test_offset_is_kept(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	assert_int_equal(lseek(fd, 777, SEEK_SET), 777);
	probe(fd);
	assert_int_equal(lseek(fd, 0, SEEK_CUR), 777);
	close(fd);
}

static void test_gzip(void **state)
{
	int plain = new_image(IMAGE_SIZE), packed = new_image(0);
	static char bytes[IMAGE_SIZE];
	gzFile gz;

	(void)state;
	make_ext(plain, "-t ext2 -b 1024 -L packed");
	assert_int_equal(pread(plain, bytes, sizeof(bytes), 0), sizeof(bytes));
	gz = gzdopen(dup(packed), "wb");
	assert_non_null(gz);
	assert_int_equal(gzwrite(gz, bytes, sizeof(bytes)), sizeof(bytes));
	gzclose(gz);
	expect_kind(packed, FB_PROBE_FILESYSTEM, "packed");
	assert_string_equal(r.type, "ext2");
	/* Damaged behind its magic. */
	put(packed, 4, "\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff", 16);
	expect_kind(packed, FB_PROBE_ERROR, "cannot be probed");
	close(plain);
	close(packed);
}

static void test_unknown(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	expect_kind(fd, FB_PROBE_UNKNOWN, "-t fuseblk.TYPE");
	close(fd);
}

static void test_tiny(void **state)
{
	static const off_t sizes[] = { 1, 511, 1024, 1080, 4096 };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		int fd = new_image(sizes[i]);

		probe(fd);
		assert_true(r.kind == FB_PROBE_UNKNOWN || r.kind == FB_PROBE_ERROR);
		close(fd);
	}
}

static void test_swap(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	put_le(fd, 1024, 1, 4);
	put_le(fd, 1028, IMAGE_SIZE / 4096 - 1, 4);
	put(fd, 4096 - 10, "SWAPSPACE2", 10);
	expect_kind(fd, FB_PROBE_SWAP, "swap");
	close(fd);
}

static void test_luks(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	put(fd, 0, "LUKS\xba\xbe\0\1", 8);
	put(fd, 168, "01234567-89ab-cdef-0123-456789abcdef", 36);
	expect_kind(fd, FB_PROBE_ENCRYPTED, "cryptsetup");
	close(fd);
}

static void test_raid(void **state)
{
	int fd = new_image(IMAGE_SIZE);
	const uint64_t sb = 4096;	/* version 1.2 */
	uint8_t bytes[256 + 2];
	uint64_t sum = 0;
	size_t i;

	(void)state;
	put_le(fd, sb, 0xa92b4efc, 4);
	put_le(fd, sb + 4, 1, 4);
	put(fd, sb + 16, "0123456789abcdef", 16);
	put_le(fd, sb + 128, 8, 8);		/* data_offset */
	put_le(fd, sb + 136, 16, 8);
	put_le(fd, sb + 144, sb / 512, 8);	/* super_offset */
	put_le(fd, sb + 220, 1, 4);		/* max_dev */
	assert_int_equal(pread(fd, bytes, sizeof(bytes), (off_t)sb), sizeof(bytes));
	for (i = 0; i < 256; i += 4)
		sum += (uint32_t)bytes[i] | (uint32_t)bytes[i + 1] << 8 | (uint32_t)bytes[i + 2] << 16 |
		       (uint32_t)bytes[i + 3] << 24;
	put_le(fd, sb + 216, (sum & 0xffffffff) + (sum >> 32), 4);
	expect_kind(fd, FB_PROBE_RAID, "mdadm");
	close(fd);
}

static void test_lvm(void **state)
{
	int fd = new_image(IMAGE_SIZE);
	uint8_t bytes[492];

	(void)state;
	put(fd, 512, "LABELONE", 8);
	put_le(fd, 520, 1, 8);			/* sector of the label */
	put_le(fd, 532, 32, 4);			/* offset of its content */
	put(fd, 536, "LVM2 001", 8);
	put(fd, 544, "0123456789abcdefghijklmnopqrstuv", 32);
	assert_int_equal(pread(fd, bytes, sizeof(bytes), 532), sizeof(bytes));
	put_le(fd, 528, ~crc32(~0xf597a6cfu, bytes, sizeof(bytes)), 4);
	expect_kind(fd, FB_PROBE_OTHER, "LVM2_member");
	close(fd);
}

static void put_mbr_entry(int fd, unsigned i, uint8_t type, uint32_t start, uint32_t sectors)
{
	uint64_t at = 446 + 16 * i;

	put_le(fd, at + 4, type, 1);
	put_le(fd, at + 8, start, 4);
	put_le(fd, at + 12, sectors, 4);
	put_le(fd, 510, 0xaa55, 2);
}

static void test_mbr(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	put_mbr_entry(fd, 0, 0x83, 2048, 4096);
	put_mbr_entry(fd, 2, 0x0c, 8192, 2048);
	expect_kind(fd, FB_PROBE_PARTITIONED, "partition=N");
	assert_string_equal(r.pttype, "dos");
	assert_int_equal(r.partition_count, 2);
	assert_int_equal(r.partitions[0].number, 1);
	assert_int_equal(r.partitions[0].offset, 2048 * 512);
	assert_int_equal(r.partitions[0].size, 4096 * 512);
	assert_string_equal(r.partitions[0].type, "0x83");
	assert_int_equal(r.partitions[1].number, 3);
	assert_int_equal(r.partitions[1].offset, 8192 * 512);
	close(fd);
}

/* One GPT partition named "root" from @first to @last, in sectors of @sector bytes. */
static void put_gpt(int fd, uint32_t sector, uint64_t first, uint64_t last)
{
	static uint8_t header[92], table[128 * 128];
	uint64_t end = IMAGE_SIZE / sector - 1;
	unsigned i;

	memset(table, 0, sizeof(table));
	memcpy(table, "\xaf\x3d\xc6\x0f\x83\x84\x72\x47\x8e\x79\x3d\x69\xd8\x47\x7d\xe4", 16);
	memset(table + 16, 0x11, 16);
	for (i = 0; i < 8; i++) {
		table[32 + i] = (uint8_t)(first >> (8 * i));
		table[40 + i] = (uint8_t)(last >> (8 * i));
	}
	memcpy(table + 56, "r\0o\0o\0t\0", 8);
	put(fd, 2 * sector, table, sizeof(table));
	put_mbr_entry(fd, 0, 0xee, 1, (uint32_t)end);

	put(fd, sector, "EFI PART\0\0\1\0", 12);
	put_le(fd, sector + 12, 92, 4);
	put_le(fd, sector + 24, 1, 8);
	put_le(fd, sector + 32, end, 8);
	put_le(fd, sector + 40, 2 + sizeof(table) / sector, 8);
	put_le(fd, sector + 48, end - 1 - sizeof(table) / sector, 8);
	put(fd, sector + 56, "0123456789abcdef", 16);
	put_le(fd, sector + 72, 2, 8);
	put_le(fd, sector + 80, 128, 4);
	put_le(fd, sector + 84, 128, 4);
	put_le(fd, sector + 88, crc32(0, table, sizeof(table)), 4);
	put_le(fd, sector + 16, 0, 4);
	assert_int_equal(pread(fd, header, sizeof(header), sector), sizeof(header));
	put_le(fd, sector + 16, crc32(0, header, sizeof(header)), 4);
}

static void test_gpt(void **state)
{
	static const uint32_t sectors[] = { 512, 4096 };
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		int fd = new_image(IMAGE_SIZE);

		put_gpt(fd, sectors[i], 256, 511);
		expect_kind(fd, FB_PROBE_PARTITIONED, "gpt");
		assert_int_equal(r.partition_count, 1);
		assert_int_equal(r.partitions[0].offset, 256 * sectors[i]);
		assert_int_equal(r.partitions[0].size, 256 * sectors[i]);
		assert_string_equal(r.partitions[0].name, "root");
		assert_string_equal(r.partitions[0].type, "0fc63daf-8483-4772-8e79-3d69d8477de4");
		close(fd);
	}
}

static void test_filesystem_and_table(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	make_ext(fd, "-t ext2 -b 1024");
	/* A boot sector alone is no partition table. */
	put_le(fd, 510, 0xaa55, 2);
	expect_kind(fd, FB_PROBE_FILESYSTEM, "ext2");
	put_mbr_entry(fd, 0, 0x83, 2048, 4096);
	expect_kind(fd, FB_PROBE_AMBIVALENT, "dos partition table");
	assert_int_equal(r.candidate_count, 2);
	assert_string_equal(r.candidates[0], "ext2");
	close(fd);
}

static void test_ambivalent(void **state)
{
	int fd = new_image(IMAGE_SIZE);

	(void)state;
	make_ext(fd, "-t ext2 -b 4096");
	put(fd, 32768 + 1, "CD001\1", 6);	/* ISO 9660 */
	put_le(fd, 32768, 1, 1);
	put(fd, 0, "XFSB", 4);			/* no valid XFS: it must not be listed */
	put(fd, 65536 + 52, "ReIsEr2Fs", 9);
	put_le(fd, 65536 + 44, 4096, 2);
	expect_kind(fd, FB_PROBE_AMBIVALENT, "-t fuseblk.TYPE");
	assert_true(r.candidate_count >= 2);
	close(fd);
}

static void test_timeout(void **state)
{
	int fd = new_image(IMAGE_SIZE);
	char text[512];

	(void)state;
	assert_int_equal(fb_probe(fd, 0, 0, 0, &r), 0);
	assert_int_equal(r.kind, FB_PROBE_TIMEOUT);
	fb_probe_explain(&r, "x", text, sizeof(text));
	assert_non_null(strstr(text, "too long"));
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);	/* no child is left */
	close(fd);
}

static void test_unreadable(void **state)
{
	int fd = open("/", O_RDONLY | O_DIRECTORY);

	(void)state;
	expect_kind(fd, FB_PROBE_ERROR, "directory");
	close(fd);
	assert_int_equal(fb_probe(-1, 0, 0, PATIENCE, &r), 0);
	assert_int_equal(r.kind, FB_PROBE_ERROR);
	assert_int_equal(r.error, -EBADF);
}

/* A child that was taken over may send anything. */
static void test_hostile_answer(void **state)
{
	static const int bytes[] = { 0x00, 0x01, 0x41, 0x7f, 0xff };
	static char text[65536];
	size_t i, j;

	(void)state;
	for (i = 0; i < sizeof(bytes) / sizeof(bytes[0]); i++) {
		for (j = 0; j <= FB_PROBE_OTHER; j++) {
			memset(&r, bytes[i], sizeof(r));
			r.kind = (uint32_t)j;
			fb_probe_sanitize(&r);
			assert_true(r.partition_count <= FB_PROBE_MAX_PARTITIONS);
			assert_true(r.candidate_count <= FB_PROBE_MAX_CANDIDATES);
			assert_true(strlen(r.type) < sizeof(r.type));
			assert_true(strlen(r.label) < sizeof(r.label));
			fb_probe_explain(&r, "x", text, sizeof(text));
			assert_null(strchr(text, '\x01'));
			fb_probe_explain(&r, "x", text, 10);
			assert_true(strlen(text) < 10);
		}
	}
	memset(&r, 0xff, sizeof(r));
	fb_probe_sanitize(&r);
	assert_int_equal(r.kind, FB_PROBE_ERROR);
}

static void test_tags(void **state)
{
	char path[64];

	(void)state;
	assert_int_equal(fb_probe_tag("no tag", path, sizeof(path)), -EINVAL);
	assert_int_equal(fb_probe_tag("TYPE=ext4", path, sizeof(path)), -EINVAL);
	assert_int_equal(fb_probe_tag("UUID=00000000-dead-dead-dead-000000000000", path, sizeof(path)), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ext2),
		cmocka_unit_test(test_ext4_at_offset),
		cmocka_unit_test(test_offset_is_kept),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_tiny),
		cmocka_unit_test(test_swap),
		cmocka_unit_test(test_luks),
		cmocka_unit_test(test_raid),
		cmocka_unit_test(test_lvm),
		cmocka_unit_test(test_mbr),
		cmocka_unit_test(test_gpt),
		cmocka_unit_test(test_filesystem_and_table),
		cmocka_unit_test(test_ambivalent),
		cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_unreadable),
		cmocka_unit_test(test_hostile_answer),
		cmocka_unit_test(test_tags),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
