// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_source.c: what a mount's source may be, and the locks that keep its
 * bytes from being mounted twice.
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
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "mount_internal.h"

static char dir[] = "/tmp/fuseblk-source-XXXXXX";
static struct fb_source src;
static struct fb_report report;

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *p = path[turn++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void make_file(const char *name, const void *head, size_t len, off_t size)
{
	int fd = open(in_dir(name), O_RDWR | O_CREAT | O_TRUNC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, head, len, 0), len);
	assert_int_equal(ftruncate(fd, size), 0);
	close(fd);
}

static int open_source(const char *name, const char *options)
{
	static struct fb_mount_options o;

	memset(&o, 0, sizeof(o));
	memset(&report, 0, sizeof(report));
	assert_int_equal(fb_mount_options_add(&o, options, &report), 0);
	return fb_source_open(&src, name, &o, &report);
}

static void expect_refusal(const char *name, const char *options, const char *word)
{
	int err = open_source(name, options);

	if (err >= 0)
		fail_msg("%s was opened", name);
	assert_int_equal(src.fd, -1);
	assert_true(report.status != 0);
	assert_null(strchr(report.text, '\n'));
	if (!strstr(report.text, word))
		fail_msg("\"%s\" does not say \"%s\"", report.text, word);
}

static int setup(void **state)
{
	(void)state;
	if (!mkdtemp(dir))
		return -1;
	make_file("image", "", 0, 1 << 20);
	make_file("empty", "", 0, 0);
	make_file("gzip", "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10, 4096);
	return mkfifo(in_dir("fifo"), 0600) || symlink("image", in_dir("link")) ||
	       link(in_dir("image"), in_dir("hard"));
}

static int teardown(void **state)
{
	static const char *const names[] = { "image", "empty", "gzip", "fifo", "link", "hard" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		unlink(in_dir(names[i]));
	return rmdir(dir);
}

static void test_image(void **state)
{
	(void)state;
	assert_int_equal(open_source(in_dir("link"), "offset=4096,sizelimit=8192"), 0);
	assert_string_equal(src.path, in_dir("image"));
	assert_false(src.is_block);
	assert_false(src.read_only);
	assert_int_equal(src.kind, FB_DEVICE_FILE);
	assert_int_equal(src.offset, 4096);
	assert_int_equal(src.size, 8192);
	assert_int_equal(src.device_size, 1 << 20);
	assert_true(fb_source_needs_loop(&src));
	assert_int_equal(fcntl(src.fd, F_GETFL) & O_ACCMODE, O_RDWR);
	fb_source_close(&src);
}

static void test_read_only(void **state)
{
	(void)state;
	assert_int_equal(open_source(in_dir("image"), "ro"), 0);
	assert_true(src.read_only);
	assert_string_equal(src.why_read_only, "");
	assert_int_equal(fcntl(src.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	fb_source_close(&src);
}

static void test_write_protected(void **state)
{
	(void)state;
	if (geteuid() == 0)
		skip();	/* a file's mode does not stop root */
	assert_int_equal(chmod(in_dir("image"), 0400), 0);
	assert_int_equal(open_source(in_dir("image"), ""), 0);
	assert_true(src.read_only);
	assert_non_null(strstr(src.why_read_only, "write-protected"));
	fb_source_close(&src);
	assert_int_equal(chmod(in_dir("image"), 0600), 0);
}

static void test_gzip(void **state)
{
	(void)state;
	assert_int_equal(open_source(in_dir("gzip"), ""), 0);
	assert_int_equal(src.kind, FB_DEVICE_GZIP);
	assert_true(src.read_only);
	assert_non_null(strstr(src.why_read_only, "gzip"));
	assert_int_equal(fcntl(src.fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	fb_source_close(&src);
}

static void test_limit_past_the_end(void **state)
{
	(void)state;
	assert_int_equal(open_source(in_dir("image"), "offset=1048064,sizelimit=1M"), 0);
	assert_int_equal(src.size, 512);
	fb_source_close(&src);
}

static void test_refused(void **state)
{
	(void)state;
	expect_refusal("none", "", "none");
	expect_refusal(dir, "", "directory");
	expect_refusal(in_dir("fifo"), "", "special file");
	expect_refusal("/dev/null", "", "special file");
	expect_refusal(in_dir("empty"), "", "empty");
	expect_refusal(in_dir("missing"), "", "No such file");
	expect_refusal(in_dir("image"), "offset=1M", "past its end");
	expect_refusal("UUID=00000000-dead-dead-dead-000000000000", "", "no device carries that");
	expect_refusal("LABEL=no such label, surely", "", "no device carries that");
	expect_refusal("WHATEVER=x", "", "WHATEVER=x");
}

static void test_partition_of_no_table(void **state)
{
	(void)state;
	assert_int_equal(open_source(in_dir("image"), ""), 0);
	assert_int_equal(fb_source_partition(&src, 1, &report), -ENOENT);
	assert_non_null(strstr(report.text, "no partition table"));
	fb_source_close(&src);
}

static int lock(int fd, uint64_t offset, uint64_t size, bool read_only)
{
	return fb_guard_lock_bytes(fd, offset, size, read_only);
}

static void test_locks(void **state)
{
	int a = open(in_dir("image"), O_RDWR), b = open(in_dir("hard"), O_RDWR);
	int r = open(in_dir("image"), O_RDONLY), s = open(in_dir("hard"), O_RDONLY);

	(void)state;
	assert_int_equal(lock(a, 0, 4096, false), 0);
	assert_int_equal(lock(b, 2048, 4096, false), -EBUSY);
	assert_int_equal(lock(r, 0, 512, true), -EBUSY);
	assert_int_equal(lock(b, 4096, 0, false), 0);		/* another part of it: free */
	assert_int_equal(lock(r, 1 << 19, 512, true), -EBUSY);
	close(a);
	close(b);
	assert_int_equal(lock(r, 0, 0, true), 0);
	assert_int_equal(lock(s, 0, 0, true), -EBUSY);		/* twice for reading is twice too */
	close(r);
	assert_int_equal(lock(s, 0, 0, true), 0);
	close(s);
}

static void test_type_names(void **state)
{
	static const char *const bad[] = { "", "../ext2", "a/b", ".", "a b", "a\nb" };
	struct fb_driver_process drv;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		memset(&report, 0, sizeof(report));
		assert_int_equal(fb_driver_find(&drv, bad[i], "x", &report), -EINVAL);
		assert_int_equal(report.status, FB_EXIT_USAGE);
	}
	setenv("FUSEBLK_LIBEXECDIR", dir, 1);
	memset(&report, 0, sizeof(report));
	assert_int_equal(fb_driver_find(&drv, "ext2", "x", &report), -ENOENT);
	assert_non_null(strstr(report.text, in_dir("ext2")));
	make_file("ext2", "", 0, 0);
	assert_int_equal(chmod(in_dir("ext2"), 0755), 0);
	memset(&report, 0, sizeof(report));
	assert_int_equal(fb_driver_find(&drv, "ext2", "x", &report), 0);
	unlink(in_dir("ext2"));
}

static void test_first_cause_counts(void **state)
{
	struct fb_report r = { .status = 0 };

	(void)state;
	assert_int_equal(fb_fail_errno(&r, FB_EXIT_SYSTEM, -ENOENT, "first"), -ENOENT);
	assert_int_equal(fb_fail(&r, FB_EXIT_FAIL, -EIO, "second"), -EIO);
	assert_int_equal(r.status, FB_EXIT_SYSTEM);
	assert_string_equal(r.text, "first: No such file or directory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_image),
		cmocka_unit_test(test_read_only),
		cmocka_unit_test(test_write_protected),
		cmocka_unit_test(test_gzip),
		cmocka_unit_test(test_limit_past_the_end),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_partition_of_no_table),
		cmocka_unit_test(test_locks),
		cmocka_unit_test(test_type_names),
		cmocka_unit_test(test_first_cause_counts),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
