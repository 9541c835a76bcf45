// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_readdir.c: READDIR: entries and offsets, and replies that no directory can have.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include "daemon.h"

#define FH 0x4d				/* of the directory that is read */

/* As getdents64(2) gives it. */
struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
} __attribute__((packed));

static uint8_t got[65536];

static int open_dir(struct kd *kd)
{
	struct kd_call *c = kd_call_open(kd, "", O_RDONLY | O_DIRECTORY, 0);
	long fd;

	kd_reply_open(kd_expect(kd, FUSE_OPENDIR, FUSE_ROOT_ID), FH, 0);
	fd = kd_wait(c);
	CHECK(fd >= 0);
	return (int)fd;
}

static struct kd_call *call(struct kd *kd, int fd)
{
	return kd_call_getdents(kd, fd, got, sizeof(got));
}

static struct kd_req *expect(struct kd *kd, uint64_t offset)
{
	struct kd_req *r = kd_expect(kd, FUSE_READDIR, FUSE_ROOT_ID);
	const struct fuse_read_in *in = r->arg;

	CHECK_EQ(in->fh, FH);
	CHECK_EQ(in->offset, offset);
	CHECK(in->size >= 4096);
	return r;
}

/* The @i-th of the @len bytes of entries in got, or NULL. */
static const struct entry *nth(long len, int i)
{
	long at = 0;

	while (at < len) {
		const struct entry *e = (const struct entry *)(got + at);

		if (i-- == 0)
			return e;
		at += e->len;
	}
	return NULL;
}

static void entries_reach_the_caller(void)
{
	static const uint8_t types[] = { DT_DIR, DT_DIR, DT_REG, DT_LNK, DT_CHR, DT_BLK, DT_FIFO, DT_SOCK, DT_UNKNOWN };
	static const char *const names[] = { ".", "..", "r", "l", "c", "b", "p", "s", "\xff u" };
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct kd_req *r = expect(kd, 0);
	struct kd_dirents d = { .len = 0 };
	long len;

	for (size_t i = 0; i < 9; i++)
		kd_dirent(&d, names[i], 1000 + i, types[i], i + 1);
	kd_reply(r, d.bytes, d.len);
	len = kd_wait(c);
	CHECK(len > 0);
	for (int i = 0; i < 9; i++) {
		const struct entry *e = nth(len, i);

		CHECK(e != NULL);
		CHECK_STR(e->name, names[i]);
		CHECK_EQ(e->ino, 1000 + i);
		CHECK_EQ(e->type, types[i]);
		CHECK_EQ(e->off, i + 1);
	}
	CHECK(nth(len, 9) == NULL);
	c = call(kd, fd);
	kd_reply(expect(kd, 9), NULL, 0);
	kd_finish(c, 0);
}

/* They are the daemon's: any 63 bits, in any order. */
static void offsets_are_opaque(void)
{
	static const uint64_t offsets[] = { 77, 5, 1ull << 40, 3, (1ull << 63) - 1 };
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	uint64_t at = 0;

	for (size_t i = 0; i < sizeof(offsets) / sizeof(offsets[0]); i++) {
		struct kd_call *c = call(kd, fd);
		struct kd_req *r = expect(kd, at);
		struct kd_dirents d = { .len = 0 };

		at = offsets[i];
		kd_dirent(&d, "x", 2, DT_REG, at);
		kd_reply(r, d.bytes, d.len);
		CHECK(kd_wait(c) > 0);
		CHECK_EQ(nth(1, 0)->off, at);
	}
}

