// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * start.c: fixed-size messages with descriptors over a SOCK_SEQPACKET socket.
 * Used between mount.fuseblk and the driver, and on the control socket.  A
 * message arrives whole or not at all; a descriptor that was not asked for is
 * closed.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "start.h"

#define MAX_FDS (FB_MAX_SPARE_FDS + 8)

union control {
	char bytes[CMSG_SPACE(MAX_FDS * sizeof(int))];
	struct cmsghdr align;
};

void fb_control_path(unsigned dev_major, unsigned dev_minor, char *path, unsigned size)
{
	snprintf(path, size, "%s/%u:%u", FB_CONTROL_DIR, dev_major, dev_minor);
}

static void attach_fds(struct msghdr *mh, union control *control, const int *fds, unsigned nfds)
{
	struct cmsghdr *c;

	memset(control, 0, sizeof(*control));
	mh->msg_control = control->bytes;
	mh->msg_controllen = CMSG_SPACE(nfds * sizeof(int));
	c = CMSG_FIRSTHDR(mh);
	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(nfds * sizeof(int));
	memcpy(CMSG_DATA(c), fds, nfds * sizeof(int));
}

int fb_start_send(int sock, const void *msg, unsigned size, const int *fds, unsigned nfds)
{
	struct iovec iov = { (void *)msg, size };
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1 };
	union control control;
	ssize_t n;

	if (nfds > MAX_FDS)
		return -E2BIG;
	if (nfds)
		attach_fds(&mh, &control, fds, nfds);
	do {
		n = sendmsg(sock, &mh, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	return (size_t)n == size ? 0 : -EPROTO;
}

/* Moves up to @max descriptors of the message to @fds; closes the others, all of them if @keep is false. */
static unsigned detach_fds(struct msghdr *mh, int *fds, unsigned max, bool keep)
{
	struct cmsghdr *c;
	unsigned count = 0;

	for (c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
		size_t i, n;

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(fd));
			if (keep && count < max)
				fds[count++] = fd;
			else
				close(fd);
		}
	}
	return count;
}

int fb_start_recv(int sock, void *msg, unsigned size, int *fds, unsigned max_fds, unsigned *nfds)
{
	struct iovec iov = { msg, size };
	union control control;
	struct msghdr mh = { .msg_iov = &iov, .msg_iovlen = 1,
			     .msg_control = control.bytes,
			     .msg_controllen = sizeof(control.bytes) };
	unsigned count;
	ssize_t n;
	bool whole;

	do {
		n = recvmsg(sock, &mh, MSG_CMSG_CLOEXEC);
	} while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == ECONNRESET ? -EPIPE : -errno;
	whole = (size_t)n == size && !(mh.msg_flags & (MSG_TRUNC | MSG_CTRUNC));
	count = detach_fds(&mh, fds, max_fds, whole);
	if (n == 0)
		return -EPIPE;
	if (!whole)
		return -EPROTO;
	if (nfds)
		*nfds = count;
	return 0;
}
