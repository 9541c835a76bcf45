// SPDX-License-Identifier: GPL-2.0-or-later
/* operations.c: the operations of the differential test, one function each. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "diff.h"

static uint8_t pattern[2 * IO_MAX];

static const uint8_t *data_for(const struct step *s)
{
	if (!pattern[1])
		for (size_t i = 0; i < sizeof(pattern); i++)
			pattern[i] = (uint8_t)(i * 31 + (i >> 8) * 7 + 1);
	return pattern + s->number[0] % IO_MAX;
}

static int open_slot(struct side *side, const struct step *s)
{
	int fd = side->files[s->slot];

	if (fd < 0)
		errno = EBADF;
	return fd;
}

/* differences.md: on FUSE a handle opened before chattr writes on, and an append-only file can be mapped. */
static bool is_fixed(int fd, int flags)
{
	int have;

	return !ioctl(fd, FS_IOC_GETFLAGS, &have) && (have & flags);
}

/* differences.md: what is written all the same on FUSE. */
static bool is_refused_on_ext4(int fd, const struct step *s)
{
	struct stat st;

	if (is_fixed(fd, FS_IMMUTABLE_FL))
		return true;
	return s->uid && is_fixed(fd, FS_APPEND_FL) && !fstat(fd, &st) && (st.st_mode & (S_ISUID | S_ISGID));
}

/* The path through /proc for calls that take no directory descriptor. */
static const char *full(struct side *side, const char *path, char *buf, size_t size)
{
	snprintf(buf, size, "/proc/self/fd/%d/%s", side->dir, path);
	return buf;
}

/* Regular files only: differences.md, times of what is written into FIFOs. */
static void keep_open(struct side *side, const struct step *s, int fd)
{
	struct stat st;

	if (fd < 0)
		return;
	if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
		close(fd);
		return;
	}
	if (side->files[s->slot] >= 0)
		close(side->files[s->slot]);
	side->files[s->slot] = fd;
}

static void op_create(struct side *side, const struct step *s, struct outcome *out)
{
	static const int flags[] = { O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL, O_WRONLY | O_CREAT | O_TRUNC,
				     O_RDWR | O_CREAT | O_APPEND };
	int fd = openat(side->dir, s->path[0], flags[s->number[0] % 4] | O_NOFOLLOW | O_NONBLOCK, s->number[1] & 07777);

	see_result(out, fd < 0 ? -1 : 0);
	keep_open(side, s, fd);
	see_stat(out, side->dir, s->path[0]);
}

static void op_open(struct side *side, const struct step *s, struct outcome *out)
{
	static const int flags[] = { O_RDONLY, O_RDWR, O_WRONLY, O_RDWR | O_TRUNC, O_RDWR | O_APPEND };
	int fd = openat(side->dir, s->path[0], flags[s->number[0] % 5] | O_NOFOLLOW | O_NONBLOCK);

	see_result(out, fd < 0 ? -1 : 0);
	keep_open(side, s, fd);
}

static void op_close(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);

	see_result(out, fd < 0 ? -1 : close(fd));
	side->files[s->slot] = -1;
}

static void op_tmpfile(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = openat(side->dir, s->path[0], O_RDWR | O_TMPFILE, s->number[1] & 0777);

	see_result(out, fd < 0 ? -1 : 0);
	keep_open(side, s, fd);
}

static void op_link_open(struct side *side, const struct step *s, struct outcome *out)
{
	char proc[64];
	int fd = open_slot(side, s);

	snprintf(proc, sizeof(proc), "/proc/self/fd/%d", fd);
	see_naming(out, fd < 0 ? -1 : linkat(AT_FDCWD, proc, side->dir, s->path[0], AT_SYMLINK_FOLLOW));
}

static void op_mkdir(struct side *side, const struct step *s, struct outcome *out)
{
	see_result(out, mkdirat(side->dir, s->path[0], s->number[1] & 03777));
	see_stat(out, side->dir, s->path[0]);
}

