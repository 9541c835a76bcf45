// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_faults.c: every read, write, flush and allocation of a short
 * session on FAT fails once.  Each call is answered with success or with an
 * error that fits, a failed write or flush is told to somebody, what fsync
 * had promised stays, and the volume has at worst lost clusters: our strict
 * reader of the power-cut sweep finds nothing else, and fsck.fat -a repairs it.
 *
 * Allocations are those of the daemon's threads (--wrap in the build).
 * FAULT_STEP=N tries every Nth place only, FAULT_VERBOSE=1 tells every error.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include "../crash/fat_tree.h"
#include "../lib/fakekernel.h"
#include "../lib/image.h"

#define NAMES 24
#define KEPT 4096u			/* bytes of the files that are synced */

extern const struct fuseblk_driver fat_driver;

/* ---- allocations ------------------------------------------------------------------- */

/* Whether a thread's allocations count; threads take it from who makes them. */
struct tag {
	_Atomic bool counts;
	void *(*start)(void *arg);
	void *arg;
};

static _Thread_local struct tag *my_tag;
static struct tag *last_tag;		/* of the thread that the test made last */
static _Atomic bool armed;
static _Atomic unsigned long allocations, failing;

void *__real_malloc(size_t size);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t size);
void *__real_reallocarray(void *p, size_t n, size_t size);
int __real_posix_memalign(void **p, size_t align, size_t size);
void *__real_aligned_alloc(size_t align, size_t size);
char *__real_strdup(const char *text);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);
void *__wrap_malloc(size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t size);
void *__wrap_reallocarray(void *p, size_t n, size_t size);
int __wrap_posix_memalign(void **p, size_t align, size_t size);
void *__wrap_aligned_alloc(size_t align, size_t size);
char *__wrap_strdup(const char *text);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg);

static bool fails(void)
{
	if (!atomic_load(&armed) || !my_tag || !atomic_load(&my_tag->counts))
		return false;
	if (atomic_fetch_add(&allocations, 1) + 1 != atomic_load(&failing))
		return false;
	errno = ENOMEM;
	return true;
}

void *__wrap_malloc(size_t size)
{
	return fails() ? NULL : __real_malloc(size);
}

void *__wrap_calloc(size_t n, size_t size)
{
	return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t size)
{
	return fails() ? NULL : __real_realloc(p, size);
}

void *__wrap_reallocarray(void *p, size_t n, size_t size)
{
	return fails() ? NULL : __real_reallocarray(p, n, size);
}

int __wrap_posix_memalign(void **p, size_t align, size_t size)
{
	return fails() ? ENOMEM : __real_posix_memalign(p, align, size);
}

void *__wrap_aligned_alloc(size_t align, size_t size)
{
	return fails() ? NULL : __real_aligned_alloc(align, size);
}

char *__wrap_strdup(const char *text)
{
	return fails() ? NULL : __real_strdup(text);
}

static void *tagged_main(void *arg)
{
	struct tag *tag = arg;
	void *result;

	my_tag = tag;
	result = tag->start(tag->arg);
	my_tag = NULL;
	free(tag);
	return result;
}

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, void *(*start)(void *), void *arg)
{
	struct tag *tag = __real_calloc(1, sizeof(*tag));
	int err;

	if (!tag)
		return EAGAIN;
	tag->start = start;
	tag->arg = arg;
	atomic_store(&tag->counts, !my_tag || atomic_load(&my_tag->counts));
	err = __real_pthread_create(thread, attr, tagged_main, tag);
	if (err)
		free(tag);
	else if (!my_tag)
		last_tag = tag;
	return err;
}

/* ---- the device as the session sees it ------------------------------------------------------- */

enum { SPY_READ, SPY_WRITE, SPY_FLUSH };
static _Atomic unsigned long seen[3];	/* operations, since it was opened */
static _Atomic bool seen_error;
static _Atomic bool in_rename;		/* which can go without the copy that failed */

struct spy {
	struct fb_device dev;
	struct fb_device *lower;	/* the one with the faults */
};

static int see(int kind, int err)
{
	atomic_fetch_add(&seen[kind], 1);
	if (err && !atomic_load(&in_rename))
		atomic_store(&seen_error, true);
	return err;
}

static struct fb_device *lower_of(struct fb_device *dev)
{
	return ((struct spy *)dev)->lower;
}

