// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * probe_child.c: what is on a device, by libblkid.  Runs in a child without
 * privileges that its parent may kill at any moment; it reads one descriptor
 * and writes memory, nothing else.  The only file that knows libblkid.
 */
#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "device.h"
#include "probe_internal.h"

#define NOBODY 65534
#define MEMORY_LIMIT (512ul << 20)
#define GZIP_LOOK (4u << 20)		/* bytes of a gzip image that are inflated */
#define GZIP_PIECE 4096u
#define GZIP_SIZE (1ull << 40)		/* of the inflated image, which nobody knows yet */

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define LIMIT_MEMORY false
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define LIMIT_MEMORY false
#endif
#endif
#ifndef LIMIT_MEMORY
#define LIMIT_MEMORY true
#endif

static int limit(int what, rlim_t soft, rlim_t hard)
{
	struct rlimit r = { soft, hard };

	return setrlimit(what, &r) ? -errno : 0;
}

static int become_nobody(void)
{
	if (geteuid() != 0)
		return 0;
	if (setgroups(0, NULL) || setresgid(NOBODY, NOBODY, NOBODY) ||
	    setresuid(NOBODY, NOBODY, NOBODY))
		return -errno;
	return 0;
}

int fb_probe_drop_privileges(unsigned timeout_ms)
{
	rlim_t seconds = timeout_ms / 1000 + 1;
	int err = become_nobody();

	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err && LIMIT_MEMORY)
		err = limit(RLIMIT_AS, MEMORY_LIMIT, MEMORY_LIMIT);
	if (!err)
		err = limit(RLIMIT_CPU, seconds, seconds + 1);
	if (!err)
		err = limit(RLIMIT_CORE, 0, 0);
	if (!err)
		err = limit(RLIMIT_NOFILE, 64, 64);
	return err;
}

/* ------------------------------------------------------------------ */
/* Values                                                              */
/* ------------------------------------------------------------------ */

static const char *lookup(blkid_probe pr, const char *name)
{
	const char *value;

	return blkid_probe_lookup_value(pr, name, &value, NULL) ? NULL : value;
}

static void copy_value(blkid_probe pr, const char *name, char *out, size_t size)
{
	const char *value = lookup(pr, name);

	snprintf(out, size, "%s", value ? value : "");
}

static enum fb_probe_kind kind_of(const char *type, const char *usage)
{
	static const struct { const char *usage; enum fb_probe_kind kind; } usages[] = {
		{ "filesystem", FB_PROBE_FILESYSTEM },
		{ "crypto", FB_PROBE_ENCRYPTED },
		{ "raid", FB_PROBE_RAID },
	};
	size_t i;

	if (strcmp(type, "swap") == 0 || strcmp(type, "swsuspend") == 0)
		return FB_PROBE_SWAP;
	/* libblkid counts volume managers' members as RAID members. */
	if (strncmp(type, "LVM", 3) == 0 || strcmp(type, "bcache") == 0 ||
	    strcmp(type, "zfs_member") == 0)
		return FB_PROBE_OTHER;
	for (i = 0; usage && i < sizeof(usages) / sizeof(usages[0]); i++)
		if (strcmp(usage, usages[i].usage) == 0)
			return usages[i].kind;
	return FB_PROBE_OTHER;
}

static void copy_superblock(blkid_probe pr, struct fb_probe_result *out)
{
	const char *size = lookup(pr, "BLOCK_SIZE");

	copy_value(pr, "TYPE", out->type, sizeof(out->type));
	copy_value(pr, "VERSION", out->version, sizeof(out->version));
	copy_value(pr, "LABEL", out->label, sizeof(out->label));
	copy_value(pr, "UUID", out->uuid, sizeof(out->uuid));
	out->block_size = size ? (uint32_t)strtoul(size, NULL, 10) : 0;
	out->kind = kind_of(out->type, lookup(pr, "USAGE"));
}

static void add_candidate(struct fb_probe_result *out, const char *name)
{
	uint32_t i;

	for (i = 0; i < out->candidate_count; i++)
		if (strcmp(out->candidates[i], name) == 0)
			return;
	if (i < FB_PROBE_MAX_CANDIDATES) {
		snprintf(out->candidates[i], sizeof(out->candidates[i]), "%s", name);
		out->candidate_count++;
	}
}

/* ------------------------------------------------------------------ */
/* Partitions                                                          */
/* ------------------------------------------------------------------ */

