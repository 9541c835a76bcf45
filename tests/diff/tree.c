// SPDX-License-Identifier: GPL-2.0-or-later
/* tree.c: comparing two trees: names, kinds, metadata, content, extended attributes. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "diff.h"

#define MAX_NAMES 4096

static void see_attributes(struct outcome *out, const struct stat *st)
{
	see(out, "%o links %lu owner %u:%u", st->st_mode, (unsigned long)st->st_nlink, st->st_uid, st->st_gid);
	if (!S_ISDIR(st->st_mode))
		see(out, " size %lld", (long long)st->st_size);
	if (S_ISCHR(st->st_mode) || S_ISBLK(st->st_mode))
		see(out, " device %u:%u", major(st->st_rdev), minor(st->st_rdev));
	see(out, "\n");
}

void see_stat(struct outcome *out, int dirfd, const char *path)
{
	struct stat st;

	if (fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW))
		see(out, "stat %s: %d\n", path, errno);
	else
		see_attributes(out, &st);
}

void see_open(struct outcome *out, int fd)
{
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		see_attributes(out, &st);
}

static bool near(struct timespec a, struct timespec b)
{
	long long d = (long long)a.tv_sec - b.tv_sec;

	return d <= 2 && d >= -2;
}

bool open_times_close(int fd_a, int fd_b)
{
	struct stat a, b;

	return fstat(fd_a, &a) || fstat(fd_b, &b) || (near(a.st_mtim, b.st_mtim) && near(a.st_ctim, b.st_ctim));
}

bool times_close(int dir_a, int dir_b, const char *path)
{
	struct stat a, b;

	if (fstatat(dir_a, path, &a, AT_SYMLINK_NOFOLLOW) || fstatat(dir_b, path, &b, AT_SYMLINK_NOFOLLOW))
		return true;
	if (near(a.st_mtim, b.st_mtim) && near(a.st_ctim, b.st_ctim))
		return true;
	printf("%s: mtime %lld and %lld, ctime %lld and %lld\n", path, (long long)a.st_mtim.tv_sec,
	       (long long)b.st_mtim.tv_sec, (long long)a.st_ctim.tv_sec, (long long)b.st_ctim.tv_sec);
	return false;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static size_t list(int dirfd, const char *path, char **names)
{
	int fd = openat(dirfd, path, O_RDONLY | O_DIRECTORY);
	DIR *d = fd < 0 ? NULL : fdopendir(fd);
	struct dirent *e;
	size_t n = 0;

	while (d && n < MAX_NAMES && (e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			names[n++] = strdup(e->d_name);
	if (d)
		closedir(d);
	qsort(names, n, sizeof(*names), by_name);
	return n;
}

static void see_xattrs(struct outcome *out, int dirfd, const char *path)
{
	char file[64], names[4096], value[65536], *sorted[256];
	size_t count = 0;
	ssize_t len, n;
	int fd = openat(dirfd, path, O_PATH | O_NOFOLLOW);

	snprintf(file, sizeof(file), "/proc/self/fd/%d", fd);
	len = fd < 0 ? -1 : listxattr(file, names, sizeof(names));
	for (char *p = names; len > 0 && p < names + len && count < 256; p += strlen(p) + 1)
		sorted[count++] = p;
	qsort(sorted, count, sizeof(*sorted), by_name);
	for (size_t i = 0; i < count; i++) {
		n = getxattr(file, sorted[i], value, sizeof(value));
		see(out, "%s %zd %llx\n", sorted[i], n,
		    (unsigned long long)digest(1, value, n > 0 ? (size_t)n : 0));
	}
	if (fd >= 0)
		close(fd);
}

static void see_content(struct outcome *out, int dirfd, const char *path)
{
	static char buf[1 << 20];
	int fd = openat(dirfd, path, O_RDONLY | O_NOFOLLOW);
	ssize_t n = -1;

	while (fd >= 0 && (n = read(fd, buf, sizeof(buf))) > 0)
		see_bytes(out, buf, (size_t)n);
	see(out, "read %zd\n", n);
	if (fd >= 0)
		close(fd);
}

static bool node_equal(struct side sides[SIDES], const char *path, bool *is_dir)
{
	struct outcome out[SIDES] = { 0 };
	struct stat st;

	for (int i = 0; i < SIDES; i++) {
		char target[4096];
		ssize_t n;

		see_stat(&out[i], sides[i].dir, path);
		if (fstatat(sides[i].dir, path, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		*is_dir = S_ISDIR(st.st_mode);
		see_xattrs(&out[i], sides[i].dir, path);
		if (S_ISREG(st.st_mode))
			see_content(&out[i], sides[i].dir, path);
		n = S_ISLNK(st.st_mode) ? readlinkat(sides[i].dir, path, target, sizeof(target)) : 0;
		see_bytes(&out[i], target, n > 0 ? (size_t)n : 0);
	}
	if (!times_close(sides[0].dir, sides[1].dir, path)) {
		printf("times differ at %s\n", path);
		return false;
	}
	if (!outcomes_equal(&out[0], &out[1])) {
		printf("tree differs at %s\n-- %s\n%s-- %s\n%s", path, sides[0].name, out[0].detail,
		       sides[1].name, out[1].detail);
		return false;
	}
	return true;
}

static bool subtree_equal(struct side sides[SIDES], const char *path)
{
	char **names[SIDES] = { calloc(MAX_NAMES, sizeof(char *)), calloc(MAX_NAMES, sizeof(char *)) };
	size_t n[SIDES];
	bool same = true;

	for (int i = 0; i < SIDES; i++)
		n[i] = list(sides[i].dir, path, names[i]);
	same = n[0] == n[1];
	for (size_t k = 0; same && k < n[0]; k++)
		same = !strcmp(names[0][k], names[1][k]);
	if (!same)
		printf("names below %s differ: %zu and %zu\n", path, n[0], n[1]);
	for (size_t k = 0; same && k < n[0]; k++) {
		char below[4096];
		bool is_dir = false;

		snprintf(below, sizeof(below), "%s/%s", path, names[0][k]);
		same = node_equal(sides, below, &is_dir);
		if (same && is_dir)
			same = subtree_equal(sides, below);
	}
	for (int i = 0; i < SIDES; i++) {
		for (size_t k = 0; k < n[i]; k++)
			free(names[i][k]);
		free(names[i]);
	}
	return same;
}

bool trees_equal(struct side sides[SIDES])
{
	return subtree_equal(sides, ".");
}
