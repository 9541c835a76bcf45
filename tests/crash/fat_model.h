/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_model.h: what a FAT volume may and must hold at every cut.
 *
 * Objects are files and directories; none is used twice, and a file's bytes
 * tell which object they belong to and where in it they are.  A placement is
 * a name that an object had: it may be on the device from the moment it was
 * asked for until a sync after its end.  A promise says what must be found of
 * an object, under any of its placements.  A move is a rename that is not yet
 * known to be durable: some of them leave more than one name for a while
 * (docs/DESIGN.md, "A rename moves the one reference").
 */
#ifndef CRASH_FAT_MODEL_H
#define CRASH_FAT_MODEL_H

#include "crash.h"

#define FAT_MODEL_OBJECTS	6000
#define FAT_MODEL_NAME		600
#define FAT_MODEL_SIZE		(3u << 20)	/* of a file, at most */
#define FAT_MODEL_BIG		(1u << 20)	/* above it renames do not copy */

struct fat_object {
	bool is_dir, alive;
	uint64_t nodeid, size;
	uint8_t *bytes;			/* FAT_MODEL_SIZE of address space; NULL: directory, or gone */
	unsigned version;
	int place;			/* its present placement, -1: the root, or none */
	unsigned held;			/* lookups kept after it was removed */
};

struct fat_place {
	int object, parent;		/* parent: an object */
	char name[FAT_MODEL_NAME], key[FAT_MODEL_NAME];
	size_t from, until;		/* cuts */
	bool ended;			/* until comes with the next sync */
};

struct fat_promise {
	int object;
	size_t from, until;
	bool exact;			/* else only the first @size bytes are */
	uint64_t size, digest;
	/* or the name that it had leads to another file, which is whole */
	int other_place;		/* -1: no */
	uint64_t other_size, other_digest;
};

enum fat_move_kind {
	MOVE_SHARE = 1,			/* both names may lead to one chain for a while */
	MOVE_SPLIT = 2,			/* one of both names may have a chain shorter than its size */
	MOVE_SPELL = 4,			/* both spellings may be there, or the 8.3 alias alone */
	MOVE_TEMP = 8,			/* a temporary name may be left */
	MOVE_PARENT = 16,		/* ".." may lead elsewhere for a while */
};

struct fat_move {
	int object;
	unsigned kind;
	size_t from, until;
};

struct fat_model {
	struct crash *crash;
	struct fat_object *objects;
	struct fat_place *places;
	struct fat_promise *promises;
	struct fat_move *moves;
	int object_count, place_count, promise_count, move_count;
	int place_room, promise_room, move_room;
	uint64_t total;			/* bytes of all living files */
};
extern struct fat_model fat_model;

/* ---- state_fat.c ------------------------------------------------------------- */

size_t fat_now(void);
int fat_object_new(bool is_dir, uint64_t nodeid);
void fat_object_gone(int object);
/* The object is now also to be found there; what it had before ends once fat_place_end() is called. */
int fat_place_new(int object, int parent, const char *name);
void fat_place_end(int place);
struct fat_place *fat_place_of(int object);	/* the present one; NULL: the root or gone */
int fat_find(int parent, const char *name);	/* object, -1 */
bool fat_has_children(int dir);
bool fat_is_below(int dir, int ancestor);
void fat_move_new(int object, unsigned kind);
/* A file's bytes from @off on are about to change; or it is about to lose its name. */
void fat_touch_bytes(int object, uint64_t off);
void fat_touch_name(int object);
/* It is about to move: what had been promised of a name that came to lead to it is over. */
void fat_touch_moved(int object);
/* The name of @object is about to lead to @by, which is at @place by then. */
void fat_touch_replaced(int object, int by, int place);
/* A sync has returned: of everything, or of one file. */
void fat_synced_all(void);
void fat_synced_one(int object);

/* ---- pattern --------------------------------------------------------------------- */

/* The bytes that @object has at [off, off + len) when written as @version. */
void fat_pattern_fill(int object, unsigned version, uint64_t off, uint64_t len, uint8_t *bytes);
/* Is every byte zero or of @object, in its place? */
bool fat_pattern_is(int object, const uint8_t *bytes, uint64_t len);

/* ---- model_fat.c ------------------------------------------------------------------ */

void fat_workload(struct crash *c);

/* ---- match_fat.c ------------------------------------------------------------------- */

struct fat_tree;
struct fat_verdict {
	unsigned shared, split, twice, alias, temporary;	/* documented exceptions that were met */
};
/*
 * What the volume may not hold, or misses.  @repaired: fsck.fat has been
 * there, which puts what it found into FSCK*.REC.  NULL or what is wrong.
 */
const char *fat_match(const struct fat_tree *t, size_t cut, bool repaired, struct fat_verdict *verdict);

#endif
