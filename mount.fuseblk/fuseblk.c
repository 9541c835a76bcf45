// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fuseblk.c: the fuseblk command: what is on a device ("probe"), and how a
 * mount is doing ("status").  Changes nothing.
 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config.h"
#include "device.h"
#include "mount.h"
#include "probe.h"

#define EXIT_USAGE 1
#define EXIT_STATUS_FAILED 2
#define TIMEOUT_MS 30000

static const char usage_text[] =
	"usage: fuseblk probe [--json] [--offset=BYTES] [--size=BYTES] SOURCE\n"
	"       fuseblk status DIR|SOURCE\n"
	"       fuseblk --help | --version\n";

static int usage_error(void)
{
	fputs(usage_text, stderr);
	return EXIT_USAGE;
}

/* ------------------------------------------------------------------ */
/* JSON                                                                */
/* ------------------------------------------------------------------ */

static const char *const kind_names[] = {
	[FB_PROBE_FILESYSTEM] = "filesystem", [FB_PROBE_ERROR] = "error",
	[FB_PROBE_UNKNOWN] = "unknown", [FB_PROBE_AMBIVALENT] = "ambivalent",
	[FB_PROBE_PARTITIONED] = "partitioned", [FB_PROBE_ENCRYPTED] = "encrypted",
	[FB_PROBE_RAID] = "raid", [FB_PROBE_SWAP] = "swap",
	[FB_PROBE_TIMEOUT] = "timeout", [FB_PROBE_OTHER] = "other",
};

/* The length of the valid UTF-8 sequence at @s, or 0. */
static size_t utf8_length(const unsigned char *s)
{
	static const struct { unsigned char mask, lead, len, low, high; } forms[] = {
		{ 0x80, 0x00, 1, 0, 0 },
		{ 0xff, 0xe0, 3, 0xa0, 0xbf }, { 0xff, 0xed, 3, 0x80, 0x9f },
		{ 0xff, 0xf0, 4, 0x90, 0xbf }, { 0xff, 0xf4, 4, 0x80, 0x8f },
		{ 0xe0, 0xc0, 2, 0x80, 0xbf }, { 0xf0, 0xe0, 3, 0x80, 0xbf },
		{ 0xfc, 0xf0, 4, 0x80, 0xbf },
	};
	size_t i, j;

	if (s[0] == 0xc0 || s[0] == 0xc1)
		return 0;
	for (i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		if ((s[0] & forms[i].mask) != forms[i].lead)
			continue;
		if (forms[i].len > 1 && (s[1] < forms[i].low || s[1] > forms[i].high))
			return 0;
		for (j = 2; j < forms[i].len; j++)
			if ((s[j] & 0xc0) != 0x80)
				return 0;
		return forms[i].len;
	}
	return 0;
}

/* A JSON string; bytes that are not UTF-8 become U+FFFD. */
static void put_string(const char *text)
{
	const unsigned char *s = (const unsigned char *)text;
	size_t n;

	putchar('"');
	while (*s) {
		n = utf8_length(s);
		if (n == 0)
			fputs("\xef\xbf\xbd", stdout);
		else if (*s == '"' || *s == '\\')
			printf("\\%c", *s);
		else if (*s < 0x20)
			printf("\\u%04x", *s);
		else
			fwrite(s, 1, n, stdout);
		s += n ? n : 1;
	}
	putchar('"');
}

static void put_member(const char *name, const char *value)
{
	if (!*value)
		return;
	printf(",\n  \"%s\": ", name);
	put_string(value);
}

static void put_partitions(const struct fb_probe_result *r)
{
	uint32_t i;

	fputs(",\n  \"partitions\": [", stdout);
	for (i = 0; i < r->partition_count; i++) {
		const struct fb_probe_partition *p = &r->partitions[i];

		printf("%s\n    {\"number\": %u, \"offset\": %" PRIu64 ", \"size\": %" PRIu64 ", \"type\": ",
		       i ? "," : "", p->number, p->offset, p->size);
		put_string(p->type);
		fputs(", \"name\": ", stdout);
		put_string(p->name);
		putchar('}');
	}
	fputs("\n  ]", stdout);
}

static void put_json(const struct fb_probe_result *r, const char *source, const char *text)
{
	uint32_t i;

	fputs("{\n  \"source\": ", stdout);
	put_string(source);
	printf(",\n  \"code\": %u", r->kind);
	put_member("kind", kind_names[r->kind]);
	put_member("type", r->type);
	put_member("version", r->version);
	put_member("label", r->label);
	put_member("uuid", r->uuid);
	if (r->block_size)
		printf(",\n  \"block_size\": %u", r->block_size);
	put_member("partition_table", r->pttype);
	if (r->partition_count)
		put_partitions(r);
	if (r->candidate_count) {
		fputs(",\n  \"candidates\": [", stdout);
		for (i = 0; i < r->candidate_count; i++) {
			if (i)
				fputs(", ", stdout);
			put_string(r->candidates[i]);
		}
		putchar(']');
	}
	put_member("message", text);
	fputs("\n}\n", stdout);
}

