// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * node.c: active nodes and lookup counts.
 *
 * An active node exists while a request uses its inode, and for a while after
 * (a few thousand, oldest first out).  One whose last change is not durable
 * stays: its private part may say what must not be reused yet.  A node is
 * loaded outside the table's lock, with others waiting for it; it is freed
 * outside the lock too, when nothing can find it any more.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "node_table.h"
#include "volume.h"
#include "worker.h"

#define LRU_MOST	4096u
#define PINNED_MOST	8192u		/* nodes over LRU_MOST that make a commit due */
#define SCAN		8u		/* nodes looked at for one to unload, at a time */
#define ROOT_NODEID	1u

uint64_t fb_ino_of_nodeid(const struct fuseblk_volume *vol, uint64_t nodeid)
{
	if (nodeid == ROOT_NODEID)
		return vol->info.root_ino;
	return nodeid == vol->info.root_ino ? ROOT_NODEID : nodeid;
}

uint64_t fb_nodeid_of_ino(const struct fuseblk_volume *vol, uint64_t ino)
{
	return fb_ino_of_nodeid(vol, ino);	/* a swap is its own inverse */
}

/* ---- the table ------------------------------------------------------ */

int fb_node_table_new(struct fuseblk_volume *vol, struct fb_node_table **out)
{
	struct fb_node_table *t = calloc(1, sizeof(*t));

	if (!t)
		return -ENOMEM;
	if (fb_records_init(&t->records)) {
		free(t);
		return -ENOMEM;
	}
	t->vol = vol;
	pthread_mutex_init(&t->lock, NULL);
	pthread_cond_init(&t->loaded, NULL);
	*out = t;
	return 0;
}

static struct fuseblk_node **chain(struct fb_node_table *t, uint64_t ino)
{
	return &t->active[(ino * 0x9e3779b97f4a7c15u) >> 52];
}

struct fuseblk_node *fb_node_find_active(struct fb_node_table *t, uint64_t ino)
{
	struct fuseblk_node *node = *chain(t, ino);

	while (node && node->ino != ino)
		node = node->next;
	return node;
}

void fb_node_unhash(struct fb_node_table *t, struct fuseblk_node *node)
{
	struct fuseblk_node **link = chain(t, node->ino);

	while (*link && *link != node)
		link = &(*link)->next;
	if (!*link)
		return;
	*link = node->next;
	t->active_count--;
}

static void lru_remove(struct fb_node_table *t, struct fuseblk_node *node)
{
	if (!node->listed)
		return;
	*(node->lru_prev ? &node->lru_prev->lru_next : &t->oldest) = node->lru_next;
	*(node->lru_next ? &node->lru_next->lru_prev : &t->newest) = node->lru_prev;
	node->listed = false;
	t->lru_count--;
}

static void lru_append(struct fb_node_table *t, struct fuseblk_node *node)
{
	node->lru_next = NULL;
	node->lru_prev = t->newest;
	*(t->newest ? &t->newest->lru_next : &t->oldest) = node;
	t->newest = node;
	node->listed = true;
	t->lru_count++;
}

/* ---- one node ------------------------------------------------------- */

static struct fuseblk_node *node_new(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fuseblk_node *node;
	pthread_rwlockattr_t attr;

	node = calloc(1, sizeof(*node) + vol->driver->node_size);
	if (!node)
		return NULL;
	node->ino = ino;
	node->vol = vol;
	node->refs = 1;
	node->loading = true;
	pthread_rwlockattr_init(&attr);
	pthread_rwlockattr_setkind_np(&attr, PTHREAD_RWLOCK_PREFER_WRITER_NONRECURSIVE_NP);
	pthread_rwlock_init(&node->lock, &attr);
	pthread_rwlockattr_destroy(&attr);
	return node;
}

/* The node can be found by nobody. */
static void node_free(struct fuseblk_node *node)
{
	if (!node)
		return;
	if (!node->load_error && !node->loading && node->vol->ops->unload)
		node->vol->ops->unload(node->vol, node);
	pthread_rwlock_destroy(&node->lock);
	free(node);
}

uint64_t fb_node_changed_epoch(const struct fuseblk_node *node)
{
	return __atomic_load_n(&node->mtime_epoch, __ATOMIC_RELAXED);
}

void fuseblk_node_changed(struct fuseblk_node *node)
{
	if (node->vol->cache)
		__atomic_store_n(&node->mtime_epoch, fb_cache_epoch(node->vol->cache),
				 __ATOMIC_RELAXED);
}

static bool is_pinned(const struct fuseblk_node *node)
{
	uint64_t epoch = fb_node_changed_epoch(node);

	return epoch && epoch > fb_cache_durable_epoch(node->vol->cache);
}

/*
 * Under the lock: an old node that may be unloaded, taken out of the table; or
 * NULL.  Where all that were looked at wait for their epoch, the next look is
 * due when it is durable, or another node has been added.
 */
static struct fuseblk_node *take_victim(struct fb_node_table *t)
{
	uint64_t durable = t->vol->cache ? fb_cache_durable_epoch(t->vol->cache) : 0;

