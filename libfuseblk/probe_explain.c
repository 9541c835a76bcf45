// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * probe_explain.c: the probe's answer for people: what was found, and what
 * to do next.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "probe.h"

struct text {
	char *bytes;
	unsigned size, used;
};

static void add(struct text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct text *t, const char *format, ...)
{
	va_list ap;
	int n;

	if (t->used >= t->size)
		return;
	va_start(ap, format);
	n = vsnprintf(t->bytes + t->used, t->size - t->used, format, ap);
	va_end(ap);
	if (n > 0)
		t->used += (unsigned)n;
}

static void add_filesystem(struct text *t, const struct fb_probe_result *r)
{
	add(t, "%s", r->type);
	if (r->version[0])
		add(t, " version %s", r->version);
	if (r->label[0])
		add(t, ", label \"%s\"", r->label);
	if (r->uuid[0])
		add(t, ", UUID %s", r->uuid);
	if (r->block_size)
		add(t, ", block size %u", r->block_size);
}

static void add_candidates(struct text *t, const struct fb_probe_result *r)
{
	uint32_t i;

	add(t, "more than one signature: ");
	for (i = 0; i < r->candidate_count; i++)
		add(t, "%s%s", i ? ", " : "", r->candidates[i]);
	add(t, "; choose with -t fuseblk.TYPE%s, or remove the stale one with wipefs(8)",
	    r->partition_count ? " or -o partition=N" : "");
}

static void add_partitions(struct text *t, const struct fb_probe_result *r)
{
	uint32_t i;

	add(t, "a whole disk with a %s partition table and %u partition%s", r->pttype,
	    r->partition_count, r->partition_count == 1 ? "" : "s");
	add(t, r->partition_count ? "; mount one with -o partition=N:" :
	       "; if it is a filesystem whose first sector is damaged, name it with -t fuseblk.TYPE");
	for (i = 0; i < r->partition_count; i++) {
		const struct fb_probe_partition *p = &r->partitions[i];

		add(t, "\n  %u: offset %" PRIu64 ", size %" PRIu64 ", type %s%s%s", p->number,
		    p->offset, p->size, p->type, p->name[0] ? ", " : "", p->name);
	}
}

/* Errors that the probe has a meaning of its own for. */
static const struct { int err; const char *text; } errors[] = {
	{ -EUCLEAN, "cannot be probed: the gzip image is damaged or cut short; \"gzip -t\" checks it" },
	{ -ERANGE, "the offset is past its end" },
	{ -ENODATA, "it is empty (0 bytes)" },
};

static void add_error(struct text *t, int err)
{
	size_t i;

	for (i = 0; i < sizeof(errors) / sizeof(errors[0]); i++) {
		if (errors[i].err == err) {
			add(t, "%s", errors[i].text);
			return;
		}
	}
	add(t, "cannot be probed: %s", strerror(-err));
}

void fb_probe_explain(const struct fb_probe_result *r, const char *source, char *text, unsigned size)
{
	struct text t = { text, size, 0 };

	add(&t, "%s: ", source);
	switch ((enum fb_probe_kind)r->kind) {
	case FB_PROBE_FILESYSTEM:
		add_filesystem(&t, r);
		break;
	case FB_PROBE_ERROR:
		add_error(&t, r->error);
		break;
	case FB_PROBE_UNKNOWN:
		add(&t, "no known filesystem on it; if there is one, name it with -t fuseblk.TYPE");
		break;
	case FB_PROBE_AMBIVALENT:
		add_candidates(&t, r);
		break;
	case FB_PROBE_PARTITIONED:
		add_partitions(&t, r);
		break;
	case FB_PROBE_ENCRYPTED:
		add(&t, "encrypted (%s); unlock it first (cryptsetup open) and mount the /dev/mapper device", r->type);
		break;
	case FB_PROBE_RAID:
		add(&t, "a RAID member (%s); assemble the array first (mdadm --assemble) and mount that", r->type);
		break;
	case FB_PROBE_SWAP:
		add(&t, "swap space (%s), not a filesystem; \"swapon\" uses it, \"mkfs\" replaces it by a filesystem", r->type);
		break;
	case FB_PROBE_TIMEOUT:
		add(&t, "the probe took too long: the device does not answer or its contents mislead; name the filesystem with -t fuseblk.TYPE");
		break;
	case FB_PROBE_OTHER:
		add(&t, "%s, which holds no filesystem that can be mounted directly; activate it first and mount what it provides", r->type);
		break;
	}
}
