/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_mutant.h: FAT volumes as nobody should make them, and everything the
 * driver can be asked about one.  Both go by a stream of bytes: a fuzzer's
 * input, or a seed's random numbers.
 */
#ifndef TESTS_FAT_MUTANT_H
#define TESTS_FAT_MUTANT_H

#include "image.h"

struct fat_stream {
	const uint8_t *at;
	size_t left;
};
/* The next @bytes (1 to 4) as a number; 0 where nothing is left. */
uint32_t fat_stream_take(struct fat_stream *s, unsigned bytes);
/* Fill @bytes with what follows from @seed. */
void fat_stream_random(uint64_t seed, uint8_t *bytes, size_t len);

#define FAT_MUTANT_PLACES 2048

/* Where things are on a sound volume, before it is damaged. */
struct fat_places {
	unsigned bits;
	uint32_t sector, cluster, clusters;	/* bytes, bytes, how many */
	uint64_t table, table_size, copies;	/* bytes, bytes, how many */
	uint64_t data, fsinfo;			/* bytes; 0: none */
	uint64_t slot[FAT_MUTANT_PLACES];	/* of directories, bytes */
	unsigned slots;
};
/* False if @volume is no FAT volume this understands. */
bool fat_places_find(const uint8_t *volume, uint64_t size, struct fat_places *places);
/*
 * Damage it: one byte says how often (up to eight times), and each time what
 * follows says where and how.  Whatever is damaged is inside @volume.
 */
void fat_mutate(struct fat_stream *s, const struct fat_places *places, uint8_t *volume, uint64_t size);

/* Was the volume refused, and what went on in the end. */
struct fat_drive {
	bool refused;
	char why[256];
	unsigned nodes, calls;		/* seen; made */
};
/*
 * Serve @image: look at all of it, make sure that nothing was written by that
 * (abort() otherwise), then change it as the stream says, and end.  Any reply that
 * is late or malformed is the end of the program, by abort() or cmocka.
 */
void fat_drive(struct fat_stream *s, struct image *image, struct fat_drive *result);

#endif
