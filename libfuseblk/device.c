/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device.c: the front of every device.
 *
 * Checks bounds and the read-only state, turns what a kind cannot do into
 * what it can (zeroing into writes), and tells the workers when a call is
 * going to take long.  Handing the channel over costs the wake-up of a
 * thread, so it is done only where calls of that kind and size have lately
 * taken longer than such a wake-up does.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "device.h"
#include "worker.h"

#define SLOW_NS 50000u		/* a wake-up across CPUs, with its effect on caches */
#define SAMPLE_MAX_NS 200000u	/* so that one call that was preempted proves nothing */
#define ZERO_CHUNK 131072u
#define ZERO_MIN 65536u		/* less is written: cheaper than asking the kernel to zero it */

/* Never written to: reads of it map the kernel's zero page. */
static uint8_t zeros[ZERO_CHUNK] __attribute__((aligned(4096)));

struct timing {
	_Atomic uint32_t *average;
	uint64_t start;
	bool handed_over;
};

static uint64_t now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static unsigned size_class(size_t len)
{
	return len <= 16384 ? 0 : len <= 131072 ? 1 : 2;
}

static struct timing work_begin(struct fb_device *dev, unsigned work)
{
	struct timing t = { .average = &dev->average[work] };

	t.handed_over = atomic_load_explicit(t.average, memory_order_relaxed) > SLOW_NS;
	if (t.handed_over)
		fb_block_begin();
	t.start = now_ns();
	return t;
}

/* Averages are a hint: that two threads may lose each other's sample is of no account. */
static int work_end(const struct timing *t, int ret)
{
	uint64_t took = now_ns() - t->start;
	int64_t sample = took < SAMPLE_MAX_NS ? (int64_t)took : (int64_t)SAMPLE_MAX_NS;
	int64_t old = atomic_load_explicit(t->average, memory_order_relaxed);

	atomic_store_explicit(t->average, (uint32_t)(old + (sample - old) / 8),
			      memory_order_relaxed);
	if (t->handed_over)
		fb_block_end();
	return ret;
}

static bool is_inside(const struct fb_device *dev, uint64_t off, uint64_t len)
{
	return off <= dev->size && len <= dev->size - off;
}

static int check_change(const struct fb_device *dev, uint64_t off, uint64_t len)
{
	if (!is_inside(dev, off, len))
		return -EIO;
	return dev->read_only ? -EROFS : 0;
}

int fb_device_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct timing t;

	if (!is_inside(dev, off, len))
		return -EIO;
	if (!len)
		return 0;
	t = work_begin(dev, FB_WORK_READ + size_class(len));
	return work_end(&t, dev->ops->read(dev, buf, len, off));
}

int fb_device_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	struct timing t;
	int ret = check_change(dev, off, len);

	if (ret || !len)
		return ret;
	t = work_begin(dev, FB_WORK_WRITE + size_class(len));
	return work_end(&t, dev->ops->write(dev, buf, len, off));
}

int fb_device_flush(struct fb_device *dev)
{
	struct timing t;

	if (dev->read_only)
		return 0;
	t = work_begin(dev, FB_WORK_FLUSH);
	return work_end(&t, dev->ops->flush(dev));
}

/* The whole sectors inside [*off, *off + *len); false if there is none. */
static bool round_inward(const struct fb_device *dev, uint64_t *off, uint64_t *len)
{
	uint64_t head = (dev->sector - *off % dev->sector) % dev->sector;

	if (*len < head || *len - head < dev->sector)
		return false;
	*off += head;
	*len = (*len - head) / dev->sector * dev->sector;
	return true;
}

int fb_device_discard(struct fb_device *dev, uint64_t off, uint64_t len)
{
	struct timing t;
	int ret = check_change(dev, off, len);

	if (ret)
		return ret;
	if (!dev->ops->discard || !dev->can_discard)
		return -EOPNOTSUPP;
	if (!round_inward(dev, &off, &len))
		return 0;
	t = work_begin(dev, FB_WORK_CLEAR);
	ret = work_end(&t, dev->ops->discard(dev, off, len));
	if (ret == -EOPNOTSUPP)
		dev->can_discard = false;
	return ret;
}

static int write_zeros(struct fb_device *dev, uint64_t off, uint64_t len)
{
	int ret = 0;

	while (len && !ret) {
		size_t n = len < ZERO_CHUNK ? (size_t)len : ZERO_CHUNK;

		ret = fb_device_write(dev, zeros, n, off);
		off += n;
		len -= n;
	}
	return ret;
}

/* -EOPNOTSUPP: nothing was zeroed. */
static int zero_sectors(struct fb_device *dev, uint64_t off, uint64_t len)
{
	struct timing t = work_begin(dev, FB_WORK_CLEAR);

	return work_end(&t, dev->ops->zero(dev, off, len));
}

int fb_device_zero(struct fb_device *dev, uint64_t off, uint64_t len)
{
	uint64_t in_off = off, in_len = len;
	int ret = check_change(dev, off, len);

	if (ret)
		return ret;
	if (!dev->ops->zero || len < ZERO_MIN || !round_inward(dev, &in_off, &in_len))
		return write_zeros(dev, off, len);
	ret = zero_sectors(dev, in_off, in_len);
	if (ret == -EOPNOTSUPP)
		return write_zeros(dev, off, len);
	if (!ret)
		ret = write_zeros(dev, off, in_off - off);
	if (!ret)
		ret = write_zeros(dev, in_off + in_len, off + len - in_off - in_len);
	return ret;
}

int fb_device_make_writable(struct fb_device *dev, int fd)
{
	if (dev->ops->make_writable)
		return dev->ops->make_writable(dev, fd);
	if (fd >= 0)
		close(fd);
	return -EROFS;
}

void fb_device_close(struct fb_device *dev)
{
	if (dev)
		dev->ops->close(dev);
}

int fb_device_adopt_fd(int fd)
{
	int moved;

	if (fd > 2)
		return fcntl(fd, F_SETFD, FD_CLOEXEC) ? -errno : fd;
	moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (moved < 0)
		moved = -errno;
	if (fd >= 0)
		close(fd);
	return moved;
}
