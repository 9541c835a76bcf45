// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_map_inline.c: files small enough for their inode, against their
 * bytes, and what becomes of them when they grow.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_map_rig.h"

/* Read [0, size) as the library does. */
static void read_bytes(unsigned f, uint8_t *to, uint64_t size)
{
	struct fuseblk_extent ext;
	uint64_t off = 0;

	for (; off < size; off += ext.length) {
		assert_int_equal(e2_map(&rig->vol, rig->node[f], off, size - off, FUSEBLK_MAP_READ, NULL, &ext, 1), 1);
		if (ext.type == FUSEBLK_EXTENT_INLINE)
			assert_int_equal(e2_read_inline(&rig->vol, rig->node[f], to + off, off, ext.length), 0);
		else if (ext.type == FUSEBLK_EXTENT_MAPPED)
			memcpy(to + off, (uint8_t *)fb_device_mem_bytes(rig->mem) + ext.device, ext.length);
		else
			memset(to + off, 0, ext.length);
	}
}

/* Write @len bytes @value at @off, within block 0. */
static void write_bytes(unsigned f, uint64_t off, uint64_t len, uint8_t value)
{
	uint8_t buf[RIG_BS];
	struct fuseblk_extent ext;

	memset(buf, value, sizeof(buf));
	assert_int_equal(e2_map(&rig->vol, rig->node[f], off, len, FUSEBLK_MAP_WRITE, NULL, &ext, 1), 1);
	assert_int_equal(ext.length, len);
	if (ext.type == FUSEBLK_EXTENT_INLINE) {
		assert_int_equal(e2_write_inline(&rig->vol, rig->node[f], buf, off, len), 0);
	} else {
		assert_int_equal(ext.type, FUSEBLK_EXTENT_MAPPED);
		if (ext.flags & FUSEBLK_EXTENT_FRESH)
			fuseblk_device_zero(&rig->vol, ext.device / RIG_BS * RIG_BS, RIG_BS);
		fuseblk_device_write(&rig->vol, buf, len, ext.device);
	}
	assert_int_equal(e2_written(&rig->vol, rig->node[f], off, len, off + len), 0);
}

static void run_inline(uint32_t seed)
{
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t want[RIG_BS] = { 0 }, got[RIG_BS];
	struct e2_inode *ei;
	uint64_t size = 0, off, len;

	rig_open(r, seed, false);
	ei = rig_file(0, S_IFREG, false, seed & 1);
	ei->flags = E2_FL_INLINE_DATA;
	for (unsigned i = 0; i < 60; i++) {
		uint32_t span = i < 40 ? 161 : 400;

		rig_begin();
		off = rig_random(span);
		len = 1 + rig_random(span - (uint32_t)off);
		if (rig_random(3)) {
			if (off > size)	/* the library's: what lies between reads as zeros */
				assert_int_equal(e2_truncate(&r->vol, r->node[0], off), 0);
			write_bytes(0, off, len, (uint8_t)i);
			memset(want + off, (int)i, len);
			size = off + len > size ? off + len : size;
		} else {
			if (off < size && !(ei->flags & E2_FL_INLINE_DATA)) {
				rig_end();
				continue;	/* the library zeroes the tail */
			}
			if (off < size)
				memset(want + off, 0, size - off);
			size = off;
			assert_int_equal(e2_truncate(&r->vol, r->node[0], off), 0);
		}
		rig_end();
		assert_int_equal(ei->size, size);
		read_bytes(0, got, sizeof(got));
		assert_memory_equal(got, want, size);
		assert_int_equal(!(ei->flags & E2_FL_INLINE_DATA), rig_used() > 0);
	}
	rig_begin();
	assert_int_equal(e2_allocate(&r->vol, r->node[0], 0, 4096, 4096, NULL), 0);
	rig_end();
	assert_int_equal(ei->flags, E2_FL_EXTENTS);
	assert_int_equal(r->inline_size, -ENODATA);
	read_bytes(0, got, sizeof(got));
	assert_memory_equal(got, want, size);
	assert_int_equal(ei->blocks, 8);
	rig_close(r);
	free(r);
}

static void test_inline(void **state)
{
	(void)state;
	for (uint32_t seed = 1; seed < 40; seed++)
		run_inline(seed * 65537u);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_inline),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
