// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * inos.c: inode numbers.  A number is the position of the inode's entry
 * unless a record here says otherwise.
 *
 * Invariants, under the table's lock:
 *  - an inode without a record is at the position that is its number;
 *  - a record is in the table by number, and in the one by position unless
 *    its inode is unlinked; no two records share a number or a position;
 *  - an entry at a position that is the number of another record's inode has
 *    a record itself: positions and numbers never meet twice.
 *
 * Records that say nothing (number and position are the same, nothing spare)
 * go at once; others when the table has doubled, if the kernel has forgotten
 * the inode.  What is dropped then gets its position as its number: so a
 * record may go only together with the one that uses that number, and with
 * the one that uses that one's, and so on.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <time.h>
#include "fat.h"

#define FIRST_FREE_NUMBER ((uint64_t)1 << 62)
#define FIRST_BUCKETS 256u
#define FIRST_SWEEP 1024u
#define LOOKUP_SECONDS 10	/* a number handed out may still be on its way to a node for so long */
#define MOST_LINKED 256u	/* records that are dropped together */

struct record {
	struct record *next_number, *next_pos;	/* hash chains; next_number also links the reserve */
	struct record *spare_prev, *spare_next;
	uint64_t ino, pos;			/* pos 0: unlinked */
	time_t touched;
	bool unlinked;
	bool loaded;				/* a node has state of it, which outlasts the kernel's interest */
	struct fat_spare spare;
	struct fat_held held;
};

struct fat_inos {
	pthread_mutex_t lock;
	uint64_t serial;			/* of this table in the process: for promises */
	struct record **by_number, **by_pos;
	size_t buckets;				/* a power of two, of each */
	size_t count, sweep_at;
	struct record *reserve;
	size_t reserved, promised;
	struct record *spares;			/* records with spare clusters */
	uint64_t next_number;
};

/* What fat_ino_reserve() promised this thread and has not been used. */
static _Thread_local struct { uint64_t serial; size_t count; } promise;

static size_t hash(const struct fat_inos *inos, uint64_t key)
{
	return (size_t)(key * 0x9E3779B97F4A7C15u >> 32) & (inos->buckets - 1);
}

static time_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec;
}

/* ---- the tables ------------------------------------------------------------- */

static struct record *by_number(const struct fat_inos *inos, uint64_t ino)
{
	struct record *r = inos->by_number[hash(inos, ino)];

	while (r && r->ino != ino)
		r = r->next_number;
	return r;
}

static struct record *by_pos(const struct fat_inos *inos, uint64_t pos)
{
	struct record *r = inos->by_pos[hash(inos, pos)];

	while (r && r->pos != pos)
		r = r->next_pos;
	return r;
}

static void link_number(struct fat_inos *inos, struct record *r)
{
	struct record **head = &inos->by_number[hash(inos, r->ino)];

	r->next_number = *head;
	*head = r;
}

static void unlink_number(struct fat_inos *inos, struct record *r)
{
	struct record **at = &inos->by_number[hash(inos, r->ino)];

	while (*at != r)
		at = &(*at)->next_number;
	*at = r->next_number;
}

static void link_pos(struct fat_inos *inos, struct record *r)
{
	struct record **head = &inos->by_pos[hash(inos, r->pos)];

	r->next_pos = *head;
	*head = r;
}

static void leave_pos(struct fat_inos *inos, struct record *r)
{
	struct record **at = &inos->by_pos[hash(inos, r->pos)];

	if (!r->pos)
		return;
	while (*at != r)
		at = &(*at)->next_pos;
	*at = r->next_pos;
	r->pos = 0;
}

static void take_pos(struct fat_inos *inos, struct record *r, uint64_t pos)
{
	leave_pos(inos, r);
	r->pos = pos;
	link_pos(inos, r);
}

/* Twice the buckets; without memory the chains just grow longer. */
static void grow(struct fat_inos *inos)
{
	struct record **number = inos->by_number, **pos = inos->by_pos;
	size_t old = inos->buckets;
	struct record **new_number = calloc(old * 2, sizeof(*number)), **new_pos = calloc(old * 2, sizeof(*pos));

	if (!new_number || !new_pos) {
		free(new_number);
		free(new_pos);
		return;
	}
	inos->by_number = new_number;
	inos->by_pos = new_pos;
	inos->buckets = old * 2;
	for (size_t i = 0; i < old; i++)
		for (struct record *r = number[i], *next; r; r = next) {
			next = r->next_number;
			link_number(inos, r);
			if (r->pos)
				link_pos(inos, r);
		}
	free(number);
	free(pos);
}

