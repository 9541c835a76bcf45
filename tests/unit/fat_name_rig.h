/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_name_rig.h: the names of FAT under the rules of some mounts, for the
 * tests of names.
 */
#ifndef FAT_NAME_RIG_H
#define FAT_NAME_RIG_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>
#include "charset.h"
#include "name.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

enum { UTF8, WIN95, LOWER, WINNT, STRICT, NONUMTAIL, LATIN1, XLATE, XLATE_UTF8, ASCII, CP850, CP932, SJIS_BOTH, EUC_JP,
       CP850_WINNT, CP737_NONUMTAIL, CP852_LOWER, MOUNTS };

/* Opened by open_mounts(), a group's setup. */
extern struct fat_names *mounts[MOUNTS];

int open_mounts(void **state);
int close_mounts(void **state);
/* fat_name_parse(), with a look at the fault. */
int parse(unsigned mount, const char *text, bool create, struct fat_name *name);
/* For creation, which must go well. */
void must_parse(unsigned mount, const char *text, struct fat_name *name);
/* @count times @what. */
void repeat(char *to, const char *what, unsigned count);
struct fat_charset *must_open(const char *name, unsigned max_bytes);

#endif
