/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* options.h: the library's own mount options. */
#ifndef FB_OPTIONS_H
#define FB_OPTIONS_H

#include "volume.h"

extern const struct fuseblk_option fb_option_table[];

/*
 * Parse what is the library's of @text into @out (defaults first) and leave
 * the rest, as it stands, in out->driver_options (malloc'ed).  Returns 0,
 * -EINVAL with a line in @error, -ENOMEM.
 */
int fb_options_split(const char *text, struct fb_options *out, char *error, size_t error_size);
/* Take out of @text, in place, the options that @table does not name (mount -s). */
void fb_options_keep_known(const struct fuseblk_option *table, char *text);
/* Frees the strings of a driver's options structure and the structure; NULL: nothing. */
void fb_options_free(const struct fuseblk_option *table, void *options);

#endif
