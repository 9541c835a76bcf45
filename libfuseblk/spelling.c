// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * spelling.c: entries of the kernel's cache that have become wrong; see
 * spelling.h.
 *
 * An entry is prepared by its request, in the worker's list; marked once the
 * change is made; old when the kernel has been told; and gone a while later.
 * While there are no marks, a counter says so.
 *
 * Kernels from FB_MINOR_PRUNE on drop what nobody uses of an inode's names,
 * without a lock: they are told so before the reply, and again when the mark
 * ends.  An entry in use stays; so does the mark then, while the inode has
 * handles or, if its name was removed, while the kernel knows it.  Older ones
 * have to be given the name, after the reply, and take the directory's lock:
 * the thread does that, which waits where it must not be waited for.  (A
 * daemon that is killed in that wait cannot end before whoever holds the
 * directory lets go, who may be waiting for the daemon: umount -f ends that.)
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include "caller.h"
#include "channel.h"
#include "node_table.h"
#include "proto.h"
#include "session.h"
#include "spelling.h"
#include "volume.h"
#include "worker.h"

#define MOST_FINDERS	8
#define BUCKETS		256u
#define LINGER_SECONDS	1
#define MOST_OLD	8192u

struct fb_stale {
	struct fb_stale *next;		/* of the worker's, then of the queue, then of the old ones */
	struct fb_stale *next_marked;	/* of its bucket */
	bool marked;
	time_t told;			/* when it became old */
	enum fb_stale_kind kind;
	uint64_t parent, ino;		/* ino 0: of a directory, not to be marked */
	uint32_t finders[MOST_FINDERS];	/* threads that looked it up since it was marked, and may look at it once */
	unsigned finder_count;		/* ever */
	size_t len;
	char name[];			/* with a NUL */
};

struct queue { struct fb_stale *first, **last; };

struct fb_spelling {
	struct fb_session *session;
	pthread_t thread;
	pthread_rwlock_t replies;	/* shared: a LOOKUP's reply is on its way; a leaf */
	_Atomic uint64_t epoch;		/* rises, under replies, before an entry is voided */
	pthread_mutex_t lock;		/* the rest; a leaf */
	pthread_cond_t wake;
	struct fb_stale *marked[BUCKETS];
	_Atomic unsigned marked_count;
	struct queue untold;		/* for the thread to void */
	struct queue old;		/* void, and marked yet; oldest first */
	unsigned old_count;
	bool stop, joined;
};

/* ---- what the kernel is told ----------------------------------------- */

static bool prunes(const struct fb_session *s)
{
	return s->proto.minor >= FB_MINOR_PRUNE;
}

static void send_prune(struct fb_session *s, int fd, uint64_t ino)
{
	struct fb_reply reply;

	fb_encode_prune(fb_nodeid_of_ino(s->vol, ino), &reply);
	fb_channel_reply(fd, &reply);
}

/*
 * An entry that lives on elsewhere only has to be looked up again.  One whose
 * inode is gone would keep it from being freed, and is dropped.
 */
static void send_entry(struct fb_session *s, const struct fb_stale *stale)
{
	struct fb_reply reply;

	fb_encode_inval_entry(fb_nodeid_of_ino(s->vol, stale->parent), stale->name, stale->len,
			      stale->kind == FB_STALE_REMOVED, &reply);
	fb_channel_reply(s->channel, &reply);
}

/* ---- lists and marks, under the lock -------------------------------- */

static struct fb_stale **bucket(struct fb_spelling *sp, uint64_t ino)
{
	return &sp->marked[(ino * 0x9e3779b97f4a7c15u) >> 56];
}

static void mark(struct fb_spelling *sp, struct fb_stale *stale)
{
	struct fb_stale **head = bucket(sp, stale->ino);

	if (!stale->ino)
		return;
	stale->marked = true;
	stale->next_marked = *head;
	*head = stale;
	atomic_fetch_add(&sp->marked_count, 1);
}

static void unmark(struct fb_spelling *sp, struct fb_stale *stale)
{
	struct fb_stale **at = bucket(sp, stale->ino);

	if (!stale->marked)
		return;
	while (*at != stale)
		at = &(*at)->next_marked;
	*at = stale->next_marked;
	stale->marked = false;
	atomic_fetch_sub(&sp->marked_count, 1);
}

