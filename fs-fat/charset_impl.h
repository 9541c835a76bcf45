/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * charset_impl.h: the tables of a character set, shared by charset.c (look
 * up) and charset_load.c (fill).
 */
#ifndef FAT_CHARSET_IMPL_H
#define FAT_CHARSET_IMPL_H

#include <stdbool.h>
#include "charset.h"

/* For one[]: no character begins so, or one of several bytes does */
#define FAT_CHAR_NONE 0xffffffffu
#define FAT_CHAR_MORE 0xfffffffeu

struct fat_pair {
	uint32_t c;
	uint32_t bytes;			/* the first one on top, zeros after the last: 0x81400000 */
};

struct fat_pairs {
	struct fat_pair *pair;
	size_t count, room;
};

struct fat_charset {
	uint32_t one[256];		/* by the first byte: the character, or FAT_CHAR_* */
	struct fat_pairs by_bytes;	/* characters from 0x80 up, ascending by bytes; no one's bytes begin another's */
	struct fat_pairs by_char;	/* ascending by character, each once */
	bool gb18030;			/* characters from U+10000 up are computed, not in the tables */
};

/* The length of pair->bytes. */
static inline unsigned fat_pair_len(uint32_t bytes)
{
	return bytes ? 4 - (unsigned)__builtin_ctz(bytes) / 8 : 1;
}

/* 0 or -ENOMEM. */
int fat_pairs_add(struct fat_pairs *pairs, uint32_t c, uint32_t bytes);
/* Fill @cs, which is zero. As fat_charset_open(); what was allocated is left in @cs. */
int fat_charset_load(struct fat_charset *cs, const char *option, const char *name, unsigned max_bytes,
		     char *why, size_t why_size);

#endif
