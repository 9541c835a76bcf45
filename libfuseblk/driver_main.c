// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * driver_main.c: fuseblk_main(), the whole life of a driver process.
 *
 * Started by mount.fuseblk it speaks the protocol of start.h: it reads the
 * volume, says what it found, and writes nothing before it hears that the
 * mount is made.  Run by hand it becomes that mount's parent, which starts
 * the same program again.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include "control.h"
#include "device.h"
#include "log.h"
#include "mount.h"
#include "proc.h"
#include "session.h"
#include "start.h"
#include "volume.h"

#define MAX_FDS (5 + FB_MAX_SPARE_FDS)

/* A driver process between the first message and the last. */
struct life {
	const struct fuseblk_driver *driver;
	int sock;			/* to the parent, -1 when done */
	struct fb_start start;
	int device, channel, log, index, control;
	int spares[FB_MAX_SPARE_FDS];
	struct fuseblk_volume *vol;
	struct fb_control *answers;
};

/* ---- the parent's message ------------------------------------------- */

static int check_start(struct fb_start *start, unsigned nfds)
{
	unsigned want = 3 + !!start->has_index + !!start->has_control + start->spare_count;

	if (start->magic != FB_START_MAGIC || start->version != FB_START_VERSION ||
	    start->spare_count > FB_MAX_SPARE_FDS || nfds != want)
		return -EPROTO;
	start->source[sizeof(start->source) - 1] = '\0';
	start->target[sizeof(start->target) - 1] = '\0';
	start->options[sizeof(start->options) - 1] = '\0';
	return 0;
}

static int receive_start(struct life *l)
{
	int fds[MAX_FDS], at = 0, err;
	unsigned nfds = 0;

	err = fb_start_recv(l->sock, &l->start, sizeof(l->start), fds, MAX_FDS, &nfds);
	if (!err)
		err = check_start(&l->start, nfds);
	if (err)
		return err;
	for (unsigned i = 0; i < nfds; i++) {
		fds[i] = fb_device_adopt_fd(fds[i]);
		if (fds[i] < 0)
			return fds[i];
	}
	l->device = fds[at++];
	l->channel = fds[at++];
	l->log = fds[at++];
	l->index = l->start.has_index ? fds[at++] : -1;
	l->control = l->start.has_control ? fds[at++] : -1;
	for (unsigned i = 0; i < l->start.spare_count; i++)
		l->spares[i] = fds[at++];
	return 0;
}

/* ---- the volume ----------------------------------------------------- */

static int open_device(const struct life *l, struct fb_device **dev)
{
	if (l->start.device_kind == FB_DEVICE_GZIP) {
		int err = fb_device_open_gzip(l->device, l->index, dev);

		if (err || !(l->start.offset || l->start.sizelimit))
			return err;
		return fb_device_open_window(*dev, l->start.offset, l->start.sizelimit, dev);
	}
	return fb_device_open_file(l->device, l->start.offset, l->start.sizelimit,
				   l->start.read_only, dev);
}

static int open_volume(struct life *l, char *error, size_t size)
{
	char options[sizeof(l->start.options) + 24];
	struct fuseblk_volume *vol;
	struct fb_device *dev;
	int err = open_device(l, &dev);

	if (err) {
		snprintf(error, size, "cannot be opened: %s",
			 err != -EUCLEAN ? strerror(-err) :
			 l->start.device_kind == FB_DEVICE_GZIP ?
			 "the gzip image is damaged or cut short; \"gzip -t\" checks it" :
			 "it is damaged or cut short");
		return err;
	}
	snprintf(options, sizeof(options), "defaults%s%s%s%s", l->start.options[0] ? "," : "",
		 l->start.options, l->start.read_only ? ",ro" : "", l->start.sloppy ? ",sloppy" : "");
	err = fb_volume_prepare(l->driver, dev, l->start.source, options, &vol, error, size);
	if (err)
		return err;
	fb_proc_leave_mounts();
	err = fb_volume_open(vol, error, size);
	if (!err)
		l->vol = vol;
	return err;
}