static int spy_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	return see(SPY_READ, fb_device_read(lower_of(dev), buf, len, off));
}

static int spy_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	return see(SPY_WRITE, fb_device_write(lower_of(dev), buf, len, off));
}

static int spy_flush(struct fb_device *dev)
{
	return see(SPY_FLUSH, fb_device_flush(lower_of(dev)));
}

static void spy_close(struct fb_device *dev)
{
	fb_device_close(lower_of(dev));
	free(dev);
}

static struct fb_device *spy_on(struct fb_device *lower)
{
	static const struct fb_device_ops ops = {
		.read = spy_read, .write = spy_write, .flush = spy_flush, .close = spy_close,
	};
	struct spy *spy = __real_calloc(1, sizeof(*spy));

	assert_non_null(spy);
	spy->dev = (struct fb_device){ .ops = &ops, .size = lower->size, .sector = lower->sector, .align = lower->align };
	spy->lower = lower;
	for (int i = 0; i < 3; i++)
		atomic_store(&seen[i], 0);
	atomic_store(&seen_error, false);
	return &spy->dev;
}

/* ---- the volume ---------------------------------------------------------------------------- */

static const struct shape {
	const char *name, *mkfs;
	uint64_t size;
} shapes[] = {
	{ "FAT12", "-F 12 -s 1", 1440u << 10 },
	{ "FAT16", "-F 16 -s 1", 2400u << 10 },
	{ "FAT32", "-F 32 -s 1", 2400u << 10 },
};

enum fault { FAULT_READ, FAULT_WRITE, FAULT_TEAR, FAULT_GONE, FAULT_FLUSH, FAULT_ALLOCATION };
static const char *const fault_names[] = { "read", "write", "torn write", "device gone", "flush", "allocation" };

struct run {
	struct image *base, *image;	/* base: as mkfs.fat made it */
	struct fb_device *device;
	struct fk *fk;
	enum fault kind;
	unsigned long nth;		/* 0: none */
	int error;			/* the first that a call gave */
	bool kept[NAMES];		/* fsync said so */
	bool moved;			/* a rename that DESIGN excepts is not known to be durable */
	char where[80];
};

static int with_file(struct image *image, const char *format, const char *options)
{
	char path[] = "/dev/shm/fatfaults.XXXXXX", line[300];
	int fd = mkstemp(path), status;

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, image_bytes(image), image_size(image), 0), image_size(image));
	snprintf(line, sizeof(line), "PATH=$PATH:/usr/sbin:/sbin; %s %s %s >%s.log 2>&1", format, options, path, path);
	status = system(line);
	status = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
	assert_int_equal(pread(fd, image_bytes(image), image_size(image), 0), image_size(image));
	snprintf(line, sizeof(line), "%s %s.log; rm -f %s %s.log", status > 1 ? "cat" : ":", path, path, path);
	if (system(line))
		print_message("%s stays\n", path);
	close(fd);
	return status;
}

static struct image *format_volume(const struct shape *s)
{
	void *zeros = calloc(1, s->size);
	struct image *image = image_of_bytes(zeros, s->size);

	free(zeros);
	assert_int_equal(with_file(image, "mkfs.fat -a", s->mkfs), 0);
	return image;
}

/* ---- what the session does ------------------------------------------------------------------- */

/* An error that a failure of a device or of memory may give, or that follows from one. */
static int took(struct run *run, const char *what, int err)
{
	static const int fit[] = { -EIO, -ENOMEM, -EROFS };

	if (err >= 0)
		return err;
	if (getenv("FAULT_VERBOSE"))
		print_message("%s: %s: %s\n", run->where, what, strerror(-err));
	if (!run->error)
		run->error = err;
	for (size_t i = 0; i < sizeof(fit) / sizeof(fit[0]); i++)
		if (err == fit[i])
			return err;
	fail_msg("%s: %s gives %s", run->where, what, strerror(-err));
	return err;
}

static uint64_t make(struct run *run, uint64_t dir, const char *name, bool is_dir)
{
	struct fuse_entry_out e;
	int err;

	if (!dir)
		return 0;
	err = is_dir ? fk_mkdir(run->fk, dir, name, 0755, &e) : fk_create(run->fk, dir, name, 0644, O_RDWR, &e, NULL);
	return took(run, name, err) ? 0 : e.nodeid;
}

