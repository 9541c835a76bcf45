/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_check.h: looks at a FAT volume as bytes, without any code of the driver,
 * and says what is wrong with it, whether fsck.fat would mind or not.
 */
#ifndef TESTS_FAT_CHECK_H
#define TESTS_FAT_CHECK_H

#include <stdbool.h>
#include <stdint.h>

#define CHECK_FILES 256
#define CHECK_PATH 200

struct checked_file {
	char path[CHECK_PATH];		/* shown names, non-ASCII units as '?' */
	bool is_dir, is_short;		/* is_short: larger than its chain */
	uint32_t start, size;
	uint64_t hash;			/* of the content, as far as the chain goes */
};

struct fat_check {
	unsigned fatal;			/* chains that are broken or loop, equal names, bad ".", too many files */
	unsigned shared;		/* chains that meet another's cluster */
	unsigned doubled;		/* names that another of the directory equals but for case */
	unsigned parents;		/* ".." that lead elsewhere */
	char why[200];			/* the last of fatal */
	unsigned count;
	struct checked_file files[CHECK_FILES];
};

/* Of @size bytes at @image. */
void fat_check(const uint8_t *image, uint64_t size, struct fat_check *out);
uint64_t check_hash(const uint8_t *bytes, uint64_t len);

#endif
