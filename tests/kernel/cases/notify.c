// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * notify.c: what the daemon sends unasked: about nodes and names that are known or not,
 * in use, being looked up, or on a mount that is going.
 */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/sysmacros.h>
#include "around.h"

#define PAGE 4096

static dev_t makedev_of(const struct kd *kd)
{
	return makedev(kd->conn >> 20, kd->conn & 0xfffff);
}

/* d/f, nodes 2 and 3, both looked up. */
static struct kd *known(void)
{
	struct kd *kd = kd_new();

	kd_add_dir(kd, "d", 2);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_finish(kd_call_stat(kd, "d/f", NULL), 0);
	return kd;
}

/* The next stat of @path asks once, with @opcode about @nodeid. */
#define asks(...) (kd_at(__FILE__, __LINE__), (asks)(__VA_ARGS__))
static void (asks)(struct kd *kd, const char *path, uint32_t opcode, uint64_t nodeid)
{
	uint32_t before = kd->count[opcode];
	struct kd_call *c = kd_call_stat(kd, path, NULL);
	struct kd_req *r;

	kd_manual(kd, opcode);
	r = (kd_expect)(kd, opcode, nodeid);
	kd_auto(kd, opcode);
	if (!kd_serve(r))
		kd_fail(kd, "nobody to answer %s", kd_opcode_name(opcode));
	(kd_finish)(c, 0);
	kd_finish(kd_call_stat(kd, path, NULL), 0);
	CHECK_EQ(kd->count[opcode], before + 1);
}

static void asks_nothing(struct kd *kd, const char *path)
{
	size_t before = kd->trace_count;

	kd_finish(kd_call_stat(kd, path, NULL), 0);
	CHECK_EQ(kd->trace_count, before);
}

/* ---- nodes ------------------------------------------------------------------------ */

static void unknown_nodes(void)
{
	static const uint64_t unknown[] = { 0, 99, UINT64_MAX, 1ull << 32 | 3 };
	struct kd *kd = known();

	for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
		CHECK_EQ(kd_notify_inval_inode(kd, unknown[i], 0, 0), -ENOENT);
		CHECK_EQ(kd_notify_inval_inode(kd, unknown[i], -1, 0), -ENOENT);
		CHECK_EQ(kd_notify_inval_entry(kd, unknown[i], "f", 0), -ENOENT);
		CHECK_EQ(kd_notify_inval_entry(kd, unknown[i], "f", FUSE_EXPIRE_ONLY), -ENOENT);
		CHECK_EQ(kd_notify_delete(kd, unknown[i], 3, "f"), -ENOENT);
	}
	asks_nothing(kd, "d/f");
}

static void inode_of_a_file(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_notify_inval_inode(kd, 3, -1, 0), 0);
	asks(kd, "d/f", FUSE_GETATTR, 3);
}

static void inode_of_a_directory(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_notify_inval_inode(kd, 2, 0, 0), 0);
	asks(kd, "d", FUSE_GETATTR, 2);
	CHECK_EQ(kd_notify_inval_inode(kd, 2, 4096, 4096), 0);
	asks(kd, "d", FUSE_GETATTR, 2);
}

static void inode_of_the_root(void)
{
	struct kd *kd = known();

	kd_finish(kd_call_stat(kd, "", NULL), 0);
	asks_nothing(kd, "");
	CHECK_EQ(kd_notify_inval_inode(kd, FUSE_ROOT_ID, 0, 0), 0);
	asks(kd, "", FUSE_GETATTR, FUSE_ROOT_ID);
}

static void inode_of_special_files(void)
{
	struct kd *kd = kd_new();

	kd_add(kd, 1, "p", kd_node_new(kd, 2, S_IFIFO | 0644, 0));
	kd_add(kd, 1, "s", kd_node_new(kd, 3, S_IFSOCK | 0644, 0));
	kd_add(kd, 1, "c", kd_node_new(kd, 4, S_IFCHR | 0644, 0));
	kd_add(kd, 1, "l", kd_node_new(kd, 5, S_IFLNK | 0777, 3));
	for (uint64_t id = 2; id <= 5; id++) {
		static const char *const names[] = { "p", "s", "c", "l" };

		kd_finish(kd_call_stat(kd, names[id - 2], NULL), 0);
		CHECK_EQ(kd_notify_inval_inode(kd, id, 0, 0), 0);
		asks(kd, names[id - 2], FUSE_GETATTR, id);
	}
}

