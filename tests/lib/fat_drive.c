// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * fat_drive.c: everything a FAT volume can be asked, over the fake kernel; see
 * fat_mutant.h.  What is visited is bounded: a damaged tree may be its own child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/msdos_fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include "../../fs-fat/disk.h"
#include "fakekernel.h"
#include "fat_mutant.h"

#define MOST_NODES 48
#define MOST_DEPTH 5
#define MOST_NAMES 24		/* looked at in one directory */
#define READ 65536u

extern const struct fuseblk_driver fat_driver;

struct seen {
	uint64_t dir, node, size;
	char name[1025];
	bool is_dir;
};

struct driving {
	struct fat_stream *s;
	struct fk *fk;
	struct fat_drive *result;
	struct seen seen[MOST_NODES];
	unsigned count;
	uint8_t bytes[READ];
};

static void die(const char *what, int err)
{
	fprintf(stderr, "fat_drive: %s: %d\n", what, err);
	abort();
}

/* Every reply has come in time, and is an errno that a caller may see. */
static ssize_t fine(struct driving *d, const char *what, ssize_t result)
{
	d->result->calls++;
	if (result == -ETIMEDOUT || result == -EPROTO || result == -EPIPE || result == -EBADMSG || result < -133)
		die(what, (int)result);
	return result;
}
#define CALL(d, what, ...) fine(d, #what, fk_##what((d)->fk, ##__VA_ARGS__))

/* ---- looking --------------------------------------------------------------------- */

static void look_file(struct driving *d, const struct seen *f)
{
	uint64_t places[] = { 0, 5000, f->size / 2, f->size > 100 ? f->size - 100 : 0, f->size };
	uint32_t attributes;
	uint64_t out;

	for (unsigned i = 0; i < sizeof(places) / sizeof(places[0]); i++)
		CALL(d, read, f->node, places[i], d->bytes, i ? 5000 : READ);
	CALL(d, lseek, f->node, f->size / 3, SEEK_HOLE, &out);
	CALL(d, bmap, f->node, 1, 4096, &out);
	CALL(d, ioctl, f->node, FAT_IOCTL_GET_ATTRIBUTES, NULL, 0, &attributes, sizeof(attributes));
}

static void look_node(struct driving *d, const struct seen *n)
{
	struct fuse_statx stx;

	CALL(d, getattr, n->node, NULL);
	CALL(d, statx, n->node, &stx);
	CALL(d, listxattr, n->node, (char *)d->bytes, 4096);
	CALL(d, getxattr, n->node, "system.fat_attrib", d->bytes, 16);
	if (!n->is_dir)
		look_file(d, n);
}

static void look_names(struct driving *d, uint64_t dir)
{
	uint8_t pair[2 * sizeof(struct __fat_dirent)];
	struct fuse_open_out open;

	if (CALL(d, opendir, dir, &open))
		return;
	for (unsigned i = 0; i < 40; i++)
		if (CALL(d, ioctl_dir, dir, open.fh, VFAT_IOCTL_READDIR_BOTH, pair, sizeof(pair)))
			break;
	CALL(d, readdir_fh, dir, open.fh, 1u << 20);
	CALL(d, release, dir, open.fh, true);
}

static void look_dir(struct driving *d, uint64_t dir, unsigned depth)
{
	struct fk_dirent *list;
	ssize_t n = CALL(d, list, dir, depth % 2, &list);

	look_names(d, dir);
	for (ssize_t i = 0; i < n && i < MOST_NAMES && d->count < MOST_NODES; i++) {
		struct seen *s = &d->seen[d->count];
		struct fuse_entry_out e;

		if (!strcmp(list[i].name, ".") || !strcmp(list[i].name, "..") ||
		    CALL(d, lookup, dir, list[i].name, &e) || !e.nodeid)
			continue;
		*s = (struct seen){ .dir = dir, .node = e.nodeid, .size = e.attr.size, .is_dir = S_ISDIR(e.attr.mode) };
		snprintf(s->name, sizeof(s->name), "%s", list[i].name);
		d->count++;
		look_node(d, s);
		if (s->is_dir && depth < MOST_DEPTH)
			look_dir(d, s->node, depth + 1);
	}
	free(list);
}

