// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_k_dirent.c: the entries of READDIR and READDIRPLUS replies as the
 * kernel module reads them: good ones, each malformed one, and each cut at
 * every byte.  Replies lie in blocks of just their size, so that a sanitizer
 * sees what is read behind them.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>
#include "dirent.h"

#define REPLY_MAX 8192

static u8 reply[REPLY_MAX];
static size_t reply_len;

static size_t head_size(bool plus)
{
	return (plus ? sizeof(struct fuse_entry_out) : 0) + FUSE_NAME_OFFSET;
}

/* An entry that says @said of its name, which is @len bytes; not padded. */
static void put_entry(bool plus, const char *name, size_t len, u32 said)
{
	struct fuse_entry_out entry = { .nodeid = 100 + reply_len, .generation = 7 };
	struct fuse_dirent head = { .ino = 5000 + reply_len, .off = reply_len + 1, .namelen = said, .type = 8 };

	if (plus) {
		memcpy(reply + reply_len, &entry, sizeof(entry));
		reply_len += sizeof(entry);
	}
	memcpy(reply + reply_len, &head, FUSE_NAME_OFFSET);
	memcpy(reply + reply_len + FUSE_NAME_OFFSET, name, len);
	reply_len += FUSE_NAME_OFFSET + len;
}

static void pad(void)
{
	while (reply_len % 8)
		reply[reply_len++] = 0xee;
}

static void put_good(bool plus, const char *name)
{
	put_entry(plus, name, strlen(name), (u32)strlen(name));
	pad();
}

/* Read all of the first @len bytes: how many entries, and what came after them. */
static unsigned int read_all(size_t len, bool plus, int *end)
{
	u8 *copy = malloc(len + !len);
	unsigned int n = 0;
	size_t pos = 0;
	struct fblk_dirent d;

	assert_non_null(copy);
	memcpy(copy, reply, len);
	for (;;) {
		size_t before = pos;

		*end = fblk_dirent_next(copy, len, plus, &pos, &d);
		if (*end <= 0) {
			assert_int_equal(pos, before);
			break;
		}
		n++;
		assert_int_equal(*end, 1);
		assert_true(pos >= before + head_size(plus) + d.namelen && pos <= len && pos % 8 == 0);
		assert_true(d.namelen >= 1 && d.namelen <= FBLK_NAME_MAX);
		assert_true(!memchr(d.name, '/', d.namelen) && !memchr(d.name, 0, d.namelen));
		assert_int_equal(!!d.entry, plus);
	}
	free(copy);
	return n;
}

static void expect(bool plus, unsigned int entries, int end)
{
	int ended;

	assert_int_equal(read_all(reply_len, plus, &ended), entries);
	assert_int_equal(ended, end);
}

#define EACH_KIND(plus) for (int plus = 0; plus < 2; plus++)

static void fields(void **state)
{
	(void)state;
	EACH_KIND(plus) {
		struct fblk_dirent d;
		size_t pos = 0, second;

		reply_len = 0;
		put_good(plus, "first");
		second = reply_len;
		put_good(plus, "the second");
		assert_int_equal(fblk_dirent_next(reply, reply_len, plus, &pos, &d), 1);
		assert_int_equal(pos, second);
		assert_int_equal(d.namelen, 5);
		assert_memory_equal(d.name, "first", 5);
		assert_int_equal(fblk_dirent_next(reply, reply_len, plus, &pos, &d), 1);
		assert_int_equal(pos, reply_len);
		assert_memory_equal(d.name, "the second", 10);
		assert_int_equal(d.type, 8);
		assert_int_equal(d.ino, 5000 + second);
		assert_int_equal(d.next, second + 1);
		if (plus) {
			assert_ptr_equal(d.entry, reply + second);
			assert_int_equal(d.entry->nodeid, 100 + second);
		} else {
			assert_null(d.entry);
		}
		assert_int_equal(fblk_dirent_next(reply, reply_len, plus, &pos, &d), 0);
	}
}

static void no_entries(void **state)
{
	struct fblk_dirent d;
	size_t pos = 8;

	(void)state;
	EACH_KIND(plus) {
		reply_len = 0;
		expect(plus, 0, 0);
		assert_int_equal(fblk_dirent_next(reply, 7, plus, &pos, &d), 0);	/* behind the end */
	}
	assert_int_equal(pos, 8);
}

static void each_length_of_a_name(void **state)
{
	static char name[5000];

	(void)state;
	memset(name, 'x', sizeof(name));
	EACH_KIND(plus) {
		for (u32 len = 0; len <= 1100; len++) {
			bool good = len >= 1 && len <= 1024;

			reply_len = 0;
			put_entry(plus, name, len, len);
			pad();
			put_good(plus, "after");
			expect(plus, good ? 2 : 0, good ? 0 : -EIO);
		}
	}
}