/* Ranges of any kind; what is cached goes, what is not there matters not. */
static void odd_ranges(void)
{
	static const int64_t ranges[][2] = {
		{ 0, 0 }, { 0, -1 }, { 0, INT64_MAX }, { INT64_MAX, 1 }, { INT64_MAX, INT64_MAX }, { INT64_MIN, 0 }, { 5, INT64_MIN },
		{ 1ll << 40, 10 },
	};
	struct kd *kd = known();

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++)
		CHECK_EQ(kd_notify_inval_inode(kd, 3, ranges[i][0], ranges[i][1]), 0);
	asks(kd, "d/f", FUSE_GETATTR, 3);
}

/* An answer that was under way says nothing any more. */
static void inode_during_getattr(void)
{
	struct kd *kd = known();
	struct kd_call *c;
	struct kd_req *r;

	CHECK_EQ(kd_notify_inval_inode(kd, 3, -1, 0), 0);
	c = kd_call_stat(kd, "d/f", NULL);
	r = kd_expect(kd, FUSE_GETATTR, 3);
	CHECK_EQ(kd_notify_inval_inode(kd, 3, -1, 0), 0);
	kd_reply_attr(r, kd_node(kd, 3));
	kd_finish(c, 0);
	asks(kd, "d/f", FUSE_GETATTR, 3);
}

/* A mapped page goes from under its users, who read it again. */
static void inode_that_is_mapped(void)
{
	struct kd *kd = kd_new();
	volatile uint8_t *map;
	struct kd_req *r;
	struct kd_call *c;
	int fd;

	kd_add_file(kd, "f", 2, 1);
	fd = kd_opened(kd, "f", O_RDONLY, 0);
	map = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
	c = kd_call_touch(kd, map, false);
	kd_reply(kd_expect(kd, FUSE_READ, 2), "a", 1);
	kd_finish(c, 0);
	CHECK_EQ(*map, 'a');
	CHECK_EQ(kd_notify_inval_inode(kd, 2, 0, 0), 0);
	c = kd_call_touch(kd, map, false);
	r = kd_expect(kd, FUSE_READ, 2);
	kd_reply(r, "b", 1);
	kd_finish(c, 0);
	CHECK_EQ(*map, 'b');
}

/* ---- names ---------------------------------------------------------------------------- */

static void entry_of_a_file(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_notify_inval_entry(kd, 2, "f", 0), 0);
	asks(kd, "d/f", FUSE_LOOKUP, 2);
	kd_check_balance(kd);
}

static void entry_of_a_directory_with_children(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_notify_inval_entry(kd, 1, "d", 0), 0);
	/* what is below went with it */
	kd_no_request(kd, 20);
	CHECK_EQ(kd_node(kd, 3)->forgotten, 1);
	kd_finish(kd_call_stat(kd, "d/f", NULL), 0);
	CHECK_EQ(kd->count[FUSE_LOOKUP], 4);
	kd_check_balance(kd);
}

static void entry_that_is_not_cached(void)
{
	struct kd *kd = known();
	int ret;

	CHECK_EQ(kd_notify_inval_entry(kd, 1, "x", 0), -ENOENT);
	CHECK_EQ(kd_notify_inval_entry(kd, 2, "x", FUSE_EXPIRE_ONLY), -ENOENT);
	CHECK_EQ(kd_notify_delete(kd, 2, 3, "x"), -ENOENT);
	/* a file has no names in it (newer modules say so) */
	ret = kd_notify_inval_entry(kd, 3, "f", 0);
	CHECK(ret == -ENOENT || ret == -ENOTDIR);
	ret = kd_notify_delete(kd, 3, 3, "f");
	CHECK(ret == -ENOENT || ret == -ENOTDIR);
	asks_nothing(kd, "d/f");
}

