// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_mmap.c: mappings: pages read when touched, written back when they must be.
 */
#include <sys/mman.h>
#include "data.h"

/* f of @size bytes, open for reading and writing, and a mapping of its pages. */
static int mapped_file(struct kd *kd, uint64_t size, int flags, uint8_t **map)
{
	int fd;

	data_content(kd_add_file(kd, "f", 2, size), size + 16 * PAGE, 1);
	fd = kd_opened(kd, "f", O_RDWR, 0);
	*map = data_map(fd, (size + PAGE - 1) / PAGE * PAGE, PROT_READ | PROT_WRITE, flags);
	return fd;
}

static void touch_reads(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_PRIVATE, &map);
	c = kd_call_touch(kd, map, false);
	r = data_expect_read(kd, 2, 0, PAGE);
	CHECK_EQ(ARG(r, fuse_read_in)->fh, 0x1000);
	kd_check_blocked(c);
	data_reply(r, PAGE, 1);
	kd_finish(c, 0);
	CHECK_DATA(map, PAGE, 0, 1);
}

static void read_error_is_a_signal(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_PRIVATE, &map);
	c = kd_call_touch(kd, map, false);
	while (!kd_is_done(c)) {
		struct kd_req *r = kd_next(kd, 20);

		if (r)
			kd_reply_error(r, -EIO);
	}
	kd_finish(c, -EFAULT);
	/* It is asked for anew. */
	kd_auto(kd, FUSE_READ);
	kd_finish(kd_call_touch(kd, map, false), 0);
	CHECK_DATA(map, PAGE, 0, 1);
}

static void past_the_end_is_a_signal(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd = mapped_file(kd, 100, MAP_SHARED, &map);

	map = data_map(fd, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED);
	kd_finish(kd_call_touch(kd, map + PAGE, false), -EFAULT);
	kd_finish(kd_call_touch(kd, map + 2 * PAGE, true), -EFAULT);
}

static void private_bytes_stay(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, MAP_PRIVATE, &map);

	data_dirty(kd, map, 0);
	kd_finish(data_call_msync(kd, map, PAGE), 0);
	kd_finish(data_call_munmap(kd, map, PAGE), 0);
	data_check_file(kd, fd, PAGE, 1);
	CHECK_EQ(kd->count[FUSE_WRITE], 0);
}

static void shared_bytes_are_seen_by_read(void)
{
	struct kd *kd = kd_new();
	uint8_t *map, *buf;
	int fd = mapped_file(kd, PAGE, MAP_SHARED, &map);

	data_dirty(kd, map, 0);
	kd->count[FUSE_READ] = 0;
	buf = data_read(kd, fd, 0, PAGE);
	CHECK_EQ(buf[0], TOUCHED);
	CHECK_DATA(buf + 1, PAGE - 1, 1, 1);
	CHECK_EQ(kd->count[FUSE_READ], 0);
}

/* ---- writing back ---------------------------------------------------------- */

/* The WRITE of f's first page, by nobody in particular. */
static struct kd_req *expect_page(struct kd *kd)
{
	struct kd_req *r = data_expect_write(kd, 2, 0, PAGE);

	CHECK_EQ(ARG(r, fuse_write_in)->write_flags & ~FUSE_WRITE_LOCKOWNER, FUSE_WRITE_CACHE);
	CHECK_EQ(ARG(r, fuse_write_in)->fh, 0x1000);
	CHECK_EQ(r->in->pid, 0);
	CHECK_EQ(r->in->uid, 0);
	CHECK_EQ(r->in->gid, 0);
	CHECK_EQ(*(const uint8_t *)r->data, TOUCHED);
	CHECK_DATA((const uint8_t *)r->data + 1, PAGE - 1, 1, 1);
	return r;
}

static void at_msync(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	data_dirty(kd, map, 0);
	kd_settle(kd, 30);
	c = data_call_msync(kd, map, PAGE);
	r = expect_page(kd);
	kd_check_blocked(c);
	kd_reply_write(r, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_FSYNC, 2), 0);
	kd_finish(c, 0);
	/* It is clean now. */
	kd_finish(data_call_munmap(kd, map, PAGE), 0);
}

static void at_munmap(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	data_dirty(kd, map, 0);
	c = data_call_munmap(kd, map, PAGE);
	kd_reply_write(expect_page(kd), PAGE);
	kd_finish(c, 0);
}

static void at_close(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, MAP_SHARED, &map);

	data_dirty(kd, map, 0);
	c = kd_call_close(kd, fd);
	kd_reply_write(expect_page(kd), PAGE);
	kd_finish(c, 0);
}

