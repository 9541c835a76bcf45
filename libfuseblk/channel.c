// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * channel.c: read() and writev() on /dev/fuse or on a socket whose peer plays
 * the kernel.  Both carry whole messages, so both are used alike; errors are
 * brought to the few meanings that the workers act on.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include "channel.h"

#define PAGE 4096u
/* fuse_in_header and fuse_write_in: what stands before the payload of a WRITE. */
#define WRITE_HEAD 80u

uint8_t *fb_message_new(size_t max_write)
{
	uint8_t *map = mmap(NULL, max_write + 2 * PAGE, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return map == MAP_FAILED ? NULL : map + PAGE - WRITE_HEAD;
}

static void *map_of(uint8_t *message)
{
	return message + WRITE_HEAD - PAGE;
}

void fb_message_free(uint8_t *message, size_t max_write)
{
	if (message)
		munmap(map_of(message), max_write + 2 * PAGE);
}

void fb_message_drop(uint8_t *message, size_t max_write)
{
	if (message)
		madvise(map_of(message), max_write + 2 * PAGE, MADV_DONTNEED);
}

ssize_t fb_channel_read(int fd, void *message, size_t size)
{
	ssize_t n = read(fd, message, size);

	if (n > 0)
		return n;
	if (n == 0)
		return -EPIPE;
	switch (errno) {
	case EAGAIN:
		return -EAGAIN;
	case EINTR:
	case ENOENT:		/* the request was taken back while it was copied */
		return -EINTR;
	case ENODEV:
	case ECONNABORTED:
	case ECONNRESET:
		return -EPIPE;
	default:
		return -errno;
	}
}

int fb_channel_reply(int fd, const struct fb_reply *reply)
{
	ssize_t n;

	do {
		n = writev(fd, reply->iov, reply->iov_count);
	} while (n < 0 && errno == EINTR);
	if (n >= 0)
		return (size_t)n == reply->total ? 0 : -EIO;
	switch (errno) {
	case ENODEV:
	case ENOTCONN:
	case ECONNABORTED:
	case ECONNRESET:
	case EPERM:		/* the connection was never made, or was aborted */
		return -EPIPE;
	default:
		return -errno;
	}
}

int fb_channel_set_nonblocking(int fd)
{
	int flags = fcntl(fd, F_GETFL);

	return flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) ? -errno : 0;
}

void fb_channel_wait(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	poll(&p, 1, -1);
}

bool fb_channel_is_readable(int fd)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, 0) > 0 && (p.revents & POLLIN);
}

int fb_channel_clone(int fd, int channel)
{
	uint32_t from = (uint32_t)channel;

	return ioctl(fd, FUSE_DEV_IOC_CLONE, &from) ? -errno : 0;
}
