/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gzip_index.c: the points from which a gzip file can be inflated, and the
 * file they are saved in.
 *
 * The windows of an image are most of the memory it costs, so they are kept
 * compressed where that helps, and thinned out when they pass a limit.
 *
 * The file is a header and the points one after the other, little-endian.
 * The header names the bytes of the gzip file it was made from and carries a
 * checksum of itself and of the points; it is written last.  Windows are not
 * trusted beyond that: the wrong ones give wrong bytes or -EUCLEAN, never more.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gzip.h"

#define MALLOC_COST 32u		/* about what an allocation costs beside its bytes */
#define IDENTIFY_BYTES 65536u
#define VERSION 1u

static const char magic[8] = "FBGZIDX";

struct header {
	char magic[8];
	uint32_t version;
	uint32_t mtime_ns;
	uint64_t gzip_size;
	int64_t mtime;
	uint64_t size;
	uint64_t interval;
	uint64_t count;
	uint64_t payload;	/* bytes that follow the header */
	uint32_t gzip_crc;
	uint32_t payload_crc;
	uint32_t reserved;
	uint32_t crc;		/* of what stands before it */
} __attribute__((packed));
_Static_assert(sizeof(struct header) == 80, "layout of the index file");

struct record {
	uint64_t out;
	uint64_t in;
	uint32_t stored;
	uint16_t window;
	uint8_t bits;
	uint8_t reserved;
} __attribute__((packed));
_Static_assert(sizeof(struct record) == 24, "layout of the index file");

/* ------------------------------------------------------------------ */
/* In memory                                                            */
/* ------------------------------------------------------------------ */

void fb_gzip_index_init(struct fb_gzip_index *index)
{
	memset(index, 0, sizeof(*index));
	index->limit = FB_GZIP_INDEX_LIMIT;
	index->interval = FB_GZIP_INTERVAL;
}

static size_t point_cost(const struct fb_gzip_point *point)
{
	return sizeof(*point) + (point->stored ? point->stored + MALLOC_COST : 0);
}

void fb_gzip_index_fini(struct fb_gzip_index *index)
{
	size_t i;

	for (i = 0; i < index->count; i++)
		free(index->points[i].bytes);
	free(index->points);
	fb_gzip_index_init(index);
}

bool fb_gzip_index_wants(const struct fb_gzip_index *index, uint64_t out)
{
	return !index->count || out - index->points[index->count - 1].out >= index->interval;
}

static int set_capacity(struct fb_gzip_index *index, size_t capacity)
{
	struct fb_gzip_point *points = realloc(index->points, capacity * sizeof(*points));

	if (!points)
		return -ENOMEM;
	index->points = points;
	index->capacity = capacity;
	return 0;
}

/* Double the interval and drop the points that are too close to the one before. */
static void thin_out(struct fb_gzip_index *index)
{
	size_t i, kept = 1;

	index->interval *= 2;
	for (i = 1; i < index->count; i++) {
		struct fb_gzip_point *point = &index->points[i];

		if (point->out - index->points[kept - 1].out >= index->interval) {
			index->points[kept++] = *point;
		} else {
			index->memory -= point_cost(point);
			free(point->bytes);
		}
	}
	index->count = kept;
	set_capacity(index, kept);
}

static int reserve(struct fb_gzip_index *index)
{
	if (index->count < index->capacity)
		return 0;
	return set_capacity(index, index->capacity + index->capacity / 4 + 16);
}

/* Compressed if that is shorter. */
static int store_window(struct fb_gzip_point *point, const uint8_t *window, size_t len)
{
	uint8_t packed[FB_GZIP_WINDOW];
	uLongf size = len;

	point->window = (uint16_t)len;
	if (!len)
		return 0;
	if (compress2(packed, &size, window, len, Z_BEST_SPEED) == Z_OK && size < len)
		window = packed;
	else
		size = len;
	point->bytes = malloc(size);
	if (!point->bytes)
		return -ENOMEM;
	memcpy(point->bytes, window, size);
	point->stored = (uint32_t)size;
	return 0;
}

static void append(struct fb_gzip_index *index, const struct fb_gzip_point *point)
{
	index->points[index->count++] = *point;
	index->memory += point_cost(point);
}

int fb_gzip_index_add(struct fb_gzip_index *index, uint64_t out, uint64_t in,
		      unsigned bits, const uint8_t *window, size_t len)
{
	struct fb_gzip_point point = { .out = out, .in = in, .bits = (uint8_t)bits };
	int ret = reserve(index);

	if (!ret)
		ret = store_window(&point, window, len);
	if (ret)
		return ret;
	append(index, &point);
	while (index->memory > index->limit && index->count > 1)
		thin_out(index);
	return 0;
}

