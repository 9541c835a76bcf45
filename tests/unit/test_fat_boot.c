// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_boot.c: boot sectors: those that mkfs.fat makes with every option
 * that changes one, hand-made ones for each refusal, and every one of them
 * with every byte of its parameters damaged.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>
#include "../../fs-fat/fat.h"

static char why[256];
static char *image_path;

/* ---- sectors ------------------------------------------------------------- */

#define MIB(n) ((uint64_t)(n) << 20)

static void put16(uint8_t *s, unsigned at, unsigned v)
{
	s[at] = (uint8_t)v;
	s[at + 1] = (uint8_t)(v >> 8);
}

static void put32(uint8_t *s, unsigned at, uint32_t v)
{
	put16(s, at, v & 0xffff);
	put16(s, at + 2, v >> 16);
}

#define FLOPPY_SIZE (2880u * 512)
#define FAT32_SIZE MIB(64)

/* Sectors of 512 bytes in clusters of 1, two tables; @start: the jump and the system's name. */
static void begin(uint8_t s[512], const char start[11], unsigned reserved, uint8_t media)
{
	memset(s, 0, 512);
	memcpy(s, start, 11);
	put16(s, 11, 512);
	s[13] = 1;
	put16(s, 14, reserved);
	s[16] = 2;
	s[21] = media;
	put16(s, 510, 0xaa55);
}

/* The serial number, and @names of the volume and the type. */
static void identify(uint8_t s[512], unsigned at, uint32_t serial, const char names[19])
{
	s[at] = 0x29;
	put32(s, at + 1, serial);
	memcpy(s + at + 5, names, 19);
}

/* A floppy of 1.44 MB */
static void floppy(uint8_t s[512])
{
	begin(s, "\xeb\x3c\x90MSDOS5.0", 1, 0xf0);
	put16(s, 17, 224);
	put16(s, 19, 2880);
	put16(s, 22, 9);
	identify(s, 38, 0x12345678, "FLOPPY     FAT12   ");
}

/* FAT32 of 64 MiB, 131072 sectors in clusters of 1 */
static void fat32(uint8_t s[512])
{
	begin(s, "\xeb\x58\x90MSWIN4.1", 32, 0xf8);
	put32(s, 32, 131072);
	put32(s, 36, 1009);
	put32(s, 44, 2);
	put16(s, 48, 1);
	put16(s, 50, 6);
	identify(s, 66, 0x9abcdef0, "CARD       FAT32   ");
}

static int parse(const uint8_t *s, uint64_t size, struct fat_geometry *geo)
{
	why[0] = '\0';
	return fat_boot_parse(s, size, 512, false, geo, why, sizeof(why));
}

/* Every area inside the one that holds it. */
static void check_geometry(const struct fat_geometry *g, uint64_t size)
{
	uint64_t bs = g->sector_size, tables, entries;

	assert_true(bs >= 512 && bs <= 4096 && !(bs & (bs - 1)));
	assert_true(g->bits == 12 || g->bits == 16 || g->bits == 32);
	assert_true(g->cluster_size >= bs && g->cluster_size == 1u << g->cluster_shift);
	assert_true(g->clusters > 0 && g->volume_size <= size);
	assert_true(g->fat_start >= bs && g->fat_size >= bs && !(g->fat_start % bs) && !(g->fat_size % bs));
	tables = g->fat_start + g->fat_size * (g->fat_copies + 1);
	assert_true(tables > g->fat_start && tables <= g->data_start && !(g->data_start % bs));
	entries = g->fat_size * 8 / g->bits;
	assert_true(g->clusters + 2ull <= entries);
	assert_true(g->data_start + (uint64_t)g->clusters * g->cluster_size <= g->volume_size);
	assert_true(g->fsinfo < g->fat_start && g->backup < g->fat_start);
	assert_true(g->tail == (g->bits == 32 ? 64u : 36u));
	if (g->bits == 32) {
		assert_int_equal(g->root_slots, 0);
		assert_true(fat_is_cluster(g, g->root_cluster));
	} else {
		assert_true(g->root_slots > 0 && g->root_start >= tables && !(g->root_start % bs));
		assert_true(g->root_start + g->root_slots * 32ull <= g->data_start);
	}
}

