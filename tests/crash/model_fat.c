// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_fat.c: the FAT workload.  Each operation first tells the model what
 * it may change, is then sent, and what it did is noted; one that fails has
 * changed nothing but what it may leave on the device until the next sync.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "device.h"
#include "fakekernel.h"
#include "fat_model.h"

#define CHUNK		(64u << 10)
#define LIVING_MOST	260
#define RENAME_NOREPLACE_FLAG 1u
#define RENAME_EXCHANGE_FLAG 2u

static struct fk *fk;

static struct fat_object *object_at(int i)
{
	return &fat_model.objects[i];
}

static void __attribute__((format(printf, 1, 2))) trace(const char *format, ...)
{
	va_list ap;

	if (!fat_model.crash->verbose)
		return;
	printf("%zu ", fat_now());
	va_start(ap, format);
	vprintf(format, ap);
	va_end(ap);
	putchar('\n');
}

/* ---- what to work on -------------------------------------------------------------- */

static int living(void)
{
	int n = 0;

	for (int i = 1; i < fat_model.object_count; i++)
		n += object_at(i)->alive;
	return n;
}

/* @want_dir: -1 either. 0 if there is none. */
static int pick(int want_dir)
{
	int seen = 0, got = 0;

	for (int i = 1; i < fat_model.object_count; i++) {
		if (!object_at(i)->alive || (want_dir >= 0 && object_at(i)->is_dir != want_dir))
			continue;
		if (roll() % (unsigned)++seen == 0)
			got = i;
	}
	return got;
}

/* Often the same as last time: most of what can go wrong needs two operations on one file. */
static int pick_file(void)
{
	static int last;

	if (roll() % 2 || last >= fat_model.object_count || !object_at(last)->alive || object_at(last)->is_dir)
		last = pick(0);
	return last;
}

static int pick_dir(void)
{
	return roll() % 3 ? pick(1) : 0;
}

static int pick_empty_dir(void)
{
	int dir = pick(1);

	return dir && !fat_has_children(dir) ? dir : 0;
}

static bool has_room(uint64_t bytes)
{
	return fat_model.total + bytes < fat_model.crash->size * 2 / 5;
}

static void random_name(char *out, size_t size)
{
	static const char pad[] = "and so on until it is as long as a name of VFAT may be, which is a lot more than "
		"anybody needs, yet there are people who give their photographs names like this one, and their music too, "
		"and then wonder why it does not fit on the little display";
	static const char *const formats[] = {
		"FILE%u.TXT", "file%u.txt", "File%u.Txt", "A rather long name %u.jpeg", "%u", "\xc3\x9c" "bergr\xc3\xb6\xc3\x9f" "e %u.mp3",
		"\xd0\x94\xd0\xbe\xd0\xba %u", "x%u.tar.gz", "DCIM%u", "long-name-number-%u-%.*s",
	};
	unsigned i = roll() % 10, n = roll() % (i < 3 ? 12 : 30);

	if (i == 9)
		snprintf(out, size, formats[9], n, (int)(roll() % 200), pad);
	else
		snprintf(out, size, formats[i], n);
	for (size_t len = strlen(out); len && (out[len - 1] == ' ' || out[len - 1] == '.'); len--)
		out[len - 1] = '_';
}

