/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * readdir.c: listing a directory, from any position, without state between calls.
 *
 * A directory that has a hash tree, or gets one when it outgrows its only block,
 * is listed in the order of hashes, so that splits and the conversion do
 * not disturb a listing: position 0 is ".", 1 is "..", and a name's is its
 * hash (31 bits) and a second, keyed hash of it (32 bits), which tells names
 * of one hash apart.  Each call seeks its leaf and sorts just that; leaves that
 * share a hash are one group, of which a bounded number of names is taken at a
 * time.  Any other directory is listed by position in the file; entries do
 * not move in it.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "dir.h"

#define FIRST_KEY 3u		/* 0 to 2 are positions of "." and ".." */
#define HASH_LAST 0xfffffffcu
#define GROUP_MAX 8192u		/* names sorted at a time; more than a leaf can have */
#define AHEAD 4u

struct found {
	uint64_t key;
	uint32_t ino, name;		/* name: offset in the text */
	uint8_t len, type;
};

struct group {
	struct found *item;
	unsigned count, room;
	char *text;
	size_t used, text_room;
	uint64_t from, limit;		/* keys wanted: [from, limit) */
};

struct listing {
	struct e2_inode *dir;
	fuseblk_fill_fn fill;
	void *ctx;
	uint64_t at;			/* position */
	bool full;
};

static bool emit(struct listing *l, const char *name, size_t len, uint32_t ino, uint8_t type,
		 uint64_t next)
{
	l->full = !l->fill(l->ctx, name, len, ino, e2_dt_of_type(type), next);
	if (!l->full)
		l->at = next;
	return !l->full;
}

/* ---- a group of names ------------------------------------------------------------- */

static void group_init(struct group *g, uint64_t from)
{
	g->count = 0;
	g->used = 0;
	g->from = from;
	g->limit = UINT64_MAX;
}

static void group_fini(struct group *g)
{
	free(g->item);
	free(g->text);
}

static int by_key(const void *a, const void *b)
{
	const struct found *x = a, *y = b;

	return x->key < y->key ? -1 : x->key > y->key;
}

/* Keep the lower half of the names; the others are for the next round. */
static int group_cut(struct group *g)
{
	char *text = malloc(g->text_room);
	size_t used = 0;

	if (!text)
		return -ENOMEM;
	qsort(g->item, g->count, sizeof(*g->item), by_key);
	g->count /= 2;
	g->limit = g->item[g->count].key;
	for (unsigned i = 0; i < g->count; i++) {
		memcpy(text + used, g->text + g->item[i].name, g->item[i].len);
		g->item[i].name = (uint32_t)used;
		used += g->item[i].len;
	}
	free(g->text);
	g->text = text;
	g->used = used;
	return 0;
}

static int group_grow(struct group *g, size_t len)
{
	unsigned room = g->room ? 2 * g->room : 128;
	size_t text_room = g->text_room ? 2 * g->text_room : 4096;
	void *more;

	if (g->count == g->room) {
		more = realloc(g->item, room * sizeof(*g->item));
		if (!more)
			return -ENOMEM;
		g->item = more;
		g->room = room;
	}
	if (g->used + len > g->text_room) {
		more = realloc(g->text, text_room);
		if (!more)
			return -ENOMEM;
		g->text = more;
		g->text_room = text_room;
	}
	return 0;
}

static int group_add(struct group *g, const struct e2_dent *d, uint32_t hash)
{
	uint32_t order = e2_name_order(d->name, d->name_len);
	uint64_t key = (uint64_t)(hash >> 1) << 32 | (order < FIRST_KEY ? FIRST_KEY : order);
	int err;

	if (key < g->from || key >= g->limit)
		return 0;
	err = g->count == GROUP_MAX ? group_cut(g) : 0;
	if (!err)
		err = group_grow(g, d->name_len);
	if (err || key >= g->limit)
		return err;
	memcpy(g->text + g->used, d->name, d->name_len);
	g->item[g->count++] = (struct found){ key, d->ino, (uint32_t)g->used, d->name_len, d->type };
	g->used += d->name_len;
	return 0;
}

static bool is_dots(const struct e2_dent *d)
{
	return d->name_len <= 2 && !memcmp(d->name, "..", d->name_len);
}

