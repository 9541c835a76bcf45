// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * match_fat.c: a volume against the model.  Each name found must be a place
 * that is in force at the cut, each file's bytes those of an object that has
 * the place, each promise kept by some name; what is wrong with the volume's
 * structure is forgiven only where a rename of that very object is under way
 * that docs/DESIGN.md excepts.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fat_model.h"
#include "fat_tree.h"

#define CANDIDATES 24

struct set {
	int list[CANDIDATES];
	int count;
};

static const struct fat_tree *tree;
static size_t cut;
static bool repaired;
static struct fat_verdict *verdict;
static char wrong[2600];

static struct set places_of[FAT_TREE_ENTRIES];		/* by entry: places */
static struct set objects_of[FAT_TREE_ENTRIES + 1];	/* by directory: objects */
static int *active, active_count, active_room;		/* places in force */
static unsigned moves_of[FAT_MODEL_OBJECTS];		/* by object: kinds of moves under way */
static unsigned place_count[FAT_MODEL_OBJECTS];		/* by object: places in force */
static int *due, due_count, due_room;			/* promises in force */
static bool *kept;

static bool in_force(size_t from, size_t until)
{
	return from <= cut && cut <= until;
}

static bool add(struct set *s, int value)
{
	for (int i = 0; i < s->count; i++)
		if (s->list[i] == value)
			return false;
	if (s->count == CANDIDATES)
		return false;
	s->list[s->count++] = value;
	return true;
}

static bool has(const struct set *s, int value)
{
	for (int i = 0; i < s->count; i++)
		if (s->list[i] == value)
			return true;
	return false;
}

static const char *complain(const struct fat_entry *e, const char *what)
{
	char path[1024];

	fat_tree_path(tree, e, path, sizeof(path));
	snprintf(wrong, sizeof(wrong), "%s %s", path, what);
	return wrong;
}

/* ---- what is in force at the cut ------------------------------------------------------ */

static void *room_for(void *list, int *room, int count, size_t one)
{
	if (count <= *room)
		return list;
	*room = 2 * count;
	list = reallocarray(list, (size_t)*room, one);
	if (!list)
		abort();
	return list;
}

static void collect(void)
{
	const struct fat_model *m = &fat_model;

	memset(moves_of, 0, sizeof(moves_of));
	memset(place_count, 0, sizeof(place_count));
	active = room_for(active, &active_room, m->place_count, sizeof(*active));
	active_count = due_count = 0;
	for (int i = 0; i < m->place_count; i++)
		if (in_force(m->places[i].from, m->places[i].until)) {
			active[active_count++] = i;
			place_count[m->places[i].object]++;
		}
	for (int i = 0; i < m->move_count; i++)
		if (in_force(m->moves[i].from, m->moves[i].until))
			moves_of[m->moves[i].object] |= m->moves[i].kind;
	if (m->promise_count > due_room)
		kept = reallocarray(kept, 2 * (size_t)m->promise_count, sizeof(*kept));
	due = room_for(due, &due_room, m->promise_count, sizeof(*due));
	for (int i = 0; i < m->promise_count; i++)
		if (in_force(m->promises[i].from, m->promises[i].until)) {
			kept[due_count] = false;
			due[due_count++] = i;
		}
}

/* ---- which objects can a name be? -------------------------------------------------------- */

static bool suits(const struct fat_entry *e, const struct fat_place *p)
{
	return fat_model.objects[p->object].is_dir == e->is_dir && has(&objects_of[e->dir], p->parent);
}

static bool is_temporary(const struct fat_entry *e)
{
	return !e->is_long && !strncmp(e->key, "fuse", 4) && strlen(e->key) == 12 && !strcmp(e->key + 8, ".tmp");
}

static bool is_recovered(const struct fat_entry *e)
{
	return repaired && !e->dir && !strncmp(e->key, "fsck", 4) && strlen(e->key) == 12 &&
	       !strcmp(e->key + 8, ".rec");
}

