// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_bases.c: see fat_bases.h.  A shell makes the volume and sends its bytes; what
 * is fresh gets a tree by the driver itself.
 */
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include "fakekernel.h"
#include "fat_bases.h"

#define MOST_BYTES (8u << 20)

#define BUNDLED(name) { name, "gunzip -c \"$S/images/" name ".img.gz\"", false }
#define FRESH(name, size, options) { name, \
	"f=$(mktemp -p \"$([ -w /dev/shm ] && echo /dev/shm || echo /tmp)\") && truncate -s " size " $f && " \
	"mkfs.fat -i 12345678 " options " $f >/dev/null 2>&1 && cat $f; rm -f $f", true }

extern const struct fuseblk_driver fat_driver;

static const struct { const char *name, *command; bool is_empty; } bases[] = {
	BUNDLED("fat12-floppy"), BUNDLED("fat16"), BUNDLED("fat16-attributes"), BUNDLED("fat32-few"), BUNDLED("fat32-4k"),
	BUNDLED("fat32-names"),
	FRESH("new-fat12", "300K", "-F 12 -s 1 -r 64"),
	FRESH("new-fat12-4k", "1M", "-F 12 -S 4096 -s 1"),
	FRESH("new-fat16", "2600K", "-F 16 -s 1"),
	FRESH("new-fat32", "1M", "-F 32 -s 1"),
	FRESH("new-fat32-one-table", "1M", "-F 32 -s 2 -f 1"),
	FRESH("new-fat32-clusters", "8M", "-F 32 -s 64"),
};

const unsigned fat_base_count = sizeof(bases) / sizeof(bases[0]);

const char *fat_base_name(unsigned base)
{
	return bases[base].name;
}

static void give_up(unsigned base)
{
	fprintf(stderr, "no volume %s: it is made by gunzip and mkfs.fat\n", bases[base].name);
	exit(99);
}

static uint64_t must(struct fk *fk, uint64_t dir, const char *name, bool is_dir)
{
	struct fuse_entry_out e;
	int err = is_dir ? fk_mkdir(fk, dir, name, 0755, &e) : fk_mknod(fk, dir, name, S_IFREG | 0644, 0, &e);

	if (err) {
		fprintf(stderr, "%s: %d\n", name, err);
		exit(99);
	}
	return e.nodeid;
}

/* A tree with every kind of thing, some of it in pieces or removed again; by the driver itself. */
static void populate(struct image *image)
{
	struct fk *fk = fk_start_ready(&fat_driver, image_device(image, false), "errors=continue");
	uint64_t dir = must(fk, FUSE_ROOT_ID, "dir", true), inner = must(fk, dir, "inner", true), node[10];
	static uint8_t bytes[3000];
	char name[80];

	must(fk, FUSE_ROOT_ID, "A Long Directory Name", true);
	must(fk, inner, "small.txt", false);
	for (unsigned i = 0; i < 10; i++) {
		snprintf(name, sizeof(name), "a file with a long name %u.txt", i);
		node[i] = must(fk, i % 3 ? dir : FUSE_ROOT_ID, i == 7 ? "FILE" : name, false);
	}
	for (unsigned i = 0; i < 30; i++)
		fk_write(fk, node[i * i % 10], i * 1000, bytes, sizeof(bytes), 0);
	fk_unlink(fk, dir, "a file with a long name 2.txt");
	fk_stop(fk);
}

static struct image *make(unsigned base)
{
	uint8_t *bytes = malloc(MOST_BYTES);
	struct image *image;
	size_t len;
	FILE *f;

	setenv("S", FUSEBLK_SRCDIR, 1);
	setenv("PATH", "/usr/sbin:/sbin:/usr/bin:/bin", 1);
	f = popen(bases[base].command, "r");
	if (!f || !bytes)
		give_up(base);
	len = fread(bytes, 1, MOST_BYTES, f);
	if (pclose(f) || !len)
		give_up(base);
	image = image_of_bytes(bytes, len);
	free(bytes);
	if (bases[base].is_empty)
		populate(image);
	return image;
}

struct image *fat_base(unsigned base)
{
	static struct image *made[sizeof(bases) / sizeof(bases[0])];

	if (!made[base])
		made[base] = make(base);
	return image_copy(made[base]);
}