static void copy_partition(blkid_partition par, uint64_t base, struct fb_probe_partition *out)
{
	const char *type = blkid_partition_get_type_string(par);
	const char *name = blkid_partition_get_name(par);

	out->number = (uint32_t)blkid_partition_get_partno(par);
	out->offset = base + (uint64_t)blkid_partition_get_start(par) * 512;
	out->size = (uint64_t)blkid_partition_get_size(par) * 512;
	if (type)
		snprintf(out->type, sizeof(out->type), "%s", type);
	else
		snprintf(out->type, sizeof(out->type), "0x%02x", (unsigned)blkid_partition_get_type(par));
	snprintf(out->name, sizeof(out->name), "%s", name ? name : "");
}

static void copy_partitions(blkid_probe pr, uint64_t base, struct fb_probe_result *out)
{
	blkid_partlist list = blkid_probe_get_partitions(pr);
	blkid_parttable table = list ? blkid_partlist_get_table(list) : NULL;
	int i, n = list ? blkid_partlist_numof_partitions(list) : 0;

	if (table)
		snprintf(out->pttype, sizeof(out->pttype), "%s", blkid_parttable_get_type(table));
	for (i = 0; i < n && out->partition_count < FB_PROBE_MAX_PARTITIONS; i++) {
		blkid_partition par = blkid_partlist_get_partition(list, i);

		/* An extended partition only holds others. */
		if (par && !blkid_partition_is_extended(par))
			copy_partition(par, base, &out->partitions[out->partition_count++]);
	}
}

/* ------------------------------------------------------------------ */
/* Looking                                                             */
/* ------------------------------------------------------------------ */

