// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * caller.c: /proc/PID/syscall, and the paths it points to in /proc/PID/mem.
 *
 * The caller sleeps in the call until our reply, so what is read is constant
 * but for memory that another thread of it changes; then only that process is
 * deceived.  A path that its memory does not hold at the moment is not
 * fetched: that could take a read from the very volume that waits.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include "caller.h"

#define MOST_TRIES	220		/* for a caller that has not gone to sleep yet: 200 ms on a busy machine */
#define SHORT_TRIES	20
#define NO_ARG		UINT8_MAX

struct call {
	long number;
	uint64_t args[6];
	bool compat;			/* of a 32-bit program on a 64-bit kernel */
};

/* ---- which call ----------------------------------------------------- */

static int open_file(int proc, uint32_t pid, const char *name)
{
	char path[40];

	snprintf(path, sizeof(path), "%u/%s", pid, name);
	return openat(proc, path, O_RDONLY | O_CLOEXEC);
}

/* "NUMBER 0xARG ... 0xSP 0xPC"; "running" while it is on a CPU; "-1 0xSP 0xPC" outside of calls. */
static bool parse_call(const char *text, struct call *call)
{
	uint64_t words[8];
	char *end;

	call->number = strtol(text, &end, 10);
	if (end == text || call->number < 0)
		return false;
	for (unsigned i = 0; i < 8; i++) {
		const char *at = end;

		words[i] = strtoull(at, &end, 16);
		if (end == at)
			return false;
	}
	memcpy(call->args, words, sizeof(call->args));
	/* Stacks of 64-bit programs are above 4 GiB. */
	call->compat = sizeof(long) == 8 && words[6] <= UINT32_MAX;
	return true;
}

static bool read_call(int proc, uint32_t pid, struct call *call)
{
	struct timespec pause = { .tv_nsec = 20000 };
	char text[256];
	ssize_t n = 0;
	int fd;

	if (!pid || proc < 0)
		return false;
	fd = open_file(proc, pid, "syscall");
	if (fd < 0)
		return false;
	for (int i = 0; i < MOST_TRIES; i++) {
		n = pread(fd, text, sizeof(text) - 1, 0);
		if (n <= 0 || text[0] != 'r')
			break;
		if (i == SHORT_TRIES)
			pause.tv_nsec = 1000000;
		nanosleep(&pause, NULL);
	}
	close(fd);
	if (n <= 0)
		return false;
	text[n] = '\0';
	return parse_call(text, call);
}

/* ---- renames -------------------------------------------------------- */

struct rename_call {
	long number;
	bool compat;
	uint8_t from, to, flags;	/* which argument */
};

static const struct rename_call rename_calls[] = {
#ifdef SYS_rename
	{ SYS_rename, false, 0, 1, NO_ARG },
#endif
#ifdef SYS_renameat
	{ SYS_renameat, false, 1, 3, NO_ARG },
#endif
#ifdef SYS_renameat2
	{ SYS_renameat2, false, 1, 3, 4 },
#endif
#ifdef __x86_64__			/* the numbers of i386 */
	{ 38, true, 0, 1, NO_ARG },
	{ 302, true, 1, 3, NO_ARG },
	{ 353, true, 1, 3, 4 },
#endif
#ifdef __aarch64__			/* of arm */
	{ 38, true, 0, 1, NO_ARG },
	{ 329, true, 1, 3, NO_ARG },
	{ 382, true, 1, 3, 4 },
#endif
};

static const struct rename_call *find_rename(const struct call *call)
{
	for (size_t i = 0; i < sizeof(rename_calls) / sizeof(rename_calls[0]); i++)
		if (rename_calls[i].number == call->number &&
		    rename_calls[i].compat == call->compat)
			return &rename_calls[i];
	return NULL;
}

/* ---- its memory ----------------------------------------------------- */

static bool is_present(int pagemap, uint64_t address, uint64_t page)
{
	uint64_t entry;

	return pread(pagemap, &entry, sizeof(entry), (off_t)(address / page * sizeof(entry))) ==
	       (ssize_t)sizeof(entry) && (entry >> 63);
}

static bool read_pages(int mem, int pagemap, uint64_t address, char path[PATH_MAX])
{
	uint64_t page = (uint64_t)sysconf(_SC_PAGESIZE);
	size_t len = 0;

	if (!address || address > INT64_MAX - PATH_MAX)
		return false;
	while (len < PATH_MAX) {
		uint64_t at = address + len;
		size_t want = page - at % page;
		ssize_t n;

		if (want > PATH_MAX - len)
			want = PATH_MAX - len;
		if (!is_present(pagemap, at, page))
			return false;
		n = pread(mem, path + len, want, (off_t)at);
		if (n <= 0)
			return false;
		if (memchr(path + len, '\0', (size_t)n))
			return true;
		len += (size_t)n;
	}
	return false;
}

