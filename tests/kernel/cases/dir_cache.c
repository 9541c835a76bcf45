// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * dir_cache.c: FOPEN_CACHE_DIR: who lists a directory again does not ask the daemon, until something says that it changed.
 */
#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include "daemon.h"
#include "data.h"

#define ENTRIES 300

/* Entries "entry-000" and on, of which @most fit a reply; the offset of each is its number from 1. */
static size_t fill(char *buf, size_t size, uint64_t from)
{
	size_t len = 0;

	for (uint64_t n = from; n < ENTRIES; n++) {
		struct fuse_dirent *de = (struct fuse_dirent *)(buf + len);
		char name[16];
		size_t record = FUSE_DIRENT_ALIGN(FUSE_NAME_OFFSET + 9);

		if (len + record > size)
			break;
		snprintf(name, sizeof(name), "entry-%03u", (unsigned int)n);
		de->ino = n + 10;
		de->off = n + 1;
		de->namelen = 9;
		de->type = DT_REG;
		memset(de->name, 0, record - FUSE_NAME_OFFSET);
		memcpy(de->name, name, 9);
		len += record;
	}
	return len;
}

static struct kd *new_kd(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS | FUSE_BIG_WRITES);

	kd_auto(kd, FUSE_GETATTR);
	return kd;
}

static int open_root(struct kd *kd, uint32_t open_flags)
{
	struct kd_call *c = kd_call_open(kd, "", O_RDONLY | O_DIRECTORY, 0);
	long fd;

	kd_reply_open(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), 7, open_flags);
	fd = kd_wait(c);
	CHECK(fd >= 0);
	return (int)fd;
}

struct listed {
	unsigned int names;
	bool in_order;
};

static void count(const char *buf, long len, struct listed *out)
{
	for (long at = 0; at < len;) {
		const char *record = buf + at;
		char want[16];

		snprintf(want, sizeof(want), "entry-%03u", out->names);
		if (strcmp(record + 19, want) != 0)
			out->in_order = false;
		out->names++;
		at += *(const unsigned short *)(record + 16);
	}
}

/* The whole directory from where @fd is; what the daemon is asked is answered. Returns the number of READDIRs. */
static unsigned int list(struct kd *kd, int fd, size_t step, struct listed *out)
{
	static char buf[65536], reply[65536];
	unsigned int asked = 0;
	long got = 1;

	*out = (struct listed){ .in_order = true };
	while (got > 0) {
		struct kd_call *c = kd_call_getdents(kd, fd, buf, step);

		while (!kd_is_done(c)) {
			struct kd_req *r = kd_next(kd, 5);

			if (!r)
				continue;
			CHECK_EQ(r->opcode, FUSE_READDIR);
			asked++;
			kd_reply(r, reply, fill(reply, ARG(r, fuse_read_in)->size, ARG(r, fuse_read_in)->offset));
		}
		got = kd_wait(c);
		CHECK(got >= 0);
		count(buf, got, out);
	}
	return asked;
}

static void check_whole(const struct listed *l)
{
	CHECK_EQ(l->names, ENTRIES);
	CHECK(l->in_order);
}

static void second_listing_asks_nobody(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	struct listed l;

	CHECK(list(kd, fd, 32768, &l) > 0);
	check_whole(&l);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(list(kd, fd, 32768, &l), 0);
	check_whole(&l);
	fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	CHECK_EQ(list(kd, fd, 300, &l), 0);
	check_whole(&l);
}

static void small_steps_fill_it_too(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	struct listed l;

	CHECK(list(kd, fd, 200, &l) > 0);
	check_whole(&l);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK_EQ(list(kd, fd, 32768, &l), 0);
	check_whole(&l);
}

static void without_the_flag_all_ask(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_KEEP_CACHE);
	struct listed l;

	for (int i = 0; i < 2; i++) {
		CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
		CHECK(list(kd, fd, 32768, &l) > 0);
		check_whole(&l);
	}
}

static void opened_without_keep_cache(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	struct listed l;

	list(kd, fd, 32768, &l);
	fd = open_root(kd, FOPEN_CACHE_DIR);
	CHECK(list(kd, fd, 32768, &l) > 0);
	check_whole(&l);
}

static void change_drops_it(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	struct listed l;
	struct kd_call *c;

	list(kd, fd, 32768, &l);
	kd_add_file(kd, "gone", 9, 0);
	c = kd_call_unlink(kd, "gone");
	kd_reply_error(kd_expect(kd, FUSE_UNLINK, FUSE_ROOT_ID), 0);
	kd_finish(c, 0);
	CHECK_EQ(lseek(fd, 0, SEEK_SET), 0);
	CHECK(list(kd, fd, 32768, &l) > 0);
	check_whole(&l);
}

static void reader_in_the_middle_goes_on(void)
{
	struct kd *kd = new_kd();
	int fd = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE), other;
	static char buf[600];
	struct listed l = { .in_order = true }, rest;
	long got;

	list(kd, fd, 32768, &l);
	other = open_root(kd, FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE);
	l = (struct listed){ .in_order = true };
	got = kd_wait(kd_call_getdents(kd, other, buf, sizeof(buf)));
	CHECK(got > 0);
	count(buf, got, &l);
	/* Somewhere else in between: the offset is the daemon's again. */
	CHECK_EQ(lseek(other, 250, SEEK_SET), 250);
	list(kd, other, 32768, &rest);
	CHECK_EQ(rest.names, ENTRIES - 250);
}

static const struct kernel_case cases[] = {
	CASE("dir-cache/second-listing-asks-nobody", second_listing_asks_nobody),
	CASE("dir-cache/small-steps-fill-it-too", small_steps_fill_it_too),
	CASE("dir-cache/without-the-flag-all-ask", without_the_flag_all_ask),
	CASE("dir-cache/opened-without-keep-cache", opened_without_keep_cache),
	CASE("dir-cache/change-drops-it", change_drops_it),
	CASE("dir-cache/reader-in-the-middle-goes-on", reader_in_the_middle_goes_on),
};
KERNEL_CASES(cases);
