// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * options.c: the mount options of the kernel's ext2 and ext4 drivers.  Those
 * with a meaning here set a field of struct e2_options, those that only tune
 * the kernel's own machinery are accepted without effect, and those that ask
 * for something this driver cannot give are refused by name.
 */
#include "super.h"

#define AT(field) offsetof(struct e2_options, field)

static const char *const errors_choices[] = { "continue", "remount-ro", "panic", NULL };
static const char *const data_choices[] = { "ordered", "writeback", "journal", NULL };
static const char *const check_choices[] = { "none", NULL };

enum { REFUSED_NONE, REFUSED_DAX, REFUSED_QUOTA, REFUSED_ABORT, REFUSED_ENCRYPTION, REFUSED_COUNT };

static const struct { const char *name, *why; } refused[REFUSED_COUNT] = {
	[REFUSED_DAX] = { "dax", "file data goes through the page cache" },
	[REFUSED_QUOTA] = { "quota", "usage is not counted; use the kernel driver" },
	[REFUSED_ABORT] = { "abort", "it is a test of the kernel driver" },
	[REFUSED_ENCRYPTION] = { "test_dummy_encryption", "encryption is not supported" },
};

/* Options with a value, by their place in refused_text */
static const struct { const char *name, *why; } refused_texts[E2_REFUSED_TEXTS] = {
	{ "journal_dev=", "external journals are not supported" },
	{ "journal_path=", "external journals are not supported" },
	{ "usrjquota=", "usage is not counted; use the kernel driver" },
	{ "grpjquota=", "usage is not counted; use the kernel driver" },
	{ "jqfmt=", "usage is not counted; use the kernel driver" },
	{ "max_dir_size_kb=", "the size of directories is not limited" },
};

#define FLAG(n, f, v, h) { .name = n, .kind = FUSEBLK_OPT_FLAG, .offset = AT(f), .value = v, .help = h }
#define REFUSE(n, v) { .name = n, .kind = FUSEBLK_OPT_FLAG, .offset = AT(refused), .value = v }
#define REFUSE_TEXT(n, i) \
	{ .name = n, .kind = FUSEBLK_OPT_STRING, .offset = AT(refused_text) + (i) * sizeof(char *) }
#define IGNORE(n) { .name = n, .kind = FUSEBLK_OPT_IGNORE }

