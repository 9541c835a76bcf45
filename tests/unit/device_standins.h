/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * device_standins.h: what the devices call of the rest of the library, for
 * tests that link the devices alone.
 */
#ifndef TESTS_DEVICE_STANDINS_H
#define TESTS_DEVICE_STANDINS_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

extern _Atomic unsigned standin_blocked;	/* calls of fb_block_begin() */
extern _Atomic int standin_block_depth;		/* and how many are open */
extern _Atomic int standin_interrupt_after;	/* questions answered with no before a yes; negative: always no */

/* Deterministic: the same bytes for the same seed; @compressible 0 to 100 percent. */
void test_fill(uint8_t *buf, size_t len, uint64_t seed, unsigned compressible);
uint64_t test_random(uint64_t *state);
/* An unlinked file in @dir (NULL: /tmp) of @size bytes; a descriptor open for reading and writing. */
int test_file(const char *dir, uint64_t size);

#endif
