// SPDX-License-Identifier: GPL-2.0-or-later
/* fat_line.c: a line of a trace: its words, the operation it names, its outcome. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fat_trace.h"

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

static bool is_plain(char c)
{
	return c > ' ' && c < 0x7f && c != '\\';
}

void trace_escape(const char *bytes, size_t len, char *out, size_t size)
{
	size_t used = 0;

	for (size_t i = 0; i < len && used + 5 < size; i++) {
		if (is_plain(bytes[i]))
			out[used++] = bytes[i];
		else
			used += (size_t)snprintf(out + used, size - used, "\\x%02x", (unsigned char)bytes[i]);
	}
	out[used] = 0;
}

void trace_bytes(const char *bytes, size_t len)
{
	char text[4 * TRACE_WORD_MAX + 1];

	trace_escape(bytes, len, text, sizeof(text));
	fputs(text, stdout);
}

static bool unescape(const char *text, size_t len, char *out)
{
	size_t used = 0;

	for (size_t i = 0; i < len; i++) {
		if (used + 2 > TRACE_WORD_MAX)
			return false;
		if (text[i] != '\\') {
			out[used++] = text[i];
			continue;
		}
		if (i + 3 >= len || text[i + 1] != 'x' || hex(text[i + 2]) < 0 || hex(text[i + 3]) < 0)
			return false;
		out[used++] = (char)(hex(text[i + 2]) << 4 | hex(text[i + 3]));
		i += 3;
	}
	out[used] = 0;
	return true;
}

static bool split(const char *line, struct trace_words *w)
{
	w->count = 0;
	while (*line) {
		size_t len;

		line += strspn(line, " ");
		len = strcspn(line, " \n");
		if (!len)
			break;
		if (w->count == TRACE_WORDS || !unescape(line, len, w->word[w->count++]))
			return false;
		line += len;
	}
	return w->count > 0;
}

long long trace_number(const char *word)
{
	return strtoll(word, NULL, 0);
}

void trace_result(long result)
{
	if (result < 0)
		printf(" = %s", strerrorname_np(errno));
	else if (result)
		printf(" = %ld", result);
	else
		printf(" = OK");
}

static const struct trace_operation *find(const char *name)
{
	static const struct trace_operation *const tables[] = {
		trace_name_operations, trace_data_operations, trace_attr_operations, trace_tree_operations,
	};

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]); i++)
		for (const struct trace_operation *op = tables[i]; op->name; op++)
			if (!strcmp(op->name, name))
				return op;
	return NULL;
}

bool trace_run(unsigned number, const char *line)
{
	static struct trace_words w;
	const struct trace_operation *op;

	if (!split(line, &w))
		return false;
	op = find(w.word[0]);
	if (!op || w.count < op->words)
		return false;
	printf("%u %.*s", number, (int)strcspn(line, "\n"), line);
	op->run(&w);
	putchar('\n');
	return true;
}
