// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * linear.c: the smallest useful driver: a device appears as a directory with
 * one file, "data", whose bytes are the device's, read and written in place.
 *
 * It has no metadata, so it shows what the library itself costs.  Times and
 * modes live in memory and are forgotten.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <fuseblk.h>

enum { ROOT = 1, DATA = 2 };

/* The private part of a node: what stat shows. */
struct linear_node {
	struct fuseblk_attr attr;
};

static int linear_open(struct fuseblk_volume *vol, void *options, struct fuseblk_volume_info *info)
{
	(void)options;
	info->root_ino = ROOT;
	info->block_size = 4096;
	info->root_mode = S_IFDIR | 0755;
	info->max_file_size = fuseblk_device_size(vol);
	info->time_granularity = 1;
	info->name_max = 255;
	return fuseblk_set_block_size(vol, info->block_size);
}

static int linear_load(struct fuseblk_volume *vol, struct fuseblk_node *node)
{
	struct linear_node *n = fuseblk_node_data(node);
	bool is_root = fuseblk_ino(node) == ROOT;

	if (!is_root && fuseblk_ino(node) != DATA)
		return -ESTALE;
	n->attr = (struct fuseblk_attr){
		.ino = fuseblk_ino(node),
		.mode = is_root ? S_IFDIR | 0755 : S_IFREG | 0644,
		.nlink = is_root ? 2 : 1,
		.size = is_root ? 4096 : fuseblk_device_size(vol),
	};
	n->attr.blocks = n->attr.size / 512;
	return 0;
}

static int linear_getattr(struct fuseblk_volume *vol, struct fuseblk_node *node,
			  struct fuseblk_attr *out)
{
	const struct linear_node *n = fuseblk_node_data(node);

	(void)vol;
	*out = n->attr;
	return 0;
}

static int linear_setattr(struct fuseblk_volume *vol, struct fuseblk_node *node, uint32_t valid,
			  const struct fuseblk_attr *attr)
{
	struct linear_node *n = fuseblk_node_data(node);

	(void)vol;
	if (valid & (FUSEBLK_SET_UID | FUSEBLK_SET_GID))
		return -EPERM;
	if (valid & FUSEBLK_SET_MODE)
		n->attr.mode = attr->mode;
	if (valid & FUSEBLK_SET_ATIME)
		n->attr.atime = attr->atime;
	if (valid & FUSEBLK_SET_MTIME)
		n->attr.mtime = attr->mtime;
	if (valid & FUSEBLK_SET_CTIME)
		n->attr.ctime = attr->ctime;
	return 0;
}

static int linear_lookup(struct fuseblk_volume *vol, struct fuseblk_node *dir, const char *name,
			 size_t len, uint64_t *ino)
{
	(void)vol;
	(void)dir;
	if (len == 4 && !memcmp(name, "data", 4))
		*ino = DATA;
	else if (len == 2 && !memcmp(name, "..", 2))
		*ino = ROOT;
	else
		return -ENOENT;
	return 0;
}

static int linear_readdir(struct fuseblk_volume *vol, struct fuseblk_node *dir, uint64_t cookie,
			  fuseblk_fill_fn fill, void *ctx)
{
	(void)vol;
	(void)dir;
	if ((cookie > 0 || fill(ctx, ".", 1, ROOT, S_IFDIR >> 12, 1)) &&
	    (cookie > 1 || fill(ctx, "..", 2, ROOT, S_IFDIR >> 12, 2)) && cookie < 3)
		fill(ctx, "data", 4, DATA, S_IFREG >> 12, 3);
	return 0;
}

/* Every byte is mapped, at its own offset; past the end there is a hole. */
static int linear_map(struct fuseblk_volume *vol, struct fuseblk_node *node, uint64_t off,
		      uint64_t len, enum fuseblk_map_mode mode, const struct fuseblk_caller *who,
		      struct fuseblk_extent *ext, unsigned max)
{
	uint64_t size = fuseblk_device_size(vol);

	(void)node;
	(void)who;
	(void)max;
	if (mode == FUSEBLK_MAP_WRITE && (off >= size || len > size - off))
		return -EFBIG;
	*ext = (struct fuseblk_extent){ .offset = off, .length = len, .device = off,
					.type = FUSEBLK_EXTENT_MAPPED };
	if (off >= size)
		ext->type = FUSEBLK_EXTENT_HOLE;
	else if (len > size - off)
		ext->length = size - off;
	return 1;
}

static int linear_statfs(struct fuseblk_volume *vol, struct fuseblk_statfs *out)
{
	*out = (struct fuseblk_statfs){ .blocks = fuseblk_device_size(vol) / 4096, .files = 2,
					.bsize = 4096, .frsize = 4096, .namelen = 255 };
	return 0;
}

static const struct fuseblk_operations linear_operations = {
	.open = linear_open, .load = linear_load, .getattr = linear_getattr,
	.setattr = linear_setattr, .lookup = linear_lookup, .readdir = linear_readdir,
	.map = linear_map, .statfs = linear_statfs,
};

static const struct fuseblk_driver linear_driver = {
	.name = "linear", .version = "1", .node_size = sizeof(struct linear_node),
	.types = (const char *const[]){ NULL }, .ops = &linear_operations,
};

int main(int argc, char **argv)
{
	return fuseblk_main(argc, argv, &linear_driver);
}