/* The NUL-terminated text at @address of @pid's memory; only touches pages that are there. */
static bool read_path(int proc, uint32_t pid, uint64_t address, char path[PATH_MAX])
{
	int mem = open_file(proc, pid, "mem"), pagemap = open_file(proc, pid, "pagemap");
	bool ok = mem >= 0 && pagemap >= 0 && read_pages(mem, pagemap, address, path);

	if (mem >= 0)
		close(mem);
	if (pagemap >= 0)
		close(pagemap);
	return ok;
}

/* ---- paths ---------------------------------------------------------- */

/* The next part of the path at *@at, which moves past it; len 0: none. */
static struct fb_name next_part(const char **at)
{
	struct fb_name part;

	*at += strspn(*at, "/");
	part.bytes = *at;
	part.len = strcspn(*at, "/");
	*at += part.len;
	return part;
}

static bool is_equal(const struct fb_name *a, const struct fb_name *b)
{
	return a->len == b->len && !memcmp(a->bytes, b->bytes, a->len);
}

/* Splits off the last part; *@others: one of the others is @name. */
static struct fb_name last_part(const char *path, const struct fb_name *name, bool *others)
{
	struct fb_name last = next_part(&path), part;

	while ((part = next_part(&path)).len) {
		*others |= is_equal(&last, name);
		last = part;
	}
	return last;
}

/* ---- directories ---------------------------------------------------- */

/* A path after the directory it starts at. */
struct walk {
	char start[PATH_MAX];
	const char *at, *then;
};

/* The path in argument @arg, which leads from that of the descriptor before it, if there is one. No file is touched. */
static bool walk_from(struct walk *w, int proc, uint32_t pid, const struct call *call, const struct rename_call *row,
		      uint8_t arg, const char *path)
{
	int fd = row->to - row->from == 2 ? (int)call->args[arg - 1] : AT_FDCWD;
	char link[40];
	ssize_t n = 0;

	if (fd == AT_FDCWD)
		snprintf(link, sizeof(link), "%u/cwd", pid);
	else
		snprintf(link, sizeof(link), "%u/fd/%d", pid, fd);
	if (path[0] != '/')
		n = readlinkat(proc, link, w->start, sizeof(w->start) - 1);
	if (n < 0)
		return false;
	w->start[n] = '\0';
	w->at = w->start;
	w->then = path;
	return true;
}

static struct fb_name walk_on(struct walk *w)
{
	struct fb_name part;

	do {
		part = next_part(&w->at);
		if (!part.len && w->then) {
			w->at = w->then;
			w->then = NULL;
			part = next_part(&w->at);
		}
	} while (part.len == 1 && part.bytes[0] == '.');
	return part;
}

/* The ways are spelled in any case: on one volume that is one directory, and there is no rename between two. */
static bool is_equal_way(const struct fb_name *a, const struct fb_name *b)
{
	return a->len == b->len && !strncasecmp(a->bytes, b->bytes, a->len);
}

/* Are all parts but the last the same? Links and ".." on the way count as different. */
static bool same_directory(struct walk *a, struct walk *b)
{
	struct fb_name last_a = walk_on(a), last_b = walk_on(b);

	while (last_a.len && last_b.len) {
		struct fb_name next_a = walk_on(a), next_b = walk_on(b);

		if (!next_a.len || !next_b.len)
			return next_a.len == next_b.len;
		if (!is_equal_way(&last_a, &last_b))
			return false;
		last_a = next_a;
		last_b = next_b;
	}
	return false;
}

static bool in_one_directory(int proc, uint32_t pid, const struct call *call, const struct rename_call *row,
			     const char *from, const char *to)
{
	struct walk a, b;

	return walk_from(&a, proc, pid, call, row, row->from, from) &&
	       walk_from(&b, proc, pid, call, row, row->to, to) && same_directory(&a, &b);
}

