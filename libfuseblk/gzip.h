/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gzip.h: the parts of the gzip device: a stream that inflates a file member
 * by member, and the index of points from which it can start.
 */
#ifndef FB_GZIP_H
#define FB_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <zlib.h>

#define FB_GZIP_WINDOW 32768u
#define FB_GZIP_INPUT 65536u

/* ------------------------------------------------------------------ */
/* gzip_index.c                                                         */
/* ------------------------------------------------------------------ */

/* A place between two deflate blocks. */
struct fb_gzip_point {
	uint64_t out;		/* bytes inflated before it */
	uint64_t in;		/* first byte of the file none of whose bits are used up */
	uint32_t stored;	/* length of bytes */
	uint16_t window;	/* length of the window before out, 0 to 32768 */
	uint8_t bits;		/* of byte in - 1 that are not used up, 0 to 7 */
	uint8_t *bytes;		/* the window, compressed if that made it shorter; NULL if stored is 0 */
};

/*
 * The points in order of out, the first at out 0.  At least interval bytes
 * lie between two; when memory passes limit, interval doubles and the points
 * that are then too close go.  Not locked: built by one thread, constant then.
 */
struct fb_gzip_index {
	struct fb_gzip_point *points;
	size_t count, capacity;
	size_t memory;		/* bytes held by points and windows */
	size_t limit;
	uint64_t interval;
	uint64_t size;		/* bytes in all, known when built */
};

/* What a saved index must agree with. */
struct fb_gzip_identity {
	uint64_t size;
	int64_t mtime;
	uint32_t mtime_ns;
	uint32_t crc;		/* of the first and last bytes of the file */
};

#define FB_GZIP_INDEX_LIMIT (24u << 20)
#define FB_GZIP_INTERVAL (1u << 20)

void fb_gzip_index_init(struct fb_gzip_index *index);
void fb_gzip_index_fini(struct fb_gzip_index *index);
bool fb_gzip_index_wants(const struct fb_gzip_index *index, uint64_t out);
/* @window: the FB_GZIP_WINDOW or fewer bytes before @out. Returns 0 or -ENOMEM. */
int fb_gzip_index_add(struct fb_gzip_index *index, uint64_t out, uint64_t in,
		      unsigned bits, const uint8_t *window, size_t len);
/* The last point at or before @out; NULL if the index is empty. */
const struct fb_gzip_point *fb_gzip_index_find(const struct fb_gzip_index *index, uint64_t out);
/* Returns 0, -EUCLEAN (saved index damaged), -ENOMEM. */
int fb_gzip_point_window(const struct fb_gzip_point *point, uint8_t window[FB_GZIP_WINDOW]);

int fb_gzip_identify(int fd, struct fb_gzip_identity *out);
/* Returns 0, -errno; then the file is left empty or without a valid header. */
int fb_gzip_index_save(const struct fb_gzip_index *index, int fd,
		       const struct fb_gzip_identity *id);
/*
 * Returns 0, -ENOENT (empty, stale or damaged: build it), -EINVAL (no index),
 * -ENOMEM, -errno.  @index is initialised, and on failure still empty.
 */
int fb_gzip_index_load(struct fb_gzip_index *index, int fd,
		       const struct fb_gzip_identity *id);

/* ------------------------------------------------------------------ */
/* gzip_stream.c                                                        */
/* ------------------------------------------------------------------ */

struct fb_gzip_stream {
	z_stream z;
	int fd;			/* borrowed */
	bool raw;		/* inside a member that was not begun at its header */
	bool done;		/* nothing follows */
	uint64_t file_pos;	/* where the next pread begins */
	uint64_t out;		/* bytes inflated so far, counted from the image's begin */
	uint8_t in[FB_GZIP_INPUT];
};

int fb_gzip_stream_new(int fd, struct fb_gzip_stream **out);
void fb_gzip_stream_free(struct fb_gzip_stream *s);	/* NULL: nothing */
/* To the begin of the file. Returns 0, -EUCLEAN (not gzip), -errno. */
int fb_gzip_stream_rewind(struct fb_gzip_stream *s);
int fb_gzip_stream_seek(struct fb_gzip_stream *s, const struct fb_gzip_point *point);
/*
 * Inflate up to @len bytes; fewer at the end (done), and with @stop at each
 * place that a point can be made of (*stop is set: is this one?).
 * A member's trailer is checked when it is passed, unless raw.
 * Returns the count, or -EUCLEAN (damaged, cut short), -ENOMEM, -errno.
 */
ssize_t fb_gzip_stream_read(struct fb_gzip_stream *s, uint8_t *buf, size_t len, bool *stop);
/* The present place as a point; only where *stop was set. */
int fb_gzip_stream_mark(struct fb_gzip_stream *s, struct fb_gzip_index *index);

#endif