/* @len bytes that say whose they are. */
static void fill(struct run *run, uint64_t node, unsigned mark, uint64_t off, uint32_t len)
{
	static uint8_t bytes[64 << 10];

	if (!node)
		return;
	memset(bytes, (int)mark, sizeof(bytes));
	while (len) {
		uint32_t n = len < sizeof(bytes) ? len : (uint32_t)sizeof(bytes);

		if (took(run, "write", (int)fk_write(run->fk, node, off, bytes, n, 0)) < 0)
			return;
		off += n;
		len -= n;
	}
}

static void keep(struct run *run, uint64_t node, unsigned i)
{
	if (node && !run->error && !took(run, "fsync", fk_fsync(run->fk, node, false)))
		run->kept[i] = true;
}

static void sync_all(struct run *run)
{
	if (!took(run, "syncfs", fk_syncfs(run->fk)))
		run->moved = false;
}

/* What could not be made is not there. */
static bool is_there(struct run *run, uint64_t dir, const char *name)
{
	struct fuse_entry_out e;
	int err = dir ? fk_lookup(run->fk, dir, name, &e) : -ENOENT;

	if (err == -ENOENT && run->error)
		return false;
	return !took(run, "lookup", err) && e.nodeid;
}

static void rename_(struct run *run, uint64_t from, const char *name, uint64_t to, const char *newname, uint32_t flags)
{
	if (!to || !is_there(run, from, name) || (flags && !is_there(run, to, newname)))
		return;
	atomic_store(&in_rename, true);
	took(run, "rename", fk_rename2(run->fk, from, name, to, newname, flags));
	atomic_store(&in_rename, false);
}

static void use_data(struct run *run, uint64_t dir)
{
	uint64_t a = make(run, dir, "alpha.bin", false), b = make(run, dir, "A long name of bravo.bin", false);

	fill(run, a, 'a', 0, 3000);
	fill(run, b, 'b', 0, 100000);
	fill(run, a, 'a', 3000, 9000);
	sync_all(run);
	fill(run, a, 'a', 12000, 40000);
	if (b) {
		took(run, "truncate", fk_truncate(run->fk, b, 777));
		took(run, "truncate", fk_truncate(run->fk, b, 30000));
		fill(run, b, 'b', 40000, 100);
	}
	if (a)
		took(run, "fallocate", fk_fallocate(run->fk, a, 0, 50000, 30000));
	sync_all(run);
}

static void use_names(struct run *run, uint64_t root, uint64_t dir)
{
	uint64_t c = make(run, root, "charlie.txt", false), d = make(run, dir, "delta with a long name.txt", false);

	fill(run, c, 'c', 0, 5000);
	fill(run, d, 'd', 0, 2000);
	sync_all(run);
	rename_(run, root, "charlie.txt", dir, "charlie has moved.txt", 0);
	rename_(run, dir, "delta with a long name.txt", dir, "DELTA", 0);
	sync_all(run);
	rename_(run, dir, "DELTA", dir, "charlie has moved.txt", 2);
	sync_all(run);
	rename_(run, dir, "DELTA", dir, "charlie has moved.txt", 0);
	sync_all(run);
	run->moved = true;
	make(run, root, "moving", true);
	rename_(run, root, "moving", dir, "moving there", 0);
	sync_all(run);
}

static void fill_directory(struct run *run, uint64_t dir)
{
	char name[64];

	for (unsigned i = 0; i < NAMES; i++) {
		uint64_t node;

		snprintf(name, sizeof(name), "kept file with number %u.txt", i);
		node = make(run, dir, name, false);
		if (i % 6)
			continue;
		fill(run, node, 'A' + i, 0, KEPT);
		keep(run, node, i);
	}
}

static void look_and_remove(struct run *run, uint64_t root, uint64_t dir)
{
	struct fk_dirent *list = NULL;
	struct fuse_kstatfs st;
	char name[64];

	took(run, "statfs", fk_statfs(run->fk, &st));
	if (!dir)
		return;
	took(run, "readdir", (int)fk_list(run->fk, dir, true, &list));
	free(list);
	for (unsigned i = 1; i < NAMES; i += 6) {
		snprintf(name, sizeof(name), "kept file with number %u.txt", i);
		if (is_there(run, dir, name))
			took(run, "unlink", fk_unlink(run->fk, dir, name));
	}
	if (make(run, root, "empty", true))
		took(run, "rmdir", fk_rmdir(run->fk, root, "empty"));
}