static void op_rmdir(struct side *side, const struct step *s, struct outcome *out)
{
	see_naming(out, unlinkat(side->dir, s->path[0], AT_REMOVEDIR));
}

static void op_unlink(struct side *side, const struct step *s, struct outcome *out)
{
	see_naming(out, unlinkat(side->dir, s->path[0], 0));
}

static void op_rename(struct side *side, const struct step *s, struct outcome *out)
{
	static const unsigned flags[] = { 0, 0, 0, RENAME_NOREPLACE, RENAME_EXCHANGE, RENAME_WHITEOUT };
	unsigned f = flags[s->number[0] % 6];

	see_naming(out, syscall(SYS_renameat2, side->dir, s->path[0], side->dir, s->path[1], f));
	see_stat(out, side->dir, s->path[0]);
	see_stat(out, side->dir, s->path[1]);
}

static void op_link(struct side *side, const struct step *s, struct outcome *out)
{
	see_result(out, linkat(side->dir, s->path[0], side->dir, s->path[1], 0));
	see_stat(out, side->dir, s->path[1]);
}

static void op_symlink(struct side *side, const struct step *s, struct outcome *out)
{
	char target[4200];
	static const size_t limits[] = { 59, 60, 61, 1023, 1024, 1025, 4094, 4095, 4096 };
	size_t len = 1 + s->number[1] % 120;

	if (s->number[0] % 5 == 0)
		len = 1 + s->number[1] % 4200;
	else if (s->number[0] % 5 == 1)
		len = limits[s->number[1] % 9];
	memset(target, 'x', sizeof(target));
	target[len < sizeof(target) ? len : sizeof(target) - 1] = 0;
	see_result(out, symlinkat(target, side->dir, s->path[0]));
}

/* The longest names, and longer ones. */
static void op_long_name(struct side *side, const struct step *s, struct outcome *out)
{
	static const size_t lengths[] = { 252, 253, 254, 255, 255, 255, 256, 1000 };
	size_t len = lengths[s->number[1] % 8], dir = strcspn(s->path[0], "/");
	char path[1200];
	int fd;

	dir = s->path[0][dir] ? dir + 1 : 0;
	memcpy(path, s->path[0], dir);
	memset(path + dir, 'a' + (int)(s->number[2] % 3), len);
	path[dir + len] = 0;
	switch (s->number[0] % 5) {
	case 0:
		fd = openat(side->dir, path, O_CREAT | O_WRONLY | O_NONBLOCK, 0644);
		see_result(out, fd < 0 ? -1 : close(fd));
		break;
	case 1:
		see_result(out, mkdirat(side->dir, path, 0755));
		break;
	case 2:
		see_naming(out, renameat(side->dir, s->path[1], side->dir, path));
		break;
	case 3:
		see_naming(out, unlinkat(side->dir, path, s->number[3] % 2 ? AT_REMOVEDIR : 0));
		break;
	default:
		see_result(out, linkat(side->dir, s->path[1], side->dir, path, 0));
		break;
	}
	see_stat(out, side->dir, path);
}

static void op_readlink(struct side *side, const struct step *s, struct outcome *out)
{
	char target[8192];
	ssize_t n = readlinkat(side->dir, s->path[0], target, sizeof(target));

	see_result(out, n);
	see_bytes(out, target, n > 0 ? (size_t)n : 0);
}

static void op_mknod(struct side *side, const struct step *s, struct outcome *out)
{
	static const mode_t kinds[] = { S_IFIFO, S_IFSOCK, S_IFCHR, S_IFBLK, S_IFREG };

	see_result(out, mknodat(side->dir, s->path[0], kinds[s->number[0] % 5] | (s->number[1] & 0777),
				makedev(1000 + s->number[2] % 300, s->number[3] % 70000)));
	see_stat(out, side->dir, s->path[0]);
}

/* Until it is written out, Linux 6.18's ext4 shows zeros for the end of a long write to a file that had inline data. */
static void settle(const struct side *side, int fd)
{
	if (side->is_reference)
		fsync(fd);
}