/* ---- spare clusters ------------------------------------------------------------ */

static void set_spare(struct fat_inos *inos, struct record *r, struct fat_spare spare)
{
	bool had = r->spare.count, has = spare.count;

	r->spare = spare;
	if (has && !had) {
		r->spare_prev = NULL;
		r->spare_next = inos->spares;
		if (inos->spares)
			inos->spares->spare_prev = r;
		inos->spares = r;
	} else if (had && !has) {
		if (r->spare_prev)
			r->spare_prev->spare_next = r->spare_next;
		else
			inos->spares = r->spare_next;
		if (r->spare_next)
			r->spare_next->spare_prev = r->spare_prev;
	}
}

/* ---- records come and go ---------------------------------------------------------- */

static void drop(struct fat_inos *inos, struct record *r)
{
	set_spare(inos, r, (struct fat_spare){ 0 });
	unlink_number(inos, r);
	leave_pos(inos, r);
	free(r);
	inos->count--;
}

static void drop_if_idle(struct fat_inos *inos, struct record *r)
{
	if (!r->unlinked && r->ino == r->pos && !r->spare.count)
		drop(inos, r);
}

static bool is_droppable(struct fat_volume *fat, const struct record *r, time_t before)
{
	return !r->unlinked && !r->loaded && !r->spare.count && r->touched < before &&
	       !fuseblk_is_referenced(fat->vol, r->ino);
}

/*
 * @r, and whoever uses its position as a number, and so on to the end or
 * back to @r: drop them if all may go.
 */
static void drop_with_heirs(struct fat_volume *fat, struct record *r, time_t before)
{
	struct fat_inos *inos = fat->inos;
	struct record *linked[MOST_LINKED], *at = r;
	unsigned count = 0;

	do {
		if (count == MOST_LINKED || !is_droppable(fat, at, before))
			return;
		linked[count++] = at;
		at = by_number(inos, at->pos);
	} while (at && at != r);
	while (count)
		drop(inos, linked[--count]);
}

/* A record further on in the bucket may go with the first: begin again until a pass finds nothing. */
static void sweep_bucket(struct fat_volume *fat, size_t bucket, time_t before)
{
	struct fat_inos *inos = fat->inos;
	struct record *r = inos->by_number[bucket];

	while (r) {
		size_t count = inos->count;

		drop_with_heirs(fat, r, before);
		r = inos->count < count ? inos->by_number[bucket] : r->next_number;
	}
}

static void sweep(struct fat_volume *fat)
{
	struct fat_inos *inos = fat->inos;

	for (size_t i = 0; i < inos->buckets; i++)
		sweep_bucket(fat, i, now() - LOOKUP_SECONDS);
	inos->sweep_at = inos->count * 2 < FIRST_SWEEP ? FIRST_SWEEP : inos->count * 2;
}

static struct record *take_reserved(struct fat_inos *inos)
{
	struct record *r = inos->reserve;

	inos->reserve = r->next_number;
	inos->reserved--;
	*r = (struct record){ .ino = 0 };
	return r;
}

/* A record of @ino, which has none. NULL: no memory and nothing reserved. */
static struct record *add(struct fat_volume *fat, uint64_t ino, uint64_t pos)
{
	struct fat_inos *inos = fat->inos;
	struct record *r = inos->reserved > inos->promised ? take_reserved(inos) : calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	if (inos->count >= inos->sweep_at)
		sweep(fat);
	if (inos->count >= inos->buckets)
		grow(inos);
	r->ino = ino;
	link_number(inos, r);
	inos->count++;
	if (pos)
		take_pos(inos, r, pos);
	r->touched = now();
	return r;
}

/* The record of an inode that has a node, made at @pos if it has none. */
static struct record *get(struct fat_volume *fat, uint64_t ino, uint64_t pos)
{
	struct record *r = by_number(fat->inos, ino);

	if (!r)
		r = add(fat, ino, pos);
	if (r) {
		r->loaded = true;
		r->touched = now();
	}
	return r;
}

/* One of the promised uses is under way. */
static void use_promise(struct fat_inos *inos)
{
	if (promise.serial != inos->serial || !promise.count)
		return;
	promise.count--;
	inos->promised--;
}

