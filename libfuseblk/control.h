/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* control.h: the socket on which mount.fuseblk and fuseblk(1) talk to a running driver (start.h). */
#ifndef FB_CONTROL_H
#define FB_CONTROL_H

#include "volume.h"

struct fb_control;

/*
 * Answer on the listening socket @fd (owned, also on failure) for @vol.
 * @path is removed at the end.  Returns 0, -ENOMEM, -EAGAIN.
 */
int fb_control_start(struct fuseblk_volume *vol, int fd, const char *path, struct fb_control **out);
/* Blocks until a request being answered is; then nothing touches the volume any more. NULL: nothing. */
void fb_control_stop(struct fb_control *control);

#endif
