/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * testfs.h: a driver for tests of the library: names and attributes in
 * memory, file data on the device, every operation there is.  Nothing of it
 * survives the mount.
 *
 * Inode N (the root is 2) owns TESTFS_SLOT bytes of the device from
 * N * TESTFS_SLOT on; the block of a file at offset X is there at X.
 */
#ifndef TESTS_TESTFS_H
#define TESTS_TESTFS_H

#include <sys/ioctl.h>
#include "fuseblk.h"

extern const struct fuseblk_driver testfs_driver;
/*
 * As testfs, but names match in any case (ASCII) and with dots at their end,
 * which are not stored; open directories have cursors; no handles.
 */
extern const struct fuseblk_driver testfs_fold_driver;
/* Of a directory of testfs_fold: the cursor, which then rises by one. */
#define TESTFS_IOC_CURSOR _IOR('T', 1, uint64_t)

#define TESTFS_ROOT	2u
#define TESTFS_FIRST	11u		/* the lowest inode number of files */
#define TESTFS_BLOCK	1024u
#define TESTFS_SLOT	(4u << 20)	/* also the greatest file size */
#define TESTFS_DEVICE	(256u << 20)	/* a device size that suits: 53 files */

/* Calls of the operation @op fail with @error from now on; NULL: none does. */
void testfs_fail(const char *op, int error);
/* Calls of @op wait, interruptibly, until testfs_release(). */
void testfs_hold(const char *op);
void testfs_release(void);
/* How many calls wait; testfs_wait_held waits until @n do, false after some seconds. */
unsigned testfs_held(void);
bool testfs_wait_held(unsigned n);
/* Calls of @op since the last testfs_reset(), which also undoes fail and hold. */
unsigned testfs_calls(const char *op);
void testfs_reset(void);
/* Inodes in use, the root included. */
unsigned testfs_inodes(struct fuseblk_volume *vol);

#endif
