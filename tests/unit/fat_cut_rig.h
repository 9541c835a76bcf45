/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fat_cut_rig.h: files and directories moved about on a FAT volume, a model of
 * what may be where, and every cut of the power in between judged by it: on top
 * of fat_dir_rig.h, with fat_check.h.
 *
 * A file's content says which file it is: its tag, over and over.
 */
#ifndef FAT_CUT_RIG_H
#define FAT_CUT_RIG_H

#include "fat_check.h"
#include "fat_dir_rig.h"

#define CUT_FILES 64
#define CUT_NAMES 12
#define CUT_EPOCHS 400

struct model_file {
	char tag[16];
	uint32_t size;
	bool lives, is_dir;		/* now */
	char path[CHECK_PATH];		/* now */
	/* as it was durable last: then it must be at one of these */
	bool durable, may_be_gone, anywhere;
	unsigned names;
	char name[CUT_NAMES][CHECK_PATH];
};

/* The log from one commit to the next, and what held meanwhile. */
struct cut_epoch {
	size_t from, to;
	bool shared, split;		/* two names may have one chain; one may be short */
	struct model_file files[CUT_FILES];
};

struct cut_rig {
	struct rig rig;
	struct model_file files[CUT_FILES];
	unsigned count;
	bool shared, split;
	size_t from;
	struct cut_epoch *epoch[CUT_EPOCHS];
	unsigned epochs;
	unsigned cuts, repairs;		/* images looked at; of which fsck.fat repaired */
};

/* @mkfs: mkfs.fat's options; @script: more of the shell, with $F. Then files and directories as cut_has() says. */
void cut_make(struct cut_rig *c, uint64_t size, const char *mkfs, const char *script);
/* The image has a file made by a command that repeats @tag and a newline (yes TAG | head -c SIZE); @size UINT32_MAX: a directory. */
void cut_has(struct cut_rig *c, const char *tag, uint32_t size, const char *path);
void cut_mount(struct cut_rig *c);
/*
 * Commands, one a line: "mv OLD NEW", "mvn OLD NEW" (NOREPLACE), "xchg A B",
 * "create TAG SIZE PATH", "mkdir TAG PATH", "rm PATH", "sync".  May be prefixed by the
 * errno expected ("EEXIST mvn a b").
 */
void cut_run(struct cut_rig *c, const char *commands);
int cut_rename(struct cut_rig *c, const char *from, const char *to, uint32_t flags);
int cut_create(struct cut_rig *c, const char *tag, uint32_t size, const char *path, bool is_dir);
int cut_remove(struct cut_rig *c, const char *path);
void cut_commit(struct cut_rig *c);
/* Commit, unmount, check; then every cut, with @repairs of the images given to fsck.fat -a. */
void cut_finish(struct cut_rig *c, unsigned repairs);
struct model_file *cut_file(struct cut_rig *c, const char *path);

#endif
