// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_inos.c: inode numbers against a model: a number leads to the
 * same inode for as long as anybody knows it, no two inodes share one, and
 * what nobody knows leaves no record behind.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include "../../fs-fat/fat.h"
#include "../lib/chance.h"

#define FILES 400
#define PLACES 700
#define BASE 1000u

/* ---- stand-ins --------------------------------------------------------------- */

static bool (*referenced)(uint64_t ino);
static uint64_t freed_clusters;
static time_t skew;

bool fuseblk_is_referenced(struct fuseblk_volume *vol, uint64_t ino)
{
	(void)vol;
	return referenced && referenced(ino);
}

void fat_alloc_free_later(struct fat_volume *fat, uint32_t start, uint32_t count)
{
	(void)fat;
	(void)start;
	freed_clusters += count;
}

int __real_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts);
int __wrap_clock_gettime(clockid_t clock, struct timespec *ts)
{
	int err = __real_clock_gettime(clock, ts);

	ts->tv_sec += skew;
	return err;
}

static bool no_memory;
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size)
{
	return no_memory ? NULL : __real_calloc(n, size);
}

/* ---- the model ------------------------------------------------------------------ */

struct file {
	bool lives, unlinked, known;
	uint64_t ino, pos;
	uint32_t tag;			/* in held.start while unlinked */
};

static struct file files[FILES];
static int at_place[PLACES];		/* index of the file there, or -1 */
static uint32_t seed;

static uint32_t rnd(uint32_t below)
{
	return chance(&seed, below);
}

static bool model_knows(uint64_t ino)
{
	for (int i = 0; i < FILES; i++)
		if ((files[i].lives || files[i].unlinked) && files[i].known && files[i].ino == ino)
			return true;
	return false;
}

static void check_unique(const struct file *f)
{
	for (int i = 0; i < FILES; i++)
		if (&files[i] != f && files[i].known && (files[i].lives || files[i].unlinked))
			assert_int_not_equal(files[i].ino, f->ino);
}

static void check_file(struct fat_volume *fat, struct file *f)
{
	struct fat_held held;
	uint64_t pos;

	if (f->unlinked) {
		assert_int_equal(fat_ino_find(fat, f->ino, &pos, &held), 1);
		assert_int_equal(held.start, f->tag);
	} else if (f->lives && f->known) {
		assert_int_equal(fat_ino_find(fat, f->ino, &pos, &held), 0);
		assert_int_equal(pos, f->pos);
		assert_int_equal(fat_ino_at(fat, f->pos), f->ino);
	}
}

/* A lookup: whoever has forgotten the number may get another. */
static void learn(struct fat_volume *fat, struct file *f)
{
	uint64_t ino = fat_ino_at(fat, f->pos);

	assert_int_not_equal(ino, 0);
	if (f->known)
		assert_int_equal(ino, f->ino);
	f->ino = ino;
	f->known = true;
	fat_ino_loaded(fat, ino, true);
	check_unique(f);
}

static int free_place(void)
{
	int place;

	do
		place = (int)rnd(PLACES);
	while (at_place[place] >= 0);
	return place;
}

