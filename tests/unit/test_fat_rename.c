// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_fat_rename.c: every way in which an entry moves, with the power cut at
 * each write and the device holding any of what was written since the last
 * flush; and a random workload.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include "fat_cut_rig.h"

/*
 * Directories d and e with names enough in each that what is added comes to
 * another sector; files small (5000 bytes), big (1.5 MiB) and none (empty),
 * with long and with short names.
 */
#define BIG 1572864u
#define FILL "for i in $(seq 20); do : >/tmp/fat-fill-$$; mcopy -i $F /tmp/fat-fill-$$ ::/d/fill$i.with_a_long_name; done; rm -f /tmp/fat-fill-$$; "
#define PUT(tag, size, path) "yes " tag " | head -c " size " >$F.put; mcopy -i $F $F.put ::" path "; rm -f $F.put; "
#define SCRIPT "mmd -i $F ::/d ::/e ::/e/sub ::/e/empty; " \
	PUT("one", "5000", "/ONE.TXT") PUT("two", "3000", "/two.with.a.long.name") PUT("big", "1572864", "/d/BIG.BIN") \
	PUT("four", "700", "/e/FOUR") PUT("five", "9000", "/e/sub/five-lower") PUT("none", "0", "/NONE") \
	PUT("long", "1572864", "/Long_File.bin")

struct shape { const char *name; uint64_t size; const char *mkfs; };

static const struct shape shapes[] = {
	{ "FAT12", 8u << 20, "-F 12 -s 8 -r 64" },
	{ "FAT16", 12u << 20, "-F 16 -s 4 -r 512 --mbr=n" },
	{ "FAT32", 34u << 20, "-F 32 -s 1" },
	{ "FAT16, 4096-byte sectors", 30u << 20, "-F 16 -S 4096 -s 1" },
};
#define SHAPES (sizeof(shapes) / sizeof(shapes[0]))

static void open_shape(struct cut_rig *c, const struct shape *shape, bool fill)
{
	char script[2600];

	snprintf(script, sizeof(script), "%s%s", SCRIPT, fill ? FILL : "");
	cut_make(c, shape->size, shape->mkfs, script);
	cut_has(c, "d", UINT32_MAX, "d");
	cut_has(c, "e", UINT32_MAX, "e");
	cut_has(c, "sub", UINT32_MAX, "e/sub");
	cut_has(c, "empty", UINT32_MAX, "e/empty");
	cut_has(c, "one", 5000, "ONE.TXT");
	cut_has(c, "two", 3000, "two.with.a.long.name");
	cut_has(c, "big", BIG, "d/BIG.BIN");
	cut_has(c, "four", 700, "e/FOUR");
	cut_has(c, "five", 9000, "e/sub/five-lower");
	cut_has(c, "none", 0, "NONE");
	cut_has(c, "long", BIG, "Long_File.bin");
	for (unsigned i = 1; fill && i <= 20; i++) {
		char path[60];

		snprintf(path, sizeof(path), "d/fill%u.with_a_long_name", i);
		cut_has(c, "none", 0, path);
	}
	cut_mount(c);
}

static struct cut_rig *c;

static void on_each_shape(const char *commands, unsigned repairs)
{
	for (unsigned i = 0; i < SHAPES; i++) {
		c = malloc(sizeof(*c));
		open_shape(c, &shapes[i], false);
		cut_run(c, commands);
		cut_finish(c, repairs);
		free(c);
	}
}

static void test_same_sector(void **state)
{
	(void)state;
	on_each_shape("mv NONE NONE2\nmv ONE.TXT ONE2.TXT\nsync\nmv ONE2.TXT Ein_langer_Name_der_mehr_braucht\nsync\n"
		      "mv e/FOUR e/four-is-longer-now\nmv e/sub e/bus", 2);
}

static void test_to_other_directory(void **state)
{
	(void)state;
	on_each_shape("mv ONE.TXT d/ONE.TXT\nmv NONE e/none.too\nsync\nmv two.with.a.long.name e/sub/two\nmv e/FOUR FOUR.NEW", 3);
}

