// SPDX-License-Identifier: GPL-2.0-or-later
/* random.c: chance that can be had again, and digests. */
#include <string.h>

#include "crash.h"

static uint64_t rng;

void roll_seed(uint64_t seed)
{
	rng = seed * 2654435761u + 99991;
}

uint32_t roll(void)
{
	rng = rng * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(rng >> 33);
}

/* Eight bytes at a time: it is taken of every file in every image. */
uint64_t digest(const void *bytes, size_t len)
{
	const uint8_t *p = bytes;
	uint64_t h = 0xcbf29ce484222325ull, word;

	for (; len >= sizeof(word); len -= sizeof(word), p += sizeof(word)) {
		memcpy(&word, p, sizeof(word));
		h = (h ^ word) * 0x9e3779b97f4a7c15ull;
		h ^= h >> 29;
	}
	while (len--)
		h = (h ^ *p++) * 0x100000001b3ull;
	return h;
}
