/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * caller.h: what the thread that waits for a request is doing: which system
 * call it is in, as /proc tells.  The request itself does not say.
 */
#ifndef FB_CALLER_H
#define FB_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "request.h"

/*
 * If thread @pid is in a rename (without RENAME_EXCHANGE) to a path whose last
 * part is @name: copy the old path's last part to @from (@size bytes), and
 * return its length.  0 otherwise, and whenever that cannot be told for sure:
 * the old name is @name too, @is_dir and another part of either path is @name
 * (it may be on the way), the paths are not of one directory by their text, no such thread, no permission, io_uring.  @proc: a
 * descriptor of /proc, or -1.  May wait some milliseconds, and for memory of
 * the caller's; no node lock may be held.
 */
size_t fb_caller_renames(int proc, uint32_t pid, const struct fb_name *name, bool is_dir,
			 char *from, size_t size);
/* Thread @pid is known to be in a system call that takes a file by its descriptor. Waits likewise. */
bool fb_caller_has_descriptor(int proc, uint32_t pid);

#endif