static void test_split(void **state)
{
	(void)state;
	on_each_shape("split mv d/BIG.BIN e/big.somewhere.else\nsync\nsplit mv e/big.somewhere.else BIG2\n"
		      "split mv Long_File.bin d/Long_File.bin", 4);
}

static void test_directories(void **state)
{
	(void)state;
	on_each_shape("shared mv e/sub d/sub\nsync\nshared mv d/sub sub.in.root\nsync\nshared mv sub.in.root e/empty", 4);
}

static void test_over(void **state)
{
	(void)state;
	on_each_shape("mv ONE.TXT NONE\nsync\nmv two.with.a.long.name e/FOUR\nsync\nshared mv d/BIG.BIN e/sub/five-lower\n"
		      "sync\nmv NONE d/NONE\nsync\nmv e/FOUR d/NONE\n", 4);
}

static void test_fresh(void **state)
{
	(void)state;
	on_each_shape("create tmp 4000 tmp\nmv tmp ONE.TXT\nsync\ncreate tmp2 200000 d/tmp2\nmv d/tmp2 e/tmp3\n"
		      "mv e/tmp3 tmp4\nmv tmp4 e/FOUR\nsync\ncreate n 0 n\nsync\ncreate f 3000 f\nmv f d/f\nmv d/f n\n", 3);
}

static void test_again_in_one_epoch(void **state)
{
	(void)state;
	on_each_shape("mv ONE.TXT a\nmv a b\nmv b d/c\nmv d/c e/sub/x\nmv e/sub/x ONE.TXT\n"
		      "mv two.with.a.long.name ONE.TXT\nmv ONE.TXT d/two\nmv NONE d/two\n"
		      "split mv d/BIG.BIN B1\nsplit mv B1 B2\nsplit mv B2 e/B3\n"
		      "split mv e/B3 e/FOUR\nshared mv e/sub d/sub\nshared mv d/sub e/sub2\n", 4);
}

static void test_exchange(void **state)
{
	(void)state;
	on_each_shape("xchg ONE.TXT NONE\nsync\nxchg ONE.TXT two.with.a.long.name\nsync\nxchg two.with.a.long.name e/FOUR\n"
		      "sync\nshared xchg d/BIG.BIN e/FOUR\nsync\nshared xchg e/sub d\nsync\nshared xchg e/sub NONE\nsync\n"
		      "xchg NONE NONE\nENOENT xchg NONE nothing", 4);
}

static void test_refused(void **state)
{
	(void)state;
	on_each_shape("EISDIR mv ONE.TXT e\nENOTDIR mv d ONE.TXT\nENOTEMPTY mv d e\nEEXIST mvn ONE.TXT NONE\n"
		      "EEXIST mvn ONE.TXT none\nEINVAL mv ONE.TXT a?b\nENOENT mv nothing a\nENOENT mv nothing a?b\n"
		      "EEXIST mvn ONE.TXT TWOWIT~1.NAM\nmvn ONE.TXT free\nmv free ONE.TXT", 1);
}

/* ---- spellings ----------------------------------------------------------------------- */

static void test_case(void **state)
{
	(void)state;
	on_each_shape("mv ONE.TXT One.Txt\nmv One.Txt one.txt\nsync\nmv one.txt ONE.TXT\nsync\n"
		      "mvn two.with.a.long.name TWO.with.a.long.name\nsync\nmv e E\nsync\nmv E/sub E/SUB\nsync\nmv E/SUB E/Sub", 3);
}

static void test_case_in_full_sectors(void **state)
{
	char from[100], to[100];

	(void)state;
	for (unsigned i = 0; i < SHAPES; i++) {
		c = malloc(sizeof(*c));
		open_shape(c, &shapes[i], true);
		cut_run(c, "shared mv d/BIG.BIN d/Big.bin\nsync\n");
		for (unsigned k = 1; k <= 20; k += 3) {
			snprintf(from, sizeof(from), "d/fill%u.with_a_long_name", k);
			snprintf(to, sizeof(to), "d/FILL%u.With_A_Long_Name", k);
			assert_int_equal(cut_rename(c, from, to, 0), 0);
		}
		cut_run(c, "sync\nmv d/fill2.with_a_long_name d/F2\nshared mv d/BIG.BIN d/a_much_longer_name_for_the_big_file");
		cut_finish(c, 2);
		free(c);
	}
}

