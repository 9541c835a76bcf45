// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * chain.c: the clusters of a file or directory.
 *
 * A node remembers runs of its chain, up to FAT_RUNS, with gaps: where they
 * are full the one that leaves the smallest gap goes, so that what is left
 * lies evenly.  From the last run before a place the table is walked.  Each
 * link is checked; a walk that comes back to where it was, or gets longer
 * than the volume has clusters, has met a loop.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "space.h"

void fat_chain_init(struct fat_chain *chain, uint32_t start)
{
	*chain = (struct fat_chain){ .start = start, .clusters = start ? UINT32_MAX : 0 };
}

void fat_chain_fini(struct fat_chain *chain)
{
	free(chain->runs);
	chain->runs = NULL;
	chain->count = 0;
}

/* ---- runs that are known; chain_lock or the node exclusive -------------------------------------- */

/* How many runs begin at or before cluster @index. */
static unsigned runs_to(const struct fat_chain *chain, uint32_t index)
{
	unsigned low = 0, high = chain->count;

	while (low < high) {
		unsigned mid = (low + high) / 2;

		if (chain->runs[mid].index <= index)
			low = mid + 1;
		else
			high = mid;
	}
	return low;
}

static void remove_run(struct fat_chain *chain, unsigned i)
{
	chain->count--;
	memmove(&chain->runs[i], &chain->runs[i + 1], (chain->count - i) * sizeof(*chain->runs));
}

/* The first and the last stay: walks begin there. */
static void thin(struct fat_chain *chain)
{
	uint32_t least = UINT32_MAX;
	unsigned victim = 1;

	for (unsigned i = 1; i + 1 < chain->count; i++) {
		const struct fat_run *before = &chain->runs[i - 1];
		uint32_t gap = chain->runs[i + 1].index - (before->index + before->count);

		if (gap < least) {
			least = gap;
			victim = i;
		}
	}
	remove_run(chain, victim);
}

static bool follows(const struct fat_run *a, const struct fat_run *b)
{
	return a->index + a->count == b->index && a->start + a->count == b->start;
}

/* For one run more: room for 4, then 8, 16 ... FAT_RUNS. */
static bool make_room(struct fat_chain *chain)
{
	unsigned room = chain->count ? 2u * chain->count : 4;
	struct fat_run *grown;

	if (chain->runs && (chain->count < 4 || (chain->count & (chain->count - 1))))
		return true;
	grown = realloc(chain->runs, (room < FAT_RUNS ? room : FAT_RUNS) * sizeof(*grown));
	if (grown)
		chain->runs = grown;
	return grown != NULL;
}

/* What is known already of its clusters agrees with @run. */
void fat_chain_learn(struct fat_chain *chain, const struct fat_run *run)
{
	unsigned i = runs_to(chain, run->index);
	struct fat_run *before = i ? &chain->runs[i - 1] : NULL;
	uint32_t end = run->index + run->count;

	if (before && before->index + before->count > run->index) {
		if (before->index + before->count < end)
			before->count = end - before->index;
	} else if (before && follows(before, run)) {
		before->count += run->count;
	} else {
		if (chain->count == FAT_RUNS) {
			thin(chain);
			i = runs_to(chain, run->index);
		}
		if (!make_room(chain))
			return;
		memmove(&chain->runs[i + 1], &chain->runs[i], (chain->count - i) * sizeof(*chain->runs));
		chain->runs[i++] = *run;
		chain->count++;
	}
	/* what follows it and is covered by it now, or continues it */
	before = &chain->runs[i - 1];
	while (i < chain->count && chain->runs[i].index < before->index + before->count) {
		end = chain->runs[i].index + chain->runs[i].count;
		if (end > before->index + before->count)
			before->count = end - before->index;
		remove_run(chain, i);
	}
	if (i < chain->count && follows(before, &chain->runs[i])) {
		before->count += chain->runs[i].count;
		remove_run(chain, i);
	}
}

/* Is a cluster of @run known to be elsewhere in the chain? */
static bool is_repeated(const struct fat_chain *chain, const struct fat_run *run)
{
	for (unsigned i = 0; i < chain->count; i++) {
		const struct fat_run *r = &chain->runs[i];

		if (run->start < r->start + r->count && r->start < run->start + run->count &&
		    run->start - run->index != r->start - r->index)
			return true;
	}
	return false;
}

static bool known_run(const struct fat_chain *chain, uint32_t index, uint32_t want, struct fat_run *out)
{
	unsigned i = runs_to(chain, index);
	const struct fat_run *r = i ? &chain->runs[i - 1] : NULL;
	uint32_t skip;

	if (!r || index - r->index >= r->count)
		return false;
	skip = index - r->index;
	*out = (struct fat_run){ index, r->start + skip, r->count - skip < want ? r->count - skip : want };
	return true;
}

/* ---- walking ----------------------------------------------------------------------------------------- */

struct walk {
	struct fuseblk_volume *vol;
	struct fuseblk_node *node;
	struct fat_cursor cur;
	struct fat_run run;		/* the last, as far as it was followed */
	uint32_t steps, power, mark;	/* as freed.c's: a loop shows within twice its length */
	bool ended;			/* nothing follows the run */
};

static int broken(struct walk *w, const char *what, uint32_t value)
{
	uint32_t last = w->run.start + w->run.count - 1;

	return fuseblk_corrupt(w->vol, fuseblk_ino(w->node), "the chain of clusters is broken: cluster %u leads to %s %#x",
			       last, what, value);
}

