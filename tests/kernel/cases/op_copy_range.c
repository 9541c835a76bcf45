// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_copy_range.c: COPY_FILE_RANGE: the daemon copies, or the kernel does.
 */
#include <sys/mman.h>
#include "data.h"

#define COPY_64 53			/* 7.45's opcode, which newer kernels try first */

/* The request, in the form that we speak. */
#define expect_copy(kd) (kd_at(__FILE__, __LINE__), (expect_copy)(kd))
static struct kd_req *(expect_copy)(struct kd *kd)
{
	struct kd_req *r = kd_next(kd, kernel_ms(KD_WAIT_MS));

	if (r && r->opcode == COPY_64) {
		kd_reply_error(r, -ENOSYS);
		r = kd_next(kd, kernel_ms(KD_WAIT_MS));
	}
	if (!r || r->opcode != FUSE_COPY_FILE_RANGE || r->nodeid != 2)
		kd_fail(kd, "no COPY_FILE_RANGE came");
	return r;
}

struct files {
	struct kd *kd;
	int in, out;
};

/* f (node 2) and g (node 3), of @size bytes each, with contents 1 and 2. */
static struct files two_files(uint64_t size)
{
	struct files files = { .kd = kd_new() };

	data_content(kd_add_file(files.kd, "f", 2, size), size + 16 * PAGE, 1);
	data_content(kd_add_file(files.kd, "g", 3, size), size + 16 * PAGE, 2);
	files.in = kd_opened(files.kd, "f", O_RDWR, 0);
	files.out = kd_opened(files.kd, "g", O_RDWR, 0);
	return files;
}

static struct kd_call *copy(const struct files *files, int64_t from, int64_t to, size_t len)
{
	static int64_t offsets[8][2];
	static int used;
	int64_t *at = offsets[used++];

	at[0] = from;
	at[1] = to;
	return kd_call_copy_range(files->kd, files->in, &at[0], files->out, &at[1], len);
}

static void is_passed(void)
{
	struct files files = two_files(10000);
	struct kd_call *c = copy(&files, 10, 20, 5000);
	struct kd_req *r = expect_copy(files.kd);
	const struct fuse_copy_file_range_in *in = r->arg;

	CHECK_EQ(in->fh_in, 0x1000);
	CHECK_EQ(in->off_in, 10);
	CHECK_EQ(in->nodeid_out, 3);
	CHECK_EQ(in->fh_out, 0x1001);
	CHECK_EQ(in->off_out, 20);
	CHECK_EQ(in->len, 5000);
	CHECK_EQ(in->flags, 0);
	kd_reply_write(r, 5000);
	kd_finish(c, 5000);
}

static void short_answer(void)
{
	struct files files = two_files(10000);
	struct kd_call *c = copy(&files, 0, 0, 5000);

	kd_reply_write(expect_copy(files.kd), 77);
	kd_finish(c, 77);
	c = copy(&files, 0, 0, 5000);
	kd_reply_write(expect_copy(files.kd), 0);
	kd_finish(c, 0);
}

static void more_than_asked_is_an_error(void)
{
	static const uint32_t sizes[] = { 5001, 0x7fffffff, 0x80000000u, UINT32_MAX };
	struct files files = two_files(10000);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct kd_call *c = copy(&files, 0, 0, 5000);

		kd_reply_write(expect_copy(files.kd), sizes[i]);
		kd_finish(c, -EIO);
	}
}

static void error_reaches_the_caller(void)
{
	struct files files = two_files(10000);
	struct kd_call *c = copy(&files, 0, 0, 5000);

	kd_reply_error(expect_copy(files.kd), -ENOSPC);
	kd_finish(c, -ENOSPC);
}

/* Then the kernel reads and writes, and asks no more. */
static void enosys_is_for_ever(void)
{
	struct files files = two_files(10000);
	struct kd *kd = files.kd;
	struct kd_call *c = copy(&files, 0, 0, 5000);

	kd_reply_error(expect_copy(kd), -ENOSYS);
	kd_auto(kd, FUSE_READ);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(c, 5000);
	CHECK_DATA(kd_node(kd, 3)->content, 5000, 0, 1);
	CHECK_DATA(kd_node(kd, 3)->content + 5000, 5000, 5000, 2);
	kd_finish(copy(&files, 5000, 5000, 100), 100);
	CHECK_DATA(kd_node(kd, 3)->content, 5100, 0, 1);
}

/* For this time only. */
static void not_supported_is_done_by_the_kernel(void)
{
	struct files files = two_files(10000);
	struct kd *kd = files.kd;
	struct kd_call *c = copy(&files, 0, 0, 100);

	kd_reply_error(expect_copy(kd), -EOPNOTSUPP);
	kd_auto(kd, FUSE_READ);
	kd_auto(kd, FUSE_WRITE);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(c, 100);
	c = copy(&files, 0, 0, 100);
	kd_reply_write(expect_copy(kd), 100);
	kd_finish(c, 100);
}

