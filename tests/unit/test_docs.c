// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_docs.c: the manual pages against the code they describe.
 *
 * fuseblk-ext2(8): its table of features has the rows of fs-ext2/features.c
 * with the same word and mode, and the image that a row names exists, has the
 * feature and is expected by images/README.md to behave that way; every
 * option of the driver and of the library is named.  fuseblk-fat(8): the same
 * of options, and the tests that its table names for each are there and use
 * it.  mount.fuseblk(8): every
 * option of the mount.  fuseblk(3): every function and operation of
 * fuseblk.h, and an example that consists of lines of the example driver.
 */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <zlib.h>
#include "../../fs-ext2/super.h"
#include "../../fs-fat/fat.h"
#include "mount_internal.h"
#include "options.h"

#define NO_IMAGE "\\(en"
#define ROW_MAX 256

struct row {
	char name[64], word[16], mode[16], image[64];
};

static char *ext2_page, *fat_page, *mount_page, *api_page;
static struct row rows[ROW_MAX];
static unsigned row_count;

/* ---- files of the source --------------------------------------------- */

static char *read_source(const char *name)
{
	char path[4096], *text = NULL;
	long size;
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s", FUSEBLK_SRCDIR, name);
	f = fopen(path, "re");
	if (!f || fseek(f, 0, SEEK_END) || (size = ftell(f)) < 0) {
		perror(path);
		exit(1);
	}
	rewind(f);
	text = calloc(1, (size_t)size + 1);
	if (!text || fread(text, 1, (size_t)size, f) != (size_t)size)
		exit(1);
	fclose(f);
	return text;
}

/* The next line of *@text into @line; false at the end. */
static bool next_line(const char **text, char *line, size_t size)
{
	size_t len = strcspn(*text, "\n");

	if (!**text)
		return false;
	snprintf(line, size, "%.*s", (int)len, *text);
	*text += len + ((*text)[len] == '\n');
	return true;
}

/* ---- the table of features ------------------------------------------- */

static void read_rows(void)
{
	const char *text = ext2_page;
	char line[512];

	while (next_line(&text, line, sizeof(line))) {
		struct row *r = &rows[row_count];

		if (row_count < ROW_MAX && sscanf(line, ".It %63s Ta %15s Ta %15s Ta %63s", r->name,
						  r->word, r->mode, r->image) == 4)
			row_count++;
	}
}

static const struct row *find_row(const char *name)
{
	for (unsigned i = 0; i < row_count; i++)
		if (!strcmp(rows[i].name, name))
			return &rows[i];
	return NULL;
}

static const char *const words[] = { "compat", "incompat", "ro_compat" };

/* A dirty journal is the one thing that an option can decide about: open.c. */
static const char *mode_of(const struct e2_feature *f)
{
	static const char *const modes[] = { "rw", "read-only", "refused" };

	return f->word == E2_WORD_INCOMPAT && f->bit == E2_IN_RECOVER ? "recover" : modes[f->mode];
}

static void test_feature_rows(void **state)
{
	unsigned count = 0, bad = 0;

	(void)state;
	for (const struct e2_feature *f = e2_features; f->name; f++, count++) {
		const struct row *r = find_row(f->name);

		if (r && !strcmp(r->word, words[f->word]) && !strcmp(r->mode, mode_of(f)))
			continue;
		print_error("fuseblk-ext2.8 should say: .It %s Ta %s Ta %s\n", f->name, words[f->word],
			    mode_of(f));
		bad++;
	}
	for (unsigned i = 0; i < row_count; i++)
		if (!strcmp(rows[i].name, "unknown"))
			count++;
	assert_int_equal(bad, 0);
	assert_int_equal(row_count, count);	/* no row without a feature */
}

/* The feature words of a bundled image. */
static void image_words(const char *image, uint32_t out[3])
{
	unsigned char bytes[2048];
	char path[4096];
	gzFile gz;

	snprintf(path, sizeof(path), "%s/images/%s.img.gz", FUSEBLK_SRCDIR, image);
	gz = gzopen(path, "re");
	if (!gz)
		fail_msg("%s: named in fuseblk-ext2.8, and not there", path);
	assert_int_equal(gzread(gz, bytes, sizeof(bytes)), sizeof(bytes));
	gzclose(gz);
	for (unsigned i = 0; i < 3; i++) {
		const unsigned char *p = bytes + 1024 + 0x5c + 4 * i;

		out[i] = p[0] | p[1] << 8 | p[2] << 16 | (uint32_t)p[3] << 24;
	}
}

