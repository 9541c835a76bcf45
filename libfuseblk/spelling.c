// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spelling.c: entries of the kernel's cache that have become wrong; see
 * spelling.h.
 *
 * An entry is prepared by its request, in the worker's list; marked once the
 * change is made; queued for the thread once the reply is out; and gone when
 * the kernel has been told.  Marks are few and short-lived, so they are
 * searched in a row; while there are none, a counter says so.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "caller.h"
#include "channel.h"
#include "node_table.h"
#include "proto.h"
#include "session.h"
#include "spelling.h"
#include "volume.h"
#include "worker.h"

#define MOST_FINDERS 16

struct fb_stale {
	struct fb_stale *next;		/* of the worker's, then of the queue */
	struct fb_stale *next_marked;
	enum fb_stale_kind kind;
	uint64_t parent, ino;		/* ino 0: nothing to mark */
	uint32_t finders[MOST_FINDERS];	/* threads that looked it up since it was marked, and may look at it once */
	unsigned finder_count;		/* ever */
	size_t len;
	char name[];			/* with a NUL */
};

struct fb_spelling {
	struct fb_session *session;
	pthread_t thread;
	pthread_rwlock_t replies;	/* shared: a LOOKUP's reply is on its way; a leaf */
	_Atomic uint64_t epoch;		/* rises, under replies, before an entry is voided */
	pthread_mutex_t lock;		/* the rest; a leaf */
	pthread_cond_t wake;
	struct fb_stale *marked, *first, **last;
	_Atomic unsigned marked_count;
	bool stop;
};

/* ---- the thread ----------------------------------------------------- */

static void unmark(struct fb_spelling *sp, struct fb_stale *gone)
{
	for (struct fb_stale **at = &sp->marked; *at; at = &(*at)->next_marked) {
		if (*at != gone)
			continue;
		*at = gone->next_marked;
		atomic_fetch_sub(&sp->marked_count, 1);
		break;
	}
}

/*
 * An entry that lives on elsewhere only has to be looked up again.  One whose
 * inode is gone keeps that from being freed: kernels that can drop what
 * nobody uses are asked to; from others the name is taken, though it may
 * have been given to something new.
 */
static void tell_kernel(struct fb_session *s, const struct fb_stale *stale)
{
	bool removed = stale->kind == FB_STALE_REMOVED, prunes = s->proto.minor >= FB_MINOR_PRUNE;
	struct fb_reply reply;

	fb_encode_inval_entry(fb_nodeid_of_ino(s->vol, stale->parent), stale->name, stale->len,
			      removed && !prunes, &reply);
	fb_channel_reply(s->channel, &reply);
	if (!removed || !prunes)
		return;
	fb_encode_prune(fb_nodeid_of_ino(s->vol, stale->ino), &reply);
	fb_channel_reply(s->channel, &reply);
}

static void void_entry(struct fb_spelling *sp, struct fb_stale *stale)
{
	pthread_rwlock_wrlock(&sp->replies);
	atomic_fetch_add(&sp->epoch, 1);
	pthread_rwlock_unlock(&sp->replies);
	tell_kernel(sp->session, stale);
}

static void *spelling_main(void *arg)
{
	struct fb_spelling *sp = arg;

	pthread_mutex_lock(&sp->lock);
	for (;;) {
		struct fb_stale *stale;

		while (!sp->first && !sp->stop)
			pthread_cond_wait(&sp->wake, &sp->lock);
		if (sp->stop)
			break;
		stale = sp->first;
		sp->first = stale->next;
		if (!sp->first)
			sp->last = &sp->first;
		pthread_mutex_unlock(&sp->lock);
		void_entry(sp, stale);
		pthread_mutex_lock(&sp->lock);
		unmark(sp, stale);
		free(stale);
	}
	pthread_mutex_unlock(&sp->lock);
	return NULL;
}