static void names_that_are_too_long(void **state)
{
	static const u32 lengths[] = { 0, 1025, 1032, 4095, 4096, 0xffff, 0x7fffffff, 0x80000000, 0xffffffe8, 0xfffffff0, 0xffffffff };
	static char name[4096];

	(void)state;
	memset(name, 'x', sizeof(name));
	EACH_KIND(plus) {
		for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
			size_t len = lengths[i] < sizeof(name) ? lengths[i] : sizeof(name);

			reply_len = 0;
			put_entry(plus, name, len, lengths[i]);
			expect(plus, 0, -EIO);
			reply_len = 0;
			put_good(plus, "good");
			put_entry(plus, name, 0, lengths[i]);
			expect(plus, 1, -EIO);
		}
	}
}

static void a_slash_or_a_nul_anywhere(void **state)
{
	static const char bad[] = { '/', 0 };
	char name[40];

	(void)state;
	EACH_KIND(plus) {
		for (size_t len = 1; len <= sizeof(name); len++) {
			for (size_t at = 0; at < 2 * len; at++) {
				memset(name, 'n', sizeof(name));
				name[at / 2] = bad[at % 2];
				reply_len = 0;
				put_good(plus, "good");
				put_entry(plus, name, len, (u32)len);
				pad();
				put_good(plus, "good");
				expect(plus, 1, -EIO);
			}
		}
	}
}

/* What lies behind a name, and bytes that only look odd, are no fault. */
static void other_bytes_are_names(void **state)
{
	char name[1];

	(void)state;
	for (int c = 1; c < 256; c++) {
		name[0] = (char)c;
		reply_len = 0;
		put_entry(false, name, 1, 1);
		pad();
		reply[reply_len - 1] = '/';
		reply[reply_len - 2] = 0;
		expect(false, c != '/', c == '/' ? -EIO : 0);
	}
}

/* An entry is there if its padding is. */
static void cut_at_each_byte(void **state)
{
	(void)state;
	EACH_KIND(plus) {
		size_t ends[3];

		reply_len = 0;
		put_good(plus, "a");
		ends[0] = reply_len;
		put_good(plus, "12345678");
		ends[1] = reply_len;
		put_good(plus, "a name of 17 byte");
		ends[2] = reply_len;
		for (size_t len = 0; len <= reply_len; len++) {
			unsigned int want = (len >= ends[0]) + (len >= ends[1]) + (len >= ends[2]);
			int end;

			assert_int_equal(read_all(len, plus, &end), want);
			assert_int_equal(end, 0);
		}
	}
}

/* A name that no entry can have is one even if not all of it is there; one that could be is not. */
static void a_bad_length_before_the_cut(void **state)
{
	(void)state;
	EACH_KIND(plus) {
		int end;

		reply_len = 0;
		put_entry(plus, "", 0, 2000);
		expect(plus, 0, -EIO);
		assert_int_equal(read_all(reply_len - 1, plus, &end), 0);
		assert_int_equal(end, 0);
		reply_len = 0;
		put_entry(plus, "/", 1, 2);
		expect(plus, 0, 0);
	}
}

/* Each entry takes at least its head and a byte, so that no reply has more than fit. */
static void no_more_than_fit(void **state)
{
	(void)state;
	EACH_KIND(plus) {
		unsigned int n = 0;

		reply_len = 0;
		while (reply_len + head_size(plus) + 8 <= REPLY_MAX) {
			put_good(plus, "x");
			n++;
		}
		expect(plus, n, 0);
	}
}

static void any_bytes(void **state)
{
	u64 x = 88172645463325252;

	(void)state;
	for (int i = 0; i < 20000; i++) {
		int end;

		for (size_t at = 0; at < 512; at += sizeof(x)) {
			x ^= x << 13;
			x ^= x >> 7;
			x ^= x << 17;
			memcpy(reply + at, &x, sizeof(x));
		}
		/* lengths that may pass */
		for (size_t at = 16; at < 512; at += 24)
			memset(reply + at + 1, 0, 3);
		read_all(x % 512, i & 1, &end);
		assert_true(end == 0 || end == -EIO);
	}
}

static bool is_dot(const char *name)
{
	struct fblk_dirent d = { .name = name, .namelen = (u32)strlen(name) };

	return fblk_dirent_is_dot(&d);
}

static void dots(void **state)
{
	struct fblk_dirent one_of_three = { .name = "...", .namelen = 1 };

	(void)state;
	assert_true(is_dot(".") && is_dot("..") && fblk_dirent_is_dot(&one_of_three));
	assert_false(is_dot("...") || is_dot(".a") || is_dot("a") || is_dot("a.") || is_dot("a..") || is_dot(" ."));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(fields),
		cmocka_unit_test(no_entries),
		cmocka_unit_test(each_length_of_a_name),
		cmocka_unit_test(names_that_are_too_long),
		cmocka_unit_test(a_slash_or_a_nul_anywhere),
		cmocka_unit_test(other_bytes_are_names),
		cmocka_unit_test(cut_at_each_byte),
		cmocka_unit_test(a_bad_length_before_the_cut),
		cmocka_unit_test(no_more_than_fit),
		cmocka_unit_test(any_bytes),
		cmocka_unit_test(dots),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
