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

/* shortname=: bits of how 8.3 names are shown and made, as the kernel's vfat documents them */
enum fat_shortname { FAT_SHORT_LOWER, FAT_SHORT_WIN95, FAT_SHORT_WINNT, FAT_SHORT_MIXED };

struct fat_name_rules {
	const char *codepage;		/* "437", "932", ...: iconv's CPnnn; NULL: 437 */
	const char *iocharset;		/* iconv's name, NULL: utf8 */
	bool utf8;			/* names of the mount are UTF-8, whatever iocharset says */
	bool uni_xlate;			/* what the mount's charset cannot say is written :xxxx, and read back */
	bool nonumtail;			/* no ~1 where the name without is free */
	enum fat_shortname shortname;
	bool case_sensitive;		/* check=s */
	bool dots;			/* a leading dot is hidden, names of msdos (dots/nodots): accepted, as the kernel's */
};

struct fat_names;			/* the rules of a mount with their tables */

/*
 * Load the tables.  Blocks, opens files (iconv): call before any containment.
 * Returns 0; -EINVAL (unknown codepage or charset, or one with more than two
 * bytes a character in the codepage) with a line in @why; -ENOMEM.  Free with
 * fat_names_close().
 */
int fat_names_open(const struct fat_name_rules *rules, struct fat_names **out, char *why, size_t why_size);
void fat_names_close(struct fat_names *names);

/* A name to be looked up or to be given to something. */
struct fat_name {
	uint16_t units[FAT_LONG_MAX + 1];	/* UTF-16, host order, without the trailing dots and spaces that are not kept */
	unsigned len;				/* 1..255 */
	bool altered;				/* @units is not the name given: something was stripped */
	/* the 8.3 name: exact where the name can be one as it is, else the base of a numbered one */
	uint8_t short_name[11];			/* as on disk: space padded, first byte 0x05 for 0xe5 */
	uint8_t lcase;				/* FAT_LCASE_*: for a short name that stands alone */
	bool is_short;				/* an 8.3 name says it all: no long slots (rules of shortname=) */
	bool needs_tail;			/* short_name lost something: a numeric tail is needed (nonumtail=: only if taken) */
};

enum fat_name_fault {
	FAT_NAME_GOOD, FAT_NAME_CHARACTER, FAT_NAME_ENCODING, FAT_NAME_TOO_LONG, FAT_NAME_RESERVED, FAT_NAME_EMPTY,
};

/*
 * Parse @len bytes of the mount for a lookup or (@create) for something new.
 * Lookups accept what creation refuses only where the kernel's do.  Returns
 * 0, -EINVAL or -ENAMETOOLONG, and then why in *@fault.
 */
int fat_name_parse(const struct fat_names *names, const char *bytes, size_t len, bool create,
		   struct fat_name *out, enum fat_name_fault *fault);
/* What the log says of a fault: "it has one of \"*:<>?|\\ ..." */
const char *fat_name_fault_text(enum fat_name_fault fault);

/*
 * Settle @name's short_name so that @taken (with @ctx) says no: the name
 * itself or with a numeric tail, by the rules of the mount (~1 to ~9, then as
 * the kernel and Windows do).  @taken returns 1 taken, 0 free, or an error,
 * which is passed on.  Bounded.  Returns 0, -EEXIST (an exact 8.3 name is
 * taken), -ENOSPC (no number is free).
 */
int fat_name_shorten(const struct fat_names *names, struct fat_name *name,
		     int (*taken)(void *ctx, const uint8_t short_name[11]), void *ctx);

/* Hash and comparison as lookup means them: by simple case folding, or exactly with check=s. */
uint32_t fat_name_hash(const struct fat_names *names, const uint16_t *units, unsigned len);
bool fat_name_equal(const struct fat_names *names, const uint16_t *a, unsigned a_len,
		    const uint16_t *b, unsigned b_len);

/* The UTF-16 of an 8.3 name as the mount shows it: codepage, lcase bits, shortname=. Returns its length, 1..12, or 0: it is not valid. */
unsigned fat_short_units(const struct fat_names *names, const uint8_t short_name[11], uint8_t lcase,
			 uint16_t units[12]);
/*
 * Bytes of the mount for @units.  What its charset cannot say becomes '?' (or
 * :xxxx with uni_xlate).  Returns the length, or -ENAMETOOLONG if it is not
 * in @size; -EINVAL for a '/' or NUL or nothing.
 */
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