static uint32_t known_bits(unsigned word)
{
	uint32_t bits = 0;

	for (const struct e2_feature *f = e2_features; f->name; f++)
		if (f->word == word)
			bits |= f->bit;
	return bits;
}

static uint32_t row_bits(const struct row *r, unsigned *word)
{
	for (*word = 0; *word < 2 && strcmp(words[*word], r->word) != 0; ++*word)
		;
	if (!strcmp(r->name, "unknown"))
		return ~known_bits(*word);
	for (const struct e2_feature *f = e2_features; f->name; f++)
		if (!strcmp(f->name, r->name))
			return f->bit;
	return 0;
}

/* What images/README.md expects of an image, in the manual's words. */
static void expected_mode(const char *readme, const char *image, char *mode, size_t size)
{
	char key[80], word[16] = "";
	const char *at;

	snprintf(key, sizeof(key), "\n| %s | ", image);
	at = strstr(readme, key);
	if (at)
		sscanf(at + strlen(key), "%15s", word);
	snprintf(mode, size, "%s", !strcmp(word, "ro") ? "read-only" : word);
}

static void test_images(void **state)
{
	char *readme = read_source("images/README.md");
	unsigned with_image = 0;

	(void)state;
	for (unsigned i = 0; i < row_count; i++) {
		const struct row *r = &rows[i];
		uint32_t found[3], bits;
		char mode[16];
		unsigned word;

		if (!strcmp(r->image, NO_IMAGE))
			continue;
		image_words(r->image, found);
		bits = row_bits(r, &word);
		if (!(found[word] & bits))
			fail_msg("%s: the image %s does not have it", r->name, r->image);
		expected_mode(readme, r->image, mode, sizeof(mode));
		assert_string_equal(mode, r->mode);
		with_image++;
	}
	free(readme);
	assert_true(with_image > 30);
}

/* ---- options --------------------------------------------------------- */

/* Is @name an argument of a line with Cm, bare or with a "=" or "*" behind it? */
static bool is_named(const char *page, const char *name)
{
	char line[1024], *rest, *word;

	while (next_line(&page, line, sizeof(line))) {
		if (strncmp(line, ".Cm ", 4) != 0 && strncmp(line, ".It Cm ", 7) != 0)
			continue;
		for (word = strtok_r(line + 3, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
			word[strcspn(word, "=*")] = '\0';
			if (!strcmp(word, name))
				return true;
		}
	}
	return false;
}

static unsigned missing_options(const char *page, const char *page_name, const struct fuseblk_option *table)
{
	unsigned missing = 0;

	for (; table->name; table++) {
		if (is_named(page, table->name))
			continue;
		print_error("the option %s is not in %s\n", table->name, page_name);
		missing++;
	}
	return missing;
}

static void test_driver_options(void **state)
{
	(void)state;
	assert_int_equal(missing_options(ext2_page, "fuseblk-ext2.8", e2_option_table), 0);
	assert_int_equal(missing_options(ext2_page, "fuseblk-ext2.8", fb_option_table), 0);
	assert_int_equal(missing_options(fat_page, "fuseblk-fat.8", fat_option_table), 0);
	assert_int_equal(missing_options(fat_page, "fuseblk-fat.8", fb_option_table), 0);
}

/* "and their opposites", "and their recursive forms", "the smackfs options" */
static bool is_implied(const char *page, const struct fb_mount_option *o)
{
	char no[64];

	if (o->class == FB_OPTION_REFUSE && o->name[0] == 'r')
		return is_named(page, o->name + 1);
	if (o->class == FB_OPTION_SECURITY)
		return !strncmp(o->name, "smackfs", 7) && is_named(page, "smackfs");
	if (o->class != FB_OPTION_FLAG)
		return false;
	snprintf(no, sizeof(no), "no%s", o->name);
	return is_named(page, no) || (!strncmp(o->name, "no", 2) && is_named(page, o->name + 2));
}

static void test_mount_options(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (const struct fb_mount_option *o = fb_mount_option_table; o->name; o++) {
		if (is_named(mount_page, o->name) || is_implied(mount_page, o))
			continue;
		print_error("the option %s is not in mount.fuseblk.8\n", o->name);
		missing++;
	}
	assert_int_equal(missing, 0);
}

/* ---- the library's interface ----------------------------------------- */

/* Is @word in @text with nothing of a name before or behind it? */
static bool has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = text; (p = strstr(p, word)); p += len) {
		bool before = p > text && (isalnum((unsigned char)p[-1]) || p[-1] == '_');
		bool behind = isalnum((unsigned char)p[len]) || p[len] == '_';

		if (!before && !behind)
			return true;
	}
	return false;
}

