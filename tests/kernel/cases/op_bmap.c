// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_bmap.c: BMAP: FIBMAP of a file on a block device, in blocks of the mount's size.
 */
#include <linux/fs.h>
#include "data.h"

/* f on a fuseblk mount. */
static int opened_file(struct kd *kd)
{
	kd_add_file(kd, "f", 2, 100000);
	return kd_opened(kd, "f", O_RDONLY, 0);
}

static void is_passed(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_file(kd), block = 5;
	struct kd_call *c = kd_call_ioctl(kd, fd, FIBMAP, &block);
	struct kd_req *r = kd_expect(kd, FUSE_BMAP, 2);

	CHECK_EQ(ARG(r, fuse_bmap_in)->block, 5);
	CHECK_EQ(ARG(r, fuse_bmap_in)->blocksize, 512);
	kd_reply_bmap(r, 1234567);
	kd_finish(c, 0);
	CHECK_EQ(block, 1234567);
}

static void speaks_of_the_mounts_blocks(void)
{
	static const struct { const char *options; uint32_t size; } sizes[] = {
		{ "blksize=1024", 1024 }, { "blksize=4096", 4096 },
	};

	for (int i = 0; i < 2; i++) {
		struct kd *kd = kd_new(.type = "fuseblk", .options = sizes[i].options);
		int fd = opened_file(kd), block = 1;
		struct kd_call *c = kd_call_ioctl(kd, fd, FIBMAP, &block);
		struct kd_req *r = kd_expect(kd, FUSE_BMAP, 2);
		int size = 0;

		CHECK_EQ(ARG(r, fuse_bmap_in)->blocksize, sizes[i].size);
		kd_reply_bmap(r, 2);
		kd_finish(c, 0);
		kd_finish(kd_call_ioctl(kd, fd, FIGETBSZ, &size), 0);
		CHECK_EQ(size, (int)sizes[i].size);
		kd_finish(kd_call_close(kd, fd), 0);
		kd_stop(kd);
	}
}

/* 0 is a hole. */
static void errors_are_holes(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_file(kd), block = 5;
	struct kd_call *c = kd_call_ioctl(kd, fd, FIBMAP, &block);

	kd_reply_error(kd_expect(kd, FUSE_BMAP, 2), -EIO);
	kd_finish(c, 0);
	CHECK_EQ(block, 0);
	/* It is asked again. */
	block = 5;
	c = kd_call_ioctl(kd, fd, FIBMAP, &block);
	kd_reply_bmap(kd_expect(kd, FUSE_BMAP, 2), 9);
	kd_finish(c, 0);
	CHECK_EQ(block, 9);
}

static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_file(kd), block = 5;
	struct kd_call *c = kd_call_ioctl(kd, fd, FIBMAP, &block);

	kd_reply_error(kd_expect(kd, FUSE_BMAP, 2), -ENOSYS);
	kd_finish(c, 0);
	block = 5;
	kd_finish(kd_call_ioctl(kd, fd, FIBMAP, &block), 0);
	CHECK_EQ(block, 0);
}

static void large_blocks_do_not_fit(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	int fd = opened_file(kd), block = 5;
	struct kd_call *c = kd_call_ioctl(kd, fd, FIBMAP, &block);

	kd_reply_bmap(kd_expect(kd, FUSE_BMAP, 2), 1ull << 31);
	kd_finish(c, -ERANGE);
	CHECK_EQ(block, 0);
}

static void not_without_a_device(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd), block = 5;

	kd_finish(kd_call_ioctl(kd, fd, FIBMAP, &block), 0);
	CHECK_EQ(block, 0);
}

static const struct kernel_case cases[] = {
	CASE("bmap/is-passed", is_passed,
	     differs(newer, "newer kernels make the page's size the block size")),
	CASE("bmap/speaks-of-the-mounts-blocks", speaks_of_the_mounts_blocks,
	     differs(newer, "newer kernels make the page's size the block size")),
	CASE("bmap/errors-are-holes", errors_are_holes),
	CASE("bmap/enosys-is-for-ever", enosys_is_for_ever),
	CASE("bmap/large-blocks-do-not-fit", large_blocks_do_not_fit),
	CASE("bmap/not-without-a-device", not_without_a_device),
};
KERNEL_CASES(cases);
