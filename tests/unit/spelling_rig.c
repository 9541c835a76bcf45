// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * spelling_rig.c: see spelling_rig.h.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include "spelling_rig.h"

struct fk *rig_start(uint32_t minor, const char *options)
{
	struct fb_device *memory;
	char error[256] = "";
	struct fk *fk = NULL;

	testfs_reset();
	assert_int_equal(fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &memory), 0);
	if (fk_start(&testfs_fold_driver, memory, options, &fk, error, sizeof(error)))
		fail_msg("%s", error);
	assert_int_equal(fk_init(fk, minor, FK_OFFER_ALL), 0);
	fk_as(fk, 0, 0);
	fk_as_thread(fk, NOBODY);
	return fk;
}

int rig_setup(void **state)
{
	*state = rig_start(45, NULL);
	return 0;
}

int rig_teardown(void **state)
{
	struct fk *fk = *state;

	testfs_reset();
	assert_true(fk_lookups_agree(fk));
	fk_forget_all(fk);
	return fk_stop(fk);
}

struct fuse_entry_out rig_made(struct fk *fk, uint64_t dir, const char *name, uint32_t mode)
{
	struct fuse_entry_out e;

	if (S_ISDIR(mode))
		assert_int_equal(fk_mkdir(fk, dir, name, mode, &e), 0);
	else
		assert_int_equal(fk_mknod(fk, dir, name, mode, 0, &e), 0);
	return e;
}

uint64_t rig_file(struct fk *fk, const char *name)
{
	return rig_made(fk, ROOT, name, S_IFREG | 0644).nodeid;
}

struct fuse_entry_out rig_found(struct fk *fk, const char *name)
{
	struct fuse_entry_out e;

	assert_int_equal(fk_lookup(fk, ROOT, name, &e), 0);
	assert_true(e.nodeid != 0);
	return e;
}

void rig_absent(struct fk *fk, const char *name)
{
	struct fuse_entry_out e = { 0 };
	int err = fk_lookup(fk, ROOT, name, &e);

	if (err == -ENOENT)
		return;
	assert_int_equal(err, 0);
	assert_true(e.nodeid == 0 && e.entry_valid == 0 && e.entry_valid_nsec == 0);
}

void rig_names(struct fk *fk, const char *first, const char *second)
{
	struct fk_dirent *list;
	ssize_t n = fk_list(fk, ROOT, false, &list);
	bool seen[2] = { !first, !second };

	assert_int_equal(n, 2 + !!first + !!second);
	for (ssize_t i = 0; i < n; i++) {
		seen[0] |= first && !strcmp(list[i].name, first);
		seen[1] |= second && !strcmp(list[i].name, second);
	}
	free(list);
	assert_true(seen[0] && seen[1]);
}

void rig_no_notice(struct fk *fk)
{
	struct fk_notice list[4];

	assert_int_equal(fk_notices(fk, list, 1, 4), 0);
}

void rig_told(struct fk *fk, uint64_t nodeid, uint64_t replies)
{
	struct fk_notice n[4];

	assert_int_equal(fk_notices(fk, n, 2, 4), 2);
	assert_int_equal(n[0].code, FUSE_NOTIFY_INVAL_INODE);
	assert_int_equal(n[1].code, FUSE_NOTIFY_PRUNE);
	for (int i = 0; i < 2; i++)
		assert_true(n[i].nodeid == nodeid && n[i].after == replies);
}
