// SPDX-License-Identifier: GPL-2.0-or-later
/* outcome.c: what an operation saw, and comparing two of them. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "diff.h"

void see(struct outcome *out, const char *format, ...)
{
	va_list ap;
	int n;

	va_start(ap, format);
	n = vsnprintf(out->detail + out->used, sizeof(out->detail) - out->used, format, ap);
	va_end(ap);
	if (n > 0)
		out->used += (size_t)n;
	if (out->used > sizeof(out->detail) - 1)
		out->used = sizeof(out->detail) - 1;
}

uint64_t digest(uint64_t seed, const void *bytes, size_t len)
{
	const uint8_t *p = bytes;

	for (size_t i = 0; i < len; i++)
		seed = (seed ^ p[i]) * 0x100000001b3ull;
	return seed;
}

void see_bytes(struct outcome *out, const void *bytes, size_t len)
{
	out->digest = digest(out->digest, bytes, len);
}

void see_result(struct outcome *out, long result)
{
	out->result = result;
	out->error = result < 0 ? errno : 0;
}

void see_naming(struct outcome *out, long result)
{
	see_result(out, result);
	out->naming = true;
}

/* differences.md: on FUSE the kernel looks at permissions, kinds and link counts before the daemon looks at flags, and access(2) never does. */
static bool errors_equal(const struct outcome *fuse, const struct outcome *ext4)
{
	if (fuse->error == ext4->error)
		return true;
	if (ext4->error != EPERM)
		return false;
	return fuse->error == EACCES || (fuse->access && !fuse->error) ||
	       (fuse->naming && (fuse->error == EISDIR || fuse->error == ENOTDIR || fuse->error == ENOENT));
}

bool outcomes_equal(const struct outcome *a, const struct outcome *b)
{
	bool same_result = a->result == b->result || (a->access && errors_equal(a, b));

	return same_result && errors_equal(a, b) && a->digest == b->digest &&
	       a->used == b->used && !memcmp(a->detail, b->detail, a->used);
}
