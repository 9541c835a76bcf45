/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gzip_stream.c: inflates a gzip file in order, from its begin or from a
 * point of the index.
 *
 * A file is one or more members (RFC 1952).  As with gzip(1), what follows a
 * complete member and does not begin with the magic is ignored; what does
 * begin with it must be a whole member.  zlib parses headers and checks
 * trailers, but for the member a stream was seated in: its trailer is skipped.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gzip.h"

#define WBITS_RAW (-15)
#define WBITS_GZIP 31
#define TRAILER 8u

/* zlib's data_type after Z_BLOCK. */
#define AT_BLOCK 128
#define LAST_BLOCK 64
#define UNUSED_BITS 7

static int from_zlib(int z)
{
	switch (z) {
	case Z_OK:
		return 0;
	case Z_MEM_ERROR:
		return -ENOMEM;
	case Z_DATA_ERROR:
	case Z_NEED_DICT:
	case Z_BUF_ERROR:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

int fb_gzip_stream_new(int fd, struct fb_gzip_stream **out)
{
	struct fb_gzip_stream *s = calloc(1, sizeof(*s));
	int ret;

	if (!s)
		return -ENOMEM;
	s->fd = fd;
	ret = from_zlib(inflateInit2(&s->z, WBITS_GZIP));
	if (ret) {
		free(s);
		return ret;
	}
	*out = s;
	return 0;
}

void fb_gzip_stream_free(struct fb_gzip_stream *s)
{
	if (!s)
		return;
	inflateEnd(&s->z);
	free(s);
}

/* Have @want bytes of input or all that is left. */
static int fill(struct fb_gzip_stream *s, size_t want)
{
	ssize_t n;

	if (s->z.avail_in >= want)
		return 0;
	memmove(s->in, s->z.next_in, s->z.avail_in);
	s->z.next_in = s->in;
	do {
		n = pread(s->fd, s->in + s->z.avail_in, sizeof(s->in) - s->z.avail_in,
			  (off_t)s->file_pos);
		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0) {
			s->z.avail_in += (unsigned)n;
			s->file_pos += (size_t)n;
		}
	} while (n && s->z.avail_in < want);
	return 0;
}

static void seat(struct fb_gzip_stream *s, uint64_t in, uint64_t out)
{
	s->z.next_in = s->in;
	s->z.avail_in = 0;
	s->file_pos = in;
	s->out = out;
	s->done = false;
}

/* 1 if a member begins here, 0 if not. */
static int at_member(struct fb_gzip_stream *s)
{
	int ret = fill(s, 2);

	if (ret)
		return ret;
	return s->z.avail_in >= 2 && s->z.next_in[0] == 0x1f && s->z.next_in[1] == 0x8b;
}

static int begin_member(struct fb_gzip_stream *s)
{
	s->raw = false;
	return from_zlib(inflateReset2(&s->z, WBITS_GZIP));
}

int fb_gzip_stream_rewind(struct fb_gzip_stream *s)
{
	int ret;

	seat(s, 0, 0);
	ret = at_member(s);
	if (ret <= 0)
		return ret ? ret : -EUCLEAN;
	return begin_member(s);
}

static int prime(struct fb_gzip_stream *s, const struct fb_gzip_point *point)
{
	uint8_t byte;
	ssize_t n;

	do
		n = pread(s->fd, &byte, 1, (off_t)point->in - 1);
	while (n < 0 && errno == EINTR);
	if (n != 1)
		return n < 0 ? -errno : -EUCLEAN;
	return from_zlib(inflatePrime(&s->z, point->bits, byte >> (8 - point->bits)));
}

int fb_gzip_stream_seek(struct fb_gzip_stream *s, const struct fb_gzip_point *point)
{
	uint8_t window[FB_GZIP_WINDOW];
	int ret;

	seat(s, point->in, point->out);
	s->raw = true;
	ret = from_zlib(inflateReset2(&s->z, WBITS_RAW));
	if (!ret && point->bits)
		ret = prime(s, point);
	if (ret || !point->window)
		return ret;
	ret = fb_gzip_point_window(point, window);
	return ret ? ret : from_zlib(inflateSetDictionary(&s->z, window, point->window));
}

/* A member has ended. */
static int next_member(struct fb_gzip_stream *s)
{
	int ret;

	if (s->raw) {
		ret = fill(s, TRAILER);
		if (ret)
			return ret;
		if (s->z.avail_in < TRAILER)
			return -EUCLEAN;
		s->z.next_in += TRAILER;
		s->z.avail_in -= TRAILER;
	}
	ret = at_member(s);
	if (ret > 0)
		return begin_member(s);
	s->done = !ret;
	return ret;
}

static bool is_at_point(const struct fb_gzip_stream *s)
{
	return s->z.data_type & AT_BLOCK && !(s->z.data_type & LAST_BLOCK);
}

/* One call of inflate(). */
static int step(struct fb_gzip_stream *s, int flush)
{
	uint64_t left = s->z.avail_out;
	int ret = fill(s, 1), z;

	if (ret)
		return ret;
	if (!s->z.avail_in)
		return -EUCLEAN;
	z = inflate(&s->z, flush);
	s->out += left - s->z.avail_out;
	if (z == Z_STREAM_END)
		return next_member(s);
	return from_zlib(z);
}

ssize_t fb_gzip_stream_read(struct fb_gzip_stream *s, uint8_t *buf, size_t len, bool *stop)
{
	int ret;

	s->z.next_out = buf;
	s->z.avail_out = (unsigned)len;
	while (s->z.avail_out && !s->done) {
		ret = step(s, stop ? Z_BLOCK : Z_NO_FLUSH);
		if (ret)
			return ret;
		if (stop && !s->done && is_at_point(s))
			break;
	}
	if (stop)
		*stop = !s->done && is_at_point(s);
	return (ssize_t)(len - s->z.avail_out);
}

int fb_gzip_stream_mark(struct fb_gzip_stream *s, struct fb_gzip_index *index)
{
	uint8_t window[FB_GZIP_WINDOW];
	unsigned len = 0;
	int ret = from_zlib(inflateGetDictionary(&s->z, window, &len));

	if (ret)
		return ret;
	return fb_gzip_index_add(index, s->out, s->file_pos - s->z.avail_in,
				 (unsigned)s->z.data_type & UNUSED_BITS, window, len);
}