/* What is wrong with the link to @value; NULL: nothing. */
static const char *fault_of(struct walk *w, uint32_t value)
{
	const struct fat_geometry *geo = &fat_of(w->vol)->geo;

	if (value == FAT_FREE)
		return "a free entry,";
	if (!fat_is_cluster(geo, value))
		return value == FAT_BAD ? "a bad cluster," : "an impossible one,";
	if (value == w->mark || w->run.index + w->run.count >= geo->clusters)
		return "what came before, to";
	if (++w->steps == w->power) {
		w->power *= 2;
		w->mark = value;
	}
	return NULL;
}

/* Where to begin for cluster @index: in the last run known before it, or at the start. */
static int walk_begin(struct walk *w, struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t index)
{
	struct fat_node *n = fat_node(node);
	unsigned i;

	*w = (struct walk){ .vol = vol, .node = node, .power = 2 };
	pthread_mutex_lock(&n->chain_lock);
	i = runs_to(&n->chain, index);
	w->run = i ? n->chain.runs[i - 1] : (struct fat_run){ 0, n->chain.start, 1 };
	pthread_mutex_unlock(&n->chain_lock);
	w->mark = w->run.start + w->run.count - 1;
	if (!fat_is_cluster(&fat_of(vol)->geo, n->chain.start))
		return fuseblk_corrupt(vol, fuseblk_ino(node), "the first cluster is %#x, which the volume does not have",
				       n->chain.start);
	return 0;
}

/*
 * One cluster further: *value, which belongs to the run (1) or begins another
 * (0).  At the end ->ended is set.  @peek: nobody asked for what follows, and
 * a fault in it is for whoever does (1, the run as it was).
 */
static int step(struct walk *w, bool peek, uint32_t *value)
{
	uint32_t last = w->run.start + w->run.count - 1;
	int err = fat_cursor_get(fat_of(w->vol), &w->cur, last, value);
	const char *fault;

	if (err)
		return peek ? 1 : err;
	if (*value == FAT_EOC) {
		w->ended = true;
		return 0;
	}
	fault = fault_of(w, *value);
	if (fault)
		return peek ? 1 : broken(w, fault, *value);
	if (*value != last + 1)
		return 0;
	w->run.count++;
	return 1;
}

/* Follow the run to its end, or until it covers [.., @enough) and the next entry would cost a look into another block. */
static int finish_run(struct walk *w, uint64_t enough, uint32_t *value)
{
	const struct fat_geometry *geo = &fat_of(w->vol)->geo;
	uint32_t near = geo->sector_size * 8 / geo->bits, before;
	int r;

	do {
		bool peek = w->run.index + (uint64_t)w->run.count >= enough;

		if (peek && (w->run.start + w->run.count) % near == 0)
			return 1;
		before = w->run.count;
		r = step(w, peek, value);
	} while (r == 1 && w->run.count != before);
	return r;
}

static int note_run(struct walk *w)
{
	struct fat_node *n = fat_node(w->node);
	bool repeated;

	pthread_mutex_lock(&n->chain_lock);
	repeated = is_repeated(&n->chain, &w->run);
	if (!repeated)
		fat_chain_learn(&n->chain, &w->run);
	if (w->ended) {
		n->chain.clusters = w->run.index + w->run.count;
		n->chain.tail = w->run.start + w->run.count - 1;
	}
	pthread_mutex_unlock(&n->chain_lock);
	return repeated ? broken(w, "or lies in what came before, from", w->run.start) : 0;
}

/*
 * Walk until cluster @index is in w->run and the run covers [index, enough)
 * or ends.  0, 1: the chain ends before.
 */
static int walk_to(struct walk *w, uint32_t index, uint64_t enough)
{
	uint32_t value = 0;
	int r;

	for (;;) {
		r = finish_run(w, enough, &value);
		if (r >= 0)
			r = note_run(w) ? -EUCLEAN : r;
		if (r < 0)
			return r;
		if (index - w->run.index < w->run.count)
			return 0;
		if (w->ended)
			return 1;
		if (r == 0)
			w->run = (struct fat_run){ w->run.index + w->run.count, value, 1 };
		if (fuseblk_interrupted())
			return -EINTR;
	}
}

int fat_chain_find(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t index, uint32_t want,
		   struct fat_run *out)
{
	struct fat_node *n = fat_node(node);
	struct walk w;
	uint32_t skip;
	bool known, past;
	int r;

	pthread_mutex_lock(&n->chain_lock);
	known = known_run(&n->chain, index, want, out);
	past = index >= n->chain.clusters;
	pthread_mutex_unlock(&n->chain_lock);
	if (known || past)
		return known ? 0 : -ENOENT;
	r = walk_begin(&w, vol, node, index);
	if (!r)
		r = walk_to(&w, index, (uint64_t)index + want);
	fat_cursor_end(&w.cur);
	if (r)
		return r < 0 ? r : -ENOENT;
	skip = index - w.run.index;
	*out = (struct fat_run){ index, w.run.start + skip, w.run.count - skip < want ? w.run.count - skip : want };
	return 0;
}

int fat_chain_length(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t *clusters)
{
	struct fat_node *n = fat_node(node);
	struct fat_run last;
	int err = 0;

	pthread_mutex_lock(&n->chain_lock);
	*clusters = n->chain.clusters;
	pthread_mutex_unlock(&n->chain_lock);
	if (*clusters != UINT32_MAX)
		return 0;
	err = fat_chain_find(vol, node, UINT32_MAX - 1, 1, &last);
	if (err != -ENOENT)
		return err ? err : -EUCLEAN;
	pthread_mutex_lock(&n->chain_lock);
	*clusters = n->chain.clusters;
	pthread_mutex_unlock(&n->chain_lock);
	return 0;
}
