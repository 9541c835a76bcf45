/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * name.h: names as bytes of the mount, as UTF-16 of the long entries and as
 * 8.3 bytes of the short ones.  Pure: no I/O after fat_names_open(), which
 * loads iconv's tables; everything is immutable after that and may be used by
 * any thread.
 */
#ifndef FAT_NAME_H
#define FAT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "disk.h"

/*
 * shortname=: how 8.3 names are shown and made, as the kernel's vfat has it.
 * LOWER: shown in lower case.  WIN95: shown as stored, in capitals.  WINNT and
 * MIXED: shown as the case bits say.  A name is made without long slots where
 * it is all in capitals, with WINNT also where base and extension are each all
 * in one case, which the case bits then keep.
 */
enum fat_shortname { FAT_SHORT_LOWER, FAT_SHORT_WIN95, FAT_SHORT_WINNT, FAT_SHORT_MIXED };

struct fat_name_rules {
	const char *codepage;		/* "437", "932", ...: iconv's CPnnn or IBMnnn; NULL: 437 */
	const char *iocharset;		/* iconv's or the kernel's name, NULL: utf8 */
	bool utf8;			/* names of the mount are UTF-8, whatever iocharset says */
	bool uni_xlate;			/* units that the mount's charset cannot say are written :xxxx, and read back */
	bool nonumtail;			/* no ~1 where the name without is free */
	enum fat_shortname shortname;
	bool case_sensitive;		/* check=s */
	bool dots;			/* dots/nodots, of msdos: no effect on names */
};

struct fat_names;			/* the rules of a mount with their tables */

/*
 * Load the tables.  Blocks, opens files (iconv; not for codepage 437 with
 * UTF-8): call before any containment.  @rules need not outlive the call.
 * Returns 0; -EINVAL (unknown codepage or charset, one in which ASCII is not
 * ASCII, or a codepage with more than two bytes a character) with a line in
 * @why; -ENOMEM.  Free with fat_names_close().
 */
int fat_names_open(const struct fat_name_rules *rules, struct fat_names **out, char *why, size_t why_size);
void fat_names_close(struct fat_names *names);

/* A name to be looked up or to be given to something. */
struct fat_name {
	uint16_t units[FAT_LONG_MAX + 1];	/* UTF-16, host order, without the trailing dots and spaces that are not kept */
	unsigned len;				/* 1..255 */
	bool altered;				/* fat_name_bytes() of @units is not the name given: dots were stripped, or it was spelt oddly */
	/*
	 * The 8.3 name: exact where the name can be one as it is, else the
	 * base of a numbered one.  These are filled in for creation only, and
	 * are zero for a lookup.
	 */
	uint8_t short_name[11];			/* as on disk: space padded, first byte 0x05 for 0xe5 */
	uint8_t lcase;				/* FAT_LCASE_*: for a short name that stands alone */
	bool is_short;				/* an 8.3 name says it all: no long slots (rules of shortname=) */
	bool needs_tail;			/* short_name lost something: a numeric tail is needed (nonumtail: only if taken) */
};

enum fat_name_fault {
	FAT_NAME_GOOD,
	FAT_NAME_CHARACTER,		/* a control character or one of "*:<>?|\/ */
	FAT_NAME_SPACE,			/* a space at the end */
	FAT_NAME_ENCODING,		/* bytes that are nothing in the mount's charset */
	FAT_NAME_TOO_LONG,		/* more than 255 units */
	FAT_NAME_EMPTY,			/* nothing but dots */
};

/*
 * Parse @len bytes of the mount for a lookup or (@create) for something new.
 * Trailing dots are no part of a name.  No name is reserved, CON and the like
 * neither.  As the kernel's vfat:
 * - a lookup accepts characters that creation refuses, since a volume may have
 *   them, and answers -ENOENT to what no entry can be called (ENCODING,
 *   TOO_LONG, EMPTY);
 * - creation answers -ENOENT to EMPTY, -ENAMETOOLONG to TOO_LONG and -EINVAL to
 *   the rest; the length goes before characters.
 * Returns 0 or that error, and *@fault in either case.  Any thread.
 */
int fat_name_parse(const struct fat_names *names, const char *bytes, size_t len, bool create,
		   struct fat_name *out, enum fat_name_fault *fault);
/* What the log says after the name: "ends in a space, which ...". No newline. */
const char *fat_name_fault_text(enum fat_name_fault fault);

/*
 * Settle the short_name of @name, parsed for creation, so that @taken (with
 * @ctx) says no: the name itself or with a numeric tail, by the rules of the
 * mount: ~1 to ~9 after up to six bytes, then four digits made from the long
 * name and ~1 to ~8 after up to two.  @taken returns 1 taken, 0 free, or an
 * error, which is passed on.  Asks it about ten times however many names there
 * are, and never more often than a directory has slots and a few.  Returns 0,
 * -EEXIST (an exact 8.3 name is taken), -ENOSPC (no number is free).
 */
int fat_name_shorten(const struct fat_names *names, struct fat_name *name,
		     int (*taken)(void *ctx, const uint8_t short_name[11]), void *ctx);

/*
 * Hash and comparison as lookup means them: by simple case folding, or exactly
 * with check=s; of names as the mount shows them, so that what its charset
 * cannot say is '?' here too (not with uni_xlate).  Equal names have equal
 * hashes.  Hashes differ from mount to mount, so that no volume can be made
 * whose names collide.
 */
uint32_t fat_name_hash(const struct fat_names *names, const uint16_t *units, unsigned len);
bool fat_name_equal(const struct fat_names *names, const uint16_t *a, unsigned a_len,
		    const uint16_t *b, unsigned b_len);

/*
 * The UTF-16 of an 8.3 name as the mount shows it: codepage ('?' for what is
 * not in it), lcase bits, shortname=.  Returns its length, 1..12, or 0: it is
 * empty or has a '/'.
 */
unsigned fat_short_units(const struct fat_names *names, const uint8_t short_name[11], uint8_t lcase,
			 uint16_t units[12]);
/*
 * Bytes of the mount for @units, without a NUL at the end.  A unit that its
 * charset cannot say becomes '?' (or :xxxx with uni_xlate).  Returns the
 * length, at most FAT_NAME_BYTES; -ENAMETOOLONG if it is more than @size;
 * -EINVAL for a '/' or NUL or nothing.
 */
#define FAT_NAME_BYTES (FAT_LONG_MAX * 5)	/* :xxxx for each unit */
int fat_name_bytes(const struct fat_names *names, const uint16_t *units, unsigned len, char *bytes, size_t size);

uint8_t fat_short_checksum(const uint8_t short_name[11]);

/*
 * The long slots of a name, first on disk first.  Returns their number,
 * 1..20.
 */
unsigned fat_long_encode(const uint16_t *units, unsigned len, uint8_t checksum,
			 struct fat_long_slot slots[FAT_LONG_SLOTS]);
/*
 * A long name being collected while slots pass in disk order.  Zero it, then
 * give it every slot with FAT_ATTR_LONG; at the short entry fat_long_finish()
 * says whether a whole name with this short name's checksum was collected.
 * Anything else in between: zero it.
 */
struct fat_long {
	uint16_t units[FAT_LONG_SLOTS * FAT_LONG_UNITS];
	uint8_t next;			/* sequence number expected, 0: nothing under way or broken */
	uint8_t checksum, slots;
};
void fat_long_add(struct fat_long *name, const struct fat_long_slot *slot);
/* Returns the length in units, 0: no long name. @name->slots then says how many slots it has. */
unsigned fat_long_finish(struct fat_long *name, const uint8_t short_name[11]);

#endif