int fb_spelling_start(struct fb_session *s)
{
	struct fb_spelling *sp;
	pthread_attr_t attr;
	int err;

	if (!s->vol->info.case_insensitive)
		return 0;
	sp = calloc(1, sizeof(*sp));
	if (!sp)
		return -ENOMEM;
	sp->session = s;
	sp->last = &sp->first;
	pthread_mutex_init(&sp->lock, NULL);
	pthread_rwlock_init(&sp->replies, NULL);
	pthread_cond_init(&sp->wake, NULL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128u << 10);
	err = -pthread_create(&sp->thread, &attr, spelling_main, sp);
	pthread_attr_destroy(&attr);
	if (err)
		free(sp);
	else
		s->spelling = sp;
	return err;
}

void fb_spelling_stop(struct fb_session *s)
{
	struct fb_spelling *sp = s->spelling;

	if (!sp)
		return;
	pthread_mutex_lock(&sp->lock);
	sp->stop = true;
	pthread_cond_signal(&sp->wake);
	pthread_mutex_unlock(&sp->lock);
	pthread_join(sp->thread, NULL);
	while (sp->first) {
		struct fb_stale *next = sp->first->next;

		free(sp->first);
		sp->first = next;
	}
	pthread_mutex_destroy(&sp->lock);
	pthread_rwlock_destroy(&sp->replies);
	pthread_cond_destroy(&sp->wake);
	free(sp);
	s->spelling = NULL;
}

/* ---- entries of a request ------------------------------------------- */

static int add(struct fb_request *req, struct fuseblk_node *dir, const char *name, size_t len,
	       uint64_t ino, enum fb_stale_kind kind)
{
	struct fb_stale *stale = calloc(1, sizeof(*stale) + len + 1);

	if (!stale)
		return -ENOMEM;
	stale->kind = kind;
	stale->parent = dir->ino;
	stale->ino = ino;
	stale->len = len;
	memcpy(stale->name, name, len);
	stale->next = req->worker->stale;
	req->worker->stale = stale;
	return 0;
}

/* With @node locked, so not through fb_node_type(). */
static int is_directory(struct fuseblk_node *node, bool *is)
{
	struct fuseblk_attr attr;
	int err = node->vol->ops->getattr(node->vol, node, &attr);

	if (!err)
		*is = S_ISDIR(attr.mode);
	return err;
}

int fb_stale_prepare(struct fb_request *req, struct fuseblk_node *dir, const struct fb_name *name,
		     struct fuseblk_node *node, enum fb_stale_kind kind)
{
	char stored[FB_WIRE_NAME_MAX];
	bool is_dir;
	int err;

	if (!req->session->spelling || !fb_node_is_exact(req->vol, node->ino))
		return 0;
	err = is_directory(node, &is_dir);
	if (err)
		return err;
	if (kind == FB_STALE_GIVEN)
		return add(req, dir, name->bytes, name->len, is_dir ? 0 : node->ino, kind);
	if (is_dir)
		return 0;
	err = req->vol->ops->spelling(req->vol, dir, name->bytes, name->len, stored, sizeof(stored));
	if (err < 0)
		return err;
	return add(req, dir, stored, (size_t)err, node->ino, kind);
}

void fb_stale_settle(struct fb_request *req, bool done, bool given)
{
	struct fb_spelling *sp = req->session->spelling;
	struct fb_stale **at = &req->worker->stale;

	if (!*at)
		return;
	pthread_mutex_lock(&sp->lock);
	while (*at) {
		struct fb_stale *stale = *at;

		if (!done || (stale->kind == FB_STALE_GIVEN && !given)) {
			*at = stale->next;
			free(stale);
			continue;
		}
		stale->next_marked = sp->marked;
		sp->marked = stale;
		atomic_fetch_add(&sp->marked_count, 1);
		at = &stale->next;
	}
	pthread_mutex_unlock(&sp->lock);
}