/* Places that a name may be which is no place's. */
static bool add_odd(int entry)
{
	const struct fat_entry *e = &tree->entries[entry];
	bool temporary = is_temporary(e), more = false;

	for (int i = 0; i < active_count; i++) {
		const struct fat_place *p = &fat_model.places[active[i]];
		unsigned moves = moves_of[p->object];

		if (temporary && moves & MOVE_TEMP && fat_model.objects[p->object].is_dir == e->is_dir)
			more |= add(&places_of[entry], active[i]);
		else if (!e->is_long && moves & MOVE_SPELL && suits(e, p))
			more |= add(&places_of[entry], active[i]);
	}
	return more;
}

static bool match_entry(int entry, bool odd)
{
	const struct fat_entry *e = &tree->entries[entry];
	struct set *s = &places_of[entry];
	bool more = false;

	for (int i = 0; i < active_count; i++) {
		const struct fat_place *p = &fat_model.places[active[i]];

		if (!strcmp(p->key, e->key) && suits(e, p))
			more |= add(s, active[i]);
	}
	if (odd && !s->count)
		more |= add_odd(entry);
	for (int i = 0; e->child >= 0 && i < s->count; i++)
		more |= add(&objects_of[e->child], fat_model.places[s->list[i]].object);
	return more;
}

static void match_all(void)
{
	bool more = true;

	for (int i = 0; i < tree->count; i++)
		places_of[i].count = 0;
	for (int i = 0; i < tree->dir_count; i++)
		objects_of[i].count = 0;
	add(&objects_of[0], 0);
	for (unsigned odd = 0; odd < 2; odd++)
		for (more = true; more;) {
			more = false;
			for (int i = 0; i < tree->count; i++)
				more |= match_entry(i, odd);
		}
}

/* ---- structure ------------------------------------------------------------------------------ */

static bool has_move(int entry, unsigned kind)
{
	for (int i = 0; i < places_of[entry].count; i++)
		if (moves_of[fat_model.places[places_of[entry].list[i]].object] & kind)
			return !repaired;
	return false;
}

/* Are both names of one object that is on the move in such a way? */
static bool both_move(int a, int b, unsigned kind)
{
	for (int i = 0; b >= 0 && i < places_of[a].count; i++)
		for (int j = 0; j < places_of[b].count; j++) {
			int object = fat_model.places[places_of[a].list[i]].object;

			if (fat_model.places[places_of[b].list[j]].object == object && moves_of[object] & kind)
				return true;
		}
	return false;
}

static const char *check_structure(int entry)
{
	const struct fat_entry *e = &tree->entries[entry];
	unsigned bad = e->wrong;

	if (bad & WRONG_SHORT && has_move(entry, MOVE_SPLIT)) {
		bad &= ~(unsigned)WRONG_SHORT;
		verdict->split++;
	}
	if (bad & WRONG_TWICE && both_move(entry, e->other, MOVE_SPELL)) {
		bad &= ~(unsigned)WRONG_TWICE;
		verdict->twice++;
	}
	if (bad & WRONG_SHARED && !repaired && both_move(entry, e->other, MOVE_SHARE)) {
		bad &= ~(unsigned)(WRONG_SHARED | WRONG_PARENT);
		verdict->shared++;
	}
	if (bad & WRONG_PARENT && has_move(entry, MOVE_PARENT))
		bad &= ~(unsigned)WRONG_PARENT;
	if (!bad)
		return NULL;
	fat_tree_explain(tree, e, wrong, sizeof(wrong));
	return wrong;
}

static const char *check_name(int entry)
{
	const struct fat_entry *e = &tree->entries[entry];
	const struct set *s = &places_of[entry];
	const struct fat_place *p;

	if (!s->count)
		return complain(e, "is a name that cannot be there at this time");
	p = &fat_model.places[s->list[0]];
	if (strcmp(p->key, e->key)) {
		if (is_temporary(e))
			verdict->temporary++;
		else
			verdict->alias++;
		return NULL;
	}
	if (s->count == 1 && place_count[p->object] == 1 && strcmp(p->name, e->name))
		return complain(e, "is spelled otherwise than it was made");
	return NULL;
}