const struct fb_gzip_point *fb_gzip_index_find(const struct fb_gzip_index *index, uint64_t out)
{
	size_t low = 0, high = index->count;

	while (high - low > 1) {
		size_t middle = low + (high - low) / 2;

		if (index->points[middle].out <= out)
			low = middle;
		else
			high = middle;
	}
	return low < index->count ? &index->points[low] : NULL;
}

int fb_gzip_point_window(const struct fb_gzip_point *point, uint8_t window[FB_GZIP_WINDOW])
{
	uLongf size = FB_GZIP_WINDOW;
	int z;

	if (point->stored == point->window) {
		if (point->stored)
			memcpy(window, point->bytes, point->stored);
		return 0;
	}
	z = uncompress(window, &size, point->bytes, point->stored);
	if (z == Z_MEM_ERROR)
		return -ENOMEM;
	return z == Z_OK && size == point->window ? 0 : -EUCLEAN;
}

/* ------------------------------------------------------------------ */
/* In a file                                                            */
/* ------------------------------------------------------------------ */

/* Returns the count, less than @len only at the end of the file, or -errno. */
static ssize_t read_up_to(int fd, void *buf, size_t len, uint64_t pos)
{
	size_t done = 0;

	while (done < len) {
		ssize_t n = pread(fd, (uint8_t *)buf + done, len - done, (off_t)(pos + done));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += (size_t)n;
	}
	return (ssize_t)done;
}

static int write_all(int fd, const void *buf, size_t len, uint64_t pos)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		pos += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static uint32_t crc(uint32_t old, const void *buf, size_t len)
{
	return (uint32_t)crc32_z(old, buf, len);
}

int fb_gzip_identify(int fd, struct fb_gzip_identity *out)
{
	struct stat st;
	uint8_t *buf;
	uint64_t size, tail;
	ssize_t head, end = 0;
	int ret = 0;

	if (fstat(fd, &st))
		return -errno;
	buf = malloc(2 * IDENTIFY_BYTES);
	if (!buf)
		return -ENOMEM;
	size = (uint64_t)st.st_size;
	tail = size > IDENTIFY_BYTES ? size - IDENTIFY_BYTES : 0;
	head = read_up_to(fd, buf, IDENTIFY_BYTES, 0);
	if (head >= 0)
		end = read_up_to(fd, buf + head, IDENTIFY_BYTES, tail);
	if (head < 0 || end < 0)
		ret = (int)(head < 0 ? head : end);
	else
		*out = (struct fb_gzip_identity){
			.size = size,
			.mtime = st.st_mtim.tv_sec,
			.mtime_ns = (uint32_t)st.st_mtim.tv_nsec,
			.crc = crc(0, buf, (size_t)(head + end)),
		};
	free(buf);
	return ret;
}

static size_t payload_size(const struct fb_gzip_index *index)
{
	size_t i, size = 0;

	for (i = 0; i < index->count; i++)
		size += sizeof(struct record) + index->points[i].stored;
	return size;
}

static void pack_points(const struct fb_gzip_index *index, uint8_t *p)
{
	size_t i;

	for (i = 0; i < index->count; i++) {
		const struct fb_gzip_point *point = &index->points[i];
		struct record record = {
			.out = htole64(point->out),
			.in = htole64(point->in),
			.stored = htole32(point->stored),
			.window = htole16(point->window),
			.bits = point->bits,
		};

		memcpy(p, &record, sizeof(record));
		p += sizeof(record);
		if (point->stored)
			memcpy(p, point->bytes, point->stored);
		p += point->stored;
	}
}

static void pack_header(const struct fb_gzip_index *index, const struct fb_gzip_identity *id,
			const uint8_t *payload, size_t size, struct header *h)
{
	*h = (struct header){
		.version = htole32(VERSION),
		.mtime_ns = htole32(id->mtime_ns),
		.gzip_size = htole64(id->size),
		.mtime = (int64_t)htole64((uint64_t)id->mtime),
		.size = htole64(index->size),
		.interval = htole64(index->interval),
		.count = htole64(index->count),
		.payload = htole64(size),
		.gzip_crc = htole32(id->crc),
		.payload_crc = htole32(crc(0, payload, size)),
	};
	memcpy(h->magic, magic, sizeof(magic));
	h->crc = htole32(crc(0, h, offsetof(struct header, crc)));
}

static int write_file(int fd, const struct header *h, const uint8_t *payload, size_t size)
{
	int ret;

	if (ftruncate(fd, 0))
		return -errno;
	ret = write_all(fd, payload, size, sizeof(*h));
	if (!ret && fsync(fd))
		ret = -errno;
	if (!ret)
		ret = write_all(fd, h, sizeof(*h), 0);
	if (!ret && fsync(fd))
		ret = -errno;
	if (ret && ftruncate(fd, 0))
		return ret;
	return ret;
}

