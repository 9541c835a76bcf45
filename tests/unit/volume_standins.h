/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * volume_standins.h: what a driver's maps and allocators call of the library
 * beside its cache and devices, for tests that link those alone: a node is a
 * number, a volume its cache and its device.
 */
#ifndef TESTS_VOLUME_STANDINS_H
#define TESTS_VOLUME_STANDINS_H

#include <stdatomic.h>
#include <stdbool.h>

extern _Atomic unsigned standin_damage;		/* calls of fuseblk_corrupt(), and what a rig itself finds wrong */
extern _Atomic bool standin_interrupted;	/* what fb_interrupted() says */

#endif