/* What did not fit in the caller's buffer is read again from where it stopped. */
static void small_buffer_continues(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = kd_call_getdents(kd, fd, got, 48);
	struct kd_dirents d = { .len = 0 };

	for (uint64_t i = 0; i < 5; i++)
		kd_dirent(&d, "name", 2 + i, DT_REG, 10 * (i + 1));
	kd_reply(expect(kd, 0), d.bytes, d.len);
	kd_finish(c, 48);
	c = kd_call_getdents(kd, fd, got, 24);
	kd_reply(expect(kd, 20), d.bytes, d.len);
	kd_finish(c, 24);
	CHECK_EQ(nth(24, 0)->ino, 2);
	c = kd_call_getdents(kd, fd, got, 10);
	kd_reply(expect(kd, 10), d.bytes, d.len);
	kd_finish(c, -EINVAL);
}

static void seek_and_rewind(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c;

	kd_finish(kd_call_lseek(kd, fd, 1234567, SEEK_SET), 1234567);
	c = call(kd, fd);
	kd_reply(expect(kd, 1234567), NULL, 0);
	kd_finish(c, 0);
	kd_finish(kd_call_lseek(kd, fd, 0, SEEK_SET), 0);
	c = call(kd, fd);
	kd_reply(expect(kd, 0), NULL, 0);
	kd_finish(c, 0);
}

static void end_is_not_remembered(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);

	for (int i = 0; i < 3; i++) {
		struct kd_call *c = call(kd, fd);

		kd_reply(expect(kd, 0), NULL, 0);
		kd_finish(c, 0);
	}
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EIO, EACCES, ENOTDIR, ENOENT, ENOSYS, 511 };
	struct kd *kd = kd_new();
	int fd = open_dir(kd);

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = call(kd, fd);

		kd_reply_error(expect(kd, 0), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

/* Nothing of a directory is cached: each reading asks. */
static void every_reading_asks(void)
{
	struct kd *kd = kd_new();
	struct kd_dirents d = { .len = 0 };

	kd_dirent(&d, "x", 2, DT_REG, 1);
	for (int i = 0; i < 3; i++) {
		int fd = open_dir(kd);
		struct kd_call *c = call(kd, fd);

		kd_reply(expect(kd, 0), d.bytes, d.len);
		CHECK(kd_wait(c) > 0);
		kd_finish(kd_call_close(kd, fd), 0);
	}
	CHECK_EQ(kd->count[FUSE_READDIR], 3);
}

/* One reader at a time for one open directory. */
static void readers_of_one_take_turns(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	int fd = open_dir(kd);
	struct kd_call *a = call(kd, fd), *b;
	struct kd_req *r = expect(kd, 0);

	b = call(kd, fd);
	kd_no_request(kd, 50);
	kd_check_blocked(b);
	kd_reply(r, NULL, 0);
	kd_reply(expect(kd, 0), NULL, 0);
	kd_finish(a, 0);
	kd_finish(b, 0);
}

/* ---- replies that cannot be ------------------------------------------------ */

/* A directory entry whose fields are @e's, and whose name has room for what it claims. */
static size_t raw_entry(uint8_t *at, const struct fuse_dirent *e, const char *name, size_t len)
{
	memcpy(at, e, FUSE_NAME_OFFSET);
	memset(at + FUSE_NAME_OFFSET, 0, FUSE_DIRENT_ALIGN(len));
	memcpy(at + FUSE_NAME_OFFSET, name, len);
	return FUSE_NAME_OFFSET + FUSE_DIRENT_ALIGN(len);
}

/* A good entry, then one that claims @namelen and has @stored bytes of a name: what this getdents() and the next make of it. */
static void check_namelen(uint32_t namelen, size_t stored, bool is_error)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct fuse_dirent e = { .ino = 3, .off = 2, .namelen = namelen, .type = DT_REG };
	struct kd_dirents d = { .len = 0 };
	char *name = malloc(stored + 1);
	long len;

	memset(name, 'n', stored);
	kd_dirent(&d, "good", 2, DT_REG, 1);
	d.len += raw_entry(d.bytes + d.len, &e, name, stored);
	kd_reply(expect(kd, 0), d.bytes, d.len);
	len = kd_wait(c);
	CHECK(len > 0);
	CHECK_STR(nth(len, 0)->name, "good");
	CHECK(nth(len, 1) == NULL);
	/* and from there on */
	c = call(kd, fd);
	d.len = raw_entry(d.bytes, &e, name, stored);
	kd_reply(expect(kd, 1), d.bytes, d.len);
	kd_finish(c, is_error ? -EIO : 0);
}

