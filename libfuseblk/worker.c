// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * worker.c: the threads of a session.
 *
 * session->readers counts the workers that read the channel or have been told
 * to.  A worker that leaves read() with a message gives up its place and
 * serves; whoever is done takes a free place or parks.  While places are free
 * nobody reads: that is the normal state while a request is served, and it
 * ends when the request does, when its worker is about to wait (hand over), or
 * at the latest when the watchdog has seen the same state twice.
 *
 * Waking a thread on another CPU costs more than most requests do, so a worker
 * about to wait hands over only if a message is waiting already or waits have
 * lately been long.  For the same reason a worker polls the channel for a moment
 * before it sleeps in read(), while requests have been following each other
 * closely: a caller that waits for one answer after another is then served
 * without a wake-up.
 */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>
#include "channel.h"
#include "interrupt.h"
#include "workers.h"
#include "session.h"
#include "worker.h"

#define STACK_SIZE	(512u << 10)
#define LEAST_WORKERS	8u	/* they exist only while others wait, and hear what would end a wait */
#define LONG_WAIT_NS	100000u		/* waits longer than this on average are worth a wake-up */
#define WATCH_NS	3000000
#define POLL_NS		40000u		/* longest poll before sleeping */
#define POLL_GAP_NS	25000u		/* worth it while requests follow each other within this on average */
#define MAX_GAP_NS	100000u
#define WATCH_TICKS	30		/* ticks without a request until the watchdog sleeps */
#define DROP_SECONDS	5		/* parked this long: give the buffers back */

static _Thread_local struct fb_worker *self;

struct fb_worker *fb_worker_self(void)
{
	return self;
}

static uint64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static struct timespec deadline(int64_t ns)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	ns += t.tv_nsec;
	t.tv_sec += ns / 1000000000;
	t.tv_nsec = ns % 1000000000;
	return t;
}

static void cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attr);
	pthread_condattr_destroy(&attr);
}

/* ---- places to read ------------------------------------------------- */

static bool take_place(struct fb_session *s)
{
	unsigned n = atomic_load(&s->readers);

	while (n < s->readers_wanted)
		if (atomic_compare_exchange_weak(&s->readers, &n, n + 1))
			return true;
	return false;
}

static void give_place(struct fb_session *s)
{
	atomic_fetch_sub(&s->readers, 1);
}

static int create_worker(struct fb_session *s);

/* Under session->lock, with a place taken for whoever is found. */
static void fill_place(struct fb_session *s)
{
	struct fb_worker *worker = s->parked;

	if (worker) {
		s->parked = worker->next_parked;
		worker->wanted = true;
		pthread_cond_signal(&worker->wake);
	} else if (create_worker(s)) {
		give_place(s);
	}
}

void fb_workers_hand_over(struct fb_session *s)
{
	if (atomic_load(&s->ended) || !take_place(s))
		return;
	pthread_mutex_lock(&s->lock);
	fill_place(s);
	pthread_mutex_unlock(&s->lock);
}

/* Wait to be wanted. Returns false at the end of the session. */
static bool park(struct fb_worker *worker)
{
	struct fb_session *s = worker->session;
	struct timespec until = deadline(DROP_SECONDS * 1000000000ll);
	bool dropped = false;

	pthread_mutex_lock(&s->lock);
	/* A place that somebody wanted filled before this worker could be found. */
	if (take_place(s)) {
		pthread_mutex_unlock(&s->lock);
		return true;
	}
	worker->next_parked = s->parked;
	s->parked = worker;
	worker->served_at = 0;
	while (!worker->wanted && !atomic_load(&s->ended)) {
		if (dropped) {
			pthread_cond_wait(&worker->wake, &s->lock);
		} else if (pthread_cond_timedwait(&worker->wake, &s->lock, &until) == ETIMEDOUT) {
			fb_message_drop(worker->message, FB_MAX_WRITE);
			madvise(worker->scratch, FB_SCRATCH_SIZE, MADV_DONTNEED);
			dropped = true;
		}
	}
	worker->wanted = false;
	pthread_mutex_unlock(&s->lock);
	return !atomic_load(&s->ended);
}

/* ---- one worker ----------------------------------------------------- */

