/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * worker.h: threads that serve requests, and what code that may block owes
 * them.
 *
 * One worker at a time (more on machines with many CPUs) waits in read() on
 * the channel, and serves what it read itself: a request then costs one
 * wake-up.  Whoever is about to wait for a device, a lock held over I/O or a
 * commit calls fb_block_begin() first, so that another worker takes over the
 * reading; short waits that did not call it are caught by a watchdog.
 */
#ifndef FB_WORKER_H
#define FB_WORKER_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/* Pairs; nest; do nothing outside a worker thread. Never block. */
void fb_block_begin(void);
void fb_block_end(void);
/* Lock with fb_block_begin/end around the slow path only. */
void fb_rdlock(pthread_rwlock_t *lock);
void fb_wrlock(pthread_rwlock_t *lock);
void fb_mutex_lock(pthread_mutex_t *lock);

/* The request this thread serves was interrupted by a fatal signal. */
bool fb_interrupted(void);
/*
 * Wait on @cond until signalled, 50 ms have passed, or the request was
 * interrupted.  Returns 0 or -EINTR; the caller re-checks its condition.
 */
int fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock);

/*
 * Between these two the thread writes or flushes for a commit, which no signal
 * ends however long the device takes.  A request that a fatal signal hits there is answered
 * EINTR by the watchdog: fb_stuck_end() then returns -EINTR, which the handler has to
 * return too, doing nothing more that a caller could see.  Do not nest; nothing outside a worker thread.
 */
void fb_stuck_begin(void);
int fb_stuck_end(void);

#endif