/* ------------------------------------------------------------------ */
/* Commands                                                            */
/* ------------------------------------------------------------------ */

static void set_error(struct fb_probe_result *r, int err)
{
	memset(r, 0, sizeof(*r));
	r->kind = FB_PROBE_ERROR;
	r->error = err;
}

static void probe_source(const char *source, uint64_t offset, uint64_t size, struct fb_probe_result *r)
{
	struct stat st;
	int fd, err;
	off_t end;

	/* Opening a FIFO would wait. */
	if (stat(source, &st)) {
		set_error(r, -errno);
		return;
	}
	if (!S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode)) {
		set_error(r, S_ISDIR(st.st_mode) ? -EISDIR : -ENOTBLK);
		return;
	}
	fd = open(source, O_RDONLY | O_CLOEXEC);
	if (fd < 0) {
		set_error(r, -errno);
		return;
	}
	end = fb_device_is_gzip(fd) ? -1 : lseek(fd, 0, SEEK_END);
	if (offset && end >= 0 && offset >= (uint64_t)end)
		err = -ERANGE;
	else
		err = fb_probe(fd, offset, size, TIMEOUT_MS, r);
	if (err)
		set_error(r, err);
	close(fd);
}

/* Says on standard error what is wrong with it. */
static bool parse_bytes(const char *option, const char *text, uint64_t min, uint64_t *out)
{
	bool good = fb_parse_size(text, out) == 0;

	if (!good)
		fprintf(stderr, "fuseblk probe: --%s=%s: not a number of bytes, with K, M, G or T behind it if need be\n",
			option, text);
	else if (*out < min)
		fprintf(stderr, "fuseblk probe: --%s=%s: at least %" PRIu64 "; leave it out for all there is\n", option,
			text, min);
	return good && *out >= min;
}

static int run_probe(int argc, char **argv)
{
	static const struct option longs[] = {
		{ "json", no_argument, NULL, 'j' },
		{ "offset", required_argument, NULL, 'o' },
		{ "size", required_argument, NULL, 's' },
		{ NULL, 0, NULL, 0 },
	};
	static struct fb_probe_result result;
	static char text[16384];
	uint64_t offset = 0, size = 0;
	bool json = false;
	int c;

	argv[0] = (char *)"fuseblk probe";	/* for what getopt says */
	while ((c = getopt_long(argc, argv, "jo:s:", longs, NULL)) != -1) {
		if (c == 'j')
			json = true;
		else if (c != 'o' && c != 's')
			return usage_error();
		else if (!parse_bytes(c == 'o' ? "offset" : "size", optarg, c == 's', c == 'o' ? &offset : &size))
			return EXIT_USAGE;
	}
	if (argc - optind != 1)
		return usage_error();
	probe_source(argv[optind], offset, size, &result);
	fb_probe_explain(&result, argv[optind], text, sizeof(text));
	if (json)
		put_json(&result, argv[optind], text);
	else
		puts(text);
	return fflush(stdout) ? FB_PROBE_ERROR : (int)result.kind;
}

static int run_status(int argc, char **argv)
{
	static char text[4096];
	int err;

	if (argc != 2)
		return usage_error();
	err = fb_mount_status(argv[1], text, sizeof(text));
	if (err) {
		fprintf(stderr, "fuseblk: %s\n", text);
		return EXIT_STATUS_FAILED;
	}
	printf("%s%s", text, text[0] && text[strlen(text) - 1] != '\n' ? "\n" : "");
	return 0;
}

static int run_help(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	fputs(usage_text, stdout);
	return 0;
}

static int run_version(int argc, char **argv)
{
	(void)argc;
	(void)argv;
	printf("fuseblk %s\n", PACKAGE_VERSION);
	return 0;
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int (*run)(int argc, char **argv);
	} commands[] = {
		{ "probe", run_probe }, { "status", run_status },
		{ "--help", run_help }, { "-h", run_help }, { "help", run_help },
		{ "--version", run_version }, { "-V", run_version },
	};
	size_t i;

	for (i = 0; argc > 1 && i < sizeof(commands) / sizeof(commands[0]); i++)
		if (strcmp(argv[1], commands[i].name) == 0)
			return commands[i].run(argc - 1, argv + 1);
	return usage_error();
}