/* The mapping keeps the handle until its last bytes are out. */
static void at_munmap_after_close(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, MAP_SHARED, &map);

	kd_manual(kd, FUSE_RELEASE);
	kd_finish(kd_call_close(kd, fd), 0);
	data_dirty(kd, map, 0);
	c = data_call_munmap(kd, map, PAGE);
	r = expect_page(kd);
	kd_no_request(kd, 30);
	kd_reply_write(r, PAGE);
	kd_reply_error(kd_expect(kd, FUSE_RELEASE, 2), 0);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

static void only_as_far_as_the_file(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;

	mapped_file(kd, 5000, MAP_SHARED, &map);
	data_dirty(kd, map, 1);
	map[PAGE + 904] = 0xee;		/* past the end */
	c = data_call_munmap(kd, map, 2 * PAGE);
	r = data_expect_write(kd, 2, PAGE, 904);
	CHECK_DATA((const uint8_t *)r->data + 1, 903, PAGE + 1, 1);
	kd_reply_write(r, 904);
	kd_finish(c, 0);
}

static void neighbours_go_together(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;

	mapped_file(kd, 6 * PAGE, MAP_SHARED, &map);
	for (unsigned int i = 0; i < 6; i++)
		if (i != 3)
			data_dirty(kd, map, i);
	c = data_call_munmap(kd, map, 6 * PAGE);
	r = data_expect_write(kd, 2, 0, 3 * PAGE);
	CHECK_EQ(((const uint8_t *)r->data)[2 * PAGE], TOUCHED);
	kd_reply_write(r, 3 * PAGE);
	kd_reply_write(data_expect_write(kd, 2, 4 * PAGE, 2 * PAGE), 2 * PAGE);
	kd_finish(c, 0);
}

static void is_cut_at_max_write(void)
{
	struct kd *kd = kd_new(.max_write = 8192);
	struct kd_req *r[3];
	struct kd_call *c;
	uint8_t *map;

	mapped_file(kd, 5 * PAGE, MAP_SHARED, &map);
	for (unsigned int i = 0; i < 5; i++)
		data_dirty(kd, map, i);
	c = data_call_munmap(kd, map, 5 * PAGE);
	/* All at once: nobody waits for one of them. */
	r[0] = data_expect_write(kd, 2, 0, 8192);
	r[1] = data_expect_write(kd, 2, 8192, 8192);
	r[2] = data_expect_write(kd, 2, 16384, 4096);
	for (int i = 3; i--;)
		kd_reply_write(r[i], i == 2 ? 4096 : 8192);
	kd_finish(c, 0);
}

/* A page that is being written is not changed under the daemon's eyes. */
static void touch_waits_for_its_write(void)
{
	struct kd *kd = kd_new(.type = "fuseblk");
	struct kd_call *c, *t;
	struct kd_req *r;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 0);
	c = data_call_msync(kd, map, PAGE);
	r = expect_page(kd);
	t = kd_call_touch(kd, map + 1, true);
	kd_check_blocked(t);
	kd_reply_write(r, PAGE);
	kd_finish(t, 0);
	kd_finish(c, 0);
	/* And it is dirty again. */
	c = data_call_munmap(kd, map, PAGE);
	kd_reply_write(data_expect_write(kd, 2, 0, PAGE), PAGE);
	kd_finish(c, 0);
}

/* Type fuse may be anybody's: sync(2) has the page written, and waits for nobody. */
static void sync_does_not_wait(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	struct kd_req *r;
	uint8_t *map;
	int fd;

	fd = mapped_file(kd, PAGE, MAP_SHARED, &map);
	data_dirty(kd, map, 0);
	c = kd_sys(kd, SYS_syncfs, fd);
	r = expect_page(kd);
	kd_finish(c, 0);
	kd_reply_write(r, PAGE);
	kd_finish(data_call_munmap(kd, map, PAGE), 0);
}

static void write_waits_for_its_page(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c, *w;
	struct kd_req *r;
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, MAP_SHARED, &map);

	kd_auto(kd, FUSE_FSYNC);
	data_dirty(kd, map, 0);
	c = data_call_msync(kd, map, PAGE);
	r = expect_page(kd);
	w = kd_call_pwrite(kd, fd, "abc", 3, 100);
	kd_no_request(kd, 30);
	kd_reply_write(r, PAGE);
	r = data_expect_write(kd, 2, 100, 3);
	kd_reply_write(r, 3);
	kd_finish(w, 3);
	kd_finish(c, 0);
}