static void namelen_zero(void)
{
	check_namelen(0, 8, true);
}

static void namelen_beyond_the_longest(void)
{
	struct kd *kd = kd_new(.no_init = true);

	/* newer modules may know longer names */
	check_namelen(4096, 2000, true);
	check_namelen(UINT32_MAX, 16, true);
	check_namelen(UINT32_MAX - 23, 16, true);
	check_namelen(1u << 31, 16, true);
	kd_init_request(kd);
	if (kd->init_in.minor <= KD_MINOR) {
		check_namelen(1025, 1032, true);
		check_namelen(4095, 2000, true);
	}
}

/* A length that the reply does not hold: the end of the reply. */
static void namelen_beyond_the_reply(void)
{
	check_namelen(100, 8, false);
	check_namelen(1024, 1016, false);
}

static void long_names_pass(void)
{
	static const size_t lengths[] = { 1, 7, 8, 9, 254, 255, 256, 1023, 1024 };
	struct kd *kd = kd_new();
	int fd = open_dir(kd);

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = call(kd, fd);
		struct kd_req *r = kd_expect(kd, FUSE_READDIR, FUSE_ROOT_ID);
		struct kd_dirents d = { .len = 0 };
		char name[1025];

		memset(name, 'n', lengths[i]);
		name[lengths[i]] = '\0';
		kd_dirent(&d, name, 2, DT_REG, 1);
		kd_reply(r, d.bytes, d.len);
		CHECK(kd_wait(c) > 0);
		CHECK_STR(nth(1, 0)->name, name);
	}
}

static void check_bad_name(const char *name, size_t len)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct fuse_dirent e = { .ino = 3, .off = 2, .namelen = (uint32_t)len, .type = DT_REG };
	uint8_t body[512];

	kd_reply(expect(kd, 0), body, raw_entry(body, &e, name, len));
	kd_finish(c, -EIO);
}

static void slash_in_a_name(void)
{
	check_bad_name("/", 1);
	check_bad_name("a/b", 3);
	check_bad_name("../../etc", 9);
	check_bad_name("abcdefg/", 8);
}

static void nul_in_a_name(void)
{
	check_bad_name("\0", 1);
	check_bad_name("a\0b", 3);
	check_bad_name("abcdefg\0", 8);
}

/* Less than an entry's head: as if nothing were there. */
static void short_replies(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_dirents d = { .len = 0 };

	kd_dirent(&d, "name", 2, DT_REG, 1);
	for (size_t len = 0; len < d.len; len += len < 24 ? 8 : 1) {
		struct kd_call *c = call(kd, fd);

		if (len > FUSE_NAME_OFFSET + 3)
			break;
		kd_reply(expect(kd, 0), d.bytes, len);
		kd_finish(c, 0);
	}
}

/* The last entry's padding belongs to it. */
static void last_entry_without_padding(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct kd_dirents d = { .len = 0 };
	long len;

	kd_dirent(&d, "first", 2, DT_REG, 1);
	kd_dirent(&d, "second", 3, DT_REG, 2);
	kd_reply(expect(kd, 0), d.bytes, d.len - 1);
	len = kd_wait(c);
	CHECK(nth(len, 0) != NULL);
	CHECK_STR(nth(len, 0)->name, "first");
	CHECK(nth(len, 1) == NULL);
}

static void longer_than_asked(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct kd_req *r = expect(kd, 0);
	size_t size = ((const struct fuse_read_in *)r->arg)->size;
	uint8_t *body = calloc(1, size + 1);

	CHECK_EQ(kd_try_reply(r, 0, body, size + 1), -EINVAL);
	kd_finish(c, -EIO);
}

