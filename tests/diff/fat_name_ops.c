// SPDX-License-Identifier: GPL-2.0-or-later
/* fat_name_ops.c: operations of a trace on names. */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fat_trace.h"

/* open(2) flags by letter, so that a word says them all. */
static int open_flags(const char *word)
{
	static const struct { char letter; int flag; } letters[] = {
		{ 'w', O_WRONLY }, { 'b', O_RDWR }, { 'c', O_CREAT }, { 'x', O_EXCL }, { 't', O_TRUNC },
		{ 'a', O_APPEND }, { 'd', O_DIRECTORY }, { 'n', O_NOFOLLOW }, { 'T', O_TMPFILE }, { 'D', O_DIRECT },
	};
	int flags = 0;

	for (; *word; word++)
		for (size_t i = 0; i < sizeof(letters) / sizeof(letters[0]); i++)
			if (letters[i].letter == *word)
				flags |= letters[i].flag;
	return flags;
}

/* open SLOT FLAGS MODE PATH */
static void op_open(const struct trace_words *w)
{
	int *slot = trace_slot(w->word[1]);
	int fd = open(w->word[4], open_flags(w->word[2]) | O_CLOEXEC, (mode_t)trace_number(w->word[3]));

	trace_result(fd < 0 ? -1 : 0);
	if (fd >= 0) {
		if (*slot >= 0)
			close(*slot);
		*slot = fd;
		if (strchr(w->word[2], 't'))
			trace_pin(fd, NULL);
	}
	trace_stat(w->word[4]);
}

/* mkdir PATH MODE */
static void op_mkdir(const struct trace_words *w)
{
	trace_result(mkdir(w->word[1], (mode_t)trace_number(w->word[2])));
	trace_stat(w->word[1]);
}

bool trace_aliases;

void trace_removed(void)
{
	int error = errno;

	if (trace_aliases)
		trace_sync();
	errno = error;
}

static void op_rmdir(const struct trace_words *w)
{
	trace_result(rmdir(w->word[1]));
	trace_removed();
	trace_stat(w->word[1]);
}

static void op_unlink(const struct trace_words *w)
{
	trace_result(unlink(w->word[1]));
	trace_removed();
	trace_stat(w->word[1]);
}

static bool same_file(const char *a, const char *b)
{
	struct stat sa, sb;

	return !lstat(a, &sa) && !lstat(b, &sb) && sa.st_ino == sb.st_ino && sa.st_dev == sb.st_dev;
}

static void rename_with(const struct trace_words *w, unsigned flags)
{
	trace_result(syscall(SYS_renameat2, AT_FDCWD, w->word[1], AT_FDCWD, w->word[2], flags));
	trace_removed();
	trace_stat(w->word[1]);
	trace_stat(w->word[2]);
}

/* rename FROM TO FLAGS; differences.md: other spellings of one name are left to rename-same */
static void op_rename(const struct trace_words *w)
{
	if (same_file(w->word[1], w->word[2]))
		printf(" = same");
	else
		rename_with(w, (unsigned)trace_number(w->word[3]));
}

/* rename-same FROM TO FLAGS: also of two spellings of one name */
static void op_rename_same(const struct trace_words *w)
{
	rename_with(w, (unsigned)trace_number(w->word[3]));
}

static void op_link(const struct trace_words *w)
{
	trace_result(link(w->word[1], w->word[2]));
}

/* symlink TARGET PATH */
static void op_symlink(const struct trace_words *w)
{
	trace_result(symlink(w->word[1], w->word[2]));
	trace_stat(w->word[2]);
}

/* mknod PATH KIND-AND-MODE */
static void op_mknod(const struct trace_words *w)
{
	trace_result(mknod(w->word[1], (mode_t)trace_number(w->word[2]), makedev(1, 3)));
	trace_stat(w->word[1]);
}

static int write_all(int fd, const char *data, size_t size)
{
	while (size) {
		ssize_t n = write(fd, data, size);

		if (n <= 0)
			return n ? errno : EIO;
		size -= (size_t)n;
	}
	return 0;
}

/* fill DIR PREFIX SIZE COUNT: files PREFIX0, PREFIX1... of SIZE bytes until one fails, which does not stay */
static void op_fill(const struct trace_words *w)
{
	static char data[1 << 20];
	size_t size = (size_t)trace_number(w->word[3]);
	long made = 0, most = trace_number(w->word[4]);
	int error = 0, fd;

	for (; made < most && !error; made++) {
		char path[2 * TRACE_WORD_MAX + 32];

		snprintf(path, sizeof(path), "%s/%s%ld", w->word[1], w->word[2], made);
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0644);
		if (fd < 0) {
			error = errno;
			break;
		}
		error = write_all(fd, data, size);
		if (!error && size && fsync(fd))
			error = errno;
		if (close(fd) && !error)
			error = errno;
		if (error)
			unlink(path);
	}
	printf(" = %s after %ld", error ? strerrorname_np(error) : "OK", made);
}

/* unfill DIR PREFIX COUNT: remove what fill made */
static void op_unfill(const struct trace_words *w)
{
	long gone = 0;

	for (long i = 0; i < trace_number(w->word[3]); i++) {
		char path[2 * TRACE_WORD_MAX + 32];

		snprintf(path, sizeof(path), "%s/%s%ld", w->word[1], w->word[2], i);
		gone += !unlink(path);
	}
	printf(" = %ld", gone);
}

/* as UID: who does what follows */
static void op_as(const struct trace_words *w)
{
	uid_t id = (uid_t)trace_number(w->word[1]);

	if (seteuid(0) || setegid(id))
		printf(" setegid %d", errno);
	trace_result(seteuid(id));
}

const struct trace_operation trace_name_operations[] = {
	{ "open", 5, op_open },	    { "mkdir", 3, op_mkdir },	      { "rmdir", 2, op_rmdir },
	{ "unlink", 2, op_unlink }, { "rename", 4, op_rename },	      { "rename-same", 4, op_rename_same },
	{ "link", 3, op_link },	    { "symlink", 3, op_symlink },     { "mknod", 3, op_mknod },
	{ "fill", 5, op_fill },	    { "unfill", 4, op_unfill },	      { "as", 2, op_as },
	{ NULL, 0, NULL },
};
