/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * write_log.c: what was written to a device, in order, with the flushes.
 *
 * In a file it is a header, then each entry's off and len and its bytes, all
 * little-endian; loading checks every length against the file's size and the
 * whole against a checksum before anything of it is handed out.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "device.h"
#include "write_log.h"

#define ZERO_ENTRY 131072u

static const char magic[8] = "FBWLOG1";
static const uint8_t zeros[ZERO_ENTRY];	/* shared by entries, never freed */

struct fb_write_log {
	struct fb_write_log_entry *entries;
	size_t count, capacity;
	uint64_t tickets;	/* the last one given */
	uint8_t *file;		/* loaded: what the entries' bytes point into */
};

struct file_header {
	char magic[8];
	uint64_t count;
	uint64_t payload;	/* bytes that follow */
	uint64_t sum;		/* of these bytes */
};

struct file_entry {
	uint64_t off, len;
};

int fb_write_log_new(struct fb_write_log **out)
{
	struct fb_write_log *log = calloc(1, sizeof(*log));

	if (!log)
		return -ENOMEM;
	*out = log;
	return 0;
}

static void free_bytes(const struct fb_write_log_entry *e)
{
	if (e->bytes != zeros)
		free((void *)(uintptr_t)e->bytes);
}

void fb_write_log_free(struct fb_write_log *log)
{
	size_t i;

	if (!log)
		return;
	for (i = 0; i < log->count && !log->file; i++)
		free_bytes(&log->entries[i]);
	free(log->entries);
	free(log->file);
	free(log);
}

size_t fb_write_log_count(const struct fb_write_log *log)
{
	return log->count;
}

const struct fb_write_log_entry *fb_write_log_get(const struct fb_write_log *log, size_t i)
{
	return i < log->count ? &log->entries[i] : NULL;
}

static int append(struct fb_write_log *log, const struct fb_write_log_entry *e)
{
	size_t capacity = log->capacity ? 2 * log->capacity : 64;
	struct fb_write_log_entry *entries;

	if (log->count == log->capacity) {
		entries = reallocarray(log->entries, capacity, sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		log->entries = entries;
		log->capacity = capacity;
	}
	log->entries[log->count++] = *e;
	return 0;
}

int fb_write_log_add(struct fb_write_log *log, uint64_t off, uint64_t len, uint8_t *bytes)
{
	struct fb_write_log_entry e = { .off = off, .len = len, .bytes = bytes };
	int ret = append(log, &e);

	if (ret)
		free(bytes);
	return ret;
}

int fb_write_log_add_zeros(struct fb_write_log *log, uint64_t off, uint64_t len)
{
	int ret = 0;

	while (len && !ret) {
		struct fb_write_log_entry e = {
			.off = off,
			.len = len < ZERO_ENTRY ? len : ZERO_ENTRY,
			.bytes = zeros,
		};

		ret = append(log, &e);
		off += e.len;
		len -= e.len;
	}
	return ret;
}

/* While the flush is under way its ticket stands in off. */
int fb_write_log_add_flush(struct fb_write_log *log, uint64_t *ticket)
{
	struct fb_write_log_entry e = { .off = ++log->tickets };

	*ticket = e.off;
	return append(log, &e);
}

void fb_write_log_end_flush(struct fb_write_log *log, uint64_t ticket, bool failed)
{
	size_t i = log->count;

	while (i-- > 0) {
		struct fb_write_log_entry *e = &log->entries[i];

		if (e->len || e->off != ticket)
			continue;
		e->off = 0;
		if (failed) {
			memmove(e, e + 1, (log->count - i - 1) * sizeof(*e));
			log->count--;
		}
		return;
	}
}

/* ------------------------------------------------------------------ */
/* In a file                                                            */
/* ------------------------------------------------------------------ */

/* FNV-1a, 64 bits. */
#define SUM_START 0xcbf29ce484222325u

static uint64_t sum(uint64_t old, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	while (len--)
		old = (old ^ *p++) * 0x100000001b3u;
	return old;
}

static int write_all(int fd, const void *buf, size_t len, uint64_t *pos)
{
	const uint8_t *p = buf;

	while (len) {
		ssize_t n = pwrite(fd, p, len, (off_t)*pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		p += n;
		*pos += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int save_entry(const struct fb_write_log_entry *e, int fd, uint64_t *pos, uint64_t *s)
{
	struct file_entry head = { .off = htole64(e->off), .len = htole64(e->len) };
	int ret = write_all(fd, &head, sizeof(head), pos);

	if (!ret && e->len)
		ret = write_all(fd, e->bytes, e->len, pos);
	*s = sum(sum(*s, &head, sizeof(head)), e->bytes, e->len);
	return ret;
}

int fb_write_log_save(const struct fb_write_log *log, int fd)
{
	struct file_header h = { .count = htole64(log->count) };
	uint64_t pos = sizeof(h), start = 0, s = SUM_START;
	size_t i;
	int ret = 0;

	if (ftruncate(fd, 0))
		return -errno;
	for (i = 0; i < log->count && !ret; i++)
		ret = save_entry(&log->entries[i], fd, &pos, &s);
	if (ret)
		return ret;
	memcpy(h.magic, magic, sizeof(magic));
	h.payload = htole64(pos - sizeof(h));
	h.sum = htole64(s);
	return write_all(fd, &h, sizeof(h), &start);
}

static int read_all(int fd, void *buf, size_t len, uint64_t pos)
{
	uint8_t *p = buf;

	while (len) {
		ssize_t n = pread(fd, p, len, (off_t)pos);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EUCLEAN;
		p += n;
		pos += (size_t)n;
		len -= (size_t)n;
	}
	return 0;
}

static int parse(struct fb_write_log *log, uint64_t count, uint64_t left)
{
	const uint8_t *p = log->file;
	struct fb_write_log_entry e;
	struct file_entry head;
	int ret;

	for (; count; count--) {
		if (left < sizeof(head))
			return -EUCLEAN;
		memcpy(&head, p, sizeof(head));
		p += sizeof(head);
		left -= sizeof(head);
		e = (struct fb_write_log_entry){
			.off = le64toh(head.off), .len = le64toh(head.len), .bytes = p,
		};
		if (e.len > left || e.off > UINT64_MAX - e.len)
			return -EUCLEAN;
		p += e.len;
		left -= e.len;
		ret = append(log, &e);
		if (ret)
			return ret;
	}
	return left ? -EUCLEAN : 0;
}

static int load(struct fb_write_log *log, int fd)
{
	struct file_header h;
	struct stat st;
	uint64_t payload;
	int ret;

	if (fstat(fd, &st))
		return -errno;
	ret = read_all(fd, &h, sizeof(h), 0);
	if (ret)
		return ret;
	payload = le64toh(h.payload);
	if (memcmp(h.magic, magic, sizeof(magic)) || st.st_size < (off_t)sizeof(h) ||
	    payload != (uint64_t)st.st_size - sizeof(h))
		return -EUCLEAN;
	log->file = malloc(payload + 1);
	if (!log->file)
		return -ENOMEM;
	ret = read_all(fd, log->file, payload, sizeof(h));
	if (!ret && sum(SUM_START, log->file, payload) != le64toh(h.sum))
		ret = -EUCLEAN;
	return ret ? ret : parse(log, le64toh(h.count), payload);
}

int fb_write_log_load(int fd, struct fb_write_log **out)
{
	struct fb_write_log *log;
	int ret = fb_write_log_new(&log);

	if (ret)
		return ret;
	ret = load(log, fd);
	if (ret) {
		fb_write_log_free(log);
		return ret;
	}
	*out = log;
	return 0;
}
