// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * model_ext2.c: the workload and the model of what it made.
 *
 * The model knows every name and the content of every file, so that each
 * sync turns the whole tree into promises; an operation ends the promises of
 * what it touches before it is sent.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <cmocka.h>

#include "ext2.h"
#include "device.h"
#include "fakekernel.h"

#define MAX_INODES	400
#define MAX_NAMES	400
#define MAX_SIZE	30000

struct inode {
	bool used, is_dir;
	uint64_t nodeid, size;
	uint8_t bytes[MAX_SIZE];
	unsigned links;
};

struct name {
	bool used;
	int dir, inode;
	char text[60];
};

static struct inode inodes[MAX_INODES];
static struct name names[MAX_NAMES];
static struct promises promises;

static void path_of(const struct name *n, char *out, size_t size)
{
	char below[160] = "", next[400];

	for (;;) {
		int parent = -1;

		snprintf(next, sizeof(next), "/%s%s", n->text, below);
		snprintf(below, sizeof(below), "%.*s", (int)sizeof(below) - 1, next);
		if (n->dir == 0)
			break;
		for (int i = 0; i < MAX_NAMES; i++)
			if (names[i].used && names[i].inode == n->dir)
				parent = i;
		if (parent < 0)
			break;
		n = &names[parent];
	}
	snprintf(out, size, "%s", below);
}

static size_t now(struct crash *w)
{
	return fb_write_log_count(w->log);
}

static void touch_inode(struct crash *w, int inode)
{
	for (size_t i = 0; i < promises.count; i++) {
		struct promise *p = &promises.list[i];

		if (p->until == FOREVER && (p->inode == inode || p->other_inode == inode))
			p->until = now(w);
	}
}

/* The inode is gone and its number may be used again: what it held changes no more. */
static void inode_gone(int inode)
{
	for (size_t i = 0; i < promises.count; i++) {
		struct promise *p = &promises.list[i];

		if (p->inode == inode)
			p->inode = -1;
		if (p->other_inode == inode)
			p->other_inode = -1;
	}
}

/* The path and what lies below it. */
static void touch_path(struct crash *w, const char *path)
{
	size_t len = strlen(path);

	for (size_t i = 0; i < promises.count; i++) {
		struct promise *p = &promises.list[i];

		if (p->until == FOREVER && !strncmp(p->path, path, len) &&
		    (!p->path[len] || p->path[len] == '/'))
			p->until = now(w);
	}
}

static void touch_name(struct crash *w, const struct name *n)
{
	char path[160];

	path_of(n, path, sizeof(path));
	touch_path(w, path);
}

static struct promise *promise_new(void)
{
	struct promises *ps = &promises;

	if (ps->count == ps->cap) {
		ps->cap = ps->cap ? 2 * ps->cap : 256;
		ps->list = realloc(ps->list, ps->cap * sizeof(*ps->list));
		assert_non_null(ps->list);
	}
	memset(&ps->list[ps->count], 0, sizeof(*ps->list));
	return &ps->list[ps->count++];
}

/* Everything was synced: all of the tree is promised from here on. */
static void promise_all(struct crash *w)
{
	for (size_t i = 0; i < promises.count; i++)
		if (promises.list[i].until == FOREVER)
			promises.list[i].until = now(w) - 1;
	for (int i = 0; i < MAX_NAMES; i++) {
		struct promise *p;

		if (!names[i].used)
			continue;
		p = promise_new();
		path_of(&names[i], p->path, sizeof(p->path));
		p->is_dir = inodes[names[i].inode].is_dir;
		p->size = inodes[names[i].inode].size;
		p->digest = digest(inodes[names[i].inode].bytes, p->size);
		p->from = now(w);
		p->until = FOREVER;
		p->inode = names[i].inode;
		p->other_inode = -1;
	}
}

static int free_inode(void)
{
	for (int i = 1; i < MAX_INODES; i++)
		if (!inodes[i].used)
			return i;
	return -1;
}

static struct name *free_name(void)
{
	for (int i = 0; i < MAX_NAMES; i++)
		if (!names[i].used)
			return &names[i];
	return NULL;
}

static struct name *pick_name(int want_dir)
{
	for (int tries = 0; tries < 60; tries++) {
		struct name *n = &names[roll() % MAX_NAMES];

		if (n->used && (want_dir < 0 || inodes[n->inode].is_dir == want_dir))
			return n;
	}
	return NULL;
}

