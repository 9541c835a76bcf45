// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * op_lookup.c: LOOKUP: names, what is cached and for how long, counts, hostile entries.
 */
#include <signal.h>
#include <stdlib.h>
#include "daemon.h"

static struct kd_req *expect_lookup(struct kd *kd, uint64_t parent, const char *name)
{
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, parent);

	CHECK_STR(r->name, name);
	return r;
}

/* ---- what is cached --------------------------------------------------- */

static void positive_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_check_balance(kd);
}

static void negative_is_cached(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "none", NULL);

	kd_reply_negative(expect_lookup(kd, FUSE_ROOT_ID, "none"), KD_FOREVER);
	kd_finish(c, -ENOENT);
	kd_finish(kd_call_stat(kd, "none", NULL), -ENOENT);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void negative_without_timeout_is_not(void)
{
	struct kd *kd = kd_new();

	for (int i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_stat(kd, "none", NULL);

		kd_reply_negative(expect_lookup(kd, FUSE_ROOT_ID, "none"), 0);
		kd_finish(c, -ENOENT);
	}
}

static void enoent_is_not_cached(void)
{
	struct kd *kd = kd_new();

	for (int i = 0; i < 3; i++) {
		struct kd_call *c = kd_call_stat(kd, "none", NULL);

		kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "none"), -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static void negative_becomes_a_file(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_negative(expect_lookup(kd, FUSE_ROOT_ID, "f"), 0);
	kd_finish(c, -ENOENT);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

/* Whoever wants to create asks again, whatever is cached. */
static void negative_is_created(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "d", NULL);
	struct kd_req *r;

	kd_reply_negative(expect_lookup(kd, FUSE_ROOT_ID, "d"), KD_FOREVER);
	kd_finish(c, -ENOENT);
	c = kd_call_mkdir(kd, "d", 0755);
	kd_reply_negative(expect_lookup(kd, FUSE_ROOT_ID, "d"), KD_FOREVER);
	r = kd_expect(kd, FUSE_MKDIR, FUSE_ROOT_ID);
	CHECK_STR(r->name, "d");
	kd_reply_entry(r, kd_dir(kd, 2));
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	kd_check_balance(kd);
}

static void timeout_in_nanoseconds(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	f->entry_valid = 0;
	f->entry_valid_nsec = 300000000;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	for (int i = 0; i < 30 && kd->count[FUSE_LOOKUP] == 1; i++) {
		usleep(100000);
		kd_finish(kd_call_stat(kd, "f", NULL), 0);
	}
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
}

/* Nanoseconds of a second and more count as less than one; a huge time does not wrap. */
static void odd_timeouts(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10), *g = kd_add_file(kd, "g", 3, 10);

	f->entry_valid = f->attr_valid = UINT64_MAX;
	f->entry_valid_nsec = f->attr_valid_nsec = UINT32_MAX;
	g->entry_valid = g->attr_valid = 0;
	g->entry_valid_nsec = UINT32_MAX;
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	kd_auto(kd, FUSE_GETATTR);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	kd_finish(kd_call_stat(kd, "g", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
}

/* A LOOKUP of an entry that had expired brings attributes, too. */
static void expired_brings_attributes(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;

	f->entry_valid = 0;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	f->attr.size = 77;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 77);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 2);
	CHECK_EQ(kd->count[FUSE_GETATTR], 0);
	CHECK_EQ(f->given, 2);
	kd_check_balance(kd);
}

/* The entry that expired is asked for, found gone, dropped, and then asked for as a new one. */
static void expired_and_gone(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	f->entry_valid = 0;
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -ENOENT);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_check_balance(kd);
}

static void expired_and_replaced(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10), *g = kd_file(kd, 3, 20);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct stat st;

	f->entry_valid = 0;
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	c = kd_call_stat(kd, "f", &st);
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), g);
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), g);
	kd_finish(c, 0);
	CHECK_EQ(st.st_ino, 3);
	CHECK_EQ(st.st_size, 20);
	kd_check_balance(kd);
}

/* Another error than "not there" also makes it asked for again, as a new one. */
static void expired_and_error(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	f->entry_valid = 0;
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -EIO);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -EIO);
	kd_finish(c, -EIO);
	kd_check_balance(kd);
}