int fat_ino_reserve(struct fat_volume *fat, unsigned count)
{
	struct fat_inos *inos = fat->inos;
	int err = 0;

	pthread_mutex_lock(&inos->lock);
	if (promise.serial == inos->serial)
		inos->promised -= promise.count;
	promise.serial = inos->serial;
	promise.count = 0;
	while (inos->reserved < inos->promised + count && !err) {
		struct record *r = calloc(1, sizeof(*r));

		err = r ? 0 : -ENOMEM;
		if (!r)
			break;
		r->next_number = inos->reserve;
		inos->reserve = r;
		inos->reserved++;
	}
	if (!err) {
		promise.count = count;
		inos->promised += count;
	}
	pthread_mutex_unlock(&inos->lock);
	return err;
}

/* ---- numbers ------------------------------------------------------------------------ */

/*
 * The number of an entry at @pos that has no record. 0: no memory for one that
 * it needs.  @is_new: whoever the library still knows by that number is
 * another inode, on its way out.
 */
static uint64_t number_for(struct fat_volume *fat, uint64_t pos, bool is_new)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	if (!by_number(inos, pos) && !(is_new && fuseblk_is_referenced(fat->vol, pos)))
		return pos;
	r = add(fat, inos->next_number, pos);
	return r ? inos->next_number++ : 0;
}

uint64_t fat_ino_at(struct fat_volume *fat, uint64_t pos)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;
	uint64_t ino;

	pthread_mutex_lock(&inos->lock);
	r = by_pos(inos, pos);
	if (r)
		r->touched = now();
	ino = r ? r->ino : number_for(fat, pos, false);
	pthread_mutex_unlock(&inos->lock);
	return ino;
}

int fat_ino_new(struct fat_volume *fat, uint64_t pos, uint64_t *ino)
{
	struct fat_inos *inos = fat->inos;
	struct record *stale;
	uint64_t number;

	pthread_mutex_lock(&inos->lock);
	stale = by_pos(inos, pos);
	if (stale)
		leave_pos(inos, stale);
	use_promise(inos);
	number = number_for(fat, pos, true);
	pthread_mutex_unlock(&inos->lock);
	if (!number)
		return -ENOMEM;
	*ino = number;
	return 0;
}

/* Move @r to @pos, from where whoever was there without leaving is put out. */
static void settle(struct fat_inos *inos, struct record *r, uint64_t pos)
{
	struct record *other = by_pos(inos, pos);

	if (other && other != r)
		leave_pos(inos, other);
	take_pos(inos, r, pos);
}

void fat_ino_move(struct fat_volume *fat, uint64_t ino, uint64_t to)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	use_promise(inos);
	r = get(fat, ino, ino);
	if (r) {
		settle(inos, r, to);
		drop_if_idle(inos, r);
	}
	pthread_mutex_unlock(&inos->lock);
}

void fat_ino_swap(struct fat_volume *fat, uint64_t a, uint64_t b)
{
	struct fat_inos *inos = fat->inos;
	struct record *ra, *rb;

	pthread_mutex_lock(&inos->lock);
	use_promise(inos);
	use_promise(inos);
	ra = get(fat, a, a);
	rb = get(fat, b, b);
	if (ra && rb) {
		uint64_t pos = ra->pos, to = rb->pos;

		leave_pos(inos, rb);
		settle(inos, ra, to);
		settle(inos, rb, pos);
		drop_if_idle(inos, ra);
		drop_if_idle(inos, rb);
	}
	pthread_mutex_unlock(&inos->lock);
}

void fat_ino_unlink(struct fat_volume *fat, uint64_t ino, const struct fat_held *held)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	use_promise(inos);
	r = get(fat, ino, 0);
	if (r) {
		leave_pos(inos, r);
		r->unlinked = true;
		r->held = *held;
	}
	pthread_mutex_unlock(&inos->lock);
}

void fat_ino_update(struct fat_volume *fat, uint64_t ino, const struct fat_held *held)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	r = by_number(inos, ino);
	if (r && r->unlinked)
		r->held = *held;
	pthread_mutex_unlock(&inos->lock);
}

static int find(struct fat_inos *inos, uint64_t ino, uint64_t *pos, struct fat_held *held)
{
	struct record *r = by_number(inos, ino);

	if (r && r->unlinked) {
		*held = r->held;
		return 1;
	}
	if (r) {
		r->touched = now();
		*pos = r->pos;
		return r->pos ? 0 : -ESTALE;
	}
	if (!ino || ino >= FIRST_FREE_NUMBER || by_pos(inos, ino))
		return -ESTALE;
	*pos = ino;
	return 0;
}

