/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charset.h: character sets of one to four bytes a character, as tables that
 * never change once loaded.  In all of them bytes 0 to 0x7f that begin a
 * character are ASCII, and no other character has a NUL or a '/' in it.
 */
#ifndef FAT_CHARSET_H
#define FAT_CHARSET_H

#include <stddef.h>
#include <stdint.h>

struct fat_charset;

/*
 * Load the tables of @name, which is iconv's or the kernel's, for the mount
 * option @option; no character may need more than @max_bytes.  Blocks, opens
 * files (iconv_open(3)), except for CP437, which is built in.  Returns 0;
 * -EINVAL with a line in @why: unknown, not usable for file names, or too
 * many bytes; -ENOMEM.  Free with fat_charset_close().
 */
int fat_charset_open(const char *option, const char *name, unsigned max_bytes, struct fat_charset **out,
		     char *why, size_t why_size);
void fat_charset_close(struct fat_charset *cs);

/* One character from the @len bytes at @p. Returns how many bytes it has, 0: it is none. Any thread. */
unsigned fat_charset_decode(const struct fat_charset *cs, const uint8_t *p, size_t len, uint32_t *c);
/* Returns the number of bytes, 0: the set does not have @c. Any thread. */
unsigned fat_charset_encode(const struct fat_charset *cs, uint32_t c, uint8_t out[4]);

#endif
