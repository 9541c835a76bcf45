/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * opcodes.h: what the tests of the opcodes share.  Each test gets a session
 * of its own over a small tree:
 *	/file	regular, 0644, OP_FILE_SIZE bytes of op_byte()
 *	/dir	a directory, with /dir/inner, an empty file
 *	/link	a symlink to "dir/inner"
 * and ends with the session's clean end and a check of every reply.
 */
#ifndef TESTS_OPCODES_H
#define TESTS_OPCODES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "../../lib/fakekernel.h"
#include "../../lib/testfs.h"

#define OP_FILE_SIZE 5000u

struct op {
	struct fk *fk;
	uint64_t file, dir, inner, link;	/* node ids, one lookup each */
};

/* The filesystem the opcodes are tried on. */
struct op_backend {
	const char *name;
	struct fk *(*start)(const char *options, bool ready);	/* @ready: INIT done */
	void (*check)(void);			/* after the session: is the volume sound? may be NULL */
	bool has_hooks;				/* it is testfs */
	bool no_unwritten;			/* fallocate(2) of holes: EOPNOTSUPP, as on the kernel's */
	bool no_btime;
	bool only_if_all;			/* takes time: only where FUSEBLK_TEST_ALL is in the environment */
};
extern const struct op_backend *op_backend;		/* the one at work */
extern const struct op_backend *const op_backends[];	/* what the program was linked with; ends with NULL */

bool op_backend_is_wanted(const struct op_backend *backend);

/* The greatest file size. */
#define OP_MAX_SIZE(op) (fk_volume((op)->fk)->info.max_file_size)

/* The byte of /file at @off. */
uint8_t op_byte(uint64_t off);
/* The entry of @name in @dir must be there; returns its node id. */
uint64_t op_need(struct op *op, uint64_t dir, const char *name);
/* A node id that was good, and whose inode is gone. */
uint64_t op_stale_node(struct op *op);
/* Inodes are freed in the background: @ffree of them are free before long. */
void op_await_ffree(struct op *op, uint64_t ffree);
/* What has no name any more, file or directory, is synced all the same. */
void op_sync_unlinked(struct op *op);
/* /dir/inner has 3,000 bytes of /file from 1,000 on at 500, and nothing else has changed. */
void op_check_copied(struct op *op);
/* The session still answers, and the tree is what op_setup made. */
void op_check_tree(struct op *op);
/* Skip the test unless the driver is testfs. */
#define OP_NEEDS_HOOKS() do { if (!op_backend->has_hooks) skip(); } while (0)

int op_setup(void **state);
int op_teardown(void **state);

/*
 * Hostile messages of @opcode: its sample cut to every length and longer by
 * one byte, with lying headers; none may change the tree or go unanswered.
 */
void op_hostile_sizes(struct op *op, uint32_t opcode, uint64_t node);
/* Node ids that the kernel was never given, or that are stale: -ESTALE. */
void op_hostile_nodes(struct op *op, uint32_t opcode);
/* As the last name of @opcode, with @dots: "." and ".." are refused as well. */
void op_hostile_names(struct op *op, uint32_t opcode, uint64_t node, bool dots);

struct op_group {
	const char *name;
	const struct CMUnitTest *tests;
	size_t count;
};
/* Every opcode's group */
#define OP_GROUPS(X) \
	X(access) \
	X(batch_forget) \
	X(bmap) \
	X(copy_file_range) \
	X(copy_file_range_64) \
	X(create) \
	X(destroy) \
	X(fallocate) \
	X(flush) \
	X(forget) \
	X(fsync) \
	X(fsyncdir) \
	X(getattr) \
	X(getxattr) \
	X(init) \
	X(interrupt) \
	X(ioctl) \
	X(link) \
	X(listxattr) \
	X(lookup) \
	X(lseek) \
	X(mkdir) \
	X(mknod) \
	X(open) \
	X(opendir) \
	X(read) \
	X(readdir) \
	X(readdirplus) \
	X(readlink) \
	X(release) \
	X(releasedir) \
	X(removexattr) \
	X(rename) \
	X(rename2) \
	X(rmdir) \
	X(setattr) \
	X(setxattr) \
	X(statfs) \
	X(statx) \
	X(symlink) \
	X(syncfs) \
	X(tmpfile) \
	X(unlink) \
	X(write)
#define OP_DECLARE(opcode) extern const struct op_group op_group_##opcode;
OP_GROUPS(OP_DECLARE)

#define OP_TEST(f) cmocka_unit_test_setup_teardown(f, op_setup, op_teardown)
#define OP_GROUP(opcode, list) \
	const struct op_group op_group_##opcode = { #opcode, list, sizeof(list) / sizeof(list[0]) }

#endif
