/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * device_gzip.c: a gzip image, read-only, with random access.
 *
 * The image is inflated once, when it is opened, for its size, its checksums
 * and the index of points to start from; a saved index spares that.  Reads
 * are served in chunks: from a small cache, else by a cursor, which inflates
 * on from where it stopped or from the nearest point, whichever is shorter.
 *
 * lock protects the cache and which cursor is whose; inflating is done
 * without it, by the one thread that has the cursor (busy).  The index is
 * constant after open.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "fuseblk.h"
#include "gzip.h"
#include "worker.h"

#define CHUNK 131072u
#define CHUNKS 32u		/* 4 MiB cached */
#define CURSORS 4u		/* that many readers inflate side by side */
#define SECTOR 512u
#define INTERRUPT_CHECK 1048576u	/* bytes inflated between two looks */

struct cursor {
	struct fb_gzip_stream *stream;	/* NULL until first used, and after an error */
	bool busy;
	uint64_t number;		/* busy: the chunk being inflated */
	uint64_t used;
};

struct chunk {
	uint8_t *bytes;			/* NULL: empty */
	uint64_t number;
	uint64_t used;
};

struct gzip_device {
	struct fb_device dev;
	int fd;
	struct fb_gzip_index index;
	pthread_mutex_t lock;
	pthread_cond_t changed;		/* a cursor was given back */
	uint64_t clock;			/* counts uses */
	struct cursor cursors[CURSORS];
	struct chunk chunks[CHUNKS];
};

static struct gzip_device *to_gzip(struct fb_device *dev)
{
	return (struct gzip_device *)dev;
}

/* ------------------------------------------------------------------ */
/* Chunks                                                               */
/* ------------------------------------------------------------------ */

/* The part of chunk @number that a read wants. */
struct part {
	uint64_t number;
	size_t skip, count;
	uint8_t *dst;
};

static struct chunk *find_chunk(struct gzip_device *g, uint64_t number)
{
	unsigned i;

	for (i = 0; i < CHUNKS; i++)
		if (g->chunks[i].bytes && g->chunks[i].number == number)
			return &g->chunks[i];
	return NULL;
}

/* Under lock. Takes @bytes; what it displaces is returned, to be freed. */
static uint8_t *insert_chunk(struct gzip_device *g, uint64_t number, uint8_t *bytes)
{
	struct chunk *chunk = &g->chunks[0];
	uint8_t *old;
	unsigned i;

	for (i = 1; i < CHUNKS && chunk->bytes; i++)
		if (!g->chunks[i].bytes || g->chunks[i].used < chunk->used)
			chunk = &g->chunks[i];
	old = chunk->bytes;
	*chunk = (struct chunk){ .bytes = bytes, .number = number, .used = ++g->clock };
	return old;
}

static bool copy_cached(struct gzip_device *g, const struct part *part)
{
	struct chunk *chunk = find_chunk(g, part->number);

	if (!chunk)
		return false;
	chunk->used = ++g->clock;
	memcpy(part->dst, chunk->bytes + part->skip, part->count);
	return true;
}

/* ------------------------------------------------------------------ */
/* Cursors                                                              */
/* ------------------------------------------------------------------ */

static bool is_being_inflated(const struct gzip_device *g, uint64_t number)
{
	unsigned i;

	for (i = 0; i < CURSORS; i++)
		if (g->cursors[i].busy && g->cursors[i].number == number)
			return true;
	return false;
}

static bool is_between(const struct cursor *c, uint64_t from, uint64_t to)
{
	return c->stream && c->stream->out >= from && c->stream->out <= to;
}

/*
 * The idle cursor that gets to byte @start soonest without going back to a
 * point, else the one unused longest; NULL if all are busy.
 */
static struct cursor *choose_cursor(struct gzip_device *g, uint64_t start)
{
	uint64_t from = fb_gzip_index_find(&g->index, start)->out;
	struct cursor *best = NULL, *oldest = NULL;
	unsigned i;

	for (i = 0; i < CURSORS; i++) {
		struct cursor *c = &g->cursors[i];

		if (c->busy)
			continue;
		if (!oldest || c->used < oldest->used)
			oldest = c;
		if (is_between(c, from, start) && (!best || c->stream->out > best->stream->out))
			best = c;
	}
	return best ? best : oldest;
}

/*
 * Returns 1 when the part was copied from the cache, 0 with a cursor that is
 * now this thread's, -EINTR.
 */