static uint32_t mount_block_size(struct fuseblk_volume *vol)
{
	uint32_t size = vol->info.block_size ? vol->info.block_size : 4096;
	uint32_t page = (uint32_t)sysconf(_SC_PAGESIZE), sector = fuseblk_sector_size(vol);

	if (size > page)
		size = page;
	return size > sector ? size : sector;
}

/* Why a volume that was to be writable is not, or "". */
static void read_only_text(const struct life *l, char *text, size_t size)
{
	const struct fuseblk_volume *vol = l->vol;

	text[0] = '\0';
	if (!atomic_load(&vol->read_only) || l->start.read_only || vol->options.read_only)
		return;
	snprintf(text, size, "%s: mounted read-only: %s", vol->source,
		 vol->info.read_only && vol->info.read_only_reason[0] ?
		 vol->info.read_only_reason : "it is write-protected");
}

static int send_started(struct life *l, int err, const char *error)
{
	struct fb_started msg = { .magic = FB_START_MAGIC, .error = err };

	snprintf(msg.subtype, sizeof(msg.subtype), "%s", l->driver->name);
	if (err) {
		/* What repairs a volume cannot reach into a gzip image. */
		snprintf(msg.text, sizeof(msg.text), "%.200s: %.240s%s", l->start.source, error,
			 l->start.device_kind == FB_DEVICE_GZIP && strstr(error, "fsck") ?
			 "; gunzip the image first, its volume cannot be repaired inside" : "");
	} else {
		msg.root_mode = l->vol->info.root_mode;
		msg.block_size = mount_block_size(l->vol);
		msg.read_only = atomic_load(&l->vol->read_only);
		msg.default_permissions = 1;
		memcpy(msg.label, l->vol->info.label, sizeof(msg.label));
		read_only_text(l, msg.text, sizeof(msg.text));
	}
	return fb_start_send(l->sock, &msg, sizeof(msg), NULL, 0);
}

/* ---- serving -------------------------------------------------------- */

static void on_serving(void *ctx, int error)
{
	struct life *l = ctx;
	struct fb_serving msg = { .magic = FB_START_MAGIC, .error = error };

	if (error)
		snprintf(msg.text, sizeof(msg.text), "%.120s: %.130s", l->start.source,
			 l->vol->refusal[0] ? l->vol->refusal : strerror(-error));
	fb_start_send(l->sock, &msg, sizeof(msg), NULL, 0);
	close(l->sock);
	l->sock = -1;
}

static void on_closing(void *ctx)
{
	struct life *l = ctx;

	fb_control_stop(l->answers);
	l->answers = NULL;
}

static void start_control(struct life *l, const struct fb_mounted *mounted)
{
	char path[108];

	if (l->control < 0)
		return;
	fb_control_path(mounted->dev_major, mounted->dev_minor, path, sizeof(path));
	if (fb_control_start(l->vol, l->control, path, &l->answers))
		fuseblk_log(l->vol, FUSEBLK_WARNING, "no thread for the control socket; "
			    "the mount cannot be remounted");
}

static int serve(struct life *l, const struct fb_mounted *mounted)
{
	struct fb_session_args args = {
		.vol = l->vol, .channel = l->channel, .spares = l->spares,
		.spare_count = l->start.spare_count, .serving = on_serving,
		.closing = on_closing, .ctx = l,
	};
	struct fb_session *session;
	int err = fb_session_new(&args, &session);

	if (err)
		return err;
	start_control(l, mounted);
	err = fb_session_run(session);
	if (err)
		fuseblk_log(l->vol, FUSEBLK_ERROR, "ended with an error: %s", strerror(-err));
	fb_session_free(session);
	return err;
}