static void test_known(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	floppy(s);
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	check_geometry(&g, FLOPPY_SIZE);
	assert_int_equal(g.bits, 12);
	assert_int_equal(g.clusters, 2847);
	assert_int_equal(g.fat_start, 512);
	assert_int_equal(g.fat_size, 9 * 512);
	assert_int_equal(g.fat_copies, 1);
	assert_int_equal(g.root_start, 19 * 512);
	assert_int_equal(g.root_slots, 224);
	assert_int_equal(g.data_start, 33 * 512);
	assert_int_equal(g.serial, 0x12345678);
	assert_memory_equal(g.label, "FLOPPY     ", 11);
	assert_true(g.has_tail && !g.dirty && !g.fsinfo);

	fat32(s);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	check_geometry(&g, FAT32_SIZE);
	assert_int_equal(g.bits, 32);
	assert_int_equal(g.clusters, 131072 - 32 - 2 * 1009);
	assert_int_equal(g.fsinfo, 512);
	assert_int_equal(g.backup, 6 * 512);
	assert_int_equal(g.root_cluster, 2);
	assert_int_equal(g.serial, 0x9abcdef0);
	s[65] = 1;
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_true(g.dirty);
}

/* ---- what is allowed ----------------------------------------------------- */

static void test_active_table(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	fat32(s);
	put16(s, 40, 0x0081);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	check_geometry(&g, FAT32_SIZE);
	assert_int_equal(g.fat_start, (32 + 1009) * 512);
	assert_int_equal(g.fat_copies, 0);
	put16(s, 40, 0x0080);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_int_equal(g.fat_start, 32 * 512);
	assert_int_equal(g.fat_copies, 0);
	/* without the flag the number means nothing */
	put16(s, 40, 0x000f);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_int_equal(g.fat_start, 32 * 512);
	assert_int_equal(g.fat_copies, 1);
}

/* Where FAT12 ends, to the cluster; and FAT32 with few clusters is FAT32. */
static void test_variant_by_count(void **state)
{
	static const struct { unsigned clusters, bits; } rows[] = {
		{ 1, 12 }, { 4083, 12 }, { 4084, 12 }, { 4085, 16 }, { 4086, 16 }, { 65524, 16 },
	};
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		floppy(s);
		put16(s, 22, 256);
		put16(s, 19, 0);
		put32(s, 32, 1 + 2 * 256 + 14 + rows[i].clusters);
		assert_int_equal(parse(s, MIB(64), &g), 0);
		check_geometry(&g, MIB(64));
		assert_int_equal(g.bits, rows[i].bits);
		assert_int_equal(g.clusters, rows[i].clusters);
	}
	fat32(s);
	put32(s, 32, 32 + 2 * 1009 + 5);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_int_equal(g.bits, 32);
	assert_int_equal(g.clusters, 5);
}

/* Tables without room for the two reserved entries lose two clusters; smaller ones are refused. */
static void test_short_table(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	fat32(s);
	put32(s, 36, 100);
	put32(s, 32, 32 + 200 + 12800);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	check_geometry(&g, FAT32_SIZE);
	assert_int_equal(g.clusters, 12798);
	put32(s, 32, 32 + 200 + 12801);
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "100 sectors"));
}