static void look(struct driving *d)
{
	struct fuse_kstatfs st;
	char label[256];

	CALL(d, statfs, &st);
	CALL(d, ioctl, FUSE_ROOT_ID, FS_IOC_GETFSLABEL, NULL, 0, label, sizeof(label));
	CALL(d, find, FUSE_ROOT_ID, "no such name");
	CALL(d, find, FUSE_ROOT_ID, "NOSUCH~1");
	look_dir(d, FUSE_ROOT_ID, 0);
}

/* ---- changing ---------------------------------------------------------------------- */

static const char *some_name(struct driving *d)
{
	static const char long_name[] =
		"a name that is so long that it takes slots of more than one sector of the directory, or nearly so, "
		"and then some more, for good measure, until at last there are nearly as many units as there can be at all";
	static const char *const names[] = {
		"a", "B.TXT", "a name that is long.text", "MiXed.Txt", long_name, "x.y.z", "\xc3\xa4\xc3\xb6.txt", "FILE",
	};

	return names[fat_stream_take(d->s, 1) % (sizeof(names) / sizeof(names[0]))];
}

static const struct seen *some_node(struct driving *d)
{
	static const struct seen root = { .dir = FUSE_ROOT_ID, .node = FUSE_ROOT_ID, .name = "a", .is_dir = true };
	uint32_t which = fat_stream_take(d->s, 1);

	return d->count && which >= 16 ? &d->seen[which % d->count] : &root;
}

static uint64_t some_dir(struct driving *d)
{
	const struct seen *n = some_node(d);

	return n->is_dir ? n->node : n->dir;
}

static void change_data(struct driving *d, const struct seen *n)
{
	static const uint64_t sizes[] = { 0, 1, 511, 512, 4096, 20000, 70000, 300000, 0xffffffff, 0x100000000 };
	uint64_t at = sizes[fat_stream_take(d->s, 1) % (sizeof(sizes) / sizeof(sizes[0]))];
	uint32_t size = fat_stream_take(d->s, 2) % 40000;

	switch (fat_stream_take(d->s, 1) % 6) {
	case 0:
	case 1:
		CALL(d, write, n->node, at < 400000 ? at : n->size, d->bytes, size < fk_max_write(d->fk) ? size : 4096, 0);
		break;
	case 2:
		CALL(d, truncate, n->node, at);
		break;
	case 3:
		CALL(d, fallocate, n->node, fat_stream_take(d->s, 1) % 2, at, 1 + (uint64_t)size);
		break;
	case 4:
		CALL(d, fsync, n->node, false);
		break;
	default:
		CALL(d, truncate, n->node, n->size / 2);
	}
}

static void change_meta(struct driving *d, const struct seen *n)
{
	struct fuse_setattr_in times = { .valid = FATTR_MTIME | FATTR_ATIME, .mtime = fat_stream_take(d->s, 4), .atime = 86400 };
	uint32_t attributes = fat_stream_take(d->s, 1);
	char label[256] = "LABEL";

	switch (fat_stream_take(d->s, 1) % 5) {
	case 0:
		CALL(d, chmod, n->node, 0444 | (attributes & 0222));
		break;
	case 1:
		CALL(d, setattr, n->node, &times, NULL);
		break;
	case 2:
		CALL(d, ioctl, n->node, FAT_IOCTL_SET_ATTRIBUTES, &attributes, sizeof(attributes), NULL, 0);
		break;
	case 3:
		label[0] = (char)attributes;
		CALL(d, ioctl, FUSE_ROOT_ID, FS_IOC_SETFSLABEL, label, sizeof(label), NULL, 0);
		break;
	default:
		CALL(d, setxattr, n->node, "system.fat_attrib", d->bytes, 4, 0);
	}
}

static void create(struct driving *d, uint32_t kind)
{
	uint64_t dir = some_dir(d);
	struct fuse_entry_out e;
	const char *name = some_name(d);
	int err = kind ? (int)CALL(d, mkdir, dir, name, 0755, &e) : (int)CALL(d, mknod, dir, name, S_IFREG | 0644, 0, &e);

	if (err || d->count == MOST_NODES)
		return;
	d->seen[d->count] = (struct seen){ .dir = dir, .node = e.nodeid, .is_dir = kind };
	snprintf(d->seen[d->count++].name, 1025, "%s", name);
}

