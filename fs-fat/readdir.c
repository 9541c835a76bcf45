// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * readdir.c: listing a directory.
 *
 * Cookies: 1 after ".", 2 after "..", and slot + 3 after the name whose short
 * entry is at that slot.  A name keeps its slot for as long as it exists, so
 * that whatever comes and goes meanwhile, it is listed once.
 */
#include <dirent.h>
#include <errno.h>
#include "dir_impl.h"

#define COOKIE_DOTS 2u

struct listing {
	struct fat_volume *fat;
	fuseblk_fill_fn fill;
	void *ctx;
	char bytes[FAT_SHOWN_BYTES];
};

static bool list_name(void *ctx, const struct fat_found *found)
{
	struct listing *l = ctx;
	int n;

	if (fat_dir_dots(&found->de))
		return false;
	n = fat_dir_shown(l->fat, found, l->bytes, sizeof(l->bytes));
	if (n < 0)
		return false;
	return !l->fill(l->ctx, l->bytes, (size_t)n, fat_ino_at(l->fat, found->pos),
			found->de.attr & FAT_ATTR_DIR ? DT_DIR : DT_REG, (uint64_t)found->slot + 1 + COOKIE_DOTS);
}

int fat_readdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t cookie, fuseblk_fill_fn fill, void *ctx)
{
	struct listing l = { .fat = fat_of(vol), .fill = fill, .ctx = ctx };
	uint64_t parent;

	if (cookie < 1 && !fill(ctx, ".", 1, fuseblk_ino(dir), DT_DIR, 1))
		return 0;
	if (cookie < 2) {
		if (fat_parent_ino(vol, dir, &parent))
			parent = FAT_ROOT_INO;
		if (!fill(ctx, "..", 2, parent, DT_DIR, COOKIE_DOTS))
			return 0;
		cookie = COOKIE_DOTS;
	}
	if (cookie - COOKIE_DOTS >= FAT_DIR_SLOTS)
		return 0;
	return fat_dir_walk(vol, dir, (uint32_t)(cookie - COOKIE_DOTS), list_name, &l);
}