/* EINTR and ENOMEM say nothing of the entry: it stays. */
static void check_entry_survives(int error)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	f->entry_valid = 0;
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), error);
	kd_finish(c, error);
	CHECK_EQ(f->forgotten, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "f"), f);
	kd_finish(c, 0);
	kd_check_balance(kd);
}

static void expired_and_interrupted(void)
{
	check_entry_survives(-EINTR);
	check_entry_survives(-ENOMEM);
}

static void estale_is_tried_twice(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -ESTALE);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -ESTALE);
	kd_finish(c, -ESTALE);
}

static void errors_reach_the_caller(void)
{
	static const int errors[] = { EPERM, EACCES, EIO, ENOSYS, ENOTDIR, ELOOP, ENAMETOOLONG, EUCLEAN, 511 };
	struct kd *kd = kd_new();

	for (size_t i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		struct kd_call *c = kd_call_stat(kd, "f", NULL);

		kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "f"), -errors[i]);
		kd_finish(c, -errors[i]);
	}
}

/* ---- paths ------------------------------------------------------------ */

static void walks_a_path(void)
{
	struct kd *kd = kd_new();
	struct kd_node *a = kd_dir(kd, 2), *b = kd_dir(kd, 3), *f = kd_file(kd, 4, 5);
	struct kd_call *c = kd_call_stat(kd, "a/b/../b/./f", NULL);

	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "a"), a);
	kd_reply_entry(expect_lookup(kd, 2, "b"), b);
	kd_reply_entry(expect_lookup(kd, 3, "f"), f);
	kd_finish(c, 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 3);
	kd_check_balance(kd);
}

static void file_is_no_directory(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	kd_finish(kd_call_stat(kd, "f/x", NULL), -ENOTDIR);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
}

static void same_node_by_two_names(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct stat a, b;

	f->attr.nlink = 2;
	kd_add(kd, FUSE_ROOT_ID, "a", f);
	kd_add(kd, FUSE_ROOT_ID, "b", f);
	kd_finish(kd_call_stat(kd, "a", &a), 0);
	f->attr.size = 99;
	kd_finish(kd_call_stat(kd, "b", &b), 0);
	kd_finish(kd_call_stat(kd, "a", &a), 0);
	CHECK_EQ(a.st_ino, b.st_ino);
	CHECK_EQ(a.st_size, 99);
	CHECK_EQ(f->given, 2);
	kd_check_balance(kd);
}

/* A directory has one dentry: found under a second name, it has moved. */
static void directory_moves(void)
{
	struct kd *kd = kd_new();
	struct kd_node *d = kd_dir(kd, 2);
	struct kd_call *c;

	kd_add(kd, FUSE_ROOT_ID, "b", d);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	c = kd_call_stat(kd, "a", NULL);
	kd_reply_entry(expect_lookup(kd, FUSE_ROOT_ID, "a"), d);
	kd_finish(c, 0);
	kd_finish(kd_call_stat(kd, "b/f", NULL), 0);
	c = kd_call_stat(kd, "a", NULL);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "a"), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_finish(kd_call_stat(kd, "b/f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 4);
	kd_check_balance(kd);
}

/* A directory cannot be inside itself. */
static void directory_in_itself(void)
{
	struct kd *kd = kd_new();
	struct kd_node *a = kd_add_dir(kd, "a", 2);

	kd_add(kd, 2, "b", a);
	kd_finish(kd_call_stat(kd, "a/b", NULL), -ELOOP);
	kd_check_balance(kd);
}

/* ---- names ------------------------------------------------------------ */

static char *name_of(size_t len)
{
	char *name = malloc(len + 1);

	memset(name, 'n', len);
	name[len] = '\0';
	return name;
}

static void long_names_pass(void)
{
	static const size_t lengths[] = { 1, 255, 256, 1023, 1024 };
	struct kd *kd = kd_new();

	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		const char *name = name_of(lengths[i]);
		struct kd_call *c = kd_call_stat(kd, name, NULL);
		struct kd_req *r = expect_lookup(kd, FUSE_ROOT_ID, name);

		CHECK_EQ(r->len, sizeof(struct fuse_in_header) + lengths[i] + 1);
		kd_reply_error(r, -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

/* Without MAX_PAGES, or the limit may be higher on newer kernels. */
static void longer_names_do_not(void)
{
	struct kd *kd = kd_new(.flags = FUSE_BIG_WRITES);

	kd_finish(kd_call_stat(kd, name_of(1025), NULL), -ENAMETOOLONG);
	kd_finish(kd_call_stat(kd, name_of(3000), NULL), -ENAMETOOLONG);
	kd_finish(kd_call_mkdir(kd, name_of(1025), 0755), -ENAMETOOLONG);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
}

static void bytes_pass_as_they_are(void)
{
	static const char *const names[] = { "\xff\xfe\x01", "a b\tc\nd", "\\", "caf\xc3\xa9", "..." };
	struct kd *kd = kd_new();

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct kd_call *c = kd_call_stat(kd, names[i], NULL);

		kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, names[i]), -ENOENT);
		kd_finish(c, -ENOENT);
	}
}