static int pick_dir(void)
{
	struct name *n = roll() % 3 ? pick_name(1) : NULL;

	return n ? n->inode : 0;
}

static struct name *find_name(int dir, const char *text)
{
	for (int i = 0; i < MAX_NAMES; i++)
		if (names[i].used && names[i].dir == dir && !strcmp(names[i].text, text))
			return &names[i];
	return NULL;
}

static void random_text(char *out, size_t size)
{
	static const char pad[] = "-a-name-of-some-length-to-fill-blocks";

	snprintf(out, size, "n%u%.*s", roll() % 60, (int)(roll() % 3 ? roll() % 10 : roll() % 36), pad);
}

static bool dir_has_names(int dir)
{
	for (int i = 0; i < MAX_NAMES; i++)
		if (names[i].used && names[i].dir == dir)
			return true;
	return false;
}

static void add_name(struct name *n, int dir, const char *text, int inode)
{
	*n = (struct name){ .used = true, .dir = dir, .inode = inode };
	snprintf(n->text, sizeof(n->text), "%s", text);
	inodes[inode].links++;
}

static void drop_link(struct crash *w, int inode)
{
	if (--inodes[inode].links)
		return;
	fk_forget(w->fk, inodes[inode].nodeid, fk_lookups(w->fk, inodes[inode].nodeid));
	inodes[inode].used = false;
	inode_gone(inode);
}

static void do_make(struct crash *w)
{
	int inode = free_inode(), dir = pick_dir();
	struct name *n = free_name();
	struct fuse_entry_out e;
	char text[60];
	bool is_dir = roll() % 4 == 0;

	random_text(text, sizeof(text));
	if (inode < 0 || !n || find_name(dir, text))
		return;
	if ((is_dir ? fk_mkdir(w->fk, inodes[dir].nodeid, text, 0755, &e)
		    : fk_create(w->fk, inodes[dir].nodeid, text, 0644, O_RDWR, &e, NULL)))
		return;
	inodes[inode] = (struct inode){ .used = true, .is_dir = is_dir, .nodeid = e.nodeid };
	add_name(n, dir, text, inode);
}

static void do_write(struct crash *w)
{
	struct name *n = pick_name(0);
	uint64_t off, len;
	struct inode *in;

	if (!n)
		return;
	in = &inodes[n->inode];
	off = roll() % 3 ? in->size : roll() % MAX_SIZE;
	len = 1 + roll() % 6000;
	if (off + len > MAX_SIZE)
		return;
	touch_inode(w, n->inode);
	if (off > in->size)
		memset(in->bytes + in->size, 0, off - in->size);
	for (uint64_t i = 0; i < len; i++)
		in->bytes[off + i] = (uint8_t)(roll() >> 5);
	if (fk_write(w->fk, in->nodeid, off, in->bytes + off, (uint32_t)len, 0) != (ssize_t)len)
		fail_msg("write failed");
	if (off + len > in->size)
		in->size = off + len;
}

static void do_truncate(struct crash *w)
{
	struct name *n = pick_name(0);
	uint64_t size;
	struct inode *in;

	if (!n)
		return;
	in = &inodes[n->inode];
	size = roll() % 3 ? (in->size ? roll() % in->size : 0) : 0;
	touch_inode(w, n->inode);
	assert_int_equal(fk_truncate(w->fk, in->nodeid, size), 0);
	in->size = size;
}

static void do_link(struct crash *w)
{
	struct name *n = pick_name(0), *to = free_name();
	struct fuse_entry_out e;
	int dir = pick_dir();
	char text[60];

	random_text(text, sizeof(text));
	if (!n || !to || find_name(dir, text))
		return;
	if (fk_link(w->fk, inodes[n->inode].nodeid, inodes[dir].nodeid, text, &e))
		return;
	add_name(to, dir, text, n->inode);
}

static void do_remove(struct crash *w)
{
	struct name *n = pick_name(-1);
	bool is_dir;
	int err;

	if (!n)
		return;
	is_dir = inodes[n->inode].is_dir;
	if (is_dir && dir_has_names(n->inode))
		return;
	touch_name(w, n);
	err = is_dir ? fk_rmdir(w->fk, inodes[n->dir].nodeid, n->text)
		     : fk_unlink(w->fk, inodes[n->dir].nodeid, n->text);
	assert_int_equal(err, 0);
	n->used = false;
	drop_link(w, n->inode);
}

