/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc.h: what a driver process asks of the system for itself. */
#ifndef FB_PROC_H
#define FB_PROC_H

/*
 * Memory, OOM and signal settings of a process that file I/O depends on.
 * What the system refuses it goes without.  Called once, before threads.
 */
void fb_proc_settle(void);
/*
 * Leave every mount of the system behind: the process goes on in a mount
 * namespace of its own that holds an empty root only.  It can then neither
 * keep another volume's unmounted filesystem alive, nor its own mount: a
 * daemon that is the last process of a namespace with its mount would wait
 * for its own answer to DESTROY for ever.  Paths lead nowhere afterwards.
 * Called once the device is open, before threads; what the system refuses
 * it goes without.
 */
void fb_proc_leave_mounts(void);
/* A descriptor of /proc, the caller's to close, also after that; or -errno. */
int fb_proc_open(void);
/* Remove the control socket @path, also after that. */
void fb_proc_unlink_control(const char *path);

#endif