/* ---- content and promises -------------------------------------------------------------------- */

static bool content_is(const uint8_t *bytes, uint64_t len, bool exact, uint64_t size, uint64_t want)
{
	if (exact ? len != size : len < size)
		return false;
	return digest(bytes, size) == want;
}

/*
 * Is this the name that came to lead to another object?  Of two names with
 * one chain fsck.fat may have kept the other.
 */
static bool is_other(const struct fat_promise *q, const struct fat_place *p, int place)
{
	if (q->other_place < 0 || fat_model.places[q->other_place].object != p->object)
		return false;
	return q->other_place == place || (repaired && moves_of[p->object] & MOVE_SHARE);
}

static void keep_dir(const struct fat_place *p, int place)
{
	for (int i = 0; i < due_count; i++) {
		const struct fat_promise *q = &fat_model.promises[due[i]];

		kept[i] |= q->object == p->object || is_other(q, p, place);
	}
}

static void keep_file(const struct fat_place *p, int place, const uint8_t *bytes, uint64_t len)
{
	for (int i = 0; i < due_count; i++) {
		const struct fat_promise *q = &fat_model.promises[due[i]];

		if (kept[i])
			continue;
		if (q->object == p->object)
			kept[i] = content_is(bytes, len, q->exact, q->size, q->digest);
		if (!kept[i] && is_other(q, p, place))
			kept[i] = content_is(bytes, len, true, q->other_size, q->other_digest);
	}
}

static const char *check_content(int entry)
{
	static uint8_t bytes[FAT_MODEL_SIZE];
	const struct fat_entry *e = &tree->entries[entry];
	const struct set *s = &places_of[entry];
	size_t len = e->is_dir ? 0 : fat_tree_content(tree, e, bytes, sizeof(bytes));
	bool known = false;

	for (int i = 0; i < s->count; i++) {
		const struct fat_place *p = &fat_model.places[s->list[i]];

		if (e->is_dir) {
			keep_dir(p, s->list[i]);
			known = true;
		} else if (fat_pattern_is(p->object, bytes, len)) {
			known = true;
			keep_file(p, s->list[i], bytes, e->wrong & WRONG_SHORT ? 0 : len);
		}
	}
	if (!known && e->size > FAT_MODEL_SIZE)
		return complain(e, "is larger than any file was");
	return known ? NULL : complain(e, "shows bytes of another file");
}

static const char *check_promises(void)
{
	for (int i = 0; i < due_count; i++) {
		const struct fat_promise *q = &fat_model.promises[due[i]];

		if (kept[i])
			continue;
		for (int j = active_count; j-- > 0;) {
			const struct fat_place *p = &fat_model.places[active[j]];

			if (p->object != q->object)
				continue;
			snprintf(wrong, sizeof(wrong), "object %d, \"%.100s\" in object %d, is lost or has other content: "
				 "%s%llu bytes promised from %zu to %zd", q->object, p->name, p->parent,
				 q->exact ? "" : "the first ", (unsigned long long)q->size, q->from, (ssize_t)q->until);
			return wrong;
		}
		snprintf(wrong, sizeof(wrong), "object %d is lost, promised from %zu to %zd", q->object, q->from,
			 (ssize_t)q->until);
		return wrong;
	}
	return NULL;
}

const char *fat_match(const struct fat_tree *t, size_t at, bool is_repaired, struct fat_verdict *v)
{
	const char *what = NULL;

	tree = t;
	cut = at;
	repaired = is_repaired;
	verdict = v;
	if (t->too_many)
		return "the root's chain is damaged, or there are too many names";
	collect();
	match_all();
	for (int i = 0; !what && i < t->count; i++) {
		if (is_recovered(&t->entries[i]))
			continue;
		what = check_structure(i);
		if (!what)
			what = check_name(i);
		if (!what)
			what = check_content(i);
	}
	return what ? what : check_promises();
}