	if (t->lru_count <= LRU_MOST || (t->vain_epoch == durable && t->lru_count <= t->vain_count))
		return NULL;
	for (unsigned i = 0; i < SCAN; i++) {
		struct fuseblk_node *node = t->oldest;

		lru_remove(t, node);
		if (!is_pinned(node)) {
			fb_node_unhash(t, node);
			t->vain_count = 0;
			return node;
		}
		lru_append(t, node);
	}
	t->vain_epoch = durable;
	t->vain_count = t->lru_count;
	if (t->lru_count > LRU_MOST + PINNED_MOST)
		atomic_store(&t->commit_due, true);
	return NULL;
}

/* ---- get and put ---------------------------------------------------- */

/* Under the lock, with a reference: wait until the node is loaded. */
static int wait_loaded(struct fb_node_table *t, struct fuseblk_node *node)
{
	if (!node->loading)
		return node->load_error;
	fb_block_begin();
	while (node->loading)
		pthread_cond_wait(&t->loaded, &t->lock);
	fb_block_end();
	return node->load_error;
}

static int load(struct fb_node_table *t, struct fuseblk_node *node)
{
	int err = t->vol->ops->load(t->vol, node);

	pthread_mutex_lock(&t->lock);
	node->loading = false;
	node->load_error = err;
	if (err) {
		node->dead = true;
		fb_node_unhash(t, node);
	}
	pthread_cond_broadcast(&t->loaded);
	pthread_mutex_unlock(&t->lock);
	return err;
}

/* Under the lock: may a request from the kernel name @ino? */
static bool is_known(struct fb_node_table *t, uint64_t ino)
{
	struct fb_record *rec;

	if (ino == t->vol->info.root_ino)
		return true;
	rec = fb_records_find(&t->records, ino);
	return rec && rec->lookup;
}

/* Under the lock: the active node with one more reference, or NULL. */
static struct fuseblk_node *grab(struct fb_node_table *t, uint64_t ino)
{
	struct fuseblk_node *node = fb_node_find_active(t, ino);

	if (!node)
		return NULL;
	if (node->refs++ == 0)
		lru_remove(t, node);
	return node;
}

static int get(struct fb_node_table *t, uint64_t ino, bool only_known, struct fuseblk_node **out)
{
	struct fuseblk_node *node, *fresh = NULL;
	int err = 0;

	pthread_mutex_lock(&t->lock);
	if (only_known && !is_known(t, ino)) {
		pthread_mutex_unlock(&t->lock);
		return -ESTALE;
	}
	node = grab(t, ino);
	if (!node) {
		pthread_mutex_unlock(&t->lock);
		fresh = node_new(t->vol, ino);
		if (!fresh)
			return -ENOMEM;
		pthread_mutex_lock(&t->lock);
		/* In between another may have loaded it, or the kernel may have forgotten it. */
		if (only_known && !is_known(t, ino))
			err = -ESTALE;
		else
			node = grab(t, ino);
		if (!err && !node) {
			fresh->next = *chain(t, ino);
			*chain(t, ino) = fresh;
			t->active_count++;
			pthread_mutex_unlock(&t->lock);
			err = load(t, fresh);
			*out = fresh;
			if (err)
				fb_node_put(fresh);
			return err;
		}
	}
	if (!err)
		err = wait_loaded(t, node);
	pthread_mutex_unlock(&t->lock);
	node_free(fresh);
	if (!err)
		*out = node;
	else if (node)
		fb_node_put(node);
	return err;
}

int fb_node_get(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out)
{
	return get(vol->nodes, ino, false, out);
}

int fb_node_get_known(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out)
{
	return get(vol->nodes, ino, true, out);
}

/* Under the lock: note that @ino may have to be freed, for fb_node_reap(). */
static void want_reap(struct fb_node_table *t, uint64_t ino)
{
	struct fb_record *rec = fb_records_find(&t->records, ino);

	if (!rec || rec->lookup || rec->flags != FB_RECORD_UNLINKED)
		return;
	if (t->reap_count == t->reap_room) {
		unsigned room = t->reap_room ? t->reap_room * 2 : 64;
		uint64_t *bigger = realloc(t->reap, room * sizeof(*bigger));

		if (!bigger)
			return;		/* freed at the end, by fb_node_forget_all() */
		t->reap = bigger;
		t->reap_room = room;
	}
	t->reap[t->reap_count++] = ino;
	atomic_store(&t->reap_due, true);
}

void fb_node_put(struct fuseblk_node *node)
{
	struct fuseblk_node *victim = NULL;
	struct fb_node_table *t;

	if (!node)
		return;
	t = node->vol->nodes;
	pthread_mutex_lock(&t->lock);
	if (--node->refs == 0) {
		if (node->dead) {
			victim = node;
		} else {
			lru_append(t, node);
			want_reap(t, node->ino);
			victim = take_victim(t);
		}
	}
	pthread_mutex_unlock(&t->lock);
	node_free(victim);
}

