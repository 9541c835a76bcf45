/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fold.h: case folding of single characters.
 */
#ifndef FAT_FOLD_H
#define FAT_FOLD_H

#include <stdint.h>

/*
 * Unicode's simple case folding: characters that differ in case only become
 * the same.  @c that has none, or is no character, is returned.  A character
 * of one UTF-16 unit stays one of one unit.  Any thread.
 */
uint32_t fat_fold(uint32_t c);

#endif
