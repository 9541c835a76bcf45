/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write_log.h: how the fault device fills a write log.  A log is not locked;
 * the device that writes it is.
 */
#ifndef FB_WRITE_LOG_H
#define FB_WRITE_LOG_H

#include "device.h"

int fb_write_log_new(struct fb_write_log **out);
/* The log takes @bytes (malloc'd); on failure too. Returns 0 or -ENOMEM. */
int fb_write_log_add(struct fb_write_log *log, uint64_t off, uint64_t len, uint8_t *bytes);
/* A write of zeros of any length. */
int fb_write_log_add_zeros(struct fb_write_log *log, uint64_t off, uint64_t len);
/* A flush that begins; its @ticket takes it back if it fails. */
int fb_write_log_add_flush(struct fb_write_log *log, uint64_t *ticket);
void fb_write_log_end_flush(struct fb_write_log *log, uint64_t ticket, bool failed);

#endif
