/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * image.h: filesystem images in memory, made by mke2fs, that outlive the
 * devices opened on them, so that e2fsck can judge what a session left.
 */
#ifndef TESTS_IMAGE_H
#define TESTS_IMAGE_H

#include "device.h"

struct image;

/* mke2fs with @options (split at spaces) on @size bytes; fails the cmocka test if it cannot. */
struct image *image_mke2fs(const char *options, uint64_t size);
/* A copy of @len bytes, or of @other. */
struct image *image_of_bytes(const void *bytes, uint64_t len);
struct image *image_copy(const struct image *other);
void image_free(struct image *image);
uint8_t *image_bytes(struct image *image);
uint64_t image_size(const struct image *image);
/* A device over the image's own bytes; closing it leaves them. */
struct fb_device *image_device(struct image *image, bool read_only);
/*
 * e2fsck with @options (-fn: look only; -p: repair unattended) on a copy of the
 * image, what it repaired brought back.  Returns its exit status; what it
 * said is printed if the status is not 0.
 */
int image_e2fsck(struct image *image, const char *options);

#endif
