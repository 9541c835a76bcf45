// SPDX-License-Identifier: GPL-2.0-or-later
/* fat_data.c: operations of a trace on the files it keeps open. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "fat_trace.h"

#define TRACE_SLOTS 6
static int slots[TRACE_SLOTS] = { -1, -1, -1, -1, -1, -1 };
static uint8_t pattern[2 * IO_MAX];

int *trace_slot(const char *word)
{
	return &slots[(unsigned)trace_number(word) % TRACE_SLOTS];
}

void trace_close_all(void)
{
	for (int i = 0; i < TRACE_SLOTS; i++) {
		if (slots[i] >= 0)
			close(slots[i]);
		slots[i] = -1;
	}
}

/* The descriptor; if it is closed, calls on -1 say EBADF. */
static int descriptor(const struct trace_words *w)
{
	return *trace_slot(w->word[1]);
}

static void size_after(int fd)
{
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st))
		printf(" size %lld", (long long)st.st_size);
}

static void op_close(const struct trace_words *w)
{
	int *slot = trace_slot(w->word[1]);

	trace_result(close(*slot));
	*slot = -1;
}

static const uint8_t *data_at(uint64_t off)
{
	if (!pattern[1])
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 1);
	return pattern + off * 7 % IO_MAX;
}

/* write SLOT OFFSET LENGTH: at an offset; with O_APPEND at the end */
static void op_write(const struct trace_words *w)
{
	uint64_t off = (uint64_t)trace_number(w->word[2]);
	size_t len = (size_t)trace_number(w->word[3]) % (IO_MAX + 1);

	trace_result(pwrite(descriptor(w), data_at(off), len, (off_t)off));
	size_after(descriptor(w));
}

/* read SLOT OFFSET LENGTH */
static void op_read(const struct trace_words *w)
{
	static uint8_t buf[IO_MAX];
	size_t len = (size_t)trace_number(w->word[3]) % (IO_MAX + 1);
	ssize_t n = pread(descriptor(w), buf, len, (off_t)trace_number(w->word[2]));

	trace_result(n);
	if (n > 0)
		printf(" digest %llx", (unsigned long long)digest(1, buf, (size_t)n));
}

/* mmap SLOT OFFSET LENGTH: write through a mapping, within the file */
static void op_mmap(const struct trace_words *w)
{
	uint64_t off = (uint64_t)trace_number(w->word[2]) & ~4095ull;
	size_t len = (size_t)trace_number(w->word[3]) % 16384 + 1;
	struct stat st;
	char *map;

	if (fstat(descriptor(w), &st) || !S_ISREG(st.st_mode) || (uint64_t)st.st_size < off + len) {
		printf(" = outside");
		return;
	}
	map = mmap(NULL, len, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor(w), (off_t)off);
	trace_result(map == MAP_FAILED ? -1 : 0);
	if (map == MAP_FAILED)
		return;
	memcpy(map, data_at(off + 1), len);
	munmap(map, len);
}

static void op_ftruncate(const struct trace_words *w)
{
	trace_result(ftruncate(descriptor(w), (off_t)trace_number(w->word[2])));
	size_after(descriptor(w));
}

/*
 * Where FUSE and vfat set a time or not, the file gets a fixed one.  (FUSE:
 * truncate to the same size sets none, fallocate always does.)
 */
void trace_pin(int fd, const char *path)
{
	struct timespec t[2] = { { TRACE_PINNED, 0 }, { TRACE_PINNED, 0 } };
	uid_t me = geteuid();

	if (fd < 0 && !path)
		return;
	if (seteuid(0))
		printf(" seteuid");
	if (path)
		utimensat(AT_FDCWD, path, t, AT_SYMLINK_NOFOLLOW);
	else
		futimens(fd, t);
	if (seteuid(me))
		printf(" seteuid");
}

/* fallocate SLOT MODE OFFSET LENGTH */
static void op_fallocate(const struct trace_words *w)
{
	trace_result(fallocate(descriptor(w), (int)trace_number(w->word[2]), (off_t)trace_number(w->word[3]),
			       (off_t)trace_number(w->word[4])));
	size_after(descriptor(w));
	trace_pin(descriptor(w), NULL);
}

static void op_fsync(const struct trace_words *w)
{
	trace_result(fsync(descriptor(w)));
}

static void op_fstat(const struct trace_words *w)
{
	struct stat st;

	trace_result(fstat(descriptor(w), &st));
	if (descriptor(w) >= 0)
		trace_attributes(&st);
}

/* blocks SLOT: what is allocated */
static void op_blocks(const struct trace_words *w)
{
	struct stat st;

	trace_result(fstat(descriptor(w), &st));
	if (descriptor(w) >= 0)
		printf(" blocks %lld of %ld", (long long)st.st_blocks, (long)st.st_blksize);
}

/* seek SLOT data|hole OFFSET */
static void op_seek(const struct trace_words *w)
{
	trace_result(lseek(descriptor(w), (off_t)trace_number(w->word[3]),
			   strcmp(w->word[2], "data") ? SEEK_HOLE : SEEK_DATA));
}

/* flags SLOT VALUE: FS_IOC_GETFLAGS, and SETFLAGS unless VALUE is negative */
static void op_flags(const struct trace_words *w)
{
	int value = 0;

	trace_result(ioctl(descriptor(w), FS_IOC_GETFLAGS, &value));
	printf(" %x", (unsigned)value);
	value = (int)trace_number(w->word[2]);
	if (value >= 0)
		trace_result(ioctl(descriptor(w), FS_IOC_SETFLAGS, &value));
}

const struct trace_operation trace_data_operations[] = {
	{ "close", 2, op_close },	  { "write", 4, op_write },	    { "read", 4, op_read },
	{ "mmap", 4, op_mmap },		  { "ftruncate", 3, op_ftruncate }, { "fallocate", 5, op_fallocate },
	{ "fsync", 2, op_fsync },	  { "fstat", 2, op_fstat },	    { "blocks", 2, op_blocks },
	{ "seek", 4, op_seek },		  { "flags", 3, op_flags },	    { NULL, 0, NULL },
};