static void caller_is_in_the_header(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_call *c;
	struct kd_req *r;

	kd_as(kd, 1234, 5678);
	kd_as_process(kd);
	c = kd_call_stat(kd, "f", NULL);
	r = expect_lookup(kd, FUSE_ROOT_ID, "f");
	CHECK_EQ(r->in->uid, 1234);
	CHECK_EQ(r->in->gid, 5678);
	CHECK_EQ(r->in->pid, kd_call_tid(c));
	kd_reply_error(r, -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- who may look ------------------------------------------------------ */

static void others_do_not_get_in(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_stat(kd, "f", NULL), -EACCES);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 0);
	/* Not even to what is cached. */
	kd_as(kd, 0, 0);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_stat(kd, "f", NULL), -EACCES);
}

static void modes_hold_with_default_permissions(void)
{
	struct kd *kd = kd_new(.options = "allow_other,default_permissions");
	struct kd_node *d = kd_add_dir(kd, "d", 2);

	d->attr.mode = S_IFDIR | 0700;
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_auto(kd, FUSE_GETATTR);
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_stat(kd, "d/f", NULL), -EACCES);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 1);
	kd_as(kd, 0, 0);
	kd_finish(kd_call_stat(kd, "d/f", NULL), 0);
}

/* Before a denial the cached mode is refreshed, once. */
static void denial_asks_for_the_mode(void)
{
	struct kd *kd = kd_new(.options = "allow_other,default_permissions");
	struct kd_node *d = kd_add_dir(kd, "d", 2);
	struct kd_call *c;

	d->attr.mode = S_IFDIR | 0700;
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_as(kd, 1000, 1000);
	c = kd_call_stat(kd, "d/f", NULL);
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), d);
	kd_finish(c, -EACCES);
	c = kd_call_stat(kd, "d/f", NULL);
	d->attr.mode = S_IFDIR | 0711;
	kd_reply_attr(kd_expect(kd, FUSE_GETATTR, 2), d);
	kd_finish(c, 0);
}

/* Without it the daemon decides: a directory without a right is searched. */
static void modes_do_not_hold_without(void)
{
	struct kd *kd = kd_new(.options = "allow_other");
	struct kd_node *d = kd_add_dir(kd, "d", 2);

	d->attr.mode = S_IFDIR;
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_as(kd, 1000, 1000);
	kd_finish(kd_call_stat(kd, "d/f", NULL), 0);
}

/* ---- several at once ---------------------------------------------------- */

static void one_name_is_asked_once(void)
{
	struct kd *kd = kd_new();
	struct kd_call *a = kd_call_stat(kd, "f", NULL), *b = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = expect_lookup(kd, FUSE_ROOT_ID, "f");

	kd_no_request(kd, 50);
	kd_check_blocked(a);
	kd_check_blocked(b);
	kd_reply_entry(r, kd_file(kd, 2, 10));
	kd_finish(a, 0);
	kd_finish(b, 0);
	kd_check_balance(kd);
}

static void parallel_when_negotiated(void)
{
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *a, *b;
	struct kd_req *ra, *rb;

	kd_need(kd, FUSE_PARALLEL_DIROPS);
	a = kd_call_stat(kd, "a", NULL);
	ra = expect_lookup(kd, FUSE_ROOT_ID, "a");
	b = kd_call_stat(kd, "b", NULL);
	rb = expect_lookup(kd, FUSE_ROOT_ID, "b");
	kd_reply_error(rb, -ENOENT);
	kd_finish(b, -ENOENT);
	kd_check_blocked(a);
	kd_reply_error(ra, -ENOENT);
	kd_finish(a, -ENOENT);
}