/* The name before the first "(" of a declaration, or of "(*name)(". "": none. */
static void declared_name(const char *line, char *name, size_t size)
{
	const char *end = strchr(line, '('), *start;

	name[0] = '\0';
	if (!end)
		return;
	if (end[1] == '*') {
		start = end + 2;
		end = start + strcspn(start, ")");
	} else {
		for (start = end; start > line && (isalnum((unsigned char)start[-1]) || start[-1] == '_'); start--)
			;
	}
	snprintf(name, size, "%.*s", (int)(end - start), start);
}

static void test_interface(void **state)
{
	char *header = read_source("libfuseblk/fuseblk.h"), line[1024], name[128];
	const char *text = header;
	unsigned seen = 0, missing = 0;

	(void)state;
	while (next_line(&text, line, sizeof(line))) {
		bool operation = line[0] == '\t' && strstr(line, "(*");

		if (strncmp(line, "FUSEBLK_API ", 12) != 0 && !operation)
			continue;
		declared_name(line, name, sizeof(name));
		if (!name[0] || !strcmp(name, "edit") || !strcmp(name, "run"))
			continue;
		seen++;
		if (has_word(api_page, name))
			continue;
		print_error("%s is not in fuseblk.3\n", name);
		missing++;
	}
	free(header);
	assert_int_equal(missing, 0);
	assert_true(seen > 70);
}

/* ---- the tests of FAT's options --------------------------------------- */

static void check_option_test(const char *option, const char *folder, const char *test, const char *suffix)
{
	char path[256], *text;

	snprintf(path, sizeof(path), "%s/%s.%s", folder, test, suffix);
	text = read_source(path);
	if (!has_word(text, option))
		fail_msg("fuseblk-fat.8 says that %s tests the option %s", path, option);
	free(text);
}

/* ".It Cm OPTION Ta DEFAULT Ta UNIT-TEST Ta ROOT-TEST" */
static void test_fat_option_rows(void **state)
{
	char line[512], option[64], unit[64], root[64];
	const char *text = fat_page;
	unsigned rows_seen = 0, options = 0;

	(void)state;
	while (next_line(&text, line, sizeof(line))) {
		if (sscanf(line, ".It Cm %63s Ta %*[^T]Ta %63s Ta %63s", option, unit, root) != 3)
			continue;
		check_option_test(option, "tests/unit", unit, "c");
		check_option_test(option, "tests/root", root, "sh");
		rows_seen++;
	}
	for (const struct fuseblk_option *o = fat_option_table; o->name; o++) {
		snprintf(line, sizeof(line), "\n.It Cm %s Ta ", o->name);
		if (!strstr(fat_page, line))
			fail_msg("the option %s has no row in fuseblk-fat.8", o->name);
		/* NAME and NAME=VALUE are one row, and stand together */
		options += o == fat_option_table || strcmp(o->name, o[-1].name) != 0;
	}
	assert_int_equal(rows_seen, options);
}

static void test_example(void **state)
{
	char *driver = read_source("libfuseblk/examples/linear.c"), line[512], whole[520];
	const char *text = strstr(api_page, "Lines of libfuseblk/examples/linear.c");
	unsigned lines = 0;

	(void)state;
	assert_non_null(text);
	while (next_line(&text, line, sizeof(line)) && strncmp(line, ".Ed", 3) != 0) {
		snprintf(whole, sizeof(whole), "\n%s\n", line);
		if (!lines++ || !strcmp(line, ".Bd -literal"))
			continue;	/* the marker itself */
		if (!strstr(driver, whole))
			fail_msg("not a line of linear.c: %s", line);
	}
	free(driver);
	assert_true(lines > 30);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_feature_rows),
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_driver_options),
		cmocka_unit_test(test_fat_option_rows),
		cmocka_unit_test(test_mount_options),
		cmocka_unit_test(test_interface),
		cmocka_unit_test(test_example),
	};
	int ret;

	ext2_page = read_source("docs/man/fuseblk-ext2.8");
	fat_page = read_source("docs/man/fuseblk-fat.8");
	mount_page = read_source("docs/man/mount.fuseblk.8");
	api_page = read_source("docs/man/fuseblk.3");
	read_rows();
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	free(ext2_page);
	free(fat_page);
	free(mount_page);
	free(api_page);
	return ret;
}