static void step(struct fat_volume *fat)
{
	int i = (int)rnd(FILES), j = (int)rnd(FILES), place;
	struct file *f = &files[i], *g = &files[j];
	struct fat_held held = { .start = rnd(1u << 30) };

	switch (f->unlinked ? 5 : !f->lives ? 0 : rnd(5)) {
	case 0:
		if (f->lives)
			break;
		place = free_place();
		f->pos = BASE + (uint64_t)place;
		at_place[place] = i;
		assert_int_equal(fat_ino_new(fat, f->pos, &f->ino), 0);
		f->lives = f->known = true;
		fat_ino_loaded(fat, f->ino, true);
		check_unique(f);
		break;
	case 1:
		learn(fat, f);
		place = free_place();
		at_place[f->pos - BASE] = -1;
		at_place[place] = i;
		f->pos = BASE + (uint64_t)place;
		assert_int_equal(fat_ino_reserve(fat, 1), 0);
		no_memory = true;
		fat_ino_move(fat, f->ino, f->pos);
		no_memory = false;
		break;
	case 2:
		if (!g->lives || i == j)
			break;
		learn(fat, f);
		learn(fat, g);
		at_place[f->pos - BASE] = j;
		at_place[g->pos - BASE] = i;
		place = (int)f->pos;
		f->pos = g->pos;
		g->pos = (uint64_t)place;
		assert_int_equal(fat_ino_reserve(fat, 2), 0);
		no_memory = true;
		fat_ino_swap(fat, f->ino, g->ino);
		no_memory = false;
		break;
	case 3:
		learn(fat, f);
		at_place[f->pos - BASE] = -1;
		f->lives = false;
		f->unlinked = true;
		f->tag = held.start;
		fat_ino_unlink(fat, f->ino, &held);
		break;
	case 4:
		if (rnd(2)) {
			fat_ino_loaded(fat, f->ino, false);
			f->known = false;
		}
		break;
	default:
		f->tag = held.start;
		fat_ino_update(fat, f->ino, &held);
		check_file(fat, f);
		if (rnd(3))
			break;
		fat_ino_drop(fat, f->ino);
		f->unlinked = f->known = false;
	}
	check_file(fat, f);
	check_file(fat, g);
}

static void test_model(void **state)
{
	struct fat_volume fat = { .vol = NULL };

	(void)state;
	for (unsigned round = 0; round < 8; round++) {
		seed = round;
		memset(files, 0, sizeof(files));
		for (int i = 0; i < PLACES; i++)
			at_place[i] = -1;
		assert_int_equal(fat_inos_open(&fat), 0);
		referenced = model_knows;
		for (unsigned i = 0; i < 20000; i++) {
			skew += rnd(50) == 0;
			step(&fat);
		}
		for (int i = 0; i < FILES; i++)
			check_file(&fat, &files[i]);
		fat_inos_close(&fat);
	}
	referenced = NULL;
}

/* ---- sweeping ---------------------------------------------------------------------- */

static size_t live_after(struct fat_volume *fat, unsigned moves, bool unload)
{
	/* A number is unchanged as long as there is a record, and becomes the position when it has gone. */
	size_t records = 0;

	for (unsigned i = 0; i < moves; i++) {
		assert_int_equal(fat_ino_reserve(fat, 1), 0);
		fat_ino_move(fat, 1000 + i, 5000000 + i);
		if (unload)
			fat_ino_loaded(fat, 1000 + i, false);
		skew += 1;
	}
	for (unsigned i = 0; i < moves; i++)
		records += fat_ino_at(fat, 5000000 + i) != 5000000 + i;
	return records;
}

static void test_swept(void **state)
{
	struct fat_volume fat = { .vol = NULL };

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	assert_in_range(live_after(&fat, 20000, true), 1, 1100);
	fat_inos_close(&fat);
	assert_int_equal(fat_inos_open(&fat), 0);
	assert_int_equal(live_after(&fat, 5000, false), 5000);
	fat_inos_close(&fat);
}

/* Numbers in a ring, none of which may go alone. */
static void test_ring_swept(void **state)
{
	struct fat_volume fat = { .vol = NULL };
	unsigned kept = 0;

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	for (unsigned i = 0; i < 4000; i += 2) {
		assert_int_equal(fat_ino_reserve(&fat, 2), 0);
		fat_ino_swap(&fat, 1000 + i, 1001 + i);
		fat_ino_loaded(&fat, 1000 + i, false);
		fat_ino_loaded(&fat, 1001 + i, false);
		skew += 1;
	}
	for (unsigned i = 0; i < 4000; i++)
		kept += fat_ino_at(&fat, 1000 + i) != 1000 + i;
	assert_in_range(kept, 2, 1100);
	assert_int_equal(kept % 2, 0);
	fat_inos_close(&fat);
}

