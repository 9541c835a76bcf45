// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * data.c: the contents of files: made, served, compared, mapped.
 */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include "data.h"

uint8_t data_byte(uint64_t pos, unsigned int seed)
{
	uint64_t x = (pos + 1) * 0x9e3779b97f4a7c15ull + seed * 0xc2b2ae3d27d4eb4full;
	uint8_t byte = (uint8_t)(x >> 56 ^ x >> 40);

	return byte == 0 || byte == TOUCHED ? 0xa5 : byte;
}

void data_fill(void *buf, size_t len, uint64_t pos, unsigned int seed)
{
	for (size_t i = 0; i < len; i++)
		((uint8_t *)buf)[i] = data_byte(pos + i, seed);
}

uint8_t *data_room(size_t len)
{
	uint8_t *room = mmap(NULL, len + PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (room == MAP_FAILED)
		kd_fail(NULL, "out of memory");
	memset(room, 0, len);
	return room;
}

uint8_t *data_new(size_t len, uint64_t pos, unsigned int seed)
{
	uint8_t *buf = data_room(len);

	data_fill(buf, len, pos, seed);
	return buf;
}

void data_check(const void *buf, size_t len, uint64_t pos, unsigned int seed)
{
	for (size_t i = 0; i < len; i++) {
		uint8_t is = ((const uint8_t *)buf)[i], should = data_byte(pos + i, seed);

		if (is != should)
			kd_fail(NULL, "the byte at %llu is 0x%02x, not 0x%02x", (unsigned long long)(pos + i), is,
				should);
	}
}

void data_check_zero(const void *buf, size_t len)
{
	for (size_t i = 0; i < len; i++)
		if (((const uint8_t *)buf)[i])
			kd_fail(NULL, "byte %zu of %zu is 0x%02x, not zero", i, len, ((const uint8_t *)buf)[i]);
}

void data_content(struct kd_node *node, size_t room, unsigned int seed)
{
	node->content = data_room(room);
	node->room = room;
	data_fill(node->content, node->attr.size, 0, seed);
}

/* ---- requests ---------------------------------------------------------- */

static void check_range(struct kd_req *r, uint64_t off, uint32_t size, uint64_t want_off, uint32_t want_size)
{
	if (off != want_off || size != want_size)
		kd_fail(r->kd, "%s of %u bytes at %llu came, not of %u at %llu", kd_opcode_name(r->opcode), size,
			(unsigned long long)off, want_size, (unsigned long long)want_off);
}

struct kd_req *(data_expect_read)(struct kd *kd, uint64_t nodeid, uint64_t off, uint32_t size)
{
	struct kd_req *r = (kd_expect)(kd, FUSE_READ, nodeid);

	check_range(r, ARG(r, fuse_read_in)->offset, ARG(r, fuse_read_in)->size, off, size);
	return r;
}

struct kd_req *(data_expect_write)(struct kd *kd, uint64_t nodeid, uint64_t off, uint32_t size)
{
	struct kd_req *r = (kd_expect)(kd, FUSE_WRITE, nodeid);

	check_range(r, ARG(r, fuse_write_in)->offset, ARG(r, fuse_write_in)->size, off, size);
	return r;
}

void (data_reply)(struct kd_req *r, size_t len, unsigned int seed)
{
	uint8_t *buf = malloc(len + 1);

	data_fill(buf, len, ARG(r, fuse_read_in)->offset, seed);
	(kd_reply)(r, buf, len);
	free(buf);
}

/* ---- files ------------------------------------------------------------- */

struct kd_node *data_file(struct kd *kd, uint64_t size, unsigned int seed)
{
	struct kd_node *f = kd_add_file(kd, "f", 2, size);

	data_content(f, size + 16 * PAGE, seed);
	kd_auto(kd, FUSE_READ);
	return f;
}

uint8_t *(data_read)(struct kd *kd, int fd, uint64_t off, size_t len)
{
	uint64_t before = kd->auto_ops;
	uint8_t *buf = data_room(len);

	kd_auto(kd, FUSE_READ);
	(kd_finish)(kd_call_pread(kd, fd, buf, len, off), (long)len);
	kd->auto_ops = before;
	return buf;
}

void (data_check_file)(struct kd *kd, int fd, size_t len, unsigned int seed)
{
	data_check((data_read)(kd, fd, 0, len), len, 0, seed);
}

uint32_t data_largest_read(const struct kd *kd)
{
	uint32_t largest = 0, size;

	for (size_t i = 0; i < kd->trace_count; i++)
		if (sscanf(kd->trace[i], "READ node=%*u len=%*u offset=%*u size=%u", &size) == 1 && size > largest)
			largest = size;
	return largest;
}

/* ---- mappings ------------------------------------------------------------ */

uint8_t *data_map(int fd, size_t len, int prot, int flags)
{
	uint8_t *map = mmap(NULL, len, prot, flags, fd, 0);

	if (map == MAP_FAILED)
		kd_fail(NULL, "mmap: %s", strerror(errno));
	return map;
}

static void tell_bdi(const struct kd *kd, const char *file, const char *value)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/sys/class/bdi/%u:%u/%s", kd->conn >> 20, kd->conn & 0xfffff, file);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, value, strlen(value)) < 0)
		case_note("%s: %s", path, strerror(errno));
	close(fd);
}

/* A new mount's share of dirty memory is nothing: what is dirty is written at any moment. */
static void keep_dirty(const struct kd *kd)
{
	static const struct kd *kept;

	if (kept == kd)
		return;
	tell_bdi(kd, "max_ratio", "100");
	tell_bdi(kd, "min_ratio", "5");
	kept = kd;
}

void (data_dirty)(struct kd *kd, uint8_t *map, unsigned int page)
{
	uint64_t before = kd->auto_ops;

	keep_dirty(kd);
	kd_auto(kd, FUSE_READ);
	(kd_finish)(kd_call_touch(kd, map + page * PAGE, true), 0);
	kd->auto_ops = before;
}

struct kd_call *data_call_munmap(struct kd *kd, uint8_t *map, size_t len)
{
	return kd_sys(kd, SYS_munmap, (long)map, (long)len);
}

struct kd_call *data_call_msync(struct kd *kd, uint8_t *map, size_t len)
{
	return kd_sys(kd, SYS_msync, (long)map, (long)len, MS_SYNC);
}
