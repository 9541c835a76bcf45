// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_readdirplus.c: READDIRPLUS: when it is used, what it fills the caches with, and its lookups.
 */
#include "daemon.h"

#define PLUS FUSE_DO_READDIRPLUS
#define AUTO (FUSE_DO_READDIRPLUS | FUSE_READDIRPLUS_AUTO)

static uint8_t got[65536];

struct entry {
	uint64_t ino;
	int64_t off;
	uint16_t len;
	uint8_t type;
	char name[];
} __attribute__((packed));

static struct kd *start(uint64_t flags)
{
	struct kd *kd = kd_new(.flags = flags);

	kd_need(kd, flags);
	return kd;
}

static struct kd_call *call(struct kd *kd, int fd)
{
	return kd_call_getdents(kd, fd, got, sizeof(got));
}

/* The next reading is by @opcode and finds @d. Returns what getdents() did. */
static long read_dir(struct kd *kd, int fd, uint32_t opcode, const struct kd_dirents *d)
{
	struct kd_call *c = call(kd, fd);

	kd_reply(kd_expect(kd, opcode, FUSE_ROOT_ID), d->bytes, d->len);
	return kd_wait(c);
}

static int count_entries(long len)
{
	int n = 0;

	for (long at = 0; at < len; n++)
		at += ((const struct entry *)(got + at))->len;
	return n;
}

/* ---- what it fills ----------------------------------------------------------- */

static void saves_the_lookups(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_file(kd, 2, 10), *g = kd_dir(kd, 3);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct stat st;
	long len;

	kd_direntplus(&d, ".", NULL, 1);
	kd_direntplus(&d, "..", NULL, 2);
	kd_direntplus(&d, "f", f, 3);
	kd_direntplus(&d, "g", g, 4);
	len = read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	CHECK_EQ(count_entries(len), 4);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 2);
	CHECK_EQ(st.st_size, 10);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* Node 0: a name without a lookup. */
static void node_zero_is_only_a_name(void)
{
	struct kd *kd = start(PLUS);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };

	kd_direntplus(&d, "f", NULL, 1);
	CHECK_EQ(count_entries(read_dir(kd, fd, FUSE_READDIRPLUS, &d)), 1);
	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* Whatever a daemon says of "." and "..", it is no lookup. */
static void dots_are_no_lookups(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_file(kd, 2, 10);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };

	kd_direntplus(&d, ".", f, 1);
	kd_direntplus(&d, "..", f, 2);
	f->given = 0;
	CHECK_EQ(count_entries(read_dir(kd, fd, FUSE_READDIRPLUS, &d)), 2);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
	CHECK_EQ(f->forgotten, 0);
}

/* Those that the caller has no room for count, too, each time. */
static void what_is_not_handed_out_counts(void)
{
	struct kd *kd = start(PLUS);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);

	kd_file(kd, 2, 10);
	kd_file(kd, 3, 10);
	kd_file(kd, 4, 10);
	for (int i = 0; i < 2; i++) {
		struct kd_dirents d = { .len = 0 };
		struct kd_call *c = kd_call_getdents(kd, fd, got, 24);
		struct kd_req *r = kd_expect(kd, FUSE_READDIRPLUS, FUSE_ROOT_ID);

		CHECK_EQ(((const struct fuse_read_in *)r->arg)->offset, i);
		kd_direntplus(&d, "a", kd_node(kd, 2), 1);
		kd_direntplus(&d, "b", kd_node(kd, 3), 2);
		kd_direntplus(&d, "c", kd_node(kd, 4), 3);
		kd_reply(r, d.bytes, d.len);
		kd_finish(c, 24);
	}
	kd_finish(kd_call_close(kd, fd), 0);
	CHECK_EQ(kd_node(kd, 4)->given, 2);
	kd_check_balance(kd);
}

static void refreshes_what_is_known(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct stat st;

	f->entry_valid = 0;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	f->attr.size = 99;
	f->entry_valid = KD_FOREVER;
	kd_direntplus(&d, "f", f, 1);
	read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 99);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* A name that stood for another file, or for none, stands for this one from now on. */
static void replaces_what_was_known(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *old = kd_add_file(kd, "f", 2, 10), *new = kd_file(kd, 3, 20);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct kd_call *c;
	struct stat st;

	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	c = kd_call_stat(kd, "g", NULL);
	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, FUSE_ROOT_ID), KD_FOREVER);
	kd_finish(c, -ENOENT);
	kd->count[FUSE_LOOKUP] = 0;
	kd_direntplus(&d, "f", new, 1);
	kd_direntplus(&d, "g", kd_file(kd, 4, 30), 2);
	read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	/* newer modules ask for attributes after an eviction */
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_ino, 3);
	kd_finish(kd_call_stat(kd, "g", &st), 0);
	CHECK_EQ(st.st_ino, 4);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
	CHECK_EQ(old->given, 1);
}