static void test_just_handed_out(void **state)
{
	struct fat_volume fat = { .vol = NULL };

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	for (unsigned i = 0; i < 3000; i++) {
		fat_ino_move(&fat, 1000 + i, 5000000 + i);
		fat_ino_loaded(&fat, 1000 + i, false);
		assert_int_equal(fat_ino_at(&fat, 5000000), 1000);
	}
	assert_int_equal(fat_ino_at(&fat, 5000001), 1001);	/* all within the ten seconds */
	skew += 100;
	assert_int_equal(fat_ino_at(&fat, 5000000), 1000);
	for (unsigned i = 3000; i < 6000; i++)
		fat_ino_move(&fat, 1000 + i, 5000000 + i);
	assert_int_equal(fat_ino_at(&fat, 5000000), 1000);
	assert_int_equal(fat_ino_at(&fat, 5000001), 5000001);
	fat_inos_close(&fat);
}

/* ---- single cases --------------------------------------------------------------------- */

static void test_replaced(void **state)
{
	struct fat_volume fat = { .vol = NULL };
	struct fat_held held = { .start = 7 };
	uint64_t ino, pos;

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	fat_ino_unlink(&fat, 200, &held);		/* 100 renamed over 200 */
	fat_ino_move(&fat, 100, 200);
	assert_int_equal(fat_ino_at(&fat, 200), 100);
	assert_int_equal(fat_ino_find(&fat, 200, &pos, &held), 1);
	assert_int_equal(fat_ino_new(&fat, 100, &ino), 0);	/* a new file where the first one was */
	assert_true(ino > UINT64_C(1) << 61);
	assert_int_equal(fat_ino_find(&fat, ino, &pos, &held), 0);
	assert_int_equal(pos, 100);
	fat_ino_drop(&fat, 200);
	assert_int_equal(fat_ino_find(&fat, 200, &pos, &held), -ESTALE);
	fat_ino_move(&fat, 100, 300);
	assert_int_equal(fat_ino_find(&fat, 200, &pos, &held), 0);
	assert_int_equal(pos, 200);
	fat_ino_move(&fat, ino, 400);
	fat_ino_move(&fat, 100, 100);			/* home again: nothing to remember */
	assert_int_equal(fat_ino_at(&fat, 100), 100);
	assert_int_equal(fat_ino_at(&fat, 300), 300);
	assert_int_equal(fat_ino_find(&fat, 0, &pos, &held), -ESTALE);
	assert_int_equal(fat_ino_find(&fat, UINT64_C(1) << 63, &pos, &held), -ESTALE);
	fat_inos_close(&fat);
}

static bool is_100(uint64_t ino)
{
	return ino == 100;
}

static bool is_42(uint64_t ino)
{
	return ino == 42;
}

/* An inode that has no record any more may still be on its way out of the library: its number is not given again yet. */
static void test_on_its_way_out(void **state)
{
	struct fat_volume fat = { 0 };
	uint64_t ino;

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	referenced = is_42;
	assert_int_equal(fat_ino_new(&fat, 42, &ino), 0);
	assert_int_not_equal(ino, 42);
	assert_int_equal(fat_ino_at(&fat, 42), ino);
	assert_int_equal(fat_ino_new(&fat, 43, &ino), 0);
	assert_int_equal(ino, 43);
	referenced = NULL;
	fat_inos_close(&fat);
}

