// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * dir_handle.c: the table of open directories.  A handle lives until it is
 * closed and no request uses it; a peer that closes it twice, or uses it
 * after, is told so.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include "dir_handle.h"

void fb_dir_handles_init(struct fb_dir_handles *t)
{
	*t = (struct fb_dir_handles){ 0 };
	pthread_mutex_init(&t->lock, NULL);
}

static void free_handle(struct fb_dir_handle *h)
{
	pthread_mutex_destroy(&h->lock);
	free(h);
}

void fb_dir_handles_fini(struct fb_dir_handles *t)
{
	for (uint32_t i = 0; i < t->room; i++)
		if (t->slots[i])
			free_handle(t->slots[i]);
	free(t->slots);
	pthread_mutex_destroy(&t->lock);
}

/* Under the lock: an empty slot. */
static int find_slot(struct fb_dir_handles *t, uint32_t *slot)
{
	struct fb_dir_handle **bigger;
	uint32_t room;

	while (t->hint < t->room && t->slots[t->hint])
		t->hint++;
	*slot = t->hint;
	if (t->hint < t->room)
		return 0;
	room = t->room ? t->room * 2 : 16;
	bigger = room > t->room ? realloc(t->slots, room * sizeof(*bigger)) : NULL;
	if (!bigger)
		return -ENOMEM;
	memset(bigger + t->room, 0, (room - t->room) * sizeof(*bigger));
	t->slots = bigger;
	t->room = room;
	return 0;
}

int fb_dir_handle_open(struct fb_dir_handles *t, uint64_t ino, uint64_t *fh)
{
	struct fb_dir_handle *h = calloc(1, sizeof(*h));
	uint32_t slot;
	int err;

	if (!h)
		return -ENOMEM;
	h->ino = ino;
	h->refs = 1;
	pthread_mutex_init(&h->lock, NULL);
	pthread_mutex_lock(&t->lock);
	err = find_slot(t, &slot);
	if (!err) {
		t->slots[slot] = h;
		*fh = (uint64_t)slot + 1;
	}
	pthread_mutex_unlock(&t->lock);
	if (err)
		free_handle(h);
	return err;
}

/* Under the lock. */
static struct fb_dir_handle *find(struct fb_dir_handles *t, uint64_t ino, uint64_t fh)
{
	struct fb_dir_handle *h = fh && fh <= t->room ? t->slots[fh - 1] : NULL;

	return h && h->ino == ino ? h : NULL;
}

int fb_dir_handle_close(struct fb_dir_handles *t, uint64_t ino, uint64_t fh)
{
	struct fb_dir_handle *h;

	pthread_mutex_lock(&t->lock);
	h = find(t, ino, fh);
	if (h) {
		t->slots[fh - 1] = NULL;
		if (t->hint > fh - 1)
			t->hint = (uint32_t)(fh - 1);
	}
	pthread_mutex_unlock(&t->lock);
	if (!h)
		return -EBADF;
	fb_dir_handle_put(t, h);
	return 0;
}

int fb_dir_handle_get(struct fb_dir_handles *t, uint64_t ino, uint64_t fh, struct fb_dir_handle **out)
{
	struct fb_dir_handle *h;

	pthread_mutex_lock(&t->lock);
	h = find(t, ino, fh);
	if (h)
		h->refs++;
	pthread_mutex_unlock(&t->lock);
	*out = h;
	return h ? 0 : -EBADF;
}

void fb_dir_handle_put(struct fb_dir_handles *t, struct fb_dir_handle *h)
{
	bool last;

	pthread_mutex_lock(&t->lock);
	last = --h->refs == 0;
	pthread_mutex_unlock(&t->lock);
	if (last)
		free_handle(h);
}