/* Address space only: memory comes with the first use. */
static int map_buffers(struct fb_worker *worker)
{
	void *map;

	worker->message = fb_message_new(FB_MAX_WRITE);
	if (!worker->message)
		return -ENOMEM;
	map = mmap(NULL, FB_SCRATCH_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (map == MAP_FAILED)
		return -ENOMEM;
	worker->scratch = map;
	return 0;
}

static void wake_watchdog(struct fb_session *s)
{
	if (!atomic_load(&s->watchdog_asleep))
		return;
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->watchdog_asleep, false);
	pthread_cond_signal(&s->watchdog);
	pthread_mutex_unlock(&s->lock);
}

static void serving_done(struct fb_session *s)
{
	atomic_fetch_add(&s->served, 1);
	atomic_fetch_sub(&s->serving_count, 1);
	if (!atomic_load(&s->ending))
		return;
	pthread_mutex_lock(&s->lock);
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

/* A gap of @ns between two requests. */
static void note_gap(struct fb_session *s, uint64_t ns)
{
	uint32_t avg = atomic_load_explicit(&s->gap_ewma, memory_order_relaxed);

	if (ns > MAX_GAP_NS)
		ns = MAX_GAP_NS;
	avg = (uint32_t)((7 * (uint64_t)avg + ns) / 8);
	atomic_store_explicit(&s->gap_ewma, avg, memory_order_relaxed);
}

/* Until when to look out for the next message, for as long as that is likely to be cheaper than to sleep; 0: sleep at once. */
static uint64_t poll_until(const struct fb_worker *worker)
{
	struct fb_session *s = worker->session;

	if (!worker->served_at || !s->may_poll ||
	    atomic_load_explicit(&s->gap_ewma, memory_order_relaxed) > POLL_GAP_NS)
		return 0;
	return worker->served_at + POLL_NS;
}

/* The next message. -EINTR: none, look whether the session has ended. */
static ssize_t next_message(struct fb_worker *worker)
{
	uint64_t until = poll_until(worker);
	ssize_t n;

	for (;;) {
		n = fb_channel_read(worker->fd, worker->message, FB_MESSAGE_SIZE(FB_MAX_WRITE));
		if (n != -EAGAIN)
			return n;
		if (atomic_load(&worker->session->ended))
			return -EINTR;
		if (now_ns() >= until)
			fb_channel_wait(worker->fd);
	}
}

/* Read and serve one message; the caller has a place. Returns false at the end of the channel. */
static bool read_and_serve(struct fb_worker *worker)
{
	struct fb_session *s = worker->session;
	ssize_t n = next_message(worker);

	if (worker->served_at)
		note_gap(s, now_ns() - worker->served_at);
	if (n == -EINTR) {
		give_place(s);
		return true;
	}
	atomic_fetch_add(&s->serving_count, 1);
	give_place(s);
	if (n > 0) {
		wake_watchdog(s);
		fb_session_serve(worker, (size_t)n);
	}
	serving_done(s);
	worker->served_at = now_ns();
	if (n < 0)
		fb_workers_end(s);
	return n > 0;
}

static void *worker_main(void *arg)
{
	struct fb_worker *worker = arg;
	struct fb_session *s = worker->session;
	bool have_place = true;		/* taken by whoever created this thread */

	self = worker;
	while (!atomic_load(&s->ended)) {
		if (!have_place && !take_place(s) && !park(worker))
			break;
		have_place = false;
		if (!read_and_serve(worker))
			break;
	}
	return NULL;
}

static int worker_fd(struct fb_session *s, unsigned index)
{
	int fd = s->channel;

	if (index > 0 && index <= s->spare_count &&
	    !fb_channel_clone(s->spares[index - 1], s->channel))
		fd = s->spares[index - 1];
	if (!s->is_socket)	/* whose replies must be able to wait */
		fb_channel_set_nonblocking(fd);
	return fd;
}

static void free_worker(struct fb_worker *worker)
{
	fb_message_free(worker->message, FB_MAX_WRITE);
	if (worker->scratch)
		munmap(worker->scratch, FB_SCRATCH_SIZE);
	pthread_cond_destroy(&worker->wake);
	pthread_mutex_destroy(&worker->lock);
	free(worker);
}

static int start_thread(struct fb_worker *worker)
{
	pthread_attr_t attr;
	int err;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_SIZE);
	err = pthread_create(&worker->thread, &attr, worker_main, worker);
	pthread_attr_destroy(&attr);
	return -err;
}