static void targets_pages_are_dropped(void)
{
	struct files files = two_files(4 * PAGE);
	struct kd *kd = files.kd;
	struct kd_node *g = kd_node(kd, 3);
	struct kd_call *c;
	uint8_t *buf;

	data_read(kd, files.out, 0, 4 * PAGE);
	c = copy(&files, PAGE + 5, PAGE + 5, PAGE);
	kd_reply_write(expect_copy(kd), PAGE);
	kd_finish(c, PAGE);
	memcpy(g->content + PAGE + 5, kd_node(kd, 2)->content + PAGE + 5, PAGE);
	kd_auto(kd, FUSE_GETATTR);
	buf = data_read(kd, files.out, 0, 4 * PAGE);
	CHECK_MEM(buf, g->content, 4 * PAGE);
}

static void target_grows(void)
{
	struct files files = two_files(100);
	struct kd *kd = files.kd;
	struct kd_call *c = copy(&files, 0, 5000, 100);
	struct stat st;
	uint8_t *buf;

	kd_reply_write(expect_copy(kd), 100);
	kd_finish(c, 100);
	kd_node(kd, 3)->attr.size = 5100;
	data_fill(kd_node(kd, 3)->content + 5000, 100, 0, 1);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, files.out, &st), 0);
	CHECK_EQ(st.st_size, 5100);
	buf = data_read(kd, files.out, 0, 5100);
	CHECK_DATA(buf, 100, 0, 2);
	CHECK_ZERO(buf + 100, 4900);
	CHECK_DATA(buf + 5000, 100, 0, 1);
}

/* The daemon copies what it has: what is dirty of either file goes first. */
static void dirty_pages_go_first(void)
{
	struct files files = two_files(PAGE);
	struct kd *kd = files.kd;
	uint8_t *f = data_map(files.in, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	uint8_t *g = data_map(files.out, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	struct kd_call *c;

	data_dirty(kd, f, 0);
	data_dirty(kd, g, 0);
	c = copy(&files, 0, 100, 50);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	kd_reply_write(data_expect_write(kd, 3, 0, PAGE), PAGE);
	kd_reply_write(expect_copy(kd), 50);
	kd_finish(c, 50);
}

/* From one mount to another the kernel copies. */
static void between_mounts(void)
{
	struct files files = two_files(1000);
	struct kd *other = kd_new(), *kd = files.kd;
	struct kd_call *c;
	struct kd_req *r;
	int64_t from = 0, to = 0;

	kd_add_file(other, "h", 2, 0);
	files.out = kd_opened(other, "h", O_RDWR, 0);
	c = kd_call_copy_range(other, files.in, &from, files.out, &to, 1000);
	r = data_expect_read(kd, 2, 0, PAGE);
	data_reply(r, 1000, 1);
	r = data_expect_write(other, 2, 0, 1000);
	CHECK_DATA(r->data, 1000, 0, 1);
	kd_reply_write(r, 1000);
	kd_finish(c, 1000);
}

/* A length that does not fit the answer is cut. */
static void large_ranges_are_cut(void)
{
	struct files files = two_files(100);
	struct kd *kd = files.kd;
	struct kd_call *c;
	struct kd_req *r;

	CHECK_EQ(kd_notify_inval_inode(kd, 2, -1, 0), 0);
	kd_node(kd, 2)->attr.size = 16ull << 30;
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_fstat(kd, files.in, NULL), 0);
	c = copy(&files, 0, 0, 8ull << 30);
	r = expect_copy(kd);
	CHECK(ARG(r, fuse_copy_file_range_in)->len <= UINT32_MAX);
	kd_reply_write(r, 0x7ffff000);
	kd_finish(c, 0x7ffff000);
}

static const struct kernel_case cases[] = {
	CASE("copy-range/is-passed", is_passed),
	CASE("copy-range/short-answer", short_answer),
	CASE("copy-range/more-than-asked-is-an-error", more_than_asked_is_an_error),
	CASE("copy-range/error-reaches-the-caller", error_reaches_the_caller),
	CASE("copy-range/enosys-is-for-ever", enosys_is_for_ever),
	CASE("copy-range/not-supported-is-done-by-the-kernel", not_supported_is_done_by_the_kernel),
	CASE("copy-range/targets-pages-are-dropped", targets_pages_are_dropped),
	CASE("copy-range/target-grows", target_grows),
	CASE("copy-range/dirty-pages-go-first", dirty_pages_go_first),
	CASE("copy-range/between-mounts", between_mounts),
	CASE("copy-range/large-ranges-are-cut", large_ranges_are_cut),
};
KERNEL_CASES(cases);
