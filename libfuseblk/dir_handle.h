/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * dir_handle.h: open directories with a cursor, for drivers that ask for it
 * (info.dir_cursors).  On the wire a handle is a small number from 1 on, which
 * is looked up in a table and means nothing else.
 */
#ifndef FB_DIR_HANDLE_H
#define FB_DIR_HANDLE_H

#include <pthread.h>
#include <stdint.h>

struct fb_dir_handle {
	pthread_mutex_t lock;		/* held by the ioctl that uses the cursor; before node locks */
	uint64_t cursor;
	/* the table's lock: */
	uint64_t ino;
	unsigned refs;			/* the table's, and those of requests */
};

struct fb_dir_handles {
	pthread_mutex_t lock;		/* a leaf */
	struct fb_dir_handle **slots;
	uint32_t room, hint;		/* no slot below hint is free */
};

void fb_dir_handles_init(struct fb_dir_handles *t);
void fb_dir_handles_fini(struct fb_dir_handles *t);
/* A new handle of @ino. Returns 0 or -ENOMEM. */
int fb_dir_handle_open(struct fb_dir_handles *t, uint64_t ino, uint64_t *fh);
/* Returns 0, or -EBADF if @fh is no handle of @ino. */
int fb_dir_handle_close(struct fb_dir_handles *t, uint64_t ino, uint64_t fh);
/* The handle, to be put back; or -EBADF. */
int fb_dir_handle_get(struct fb_dir_handles *t, uint64_t ino, uint64_t fh, struct fb_dir_handle **out);
void fb_dir_handle_put(struct fb_dir_handles *t, struct fb_dir_handle *h);

#endif