static void session_new(struct run *run)
{
	uint64_t dir = make(run, FUSE_ROOT_ID, "A directory", true);

	fill_directory(run, dir);
	use_data(run, dir);
	use_names(run, FUSE_ROOT_ID, dir);
	look_and_remove(run, FUSE_ROOT_ID, dir);
	sync_all(run);
}

#define OLD_FILES 40u
#define OLD_SIZE 2000u

/* What is there before: a directory of several clusters, files that lie mixed. */
static void make_old(struct run *run)
{
	uint64_t dir = make(run, FUSE_ROOT_ID, "old", true), nodes[OLD_FILES];
	char name[40];

	for (unsigned i = 0; i < OLD_FILES; i++) {
		snprintf(name, sizeof(name), "old file with number %u", i);
		nodes[i] = make(run, dir, name, false);
	}
	for (unsigned half = 0; half < 2; half++)
		for (unsigned i = 0; i < OLD_FILES; i++)
			fill(run, nodes[i], 'o', half * OLD_SIZE / 2, OLD_SIZE / 2);
	sync_all(run);
}

static void use_old_file(struct run *run, uint64_t dir, unsigned i)
{
	char name[40], bytes[OLD_SIZE];
	struct fuse_entry_out e;
	int err;

	snprintf(name, sizeof(name), "old file with number %u", i);
	err = took(run, name, fk_lookup(run->fk, dir, name, &e));
	if (err)
		return;
	err = took(run, "read", (int)fk_read(run->fk, e.nodeid, 0, bytes, sizeof(bytes)));
	if (err >= 0 && (err != OLD_SIZE || memchr(bytes, 0, sizeof(bytes))))
		fail_msg("%s: %s is read as %d bytes", run->where, name, err);
	if (i % 3 == 0)
		fill(run, e.nodeid, 'o', OLD_SIZE, 700);
	if (i % 3 == 1)
		took(run, "truncate", fk_truncate(run->fk, e.nodeid, 600));
	if (i % 3 == 2)
		took(run, "unlink", fk_unlink(run->fk, dir, name));
}

static void use_old(struct run *run)
{
	struct fuse_entry_out e;

	if (took(run, "old", fk_lookup(run->fk, FUSE_ROOT_ID, "old", &e)))
		return;
	for (unsigned i = 0; i < OLD_FILES; i += 3)
		use_old_file(run, e.nodeid, i / 3);
	if (is_there(run, e.nodeid, "old file with number 30"))
		rename_(run, e.nodeid, "old file with number 30", FUSE_ROOT_ID, "old file", 0);
}

static void session(struct run *run)
{
	use_old(run);
	session_new(run);
}

static struct image *make_volume(const struct shape *s)
{
	struct run run = { .image = format_volume(s), .where = "making the volume" };

	run.fk = fk_start_ready(&fat_driver, image_device(run.image, false), "");
	make_old(&run);
	fk_forget_all(run.fk);
	assert_int_equal(fk_stop(run.fk), 0);
	return run.image;
}

/* ---- what is there afterwards ------------------------------------------------------------------- */

static unsigned mark_of(const struct fat_entry *e)
{
	static const struct {
		const char *name;
		unsigned mark;
	} known[] = {
		{ "alpha.bin", 'a' }, { "a long name of bravo.bin", 'b' }, { "charlie.txt", 'c' }, { "fusetmp", 0 },
	};
	unsigned i;

	if (sscanf(e->key, "kept file with number %u", &i) == 1)
		return 'A' + i;
	if (!strncmp(e->key, "old", 3))
		return 'o';
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (!strcmp(known[i].name, e->key))
			return known[i].mark;
	return 0;			/* renames: 'c' or 'd' */
}

static bool is_mark(unsigned mark, uint8_t byte)
{
	return !byte || byte == mark || (!mark && (byte == 'c' || byte == 'd'));
}

static void check_content(const struct run *run, const struct fat_tree *t, const struct fat_entry *e)
{
	static uint8_t bytes[256 << 10];
	size_t len = fat_tree_content(t, e, bytes, sizeof(bytes));
	unsigned mark = mark_of(e);

	for (size_t i = 0; i < len; i++)
		if (!is_mark(mark, bytes[i]))
			fail_msg("%s: %s shows byte %02x at %zu", run->where, e->name, bytes[i], i);
}