static void negative_entry(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "x", NULL);

	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, 1), 3600);
	kd_finish(c, -ENOENT);
	kd_finish(kd_call_stat(kd, "x", NULL), -ENOENT);
	CHECK_EQ(kd_notify_inval_entry(kd, 1, "x", 0), 0);
	c = kd_call_stat(kd, "x", NULL);
	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, 1), 3600);
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd_notify_inval_entry(kd, 1, "x", FUSE_EXPIRE_ONLY), 0);
	c = kd_call_stat(kd, "x", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* Only expired: it is asked for once more, and nothing is forgotten. */
static void expired_entry(void)
{
	struct kd *kd = known();
	int fd = kd_opened(kd, "d/f", O_RDONLY, 0);

	CHECK_EQ(kd_notify_inval_entry(kd, 2, "f", FUSE_EXPIRE_ONLY), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->count[FUSE_FORGET], 0);
	asks(kd, "d/f", FUSE_LOOKUP, 2);
	CHECK_EQ(kd->count[FUSE_FORGET], 0);
	kd_finish(kd_call_close(kd, fd), 0);
	kd_check_balance(kd);
}

/* An expired directory keeps what is in it and mounted on it. */
static void expired_mount_point(void)
{
	struct kd *kd = known();
	struct stat st;

	CHECK_EQ(mount("none", kd_path(kd, "d"), "tmpfs", 0, NULL), 0);
	CHECK_EQ(kd_notify_inval_entry(kd, 1, "d", FUSE_EXPIRE_ONLY), 0);
	kd_finish(kd_call_stat(kd, "d", &st), 0);
	CHECK(makedev_of(kd) != st.st_dev);
	CHECK_EQ(umount(kd_path(kd, "d")), 0);
	asks_nothing(kd, "d/f");
}

/* An invalidated one is unmounted from. */
static void invalidated_mount_point(void)
{
	struct kd *kd = known();
	struct stat st;

	CHECK_EQ(mount("none", kd_path(kd, "d"), "tmpfs", 0, NULL), 0);
	CHECK_EQ(kd_notify_inval_entry(kd, 1, "d", 0), 0);
	kd_finish(kd_call_stat(kd, "d", &st), 0);
	CHECK_EQ(st.st_dev, makedev_of(kd));
}

static void names_of_every_length(void)
{
	static char name[1100];
	struct fuse_notify_inval_entry_out out = { .parent = 1 };
	uint8_t body[sizeof(out) + sizeof(name)] = { 0 };
	struct kd *kd = kd_new();

	memset(name, 'x', sizeof(name));
	for (unsigned int len = 0; len <= 1026; len += len < 3 || len > 1020 ? 1 : 100) {
		int want = len > 1024 ? -ENAMETOOLONG : -ENOENT;

		out.namelen = len;
		memcpy(body, &out, sizeof(out));
		memset(body + sizeof(out), 'x', len);
		body[sizeof(out) + len] = '\0';
		CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_ENTRY, body, sizeof(out) + len + 1), want);
	}
}

static void wrong_lengths(void)
{
	struct fuse_notify_inval_inode_out inode = { .ino = 3, .off = 0 };
	uint8_t entry[sizeof(struct fuse_notify_inval_entry_out) + 8] = { 0 }, longer[40] = { 0 };
	struct fuse_notify_inval_entry_out *out = (void *)entry;
	struct kd *kd = known();

	memcpy(longer, &inode, sizeof(inode));
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_INODE, &inode, sizeof(inode) - 1), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_INODE, longer, sizeof(inode) + 1), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_INODE, NULL, 0), -EINVAL);
	out->parent = 2;
	out->namelen = 1;
	entry[sizeof(*out)] = 'f';
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_ENTRY, entry, sizeof(*out) + 1), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_ENTRY, entry, sizeof(*out) + 3), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_ENTRY, entry, sizeof(*out) - 1), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_INVAL_ENTRY, NULL, 0), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_DELETE, entry, sizeof(struct fuse_notify_delete_out) - 1), -EINVAL);
	CHECK_EQ(kd_notify(kd, FUSE_NOTIFY_DELETE, NULL, 0), -EINVAL);
	asks_nothing(kd, "d/f");
}

/* ---- removed at the daemon ----------------------------------------------------------------- */