static void test_respelled(void **state)
{
	(void)state;
	on_each_shape("RESPELLED mv NONE one.txt\nRESPELLED mv two.with.a.long.name NONE.\nsync\nmv Long_File.bin LONG_F~1.BIN\n", 1);
}

/* ---- at random ------------------------------------------------------------------------- */

static const char *const names[] = {
	"a", "A.B", "some_long_name", "Another Long Name.txt", "d/x", "d/Y.Z", "d/quite a long name here", "e/x", "e/sub/x",
	"e/sub/The Name.Ext", "d/deep", "e/deep", "LAST",
};
#define NAMES (sizeof(names) / sizeof(names[0]))

static const char *any_name(void)
{
	const struct model_file *f = &c->files[rig_random(&c->rig, c->count)];

	return rig_random(&c->rig, 2) && f->lives ? f->path : names[rig_random(&c->rig, NAMES)];
}

static bool is_below(const char *path, const char *dir)
{
	size_t len = strlen(dir);

	return !strncasecmp(path, dir, len) && (!path[len] || path[len] == '/');
}

static void random_move(void)
{
	char from[CHECK_PATH], to[CHECK_PATH];
	uint32_t flags = rig_random(&c->rig, 5) ? 0 : FUSEBLK_RENAME_EXCHANGE;
	const struct model_file *f;

	strcpy(from, any_name());
	strcpy(to, any_name());
	f = cut_file(c, from);
	if (!f || is_below(to, from) || is_below(from, to))
		return;
	if (flags && (!cut_file(c, to) || !strcasecmp(from, to)))
		return;
	c->shared |= f->is_dir || f->size > 1u << 20;
	c->split |= f->size > 1u << 20;
	if (flags && cut_file(c, to))
		c->shared |= cut_file(c, to)->is_dir || cut_file(c, to)->size > 1u << 20;
	cut_rename(c, from, to, flags);
	/* a commit in between has begun a new epoch, of which this is part */
	c->shared |= f->is_dir || f->size > 1u << 20;
	c->split |= f->size > 1u << 20;
	if (flags)
		c->shared = true;
}

static void random_step(unsigned i)
{
	char tag[16];
	uint32_t r = rig_random(&c->rig, 20);

	snprintf(tag, sizeof(tag), "t%u", i);
	if (r < 13)
		random_move();
	else if (r < 16 && c->count < CUT_FILES - 2)
		cut_create(c, tag, rig_random(&c->rig, 3) * 2500, names[rig_random(&c->rig, NAMES)], rig_random(&c->rig, 6) == 0);
	else if (r < 17)
		cut_remove(c, any_name());
	else if (r < 18)
		cut_commit(c);
}

static void test_random(void **state)
{
	const char *text = getenv("FAT_RENAME_SEEDS");
	const char *first_text = getenv("FAT_RENAME_FIRST");
	unsigned first = first_text ? (unsigned)atoi(first_text) : 0, seeds = text ? (unsigned)atoi(text) : 6;

	(void)state;
	for (unsigned seed = first; seed < seeds; seed++) {
		const struct shape *shape = &shapes[seed % SHAPES];

		c = malloc(sizeof(*c));
		if (getenv("FAT_CUT_TRACE"))
			print_message("seed %u\n", seed);
		open_shape(c, shape, seed % 2);
		c->rig.seed = seed * 7919 + 1;
		for (unsigned i = 0; i < 60; i++)
			random_step(i);
		cut_finish(c, 4);
		free(c);
	}
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_same_sector),
		cmocka_unit_test(test_to_other_directory),
		cmocka_unit_test(test_split),
		cmocka_unit_test(test_directories),
		cmocka_unit_test(test_over),
		cmocka_unit_test(test_fresh),
		cmocka_unit_test(test_again_in_one_epoch),
		cmocka_unit_test(test_exchange),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_case),
		cmocka_unit_test(test_case_in_full_sectors),
		cmocka_unit_test(test_respelled),
		cmocka_unit_test(test_random),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