static void check_entry(const struct run *run, const struct fat_tree *t, const struct fat_entry *e)
{
	unsigned wrong = e->wrong;
	char text[1200];

	if (run->moved)
		wrong &= ~(unsigned)(WRONG_SHARED | WRONG_PARENT);
	if (wrong) {
		fat_tree_explain(t, e, text, sizeof(text));
		fail_msg("%s: %s", run->where, text);
	}
	if (!e->is_dir)
		check_content(run, t, e);
}

static void check_kept(const struct run *run, const struct fat_tree *t)
{
	static uint8_t bytes[KEPT];
	char name[64];

	for (unsigned i = 0; i < NAMES; i++) {
		bool found = !run->kept[i];

		snprintf(name, sizeof(name), "kept file with number %u.txt", i);
		for (int e = 0; !found && e < t->count; e++)
			found = !strcmp(t->entries[e].name, name) && t->entries[e].size == KEPT &&
				fat_tree_content(t, &t->entries[e], bytes, KEPT) == KEPT && bytes[KEPT - 1] == 'A' + i;
		if (!found)
			fail_msg("%s: %s was synced and is not there", run->where, name);
	}
}

static void check_volume(const struct run *run)
{
	struct fat_tree t = { .count = 0 };
	struct fat_shape shape;

	assert_null(fat_shape_of(image_bytes(run->image), image_size(run->image), &shape));
	fat_tree_read(&t, &shape, image_bytes(run->image));
	assert_false(t.too_many);
	for (int i = 0; i < t.count; i++)
		check_entry(run, &t, &t.entries[i]);
	check_kept(run, &t);
	if (!run->nth && t.lost)
		fail_msg("%s: %u clusters are lost", run->where, t.lost);
	fat_tree_free(&t);
}

/* A sample: it is slow. */
static void check_repair(struct run *run)
{
	int runs = 0;

	if (run->nth % 7)
		return;
	for (; runs < 3 && with_file(run->image, "fsck.fat", "-a") == 1; runs++)
		;
	if (runs == 3 || with_file(run->image, "fsck.fat", "-n"))
		fail_msg("%s: fsck.fat -a does not repair it", run->where);
}

/* ---- one fault -------------------------------------------------------------------------------------- */

static void set_fault(struct run *run)
{
	switch (run->kind) {
	case FAULT_READ:
		fb_device_fault_set(run->device, FB_FAULT_READ, run->nth, FB_FAULT_FAIL, false);
		break;
	case FAULT_WRITE:
		fb_device_fault_set(run->device, FB_FAULT_WRITE, run->nth, FB_FAULT_FAIL, false);
		break;
	case FAULT_TEAR:
		fb_device_fault_set(run->device, FB_FAULT_WRITE, run->nth, FB_FAULT_TEAR, false);
		break;
	case FAULT_GONE:
		fb_device_fault_set(run->device, FB_FAULT_ANY, run->nth, FB_FAULT_FAIL, true);
		break;
	case FAULT_FLUSH:
		fb_device_fault_set(run->device, FB_FAULT_FLUSH, run->nth, FB_FAULT_FAIL, false);
		break;
	case FAULT_ALLOCATION:
		atomic_store(&allocations, 0);
		atomic_store(&failing, run->nth);
		atomic_store(&armed, true);
		break;
	}
}

/* How many operations of the kind there were. */
static unsigned long count_of(enum fault kind)
{
	switch (kind) {
	case FAULT_READ:
		return atomic_load(&seen[SPY_READ]);
	case FAULT_WRITE:
	case FAULT_TEAR:
		return atomic_load(&seen[SPY_WRITE]);
	case FAULT_FLUSH:
		return atomic_load(&seen[SPY_FLUSH]);
	case FAULT_GONE:
		return atomic_load(&seen[SPY_READ]) + atomic_load(&seen[SPY_WRITE]) + atomic_load(&seen[SPY_FLUSH]);
	default:
		return atomic_load(&allocations);
	}
}

