/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe_internal.h: the two halves of the probe.  The parent (probe.c) trusts
 * nothing that comes back; the child (probe_child.c) runs without privileges.
 */
#ifndef FB_PROBE_INTERNAL_H
#define FB_PROBE_INTERNAL_H

#include "probe.h"

/* Give up every privilege and bound memory, time and descriptors. Returns 0, or a negative errno. */
int fb_probe_drop_privileges(unsigned timeout_ms);
/* Look at the bytes and fill @out; may crash or never end on hostile input. */
void fb_probe_look(int fd, uint64_t offset, uint64_t size, struct fb_probe_result *out);
/* Make what came over the pipe safe to use: known kind, bounded counts, terminated strings. */
void fb_probe_sanitize(struct fb_probe_result *r);
/*
 * The device that a tag (UUID=, LABEL=, PARTUUID=, PARTLABEL=) names, in
 * @path.  Returns 0, -ENOENT, -EINVAL (not a tag).
 */
int fb_probe_tag(const char *spec, char *path, size_t size);

#endif
