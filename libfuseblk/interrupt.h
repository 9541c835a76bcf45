/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* interrupt.h: INTERRUPT and the requests it names. */
#ifndef FB_INTERRUPT_H
#define FB_INTERRUPT_H

#include <stdbool.h>
#include <stdint.h>

struct fb_session;
struct fb_worker;

/* Serve an INTERRUPT of @unique. Returns 0 (say nothing) or -EAGAIN. Never blocks. */
int fb_interrupt(struct fb_session *s, uint64_t unique);
/* @worker serves @unique, which thread @pid asked for, from now on and until leave. */
void fb_interrupt_enter(struct fb_worker *worker, uint64_t unique, uint32_t pid);
void fb_interrupt_leave(struct fb_worker *worker);
/* The watchdog, under session->lock: answer EINTR for workers that are stuck in a commit after a fatal signal. */
void fb_interrupt_answer_stuck(struct fb_session *s, uint64_t now);
/* The worker's own thread, after an INTERRUPT: was it, or has there since been, a fatal signal? @now in ns. */
bool fb_interrupt_is_fatal(struct fb_worker *worker, uint64_t now);

#endif
