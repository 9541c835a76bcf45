/* SPDX-License-Identifier: GPL-2.0-or-later */
/* backend_testfs.c: the opcodes on the test driver. */
#include "opcodes.h"

static struct fk *start(const char *options, bool ready)
{
	struct fb_device *device;
	char error[256] = "";
	struct fk *fk;
	int err;

	if (fb_device_open_mem(NULL, TESTFS_DEVICE, 512, &device))
		fail_msg("no memory for the device");
	if (ready)
		return fk_start_ready(&testfs_driver, device, options);
	err = fk_start(&testfs_driver, device, options, &fk, error, sizeof(error));
	if (err)
		fail_msg("%d: %s", err, error);
	return fk;
}

static const struct op_backend backend = {
	.name = "testfs",
	.start = start,
	.has_hooks = true,
};
const struct op_backend *const op_backends[] = { &backend, NULL };
