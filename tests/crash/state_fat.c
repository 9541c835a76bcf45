// SPDX-License-Identifier: GPL-2.0-or-later
/* state_fat.c: objects, their places and what is promised of them; see fat_model.h. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

#include "device.h"
#include "fat_model.h"
#include "fat_tree.h"

struct fat_model fat_model;

size_t fat_now(void)
{
	return fb_write_log_count(fat_model.crash->log);
}

static void *grow(void *list, int count, int *room, size_t one)
{
	if (count < *room)
		return list;
	*room = *room ? 2 * *room : 256;
	list = reallocarray(list, (size_t)*room, one);
	assert_non_null(list);
	return list;
}

/* ---- objects ---------------------------------------------------------------------- */

int fat_object_new(bool is_dir, uint64_t nodeid)
{
	struct fat_object *o = &fat_model.objects[fat_model.object_count];

	assert_true(fat_model.object_count < FAT_MODEL_OBJECTS);
	*o = (struct fat_object){ .is_dir = is_dir, .alive = true, .nodeid = nodeid, .place = -1 };
	if (!is_dir) {
		o->bytes = mmap(NULL, FAT_MODEL_SIZE, PROT_READ | PROT_WRITE,
				MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		assert_true(o->bytes != MAP_FAILED);
	}
	return fat_model.object_count++;
}

void fat_object_gone(int object)
{
	struct fat_object *o = &fat_model.objects[object];

	o->alive = false;
	fat_model.total -= o->size;
	if (o->bytes)
		munmap(o->bytes, FAT_MODEL_SIZE);
	o->bytes = NULL;
}

/* ---- places ------------------------------------------------------------------------ */

int fat_place_new(int object, int parent, const char *name)
{
	struct fat_place *p;

	fat_model.places = grow(fat_model.places, fat_model.place_count, &fat_model.place_room, sizeof(*p));
	p = &fat_model.places[fat_model.place_count];
	*p = (struct fat_place){ .object = object, .parent = parent, .from = fat_now(), .until = FOREVER };
	snprintf(p->name, sizeof(p->name), "%s", name);
	fat_fold_name(p->name, p->key, sizeof(p->key));
	fat_model.objects[object].place = fat_model.place_count;
	return fat_model.place_count++;
}

void fat_place_end(int place)
{
	fat_model.places[place].ended = true;
}

struct fat_place *fat_place_of(int object)
{
	int place = fat_model.objects[object].place;

	return place < 0 ? NULL : &fat_model.places[place];
}

int fat_find(int parent, const char *name)
{
	char key[FAT_MODEL_NAME];

	fat_fold_name(name, key, sizeof(key));
	for (int i = 1; i < fat_model.object_count; i++) {
		const struct fat_place *p = fat_place_of(i);

		if (fat_model.objects[i].alive && p && p->parent == parent && !strcmp(p->key, key))
			return i;
	}
	return -1;
}

bool fat_has_children(int dir)
{
	for (int i = 1; i < fat_model.object_count; i++)
		if (fat_model.objects[i].alive && fat_place_of(i) && fat_place_of(i)->parent == dir)
			return true;
	return false;
}

bool fat_is_below(int dir, int ancestor)
{
	for (; dir != ancestor; dir = fat_place_of(dir)->parent)
		if (!dir)
			return false;
	return true;
}

void fat_move_new(int object, unsigned kind)
{
	fat_model.moves = grow(fat_model.moves, fat_model.move_count, &fat_model.move_room, sizeof(*fat_model.moves));
	fat_model.moves[fat_model.move_count++] = (struct fat_move){
		.object = object, .kind = kind, .from = fat_now(), .until = FOREVER,
	};
}

/* ---- promises ------------------------------------------------------------------------ */

static struct fat_promise *promise_new(int object)
{
	struct fat_promise *p;

	fat_model.promises = grow(fat_model.promises, fat_model.promise_count, &fat_model.promise_room, sizeof(*p));
	p = &fat_model.promises[fat_model.promise_count++];
	*p = (struct fat_promise){ .object = object, .from = fat_now(), .until = FOREVER, .other_place = -1 };
	return p;
}

/* The first @size bytes are what remains promised of @old. */
static void weaken(int old, uint64_t size)
{
	struct fat_promise *q = promise_new(fat_model.promises[old].object);
	struct fat_promise *p = &fat_model.promises[old];

	p->until = fat_now();
	if (q->from < p->from)
		q->from = p->from;
	q->size = size;
	q->digest = digest(fat_model.objects[p->object].bytes, size);
}

void fat_touch_bytes(int object, uint64_t off)
{
	int count = fat_model.promise_count;

	for (int i = 0; i < count; i++) {
		struct fat_promise *p = &fat_model.promises[i];

		if (p->until != FOREVER)
			continue;
		if (p->other_place >= 0 && fat_model.places[p->other_place].object == object)
			p->until = fat_now();
		else if (p->object == object && (p->exact || p->size > off))
			weaken(i, p->size < off ? p->size : off);
	}
}

void fat_touch_name(int object)
{
	for (int i = 0; i < fat_model.promise_count; i++) {
		struct fat_promise *p = &fat_model.promises[i];

		if (p->until == FOREVER && p->object == object)
			p->until = fat_now();
	}
	fat_touch_moved(object);
}

void fat_touch_moved(int object)
{
	for (int i = 0; i < fat_model.promise_count; i++) {
		struct fat_promise *p = &fat_model.promises[i];

		if (p->until == FOREVER && p->other_place >= 0 && fat_model.places[p->other_place].object == object)
			p->until = fat_now();
	}
}

void fat_touch_replaced(int object, int by, int place)
{
	const struct fat_object *b = &fat_model.objects[by];
	int count = fat_model.promise_count;

	fat_touch_moved(object);
	for (int i = 0; i < count; i++) {
		struct fat_promise *p = &fat_model.promises[i], *q;

		if (p->until != FOREVER || p->object != object || p->other_place >= 0)
			continue;
		p->until = fat_now();
		q = promise_new(object);
		p = &fat_model.promises[i];
		*q = *p;
		q->from = fat_now();
		q->until = FOREVER;
		q->other_place = place;
		q->other_size = b->size;
		q->other_digest = b->is_dir ? 0 : digest(b->bytes, b->size);
	}
}

static void promise_object(int object)
{
	const struct fat_object *o = &fat_model.objects[object];
	struct fat_promise *p = promise_new(object);

	p->exact = true;
	p->size = o->size;
	p->digest = o->is_dir ? 0 : digest(o->bytes, o->size);
}

static void end_promises(int object)
{
	for (int i = 0; i < fat_model.promise_count; i++) {
		struct fat_promise *p = &fat_model.promises[i];

		if (p->until == FOREVER && (object < 0 || (p->object == object && p->other_place < 0)))
			p->until = fat_now() - 1;
	}
}

/* What was over before the sync is not on the device any more. */
static void close_windows(void)
{
	for (int i = 0; i < fat_model.place_count; i++)
		if (fat_model.places[i].ended && fat_model.places[i].until == FOREVER)
			fat_model.places[i].until = fat_now() - 1;
	for (int i = 0; i < fat_model.move_count; i++)
		if (fat_model.moves[i].until == FOREVER)
			fat_model.moves[i].until = fat_now() - 1;
}

void fat_synced_all(void)
{
	end_promises(-1);
	close_windows();
	for (int i = 1; i < fat_model.object_count; i++)
		if (fat_model.objects[i].alive)
			promise_object(i);
}

/* And the directories that lead to it. */
void fat_synced_one(int object)
{
	for (; object; object = fat_place_of(object)->parent) {
		end_promises(object);
		promise_object(object);
	}
}

/* ---- pattern --------------------------------------------------------------------------- */

/* Eight bytes: whose, which version, where, whose. */
static void pattern_word(int object, unsigned version, uint64_t word, uint8_t out[8])
{
	out[0] = (uint8_t)object;
	out[1] = (uint8_t)(object >> 8 | 0x80);
	out[2] = (uint8_t)version;
	out[3] = (uint8_t)word;
	out[4] = (uint8_t)(word >> 8);
	out[5] = (uint8_t)(word >> 16 ^ (unsigned)object);
	out[6] = (uint8_t)~object;
	out[7] = 0xa5;
}

void fat_pattern_fill(int object, unsigned version, uint64_t off, uint64_t len, uint8_t *bytes)
{
	uint8_t word[8];

	for (uint64_t i = 0; i < len; i++) {
		if (!i || !((off + i) & 7))
			pattern_word(object, version, (off + i) >> 3, word);
		bytes[i] = word[(off + i) & 7];
	}
}

bool fat_pattern_is(int object, const uint8_t *bytes, uint64_t len)
{
	static const uint8_t zero[8];
	uint8_t word[8];

	for (uint64_t at = 0; at < len; at += 8) {
		uint64_t n = len - at < 8 ? len - at : 8;

		pattern_word(object, bytes[at + (n > 2 ? 2 : 0)], at >> 3, word);
		if (!memcmp(bytes + at, word, n) || !memcmp(bytes + at, zero, n))
			continue;
		for (uint64_t i = 0; i < n; i++)
			if (i != 2 && bytes[at + i] && bytes[at + i] != word[i])
				return false;
	}
	return true;
}