/* The session from the mount to its end. Returns its result. */
static int mounted(struct run *run)
{
	char error[256] = "";
	int err = fk_start(&fat_driver, spy_on(run->device), "", &run->fk, error, sizeof(error));

	if (err)
		return took(run, "mount", err);
	if (run->kind == FAULT_ALLOCATION) {
		atomic_store(&last_tag->counts, false);
		set_fault(run);
	}
	err = fk_init(run->fk, FB_PROTO_MINOR_MAX, FK_OFFER_ALL);
	if (err) {
		run->error = err;
		return fk_abort(run->fk);
	}
	session(run);
	fk_forget_all(run->fk);
	fk_destroy(run->fk);
	atomic_store(&armed, false);
	return fk_stop(run->fk);
}

static bool must_be_told(const struct run *run)
{
	return atomic_load(&seen_error) && run->kind != FAULT_READ;
}

/* Returns how many places there are. */
static unsigned long try_fault(struct run *run)
{
	int end;

	run->error = 0;
	run->moved = false;
	memset(run->kept, 0, sizeof(run->kept));
	snprintf(run->where, sizeof(run->where), "%s %lu fails", fault_names[run->kind], run->nth);
	run->image = image_copy(run->base);
	assert_int_equal(fb_device_open_fault(image_device(run->image, false), &run->device), 0);
	if (run->kind != FAULT_ALLOCATION)
		set_fault(run);
	end = mounted(run);
	atomic_store(&armed, false);
	if (must_be_told(run) && !run->error && !end)
		fail_msg("%s: nobody was told", run->where);
	if (!run->nth && (run->error || end))
		fail_msg("without a fault: error %d, end %d", run->error, end);
	check_volume(run);
	check_repair(run);
	image_free(run->image);
	return count_of(run->kind);
}

static unsigned long step(enum fault kind)
{
	static const unsigned steps[] = { 2, 3, 7, 11, 2, 7 };
	const char *text = getenv("FAULT_STEP");

	if (text)
		return strtoul(text, NULL, 0) ? strtoul(text, NULL, 0) : 1;
	return steps[kind];
}

static void sweep(enum fault kind)
{
	for (size_t i = 0; i < sizeof(shapes) / sizeof(shapes[0]); i++) {
		struct run run = { .base = make_volume(&shapes[i]), .kind = kind };
		unsigned long places = try_fault(&run), tried = 0;

		for (run.nth = 1 + i % step(kind); run.nth <= places; run.nth += step(kind), tried++)
			try_fault(&run);
		print_message("%s: %lu places where a %s fails, %lu tried\n", shapes[i].name, places,
			      fault_names[kind], tried);
		image_free(run.base);
	}
}

static void test_reads(void **state)
{
	(void)state;
	sweep(FAULT_READ);
}

static void test_writes(void **state)
{
	(void)state;
	sweep(FAULT_WRITE);
}

static void test_torn_writes(void **state)
{
	(void)state;
	sweep(FAULT_TEAR);
}

static void test_gone(void **state)
{
	(void)state;
	sweep(FAULT_GONE);
}

static void test_flushes(void **state)
{
	(void)state;
	sweep(FAULT_FLUSH);
}

static void test_allocations(void **state)
{
	(void)state;
	sweep(FAULT_ALLOCATION);
}

/* Allocations of the mount itself. */
static void test_opening(void **state)
{
	struct image *image = format_volume(&shapes[2]);
	unsigned long nth = 0;
	struct tag tag;

	(void)state;
	atomic_init(&tag.counts, true);
	do {
		char error[256] = "";
		struct fuseblk_volume *vol;
		struct fb_device *device = image_device(image, false);
		int err;

		atomic_store(&allocations, 0);
		atomic_store(&failing, ++nth);
		my_tag = &tag;
		atomic_store(&armed, true);
		err = fb_volume_new(&fat_driver, device, "test", "", &vol, error, sizeof(error));
		atomic_store(&armed, false);
		my_tag = NULL;
		if (!err)
			fb_volume_free(vol);
		else if (err != -ENOMEM)
			fail_msg("allocation %lu fails: the mount gives %s (%s)", nth, strerror(-err), error);
	} while (atomic_load(&allocations) >= nth);
	print_message("%lu places where an allocation of the mount fails\n", nth - 1);
	image_free(image);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_reads),
		cmocka_unit_test(test_writes),
		cmocka_unit_test(test_torn_writes),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_flushes),
		cmocka_unit_test(test_allocations),
		cmocka_unit_test(test_opening),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