static int run_started(struct life *l)
{
	struct fb_mounted mounted;
	char error[256];
	int err = receive_start(l);

	if (err) {
		fprintf(stderr, "fuseblk-%s: started with a message it does not understand (%s); "
			"use mount.fuseblk of the same version\n", l->driver->name, strerror(-err));
		return FB_EXIT_INTERNAL;
	}
	fb_log_open(l->log, l->start.foreground);
	err = open_volume(l, error, sizeof(error));
	if (send_started(l, err, error) || err) {
		fb_volume_free(l->vol);
		return FB_EXIT_FAIL;
	}
	err = fb_start_recv(l->sock, &mounted, sizeof(mounted), NULL, 0, NULL);
	if (!err && mounted.magic != FB_START_MAGIC)
		err = -EPROTO;
	if (!err)
		err = serve(l, &mounted);
	fb_volume_free(l->vol);
	return err ? FB_EXIT_FAIL : FB_EXIT_OK;
}

/* ---- the command line ----------------------------------------------- */

static void usage(FILE *to, const struct fuseblk_driver *driver, const char *name)
{
	fprintf(to, "Usage: %s [-f] [-o OPTIONS] SOURCE DIR\n"
		"Mount SOURCE, a device or image of type %s, on DIR.\n\n"
		"  -f, --foreground  stay, log to standard error, unmount on ^C\n"
		"  -o OPTIONS        mount options, comma-separated\n"
		"  -v, --verbose     say what is done\n"
		"  -h, --help        this text\n"
		"  -V, --version     print the version\n\nOptions of %s:\n",
		name, driver->name, driver->name);
	for (const struct fuseblk_option *o = driver->options; o && o->name; o++)
		fprintf(to, "  %s%s  %s\n", o->name, o->kind == FUSEBLK_OPT_FLAG ||
			o->kind == FUSEBLK_OPT_IGNORE ? "" : "=...", o->help ? o->help : "");
}

/* Append "-o" text to what earlier ones said. Returns the new string, or NULL without memory. */
static char *join_options(char *before, const char *more)
{
	size_t size = (before ? strlen(before) + 1 : 0) + strlen(more) + 1;
	char *joined = malloc(size);

	if (joined)
		snprintf(joined, size, "%s%s%s", before ? before : "", before ? "," : "", more);
	free(before);
	return joined;
}

static int mount_by_hand(int argc, char **argv, const struct fuseblk_driver *driver)
{
	static const struct option longs[] = {
		{ "foreground", no_argument, NULL, 'f' }, { "verbose", no_argument, NULL, 'v' },
		{ "help", no_argument, NULL, 'h' }, { "version", no_argument, NULL, 'V' },
		{ NULL, 0, NULL, 0 },
	};
	struct fb_mount_args args = { .type = driver->name, .driver_path = "/proc/self/exe" };
	char *options = NULL;
	int c, ret;

	while ((c = getopt_long(argc, argv, "fo:vhV", longs, NULL)) >= 0) {
		switch (c) {
		case 'f':
			args.foreground = true;
			break;
		case 'v':
			args.verbose = true;
			break;
		case 'o':
			options = join_options(options, optarg);
			break;
		case 'h':
			usage(stdout, driver, argv[0]);
			return FB_EXIT_OK;
		case 'V':
			printf("fuseblk-%s %s\n", driver->name, driver->version ? driver->version : "");
			return FB_EXIT_OK;
		default:
			return FB_EXIT_USAGE;
		}
	}
	if (argc - optind != 2) {
		usage(stderr, driver, argv[0]);
		free(options);
		return FB_EXIT_USAGE;
	}
	args.source = argv[optind];
	args.target = argv[optind + 1];
	args.options = options ? options : "";
	ret = fb_mount(&args);
	free(options);
	return ret;
}

int fuseblk_main(int argc, char **argv, const struct fuseblk_driver *driver)
{
	static struct life life;
	char *end;
	long fd;

	if (argc != 2 || strncmp(argv[1], "--start-fd=", 11) != 0)
		return mount_by_hand(argc, argv, driver);
	fd = strtol(argv[1] + 11, &end, 10);
	if (*end || fd < 3 || fd > 65535) {
		fprintf(stderr, "%s: --start-fd is for mount.fuseblk\n", argv[0]);
		return FB_EXIT_USAGE;
	}
	fb_proc_settle();
	life.driver = driver;
	life.sock = (int)fd;
	return run_started(&life);
}
