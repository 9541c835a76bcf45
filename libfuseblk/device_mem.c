/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_mem.c: a device in memory, for tests and fuzzing.
 *
 * The memory is mapped without being reserved, so a large device costs what
 * was written to it.  Contents are lost when it is closed.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "device.h"

struct mem_device {
	struct fb_device dev;
	uint8_t *bytes;
};

static struct mem_device *to_mem(struct fb_device *dev)
{
	return (struct mem_device *)dev;
}

static int mem_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	memcpy(buf, to_mem(dev)->bytes + off, len);
	return 0;
}

static int mem_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	memcpy(to_mem(dev)->bytes + off, buf, len);
	return 0;
}

static int mem_flush(struct fb_device *dev)
{
	(void)dev;
	return 0;
}

static int mem_zero(struct fb_device *dev, uint64_t off, uint64_t len)
{
	memset(to_mem(dev)->bytes + off, 0, len);
	return 0;
}

static int mem_make_writable(struct fb_device *dev, int fd)
{
	if (fd >= 0)
		close(fd);
	dev->read_only = false;
	return 0;
}

static void mem_close(struct fb_device *dev)
{
	if (dev->size)
		munmap(to_mem(dev)->bytes, dev->size);
	free(dev);
}

static const struct fb_device_ops mem_ops = {
	.read = mem_read,
	.write = mem_write,
	.flush = mem_flush,
	.discard = mem_zero,
	.zero = mem_zero,
	.make_writable = mem_make_writable,
	.close = mem_close,
};

int fb_device_open_mem(const void *image, uint64_t size, uint32_t sector,
		       struct fb_device **out)
{
	struct mem_device *m = calloc(1, sizeof(*m));

	if (!m)
		return -ENOMEM;
	m->dev.ops = &mem_ops;
	m->dev.size = size;
	m->dev.sector = sector;
	m->dev.align = 1;
	m->dev.can_discard = true;
	if (size) {
		m->bytes = mmap(NULL, size, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (m->bytes == MAP_FAILED) {
			free(m);
			return -ENOMEM;
		}
		if (image)
			memcpy(m->bytes, image, size);
	}
	*out = &m->dev;
	return 0;
}

void *fb_device_mem_bytes(struct fb_device *dev)
{
	return to_mem(dev)->bytes;
}