static void serial_when_not(void)
{
	struct kd *kd = kd_new();
	struct kd_call *a = kd_call_stat(kd, "a", NULL), *b;
	struct kd_req *r = expect_lookup(kd, FUSE_ROOT_ID, "a");

	b = kd_call_stat(kd, "b", NULL);
	kd_no_request(kd, 50);
	kd_check_blocked(b);
	kd_reply_error(r, -ENOENT);
	kd_reply_error(expect_lookup(kd, FUSE_ROOT_ID, "b"), -ENOENT);
	kd_finish(a, -ENOENT);
	kd_finish(b, -ENOENT);
}

/* Whoever asked was killed meanwhile: what the answer gave is given back. */
static void answer_for_the_dead_is_forgotten(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct kd_call *c;
	struct kd_req *r, *i;

	kd_as_process(kd);
	c = kd_call_stat(kd, "f", NULL);
	r = expect_lookup(kd, FUSE_ROOT_ID, "f");
	kd_signal(c, SIGKILL);
	i = kd_expect(kd, FUSE_INTERRUPT, 0);
	CHECK_EQ(((const struct fuse_interrupt_in *)i->arg)->unique, r->unique);
	kd_reply_entry(r, f);
	CHECK_EQ(kd_wait_killed(c), SIGKILL);
	kd_as_thread(kd);
	kd_check_balance(kd);
	CHECK_EQ(f->given, 1);
}

/* ---- generations and node ids ------------------------------------------- */

/* The same number with another generation is another file: the old one is dead. */
static void new_generation_is_a_new_file(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;
	int fd;

	f->entry_valid = 0;
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	f->generation = 1;
	f->attr.size = 20;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, 20);
	kd_finish(kd_call_fstat(kd, fd, &st), -EIO);
	kd_finish(kd_call_close(kd, fd), -EIO);
	kd_check_balance(kd);
}

static void same_node_other_type(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);
	struct stat st;
	int fd;

	f->entry_valid = 0;
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	f->attr.mode = S_IFDIR | 0755;
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_mode, S_IFDIR | 0755);
	kd_finish(kd_call_fstat(kd, fd, &st), -EIO);
	kd_finish(kd_call_close(kd, fd), -EIO);
	kd_check_balance(kd);
}

static void large_node_ids(void)
{
	static const uint64_t ids[] = { 2, UINT32_MAX, 1ull << 32, 1ull << 63, UINT64_MAX };
	struct kd *kd = kd_new();
	char name[2] = "a";
	struct stat st;

	for (size_t i = 0; i < sizeof(ids) / sizeof(ids[0]); i++, name[0]++) {
		kd_add_file(kd, name, ids[i], 10);
		kd_finish(kd_call_stat(kd, name, &st), 0);
		CHECK_EQ(st.st_ino, ids[i]);
	}
	kd_check_balance(kd);
}

/* The low half of the node id does not make the file. */
static void node_ids_differ_in_high_half(void)
{
	struct kd *kd = kd_new();
	struct stat st;

	kd_add_file(kd, "a", 2, 10);
	kd_add_file(kd, "b", 2 | 1ull << 32, 20);
	kd_finish(kd_call_stat(kd, "a", &st), 0);
	CHECK_EQ(st.st_size, 10);
	kd_finish(kd_call_stat(kd, "b", &st), 0);
	CHECK_EQ(st.st_size, 20);
	kd_finish(kd_call_stat(kd, "a", &st), 0);
	CHECK_EQ(st.st_size, 10);
	kd_check_balance(kd);
}

/* ---- counts -------------------------------------------------------------- */

static void every_answer_counts(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	f->entry_valid = 0;
	for (int i = 0; i < 25; i++)
		kd_finish(kd_call_stat(kd, "f", NULL), 0);
	CHECK_EQ(f->given, 25);
	CHECK_EQ(f->forgotten, 0);
	kd_check_balance(kd);
	CHECK_EQ(kd->count[FUSE_FORGET], 1);
}

