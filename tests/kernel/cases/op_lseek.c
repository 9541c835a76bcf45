// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_lseek.c: LSEEK: only for holes and data; the rest of lseek(2) is the kernel's own.
 */
#include "data.h"

static int opened_file(struct kd *kd, uint64_t size)
{
	kd_add_file(kd, "f", 2, size);
	return kd_opened(kd, "f", O_RDONLY, 0);
}

static void holes_and_data(void)
{
	static const int whence[] = { SEEK_DATA, SEEK_HOLE };
	struct kd *kd = kd_new();
	int fd = opened_file(kd, 10000);

	for (int i = 0; i < 2; i++) {
		struct kd_call *c = kd_call_lseek(kd, fd, 5, whence[i]);
		struct kd_req *r = kd_expect(kd, FUSE_LSEEK, 2);

		CHECK_EQ(ARG(r, fuse_lseek_in)->fh, 0x1000);
		CHECK_EQ(ARG(r, fuse_lseek_in)->offset, 5);
		CHECK_EQ(ARG(r, fuse_lseek_in)->whence, whence[i]);
		kd_reply_lseek(r, 4096 * (i + 1));
		kd_finish(c, 4096 * (i + 1));
		kd_finish(kd_call_lseek(kd, fd, 0, SEEK_CUR), 4096 * (i + 1));
	}
}

static void error_moves_nothing(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd = opened_file(kd, 10000);

	kd_finish(kd_call_lseek(kd, fd, 77, SEEK_SET), 77);
	c = kd_call_lseek(kd, fd, 5, SEEK_DATA);
	kd_reply_error(kd_expect(kd, FUSE_LSEEK, 2), -ENXIO);
	kd_finish(c, -ENXIO);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_CUR), 77);
}

/* Then all is data, with a hole at the end. */
static void enosys_is_for_ever(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd = opened_file(kd, 10000);

	c = kd_call_lseek(kd, fd, 5, SEEK_DATA);
	kd_reply_error(kd_expect(kd, FUSE_LSEEK, 2), -ENOSYS);
	kd_finish(c, 5);
	kd_finish(kd_call_lseek(kd, fd, 5, SEEK_HOLE), 10000);
	kd_finish(kd_call_lseek(kd, fd, 10000, SEEK_DATA), -ENXIO);
}

static void others_are_not_asked(void)
{
	struct kd *kd = kd_new();
	int fd = opened_file(kd, 10000);

	kd_finish(kd_call_lseek(kd, fd, 5000, SEEK_SET), 5000);
	kd_finish(kd_call_lseek(kd, fd, -1000, SEEK_CUR), 4000);
	kd_finish(kd_call_lseek(kd, fd, 10, SEEK_END), 10010);
	kd_finish(kd_call_lseek(kd, fd, -1, SEEK_SET), -EINVAL);
	kd_finish(kd_call_lseek(kd, fd, 0, 9), -EINVAL);
}

static void end_is_asked_for(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 100);
	struct kd_call *c;
	int fd;

	f->attr_valid = 0;
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	f->attr.size = 500;
	c = kd_call_lseek(kd, fd, -1, SEEK_END);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), f);
	kd_finish(c, 499);
}

static void impossible_answer(void)
{
	static const uint64_t offsets[] = { 1ull << 63, UINT64_MAX, UINT64_MAX - 5 };
	struct kd *kd = kd_new();
	int fd = opened_file(kd, 10000);

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct kd_call *c = kd_call_lseek(kd, fd, 0, SEEK_HOLE);

		kd_reply_lseek(kd_expect(kd, FUSE_LSEEK, 2), offsets[i]);
		kd_finish(c, -EINVAL);
	}
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_CUR), 0);
}

static const struct kernel_case cases[] = {
	CASE("lseek/holes-and-data", holes_and_data),
	CASE("lseek/error-moves-nothing", error_moves_nothing),
	CASE("lseek/enosys-is-for-ever", enosys_is_for_ever),
	CASE("lseek/others-are-not-asked", others_are_not_asked),
	CASE("lseek/end-is-asked-for", end_is_asked_for),
	CASE("lseek/impossible-answer", impossible_answer),
};
KERNEL_CASES(cases);