static int cached_or_cursor(struct gzip_device *g, const struct part *part, struct cursor **out)
{
	struct cursor *c = NULL;
	int ret = 0;

	fb_mutex_lock(&g->lock);
	while (!ret) {
		if (copy_cached(g, part)) {
			ret = 1;
			break;
		}
		if (!is_being_inflated(g, part->number))
			c = choose_cursor(g, part->number * CHUNK);
		if (c)
			break;
		ret = fb_cond_wait_interruptible(&g->changed, &g->lock);
	}
	if (c) {
		c->busy = true;
		c->number = part->number;
		c->used = ++g->clock;
		*out = c;
	}
	pthread_mutex_unlock(&g->lock);
	return ret;
}

/* Give @c back, and the chunk it has made to the cache (NULL: none). */
static void put_cursor(struct gzip_device *g, struct cursor *c, uint8_t *bytes)
{
	fb_mutex_lock(&g->lock);
	if (bytes)
		bytes = insert_chunk(g, c->number, bytes);
	c->busy = false;
	pthread_cond_broadcast(&g->changed);
	pthread_mutex_unlock(&g->lock);
	free(bytes);
}

/* Have the stream at @start or before it, in reach without passing a point. */
static int seat_cursor(struct gzip_device *g, struct cursor *c, uint64_t start)
{
	const struct fb_gzip_point *point = fb_gzip_index_find(&g->index, start);
	int ret;

	if (is_between(c, point->out, start))
		return 0;
	if (!c->stream) {
		ret = fb_gzip_stream_new(g->fd, &c->stream);
		if (ret)
			return ret;
	}
	return fb_gzip_stream_seek(c->stream, point);
}

/* Inflate up to byte @end; the last bytes of it land at the begin of @bytes. */
static int inflate_to(struct fb_gzip_stream *s, uint64_t end, uint8_t *bytes)
{
	ssize_t n;

	while (s->out < end) {
		uint64_t left = end - s->out, most = left % CHUNK ? left % CHUNK : CHUNK;

		if (fuseblk_interrupted())
			return -EINTR;
		n = fb_gzip_stream_read(s, bytes, most, NULL);
		if (n < 0)
			return (int)n;
		if ((uint64_t)n < most)
			return -EUCLEAN;
	}
	return 0;
}

static int inflate_chunk(struct gzip_device *g, struct cursor *c, uint8_t *bytes)
{
	uint64_t start = c->number * CHUNK, end = start + CHUNK;
	int ret = seat_cursor(g, c, start);

	if (end > g->dev.size)
		end = g->dev.size;
	if (!ret)
		ret = inflate_to(c->stream, start, bytes);
	if (!ret)
		ret = inflate_to(c->stream, end, bytes);
	if (ret && ret != -EINTR) {
		fb_gzip_stream_free(c->stream);
		c->stream = NULL;
	}
	return ret;
}

static int load_part(struct gzip_device *g, struct cursor *c, const struct part *part)
{
	uint8_t *bytes = malloc(CHUNK);
	int ret = -ENOMEM;

	if (bytes) {
		fb_block_begin();
		ret = inflate_chunk(g, c, bytes);
		fb_block_end();
	}
	if (!ret) {
		memcpy(part->dst, bytes + part->skip, part->count);
	} else {
		free(bytes);
		bytes = NULL;
	}
	put_cursor(g, c, bytes);
	return ret;
}

static int read_part(struct gzip_device *g, const struct part *part)
{
	struct cursor *c = NULL;
	int ret = cached_or_cursor(g, part, &c);

	if (ret)
		return ret < 0 ? ret : 0;
	return load_part(g, c, part);
}

/* ------------------------------------------------------------------ */
/* The device                                                           */
/* ------------------------------------------------------------------ */

static int gzip_read(struct fb_device *dev, void *buf, size_t len, uint64_t off)
{
	struct part part = { .dst = buf };
	int ret = 0;

	while (len && !ret) {
		part.number = off / CHUNK;
		part.skip = off % CHUNK;
		part.count = CHUNK - part.skip < len ? CHUNK - part.skip : len;
		ret = read_part(to_gzip(dev), &part);
		part.dst += part.count;
		off += part.count;
		len -= part.count;
	}
	return ret;
}

static int gzip_write(struct fb_device *dev, const void *buf, size_t len, uint64_t off)
{
	(void)dev;
	(void)buf;
	(void)len;
	(void)off;
	return -EROFS;
}

