/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * queue.h: which request is served when: the state of every request between
 * its caller and the daemon, and the only place that changes it.
 *
 * The queue knows tickets, not what they ask for: copying, waiting and memory
 * are the business of request.c and dev.c.  It has one lock, under which every
 * function here makes one step; callbacks are made after it was dropped.  It
 * uses lists, a spinlock and a reference count, so that it also compiles in
 * user space (tests/kernel/unit), where every order of steps is walked.
 *
 *	           add               take             sent             find            end
 *	NEW ---------------> PENDING -----> READING -------> SENT ----------> WRITING ------> DONE
 *	   \-> HELD (background, over the limit) -> PENDING
 *
 * READING and WRITING belong to the thread that copies.  While it copies, the
 * ticket is pinned, and abort only marks it; before the thread does what may
 * sleep for long (a page fault on the daemon's buffer) it unpins it by
 * fblk_queue_pause(), and abort ends it at once.
 */
#ifndef FBLK_QUEUE_H
#define FBLK_QUEUE_H

#ifdef __KERNEL__
#include <linux/list.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>
#include <linux/types.h>
#else
#include "kernel_shim.h"
#endif

enum fblk_state {
	FBLK_NEW,
	FBLK_HELD,
	FBLK_PENDING,
	FBLK_READING,
	FBLK_SENT,
	FBLK_WRITING,
	FBLK_DONE,
};

/* A request as the queue sees it.  All but @refs under the queue's lock; @background and @user are set before it is added. */
struct fblk_ticket {
	struct list_head link;		/* held, pending, a lane's sent or busy */
	struct list_head interrupt;	/* the queue's interrupts, or empty */
	refcount_t refs;		/* the maker, the queue from add to done, the copier */
	u64 unique;			/* even; steps by 2 */
	enum fblk_state state;
	int error;			/* when DONE: 0, or why it came to nothing */
	bool background;		/* counts against max_background */
	bool interrupted;		/* the caller had a signal */
	bool pinned;			/* being copied: abort leaves the end to the copier */
	bool aborted;			/* found pinned by abort */
};

struct fblk_forget {
	struct fblk_forget *next;
	u64 nodeid, nlookup;
};

/* A channel's part: what was read from it and must be answered on it. */
#define FBLK_LANE_BUCKETS 64
struct fblk_lane {
	struct list_head link;		/* the queue's lanes */
	struct list_head sent[FBLK_LANE_BUCKETS];
	struct list_head busy;		/* READING and WRITING */
};

struct fblk_queue;
struct fblk_queue_ops {
	/* The ticket is DONE; the queue's reference is dropped after this. */
	void (*done)(struct fblk_queue *q, struct fblk_ticket *t);
	/* The last reference is gone. */
	void (*free)(struct fblk_ticket *t);
	/* There is something to read, or the end has come. */
	void (*readable)(struct fblk_queue *q);
	/* There may be room for another background request. */
	void (*room)(struct fblk_queue *q);
};

struct fblk_queue {
	spinlock_t lock;
	const struct fblk_queue_ops *ops;
	bool connected;
	bool no_interrupt;		/* the daemon said ENOSYS to one */
	u64 last_unique;
	struct list_head pending, held, interrupts, lanes;
	struct fblk_forget *forgets, **last_forget;
	int turn;			/* > 0: a forget is next, else a request */
	unsigned int background;	/* background tickets not DONE */
	unsigned int active;		/* those of them that are not HELD */
	unsigned int max_background, congestion_threshold;
};

enum fblk_work_kind { FBLK_WORK_REQUEST, FBLK_WORK_INTERRUPT, FBLK_WORK_FORGET };
struct fblk_work {			/* what a read of the channel is to hand out */
	enum fblk_work_kind kind;
	struct fblk_ticket *ticket;	/* REQUEST: with a reference, pinned */
	u64 unique;			/* INTERRUPT: of the request that it is for */
	struct fblk_forget *forgets;	/* FORGET: the reader's to free */
	unsigned int nr_forgets;
};

void fblk_queue_init(struct fblk_queue *q, const struct fblk_queue_ops *ops);
/* One reference, the caller's. */
void fblk_ticket_init(struct fblk_ticket *t, bool background);
void fblk_ticket_put(struct fblk_queue *q, struct fblk_ticket *t);
bool fblk_ticket_is_done(const struct fblk_ticket *t);

/* Returns 0, or -ENOTCONN after an abort; the ticket is then as it was. */
int fblk_queue_add(struct fblk_queue *q, struct fblk_ticket *t);
/* @f is the queue's from now on, also after an abort (it is then freed by fblk_forget_free()). */
void fblk_queue_forget(struct fblk_queue *q, struct fblk_forget *f);
/* Given by the environment: free one. */
void fblk_forget_free(struct fblk_forget *f);

/* ---- the daemon's side ---------------------------------------------------- */

/* Something to read?  Also true when there never will be. */
bool fblk_queue_is_readable(struct fblk_queue *q);
/*
 * What to read next: interrupts first, then forgets (at most @max_forgets) and
 * requests by turns, 16 against 8.  Returns 0, -EAGAIN if there is nothing,
 * -ENODEV after an abort.
 */
int fblk_queue_take(struct fblk_queue *q, struct fblk_lane *lane, unsigned int max_forgets, struct fblk_work *work);
/* The daemon has it all.  Drops the taker's reference.  Returns 0, or -ENODEV if it was aborted meanwhile. */
int fblk_queue_sent(struct fblk_queue *q, struct fblk_lane *lane, struct fblk_ticket *t);
/* The sent request with this number, pinned and with a reference, or NULL. */
struct fblk_ticket *fblk_queue_find(struct fblk_queue *q, struct fblk_lane *lane, u64 unique);
/* Its copier is done with it; @error: 0 or why it fails.  Drops the copier's reference. */
void fblk_queue_end(struct fblk_queue *q, struct fblk_ticket *t, int error);
/* Around what may sleep for long; false: it was aborted, nothing of it may be touched but by fblk_ticket_put(). */
bool fblk_queue_pause(struct fblk_queue *q, struct fblk_ticket *t);
bool fblk_queue_resume(struct fblk_queue *q, struct fblk_ticket *t);
/*
 * The daemon's answer to the INTERRUPT for @unique: -EAGAIN asks for another,
 * -ENOSYS for no more than are waiting to be read.  Returns 0, -ENOENT if there
 * is no such sent request, or -EINVAL if one that nobody interrupted is to be
 * interrupted again.
 */
int fblk_queue_interrupt_reply(struct fblk_queue *q, struct fblk_lane *lane, u64 unique, int error);

void fblk_lane_open(struct fblk_queue *q, struct fblk_lane *lane);
/*
 * What was sent on it fails with -ECONNABORTED.  Nobody may be copying on it
 * any more, not even in a pause.  True: it was the last one.
 */
bool fblk_lane_close(struct fblk_queue *q, struct fblk_lane *lane);

/* ---- the caller's side ---------------------------------------------------- */

/* The caller has a signal: an INTERRUPT follows as soon as the daemon has the request. */
void fblk_queue_interrupt(struct fblk_queue *q, struct fblk_ticket *t);
/* Take back what was not read yet.  True: it is DONE with -EINTR, without a call of ->done. */
bool fblk_queue_cancel(struct fblk_queue *q, struct fblk_ticket *t);
/* Is there no room for another background request? */
bool fblk_queue_is_full(struct fblk_queue *q);
bool fblk_queue_is_congested(struct fblk_queue *q);
/* 0: leave as it is. */
void fblk_queue_set_limits(struct fblk_queue *q, unsigned int max_background, unsigned int congestion_threshold);
/* One of them, to any value: with 0 every background request is held, or the queue is always congested. */
void fblk_queue_set_max_background(struct fblk_queue *q, unsigned int max_background);
void fblk_queue_set_congestion(struct fblk_queue *q, unsigned int threshold);

/* Everything fails with -ECONNABORTED, now or when its copier comes by; nothing can be added any more. */
void fblk_queue_abort(struct fblk_queue *q);

#endif
