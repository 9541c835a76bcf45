// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * main.c: mount.fuseblk, the helper that mount(8) runs for -t fuseblk:
 *   mount.fuseblk SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE[.SUBTYPE]]
 * Reads the arguments, nothing else; the mount is libfuseblk's.
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"
#include "mount.h"

static const char usage_text[] =
	"usage: mount.fuseblk SOURCE DIR [-sfnv] [-N NAMESPACE] [-o OPTIONS] [-t TYPE[.SUBTYPE]]\n"
	"SOURCE: a block device, an image file (also compressed with gzip: read-only),\n"
	"        UUID=, LABEL=, PARTUUID= or PARTLABEL=\n"
	"  -o OPTIONS  mount options, comma-separated; see mount.fuseblk(8)\n"
	"  -t TYPE     fuseblk, or fuseblk.DRIVER to choose the driver\n"
	"  -s          ignore unknown options    -f  do everything but mount\n"
	"  -v          say what is done          -n  accepted, no effect\n"
	"  -N NS       mount in this mount namespace (a file or a process id)\n"
	"  -h, --help  this text                 -V, --version\n"
	"In /etc/fstab:  SOURCE  DIR  fuseblk  defaults,nofail  0  0\n";

/* Descriptors 0 to 2 must not become a device's. */
static bool fill_standard_fds(void)
{
	int fd;

	do {
		fd = open("/dev/null", O_RDWR);
	} while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd < 0)
		return false;
	close(fd);
	return true;
}

/* Several -o make one list. */
static char *join(char *list, const char *more)
{
	char *joined;

	if (!list)
		return strdup(more);
	if (asprintf(&joined, "%s,%s", list, more) < 0)
		return NULL;
	free(list);
	return joined;
}

/* fuseblk.ext2 names the driver ext2; fuseblk and fuse leave it to the probe. */
static const char *driver_of(const char *type)
{
	const char *dot = strchr(type, '.');

	if (dot)
		return dot[1] ? dot + 1 : NULL;
	return strcmp(type, "fuseblk") == 0 || strcmp(type, "fuse") == 0 ? NULL : type;
}

static int usage_error(const char *text)
{
	fprintf(stderr, "mount.fuseblk: %s; see \"mount.fuseblk --help\"\n", text);
	return FB_EXIT_USAGE;
}

/* Returns -1 to go on, else the exit status. */
static int parse(int argc, char **argv, struct fb_mount_args *args, char **options)
{
	static const struct option longs[] = {
		{ "help", no_argument, NULL, 'h' },
		{ "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "sfnvN:o:t:hV", longs, NULL)) != -1) {
		switch (c) {
		case 's':
			args->sloppy = true;
			break;
		case 'f':
			args->fake = true;
			break;
		case 'n':
			break;
		case 'v':
			args->verbose = true;
			break;
		case 'N':
			args->mount_ns = optarg;
			break;
		case 'o':
			*options = join(*options, optarg);
			if (!*options)
				return usage_error("out of memory");
			break;
		case 't':
			args->type = driver_of(optarg);
			break;
		case 'h':
			fputs(usage_text, stdout);
			return FB_EXIT_OK;
		case 'V':
			printf("mount.fuseblk %s\n", PACKAGE_VERSION);
			return FB_EXIT_OK;
		default:
			return usage_error("bad arguments");
		}
	}
	if (argc - optind != 2)
		return usage_error("it takes a SOURCE and a DIR");
	args->source = argv[optind];
	args->target = argv[optind + 1];
	args->options = *options;
	return -1;
}

int main(int argc, char **argv)
{
	struct fb_mount_args args = { .source = NULL };
	char *options = NULL;
	int status;

	if (!fill_standard_fds())
		return FB_EXIT_SYSTEM;
	status = parse(argc, argv, &args, &options);
	if (status < 0)
		status = fb_mount(&args);
	free(options);
	return status;
}
