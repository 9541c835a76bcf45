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

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct fb_device;

/*
 * What a kind implements.  The front (device.c) has checked bounds, read-only
 * state and len > 0; discard and zero get whole sectors.
 */
struct fb_device_ops {
	int (*read)(struct fb_device *dev, void *buf, size_t len, uint64_t off);
	int (*write)(struct fb_device *dev, const void *buf, size_t len, uint64_t off);
	int (*flush)(struct fb_device *dev);		/* all completed writes are stable when it returns */
	int (*discard)(struct fb_device *dev, uint64_t off, uint64_t len);	/* NULL: none */
	int (*zero)(struct fb_device *dev, uint64_t off, uint64_t len);		/* NULL, -EOPNOTSUPP: written as zeros */
	int (*make_writable)(struct fb_device *dev, int fd);	/* remount rw: adopts fd, also on failure; NULL: -EROFS */
	void (*close)(struct fb_device *dev);		/* frees dev too */
};

/* What device.c keeps an average duration of: by kind, reads and writes also by size. */
enum fb_device_work {
	FB_WORK_READ,		/* to 16 KiB, to 128 KiB, above */
	FB_WORK_WRITE = FB_WORK_READ + 3,
	FB_WORK_FLUSH = FB_WORK_WRITE + 3,
	FB_WORK_CLEAR,		/* discard, zero */
	FB_WORK_COUNT
};

struct fb_device {
	const struct fb_device_ops *ops;
	uint64_t size;		/* bytes, after offset= and sizelimit= */
	uint32_t sector;	/* logical sector size, bytes; smallest atomic write */
	uint32_t align;		/* address, offset and length alignment that avoids a bounce; >= 1 */
	_Atomic bool read_only;
	_Atomic bool can_discard;
	_Atomic uint32_t average[FB_WORK_COUNT];	/* ns per call; device.c's own */
};

/*
 * All of these may block; none takes a lock of the library.  They may be
 * called from any thread.  [off, off+len) must lie inside the device.
 * Return 0, -EIO, -ENOSPC (sparse image on a full filesystem), -EROFS,
 * -ENOMEM, or the error the kernel gave.  A discard or the zeroing of a large
 * range is rounded inward to sectors (zero writes the rest).  A caller in a
 * worker need not call fb_block_begin(): the front does, once the device has
 * proved slow.
 */
int fb_device_read(struct fb_device *dev, void *buf, size_t len, uint64_t off);
int fb_device_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off);
int fb_device_flush(struct fb_device *dev);
int fb_device_discard(struct fb_device *dev, uint64_t off, uint64_t len);	/* -EOPNOTSUPP */
int fb_device_zero(struct fb_device *dev, uint64_t off, uint64_t len);
int fb_device_make_writable(struct fb_device *dev, int fd);
void fb_device_close(struct fb_device *dev);	/* NULL: nothing */

/*
 * For the kinds: @fd, or a copy of it if it is 0 to 2 (then @fd is closed),
 * with close-on-exec set.  Returns it or -errno, @fd closed.
 */
int fb_device_adopt_fd(int fd);

/*
 * A block device or image file on @fd, which the device owns from now on,
 * also on failure (moved above 2 if need be).  Switched to O_DIRECT where the
 * file allows and @offset and the size suit it (and with it whatever else
 * shares the open file description); else through the page cache.  Read-only
 * if @read_only, if fd is not open for writing, or BLKROGET says so.
 * @sizelimit 0: to the end.
 * Returns 0, -EINVAL (offset past the end or not a multiple of 512), -ENODEV
 * (neither file nor block device), -errno of fstat/ioctl.
 */
int fb_device_open_file(int fd, uint64_t offset, uint64_t sizelimit,
			bool read_only, struct fb_device **out);

/*
 * A gzip image on @fd (owned), read-only.  @index_fd: a file with saved
 * checkpoints to be used or written, or -1.  Both are owned, also on failure.
 * The size and the checkpoints come from the index, or by inflating to the
 * end once, here (interruptible); then the index is written.  It is ignored
 * and written anew if it is damaged or of other bytes; that it cannot be
 * written is no error.
 * Returns 0, -EUCLEAN (not gzip, cut short or damaged), -EINTR, -ENODEV
 * (neither file nor block device), -EINVAL (@index_fd holds something that is
 * no index: it is left alone), -ENOMEM, -errno of a read.
 */
int fb_device_open_gzip(int fd, int index_fd, struct fb_device **out);
bool fb_device_is_gzip(int fd);		/* looks at the magic only; fd's offset is unchanged */

/*
 * [offset, offset+sizelimit) of @lower (owned, also on failure), read-only;
 * sizelimit 0: to the end.  Returns 0, -EINVAL (past the end, or no multiple
 * of 512), -ENOMEM.
 */
int fb_device_open_window(struct fb_device *lower, uint64_t offset, uint64_t sizelimit,
			  struct fb_device **out);

/* @size bytes of memory, zeroed; @image NULL or copied in. */
int fb_device_open_mem(const void *image, uint64_t size, uint32_t sector,
		       struct fb_device **out);
void *fb_device_mem_bytes(struct fb_device *dev);

/*
 * Fault injection around @lower (owned).  Counts every operation of the kind
 * asked for, from 1 at the time of fb_device_fault_set(); the Nth does what
 * @action says, and with @sticky every later one too; @nth 0: none does.
 * TEAR and DROP of what they do not name is FAIL.  Zeroing is a write, a
 * discard is passed on uncounted.  fb_device_fault_count() counts from the
 * opening of the device.  Thread-safe.
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
 * The write log: from now on every write and flush that reached the device is
 * recorded with its bytes, a write when it is complete, a flush before it
 * begins: what stands before a flush was stable when it returned.  A discard
 * is recorded as a write of zeros.  The log may be read after, or written to
 * a file by fb_write_log_save() and loaded in another process.
 * fb_write_log_load() returns 0, -EUCLEAN (no log, or damaged), -ENOMEM,
 * -errno of a read.
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
