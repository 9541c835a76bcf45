/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_fault.c: a device that does as it is told: fails, tears or drops a
 * chosen operation of the device below it, and keeps a log of what reached it.
 *
 * lock protects the counts, the plan and the log; the device below is used
 * without it.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "device.h"
#include "write_log.h"

#define KINDS 3u	/* read, write, flush; FB_FAULT_ANY is their sum */

struct fault_device {
	struct fb_device dev;
	struct fb_device *lower;	/* owned */
	pthread_mutex_t lock;
	uint64_t counts[KINDS];
	enum fb_fault_kind kind;
	uint64_t at;			/* the count at which it happens, 0: never */
	enum fb_fault_action action;
	bool sticky;
	struct fb_write_log *log;	/* borrowed; NULL: none */
};

enum verdict { PASS, FAIL, TEAR, DROP };

static struct fault_device *to_fault(struct fb_device *dev)
{
	return (struct fault_device *)dev;
}

static uint64_t count_of(const struct fault_device *f, enum fb_fault_kind kind)
{
	if (kind != FB_FAULT_ANY)
		return f->counts[kind];
	return f->counts[FB_FAULT_READ] + f->counts[FB_FAULT_WRITE] + f->counts[FB_FAULT_FLUSH];
}

static enum verdict verdict_for(enum fb_fault_kind kind, enum fb_fault_action action)
{
	static const enum verdict verdicts[KINDS][3] = {
		[FB_FAULT_READ] = { FAIL, FAIL, FAIL },
		[FB_FAULT_WRITE] = { FAIL, TEAR, DROP },
		[FB_FAULT_FLUSH] = { FAIL, FAIL, DROP },
	};

	return verdicts[kind][action];
}

/* Count an operation and say what becomes of it. */
static enum verdict judge(struct fault_device *f, enum fb_fault_kind kind)
{
	enum verdict verdict = PASS;
	uint64_t count;

	pthread_mutex_lock(&f->lock);
	f->counts[kind]++;
	count = count_of(f, f->kind);
	if (f->at && (f->kind == kind || f->kind == FB_FAULT_ANY) &&
	    (count == f->at || (f->sticky && count > f->at)))
		verdict = verdict_for(kind, f->action);
	pthread_mutex_unlock(&f->lock);
	return verdict;
}

static int fault_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct fault_device *f = to_fault(dev);

	if (judge(f, FB_FAULT_READ) != PASS)
		return -EIO;
	return fb_device_read(f->lower, buf, len, off);
}

static bool has_log(struct fault_device *f)
{
	bool has;

	pthread_mutex_lock(&f->lock);
	has = f->log;
	pthread_mutex_unlock(&f->lock);
	return has;
}

/* The copy is made before the write, so that nothing unrecorded reaches the device. */
static int write_logged(struct fault_device *f, const void *buf, size_t len, uint64_t off)
{
	uint8_t *copy = NULL;
	int ret;

	if (!len)
		return 0;
	if (has_log(f)) {
		copy = malloc(len);
		if (!copy)
			return -ENOMEM;
		memcpy(copy, buf, len);
	}
	ret = fb_device_write(f->lower, buf, len, off);
	if (ret || !copy) {
		free(copy);
		return ret;
	}
	pthread_mutex_lock(&f->lock);
	ret = fb_write_log_add(f->log, off, len, copy);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fault_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	struct fault_device *f = to_fault(dev);
	int ret;

	switch (judge(f, FB_FAULT_WRITE)) {
	case PASS:
		return write_logged(f, buf, len, off);
	case TEAR:
		ret = write_logged(f, buf, len / 2 / dev->sector * dev->sector, off);
		return ret ? ret : -EIO;
	case DROP:
		return 0;
	default:
		return -EIO;
	}
}

static int flush_logged(struct fault_device *f)
{
	uint64_t ticket = 0;
	int ret = 0;

	pthread_mutex_lock(&f->lock);
	if (f->log)
		ret = fb_write_log_add_flush(f->log, &ticket);
	pthread_mutex_unlock(&f->lock);
	if (ret)
		return ret;
	ret = fb_device_flush(f->lower);
	if (!ticket)
		return ret;
	pthread_mutex_lock(&f->lock);
	fb_write_log_end_flush(f->log, ticket, ret != 0);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fault_flush(struct fb_device *dev)
{
	struct fault_device *f = to_fault(dev);

	switch (judge(f, FB_FAULT_FLUSH)) {
	case PASS:
		return flush_logged(f);
	case DROP:
		return 0;
	default:
		return -EIO;
	}
}

static int fault_discard(struct fb_device *dev, uint64_t off, uint64_t len)
{
	struct fault_device *f = to_fault(dev);
	int ret = fb_device_discard(f->lower, off, len);

	if (ret)
		return ret;
	pthread_mutex_lock(&f->lock);
	if (f->log)
		ret = fb_write_log_add_zeros(f->log, off, len);
	pthread_mutex_unlock(&f->lock);
	return ret;
}

static int fault_make_writable(struct fb_device *dev, int fd)
{
	int ret = fb_device_make_writable(to_fault(dev)->lower, fd);

	if (!ret)
		dev->read_only = false;
	return ret;
}

static void fault_close(struct fb_device *dev)
{
	struct fault_device *f = to_fault(dev);

	fb_device_close(f->lower);
	pthread_mutex_destroy(&f->lock);
	free(f);
}

static const struct fb_device_ops fault_ops = {
	.read = fault_read,
	.write = fault_write,
	.flush = fault_flush,
	.discard = fault_discard,
	.make_writable = fault_make_writable,
	.close = fault_close,
};

int fb_device_open_fault(struct fb_device *lower, struct fb_device **out)
{
	struct fault_device *f = calloc(1, sizeof(*f));

	if (!f) {
		fb_device_close(lower);
		return -ENOMEM;
	}
	f->dev.ops = &fault_ops;
	f->dev.size = lower->size;
	f->dev.sector = lower->sector;
	f->dev.align = lower->align;
	f->dev.read_only = lower->read_only;
	f->dev.can_discard = lower->can_discard;
	f->lower = lower;
	pthread_mutex_init(&f->lock, NULL);
	*out = &f->dev;
	return 0;
}

void fb_device_fault_set(struct fb_device *dev, enum fb_fault_kind kind,
			 uint64_t nth, enum fb_fault_action action, bool sticky)
{
	struct fault_device *f = to_fault(dev);

	pthread_mutex_lock(&f->lock);
	f->kind = kind;
	f->at = nth ? count_of(f, kind) + nth : 0;
	f->action = action;
	f->sticky = sticky;
	pthread_mutex_unlock(&f->lock);
}

uint64_t fb_device_fault_count(struct fb_device *dev, enum fb_fault_kind kind)
{
	struct fault_device *f = to_fault(dev);
	uint64_t count;

	pthread_mutex_lock(&f->lock);
	count = count_of(f, kind);
	pthread_mutex_unlock(&f->lock);
	return count;
}

int fb_device_fault_log(struct fb_device *dev, struct fb_write_log **out)
{
	struct fault_device *f = to_fault(dev);
	struct fb_write_log *log;
	int ret = fb_write_log_new(&log);

	if (ret)
		return ret;
	pthread_mutex_lock(&f->lock);
	f->log = log;
	pthread_mutex_unlock(&f->lock);
	*out = log;
	return 0;
}