static void counts_start_again(void)
{
	struct kd *kd = kd_new();
	struct kd_node *f = kd_add_file(kd, "f", 2, 10);

	for (int i = 1; i < 4; i++) {
		kd_finish(kd_call_stat(kd, "f", NULL), 0);
		kd_check_balance(kd);
		CHECK_EQ(f->given, i);
	}
}

/* ---- hostile answers ------------------------------------------------------ */

/* An answer to LOOKUP that must not be believed: EIO, and life goes on. */
static void check_entry_refused(struct kd *kd, const struct fuse_entry_out *out)
{
	struct kd_call *c = kd_call_stat(kd, "f", NULL);

	kd_reply_entry_raw(expect_lookup(kd, FUSE_ROOT_ID, "f"), NULL, out);
	kd_finish(c, -EIO);
}

static void hostile_types(void)
{
	static const uint32_t modes[] = { 0, 0644, 0170644, 0030644, 0130644, UINT32_MAX, S_IFMT };
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);

	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		struct fuse_entry_out out = kd_entry(f);

		out.attr.mode = modes[i];
		check_entry_refused(kd, &out);
	}
}

static void hostile_sizes(void)
{
	static const uint64_t sizes[] = { 1ull << 63, UINT64_MAX, UINT64_MAX - 4095 };
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);

	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		struct fuse_entry_out out = kd_entry(f);

		out.attr.size = sizes[i];
		check_entry_refused(kd, &out);
	}
}

static void largest_size_passes(void)
{
	struct kd *kd = kd_new();
	struct stat st;

	kd_add_file(kd, "f", 2, INT64_MAX);
	kd_finish(kd_call_stat(kd, "f", &st), 0);
	CHECK_EQ(st.st_size, INT64_MAX);
}

/* Whatever their values, these do no harm: the kernel says what it was told, or EIO. */
static void hostile_fields(void)
{
	static const uint32_t values[] = { 0, 1, 3, 511, 4097, 1u << 31, UINT32_MAX };

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct kd *kd = kd_new();
		struct kd_node *f = kd_add_file(kd, "f", 2, 10);
		long ret;

		f->attr.nlink = f->attr.uid = f->attr.gid = f->attr.rdev = values[i];
		f->attr.blksize = f->attr.mtimensec = values[i];
		f->attr.blocks = f->attr.mtime = UINT64_MAX - values[i];
		ret = kd_wait(kd_call_stat(kd, "f", NULL));
		CHECK(ret == 0 || ret == -EIO);
		kd_stop(kd);
	}
}

static void root_is_no_entry(void)
{
	struct kd *kd = kd_new();
	struct fuse_entry_out out = kd_entry(kd_root(kd));

	check_entry_refused(kd, &out);
	kd_finish(kd_call_stat(kd, "", NULL), 0);
}

/* A daemon may so make its own root useless, but no more. */
static void hostile_roots(void)
{
	struct kd *kd = kd_new();
	struct fuse_entry_out out = kd_entry(kd_root(kd));
	struct kd_call *c;
	long ret;

	out.generation = 7;
	check_entry_refused(kd, &out);
	kd_stop(kd);
	kd = kd_new();
	out.generation = 0;
	out.attr.mode = S_IFREG | 0644;
	check_entry_refused(kd, &out);
	c = kd_call_stat(kd, "", NULL);
	ret = kd_wait(c);
	CHECK(ret == 0 || ret == -EIO);
	CHECK_EQ(kd_umount(kd, 0), 0);
}

static void wrong_lengths(void)
{
	static const size_t lengths[] = {
		0, 1, 8, 40, FUSE_COMPAT_ENTRY_OUT_SIZE, sizeof(struct fuse_entry_out) - 1,
		sizeof(struct fuse_entry_out) + 1, 4096,
	};
	struct kd *kd = kd_new();
	struct kd_node *f = kd_file(kd, 2, 10);
	struct fuse_entry_out out = kd_entry(f);
	uint8_t body[4096] = { 0 };

	memcpy(body, &out, sizeof(out));
	for (size_t i = 0; i < sizeof(lengths) / sizeof(lengths[0]); i++) {
		struct kd_call *c = kd_call_stat(kd, "f", NULL);
		struct kd_req *r = expect_lookup(kd, FUSE_ROOT_ID, "f");

		CHECK_EQ(kd_try_reply(r, 0, body, lengths[i]), -EINVAL);
		kd_finish(c, -EIO);
	}
}