const struct fuseblk_option e2_option_table[] = {
	{ .name = "errors", .kind = FUSEBLK_OPT_CHOICE, .offset = AT(errors), .choices = errors_choices,
	  .help = "what to do when damage is met: continue, remount-ro, panic (the daemon ends)" },
	{ .name = "sb", .kind = FUSEBLK_OPT_UINT, .offset = AT(sb), .max = UINT64_MAX / 1024 - 1,
	  .help = "read a backup superblock, counted in 1 KiB; the mount is then read-only" },
	{ .name = "resuid", .kind = FUSEBLK_OPT_UINT, .offset = AT(resuid), .max = UINT32_MAX - 1,
	  .help = "user who may use the reserved blocks" },
	{ .name = "resgid", .kind = FUSEBLK_OPT_UINT, .offset = AT(resgid), .max = UINT32_MAX - 1,
	  .help = "group that may use the reserved blocks" },
	FLAG("grpid", grpid, 1, "new files take the group of their directory"),
	FLAG("bsdgroups", grpid, 1, "as grpid"),
	FLAG("nogrpid", grpid, 0, "new files take the group of their creator (the default)"),
	FLAG("sysvgroups", grpid, 0, "as nogrpid"),
	FLAG("bsddf", minixdf, 0, "df does not count the volume's own structures (the default)"),
	FLAG("minixdf", minixdf, 1, "df counts them"),
	FLAG("acl", acl, 1, "POSIX access control lists (the default)"),
	FLAG("noacl", acl, 0, "no access control lists"),
	FLAG("user_xattr", user_xattr, 1, "attributes in the user. namespace (the default)"),
	FLAG("nouser_xattr", user_xattr, 0, "none of them"),
	FLAG("discard", discard, 1, "tell the device of freed blocks after each commit"),
	FLAG("nodiscard", discard, 0, "do not (the default)"),
	FLAG("norecovery", norecovery, 1, "with ro: mount without replaying the journal"),
	FLAG("noload", norecovery, 1, "as norecovery"),
	FLAG("nouid32", nouid32, 1, "owners have 16 bits"),

	REFUSE("dax", REFUSED_DAX),
	REFUSE("quota", REFUSED_QUOTA),
	REFUSE("usrquota", REFUSED_QUOTA),
	REFUSE("grpquota", REFUSED_QUOTA),
	REFUSE("prjquota", REFUSED_QUOTA),
	REFUSE("abort", REFUSED_ABORT),
	REFUSE("test_dummy_encryption", REFUSED_ENCRYPTION),
	REFUSE_TEXT("journal_dev", 0),
	REFUSE_TEXT("journal_path", 1),
	REFUSE_TEXT("usrjquota", 2),
	REFUSE_TEXT("grpjquota", 3),
	REFUSE_TEXT("jqfmt", 4),
	REFUSE_TEXT("max_dir_size_kb", 5),

	{ .name = "data", .kind = FUSEBLK_OPT_CHOICE, .offset = AT(data), .choices = data_choices,
	  .help = "ordered and writeback are the same here; journal is refused" },
	{ .name = "check", .kind = FUSEBLK_OPT_CHOICE, .offset = AT(check), .choices = check_choices,
	  .help = "none, which is what is done" },
	IGNORE("nocheck"),
	IGNORE("debug"),
	IGNORE("oldalloc"),
	IGNORE("orlov"),
	IGNORE("noquota"),
	IGNORE("barrier"),
	IGNORE("nobarrier"),
	IGNORE("delalloc"),
	IGNORE("nodelalloc"),
	IGNORE("journal_checksum"),
	IGNORE("nojournal_checksum"),
	IGNORE("journal_async_commit"),
	IGNORE("journal_ioprio"),
	IGNORE("max_batch_time"),
	IGNORE("min_batch_time"),
	IGNORE("inode_readahead_blks"),
	IGNORE("data_err"),
	IGNORE("stripe"),
	IGNORE("auto_da_alloc"),
	IGNORE("noauto_da_alloc"),
	IGNORE("init_itable"),
	IGNORE("noinit_itable"),
	IGNORE("block_validity"),
	IGNORE("noblock_validity"),
	IGNORE("dioread_lock"),
	IGNORE("dioread_nolock"),
	IGNORE("nodioread_nolock"),
	IGNORE("i_version"),
	IGNORE("inlinecrypt"),
	IGNORE("mblk_io_submit"),
	IGNORE("nomblk_io_submit"),
	IGNORE("prefetch_block_bitmaps"),
	IGNORE("no_prefetch_block_bitmaps"),
	IGNORE("mb_optimize_scan"),
	IGNORE("nombcache"),
	IGNORE("no_mbcache"),
	IGNORE("bh"),
	IGNORE("nobh"),
	{ .name = NULL },
};

void e2_options_init(void *options)
{
	*(struct e2_options *)options = (struct e2_options){
		.resuid = UINT64_MAX, .resgid = UINT64_MAX, .errors = -1,
		.grpid = -1, .discard = -1, .acl = 1, .user_xattr = 1, .nouid32 = -1,
	};
}

const char *e2_options_refused(const struct e2_options *o, const char **why)
{
	if (o->refused > REFUSED_NONE && o->refused < REFUSED_COUNT) {
		*why = refused[o->refused].why;
		return refused[o->refused].name;
	}
	if (o->data == 2) {
		*why = "the journal is not written";
		return "data=journal";
	}
	for (int i = 0; i < E2_REFUSED_TEXTS; i++)
		if (o->refused_text[i]) {
			*why = refused_texts[i].why;
			return refused_texts[i].name;
		}
	return NULL;
}