/* Under session->lock. The new worker owns a place that the caller took. */
static int create_worker(struct fb_session *s)
{
	struct fb_worker *worker;
	int err;

	if (s->worker_count >= s->worker_max || atomic_load(&s->ended))
		return -EAGAIN;
	worker = calloc(1, sizeof(*worker));
	if (!worker)
		return -ENOMEM;
	worker->session = s;
	worker->fd = worker_fd(s, s->worker_count);
	pthread_mutex_init(&worker->lock, NULL);
	cond_init(&worker->wake);
	err = map_buffers(worker);
	if (!err)
		err = start_thread(worker);
	if (err) {
		free_worker(worker);
		return err;
	}
	s->workers[s->worker_count++] = worker;
	return 0;
}

/* ---- the pool ------------------------------------------------------- */

void fb_workers_size(struct fb_session *s, unsigned threads)
{
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned n = cpus < 1 ? 1 : cpus > 256 ? 256 : (unsigned)cpus;

	s->readers_wanted = n / 4 ? n / 4 : 1;
	s->may_poll = n > 1;
	s->gap_ewma = MAX_GAP_NS;
	if (!threads)
		threads = n + 2 < LEAST_WORKERS ? LEAST_WORKERS : n + 2 < 16 ? n + 2 : 16;
	if (threads > FB_MAX_WORKERS)
		threads = FB_MAX_WORKERS;
	s->worker_max = threads < 2 ? 2 : threads;	/* somebody must hear INTERRUPT and FORGET */
	if (s->readers_wanted > s->worker_max / 2)
		s->readers_wanted = s->worker_max / 2;
}

static void on_wake(int sig)
{
	(void)sig;		/* read() returns EINTR, that is all */
}

int fb_workers_start(struct fb_session *s)
{
	struct sigaction wake = { .sa_handler = on_wake };
	int err = 0;

	sigaction(SIGRTMIN, &wake, NULL);
	cond_init(&s->watchdog);
	cond_init(&s->idle);
	pthread_mutex_lock(&s->lock);
	while (!err && take_place(s)) {
		err = create_worker(s);
		if (err)
			give_place(s);
	}
	if (err && s->worker_count)
		err = 0;
	pthread_mutex_unlock(&s->lock);
	return err;
}

void fb_workers_end(struct fb_session *s)
{
	pthread_mutex_lock(&s->lock);
	atomic_store(&s->ended, true);
	for (unsigned i = 0; i < s->worker_count; i++)
		pthread_cond_signal(&s->workers[i]->wake);
	pthread_cond_signal(&s->watchdog);
	pthread_cond_broadcast(&s->idle);
	pthread_mutex_unlock(&s->lock);
}

/* Under session->lock: sleep for a tick, or, when nothing has happened for long, until something does. */
static void watchdog_sleep(struct fb_session *s, unsigned idle_ticks)
{
	struct timespec until;

	if (idle_ticks < WATCH_TICKS || atomic_load(&s->serving_count)) {
		until = deadline(WATCH_NS);
		pthread_cond_timedwait(&s->watchdog, &s->lock, &until);
		return;
	}
	atomic_store(&s->watchdog_asleep, true);
	/* A request that began before it saw the flag is seen here. */
	if (atomic_load(&s->serving_count)) {
		atomic_store(&s->watchdog_asleep, false);
		return;
	}
	while (atomic_load(&s->watchdog_asleep) && !atomic_load(&s->ended))
		pthread_cond_wait(&s->watchdog, &s->lock);
}

static void watch(struct fb_session *s)
{
	uint64_t before = 0, served;
	unsigned idle_ticks = 0;

	pthread_mutex_lock(&s->lock);
	while (!atomic_load(&s->ended)) {
		watchdog_sleep(s, idle_ticks);
		fb_interrupt_answer_stuck(s, now_ns());
		served = atomic_load(&s->served);
		idle_ticks = served == before ? idle_ticks + 1 : 0;
		if (served == before && atomic_load(&s->serving_count) &&
		    !atomic_load(&s->ended) && take_place(s))
			fill_place(s);
		before = served;
	}
	pthread_mutex_unlock(&s->lock);
}