static void op_write(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);

	if (is_refused_on_ext4(fd, s))
		return;
	/* differences.md: past the greatest size, the error comes from fsync: 16 GiB suit all */
	see_result(out, fd < 0 ? -1 : pwrite(fd, data_for(s), s->len % IO_MAX, (off_t)(s->off % (16ull << 30))));
	settle(side, fd);
}

static void op_append(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);

	if (is_refused_on_ext4(fd, s))
		return;
	if (fd >= 0)
		lseek(fd, 0, SEEK_END);
	see_result(out, fd < 0 ? -1 : write(fd, data_for(s), s->len % 9000));
	settle(side, fd);
}

static void op_read(struct side *side, const struct step *s, struct outcome *out)
{
	static uint8_t buf[IO_MAX];
	int fd = open_slot(side, s);
	ssize_t n = fd < 0 ? -1 : pread(fd, buf, s->len % IO_MAX, (off_t)s->off);

	see_result(out, n);
	see_bytes(out, buf, n > 0 ? (size_t)n : 0);
}

static void op_mmap_write(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);
	struct stat st;
	size_t len = 1 + s->len % 20000;
	uint8_t *p;

	if (fd < 0 || fstat(fd, &st) || st.st_size < (off_t)(65536 + len) || is_fixed(fd, FS_IMMUTABLE_FL | FS_APPEND_FL)) {
		see(out, "not mapped\n");
		return;
	}
	p = mmap(NULL, 65536 + len, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	see_result(out, p == MAP_FAILED ? -1 : 0);
	if (p == MAP_FAILED)
		return;
	memcpy(p + s->number[1] % 65536, data_for(s), len);
	munmap(p, 65536 + len);
}

static void op_truncate(struct side *side, const struct step *s, struct outcome *out)
{
	char buf[256];
	struct stat st;

	/* differences.md: times of truncating to the same size */
	if (!fstatat(side->dir, s->path[0], &st, AT_SYMLINK_NOFOLLOW) && S_ISREG(st.st_mode) && st.st_size == (off_t)s->off)
		return;
	see_result(out, truncate(full(side, s->path[0], buf, sizeof(buf)), (off_t)s->off));
	see_stat(out, side->dir, s->path[0]);
}

static void op_ftruncate(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);

	see_result(out, fd < 0 ? -1 : ftruncate(fd, (off_t)s->off));
}

static void op_fallocate(struct side *side, const struct step *s, struct outcome *out)
{
	static const int modes[] = { 0, FALLOC_FL_KEEP_SIZE, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
				     FALLOC_FL_ZERO_RANGE, FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE };
	int fd = open_slot(side, s), mode = modes[s->number[0] % 5];
	off_t off = (off_t)s->off;
	struct stat st;

	if (is_fixed(fd, FS_IMMUTABLE_FL | FS_APPEND_FL))
		return;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		off %= 16ll << 30;	/* differences.md: holes past the greatest size */
	see_result(out, fd < 0 ? -1 : fallocate(fd, mode, off, (off_t)(s->len % (4 * IO_MAX))));
	if (fd >= 0 && out->error)
		futimens(fd, NULL);	/* differences.md: times after one that failed */
	if (fd >= 0 && !fstat(fd, &st))
		see(out, "size %lld\n", (long long)st.st_size);
}

static bool is_zero(int fd, off_t off, off_t end)
{
	static uint8_t buf[1 << 16];

	while (off < end) {
		ssize_t n = pread(fd, buf, end - off < (off_t)sizeof(buf) ? (size_t)(end - off) : sizeof(buf), off);

		if (n <= 0)
			return n == 0 || errno == EBADF;	/* open for writing only */
		for (ssize_t i = 0; i < n; i++)
			if (buf[i])
				return false;
		off += n;
	}
	return true;
}