static void change_names(struct driving *d)
{
	const struct seen *n = some_node(d), *m = some_node(d);
	struct fk_dirent *list;

	switch (fat_stream_take(d->s, 1) % 9) {
	case 0:
		create(d, 0);
		break;
	case 1:
		create(d, 1);
		break;
	case 2:
		CALL(d, unlink, n->dir, n->name);
		break;
	case 3:
		CALL(d, rmdir, n->dir, n->name);
		break;
	case 4:
		CALL(d, rename, n->dir, n->name, some_dir(d), some_name(d));
		break;
	case 5:
		CALL(d, rename, n->dir, n->name, m->dir, m->name);
		break;
	case 6:
		CALL(d, rename2, n->dir, n->name, m->dir, m->name, 2);
		break;
	case 7:
		CALL(d, list, some_dir(d), true, &list);
		free(list);
		break;
	default:
		CALL(d, fsyncdir, some_dir(d));
	}
}

static void change(struct driving *d)
{
	struct fstrim_range trim = { .len = UINT64_MAX };
	struct fuse_kstatfs st;

	memset(d->bytes, 'x', sizeof(d->bytes));
	for (unsigned i = 0; i < 60 && d->s->left; i++) {
		uint32_t kind = fat_stream_take(d->s, 1) % 16;

		if (kind < 7)
			change_names(d);
		else if (kind < 12)
			change_data(d, some_node(d));
		else if (kind < 14)
			change_meta(d, some_node(d));
		else if (kind < 15)
			CALL(d, syncfs);
		else
			CALL(d, ioctl, FUSE_ROOT_ID, FITRIM, &trim, sizeof(trim), &trim, sizeof(trim));
	}
	CALL(d, statfs, &st);
}

/* ---- both ---------------------------------------------------------------------------- */

static bool start(struct driving *d, struct image *image, const char *options, bool read_only)
{
	int err = fk_start(&fat_driver, image_device(image, read_only), options, &d->fk, d->result->why, sizeof(d->result->why));

	if (err) {
		if (!d->result->why[0])
			die("refused without a word", err);
		return false;
	}
	err = fk_init(d->fk, FB_PROTO_MINOR_MAX, FK_OFFER_ALL);
	if (err)
		die("INIT", err);
	return true;
}

static void end(struct driving *d)
{
	int err;

	fk_forget_all(d->fk);
	if (!fk_lookups_agree(d->fk))
		die("lookup counts", 0);
	err = fk_stop(d->fk);
	if (err && err != -EIO && err != -EUCLEAN)
		die("the end", err);
	d->result->nodes = d->count;
}

/*
 * Who finds damage by looking may set the mark that says so, in the boot
 * sector and in the first sector of each table, and write nothing else.
 */
static void check_unchanged(const uint8_t *before, const uint8_t *after, uint64_t size)
{
	unsigned changed = 0, allowed = 1 + ((const struct fat_boot *)before)->fats;
	uint32_t sector = fat_get16(((const struct fat_boot *)before)->sector_size);

	for (uint64_t at = 0; at < size; at += sector)
		changed += memcmp(before + at, after + at, size - at < sector ? size - at : sector) != 0;
	if (changed > allowed)
		die("looking has written sectors", (int)changed);
}

void fat_drive(struct fat_stream *s, struct image *image, struct fat_drive *result)
{
	static const char *const options[] = {
		"errors=continue", "errors=continue,usefree", "errors=remount-ro", "errors=continue,flush,discard",
	};
	const char *chosen = options[fat_stream_take(s, 1) % (sizeof(options) / sizeof(options[0]))];
	char looking[80];
	struct driving *d = calloc(1, sizeof(*d));
	struct image *before = image_copy(image);

	memset(result, 0, sizeof(*result));
	if (!d)
		abort();
	d->s = s;
	d->result = result;
	snprintf(looking, sizeof(looking), "%s,noatime", chosen);
	result->refused = !start(d, image, looking, false);
	if (!result->refused) {
		look(d);
		end(d);
	}
	if (!result->refused)
		check_unchanged(image_bytes(before), image_bytes(image), image_size(image));
	d->count = 0;
	if (!result->refused && start(d, image, chosen, false)) {
		look(d);
		change(d);
		end(d);
	}
	image_free(before);
	free(d);
}