static int gzip_flush(struct fb_device *dev)
{
	(void)dev;
	return 0;
}

static void gzip_close(struct fb_device *dev)
{
	struct gzip_device *g = to_gzip(dev);
	unsigned i;

	for (i = 0; i < CHUNKS; i++)
		free(g->chunks[i].bytes);
	for (i = 0; i < CURSORS; i++)
		fb_gzip_stream_free(g->cursors[i].stream);
	fb_gzip_index_fini(&g->index);
	pthread_cond_destroy(&g->changed);
	pthread_mutex_destroy(&g->lock);
	close(g->fd);
	free(g);
}

static const struct fb_device_ops gzip_ops = {
	.read = gzip_read,
	.write = gzip_write,
	.flush = gzip_flush,
	.close = gzip_close,
};

/* Inflate to the end for the size and the points. */
static int inflate_all(struct gzip_device *g, struct fb_gzip_stream *s, uint8_t *scratch)
{
	uint64_t look = 0;
	bool at_point;
	ssize_t n;
	int ret = fb_gzip_stream_rewind(s);

	while (!ret && !s->done) {
		n = fb_gzip_stream_read(s, scratch, CHUNK, &at_point);
		if (n < 0)
			return (int)n;
		if (at_point && fb_gzip_index_wants(&g->index, s->out))
			ret = fb_gzip_stream_mark(s, &g->index);
		if (!ret && s->out - look >= INTERRUPT_CHECK) {
			look = s->out;
			ret = fuseblk_interrupted() ? -EINTR : 0;
		}
	}
	g->index.size = s->out;
	return ret;
}

static int build_index(struct gzip_device *g)
{
	uint8_t *scratch = malloc(CHUNK);
	struct fb_gzip_stream *s;
	int ret;

	if (!scratch)
		return -ENOMEM;
	ret = fb_gzip_stream_new(g->fd, &s);
	if (!ret) {
		ret = inflate_all(g, s, scratch);
		fb_gzip_stream_free(s);
	}
	free(scratch);
	return ret;
}

static int find_index(struct gzip_device *g, int index_fd)
{
	struct fb_gzip_identity id;
	int ret;

	if (index_fd < 0)
		return build_index(g);
	ret = fb_gzip_identify(g->fd, &id);
	if (!ret)
		ret = fb_gzip_index_load(&g->index, index_fd, &id);
	if (ret != -ENOENT)
		return ret;
	ret = build_index(g);
	if (!ret)
		(void)fb_gzip_index_save(&g->index, index_fd, &id);
	return ret;
}

/* Returns 0, -ENODEV, -errno. */
static int check_kind(int fd)
{
	struct stat st;

	if (fstat(fd, &st))
		return -errno;
	return S_ISREG(st.st_mode) || S_ISBLK(st.st_mode) ? 0 : -ENODEV;
}

static int gzip_init(struct gzip_device *g, int index_fd)
{
	int ret = check_kind(g->fd);

	if (!ret && !fb_device_is_gzip(g->fd))
		ret = -EUCLEAN;
	if (!ret)
		ret = find_index(g, index_fd);
	g->dev.ops = &gzip_ops;
	g->dev.size = g->index.size;
	g->dev.sector = SECTOR;
	g->dev.align = 1;
	g->dev.read_only = true;
	return ret;
}

static int open_gzip(int fd, int index_fd, struct fb_device **out)
{
	struct gzip_device *g = calloc(1, sizeof(*g));
	int ret;

	if (!g) {
		close(fd);
		return -ENOMEM;
	}
	g->fd = fd;
	fb_gzip_index_init(&g->index);
	pthread_mutex_init(&g->lock, NULL);
	pthread_cond_init(&g->changed, NULL);
	ret = gzip_init(g, index_fd);
	if (ret) {
		gzip_close(&g->dev);
		return ret;
	}
	*out = &g->dev;
	return 0;
}

int fb_device_open_gzip(int fd, int index_fd, struct fb_device **out)
{
	int ret = fb_device_adopt_fd(fd);

	if (ret >= 0)
		ret = open_gzip(ret, index_fd, out);
	if (index_fd >= 0)
		close(index_fd);
	return ret;
}

bool fb_device_is_gzip(int fd)
{
	uint8_t magic[3];

	/* The last: the one method there is, deflate. */
	return pread(fd, magic, sizeof(magic), 0) == sizeof(magic) &&
	       magic[0] == 0x1f && magic[1] == 0x8b && magic[2] == 8;
}