static void deleted_file(void)
{
	struct kd *kd = known();
	struct kd_call *c;

	CHECK_EQ(kd_notify_delete(kd, 2, 3, "f"), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd_node(kd, 3)->forgotten, 1);
	kd->name_count = 1;
	c = kd_call_stat(kd, "d/f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 2), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* Whoever has it open keeps it. */
static void deleted_open_file(void)
{
	struct kd *kd = known();
	int fd = kd_opened(kd, "d/f", O_RDONLY, 0);
	struct kd_call *c;
	struct stat st;

	CHECK_EQ(kd_notify_delete(kd, 2, 3, "f"), 0);
	kd_no_request(kd, 20);
	CHECK_EQ(kd->count[FUSE_FORGET], 0);
	kd_finish(kd_call_fstat(kd, fd, &st), 0);
	CHECK_EQ(st.st_nlink, 0);
	c = kd_call_close(kd, fd);
	kd_expect(kd, FUSE_FORGET, 3);
	kd_finish(c, 0);
}

static void deleted_and_another_node(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_notify_delete(kd, 2, 99, "f"), -ENOENT);
	asks(kd, "d/f", FUSE_LOOKUP, 2);
	kd_check_balance(kd);
}

static void deleted_directory(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int fd;

	kd_add_dir(kd, "d", 2);
	fd = kd_opened(kd, "d", O_RDONLY | O_DIRECTORY, 0);
	CHECK_EQ(kd_notify_delete(kd, 1, 2, "d"), 0);
	/* nothing can be made in it any more */
	c = kd_sys(kd, SYS_mkdirat, fd, (long)"new", 0755);
	kd_finish(c, -ENOENT);
}

/* Somebody has what is in it open. */
static void deleted_directory_that_is_not_empty(void)
{
	struct kd *kd = known();
	int fd = kd_opened(kd, "d/f", O_RDONLY, 0);

	CHECK_EQ(kd_notify_delete(kd, 1, 2, "d"), -ENOTEMPTY);
	kd_finish(kd_call_close(kd, fd), 0);
}

/* What is mounted there goes, as with any other name that is found to be gone. */
static void deleted_mount_point(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c;
	int ret;

	kd_add_dir(kd, "d", 2);
	kd_finish(kd_call_stat(kd, "d", NULL), 0);
	CHECK_EQ(mount("none", kd_path(kd, "d"), "tmpfs", 0, NULL), 0);
	ret = kd_notify_delete(kd, 1, 2, "d");
	CHECK_EQ(ret, 0);
	kd->name_count = 0;
	c = kd_call_stat(kd, "d", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

static void deleted_negative(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "x", NULL);

	kd_reply_negative(kd_expect(kd, FUSE_LOOKUP, 1), 3600);
	kd_finish(c, -ENOENT);
	CHECK_EQ(kd_notify_delete(kd, 1, 2, "x"), 0);
	c = kd_call_stat(kd, "x", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
}

/* ---- other codes ------------------------------------------------------------------------------ */

static void unknown_codes(void)
{
	static const int codes[] = { 0, 60, 0x7fffffff, -1, -4 };
	struct kd *kd = kd_new();
	uint64_t body[8] = { 0 };

	for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		CHECK_EQ(kd_notify(kd, codes[i], NULL, 0), -EINVAL);
		CHECK_EQ(kd_notify(kd, codes[i], body, sizeof(body)), -EINVAL);
	}
}

static void poll_is_not_taken(void)
{
	struct fuse_notify_poll_wakeup_out out = { .kh = 1 };

	CHECK_EQ(kd_notify(kd_new(), FUSE_NOTIFY_POLL, &out, sizeof(out)), -EINVAL);
}

static void store_is_not_taken(void)
{
	CHECK_EQ(kd_notify_store(known(), 3, 0, "0123456789", 10), -EINVAL);
}

static void retrieve_is_not_taken(void)
{
	CHECK_EQ(kd_notify_retrieve(known(), 1, 3, 0, 10), -EINVAL);
}

/* ---- when ------------------------------------------------------------------------------------- */

struct sent {
	struct kd *kd;
	int (*send)(struct kd *kd);
};

static long do_send(void *arg)
{
	struct sent *s = arg;

	return s->send(s->kd);
}

static int send_inval_f(struct kd *kd)
{
	return kd_notify_inval_entry(kd, 1, "f", 0);
}

static int send_delete_f(struct kd *kd)
{
	return kd_notify_delete(kd, 1, 2, "f");
}

/* About a name that is being looked up: it waits for the answer, and that goes. */
static void check_during_lookup(int (*send)(struct kd *kd))
{
	struct kd *kd = kd_new();
	struct sent s = { .kd = kd, .send = send };
	struct kd_call *c = kd_call_stat(kd, "f", NULL), *n;
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	n = kd_call(kd, do_send, &s);
	kd_check_blocked(n);
	kd_reply_entry(r, kd_file(kd, 2, 10));
	kd_finish(c, 0);
	kd_finish(n, 0);
	c = kd_call_stat(kd, "f", NULL);
	kd_reply_error(kd_expect(kd, FUSE_LOOKUP, 1), -ENOENT);
	kd_finish(c, -ENOENT);
	kd_check_balance(kd);
}

static void entry_during_its_lookup(void)
{
	check_during_lookup(send_inval_f);
}

static void delete_during_its_lookup(void)
{
	check_during_lookup(send_delete_f);
}

/* The node that a LOOKUP under way will bring is not known yet. */
static void inode_during_its_lookup(void)
{
	struct kd *kd = kd_new();
	struct kd_call *c = kd_call_stat(kd, "f", NULL);
	struct kd_req *r = kd_expect(kd, FUSE_LOOKUP, 1);

	CHECK_EQ(kd_notify_inval_inode(kd, 2, 0, 0), -ENOENT);
	kd_reply_entry(r, kd_file(kd, 2, 10));
	kd_finish(c, 0);
	asks_nothing(kd, "f");
}

static void after_the_end(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_umount(kd, 0), 0);
	CHECK_EQ(kd_notify_inval_inode(kd, 3, 0, 0), -ENOENT);
	CHECK_EQ(kd_notify_inval_entry(kd, 2, "f", 0), -ENOENT);
	CHECK_EQ(kd_notify_delete(kd, 2, 3, "f"), -ENOENT);
}

/* Aborted, but still mounted: what is cached can still be taken from it. */
static void after_an_abort(void)
{
	struct kd *kd = known();

	CHECK_EQ(kd_ctl_write(kd, "abort", "1"), 0);
	CHECK_EQ(kd_notify_inval_inode(kd, 3, 0, 0), 0);
	CHECK_EQ(kd_notify_inval_entry(kd, 2, "f", 0), 0);
	kd_finish(kd_call_stat(kd, "d/f", NULL), -ENOTCONN);
}

static void before_init(void)
{
	struct kd *kd = kd_new(.no_init = true);

	CHECK_EQ(kd_notify_inval_inode(kd, 3, 0, 0), -ENOENT);
	CHECK_EQ(kd_notify_inval_entry(kd, 1, "f", 0), -ENOENT);
	kd_init(kd);
	asks(kd, "", FUSE_GETATTR, FUSE_ROOT_ID);
}

/* ---- races --------------------------------------------------------------------------------------- */

#define ROUNDS 15
#define THREADS 2

static volatile bool stop;

/* Everything that can be said, until told to stop; only these answers may come. */
static long send_many(void *arg)
{
	struct kd *kd = arg;

	while (!stop) {
		int ret[5] = {
			kd_notify_inval_inode(kd, 1 + (uint64_t)rand() % 4, 0, 0),
			kd_notify_inval_entry(kd, 2, "f", 0),
			kd_notify_inval_entry(kd, 1, "d", FUSE_EXPIRE_ONLY),
			kd_notify_delete(kd, 2, 3, "f"),
			kd_notify_inval_entry(kd, 1, "d", 0),
		};

		for (size_t i = 0; i < 5; i++)
			if (ret[i] != 0 && ret[i] != -ENOENT && ret[i] != -ENOTEMPTY && ret[i] != -EBUSY)
				return ret[i];
		sched_yield();
	}
	return 0;
}

static void race_round(const char *type, int flags, int round)
{
	struct kd_call *senders[THREADS];
	struct kd *kd = kd_new(.type = type);
	int ret;

	kd_add_dir(kd, "d", 2);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_auto(kd, FUSE_GETATTR);
	stop = false;
	for (int i = 0; i < THREADS; i++)
		senders[i] = kd_call(kd, send_many, kd);
	for (int i = 0; i < 3; i++)
		kd_wait(kd_call_stat(kd, "d/f", NULL));
	usleep((useconds_t)(round * 97 % 1000));
	ret = (int)kd_umount(kd, flags);
	CHECK(ret == 0);
	usleep(500);
	stop = true;
	for (int i = 0; i < THREADS; i++)
		CHECK_EQ(around_result(kd, senders[i]), 0);
	kd_die(kd);
}

static void against_umount(void)
{
	for (int i = 0; i < ROUNDS; i++)
		race_round("fuse", 0, i);
}

static void against_umount_of_fuseblk(void)
{
	for (int i = 0; i < ROUNDS; i++)
		race_round("fuseblk", 0, i);
}

static void against_forced_umount(void)
{
	for (int i = 0; i < ROUNDS; i++)
		race_round("fuse", MNT_FORCE, i);
}

/* While names are looked up, opened and dropped all the time. */
static void against_lookups(void)
{
	struct kd_call *senders[THREADS];
	struct kd *kd = kd_new(.flags = FUSE_PARALLEL_DIROPS);
	struct kd_call *c;

	kd_add_dir(kd, "d", 2);
	kd_add(kd, 2, "f", kd_file(kd, 3, 10));
	kd_auto(kd, FUSE_OPEN);
	kd_auto(kd, FUSE_READ);
	kd_auto(kd, FUSE_GETATTR);
	stop = false;
	for (int i = 0; i < THREADS; i++)
		senders[i] = kd_call(kd, send_many, kd);
	for (int i = 0; i < 60; i++) {
		char byte;
		long fd;

		kd_wait(kd_call_stat(kd, "d/f", NULL));
		fd = kd_wait(kd_call_open(kd, "d/f", O_RDONLY, 0));
		if (fd < 0)
			continue;
		CHECK_EQ(kd_wait(kd_call_read(kd, (int)fd, &byte, 1)), 1);
		c = kd_call_close(kd, (int)fd);
		kd_finish(c, 0);
	}
	stop = true;
	for (int i = 0; i < THREADS; i++)
		kd_finish(senders[i], 0);
	kd_check_balance(kd);
}

static const struct kernel_case cases[] = {
	CASE("notify/unknown-nodes", unknown_nodes),
	CASE("notify/inode-of-a-file", inode_of_a_file),
	CASE("notify/inode-of-a-directory", inode_of_a_directory),
	CASE("notify/inode-of-the-root", inode_of_the_root),
	CASE("notify/inode-of-special-files", inode_of_special_files),
	CASE("notify/odd-ranges", odd_ranges),
	CASE("notify/inode-during-getattr", inode_during_getattr),
	CASE("notify/inode-that-is-mapped", inode_that_is_mapped),
	CASE("notify/entry-of-a-file", entry_of_a_file),
	CASE("notify/entry-of-a-directory-with-children", entry_of_a_directory_with_children),
	CASE("notify/entry-that-is-not-cached", entry_that_is_not_cached),
	CASE("notify/negative-entry", negative_entry),
	CASE("notify/expired-entry", expired_entry),
	CASE("notify/expired-mount-point", expired_mount_point),
	CASE("notify/invalidated-mount-point", invalidated_mount_point),
	CASE("notify/names-of-every-length", names_of_every_length),
	CASE("notify/wrong-lengths", wrong_lengths),
	CASE("notify/deleted-file", deleted_file),
	CASE("notify/deleted-open-file", deleted_open_file),
	CASE("notify/deleted-and-another-node", deleted_and_another_node),
	CASE("notify/deleted-directory", deleted_directory),
	CASE("notify/deleted-directory-that-is-not-empty", deleted_directory_that_is_not_empty),
	CASE("notify/deleted-mount-point", deleted_mount_point),
	CASE("notify/deleted-negative", deleted_negative),
	CASE("notify/unknown-codes", unknown_codes),
	CASE("notify/poll-is-not-taken", poll_is_not_taken, differs(stock, "poll(2) is not forwarded: no POLL notifications")),
	CASE("notify/store-is-not-taken", store_is_not_taken, differs(stock, "no notification but invalidation is taken yet: STORE")),
	CASE("notify/retrieve-is-not-taken", retrieve_is_not_taken,
	     differs(stock, "no notification but invalidation is taken yet: RETRIEVE")),
	CASE("notify/entry-during-its-lookup", entry_during_its_lookup),
	CASE("notify/delete-during-its-lookup", delete_during_its_lookup),
	CASE("notify/inode-during-its-lookup", inode_during_its_lookup),
	CASE("notify/after-the-end", after_the_end),
	CASE("notify/after-an-abort", after_an_abort),
	CASE("notify/before-init", before_init),
	CASE("notify/against-umount", against_umount),
	CASE("notify/against-umount-of-fuseblk", against_umount_of_fuseblk),
	CASE("notify/against-forced-umount", against_forced_umount),
	CASE("notify/against-lookups", against_lookups),
};
KERNEL_CASES(cases);
