// SPDX-License-Identifier: GPL-2.0-only
/*
 * options.c: mount options of fuse and fuseblk: parsed, and shown in
 * /proc/mounts.
 */
#include <linux/seq_file.h>
#include "fblk.h"

enum option {
	OPT_SOURCE, OPT_SUBTYPE, OPT_FD, OPT_ROOTMODE, OPT_USER_ID, OPT_GROUP_ID,
	OPT_DEFAULT_PERMISSIONS, OPT_ALLOW_OTHER, OPT_MAX_READ, OPT_BLKSIZE,
};

const struct fs_parameter_spec fblk_parameters[] = {
	fsparam_string("source", OPT_SOURCE),
	fsparam_string("subtype", OPT_SUBTYPE),
	fsparam_fd("fd", OPT_FD),
	fsparam_u32oct("rootmode", OPT_ROOTMODE),
	fsparam_u32("user_id", OPT_USER_ID),
	fsparam_u32("group_id", OPT_GROUP_ID),
	fsparam_flag("default_permissions", OPT_DEFAULT_PERMISSIONS),
	fsparam_flag("allow_other", OPT_ALLOW_OTHER),
	fsparam_u32("max_read", OPT_MAX_READ),
	fsparam_u32("blksize", OPT_BLKSIZE),
	{}
};

/* Take over the string of @param. */
static int take_string(struct fs_context *fc, struct fs_parameter *param, const char **to)
{
	if (*to)
		return invalfc(fc, "%s given twice", param->key);
	*to = param->string;
	param->string = NULL;
	return 0;
}

static int set_user(struct fs_context *fc, struct fblk_mount_options *o, u32 id)
{
	o->user_id = make_kuid(fc->user_ns, id);
	if (!uid_valid(o->user_id) || !kuid_has_mapping(fc->user_ns, o->user_id))
		return invalfc(fc, "user_id=%u has no user in this namespace", id);
	o->has_user_id = true;
	return 0;
}

static int set_group(struct fs_context *fc, struct fblk_mount_options *o, u32 id)
{
	o->group_id = make_kgid(fc->user_ns, id);
	if (!gid_valid(o->group_id) || !kgid_has_mapping(fc->user_ns, o->group_id))
		return invalfc(fc, "group_id=%u has no group in this namespace", id);
	o->has_group_id = true;
	return 0;
}

static int set_rootmode(struct fs_context *fc, struct fblk_mount_options *o, u32 mode)
{
	if (!fblk_type_is_valid(mode))
		return invalfc(fc, "rootmode=%o is no type of file", mode);
	o->rootmode = mode;
	o->has_rootmode = true;
	return 0;
}

static int set_blksize(struct fs_context *fc, struct fblk_mount_options *o, u32 size)
{
	if (!o->is_blkdev)
		return invalfc(fc, "blksize is for fuseblk");
	o->blksize = size;
	return 0;
}

static int parse_on_remount(struct fs_context *fc)
{
	/* mount(8) passes what /proc/mounts shows */
	return fc->oldapi ? 0 : invalfc(fc, "options cannot be changed");
}

int fblk_parse_option(struct fs_context *fc, struct fs_parameter *param)
{
	struct fblk_mount_options *o = fc->fs_private;
	struct fs_parse_result result;
	int opt;

	if (fc->purpose == FS_CONTEXT_FOR_RECONFIGURE)
		return parse_on_remount(fc);
	opt = fs_parse(fc, fblk_parameters, param, &result);
	switch (opt) {
	case OPT_SOURCE:
		return take_string(fc, param, &fc->source);
	case OPT_SUBTYPE:
		return take_string(fc, param, &o->subtype);
	case OPT_FD:
		o->fd = result.uint_32;
		o->has_fd = true;
		return 0;
	case OPT_ROOTMODE:
		return set_rootmode(fc, o, result.uint_32);
	case OPT_USER_ID:
		return set_user(fc, o, result.uint_32);
	case OPT_GROUP_ID:
		return set_group(fc, o, result.uint_32);
	case OPT_DEFAULT_PERMISSIONS:
		o->default_permissions = true;
		return 0;
	case OPT_ALLOW_OTHER:
		o->allow_other = true;
		return 0;
	case OPT_MAX_READ:
		o->max_read = result.uint_32;
		return 0;
	case OPT_BLKSIZE:
		return set_blksize(fc, o, result.uint_32);
	default:
		return opt;
	}
}

int fblk_show_options(struct seq_file *m, struct dentry *root)
{
	const struct fblk_conn *conn = fblk_conn_of_sb(root->d_sb);

	seq_printf(m, ",user_id=%u,group_id=%u", from_kuid_munged(conn->user_ns, conn->user_id),
		   from_kgid_munged(conn->user_ns, conn->group_id));
	if (conn->default_permissions)
		seq_puts(m, ",default_permissions");
	if (conn->allow_other)
		seq_puts(m, ",allow_other");
	if (conn->max_read != ~0U)
		seq_printf(m, ",max_read=%u", conn->max_read);
	if (conn->is_blkdev)
		seq_printf(m, ",blksize=%lu", root->d_sb->s_blocksize);
	return 0;
}