static void new_generation_is_a_new_file(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int old = kd_opened(kd, "f", O_RDONLY, 0), fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct stat st;

	f->generation = 1;
	f->attr.size = 50;
	kd_direntplus(&d, "f", f, 1);
	read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 50);
	kd_finish(kd_call_fstat(kd, old, &st), -EIO);
	kd_finish(kd_call_close(kd, fd), 0);
	close(old);
	kd_check_balance(kd);
}

/* ---- when ---------------------------------------------------------------------- */

static void always_without_auto(void)
{
	struct kd *kd = start(PLUS);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);

	for (uint64_t i = 0; i < 3; i++) {
		struct kd_dirents d = { .len = 0 };

		kd_direntplus(&d, "f", NULL, i + 1);
		CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	}
}

static void never_when_not_negotiated(void)
{
	struct kd *kd = start(FUSE_READDIRPLUS_AUTO);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };

	kd_dirent(&d, "f", 2, 8, 1);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &d) > 0);
}

/* With AUTO at the beginning of a directory, and then only while it is of use. */
static void auto_only_at_first(void)
{
	struct kd *kd = start(AUTO);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 }, e = { .len = 0 };

	kd_direntplus(&d, "f", kd_file(kd, 2, 10), 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_dirent(&e, "g", 3, 8, 2);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &e) > 0);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &e) > 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

static void auto_again_after_a_use(void)
{
	struct kd *kd = start(AUTO);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 }, e = { .len = 0 };

	kd_direntplus(&d, "f", kd_file(kd, 2, 10), 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_direntplus(&e, "g", kd_file(kd, 3, 10), 2);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &e) > 0);
	/* one use, one time */
	e.len = 0;
	kd_dirent(&e, "h", 4, 8, 3);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &e) > 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* A second use of the same entry says nothing new. */
static void auto_not_after_a_second_use(void)
{
	struct kd *kd = start(AUTO);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 }, e = { .len = 0 }, f = { .len = 0 };

	kd_direntplus(&d, "f", kd_file(kd, 2, 10), 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_direntplus(&e, "g", kd_file(kd, 3, 10), 2);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &e) > 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_dirent(&f, "h", 4, 8, 3);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &f) > 0);
}

static void auto_again_after_a_lookup(void)
{
	struct kd *kd = start(AUTO);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 }, e = { .len = 0 };

	kd_add_file(kd, "x", 9, 1);
	kd_direntplus(&d, "f", NULL, 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_finish(kd_call_stat(kd, "x", NULL), 0);
	kd_direntplus(&e, "g", NULL, 2);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &e) > 0);
	e.len = 0;
	kd_dirent(&e, "h", 4, 8, 3);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &e) > 0);
}

/* A lookup before the first reading is no reason for a second such one. */
static void auto_first_reading_uses_the_reason_up(void)
{
	struct kd *kd = start(AUTO);
	struct kd_dirents d = { .len = 0 }, e = { .len = 0 };
	int fd;

	kd_add_file(kd, "x", 9, 1);
	kd_finish(kd_call_stat(kd, "x", NULL), 0);
	fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	kd_direntplus(&d, "f", NULL, 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_dirent(&e, "g", 4, 8, 2);
	CHECK(read_dir(kd, fd, FUSE_READDIR, &e) > 0);
}

/* ---- hostile answers --------------------------------------------------------------- */

/* Listed, but not believed: whoever wants it, looks it up. */
static void check_hostile(void (*spoil)(struct fuse_entry_out *e))
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_file(kd, 2, 10);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	long len;

	kd_direntplus(&d, "f", f, 1);
	spoil(&((struct fuse_direntplus *)d.bytes)->entry_out);
	kd_direntplus(&d, "g", kd_file(kd, 3, 10), 2);
	len = read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	CHECK_EQ(count_entries(len), 2);
	kd_add(kd, FUSE_ROOT_ID, "f", f);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
	kd_finish(kd_call_close(kd, fd), 0);
	/* what was given for a node that is none was not given for f */
	if (((struct fuse_direntplus *)d.bytes)->entry_out.nodeid != 2)
		f->given--;
	kd_check_balance(kd);
}

static void make_root(struct fuse_entry_out *e)
{
	e->nodeid = FUSE_ROOT_ID;
}

static void make_huge(struct fuse_entry_out *e)
{
	e->attr.size = 1ull << 63;
}

static void make_no_type(struct fuse_entry_out *e)
{
	e->attr.mode = 0644;
}

static void hostile_node(void)
{
	check_hostile(make_root);
}

static void hostile_size(void)
{
	check_hostile(make_huge);
}

static void hostile_type(void)
{
	check_hostile(make_no_type);
}

