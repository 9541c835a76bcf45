// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fsbench: one measured row on one mounted directory.
 *
 * usage: fsbench ROW DIRECTORY [DEVICE]
 * Prints the seconds the row took.  What a row needs is prepared before the
 * clock starts; before a cold row the page, dentry and inode caches are
 * dropped, and the DEVICE's own page cache (BLKFLSBUF) if one is given.  The
 * floor driver's directory holds one file, "data": data rows use a file of
 * that name and overwrite it in place.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* What a row does is divided by this: FSBENCH_DIVISOR in the environment, a power of two, for slow machines. */
static unsigned divisor = 1;

#define FILE_BYTES	((256ull << 20) / divisor)
#define SPAN_BYTES	((64ull << 20) / divisor)	/* random rows stay in the first part of the file */
#define BIG		(1u << 20)
#define SMALL		4096u
#define RANDOM_OPS	(4096 / divisor)
#define FSYNC_OPS	(300 / divisor)
#define SMALL_FILES	(4000 / divisor)

static const char *device;
static uint8_t *buffer;

static void die(const char *what)
{
	fprintf(stderr, "fsbench: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Everything of this mount is on its device; a sync(2) would wait for other mounts too. */
static void settle(void)
{
	int fd = open(".", O_RDONLY);

	if (fd < 0 || syncfs(fd))
		die("syncfs");
	close(fd);
}

static void drop_caches(void)
{
	int fd;

	settle();
	fd = open("/proc/sys/vm/drop_caches", O_WRONLY);
	if (fd < 0 || write(fd, "3", 1) != 1)
		die("drop_caches");
	close(fd);
	if (!device)
		return;
	fd = open(device, O_RDONLY);
	if (fd >= 0) {
		ioctl(fd, BLKFLSBUF, 0);
		close(fd);
	}
}

static int open_data(int flags)
{
	int fd = open("data", O_CREAT | O_RDWR | flags, 0644);

	if (fd < 0)
		die("data");
	return fd;
}

static uint64_t next_random(void)
{
	static uint64_t x = 88172645463325252ull;

	x ^= x << 13;
	x ^= x >> 7;
	return x ^= x << 17;
}

static void transfer(int fd, bool out, size_t len, uint64_t off)
{
	ssize_t n = out ? pwrite(fd, buffer, len, (off_t)off) : pread(fd, buffer, len, (off_t)off);

	if (n != (ssize_t)len)
		die(out ? "pwrite" : "pread");
}

static void sequential(int fd, bool out)
{
	for (uint64_t off = 0; off < FILE_BYTES; off += BIG)
		transfer(fd, out, BIG, off);
}

static void scattered(int fd, bool out, unsigned count, bool sync_each)
{
	for (unsigned i = 0; i < count; i++) {
		transfer(fd, out, SMALL, next_random() % (SPAN_BYTES / SMALL) * SMALL);
		if (sync_each && fdatasync(fd))
			die("fdatasync");
	}
}

/* The whole file exists and is on the device. */
static void fill(void)
{
	struct stat st;
	int fd = open_data(0);

	if (fstat(fd, &st))
		die("fstat");
	if ((uint64_t)st.st_size < FILE_BYTES || !st.st_blocks)
		sequential(fd, true);
	if (fsync(fd))
		die("fsync");
	close(fd);
}

static void warm(void)
{
	int fd = open_data(0);

	fill();
	sequential(fd, false);
	close(fd);
}

static void cold(void)
{
	fill();
	drop_caches();
}

static void run_seq_write(void)
{
	int fd = open_data(0);

	sequential(fd, true);
	if (fsync(fd))
		die("fsync");
	close(fd);
}

static void run_seq_read(void)
{
	int fd = open_data(0);

	sequential(fd, false);
	close(fd);
}

static void run_seq_write_direct(void)
{
	int fd = open_data(O_DIRECT);

	sequential(fd, true);
	close(fd);
}

static void run_seq_read_direct(void)
{
	int fd = open_data(O_DIRECT);

	sequential(fd, false);
	close(fd);
}

static void run_rand_read(void)
{
	int fd = open_data(0);

	scattered(fd, false, RANDOM_OPS, false);
	close(fd);
}

static void run_rand_read_direct(void)
{
	int fd = open_data(O_DIRECT);

	scattered(fd, false, RANDOM_OPS, false);
	close(fd);
}

static void run_rand_write(void)
{
	int fd = open_data(0);

	scattered(fd, true, RANDOM_OPS, false);
	if (fsync(fd))
		die("fsync");
	close(fd);
}

static void run_rand_write_direct(void)
{
	int fd = open_data(O_DIRECT);

	scattered(fd, true, RANDOM_OPS, false);
	close(fd);
}

static void run_rand_write_fsync(void)
{
	int fd = open_data(0);

	scattered(fd, true, FSYNC_OPS, true);
	close(fd);
}

static const char *name_of(unsigned i)
{
	static char name[64];

	snprintf(name, sizeof(name), "small-file-%06u", i);
	return name;
}

static void make_files(unsigned count, size_t bytes)
{
	for (unsigned i = 0; i < count; i++) {
		int fd = open(name_of(i), O_CREAT | O_EXCL | O_WRONLY, 0644);

		if (fd < 0)
			die(name_of(i));
		if (bytes && write(fd, buffer, bytes) != (ssize_t)bytes)
			die("write");
		close(fd);
	}
}

static void enter(const char *dir)
{
	if ((mkdir(dir, 0755) && errno != EEXIST) || chdir(dir))
		die(dir);
}

static void remove_files(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		if (unlink(name_of(i)) && errno != ENOENT)
			die("unlink");
}

static void stat_files(unsigned count)
{
	struct stat st;

	for (unsigned i = 0; i < count; i++)
		if (stat(name_of(i), &st))
			die("stat");
}

static void list_all(void)
{
	DIR *d = opendir(".");
	struct dirent *e;
	struct stat st;

	while ((e = readdir(d)))
		if (lstat(e->d_name, &st))
			die(e->d_name);
	closedir(d);
}

static void in_small(void)
{
	enter("small");
	remove_files(SMALL_FILES);
	settle();
}

static void with_small(void)
{
	in_small();
	make_files(SMALL_FILES, 0);
	settle();
}

/* Looked at once already: what is measured is what the kernel's caches hold. */
static void with_small_warm(void)
{
	with_small();
	stat_files(SMALL_FILES);
}

static void with_small_cold(void)
{
	with_small();
	drop_caches();
}

static void run_create(void) { make_files(SMALL_FILES, 0); }
static void run_create_4k(void) { make_files(SMALL_FILES, SMALL); }
static void run_stat(void) { stat_files(SMALL_FILES); }
static void run_list(void) { list_all(); }
static void run_unlink(void) { remove_files(SMALL_FILES); }

static void run_rename(void)
{
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		char to[64];

		snprintf(to, sizeof(to), "renamed-%06u", i);
		if (rename(name_of(i), to))
			die("rename");
	}
	for (unsigned i = 0; i < SMALL_FILES; i++) {
		char from[64];

		snprintf(from, sizeof(from), "renamed-%06u", i);
		if (rename(from, name_of(i)))
			die("rename");
	}
}

/* One big directory: create, list, look up, delete, each a row; the rows of a size run in this order. */
static void in_20k(void) { enter("dir20k"); }
static void in_200k(void) { enter("dir200k"); }
static void in_20k_cold(void) { in_20k(); drop_caches(); }
static void in_200k_cold(void) { in_200k(); drop_caches(); }
static void run_create_20k(void) { make_files(20000, 0); settle(); }
static void run_create_200k(void) { make_files(200000, 0); settle(); }
static void run_stat_20k(void) { stat_files(20000); }
static void run_stat_200k(void) { stat_files(200000); }
static void run_remove_20k(void) { remove_files(20000); settle(); }
static void run_remove_200k(void) { remove_files(200000); settle(); }

struct row {
	const char *name;
	void (*prepare)(void);
	void (*run)(void);
};

static const struct row rows[] = {
	{ "seq-write", fill, run_seq_write },
	{ "seq-read-cold", cold, run_seq_read },
	{ "seq-read-warm", warm, run_seq_read },
	{ "seq-write-direct", fill, run_seq_write_direct },
	{ "seq-read-direct", cold, run_seq_read_direct },
	{ "rand-read-cold", cold, run_rand_read },
	{ "rand-read-warm", warm, run_rand_read },
	{ "rand-read-direct", cold, run_rand_read_direct },
	{ "rand-write", warm, run_rand_write },
	{ "rand-write-direct", fill, run_rand_write_direct },
	{ "rand-write-fsync", warm, run_rand_write_fsync },
	{ "create", in_small, run_create },
	{ "create-4k", in_small, run_create_4k },
	{ "stat-cold", with_small_cold, run_stat },
	{ "stat-warm", with_small_warm, run_stat },
	{ "list-cold", with_small_cold, run_list },
	{ "rename", with_small, run_rename },
	{ "unlink", with_small, run_unlink },
	{ "create-20k", in_20k, run_create_20k },
	{ "list-20k", in_20k_cold, run_list },
	{ "stat-20k", in_20k_cold, run_stat_20k },
	{ "remove-20k", in_20k, run_remove_20k },
	{ "create-200k", in_200k, run_create_200k },
	{ "list-200k", in_200k_cold, run_list },
	{ "stat-200k", in_200k_cold, run_stat_200k },
	{ "remove-200k", in_200k, run_remove_200k },
};

int main(int argc, char **argv)
{
	double start;

	if (getenv("FSBENCH_DIVISOR"))
		divisor = (unsigned)atoi(getenv("FSBENCH_DIVISOR")) ?: 1;
	if (argc < 3) {
		fprintf(stderr, "usage: fsbench ROW DIRECTORY [DEVICE]\n");
		return 2;
	}
	device = argc > 3 ? argv[3] : NULL;
	if (posix_memalign((void **)&buffer, 4096, BIG) || chdir(argv[2]))
		die(argv[2]);
	memset(buffer, 0x5a, BIG);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (strcmp(rows[i].name, argv[1]))
			continue;
		rows[i].prepare();
		start = now();
		rows[i].run();
		printf("%.6f\n", now() - start);
		return 0;
	}
	if (!strcmp(argv[1], "drop")) {
		drop_caches();
		return 0;
	}
	fprintf(stderr, "fsbench: no row %s\n", argv[1]);
	return 2;
}
