/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* proc.h: what a driver process asks of the system for itself. */
#ifndef FB_PROC_H
#define FB_PROC_H

/*
 * Memory, OOM and signal settings of a process that file I/O depends on.
 * What the system refuses it goes without.  Called once, before threads.
 */
void fb_proc_settle(void);

#endif