/* A file in use becomes a directory: bad for those who have it. */
static void type_of_a_known_node(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	int old = kd_opened(kd, "f", O_RDONLY, 0), fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct stat st;

	f->attr.mode = S_IFDIR | 0755;
	kd_direntplus(&d, "f", f, 1);
	CHECK(read_dir(kd, fd, FUSE_READDIRPLUS, &d) > 0);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK(S_ISDIR(st.st_mode));
	kd_finish(kd_call_fstat(kd, old, NULL), -EIO);
	kd_finish(kd_call_close(kd, fd), 0);
	close(old);
	kd_check_balance(kd);
}

/* The directory lists itself, or its own parent, under a name. */
static void directory_in_itself(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *a = kd_add_dir(kd, "a", 2);
	struct kd_dirents d = { .len = 0 };
	struct kd_call *c;
	int fd = kd_opened(kd, "a", O_RDONLY | O_DIRECTORY, 0);

	kd_direntplus(&d, "b", a, 1);
	c = call(kd, fd);
	kd_reply(kd_expect(kd, FUSE_READDIRPLUS, 2), d.bytes, d.len);
	CHECK(kd_wait(c) > 0);
	kd_add(kd, 2, "b", a);
	kd_finish(kd_call_stat(kd, "a/b", NULL), -ELOOP);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

static void short_entries(void)
{
	struct kd *kd = start(PLUS);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };

	kd_direntplus(&d, "f", kd_file(kd, 2, 10), 1);
	kd_node(kd, 2)->given = 0;
	for (size_t len = 0; len < d.len; len += 8) {
		struct kd_call *c = call(kd, fd);

		kd_reply(kd_expect(kd, FUSE_READDIRPLUS, FUSE_ROOT_ID), d.bytes, len);
		kd_finish(c, 0);
	}
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* What came before an entry that cannot be is believed and counted. */
static void bad_name_ends_the_reply(void)
{
	struct kd *kd = start(PLUS);
	struct kd_node *f = kd_file(kd, 2, 10);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);
	struct kd_dirents d = { .len = 0 };
	struct fuse_direntplus *bad;

	kd_direntplus(&d, "f", f, 1);
	bad = (struct fuse_direntplus *)(d.bytes + d.len);
	kd_direntplus(&d, "a/b", kd_file(kd, 3, 10), 2);
	kd_node(kd, 3)->given = 0;
	CHECK_EQ(count_entries(read_dir(kd, fd, FUSE_READDIRPLUS, &d)), 1);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	bad->dirent.namelen = UINT32_MAX;
	f->given++;
	read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	bad->dirent.namelen = 0;
	f->given++;
	read_dir(kd, fd, FUSE_READDIRPLUS, &d);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

static void error_without_auto_stays(void)
{
	struct kd *kd = start(PLUS);
	int fd = kd_opened(kd, "", O_RDONLY | O_DIRECTORY, 0);

	for (int i = 0; i < 2; i++) {
		struct kd_call *c = call(kd, fd);

		kd_reply_error(kd_expect(kd, FUSE_READDIRPLUS, FUSE_ROOT_ID), -ENOSYS);
		kd_finish(c, -ENOSYS);
	}
}

static const struct kernel_case cases[] = {
	CASE("readdirplus/saves-the-lookups", saves_the_lookups),
	CASE("readdirplus/node-zero-is-only-a-name", node_zero_is_only_a_name),
	CASE("readdirplus/dots-are-no-lookups", dots_are_no_lookups),
	CASE("readdirplus/what-is-not-handed-out-counts", what_is_not_handed_out_counts),
	CASE("readdirplus/refreshes-what-is-known", refreshes_what_is_known),
	CASE("readdirplus/replaces-what-was-known", replaces_what_was_known),
	CASE("readdirplus/new-generation-is-a-new-file", new_generation_is_a_new_file),
	CASE("readdirplus/always-without-auto", always_without_auto),
	CASE("readdirplus/never-when-not-negotiated", never_when_not_negotiated),
	CASE("readdirplus/auto-only-at-first", auto_only_at_first),
	CASE("readdirplus/auto-again-after-a-use", auto_again_after_a_use),
	CASE("readdirplus/auto-not-after-a-second-use", auto_not_after_a_second_use),
	CASE("readdirplus/auto-again-after-a-lookup", auto_again_after_a_lookup),
	CASE("readdirplus/auto-first-reading-uses-the-reason-up", auto_first_reading_uses_the_reason_up),
	CASE("readdirplus/hostile-node", hostile_node),
	CASE("readdirplus/hostile-size", hostile_size),
	CASE("readdirplus/hostile-type", hostile_type),
	CASE("readdirplus/type-of-a-known-node", type_of_a_known_node),
	CASE("readdirplus/directory-in-itself", directory_in_itself),
	CASE("readdirplus/short-entries", short_entries),
	CASE("readdirplus/bad-name-ends-the-reply", bad_name_ends_the_reply),
	CASE("readdirplus/error-without-auto-stays", error_without_auto_stays),
};
KERNEL_CASES(cases);