static void test_oddities(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	floppy(s);
	s[21] = 0;				/* a camera's media byte */
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	put16(s, 510, 0);			/* and not even a signature */
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), -EINVAL);
	floppy(s);
	put16(s, 510, 0);			/* Atari */
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	floppy(s);
	s[38] = 0;				/* DOS 3: code where the serial number would be */
	s[37] = 0xff;
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	assert_false(g.has_tail || g.dirty || g.serial);
	assert_memory_equal(g.label, "           ", 11);
	floppy(s);
	s[38] = 0x28;				/* a serial number, but no label */
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	assert_true(g.has_tail && g.serial == 0x12345678);
	assert_memory_equal(g.label, "           ", 11);
	floppy(s);
	put16(s, 17, 17);			/* the root directory ends inside a sector */
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), 0);
	check_geometry(&g, FLOPPY_SIZE);
	assert_true(g.root_slots == 17 && g.data_start == g.root_start + 1024);
	fat32(s);
	put16(s, 48, 0xffff);			/* no FSINFO, no backup */
	put16(s, 50, 0xffff);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_true(!g.fsinfo && !g.backup);
	put16(s, 48, 0);			/* the usual place, as Linux has it */
	put16(s, 50, 0);
	assert_int_equal(parse(s, FAT32_SIZE, &g), 0);
	assert_true(g.fsinfo == 512 && !g.backup);
	fat32(s);
	s[13] = 128;
	put16(s, 11, 4096);			/* clusters of 512 KiB */
	assert_int_equal(parse(s, MIB(512), &g), 0);
	check_geometry(&g, MIB(512));
	assert_int_equal(g.cluster_size, 512 * 1024);
}

/* ---- what is refused ------------------------------------------------------ */

enum base { FLOPPY, CARD };

static const struct refusal {
	const char *what;
	enum base base;
	struct { uint8_t at, size; uint32_t value; } change[3];
	const char *words[2];
} refusals[] = {
	{ "sector size 0", FLOPPY, { { 11, 2, 0 } }, { "bytes per sector", "0" } },
	{ "sector size 256", FLOPPY, { { 11, 2, 256 } }, { "bytes per sector", "256" } },
	{ "sector size 513", FLOPPY, { { 11, 2, 513 } }, { "bytes per sector", "513" } },
	{ "sector size 8192", FLOPPY, { { 11, 2, 8192 } }, { "bytes per sector", "8192" } },
	{ "cluster of 0", FLOPPY, { { 13, 1, 0 } }, { "sectors per cluster", "0" } },
	{ "cluster of 3", FLOPPY, { { 13, 1, 3 } }, { "sectors per cluster", "3" } },
	{ "cluster of 255", CARD, { { 13, 1, 255 } }, { "sectors per cluster", "255" } },
	{ "nothing reserved", FLOPPY, { { 14, 2, 0 } }, { "reserved sectors", "0" } },
	{ "no table", FLOPPY, { { 16, 1, 0 } }, { "file allocation tables", "0" } },
	{ "no root directory", FLOPPY, { { 17, 2, 0 } }, { "root directory entries", "0" } },
	{ "no sectors", FLOPPY, { { 19, 2, 0 } }, { "total number of sectors", "0" } },
	{ "too few sectors", FLOPPY, { { 19, 2, 33 } }, { "total number of sectors is 33", "fill 33" } },
	{ "more sectors than the device", FLOPPY, { { 19, 2, 2881 } }, { "truncated", "1475072" } },
	{ "media 0x12", FLOPPY, { { 21, 1, 0x12 } }, { "media byte", "0x12" } },
	{ "table of no size", CARD, { { 36, 4, 0 } }, { "size of a file allocation table", "0" } },
	{ "table too small", FLOPPY, { { 22, 2, 2 } }, { "size of a file allocation table", "2" } },
	{ "table too large", CARD, { { 36, 4, 0xffffffff } }, { "total number of sectors", "8589934622" } },
	{ "FAT16 with too many clusters", FLOPPY, { { 19, 2, 0 }, { 32, 4, 66060 }, { 22, 2, 250 } }, { "65545 clusters", "65524" } },
	{ "version 1", CARD, { { 42, 2, 0x0100 } }, { "version", "1.0" } },
	{ "root cluster 0", CARD, { { 44, 4, 0 } }, { "root directory is 0", "2 to 129023" } },
	{ "root cluster 1", CARD, { { 44, 4, 1 } }, { "root directory is 1", "2 to 129023" } },
	{ "root cluster past the end", CARD, { { 44, 4, 129024 } }, { "root directory is 129024", "2 to 129023" } },
	{ "active table 2 of 2", CARD, { { 40, 2, 0x82 } }, { "active table is number 2", "only 2" } },
};

