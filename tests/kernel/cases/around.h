/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * around.h: for the cases of what goes on around requests: callers that end while
 * nobody serves, requests that nobody reads.
 */
#ifndef TESTS_KERNEL_CASES_AROUND_H
#define TESTS_KERNEL_CASES_AROUND_H

#include <poll.h>
#include "daemon.h"

#define ARG(r, type) ((const struct type *)(r)->arg)

/* There is something to read from @kd; it is left there. */
static inline void around_wait_unread(struct kd *kd)
{
	struct pollfd p = { .fd = kd->fd, .events = POLLIN };

	if (poll(&p, 1, kernel_ms(KD_WAIT_MS)) != 1)
		FAIL("no request can be read");
}

/* A stat of @name, whose LOOKUP is in the queue. */
static inline struct kd_call *around_unread(struct kd *kd, const char *name)
{
	struct kd_call *c = kd_call_stat(kd, name, NULL);

	around_wait_unread(kd);
	return c;
}

/* The call ends although nobody serves. */
static inline void around_ends(struct kd_call *c)
{
	struct pollfd p = { .fd = kd_call_poll_fd(c), .events = POLLIN };

	if (poll(&p, 1, kernel_ms(KD_WAIT_MS)) != 1)
		FAIL("the call does not end by itself");
}

/* What was read from @kd from now on is somebody else's: the harness leaves it alone. */
static inline void around_leave_alone(struct kd *kd)
{
	kd->dead = true;
}

static inline void around_pause(int ms)
{
	usleep((useconds_t)kernel_ms(ms) * 1000);
}

/* Its result, when it has ended; what can be read stays unread. */
static inline long around_result(struct kd *kd, struct kd_call *c)
{
	bool dead = kd->dead;
	long ret;

	around_ends(c);
	kd->dead = true;
	ret = kd_wait(c);
	kd->dead = dead;
	return ret;
}

#endif
