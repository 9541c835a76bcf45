// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The guest's mounts: those every program may count on, and the removal of
 * what it left.
 */
#include <errno.h>
#include <mntent.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include "init.h"

static const struct {
	const char *type, *dir;
} OURS[] = {
	{ "proc", "/proc" }, { "sysfs", "/sys" }, { "devtmpfs", "/dev" }, { "tmpfs", "/tmp" },
	{ "tmpfs", "/mnt" }, { "tmpfs", "/run" }, { "tmpfs", "/out" }, { "debugfs", "/sys/kernel/debug" },
};
#define COUNT(table) (sizeof(table) / sizeof((table)[0]))

void mounts_set_up(void)
{
	for (size_t i = 0; i < COUNT(OURS); i++) {
		mkdir(OURS[i].dir, 0755);
		mount(OURS[i].type, OURS[i].dir, OURS[i].type, 0, NULL);
	}
	chmod("/tmp", 01777);
}

static bool is_ours(const char *dir)
{
	for (size_t i = 0; i < COUNT(OURS); i++)
		if (strcmp(dir, OURS[i].dir) == 0)
			return true;
	return strcmp(dir, "/") == 0 || strcmp(dir, "/host") == 0 ||
	       strcmp(dir, "/sys/fs/fuse/connections") == 0;
}

/* The path of the last mount that is not ours into @dir: what was mounted last goes first. */
static bool find_last(char *dir, size_t size)
{
	FILE *f = setmntent("/proc/self/mounts", "r");
	struct mntent *m;
	bool found = false;

	while (f && (m = getmntent(f))) {
		if (is_ours(m->mnt_dir))
			continue;
		snprintf(dir, size, "%s", m->mnt_dir);
		found = true;
	}
	if (f)
		endmntent(f);
	return found;
}

void mounts_clean_up(void)
{
	char dir[4096];

	for (int rounds = 0; rounds < 4096 && find_last(dir, sizeof(dir)); rounds++) {
		if (umount2(dir, 0) == 0) {
			report_line("note", "%s was left mounted", dir);
			continue;
		}
		report_line("complaint", "%s was left mounted, and its umount says: %s", dir, strerror(errno));
		if (umount2(dir, MNT_DETACH) != 0)
			return;
	}
}
