/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name_rules.h: the rules of a mount with their tables, for the files that
 * implement name.h.
 */
#ifndef FAT_NAME_RULES_H
#define FAT_NAME_RULES_H

#include "charset.h"
#include "name.h"

struct fat_names {
	struct fat_charset *codepage;
	struct fat_charset *io;			/* NULL: UTF-8 */
	enum fat_shortname shortname;
	bool uni_xlate, nonumtail, case_sensitive;
	uint8_t upper[256], lower[256];		/* single bytes of the codepage; others are themselves */
	uint64_t hash_key;			/* odd, random */
};

/* Fill upper and lower from the codepage. */
void fat_short_tables(struct fat_names *names);
/* Fill in short_name, lcase, is_short and needs_tail of a name whose units are good for creation. */
void fat_short_make(const struct fat_names *names, struct fat_name *name);

#endif