/* What write(2) put into a dirty page and what the mapping put there both arrive. */
static void write_into_a_dirty_page(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f;
	uint8_t *map;
	int fd = mapped_file(kd, PAGE, MAP_SHARED, &map);

	f = kd_node(kd, 2);
	data_dirty(kd, map, 0);
	kd_auto(kd, FUSE_WRITE);
	kd_finish(kd_call_pwrite(kd, fd, "abc", 3, 100), 3);
	kd_finish(data_call_munmap(kd, map, PAGE), 0);
	CHECK_EQ(f->content[0], TOUCHED);
	CHECK_DATA(f->content + 1, 99, 1, 1);
	CHECK_MEM(f->content + 100, "abc", 3);
	CHECK_DATA(f->content + 103, PAGE - 103, 103, 1);
}

/* A failed WRITE is told, and the bytes are not written again. */
static void failed_page_is_clean(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	data_dirty(kd, map, 0);
	c = data_call_msync(kd, map, PAGE);
	kd_reply_error(expect_page(kd), -EIO);
	kd_finish(c, -EIO);
	kd_auto(kd, FUSE_FSYNC);
	kd_finish(data_call_msync(kd, map, PAGE), 0);
	CHECK_EQ(kd->count[FUSE_WRITE], 1);
}

/* Dirty pages go by a handle that may write, whoever else has the file open. */
static void by_a_handle_that_may_write(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	uint8_t *map;
	int reader;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	reader = kd_opened(kd, "f", O_RDONLY, FOPEN_KEEP_CACHE);
	data_dirty(kd, map, 0);
	c = kd_call_close(kd, reader);
	kd_reply_write(expect_page(kd), PAGE);
	kd_finish(c, 0);
}

/* ---- direct files ------------------------------------------------------------- */

static void direct_files_are_not_shared(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;
	int fd;

	kd_add_file(kd, "f", 2, PAGE);
	fd = kd_opened(kd, "f", O_RDWR, FOPEN_DIRECT_IO);
	kd_finish(kd_sys(kd, SYS_mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), -ENODEV);
	kd_finish(kd_sys(kd, SYS_mmap, 0, PAGE, PROT_READ, MAP_SHARED, fd, 0), -ENODEV);
	map = data_map(fd, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE);
	data_dirty(kd, map, 0);
}

static void unmapped_page_is_read_once(void)
{
	struct kd *kd = kd_new();
	uint8_t *map;

	mapped_file(kd, PAGE, MAP_SHARED, &map);
	kd_auto(kd, FUSE_READ);
	for (int i = 0; i < 3; i++) {
		kd_finish(kd_call_touch(kd, map, false), 0);
		CHECK_EQ(madvise(map, PAGE, MADV_DONTNEED), 0);
	}
	CHECK_EQ(kd->count[FUSE_READ], 1);
}

static const struct kernel_case cases[] = {
	CASE("mmap/touch-reads", touch_reads),
	CASE("mmap/read-error-is-a-signal", read_error_is_a_signal),
	CASE("mmap/past-the-end-is-a-signal", past_the_end_is_a_signal),
	CASE("mmap/private-bytes-stay", private_bytes_stay),
	CASE("mmap/shared-bytes-are-seen-by-read", shared_bytes_are_seen_by_read),
	CASE("mmap/written-at-msync", at_msync),
	CASE("mmap/written-at-munmap", at_munmap),
	CASE("mmap/written-at-close", at_close),
	CASE("mmap/written-at-munmap-after-close", at_munmap_after_close),
	CASE("mmap/only-as-far-as-the-file", only_as_far_as_the_file),
	CASE("mmap/neighbours-go-together", neighbours_go_together),
	CASE("mmap/is-cut-at-max-write", is_cut_at_max_write),
	CASE("mmap/sync-does-not-wait", sync_does_not_wait),
	CASE("mmap/touch-waits-for-its-write", touch_waits_for_its_write),
	CASE("mmap/write-waits-for-its-page", write_waits_for_its_page),
	CASE("mmap/write-into-a-dirty-page", write_into_a_dirty_page),
	CASE("mmap/failed-page-is-clean", failed_page_is_clean),
	CASE("mmap/by-a-handle-that-may-write", by_a_handle_that_may_write),
	CASE("mmap/direct-files-are-not-shared", direct_files_are_not_shared),
	CASE("mmap/unmapped-page-is-read-once", unmapped_page_is_read_once),
};
KERNEL_CASES(cases);
