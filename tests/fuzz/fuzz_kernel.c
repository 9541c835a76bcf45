/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * fuzz_kernel.c: a libFuzzer target for what the kernel module reads of a
 * daemon's replies in its pure files: the entries of READDIR and READDIRPLUS,
 * and the answer to INIT.  The first byte of the input chooses; the rest is
 * the reply.  Built on request, with clang: make tests/fuzz/fuzz_kernel CC=clang
 */
#include <stdio.h>
#include <stdlib.h>
#include "dirent.h"
#include "negotiate.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define MUST(what) do { if (!(what)) { fprintf(stderr, "line %d: %s\n", __LINE__, #what); abort(); } } while (0)

/* ---- directories ------------------------------------------------------------------ */

static void check_entry(const u8 *reply, size_t start, size_t end, bool plus, const struct fblk_dirent *d)
{
	const u8 *name = (const u8 *)d->name;
	size_t head = (plus ? sizeof(struct fuse_entry_out) : 0) + FUSE_NAME_OFFSET;

	MUST(d->namelen >= 1 && d->namelen <= FBLK_NAME_MAX);
	MUST(name == reply + start + head && name + d->namelen <= reply + end);
	MUST((const u8 *)d->entry == (plus ? reply + start : NULL));
	for (u32 i = 0; i < d->namelen; i++)
		MUST(name[i] && name[i] != '/');
	MUST(fblk_dirent_is_dot(d) == (name[0] == '.' && d->namelen <= 2 && name[d->namelen - 1] == '.'));
}

static void directory(const u8 *data, size_t size, bool plus)
{
	u8 *reply = malloc(size + !size);	/* just so much: what is read behind it is seen */
	struct fblk_dirent d;
	size_t pos = 0, start = 0;
	int ret;

	MUST(reply);
	memcpy(reply, data, size);
	while ((ret = fblk_dirent_next(reply, size, plus, &pos, &d)) > 0) {
		MUST(ret == 1 && pos > start && pos <= size);
		check_entry(reply, start, pos, plus, &d);
		start = pos;
	}
	MUST((ret == 0 || ret == -EIO) && pos == start);
	free(reply);
}

/* ---- INIT --------------------------------------------------------------------------- */

static void init(const u8 *data, size_t size, u8 which)
{
	struct fblk_limits limits = {
		.page_size = which & 1 ? 4096 : 65536, .max_readahead = which & 2 ? 128 << 10 : 0,
		.max_background = which & 4 ? 12 : 0, .congestion_threshold = which & 8 ? 9 : 0,
	};
	struct fuse_init_out out = { 0 };
	struct fblk_proto p;
	size_t len = size < sizeof(out) ? size : sizeof(out);
	int err;

	memcpy(&out, data, len);
	if (which & 16 && len >= 8) {		/* the fuzzer need not learn the version */
		out.major = FUSE_KERNEL_VERSION;
		out.minor %= 64;
	}
	err = fblk_init_accept(&limits, &out, len, &p);
	MUST(err == (len >= 8 && out.major == FUSE_KERNEL_VERSION && out.minor >= FBLK_MINOR_MIN ? 0 : -EPROTO));
	if (err)
		return;
	MUST(p.minor >= FBLK_MINOR_MIN && p.minor <= FBLK_MINOR && p.minor <= out.minor);
	MUST(!(p.flags & ~fblk_offered_flags()));
	MUST(p.max_pages >= 1 && p.max_pages <= FBLK_PAGES_MAX);
	MUST(p.max_write >= 4096 && p.max_write <= p.max_pages * limits.page_size);
	MUST(p.max_readahead <= limits.max_readahead);
	MUST(p.time_gran >= 1 && p.time_gran <= 1000000000);
	MUST(!limits.max_background || p.max_background <= limits.max_background);
	MUST(!limits.congestion_threshold || p.congestion_threshold <= limits.congestion_threshold);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	if (size < 1)
		return 0;
	if (data[0] & 0x80)
		init(data + 1, size - 1, data[0] & 31);
	else
		directory(data + 1, size - 1, data[0] & 1);
	return 0;
}
