// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * options.c: one tokenizer for option strings, driven by tables.
 *
 * The grammar: tokens separated by commas, NAME or NAME=VALUE.  A double
 * quote begins and ends a stretch in which a comma is an ordinary byte; a
 * backslash makes the next byte ordinary, inside quotes and out.  Quotes and
 * backslashes that act are not part of the value.  Later tokens win.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "log.h"
#include "options.h"

struct token {
	const char *raw;	/* in the text */
	size_t raw_len;
	char *name;		/* unquoted copy, NUL-terminated; owned */
	char *value;		/* in name's memory; NULL where there was no '=' */
};

static int refuse(char *error, size_t size, const char *name, const char *why)
{
	snprintf(error, size, "mount option \"%.100s\" %s", name, why);
	fb_log_clean(error);
	return -EINVAL;
}

/* Take the next token off *@text. Returns 1, 0 at the end, or -errno. */
static int next_token(const char **text, struct token *tok, char *error, size_t error_size)
{
	const char *p = *text;
	bool quoted = false;
	char *to;

	while (*p == ',')
		p++;
	*text = p;
	if (!*p)
		return 0;
	tok->value = NULL;
	tok->raw = p;
	tok->name = to = malloc(strlen(p) + 1);
	if (!to)
		return -ENOMEM;
	for (; *p && (quoted || *p != ','); p++) {
		if (*p == '"') {
			quoted = !quoted;
		} else if (*p == '=' && !tok->value && !quoted) {
			*to++ = '\0';
			tok->value = to;
		} else {
			if (*p == '\\' && p[1])
				p++;
			*to++ = *p;
		}
	}
	*to = '\0';
	tok->raw_len = (size_t)(p - tok->raw);
	*text = p;
	if (!quoted)
		return 1;
	refuse(error, error_size, tok->name, "has a quote that is not closed");
	free(tok->name);
	return -EINVAL;
}

static const struct fuseblk_option *find(const struct fuseblk_option *table, const struct token *tok)
{
	for (; table && table->name; table++) {
		if (strcmp(table->name, tok->name) != 0)
			continue;
		/* "user" and "user=NAME" may be two options. */
		if (table->kind == FUSEBLK_OPT_IGNORE ||
		    (table->kind == FUSEBLK_OPT_FLAG) == !tok->value)
			return table;
	}
	return NULL;
}

static bool is_named(const struct fuseblk_option *table, const char *name)
{
	for (; table && table->name; table++)
		if (!strcmp(table->name, name))
			return true;
	return false;
}

static int store_uint(const struct fuseblk_option *opt, const char *value, void *dst,
		      char *error, size_t size)
{
	unsigned long long n;
	char *end;

	errno = 0;
	n = strtoull(value, &end, 0);
	if (value[0] < '0' || value[0] > '9' || *end || errno)
		return refuse(error, size, opt->name, "needs a number");
	if (opt->max && n > opt->max) {
		snprintf(error, size, "mount option \"%s\" is at most %llu", opt->name,
			 (unsigned long long)opt->max);
		return -EINVAL;
	}
	*(uint64_t *)dst = n;
	return 0;
}

static int store_string(const char *value, char **dst)
{
	char *copy = strdup(value);

	if (!copy)
		return -ENOMEM;
	free(*dst);
	*dst = copy;
	return 0;
}

static int store_choice(const struct fuseblk_option *opt, const char *value, int *dst,
			char *error, size_t size)
{
	size_t used;

	for (int i = 0; opt->choices[i]; i++) {
		if (!strcmp(opt->choices[i], value)) {
			*dst = i;
			return 0;
		}
	}
	used = (size_t)snprintf(error, size, "mount option \"%s\" is one of", opt->name);
	for (int i = 0; opt->choices[i] && used < size; i++)
		used += (size_t)snprintf(error + used, size - used, "%s %s", i ? "," : "",
					 opt->choices[i]);
	return -EINVAL;
}

static int store(const struct fuseblk_option *opt, const char *value, void *dst,
		 char *error, size_t size)
{
	char *field = (char *)dst + opt->offset;

	switch (opt->kind) {
	case FUSEBLK_OPT_FLAG:
		*(int *)(void *)field = opt->value;
		return 0;
	case FUSEBLK_OPT_UINT:
		return store_uint(opt, value, field, error, size);
	case FUSEBLK_OPT_STRING:
		return store_string(value, (char **)(void *)field);
	case FUSEBLK_OPT_CHOICE:
		return store_choice(opt, value, (int *)(void *)field, error, size);
	case FUSEBLK_OPT_IGNORE:
		return 0;
	}
	return -EINVAL;
}

/* What to say of a token that no row of @table takes. */
static int refuse_token(const struct fuseblk_option *table, const struct token *tok,
			char *error, size_t size)
{
	if (!is_named(table, tok->name))
		return refuse(error, size, tok->name, "is not known");
	return refuse(error, size, tok->name, tok->value ? "takes no value" : "needs a value");
}