int fb_gzip_index_save(const struct fb_gzip_index *index, int fd,
		       const struct fb_gzip_identity *id)
{
	size_t size = payload_size(index);
	struct header h;
	uint8_t *payload = malloc(size);
	int ret;

	if (!payload)
		return -ENOMEM;
	pack_points(index, payload);
	pack_header(index, id, payload, size, &h);
	ret = write_file(fd, &h, payload, size);
	free(payload);
	return ret;
}

static bool header_is_right(const struct header *h, const struct fb_gzip_identity *id)
{
	return le32toh(h->crc) == crc(0, h, offsetof(struct header, crc)) &&
	       le32toh(h->version) == VERSION &&
	       le64toh(h->gzip_size) == id->size &&
	       (int64_t)le64toh((uint64_t)h->mtime) == id->mtime &&
	       le32toh(h->mtime_ns) == id->mtime_ns &&
	       le32toh(h->gzip_crc) == id->crc;
}

/* Returns 0 if the header fits the file, else as fb_gzip_index_load. */
static int read_header(int fd, const struct fb_gzip_identity *id, struct header *h)
{
	static const char none[sizeof(magic)];
	ssize_t n = read_up_to(fd, h, sizeof(*h), 0);

	if (n < 0)
		return (int)n;
	if (!n)
		return -ENOENT;
	/* Zeros: the writing was cut off before the header. */
	if (n < (ssize_t)sizeof(magic) ||
	    (memcmp(h->magic, magic, sizeof(magic)) && memcmp(h->magic, none, sizeof(none))))
		return -EINVAL;
	return n == sizeof(*h) && header_is_right(h, id) ? 0 : -ENOENT;
}

static bool record_is_valid(const struct fb_gzip_index *index, const struct record *r,
			    const struct fb_gzip_identity *id, size_t left)
{
	uint64_t out = le64toh(r->out), in = le64toh(r->in);

	if (index->count ? out <= index->points[index->count - 1].out : out != 0)
		return false;
	return in && in <= id->size && out <= index->size && r->bits <= 7 &&
	       le16toh(r->window) <= FB_GZIP_WINDOW &&
	       le32toh(r->stored) <= le16toh(r->window) &&
	       !r->stored == !r->window && le32toh(r->stored) <= left;
}

static int unpack_point(struct fb_gzip_index *index, const struct record *r, const uint8_t *bytes)
{
	struct fb_gzip_point point = {
		.out = le64toh(r->out),
		.in = le64toh(r->in),
		.stored = le32toh(r->stored),
		.window = le16toh(r->window),
		.bits = r->bits,
	};
	int ret = reserve(index);

	if (ret)
		return ret;
	if (point.stored) {
		point.bytes = malloc(point.stored);
		if (!point.bytes)
			return -ENOMEM;
		memcpy(point.bytes, bytes, point.stored);
	}
	append(index, &point);
	return 0;
}

static int unpack_points(struct fb_gzip_index *index, const uint8_t *p, size_t left,
			 uint64_t count, const struct fb_gzip_identity *id)
{
	struct record record;
	int ret;

	for (; count; count--) {
		if (left < sizeof(record))
			return -ENOENT;
		memcpy(&record, p, sizeof(record));
		p += sizeof(record);
		left -= sizeof(record);
		if (!record_is_valid(index, &record, id, left))
			return -ENOENT;
		ret = unpack_point(index, &record, p);
		if (ret)
			return ret;
		p += le32toh(record.stored);
		left -= le32toh(record.stored);
	}
	return left || !index->count || index->memory > index->limit ? -ENOENT : 0;
}

static int read_payload(struct fb_gzip_index *index, int fd, const struct header *h,
			const struct fb_gzip_identity *id)
{
	uint64_t size = le64toh(h->payload);
	uint8_t *payload;
	ssize_t n;
	int ret = -ENOENT;

	if (!size || size > index->limit)
		return -ENOENT;
	payload = malloc(size);
	if (!payload)
		return -ENOMEM;
	n = read_up_to(fd, payload, size, sizeof(*h));
	if (n < 0)
		ret = (int)n;
	else if ((uint64_t)n == size && crc(0, payload, size) == le32toh(h->payload_crc))
		ret = unpack_points(index, payload, size, le64toh(h->count), id);
	free(payload);
	return ret;
}

int fb_gzip_index_load(struct fb_gzip_index *index, int fd,
		       const struct fb_gzip_identity *id)
{
	struct header h;
	int ret = read_header(fd, id, &h);

	if (ret)
		return ret;
	index->size = le64toh(h.size);
	index->interval = le64toh(h.interval);
	ret = read_payload(index, fd, &h, id);
	if (ret)
		fb_gzip_index_fini(index);
	return ret;
}
