/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_bases.h: sound FAT volumes of a few MiB at most, of every kind, to be
 * damaged: bundled ones, and fresh ones of mkfs.fat.
 */
#ifndef TESTS_FAT_BASES_H
#define TESTS_FAT_BASES_H

#include "image.h"

extern const unsigned fat_base_count;
const char *fat_base_name(unsigned base);
/* A new copy; what makes it is run once. Ends the program if it cannot be made. */
struct image *fat_base(unsigned base);

#endif