static void flip_case(char *text)
{
	bool all = roll() % 2;

	for (; *text; text++)
		if ((all || roll() % 3 == 0) && ((*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z')))
			*text ^= 32;
}

/* ---- making --------------------------------------------------------------------------- */

static int make(int dir, const char *name, bool is_dir)
{
	struct fuse_entry_out e;
	int object, err;

	if (fat_find(dir, name) >= 0 || living() >= LIVING_MOST || fat_model.object_count == FAT_MODEL_OBJECTS)
		return 0;
	object = fat_object_new(is_dir, 0);
	fat_place_new(object, dir, name);
	trace("%s %d \"%s\" in %d", is_dir ? "mkdir" : "create", object, name, dir);
	err = is_dir ? fk_mkdir(fk, object_at(dir)->nodeid, name, 0755, &e)
		     : fk_create(fk, object_at(dir)->nodeid, name, 0644, O_RDWR, &e, NULL);
	if (!err) {
		object_at(object)->nodeid = e.nodeid;
		return object;
	}
	if (err != -ENOSPC && err != -EEXIST)
		fail_msg("create \"%s\": %s", name, strerror(-err));
	fat_place_end(object_at(object)->place);
	fat_object_gone(object);
	return 0;
}

static void do_make(void)
{
	char name[FAT_MODEL_NAME];

	random_name(name, sizeof(name));
	make(pick_dir(), name, roll() % 4 == 0);
}

static void do_many(void)
{
	int dir = pick_dir();

	for (unsigned i = 0; i < 20; i++) {
		char name[FAT_MODEL_NAME];

		snprintf(name, sizeof(name), "many %u-%u", roll() % 100, i);
		if (roll() % 2)
			snprintf(name, sizeof(name), "MANY%u", roll() % 1000);
		make(dir, name, false);
	}
}

/* ---- bytes --------------------------------------------------------------------------------- */

static void set_size(int object, uint64_t size)
{
	fat_model.total += size - object_at(object)->size;
	object_at(object)->size = size;
}

/* After a failure: what does the file hold now? */
static void resync(int object)
{
	struct fat_object *o = object_at(object);
	struct fuse_attr attr;

	assert_int_equal(fk_getattr(fk, o->nodeid, &attr), 0);
	assert_true(attr.size <= FAT_MODEL_SIZE);
	memset(o->bytes, 0, FAT_MODEL_SIZE);
	for (uint64_t off = 0; off < attr.size; off += CHUNK)
		assert_true(fk_read(fk, o->nodeid, off, o->bytes + off, CHUNK) >= 0);
	set_size(object, attr.size);
}

static void write_at(int object, uint64_t off, uint64_t len)
{
	struct fat_object *o = object_at(object);
	uint32_t chunk = fk_max_write(fk) < CHUNK ? fk_max_write(fk) : CHUNK;

	if (off + len > FAT_MODEL_SIZE || !has_room(off + len))
		return;
	trace("write %d at %llu %llu bytes", object, (unsigned long long)off, (unsigned long long)len);
	fat_touch_bytes(object, off < o->size ? off : o->size);
	o->version++;
	while (len) {
		uint32_t n = len < chunk ? (uint32_t)len : chunk;

		fat_pattern_fill(object, o->version, off, n, o->bytes + off);
		if (fk_write(fk, o->nodeid, off, o->bytes + off, n, 0) != n) {
			resync(object);
			return;
		}
		off += n;
		len -= n;
		if (off > o->size)
			set_size(object, off);
	}
}

static void do_write(void)
{
	int object = pick_file();
	uint64_t size;

	if (!object)
		return;
	size = object_at(object)->size;
	switch (roll() % 6) {
	case 0:
		write_at(object, size ? roll() % size : 0, 1 + roll() % 6000);
		break;
	case 1:
		write_at(object, size + roll() % 20000, 1 + roll() % 3000);
		break;
	case 2:
		write_at(object, size ? roll() % size & ~511ull : 0, 512u * (1 + roll() % 20));
		break;
	default:
		write_at(object, size, 1 + roll() % (roll() % 3 ? 6000 : 30000));
	}
}

static void do_large(void)
{
	int object = pick(0);

	if (object && has_room(5u << 19))
		write_at(object, object_at(object)->size, FAT_MODEL_BIG + roll() % (3u << 18));
}

static int pick_large(void)
{
	int object = 0;

	for (unsigned tries = 0; tries < 200; tries++) {
		object = pick(0);
		if (object && object_at(object)->size > FAT_MODEL_BIG)
			return object;
	}
	return 0;
}

static void do_truncate(void)
{
	int object = pick_file();
	struct fat_object *o = object_at(object);
	uint64_t size;

	if (!object)
		return;
	switch (roll() % 4) {
	case 0: size = 0; break;
	case 1: size = o->size + roll() % 20000; break;
	default: size = o->size ? roll() % o->size : 0;
	}
	if (size > FAT_MODEL_SIZE || (size > o->size && !has_room(size)))
		return;
	trace("truncate %d of %llu to %llu", object, (unsigned long long)o->size, (unsigned long long)size);
	fat_touch_bytes(object, size < o->size ? size : o->size);
	if (fk_truncate(fk, o->nodeid, size)) {
		resync(object);
		return;
	}
	if (size < o->size)
		memset(o->bytes + size, 0, o->size - size);
	set_size(object, size);
}

static void do_allocate(void)
{
	int object = pick_file();
	struct fat_object *o = object_at(object);
	uint64_t off, len = 1 + roll() % 40000;
	bool keep = roll() % 2;

	if (!object || !has_room(o->size + 60000) || o->size + 60000 > FAT_MODEL_SIZE)
		return;
	off = roll() % 2 ? o->size : roll() % (o->size + 1);
	trace("allocate %d %s %llu %llu", object, keep ? "keep" : "extend", (unsigned long long)off, (unsigned long long)len);
	fat_touch_bytes(object, o->size);
	if (fk_fallocate(fk, o->nodeid, keep ? FALLOC_FL_KEEP_SIZE : 0, off, len))
		resync(object);
	else if (!keep && off + len > o->size)
		set_size(object, off + len);
}

/* ---- names ------------------------------------------------------------------------------------- */

static void forget(int object)
{
	uint64_t nodeid = object_at(object)->nodeid;

	fk_forget(fk, nodeid, fk_lookups(fk, nodeid));
}

/* The object has lost its name. Some stay open until the next sync. */
static void bury(int object)
{
	fat_object_gone(object);
	if (roll() % 4 == 0)
		object_at(object)->held = 1;
	else
		forget(object);
}

static void forget_held(void)
{
	for (int i = 1; i < fat_model.object_count; i++)
		if (object_at(i)->held) {
			object_at(i)->held = 0;
			forget(i);
		}
}

static bool take_away(int object)
{
	struct fat_place place = *fat_place_of(object);
	int err;

	if (object_at(object)->is_dir && fat_has_children(object))
		return false;
	trace("remove %d \"%s\" from %d", object, place.name, place.parent);
	fat_touch_name(object);
	err = object_at(object)->is_dir ? fk_rmdir(fk, object_at(place.parent)->nodeid, place.name)
					: fk_unlink(fk, object_at(place.parent)->nodeid, place.name);
	assert_int_equal(err, 0);
	fat_place_end(object_at(object)->place);
	bury(object);
	return true;
}

static void do_remove(void)
{
	int object = pick(-1);

	if (object)
		take_away(object);
}

/* Away and there again, perhaps in another spelling. */
static void do_remake(void)
{
	int object = pick(-1), dir;
	char name[FAT_MODEL_NAME];

	if (!object)
		return;
	dir = fat_place_of(object)->parent;
	snprintf(name, sizeof(name), "%s", fat_place_of(object)->name);
	if (roll() % 3 == 0)
		flip_case(name);
	if (!take_away(object))
		return;
	object = make(dir, name, roll() % 5 == 0);
	if (object && !object_at(object)->is_dir)
		write_at(object, 0, roll() % 9000);
}

/* Drop the inode and look it up again: it is loaded from the volume as it is now. */
static void do_reload(void)
{
	int object = pick(-1);
	struct fuse_entry_out e;

	if (!object)
		return;
	trace("reload %d", object);
	forget(object);
	assert_int_equal(fk_lookup(fk, object_at(fat_place_of(object)->parent)->nodeid, fat_place_of(object)->name, &e), 0);
	object_at(object)->nodeid = e.nodeid;
	if (!object_at(object)->is_dir)
		assert_int_equal(e.attr.size, object_at(object)->size);
}

/* ---- renames -------------------------------------------------------------------------------------- */

static unsigned move_kind(int object, bool changes_dir)
{
	const struct fat_object *o = object_at(object);

	if (o->is_dir)
		return changes_dir ? MOVE_SHARE | MOVE_PARENT : MOVE_SHARE;
	return o->size > FAT_MODEL_BIG ? MOVE_SHARE | MOVE_SPLIT : 0;
}

static void rename_to(int object, int dir, const char *name, int over)
{
	struct fat_place from = *fat_place_of(object);
	int old = object_at(object)->place, place, err;
	bool spell = !over && fat_find(dir, name) == object;

	trace("rename %d \"%s\" in %d (%llu bytes) to \"%s\" in %d over %d", object, from.name, from.parent,
	      (unsigned long long)object_at(object)->size, name, dir, over);
	fat_touch_moved(object);
	fat_move_new(object, move_kind(object, dir != from.parent) | (spell ? MOVE_SPELL : 0));
	place = fat_place_new(object, dir, name);
	if (over)
		fat_touch_replaced(over, object, place);
	err = fk_rename2(fk, object_at(from.parent)->nodeid, from.name, object_at(dir)->nodeid, name,
			 over || roll() % 2 ? 0 : RENAME_NOREPLACE_FLAG);
	if (err) {
		if (err != -ENOSPC)
			fail_msg("rename \"%s\" to \"%s\": %s", from.name, name, strerror(-err));
		fat_place_end(place);
		object_at(object)->place = old;
		return;
	}
	fat_place_end(old);
	if (over) {
		fat_place_end(object_at(over)->place);
		bury(over);
	}
}

static bool may_move(int object, int dir)
{
	return object && !(object_at(object)->is_dir && fat_is_below(dir, object));
}

static void do_rename(void)
{
	int object = roll() % 4 ? pick(-1) : roll() % 2 ? pick_file() : pick_large(), dir;
	char name[FAT_MODEL_NAME];

	if (!object)
		return;
	dir = roll() % 2 ? fat_place_of(object)->parent : pick_dir();
	random_name(name, sizeof(name));
	if (may_move(object, dir) && fat_find(dir, name) < 0)
		rename_to(object, dir, name, 0);
}

/* Most renames in life: a new file over an old one. */
static void do_replace(void)
{
	int object = roll() % 6 ? pick(-1) : pick_large(), over;
	char name[FAT_MODEL_NAME];

	if (!object)
		return;
	over = object_at(object)->is_dir ? pick_empty_dir() : pick(0);
	if (!over || over == object || !may_move(object, fat_place_of(over)->parent))
		return;
	snprintf(name, sizeof(name), "%s", fat_place_of(over)->name);
	rename_to(object, fat_place_of(over)->parent, name, over);
}

static void do_save(void)
{
	int over = pick(0), dir, object;
	char name[FAT_MODEL_NAME];

	if (!over)
		return;
	dir = fat_place_of(over)->parent;
	object = make(dir, "save.tmp", false);
	if (!object)
		return;
	write_at(object, 0, roll() % 20000);
	if (roll() % 2) {
		assert_int_equal(fk_fsync(fk, object_at(object)->nodeid, false), 0);
		fat_synced_one(object);
	}
	snprintf(name, sizeof(name), "%s", fat_place_of(over)->name);
	rename_to(object, dir, name, over);
}

static void do_spell(void)
{
	int object = pick(-1);
	char name[FAT_MODEL_NAME];

	if (!object)
		return;
	snprintf(name, sizeof(name), "%s", fat_place_of(object)->name);
	flip_case(name);
	if (strcmp(name, fat_place_of(object)->name))
		rename_to(object, fat_place_of(object)->parent, name, 0);
}

static void do_exchange(void)
{
	int a = pick(-1), b = pick(-1), old_a, old_b, new_a, new_b, err;
	struct fat_place pa, pb;
	bool apart;

	if (!a || !b || a == b)
		return;
	pa = *fat_place_of(a);
	pb = *fat_place_of(b);
	if (!may_move(a, pb.parent) || !may_move(b, pa.parent))
		return;
	apart = pa.parent != pb.parent;
	old_a = object_at(a)->place;
	old_b = object_at(b)->place;
	trace("exchange %d \"%s\" in %d with %d \"%s\" in %d", a, pa.name, pa.parent, b, pb.name, pb.parent);
	fat_touch_moved(a);
	fat_touch_moved(b);
	fat_move_new(a, move_kind(a, apart) | MOVE_TEMP);
	fat_move_new(b, move_kind(b, apart) | MOVE_TEMP);
	new_a = fat_place_new(a, pb.parent, pb.name);
	new_b = fat_place_new(b, pa.parent, pa.name);
	err = fk_rename2(fk, object_at(pa.parent)->nodeid, pa.name, object_at(pb.parent)->nodeid, pb.name,
			 RENAME_EXCHANGE_FLAG);
	if (err) {
		assert_int_equal(err, -ENOSPC);
		object_at(a)->place = old_a;
		object_at(b)->place = old_b;
	}
	fat_place_end(err ? new_a : old_a);
	fat_place_end(err ? new_b : old_b);
}

/* ---- syncs ------------------------------------------------------------------------------------------- */

static void do_sync(void)
{
	trace("syncfs");
	assert_int_equal(fk_syncfs(fk), 0);
	fat_synced_all();
	forget_held();
}

static void do_fsync(void)
{
	int object = pick(0);

	if (!object)
		return;
	trace("fsync %d", object);
	assert_int_equal(fk_fsync(fk, object_at(object)->nodeid, roll() % 2), 0);
	fat_synced_one(object);
}

/* ---- all of it ------------------------------------------------------------------------------------------ */

static const struct {
	void (*run)(void);
	unsigned weight;
} operations[] = {
	{ do_make, 20 }, { do_many, 2 }, { do_write, 24 }, { do_large, 2 }, { do_truncate, 9 }, { do_allocate, 5 },
	{ do_remove, 8 }, { do_remake, 5 }, { do_reload, 4 }, { do_rename, 10 }, { do_replace, 5 }, { do_save, 4 },
	{ do_spell, 4 }, { do_exchange, 3 }, { do_sync, 4 }, { do_fsync, 3 },
};

static void one_step(void)
{
	unsigned all = 0, at, i;

	for (i = 0; i < sizeof(operations) / sizeof(operations[0]); i++)
		all += operations[i].weight;
	at = roll() % all;
	for (i = 0; at >= operations[i].weight; i++)
		at -= operations[i].weight;
	operations[i].run();
}

void fat_workload(struct crash *c)
{
	fk = c->fk;
	fat_model = (struct fat_model){ .crash = c };
	fat_model.objects = calloc(FAT_MODEL_OBJECTS, sizeof(*fat_model.objects));
	assert_non_null(fat_model.objects);
	fat_object_new(true, FUSE_ROOT_ID);
	for (unsigned i = 0; i < c->steps; i++)
		one_step();
	do_sync();
	c->promises = (size_t)fat_model.promise_count;
}
