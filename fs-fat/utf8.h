/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * utf8.h: UTF-8 and UTF-16, one character at a time.
 */
#ifndef FAT_UTF8_H
#define FAT_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

static inline bool fat_is_surrogate(uint32_t c)
{
	return (c & 0xfffff800u) == 0xd800;
}

/*
 * One character from the @len bytes at @p, strictly: nothing overlong, no
 * surrogates, nothing past U+10FFFF.  Returns how many bytes it has, 0: it is
 * none.
 */
unsigned fat_utf8_decode(const uint8_t *p, size_t len, uint32_t *c);
/* Returns the number of bytes, 0: @c is no character. */
unsigned fat_utf8_encode(uint32_t c, uint8_t out[4]);

/*
 * The character at units[*i], which is advanced past it.  A surrogate without
 * its other half is returned as it is.
 */
uint32_t fat_utf16_next(const uint16_t *units, unsigned len, unsigned *i);
/* Returns the number of units, 1 or 2. */
unsigned fat_utf16_put(uint32_t c, uint16_t units[2]);

#endif