static void make_refusal(const struct refusal *r, uint8_t s[512])
{
	if (r->base == FLOPPY)
		floppy(s);
	else
		fat32(s);
	for (size_t i = 0; i < 3; i++) {
		if (r->change[i].size == 1)
			s[r->change[i].at] = (uint8_t)r->change[i].value;
		else if (r->change[i].size == 2)
			put16(s, r->change[i].at, r->change[i].value);
		else if (r->change[i].size == 4)
			put32(s, r->change[i].at, r->change[i].value);
	}
}

static void test_refusals(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	for (size_t i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		const struct refusal *r = &refusals[i];
		uint64_t size = r->base == CARD ? FAT32_SIZE : FLOPPY_SIZE;

		make_refusal(r, s);
		if (strstr(r->what, "FAT16"))
			size = FAT32_SIZE;
		if (parse(s, size, &g) != -EINVAL)
			fail_msg("%s: was accepted", r->what);
		if (!strstr(why, r->words[0]) || !strstr(why, r->words[1]) || strchr(why, '\n'))
			fail_msg("%s: \"%s\" does not say %s, %s", r->what, why, r->words[0], r->words[1]);
	}
}

static void test_device_sector(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	floppy(s);
	assert_int_equal(fat_boot_parse(s, FLOPPY_SIZE, 4096, false, &g, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "sectors of 512 bytes, the device has sectors of 4096"));
}

static void test_strangers(void **state)
{
	struct fat_geometry g;
	uint8_t s[512];

	(void)state;
	memset(s, 0, sizeof(s));
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "empty"));
	memcpy(s, "\xeb\x76\x90" "EXFAT   ", 11);
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "exFAT"));
	floppy(s);
	memcpy(s + 3, "NTFS    ", 8);
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "NTFS"));
	memcpy(s + 3, "-FVE-FS-", 8);
	assert_int_equal(parse(s, FLOPPY_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "BitLocker"));
	memset(s, 0, sizeof(s));
	put16(s, 510, 0xaa55);
	s[446] = 0x80;
	s[450] = 0x0c;
	put32(s, 454, 2048);
	put32(s, 458, 20480);
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "MBR partition table"));
	s[450] = 0xee;
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "GPT partition table"));
	memset(s, 0x5a, sizeof(s));
	assert_int_equal(parse(s, FAT32_SIZE, &g), -EINVAL);
	assert_non_null(strstr(why, "bytes per sector is 23130"));
}

/* ---- DOS 1 ----------------------------------------------------------------- */

