/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * backend_ext2.c: the opcodes on the ext2 driver, on images that mke2fs makes
 * and e2fsck judges after each session.  Two kinds of volume are always
 * tried, all of them if FUSEBLK_TEST_ALL is in the environment.
 */
#include "../../../fs-ext2/ext2.h"
#include "../../lib/image.h"
#include "opcodes.h"

#define MAX_LIVE 16		/* sessions of one test */

/* Made once per kind, copied per session. */
static struct kind {
	const char *options;
	struct image *fresh;
} kinds[] = {
	{ "-q -F -t ext2 -b 1024 -I 256", NULL },
	{ "-q -F -t ext2 -b 4096 -I 128", NULL },
	{ "-q -F -t ext4 -b 1024 -O ^has_journal", NULL },
	{ "-q -F -t ext4 -b 4096 -O ^has_journal,inline_data,large_dir,ea_inode -I 512", NULL },
};

static struct image *live[MAX_LIVE];

static struct image **free_place(void)
{
	for (size_t i = 0; i < MAX_LIVE; i++)
		if (!live[i])
			return &live[i];
	fail_msg("more sessions than places");
	return NULL;
}

static struct fk *start(struct kind *kind, const char *options, bool ready)
{
	struct image **place = free_place();
	char error[256] = "";
	struct fk *fk;
	int err;

	if (!kind->fresh)
		kind->fresh = image_mke2fs(kind->options, 4 << 20);
	*place = image_copy(kind->fresh);
	if (ready)
		return fk_start_ready(&e2_driver, image_device(*place, false), options);
	err = fk_start(&e2_driver, image_device(*place, false), options, &fk, error, sizeof(error));
	if (err)
		fail_msg("%d: %s", err, error);
	return fk;
}

/* Every session has ended. */
static void check(void)
{
	int worst = 0;

	for (size_t i = 0; i < MAX_LIVE; i++) {
		int status = live[i] ? image_e2fsck(live[i], "-fn") : 0;

		image_free(live[i]);
		live[i] = NULL;
		if (status > worst)
			worst = status;
	}
	if (worst)
		fail_msg("e2fsck -fn: status %d", worst);
}

#define BACKEND(n, title, ...)						\
	static struct fk *start_##n(const char *options, bool ready)	\
	{								\
		return start(&kinds[n], options, ready);		\
	}								\
	static const struct op_backend backend_##n = {			\
		.name = title, .start = start_##n, .check = check,	\
		__VA_ARGS__						\
	}

BACKEND(0, "ext2 with 1k blocks", .no_unwritten = true);
BACKEND(1, "ext2 with 4k blocks and small inodes", .no_unwritten = true, .no_btime = true,
	.only_if_all = true);
BACKEND(2, "ext4 with 1k blocks", .only_if_all = true);
BACKEND(3, "ext4 with inline data", .no_btime = false);

const struct op_backend *const op_backends[] = {
	&backend_0, &backend_1, &backend_2, &backend_3, NULL,
};