size_t fb_caller_renames(int proc, uint32_t pid, const struct fb_name *name, bool is_dir,
			 char *from, size_t size)
{
	char from_path[PATH_MAX], to_path[PATH_MAX];
	const struct rename_call *row;
	struct fb_name old, new;
	bool others = false;
	struct call call;

	if (!read_call(proc, pid, &call))
		return 0;
	row = find_rename(&call);
	if (!row || (row->flags != NO_ARG && (call.args[row->flags] & RENAME_EXCHANGE)))
		return 0;
	if (!read_path(proc, pid, call.args[row->from], from_path) ||
	    !read_path(proc, pid, call.args[row->to], to_path))
		return 0;
	old = last_part(from_path, name, &others);
	new = last_part(to_path, name, &others);
	if (!is_equal(&new, name) || is_equal(&old, name) || (is_dir && others) || old.len > size)
		return 0;
	if (!in_one_directory(proc, pid, &call, row, from_path, to_path))
		return 0;
	memcpy(from, old.bytes, old.len);
	return old.len;
}

/* ---- descriptors ---------------------------------------------------- */

/* Calls that name a file by descriptor and make the kernel look at its attributes; with a path argument, if that is empty. */
static const struct {
	long number;
	uint8_t path;
	bool compat;
} descriptor_calls[] = {
	{ SYS_fstat, NO_ARG, false },
#ifdef SYS_newfstatat
	{ SYS_newfstatat, 1, false },
#endif
	{ SYS_statx, 1, false },
	{ SYS_read, NO_ARG, false }, { SYS_pread64, NO_ARG, false }, { SYS_readv, NO_ARG, false },
	{ SYS_preadv, NO_ARG, false }, { SYS_preadv2, NO_ARG, false },
	{ SYS_write, NO_ARG, false }, { SYS_pwrite64, NO_ARG, false }, { SYS_writev, NO_ARG, false },
	{ SYS_pwritev, NO_ARG, false }, { SYS_pwritev2, NO_ARG, false },
	{ SYS_lseek, NO_ARG, false }, { SYS_sendfile, NO_ARG, false }, { SYS_splice, NO_ARG, false },
	{ SYS_copy_file_range, NO_ARG, false }, { SYS_mmap, NO_ARG, false }, { SYS_ftruncate, NO_ARG, false },
	{ SYS_fallocate, NO_ARG, false }, { SYS_fchmod, NO_ARG, false }, { SYS_fchown, NO_ARG, false },
	{ SYS_io_uring_enter, NO_ARG, false }, { SYS_close, NO_ARG, false }, { SYS_fsync, NO_ARG, false },
	{ SYS_fdatasync, NO_ARG, false }, { SYS_ioctl, NO_ARG, false },
#if defined(__x86_64__) || defined(__aarch64__)
	/* i386 and arm: fstat64 fstat read write lseek _llseek readv writev pread64 pwrite64 ... */
	{ 197, NO_ARG, true }, { 108, NO_ARG, true }, { 3, NO_ARG, true }, { 4, NO_ARG, true },
	{ 19, NO_ARG, true }, { 140, NO_ARG, true }, { 145, NO_ARG, true }, { 146, NO_ARG, true },
	{ 180, NO_ARG, true }, { 181, NO_ARG, true },
	/* ... sendfile sendfile64 mmap2 ftruncate ftruncate64 fchmod fchown32 fsync fdatasync close ioctl io_uring_enter */
	{ 187, NO_ARG, true }, { 239, NO_ARG, true }, { 192, NO_ARG, true }, { 93, NO_ARG, true },
	{ 194, NO_ARG, true }, { 94, NO_ARG, true }, { 207, NO_ARG, true }, { 118, NO_ARG, true },
	{ 148, NO_ARG, true }, { 6, NO_ARG, true }, { 54, NO_ARG, true }, { 426, NO_ARG, true },
#endif
#ifdef __x86_64__			/* i386: fstatat64 statx */
	{ 300, 1, true }, { 383, 1, true },
#endif
#ifdef __aarch64__			/* arm: fstatat64 statx */
	{ 327, 1, true }, { 397, 1, true },
#endif
};

bool fb_caller_has_descriptor(int proc, uint32_t pid)
{
	char text[PATH_MAX];
	struct call call;

	if (!read_call(proc, pid, &call))
		return false;
	for (size_t i = 0; i < sizeof(descriptor_calls) / sizeof(descriptor_calls[0]); i++) {
		uint8_t path = descriptor_calls[i].path;

		if (descriptor_calls[i].number == call.number && descriptor_calls[i].compat == call.compat)
			return path == NO_ARG || !call.args[path] ||
			       (read_path(proc, pid, call.args[path], text) && !text[0]);
	}
	return false;
}
