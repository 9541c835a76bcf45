// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * features.c: what is done with a volume that has a feature: read and
 * written, only read, or refused.  The one table is also what the manual and
 * the tests print.
 */
#include <stdio.h>
#include <string.h>
#include "super.h"

#define C E2_WORD_COMPAT
#define I E2_WORD_INCOMPAT
#define R E2_WORD_RO_COMPAT
#define RW E2_FEATURE_RW
#define RO E2_FEATURE_RO
#define NO E2_FEATURE_REFUSED

const struct e2_feature e2_features[] = {
	{ C, E2_COMPAT_DIR_PREALLOC, "dir_prealloc", RW, "a hint, not followed" },
	{ C, E2_COMPAT_IMAGIC_INODES, "imagic_inodes", RO, "inode numbers with a meaning of their own" },
	{ C, E2_COMPAT_HAS_JOURNAL, "has_journal", RW, "while the journal is clean; it is not written" },
	{ C, E2_COMPAT_EXT_ATTR, "ext_attr", RW, NULL },
	{ C, E2_COMPAT_RESIZE_INODE, "resize_inode", RW, NULL },
	{ C, E2_COMPAT_DIR_INDEX, "dir_index", RW, NULL },
	{ C, E2_COMPAT_LAZY_BG, "lazy_bg", RO, "an abandoned experiment" },
	{ C, E2_COMPAT_EXCLUDE_INODE, "snapshot_inode", RO, "snapshots are not kept up" },
	{ C, E2_COMPAT_EXCLUDE_BITMAP, "snapshot_bitmap", RO, "snapshots are not kept up" },
	{ C, E2_COMPAT_SPARSE_SUPER2, "sparse_super2", RW, NULL },
	{ C, E2_COMPAT_FAST_COMMIT, "fast_commit", RW, "while the journal is clean" },
	{ C, E2_COMPAT_STABLE_INODES, "stable_inodes", RW, "inode numbers never change here" },
	{ C, E2_COMPAT_ORPHAN_FILE, "orphan_file", RW, NULL },
	{ I, E2_IN_COMPRESSION, "compression", NO, "nothing can read it" },
	{ I, E2_IN_FILETYPE, "filetype", RW, NULL },
	{ I, E2_IN_RECOVER, "needs_recovery", RW, "read-only with norecovery, else refused" },
	{ I, E2_IN_JOURNAL_DEV, "journal_dev", NO, "this is the journal of another volume" },
	{ I, E2_IN_META_BG, "meta_bg", RW, NULL },
	{ I, E2_IN_EXTENTS, "extent", RW, NULL },
	{ I, E2_IN_64BIT, "64bit", RW, NULL },
	{ I, E2_IN_MMP, "mmp", RO, "the mark that keeps other hosts away is not kept up" },
	{ I, E2_IN_FLEX_BG, "flex_bg", RW, NULL },
	{ I, E2_IN_EA_INODE, "ea_inode", RW, NULL },
	{ I, E2_IN_DIRDATA, "dirdata", NO, "Lustre's directories" },
	{ I, E2_IN_CSUM_SEED, "metadata_csum_seed", RW, NULL },
	{ I, E2_IN_LARGEDIR, "large_dir", RW, NULL },
	{ I, E2_IN_INLINE_DATA, "inline_data", RW, NULL },
	{ I, E2_IN_ENCRYPT, "encrypt", NO, "file names and contents are encrypted; use the kernel driver" },
	{ I, E2_IN_CASEFOLD, "casefold", NO, "names match by Unicode tables; use the kernel driver" },
	{ R, E2_RO_SPARSE_SUPER, "sparse_super", RW, NULL },
	{ R, E2_RO_LARGE_FILE, "large_file", RW, NULL },
	{ R, E2_RO_BTREE_DIR, "btree_dir", RO, "never used by anything" },
	{ R, E2_RO_HUGE_FILE, "huge_file", RW, NULL },
	{ R, E2_RO_GDT_CSUM, "uninit_bg", RW, NULL },
	{ R, E2_RO_DIR_NLINK, "dir_nlink", RW, NULL },
	{ R, E2_RO_EXTRA_ISIZE, "extra_isize", RW, NULL },
	{ R, E2_RO_HAS_SNAPSHOT, "has_snapshot", RO, "snapshots are not kept up" },
	{ R, E2_RO_QUOTA, "quota", RO, "usage is not counted" },
	{ R, E2_RO_BIGALLOC, "bigalloc", RO, "clusters are not allocated" },
	{ R, E2_RO_METADATA_CSUM, "metadata_csum", RW, NULL },
	{ R, E2_RO_REPLICA, "replica", RO, "replicas are not kept up" },
	{ R, E2_RO_READONLY, "read-only", RO, "the volume asks for it; tune2fs -O ^read-only undoes it" },
	{ R, E2_RO_PROJECT, "project", RO, "usage is not counted" },
	{ R, E2_RO_SHARED_BLOCKS, "shared_blocks", RO, "files share blocks" },
	{ R, E2_RO_VERITY, "verity", RO, "protected files are not verified" },
	{ R, E2_RO_ORPHAN_PRESENT, "orphan_present", RW, NULL },
	{ 0, 0, NULL, RW, NULL },
};

#undef C
#undef I
#undef R
#undef RW
#undef RO
#undef NO

static void append(char *text, size_t size, const char *name)
{
	size_t n = strlen(text);

	snprintf(text + n, size - n, "%s%s", n ? ", " : "", name);
}

/* The bits of @word that no row of the table knows are named by their number, as dumpe2fs does. */
static void append_unknown(char *text, size_t size, enum e2_feature_word word, uint32_t bits)
{
	static const char letter[] = { 'C', 'I', 'R' };

	for (const struct e2_feature *f = e2_features; f->name; f++)
		if (f->word == word)
			bits &= ~f->bit;
	for (unsigned i = 0; i < 32; i++) {
		char name[24];

		if (!(bits >> i & 1))
			continue;
		snprintf(name, sizeof(name), "FEATURE_%c%u", letter[word], i);
		append(text, size, name);
	}
}

static void append_known(char *text, size_t size, const uint32_t words[3], enum e2_feature_mode mode)
{
	for (const struct e2_feature *f = e2_features; f->name; f++)
		if (f->mode == mode && (words[f->word] & f->bit))
			append(text, size, f->name);
}

enum e2_feature_mode e2_features_check(uint32_t compat, uint32_t incompat, uint32_t ro_compat,
				       char *text, size_t size)
{
	const uint32_t words[3] = { compat, incompat, ro_compat };

	text[0] = '\0';
	append_known(text, size, words, E2_FEATURE_REFUSED);
	for (int w = E2_WORD_COMPAT; w <= E2_WORD_RO_COMPAT; w++)
		append_unknown(text, size, (enum e2_feature_word)w, words[w]);
	if (text[0])
		return E2_FEATURE_REFUSED;
	append_known(text, size, words, E2_FEATURE_RO);
	return text[0] ? E2_FEATURE_RO : E2_FEATURE_RW;
}