/* The names of a leaf that is there for hashes [lo, hi]; one that does not belong there is listed at the border. */
static int group_add_leaf(struct e2_inode *dir, struct group *g, const uint8_t *block, uint64_t lblk,
			  unsigned version, uint32_t lo, uint32_t hi)
{
	uint32_t hash;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, block, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0) {
		if (!d.ino || is_dots(&d))
			continue;
		err = e2_name_hash(dir->sb, version, d.name, d.name_len, &hash);
		if (!err)
			err = group_add(g, &d, hash < lo ? lo : hash > hi ? hi : hash);
		if (err)
			return err;
	}
	return err;
}

/* Hand the names over in order; *@more: some were left for the next round. */
static void group_emit(struct listing *l, struct group *g, bool *more)
{
	if (g->count)
		qsort(g->item, g->count, sizeof(*g->item), by_key);
	for (unsigned i = 0; i < g->count; i++) {
		const struct found *f = &g->item[i];

		if (!emit(l, g->text + f->name, f->len, f->ino, f->type, f->key + 1))
			return;
	}
	*more = g->limit != UINT64_MAX;
	if (*more && l->at < g->limit)
		l->at = g->limit;
}

/* ---- in the order of hashes ---------------------------------------------------------- */

static int list_dots(struct listing *l)
{
	struct e2_slot slot;
	int err;

	if (l->at == 0 && !emit(l, ".", 1, l->dir->ino, E2_FT_DIR, 1))
		return 0;
	if (l->at > 1)
		return 0;
	err = e2_dir_dotdot(l->dir, &slot);
	if (err)
		return err;
	e2_slot_put(&slot);
	emit(l, "..", 2, slot.ino, E2_FT_DIR, 2);
	return 0;
}

static uint32_t hash_of(uint64_t at)
{
	return (uint32_t)(at >> 32) << 1;
}

static uint64_t position_of(uint32_t start)
{
	return (uint64_t)(start >> 1) << 32;
}

/* The next leaves will be wanted soon. */
static void read_ahead(struct e2_inode *dir, const struct e2_dx *dx)
{
	const struct e2_dx_frame *f = &dx->frame[dx->levels];
	uint64_t lblk, pblk;

	for (unsigned i = f->at + 1; i < f->count && i <= f->at + AHEAD; i++) {
		lblk = e2_dx_block(f->buf->data, f->base, i);
		if (lblk < e2_dir_blocks(dir) && !e2_map_block(dir, lblk, &pblk) && pblk &&
		    e2_block_is_data(dir->sb, pblk, 1))
			fuseblk_buf_prefetch(dir->sb->vol, pblk, 1);
	}
}

/* Add the leaf @dx stands at. */
static int add_leaf(struct e2_inode *dir, struct e2_dx *dx, struct group *g)
{
	uint32_t next = e2_dx_peek(dx), lo = e2_dx_start(dx) & ~1u;
	uint32_t hi = next == E2_DX_EOF ? HASH_LAST : next & 1 ? next & ~1u : next - 2;
	uint64_t lblk = e2_dx_leaf(dx);
	struct fuseblk_buf *buf;
	int err = e2_dirblock_get(dir, lblk, false, &buf);

	if (err)
		return err;
	err = group_add_leaf(dir, g, buf->data, lblk, dx->version, lo, hi < lo ? lo : hi);
	fuseblk_buf_put(buf);
	return err;
}

/* The leaf @dx stands at and those that share hashes with it; *@next: where the one after begins. */
static int add_group(struct e2_inode *dir, struct e2_dx *dx, struct group *g, uint32_t *next)
{
	uint32_t start;
	int err;

	for (;;) {
		err = add_leaf(dir, dx, g);
		*next = e2_dx_peek(dx);
		if (err || *next == E2_DX_EOF || !(*next & 1))
			return err;
		if (fuseblk_interrupted())
			return -EINTR;
		err = e2_dx_next(dir, dx, &start);
		if (err <= 0)
			return err;
	}
}