static void test_spares(void **state)
{
	struct fat_volume fat = { .vol = NULL };
	struct fat_spare spare = { 50, 10 }, got;

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	for (uint64_t ino = 100; ino < 103; ino++)
		assert_int_equal(fat_ino_spare_set(&fat, ino, &spare), 0);
	spare.count = 0;
	assert_int_equal(fat_ino_spare_set(&fat, 101, &spare), 0);
	fat_ino_spare_get(&fat, 101, &got);
	assert_int_equal(got.count, 0);
	referenced = is_100;
	freed_clusters = 0;
	fat_ino_move(&fat, 100, 900);
	fat_inos_release_spares(&fat, false);
	assert_int_equal(freed_clusters, 10);
	fat_ino_spare_get(&fat, 102, &got);
	assert_int_equal(got.count, 0);
	fat_ino_spare_get(&fat, 100, &got);
	assert_int_equal(got.start, 50);
	assert_int_equal(got.count, 10);
	fat_inos_release_spares(&fat, true);
	assert_int_equal(freed_clusters, 20);
	fat_inos_release_spares(&fat, true);
	assert_int_equal(freed_clusters, 20);
	assert_int_equal(fat_ino_at(&fat, 900), 100);
	referenced = NULL;
	fat_inos_close(&fat);
}

static void test_reserve(void **state)
{
	struct fat_volume fat = { .vol = NULL };
	struct fat_held held = { .start = 9 };
	uint64_t ino, pos;

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	assert_int_equal(fat_ino_reserve(&fat, 3), 0);
	assert_int_equal(fat_ino_reserve(&fat, 3), 0);	/* instead of the former, not on top */
	no_memory = true;
	assert_int_equal(fat_ino_reserve(&fat, 4), -ENOMEM);
	assert_int_equal(fat_ino_reserve(&fat, 3), 0);
	fat_ino_unlink(&fat, 200, &held);
	fat_ino_move(&fat, 100, 200);
	assert_int_equal(fat_ino_new(&fat, 100, &ino), 0);
	assert_int_equal(fat_ino_find(&fat, 200, &pos, &held), 1);
	fat_ino_unlink(&fat, 300, &held);
	assert_int_equal(fat_ino_find(&fat, 300, &pos, &held), 0);	/* no memory, and not promised */
	no_memory = false;
	fat_inos_close(&fat);
}

/* ---- threads ----------------------------------------------------------------------------- */

#define THREADS 4

struct worker { struct fat_volume *fat; uint64_t first; };

static void *churn(void *arg)
{
	struct worker *w = arg;
	struct fat_held held = { .start = 1 };
	struct fat_spare spare = { 5, 1 };
	uint64_t ino, pos;

	for (unsigned i = 0; i < 3000; i++) {
		uint64_t from = w->first + i % 50, to = w->first + 100 + i % 50;

		if (fat_ino_reserve(w->fat, 2) || fat_ino_new(w->fat, from, &ino))
			return arg;
		fat_ino_move(w->fat, ino, to);
		if (fat_ino_at(w->fat, to) != ino || fat_ino_find(w->fat, ino, &pos, &held) || pos != to)
			return arg;
		if (i % 3 == 0 && fat_ino_spare_set(w->fat, ino, &spare))
			return arg;
		fat_ino_unlink(w->fat, ino, &held);
		if (fat_ino_find(w->fat, ino, &pos, &held) != 1)
			return arg;
		fat_inos_release_spares(w->fat, true);
		fat_ino_drop(w->fat, ino);
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fat_volume fat = { .vol = NULL };
	struct worker workers[THREADS];
	pthread_t threads[THREADS];

	(void)state;
	assert_int_equal(fat_inos_open(&fat), 0);
	for (unsigned i = 0; i < THREADS; i++) {
		workers[i] = (struct worker){ &fat, 10000 * (i + 1) };
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &workers[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		void *failed;

		pthread_join(threads[i], &failed);
		assert_null(failed);
	}
	fat_inos_close(&fat);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_swept),
		cmocka_unit_test(test_ring_swept),
		cmocka_unit_test(test_just_handed_out),
		cmocka_unit_test(test_replaced),
		cmocka_unit_test(test_on_its_way_out), cmocka_unit_test(test_spares),
		cmocka_unit_test(test_reserve),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