static bool is_below(int dir, int ancestor)
{
	while (dir != ancestor && dir) {
		int up = 0;

		for (int i = 0; i < MAX_NAMES; i++)
			if (names[i].used && names[i].inode == dir)
				up = names[i].dir;
		dir = up;
	}
	return dir == ancestor;
}

/* A name replaced leads to the old file or the new one, at every instant. */
static void offer_either(struct crash *w, const struct name *target, int other)
{
	const struct inode *in = &inodes[other];
	char path[160];

	path_of(target, path, sizeof(path));
	for (size_t i = 0; i < promises.count; i++) {
		struct promise *p = &promises.list[i], *q;
		size_t from = p->from;

		if (p->until != FOREVER || strcmp(p->path, path) || p->is_dir)
			continue;
		p->until = now(w);
		if (p->has_other)
			continue;
		q = promise_new();
		*q = promises.list[i];
		q->from = from > now(w) ? from : now(w);
		q->until = FOREVER;
		q->has_other = true;
		q->other_inode = other;
		q->other_size = in->size;
		q->other_digest = digest(in->bytes, in->size);
		return;
	}
}

static void do_rename(struct crash *w)
{
	struct name *n = pick_name(-1), *over = roll() % 2 ? pick_name(0) : NULL;
	int dir = pick_dir(), inode, old;
	char text[60];
	bool is_dir;

	random_text(text, sizeof(text));
	if (!n)
		return;
	inode = n->inode;
	is_dir = inodes[inode].is_dir;
	if (is_dir)
		over = NULL;
	if (over) {
		dir = over->dir;
		snprintf(text, sizeof(text), "%s", over->text);
	} else if (find_name(dir, text)) {
		return;
	}
	if (is_dir && (!w->move_dirs || is_below(dir, inode)))
		return;
	if (over && (over == n || over->inode == inode))
		return;
	touch_name(w, n);
	if (over)
		offer_either(w, over, inode);
	assert_int_equal(fk_rename(w->fk, inodes[n->dir].nodeid, n->text, inodes[dir].nodeid, text), 0);
	if (over) {
		old = over->inode;
		over->inode = inode;
		inodes[inode].links++;
		n->used = false;
		inodes[inode].links--;
		drop_link(w, old);
	} else {
		n->dir = dir;
		snprintf(n->text, sizeof(n->text), "%s", text);
	}
}

static void do_many(struct crash *w)
{
	int dir = pick_dir();

	for (unsigned i = 0; i < 25; i++) {
		int inode = free_inode();
		struct name *n = free_name();
		struct fuse_entry_out e;
		char text[60];

		snprintf(text, sizeof(text), "many-%u-%u", roll() % 1000, i);
		if (inode < 0 || !n || find_name(dir, text) ||
		    fk_create(w->fk, inodes[dir].nodeid, text, 0644, O_RDWR, &e, NULL))
			return;
		inodes[inode] = (struct inode){ .used = true, .nodeid = e.nodeid };
		add_name(n, dir, text, inode);
	}
}

static void do_sync(struct crash *w)
{
	assert_int_equal(roll() % 2 ? fk_syncfs(w->fk) : fk_fsync(w->fk, 1, false), 0);
	promise_all(w);
}

void ext2_workload(struct crash *w)
{
	static void (*const ops[])(struct crash *) = {
		do_make, do_make, do_make, do_write, do_write, do_write, do_truncate, do_link, do_remove,
		do_remove, do_rename, do_rename, do_rename, do_make, do_write,
	};

	memset(inodes, 0, sizeof(inodes));
	memset(names, 0, sizeof(names));
	inodes[0] = (struct inode){ .used = true, .is_dir = true, .nodeid = 1, .links = 2 };
	for (unsigned i = 0; i < w->steps; i++) {
		unsigned r = roll() % 100;

		if (r < 4)
			do_sync(w);
		else if (r < 7)
			do_many(w);
		else
			ops[roll() % (sizeof(ops) / sizeof(ops[0]))](w);
	}
	do_sync(w);
	w->promises = promises.count;
}

const struct promises *ext2_promises(void)
{
	return &promises;
}
