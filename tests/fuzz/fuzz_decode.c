/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_decode.c: a libFuzzer target for the wire decoder.  The first byte of
 * the input chooses what INIT had settled.  Built on request, with clang:
 * make tests/fuzz/fuzz_decode CC=clang
 */
#include <stdlib.h>
#include <string.h>
#include "proto.h"
#include "request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const struct fb_proto protos[] = {
	{ 0 },
	{ .minor = 31, .max_write = 1 << 20, .max_pages = 256 },
	{ .minor = 45, .flags = FUSE_SETXATTR_EXT, .max_write = 1 << 20, .max_pages = 256 },
	{ .minor = 45, .flags = FUSE_SETXATTR_EXT, .max_write = 4096, .max_pages = 1 },
};

/* The header's length is made true, so that the fuzzer need not learn it. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fb_request req;
	uint8_t *message;
	uint32_t len;

	if (size < 1)
		return 0;
	len = size - 1;
	message = malloc(len ? len : 1);
	if (!message)
		return 0;
	memcpy(message, data + 1, len);
	if (len >= sizeof(len) && !(data[0] & 0x80))
		memcpy(message, &len, sizeof(len));
	fb_decode(message, len, &protos[data[0] & 3], &req);
	free(message);
	return 0;
}