/* A worker that sits in read() hears of an end that did not come from the channel by a signal. */
static void join_worker(struct fb_worker *worker)
{
	struct timespec until;

	for (;;) {
		clock_gettime(CLOCK_REALTIME, &until);
		until.tv_nsec += 100000000;
		if (until.tv_nsec >= 1000000000) {
			until.tv_sec++;
			until.tv_nsec -= 1000000000;
		}
		if (pthread_timedjoin_np(worker->thread, NULL, &until) != ETIMEDOUT)
			return;
		pthread_kill(worker->thread, SIGRTMIN);
	}
}

void fb_workers_run(struct fb_session *s)
{
	watch(s);
	/* No worker is created once ended is set, which was under the lock. */
	for (unsigned i = 0; i < s->worker_count; i++)
		join_worker(s->workers[i]);
	for (unsigned i = 0; i < s->worker_count; i++)
		free_worker(s->workers[i]);
	s->worker_count = 0;
	s->parked = NULL;
	pthread_cond_destroy(&s->watchdog);
	pthread_cond_destroy(&s->idle);
}

/* ---- what code that may wait calls ---------------------------------- */

void fb_block_begin(void)
{
	struct fb_session *s;

	if (!self || self->block_depth++)
		return;
	s = self->session;
	self->block_since = now_ns();
	if (atomic_load(&s->readers) >= s->readers_wanted)
		return;
	if (atomic_load_explicit(&s->block_ewma, memory_order_relaxed) > LONG_WAIT_NS ||
	    fb_channel_is_readable(self->fd))
		fb_workers_hand_over(s);
}

void fb_block_end(void)
{
	struct fb_session *s;
	uint64_t ns;
	uint32_t avg;

	if (!self || --self->block_depth)
		return;
	s = self->session;
	ns = now_ns() - self->block_since;
	if (ns > 1000000000u)
		ns = 1000000000u;
	avg = atomic_load_explicit(&s->block_ewma, memory_order_relaxed);
	avg = (uint32_t)(((uint64_t)avg * 7 + ns) / 8);
	atomic_store_explicit(&s->block_ewma, avg, memory_order_relaxed);
}

void fb_rdlock(pthread_rwlock_t *lock)
{
	if (!pthread_rwlock_tryrdlock(lock))
		return;
	fb_block_begin();
	while (pthread_rwlock_rdlock(lock) == EAGAIN)
		sched_yield();
	fb_block_end();
}

void fb_wrlock(pthread_rwlock_t *lock)
{
	if (!pthread_rwlock_trywrlock(lock))
		return;
	fb_block_begin();
	pthread_rwlock_wrlock(lock);
	fb_block_end();
}

void fb_mutex_lock(pthread_mutex_t *lock)
{
	if (!pthread_mutex_trylock(lock))
		return;
	fb_block_begin();
	pthread_mutex_lock(lock);
	fb_block_end();
}

bool fb_interrupted(void)
{
	if (!self || self->final)
		return false;
	if (atomic_load(&self->session->ended))
		return true;
	return atomic_load(&self->interrupted) && fb_interrupt_is_fatal(self, now_ns());
}

static void set_waiting(struct fb_worker *worker, pthread_cond_t *cond)
{
	if (!worker)
		return;
	pthread_mutex_lock(&worker->lock);
	worker->waiting_on = cond;
	pthread_mutex_unlock(&worker->lock);
}

int fb_cond_wait_interruptible(pthread_cond_t *cond, pthread_mutex_t *lock)
{
	struct timespec until;

	if (fb_interrupted())
		return -EINTR;
	fb_block_begin();
	set_waiting(self, cond);
	/* Callers' condition variables go by the real-time clock, the default. */
	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_nsec += 50000000;
	if (until.tv_nsec >= 1000000000) {
		until.tv_sec++;
		until.tv_nsec -= 1000000000;
	}
	pthread_cond_timedwait(cond, lock, &until);
	set_waiting(self, NULL);
	fb_block_end();
	return fb_interrupted() ? -EINTR : 0;
}

static int set_stuck(bool stuck)
{
	bool answered;

	if (!self || self->final)
		return 0;
	pthread_mutex_lock(&self->lock);
	self->stuck = stuck && self->unique;
	answered = self->answered;
	pthread_mutex_unlock(&self->lock);
	return answered ? -EINTR : 0;
}

void fb_stuck_begin(void)
{
	set_stuck(true);
}

int fb_stuck_end(void)
{
	int err = set_stuck(false);

	if (err)
		self->fatal = true;
	return err;
}
