// SPDX-License-Identifier: GPL-2.0-or-later
/* check_ext2.c: are the promises kept? Read with libext2fs, not with our own driver. */
#include <ext2fs/ext2fs.h>
#include <stdio.h>
#include <stdlib.h>

#include "ext2.h"

static char wrong[512];

static bool content_is(const uint8_t *bytes, uint64_t len, uint64_t size, uint64_t want)
{
	return len == size && digest(bytes, len) == want;
}

static const char *check_file(ext2_filsys fs, ext2_ino_t ino, const struct promise *p)
{
	static uint8_t bytes[64 << 10];
	ext2_file_t file;
	unsigned got = 0;

	if (ext2fs_file_open(fs, ino, 0, &file))
		return "cannot be opened";
	if (ext2fs_file_read(file, bytes, sizeof(bytes), &got))
		got = 0;
	ext2fs_file_close(file);
	if (content_is(bytes, got, p->size, p->digest) ||
	    (p->has_other && content_is(bytes, got, p->other_size, p->other_digest)))
		return NULL;
	return "has other content";
}

static const char *check_one(ext2_filsys fs, const struct promise *p)
{
	struct ext2_inode inode;
	ext2_ino_t ino;

	if (ext2fs_namei(fs, EXT2_ROOT_INO, EXT2_ROOT_INO, p->path, &ino))
		return "is lost";
	if (ext2fs_read_inode(fs, ino, &inode))
		return "has no inode";
	if (LINUX_S_ISDIR(inode.i_mode) != p->is_dir)
		return "is of another kind";
	return p->is_dir ? NULL : check_file(fs, ino, p);
}

const char *ext2_promises_check(const char *image, const struct promises *ps, size_t cut)
{
	const char *what = NULL;
	ext2_filsys fs;

	if (ext2fs_open(image, EXT2_FLAG_64BITS, 0, 0, unix_io_manager, &fs))
		return "the image cannot be opened";
	for (size_t i = 0; !what && i < ps->count; i++) {
		const struct promise *p = &ps->list[i];

		if (p->from > cut || p->until < cut)
			continue;
		what = check_one(fs, p);
		if (what) {
			snprintf(wrong, sizeof(wrong), "%s %s (promised from %zu to %zu)", p->path, what,
				 p->from, p->until == FOREVER ? 0 : p->until);
			what = wrong;
		}
	}
	ext2fs_close_free(&fs);
	return what;
}