int fuseblk_options_parse(const struct fuseblk_option *table, const char *text, void *dst,
			  char *error, size_t error_size)
{
	const struct fuseblk_option *opt;
	struct token tok;
	int ret;

	while ((ret = next_token(&text, &tok, error, error_size)) > 0) {
		opt = find(table, &tok);
		ret = opt ? store(opt, tok.value, dst, error, error_size) :
			    refuse_token(table, &tok, error, error_size);
		free(tok.name);
		if (ret)
			break;
	}
	if (ret == -ENOMEM)
		snprintf(error, error_size, "out of memory");
	return ret;
}

/* ---- the library's own ---------------------------------------------- */

#define FLAG(n, field, v, h) { n, FUSEBLK_OPT_FLAG, offsetof(struct fb_options, field), v, NULL, 0, h }
#define UINT(n, field, m, h) { n, FUSEBLK_OPT_UINT, offsetof(struct fb_options, field), 0, NULL, m, h }
#define IGNORE(n, h) { n, FUSEBLK_OPT_IGNORE, 0, 0, NULL, 0, h }

const struct fuseblk_option fb_option_table[] = {
	FLAG("ro", read_only, 1, "mount read-only"),
	FLAG("rw", read_only, 0, "mount read-write"),
	FLAG("writeback_cache", writeback, 1, "the kernel collects writes (default)"),
	FLAG("nowriteback_cache", writeback, 0, "every write reaches the daemon before write(2) returns"),
	FLAG("sync", sync, 1, "every change is on the device before its call returns"),
	FLAG("async", sync, 0, "changes reach the device later (default)"),
	FLAG("dirsync", dirsync, 1, "as sync, for changes of directories"),
	FLAG("atime", atime, FB_ATIME_RELATIME, "as relatime"),
	FLAG("relatime", atime, FB_ATIME_RELATIME, "access times change as relatime says (default)"),
	FLAG("noatime", atime, FB_ATIME_NONE, "reading changes no access time"),
	FLAG("strictatime", atime, FB_ATIME_STRICT, "every read served by the daemon changes the access time"),
	FLAG("nodiratime", nodiratime, 1, "reading a directory changes no access time"),
	FLAG("diratime", nodiratime, 0, "access times of directories too (default)"),
	UINT("commit", commit_seconds, 900, "seconds between commits; 0: the default, 5"),
	UINT("threads", threads, 64, "most threads that serve requests; 0: as suits the machine"),
	FLAG("debug", debug, 1, "log every request"),
	FLAG("sloppy", sloppy, 1, "options that nobody knows are ignored, as mount -s says"),
	IGNORE("defaults", "nothing"),
	{ NULL, 0, 0, 0, NULL, 0, NULL },
};

static void append_raw(char *to, const struct token *tok)
{
	size_t len = strlen(to);

	if (len)
		to[len++] = ',';
	memcpy(to + len, tok->raw, tok->raw_len);
	to[len + tok->raw_len] = '\0';
}

static int take_token(struct fb_options *out, const struct token *tok, char *error, size_t size)
{
	const struct fuseblk_option *opt;

	if (!is_named(fb_option_table, tok->name)) {
		append_raw(out->driver_options, tok);
		return 0;
	}
	opt = find(fb_option_table, tok);
	return opt ? store(opt, tok->value, out, error, size) :
		     refuse_token(fb_option_table, tok, error, size);
}

int fb_options_split(const char *text, struct fb_options *out, char *error, size_t error_size)
{
	struct token tok;
	int ret;

	*out = (struct fb_options){ .writeback = 1, .atime = FB_ATIME_RELATIME };
	out->driver_options = calloc(1, strlen(text) + 2);
	if (!out->driver_options)
		return -ENOMEM;
	while ((ret = next_token(&text, &tok, error, error_size)) > 0) {
		ret = take_token(out, &tok, error, error_size);
		free(tok.name);
		if (ret)
			break;
	}
	if (ret) {
		free(out->driver_options);
		out->driver_options = NULL;
	}
	return ret;
}

void fb_options_keep_known(const struct fuseblk_option *table, char *text)
{
	const char *rest = text;
	char *kept = calloc(1, strlen(text) + 2), error[160];
	struct token tok;

	if (!kept)
		return;
	while (next_token(&rest, &tok, error, sizeof(error)) > 0) {
		if (is_named(table, tok.name))
			append_raw(kept, &tok);
		free(tok.name);
	}
	strcpy(text, kept);
	free(kept);
}

void fb_options_free(const struct fuseblk_option *table, void *options)
{
	if (!options)
		return;
	for (; table && table->name; table++)
		if (table->kind == FUSEBLK_OPT_STRING)
			free(*(char **)(void *)((char *)options + table->offset));
	free(options);
}