static int list_tree(struct listing *l, struct group *g)
{
	uint32_t next = 0;
	bool more = false;
	struct e2_dx dx;
	int err = e2_dx_open(l->dir, &dx);

	while (!err && !l->full && next != E2_DX_EOF) {
		err = e2_dx_seek(l->dir, &dx, hash_of(l->at));
		if (err)
			break;
		read_ahead(l->dir, &dx);
		group_init(g, l->at);
		err = add_group(l->dir, &dx, g, &next);
		if (err)
			break;
		more = false;
		group_emit(l, g, &more);
		if (more)
			next = 0;
		else if (!l->full && next != E2_DX_EOF && l->at < position_of(next))
			l->at = position_of(next);
		else if (!l->full && next != E2_DX_EOF)
			err = e2_corrupt(l->dir->sb, l->dir->ino, "hash tree is out of order");
	}
	e2_dx_close(&dx);
	return err;
}

static int list_only_block(struct listing *l, struct group *g)
{
	struct e2_inode *dir = l->dir;
	unsigned version = dir->sb->def_hash_version % 3 + (dir->sb->hash_unsigned ? 3u : 0);
	struct fuseblk_buf *buf = NULL;
	uint8_t *image = NULL;
	bool more;
	int err;

	err = e2_dir_is_inline(dir) ? e2_inline_dir_image(dir, &image)
				    : e2_dirblock_get(dir, 0, false, &buf);
	if (err)
		return err;
	group_init(g, l->at);
	err = group_add_leaf(dir, g, image ? image : buf->data, 0, version, 0, HASH_LAST);
	if (!err)
		group_emit(l, g, &more);
	fuseblk_buf_put(buf);
	free(image);
	return err;
}

static int list_by_hash(struct listing *l)
{
	struct group g = { .item = NULL };
	int err = list_dots(l);

	if (err || l->full)
		return err;
	err = e2_dir_is_indexed(l->dir) && !e2_dir_is_inline(l->dir) ? list_tree(l, &g)
								     : list_only_block(l, &g);
	group_fini(&g);
	return err;
}

/* ---- in the order of the file ---------------------------------------------------------- */

static int list_block(struct e2_inode *dir, struct fuseblk_buf *buf, uint64_t lblk, void *arg)
{
	struct listing *l = arg;
	uint64_t base = lblk << dir->sb->block_bits;
	struct e2_walk w;
	struct e2_dent d;
	int err;

	e2_walk_init(&w, dir, buf->data, lblk);
	while ((err = e2_walk_next(&w, &d)) > 0)
		if (d.ino && base + d.off >= l->at &&
		    !emit(l, d.name, d.name_len, d.ino, d.type, base + d.off + d.rec_len))
			return 1;
	return err;
}

static int list_by_position(struct listing *l)
{
	struct fuseblk_buf image = { 0 };
	int err;

	if (!e2_dir_is_inline(l->dir)) {
		err = e2_dir_each_leaf(l->dir, l->at >> l->dir->sb->block_bits, list_block, l);
	} else {
		err = e2_inline_dir_image(l->dir, &image.data);
		if (!err)
			err = list_block(l->dir, &image, 0, l);
		free(image.data);
	}
	return err < 0 ? err : 0;
}

/* With a tree, or about to get one. */
static bool is_hashed(const struct e2_inode *dir)
{
	const struct e2_super *sb = dir->sb;

	if (!e2_has_compat(sb, E2_COMPAT_DIR_INDEX))
		return false;
	if (e2_dir_is_inline(dir))
		return e2_hash_is_known(sb->def_hash_version);
	return e2_dir_is_indexed(dir) ||
	       (e2_dir_blocks(dir) == 1 && e2_hash_is_known(sb->def_hash_version));
}

int e2_readdir(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t cookie,
	       fuseblk_fill_fn fill, void *ctx)
{
	struct e2_inode *dir = e2_i(node);
	struct listing l = { .dir = dir, .fill = fill, .ctx = ctx, .at = cookie };

	(void)vol;
	if (!S_ISDIR(dir->mode))
		return -ENOTDIR;
	if (!e2_dir_is_inline(dir) &&
	    (!e2_dir_blocks(dir) || e2_dir_blocks(dir) > dir->sb->blocks_count))
		return e2_corrupt(dir->sb, dir->ino, "directory of %llu bytes",
				  (unsigned long long)dir->size);
	return is_hashed(dir) ? list_by_hash(&l) : list_by_position(&l);
}
