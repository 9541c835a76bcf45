// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_random.c: the lines of a seed.  Few names in many spellings, so that
 * operations meet; what a line does never depends on what came before but
 * for the generator's own state.
 */
#include <stdio.h>
#include <string.h>

#include "fat_trace.h"

static uint32_t roll(struct trace_random *r)
{
	r->state = r->state * 6364136223846793005ull + 1442695040888963407ull;
	return (uint32_t)(r->state >> 33);
}

/*
 * Names of each kind, escaped.  None differs from another only in the case
 * of letters outside ASCII: differences.md, the kernel's utf8 tells those apart.
 */
static const char *const short_names[] = { "FOO", "bar.txt", "X", "README.MD", "12345678.123", "LONGFI~1.TXT", "LONGFI~2.TXT", "ALONGD~1" };
static const char *const long_names[] = {
	"LongFileName.txt", "longfilename2.txt", "Long.File.Name.TXT", "a\\x20b.txt", "name.with.dots", ".hidden", "12345678.1234",
	"123456789.123", "+plus=[x],;.txt", "~tilde~", "%&'()-@^_`{}!#$", "no\\x20short\\x20name\\x20at\\x20all",
};
static const char *const odd_names[] = {
	"bar.txt.", "X..", "trail\\x20", "trail", "\\x20lead", "trail.\\x20.", "...", "x.\\x20", "CON", "nul.txt", "COM1", "AUX.c",
};
static const char *const forbidden_names[] = {
	"a:b", "a*b", "a?b", "a<b", "a>b", "a|b", "a\"b", "a\\x5cb", "a\\x01b", "tab\\x09", "\\xff\\xfe", "a\\xc3", "\\xed\\xa0\\x80", "\\xf4\\x90\\x80\\x80", "\\xc0\\xaf",
};
static const char *const unicode_names[] = {
	"gr\\xc3\\xbcn.txt", "\\xc3\\xa9", "\\xe6\\x97\\xa5\\xe6\\x9c\\xac\\xe8\\xaa\\x9e", "\\xf0\\x9f\\x98\\x80.txt",
	"\\xe2\\x82\\xac\\x20sign", "\\xce\\xa9mega", "e\\xcc\\x81", "\\xef\\xbc\\xa1",
};
static const char *const dirs[] = { "dir0", "Sub\\x20Directory", "DIR2", "A\\x20long\\x20directory\\x20name" };

#define COUNT(table) (sizeof(table) / sizeof((table)[0]))
#define PICK(r, table) ((table)[roll(r) % COUNT(table)])

/* Another spelling: letters that are no part of an escape change case. */
static void respell(struct trace_random *r, char *name)
{
	uint32_t how = roll(r) % 8, bits = roll(r);

	for (; how < 3 && *name; name++) {
		if (*name == '\\') {
			name += 3;
			continue;
		}
		if ((*name >= 'a' && *name <= 'z' && how != 1) || (*name >= 'A' && *name <= 'Z' && how != 0))
			if (how != 2 || (bits = bits * 5 + 1) >> 31)
				*name = (char)(*name ^ 0x20);
	}
}

static const char *pick_name(struct trace_random *r)
{
	uint32_t kind = roll(r) % 40;

	if (kind < 16)
		return r->modest ? short_names[roll(r) % 5] : PICK(r, short_names);
	if (kind < 30)
		return PICK(r, long_names);
	if (kind < 34)
		return PICK(r, odd_names);
	if (kind < 38)
		return PICK(r, unicode_names);
	return PICK(r, forbidden_names);
}

/* The longest names: units of UTF-16 around 255. */
static size_t longest_name(struct trace_random *r, char *name)
{
	static const unsigned lengths[] = { 254, 255, 255, 255, 256, 300 };
	static const struct { const char *text; unsigned units; } letters[] = {
		{ "n", 1 }, { "N", 1 }, { "\\xc3\\xbc", 1 }, { "\\xe6\\x97\\xa5", 1 }, { "\\xf0\\x9f\\x98\\x80", 2 },
	};
	unsigned length = PICK(r, lengths), letter = roll(r) % COUNT(letters);
	size_t used = 0;

	if (strlen(letters[letter].text) == 12 && letters[letter].units == 1 && length > 255)
		length = 255;	/* longer than FUSE has names; cases/lengths */
	for (unsigned units = 0; units < length; units += letters[letter].units)
		used += (size_t)sprintf(name + used, "%s", letters[letter].text);
	return used;
}

static void random_path(struct trace_random *r, char *path, bool directory)
{
	unsigned depth = roll(r) % 10;
	char *start;

	depth = depth < 5 ? 0 : depth < 9 ? 1 : 2;
	for (unsigned i = 0; i < depth; i++) {
		start = path;
		path += sprintf(path, "%s", PICK(r, dirs));
		respell(r, start);
		*path++ = '/';
	}
	if (!directory && roll(r) % 60 == 0 && !r->modest) {
		longest_name(r, path);
		return;
	}
	strcpy(path, directory ? PICK(r, dirs) : pick_name(r));
	respell(r, path);
}

static uint64_t random_offset(struct trace_random *r)
{
	switch (roll(r) % 8) {
	case 0: return 0;
	case 1: return (uint64_t)(roll(r) % 40) * 512;
	case 2: return (uint64_t)(roll(r) % 20) * 4096;
	case 3: return roll(r) % 400000;
	default: return roll(r) % 60000;
	}
}

