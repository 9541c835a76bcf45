/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* workers.h: the workers of a session, as session.c sees them. */
#ifndef FB_WORKERS_H
#define FB_WORKERS_H

#include <stddef.h>
#include <stdbool.h>

struct fb_session;
struct fb_worker;

/* How many workers at most, and how many of them reading, suit the machine. */
void fb_workers_size(struct fb_session *s, unsigned threads);
/* Starts the first readers. Returns 0, -ENOMEM or -EAGAIN. */
int fb_workers_start(struct fb_session *s);
/* Blocks until the session ended, seeing to it that somebody reads; then joins and frees every worker. */
void fb_workers_run(struct fb_session *s);
/* Nobody is to read any more; wakes everyone who can be woken. */
void fb_workers_end(struct fb_session *s);
/* See to it now that another worker reads, because this one will be away for long. Never blocks. */
void fb_workers_hand_over(struct fb_session *s);
/* The worker of this thread, or NULL. */
struct fb_worker *fb_worker_self(void);

#define FB_SCRATCH_SIZE ((1u << 20) + 4096u)	/* worker->scratch */

/* session.c: serve the message of @len bytes in worker->message. */
void fb_session_serve(struct fb_worker *worker, size_t len);

#endif
