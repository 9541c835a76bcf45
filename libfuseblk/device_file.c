/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_file.c: a block device or an image file.
 *
 * I/O is direct where the file can do it and the window (offset=, sizelimit=,
 * the file's own size) consists of whole units of direct I/O; then what is
 * not aligned goes through a bounce buffer, and no write ever reaches past
 * the window.  Otherwise all I/O goes through the page cache, and any
 * alignment will do.  Never a mixture of both on one device.
 *
 * A unit may be larger than a sector (an image file of unknown alignment), so
 * every write of part of a unit holds partial_lock from its read to its write.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "device.h"

#define FILE_SECTOR 512u
#define UNKNOWN_ALIGN 4096u	/* suits every disk there is */
#define ALIGN_MAX 65536u
#define BOUNCE_MAX 262144u
#define BOUNCE_WHOLE 65536u	/* copying this much is cheaper than one more I/O */
#define TRANSFER_MAX 0x7ffff000u	/* what one pread(2) or pwrite(2) moves at most */

struct file_device {
	struct fb_device dev;
	int fd;			/* the number stays, what it refers to changes in make_writable */
	uint64_t base;		/* byte of the file where the device begins */
	uint32_t unit;		/* of file offset and length for direct I/O; 1 if buffered */
	uint32_t mem_align;	/* of addresses for direct I/O; 1 if buffered */
	bool direct;
	bool is_block;
	_Atomic bool cut;	/* an image that became shorter in use: what it held is lost, nothing succeeds any more */
	_Atomic unsigned zero_mode;	/* index of the first of zero_modes worth trying */
	pthread_mutex_t partial_lock;
};

static struct file_device *to_file(struct fb_device *dev)
{
	return (struct file_device *)dev;
}

/* ------------------------------------------------------------------ */
/* Reading and writing                                                  */
/* ------------------------------------------------------------------ */

/* Returns the count, never 0, or -errno; -EIO at the end of the file. */
static ssize_t read_some(int fd, void *buf, size_t len, uint64_t pos)
{
	ssize_t n;

	do
		n = pread(fd, buf, len < TRANSFER_MAX ? len : TRANSFER_MAX, (off_t)pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? n : -EIO;
}

static ssize_t write_some(int fd, const void *buf, size_t len, uint64_t pos)
{
	ssize_t n;

	do
		n = pwrite(fd, buf, len < TRANSFER_MAX ? len : TRANSFER_MAX, (off_t)pos);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n ? n : -EIO;
}

static int read_all(int fd, uint8_t *buf, size_t len, uint64_t pos)
{
	while (len) {
		ssize_t n = read_some(fd, buf, len, pos);

		if (n < 0)
			return (int)n;
		buf += n;
		pos += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_all(int fd, const uint8_t *buf, size_t len, uint64_t pos)
{
	while (len) {
		ssize_t n = write_some(fd, buf, len, pos);

		if (n < 0)
			return (int)n;
		buf += n;
		pos += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static uint64_t round_down(uint64_t pos, uint32_t unit)
{
	return pos & ~(uint64_t)(unit - 1);
}

static uint64_t round_up(uint64_t pos, uint32_t unit)
{
	return round_down(pos + unit - 1, unit);
}

/* How much of [pos, pos+len) can be moved to or from @buf as it is; 0: the next part must bounce. */
static size_t direct_length(const struct file_device *f, const void *buf, size_t len, uint64_t pos)
{
	if (pos & (f->unit - 1) || (uintptr_t)buf & (f->mem_align - 1))
		return 0;
	return round_down(len, f->unit);
}

/*
 * The units of the next bounce: from the one with @pos; of a long transfer one
 * only if what follows need not bounce.
 */
struct bounce {
	uint64_t start, end;	/* whole units */
	size_t count;		/* bytes wanted in them, from skip on */
	size_t skip;
	uint8_t *bytes;
};

static int bounce_new(const struct file_device *f, const void *buf, size_t len,
		      uint64_t pos, struct bounce *b)
{
	uint64_t end = round_up(pos + len, f->unit), next;

	b->start = round_down(pos, f->unit);
	if (end - b->start > BOUNCE_MAX)
		end = b->start + BOUNCE_MAX;
	next = b->start + f->unit;
	if (len > BOUNCE_WHOLE && direct_length(f, (const uint8_t *)buf + (next - pos), f->unit, next))
		end = next;
	b->end = end;
	b->skip = pos - b->start;
	b->count = end - pos < len ? end - pos : len;
	return -posix_memalign((void **)&b->bytes, UNKNOWN_ALIGN, end - b->start);
}

static ssize_t bounce_read(struct file_device *f, void *buf, size_t len, uint64_t pos)
{
	struct bounce b;
	int ret = bounce_new(f, buf, len, pos, &b);

	if (ret)
		return ret;
	ret = read_all(f->fd, b.bytes, b.end - b.start, b.start);
	if (!ret)
		memcpy(buf, b.bytes + b.skip, b.count);
	free(b.bytes);
	return ret ? ret : (ssize_t)b.count;
}

/* Read the first and last unit of @b, as far as they are not overwritten whole. */
static int read_edges(struct file_device *f, const struct bounce *b)
{
	uint64_t last = b->end - f->unit;
	bool head = b->skip, tail = b->start + b->skip + b->count < b->end;
	int ret = 0;

	if (head || (tail && last == b->start))
		ret = read_all(f->fd, b->bytes, f->unit, b->start);
	if (!ret && tail && last != b->start)
		ret = read_all(f->fd, b->bytes + (last - b->start), f->unit, last);
	return ret;
}

static ssize_t bounce_write(struct file_device *f, const void *buf, size_t len, uint64_t pos)
{
	struct bounce b;
	bool partial;
	int ret = bounce_new(f, buf, len, pos, &b);

	if (ret)
		return ret;
	partial = b.skip || b.count != b.end - b.start;
	if (partial) {
		pthread_mutex_lock(&f->partial_lock);
		ret = read_edges(f, &b);
	}
	if (!ret) {
		memcpy(b.bytes + b.skip, buf, b.count);
		ret = write_all(f->fd, b.bytes, b.end - b.start, b.start);
	}
	if (partial)
		pthread_mutex_unlock(&f->partial_lock);
	free(b.bytes);
	return ret ? ret : (ssize_t)b.count;
}

static int file_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct file_device *f = to_file(dev);
	uint64_t pos = f->base + off;
	uint8_t *p = buf;

	if (f->cut)
		return -EIO;
	while (len) {
		size_t n = direct_length(f, p, len, pos);
		ssize_t done = n ? read_some(f->fd, p, n, pos) : bounce_read(f, p, len, pos);

		if (done < 0)
			return (int)done;
		p += done;
		pos += (size_t)done;
		len -= (size_t)done;
	}
	return 0;
}

static int file_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	struct file_device *f = to_file(dev);
	uint64_t pos = f->base + off;
	const uint8_t *p = buf;

	if (f->cut)
		return -EIO;
	while (len) {
		size_t n = direct_length(f, p, len, pos);
		ssize_t done = n ? write_some(f->fd, p, n, pos) : bounce_write(f, p, len, pos);

		if (done == -EPERM)	/* a block device that was write-protected while in use */
			return -EROFS;
		if (done < 0)
			return (int)done;
		p += done;
		pos += (size_t)done;
		len -= (size_t)done;
	}
	return 0;
}

/* Writes past the end of an image that was cut would make it longer again, with holes: success would be a lie. */
static bool was_cut(struct file_device *f)
{
	struct stat st;

	if (f->cut)
		return true;
	if (f->is_block || fstat(f->fd, &st) || (uint64_t)st.st_size >= f->base + f->dev.size)
		return false;
	f->cut = true;
	return true;
}

static int file_flush(struct fb_device *dev)
{
	struct file_device *f = to_file(dev);
	int ret;

	do
		ret = fdatasync(f->fd) ? -errno : 0;
	while (ret == -EINTR);
	return !ret && was_cut(f) ? -EIO : ret;
}

/* ------------------------------------------------------------------ */
/* Discarding and zeroing                                               */
/* ------------------------------------------------------------------ */

static int block_ioctl(int fd, unsigned long request, uint64_t off, uint64_t len)
{
	uint64_t range[2] = { off, len };

	if (!ioctl(fd, request, range))
		return 0;
	return errno == ENOTTY ? -EOPNOTSUPP : -errno;
}

static int file_allocate(int fd, int mode, uint64_t off, uint64_t len)
{
	int ret;

	do
		ret = fallocate(fd, mode, (off_t)off, (off_t)len) ? -errno : 0;
	while (ret == -EINTR);
	return ret == -ENOSYS ? -EOPNOTSUPP : ret;
}

static int file_discard(struct fb_device *dev, uint64_t off, uint64_t len)
{
	struct file_device *f = to_file(dev);

	if (f->is_block && f->base % dev->sector)	/* its sectors are not the disk's */
		return -EOPNOTSUPP;
	if (f->is_block)
		return block_ioctl(f->fd, BLKDISCARD, f->base + off, len);
	return file_allocate(f->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, f->base + off, len);
}

/* Best first: the former keeps the space allocated, which a later write then cannot lack. */
static const int zero_modes[] = {
	FALLOC_FL_ZERO_RANGE | FALLOC_FL_KEEP_SIZE,
	FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
};
#define ZERO_MODES (sizeof(zero_modes) / sizeof(zero_modes[0]))

static int file_zero(struct fb_device *dev, uint64_t off, uint64_t len)
{
	struct file_device *f = to_file(dev);
	unsigned mode = f->zero_mode;
	int ret = -EOPNOTSUPP;

	if (f->is_block && f->base % dev->sector)
		return -EOPNOTSUPP;
	if (f->is_block)
		return block_ioctl(f->fd, BLKZEROOUT, f->base + off, len);
	for (; mode < ZERO_MODES && ret == -EOPNOTSUPP; mode++) {
		ret = file_allocate(f->fd, zero_modes[mode], f->base + off, len);
		if (ret == -EOPNOTSUPP)
			f->zero_mode = mode + 1;
	}
	return ret;
}

static int read_number(const char *path, uint64_t *out)
{
	unsigned long long value;
	FILE *file = fopen(path, "re");
	int got;

	if (!file)
		return -errno;
	got = fscanf(file, "%llu", &value);
	fclose(file);
	if (got != 1)
		return -EINVAL;
	*out = value;
	return 0;
}

/* What cannot be learnt is tried: the first -EOPNOTSUPP settles it. */
static bool block_can_discard(dev_t rdev)
{
	/* A partition's queue is its disk's; ".." is taken after the link. */
	static const char *const paths[] = {
		"/sys/dev/block/%u:%u/queue/discard_max_bytes",
		"/sys/dev/block/%u:%u/../queue/discard_max_bytes",
	};
	char path[96];
	uint64_t most = 0;
	size_t i;

	for (i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		snprintf(path, sizeof(path), paths[i], major(rdev), minor(rdev));
		if (!read_number(path, &most))
			return most > 0;
	}
	return true;
}

/* ------------------------------------------------------------------ */
/* Opening and closing                                                  */
/* ------------------------------------------------------------------ */

static bool is_alignment(uint32_t value)
{
	return value && value <= ALIGN_MAX && !(value & (value - 1));
}

/* What direct I/O on @f needs. False if the kernel says that there is none. */
static bool find_alignment(struct file_device *f)
{
	f->unit = f->is_block ? f->dev.sector : UNKNOWN_ALIGN;
	f->mem_align = f->unit;
#ifdef STATX_DIOALIGN
	struct statx stx;

	if (statx(f->fd, "", AT_EMPTY_PATH, STATX_DIOALIGN, &stx) || !(stx.stx_mask & STATX_DIOALIGN))
		return true;
	if (!stx.stx_dio_offset_align)
		return false;
	if (is_alignment(stx.stx_dio_offset_align) && is_alignment(stx.stx_dio_mem_align)) {
		f->unit = stx.stx_dio_offset_align;
		f->mem_align = stx.stx_dio_mem_align;
	}
#endif
	return true;
}

/* A file in memory takes O_DIRECT and gains nothing: its pages are the page cache. */
static bool is_in_memory(const struct file_device *f)
{
	struct statfs fs;

	if (f->is_block || fstatfs(f->fd, &fs))
		return false;
	return fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC;
}

static int set_direct(int fd, bool on)
{
	int flags = fcntl(fd, F_GETFL);

	if (flags < 0)
		return -errno;
	flags = on ? flags | O_DIRECT : flags & ~O_DIRECT;
	return fcntl(fd, F_SETFL, flags) ? -errno : 0;
}

/* One direct read that need not succeed, but must not be refused for being direct. */
static bool direct_read_works(const struct file_device *f)
{
	void *buf;
	ssize_t n;

	if (posix_memalign(&buf, UNKNOWN_ALIGN, f->unit))
		return false;
	n = read_some(f->fd, buf, f->unit, f->base);
	free(buf);
	return n != -EINVAL && n != -EOPNOTSUPP;
}

static void choose_direct(struct file_device *f)
{
	f->direct = f->dev.size && !is_in_memory(f) && find_alignment(f) &&
		    f->base % f->unit == 0 && f->dev.size % f->unit == 0 &&
		    !set_direct(f->fd, true) && direct_read_works(f);
	if (!f->direct) {
		set_direct(f->fd, false);
		f->unit = 1;
		f->mem_align = 1;
	}
	f->dev.align = f->unit > f->mem_align ? f->unit : f->mem_align;
}

/* Total size in bytes of the file or device; sets what the geometry is. */
static int find_geometry(struct file_device *f, const struct stat *st, uint64_t *total)
{
	int sector;

	f->dev.sector = FILE_SECTOR;
	f->dev.can_discard = true;
	if (S_ISREG(st->st_mode)) {
		*total = (uint64_t)st->st_size;
		return 0;
	}
	if (!S_ISBLK(st->st_mode))
		return -ENODEV;
	if (ioctl(f->fd, BLKGETSIZE64, total) || ioctl(f->fd, BLKSSZGET, &sector))
		return -errno;
	if (sector <= 0 || !is_alignment((uint32_t)sector))
		return -EINVAL;
	f->is_block = true;
	f->dev.sector = (uint32_t)sector;
	f->dev.can_discard = block_can_discard(st->st_rdev);
	*total -= *total % f->dev.sector;
	return 0;
}

static int find_window(struct file_device *f, uint64_t total, uint64_t offset, uint64_t sizelimit)
{
	if (offset % 512 || (offset && offset >= total))
		return -EINVAL;
	f->base = offset;
	f->dev.size = total - offset;
	if (sizelimit && sizelimit < f->dev.size)
		f->dev.size = sizelimit;
	return 0;
}

/* 1 if nothing can be written through @fd, 0 if it can, -EBADF if it cannot be read. */
static int fd_is_read_only(int fd, bool is_block)
{
	int flags = fcntl(fd, F_GETFL), ro = 0;

	if (flags < 0 || (flags & O_ACCMODE) == O_WRONLY)
		return -EBADF;
	if ((flags & O_ACCMODE) == O_RDONLY)
		return 1;
	if (is_block && ioctl(fd, BLKROGET, &ro))
		return -errno;
	return ro ? 1 : 0;
}

static bool is_same_file(int a, int b)
{
	struct stat sa, sb;

	if (fstat(a, &sa) || fstat(b, &sb) || (sa.st_mode & S_IFMT) != (sb.st_mode & S_IFMT))
		return false;
	if (S_ISBLK(sa.st_mode))
		return sa.st_rdev == sb.st_rdev;
	return sa.st_dev == sb.st_dev && sa.st_ino == sb.st_ino;
}

/* The descriptor's number is kept, so that I/O under way in other threads goes on undisturbed. */
static int file_make_writable(struct fb_device *dev, int fd)
{
	struct file_device *f = to_file(dev);
	int ret = is_same_file(fd, f->fd) ? fd_is_read_only(fd, f->is_block) : -EINVAL;

	if (ret > 0)
		ret = -EROFS;
	if (!ret)
		ret = set_direct(fd, f->direct);
	if (!ret && dup3(fd, f->fd, O_CLOEXEC) < 0)
		ret = -errno;
	if (!ret)
		dev->read_only = false;
	if (fd >= 0)
		close(fd);
	return ret;
}

static void file_close(struct fb_device *dev)
{
	struct file_device *f = to_file(dev);

	close(f->fd);
	pthread_mutex_destroy(&f->partial_lock);
	free(f);
}

static const struct fb_device_ops file_ops = {
	.read = file_read,
	.write = file_write,
	.flush = file_flush,
	.discard = file_discard,
	.zero = file_zero,
	.make_writable = file_make_writable,
	.close = file_close,
};

static int file_init(struct file_device *f, uint64_t offset, uint64_t sizelimit, bool read_only)
{
	struct stat st;
	uint64_t total;
	int ret;

	if (fstat(f->fd, &st))
		return -errno;
	ret = find_geometry(f, &st, &total);
	if (!ret)
		ret = find_window(f, total, offset, sizelimit);
	if (!ret)
		ret = fd_is_read_only(f->fd, f->is_block);
	if (ret < 0)
		return ret;
	f->dev.read_only = read_only || ret;
	f->dev.ops = &file_ops;
	choose_direct(f);
	return 0;
}

int fb_device_open_file(int fd, uint64_t offset, uint64_t sizelimit,
			bool read_only, struct fb_device **out)
{
	struct file_device *f;
	int ret;

	fd = fb_device_adopt_fd(fd);
	if (fd < 0)
		return fd;
	f = calloc(1, sizeof(*f));
	if (!f) {
		close(fd);
		return -ENOMEM;
	}
	f->fd = fd;
	pthread_mutex_init(&f->partial_lock, NULL);
	ret = file_init(f, offset, sizelimit, read_only);
	if (ret) {
		file_close(&f->dev);
		return ret;
	}
	*out = &f->dev;
	return 0;
}