void fb_stale_tell(struct fb_request *req)
{
	struct fb_reply reply;

	for (const struct fb_stale *stale = req->worker->stale; stale; stale = stale->next) {
		if (!stale->ino)
			continue;
		fb_encode_inval_attr(fb_nodeid_of_ino(req->vol, stale->ino), &reply);
		fb_channel_reply(req->worker->fd, &reply);
	}
}

void fb_stale_send(struct fb_request *req)
{
	struct fb_spelling *sp = req->session->spelling;
	struct fb_worker *worker = req->worker;

	if (!worker->stale)
		return;
	pthread_mutex_lock(&sp->lock);
	*sp->last = worker->stale;
	while (*sp->last)
		sp->last = &(*sp->last)->next;
	worker->stale = NULL;
	pthread_cond_signal(&sp->wake);
	pthread_mutex_unlock(&sp->lock);
}

/* ---- marks ---------------------------------------------------------- */

static bool has_marks(const struct fb_spelling *sp)
{
	return sp && atomic_load(&sp->marked_count);
}

bool fb_stale_is_marked(struct fb_session *s, uint64_t ino)
{
	struct fb_spelling *sp = s->spelling;
	struct fb_stale *stale;

	if (!has_marks(sp) || !ino)
		return false;
	pthread_mutex_lock(&sp->lock);
	for (stale = sp->marked; stale && stale->ino != ino; stale = stale->next_marked)
		;
	pthread_mutex_unlock(&sp->lock);
	return stale;
}

void fb_stale_found(struct fb_request *req, uint64_t ino)
{
	struct fb_spelling *sp = req->session->spelling;

	if (!has_marks(sp))
		return;
	pthread_mutex_lock(&sp->lock);
	for (struct fb_stale *stale = sp->marked; stale; stale = stale->next_marked)
		if (stale->ino == ino)
			stale->finders[stale->finder_count++ % MOST_FINDERS] = req->pid;
	pthread_mutex_unlock(&sp->lock);
}

static bool take_finder(struct fb_stale *stale, uint32_t pid)
{
	unsigned n = stale->finder_count < MOST_FINDERS ? stale->finder_count : MOST_FINDERS;

	for (unsigned i = 0; i < n; i++) {
		if (stale->finders[i] != pid)
			continue;
		stale->finders[i] = UINT32_MAX;
		return true;
	}
	return false;
}

int fb_stale_check(struct fb_request *req, uint64_t ino)
{
	struct fb_spelling *sp = req->session->spelling;
	bool marked = false, known = true;

	if (!has_marks(sp))
		return 0;
	pthread_mutex_lock(&sp->lock);
	for (struct fb_stale *stale = sp->marked; stale; stale = stale->next_marked) {
		if (stale->ino != ino)
			continue;
		marked = true;
		known &= take_finder(stale, req->pid);
	}
	pthread_mutex_unlock(&sp->lock);
	if (!marked || known)
		return 0;
	fb_block_begin();
	known = fb_caller_has_descriptor(req->session->proc, req->pid);
	fb_block_end();
	return known ? 0 : -ESTALE;
}

/* ---- replies -------------------------------------------------------- */

uint64_t fb_spelling_epoch(const struct fb_session *s)
{
	return s->spelling ? atomic_load(&s->spelling->epoch) : 0;
}

void fb_spelling_reply_begin(struct fb_request *req)
{
	struct fb_spelling *sp = req->session->spelling;

	if (!sp || req->opcode != FUSE_LOOKUP)
		return;
	pthread_rwlock_rdlock(&sp->replies);
	if (atomic_load(&sp->epoch) != req->out.spelling_epoch)
		req->out.no_cache_entry = true;
}

void fb_spelling_reply_end(struct fb_request *req)
{
	if (req->session->spelling && req->opcode == FUSE_LOOKUP)
		pthread_rwlock_unlock(&req->session->spelling->replies);
}