/* The next mark of @ino after @stale (NULL: the first). */
static struct fb_stale *find(struct fb_spelling *sp, uint64_t ino, struct fb_stale *stale)
{
	stale = stale ? stale->next_marked : *bucket(sp, ino);
	while (stale && stale->ino != ino)
		stale = stale->next_marked;
	return stale;
}

static void queue_init(struct queue *queue)
{
	queue->first = NULL;
	queue->last = &queue->first;
}

static void queue_put(struct queue *queue, struct fb_stale *stale)
{
	stale->next = NULL;
	*queue->last = stale;
	queue->last = &stale->next;
}

static struct fb_stale *queue_take(struct queue *queue)
{
	struct fb_stale *stale = queue->first;

	if (!stale)
		return NULL;
	queue->first = stale->next;
	if (!queue->first)
		queue->last = &queue->first;
	return stale;
}

static struct timespec now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t;
}

static void add_old(struct fb_spelling *sp, struct fb_stale *stale)
{
	stale->told = now().tv_sec;
	queue_put(&sp->old, stale);
	sp->old_count++;
}

static struct fb_stale *take_old(struct fb_spelling *sp)
{
	sp->old_count--;
	return queue_take(&sp->old);
}

/* ---- the thread ----------------------------------------------------- */

/* Is the entry perhaps still there? */
static bool is_wanted(struct fb_session *s, const struct fb_stale *stale)
{
	if (!stale->marked || !prunes(s))
		return false;
	if (fb_node_is_open(s->vol, stale->ino))
		return true;
	send_prune(s, s->channel, stale->ino);
	return stale->kind == FB_STALE_REMOVED && fb_node_lookup_count(s->vol, stale->ino);
}

/* See to those that are old enough, or too many. */
static void free_old(struct fb_spelling *sp)
{
	time_t until = now().tv_sec - LINGER_SECONDS;

	while (sp->old.first && !sp->stop && (sp->old_count > MOST_OLD || sp->old.first->told < until)) {
		bool many = sp->old_count > MOST_OLD, wanted;
		struct fb_stale *stale = take_old(sp);

		pthread_mutex_unlock(&sp->lock);
		wanted = is_wanted(sp->session, stale);
		pthread_mutex_lock(&sp->lock);
		if (wanted && !many) {
			add_old(sp, stale);
		} else {
			unmark(sp, stale);
			free(stale);
		}
	}
}

static void sleep_thread(struct fb_spelling *sp)
{
	struct timespec until = now();

	until.tv_sec += LINGER_SECONDS;
	if (sp->old.first)
		pthread_cond_timedwait(&sp->wake, &sp->lock, &until);
	else
		pthread_cond_wait(&sp->wake, &sp->lock);
	free_old(sp);
}

static void void_entry(struct fb_spelling *sp, struct fb_stale *stale)
{
	pthread_rwlock_wrlock(&sp->replies);
	atomic_fetch_add(&sp->epoch, 1);
	pthread_rwlock_unlock(&sp->replies);
	send_entry(sp->session, stale);
}

static void *spelling_main(void *arg)
{
	struct fb_spelling *sp = arg;

	pthread_mutex_lock(&sp->lock);
	while (!sp->stop) {
		struct fb_stale *stale = queue_take(&sp->untold);

		if (!stale) {
			sleep_thread(sp);
			continue;
		}
		pthread_mutex_unlock(&sp->lock);
		void_entry(sp, stale);
		pthread_mutex_lock(&sp->lock);
		add_old(sp, stale);
	}
	pthread_mutex_unlock(&sp->lock);
	return NULL;
}

static void free_spelling(struct fb_spelling *sp)
{
	struct fb_stale *stale;

	while ((stale = queue_take(&sp->untold)) || (stale = queue_take(&sp->old)))
		free(stale);
	pthread_mutex_destroy(&sp->lock);
	pthread_rwlock_destroy(&sp->replies);
	pthread_cond_destroy(&sp->wake);
	free(sp);
}

static void init_spelling(struct fb_spelling *sp, struct fb_session *s)
{
	pthread_condattr_t attr;

	sp->session = s;
	queue_init(&sp->untold);
	queue_init(&sp->old);
	pthread_mutex_init(&sp->lock, NULL);
	pthread_rwlock_init(&sp->replies, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&sp->wake, &attr);
	pthread_condattr_destroy(&attr);
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
	init_spelling(sp, s);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128u << 10);
	err = -pthread_create(&sp->thread, &attr, spelling_main, sp);
	pthread_attr_destroy(&attr);
	if (err)
		free_spelling(sp);
	else
		s->spelling = sp;
	return err;
}