void fb_node_table_free(struct fb_node_table *t)
{
	if (!t)
		return;
	for (unsigned i = 0; i < FB_ACTIVE_BUCKETS; i++) {
		while (t->active[i]) {
			struct fuseblk_node *node = t->active[i];

			t->active[i] = node->next;
			node_free(node);
		}
	}
	fb_records_fini(&t->records);
	pthread_mutex_destroy(&t->lock);
	pthread_cond_destroy(&t->loaded);
	free(t->reap);
	free(t);
}

/* ---- lookup counts -------------------------------------------------- */

int fb_node_lookup_inc(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;
	int err = 0;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec && (rec->flags & FB_RECORD_FREEING))
		err = -ESTALE;
	else if (rec && rec->lookup == FB_RECORD_MOST_LOOKUPS)
		err = -EOVERFLOW;
	else if (!rec && !(rec = fb_records_add(&t->records, ino)))
		err = -ENOMEM;
	if (!err)
		rec->lookup++;
	pthread_mutex_unlock(&t->lock);
	return err;
}

bool fb_node_lookup_dec(struct fuseblk_volume *vol, uint64_t ino, uint64_t n)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;
	bool zero = true, cut = false;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec) {
		cut = n > rec->lookup;
		rec->lookup -= cut ? rec->lookup : n;
		zero = rec->lookup == 0;
		if (zero)
			rec->exact = rec->odd = rec->opens = 0;
		if (zero && !rec->flags)
			fb_records_remove(&t->records, ino);
	}
	pthread_mutex_unlock(&t->lock);
	if (cut)
		fuseblk_log(vol, FUSEBLK_WARNING,
			    "the kernel forgot inode %llu more often than it looked it up",
			    (unsigned long long)ino);
	return zero;
}

uint64_t fb_node_lookup_count(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;
	uint64_t n;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	n = rec ? rec->lookup : 0;
	pthread_mutex_unlock(&t->lock);
	return n;
}

bool fuseblk_is_referenced(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fuseblk_node *node;
	bool yes;

	pthread_mutex_lock(&t->lock);
	node = fb_node_find_active(t, ino);
	yes = is_known(t, ino) || (node && node->refs);
	pthread_mutex_unlock(&t->lock);
	return yes;
}

void fb_node_set_unlinked(struct fuseblk_volume *vol, uint64_t ino, bool unlinked)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (!rec && unlinked)
		rec = fb_records_add(&t->records, ino);
	if (rec && unlinked) {
		rec->flags |= FB_RECORD_UNLINKED;
	} else if (rec) {
		rec->flags &= ~FB_RECORD_UNLINKED;
		if (!rec->flags && !rec->lookup)
			fb_records_remove(&t->records, ino);
	}
	pthread_mutex_unlock(&t->lock);
}

void fb_node_writer_add(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec && rec->writers < UINT16_MAX)
		rec->writers++;
	pthread_mutex_unlock(&t->lock);
}

void fb_node_writer_remove(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	struct fb_record *rec;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	if (rec && rec->writers && rec->writers < UINT16_MAX)
		rec->writers--;
	pthread_mutex_unlock(&t->lock);
}

bool fb_node_has_writers(struct fuseblk_volume *vol, uint64_t ino)
{
	struct fb_node_table *t = vol->nodes;
	const struct fb_record *rec;
	bool has;

	pthread_mutex_lock(&t->lock);
	rec = fb_records_find(&t->records, ino);
	has = rec && rec->writers;
	pthread_mutex_unlock(&t->lock);
	return has;
}

int fb_node_getattr(struct fuseblk_node *node, struct fuseblk_attr *attr)
{
	int err = fb_node_rdlock(node);

	if (err)
		return err;
	err = node->vol->ops->getattr(node->vol, node, attr);
	fb_node_unlock(node);
	return err;
}

int fb_node_type(struct fuseblk_node *node, uint32_t *type)
{
	struct fuseblk_attr attr;
	int err;

	*type = atomic_load_explicit(&node->type, memory_order_relaxed);
	if (*type)
		return 0;
	err = fb_node_getattr(node, &attr);
	if (err)
		return err;
	*type = attr.mode & S_IFMT;
	atomic_store_explicit(&node->type, *type, memory_order_relaxed);
	return 0;
}

/* ---- for drivers ---------------------------------------------------- */

uint64_t fuseblk_ino(const struct fuseblk_node *node)
{
	return node->ino;
}

void *fuseblk_node_data(struct fuseblk_node *node)
{
	return node->data;
}

int fuseblk_node_get(struct fuseblk_volume *vol, uint64_t ino, struct fuseblk_node **out)
{
	return fb_node_get(vol, ino, out);
}

void fuseblk_node_put(struct fuseblk_node *node)
{
	fb_node_put(node);
}

void fb_node_get_stats(struct fuseblk_volume *vol, struct fb_node_stats *out)
{
	struct fb_node_table *t = vol->nodes;

	pthread_mutex_lock(&t->lock);
	out->records = t->records.count;
	out->active = t->active_count;
	out->bytes = sizeof(*t) + fb_records_bytes(&t->records) +
		     t->active_count * (sizeof(struct fuseblk_node) + vol->driver->node_size);
	pthread_mutex_unlock(&t->lock);
}