/* Data from @off on may not be passed over; where a hole begins is the filesystem's choice. */
static const char *judge_seek(int fd, off_t off, off_t size)
{
	off_t hole = lseek(fd, off, SEEK_HOLE), data;

	if (hole < 0 && errno == EINVAL)	/* differences.md: open for writing */
		return off < size ? "right" : "at the end";
	if (off >= size)
		return hole < 0 && errno == ENXIO ? "at the end" : "wrong: past the end";
	if (hole < off || hole > size)
		return "wrong: SEEK_HOLE out of bounds";
	data = lseek(fd, hole, SEEK_DATA);
	if (data < 0)
		data = errno == ENXIO ? size : -1;
	if (data < hole || data > size)
		return "wrong: SEEK_DATA out of bounds";
	return data - hole < (64 << 20) && !is_zero(fd, hole, data) ? "wrong: a hole with data" : "right";
}

static void op_seek(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = s->number[1] % 2 ? openat(side->dir, s->path[0], O_RDONLY | O_NOFOLLOW | O_NONBLOCK)
				  : dup(open_slot(side, s));
	struct stat st;

	see_result(out, fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	if (side->is_reference)
		fsync(fd);	/* without extents ext4 passes over data in the page cache */
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		see(out, "%s\n", judge_seek(fd, (off_t)s->off, st.st_size));
	close(fd);
}

static void op_copy(struct side *side, const struct step *s, struct outcome *out)
{
	int from = side->files[s->slot], to = side->files[(s->slot + 1) % OPEN_FILES];
	off_t at_from = (off_t)s->off, at_to = (off_t)(s->number[0] % 500000);

	/* differences.md: nothing to copy is no error on FUSE, whatever the target */
	if (is_fixed(to, FS_IMMUTABLE_FL) && lseek(from, 0, SEEK_END) <= at_from)
		return;
	errno = EBADF;
	see_result(out, from < 0 || to < 0 ? -1 : copy_file_range(from, &at_from, to, &at_to, s->len % IO_MAX, 0));
}

static void op_fsync(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = open_slot(side, s);

	see_result(out, fd < 0 ? -1 : s->number[0] % 2 ? fsync(fd) : fdatasync(fd));
}

static void op_chmod(struct side *side, const struct step *s, struct outcome *out)
{
	see_result(out, fchmodat(side->dir, s->path[0], s->number[0] & 07777, 0));
	see_stat(out, side->dir, s->path[0]);
}

static void op_chown(struct side *side, const struct step *s, struct outcome *out)
{
	static const uid_t ids[] = { 0, 1000, 1001, 70000, (uid_t)-1 };

	see_result(out, fchownat(side->dir, s->path[0], ids[s->number[0] % 5], ids[s->number[1] % 5],
				 AT_SYMLINK_NOFOLLOW));
	see_stat(out, side->dir, s->path[0]);
}

static void op_utimens(struct side *side, const struct step *s, struct outcome *out)
{
	static const time_t when[] = { 0, 1, 86400, 1000000000, 2147483648, 4294967296, 15032385535, -1000000 };
	struct timespec t[2] = { { when[s->number[0] % 8], s->number[2] % 1000000000 },
				 { when[s->number[1] % 8], s->number[3] % 1000000000 } };
	struct stat st;

	if (t[1].tv_sec == 15032385535)
		t[1].tv_nsec = 0;	/* differences.md: times past what the volume can hold */
	see_result(out, utimensat(side->dir, s->path[0], t, AT_SYMLINK_NOFOLLOW));
	if (!out->error && !fstatat(side->dir, s->path[0], &st, AT_SYMLINK_NOFOLLOW))
		see(out, "%lld.%ld %lld.%ld\n", (long long)st.st_atim.tv_sec, st.st_atim.tv_nsec,
		    (long long)st.st_mtim.tv_sec, st.st_mtim.tv_nsec);
}

static const char *xattr_name(const struct step *s)
{
	static const char *const names[] = { "user.a", "user.longer-name", "trusted.t", "security.s", "user.",
					     "system.posix_acl_access", "strange.x", "user.b" };

	return names[s->number[0] % 8];
}

static void op_setxattr(struct side *side, const struct step *s, struct outcome *out)
{
	char buf[256];
	size_t len = s->number[1] % 4 ? s->number[2] % 200 : s->number[2] % 5000;
	struct stat st;

	/* e2fsck 1.47 takes a short link with a value in an inode of its own for a long one, the kernel's too */
	if (len > 200 && !fstatat(side->dir, s->path[0], &st, AT_SYMLINK_NOFOLLOW) && S_ISLNK(st.st_mode))
		len = 200;
	see_result(out, lsetxattr(full(side, s->path[0], buf, sizeof(buf)), xattr_name(s), data_for(s), len,
				  (int)(s->number[3] % 6 == 1 ? XATTR_CREATE : s->number[3] % 6 == 2 ? XATTR_REPLACE : 0)));
}

static void op_getxattr(struct side *side, const struct step *s, struct outcome *out)
{
	char buf[256], value[8192];
	ssize_t n = lgetxattr(full(side, s->path[0], buf, sizeof(buf)), xattr_name(s), value,
			      s->number[3] % 3 ? sizeof(value) : s->number[3] % 100);

	see_result(out, n);
	see_bytes(out, value, n > 0 && s->number[3] % 3 ? (size_t)n : 0);
}

static int by_string(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void op_listxattr(struct side *side, const struct step *s, struct outcome *out)
{
	char buf[256], names[8192], *sorted[128];
	ssize_t n = llistxattr(full(side, s->path[0], buf, sizeof(buf)), names, sizeof(names));
	size_t count = 0;

	see_result(out, n);
	for (char *p = names; n > 0 && p < names + n && count < 128; p += strlen(p) + 1)
		sorted[count++] = p;
	qsort(sorted, count, sizeof(*sorted), by_string);
	for (size_t i = 0; i < count; i++)
		see(out, "%s\n", sorted[i]);
}

static void op_removexattr(struct side *side, const struct step *s, struct outcome *out)
{
	char buf[256];

	see_result(out, lremovexattr(full(side, s->path[0], buf, sizeof(buf)), xattr_name(s)));
}

static void op_set_acl(struct side *side, const struct step *s, struct outcome *out)
{
	struct entry { uint16_t tag, perm; uint32_t id; } __attribute__((packed));
	struct { uint32_t version; struct entry e[5]; } __attribute__((packed)) acl = { 2, {
		{ 1, s->number[0] & 7, 0xffffffff }, { 2, s->number[1] & 7, 1001 },
		{ 4, s->number[2] & 7, 0xffffffff }, { 16, s->number[3] & 7, 0xffffffff },
		{ 32, (s->number[0] >> 3) & 7, 0xffffffff } } };
	char buf[256];

	see_result(out, setxattr(full(side, s->path[0], buf, sizeof(buf)),
				 s->number[0] & 64 ? "system.posix_acl_default" : "system.posix_acl_access",
				 &acl, sizeof(acl), 0));
	see_stat(out, side->dir, s->path[0]);
}

/* How a file is stored, not what it is. */
#define STORAGE_FLAGS (FS_EXTENT_FL | FS_INDEX_FL | FS_HUGE_FILE_FL | FS_INLINE_DATA_FL)

static void op_flags(struct side *side, const struct step *s, struct outcome *out)
{
	/* not FS_SYNC_FL: differences.md, modification times of what is written past the cache */
	static const int flags[] = { 0, FS_NODUMP_FL, FS_NOATIME_FL, FS_DIRSYNC_FL, FS_APPEND_FL, FS_IMMUTABLE_FL };
	int fd = openat(side->dir, s->path[0], O_RDONLY | O_NOFOLLOW | O_NONBLOCK), old = 0, new;

	if (fd < 0) {
		see_result(out, -1);
		return;
	}
	see_result(out, ioctl(fd, FS_IOC_GETFLAGS, &old));
	old &= ~STORAGE_FLAGS;
	see(out, "flags %x\n", old);
	new = flags[s->number[0] % 6];
	/* an immutable file that is to stay so: ext4 compares flags of its own, too */
	if (!out->error && !(old & new & FS_IMMUTABLE_FL)) {
		int keep = 0;

		ioctl(fd, FS_IOC_GETFLAGS, &keep);
		new |= keep & STORAGE_FLAGS;
		see_result(out, ioctl(fd, FS_IOC_SETFLAGS, &new));
	}
	close(fd);
}

static void op_list(struct side *side, const struct step *s, struct outcome *out)
{
	int fd = openat(side->dir, s->path[0], O_RDONLY | O_DIRECTORY | O_NOFOLLOW);
	char *names[1024];
	struct dirent *e;
	size_t n = 0;
	DIR *d;

	see_result(out, fd < 0 ? -1 : 0);
	if (fd < 0)
		return;
	d = fdopendir(fd);
	while (n < 1024 && (e = readdir(d))) {
		char item[300];

		snprintf(item, sizeof(item), "%s %d", e->d_name, e->d_type);
		names[n++] = strdup(item);
	}
	closedir(d);
	qsort(names, n, sizeof(*names), by_string);
	for (size_t i = 0; i < n; i++) {
		see_bytes(out, names[i], strlen(names[i]) + 1);
		if (n < 40)
			see(out, "%s\n", names[i]);
		free(names[i]);
	}
	see(out, "%zu names\n", n);
}

static void op_stat(struct side *side, const struct step *s, struct outcome *out)
{
	see_stat(out, side->dir, s->path[0]);
}

static void op_access(struct side *side, const struct step *s, struct outcome *out)
{
	see_result(out, faccessat(side->dir, s->path[0], (int)(s->number[0] & 7), AT_EACCESS));
	out->access = true;
}

static void op_many(struct side *side, const struct step *s, struct outcome *out)
{
	unsigned base = s->number[0] % 200, count = s->number[1] % 60;
	long done = 0;

	for (unsigned i = 0; i < count; i++) {
		char path[256];
		int fd;

		snprintf(path, sizeof(path), "%s/file-with-a-rather-long-name-%u", s->path[0], base + i);
		if (s->number[2] % 3) {
			fd = openat(side->dir, path, O_CREAT | O_WRONLY, 0644);
			done += fd >= 0;
			if (fd >= 0)
				close(fd);
		} else {
			done += !unlinkat(side->dir, path, 0);
		}
	}
	see_result(out, done);
}

const struct operation operations[] = {
	{ "create", 14, op_create },	   { "open", 8, op_open },	     { "close", 4, op_close },
	{ "tmpfile", 2, op_tmpfile },	   { "link-open", 2, op_link_open }, { "mkdir", 8, op_mkdir },
	{ "rmdir", 5, op_rmdir },	   { "unlink", 8, op_unlink },	     { "rename", 12, op_rename },
	{ "link", 6, op_link },		   { "symlink", 4, op_symlink },     { "readlink", 3, op_readlink },
	{ "long-name", 4, op_long_name },
	{ "mknod", 3, op_mknod },	   { "write", 16, op_write },	     { "append", 8, op_append },
	{ "read", 10, op_read },	   { "mmap", 3, op_mmap_write },     { "truncate", 4, op_truncate },
	{ "ftruncate", 5, op_ftruncate },  { "fallocate", 8, op_fallocate }, { "seek", 4, op_seek },
	{ "copy", 4, op_copy },		   { "fsync", 3, op_fsync },	     { "chmod", 5, op_chmod },
	{ "chown", 5, op_chown },	   { "utimens", 5, op_utimens },     { "setxattr", 7, op_setxattr },
	{ "getxattr", 4, op_getxattr },	   { "listxattr", 3, op_listxattr }, { "removexattr", 3, op_removexattr },
	{ "acl", 4, op_set_acl },	   { "flags", 4, op_flags },	     { "list", 5, op_list },
	{ "stat", 6, op_stat },		   { "access", 3, op_access },	     { "many", 3, op_many },
};
const unsigned operation_count = sizeof(operations) / sizeof(operations[0]);