static void test_dos1(void **state)
{
	static const struct { unsigned kib, cluster, root, fat_sectors, clusters; uint8_t media; } rows[] = {
		{ 160, 512, 64, 1, 313, 0xfe },
		{ 180, 512, 64, 2, 351, 0xfc },
		{ 320, 1024, 112, 1, 315, 0xff },
		{ 360, 1024, 112, 2, 354, 0xfd },
	};
	uint8_t s[512] = { 0xeb, 0x2f, 0x14 };
	struct fat_geometry g;

	(void)state;
	memset(s + 24, 0xcc, sizeof(s) - 24);	/* code, no parameters */
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		uint64_t size = rows[i].kib * 1024;

		assert_int_equal(fat_boot_parse(s, size, 512, true, &g, why, sizeof(why)), 0);
		check_geometry(&g, size);
		assert_int_equal(g.bits, 12);
		assert_int_equal(g.volume_size, size);
		assert_int_equal(g.cluster_size, rows[i].cluster);
		assert_int_equal(g.root_slots, rows[i].root);
		assert_int_equal(g.fat_size, rows[i].fat_sectors * 512);
		assert_int_equal(g.clusters, rows[i].clusters);
		assert_int_equal(g.media, rows[i].media);
		assert_false(g.has_tail);
		assert_int_equal(parse(s, size, &g), -EINVAL);
		assert_non_null(strstr(why, "dos1xfloppy"));
	}
	assert_int_equal(fat_boot_parse(s, FLOPPY_SIZE, 512, true, &g, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "no floppy of DOS 1"));
	s[21] = 0xfe;				/* not without parameters after all */
	assert_int_equal(fat_boot_parse(s, 160 * 1024, 512, true, &g, why, sizeof(why)), -EINVAL);
	assert_non_null(strstr(why, "bytes per sector"));
	floppy(s);				/* the option does no harm where there are parameters */
	assert_int_equal(fat_boot_parse(s, FLOPPY_SIZE, 512, true, &g, why, sizeof(why)), 0);
	assert_int_equal(g.clusters, 2847);
}

/* ---- every byte ------------------------------------------------------------- */

static unsigned damage(const uint8_t sector[512], uint64_t size)
{
	static const uint8_t values[] = { 0, 1, 0x7f, 0x80, 0xff };
	struct fat_geometry g;
	unsigned accepted = 0;
	uint8_t s[512];

	for (unsigned at = 0; at < 90; at++)
		for (size_t v = 0; v < sizeof(values); v++) {
			memcpy(s, sector, sizeof(s));
			s[at] = values[v];
			for (unsigned dos1x = 0; dos1x < 2; dos1x++) {
				if (fat_boot_parse(s, size, 512, dos1x, &g, why, sizeof(why))) {
					assert_true(why[0] && !strchr(why, '\n'));
					continue;
				}
				check_geometry(&g, size);
				accepted++;
			}
		}
	return accepted;
}

static void test_damage(void **state)
{
	uint8_t s[512];

	(void)state;
	floppy(s);
	assert_in_range(damage(s, FLOPPY_SIZE), 400, 860);
	fat32(s);
	assert_in_range(damage(s, FAT32_SIZE), 400, 860);
}

/* ---- what mkfs.fat makes ------------------------------------------------------- */

static bool has_mkfs(void)
{
	return system("command -v mkfs.fat >/dev/null 2>&1 || test -x /usr/sbin/mkfs.fat") == 0;
}