/* A daemon that gives a lookup and unmounts: nothing is owed. */
static void umount_with_cached_entries(void)
{
	struct kd *kd = kd_new();

	kd_add_file(kd, "f", 2, 10);
	kd_add_dir(kd, "d", 3);
	kd_finish(kd_call_stat(kd, "f", NULL), 0);
	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	kd_stop(kd);
	CHECK_EQ(kd->count[FUSE_FORGET] + kd->count[FUSE_BATCH_FORGET], 0);
}

static const struct kernel_case cases[] = {
	CASE("lookup/positive-is-cached", positive_is_cached),
	CASE("lookup/negative-is-cached", negative_is_cached),
	CASE("lookup/negative-without-timeout-is-not", negative_without_timeout_is_not),
	CASE("lookup/enoent-is-not-cached", enoent_is_not_cached),
	CASE("lookup/negative-becomes-a-file", negative_becomes_a_file),
	CASE("lookup/negative-is-created", negative_is_created),
	CASE("lookup/timeout-in-nanoseconds", timeout_in_nanoseconds),
	CASE("lookup/odd-timeouts", odd_timeouts),
	CASE("lookup/expired-brings-attributes", expired_brings_attributes),
	CASE("lookup/expired-and-gone", expired_and_gone),
	CASE("lookup/expired-and-replaced", expired_and_replaced),
	CASE("lookup/expired-and-error", expired_and_error),
	CASE("lookup/expired-and-interrupted", expired_and_interrupted),
	CASE("lookup/estale-is-tried-twice", estale_is_tried_twice),
	CASE("lookup/errors-reach-the-caller", errors_reach_the_caller),
	CASE("lookup/walks-a-path", walks_a_path),
	CASE("lookup/file-is-no-directory", file_is_no_directory),
	CASE("lookup/same-node-by-two-names", same_node_by_two_names),
	CASE("lookup/directory-moves", directory_moves),
	CASE("lookup/directory-in-itself", directory_in_itself),
	CASE("lookup/long-names-pass", long_names_pass),
	CASE("lookup/longer-names-do-not", longer_names_do_not),
	CASE("lookup/bytes-pass-as-they-are", bytes_pass_as_they_are),
	CASE("lookup/caller-is-in-the-header", caller_is_in_the_header),
	CASE("lookup/others-do-not-get-in", others_do_not_get_in),
	CASE("lookup/modes-hold-with-default-permissions", modes_hold_with_default_permissions),
	CASE("lookup/denial-asks-for-the-mode", denial_asks_for_the_mode),
	CASE("lookup/modes-do-not-hold-without", modes_do_not_hold_without),
	CASE("lookup/one-name-is-asked-once", one_name_is_asked_once),
	CASE("lookup/parallel-when-negotiated", parallel_when_negotiated),
	CASE("lookup/serial-when-not", serial_when_not),
	CASE("lookup/answer-for-the-dead-is-forgotten", answer_for_the_dead_is_forgotten),
	CASE("lookup/new-generation-is-a-new-file", new_generation_is_a_new_file),
	CASE("lookup/same-node-other-type", same_node_other_type),
	CASE("lookup/large-node-ids", large_node_ids),
	CASE("lookup/node-ids-differ-in-high-half", node_ids_differ_in_high_half),
	CASE("lookup/every-answer-counts", every_answer_counts),
	CASE("lookup/counts-start-again", counts_start_again),
	CASE("lookup/hostile-types", hostile_types),
	CASE("lookup/hostile-sizes", hostile_sizes),
	CASE("lookup/largest-size-passes", largest_size_passes),
	CASE("lookup/hostile-fields", hostile_fields),
	CASE("lookup/root-is-no-entry", root_is_no_entry),
	CASE("lookup/hostile-roots", hostile_roots),
	CASE("lookup/wrong-lengths", wrong_lengths),
	CASE("lookup/umount-with-cached-entries", umount_with_cached_entries),
};
KERNEL_CASES(cases);