static blkid_probe new_probe(int fd, uint64_t offset, uint64_t size)
{
	blkid_probe pr = blkid_new_probe();

	if (!pr)
		return NULL;
	if (blkid_probe_set_device(pr, fd, (blkid_loff_t)offset, (blkid_loff_t)size)) {
		blkid_free_probe(pr);
		return NULL;
	}
	blkid_probe_enable_superblocks(pr, 1);
	blkid_probe_set_superblocks_flags(pr, BLKID_SUBLKS_LABEL | BLKID_SUBLKS_UUID |
					  BLKID_SUBLKS_TYPE | BLKID_SUBLKS_USAGE |
					  BLKID_SUBLKS_VERSION | BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(pr, 0);
	blkid_probe_enable_topology(pr, 0);
	return pr;
}

/* Every superblock in turn: what an ambivalent device may be. */
static void collect_candidates(blkid_probe pr, struct fb_probe_result *out)
{
	blkid_reset_probe(pr);
	while (blkid_do_probe(pr) == 0) {
		const char *type = lookup(pr, "TYPE");

		if (type)
			add_candidate(out, type);
	}
}

static void look_at_superblocks(blkid_probe pr, struct fb_probe_result *out)
{
	int rc = blkid_do_safeprobe(pr);

	if (rc == 0) {
		copy_superblock(pr, out);
	} else if (rc == -2) {
		out->kind = FB_PROBE_AMBIVALENT;
		collect_candidates(pr, out);
	} else if (rc == 1) {
		out->kind = FB_PROBE_UNKNOWN;
	} else {
		out->kind = FB_PROBE_ERROR;
		out->error = errno ? -errno : -EIO;
	}
}

static void look_at_partitions(blkid_probe pr, uint64_t base, unsigned sector,
			       struct fb_probe_result *out)
{
	blkid_probe_enable_superblocks(pr, 0);
	blkid_probe_enable_partitions(pr, 1);
	blkid_reset_probe(pr);
	if (sector && blkid_probe_set_sectorsize(pr, sector))
		return;
	if (blkid_do_safeprobe(pr) == 0)
		copy_partitions(pr, base, out);
}

/* A partition table beside what else was found. */
static void weigh(struct fb_probe_result *out)
{
	char table[sizeof(out->candidates[0])];

	/* An empty table is what a boot sector in front of a filesystem looks like. */
	if (out->partition_count == 0 && out->kind != FB_PROBE_UNKNOWN)
		return;
	if (!out->pttype[0])
		return;
	if (out->kind == FB_PROBE_UNKNOWN) {
		out->kind = FB_PROBE_PARTITIONED;
		return;
	}
	if (out->kind != FB_PROBE_AMBIVALENT)
		add_candidate(out, out->type);
	snprintf(table, sizeof(table), "%s partition table", out->pttype);
	add_candidate(out, table);
	out->kind = FB_PROBE_AMBIVALENT;
}

/* libblkid says "nothing" of what cannot be read; the first sector tells. */
static int check_readable(int fd, uint64_t offset)
{
	char sector[512];
	ssize_t n = pread(fd, sector, sizeof(sector), (off_t)offset);

	if (n < 0)
		return -errno;
	return 0;
}

static void look_at_bytes(int fd, uint64_t offset, uint64_t size, struct fb_probe_result *out)
{
	blkid_probe pr;
	int sector, err = check_readable(fd, offset);

	errno = 0;
	pr = err ? NULL : new_probe(fd, offset, size);
	if (!pr) {
		out->kind = FB_PROBE_ERROR;
		out->error = err ? err : errno ? -errno : -EIO;
		return;
	}
	look_at_superblocks(pr, out);
	look_at_partitions(pr, offset, 0, out);
	/* An image of a disk with 4096-byte sectors: a device knows its own. */
	if (!out->pttype[0] && out->kind == FB_PROBE_UNKNOWN && ioctl(fd, BLKSSZGET, &sector))
		look_at_partitions(pr, offset, 4096, out);
	weigh(out);
	blkid_free_probe(pr);
}

/* The part of a gzip image from @offset on that a probe looks at, at its place in a file in memory; @broken: not all that should be there could be had. Returns a descriptor or a negative errno. */
static int inflate_part(int fd, uint64_t offset, bool *broken)
{
	static char piece[GZIP_PIECE];
	off_t place = lseek(fd, 0, SEEK_CUR);
	int copy = dup(fd), mem = -1, n = 0, end = Z_OK, err = -EUCLEAN;
	uint64_t done = 0;
	gzFile gz;

	if (copy < 0 || lseek(copy, 0, SEEK_SET) < 0)
		return -errno;
	gz = gzdopen(copy, "r");
	mem = memfd_create("fuseblk-probe", MFD_CLOEXEC);
	if (!gz || mem < 0 || gzseek(gz, (off_t)offset, SEEK_SET) < 0)
		goto close_all;
	while (done < GZIP_LOOK && (n = gzread(gz, piece, sizeof(piece))) > 0) {
		if (pwrite(mem, piece, (size_t)n, (off_t)(offset + done)) != n)
			goto close_all;
		done += (unsigned)n;
	}
	gzerror(gz, &end);
	*broken = n < 0 || end != Z_OK;
	if (done && !ftruncate(mem, GZIP_SIZE))
		err = 0;
	else if (!done && !*broken)
		err = offset ? -ERANGE : -ENODATA;
close_all:
	if (gz)
		gzclose_r(gz);
	else
		close(copy);
	lseek(fd, place, SEEK_SET);
	if (err && mem >= 0)
		close(mem);
	return err ? err : mem;
}

void fb_probe_look(int fd, uint64_t offset, uint64_t size, struct fb_probe_result *out)
{
	bool broken = false;
	int head;

	memset(out, 0, sizeof(*out));
	if (!fb_device_is_gzip(fd)) {
		look_at_bytes(fd, offset, size, out);
		return;
	}
	head = inflate_part(fd, offset, &broken);
	if (head < 0) {
		out->kind = FB_PROBE_ERROR;
		out->error = head;
		return;
	}
	look_at_bytes(head, offset, size, out);
	close(head);
	if (broken && out->kind == FB_PROBE_UNKNOWN) {
		out->kind = FB_PROBE_ERROR;
		out->error = -EUCLEAN;
	}
}

/* ------------------------------------------------------------------ */
/* Tags                                                                */
/* ------------------------------------------------------------------ */

int fb_probe_tag(const char *spec, char *path, size_t size)
{
	static const char *const known[] = { "UUID", "LABEL", "PARTUUID", "PARTLABEL" };
	char *tag = NULL, *value = NULL, *device = NULL;
	int err = -EINVAL;
	size_t i;

	if (blkid_parse_tag_string(spec, &tag, &value))
		return -EINVAL;
	for (i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		if (strcmp(tag, known[i]) == 0)
			err = -ENOENT;
	if (err == -ENOENT)
		device = blkid_evaluate_tag(tag, value, NULL);
	if (device && (size_t)snprintf(path, size, "%s", device) < size)
		err = 0;
	free(device);
	free(tag);
	free(value);
	return err;
}