int fat_ino_find(struct fat_volume *fat, uint64_t ino, uint64_t *pos, struct fat_held *held)
{
	int found;

	pthread_mutex_lock(&fat->inos->lock);
	found = find(fat->inos, ino, pos, held);
	pthread_mutex_unlock(&fat->inos->lock);
	return found;
}

void fat_ino_loaded(struct fat_volume *fat, uint64_t ino, bool loaded)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	r = by_number(inos, ino);
	if (r) {
		r->loaded = loaded;
		r->touched = now();
	}
	pthread_mutex_unlock(&inos->lock);
}

void fat_ino_drop(struct fat_volume *fat, uint64_t ino)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	r = by_number(inos, ino);
	if (r)
		drop(inos, r);
	pthread_mutex_unlock(&inos->lock);
}

/* ---- spare clusters, for others ---------------------------------------------------- */

void fat_ino_spare_get(struct fat_volume *fat, uint64_t ino, struct fat_spare *spare)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	r = by_number(inos, ino);
	*spare = r ? r->spare : (struct fat_spare){ 0 };
	pthread_mutex_unlock(&inos->lock);
}

int fat_ino_spare_set(struct fat_volume *fat, uint64_t ino, const struct fat_spare *spare)
{
	struct fat_inos *inos = fat->inos;
	struct record *r;

	pthread_mutex_lock(&inos->lock);
	r = spare->count ? get(fat, ino, ino) : by_number(inos, ino);
	if (r) {
		set_spare(inos, r, spare->count ? *spare : (struct fat_spare){ 0 });
		drop_if_idle(inos, r);
	}
	pthread_mutex_unlock(&inos->lock);
	return r || !spare->count ? 0 : -ENOMEM;
}

/* Take up to @most spare chains from inodes that nobody refers to, or from all. */
static unsigned take_spares(struct fat_volume *fat, bool all, struct fat_spare *taken, unsigned most)
{
	struct fat_inos *inos = fat->inos;
	struct record *next;
	unsigned n = 0;

	pthread_mutex_lock(&inos->lock);
	for (struct record *r = inos->spares; r && n < most; r = next) {
		next = r->spare_next;
		if (!all && fuseblk_is_referenced(fat->vol, r->ino))
			continue;
		taken[n++] = r->spare;
		set_spare(inos, r, (struct fat_spare){ 0 });
		drop_if_idle(inos, r);
	}
	pthread_mutex_unlock(&inos->lock);
	return n;
}

/* Freeing reads the table: not under the lock. */
void fat_inos_release_spares(struct fat_volume *fat, bool all)
{
	struct fat_spare taken[64];
	unsigned n;

	do {
		n = take_spares(fat, all, taken, 64);
		for (unsigned i = 0; i < n; i++)
			fat_alloc_free_later(fat, taken[i].start, taken[i].count);
	} while (n == 64);
}

/* ---- the table itself ------------------------------------------------------------------ */

int fat_inos_open(struct fat_volume *fat)
{
	static _Atomic uint64_t serials;
	struct fat_inos *inos = calloc(1, sizeof(*inos));

	if (!inos)
		return -ENOMEM;
	inos->by_number = calloc(FIRST_BUCKETS, sizeof(*inos->by_number));
	inos->by_pos = calloc(FIRST_BUCKETS, sizeof(*inos->by_pos));
	if (!inos->by_number || !inos->by_pos) {
		free(inos->by_number);
		free(inos->by_pos);
		free(inos);
		return -ENOMEM;
	}
	pthread_mutex_init(&inos->lock, NULL);
	inos->serial = atomic_fetch_add(&serials, 1) + 1;
	inos->buckets = FIRST_BUCKETS;
	inos->sweep_at = FIRST_SWEEP;
	inos->next_number = FIRST_FREE_NUMBER;
	fat->inos = inos;
	return 0;
}

static void free_list(struct record *r)
{
	while (r) {
		struct record *next = r->next_number;

		free(r);
		r = next;
	}
}

void fat_inos_close(struct fat_volume *fat)
{
	struct fat_inos *inos = fat->inos;

	if (!inos)
		return;
	for (size_t i = 0; i < inos->buckets; i++)
		free_list(inos->by_number[i]);
	free_list(inos->reserve);
	free(inos->by_number);
	free(inos->by_pos);
	pthread_mutex_destroy(&inos->lock);
	free(inos);
	fat->inos = NULL;
}