/* As many entries as fit the reply, filled to its last byte. */
static void full_reply(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd), n = 0;
	struct kd_call *c = call(kd, fd);
	struct kd_req *r = expect(kd, 0);
	size_t size = ((const struct fuse_read_in *)r->arg)->size;
	struct kd_dirents d = { .len = 0 };
	long len;

	if (size > sizeof(d.bytes))
		size = sizeof(d.bytes);
	for (; d.len + 32 <= size; n++) {
		char name[16];

		snprintf(name, sizeof(name), "n%05d", n);
		kd_dirent(&d, name, 2, DT_REG, (uint64_t)n + 1);
	}
	kd_reply(r, d.bytes, d.len);
	len = kd_wait(c);
	CHECK(len > 0);
	for (int i = 0; nth(len, i); i++)
		CHECK_EQ(atoi(nth(len, i)->name + 1), i);
}

/* An inode number of zero and a type out of range pass: they are not the kernel's to judge. */
static void odd_fields_pass(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c = call(kd, fd);
	struct kd_dirents d = { .len = 0 };
	long len;

	kd_dirent(&d, "a", 0, 0xffffff, 1);
	kd_dirent(&d, "b", UINT64_MAX, DT_REG, 1);
	kd_dirent(&d, "b", 7, DT_REG, 1);
	kd_reply(expect(kd, 0), d.bytes, d.len);
	len = kd_wait(c);
	CHECK(nth(len, 2) != NULL);
	CHECK_EQ(nth(len, 0)->ino, 0);
	CHECK_EQ(nth(len, 1)->ino, UINT64_MAX);
}

/* Attributes that came before the reading do not say when it was last read. */
static void access_time_is_stale(void)
{
	struct kd *kd = kd_new();
	int fd = open_dir(kd);
	struct kd_call *c;
	struct stat st;

	kd_finish(kd_call_stat(kd, "", NULL), 0);
	c = call(kd, fd);
	kd_reply(expect(kd, 0), NULL, 0);
	kd_finish(c, 0);
	kd_root(kd)->attr.atime = 9999;
	kd_finish(kd_call_stat(kd, "", &st), 0);
	CHECK_EQ(st.st_atime, 9999);
}

static const struct kernel_case cases[] = {
	CASE("readdir/entries-reach-the-caller", entries_reach_the_caller),
	CASE("readdir/offsets-are-opaque", offsets_are_opaque),
	CASE("readdir/small-buffer-continues", small_buffer_continues),
	CASE("readdir/seek-and-rewind", seek_and_rewind),
	CASE("readdir/end-is-not-remembered", end_is_not_remembered),
	CASE("readdir/errors-reach-the-caller", errors_reach_the_caller),
	CASE("readdir/every-reading-asks", every_reading_asks),
	CASE("readdir/readers-of-one-take-turns", readers_of_one_take_turns),
	CASE("readdir/namelen-zero", namelen_zero),
	CASE("readdir/namelen-beyond-the-longest", namelen_beyond_the_longest),
	CASE("readdir/namelen-beyond-the-reply", namelen_beyond_the_reply),
	CASE("readdir/long-names-pass", long_names_pass),
	CASE("readdir/slash-in-a-name", slash_in_a_name),
	CASE("readdir/nul-in-a-name", nul_in_a_name,
	     differs(stock, "it passes names with a NUL inside on; ours refuses the reply, because no file can be called so")),
	CASE("readdir/short-replies", short_replies),
	CASE("readdir/last-entry-without-padding", last_entry_without_padding),
	CASE("readdir/longer-than-asked", longer_than_asked),
	CASE("readdir/full-reply", full_reply),
	CASE("readdir/odd-fields-pass", odd_fields_pass),
	CASE("readdir/access-time-is-stale", access_time_is_stale),
};
KERNEL_CASES(cases);
