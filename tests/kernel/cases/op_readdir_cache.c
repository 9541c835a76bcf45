// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_readdir_cache.c: what is kept of directories with FOPEN_CACHE_DIR, and when it is not (see dir_cache.c, too).
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon.h"

#define CACHE FOPEN_CACHE_DIR
#define KEEP (FOPEN_CACHE_DIR | FOPEN_KEEP_CACHE)

static uint8_t got[65536];
static int padding;			/* of the names that READDIR finds */

struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
} __attribute__((packed));

/* All of a directory: READDIRs that come are answered with @n entries. Returns how many it found. */
static int read_all(struct kd *kd, int fd, size_t n)
{
	int found = 0;
	long len;

	do {
		struct kd_call *c = kd_call_getdents(kd, fd, got, sizeof(got));

		while (!kd_is_done(c)) {
			struct kd_req *r = kd_next(kd, 5);
			struct kd_dirents d = { .len = 0 };
			uint64_t at = r ? ((const struct fuse_read_in *)r->arg)->offset : 0;
			char name[300];

			if (!r)
				continue;
			CHECK_EQ(r->opcode, FUSE_READDIR);
			for (; at < n && d.len < 3000; at++) {
				snprintf(name, sizeof(name), "name%04d", (int)at);
				memset(name + 8, 0xff, (size_t)padding);
				name[8 + padding] = '\0';
				kd_dirent(&d, name, 100 + at, DT_REG, at + 1);
			}
			kd_reply(r, d.bytes, d.len);
		}
		len = kd_wait(c);
		CHECK(len >= 0);
		for (long at = 0; at < len; found++) {
			const struct entry *e = (const struct entry *)(got + at);

			CHECK_EQ(e->ino, 100 + found);
			CHECK_EQ(e->off, found + 1);
			CHECK_EQ(atoi(e->name + 4), found);
			at += e->len;
		}
	} while (len > 0);
	return found;
}

/* Open, read all and close; how many READDIRs that took. */
static uint32_t reading(struct kd *kd, uint32_t open_flags, size_t n)
{
	uint32_t before = kd->count[FUSE_READDIR];
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, open_flags);

	CHECK_EQ(read_all(kd, fd, n), n);
	kd_finish(kd_call_close(kd, fd), 0);
	return kd->count[FUSE_READDIR] - before;
}

static void many_entries(void)
{
	struct kd *kd = kd_new();

	CHECK(reading(kd, CACHE, 3000) > 3);
	CHECK_EQ(reading(kd, KEEP, 3000), 0);
}

static void empty_directory(void)
{
	struct kd *kd = kd_new();

	CHECK(reading(kd, CACHE, 0) > 0);
	CHECK_EQ(reading(kd, KEEP, 0), 0);
}

/* Only one that was read to its end is known. */
static void half_a_reading_is_not_kept(void)
{
	struct kd *kd = kd_new();
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, CACHE);
	struct kd_dirents d = { .len = 0 };
	struct kd_call *c = kd_call_getdents(kd, fd, got, sizeof(got));

	kd_dirent(&d, "name0000", 100, DT_REG, 1);
	kd_reply(kd_expect(kd, FUSE_READDIR, FUSE_ROOT_ID), d.bytes, d.len);
	CHECK(kd_wait(c) > 0);
	kd_finish(kd_call_close(kd, fd), 0);
	CHECK(reading(kd, KEEP, 20) > 0);
}

static void another_mtime_ends_it(void)
{
	struct kd *kd = kd_new();

	kd_finish(kd_call_stat(kd, "", NULL), 0);
	CHECK(reading(kd, CACHE, 20) > 0);
	kd_root(kd)->attr.mtime = 4711;
	CHECK_EQ(kd_notify_inval_inode(kd, FUSE_ROOT_ID, -1, 0), 0);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	CHECK(reading(kd, KEEP, 19) > 0);
}

static void an_invalidation_ends_it(void)
{
	struct kd *kd = kd_new();

	CHECK(reading(kd, CACHE, 20) > 0);
	CHECK_EQ(kd_notify_inval_inode(kd, FUSE_ROOT_ID, 0, 0), 0);
	CHECK(reading(kd, KEEP, 19) > 0);
}

/* Seeking back and to the middle, by the offsets that were given. */
static void seeks_in_what_is_kept(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	CHECK(reading(kd, CACHE, 20) > 0);
	fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, KEEP);
	CHECK_EQ(read_all(kd, fd, 20), 20);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_SET), 0);
	CHECK_EQ(read_all(kd, fd, 20), 20);
	kd_finish(kd_call_lseek(kd, fd, 15, SEEK_SET), 15);
	c = kd_call_getdents(kd, fd, got, sizeof(got));
	kd_finish(c, 5 * 32);
	CHECK_EQ(((const struct entry *)got)->ino, 115);
	CHECK_EQ(kd->count[FUSE_OPENDIR], 2);
}

/* Whose place is in a list that is no more, goes on in the new one, where the entries are elsewhere. */
static void list_is_another_meanwhile(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd, found = 5;
	long len;

	CHECK(reading(kd, CACHE, 20) > 0);
	fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, KEEP);
	kd_finish(kd_call_getdents(kd, fd, got, 5 * 32), 5 * 32);
	CHECK_EQ(kd_notify_inval_inode(kd, FUSE_ROOT_ID, 0, 0), 0);
	padding = 200;
	CHECK(reading(kd, CACHE, 40) > 0);
	c = kd_call_getdents(kd, fd, got, sizeof(got));
	len = kd_wait(c);
	for (long at = 0; at < len; found++) {
		const struct entry *e = (const struct entry *)(got + at);

		CHECK_EQ(e->ino, 100 + found);
		CHECK_EQ(strlen(e->name), 208);
		at += e->len;
	}
	CHECK_EQ(found, 40);
}

static const struct kernel_case cases[] = {
	CASE("dircache/many-entries", many_entries),
	CASE("dircache/empty-directory", empty_directory),
	CASE("dircache/half-a-reading-is-not-kept", half_a_reading_is_not_kept),
	CASE("dircache/another-mtime-ends-it", another_mtime_ends_it),
	CASE("dircache/an-invalidation-ends-it", an_invalidation_ends_it),
	CASE("dircache/list-is-another-meanwhile", list_is_another_meanwhile),
	CASE("dircache/seeks-in-what-is-kept", seeks_in_what_is_kept),
};
KERNEL_CASES(cases);
