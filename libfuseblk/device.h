/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.h: where a volume's bytes live.
 *
 * A device is a byte array with a size, a logical sector size and a
 * read-only state that are found once, when it is opened.  Kinds: a block
 * device or image file (device_file.c), a gzip image (device_gzip.c), memory
 * (device_mem.c), and fault injection around any of them (device_fault.c).
 * Reads and writes are full-length and take any alignment: a kind that needs
 * aligned I/O bounces what is not, and the caller keeps two threads from
 * writing parts of one sector at a time.
 */
#ifndef FB_DEVICE_H
#define FB_DEVICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fb_device;

struct fb_device_ops {
	int (*read)(struct fb_device *dev, void *buf, size_t len, uint64_t off);
	int (*write)(struct fb_device *dev, const void *buf, size_t len, uint64_t off);
	int (*flush)(struct fb_device *dev);		/* all completed writes are stable when it returns */
	int (*discard)(struct fb_device *dev, uint64_t off, uint64_t len);	/* NULL: none */
	int (*zero)(struct fb_device *dev, uint64_t off, uint64_t len);		/* NULL: written as zeros */
	int (*make_writable)(struct fb_device *dev, int fd);	/* remount rw: adopts fd; NULL: -EROFS */
	void (*close)(struct fb_device *dev);		/* frees dev too */
};

struct fb_device {
	const struct fb_device_ops *ops;
	uint64_t size;		/* bytes, after offset= and sizelimit= */
	uint32_t sector;	/* logical sector size, bytes; smallest atomic write */
	uint32_t align;		/* address, offset and length alignment that avoids a bounce; >= 1 */
	bool read_only;
	bool can_discard;
};

/*
 * All of these may block; none takes a lock of the library.  They may be
 * called from any thread.  [off, off+len) must lie inside the device.
 * Return 0, -EIO, -ENOSPC (sparse image on a full filesystem), -EROFS,
 * -ENOMEM, or the error the kernel gave.
 */
int fb_device_read(struct fb_device *dev, void *buf, size_t len, uint64_t off);
int fb_device_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off);
int fb_device_flush(struct fb_device *dev);
int fb_device_discard(struct fb_device *dev, uint64_t off, uint64_t len);	/* -EOPNOTSUPP */
int fb_device_zero(struct fb_device *dev, uint64_t off, uint64_t len);
int fb_device_make_writable(struct fb_device *dev, int fd);
void fb_device_close(struct fb_device *dev);	/* NULL: nothing */

/*
 * A block device or image file on @fd, which the device owns from now on
 * (moved above 2 if need be).  Reopened or switched to O_DIRECT where the
 * file allows; else through the page cache.  Read-only if @read_only, if fd
 * is not open for writing, or BLKROGET says so.  @sizelimit 0: to the end.
 * Returns 0, -EINVAL (offset past the end or not a multiple of 512), -ENODEV
 * (neither file nor block device), -errno of fstat/ioctl.
 */
int fb_device_open_file(int fd, uint64_t offset, uint64_t sizelimit,
			bool read_only, struct fb_device **out);

/*
 * A gzip image on @fd (owned), read-only.  @index_fd: a file with saved
 * checkpoints to be used or written, or -1 (owned).  Cheap: nothing is
 * inflated but the first block; the size comes from the index, or by
 * inflating to the end once on the first need (interruptible).
 * Returns 0, -EUCLEAN (not gzip or damaged), -EINTR, ...
 */
int fb_device_open_gzip(int fd, int index_fd, struct fb_device **out);
bool fb_device_is_gzip(int fd);		/* looks at the magic only; fd's offset is unchanged */

/* @size bytes of memory, zeroed; @image NULL or copied in. */
int fb_device_open_mem(const void *image, uint64_t size, uint32_t sector,
		       struct fb_device **out);
void *fb_device_mem_bytes(struct fb_device *dev);

/*
 * Fault injection around @lower (owned).  Counts every operation of the kind
 * asked for, from 1; the Nth does what @action says, and with @sticky every
 * later one too.  Thread-safe.
 */
enum fb_fault_kind { FB_FAULT_READ, FB_FAULT_WRITE, FB_FAULT_FLUSH, FB_FAULT_ANY };
enum fb_fault_action {
	FB_FAULT_FAIL,	/* -EIO, nothing done */
	FB_FAULT_TEAR,	/* writes: the first half reaches the device, rounded down to sectors, then -EIO */
	FB_FAULT_DROP,	/* writes and flushes: says it succeeded and does nothing */
};
int fb_device_open_fault(struct fb_device *lower, struct fb_device **out);
void fb_device_fault_set(struct fb_device *dev, enum fb_fault_kind kind,
			 uint64_t nth, enum fb_fault_action action, bool sticky);
uint64_t fb_device_fault_count(struct fb_device *dev, enum fb_fault_kind kind);

/*
 * The write log: from now on every write and flush is recorded with its
 * bytes.  The log may be read after, or written to a file by
 * fb_write_log_save() and loaded in another process.
 */
struct fb_write_log_entry {
	uint64_t off;
	uint64_t len;		/* 0: a flush */
	const uint8_t *bytes;
};
struct fb_write_log;
int fb_device_fault_log(struct fb_device *dev, struct fb_write_log **out);	/* owned by the caller, must outlive dev */
size_t fb_write_log_count(const struct fb_write_log *log);
const struct fb_write_log_entry *fb_write_log_get(const struct fb_write_log *log, size_t i);
int fb_write_log_save(const struct fb_write_log *log, int fd);
int fb_write_log_load(int fd, struct fb_write_log **out);
void fb_write_log_free(struct fb_write_log *log);

#endif