void fb_spelling_halt(struct fb_session *s)
{
	struct fb_spelling *sp = s->spelling;

	if (!sp || sp->joined)
		return;
	pthread_mutex_lock(&sp->lock);
	sp->stop = true;
	pthread_cond_signal(&sp->wake);
	pthread_mutex_unlock(&sp->lock);
	pthread_join(sp->thread, NULL);
	sp->joined = true;
}

void fb_spelling_stop(struct fb_session *s)
{
	if (!s->spelling)
		return;
	fb_spelling_halt(s);
	free_spelling(s->spelling);
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
		     struct fuseblk_node *node, enum fb_stale_kind kind, bool respelled)
{
	bool pruning = prunes(req->session), is_dir;
	char stored[FB_WIRE_NAME_MAX];
	int err;

	if (!req->session->spelling || !(respelled || (pruning && fb_node_is_odd(req->vol, node->ino))) ||
	    !fb_node_is_exact(req->vol, node->ino))
		return 0;
	err = is_directory(node, &is_dir);
	if (err)
		return err;
	if (is_dir && (pruning || kind != FB_STALE_GIVEN))
		return 0;
	if (pruning)
		return add(req, dir, "", 0, node->ino, kind);
	if (kind == FB_STALE_GIVEN)
		return add(req, dir, name->bytes, name->len, is_dir ? 0 : node->ino, kind);
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

		bool is_given = stale->kind == FB_STALE_GIVEN, odd = is_given && prunes(req->session);

		if (done && given && odd)
			fb_node_set_odd(req->vol, stale->ino);
		if (!done || (is_given && !given) || odd) {
			*at = stale->next;
			free(stale);
			continue;
		}
		mark(sp, stale);
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
		if (prunes(req->session))
			send_prune(req->session, req->worker->fd, stale->ino);
	}
}

void fb_stale_send(struct fb_request *req)
{
	struct fb_spelling *sp = req->session->spelling;
	struct fb_worker *worker = req->worker;
	bool pruning = prunes(req->session), idle;
	struct fb_stale *stale;

	if (!worker->stale)
		return;
	pthread_mutex_lock(&sp->lock);
	idle = !pruning || !sp->old.first;
	while ((stale = worker->stale)) {
		worker->stale = stale->next;
		if (pruning)
			add_old(sp, stale);
		else
			queue_put(&sp->untold, stale);
	}
	if (idle)
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
	bool is;

	if (!has_marks(sp))
		return false;
	pthread_mutex_lock(&sp->lock);
	is = find(sp, ino, NULL);
	pthread_mutex_unlock(&sp->lock);
	return is;
}

void fb_stale_found(struct fb_request *req, uint64_t ino)
{
	struct fb_spelling *sp = req->session->spelling;

	if (!has_marks(sp))
		return;
	pthread_mutex_lock(&sp->lock);
	for (struct fb_stale *stale = find(sp, ino, NULL); stale; stale = find(sp, ino, stale))
		stale->finders[stale->finder_count++ % MOST_FINDERS] = req->pid;
	pthread_mutex_unlock(&sp->lock);
}

void fb_stale_forget_finders(struct fb_session *s, uint64_t ino)
{
	struct fb_spelling *sp = s->spelling;

	if (!has_marks(sp))
		return;
	pthread_mutex_lock(&sp->lock);
	for (struct fb_stale *stale = find(sp, ino, NULL); stale; stale = find(sp, ino, stale))
		stale->finder_count = 0;
	pthread_mutex_unlock(&sp->lock);
}

void fb_stale_reused(struct fb_session *s, uint64_t ino)
{
	struct fb_spelling *sp = s->spelling;
	struct fb_stale *stale;

	if (!has_marks(sp))
		return;
	pthread_mutex_lock(&sp->lock);
	while ((stale = find(sp, ino, NULL)))
		unmark(sp, stale);
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
	for (struct fb_stale *stale = find(sp, ino, NULL); stale; stale = find(sp, ino, stale)) {
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
