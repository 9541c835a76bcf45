// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node_record.c: a hash table of 24-byte records that grows and shrinks by
 * small steps.
 *
 * Records lie dense in mapped chunks: a removed one is replaced by the last,
 * so that a chunk is given back as soon as the table needs one less.  Buckets
 * grow by linear hashing, one bucket split (or merged) at a time, so there is
 * never an old and a new array side by side.  About 28 bytes a record in all.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include "node_record.h"

#define CHUNK_RECORDS	4096u
#define CHUNK_BYTES	(CHUNK_RECORDS * sizeof(struct fb_record))
#define SEGMENT_HEADS	4096u
#define SEGMENT_BYTES	(SEGMENT_HEADS * sizeof(uint32_t))
#define MIN_LEVEL	10u
#define MERGES		4	/* at most, for one record removed: shrinking must keep up */
#define MOST_RECORDS	(UINT32_MAX - 1)

static void *map_new(size_t size)
{
	void *map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map;
}

/* One more pointer in *@array, to @size fresh bytes. */
static int array_grow(void ***array, unsigned *count, unsigned *room, size_t size)
{
	void **bigger;
	void *map;

	if (*count == *room) {
		unsigned n = *room ? *room * 2 : 16;

		bigger = realloc(*array, n * sizeof(*bigger));
		if (!bigger)
			return -ENOMEM;
		*array = bigger;
		*room = n;
	}
	map = map_new(size);
	if (!map)
		return -ENOMEM;
	(*array)[(*count)++] = map;
	return 0;
}

static uint32_t hash(uint64_t ino)
{
	ino *= 0x9e3779b97f4a7c15u;
	return (uint32_t)(ino >> 32);
}

static uint32_t bucket_of(const struct fb_records *r, uint64_t ino)
{
	uint32_t h = hash(ino);
	uint32_t b = h & ((2u << r->level) - 1);

	return b < r->buckets ? b : h & ((1u << r->level) - 1);
}

static uint32_t *head(struct fb_records *r, uint32_t bucket)
{
	return &r->segments[bucket / SEGMENT_HEADS][bucket % SEGMENT_HEADS];
}

struct fb_record *fb_records_at(struct fb_records *r, uint32_t index)
{
	return &r->chunks[index / CHUNK_RECORDS][index % CHUNK_RECORDS];
}

int fb_records_init(struct fb_records *r)
{
	memset(r, 0, sizeof(*r));
	r->level = MIN_LEVEL;
	r->buckets = 1u << MIN_LEVEL;
	return array_grow((void ***)&r->segments, &r->segment_count, &r->segment_room,
			  SEGMENT_BYTES);
}

void fb_records_fini(struct fb_records *r)
{
	for (unsigned i = 0; i < r->chunk_count; i++)
		munmap(r->chunks[i], CHUNK_BYTES);
	for (unsigned i = 0; i < r->segment_count; i++)
		munmap(r->segments[i], SEGMENT_BYTES);
	free(r->chunks);
	free(r->segments);
	memset(r, 0, sizeof(*r));
}

/* The link (a head or a record's next) that leads to @ino, or to 0. */
static uint32_t *find_link(struct fb_records *r, uint64_t ino)
{
	uint32_t *link = head(r, bucket_of(r, ino));

	while (*link && fb_records_at(r, *link - 1)->ino != ino)
		link = &fb_records_at(r, *link - 1)->next;
	return link;
}

struct fb_record *fb_records_find(struct fb_records *r, uint64_t ino)
{
	uint32_t *link = find_link(r, ino);

	return *link ? fb_records_at(r, *link - 1) : NULL;
}

/* Add a bucket and move to it what belongs there; without memory chains just get longer. */
static void split(struct fb_records *r)
{
	uint32_t new = r->buckets, *from, *to;

	if (new / SEGMENT_HEADS >= r->segment_count &&
	    array_grow((void ***)&r->segments, &r->segment_count, &r->segment_room,
		       SEGMENT_BYTES))
		return;
	from = head(r, new - (1u << r->level));
	to = head(r, new);
	*to = 0;
	r->buckets++;
	while (*from) {
		struct fb_record *rec = fb_records_at(r, *from - 1);

		if (bucket_of(r, rec->ino) == new) {
			uint32_t moved = *from;

			*from = rec->next;
			rec->next = *to;
			*to = moved;
		} else {
			from = &rec->next;
		}
	}
	if (r->buckets == 2u << r->level)
		r->level++;
}

/* Take the last bucket away; its records join those it was split from. */
static void merge(struct fb_records *r)
{
	uint32_t last = r->buckets - 1, moved, *end;

	if (r->buckets == 1u << r->level)
		r->level--;
	moved = *head(r, last);
	end = head(r, last - (1u << r->level));
	while (*end)
		end = &fb_records_at(r, *end - 1)->next;
	*end = moved;
	*head(r, last) = 0;
	r->buckets--;
	if (r->buckets + SEGMENT_HEADS / 2 <= (r->segment_count - 1) * SEGMENT_HEADS)
		munmap(r->segments[--r->segment_count], SEGMENT_BYTES);
}

struct fb_record *fb_records_add(struct fb_records *r, uint64_t ino)
{
	struct fb_record *rec;
	uint32_t *first;

	if (r->count == MOST_RECORDS)
		return NULL;
	if (r->count / CHUNK_RECORDS >= r->chunk_count &&
	    array_grow((void ***)&r->chunks, &r->chunk_count, &r->chunk_room, CHUNK_BYTES))
		return NULL;
	rec = fb_records_at(r, r->count);
	first = head(r, bucket_of(r, ino));
	*rec = (struct fb_record){ .ino = ino, .next = *first };
	*first = ++r->count;
	if (r->count / 2 > r->buckets && r->buckets < 1u << 30)
		split(r);
	return rec;
}

void fb_records_remove(struct fb_records *r, uint64_t ino)
{
	uint32_t *link = find_link(r, ino), hole = *link;

	if (!hole)
		return;
	*link = fb_records_at(r, hole - 1)->next;
	if (hole != r->count) {
		struct fb_record *last = fb_records_at(r, r->count - 1);

		link = find_link(r, last->ino);
		*fb_records_at(r, hole - 1) = *last;
		*link = hole;
	}
	r->count--;
	for (int i = 0; i < MERGES && r->buckets > 1u << MIN_LEVEL && r->count < r->buckets / 2; i++)
		merge(r);
	/* Half a chunk of slack, so that a record coming and going costs no system call. */
	if ((uint64_t)r->count + CHUNK_RECORDS * 3 / 2 <= (uint64_t)r->chunk_count * CHUNK_RECORDS)
		munmap(r->chunks[--r->chunk_count], CHUNK_BYTES);
}

size_t fb_records_bytes(const struct fb_records *r)
{
	return r->chunk_count * CHUNK_BYTES + r->segment_count * SEGMENT_BYTES +
	       (r->chunk_room + r->segment_room) * sizeof(void *);
}