/* Make an image; false: mkfs.fat refuses this combination. */
static bool make_image(const char *options, uint64_t size, uint8_t s[512])
{
	char command[400];
	int fd = open(image_path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	snprintf(command, sizeof(command), "PATH=$PATH:/usr/sbin:/sbin mkfs.fat %s %s >/dev/null 2>&1", options,
		 image_path);
	if (system(command)) {
		close(fd);
		return false;
	}
	assert_int_equal(pread(fd, s, 512, 0), 512);
	close(fd);
	return true;
}

/* One image: 1, or 0 if mkfs.fat cannot make it. @bits 0: as it comes. */
static unsigned one_image(const char *options, uint64_t size, unsigned bits)
{
	struct fat_geometry g;
	uint8_t s[512];

	if (!make_image(options, size, s))
		return 0;
	if (parse(s, size, &g))
		fail_msg("mkfs.fat %s on %llu bytes: %s", options, (unsigned long long)size, why);
	check_geometry(&g, size);
	assert_true(g.has_tail == !strstr(options, "-A") && !g.dirty);
	/* FAT16 forced onto few clusters is FAT12 for everybody, mkfs.fat says so too. */
	if (bits == 16 && g.bits == 12)
		assert_true(g.clusters <= 4084);
	else if (bits)
		assert_int_equal(g.bits, bits);
	damage(s, size);
	return 1;
}

static void test_mkfs_matrix(void **state)
{
	static const unsigned bits[] = { 12, 16, 32 }, sectors[] = { 512, 1024, 2048, 4096 };
	static const unsigned clusters[] = { 1, 8, 64, 128 };
	static const uint64_t sizes[] = { 360 * 1024, MIB(5), MIB(40), MIB(600) };
	unsigned made = 0;
	char options[100];

	(void)state;
	if (!has_mkfs())
		skip();
	for (unsigned b = 0; b < 3; b++)
		for (unsigned s = 0; s < 4; s++)
			for (unsigned c = 0; c < 4; c++)
				for (unsigned z = 0; z < 4; z++) {
					snprintf(options, sizeof(options), "-F %u -S %u -s %u", bits[b], sectors[s],
						 clusters[c]);
					made += one_image(options, sizes[z], bits[b]);
				}
	assert_true(made > 60);
}

static void test_mkfs_options(void **state)
{
	static const struct { const char *options; uint64_t size; unsigned bits; } rows[] = {
		{ "", 160 * 1024, 12 }, { "", 360 * 1024, 12 }, { "", 720 * 1024, 12 }, { "", 1200 * 1024, 12 },
		{ "", FLOPPY_SIZE, 12 }, { "", 2880 * 1024, 12 }, { "", MIB(16), 0 }, { "", MIB(300), 0 },
		{ "", MIB(600), 32 }, { "", MIB(2500), 32 }, { "", MIB(40000), 32 },
		{ "-a", MIB(16), 0 }, { "-a -F 32", MIB(64), 32 }, { "-a -F 12 -s 64", MIB(16), 12 },
		{ "-f 1", MIB(16), 0 }, { "-f 3", MIB(16), 0 }, { "-f 4 -F 32", MIB(64), 32 },
		{ "-r 16", MIB(16), 0 }, { "-r 112 -S 4096", MIB(16), 0 }, { "-r 4096", MIB(16), 0 },
		{ "-R 1 -F 16", MIB(16), 16 }, { "-R 2 -F 32", MIB(64), 32 }, { "-R 1000 -F 32", MIB(64), 32 },
		{ "-F 32 -b 3", MIB(64), 32 }, { "-F 32 --mbr=y", MIB(64), 32 }, { "-F 16 --mbr=y", MIB(16), 16 },
		{ "-M 0xf0", MIB(16), 0 }, { "-h 2048", MIB(16), 0 }, { "-D 0 -g 255/63", MIB(16), 0 },
		{ "-i 12345678 -n LABEL", MIB(16), 0 }, { "-A", FLOPPY_SIZE, 12 }, { "-A", MIB(30), 0 },
		{ "-F 32 -s 1", MIB(2), 32 }, { "-F 32 -S 4096 -s 128", MIB(600), 32 },
	};

	(void)state;
	if (!has_mkfs())
		skip();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		if (!one_image(rows[i].options, rows[i].size, rows[i].bits))
			fail_msg("mkfs.fat %s on %llu bytes failed", rows[i].options, (unsigned long long)rows[i].size);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_known),
		cmocka_unit_test(test_active_table),
		cmocka_unit_test(test_variant_by_count),
		cmocka_unit_test(test_short_table),
		cmocka_unit_test(test_oddities),
		cmocka_unit_test(test_refusals),
		cmocka_unit_test(test_device_sector),
		cmocka_unit_test(test_strangers),
		cmocka_unit_test(test_dos1),
		cmocka_unit_test(test_damage),
		cmocka_unit_test(test_mkfs_matrix),
		cmocka_unit_test(test_mkfs_options),
	};
	char path[] = "/tmp/test_fat_boot.XXXXXX";
	int fd = mkstemp(path), ret;

	if (fd < 0)
		return 1;
	close(fd);
	image_path = path;
	ret = cmocka_run_group_tests(tests, NULL, NULL);
	unlink(path);
	return ret;
}
