// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * device_window.c: a part of another device, for kinds that have no offset of
 * their own (gzip images).  Only reading: nothing else has such kinds.
 */
#include <errno.h>
#include <stdlib.h>

#include "device.h"

struct window_device {
	struct fb_device dev;
	struct fb_device *lower;
	uint64_t offset;
};

static struct window_device *to_window(struct fb_device *dev)
{
	return (struct window_device *)dev;
}

static int window_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct window_device *w = to_window(dev);

	return fb_device_read(w->lower, buf, len, w->offset + off);
}

static int window_flush(struct fb_device *dev)
{
	return fb_device_flush(to_window(dev)->lower);
}

static void window_close(struct fb_device *dev)
{
	fb_device_close(to_window(dev)->lower);
	free(dev);
}

static const struct fb_device_ops window_ops = {
	.read = window_read,
	.flush = window_flush,
	.close = window_close,
};

int fb_device_open_window(struct fb_device *lower, uint64_t offset, uint64_t sizelimit,
			  struct fb_device **out)
{
	struct window_device *w = NULL;
	int err = -EINVAL;

	if (offset >= lower->size || offset % 512)
		goto close_lower;
	w = calloc(1, sizeof(*w));
	err = -ENOMEM;
	if (!w)
		goto close_lower;
	w->dev.ops = &window_ops;
	w->dev.size = lower->size - offset;
	if (sizelimit && sizelimit < w->dev.size)
		w->dev.size = sizelimit;
	w->dev.sector = lower->sector;
	w->dev.align = lower->align;
	w->dev.read_only = true;
	w->lower = lower;
	w->offset = offset;
	*out = &w->dev;
	return 0;
close_lower:
	fb_device_close(lower);
	return err;
}
