/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * spelling_rig.h: a session with the test driver on a volume on which a name
 * may be given in more than one spelling, and what the kernel is told of its
 * names.
 */
#ifndef SPELLING_RIG_H
#define SPELLING_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <sys/stat.h>
#include "../lib/fakekernel.h"
#include "../lib/testfs.h"

#define ROOT	FUSE_ROOT_ID
#define NOBODY	0x7ffffff0u		/* no thread has this id */
#define LONG	1000u			/* seconds: a timeout of at least this is one for good */
#define LINGER_US 2300000		/* marks are gone after this */

/* A session with a kernel of protocol 7.@minor. */
struct fk *rig_start(uint32_t minor, const char *options);
int rig_setup(void **state);		/* with a recent kernel */
int rig_teardown(void **state);
#define TEST(f) cmocka_unit_test_setup_teardown(f, rig_setup, rig_teardown)

struct fuse_entry_out rig_made(struct fk *fk, uint64_t dir, const char *name, uint32_t mode);
uint64_t rig_file(struct fk *fk, const char *name);	/* made in the root */
struct fuse_entry_out rig_found(struct fk *fk, const char *name);
/* Not there, and that not to be remembered. */
void rig_absent(struct fk *fk, const char *name);
/* The root has these names and no others; NULL: none. */
void rig_names(struct fk *fk, const char *first, const char *second);
void rig_no_notice(struct fk *fk);
/* What is told of @nodeid, before the reply that follows @replies others: its attributes and its names. */
void rig_told(struct fk *fk, uint64_t nodeid, uint64_t replies);

#endif