static uint64_t random_length(struct trace_random *r)
{
	return roll(r) % 5 ? roll(r) % 9000 : roll(r) % 60000;
}

static int64_t random_time(struct trace_random *r)
{
	/* Even ones: others show as given until the inode is dropped; cases/attributes has those. */
	static const int64_t times[] = { 315532800, 315532802, 500000000, 951782398, 1000000000, 2147483646, 2147483648, 4294967296, 4354819196, 4354819198 };

	return PICK(r, times);
}

/* What a line is made of, by letter of its format. */
static void put_word(struct trace_random *r, char letter, char *out)
{
	static const char *const opens[] = { "w", "b", "bc", "bcx", "bct", "bca", "bt", "ba", "", "d", "bc", "bc", "bc", "bc" };
	static const char *const modes[] = { "0644", "0755", "0444", "0555", "0777", "0600", "0", "0200", "01755", "04755" };
	static const char *const attributes[] = { "0", "1", "0x20", "0x21", "2", "4", "0x26", "0x10", "8", "0x30", "0x40", "0x11" };
	static const char *const renames[] = { "0", "0", "0", "0", "1", "2", "2", "4" };
	static const char *const ids[] = { "0", "0", "-1", "1000", "1" };
	static const char *const kinds[] = { "0010644", "0020644", "0060644", "0100644", "0140644" };
	static const char *const allocations[] = { "0", "0", "1", "1", "2", "3", "16" };

	switch (letter) {
	case 'P': random_path(r, out, false); break;
	case 'D': random_path(r, out, true); break;
	case 's': sprintf(out, "%u", roll(r) % 4); break;
	case 'f': strcpy(out, PICK(r, opens)); strcat(out, "n"); break;
	case 'm': strcpy(out, PICK(r, modes)); break;
	case 'o': sprintf(out, "%llu", (unsigned long long)random_offset(r)); break;
	case 'l': sprintf(out, "%llu", (unsigned long long)random_length(r)); break;
	case 'T': sprintf(out, "%lld", (long long)random_time(r)); break;
	case 'N': sprintf(out, "%u", roll(r) % 1000000000); break;
	case 'a': strcpy(out, PICK(r, attributes)); break;
	case 'r': strcpy(out, PICK(r, renames)); break;
	case 'i': strcpy(out, PICK(r, ids)); break;
	case 'k': strcpy(out, PICK(r, kinds)); break;
	case 'A': strcpy(out, PICK(r, allocations)); break;
	}
}

static const struct { const char *name, *format; unsigned weight; } kinds[] = {
	{ "open", "sfmP", 40 },	   { "close", "s", 3 },	       { "write", "sol", 24 },	    { "read", "sol", 8 },
	{ "mmap", "sol", 3 },	   { "ftruncate", "so", 7 },   { "truncate", "Po", 5 },	    { "fallocate", "sAol", 6 },
	{ "fsync", "s", 3 },	   { "fstat", "s", 3 },	       { "mkdir", "Dm", 12 },	    { "mkdir", "Pm", 5 },
	{ "rmdir", "D", 4 },	   { "rmdir", "P", 2 },	       { "unlink", "P", 9 },	    { "rename", "PPr", 14 },
	{ "rename", "DDr", 4 },	   { "rename", "PDr", 3 },     { "link", "PP", 1 },	    { "symlink", "PP", 1 },
	{ "mknod", "Pk", 2 },	   { "chmod", "Pm", 6 },       { "chown", "Pii", 3 },	    { "utime", "PTTN", 8 },
	{ "stat", "P", 10 },	   { "list", "D", 5 },	       { "both", "D", 3 },	    { "attr", "P", 4 },
	{ "setattr", "Pa", 6 },	   { "access", "Pr", 2 },
};

/* The first lines make the directories that paths lead through. */
static bool first_line(unsigned step, char *line, size_t size)
{
	if (step <= COUNT(dirs))
		snprintf(line, size, "mkdir %s 0755", dirs[step - 1]);
	else if (step <= 2 * COUNT(dirs))
		snprintf(line, size, "mkdir dir0/%s 0755", dirs[step - 1 - COUNT(dirs)]);
	return step <= 2 * COUNT(dirs);
}

void trace_random_line(struct trace_random *r, char *line, size_t size)
{
	static char word[8 * TRACE_WORD_MAX];
	unsigned total = 0, pick, k = 0;
	size_t used;

	if (first_line(++r->step, line, size))
		return;
	if (r->step % 500 == 0) {
		snprintf(line, size, "tree .");
		return;
	}
	if (r->step % 40 == 0) {
		r->uid = roll(r) % 4 ? 0 : 1000;
		snprintf(line, size, "as %u", r->uid);
		return;
	}
	for (size_t i = 0; i < COUNT(kinds); i++)
		total += kinds[i].weight;
	pick = roll(r) % total;
	while (pick >= kinds[k].weight)
		pick -= kinds[k++].weight;
	/* differences.md: whom allow_utime= lets set times */
	used = (size_t)snprintf(line, size, "%s", r->uid && !strcmp(kinds[k].name, "utime") ? "stat" : kinds[k].name);
	for (const char *f = kinds[k].format; *f && used < size; f++) {
		put_word(r, *f, word);
		used += (size_t)snprintf(line + used, size - used, " %s", word);
	}
}
