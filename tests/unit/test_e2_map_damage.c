// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * test_e2_map_damage.c: damaged maps: any byte of one changed, in the
 * inode and in its blocks; used in every way, it leads nowhere it should not
 * and to an end.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "e2_map_model.h"

/* Use a map in every way; only the answers' bounds and the end are asked for. */
static void use_damaged(unsigned f)
{
	struct fuseblk_caller who = { .uid = 0 };
	struct fuseblk_node *node = rig->node[f];
	struct fuseblk_extent ext[8];
	uint64_t off = 0, most = (uint64_t)SPAN * RIG_BS;
	unsigned answers = 0;

	while (off < most) {
		int n = e2_map(&rig->vol, node, off, most - off, FUSEBLK_MAP_READ, NULL, ext, 8);

		if (n < 0)
			off += RIG_BS;
		for (int i = 0; i < n; i++) {
			assert_int_equal(ext[i].offset, off);
			assert_in_range(ext[i].length, 1, most - off);
			if (ext[i].type != FUSEBLK_EXTENT_HOLE)
				assert_in_range(ext[i].device, RIG_DATA * RIG_BS,
						RIG_BLOCKS * RIG_BS - ext[i].length);
			off += ext[i].length;
		}
		assert_true(answers++ < 3 * SPAN);
	}
	rig_begin();
	for (unsigned i = 0; i < 6; i++) {
		off = (uint64_t)rig_random(SPAN) * RIG_BS;
		if (e2_map(&rig->vol, node, off, RIG_BS * 4, FUSEBLK_MAP_WRITE, &who, ext, 8) > 0)
			e2_written(&rig->vol, node, off, rig_random(2) * ext[0].length, 0);
		e2_punch(&rig->vol, node, (uint64_t)rig_random(SPAN) * RIG_BS, 5 * RIG_BS);
		e2_allocate(&rig->vol, node, (uint64_t)rig_random(SPAN) * RIG_BS, 9 * RIG_BS, 0, &who);
	}
	model_switch(f);
	e2_truncate(&rig->vol, node, 40 * RIG_BS);
	e2_map_free_all(e2_i(node));
	rig_end();
}

/* A file with a map of several levels; @block: those map blocks. */
static unsigned make_tall(bool extents, uint64_t block[2], uint8_t *i_block)
{
	struct e2_inode *ei = rig_file(0, S_IFREG, extents, false);
	struct e2_path path;
	struct fuseblk_buf *buf;

	for (uint32_t i = 0; i < SPAN; i += 2)
		model_write(0, i, 1, false);
	rig_commit();
	memcpy(i_block, ei->i_block, 60);
	if (extents) {
		assert_int_equal(e2_path_find(ei, SPAN / 2, &path), 0);
		assert_int_equal(path.leaf, 2);
		block[0] = path.level[1].buf->block;
		block[1] = path.level[2].buf->block;
		e2_path_put(&path);
	} else {
		block[0] = rig_le32(i_block + 52);
		assert_int_equal(fuseblk_buf_get(&rig->vol, block[0], &buf), 0);
		block[1] = rig_le32(buf->data + 4);
		fuseblk_buf_put(buf);
	}
	return 2;
}

static void use_image(const uint8_t *image, const uint8_t *i_block, bool extents)
{
	struct rig *r = calloc(1, sizeof(*r));
	struct e2_inode *ei;

	rig_open(r, 1, false);
	memcpy(fb_device_mem_bytes(r->mem), image, RIG_BS * RIG_BLOCKS);
	ei = rig_file(0, S_IFREG, extents, false);
	memcpy(ei->i_block, i_block, 60);
	ei->size = (uint64_t)SPAN * RIG_BS;
	ei->blocks = 1000;
	use_damaged(0);
	rig_close(r);
	free(r);
}

static void damage(bool extents)
{
	static const uint8_t pattern[] = { 0x00, 0xff, 0x01, 0x80 };
	struct rig *r = calloc(1, sizeof(*r));
	uint8_t *image = malloc(RIG_BS * RIG_BLOCKS), root[60], byte;
	uint64_t block[3];
	unsigned count;

	model_clear();
	rig_open(r, 5, false);
	count = make_tall(extents, block, root);
	memcpy(image, fb_device_mem_bytes(r->mem), RIG_BS * RIG_BLOCKS);
	for (unsigned i = 0; i < 60; i++)
		for (unsigned k = 0; k < sizeof(pattern); k++) {
			byte = root[i];
			root[i] = k > 1 ? byte ^ pattern[k] : pattern[k];
			use_image(image, root, extents);
			root[i] = byte;
		}
	for (unsigned b = 0; b < count; b++)
		for (unsigned i = 0; i < 48; i++) {
			uint8_t *at = image + block[b] * RIG_BS + i, k = (uint8_t)(i % sizeof(pattern));

			byte = *at;
			*at = k > 1 ? byte ^ pattern[k] : pattern[k];
			use_image(image, root, extents);
			*at = byte;
		}
	/* a block that is its own child, in every place */
	for (unsigned i = 0; i < RIG_BS / 4; i++)
		image[block[0] * RIG_BS + 4 * i] = (uint8_t)block[0], image[block[0] * RIG_BS + 4 * i + 1] = (uint8_t)(block[0] >> 8);
	use_image(image, root, extents);
	rig = r;
	rig_close(r);
	free(image);
	free(r);
}

static void test_damaged_extents(void **state)
{
	(void)state;
	damage(true);
}

static void test_damaged_indirect(void **state)
{
	(void)state;
	damage(false);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_damaged_extents),
		cmocka_unit_test(test_damaged_indirect),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
