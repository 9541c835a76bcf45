// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * mountinfo.c: /proc/self/mountinfo, and what the kernel knows of an open
 * descriptor's mount.  Never asks a filesystem anything, so that a mount
 * whose driver is stuck cannot make us wait.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "mount_internal.h"

/* Undo the kernel's octal escapes, \040 for a space. */
static void copy_unescaped(char *out, size_t size, const char *in)
{
	size_t n = 0;

	while (*in && n + 1 < size) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			out[n++] = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 4;
		} else {
			out[n++] = *in++;
		}
	}
	out[n] = '\0';
}

static bool has_word(const char *list, const char *word)
{
	size_t len;
	const char *opt;

	while ((opt = fb_option_next(&list, &len)))
		if (len == strlen(word) && memcmp(opt, word, len) == 0)
			return true;
	return false;
}

/* One line, cut into its fields. Returns false where it is not understood. */
static bool parse_line(char *line, struct fb_mountinfo *out)
{
	enum { ID, PARENT, DEV, ROOT, TARGET, OPTIONS, FIXED };
	char *field[FIXED], *save, *word;
	unsigned maj, min;
	int i;

	for (i = 0; i < FIXED; i++) {
		field[i] = strtok_r(i ? NULL : line, " \n", &save);
		if (!field[i])
			return false;
	}
	while ((word = strtok_r(NULL, " \n", &save)) && strcmp(word, "-") != 0)
		;
	if (!word || sscanf(field[DEV], "%u:%u", &maj, &min) != 2)
		return false;
	out->id = (unsigned)strtoul(field[ID], NULL, 10);
	out->dev = makedev(maj, min);
	copy_unescaped(out->target, sizeof(out->target), field[TARGET]);
	copy_unescaped(out->options, sizeof(out->options), field[OPTIONS]);
	word = strtok_r(NULL, " \n", &save);
	copy_unescaped(out->type, sizeof(out->type), word ? word : "");
	word = strtok_r(NULL, " \n", &save);
	copy_unescaped(out->source, sizeof(out->source), word ? word : "");
	word = strtok_r(NULL, " \n", &save);
	copy_unescaped(out->super_options, sizeof(out->super_options), word ? word : "");
	out->super_read_only = has_word(out->super_options, "ro");
	return true;
}

/* By source where that is given, else by id where that is not 0, else by device number. */
static int find(const char *source, unsigned id, dev_t dev, struct fb_mountinfo *out)
{
	FILE *f = fopen("/proc/self/mountinfo", "re");
	struct fb_mountinfo one;
	char *line = NULL;
	size_t size = 0;
	int err = -ENOENT;

	if (!f)
		return -errno;
	while (getline(&line, &size, f) > 0) {
		if (!parse_line(line, &one))
			continue;
		if (source ? strcmp(one.source, source) == 0 : id ? one.id == id : one.dev == dev) {
			*out = one;
			err = 0;
		}
	}
	free(line);
	fclose(f);
	return err;
}

int fb_mountinfo_by_dev(dev_t dev, struct fb_mountinfo *out)
{
	return find(NULL, 0, dev, out);
}

int fb_mountinfo_by_id(unsigned id, struct fb_mountinfo *out)
{
	return find(NULL, id, 0, out);
}

int fb_mountinfo_by_source(const char *source, struct fb_mountinfo *out)
{
	return find(source, 0, 0, out);
}

int fb_fd_mount(int fd, dev_t *dev, unsigned *mount_id, bool *is_root)
{
	struct statx stx;

	if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC | AT_NO_AUTOMOUNT,
		  STATX_TYPE | STATX_MNT_ID, &stx))
		return -errno;
	*dev = makedev(stx.stx_dev_major, stx.stx_dev_minor);
	*mount_id = stx.stx_mask & STATX_MNT_ID ? (unsigned)stx.stx_mnt_id : 0;
	*is_root = stx.stx_attributes & STATX_ATTR_MOUNT_ROOT;
	return 0;
}
