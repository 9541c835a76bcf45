/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * session.h: one mounted volume being served: the channel, the workers that
 * read it, and what INIT settled.
 *
 * Life: fb_session_new() -> fb_session_run() (blocks; INIT, requests, then
 * DESTROY or the end of the channel) -> fb_session_free().  The volume is
 * the caller's: run() starts it (->start) before the first request and closes
 * it (fb_volume_close) before it returns; the caller frees it afterwards.
 *
 * Lock order: session->lock -> worker->lock; both are leaves to everything in
 * volume.h and nothing blocks under them.
 */
#ifndef FB_SESSION_H
#define FB_SESSION_H

#include <pthread.h>
#include <stdatomic.h>
#include "dir_handle.h"
#include "request.h"

/* The channel is a SOCK_SEQPACKET socket whose peer plays the kernel: one message per packet, end of file is the end. */
#define FB_SESSION_SOCKET	0x1u

struct fb_session_args {
	struct fuseblk_volume *vol;
	int channel;			/* owned by the session, also on failure */
	const int *spares;		/* unused /dev/fuse descriptors for clones; owned likewise */
	unsigned spare_count;
	unsigned flags;			/* FB_SESSION_* */
	/* Called once: INIT was answered (0), or will never be (negative errno). May be NULL. */
	void (*serving)(void *ctx, int error);
	/* Called once, before the volume is closed and DESTROY answered. May be NULL; any thread. */
	void (*closing)(void *ctx);
	void *ctx;
};

/* Returns 0, -ENOMEM, -EAGAIN (no thread). */
int fb_session_new(const struct fb_session_args *args, struct fb_session **out);
/*
 * Serve until DESTROY was answered or the channel ended.  Blocks; runs its
 * own threads and joins them.  The volume is closed when it returns.
 * Returns 0, or the first error of starting or closing the volume.
 */
int fb_session_run(struct fb_session *session);
/* Closes the channel and the spares; NULL: nothing. */
void fb_session_free(struct fb_session *session);

/* ------------------------------------------------------------------ */
/* Inside the library                                                  */
/* ------------------------------------------------------------------ */

#define FB_MAX_WORKERS		64
#define FB_MAX_LOOKUPS		512	/* lookup counts one reply can raise */
#define FB_MAX_WRITE		(1u << 20)

struct fb_worker {
	struct fb_session *session;
	pthread_t thread;
	int fd;				/* reads and replies: the channel or a clone */
	uint8_t *message;		/* mapped: FB_MAX_WRITE and two pages */
	uint8_t *scratch;		/* mapped: FB_MAX_WRITE and a page */
	unsigned block_depth;		/* own thread only */
	uint64_t block_since;		/* ns; own thread only */
	uint64_t served_at;		/* ns, 0: nothing served since it parked; own thread only */
	/* session->lock: */
	bool wanted;			/* a reader's place is reserved for this parked worker */
	pthread_cond_t wake;
	struct fb_worker *next_parked;
	/* the request being served: */
	pthread_mutex_t lock;		/* guards the next six */
	uint64_t unique;		/* 0: none */
	pthread_cond_t *waiting_on;
	bool stuck;			/* in the device for a commit: the watchdog may answer, see fb_stuck_begin() */
	bool answered;			/* it did; constant until the next request, for the own thread then */
	uint64_t stuck_looked;		/* when the watchdog last looked for a fatal signal, ns */
	uint32_t pid;			/* the caller's thread; written by the own thread */
	_Atomic bool interrupted;	/* an INTERRUPT came; whether it is fatal is for fb_interrupted() to see */
	bool fatal;			/* own thread only: it was; see fb_interrupt_is_fatal() */
	uint64_t fatal_looked;		/* own thread only: when that was last looked at, ns */
	bool final;			/* own thread only: closing the volume, which nothing interrupts */
	uint64_t lookups[FB_MAX_LOOKUPS];	/* inodes whose count this request raised */
	unsigned lookup_count;
	struct fb_stale *stale;		/* entries the kernel has to void after this request; spelling.h */
	uint64_t touched;		/* inode whose atime is due after the reply, 0: none */
};

#define FB_EARLY_INTERRUPTS 16

struct fb_session {
	struct fuseblk_volume *vol;
	int channel;
	int proc;			/* /proc as it was at the start, or -1 */
	bool is_socket;
	int spares[FB_MAX_WORKERS];
	unsigned spare_count;
	void (*serving)(void *ctx, int error);
	void (*closing)(void *ctx);
	void *ctx;
	bool serving_called;		/* lock */

	struct fb_spelling *spelling;	/* NULL: names have one spelling */
	struct fb_dir_handles dir_handles;
	struct fb_proto proto;		/* written once by INIT, before any other request is served */
	_Atomic bool initialised;
	_Atomic bool ending;		/* DESTROY is being served or was: the volume is off limits */
	_Atomic bool ended;		/* the channel is gone or DESTROY answered */
	int result;			/* of closing the volume */
	bool no_open, no_opendir;	/* answer ENOSYS; set by INIT */

	pthread_mutex_t lock;
	pthread_cond_t idle;		/* serving_count fell while ending */
	pthread_cond_t watchdog;	/* wakes fb_session_run()'s thread */
	struct fb_worker *workers[FB_MAX_WORKERS];
	unsigned worker_count, worker_max;
	struct fb_worker *parked;
	_Atomic unsigned readers;	/* in read() or on their way there */
	unsigned readers_wanted;	/* constant while running */
	_Atomic unsigned serving_count;	/* workers between read and the end of a request */
	_Atomic unsigned forgetting;	/* of these, in FORGET */
	_Atomic uint64_t forgets;	/* served */
	_Atomic uint64_t others;	/* requests but READ and WRITE */
	_Atomic uint64_t vain_forgets, vain_others;	/* the counts when draining FORGETs last made no room */
	_Atomic uint64_t served;	/* requests, for the watchdog */
	_Atomic bool watchdog_asleep;
	_Atomic uint32_t gap_ewma;	/* ns from a request's end to the next one, averaged; waits cut to MAX_GAP_NS */
	bool may_poll;			/* another CPU is there for the callers; constant */
	_Atomic uint32_t block_ewma;	/* ns that blocked workers were away, averaged */

	pthread_mutex_t interrupt_lock;
	struct { uint64_t unique; unsigned count; } early[FB_EARLY_INTERRUPTS];
	unsigned early_next;
	_Atomic unsigned early_count;
};

#endif
