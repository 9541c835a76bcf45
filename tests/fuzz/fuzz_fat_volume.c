/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_fat_volume.c: a libFuzzer target for FAT volumes.  The first byte of
 * the input chooses a sound volume in memory, the next ones damage it, those after
 * them say what a session does with it, over the fake kernel; what the
 * bytes mean is in tests/lib/fat_mutant.h.  Built on request, with clang: make
 * tests/fuzz/fuzz_fat_volume CC=clang
 */
#include <stdlib.h>
#include "fat_bases.h"
#include "fat_mutant.h"
#include "fuseblk.h"
#include "log.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fat_places places;
	struct fat_stream s = { data, size };
	struct fat_drive result;
	struct image *image;

	if (size < 2)
		return 0;
	fb_log_open(-1, false);
	image = fat_base(fat_stream_take(&s, 1) % fat_base_count);
	if (!fat_places_find(image_bytes(image), image_size(image), &places))
		abort();
	fat_mutate(&s, &places, image_bytes(image), image_size(image));
	fat_drive(&s, image, &result);
	image_free(image);
	return 0;
}
