/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * chance.h: chance that can be had again: the same numbers for the same seed,
 * which belongs to the caller.
 */
#ifndef TESTS_CHANCE_H
#define TESTS_CHANCE_H

#include <stdint.h>

/* 0 to @below - 1. */
static inline uint32_t chance(uint32_t *seed, uint32_t below)
{
	*seed = *seed * 1664525u + 1013904223u;
	return (uint32_t)((uint64_t)(*seed >> 8) * below >> 24);
}

#endif
